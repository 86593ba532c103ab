/* SPDX-License-Identifier: MIT */
/* 8254: counts, outputs and edges of all modes against the data sheet's diagrams. */
#include <check.h>
#include <stdlib.h>

#include "devices/isa.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "tests/unit/fake_vmm.h"

static struct vm *vm;
static struct probe intr;

static void setup(void)
{
    static const struct board_row rows[] = {
        {&pic_class, NULL}, {&isa_class, NULL}, {&pit_class, NULL}, {NULL, NULL}};

    vm = fake_create(rows, NULL);
    outb(vm, 0x20, 0x13); /* single, edge, automatic EOI: INTR counts edges of IRQ0 */
    outb(vm, 0x21, 0x20);
    outb(vm, 0x21, 0x03);
    outb(vm, 0x21, 0xfe);
    intr = (struct probe){0};
    pic_connect_output(vm, probe_irq(&intr));
}

static void teardown(void)
{
    fake_destroy(vm);
}

/* Go to the middle of the clock that is `n` input clocks ahead. */
static void clocks(uint64_t n)
{
    uint64_t at = clock_muldiv(clock_now(vm), PIT_HZ, NS_PER_SEC) + n;

    fake_advance(vm, clock_muldiv(2 * at + 1, NS_PER_SEC, 2 * PIT_HZ) - clock_now(vm));
}

static void program(unsigned ch, unsigned mode, uint16_t count)
{
    outb(vm, 0x43, (uint8_t)(ch << 6 | 0x30 | mode << 1));
    outb(vm, (uint16_t)(0x40 + ch), (uint8_t)count);
    outb(vm, (uint16_t)(0x40 + ch), (uint8_t)(count >> 8));
}

static uint16_t count_of(unsigned ch)
{
    uint16_t port = (uint16_t)(0x40 + ch);
    unsigned lsb;

    outb(vm, 0x43, (uint8_t)(ch << 6));
    lsb = inb(vm, port);
    return (uint16_t)(lsb | inb(vm, port) << 8);
}

static uint8_t status_of(unsigned ch)
{
    outb(vm, 0x43, (uint8_t)(0xe0 | 2 << ch));
    return inb(vm, (uint16_t)(0x40 + ch));
}

static bool out2(void)
{
    return (inb(vm, 0x61) & 0x20) != 0;
}

static unsigned ticks(void)
{
    unsigned n = intr.rises;

    if (intr.level)
        pic_ack(vm);
    return n;
}

/* Advance in small steps, taking every interrupt. */
static unsigned ticks_in(uint64_t ns, uint64_t step)
{
    unsigned before = ticks();

    for (; ns >= step; ns -= step) {
        fake_advance(vm, step);
        ticks();
    }
    return ticks() - before;
}

START_TEST(mode_0_counts_once)
{
    clocks(1);
    outb(vm, 0x61, 1);
    program(2, 0, 4);
    ck_assert(!out2());
    ck_assert_uint_eq(status_of(2), 0x70); /* not loaded yet */
    clocks(1);
    ck_assert_uint_eq(count_of(2), 4);
    ck_assert_uint_eq(status_of(2), 0x30);
    clocks(3);
    ck_assert_uint_eq(count_of(2), 1);
    ck_assert(!out2());
    clocks(1);
    ck_assert(out2());
    clocks(1);
    ck_assert_uint_eq(count_of(2), 0xffff);
    ck_assert(out2());
}
END_TEST

START_TEST(mode_0_stops_with_the_gate)
{
    clocks(1);
    outb(vm, 0x61, 1);
    program(2, 0, 10);
    clocks(4);
    outb(vm, 0x61, 0);
    ck_assert_uint_eq(count_of(2), 7);
    clocks(100);
    ck_assert_uint_eq(count_of(2), 7);
    ck_assert(!out2());
    outb(vm, 0x61, 1);
    clocks(7);
    ck_assert(out2());
}
END_TEST

START_TEST(mode_1_is_triggered_by_the_gate)
{
    clocks(1);
    program(2, 1, 3);
    ck_assert(out2());
    clocks(10);
    ck_assert(out2());
    outb(vm, 0x61, 1);
    ck_assert(!out2());
    clocks(1);
    ck_assert_uint_eq(count_of(2), 3);
    clocks(2);
    ck_assert(!out2());
    outb(vm, 0x61, 0);
    outb(vm, 0x61, 1); /* retrigger */
    clocks(3);
    ck_assert(!out2());
    clocks(1);
    ck_assert(out2());
}
END_TEST

START_TEST(mode_2_divides)
{
    clocks(1);
    outb(vm, 0x61, 1);
    program(2, 2, 3);
    clocks(1);
    for (unsigned k = 0; k < 9; k++) {
        ck_assert_uint_eq(count_of(2), 3 - k % 3);
        ck_assert(out2() == (k % 3 != 2));
        clocks(1);
    }
    outb(vm, 0x42, 5); /* takes over at the end of the cycle */
    outb(vm, 0x42, 0);
    ck_assert_uint_eq(count_of(2), 3);
    ck_assert_uint_eq(status_of(2) & 0x40, 0x40);
    clocks(3);
    ck_assert_uint_eq(count_of(2), 5);
    ck_assert_uint_eq(status_of(2) & 0x40, 0);
    clocks(5);
    ck_assert_uint_eq(count_of(2), 5);
}
END_TEST

START_TEST(mode_3_counts_by_twos)
{
    static const uint16_t even[] = {4, 2, 4, 2}, odd[] = {5, 4, 2, 5, 2};

    clocks(1);
    outb(vm, 0x61, 1);
    program(2, 3, 4);
    clocks(1);
    for (unsigned k = 0; k < 12; k++) {
        ck_assert_uint_eq(count_of(2), even[k % 4]);
        ck_assert(out2() == (k % 4 < 2));
        clocks(1);
    }
    program(2, 3, 5);
    clocks(1);
    for (unsigned k = 0; k < 15; k++) {
        ck_assert_uint_eq(count_of(2), odd[k % 5]);
        ck_assert(out2() == (k % 5 < 3));
        clocks(1);
    }
    outb(vm, 0x61, 0);
    ck_assert(out2());
}
END_TEST

START_TEST(mode_3_takes_a_new_count_each_half)
{
    clocks(1);
    outb(vm, 0x61, 1);
    program(2, 3, 100);
    clocks(11);
    outb(vm, 0x42, 20);
    outb(vm, 0x42, 0);
    ck_assert(out2());
    clocks(39);
    ck_assert(out2());
    clocks(1); /* clock 50: low for 10, then high for 10 */
    ck_assert(!out2());
    clocks(9);
    ck_assert(!out2());
    clocks(1);
    ck_assert(out2());
    clocks(10);
    ck_assert(!out2());
}
END_TEST

START_TEST(modes_4_and_5_strobe)
{
    clocks(1);
    outb(vm, 0x61, 1);
    program(2, 4, 2);
    ck_assert(out2());
    clocks(2);
    ck_assert(out2());
    clocks(1);
    ck_assert(!out2());
    clocks(1);
    ck_assert(out2());
    clocks(65536);
    ck_assert(out2());
    outb(vm, 0x61, 0);
    program(2, 5, 2);
    clocks(5);
    ck_assert(out2());
    outb(vm, 0x61, 1);
    clocks(2);
    ck_assert(out2());
    clocks(1);
    ck_assert(!out2());
    clocks(1);
    ck_assert(out2());
}
END_TEST

START_TEST(bcd_counts_in_decimal)
{
    clocks(1);
    outb(vm, 0x61, 1);
    outb(vm, 0x43, 0xb1); /* mode 0, BCD */
    outb(vm, 0x42, 0x00);
    outb(vm, 0x42, 0x10);
    clocks(2);
    ck_assert_uint_eq(count_of(2), 0x0999);
    clocks(1000);
    ck_assert_uint_eq(count_of(2), 0x9999);
    ck_assert_uint_eq(status_of(2), 0xb1);
}
END_TEST

START_TEST(latches_hold_until_read)
{
    program(0, 2, 1000);
    clocks(11);
    outb(vm, 0x43, 0xc2); /* count and status of channel 0 */
    clocks(100);
    outb(vm, 0x43, 0xc2); /* ignored: still latched */
    outb(vm, 0x43, 0x00);
    ck_assert_uint_eq(inb(vm, 0x40), 0xb4);
    ck_assert_uint_eq(inb(vm, 0x40), 990 & 0xff);
    ck_assert_uint_eq(inb(vm, 0x40), 990 >> 8);
    ck_assert_uint_eq(inb(vm, 0x40), 890 & 0xff);
    ck_assert_uint_eq(inb(vm, 0x40), 890 >> 8);
    outb(vm, 0x43, 0x14); /* LSB only */
    outb(vm, 0x40, 200);
    clocks(51);
    ck_assert_uint_eq(inb(vm, 0x40), 150);
    ck_assert_uint_eq(inb(vm, 0x40), 150);
    outb(vm, 0x43, 0x24); /* MSB only */
    outb(vm, 0x40, 2);
    clocks(2);
    ck_assert_uint_eq(inb(vm, 0x40), 1);
    ck_assert_uint_eq(inb(vm, 0x43), 0);
}
END_TEST

START_TEST(irq0_does_not_drift)
{
    program(0, 2, 1193); /* 1000.15 Hz */
    ck_assert_uint_eq(ticks_in(10 * NS_PER_SEC, 100000), 10001);
    program(0, 3, 0); /* 18.2 Hz */
    ck_assert_uint_eq(ticks_in(10 * NS_PER_SEC, 1000000), 182);
}
END_TEST

START_TEST(late_edges_are_made_up_for)
{
    uint64_t period = clock_muldiv(11932, NS_PER_SEC, PIT_HZ);

    program(0, 2, 11932);
    ticks();
    fake_advance_late(vm, 10 * period + period / 4);
    ck_assert_uint_eq(intr.rises, 1);
    ticks();
    /* At twice the rate: nine that are owed, and those of the time that this takes. */
    ck_assert_uint_eq(ticks_in(period * 12, period / 10), 21);
    /* Then as before, in phase: a quarter of a period has passed since an edge. */
    ck_assert_uint_eq(ticks_in(period / 4 * 3 - 5000, 1000), 0);
    ck_assert_uint_eq(ticks_in(10000, 1000), 1);
}
END_TEST

START_TEST(edges_that_wait_for_the_guest_are_made_up_for)
{
    uint64_t period = clock_muldiv(11932, NS_PER_SEC, PIT_HZ);

    program(0, 2, 11932);
    ticks();
    fake_advance(vm, 10 * period + period / 4);
    ck_assert_uint_eq(intr.rises, 1);
    ck_assert_uint_eq(ticks_in(period * 12, period / 10), 21);
    ck_assert_uint_eq(ticks_in(period * 10, period / 10), 10);
}
END_TEST

START_TEST(edges_are_owed_for_a_second)
{
    uint64_t period = clock_muldiv(11932, NS_PER_SEC, PIT_HZ);

    program(0, 2, 11932);
    ticks();
    fake_advance_late(vm, 3600 * NS_PER_SEC);
    ticks();
    ck_assert_uint_eq(ticks_in(period * 300, period / 10), 300 + 98);
}
END_TEST

START_TEST(nothing_is_owed_to_a_new_program)
{
    uint64_t period = clock_muldiv(11932, NS_PER_SEC, PIT_HZ);

    program(0, 2, 11932);
    ticks();
    fake_advance_late(vm, 10 * period);
    ticks();
    program(0, 2, 11932);
    ticks();
    ck_assert_uint_eq(ticks_in(period * 10 + period / 2, period / 10), 10);
}
END_TEST

START_TEST(one_shots_fire_once)
{
    program(0, 0, 1193);
    ck_assert_uint_eq(ticks_in(NS_PER_SEC / 10, 100000), 1);
    program(0, 4, 1193);
    ck_assert_uint_eq(ticks_in(NS_PER_SEC / 10, 100000), 1);
    program(0, 1, 1193); /* never triggered: the gate of channel 0 is tied high */
    ck_assert_uint_eq(ticks_in(NS_PER_SEC / 10, 100000), 0);
}
END_TEST

START_TEST(short_periods_are_bounded)
{
    program(0, 2, 1);
    ck_assert_uint_le(ticks_in(NS_PER_SEC / 100, 1000), 1001);
}
END_TEST

START_TEST(the_hpet_can_take_irq0)
{
    program(0, 2, 1193);
    pit_inhibit_irq(vm, true);
    ticks();
    ck_assert_uint_eq(ticks_in(NS_PER_SEC / 10, 100000), 0);
    pit_inhibit_irq(vm, false);
    ck_assert_uint_ge(ticks_in(NS_PER_SEC / 10, 100000), 100);
}
END_TEST

START_TEST(refresh_toggles)
{
    unsigned flips = 0;
    uint8_t last = inb(vm, 0x61) & 0x10;

    for (unsigned k = 0; k < 1000; k++) {
        uint8_t now;

        fake_advance(vm, 1000);
        now = inb(vm, 0x61) & 0x10;
        flips += now != last;
        last = now;
    }
    ck_assert_uint_eq(flips, 66);
}
END_TEST

START_TEST(any_traffic_is_harmless)
{
    srand(2);
    for (unsigned k = 0; k < 200000; k++) {
        uint16_t port = (uint16_t)(rand() % 5 == 0 ? 0x61 : 0x40 + rand() % 4);

        if (rand() & 1)
            outb(vm, port, (uint8_t)(rand() >> 8));
        else
            inb(vm, port);
        fake_advance(vm, (uint64_t)(rand() % 100000));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pit");
    TCase *tc = tcase_create("pit");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, mode_0_counts_once);
    tcase_add_test(tc, mode_0_stops_with_the_gate);
    tcase_add_test(tc, mode_1_is_triggered_by_the_gate);
    tcase_add_test(tc, mode_2_divides);
    tcase_add_test(tc, mode_3_counts_by_twos);
    tcase_add_test(tc, mode_3_takes_a_new_count_each_half);
    tcase_add_test(tc, modes_4_and_5_strobe);
    tcase_add_test(tc, bcd_counts_in_decimal);
    tcase_add_test(tc, latches_hold_until_read);
    tcase_add_test(tc, irq0_does_not_drift);
    tcase_add_test(tc, late_edges_are_made_up_for);
    tcase_add_test(tc, edges_that_wait_for_the_guest_are_made_up_for);
    tcase_add_test(tc, edges_are_owed_for_a_second);
    tcase_add_test(tc, nothing_is_owed_to_a_new_program);
    tcase_add_test(tc, one_shots_fire_once);
    tcase_add_test(tc, short_periods_are_bounded);
    tcase_add_test(tc, the_hpet_can_take_irq0);
    tcase_add_test(tc, refresh_toggles);
    tcase_add_test(tc, any_traffic_is_harmless);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
