/* SPDX-License-Identifier: MIT */
/* Data transfer: MOV and its relatives, exchange with the stack, addresses. */
#include "cpu/ops.h"

OP_BINARY(mov)
{
    uint64_t v;
    switch (form) {
    case FORM_RR: reg_set(c, i->dst, w, reg_get(c, i->src, w)); return true;
    case FORM_RI: reg_set(c, i->dst, w, i->imm); return true;
    case FORM_MR: return mem_store(c, i, w, reg_get(c, i->src, w));
    case FORM_MI: return mem_store(c, i, w, i->imm);
    case FORM_RM:
        if (!mem_load(c, i, w, &v))
            return false;
        reg_set(c, i->dst, w, v);
        return true;
    default: return false;
    }
}

OP_INLINE bool extend_source(struct cpu *c, const struct insn *i, enum form form, unsigned w,
                             uint64_t *v)
{
    if (form == FORM_RM)
        return mem_load(c, i, w, v);
    *v = reg_get(c, i->src, w);
    return true;
}

#define EXTEND(name, from, expr)                                                                   \
    OP_BINARY(name)                                                                                \
    {                                                                                              \
        uint64_t v;                                                                                \
        if (!extend_source(c, i, form, from, &v))                                                  \
            return false;                                                                          \
        reg_set(c, i->dst, w, expr);                                                               \
        return true;                                                                               \
    }
EXTEND(movzx_b, 0, v)
EXTEND(movzx_w, 1, v)
EXTEND(movsx_b, 0, (uint64_t)sign_extend(v, 0))
EXTEND(movsx_w, 1, (uint64_t)sign_extend(v, 1))
EXTEND(movsx_d, 2, (uint64_t)sign_extend(v, 2))

OP_WIDTH(lea)
{
    reg_set(c, i->dst, w, ea(c, i));
    return true;
}

/* The source is read, with its faults, whatever the condition; a false one still clears the upper
 * half of a 32-bit destination. */
OP_BINARY(cmovcc)
{
    uint64_t v;
    if (!extend_source(c, i, form, w, &v))
        return false;
    if (!flags_cond(c, i->opc & 15))
        v = reg_get(c, i->dst, w);
    reg_set(c, i->dst, w, v);
    return true;
}

OP_NONE(setcc)
{
    return dst_store(c, i, 0, flags_cond(c, i->opc & 15));
}

OP_NONE(xlat)
{
    uint64_t v, off = (c->r[RBX] + (c->r[RAX] & 0xff)) & asz_mask(i);
    if (!mem_read(c, i->seg, off, 1, &v))
        return false;
    reg_set(c, REG_OFF(RAX), 0, v);
    return true;
}

OP_NONE(nop)
{
    (void)c;
    (void)i;
    return true;
}

/* -- Stack ------------------------------------------------------------------------------------- */

OP_UNARY(push)
{
    uint64_t v;
    if (mem) {
        if (!mem_load(c, i, w, &v))
            return false;
    } else {
        v = reg_get(c, i->dst, w);
    }
    return push(c, w, v);
}

OP_WIDTH(push_imm)
{
    return push(c, w, i->imm);
}

/* POP to memory computes the address with rSP already incremented (SDM 2B POP). */
OP_UNARY(pop)
{
    uint64_t v, sp = c->r[RSP];
    if (!pop(c, w, &v))
        return false;
    if (!mem) {
        reg_set(c, i->dst, w, v);
        return true;
    }
    if (mem_store(c, i, w, v))
        return true;
    c->r[RSP] = sp;
    return false;
}

/* Real-address and virtual-8086 mode: too little stack for PUSHA is #GP with these SPs, and #SS, as
 * for other pushes, with others (SDM 2B PUSHA). */
static bool is_pusha_gp(const struct cpu *c, uint64_t sp)
{
    return (!(c->mode & MODE_PE) || c->mode & MODE_V86) && sp & 1 && sp >= 7 && sp <= 15;
}

OP_WIDTH(pusha)
{
    uint64_t sp = c->r[RSP];
    (void)i;
    if (is_pusha_gp(c, sp & c->sp_mask))
        return cpu_raise_gp(c, 0);
    /* All eight are written or none; what would fail first is what is reported. */
    for (unsigned k = 1; k <= 8; k++)
        if (!mem_probe(c, SEG_SS, (sp - (k << w)) & c->sp_mask, 1u << w, true))
            return false;
    for (unsigned k = 0; k < 8; k++)
        if (!push(c, w, k == RSP ? sp : c->r[k]))
            return false;
    return true;
}

OP_WIDTH(popa)
{
    uint64_t v[8];
    (void)i;
    for (unsigned k = 0; k < 8; k++)
        if (!stack_peek(c, w, k << w, &v[k]))
            return false;
    for (unsigned k = 0; k < 8; k++)
        if (7 - k != RSP)
            reg_set(c, REG_OFF(7 - k), w, v[k]);
    sp_set(c, c->r[RSP] + (8u << w));
    return true;
}

/* imm: bits 0-15 frame size, 16-20 nesting level. */
OP_WIDTH(enter)
{
    unsigned size = i->imm & 0xffff, level = i->imm >> 16 & 31;
    uint64_t sp0 = c->r[RSP], bp = c->r[RBP], frame;
    if (!push(c, w, bp))
        return false;
    frame = c->r[RSP];
    for (unsigned k = 1; k < level; k++) {
        uint64_t v;
        bp = (bp & ~c->sp_mask) | ((bp - (1u << w)) & c->sp_mask);
        if (!mem_read(c, SEG_SS, bp & c->sp_mask, 1u << w, &v) || !push(c, w, v))
            goto undo;
    }
    if (level > 0 && !push(c, w, frame))
        goto undo;
    /* The new top of stack must be writable. */
    if (!mem_probe(c, SEG_SS, (c->r[RSP] - size) & c->sp_mask, 1u << w, true))
        goto undo;
    sp_set(c, c->r[RSP] - size);
    reg_set(c, REG_OFF(RBP), w, frame);
    return true;
undo:
    c->r[RSP] = sp0;
    return false;
}

OP_WIDTH(leave)
{
    uint64_t v, bp = c->r[RBP];
    (void)i;
    if (!mem_read(c, SEG_SS, bp & c->sp_mask, 1u << w, &v))
        return false;
    sp_set(c, bp + (1u << w));
    reg_set(c, REG_OFF(RBP), w, v);
    return true;
}
