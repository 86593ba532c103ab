/* SPDX-License-Identifier: MIT */
/* CPUID (SDM 2A CPUID). Feature bits come from the list in isa.h; the leaves below add what is not
 * a plain feature: signature, caches, topology, frequencies, extended state, the hypervisor's
 * signature. */
#include <stdio.h>
#include <string.h>

#include "cpu/isa.h"
#include "cpu/system.h"

enum cpuid_reg { REG_A, REG_B, REG_C, REG_D };

struct isa_bit {
    uint32_t leaf;
    uint8_t subleaf, reg, bit;
};

static const struct isa_bit isa_bits[ISA_COUNT] = {
#define ISA(id, name, leaf, sub, reg, bit) {leaf, sub, REG_##reg, bit},
    ISA_LIST(ISA)
#undef ISA
};

static void add_features(const struct cpu *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    for (unsigned k = 0; k < ISA_COUNT; k++) {
        const struct isa_bit *b = &isa_bits[k];
        if (b->leaf != 0 && b->leaf == leaf && b->subleaf == subleaf && CPU_HAS(c, k))
            out[b->reg] |= UINT32_C(1) << b->bit;
    }
}

static uint32_t text4(const char *s)
{
    uint32_t v;
    memcpy(&v, s, 4);
    return v;
}

uint32_t cpuid_signature(const struct cpu_model *m)
{
    uint32_t low = m->family < 15 ? m->family : 15, ext = m->family < 15 ? 0 : m->family - 15u;
    return m->stepping | (m->model & 15u) << 4 | low << 8 | (m->model >> 4 & 15u) << 16 | ext << 20;
}

/* -- Leaves ------------------------------------------------------------------------------------ */

/* At least `max`, and the highest leaf from `first` on that has a feature of this processor. */
static uint32_t max_leaf(const struct cpu *c, uint32_t first, uint32_t max)
{
    for (unsigned k = 0; k < ISA_COUNT; k++) {
        uint32_t leaf = isa_bits[k].leaf;
        if (CPU_HAS(c, k) && leaf >> 31 == first >> 31 && leaf > max)
            max = leaf;
    }
    return max;
}

static uint32_t max_basic(const struct cpu *c)
{
    if (CPU_HAS(c, ISA_LM))
        return 0x16;
    return max_leaf(c, 0, c->model->family >= 6 ? 2 : 1);
}

static uint32_t max_extended(const struct cpu *c)
{
    if (CPU_HAS(c, ISA_LM))
        return 0x80000008;
    return max_leaf(c, 0x80000000, c->model->brand != NULL ? 0x80000004 : 0);
}

static void leaf_vendor(const struct cpu *c, uint32_t out[4])
{
    out[REG_A] = max_basic(c);
    out[REG_B] = text4(c->model->vendor);
    out[REG_D] = text4(c->model->vendor + 4);
    out[REG_C] = text4(c->model->vendor + 8);
}

#define LEAF7_OSPKE      (UINT32_C(1) << 4)
#define LEAF1_OSXSAVE    (UINT32_C(1) << 27)
#define LEAF1_APIC       (UINT32_C(1) << 9)
#define APIC_BASE_ENABLE (UINT64_C(1) << 11)

static void leaf_signature(struct cpu *c, uint32_t out[4])
{
    uint64_t base;
    out[REG_A] = cpuid_signature(c->model);
    if (CPU_HAS(c, ISA_CLFLUSH))
        out[REG_B] |= 8u << 8;
    if (CPU_HAS(c, ISA_APIC))
        out[REG_B] |= 1u << 16; /* one logical processor */
    /* Switched off by its MSR, the local APIC is as if it were not there (SDM 3A 10.4.3). */
    if (CPU_HAS(c, ISA_APIC) && !(apic_base_read(c, &base) && base & APIC_BASE_ENABLE))
        out[REG_D] &= ~LEAF1_APIC;
    if (c->cr4 & CR4_OSXSAVE)
        out[REG_C] |= LEAF1_OSXSAVE;
}

/* Deterministic cache parameters: data, code, unified second level. */
static void leaf_caches(uint32_t sub, uint32_t out[4])
{
    static const struct {
        uint32_t type, level, ways, sets;
    } caches[] = {{1, 1, 8, 64}, {2, 1, 8, 64}, {3, 2, 16, 4096}};
    if (sub >= sizeof(caches) / sizeof(caches[0]))
        return;
    out[REG_A] = caches[sub].type | caches[sub].level << 5 | 1u << 8;
    out[REG_B] = 63 | (caches[sub].ways - 1) << 22;
    out[REG_C] = caches[sub].sets - 1;
}

static void leaf_topology(uint32_t sub, uint32_t out[4])
{
    out[REG_C] = sub & 0xff;
    if (sub > 1)
        return;
    out[REG_B] = 1;
    out[REG_C] |= (sub + 1) << 8; /* SMT, then cores */
}

unsigned xsave_size(uint64_t components)
{
    if (components & XCR0_PKRU)
        return XSAVE_PKRU_AT + XSAVE_PKRU_BYTES;
    return components & XCR0_AVX ? 832 : 576;
}

uint64_t xcr0_supported(const struct cpu *c)
{
    return XCR0_X87 | XCR0_SSE | (CPU_HAS(c, ISA_AVX) ? XCR0_AVX : 0) |
           (CPU_HAS(c, ISA_PKU) ? XCR0_PKRU : 0);
}

static void leaf_xsave(const struct cpu *c, uint32_t sub, uint32_t out[4])
{
    if (!CPU_HAS(c, ISA_XSAVE))
        return;
    if (sub == 0) {
        out[REG_A] = (uint32_t)xcr0_supported(c);
        out[REG_B] = xsave_size(c->xcr0);
        out[REG_C] = xsave_size(xcr0_supported(c));
    } else if (sub == 1) {
        out[REG_B] = xsave_size(c->xcr0);
    } else if (sub == 2 && xcr0_supported(c) & XCR0_AVX) {
        out[REG_A] = 256;
        out[REG_B] = 576;
    } else if (sub == 9 && xcr0_supported(c) & XCR0_PKRU) {
        out[REG_A] = XSAVE_PKRU_BYTES;
        out[REG_B] = XSAVE_PKRU_AT;
    }
}

/* The crystal is the TSC itself, and clocks the local APIC's timer. */
static void leaf_frequency(struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    uint64_t hz = tsc_hz(c);
    if (leaf == 0x15) {
        out[REG_A] = out[REG_B] = 1;
        out[REG_C] = (uint32_t)hz;
    } else {
        out[REG_A] = out[REG_B] = (uint32_t)(hz / 1000000);
        out[REG_C] = 100;
    }
}

static void basic_leaf(struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    switch (leaf) {
    case 0: leaf_vendor(c, out); break;
    case 1: leaf_signature(c, out); break;
    case 2:
        out[REG_A] = 0x00feff01; /* TLBs and caches: see leaf 4; no prefetch descriptor */
        out[REG_B] = 0xf0;
        break;
    case 4: leaf_caches(sub, out); break;
    case 5:
        if (CPU_HAS(c, ISA_MONITOR))
            out[REG_A] = out[REG_B] = 64;
        break;
    case 6: out[REG_A] = 1u << 2; break; /* ARAT: the APIC timer never stops */
    case 7:
        if (sub == 0)
            out[REG_A] = CPU_HAS(c, ISA_BHI_CTRL) ? 2 : 0; /* highest subleaf */
        if (sub == 0 && c->cr4 & CR4_PKE)
            out[REG_C] |= LEAF7_OSPKE;
        break;
    case 0xb: leaf_topology(sub, out); break;
    case 0xd: leaf_xsave(c, sub, out); break;
    case 0x15:
    case 0x16: leaf_frequency(c, leaf, out); break;
    default: break;
    }
}

/* 48 characters of brand, in three leaves. */
static void leaf_brand(const struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    char text[48] = {0};
    if (c->model->brand != NULL)
        snprintf(text, sizeof(text), "%s", c->model->brand);
    for (unsigned k = 0; k < 4; k++)
        out[k] = text4(text + (leaf - 0x80000002) * 16 + k * 4);
}

#define EXT1_SYSCALL (UINT32_C(1) << 11)

static void extended_leaf(const struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    switch (leaf) {
    case 0x80000000: out[REG_A] = max_extended(c); break;
    case 0x80000001:
        /* Intel's processors show SYSCALL only to 64-bit code. */
        if (!(c->mode & MODE_64))
            out[REG_D] &= ~EXT1_SYSCALL;
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: leaf_brand(c, leaf, out); break;
    case 0x80000006: out[REG_C] = 4096u << 16 | 8u << 12 | 64; break;
    case 0x80000008: out[REG_A] = CPU_PHYS_BITS | 48u << 8; break;
    default: break;
    }
}

#define LEAF_HYPERVISOR 0x40000000u

static void hypervisor_leaf(uint32_t leaf, uint32_t out[4])
{
    static const char signature[] = "CalqueCalque";
    if (leaf != LEAF_HYPERVISOR)
        return;
    out[REG_A] = LEAF_HYPERVISOR;
    out[REG_B] = text4(signature);
    out[REG_C] = text4(signature + 4);
    out[REG_D] = text4(signature + 8);
}

struct cpuid_regs cpuid_leaf(struct cpu *c, uint32_t leaf, uint32_t subleaf)
{
    uint32_t out[4] = {0};
    if (leaf <= max_basic(c)) {
        add_features(c, leaf, leaf == 7 || leaf == 0xd ? subleaf : 0, out);
        basic_leaf(c, leaf, subleaf, out);
    } else if (leaf >= 0x80000000 && leaf <= max_extended(c)) {
        add_features(c, leaf, 0, out);
        extended_leaf(c, leaf, out);
    } else if (leaf >> 8 == LEAF_HYPERVISOR >> 8 && CPU_HAS(c, ISA_HYPERVISOR)) {
        hypervisor_leaf(leaf, out);
    }
    return (struct cpuid_regs){out[REG_A], out[REG_B], out[REG_C], out[REG_D]};
}
