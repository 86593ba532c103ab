/* SPDX-License-Identifier: MIT */
/* What instructions need that take selectors: segment loads, far transfers, questions about
 * descriptors. Selectors lead to the descriptors of insn_segs.c. A far transfer goes to what
 * follows it, as a rule; one that changes the code's segment ends the sequence. */
#include <string.h>

#include "tests/diff/insn_build.h"
#include "tests/diff/insn_segs.h"

enum special_kind {
    SELECTOR_OPERAND, /* a register or memory holds a selector */
    SELECTOR_POPPED,
    POINTER_LOADED, /* in memory */
    JUMP_DIRECT,
    JUMP_INDIRECT,
    RETURN_FAR,
    RETURN_INTERRUPT,
    INTERRUPT,
    IMAGE,          /* of 512 bytes and more */
    EXTENDED_IMAGE, /* EDX:EAX says of what */
    CONTROL_REGISTER,
};

/* names: NULL: any. operands: how they begin. */
struct special {
    enum special_kind kind;
    const char *names, *operands;
    bool loads; /* a data segment, which is then looked at */
};

static const struct special specials[] = {
    {SELECTOR_OPERAND, " MOV ", "Sw", true},
    {SELECTOR_OPERAND, " LAR LSL VERR VERW ", "", false},
    {SELECTOR_POPPED, " POP ", "S", true},
    {POINTER_LOADED, " LDS LES LFS LGS LSS ", "", true},
    {JUMP_DIRECT, NULL, "Ap", false},
    {JUMP_INDIRECT, NULL, "Mp", false},
    {RETURN_INTERRUPT, " IRET IRETD IRETQ ", "", false},
    {INTERRUPT, " INT ", "", false},
    {RETURN_FAR, " RET ", "", false},
    {IMAGE, " FXSAVE FXSAVE64 FXRSTOR FXRSTOR64 ", "", false},
    {EXTENDED_IMAGE, " XSAVE XSAVE64 XSAVEOPT XSAVEOPT64 XRSTOR XRSTOR64 ", "", false},
    {CONTROL_REGISTER, " XGETBV ", "", false},
};

const struct special *special_find(const struct op_row *row)
{
    char name[32] = " ";
    strncat(name, row->name, sizeof(name) - 3);
    strcat(name, " ");
    for (size_t k = 0; k < sizeof(specials) / sizeof(specials[0]); k++) {
        const struct special *p = &specials[k];
        if (p->kind == RETURN_FAR && row->opcode < 0xca)
            continue;
        if ((p->names == NULL || strstr(p->names, name) != NULL) &&
            strncmp(row->operands, p->operands, strlen(p->operands)) == 0)
            return p;
    }
    return NULL;
}

/* -- Selectors --------------------------------------------------------------------------------- */

static uint16_t level(struct rng *r)
{
    return chance(r, 8) ? (uint16_t)rng_below(r, 4) : 3;
}

/* One of the table's entries, mostly; or of the GDT's, null, or behind the tables' ends. */
static uint16_t any_selector(struct rng *r)
{
    uint16_t sel;
    switch (rng_below(r, 8)) {
    case 0: sel = (uint16_t)(rng_below(r, GDT_COUNT + 2) << 3); break;
    case 1: sel = (uint16_t)((ldt_count + rng_below(r, 3)) << 3 | 4); break;
    case 2: return (uint16_t)rng_below(r, 4);
    case 3: sel = chance(r, 2) ? USER_DS & ~7u : (USER32_CS & ~7u) + (rng_below(r, 3) << 3); break;
    default: sel = (uint16_t)(rng_below(r, ldt_count) << 3 | 4); break;
    }
    return (sel & ~7u) == CPU_SEL ? USER_DS : sel | level(r);
}

/* One that MOV to SS and other loads of data segments take, more often than not. */
static uint16_t data_selector(struct rng *r)
{
    for (unsigned tries = 0; tries < 8 && !chance(r, 8); tries++) {
        unsigned k = (unsigned)rng_below(r, ldt_count);
        if (!(ldt_entries[k].type & LDT_CODE_TYPE) && !ldt_entries[k].absent)
            return (uint16_t)(k << 3 | 4 | level(r));
    }
    return any_selector(r);
}

static uint16_t own_code(const struct builder *b)
{
    static const uint16_t cs[CODE_SIZES] = {USER_CS, USER32_CS, LDT_CODE};
    return cs[b->q->size];
}

static uint16_t code_selector(struct rng *r)
{
    for (unsigned tries = 0; tries < 8; tries++) {
        unsigned k = (unsigned)rng_below(r, ldt_count);
        if (ldt_entries[k].type & LDT_CODE_TYPE)
            return (uint16_t)(k << 3 | 4 | level(r));
    }
    return chance(r, 2) ? USER_CS : USER32_CS;
}

/* -- Stores ------------------------------------------------------------------------------------ */

static void emit_stack_head(struct builder *b, unsigned osz, unsigned at)
{
    static const uint8_t wide[CODE_SIZES][3] = {{0x48}, {0}, {0x67, 0x66}};
    static const uint8_t wide_len[CODE_SIZES] = {1, 0, 2};
    static const uint8_t word[CODE_SIZES][3] = {{0x66}, {0x66}, {0x67}};
    const uint8_t tail[4] = {0xc7, 0x44, 0x24, (uint8_t)at};
    if (osz == 1)
        emit(b, word[b->q->size], 1);
    else if (osz == 3 || b->q->size != CODE_64)
        emit(b, wide[b->q->size], wide_len[b->q->size]);
    emit(b, tail, 4);
}

/* MOV [rSP + slot], imm of the operand size; in 64-bit code sign-extended. */
static void emit_stack(struct builder *b, unsigned osz, unsigned slot, uint64_t v)
{
    emit_stack_head(b, osz, slot << osz);
    emit(b, &v, osz == 1 ? 2 : 4);
}

bool emit_data(struct builder *b, uint64_t target, uint32_t v)
{
    static const uint8_t head[CODE_SIZES][3] = {{0xc7, 0x04, 0x25}, {0xc7, 0x05}, {0x66, 0xc7, 6}};
    static const uint8_t head_len[CODE_SIZES] = {3, 2, 3};
    enum code_size size = b->q->size;
    uint64_t off = target + b->r->data_base - DATA_LA;
    if (off + 4 > RW_PAGES * PAGE)
        return false;
    emit(b, head[size], head_len[size]);
    emit(b, &target, size == CODE_16 ? 2 : 4);
    emit(b, &v, 4);
    return true;
}

/* -- Far pointers ------------------------------------------------------------------------------ */

/* Where a far transfer goes: a selector, and an offset that special_finish() fills in, or one
 * that leads astray. */
struct target {
    uint16_t sel;
    uint64_t off;
    bool behind; /* the instruction: the offset is to be filled in */
};

static struct target choose_target(struct builder *b, unsigned osz)
{
    struct target t = {.sel = own_code(b), .behind = true};
    if (!b->last)
        return t;
    switch (rng_below(b->r, 4)) {
    case 0: t.sel = any_selector(b->r); break;
    case 1: t.sel = (uint16_t)((t.sel & ~3u) | level(b->r)); break;
    default: t.sel = code_selector(b->r); break;
    }
    if (!chance(b->r, 6))
        return t;
    t.behind = false;
    t.off = chance(b->r, 2) ? rng_next(b->r) >> rng_below(b->r, 64) : 0x20 + rng_below(b->r, 0x40);
    if (osz < 3)
        t.off &= osz == 1 ? 0xffff : 0xffffffff;
    return t;
}

static bool is_reachable(const struct builder *b, unsigned osz)
{
    return b->last || osz > 1 || b->q->size == CODE_16;
}

static void fix(struct builder *b, unsigned at, unsigned len, const struct target *t)
{
    if (!t->behind)
        return;
    b->fix_at = at;
    b->fix_len = len;
    b->fix_sel = t->sel;
}

void special_finish(struct builder *b, const struct insn *i, struct encoding *e)
{
    struct sequence *q = b->q;
    if (b->fix_len == 0)
        return;
    uint64_t off = CODE_LA + q->start + q->len + i->len + b->skip - segment_base(b->fix_sel);
    if (b->fix_at >= q->len) /* in the instruction itself */
        memcpy(e->b + (b->fix_at - q->len), &off, b->fix_len);
    else
        memcpy(q->code + b->fix_at, &off, b->fix_len);
    b->fix_len = 0;
}

/* off:sel at the operand, as three stores, the selector's last. */
static void store_pointer(struct builder *b, const struct insn *i, uint64_t target,
                          const struct target *t)
{
    if (!emit_data(b, target, (uint32_t)t->off))
        return;
    fix(b, b->q->len - 4, i->osz == 1 ? 2 : 4, t);
    if (i->osz == 3)
        emit_data(b, target + 4, (uint32_t)(t->off >> 32));
    emit_data(b, target + (1u << i->osz), t->sel | (uint32_t)rng_next(b->r) << 16);
}

/* -- Kinds ------------------------------------------------------------------------------------- */

static void prepare_operand(struct builder *b, const struct special *p, const struct insn *i,
                            uint64_t target)
{
    uint16_t sel = p->loads ? data_selector(b->r) : any_selector(b->r);
    uint32_t v = sel | (uint32_t)rng_next(b->r) << 16;
    if (i->mem)
        emit_data(b, target, v);
    else
        emit_mov(b, i->src / 8u, v | rng_next(b->r) << 32);
}

static void prepare_loaded(struct builder *b, const struct insn *i, uint64_t target)
{
    struct target t = {.sel = data_selector(b->r), .off = rng_next(b->r)};
    store_pointer(b, i, target, &t);
}

/* The operand of JMP and CALL: the last bytes of the instruction. */
static bool prepare_direct(struct builder *b, const struct insn *i, struct encoding *e)
{
    unsigned n = i->osz == 1 ? 2 : 4;
    struct target t = choose_target(b, i->osz);
    if (!is_reachable(b, i->osz))
        return false;
    memcpy(e->b + i->len - 2 - n, &t.off, n);
    memcpy(e->b + i->len - 2, &t.sel, 2);
    fix(b, b->q->len + i->len - 2 - n, n, &t);
    return true;
}

static bool prepare_indirect(struct builder *b, const struct insn *i, uint64_t target)
{
    struct target t = choose_target(b, i->osz);
    if (!is_reachable(b, i->osz))
        return false;
    store_pointer(b, i, target, &t);
    return b->last || b->fix_len != 0;
}

static bool prepare_return(struct builder *b, const struct insn *i)
{
    struct target t = choose_target(b, i->osz);
    if (!is_reachable(b, i->osz))
        return false;
    emit_stack(b, i->osz, 0, t.off);
    fix(b, b->q->len - (i->osz == 1 ? 2 : 4), i->osz == 1 ? 2 : 4, &t);
    emit_stack(b, i->osz, 1, t.sel);
    return true;
}

/* Without TF. What user mode can't change is there too. */
static uint32_t random_flags(struct rng *r)
{
    uint32_t odd = EFL_NT | EFL_RF | EFL_VM | EFL_AC | EFL_VIF | EFL_VIP | EFL_ID;
    uint32_t v = (uint32_t)rng_next(r) & (EFL_ARITH | EFL_DF | EFL_IF | EFL_IOPL);
    return chance(r, 2) ? v : v | ((uint32_t)rng_next(r) & (uint32_t)rng_next(r) & odd);
}

static bool prepare_iret(struct builder *b, const struct insn *i)
{
    if (!prepare_return(b, i))
        return false;
    emit_stack(b, i->osz, 2, random_flags(b->r));
    if (b->q->size != CODE_64)
        return true;
    emit_stack(b, i->osz, 3, DATA_LA + PAGE + 512 + rng_below(b->r, 64) * 8);
    emit_stack(b, i->osz, 4, chance(b->r, 2) ? USER_DS : data_selector(b->r));
    return b->last || i->osz > 1;
}

/* Not the kernel's own. */
#define LINUX_SYSCALL 0x80

static bool prepare_interrupt(struct builder *b, const struct insn *i, struct encoding *e)
{
    unsigned vec = (unsigned)rng_below(b->r, chance(b->r, 2) ? 8 : 256);
    e->b[i->len - 1] = (uint8_t)(vec == LINUX_SYSCALL ? VEC_OF : vec);
    return true;
}

/* All of it where it may be written, and aligned, as a rule. */
static uint64_t move_image(struct rng *r, uint64_t target, unsigned size, unsigned alignment)
{
    uint64_t off = (target + r->data_base - DATA_LA) % (RW_PAGES * PAGE - size);
    return DATA_LA - r->data_base + (chance(r, 16) ? off : off & ~(uint64_t)(alignment - 1));
}

#define IMAGE_MXCSR  24
#define IMAGE_HEADER 512
#define MXCSR_MM     0x20000u /* valid on AMD's */

static void put_mxcsr(struct builder *b, const struct op_row *row, uint64_t target)
{
    uint32_t v = (uint32_t)rng_next(b->r) & (chance(b->r, 8) ? ~MXCSR_MM : 0xffff);
    if (strstr(row->name, "RSTOR") != NULL)
        emit_data(b, target + IMAGE_MXCSR, v);
}

static void prepare_image(struct builder *b, const struct op_row *row, uint64_t *target)
{
    *target = move_image(b->r, *target, 512, 16);
    put_mxcsr(b, row, *target);
}

/* MOV EDI, header; MOV ECX, 16; XOR EAX, EAX; CLD; REP STOSD */
static void clear_header(struct builder *b, uint64_t header)
{
    static const uint8_t code[] = {0x31, 0xc0, 0xfc, 0xf3, 0xab};
    static const uint8_t code16[] = {0x66, 0x31, 0xc0, 0xfc, 0xf3, 0x66, 0xab};
    emit_mov(b, RDI, header);
    emit_mov(b, RCX, 16);
    if (b->q->size == CODE_16)
        emit(b, code16, sizeof(code16));
    else
        emit(b, code, sizeof(code));
}

/* Of x87 and SSE state, which all processors have, and of states that nobody has. */
static bool prepare_extended(struct builder *b, const struct op_row *row, const struct insn *i,
                             uint64_t *target)
{
    uint32_t bits = (uint32_t)rng_next(b->r) & 3;
    if (i->base == RAX || i->base == RDX || i->idx == RAX || i->idx == RDX)
        return false;
    *target = move_image(b->r, *target, 640, 64);
    put_mxcsr(b, row, *target);
    if (strstr(row->name, "RSTOR") != NULL) {
        clear_header(b, *target + IMAGE_HEADER);
        emit_data(b, *target + IMAGE_HEADER, bits | (chance(b->r, 8) ? 1u << 30 : 0));
        if (chance(b->r, 16))
            emit_data(b, *target + IMAGE_HEADER + 8 + (unsigned)rng_below(b->r, 12), 1);
    }
    bits = chance(b->r, 2) ? 3 : (uint32_t)rng_next(b->r) & 3;
    emit_mov(b, RAX, bits | (chance(b->r, 2) ? 0xfff00000u : 0));
    emit_mov(b, RDX, chance(b->r, 2) ? rng_next(b->r) & 0x3fffffff : 0);
    return true;
}

/* 1 names a register that not all processors have. */
static void prepare_control(struct builder *b)
{
    uint32_t n = chance(b->r, 3) ? (uint32_t)rng_next(b->r) >> rng_below(b->r, 30) : 0;
    emit_mov(b, RCX, n == 1 ? 0 : n);
}

bool special_prepare(struct builder *b, const struct special *p, const struct op_row *row,
                     const struct insn *i, struct encoding *e, uint64_t *at)
{
    uint64_t target = *at;
    b->fix_len = 0;
    if (p->kind >= JUMP_DIRECT && p->kind <= RETURN_INTERRUPT)
        b->skip = (unsigned)rng_below(b->r, 4);
    switch (p->kind) {
    case SELECTOR_OPERAND: prepare_operand(b, p, i, target); return true;
    case SELECTOR_POPPED: emit_stack(b, i->osz, 0, data_selector(b->r)); return true;
    case POINTER_LOADED: prepare_loaded(b, i, target); return true;
    case JUMP_DIRECT: return prepare_direct(b, i, e);
    case JUMP_INDIRECT: return prepare_indirect(b, i, target);
    case RETURN_FAR: return prepare_return(b, i);
    case RETURN_INTERRUPT: return prepare_iret(b, i);
    case INTERRUPT: return prepare_interrupt(b, i, e);
    case IMAGE: prepare_image(b, row, at); return true;
    case EXTENDED_IMAGE: return prepare_extended(b, row, i, at);
    case CONTROL_REGISTER: prepare_control(b); return true;
    }
    return false;
}

/* -- Looking at a segment that was loaded ------------------------------------------------------ */

static unsigned loaded_segment(const struct op_row *row, const struct insn *i)
{
    static const struct {
        const char *name;
        unsigned sreg;
    } pointers[] = {
        {"LES", SEG_ES}, {"LDS", SEG_DS}, {"LSS", SEG_SS}, {"LFS", SEG_FS}, {"LGS", SEG_GS}};
    for (size_t k = 0; k < sizeof(pointers) / sizeof(pointers[0]); k++)
        if (strcmp(pointers[k].name, row->name) == 0)
            return pointers[k].sreg;
    return is_named(row, "POP") ? (unsigned)(row->operands[1] - '0') : i->dst;
}

/* An offset that a check of the limit may stumble over. */
static uint32_t near_limit(struct rng *r)
{
    static const uint32_t limits[] = {0,      0x47,   0x8f,       0x7ff,     0xfff,
                                      0x1003, 0x1fff, 0xffff,     0x1ffff,   0xfffff,
                                      0x2000, 0x200,  0xffffffff, 0x20010000};
    return limits[rng_below(r, sizeof(limits) / sizeof(limits[0]))] + (uint32_t)rng_below(r, 24) -
           16;
}

/* op reg/mem with the segment's prefix and a displacement of 32 bits. */
void special_follow(struct builder *b, const struct special *p, const struct op_row *row,
                    const struct insn *i)
{
    static const uint8_t prefixes[SEG_COUNT] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    /* MOV to and from memory of 1 and 4 bytes, MOVLPS, XCHG, MOVZX */
    static const uint8_t ops[][2] = {{0x8a},       {0x8b},       {0x88}, {0x89},
                                     {0x0f, 0x12}, {0x0f, 0x13}, {0x87}, {0x0f, 0xb6}};
    unsigned op = (unsigned)rng_below(b->r, sizeof(ops) / sizeof(ops[0]));
    uint8_t code[8], n = 0;
    if (!p->loads || b->narrow || chance(b->r, 4))
        return;
    code[n++] = prefixes[loaded_segment(row, i)];
    if (b->q->size == CODE_16)
        code[n++] = 0x67;
    code[n++] = ops[op][0];
    if (ops[op][0] == 0x0f)
        code[n++] = ops[op][1];
    code[n++] = b->q->size == CODE_64 ? 0x0c : 0x0d; /* ECX or XMM1 */
    if (b->q->size == CODE_64)
        code[n++] = 0x25;
    uint32_t disp = near_limit(b->r);
    emit(b, code, n);
    emit(b, &disp, 4);
}

/* -- Flags and segments to start with ---------------------------------------------------------- */

void special_flags(struct builder *b)
{
    static const uint32_t masks[] = {EFL_TF, EFL_TF, EFL_TF, EFL_AC,
                                     EFL_AC, EFL_NT, EFL_ID, EFL_TF | EFL_AC};
    static const uint8_t push[CODE_SIZES][2] = {{0x9c}, {0x9c}, {0x66, 0x9c}};
    static const uint8_t or [CODE_SIZES][5] = {
        {0x81, 0x0c, 0x24}, {0x81, 0x0c, 0x24}, {0x67, 0x66, 0x81, 0x0c, 0x24}};
    static const uint8_t pop[CODE_SIZES][2] = {{0x9d}, {0x9d}, {0x66, 0x9d}};
    enum code_size size = b->q->size;
    uint32_t mask = masks[rng_below(b->r, sizeof(masks) / sizeof(masks[0]))];
    unsigned before = b->q->len;
    bool in_insn = b->fix_at >= before; /* the instruction moves on */
    emit(b, push[size], size == CODE_16 ? 2 : 1);
    emit(b, or [size], size == CODE_16 ? 5 : 3);
    emit(b, &mask, 4);
    emit(b, pop[size], size == CODE_16 ? 2 : 1);
    if (in_insn)
        b->fix_at += b->q->len - before;
}

/* Does it hold all that 16-bit code's data segment does? */
static bool has_data(unsigned entry)
{
    const struct ldt_entry *e = &ldt_entries[entry];
    return e->base == (uint32_t)DATA_LA && !(e->type & LDT_CODE_TYPE) && !e->absent;
}

void special_segments(struct rng *r, enum code_size size, struct segments *s)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS, SEG_SS};
    unsigned n = size == CODE_16 ? sizeof(data) : sizeof(data) - 1;
    if (size == CODE_64) {
        s->fs_base = chance(r, 2) ? DATA_LA - rng_below(r, 256) : 0;
        s->gs_base = chance(r, 2) ? rng_next(r) >> 17 : 0;
    }
    for (unsigned k = 0; k < n; k++) {
        unsigned entry = (unsigned)rng_below(r, ldt_count);
        bool free = size == CODE_64 || data[k] == SEG_FS || data[k] == SEG_GS;
        if (!chance(r, 3))
            continue;
        if (free ? ldt_entries[entry].absent ||
                       (ldt_entries[entry].only && ldt_entries[entry].type & LDT_CODE_TYPE)
                 : size != CODE_16 || !has_data(entry))
            continue;
        if (data[k] == SEG_SS && ldt_entries[entry].only)
            continue;
        s->sel[data[k]] = (uint16_t)(entry << 3 | 7);
    }
}
