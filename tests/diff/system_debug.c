/* SPDX-License-Identifier: MIT */
/* Scenarios: single steps, breakpoints on instructions and what holds them off, and who may touch
 * the debug registers (SDM 3B 17.2, 17.3). */
#include "tests/diff/system_model.h"

#define RESUMES (EFL_RF | EFL_TF) /* of the flags that are pushed */

/* -- EFLAGS.TF --------------------------------------------------------------------------------- */

/* Where the trap is after an instruction. */
enum trap {
    T_NEXT,   /* behind it */
    T_AGAIN,  /* there: an iteration of it is done, RF says so in what is pushed */
    T_BRANCH, /* as T_NEXT, with DEBUGCTL.BTF too */
    T_LATER,  /* behind the next one, a NOP */
    T_NONE,   /* its own vector comes, and clears TF */
    T_FAULT,  /* it does not get done */
};

static const struct {
    const char *name;
    enum trap trap;
    bool level0;
    uint8_t n, bytes[4];
} stepped[] = {
    {"nop", T_NEXT, false, 1, {0x90}},
    {"jump", T_BRANCH, false, 2, {0xeb, 0x00}},
    {"jcc", T_NEXT, false, 2, {0x70, 0x02}}, /* not taken: OF is clear */
    {"pushf", T_NEXT, false, 1, {0x9c}},
    {"popf", T_NEXT, false, 1, {0x9d}},
    {"rep-movsb", T_AGAIN, false, 2, {0xf3, 0xa4}},
    {"rep-stosb", T_AGAIN, false, 2, {0xf3, 0xaa}},
    {"rep-lodsb", T_AGAIN, false, 2, {0xf3, 0xac}},
    {"sti", T_NEXT, false, 1, {0xfb}},
    {"cli", T_NEXT, false, 1, {0xfa}},
    {"mov-ss", T_LATER, false, 3, {0x8e, 0xd0, 0x90}},
    {"in", T_NEXT, false, 1, {0xec}},
    {"cpuid", T_NEXT, false, 2, {0x0f, 0xa2}},
    {"int", T_NONE, false, 2, {0xcd, 0x30}},
    {"int3", T_NONE, false, 1, {0xcc}},
    {"ud", T_FAULT, false, 2, {0x0f, 0x0b}},
    {"call", T_BRANCH, false, 4, {0xe8, 0, 0, 0}},
    {"hlt", T_NEXT, true, 1, {0xf4}},
    {"mov-cr0", T_NEXT, true, 3, {0x0f, 0x22, 0xc7}},
    {"mov-dr6", T_NEXT, true, 3, {0x0f, 0x21, 0xf0}},
    {"wbinvd", T_NEXT, true, 2, {0x0f, 0x09}},
    {"clts", T_NEXT, true, 2, {0x0f, 0x06}},
};

static void want_step(struct sys *s, unsigned k, bool btf)
{
    enum trap trap = stepped[k].trap;
    uint8_t vector = stepped[k].bytes[0] == 0xcc ? VEC_BP : 0x30;

    if (trap == T_FAULT) {
        want_vector(s, VEC_UD, -1);
        want_flags(s, RESUMES, RESUMES);
        return;
    }
    s->tested = trap == T_AGAIN ? s->tested : s->at;
    if (trap == T_NONE) {
        want_vector(s, vector, -1);
        want_flags(s, RESUMES, EFL_TF);
        return;
    }
    if (btf && trap != T_BRANCH) {
        s->want.end = END_HALT;
        return;
    }
    want_vector(s, VEC_DB, -1);
    want_flags(s, RESUMES, trap == T_AGAIN ? RESUMES : stepped[k].bytes[0] == 0x9d ? 0 : EFL_TF);
    s->want.has_dr6 = true;
    s->want.dr6 = DR6_FIXED | DR6_BS;
}

static void single_step(struct sys *s)
{
    static const uint8_t open[] = {VEC_BP, 0x30};

    sys_begin(s, MODES_PROTECTED);
    s->at = AT_CODE; /* nothing before: TF is set */
    unsigned k = CHOOSE(s->ch, "insn", stepped);
    bool btf = choose_yes(s->ch, "btf");
    struct cpu *c = s->cpu;

    bool narrow = s->mode == SYS_PM16; /* its code is beyond what 16 bits of IP reach */
    if ((stepped[k].level0 && s->level != 0) || (stepped[k].trap == T_BRANCH && narrow))
        k = 0;
    c->eflags |= EFL_TF | EFL_IOPL;
    c->msr.debugctl = btf ? DEBUGCTL_BTF : 0;
    c->r[RAX] = c->r[RCX] = 3;
    c->r[RDI] = k < ROWS(stepped) && stepped[k].bytes[1] == 0x22 ? c->cr0 : c->r[RDI];
    if (stepped[k].trap == T_LATER)
        c->r[RAX] = c->seg[SEG_SS].sel;
    sys_put(s, AT_STACK, 8, EFL_FIXED | EFL_IOPL);
    for (unsigned n = 0; n < sizeof(open); n++)
        sys_put_vector(s, open[n], level_sel(is_lma(s) ? SYS_CODE64 : SYS_CODE32, 0),
                       AT_HANDLER + HANDLER_BYTES * open[n], 0xee, 0);
    sys_test_here(s);
    sys_code(s, stepped[k].bytes, stepped[k].n);
    if (stepped[k].bytes[0] == 0xe8 && !is_code16(s))
        EMIT(s, 0);
    else if (stepped[k].bytes[0] == 0xe8)
        s->at--;
    want_step(s, k, btf);
    EMIT(s, 0xf4);
    if (s->want.end == END_HALT)
        want_halt(s, stepped[k].bytes[0] == 0xf4 ? AT_CODE : s->at - 1);
}

/* -- Breakpoints on instructions --------------------------------------------------------------- */

/* Two instructions with a breakpoint on each, or two on the first one, with EFLAGS.RF or a shadow
 * in front. */
static void resume(struct sys *s)
{
    static const char *const befores[] = {"nothing", "mov-ss", "sti", "nop"};
    static const uint8_t codes[][2] = {{0}, {0x8e, 0xd2}, {0xfb}, {0x90}};
    static const uint8_t lengths[] = {0, 2, 1, 1};
    static const struct {
        const char *name;
        uint8_t n, bytes[3];
    } insns[] = {{"nop", 1, {0x90}},     {"jump", 2, {0xeb, 0}}, {"rep-movsb", 2, {0xf3, 0xa4}},
                 {"read", 2, {0x8b, 0}}, {"hlt", 1, {0xf4}},     {"ud", 2, {0x0f, 0x0b}}};

    sys_begin(s, MODES_PROTECTED);
    s->at = AT_CODE;
    unsigned before = CHOOSE(s->ch, "after", befores), k = CHOOSE(s->ch, "insn", insns);
    bool rf = choose_yes(s->ch, "rf"), second = choose_yes(s->ch, "second");
    bool twice = choose_yes(s->ch, "twice");
    struct cpu *c = s->cpu;
    uint8_t bytes[3];

    if (insns[k].bytes[0] == 0xeb && s->mode == SYS_PM16)
        k = 0; /* its code is beyond what 16 bits of IP reach */
    memcpy(bytes, insns[k].bytes, sizeof(bytes));
    if (bytes[0] == 0x8b)
        bytes[1] = rm_data(s, RAX);
    c->eflags |= EFL_IOPL | (rf ? EFL_RF : 0);
    c->r[RCX] = 3;
    c->r[RDX] = c->seg[SEG_SS].sel;
    sys_code(s, codes[before], lengths[before]);
    sys_test_here(s);
    sys_code(s, bytes, insns[k].n);
    c->dr[0] = s->tested;
    c->dr[3] = twice ? s->tested : s->at;
    c->dr[7] |= 1 | (second || twice ? 0x80 : 0);
    bool first_hits = before == 1 ? false : before == 0 ? !rf : true;
    bool faults = insns[k].bytes[0] == 0x0f || (insns[k].bytes[0] == 0xf4 && s->level != 0);
    uint64_t next = s->at;
    EMIT(s, 0x90, 0xf4);
    if (first_hits) {
        want_vector(s, VEC_DB, -1);
        want_flags(s, EFL_RF, 0);
    } else if (faults) {
        want_vector(s, bytes[0] == 0xf4 ? VEC_GP : VEC_UD, bytes[0] == 0xf4 ? 0 : -1);
        want_flags(s, EFL_RF, EFL_RF);
        return;
    } else if (insns[k].bytes[0] == 0xf4) {
        want_halt(s, s->tested);
        return;
    } else if (second && !twice) {
        s->tested = next;
        want_vector(s, VEC_DB, -1);
        want_flags(s, EFL_RF, 0);
    } else {
        want_halt(s, s->at - 1);
        return;
    }
    s->want.has_dr6 = true;
    s->want.dr6 = DR6_FIXED | (first_hits ? 1 | (twice ? 8 : 0) : 8);
}

/* -- MOV to and from debug registers ----------------------------------------------------------- */

static void debug_registers(struct sys *s)
{
    static const struct {
        const char *name;
        uint64_t value;
    } values[] = {{"0", 0}, {"400", 0x400}, {"bit32", UINT64_C(1) << 32}, {"ones", 0xffffffff}};

    sys_begin(s, (1u << SYS_MODES) - 1);
    unsigned n = 7 - choose_number(s->ch, "register", 8);
    bool from = choose_yes(s->ch, "from"), gd = choose_yes(s->ch, "gd");
    bool de = choose_yes(s->ch, "de");
    uint64_t v = values[CHOOSE(s->ch, "value", values)].value;
    struct cpu *c = s->cpu;

    if (s->mode != SYS_LONG)
        v = (uint32_t)v;
    c->r[RAX] = v;
    c->cr4 |= de ? CR4_DE : 0;
    c->dr[7] |= gd ? DR7_GD : 0;
    sys_test_here(s);
    EMIT(s, 0x0f, from ? 0x21 : 0x23, (uint8_t)(0xc0 | n << 3));
    sys_end(s);
    bool aliased = n == 4 || n == 5, wide = !from && n >= 4 && v >> 32;
    if (s->mode == SYS_REAL || (gd && (wide || (aliased && de))))
        return; /* which of two comes first is not said */
    if (aliased && de)
        want_vector(s, VEC_UD, -1);
    else if (s->level != 0)
        want_vector(s, VEC_GP, 0);
    else if (gd) {
        want_vector(s, VEC_DB, -1);
        s->want.has_dr6 = true;
        s->want.dr6 = DR6_FIXED | DR6_BD;
    } else if (wide)
        want_vector(s, VEC_GP, 0);
    else if (from || n < 4 || v != 0xffffffff)
        want_halt(s, s->at - 1);
}

const struct scenario debug_scenarios[] = {
    {"single-step", single_step, 2, "single steps"},
    {"resume", resume, 2, "breakpoints on instructions, and what holds them off"},
    {"debug-register", debug_registers, 1, "MOV to and from debug registers"},
    {NULL, NULL, 0, NULL},
};
