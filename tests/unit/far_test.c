/* SPDX-License-Identifier: MIT */
/* Far transfers: jumps, calls and returns through segments and gates, IRET, task switches. */
#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

#include <stdlib.h>

#define TARGET 0x14000

static void finish(struct fake_machine *m)
{
    fake_machine_free(m);
}

/* jmp far sel:off (32-bit) */
static void put_jmp(struct fake_machine *m, uint16_t sel, uint32_t off)
{
    CODE_AT(m, CODE, 0xea);
    put(m, CODE + 1, 4, off);
    put(m, CODE + 5, 2, sel);
}

static void put_call(struct fake_machine *m, uint16_t sel, uint32_t off)
{
    put_jmp(m, sel, off);
    CODE_AT(m, CODE, 0x9a);
}

/* -- Direct ------------------------------------------------------------------------------------ */

START_TEST(jump_to_code_of_another_size)
{
    struct fake_machine *m = world_create(NULL);
    put_jmp(m, SEL_CODE16, TARGET);
    step(m);
    ck_assert_uint_eq(m->cpu.seg[SEG_CS].sel, SEL_CODE16);
    ck_assert_uint_eq(m->cpu.r[RIP], TARGET);
    ck_assert(!(m->cpu.mode & MODE_CS32));
    finish(m);
}
END_TEST

START_TEST(bad_jumps_fault)
{
    static const struct {
        uint16_t sel;
        uint32_t off;
        int vec, err;
    } cases[] = {
        {0, 0, VEC_GP, 0},
        {SEL_DATA0, 0, VEC_GP, SEL_DATA0},
        {SEL_CODE3, 0, VEC_GP, SEL_CODE3 & ~3},
        {SEL_CODE0 | 3, 0, VEC_GP, SEL_CODE0},
        {SEL_CODE16, 0x40000, VEC_GP, 0},
        {SEL_TSS, 0, VEC_GP, SEL_TSS}, /* busy */
        {0xf00, 0, VEC_GP, 0xf00},
    };
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct fake_machine *m = world_create(NULL);
        put_jmp(m, cases[k].sel, cases[k].off);
        step_faults(m, cases[k].vec, cases[k].err);
        finish(m);
    }
}
END_TEST

START_TEST(call_and_return_at_one_level)
{
    struct fake_machine *m = world_create(NULL);
    put_call(m, SEL_CODE0, TARGET);
    CODE_AT(m, TARGET, 0xca, 8, 0); /* retf 8 */
    step(m);
    ck_assert_uint_eq(m->cpu.r[RSP], STACK0 - 8);
    ck_assert_uint_eq(get(m, STACK0 - 8, 4), CODE + 7);
    ck_assert_uint_eq(get(m, STACK0 - 4, 4), SEL_CODE0);
    step(m);
    ck_assert_uint_eq(m->cpu.r[RIP], CODE + 7);
    ck_assert_uint_eq(m->cpu.r[RSP], STACK0 + 8);
    finish(m);
}
END_TEST

START_TEST(conforming_code_keeps_the_level)
{
    struct fake_machine *m = world_create(NULL);
    go_to_level(m, 3);
    put_jmp(m, SEL_CONFORMING, TARGET);
    step(m);
    ck_assert_uint_eq(m->cpu.seg[SEG_CS].sel, SEL_CONFORMING | 3);
    ck_assert_uint_eq(m->cpu.cpl, 3);
    finish(m);
}
END_TEST

/* -- Call gates -------------------------------------------------------------------------------- */

START_TEST(call_gate_to_level_0_with_parameters_and_back)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    set_desc(m, SEL_GATE, gate(SEL_CODE0, TARGET, 0xec, 2));
    go_to_level(m, 3);
    put_call(m, SEL_GATE | 3, 0x5555);
    CODE_AT(m, TARGET, 0xca, 8, 0);
    c->r[RSP] = STACK3 - 8;
    put(m, STACK3 - 8, 4, 0xaaaa);
    put(m, STACK3 - 4, 4, 0xbbbb);
    step(m);
    uint32_t top = STACK0 - 0x1000;
    ck_assert_uint_eq(c->cpl, 0);
    ck_assert_uint_eq(c->seg[SEG_CS].sel, SEL_CODE0);
    ck_assert_uint_eq(c->seg[SEG_SS].sel, SEL_DATA0);
    ck_assert_uint_eq(c->r[RIP], TARGET);
    ck_assert_uint_eq(c->r[RSP], top - 24);
    ck_assert_uint_eq(get(m, top - 4, 4), SEL_DATA3);
    ck_assert_uint_eq(get(m, top - 8, 4), STACK3 - 8);
    ck_assert_uint_eq(get(m, top - 12, 4), 0xbbbb);
    ck_assert_uint_eq(get(m, top - 16, 4), 0xaaaa);
    ck_assert_uint_eq(get(m, top - 20, 4), SEL_CODE3);
    ck_assert_uint_eq(get(m, top - 24, 4), CODE + 7);
    force_seg(m, SEG_DS, SEL_DATA0);
    step(m);
    ck_assert_uint_eq(c->cpl, 3);
    ck_assert_uint_eq(c->r[RIP], CODE + 7);
    ck_assert_uint_eq(c->r[RSP], STACK3);
    ck_assert_uint_eq(c->seg[SEG_DS].sel, 0); /* it was more privileged */
    ck_assert_uint_eq(c->seg[SEG_ES].sel, SEL_DATA3);
    finish(m);
}
END_TEST

START_TEST(call_gate_refuses)
{
    static const struct {
        uint64_t gate;
        int vec, err;
    } cases[] = {
        {0x00008c0000000000 | TARGET | SEL_CODE0 << 16, VEC_GP, SEL_GATE},  /* DPL 0 */
        {0x00006c0000000000 | TARGET | SEL_CODE0 << 16, VEC_NP, SEL_GATE},  /* absent */
        {0x0000ec0000000000 | TARGET, VEC_GP, 0},                           /* null code */
        {0x0000ec0000000000 | TARGET | SEL_DATA0 << 16, VEC_GP, SEL_DATA0}, /* not code */
    };
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct fake_machine *m = world_create(NULL);
        set_desc(m, SEL_GATE, cases[k].gate);
        go_to_level(m, 3);
        put_call(m, SEL_GATE | 3, 0);
        step(m);
        ck_assert_int_eq(at_handler(m), cases[k].vec);
        ck_assert_uint_eq(get(m, m->cpu.r[RSP], 4), (uint64_t)cases[k].err);
        ck_assert_uint_eq(get(m, m->cpu.r[RSP] + 4, 4), CODE);
        ck_assert_uint_eq(get(m, m->cpu.r[RSP] + 16, 4), STACK3);
        finish(m);
    }
}
END_TEST

START_TEST(bad_inner_stack_is_an_invalid_tss)
{
    struct fake_machine *m = world_create(NULL);
    set_desc(m, SEL_GATE, gate(SEL_CODE0, TARGET, 0xec, 0));
    go_to_level(m, 3);
    /* The handler's own stack must be good, so #TS goes through a task-independent conforming way:
     * the gate of #TS leads to level 3. */
    set_gate32(m, VEC_TS, gate(SEL_CODE3, HANDLER + 16 * VEC_TS, 0xee, 0));
    put(m, TSS + 8, 2, SEL_RODATA);
    put_call(m, SEL_GATE | 3, 0);
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_TS);
    ck_assert_uint_eq(m->cpu.cpl, 3);
    ck_assert_uint_eq(get(m, m->cpu.r[RSP], 4), SEL_RODATA);
    finish(m);
}
END_TEST

START_TEST(call_gate_64)
{
    struct fake_machine *m = world_create64();
    struct cpu *c = &m->cpu;
    set_desc(m, SEL_GATE, gate(SEL_CODE64, TARGET, 0x8c, 0));
    put(m, GDT + SEL_GATE + 8, 8, 0);
    put(m, DATA, 4, 0);
    put(m, DATA + 4, 2, SEL_GATE);
    CODE_AT(m, CODE, 0xff, 0x18); /* call far [rax] */
    CODE_AT(m, TARGET, 0x48, 0xcb);
    c->r[RAX] = DATA;
    set_desc(m, 0x80, descriptor(0, 0xfffff, 0xa09a));
    step(m);
    ck_assert_uint_eq(c->r[RIP], TARGET);
    ck_assert_uint_eq(c->r[RSP], STACK0 - 16);
    step(m);
    ck_assert_uint_eq(c->r[RIP], CODE + 2);
    ck_assert_uint_eq(c->r[RSP], STACK0);
    finish(m);
}
END_TEST

/* Between 64-bit and other code, the return address goes where the called code's stack is. */
START_TEST(call_between_64_bit_and_16_bit_code_uses_the_new_stack)
{
    struct fake_machine *m = world_create64();
    struct cpu *c = &m->cpu;
    put(m, DATA, 4, TARGET);
    put(m, DATA + 4, 2, SEL_CODE16);
    CODE_AT(m, CODE, 0xff, 0x18);                                       /* call far [rax] */
    CODE_AT(m, TARGET, 0x66, 0x9a, 0x10, 0x40, 1, 0, SEL_CODE64, 0x00); /* call far 64:target+10 */
    set_desc(m, SEL_DATA16, descriptor(0x8000, 0xffff, 0x0092));
    force_seg(m, SEG_SS, SEL_DATA16);
    c->seg[SEG_SS].base = 0;
    c->r[RAX] = DATA;
    c->r[RSP] = UINT64_C(0x500011000);
    step(m);
    ck_assert_uint_eq(c->seg[SEG_CS].sel, SEL_CODE16);
    ck_assert_uint_eq(get(m, 0x8000 + 0x0ff8, 4), CODE + 2);
    ck_assert_uint_eq(c->r[RSP], 0x10ff8);
    step(m);
    ck_assert_uint_eq(c->seg[SEG_CS].sel, SEL_CODE64);
    ck_assert_uint_eq(get(m, 0x10ff0, 4), TARGET + 8);
    ck_assert_uint_eq(c->r[RSP], 0x10ff0);
    finish(m);
}
END_TEST

/* -- IRET -------------------------------------------------------------------------------------- */

START_TEST(iret_to_level_3_sets_what_level_0_may)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    const uint32_t frame[] = {TARGET, SEL_CODE3, 0x3246, STACK3, SEL_DATA3};
    CODE_AT(m, CODE, 0xcf);
    c->r[RSP] = STACK0 - sizeof(frame);
    for (unsigned k = 0; k < 5; k++)
        put(m, c->r[RSP] + k * 4, 4, frame[k]);
    step(m);
    ck_assert_uint_eq(c->cpl, 3);
    ck_assert_uint_eq(c->r[RIP], TARGET);
    ck_assert_uint_eq(c->r[RSP], STACK3);
    ck_assert_uint_eq(eflags_get(c), 0x3246);
    ck_assert_uint_eq(c->seg[SEG_DS].sel, 0);
    finish(m);
}
END_TEST

START_TEST(iret_at_level_3_keeps_iopl_and_if)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    const uint32_t frame[] = {TARGET, SEL_CODE3, 0x3202};
    CODE_AT(m, CODE, 0xcf);
    go_to_level(m, 3);
    c->r[RSP] = STACK3 - sizeof(frame);
    for (unsigned k = 0; k < 3; k++)
        put(m, c->r[RSP] + k * 4, 4, frame[k]);
    step(m);
    ck_assert_uint_eq(c->r[RIP], TARGET);
    ck_assert_uint_eq(eflags_get(c), 2);
    finish(m);
}
END_TEST

START_TEST(iret_to_v86_and_interrupt_back)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    const uint32_t frame[] = {0x100, 0x1000, 0x23002, 0x80, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000};
    CODE_AT(m, CODE, 0xcf);
    c->r[RSP] = STACK0 - sizeof(frame);
    for (unsigned k = 0; k < 9; k++)
        put(m, c->r[RSP] + k * 4, 4, frame[k]);
    CODE_AT(m, 0x10100, 0xcd, 0x21); /* int 21h */
    set_gate32(m, 0x21, gate(SEL_CODE0, HANDLER + 16 * 0x21, 0xee, 0));
    step(m);
    ck_assert(c->mode & MODE_V86);
    ck_assert_uint_eq(c->cpl, 3);
    ck_assert_uint_eq(c->seg[SEG_CS].base, 0x10000);
    ck_assert_uint_eq(c->seg[SEG_ES].base, 0x30000);
    ck_assert_uint_eq(c->seg[SEG_GS].base, 0x60000);
    step(m);
    ck_assert_int_eq(at_handler(m), 0x21);
    ck_assert(!(c->mode & MODE_V86));
    ck_assert_uint_eq(c->cpl, 0);
    uint32_t top = STACK0 - 0x1000;
    ck_assert_uint_eq(c->r[RSP], top - 36);
    ck_assert_uint_eq(get(m, top - 36, 4), 0x102);
    ck_assert_uint_eq(get(m, top - 32, 4), 0x1000);
    ck_assert_uint_eq(get(m, top - 28, 4), 0x23002);
    ck_assert_uint_eq(get(m, top - 24, 4), 0x80);
    ck_assert_uint_eq(get(m, top - 20, 4), 0x2000);
    ck_assert_uint_eq(get(m, top - 16, 4), 0x3000);
    ck_assert_uint_eq(get(m, top - 12, 4), 0x4000);
    ck_assert_uint_eq(get(m, top - 8, 4), 0x5000);
    ck_assert_uint_eq(get(m, top - 4, 4), 0x6000);
    ck_assert_uint_eq(c->seg[SEG_DS].sel, 0);
    finish(m);
}
END_TEST

START_TEST(v86_int_needs_iopl_3)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    c->eflags |= EFL_VM;
    for (unsigned s = 0; s < SEG_COUNT; s++)
        c->seg[s] = (struct seg){.base = 0x10000,
                                 .desc_base = 0x10000,
                                 .limit = 0xffff,
                                 .sel = 0x1000,
                                 .attr = 0xf3,
                                 .usable = true};
    c->r[RIP] = 0;
    c->r[RSP] = 0x8000;
    cpu_update_mode(c);
    CODE_AT(m, CODE, 0xcd, 0x21);
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_GP);
    ck_assert_uint_eq(get(m, c->r[RSP], 4), 0);
    finish(m);
}
END_TEST

START_TEST(v86_int_redirected_by_vme)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    c->cr4 |= CR4_VME;
    c->tr.limit = 0x3ff;
    put(m, TSS + 0x66, 2, 0x88); /* redirection bitmap at 68h: all clear */
    put(m, 0x21 * 4, 4, 0x20001234);
    c->eflags |= EFL_VM | EFL_VIF;
    for (unsigned s = 0; s < SEG_COUNT; s++)
        c->seg[s] = (struct seg){.base = 0x10000,
                                 .desc_base = 0x10000,
                                 .limit = 0xffff,
                                 .sel = 0x1000,
                                 .attr = 0xf3,
                                 .usable = true};
    c->r[RIP] = 0;
    c->r[RSP] = 0x8000;
    cpu_update_mode(c);
    CODE_AT(m, CODE, 0xcd, 0x21);
    step(m);
    ck_assert(c->mode & MODE_V86);
    ck_assert_uint_eq(c->seg[SEG_CS].sel, 0x2000);
    ck_assert_uint_eq(c->r[RIP], 0x1234);
    ck_assert_uint_eq(get(m, 0x17ffa, 2), 2);
    ck_assert_uint_eq(get(m, 0x17ffe, 2), 0x3202); /* IF is VIF, IOPL 3 */
    ck_assert(!(c->eflags & EFL_VIF));
    finish(m);
}
END_TEST

START_TEST(iretq_pops_the_stack_at_the_same_level)
{
    struct fake_machine *m = world_create64();
    struct cpu *c = &m->cpu;
    const uint64_t frame[] = {TARGET, SEL_CODE64, 0x202, 0x28000, 0};
    CODE_AT(m, CODE, 0x48, 0xcf);
    c->r[RSP] = STACK0 - sizeof(frame);
    for (unsigned k = 0; k < 5; k++)
        put(m, c->r[RSP] + k * 8, 8, frame[k]);
    step(m);
    ck_assert_uint_eq(c->r[RIP], TARGET);
    ck_assert_uint_eq(c->r[RSP], 0x28000);
    ck_assert_uint_eq(c->seg[SEG_SS].sel, 0);
    ck_assert(c->mode & MODE_64);
    finish(m);
}
END_TEST

START_TEST(iretq_to_compatibility_code_and_interrupt_back)
{
    struct fake_machine *m = world_create64();
    struct cpu *c = &m->cpu;
    const uint64_t frame[] = {TARGET, SEL_CODE3, 0x3202, STACK3, SEL_DATA3};
    CODE_AT(m, CODE, 0x48, 0xcf);
    CODE_AT(m, TARGET, 0xcd, 0x30);
    set_gate64(m, 0x30, SEL_CODE64, HANDLER + 16 * 0x30, 0xee, 0);
    c->r[RSP] = STACK0 - sizeof(frame);
    for (unsigned k = 0; k < 5; k++)
        put(m, c->r[RSP] + k * 8, 8, frame[k]);
    step(m);
    ck_assert_uint_eq(c->cpl, 3);
    ck_assert(!(c->mode & MODE_64));
    ck_assert(c->mode & MODE_CS32);
    step(m);
    ck_assert_int_eq(at_handler(m), 0x30);
    ck_assert(c->mode & MODE_64);
    ck_assert_uint_eq(c->cpl, 0);
    uint64_t top = STACK0 - 0x1000;
    ck_assert_uint_eq(c->r[RSP], top - 40);
    ck_assert_uint_eq(get(m, top - 8, 8), SEL_DATA3);
    ck_assert_uint_eq(get(m, top - 16, 8), STACK3);
    ck_assert_uint_eq(get(m, top - 40, 8), TARGET + 2);
    ck_assert_uint_eq(c->seg[SEG_SS].sel, 0);
    finish(m);
}
END_TEST

/* Level-0 data segments become null, but for their bases: 64-bit code gets at FS and GS still. */
START_TEST(iretq_to_user_code_keeps_the_bases_of_null_segments)
{
    struct fake_machine *m = world_create64();
    struct cpu *c = &m->cpu;
    set_desc(m, SEL_CODE64, descriptor(0, 0xfffff, 0xa0fa));
    const uint64_t frame[] = {TARGET, SEL_CODE64 | 3, 0x3202, STACK3, SEL_DATA3};
    CODE_AT(m, CODE, 0x48, 0xcf);
    CODE_AT(m, TARGET, 0x65, 0x8a, 0x04, 0x25, 8, 0, 0, 0); /* mov al, gs:[8] */
    put(m, DATA + 8, 1, 0x5a);
    c->seg[SEG_FS].base = UINT64_C(0x123456789abc);
    c->seg[SEG_GS].base = DATA;
    c->r[RSP] = STACK0 - sizeof(frame);
    for (unsigned k = 0; k < 5; k++)
        put(m, c->r[RSP] + k * 8, 8, frame[k]);
    step(m);
    ck_assert_uint_eq(c->cpl, 3);
    for (unsigned s = SEG_DS; s <= SEG_GS; s++) {
        ck_assert_uint_eq(c->seg[s].sel, 0);
        ck_assert(!c->seg[s].usable);
    }
    ck_assert_uint_eq(c->seg[SEG_FS].base, UINT64_C(0x123456789abc));
    step(m);
    ck_assert_uint_eq(c->r[RAX] & 0xff, 0x5a);
    finish(m);
}
END_TEST

/* -- Tasks ------------------------------------------------------------------------------------- */

static void fill_tss2(struct fake_machine *m, uint32_t eflags)
{
    put(m, TSS2 + 0x20, 4, TARGET);
    put(m, TSS2 + 0x24, 4, eflags);
    for (unsigned k = 0; k < 8; k++)
        put(m, TSS2 + 0x28 + k * 4, 4, 0x100 + k);
    put(m, TSS2 + 0x38, 4, STACK0 - 0x2000);
    for (unsigned k = 0; k < 6; k++)
        put(m, TSS2 + 0x48 + k * 4, 2, k == SEG_CS ? SEL_CODE0 : SEL_DATA0);
}

START_TEST(call_to_a_task_and_iret_back)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    fill_tss2(m, 2);
    put_call(m, SEL_TSS2, 0);
    CODE_AT(m, TARGET, 0xcf);
    c->r[RAX] = 0x1111;
    step(m);
    ck_assert_uint_eq(c->tr.sel, SEL_TSS2);
    ck_assert_uint_eq(c->r[RIP], TARGET);
    ck_assert_uint_eq(c->r[RAX], 0x100);
    ck_assert_uint_eq(c->r[RSP], STACK0 - 0x2000);
    ck_assert(c->eflags & EFL_NT);
    ck_assert(c->cr0 & CR0_TS);
    ck_assert_uint_eq(get(m, TSS2, 2), SEL_TSS);
    ck_assert_uint_eq(get(m, TSS + 0x20, 4), CODE + 7);
    ck_assert_uint_eq(get(m, GDT + SEL_TSS2 + 5, 1), 0x8b);
    ck_assert_uint_eq(get(m, GDT + SEL_TSS + 5, 1), 0x8b);
    c->r[RBX] = 0x2222;
    step(m);
    ck_assert_uint_eq(c->tr.sel, SEL_TSS);
    ck_assert_uint_eq(c->r[RIP], CODE + 7);
    ck_assert_uint_eq(c->r[RAX], 0x1111);
    ck_assert(!(c->eflags & EFL_NT));
    ck_assert_uint_eq(get(m, TSS2 + 0x34, 4), 0x2222);
    ck_assert_uint_eq(get(m, GDT + SEL_TSS2 + 5, 1), 0x89);
    finish(m);
}
END_TEST

START_TEST(jump_to_a_task_frees_the_old_one)
{
    struct fake_machine *m = world_create(NULL);
    fill_tss2(m, 2);
    set_desc(m, SEL_TASK_GATE, gate(SEL_TSS2, 0, 0x85, 0));
    put_jmp(m, SEL_TASK_GATE, 0);
    step(m);
    ck_assert_uint_eq(m->cpu.tr.sel, SEL_TSS2);
    ck_assert(!(m->cpu.eflags & EFL_NT));
    ck_assert_uint_eq(get(m, GDT + SEL_TSS + 5, 1), 0x89);
    finish(m);
}
END_TEST

START_TEST(fault_of_a_new_tasks_segment_is_taken_inside_it)
{
    struct fake_machine *m = world_create(NULL);
    fill_tss2(m, 2);
    put(m, TSS2 + 0x54, 2, SEL_ABSENT); /* DS */
    put_jmp(m, SEL_TSS2, 0);
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_NP);
    ck_assert_uint_eq(m->cpu.tr.sel, SEL_TSS2);
    uint64_t sp = m->cpu.r[RSP];
    ck_assert_uint_eq(sp, STACK0 - 0x2000 - 16);
    ck_assert_uint_eq(get(m, sp, 4), SEL_ABSENT);
    ck_assert_uint_eq(get(m, sp + 4, 4), TARGET);
    finish(m);
}
END_TEST

START_TEST(exception_through_a_task_gate_pushes_its_error_code)
{
    struct fake_machine *m = world_create(NULL);
    fill_tss2(m, 2);
    set_gate32(m, VEC_GP, gate(SEL_TSS2, 0, 0x85, 0));
    put_jmp(m, SEL_DATA0, 0);
    step(m);
    ck_assert_uint_eq(m->cpu.tr.sel, SEL_TSS2);
    ck_assert_uint_eq(m->cpu.r[RIP], TARGET);
    ck_assert_uint_eq(m->cpu.r[RSP], STACK0 - 0x2000 - 4);
    ck_assert_uint_eq(get(m, m->cpu.r[RSP], 4), SEL_DATA0);
    ck_assert_uint_eq(get(m, TSS + 0x20, 4), CODE);
    ck_assert(m->cpu.eflags & EFL_NT);
    finish(m);
}
END_TEST

START_TEST(short_tss_is_invalid)
{
    struct fake_machine *m = world_create(NULL);
    set_desc(m, SEL_TSS2, descriptor(TSS2, 0x66, 0x0089));
    put_jmp(m, SEL_TSS2, 0);
    step_faults(m, VEC_TS, SEL_TSS2);
    finish(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("far");
    TCase *t = tcase_create("far");
    tcase_add_test(t, jump_to_code_of_another_size);
    tcase_add_test(t, bad_jumps_fault);
    tcase_add_test(t, call_and_return_at_one_level);
    tcase_add_test(t, conforming_code_keeps_the_level);
    tcase_add_test(t, call_gate_to_level_0_with_parameters_and_back);
    tcase_add_test(t, call_gate_refuses);
    tcase_add_test(t, bad_inner_stack_is_an_invalid_tss);
    tcase_add_test(t, call_gate_64);
    tcase_add_test(t, call_between_64_bit_and_16_bit_code_uses_the_new_stack);
    tcase_add_test(t, iret_to_level_3_sets_what_level_0_may);
    tcase_add_test(t, iret_at_level_3_keeps_iopl_and_if);
    tcase_add_test(t, iret_to_v86_and_interrupt_back);
    tcase_add_test(t, v86_int_needs_iopl_3);
    tcase_add_test(t, v86_int_redirected_by_vme);
    tcase_add_test(t, iretq_pops_the_stack_at_the_same_level);
    tcase_add_test(t, iretq_to_compatibility_code_and_interrupt_back);
    tcase_add_test(t, iretq_to_user_code_keeps_the_bases_of_null_segments);
    tcase_add_test(t, call_to_a_task_and_iret_back);
    tcase_add_test(t, jump_to_a_task_frees_the_old_one);
    tcase_add_test(t, fault_of_a_new_tasks_segment_is_taken_inside_it);
    tcase_add_test(t, exception_through_a_task_gate_pushes_its_error_code);
    tcase_add_test(t, short_tss_is_invalid);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
