/* SPDX-License-Identifier: MIT */
/* Shifts, rotates, double shifts, bit tests and scans. Counts are masked to 5 bits (6 for 64-bit
 * operands). Flags that the SDM leaves undefined are set as recent Intel processors set them where
 * that is known. */
#include "cpu/ops.h"

/* Number of bits rotated or shifted, by its source. */
enum count_from { COUNT_IMM, COUNT_ONE, COUNT_CL };

OP_INLINE unsigned shift_count(struct cpu *c, const struct insn *i, enum count_from from,
                               unsigned w)
{
    unsigned n = from == COUNT_ONE ? 1 : from == COUNT_IMM ? (unsigned)i->imm : (unsigned)c->r[RCX];
    return n & (w == 3 ? 63 : 31);
}

/* A shift computes a result of width w from a and n (1 <= n < 64) and sets the flags. */
typedef uint64_t (*shift_fn)(struct cpu *c, uint64_t a, unsigned n, unsigned w);

OP_INLINE bool shift_op(struct cpu *c, const struct insn *i, bool mem, unsigned w,
                        enum count_from from, shift_fn fn)
{
    uint64_t a;
    struct rmw m;
    unsigned n = shift_count(c, i, from, w);
    if (mem) {
        if (!rmw_begin(c, i->seg, ea(c, i), 1u << w, &a, &m))
            return false;
        rmw_end(c, &m, 1u << w, n == 0 ? a : fn(c, a, n, w));
        return true;
    }
    a = reg_get(c, i->dst, w);
    /* A count of 0 still clears the upper half of a 32-bit register. */
    reg_set(c, i->dst, w, n == 0 ? a : fn(c, a, n, w));
    return true;
}

OP_INLINE uint64_t bit_of(uint64_t v, unsigned n)
{
    return v >> n & 1;
}

/* -- Shifts ------------------------------------------------------------------------------------ */

OP_INLINE uint64_t do_shl(struct cpu *c, uint64_t a, unsigned n, unsigned w)
{
    unsigned bits = WIDTH_BITS(w);
    uint64_t res = a << n & WIDTH_MASK(w);
    uint64_t last = n <= bits ? bit_of(a, bits - n) : 0;
    flags_result(c, res, w);
    c->f.carry = (uint8_t)last;
    c->f.over = bit_of(res, bits - 1) ^ last ? -1 : 0;
    c->f.aux = 0;
    return res;
}

OP_INLINE uint64_t do_shr(struct cpu *c, uint64_t a, unsigned n, unsigned w)
{
    uint64_t res = a >> n;
    flags_result(c, res, w);
    c->f.carry = (uint8_t)bit_of(a, n - 1);
    c->f.over = n == 1 && bit_of(a, WIDTH_BITS(w) - 1) ? -1 : 0;
    c->f.aux = 0;
    return res;
}

OP_INLINE uint64_t do_sar(struct cpu *c, uint64_t a, unsigned n, unsigned w)
{
    int64_t s = sign_extend(a, w);
    uint64_t res = (uint64_t)(s >> n);
    flags_result(c, res, w);
    c->f.carry = (uint8_t)(s >> (n - 1) & 1);
    c->f.over = 0;
    c->f.aux = 0;
    return res;
}

/* -- Rotates: only CF and OF change ------------------------------------------------------------ */

OP_INLINE uint64_t do_rol(struct cpu *c, uint64_t a, unsigned n, unsigned w)
{
    unsigned bits = WIDTH_BITS(w), k = n & (bits - 1);
    uint64_t res = k == 0 ? a : (a << k | a >> (bits - k)) & WIDTH_MASK(w);
    c->f.carry = res & 1;
    c->f.over = bit_of(res, bits - 1) ^ (res & 1) ? -1 : 0;
    return res;
}

OP_INLINE uint64_t do_ror(struct cpu *c, uint64_t a, unsigned n, unsigned w)
{
    unsigned bits = WIDTH_BITS(w), k = n & (bits - 1);
    uint64_t res = k == 0 ? a : (a >> k | a << (bits - k)) & WIDTH_MASK(w);
    c->f.carry = (uint8_t)bit_of(res, bits - 1);
    c->f.over = bit_of(res, bits - 1) ^ bit_of(res, bits - 2) ? -1 : 0;
    return res;
}

/* Rotation of the (bits + 1)-bit value CF:a left by k, 0 <= k <= bits. */
OP_INLINE uint64_t rotate_carry_left(uint64_t a, uint8_t *carry, unsigned k, unsigned bits)
{
    if (k == 0)
        return a;
    uint64_t in = *carry, high = k < 64 ? a << k : 0;
    uint64_t low = k >= 2 ? a >> (bits + 1 - k) : 0;
    *carry = (uint8_t)bit_of(a, bits - k);
    return high | in << (k - 1) | low;
}

OP_INLINE uint64_t do_rcl(struct cpu *c, uint64_t a, unsigned n, unsigned w)
{
    unsigned bits = WIDTH_BITS(w);
    uint64_t res = rotate_carry_left(a, &c->f.carry, n % (bits + 1), bits) & WIDTH_MASK(w);
    c->f.over = bit_of(res, bits - 1) ^ c->f.carry ? -1 : 0;
    return res;
}

OP_INLINE uint64_t do_rcr(struct cpu *c, uint64_t a, unsigned n, unsigned w)
{
    unsigned bits = WIDTH_BITS(w), k = n % (bits + 1);
    uint64_t res =
        rotate_carry_left(a, &c->f.carry, k == 0 ? 0 : bits + 1 - k, bits) & WIDTH_MASK(w);
    c->f.over = bit_of(res, bits - 1) ^ bit_of(res, bits - 2) ? -1 : 0;
    return res;
}

#define SHIFT_OPS(name)                                                                            \
    OP_UNARY(name##_imm)                                                                           \
    {                                                                                              \
        return shift_op(c, i, mem, w, COUNT_IMM, do_##name);                                       \
    }                                                                                              \
    OP_UNARY(name##_1)                                                                             \
    {                                                                                              \
        return shift_op(c, i, mem, w, COUNT_ONE, do_##name);                                       \
    }                                                                                              \
    OP_UNARY(name##_cl)                                                                            \
    {                                                                                              \
        return shift_op(c, i, mem, w, COUNT_CL, do_##name);                                        \
    }
SHIFT_OPS(shl)
SHIFT_OPS(shr)
SHIFT_OPS(sar)
SHIFT_OPS(rol)
SHIFT_OPS(ror)
SHIFT_OPS(rcl)
SHIFT_OPS(rcr)

/* -- Double shifts ----------------------------------------------------------------------------- */

/* For 16-bit operands a count above 16 is undefined; processors shift dst:src:dst. */
OP_INLINE uint64_t do_shld(struct cpu *c, uint64_t a, uint64_t b, unsigned n, unsigned w)
{
    unsigned bits = WIDTH_BITS(w);
    uint64_t res, last;
    if (n <= bits) {
        res = n == bits ? b : a << n | b >> (bits - n);
        last = bit_of(a, bits - n);
    } else {
        res = b << (n - bits) | a >> (2 * bits - n);
        last = bit_of(b, 2 * bits - n);
    }
    res &= WIDTH_MASK(w);
    flags_result(c, res, w);
    c->f.carry = (uint8_t)last;
    c->f.over = bit_of(res ^ a, bits - 1) ? -1 : 0;
    c->f.aux = 0;
    return res;
}

OP_INLINE uint64_t do_shrd(struct cpu *c, uint64_t a, uint64_t b, unsigned n, unsigned w)
{
    unsigned bits = WIDTH_BITS(w);
    uint64_t res, last;
    if (n <= bits) {
        res = n == bits ? b : a >> n | b << (bits - n);
        last = bit_of(a, n - 1);
    } else {
        res = b >> (n - bits) | a << (2 * bits - n);
        last = bit_of(b, n - bits - 1);
    }
    res &= WIDTH_MASK(w);
    flags_result(c, res, w);
    c->f.carry = (uint8_t)last;
    c->f.over = bit_of(res ^ a, bits - 1) ? -1 : 0;
    c->f.aux = 0;
    return res;
}

#define DOUBLE_SHIFT(name, from, fn)                                                               \
    OP_BINARY(name)                                                                                \
    {                                                                                              \
        uint64_t a, b = reg_get(c, i->src, w);                                                     \
        struct rmw m;                                                                              \
        unsigned n = shift_count(c, i, from, w);                                                   \
        if (form == FORM_MR) {                                                                     \
            if (!rmw_begin(c, i->seg, ea(c, i), 1u << w, &a, &m))                                  \
                return false;                                                                      \
            rmw_end(c, &m, 1u << w, n == 0 ? a : fn(c, a, b, n, w));                               \
            return true;                                                                           \
        }                                                                                          \
        a = reg_get(c, i->dst, w);                                                                 \
        reg_set(c, i->dst, w, n == 0 ? a : fn(c, a, b, n, w));                                     \
        return true;                                                                               \
    }
DOUBLE_SHIFT(shld_imm, COUNT_IMM, do_shld)
DOUBLE_SHIFT(shld_cl, COUNT_CL, do_shld)
DOUBLE_SHIFT(shrd_imm, COUNT_IMM, do_shrd)
DOUBLE_SHIFT(shrd_cl, COUNT_CL, do_shrd)

/* -- Bit test ---------------------------------------------------------------------------------- */

/* With a register as bit offset a memory operand is a bit string: the offset, signed, moves the
 * address in steps of the operand size. */
OP_INLINE uint64_t bit_address(struct cpu *c, const struct insn *i, enum form form, unsigned w)
{
    uint64_t addr = ea(c, i);
    if (form == FORM_MR) {
        int64_t bit = sign_extend(reg_get(c, i->src, w), w);
        addr += (uint64_t)((bit >> (3 + w)) * (int64_t)(1u << w));
    }
    return addr & asz_mask(i);
}

#define BIT_OP(name, expr)                                                                         \
    OP_BINARY(name)                                                                                \
    {                                                                                              \
        bool imm = form == FORM_RI || form == FORM_MI;                                             \
        unsigned n = (unsigned)(imm ? i->imm : reg_get(c, i->src, w)) & (WIDTH_BITS(w) - 1);       \
        uint64_t a, bit = UINT64_C(1) << n;                                                        \
        struct rmw m;                                                                              \
        if (form == FORM_MR || form == FORM_MI) {                                                  \
            if (!rmw_begin(c, i->seg, bit_address(c, i, form, w), 1u << w, &a, &m))                \
                return false;                                                                      \
            rmw_end(c, &m, 1u << w, expr);                                                         \
        } else {                                                                                   \
            a = reg_get(c, i->dst, w);                                                             \
            reg_set(c, i->dst, w, expr);                                                           \
        }                                                                                          \
        c->f.carry = (a & bit) != 0;                                                               \
        return true;                                                                               \
    }
BIT_OP(bts, a | bit)
BIT_OP(btr, a & ~bit)
BIT_OP(btc, a ^ bit)

OP_BINARY(bt)
{
    bool imm = form == FORM_RI || form == FORM_MI;
    unsigned n = (unsigned)(imm ? i->imm : reg_get(c, i->src, w)) & (WIDTH_BITS(w) - 1);
    uint64_t a;
    if (form == FORM_MR || form == FORM_MI) {
        if (!mem_read(c, i->seg, bit_address(c, i, form, w), 1u << w, &a))
            return false;
    } else {
        a = reg_get(c, i->dst, w);
    }
    c->f.carry = (uint8_t)bit_of(a, n);
    return true;
}

/* -- Bit scan: with a zero source the destination keeps its value (as processors do) ----------- */

OP_INLINE void flags_scan(struct cpu *c, uint64_t a)
{
    flags_logic(c, a, 3);
    c->f.zero = a;
}

OP_BINARY(bsf)
{
    uint64_t a;
    (void)form;
    if (!src_load(c, i, w, &a))
        return false;
    if (a != 0)
        reg_set(c, i->dst, w, (uint64_t)__builtin_ctzll(a));
    flags_scan(c, a);
    return true;
}

OP_BINARY(bsr)
{
    uint64_t a;
    (void)form;
    if (!src_load(c, i, w, &a))
        return false;
    if (a != 0)
        reg_set(c, i->dst, w, (uint64_t)(63 - __builtin_clzll(a)));
    flags_scan(c, a);
    return true;
}

OP_WIDTH(bswap)
{
    /* A 16-bit BSWAP is undefined; processors clear the register. */
    uint64_t v = reg_get(c, i->dst, w);
    v = w == 3 ? __builtin_bswap64(v) : w == 2 ? __builtin_bswap32((uint32_t)v) : 0;
    reg_set(c, i->dst, w, v);
    return true;
}
