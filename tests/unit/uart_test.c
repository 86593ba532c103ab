/* SPDX-License-Identifier: MIT */
/* 16550A: data both ways, FIFOs, each interrupt source, loopback, and the probes of Linux's driver.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/isa.h"
#include "devices/pic.h"
#include "devices/uart.h"
#include "tests/unit/fake_vmm.h"

#define COM1 0x3f8
#define IER  (COM1 + 1)
#define IIR  (COM1 + 2)
#define FCR  (COM1 + 2)
#define LCR  (COM1 + 3)
#define MCR  (COM1 + 4)
#define LSR  (COM1 + 5)
#define MSR  (COM1 + 6)
#define SCR  (COM1 + 7)

static struct vm *vm;
static struct probe intr;

static void setup(void)
{
    static const struct board_row rows[] = {
        {&pic_class, NULL},          {&isa_class, NULL},          {&uart_class, &uart_com[0]},
        {&uart_class, &uart_com[1]}, {&uart_class, &uart_com[2]}, {NULL, NULL}};
    static const struct vm_config cfg = {.serial = {"one", NULL, "three", NULL}};

    vm = fake_create(rows, &cfg);
    outb(vm, 0x20, 0x13); /* single, edge, automatic EOI: INTR counts edges of IRQ4 */
    outb(vm, 0x21, 0x20);
    outb(vm, 0x21, 0x03);
    outb(vm, 0x21, 0xef);
    intr = (struct probe){0};
    pic_connect_output(vm, probe_irq(&intr));
}

static void teardown(void)
{
    fake_destroy(vm);
}

/* Whether an edge of IRQ4 came since the last question. */
static bool interrupted(void)
{
    bool was = intr.level;

    if (was)
        pic_ack(vm);
    return was;
}

START_TEST(the_ports_are_there_or_not)
{
    ck_assert_uint_eq(inb(vm, LSR), 0x60);
    ck_assert_uint_eq(inb(vm, 0x2fd), 0xff); /* no chardev: no chip */
    ck_assert_uint_eq(inb(vm, 0x3ed), 0x60);
    outb(vm, SCR, 0x5a);
    ck_assert_uint_eq(inb(vm, SCR), 0x5a);
    ck_assert_uint_eq(inb(vm, 0x3ef), 0);
    outb(vm, LCR, 0x83);
    outb(vm, COM1, 1);
    outb(vm, IER, 2);
    ck_assert_uint_eq(inb(vm, COM1), 1);
    ck_assert_uint_eq(inb(vm, IER), 2);
    outb(vm, LCR, 0x03);
    ck_assert_uint_eq(inb(vm, IER), 0);
}
END_TEST

START_TEST(bytes_go_out)
{
    for (const char *p = "hello"; *p; p++)
        outb(vm, COM1, (uint8_t)*p);
    outb(vm, 0x3e8, '3');
    ck_assert_str_eq(fake_output(vm, "one"), "hello");
    ck_assert_str_eq(fake_output(vm, "three"), "3");
}
END_TEST

START_TEST(reception_without_fifos)
{
    ck_assert_uint_eq(fake_feed(vm, "one", "ab", 2), 1);
    ck_assert(!interrupted());
    outb(vm, IER, 1);
    ck_assert(interrupted());
    ck_assert_uint_eq(inb(vm, IIR), 0x04);
    ck_assert_uint_eq(inb(vm, LSR), 0x61);
    ck_assert_uint_eq(inb(vm, COM1), 'a');
    ck_assert_uint_eq(inb(vm, LSR), 0x60);
    ck_assert_uint_eq(inb(vm, IIR), 0x01);
}
END_TEST

START_TEST(fifos_have_a_trigger_level_and_a_timeout)
{
    uint64_t char_ns = clock_muldiv(10 * 16, NS_PER_SEC, 1843200);

    outb(vm, LCR, 0x83); /* 115200 8N1 */
    outb(vm, COM1, 1);
    outb(vm, IER, 0);
    outb(vm, LCR, 0x03);
    outb(vm, FCR, 0x87); /* 8 bytes */
    outb(vm, IER, 1);
    ck_assert_uint_eq(inb(vm, IIR), 0xc1);
    ck_assert_uint_eq(fake_feed(vm, "one", "1234567", 7), 7);
    ck_assert(!interrupted());
    fake_advance(vm, 4 * char_ns - 1000);
    ck_assert(!interrupted());
    fake_advance(vm, 2000);
    ck_assert(interrupted());
    ck_assert_uint_eq(inb(vm, IIR), 0xcc);
    ck_assert_uint_eq(inb(vm, COM1), '1');
    ck_assert_uint_eq(inb(vm, IIR), 0xc1);
    fake_advance(vm, 5 * char_ns);
    ck_assert_uint_eq(inb(vm, IIR), 0xcc);
    ck_assert_uint_eq(fake_feed(vm, "one", "89", 2), 2);
    ck_assert_uint_eq(inb(vm, IIR), 0xc4);
    ck_assert_uint_eq(fake_feed(vm, "one", "abcdefghijkl", 12), 8);
    for (const char *p = "23456789abcdefgh"; *p; p++)
        ck_assert_uint_eq(inb(vm, COM1), (uint8_t)*p);
    ck_assert_uint_eq(inb(vm, LSR), 0x60);
    fake_advance(vm, 5 * char_ns);
    ck_assert_uint_eq(inb(vm, IIR), 0xc1);
    fake_feed(vm, "one", "xyz", 3);
    outb(vm, FCR, 0x83); /* clears it */
    ck_assert_uint_eq(inb(vm, LSR), 0x60);
}
END_TEST

START_TEST(thr_empty_interrupts_are_not_lost)
{
    outb(vm, FCR, 0x01);
    outb(vm, IER, 2);
    ck_assert(interrupted());
    ck_assert_uint_eq(inb(vm, IIR), 0xc2);
    ck_assert_uint_eq(inb(vm, IIR), 0xc1); /* reading it took it away */
    for (unsigned k = 0; k < 100; k++) {
        for (unsigned n = 0; n < 16; n++)
            outb(vm, COM1, 'x');
        ck_assert(interrupted());
        ck_assert_uint_eq(inb(vm, IIR), 0xc2);
    }
    outb(vm, COM1, 'x'); /* without reading IIR in between */
    ck_assert(interrupted());
    outb(vm, COM1, 'x');
    ck_assert(interrupted());
    ck_assert_uint_eq(strlen(fake_output(vm, "one")), 1602);
}
END_TEST

START_TEST(the_probes_of_linux_succeed)
{
    uint8_t iir;

    outb(vm, IER, 0x0f);
    ck_assert_uint_eq(inb(vm, IER), 0x0f);
    outb(vm, IER, 0x40);
    ck_assert_uint_eq(inb(vm, IER), 0); /* no XScale, no 16750 sleep */
    outb(vm, MCR, 0x1a);
    ck_assert_uint_eq(inb(vm, MSR) & 0xf0, 0x90);
    outb(vm, MCR, 0);
    outb(vm, LCR, 0);
    outb(vm, FCR, 0x01);
    ck_assert_uint_eq(inb(vm, IIR) >> 6, 3);
    outb(vm, LCR, 0xe0);
    outb(vm, FCR, 0x21);
    ck_assert_uint_eq(inb(vm, IIR) >> 5, 6); /* no 64-byte FIFO */
    outb(vm, LCR, 0);
    /* THRE re-enable test: the second enabling must interrupt again */
    outb(vm, IER, 2);
    iir = inb(vm, IIR);
    ck_assert_uint_eq(iir & 1, 0);
    outb(vm, IER, 0);
    outb(vm, IER, 2);
    iir = inb(vm, IIR);
    ck_assert_uint_eq(iir & 1, 0);
}
END_TEST

START_TEST(loopback)
{
    outb(vm, IER, 0x0d);
    inb(vm, MSR);
    outb(vm, MCR, 0x10); /* all inputs fall */
    ck_assert(interrupted());
    ck_assert_uint_eq(inb(vm, IIR), 0);
    ck_assert_uint_eq(inb(vm, MSR), 0x0b);
    ck_assert_uint_eq(inb(vm, MSR), 0);
    outb(vm, MCR, 0x14);
    ck_assert_uint_eq(inb(vm, MSR), 0x40);
    outb(vm, MCR, 0x10);
    ck_assert_uint_eq(inb(vm, MSR), 0x04); /* trailing edge of RI */
    outb(vm, COM1, 'q');
    ck_assert_uint_eq(inb(vm, IIR), 0x04);
    ck_assert_uint_eq(fake_feed(vm, "one", "a", 1), 0);
    outb(vm, COM1, 'r');
    ck_assert_uint_eq(inb(vm, IIR), 0x06); /* overrun */
    ck_assert_uint_eq(inb(vm, LSR), 0x63);
    ck_assert_uint_eq(inb(vm, LSR), 0x61);
    ck_assert_uint_eq(inb(vm, COM1), 'r');
    ck_assert_str_eq(fake_output(vm, "one"), "");
}
END_TEST

START_TEST(two_ports_share_a_line)
{
    outb(vm, IER, 2);
    ck_assert(interrupted());
    outb(vm, 0x3e9, 2);
    ck_assert(!interrupted()); /* an edge needs the line to fall first */
    inb(vm, IIR);
    inb(vm, 0x3ea);
    outb(vm, 0x3e8, 'x');
    ck_assert(interrupted());
}
END_TEST

START_TEST(any_traffic_is_harmless)
{
    srand(3);
    for (unsigned k = 0; k < 200000; k++) {
        uint16_t port = (uint16_t)(COM1 + rand() % 8);

        switch (rand() % 4) {
        case 0: outb(vm, port, (uint8_t)(rand() >> 8)); break;
        case 1: inb(vm, port); break;
        case 2: fake_feed(vm, "one", "0123456789abcdefghijklmnopqrst", (size_t)rand() % 30); break;
        default: fake_advance(vm, (uint64_t)(rand() % 100000)); break;
        }
        if (k % 1000 == 0)
            fake_reset(vm);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uart");
    TCase *tc = tcase_create("uart");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_ports_are_there_or_not);
    tcase_add_test(tc, bytes_go_out);
    tcase_add_test(tc, reception_without_fifos);
    tcase_add_test(tc, fifos_have_a_trigger_level_and_a_timeout);
    tcase_add_test(tc, thr_empty_interrupts_are_not_lost);
    tcase_add_test(tc, the_probes_of_linux_succeed);
    tcase_add_test(tc, loopback);
    tcase_add_test(tc, two_ports_share_a_line);
    tcase_add_test(tc, any_traffic_is_harmless);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
