/* SPDX-License-Identifier: MIT */
/* Parallel port: registers, the printer's handshake, its interrupt. */
#include <check.h>
#include <stdlib.h>

#include "devices/isa.h"
#include "devices/parallel.h"
#include "devices/pic.h"
#include "tests/unit/fake_vmm.h"

#define DATA    0x378
#define STATUS  0x379
#define CONTROL 0x37a
#define READY   0xd8
#define IDLE    0x0c /* control: no strobe, not initialized, selected */

/* The board has no I/O APIC. */
__attribute__((weak)) struct irq ioapic_input(struct vm *m, unsigned gsi)
{
    (void)m, (void)gsi;
    return (struct irq){0};
}

static struct vm *vm;

static struct vm *machine(const char *spec)
{
    static const struct board_row rows[] = {
        {&pic_class, NULL}, {&isa_class, NULL}, {&parallel_class, NULL}, {NULL, NULL}};
    struct vm_config cfg = {.ram_bytes = FAKE_RAM, .parallel = spec};

    return fake_create(rows, &cfg);
}

static void setup(void)
{
    vm = machine("paper");
}

static void teardown(void)
{
    fake_destroy(vm);
}

static void put_char(char ch, uint8_t control)
{
    outb(vm, DATA, (uint8_t)ch);
    outb(vm, CONTROL, control | 1);
    outb(vm, CONTROL, control);
}

static bool irq7(void)
{
    outb(vm, 0x20, 0x0a);
    return inb(vm, 0x20) & 0x80;
}

START_TEST(registers)
{
    ck_assert_uint_eq(inb(vm, CONTROL), 0xc0 | IDLE);
    ck_assert_uint_eq(inb(vm, STATUS), READY);
    outb(vm, DATA, 0x5a);
    ck_assert_uint_eq(inb(vm, DATA), 0x5a);
    outb(vm, CONTROL, 0x3e); /* no direction bit: output only */
    ck_assert_uint_eq(inb(vm, CONTROL), 0xde);
    ck_assert_uint_eq(inb(vm, DATA), 0x5a);
    outb(vm, STATUS, 0);
    ck_assert_uint_eq(inb(vm, STATUS), READY);
    outb(vm, CONTROL, 0x08); /* initializing */
    ck_assert_uint_eq(inb(vm, STATUS), READY & 0x7f);
    put_char('x', 0x08);
    ck_assert_str_eq(fake_output(vm, "paper"), "");
    fake_reset(vm);
    ck_assert_uint_eq(inb(vm, DATA), 0);
    ck_assert_uint_eq(inb(vm, CONTROL), 0xc0 | IDLE);
}
END_TEST

START_TEST(handshake)
{
    const char *text = "Hi\r\n";

    for (unsigned k = 0; k < 4; k++) {
        ck_assert_uint_eq(inb(vm, STATUS), READY);
        put_char(text[k], IDLE);
        ck_assert_uint_eq(inb(vm, STATUS), READY & 0x7f);
        put_char('?', IDLE); /* too early: lost */
        fake_advance(vm, 9000);
        ck_assert_uint_eq(inb(vm, STATUS), READY & 0x7f);
        fake_advance(vm, 1000000);                        /* somebody polls seldom */
        ck_assert_uint_eq(inb(vm, STATUS), READY & 0xbf); /* nAck */
    }
    ck_assert_str_eq(fake_output(vm, "paper"), text);
    outb(vm, CONTROL, IDLE | 1); /* only its edge takes a byte */
    fake_advance(vm, 20000);
    ck_assert_uint_eq(inb(vm, STATUS), READY & 0xbf);
    outb(vm, CONTROL, IDLE | 1);
    ck_assert_uint_eq(inb(vm, STATUS), READY);
    ck_assert_str_eq(fake_output(vm, "paper"), "Hi\r\n?");
    ck_assert(!irq7());
}
END_TEST

START_TEST(interrupts)
{
    put_char('a', IDLE | 0x10);
    ck_assert(!irq7());
    fake_advance(vm, 20000);
    ck_assert(irq7());
}
END_TEST

START_TEST(absent)
{
    struct vm *none = machine(NULL);

    ck_assert_uint_eq(inb(none, STATUS), 0xff);
    fake_destroy(none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parallel");
    TCase *tc = tcase_create("parallel");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, registers);
    tcase_add_test(tc, handshake);
    tcase_add_test(tc, interrupts);
    tcase_add_test(tc, absent);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
