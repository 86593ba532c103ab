/* SPDX-License-Identifier: MIT */
/* Integer instructions of SSE4.1, and PCMPGTQ of SSE4.2 (SDM 1 12.10): xmm registers only. */
#include "cpu/simd.h"

/* -- Lane by lane ------------------------------------------------------------------------------ */

LANES(pminsb, sb, a < b ? a : b)
LANES(pmaxsb, sb, a > b ? a : b)
LANES(pminuw, w, a < b ? a : b)
LANES(pmaxuw, w, a > b ? a : b)
LANES(pminsd, sd, a < b ? a : b)
LANES(pmaxsd, sd, a > b ? a : b)
LANES(pminud, d, a < b ? a : b)
LANES(pmaxud, d, a > b ? a : b)
LANES(pmulld, d, a *b)
LANES(pmuldq, sq, (int64_t)(int32_t)a *(int32_t)b)
LANES(pcmpeqq, q, -(uint64_t)(a == b))
LANES(pcmpgtq, sq, -(a > b))
SSE_BINARY(pminsb)
SSE_BINARY(pmaxsb)
SSE_BINARY(pminuw)
SSE_BINARY(pmaxuw)
SSE_BINARY(pminsd)
SSE_BINARY(pmaxsd)
SSE_BINARY(pminud)
SSE_BINARY(pmaxud)
SSE_BINARY(pmulld)
SSE_BINARY(pmuldq)
SSE_BINARY(pcmpeqq)
SSE_BINARY(pcmpgtq)

OP_INLINE void packusdw_lanes(union vec *d, const union vec *s, unsigned n)
{
    const unsigned half = n / 4;
    union vec r;
    for (unsigned k = 0; k < half; k++) {
        r.w[k] = sat_u16(d->sd[k]);
        r.w[k + half] = sat_u16(s->sd[k]);
    }
    memcpy(d, &r, n);
}
SSE_BINARY(packusdw)

/* The smallest word of s, and its index. */
OP_INLINE void phminposuw_lanes(union vec *d, const union vec *s, unsigned n)
{
    unsigned at = 0;
    for (unsigned k = 1; k < n / 2; k++)
        at = s->w[k] < s->w[at] ? k : at;
    union vec r = {.w = {s->w[at], (uint16_t)at}};
    memcpy(d, &r, n);
}
SSE_BINARY(phminposuw)

/* Eight sums of four absolute differences: the block of s that imm[1:0] selects against d from byte
 * 4 * imm[2] on. */
OP_INLINE void mpsadbw_lanes(union vec *d, const union vec *s, unsigned n, unsigned imm)
{
    const uint8_t *block = &s->b[(imm & 3) * 4], *from = &d->b[imm & 4];
    union vec r;
    for (unsigned k = 0; k < 8; k++) {
        unsigned sum = 0;
        for (unsigned j = 0; j < 4; j++)
            sum += from[k + j] > block[j] ? from[k + j] - block[j] : block[j] - from[k + j];
        r.w[k] = (uint16_t)sum;
    }
    memcpy(d, &r, n);
}
SSE_BINARY_IMM(mpsadbw)

/* -- Sign and zero extension ------------------------------------------------------------------- */

#define EXTEND(name, to, from, w)                                                                  \
    OP_INLINE void name##_lanes(union vec *d, const union vec *s, unsigned n)                      \
    {                                                                                              \
        for (unsigned k = 0; k < n / sizeof(d->to[0]); k++)                                        \
            d->to[k] = s->from[k];                                                                 \
    }                                                                                              \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        return sse_binary(c, i, name##_lanes, w);                                                  \
    }
EXTEND(pmovsxbw, sw, sb, 3)
EXTEND(pmovsxbd, sd, sb, 2)
EXTEND(pmovsxbq, sq, sb, 1)
EXTEND(pmovsxwd, sd, sw, 3)
EXTEND(pmovsxwq, sq, sw, 2)
EXTEND(pmovsxdq, sq, sd, 3)
EXTEND(pmovzxbw, w, b, 3)
EXTEND(pmovzxbd, d, b, 2)
EXTEND(pmovzxbq, q, b, 1)
EXTEND(pmovzxwd, d, w, 3)
EXTEND(pmovzxwq, q, w, 2)
EXTEND(pmovzxdq, q, d, 3)

/* -- Blends: by an immediate, or by the sign bits of xmm0 -------------------------------------- */

#define BLEND_IMM(name, f)                                                                         \
    OP_INLINE void name##_lanes(union vec *d, const union vec *s, unsigned n, unsigned imm)        \
    {                                                                                              \
        for (unsigned k = 0; k < n / sizeof(d->f[0]); k++)                                         \
            d->f[k] = imm >> k & 1 ? s->f[k] : d->f[k];                                            \
    }                                                                                              \
    SSE_BINARY_IMM(name)
BLEND_IMM(pblendw, w)
BLEND_IMM(blendps, d)
BLEND_IMM(blendpd, q)

#define BLEND_MASK(name, f, signed_f)                                                              \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        union vec s;                                                                               \
        if (!sse_ready(c) || !xmm_src(c, i, 4, &s))                                                \
            return false;                                                                          \
        union vec *d = &c->fpu.xmm[i->dst & 15], mask;                                             \
        vec_copy16(&mask, &c->fpu.xmm[0]);                                                         \
        for (unsigned k = 0; k < 16 / sizeof(d->f[0]); k++)                                        \
            d->f[k] = mask.signed_f[k] < 0 ? s.f[k] : d->f[k];                                     \
        return true;                                                                               \
    }
BLEND_MASK(pblendvb, b, sb)
BLEND_MASK(blendvps, d, sd)
BLEND_MASK(blendvpd, q, sq)

/* -- Test -------------------------------------------------------------------------------------- */

OP_NONE(ptest)
{
    union vec s;
    if (!sse_ready(c) || !xmm_src(c, i, 4, &s))
        return false;
    const union vec *d = &c->fpu.xmm[i->dst & 15];
    uint32_t fl = ((s.q[0] & d->q[0]) | (s.q[1] & d->q[1])) == 0 ? EFL_ZF : 0;
    if (((s.q[0] & ~d->q[0]) | (s.q[1] & ~d->q[1])) == 0)
        fl |= EFL_CF;
    flags_set_arith(c, fl);
    return true;
}

/* -- Single elements --------------------------------------------------------------------------- */

/* Into a general register (zero-extended) or memory. */
OP_INLINE bool extract(struct cpu *c, const struct insn *i, unsigned w)
{
    union vec s;
    uint64_t v = 0;
    if (!sse_ready(c))
        return false;
    vec_copy16(&s, &c->fpu.xmm[i->src & 15]);
    memcpy(&v, &s.b[((uint8_t)i->imm << w) & 15], 1u << w);
    if (i->mem)
        return mem_store(c, i, w, v);
    reg_set(c, i->dst, 3, v);
    return true;
}
OP_NONE(pextrb)
{
    return extract(c, i, 0);
}
OP_NONE(pextrw41)
{
    return extract(c, i, 1);
}
/* PEXTRD, EXTRACTPS */
OP_NONE(pextrd)
{
    return extract(c, i, 2);
}
OP_NONE(pextrq)
{
    return extract(c, i, 3);
}

OP_INLINE bool insert(struct cpu *c, const struct insn *i, unsigned w)
{
    uint64_t v;
    if (!sse_ready(c) || !src_load(c, i, w, &v))
        return false;
    memcpy(&c->fpu.xmm[i->dst & 15].b[((uint8_t)i->imm << w) & 15], &v, 1u << w);
    return true;
}
OP_NONE(pinsrb)
{
    return insert(c, i, 0);
}
OP_NONE(pinsrd)
{
    return insert(c, i, 2);
}
OP_NONE(pinsrq)
{
    return insert(c, i, 3);
}

/* imm[7:6]: element of a register source; imm[5:4]: element of dst; imm[3:0]: elements to clear. */
OP_NONE(insertps)
{
    union vec s;
    unsigned imm = (uint8_t)i->imm;
    if (!sse_ready(c) || !xmm_src(c, i, 2, &s))
        return false;
    union vec *d = &c->fpu.xmm[i->dst & 15];
    d->d[imm >> 4 & 3] = s.d[i->mem ? 0 : imm >> 6];
    for (unsigned k = 0; k < 4; k++)
        d->d[k] = imm >> k & 1 ? 0 : d->d[k];
    return true;
}
