/* SPDX-License-Identifier: MIT */
/* Floating-point arithmetic, comparison and conversion of SSE to SSE4.1 (SDM
 * 1 10.4, 11.4, 11.5, 12.4). Elements are computed one by one with softfp.h in one environment; the
 * exceptions of all of them decide together whether the destination is written. */
#include "cpu/simd.h"

/* -- Templates --------------------------------------------------------------------------------- */

typedef uint32_t (*f32_fn)(struct fp_env *e, uint32_t a, uint32_t b, unsigned imm);
typedef uint64_t (*f64_fn)(struct fp_env *e, uint64_t a, uint64_t b, unsigned imm);

/* fp32(), fp64(): dst = f(dst, src) on the lowest `count` elements. w: log2 of an element's bytes.
 */
#define FP_LANES(bits, lane, w)                                                                    \
    OP_INLINE bool fp##bits(struct cpu *c, const struct insn *i, f##bits##_fn f, unsigned count)   \
    {                                                                                              \
        union vec s, r;                                                                            \
        if (!sse_ready(c) || !xmm_src(c, i, count == 1 ? (w) : 4, &s))                             \
            return false;                                                                          \
        union vec *d = &c->fpu.xmm[i->dst & 15];                                                   \
        struct fp_env e = fp_env_load(c->fpu.mxcsr);                                               \
        for (unsigned k = 0; k < count; k++)                                                       \
            r.lane[k] = f(&e, d->lane[k], s.lane[k], (uint8_t)i->imm);                             \
        if (!sse_fp_commit(c, &e))                                                                 \
            return false;                                                                          \
        memcpy(d, &r, (size_t)count << (w));                                                       \
        return true;                                                                               \
    }
FP_LANES(32, d, 2)
FP_LANES(64, q, 3)

/* op_<name>ps, pd, ss, sd from expressions of e, a (first operand), b (second) and imm. */
#define FP32(name, expr)                                                                           \
    OP_INLINE uint32_t name##_f32(struct fp_env *e, uint32_t a, uint32_t b, unsigned imm)          \
    {                                                                                              \
        (void)a;                                                                                   \
        (void)imm;                                                                                 \
        (void)e;                                                                                   \
        return expr;                                                                               \
    }                                                                                              \
    OP_NONE(name##ps)                                                                              \
    {                                                                                              \
        return fp32(c, i, name##_f32, 4);                                                          \
    }                                                                                              \
    OP_NONE(name##ss)                                                                              \
    {                                                                                              \
        return fp32(c, i, name##_f32, 1);                                                          \
    }
#define FP64(name, expr)                                                                           \
    OP_INLINE uint64_t name##_f64(struct fp_env *e, uint64_t a, uint64_t b, unsigned imm)          \
    {                                                                                              \
        (void)a;                                                                                   \
        (void)imm;                                                                                 \
        return expr;                                                                               \
    }                                                                                              \
    OP_NONE(name##pd)                                                                              \
    {                                                                                              \
        return fp64(c, i, name##_f64, 2);                                                          \
    }                                                                                              \
    OP_NONE(name##sd)                                                                              \
    {                                                                                              \
        return fp64(c, i, name##_f64, 1);                                                          \
    }

/* -- Arithmetic -------------------------------------------------------------------------------- */

FP32(add, f32_add(e, a, b))
FP64(add, f64_add(e, a, b))
FP32(sub, f32_sub(e, a, b))
FP64(sub, f64_sub(e, a, b))
FP32(mul, f32_mul(e, a, b))
FP64(mul, f64_mul(e, a, b))
FP32(div, f32_div(e, a, b))
FP64(div, f64_div(e, a, b))
FP32(min, f32_min(e, a, b))
FP64(min, f64_min(e, a, b))
FP32(max, f32_max(e, a, b))
FP64(max, f64_max(e, a, b))
FP32(sqrt, f32_sqrt(e, b))
FP64(sqrt, f64_sqrt(e, b))
FP32(rcp, f32_rcp_approx(b))
FP32(rsqrt, f32_rsqrt_approx(b))
FP32(sse_cmp, f32_cmp_pred(e, a, b, imm & 7) ? UINT32_MAX : 0)
FP64(sse_cmp, f64_cmp_pred(e, a, b, imm & 7) ? UINT64_MAX : 0)

/* ROUND*: imm[1:0] is the mode unless imm[2] chooses that of MXCSR; imm[3] hides PE. */
OP_INLINE enum fp_rc round_mode(const struct fp_env *e, unsigned imm)
{
    return (enum fp_rc)(imm & 4 ? e->rc : imm & 3);
}
FP32(round, f32_rint(e, b, round_mode(e, imm), !(imm & 8)))
FP64(round, f64_rint(e, b, round_mode(e, imm), !(imm & 8)))

/* -- Horizontal arithmetic --------------------------------------------------------------------- */

typedef void (*fp_pairs_fn)(struct fp_env *e, union vec *r, const union vec *d, const union vec *s);

OP_INLINE bool fp_pairs(struct cpu *c, const struct insn *i, fp_pairs_fn f)
{
    union vec s, r;
    if (!sse_ready(c) || !xmm_src(c, i, 4, &s))
        return false;
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    f(&e, &r, &c->fpu.xmm[i->dst & 15], &s);
    if (!sse_fp_commit(c, &e))
        return false;
    xmm_set(c, i->dst, &r);
    return true;
}

#define HORIZONTAL32(name, f)                                                                      \
    OP_INLINE void name##_pairs(struct fp_env *e, union vec *r, const union vec *d,                \
                                const union vec *s)                                                \
    {                                                                                              \
        for (unsigned k = 0; k < 2; k++) {                                                         \
            r->d[k] = f(e, d->d[2 * k], d->d[2 * k + 1]);                                          \
            r->d[k + 2] = f(e, s->d[2 * k], s->d[2 * k + 1]);                                      \
        }                                                                                          \
    }                                                                                              \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        return fp_pairs(c, i, name##_pairs);                                                       \
    }
#define HORIZONTAL64(name, f)                                                                      \
    OP_INLINE void name##_pairs(struct fp_env *e, union vec *r, const union vec *d,                \
                                const union vec *s)                                                \
    {                                                                                              \
        r->q[0] = f(e, d->q[0], d->q[1]);                                                          \
        r->q[1] = f(e, s->q[0], s->q[1]);                                                          \
    }                                                                                              \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        return fp_pairs(c, i, name##_pairs);                                                       \
    }
HORIZONTAL32(haddps, f32_add)
HORIZONTAL32(hsubps, f32_sub)
HORIZONTAL64(haddpd, f64_add)
HORIZONTAL64(hsubpd, f64_sub)

OP_INLINE void addsubps_pairs(struct fp_env *e, union vec *r, const union vec *d,
                              const union vec *s)
{
    for (unsigned k = 0; k < 4; k++)
        r->d[k] = (k & 1 ? f32_add : f32_sub)(e, d->d[k], s->d[k]);
}
OP_NONE(addsubps)
{
    return fp_pairs(c, i, addsubps_pairs);
}
OP_INLINE void addsubpd_pairs(struct fp_env *e, union vec *r, const union vec *d,
                              const union vec *s)
{
    r->q[0] = f64_sub(e, d->q[0], s->q[0]);
    r->q[1] = f64_add(e, d->q[1], s->q[1]);
}
OP_NONE(addsubpd)
{
    return fp_pairs(c, i, addsubpd_pairs);
}

/* Dot products: each step reports its exceptions before the next one runs. Each element sums on its
 * own, so that they may hold different NaNs; the order of operands, which decides that, is Intel's.
 */
OP_NONE(dpps)
{
    union vec s, t = {.q = {0}}, u;
    unsigned imm = (uint8_t)i->imm;
    if (!sse_ready(c) || !xmm_src(c, i, 4, &s))
        return false;
    union vec *d = &c->fpu.xmm[i->dst & 15];
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    for (unsigned k = 0; k < 4; k++)
        t.d[k] = imm >> (4 + k) & 1 ? f32_mul(&e, d->d[k], s.d[k]) : 0;
    if (!sse_fp_commit(c, &e))
        return false;
    for (unsigned k = 0; k < 4; k++)
        u.d[k] = f32_add(&e, t.d[k ^ 1], t.d[k]);
    if (!sse_fp_commit(c, &e))
        return false;
    for (unsigned k = 0; k < 4; k++)
        t.d[k] = f32_add(&e, u.d[k], u.d[k ^ 2]);
    if (!sse_fp_commit(c, &e))
        return false;
    for (unsigned k = 0; k < 4; k++)
        d->d[k] = imm >> k & 1 ? t.d[k] : 0;
    return true;
}
OP_NONE(dppd)
{
    union vec s, t = {.q = {0}}, u;
    unsigned imm = (uint8_t)i->imm;
    if (!sse_ready(c) || !xmm_src(c, i, 4, &s))
        return false;
    union vec *d = &c->fpu.xmm[i->dst & 15];
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    for (unsigned k = 0; k < 2; k++)
        t.q[k] = imm >> (4 + k) & 1 ? f64_mul(&e, d->q[k], s.q[k]) : 0;
    if (!sse_fp_commit(c, &e))
        return false;
    for (unsigned k = 0; k < 2; k++)
        u.q[k] = f64_add(&e, t.q[k], t.q[k ^ 1]);
    if (!sse_fp_commit(c, &e))
        return false;
    for (unsigned k = 0; k < 2; k++)
        d->q[k] = imm >> k & 1 ? u.q[k] : 0;
    return true;
}

/* -- Comparison into EFLAGS -------------------------------------------------------------------- */

OP_INLINE bool compare(struct cpu *c, const struct insn *i, bool wide, bool signal)
{
    static const uint32_t by_relation[4] = {[FP_LESS] = EFL_CF,
                                            [FP_EQUAL] = EFL_ZF,
                                            [FP_GREATER] = 0,
                                            [FP_UNORD] = EFL_ZF | EFL_PF | EFL_CF};
    union vec s;
    if (!sse_ready(c) || !xmm_src(c, i, wide ? 3 : 2, &s))
        return false;
    const union vec *d = &c->fpu.xmm[i->dst & 15];
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    enum fp_rel rel =
        wide ? f64_cmp(&e, d->q[0], s.q[0], signal) : f32_cmp(&e, d->d[0], s.d[0], signal);
    if (!sse_fp_commit(c, &e))
        return false;
    flags_set_arith(c, by_relation[rel]);
    return true;
}
OP_NONE(comiss)
{
    return compare(c, i, false, true);
}
OP_NONE(comisd)
{
    return compare(c, i, true, true);
}
OP_NONE(ucomiss)
{
    return compare(c, i, false, false);
}
OP_NONE(ucomisd)
{
    return compare(c, i, true, false);
}

/* -- Conversions between vectors --------------------------------------------------------------- */

/* r = f(s) over the whole register, with a source of 1 << w bytes. */
typedef void (*fp_convert_fn)(struct fp_env *e, union vec *r, const union vec *s);

OP_INLINE bool fp_convert(struct cpu *c, const struct insn *i, fp_convert_fn f, unsigned w)
{
    union vec s, r = {.q = {0}};
    if (!sse_ready(c) || !xmm_src(c, i, w, &s))
        return false;
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    f(&e, &r, &s);
    if (!sse_fp_commit(c, &e))
        return false;
    xmm_set(c, i->dst, &r);
    return true;
}

#define CONVERT(name, count, to, from, w, expr)                                                    \
    OP_INLINE void name##_all(struct fp_env *e, union vec *r, const union vec *s)                  \
    {                                                                                              \
        for (unsigned k = 0; k < (count); k++) {                                                   \
            const __typeof__(s->from[0]) a = s->from[k];                                           \
            r->to[k] = (__typeof__(r->to[0]))(expr);                                               \
        }                                                                                          \
    }                                                                                              \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        return fp_convert(c, i, name##_all, w);                                                    \
    }
CONVERT(cvtdq2ps, 4, d, sd, 4, i32_to_f32(e, a))
CONVERT(cvtps2dq, 4, sd, d, 4, f32_to_i32(e, a, (enum fp_rc)e->rc))
CONVERT(cvttps2dq, 4, sd, d, 4, f32_to_i32(e, a, FP_RC_ZERO))
CONVERT(cvtdq2pd, 2, q, sd, 3, i32_to_f64(e, a))
CONVERT(cvtpd2dq, 2, sd, q, 4, f64_to_i32(e, a, (enum fp_rc)e->rc))
CONVERT(cvttpd2dq, 2, sd, q, 4, f64_to_i32(e, a, FP_RC_ZERO))
CONVERT(cvtps2pd, 2, q, d, 3, f32_to_f64(e, a))
CONVERT(cvtpd2ps, 2, d, q, 4, f64_to_f32(e, a))

/* -- Conversions of scalars -------------------------------------------------------------------- */

OP_NONE(cvtss2sd)
{
    union vec s;
    if (!sse_ready(c) || !xmm_src(c, i, 2, &s))
        return false;
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    uint64_t r = f32_to_f64(&e, s.d[0]);
    if (!sse_fp_commit(c, &e))
        return false;
    c->fpu.xmm[i->dst & 15].q[0] = r;
    return true;
}
OP_NONE(cvtsd2ss)
{
    union vec s;
    if (!sse_ready(c) || !xmm_src(c, i, 3, &s))
        return false;
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    uint32_t r = f64_to_f32(&e, s.q[0]);
    if (!sse_fp_commit(c, &e))
        return false;
    c->fpu.xmm[i->dst & 15].d[0] = r;
    return true;
}

/* The integer operand is 8 bytes with REX.W. */
OP_NONE(cvtsi2ss)
{
    bool wide = i->prefix & INSN_REXW;
    uint64_t v;
    if (!sse_ready(c) || !src_load(c, i, wide ? 3 : 2, &v))
        return false;
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    uint32_t r = wide ? i64_to_f32(&e, (int64_t)v) : i32_to_f32(&e, (int32_t)v);
    if (!sse_fp_commit(c, &e))
        return false;
    c->fpu.xmm[i->dst & 15].d[0] = r;
    return true;
}
OP_NONE(cvtsi2sd)
{
    bool wide = i->prefix & INSN_REXW;
    uint64_t v;
    if (!sse_ready(c) || !src_load(c, i, wide ? 3 : 2, &v))
        return false;
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    uint64_t r = wide ? i64_to_f64(&e, (int64_t)v) : i32_to_f64(&e, (int32_t)v);
    if (!sse_fp_commit(c, &e))
        return false;
    c->fpu.xmm[i->dst & 15].q[0] = r;
    return true;
}

OP_INLINE bool to_integer(struct cpu *c, const struct insn *i, bool from64, bool truncate)
{
    bool wide = i->prefix & INSN_REXW;
    union vec s;
    int64_t r;
    if (!sse_ready(c) || !xmm_src(c, i, from64 ? 3 : 2, &s))
        return false;
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    enum fp_rc rc = truncate ? FP_RC_ZERO : (enum fp_rc)e.rc;
    if (from64)
        r = wide ? f64_to_i64(&e, s.q[0], rc) : f64_to_i32(&e, s.q[0], rc);
    else
        r = wide ? f32_to_i64(&e, s.d[0], rc) : f32_to_i32(&e, s.d[0], rc);
    if (!sse_fp_commit(c, &e))
        return false;
    reg_set(c, i->dst, wide ? 3 : 2, (uint64_t)r);
    return true;
}
OP_NONE(cvtss2si)
{
    return to_integer(c, i, false, false);
}
OP_NONE(cvttss2si)
{
    return to_integer(c, i, false, true);
}
OP_NONE(cvtsd2si)
{
    return to_integer(c, i, true, false);
}
OP_NONE(cvttsd2si)
{
    return to_integer(c, i, true, true);
}

/* -- Conversions to and from MMX registers ----------------------------------------------------- */

/* To xmm: with a memory source the x87 state is not touched. */
OP_NONE(cvtpi2ps)
{
    union vec s, r;
    if (!sse_ready(c) || (!i->mem && !mmx_ready(c)) || !mmx_src(c, i, 3, &s))
        return false;
    if (!i->mem)
        mmx_enter(c);
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    for (unsigned k = 0; k < 2; k++)
        r.d[k] = i32_to_f32(&e, s.sd[k]);
    if (!sse_fp_commit(c, &e))
        return false;
    c->fpu.xmm[i->dst & 15].q[0] = r.q[0];
    return true;
}
OP_NONE(cvtpi2pd)
{
    union vec s;
    if (!sse_ready(c) || (!i->mem && !mmx_ready(c)) || !mmx_src(c, i, 3, &s))
        return false;
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    for (unsigned k = 0; k < 2; k++)
        c->fpu.xmm[i->dst & 15].q[k] = i32_to_f64(&e, s.sd[k]);
    if (!i->mem)
        mmx_enter(c);
    return true;
}

OP_INLINE bool to_mmx(struct cpu *c, const struct insn *i, bool from64, bool truncate)
{
    union vec s, r;
    if (!sse_ready(c) || !mmx_ready(c) || !xmm_src(c, i, from64 ? 4 : 3, &s))
        return false;
    mmx_enter(c);
    struct fp_env e = fp_env_load(c->fpu.mxcsr);
    enum fp_rc rc = truncate ? FP_RC_ZERO : (enum fp_rc)e.rc;
    for (unsigned k = 0; k < 2; k++)
        r.sd[k] = from64 ? f64_to_i32(&e, s.q[k], rc) : f32_to_i32(&e, s.d[k], rc);
    if (!sse_fp_commit(c, &e))
        return false;
    mm_set(c, i->dst, r.q[0]);
    return true;
}
OP_NONE(cvtps2pi)
{
    return to_mmx(c, i, false, false);
}
OP_NONE(cvttps2pi)
{
    return to_mmx(c, i, false, true);
}
OP_NONE(cvtpd2pi)
{
    return to_mmx(c, i, true, false);
}
OP_NONE(cvttpd2pi)
{
    return to_mmx(c, i, true, true);
}
