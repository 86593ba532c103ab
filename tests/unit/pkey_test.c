/* SPDX-License-Identifier: MIT */
/* Protection keys: PKRU for user pages, IA32_PKRS for supervisor pages, and PKRU in XSAVE images
 * (SDM 3A 4.6.2; 1 13.4, 13.5.7). */
#include <stdlib.h>

#include "cpu/isa.h"
#include "cpu/mem.h"
#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

#define PAGE 0x200000u /* the second large page, with key KEY */
#define KEY  5u
#define PDE  (FAKE_RAM_BYTES - 0x1000 + 8)
#define AD   (1u << (2 * KEY))
#define WD   (2u << (2 * KEY))
#define PKRS 0x6e1

static struct fake_machine *m;
static struct cpu *c;

/* 64-bit code at level 0 with both kinds of keys enabled, RDI at the page. */
static void setup(void)
{
    m = world_create64();
    c = &m->cpu;
    c->isa[ISA_PKU / 64] |= UINT64_C(1) << ISA_PKU % 64;
    c->isa[ISA_PKS / 64] |= UINT64_C(1) << ISA_PKS % 64;
    c->cr4 |= CR4_PKE | CR4_PKS | CR4_OSXSAVE;
    c->xcr0 = XCR0_X87 | XCR0_PKRU;
    c->r[RDI] = PAGE;
}

static void teardown(void)
{
    fake_machine_free(m);
}

#define RUN(...) RUN_AT_0(m, __VA_ARGS__)

static void map_page(bool user)
{
    put(m, PDE, 8, PAGE | (uint64_t)KEY << 59 | (user ? 0x87 : 0x83));
    cpu_flush_tlb(c);
}

static void set_keys(bool user, uint32_t rights)
{
    c->r[RAX] = rights;
    c->r[RCX] = user ? 0 : PKRS;
    c->r[RDX] = 0;
    if (user)
        ck_assert_int_eq(RUN(0x0f, 0x01, 0xef), -1); /* wrpkru */
    else
        ck_assert_int_eq(RUN(0x0f, 0x30), -1); /* wrmsr */
}

/* The page fault's error code, or 0. */
static uint32_t access(bool write)
{
    int vec = write ? RUN(0x88, 0x07) : RUN(0x8a, 0x07); /* mov [rdi], al; mov al, [rdi] */
    if (vec == -1)
        return 0;
    ck_assert_int_eq(vec, VEC_PF);
    ck_assert_uint_eq(c->cr2, PAGE);
    return (uint32_t)get(m, c->r[RSP], 4);
}

/* _i: whether the page is a user page. */
START_TEST(rights_of_a_key)
{
    map_page(_i);
    ck_assert_uint_eq(access(true), 0);
    set_keys(_i, WD);
    ck_assert_uint_eq(access(false), 0);
    ck_assert_uint_eq(access(true), PFERR_P | PFERR_W | PFERR_PK);
    set_keys(_i, AD);
    ck_assert_uint_eq(access(false), PFERR_P | PFERR_PK);
    ck_assert_uint_eq(access(true), PFERR_P | PFERR_W | PFERR_PK);
    c->cr0 &=
        ~(uint64_t)CR0_WP; /* the supervisor may write then, but not where access is disabled */
    cpu_flush_tlb(c);
    ck_assert_uint_eq(access(true), PFERR_P | PFERR_W | PFERR_PK);
    set_keys(_i, WD);
    ck_assert_uint_eq(access(true), 0);
    set_keys(_i, ~(3u << (2 * KEY))); /* those of other keys */
    ck_assert_uint_eq(access(true), 0);
}
END_TEST

/* PK is reported beside other reasons for a fault, but not where the page is not present. */
START_TEST(keys_of_pages_that_are_forbidden_anyway)
{
    map_page(_i);
    put(m, PDE, 8, get(m, PDE, 8) & ~UINT64_C(2)); /* read-only */
    cpu_flush_tlb(c);
    ck_assert_uint_eq(access(true), PFERR_P | PFERR_W);
    set_keys(_i, WD);
    ck_assert_uint_eq(access(true), PFERR_P | PFERR_W | PFERR_PK);
    put(m, PDE, 8, get(m, PDE, 8) & ~UINT64_C(1));
    cpu_flush_tlb(c);
    ck_assert_uint_eq(access(true), PFERR_W);
}
END_TEST

START_TEST(each_register_has_its_pages)
{
    map_page(_i);
    set_keys(!_i, AD);
    ck_assert_uint_eq(access(true), 0);
    set_keys(_i, AD);
    ck_assert_uint_ne(access(true), 0);
    c->cr4 &= ~(uint64_t)(_i ? CR4_PKE : CR4_PKS);
    cpu_flush_tlb(c);
    ck_assert_uint_eq(access(true), 0);
}
END_TEST

START_TEST(code_is_fetched_whatever_its_key)
{
    map_page(true);
    set_keys(true, AD);
    CODE_AT(m, PAGE, 0x90);
    c->r[RIP] = PAGE;
    step(m);
    ck_assert_uint_eq(c->r[RIP], PAGE + 1);
}
END_TEST

START_TEST(pkrs_has_32_bits)
{
    c->r[RAX] = 0x12345678;
    c->r[RCX] = PKRS;
    c->r[RDX] = 0;
    ck_assert_int_eq(RUN(0x0f, 0x30), -1);
    c->r[RDX] = 1;
    ck_assert_int_eq(RUN(0x0f, 0x30), VEC_GP);
    ck_assert_int_eq(RUN(0x0f, 0x32), -1);
    ck_assert_uint_eq(c->r[RAX], 0x12345678);
    ck_assert_uint_eq(c->r[RDX], 0);
}
END_TEST

START_TEST(xsave_keeps_pkru)
{
    c->r[RAX] = 0xd;
    c->r[RCX] = 9;
    ck_assert_int_eq(RUN(0x0f, 0xa2), -1); /* cpuid */
    unsigned bytes = (unsigned)c->r[RAX], off = (unsigned)c->r[RBX];
    ck_assert_uint_eq(bytes, 8);
    c->r[RDI] = DATA;
    memset(m->ram + DATA, 0, off + bytes + 8);
    set_keys(true, WD);
    c->r[RAX] = XCR0_PKRU;
    ck_assert_int_eq(RUN(0x0f, 0xae, 0x27), -1); /* xsave [rdi] */
    ck_assert_uint_eq(get(m, DATA + 512, 8), XCR0_PKRU);
    ck_assert_uint_eq(get(m, DATA + off, 8), WD);
    set_keys(true, 0);
    map_page(true);
    c->r[RAX] = XCR0_PKRU;
    ck_assert_int_eq(RUN(0x0f, 0xae, 0x2f), -1); /* xrstor [rdi] */
    ck_assert_uint_eq(c->pkru, WD);
    c->r[RDI] = PAGE;
    ck_assert_uint_ne(access(true), 0);
    c->r[RDI] = DATA;
    put(m, DATA + 512, 8, 0);
    c->r[RAX] = XCR0_PKRU;
    ck_assert_int_eq(RUN(0x0f, 0xae, 0x2f), -1);
    ck_assert_uint_eq(c->pkru, 0); /* the initial state */
    c->r[RAX] = XCR0_PKRU;
    ck_assert_int_eq(RUN(0x0f, 0xae, 0x27), -1);
    ck_assert_uint_eq(get(m, DATA + 512, 8), 0);
}
END_TEST

START_TEST(ospke_follows_cr4)
{
    for (unsigned on = 0; on < 2; on++) {
        c->cr4 = on ? c->cr4 | CR4_PKE : c->cr4 & ~(uint64_t)CR4_PKE;
        c->r[RAX] = 7;
        c->r[RCX] = 0;
        ck_assert_int_eq(RUN(0x0f, 0xa2), -1);
        ck_assert_uint_eq(c->r[RCX] >> 3 & 3, on ? 3 : 1);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pkey");
    TCase *t = tcase_create("pkey");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, rights_of_a_key, 0, 2);
    tcase_add_loop_test(t, keys_of_pages_that_are_forbidden_anyway, 0, 2);
    tcase_add_loop_test(t, each_register_has_its_pages, 0, 2);
    tcase_add_test(t, code_is_fetched_whatever_its_key);
    tcase_add_test(t, pkrs_has_32_bits);
    tcase_add_test(t, xsave_keeps_pkru);
    tcase_add_test(t, ospke_follows_cr4);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
