/* SPDX-License-Identifier: MIT */
/* Lockstep finds what translated code does wrong. The interpreter plays the translated code here,
 * and each test spoils something of what it did. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/flags.h"
#include "cpu/interp.h"
#include "cpu/isa.h"
#include "jit/lockstep.h"
#include "tests/unit/fake_machine.h"

#define CODE 0x1000
#define DATA 0x3000
#define LAST 4 /* IN, which is left to the interpreter */

static const uint8_t bytes[] = {
    0x21, 0xd8,       /* and eax, ebx: AF is undefined */
    0x89, 0x03,       /* mov [ebx], eax */
    0x0f, 0x58, 0xc1, /* addps xmm0, xmm1 */
    0x8b, 0x0e,       /* mov ecx, [esi] */
    0xe4, 0x60,       /* in al, 60h */
    0xf4,             /* hlt */
};

static struct fake_machine *m;
static struct cpu *c;
static struct jit j;
static struct code code;

static void setup(void)
{
    m = fake_machine_create(NULL);
    c = &m->cpu;
    c->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    fake_machine_enter32(m, CODE, 0x2000);
    memcpy(m->ram + CODE, bytes, sizeof(bytes));
    memset(m->ram + DATA, 0x55, 64);
    c->r[RAX] = 0xffffffff;
    c->r[RBX] = DATA + 16;
    c->r[RSI] = DATA + 32;
    c->fpu.xmm[1].d[0] = 0x3f800000;
    c->log_items = LOG_LOCKSTEP;
    j = (struct jit){.cpu = c};
    ck_assert_int_eq(shadow_create(&j.shadow), 0);
    ck_assert_int_eq(lockstep_create(&j), 0);
    code = (struct code){.block = block_lookup(c), .declined = 1u << LAST};
    ck_assert_uint_gt(code.block->count, LAST);
    for (unsigned k = 0, at = CODE; k < code.block->count; at += code.block->insn[k++].len)
        code.guest[k] = (uint16_t)(at & 0xfff);
}

static void teardown(void)
{
    lockstep_free(&j);
    shadow_free(&j.shadow);
    fake_machine_free(m);
}

/* Rehearse, then execute n instructions, at least one. */
static void run(unsigned n)
{
    uint8_t ram[64];
    struct fpu fpu = c->fpu;
    uint64_t eax = c->r[RAX];

    memcpy(ram, m->ram + DATA, sizeof(ram));
    lockstep_begin(&j, &code, 0, true);
    ck_assert_mem_eq(ram, m->ram + DATA, sizeof(ram));
    ck_assert_mem_eq(fpu.xmm, c->fpu.xmm, sizeof(fpu.xmm));
    ck_assert_uint_eq(c->r[RIP], CODE);
    ck_assert_uint_eq(c->r[RAX], eax);
    ck_assert(interp_block(c, code.block, n));
}

static void expect(bool good, unsigned k)
{
    ck_assert_int_eq(lockstep_check(&j, &code, k), good);
    ck_assert_int_eq(j.failed, !good);
    ck_assert_int_eq((atomic_load(&c->attention) & ATT_EXIT) != 0, !good);
}

START_TEST(the_same_is_no_difference)
{
    run(LAST);
    expect(true, LAST);
    ck_assert_uint_eq(c->fpu.xmm[0].d[0], 0x3f800000);
    ck_assert_uint_eq(m->ram[DATA + 17], (DATA + 16) >> 8);
}
END_TEST

START_TEST(it_may_stop_early)
{
    run((unsigned)_i);
    expect(true, (unsigned)_i);
}
END_TEST

START_TEST(too_little_or_too_much_done)
{
    run((unsigned)_i);
    expect(false, (unsigned)_i == LAST ? LAST - 1 : LAST);
}
END_TEST

START_TEST(nothing_runs_beyond_what_was_rehearsed)
{
    run(LAST);
    expect(false, LOCKSTEP_END);
}
END_TEST

START_TEST(undefined_flags_do_not_matter)
{
    run(LAST);
    flags_set_arith(c, flags_arith(c) ^ EFL_AF);
    expect(true, LAST);
}
END_TEST

static void spoil_register(void)
{
    c->r[RDI] ^= UINT64_C(1) << 40;
}
static void spoil_flag(void)
{
    flags_set_arith(c, flags_arith(c) ^ EFL_SF);
}
static void spoil_direction(void)
{
    c->eflags ^= EFL_DF;
}
static void spoil_rip(void)
{
    c->r[RIP]++;
}
static void spoil_written(void)
{
    m->ram[DATA + 16] ^= 1;
}
static void spoil_beside_written(void)
{
    m->ram[DATA + 20] = 0;
}
static void spoil_xmm(void)
{
    c->fpu.xmm[0].b[15] ^= 0x80;
}
static void spoil_mxcsr(void)
{
    c->fpu.mxcsr ^= 0x20;
}

static void (*const spoils[])(void) = {spoil_register, spoil_flag,    spoil_direction,
                                       spoil_rip,      spoil_written, spoil_beside_written,
                                       spoil_xmm,      spoil_mxcsr};

START_TEST(a_difference_is_found)
{
    run(LAST);
    spoils[_i]();
    expect(false, LAST);
}
END_TEST

START_TEST(devices_are_left_alone)
{
    c->r[RBX] = FAKE_RAM_BYTES; /* nothing is there */
    run(1);
    expect(true, 1);
    lockstep_begin(&j, &code, 1, true);
    c->r[RIP] += 2; /* it must not store by itself */
    expect(false, 2);
}
END_TEST

START_TEST(faults_and_code_stop_it)
{
    if (_i == 0)
        c->r[RBX] = CODE + 0x800; /* a page with decoded code */
    else
        c->seg[SEG_DS].limit = c->seg[SEG_DS].rd_end = c->seg[SEG_DS].wr_end = DATA;
    run(1);
    expect(true, 1);
    ck_assert_uint_eq(m->ram[CODE + 0x800], 0);
}
END_TEST

/* An IRET that faults, or switches tasks, has not ended the blocking of NMIs when it begins. */
START_TEST(nmis_are_blocked_until_iret)
{
    static const uint8_t nop_iret[] = {0x90, 0xcf};
    const uint32_t at = CODE + 0x1000;

    memcpy(m->ram + at, nop_iret, sizeof(nop_iret));
    c->r[RIP] = at;
    c->nmi_blocked = true;
    if (_i == 1)
        c->eflags |= EFL_NT;
    code = (struct code){.block = block_lookup(c)};
    code.guest[1] = 1;
    ck_assert_uint_eq(code.block->count, 2);
    lockstep_begin(&j, &code, 0, true);
    ck_assert(interp_block(c, code.block, 1));
    expect(true, 1);
}
END_TEST

/* Accessed and dirty bits are not set by a rehearsal, nor does it leave a translation behind that
 * keeps them from being set. */
START_TEST(page_walks_are_taken_back)
{
    uint64_t *pde = (uint64_t *)(void *)(m->ram + FAKE_RAM_BYTES - 0x1000), before;

    fake_machine_enter64(m, CODE, 0x2000);
    code.block = block_lookup(c);
    before = *pde;
    c->r[RAX] = ~UINT64_C(0);
    lockstep_begin(&j, &code, 0, true);
    ck_assert_uint_eq(*pde, before);
    ck_assert(interp_block(c, code.block, LAST));
    ck_assert_uint_eq(*pde, before | 0x60);
    expect(true, LAST);
}
END_TEST

START_TEST(some_runs_are_left_out)
{
    unsigned found = 0;

    c->log_items = LOG_LOCKSTEP_SOME;
    for (unsigned n = 0; n < 65536; n++)
        lockstep_begin(&j, &code, 0, true);
    ck_assert(!lockstep_check(&j, &code, 1)); /* nothing has been executed */
    for (unsigned n = 0; n < 610; n++) {
        lockstep_begin(&j, &code, 0, true);
        found += !lockstep_check(&j, &code, 1);
    }
    ck_assert_uint_eq(found, 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lockstep");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_same_is_no_difference);
    tcase_add_loop_test(tc, it_may_stop_early, 1, LAST + 1);
    tcase_add_loop_test(tc, too_little_or_too_much_done, 1, LAST + 1);
    tcase_add_test(tc, nothing_runs_beyond_what_was_rehearsed);
    tcase_add_test(tc, undefined_flags_do_not_matter);
    tcase_add_loop_test(tc, a_difference_is_found, 0, sizeof(spoils) / sizeof(spoils[0]));
    tcase_add_test(tc, devices_are_left_alone);
    tcase_add_loop_test(tc, faults_and_code_stop_it, 0, 2);
    tcase_add_loop_test(tc, nmis_are_blocked_until_iret, 0, 2);
    tcase_add_test(tc, page_walks_are_taken_back);
    tcase_add_test(tc, some_runs_are_left_out);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
