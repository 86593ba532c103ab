/* SPDX-License-Identifier: MIT */
/* Packed integers that exist for MMX and for XMM registers: MMX, and what SSE, SSE2 and SSSE3 added
 * in both widths (SDM 1 9.4, 10.4.4, 11.4, 12.6). Each operation is one function over the lanes of
 * n bytes. */
#include "cpu/simd.h"

/* -- Addition, subtraction --------------------------------------------------------------------- */

LANES(paddb, b, a + b)
LANES(paddw, w, a + b)
LANES(paddd, d, a + b)
LANES(paddq, q, a + b)
LANES(psubb, b, a - b)
LANES(psubw, w, a - b)
LANES(psubd, d, a - b)
LANES(psubq, q, a - b)
LANES(paddsb, sb, sat_i8(a + b))
LANES(paddsw, sw, sat_i16(a + b))
LANES(paddusb, b, sat_u8(a + b))
LANES(paddusw, w, sat_u16(a + b))
LANES(psubsb, sb, sat_i8(a - b))
LANES(psubsw, sw, sat_i16(a - b))
LANES(psubusb, b, sat_u8(a - b))
LANES(psubusw, w, sat_u16(a - b))
MMX_SSE_BINARY(paddb)
MMX_SSE_BINARY(paddw)
MMX_SSE_BINARY(paddd)
MMX_SSE_BINARY(paddq)
MMX_SSE_BINARY(psubb)
MMX_SSE_BINARY(psubw)
MMX_SSE_BINARY(psubd)
MMX_SSE_BINARY(psubq)
MMX_SSE_BINARY(paddsb)
MMX_SSE_BINARY(paddsw)
MMX_SSE_BINARY(paddusb)
MMX_SSE_BINARY(paddusw)
MMX_SSE_BINARY(psubsb)
MMX_SSE_BINARY(psubsw)
MMX_SSE_BINARY(psubusb)
MMX_SSE_BINARY(psubusw)

/* -- Logic, comparison, minimum, average ------------------------------------------------------- */

LANES(pand, q, a &b)
LANES(pandn, q, ~a &b)
LANES(por, q, a | b)
LANES(pxor, q, a ^ b)
LANES(pcmpeqb, b, -(a == b))
LANES(pcmpeqw, w, -(a == b))
LANES(pcmpeqd, d, -(a == b))
LANES(pcmpgtb, sb, -(a > b))
LANES(pcmpgtw, sw, -(a > b))
LANES(pcmpgtd, sd, -(a > b))
LANES(pminub, b, a < b ? a : b)
LANES(pmaxub, b, a > b ? a : b)
LANES(pminsw, sw, a < b ? a : b)
LANES(pmaxsw, sw, a > b ? a : b)
LANES(pavgb, b, (a + b + 1) >> 1)
LANES(pavgw, w, (a + b + 1) >> 1)
MMX_SSE_BINARY(pand)
MMX_SSE_BINARY(pandn)
MMX_SSE_BINARY(por)
MMX_SSE_BINARY(pxor)
MMX_SSE_BINARY(pcmpeqb)
MMX_SSE_BINARY(pcmpeqw)
MMX_SSE_BINARY(pcmpeqd)
MMX_SSE_BINARY(pcmpgtb)
MMX_SSE_BINARY(pcmpgtw)
MMX_SSE_BINARY(pcmpgtd)
MMX_SSE_BINARY(pminub)
MMX_SSE_BINARY(pmaxub)
MMX_SSE_BINARY(pminsw)
MMX_SSE_BINARY(pmaxsw)
MMX_SSE_BINARY(pavgb)
MMX_SSE_BINARY(pavgw)

/* -- Multiplication ---------------------------------------------------------------------------- */

/* Pairs of products are summed modulo 2^32: only 2 * (-32768 * -32768) wraps. */
OP_INLINE void pmaddwd_lanes(union vec *d, const union vec *s, unsigned n)
{
    for (unsigned k = 0; k < n / 4; k++) {
        uint32_t lo = (uint32_t)(d->sw[2 * k] * s->sw[2 * k]);
        uint32_t hi = (uint32_t)(d->sw[2 * k + 1] * s->sw[2 * k + 1]);
        d->d[k] = lo + hi;
    }
}

/* Unsigned bytes of d times signed bytes of s. */
OP_INLINE void pmaddubsw_lanes(union vec *d, const union vec *s, unsigned n)
{
    for (unsigned k = 0; k < n / 2; k++)
        d->sw[k] = sat_i16(d->b[2 * k] * s->sb[2 * k] + d->b[2 * k + 1] * s->sb[2 * k + 1]);
}

OP_INLINE void psadbw_lanes(union vec *d, const union vec *s, unsigned n)
{
    for (unsigned k = 0; k < n / 8; k++) {
        unsigned sum = 0;
        for (unsigned j = 8 * k; j < 8 * k + 8; j++)
            sum += d->b[j] > s->b[j] ? d->b[j] - s->b[j] : s->b[j] - d->b[j];
        d->q[k] = sum;
    }
}

LANES(pmullw, sw, a *b)
LANES(pmulhw, sw, (a * b) >> 16)
LANES(pmulhuw, w, ((uint32_t)a * b) >> 16)
LANES(pmuludq, q, (a & UINT32_MAX) * (b & UINT32_MAX))
LANES(pmulhrsw, sw, ((a * b >> 14) + 1) >> 1)
MMX_SSE_BINARY(pmaddwd)
MMX_SSE_BINARY(pmaddubsw)
MMX_SSE_BINARY(psadbw)
MMX_SSE_BINARY(pmullw)
MMX_SSE_BINARY(pmulhw)
MMX_SSE_BINARY(pmulhuw)
MMX_SSE_BINARY(pmuludq)
MMX_SSE_BINARY(pmulhrsw)

/* -- Sign, absolute value, horizontal sums (SSSE3) --------------------------------------------- */

LANES(psignb, sb, b<0 ? -a : b> 0 ? a : 0)
LANES(psignw, sw, b<0 ? -a : b> 0 ? a : 0)
LANES(psignd, d, (int32_t)b < 0 ? -a : b != 0 ? a : 0)
LANES(pabsb, sb, b < 0 ? -b : b)
LANES(pabsw, sw, b < 0 ? -b : b)
LANES(pabsd, d, (int32_t)b < 0 ? -b : b)
MMX_SSE_BINARY(psignb)
MMX_SSE_BINARY(psignw)
MMX_SSE_BINARY(psignd)
MMX_SSE_BINARY(pabsb)
MMX_SSE_BINARY(pabsw)
MMX_SSE_BINARY(pabsd)

/* Neighbours of d, then neighbours of s, are combined into elements of the result. */
#define HORIZONTAL(name, f, expr)                                                                  \
    OP_INLINE void name##_lanes(union vec *d, const union vec *s, unsigned n)                      \
    {                                                                                              \
        const unsigned half = n / sizeof(d->f[0]) / 2;                                             \
        union vec r;                                                                               \
        for (unsigned k = 0; k < 2 * half; k++) {                                                  \
            const union vec *v = k < half ? d : s;                                                 \
            const __typeof__(d->f[0]) a = v->f[2 * (k % half)], b = v->f[2 * (k % half) + 1];      \
            r.f[k] = (__typeof__(d->f[0]))(expr);                                                  \
        }                                                                                          \
        memcpy(d, &r, n);                                                                          \
    }
HORIZONTAL(phaddw, w, a + b)
HORIZONTAL(phaddd, d, a + b)
HORIZONTAL(phaddsw, sw, sat_i16(a + b))
HORIZONTAL(phsubw, w, a - b)
HORIZONTAL(phsubd, d, a - b)
HORIZONTAL(phsubsw, sw, sat_i16(a - b))
MMX_SSE_BINARY(phaddw)
MMX_SSE_BINARY(phaddd)
MMX_SSE_BINARY(phaddsw)
MMX_SSE_BINARY(phsubw)
MMX_SSE_BINARY(phsubd)
MMX_SSE_BINARY(phsubsw)

/* -- Packing, interleaving, shuffling ---------------------------------------------------------- */

/* The elements of d, then those of s, each narrowed. */
#define PACK(name, to, from, narrow)                                                               \
    OP_INLINE void name##_lanes(union vec *d, const union vec *s, unsigned n)                      \
    {                                                                                              \
        const unsigned half = n / sizeof(d->from[0]);                                              \
        union vec r;                                                                               \
        for (unsigned k = 0; k < half; k++) {                                                      \
            r.to[k] = narrow(d->from[k]);                                                          \
            r.to[k + half] = narrow(s->from[k]);                                                   \
        }                                                                                          \
        memcpy(d, &r, n);                                                                          \
    }
PACK(packsswb, sb, sw, sat_i8)
PACK(packuswb, b, sw, sat_u8)
PACK(packssdw, sw, sd, sat_i16)
MMX_SSE_BINARY(packsswb)
MMX_SSE_BINARY(packuswb)
MMX_SSE_BINARY(packssdw)

/* The lower (or upper) halves of d and s, element by element in turn. */
#define UNPACK(name, f, upper)                                                                     \
    OP_INLINE void name##_lanes(union vec *d, const union vec *s, unsigned n)                      \
    {                                                                                              \
        const unsigned half = n / sizeof(d->f[0]) / 2, from = (upper) ? half : 0;                  \
        union vec r;                                                                               \
        for (unsigned k = 0; k < half; k++) {                                                      \
            r.f[2 * k] = d->f[k + from];                                                           \
            r.f[2 * k + 1] = s->f[k + from];                                                       \
        }                                                                                          \
        memcpy(d, &r, n);                                                                          \
    }
UNPACK(punpcklbw, b, false)
UNPACK(punpcklwd, w, false)
UNPACK(punpckldq, d, false)
UNPACK(punpckhbw, b, true)
UNPACK(punpckhwd, w, true)
UNPACK(punpckhdq, d, true)
MMX_SSE_BINARY(punpckhbw)
MMX_SSE_BINARY(punpckhwd)
MMX_SSE_BINARY(punpckhdq)
SSE_BINARY(punpcklbw)
SSE_BINARY(punpcklwd)
SSE_BINARY(punpckldq)

/* The MMX forms of the lower interleave read only 4 bytes of memory. */
OP_NONE(punpcklbw_mmx)
{
    return mmx_binary(c, i, punpcklbw_lanes, 2);
}
OP_NONE(punpcklwd_mmx)
{
    return mmx_binary(c, i, punpcklwd_lanes, 2);
}
OP_NONE(punpckldq_mmx)
{
    return mmx_binary(c, i, punpckldq_lanes, 2);
}

OP_INLINE void pshufb_lanes(union vec *d, const union vec *s, unsigned n)
{
    union vec r;
    for (unsigned k = 0; k < n; k++)
        r.b[k] = s->b[k] & 0x80 ? 0 : d->b[s->b[k] & (n - 1)];
    memcpy(d, &r, n);
}
MMX_SSE_BINARY(pshufb)

/* Bytes imm .. imm + n of d:s, zeros behind it. */
OP_INLINE void palignr_lanes(union vec *d, const union vec *s, unsigned n, unsigned imm)
{
    uint8_t both[64] = {0};
    memcpy(both, s, n);
    memcpy(both + n, d, n);
    memcpy(d, both + (imm < 2 * n ? imm : 2 * n), n);
}
SSE_BINARY_IMM(palignr)
OP_NONE(palignr_mmx)
{
    return mmx_binary_imm(c, i, palignr_lanes, 3);
}

/* Four words of s by 2-bit selectors; PSHUFLW and PSHUFHW use it on one half. */
OP_INLINE void shuffle_words(uint16_t *d, const uint16_t *s, unsigned imm)
{
    uint16_t r[4];
    for (unsigned k = 0; k < 4; k++)
        r[k] = s[imm >> 2 * k & 3];
    memcpy(d, r, 8);
}
OP_INLINE void pshuflw_lanes(union vec *d, const union vec *s, unsigned n, unsigned imm)
{
    memcpy(d, s, n);
    shuffle_words(d->w, s->w, imm);
}
OP_INLINE void pshufhw_lanes(union vec *d, const union vec *s, unsigned n, unsigned imm)
{
    memcpy(d, s, n);
    shuffle_words(d->w + 4, s->w + 4, imm);
}
SSE_BINARY_IMM(pshuflw)
SSE_BINARY_IMM(pshufhw)
OP_NONE(pshufw_mmx)
{
    return mmx_binary_imm(c, i, pshuflw_lanes, 3);
}

/* -- Shifts: by the low 64 bits of a register or memory operand, or by an immediate ------------ */

#define SHIFT(name, f, wide)                                                                       \
    OP_INLINE void name##_by(union vec *d, unsigned n, uint64_t count)                             \
    {                                                                                              \
        const unsigned bits = 8 * sizeof(d->f[0]);                                                 \
        for (unsigned k = 0; k < n / sizeof(d->f[0]); k++)                                         \
            d->f[k] = (__typeof__(d->f[0]))(wide);                                                 \
    }                                                                                              \
    OP_INLINE void name##_lanes(union vec *d, const union vec *s, unsigned n)                      \
    {                                                                                              \
        name##_by(d, n, s->q[0]);                                                                  \
    }                                                                                              \
    MMX_SSE_BINARY(name)                                                                           \
    OP_NONE(name##_i)                                                                              \
    {                                                                                              \
        if (!sse_ready(c))                                                                         \
            return false;                                                                          \
        name##_by(&c->fpu.xmm[i->dst & 15], 16, (uint8_t)i->imm);                                  \
        return true;                                                                               \
    }                                                                                              \
    OP_NONE(name##_i_mmx)                                                                          \
    {                                                                                              \
        union vec d;                                                                               \
        if (!mmx_ready(c))                                                                         \
            return false;                                                                          \
        d.q[0] = mm_get(c, i->dst);                                                                \
        name##_by(&d, 8, (uint8_t)i->imm);                                                         \
        mm_set(c, i->dst, d.q[0]);                                                                 \
        return true;                                                                               \
    }
SHIFT(psrlw, w, count < bits ? d->w[k] >> count : 0)
SHIFT(psrld, d, count < bits ? d->d[k] >> count : 0)
SHIFT(psrlq, q, count < bits ? d->q[k] >> count : 0)
SHIFT(psllw, w, count < bits ? (uint32_t)d->w[k] << count : 0)
SHIFT(pslld, d, count < bits ? d->d[k] << count : 0)
SHIFT(psllq, q, count < bits ? d->q[k] << count : 0)
SHIFT(psraw, sw, d->sw[k] >> (count < bits ? count : bits - 1))
SHIFT(psrad, sd, d->sd[k] >> (count < bits ? count : bits - 1))

/* -- Moves ------------------------------------------------------------------------------------- */

/* 32 bits from a general register or memory, zero-extended; REX.W: 64 bits. */
OP_NONE(movd_mmx)
{
    uint64_t v;
    if (!mmx_ready(c) || !src_load(c, i, i->prefix & INSN_REXW ? 3 : 2, &v))
        return false;
    mm_set(c, i->dst, v);
    return true;
}

OP_NONE(movd_mmx_st)
{
    if (!mmx_ready(c))
        return false;
    c->fpu.top = 0;
    if (!dst_store(c, i, i->prefix & INSN_REXW ? 3 : 2, mm_get(c, i->src)))
        return false;
    mmx_enter(c);
    return true;
}

OP_NONE(movq_mmx)
{
    union vec v;
    if (!mmx_ready(c) || !mmx_src(c, i, 3, &v))
        return false;
    mm_set(c, i->dst, v.q[0]);
    return true;
}

/* MOVQ Qq,Pq and MOVNTQ Mq,Pq. */
OP_NONE(movq_mmx_st)
{
    if (!mmx_ready(c))
        return false;
    if (!i->mem) {
        mm_set(c, i->dst, mm_get(c, i->src));
        return true;
    }
    c->fpu.top = 0;
    if (!mem_store(c, i, 3, mm_get(c, i->src)))
        return false;
    mmx_enter(c);
    return true;
}

/* The sign bits of the bytes. */
OP_INLINE uint64_t byte_signs(uint64_t v)
{
    return (v & UINT64_C(0x8080808080808080)) * UINT64_C(0x0002040810204081) >> 56;
}

OP_NONE(pmovmskb)
{
    if (!sse_ready(c))
        return false;
    const union vec *s = &c->fpu.xmm[i->src & 15];
    reg_set(c, i->dst, 3, byte_signs(s->q[0]) | byte_signs(s->q[1]) << 8);
    return true;
}

OP_NONE(pmovmskb_mmx)
{
    if (!mmx_ready(c))
        return false;
    reg_set(c, i->dst, 3, byte_signs(mm_get(c, i->src)));
    mmx_enter(c);
    return true;
}

OP_NONE(pinsrw)
{
    uint64_t v;
    if (!sse_ready(c) || !src_load(c, i, 1, &v))
        return false;
    c->fpu.xmm[i->dst & 15].w[i->imm & 7] = (uint16_t)v;
    return true;
}

OP_NONE(pinsrw_mmx)
{
    union vec d;
    uint64_t v;
    if (!mmx_ready(c) || !src_load(c, i, 1, &v))
        return false;
    d.q[0] = mm_get(c, i->dst);
    d.w[i->imm & 3] = (uint16_t)v;
    mm_set(c, i->dst, d.q[0]);
    return true;
}

OP_NONE(pextrw_mmx)
{
    if (!mmx_ready(c))
        return false;
    reg_set(c, i->dst, 3, (uint16_t)(mm_get(c, i->src) >> 16 * (i->imm & 3)));
    mmx_enter(c);
    return true;
}

OP_NONE(emms)
{
    (void)i;
    if (!mmx_ready(c))
        return false;
    c->fpu.top = 0;
    c->fpu.valid = 0;
    return true;
}
