/* SPDX-License-Identifier: MIT */
/* x87 loads, stores, register moves, control and environment (SDM 2A; SDM 1 8.1.10 for the images).
 */
#include "cpu/x87.h"

/* -- Loads ------------------------------------------------------------------------------------- */

enum format { FMT_F32, FMT_F64, FMT_I16, FMT_I32, FMT_I64 };

static unsigned format_width(enum format f)
{
    static const uint8_t widths[] = {2, 3, 1, 2, 3};
    return widths[f];
}

static bool load(struct cpu *c, const struct insn *i, enum format f)
{
    uint64_t raw;
    unsigned w = format_width(f);
    if (!x87_begin(c) || !mem_load(c, i, w, &raw))
        return false;
    struct f80_env e = x87_env(c);
    x87_note(c, i);
    if (!x87_empty(c, 7)) {
        x87_push(c, f80_indefinite());
        return true;
    }
    e.cc &= (uint16_t)~F80_C1;
    struct f80 v = f == FMT_F32   ? f80_from_f32(&e, (uint32_t)raw)
                   : f == FMT_F64 ? f80_from_f64(&e, raw)
                                  : f80_from_i64(sign_extend(raw, w));
    x87_done(c, &e);
    if (!f80_env_void_load(&e))
        x87_push(c, v);
    return true;
}

#define LOAD(name, fmt)                                                                            \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        return load(c, i, fmt);                                                                    \
    }
LOAD(fld_m32, FMT_F32)
LOAD(fld_m64, FMT_F64)
LOAD(fild_m16, FMT_I16)
LOAD(fild_m32, FMT_I32)
LOAD(fild_m64, FMT_I64)

static void push_clean(struct cpu *c, struct f80 v)
{
    c->fpu.sw &= (uint16_t)~FSW_C1;
    x87_push(c, v);
}

OP_NONE(fld_m80)
{
    uint8_t b[10];
    struct f80 v;
    if (!x87_begin(c) || !mem_read_bytes(c, i->seg, ea(c, i), b, 10))
        return false;
    x87_note(c, i);
    memcpy(&v.man, b, 8);
    memcpy(&v.se, b + 8, 2);
    push_clean(c, v);
    return true;
}

OP_NONE(fbld)
{
    uint8_t b[10];
    if (!x87_begin(c) || !mem_read_bytes(c, i->seg, ea(c, i), b, 10))
        return false;
    x87_note(c, i);
    push_clean(c, f80_from_bcd(b));
    return true;
}

OP_NONE(fld_st)
{
    if (!x87_begin(c))
        return false;
    x87_note(c, i);
    struct f80 v = x87_get(c, x87_sti(i));
    if (x87_empty(c, x87_sti(i))) {
        if (!x87_stack_fault(c, false))
            return true;
        v = f80_indefinite();
        c->fpu.top = (c->fpu.top - 1) & 7;
        x87_set(c, 0, v);
        return true;
    }
    push_clean(c, v);
    return true;
}

/* D9 E8..EE: the low opcode bits choose the constant. */
OP_NONE(fld_const)
{
    if (!x87_begin(c))
        return false;
    x87_note(c, i);
    push_clean(c, f80_constant((enum f80_const)(i->modrm & 7), (enum fp_rc)(c->fpu.cw >> 10 & 3)));
    return true;
}

/* -- Stores ------------------------------------------------------------------------------------ */

/* Value of ST(0) in a memory format; *store: false after an unmasked exception. */
static uint64_t convert(struct cpu *c, enum format f, bool trunc, bool *store)
{
    if (x87_empty(c, 0)) {
        static const uint64_t indefinite[] = {0xffc00000u, UINT64_C(0xfff8000000000000), 0x8000,
                                              0x80000000u, UINT64_C(0x8000000000000000)};
        *store = x87_stack_fault(c, false);
        return indefinite[f];
    }
    struct f80_env e = x87_env(c);
    struct f80 a = x87_get(c, 0);
    uint64_t v = f == FMT_F32   ? f80_to_f32(&e, a)
                 : f == FMT_F64 ? f80_to_f64(&e, a)
                                : (uint64_t)f80_to_int(&e, a, WIDTH_BITS(format_width(f)), trunc);
    x87_done(c, &e);
    *store = !f80_env_void_store(&e);
    return v;
}

/* After an unmasked exception memory is not accessed at all; a fault of the access leaves the x87
 * state alone. */
static bool store(struct cpu *c, const struct insn *i, enum format f, bool trunc, bool pops)
{
    bool do_store;
    unsigned w = format_width(f);
    if (!x87_begin(c))
        return false;
    uint16_t sw = c->fpu.sw;
    uint64_t v = convert(c, f, trunc, &do_store);
    if (do_store && !mem_store(c, i, w, v)) {
        c->fpu.sw = sw;
        return false;
    }
    x87_note(c, i);
    if (do_store && pops)
        x87_pop(c);
    return true;
}

#define STORE(name, fmt, trunc, pops)                                                              \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        return store(c, i, fmt, trunc, pops);                                                      \
    }
STORE(fst_m32, FMT_F32, false, false)
STORE(fst_m64, FMT_F64, false, false)
STORE(fstp_m32, FMT_F32, false, true)
STORE(fstp_m64, FMT_F64, false, true)
STORE(fist_m16, FMT_I16, false, false)
STORE(fist_m32, FMT_I32, false, false)
STORE(fistp_m16, FMT_I16, false, true)
STORE(fistp_m32, FMT_I32, false, true)
STORE(fistp_m64, FMT_I64, false, true)
STORE(fisttp_m16, FMT_I16, true, true)
STORE(fisttp_m32, FMT_I32, true, true)
STORE(fisttp_m64, FMT_I64, true, true)

static void f80_bytes(struct f80 v, uint8_t b[10])
{
    memcpy(b, &v.man, 8);
    memcpy(b + 8, &v.se, 2);
}

OP_NONE(fstp_m80)
{
    uint8_t b[10];
    if (!x87_begin(c))
        return false;
    uint16_t sw = c->fpu.sw;
    bool empty = x87_empty(c, 0), do_store = !empty || x87_stack_fault(c, false);
    f80_bytes(empty ? f80_indefinite() : x87_get(c, 0), b);
    if (do_store && !mem_write_bytes(c, i->seg, ea(c, i), b, 10)) {
        c->fpu.sw = sw;
        return false;
    }
    x87_note(c, i);
    c->fpu.sw &= (uint16_t)~FSW_C1;
    if (do_store)
        x87_pop(c);
    return true;
}

OP_NONE(fbstp)
{
    uint8_t b[10] = {0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff};
    bool do_store;
    if (!x87_begin(c))
        return false;
    uint16_t sw = c->fpu.sw;
    if (x87_empty(c, 0)) {
        do_store = x87_stack_fault(c, false);
    } else {
        struct f80_env e = x87_env(c);
        f80_to_bcd(&e, x87_get(c, 0), b);
        x87_done(c, &e);
        do_store = !f80_env_void_store(&e);
    }
    if (do_store && !mem_write_bytes(c, i->seg, ea(c, i), b, 10)) {
        c->fpu.sw = sw;
        return false;
    }
    x87_note(c, i);
    if (do_store)
        x87_pop(c);
    return true;
}

static bool store_st(struct cpu *c, const struct insn *i, bool pops)
{
    if (!x87_begin(c))
        return false;
    x87_note(c, i);
    struct f80 v = x87_get(c, 0);
    c->fpu.sw &= (uint16_t)~FSW_C1;
    if (x87_empty(c, 0)) {
        if (!x87_stack_fault(c, false))
            return true;
        v = f80_indefinite();
    }
    x87_set(c, x87_sti(i), v);
    if (pops)
        x87_pop(c);
    return true;
}

OP_NONE(fst_st)
{
    return store_st(c, i, false);
}
OP_NONE(fstp_st)
{
    return store_st(c, i, true);
}

/* An alias that does not report an empty register: nothing is stored then. */
OP_NONE(fstpnce)
{
    if (!x87_begin(c))
        return false;
    if (!x87_empty(c, 0))
        return store_st(c, i, true);
    x87_note(c, i);
    c->fpu.sw &= (uint16_t)~FSW_C1;
    x87_pop(c);
    return true;
}

/* -- Registers --------------------------------------------------------------------------------- */

OP_NONE(fxch)
{
    unsigned n = x87_sti(i);
    if (!x87_begin(c))
        return false;
    x87_note(c, i);
    c->fpu.sw &= (uint16_t)~FSW_C1;
    struct f80 a = x87_get(c, 0), b = x87_get(c, n);
    bool a_empty = x87_empty(c, 0), b_empty = x87_empty(c, n);
    if (a_empty || b_empty) {
        if (!x87_stack_fault(c, false))
            return true;
        a = a_empty ? f80_indefinite() : a;
        b = b_empty ? f80_indefinite() : b;
    }
    x87_set(c, 0, b);
    x87_set(c, n, a);
    return true;
}

/* Opcode DA: B, E, BE, U; DB: their negations; ModRM.reg chooses. */
OP_NONE(fcmov)
{
    static const uint8_t cc[4] = {2, 4, 6, 10};
    unsigned n = x87_sti(i);
    if (!x87_begin(c))
        return false;
    x87_note(c, i);
    bool moves = flags_cond(c, cc[i->modrm >> 3 & 3]) != (i->opc == 0xdb);
    if (x87_empty(c, 0) || x87_empty(c, n)) {
        if (x87_stack_fault(c, false))
            x87_set(c, 0, f80_indefinite());
    } else if (moves) {
        x87_set(c, 0, x87_get(c, n));
    }
    return true;
}

static bool simple(struct cpu *c, const struct insn *i)
{
    if (!x87_begin(c))
        return false;
    x87_note(c, i);
    return true;
}

OP_NONE(ffree)
{
    if (!simple(c, i))
        return false;
    c->fpu.sw &= (uint16_t)~FSW_C1;
    c->fpu.valid &= (uint8_t) ~(1u << x87_phys(c, x87_sti(i)));
    return true;
}
OP_NONE(ffreep)
{
    if (!simple(c, i))
        return false;
    c->fpu.valid &= (uint8_t) ~(1u << x87_phys(c, x87_sti(i)));
    x87_pop(c);
    c->fpu.sw &= (uint16_t)~FSW_C1;
    return true;
}
OP_NONE(fincstp)
{
    if (!simple(c, i))
        return false;
    c->fpu.top = (c->fpu.top + 1) & 7;
    c->fpu.sw &= (uint16_t)~FSW_C1;
    return true;
}
OP_NONE(fdecstp)
{
    if (!simple(c, i))
        return false;
    c->fpu.top = (c->fpu.top - 1) & 7;
    c->fpu.sw &= (uint16_t)~FSW_C1;
    return true;
}
OP_NONE(fnop)
{
    return simple(c, i);
}

/* -- Control ----------------------------------------------------------------------------------- */

/* FNENI, FNDISI, FNSETPM: as the others here they do not report pending exceptions. */
OP_NONE(fneni)
{
    (void)i;
    return x87_available(c);
}

OP_NONE(fwait)
{
    (void)i;
    if ((c->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
        return cpu_raise(c, VEC_NM, 0);
    return !(c->fpu.sw & FSW_ES) || x87_report(c);
}

OP_NONE(fninit)
{
    (void)i;
    if (!x87_available(c))
        return false;
    x87_init(c);
    x87_release_ferr(c);
    return true;
}

OP_NONE(fnclex)
{
    (void)i;
    if (!x87_available(c))
        return false;
    c->fpu.sw &= (uint16_t) ~(FP_ALL | FSW_SF | FSW_ES | FSW_B);
    x87_release_ferr(c);
    return true;
}

OP_NONE(fnstsw_ax)
{
    (void)i;
    if (!x87_available(c))
        return false;
    reg_set(c, REG_OFF(RAX), 1, x87_status(c));
    return true;
}

OP_NONE(fnstsw)
{
    return x87_available(c) && mem_store(c, i, 1, x87_status(c));
}

OP_NONE(fnstcw)
{
    return x87_available(c) && mem_store(c, i, 1, c->fpu.cw);
}

/* ES and B follow from which exceptions are flagged and unmasked. */
static void control_changed(struct cpu *c)
{
    c->fpu.sw &= (uint16_t) ~(FSW_ES | FSW_B);
    if (c->fpu.sw & ~c->fpu.cw & FP_ALL)
        c->fpu.sw |= FSW_ES | FSW_B;
    x87_release_ferr(c);
}

static void set_control(struct cpu *c, uint16_t cw)
{
    c->fpu.cw = (uint16_t)((cw & 0x1f3f) | 0x40);
    control_changed(c);
}

OP_NONE(fldcw)
{
    uint64_t v;
    if (!x87_begin(c) || !mem_load(c, i, 1, &v))
        return false;
    set_control(c, (uint16_t)v);
    return true;
}

/* -- Environment and state images -------------------------------------------------------------- */

static unsigned tag_of(const struct cpu *c, unsigned p)
{
    struct f80 v = c->fpu.st[p];
    unsigned exp = v.se & 0x7fff;
    if (!(c->fpu.valid >> p & 1))
        return 3;
    if (exp == 0 && v.man == 0)
        return 1;
    return exp == 0 || exp == 0x7fff || !(v.man >> 63) ? 2 : 0;
}

static uint16_t tag_word(const struct cpu *c)
{
    unsigned tags = 0;
    for (unsigned p = 0; p < 8; p++)
        tags |= tag_of(c, p) << (2 * p);
    return (uint16_t)tags;
}

static void set_tag_word(struct cpu *c, uint16_t tags)
{
    c->fpu.valid = 0;
    for (unsigned p = 0; p < 8; p++)
        if ((tags >> (2 * p) & 3) != 3)
            c->fpu.valid |= (uint8_t)(1u << p);
}

static bool is_real_format(const struct cpu *c)
{
    return !(c->mode & MODE_PE) || c->mode & MODE_V86;
}

/* Seven fields of 2 (osz 1) or 4 bytes (SDM 1 figures 8-9 to 8-12). */
static unsigned env_build(const struct cpu *c, unsigned osz, uint8_t *b)
{
    uint32_t f[7] = {c->fpu.cw, x87_status(c), tag_word(c)};
    uint32_t fip = (uint32_t)c->fpu.fip, fdp = (uint32_t)c->fpu.fdp;
    uint32_t fop = c->fpu.fop & 0x7ff;
    if (is_real_format(c)) {
        uint32_t ip = fip + ((uint32_t)c->fpu.fcs << 4), dp = fdp + ((uint32_t)c->fpu.fds << 4);
        f[3] = ip & 0xffff;
        f[4] = (osz == 1 ? ip >> 4 & 0xf000 : ip >> 4 & 0xffff000) | fop;
        f[5] = dp & 0xffff;
        f[6] = osz == 1 ? dp >> 4 & 0xf000 : dp >> 4 & 0xffff000;
    } else {
        f[3] = fip;
        f[4] = osz == 1 ? c->fpu.fcs : c->fpu.fcs | fop << 16;
        f[5] = fdp;
        f[6] = c->fpu.fds;
    }
    unsigned size = osz == 1 ? 2 : 4;
    for (unsigned k = 0; k < 7; k++) {
        /* Unused upper halves of the 32-bit form are ones. */
        uint32_t v =
            size == 4 && (k < 3 || (k == 6 && !is_real_format(c))) ? f[k] | 0xffff0000u : f[k];
        memcpy(b + k * size, &v, size);
    }
    return 7 * size;
}

static void env_apply(struct cpu *c, unsigned osz, const uint8_t *b)
{
    uint32_t f[7] = {0};
    unsigned size = osz == 1 ? 2 : 4;
    for (unsigned k = 0; k < 7; k++)
        memcpy(&f[k], b + k * size, size);
    c->fpu.sw = (uint16_t)(f[1] & 0xffff & ~FSW_TOP);
    c->fpu.top = f[1] >> 11 & 7;
    set_tag_word(c, (uint16_t)f[2]);
    set_control(c, (uint16_t)f[0]);
    if (is_real_format(c)) {
        c->fpu.fip = (f[3] & 0xffff) | (f[4] & (osz == 1 ? 0xf000u : 0xffff000u)) << 4;
        c->fpu.fdp = (f[5] & 0xffff) | (f[6] & (osz == 1 ? 0xf000u : 0xffff000u)) << 4;
        c->fpu.fcs = c->fpu.fds = 0;
        c->fpu.fop = f[4] & 0x7ff;
    } else {
        c->fpu.fip = f[3];
        c->fpu.fcs = (uint16_t)f[4];
        c->fpu.fop = osz == 1 ? 0 : f[4] >> 16 & 0x7ff;
        c->fpu.fdp = f[5];
        c->fpu.fds = (uint16_t)f[6];
    }
}

OP_NONE(fnstenv)
{
    uint8_t b[28];
    if (!x87_available(c))
        return false;
    unsigned n = env_build(c, i->osz, b);
    if (!mem_write_bytes(c, i->seg, ea(c, i), b, n))
        return false;
    c->fpu.cw |= FP_ALL;
    control_changed(c);
    return true;
}

OP_NONE(fldenv)
{
    uint8_t b[28];
    if (!x87_begin(c) || !mem_read_bytes(c, i->seg, ea(c, i), b, i->osz == 1 ? 14 : 28))
        return false;
    env_apply(c, i->osz, b);
    return true;
}

OP_NONE(fnsave)
{
    uint8_t b[28 + 80];
    if (!x87_available(c))
        return false;
    unsigned n = env_build(c, i->osz, b);
    for (unsigned k = 0; k < 8; k++)
        f80_bytes(x87_get(c, k), b + n + 10 * k);
    if (!mem_write_bytes(c, i->seg, ea(c, i), b, n + 80))
        return false;
    x87_init(c);
    x87_release_ferr(c);
    return true;
}

OP_NONE(frstor)
{
    uint8_t b[28 + 80];
    unsigned n = i->osz == 1 ? 14 : 28;
    if (!x87_begin(c) || !mem_read_bytes(c, i->seg, ea(c, i), b, n + 80))
        return false;
    env_apply(c, i->osz, b);
    for (unsigned k = 0; k < 8; k++) {
        struct f80 *v = &c->fpu.st[x87_phys(c, k)];
        memcpy(&v->man, b + n + 10 * k, 8);
        memcpy(&v->se, b + n + 10 * k + 8, 2);
    }
    return true;
}
