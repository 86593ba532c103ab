/* SPDX-License-Identifier: MIT */
/* The x87 half of fp_diff. Each operation runs on the host between FXRSTOR and FXSAVE, with ST0 and
 * ST1 full and arbitrary condition codes; neither of those two reports pending exceptions, so that
 * unmasked ones can be compared as well. */
#include "tests/diff/fp_diff.h"

#include <stdio.h>
#include <string.h>

struct fxsave {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    struct {
        uint64_t man;
        uint16_t se, pad[3];
    } st[8];
    uint8_t rest[512 - 160];
} __attribute__((aligned(16)));

/* Before and after. TOP is 6 at first: ST0 is R6, ST1 is R7. */
struct state {
    struct f80 st[3]; /* ST0 .. ST2, counted from the current TOP */
    unsigned top;
    uint16_t fcw, fsw; /* fsw: without TOP */
    uint8_t mem[16];
};

typedef void (*host_fn)(struct fxsave *in, struct fxsave *out, uint8_t *mem);

/* What the operation does to the registers when it has a result. */
enum effect { FX_NONE, FX_ST0, FX_POP, FX_PUSH, FX_LOAD, FX_STORE };

struct model {
    struct f80 r0, r1; /* result; for FX_PUSH r1 is the new top over r0 */
    bool no_push;
};
typedef void (*model_fn)(struct f80_env *e, const struct state *in, struct model *m, uint8_t *mem);

enum operand {
    OP_RANDOM,
    OP_M32,
    OP_M64,
    OP_INT16,
    OP_INT32,
    OP_INT64,
    OP_BCD,
    OP_SMALL,
    OP_ANGLE,
    OP_LOG
};

struct op {
    const char *name;
    host_fn host;
    model_fn model;
    enum effect effect;
    enum operand operand;
    bool loose; /* transcendental: one unit may differ, and with it PE, UE and C1 */
};

#define HOST(id, insn)                                                                             \
    static void host_##id(struct fxsave *in, struct fxsave *out, uint8_t *mem)                     \
    {                                                                                              \
        __asm__ volatile("fxrstor64 %1\n\t" insn "\n\tfxsave64 %0\n\tfninit"                       \
                         : "=m"(*out)                                                              \
                         : "m"(*in), "r"(mem)                                                      \
                         : "memory");                                                              \
    }

/* OP(id, instruction, effect, operand, loose, model) */
#define OPS(OP)                                                                                    \
    OP(fadd, "fadd %%st(1), %%st", FX_ST0, OP_RANDOM, 0, m->r0 = f80_add(e, a, b))                 \
    OP(fsub, ".byte 0xd8, 0xe1", FX_ST0, OP_RANDOM, 0, m->r0 = f80_sub(e, a, b))                   \
    OP(fsubr, ".byte 0xd8, 0xe9", FX_ST0, OP_RANDOM, 0, m->r0 = f80_sub(e, b, a))                  \
    OP(fmul, "fmul %%st(1), %%st", FX_ST0, OP_RANDOM, 0, m->r0 = f80_mul(e, a, b))                 \
    OP(fdiv, ".byte 0xd8, 0xf1", FX_ST0, OP_RANDOM, 0, m->r0 = f80_div(e, a, b))                   \
    OP(fdivr, ".byte 0xd8, 0xf9", FX_ST0, OP_RANDOM, 0, m->r0 = f80_div(e, b, a))                  \
    OP(fsqrt, "fsqrt", FX_ST0, OP_RANDOM, 0, m->r0 = f80_sqrt(e, a))                               \
    OP(fprem, "fprem", FX_ST0, OP_RANDOM, 0, m->r0 = f80_rem(e, a, b, false))                      \
    OP(fprem1, "fprem1", FX_ST0, OP_RANDOM, 0, m->r0 = f80_rem(e, a, b, true))                     \
    OP(frndint, "frndint", FX_ST0, OP_RANDOM, 0, m->r0 = f80_rndint(e, a))                         \
    OP(fscale, "fscale", FX_ST0, OP_RANDOM, 0, m->r0 = f80_scale(e, a, b))                         \
    OP(fscale_int, "fscale", FX_ST0, OP_SMALL, 0, m->r0 = f80_scale(e, a, b))                      \
    OP(fxtract, "fxtract", FX_PUSH, OP_RANDOM, 0, m->r1 = f80_xtract(e, a, &m->r0))                \
    OP(fchs, "fchs", FX_ST0, OP_RANDOM, 0, m->r0 = f80_chs(a); e->cc &= (uint16_t)~F80_C1)         \
    OP(fabs, "fabs", FX_ST0, OP_RANDOM, 0, m->r0 = f80_abs(a); e->cc &= (uint16_t)~F80_C1)         \
    OP(fxam, "fxam", FX_NONE, OP_RANDOM, 0, e->cc = f80_xam(a))                                    \
    OP(fcom, "fcom", FX_NONE, OP_RANDOM, 0, compare(e, a, b, false))                               \
    OP(fucom, "fucom", FX_NONE, OP_RANDOM, 0, compare(e, a, b, true))                              \
    OP(ftst, "ftst", FX_NONE, OP_RANDOM, 0, compare(e, a, f80_zero(false), false))                 \
    OP(fadd_m32, "fadds (%2)", FX_ST0, OP_M32, 0, m->r0 = f80_add(e, a, f80_operand_f32(e, m32)))  \
    OP(fsub_m64, "fsubl (%2)", FX_ST0, OP_M64, 0, m->r0 = f80_sub(e, a, f80_operand_f64(e, m64)))  \
    OP(fmul_m64, "fmull (%2)", FX_ST0, OP_M64, 0, m->r0 = f80_mul(e, a, f80_operand_f64(e, m64)))  \
    OP(fdiv_m32, "fdivs (%2)", FX_ST0, OP_M32, 0, m->r0 = f80_div(e, a, f80_operand_f32(e, m32)))  \
    OP(fdivr_m64, "fdivrl (%2)", FX_ST0, OP_M64, 0,                                                \
       m->r0 = f80_div(e, f80_operand_f64(e, m64), a))                                             \
    OP(fcom_m32, "fcoms (%2)", FX_NONE, OP_M32, 0, compare(e, a, f80_operand_f32(e, m32), false))  \
    OP(fcom_m64, "fcoml (%2)", FX_NONE, OP_M64, 0, compare(e, a, f80_operand_f64(e, m64), false))  \
    OP(fiadd_m32, "fiaddl (%2)", FX_ST0, OP_INT32, 0,                                              \
       m->r0 = f80_add(e, a, f80_from_i64((int32_t)m32)))                                          \
    OP(fld_m32, "flds (%2)", FX_LOAD, OP_M32, 0, m->r0 = f80_from_f32(e, m32))                     \
    OP(fld_m64, "fldl (%2)", FX_LOAD, OP_M64, 0, m->r0 = f80_from_f64(e, m64))                     \
    OP(fild_m16, "filds (%2)", FX_LOAD, OP_INT16, 0, m->r0 = f80_from_i64((int16_t)m32); C1)       \
    OP(fild_m32, "fildl (%2)", FX_LOAD, OP_INT32, 0, m->r0 = f80_from_i64((int32_t)m32); C1)       \
    OP(fild_m64, "fildll (%2)", FX_LOAD, OP_INT64, 0, m->r0 = f80_from_i64((int64_t)m64); C1)      \
    OP(fbld, "fbld (%2)", FX_LOAD, OP_BCD, 0, m->r0 = f80_from_bcd(in->mem); C1)                   \
    OP(fst_m32, "fsts (%2)", FX_STORE, OP_RANDOM, 0, put(mem, f80_to_f32(e, a), 4))                \
    OP(fst_m64, "fstl (%2)", FX_STORE, OP_RANDOM, 0, put(mem, f80_to_f64(e, a), 8))                \
    OP(fist_m16, "fists (%2)", FX_STORE, OP_RANDOM, 0, to_int(e, a, 16, false, mem))               \
    OP(fist_m32, "fistl (%2)", FX_STORE, OP_RANDOM, 0, to_int(e, a, 32, false, mem))               \
    OP(fistp_m64, "fistpll (%2)", FX_STORE, OP_RANDOM, 0, to_int(e, a, 64, false, mem))            \
    OP(fisttp_m16, "fisttps (%2)", FX_STORE, OP_RANDOM, 0, to_int(e, a, 16, true, mem))            \
    OP(fisttp_m32, "fisttpl (%2)", FX_STORE, OP_RANDOM, 0, to_int(e, a, 32, true, mem))            \
    OP(fisttp_m64, "fisttpll (%2)", FX_STORE, OP_RANDOM, 0, to_int(e, a, 64, true, mem))           \
    OP(fbstp, "fbstp (%2)", FX_STORE, OP_RANDOM, 0, f80_to_bcd(e, a, mem))                         \
    OP(fld1, "fld1", FX_LOAD, OP_RANDOM, 0, m->r0 = f80_constant(F80_ONE, e->rc); C1)              \
    OP(fldl2t, "fldl2t", FX_LOAD, OP_RANDOM, 0, m->r0 = f80_constant(F80_L2T, e->rc); C1)          \
    OP(fldl2e, "fldl2e", FX_LOAD, OP_RANDOM, 0, m->r0 = f80_constant(F80_L2E, e->rc); C1)          \
    OP(fldpi, "fldpi", FX_LOAD, OP_RANDOM, 0, m->r0 = f80_constant(F80_PI, e->rc); C1)             \
    OP(fldlg2, "fldlg2", FX_LOAD, OP_RANDOM, 0, m->r0 = f80_constant(F80_LG2, e->rc); C1)          \
    OP(fldln2, "fldln2", FX_LOAD, OP_RANDOM, 0, m->r0 = f80_constant(F80_LN2, e->rc); C1)          \
    OP(fldz, "fldz", FX_LOAD, OP_RANDOM, 0, m->r0 = f80_constant(F80_ZERO, e->rc); C1)             \
    OP(f2xm1, "f2xm1", FX_ST0, OP_SMALL, 1, m->r0 = f80_2xm1(e, a))                                \
    OP(fyl2x, "fyl2x", FX_POP, OP_LOG, 1, m->r0 = f80_yl2x(e, a, b))                               \
    OP(fyl2x_any, "fyl2x", FX_POP, OP_RANDOM, 1, m->r0 = f80_yl2x(e, a, b))                        \
    OP(fyl2xp1, "fyl2xp1", FX_POP, OP_SMALL, 1, m->r0 = f80_yl2xp1(e, a, b))                       \
    OP(fpatan, "fpatan", FX_POP, OP_RANDOM, 1, m->r0 = f80_patan(e, a, b))                         \
    OP(fsin, "fsin", FX_ST0, OP_ANGLE, 1, m->r0 = f80_sin(e, a))                                   \
    OP(fcos, "fcos", FX_ST0, OP_ANGLE, 1, m->r0 = f80_cos(e, a))                                   \
    OP(fptan, "fptan", FX_PUSH, OP_ANGLE, 1, tangent(e, a, m))                                     \
    OP(fsincos, "fsincos", FX_PUSH, OP_ANGLE, 1, sincos_model(e, a, m))

/* Loads of integers and constants just clear C1. */
#define C1 e->cc &= (uint16_t)~F80_C1

static void compare(struct f80_env *e, struct f80 a, struct f80 b, bool quiet)
{
    uint16_t cc = f80_rel_cc(f80_cmp(e, a, b, quiet));
    e->cc = (uint16_t)((e->cc & F80_C1) | cc);
}

static void put(uint8_t *mem, uint64_t v, unsigned n)
{
    memcpy(mem, &v, n);
}

static void to_int(struct f80_env *e, struct f80 a, unsigned n, bool trunc, uint8_t *mem)
{
    put(mem, (uint64_t)f80_to_int(e, a, n, trunc), n / 8);
}

static void tangent(struct f80_env *e, struct f80 a, struct model *m)
{
    m->r0 = f80_tan(e, a);
    m->r1 = f80_make(0x3fff, UINT64_C(1) << 63);
    if ((m->r0.se & 0x7fff) == 0x7fff) /* a NaN is pushed again */
        m->r1 = m->r0;
    m->no_push = e->cc & F80_C2;
}

static void sincos_model(struct f80_env *e, struct f80 a, struct model *m)
{
    m->r0 = f80_sincos(e, a, &m->r1);
    m->no_push = e->cc & F80_C2;
}

#define DEFINE(id, insn, effect, operand, loose, expr)                                             \
    HOST(id, insn)                                                                                 \
    static void model_##id(struct f80_env *e, const struct state *in, struct model *m,             \
                           uint8_t *mem)                                                           \
    {                                                                                              \
        struct f80 a = in->st[0], b = in->st[1];                                                   \
        uint32_t m32;                                                                              \
        uint64_t m64;                                                                              \
        memcpy(&m32, in->mem, 4);                                                                  \
        memcpy(&m64, in->mem, 8);                                                                  \
        (void)m, (void)mem, (void)a, (void)b;                                                      \
        expr;                                                                                      \
    }
OPS(DEFINE)

#define ROW(id, insn, effect, operand, loose, expr)                                                \
    {#id, host_##id, model_##id, effect, operand, loose},
static const struct op ops[] = {OPS(ROW)};

static void run_host(const struct op *op, const struct state *in, struct state *out)
{
    struct fxsave before, after;
    memset(&before, 0, sizeof(before));
    before.fcw = in->fcw;
    before.fsw = (uint16_t)(in->fsw | 6 << 11);
    before.ftw = 0xc0;
    before.mxcsr = 0x1f80;
    for (int k = 0; k < 2; k++) {
        before.st[k].man = in->st[k].man;
        before.st[k].se = in->st[k].se;
    }
    memcpy(out->mem, in->mem, sizeof(out->mem));
    op->host(&before, &after, out->mem);
    out->top = after.fsw >> 11 & 7;
    out->fsw = after.fsw & (uint16_t)~0x3800;
    out->fcw = after.fcw;
    for (int k = 0; k < 3; k++)
        out->st[k] = f80_make(after.st[k].se, after.st[k].man);
}

static void run_model(const struct op *op, const struct state *in, struct state *out)
{
    struct f80_env e = f80_env_load(in->fcw, in->fsw);
    struct model m = {0};
    uint8_t mem[16];
    *out = *in;
    out->top = 6;
    memcpy(mem, in->mem, sizeof(mem));
    op->model(&e, in, &m, mem);
    out->fsw = f80_env_status(&e, in->fsw);
    if (op->effect == FX_STORE  ? f80_env_void_store(&e)
        : op->effect == FX_LOAD ? f80_env_void_load(&e)
                                : f80_env_void(&e))
        return;
    switch (op->effect) {
    case FX_NONE: break;
    case FX_STORE: memcpy(out->mem, mem, sizeof(mem)); break;
    case FX_ST0: out->st[0] = m.r0; break;
    case FX_POP:
        out->top = 7;
        out->st[0] = m.r0;
        break;
    case FX_LOAD:
        out->top = 5;
        out->st[1] = in->st[0];
        out->st[0] = m.r0;
        break;
    case FX_PUSH:
        out->st[0] = m.r0;
        if (m.no_push)
            break;
        out->top = 5;
        out->st[1] = m.r0;
        out->st[0] = m.r1;
        break;
    }
}

static void print_state(const char *what, const struct state *s)
{
    printf("    %s top=%u fsw=%04x st0=%04x.%016llx st1=%04x.%016llx mem=", what, s->top, s->fsw,
           s->st[0].se, (unsigned long long)s->st[0].man, s->st[1].se,
           (unsigned long long)s->st[1].man);
    for (int k = 9; k >= 0; k--)
        printf("%02x", s->mem[k]);
    printf("\n");
}

/* Distance in units of the last place; UINT64_MAX if not comparable. */
static uint64_t distance(struct f80 a, struct f80 b)
{
    if (a.se == b.se)
        return a.man > b.man ? a.man - b.man : b.man - a.man;
    if ((a.se ^ b.se) & 0x8000)
        return UINT64_MAX;
    if (((a.se | b.se) & 0x7fff) == 1) /* a denormal and a number of the first binade */
        return a.man > b.man ? a.man - b.man : b.man - a.man;
    if ((a.se + 1) == b.se && b.man == UINT64_C(1) << 63)
        return 0 - a.man;
    if ((b.se + 1) == a.se && a.man == UINT64_C(1) << 63)
        return 0 - b.man;
    return UINT64_MAX;
}

struct tally {
    uint64_t worst, off_by_one, flags;
};

/* Whether two transcendental results lie on either side of the smallest normal number or of
 * overflow: then they are one apart, but what is reported and (unmasked) delivered differs
 * altogether. */
static bool straddles(const struct state *h, const struct state *m)
{
    unsigned last = h->top == 5; /* where FSINCOS and FPTAN have the small one */
    unsigned he = h->st[last].se & 0x7fff, me = m->st[last].se & 0x7fff;
    unsigned differ = h->fsw ^ m->fsw;
    return ((differ & FP_UE) && (he <= 1 || me <= 1)) ||
           ((differ & FP_OE) && (he >= 0x7ffe || me >= 0x7ffe));
}

/* Whether the states agree as far as they must. */
static bool agree(const struct op *op, const struct state *h, const struct state *m,
                  struct tally *t)
{
    bool stored = op->effect == FX_STORE; /* whether it pops is the handler's business */
    if (memcmp(h->mem, m->mem, 10) != 0 || (!stored && h->top != m->top))
        return false;
    uint16_t loose = op->loose ? F80_C1 : 0;
    if (op->loose && straddles(h, m))
        return true;
    if ((h->fsw ^ m->fsw) & ~loose)
        return false;
    if (h->fsw != m->fsw)
        t->flags++;
    if (stored)
        return true;
    for (int k = 0; k < 2; k++) {
        uint64_t n = distance(h->st[k], m->st[k]);
        if (h->top == 7 && k == 1)
            break;
        if (n > (op->loose ? 1 : 0))
            return false;
        if (n)
            t->off_by_one++;
        if (n > t->worst)
            t->worst = n;
    }
    return true;
}

/* Operands of the kind that the operation wants. */
static void random_operands(struct diff *d, const struct op *op, struct state *in)
{
    uint64_t v = diff_man(d, 64);
    in->st[0] = diff_f80(d);
    in->st[1] = diff_f80_near(d, in->st[0]);
    memset(in->mem, 0xa5, sizeof(in->mem));
    unsigned near = diff_below(d, 8);
    switch (op->operand) {
    case OP_RANDOM: break;
    case OP_M32: put(in->mem, diff_f32(d), 4); break;
    case OP_M64: put(in->mem, diff_f64(d), 8); break;
    case OP_INT16: put(in->mem, v, 2); break;
    case OP_INT32: put(in->mem, v, 4); break;
    case OP_INT64: put(in->mem, v, 8); break;
    case OP_BCD:
        for (int k = 0; k < 10; k++)
            in->mem[k] = (uint8_t)(diff_below(d, 10) | diff_below(d, 10) << 4);
        break;
    case OP_SMALL: /* |ST0| <= 1 mostly, ST1 a smallish number */
        if (near) {
            in->st[0].se = (uint16_t)((in->st[0].se & 0x8000) | (0x3ffe - diff_below(d, 80)));
            in->st[0].man |= UINT64_C(1) << 63;
            in->st[1].se = (uint16_t)((in->st[1].se & 0x8000) | (0x3fff + diff_below(d, 20)));
            in->st[1].man |= UINT64_C(1) << 63;
        }
        break;
    case OP_LOG:
        if (near) {
            in->st[0].se &= 0x7fff;
            in->st[0].man |= UINT64_C(1) << 63;
        }
        if (near > 4)
            in->st[0].se = (uint16_t)(0x3ffe + diff_below(d, 3));
        break;
    case OP_ANGLE:
        if (near) {
            in->st[0].se = (uint16_t)((in->st[0].se & 0x8000) | (0x3fff - 40 + diff_below(d, 104)));
            in->st[0].man |= UINT64_C(1) << 63;
        }
        break;
    }
}

/* A denormal number scaled by 0 or divided by infinity stays what it is: with underflow unmasked,
 * AMD's processors report that, Intel's do not. The manuals (SDM 2A and APM 5, FPREM, FPREM1,
 * FSCALE) do not say. */
static bool amd_differs(const struct op *op, const struct state *in)
{
    struct f80 a = in->st[0], b = in->st[1];
    bool zero = (b.se & 0x7fff) == 0 && b.man == 0;
    bool inf = (b.se & 0x7fff) == 0x7fff && b.man == UINT64_C(1) << 63;
    bool denormal = (a.se & 0x7fff) == 0 && a.man != 0;
    return denormal && !(in->fcw & FP_UE) &&
           ((strncmp(op->name, "fscale", 6) == 0 && zero) ||
            (strncmp(op->name, "fprem", 5) == 0 && inf));
}

static void run(struct diff *d, const struct op *op, unsigned count)
{
    static const uint16_t cc[] = {0, 0, F80_CC, F80_C0, F80_C2, F80_C3, F80_C1};
    struct tally t = {0};
    if (d->only && strcmp(d->only, op->name) != 0)
        return;
    uint64_t before = d->cases;
    d->shown = 0;
    for (unsigned k = 0; k < count; k++) {
        struct state in = {.top = 6}, h, m;
        random_operands(d, op, &in);
        in.fcw = (uint16_t)(diff_below(d, 4) << 10 | diff_below(d, 4) << 8 | 0x7f);
        if (diff_below(d, 4) == 0)
            in.fcw &= (uint16_t)(0xffc0 | diff_random(d));
        in.fsw = cc[diff_below(d, 7)];
        if (diff_leave_out(d, amd_differs(op, &in)))
            continue;
        run_host(op, &in, &h);
        run_model(op, &in, &m);
        d->cases++;
        if (agree(op, &h, &m, &t))
            continue;
        d->wrong++;
        if (d->shown++ < d->limit) {
            printf("%s fcw=%04x\n", op->name, in.fcw);
            print_state("in   ", &in);
            print_state("host ", &h);
            print_state("model", &m);
        }
    }
    diff_counted(d, op->name, d->cases - before);
    if (d->shown)
        printf("%s: %u mismatches of %u\n", op->name, d->shown, count);
    if (op->loose)
        printf("%-10s worst %llu ulp; %llu of %u results differ by one, %llu in C1 only\n",
               op->name, (unsigned long long)t.worst, (unsigned long long)t.off_by_one, count,
               (unsigned long long)t.flags);
}

void diff_x87(struct diff *d, unsigned count)
{
    for (unsigned k = 0; k < sizeof(ops) / sizeof(ops[0]); k++)
        if (!ops[k].loose)
            run(d, &ops[k], count);
}

void diff_x87_trans(struct diff *d, unsigned count)
{
    for (unsigned k = 0; k < sizeof(ops) / sizeof(ops[0]); k++)
        if (ops[k].loose)
            run(d, &ops[k], count / 4);
}
