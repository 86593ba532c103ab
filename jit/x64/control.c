/* SPDX-License-Identifier: MIT */
/* Control transfers. A jump within the page goes directly to the code there once that is known; a
 * jump to another page, and one whose target is computed, looks its target up in the jump cache:
 * which page lies at an address may change, where code lies within its page may not. None of it
 * touches flags: JRCXZ is the comparison. What misses is interpreted, and the loop above then fills
 * the cache. */
#include "jit/x64/emit.h"

#define JUMP_AT(x, member)                                                                         \
    rm_index(TABLE, TEMP, 0,                                                                       \
             (int32_t)(JUMP_OFFSET + (x)->code->cache * JUMP_CACHE_BYTES +                         \
                       offsetof(struct jump_entry, member)))

static bool is_flat(const struct xlat *x)
{
    return x->code->kind.mode & KIND_FLAT_CS;
}

static bool in_page(int64_t offset)
{
    return offset >= 0 && offset < 0x1000;
}

/* Remember that the jump whose displacement is at `jump` leaves through an exit. */
static void leave_through(struct xlat *x, uint8_t *jump, int32_t offset, bool linked)
{
    unsigned n = x->code->nexits++;
    x->code->exit[n] = (struct code_exit){
        .offset = offset, .patch = linked ? jump : NULL, .fp_ready = x->fp_ready};
    x->cold[x->ncold].jump = jump;
    x->cold[x->ncold].exit = n;
    x->ncold++;
}

/* The code for an address is looked for in the jump cache. */
struct probe {
    struct rm rcx; /* where RCX is saved */
    uint8_t *miss; /* the jump taken where it is not there */
};

/* TEMP = offset of the jump cache's entry for the address in ADDR. What follows is executed if it
 * is for that address. When the processor is to stop, poll_mask leads to an entry that is for none.
 */
static struct probe emit_probe_begin(struct xlat *x)
{
    struct probe p = {.rcx = x->is64 ? SCRATCH_AT(X_T0) : rm_reg((int)slots_spare(x, H_NONE))};

    asm_vex(&x->a, 3, true, 2, 0xf5, TEMP, ADDR, CPU_AT(poll_mask)); /* pdep */
    asm_store(&x->a, p.rcx, HCX);
    asm_mov(&x->a, HCX, JUMP_AT(x, minus_la));
    asm_lea(&x->a, true, HCX, rm_index(HCX, ADDR, 0, 0));
    put8(&x->a, 0xe3); /* jrcxz over the miss */
    put8(&x->a, 5);
    p.miss = asm_jmp(&x->a, NULL);
    asm_mov(&x->a, HCX, p.rcx);
    return p;
}

static void emit_probe_end(struct xlat *x, const struct probe *p)
{
    asm_patch(&x->a, p->miss, asm_here(&x->a));
    asm_mov(&x->a, HCX, p->rcx);
}

/* Jump to the code for the address in ADDR, after adding to the stack pointer; goes on behind it
 * where there is none. */
static void emit_probe(struct xlat *x, int32_t sp_change)
{
    struct probe p = emit_probe_begin(x);

    if (sp_change != 0)
        emit_move_sp(x, sp_change);
    asm_jmp_mem(&x->a, JUMP_AT(x, code));
    emit_probe_end(x, &p);
}

/* ADDR = linear address of an offset from the current page's start. */
static void emit_page_address(struct xlat *x, int32_t offset)
{
    asm_mov(&x->a, ADDR, SCRATCH_AT(X_PAGE));
    asm_lea(&x->a, x->is64, ADDR, rm_mem(ADDR, offset));
}

/* Jump to an offset. `jump` is where the displacement of a conditional jump to here is, or NULL. */
static void emit_exit(struct xlat *x, int32_t offset)
{
    if (!in_page(offset) && is_flat(x)) {
        emit_page_address(x, offset);
        emit_probe(x, 0);
    }
    leave_through(x, asm_jmp(&x->a, NULL), offset, in_page(offset));
}

void emit_goto(struct xlat *x, int32_t offset)
{
    emit_exit(x, offset);
}

/* Where a relative branch goes, as an offset from the page's start. False: out of the ordinary. */
static bool branch_offset(const struct xlat *x, const struct insn *i, int32_t *offset)
{
    int64_t to = (int64_t)next_offset(x) + (int64_t)i->imm;

    if (i->prefix & INSN_LOCK)
        return false;
    if (is_flat(x)) {
        *offset = (int32_t)to;
        return to == (int32_t)to && i->osz == (x->is64 ? 3 : 2);
    }
    uint32_t eip = (uint32_t)(x->code->kind.eip_page + (uint64_t)to);
    if (i->osz == 1)
        eip &= 0xffff;
    *offset = (int32_t)(eip - x->code->kind.eip_page);
    return eip <= x->code->kind.cs_limit;
}

/* The branch that the current instruction takes to `offset`; a miss is interpreted. */
static void emit_branch(struct xlat *x, int32_t offset)
{
    if (in_page(offset) || !is_flat(x)) {
        leave_through(x, asm_jmp(&x->a, NULL), offset, in_page(offset));
        return;
    }
    emit_page_address(x, offset);
    emit_probe(x, 0);
    emit_interpret(x);
}

bool emit_jmp(struct xlat *x, const struct insn *i)
{
    int32_t offset;

    if (!branch_offset(x, i, &offset))
        return false;
    emit_branch(x, offset);
    return true;
}

bool emit_jcc(struct xlat *x, const struct insn *i)
{
    unsigned cc = i->opc & 15;
    int32_t offset;
    uint8_t *jump;

    if (!branch_offset(x, i, &offset))
        return false;
    if (in_page(offset)) {
        jump = asm_jcc(&x->a, cc, NULL);
        leave_through(x, jump, offset, true);
        emit_exit(x, next_offset(x));
        return true;
    }
    jump = asm_jcc(&x->a, cc ^ 1, NULL);
    emit_branch(x, offset);
    asm_patch(&x->a, jump, asm_here(&x->a));
    emit_exit(x, next_offset(x));
    return true;
}

/* RCX = the counter, and back: the host's JRCXZ knows no 16 bits. */
static void emit_counter(struct xlat *x, const struct insn *i)
{
    if (i->asz != 1)
        return;
    asm_store(&x->a, SCRATCH_AT(X_T0), HCX);
    asm_op(&x->a, 0, 1, 0xb7, HCX, rm_reg(HCX)); /* movzx ecx, cx */
}

static void emit_counter_end(struct xlat *x, const struct insn *i)
{
    if (i->asz == 1)
        asm_mov(&x->a, HCX, SCRATCH_AT(X_T0));
}

/* A jump to be landed where the counter is zero. */
static uint8_t *emit_hop_zero(struct xlat *x, const struct insn *i)
{
    if (i->asz == 2)
        put8(&x->a, 0x67);
    return asm_hop(&x->a, 0xe3);
}

enum { OP_LOOPNE = 0xe0, OP_LOOPE, OP_LOOP, OP_JCXZ };

/* LOOP counts down and jumps where the counter has not come to zero, LOOPE and LOOPNE where ZF is
 * as they want it, too. */
static void emit_loop_down(struct xlat *x, const struct insn *i, int32_t offset)
{
    uint8_t *zero, *ends = NULL;

    if (i->asz == 1)
        asm_op(&x->a, P_66, 0, 0x8d, HCX, rm_mem(HCX, -1)); /* lea cx, [rcx - 1] */
    else
        asm_lea(&x->a, i->asz == 3, HCX, rm_mem(HCX, -1));
    emit_counter(x, i);
    zero = emit_hop_zero(x, i);
    emit_counter_end(x, i);
    if (i->opc != OP_LOOP)
        ends = asm_hop(&x->a, i->opc == OP_LOOPE ? 0x75 : 0x74);
    leave_through(x, asm_jmp(&x->a, NULL), offset, true);
    asm_land(&x->a, zero);
    emit_counter_end(x, i);
    if (ends != NULL)
        asm_land(&x->a, ends);
    emit_exit(x, next_offset(x));
}

/* LOOP, LOOPE, LOOPNE, JCXZ */
bool emit_loop(struct xlat *x, const struct insn *i)
{
    int32_t offset;
    uint8_t *zero, *on;

    if (!branch_offset(x, i, &offset) || !in_page(offset))
        return false;
    if (i->opc != OP_JCXZ) {
        emit_loop_down(x, i, offset);
        return true;
    }
    emit_counter(x, i);
    zero = emit_hop_zero(x, i);
    emit_counter_end(x, i);
    on = asm_jmp(&x->a, NULL);
    asm_land(&x->a, zero);
    emit_counter_end(x, i);
    leave_through(x, asm_jmp(&x->a, NULL), offset, true);
    asm_patch(&x->a, on, asm_here(&x->a));
    emit_exit(x, next_offset(x));
    return true;
}

/* -- Calls and returns ------------------------------------------------------------------------- */

/* Write the return address below the stack pointer, by way of a register, and move that. */
static void emit_push_return(struct xlat *x, unsigned reg)
{
    struct rm rm = emit_stack(x, RSP, -slot_bytes(x), true);

    if (rm_uses(rm, (int)reg)) {
        asm_lea(&x->a, true, TEMP, rm);
        rm = rm_mem(TEMP, 0);
    }
    asm_mov(&x->a, reg, SCRATCH_AT(X_PAGE));
    asm_lea(&x->a, x->is64, reg, rm_mem((int)reg, next_offset(x)));
    asm_op(&x->a, slot_prefix(x), 0, 0x89, reg, rm);
    emit_move_sp(x, -slot_bytes(x));
}

/* Call the address in ADDR: the target's code is found first, because a miss must have changed
 * nothing. The block ends here, so that 32-bit code has no other use for registers of slots. */
static void emit_call_address(struct xlat *x)
{
    /* The push looks up the stack pointer's page, for which it does not need ADDR. */
    uint32_t needed = x->code->exact | x->code->careful | x->code->beside;
    bool by_registers = !x->is64 && !(needed >> x->k & 1);
    struct probe p;

    if (!by_registers)
        asm_store(&x->a, SCRATCH_AT(X_T2), ADDR);
    p = emit_probe_begin(x);
    if (by_registers) {
        unsigned code = (unsigned)p.rcx.reg;
        asm_mov(&x->a, code, JUMP_AT(x, code));
        emit_push_return(x, slots_spare(x, (int)code));
        asm_op(&x->a, 0, 0, 0xff, 4, rm_reg((int)code)); /* jmp */
    } else {
        asm_mov(&x->a, TEMP, JUMP_AT(x, code));
        asm_store(&x->a, SCRATCH_AT(X_T1), TEMP);
        emit_push_return(x, ADDR);
        asm_mov(&x->a, ADDR, SCRATCH_AT(X_T2));
        asm_jmp_mem(&x->a, SCRATCH_AT(X_T1));
    }
    emit_probe_end(x, &p);
    emit_interpret(x);
}

/* On a stack of 16 bits, in a segment whose base is known with the page. */
static bool emit_call16(struct xlat *x, const struct insn *i)
{
    int32_t offset, bytes = 1 << i->osz;
    struct rm rm;

    if (is_flat(x) || !branch_offset(x, i, &offset) || !emit_stack16(x, i, -bytes, true, &rm))
        return false;
    emit_store_constant(x, i, rm, x->code->kind.eip_page + (uint32_t)next_offset(x));
    emit_move_sp16(x, -bytes);
    leave_through(x, asm_jmp(&x->a, NULL), offset, in_page(offset));
    return true;
}

bool emit_call(struct xlat *x, const struct insn *i)
{
    int32_t offset;

    if (!stack_is_plain(x, i))
        return emit_call16(x, i);
    if (!is_flat(x) || !branch_offset(x, i, &offset))
        return false;
    if (!in_page(offset)) {
        emit_page_address(x, offset);
        emit_call_address(x);
        return true;
    }
    emit_push_return(x, ADDR);
    leave_through(x, asm_jmp(&x->a, NULL), offset, true);
    return true;
}

/* ADDR = the operand of an indirect jump or call. */
static bool emit_target(struct xlat *x, const struct insn *i)
{
    struct rm rm;

    if (!is_flat(x) || i->prefix & INSN_LOCK || i->osz != (x->is64 ? 3 : 2))
        return false;
    if (!i->mem) {
        emit_load_guest(x, ADDR, i->dst >> 3);
        return true;
    }
    if (!emit_operand(x, i, 1u << i->osz, false, &rm))
        return false;
    asm_op(&x->a, slot_prefix(x), 0, 0x8b, ADDR, rm);
    return true;
}

bool emit_jmp_indirect(struct xlat *x, const struct insn *i)
{
    if (!emit_target(x, i))
        return false;
    emit_probe(x, 0);
    emit_interpret(x);
    return true;
}

bool emit_call_indirect(struct xlat *x, const struct insn *i)
{
    if (!stack_is_plain(x, i) || !emit_target(x, i))
        return false;
    emit_call_address(x);
    return true;
}

bool emit_ret(struct xlat *x, const struct insn *i)
{
    int32_t pops = slot_bytes(x);

    if (!is_flat(x) || !stack_is_plain(x, i) || i->prefix & INSN_LOCK)
        return false;
    if (i->opc == 0xc2)
        pops += (int32_t)(i->imm & 0xffff);
    asm_op(&x->a, slot_prefix(x), 0, 0x8b, ADDR, emit_stack(x, RSP, 0, false));
    emit_probe(x, pops);
    emit_interpret(x);
    return true;
}
