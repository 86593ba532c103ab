/* SPDX-License-Identifier: MIT */
/* What the MMX and SSE handlers are made of: checks before execution, operands, the floating-point
 * environment, and macros that turn a function over the lanes of a vector into handlers.
 *
 * A lane function takes the number of bytes n (8: MMX, 16: SSE) and works in place on d, so that
 * one body serves every register width. Handlers read all operands before they write any register:
 * an instruction that faults has changed nothing.
 *
 * SDM: 2A 2.5 (exception classes), 3A 12.1 and 13.1, Vol. 1 chapters 9 to 12. */
#ifndef CPU_SIMD_H
#define CPU_SIMD_H

#include "cpu/ops.h"
#include "cpu/softfp.h"

#define SIMD_LIKELY(x) __builtin_expect(!!(x), 1)

/* -- Checks before execution ------------------------------------------------------------------- */

/* Raise what forbids an SSE or MMX instruction now (#UD, #NM, #MF); true: nothing does. */
bool sse_refuse(struct cpu *c);
bool mmx_refuse(struct cpu *c);

static inline bool sse_ready(struct cpu *c)
{
    return SIMD_LIKELY(!(c->cr0 & (CR0_EM | CR0_TS)) && (c->cr4 & CR4_OSFXSR)) || sse_refuse(c);
}

static inline bool mmx_ready(struct cpu *c)
{
    return SIMD_LIKELY(!(c->cr0 & (CR0_EM | CR0_TS)) && !(c->fpu.sw & FSW_ES)) || mmx_refuse(c);
}

/* -- MMX registers: the significands of the x87 registers -------------------------------------- */

/* Every MMX instruction but EMMS leaves TOP 0 and all tags valid (SDM 3A 12.2). A store has
 * cleared TOP even if it then faults, a conversion with #XM has done both: not documented, but so
 * on hardware. */
static inline void mmx_enter(struct cpu *c)
{
    c->fpu.top = 0;
    c->fpu.valid = 0xff;
}

static inline uint64_t mm_get(const struct cpu *c, unsigned n)
{
    return c->fpu.st[n & 7].man;
}

static inline void mm_set(struct cpu *c, unsigned n, uint64_t v)
{
    c->fpu.st[n & 7] = f80_make(0xffff, v);
    mmx_enter(c);
}

/* -- XMM registers and memory ------------------------------------------------------------------ */

/* The legacy encodings of SSE leave bits above 127 of the destination alone. */
static inline void vec_copy16(union vec *d, const union vec *s)
{
    d->q[0] = s->q[0];
    d->q[1] = s->q[1];
}

static inline void xmm_set(struct cpu *c, unsigned n, const union vec *v)
{
    vec_copy16(&c->fpu.xmm[n & 15], v);
}

/* Reading and writing 16 bytes; `aligned`: #GP(0) unless the linear address is a multiple of 16. */
static inline bool mem_read16(struct cpu *c, const struct insn *i, bool aligned, union vec *v)
{
    const struct seg *s = &c->seg[i->seg];
    uint64_t off = ea(c, i), la;
    bool fast = seg_fast(c, s, s->rd_end, off, 16, &la);
    if (aligned && (la & 15))
        return cpu_raise_gp(c, 0);
    const uint8_t *p = fast ? tlb_hit_read(c, la, 16) : NULL;
    if (SIMD_LIKELY(p != NULL)) {
        memcpy(v, p, 16);
        return true;
    }
    return mem_read_bytes(c, i->seg, off, v, 16);
}

static inline bool mem_write16(struct cpu *c, const struct insn *i, bool aligned,
                               const union vec *v)
{
    const struct seg *s = &c->seg[i->seg];
    uint64_t off = ea(c, i), la;
    bool fast = seg_fast(c, s, s->wr_end, off, 16, &la);
    if (aligned && (la & 15))
        return cpu_raise_gp(c, 0);
    uint8_t *p = fast ? tlb_hit_write(c, la, 16) : NULL;
    if (SIMD_LIKELY(p != NULL)) {
        memcpy(p, v, 16);
        return true;
    }
    return mem_write_bytes(c, i->seg, off, v, 16);
}

/* The W operand as a source: an xmm register, or 1 << w bytes of memory (w = 4: an aligned 16-byte
 * operand). Bytes above are zero or, for a register, those of the register. */
OP_INLINE bool xmm_src(struct cpu *c, const struct insn *i, unsigned w, union vec *v)
{
    if (!i->mem) {
        vec_copy16(v, &c->fpu.xmm[i->src & 15]);
        return true;
    }
    if (w == 4)
        return mem_read16(c, i, true, v);
    v->q[1] = 0;
    return mem_load(c, i, w, &v->q[0]);
}

/* The Q operand: an MMX register, or 1 << w bytes of memory. */
OP_INLINE bool mmx_src(struct cpu *c, const struct insn *i, unsigned w, union vec *v)
{
    if (i->mem)
        return mem_load(c, i, w, &v->q[0]);
    v->q[0] = mm_get(c, i->src);
    return true;
}

/* -- Handlers made of lane functions ----------------------------------------------------------- */

typedef void (*lanes_fn)(union vec *d, const union vec *s, unsigned n);
typedef void (*lanes_imm_fn)(union vec *d, const union vec *s, unsigned n, unsigned imm);

/* xmm = f(xmm, xmm/m) with a memory operand of 1 << w bytes. */
OP_INLINE bool sse_binary(struct cpu *c, const struct insn *i, lanes_fn f, unsigned w)
{
    union vec d, s;
    if (!sse_ready(c) || !xmm_src(c, i, w, &s))
        return false;
    vec_copy16(&d, &c->fpu.xmm[i->dst & 15]);
    f(&d, &s, 16);
    xmm_set(c, i->dst, &d);
    return true;
}

OP_INLINE bool sse_binary_imm(struct cpu *c, const struct insn *i, lanes_imm_fn f, unsigned w)
{
    union vec d, s;
    if (!sse_ready(c) || !xmm_src(c, i, w, &s))
        return false;
    vec_copy16(&d, &c->fpu.xmm[i->dst & 15]);
    f(&d, &s, 16, (uint8_t)i->imm);
    xmm_set(c, i->dst, &d);
    return true;
}

OP_INLINE bool mmx_binary(struct cpu *c, const struct insn *i, lanes_fn f, unsigned w)
{
    union vec d, s;
    if (!mmx_ready(c) || !mmx_src(c, i, w, &s))
        return false;
    d.q[0] = mm_get(c, i->dst);
    f(&d, &s, 8);
    mm_set(c, i->dst, d.q[0]);
    return true;
}

OP_INLINE bool mmx_binary_imm(struct cpu *c, const struct insn *i, lanes_imm_fn f, unsigned w)
{
    union vec d, s;
    if (!mmx_ready(c) || !mmx_src(c, i, w, &s))
        return false;
    d.q[0] = mm_get(c, i->dst);
    f(&d, &s, 8, (uint8_t)i->imm);
    mm_set(c, i->dst, d.q[0]);
    return true;
}

/* A lane function name_lanes() that sets each element of d (view f of union vec) to expr of a (the
 * element of d) and b (the element of s). */
#define LANES(name, f, expr)                                                                       \
    OP_INLINE void name##_lanes(union vec *d, const union vec *s, unsigned n)                      \
    {                                                                                              \
        for (unsigned k = 0; k < n / sizeof(d->f[0]); k++) {                                       \
            const __typeof__(d->f[0]) a = d->f[k], b = s->f[k];                                    \
            (void)a;                                                                               \
            d->f[k] = (__typeof__(d->f[0]))(expr);                                                 \
        }                                                                                          \
    }

/* op_name from name_lanes(), for xmm registers; op_name_mmx too. */
#define SSE_BINARY(name)                                                                           \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        return sse_binary(c, i, name##_lanes, 4);                                                  \
    }
#define SSE_BINARY_IMM(name)                                                                       \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        return sse_binary_imm(c, i, name##_lanes, 4);                                              \
    }
#define MMX_SSE_BINARY(name)                                                                       \
    OP_NONE(name##_mmx)                                                                            \
    {                                                                                              \
        return mmx_binary(c, i, name##_lanes, 3);                                                  \
    }                                                                                              \
    SSE_BINARY(name)

static inline int8_t sat_i8(int32_t v)
{
    return (int8_t)(v < INT8_MIN ? INT8_MIN : v > INT8_MAX ? INT8_MAX : v);
}
static inline uint8_t sat_u8(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v > UINT8_MAX ? UINT8_MAX : v);
}
static inline int16_t sat_i16(int32_t v)
{
    return (int16_t)(v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v);
}
static inline uint16_t sat_u16(int32_t v)
{
    return (uint16_t)(v < 0 ? 0 : v > UINT16_MAX ? UINT16_MAX : v);
}

/* -- Floating point ---------------------------------------------------------------------------- */

/* #XM, or #UD where the system did not say that it handles it; always false. */
bool sse_fp_fault(struct cpu *c);

/* Add the exceptions to MXCSR; false: one is unmasked and has been raised. */
static inline bool sse_fp_commit(struct cpu *c, const struct fp_env *e)
{
    return SIMD_LIKELY(fp_env_commit(e, &c->fpu.mxcsr)) || sse_fp_fault(c);
}

#endif
