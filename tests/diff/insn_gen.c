/* SPDX-License-Identifier: MIT */
/* Random instructions from the rows of the instruction table: prefixes, opcode, a ModRM byte that
 * selects the row, random bytes behind it; what decodes as the row is taken. In front of an
 * instruction with a memory operand stand moves that make its address point into the test's data;
 * branches skip a few breakpoints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/insn_agree.h"
#include "tests/diff/insn_build.h"
#include "tests/diff/insn_segs.h"

struct gen {
    struct cpu *c;
    gen_avoid avoid;
    bool together, narrow;
    /* ModRM bytes that select a row, as bit sets; a row without ModRM has all of them. */
    uint8_t (*modrm[CODE_SIZES])[32];
    uint16_t *rows[CODE_SIZES]; /* rows that can be generated */
    unsigned count[CODE_SIZES];
};

uint64_t rng_next(struct rng *r)
{
    r->s += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = r->s;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* -- Which rows -------------------------------------------------------------------------------- */

static const struct {
    const char *why, *names;
} left_out[] = {
    {"enters the host's kernel; `system_diff` compares it with the manual", " SYSCALL SYSENTER "},
    {"the host's kernel answers in the processor's place (UMIP), the guest's leaves it at #GP",
     " SLDT STR SGDT SIDT SMSW "},
    {"the host's kernel chooses the protection keys; `pkey_test` and `system_diff` test them",
     " RDPKRU WRPKRU "},
};

const char *gen_left_out(const struct op_row *row)
{
    char name[32];
    snprintf(name, sizeof(name), " %s ", row->name);
    for (size_t k = 0; k < sizeof(left_out) / sizeof(left_out[0]); k++)
        if (strstr(left_out[k].names, name) != NULL)
            return left_out[k].why;
    if (row->attr & ATTR_NOALIAS && strcmp(row->name + 1, "ZCNT") == 0)
        return "what the encoding is on processors without the feature";
    return NULL;
}

/* -- Bytes ------------------------------------------------------------------------------------- */

static void put(struct encoding *e, unsigned *n, unsigned byte)
{
    e->b[(*n)++] = (uint8_t)byte;
}

static bool has_z_operand(const struct op_row *row)
{
    return row->operands[0] == 'Z';
}

static void put_vex(struct rng *r, const struct op_row *row, enum code_size size,
                    struct encoding *e, unsigned *n)
{
    static const uint8_t pp[] = {[PFX_NONE] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3};
    unsigned rxb = size == CODE_64 ? (unsigned)rng_below(r, 8) : 7;
    unsigned vvvv = size == CODE_64 ? (unsigned)rng_below(r, 16) : 8 | (unsigned)rng_below(r, 8);
    /* Rows with two operands have no vvvv operand: it must be 1111. */
    if (strchr(row->operands, 'B') == NULL && strchr(row->operands, 'H') == NULL)
        vvvv = 15;
    put(e, n, 0xc4);
    put(e, n, rxb << 5 | (row->map & 3));
    put(e, n, (unsigned)rng_below(r, 2) << 7 | vvvv << 3 | pp[row->prefix]);
}

static void put_prefixes(struct rng *r, const struct op_row *row, enum code_size size, bool narrow,
                         struct encoding *e, unsigned *n)
{
    static const uint8_t segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    static const uint8_t mandatory[] = {
        [PFX_ANY] = 0, [PFX_NONE] = 0, [PFX_66] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2};
    if (chance(r, 8))
        put(e, n, segments[rng_below(r, narrow ? 4 : 6)]);
    if (chance(r, 8))
        put(e, n, 0x67);
    if (chance(r, 24))
        put(e, n, 0xf0);
    if (row->prefix == PFX_ANY && chance(r, 3))
        put(e, n, 0x66);
    if (row->prefix == PFX_ANY && chance(r, row->attr & ATTR_STR ? 2 : 12))
        put(e, n, chance(r, 2) ? 0xf2 : 0xf3);
    if (mandatory[row->prefix] != 0)
        put(e, n, mandatory[row->prefix]);
    if (size == CODE_64 && chance(r, 2))
        put(e, n, 0x40 | (unsigned)rng_below(r, 16));
}

static void put_opcode(struct rng *r, const struct op_row *row, struct encoding *e, unsigned *n)
{
    if (!(row->map & MAP_VEX)) {
        static const uint8_t third[4] = {0, 0, 0x38, 0x3a};
        if ((row->map & 3) != 0)
            put(e, n, 0x0f);
        if ((row->map & 3) >= 2)
            put(e, n, third[row->map & 3]);
    }
    put(e, n, row->opcode + (has_z_operand(row) ? (unsigned)rng_below(r, 8) : 0));
    e->modrm_at = *n;
}

static void random_encoding(struct rng *r, const struct op_row *row, enum code_size size,
                            bool narrow, struct encoding *e)
{
    unsigned n = 0;
    if (row->map & MAP_VEX)
        put_vex(r, row, size, e, &n);
    else
        put_prefixes(r, row, size, narrow, e, &n);
    put_opcode(r, row, e, &n);
    while (n < sizeof(e->b))
        put(e, &n, (unsigned)rng_next(r));
}

/* -- Which ModRM bytes ------------------------------------------------------------------------- */

static bool probe_modrm(struct gen *g, struct rng *r, const struct op_row *row, unsigned index,
                        enum code_size size, unsigned modrm)
{
    for (unsigned tries = 0; tries < 12; tries++) {
        struct encoding e;
        struct insn i;
        random_encoding(r, row, size, true, &e);
        e.b[e.modrm_at] = (uint8_t)modrm;
        if (decode(g->c, &i, e.b, sizeof(e.b)) == DECODE_OK && i.op == index)
            return true;
    }
    return false;
}

/* A number that depends on nothing but the row. */
static uint64_t row_seed(const struct op_row *row)
{
    uint64_t v = (uint64_t)row->map << 16 | (uint64_t)row->opcode << 8 | row->prefix;
    for (const char *p = row->name; *p != '\0'; p++)
        v = v * 31 + (uint8_t)*p;
    for (const char *p = row->operands; *p != '\0'; p++)
        v = v * 31 + (uint8_t)*p;
    return v;
}

static void probe_rows(struct gen *g, enum code_size size)
{
    guest_set_mode(g->c, size);
    for (unsigned k = 0; k < optab_count; k++) {
        bool any = false;
        struct rng r = {.s = row_seed(&optab[k])};
        if (!CPU_HAS(g->c, optab[k].isa))
            continue;
        for (unsigned m = 0; m < 256; m++) {
            if (probe_modrm(g, &r, &optab[k], k, size, m)) {
                g->modrm[size][k][m / 8] |= (uint8_t)(1 << m % 8);
                any = true;
            }
        }
        if (any)
            g->rows[size][g->count[size]++] = (uint16_t)k;
    }
}

struct gen *gen_create(struct cpu *c)
{
    struct gen *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return NULL;
    g->c = c;
    for (unsigned s = 0; s < CODE_SIZES; s++) {
        g->modrm[s] = calloc(optab_count, sizeof(g->modrm[s][0]));
        g->rows[s] = calloc(optab_count, sizeof(g->rows[s][0]));
        if (g->modrm[s] == NULL || g->rows[s] == NULL) {
            gen_free(g);
            return NULL;
        }
        probe_rows(g, (enum code_size)s);
    }
    return g;
}

void gen_free(struct gen *g)
{
    for (unsigned s = 0; s < CODE_SIZES; s++) {
        free(g->modrm[s]);
        free(g->rows[s]);
    }
    free(g);
}

bool gen_has_row(const struct gen *g, enum code_size size, unsigned row)
{
    for (unsigned k = 0; k < g->count[size]; k++)
        if (g->rows[size][k] == row)
            return true;
    return false;
}

static bool pick_modrm(struct gen *g, struct rng *r, enum code_size size, unsigned row,
                       uint8_t *out)
{
    const uint8_t *set = g->modrm[size][row];
    for (unsigned tries = 0; tries < 4096; tries++) {
        uint8_t m = (uint8_t)rng_next(r);
        if (set[m / 8] >> m % 8 & 1) {
            *out = m;
            return true;
        }
    }
    return false;
}

/* -- Values ------------------------------------------------------------------------------------ */

/* An address in the test's data: mostly aligned, sometimes not, near the end of a page, or outside.
 */
static uint64_t data_linear(struct rng *r)
{
    uint64_t off = rng_below(r, RW_PAGES * PAGE - 256) & ~UINT64_C(15);
    switch (rng_below(r, 16)) {
    case 0:
    case 1:
    case 2: return DATA_LA + off + rng_below(r, 16);
    case 3: return DATA_LA + PAGE - rng_below(r, 32); /* across a page boundary */
    case 4:
        if (chance(r, 4)) /* the read-only page, the page behind it */
            return DATA_LA + (RW_PAGES + rng_below(r, 2)) * PAGE - rng_below(r, 24);
        break;
    case 5: return DATA_LA + RW_PAGES * PAGE + (off & 0xff0) % (PAGE - 64);
    default: break;
    }
    return DATA_LA + off;
}

static uint64_t edge_address(struct rng *r)
{
    uint64_t a = r->edge - rng_below(r, chance(r, 3) ? 600 : chance(r, 2) ? 40 : 17);
    return chance(r, 3) ? a & ~UINT64_C(15) : chance(r, 4) ? r->edge : a;
}

static uint64_t data_address(struct rng *r)
{
    if (r->at_edge)
        return edge_address(r);
    return data_linear(r) - r->data_base;
}

/* Where an access comes to the end of what addresses can say. */
static uint64_t last_address(struct rng *r, enum code_size size)
{
    static const uint64_t wide[] = {0, UINT64_C(1) << 47, UINT64_C(0xffff800000000000),
                                    UINT64_C(1) << 63, UINT64_C(1) << 32};
    uint64_t near = rng_below(r, 24) - 16;

    if (size == CODE_64)
        return wide[rng_below(r, sizeof(wide) / sizeof(wide[0]))] + near;
    return size == CODE_32 ? (uint32_t)near : (uint16_t)near;
}

static uint64_t integer_value(struct rng *r)
{
    static const uint64_t corners[] = {
        0,
        1,
        2,
        UINT64_MAX,
        0x7f,
        0x80,
        0xff,
        0x7fff,
        0x8000,
        0xffff,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        UINT64_C(0x7fffffffffffffff),
        UINT64_C(0x8000000000000000),
        UINT64_C(0x8080808080808080),
    };
    switch (rng_below(r, 8)) {
    case 0: return corners[rng_below(r, sizeof(corners) / sizeof(corners[0]))];
    case 1: return rng_below(r, 256);
    case 2: return UINT64_C(1) << rng_below(r, 64);
    case 3: return (uint32_t)rng_next(r);
    case 4: return data_address(r);
    case 5: return 0 - rng_below(r, 256);
    default: return rng_next(r);
    }
}

static uint32_t f32_value(struct rng *r)
{
    static const uint32_t corners[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000,
                                       0xff800000, 0x7fc00000, 0x7fa00001, 0xffa00000, 1,
                                       0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0x5f000000,
                                       0x3f000000, 0x4b000001, 0xcf000000, 0x4effffff};
    if (chance(r, 3))
        return corners[rng_below(r, sizeof(corners) / sizeof(corners[0]))];
    if (chance(r, 2)) /* near 1 */
        return (uint32_t)(rng_next(r) & 0x80ffffff) |
               (uint32_t)(0x3f800000 - (rng_below(r, 12) << 23));
    return (uint32_t)rng_next(r);
}

static uint64_t f64_value(struct rng *r)
{
    static const uint64_t corners[] = {0,
                                       1,
                                       UINT64_C(0x8000000000000000),
                                       UINT64_C(0x3ff0000000000000),
                                       UINT64_C(0xbff0000000000000),
                                       UINT64_C(0x7ff0000000000000),
                                       UINT64_C(0xfff0000000000000),
                                       UINT64_C(0x7ff8000000000000),
                                       UINT64_C(0x7ff4000000000001),
                                       UINT64_C(0xfff0000000000001),
                                       UINT64_C(0x800fffffffffffff),
                                       UINT64_C(0x0010000000000000),
                                       UINT64_C(0x7fefffffffffffff),
                                       UINT64_C(0x41e0000000000000),
                                       UINT64_C(0x41dfffffffc00000),
                                       UINT64_C(0x43e0000000000000),
                                       UINT64_C(0xc3e0000000000000),
                                       UINT64_C(0x3fe0000000000000),
                                       UINT64_C(0x380fffffffffffff),
                                       UINT64_C(0x47efffffffffffff)};
    if (chance(r, 3))
        return corners[rng_below(r, sizeof(corners) / sizeof(corners[0]))];
    if (chance(r, 2)) {
        uint64_t exp = 0x3ff + 8 - rng_below(r, 70);
        return (rng_next(r) & UINT64_C(0x800fffffffffffff)) | exp << 52;
    }
    return rng_next(r);
}

/* 8 bytes of vector or memory contents. */
static uint64_t data_value(struct rng *r)
{
    switch (rng_below(r, 6)) {
    case 0: return f32_value(r) | (uint64_t)f32_value(r) << 32;
    case 1: return f64_value(r);
    case 2: return integer_value(r);
    case 3: return rng_next(r) & UINT64_C(0x7f017f017f017f01); /* short strings, small elements */
    case 4: return (integer_value(r) & 0xffff) * UINT64_C(0x0001000100010001);
    default: return rng_next(r);
    }
}

static void f80_value(struct rng *r, uint64_t *man, uint16_t *se)
{
    static const uint16_t exps[] = {0,      1,      0x3fff, 0x7fff, 0x7ffe,
                                    0x3ffe, 0x401e, 0x403e, 0x3f81, 0x3c01};
    *man = chance(r, 2) ? rng_next(r) : f64_value(r) << 11;
    *se = (uint16_t)rng_next(r);
    if (!chance(r, 16))
        *man |= UINT64_C(1) << 63;
    if (chance(r, 3))
        *se = (uint16_t)((*se & 0x8000) | exps[rng_below(r, 10)]);
    else if (chance(r, 2))
        *se = (uint16_t)((*se & 0x8000) | (0x3fff + rng_below(r, 140) - 70));
    if ((*se & 0x7fff) == 0 && chance(r, 2))
        *man = 0;
}

void gen_memory(struct rng *r, uint8_t *mem, size_t n)
{
    for (size_t k = 0; k < n; k += 8) {
        uint64_t v = chance(r, 4) ? 0 : data_value(r);
        memcpy(mem + k, &v, 8);
    }
}

void gen_first_memory(uint8_t *mem)
{
    struct rng fixed = {.s = 7};
    gen_memory(&fixed, mem, DATA_SIZE);
}

void gen_segments(enum code_size size, struct segments *s)
{
    static const uint16_t cs[CODE_SIZES] = {USER_CS, USER32_CS, LDT_CODE};
    memset(s, 0, sizeof(*s));
    s->sel[SEG_CS] = cs[size];
    s->sel[SEG_SS] = s->sel[SEG_DS] = s->sel[SEG_ES] = size == CODE_16 ? LDT_DATA : USER_DS;
}

void gen_state(struct rng *r, enum code_size size, struct state *s)
{
    memset(s, 0, sizeof(*s));
    gen_segments(size, &s->seg);
    struct rng other = {.s = r->s ^ UINT64_C(0x5851f42d4c957f2d)};
    if (chance(&other, 2))
        special_segments(&other, size, &s->seg);
    for (unsigned k = 0; k < (size == CODE_64 ? 16u : 8u); k++)
        s->r[k] = chance(r, 3) ? data_address(r) : integer_value(r);
    s->r[RSP] = DATA_LA - data_base(size) + PAGE + 512 + (rng_below(r, 64) << 3);
    if (size != CODE_64)
        for (unsigned k = 0; k < 8; k++)
            s->r[k] = (uint32_t)s->r[k];
    s->rip = code_start(size);
    s->eflags =
        EFL_FIXED | EFL_IF | ((uint32_t)rng_next(r) & EFL_ARITH) | (chance(r, 4) ? EFL_DF : 0);
    s->fx.mxcsr = 0x1f80;
    if (chance(r, 2))
        s->fx.mxcsr |= (uint32_t)rng_next(r) & 0xe07f;
    if (chance(r, 6))
        s->fx.mxcsr &= (uint32_t)rng_next(r);
    s->fx.fcw = (uint16_t)(0x7f | (rng_next(r) & 0xf00));
    if (chance(r, 2))
        s->fx.fcw |= 0x300;
    if (chance(r, 6))
        s->fx.fcw &= (uint16_t)(rng_next(r) | 0xf40);
    s->fx.fsw = (uint16_t)(rng_next(r) & 0x7f7f);
    if (!chance(r, 8))
        s->fx.fsw &= (uint16_t) ~(0x3f & ~s->fx.fcw);
    if (s->fx.fsw & ~s->fx.fcw & 0x3f)
        s->fx.fsw |= FSW_ES | FSW_B;
    s->fx.ftw = chance(r, 2) ? 0xff : (uint8_t)rng_next(r);
    for (unsigned k = 0; k < 8; k++)
        f80_value(r, &s->fx.st[k].man, &s->fx.st[k].se);
    for (unsigned k = 0; k < (size == CODE_64 ? 16u : 8u); k++)
        for (unsigned h = 0; h < 2; h++)
            s->fx.xmm[k][h] = data_value(r);
}

/* -- Sequences --------------------------------------------------------------------------------- */

void emit(struct builder *b, const void *p, unsigned n)
{
    if (b->q->len + n <= sizeof(b->q->code))
        memcpy(b->q->code + b->q->len, p, n);
    b->q->len += n; /* over the end: the caller drops it */
}

/* Length of what emit_mov() emits. */
static unsigned mov_length(enum code_size size)
{
    return size == CODE_64 ? 10 : size == CODE_32 ? 5 : 6;
}

void emit_mov(struct builder *b, unsigned reg, uint64_t v)
{
    uint8_t code[10] = {(uint8_t)(b->q->size == CODE_64 ? 0x48 | (reg >= 8) : 0x66),
                        (uint8_t)(0xb8 | (reg & 7))};
    memcpy(code + 2, &v, 8);
    if (b->q->size == CODE_32)
        emit(b, code + 1, 5);
    else
        emit(b, code, mov_length(b->q->size));
}

/* Where the displacement is, from ModRM on; 0: there is none of 4 bytes. */
static unsigned disp32_at(const struct insn *i, const struct encoding *e)
{
    unsigned mod = i->modrm >> 6, rm = i->modrm & 7;
    unsigned at = e->modrm_at + 1 + (rm == 4);
    if (mod == 2 || (mod == 0 && rm == 5) || (mod == 0 && rm == 4 && (e->b[at - 1] & 7) == 5))
        return at;
    return 0;
}

static bool point_memory16(struct builder *b, const struct insn *i, struct encoding *e,
                           uint64_t target)
{
    uint64_t idx = rng_below(b->r, 64), junk = rng_next(b->r) << 16;
    if (b->q->size == CODE_32 && !chance(b->r, 16))
        return false; /* the data is out of reach: a fault */
    if (i->base == REG_NONE) {
        memcpy(e->b + e->modrm_at + 1, &target, 2);
        return true;
    }
    if (i->idx != REG_NONE)
        emit_mov(b, i->idx, idx | junk);
    else
        idx = 0;
    emit_mov(b, i->base, ((target - idx - (uint64_t)i->disp) & 0xffff) | junk);
    return true;
}

/* Set up the address of the memory operand. False: can't be done. */
static bool point_memory(struct builder *b, const struct insn *i, struct encoding *e,
                         uint64_t target)
{
    uint64_t idx = 0, disp = (uint64_t)i->disp;
    unsigned at = disp32_at(i, e);
    if (i->asz == 1)
        return point_memory16(b, i, e, target);
    if (i->idx != REG_NONE && i->idx == i->base)
        return false;
    if (i->idx != REG_NONE) {
        idx = rng_below(b->r, 3) == 0 ? integer_value(b->r) : rng_below(b->r, 64);
        if (i->base == REG_NONE)
            idx &= 0xffff;
        emit_mov(b, i->idx, idx);
    }
    if (b->together && i->base == b->base && i->idx == REG_NONE && !chance(b->r, 6)) {
        uint32_t near = (uint32_t)rng_below(b->r, chance(b->r, 4) ? 10000 : 300) - 128;
        if (at != 0)
            memcpy(e->b + at, &near, 4);
        return true;
    }
    if (i->base < REG_NONE) {
        b->base = i->base;
        uint64_t v = target - disp - (idx << i->scale);
        if (i->asz == 2 && b->q->size == CODE_64)
            v = (uint32_t)v | (rng_next(b->r) & UINT64_C(0xffffffff00000000));
        emit_mov(b, i->base, v);
        return true;
    }
    if (at == 0)
        return false;
    uint64_t from = i->base == RIP ? sequence_start(b->q) + b->q->len + i->len : idx << i->scale;
    uint32_t d = (uint32_t)(target - from);
    memcpy(e->b + at, &d, 4);
    return true;
}

bool is_named(const struct op_row *row, const char *name)
{
    return strncmp(row->name, name, strlen(name)) == 0;
}

static bool is_near_return(const struct op_row *row)
{
    return is_named(row, "RET") && row->opcode < 0xca;
}

/* Registers that an instruction uses without naming them. */
static void point_implicit(struct builder *b, const struct op_row *row, const struct insn *i)
{
    /* MOV [rSP], imm32 */
    static const uint8_t store[CODE_SIZES][5] = {
        {0x48, 0xc7, 0x04, 0x24}, {0xc7, 0x04, 0x24}, {0x67, 0x66, 0xc7, 0x04, 0x24}};
    static const uint8_t store_length[CODE_SIZES] = {4, 3, 5};
    if ((row->attr & ATTR_STR) || is_named(row, "MASKMOV")) {
        if (!chance(b->r, 4))
            emit_mov(b, RDI, data_address(b->r));
        if (!chance(b->r, 4))
            emit_mov(b, RSI, data_address(b->r));
        if (!chance(b->r, 8))
            emit_mov(b, RCX, rng_below(b->r, chance(b->r, 4) ? 3000 : 20));
    }
    if (is_named(row, "XLAT"))
        emit_mov(b, RBX, data_address(b->r));
    if ((is_named(row, "DIV") || is_named(row, "IDIV")) && chance(b->r, 2))
        emit_mov(b, RDX, chance(b->r, 2) ? 0 : UINT64_MAX);
    if (is_named(row, "POPF") && !b->r->at_edge) {
        /* Without TF, NT, AC; without ID, which the next sequence would inherit. */
        uint32_t fl = (uint32_t)rng_next(b->r) & (EFL_ARITH | EFL_DF | EFL_IF | EFL_IOPL);
        emit(b, store[b->q->size], store_length[b->q->size]);
        emit(b, &fl, 4);
    }
    if (is_near_return(row) && !b->narrow && !b->r->at_edge &&
        (b->q->size == CODE_16 || chance(b->r, 2))) {
        /* To the next instruction. */
        uint32_t to = (uint32_t)sequence_start(b->q) + b->q->len + store_length[b->q->size] + 4;
        to += i->len;
        emit(b, store[b->q->size], store_length[b->q->size]);
        emit(b, &to, 4);
    }
    if (strchr(row->operands, 'E') != NULL && !i->mem && (i->opc == 0xff && (row->map & 3) == 0) &&
        (is_named(row, "CALL") || is_named(row, "JMP")) &&
        (b->q->size == CODE_16 || chance(b->r, 2)))
        emit_mov(b, i->src / 8u,
                 sequence_start(b->q) + b->q->len + mov_length(b->q->size) + i->len);
}

/* Encodings whose result is undefined. */
static bool is_undefined(struct builder *b, const struct op_row *row, const struct insn *i)
{
    bool branch = special_find(row) == NULL &&
                  (is_named(row, "CALL") || is_named(row, "RET") || is_named(row, "JMP"));
    /* A random 16-bit target could be in the middle of the sequence. */
    if (branch && b->q->size == CODE_16 && (i->mem || (b->narrow && is_named(row, "RET"))))
        return true;
    if (b->narrow && is_named(row, "BSWAP") && i->osz == 1)
        return true;
    if ((is_named(row, "SHLD") || is_named(row, "SHRD")) && i->osz == 1) {
        if (strstr(row->operands, "CL") == NULL)
            return (i->imm & 31) > 16;
        if (i->mem && (i->base == RCX || i->idx == RCX))
            return true;
        emit_mov(b, RCX, rng_below(b->r, 17));
    }
    return false;
}

/* What stands behind such an instruction would never run. */
static bool ends_in_handler(const struct op_row *row)
{
    return strcmp(row->name, "INT") == 0 || strcmp(row->name, "INT1") == 0 ||
           strcmp(row->name, "INT3") == 0;
}

/* Which flags of q->undefined change: EFLAGS bits from FL_*. */
static uint32_t eflags_of(unsigned fl)
{
    return (fl & FL_C ? EFL_CF : 0u) | (fl & FL_P ? EFL_PF : 0u) | (fl & FL_A ? EFL_AF : 0u) |
           (fl & FL_Z ? EFL_ZF : 0u) | (fl & FL_S ? EFL_SF : 0u) | (fl & FL_O ? EFL_OF : 0u);
}

uint32_t gen_undefined(const struct op_row *row, uint32_t undefined)
{
    /* What a shift or repeated compare by zero leaves as it was stays undefined. */
    if (row->fl_undef == 0 && !(row->attr & ATTR_STR))
        undefined &= ~eflags_of(row->fl_write);
    return undefined | eflags_of(row->fl_undef);
}

bool gen_reads_undefined(const struct op_row *row, uint32_t undefined)
{
    return (eflags_of(row->fl_read) & undefined) != 0;
}

static void patch_branch(struct builder *b, const struct op_row *row, const struct insn *i,
                         struct encoding *e)
{
    if (row->operands[0] != 'J')
        return;
    uint32_t d = b->skip = (unsigned)rng_below(b->r, 4);
    unsigned n = row->operands[1] == 'b' ? 1 : i->osz == 1 ? 2 : 4;
    memcpy(e->b + i->len - n, &d, n);
}

/* Let a memory operand without an index be based on the register of the last one. */
static void prefer_base(struct builder *b, struct encoding *e)
{
    unsigned m = e->b[e->modrm_at], mod = m >> 6, rm = (unsigned)b->base & 7;

    if (mod != 3 && (m & 7) != 4 && rm != 4 && !(mod == 0 && rm == 5))
        e->b[e->modrm_at] = (uint8_t)((m & 0xf8) | rm);
}

/* -- Operands that have to do with each other ----------------------------------------------------
 */

/* So that results are zero, overflow, just do not, compare equal. */
static uint64_t related_value(struct rng *r, uint64_t v, unsigned width)
{
    uint64_t limit = UINT64_C(1) << (width - 1);

    switch (rng_below(r, 10)) {
    case 0:
    case 1: return v;
    case 2:
    case 3: return 0 - v;
    case 4: return ~v;
    case 5: return limit - v;
    case 6: return limit + v;
    case 7: return limit;
    case 8: return limit - 1;
    default: return v + rng_below(r, 3) - 1;
    }
}

static void emit_register(struct builder *b, unsigned off, uint64_t v)
{
    if (off / 8 < 16 && off / 8 != RSP)
        emit_mov(b, off / 8, v << off % 8 * 8);
}

/* Memory is what RDX:RAX says, for CMPXCHG8B and CMPXCHG16B. */
static void equal_pair(struct builder *b, const struct op_row *row, uint64_t target)
{
    unsigned size = is_named(row, "CMPXCHG16B") ? 8 : 4;
    uint32_t v[2] = {(uint32_t)rng_next(b->r) >> 1, (uint32_t)rng_next(b->r) >> 1};

    for (unsigned k = 0; k < 2; k++) {
        emit_data(b, target + k * size, v[k]);
        if (size == 8)
            emit_data(b, target + k * size + 4, 0);
        emit_mov(b, k == 0 ? RAX : RDX, v[k]);
    }
}

static void related_operands(struct builder *b, const struct op_row *row, const struct insn *i,
                             uint64_t target)
{
    unsigned width = 8u << i->osz;
    bool immediate = strchr(row->operands, 'I') != NULL;

    if (is_named(row, "CMPXCHG8B") || is_named(row, "CMPXCHG16B")) {
        equal_pair(b, row, target);
        return;
    }
    if (row->fl_write == 0 || (row->attr & ATTR_STR) || strpbrk(row->operands, "VWPQMST") != NULL ||
        strpbrk(row->operands, "EGZA") == NULL || strstr(row->operands, "CL") != NULL)
        return;
    uint64_t v = immediate ? (uint64_t)(int64_t)i->imm : integer_value(b->r);
    uint64_t related = related_value(b->r, v, width);
    emit_register(b, i->src, v);
    emit_register(b, i->dst, related);
    if (is_named(row, "CMPXCHG"))
        emit_mov(b, RAX, related);
    if (!i->mem)
        return;
    /* Either operand may be the one in memory. */
    uint64_t in_memory = row->operands[0] == 'E' ? related : v;
    emit_data(b, target, (uint32_t)in_memory);
    if (width == 64)
        emit_data(b, target + 4, (uint32_t)(in_memory >> 32));
}

/* -- One instruction -----------------------------------------------------------------------------
 */

/* Append one instruction from the row; false: this encoding does not do, and what was appended is
 * to be dropped. */
static bool try_append(struct builder *b, unsigned index, bool last)
{
    static const uint8_t breakpoints[4] = {0xcc, 0xcc, 0xcc, 0xcc};
    const struct op_row *row = &optab[index];
    struct sequence *q = b->q;
    struct encoding e;
    struct insn i;
    uint8_t modrm;
    const struct special *special = special_find(row);
    uint64_t target = 0;
    b->skip = 0;
    b->last = last;
    random_encoding(b->r, row, q->size, b->narrow, &e);
    if (pick_modrm(b->g, b->r, q->size, index, &modrm))
        e.b[e.modrm_at] = modrm;
    if (b->together && b->base >= 0)
        prefer_base(b, &e);
    if (decode(b->g->c, &i, e.b, sizeof(e.b)) != DECODE_OK || i.op != index)
        return false;
    if (!last && (ends_in_handler(row) || agreement_find(row) != NULL))
        return false;
    if (b->g->avoid != NULL && b->g->avoid(&(struct gen_choice){row, &i, e.b, q->size, last}))
        return false;
    if (gen_reads_undefined(row, q->undefined) || is_undefined(b, row, &i))
        return false;
    point_implicit(b, row, &i);
    if (strchr(row->operands, 'O') != NULL || i.mem)
        target = data_address(b->r);
    /* Not where a base may be added: see ended_in_based() in insn_maker.c. */
    if (!b->narrow && i.mem && special == NULL && (q->size != CODE_64 || i.seg < SEG_FS) &&
        chance(b->r, 24))
        target = last_address(b->r, q->size);
    if (special != NULL && !special_prepare(b, special, row, &i, &e, &target))
        return false;
    if (!b->narrow && !b->together && special == NULL && chance(b->r, 3))
        related_operands(b, row, &i, target);
    if (strchr(row->operands, 'O') != NULL)
        memcpy(e.b + e.modrm_at, &target, i.asz == 3 ? 8 : i.asz == 2 ? 4 : 2);
    else if (i.mem && !point_memory(b, &i, &e, target))
        return false;
    patch_branch(b, row, &i, &e);
    if (!b->narrow && q->undefined == 0 && i.opc != 0xff && chance(b->r, 24))
        special_flags(b); /* where no register points behind the instruction, as CALL's may */
    special_finish(b, &i, &e);
    q->insn[q->count].row = (uint16_t)index;
    q->insn[q->count].at = (uint8_t)q->len;
    q->insn[q->count].len = i.len;
    emit(b, e.b, i.len);
    emit(b, breakpoints, b->skip);
    if (special != NULL)
        special_follow(b, special, row, &i);
    if (q->len > sizeof(q->code))
        return false;
    q->count++;
    q->undefined = gen_undefined(row, q->undefined);
    return true;
}

static bool append(struct builder *b, unsigned row, bool last)
{
    for (unsigned tries = 0; tries < 64; tries++) {
        unsigned mark = b->q->len;
        if (try_append(b, row, last))
            return true;
        b->q->len = mark;
    }
    return false;
}

/* A row for an instruction of a sequence; where accesses go together mostly a plain one, which
 * leaves most registers as they are. */
static unsigned pick_row(const struct builder *b)
{
    static const char *const plain[] = {"MOV", "ADD",  "SUB",    "PUSH", "POP", "LEA",
                                        "INC", "TEST", "MOVUPS", "FADD", "FST", "XCHG"};
    const struct gen *g = b->g;
    enum code_size size = b->q->size;
    unsigned row = g->rows[size][rng_below(b->r, g->count[size])];

    for (unsigned tries = 0; b->together && tries < 100; tries++) {
        for (unsigned k = 0; k < sizeof(plain) / sizeof(plain[0]); k++)
            if (strcmp(plain[k], optab[row].name) == 0)
                return row;
        row = g->rows[size][rng_below(b->r, g->count[size])];
    }
    return row;
}

void gen_set(struct gen *g, gen_avoid avoid, bool together)
{
    g->avoid = avoid;
    g->together = together;
}

void gen_narrow(struct gen *g)
{
    g->narrow = true;
}

bool gen_sequence(struct gen *g, struct rng *r, enum code_size size, unsigned row, unsigned count,
                  struct sequence *out)
{
    struct builder b = {.g = g, .r = r, .q = out, .base = -1, .narrow = g->narrow};
    memset(out, 0, sizeof(*out));
    out->size = size;
    guest_set_mode(g->c, size);
    b.together = g->together && chance(r, 2);
    for (unsigned k = 1; k < count; k++)
        append(&b, pick_row(&b), false);
    return append(&b, row, true);
}
