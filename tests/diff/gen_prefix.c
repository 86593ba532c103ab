/* SPDX-License-Identifier: MIT */
/* Prefixes: the last instruction of a random sequence gets some more, in any order and number, up
 * to and over 15 bytes; REX in front of legacy prefixes; LOCK; whatever there is in front of VEX;
 * or its opcode becomes one that does not exist; or the page ends in the middle of it. */
#include <Zydis/Zydis.h>
#include <string.h>

#include "tests/diff/gen_shapes.h"
#include "tests/diff/insn_build.h"
#include "tests/diff/insn_maker.h"

#define ROOM 40u /* for the last instruction */

struct prefixed {
    struct rng *r;
    enum code_size size;
    uint8_t code[ROOM]; /* breakpoints behind it */
    unsigned len;
    unsigned prefixes; /* of its bytes */
};

static bool is_legacy(uint8_t byte)
{
    static const uint8_t legacy[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                     0x66, 0x67, 0xf0, 0xf2, 0xf3};
    return memchr(legacy, byte, sizeof(legacy)) != NULL;
}

static uint8_t random_prefix(struct prefixed *p)
{
    static const uint8_t some[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x66,
                                   0x67, 0x67, 0xf0, 0xf2, 0xf2, 0xf3, 0xf3};
    if (p->size == CODE_64 && rng_below(p->r, 4) == 0)
        return (uint8_t)(0x40 | rng_below(p->r, 16));
    return some[rng_below(p->r, sizeof(some))];
}

static void insert(struct prefixed *p, unsigned at, uint8_t byte)
{
    if (p->len == ROOM)
        return;
    memmove(p->code + at + 1, p->code + at, ROOM - 1 - at);
    p->code[at] = byte;
    p->len++;
    p->prefixes++;
}

static void find_prefixes(struct prefixed *p)
{
    p->prefixes = 0;
    while (p->prefixes < p->len && (is_legacy(p->code[p->prefixes]) ||
                                    (p->size == CODE_64 && (p->code[p->prefixes] & 0xf0) == 0x40)))
        p->prefixes++;
}

/* -- Changes ----------------------------------------------------------------------------------- */

static void add_some(struct prefixed *p)
{
    unsigned n = 1 + (unsigned)rng_below(p->r, rng_below(p->r, 4) == 0 ? 14 : 3);

    for (; n != 0; n--)
        insert(p, (unsigned)rng_below(p->r, p->prefixes + 1), random_prefix(p));
}

static void add_lock(struct prefixed *p)
{
    insert(p, 0, 0xf0);
}

/* The same one again and again, to 13 to 17 bytes. */
static void add_many(struct prefixed *p)
{
    unsigned len = 13 + (unsigned)rng_below(p->r, 5);
    uint8_t byte = random_prefix(p);

    while (p->len < len)
        insert(p, 0, byte);
}

static void change_opcode(struct prefixed *p)
{
    static const uint8_t maps[4][2] = {{0}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
    static const unsigned map_len[4] = {0, 1, 2, 2};
    unsigned map = (unsigned)rng_below(p->r, 4), n = p->prefixes;

    memcpy(p->code + n, maps[map], map_len[map]);
    n += map_len[map];
    for (unsigned k = 0; k < 12; k++)
        p->code[n++] = (uint8_t)rng_next(p->r);
    p->len = n;
}

/* VEX or EVEX, with any contents, behind what is there. */
static void change_to_vex(struct prefixed *p)
{
    static const uint8_t first[] = {0xc4, 0xc5, 0x62};
    unsigned n = p->prefixes;

    p->code[n++] = first[rng_below(p->r, 3)];
    for (unsigned k = 0; k < 14; k++)
        p->code[n++] = (uint8_t)rng_next(p->r);
    p->code[p->prefixes + 1] |= 0xc0; /* no instruction of 32-bit code */
    p->len = n;
}

static void change_nothing(struct prefixed *p)
{
    (void)p;
}

static const struct change {
    void (*make)(struct prefixed *p);
    unsigned share;
    bool opcode; /* another instruction */
    bool whole;  /* how long it is depends on what the host has */
} changes[] = {
    {add_some, 10, false, false},   {add_lock, 2, false, false},
    {add_many, 4, false, false},    {change_opcode, 4, true, false},
    {change_to_vex, 1, true, true}, {change_nothing, 3, false, false},
};

static const struct change *pick_change(struct rng *r)
{
    const struct change *c = changes;
    unsigned k = (unsigned)rng_below(r, 24);

    while (k >= c->share)
        k -= c++->share;
    return c;
}

/* -- What may run ------------------------------------------------------------------------------ */

/* Does the disassembler know it? Then it may be an instruction that the host has and Calque has
 * not. */
static bool is_known(const struct prefixed *p)
{
    static const struct {
        ZydisMachineMode mode;
        ZydisStackWidth stack;
    } modes[CODE_SIZES] = {{ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
                           {ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32},
                           {ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_16}};
    ZydisDecoder d;
    ZydisDecodedInstruction z;
    ZydisDecoderContext ctx;

    ZydisDecoderInit(&d, modes[p->size].mode, modes[p->size].stack);
    return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&d, &ctx, p->code, ROOM, &z));
}

/* Undefined, or with an operand that nobody has set up. */
static bool is_wild(const struct op_row *row, const struct insn *i, unsigned was)
{
    static const char *const undefined[] = {"BSWAP", "SHLD", "SHRD"};

    for (unsigned k = 0; k < 3; k++)
        if (strcmp(row->name, undefined[k]) == 0 && i->osz == 1)
            return true;
    return i->op != was && (gen_left_out(row) != NULL || special_find(row) != NULL ||
                            strncmp(row->name, "INT", 3) == 0);
}

/* *strange: not an instruction. */
static bool may_run(const struct diff_maker *m, struct prefixed *p, unsigned was, gen_avoid avoid,
                    bool *strange)
{
    struct insn i;

    guest_set_mode(m->decoder, p->size);
    enum decode_status status = decode(m->decoder, &i, p->code, ROOM);
    *strange = status != DECODE_OK;
    if (*strange)
        return status == DECODE_LONG || !is_known(p);
    /* What is behind it would be more of the operand that it had before. */
    if (i.len < p->len)
        memset(p->code + i.len, 0xcc, ROOM - i.len);
    p->len = i.len;
    const struct op_row *row = &optab[i.op];
    return !is_wild(row, &i, was) &&
           (avoid == NULL || !avoid(&(struct gen_choice){row, &i, p->code, p->size, true}));
}

/* Of what is no instruction, or too long for one: do processors vary in how much of it they fetch?
 *   - Near branches with 66h in 64-bit code: see insn_maker.c.
 *   - VEX and EVEX behind REX: to some byte of the prefix.
 *   - 8Fh with ModRM.reg other than 0, which is XOP on AMD's processors.
 *   - 62h, which may be an EVEX instruction that the disassembler does not know.
 * LOCK in front of MOV to and from control registers and of VERR and VERW goes with them: AMD's
 * processors do more before they find it. */
static bool is_fetched_differently(const struct prefixed *p)
{
    const uint8_t *opcode = p->code + p->prefixes;
    bool rex = p->size == CODE_64 && p->prefixes != 0 && opcode[-1] >> 4 == 4;
    bool vex = opcode[0] == 0xc4 || opcode[0] == 0xc5 || opcode[0] == 0x62;
    bool branch = opcode[0] == 0x0f ? opcode[1] >> 4 == 8 : (opcode[0] & 0xfe) == 0xe8;
    bool late = opcode[0] == 0x0f && ((opcode[1] & 0xfd) == 0x20 || opcode[1] == 0);

    return (rex && vex) || opcode[0] == 0x8f || opcode[0] == 0x62 ||
           (branch && p->size == CODE_64 && memchr(p->code, 0x66, p->prefixes) != NULL) ||
           (late && memchr(p->code, 0xf0, p->prefixes) != NULL);
}

/* UD0, UD1, and 0FA6 and 0FA7, which are none, have no ModRM on AMD's processors. */
static bool has_no_modrm(const struct prefixed *p)
{
    const uint8_t *opcode = p->code + p->prefixes;

    return opcode[0] == 0x0f &&
           (opcode[1] == 0xff || opcode[1] == 0xb9 || (opcode[1] & 0xfe) == 0xa6);
}

/* -- Cases ------------------------------------------------------------------------------------- */

/* The last instruction is what *p says; `kept` bytes of it are there. */
static bool put_back(struct sequence *q, const struct prefixed *p, unsigned kept)
{
    unsigned at = q->insn[q->count - 1].at;

    if (at + p->len > sizeof(q->code))
        return false;
    memset(q->code + at, 0, sizeof(q->code) - at);
    memcpy(q->code + at, p->code, kept);
    q->len = at + kept;
    q->insn[q->count - 1].len = (uint8_t)kept;
    return true;
}

/* In a third of the cases the page's end is the sequence's, in a third of these it is too early. */
static void to_the_end(struct rng *r, struct sequence *q, const struct prefixed *p, unsigned *kept)
{
    if (rng_below(r, 3) != 0)
        return;
    if (rng_below(r, 3) == 0)
        *kept = 1 + (unsigned)rng_below(r, p->len);
    q->start = CODE_SIZE - q->insn[q->count - 1].at - *kept;
}

bool gen_prefix(const struct diff_maker *m, struct rng *r, uint64_t n, struct diff_case *out)
{
    struct sequence *q = &out->seq;
    unsigned row = (unsigned)(n / GEN_MODES % optab_count), kept;

    gen_mode(n, out);
    gen_avoid avoid = gen_avoids(m, out->system);
    if (!gen_has_row(m->gen, q->size, row) ||
        (m->only != NULL && strcmp(m->only, optab[row].name) != 0))
        return false;
    r->data_base = data_base(q->size);
    gen_set(m->gen, avoid, false);
    enum code_size size = q->size;
    const struct change *change = pick_change(r);
    if (!gen_sequence(m->gen, r, size, row, 1 + change->opcode, q))
        return false;
    struct prefixed p = {.r = r, .size = size, .len = q->insn[q->count - 1].len};
    memset(p.code, 0xcc, ROOM);
    memcpy(p.code, q->code + q->insn[q->count - 1].at, p.len);
    find_prefixes(&p);
    change->make(&p);
    find_prefixes(&p); /* what was put in may begin with some */
    bool strange;
    if (!may_run(m, &p, row, avoid, &strange))
        return false;
    out->not_on_host = has_no_modrm(&p) || (strange && is_fetched_differently(&p));
    kept = p.len;
    if (!change->whole)
        to_the_end(r, q, &p, &kept);
    if (!put_back(q, &p, kept))
        return false;
    gen_state(r, size, &out->before);
    out->before.rip = sequence_start(q);
    gen_memory(r, out->mem, RW_PAGES * PAGE);
    return diff_find_rows(m->decoder, q) && q->count != 0;
}
