/* SPDX-License-Identifier: MIT */
/* Scenarios: fast system calls, MSRs, control registers, ports, and who may execute what. */
#include "tests/diff/system_model.h"

static const struct {
    const char *name;
    uint64_t value;
} values[] = {
    {"plain", AT_TARGET},
    {"0", 0},
    {"1", 1},
    {"ffffffff", 0xffffffff},
    {"80000000", 0x80000000},
    {"not-canonical", UINT64_C(0x0000800000000000)},
    {"high", UINT64_C(0xffff800000000000)},
    {"ones", UINT64_MAX},
    {"4g", UINT64_C(0x100000000)},
    {"0707", UINT64_C(0x0706050400010407)},
    {"all-8", UINT64_C(0x0808080808080808)},
    {"fee00800", 0xfee00800},
    {"6", 6},
    {"3", 3},
    {"7f", 0x7f},
};

static uint64_t choose_value(struct sys *s, const char *what)
{
    return values[CHOOSE(s->ch, what, values)].value;
}

static bool is_canonical48(uint64_t v)
{
    return v >> 47 == 0 || v >> 47 == 0x1ffff;
}

/* -- SYSCALL, SYSRET, SYSENTER, SYSEXIT -------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t flags;
} flag_sets[] = {{"none", 2},        {"arithmetic", 0x8d7}, {"if", 0x202},     {"tf", 0x102},
                 {"rf-vm", 0x30002}, {"nt", 0x4002},        {"df", 0x402},     {"ac", 0x40002},
                 {"iopl", 0x3002},   {"ones", 0xffffffff},  {"most", 0x3c7ed7}};

static const struct {
    const char *name;
    uint16_t base;
} call_selectors[] = {{"levels", SEL_LEVELS}, {"0", 0},         {"3", 3},
                      {"10", 0x10},           {"fff8", 0xfff8}, {"beyond", 0x1230}};

static void put_call_msrs(struct sys *s)
{
    struct cpu *c = s->cpu;

    c->efer |= choose_yes(s->ch, "sce-off") ? 0 : EFER_SCE;
    c->msr.star = (uint64_t)call_selectors[CHOOSE(s->ch, "star-call", call_selectors)].base << 32 |
                  (uint64_t)call_selectors[CHOOSE(s->ch, "star-return", call_selectors)].base << 48;
    c->msr.lstar = AT_TARGET;
    c->msr.fmask = flag_sets[CHOOSE(s->ch, "fmask", flag_sets)].flags;
    c->msr.sysenter_cs = call_selectors[CHOOSE(s->ch, "sysenter-cs", call_selectors)].base;
    c->msr.sysenter_eip = AT_TARGET;
    c->msr.sysenter_esp = AT_STACK - 0x200;
}

enum call { SYSCALL, SYSRET, SYSRETQ, SYSENTER, SYSEXIT, SYSEXITQ };

static const struct {
    const char *name;
    uint8_t n, bytes[3];
} calls[] = {[SYSCALL] = {"syscall", 2, {0x0f, 0x05}},
             [SYSRET] = {"sysret", 2, {0x0f, 0x07}},
             [SYSRETQ] = {"sysretq", 3, {0x48, 0x0f, 0x07}},
             [SYSENTER] = {"sysenter", 2, {0x0f, 0x34}},
             [SYSEXIT] = {"sysexit", 2, {0x0f, 0x35}},
             [SYSEXITQ] = {"sysexitq", 3, {0x48, 0x0f, 0x35}}};

/* SDM 2B "SYSCALL", "SYSRET", "SYSENTER", "SYSEXIT" */
static struct verdict check_call(const struct sys *s, enum call call)
{
    const struct cpu *c = s->cpu;
    const struct verdict gp = {true, VEC_GP, 0}, ud = {true, VEC_UD, -1};
    bool no_cs = (c->msr.sysenter_cs & 0xfffc) == 0;

    switch (call) {
    case SYSCALL: return s->mode == SYS_LONG && c->efer & EFER_SCE ? ALLOWED : ud;
    case SYSRET:
    case SYSRETQ:
        if (s->mode != SYS_LONG || !(c->efer & EFER_SCE))
            return ud;
        return s->level != 0 || (call == SYSRETQ && !is_canonical48(c->r[RCX])) ? gp : ALLOWED;
    case SYSENTER: return s->mode == SYS_REAL || no_cs ? gp : ALLOWED;
    default:
        if (s->mode == SYS_REAL || no_cs || s->level != 0)
            return gp;
        return call == SYSEXITQ && (!is_canonical48(c->r[RCX]) || !is_canonical48(c->r[RDX]))
                   ? gp
                   : ALLOWED;
    }
}

/* What CS, RIP and EFLAGS (but for the arithmetic ones, which code before has set) come from. */
static void want_after_call(struct sys *s, enum call call)
{
    const struct cpu *c = s->cpu;
    uint32_t flags = c->eflags, mask = EFL_DEFINED & ~(EFL_RF | EFL_ARITH | EFL_FIXED);
    uint32_t sysret = (uint32_t)(c->msr.star >> 48), sysexit = (uint32_t)c->msr.sysenter_cs;
    const struct {
        uint64_t rip;
        uint32_t cs, flags;
    } after[] = {[SYSCALL] = {AT_TARGET, c->msr.star >> 32 & 0xfffc, flags & ~c->msr.fmask},
                 [SYSRET] = {(uint32_t)c->r[RCX], sysret | 3, c->r[R11] & 0x3c7fd7},
                 [SYSRETQ] = {c->r[RCX], (sysret + 16) | 3, c->r[R11] & 0x3c7fd7},
                 [SYSENTER] = {AT_TARGET, sysexit & 0xfffc, flags & ~(EFL_IF | EFL_VM)},
                 [SYSEXIT] = {(uint32_t)c->r[RDX], (sysexit + 16) | 3, flags},
                 [SYSEXITQ] = {c->r[RDX], (sysexit + 32) | 3, flags}};

    if (after[call].rip != AT_TARGET || after[call].flags & EFL_TF)
        return;
    want_halt(s, AT_TARGET);
    want_cs(s, (uint16_t)after[call].cs);
    want_flags(s, mask, after[call].flags);
}

static void system_call(struct sys *s)
{
    sys_begin(s, (1u << SYS_MODES) - 1);
    enum call call = (enum call)CHOOSE(s->ch, "by", calls);
    struct cpu *c = s->cpu;
    bool wide = call == SYSRETQ || call == SYSEXITQ;

    if (wide && s->mode != SYS_LONG)
        call = call == SYSRETQ ? SYSRET : SYSEXIT;
    put_call_msrs(s);
    c->r[RCX] = choose_value(s, "rcx");
    c->r[RDX] = choose_value(s, "rdx");
    c->r[R11] = flag_sets[CHOOSE(s->ch, "r11", flag_sets)].flags;
    if (s->mode != SYS_LONG) {
        c->r[RCX] = (uint32_t)c->r[RCX];
        c->r[RDX] = (uint32_t)c->r[RDX];
        c->r[R11] = 0;
    }
    c->eflags |= flag_sets[CHOOSE(s->ch, "flags", flag_sets)].flags & 0x40cd5 & ~EFL_ARITH;
    sys_put(s, AT_TARGET, 1, 0xf4);
    sys_test_here(s);
    sys_code(s, calls[call].bytes, calls[call].n);
    sys_end(s);
    bool known = s->mode != SYS_REAL && s->mode != SYS_V86;
    struct verdict v = check_call(s, call);
    if (known && !want_verdict(s, v) && !(c->eflags & EFL_TF))
        want_after_call(s, call);
}

/* -- MSRs -------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t msr;
} msrs[] = {
    {"efer", 0xc0000080},    {"star", 0xc0000081},
    {"lstar", 0xc0000082},   {"cstar", 0xc0000083},
    {"fmask", 0xc0000084},   {"fs-base", 0xc0000100},
    {"gs-base", 0xc0000101}, {"kernel-gs", 0xc0000102},
    {"tsc-aux", 0xc0000103}, {"tsc", 0x10},
    {"apic-base", 0x1b},     {"tsc-adjust", 0x3b},
    {"spec-ctrl", 0x48},     {"pred-cmd", 0x49},
    {"sysenter-cs", 0x174},  {"sysenter-esp", 0x175},
    {"sysenter-eip", 0x176}, {"misc-enable", 0x1a0},
    {"debugctl", 0x1d9},     {"mtrr-base", 0x200},
    {"mtrr-mask", 0x201},    {"mtrr-fix", 0x250},
    {"pat", 0x277},          {"mtrr-type", 0x2ff},
    {"deadline", 0x6e0},     {"pkrs", 0x6e1},
    {"none", 0x12345},       {"mtrr-cap", 0xfe},
    {"x2apic", 0x802},       {"platform", 0xce},
};

enum { CANONICAL_MSRS = 7 };
static const uint32_t canonical_msrs[CANONICAL_MSRS] = {
    0xc0000082, 0xc0000083, 0xc0000100, 0xc0000101, 0xc0000102, 0x175, 0x176};

/* SDM 3A 2.2.1, 12.12.2; SDM 4 for IA32_TSC_AUX: values that WRMSR refuses. LMA is not written. */
static bool is_msr_value_bad(const struct sys *s, uint32_t msr, uint64_t v)
{
    const uint64_t efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    bool bad = false;

    for (unsigned k = 0; k < CANONICAL_MSRS; k++)
        bad |= canonical_msrs[k] == msr && !is_canonical48(v);
    for (unsigned k = 0; k < 8 && msr == 0x277; k++) {
        unsigned type = v >> (8 * k) & 0xff;
        bad |= type > 7 || type == 2 || type == 3;
    }
    if (msr == 0xc0000080)
        bad = v & ~efer || (s->cpu->cr0 & CR0_PG && (v ^ s->cpu->efer) & EFER_LME);
    return bad || (msr == 0xc0000103 && v >> 32);
}

static void msr(struct sys *s)
{
    sys_begin(s, (1u << SYS_MODES) - 1);
    uint32_t n = msrs[CHOOSE(s->ch, "msr", msrs)].msr;
    uint64_t v = choose_value(s, "value");
    bool write = !choose_yes(s->ch, "read");
    struct cpu *c = s->cpu;

    c->r[RCX] = n;
    c->r[RAX] = (uint32_t)v;
    c->r[RDX] = v >> 32;
    sys_test_here(s);
    EMIT(s, 0x0f, write ? 0x30 : 0x32);
    if (choose_yes(s->ch, "swapgs"))
        EMIT(s, 0x0f, 0x01, 0xf8);
    if (choose_yes(s->ch, "then-read"))
        EMIT(s, 0x0f, 0x32);
    sys_end(s);
    if (s->mode == SYS_V86 || s->level != 0 || (write && is_msr_value_bad(s, n, v)))
        want_vector(s, VEC_GP, s->mode == SYS_REAL ? -1 : 0);
}

/* -- Control registers ------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint64_t mask;
} cr0_flips[] = {{"none", 0},
                 {"wp", CR0_WP},
                 {"ts", CR0_TS},
                 {"mp", CR0_MP},
                 {"em", CR0_EM},
                 {"am", CR0_AM},
                 {"ne", CR0_NE},
                 {"cd", CR0_CD},
                 {"nw", CR0_NW},
                 {"pg", CR0_PG},
                 {"pe", CR0_PE},
                 {"pe-pg", CR0_PE | CR0_PG},
                 {"bit32", UINT64_C(1) << 32},
                 {"bit6", 0x40}},
  cr4_flips[] = {{"none", 0},
                 {"pae", CR4_PAE},
                 {"pge", CR4_PGE},
                 {"pse", CR4_PSE},
                 {"smep", CR4_SMEP},
                 {"smap", CR4_SMAP},
                 {"pcide", CR4_PCIDE},
                 {"umip", CR4_UMIP},
                 {"tsd", CR4_TSD},
                 {"vme", CR4_VME},
                 {"bit13", 0x2000},
                 {"bit12", 0x1000},
                 {"bit32", UINT64_C(1) << 32},
                 {"osxsave", CR4_OSXSAVE},
                 {"pke", CR4_PKE},
                 {"bit31", 0x80000000}};

static const struct {
    const char *name;
    uint64_t flip;
} cr3_flips[] = {{"none", 0},
                 {"pcid", 5},
                 {"pwt", 8},
                 {"bit40", UINT64_C(1) << 40},
                 {"bit63", UINT64_C(1) << 63},
                 {"bit52", UINT64_C(1) << 52}};

/* SDM 3A 2.5, 4.1.1, 9.8.5; 2B "MOV to and from control registers" */
static bool is_cr0_bad(const struct sys *s, uint64_t v)
{
    const struct cpu *c = s->cpu;

    if (v >> 32 || (v & CR0_PG && !(v & CR0_PE)) || (v & CR0_NW && !(v & CR0_CD)))
        return true;
    if (v & ~c->cr0 & CR0_PG && c->efer & EFER_LME && !(c->cr4 & CR4_PAE))
        return true;
    return !(v & CR0_PG) && (s->mode == SYS_LONG || (c->cr0 & CR0_PG && c->cr4 & CR4_PCIDE));
}

static bool is_cr4_bad(const struct sys *s, uint64_t v)
{
    const uint64_t reserved = ~UINT64_C(0x0177ffff) | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x80000;
    bool sets_pcide = v & ~s->cpu->cr4 & CR4_PCIDE;

    if (v & reserved || (is_lma(s) && !(v & CR4_PAE)))
        return true;
    return sets_pcide && (!is_lma(s) || s->cpu->cr3 & 0xfff);
}

static bool is_cr3_bad(const struct sys *s, uint64_t v)
{
    if (v >> 63 && s->cpu->cr4 & CR4_PCIDE)
        v &= INT64_MAX;
    return is_lma(s) && v >> 40;
}

static void control(struct sys *s)
{
    static const struct {
        const char *name;
        uint8_t n;
    } registers[] = {{"cr0", 0}, {"cr4", 4}, {"cr3", 3}, {"cr2", 2}, {"cr8", 8}, {"cr1", 1}};

    sys_begin(s, MODES_PROTECTED | MODES(SYS_REAL));
    struct cpu *c = s->cpu;
    if (is_lma(s) && choose_yes(s->ch, "with-pcide"))
        c->cr4 |= CR4_PCIDE;
    c->efer |= s->mode != SYS_REAL && !is_lma(s) && choose_yes(s->ch, "lme") ? EFER_LME : 0;
    unsigned n = registers[CHOOSE(s->ch, "register", registers)].n;
    uint64_t v = n == 0   ? c->cr0 ^ cr0_flips[CHOOSE(s->ch, "cr0", cr0_flips)].mask
                 : n == 4 ? c->cr4 ^ cr4_flips[CHOOSE(s->ch, "cr4", cr4_flips)].mask
                 : n == 3 ? c->cr3 ^ cr3_flips[CHOOSE(s->ch, "cr3", cr3_flips)].flip
                          : choose_value(s, "value");
    bool changes_paging = n == 0 && (v ^ c->cr0) & (CR0_PG | CR0_PE);

    if (s->mode != SYS_LONG)
        v = (uint32_t)v;
    c->r[RAX] = v;
    sys_test_here(s);
    if (n == 8 && s->mode == SYS_LONG)
        EMIT(s, 0x44);
    EMIT(s, 0x0f, 0x22, (uint8_t)(0xc0 | (n & 7) << 3));
    if (choose_yes(s->ch, "read-back"))
        EMIT(s, 0x0f, 0x20, (uint8_t)(0xc1 | (n & 7) << 3));
    EMIT(s, 0x8b, rm_data(s, RDX), 0x89, rm_data(s, RDX)); /* an access */
    sys_end(s);
    if (n == 8 || s->mode == SYS_REAL)
        return;
    bool bad = n == 0 ? is_cr0_bad(s, v) : n == 4 ? is_cr4_bad(s, v) : n == 3 && is_cr3_bad(s, v);
    bool loads_pdptes =
        c->cr0 & CR0_PG && !is_lma(s) && (n == 3 || n == 4) && (v | c->cr4) & CR4_PAE;
    if (n == 1)
        want_vector(s, VEC_UD, -1);
    else if (s->level != 0 || bad)
        want_vector(s, VEC_GP, 0);
    else if (!changes_paging && !loads_pdptes && !(n == 4 && v & (CR4_SMEP | CR4_SMAP)) &&
             (n != 4 || !(c->cr0 & CR0_PG) || is_lma(s)) && (n != 3 || !(c->cr0 & CR0_PG)))
        want_halt(s, s->at - 1);
}

/* -- Ports ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint8_t n, bytes[3], bits; /* width */
} port_insns[] = {{"in-al", 1, {0xec}, 8},          {"in-eax", 1, {0xed}, 32},
                  {"out-al", 1, {0xee}, 8},         {"out-eax", 1, {0xef}, 32},
                  {"insb", 1, {0x6c}, 8},           {"outsb", 1, {0x6e}, 8},
                  {"rep-insb", 2, {0xf3, 0x6c}, 8}, {"rep-outsb", 2, {0xf3, 0x6e}, 8}};

static const struct {
    const char *name;
    uint16_t port;
} ports[] = {{"80", 0x80},     {"7", 7},         {"6", 6},      {"5", 5},
             {"ffff", 0xffff}, {"fffd", 0xfffd}, {"3fc", 0x3fc}};

/* SDM 1 19.5.2 */
static bool is_port_forbidden(const struct sys *s, uint16_t port, unsigned bytes, unsigned map,
                              unsigned limit)
{
    unsigned iopl = s->cpu->eflags >> EFL_IOPL_SHIFT & 3;
    unsigned bits;

    if (s->mode == SYS_REAL || (s->mode != SYS_V86 && s->level <= iopl))
        return false;
    if (map + port / 8 + 1 > limit)
        return true;
    bits = (unsigned)sys_get(s, AT_TSS + map + port / 8, 2) >> (port & 7);
    return bits & ((1u << bytes) - 1);
}

static void port(struct sys *s)
{
    static const char *const kinds[] = {"open", "one", "closed"};
    static const struct {
        const char *name;
        uint16_t limit;
    } limits[] = {{"all", 0x20ff}, {"20fe", 0x20fe}, {"fe", 0xfe}, {"102", 0x102}, {"67", 0x67}};

    sys_begin(s, (1u << SYS_MODES) - 1);
    struct cpu *c = s->cpu;
    unsigned n = CHOOSE(s->ch, "by", port_insns), kind = CHOOSE(s->ch, "bitmap", kinds);
    uint16_t to = ports[CHOOSE(s->ch, "port", ports)].port;
    unsigned width = port_insns[n].bits == 8 ? 1 : choose_yes(s->ch, "other-size") ? 2 : 4;

    c->tr.limit = limits[CHOOSE(s->ch, "limit", limits)].limit;
    c->r[RDX] = to;
    c->r[RCX] = 2;
    if (kind != 0)
        sys_put(s, AT_TSS + 0x100 + to / 8, 1, kind == 1 ? 1u << (to & 7) : 0xff);
    if (to / 8 == 0x1fff)
        sys_put(s, AT_TSS + 0x20ff, 1, kind == 0 ? 0 : 0xff);
    sys_test_here(s);
    if (width != 1)
        emit_size(s, width == 2 ? 0 : 1);
    sys_code(s, port_insns[n].bytes, port_insns[n].n);
    sys_end(s);
    if (is_port_forbidden(s, to, width, 0x100, c->tr.limit))
        want_vector(s, VEC_GP, 0);
    else if (s->mode != SYS_REAL && s->mode != SYS_V86)
        want_halt(s, s->at - 1);
}

/* -- Who may ----------------------------------------------------------------------------------- */

enum who {
    ANYBODY,
    LEVEL0,
    IOPL,
    PROTECTED,
    PROTECTED0,
    USER_UMIP,
    PROTECTED_UMIP,
    UD_ABOVE0,
    LONG_LEVEL0,
    NOT_TSD,     /* CR4.TSD keeps it from levels above 0 */
    OSXSAVE,     /* #UD without CR4.OSXSAVE */
    OSXSAVE0,    /* so, and level 0 only */
    KEYS,        /* #UD without CR4.PKE */
    LONG_GSBASE, /* 64-bit code, with CR4.FSGSBASE */
    PROTECTED_ONLY
};

static const struct {
    const char *name;
    enum who who;
    uint8_t n, bytes[5];
    uint8_t modrm_at;
} insns[] = {
    {"hlt", LEVEL0, 1, {0xf4}, 0},
    {"clts", LEVEL0, 2, {0x0f, 0x06}, 0},
    {"invd", LEVEL0, 2, {0x0f, 0x08}, 0},
    {"wbinvd", LEVEL0, 2, {0x0f, 0x09}, 0},
    {"lgdt", LEVEL0, 3, {0x0f, 0x01, 2}, 2},
    {"lidt", LEVEL0, 3, {0x0f, 0x01, 3}, 2},
    {"lmsw", LEVEL0, 3, {0x0f, 0x01, 6}, 2},
    {"invlpg", LEVEL0, 3, {0x0f, 0x01, 7}, 2},
    {"sgdt", USER_UMIP, 3, {0x0f, 0x01, 0}, 2},
    {"sidt", USER_UMIP, 3, {0x0f, 0x01, 1}, 2},
    {"smsw", USER_UMIP, 3, {0x0f, 0x01, 4}, 2},
    {"sldt", PROTECTED_UMIP, 3, {0x0f, 0x00, 0}, 2},
    {"str", PROTECTED_UMIP, 3, {0x0f, 0x00, 1}, 2},
    {"verr", PROTECTED, 3, {0x0f, 0x00, 4}, 2},
    {"verw", PROTECTED, 3, {0x0f, 0x00, 5}, 2},
    {"lar", PROTECTED, 3, {0x0f, 0x02, 1}, 2},
    {"lsl", PROTECTED, 3, {0x0f, 0x03, 1}, 2},
    {"cli", IOPL, 1, {0xfa}, 0},
    {"sti", IOPL, 1, {0xfb}, 0},
    {"rdmsr", LEVEL0, 2, {0x0f, 0x32}, 0},
    {"wrmsr", LEVEL0, 2, {0x0f, 0x30}, 0},
    {"mov-dr", LEVEL0, 3, {0x0f, 0x23, 0xc0}, 0},
    {"mov-from-dr", LEVEL0, 3, {0x0f, 0x21, 0xf9}, 0},
    {"mov-from-cr", LEVEL0, 3, {0x0f, 0x20, 0xe1}, 0},
    {"clac", UD_ABOVE0, 3, {0x0f, 0x01, 0xca}, 0},
    {"stac", UD_ABOVE0, 3, {0x0f, 0x01, 0xcb}, 0},
    {"swapgs", LONG_LEVEL0, 3, {0x0f, 0x01, 0xf8}, 0},
    {"cpuid", ANYBODY, 2, {0x0f, 0xa2}, 0},
    {"pushf", ANYBODY, 1, {0x9c}, 0},
    {"lldt", PROTECTED0, 3, {0x0f, 0x00, 2}, 2},
    {"ltr", PROTECTED0, 3, {0x0f, 0x00, 3}, 2},
    {"rdfsbase", LONG_GSBASE, 4, {0xf3, 0x0f, 0xae, 0xc0}, 0},
    {"rdgsbase", LONG_GSBASE, 4, {0xf3, 0x0f, 0xae, 0xc8}, 0},
    {"wrfsbase", LONG_GSBASE, 4, {0xf3, 0x0f, 0xae, 0xd0}, 0},
    {"wrgsbase", LONG_GSBASE, 4, {0xf3, 0x0f, 0xae, 0xd8}, 0},
    {"rdtsc", NOT_TSD, 2, {0x0f, 0x31}, 0},
    {"rdtscp", NOT_TSD, 3, {0x0f, 0x01, 0xf9}, 0},
    {"xgetbv", OSXSAVE, 3, {0x0f, 0x01, 0xd0}, 0},
    {"xsetbv", OSXSAVE0, 3, {0x0f, 0x01, 0xd1}, 0},
    {"rdpkru", KEYS, 3, {0x0f, 0x01, 0xee}, 0},
    {"wrpkru", KEYS, 3, {0x0f, 0x01, 0xef}, 0},
    {"rdpmc", LEVEL0, 2, {0x0f, 0x33}, 0},
    {"arpl", PROTECTED_ONLY, 2, {0x63, 0xc0}, 0},
    {"invpcid", LEVEL0, 5, {0x66, 0x0f, 0x38, 0x82, 0}, 4},
    {"monitor", UD_ABOVE0, 3, {0x0f, 0x01, 0xc8}, 0},
    {"mwait", UD_ABOVE0, 3, {0x0f, 0x01, 0xc9}, 0},
};

static struct verdict check_who(const struct sys *s, enum who who)
{
    const struct verdict gp = {true, VEC_GP, 0}, ud = {true, VEC_UD, -1};
    bool is8086 = s->mode == SYS_REAL || s->mode == SYS_V86, above0 = s->level != 0;
    unsigned iopl = s->cpu->eflags >> EFL_IOPL_SHIFT & 3;
    bool prevented = s->cpu->cr4 & CR4_UMIP && above0;

    switch (who) {
    case LEVEL0: return above0 ? gp : ALLOWED;
    case IOPL: return s->level > iopl ? gp : ALLOWED;
    case PROTECTED: return is8086 ? ud : ALLOWED;
    case PROTECTED0: return is8086 ? ud : above0 ? gp : ALLOWED;
    case USER_UMIP: return prevented ? gp : ALLOWED;
    case PROTECTED_UMIP: return is8086 ? ud : prevented ? gp : ALLOWED;
    case UD_ABOVE0: return above0 ? ud : ALLOWED;
    case NOT_TSD: return s->cpu->cr4 & CR4_TSD && above0 ? gp : ALLOWED;
    case OSXSAVE: return s->cpu->cr4 & CR4_OSXSAVE ? ALLOWED : ud;
    case OSXSAVE0: return !(s->cpu->cr4 & CR4_OSXSAVE) ? ud : above0 ? gp : ALLOWED;
    case KEYS: return s->cpu->cr4 & CR4_PKE ? ALLOWED : ud;
    case LONG_GSBASE: return s->mode == SYS_LONG && s->cpu->cr4 & CR4_FSGSBASE ? ALLOWED : ud;
    case PROTECTED_ONLY: return is8086 ? ud : ALLOWED;
    case LONG_LEVEL0: return s->mode != SYS_LONG ? ud : above0 ? gp : ALLOWED;
    default: return ALLOWED;
    }
}

static void privilege(struct sys *s)
{
    sys_begin(s, (1u << SYS_MODES) - 1);
    unsigned n = CHOOSE(s->ch, "insn", insns);
    struct cpu *c = s->cpu;
    uint8_t bytes[sizeof(insns[0].bytes)];

    memcpy(bytes, insns[n].bytes, sizeof(bytes));
    c->cr4 |= choose_yes(s->ch, "umip") ? CR4_UMIP : 0;
    c->cr4 |= choose_yes(s->ch, "tsd") ? CR4_TSD : 0;
    c->cr4 |= choose_yes(s->ch, "osxsave") ? CR4_OSXSAVE : 0;
    c->cr4 |= choose_yes(s->ch, "pke") ? CR4_PKE : 0;
    c->cr4 |= choose_yes(s->ch, "fsgsbase") ? CR4_FSGSBASE : 0;
    c->r[RCX] =
        insns[n].who == KEYS || insns[n].who == OSXSAVE || insns[n].who == OSXSAVE0 ? 0 : 0x174;
    c->r[RAX] = c->r[RDX] = 0;
    if (insns[n].modrm_at != 0)
        bytes[insns[n].modrm_at] = rm_data(s, bytes[insns[n].modrm_at]);
    sys_put(s, AT_DATA + 0x100, 8, n == 6 ? 1 : UINT64_C(0x4000010000));
    sys_test_here(s);
    sys_code(s, bytes, insns[n].n);
    sys_end(s);
    struct verdict v = check_who(s, insns[n].who);
    if (s->mode == SYS_REAL && v.faults)
        v.err = -1;
    want_verdict(s, v);
}

const struct scenario call_scenarios[] = {
    {"system-call", system_call, 4, "SYSCALL, SYSRET, SYSENTER, SYSEXIT"},
    {"msr", msr, 3, "MSRs"},
    {"control", control, 3, "control registers"},
    {"port", port, 2, "ports, IOPL and the I/O bitmap"},
    {"privilege", privilege, 2, "privileges of instructions"},
    {NULL, NULL, 0, NULL},
};
