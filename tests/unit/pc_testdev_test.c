/* SPDX-License-Identifier: MIT */
/* pc-testdev: storage at every width, wide accesses made of bytes, memory, interrupt lines. */
#include <check.h>

#include "devices/ioapic.h"
#include "devices/isa.h"
#include "devices/pc_testdev.h"
#include "devices/pic.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define MEMORY UINT64_C(0xff000000)

static struct vm *vm;
static struct cpu *c;

static void setup(void)
{
    static const struct board_row rows[] = {{&pic_class, NULL},
                                            {&ioapic_class, NULL},
                                            {&isa_class, NULL},
                                            {&pc_testdev_class, NULL},
                                            {NULL, NULL}};
    static const struct board board = {"testdev", rows};

    vm = fake_vm(&board);
    c = fake_cpu_of(vm);
}

static void teardown(void)
{
    vm_destroy(vm);
}

static unsigned pic_requests(void)
{
    bus_port_out(vm, 0x20, 1, 0x0a);
    bus_port_out(vm, 0xa0, 1, 0x0a);
    return bus_port_in(vm, 0x20, 1) | bus_port_in(vm, 0xa0, 1) << 8;
}

/* Whether input n of the I/O APIC, masked and level-triggered, has been high since: it shows when
 * the input is unmasked, as remote IRR. */
static bool ioapic_high(unsigned n)
{
    phys_write(c, IOAPIC_BASE, 4, 0x10 + 2 * n);
    phys_write(c, IOAPIC_BASE + 0x10, 4, 0x8030);
    return phys_read(c, IOAPIC_BASE + 0x10, 4) >> 14 & 1;
}

START_TEST(storage_at_every_width)
{
    bus_port_out(vm, 0xe0, 4, 0x87654321);
    ck_assert_uint_eq(bus_port_in(vm, 0xe0, 4), 0x87654321);
    ck_assert_uint_eq(bus_port_in(vm, 0xe1, 1), 0x43);
    ck_assert_uint_eq(bus_port_in(vm, 0xe2, 2), 0x8765);
    bus_port_out(vm, 0xe3, 1, 0xaa);
    bus_port_out(vm, 0xe0, 2, 0xbbcc);
    ck_assert_uint_eq(bus_port_in(vm, 0xe0, 4), 0xaa65bbcc);
}
END_TEST

START_TEST(bytes_are_the_same_storage)
{
    bus_port_out(vm, 0xe8, 4, 0x12345678);
    ck_assert_uint_eq(bus_port_in(vm, 0xe0, 4), 0x12345678);
    ck_assert_uint_eq(bus_port_in(vm, 0xe9, 2), 0x3456);
    bus_port_out(vm, 0xe4, 4, 0x100000); /* forgets a page: nothing happens */
    ck_assert_uint_eq(bus_port_in(vm, 0xe0, 4), 0x12345678);
}
END_TEST

START_TEST(memory_at_every_width)
{
    phys_write(c, MEMORY, 8, UINT64_C(0x8877665544332211));
    ck_assert_uint_eq(phys_read(c, MEMORY + 3, 4), 0x77665544);
    phys_write(c, MEMORY + 0xffff, 1, 0x5a);
    ck_assert_uint_eq(phys_read(c, MEMORY + 0xfffe, 2), 0x5a00);
    vm_lock(vm);
    vm_reset_locked(vm);
    vm_unlock(vm);
    ck_assert_uint_eq(phys_read(c, MEMORY, 8), 0);
}
END_TEST

START_TEST(lines_reach_their_controllers)
{
    for (unsigned n = 0; n < IOAPIC_INPUTS; n++) {
        unsigned input = n == 0 ? 2 : n; /* the timer's line is on input 2 */
        bool at_ioapic = n != 2;         /* the PIC's cascade is no line */

        ck_assert_msg(!ioapic_high(input), "%u", n);
        bus_port_out(vm, (uint16_t)(0x2000 + n), 1, 1);
        ck_assert_uint_eq(bus_port_in(vm, (uint16_t)(0x2000 + n), 1), 1);
        ck_assert_msg(ioapic_high(input) == at_ioapic, "%u", n);
        ck_assert_msg((pic_requests() >> n & 1) == (n < 16 && n != 2), "%u", n);
        bus_port_out(vm, (uint16_t)(0x2000 + n), 1, 0);
        ck_assert_uint_eq(bus_port_in(vm, (uint16_t)(0x2000 + n), 1), 0);
        vm_lock(vm);
        vm_reset_locked(vm);
        vm_unlock(vm);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pc_testdev");
    TCase *tc = tcase_create("pc_testdev");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, storage_at_every_width);
    tcase_add_test(tc, bytes_are_the_same_storage);
    tcase_add_test(tc, memory_at_every_width);
    tcase_add_test(tc, lines_reach_their_controllers);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
