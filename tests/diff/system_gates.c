/* SPDX-License-Identifier: MIT */
/* Scenarios: far JMP, CALL and RET, IRET, interrupts and exceptions through gates. */
#include "tests/diff/system_model.h"

static const char *const sizes[] = {"32", "16", "64"};
static const uint8_t size_of[] = {1, 0, 2};

/* The width of a far transfer, as log2 of its bytes minus 1; 64 bits only in 64-bit code. */
static unsigned choose_size(struct sys *s)
{
    unsigned k = size_of[choose_from(s->ch, "", "operand", sizes, sizeof(sizes[0]),
                                     s->mode == SYS_LONG ? 3 : 2)];
    return k;
}

static unsigned bytes_of(unsigned size)
{
    return 2u << size;
}

static void emit_operand_size(struct sys *s, unsigned size)
{
    emit_size(s, size);
    if (size == 2)
        EMIT(s, 0x48);
}

static void emit_far(struct sys *s, bool call, unsigned size, uint16_t sel, uint64_t off)
{
    bool in_memory = choose_yes(s->ch, "in-memory") || s->mode == SYS_LONG;
    unsigned n = bytes_of(size);

    emit_operand_size(s, size);
    if (in_memory) {
        sys_put(s, AT_DATA + 0x100, n, off);
        sys_put(s, AT_DATA + 0x100 + n, 2, sel);
        EMIT(s, 0xff, rm_data(s, call ? 3 : 5));
        return;
    }
    EMIT(s, call ? 0x9a : 0xea);
    sys_code_int(s, n, off);
    sys_code_int(s, 2, sel);
}

/* -- What is at the target --------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint8_t n, bytes[4];
} targets[] = {
    {"hlt", 1, {0xf4}},          {"retf", 1, {0xcb}},         {"retf-o", 2, {0x66, 0xcb}},
    {"retf-w", 2, {0x48, 0xcb}}, {"retf-8", 3, {0xca, 8, 0}}, {"iret", 1, {0xcf}},
    {"iret-w", 2, {0x48, 0xcf}}, {"iret-o", 2, {0x66, 0xcf}}, {"pop-iret", 2, {0x58, 0xcf}},
};

/* True: HLT. */
static bool choose_target(struct sys *s)
{
    unsigned n = CHOOSE(s->ch, "target", targets);

    for (unsigned k = 0; k < targets[n].n; k++)
        sys_put(s, AT_TARGET + k, 1, targets[n].bytes[k]);
    sys_put(s, AT_TARGET + targets[n].n, 1, 0xf4);
    return n == 0;
}

/* Where a transfer to a code segment has to go to get to the target, of the size of the operand. */
static uint64_t offset_in(const struct slot *code, unsigned size)
{
    uint64_t off = (uint32_t)(AT_TARGET - code->base);

    return size == 0 ? off & 0xffff : off;
}

static bool is_at_target(const struct sys *s, const struct slot *code, uint64_t off)
{
    bool flat = is_lma(s) && code->is_long;

    return (flat ? off : (uint32_t)(code->base + off)) == AT_TARGET;
}

/* The transfer succeeds: HLT at the target. */
static void want_target(struct sys *s, const struct slot *code, unsigned level, uint64_t off,
                        bool halts)
{
    if (!is_at_target(s, code, off) || !halts)
        return;
    want_halt(s, off);
    want_cs(s, (uint16_t)((code->sel & 0xfffc) | level));
}

/* -- JMP, CALL --------------------------------------------------------------------------------- */

static void put_call_gate(struct sys *s, const struct slot *gate, const struct slot *code,
                          struct far_case *f)
{
    unsigned table = gate->sel & 4 ? AT_LDT : AT_GDT, params = choose_number(s->ch, "params", 4);
    unsigned attr = gate->type | (unsigned)gate->dpl << 5 | (gate->present ? SEG_P : 0u);
    bool narrow = gate->type == T_CALL16;

    f->off = offset_in(code, narrow ? 0 : 1);
    f->gate_is_broken = is_lma(s) && choose_yes(s->ch, "gate-upper");
    sys_put_desc(s, gate->sel, sys_gate(code->sel, (uint32_t)f->off, attr, params));
    if (is_lma(s))
        sys_put(s, table + (gate->sel & 0xfff8) + 8, 8, f->gate_is_broken ? 0x50000000000 : 0);
}

static void far_transfer(struct sys *s, bool call)
{
    static const char *const to[] = {"code", "gate"};

    sys_begin(s, (1u << SYS_MODES) - 1);
    unsigned size = choose_size(s);
    struct slot code = choose_slot(s, "code.", SEL_SLOT, T_CODE), gate = {.name = "gate."};
    struct far_case f = {.call = call, .x = &code, .target = &code, .off = offset_in(&code, size)};
    bool halts = choose_target(s), is8086 = s->mode == SYS_REAL || s->mode == SYS_V86;
    unsigned level;

    if (CHOOSE(s->ch, "to", to) == 1 && !is8086) {
        choose_selector(s, &gate, SEL_SLOT2);
        gate.type = choose_yes(s->ch, "gate.is16") ? T_CALL16 : T_CALL32;
        gate.dpl = (uint8_t)choose_level(s, "gate.", "dpl", s->level);
        gate.present = !choose_yes(s->ch, "gate.absent");
        if (gate.where == IN_GDT || gate.where == IN_LDT)
            put_call_gate(s, &gate, &code, &f);
        f.x = &gate;
    }
    sys_test_here(s);
    emit_far(s, call, size, f.x->sel, f.x == &gate ? 0x12345678 : f.off);
    sys_end(s);
    if (is8086 || (f.x == &code && code.type < 0x10 && slot_is_there(s, &code)))
        return; /* gates and tasks made of a segment's bits */
    if (!want_verdict(s, model_far(s, &f, &level)))
        want_target(s, &code, level, f.off, halts);
}

static void far_jump(struct sys *s)
{
    far_transfer(s, false);
}

static void far_call(struct sys *s)
{
    far_transfer(s, true);
}

/* -- RET, IRET --------------------------------------------------------------------------------- */

struct frame {
    unsigned n, bytes;
};

static void frame_put(struct sys *s, struct frame *f, uint64_t v)
{
    sys_put(s, AT_STACK + f->n++ * f->bytes, f->bytes, v);
}

static const struct {
    const char *name;
    uint32_t flags;
} frame_flags[] = {
    {"none", 2},        {"all-arithmetic", 0x8d7}, {"if", EFL_IF}, {"tf", EFL_TF},
    {"nt", EFL_NT},     {"iopl", EFL_IOPL},        {"rf", EFL_RF}, {"ac", EFL_AC},
    {"vif", EFL_VIF},   {"vip", EFL_VIP},          {"id", EFL_ID}, {"df", EFL_DF},
    {"most", 0x3c7fd7}, {"ones", 0xfffdfeff},
};

/* Where the return leads, on the stack: the code segment at an outer level where rpl says so. */
static void return_far(struct sys *s)
{
    sys_begin(s, (1u << SYS_MODES) - 1);
    unsigned size = choose_size(s), drop = 8 * choose_number(s->ch, "drop", 3);
    struct frame f = {.bytes = bytes_of(size)};
    struct slot code = choose_slot(s, "code.", SEL_SLOT, T_CODE);
    struct slot stack = choose_slot(s, "stack.", SEL_SLOT2, T_DATA);
    uint64_t off = offset_in(&code, size);
    bool halts = choose_target(s);

    frame_put(s, &f, off);
    frame_put(s, &f, code.sel | (f.bytes > 2 ? 0x5a5a0000 : 0));
    f.n += drop / f.bytes;
    frame_put(s, &f, AT_STACK - 0x100);
    frame_put(s, &f, stack.sel);
    sys_test_here(s);
    emit_operand_size(s, size);
    if (drop != 0)
        EMIT(s, 0xca, (uint8_t)drop, 0);
    else
        EMIT(s, 0xcb);
    sys_end(s);
    if (in_modes(s, MODES_PROTECTED) &&
        !want_verdict(s, model_return(s, false, &code, &stack, off)))
        want_target(s, &code, code.rpl, off, halts);
}

/* SDM 2A "IRET": which flags it pops, of those that are the same when HLT comes to a fault. */
static void want_flags_of_iret(struct sys *s, unsigned size, uint32_t image)
{
    uint32_t old = s->cpu->eflags, all = EFL_DEFINED & ~EFL_RF;
    uint32_t popped = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT | (size > 0 ? EFL_AC | EFL_ID : 0);

    if (s->level <= (old >> EFL_IOPL_SHIFT & 3))
        popped |= EFL_IF;
    if (s->level == 0)
        popped |= EFL_IOPL | (size > 0 ? EFL_VIF | EFL_VIP : 0);
    want_flags(s, all, (old & ~popped) | (image & popped));
}

static void return_from_interrupt(struct sys *s)
{
    sys_begin(s, (1u << SYS_MODES) - 1);
    unsigned size = choose_size(s);
    struct frame f = {.bytes = bytes_of(size)};
    struct slot code = choose_slot(s, "code.", SEL_SLOT, T_CODE);
    struct slot stack = choose_slot(s, "stack.", SEL_SLOT2, T_DATA);
    uint64_t off = offset_in(&code, size);
    uint32_t flags = frame_flags[CHOOSE(s->ch, "flags", frame_flags)].flags;
    bool nt = choose_yes(s->ch, "nt"), halts = choose_target(s);

    if (s->mode == SYS_V86 && choose_yes(s->ch, "vme"))
        s->cpu->cr4 |= CR4_VME;
    frame_put(s, &f, off);
    frame_put(s, &f, code.sel);
    frame_put(s, &f, flags);
    frame_put(s, &f, AT_STACK - 0x100);
    frame_put(s, &f, stack.sel);
    s->cpu->eflags |= nt ? EFL_NT : 0;
    sys_test_here(s);
    emit_operand_size(s, size);
    EMIT(s, 0xcf);
    sys_end(s);
    if (!in_modes(s, MODES_PROTECTED) || (nt && !is_lma(s)))
        return;
    if (nt)
        want_vector(s, VEC_GP, 0);
    else if (!want_verdict(s, model_return(s, true, &code, &stack, off)) && !(flags & EFL_TF)) {
        want_target(s, &code, code.rpl, off, halts && !(flags & EFL_AC));
        if (s->want.end == END_HALT)
            want_flags_of_iret(s, size, flags);
    }
}

/* IRET from level 0 to virtual-8086 mode, and there. */
static void return_to_v86(struct sys *s)
{
    static const char *const then[] = {"hlt", "push-pop", "int", "iret", "pushf"};
    static const uint8_t code[][6] = {
        {0xf4}, {0x06, 0x1f, 0xf4}, {0xcd, 0x21, 0xf4}, {0xcf}, {0x9c, 0x9d, 0xf4}};
    static const uint16_t selectors[] = {AT_DATA >> 4, 0, 0xffff, 0x1234};
    static const char *const names[] = {"data", "0", "ffff", "1234"};
    struct frame f = {.bytes = 4};

    sys_begin(s, MODES_LEGACY);
    uint32_t flags = frame_flags[CHOOSE(s->ch, "flags", frame_flags)].flags | EFL_VM;
    unsigned sel = CHOOSE(s->ch, "selectors", names), n = CHOOSE(s->ch, "then", then);

    for (unsigned k = 0; k < sizeof(code[0]); k++)
        sys_put(s, AT_TARGET + k, 1, code[n][k]);
    frame_put(s, &f, choose_yes(s->ch, "far-ip") ? 0x10000 : 0);
    frame_put(s, &f, AT_TARGET >> 4);
    frame_put(s, &f, flags);
    frame_put(s, &f, 0x8000);
    frame_put(s, &f, (AT_STACK - 0x8000) >> 4);
    for (unsigned k = 0; k < 4; k++)
        frame_put(s, &f, selectors[sel] | 0xabcd0000);
    s->cpu->cr4 |= choose_yes(s->ch, "vme") ? CR4_VME : 0;
    sys_test_here(s);
    emit_size(s, 1);
    EMIT(s, 0xcf);
    sys_end(s);
}

/* -- Interrupts -------------------------------------------------------------------------------- */

enum source { BY_INT, BY_INT3, BY_INTO, BY_UD, BY_DE, BY_PORT, BY_NMI, BY_BOUND, BY_INT1, BY_NM };

static const struct {
    const char *name;
    uint8_t vector, n;
    bool soft, trap;
    uint8_t bytes[4];
} sources[] = {
    [BY_INT] = {"int", 0x30, 2, true, true, {0xcd, 0x30}},
    [BY_INT3] = {"int3", 3, 1, true, true, {0xcc}},
    [BY_INTO] = {"into", 4, 1, true, true, {0xce}},
    [BY_UD] = {"ud", 6, 2, false, false, {0x0f, 0x0b}},
    [BY_DE] = {"de", 0, 2, false, false, {0xf6, 0xf4}}, /* div ah, with AX = 0 */
    [BY_PORT] = {"external", 0x31, 1, false, true, {0xee}},
    [BY_NMI] = {"nmi", 2, 1, false, true, {0xee}},
    [BY_BOUND] = {"bound", 5, 2, false, false, {0x62, 0x00}},
    [BY_INT1] = {"int1", 1, 1, false, true, {0xf1}},
    [BY_NM] = {"nm", 7, 2, false, false, {0xd9, 0xd0}},
};

/* What makes the source happen. */
static void prepare_source(struct sys *s, enum source by)
{
    struct cpu *c = s->cpu;

    s->intr_port = 0x500;
    if (by == BY_PORT || by == BY_NMI) {
        c->eflags |= EFL_IOPL | EFL_IF;
        c->r[RDX] = by == BY_PORT ? 0x500 : 0x501;
        c->r[RAX] = 0x31;
    } else if (by == BY_DE) {
        c->r[RAX] = 0;
    } else if (by == BY_INTO) {
        EMIT(s, 0xb0, 0x7f, 0xfe, 0xc0); /* mov al, 127; inc al */
    } else if (by == BY_NM) {
        c->cr0 |= CR0_TS;
    } else if (by == BY_BOUND) {
        c->r[RAX] = c->r[RBX];
    }
}

static void put_gate(struct sys *s, const struct slot *gate, const struct slot *code,
                     struct gate_case *g)
{
    unsigned ist = is_lma(s) ? choose_number(s->ch, "ist", 8) : 0;
    unsigned attr = gate->type | (unsigned)gate->dpl << 5 | (gate->present ? SEG_P : 0u);
    bool narrow = gate->type == T_INT16 || gate->type == T_TRAP16;

    g->off = offset_in(code, narrow ? 0 : 1);
    sys_put_vector(s, g->vector, code->sel, g->off, attr, ist);
}

/* Something happens, and goes through a gate. A double fault would hide what went wrong with
 * sources that are contributory. */
static void interrupt(struct sys *s)
{
    sys_begin(s, MODES_PROTECTED | MODES(SYS_V86));
    enum source by = (enum source)CHOOSE(s->ch, "by", sources);
    struct slot gate = {.name = "gate."}, code = choose_slot(s, "code.", SEL_SLOT, T_CODE);
    struct gate_case g = {sources[by].vector, &gate, &code, 0, sources[by].soft};
    bool halts = choose_target(s);
    unsigned level;

    gate.type = (uint8_t)choose_type(s, gate.name, T_INT32) & 15;
    gate.dpl = (uint8_t)choose_level(s, gate.name, "dpl", s->level);
    gate.present = !choose_yes(s->ch, "gate.absent");
    put_gate(s, &gate, &code, &g);
    prepare_source(s, by);
    sys_test_here(s);
    sys_code(s, sources[by].bytes, sources[by].n);
    s->tested = sources[by].trap && !sources[by].soft && by != BY_INT1 ? s->at : s->tested;
    sys_end(s);
    bool vectored = by != BY_DE && (s->mode != SYS_LONG || (by != BY_INTO && by != BY_BOUND));
    bool iopl3 = (s->cpu->eflags & EFL_IOPL) == EFL_IOPL;
    if (!vectored || (s->mode == SYS_V86 && by == BY_INT && !iopl3) || gate.type == T_TASK)
        return;
    if (want_verdict(s, model_interrupt(s, &g, &level)))
        return;
    want_target(s, &code, level, g.off, halts);
    bool clears = gate.type == T_INT32 || gate.type == T_INT16;
    if (s->want.end == END_HALT)
        want_flags(s, EFL_IF | EFL_TF | EFL_NT | EFL_VM, clears ? 0 : s->cpu->eflags & EFL_IF);
}

const struct scenario gate_scenarios[] = {
    {"far-jump", far_jump, 3, "far JMP to code and through call gates"},
    {"far-call", far_call, 4, "far CALL to code and through call gates, and returns"},
    {"far-return", return_far, 3, "far RET to the same and outer levels"},
    {"iret", return_from_interrupt, 4, "IRET to the same and outer levels"},
    {"iret-v86", return_to_v86, 1, "IRET to virtual-8086 mode"},
    {"interrupt", interrupt, 5, "interrupts and exceptions through gates and stack switches"},
    {NULL, NULL, 0, NULL},
};
