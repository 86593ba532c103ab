/* SPDX-License-Identifier: MIT */
/* Exceptions, interrupts and debug events: frames, error codes, double faults, stacks, restart. */
#include "cpu/exception.h"
#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

#include <stdlib.h>

#define PF_LINEAR 0x300000u

/* Map the first 4 MiB 1:1 with 4 KiB pages (32-bit paging), all user and writable; tables at
 * 350000h. */
static void paging_on(struct fake_machine *m)
{
    struct cpu *c = &m->cpu;
    put(m, 0x350000, 4, 0x351007);
    for (unsigned k = 0; k < 1024; k++)
        put(m, 0x351000 + k * 4, 4, k << 12 | 7);
    c->cr3 = 0x350000;
    c->cr0 |= CR0_PG | CR0_WP;
    cpu_update_mode(c);
    cpu_flush_tlb(c);
}

static void set_pte(struct fake_machine *m, uint32_t la, uint32_t pte)
{
    put(m, 0x351000 + (la >> 12) * 4, 4, pte);
    cpu_flush_tlb(&m->cpu);
}

/* -- Faults
 * --------------------------------------------------------------------------------------------- */

START_TEST(fault_saves_its_instruction_and_rf)
{
    struct fake_machine *m = world_create(NULL);
    CODE_AT(m, CODE, 0x0f, 0x0b);
    m->cpu.eflags |= EFL_IF;
    step_faults(m, VEC_UD, -1);
    ck_assert_uint_eq(get(m, m->cpu.r[RSP] + 8, 4), 0x10202);
    ck_assert(!(m->cpu.eflags & EFL_IF));
    fake_machine_free(m);
}
END_TEST

START_TEST(trap_gate_keeps_if)
{
    struct fake_machine *m = world_create(NULL);
    set_gate32(m, VEC_UD, gate(SEL_CODE0, HANDLER + 16 * VEC_UD, 0x8f, 0));
    CODE_AT(m, CODE, 0x0f, 0x0b);
    m->cpu.eflags |= EFL_IF;
    step_faults(m, VEC_UD, -1);
    ck_assert(m->cpu.eflags & EFL_IF);
    fake_machine_free(m);
}
END_TEST

START_TEST(page_fault_sets_cr2_and_error_code)
{
    struct fake_machine *m = world_create(NULL);
    paging_on(m);
    set_pte(m, PF_LINEAR, PF_LINEAR | 5); /* read-only, user */
    CODE_AT(m, CODE, 0xa3, 0x34, 0x12, 0x30, 0x00);
    set_pte(m, PF_LINEAR + 0x1000, PF_LINEAR | 5);
    step_faults(m, VEC_PF, PFERR_P | PFERR_W);
    ck_assert_uint_eq(m->cpu.cr2, 0x301234);
    fake_machine_free(m);
}
END_TEST

START_TEST(user_fault_switches_to_the_tss_stack)
{
    struct fake_machine *m = world_create(NULL);
    go_to_level(m, 3);
    CODE_AT(m, CODE, 0xf4); /* hlt */
    step_faults(m, VEC_GP, 0);
    uint64_t top = STACK0 - 0x1000;
    ck_assert_uint_eq(m->cpu.r[RSP], top - 24);
    ck_assert_uint_eq(get(m, top - 4, 4), SEL_DATA3);
    ck_assert_uint_eq(get(m, top - 8, 4), STACK3);
    ck_assert_uint_eq(get(m, top - 16, 4), SEL_CODE3);
    fake_machine_free(m);
}
END_TEST

START_TEST(sixteen_bit_gate_pushes_words)
{
    struct fake_machine *m = world_create(NULL);
    set_gate32(m, VEC_GP, gate(SEL_CODE0, HANDLER & 0xffff, 0x86, 0));
    CODE_AT(m, CODE, 0x8e, 0xd8); /* mov ds, eax */
    m->cpu.r[RAX] = SEL_TSS;
    step(m);
    ck_assert_uint_eq(m->cpu.r[RIP], HANDLER & 0xffff);
    ck_assert_uint_eq(m->cpu.r[RSP], STACK0 - 8);
    ck_assert_uint_eq(get(m, STACK0 - 8, 2), SEL_TSS);
    ck_assert_uint_eq(get(m, STACK0 - 6, 2), CODE & 0xffff);
    ck_assert_uint_eq(get(m, STACK0 - 4, 2), SEL_CODE0);
    fake_machine_free(m);
}
END_TEST

/* -- Double and triple faults
 * -------------------------------------------------------------------------------- */

START_TEST(two_contributory_faults_make_a_double_fault)
{
    struct fake_machine *m = world_create(NULL);
    set_gate32(m, VEC_GP, gate(SEL_DATA0, 0, 0x8e, 0)); /* not code: #GP again */
    CODE_AT(m, CODE, 0x8e, 0xd8);
    m->cpu.r[RAX] = SEL_TSS;
    step_faults(m, VEC_DF, 0);
    fake_machine_free(m);
}
END_TEST

START_TEST(absent_gate_of_a_benign_fault_is_np_with_ext)
{
    struct fake_machine *m = world_create(NULL);
    set_gate32(m, VEC_UD, gate(SEL_CODE0, 0, 0x0e, 0));
    CODE_AT(m, CODE, 0x0f, 0x0b);
    step_faults(m, VEC_NP, VEC_UD * 8 + 3);
    fake_machine_free(m);
}
END_TEST

START_TEST(absent_gate_of_int_n_has_no_ext)
{
    struct fake_machine *m = world_create(NULL);
    set_gate32(m, 0x30, gate(SEL_CODE0, 0, 0x0e, 0));
    CODE_AT(m, CODE, 0xcd, 0x30);
    step_faults(m, VEC_NP, 0x30 * 8 + 2);
    fake_machine_free(m);
}
END_TEST

START_TEST(page_fault_while_delivering_a_page_fault)
{
    struct fake_machine *m = world_create(NULL);
    paging_on(m);
    set_pte(m, PF_LINEAR, 0);
    go_to_level(m, 3);
    put(m, TSS + 4, 4, PF_LINEAR + 0x800); /* the handler's stack is absent, too */
    CODE_AT(m, CODE, 0xa1, 0x00, 0x00, 0x30, 0x00);
    /* #DF through a gate of level 3 stays on the user's stack. */
    set_gate32(m, VEC_DF, gate(SEL_CODE3, HANDLER + 16 * VEC_DF, 0xee, 0));
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_DF);
    ck_assert_uint_eq(m->cpu.cpl, 3);
    ck_assert_uint_eq(m->cpu.cr2, PF_LINEAR + 0x7fc);
    ck_assert_uint_eq(get(m, m->cpu.r[RSP], 4), 0);
    ck_assert_uint_eq(get(m, m->cpu.r[RSP] + 4, 4), CODE);
    fake_machine_free(m);
}
END_TEST

START_TEST(triple_fault_shuts_down)
{
    struct fake_machine *m = world_create(NULL);
    CODE_AT(m, CODE, 0x0f, 0x0b);
    m->cpu.idt.limit = 0;
    ck_assert_int_eq(cpu_step(&m->cpu), CPU_EXIT_SHUTDOWN);
    ck_assert_uint_eq(m->cpu.r[RIP], CODE);
    ck_assert_uint_eq(m->cpu.r[RSP], STACK0);
    fake_machine_free(m);
}
END_TEST

/* A stack that is not aligned, and a handler at level 3: #AC during the delivery of #AC, until the
 * processor is wanted elsewhere. No interrupt comes in between. */
START_TEST(endless_alignment_checks_can_be_left)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    go_to_level(m, 3);
    set_gate32(m, VEC_AC, gate(SEL_CODE3, HANDLER + 16 * VEC_AC, 0xee, 0));
    c->cr0 |= CR0_AM;
    c->eflags |= EFL_AC | EFL_IF;
    cpu_update_mode(c);
    c->r[RSP] -= 2;
    cpu_attend(c, ATT_EXIT | ATT_NMI, 0);
    cpu_raise(c, VEC_AC, 0);
    ck_assert(exception_deliver(c));
    ck_assert_int_eq(cpu_run(c), CPU_EXIT_ATTENTION);
    ck_assert_uint_eq(c->r[RIP], CODE);
    ck_assert_uint_eq(c->cpl, 3);
    c->r[RSP] += 2;
    ck_assert_int_eq(cpu_run(c), CPU_EXIT_ATTENTION);
    ck_assert_uint_eq(get(m, STACK3 - 16, 4), 0);
    ck_assert_uint_eq(get(m, STACK3 - 12, 4), CODE);
    fake_machine_free(m);
}
END_TEST

START_TEST(soft_interrupt_needs_the_gates_dpl)
{
    struct fake_machine *m = world_create(NULL);
    go_to_level(m, 3);
    CODE_AT(m, CODE, 0xcd, 0x30);
    step_faults(m, VEC_GP, 0x30 * 8 + 2);
    fake_machine_free(m);
}
END_TEST

/* -- Interrupts
 * ------------------------------------------------------------------------------------------------
 */

START_TEST(interrupts_wait_for_if_and_the_sti_shadow)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    CODE_AT(m, CODE, 0x90, 0xfb, 0x90, 0x90); /* nop; sti; nop; nop */
    m->pending_vector = 0x21;
    cpu_attend(c, ATT_INTR, 0);
    step(m);
    ck_assert_uint_eq(c->r[RIP], CODE + 1);
    step(m);
    ck_assert_uint_eq(c->r[RIP], CODE + 2);
    step(m);
    ck_assert_uint_eq(c->r[RIP], CODE + 3); /* in the shadow */
    CODE_AT(m, HANDLER + 16 * 0x21, 0x90);
    step(m);
    ck_assert_uint_eq(c->r[RIP], HANDLER + 16 * 0x21 + 1);
    ck_assert_uint_eq(get(m, c->r[RSP], 4), CODE + 3);
    fake_machine_free(m);
}
END_TEST

START_TEST(interrupt_wakes_from_hlt)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    CODE_AT(m, CODE, 0xfb, 0xf4); /* sti; hlt */
    CODE_AT(m, HANDLER + 16 * 0x21, 0xf4);
    ck_assert_int_eq(cpu_run(c), CPU_EXIT_HALT);
    ck_assert_uint_eq(c->r[RIP], CODE + 2);
    m->pending_vector = 0x21;
    cpu_attend(c, ATT_INTR, 0);
    ck_assert_int_eq(cpu_run(c), CPU_EXIT_HALT);
    ck_assert_uint_eq(c->r[RIP], HANDLER + 16 * 0x21 + 1);
    ck_assert_uint_eq(get(m, c->r[RSP], 4), CODE + 2);
    fake_machine_free(m);
}
END_TEST

START_TEST(nmi_is_blocked_until_iret)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    CODE_AT(m, CODE, 0x90, 0x90);
    CODE_AT(m, HANDLER + 16 * VEC_NMI, 0x90, 0xcf);
    cpu_attend(c, ATT_NMI, 0);
    step(m);
    ck_assert_uint_eq(c->r[RIP], HANDLER + 16 * VEC_NMI + 1);
    cpu_attend(c, ATT_NMI, 0);
    step(m); /* iret */
    ck_assert_uint_eq(c->r[RIP], CODE);
    step(m);
    ck_assert_uint_eq(c->r[RIP], HANDLER + 16 * VEC_NMI + 1);
    fake_machine_free(m);
}
END_TEST

START_TEST(real_mode_interrupt)
{
    struct fake_machine *m = fake_machine_create(NULL);
    struct cpu *c = &m->cpu;
    c->seg[SEG_CS].base = c->seg[SEG_CS].desc_base = 0x10000;
    c->seg[SEG_CS].sel = 0x1000;
    c->r[RIP] = 0;
    c->r[RSP] = 0x100;
    c->idt = (struct dtable){0, 0x3ff};
    c->eflags |= EFL_IF;
    cpu_update_mode(c);
    CODE_AT(m, CODE, 0xcd, 0x10);
    put(m, 0x40, 4, 0x20000123);
    CODE_AT(m, 0x20123, 0xcf);
    step(m);
    ck_assert_uint_eq(c->seg[SEG_CS].base, 0x20000);
    ck_assert_uint_eq(c->r[RIP], 0x123);
    ck_assert(!(c->eflags & EFL_IF));
    ck_assert_uint_eq(c->r[RSP], 0xfa);
    ck_assert_uint_eq(get(m, 0xfa, 2), 2);
    ck_assert_uint_eq(get(m, 0xfc, 2), 0x1000);
    ck_assert_uint_eq(get(m, 0xfe, 2), 0x202);
    step(m);
    ck_assert_uint_eq(c->seg[SEG_CS].base, 0x10000);
    ck_assert_uint_eq(c->r[RIP], 2);
    ck_assert(c->eflags & EFL_IF);
    fake_machine_free(m);
}
END_TEST

/* The vector of a fault of this instruction in real-address mode, or -1. */
static int real_mode_vector(const uint8_t *code, unsigned n, uint16_t sp)
{
    struct fake_machine *m = fake_machine_create(NULL);
    struct cpu *c = &m->cpu;
    c->seg[SEG_CS].base = c->seg[SEG_CS].desc_base = CODE;
    c->seg[SEG_CS].sel = CODE >> 4;
    c->r[RIP] = 0;
    c->r[RSP] = sp;
    c->idt = (struct dtable){0, 0x3ff};
    cpu_update_mode(c);
    code_at(m, CODE, code, n);
    for (unsigned vec = 0; vec < 32; vec++)
        put(m, 4 * vec, 4, (uint64_t)HANDLER >> 4 << 16 | 16 * vec);
    step(m);
    bool faulted = c->seg[SEG_CS].base == HANDLER;
    int vec = faulted ? (int)c->r[RIP] / 16 : -1;
    ck_assert_uint_eq(c->r[RSP], faulted ? sp - 6u : sp - (n == 1 ? 16u : 32u));
    if (faulted)
        ck_assert_uint_eq(get(m, sp - 6u, 2), 0);
    fake_machine_free(m);
    return vec;
}

START_TEST(pusha_at_the_bottom_of_the_stack)
{
    static const uint8_t pushad[] = {0x66, 0x60};
    static const struct {
        uint16_t sp;
        int pusha, pushad;
    } rows[] = {
        {7, VEC_GP, VEC_GP},  {9, VEC_GP, VEC_GP}, {11, VEC_GP, VEC_GP}, {13, VEC_GP, VEC_GP},
        {15, VEC_GP, VEC_GP}, {17, -1, VEC_SS},    {31, -1, VEC_SS},     {33, -1, -1},
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        ck_assert_int_eq(real_mode_vector(pushad + 1, 1, rows[k].sp), rows[k].pusha);
        ck_assert_int_eq(real_mode_vector(pushad, 2, rows[k].sp), rows[k].pushad);
    }
}
END_TEST

START_TEST(pusha_of_virtual_8086_code_at_the_bottom_of_the_stack)
{
    for (unsigned sp = 7; sp <= 17; sp += 2) {
        struct fake_machine *m = world_create(NULL);
        struct cpu *c = &m->cpu;
        c->eflags |= EFL_VM;
        for (unsigned s = 0; s < SEG_COUNT; s++)
            c->seg[s] = (struct seg){.base = CODE,
                                     .desc_base = CODE,
                                     .limit = 0xffff,
                                     .sel = CODE >> 4,
                                     .attr = 0xf3,
                                     .usable = true};
        c->r[RIP] = 0x100;
        c->r[RSP] = sp;
        cpu_update_mode(c);
        CODE_AT(m, CODE + 0x100, 0x66, 0x60);
        step_faults(m, sp < 17 ? VEC_GP : VEC_SS, 0);
        fake_machine_free(m);
    }
}
END_TEST

/* -- Long mode
 * -------------------------------------------------------------------------------------------------
 */

START_TEST(long_mode_aligns_the_stack_and_pushes_five)
{
    struct fake_machine *m = world_create64();
    struct cpu *c = &m->cpu;
    c->r[RSP] = STACK0 - 3;
    CODE_AT(m, CODE, 0x0f, 0x0b);
    step_faults(m, VEC_UD, -1);
    ck_assert_uint_eq(c->r[RSP], STACK0 - 16 - 40);
    ck_assert_uint_eq(get(m, c->r[RSP] + 24, 8), STACK0 - 3);
    ck_assert_uint_eq(get(m, c->r[RSP] + 32, 8), SEL_DATA0);
    fake_machine_free(m);
}
END_TEST

START_TEST(ist_switches_at_the_same_level)
{
    struct fake_machine *m = world_create64();
    set_gate64(m, VEC_UD, SEL_CODE64, HANDLER + 16 * VEC_UD, 0x8e, 3);
    put(m, TSS + 0x24 + 16, 8, 0x2c000);
    CODE_AT(m, CODE, 0x0f, 0x0b);
    step_faults(m, VEC_UD, -1);
    ck_assert_uint_eq(m->cpu.r[RSP], 0x2c000 - 40);
    ck_assert_uint_eq(m->cpu.seg[SEG_SS].sel, SEL_DATA0);
    fake_machine_free(m);
}
END_TEST

/* SDM 3A table 6-7 */
START_TEST(alignment_checks_know_wide_operands)
{
    static const struct {
        uint8_t code[4];
        unsigned alignment;
    } cases[] = {
        {{0xdb, 0x28}, 8},       /* fld tbyte [eax] */
        {{0xdf, 0x30}, 8},       /* fbstp [eax] */
        {{0xd9, 0x30}, 4},       /* fnstenv [eax] */
        {{0x66, 0xdd, 0x30}, 2}, /* fnsave [eax], 16-bit */
        {{0x0f, 0x01, 0x00}, 4}, /* sgdt [eax] */
        {{0x0f, 0x10, 0x00}, 1}, /* movups xmm0, [eax] */
    };
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        for (unsigned off = 0; off < 8; off++) {
            struct fake_machine *m = world_create(NULL);
            code_at(m, CODE, cases[k].code, sizeof(cases[k].code));
            go_to_level(m, 3);
            m->cpu.cr0 |= CR0_AM;
            m->cpu.cr4 = CR4_OSFXSR;
            m->cpu.r[RAX] = DATA + off;
            eflags_set(&m->cpu, EFL_FIXED | EFL_AC);
            if (off % cases[k].alignment != 0) {
                step_faults(m, VEC_AC, 0);
            } else {
                step(m);
                ck_assert_int_eq(at_handler(m), -1);
            }
            fake_machine_free(m);
        }
    }
}
END_TEST

START_TEST(non_canonical_access_is_gp_or_ss)
{
    struct fake_machine *m = world_create64();
    CODE_AT(m, CODE, 0x8a, 0x01); /* mov al, [rcx] */
    m->cpu.r[RCX] = UINT64_C(0x800000000000);
    step_faults(m, VEC_GP, 0);
    fake_machine_free(m);
    m = world_create64();
    CODE_AT(m, CODE, 0x8a, 0x45, 0x00); /* mov al, [rbp] */
    m->cpu.r[RBP] = UINT64_C(0x800000000000);
    step_faults(m, VEC_SS, 0);
    fake_machine_free(m);
}
END_TEST

/* -- Debug events
 * ---------------------------------------------------------------------------------------------- */

/* Tables that have memory's first 2 MiB on both sides of the hole. */
START_TEST(code_does_not_run_into_the_hole)
{
    struct fake_machine *m = world_create64();
    struct cpu *c = &m->cpu;
    for (unsigned k = 0; k < 512; k++) {
        put(m, 0x350000 + 8 * k, 8, 0x351007);
        put(m, 0x351000 + 8 * k, 8, 0x87);
    }
    put(m, c->cr3 + 255 * 8, 8, 0x350007);
    put(m, c->cr3 + 256 * 8, 8, 0x350007);
    cpu_flush_tlb(c);
    CODE_AT(m, 0x1fffff, 0x90);
    CODE_AT(m, 0, 0x90, 0x90);
    c->r[RIP] = 0x7fffffffffff;
    step(m);
    ck_assert_uint_eq(c->r[RIP], 0x800000000000);
    step_faults(m, VEC_GP, 0);
    CODE_AT(m, 0x1fffff, 0x04); /* add al, ... */
    c->r[RIP] = 0x7fffffffffff;
    step_faults(m, VEC_GP, 0);
    fake_machine_free(m);
}
END_TEST

/* An instruction at the very end of 4 GiB: what follows it lies at 0. */
START_TEST(code_of_32_bits_goes_on_at_offset_0)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    c->seg[SEG_CS].base = CODE;
    c->r[RIP] = 0xfffffffe;
    CODE_AT(m, CODE - 2, 0xd9, 0xe8, 0xeb, 0xfc); /* fld1; jmp to it */
    step(m);
    ck_assert_uint_eq(c->r[RIP], 0);
    ck_assert_uint_eq(c->fpu.fip, 0xfffffffe);
    step(m);
    ck_assert_uint_eq(c->r[RIP], 0xfffffffe);

    CODE_AT(m, CODE - 2, 0xb0, 0x07, 0x00, 0x00); /* mov al, 7 */
    step(m);
    ck_assert_uint_eq(c->r[RIP], 0);
    CODE_AT(m, CODE - 1, 0x04, 0x00); /* add al, 0: must not lie on both sides of the end */
    c->r[RIP] = 0xffffffff;
    step_faults(m, VEC_GP, 0);
    fake_machine_free(m);
}
END_TEST

START_TEST(repetition_at_the_end_of_4_gib_pauses)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    c->seg[SEG_CS].base = CODE;
    CODE_AT(m, CODE - 2, 0xf3, 0xaa); /* rep stosb */
    c->r[RIP] = 0xfffffffe;
    c->r[RCX] = 3;
    c->r[RDI] = DATA;
    eflags_set(c, EFL_TF);
    cpu_update_mode(c);
    step_faults(m, VEC_DB, -1);
    ck_assert_uint_eq(c->r[RCX], 2);
    fake_machine_free(m);
}
END_TEST

START_TEST(single_step_traps_after_each_instruction)
{
    struct fake_machine *m = world_create(NULL);
    CODE_AT(m, CODE, 0x40, 0x40);
    m->cpu.eflags |= EFL_TF;
    cpu_update_mode(&m->cpu);
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_DB);
    ck_assert_uint_eq(m->cpu.r[RAX], 1);
    ck_assert_uint_eq(get(m, m->cpu.r[RSP], 4), CODE + 1);
    ck_assert_uint_eq(get(m, m->cpu.r[RSP] + 8, 4), 0x102);
    ck_assert_uint_eq(m->cpu.dr[6], DR6_FIXED | DR6_BS);
    ck_assert(!(m->cpu.eflags & EFL_TF));
    fake_machine_free(m);
}
END_TEST

/* With IA32_DEBUGCTL.BTF only taken branches trap, and the trap clears BTF (SDM 3B 17.4.3). */
START_TEST(single_step_on_branches)
{
    static const struct {
        uint8_t code[3];
        uint64_t target; /* 0: does not trap */
    } cases[] = {
        {{0x40}, 0},                  /* inc eax */
        {{0x75, 0x10}, 0},            /* jnz, not taken */
        {{0x74, 0x10}, CODE + 0x12},  /* jz */
        {{0x74, 0x00}, CODE + 2},     /* jz to the next instruction */
        {{0xeb, 0xfe}, CODE},         /* jmp to itself */
        {{0xe2, 0x20}, CODE + 0x22},  /* loop */
        {{0xff, 0xd2}, CODE + 0x100}, /* call edx */
        {{0xc3}, CODE + 0x200},       /* ret */
        {{0xcb}, CODE + 0x200},       /* retf */
        {{0xf3, 0xaa}, 0},            /* rep stosb goes on */
    };
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct fake_machine *m = world_create(NULL);
        struct cpu *c = &m->cpu;
        code_at(m, CODE, cases[k].code, sizeof(cases[k].code));
        c->msr.debugctl = DEBUGCTL_BTF | DEBUGCTL_LBR;
        c->eflags |= EFL_TF;
        flags_set_arith(c, EFL_ZF);
        c->r[RCX] = 5;
        c->r[RDX] = CODE + 0x100;
        c->r[RDI] = DATA;
        c->r[RSP] = STACK0 - 8;
        put(m, STACK0 - 8, 4, CODE + 0x200);
        put(m, STACK0 - 4, 4, SEL_CODE0);
        cpu_update_mode(c);
        step(m);
        ck_assert_msg((at_handler(m) == VEC_DB) == (cases[k].target != 0), "case %u", k);
        if (cases[k].target != 0) {
            ck_assert_uint_eq(get(m, c->r[RSP], 4), cases[k].target);
            ck_assert_uint_eq(c->dr[6], DR6_FIXED | DR6_BS);
            ck_assert_uint_eq(c->msr.debugctl, 0);
        }
        fake_machine_free(m);
    }
}
END_TEST

START_TEST(popf_that_sets_tf_traps_after_the_next_instruction)
{
    struct fake_machine *m = world_create(NULL);
    CODE_AT(m, CODE, 0x9d, 0x40);
    m->cpu.r[RSP] = STACK0 - 4;
    put(m, STACK0 - 4, 4, 0x102);
    step(m);
    ck_assert_uint_eq(m->cpu.r[RIP], CODE + 1);
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_DB);
    ck_assert_uint_eq(get(m, m->cpu.r[RSP], 4), CODE + 2);
    fake_machine_free(m);
}
END_TEST

START_TEST(loading_ss_defers_the_single_step_trap)
{
    struct fake_machine *m = world_create(NULL);
    CODE_AT(m, CODE, 0x8e, 0xd0, 0x40); /* mov ss, eax; inc eax */
    m->cpu.r[RAX] = SEL_DATA0;
    m->cpu.eflags |= EFL_TF;
    cpu_update_mode(&m->cpu);
    step(m);
    ck_assert_uint_eq(m->cpu.r[RIP], CODE + 2);
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_DB);
    ck_assert_uint_eq(get(m, m->cpu.r[RSP], 4), CODE + 3);
    fake_machine_free(m);
}
END_TEST

START_TEST(single_step_trap_ends_hlt)
{
    struct fake_machine *m = world_create(NULL);
    CODE_AT(m, CODE, 0xf4);
    CODE_AT(m, HANDLER + 16 * VEC_DB, 0x40);
    m->cpu.eflags |= EFL_TF;
    cpu_update_mode(&m->cpu);
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_DB);
    ck_assert_uint_eq(get(m, m->cpu.r[RSP], 4), CODE + 1);
    step(m); /* would report that it is halted */
    ck_assert_uint_eq(m->cpu.r[RAX], 1);
    fake_machine_free(m);
}
END_TEST

START_TEST(int_n_clears_tf_without_a_trap)
{
    struct fake_machine *m = world_create(NULL);
    CODE_AT(m, CODE, 0xcd, 0x30);
    m->cpu.eflags |= EFL_TF;
    cpu_update_mode(&m->cpu);
    step(m);
    ck_assert_int_eq(at_handler(m), 0x30);
    ck_assert_uint_eq(get(m, m->cpu.r[RSP] + 8, 4), 0x102);
    fake_machine_free(m);
}
END_TEST

static void set_breakpoint(struct fake_machine *m, uint64_t la, unsigned kind, unsigned len)
{
    struct cpu *c = &m->cpu;
    CODE_AT(m, CODE + 0x800, 0x0f, 0x23, 0xc0, 0x0f, 0x23, 0xfb); /* mov dr0, eax; mov dr7, ebx */
    c->r[RAX] = la;
    c->r[RBX] = 2 | kind << 16 | len << 18;
    c->r[RIP] = CODE + 0x800;
    step(m);
    step(m);
    c->r[RIP] = CODE;
}

START_TEST(code_breakpoint_is_a_fault_and_rf_passes_it)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    CODE_AT(m, CODE, 0x90, 0x40, 0x40);
    CODE_AT(m, HANDLER + 16 * VEC_DB, 0xcf);
    set_breakpoint(m, CODE + 1, 0, 0);
    c->r[RAX] = 0;
    step(m);
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_DB);
    ck_assert_uint_eq(c->r[RAX], 0);
    ck_assert_uint_eq(c->dr[6] & 0xf, 1);
    ck_assert_uint_eq(get(m, c->r[RSP], 4), CODE + 1);
    put(m, c->r[RSP] + 8, 4, 0x10002); /* RF */
    step(m);                           /* iret */
    step(m);
    ck_assert_uint_eq(c->r[RIP], CODE + 2);
    ck_assert_uint_eq(c->r[RAX], 1);
    fake_machine_free(m);
}
END_TEST

/* A breakpoint hit by MOV SS waits for one instruction; where that is INT1 there is one #DB. */
START_TEST(int1_takes_along_a_deferred_breakpoint)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    CODE_AT(m, CODE, 0x8e, 0x15, 0, 0, 4, 0, 0xf1); /* mov ss, [DATA]; int1 */
    CODE_AT(m, HANDLER + 16 * VEC_DB, 0x40);
    put(m, DATA, 2, SEL_DATA0);
    set_breakpoint(m, DATA, 3, 1); /* two bytes, reads and writes */
    step(m);
    ck_assert_uint_eq(c->r[RIP], CODE + 6);
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_DB);
    ck_assert_uint_eq(get(m, c->r[RSP], 4), CODE + 7);
    ck_assert_uint_eq(c->dr[6] & 0xf, 1);
    step(m);
    ck_assert_uint_eq(c->r[RIP], HANDLER + 16 * VEC_DB + 1);
    fake_machine_free(m);
}
END_TEST

START_TEST(data_breakpoint_traps_after_the_access)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    CODE_AT(m, CODE, 0xa1, 2, 0, 4, 0, 0xa3, 2, 0, 4, 0); /* mov eax, [40002h]; mov [40002h], eax */
    set_breakpoint(m, DATA + 4, 1, 0);                    /* one byte, writes */
    step(m);
    ck_assert_uint_eq(c->r[RIP], CODE + 5);
    c->r[RAX] = 0x01020304;
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_DB);
    ck_assert_uint_eq(get(m, DATA + 2, 4), 0x01020304);
    ck_assert_uint_eq(get(m, c->r[RSP], 4), CODE + 10);
    ck_assert_uint_eq(c->dr[6] & 0xf, 1);
    fake_machine_free(m);
}
END_TEST

START_TEST(general_detect_faults_before_the_access)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    CODE_AT(m, CODE, 0x0f, 0x21, 0xf0); /* mov eax, dr6 */
    c->dr[7] |= DR7_GD;
    step_faults(m, VEC_DB, -1);
    ck_assert(c->dr[6] & DR6_BD);
    ck_assert(!(c->dr[7] & DR7_GD));
    fake_machine_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("exception");
    TCase *t = tcase_create("exception");
    tcase_add_test(t, fault_saves_its_instruction_and_rf);
    tcase_add_test(t, trap_gate_keeps_if);
    tcase_add_test(t, page_fault_sets_cr2_and_error_code);
    tcase_add_test(t, user_fault_switches_to_the_tss_stack);
    tcase_add_test(t, sixteen_bit_gate_pushes_words);
    tcase_add_test(t, two_contributory_faults_make_a_double_fault);
    tcase_add_test(t, absent_gate_of_a_benign_fault_is_np_with_ext);
    tcase_add_test(t, absent_gate_of_int_n_has_no_ext);
    tcase_add_test(t, page_fault_while_delivering_a_page_fault);
    tcase_add_test(t, triple_fault_shuts_down);
    tcase_add_test(t, endless_alignment_checks_can_be_left);
    tcase_add_test(t, soft_interrupt_needs_the_gates_dpl);
    tcase_add_test(t, interrupts_wait_for_if_and_the_sti_shadow);
    tcase_add_test(t, interrupt_wakes_from_hlt);
    tcase_add_test(t, nmi_is_blocked_until_iret);
    tcase_add_test(t, real_mode_interrupt);
    tcase_add_test(t, pusha_at_the_bottom_of_the_stack);
    tcase_add_test(t, pusha_of_virtual_8086_code_at_the_bottom_of_the_stack);
    tcase_add_test(t, long_mode_aligns_the_stack_and_pushes_five);
    tcase_add_test(t, ist_switches_at_the_same_level);
    tcase_add_test(t, alignment_checks_know_wide_operands);
    tcase_add_test(t, non_canonical_access_is_gp_or_ss);
    tcase_add_test(t, code_does_not_run_into_the_hole);
    tcase_add_test(t, code_of_32_bits_goes_on_at_offset_0);
    tcase_add_test(t, repetition_at_the_end_of_4_gib_pauses);
    tcase_add_test(t, single_step_traps_after_each_instruction);
    tcase_add_test(t, single_step_on_branches);
    tcase_add_test(t, popf_that_sets_tf_traps_after_the_next_instruction);
    tcase_add_test(t, loading_ss_defers_the_single_step_trap);
    tcase_add_test(t, single_step_trap_ends_hlt);
    tcase_add_test(t, int_n_clears_tf_without_a_trap);
    tcase_add_test(t, code_breakpoint_is_a_fault_and_rf_passes_it);
    tcase_add_test(t, int1_takes_along_a_deferred_breakpoint);
    tcase_add_test(t, data_breakpoint_traps_after_the_access);
    tcase_add_test(t, general_detect_faults_before_the_access);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
