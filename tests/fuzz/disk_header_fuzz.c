/* SPDX-License-Identifier: MIT */
/* Disk images of any bytes, opened as each format and as none: an error comes with one line of
 * text, and what opens can be read. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "disk/bytes.h"
#include "disk/disk.h"
#include "tests/fuzz/input.h"
#include "tests/unit/disk_templates.h"

static void try_format(const char *path, const char *format)
{
    static uint8_t buf[70000];
    struct disk_options o = {.file = path, .format = format, .readonly = true};
    char err[DISK_ERR_LEN] = "";
    struct disk *d = disk_open(&o, err);

    if (d == NULL) {
        REQUIRE(err[0] != '\0' && memchr(err, '\0', sizeof(err)) != NULL);
        REQUIRE(strchr(err, '\n') == NULL);
        return;
    }
    REQUIRE(disk_size(d) % 512 == 0 && disk_size(d) <= INT64_MAX);
    for (unsigned i = 0; i < 8; i++) {
        uint64_t off = disk_size(d) / 8 * i;
        uint64_t n = disk_size(d) - off;
        disk_read(d, off / 512 * 512, buf, n < sizeof(buf) ? (size_t)n : sizeof(buf));
    }
    disk_close(d);
}

#define IMAGE_BYTES 5120

static void make_qcow2(uint8_t *p)
{
    memcpy(p, "QFI\xfb\0\0\0\3", 8);
    store_be(p + 20, 4, 9);
    store_be(p + 24, 8, 512 * 64);
    store_be(p + 36, 4, 1);
    store_be(p + 40, 8, 3 * 512);
    store_be(p + 48, 8, 512);
    store_be(p + 56, 4, 1);
    store_be(p + 96, 4, 4);
    store_be(p + 100, 4, 104);
    store_be(p + 512, 8, 2 * 512);
    store_be(p + 3 * 512, 8, 4 * 512);
    store_be(p + 4 * 512, 8, 5 * 512);
}

static void make_text(uint8_t *p)
{
    static const char text[] = "version=1\nparentCID=ffffffff\nRW 8 ZERO\nRW 2 FLAT \"a\" 0\n";

    memcpy(p, text, sizeof(text));
}

static void make_nothing(uint8_t *p)
{
    (void)p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const make[])(uint8_t *) = {make_nothing, make_qcow2,  make_vdi,
                                              make_vpc,     make_sparse, make_text};
    static const char *const formats[] = {NULL, "raw", "qcow2", "vmdk", "vpc", "vdi"};
    struct input in = {data, size};
    uint8_t image[IMAGE_BYTES] = {0};
    unsigned which = input_u8(&in) % (sizeof(make) / sizeof(make[0]));
    uint64_t more = input_u8(&in) * UINT64_C(4096);
    char path[64];
    int fd = memfd_create("image", MFD_CLOEXEC);

    make[which](image);
    while (in.n > 0) {
        unsigned off = (unsigned)input_int(&in, 2) % (IMAGE_BYTES - 8), n = 1 + input_u8(&in) % 8;
        store_be(image + off, n, input_int(&in, n));
    }
    if (make[which] == make_vpc)
        seal_vpc(image);
    REQUIRE(fd >= 0 && write(fd, image, sizeof(image)) == (ssize_t)sizeof(image));
    /* Longer, so that tables can lie in it. */
    REQUIRE(ftruncate(fd, (off_t)(sizeof(image) + more)) == 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        try_format(path, formats[i]);
    close(fd);
    return 0;
}
