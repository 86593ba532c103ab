/* SPDX-License-Identifier: MIT */
/* CPUID of each model, and that what it shows is what works: instructions, CR4 and EFER bits
 * (SDM 2A CPUID; the 486 and Pentium processors' manuals for the old models). */
#include <stdlib.h>

#include "cpu/isa.h"
#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

static const char *const models[] = {"486",    "pentium", "pentium2", "pentium3",
                                     "qemu32", "qemu64",  "max"};
#define MODELS (sizeof(models) / sizeof(models[0]))

struct leaf {
    uint32_t r[4]; /* A, B, C, D */
};

static struct leaf cpuid(struct fake_machine *m, uint32_t leaf, uint32_t sub)
{
    struct cpu *c = &m->cpu;
    CODE_AT(m, CODE, 0x0f, 0xa2);
    c->r[RIP] = CODE;
    c->r[RAX] = leaf;
    c->r[RCX] = sub;
    step(m);
    ck_assert_uint_eq(c->r[RIP], CODE + 2);
    return (struct leaf){
        {(uint32_t)c->r[RAX], (uint32_t)c->r[RBX], (uint32_t)c->r[RCX], (uint32_t)c->r[RDX]}};
}

/* Does a leaf that this model has show the bit? */
static bool shows(struct fake_machine *m, uint32_t leaf, uint32_t sub, char reg, unsigned bit)
{
    if (leaf > cpuid(m, leaf & 0x80000000, 0).r[0])
        return false;
    if (leaf == 7 && sub > cpuid(m, 7, 0).r[0])
        return false;
    return cpuid(m, leaf, sub).r[reg - 'A'] >> bit & 1;
}

static const struct {
    const char *name;
    uint32_t leaf, sub;
    char reg;
    uint8_t bit;
} features[ISA_COUNT] = {
#define ISA(id, name, leaf, sub, reg, bit) {name, leaf, sub, #reg[0], bit},
    ISA_LIST(ISA)
#undef ISA
};

/* Every feature of every model has its bit, and no other bit is set; also features that an option
 * adds to a model whose leaves would end below. */
START_TEST(features_show)
{
    static const char *const extra[] = {
        "486,+nx",          "pentium,+bmi1",    "qemu32,+xsave,+xsaveopt",
        "pentium3,+invtsc", "qemu32,+bhi_ctrl", "max,-sse4_2"};
    for (unsigned k = 0; k < MODELS + sizeof(extra) / sizeof(extra[0]); k++) {
        const char *model = k < MODELS ? models[k] : extra[k - MODELS];
        struct fake_machine *m = world_create(model);
        for (unsigned f = 0; f < ISA_COUNT; f++)
            if (features[f].leaf != 0 && f != ISA_SYSCALL)
                ck_assert_msg(shows(m, features[f].leaf, features[f].sub, features[f].reg,
                                    features[f].bit) == (bool)CPU_HAS(&m->cpu, f),
                              "%s: %s", model, features[f].name);
        fake_machine_free(m);
    }
}
END_TEST

START_TEST(processors_of_old)
{
    static const struct {
        const char *model;
        uint32_t leaf, signature, features;
    } rows[] = {
        {"486", 1, 0x480, 0x0000000b},
        {"pentium", 1, 0x543, 0x008003bf},
        {"pentium2", 2, 0x652, 0x0183fbff},
        {"pentium3", 2, 0x683, 0x0383fbff},
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        struct fake_machine *m = world_create(rows[k].model);
        struct leaf zero = cpuid(m, 0, 0), one = cpuid(m, 1, 0);
        ck_assert_uint_eq(zero.r[0], rows[k].leaf);
        ck_assert_uint_eq(zero.r[1], 0x756e6547); /* Genu ineI ntel */
        ck_assert_uint_eq(zero.r[3], 0x49656e69);
        ck_assert_uint_eq(zero.r[2], 0x6c65746e);
        ck_assert_uint_eq(one.r[0], rows[k].signature);
        ck_assert_msg(one.r[3] == rows[k].features, "%s: %x", rows[k].model, one.r[3]);
        ck_assert_uint_eq(one.r[2], 0);
        fake_machine_free(m);
    }
}
END_TEST

/* Bits that follow the processor's state. */
START_TEST(bits_of_state)
{
    struct fake_machine *m = world_create64();
    ck_assert(shows(m, 0x80000001, 0, 'D', 11)); /* SYSCALL, in 64-bit code only */
    ck_assert(!shows(m, 1, 0, 'C', 27));
    m->cpu.cr4 |= CR4_OSXSAVE;
    ck_assert(shows(m, 1, 0, 'C', 27));
    ck_assert(shows(m, 1, 0, 'D', 9)); /* local APIC, while it is switched on */
    m->apic_base = 0xfee00100;
    ck_assert(!shows(m, 1, 0, 'D', 9));
    fake_machine_free(m);
    m = world_create(NULL);
    ck_assert(!shows(m, 0x80000001, 0, 'D', 11));
    fake_machine_free(m);
}
END_TEST

/* Sizes and addresses that other leaves give. */
START_TEST(numbers)
{
    struct fake_machine *m = world_create(NULL);
    struct leaf x = cpuid(m, 0xd, 0);
    ck_assert_uint_eq(x.r[0], XCR0_X87 | XCR0_SSE);
    ck_assert_uint_eq(x.r[1], 576);
    ck_assert_uint_eq(x.r[2], 576);
    ck_assert_uint_eq(x.r[3], 0);
    ck_assert_uint_eq(cpuid(m, 0x80000008, 0).r[0] >> 8 & 0xff, 48);
    x = cpuid(m, 0x15, 0);
    ck_assert_uint_ne(x.r[0], 0);
    ck_assert_uint_eq((uint64_t)x.r[2] * x.r[1] / x.r[0], tsc_hz(&m->cpu));
    ck_assert_uint_eq(cpuid(m, 4, 3).r[0], 0); /* the list of caches ends */
    ck_assert_uint_eq(cpuid(m, 0xb, 2).r[1], 0);
    x = cpuid(m, 0x80000002, 0);
    ck_assert(memcmp(x.r, "Calque", 6) == 0);
    fake_machine_free(m);
}
END_TEST

/* One instruction of each extension, with memory operands at [EDI], as 32-bit code has them. */
static const struct {
    enum isa isa;
    uint8_t code[6];
} samples[] = {
    {ISA_I486, {0x0f, 0xc8}}, /* BSWAP */
    {ISA_CX8, {0x0f, 0xc7, 0x0f}},
    {ISA_TSC, {0x0f, 0x31}},
    {ISA_MSR, {0x0f, 0x32}}, /* of IA32_TSC: the model has both or neither */
    {ISA_CMOV, {0x0f, 0x44, 0xc0}},
    {ISA_CMOV, {0xda, 0xc0}}, /* FCMOVB */
    {ISA_CMOV, {0xdb, 0xf0}}, /* FCOMI */
    {ISA_P6, {0x0f, 0x0b}},   /* UD2: undefined anyhow */
    {ISA_FPU, {0xd9, 0xe8}},
    {ISA_MMX, {0x0f, 0x77}},
    {ISA_MMX, {0x0f, 0xfc, 0xc0}},
    {ISA_FXSR, {0x0f, 0xae, 0x07}},
    {ISA_SSE, {0x0f, 0x58, 0xc0}},
    {ISA_SSE, {0x0f, 0xe0, 0xc0}}, /* PAVGB mm */
    {ISA_SSE, {0x0f, 0xae, 0xf8}}, /* SFENCE */
    {ISA_SSE, {0x0f, 0xae, 0x17}}, /* LDMXCSR */
    {ISA_SSE2, {0x66, 0x0f, 0x58, 0xc0}},
    {ISA_SSE2, {0x66, 0x0f, 0xfc, 0xc0}},
    {ISA_SSE2, {0x0f, 0xae, 0xf0}}, /* MFENCE */
    {ISA_SSE2, {0x0f, 0xd4, 0xc0}}, /* PADDQ mm */
    {ISA_CLFLUSH, {0x0f, 0xae, 0x3f}},
    {ISA_SSE3, {0x66, 0x0f, 0x7c, 0xc0}},
    {ISA_SSE3, {0xdb, 0x0f}}, /* FISTTP */
    {ISA_SSSE3, {0x0f, 0x38, 0x00, 0xc0}},
    {ISA_SSE41, {0x66, 0x0f, 0x38, 0x17, 0xc0}},
    {ISA_SSE42, {0xf2, 0x0f, 0x38, 0xf0, 0xc0}},
    {ISA_POPCNT, {0xf3, 0x0f, 0xb8, 0xc0}},
    {ISA_PCLMULQDQ, {0x66, 0x0f, 0x3a, 0x44, 0xc0, 0}},
    {ISA_AES, {0x66, 0x0f, 0x38, 0xdc, 0xc0}},
    {ISA_SHA, {0x0f, 0x38, 0xc8, 0xc0}},
    {ISA_MOVBE, {0x0f, 0x38, 0xf0, 0x07}},
    {ISA_RDRAND, {0x0f, 0xc7, 0xf0}},
    {ISA_RDSEED, {0x0f, 0xc7, 0xf8}},
    {ISA_RDTSCP, {0x0f, 0x01, 0xf9}},
    {ISA_RDPID, {0xf3, 0x0f, 0xc7, 0xf8}},
    {ISA_BMI1, {0xc4, 0xe2, 0x78, 0xf2, 0xc0}}, /* ANDN */
    {ISA_BMI2, {0xc4, 0xe2, 0x79, 0xf7, 0xc0}}, /* SHLX */
    {ISA_ADX, {0xf3, 0x0f, 0x38, 0xf6, 0xc0}},
    {ISA_CLFLUSHOPT, {0x66, 0x0f, 0xae, 0x3f}},
    {ISA_CLWB, {0x66, 0x0f, 0xae, 0x37}},
    {ISA_XSAVE, {0x0f, 0x01, 0xd0}}, /* XGETBV */
    {ISA_XSAVEOPT, {0x0f, 0xae, 0x37}},
    {ISA_MONITOR, {0x0f, 0x01, 0xc8}},
    {ISA_SEP, {0x0f, 0x34}},
    {ISA_SMAP, {0x0f, 0x01, 0xca}},
    {ISA_INVPCID, {0x66, 0x0f, 0x38, 0x82, 0x07}},
    {ISA_PREFETCHW, {0x0f, 0x0d, 0x0f}},
};

/* An instruction runs where CPUID shows its extension, and is undefined where not. */
START_TEST(shown_is_what_runs)
{
    for (unsigned k = 0; k < MODELS; k++) {
        struct fake_machine *m = world_create(models[k]);
        struct cpu *c = &m->cpu;
        c->cr4 |= CR4_OSFXSR | (CPU_HAS(c, ISA_XSAVE) ? CR4_OSXSAVE : 0);
        for (unsigned j = 0; j < sizeof(samples) / sizeof(samples[0]); j++) {
            go_to_level(m, 0);
            memset(m->ram + DATA, 0, 0x400);
            c->r[RDI] = DATA;
            c->r[RAX] = c->r[RDX] = 0;
            c->r[RCX] = samples[j].isa == ISA_MSR ? 0x10 : 0;
            c->msr.sysenter_cs = 8;
            c->fpu = (struct fpu){.cw = 0x37f, .mxcsr = 0x1f80};
            code_at(m, CODE, samples[j].code, sizeof(samples[j].code));
            step(m);
            bool undefined = at_handler(m) == VEC_UD;
            bool expected = !CPU_HAS(c, samples[j].isa) || samples[j].isa == ISA_P6;
            ck_assert_msg(undefined == expected, "%s: row %u (%02x %02x %02x): vector %d",
                          models[k], j, samples[j].code[0], samples[j].code[1], samples[j].code[2],
                          at_handler(m));
        }
        fake_machine_free(m);
    }
}
END_TEST

START_TEST(control_bits_need_their_feature)
{
    static const struct {
        uint64_t bit;
        enum isa isa;
    } cr4[] = {
        {CR4_VME, ISA_VME},        {CR4_PVI, ISA_VME},    {CR4_TSD, ISA_TSC},
        {CR4_DE, ISA_DE},          {CR4_PSE, ISA_PSE},    {CR4_PAE, ISA_PAE},
        {CR4_MCE, ISA_MCE},        {CR4_PGE, ISA_PGE},    {CR4_OSFXSR, ISA_FXSR},
        {CR4_OSXMMEXCPT, ISA_SSE}, {CR4_UMIP, ISA_UMIP},  {CR4_FSGSBASE, ISA_FSGSBASE},
        {CR4_OSXSAVE, ISA_XSAVE},  {CR4_SMEP, ISA_SMEP},  {CR4_SMAP, ISA_SMAP},
        {CR4_PKE, ISA_PKU},        {1u << 13, ISA_COUNT}, {1u << 14, ISA_COUNT},
        {1u << 15, ISA_COUNT},     {1u << 19, ISA_COUNT}, {1u << 23, ISA_COUNT},
    };
    for (unsigned k = 0; k < MODELS; k++) {
        struct fake_machine *m = world_create(models[k]);
        struct cpu *c = &m->cpu;
        for (unsigned j = 0; j < sizeof(cr4) / sizeof(cr4[0]); j++) {
            go_to_level(m, 0);
            c->cr4 = 0;
            c->r[RAX] = cr4[j].bit;
            CODE_AT(m, CODE, 0x0f, 0x22, 0xe0);
            step(m);
            bool has = cr4[j].isa != ISA_COUNT && CPU_HAS(c, cr4[j].isa);
            ck_assert_msg((at_handler(m) == -1) == has, "%s: bit %llx", models[k],
                          (unsigned long long)cr4[j].bit);
            ck_assert_uint_eq(c->cr4, has ? cr4[j].bit : 0);
        }
        fake_machine_free(m);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cpuid");
    TCase *t = tcase_create("cpuid");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_test(t, features_show);
    tcase_add_test(t, processors_of_old);
    tcase_add_test(t, bits_of_state);
    tcase_add_test(t, numbers);
    tcase_add_test(t, shown_is_what_runs);
    tcase_add_test(t, control_bits_need_their_feature);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
