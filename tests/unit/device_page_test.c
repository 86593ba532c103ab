/* SPDX-License-Identifier: MIT */
/* Pages of devices in the translation cache: their rights, and when they are forgotten. */
#include <check.h>
#include <stdlib.h>

#include "cpu/mem.h"
#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

#define PAGE       0x200000u /* the second large page */
#define PDE        (FAKE_RAM_BYTES - 0x1000 + 8)
#define SAME_ENTRY (PAGE + TLB_SIZE * 0x1000u) /* of the translation cache */
#define DEVICE     0x40000000u                 /* where there is no memory: reads give ones */
#define RAM        0x200000u

enum { READ_ONLY = 0x81, WRITABLE = 0x83 };

static struct fake_machine *m;
static struct cpu *c;

/* 64-bit code at level 0, RDI at the page. */
static void setup(void)
{
    m = world_create64();
    c = &m->cpu;
    c->cr0 |= CR0_WP;
    c->r[RDI] = PAGE + 8;
    put(m, RAM + 8, 1, 0x5a);
}

static void teardown(void)
{
    fake_machine_free(m);
}

#define RUN(...) RUN_AT_0(m, __VA_ARGS__)

static void map_page(uint32_t pa, unsigned bits)
{
    put(m, PDE, 8, pa | bits);
}

/* MOV AL, [RDI] */
static uint8_t read_byte(void)
{
    ck_assert_int_eq(RUN(0x8a, 0x07), -1);
    return (uint8_t)c->r[RAX];
}

/* MOV [RDI], AL */
static int write_byte(void)
{
    return RUN(0x88, 0x07);
}

static void invlpg(void)
{
    ck_assert_int_eq(RUN(0x0f, 0x01, 0x3f), -1);
}

/* _i: the first access is a write. */
START_TEST(translations_are_kept)
{
    map_page(DEVICE, WRITABLE);
    cpu_flush_tlb(c);
    if (_i)
        ck_assert_int_eq(write_byte(), -1);
    else
        ck_assert_uint_eq(read_byte(), 0xff);
    map_page(RAM, WRITABLE);
    ck_assert_uint_eq(read_byte(), 0xff);
    invlpg();
    ck_assert_uint_eq(read_byte(), 0x5a);
    map_page(DEVICE, WRITABLE);
    cpu_flush_tlb(c);
    ck_assert_uint_eq(read_byte(), 0xff);
}
END_TEST

START_TEST(other_pages_are_not_meant)
{
    map_page(DEVICE, WRITABLE);
    cpu_flush_tlb(c);
    ck_assert_uint_eq(read_byte(), 0xff);
    put(m, PDE + 8 * (SAME_ENTRY / PAGE - 1), 8, RAM | WRITABLE);
    c->r[RDI] = SAME_ENTRY + 8;
    ck_assert_uint_eq(read_byte(), 0x5a);
    c->r[RDI] = PAGE + 8;
    ck_assert_uint_eq(read_byte(), 0xff);
}
END_TEST

START_TEST(reading_gives_no_right_to_write)
{
    map_page(DEVICE, READ_ONLY);
    cpu_flush_tlb(c);
    ck_assert_uint_eq(read_byte(), 0xff);
    ck_assert_int_eq(write_byte(), VEC_PF);
    ck_assert_uint_eq(get(m, c->r[RSP], 4), PFERR_P | PFERR_W);
    map_page(DEVICE, WRITABLE);
    invlpg();
    ck_assert_int_eq(write_byte(), -1);
    ck_assert_uint_eq(get(m, PDE, 8) & 0x60, 0x60); /* accessed and dirty */
}
END_TEST

/* The dirty bit is set by the first write, whatever was read before. */
START_TEST(first_write_is_noted)
{
    map_page(DEVICE, WRITABLE);
    cpu_flush_tlb(c);
    ck_assert_uint_eq(read_byte(), 0xff);
    ck_assert_uint_eq(get(m, PDE, 8) & 0x60, 0x20);
    ck_assert_int_eq(write_byte(), -1);
    ck_assert_uint_eq(get(m, PDE, 8) & 0x60, 0x60);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("device pages");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, translations_are_kept, 0, 2);
    tcase_add_test(tc, other_pages_are_not_meant);
    tcase_add_test(tc, reading_gives_no_right_to_write);
    tcase_add_test(tc, first_write_is_noted);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
