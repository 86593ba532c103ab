/* SPDX-License-Identifier: MIT */
/* In lockstep deliveries of events are compared, and interrupts that come too early are found. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/exception.h"
#include "cpu/interp.h"
#include "cpu/mem.h"
#include "cpu/rehearsal.h"
#define code_at code_at_host /* protected.h has another one */
#include "jit/lockstep.h"
#include "jit/witness.h"
#undef code_at
#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

static struct fake_machine *m;
static struct cpu *c;
static struct jit j;
static struct code code;
static unsigned calls;
static bool looks_on; /* has the witness been asked? */

static bool on_deliver(struct cpu *cpu, deliver_fn fn, unsigned vec, bool external)
{
    (void)cpu, (void)external;
    looks_on = true;
    return witness_deliver(&j, fn, vec);
}

static bool on_filled(struct cpu *cpu, unsigned mmu, const struct filled_page *page)
{
    (void)cpu, (void)mmu, (void)page;
    return true;
}

static void on_nudge(struct cpu *cpu)
{
    (void)cpu;
}

static const struct translator translator = {
    .deliver = on_deliver, .filled = on_filled, .nudge = on_nudge};

static void setup(void)
{
    m = world_create(NULL);
    c = &m->cpu;
    c->log_items = LOG_LOCKSTEP;
    j = (struct jit){.cpu = c};
    ck_assert_int_eq(shadow_create(&j.shadow), 0);
    ck_assert_int_eq(lockstep_create(&j), 0);
    ck_assert_int_eq(witness_create(&j), 0);
    calls = 0;
    looks_on = false;
}

static void teardown(void)
{
    c->translator = NULL;
    witness_free(&j);
    lockstep_free(&j);
    shadow_free(&j.shadow);
    fake_machine_free(m);
}

static void expect(bool good)
{
    ck_assert(!m->frozen);
    ck_assert_ptr_null(c->rehearsal);
    ck_assert_int_eq(j.failed, !good);
    ck_assert_int_eq((atomic_load(&c->attention) & ATT_EXIT) != 0, !good);
}

/* -- Deliveries -------------------------------------------------------------------------------- */

static bool by_interrupt(void)
{
    return interrupt_deliver(c, 0x20);
}
static bool by_nmi(void)
{
    return nmi_deliver(c);
}
static bool by_fault(void)
{
    cpu_raise_pf(c, 0x1234, 2);
    return exception_deliver(c);
}
static bool by_trap(void)
{
    c->db_pending = DR6_BS;
    return debug_trap_deliver(c);
}

static bool (*const events[])(void) = {by_interrupt, by_nmi, by_fault, by_trap};

START_TEST(events_of_all_kinds_are_watched)
{
    static const uint8_t vectors[] = {0x20, 2, 14, 1};
    uint32_t rip = CODE + 5;

    go_to_level(m, 3);
    c->r[RIP] = rip;
    c->eflags |= EFL_IF;
    c->translator = &translator; /* not before: nothing is to be told to it */
    ck_assert(events[_i]());
    c->translator = NULL;
    ck_assert(looks_on);
    expect(true);
    ck_assert_uint_eq(c->r[RIP], HANDLER + 16u * vectors[_i]);
    ck_assert_uint_eq(c->r[RSP], STACK0 - 0x1000 - (_i == 2 ? 24 : 20));
    ck_assert_uint_eq(get(m, STACK0 - 0x1000 - 20, 4), rip);
    ck_assert_uint_eq(c->nmi_blocked, _i == 1);
    ck_assert_uint_eq(c->cr2, _i == 2 ? 0x1234 : 0);
}
END_TEST

START_TEST(shutdown_is_no_difference)
{
    c->idt.limit = 0;
    c->translator = &translator;
    ck_assert(!interrupt_deliver(c, 0x20));
    expect(true);
}
END_TEST

/* -- Differences ------------------------------------------------------------------------------- */

static void spoil_nothing(void)
{
}
static void spoil_register(void)
{
    c->r[RBP]++;
}
static void spoil_flag(void)
{
    c->eflags ^= EFL_IF;
}
static void spoil_frame(void)
{
    put(m, c->r[RSP], 1, 0x99);
}
static void spoil_segment(void)
{
    c->seg[SEG_SS].limit--;
}
static void spoil_tr(void)
{
    c->tr.base++;
}
static void spoil_cr2(void)
{
    c->cr2 = 1;
}
static void spoil_level(void)
{
    c->cpl = 3;
}

static void (*const spoils[])(void) = {spoil_nothing, spoil_register, spoil_flag, spoil_frame,
                                       spoil_segment, spoil_tr,       spoil_cr2,  spoil_level};
static void (*spoil)(void);

/* Delivers, and the second time spoils something. */
static bool deliver_badly(struct cpu *cpu, unsigned vec)
{
    bool delivered = interrupt_deliver(cpu, (uint8_t)vec);

    if (++calls == 2)
        spoil();
    return delivered;
}

START_TEST(differences_are_found)
{
    spoil = spoils[_i];
    ck_assert(witness_deliver(&j, deliver_badly, 0x20));
    ck_assert_uint_eq(calls, 2);
    expect(_i == 0);
}
END_TEST

static bool fail_later(struct cpu *cpu, unsigned vec)
{
    interrupt_deliver(cpu, (uint8_t)vec);
    return ++calls != 2;
}

START_TEST(another_result_is_found)
{
    ck_assert(!witness_deliver(&j, fail_later, 0x20));
    expect(false);
}
END_TEST

/* The page tables say something else than what is cached of them. */
START_TEST(stale_translations_are_found)
{
    uint64_t *pde = (uint64_t *)(void *)(m->ram + FAKE_RAM_BYTES - 0x1000);
    uint64_t large = UINT64_C(1) << 21;

    fake_machine_enter64(m, CODE, large + STACK0);
    c->gdt = (struct dtable){GDT, GDT_BYTES - 1};
    c->idt = (struct dtable){IDT, 64 * 16 - 1};
    set_gate64(m, 0x20, SEL_CODE64, HANDLER, 0x8e, 0);
    ck_assert(mem_write(c, SEG_SS, large + STACK0 - 8, 3, 0));
    if (_i == 1)
        pde[1] = pde[0];
    c->translator = &translator;
    ck_assert(interrupt_deliver(c, 0x20));
    expect(_i == 0);
}
END_TEST

START_TEST(task_switches_are_left_out)
{
    set_desc(m, SEL_TSS2, descriptor(TSS2, 0x67, 0x0089));
    put(m, TSS2 + 0x20, 4, HANDLER);
    put(m, TSS2 + 0x24, 4, 2);
    put(m, TSS2 + 0x4c, 2, SEL_CODE0);
    put(m, TSS2 + 0x50, 2, SEL_DATA0);
    set_gate32(m, 0x20, gate(SEL_TSS2, 0, 0x85, 0));
    spoil = spoil_nothing;
    ck_assert(witness_deliver(&j, deliver_badly, 0x20));
    expect(true);
    ck_assert_uint_eq(c->tr.sel, SEL_TSS2);
    ck_assert_uint_eq(c->r[RIP], HANDLER);
}
END_TEST

/* IRET and IRETD with NT set go back to another task. */
START_TEST(task_switches_are_not_rehearsed)
{
    bool is16 = _i == 1;
    uint64_t tss = descriptor(TSS2, is16 ? 0x2b : 0x67, is16 ? 0x0083 : 0x008b);

    if (is16)
        CODE_AT(m, CODE, 0x66, 0xcf);
    else
        CODE_AT(m, CODE, 0xcf);
    set_desc(m, SEL_TSS2, tss);
    put(m, TSS, 2, SEL_TSS2);
    put(m, TSS2 + (is16 ? 0x0e : 0x20), is16 ? 2 : 4, 0x1000);
    put(m, TSS2 + (is16 ? 0x24 : 0x4c), 2, SEL_CODE0);
    put(m, TSS2 + (is16 ? 0x26 : 0x50), 2, SEL_DATA0);
    c->eflags |= EFL_NT;
    code = (struct code){.block = block_lookup(c), .guest = {CODE & 0xfff}};
    lockstep_begin(&j, &code, 0, true);
    ck_assert_uint_eq(c->tr.sel, SEL_TSS);
    ck_assert_uint_eq(get(m, GDT + SEL_TSS2, 8), tss);
    ck_assert(lockstep_check(&j, &code, 0));
    lockstep_begin(&j, &code, 0, true);
    ck_assert(interp_block(c, code.block, 1)); /* it could have */
    ck_assert_uint_eq(c->tr.sel, SEL_TSS2);
    ck_assert(!lockstep_check(&j, &code, LOCKSTEP_END));
}
END_TEST

/* -- Shadows ----------------------------------------------------------------------------------- */

/* sti; nop; nop; hlt */
START_TEST(no_interrupt_comes_right_behind_sti)
{
    CODE_AT(m, CODE, 0xfb, 0x90, 0x90, 0xf4);
    code = (struct code){.block = block_lookup(c)};
    ck_assert_uint_ge(code.block->count, 3);
    for (unsigned k = 0; k < code.block->count; k++)
        code.guest[k] = (uint16_t)((CODE & 0xfff) + k);
    lockstep_begin(&j, &code, 0, true);
    ck_assert(m->frozen);
    c->eflags |= EFL_IF;
    c->r[RIP] += (unsigned)_i;
    ck_assert(lockstep_check(&j, &code, (unsigned)_i));
    ck_assert(!m->frozen);
    ck_assert_int_eq(lockstep_allows_interrupt(&j), _i != 1);
    expect(_i != 1);
    lockstep_note_interpreted(&j, &code, 1);
    ck_assert(lockstep_allows_interrupt(&j));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("witness");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, events_of_all_kinds_are_watched, 0, 4);
    tcase_add_test(tc, shutdown_is_no_difference);
    tcase_add_loop_test(tc, differences_are_found, 0, sizeof(spoils) / sizeof(spoils[0]));
    tcase_add_test(tc, another_result_is_found);
    tcase_add_loop_test(tc, stale_translations_are_found, 0, 2);
    tcase_add_test(tc, task_switches_are_left_out);
    tcase_add_loop_test(tc, task_switches_are_not_rehearsed, 0, 2);
    tcase_add_loop_test(tc, no_interrupt_comes_right_behind_sti, 1, 3);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
