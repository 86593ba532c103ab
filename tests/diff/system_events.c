/* SPDX-License-Identifier: MIT */
/* Scenarios: what comes between instructions. Interrupts, NMIs, single steps and breakpoints, with
 * instructions that hold them off. An interrupt or NMI is raised by the program itself, by OUT to
 * port 500h or 501h, or waits from the start. */
#include "tests/diff/system_model.h"

#define INTR_PORT   0x500
#define INTR_VECTOR 0x31

/* -- Programs of steps ------------------------------------------------------------------------- */

/* What a step does to memory is at DS:rBX; 16-bit code has other ModR/M bytes, so [bx] is made by
 * rm_data(). */
struct step {
    const char *name;
    uint8_t n, bytes[12];
    uint8_t modrm_at; /* its ModR/M byte becomes one of [rbx]; 0: none */
    bool not_long;
};

static const struct step steps[] = {
    {"nop", 1, {0x90}, 0, false},
    {"sti", 1, {0xfb}, 0, false},
    {"cli", 1, {0xfa}, 0, false},
    {"intr", 5, {0xb0, INTR_VECTOR, 0xee, 0x90, 0x90}, 0, false},
    {"nmi", 5, {0x42, 0xee, 0x4a, 0x90, 0x90}, 0, true}, /* inc dx; out; dec dx */
    {"mov-ss", 4, {0x8c, 0xd0, 0x8e, 0xd0}, 0, false},
    {"pop-ss", 2, {0x16, 0x17}, 0, true},
    {"pushf-popf", 2, {0x9c, 0x9d}, 0, false},
    {"set-tf", 8, {0x9c, 0x58, 0x80, 0xcc, 0x01, 0x50, 0x9d, 0x90}, 0, false},
    {"clear-tf", 8, {0x9c, 0x58, 0x80, 0xe4, 0xfe, 0x50, 0x9d, 0x90}, 0, false},
    {"set-if", 8, {0x9c, 0x58, 0x80, 0xcc, 0x02, 0x50, 0x9d, 0x90}, 0, false},
    {"int3", 1, {0xcc}, 0, false},
    {"int", 2, {0xcd, 0x30}, 0, false},
    {"int1", 1, {0xf1}, 0, false},
    {"hlt", 1, {0xf4}, 0, false},
    {"read", 2, {0x8b, 0}, 1, false},
    {"write", 2, {0x89, 0}, 1, false},
    {"rmw", 2, {0x01, 0}, 1, false},
    {"movsb", 1, {0xa4}, 0, false},
    {"rep-movsb", 4, {0xb1, 0x03, 0xf3, 0xa4}, 0, false},
    {"rep-stosb", 4, {0xb1, 0x05, 0xf3, 0xaa}, 0, false},
    {"push-pop", 2, {0x50, 0x58}, 0, false},
    {"jump", 2, {0xeb, 0x00}, 0, false},
    {"jcc", 4, {0x39, 0xc0, 0x74, 0x00}, 0, false},
    {"in", 1, {0xec}, 0, false},
    {"in-word", 2, {0x66, 0xed}, 0, false},
    {"cpuid", 8, {0x31, 0xc0, 0x31, 0xc9, 0x0f, 0xa2, 0x31, 0xc9}, 0, true},
    {"ud", 2, {0x0f, 0x0b}, 0, false},
    {"into", 1, {0xce}, 0, true},
    {"clts", 2, {0x0f, 0x06}, 0, false},
    {"mov-cr0", 6, {0x0f, 0x20, 0xc0, 0x0f, 0x22, 0xc0}, 0, false},
    {"mov-cr3", 6, {0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8}, 0, false},
    {"mov-dr7", 6, {0x0f, 0x21, 0xf8, 0x0f, 0x23, 0xf8}, 0, false},
    {"mov-dr6", 3, {0x0f, 0x21, 0xf0}, 0, false},
    {"sti-hlt", 2, {0xfb, 0xf4}, 0, false},
    {"mov-ds", 4, {0x8c, 0xd8, 0x8e, 0xd8}, 0, false},
    {"sti-mov-ss", 5, {0x8c, 0xd0, 0xfb, 0x8e, 0xd0}, 0, false},
    {"mov-ss-int3", 5, {0x8c, 0xd0, 0x8e, 0xd0, 0xcc}, 0, false},
    {"mov-ss-int", 6, {0x8c, 0xd0, 0x8e, 0xd0, 0xcd, 0x30}, 0, false},
    {"mov-ss-ud", 6, {0x8c, 0xd0, 0x8e, 0xd0, 0x0f, 0x0b}, 0, false},
    {"mov-ss-sti", 5, {0x8c, 0xd0, 0x8e, 0xd0, 0xfb}, 0, false},
    {"stac", 3, {0x0f, 0x01, 0xcb}, 0, false},
    {"wbinvd", 2, {0x0f, 0x09}, 0, false},
};

static void emit_step(struct sys *s, const struct step *p)
{
    uint8_t bytes[sizeof(p->bytes)];

    if (p->not_long && s->mode == SYS_LONG)
        return;
    memcpy(bytes, p->bytes, sizeof(bytes));
    if (p->modrm_at != 0)
        bytes[p->modrm_at] = rm_data(s, RAX);
    sys_code(s, bytes, p->n);
}

static const char *const dr_names[] = {"none", "next", "data", "data+1", "data+3", "port", "stack"};

/* One of the debug registers; its conditions go into DR7. */
static void choose_breakpoint(struct sys *s, unsigned n, const char *prefix)
{
    static const char *const kinds[] = {"code", "write", "port", "access"};
    static const char *const lengths[] = {"1", "2", "8", "4"};
    uint64_t data = AT_DATA + 0x100;
    const uint64_t at[] = {0, s->at + 6, data, data + 1, data + 3, INTR_PORT, AT_STACK - 4};
    unsigned where = CHOOSE_AT(s->ch, prefix, "at", dr_names);

    if (where == 0)
        return;
    unsigned kind = CHOOSE_AT(s->ch, prefix, "kind", kinds);
    unsigned length = CHOOSE_AT(s->ch, prefix, "length", lengths);
    s->cpu->dr[n] = at[where];
    s->cpu->dr[7] |= 1u << (2 * n) | (uint64_t)(kind | length << 2) << (16 + 4 * n);
}

/* Handlers of what is no fault go back; others end the program. */
static void choose_handlers(struct sys *s)
{
    static const uint8_t vectors[] = {1, 2, 3, 4, 0x30, INTR_VECTOR};
    bool halts = choose_yes(s->ch, "handlers-halt");

    for (unsigned k = 0; k < sizeof(vectors) && !halts; k++) {
        unsigned at = AT_HANDLER + HANDLER_BYTES * vectors[k];
        if (is_lma(s))
            sys_put(s, at, 2, 0xcf48);
        else
            sys_put(s, at, 1, 0xcf);
    }
    sys_put_vector(s, 0x30, level_sel(is_lma(s) ? SYS_CODE64 : SYS_CODE32, 0),
                   AT_HANDLER + HANDLER_BYTES * 0x30, 0xee, 0);
    if (s->mode == SYS_REAL)
        sys_put(s, 4 * 0x30, 4, (uint32_t)AT_HANDLER << 12 | HANDLER_BYTES * 0x30);
}

static void events(struct sys *s)
{
    char prefix[16];

    sys_begin(s, (1u << SYS_MODES) - 1);
    struct cpu *c = s->cpu;
    choose_handlers(s);
    c->cr4 |= choose_yes(s->ch, "de") ? CR4_DE : 0;
    c->dr[7] |= choose_yes(s->ch, "gd") ? DR7_GD : 0;
    c->msr.debugctl = choose_yes(s->ch, "btf") ? DEBUGCTL_BTF : 0;
    c->eflags |= choose_yes(s->ch, "if") ? EFL_IF : 0;
    c->eflags |= choose_yes(s->ch, "tf") ? EFL_TF : 0;
    c->eflags |= choose_yes(s->ch, "rf") ? EFL_RF : 0;
    c->nmi_blocked = choose_yes(s->ch, "nmi-blocked");
    for (unsigned n = 0; n < 4; n++) {
        snprintf(prefix, sizeof(prefix), "dr%u.", n);
        choose_breakpoint(s, n, prefix);
    }
    c->r[RDX] = s->intr_port = INTR_PORT;
    c->r[RCX] &= 0xff;
    s->pending = choose_yes(s->ch, "pending") ? INTR_VECTOR : -1;
    for (unsigned k = 0; k < 8; k++) {
        snprintf(prefix, sizeof(prefix), "%u.", k);
        emit_step(s, &steps[CHOOSE_AT(s->ch, prefix, "step", steps)]);
    }
    sys_end(s);
}

/* -- One access and one breakpoint: DR6 is known before ---------------------------------------- */

#define NATURAL 0xff /* 2 or 4 bytes */
static const struct {
    const char *name;
    uint8_t n, bytes[4];
    uint8_t modrm_at, size; /* 0: no access */
    bool write, port;
    uint8_t reg; /* of the ModR/M byte */
} accesses[] = {
    {"nop", 1, {0x90}, 0, 0, false, false, 0},
    {"read-byte", 2, {0x8a, 0}, 1, 1, false, false, 0},
    {"write-byte", 2, {0x88, 0}, 1, 1, true, false, 0},
    {"read-word", 3, {0x0f, 0xb6, 0}, 2, 1, false, false, 0},
    {"rmw-byte", 2, {0x00, 0}, 1, 1, true, false, 0},
    {"cmp-byte", 2, {0x38, 0}, 1, 1, false, false, 0},
    {"lods", 1, {0xac}, 0, 1, false, false, 0},
    {"in", 1, {0xec}, 0, 1, false, true, 0},
    {"out", 1, {0xee}, 0, 1, true, true, 0},
    {"lea", 2, {0x8d, 0}, 1, 0, false, false, 0},
    {"setcc", 3, {0x0f, 0x94, 0}, 2, 1, true, false, 0},
    {"read", 2, {0x8b, 0}, 1, NATURAL, false, false, 0},
    {"write", 2, {0x89, 0}, 1, NATURAL, true, false, 0},
    {"xchg", 2, {0x87, 0}, 1, NATURAL, true, false, 0},
    {"in-eax", 1, {0xed}, 0, NATURAL, false, true, 0},
    {"out-eax", 1, {0xef}, 0, NATURAL, true, true, 0},
    {"movq", 3, {0x0f, 0x6f, 0}, 2, 8, false, false, 0},
    {"movq-to", 3, {0x0f, 0x7f, 0}, 2, 8, true, false, 0},
    {"fld-tbyte", 2, {0xdb, 0}, 1, 10, false, false, 5},
    {"movups", 3, {0x0f, 0x10, 0}, 2, 16, false, false, 0},
    {"movups-to", 3, {0x0f, 0x11, 0}, 2, 16, true, false, 0},
};

/* SDM 3B 17.2.4, table 17-2: is this access one that the breakpoint waits for? */
static bool hits(unsigned kind, unsigned length, uint64_t at, uint64_t la, unsigned n, bool write,
                 bool port, bool de)
{
    static const uint8_t bytes[] = {1, 2, 8, 4};
    uint64_t first = at & ~(uint64_t)(bytes[length] - 1);
    bool kind_fits = port ? kind == 2 && de : kind == 3 || (kind == 1 && write);

    return n != 0 && kind_fits && la + n > first && la < first + bytes[length];
}

static void breakpoint(struct sys *s)
{
    static const char *const kinds[] = {"access", "write", "port", "code"};
    static const uint8_t kind_of[] = {3, 1, 2, 0};
    static const char *const lengths[] = {"1", "2", "8", "4"};
    static const char *const numbers[] = {"0", "1", "2", "3"};
    static const char *const enables[] = {"local", "global", "both", "none"};

    sys_begin(s, (1u << SYS_MODES) - 1);
    struct cpu *c = s->cpu;
    unsigned a = CHOOSE(s->ch, "access", accesses), kind = kind_of[CHOOSE(s->ch, "kind", kinds)];
    unsigned length = kind == 0 ? 0 : CHOOSE(s->ch, "length", lengths);
    unsigned n = CHOOSE(s->ch, "register", numbers), enable = CHOOSE(s->ch, "enable", enables);
    bool de = choose_yes(s->ch, "de");
    uint64_t at = AT_DATA + 0x100 - 9 + choose_number(s->ch, "distance", 28);
    uint64_t la = accesses[a].port ? INTR_PORT : AT_DATA + 0x100;
    uint8_t bytes[4];

    if (choose_yes(s->ch, "at-port"))
        at += INTR_PORT - (AT_DATA + 0x100);
    c->r[RDX] = INTR_PORT;
    if (accesses[a].port)
        c->eflags |= EFL_IOPL;
    c->cr4 |= de ? CR4_DE : 0;
    c->dr[n] = kind == 0 ? s->at : at;
    c->dr[7] |= (enable == 3 ? 0u : (enable + 1) << (2 * n)) | (uint64_t)(kind | length << 2)
                                                                   << (16 + 4 * n);
    memcpy(bytes, accesses[a].bytes, sizeof(bytes));
    if (accesses[a].modrm_at != 0)
        bytes[accesses[a].modrm_at] = rm_data(s, accesses[a].reg);
    unsigned size = accesses[a].size == NATURAL ? (is_code16(s) ? 2 : 4) : accesses[a].size;
    sys_test_here(s);
    sys_code(s, bytes, accesses[a].n);
    bool code_hit = kind == 0;
    if (accesses[a].port && s->mode == SYS_V86)
        return;
    if (!code_hit)
        s->tested = s->at;
    sys_end(s);
    if (enable != 3 &&
        (code_hit || hits(kind, length, at, la, size, accesses[a].write, accesses[a].port, de))) {
        want_vector(s, VEC_DB, -1);
        s->want.has_dr6 = true;
        s->want.dr6 = DR6_FIXED | 1u << n;
    } else if (s->mode != SYS_REAL && s->mode != SYS_V86) {
        want_halt(s, s->at - 1);
    }
}

/* -- A shadow, and an interrupt that waits: where it is delivered is known before -------------- */

static void shadow(struct sys *s)
{
    static const struct {
        const char *name;
        uint8_t n, bytes[4];
        uint8_t skip; /* instructions that run after it before the interrupt */
        bool enables;
    } what[] = {
        {"sti", 1, {0xfb}, 1, true},           {"nothing", 1, {0x90}, 0, false},
        {"popf", 1, {0x9d}, 0, true},          {"cli-sti", 2, {0xfa, 0xfb}, 1, true},
        {"sti-sti", 2, {0xfb, 0xfb}, 0, true},
    };
    static const struct {
        const char *name;
        uint8_t n, bytes[4];
    } next[] = {{"nop", 1, {0x90}},        {"rep-movsb", 2, {0xf3, 0xa4}},
                {"jump", 2, {0xeb, 0x00}}, {"read", 2, {0x8a, 0x00}},
                {"cld", 1, {0xfc}},        {"mov-cr0", 3, {0x0f, 0x20, 0xc0}}};

    sys_begin(s, (1u << SYS_MODES) - 1);
    unsigned w = CHOOSE(s->ch, "shadow", what), n = CHOOSE(s->ch, "next", next);
    struct cpu *c = s->cpu;

    c->eflags |= EFL_IOPL;
    c->r[RCX] = 3;
    c->r[RAX] = c->r[RBX];
    sys_put(s, AT_STACK, 8, EFL_FIXED | EFL_IF | EFL_IOPL);
    s->pending = INTR_VECTOR;
    sys_code(s, what[w].bytes, what[w].n);
    uint64_t after = s->at;
    sys_code(s, next[n].bytes, next[n].n);
    uint64_t after_next = s->at;
    EMIT(s, 0x90);
    sys_end(s);
    if (in_modes(s, MODES(SYS_REAL) | MODES(SYS_V86)) || !what[w].enables || n >= 1)
        return;
    s->tested = what[w].skip == 1 ? after_next : after;
    want_vector(s, INTR_VECTOR, -1);
}

const struct scenario event_scenarios[] = {
    {"events", events, 8,
     "interrupts, NMIs, single steps and breakpoints around instructions that hold them off"},
    {"breakpoint", breakpoint, 3, "debug registers: one access and one breakpoint"},
    {"shadow", shadow, 2, "interrupt shadows"},
    {NULL, NULL, 0, NULL},
};
