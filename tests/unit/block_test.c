/* SPDX-License-Identifier: MIT */
/* Decoded blocks in little memory: the oldest make room, and nothing finds them any more. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/block.h"
#include "cpu/isa.h"
#include "tests/unit/fake_machine.h"

#define FIRST  0x2000u
#define STRIDE 8u
#define PAGE   0x1000u

/* Many more than there is room for. */
#define FUNCTIONS ((FAKE_RAM_BYTES - FIRST - 2 * PAGE) / STRIDE)

static struct fake_machine *m;
static struct cpu *c;

static void put_function(unsigned n, uint8_t add)
{
    const uint8_t code[] = {0x83, 0xc0, add, 0xc3}; /* add eax, add; ret */
    memcpy(m->ram + FIRST + n * STRIDE, code, sizeof(code));
}

static void setup(void)
{
    m = fake_machine_create(NULL);
    c = &m->cpu;
    fake_machine_enter32(m, FIRST, 0x1000);
    for (unsigned n = 0; n < FUNCTIONS; n++)
        put_function(n, (uint8_t)(n % 100));
    ck_assert(blocks_resize(c, BLOCKS_MIN_BYTES));
}

static void teardown(void)
{
    fake_machine_free(m);
}

static struct block *block_of(unsigned n)
{
    c->r[RIP] = FIRST + n * STRIDE;
    return block_lookup(c);
}

static uint64_t added_by(const struct block *b)
{
    return b->insn[0].imm;
}

START_TEST(all_are_right_again_and_again)
{
    uint64_t flushes = blocks_stats(c).flushes;

    for (unsigned pass = 0; pass < 5; pass++)
        for (unsigned n = 0; n < FUNCTIONS; n++) {
            const struct block *b = block_of(n);
            if (b == NULL || b->pa != FIRST + n * STRIDE || b->count != 2 || b->dead ||
                added_by(b) != n % 100)
                ck_abort_msg("function %u", n);
        }
    ck_assert_uint_eq(blocks_stats(c).flushes, flushes);
    ck_assert_uint_ge(blocks_stats(c).dropped, 5);
}
END_TEST

/* What is new stays: each drop leaves most blocks alone. */
START_TEST(only_the_oldest_go)
{
    uint64_t decoded;
    unsigned n = 0;

    while (blocks_stats(c).dropped < 3)
        ck_assert_ptr_nonnull(block_of(n++));
    decoded = blocks_stats(c).decoded;
    for (unsigned k = n * 3 / 4; k < n; k++)
        block_of(k);
    ck_assert_uint_eq(blocks_stats(c).decoded, decoded);
    block_of(0);
    ck_assert_uint_eq(blocks_stats(c).decoded, decoded + 1);
}
END_TEST

/* Writes still reach all that is there, blocks across pages too, and pages without code are free.
 */
/* Write to the page of function n, behind it, until the page holds no code; how often. */
static unsigned writes_until_free(unsigned n)
{
    uint64_t pa = FIRST + n * STRIDE;

    for (unsigned k = 1; k < 2000; k++) {
        cpu_code_written(c, pa + STRIDE + k % 16, 1);
        if (!blocks_has_code(c, pa))
            return k;
    }
    return 0;
}

/* A page that no longer holds code becomes free; one that still does is freed ever later, and then
 * not at all, until much else has been decoded. */
START_TEST(misses)
{
    const unsigned n = 1000, other = n + 3 * PAGE / STRIDE;
    unsigned last = 0, freed = 0;

    block_of(n);
    block_of(other);
    for (unsigned k; block_of(n) != NULL && (k = writes_until_free(n)) != 0; last = k, freed++)
        ck_assert_uint_gt(k, last);
    ck_assert_uint_gt(freed, 2);
    ck_assert(!block_of(n)->dead);
    ck_assert(blocks_has_code(c, FIRST + other * STRIDE));
    cpu_code_written(c, FIRST + n * STRIDE, 1);
    ck_assert(!blocks_has_code(c, FIRST + n * STRIDE));
    for (unsigned k = 2 * n; k < 2 * n + 5000; k++)
        block_of(k);
    block_of(n);
    ck_assert_uint_ne(writes_until_free(n), 0);
    block_of(n);
    ck_assert_uint_gt(writes_until_free(n), 2);
}
END_TEST

/* Bytes that are no instruction, until the second one is written. */
START_TEST(what_was_no_instruction)
{
    static const unsigned places[] = {FIRST, FIRST + PAGE - 1};

    for (unsigned k = 0; k < 2; k++) {
        memcpy(m->ram + places[k], "\x0f\x04", 2);
        c->r[RIP] = places[k];
        const struct block *b = block_lookup(c);
        ck_assert(!b->dead);
        m->ram[places[k] + 1] = 0xc8; /* BSWAP EAX */
        cpu_code_written(c, places[k] + 1, 1);
        ck_assert(b->dead);
        ck_assert_str_eq(optab[block_lookup(c)->insn[0].op].name, "BSWAP");
    }
}
END_TEST

START_TEST(writes_after_drops)
{
    for (unsigned pass = 0; pass < 3; pass++) {
        for (unsigned n = 0; n < FUNCTIONS; n++) {
            block_of(n);
            c->r[RIP] = (FIRST + n * STRIDE) | (PAGE - 2); /* a few bytes here, the rest there */
            if (n % 64 == 0)
                block_lookup(c);
        }
        for (unsigned n = pass; n < FUNCTIONS; n += 3) {
            put_function(n, (uint8_t)(pass + 100));
            cpu_code_written(c, FIRST + n * STRIDE, STRIDE);
            if (added_by(block_of(n)) != pass + 100)
                ck_abort_msg("function %u", n);
        }
    }
    for (unsigned n = 0; n < FUNCTIONS; n++)
        if (added_by(block_of(n)) != n % 3 + 100)
            ck_abort_msg("function %u", n);
    cpu_code_written(c, 0, FAKE_RAM_BYTES);
    for (uint64_t pa = 0; pa < FAKE_RAM_BYTES; pa += PAGE)
        ck_assert(!blocks_has_code(c, pa));
}
END_TEST

/* Two pages of code are one page of memory: an instruction across them begins at its end. */
START_TEST(tail_in_front)
{
    const uint32_t tables[] = {0x1007}, pages[] = {0x5007, 0x5007};

    memcpy(m->ram, tables, sizeof(tables));
    memcpy(m->ram + 0x1000, pages, sizeof(pages));
    c->cr3 = 0;
    c->cr0 |= CR0_PG;
    cpu_update_mode(c);
    cpu_flush_tlb(c);
    memcpy(m->ram + 0x5ffe, "\x83\xc0", 2); /* add eax, ... */
    c->r[RIP] = PAGE - 2;
    for (uint8_t add = 1; add < 4; add++) {
        m->ram[0x5000] = add;
        cpu_code_written(c, 0x5000, 1);
        ck_assert_uint_eq(added_by(block_lookup(c)), add);
        ck_assert_uint_eq(block_lookup(c)->count, 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("block");
    TCase *tc = tcase_create("block");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, all_are_right_again_and_again);
    tcase_add_test(tc, only_the_oldest_go);
    tcase_add_test(tc, misses);
    tcase_add_test(tc, what_was_no_instruction);
    tcase_add_test(tc, writes_after_drops);
    tcase_add_test(tc, tail_in_front);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
