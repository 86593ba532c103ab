/* SPDX-License-Identifier: MIT */
/* String comparison of SSE4.2 (SDM 2B 4.1, PCMPESTRI to PCMPISTRM) and CRC32.
 *
 * The control byte: [1:0] elements are unsigned bytes, unsigned words, signed bytes, signed words;
 * [3:2] aggregation; [5:4] polarity of the intermediate result; [6] last instead of first index, or
 * a mask of elements instead of bits. */
#include "cpu/simd.h"

enum aggregation { EQUAL_ANY, RANGES, EQUAL_EACH, EQUAL_ORDERED };

struct string_operand {
    int32_t v[16];
    unsigned len; /* valid elements */
};

static struct string_operand string_elements(const union vec *v, unsigned ctl)
{
    struct string_operand r;
    for (unsigned k = 0; k < (ctl & 1 ? 8u : 16u); k++) {
        switch (ctl & 3) {
        case 0: r.v[k] = v->b[k]; break;
        case 1: r.v[k] = v->w[k]; break;
        case 2: r.v[k] = v->sb[k]; break;
        default: r.v[k] = v->sw[k]; break;
        }
    }
    return r;
}

/* Implicit length: up to the first zero element. */
static void string_length_implicit(struct string_operand *s, unsigned count)
{
    for (s->len = 0; s->len < count && s->v[s->len] != 0; s->len++)
        continue;
}

/* Explicit length: the magnitude of EAX or EDX (RAX, RDX with REX.W), at most the register. */
static void string_length_explicit(struct string_operand *s, unsigned count, uint64_t reg,
                                   bool wide)
{
    int64_t v = wide ? (int64_t)reg : (int32_t)reg;
    uint64_t n = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    s->len = n < count ? (unsigned)n : count;
}

/* Does element j of s (the second operand) match in the sense of the aggregation? */
static bool any_match(const struct string_operand *d, const struct string_operand *s, unsigned j)
{
    for (unsigned k = 0; k < d->len; k++)
        if (d->v[k] == s->v[j])
            return j < s->len;
    return false;
}

static bool range_match(const struct string_operand *d, const struct string_operand *s, unsigned j)
{
    for (unsigned k = 0; k + 1 < d->len; k += 2)
        if (s->v[j] >= d->v[k] && s->v[j] <= d->v[k + 1])
            return j < s->len;
    return false;
}

static bool each_match(const struct string_operand *d, const struct string_operand *s, unsigned j)
{
    if (j >= d->len || j >= s->len)
        return j >= d->len && j >= s->len;
    return d->v[j] == s->v[j];
}

/* d stands in s at j, as far as the register shows. */
static bool ordered_match(const struct string_operand *d, const struct string_operand *s,
                          unsigned j, unsigned count)
{
    for (unsigned k = 0; k < d->len && j + k < count; k++)
        if (j + k >= s->len || d->v[k] != s->v[j + k])
            return false;
    return true;
}

static unsigned string_compare(const struct string_operand *d, const struct string_operand *s,
                               unsigned ctl)
{
    const unsigned count = ctl & 1 ? 8 : 16;
    unsigned res = 0;
    for (unsigned j = 0; j < count; j++) {
        bool hit = false;
        switch ((enum aggregation)(ctl >> 2 & 3)) {
        case EQUAL_ANY: hit = any_match(d, s, j); break;
        case RANGES: hit = range_match(d, s, j); break;
        case EQUAL_EACH: hit = each_match(d, s, j); break;
        case EQUAL_ORDERED: hit = ordered_match(d, s, j, count); break;
        }
        res |= (unsigned)hit << j;
    }
    /* Polarity: as is, inverted, as is, inverted where s is valid. */
    if ((ctl >> 4 & 3) == 1)
        res ^= (1u << count) - 1;
    else if ((ctl >> 4 & 3) == 3)
        res ^= (1u << s->len) - 1;
    return res;
}

static void string_result_index(struct cpu *c, unsigned res, unsigned ctl)
{
    unsigned count = ctl & 1 ? 8 : 16;
    if (res != 0)
        count = ctl & 0x40 ? 31u - (unsigned)__builtin_clz(res) : (unsigned)__builtin_ctz(res);
    c->r[RCX] = count;
}

static void string_result_mask(struct cpu *c, unsigned res, unsigned ctl)
{
    union vec r = {.q = {0}};
    if (!(ctl & 0x40))
        r.q[0] = res;
    for (unsigned k = 0; (ctl & 0x40) && k < (ctl & 1 ? 8u : 16u); k++) {
        if (ctl & 1)
            r.w[k] = (uint16_t)(0 - (res >> k & 1));
        else
            r.b[k] = (uint8_t)(0 - (res >> k & 1));
    }
    xmm_set(c, 0, &r);
}

OP_INLINE bool string_op(struct cpu *c, const struct insn *i, bool is_explicit, bool index)
{
    const unsigned ctl = (uint8_t)i->imm, count = ctl & 1 ? 8 : 16;
    union vec v;
    if (!sse_ready(c))
        return false;
    if (!i->mem)
        vec_copy16(&v, &c->fpu.xmm[i->src & 15]);
    else if (!mem_read16(c, i, false, &v))
        return false;
    struct string_operand d = string_elements(&c->fpu.xmm[i->dst & 15], ctl);
    struct string_operand s = string_elements(&v, ctl);
    if (is_explicit) {
        string_length_explicit(&d, count, c->r[RAX], i->prefix & INSN_REXW);
        string_length_explicit(&s, count, c->r[RDX], i->prefix & INSN_REXW);
    } else {
        string_length_implicit(&d, count);
        string_length_implicit(&s, count);
    }
    unsigned res = string_compare(&d, &s, ctl);
    if (index)
        string_result_index(c, res, ctl);
    else
        string_result_mask(c, res, ctl);
    flags_set_arith(c, (res != 0 ? EFL_CF : 0) | (s.len < count ? EFL_ZF : 0) |
                           (d.len < count ? EFL_SF : 0) | (res & 1 ? EFL_OF : 0));
    return true;
}
OP_NONE(pcmpestri)
{
    return string_op(c, i, true, true);
}
OP_NONE(pcmpestrm)
{
    return string_op(c, i, true, false);
}
OP_NONE(pcmpistri)
{
    return string_op(c, i, false, true);
}
OP_NONE(pcmpistrm)
{
    return string_op(c, i, false, false);
}

/* CRC-32C (polynomial 11EDC6F41h, bit-reflected), four bits at a time. */
OP_INLINE uint32_t crc32c(uint32_t crc, uint64_t v, unsigned w)
{
    static const uint32_t step[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                      0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                      0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                      0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    for (unsigned k = 0; k < 2u << w; k++) {
        crc = crc >> 4 ^ step[(crc ^ v) & 15];
        v >>= 4;
    }
    return crc;
}
OP_WIDTH(crc32)
{
    uint64_t v;
    if (!src_load(c, i, w, &v))
        return false;
    reg_set(c, i->dst, 3, crc32c((uint32_t)reg_get(c, i->dst, 2), v, w));
    return true;
}
/* Gd,Eb: the destination is a whole register. */
OP_NONE(crc32b)
{
    return crc32_0(c, i);
}
