/* SPDX-License-Identifier: MIT */
/* Handlers of far transfers, software interrupts and segment register moves; the work is in far.c,
 * exception.c and segment.c. */
#include "cpu/exception.h"
#include "cpu/far.h"
#include "cpu/ops.h"

/* -- Far pointers ------------------------------------------------------------------------------ */

/* Offset of the operand size, then a 16-bit selector. */
OP_INLINE bool load_pointer(struct cpu *c, const struct insn *i, unsigned w, uint64_t *off,
                            uint16_t *sel)
{
    uint64_t v;
    uint64_t at = ea(c, i);
    if (!mem_read(c, i->seg, at, 1u << w, off) ||
        !mem_read(c, i->seg, (at + (1u << w)) & asz_mask(i), 2, &v))
        return false;
    *sel = (uint16_t)v;
    return true;
}

OP_WIDTH(jmp_far_imm)
{
    return far_jump(c, w, (uint16_t)i->disp, i->imm);
}

OP_WIDTH(jmp_far_mem)
{
    uint64_t off;
    uint16_t sel;
    return load_pointer(c, i, w, &off, &sel) && far_jump(c, w, sel, off);
}

OP_WIDTH(call_far_imm)
{
    return far_call(c, w, (uint16_t)i->disp, i->imm);
}

OP_WIDTH(call_far_mem)
{
    uint64_t off;
    uint16_t sel;
    return load_pointer(c, i, w, &off, &sel) && far_call(c, w, sel, off);
}

OP_WIDTH(retf)
{
    (void)i;
    return far_return(c, w, 0);
}

OP_WIDTH(retf_imm)
{
    return far_return(c, w, i->imm & 0xffff);
}

OP_WIDTH(iret)
{
    uint32_t flags = eflags_get(c);
    (void)i;
    if (!far_iret(c, w, &flags))
        return false;
    eflags_set(c, flags);
    return true;
}

/* -- Software interrupts ----------------------------------------------------------------------- */

OP_NONE(int3)
{
    (void)i;
    return soft_interrupt(c, VEC_BP, SOFT_INT3_INTO);
}

OP_NONE(intn)
{
    return soft_interrupt(c, (uint8_t)i->imm, SOFT_INTN);
}

OP_NONE(into)
{
    (void)i;
    return !flag_o(c) || soft_interrupt(c, VEC_OF, SOFT_INT3_INTO);
}

OP_NONE(int1)
{
    (void)i;
    return soft_interrupt(c, VEC_DB, SOFT_INT1);
}

/* -- Segment registers ------------------------------------------------------------------------- */

/* Loading SS holds off interrupts and debug traps for one instruction (SDM 3A 6.8.3). */
static void after_load(struct cpu *c, unsigned sreg)
{
    run_stop(c);
    if (sreg == SEG_SS)
        c->shadow = c->shadow_ss = true;
}

OP_NONE(mov_to_sreg)
{
    uint64_t v;
    if (i->dst == SEG_CS || i->dst >= SEG_COUNT)
        return cpu_raise_ud(c);
    if (!src_load(c, i, 1, &v) || !seg_load(c, i->dst, (uint16_t)v))
        return false;
    after_load(c, i->dst);
    return true;
}

/* To memory always 16 bits; to a register zero-extended. */
OP_NONE(mov_from_sreg)
{
    if (i->src >= SEG_COUNT)
        return cpu_raise_ud(c);
    uint16_t sel = c->seg[i->src].sel;
    if (i->mem)
        return mem_store(c, i, 1, sel);
    reg_set(c, i->dst, i->osz, sel);
    return true;
}

OP_WIDTH(push_sreg)
{
    if (w != 2)
        return push(c, w, c->seg[i->dst].sel);
    /* Intel processors leave the upper half of the doubleword as it was. */
    uint64_t sp = (c->r[RSP] - 4) & c->sp_mask;
    if (!mem_write(c, SEG_SS, sp, 2, c->seg[i->dst].sel))
        return false;
    sp_set(c, sp);
    return true;
}

OP_WIDTH(pop_sreg)
{
    uint64_t v, sp = c->r[RSP];
    if (!pop(c, w, &v))
        return false;
    if (!seg_load(c, i->dst, (uint16_t)v)) {
        c->r[RSP] = sp;
        return false;
    }
    after_load(c, i->dst);
    return true;
}

static unsigned pointer_segment(uint8_t opc)
{
    switch (opc) {
    case 0xc4: return SEG_ES;
    case 0xc5: return SEG_DS;
    case 0xb2: return SEG_SS;
    case 0xb4: return SEG_FS;
    default: return SEG_GS;
    }
}

OP_WIDTH(load_far_ptr)
{
    uint64_t off;
    uint16_t sel;
    unsigned sreg = pointer_segment(i->opc);
    if (!load_pointer(c, i, w, &off, &sel) || !seg_load(c, sreg, sel))
        return false;
    reg_set(c, i->dst, w, off);
    run_stop(c);
    return true;
}
