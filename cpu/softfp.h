/* SPDX-License-Identifier: MIT */
/* IEEE-754 binary32, binary64 (and conversions of binary16) with the semantics of SSE and AVX:
 * SDM Vol. 1, 4.8, 11.5 and appendices D and E. Values are bit patterns. Functions are pure but for
 * the flags that they add to the environment, and give the same bits on every host.
 *
 * NaN results: the first operand if it is a NaN, else the second, made quiet; the negative quiet
 * NaN ("real indefinite") for invalid operations. Tininess is detected after rounding. A result is
 * always produced, as if the raised exceptions were masked; the caller asks fp_env_commit() whether
 * it may be written.
 *
 * Use by an instruction handler:
 *     struct fp_env e = fp_env_load(mxcsr);
 *     for each element: r[k] = f64_add(&e, a[k], b[k]);
 *     if (!fp_env_commit(&e, &mxcsr))
 *         raise #XM (or #UD when CR4.OSXMMEXCPT = 0), destination unchanged;
 *
 * The fast paths use the host's float and double: the host must be in its default mode (round to
 * nearest, no FTZ or DAZ) whenever these functions are called. */
#ifndef CPU_SOFTFP_H
#define CPU_SOFTFP_H

#include "cpu/fp.h"

struct fp_env {
    uint8_t rc;     /* enum fp_rc */
    uint8_t masks;  /* FP_* bits: masked exceptions */
    uint8_t sticky; /* FP_* bits that were already set in MXCSR: only enables the fast paths */
    uint8_t flags;  /* FP_* bits raised since fp_env_load() */
    bool daz;       /* denormal operands are zeros */
    bool ftz;       /* tiny results become zeros; acts only while underflow is masked */
};

#define F32_INDEFINITE UINT32_C(0xffc00000)
#define F64_INDEFINITE UINT64_C(0xfff8000000000000)

static inline struct fp_env fp_env_load(uint32_t mxcsr)
{
    struct fp_env e = {
        .rc = (mxcsr >> 13) & 3,
        .masks = (mxcsr >> 7) & FP_ALL,
        .sticky = mxcsr & FP_ALL,
        .daz = (mxcsr >> 6) & 1,
        .ftz = (mxcsr >> 15) & 1,
    };
    return e;
}

/* Exceptions raised since fp_env_load(), as the processor reports them: an unmasked invalid,
 * denormal or divide exception of any element hides what the arithmetic itself would have raised.
 */
static inline uint8_t fp_env_raised(const struct fp_env *e)
{
    return (e->flags & ~e->masks & FP_PRE) ? e->flags & FP_PRE : e->flags;
}

/* Adds what was raised to *mxcsr; false: an unmasked exception is among it, results are void. */
static inline bool fp_env_commit(const struct fp_env *e, uint32_t *mxcsr)
{
    uint8_t raised = fp_env_raised(e);
    *mxcsr |= raised;
    return (raised & ~e->masks) == 0;
}

uint32_t f32_add(struct fp_env *e, uint32_t a, uint32_t b);
uint32_t f32_sub(struct fp_env *e, uint32_t a, uint32_t b);
uint32_t f32_mul(struct fp_env *e, uint32_t a, uint32_t b);
uint32_t f32_div(struct fp_env *e, uint32_t a, uint32_t b);
uint32_t f32_sqrt(struct fp_env *e, uint32_t a);
uint64_t f64_add(struct fp_env *e, uint64_t a, uint64_t b);
uint64_t f64_sub(struct fp_env *e, uint64_t a, uint64_t b);
uint64_t f64_mul(struct fp_env *e, uint64_t a, uint64_t b);
uint64_t f64_div(struct fp_env *e, uint64_t a, uint64_t b);
uint64_t f64_sqrt(struct fp_env *e, uint64_t a);

/* a * b + c with one rounding. Negated forms: flip sign bits with the FMA_NEG_* bits, which leave
 * NaNs alone. NaN priority is a, b, c: the caller passes operands in the order of the form
 * (SDM 14.5: VFMADD132 dst,src3,src2; 213 src2,dst,src3; 231 src2,src3,dst). */
enum { FMA_NEG_PRODUCT = 1, FMA_NEG_C = 2 };
uint32_t f32_fma(struct fp_env *e, uint32_t a, uint32_t b, uint32_t c, unsigned neg);
uint64_t f64_fma(struct fp_env *e, uint64_t a, uint64_t b, uint64_t c, unsigned neg);

/* MINPS/MAXPS family: the second operand if either is a NaN (IE, not made quiet) or both are zero.
 */
uint32_t f32_min(struct fp_env *e, uint32_t a, uint32_t b);
uint32_t f32_max(struct fp_env *e, uint32_t a, uint32_t b);
uint64_t f64_min(struct fp_env *e, uint64_t a, uint64_t b);
uint64_t f64_max(struct fp_env *e, uint64_t a, uint64_t b);

/* Relation of a to b. signal: IE for quiet NaNs too (COMISS, CMPLTPS ...); signalling NaNs always.
 */
enum fp_rel f32_cmp(struct fp_env *e, uint32_t a, uint32_t b, bool signal);
enum fp_rel f64_cmp(struct fp_env *e, uint64_t a, uint64_t b, bool signal);

/* Predicate of CMPPS/CMPSD imm8[2:0] (SSE) or imm8[4:0] (AVX): true if it holds. */
bool f32_cmp_pred(struct fp_env *e, uint32_t a, uint32_t b, unsigned pred);
bool f64_cmp_pred(struct fp_env *e, uint64_t a, uint64_t b, unsigned pred);

/* Conversions between formats. */
uint64_t f32_to_f64(struct fp_env *e, uint32_t a);
uint32_t f64_to_f32(struct fp_env *e, uint64_t a);
uint32_t f16_to_f32(struct fp_env *e, uint16_t a); /* VCVTPH2PS: ignores DAZ, no DE */
uint16_t f32_to_f16(struct fp_env *e, uint32_t a, enum fp_rc rc); /* VCVTPS2PH: ignores FTZ */

/* Integers. To integer: rc is explicit (e->rc for CVT*, FP_RC_ZERO for CVTT*); out of range or NaN
 * gives IE and the indefinite integer INT_MIN. Denormal operands do not raise DE. */
uint32_t i32_to_f32(struct fp_env *e, int32_t a);
uint64_t i32_to_f64(struct fp_env *e, int32_t a);
uint32_t i64_to_f32(struct fp_env *e, int64_t a);
uint64_t i64_to_f64(struct fp_env *e, int64_t a);
int32_t f32_to_i32(struct fp_env *e, uint32_t a, enum fp_rc rc);
int64_t f32_to_i64(struct fp_env *e, uint32_t a, enum fp_rc rc);
int32_t f64_to_i32(struct fp_env *e, uint64_t a, enum fp_rc rc);
int64_t f64_to_i64(struct fp_env *e, uint64_t a, enum fp_rc rc);

/* Round to integral (ROUNDSS/SD). exact: report PE when the value changed; imm8[3] suppresses it.
 */
uint32_t f32_rint(struct fp_env *e, uint32_t a, enum fp_rc rc, bool exact);
uint64_t f64_rint(struct fp_env *e, uint64_t a, enum fp_rc rc, bool exact);

/* RCPPS and RSQRTPS: no exceptions, denormals are zeros; relative error within the architectural
 * bound of 1.5 * 2^-12. Processors differ in these bits; ours are the exact value cut to 12 bits.
 */
uint32_t f32_rcp_approx(uint32_t a);
uint32_t f32_rsqrt_approx(uint32_t a);

#endif
