/* SPDX-License-Identifier: MIT */
/* Every form of every instruction that is translated: the instruction table's rows, each with the
 * operands of a table of shapes. Shapes that a row does not have do not decode as the row. */
#include <string.h>

#include "jit/x64/emit.h"
#include "tests/golden/golden.h"

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

/* Which rows a shape is for. */
enum rows { ALL, BYTES, GENERAL, STRINGS, ADDRESSES };

/* Operands: prefixes, the ModRM byte, what follows it. ModRM.reg is 1 (ECX) and a register in
 * ModRM.rm 3 (EBX) but where the shape is about others. */
struct shape {
    enum rows rows;
    uint8_t prefix; /* 0: none */
    uint8_t rex;    /* REX_* */
    uint8_t modrm;
    const char *behind; /* SIB byte and displacement */
    uint8_t nbehind;
};

#define MODRM(mod, reg, rm)  ((mod) << 6 | (reg) << 3 | (rm))
#define REGISTERS            MODRM(3, 1, 3), "", 0
#define BASE_DISP            MODRM(1, 1, 3), "\x10", 1
#define BASE_INDEX           MODRM(1, 1, 4), "\xbe\x10", 2
#define MEMORY(mod, rm, ...) MODRM(mod, 1, rm), __VA_ARGS__

static const struct shape shapes32[] = {
    {ALL, 0, 0, REGISTERS},
    {ALL, 0x66, 0, REGISTERS},
    {BYTES, 0, 0, MODRM(3, 5, 7), "", 0}, /* CH and BH */
    {ALL, 0, 0, BASE_DISP},
    {ALL, 0x66, 0, BASE_DISP},
    {BYTES, 0, 0, MODRM(1, 5, 3), "\x10", 1}, /* memory and CH */
    {ALL, 0xf0, 0, BASE_DISP},
    {STRINGS, 0xf3, 0, REGISTERS},
    {STRINGS, 0xf2, 0, REGISTERS},
    {ADDRESSES, 0, 0, MEMORY(0, 3, "", 0)},
    {ADDRESSES, 0, 0, MEMORY(2, 3, "\x00\x20\x00\x00", 4)},
    {ADDRESSES, 0, 0, MEMORY(0, 5, "\x00\x20\x00\x00", 4)},
    {ADDRESSES, 0, 0, BASE_INDEX},
    {ADDRESSES, 0, 0, MEMORY(0, 4, "\x8d\x00\x20\x00\x00", 5)}, /* no base */
    {ADDRESSES, 0, 0, MEMORY(1, 4, "\x24\x10", 2)},             /* ESP */
    {ADDRESSES, 0, 0, MEMORY(1, 5, "\x10", 1)},                 /* EBP */
    {ADDRESSES, 0x65, 0, MEMORY(0, 5, "\x14\x00\x00\x00", 4)},
    {ADDRESSES, 0x67, 0, MEMORY(1, 0, "\x10", 1)},
};

static const struct shape shapes64[] = {
    {ALL, 0, 0, REGISTERS},
    {ALL, 0x66, 0, REGISTERS},
    {ALL, 0, REX_W, REGISTERS},
    {BYTES, 0, 0, MODRM(3, 5, 7), "", 0},                   /* CH and BH */
    {ALL, 0, REX_W | REX_R | REX_B, MODRM(3, 1, 2), "", 0}, /* R9 and R10, XMM9 and XMM10 */
    {GENERAL, 0, REX_W | REX_R, MODRM(3, 3, 3), "", 0},     /* R11 */
    {GENERAL, 0, REX_W | REX_B, MODRM(3, 1, 3), "", 0},     /* R11 in ModRM.rm */
    {ALL, 0, 0, BASE_DISP},
    {ALL, 0x66, 0, BASE_DISP},
    {ALL, 0, REX_W, BASE_DISP},
    {BYTES, 0, 0, MODRM(1, 5, 3), "\x10", 1},                   /* memory and CH */
    {ALL, 0, REX_W | REX_R | REX_B, MODRM(1, 1, 2), "\x10", 1}, /* R9 and [R10 + 10h] */
    {ALL, 0xf0, REX_W, BASE_DISP},
    {STRINGS, 0xf3, 0, REGISTERS},
    {STRINGS, 0xf3, REX_W, REGISTERS},
    {STRINGS, 0xf2, 0, REGISTERS},
    {ADDRESSES, 0, REX_W, MEMORY(0, 3, "", 0)},
    {ADDRESSES, 0, REX_W, MEMORY(2, 3, "\x00\x20\x00\x00", 4)},
    {ADDRESSES, 0, REX_W, MEMORY(0, 5, "\x00\x01\x00\x00", 4)}, /* RIP */
    {ADDRESSES, 0, REX_W, BASE_INDEX},
    {ADDRESSES, 0, REX_W | REX_X | REX_B, MEMORY(1, 4, "\xd1\x10", 2)}, /* [R9 + R10 * 8 + 10h] */
    {ADDRESSES, 0, REX_W, MEMORY(1, 4, "\x24\x10", 2)},                 /* RSP */
    {ADDRESSES, 0, REX_W | REX_B, MEMORY(1, 4, "\x24\x10", 2)},         /* R12 */
    {ADDRESSES, 0x65, REX_W, MEMORY(0, 4, "\x25\x14\x00\x00\x00", 5)},
    {ADDRESSES, 0x67, 0, BASE_DISP},
};

static const struct shape shapes16[] = {
    {ADDRESSES, 0, 0, REGISTERS},
    {ADDRESSES, 0x66, 0, REGISTERS},
    {ADDRESSES, 0, 0, MEMORY(1, 0, "\x10", 1)},
    {ADDRESSES, 0x66, 0, MEMORY(1, 0, "\x10", 1)},
    {ADDRESSES, 0, 0, MEMORY(0, 6, "\x00\x20", 2)},
    {ADDRESSES, 0, 0, MEMORY(1, 6, "\x10", 1)}, /* BP */
    {ADDRESSES, 0x26, 0, MEMORY(0, 4, "", 0)},
    {ADDRESSES, 0x67, 0, BASE_DISP},
    {STRINGS, 0, 0, REGISTERS},
    {STRINGS, 0xf3, 0, REGISTERS},
};

static const struct {
    const struct shape *shape;
    unsigned count;
} shapes[CODE_SIZES] = {
#define SHAPES(table)                                                                              \
    {                                                                                              \
        table, sizeof(table) / sizeof(table[0])                                                    \
    }
    [CODE_64] = SHAPES(shapes64),
    [CODE_32] = SHAPES(shapes32),
    [CODE_16] = SHAPES(shapes16),
#undef SHAPES
};

/* Instructions that stand for all others where it is about addresses, and in 16-bit code. */
static bool shows_addresses(const struct op_row *row)
{
    static const struct {
        const char *name, *operands;
    } some[] = {{"MOV", "Ev,Gv"},  {"MOV", "Gv,Ev"}, {"MOV", "Eb,Gb"}, {"ADD", "Ev,Gv"},
                {"ADD", "Gv,Ev"},  {"CMP", "Ev,Ib"}, {"LEA", "Gv,M"},  {"MOVZX", "Gv,Eb"},
                {"MOVAPS", "V,W"}, {"PUSH", "Ev"},   {"POP", "Ev"},    {"CALL", "Ev"},
                {"JMP", "Ev"},     {"PUSH", "Zv"},   {"POP", "Zv"},    {"CALL", "Jz"},
                {"RET", ""}};
    for (unsigned k = 0; k < sizeof(some) / sizeof(some[0]); k++)
        if (strcmp(row->name, some[k].name) == 0 && strcmp(row->operands, some[k].operands) == 0)
            return true;
    return false;
}

static bool has_bytes(const struct row_info *info)
{
    for (unsigned k = 0; k < info->count; k++)
        if (info->operand[k].is_byte && info->operand[k].kind != K_I)
            return true;
    return false;
}

static bool is_for(const struct golden *g, const struct shape *s, unsigned row)
{
    switch (s->rows) {
    case BYTES: return has_bytes(decoder_row(g->c->decoder, row));
    case GENERAL: return !(g->j->backend->rules[row].how & (RULE_FP | RULE_X87));
    case STRINGS: return optab[row].attr & ATTR_STR;
    case ADDRESSES: return shows_addresses(&optab[row]);
    default: return true;
    }
}

/* -- Encoding ---------------------------------------------------------------------------------- */

struct bytes {
    uint8_t b[32];
    unsigned n;
};

static void put(struct bytes *e, unsigned byte)
{
    e->b[e->n++] = (uint8_t)byte;
}

static void put_opcode(struct bytes *e, const struct op_row *row, const struct shape *s,
                       enum code_size size)
{
    static const uint8_t mandatory[] = {[PFX_66] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2};
    static const uint8_t pp[] = {[PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3};
    unsigned map = row->map & 3;

    if (row->map & MAP_VEX) {
        bool third = strchr(row->operands, 'B') != NULL || strchr(row->operands, 'H') != NULL;
        put(e, 0xc4);
        put(e, (~s->rex & 7u) << 5 | map);
        put(e, (s->rex & REX_W ? 0x80u : 0) | (third ? 15u - 6 : 15) << 3 | pp[row->prefix]);
        put(e, row->opcode);
        return;
    }
    if (row->prefix != PFX_ANY && mandatory[row->prefix] != 0)
        put(e, mandatory[row->prefix]);
    if (size == CODE_64 && s->rex != 0)
        put(e, 0x40u | s->rex);
    if (map > 0)
        put(e, 0x0f);
    if (map > 1)
        put(e, map == 2 ? 0x38 : 0x3a);
    put(e, row->opcode + (row->operands[0] == 'Z' ? s->modrm & 7u : 0));
}

/* What follows the opcode: `modrm` or none, and an immediate that suits branches, too. */
static void put_rest(struct bytes *e, const struct shape *s, int modrm)
{
    if (modrm >= 0) {
        put(e, (unsigned)modrm);
        for (unsigned k = 0; k < s->nbehind; k++)
            put(e, (uint8_t)s->behind[k]);
    }
    put(e, 2);
    put(e, 1);
    while (e->n < sizeof(e->b))
        put(e, 0);
}

static bool is_row(const struct golden *g, struct bytes *e, unsigned row, int modrm)
{
    struct insn i;

    if (decode(g->c, &i, e->b, sizeof(e->b)) != DECODE_OK || i.op != row ||
        i.modrm != (modrm >= 0 ? modrm : 0))
        return false;
    e->n = i.len;
    return true;
}

/* The row with these operands: the opcode may be extended by ModRM.reg, or by all of ModRM. */
static bool encode(const struct golden *g, unsigned row, const struct shape *s, enum code_size size,
                   struct bytes *out)
{
    static const uint8_t more[] = {0, 0xf3, 0xf2};
    unsigned extensions = s->modrm >> 6 == 3 ? 64 : 8;

    for (unsigned p = 0; p < sizeof(more); p++) {
        struct bytes head = {.n = 0};
        if (s->prefix != 0)
            put(&head, s->prefix);
        if (more[p] != 0)
            put(&head, more[p]);
        put_opcode(&head, &optab[row], s, size);
        for (unsigned k = 0; k < extensions; k++) {
            int modrm = s->modrm ^ (int)((k & 7) << 3 | k >> 3);
            *out = head;
            put_rest(out, s, modrm);
            if (is_row(g, out, row, modrm))
                return true;
        }
        *out = head;
        put_rest(out, s, -1);
        if (is_row(g, out, row, -1))
            return true;
    }
    return false;
}

/* -- Translating ------------------------------------------------------------------------------- */

/* In front of each form, so that the registers that it uses are the guest's already: FNOP and
 * XORPS XMM0, XMM0. */
static const uint8_t warm_up[] = {0xd9, 0xd0, 0x0f, 0x57, 0xc0};
#define WARM_UP 2 /* instructions */

static void write_form(struct golden *g, enum code_size size, const struct bytes *e)
{
    struct bytes code = {.n = 0};
    const struct code *x;

    for (unsigned k = 0; k < sizeof(warm_up); k++)
        put(&code, warm_up[k]);
    for (unsigned k = 0; k < e->n; k++)
        put(&code, e->b[k]);
    put(&code, 0x90); /* so that a block that goes on behind it is not cut there */
    golden_put_code(g, size, code.b, code.n);
    x = golden_translate(g, size, 0);
    if (x != NULL)
        golden_write_cost(g, x, WARM_UP);
}

#define MAX_FORMS 32

/* Different bytes may mean the same: the operand size of an instruction that has none. */
static bool is_news(char (*texts)[GUEST_TEXT], unsigned *n, const char *text)
{
    for (unsigned k = 0; k < *n; k++)
        if (strcmp(texts[k], text) == 0)
            return false;
    snprintf(texts[(*n)++], GUEST_TEXT, "%s", text);
    return true;
}

void golden_write_forms(struct golden *g, enum code_size size)
{
    golden_put_code(g, size, NULL, 0);
    for (unsigned row = 0; row < optab_count; row++) {
        char texts[MAX_FORMS][GUEST_TEXT], text[GUEST_TEXT];
        unsigned ntexts = 0;
        if (g->j->backend->rules[row].emit == NULL || optab[row].attr & ATTR_NOALIAS)
            continue;
        for (unsigned k = 0; k < shapes[size].count; k++) {
            const struct shape *s = &shapes[size].shape[k];
            struct bytes e;
            if (!is_for(g, s, row) || !encode(g, row, s, size, &e))
                continue;
            guest_text(size, e.b, e.n, 0, text);
            if (!is_news(texts, &ntexts, text))
                continue;
            write_form(g, size, &e);
            fprintf(g->out, "  %s\n", text);
        }
    }
}
