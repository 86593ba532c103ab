/* SPDX-License-Identifier: MIT */
/* The SSE half of fp_diff. Each operation runs on the host with the given MXCSR. An unmasked
 * exception arrives as SIGFPE: the handler notes MXCSR and masks everything, so that the
 * instruction runs to its end; its result then does not count. */
#include "tests/diff/fp_diff.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

static volatile sig_atomic_t trapped;
static volatile uint32_t trap_mxcsr;

static void on_sigfpe(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)sig, (void)info;
    trapped = 1;
    trap_mxcsr = uc->uc_mcontext.fpregs->mxcsr;
    uc->uc_mcontext.fpregs->mxcsr |= 0x1f80;
}

struct sse_case {
    uint64_t a, b, c;
    uint32_t mxcsr;
};

typedef uint64_t (*host_fn)(const struct sse_case *in, uint32_t *mxcsr);
typedef uint64_t (*model_fn)(struct fp_env *e, const struct sse_case *in);

enum need { BASE, NEED_FMA, NEED_F16C, NEED_AVX };

struct op {
    const char *name;
    host_fn host;
    model_fn model;
    int width; /* of the operands: 32, 64, or 0 for integers; 33 is two binary32 lanes */
    enum need need;
};

/* Operands are in xmm0, xmm1, xmm2 (and a in rax too); the result is left in xmm0 or, RAX, in rax.
 */
#define RAX   "movq %%rax, %%xmm0\n\t"
#define FLAGS "mov $0, %%eax\n\tlahf\n\tand $0x4500, %%eax\n\t" RAX
#define HOST(id, insn)                                                                             \
    static uint64_t host_##id(const struct sse_case *in, uint32_t *mxcsr)                          \
    {                                                                                              \
        static const uint32_t plain = 0x1f80;                                                      \
        uint64_t r, scratch = in->a;                                                               \
        __asm__ volatile("movq %3, %%xmm0\n\tmovq %4, %%xmm1\n\tmovq %5, %%xmm2\n\t"               \
                         "ldmxcsr %6\n\t" insn "\n\tmovq %%xmm0, %0\n\tstmxcsr %1\n\tldmxcsr %7"   \
                         : "=m"(r), "=m"(*mxcsr), "+a"(scratch)                                    \
                         : "m"(in->a), "m"(in->b), "m"(in->c), "m"(in->mxcsr), "m"(plain)          \
                         : "xmm0", "xmm1", "xmm2", "cc", "memory");                                \
        return r;                                                                                  \
    }

#define LOW(expr) (uint32_t)(expr)

/* OP(id, instructions, operand width, need, model) */
#define OPS_OF(OP, W, P, s)                                                                        \
    OP(add##s, "adds" #s " %%xmm1, %%xmm0", W, BASE, P##_add(e, a, b))                             \
    OP(sub##s, "subs" #s " %%xmm1, %%xmm0", W, BASE, P##_sub(e, a, b))                             \
    OP(mul##s, "muls" #s " %%xmm1, %%xmm0", W, BASE, P##_mul(e, a, b))                             \
    OP(div##s, "divs" #s " %%xmm1, %%xmm0", W, BASE, P##_div(e, a, b))                             \
    OP(sqrt##s, "sqrts" #s " %%xmm0, %%xmm0", W, BASE, P##_sqrt(e, a))                             \
    OP(min##s, "mins" #s " %%xmm1, %%xmm0", W, BASE, P##_min(e, a, b))                             \
    OP(max##s, "maxs" #s " %%xmm1, %%xmm0", W, BASE, P##_max(e, a, b))                             \
    OP(comi##s, "comis" #s " %%xmm1, %%xmm0\n\t" FLAGS, W, BASE, rel(P##_cmp(e, a, b, true)))      \
    OP(ucomi##s, "ucomis" #s " %%xmm1, %%xmm0\n\t" FLAGS, W, BASE, rel(P##_cmp(e, a, b, false)))   \
    OP(cvtsi2s##s, "cvtsi2s" #s " %%eax, %%xmm0", 0, BASE, i32_to_##P(e, (int32_t)a))              \
    OP(cvtsi2s##s##q, "cvtsi2s" #s "q %%rax, %%xmm0", 0, BASE, i64_to_##P(e, (int64_t)a))          \
    OP(cvts##s##2si, "cvts" #s "2si %%xmm0, %%eax\n\t" RAX, W, BASE, LOW(P##_to_i32(e, a, e->rc))) \
    OP(cvtts##s##2si, "cvtts" #s "2si %%xmm0, %%eax\n\t" RAX, W, BASE,                             \
       LOW(P##_to_i32(e, a, FP_RC_ZERO)))                                                          \
    OP(cvts##s##2siq, "cvts" #s "2si %%xmm0, %%rax\n\t" RAX, W, BASE,                              \
       (uint64_t)P##_to_i64(e, a, e->rc))                                                          \
    OP(cvtts##s##2siq, "cvtts" #s "2si %%xmm0, %%rax\n\t" RAX, W, BASE,                            \
       (uint64_t)P##_to_i64(e, a, FP_RC_ZERO))                                                     \
    OP(rounds##s, "rounds" #s " $4, %%xmm0, %%xmm0", W, BASE, P##_rint(e, a, e->rc, true))         \
    OP(rounds##s##_up, "rounds" #s " $2, %%xmm0, %%xmm0", W, BASE, P##_rint(e, a, FP_RC_UP, true)) \
    OP(rounds##s##_quiet, "rounds" #s " $9, %%xmm0, %%xmm0", W, BASE,                              \
       P##_rint(e, a, FP_RC_DOWN, false))                                                          \
    OP(vfmadd132s##s, "vfmadd132s" #s " %%xmm1, %%xmm2, %%xmm0", W, NEED_FMA,                      \
       P##_fma(e, a, b, c, 0))                                                                     \
    OP(vfmadd213s##s, "vfmadd213s" #s " %%xmm2, %%xmm1, %%xmm0", W, NEED_FMA,                      \
       P##_fma(e, b, a, c, 0))                                                                     \
    OP(vfmadd231s##s, "vfmadd231s" #s " %%xmm2, %%xmm1, %%xmm0", W, NEED_FMA,                      \
       P##_fma(e, b, c, a, 0))                                                                     \
    OP(vfmsub213s##s, "vfmsub213s" #s " %%xmm2, %%xmm1, %%xmm0", W, NEED_FMA,                      \
       P##_fma(e, b, a, c, FMA_NEG_C))                                                             \
    OP(vfnmadd213s##s, "vfnmadd213s" #s " %%xmm2, %%xmm1, %%xmm0", W, NEED_FMA,                    \
       P##_fma(e, b, a, c, FMA_NEG_PRODUCT))                                                       \
    OP(vfnmsub132s##s, "vfnmsub132s" #s " %%xmm1, %%xmm2, %%xmm0", W, NEED_FMA,                    \
       P##_fma(e, a, b, c, FMA_NEG_PRODUCT | FMA_NEG_C))

#define OPS(OP)                                                                                    \
    OP(cvtss2sd, "cvtss2sd %%xmm0, %%xmm0", 32, BASE, f32_to_f64(e, LOW(a)))                       \
    OP(cvtsd2ss, "cvtsd2ss %%xmm0, %%xmm0", 64, BASE, f64_to_f32(e, a))                            \
    OP(vcvtph2ps, "vcvtph2ps %%xmm0, %%xmm0", 16, NEED_F16C, f16_to_f32(e, (uint16_t)a))           \
    OP(vcvtps2ph, "vcvtps2ph $4, %%xmm0, %%xmm0", 32, NEED_F16C, f32_to_f16(e, LOW(a), e->rc))     \
    OP(vcvtps2ph_up, "vcvtps2ph $2, %%xmm0, %%xmm0", 32, NEED_F16C,                                \
       f32_to_f16(e, LOW(a), FP_RC_UP))                                                            \
    OP(mulps, "mulps %%xmm1, %%xmm0", 33, BASE, mulps(e, a, b))

#define PREDICATES(OP)                                                                             \
    OP(0)                                                                                          \
    OP(1)                                                                                          \
    OP(2)                                                                                          \
    OP(3)                                                                                          \
    OP(4)                                                                                          \
    OP(5)                                                                                          \
    OP(6)                                                                                          \
    OP(7)                                                                                          \
    OP(8)                                                                                          \
    OP(9)                                                                                          \
    OP(10)                                                                                         \
    OP(11)                                                                                         \
    OP(12)                                                                                         \
    OP(13)                                                                                         \
    OP(14)                                                                                         \
    OP(15)                                                                                         \
    OP(16)                                                                                         \
    OP(17)                                                                                         \
    OP(18)                                                                                         \
    OP(19) OP(20) OP(21) OP(22) OP(23) OP(24) OP(25) OP(26) OP(27) OP(28) OP(29) OP(30) OP(31)

/* AH after LAHF. */
static uint64_t rel(enum fp_rel r)
{
    static const uint16_t flags[] = {0x0100, 0x4000, 0x0000, 0x4500};
    return flags[r];
}

/* Two lanes: an unmasked exception of one lane's operands hides the other lane's overflow. */
static uint64_t mulps(struct fp_env *e, uint64_t a, uint64_t b)
{
    uint64_t lo = f32_mul(e, (uint32_t)a, (uint32_t)b);
    uint64_t hi = f32_mul(e, (uint32_t)(a >> 32), (uint32_t)(b >> 32));
    return hi << 32 | lo;
}

#define DEFINE(id, insn, width, need, expr)                                                        \
    HOST(id, insn)                                                                                 \
    static uint64_t model_##id(struct fp_env *e, const struct sse_case *in)                        \
    {                                                                                              \
        uint64_t a = in->a, b = in->b, c = in->c;                                                  \
        (void)a, (void)b, (void)c;                                                                 \
        return expr;                                                                               \
    }
#define DEFINE32(id, insn, width, need, expr)                                                      \
    HOST(id, insn)                                                                                 \
    static uint64_t model_##id(struct fp_env *e, const struct sse_case *in)                        \
    {                                                                                              \
        uint64_t wide = in->a;                                                                     \
        uint32_t b = LOW(in->b), c = LOW(in->c);                                                   \
        WIDE_OR_LOW(width) a = (WIDE_OR_LOW(width))wide;                                           \
        (void)a, (void)b, (void)c;                                                                 \
        return expr;                                                                               \
    }
#define WIDE_OR_LOW(width) WIDE_OR_LOW_##width
#define WIDE_OR_LOW_0      uint64_t
#define WIDE_OR_LOW_32     uint32_t
#define PREDICATE(n)                                                                               \
    DEFINE(cmpsd##n, "vcmpsd $" #n ", %%xmm1, %%xmm0, %%xmm0", 64, NEED_AVX,                       \
           f64_cmp_pred(e, a, b, n) ? UINT64_MAX : 0)                                              \
    DEFINE(cmpss##n, "vcmpss $" #n ", %%xmm1, %%xmm0, %%xmm0", 32, NEED_AVX,                       \
           f32_cmp_pred(e, LOW(a), LOW(b), n) ? UINT32_MAX : 0)

OPS(DEFINE)
OPS_OF(DEFINE, 64, f64, d)
OPS_OF(DEFINE32, 32, f32, s)
PREDICATES(PREDICATE)

#define ROW(id, insn, width, need, expr) {#id, host_##id, model_##id, width, need},
#define ROW_SD(n)                        ROW(cmpsd##n, , 64, NEED_AVX, )
#define ROW_SS(n)                        ROW(cmpss##n, , 32, NEED_AVX, )
static const struct op ops[] = {OPS(ROW) OPS_OF(ROW, 64, f64, d) OPS_OF(ROW, 32, f32, s)
                                    PREDICATES(ROW_SD) PREDICATES(ROW_SS)};

/* How many bits of the result count. */
static uint64_t result_mask(const struct op *op)
{
    const char *n = op->name;
    if (!strcmp(n, "cvtsd2ss") || !strcmp(n, "vcvtph2ps"))
        return UINT32_MAX;
    if (!strncmp(n, "vcvtps2ph", 9))
        return UINT16_MAX;
    if (!strcmp(n, "cvtsi2ss") || !strcmp(n, "cvtsi2ssq"))
        return UINT32_MAX;
    if (op->width != 32 || !strcmp(n, "cvtss2sd") || n[strlen(n) - 1] == 'q')
        return UINT64_MAX;
    return UINT32_MAX;
}

static void random_case(struct diff *d, const struct op *op, struct sse_case *in)
{
    switch (op->width) {
    case 64:
        in->a = diff_f64(d);
        in->b = diff_f64_near(d, in->a);
        in->c = diff_f64_near(d, diff_below(d, 2) ? in->a : in->b);
        break;
    case 32:
        in->a = diff_f32(d);
        in->b = diff_f32_near(d, (uint32_t)in->a);
        in->c = diff_f32_near(d, (uint32_t)(diff_below(d, 2) ? in->a : in->b));
        break;
    case 33:
        in->a = diff_f32(d) | (uint64_t)diff_f32(d) << 32;
        in->b = diff_f32_near(d, (uint32_t)in->a) | (uint64_t)diff_f32(d) << 32;
        break;
    default:
        in->a = diff_man(d, op->width == 16 ? 16 : 64);
        if (diff_below(d, 2))
            in->a = 0 - in->a;
        in->a &= op->width == 16 ? UINT16_MAX : UINT64_MAX;
        break;
    }
    in->mxcsr = 0x1f80 | (uint32_t)diff_below(d, 4) << 13;
    if (diff_below(d, 2))
        in->mxcsr |= (uint32_t)diff_random(d) & 0x3f;
    if (diff_below(d, 3) == 0)
        in->mxcsr |= (uint32_t)diff_random(d) & 0x8040;
    if (diff_below(d, 16) == 0)
        in->mxcsr &= 0xffffe07f | (uint32_t)diff_random(d);
}

/* Of a denormal operand whose underflow is unmasked, AMD's processors do not report that the result
 * is inexact; Intel's do. The manuals (SDM 1 11.5.2.5, APM 1 4.10.3) leave it open. */
static bool amd_differs(const struct op *op, const struct sse_case *in)
{
    bool denormal = (in->a >> 23 & 0xff) == 0 && (in->a & 0x7fffff) != 0;
    return strncmp(op->name, "vcvtps2ph", 9) == 0 && denormal && !(in->mxcsr & 0x840);
}

static void run(struct diff *d, const struct op *op, unsigned count)
{
    uint64_t mask = result_mask(op);
    if (d->only && strcmp(d->only, op->name) != 0)
        return;
    uint64_t before = d->cases;
    d->shown = 0;
    for (unsigned k = 0; k < count; k++) {
        struct sse_case in = {0};
        uint32_t hm, mm;
        random_case(d, op, &in);
        if (diff_leave_out(d, amd_differs(op, &in)))
            continue;
        trapped = 0;
        uint64_t h = op->host(&in, &hm);
        struct fp_env e = fp_env_load(in.mxcsr);
        uint64_t m = op->model(&e, &in);
        mm = in.mxcsr;
        bool ok = fp_env_commit(&e, &mm);
        d->cases++;
        if (trapped)
            hm = trap_mxcsr;
        if (hm == mm && ok == !trapped && (trapped || !((h ^ m) & mask)))
            continue;
        d->wrong++;
        if (d->shown++ < d->limit)
            printf("%s mxcsr=%04x a=%016llx b=%016llx c=%016llx\n"
                   "    host  %016llx %04x%s\n    model %016llx %04x%s\n",
                   op->name, in.mxcsr, (unsigned long long)in.a, (unsigned long long)in.b,
                   (unsigned long long)in.c, (unsigned long long)h, hm, trapped ? " trap" : "",
                   (unsigned long long)m, mm, ok ? "" : " trap");
    }
    diff_counted(d, op->name, d->cases - before);
    if (d->shown)
        printf("%s: %u mismatches of %u\n", op->name, d->shown, count);
}

void diff_sse(struct diff *d, unsigned count)
{
    struct sigaction act = {.sa_sigaction = on_sigfpe, .sa_flags = SA_SIGINFO}, old;
    sigaction(SIGFPE, &act, &old);
    for (unsigned k = 0; k < sizeof(ops) / sizeof(ops[0]); k++) {
        if ((ops[k].need == NEED_FMA && !__builtin_cpu_supports("fma")) ||
            (ops[k].need == NEED_F16C && !__builtin_cpu_supports("avx2")) ||
            (ops[k].need == NEED_AVX && !__builtin_cpu_supports("avx")))
            continue;
        run(d, &ops[k], ops[k].need == NEED_AVX ? count / 8 : count);
    }
    sigaction(SIGFPE, &old, NULL);
}
