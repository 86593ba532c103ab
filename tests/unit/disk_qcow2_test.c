/* SPDX-License-Identifier: MIT */
/* qcow2 images: against an array in all shapes, with backing files, damaged and after a kill. What
 * other programs say of the images is in disk_qemu_test.c. */
#include <errno.h>

#include "tests/unit/disk_images.h"
#include "tests/unit/disk_writer.h"

#define MIB UINT64_C(1048576)

static const struct qcow2_spec shapes[] = {
    {3, 16, 4, 5 * MIB, NULL, NULL},       {2, 16, 4, 5 * MIB, NULL, NULL},
    {3, 9, 4, 9 * MIB, NULL, NULL},        {3, 9, 6, 3 * MIB + 512, NULL, NULL},
    {3, 9, 0, 2 * MIB, NULL, NULL},        {3, 12, 1, 2 * MIB, NULL, NULL},
    {2, 12, 4, 3 * MIB + 512, NULL, NULL}, {3, 21, 3, 9 * MIB, NULL, NULL},
    {3, 10, 5, 2 * MIB, NULL, NULL},       {3, 11, 2, 2 * MIB, NULL, NULL},
};

static const struct disk_options writable = {.file = "a.qcow2", .cache = DISK_CACHE_UNSAFE};

static void random_raw(const char *name, uint64_t size)
{
    uint8_t *bytes = malloc(size);

    for (uint64_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 3 + (i >> 9) * 11 + 5);
    make_file(name, bytes, size, size);
    free(bytes);
}

static void run_model(struct disk_model *m, unsigned seed, unsigned steps)
{
    for (unsigned round = 0; round < 3; round++) {
        struct disk *d = open_disk(&writable);
        model_start(m, d, seed * 10 + round);
        for (unsigned i = 0; i < steps; i++)
            model_step(m);
        model_check_all(m);
        ck_assert_int_eq(disk_close(d), 0);
    }
}

START_TEST(model)
{
    struct disk_model m = {0};

    make_qcow2("a.qcow2", &shapes[_i]);
    run_model(&m, (unsigned)_i, 300);
    model_free(&m);
}
END_TEST

/* A backing file that is shorter, and one that has a backing file itself. */
START_TEST(backing)
{
    struct qcow2_spec middle = shapes[_i], top = shapes[_i];
    struct disk_model m = {0}, base = {0};

    random_raw("base.raw", MIB + 512);
    middle.backing = "base.raw";
    middle.backing_format = "raw";
    middle.size = top.size / 2;
    top.backing = "b.qcow2";
    top.backing_format = "qcow2";
    make_qcow2("b.qcow2", &middle);
    make_qcow2("a.qcow2", &top);
    struct disk *d = open_disk(&(struct disk_options){.file = "b.qcow2"});
    model_start(&base, d, 77);
    for (unsigned i = 0; i < 30; i++)
        model_step(&base);
    disk_close(d);

    run_model(&m, (unsigned)_i, 300);
    d = open_disk(&(struct disk_options){.file = "b.qcow2", .readonly = true});
    model_start(&base, d, 0); /* still what it was */
    disk_close(d);
    model_free(&m);
    model_free(&base);
}
END_TEST

START_TEST(temporary)
{
    struct disk_options o = {.file = "a.qcow2", .snapshot = true};
    struct disk_model m = {0}, image = {0};

    make_qcow2("a.qcow2", &shapes[0]);
    run_model(&image, 1, 50);
    struct disk *d = open_disk(&o);
    ck_assert_str_eq(disk_format_name(d), "qcow2");
    model_start(&m, d, 3);
    for (unsigned i = 0; i < 300; i++)
        model_step(&m);
    model_check_all(&m);
    disk_close(d);
    d = open_disk(&o);
    model_start(&image, d, 0);
    disk_close(d);
    model_free(&m);
    model_free(&image);
}
END_TEST

/* -- What backing files may be ----------------------------------------------------------------- */

static void refuse_backing(const char *name, const char *format, const char *reason)
{
    struct qcow2_spec s = shapes[0];
    struct disk_options o = {.file = "sub/a.qcow2", .readonly = true};

    s.backing = name;
    s.backing_format = format;
    make_qcow2("sub/a.qcow2", &s);
    ck_assert_ptr_null(disk_open(&o, disk_err));
    ck_assert_msg(strstr(disk_err, reason) != NULL, "'%s' lacks '%s'", disk_err, reason);
}

START_TEST(backing_names)
{
    ck_assert_int_eq(mkdir("sub", 0700), 0);
    random_raw("outside.raw", 4096);
    random_raw("sub/inside.raw", 4096);
    ck_assert_int_eq(symlink("../outside.raw", "sub/link.raw"), 0);
    refuse_backing("none.raw", "raw", "No such file");
    refuse_backing("../outside.raw", "raw", "outside its folder");
    refuse_backing("/etc/passwd", "raw", "outside its folder");
    refuse_backing("link.raw", "raw", "outside its folder");
    refuse_backing("json:{}", "raw", "is no file");
    refuse_backing("nbd://localhost", "raw", "is no file");
    refuse_backing("a.qcow2", "qcow2", "its own backing file");
    refuse_backing("inside.raw", "rar", "no such image format");

    struct qcow2_spec s = shapes[0];
    s.backing = "../outside.raw";
    s.backing_format = "raw";
    make_qcow2("sub/a.qcow2", &s);
    struct disk_options o = {.file = "sub/a.qcow2", .follow_backing = true};
    struct disk *d = open_disk(&o);
    disk_close(d);
    o.follow_backing = false;
    s.backing = "inside.raw";
    make_qcow2("sub/a.qcow2", &s);
    d = open_disk(&o);
    disk_close(d);
}
END_TEST

START_TEST(long_chain)
{
    struct qcow2_spec s = {3, 9, 4, 4096, NULL, "qcow2"};
    char name[32], below[32];

    for (unsigned i = 0; i < 70; i++) {
        snprintf(name, sizeof(name), "%u.qcow2", i);
        snprintf(below, sizeof(below), "%u.qcow2", i - 1);
        s.backing = i > 0 ? below : NULL;
        make_qcow2(name, &s);
    }
    struct disk *d = open_disk(&(struct disk_options){.file = "60.qcow2"});
    disk_close(d);
    ck_assert_ptr_null(disk_open(&(struct disk_options){.file = "69.qcow2"}, disk_err));
    ck_assert_ptr_nonnull(strstr(disk_err, "more than 64 images"));
}
END_TEST

/* -- Damaged headers --------------------------------------------------------------------------- */

static const struct damage {
    unsigned off, bytes;
    uint64_t value;
    const char *reason;
} damages[] = {
    {4, 4, 4, "version 4"},
    {20, 4, 8, "cluster size"},
    {20, 4, 22, "cluster size"},
    {24, 8, UINT64_MAX, "size is out of range"},
    {24, 8, UINT64_C(1) << 40, "L1 table is too small"},
    {32, 4, 1, "encrypted"},
    {32, 4, 2, "encrypted"},
    {36, 4, 0xffffffff, "L1 table is too large"},
    {40, 8, 0, "L1 table is outside"},
    {40, 8, 4097, "L1 table is outside"},
    {40, 8, UINT64_C(1) << 62, "L1 table is outside"},
    {40, 8, 65536, "overlap"},
    {48, 8, 0, "refcount table is outside"},
    {48, 8, 77, "refcount table is outside"},
    {56, 4, 0, "refcount table's size"},
    {56, 4, 0xffffffff, "refcount table's size"},
    {60, 4, 0xffffffff, "too many snapshots"},
    {60, 4, 5, "table of snapshots is outside"},
    {8, 8, UINT64_MAX, "backing file's name"},
    {8, 8, 50, "backing file's name"},
    {72, 8, 4, "external data file"},
    {72, 8, 16, "extended L2"},
    {72, 8, UINT64_C(1) << 40, "unknown feature: bit 40"},
    {72, 8, 8, "compression type is contradictory"},
    {72, 8, 2, "marked as corrupt"},
    {96, 4, 7, "refcount width"},
    {100, 4, 90, "header length"},
    {100, 4, 0x7ffffff8, "header length"},
    {108, 4, 0xfffffff0, "header extension"}, /* its type before it is 0: see below */
};

START_TEST(damaged_header)
{
    const struct damage *x = &damages[_i];

    make_qcow2("a.qcow2", &shapes[0]);
    patch_file("a.qcow2", x->off, x->bytes, x->value);
    if (x->off == 8)
        patch_file("a.qcow2", 16, 4, 10);
    if (x->off == 60 && x->value == 5)
        patch_file("a.qcow2", 64, 8, 1000);
    if (x->off == 108)
        patch_file("a.qcow2", 104, 4, 0x12345678);
    refuse_disk(&writable, x->reason);
}
END_TEST

/* The image itself says what a feature is called. */
START_TEST(feature_name)
{
    make_qcow2("a.qcow2", &shapes[0]);
    patch_file("a.qcow2", 72, 8, UINT64_C(1) << 40);
    patch_file("a.qcow2", 104, 4, 0x6803f857);
    patch_file("a.qcow2", 108, 4, 48);
    patch_file("a.qcow2", 112, 2, 40);
    patch_file("a.qcow2", 114, 7, 0x74696d65626f78); /* "timebox" */
    refuse_disk(&writable, "unknown feature: timebox");
}
END_TEST

/* Writes through a table that leads to the header, or to nowhere, fail and are remembered. */
START_TEST(damaged_tables)
{
    static const uint64_t entries[] = {
        UINT64_C(1) << 63,              /* the header */
        (UINT64_C(1) << 63) | 0x10000,  /* the refcount table */
        (UINT64_C(1) << 63) | 0x30000,  /* the L1 table */
        (UINT64_C(1) << 63) | 0x40200,  /* unaligned */
        (UINT64_C(1) << 63) | 0x990000, /* behind the end */
        UINT64_C(1) << 60,              /* reserved */
        UINT64_C(1) << 62,              /* compressed, in the header */
        ~UINT64_C(0),
    };
    char byte = 0;

    make_qcow2("a.qcow2", &shapes[0]);
    struct disk *d = open_disk(&writable);
    ck_assert_int_eq(disk_write(d, 0, "x", 1), 0);
    disk_close(d);
    uint64_t l2 = peek_file("a.qcow2", 0x30000, 8) & ~(UINT64_C(1) << 63);
    patch_file("a.qcow2", l2, 8, entries[_i]);
    d = open_disk(&writable);
    int err = disk_write(d, 0, "y", 1);
    ck_assert_int_eq(err, -EIO);
    if (_i != 1 && _i != 2)
        ck_assert_int_eq(disk_read(d, 0, &byte, 1), -EIO);
    disk_close(d);
    ck_assert_uint_eq(peek_file("a.qcow2", 0, 8), UINT64_C(0x514649fb00000003));
    ck_assert_uint_eq(peek_file("a.qcow2", 0x10000, 8), 0x20000);
}
END_TEST

/* A shared L2 table is copied, and its new cluster is the first that takes a larger refcount table:
 * all clusters that the old one can count are used. */
START_TEST(copied_while_growing)
{
    static const struct qcow2_spec s = {3, 9, 6, MIB, NULL, NULL};
    uint8_t data[3 * 512], buf[sizeof(data)];

    make_qcow2("a.qcow2", &s);
    memset(data, 'd', sizeof(data));
    struct disk *d = open_disk(&writable);
    ck_assert_int_eq(disk_write(d, 0, data, sizeof(data)), 0);
    disk_close(d);
    uint64_t end = align_up(size_of_file("a.qcow2"), 512);
    uint64_t l2 = peek_file("a.qcow2", 3 * 512, 8) & ~(UINT64_C(1) << 63);
    for (unsigned i = 0; i < 64; i++) {
        patch_file("a.qcow2", 2 * 512 + i * 8, 8, i == l2 / 512 ? 2 : 1);
        patch_file("a.qcow2", end + i * 8, 8, 1);
        if (i > 0)
            patch_file("a.qcow2", 512 + i * 8, 8, end);
    }
    patch_file("a.qcow2", 3 * 512, 8, l2);

    d = open_disk(&writable);
    memset(data + 512, 'e', 512);
    ck_assert_int_eq(disk_write(d, 512, data + 512, 512), 0);
    ck_assert_uint_ne(peek_file("a.qcow2", 48, 8), 512); /* the refcount table has moved */
    ck_assert_int_eq(disk_close(d), 0);
    d = open_disk(&writable);
    ck_assert_int_eq(disk_read(d, 0, buf, sizeof(buf)), 0);
    ck_assert_mem_eq(buf, data, sizeof(data));
    disk_close(d);
}
END_TEST

/* -- Kills ------------------------------------------------------------------------------------- */

START_TEST(killed)
{
    static const struct qcow2_spec kill_shapes[] = {{3, 9, 4, SECTORS * 512, NULL, NULL},
                                                    {3, 16, 4, SECTORS * 512, NULL, NULL},
                                                    {2, 10, 4, SECTORS * 512, NULL, NULL}};
    struct history *h = new_history();

    make_qcow2("a.qcow2", &kill_shapes[_i]);
    for (unsigned round = 0; round < 8; round++) {
        kill_writer(h, round + 1, 5000 + round * 7919);
        check_history(h);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("disk_qcow2");
    TCase *tc = tcase_create("all");
    int n = sizeof(shapes) / sizeof(shapes[0]);

    tcase_add_checked_fixture(tc, enter_folder, leave_folder);
    tcase_add_loop_test(tc, model, 0, n);
    tcase_add_loop_test(tc, backing, 0, n);
    tcase_add_test(tc, temporary);
    tcase_add_test(tc, backing_names);
    tcase_add_test(tc, long_chain);
    tcase_add_loop_test(tc, damaged_header, 0, sizeof(damages) / sizeof(damages[0]));
    tcase_add_test(tc, feature_name);
    tcase_add_loop_test(tc, damaged_tables, 0, 8);
    tcase_add_test(tc, copied_while_growing);
    tcase_add_loop_test(tc, killed, 0, 3);
    suite_add_tcase(s, tc);

    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
