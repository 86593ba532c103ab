/* SPDX-License-Identifier: MIT */
/* Devices against hostile files and odd ports: any bytes may be loaded as a device's state, and
 * traffic on any port at any width afterwards does no harm. */
#include <check.h>
#include <stdlib.h>

#include "devices/debug_exit.h"
#include "devices/ioapic.h"
#include "devices/pc.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define FAR_PORT 0x4e0 /* most chips are below */

/* Where the board has no I/O APIC. */
__attribute__((weak)) struct irq ioapic_input(struct vm *m, unsigned gsi)
{
    (void)m, (void)gsi;
    return (struct irq){0};
}

static struct vm *vm;

static void setup(void)
{
    static const struct nic_config cards[] = {{.model = "e1000"},
                                              {.model = "rtl8139"},
                                              {.model = "ne2k_pci"},
                                              {.model = "ne2k_isa", .iobase = 0x300}};
    static const struct vm_config cfg = {.serial = {"null", "null", "null", "null"},
                                         .parallel = "null",
                                         .nics = cards,
                                         .nic_count = ARRAY_SIZE(cards),
                                         .debugcon = "null"};

    vm = fake_vm_with(&cfg, &pc_board);
}

static void teardown(void)
{
    vm_destroy(vm);
}

static void traffic(unsigned n)
{
    while (n-- > 0) {
        uint16_t port = (uint16_t)(rand() % (rand() % 16 == 0 ? 0x10000 : FAR_PORT));
        unsigned width = 1u << rand() % 3;

        if (rand() & 1)
            bus_port_out(vm, port, width, (uint32_t)rand() ^ (uint32_t)rand() << 16);
        else
            bus_port_in(vm, port, width);
    }
}

static void reset_all(void)
{
    for (struct device *d = vm->devs; d != NULL; d = d->next)
        d->cls->reset(d);
}

/* A snapshot file may say anything. */
START_TEST(lying_state_is_harmless)
{
    srand((unsigned)_i + 100);
    vm_lock(vm);
    for (struct device *d = vm->devs; d != NULL; d = d->next) {
        size_t size = device_state_size(d);
        uint8_t *state = malloc(size + 1);

        for (size_t k = 0; k < size; k++)
            state[k] = (uint8_t)(rand() >> 8);
        device_load(d, state);
        free(state);
    }
    vm_unlock(vm);
    traffic(20000);
    vm_lock(vm);
    reset_all();
    vm_unlock(vm);
}
END_TEST

START_TEST(debug_exit_can_be_added)
{
    static const struct debug_exit_cfg cfg = {0xf4, 4}, bad = {0xfffe, 4};

    vm_lock(vm);
    ck_assert_ptr_nonnull(device_create(vm, &debug_exit_class, &cfg));
    ck_assert_ptr_null(device_create(vm, &debug_exit_class, &bad));
    vm_unlock(vm);
    bus_port_out(vm, 0xf4, 4, 0x10);
    ck_assert_int_eq(vm_run(vm), VM_END_DEBUG_EXIT);
    ck_assert_int_eq(vm_exit_code(vm), 0x21);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("device_hostile");
    TCase *tc = tcase_create("device_hostile");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, lying_state_is_harmless, 0, 16);
    tcase_add_test(tc, debug_exit_can_be_added);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
