/* SPDX-License-Identifier: MIT */
/* Bit manipulation on general registers: POPCNT, LZCNT, TZCNT, BMI1, BMI2, ADX, MOVBE (SDM
 * 1 5.1.16, 2A-2D under their names). Flags that the SDM leaves undefined are cleared. */
#include "cpu/ops.h"

/* flags_result() with the others clear; carry as given. */
static inline void flags_bits(struct cpu *c, uint64_t res, unsigned w, bool carry)
{
    flags_logic(c, res, w);
    c->f.carry = carry;
}

OP_WIDTH(popcnt)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    reg_set(c, i->dst, w, (uint64_t)__builtin_popcountll(v));
    flags_set_arith(c, v == 0 ? EFL_ZF : 0);
    return true;
}

OP_WIDTH(tzcnt)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    uint64_t n = v == 0 ? WIDTH_BITS(w) : (uint64_t)__builtin_ctzll(v);
    reg_set(c, i->dst, w, n);
    flags_set_arith(c, (v == 0 ? EFL_CF : 0) | (n == 0 ? EFL_ZF : 0));
    return true;
}

OP_WIDTH(lzcnt)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    uint64_t n = v == 0 ? WIDTH_BITS(w) : (uint64_t)__builtin_clzll(v) - (64 - WIDTH_BITS(w));
    reg_set(c, i->dst, w, n);
    flags_set_arith(c, (v == 0 ? EFL_CF : 0) | (n == 0 ? EFL_ZF : 0));
    return true;
}

/* -- BMI1 -------------------------------------------------------------------------------------- */

OP_WIDTH(andn)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    uint64_t r = ~reg_get(c, i->src2, w) & v;
    reg_set(c, i->dst, w, r);
    flags_logic(c, r, w);
    return true;
}

/* src2[7:0] is the first bit, src2[15:8] the number of bits. */
OP_WIDTH(bextr)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    uint64_t ctl = reg_get(c, i->src2, w);
    unsigned start = ctl & 0xff, len = ctl >> 8 & 0xff;
    uint64_t r = start < 64 ? v >> start : 0;
    if (len < 64)
        r &= (UINT64_C(1) << len) - 1;
    reg_set(c, i->dst, w, r);
    flags_logic(c, r, w);
    return true;
}

OP_WIDTH(blsi)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    uint64_t r = v & (0 - v);
    reg_set(c, i->dst, w, r);
    flags_bits(c, r, w, v != 0);
    return true;
}

OP_WIDTH(blsmsk)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    uint64_t r = v ^ (v - 1);
    reg_set(c, i->dst, w, r);
    flags_bits(c, r, w, v == 0);
    return true;
}

OP_WIDTH(blsr)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    uint64_t r = v & (v - 1);
    reg_set(c, i->dst, w, r);
    flags_bits(c, r, w, v == 0);
    return true;
}

/* -- BMI2 -------------------------------------------------------------------------------------- */

OP_WIDTH(bzhi)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    unsigned n = reg_get(c, i->src2, 0) & 0xff;
    bool all = n >= WIDTH_BITS(w);
    uint64_t r = all ? v : v & ((UINT64_C(1) << n) - 1);
    reg_set(c, i->dst, w, r);
    flags_bits(c, r, w, all);
    return true;
}

/* RDX times the operand; src2 gets the low half first, so that the high half wins. */
OP_WIDTH(mulx)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    unsigned __int128 r = (unsigned __int128)reg_get(c, REG_OFF(RDX), w) * v;
    reg_set(c, i->src2, w, (uint64_t)r);
    reg_set(c, i->dst, w, (uint64_t)(r >> WIDTH_BITS(w)));
    return true;
}

/* The low bits of src2 go to the positions that the mask operand has set. */
OP_WIDTH(pdep)
{
    uint64_t mask, r = 0;
    if (!src_load(c, i, w, &mask))
        return false;
    for (uint64_t bits = reg_get(c, i->src2, w); mask != 0; mask &= mask - 1, bits >>= 1)
        r |= bits & 1 ? mask & (0 - mask) : 0;
    reg_set(c, i->dst, w, r);
    return true;
}

OP_WIDTH(pext)
{
    uint64_t mask, r = 0;
    if (!src_load(c, i, w, &mask))
        return false;
    uint64_t v = reg_get(c, i->src2, w);
    for (unsigned k = 0; mask != 0; mask &= mask - 1, k++)
        r |= (uint64_t)((v & mask & (0 - mask)) != 0) << k;
    reg_set(c, i->dst, w, r);
    return true;
}

OP_WIDTH(rorx)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    unsigned n = i->imm & (WIDTH_BITS(w) - 1);
    reg_set(c, i->dst, w, v >> n | v << ((WIDTH_BITS(w) - n) & (WIDTH_BITS(w) - 1)));
    return true;
}

OP_WIDTH(sarx)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    unsigned n = reg_get(c, i->src2, w) & (WIDTH_BITS(w) - 1);
    reg_set(c, i->dst, w, (uint64_t)(sign_extend(v, w) >> n));
    return true;
}

OP_WIDTH(shlx)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    reg_set(c, i->dst, w, v << (reg_get(c, i->src2, w) & (WIDTH_BITS(w) - 1)));
    return true;
}

OP_WIDTH(shrx)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    reg_set(c, i->dst, w, v >> (reg_get(c, i->src2, w) & (WIDTH_BITS(w) - 1)));
    return true;
}

/* -- ADX: additions that read and write one flag only ------------------------------------------ */

OP_WIDTH(adcx)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    unsigned __int128 r = (unsigned __int128)reg_get(c, i->dst, w) + v + flag_c(c);
    reg_set(c, i->dst, w, (uint64_t)r);
    c->f.carry = r >> WIDTH_BITS(w) & 1;
    return true;
}

OP_WIDTH(adox)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    unsigned __int128 r = (unsigned __int128)reg_get(c, i->dst, w) + v + flag_o(c);
    reg_set(c, i->dst, w, (uint64_t)r);
    c->f.over = r >> WIDTH_BITS(w) & 1 ? -1 : 0;
    return true;
}

/* -- MOVBE ------------------------------------------------------------------------------------- */

static inline uint64_t byte_swap(uint64_t v, unsigned w)
{
    return __builtin_bswap64(v) >> (64 - WIDTH_BITS(w));
}

OP_WIDTH(movbe)
{
    uint64_t v;
    if (!mem_load(c, i, w, &v))
        return false;
    reg_set(c, i->dst, w, byte_swap(v, w));
    return true;
}

OP_WIDTH(movbe_st)
{
    return mem_store(c, i, w, byte_swap(reg_get(c, i->src, w), w));
}
