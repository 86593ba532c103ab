/* SPDX-License-Identifier: MIT */
/* Scenarios: stacks and code near the ends of their segments, and exceptions whose delivery fails.
 */
#include "tests/diff/system_model.h"

/* -- Stacks ------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    uint8_t n, bytes[6];
    uint8_t modrm_at;
    int8_t slots; /* pushed first (> 0) or popped: for the model; 0: it does not know */
} stack_insns[] = {
    {"push", 1, {0x50}, 0, 1},
    {"pop", 1, {0x58}, 0, -1},
    {"push-mem", 2, {0xff, 6}, 1, 1},
    {"pop-mem", 2, {0x8f, 0}, 1, -1},
    {"push-imm", 2, {0x6a, 0x85}, 0, 1},
    {"pushf", 1, {0x9c}, 0, 1},
    {"popf", 1, {0x9d}, 0, -1},
    {"push-es", 1, {0x06}, 0, 0},
    {"pusha", 1, {0x60}, 0, 0},
    {"popa", 1, {0x61}, 0, 0},
    {"call", 3, {0xe8, 0, 0}, 0, 1},
    {"call-eax", 2, {0xff, 0xd0}, 0, 0},
    {"ret", 1, {0xc3}, 0, 0},
    {"retf", 1, {0xcb}, 0, 0},
    {"iret", 1, {0xcf}, 0, 0},
    {"enter", 4, {0xc8, 8, 0, 0}, 0, 0},
    {"enter-3", 4, {0xc8, 8, 0, 3}, 0, 0},
    {"leave", 1, {0xc9}, 0, 0},
    {"push-2", 2, {0x50, 0x51}, 0, 0},
    {"pop-push", 2, {0x58, 0x50}, 0, 0},
    {"push-sp", 1, {0x54}, 0, 1},
    {"pop-sp", 1, {0x5c}, 0, -1},
    {"mov", 3, {0x89, 0x04, 0x24}, 0, 0}, /* mov [esp], eax in 32-bit code */
    {"int", 2, {0xcd, 0x30}, 0, 0},
};

static const struct {
    const char *name;
    uint32_t from_limit, off;
} tops[] = {{"middle", 0, 0x800},
            {"0", 0, 0},
            {"1", 0, 1},
            {"2", 0, 2},
            {"4", 0, 4},
            {"last", 1, (uint32_t)-3},
            {"end", 1, 1},
            {"over", 1, 0},
            {"beyond", 1, 5},
            {"fffe", 0, 0xfffe},
            {"ffff", 0, 0xffff},
            {"10002", 0, 0x10002},
            {"upper", 0, 0x12340800},
            {"3", 0, 3},
            {"20", 0, 0x20}};

static bool is_in_stack(const struct slot *x, uint64_t off, unsigned n)
{
    uint64_t top = x->big ? 0xffffffff : 0xffff;

    if (x->type & 4)
        return off > x->limit && off + n - 1 <= top;
    return off + n - 1 <= x->limit;
}

/* SS as it is after a load that was allowed. */
static void use_stack(struct sys *s, const struct slot *x)
{
    sys_load(s, SEG_SS, x->sel);
    s->cpu->seg[SEG_SS].attr |= SEG_A;
}

static void choose_stack(struct sys *s, struct slot *x)
{
    static const struct {
        const char *name;
        uint32_t limit;
    } limits[] = {{"fff", 0xfff}, {"4g", 0xffffffff}, {"ffff", 0xffff},  {"7ff", 0x7ff},
                  {"801", 0x801}, {"0", 0},           {"1ffff", 0x1ffff}};

    *x = (struct slot){.name = "stack.",
                       .sel = (uint16_t)(SEL_SLOT | s->level),
                       .type = choose_yes(s->ch, "down") ? 0x17 : 0x13,
                       .dpl = (uint8_t)s->level,
                       .present = true,
                       .big = !choose_yes(s->ch, "small"),
                       .base = choose_yes(s->ch, "odd") ? AT_DATA + 0x8003 : AT_DATA + 0x8000,
                       .limit = limits[CHOOSE(s->ch, "limit", limits)].limit};
    x->granular = x->limit > 0xfffff;
    put_slot(s, x);
    use_stack(s, x);
}

/* Code of level 3 or 0 on a stack of its own; faults of level 0 would use that stack, too, so what
 * they come to is left to the comparison. */
static void stack(struct sys *s)
{
    struct slot x;

    sys_begin(s, MODES_LEGACY | MODES(SYS_COMPAT));
    unsigned n = CHOOSE(s->ch, "insn", stack_insns), t = CHOOSE(s->ch, "top", tops);
    bool operand = choose_yes(s->ch, "operand");
    uint8_t bytes[sizeof(stack_insns[0].bytes)];
    struct cpu *c = s->cpu;

    choose_stack(s, &x);
    uint32_t sp = tops[t].from_limit * x.limit + tops[t].off;
    c->r[RSP] = sp;
    c->r[RBP] = sp + (choose_yes(s->ch, "frame") ? 0x10 : 0);
    c->r[RAX] = AT_TARGET;
    sys_put(s, AT_TARGET, 1, 0xf4);
    memcpy(bytes, stack_insns[n].bytes, sizeof(bytes));
    if (stack_insns[n].modrm_at != 0)
        bytes[1] = rm_data(s, bytes[1]);
    sys_test_here(s);
    if (operand)
        EMIT(s, 0x66);
    sys_code(s, bytes, stack_insns[n].n);
    if (bytes[0] == 0xe8 && is_code16(s) == operand)
        EMIT(s, 0, 0);
    unsigned after = choose_number(s->ch, "then", 4);
    for (unsigned k = 0; k < after; k++)
        EMIT(s, k == 1 ? 0x59 : 0x52); /* push edx, pop ecx */
    sys_end(s);
    unsigned size = is_code16(s) == operand ? 4 : 2;
    uint32_t mask = x.big ? 0xffffffff : 0xffff;
    uint32_t at = stack_insns[n].slots > 0 ? (sp - size) & mask : sp & mask;
    bool last_is_vague = at > 0xffffffff - size; /* at 4 GiB processors may fault or not */
    if (s->level != 3 || stack_insns[n].slots == 0 || last_is_vague)
        return;
    if (!is_in_stack(&x, at, size))
        want_vector(s, VEC_SS, 0);
}

/* -- Code -------------------------------------------------------------------------------------- */

/* Code ends somewhere in its last instruction, or just behind it. */
static void code_end(struct sys *s)
{
    static const struct {
        const char *name;
        uint8_t n, bytes[6];
    } insns[] = {
        {"add", 3, {0x83, 0xc1, 0x05}}, {"nop", 1, {0x90}},       {"jump", 2, {0xeb, 0x00}},
        {"jump-back", 2, {0xeb, 0xf0}}, {"jcc", 2, {0x74, 0x04}}, {"call", 3, {0xe8, 0x00, 0x00}},
        {"mov-imm", 2, {0xb0, 0x12}},   {"ret", 1, {0xc3}},       {"loop", 2, {0xe2, 0x00}}};
    static const char *const bases[] = {"0", "odd", "high"};
    static const uint32_t base_of[] = {0, 0x123, 0xffff0000};

    sys_begin(s, MODES_LEGACY | MODES(SYS_COMPAT));
    unsigned n = CHOOSE(s->ch, "insn", insns), left = choose_number(s->ch, "left", 12);
    struct cpu *c = s->cpu;
    uint32_t base = base_of[CHOOSE(s->ch, "base", bases)];
    uint16_t sel = (uint16_t)(SEL_SLOT | s->level);

    if (base > AT_CODE)
        base = 0;
    c->r[RIP] = AT_CODE - base;
    s->at = AT_CODE;
    for (unsigned k = choose_number(s->ch, "fill", 40); k > 0; k--)
        EMIT(s, 0x90);
    uint32_t limit = (uint32_t)s->at - base + left - 1;
    sys_put_desc(s, sel & 0xfff8,
                 sys_desc(base, limit, (is_code16(s) ? 0x9bu : 0x409bu) | s->level << 5));
    sys_load(s, SEG_CS, sel);
    sys_put(s, AT_STACK, 4, s->at - base + 1);
    s->tested = s->at - base;
    sys_code(s, insns[n].bytes, insns[n].n);
    sys_end(s);
    if (n <= 1 && left < insns[n].n)
        want_vector(s, VEC_GP, 0);
}

/* -- Faults while something is delivered ------------------------------------------------------- */

enum first { F_UD, F_BP, F_DE, F_GP, F_NP, F_PF, F_NM, F_SS };
enum second { G_NONE, G_ABSENT, G_TYPE, G_NULL, G_BEYOND, G_CODE_ABSENT, G_LIMIT, G_PAGE };

static const struct {
    const char *name;
    uint8_t vector, n, bytes[3];
    enum { C_BENIGN, C_CONTRIBUTORY, C_PAGE } class;
} firsts[] = {
    [F_UD] = {"ud", VEC_UD, 2, {0x0f, 0x0b}, C_BENIGN},
    [F_BP] = {"int1", VEC_DB, 1, {0xf1}, C_BENIGN},
    [F_DE] = {"de", VEC_DE, 2, {0xf6, 0xf4}, C_CONTRIBUTORY},
    [F_GP] = {"gp", VEC_GP, 2, {0x8e, 0xd8}, C_CONTRIBUTORY},
    [F_NP] = {"np", VEC_NP, 2, {0x8e, 0xd9}, C_CONTRIBUTORY},
    [F_PF] = {"pf", VEC_PF, 2, {0x8a, 0x07}, C_PAGE},
    [F_NM] = {"nm", VEC_NM, 2, {0xd9, 0xd0}, C_BENIGN},
    [F_SS] = {"ss", VEC_SS, 2, {0x8e, 0xd2}, C_CONTRIBUTORY},
};

static const struct {
    const char *name;
    uint8_t vector;
} seconds[] = {[G_NONE] = {"none", 0},          [G_ABSENT] = {"absent", VEC_NP},
               [G_TYPE] = {"type", VEC_GP},     [G_NULL] = {"null", VEC_GP},
               [G_BEYOND] = {"beyond", VEC_GP}, [G_CODE_ABSENT] = {"code-absent", VEC_NP},
               [G_LIMIT] = {"limit", VEC_GP},   [G_PAGE] = {"page", VEC_PF}};

static void put_first(struct sys *s, enum first f)
{
    struct cpu *c = s->cpu;

    c->r[RAX] = f == F_GP ? SYS_GDT_BYTES : 0;
    sys_put_desc(s, SEL_SLOT3, sys_desc(0, 0xfffff, 0xc013 | s->level << 5));
    c->r[RCX] = c->r[RDX] = (uint16_t)(SEL_SLOT3 | s->level);
    c->cr0 |= f == F_NM ? CR0_TS : 0;
    if (f == F_PF)
        c->r[RDI] = s->mode == SYS_PM16 ? c->r[RDI] : 0x10000000;
}

static uint16_t break_gate(struct sys *s, unsigned vector, enum second g)
{
    uint16_t sel = level_sel(is_lma(s) ? SYS_CODE64 : SYS_CODE32, 0), used = sel;
    uint64_t code = sys_get(s, AT_GDT + (sel & 0xfff8), 8);
    uint64_t to = AT_HANDLER + HANDLER_BYTES * vector;

    if (g == G_NULL)
        used = 0;
    if (g == G_BEYOND)
        used = SYS_GDT_BYTES;
    if (g == G_CODE_ABSENT || g == G_LIMIT) {
        used = SEL_SLOT2;
        if (g == G_CODE_ABSENT)
            code &= ~(UINT64_C(1) << 47);
        else
            to = is_lma(s) ? UINT64_C(0x8000000000000000) : 0xfffffff0;
        if (g == G_LIMIT && !is_lma(s))
            code = sys_desc(0, 0xfff, 0x409b);
        sys_put_desc(s, used, code);
    }
    sys_put_vector(s, vector, used, to, g == G_TYPE ? 0x82 : g == G_ABSENT ? 0x0e : 0x8e, 0);
    return used;
}

/* SDM 3A table 6-5: what two exceptions come to. */
static bool is_double(unsigned first, unsigned second)
{
    bool contributory = second == VEC_GP || second == VEC_NP;

    return (first == C_CONTRIBUTORY && contributory) || (first == C_PAGE && second != 0);
}

static void double_fault(struct sys *s)
{
    sys_begin(s, MODES_PROTECTED);
    enum first f = (enum first)CHOOSE(s->ch, "first", firsts);
    enum second g = (enum second)CHOOSE(s->ch, "second", seconds);
    unsigned vector = firsts[f].vector, second = seconds[g].vector;

    if (g == G_PAGE)
        g = G_ABSENT;
    second = seconds[g].vector;
    put_first(s, f);
    uint16_t used = break_gate(s, vector, g);
    sys_test_here(s);
    sys_code(s, firsts[f].bytes, firsts[f].n);
    sys_end(s);
    bool pages = s->cpu->cr0 & CR0_PG && s->mode != SYS_PM16;
    if (g == G_NONE || (f == F_PF && !pages) || vector == second)
        return;
    bool by_gate = g == G_ABSENT || g == G_TYPE;
    if (is_double(firsts[f].class, second))
        want_vector(s, VEC_DF, 0);
    else
        want_vector(s, second, by_gate ? vector * 8 + 3u : g == G_LIMIT ? 1u : (used | 1u));
}

const struct scenario limit_scenarios[] = {
    {"stack", stack, 4, "stacks at the ends of their segments"},
    {"code-end", code_end, 2, "code at the end of its segment"},
    {"double-fault", double_fault, 2, "exceptions while one is delivered"},
    {NULL, NULL, 0, NULL},
};
