/* SPDX-License-Identifier: MIT */
/* Far JMP and CALL between privilege levels, as tables: to code directly, through call gates of
 * 16, 32 and 64 bits; which fault, with which error code, and what stands on which stack (SDM 2A
 * CALL and JMP, operation sections; 3A 5.8). */
#include "tests/unit/fake_machine.h"
#include "tests/unit/levels.h"

enum how { JUMP, CALL };

/* JMP or CALL far sel:off; in 64-bit code through memory, with an operand of 8 + 2 bytes. */
static void put_far(struct fake_machine *m, enum how how, unsigned sel, uint64_t off)
{
    if (m->cpu.mode & MODE_64) {
        CODE_AT(m, CODE, 0x48, 0xff, how == JUMP ? 0x28 : 0x18);
        m->cpu.r[RAX] = DATA;
        put(m, DATA, 8, off);
        put(m, DATA + 8, 2, sel);
    } else {
        CODE_AT(m, CODE, how == JUMP ? 0xea : 0x9a);
        put(m, CODE + 1, 4, off);
        put(m, CODE + 5, 2, sel);
    }
}

#define LENGTH32 7u
#define LENGTH64 3u

/* -- Direct ------------------------------------------------------------------------------------ */

#define OK (-2)

/* The selector's index and RPL; what stands there; the vector, with the selector as error code. */
static const struct direct {
    uint8_t cpl;
    uint16_t sel;
    uint16_t attr;
    int vec; /* OK: succeeds */
} direct32[] = {
    /* Non-conforming code: DPL = CPL, RPL <= CPL. */
    {0, SLOT_CODE | 0, AT(FLAT_CODE32, 0), OK},
    {0, SLOT_CODE | 1, AT(FLAT_CODE32, 0), VEC_GP},
    {0, SLOT_CODE | 1, AT(FLAT_CODE32, 1), VEC_GP},
    {1, SLOT_CODE | 0, AT(FLAT_CODE32, 1), OK},
    {1, SLOT_CODE | 1, AT(FLAT_CODE32, 1), OK},
    {1, SLOT_CODE | 2, AT(FLAT_CODE32, 1), VEC_GP},
    {1, SLOT_CODE | 1, AT(FLAT_CODE32, 0), VEC_GP},
    {2, SLOT_CODE | 2, AT(FLAT_CODE32, 3), VEC_GP},
    {3, SLOT_CODE | 0, AT(FLAT_CODE32, 3), OK},
    {3, SLOT_CODE | 3, AT(FLAT_CODE32, 3), OK},
    {3, SLOT_CODE | 3, AT(FLAT_CODE32, 0), VEC_GP},
    {3, SLOT_CODE | 3, AT(FLAT_CODE32, 2), VEC_GP},
    /* Conforming code: DPL <= CPL, whatever the RPL. */
    {0, SLOT_CODE | 3, AT(FLAT_CONFORMING, 0), OK},
    {0, SLOT_CODE | 0, AT(FLAT_CONFORMING, 1), VEC_GP},
    {2, SLOT_CODE | 3, AT(FLAT_CONFORMING, 1), OK},
    {2, SLOT_CODE | 0, AT(FLAT_CONFORMING, 2), OK},
    {2, SLOT_CODE | 2, AT(FLAT_CONFORMING, 3), VEC_GP},
    {3, SLOT_CODE | 0, AT(FLAT_CONFORMING, 0), OK},
    /* Execute-only code will do; privilege is checked before presence. */
    {3, SLOT_CODE | 3, AT(0xc099, 3), OK},
    {3, SLOT_CODE | 3, ABSENT(AT(FLAT_CODE32, 3)), VEC_NP},
    {3, SLOT_CODE | 3, ABSENT(AT(FLAT_CODE32, 0)), VEC_GP},
    {3, SLOT_CODE | 3, ABSENT(AT(FLAT_CONFORMING, 0)), VEC_NP},
    {0, SLOT_CODE | 0, ABSENT(AT(FLAT_CONFORMING, 1)), VEC_GP},
    /* What is no code and no gate or task. */
    {0, SLOT_CODE | 0, AT(FLAT_DATA32, 0), VEC_GP},
    {0, SLOT_CODE | 0, 0x0080, VEC_GP},         /* reserved */
    {0, SLOT_CODE | 0, 0x0082, VEC_GP},         /* LDT */
    {0, SLOT_CODE | 0, 0x008b, VEC_GP},         /* busy TSS */
    {0, SLOT_CODE | 0, ABSENT(0x8b), VEC_GP},   /* the same, absent */
    {0, SLOT_CODE | 0, 0x008e, VEC_GP},         /* interrupt gate */
    {0, SLOT_CODE | 0, 0x0087, VEC_GP},         /* trap gate */
    {3, SLOT_CODE | 0, AT(0x0089, 2), VEC_GP},  /* TSS: DPL < CPL */
    {0, SLOT_CODE | 3, AT(0x0089, 2), VEC_GP},  /* TSS: DPL < RPL */
    {0, SLOT_CODE | 0, ABSENT(0x0089), VEC_NP}, /* absent TSS */
    {0, SLOT_CODE | 0, ABSENT(0x0085), VEC_NP}, /* absent task gate */
    {0, BEYOND, FLAT_CODE32, VEC_GP},
    {0, 0x0c | 4, FLAT_CODE32, VEC_GP}, /* there is no LDT */
};

static const struct direct direct64[] = {
    {0, SLOT_CODE | 0, AT(FLAT_CODE64, 0), OK},
    {0, SLOT_CODE | 3, AT(FLAT_CODE64, 0), VEC_GP},
    {3, SLOT_CODE | 3, AT(FLAT_CODE64, 3), OK},
    {3, SLOT_CODE | 0, AT(FLAT_CODE64, 0), VEC_GP},
    {3, SLOT_CODE | 0, AT(FLAT_CONFORMING64, 0), OK},
    {0, SLOT_CODE | 0, AT(FLAT_CONFORMING64, 3), VEC_GP},
    {3, SLOT_CODE | 3, AT(FLAT_CODE32, 3), OK}, /* to compatibility mode */
    {0, SLOT_CODE | 0, AT(0xe09b, 0), VEC_GP},  /* L and D */
    {0, SLOT_CODE | 0, ABSENT(0xe09b), VEC_GP},
    {0, SLOT_CODE | 0, ABSENT(FLAT_CODE64), VEC_NP},
    {0, SLOT_CODE | 0, AT(FLAT_DATA32, 0), VEC_GP},
    {0, SLOT_CODE | 0, 0x0089, VEC_GP}, /* long mode has no task switches */
    {0, SLOT_CODE | 0, 0x0085, VEC_GP},
    {0, SLOT_CODE | 0, 0x0084, VEC_GP}, /* nor 16-bit gates */
    {0, BEYOND, FLAT_CODE64, VEC_GP},
};

static void check_direct(enum world world, enum how how, const struct direct *t, unsigned row)
{
    struct fake_machine *m = levels_create(world, t->cpl);
    bool wide = world == LONG;
    set_flat(m, SLOT_CODE, t->attr);
    put_far(m, how, t->sel, TARGET);
    if (t->vec != OK) {
        step_faults_in_place(m, row, t->vec, t->sel & 0xfffc);
    } else {
        unsigned n = wide ? 8 : 4;
        uint64_t frame[] = {CODE + (wide ? LENGTH64 : LENGTH32), m->cpu.seg[SEG_CS].sel};
        uint64_t sp = STACK_NOW - (how == CALL ? 2 * n : 0);
        step(m);
        check_at(m, row, t->cpl, (t->sel & 0xfffc) | t->cpl, DATA32_OF(t->cpl), TARGET, sp);
        if (how == CALL)
            check_stack(m, row, sp, n, frame, 2);
    }
    fake_machine_free(m);
}

START_TEST(direct_jumps_and_calls)
{
    for (unsigned k = 0; k < sizeof(direct32) / sizeof(direct32[0]); k++) {
        check_direct(PROTECTED, JUMP, &direct32[k], k);
        check_direct(PROTECTED, CALL, &direct32[k], k);
    }
}
END_TEST

START_TEST(direct_jumps_and_calls_in_long_mode)
{
    for (unsigned k = 0; k < sizeof(direct64) / sizeof(direct64[0]); k++) {
        check_direct(LONG, JUMP, &direct64[k], k);
        check_direct(LONG, CALL, &direct64[k], k);
        check_direct(COMPATIBILITY, JUMP, &direct64[k], k);
        check_direct(COMPATIBILITY, CALL, &direct64[k], k);
    }
}
END_TEST

START_TEST(null_selectors_and_bad_offsets)
{
    static const struct {
        enum world world;
        uint16_t sel, attr;
        uint64_t off;
    } rows[] = {
        {PROTECTED, 0, FLAT_CODE32, TARGET},
        {PROTECTED, 3, FLAT_CODE32, TARGET},
        {PROTECTED, SLOT_CODE, 0x409b, 0x10000}, /* limit FFFFH */
        {COMPATIBILITY, 0, FLAT_CODE32, TARGET},
        {COMPATIBILITY, SLOT_CODE, 0x409b, 0x10000},
        {LONG, 0, FLAT_CODE64, TARGET},
        {LONG, SLOT_CODE, FLAT_CODE64, UINT64_C(0x800000000000)},
        {LONG, SLOT_CODE, 0x409b, 0x10000}, /* compatibility mode has limits */
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        for (enum how how = JUMP; how <= CALL; how++) {
            struct fake_machine *m = levels_create(rows[k].world, 0);
            set_flat(m, SLOT_CODE, rows[k].attr);
            put_far(m, how, rows[k].sel, rows[k].off);
            step_faults_in_place(m, k, VEC_GP, 0);
            fake_machine_free(m);
        }
}
END_TEST

/* -- Call gates -------------------------------------------------------------------------------- */

enum { GATE16 = 0x84, GATE32 = 0x8c };
enum names { NAMES_GATE, NAMES_CODE, NAMES_NONE };

/* From level cpl through a gate selector with this RPL; the gate's type, DPL and P; the code
 * segment that it names. Which faults: CALL's and JMP's vector, and what the error code names. */
static const struct gated {
    uint8_t cpl, rpl, gate;
    uint16_t attr;
    int call, jump; /* vector or OK */
    enum names names;
    uint8_t new_cpl;
} gated32[] = {
    /* CPL and RPL must not exceed the gate's DPL; then it must be present. */
    {3, 3, AT(GATE32, 2), FLAT_CODE32, VEC_GP, VEC_GP, NAMES_GATE, 0},
    {1, 3, AT(GATE32, 2), FLAT_CODE32, VEC_GP, VEC_GP, NAMES_GATE, 0},
    {2, 0, AT(GATE32, 1), FLAT_CODE32, VEC_GP, VEC_GP, NAMES_GATE, 0},
    {3, 3, ABSENT(AT(GATE32, 3)), FLAT_CODE32, VEC_NP, VEC_NP, NAMES_GATE, 0},
    {3, 3, ABSENT(AT(GATE32, 2)), FLAT_CODE32, VEC_GP, VEC_GP, NAMES_GATE, 0},
    /* The code segment: code, DPL <= CPL, for JMP = CPL unless conforming; then present. */
    {1, 1, AT(GATE32, 3), AT(FLAT_DATA32, 0), VEC_GP, VEC_GP, NAMES_CODE, 0},
    {1, 1, AT(GATE32, 3), AT(FLAT_CODE32, 2), VEC_GP, VEC_GP, NAMES_CODE, 0},
    {1, 1, AT(GATE32, 3), AT(FLAT_CONFORMING, 2), VEC_GP, VEC_GP, NAMES_CODE, 0},
    {1, 1, AT(GATE32, 3), ABSENT(AT(FLAT_CODE32, 2)), VEC_GP, VEC_GP, NAMES_CODE, 0},
    {1, 1, AT(GATE32, 3), ABSENT(AT(FLAT_CODE32, 1)), VEC_NP, VEC_NP, NAMES_CODE, 0},
    {1, 1, AT(GATE32, 3), ABSENT(AT(FLAT_CONFORMING, 0)), VEC_NP, VEC_NP, NAMES_CODE, 0},
    /* To the same level. */
    {0, 0, AT(GATE32, 0), AT(FLAT_CODE32, 0), OK, OK, NAMES_NONE, 0},
    {1, 1, AT(GATE32, 3), AT(FLAT_CODE32, 1), OK, OK, NAMES_NONE, 1},
    {3, 3, AT(GATE16, 3), AT(FLAT_CODE32, 3), OK, OK, NAMES_NONE, 3},
    {3, 0, AT(GATE32, 3), AT(FLAT_CONFORMING, 0), OK, OK, NAMES_NONE, 3},
    {2, 3, AT(GATE16, 3), AT(FLAT_CONFORMING, 1), OK, OK, NAMES_NONE, 2},
    /* To an inner one: CALL only. */
    {1, 1, AT(GATE32, 3), AT(FLAT_CODE32, 0), OK, VEC_GP, NAMES_CODE, 0},
    {2, 2, AT(GATE32, 2), AT(FLAT_CODE32, 1), OK, VEC_GP, NAMES_CODE, 1},
    {2, 2, AT(GATE16, 3), AT(FLAT_CODE32, 0), OK, VEC_GP, NAMES_CODE, 0},
    {3, 3, AT(GATE32, 3), AT(FLAT_CODE32, 2), OK, VEC_GP, NAMES_CODE, 2},
    {3, 3, AT(GATE32, 3), AT(FLAT_CODE32, 1), OK, VEC_GP, NAMES_CODE, 1},
    {3, 0, AT(GATE32, 3), AT(FLAT_CODE32, 0), OK, VEC_GP, NAMES_CODE, 0},
    {3, 3, AT(GATE16, 3), AT(FLAT_CODE32, 0), OK, VEC_GP, NAMES_CODE, 0},
};

static const struct gated gated64[] = {
    {3, 3, AT(GATE32, 2), FLAT_CODE64, VEC_GP, VEC_GP, NAMES_GATE, 0},
    {0, 3, AT(GATE32, 2), FLAT_CODE64, VEC_GP, VEC_GP, NAMES_GATE, 0},
    {3, 3, ABSENT(AT(GATE32, 3)), FLAT_CODE64, VEC_NP, VEC_NP, NAMES_GATE, 0},
    {3, 3, AT(GATE16, 3), FLAT_CODE64, VEC_GP, VEC_GP, NAMES_GATE, 0},
    {3, 3, AT(0x85, 3), FLAT_CODE64, VEC_GP, VEC_GP, NAMES_GATE, 0},
    /* Only 64-bit code will do. */
    {3, 3, AT(GATE32, 3), AT(FLAT_CODE32, 0), VEC_GP, VEC_GP, NAMES_CODE, 0},
    {3, 3, AT(GATE32, 3), AT(FLAT_CODE32, 3), VEC_GP, VEC_GP, NAMES_CODE, 0},
    {3, 3, AT(GATE32, 3), AT(0xe09b, 0), VEC_GP, VEC_GP, NAMES_CODE, 0},
    {3, 3, AT(GATE32, 3), ABSENT(AT(FLAT_CODE32, 0)), VEC_GP, VEC_GP, NAMES_CODE, 0},
    {3, 3, AT(GATE32, 3), ABSENT(AT(FLAT_CODE64, 3)), VEC_NP, VEC_NP, NAMES_CODE, 0},
    {2, 2, AT(GATE32, 3), AT(FLAT_CODE64, 3), VEC_GP, VEC_GP, NAMES_CODE, 0},
    {0, 0, AT(GATE32, 0), AT(FLAT_CODE64, 0), OK, OK, NAMES_NONE, 0},
    {3, 3, AT(GATE32, 3), AT(FLAT_CODE64, 3), OK, OK, NAMES_NONE, 3},
    {3, 0, AT(GATE32, 3), AT(FLAT_CONFORMING64, 0), OK, OK, NAMES_NONE, 3},
    {3, 3, AT(GATE32, 3), AT(FLAT_CODE64, 0), OK, VEC_GP, NAMES_CODE, 0},
    {3, 3, AT(GATE32, 3), AT(FLAT_CODE64, 2), OK, VEC_GP, NAMES_CODE, 2},
    {1, 1, AT(GATE32, 3), AT(FLAT_CODE64, 0), OK, VEC_GP, NAMES_CODE, 0},
};

/* What CALL leaves on the new stack, from the top of it down: SS:rSP where the stack changes, two
 * parameters (not in long mode), CS:rIP. */
static void check_call(struct fake_machine *m, unsigned row, const struct gated *t,
                       enum world world)
{
    bool wide = world != PROTECTED, inner = t->new_cpl != t->cpl;
    unsigned n = wide ? 8 : (t->gate & 8) ? 4 : 2, count = 0;
    uint64_t mask = n == 2 ? 0xffff : UINT64_MAX, want[6];
    want[count++] = (CODE + (world == LONG ? LENGTH64 : LENGTH32)) & mask;
    want[count++] = world == LONG ? CODE64_OF(t->cpl) : CODE32_OF(t->cpl);
    if (inner && !wide) {
        want[count++] = 0x1111;
        want[count++] = 0x2222;
    }
    if (inner) {
        want[count++] = STACK_NOW & mask;
        want[count++] = DATA32_OF(t->cpl);
    }
    uint64_t sp = (inner ? STACK_OF(t->new_cpl) : STACK_NOW) - count * n;
    unsigned ss = inner ? (wide ? t->new_cpl : DATA32_OF(t->new_cpl)) : DATA32_OF(t->cpl);
    check_at(m, row, t->new_cpl, SLOT_CODE | t->new_cpl, ss, n == 2 ? TARGET & 0xffff : TARGET, sp);
    check_stack(m, row, sp, n, want, count);
}

static void check_gated(enum world world, enum how how, const struct gated *t, unsigned row)
{
    struct fake_machine *m = levels_create(world, t->cpl);
    int vec = how == CALL ? t->call : t->jump;
    unsigned n = t->gate & 8 ? 4 : 2;
    set_flat(m, SLOT_CODE, t->attr);
    put(m, GDT + SLOT_GATE, 8, gate(SLOT_CODE | 3, TARGET, t->gate, 2)); /* its RPL is ignored */
    put(m, STACK_NOW, n, 0x1111);
    put(m, STACK_NOW + n, n, 0x2222);
    put_far(m, how, SLOT_GATE | t->rpl, 0x5555);
    if (vec != OK) {
        step_faults_in_place(m, row, vec, t->names == NAMES_GATE ? SLOT_GATE : SLOT_CODE);
    } else {
        step(m);
        if (how == CALL)
            check_call(m, row, t, world);
        else
            check_at(m, row, t->cpl, SLOT_CODE | t->cpl, DATA32_OF(t->cpl),
                     n == 2 ? TARGET & 0xffff : TARGET, STACK_NOW);
    }
    fake_machine_free(m);
}

START_TEST(call_gates)
{
    for (unsigned k = 0; k < sizeof(gated32) / sizeof(gated32[0]); k++) {
        check_gated(PROTECTED, JUMP, &gated32[k], k);
        check_gated(PROTECTED, CALL, &gated32[k], k);
    }
}
END_TEST

START_TEST(call_gates_in_long_mode)
{
    for (unsigned k = 0; k < sizeof(gated64) / sizeof(gated64[0]); k++) {
        check_gated(LONG, JUMP, &gated64[k], k);
        check_gated(LONG, CALL, &gated64[k], k);
        check_gated(COMPATIBILITY, JUMP, &gated64[k], k);
        check_gated(COMPATIBILITY, CALL, &gated64[k], k);
    }
}
END_TEST

/* Gates whose selector or offset leads nowhere. */
START_TEST(call_gates_to_nowhere)
{
    static const struct {
        enum world world;
        uint16_t sel;
        uint64_t off;
        unsigned upper_type, gdt_limit;
        unsigned err;
    } rows[] = {
        {PROTECTED, 0, TARGET, 0, GDT_LIMIT, 0},
        {PROTECTED, 3, TARGET, 0, GDT_LIMIT, 0},
        {PROTECTED, BEYOND | 3, TARGET, 0, GDT_LIMIT, BEYOND},
        {PROTECTED, 0x0c | 4, TARGET, 0, GDT_LIMIT, 0x0c | 4},
        {PROTECTED, SLOT_CODE, 0x10000, 0, GDT_LIMIT, 0}, /* beyond a limit of FFFFH */
        {LONG, 0, TARGET, 0, GDT_LIMIT, 0},
        {LONG, BEYOND, TARGET, 0, GDT_LIMIT, BEYOND},
        {LONG, CODE64_OF(0), UINT64_C(0x800000000000), 0, GDT_LIMIT, 0},
        {LONG, CODE64_OF(0), TARGET, 1, GDT_LIMIT, SLOT_GATE},
        {LONG, CODE64_OF(0), TARGET, 0, GDT_LIMIT - 8, SLOT_GATE}, /* its second half is outside */
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        for (unsigned cpl = 0; cpl < 4; cpl += 3) {
            struct fake_machine *m = levels_create(rows[k].world, cpl);
            set_flat(m, SLOT_CODE, 0x409b);
            m->cpu.gdt.limit = (uint16_t)rows[k].gdt_limit;
            put(m, GDT + SLOT_GATE, 8, gate(rows[k].sel, (uint32_t)rows[k].off, 0xec, 0));
            if (rows[k].world == LONG)
                put(m, GDT + SLOT_GATE + 8, 8,
                    rows[k].off >> 32 | (uint64_t)rows[k].upper_type << 40);
            put_far(m, CALL, SLOT_GATE, 0);
            step_faults_in_place(m, k, VEC_GP, rows[k].err);
            fake_machine_free(m);
        }
}
END_TEST

/* -- The stack from the TSS -------------------------------------------------------------------- */

START_TEST(inner_stacks_are_checked)
{
    static const struct {
        uint16_t ss, attr;
        uint32_t esp, tss_limit;
        int vec, err;
    } rows[] = {
        {SLOT_STACK | 1, AT(FLAT_DATA32, 1), 0x20000, 0x11, OK, 0},
        {SLOT_STACK | 1, AT(FLAT_DATA32, 1), 0x20000, 0x10, VEC_TS, SEL_TSS},
        {0, AT(FLAT_DATA32, 1), 0x20000, 0x67, VEC_TS, 0},
        {1, AT(FLAT_DATA32, 1), 0x20000, 0x67, VEC_TS, 0},
        {BEYOND | 1, AT(FLAT_DATA32, 1), 0x20000, 0x67, VEC_TS, BEYOND},
        {SLOT_STACK | 0, AT(FLAT_DATA32, 1), 0x20000, 0x67, VEC_TS, SLOT_STACK},
        {SLOT_STACK | 3, AT(FLAT_DATA32, 1), 0x20000, 0x67, VEC_TS, SLOT_STACK},
        {SLOT_STACK | 1, AT(FLAT_DATA32, 0), 0x20000, 0x67, VEC_TS, SLOT_STACK},
        {SLOT_STACK | 1, AT(FLAT_DATA32, 2), 0x20000, 0x67, VEC_TS, SLOT_STACK},
        {SLOT_STACK | 1, AT(FLAT_READONLY, 1), 0x20000, 0x67, VEC_TS, SLOT_STACK},
        {SLOT_STACK | 1, AT(FLAT_CODE32, 1), 0x20000, 0x67, VEC_TS, SLOT_STACK},
        {SLOT_STACK | 1, ABSENT(AT(FLAT_READONLY, 1)), 0x20000, 0x67, VEC_TS, SLOT_STACK},
        {SLOT_STACK | 1, ABSENT(AT(FLAT_DATA32, 1)), 0x20000, 0x67, VEC_SS, SLOT_STACK},
        /* Limit FFFFH: too small, or just large enough for 24 bytes. */
        {SLOT_STACK | 1, AT(0x4093, 1), 0x20000, 0x67, VEC_SS, SLOT_STACK},
        {SLOT_STACK | 1, AT(0x4093, 1), 23, 0x67, VEC_SS, SLOT_STACK},
        {SLOT_STACK | 1, AT(0x4093, 1), 24, 0x67, OK, 0},
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        struct fake_machine *m = levels_create(PROTECTED, 3);
        set_flat(m, SLOT_STACK, rows[k].attr);
        put(m, GDT + SLOT_GATE, 8, gate(CODE32_OF(1), TARGET, AT(GATE32, 3), 2));
        put(m, TSS + 12, 4, rows[k].esp);
        put(m, TSS + 16, 2, rows[k].ss);
        m->cpu.tr.limit = rows[k].tss_limit;
        put_far(m, CALL, SLOT_GATE | 3, 0);
        if (rows[k].vec != OK) {
            step_faults_in_place(m, k, rows[k].vec, rows[k].err);
        } else {
            step(m);
            check_at(m, k, 1, CODE32_OF(1), rows[k].ss, TARGET, rows[k].esp - 24);
        }
        fake_machine_free(m);
    }
}
END_TEST

START_TEST(inner_stacks_are_checked_in_long_mode)
{
    static const struct {
        uint64_t rsp;
        uint32_t tss_limit;
        int vec, err;
    } rows[] = {
        {0x20000, 0x13, OK, 0},
        {0x20000, 0x12, VEC_TS, SEL_TSS},
        {UINT64_C(0x800000000020), 0x67, VEC_SS, 0},
        {0x20004, 0x67, OK, 0}, /* CALL does not align it */
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        struct fake_machine *m = levels_create(LONG, 3);
        put(m, GDT + SLOT_GATE, 8, gate(CODE64_OF(1), TARGET, AT(GATE32, 3), 31));
        put(m, TSS + 12, 8, rows[k].rsp);
        m->cpu.tr.limit = rows[k].tss_limit;
        put_far(m, CALL, SLOT_GATE | 3, 0);
        if (rows[k].vec != OK) {
            step_faults_in_place(m, k, rows[k].vec, rows[k].err);
        } else {
            step(m);
            check_at(m, k, 1, CODE64_OF(1), 1, TARGET, rows[k].rsp - 32);
        }
        fake_machine_free(m);
    }
}
END_TEST

/* A 16-bit TSS keeps SP and SS of each level in two words each. */
START_TEST(inner_stacks_of_a_16_bit_tss)
{
    for (unsigned level = 0; level < 3; level++)
        for (unsigned missing = 0; missing < 2; missing++) {
            struct fake_machine *m = levels_create(PROTECTED, 3);
            m->cpu.tr.attr = 0x83;
            m->cpu.tr.limit = 2 + 4 * level + 3 - missing;
            put(m, TSS + 2 + 4 * level, 2, 0x8000 + level * 0x100);
            put(m, TSS + 4 + 4 * level, 2, DATA32_OF(level));
            put(m, GDT + SLOT_GATE, 8, gate(CODE32_OF(level), TARGET, AT(GATE32, 3), 0));
            put_far(m, CALL, SLOT_GATE | 3, 0);
            if (missing) {
                step_faults_in_place(m, level, VEC_TS, SEL_TSS);
            } else {
                step(m);
                check_at(m, level, level, CODE32_OF(level), DATA32_OF(level), TARGET,
                         0x8000 + level * 0x100 - 16);
            }
            fake_machine_free(m);
        }
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, direct_jumps_and_calls);
    tcase_add_test(t, direct_jumps_and_calls_in_long_mode);
    tcase_add_test(t, null_selectors_and_bad_offsets);
    tcase_add_test(t, call_gates);
    tcase_add_test(t, call_gates_in_long_mode);
    tcase_add_test(t, call_gates_to_nowhere);
    tcase_add_test(t, inner_stacks_are_checked);
    tcase_add_test(t, inner_stacks_are_checked_in_long_mode);
    tcase_add_test(t, inner_stacks_of_a_16_bit_tss);
}

int main(void)
{
    return run_suite("gate", add_tests);
}
