/* SPDX-License-Identifier: MIT */
/* Integer arithmetic, logic and decimal adjustment (SDM 2A/2B, alphabetical). Each body is written
 * once and instantiated for every operand form and width by the macros of ops.h. */
#include "cpu/ops.h"

/* -- Two-operand helpers ----------------------------------------------------------------------- */

/* The source of a two-operand instruction: register, memory or immediate. */
OP_INLINE bool source(struct cpu *c, const struct insn *i, enum form form, unsigned w, uint64_t *b)
{
    switch (form) {
    case FORM_RR:
    case FORM_MR: *b = reg_get(c, i->src, w); return true;
    case FORM_RI:
    case FORM_MI: *b = i->imm & WIDTH_MASK(w); return true;
    case FORM_RM: return mem_load(c, i, w, b);
    default: return false;
    }
}

OP_INLINE bool form_is_mem(enum form form)
{
    return form == FORM_MR || form == FORM_MI;
}

/* Destination operand in a read-modify-write: begin reads it, end writes it back. */
OP_INLINE bool dest_begin(struct cpu *c, const struct insn *i, bool mem, unsigned w, uint64_t *a,
                          struct rmw *m)
{
    if (mem)
        return rmw_begin(c, i->seg, ea(c, i), 1u << w, a, m);
    *a = reg_get(c, i->dst, w);
    return true;
}

OP_INLINE void dest_end(struct cpu *c, const struct insn *i, bool mem, unsigned w, uint64_t v,
                        const struct rmw *m)
{
    if (mem)
        rmw_end(c, m, 1u << w, v);
    else
        reg_set(c, i->dst, w, v);
}

/* dst = dst OP src with all flags. */
#define ALU_OP(name, expr, flags)                                                                  \
    OP_BINARY(name)                                                                                \
    {                                                                                              \
        uint64_t a, b, res;                                                                        \
        struct rmw m;                                                                              \
        if (!source(c, i, form, w, &b) || !dest_begin(c, i, form_is_mem(form), w, &a, &m))         \
            return false;                                                                          \
        res = expr;                                                                                \
        flags;                                                                                     \
        dest_end(c, i, form_is_mem(form), w, res, &m);                                             \
        return true;                                                                               \
    }

ALU_OP(add, a + b, flags_add(c, a, b, res, w))
ALU_OP(adc, a + b + flag_c(c), flags_add(c, a, b, res, w))
ALU_OP(sub, a - b, flags_sub(c, a, b, res, w))
ALU_OP(sbb, a - b - flag_c(c), flags_sub(c, a, b, res, w))
ALU_OP(and, a &b, flags_logic(c, res, w))
ALU_OP(or, a | b, flags_logic(c, res, w))
ALU_OP(xor, a ^ b, flags_logic(c, res, w))

/* Both operands read, nothing written but flags. */
OP_INLINE bool operands(struct cpu *c, const struct insn *i, enum form form, unsigned w,
                        uint64_t *a, uint64_t *b)
{
    if (!source(c, i, form, w, b))
        return false;
    if (form_is_mem(form))
        return mem_load(c, i, w, a);
    *a = reg_get(c, i->dst, w);
    return true;
}

OP_BINARY(cmp)
{
    uint64_t a, b;
    if (!operands(c, i, form, w, &a, &b))
        return false;
    flags_sub(c, a, b, a - b, w);
    return true;
}

OP_BINARY(test)
{
    uint64_t a, b;
    if (!operands(c, i, form, w, &a, &b))
        return false;
    flags_logic(c, a & b, w);
    return true;
}

/* -- One operand ------------------------------------------------------------------------------- */

OP_UNARY(inc)
{
    uint64_t a;
    struct rmw m;
    if (!dest_begin(c, i, mem, w, &a, &m))
        return false;
    uint8_t carry = c->f.carry;
    flags_add(c, a, 1, a + 1, w);
    c->f.carry = carry;
    dest_end(c, i, mem, w, a + 1, &m);
    return true;
}

OP_UNARY(dec)
{
    uint64_t a;
    struct rmw m;
    if (!dest_begin(c, i, mem, w, &a, &m))
        return false;
    uint8_t carry = c->f.carry;
    flags_sub(c, a, 1, a - 1, w);
    c->f.carry = carry;
    dest_end(c, i, mem, w, a - 1, &m);
    return true;
}

OP_UNARY(neg)
{
    uint64_t a;
    struct rmw m;
    if (!dest_begin(c, i, mem, w, &a, &m))
        return false;
    flags_sub(c, 0, a, 0 - a, w);
    dest_end(c, i, mem, w, 0 - a, &m);
    return true;
}

OP_UNARY(not )
{
    uint64_t a;
    struct rmw m;
    if (!dest_begin(c, i, mem, w, &a, &m))
        return false;
    dest_end(c, i, mem, w, ~a, &m);
    return true;
}

/* -- Multiplication ---------------------------------------------------------------------------- */

/* The E operand of MUL, DIV and their like: memory or register dst. */
OP_INLINE bool operand_e(struct cpu *c, const struct insn *i, bool mem, unsigned w, uint64_t *v)
{
    if (mem)
        return mem_load(c, i, w, v);
    *v = reg_get(c, i->dst, w);
    return true;
}

/* The double-width accumulator: AX, DX:AX, EDX:EAX, RDX:RAX. */
OP_INLINE void set_double(struct cpu *c, unsigned w, uint64_t lo, uint64_t hi)
{
    if (w == 0) {
        reg_set(c, REG_OFF(RAX), 1, (lo & 0xff) | (hi & 0xff) << 8);
        return;
    }
    reg_set(c, REG_OFF(RAX), w, lo);
    reg_set(c, REG_OFF(RDX), w, hi);
}

/* CF = OF = overflow; the others are undefined: as recent Intel processors leave them, from the low
 * half. */
OP_INLINE void flags_mul(struct cpu *c, uint64_t lo, bool overflow, unsigned w)
{
    flags_result(c, lo, w);
    c->f.aux = 0;
    c->f.carry = overflow;
    c->f.over = overflow ? -1 : 0;
}

OP_UNARY(mul)
{
    uint64_t b;
    if (!operand_e(c, i, mem, w, &b))
        return false;
    unsigned __int128 p = (unsigned __int128)reg_get(c, REG_OFF(RAX), w) * b;
    uint64_t lo = (uint64_t)p & WIDTH_MASK(w), hi = (uint64_t)(p >> WIDTH_BITS(w)) & WIDTH_MASK(w);
    set_double(c, w, lo, hi);
    flags_mul(c, lo, hi != 0, w);
    return true;
}

OP_INLINE bool product_fits(__int128 p, unsigned w)
{
    return p == (__int128)sign_extend((uint64_t)p, w);
}

OP_UNARY(imul1)
{
    uint64_t b;
    if (!operand_e(c, i, mem, w, &b))
        return false;
    __int128 p = (__int128)sign_extend(reg_get(c, REG_OFF(RAX), w), w) * sign_extend(b, w);
    set_double(c, w, (uint64_t)p, (uint64_t)(p >> WIDTH_BITS(w)));
    flags_mul(c, (uint64_t)p, !product_fits(p, w), w);
    return true;
}

OP_BINARY(imul2)
{
    uint64_t a, b;
    if (!operands(c, i, form, w, &a, &b))
        return false;
    __int128 p = (__int128)sign_extend(a, w) * sign_extend(b, w);
    reg_set(c, i->dst, w, (uint64_t)p);
    flags_mul(c, (uint64_t)p, !product_fits(p, w), w);
    return true;
}

OP_BINARY(imul3)
{
    uint64_t a;
    if (form == FORM_RM) {
        if (!mem_load(c, i, w, &a))
            return false;
    } else {
        a = reg_get(c, i->src, w);
    }
    __int128 p = (__int128)sign_extend(a, w) * sign_extend(i->imm, w);
    reg_set(c, i->dst, w, (uint64_t)p);
    flags_mul(c, (uint64_t)p, !product_fits(p, w), w);
    return true;
}

/* -- Division (flags are undefined: left alone) ------------------------------------------------ */

OP_INLINE unsigned __int128 get_double(struct cpu *c, unsigned w)
{
    if (w == 0)
        return reg_get(c, REG_OFF(RAX), 1);
    return (unsigned __int128)reg_get(c, REG_OFF(RDX), w) << WIDTH_BITS(w) |
           reg_get(c, REG_OFF(RAX), w);
}

OP_UNARY(div)
{
    uint64_t b;
    if (!operand_e(c, i, mem, w, &b))
        return false;
    unsigned __int128 a = get_double(c, w);
    if (b == 0 || a >> WIDTH_BITS(w) >= b)
        return cpu_raise(c, VEC_DE, 0);
    if (w < 3) {
        uint64_t n = (uint64_t)a;
        set_double(c, w, n / b, n % b);
    } else {
        set_double(c, w, (uint64_t)(a / b), (uint64_t)(a % b));
    }
    return true;
}

OP_UNARY(idiv)
{
    uint64_t raw;
    if (!operand_e(c, i, mem, w, &raw))
        return false;
    unsigned bits = 2 * WIDTH_BITS(w);
    __int128 a = (__int128)(get_double(c, w) << (128 - bits)) >> (128 - bits);
    __int128 b = sign_extend(raw, w);
    if (b == 0 || (b == -1 && w == 3 && a == (__int128)((unsigned __int128)1 << 127)))
        return cpu_raise(c, VEC_DE, 0);
    __int128 q = w < 3 ? (int64_t)b == -1 ? -a : (int64_t)a / (int64_t)b : a / b;
    __int128 r = a - q * b;
    if (!product_fits(q, w))
        return cpu_raise(c, VEC_DE, 0);
    set_double(c, w, (uint64_t)q, (uint64_t)r);
    return true;
}

/* -- Conversions within the accumulator -------------------------------------------------------- */

OP_WIDTH(cbw)
{
    reg_set(c, REG_OFF(RAX), w,
            (uint64_t)sign_extend(reg_get(c, REG_OFF(RAX), w ? w - 1 : 0), w ? w - 1 : 0));
    return (void)i, true;
}

OP_WIDTH(cwd)
{
    reg_set(c, REG_OFF(RDX), w, sign_extend(reg_get(c, REG_OFF(RAX), w), w) < 0 ? ~UINT64_C(0) : 0);
    return (void)i, true;
}

/* -- Compare and exchange ---------------------------------------------------------------------- */

/* The destination is written in any case (SDM 2A CMPXCHG): a store that may fault. */
OP_BINARY(cmpxchg)
{
    uint64_t a;
    struct rmw m;
    bool mem = form_is_mem(form);
    if (!dest_begin(c, i, mem, w, &a, &m))
        return false;
    uint64_t acc = reg_get(c, REG_OFF(RAX), w);
    flags_sub(c, acc, a, acc - a, w);
    if (flag_z(c)) {
        dest_end(c, i, mem, w, reg_get(c, i->src, w), &m);
    } else {
        if (mem)
            rmw_end(c, &m, 1u << w, a);
        reg_set(c, REG_OFF(RAX), w, a);
    }
    return true;
}

OP_BINARY(xadd)
{
    uint64_t a;
    struct rmw m;
    bool mem = form_is_mem(form);
    if (!dest_begin(c, i, mem, w, &a, &m))
        return false;
    uint64_t b = reg_get(c, i->src, w);
    flags_add(c, a, b, a + b, w);
    reg_set(c, i->src, w, a);
    dest_end(c, i, mem, w, a + b, &m);
    return true;
}

OP_BINARY(xchg)
{
    uint64_t a;
    struct rmw m;
    bool mem = i->mem;
    (void)form;
    if (!dest_begin(c, i, mem, w, &a, &m))
        return false;
    uint64_t b = reg_get(c, i->src, w);
    reg_set(c, i->src, w, a);
    dest_end(c, i, mem, w, b, &m);
    return true;
}

OP_NONE(cmpxchg8b)
{
    uint64_t a;
    struct rmw m;
    if (!dest_begin(c, i, true, 3, &a, &m))
        return false;
    uint64_t expect = c->r[RDX] << 32 | (uint32_t)c->r[RAX];
    if (a == expect) {
        rmw_end(c, &m, 8, c->r[RCX] << 32 | (uint32_t)c->r[RBX]);
    } else {
        rmw_end(c, &m, 8, a);
        c->r[RAX] = (uint32_t)a;
        c->r[RDX] = a >> 32;
    }
    flag_z_set(c, a == expect);
    return true;
}

OP_NONE(cmpxchg16b)
{
    uint64_t a[2], off = ea(c, i);
    if ((c->seg[i->seg].base + off) & 15)
        return cpu_raise_gp(c, 0);
    if (!mem_probe(c, i->seg, off, 16, true) || !mem_read_bytes(c, i->seg, off, a, 16))
        return false;
    bool equal = a[0] == c->r[RAX] && a[1] == c->r[RDX];
    if (equal) {
        a[0] = c->r[RBX];
        a[1] = c->r[RCX];
    }
    if (!mem_write_bytes(c, i->seg, off, a, 16))
        return false;
    if (!equal) {
        c->r[RAX] = a[0];
        c->r[RDX] = a[1];
    }
    flag_z_set(c, equal);
    return true;
}

/* -- Decimal adjustment (undefined flags as recent Intel processors compute them) -------------- */

static void set_al(struct cpu *c, uint8_t al)
{
    reg_set(c, REG_OFF(RAX), 0, al);
}

static void flags_decimal(struct cpu *c, uint8_t al, bool carry, bool aux)
{
    flags_result(c, al, 0);
    c->f.over = 0;
    c->f.carry = carry;
    c->f.aux = aux ? 0x10 : 0;
}

OP_NONE(daa)
{
    uint8_t al = (uint8_t)c->r[RAX], old = al;
    bool aux = (al & 15) > 9 || flag_a(c), carry = old > 0x99 || flag_c(c);
    if (aux)
        al = (uint8_t)(al + 6);
    if (carry)
        al = (uint8_t)(al + 0x60);
    set_al(c, al);
    flags_decimal(c, al, carry, aux);
    return (void)i, true;
}

OP_NONE(das)
{
    uint8_t al = (uint8_t)c->r[RAX], old = al;
    bool aux = (al & 15) > 9 || flag_a(c), carry = flag_c(c);
    bool high = old > 0x99 || carry;
    if (aux) {
        carry = carry || al < 6;
        al = (uint8_t)(al - 6);
    }
    if (high) {
        al = (uint8_t)(al - 0x60);
        carry = true;
    }
    set_al(c, al);
    flags_decimal(c, al, carry, aux);
    return (void)i, true;
}

OP_NONE(aaa)
{
    uint16_t ax = (uint16_t)c->r[RAX];
    bool adjust = (ax & 15) > 9 || flag_a(c);
    if (adjust)
        ax = (uint16_t)(ax + 0x106);
    ax &= 0xff0f;
    reg_set(c, REG_OFF(RAX), 1, ax);
    flags_decimal(c, (uint8_t)ax, adjust, adjust);
    return (void)i, true;
}

OP_NONE(aas)
{
    uint16_t ax = (uint16_t)c->r[RAX];
    bool adjust = (ax & 15) > 9 || flag_a(c);
    if (adjust)
        ax = (uint16_t)(ax - 0x106);
    ax &= 0xff0f;
    reg_set(c, REG_OFF(RAX), 1, ax);
    flags_decimal(c, (uint8_t)ax, adjust, adjust);
    return (void)i, true;
}

OP_NONE(aam)
{
    uint8_t base = (uint8_t)i->imm, al = (uint8_t)c->r[RAX];
    if (base == 0)
        return cpu_raise(c, VEC_DE, 0);
    reg_set(c, REG_OFF(RAX), 1, (uint64_t)(al / base) << 8 | al % base);
    flags_decimal(c, al % base, false, false);
    return true;
}

OP_NONE(aad)
{
    uint8_t al = (uint8_t)(c->r[RAX] + (c->r[RAX] >> 8 & 0xff) * (i->imm & 0xff));
    reg_set(c, REG_OFF(RAX), 1, al);
    flags_decimal(c, al, false, false);
    return true;
}

/* -- Flag instructions ------------------------------------------------------------------------- */

OP_NONE(cmc)
{
    c->f.carry ^= 1;
    return (void)i, true;
}
OP_NONE(clc)
{
    c->f.carry = 0;
    return (void)i, true;
}
OP_NONE(stc)
{
    c->f.carry = 1;
    return (void)i, true;
}

/* Translated code is made for one direction. */
static bool set_direction(struct cpu *c, uint32_t df)
{
    if ((c->eflags & EFL_DF) != df)
        run_stop(c);
    c->eflags = (c->eflags & ~EFL_DF) | df;
    return true;
}

OP_NONE(cld)
{
    return (void)i, set_direction(c, 0);
}
OP_NONE(std)
{
    return (void)i, set_direction(c, EFL_DF);
}

/* LAHF and SAHF exist in 64-bit mode only where CPUID says so. */
OP_NONE(lahf)
{
    if (c->mode & MODE_64 && !CPU_HAS(c, ISA_LAHF))
        return cpu_raise_ud(c);
    reg_set(c, 1, 0, (eflags_get(c) & 0xd5) | EFL_FIXED);
    return (void)i, true;
}
OP_NONE(sahf)
{
    if (c->mode & MODE_64 && !CPU_HAS(c, ISA_LAHF))
        return cpu_raise_ud(c);
    uint32_t ah = (uint32_t)reg_get(c, 1, 0);
    flags_set_arith(c, (ah & (EFL_ARITH & ~EFL_OF)) | (flag_o(c) ? EFL_OF : 0));
    return (void)i, true;
}
OP_NONE(salc)
{
    set_al(c, flag_c(c) ? 0xff : 0);
    return (void)i, true;
}
