/* SPDX-License-Identifier: MIT */
/* Raw images and what all formats share: files, ranges, locks, cache modes, snapshot=on. */
#include <errno.h>
#include <fcntl.h>

#include "tests/unit/disk_files.h"

#define SIZE (3 << 20)

static void random_file(const char *name, uint64_t size)
{
    uint8_t *bytes = malloc(size);

    for (uint64_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 13 + (i >> 8) * 7 + 1);
    make_file(name, bytes, size, size);
    free(bytes);
}

START_TEST(ranges)
{
    struct disk_options o = {.file = "a.img", .format = "raw"};
    uint8_t buf[1024];

    make_file("a.img", "hello", 5, 1500);
    struct disk *d = open_disk(&o);
    ck_assert_uint_eq(disk_size(d), 1536); /* whole sectors */
    ck_assert_str_eq(disk_format_name(d), "raw");
    ck_assert(!disk_is_readonly(d));
    ck_assert_ptr_null(disk_warning(d));
    memset(buf, 0xff, sizeof(buf));
    ck_assert_int_eq(disk_read(d, 1024, buf, 512), 0); /* the file ends inside */
    ck_assert_int_eq(buf[511], 0);
    ck_assert_int_eq(disk_read(d, 1536, buf, 0), 0);
    ck_assert_int_eq(disk_read(d, 1536, buf, 1), -EINVAL);
    ck_assert_int_eq(disk_read(d, 1000, buf, 537), -EINVAL);
    ck_assert_int_eq(disk_write(d, UINT64_MAX, buf, 2), -EINVAL);
    ck_assert_int_eq(disk_discard(d, 1, UINT64_MAX), -EINVAL);
    ck_assert_int_eq(disk_write(d, 1535, "x", 1), 0);
    ck_assert_int_eq(disk_read(d, 0, buf, 5), 0);
    ck_assert_mem_eq(buf, "hello", 5);
    ck_assert_int_eq(disk_close(d), 0);
    ck_assert_uint_eq(size_of_file("a.img"), 1536);
}
END_TEST

START_TEST(refusals)
{
    char long_name[600];

    make_file("a.img", "", 0, 4096);
    refuse_disk(&(struct disk_options){.file = "none.img"}, "No such file");
    refuse_disk(&(struct disk_options){.file = "a.img", .format = "rar"},
                "no such image format: rar");
    refuse_disk(&(struct disk_options){.file = "/", .readonly = true}, "neither a regular file");
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    refuse_disk(&(struct disk_options){.file = "fifo", .readonly = true}, "neither a regular file");
    refuse_disk(&(struct disk_options){.file = "/dev/null"}, "neither a regular file");
    memset(long_name, 'n', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    refuse_disk(&(struct disk_options){.file = long_name}, "name too long");
    make_file("x.img", "vhdxfile", 8, 4096);
    refuse_disk(&(struct disk_options){.file = "x.img"}, "vhdx");
    struct disk *d = open_disk(&(struct disk_options){.file = "x.img", .format = "raw"});
    disk_close(d);
}
END_TEST

START_TEST(readonly)
{
    struct disk_options o = {.file = "a.img", .readonly = true};

    make_file("a.img", "hello", 5, 1024);
    struct disk *d = open_disk(&o);
    ck_assert(disk_is_readonly(d));
    ck_assert_ptr_null(disk_warning(d));
    ck_assert_int_eq(disk_write(d, 0, "x", 1), -EACCES);
    ck_assert_int_eq(disk_discard(d, 0, 512), -EACCES);
    ck_assert_int_eq(disk_flush(d), 0);
    disk_close(d);
}
END_TEST

/* A guessed raw image stays one. */
START_TEST(guard)
{
    struct disk_options o = {.file = "a.img"};
    uint8_t sector[512] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3}, buf[512];

    make_file("a.img", "", 0, 8192);
    struct disk *d = open_disk(&o);
    ck_assert_ptr_nonnull(disk_warning(d));
    ck_assert_ptr_nonnull(strstr(disk_warning(d), "a.img"));
    ck_assert_int_eq(disk_write(d, 0, sector, 512), -EPERM);
    ck_assert_int_eq(disk_write(d, 0, sector, 3), 0);
    ck_assert_int_eq(disk_write(d, 3, sector + 3, 1), -EPERM); /* nor in two pieces */
    ck_assert_int_eq(disk_write(d, 0, "KDMV", 4), -EPERM);
    ck_assert_int_eq(disk_write(d, 64, "\x7f\x10\xda\xbe", 4), -EPERM);
    ck_assert_int_eq(disk_write(d, 0, "conectix", 8), -EPERM);
    ck_assert_int_eq(disk_write(d, 0, "# some\nversion=1\n", 17), -EPERM);
    ck_assert_int_eq(disk_write(d, 512, sector, 512), 0); /* elsewhere it means nothing */
    ck_assert_int_eq(disk_write(d, 0, "\xeb\x3c\x90", 3), 0);
    ck_assert_int_eq(disk_read(d, 0, buf, 512), 0);
    ck_assert_mem_eq(buf, "\xeb\x3c\x90", 3);
    disk_close(d);

    o.format = "raw"; /* said so: anything goes */
    d = open_disk(&o);
    ck_assert_ptr_null(disk_warning(d));
    ck_assert_int_eq(disk_write(d, 0, sector, 512), 0);
    disk_close(d);
}
END_TEST

START_TEST(locks)
{
    struct disk_options w = {.file = "a.img", .format = "raw"}, r = w, s = w;

    r.readonly = true;
    s.snapshot = true;
    make_file("a.img", "", 0, 4096);
    struct disk *writer = open_disk(&w);
    refuse_disk(&w, "in use");
    refuse_disk(&r, "in use");
    refuse_disk(&s, "in use");
    disk_close(writer);
    struct disk *reader = open_disk(&r), *second = open_disk(&r), *third = open_disk(&s);
    refuse_disk(&w, "in use");
    disk_close(reader);
    disk_close(second);
    refuse_disk(&w, "in use");
    disk_close(third);
    writer = open_disk(&w);
    disk_close(writer);
}
END_TEST

/* The bytes that are locked are the ones that other programs look at. */
START_TEST(lock_bytes)
{
    static const unsigned locked[] = {100, 101, 103, 201, 203};
    struct disk_options w = {.file = "a.img", .format = "raw"};

    make_file("a.img", "", 0, 4096);
    struct disk *d = open_disk(&w);
    int fd = open("a.img", O_RDWR);
    for (unsigned byte = 0, next = 0; byte < 300; byte++) {
        struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
        ck_assert_int_eq(fcntl(fd, F_OFD_GETLK, &l), 0);
        bool expected = next < 5 && byte == locked[next];
        ck_assert_msg((l.l_type != F_UNLCK) == expected, "byte %u", byte);
        next += expected;
    }
    close(fd);
    disk_close(d);
}
END_TEST

START_TEST(discard_makes_holes)
{
    struct disk_options o = {.file = "a.img", .format = "raw"};
    struct stat before, after;

    random_file("a.img", SIZE);
    struct disk *d = open_disk(&o);
    ck_assert_int_eq(stat("a.img", &before), 0);
    ck_assert_int_eq(disk_discard(d, 1 << 20, 1 << 20), 0);
    disk_close(d);
    ck_assert_int_eq(stat("a.img", &after), 0);
    ck_assert_uint_eq(after.st_size, SIZE);
    ck_assert_int_le(after.st_blocks, before.st_blocks);
}
END_TEST

/* Every cache mode, against an array; sizes that are no multiple of O_DIRECT's units. */
START_TEST(model)
{
    struct disk_options o = {.file = "a.img", .format = "raw", .cache = (enum disk_cache)_i};
    struct disk_model m = {0};

    random_file("a.img", 1000 * 512 - 100);
    struct disk *d = disk_open(&o, disk_err);
    if (d == NULL) { /* not every file system has it */
        ck_assert_msg(strstr(disk_err, "O_DIRECT") != NULL, "%s", disk_err);
        return;
    }
    model_start(&m, d, (uint64_t)_i);
    for (unsigned i = 0; i < 400; i++)
        model_step(&m);
    model_check_all(&m);
    ck_assert_int_eq(disk_close(d), 0);
    ck_assert_uint_le(size_of_file("a.img"), 1000 * 512);
    ck_assert_uint_ge(size_of_file("a.img"), 1000 * 512 - 100);
    d = open_disk(&o);
    model_start(&m, d, 0);
    disk_close(d);
    model_free(&m);
}
END_TEST

/* snapshot=on: a disk like any other, and the image stays as it was. */
START_TEST(snapshot)
{
    struct disk_options o = {.file = "a.img", .format = "raw", .snapshot = true};
    struct disk_options r = {.file = "a.img", .format = "raw", .readonly = true};
    struct disk_model m = {0}, unchanged = {0};

    random_file("a.img", 1000 * 512);
    struct disk *image = open_disk(&r);
    model_start(&unchanged, image, 0);
    struct disk *d = open_disk(&o);
    ck_assert(!disk_is_readonly(d));
    ck_assert_str_eq(disk_format_name(d), "raw");
    model_start(&m, d, 5);
    for (unsigned i = 0; i < 2000; i++)
        model_step(&m);
    model_check_all(&m);
    model_check_all(&unchanged);
    ck_assert_int_eq(disk_close(d), 0);
    d = open_disk(&o);
    model_start(&unchanged, d, 0); /* nothing was kept */
    disk_close(d);
    disk_close(image);
    model_free(&m);
    model_free(&unchanged);
}
END_TEST

/* A large disk costs nothing. */
START_TEST(snapshot_of_a_large_disk)
{
    struct disk_options o = {.file = "a.img", .format = "raw", .snapshot = true};
    uint64_t far = (UINT64_C(1) << 40) - 700;
    char buf[5] = "";

    make_file("a.img", "", 0, UINT64_C(1) << 40);
    struct disk *d = open_disk(&o);
    ck_assert_int_eq(disk_write(d, far, "there", 5), 0);
    ck_assert_int_eq(disk_read(d, far, buf, 5), 0);
    ck_assert_mem_eq(buf, "there", 5);
    disk_close(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("disk_raw");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, enter_folder, leave_folder);
    tcase_add_test(tc, ranges);
    tcase_add_test(tc, refusals);
    tcase_add_test(tc, readonly);
    tcase_add_test(tc, guard);
    tcase_add_test(tc, locks);
    tcase_add_test(tc, lock_bytes);
    tcase_add_test(tc, discard_makes_holes);
    tcase_add_loop_test(tc, model, DISK_CACHE_WRITEBACK, DISK_CACHE_UNSAFE + 1);
    tcase_add_test(tc, snapshot);
    tcase_add_test(tc, snapshot_of_a_large_disk);
    suite_add_tcase(s, tc);

    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
