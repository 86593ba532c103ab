/* SPDX-License-Identifier: MIT */
/* Arithmetic flags. Each is kept as a value that it is a test of, so that setting them costs a few
 * stores and no branch, and reading one never needs to know which instruction set it. */
#ifndef CPU_FLAGS_H
#define CPU_FLAGS_H

#include "cpu/cpu.h"

#define WIDTH_BITS(w) (8u << (w))
/* All ones in the low 1 << w bytes, for w = 0..3. */
#define WIDTH_MASK(w) (~UINT64_C(0) >> (64 - WIDTH_BITS(w)))

static inline int64_t sign_extend(uint64_t v, unsigned w)
{
    return (int64_t)(v << (64 - WIDTH_BITS(w))) >> (64 - WIDTH_BITS(w));
}

static inline bool flag_c(const struct cpu *c)
{
    return c->f.carry;
}
static inline bool flag_z(const struct cpu *c)
{
    return c->f.zero == 0;
}
static inline bool flag_s(const struct cpu *c)
{
    return c->f.sign < 0;
}
static inline bool flag_o(const struct cpu *c)
{
    return c->f.over < 0;
}
static inline bool flag_p(const struct cpu *c)
{
    return !__builtin_parity(c->f.par);
}
static inline bool flag_a(const struct cpu *c)
{
    return c->f.aux & 0x10;
}

/* ZF alone. */
static inline void flag_z_set(struct cpu *c, bool z)
{
    c->f.zero = !z;
}

/* ZF, SF, PF from a result of 1 << w bytes (upper bits ignored). */
static inline void flags_result(struct cpu *c, uint64_t res, unsigned w)
{
    int64_t s = sign_extend(res, w);
    c->f.zero = (uint64_t)s;
    c->f.sign = s;
    c->f.par = (uint8_t)res;
}

/* After res = a + b (+ carry in); all six. */
static inline void flags_add(struct cpu *c, uint64_t a, uint64_t b, uint64_t res, unsigned w)
{
    unsigned sh = 64 - WIDTH_BITS(w);
    flags_result(c, res, w);
    c->f.over = (int64_t)(((a ^ res) & (b ^ res)) << sh);
    c->f.aux = (uint8_t)(a ^ b ^ res);
    c->f.carry = (uint8_t)((((a & b) | ((a | b) & ~res)) << sh) >> 63);
}

/* After res = a - b (- borrow in); all six. */
static inline void flags_sub(struct cpu *c, uint64_t a, uint64_t b, uint64_t res, unsigned w)
{
    unsigned sh = 64 - WIDTH_BITS(w);
    flags_result(c, res, w);
    c->f.over = (int64_t)(((a ^ b) & (a ^ res)) << sh);
    c->f.aux = (uint8_t)(a ^ b ^ res);
    c->f.carry = (uint8_t)((((~a & b) | ((~a | b) & res)) << sh) >> 63);
}

/* AND, OR, XOR, TEST: CF = OF = 0; AF (undefined) = 0, as hardware does. */
static inline void flags_logic(struct cpu *c, uint64_t res, unsigned w)
{
    flags_result(c, res, w);
    c->f.over = 0;
    c->f.aux = 0;
    c->f.carry = 0;
}

/* The six flags as they stand in EFLAGS. */
static inline uint32_t flags_arith(const struct cpu *c)
{
    return (uint32_t)c->f.carry | (uint32_t)flag_p(c) << 2 | (c->f.aux & 0x10u) |
           (uint32_t)flag_z(c) << 6 | (uint32_t)flag_s(c) << 7 | (uint32_t)flag_o(c) << 11;
}

/* Set all six from an EFLAGS image. */
static inline void flags_set_arith(struct cpu *c, uint32_t fl)
{
    c->f.carry = fl & EFL_CF;
    c->f.par = fl & EFL_PF ? 0 : 1;
    c->f.aux = fl & EFL_AF;
    c->f.zero = fl & EFL_ZF ? 0 : 1;
    c->f.sign = fl & EFL_SF ? -1 : 0;
    c->f.over = fl & EFL_OF ? -1 : 0;
}

/* All of EFLAGS. */
static inline uint32_t eflags_get(const struct cpu *c)
{
    return c->eflags | flags_arith(c);
}

/* Load all of EFLAGS without any privilege check, and recompute what depends on it (TF, VM, AC). */
void eflags_set(struct cpu *c, uint32_t val);

/* Condition codes 0..15 (SDM 1 appendix B). */
static inline bool flags_cond(const struct cpu *c, unsigned cc)
{
    bool v = false;
    switch (cc >> 1 & 7) {
    case 0: v = flag_o(c); break;
    case 1: v = flag_c(c); break;
    case 2: v = flag_z(c); break;
    case 3: v = flag_c(c) || flag_z(c); break;
    case 4: v = flag_s(c); break;
    case 5: v = flag_p(c); break;
    case 6: v = flag_s(c) != flag_o(c); break;
    case 7: v = flag_z(c) || flag_s(c) != flag_o(c); break;
    }
    return v != (cc & 1);
}

#endif
