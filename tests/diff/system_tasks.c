/* SPDX-License-Identifier: MIT */
/* Scenarios: task switches by JMP, CALL, INT, IRET and exceptions, directly and through task gates,
 * between TSSs of 16 and 32 bits, and loads of TR and LDTR. */
#include "tests/diff/system_model.h"

/* -- A TSS ------------------------------------------------------------------------------------- */

/* SDM 3A figures 7-2 and 7-10 */
static const struct layout {
    unsigned n; /* bytes of a register */
    unsigned eip, eflags, registers, segments, segment_step, segment_count, ldt, limit;
} layouts[] = {{4, 0x20, 0x24, 0x28, 0x48, 4, 6, 0x60, 0x67},
               {2, 0x0e, 0x10, 0x12, 0x22, 2, 4, 0x2a, 0x2b}};

struct new_task {
    bool is16;
    uint32_t at;
    struct slot code, stack, data;
    uint32_t flags;
    bool ldt_null, trap, halts;
};

static const struct {
    const char *name;
    uint32_t flags;
} task_flags[] = {{"none", 2},      {"if", 0x202},      {"nt", 0x4002},
                  {"tf", 0x102},    {"vm", 0x20002},    {"rf", 0x10002},
                  {"iopl", 0x3002}, {"ones", 0x3c7ed7}, {"all", 0xfffdfeff}};

static void put_state(struct sys *s, const struct new_task *t)
{
    const struct layout *l = &layouts[t->is16];

    sys_put(s, t->at + l->eip, l->n, t->flags & EFL_VM ? 0 : AT_TARGET - t->code.base);
    sys_put(s, t->at + l->eflags, l->n, t->flags);
    for (unsigned k = 0; k < 8; k++)
        sys_put(s, t->at + l->registers + k * l->n, l->n,
                k == RSP ? AT_STACK - 0x400 : 0x01010101 * (k + 1));
    for (unsigned k = 0; k < l->segment_count; k++) {
        uint16_t sel = k == SEG_CS ? t->code.sel : k == SEG_SS ? t->stack.sel : t->data.sel;
        if (t->flags & EFL_VM)
            sel = k == SEG_CS ? AT_TARGET >> 4 : AT_DATA >> 4;
        sys_put(s, t->at + l->segments + k * l->segment_step, 2, sel);
    }
    sys_put(s, t->at + l->ldt, 2, t->ldt_null ? 0 : SEL_LDT);
    sys_put(s, t->at + l->n, l->n, AT_INNER + 0x1000);
    sys_put(s, t->at + 2 * l->n, 2, level_sel(SYS_DATA32, 0));
}

static void choose_new_task(struct sys *s, struct new_task *t)
{
    t->at = AT_TSS2;
    t->code = choose_slot(s, "code.", SEL_SLOT, T_CODE);
    t->stack = choose_slot(s, "stack.", SEL_SLOT2, T_DATA);
    t->data = choose_slot(s, "data.", SEL_SLOT3, T_DATA);
    t->flags = task_flags[CHOOSE(s->ch, "flags", task_flags)].flags;
    t->ldt_null = choose_yes(s->ch, "ldt-null");
    put_state(s, t);
    if (t->is16)
        return;
    sys_put(s, t->at + 0x1c, 4, s->cpu->cr3);
    t->trap = choose_yes(s->ch, "trap");
    sys_put(s, t->at + 0x64, 2, t->trap);
    sys_put(s, t->at + 0x66, 2, 0x68);
}

/* The TSS descriptor: SEL_TSS2 in the GDT, or as wrong as its slot says. */
static const struct {
    const char *name;
    uint32_t limit;
} tss_limits[] = {{"enough", 0x6f}, {"67", 0x67}, {"66", 0x66}, {"2b", 0x2b}, {"2a", 0x2a}};

static bool is_tss_good(const struct sys *s, const struct slot *x, bool busy)
{
    unsigned type = x->type & 15;
    unsigned want16 = busy ? T_TSS16_BUSY : T_TSS16, want32 = busy ? T_TSS32_BUSY : T_TSS32;

    (void)s;
    return type == want16 || type == want32;
}

static struct slot choose_tss(struct sys *s, struct new_task *t, bool busy)
{
    static const char *const selectors[] = {"gdt", "ldt", "null", "beyond"};
    struct slot x = {.name = "tss."};

    x.where = (enum slot_where)CHOOSE(s->ch, "tss.where", selectors);
    x.rpl = (uint8_t)choose_level(s, "tss.", "rpl", 0);
    x.sel = (uint16_t)((x.where == IN_GDT    ? SEL_TSS2
                        : x.where == IN_LDT  ? SEL_TSS2 | 4
                        : x.where == IS_NULL ? 0
                                             : SYS_GDT_BYTES) |
                       x.rpl);
    x.type = (uint8_t)choose_type(s, "tss.", busy ? T_TSS32_BUSY : T_TSS32);
    x.dpl = (uint8_t)choose_level(s, "tss.", "dpl", s->level);
    x.present = !choose_yes(s->ch, "tss.absent");
    x.limit = tss_limits[CHOOSE(s->ch, "tss.limit", tss_limits)].limit;
    x.base = AT_TSS2;
    t->is16 = (x.type & 15) == T_TSS16 || (x.type & 15) == T_TSS16_BUSY;
    put_slot(s, &x);
    return x;
}

static void choose_old_task(struct sys *s)
{
    struct cpu *c = s->cpu;

    if (choose_yes(s->ch, "old16")) {
        c->tr.attr = 0x83;
        sys_put(s, AT_GDT + SEL_TSS + 5, 1, 0x83);
        for (unsigned level = 0; level < 3; level++)
            sys_put(s, AT_TSS + 2 + 4 * level, 4,
                    (0xf000u - 0x100 * level) | (uint32_t)level_sel(SYS_DATA32, level) << 16);
    }
    c->eflags |= choose_yes(s->ch, "nt") ? EFL_NT : 0;
    c->dr[7] |= choose_yes(s->ch, "dr7") ? 0x3ff : 0;
}

/* What the new task does. */
static void choose_code(struct sys *s, struct new_task *t)
{
    static const struct {
        const char *name;
        uint8_t n, bytes[4];
    } codes[] = {{"hlt", 1, {0xf4}},
                 {"iret", 1, {0xcf}},
                 {"push", 2, {0x50, 0xf4}},
                 {"pop-iret", 2, {0x58, 0xcf}},
                 {"clts", 3, {0x0f, 0x06, 0xcf}}};
    unsigned n = CHOOSE(s->ch, "then", codes);

    t->halts = n == 0;
    for (unsigned k = 0; k < codes[n].n; k++)
        sys_put(s, AT_TARGET + k, 1, codes[n].bytes[k]);
    sys_put(s, AT_TARGET + codes[n].n, 1, 0xf4);
}

/* -- Switches ---------------------------------------------------------------------------------- */

enum way { WAY_JMP, WAY_CALL, WAY_JMP_GATE, WAY_CALL_GATE, WAY_INT, WAY_UD, WAY_GP, WAYS };

static const char *const way_names[WAYS] = {"jmp", "call", "jmp-gate", "call-gate",
                                            "int", "ud",   "gp"};

static void emit_switch(struct sys *s, enum way way, uint16_t sel)
{
    static const uint8_t opcodes[] = {[WAY_INT] = 0xcd, [WAY_UD] = 0x0f, [WAY_GP] = 0x8e};

    if (way >= WAY_INT) {
        EMIT(s, opcodes[way], way == WAY_INT ? 0x30 : way == WAY_UD ? 0x0b : 0xd8);
        return;
    }
    EMIT(s, way == WAY_CALL || way == WAY_CALL_GATE ? 0x9a : 0xea);
    sys_code_int(s, is_code16(s) ? 2 : 4, 0x1234);
    sys_code_int(s, 2, sel);
}

/* The checks up to the switch itself (SDM 2A "JMP", "CALL", "INT n"; 3A 7.3): the gate is good. */
static struct verdict check_switch(const struct sys *s, enum way way, const struct slot *tss)
{
    bool direct = way == WAY_JMP || way == WAY_CALL;
    unsigned ext = way >= WAY_UD;
    int64_t err = (tss->sel & 0xfffc) | ext;

    if (direct && tss->where == IS_NULL)
        return (struct verdict){true, VEC_GP, 0};
    if (tss->where != IN_GDT || !is_tss_good(s, tss, false))
        return (struct verdict){true, VEC_GP, err};
    if (direct && (tss->dpl < s->level || tss->dpl < tss->rpl))
        return (struct verdict){true, VEC_GP, err};
    if (!tss->present)
        return (struct verdict){true, VEC_NP, err};
    if (tss->limit < layouts[tss->type == T_TSS16].limit)
        return (struct verdict){true, VEC_TS, err};
    return ALLOWED;
}

/* In the LDT of the new task everything is where it is in the old one's. */
static struct slot seen_by(const struct new_task *t, struct slot x)
{
    if (x.where == IN_LDT || x.where == NO_LDT)
        x.where = t->ldt_null ? BEYOND_LDT : IN_GDT;
    return x;
}

/* What the new task begins with. Its faults need a stack that is good: that of an inner level, or
 * its own. */
static void want_in_task(struct sys *s, const struct new_task *t)
{
    struct slot code = seen_by(t, t->code), stack = seen_by(t, t->stack);
    struct slot data = seen_by(t, t->data);
    uint32_t eip = AT_TARGET - code.base;
    unsigned faults;
    struct verdict v = model_task(s, &code, &stack, &data, &faults);
    bool own_stack = code.rpl == 0;

    if (t->flags & EFL_VM || faults > 1 || (own_stack && t->is16) ||
        (own_stack && stack.limit != 0xffffffff) ||
        (own_stack && (stack.base != 0 || !stack.big || stack.type & 4)))
        return;
    if (t->is16)
        eip &= 0xffff;
    s->tested = eip;
    if (faults == 1) {
        if (!own_stack || (v.vector != VEC_SS && v.err == (data.sel & 0xfffc) &&
                           v.err != (code.sel & 0xfffc) && v.err != (stack.sel & 0xfffc)))
            want_verdict(s, v);
    } else if (eip > code.limit) {
        want_vector(s, VEC_GP, 0);
    } else if (t->trap && !(t->flags & EFL_TF)) {
        want_vector(s, VEC_DB, -1);
        s->want.has_dr6 = true;
        s->want.dr6 = DR6_FIXED | DR6_BT;
    } else if ((uint32_t)(code.base + eip) == AT_TARGET && t->halts && !t->trap &&
               !(t->flags & EFL_TF)) {
        want_halt(s, eip);
    }
}

static void put_gates(struct sys *s, uint16_t sel)
{
    static const uint8_t vectors[] = {0x30, VEC_UD};

    sys_put_desc(s, SEL_TSS3, sys_gate(sel, 0, 0xe5, 0));
    for (unsigned k = 0; k < sizeof(vectors); k++)
        sys_put_vector(s, vectors[k], sel, 0, 0xe5, 0);
}

static void switch_task(struct sys *s)
{
    struct new_task t = {0};

    sys_begin(s, MODES_LEGACY);
    enum way way = (enum way)CHOOSE(s->ch, "by", way_names);
    struct slot tss = choose_tss(s, &t, false);
    choose_new_task(s, &t);
    choose_old_task(s);
    choose_code(s, &t);
    bool through_gate = way == WAY_JMP_GATE || way == WAY_CALL_GATE;

    put_gates(s, tss.sel);
    if (way == WAY_GP)
        sys_put_vector(s, VEC_GP, tss.sel, 0, 0xe5, 0);
    s->cpu->r[RAX] = SYS_GDT_BYTES;
    sys_test_here(s);
    emit_switch(s, way, through_gate ? SEL_TSS3 | 3 : tss.sel);
    sys_end(s);
    /* A null selector in a gate is one of an entry that no TSS may be in, whichever error code. */
    if (way == WAY_GP || (tss.where == IS_NULL && way > WAY_CALL) ||
        (tss.type >= 0x10 || tss.type == T_CALL16 || tss.type == T_CALL32 || tss.type == T_TASK))
        return;
    if (!want_verdict(s, check_switch(s, way, &tss)) && way <= WAY_INT)
        want_in_task(s, &t);
}

/* IRET with NT set, to the task that the TSS links to. */
static void return_to_task(struct sys *s)
{
    struct new_task t = {0};

    sys_begin(s, MODES_LEGACY);
    struct slot tss = choose_tss(s, &t, true);
    choose_new_task(s, &t);
    choose_old_task(s);
    choose_code(s, &t);
    s->cpu->eflags |= EFL_NT;
    sys_put(s, AT_TSS, 2, tss.sel);
    sys_test_here(s);
    if (choose_yes(s->ch, "operand"))
        EMIT(s, 0x66);
    EMIT(s, 0xcf);
    sys_end(s);
    int64_t err = tss.sel & 0xfffc;
    if (tss.where != IN_GDT || !is_tss_good(s, &tss, true))
        want_vector(s, VEC_TS, err);
    else if (!tss.present)
        want_vector(s, VEC_NP, err);
    else if (tss.limit < layouts[tss.type == T_TSS16_BUSY].limit)
        want_vector(s, VEC_TS, err);
    else
        want_in_task(s, &t);
}

/* -- LTR, LLDT --------------------------------------------------------------------------------- */

/* SDM 2A "LLDT", "LTR" */
static struct verdict check_system_load(const struct sys *s, bool ltr, const struct slot *x)
{
    unsigned type = x->type & 31;
    bool good = ltr ? type == T_TSS32 || (type == T_TSS16 && !is_lma(s)) : type == T_LDT;

    if (s->level != 0)
        return (struct verdict){true, VEC_GP, 0};
    if (x->where == IS_NULL)
        return ltr ? (struct verdict){true, VEC_GP, 0} : ALLOWED;
    if (x->where != IN_GDT || !good)
        return (struct verdict){true, VEC_GP, x->sel & 0xfffc};
    return x->present ? ALLOWED : (struct verdict){true, VEC_NP, x->sel & 0xfffc};
}

static void load_system(struct sys *s)
{
    sys_begin(s, MODES_PROTECTED);
    bool ltr = choose_yes(s->ch, "ltr"), in_memory = choose_yes(s->ch, "in-memory");
    struct slot x = choose_slot(s, "slot.", SEL_SLOT, ltr ? T_TSS32 : T_LDT);
    bool broken = is_lma(s) && choose_yes(s->ch, "upper");
    unsigned at = AT_GDT + SEL_SLOT;

    if (broken)
        sys_put(s, at + 8, 8, UINT64_C(0x80000000));
    s->cpu->r[RAX] = x.sel;
    sys_put(s, AT_DATA + 0x100, 2, x.sel);
    sys_test_here(s);
    EMIT(s, 0x0f, 0x00, in_memory ? rm_data(s, ltr ? 3 : 2) : (uint8_t)(ltr ? 0xd8 : 0xd0));
    EMIT(s, 0x0f, 0x00, 0xc9, 0x0f, 0x00, 0xc2); /* str cx; sldt dx */
    sys_end(s);
    struct verdict v = check_system_load(s, ltr, &x);
    if (broken && !v.faults && x.where == IN_GDT)
        v = (struct verdict){true, VEC_GP, x.sel & 0xfffc}; /* a base that is not canonical */
    if (!want_verdict(s, v) && !ltr)
        want_halt(s, s->at - 1);
}

const struct scenario task_scenarios[] = {
    {"task", switch_task, 5, "task switches by JMP, CALL, INT and exceptions"},
    {"task-return", return_to_task, 2, "task switches by IRET"},
    {"load-system", load_system, 2, "LLDT, LTR"},
    {NULL, NULL, 0, NULL},
};
