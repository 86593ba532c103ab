/* SPDX-License-Identifier: MIT */
/* A host that loses power: of what was written since the file was last synchronised, any sectors
 * may be on the disk and any may not. The system calls that change files are replaced here, so that
 * an image of such a moment can be made before each of them, opened, and compared with what the
 * guest may expect; qemu-img, where it is installed, must find leaks at worst. */
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/disk_images.h"

#define SECTORS  1024
#define FILE_MAX (UINT64_C(8) << 20)
#define LOG_MAX  20000

/* How often power is lost. Most can go wrong just before the file is synchronised. */
#define ONE_SYNC_IN 6
#define ONE_CALL_IN 1000

/* One sector, or a part of one, that is written but may not be on the disk. */
struct write {
    uint64_t off;
    uint16_t n;
    uint8_t data[512];
};

static struct power {
    bool on;          /* calls are recorded */
    bool has_qemu;    /* for qemu-img check */
    uint8_t *durable; /* what certainly is on the disk */
    uint64_t size;
    struct write *log;
    unsigned count, checked;
    uint64_t rng;
    /* What the guest knows: the number last written to each sector, that at the last flush, and
     * that at the last discard. */
    uint32_t written[SECTORS], flushed[SECTORS], discarded[SECTORS];
} p;

static uint32_t rng(void)
{
    p.rng = p.rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(p.rng >> 32);
}

/* -- The moment -------------------------------------------------------------------------------- */

static void make_crash_file(void)
{
    uint8_t *image = malloc(FILE_MAX);

    memcpy(image, p.durable, FILE_MAX);
    for (unsigned i = 0; i < p.count; i++) {
        if (rng() % 2 == 0)
            memcpy(image + p.log[i].off, p.log[i].data, p.log[i].n);
    }
    make_file("crash.qcow2", image, p.size, p.size);
    free(image);
}

static void check_sector(uint32_t i, const uint32_t *sector)
{
    ck_assert_mem_eq(sector + 1, sector, 508); /* all of it is one number */
    if (sector[0] == 0) {
        ck_assert_uint_le(p.flushed[i], p.discarded[i]);
        return;
    }
    ck_assert_uint_ge(sector[0], p.flushed[i]);
    ck_assert_uint_le(sector[0], p.written[i]);
}

static void lose_power(void)
{
    uint32_t sector[128];

    p.on = false;
    make_crash_file();
    if (p.has_qemu) {
        int status = system("qemu-img check crash.qcow2 > said 2>&1");
        ck_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3);
    }
    struct disk *d = open_disk(&(struct disk_options){.file = "crash.qcow2"});
    for (uint32_t i = 0; i < SECTORS; i++) {
        ck_assert_int_eq(disk_read(d, i * UINT64_C(512), sector, 512), 0);
        check_sector(i, sector);
    }
    ck_assert_int_eq(disk_close(d), 0);
    p.checked++;
    p.on = true;
}

static void maybe_lose_power(unsigned one_in)
{
    if (rng() % one_in == 0)
        lose_power();
}

/* -- The system calls -------------------------------------------------------------------------- */

static void record(uint64_t off, const uint8_t *data, uint64_t n)
{
    while (n > 0) {
        struct write *w = &p.log[p.count++];
        uint64_t part = 512 - off % 512;
        ck_assert_uint_lt(p.count, LOG_MAX);
        ck_assert_uint_le(off + n, FILE_MAX);
        w->off = off;
        w->n = (uint16_t)(n < part ? n : part);
        if (data != NULL)
            memcpy(w->data, data, w->n);
        else
            memset(w->data, 0, w->n);
        data = data != NULL ? data + w->n : NULL;
        off += w->n;
        n -= w->n;
    }
    p.size = off > p.size ? off : p.size;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t off)
{
    if (p.on) {
        maybe_lose_power(ONE_CALL_IN);
        record((uint64_t)off, buf, n);
    }
    return syscall(SYS_pwrite64, fd, buf, n, off);
}

int fdatasync(int fd)
{
    (void)fd;
    if (p.on) {
        maybe_lose_power(ONE_SYNC_IN);
        for (unsigned i = 0; i < p.count; i++)
            memcpy(p.durable + p.log[i].off, p.log[i].data, p.log[i].n);
        p.count = 0;
    }
    return 0;
}

int ftruncate(int fd, off_t size)
{
    if (p.on && (uint64_t)size > p.size)
        p.size = (uint64_t)size;
    return (int)syscall(SYS_ftruncate, fd, size);
}

int fallocate(int fd, int mode, off_t off, off_t n)
{
    if (p.on) {
        maybe_lose_power(ONE_CALL_IN);
        record((uint64_t)off, NULL, (uint64_t)n);
    }
    return (int)syscall(SYS_fallocate, fd, mode, off, n);
}

/* -- The guest --------------------------------------------------------------------------------- */

static void guest_write(struct disk *d, uint32_t first, uint32_t count)
{
    static uint32_t numbers[64 * 128];

    for (uint32_t i = 0; i < count; i++) {
        p.written[first + i]++;
        for (unsigned k = 0; k < 128; k++)
            numbers[i * 128 + k] = p.written[first + i];
    }
    ck_assert_int_eq(disk_write(d, first * UINT64_C(512), numbers, count * UINT64_C(512)), 0);
}

static void guest_discard(struct disk *d, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        p.discarded[i] = p.written[i];
    ck_assert_int_eq(disk_discard(d, first * UINT64_C(512), count * UINT64_C(512)), 0);
}

static void guest_flush(struct disk *d)
{
    ck_assert_int_eq(disk_flush(d), 0);
    memcpy(p.flushed, p.written, sizeof(p.flushed));
}

static void guest_step(struct disk *d)
{
    uint32_t first = rng() % SECTORS, count = 1 + rng() % 64, what = rng() % 16;

    count = count < SECTORS - first ? count : SECTORS - first;
    if (what < 10)
        guest_write(d, first, count);
    else if (what < 13)
        guest_discard(d, first, count);
    else
        guest_flush(d);
}

static void start_recording(const char *name)
{
    FILE *f = fopen(name, "rb");

    p.durable = calloc(1, FILE_MAX);
    p.log = malloc(LOG_MAX * sizeof(*p.log));
    p.size = fread(p.durable, 1, FILE_MAX, f);
    fclose(f);
}

static const struct qcow2_spec shapes[] = {
    {3, 9, 4, SECTORS * 512, NULL, NULL},  {2, 9, 4, SECTORS * 512, NULL, NULL},
    {3, 12, 0, SECTORS * 512, NULL, NULL}, {3, 16, 6, SECTORS * 512, NULL, NULL},
    {3, 9, 6, SECTORS * 512, NULL, NULL},
};

START_TEST(power_loss)
{
    make_qcow2("a.qcow2", &shapes[_i]);
    start_recording("a.qcow2");
    p.has_qemu = system("qemu-img --version > said 2>&1") == 0;
    p.rng = (uint64_t)_i + 1;
    for (unsigned round = 0; round < 2; round++) {
        p.on = true;
        struct disk *d = open_disk(&(struct disk_options){.file = "a.qcow2"});
        for (unsigned i = 0; i < 120; i++)
            guest_step(d);
        ck_assert_int_eq(disk_close(d), 0);
        memcpy(p.flushed, p.written, sizeof(p.flushed));
        lose_power();
        p.on = false;
    }
    ck_assert_uint_gt(p.checked, 5);
    free(p.durable);
    free(p.log);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("disk_crash");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, enter_folder, leave_folder);
    tcase_add_loop_test(tc, power_loss, 0, sizeof(shapes) / sizeof(shapes[0]));
    suite_add_tcase(s, tc);

    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
