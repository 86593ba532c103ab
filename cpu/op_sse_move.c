/* SPDX-License-Identifier: MIT */
/* Moves of SSE to SSE4.1 data, shuffles and interleaves of floating-point and wide integer
 * elements, MXCSR, masked and non-temporal stores (SDM 1 10.4, 11.4, 12.3). Cache hints have no
 * effect here. */
#include "cpu/simd.h"

/* -- 16 bytes ---------------------------------------------------------------------------------- */

OP_INLINE bool load16(struct cpu *c, const struct insn *i, bool aligned)
{
    union vec v;
    if (!sse_ready(c))
        return false;
    if (!i->mem)
        vec_copy16(&v, &c->fpu.xmm[i->src & 15]);
    else if (!mem_read16(c, i, aligned, &v))
        return false;
    xmm_set(c, i->dst, &v);
    return true;
}

OP_INLINE bool store16(struct cpu *c, const struct insn *i, bool aligned)
{
    if (!sse_ready(c))
        return false;
    const union vec *s = &c->fpu.xmm[i->src & 15];
    if (i->mem)
        return mem_write16(c, i, aligned, s);
    xmm_set(c, i->dst, s);
    return true;
}

/* MOVAPS, MOVAPD, MOVDQA, MOVNTDQA */
OP_NONE(movaps)
{
    return load16(c, i, true);
}
/* ... and MOVNTPS, MOVNTPD, MOVNTDQ */
OP_NONE(movaps_st)
{
    return store16(c, i, true);
}
/* MOVUPS, MOVUPD, MOVDQU, LDDQU */
OP_NONE(movups)
{
    return load16(c, i, false);
}
OP_NONE(movups_st)
{
    return store16(c, i, false);
}

/* -- 4 and 8 bytes ----------------------------------------------------------------------------- */

/* MOVSS and MOVSD: a register source replaces the low element, a memory source clears the rest. */
OP_INLINE bool load_scalar(struct cpu *c, const struct insn *i, unsigned w)
{
    union vec v;
    if (!sse_ready(c) || !xmm_src(c, i, w, &v))
        return false;
    if (i->mem)
        xmm_set(c, i->dst, &v);
    else
        memcpy(&c->fpu.xmm[i->dst & 15], &v, 1u << w);
    return true;
}

OP_INLINE bool store_scalar(struct cpu *c, const struct insn *i, unsigned w)
{
    if (!sse_ready(c))
        return false;
    uint64_t v = c->fpu.xmm[i->src & 15].q[0];
    if (i->mem)
        return mem_store(c, i, w, v);
    memcpy(&c->fpu.xmm[i->dst & 15], &v, 1u << w);
    return true;
}

OP_NONE(sse_movss)
{
    return load_scalar(c, i, 2);
}
OP_NONE(sse_movss_st)
{
    return store_scalar(c, i, 2);
}
OP_NONE(sse_movsd)
{
    return load_scalar(c, i, 3);
}
OP_NONE(sse_movsd_st)
{
    return store_scalar(c, i, 3);
}

/* MOVD and MOVQ from a general register or memory. */
OP_NONE(movd)
{
    union vec v = {.q = {0}};
    if (!sse_ready(c) || !src_load(c, i, i->prefix & INSN_REXW ? 3 : 2, &v.q[0]))
        return false;
    xmm_set(c, i->dst, &v);
    return true;
}
OP_NONE(movd_st)
{
    return sse_ready(c) &&
           dst_store(c, i, i->prefix & INSN_REXW ? 3 : 2, c->fpu.xmm[i->src & 15].q[0]);
}

/* MOVQ Vx,Wq and Wq,Vx: the upper half of a register destination is cleared. */
OP_NONE(movq)
{
    union vec v;
    if (!sse_ready(c) || !xmm_src(c, i, 3, &v))
        return false;
    v.q[1] = 0;
    xmm_set(c, i->dst, &v);
    return true;
}
OP_NONE(movq_st)
{
    if (!sse_ready(c))
        return false;
    union vec v = {.q = {c->fpu.xmm[i->src & 15].q[0]}};
    if (i->mem)
        return mem_store(c, i, 3, v.q[0]);
    xmm_set(c, i->dst, &v);
    return true;
}

OP_NONE(movq2dq)
{
    union vec v = {.q = {0}};
    if (!sse_ready(c) || !mmx_ready(c))
        return false;
    v.q[0] = mm_get(c, i->src);
    xmm_set(c, i->dst, &v);
    mmx_enter(c);
    return true;
}
OP_NONE(movdq2q)
{
    if (!sse_ready(c) || !mmx_ready(c))
        return false;
    mm_set(c, i->dst, c->fpu.xmm[i->src & 15].q[0]);
    return true;
}

/* Halves of a register. MOVLPS/MOVLPD, MOVHPS/MOVHPD. */
OP_NONE(movlps)
{
    return sse_ready(c) && mem_load(c, i, 3, &c->fpu.xmm[i->dst & 15].q[0]);
}
OP_NONE(movhps)
{
    return sse_ready(c) && mem_load(c, i, 3, &c->fpu.xmm[i->dst & 15].q[1]);
}
OP_NONE(movlps_st)
{
    return sse_ready(c) && mem_store(c, i, 3, c->fpu.xmm[i->src & 15].q[0]);
}
OP_NONE(movhps_st)
{
    return sse_ready(c) && mem_store(c, i, 3, c->fpu.xmm[i->src & 15].q[1]);
}
OP_NONE(movhlps)
{
    if (!sse_ready(c))
        return false;
    c->fpu.xmm[i->dst & 15].q[0] = c->fpu.xmm[i->src & 15].q[1];
    return true;
}
OP_NONE(movlhps)
{
    if (!sse_ready(c))
        return false;
    c->fpu.xmm[i->dst & 15].q[1] = c->fpu.xmm[i->src & 15].q[0];
    return true;
}

/* -- Duplicates, shuffles, interleaves --------------------------------------------------------- */

OP_INLINE void movddup_lanes(union vec *d, const union vec *s, unsigned n)
{
    for (unsigned k = 0; k < n / 8; k++)
        d->q[k] = s->q[k & ~1u];
}
OP_INLINE void movsldup_lanes(union vec *d, const union vec *s, unsigned n)
{
    for (unsigned k = 0; k < n / 4; k++)
        d->d[k] = s->d[k & ~1u];
}
OP_INLINE void movshdup_lanes(union vec *d, const union vec *s, unsigned n)
{
    for (unsigned k = 0; k < n / 4; k++)
        d->d[k] = s->d[k | 1];
}
OP_INLINE void punpcklqdq_lanes(union vec *d, const union vec *s, unsigned n)
{
    for (unsigned k = 0; k < n / 8; k += 2)
        d->q[k + 1] = s->q[k];
}
OP_INLINE void punpckhqdq_lanes(union vec *d, const union vec *s, unsigned n)
{
    for (unsigned k = 0; k < n / 8; k += 2) {
        d->q[k] = d->q[k + 1];
        d->q[k + 1] = s->q[k + 1];
    }
}
OP_INLINE void pshufd_lanes(union vec *d, const union vec *s, unsigned n, unsigned imm)
{
    for (unsigned k = 0; k < n / 4; k++)
        d->d[k] = s->d[(k & ~3u) + (imm >> 2 * (k & 3) & 3)];
}
OP_INLINE void shufps_lanes(union vec *d, const union vec *s, unsigned n, unsigned imm)
{
    union vec r;
    for (unsigned k = 0; k < n / 4; k++)
        r.d[k] = (k & 2 ? s : d)->d[(k & ~3u) + (imm >> 2 * (k & 3) & 3)];
    memcpy(d, &r, n);
}
OP_INLINE void shufpd_lanes(union vec *d, const union vec *s, unsigned n, unsigned imm)
{
    union vec r;
    for (unsigned k = 0; k < n / 8; k++)
        r.q[k] = (k & 1 ? s : d)->q[(k & ~1u) + (imm >> k & 1)];
    memcpy(d, &r, n);
}
OP_NONE(movddup)
{
    return sse_binary(c, i, movddup_lanes, 3);
}
SSE_BINARY(movsldup)
SSE_BINARY(movshdup)
SSE_BINARY(punpcklqdq)
SSE_BINARY(punpckhqdq)
SSE_BINARY_IMM(pshufd)
SSE_BINARY_IMM(shufps)
SSE_BINARY_IMM(shufpd)

/* Shifts of the whole register by bytes. */
OP_NONE(psrldq)
{
    uint8_t v[32] = {0};
    if (!sse_ready(c))
        return false;
    union vec *d = &c->fpu.xmm[i->dst & 15];
    unsigned n = (uint8_t)i->imm < 16 ? (uint8_t)i->imm : 16;
    memcpy(v, d, 16);
    memcpy(d, v + n, 16);
    return true;
}
OP_NONE(pslldq)
{
    uint8_t v[32] = {0};
    if (!sse_ready(c))
        return false;
    union vec *d = &c->fpu.xmm[i->dst & 15];
    unsigned n = (uint8_t)i->imm < 16 ? (uint8_t)i->imm : 16;
    memcpy(v + 16, d, 16);
    memcpy(d, v + 16 - n, 16);
    return true;
}

/* -- To and from general registers ------------------------------------------------------------- */

OP_NONE(movmskps)
{
    if (!sse_ready(c))
        return false;
    const union vec *s = &c->fpu.xmm[i->src & 15];
    uint64_t v = 0;
    for (unsigned k = 0; k < 4; k++)
        v |= (uint64_t)(s->d[k] >> 31) << k;
    reg_set(c, i->dst, 3, v);
    return true;
}
OP_NONE(movmskpd)
{
    if (!sse_ready(c))
        return false;
    const union vec *s = &c->fpu.xmm[i->src & 15];
    reg_set(c, i->dst, 3, s->q[0] >> 63 | s->q[1] >> 63 << 1);
    return true;
}
/* PEXTRW Gd,Ux,Ib: the encoding of SSE2. */
OP_NONE(pextrw)
{
    if (!sse_ready(c))
        return false;
    reg_set(c, i->dst, 3, c->fpu.xmm[i->src & 15].w[i->imm & 7]);
    return true;
}
OP_NONE(movnti)
{
    unsigned w = i->prefix & INSN_REXW ? 3 : 2;
    return mem_store(c, i, w, reg_get(c, i->src, w));
}

/* -- Masked stores: the bytes of the first operand whose mask byte is negative go to DS:rDI ---- */

static bool masked_store(struct cpu *c, const struct insn *i, const union vec *v,
                         const union vec *mask, unsigned n)
{
    unsigned sreg = i->prefix & INSN_SEG ? i->seg : SEG_DS;
    uint64_t off = c->r[RDI] & asz_mask(i);
    /* All bytes are checked, selected or not (the SDM leaves it open), the upper half first. */
    for (unsigned k = n; k > 0; k -= 8) {
        if (!mem_probe(c, sreg, (off + k - 8) & asz_mask(i), 8, true))
            return false;
    }
    for (unsigned k = 0; k < n; k++) {
        if (mask->sb[k] < 0 && !mem_write(c, sreg, (off + k) & asz_mask(i), 1, v->b[k]))
            return false;
    }
    return true;
}
OP_NONE(maskmovdqu)
{
    return sse_ready(c) &&
           masked_store(c, i, &c->fpu.xmm[i->dst & 15], &c->fpu.xmm[i->src & 15], 16);
}
OP_NONE(maskmovq)
{
    union vec v, mask;
    if (!mmx_ready(c))
        return false;
    mmx_enter(c);
    v.q[0] = mm_get(c, i->dst);
    mask.q[0] = mm_get(c, i->src);
    return masked_store(c, i, &v, &mask, 8);
}

/* -- MXCSR and the cache ----------------------------------------------------------------------- */

OP_NONE(ldmxcsr)
{
    uint64_t v;
    if (!sse_ready(c) || !mem_load(c, i, 2, &v))
        return false;
    if (v & ~UINT64_C(0xffff))
        return cpu_raise_gp(c, 0);
    c->fpu.mxcsr = (uint32_t)v;
    return true;
}
OP_NONE(stmxcsr)
{
    return sse_ready(c) && mem_store(c, i, 2, c->fpu.mxcsr);
}

/* Fences and prefetches: memory is coherent and accesses are in order. A prefetch never faults. */
OP_NONE(cache_hint)
{
    (void)c;
    (void)i;
    return true;
}
