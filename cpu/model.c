/* SPDX-License-Identifier: MIT */
/* Processor models (-cpu), and the beginning and end of a processor's life. A model is a family, a
 * name and a list of features; only what the interpreter implements is listed. */
#include <stdio.h>
#include <string.h>

#include "cpu/block.h"
#include "cpu/exception.h"
#include "cpu/flags.h"
#include "cpu/insn.h"
#include "cpu/isa.h"
#include "cpu/mem.h"
#include "cpu/segment.h"
#include "cpu/system.h"

#define ISA_486     "i86 i186 i286 i386 i486 cpuid fpu vme pse "
#define ISA_PENTIUM ISA_486 "de tsc msr mce cx8 mmx apic "
#define ISA_P2      ISA_PENTIUM "p6 pae sep mtrr pge mca cmov pat pse36 fxsr "
#define ISA_P3      ISA_P2 "sse "
#define ISA_32      ISA_P3 "sse2 pni clflush hypervisor "
/* The default: everything whose tests are in place. */
#define ISA_64                                                                                     \
    ISA_32 "lm nx syscall lahf_lm rdtscp pdpe1gb invtsc tsc_adjust "                               \
           "ssse3 sse4_1 sse4_2 popcnt cx16 movbe aes pclmulqdq rdrand rdseed xsave xsaveopt "     \
           "abm bmi1 bmi2 adx erms fsgsbase smep smap umip pcid invpcid x2apic 3dnowprefetch "     \
           "clflushopt rdpid xgetbv1 sha_ni spec_ctrl bhi_ctrl arch_capabilities "

static const struct cpu_model models[] = {
    {"qemu64", "the default: 64-bit, the features of x86-64-v2 and more", "GenuineIntel",
     "Calque virtual processor, 64-bit", 6, 0x2c, 2, ISA_64},
    {"max", "all features that are implemented", "GenuineIntel",
     "Calque virtual processor, maximum", 6, 0x2c, 2, ISA_64 "clwb pku pks tsc-deadline monitor "},
    {"qemu32", "32-bit with SSE3", "GenuineIntel", "Calque virtual processor, 32-bit", 6, 6, 3,
     ISA_32},
    {"486", "Intel 486DX4", "GenuineIntel", NULL, 4, 8, 0, ISA_486},
    {"pentium", "Intel Pentium MMX", "GenuineIntel", NULL, 5, 4, 3, ISA_PENTIUM},
    {"pentium2", "Intel Pentium II", "GenuineIntel", NULL, 6, 5, 2, ISA_P2},
    {"pentium3", "Intel Pentium III", "GenuineIntel", NULL, 6, 8, 3, ISA_P3},
};
#define MODEL_COUNT (sizeof(models) / sizeof(models[0]))

static const char *const isa_names[ISA_COUNT] = {
#define ISA(id, name, leaf, sub, reg, bit) name,
    ISA_LIST(ISA)
#undef ISA
};

_Static_assert(ISA_COUNT <= 128, "cpu.isa has 128 bits");

/* -- Names ------------------------------------------------------------------------------------- */

static char plain(char ch)
{
    return ch == '-' || ch == '.' ? '_' : ch;
}

/* Feature names may be written with -, _ or . alike. */
static bool same_name(const char *a, const char *b, size_t n)
{
    if (strlen(a) != n)
        return false;
    for (size_t k = 0; k < n; k++)
        if (plain(a[k]) != plain(b[k]))
            return false;
    return true;
}

static int find_feature(const char *name, size_t n)
{
    static const struct {
        const char *alias, *name;
    } aliases[] = {{"sse3", "pni"}, {"lzcnt", "abm"}, {"ibrs", "spec_ctrl"}};
    for (size_t k = 0; k < sizeof(aliases) / sizeof(aliases[0]); k++)
        if (same_name(aliases[k].alias, name, n)) {
            name = aliases[k].name;
            n = strlen(name);
        }
    for (int k = 0; k < ISA_COUNT; k++)
        if (same_name(isa_names[k], name, n))
            return k;
    return -1;
}

static void set_feature(struct cpu *c, int isa, bool on)
{
    uint64_t bit = UINT64_C(1) << (isa % 64);
    if (on)
        c->isa[isa / 64] |= bit;
    else
        c->isa[isa / 64] &= ~bit;
}

static void set_model(struct cpu *c, const struct cpu_model *m)
{
    c->model = m;
    c->isa[0] = c->isa[1] = 0;
    for (const char *p = m->isa; *p != '\0';) {
        size_t n = strcspn(p, " ");
        int isa = find_feature(p, n);
        if (isa >= 0)
            set_feature(c, isa, true);
        p += n + strspn(p + n, " ");
    }
}

static const struct cpu_model *find_model(const char *name, size_t n)
{
    for (size_t k = 0; k < MODEL_COUNT; k++)
        if (strlen(models[k].name) == n && memcmp(models[k].name, name, n) == 0)
            return &models[k];
    return NULL;
}

static const uint8_t unimplemented[] = {ISA_AVX, ISA_AVX2, ISA_FMA, ISA_F16C};

/* "+name", "-name", "name=on", "name=off" */
static bool apply_option(struct cpu *c, const char *opt, size_t n, char *err)
{
    const char *name = opt;
    size_t len = n;
    bool on = true;
    if (n > 0 && (opt[0] == '+' || opt[0] == '-')) {
        on = opt[0] == '+';
        name++;
        len--;
    } else if (n > 3 && memcmp(opt + n - 3, "=on", 3) == 0) {
        len -= 3;
    } else if (n > 4 && memcmp(opt + n - 4, "=off", 4) == 0) {
        on = false;
        len -= 4;
    } else {
        snprintf(err, 256, "-cpu: '%.*s' is not +feature or -feature", (int)n, opt);
        return false;
    }
    int isa = find_feature(name, len);
    if (isa < 0) {
        snprintf(err, 256, "-cpu: unknown feature '%.*s'", (int)len, name);
        return false;
    }
    if (on && memchr(unimplemented, isa, sizeof(unimplemented)) != NULL) {
        snprintf(err, 256, "-cpu: feature '%.*s' is not implemented", (int)len, name);
        return false;
    }
    set_feature(c, isa, on);
    return true;
}

static bool parse_model(struct cpu *c, const char *text, char *err)
{
    size_t n = strcspn(text, ",");
    const struct cpu_model *m = find_model(text, n);
    if (m == NULL) {
        snprintf(err, 256, "-cpu: unknown model '%.*s' (-cpu help lists them)", (int)n, text);
        return false;
    }
    set_model(c, m);
    for (const char *p = text + n; *p == ',';) {
        p++;
        n = strcspn(p, ",");
        if (!apply_option(c, p, n, err))
            return false;
        p += n;
    }
    return true;
}

void cpu_list_models(void (*line)(void *arg, const char *text), void *arg)
{
    char text[128];
    for (size_t k = 0; k < MODEL_COUNT; k++) {
        snprintf(text, sizeof(text), "%-10s %s", models[k].name, models[k].desc);
        line(arg, text);
    }
}

/* -- Life -------------------------------------------------------------------------------------- */

bool cpu_init(struct cpu *c, const char *model, char *err)
{
    if (!parse_model(c, model != NULL ? model : models[0].name, err))
        return false;
    c->decoder = decoder_create();
    c->blocks = blocks_create();
    if (c->decoder == NULL || c->blocks == NULL) {
        cpu_free(c);
        snprintf(err, 256, "out of memory");
        return false;
    }
    c->a20 = true;
    cpu_reset(c);
    return true;
}

void cpu_free(struct cpu *c)
{
    decoder_free(c->decoder);
    blocks_free(c->blocks);
    c->decoder = NULL;
    c->blocks = NULL;
}

#define SEG_ATTR_RESET (SEG_P | SEG_S | SEG_RW | SEG_A)

static void reset_segments(struct cpu *c)
{
    for (unsigned k = 0; k < SEG_COUNT; k++)
        c->seg[k] = (struct seg){.limit = 0xffff, .attr = SEG_ATTR_RESET, .usable = true};
    c->seg[SEG_CS].sel = 0xf000;
    c->seg[SEG_CS].base = c->seg[SEG_CS].desc_base = 0xffff0000;
    c->ldtr = (struct seg){.limit = 0xffff, .attr = SEG_P | DESC_LDT, .usable = true};
    c->tr = (struct seg){.limit = 0xffff, .attr = SEG_P | DESC_TSS32_BUSY, .usable = true};
    c->gdt = c->idt = (struct dtable){.base = 0, .limit = 0xffff};
}

static void reset_fpu(struct cpu *c)
{
    c->fpu = (struct fpu){.cw = 0x40, .valid = 0xff, .mxcsr = 0x1f80};
    c->xcr0 = XCR0_X87;
    c->pkru = 0;
}

/* SDM 3A table 9-1. The A20 gate belongs to the board and stays. */
void cpu_reset(struct cpu *c)
{
    memset(c->r, 0, sizeof(c->r));
    c->r[RDX] = cpuid_signature(c->model);
    c->r[RIP] = 0xfff0;
    c->eflags = EFL_FIXED;
    flags_set_arith(c, 0);
    reset_segments(c);
    reset_fpu(c);
    c->cr0 = CR0_ET | CR0_NW | CR0_CD;
    c->cr2 = c->cr3 = c->cr4 = c->efer = 0;
    memset(c->pdpte, 0, sizeof(c->pdpte));
    memset(c->dr, 0, sizeof(c->dr));
    c->dr[6] = DR6_FIXED;
    c->dr[7] = DR7_FIXED;
    msr_reset(c);
    c->monitoring = c->in_mwait = false;
    c->halted = c->ferr = c->nmi_blocked = c->shadow = c->shadow_ss = false;
    c->fault_pending = c->no_step = c->in_delivery = c->ext = false;
    c->db_pending = 0;
    c->mode = 0;
    for (unsigned k = 0; k < SEG_COUNT; k++)
        seg_update(c, k);
    cpu_update_mode(c);
    tlb_flush_all(c);
    blocks_clear(c);
}
