/* SPDX-License-Identifier: MIT */
/* The virtual interrupt flag: CLI, STI, PUSHF, POPF, IRET and INT n in virtual-8086 mode with and
 * without VME, and CLI and STI at level 3 with PVI (SDM 3A 20.3 and 20.4, table 20-2; 2A-2D). */
#include <stdlib.h>

#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

#define CLI    0xfa
#define STI    0xfb
#define PUSHF  0x9c
#define POPF   0x9d
#define IRET   0xcf
#define OSIZE  0x66
#define INT21  0xcd, 0x21
#define IOPL3  0x3000u
#define SP     0x8000u
#define BITMAP 0x68u
#define STACK  (CODE + SP) /* linear; all segments begin at CODE */

static struct fake_machine *m;
static struct cpu *c;

/* Virtual-8086 mode at 1000:0 with these flags, the redirection bitmap all clear; vector 21h of the
 * 8086 table is 2000:1234, and its gate may be used from level 3. */
static void enter_v86(uint32_t eflags)
{
    m = world_create(NULL);
    c = &m->cpu;
    c->tr.limit = 0x3ff;
    put(m, TSS + 0x66, 2, BITMAP + 32);
    put(m, 0x21 * 4, 4, 0x20001234);
    set_gate32(m, 0x21, gate(SEL_CODE0, HANDLER + 16 * 0x21, 0xee, 0));
    c->eflags = EFL_FIXED | EFL_VM | eflags;
    for (unsigned s = 0; s < SEG_COUNT; s++)
        c->seg[s] = (struct seg){.base = CODE,
                                 .desc_base = CODE,
                                 .limit = 0xffff,
                                 .sel = CODE >> 4,
                                 .attr = 0xf3,
                                 .usable = true};
    c->r[RIP] = 0;
    c->r[RSP] = SP;
    cpu_update_mode(c);
}

static void vme(bool on)
{
    c->cr4 = on ? c->cr4 | CR4_VME : c->cr4 & ~(uint64_t)CR4_VME;
}

/* The vector that an instruction raises, or -1; then `eflags_after` are the flags. */
static int run(const uint8_t *code, unsigned n)
{
    code_at(m, CODE, code, n);
    step(m);
    return at_handler(m);
}
#define RUN(...) run((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* CLI or STI with these flags: the vector, or -1 where only `changed` changes. */
static int flag_insn(uint8_t opcode, bool has_vme, uint32_t flags, uint32_t changed)
{
    enter_v86(flags);
    vme(has_vme);
    int vec = RUN(opcode);
    if (vec == -1)
        ck_assert_uint_eq(eflags_get(c), (EFL_FIXED | EFL_VM | flags) ^ changed);
    else
        ck_assert_uint_eq(get(m, c->r[RSP], 4), 0);
    fake_machine_free(m);
    return vec;
}

START_TEST(cli_and_sti_in_v86)
{
    for (unsigned v = 0; v < 2; v++) { /* IOPL 3: the real flag, VME or not */
        ck_assert_int_eq(flag_insn(CLI, v, IOPL3 | EFL_IF | EFL_VIF, EFL_IF), -1);
        ck_assert_int_eq(flag_insn(STI, v, IOPL3 | EFL_VIP, EFL_IF), -1);
    }
    ck_assert_int_eq(flag_insn(CLI, false, EFL_IF, 0), VEC_GP);
    ck_assert_int_eq(flag_insn(STI, false, 0, 0), VEC_GP);
    ck_assert_int_eq(flag_insn(CLI, true, 0x2000 | EFL_IF | EFL_VIF | EFL_VIP, EFL_VIF), -1);
    ck_assert_int_eq(flag_insn(STI, true, EFL_IF, EFL_VIF), -1);
    ck_assert_int_eq(flag_insn(STI, true, EFL_VIP, 0), VEC_GP);
    ck_assert_int_eq(flag_insn(STI, true, EFL_VIP | EFL_VIF, 0), VEC_GP);
}
END_TEST

/* PUSHF: what is pushed, or -1 for #GP. */
static int pushed(bool has_vme, uint32_t flags, bool wide)
{
    enter_v86(flags);
    vme(has_vme);
    int vec = wide ? RUN(OSIZE, PUSHF) : RUN(PUSHF);
    int image = wide ? (int)get(m, STACK - 4, 4) : (int)get(m, STACK - 2, 2);
    fake_machine_free(m);
    return vec == -1 ? image : vec == VEC_GP ? -1 : -2;
}

START_TEST(pushf_in_v86)
{
    ck_assert_int_eq(pushed(false, IOPL3 | EFL_IF, false), 0x3202);
    ck_assert_int_eq(pushed(true, IOPL3 | EFL_VIF, false), 0x3002);
    ck_assert_int_eq(pushed(true, IOPL3 | EFL_VIF, true), 0x83002); /* VM and RF read as 0 */
    ck_assert_int_eq(pushed(false, EFL_IF, false), -1);
    ck_assert_int_eq(pushed(true, EFL_IF, false), 0x3002); /* VIF in IF's place, IOPL 3 */
    ck_assert_int_eq(pushed(true, EFL_VIF | EFL_NT, false), 0x7202);
    ck_assert_int_eq(pushed(true, EFL_VIF, true), -1);
}
END_TEST

/* POPF (or IRET to 0:0) of an image: the flags that result, or 0 for #GP. */
static uint32_t popped(bool iret, bool has_vme, uint32_t flags, uint32_t image, bool wide)
{
    unsigned n = wide ? 4 : 2;
    enter_v86(flags);
    vme(has_vme);
    c->r[RSP] = SP - 12;
    if (iret) {
        put(m, STACK - 12, n, 0x55);
        put(m, STACK - 12 + n, n, CODE >> 4);
    }
    put(m, STACK - 12 + (iret ? 2 * n : 0), n, image);
    uint8_t opcode = iret ? IRET : POPF;
    int vec = wide ? RUN(OSIZE, opcode) : RUN(opcode);
    uint32_t result = eflags_get(c);
    if (vec == VEC_GP)
        ck_assert_uint_eq(get(m, STACK0 - 0x1000 - 24, 4), SP - 12); /* the pushed SP: not popped */
    else
        ck_assert_uint_eq(c->r[RSP], SP - 12 + (iret ? 3 * n : n));
    fake_machine_free(m);
    ck_assert(vec == -1 || vec == VEC_GP);
    return vec == -1 ? result & ~(EFL_VM | EFL_FIXED) : 0;
}

START_TEST(popf_and_iret_in_v86)
{
    for (unsigned iret = 0; iret < 2; iret++) {
        /* IOPL 3: IF, not IOPL. */
        ck_assert_uint_eq(popped(iret, false, IOPL3, 0x0203, false), IOPL3 | EFL_IF | EFL_CF);
        ck_assert_uint_eq(popped(iret, true, IOPL3 | EFL_IF | EFL_VIP, 0, false), IOPL3 | EFL_VIP);
        ck_assert_uint_eq(popped(iret, true, IOPL3 | EFL_VIF, 0x40000 | EFL_VIP, true),
                          IOPL3 | EFL_VIF | EFL_AC);
        /* IOPL below 3 */
        ck_assert_uint_eq(popped(iret, false, EFL_IF, 0x3002, false), 0);
        ck_assert_uint_eq(popped(iret, true, EFL_IF, 0x3002, true), 0);
        ck_assert_uint_eq(popped(iret, true, 0x1000, 0x3203, false), 0x1000 | EFL_VIF | EFL_CF);
        ck_assert_uint_eq(popped(iret, true, EFL_IF | EFL_VIF, 0x40, false), EFL_IF | EFL_ZF);
        /* a virtual interrupt is pending: it may not be let through here */
        ck_assert_uint_eq(popped(iret, true, EFL_VIP, 0x0202, false), 0);
        ck_assert_uint_eq(popped(iret, true, EFL_VIP | EFL_VIF, 0x4, false), EFL_VIP | EFL_PF);
        ck_assert_uint_eq(popped(iret, true, 0, EFL_TF, false), 0);
    }
}
END_TEST

enum way { PROTECTED, REDIRECTED, REFUSED };

/* INT 21h in virtual-8086 mode, by VME, IOPL and the vector's bit in the redirection bitmap. */
START_TEST(int_n_in_v86)
{
    static const struct {
        bool vme, bit;
        uint32_t iopl;
        enum way way;
    } cases[] = {
        {false, false, IOPL3, PROTECTED}, {false, true, IOPL3, PROTECTED},
        {false, false, 0x2000, REFUSED},  {false, true, 0, REFUSED},
        {true, true, IOPL3, PROTECTED},   {true, false, IOPL3, REDIRECTED},
        {true, true, 0x2000, REFUSED},    {true, false, 0, REDIRECTED},
    };
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        bool virtual = cases[k].iopl != IOPL3;
        enter_v86(cases[k].iopl | EFL_VIF | EFL_NT);
        vme(cases[k].vme);
        put(m, TSS + BITMAP + 4, 1, cases[k].bit ? 2 : 0);
        int vec = RUN(INT21);
        if (cases[k].way == REDIRECTED) {
            ck_assert_uint_eq(c->seg[SEG_CS].sel, 0x2000);
            ck_assert_uint_eq(c->r[RIP], 0x1234);
            ck_assert_uint_eq(c->r[RSP], SP - 6);
            ck_assert_uint_eq(get(m, STACK - 6, 2), 2);
            ck_assert_uint_eq(get(m, STACK - 4, 2), CODE >> 4);
            ck_assert_uint_eq(get(m, STACK - 2, 2), virtual ? 0x7202 : 0x7002);
            ck_assert_uint_eq(!(c->eflags & EFL_VIF), virtual);
        } else {
            ck_assert_msg(vec == (cases[k].way == PROTECTED ? 0x21 : VEC_GP), "case %u", k);
            ck_assert(!(c->mode & MODE_V86));
        }
        fake_machine_free(m);
    }
}
END_TEST

START_TEST(redirected_int_clears_if_or_vif)
{
    for (unsigned virtual = 0; virtual < 2; virtual ++) {
        enter_v86((virtual ? 0 : IOPL3) | EFL_IF | EFL_VIF);
        vme(true);
        RUN(INT21);
        ck_assert_uint_eq(c->seg[SEG_CS].sel, 0x2000);
        ck_assert_uint_eq(c->eflags & (EFL_IF | EFL_VIF), virtual ? EFL_IF : EFL_VIF);
        fake_machine_free(m);
    }
}
END_TEST

/* A bitmap beyond the TSS limit; INT3, INTO and exceptions never look at it. */
START_TEST(redirection_bitmap_has_its_limits)
{
    enter_v86(IOPL3);
    vme(true);
    c->tr.limit = BITMAP + 3;
    ck_assert_int_eq(RUN(INT21), VEC_GP);
    fake_machine_free(m);
    enter_v86(0);
    vme(true);
    set_gate32(m, VEC_BP, gate(SEL_CODE0, HANDLER + 16 * VEC_BP, 0xee, 0));
    ck_assert_int_eq(RUN(0xcc), VEC_BP);
    fake_machine_free(m);
    enter_v86(0);
    vme(true);
    ck_assert_int_eq(RUN(0x0f, 0x0b), VEC_UD);
    fake_machine_free(m);
}
END_TEST

/* At level 3 of protected mode PVI gives CLI and STI a virtual flag, and nothing else. */
START_TEST(protected_mode_virtual_interrupts)
{
    static const struct {
        uint8_t opcode;
        bool pvi;
        uint32_t flags, changed;
        int vec;
    } cases[] = {
        {CLI, false, EFL_IF | EFL_VIF, 0, VEC_GP},
        {STI, false, 0, 0, VEC_GP},
        {CLI, true, EFL_IF | EFL_VIF, EFL_VIF, -1},
        {STI, true, EFL_IF, EFL_VIF, -1},
        {STI, true, EFL_VIP, 0, VEC_GP},
        {CLI, true, EFL_VIP | EFL_VIF, EFL_VIF, -1},
        {CLI, true, IOPL3 | EFL_IF | EFL_VIF, EFL_IF, -1},
        {STI, true, IOPL3 | EFL_VIP, EFL_IF, -1},
    };
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        m = world_create(NULL);
        c = &m->cpu;
        c->cr4 |= cases[k].pvi ? CR4_PVI : 0;
        c->eflags = EFL_FIXED | cases[k].flags;
        go_to_level(m, 3);
        ck_assert_msg(RUN(cases[k].opcode) == cases[k].vec, "case %u", k);
        if (cases[k].vec == -1)
            ck_assert_uint_eq(c->eflags, (EFL_FIXED | cases[k].flags) ^ cases[k].changed);
        fake_machine_free(m);
    }
    m = world_create(NULL);
    c = &m->cpu;
    c->cr4 |= CR4_PVI;
    c->eflags |= EFL_VIF | EFL_IF;
    go_to_level(m, 3);
    put(m, STACK3, 4, 0);
    ck_assert_int_eq(RUN(POPF), -1);
    ck_assert_uint_eq(eflags_get(c), EFL_FIXED | EFL_VIF | EFL_IF);
    c->r[RIP] = CODE;
    c->r[RSP] = STACK3;
    ck_assert_int_eq(RUN(PUSHF), -1);
    ck_assert_uint_eq(get(m, STACK3 - 4, 4), EFL_FIXED | EFL_VIF | EFL_IF);
    fake_machine_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vme");
    TCase *t = tcase_create("vme");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_test(t, cli_and_sti_in_v86);
    tcase_add_test(t, pushf_in_v86);
    tcase_add_test(t, popf_and_iret_in_v86);
    tcase_add_test(t, int_n_in_v86);
    tcase_add_test(t, redirected_int_clears_if_or_vif);
    tcase_add_test(t, redirection_bitmap_has_its_limits);
    tcase_add_test(t, protected_mode_virtual_interrupts);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
