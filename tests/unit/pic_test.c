/* SPDX-License-Identifier: MIT */
/* 8259A pair: initialisation, priorities, end-of-interrupt variants, triggering, spurious vectors.
 */
#include <check.h>
#include <stdlib.h>

#include "devices/pic.h"
#include "tests/unit/fake_vmm.h"

static struct vm *vm;

static void init_pair(uint8_t icw4)
{
    outb(vm, 0x20, 0x11);
    outb(vm, 0x21, 0x20);
    outb(vm, 0x21, 0x04);
    outb(vm, 0x21, icw4);
    outb(vm, 0xa0, 0x11);
    outb(vm, 0xa1, 0x28);
    outb(vm, 0xa1, 0x02);
    outb(vm, 0xa1, icw4);
    outb(vm, 0x21, 0);
    outb(vm, 0xa1, 0);
}

static void setup(void)
{
    static const struct board_row rows[] = {{&pic_class, NULL}, {NULL, NULL}};

    vm = fake_create(rows, NULL);
    init_pair(0x01);
}

static void teardown(void)
{
    fake_destroy(vm);
}

static void set(unsigned n, bool level)
{
    struct irq line = pic_input(vm, n);

    irq_set(&line, level);
}

static void pulse(unsigned n)
{
    set(n, true);
    set(n, false);
}

static bool intr(void)
{
    return fake_of(vm)->intr;
}

static uint8_t read_reg(uint16_t port, uint8_t ocw3)
{
    outb(vm, port, ocw3);
    return inb(vm, port);
}

START_TEST(an_edge_is_latched_acknowledged_and_ended)
{
    ck_assert(!intr());
    pulse(4);
    ck_assert(intr());
    ck_assert_uint_eq(read_reg(0x20, 0x0a), 0x10);
    ck_assert_int_eq(pic_ack(vm), 0x24);
    ck_assert(!intr());
    ck_assert_uint_eq(read_reg(0x20, 0x0a), 0);
    ck_assert_uint_eq(read_reg(0x20, 0x0b), 0x10);
    outb(vm, 0x20, 0x20);
    ck_assert_uint_eq(inb(vm, 0x20), 0);
}
END_TEST

START_TEST(the_slave_goes_through_input_2)
{
    pulse(12);
    ck_assert(intr());
    ck_assert_int_eq(pic_ack(vm), 0x2c);
    ck_assert_uint_eq(read_reg(0x20, 0x0b), 0x04);
    ck_assert_uint_eq(read_reg(0xa0, 0x0b), 0x10);
    pulse(8); /* higher on the slave, but the master serves input 2 already */
    ck_assert(!intr());
    outb(vm, 0xa0, 0x20);
    outb(vm, 0x20, 0x20);
    ck_assert(intr());
    ck_assert_int_eq(pic_ack(vm), 0x28);
}
END_TEST

START_TEST(sfnm_lets_a_higher_slave_request_in)
{
    init_pair(0x11);
    pulse(12);
    ck_assert_int_eq(pic_ack(vm), 0x2c);
    pulse(8);
    ck_assert(intr());
    ck_assert_int_eq(pic_ack(vm), 0x28);
}
END_TEST

START_TEST(priorities_nest)
{
    pulse(5);
    ck_assert_int_eq(pic_ack(vm), 0x25);
    pulse(6);
    ck_assert(!intr());
    pulse(0);
    ck_assert(intr());
    ck_assert_int_eq(pic_ack(vm), 0x20);
    outb(vm, 0x20, 0x20);
    ck_assert(!intr());
    outb(vm, 0x20, 0x65); /* specific */
    ck_assert(intr());
    ck_assert_int_eq(pic_ack(vm), 0x26);
}
END_TEST

START_TEST(masks_hold_requests_back)
{
    outb(vm, 0x21, 0x10);
    ck_assert_uint_eq(inb(vm, 0x21), 0x10);
    pulse(4);
    ck_assert(!intr());
    outb(vm, 0x21, 0);
    ck_assert(intr());
}
END_TEST

START_TEST(level_inputs_follow_elcr)
{
    outb(vm, 0x4d0, 0xff);
    outb(vm, 0x4d1, 0xff);
    ck_assert_uint_eq(inb(vm, 0x4d0), 0xf8);
    ck_assert_uint_eq(inb(vm, 0x4d1), 0xde);
    set(11, true);
    ck_assert_int_eq(pic_ack(vm), 0x2b);
    outb(vm, 0xa0, 0x20);
    outb(vm, 0x20, 0x20);
    ck_assert(intr()); /* still high: asks again */
    set(11, false);
    ck_assert(!intr());
    init_pair(0x01);
    ck_assert_uint_eq(inb(vm, 0x4d1), 0xde); /* ICW1 leaves it */
    fake_reset(vm);
    ck_assert_uint_eq(inb(vm, 0x4d1), 0);
}
END_TEST

START_TEST(silent_until_initialized)
{
    fake_reset(vm);
    pulse(1);
    ck_assert(!intr());
    ck_assert_int_eq(pic_ack(vm), 7); /* spurious */
    outb(vm, 0x21, 0);
    ck_assert(!intr());
    init_pair(0x01);
    ck_assert(!intr());
    pulse(1);
    ck_assert_int_eq(pic_ack(vm), 0x21);
}
END_TEST

START_TEST(lost_requests_give_the_spurious_vectors)
{
    ck_assert_int_eq(pic_ack(vm), 0x27);
    ck_assert_uint_eq(read_reg(0x20, 0x0b), 0);
}
END_TEST

START_TEST(rotation)
{
    outb(vm, 0x20, 0xc3); /* 3 is lowest: 4 is highest */
    pulse(0);
    pulse(4);
    ck_assert_int_eq(pic_ack(vm), 0x24);
    outb(vm, 0x20, 0xa0); /* rotate on EOI: 5 is highest */
    pulse(4);
    ck_assert_int_eq(pic_ack(vm), 0x20);
    outb(vm, 0x20, 0xe0); /* rotate on specific EOI of 0: 1 is highest, 4 is pending */
    ck_assert_int_eq(pic_ack(vm), 0x24);
}
END_TEST

START_TEST(special_mask_mode_lets_lower_levels_in)
{
    pulse(3);
    ck_assert_int_eq(pic_ack(vm), 0x23);
    pulse(6);
    ck_assert(!intr());
    outb(vm, 0x21, 0x08);
    outb(vm, 0x20, 0x68);
    ck_assert(intr());
    ck_assert_int_eq(pic_ack(vm), 0x26);
    outb(vm, 0x20, 0x20); /* ends 6, not the masked 3 */
    ck_assert_uint_eq(read_reg(0x20, 0x0b), 0x08);
}
END_TEST

START_TEST(automatic_eoi)
{
    init_pair(0x03);
    pulse(1);
    ck_assert_int_eq(pic_ack(vm), 0x21);
    ck_assert_uint_eq(read_reg(0x20, 0x0b), 0);
    outb(vm, 0x20, 0x80); /* rotate in AEOI mode */
    pulse(1);
    ck_assert_int_eq(pic_ack(vm), 0x21);
    pulse(1);
    pulse(2);
    pulse(3);
    ck_assert_int_eq(pic_ack(vm), 0x23);
    pulse(8);
    pulse(9);
    outb(vm, 0x20, 0xc7);
    ck_assert_int_eq(pic_ack(vm), 0x21);
    ck_assert_int_eq(pic_ack(vm), 0x28);
    ck_assert(intr());
    ck_assert_int_eq(pic_ack(vm), 0x29);
    ck_assert(!intr());
}
END_TEST

START_TEST(poll_is_an_acknowledge)
{
    pulse(6);
    outb(vm, 0x20, 0x0c);
    ck_assert_uint_eq(inb(vm, 0x20), 0x86);
    ck_assert_uint_eq(read_reg(0x20, 0x0b), 0x40);
    outb(vm, 0x20, 0x20);
    outb(vm, 0x20, 0x0c);
    ck_assert_uint_eq(inb(vm, 0x20), 0);
}
END_TEST

START_TEST(icw1_needs_a_new_edge)
{
    set(3, true);
    init_pair(0x01);
    ck_assert(!intr());
    set(3, true);
    ck_assert(!intr());
    pulse(3);
    set(3, true);
    ck_assert(intr());
}
END_TEST

START_TEST(any_traffic_is_harmless)
{
    static const uint16_t ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1};

    srand(1);
    for (unsigned k = 0; k < 200000; k++) {
        uint16_t port = ports[(unsigned)rand() % 6];

        switch (rand() % 4) {
        case 0: outb(vm, port, (uint8_t)(rand() >> 8)); break;
        case 1: inb(vm, port); break;
        case 2: set((unsigned)rand() % 16, rand() & 1); break;
        default: ck_assert_int_le(pic_ack(vm), 0xff); break;
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pic");
    TCase *tc = tcase_create("pic");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_edge_is_latched_acknowledged_and_ended);
    tcase_add_test(tc, the_slave_goes_through_input_2);
    tcase_add_test(tc, sfnm_lets_a_higher_slave_request_in);
    tcase_add_test(tc, priorities_nest);
    tcase_add_test(tc, masks_hold_requests_back);
    tcase_add_test(tc, level_inputs_follow_elcr);
    tcase_add_test(tc, silent_until_initialized);
    tcase_add_test(tc, lost_requests_give_the_spurious_vectors);
    tcase_add_test(tc, rotation);
    tcase_add_test(tc, special_mask_mode_lets_lower_levels_in);
    tcase_add_test(tc, automatic_eoi);
    tcase_add_test(tc, poll_is_an_acknowledge);
    tcase_add_test(tc, icw1_needs_a_new_edge);
    tcase_add_test(tc, any_traffic_is_harmless);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
