/* SPDX-License-Identifier: MIT */
/* The driver's own parts: what makes cases simple, and what runs them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/diff_minimise.h"
#include "tests/diff/insn_guest.h"

static struct {
    struct machine machines[GUEST_SYSTEMS];
    struct cpu *decoder;
    unsigned asked;
} t;

static bool has_all(enum isa isa)
{
    (void)isa;
    return true;
}

static void setup(void)
{
    for (unsigned n = 0; n < GUEST_SYSTEMS; n++)
        ck_assert(machine_open(&t.machines[n], (enum guest_system)n));
    t.decoder = guest_create(has_all, GUEST_LONG);
    ck_assert_ptr_nonnull(t.decoder);
    t.asked = 0;
}

/* A case with this code; all registers and all of memory have something in them. */
static void make_case(struct diff_case *k, enum guest_system system, enum code_size size,
                      const void *code, unsigned len)
{
    struct rng r = {.s = 1, .data_base = data_base(size)};

    memset(k, 0, sizeof(*k));
    k->system = system;
    k->seq.size = size;
    k->seq.len = len;
    memcpy(k->seq.code, code, len);
    ck_assert(diff_find_rows(t.decoder, &k->seq));
    gen_state(&r, size, &k->before);
    gen_segments(size, &k->before.seg);
    gen_first_memory(k->mem);
    gen_memory(&r, k->mem, RW_PAGES * PAGE);
}

/* A processor that gets ADC with the carry wrong where the result is stored to memory. */
static bool is_broken_adc(void *self, const struct diff_case *k)
{
    struct outcome *out = calloc(1, sizeof(*out));
    bool broken = false;

    (void)self;
    t.asked++;
    machine_run(&t.machines[k->system], k, out);
    for (unsigned n = 0; n < k->seq.count && out->ended; n++)
        broken |= strcmp(optab[k->seq.insn[n].row].name, "ADC") == 0 &&
                  out->s.rip > sequence_start(&k->seq) + k->seq.insn[n].at &&
                  memcmp(out->mem, k->mem, DATA_SIZE) != 0;
    free(out);
    return broken;
}

START_TEST(one_instruction_remains)
{
    static const uint8_t code[] = {
        0x48, 0xbb, 0x10, 0x0d, 0x01, 0x20, 0, 0, 0, 0, /* mov rbx, DATA_LA + 0xd10 */
        0x48, 0x01, 0xd8,                               /* add rax, rbx */
        0x0f, 0x58, 0xc1,                               /* addps xmm0, xmm1 */
        0xf2, 0x3e, 0x48, 0x11, 0x0b,                   /* adc [rbx], rcx, with idle prefixes */
        0x90, 0x99,                                     /* nop; cdq */
    };
    struct minimise m = {t.decoder, t.machines, is_broken_adc, NULL};
    struct diff_case *k = malloc(sizeof(*k));
    struct state plain;

    make_case(k, GUEST_LONG, CODE_64, code, sizeof(code));
    ck_assert(is_broken_adc(NULL, k));
    diff_minimise(&m, k);
    ck_assert(is_broken_adc(NULL, k));
    ck_assert_uint_eq(k->seq.count, 1);
    ck_assert_uint_le(k->seq.len, 3);
    /* Its address must stay, and a carry or a number that it adds. */
    ck_assert_uint_eq(k->before.r[RBX], DATA_LA + 0xd10);
    diff_plain_state(CODE_64, &plain);
    ck_assert_uint_eq(k->before.r[RAX], plain.r[RAX]);
    ck_assert_uint_eq(k->before.r[RSI], plain.r[RSI]);
    ck_assert_uint_le(k->before.r[RCX], 1);
    ck_assert_mem_eq(&k->before.fx.xmm, &plain.fx.xmm, sizeof(plain.fx.xmm));
    ck_assert_mem_eq(&k->before.fx.st, &plain.fx.st, sizeof(plain.fx.st));
    for (unsigned n = 0; n < RW_PAGES * PAGE; n++)
        ck_assert_uint_eq(k->mem[n], 0);
    ck_assert_uint_lt(t.asked, 1000);
    free(k);
}
END_TEST

/* What does not fail stays as it is. */
static bool never(void *self, const struct diff_case *k)
{
    (void)self, (void)k;
    t.asked++;
    return false;
}

START_TEST(what_does_not_fail_stays)
{
    static const uint8_t code[] = {0x66, 0x01, 0xd8, 0x11, 0x0b};
    struct minimise m = {t.decoder, t.machines, never, NULL};
    struct diff_case *k = malloc(2 * sizeof(*k));

    make_case(k, GUEST_PAGED, CODE_32, code, sizeof(code));
    k[1] = k[0];
    diff_minimise(&m, k);
    ck_assert_uint_gt(t.asked, 50);
    ck_assert_mem_eq(&k[0], &k[1], sizeof(*k));
    free(k);
}
END_TEST

/* A repeated instruction that has overwritten itself does not pause by itself; here nothing else
 * ends it for 2^32 elements. */
START_TEST(wanderers_do_not_end)
{
    static const uint8_t code[] = {0xf3, 0xa5}; /* rep movsd */
    struct diff_case *k = malloc(sizeof(*k));
    struct outcome *out = calloc(1, sizeof(*out));

    make_case(k, GUEST_UNPAGED, CODE_32, code, sizeof(code));
    k->before.eflags = EFL_FIXED | EFL_IF;
    k->before.r[RCX] = UINT32_MAX;
    k->before.r[RSI] = DATA_LA;
    k->before.r[RDI] = CODE_LA;
    machine_run(&t.machines[GUEST_UNPAGED], k, out);
    ck_assert(!out->ended);
    /* Nor is the machine spoilt for others. */
    k->before.r[RCX] = 1;
    k->before.r[RDI] = DATA_LA + 64;
    machine_run(&t.machines[GUEST_UNPAGED], k, out);
    ck_assert(out->ended);
    ck_assert_mem_eq(out->mem + 64, k->mem, 4);
    free(k);
    free(out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("diff");
    TCase *tc = tcase_create("diff");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, one_instruction_remains);
    tcase_add_test(tc, what_does_not_fail_stays);
    tcase_add_test(tc, wanderers_do_not_end);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
