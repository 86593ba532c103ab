/* SPDX-License-Identifier: MIT */
/* Code that changes itself. A program is made of atoms, instructions that touch nothing but
 * registers and flags; one of the writers below changes a run of atoms (the target) to other atoms
 * of the same length, or an immediate operand among them. Where the target is (ahead of the writer
 * by any distance, behind it, the writer itself, in a subroutine, across a page), by which address
 * it is written and in which round of the loop around it all is random. */
#include <string.h>

#include "tests/diff/gen_shapes.h"

#define TARGET_MAX 64u
#define ROUNDS_MAX 40u
#define SOURCE     0x100u /* in the data: what is written */
#define OTHER      0x400u /* in the data: what is written in other rounds */
#define STACK      0x1800u

enum layout { AHEAD, BEHIND, SELF, CALLED, LAYOUTS };

struct smc {
    struct rng *r;
    struct rng layout; /* the same in each pass */
    struct sequence *q;
    struct state *s;
    uint8_t *mem;
    const struct smc_writer *writer;
    enum code_size size;
    enum layout how;
    bool by_cs;      /* through CS, as 16-bit code in real mode has to */
    bool aliased;    /* by another linear address */
    bool to_operand; /* the target is an immediate operand */
    uint8_t before[TARGET_MAX], after[TARGET_MAX];
    unsigned n;              /* bytes of the target */
    unsigned rounds, when;   /* the round, counted downwards, or 0: each */
    unsigned target;         /* in the sequence */
    unsigned gap;            /* bytes between writer and target */
    bool jump_gap, indirect; /* how it is crossed */
    unsigned beside;         /* what is written in other rounds, in the code's pages; 0: data */
    unsigned operand;        /* of the target's first instruction */
    unsigned last, end;      /* the writing instruction */
};

static bool chance(struct rng *r, unsigned one_in)
{
    return rng_below(r, one_in) == 0;
}

/* -- Assembling -------------------------------------------------------------------------------- */

static void put(struct smc *b, unsigned byte)
{
    if (b->q->len < sizeof(b->q->code))
        b->q->code[b->q->len] = (uint8_t)byte;
    b->q->len++; /* over the end: the program is dropped */
}

static void put_bytes(struct smc *b, const void *p, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        put(b, ((const uint8_t *)p)[k]);
}

/* What an instruction with operands of n bytes starts with. */
static void put_size(struct smc *b, unsigned n)
{
    if ((n == 2 && b->size != CODE_16) || (n == 4 && b->size == CODE_16))
        put(b, 0x66);
    if (n == 8)
        put(b, 0x48);
}

/* MOV reg, imm of 32 bits, or 64 bits in 64-bit code. */
static void put_mov(struct smc *b, unsigned reg, uint64_t v)
{
    put_size(b, b->size == CODE_64 ? 8 : 4);
    put(b, 0xb8 | reg);
    put_bytes(b, &v, b->size == CODE_64 ? 8 : 4);
}

/* A memory operand that RDI points to. */
static void put_rdi(struct smc *b, unsigned reg)
{
    put(b, reg << 3 | (b->size == CODE_16 ? 5 : 7));
}

/* The writing instruction itself begins here. */
static void mark(struct smc *b)
{
    b->last = b->q->len;
}

/* Here it ends, and what follows is not the program's next part yet. */
static void mark_end(struct smc *b)
{
    b->end = b->q->len;
}

static void put_cs(struct smc *b)
{
    mark(b);
    if (b->by_cs)
        put(b, 0x2e);
}

/* Operation on n bytes at RDI: `opcode` is that for bytes, the one behind it for more. */
static void put_sized(struct smc *b, unsigned opcode, unsigned n, unsigned reg)
{
    put_cs(b);
    put_size(b, n);
    if (opcode > 0xff)
        put(b, opcode >> 8);
    put(b, (opcode & 0xff) | (n > 1));
    put_rdi(b, reg);
}

/* -- Atoms ------------------------------------------------------------------------------------- */

enum { IN64 = 1, IN32 = 2, IN16 = 4, ALL = 7, LEGACY = 6, FLAT = 3 };

/* They define all flags that they write. `imm` bytes at the end are random. */
static const struct atom {
    uint8_t sizes, len, imm, code[4];
} atoms[] = {
    {ALL, 1, 0, {0x90}},
    {ALL, 1, 0, {0xf8}},
    {ALL, 1, 0, {0xf9}},
    {ALL, 1, 0, {0xf5}},
    {ALL, 1, 0, {0x98}},
    {ALL, 1, 0, {0x99}},
    {ALL, 1, 0, {0x9f}},
    {ALL, 1, 0, {0x9e}},
    {ALL, 1, 0, {0x92}},
    {ALL, 1, 0, {0x93}},
    {LEGACY, 1, 0, {0x40}},
    {LEGACY, 1, 0, {0x4a}},
    {LEGACY, 1, 0, {0x43}},
    {ALL, 2, 1, {0xb0}},             /* MOV AL, imm8 */
    {ALL, 2, 1, {0xb6}},             /* MOV DH, imm8 */
    {ALL, 2, 1, {0x04}},             /* ADD AL, imm8 */
    {ALL, 2, 1, {0x1c}},             /* SBB AL, imm8 */
    {ALL, 2, 0, {0x11, 0xd8}},       /* ADC eAX, eBX */
    {ALL, 2, 0, {0x01, 0xd0}},       /* ADD eAX, eDX */
    {ALL, 2, 0, {0xff, 0xc3}},       /* INC eBX */
    {ALL, 2, 0, {0xeb, 0x00}},       /* JMP $+2 */
    {ALL, 2, 0, {0x72, 0x00}},       /* JC $+2 */
    {ALL, 2, 0, {0xd1, 0xc0}},       /* ROL eAX, 1 */
    {ALL, 2, 0, {0xf3, 0x90}},       /* PAUSE */
    {ALL, 3, 1, {0x83, 0xc2}},       /* ADD eDX, imm8 */
    {ALL, 3, 0, {0x0f, 0xb6, 0xc2}}, /* MOVZX eAX, DL */
    {ALL, 3, 0, {0x0f, 0x92, 0xc0}}, /* SETC AL */
    {ALL, 3, 0, {0x0f, 0x44, 0xc2}}, /* CMOVZ eAX, eDX */
    {IN16, 3, 2, {0xb8}},
    {IN16, 3, 2, {0x05}},
    {FLAT, 4, 2, {0x66, 0x05}},
    {FLAT, 5, 4, {0xb8}},
    {FLAT, 5, 4, {0x05}},
    {FLAT, 5, 4, {0xba}},
    {IN16, 6, 4, {0x66, 0xbb}},
    {FLAT, 6, 4, {0x81, 0xf3}},       /* XOR eBX, imm32 */
    {IN64, 7, 4, {0x48, 0x81, 0xd2}}, /* ADC RDX, imm32 */
    {IN64, 10, 8, {0x48, 0xbb}},      /* MOV RBX, imm64 */
};
#define ATOMS (sizeof(atoms) / sizeof(atoms[0]))

static unsigned one_atom(struct rng *r, enum code_size size, uint8_t *to, unsigned n)
{
    for (;;) {
        const struct atom *a = &atoms[rng_below(r, ATOMS)];
        uint64_t imm = rng_next(r);
        if (!(a->sizes >> size & 1) || a->len > n)
            continue;
        memcpy(to, a->code, a->len - a->imm);
        memcpy(to + a->len - a->imm, &imm, a->imm);
        return a->len;
    }
}

/* n bytes of atoms; seldom one that jumps over some, or ends the program. */
static void fill(struct rng *r, enum code_size size, uint8_t *to, unsigned n)
{
    static const uint8_t ends[] = {0xcc, 0x0f, 0x0b};
    unsigned at = 0;

    while (at < n) {
        if (n - at > 2 && chance(r, 24)) {
            to[at++] = 0xeb;
            to[at] = (uint8_t)rng_below(r, n - at);
            at += 1u + to[at];
        } else if (n - at > 2 && chance(r, 64)) {
            memcpy(to + at, ends, 3);
            at += 3;
        } else {
            at += one_atom(r, size, to + at, n - at);
        }
    }
}

static void put_atoms(struct smc *b, unsigned n)
{
    uint8_t code[256];
    for (unsigned at = 0; at < n;)
        at += one_atom(&b->layout, b->size, code + at, n - at);
    put_bytes(b, code, n);
}

/* -- Writers ----------------------------------------------------------------------------------- */

/* A writer finds the address in RDI. */
struct smc_writer {
    unsigned widths; /* sum of the numbers of bytes that it can write; 64: up to TARGET_MAX */
    void (*put)(struct smc *b, unsigned arg);
    unsigned arg;
    bool any;   /* writes what it likes: to operands only */
    bool by_ds; /* the place is not the operand of ModRM: not through CS */
    bool long_only, legacy_only;
    unsigned align;
};

static uint64_t value(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    memcpy(&v, p, n < 8 ? n : 8);
    return v;
}

/* An address in the data, as the code reaches it. */
static uint64_t data_at(const struct smc *b, unsigned off)
{
    return DATA_LA + off - data_base(b->size);
}

static void put_mov_reg(struct smc *b, unsigned arg)
{
    (void)arg;
    put_mov(b, RAX, value(b->after, b->n));
    put_sized(b, 0x88, b->n, RAX);
}

static void put_mov_imm(struct smc *b, unsigned arg)
{
    (void)arg;
    put_sized(b, 0xc6, b->n, 0);
    put_bytes(b, b->after, b->n);
}

static void put_xchg(struct smc *b, unsigned arg)
{
    (void)arg;
    put_mov(b, RDX, value(b->after, b->n));
    put_sized(b, 0x86, b->n, RDX);
}

static void put_xadd(struct smc *b, unsigned lock)
{
    put_mov(b, RDX, value(b->after, b->n) - value(b->before, b->n));
    if (lock)
        put(b, 0xf0);
    put_sized(b, 0x0fc0, b->n, RDX);
}

/* arg: 0 with LOCK, 1 without, 2 without success. */
static void put_cmpxchg(struct smc *b, unsigned arg)
{
    put_mov(b, RAX, value(b->before, b->n) ^ (arg == 2));
    put_mov(b, RDX, value(b->after, b->n));
    if (arg == 0)
        put(b, 0xf0);
    put_sized(b, 0x0fb0, b->n, RDX);
}

/* CMPXCHG8B, CMPXCHG16B */
static void put_cmpxchg_pair(struct smc *b, unsigned half)
{
    put_mov(b, RAX, value(b->before, half));
    put_mov(b, RDX, value(b->before + half, half));
    put_mov(b, RBX, value(b->after, half));
    put_mov(b, RCX, value(b->after + half, half));
    put_cs(b);
    put(b, 0xf0);
    if (half == 8)
        put(b, 0x48);
    put(b, 0x0f);
    put(b, 0xc7);
    put_rdi(b, 1);
}

/* ADD, SUB, XOR by the opcode for bytes. */
static void put_arith(struct smc *b, unsigned opcode)
{
    uint64_t x = value(b->before, b->n), y = value(b->after, b->n);
    put_mov(b, RDX, opcode == 0x00 ? y - x : opcode == 0x28 ? x - y : x ^ y);
    if (rng_below(&b->layout, 2))
        put(b, 0xf0);
    put_sized(b, opcode, b->n, RDX);
}

/* ADC, SBB, OR, AND with a register. */
static void put_arith_any(struct smc *b, unsigned opcode)
{
    put_mov(b, RDX, rng_next(&b->layout));
    put_sized(b, opcode, b->n, RDX);
}

/* INC and so on: opcode, digit. */
static void put_unary(struct smc *b, unsigned arg)
{
    put_sized(b, arg >> 4, b->n, arg & 7);
}

/* BTS, BTR, BTC by an immediate. */
static void put_bit(struct smc *b, unsigned digit)
{
    put_cs(b);
    put_size(b, b->n);
    put(b, 0x0f);
    put(b, 0xba);
    put_rdi(b, digit);
    put(b, (unsigned)rng_below(&b->layout, b->n * 8));
}

static void put_setcc(struct smc *b, unsigned arg)
{
    (void)arg;
    put_cs(b);
    put(b, 0x0f);
    put(b, 0x90 | (unsigned)rng_below(&b->layout, 16));
    put_rdi(b, 0);
}

/* eSP = eDI + n */
static void put_stack(struct smc *b, unsigned n)
{
    if (b->size == CODE_16)
        put_bytes(b, "\x67\x66", 2);
    if (b->size == CODE_64)
        put(b, 0x48);
    put_bytes(b, "\x8d\x67", 2);
    put(b, n);
}

static void put_stack_back(struct smc *b)
{
    put_mov(b, RSP, data_at(b, STACK));
}

static void put_push(struct smc *b, unsigned arg)
{
    (void)arg;
    put_mov(b, RDX, value(b->after, b->n));
    put_stack(b, b->n);
    mark(b);
    if (b->n != 8)
        put_size(b, b->n);
    put(b, 0x50 | RDX);
    mark_end(b);
    put_stack_back(b);
}

static unsigned stack_width(const struct smc *b)
{
    return b->size == CODE_64 ? 8 : b->size == CODE_32 ? 4 : 2;
}

/* PUSHF, CALL $+n, ENTER 0, 0: one stack slot. */
static void put_push_any(struct smc *b, unsigned arg)
{
    static const uint8_t code[3][5] = {{0x9c}, {0xe8}, {0xc8}};
    static const uint8_t len[3][CODE_SIZES] = {{1, 1, 1}, {5, 5, 3}, {4, 4, 4}};
    put_stack(b, stack_width(b));
    mark(b);
    put_bytes(b, code[arg], len[arg][b->size]);
    mark_end(b);
    put_stack_back(b);
    if (arg == 2) /* which has changed eBP, the loop's counter */
        b->q->len += sizeof(b->q->code);
}

/* POP to memory */
static void put_pop(struct smc *b, unsigned arg)
{
    (void)arg;
    put_mov(b, RSP, data_at(b, SOURCE));
    put_cs(b);
    if (b->n != 8)
        put_size(b, b->n);
    put(b, 0x8f);
    put_rdi(b, 0);
    mark_end(b);
    put_stack_back(b);
}

static void put_string_size(struct smc *b, unsigned n, unsigned opcode)
{
    mark(b);
    put_size(b, n);
    put(b, opcode | (n > 1));
}

static void put_stos(struct smc *b, unsigned arg)
{
    (void)arg;
    put_mov(b, RAX, value(b->after, b->n));
    put_string_size(b, b->n, 0xaa);
}

static void put_ins(struct smc *b, unsigned arg)
{
    (void)arg;
    put_string_size(b, b->n, 0x6c);
}

static void put_rep(struct smc *b, unsigned opcode)
{
    mark(b);
    put(b, 0xf3);
    put(b, opcode);
}

/* What is written consists of the same byte. */
static void put_rep_stos(struct smc *b, unsigned arg)
{
    (void)arg;
    put_mov(b, RAX, b->after[0]);
    put_mov(b, RCX, b->n);
    put_rep(b, 0xaa);
}

/* MOVSB, and a bit downwards. */
static void put_rep_movs(struct smc *b, unsigned down)
{
    put_mov(b, RSI, data_at(b, SOURCE) + (down ? b->n - 1 : 0));
    put_mov(b, RCX, b->n);
    if (down) {
        put_size(b, b->size == CODE_64 ? 8 : 4); /* ADD eDI, n - 1 */
        put_bytes(b, "\x83\xc7", 2);
        put(b, b->n - 1);
        put(b, 0xfd);
    }
    put_rep(b, 0xa4);
    if (down) {
        mark_end(b);
        put(b, 0xfc);
    }
}

/* MOVSW and more */
static void put_rep_movs_wide(struct smc *b, unsigned n)
{
    put_mov(b, RSI, data_at(b, SOURCE));
    put_mov(b, RCX, b->n / n);
    mark(b);
    put(b, 0xf3);
    put_size(b, n);
    put(b, 0xa5);
}

/* A store of an XMM register: the prefix, the opcode; state has what is in XMM0. */
static void put_sse(struct smc *b, unsigned arg)
{
    put_cs(b);
    if (arg >> 16)
        put(b, arg >> 16);
    put(b, 0x0f);
    put(b, arg & 0xff);
    put_rdi(b, 0);
}

/* MASKMOVDQU XMM0, XMM1: all bytes */
static void put_maskmov(struct smc *b, unsigned arg)
{
    (void)arg;
    b->s->fx.xmm[1][0] = b->s->fx.xmm[1][1] = UINT64_C(0x8080808080808080);
    mark(b);
    put_bytes(b, "\x66\x0f\xf7\xc1", 4);
}

/* An operand at SOURCE, by eSI */
static void put_source(struct smc *b, unsigned opcode, unsigned digit)
{
    put_mov(b, RSI, data_at(b, SOURCE));
    put(b, opcode);
    put(b, digit << 3 | (b->size == CODE_16 ? 4 : 6));
}

/* FILD and FISTP of 8 bytes, FLD and FSTP of 10. */
static void put_x87(struct smc *b, unsigned arg)
{
    (void)arg;
    put_bytes(b, "\xdb\xe3", 2);
    put_source(b, b->n == 8 ? 0xdf : 0xdb, 5);
    put_cs(b);
    put(b, b->n == 8 ? 0xdf : 0xdb);
    put_rdi(b, 7);
}

/* FNSTCW, STMXCSR: opcode bytes, digit. */
static void put_control(struct smc *b, unsigned arg)
{
    put_cs(b);
    if (arg >> 16)
        put(b, arg >> 16);
    put(b, arg >> 8 & 0xff);
    put_rdi(b, arg & 7);
}

/* FXSAVE: the target is where XMM0 and the following ones come to. */
static void put_fxsave(struct smc *b, unsigned arg)
{
    (void)arg;
    put_size(b, b->size == CODE_64 ? 8 : 4); /* SUB eDI, 160 */
    put_bytes(b, "\x81\xef\xa0\0\0\0", 6);
    put_cs(b);
    put(b, 0x0f);
    put(b, 0xae);
    put_rdi(b, 0);
}

static const struct smc_writer writers[] = {
    {.widths = 15, .put = put_mov_reg},
    {.widths = 7, .put = put_mov_imm},
    {.widths = 15, .put = put_xchg},
    {.widths = 15, .put = put_xadd, .arg = 0},
    {.widths = 15, .put = put_xadd, .arg = 1},
    {.widths = 15, .put = put_cmpxchg, .arg = 0},
    {.widths = 15, .put = put_cmpxchg, .arg = 1},
    {.widths = 15, .put = put_cmpxchg, .arg = 2},
    {.widths = 8, .put = put_cmpxchg_pair, .arg = 4},
    {.widths = 16, .put = put_cmpxchg_pair, .arg = 8, .long_only = true, .align = 16},
    {.widths = 15, .put = put_arith, .arg = 0x00},
    {.widths = 15, .put = put_arith, .arg = 0x28},
    {.widths = 15, .put = put_arith, .arg = 0x30},
    {.widths = 15, .put = put_arith_any, .arg = 0x10, .any = true},
    {.widths = 15, .put = put_arith_any, .arg = 0x18, .any = true},
    {.widths = 15, .put = put_arith_any, .arg = 0x08, .any = true},
    {.widths = 15, .put = put_arith_any, .arg = 0x20, .any = true},
    {.widths = 15, .put = put_unary, .arg = 0xfe0, .any = true},
    {.widths = 15, .put = put_unary, .arg = 0xfe1, .any = true},
    {.widths = 15, .put = put_unary, .arg = 0xf62, .any = true},
    {.widths = 15, .put = put_unary, .arg = 0xf63, .any = true},
    {.widths = 15, .put = put_unary, .arg = 0xd00, .any = true},
    {.widths = 15, .put = put_unary, .arg = 0xd02, .any = true},
    {.widths = 14, .put = put_bit, .arg = 5, .any = true},
    {.widths = 14, .put = put_bit, .arg = 6, .any = true},
    {.widths = 14, .put = put_bit, .arg = 7, .any = true},
    {.widths = 1, .put = put_setcc, .any = true},
    {.widths = 2, .put = put_push, .by_ds = true},
    {.widths = 4, .put = put_push, .by_ds = true, .legacy_only = true},
    {.widths = 8, .put = put_push, .by_ds = true, .long_only = true},
    {.widths = 8, .put = put_push_any, .arg = 0, .any = true, .by_ds = true},
    {.widths = 8, .put = put_push_any, .arg = 1, .any = true, .by_ds = true},
    {.widths = 2, .put = put_pop},
    {.widths = 4, .put = put_pop, .legacy_only = true},
    {.widths = 8, .put = put_pop, .long_only = true},
    {.widths = 15, .put = put_stos, .by_ds = true},
    {.widths = 7, .put = put_ins, .any = true, .by_ds = true}, /* #GP at CPL 3 */
    {.widths = 64, .put = put_rep_stos, .by_ds = true},
    {.widths = 64, .put = put_rep_movs, .arg = 0, .by_ds = true},
    {.widths = 64, .put = put_rep_movs, .arg = 1, .by_ds = true},
    {.widths = 64, .put = put_rep_movs_wide, .arg = 2, .by_ds = true},
    {.widths = 64, .put = put_rep_movs_wide, .arg = 4, .by_ds = true},
    {.widths = 64, .put = put_rep_movs_wide, .arg = 8, .by_ds = true, .long_only = true},
    {.widths = 16, .put = put_sse, .arg = 0x00011},               /* MOVUPS */
    {.widths = 16, .put = put_sse, .arg = 0x00029, .align = 16},  /* MOVAPS */
    {.widths = 16, .put = put_sse, .arg = 0xf3007f},              /* MOVDQU */
    {.widths = 16, .put = put_sse, .arg = 0x6600e7, .align = 16}, /* MOVNTDQ */
    {.widths = 8, .put = put_sse, .arg = 0x6600d6},               /* MOVQ */
    {.widths = 8, .put = put_sse, .arg = 0xf20011},               /* MOVSD */
    {.widths = 8, .put = put_sse, .arg = 0x00013},                /* MOVLPS */
    {.widths = 4, .put = put_sse, .arg = 0xf30011},               /* MOVSS */
    {.widths = 4, .put = put_sse, .arg = 0x66007e},               /* MOVD */
    {.widths = 16, .put = put_maskmov, .by_ds = true},
    {.widths = 8, .put = put_x87},
    {.widths = 10, .put = put_x87},
    {.widths = 2, .put = put_control, .arg = 0xd907, .any = true},
    {.widths = 2, .put = put_control, .arg = 0xdd07, .any = true},
    {.widths = 4, .put = put_control, .arg = 0x0fae03, .any = true},
    {.widths = 64, .put = put_fxsave, .align = 16},
};
#define WRITERS (sizeof(writers) / sizeof(writers[0]))

/* -- Programs ---------------------------------------------------------------------------------- */

/* A place in the code's pages, as data. */
static uint64_t code_at(const struct smc *b, unsigned off)
{
    if (b->by_cs)
        return code_start(b->size) + off;
    return (b->aliased ? ALIAS_LA : CODE_LA) + off - data_base(b->size);
}

/* eDI is the target's address, in other rounds of the loop another one. */
static void put_address(struct smc *b)
{
    uint64_t target = code_at(b, b->q->start + b->target);

    if (b->when == 0) {
        put_mov(b, RDI, target);
        return;
    }
    put_mov(b, RDI, b->beside != 0 ? code_at(b, b->beside) : data_at(b, OTHER));
    put_mov(b, RDX, target);
    put_size(b, 4);
    put_bytes(b, "\x83\xfd", 2); /* CMP EBP, imm8 */
    put(b, b->when);
    put_size(b, b->size == CODE_64 ? 8 : 4);
    put_bytes(b, "\x0f\x44\xfa", 3); /* CMOVE eDI, eDX */
}

static void put_target(struct smc *b)
{
    b->target = b->q->len + b->operand;
    if (b->to_operand) {
        put_mov(b, RBX, 0);
        for (unsigned k = 0; k < b->n && b->q->len <= sizeof(b->q->code); k++)
            b->q->code[b->target + k] = b->before[k];
    } else {
        put_bytes(b, b->before, b->n);
    }
}

static void put_jump(struct smc *b, unsigned opcode, unsigned to)
{
    unsigned n = b->size == CODE_16 ? 2 : 4;
    if (opcode > 0xff)
        put(b, opcode >> 8);
    put(b, opcode & 0xff);
    uint32_t d = to - (b->q->len + n);
    put_bytes(b, &d, n);
}

/* What lies between the writer and the target. */
static void put_gap(struct smc *b)
{
    if (b->indirect) {
        put_mov(b, RDX, sequence_start(b->q) + b->target - b->operand);
        put_bytes(b, "\xff\xe2", 2); /* JMP eDX */
    } else if (b->jump_gap) {
        put_jump(b, 0xe9, b->q->len + (b->size == CODE_16 ? 3 : 5) + b->gap);
    } else {
        put_atoms(b, b->gap);
        return;
    }
    for (unsigned k = 0; k < b->gap; k++)
        put(b, 0xcc);
}

static void put_writer(struct smc *b)
{
    put_address(b);
    b->end = 0;
    b->writer->put(b, b->writer->arg);
    if (b->end == 0)
        b->end = b->q->len;
}

static void put_loop_end(struct smc *b, unsigned top)
{
    put_size(b, 4);
    put_bytes(b, "\xff\xcd", 2); /* DEC EBP */
    put_jump(b, 0x0f85, top);
}

/* The writer's own bytes are the first of the target. */
static void put_self(struct smc *b)
{
    put_writer(b);
    unsigned whole = b->end - b->last, part = b->rounds > 1 ? whole : b->operand;
    b->target = b->end - part;
    if (part > b->n || b->end != b->q->len || (b->rounds > 1 && b->writer->put == put_fxsave))
        b->q->len += sizeof(b->q->code);
    if (b->q->len > sizeof(b->q->code))
        return;
    memcpy(b->before, b->q->code + b->target, part);
    fill(&b->layout, b->size, b->before + part, b->n - part);
    put_bytes(b, b->before + part, b->n - part);
    if (b->writer->put == put_rep_stos)
        return; /* these are all the same */
    fill(&b->layout, b->size, b->after, part);
    fill(&b->layout, b->size, b->after + part, b->n - part);
}

static void put_program(struct smc *b)
{
    unsigned target = b->target - b->operand;

    b->q->len = 0;
    put_atoms(b, (unsigned)rng_below(&b->layout, 8));
    if (b->how == BEHIND)
        put_target(b);
    if (b->how == SELF)
        put_self(b);
    else
        put_writer(b);
    if (b->how == AHEAD) {
        put_gap(b);
        put_target(b);
    }
    if (b->how == CALLED)
        put_jump(b, 0xe8, target);
    put_atoms(b, (unsigned)rng_below(&b->layout, 8));
    put_loop_end(b, 0);
    put(b, 0xcc);
    if (b->how == CALLED) {
        for (unsigned k = 0; k < b->gap; k++)
            put(b, 0xcc);
        put_target(b);
        put(b, 0xc3);
    }
}

/* -- Choices ----------------------------------------------------------------------------------- */

static unsigned pick_width(struct smc *b)
{
    unsigned n = 1u << rng_below(b->r, 7);
    if (b->writer->widths == 64)
        n = 1 + (unsigned)rng_below(b->r, TARGET_MAX);
    if (b->writer->put == put_push_any)
        n = stack_width(b);
    if (b->writer->put == put_rep_movs_wide)
        n = n + b->writer->arg - n % b->writer->arg;
    if (b->writer->put == put_fxsave)
        n = 64;
    if (b->writer->put == put_x87 && b->writer->widths == 10)
        n = 10;
    return n > TARGET_MAX ? TARGET_MAX : n;
}

static bool writes_width(const struct smc *b, unsigned n)
{
    const struct smc_writer *w = b->writer;
    bool general = w->widths < 16 && (w->widths & (w->widths - 1)) != 0;
    if (n == 8 && general && w->widths != 10 && b->size != CODE_64)
        return false;
    if (b->to_operand && n + b->operand > (b->size == CODE_64 ? 10 : b->size == CODE_32 ? 5 : 6))
        return false;
    return w->widths == 64 || w->widths == 10 || w->put == put_push_any || (w->widths & n) == n;
}

static bool pick_writer(struct smc *b)
{
    const struct smc_writer *w = b->writer = &writers[rng_below(b->r, WRITERS)];
    if ((w->long_only && b->size != CODE_64) || (w->legacy_only && b->size == CODE_64) ||
        (w->by_ds && b->by_cs))
        return false;
    b->to_operand = w->any || (w->widths < 16 && chance(b->r, 3));
    b->how = (enum layout)rng_below(b->r, LAYOUTS);
    if (b->how == SELF && b->to_operand)
        return false;
    /* The operand of MOV reg, imm (put_mov()). */
    b->operand = b->to_operand ? (b->size == CODE_32 ? 1 : 2) + (unsigned)rng_below(b->r, 4) : 0;
    b->n = pick_width(b);
    if (b->how == SELF)
        b->operand = 1 + (unsigned)rng_below(b->r, 4);
    return writes_width(b, b->n);
}

/* What the writer can't write otherwise. */
static void pick_bytes(struct smc *b)
{
    if (b->to_operand) {
        for (unsigned k = 0; k < b->n; k++) {
            b->before[k] = (uint8_t)rng_next(b->r);
            b->after[k] = (uint8_t)rng_next(b->r);
        }
    } else {
        fill(b->r, b->size, b->before, b->n);
        fill(b->r, b->size, b->after, b->n);
    }
    if (b->writer->put == put_rep_stos) {
        do
            fill(b->r, b->size, b->after, 1);
        while (b->after[0] == 0x0f);
        memset(b->after, b->after[0], b->n);
    }
}

/* Would the second time make anything of the atoms? */
static bool adds_up(const struct smc *b)
{
    return !b->to_operand &&
           (b->writer->put == put_xadd || (b->writer->put == put_arith && b->writer->arg != 0x30));
}

static void pick_rounds(struct smc *b)
{
    b->rounds = chance(b->r, 3) && b->how != BEHIND ? 1 : 2 + (unsigned)rng_below(b->r, ROUNDS_MAX);
    b->when = chance(b->r, 2) ? 1 + (unsigned)rng_below(b->r, b->rounds) : 0;
    if (adds_up(b) && b->when == 0 && b->rounds > 1)
        b->when = 1;
    if (b->when != 0 && chance(b->r, 2))
        b->beside = 1;
    b->gap = (unsigned)rng_below(b->r, chance(b->r, 2) ? 8 : chance(b->r, 2) ? 65 : 130);
    if (b->writer->put == put_fxsave && b->how != BEHIND)
        b->gap = 160 - (unsigned)rng_below(b->r, 20);
    b->jump_gap = chance(b->r, 2) || b->gap > 128;
    b->indirect = b->how == AHEAD && chance(b->r, 5);
}

/* Where the program stands: anywhere, in half of the cases across the pages' boundary. */
static void pick_start(struct smc *b)
{
    unsigned len = b->q->len, at = (unsigned)rng_below(b->r, CODE_SIZE - 1024);
    if (chance(b->r, 2))
        at = PAGE - (unsigned)rng_below(b->r, len);
    if (chance(b->r, 4)) /* the target across it */
        at = PAGE - b->target - (unsigned)rng_below(b->r, b->n + 1);
    b->q->start = at;
}

static void align_target(struct smc *b)
{
    unsigned align = b->writer->align;
    if (align != 0)
        b->q->start += (align - (b->q->start + b->target) % align) % align;
    if (b->beside != 0)
        b->beside = b->q->start > 1024 ? b->q->start - 64 - 16 * (b->target % 32)
                                       : b->q->start + 512 + 16 * (b->target % 32);
}

/* -- State ------------------------------------------------------------------------------------- */

static void set_state(struct smc *b)
{
    struct state *s = b->s;
    unsigned real = b->size == CODE_64 ? 8 : 4;

    s->rip = sequence_start(b->q);
    s->r[RBP] = b->rounds;
    s->r[RSP] = data_at(b, STACK);
    for (unsigned k = 0; k < real; k++)
        s->r[k == RSP ? RBX : k] &= b->size == CODE_64 ? UINT64_MAX : UINT32_MAX;
    s->eflags &= ~(uint32_t)EFL_DF;
    s->fx.mxcsr |= 0x1f80;
    memcpy(s->fx.xmm, b->after, TARGET_MAX);
    memcpy(b->mem + SOURCE, b->after, TARGET_MAX);
}

/* Where there are segments of 16 bits without paging, code can't be reached by data. */
static bool pick_mode(struct smc *b, enum guest_system system)
{
    bool paging = system != GUEST_REAL && system != GUEST_UNPAGED;

    b->by_cs =
        b->size == CODE_16 && (system == GUEST_REAL || (system == GUEST_V86 && chance(b->r, 2)));
    b->aliased = !b->by_cs && paging && (b->size == CODE_16 || chance(b->r, 3));
    return b->size != CODE_16 || b->by_cs || b->aliased;
}

bool gen_smc(const struct diff_maker *m, struct rng *r, uint64_t n, struct diff_case *out)
{
    struct sequence *q = &out->seq;
    struct smc b = {.r = r, .q = q, .s = &out->before, .mem = out->mem};

    gen_mode(n, out);
    b.size = q->size;
    r->data_base = data_base(q->size);
    gen_state(r, q->size, b.s);
    gen_memory(r, b.mem, RW_PAGES * PAGE);
    if (!pick_mode(&b, out->system))
        return false;
    while (!pick_writer(&b))
        continue;
    pick_bytes(&b);
    pick_rounds(&b);
    struct rng layout = *r;
    /* Until all that depends on where something is has come to rest. */
    for (unsigned pass = 0; pass < 4; pass++) {
        b.layout = layout;
        put_program(&b);
        if (q->len > sizeof(q->code))
            return false;
        if (pass == 0)
            pick_start(&b);
        if (pass == 1)
            align_target(&b);
    }
    set_state(&b);
    out->not_on_host = b.writer->put == put_fxsave; /* processors fill its fields differently */
    diff_find_rows(m->decoder, q);
    return q->start + q->len <= CODE_SIZE;
}
