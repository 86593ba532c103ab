/* SPDX-License-Identifier: MIT */
/* Scenario: instructions that virtual-8086 mode watches over, with and without its extensions (SDM
 * 3A chapter 20: tables 20-1 and 20-2). */
#include "tests/diff/system_model.h"

enum kind { V_CLI, V_STI, V_PUSHF, V_POPF, V_IRET, V_INT, V_INT3, V_INTO, V_GP, V_UD, V_FREE };

static const struct {
    const char *name;
    enum kind kind;
    uint8_t n, bytes[5];
} insns[] = {
    {"cli", V_CLI, 1, {0xfa}},
    {"sti", V_STI, 1, {0xfb}},
    {"pushf", V_PUSHF, 1, {0x9c}},
    {"popf", V_POPF, 1, {0x9d}},
    {"iret", V_IRET, 1, {0xcf}},
    {"int", V_INT, 2, {0xcd, 0x30}},
    {"int3", V_INT3, 1, {0xcc}},
    {"pushfd", V_PUSHF, 2, {0x66, 0x9c}},
    {"popfd", V_POPF, 2, {0x66, 0x9d}},
    {"iretd", V_IRET, 2, {0x66, 0xcf}},
    {"int-other", V_INT, 2, {0xcd, 0x2f}},
    {"hlt", V_GP, 1, {0xf4}},
    {"mov-cr0", V_GP, 3, {0x0f, 0x20, 0xc0}},
    {"mov-to-cr0", V_GP, 3, {0x0f, 0x22, 0xc0}},
    {"mov-dr7", V_GP, 3, {0x0f, 0x21, 0xf8}},
    {"clts", V_GP, 2, {0x0f, 0x06}},
    {"lgdt", V_GP, 3, {0x0f, 0x01, 0x17}},
    {"lidt", V_GP, 3, {0x0f, 0x01, 0x1f}},
    {"lmsw", V_GP, 3, {0x0f, 0x01, 0xf0}},
    {"invlpg", V_GP, 3, {0x0f, 0x01, 0x3f}},
    {"wbinvd", V_GP, 2, {0x0f, 0x09}},
    {"rdmsr", V_GP, 2, {0x0f, 0x32}},
    {"wrmsr", V_GP, 2, {0x0f, 0x30}},
    {"sysexit", V_GP, 2, {0x0f, 0x35}},
    {"lldt", V_UD, 3, {0x0f, 0x00, 0xd0}},
    {"ltr", V_UD, 3, {0x0f, 0x00, 0xd8}},
    {"sldt", V_UD, 3, {0x0f, 0x00, 0xc0}},
    {"str", V_UD, 3, {0x0f, 0x00, 0xc8}},
    {"verr", V_UD, 3, {0x0f, 0x00, 0xe0}},
    {"lar", V_UD, 3, {0x0f, 0x02, 0xc0}},
    {"lsl", V_UD, 3, {0x0f, 0x03, 0xc0}},
    {"arpl", V_UD, 2, {0x63, 0xc0}},
    {"clac", V_UD, 3, {0x0f, 0x01, 0xca}},
    {"smsw", V_FREE, 3, {0x0f, 0x01, 0xe0}},
    {"sgdt", V_FREE, 3, {0x0f, 0x01, 0x07}},
    {"mov-ss", V_FREE, 4, {0x8c, 0xd0, 0x8e, 0xd0}},
    {"push-pop", V_FREE, 2, {0x06, 0x07}},
    {"rdtsc", V_FREE, 2, {0x0f, 0x31}},
};

struct v86_case {
    unsigned iopl;
    bool vme, vif, vip, is32, redirected;
    uint16_t image; /* FLAGS that POPF and IRET find */
    uint8_t vector;
};

/* What of CLI, STI, PUSHF, POPF and IRET raises #GP(0). */
static bool is_flag_insn_forbidden(const struct v86_case *v, enum kind kind)
{
    bool pops = kind == V_POPF || kind == V_IRET;

    if (v->iopl == 3)
        return false;
    if (!v->vme || ((pops || kind == V_PUSHF) && v->is32))
        return true;
    if (kind == V_STI)
        return v->vip;
    return pops && (v->image & EFL_TF || (v->image & EFL_IF && v->vip));
}

enum way { BY_FAULT, BY_TABLE_AT_0, BY_IDT };

/* INT n, table 20-2. */
static enum way int_way(const struct v86_case *v)
{
    if (v->vme && !v->redirected)
        return BY_TABLE_AT_0;
    return v->iopl == 3 ? BY_IDT : BY_FAULT;
}

static void want_int(struct sys *s, const struct v86_case *v)
{
    switch (int_way(v)) {
    case BY_FAULT: want_vector(s, VEC_GP, 0); break;
    case BY_IDT:
        if (v->vector != 0x30) { /* the gate's DPL */
            want_vector(s, VEC_GP, v->vector * 8 + 2);
            break;
        }
        s->tested = s->at;
        want_vector(s, v->vector, -1);
        break;
    case BY_TABLE_AT_0: /* where HLT faults */
        want_vector(s, VEC_GP, 0);
        s->want.rip = AT_HANDLER + HANDLER_BYTES * v->vector;
        break;
    }
}

static void want_insn(struct sys *s, const struct v86_case *v, enum kind kind)
{
    switch (kind) {
    case V_INT: want_int(s, v); break;
    case V_GP: want_vector(s, VEC_GP, 0); break;
    case V_UD: want_vector(s, VEC_UD, -1); break;
    case V_INT3:
        s->tested = s->at;
        want_vector(s, VEC_BP, -1);
        break;
    case V_FREE: break;
    default:
        if (is_flag_insn_forbidden(v, kind))
            want_vector(s, VEC_GP, 0);
    }
}

static void put_stack(struct sys *s, struct v86_case *v, enum kind kind)
{
    static const struct {
        const char *name;
        uint16_t flags;
    } images[] = {{"none", 2},    {"if", 0x202},    {"tf", 0x102},     {"iopl", 0x3002},
                  {"nt", 0x4002}, {"ones", 0xffff}, {"no-tf", 0xfeff}, {"arithmetic", 0x8d7}};
    unsigned n = v->is32 ? 4 : 2, at = 0;

    v->image = images[CHOOSE(s->ch, "image", images)].flags;
    if (kind == V_IRET) {
        sys_put(s, AT_STACK + n * at++, n, 0x4000);
        sys_put(s, AT_STACK + n * at++, n, AT_CODE >> 4);
        sys_put(s, AT_TARGET, 1, 0xf4);
    }
    sys_put(s, AT_STACK + n * at, n, v->image | (v->is32 ? 0x1a0000 : 0));
}

static void v86(struct sys *s)
{
    static const char *const iopls[] = {"3", "0", "1", "2"};
    static const uint8_t iopl_of[] = {3, 0, 1, 2};
    struct v86_case v = {0};

    sys_begin(s, MODES(SYS_V86));
    struct cpu *c = s->cpu;
    unsigned n = CHOOSE(s->ch, "insn", insns);
    v.iopl = iopl_of[CHOOSE(s->ch, "v86.iopl", iopls)];
    v.vme = choose_yes(s->ch, "vme");
    v.vif = choose_yes(s->ch, "vif");
    v.vip = choose_yes(s->ch, "vip");
    v.is32 = insns[n].bytes[0] == 0x66;
    v.vector = insns[n].bytes[1];
    v.redirected = choose_yes(s->ch, "redirected");
    put_stack(s, &v, insns[n].kind);
    c->eflags = (c->eflags & ~EFL_IOPL) | v.iopl << EFL_IOPL_SHIFT | (v.vif ? EFL_VIF : 0) |
                (v.vip ? EFL_VIP : 0) | (choose_yes(s->ch, "if") ? EFL_IF : 0);
    c->cr4 |= v.vme ? CR4_VME : 0;
    if (v.redirected)
        sys_put(s, AT_TSS + 0x100 - 32 + v.vector / 8, 1, 1u << (v.vector & 7));
    sys_put_vector(s, 0x30, level_sel(SYS_CODE32, 0), AT_HANDLER + HANDLER_BYTES * 0x30, 0xee, 0);
    sys_put_vector(s, VEC_BP, level_sel(SYS_CODE32, 0), AT_HANDLER + HANDLER_BYTES * VEC_BP, 0xee,
                   0);
    sys_test_here(s);
    sys_code(s, insns[n].bytes, insns[n].n);
    want_insn(s, &v, insns[n].kind);
    sys_end(s);
}

const struct scenario v86_scenarios[] = {
    {"v86", v86, 3, "virtual-8086 mode: IOPL, VME, interrupt redirection"},
    {NULL, NULL, 0, NULL},
};
