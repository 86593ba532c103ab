/* SPDX-License-Identifier: MIT */
/* Port claims and the splitting and widening of accesses. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_cpu.h"

/* Registers that remember; each handler call is noted as "r4.2=..". */
struct regs {
    uint8_t byte[16];
    char calls[256];
};

static uint64_t regs_read(void *dev, uint32_t off, unsigned n)
{
    struct regs *r = dev;
    uint64_t val = 0;

    ck_assert_uint_le(off + n, sizeof(r->byte));
    sprintf(r->calls + strlen(r->calls), "r%x.%u ", off, n);
    memcpy(&val, r->byte + off, n);
    return val;
}

static void regs_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct regs *r = dev;

    ck_assert_uint_le(off + n, sizeof(r->byte));
    sprintf(r->calls + strlen(r->calls), "w%x.%u ", off, n);
    memcpy(r->byte + off, &val, n);
}

static const struct io_ops ops8 = {regs_read, regs_write, IO_8};
static const struct io_ops ops32 = {regs_read, regs_write, IO_32};
static const struct io_ops ops_all = {regs_read, regs_write, IO_8 | IO_16 | IO_32};

static struct vm *vm;
static struct regs a, b;

static void setup(void)
{
    vm = fake_vm(NULL);
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    for (unsigned i = 0; i < 16; i++) {
        a.byte[i] = (uint8_t)(0xa0 + i);
        b.byte[i] = (uint8_t)(0xb0 + i);
    }
}

static void teardown(void)
{
    vm_destroy(vm);
}

START_TEST(unclaimed)
{
    ck_assert_uint_eq(bus_port_in(vm, 0x80, 1), 0xff);
    ck_assert_uint_eq(bus_port_in(vm, 0x80, 2), 0xffff);
    ck_assert_uint_eq(bus_port_in(vm, 0xffff, 4), 0xffffffff);
    bus_port_out(vm, 0xffff, 4, 0);
}
END_TEST

START_TEST(overlap)
{
    ck_assert_int_eq(bus_claim_ports(vm, "one", 0x60, 4, &ops8, &a), 0);
    ck_assert_int_eq(bus_claim_ports(vm, "two", 0x63, 1, &ops8, &b), -EBUSY);
    ck_assert_ptr_nonnull(strstr(vm_error(vm), "one"));
    ck_assert_ptr_nonnull(strstr(vm_error(vm), "two"));
    ck_assert_int_eq(bus_claim_ports(vm, "two", 0x64, 1, &ops8, &b), 0);
    ck_assert_int_eq(bus_claim_ports(vm, "end", 0xffff, 2, &ops8, &b), -EINVAL);
    bus_release_ports(vm, 0x60, &b); /* not its own */
    ck_assert_uint_eq(bus_port_in(vm, 0x60, 1), 0xa0);
    bus_release_ports(vm, 0x60, &a);
    ck_assert_uint_eq(bus_port_in(vm, 0x60, 1), 0xff);
    ck_assert_int_eq(bus_claim_ports(vm, "three", 0x60, 4, &ops8, &b), 0);
}
END_TEST

START_TEST(splits)
{
    bus_claim_ports(vm, "a", 0x100, 16, &ops8, &a);
    ck_assert_uint_eq(bus_port_in(vm, 0x101, 4), 0xa4a3a2a1);
    ck_assert_str_eq(a.calls, "r1.1 r2.1 r3.1 r4.1 ");
    a.calls[0] = '\0';
    bus_port_out(vm, 0x102, 2, 0x1234);
    ck_assert_str_eq(a.calls, "w2.1 w3.1 ");
    ck_assert_uint_eq(a.byte[2], 0x34);
    ck_assert_uint_eq(a.byte[3], 0x12);
}
END_TEST

START_TEST(splits_unaligned)
{
    bus_claim_ports(vm, "a", 0x100, 16, &ops_all, &a);
    ck_assert_uint_eq(bus_port_in(vm, 0x101, 4), 0xa4a3a2a1);
    ck_assert_str_eq(a.calls, "r1.1 r2.2 r4.1 ");
    a.calls[0] = '\0';
    ck_assert_uint_eq(bus_port_in(vm, 0x104, 4), 0xa7a6a5a4);
    ck_assert_str_eq(a.calls, "r4.4 ");
}
END_TEST

/* Words at neighbouring ports, as DISPI's index and data are. */
START_TEST(unaligned_registers)
{
    static const struct io_ops ops = {regs_read, regs_write, IO_8 | IO_16 | IO_UNALIGNED};

    bus_claim_ports(vm, "a", 0x1ce, 3, &ops, &a);
    bus_port_out(vm, 0x1ce, 2, 4);
    bus_port_out(vm, 0x1cf, 2, 0x41);
    bus_port_in(vm, 0x1cf, 1);
    ck_assert_str_eq(a.calls, "w0.2 w1.2 r1.1 ");
}
END_TEST

START_TEST(widens)
{
    bus_claim_ports(vm, "a", 0x100, 16, &ops32, &a);
    ck_assert_uint_eq(bus_port_in(vm, 0x106, 1), 0xa6);
    ck_assert_str_eq(a.calls, "r4.4 ");
    a.calls[0] = '\0';
    ck_assert_uint_eq(bus_port_in(vm, 0x103, 2), 0xa4a3);
    ck_assert_str_eq(a.calls, "r0.4 r4.4 ");
    bus_port_out(vm, 0x106, 1, 0x77);
    ck_assert_mem_eq(a.byte + 4, "\0\0\x77\0", 4);
}
END_TEST

START_TEST(crosses_claims)
{
    bus_claim_ports(vm, "a", 0x100, 2, &ops_all, &a);
    bus_claim_ports(vm, "b", 0x103, 4, &ops_all, &b);
    ck_assert_uint_eq(bus_port_in(vm, 0x100, 4), 0xb0ffa1a0);
    bus_port_out(vm, 0x101, 4, 0x44332211);
    ck_assert_uint_eq(a.byte[1], 0x11);
    ck_assert_uint_eq(b.byte[0], 0x33);
    ck_assert_uint_eq(b.byte[1], 0x44);
}
END_TEST

START_TEST(three_bytes_of_one)
{
    bus_claim_ports(vm, "a", 0x100, 3, &ops_all, &a);
    ck_assert_uint_eq(bus_port_in(vm, 0x100, 4), 0xffa2a1a0);
    ck_assert_str_eq(a.calls, "r0.2 r2.1 ");
}
END_TEST

START_TEST(mmio)
{
    struct region r = {.name = "regs", .size = 16, .kind = REGION_MMIO, .ops = &ops32, .dev = &a};
    struct cpu *c;

    vm_lock(vm);
    ck_assert_int_eq(mem_map(vm, &r, 0xfec00000), 0);
    vm_unlock(vm);
    c = fake_cpu_of(vm);
    ck_assert_uint_eq(phys_read(c, 0xfec00004, 4), 0xa7a6a5a4);
    ck_assert_uint_eq(phys_read(c, 0xfec00000, 8), 0xa7a6a5a4a3a2a1a0);
    ck_assert_uint_eq(phys_read(c, 0xfec0000c, 8), 0xffffffffafaeadac);
    phys_write(c, 0xfec00008, 8, 0x1122334455667788);
    ck_assert_uint_eq(a.byte[15], 0x11);
    ck_assert_uint_eq(phys_read(c, 0xfec00010, 2), 0xffff);
    ck_assert_ptr_null(phys_page(c, 0xfec00000, false));
    vm_lock(vm);
    ck_assert_int_eq(mem_map(vm, &r, MEM_UNMAPPED), 0);
    vm_unlock(vm);
    ck_assert_uint_eq(phys_read(c, 0xfec00004, 4), 0xffffffff);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bus");
    TCase *t = tcase_create("bus");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, unclaimed);
    tcase_add_test(t, overlap);
    tcase_add_test(t, splits);
    tcase_add_test(t, splits_unaligned);
    tcase_add_test(t, unaligned_registers);
    tcase_add_test(t, widens);
    tcase_add_test(t, crosses_claims);
    tcase_add_test(t, three_bytes_of_one);
    tcase_add_test(t, mmio);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
