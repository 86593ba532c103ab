/* SPDX-License-Identifier: MIT */
/* Host bridge: identity, shadow RAM; with the ISA bridge: interrupt routing, coprocessor errors and
 * reset control. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/i440fx.h"
#include "devices/isa.h"
#include "devices/pci.h"
#include "devices/pic.h"
#include "devices/piix3.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

static struct vm *vm;
static struct cpu *c;

static void setup(void)
{
    static const struct board_row rows[] = {{&pic_class, NULL},   {&isa_class, NULL},
                                            {&pci_class, NULL},   {&i440fx_class, NULL},
                                            {&piix3_class, NULL}, {NULL, NULL}};
    static const struct board board = {"bridges", rows};

    vm = fake_vm(&board);
    c = fake_cpu_of(vm);
}

static void teardown(void)
{
    vm_destroy(vm);
}

static uint32_t get(uint8_t devfn, unsigned off, unsigned n)
{
    uint32_t val;

    vm_lock(vm);
    val = pci_config_read(vm, devfn, off, n);
    vm_unlock(vm);
    return val;
}

static void put(uint8_t devfn, unsigned off, unsigned n, uint32_t val)
{
    vm_lock(vm);
    pci_config_write(vm, devfn, off, n, val);
    vm_unlock(vm);
}

START_TEST(identity)
{
    ck_assert_uint_eq(get(I440FX_DEVFN, 0, 4), 0x12378086);
    ck_assert_uint_eq(get(I440FX_DEVFN, 8, 4), 0x06000002);
    ck_assert_uint_eq(get(I440FX_DEVFN, I440FX_SMRAM, 1), 0x02);
    ck_assert_uint_eq(get(PIIX3_DEVFN, 0, 4), 0x70008086);
    ck_assert_uint_eq(get(PIIX3_DEVFN, 0xa, 2), 0x0601);
    ck_assert_uint_eq(get(PIIX3_DEVFN, 0xe, 1), 0x80);
    ck_assert_uint_eq(get(PIIX3_DEVFN, 0x60, 4), 0x80808080);
}
END_TEST

START_TEST(shadow_segments)
{
    static const struct {
        unsigned reg, shift;
        uint64_t first, last;
    } seg[] = {
        {0x59, 4, 0xf0000, 0xfffff}, {0x5a, 0, 0xc0000, 0xc3fff}, {0x5a, 4, 0xc4000, 0xc7fff},
        {0x5b, 0, 0xc8000, 0xcbfff}, {0x5d, 4, 0xdc000, 0xdffff}, {0x5e, 0, 0xe0000, 0xe3fff},
        {0x5f, 0, 0xe8000, 0xebfff}, {0x5f, 4, 0xec000, 0xeffff},
    };

    for (unsigned k = 0; k < sizeof(seg) / sizeof(seg[0]); k++) {
        ck_assert_uint_eq(phys_read(c, seg[k].first, 2), 0xffff);
        put(I440FX_DEVFN, seg[k].reg, 1, 3u << seg[k].shift);
        ck_assert_ptr_nonnull(phys_page(c, seg[k].last, true));
        ck_assert_ptr_null(phys_page(c, seg[k].first - 1, false));
        if (seg[k].last != 0xfffff)
            ck_assert_ptr_null(phys_page(c, seg[k].last + 1, false));
        phys_write(c, seg[k].first, 2, 0x1234);
        ck_assert_uint_eq(phys_read(c, seg[k].first, 2), 0x1234);
        put(I440FX_DEVFN, seg[k].reg, 1, 1u << seg[k].shift); /* read-only */
        ck_assert_ptr_null(phys_page(c, seg[k].first, true));
        phys_write(c, seg[k].first, 2, 0);
        ck_assert_uint_eq(phys_read(c, seg[k].first, 2), 0x1234);
        put(I440FX_DEVFN, seg[k].reg, 1, 2u << seg[k].shift); /* write-only */
        phys_write(c, seg[k].first + 1, 2, 0x5678);
        ck_assert_uint_eq(phys_read(c, seg[k].first, 2), 0xffff);
        put(I440FX_DEVFN, seg[k].reg, 1, 3u << seg[k].shift);
        ck_assert_uint_eq(phys_read(c, seg[k].first, 2), 0x7834);
        put(I440FX_DEVFN, seg[k].reg, 1, 0);
    }
    ck_assert_ptr_null(phys_page(c, 0xa0000, false));
    ck_assert_ptr_nonnull(phys_page(c, 0x9f000, true));
}
END_TEST

START_TEST(reset_hides_shadow_ram)
{
    put(I440FX_DEVFN, I440FX_PAM, 1, 0x30);
    ck_assert_ptr_nonnull(phys_page(c, 0xf0000, true));
    vm_lock(vm);
    vm_reset_locked(vm);
    vm_unlock(vm);
    ck_assert_ptr_null(phys_page(c, 0xf0000, false));
}
END_TEST

static struct pci_device *bridge(void)
{
    return (struct pci_device *)device_find(vm, &piix3_class, 0);
}

/* The ISA bridge's own pin A (slot 1: PIRQA) stands for a PCI device. */
static void pull(bool level)
{
    vm_lock(vm);
    bridge()->config[PCI_IRQ_PIN] = 1;
    pci_set_intx(bridge(), level);
    vm_unlock(vm);
}

static unsigned pending(void)
{
    bus_port_out(vm, 0x20, 1, 0x0a);
    bus_port_out(vm, 0xa0, 1, 0x0a);
    return bus_port_in(vm, 0x20, 1) | bus_port_in(vm, 0xa0, 1) << 8;
}

START_TEST(pirq_routes)
{
    bus_port_out(vm, 0x4d1, 1, 0x0c); /* 10 and 11 by level */
    pull(true);
    ck_assert_uint_eq(pending() & 0x0c00, 0);
    put(PIIX3_DEVFN, 0x60, 1, 10);
    ck_assert_uint_eq(pending() & 0x0c00, 0x0400);
    put(PIIX3_DEVFN, 0x60, 1, 11);
    ck_assert_uint_eq(pending() & 0x0c00, 0x0800);
    pull(false);
    ck_assert_uint_eq(pending() & 0x0c00, 0);
    pull(true);
    put(PIIX3_DEVFN, 0x60, 1, 0x80);
    ck_assert_uint_eq(pending() & 0x0c00, 0);
}
END_TEST

static unsigned laps;

static enum cpu_exit ask_for_reset(struct cpu *cpu)
{
    (void)cpu;
    if (laps++ > 0)
        vm_quit(vm);
    else
        bus_port_out(vm, 0xcf9, 1, 0x06);
    return CPU_EXIT_ATTENTION;
}

START_TEST(reset_control)
{
    bus_port_out(vm, 0xcf9, 1, 0x02);
    ck_assert_uint_eq(bus_port_in(vm, 0xcf9, 1), 0x02);
    laps = 0;
    fake_cpu.resets = 0;
    fake_guest = ask_for_reset;
    ck_assert_int_eq(vm_run(vm), VM_END_QUIT);
    ck_assert_uint_eq(fake_cpu.resets, 1);
    ck_assert_uint_eq(bus_port_in(vm, 0xcf9, 1), 0);
}
END_TEST

static void slave_command(uint8_t val)
{
    bus_port_out(vm, 0xa0, 1, val);
}

static bool irq13_requested(void)
{
    slave_command(0x0a); /* read IRR */
    return bus_port_in(vm, 0xa0, 1) & 0x20;
}

START_TEST(coprocessor_error)
{
    bus_port_out(vm, 0xf0, 1, 0);
    ck_assert(!ignne_asserted(c)); /* FERR# gates it */
    ck_assert(!irq13_requested());
    ferr_set(c, true);
    ck_assert(irq13_requested());
    ck_assert(!ignne_asserted(c));
    bus_port_out(vm, 0xf0, 1, 0);
    ck_assert(ignne_asserted(c));
    ferr_set(c, false);
    ck_assert(!ignne_asserted(c));

    /* The line fell with the write, so that the next error is an edge again. */
    slave_command(0x11); /* forgets the edge */
    bus_port_out(vm, 0xa1, 1, 0x28);
    bus_port_out(vm, 0xa1, 1, 0x02);
    bus_port_out(vm, 0xa1, 1, 0x01);
    ck_assert(!irq13_requested());
    ferr_set(c, true);
    ck_assert(irq13_requested());
    ferr_set(c, false);
    bus_port_out(vm, 0xf0, 1, 0); /* the exception is gone already */
    ck_assert(!ignne_asserted(c));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("i440fx");
    TCase *t = tcase_create("i440fx");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, identity);
    tcase_add_test(t, shadow_segments);
    tcase_add_test(t, reset_hides_shadow_ram);
    tcase_add_test(t, pirq_routes);
    tcase_add_test(t, coprocessor_error);
    tcase_add_test(t, reset_control);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
