/* SPDX-License-Identifier: MIT */
/* The code between C and translated code. C's callee-saved registers wait on C's stack, whose
 * pointer is in X_CSP while translated code runs. */
#include "jit/x64/emit.h"

static const uint8_t c_saved[] = {HBX, HBP, H12, H13, H14, H15};

static void push(struct asmbuf *a, unsigned reg)
{
    if (reg >= 8)
        put8(a, 0x41);
    put8(a, 0x50 | (reg & 7));
}

static void pop(struct asmbuf *a, unsigned reg)
{
    if (reg >= 8)
        put8(a, 0x41);
    put8(a, 0x58 | (reg & 7));
}

static void jmp_reg(struct asmbuf *a, unsigned reg)
{
    asm_op(a, 0, 0, 0xff, 4, rm_reg((int)reg));
}

/* The guest registers that code of this width keeps in the host's. */
static bool is_kept(unsigned guest, bool is64)
{
    return host_reg(guest) >= 0 && (is64 || guest < 8);
}

static void emit_load_slots(struct asmbuf *a, bool is64)
{
    for (unsigned n = 0; n < (is64 ? SLOTS_64 : SLOTS); n++)
        asm_mov(a, slot_host(is64, n), SCRATCH_AT(X_SLOT + n));
}

/* With a look at cpu.poll behind whatever has C do this, and before anything is changed. */
static void emit_load_state(struct asmbuf *a, bool is64)
{
    emit_poll(a);
    asm_mov(a, TABLE, SCRATCH_AT(X_TABLE));
    asm_mov32(a, HAX, SCRATCH_AT(X_FLAGS));
    asm_flags_from_ax(a);
    for (unsigned g = 0; g < 16; g++)
        if (is_kept(g, is64))
            asm_op(a, is64 ? P_W : 0, 0, 0x8b, (unsigned)host_reg(g), GUEST_REG_AT(g));
    if (!is64)
        asm_mov_imm(a, SHIFT, 12);
    asm_mov(a, ADDR, SCRATCH_AT(X_LA));
    emit_load_slots(a, is64);
    asm_jmp_mem(a, SCRATCH_AT(X_RESUME));
}

static void emit_save_state(struct asmbuf *a, bool is64)
{
    for (unsigned g = 0; g < 16; g++)
        if (is_kept(g, is64))
            asm_store(a, GUEST_REG_AT(g), (unsigned)host_reg(g));
    asm_flags_to_ax(a);
    asm_store(a, SCRATCH_AT(X_FLAGS), HAX);
}

static struct rm xmm_at(unsigned n)
{
    return rm_gs((int32_t)(offsetof(struct cpu, fpu.xmm) + n * sizeof(union vec)));
}

static void emit_sse_load(struct asmbuf *a)
{
    for (unsigned n = 0; n < 16; n++)
        asm_op(a, 0, 1, 0x10, n, xmm_at(n));     /* movups */
    asm_op(a, 0, 1, 0xae, 2, CPU_AT(fpu.mxcsr)); /* ldmxcsr */
}

static void emit_sse_save(struct asmbuf *a)
{
    for (unsigned n = 0; n < 16; n++)
        asm_op(a, 0, 1, 0x11, n, xmm_at(n));
    asm_op(a, 0, 1, 0xae, 3, CPU_AT(fpu.mxcsr)); /* stmxcsr */
    asm_op(a, 0, 1, 0xae, 2, SCRATCH_AT(X_MXCSR));
}

/* ORDER FP_* */
static const struct {
    void (*load)(struct asmbuf *a);
    void (*save)(struct asmbuf *a);
} fp_part[FP_PARTS] = {{emit_sse_load, emit_sse_save}, {emit_x87_load, emit_x87_save}};

static void emit_set_fp(struct asmbuf *a, unsigned part, uint32_t owned, const uint8_t *enter)
{
    asm_store32_imm(a, SCRATCH_AT(X_GUEST_FP + part), owned);
    asm_mov_imm(a, ADDR, (uint64_t)(uintptr_t)enter);
    asm_store(a, SCRATCH_AT(X_FP_ENTER + part), ADDR);
}

static void emit_fp_load(struct asmbuf *a, unsigned part, const uint8_t *keep)
{
    asm_store(a, SCRATCH_AT(X_T1), TEMP);
    fp_part[part].load(a);
    emit_set_fp(a, part, 1, keep);
    emit_load_slots(a, true); /* where it is code with slots that goes on */
    asm_jmp_mem(a, SCRATCH_AT(X_T1));
}

/* Give the registers back to C, if they hold the guest's. Changes flags, ADDR and TEMP. */
static void emit_fp_save(struct asmbuf *a, const struct stubs *s)
{
    for (unsigned part = 0; part < FP_PARTS; part++) {
        asm_op(a, 0, 0, 0x83, 7, SCRATCH_AT(X_GUEST_FP + part)); /* cmp */
        put8(a, 0);
        uint8_t *over = asm_jcc(a, 4, NULL);
        fp_part[part].save(a);
        emit_set_fp(a, part, 0, s->fp_load[part]);
        asm_patch(a, over, asm_here(a));
    }
}

/* Load what `parts` says, then go on at X_T0. */
static void emit_fp_resume(struct asmbuf *a, struct stubs *s, unsigned parts)
{
    unsigned part = parts >> FP_X87 & 1 ? FP_X87 : FP_SSE, others = parts & ~(1u << part);

    s->fp_resume[parts] = asm_here(a);
    if (others == 0)
        asm_mov(a, TEMP, SCRATCH_AT(X_T0));
    else
        asm_mov_imm(a, TEMP, (uint64_t)(uintptr_t)s->fp_resume[others]);
    asm_jmp(a, s->fp_load[part]);
}

static void emit_enter(struct asmbuf *a, const struct stubs *s, bool is64)
{
    for (unsigned k = 0; k < sizeof(c_saved); k++)
        push(a, c_saved[k]);
    push(a, HAX); /* for alignment */
    asm_store(a, SCRATCH_AT(X_CSP), HSP);
    asm_store(a, SCRATCH_AT(X_RESUME), HDI);
    asm_jmp(a, s->load[is64]);
}

/* EAX says why. */
static void emit_leave_to_c(struct asmbuf *a, const struct stubs *s)
{
    emit_fp_save(a, s);
    asm_mov(a, HSP, SCRATCH_AT(X_CSP));
    pop(a, HCX);
    for (unsigned k = sizeof(c_saved); k-- > 0;)
        pop(a, c_saved[k]);
    put8(a, 0xc3);
}

static void emit_call_c(struct asmbuf *a, const struct stubs *s, bool is64,
                        enum after_call (*function)(struct cpu *c, struct code *x))
{
    asm_store(a, SCRATCH_AT(X_RESUME), TEMP);
    asm_store(a, SCRATCH_AT(X_CODE), ADDR);
    emit_save_state(a, is64);
    emit_fp_save(a, s);
    asm_mov(a, HDI, SCRATCH_AT(X_CPU));
    asm_mov(a, HSI, SCRATCH_AT(X_CODE));
    asm_mov(a, HSP, SCRATCH_AT(X_CSP));
    asm_mov_imm(a, HAX, (uint64_t)(uintptr_t)function);
    asm_op(a, 0, 0, 0xff, 2, rm_reg(HAX)); /* call */
    put8(a, 0x3c);                         /* cmp al, ... */
    put8(a, CALL_ON_32);
    asm_jcc(a, 4, s->load[0]);
    asm_jcc(a, 7, s->load[1]);
    asm_mov_imm(a, HAX, WHY_STATE);
    asm_jmp(a, s->leave);
}

static void emit_exit_to_c(struct asmbuf *a, const struct stubs *s, bool is64, enum code_why why)
{
    asm_store(a, SCRATCH_AT(X_CODE), ADDR);
    emit_save_state(a, is64);
    asm_mov_imm(a, HAX, why);
    asm_jmp(a, s->leave);
}

static void emit_jumped(struct asmbuf *a, const struct stubs *s)
{
    asm_store(a, GUEST_REG_AT(RIP), ADDR);
    emit_save_state(a, true);
    asm_mov_imm(a, HAX, WHY_JUMPED);
    asm_jmp(a, s->leave);
}

void stubs_create(struct jit *j, struct stubs *s)
{
    struct asmbuf a = {j->next, j->to_exec, 0};

    s->fp_keep = asm_here(&a);
    jmp_reg(&a, TEMP);
    for (unsigned part = 0; part < FP_PARTS; part++) {
        s->fp_load[part] = asm_here(&a);
        emit_fp_load(&a, part, s->fp_keep);
    }
    for (unsigned parts = 1; parts < 1 << FP_PARTS; parts++)
        emit_fp_resume(&a, s, parts);
    s->leave = asm_here(&a);
    emit_leave_to_c(&a, s);
    s->jumped = asm_here(&a);
    emit_jumped(&a, s);
    for (unsigned is64 = 0; is64 < 2; is64++) {
        s->load[is64] = asm_here(&a);
        emit_load_state(&a, is64);
    }
    for (unsigned is64 = 0; is64 < 2; is64++) {
        s->enter[is64] = asm_here(&a);
        emit_enter(&a, s, is64);
        s->call[is64] = asm_here(&a);
        emit_call_c(&a, s, is64, jit_call);
        s->assist[is64] = asm_here(&a);
        emit_call_c(&a, s, is64, jit_assist);
        s->exit[is64][0] = asm_here(&a);
        emit_exit_to_c(&a, s, is64, WHY_EXIT);
        s->exit[is64][1] = asm_here(&a);
        emit_exit_to_c(&a, s, is64, WHY_DEAD);
    }
    j->next = a.p;
}
