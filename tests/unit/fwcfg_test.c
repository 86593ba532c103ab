/* SPDX-License-Identifier: MIT */
/* fw_cfg: keys by bytes and by command block, the file directory. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/fwcfg.h"
#include "tests/unit/fake_cpu.h"

#define BLOCK 0x1000
#define BUF   0x2000

static struct vm *vm;

static void setup(void)
{
    static const struct board_row rows[] = {{&fwcfg_class, NULL}, {NULL, NULL}};
    static const struct board board = {"fwcfg", rows};

    vm = fake_vm(&board);
}

static void teardown(void)
{
    vm_destroy(vm);
}

static void select_key(uint16_t key)
{
    bus_port_out(vm, 0x510, 2, key);
}

static uint64_t read_int(uint16_t key, unsigned bytes)
{
    uint64_t val = 0;

    select_key(key);
    for (unsigned n = 0; n < bytes; n++)
        val |= (uint64_t)bus_port_in(vm, 0x511, 1) << (8 * n);
    return val;
}

/* Run a command block; returns its control word afterwards. */
static uint32_t command(uint32_t control, uint32_t len, uint64_t pa)
{
    uint32_t words[4] = {__builtin_bswap32(control), __builtin_bswap32(len),
                         __builtin_bswap32((uint32_t)(pa >> 32)), __builtin_bswap32((uint32_t)pa)};

    vm_lock(vm);
    ck_assert(dma_write(vm, BLOCK, words, sizeof(words)));
    vm_unlock(vm);
    bus_port_out(vm, 0x514, 4, 0);
    bus_port_out(vm, 0x518, 4, __builtin_bswap32(BLOCK));
    vm_lock(vm);
    ck_assert(dma_read(vm, BLOCK, words, sizeof(words)));
    vm_unlock(vm);
    return __builtin_bswap32(words[0]);
}

START_TEST(keys)
{
    ck_assert_uint_eq(read_int(0, 4), 0x554d4551); /* QEMU */
    ck_assert_uint_eq(read_int(1, 4), 3);
    ck_assert_uint_eq(read_int(3, 8), UINT64_C(64) << 20);
    ck_assert_uint_eq(read_int(5, 2), 1);
    ck_assert_uint_eq(bus_port_in(vm, 0x511, 1), 0); /* behind the end */
    ck_assert_uint_eq(read_int(0x1234, 4), 0);
    ck_assert_uint_eq(bus_port_in(vm, 0x514, 4), 0x554d4551);
    ck_assert_uint_eq(bus_port_in(vm, 0x518, 4), 0x47464320);
    bus_port_out(vm, 0x511, 1, 5);
    ck_assert_uint_eq(read_int(0, 4), 0x554d4551);
}
END_TEST

START_TEST(files)
{
    uint8_t e[64];
    char text[8];
    uint32_t count;

    vm_lock(vm);
    ck_assert_int_eq(fwcfg_add_file(vm, "opt/one", "hello", 5), 0);
    ck_assert_int_eq(fwcfg_add_file(vm, "opt/two", "again", 5), 0);
    ck_assert_int_eq(fwcfg_add_file(vm, "opt/one", "replaced", 8), 0);
    ck_assert_int_lt(
        fwcfg_add_file(vm, "0123456789012345678901234567890123456789012345678901234567", "", 0), 0);
    vm_unlock(vm);
    count = __builtin_bswap32((uint32_t)read_int(0x19, 4));
    ck_assert_uint_ge(count, 3);
    for (unsigned n = 0; n < count; n++) {
        for (unsigned k = 0; k < 64; k++)
            e[k] = (uint8_t)bus_port_in(vm, 0x511, 1);
        ck_assert_uint_eq(e[5], 0x20 + n);
        if (n == 0)
            ck_assert(strcmp((char *)e + 8, "etc/e820") == 0 && e[3] == 20);
        if (n == count - 2)
            ck_assert(strcmp((char *)e + 8, "opt/one") == 0 && e[3] == 8);
        if (n == count - 1)
            ck_assert(strcmp((char *)e + 8, "opt/two") == 0 && e[3] == 5);
    }
    ck_assert_uint_eq(command((0x20 + count - 2) << 16 | 8 | 2, 8, BUF), 0);
    vm_lock(vm);
    dma_read(vm, BUF, text, 8);
    vm_unlock(vm);
    ck_assert_mem_eq(text, "replaced", 8);
}
END_TEST

START_TEST(commands)
{
    uint8_t buf[16];

    vm_lock(vm);
    memset(buf, 0xee, sizeof(buf));
    dma_write(vm, BUF, buf, sizeof(buf));
    vm_unlock(vm);
    ck_assert_uint_eq(command(8, 0, 0), 0); /* select the signature */
    ck_assert_uint_eq(command(4, 2, 0), 0); /* skip two */
    ck_assert_uint_eq(command(2, 6, BUF), 0);
    vm_lock(vm);
    dma_read(vm, BUF, buf, sizeof(buf));
    vm_unlock(vm);
    ck_assert_mem_eq(buf, "MU\0\0\0\0\xee", 7);
    ck_assert_uint_eq(command(0x30000 | 8 | 2, 8, UINT64_C(64) << 20), 1); /* no RAM there */
    ck_assert_uint_eq(command(0x30000 | 8 | 2, 0xffffffff, BUF), 1);
    ck_assert_uint_eq(command(0x30000 | 8 | 2, 8, UINT64_MAX - 3), 1);
    ck_assert_uint_eq(command(0x30000 | 8 | 16, 8, BUF), 1);
    ck_assert_uint_eq(command(4, 0xffffffff, 0), 0);
    ck_assert_uint_eq(command(2, 4, BUF), 0);
    bus_port_out(vm, 0x514, 4, 0xffffffff);
    bus_port_out(vm, 0x518, 4, 0xffffffff);
}
END_TEST

START_TEST(any_traffic_is_harmless)
{
    srand(1);
    for (unsigned k = 0; k < 100000; k++) {
        uint16_t port = (uint16_t)(0x50e + rand() % 16);
        unsigned n = 1u << rand() % 3;

        if (rand() % 2)
            bus_port_out(vm, port, n, rand() % 2 ? (uint32_t)rand() : (uint32_t)rand() % 0x24);
        else
            bus_port_in(vm, port, n);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fwcfg");
    TCase *t = tcase_create("fwcfg");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, keys);
    tcase_add_test(t, files);
    tcase_add_test(t, commands);
    tcase_add_test(t, any_traffic_is_harmless);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
