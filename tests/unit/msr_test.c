/* SPDX-License-Identifier: MIT */
/* What RDMSR and WRMSR accept: which registers each model has, reserved bits, canonical addresses,
 * memory types (SDM 2B RDMSR, WRMSR; 3A 12.11; 4). */
#include <stdlib.h>

#include "cpu/isa.h"
#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

#define NON_CANONICAL UINT64_C(0x0000800000000000)
#define CANONICAL     UINT64_C(0xffff800000000000)

static struct fake_machine *m;
static struct cpu *c;

static void use(const char *model)
{
    if (m != NULL)
        fake_machine_free(m);
    m = world_create(model);
    c = &m->cpu;
}

static void setup(void)
{
    m = NULL;
    use("max");
}

static void teardown(void)
{
    fake_machine_free(m);
}

static bool run(uint8_t opcode, uint32_t msr)
{
    CODE_AT(m, CODE, 0x0f, opcode);
    c->r[RIP] = CODE;
    c->r[RSP] = STACK0;
    c->r[RCX] = msr;
    step(m);
    if (at_handler(m) == -1)
        return true;
    ck_assert_int_eq(at_handler(m), VEC_GP);
    ck_assert_uint_eq(get(m, c->r[RSP], 4), 0);
    return false;
}

/* False: #GP(0). */
static bool rd(uint32_t msr, uint64_t *v)
{
    c->r[RAX] = c->r[RDX] = UINT64_MAX;
    if (!run(0x32, msr))
        return false;
    ck_assert_uint_eq(c->r[RAX] >> 32, 0);
    ck_assert_uint_eq(c->r[RDX] >> 32, 0);
    *v = c->r[RAX] | c->r[RDX] << 32;
    return true;
}

static bool wr(uint32_t msr, uint64_t v)
{
    c->r[RAX] = (uint32_t)v;
    c->r[RDX] = v >> 32;
    return run(0x30, msr);
}

static bool exists(uint32_t msr)
{
    uint64_t v;
    return rd(msr, &v);
}

static void check_value(uint32_t msr, uint64_t expected)
{
    uint64_t v = ~expected;
    ck_assert_msg(rd(msr, &v), "MSR %x", msr);
    ck_assert_msg(v == expected, "MSR %x is %llx", msr, (unsigned long long)v);
}

START_TEST(level_0_only)
{
    CODE_AT(m, CODE, 0x0f, 0x32);
    go_to_level(m, 3);
    c->r[RCX] = 0x277;
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_GP);
    go_to_level(m, 3);
    CODE_AT(m, CODE, 0x0f, 0x30);
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_GP);
}
END_TEST

/* Which registers come with which feature. */
START_TEST(absent_ones_fault)
{
    static const struct {
        uint32_t msr;
        enum isa isa;
    } rows[] = {
        {0x10, ISA_TSC},       {0x1b, ISA_APIC},          {0x3b, ISA_TSC_ADJUST},
        {0xfe, ISA_MTRR},      {0x200, ISA_MTRR},         {0x20f, ISA_MTRR},
        {0x250, ISA_MTRR},     {0x26f, ISA_MTRR},         {0x2ff, ISA_MTRR},
        {0x277, ISA_PAT},      {0x174, ISA_SEP},          {0x175, ISA_SEP},
        {0x176, ISA_SEP},      {0x179, ISA_MCA},          {0x17a, ISA_MCA},
        {0x48, ISA_SPEC_CTRL}, {0x10a, ISA_ARCH_CAPS},    {0xc0000081, ISA_SYSCALL},
        {0xc0000082, ISA_LM},  {0xc0000084, ISA_SYSCALL}, {0xc0000100, ISA_LM},
        {0xc0000101, ISA_LM},  {0xc0000102, ISA_LM},      {0xc0000103, ISA_RDTSCP},
    };
    static const char *const models[] = {"pentium", "pentium2", "pentium3", "qemu32", "max"};
    static const uint32_t never[] = {2,          0x19,       0xc1,       0x210,      0x251,
                                     0x267,      0x270,      0x400,      0x480,      0x900,
                                     0xc0000085, 0xc0000104, 0xc0010015, 0x40000000, UINT32_MAX};
    for (unsigned k = 0; k < sizeof(models) / sizeof(models[0]); k++) {
        use(models[k]);
        for (unsigned j = 0; j < sizeof(rows) / sizeof(rows[0]); j++)
            ck_assert_msg(exists(rows[j].msr) == (bool)CPU_HAS(c, rows[j].isa), "%s: MSR %x",
                          models[k], rows[j].msr);
        for (unsigned j = 0; j < sizeof(never) / sizeof(never[0]); j++) {
            ck_assert_msg(!exists(never[j]), "%s: MSR %x", models[k], never[j]);
            ck_assert_msg(!wr(never[j], 0), "%s: MSR %x", models[k], never[j]);
        }
    }
    ck_assert(!exists(0x49)); /* PRED_CMD is for writing */
    ck_assert(wr(0x49, 1));
    ck_assert(!wr(0x49, 2));
}
END_TEST

/* RDTSCP and RDPID read the same register. */
START_TEST(tsc_aux_comes_with_either)
{
    static const char *const models[] = {"max", "max,-rdtscp", "max,-rdpid", "max,-rdtscp,-rdpid"};
    for (unsigned k = 0; k < sizeof(models) / sizeof(models[0]); k++) {
        use(models[k]);
        ck_assert_msg(wr(0xc0000103, 7) == (k < 3), "%s", models[k]);
        ck_assert_msg(exists(0xc0000103) == (k < 3), "%s", models[k]);
    }
}
END_TEST

START_TEST(addresses_are_canonical)
{
    static const uint32_t msrs[] = {0x175,      0x176,      0xc0000082, 0xc0000083,
                                    0xc0000100, 0xc0000101, 0xc0000102};
    for (unsigned k = 0; k < sizeof(msrs) / sizeof(msrs[0]); k++) {
        ck_assert(wr(msrs[k], CANONICAL));
        ck_assert_msg(!wr(msrs[k], NON_CANONICAL), "MSR %x", msrs[k]);
        ck_assert(!wr(msrs[k], UINT64_C(0x7fffffffffffffff)));
        check_value(msrs[k], CANONICAL);
        ck_assert(wr(msrs[k], NON_CANONICAL - 1));
        check_value(msrs[k], NON_CANONICAL - 1);
    }
    ck_assert_uint_eq(c->seg[SEG_FS].base, NON_CANONICAL - 1);
    ck_assert_uint_eq(c->seg[SEG_GS].base, NON_CANONICAL - 1);
}
END_TEST

START_TEST(reserved_bits)
{
    static const struct {
        uint32_t msr;
        uint64_t good, bad;
    } rows[] = {
        {0x48, 0x407, 8},
        {0x1d9, 0x3, 0x8000},                     /* DEBUGCTL: LBR, BTF */
        {0x277, UINT64_C(0x0706050401000607), 2}, /* PAT: types 2 and 3 are reserved */
        {0x277, 0, 3},
        {0x277, 0, UINT64_C(0x0800000000000000)},
        {0x277, 0, UINT64_C(0x8000000000)},
        {0x200, 0xfffff006, 2}, /* variable MTRR: type, then address bits of the model */
        {0x200, 0, 7},
        {0x200, 0, 0x100},
        {0x200, 0, UINT64_C(1) << 52},
        {0x201, 0xfffff800, 0x400},
        {0x201, 0, UINT64_C(1) << 52},
        {0x250, UINT64_C(0x0606060605040100), 7}, /* fixed MTRR: no UC- */
        {0x26f, 0, UINT64_C(0x0200000000000000)},
        {0x2ff, 0xc06, 0x100},
        {0x2ff, 0, 0x1000},
        {0x2ff, 0, 2},
        {0xc0000080, 0x801, 0x2},
        {0xc0000080, 0, 0x1000},
        {0xc0000103, 0xffffffff, UINT64_C(1) << 32},
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        ck_assert_msg(wr(rows[k].msr, rows[k].good), "row %u", k);
        check_value(rows[k].msr, rows[k].good);
        ck_assert_msg(!wr(rows[k].msr, rows[k].bad), "row %u", k);
        check_value(rows[k].msr, rows[k].good);
    }
}
END_TEST

START_TEST(reserved_bits_of_the_apic_base)
{
    ck_assert(wr(0x1b, 0xfee00d00));                            /* x2APIC */
    ck_assert(!wr(0x1b, UINT64_C(0x10000000000) | 0xfee00900)); /* MAXPHYADDR is 40 */
    check_value(0x1b, 0xfee00d00);
    use("qemu64,-x2apic");
    ck_assert(!wr(0x1b, 0xfee00d00));
    check_value(0x1b, 0xfee00900);
}
END_TEST

START_TEST(read_only_ones)
{
    static const uint32_t msrs[] = {0x17, 0xce, 0xfe, 0x10a, 0x179};
    for (unsigned k = 0; k < sizeof(msrs) / sizeof(msrs[0]); k++) {
        uint64_t v;
        ck_assert_msg(rd(msrs[k], &v), "MSR %x", msrs[k]);
        ck_assert_msg(!wr(msrs[k], v), "MSR %x", msrs[k]);
    }
    check_value(0xfe, 0x508); /* eight variable ranges, fixed ranges, write-combining */
}
END_TEST

START_TEST(efer)
{
    ck_assert(wr(0xc0000080, EFER_LME | EFER_SCE | EFER_NXE));
    ck_assert(wr(0xc0000080, EFER_LME | EFER_LMA)); /* LMA is the processor's */
    check_value(0xc0000080, EFER_LME);
    ck_assert(wr(0xc0000080, 0));
    fake_machine_free(m);
    m = world_create64();
    c = &m->cpu;
    c->r[RCX] = 0xc0000080;
    c->r[RAX] = EFER_SCE; /* LME cannot change while paging is on */
    c->r[RDX] = 0;
    CODE_AT(m, CODE, 0x0f, 0x30);
    step_faults(m, VEC_GP, 0);
    ck_assert(c->efer & EFER_LME);
    c->r[RIP] = CODE;
    c->r[RAX] = EFER_LME | EFER_SCE;
    step(m);
    ck_assert_int_eq(at_handler(m), -1);
    ck_assert_uint_eq(c->efer, EFER_LME | EFER_LMA | EFER_SCE);
}
END_TEST

/* Writing the TSC moves IA32_TSC_ADJUST by the same amount, and the other way round (SDM
 * 3B 18.17.3).
 */
START_TEST(tsc_adjust)
{
    uint64_t before, after, adjust;
    ck_assert(wr(0x3b, 1000000));
    check_value(0x3b, 1000000);
    ck_assert(rd(0x10, &before));
    ck_assert_uint_ge(before, 1000000);
    ck_assert(wr(0x10, 0));
    ck_assert(rd(0x3b, &adjust));
    ck_assert_uint_ge(adjust, UINT64_MAX - 1000);
    ck_assert(rd(0x10, &after));
    ck_assert_uint_lt(after, 1000);
}
END_TEST

/* IA32_TSC_DEADLINE counts in the guest's TSC, the local APIC in the machine's. */
START_TEST(tsc_deadline)
{
    ck_assert(wr(0x3b, 1000000));
    ck_assert(wr(0x6e0, 5000000));
    check_value(0x6e0, 5000000);
    ck_assert_uint_eq(m->deadline, 4000000);
    ck_assert(wr(0x3b, 2000000)); /* brings it nearer */
    ck_assert_uint_eq(m->deadline, 3000000);
    check_value(0x6e0, 5000000);
    ck_assert(wr(0x6e0, 10)); /* past */
    ck_assert_uint_ne(m->deadline, 0);
    ck_assert_uint_lt(m->deadline, 1000);
    m->deadline = 0; /* it has fired */
    check_value(0x6e0, 0);
    ck_assert(wr(0x3b, 0));
    ck_assert_uint_eq(m->deadline, 0);
    ck_assert(wr(0x6e0, UINT64_MAX));
    ck_assert(wr(0x6e0, 0));
    ck_assert_uint_eq(m->deadline, 0);
    use("qemu64");
    ck_assert(!exists(0x6e0));
    ck_assert(!wr(0x6e0, 0));
}
END_TEST

START_TEST(reset_values)
{
    check_value(0x277, UINT64_C(0x0007040600070406));
    check_value(0x2ff, 0);
    check_value(0xc0000080, 0);
    check_value(0x174, 0);
    check_value(0x3b, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("msr");
    TCase *t = tcase_create("msr");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, level_0_only);
    tcase_add_test(t, absent_ones_fault);
    tcase_add_test(t, tsc_aux_comes_with_either);
    tcase_add_test(t, addresses_are_canonical);
    tcase_add_test(t, reserved_bits);
    tcase_add_test(t, reserved_bits_of_the_apic_base);
    tcase_add_test(t, read_only_ones);
    tcase_add_test(t, efer);
    tcase_add_test(t, tsc_adjust);
    tcase_add_test(t, tsc_deadline);
    tcase_add_test(t, reset_values);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
