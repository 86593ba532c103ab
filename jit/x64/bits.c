/* SPDX-License-Identifier: MIT */
/* BT, BTS, BTR and BTC. With memory and a register as the bit's number, memory is a row of bits in
 * both directions (SDM 2A, BT): the number chooses an element, and a bit in it. The host could do
 * the same, but from an address that need not be in the page looked up, and slowly. */
#include "jit/x64/emit.h"

/* ADDR = number of the element. */
static void emit_number(struct xlat *x, const struct insn *i, unsigned index)
{
    asm_mov_imm(&x->a, TEMP, 3u + i->osz);
    if (i->osz == 1) {
        asm_op(&x->a, P_W, 1, 0xbf, ADDR, rm_reg((int)index)); /* movsx */
        index = ADDR;
    } else if (i->osz == 2) {
        asm_op(&x->a, P_W, 0, 0x63, ADDR, rm_reg((int)index)); /* movsxd */
        index = ADDR;
    }
    asm_vex(&x->a, 2, true, 2, 0xf7, ADDR, TEMP, rm_reg((int)index)); /* sarx */
}

/* A host register that holds the bit's number, `spare` if need be. */
static unsigned index_reg(struct xlat *x, unsigned guest, unsigned spare)
{
    int h = host_reg(guest);

    if (h >= 0)
        return (unsigned)h;
    emit_load_guest(x, spare, guest);
    return spare;
}

/* LOCK: the host's own instruction on the element at ADDR, with the number of a bit in it. */
static bool emit_locked(struct xlat *x, const struct insn *i, unsigned guest)
{
    if (i->osz == 1)
        return false;
    emit_load_guest(x, TEMP, guest);
    asm_vex(&x->a, 2, true, 2, 0xf5, TEMP, TEMP,
            SCRATCH_AT(i->osz == 3 ? X_BITS64 : X_BITS32)); /* pext */
    asm_op(&x->a, width_prefix(i->osz) | P_LOCK, 1, i->opc, TEMP, rm_mem(ADDR, 0));
    return true;
}

/* Nothing faults behind the load: what is written was looked up to be. */
static void emit_unlocked(struct xlat *x, const struct insn *i, unsigned guest, bool write)
{
    unsigned index;

    asm_op(&x->a, width_prefix(i->osz), 0, 0x8b, TEMP, rm_mem(ADDR, 0));
    if (write && host_reg(guest) < 0)
        asm_store(&x->a, SCRATCH_AT(X_T0), ADDR);
    index = index_reg(x, guest, ADDR);
    asm_op(&x->a, width_prefix(i->osz), 1, i->opc, index, rm_reg(TEMP));
    if (!write)
        return;
    if (index == ADDR)
        asm_mov(&x->a, ADDR, SCRATCH_AT(X_T0));
    asm_op(&x->a, width_prefix(i->osz), 0, 0x89, TEMP, rm_mem(ADDR, 0));
}

bool emit_bit_test(struct xlat *x, const struct insn *i)
{
    bool write = (x->rule->how & RULE_ACCESS) != RULE_READ;
    unsigned guest = i->src >> 3;
    struct rm rm;

    if (!i->mem || x->row->operand[1].kind != K_G)
        return emit_general(x, i);
    if (i->prefix & INSN_LOCK && !write)
        return false;
    emit_number(x, i, index_reg(x, guest, ADDR));
    if (!emit_numbered(x, i, i->osz, write, &rm))
        return false;
    asm_lea(&x->a, true, ADDR, rm);
    if (i->prefix & INSN_LOCK)
        return emit_locked(x, i, guest);
    emit_unlocked(x, i, guest, write);
    return true;
}
