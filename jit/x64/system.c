/* SPDX-License-Identifier: MIT */
/* System instructions that kernels execute all the time, at privilege level 0: the interrupt and
 * access flags, EFLAGS on the stack, control registers, GS. What they change is in struct cpu; the
 * host's flags belong to the guest, so a bit is cleared by PEXT and PDEP. Interrupts that have
 * become possible are the interpreter's business: it is called where something is pending. */
#include "jit/x64/emit.h"

/* EFLAGS as LAHF and SETO see them: bits 0-7 and 11. */
#define LOW_FLAGS 0x8ffu
/* What POPF may change here: IF. Where it changes others, the interpreter does it. */
#define FLAGS_SAME 0x003f7502u
_Static_assert((FLAGS_SAME & (EFL_ARITH | EFL_IF)) == 0, "these are loaded");

static bool at_level0(const struct xlat *x)
{
    return x->code->kind.mode & KIND_LEVEL0;
}

static void emit_movzx(struct xlat *x, unsigned bytes_op, unsigned dst, struct rm src)
{
    asm_op(&x->a, 0, 1, bytes_op, dst, src);
}

static void emit_store32(struct xlat *x, struct rm dst, unsigned src)
{
    asm_op(&x->a, 0, 0, 0x89, src, dst);
}

static void emit_pext32(struct xlat *x, unsigned dst, unsigned src, unsigned mask)
{
    asm_vex(&x->a, 2, false, 2, 0xf5, dst, src, rm_reg((int)mask));
}

static void emit_pdep32(struct xlat *x, unsigned dst, unsigned src, unsigned mask)
{
    asm_vex(&x->a, 3, false, 2, 0xf5, dst, src, rm_reg((int)mask));
}

/* TEMP &= mask, by way of ADDR. */
static void emit_and(struct xlat *x, uint32_t mask)
{
    asm_mov_imm(&x->a, ADDR, mask);
    emit_pext32(x, TEMP, TEMP, ADDR);
    emit_pdep32(x, TEMP, TEMP, ADDR);
}

/* A flag of struct cpu's EFLAGS. */
static void emit_flag(struct xlat *x, uint32_t flag, bool set)
{
    asm_mov32(&x->a, TEMP, CPU_AT(eflags));
    emit_and(x, ~flag);
    if (set)
        asm_lea(&x->a, false, TEMP, rm_mem(TEMP, (int32_t)flag));
    emit_store32(x, CPU_AT(eflags), TEMP);
}

/* Interpret the instruction unless RCX is zero, whose own value is in X_T0; it has that in what
 * follows. */
static void emit_unless_zero(struct xlat *x)
{
    uint8_t fp_ready = x->fp_ready, *good;

    good = asm_hop(&x->a, 0xe3); /* jrcxz */
    asm_mov(&x->a, HCX, SCRATCH_AT(X_T0));
    emit_interpret(x);
    x->skip[x->nskips++] = asm_jmp(&x->a, NULL);
    asm_land(&x->a, good);
    asm_mov(&x->a, HCX, SCRATCH_AT(X_T0));
    x->fp_ready = fp_ready;
}

/* -- Interrupt and access flags ---------------------------------------------------------------- */

bool emit_cli(struct xlat *x, const struct insn *i)
{
    if (!at_level0(x) || i->prefix & INSN_LOCK)
        return false;
    emit_flag(x, EFL_IF, false);
    return true;
}

/* Does the next instruction follow in this block, and does it look at c->poll only when it is over?
 * Repeated ones do so before. */
static bool next_is_shadowed(const struct xlat *x)
{
    const struct insn *next = &x->code->block->insn[x->k + 1];

    if (x->k + 1u >= x->code->block->count)
        return false;
    return x->j->backend->rules[next->op].emit == NULL || !(optab[next->op].attr & ATTR_STR);
}

/* Nothing is pending: an interrupt that comes now stops translated code behind the next
 * instruction. Between the two nothing goes back to C, where it would be delivered: a HLT would
 * then wait for another one. */
bool emit_sti(struct xlat *x, const struct insn *i)
{
    if (!at_level0(x) || !next_is_shadowed(x) || i->prefix & INSN_LOCK)
        return false;
    asm_store(&x->a, SCRATCH_AT(X_T0), HCX);
    asm_mov32(&x->a, HCX, CPU_AT(attention));
    emit_unless_zero(x);
    emit_flag(x, EFL_IF, true);
    return true;
}

/* CLAC, STAC: other accesses are allowed from here on. */
bool emit_stac(struct xlat *x, const struct insn *i)
{
    bool set = i->modrm & 1;
    unsigned mmu = set ? MMU_KERNEL_AC : MMU_KERNEL;

    if (!at_level0(x) || i->prefix & INSN_LOCK)
        return false;
    emit_flag(x, EFL_AC, set);
    asm_op(&x->a, 0, 0, 0xc6, 0, CPU_AT(mmu));
    put8(&x->a, mmu);
    asm_mov_imm(&x->a, TEMP, (uint64_t)(uintptr_t)&x->j->cpu->tlbs[mmu]);
    asm_store(&x->a, CPU_AT(tlb), TEMP);
    asm_mov(&x->a, TABLE, SCRATCH_AT(X_TABLES + mmu));
    asm_store(&x->a, SCRATCH_AT(X_TABLE), TABLE);
    return true;
}

/* -- EFLAGS on the stack ----------------------------------------------------------------------- */

/* AL and AH change places; the upper half of EAX is zero, before and behind. */
static void emit_swap_al_ah(struct xlat *x)
{
    put8(&x->a, 0x0f); /* bswap eax */
    put8(&x->a, 0xc8);
    asm_vex(&x->a, 3, false, 3, 0xf0, HAX, 0, rm_reg(HAX)); /* rorx eax, eax, 16 */
    put8(&x->a, 16);
}

/* EAX = the flags in RFLAGS, as they stand in EFLAGS; bit 1 is set. */
static void emit_flags_to_eax(struct xlat *x)
{
    asm_flags_to_ax(&x->a);
    emit_movzx(x, 0xb7, HAX, rm_reg(HAX));
    emit_swap_al_ah(x);
    asm_mov_imm(&x->a, TEMP, LOW_FLAGS);
    emit_pdep32(x, HAX, HAX, TEMP);
}

/* RFLAGS = the flags of an EFLAGS image in TEMP; destroys EAX. */
static void emit_flags_from_temp(struct xlat *x)
{
    asm_mov_imm(&x->a, HAX, LOW_FLAGS);
    emit_pext32(x, HAX, TEMP, HAX);
    emit_swap_al_ah(x);
    asm_flags_from_ax(&x->a);
}

/* In virtual-8086 mode it depends on IOPL. */
bool emit_pushf(struct xlat *x, const struct insn *i)
{
    if (!(at_level0(x) || x->is64) || !stack_is_plain(x, i) || i->prefix & INSN_LOCK)
        return false;
    asm_store(&x->a, SCRATCH_AT(X_T0), HAX);
    emit_flags_to_eax(x);
    asm_mov32(&x->a, TEMP, CPU_AT(eflags));
    asm_lea(&x->a, false, TEMP, rm_index(HAX, TEMP, 0, -2)); /* bit 1 is in both */
    asm_mov(&x->a, HAX, SCRATCH_AT(X_T0));
    asm_store(&x->a, SCRATCH_AT(X_T1), TEMP);
    asm_lea(&x->a, true, ADDR, emit_stack(x, RSP, -slot_bytes(x), true));
    asm_mov(&x->a, TEMP, SCRATCH_AT(X_T1));
    asm_op(&x->a, slot_prefix(x), 0, 0x89, TEMP, rm_mem(ADDR, 0));
    emit_move_sp(x, -slot_bytes(x));
    return true;
}

/* At level 0 all flags come from the stack but VM, VIF and VIP. */
bool emit_popf(struct xlat *x, const struct insn *i)
{
    if (!at_level0(x) || !stack_is_plain(x, i) || i->prefix & INSN_LOCK)
        return false;
    asm_op(&x->a, slot_prefix(x), 0, 0x8b, TEMP, emit_stack(x, RSP, 0, false));
    asm_store(&x->a, SCRATCH_AT(X_T1), TEMP);
    asm_store(&x->a, SCRATCH_AT(X_T0), HCX);
    asm_mov_imm(&x->a, ADDR, FLAGS_SAME);
    emit_pext32(x, HCX, TEMP, ADDR);
    asm_mov32(&x->a, TEMP, CPU_AT(eflags));
    emit_pext32(x, TEMP, TEMP, ADDR);
    asm_op(&x->a, P_W, 0, 0xf7, 2, rm_reg(HCX)); /* not: the difference, less 1 */
    asm_lea(&x->a, true, HCX, rm_index(HCX, TEMP, 0, 1));
    asm_mov32(&x->a, TEMP, CPU_AT(attention));
    asm_lea(&x->a, true, HCX, rm_index(TEMP, HCX, 3, 0));
    _Static_assert((ATT_INTR | ATT_NMI | ATT_EXIT) < 1 << 3, "the sum is zero if both are");
    emit_unless_zero(x);
    asm_mov(&x->a, TEMP, SCRATCH_AT(X_T1));
    emit_and(x, FLAGS_SAME | EFL_IF);
    emit_store32(x, CPU_AT(eflags), TEMP);
    asm_mov(&x->a, TEMP, SCRATCH_AT(X_T1));
    asm_store(&x->a, SCRATCH_AT(X_T0), HAX);
    emit_flags_from_temp(x);
    asm_mov(&x->a, HAX, SCRATCH_AT(X_T0));
    emit_move_sp(x, slot_bytes(x));
    return true;
}

/* -- Registers --------------------------------------------------------------------------------- */

static struct rm segment_at(unsigned sreg, size_t field)
{
    return rm_gs((int32_t)(offsetof(struct cpu, seg) + sreg * sizeof(struct seg) + field));
}

/* MOV from a segment register: memory gets 16 bits, a register as many as it has. */
bool emit_mov_from_segment(struct xlat *x, const struct insn *i)
{
    struct rm rm;

    if (i->src >= SEG_COUNT || i->prefix & INSN_LOCK)
        return false;
    if (i->mem) {
        if (!emit_operand(x, i, 2, true, &rm))
            return false;
        asm_lea(&x->a, true, ADDR, rm);
        emit_movzx(x, 0xb7, TEMP, segment_at(i->src, offsetof(struct seg, sel)));
        asm_op(&x->a, P_66, 0, 0x89, TEMP, rm_mem(ADDR, 0));
        return true;
    }
    emit_movzx(x, 0xb7, TEMP, segment_at(i->src, offsetof(struct seg, sel)));
    if (i->osz != 1)
        emit_store_guest(x, i->dst >> 3, TEMP);
    else if (host_reg(i->dst >> 3) >= 0)
        asm_op(&x->a, P_66, 0, 0x89, TEMP, rm_reg(host_reg(i->dst >> 3)));
    else
        asm_op(&x->a, P_66, 0, 0x89, TEMP, GUEST_REG_AT(i->dst >> 3));
    return true;
}

/* MOV and POP to DS, ES, FS or GS. */
bool emit_load_segment(struct xlat *x, const struct insn *i)
{
    bool data = i->dst < SEG_COUNT && i->dst != SEG_CS && i->dst != SEG_SS;

    return data && emit_assist(x, i);
}

/* Of a doubleword only the lower half is written. */
bool emit_push_segment(struct xlat *x, const struct insn *i)
{
    bool plain = stack_is_plain(x, i);
    int32_t bytes = 1 << i->osz;
    struct rm rm;

    if (i->prefix & INSN_LOCK)
        return false;
    if (plain)
        rm = emit_stack(x, RSP, -bytes, true);
    else if (!emit_stack16(x, i, -bytes, true, &rm))
        return false;
    asm_lea(&x->a, true, ADDR, rm);
    emit_movzx(x, 0xb7, TEMP, segment_at(i->dst, offsetof(struct seg, sel)));
    asm_op(&x->a, x->is64 ? P_W : P_66, 0, 0x89, TEMP, rm_mem(ADDR, 0));
    if (plain)
        emit_move_sp(x, -bytes);
    else
        emit_move_sp16(x, -bytes);
    return true;
}

bool emit_swapgs(struct xlat *x, const struct insn *i)
{
    struct rm base = segment_at(SEG_GS, offsetof(struct seg, base));

    if (!at_level0(x) || !x->is64 || i->prefix & INSN_LOCK)
        return false;
    asm_mov(&x->a, ADDR, base);
    asm_mov(&x->a, TEMP, CPU_AT(msr.kernel_gs_base));
    asm_store(&x->a, CPU_AT(msr.kernel_gs_base), ADDR);
    asm_store(&x->a, base, TEMP);
    return true;
}

bool emit_mov_from_cr(struct xlat *x, const struct insn *i)
{
    static const int32_t at[] = {offsetof(struct cpu, cr0), -1, offsetof(struct cpu, cr2),
                                 offsetof(struct cpu, cr3), offsetof(struct cpu, cr4)};

    if (!at_level0(x) || i->prefix & INSN_LOCK || i->src >= sizeof(at) / sizeof(at[0]) ||
        at[i->src] < 0)
        return false;
    asm_op(&x->a, slot_prefix(x), 0, 0x8b, TEMP, rm_gs(at[i->src]));
    emit_store_guest(x, i->dst >> 3, TEMP);
    return true;
}
