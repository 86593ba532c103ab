/* SPDX-License-Identifier: MIT */
/* The firmware's ROM: where it is seen, that it stays as it is, which files are refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/i440fx.h"
#include "devices/pc.h"
#include "devices/pci.h"
#include "tests/unit/fake_cpu.h"

#define KIB UINT64_C(1024)
#define END (UINT64_C(1) << 32)

static char path[] = "/tmp/firmware-XXXXXX";
static struct vm *vm;

/* A file whose 4-byte words are their own distance from the end. */
static void make_file(uint64_t size)
{
    strcpy(strrchr(path, '-'), "-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *f = fdopen(fd, "wb");
    for (uint64_t left = size; left >= 4; left -= 4)
        fwrite(&left, 4, 1, f);
    for (uint64_t k = 0; k < size % 4; k++)
        fputc(0, f);
    ck_assert_int_eq(ferror(f) | fclose(f), 0);
}

static int create(char *err)
{
    const struct vm_config cfg = {.ram_bytes = 16 << 20, .cpus = 1, .bios = path};
    return vm_create(&vm, &cfg, &pc_board, err);
}

static uint64_t read_at(uint64_t pa)
{
    return phys_read(fake_cpu_of(vm), pa, 4);
}

static void write_at(uint64_t pa, uint64_t val)
{
    phys_write(fake_cpu_of(vm), pa, 4, val);
}

static const struct {
    uint64_t size, low;
} good[] = {{64 * KIB, 64 * KIB},
            {128 * KIB, 128 * KIB},
            {192 * KIB, 128 * KIB},
            {256 * KIB, 128 * KIB},
            {16384 * KIB, 128 * KIB}};

START_TEST(ends_at_4_gib_and_below_1_mib)
{
    uint64_t size = good[_i].size, low = good[_i].low;
    char err[VM_ERR_LEN];
    make_file(size);
    ck_assert_int_eq(create(err), 0);
    ck_assert_uint_eq(read_at(END - size), size);
    ck_assert_uint_eq(read_at(END - 4), 4);
    ck_assert_uint_ne(read_at(END - size - 4), size + 4);
    ck_assert_uint_eq(read_at(0x100000 - low), low);
    ck_assert_uint_eq(read_at(0xffffc), 4);
    ck_assert_uint_eq(read_at(0xffffc - low), 0xffffffff);
    write_at(END - 16, 0);
    write_at(0xffff0, 0);
    ck_assert_uint_eq(read_at(END - 16), 16);
    ck_assert_uint_eq(read_at(0xffff0), 16);
    vm_destroy(vm);
    unlink(path);
}
END_TEST

static void set_pam0(unsigned val)
{
    vm_lock(vm);
    pci_config_write(vm, I440FX_DEVFN, I440FX_PAM, 1, val);
    vm_unlock(vm);
}

START_TEST(shadow_ram_hides_the_low_copy)
{
    char err[VM_ERR_LEN];
    make_file(64 * KIB);
    ck_assert_int_eq(create(err), 0);
    set_pam0(0x20); /* reads from ROM, writes to RAM */
    ck_assert_uint_eq(read_at(0xf0000), 64 * KIB);
    write_at(0xf0000, 0x12345678);
    ck_assert_uint_eq(read_at(0xf0000), 64 * KIB);
    set_pam0(0x30);
    ck_assert_uint_eq(read_at(0xf0000), 0x12345678);
    vm_lock(vm);
    device_find(vm, &i440fx_class, 0)->cls->reset(device_find(vm, &i440fx_class, 0));
    vm_unlock(vm);
    ck_assert_uint_eq(read_at(0xf0000), 64 * KIB);
    vm_destroy(vm);
    unlink(path);
}
END_TEST

static const struct {
    uint64_t size;
    const char *why;
} bad[] = {{0, "empty"},
           {65535, "64 KiB"},
           {65536 + 4, "64 KiB"},
           {32768, "64 KiB"},
           {16384 * KIB + 65536, "16 MiB"}};

START_TEST(refuses_wrong_sizes)
{
    char err[VM_ERR_LEN] = "";
    make_file(bad[_i].size);
    ck_assert_int_ne(create(err), 0);
    ck_assert_msg(strstr(err, bad[_i].why) != NULL && strstr(err, path) != NULL, "%s", err);
    unlink(path);
}
END_TEST

START_TEST(refuses_missing_files)
{
    char err[VM_ERR_LEN] = "";
    make_file(65536);
    unlink(path);
    ck_assert_int_ne(create(err), 0);
    ck_assert_msg(strstr(err, path) != NULL, "%s", err);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("firmware");
    TCase *t = tcase_create("firmware");
    tcase_add_loop_test(t, ends_at_4_gib_and_below_1_mib, 0, sizeof(good) / sizeof(good[0]));
    tcase_add_test(t, shadow_ram_hides_the_low_copy);
    tcase_add_loop_test(t, refuses_wrong_sizes, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(t, refuses_missing_files);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
