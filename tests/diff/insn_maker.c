/* SPDX-License-Identifier: MIT */
/* Where AMD's processors differ from Intel's, as rows: what both do, with the section of the SDM or
 * of AMD's manual (APM) that says so, and how the comparison on an AMD host allows for it. "Found"
 * is what the manuals leave open and these processors do: the one of Intel's that golden.txt is
 * from, and AMD's Zen 4.
 *
 * What the manuals leave undefined is in insn_undefined.c, what differs between models even of one
 * maker in insn_agree.c. BSF and BSR of zero leave the destination alone on both. */
#include <string.h>

#include "tests/diff/insn_maker.h"
#include "tests/diff/insn_segs.h"

enum {
    MASK_X87 = 1,
    MASK_FAULT = 2,
    MASK_STRING = 4,
    MASK_NAN32 = 8,
    MASK_NAN64 = 16,
    MASK_RIP = 32,
    MASK_RF = 64
};

#define AMD_MXCSR_MM 0x20000u

/* -- Encodings --------------------------------------------------------------------------------- */

static bool is_one_of(const struct op_row *row, const char *const *names, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        if (strcmp(row->name, names[k]) == 0)
            return true;
    return false;
}
#define IS_ONE_OF(row, names) is_one_of(row, names, sizeof(names) / sizeof((names)[0]))

/* Does a legacy prefix stand in front of the instruction, among REX prefixes too? */
static bool has_prefix(const uint8_t *code, enum code_size size, unsigned byte)
{
    static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                       0x66, 0x67, 0xf0, 0xf2, 0xf3};
    while (memchr(prefixes, *code, sizeof(prefixes)) != NULL ||
           (size == CODE_64 && *code >> 4 == 4))
        if (*code++ == byte)
            return true;
    return false;
}

static bool is_branch16(const struct gen_choice *o)
{
    static const char *const names[] = {"CALL", "RET", "JMP"};
    return o->size == CODE_64 && (o->row->operands[0] == 'J' || IS_ONE_OF(o->row, names)) &&
           has_prefix(o->code, o->size, 0x66);
}

static bool is_pause_r8(const struct gen_choice *o)
{
    return strcmp(o->row->name, "PAUSE") == 0 && (o->code[o->insn->len - 2u] & 0xf1) == 0x41;
}

static bool is_push_sreg32(const struct gen_choice *o)
{
    return strcmp(o->row->name, "PUSH") == 0 && o->row->operands[0] == 'S' && o->insn->osz == 2;
}

static bool is_loop_rep(const struct gen_choice *o)
{
    static const char *const names[] = {"LOOPE", "LOOPNE"};
    return IS_ONE_OF(o->row, names) &&
           (has_prefix(o->code, o->size, 0xf2) || has_prefix(o->code, o->size, 0xf3));
}

static bool is_pointer80(const struct gen_choice *o)
{
    return strstr(o->row->operands, "Mp") != NULL && o->insn->prefix & INSN_REXW;
}

static bool is_prefetch_of_register(const struct gen_choice *o)
{
    return (o->row->map & 3) == 1 && o->row->opcode == 0x0d && !o->insn->mem;
}

static bool is_string32(const struct op_row *row, const uint8_t *code, enum code_size size)
{
    return size == CODE_64 && (row->attr & ATTR_STR) && has_prefix(code, size, 0x67) &&
           (has_prefix(code, size, 0xf2) || has_prefix(code, size, 0xf3));
}

static bool is_early_string32(const struct gen_choice *o)
{
    return !o->last && is_string32(o->row, o->code, o->size);
}

static const char *const dot_products[] = {"DPPS", "DPPD"};

/* Which NaN it is can be allowed for only in the end. */
static bool is_early_dot_product(const struct gen_choice *o)
{
    return !o->last && IS_ONE_OF(o->row, dot_products);
}

/* -- Endings ----------------------------------------------------------------------------------- */

int ended_at(const struct sequence *q, const struct state *s)
{
    uint64_t la = s->rip + segment_base(s->seg.sel[SEG_CS]);

    for (unsigned k = 0; s->vec != VEC_BP && k < q->count; k++)
        if (la - (CODE_LA + q->start + q->insn[k].at) < q->insn[k].len)
            return (int)k;
    return -1;
}

static bool is_memory_fault(const struct state *s)
{
    return s->vec == VEC_PF || s->vec == VEC_GP || s->vec == VEC_SS || s->vec == VEC_AC;
}

/* The row that ended both by a fault of memory, or NULL. */
static const struct op_row *both_faulted(const struct sequence *q, const struct state *host,
                                         const struct state *guest)
{
    int k = ended_at(q, host);
    bool both =
        k >= 0 && is_memory_fault(host) && is_memory_fault(guest) && k == ended_at(q, guest);
    return both ? &optab[q->insn[k].row] : NULL;
}

static bool ended_in_sha(const struct sequence *q, const struct state *host,
                         const struct state *guest)
{
    int k = ended_at(q, guest);
    return k >= 0 && guest->vec == VEC_GP && (k != ended_at(q, host) || host->vec != VEC_GP) &&
           strncmp(optab[q->insn[k].row].name, "SHA", 3) == 0;
}

static bool has_row_after(const struct sequence *q, unsigned k, const char *name)
{
    while (++k < q->count)
        if (strcmp(optab[q->insn[k].row].name, name) == 0)
            return true;
    return false;
}

static bool ended_in_x87_store(const struct sequence *q, const struct state *host,
                               const struct state *guest)
{
    static const char *const names[] = {"FST", "FSTP", "FIST", "FISTP", "FISTTP", "FBSTP"};
    int k = ended_at(q, host);
    return k >= 0 && is_memory_fault(host) && k != ended_at(q, guest) &&
           IS_ONE_OF(&optab[q->insn[k].row], names) &&
           ((guest->fx.fsw & FSW_ES) || has_row_after(q, (unsigned)k, "FNINIT") ||
            has_row_after(q, (unsigned)k, "FNCLEX"));
}

static bool ended_in_mmx_store(const struct sequence *q, const struct state *host,
                               const struct state *guest)
{
    static const char *const names[] = {"MOVD", "MOVQ", "MOVNTQ", "MASKMOVQ"};
    const struct op_row *row = both_faulted(q, host, guest);
    return row != NULL && IS_ONE_OF(row, names) && strchr(row->operands, 'P') != NULL;
}

static bool ended_in_maskmov(const struct sequence *q, const struct state *host,
                             const struct state *guest)
{
    static const char *const names[] = {"MASKMOVQ", "MASKMOVDQU"};
    const struct op_row *row = both_faulted(q, host, guest);
    return row != NULL && IS_ONE_OF(row, names);
}

static bool ended_in_ldmxcsr(const struct sequence *q, const struct state *host,
                             const struct state *guest)
{
    int k = ended_at(q, guest);
    return k >= 0 && guest->vec == VEC_GP && k != ended_at(q, host) &&
           (host->fx.mxcsr & AMD_MXCSR_MM) && strcmp(optab[q->insn[k].row].name, "LDMXCSR") == 0;
}

static bool ended_in_bound(const struct sequence *q, const struct state *host,
                           const struct state *guest)
{
    int k = ended_at(q, guest);
    return k >= 0 && guest->vec == VEC_BR && is_memory_fault(host) && k == ended_at(q, host);
}

static bool ended_in_cmps(const struct sequence *q, const struct state *host,
                          const struct state *guest)
{
    const struct op_row *row = both_faulted(q, host, guest);
    return row != NULL && (row->attr & ATTR_STR) && strncmp(row->name, "CMPS", 4) == 0;
}

static bool ended_in_string32(const struct sequence *q, const struct state *host,
                              const struct state *guest)
{
    (void)host, (void)guest;
    unsigned last = q->count - 1;
    return is_string32(&optab[q->insn[last].row], q->code + q->insn[last].at, q->size);
}

/* By a single step between two iterations. */
static bool ended_in_iteration(const struct sequence *q, const struct state *host,
                               const struct state *guest)
{
    int k = ended_at(q, host);
    return k >= 0 && k == ended_at(q, guest) && host->vec == VEC_DB && guest->vec == VEC_DB &&
           (optab[q->insn[k].row].attr & ATTR_STR) && (guest->eflags & EFL_RF);
}

static bool is_canonical(uint64_t la)
{
    return (uint64_t)((int64_t)(la << 16) >> 16) == la;
}

/* An address that base makes canonical; where it is not aligned, nothing says what it was. */
static bool is_based(const struct state *guest, uint64_t base)
{
    return guest->vec == VEC_AC || (guest->vec == VEC_PF && !is_canonical(guest->cr2 - base));
}

static bool ended_in_based(const struct sequence *q, const struct state *host,
                           const struct state *guest)
{
    int k = ended_at(q, host);
    if (k < 0 || k != ended_at(q, guest) || q->size != CODE_64 || host->vec != VEC_GP ||
        host->err != 0)
        return false;
    const uint8_t *code = q->code + q->insn[k].at;
    return (has_prefix(code, q->size, 0x64) && is_based(guest, guest->seg.fs_base)) ||
           (has_prefix(code, q->size, 0x65) && is_based(guest, guest->seg.gs_base));
}

static bool is_last(const struct sequence *q, const char *name)
{
    return strcmp(optab[q->insn[q->count - 1].row].name, name) == 0;
}

static bool ended_in_int1(const struct sequence *q, const struct state *host,
                          const struct state *guest)
{
    return is_last(q, "INT1") && host->vec == VEC_DB && guest->vec == VEC_DB;
}

/* Of 16 bytes that need not be aligned, and of those that must be. */
static bool ended_in_unaligned(const struct sequence *q, const struct state *host,
                               const struct state *guest)
{
    static const char *const names[] = {
        "MOVUPS",    "MOVUPD",     "MOVDQU",  "LDDQU",     "PCMPESTRM", "PCMPESTRI",
        "PCMPISTRM", "PCMPISTRI",  "FXSAVE",  "XSAVE",     "FXSAVE64",  "XSAVE64",
        "XSAVEOPT",  "XSAVEOPT64", "FXRSTOR", "FXRSTOR64", "XRSTOR",    "XRSTOR64"};
    int k = ended_at(q, host);
    (void)guest;
    return k >= 0 && host->vec == VEC_AC && IS_ONE_OF(&optab[q->insn[k].row], names);
}

static bool ended_in_far_return(const struct sequence *q, const struct state *host,
                                const struct state *guest)
{
    const struct op_row *row = both_faulted(q, host, guest);
    return row != NULL && strcmp(row->name, "RET") == 0 && row->opcode >= 0xca &&
           host->vec != VEC_GP && guest->vec == VEC_GP;
}

static bool ended_in_iret(const struct sequence *q, const struct state *host,
                          const struct state *guest)
{
    static const char *const names[] = {"IRET", "IRETD", "IRETQ"};
    const struct op_row *row = both_faulted(q, host, guest);
    return row != NULL && IS_ONE_OF(row, names) && q->size == CODE_64 && host->vec == VEC_GP &&
           host->err == 0;
}

/* Is what ended both by a fault this instruction? */
static bool both_refused(const struct sequence *q, const struct state *host,
                         const struct state *guest, const char *name)
{
    int k = ended_at(q, host);
    return k >= 0 && k == ended_at(q, guest) && strcmp(optab[q->insn[k].row].name, name) == 0;
}

static bool ended_in_sysret(const struct sequence *q, const struct state *host,
                            const struct state *guest)
{
    return q->size != CODE_64 && host->vec == VEC_GP && host->err == 0 && guest->vec == VEC_UD &&
           both_refused(q, host, guest, "SYSRET");
}

static bool ended_in_sysexit(const struct sequence *q, const struct state *host,
                             const struct state *guest)
{
    return host->vec == VEC_UD && guest->vec == VEC_GP && guest->err == 0 &&
           both_refused(q, host, guest, "SYSEXIT");
}

static bool ended_in_dpps(const struct sequence *q, const struct state *host,
                          const struct state *guest)
{
    return is_last(q, "DPPS") && host->vec == guest->vec;
}

static bool ended_in_dppd(const struct sequence *q, const struct state *host,
                          const struct state *guest)
{
    return is_last(q, "DPPD") && host->vec == guest->vec;
}

/* -- The table --------------------------------------------------------------------------------- */

const struct maker_rule maker_rules[] = {
    {"near branches with a 66h prefix in 64-bit code", "ignore the prefix (SDM 2D A.2.5, f64)",
     "truncate RIP to 16 bits (APM 3, CALL, Jcc, JMP, LOOPcc, RET)", is_branch16, NULL, 0},
    {"PAUSE with REX.B", "is PAUSE (found)", "is XCHG r8,rAX (APM 3, XCHG)", is_pause_r8, NULL, 0},
    {"JMP, CALL, LSS, LFS, LGS with REX.W", "take an offset of 64 bits (SDM 2A JMP, CALL, LDS)",
     "ignore REX.W (APM 3, JMP (Far), CALL (Far), LFS)", is_pointer80, NULL, 0},
    {"0F0D with a register", "does nothing (SDM 2D A.3, PREFETCHW's space)",
     "#UD (APM 3, PREFETCH)", is_prefetch_of_register, NULL, 0},
    {"LOOPE, LOOPNE with REPE or REPNE", "ignore the prefix (found; reserved, SDM 2A 2.1.1)",
     "the prefix says which flag ends the loop (found; reserved, APM 3 1.2.6)", is_loop_rep, NULL,
     0},
    {"PUSH of a segment register, 32 bits", "writes 16 bits (SDM 2B PUSH)",
     "zero-extends to 32 bits (found; SDM 2B PUSH has both)", is_push_sreg32, NULL, 0},
    {"FXSAVE, FXRSTOR, XSAVE, XRSTOR unaligned, with alignment checks",
     "#GP (#AC may come instead, SDM 2A FXSAVE)", "#AC (found)", NULL, ended_in_unaligned, 0},
    {"MOVUPS, MOVUPD, MOVDQU, LDDQU, PCMPxSTRx with alignment checks",
     "no #AC (varies, SDM 2A table 2-21)", "#AC (found)", NULL, ended_in_unaligned, 0},
    {"far RET to an inner level, its stack pointer faults", "#GP (SDM 2B RET)",
     "the fault of the access (found)", NULL, ended_in_far_return, MASK_FAULT},
    {"IRET in 64-bit code, neither SS nor RIP is allowed", "#GP(SS) (SDM 2A IRET)",
     "#GP(0) (found)", NULL, ended_in_iret, MASK_FAULT},
    {"INT1 in a virtual machine", "leads behind it (SDM 2A INT n)", "leads to it (found)", NULL,
     ended_in_int1, MASK_RIP},
    {"SYSRET at CPL 3 outside of 64-bit code", "#UD (SDM 2B SYSRET)", "#GP(0) (APM 3 SYSRET)", NULL,
     ended_in_sysret, MASK_FAULT},
    {"SYSEXIT at CPL 3 in long mode", "#GP(0) (SDM 2B SYSEXIT)", "#UD (APM 3 SYSEXIT)", NULL,
     ended_in_sysexit, MASK_FAULT},
    {"DPPS of several NaNs", "elements differ in which NaN they get (found)",
     "all elements get the same one (found; SDM 2A and APM 4, DPPS, do not say)",
     is_early_dot_product, ended_in_dpps, MASK_NAN32},
    {"DPPD of several NaNs", "as DPPS", "as DPPS", NULL, ended_in_dppd, MASK_NAN64},
    {"SHA1*, SHA256* with an unaligned operand in memory", "#GP (SDM 2A table 2-21)",
     "no fault (found)", NULL, ended_in_sha, 0},
    {"FST, FIST, FISTTP, FBSTP with an unmasked exception to an address that faults",
     "no access, the exception is pending (found)", "the fault of the access (found)", NULL,
     ended_in_x87_store, 0},
    {"MMX stores that fault", "the x87's TOP and tags are already changed (found)",
     "nothing has changed (found)", NULL, ended_in_mmx_store, MASK_X87},
    {"MASKMOVQ, MASKMOVDQU that fault", "the upper half's fault before the lower one's (found)",
     "the lower half's fault before the upper one's (found)", NULL, ended_in_maskmov, MASK_FAULT},
    {"LDMXCSR with bit 17", "#GP (SDM 2A LDMXCSR)", "sets MXCSR.MM (APM 1 4.2.2)", NULL,
     ended_in_ldmxcsr, 0},
    {"BOUND below the lower bound, the upper one faults", "#BR (found)",
     "the fault of the access (found)", NULL, ended_in_bound, 0},
    {"CMPS of which both operands fault", "the fault of the second operand (found)",
     "the fault of the first operand (found)", NULL, ended_in_cmps, MASK_FAULT},
    {"repeated strings with 32-bit addresses in 64-bit code",
     "the registers used are zero-extended in any case (found)",
     "unless a fault or a count of 0 leaves them unchanged (found)", is_early_string32,
     ended_in_string32, MASK_STRING},
    {"single steps between iterations of repeated strings",
     "RF is set in the frame (SDM 3 18.3.1.1)", "RF is clear in the frame (found)", NULL,
     ended_in_iteration, MASK_RF},
    {"FS- and GS-relative accesses whose offset alone is not canonical",
     "a fault only if base + offset is not (SDM 1 3.3.7.1)", "#GP in any case (found)", NULL,
     ended_in_based, MASK_FAULT},
    {"FSCALE by 0 and FPREM, FPREM1 by infinity of a denormal number (too rare to be met here, left "
     "out by `fp_diff`)",
     "the operand (found)", "also underflow, where that is unmasked (found)", NULL, NULL, 0},
};
const unsigned maker_rule_count = sizeof(maker_rules) / sizeof(maker_rules[0]);

const char *maker_left_out(const struct op_row *row)
{
    bool hint = (row->map & 3) == 1 && row->opcode == 0x0d && strcmp(row->name, "NOP") == 0;
    return hint ? "0F0D with a register: #UD on AMD's processors, compared on those of Intel's only"
                : NULL;
}

bool host_avoids(const struct gen_choice *choice)
{
    return gen_left_out(choice->row) != NULL;
}

bool maker_avoids(const struct gen_choice *choice)
{
    if (host_avoids(choice))
        return true;
    for (unsigned k = 0; k < maker_rule_count; k++)
        if (maker_rules[k].avoid != NULL && maker_rules[k].avoid(choice))
            return true;
    return false;
}

/* -- Masking ----------------------------------------------------------------------------------- */

/* Every NaN becomes the same one. */
static uint64_t one_nan32(uint64_t v)
{
    uint64_t low = v & 0x7fffffff, high = v >> 32 & 0x7fffffff;
    v = low > 0x7f800000 ? v | 0xffffffff : v;
    return high > 0x7f800000 ? v | UINT64_C(0xffffffff00000000) : v;
}

static uint64_t one_nan64(uint64_t v)
{
    return (v & INT64_MAX) > UINT64_C(0x7ff0000000000000) ? UINT64_MAX : v;
}

static void mask_state(struct state *s, unsigned mask)
{
    if (mask & MASK_X87) {
        s->fx.fsw &= (uint16_t)~FSW_TOP;
        s->fx.ftw = 0;
        memset(s->fx.st, 0, sizeof(s->fx.st));
    }
    if (mask & MASK_FAULT)
        s->vec = s->err = 0, s->cr2 = 0;
    if (mask & MASK_RF)
        s->eflags &= ~EFL_RF;
    if (mask & MASK_RIP)
        s->rip = 0;
    if (mask & MASK_STRING) {
        s->r[RCX] = (uint32_t)s->r[RCX];
        s->r[RSI] = (uint32_t)s->r[RSI];
        s->r[RDI] = (uint32_t)s->r[RDI];
    }
    for (unsigned k = 0; k < 32 && (mask & (MASK_NAN32 | MASK_NAN64)); k++) {
        uint64_t *v = &s->fx.xmm[k / 2][k & 1];
        *v = mask & MASK_NAN32 ? one_nan32(*v) : one_nan64(*v);
    }
}

const struct maker_rule *maker_mask(const struct sequence *q, struct state *host,
                                    struct state *guest)
{
    unsigned mask = 0;
    for (unsigned k = 0; k < maker_rule_count; k++) {
        const struct maker_rule *r = &maker_rules[k];
        if (r->ended == NULL || !r->ended(q, host, guest))
            continue;
        if (r->mask == 0)
            return r;
        mask |= r->mask;
    }
    mask_state(host, mask);
    mask_state(guest, mask);
    return NULL;
}
