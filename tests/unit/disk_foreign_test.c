/* SPDX-License-Identifier: MIT */
/* vmdk, vpc and vdi images: made by qemu-img where it is installed, made by hand otherwise, and
 * damaged ones. */
#include <errno.h>

#include "tests/unit/disk_images.h"
#include "tests/unit/disk_templates.h"

#define SIZE UINT64_C(3145728)

static void make_source(void)
{
    uint8_t *bytes = calloc(1, SIZE);
    uint32_t x = 99;

    for (uint64_t i = 0; i < SIZE / 2; i++)
        bytes[i] = (uint8_t)(i / 4096 % 2 == 0 ? (x = x * 69069 + 1) >> 24 : i >> 13);
    memcpy(bytes + SIZE - 5000, bytes, 5000);
    make_file("source.raw", bytes, SIZE, SIZE);
    free(bytes);
}

/* Random reads; `rest`: what the format adds at the end are zeros. */
static void same_as_source(const struct disk_options *o, bool rest)
{
    struct disk_model m = {0};
    uint8_t *tail;

    struct disk *d = open_disk(&(struct disk_options){.file = "source.raw", .format = "raw"});
    model_start(&m, d, 1);
    disk_close(d);
    d = open_disk(o);
    ck_assert_uint_ge(disk_size(d), SIZE);
    ck_assert(rest || disk_size(d) == SIZE);
    m.d = d;
    model_check_all(&m);
    for (unsigned i = 0; i < 300; i++) {
        uint64_t off = model_random(&m) % SIZE, n = 1 + model_random(&m) % 100000;
        n = n < SIZE - off ? n : SIZE - off;
        ck_assert_int_eq(disk_read(d, off, m.buf, n), 0);
        ck_assert_mem_eq(m.buf, m.bytes + off, n);
    }
    tail = malloc(disk_size(d) - SIZE + 1);
    ck_assert_int_eq(disk_read(d, SIZE, tail, disk_size(d) - SIZE), 0);
    for (uint64_t i = 0; i < disk_size(d) - SIZE; i++)
        ck_assert_int_eq(tail[i], 0);
    free(tail);
    disk_close(d);
    model_free(&m);
}

static const struct conversion {
    const char *options, *format;
    bool probe; /* recognised without being told */
} conversions[] = {
    {"-O vdi", "vdi", true},
    {"-O vdi -o static=on", "vdi", true},
    {"-O vpc -o force_size=on", "vpc", true},
    {"-O vpc", "vpc", true},
    {"-O vpc -o subformat=fixed,force_size=on", "vpc", false},
    {"-O vmdk", "vmdk", true},
    {"-O vmdk -o subformat=monolithicSparse,zeroed_grain=on", "vmdk", true},
    {"-O vmdk -o subformat=streamOptimized", "vmdk", true},
    {"-O vmdk -o subformat=monolithicFlat", "vmdk", true},
    {"-O vmdk -o subformat=twoGbMaxExtentSparse", "vmdk", true},
    {"-O vmdk -o subformat=twoGbMaxExtentFlat", "vmdk", true},
};

START_TEST(converted)
{
    const struct conversion *c = &conversions[_i];
    struct disk_options o = {.file = "a.img", .format = c->format, .readonly = true};
    char command[200];

    make_source();
    snprintf(command, sizeof(command), "qemu-img convert %s source.raw a.img > said 2>&1",
             c->options);
    if (system("qemu-img --version > /dev/null 2>&1") != 0)
        return;
    ck_assert_int_eq(system(command), 0);
    same_as_source(&o, strcmp(c->options, "-O vpc") == 0);
    if (c->probe) {
        o.format = NULL;
        same_as_source(&o, strcmp(c->options, "-O vpc") == 0);
        o.readonly = false;
        refuse_disk(&o, "can only be read");
        o.snapshot = true;
        struct disk *d = open_disk(&o);
        ck_assert_int_eq(disk_write(d, 5, "x", 1), 0);
        disk_close(d);
    }
}
END_TEST

/* -- By hand ----------------------------------------------------------------------------------- */

static const struct damage {
    unsigned off;
    uint32_t value;
    const char *reason;
} vdi_damages[] = {
    {0x44, 7, "version"},
    {0x4c, 4, "parent"},
    {0x154, 6000, "outside the file"},
    {0x168, 4096, "layout"},
    {0x178, 100, "block size"},
    {0x180, 2, "size is out of range"},
    {0x174, ~0u, "size is out of range"},
    {0x180, ~0u, "too large"},
    {0x1a8, 1, "parent"},
};

START_TEST(vdi)
{
    struct disk_options o = {.file = "a.vdi", .readonly = true};
    uint8_t h[5120] = {0}, buf[12288];

    make_vdi(h);
    make_file("a.vdi", h, sizeof(h), sizeof(h));
    struct disk *d = open_disk(&o);
    ck_assert_str_eq(disk_format_name(d), "vdi");
    ck_assert_uint_eq(disk_size(d), 12288);
    ck_assert_int_eq(disk_read(d, 0, buf, sizeof(buf)), 0);
    ck_assert(buf[0] == 0 && buf[4095] == 0 && buf[4096] == 'v' && buf[8191] == 'v');
    ck_assert(buf[8192] == 0 && buf[12287] == 0);
    disk_close(d);
    for (unsigned i = 0; i < sizeof(vdi_damages) / sizeof(vdi_damages[0]); i++) {
        uint8_t damaged[sizeof(h)];
        memcpy(damaged, h, sizeof(h));
        store_le(damaged + vdi_damages[i].off, 4, vdi_damages[i].value);
        make_file("a.vdi", damaged, sizeof(h), sizeof(h));
        refuse_disk(&o, vdi_damages[i].reason);
    }
    store_le(h + 516, 4, 5); /* a block behind the end of the file */
    make_file("a.vdi", h, sizeof(h), sizeof(h));
    d = open_disk(&o);
    ck_assert_int_eq(disk_read(d, 4096, buf, 1), -EIO);
    ck_assert_int_eq(disk_read(d, 0, buf, 4096), 0);
    disk_close(d);
}
END_TEST

static void refuse_text(const char *text, const char *reason)
{
    make_file("a.vmdk", text, strlen(text), strlen(text) < 512 ? 512 : strlen(text));
    refuse_disk(&(struct disk_options){.file = "a.vmdk", .readonly = true}, reason);
}

START_TEST(vmdk_description)
{
    static const char text[] = "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
                               "RW 2 FLAT \"one.img\" 1\nRW 3 ZERO\nRDONLY 1 FLAT \"two.img\" 0\n";
    uint8_t one[1536], buf[3072];

    memset(one, '1', sizeof(one));
    make_file("one.img", one, sizeof(one), sizeof(one));
    make_file("two.img", "22", 2, 512);
    make_file("a.vmdk", text, strlen(text), strlen(text));
    struct disk *d = open_disk(&(struct disk_options){.file = "a.vmdk", .readonly = true});
    ck_assert_uint_eq(disk_size(d), 3072);
    ck_assert_int_eq(disk_read(d, 0, buf, sizeof(buf)), 0);
    ck_assert(buf[0] == '1' && buf[1023] == '1' && buf[1024] == 0 && buf[2559] == 0);
    ck_assert(buf[2560] == '2' && buf[2562] == 0);
    disk_close(d);

    refuse_text("version=1\nRW 2 FLAT \"../a\" 0\n", "names ../a");
    refuse_text("version=1\nRW 2 FLAT \"/etc/passwd\" 0\n", "outside its folder");
    refuse_text("version=1\nparentCID=12345678\nRW 2 FLAT \"one.img\" 0\n", "parent");
    refuse_text("version=1\nRW 4 FLAT \"one.img\" 0\n", "is shorter");
    refuse_text("version=1\nRW 1 FLAT \"one.img\" 9999999999999999999\n", "is shorter");
    refuse_text("version=1\nRW 9999999999999999999 ZERO\n", "too large extents");
    refuse_text("version=1\nRW 2 VMFSSPARSE \"one.img\"\n", "VMFSSPARSE");
    refuse_text("version=1\nRW 2 SPARSE \"one.img\"\n", "no sparse vmdk");
    refuse_text("version=1\nRW 2 FLAT\n", "no file name");
    refuse_text("version=1\n", "names no extents");
}
END_TEST

static const struct damage sparse_damages[] = {
    {4, 9, "version"},
    {16, ~0u, "size is out of range"},
    {20, 3, "grain size"},
    {20, 65536, "grain size"},
    {44, 0, "grain tables"},
    {44, 1024, "grain tables"},
    {56, 0, "directory is outside"},
    {56, 77, "directory is outside"},
    {73, 0x0a0a0a0a, "text"},
    {16, 0x100, "directory is too large"},
};

START_TEST(vmdk_sparse)
{
    struct disk_options o = {.file = "a.vmdk", .readonly = true};
    uint8_t h[2560] = {0}, buf[3584];

    make_sparse(h);
    make_file("a.vmdk", h, sizeof(h), sizeof(h));
    struct disk *d = open_disk(&o);
    ck_assert_uint_eq(disk_size(d), 3584);
    ck_assert_int_eq(disk_read(d, 0, buf, sizeof(buf)), 0);
    ck_assert(buf[0] == 0 && buf[3071] == 0 && buf[3072] == 's' && buf[3583] == 's');
    disk_close(d);
    for (unsigned i = 0; i < sizeof(sparse_damages) / sizeof(sparse_damages[0]); i++) {
        uint8_t damaged[sizeof(h)];
        memcpy(damaged, h, sizeof(h));
        store_le(damaged + sparse_damages[i].off, 4, sparse_damages[i].value);
        make_file("a.vmdk", damaged, sizeof(h), sizeof(h));
        refuse_disk(&o, sparse_damages[i].reason);
    }
    store_le(h + 1024 + 4, 4, 3000); /* a grain behind the end of the file */
    make_file("a.vmdk", h, sizeof(h), sizeof(h));
    d = open_disk(&o);
    ck_assert_int_eq(disk_read(d, 3072, buf, 1), -EIO);
    disk_close(d);
}
END_TEST

static const struct damage vpc_damages[] = {
    {48, 0x80000000, "size is out of range"},
    {60, 4, "differencing"},
    {16, 0x7fffffff, "dynamic header is missing"},
    {512 + 16, 1, "outside the file"},
    {512 + 28, 1, "size is out of range"},
    {512 + 28, 0x7fffffff, "too large"},
    {512 + 32, 1000, "block size"},
    {512 + 32, 0, "block size"},
};

START_TEST(vpc)
{
    struct disk_options o = {.file = "a.vhd", .readonly = true};
    uint8_t h[4096] = {0}, buf[2048];

    make_vpc(h);
    seal_vpc(h);
    make_file("a.vhd", h, sizeof(h), sizeof(h));
    struct disk *d = open_disk(&o);
    ck_assert_str_eq(disk_format_name(d), "vpc");
    ck_assert_int_eq(disk_read(d, 0, buf, sizeof(buf)), 0);
    ck_assert(buf[0] == 0 && buf[1023] == 0 && buf[1024] == 'c' && buf[2047] == 'c');
    disk_close(d);
    patch_file("a.vhd", 512 + 33, 1, 1);
    refuse_disk(&o, "checksum");
    make_file("a.vhd", h, sizeof(h), sizeof(h));
    patch_file("a.vhd", 3584 + 30, 1, 1);
    refuse_disk(&o, "checksum");
    for (unsigned i = 0; i < sizeof(vpc_damages) / sizeof(vpc_damages[0]); i++) {
        uint8_t damaged[sizeof(h)];
        memcpy(damaged, h, sizeof(h));
        store_be(damaged + vpc_damages[i].off, 4, vpc_damages[i].value);
        seal_vpc(damaged);
        make_file("a.vhd", damaged, sizeof(h), sizeof(h));
        refuse_disk(&o, vpc_damages[i].reason);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("disk_foreign");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, enter_folder, leave_folder);
    tcase_add_loop_test(tc, converted, 0, sizeof(conversions) / sizeof(conversions[0]));
    tcase_add_test(tc, vdi);
    tcase_add_test(tc, vmdk_description);
    tcase_add_test(tc, vmdk_sparse);
    tcase_add_test(tc, vpc);
    suite_add_tcase(s, tc);

    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
