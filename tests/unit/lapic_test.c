/* SPDX-License-Identifier: MIT */
/* Local and I/O APIC with the PIC behind them: delivery, priorities, triggering, timer, x2APIC. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ioapic.h"
#include "devices/isa.h"
#include "devices/lapic.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define ID      0x020
#define TPR     0x080
#define PPR     0x0a0
#define EOI     0x0b0
#define LDR     0x0d0
#define DFR     0x0e0
#define SVR     0x0f0
#define ISR     0x100
#define TMR     0x180
#define IRR     0x200
#define ESR     0x280
#define ICR     0x300
#define ICR2    0x310
#define TIMER   0x320
#define LINT0   0x350
#define LINT1   0x360
#define LERR    0x370
#define INITIAL 0x380
#define CURRENT 0x390
#define DIVIDE  0x3e0

static struct vm *vm;
static struct cpu *c;

static void setup_board(const struct board_row *rows)
{
    struct board board = {"apics", rows};

    vm = fake_vm(&board);
    c = fake_cpu_of(vm);
}

static void setup(void)
{
    static const struct board_row rows[] = {{&pic_class, NULL},
                                            {&lapic_class, NULL},
                                            {&ioapic_class, NULL},
                                            {&isa_class, NULL},
                                            {NULL, NULL}};
    setup_board(rows);
}

static void setup_with_pit(void)
{
    static const struct board_row rows[] = {{&pic_class, NULL},    {&lapic_class, NULL},
                                            {&ioapic_class, NULL}, {&isa_class, NULL},
                                            {&pit_class, NULL},    {NULL, NULL}};
    setup_board(rows);
}

static void teardown(void)
{
    vm_destroy(vm);
}

static uint32_t get(unsigned reg)
{
    return (uint32_t)phys_read(c, LAPIC_BASE + reg, 4);
}

static void put(unsigned reg, uint32_t val)
{
    phys_write(c, LAPIC_BASE + reg, 4, val);
}

static uint32_t io_get(unsigned reg)
{
    phys_write(c, IOAPIC_BASE, 4, reg);
    return (uint32_t)phys_read(c, IOAPIC_BASE + 0x10, 4);
}

static void io_put(unsigned reg, uint32_t val)
{
    phys_write(c, IOAPIC_BASE, 4, reg);
    phys_write(c, IOAPIC_BASE + 0x10, 4, val);
}

static void input(unsigned n, bool level)
{
    struct irq line = ioapic_input(vm, n);

    vm_lock(vm);
    irq_set(&line, level);
    vm_unlock(vm);
}

static void isa(unsigned n, bool level)
{
    static struct irq line[16];

    vm_lock(vm);
    if (line[n].set == NULL)
        line[n] = isa_irq(vm, n);
    irq_set(&line[n], level);
    vm_unlock(vm);
}

static bool intr(void)
{
    return atomic_load(&c->attention) & ATT_INTR;
}

static bool nmi(void)
{
    return atomic_load(&c->attention) & ATT_NMI;
}

static void self_ipi(uint8_t vector)
{
    put(ICR, 0x44000u | vector);
}

/* Master at 20h, slave at 28h, all unmasked. */
static void init_pic(void)
{
    static const uint16_t writes[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 4}, {0x21, 1},
                                         {0xa0, 0x11}, {0xa1, 0x28}, {0xa1, 2}, {0xa1, 1},
                                         {0x21, 0},    {0xa1, 0}};

    for (unsigned k = 0; k < sizeof(writes) / sizeof(writes[0]); k++)
        bus_port_out(vm, writes[k][0], 1, writes[k][1]);
}

START_TEST(reset_values)
{
    uint64_t base;

    ck_assert(apic_base_read(c, &base));
    ck_assert_uint_eq(base, 0xfee00900);
    ck_assert_uint_eq(get(ID), 0);
    ck_assert_uint_eq(get(0x30), 0x50014);
    ck_assert_uint_eq(get(SVR), 0xff);
    ck_assert_uint_eq(get(DFR), 0xffffffff);
    ck_assert_uint_eq(get(TIMER), 0x10000);
    ck_assert_uint_eq(get(LINT0), 0x700);
    ck_assert_uint_eq(get(LINT1), 0x10000);
    ck_assert_uint_eq(io_get(1), 0x170020);
    ck_assert_uint_eq(io_get(0x10), 0x10000);
    ck_assert_uint_eq(io_get(0x3f), 0);
    ck_assert_uint_eq(io_get(0x40), 0);
}
END_TEST

START_TEST(virtual_wire)
{
    init_pic();
    isa(4, true);
    ck_assert(intr());
    ck_assert_int_eq(intr_ack(c), 0x24);
    ck_assert(!intr());
    bus_port_out(vm, 0x20, 1, 0x20);
    isa(4, false);
    put(SVR, 0x1ff);
    isa(4, true);
    ck_assert(intr());
    put(LINT0, 0x10700);
    ck_assert(!intr());
    ck_assert_int_eq(intr_ack(c), -1);
    put(LINT0, 0x700);
    ck_assert(intr());
    put(SVR, 0xff); /* masks all entries */
    ck_assert_uint_eq(get(LINT0), 0x10700);
    ck_assert(!intr());
    put(LINT0, 0x700); /* stays masked */
    ck_assert(!intr());
    ck_assert(apic_base_write(c, LAPIC_BASE | 0x100)); /* off: the PIC has the pin */
    ck_assert(intr());
    ck_assert_uint_eq(phys_read(c, LAPIC_BASE + SVR, 4), 0xffffffff);
    ck_assert_int_eq(intr_ack(c), 0x24);
    ck_assert(apic_base_write(c, LAPIC_BASE | 0x900));
    ck_assert_uint_eq(get(SVR), 0xff);
    ck_assert_uint_eq(get(LINT0), 0x10000);
}
END_TEST

START_TEST(priorities)
{
    put(SVR, 0x1ff);
    self_ipi(0x41);
    self_ipi(0x53);
    ck_assert_uint_eq(get(IRR + 0x20), (1u << 1) | (1u << 19));
    ck_assert_int_eq(intr_ack(c), 0x53);
    ck_assert_uint_eq(get(ISR + 0x20), 1u << 19);
    ck_assert_uint_eq(get(PPR), 0x50);
    ck_assert(!intr());
    self_ipi(0x5f); /* same class */
    ck_assert(!intr());
    self_ipi(0x60);
    ck_assert(intr());
    ck_assert_int_eq(intr_ack(c), 0x60);
    put(EOI, 0);
    ck_assert(!intr());
    put(EOI, 0);
    ck_assert_int_eq(intr_ack(c), 0x5f);
    put(EOI, 0);
    put(TPR, 0x45);
    ck_assert_uint_eq(get(PPR), 0x45);
    ck_assert(!intr());
    apic_tpr_write(c, 3);
    ck_assert_uint_eq(get(TPR), 0x30);
    ck_assert_uint_eq(apic_tpr_read(c), 3);
    ck_assert_int_eq(intr_ack(c), 0x41);
    put(EOI, 0);
    put(EOI, 0); /* nothing in service */
    put(SVR, 0xff);
    self_ipi(0x70);
    ck_assert(!intr());
}
END_TEST

START_TEST(errors)
{
    put(SVR, 0x1ff);
    put(LERR, 0x34);
    self_ipi(3);
    ck_assert_uint_eq(get(ESR), 0);
    put(ESR, 0);
    ck_assert_uint_eq(get(ESR), 0x20);
    ck_assert_int_eq(intr_ack(c), 0x34);
    put(EOI, 0);
    get(0x40);
    put(ESR, 0);
    ck_assert_uint_eq(get(ESR), 0x80);
    put(ESR, 0);
    ck_assert_uint_eq(get(ESR), 0);
    put(LERR, 3); /* an illegal vector to report an illegal register */
    get(0x40);
    put(ESR, 0);
    ck_assert_uint_eq(get(ESR), 0xc0);
}
END_TEST

START_TEST(io_apic_edges)
{
    put(SVR, 0x1ff);
    put(LINT0, 0x10700);
    io_put(0x10 + 2 * 4, 0x31);
    isa(4, true);
    ck_assert(intr());
    ck_assert_int_eq(intr_ack(c), 0x31);
    ck_assert_uint_eq(get(TMR + 0x10), 0);
    put(EOI, 0);
    ck_assert(!intr());
    isa(4, false);
    io_put(0x10 + 2 * 4, 0x10031);
    isa(4, true); /* masked: lost */
    io_put(0x10 + 2 * 4, 0x31);
    ck_assert(!intr());
    isa(4, false);
    io_put(0x11 + 2 * 4, 0x01000000); /* nobody's ID */
    isa(4, true);
    ck_assert(!intr());
    isa(4, false);
    io_put(0x11 + 2 * 4, 0xff000000);
    isa(4, true);
    ck_assert(intr());
    ck_assert_int_eq(intr_ack(c), 0x31);
    put(EOI, 0);
    io_put(0x10 + 2 * 2, 0x30); /* line 0 is on input 2 */
    isa(0, true);
    ck_assert_int_eq(intr_ack(c), 0x30);
}
END_TEST

START_TEST(io_apic_levels)
{
    put(SVR, 0x1ff);
    io_put(0x10 + 2 * 11, 0x8031);
    input(11, true);
    ck_assert_uint_eq(io_get(0x10 + 2 * 11), 0xc031);
    ck_assert_uint_eq(get(TMR + 0x10), 1u << 17);
    ck_assert_int_eq(intr_ack(c), 0x31);
    input(11, false);
    input(11, true);
    ck_assert(!intr());
    put(EOI, 0); /* still high: asks again */
    ck_assert(intr());
    ck_assert_int_eq(intr_ack(c), 0x31);
    input(11, false);
    put(EOI, 0);
    ck_assert(!intr());
    ck_assert_uint_eq(io_get(0x10 + 2 * 11), 0x8031);
    io_put(0x10 + 2 * 11, 0x18031);
    input(11, true);
    ck_assert(!intr());
    io_put(0x10 + 2 * 11, 0x8031); /* unmasking sees the level */
    ck_assert(intr());
    ck_assert_int_eq(intr_ack(c), 0x31);
    input(11, false);
    phys_write(c, IOAPIC_BASE + 0x40, 4, 0x31); /* its own EOI register */
    ck_assert_uint_eq(io_get(0x10 + 2 * 11), 0x8031);
}
END_TEST

START_TEST(logical_destinations)
{
    put(SVR, 0x1ff);
    put(LDR, 0x04000000);
    io_put(0x10 + 2 * 5, 0x851);
    io_put(0x11 + 2 * 5, 0x03000000);
    input(5, true);
    ck_assert(!intr());
    input(5, false);
    io_put(0x11 + 2 * 5, 0x06000000);
    input(5, true);
    ck_assert_int_eq(intr_ack(c), 0x51);
    put(EOI, 0);
    put(DFR, 0x0fffffff); /* cluster model */
    put(LDR, 0x21000000);
    put(ICR2, 0x11000000);
    put(ICR, 0x4861);
    ck_assert(!intr());
    put(ICR2, 0x23000000);
    put(ICR, 0x4861);
    ck_assert(intr());
}
END_TEST

START_TEST(nmi_and_lint)
{
    struct irq lint1 = lapic_lint(vm, 0, 1);

    put(SVR, 0x1ff);
    put(LINT1, 0x400);
    vm_lock(vm);
    irq_set(&lint1, true);
    vm_unlock(vm);
    ck_assert(nmi());
    put(LINT0, 0x8042); /* fixed, by level */
    init_pic();
    isa(3, true);
    ck_assert_uint_eq(get(LINT0), 0xc042);
    ck_assert_int_eq(intr_ack(c), 0x42);
    ck_assert(!intr());
    put(EOI, 0); /* the PIC still asks */
    ck_assert_int_eq(intr_ack(c), 0x42);
    isa(3, false);
    pic_ack(vm);
    put(EOI, 0);
    ck_assert(!intr());
}
END_TEST

static void sleep_ns(uint64_t ns)
{
    uint64_t until = clock_now(vm) + ns;

    while (clock_now(vm) < until)
        ;
    vm_lock(vm);
    clock_fire(vm, 1000);
    vm_unlock(vm);
}

/* Let time pass while the clock stands: how long the host takes does not count. */
static void pass_ns(uint64_t ns)
{
    atomic_store(&vm->clock.stopped, clock_now(vm) + ns);
    vm_lock(vm);
    clock_fire(vm, 1000);
    vm_unlock(vm);
}

START_TEST(timer)
{
    uint32_t left;

    put(SVR, 0x1ff);
    put(TIMER, 0x40);
    put(DIVIDE, 0xb);
    put(INITIAL, 4000000000u);
    pass_ns(1000000);
    left = get(CURRENT);
    ck_assert_uint_lt(left, 4000000000u - 900000);
    ck_assert_uint_gt(left, 3000000000u);
    ck_assert(!intr());
    put(DIVIDE, 0x3); /* 16 */
    put(INITIAL, 1000);
    ck_assert_uint_le(get(CURRENT), 1000);
    pass_ns(20000);
    ck_assert(intr());
    ck_assert_uint_eq(get(CURRENT), 0);
    ck_assert_int_eq(intr_ack(c), 0x40);
    put(EOI, 0);
    pass_ns(40000);
    ck_assert(!intr());
    put(TIMER, 0x20040); /* periodic, 64 us */
    put(INITIAL, 4000);
    for (unsigned k = 0; k < 5; k++) {
        pass_ns(70000);
        ck_assert(intr());
        ck_assert_uint_gt(get(CURRENT), 0);
        ck_assert_int_eq(intr_ack(c), 0x40);
        put(EOI, 0);
    }
    put(TIMER, 0x30040);
    pass_ns(100000);
    ck_assert(!intr());
    put(INITIAL, 0);
    ck_assert_uint_eq(get(CURRENT), 0);
}
END_TEST

START_TEST(tsc_deadline)
{
    clock_start(vm);
    put(SVR, 0x1ff);
    apic_deadline_write(c, 1); /* in another mode nothing happens */
    ck_assert_uint_eq(apic_deadline_read(c), 0);
    put(TIMER, 0x40040);
    put(INITIAL, 1);
    ck_assert_uint_eq(get(CURRENT), 0);
    ck_assert_uint_eq(get(INITIAL), 0);

    uint64_t at = tsc_read(c) + UINT64_C(3600000000000);
    apic_deadline_write(c, at);
    sleep_ns(100000);
    ck_assert(!intr());
    ck_assert_uint_eq(apic_deadline_read(c), at);
    apic_deadline_write(c, tsc_read(c) + 50000);
    sleep_ns(100000);
    ck_assert(intr());
    ck_assert_uint_eq(apic_deadline_read(c), 0);
    ck_assert_int_eq(intr_ack(c), 0x40);
    put(EOI, 0);
    sleep_ns(100000);
    ck_assert(!intr()); /* once */

    apic_deadline_write(c, 1); /* long past: at once */
    ck_assert_int_eq(intr_ack(c), 0x40);
    put(EOI, 0);
    put(TIMER, 0x50040); /* masked: reached all the same */
    apic_deadline_write(c, 1);
    sleep_ns(1000);
    ck_assert(!intr());
    ck_assert_uint_eq(apic_deadline_read(c), 0);

    put(TIMER, 0x40040);
    apic_deadline_write(c, UINT64_MAX);
    put(TIMER, 0x40); /* leaving the mode disarms */
    put(TIMER, 0x40040);
    ck_assert_uint_eq(apic_deadline_read(c), 0);
    apic_deadline_write(c, at);
    apic_deadline_write(c, 0);
    ck_assert_uint_eq(apic_deadline_read(c), 0);
}
END_TEST

static uint32_t count_after(uint64_t ns)
{
    pass_ns(ns);
    return get(CURRENT);
}

START_TEST(changing_the_timers_mode_keeps_the_count)
{
    put(SVR, 0x1ff);
    put(DIVIDE, 0xb);
    put(TIMER, 0x40);
    put(INITIAL, 100000); /* at 1 GHz */
    ck_assert_uint_eq(count_after(60000), 40000);
    put(TIMER, 0x20040); /* periodic */
    ck_assert_uint_eq(count_after(0), 40000);
    ck_assert_uint_eq(count_after(150000), 90000);
    put(TIMER, 0x40);
    ck_assert_uint_eq(count_after(0), 90000);
    ck_assert_uint_eq(count_after(80000), 10000);
    ck_assert_uint_eq(count_after(20000), 0);
    put(TIMER, 0x20040); /* the count has ended and stays at zero */
    ck_assert_uint_eq(count_after(70000), 0);
    put(TIMER, 0x40);
    ck_assert_uint_eq(count_after(1), 0);
    put(INITIAL, 100000);
    ck_assert_uint_eq(count_after(1), 99999);
}
END_TEST

/* An expiry that the host has not got round to is not lost when the guest writes the entry. */
START_TEST(a_late_expiry_survives_a_write)
{
    put(SVR, 0x1ff);
    put(DIVIDE, 0xb);
    put(TIMER, 0x40);
    put(INITIAL, 100000);
    atomic_store(&vm->clock.stopped, clock_now(vm) + 200000);
    put(TIMER, 0x40);
    ck_assert(intr());
    ck_assert_int_eq(intr_ack(c), 0x40);
    put(EOI, 0);
    count_after(200000);
    ck_assert(!intr());
}
END_TEST

/* Interrupts taken in steps of 10 us. */
static unsigned interrupts_in(uint64_t ns)
{
    unsigned n = 0;

    for (; ns >= 10000; ns -= 10000) {
        pass_ns(10000);
        while (intr()) {
            intr_ack(c);
            put(EOI, 0);
            n++;
        }
    }
    return n;
}

/* Time goes on while the timer is being loaded. */
START_TEST(the_shortest_count_interrupts)
{
    put(SVR, 0x1ff);
    put(DIVIDE, 0xb);
    put(TIMER, 0x40);
    clock_start(vm);
    put(INITIAL, 1);
    clock_stop(vm);
    pass_ns(10);
    ck_assert(intr());
    ck_assert_int_eq(intr_ack(c), 0x40);
    put(EOI, 0);
    pass_ns(1000);
    ck_assert(!intr());
}
END_TEST

START_TEST(late_expiries_are_made_up_for)
{
    put(SVR, 0x1ff);
    put(DIVIDE, 0xb);
    put(TIMER, 0x20040);
    put(INITIAL, 100000); /* 100 us */
    pass_ns(1025000);
    ck_assert_int_eq(intr_ack(c), 0x40);
    put(EOI, 0);
    ck_assert(!intr());
    ck_assert_uint_eq(interrupts_in(1200000), 9 + 12);
    ck_assert_uint_eq(interrupts_in(1000000), 10);
    for (unsigned k = 0; k < 10; k++)
        pass_ns(100000); /* the guest does not take the first */
    ck_assert_uint_eq(interrupts_in(1200000), 10 + 12);
    pass_ns(3600 * NS_PER_SEC);
    ck_assert_uint_eq(interrupts_in(2000000000), 9999 + 20000);
    pass_ns(1000000);
    put(INITIAL, 100000); /* nothing is owed to a new count */
    intr_ack(c);
    put(EOI, 0);
    ck_assert_uint_eq(interrupts_in(1050000), 10);
}
END_TEST

START_TEST(a_period_may_be_longer_than_what_is_owed)
{
    put(SVR, 0x1ff);
    put(DIVIDE, 0xb);
    put(TIMER, 0x20040);
    put(INITIAL, 3000000000u); /* 3 s */
    for (unsigned k = 0; k < 3; k++) {
        pass_ns(3 * NS_PER_SEC + 1000);
        ck_assert(intr());
        ck_assert_int_eq(intr_ack(c), 0x40);
        put(EOI, 0);
    }
    pass_ns(7 * NS_PER_SEC); /* a little more than two periods */
    ck_assert_int_eq(intr_ack(c), 0x40);
}
END_TEST

/* The PIC, which nobody has set up, latches the first edge for ever. */
START_TEST(the_pits_edges_pass_by_the_pic)
{
    put(SVR, 0x1ff);
    io_put(0x15, 0);
    io_put(0x14, 0x55); /* input 2 */
    port_out(c, 0x43, 1, 0x34);
    port_out(c, 0x40, 1, 11932 & 0xff); /* 10 ms */
    port_out(c, 0x40, 1, 11932 >> 8);
    ck_assert_uint_eq(interrupts_in(105000000), 10);
}
END_TEST

START_TEST(a_fast_timer_is_held_back)
{
    unsigned n = 0;

    clock_start(vm);
    put(SVR, 0x1ff);
    put(DIVIDE, 0xb);
    put(TIMER, 0x20040);
    put(INITIAL, 1);
    for (uint64_t end = clock_now(vm) + 2000000; clock_now(vm) < end;) {
        vm_lock(vm);
        clock_fire(vm, 1000);
        vm_unlock(vm);
        if (intr()) {
            intr_ack(c);
            put(EOI, 0);
            n++;
        }
    }
    ck_assert_uint_le(n, 101);
}
END_TEST

START_TEST(x2apic)
{
    uint64_t val;

    ck_assert(!apic_msr_read(c, 0x802, &val));
    ck_assert(!apic_base_write(c, LAPIC_BASE | 0x500));
    ck_assert(!apic_base_write(c, LAPIC_BASE | 0x900 | UINT64_C(1) << 52));
    ck_assert(apic_base_write(c, LAPIC_BASE | 0xd00));
    ck_assert_uint_eq(phys_read(c, LAPIC_BASE + SVR, 4), 0xffffffff);
    ck_assert(apic_msr_read(c, 0x80d, &val));
    ck_assert_uint_eq(val, 1);
    ck_assert(!apic_msr_read(c, 0x80e, &val));
    ck_assert(!apic_msr_write(c, 0x802, 1));
    ck_assert(apic_msr_write(c, 0x80f, 0x1ff));
    ck_assert(apic_msr_write(c, 0x83f, 0x55));
    ck_assert_int_eq(intr_ack(c), 0x55);
    ck_assert(!apic_msr_write(c, 0x80b, 1));
    ck_assert(apic_msr_write(c, 0x80b, 0));
    ck_assert(apic_msr_write(c, 0x830, UINT64_C(0xffffffff00004077)));
    ck_assert(apic_msr_read(c, 0x830, &val));
    ck_assert_uint_eq(val, UINT64_C(0xffffffff00004077));
    ck_assert_int_eq(intr_ack(c), 0x77);
    ck_assert(!apic_base_write(c, LAPIC_BASE | 0x900));
    ck_assert(apic_base_write(c, LAPIC_BASE | 0x100));
    ck_assert(!apic_base_write(c, LAPIC_BASE | 0xd00));
    ck_assert(apic_base_write(c, LAPIC_BASE | 0x900));
    ck_assert_uint_eq(get(SVR), 0xff);
}
END_TEST

/* Registers and all the bits of them that WRMSR may set: one more is #GP, and changes nothing. */
START_TEST(x2apic_reserved_bits)
{
    static const struct {
        uint32_t msr;
        uint64_t bits;
    } rows[] = {
        {0x808, 0xff},                                    /* TPR */
        {0x80b, 0},                                       /* EOI */
        {0x80f, 0x3ff},                                   /* SVR */
        {0x828, 0},                                       /* ESR */
        {0x832, 0x710ff},                                 /* timer */
        {0x833, 0x117ff},                                 /* thermal */
        {0x834, 0x117ff},                                 /* performance counters */
        {0x835, 0x1f7ff},                                 /* LINT0 */
        {0x836, 0x1f7ff},                                 /* LINT1 */
        {0x837, 0x110ff},                                 /* error */
        {0x838, 0xffffffff}, {0x83e, 0xb}, {0x83f, 0xff}, /* self IPI */
    };
    uint64_t before, after, icr = UINT64_C(0xffffffff000c0000);

    ck_assert(apic_base_write(c, LAPIC_BASE | 0xd00));
    ck_assert(apic_msr_write(c, 0x80f, 0x1ff));
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        bool readable = apic_msr_read(c, rows[k].msr, &before);

        for (unsigned bit = 0; bit < 64; bit++)
            if (!(rows[k].bits >> bit & 1))
                ck_assert_msg(!apic_msr_write(c, rows[k].msr, UINT64_C(1) << bit), "MSR %x, bit %u",
                              rows[k].msr, bit);
        if (readable) {
            ck_assert(apic_msr_read(c, rows[k].msr, &after));
            ck_assert_uint_eq(after, before);
        }
        ck_assert_msg(apic_msr_write(c, rows[k].msr, rows[k].bits), "MSR %x", rows[k].msr);
    }
    for (unsigned bit = 12; bit < 32; bit++)
        if (UINT32_C(0xfff33000) >> bit & 1)
            ck_assert_msg(!apic_msr_write(c, 0x830, icr | UINT64_C(1) << bit), "ICR, bit %u", bit);
}
END_TEST

START_TEST(relocation)
{
    ck_assert(apic_base_write(c, UINT64_C(0xd0000900)));
    ck_assert_uint_eq(phys_read(c, UINT64_C(0xd0000030), 4), 0x50014);
    ck_assert_uint_eq(phys_read(c, LAPIC_BASE + 0x30, 4), 0xffffffff);
}
END_TEST

START_TEST(any_traffic_is_harmless)
{
    clock_start(vm);
    srand(1);
    for (unsigned k = 0; k < 100000; k++) {
        uint64_t pa = rand() % 3 ? LAPIC_BASE + (unsigned)rand() % 4096
                                 : IOAPIC_BASE + (unsigned)rand() % 0x44;
        uint64_t val = (uint64_t)rand() << 33 ^ (uint64_t)rand() << 8 ^ (uint64_t)rand();
        unsigned n = 1u << rand() % 4;

        switch (rand() % 5) {
        case 0: phys_read(c, pa & ~(uint64_t)(n - 1), n); break;
        case 1: phys_write(c, pa & ~(uint64_t)(n - 1), n, val); break;
        case 2: input((unsigned)rand() % 24, rand() & 1); break;
        case 3: apic_msr_write(c, 0x800 + (uint32_t)rand() % 256, val & 0xffff); break;
        default: ck_assert_int_le(intr_ack(c), 255); break;
        }
        if (k % 1000 == 0)
            apic_base_write(c, LAPIC_BASE | ((unsigned)rand() & 0xd00));
        vm_lock(vm);
        clock_fire(vm, 10);
        vm_unlock(vm);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lapic");
    TCase *t = tcase_create("lapic");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reset_values);
    tcase_add_test(t, virtual_wire);
    tcase_add_test(t, priorities);
    tcase_add_test(t, errors);
    tcase_add_test(t, io_apic_edges);
    tcase_add_test(t, io_apic_levels);
    tcase_add_test(t, logical_destinations);
    tcase_add_test(t, nmi_and_lint);
    tcase_add_test(t, timer);
    tcase_add_test(t, tsc_deadline);
    tcase_add_test(t, changing_the_timers_mode_keeps_the_count);
    tcase_add_test(t, a_late_expiry_survives_a_write);
    tcase_add_test(t, the_shortest_count_interrupts);
    tcase_add_test(t, late_expiries_are_made_up_for);
    tcase_add_test(t, a_period_may_be_longer_than_what_is_owed);
    tcase_add_test(t, a_fast_timer_is_held_back);
    tcase_add_test(t, x2apic);
    tcase_add_test(t, x2apic_reserved_bits);
    tcase_add_test(t, relocation);
    tcase_add_test(t, any_traffic_is_harmless);
    suite_add_tcase(s, t);
    t = tcase_create("with pit");
    tcase_add_checked_fixture(t, setup_with_pit, teardown);
    tcase_add_test(t, the_pits_edges_pass_by_the_pic);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
