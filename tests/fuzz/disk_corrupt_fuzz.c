/* SPDX-License-Identifier: MIT */
/* A qcow2 image with a few numbers changed, then requests of all kinds: an error at worst, and
 * never a change of the header's cluster size or of the places that it names. Input: changes
 * (offset, size, value) up to one of no bytes, how it is opened, then requests. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "disk/bytes.h"
#include "disk/disk.h"
#include "tests/fuzz/input.h"

#define CLUSTER  512
#define CLUSTERS 16
#define SIZE     (CLUSTER * CLUSTER / 8 * 2)

enum place { HEADER, REFTABLE, REFBLOCK, L1, L2, DATA, PACKED, OTHER_L2, END };

/* Clusters: one of each place above; a compressed one is in the last of them. */
static void make_image(uint8_t *p)
{
    memcpy(p, "QFI\xfb", 4);
    store_be(p + 4, 4, 3);
    store_be(p + 20, 4, 9);
    store_be(p + 24, 8, SIZE);
    store_be(p + 36, 4, 2);
    store_be(p + 40, 8, L1 * CLUSTER);
    store_be(p + 48, 8, REFTABLE * CLUSTER);
    store_be(p + 56, 4, 1);
    store_be(p + 96, 4, 4);
    store_be(p + 100, 4, 104);
    store_be(p + REFTABLE * CLUSTER, 8, REFBLOCK * CLUSTER);
    for (unsigned c = 0; c < END; c++)
        store_be(p + REFBLOCK * CLUSTER + c * 2, 2, 1);
    store_be(p + L1 * CLUSTER, 8, (UINT64_C(1) << 63) | L2 * CLUSTER);
    store_be(p + L1 * CLUSTER + 8, 8, OTHER_L2 * CLUSTER);
    store_be(p + L2 * CLUSTER, 8, (UINT64_C(1) << 63) | DATA * CLUSTER);
    store_be(p + L2 * CLUSTER + 8, 8, (UINT64_C(1) << 62) | PACKED * CLUSTER);
    store_be(p + L2 * CLUSTER + 16, 8, 1);
    memset(p + DATA * CLUSTER, 'd', CLUSTER);
    /* A stored block of deflate: final, length, its complement, bytes. */
    memcpy(p + PACKED * CLUSTER, "\x01\x00\x02\xff\xfd", 5);
}

static void change(struct input *in, uint8_t *p)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned off = (unsigned)input_int(in, 2) % (CLUSTER * CLUSTERS - 8);
        unsigned bytes = input_u8(in) % 9;
        if (bytes == 0)
            break;
        store_be(p + off, bytes, input_int(in, bytes));
    }
}

static void request(struct disk *d, struct input *in)
{
    static uint8_t buf[5000];
    unsigned what = input_u8(in);
    uint64_t off = disk_size(d) > 0 ? input_int(in, 3) % disk_size(d) : 0;
    uint64_t left = disk_size(d) - off, n = input_int(in, 2) % sizeof(buf);

    n = n < left ? n : left;
    switch (what % 5) {
    case 0: disk_read(d, off, buf, (size_t)n); break;
    case 1:
    case 2: disk_write(d, off, buf, (size_t)n); break;
    case 3: disk_discard(d, off, n); break;
    case 4: disk_flush(d); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t image[CLUSTER * CLUSTERS] = {0}, after[72];
    struct input in = {data, size};
    struct disk_options o = {.format = "qcow2", .cache = DISK_CACHE_UNSAFE};
    char path[64], err[DISK_ERR_LEN] = "";
    int fd = memfd_create("image", MFD_CLOEXEC);
    struct disk *d;
    unsigned how;

    make_image(image);
    change(&in, image);
    REQUIRE(fd >= 0 && write(fd, image, sizeof(image)) == (ssize_t)sizeof(image));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    o.file = path;
    how = input_u8(&in);
    o.readonly = how % 8 == 0;
    o.snapshot = how & 0x80;
    d = disk_open(&o, err);
    if (d == NULL)
        REQUIRE(err[0] != '\0' && strchr(err, '\n') == NULL);
    for (unsigned i = 0; d != NULL && in.n > 0 && i < 200; i++)
        request(d, &in);
    disk_close(d);
    REQUIRE(pread(fd, after, sizeof(after), 0) == (ssize_t)sizeof(after));
    REQUIRE(memcmp(after, image, 48) == 0 && memcmp(after + 60, image + 60, 12) == 0);
    close(fd);
    return 0;
}
