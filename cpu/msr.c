/* SPDX-License-Identifier: MIT */
/* Model-specific registers (SDM Vol. 4): a table of the plain ones, functions for those that do
 * something. There are no performance counters, machine-check banks or branch records: of
 * IA32_DEBUGCTL only BTF has an effect. Unknown numbers raise #GP(0) and are logged. */
#include <stddef.h>

#include "cpu/isa.h"
#include "cpu/mem.h"
#include "cpu/system.h"

enum {
    MSR_TSC = 0x10,
    MSR_APIC_BASE = 0x1b,
    MSR_TSC_ADJUST = 0x3b,
    MSR_PRED_CMD = 0x49,
    MSR_MTRR_PHYS = 0x200,
    MSR_MTRR_PHYS_END = MSR_MTRR_PHYS + 2 * MTRR_VAR_COUNT,
    MSR_PAT = 0x277,
    MSR_MTRR_DEF_TYPE = 0x2ff,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_PKRS = 0x6e1,
    MSR_X2APIC = 0x800,
    MSR_X2APIC_END = 0x900,
};
#define MSR_EFER 0xc0000080u

/* IA32_ARCH_CAPABILITIES: not susceptible to the known transient-execution attacks, as an
 * interpreter without speculation is not: RDCL_NO, IBRS_ALL, SKIP_L1DFL, SSB_NO, MDS_NO,
 * IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO,
 * ITS_NO. */
#define ARCH_CAPS                                                                                  \
    (UINT64_C(1) << 0 | UINT64_C(1) << 1 | UINT64_C(1) << 3 | UINT64_C(1) << 4 |                   \
     UINT64_C(1) << 5 | UINT64_C(1) << 6 | UINT64_C(1) << 8 | UINT64_C(1) << 13 |                  \
     UINT64_C(1) << 14 | UINT64_C(1) << 15 | UINT64_C(1) << 20 | UINT64_C(1) << 24 |               \
     UINT64_C(1) << 26 | UINT64_C(1) << 27 | UINT64_C(1) << 62)

#define MTRR_CAPS (MTRR_VAR_COUNT | 1u << 8 | 1u << 10) /* variable, fixed, write-combining */

/* -- The plain ones ---------------------------------------------------------------------------- */

enum rule {
    RULE_STORE,     /* kept; bits outside the mask: #GP */
    RULE_CANONICAL, /* kept; must be canonical */
    RULE_CONST,     /* reads as `value`; writes: #GP */
    RULE_IGNORE,    /* reads as `value`; writes have no effect */
};

struct msr_row {
    uint32_t msr;
    uint8_t isa;
    uint8_t rule;
    uint16_t field; /* RULE_STORE, RULE_CANONICAL: offset in struct msrs */
    uint64_t value; /* the mask, or the value read */
};

#define FIELD_OF(name) offsetof(struct msrs, name)
#define ALL_BITS       UINT64_MAX

static const struct msr_row rows[] = {
    {0x00, ISA_MCE, RULE_IGNORE, 0, 0}, /* P5_MC_ADDR */
    {0x01, ISA_MCE, RULE_IGNORE, 0, 0}, /* P5_MC_TYPE */
    {0x17, ISA_P6, RULE_CONST, 0, 0},   /* PLATFORM_ID */
    {0x3a, ISA_LM, RULE_CONST, 0, 1},   /* FEATURE_CONTROL: locked */
    {0x48, ISA_SPEC_CTRL, RULE_STORE, FIELD_OF(spec_ctrl),
     0x407},                                           /* IBRS, STIBP, SSBD, BHI_DIS_S */
    {0x79, ISA_P6, RULE_IGNORE, 0, 0},                 /* BIOS_UPDT_TRIG */
    {0x8b, ISA_P6, RULE_IGNORE, 0, UINT64_C(1) << 32}, /* BIOS_SIGN_ID: microcode revision 1 */
    {0xce, ISA_LM, RULE_CONST, 0, 0},                  /* PLATFORM_INFO */
    {0xfe, ISA_MTRR, RULE_CONST, 0, MTRR_CAPS},
    {0x10a, ISA_ARCH_CAPS, RULE_CONST, 0, ARCH_CAPS},
    {0x174, ISA_SEP, RULE_STORE, FIELD_OF(sysenter_cs), 0xffffffff},
    {0x175, ISA_SEP, RULE_CANONICAL, FIELD_OF(sysenter_esp), 0},
    {0x176, ISA_SEP, RULE_CANONICAL, FIELD_OF(sysenter_eip), 0},
    {0x179, ISA_MCA, RULE_CONST, 0, 0},  /* MCG_CAP: no banks */
    {0x17a, ISA_MCA, RULE_IGNORE, 0, 0}, /* MCG_STATUS */
    {0x1a0, ISA_LM, RULE_STORE, FIELD_OF(misc_enable), ALL_BITS},
    {0x1d9, ISA_P6, RULE_STORE, FIELD_OF(debugctl), 0x7f}, /* LBR, BTF, PB0-3, TR */
    {0x1db, ISA_P6, RULE_CONST, 0, 0},                     /* LASTBRANCHFROMIP */
    {0x1dc, ISA_P6, RULE_CONST, 0, 0},                     /* LASTBRANCHTOIP */
    {0x1dd, ISA_P6, RULE_CONST, 0, 0},                     /* LASTINTFROMIP */
    {0x1de, ISA_P6, RULE_CONST, 0, 0},                     /* LASTINTTOIP */
    {0xc0000081, ISA_SYSCALL, RULE_STORE, FIELD_OF(star), ALL_BITS},
    {0xc0000082, ISA_LM, RULE_CANONICAL, FIELD_OF(lstar), 0},
    {0xc0000083, ISA_LM, RULE_CANONICAL, FIELD_OF(cstar), 0},
    {0xc0000084, ISA_SYSCALL, RULE_STORE, FIELD_OF(fmask), 0xffffffff},
    {MSR_KERNEL_GS_BASE, ISA_LM, RULE_CANONICAL, FIELD_OF(kernel_gs_base), 0},
    {0xc0000103, ISA_RDTSCP, RULE_STORE, FIELD_OF(tsc_aux), 0xffffffff}, /* for either */
    {0xc0000103, ISA_RDPID, RULE_STORE, FIELD_OF(tsc_aux), 0xffffffff},
};

static const struct msr_row *find_row(const struct cpu *c, uint32_t msr)
{
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        if (rows[k].msr == msr && CPU_HAS(c, rows[k].isa))
            return &rows[k];
    return NULL;
}

static uint64_t *row_field(struct cpu *c, const struct msr_row *row)
{
    return (uint64_t *)(void *)((uint8_t *)&c->msr + row->field);
}

static bool row_write(struct cpu *c, const struct msr_row *row, uint64_t v)
{
    bool ok = true;
    switch (row->rule) {
    case RULE_STORE: ok = !(v & ~row->value); break;
    case RULE_CANONICAL: ok = is_canonical(v); break;
    case RULE_CONST: ok = false; break;
    default: return true;
    }
    if (!ok)
        return cpu_raise_gp(c, 0);
    *row_field(c, row) = v;
    return true;
}

/* -- Memory types ------------------------------------------------------------------------------ */

/* UC, WC, WT, WP, WB; in the PAT also UC- (7). */
static bool is_memory_type(uint64_t t, bool in_pat)
{
    return t == 0 || t == 1 || (t >= 4 && t <= 6) || (in_pat && t == 7);
}

static bool are_memory_types(uint64_t v, bool in_pat)
{
    for (unsigned k = 0; k < 64; k += 8)
        if (!is_memory_type(v >> k & 0xff, in_pat))
            return false;
    return true;
}

/* A fixed-range MTRR's place in mtrr_fix, or -1. */
static int fixed_mtrr(uint32_t msr)
{
    switch (msr) {
    case 0x250: return 0;
    case 0x258: return 1;
    case 0x259: return 2;
    default: return msr >= 0x268 && msr <= 0x26f ? (int)(msr - 0x268 + 3) : -1;
    }
}

static uint64_t *variable_mtrr(struct cpu *c, uint32_t msr)
{
    unsigned n = (msr - MSR_MTRR_PHYS) / 2;
    return msr & 1 ? &c->msr.mtrr_mask[n] : &c->msr.mtrr_base[n];
}

/* The register behind an MTRR or PAT number, or NULL. */
static uint64_t *memory_type_msr(struct cpu *c, uint32_t msr)
{
    if (msr == MSR_PAT)
        return CPU_HAS(c, ISA_PAT) ? &c->msr.pat : NULL;
    if (!CPU_HAS(c, ISA_MTRR))
        return NULL;
    if (msr >= MSR_MTRR_PHYS && msr < MSR_MTRR_PHYS_END)
        return variable_mtrr(c, msr);
    if (fixed_mtrr(msr) >= 0)
        return &c->msr.mtrr_fix[fixed_mtrr(msr)];
    return msr == MSR_MTRR_DEF_TYPE ? &c->msr.mtrr_def_type : NULL;
}

static bool memory_type_value_ok(uint32_t msr, uint64_t v)
{
    if (msr == MSR_PAT || fixed_mtrr(msr) >= 0)
        return are_memory_types(v, msr == MSR_PAT);
    if (msr == MSR_MTRR_DEF_TYPE)
        return !(v & ~UINT64_C(0xcff)) && is_memory_type(v & 0xff, false);
    if (v >> CPU_PHYS_BITS)
        return false;
    return msr & 1 ? !(v & 0x7ff) : !(v & 0xf00) && is_memory_type(v & 0xff, false);
}

/* -- Those that do something ------------------------------------------------------------------- */

static bool write_efer(struct cpu *c, uint64_t v)
{
    uint64_t known = EFER_LMA;
    if (CPU_HAS(c, ISA_SYSCALL))
        known |= EFER_SCE;
    if (CPU_HAS(c, ISA_LM))
        known |= EFER_LME;
    if (CPU_HAS(c, ISA_NX))
        known |= EFER_NXE;
    if (v & ~known || ((v ^ c->efer) & EFER_LME && c->cr0 & CR0_PG))
        return cpu_raise_gp(c, 0);
    uint64_t changed = v ^ c->efer;
    c->efer = (v & ~(uint64_t)EFER_LMA) | (c->efer & EFER_LMA);
    if (changed & EFER_NXE)
        tlb_flush_all(c);
    cpu_update_mode(c);
    return true;
}

/* The deadline is one of the guest's counter; the machine's has another offset. */
static void arm_deadline(struct cpu *c, uint64_t deadline)
{
    uint64_t ticks = tsc_read(c), now = ticks + c->msr.tsc_offset;
    uint64_t left = deadline > now ? deadline - now : 0;
    c->msr.tsc_deadline = deadline;
    if (deadline == 0)
        apic_deadline_write(c, 0);
    else
        apic_deadline_write(c, left < UINT64_MAX - ticks ? ticks + left : UINT64_MAX);
}

static uint64_t read_deadline(struct cpu *c)
{
    return apic_deadline_read(c) != 0 ? c->msr.tsc_deadline : 0;
}

static void set_tsc_offset(struct cpu *c, uint64_t offset)
{
    uint64_t deadline = CPU_HAS(c, ISA_TSC_DEADLINE) ? read_deadline(c) : 0;
    c->msr.tsc_offset = offset;
    if (deadline != 0)
        arm_deadline(c, deadline);
}

static bool has_efer(const struct cpu *c)
{
    return CPU_HAS(c, ISA_NX) || CPU_HAS(c, ISA_LM) || CPU_HAS(c, ISA_SYSCALL);
}

static bool is_x2apic(const struct cpu *c, uint32_t msr)
{
    return msr >= MSR_X2APIC && msr < MSR_X2APIC_END && CPU_HAS(c, ISA_X2APIC);
}

static bool machine_ok(struct cpu *c, bool ok)
{
    return ok || cpu_raise_gp(c, 0);
}

static bool unknown_msr(struct cpu *c, const char *what, uint32_t msr, uint64_t v)
{
    if (c->log_items & LOG_UNIMP)
        cpu_log(c, LOG_UNIMP, "%s of unknown MSR %x (%llx) at %llx", what, msr,
                (unsigned long long)v, (unsigned long long)c->r[RIP]);
    return cpu_raise_gp(c, 0);
}

static bool write_base(struct cpu *c, unsigned sreg, uint64_t v)
{
    if (!is_canonical(v))
        return cpu_raise_gp(c, 0);
    c->seg[sreg].base = v;
    return true;
}

#define APIC_BASE_X2 (UINT64_C(1) << 10)

static bool write_apic_base(struct cpu *c, uint64_t v)
{
    bool bad = v >> CPU_PHYS_BITS != 0 || (v & APIC_BASE_X2 && !CPU_HAS(c, ISA_X2APIC));
    return machine_ok(c, !bad && apic_base_write(c, v));
}

static bool write_pkrs(struct cpu *c, uint64_t v)
{
    if (v >> 32)
        return cpu_raise_gp(c, 0);
    c->msr.pkrs = v;
    tlb_flush_all(c);
    return true;
}

/* Read registers that are no plain rows; *known tells whether there is one. */
static bool read_special(struct cpu *c, uint32_t msr, uint64_t *val, bool *known)
{
    const uint64_t *type = memory_type_msr(c, msr);
    *known = true;
    if (type != NULL) {
        *val = *type;
        return true;
    }
    if (is_x2apic(c, msr))
        return machine_ok(c, apic_msr_read(c, msr, val));
    if (msr == MSR_TSC && CPU_HAS(c, ISA_TSC))
        *val = cpu_tsc(c);
    else if (msr == MSR_TSC_ADJUST && CPU_HAS(c, ISA_TSC_ADJUST))
        *val = c->msr.tsc_offset;
    else if (msr == MSR_TSC_DEADLINE && CPU_HAS(c, ISA_TSC_DEADLINE))
        *val = read_deadline(c);
    else if (msr == MSR_APIC_BASE && CPU_HAS(c, ISA_APIC))
        return machine_ok(c, apic_base_read(c, val));
    else if (msr == MSR_EFER && has_efer(c))
        *val = c->efer;
    else if (msr == MSR_FS_BASE && CPU_HAS(c, ISA_LM))
        *val = c->seg[SEG_FS].base;
    else if (msr == MSR_GS_BASE && CPU_HAS(c, ISA_LM))
        *val = c->seg[SEG_GS].base;
    else if (msr == MSR_PKRS && CPU_HAS(c, ISA_PKS))
        *val = c->msr.pkrs;
    else
        *known = false;
    return true;
}

static bool write_special(struct cpu *c, uint32_t msr, uint64_t v, bool *known)
{
    uint64_t *type = memory_type_msr(c, msr);
    *known = true;
    if (type != NULL) {
        if (!memory_type_value_ok(msr, v))
            return cpu_raise_gp(c, 0);
        *type = v;
        return true;
    }
    if (is_x2apic(c, msr))
        return machine_ok(c, apic_msr_write(c, msr, v));
    if (msr == MSR_TSC && CPU_HAS(c, ISA_TSC))
        set_tsc_offset(c, v - tsc_read(c));
    else if (msr == MSR_TSC_ADJUST && CPU_HAS(c, ISA_TSC_ADJUST))
        set_tsc_offset(c, v);
    else if (msr == MSR_TSC_DEADLINE && CPU_HAS(c, ISA_TSC_DEADLINE))
        arm_deadline(c, v);
    else if (msr == MSR_PRED_CMD && CPU_HAS(c, ISA_SPEC_CTRL))
        return !(v & ~UINT64_C(1)) || cpu_raise_gp(c, 0);
    else if (msr == MSR_APIC_BASE && CPU_HAS(c, ISA_APIC))
        return write_apic_base(c, v);
    else if (msr == MSR_EFER && has_efer(c))
        return write_efer(c, v);
    else if (msr == MSR_FS_BASE && CPU_HAS(c, ISA_LM))
        return write_base(c, SEG_FS, v);
    else if (msr == MSR_GS_BASE && CPU_HAS(c, ISA_LM))
        return write_base(c, SEG_GS, v);
    else if (msr == MSR_PKRS && CPU_HAS(c, ISA_PKS))
        return write_pkrs(c, v);
    else
        *known = false;
    return true;
}

/* -- Interface --------------------------------------------------------------------------------- */

bool msr_read(struct cpu *c, uint32_t msr, uint64_t *val)
{
    const struct msr_row *row = find_row(c, msr);
    bool known;
    if (row != NULL) {
        bool stored = row->rule == RULE_STORE || row->rule == RULE_CANONICAL;
        *val = stored ? *row_field(c, row) : row->value;
        return true;
    }
    if (!read_special(c, msr, val, &known))
        return false;
    return known || unknown_msr(c, "read", msr, 0);
}

bool msr_write(struct cpu *c, uint32_t msr, uint64_t val)
{
    const struct msr_row *row = find_row(c, msr);
    bool known;
    if (row != NULL)
        return row_write(c, row, val);
    if (!write_special(c, msr, val, &known))
        return false;
    return known || unknown_msr(c, "write", msr, val);
}

#define MISC_FAST_STRINGS 0x0001u
#define MISC_NO_BTS       0x0800u
#define MISC_NO_PEBS      0x1000u
#define MISC_MONITOR      0x40000u

void msr_reset(struct cpu *c)
{
    c->msr = (struct msrs){
        .pat = UINT64_C(0x0007040600070406),
        .misc_enable = MISC_FAST_STRINGS | MISC_NO_BTS | MISC_NO_PEBS |
                       (CPU_HAS(c, ISA_MONITOR) ? MISC_MONITOR : 0),
        .feature_control = 1,
    };
}
