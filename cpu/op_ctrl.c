/* SPDX-License-Identifier: MIT */
/* Near control transfer: jumps, calls, returns, loops, BOUND. Far transfers are in op_far.c. */
#include "cpu/ops.h"

OP_WIDTH(jmp)
{
    return jump_near(c, w, c->r[RIP] + i->imm);
}

OP_INLINE bool target_operand(struct cpu *c, const struct insn *i, bool mem, unsigned w,
                              uint64_t *v)
{
    if (mem)
        return mem_load(c, i, w, v);
    *v = reg_get(c, i->dst, w);
    return true;
}

OP_UNARY(jmp_ind)
{
    uint64_t target;
    return target_operand(c, i, mem, w, &target) && jump_near(c, w, target);
}

/* The target is checked before the push becomes visible; a fault of either leaves RSP and RIP
 * alone. */
OP_INLINE bool call_near(struct cpu *c, unsigned w, uint64_t target)
{
    uint64_t ret = c->r[RIP];
    if (!jump_near(c, w, target))
        return false;
    if (push(c, w, ret))
        return true;
    c->r[RIP] = ret;
    return false;
}

OP_WIDTH(call)
{
    return call_near(c, w, c->r[RIP] + i->imm);
}

OP_UNARY(call_ind)
{
    uint64_t target;
    return target_operand(c, i, mem, w, &target) && call_near(c, w, target);
}

OP_WIDTH(ret)
{
    uint64_t target;
    (void)i;
    if (!stack_peek(c, w, 0, &target) || !jump_near(c, w, target))
        return false;
    sp_set(c, c->r[RSP] + (1u << w));
    return true;
}

OP_WIDTH(ret_imm)
{
    uint64_t target;
    if (!stack_peek(c, w, 0, &target) || !jump_near(c, w, target))
        return false;
    sp_set(c, c->r[RSP] + (1u << w) + (i->imm & 0xffff));
    return true;
}

/* One handler array a condition, so that the test is a constant. */
#define JCC(n)                                                                                     \
    OP_WIDTH(jcc_##n)                                                                              \
    {                                                                                              \
        if (!flags_cond(c, n))                                                                     \
            return true;                                                                           \
        return jump_near(c, w, c->r[RIP] + i->imm);                                                \
    }
JCC(0)
JCC(1)
JCC(2)
JCC(3)
JCC(4)
JCC(5)
JCC(6)
JCC(7)
JCC(8)
JCC(9)
JCC(10)
JCC(11)
JCC(12)
JCC(13)
JCC(14)
JCC(15)

/* rCX in the address size. */
static uint64_t count_reg(const struct cpu *c, const struct insn *i)
{
    return c->r[RCX] & asz_mask(i);
}

OP_INLINE bool loop_if(struct cpu *c, const struct insn *i, unsigned w, bool extra)
{
    uint64_t n = (count_reg(c, i) - 1) & asz_mask(i);
    if (n != 0 && extra && !jump_near(c, w, c->r[RIP] + i->imm))
        return false;
    reg_set(c, REG_OFF(RCX), i->asz, n);
    return true;
}

OP_WIDTH(loop)
{
    return loop_if(c, i, w, true);
}
OP_WIDTH(loope)
{
    return loop_if(c, i, w, flag_z(c));
}
OP_WIDTH(loopne)
{
    return loop_if(c, i, w, !flag_z(c));
}

OP_WIDTH(jcxz)
{
    return count_reg(c, i) != 0 || jump_near(c, w, c->r[RIP] + i->imm);
}

OP_WIDTH(bound)
{
    uint64_t low, high, off = ea(c, i);
    int64_t v = sign_extend(reg_get(c, i->dst, w), w);
    if (!mem_read(c, i->seg, off, 1u << w, &low))
        return false;
    if (v < sign_extend(low, w)) /* the upper bound is not read */
        return cpu_raise(c, VEC_BR, 0);
    if (!mem_read(c, i->seg, (off + (1u << w)) & asz_mask(i), 1u << w, &high))
        return false;
    if (v > sign_extend(high, w))
        return cpu_raise(c, VEC_BR, 0);
    return true;
}

OP_NONE(ud)
{
    (void)i;
    return cpu_raise_ud(c);
}
