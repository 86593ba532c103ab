/* SPDX-License-Identifier: MIT */
/* 8237A pair: register access through the flip-flop, transfers, terminal count, hostile
 * programming. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/dma.h"
#include "tests/unit/fake_vmm.h"

static struct vm *vm;

static void setup(void)
{
    static const struct board_row rows[] = {{&dma_class, NULL}, {NULL, NULL}};

    vm = fake_create(rows, NULL);
}

static void teardown(void)
{
    fake_destroy(vm);
}

/* Channel 2, as a floppy driver does it. */
static void program(uint8_t mode, uint32_t pa, uint16_t count)
{
    outb(vm, 0x0a, 0x06);
    outb(vm, 0x0c, 0);
    outb(vm, 0x04, (uint8_t)pa);
    outb(vm, 0x04, (uint8_t)(pa >> 8));
    outb(vm, 0x81, (uint8_t)(pa >> 16));
    outb(vm, 0x05, (uint8_t)count);
    outb(vm, 0x05, (uint8_t)(count >> 8));
    outb(vm, 0x0b, mode);
    outb(vm, 0x0a, 0x02);
}

START_TEST(registers_go_through_the_flip_flop)
{
    program(0x46, 0x123456, 0x789a);
    outb(vm, 0x0c, 0);
    ck_assert_uint_eq(inb(vm, 0x04), 0x56);
    ck_assert_uint_eq(inb(vm, 0x04), 0x34);
    ck_assert_uint_eq(inb(vm, 0x05), 0x9a);
    outb(vm, 0x0c, 0);
    ck_assert_uint_eq(inb(vm, 0x05), 0x9a);
    ck_assert_uint_eq(inb(vm, 0x05), 0x78);
    ck_assert_uint_eq(inb(vm, 0x0f), 0xfb);
    outb(vm, 0x0d, 0);
    ck_assert_uint_eq(inb(vm, 0x0f), 0xff);
    outb(vm, 0x80, 0x12); /* progress code */
    ck_assert_uint_eq(inb(vm, 0x80), 0x12);
    outb(vm, 0xc0, 0x11); /* the word controller has every second port */
    outb(vm, 0xc0, 0x22);
    ck_assert_uint_eq(inb(vm, 0xc0), 0x11);
    ck_assert_uint_eq(inb(vm, 0xc0), 0x22);
    dma_set_request(vm, 2, true);
    ck_assert_uint_eq(inb(vm, 0x08), 0x40);
}
END_TEST

START_TEST(memory_is_filled_and_read)
{
    uint8_t buf[512], back[512];
    bool tc;

    for (unsigned k = 0; k < sizeof(buf); k++)
        buf[k] = (uint8_t)(k * 7);
    program(0x46, 0x12000, 511);
    ck_assert_uint_eq(dma_transfer(vm, 2, buf, 200, &tc), 200);
    ck_assert(!tc);
    ck_assert_uint_eq(dma_transfer(vm, 2, buf + 200, 1000, &tc), 312);
    ck_assert(tc);
    ck_assert_mem_eq(fake_of(vm)->ram + 0x12000, buf, 512);
    ck_assert_uint_eq(inb(vm, 0x08), 0x04);
    ck_assert_uint_eq(inb(vm, 0x08), 0);
    ck_assert_uint_eq(dma_transfer(vm, 2, buf, 10, &tc), 0); /* masked now */
    program(0x5a, 0x12000, 511);                             /* read, auto-initialise */
    ck_assert_uint_eq(dma_transfer(vm, 2, back, 512, &tc), 512);
    ck_assert_mem_eq(back, buf, 512);
    ck_assert_uint_eq(dma_transfer(vm, 2, back, 512, &tc), 512);
    outb(vm, 0x08, 0x04); /* controller disabled */
    ck_assert_uint_eq(dma_transfer(vm, 2, back, 512, &tc), 0);
}
END_TEST

START_TEST(addresses_wrap_in_their_page)
{
    uint8_t buf[16];
    bool tc;

    memset(buf, 0x5a, sizeof(buf));
    program(0x46, 0x2fff8, 15);
    ck_assert_uint_eq(dma_transfer(vm, 2, buf, 16, &tc), 16);
    ck_assert_uint_eq(fake_of(vm)->ram[0x2ffff], 0x5a);
    ck_assert_uint_eq(fake_of(vm)->ram[0x20007], 0x5a);
    ck_assert_uint_eq(fake_of(vm)->ram[0x20008], 0);
    ck_assert_uint_eq(fake_of(vm)->ram[0x30000], 0);
    for (unsigned k = 0; k < sizeof(buf); k++)
        buf[k] = (uint8_t)k;
    program(0x66, 0x4000f, 15); /* downwards */
    dma_transfer(vm, 2, buf, 16, &tc);
    ck_assert_uint_eq(fake_of(vm)->ram[0x4000f], 0);
    ck_assert_uint_eq(fake_of(vm)->ram[0x40000], 15);
}
END_TEST

START_TEST(word_channels)
{
    uint8_t buf[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    bool tc;

    outb(vm, 0xd8, 0);
    outb(vm, 0xc4, 0x00); /* channel 5: word address 0x8000 */
    outb(vm, 0xc4, 0x80);
    outb(vm, 0x8b, 0x05); /* bit 0 is not used */
    outb(vm, 0xc6, 3);
    outb(vm, 0xc6, 0);
    outb(vm, 0xd6, 0x45);
    outb(vm, 0xd4, 0x01);
    ck_assert_uint_eq(dma_transfer(vm, 5, buf, 9, &tc), 8);
    ck_assert(tc);
    ck_assert_mem_eq(fake_of(vm)->ram + 0x50000, buf, 8);
}
END_TEST

START_TEST(any_traffic_is_harmless)
{
    uint8_t buf[4096] = {0};
    bool tc;

    srand(5);
    for (unsigned k = 0; k < 200000; k++) {
        uint16_t port = (uint16_t)(rand() % 3 == 0 ? 0x80 + rand() % 16 : rand() % 16);

        if (rand() & 1)
            port = (uint16_t)(0xc0 + rand() % 32);
        if (rand() & 1)
            outb(vm, port, (uint8_t)(rand() >> 8));
        else
            inb(vm, port);
        dma_transfer(vm, (unsigned)rand() % 9, buf, (size_t)rand() % sizeof(buf), &tc);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dma");
    TCase *tc = tcase_create("dma");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, registers_go_through_the_flip_flop);
    tcase_add_test(tc, memory_is_filled_and_read);
    tcase_add_test(tc, addresses_wrap_in_their_page);
    tcase_add_test(tc, word_channels);
    tcase_add_test(tc, any_traffic_is_harmless);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
