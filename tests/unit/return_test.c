/* SPDX-License-Identifier: MIT */
/* Far RET and IRET as tables: to the same level, to outer ones, from 64-bit code, from and to
 * virtual-8086 mode; which fault, with which error code; the stack, data segments and flags after
 * it (SDM 2B RET, 2A IRET and INT n, operation sections; 3A 5.8.6, 20.2). */
#include "tests/unit/fake_machine.h"
#include "tests/unit/levels.h"

#define OK        (-2)
#define STACK_OUT 0x3c000u

enum how { RETF, RETF_IMM, IRETF, HOWS };

#define DROP 8u /* bytes of RETF_IMM */

/* One of them, with operands of n bytes, and its frame; outer values only where they are read. */
static void put_return(struct fake_machine *m, enum how how, unsigned n, const uint64_t frame[4])
{
    uint8_t opcode = how == RETF ? 0xcb : how == RETF_IMM ? 0xca : 0xcf;
    uint64_t at = CODE, sp = STACK_NOW;
    if (n != 4)
        CODE_AT(m, at++, n == 2 ? 0x66 : 0x48);
    CODE_AT(m, at, opcode, DROP, 0);
    for (unsigned k = 0; k < 4; k++) {
        put(m, sp, n, frame[k]);
        sp += n;
        if (k == 1 && how == RETF_IMM)
            sp += DROP;
        if (k == 1 && how == IRETF) {
            put(m, sp, n, EFL_FIXED);
            sp += n;
        }
    }
}

/* Bytes that a return to the same level pops. */
static unsigned popped(enum how how, unsigned n)
{
    return 2 * n + (how == RETF_IMM ? DROP : how == IRETF ? n : 0);
}

/* -- Code and stack segments ------------------------------------------------------------------- */

static const struct ret {
    uint8_t cpl;
    uint16_t cs, code, ss, stack; /* selectors, and what stands in SLOT_CODE and SLOT_STACK */
    int vec, err;
} returns32[] = {
    /* The same level: RPL = CPL; DPL = RPL, or for conforming code DPL <= RPL. */
    {0, SLOT_CODE | 0, AT(FLAT_CODE32, 0), 0, 0, OK, 0},
    {1, SLOT_CODE | 1, AT(FLAT_CODE32, 1), 0, 0, OK, 0},
    {3, SLOT_CODE | 3, AT(FLAT_CODE32, 3), 0, 0, OK, 0},
    {3, SLOT_CODE | 3, AT(FLAT_CONFORMING, 0), 0, 0, OK, 0},
    {2, SLOT_CODE | 2, AT(FLAT_CONFORMING, 2), 0, 0, OK, 0},
    {1, SLOT_CODE | 1, AT(FLAT_CONFORMING, 2), 0, 0, VEC_GP, SLOT_CODE},
    {0, SLOT_CODE | 0, AT(FLAT_CODE32, 3), 0, 0, VEC_GP, SLOT_CODE},
    {3, SLOT_CODE | 3, AT(FLAT_CODE32, 0), 0, 0, VEC_GP, SLOT_CODE},
    {3, SLOT_CODE | 3, AT(FLAT_CODE32, 2), 0, 0, VEC_GP, SLOT_CODE},
    /* Never to an inner level. */
    {1, SLOT_CODE | 0, AT(FLAT_CODE32, 0), 0, 0, VEC_GP, SLOT_CODE},
    {3, SLOT_CODE | 2, AT(FLAT_CODE32, 3), 0, 0, VEC_GP, SLOT_CODE},
    {3, SLOT_CODE | 0, AT(FLAT_CONFORMING, 0), 0, 0, VEC_GP, SLOT_CODE},
    /* Privilege before presence. */
    {3, SLOT_CODE | 3, ABSENT(AT(FLAT_CODE32, 3)), 0, 0, VEC_NP, SLOT_CODE},
    {3, SLOT_CODE | 3, ABSENT(AT(FLAT_CODE32, 0)), 0, 0, VEC_GP, SLOT_CODE},
    {0, SLOT_CODE | 0, ABSENT(AT(FLAT_CONFORMING, 0)), 0, 0, VEC_NP, SLOT_CODE},
    /* No code at all. */
    {0, 0, 0, 0, 0, VEC_GP, 0},
    {3, 3, 0, 0, 0, VEC_GP, 0},
    {0, SLOT_CODE, AT(FLAT_DATA32, 0), 0, 0, VEC_GP, SLOT_CODE},
    {0, SLOT_CODE, 0x0089, 0, 0, VEC_GP, SLOT_CODE},
    {0, SLOT_CODE, 0x008c, 0, 0, VEC_GP, SLOT_CODE},
    {0, BEYOND, 0, 0, 0, VEC_GP, BEYOND},
    {3, 0x0f, 0, 0, 0, VEC_GP, 0x0c}, /* there is no LDT */
    /* Outer levels: the stack segment's RPL and DPL are the new level, it is writable. */
    {0, SLOT_CODE | 1, AT(FLAT_CODE32, 1), SLOT_STACK | 1, AT(FLAT_DATA32, 1), OK, 0},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), SLOT_STACK | 3, AT(FLAT_DATA32, 3), OK, 0},
    {1, SLOT_CODE | 2, AT(FLAT_CODE32, 2), SLOT_STACK | 2, AT(FLAT_DATA32, 2), OK, 0},
    {2, SLOT_CODE | 3, AT(FLAT_CODE32, 3), SLOT_STACK | 3, AT(FLAT_DATA32, 3), OK, 0},
    {0, SLOT_CODE | 3, AT(FLAT_CONFORMING, 0), SLOT_STACK | 3, AT(FLAT_DATA32, 3), OK, 0},
    {0, SLOT_CODE | 3, AT(FLAT_CONFORMING, 3), SLOT_STACK | 3, AT(FLAT_DATA32, 3), OK, 0},
    {0, SLOT_CODE | 2, AT(FLAT_CONFORMING, 3), SLOT_STACK | 2, AT(FLAT_DATA32, 2), VEC_GP,
     SLOT_CODE},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 2), SLOT_STACK | 3, AT(FLAT_DATA32, 3), VEC_GP, SLOT_CODE},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 0), SLOT_STACK | 3, AT(FLAT_DATA32, 3), VEC_GP, SLOT_CODE},
    {0, SLOT_CODE | 3, ABSENT(AT(FLAT_CODE32, 3)), 0, 0, VEC_NP, SLOT_CODE},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), 0, 0, VEC_GP, 0},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), 3, 0, VEC_GP, 0},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), BEYOND | 3, 0, VEC_GP, BEYOND},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), SLOT_STACK | 2, AT(FLAT_DATA32, 3), VEC_GP, SLOT_STACK},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), SLOT_STACK | 3, AT(FLAT_DATA32, 2), VEC_GP, SLOT_STACK},
    {0, SLOT_CODE | 3, AT(FLAT_CONFORMING, 0), SLOT_STACK, AT(FLAT_DATA32, 0), VEC_GP, SLOT_STACK},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), SLOT_STACK | 3, AT(FLAT_READONLY, 3), VEC_GP,
     SLOT_STACK},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), SLOT_STACK | 3, AT(FLAT_CODE32, 3), VEC_GP, SLOT_STACK},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), SLOT_STACK | 3, AT(0x82, 3), VEC_GP, SLOT_STACK},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), SLOT_STACK | 3, ABSENT(AT(FLAT_DATA32, 3)), VEC_SS,
     SLOT_STACK},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), SLOT_STACK | 3, ABSENT(AT(FLAT_READONLY, 3)), VEC_GP,
     SLOT_STACK},
};

static void check_return(enum world world, enum how how, unsigned n, const struct ret *t,
                         unsigned row)
{
    struct fake_machine *m = levels_create(world, t->cpl);
    unsigned level = t->cs & 3;
    bool pops = level != t->cpl || (world == LONG && how == IRETF);
    uint64_t mask = n == 2 ? 0xffff : UINT64_MAX;
    const uint64_t frame[4] = {TARGET, t->cs, STACK_OUT, t->ss};
    set_flat(m, SLOT_CODE, t->code);
    set_flat(m, SLOT_STACK, t->stack);
    put_return(m, how, n, frame);
    if (t->vec != OK) {
        step_faults_in_place(m, row, t->vec, t->err);
    } else {
        uint64_t sp =
            pops ? (STACK_OUT & mask) + (how == RETF_IMM ? DROP : 0) : STACK_NOW + popped(how, n);
        step(m);
        check_at(m, row, level, t->cs, pops ? t->ss : DATA32_OF(t->cpl), TARGET & mask, sp);
    }
    fake_machine_free(m);
}

START_TEST(returns)
{
    for (unsigned k = 0; k < sizeof(returns32) / sizeof(returns32[0]); k++)
        for (enum how how = 0; how < HOWS; how++) {
            check_return(PROTECTED, how, 4, &returns32[k], k);
            check_return(PROTECTED, how, 2, &returns32[k], k);
        }
}
END_TEST

/* From 64-bit code and compatibility mode. In the former IRET always pops the stack, so both
 * selectors are always good but for what the row tests. */
static const struct ret returns64[] = {
    {0, SLOT_CODE | 0, AT(FLAT_CODE64, 0), SLOT_STACK | 0, AT(FLAT_DATA32, 0), OK, 0},
    {0, SLOT_CODE | 3, AT(FLAT_CODE64, 3), SLOT_STACK | 3, AT(FLAT_DATA32, 3), OK, 0},
    {3, SLOT_CODE | 3, AT(FLAT_CONFORMING64, 0), SLOT_STACK | 3, AT(FLAT_DATA32, 3), OK, 0},
    {1, SLOT_CODE | 2, AT(FLAT_CODE64, 2), SLOT_STACK | 2, AT(FLAT_DATA32, 2), OK, 0},
    /* To compatibility mode */
    {0, SLOT_CODE | 0, AT(FLAT_CODE32, 0), SLOT_STACK | 0, AT(FLAT_DATA32, 0), OK, 0},
    {0, SLOT_CODE | 3, AT(FLAT_CODE32, 3), SLOT_STACK | 3, AT(FLAT_DATA32, 3), OK, 0},
    /* A null stack segment: only for 64-bit code below level 3, its RPL the new level. */
    {0, SLOT_CODE | 1, AT(FLAT_CODE64, 1), 1, 0, OK, 0},
    {1, SLOT_CODE | 2, AT(FLAT_CODE64, 2), 2, 0, OK, 0},
    {0, SLOT_CODE | 2, AT(FLAT_CODE64, 2), 1, 0, VEC_GP, 0},
    {0, SLOT_CODE | 3, AT(FLAT_CODE64, 3), 3, 0, VEC_GP, 0},
    {0, SLOT_CODE | 1, AT(FLAT_CODE32, 1), 1, 0, VEC_GP, 0},
    /* The rest is as in protected mode, but for code with both L and D. */
    {0, SLOT_CODE | 3, AT(0xe09b, 3), SLOT_STACK | 3, AT(FLAT_DATA32, 3), VEC_GP, SLOT_CODE},
    {0, SLOT_CODE | 0, AT(0xe09b, 0), SLOT_STACK | 0, AT(FLAT_DATA32, 0), VEC_GP, SLOT_CODE},
    {0, SLOT_CODE | 3, ABSENT(AT(FLAT_CODE64, 3)), 0, 0, VEC_NP, SLOT_CODE},
    {0, SLOT_CODE | 3, AT(FLAT_CODE64, 2), SLOT_STACK | 3, AT(FLAT_DATA32, 3), VEC_GP, SLOT_CODE},
    {3, SLOT_CODE | 0, AT(FLAT_CODE64, 0), SLOT_STACK | 0, AT(FLAT_DATA32, 0), VEC_GP, SLOT_CODE},
    {0, 3, 0, SLOT_STACK | 3, AT(FLAT_DATA32, 3), VEC_GP, 0},
    {0, SLOT_CODE | 3, AT(FLAT_CODE64, 3), SLOT_STACK | 2, AT(FLAT_DATA32, 3), VEC_GP, SLOT_STACK},
    {0, SLOT_CODE | 3, AT(FLAT_CODE64, 3), SLOT_STACK | 3, AT(FLAT_DATA32, 0), VEC_GP, SLOT_STACK},
    {0, SLOT_CODE | 3, AT(FLAT_CODE64, 3), SLOT_STACK | 3, AT(FLAT_READONLY, 3), VEC_GP,
     SLOT_STACK},
    {0, SLOT_CODE | 3, AT(FLAT_CODE64, 3), SLOT_STACK | 3, ABSENT(AT(FLAT_DATA32, 3)), VEC_SS,
     SLOT_STACK},
};

START_TEST(returns_in_long_mode)
{
    for (unsigned k = 0; k < sizeof(returns64) / sizeof(returns64[0]); k++)
        for (enum how how = 0; how < HOWS; how++)
            for (unsigned n = 2; n <= 8; n *= 2) {
                check_return(LONG, how, n, &returns64[k], k);
                if (n < 8)
                    check_return(COMPATIBILITY, how, n, &returns64[k], k);
            }
}
END_TEST

START_TEST(iret_pops_the_stack_at_the_same_level_in_64_bit_code)
{
    static const struct ret rows[] = {
        {0, SLOT_CODE, AT(FLAT_CODE64, 0), 0, 0, OK, 0},
        {2, SLOT_CODE | 2, AT(FLAT_CODE64, 2), 2, 0, OK, 0},
        {2, SLOT_CODE | 2, AT(FLAT_CODE64, 2), 0, 0, VEC_GP, 0},
        {3, SLOT_CODE | 3, AT(FLAT_CODE64, 3), 3, 0, VEC_GP, 0},
        {0, SLOT_CODE, AT(FLAT_CODE32, 0), 0, 0, VEC_GP, 0},
        {0, SLOT_CODE, AT(FLAT_CODE64, 0), SLOT_STACK | 3, AT(FLAT_DATA32, 3), VEC_GP, SLOT_STACK},
        {0, SLOT_CODE, AT(FLAT_CODE64, 0), SLOT_STACK, ABSENT(FLAT_DATA32), VEC_SS, SLOT_STACK},
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        check_return(LONG, IRETF, 8, &rows[k], k);
}
END_TEST

/* The offset is checked last. */
START_TEST(returns_to_bad_offsets)
{
    static const struct {
        enum world world;
        uint8_t level;
        uint16_t code, ss, stack;
        uint64_t rip;
        int vec, err;
    } rows[] = {
        {PROTECTED, 0, 0x409b, 0, 0, 0x10000, VEC_GP, 0},
        {PROTECTED, 3, 0x40fb, SLOT_STACK | 3, AT(FLAT_DATA32, 3), 0x10000, VEC_GP, 0},
        {PROTECTED, 3, 0x40fb, SLOT_STACK | 3, ABSENT(AT(FLAT_DATA32, 3)), 0x10000, VEC_SS,
         SLOT_STACK},
        {LONG, 0, FLAT_CODE64, 0, 0, UINT64_C(0x800000000000), VEC_GP, 0},
        {LONG, 3, AT(FLAT_CODE64, 3), SLOT_STACK | 3, AT(FLAT_DATA32, 3), UINT64_C(0x800000000000),
         VEC_GP, 0},
        {LONG, 3, AT(FLAT_CODE64, 3), 0, 0, UINT64_C(0x800000000000), VEC_GP, 0},
        {LONG, 3, 0x40fb, SLOT_STACK | 3, AT(FLAT_DATA32, 3), 0x10000, VEC_GP, 0},
        {LONG, 3, AT(FLAT_CODE32, 3), SLOT_STACK | 3, AT(FLAT_DATA32, 3), UINT64_C(0x100000000),
         VEC_GP, 0},
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        for (enum how how = 0; how < HOWS; how++) {
            struct fake_machine *m = levels_create(rows[k].world, 0);
            const uint64_t frame[4] = {rows[k].rip, SLOT_CODE | rows[k].level, STACK_OUT,
                                       rows[k].ss};
            set_flat(m, SLOT_CODE, rows[k].code);
            set_flat(m, SLOT_STACK, rows[k].stack);
            put_return(m, how, rows[k].world == LONG ? 8 : 4, frame);
            step_faults_in_place(m, k, rows[k].vec, rows[k].err);
            fake_machine_free(m);
        }
}
END_TEST

/* The whole frame must lie within the stack's limit. */
START_TEST(returns_from_short_stacks)
{
    for (enum how how = 0; how < HOWS; how++)
        for (unsigned level = 0; level <= 3; level += 3)
            for (unsigned missing = 0; missing < 2; missing++) {
                struct fake_machine *m = levels_create(PROTECTED, 0);
                const uint64_t frame[4] = {TARGET, CODE32_OF(level), STACK_OUT, DATA32_OF(level)};
                unsigned bytes = level == 0 ? (how == IRETF ? 12 : 8) : popped(how, 4) + 8;
                put_return(m, how, 4, frame);
                m->cpu.seg[SEG_SS].limit = STACK_NOW + bytes - 1 - missing;
                m->cpu.mode = 0;
                cpu_update_mode(&m->cpu);
                if (missing) {
                    step_faults_in_place(m, how, VEC_SS, 0);
                } else {
                    step(m);
                    ck_assert_uint_eq(m->cpu.r[RIP], TARGET);
                }
                fake_machine_free(m);
            }
}
END_TEST

/* A 16-bit stack gets SP only. */
START_TEST(returns_to_a_16_bit_stack)
{
    for (enum how how = 0; how < HOWS; how++) {
        struct fake_machine *m = levels_create(PROTECTED, 0);
        const uint64_t frame[4] = {TARGET, CODE32_OF(3), 0x12345678, SLOT_STACK | 3};
        set_flat(m, SLOT_STACK, AT(FLAT_DATA16, 3));
        put_return(m, how, 4, frame);
        step(m);
        check_at(m, how, 3, CODE32_OF(3), SLOT_STACK | 3, TARGET,
                 (STACK_NOW & ~0xffffu) | (0x5678 + (how == RETF_IMM ? DROP : 0)));
        fake_machine_free(m);
    }
}
END_TEST

/* -- Data segments ----------------------------------------------------------------------------- */

/* After a return to an outer level, what is more privileged than that is null, but for conforming
 * code. */
START_TEST(returns_drop_privileged_data_segments)
{
    static const struct {
        uint16_t attr;
        uint8_t to;
        bool stays;
    } rows[] = {
        {AT(FLAT_DATA32, 0), 0, true},     {AT(FLAT_DATA32, 0), 1, false},
        {AT(FLAT_DATA32, 0), 3, false},    {AT(FLAT_DATA32, 1), 1, true},
        {AT(FLAT_DATA32, 1), 2, false},    {AT(FLAT_DATA32, 2), 2, true},
        {AT(FLAT_DATA32, 2), 3, false},    {AT(FLAT_DATA32, 3), 3, true},
        {AT(FLAT_READONLY, 0), 3, false},  {AT(0xc097, 0), 3, false},
        {AT(0xc097, 3), 3, true},          {AT(FLAT_CODE32, 0), 3, false},
        {AT(FLAT_CODE32, 2), 2, true},     {AT(FLAT_CODE32, 3), 3, true},
        {AT(FLAT_CONFORMING, 0), 3, true}, {AT(FLAT_CONFORMING, 0), 1, true},
        {AT(FLAT_CONFORMING, 1), 2, true},
    };
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        for (unsigned how = 0; how < 2 * HOWS; how++) {
            bool wide = how >= HOWS;
            struct fake_machine *m = levels_create(wide ? LONG : PROTECTED, 0);
            unsigned to = rows[k].to;
            const uint64_t frame[4] = {TARGET, wide ? CODE64_OF(to) : CODE32_OF(to), STACK_OUT,
                                       DATA32_OF(to)};
            set_flat(m, SLOT_GATE, rows[k].attr);
            for (unsigned s = 0; s < 4; s++)
                force_seg(m, data[s], SLOT_GATE);
            put_return(m, how % HOWS, wide ? 8 : 4, frame);
            step(m);
            ck_assert_uint_eq(m->cpu.cpl, to);
            for (unsigned s = 0; s < 4; s++) {
                const struct seg *seg = &m->cpu.seg[data[s]];
                ck_assert_msg(seg->sel == (rows[k].stays ? SLOT_GATE : 0) &&
                                  seg->usable == rows[k].stays,
                              "row %u: %x", k, seg->sel);
            }
            fake_machine_free(m);
        }
}
END_TEST

/* -- Flags ------------------------------------------------------------------------------------- */

#define ALL_FLAGS 0x003d7ed7u /* but for TF and VM */

START_TEST(iret_changes_the_flags_that_a_level_may)
{
    static const struct {
        uint8_t cpl, iopl, n;
        uint32_t changes;
    } rows[] = {
        {0, 0, 4, 0x3d7ed5}, {0, 3, 4, 0x3d7ed5}, {0, 0, 2, 0x007ed5}, {1, 0, 4, 0x254cd5},
        {1, 1, 4, 0x254ed5}, {2, 1, 4, 0x254cd5}, {2, 3, 4, 0x254ed5}, {3, 2, 4, 0x254cd5},
        {3, 3, 4, 0x254ed5}, {3, 0, 2, 0x004cd5}, {3, 3, 2, 0x004ed5}, {3, 3, 8, 0x254ed5},
        {0, 0, 8, 0x3d7ed5}, {3, 0, 8, 0x254cd5},
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        for (unsigned set = 0; set < 2; set++) {
            unsigned cpl = rows[k].cpl;
            bool wide = rows[k].n == 8;
            struct fake_machine *m = levels_create(wide ? LONG : PROTECTED, cpl);
            const uint64_t frame[4] = {TARGET, wide ? CODE64_OF(cpl) : CODE32_OF(cpl), STACK_OUT,
                                       DATA32_OF(cpl)};
            uint32_t old = (set ? EFL_FIXED : ALL_FLAGS & ~(EFL_NT | EFL_IOPL | EFL_RF)) |
                           (uint32_t)rows[k].iopl << 12;
            uint32_t new = set ? ALL_FLAGS : EFL_FIXED;
            put_return(m, IRETF, rows[k].n, frame);
            put(m, STACK_NOW + 2 * rows[k].n, rows[k].n, new);
            eflags_set(&m->cpu, old);
            step(m);
            uint32_t want = (old & ~rows[k].changes) | (new &rows[k].changes);
            ck_assert_msg(eflags_get(&m->cpu) == want, "row %u: eflags %x, not %x", k,
                          eflags_get(&m->cpu), want);
            fake_machine_free(m);
        }
}
END_TEST

/* -- Nested tasks ------------------------------------------------------------------------------ */

START_TEST(bad_links_of_nested_tasks)
{
    static const struct {
        uint16_t link, attr;
        uint32_t limit;
        int vec, err;
    } rows[] = {
        {0, 0x8b, 0x67, VEC_TS, 0},
        {SLOT_CODE | 4, 0x8b, 0x67, VEC_TS, SLOT_CODE | 4},
        {BEYOND, 0x8b, 0x67, VEC_TS, BEYOND},
        {SLOT_CODE, 0x89, 0x67, VEC_TS, SLOT_CODE}, /* not busy */
        {SLOT_CODE, 0x81, 0x67, VEC_TS, SLOT_CODE},
        {SLOT_CODE, 0x82, 0x67, VEC_TS, SLOT_CODE},
        {SLOT_CODE, 0x85, 0x67, VEC_TS, SLOT_CODE},
        {SLOT_CODE, 0x9b, 0x67, VEC_TS, SLOT_CODE},
        {SLOT_CODE, ABSENT(0x8b), 0x67, VEC_NP, SLOT_CODE},
        {SLOT_CODE, ABSENT(0x89), 0x67, VEC_TS, SLOT_CODE},
        {SLOT_CODE, 0x8b, 0x66, VEC_TS, SLOT_CODE}, /* too short */
        {SLOT_CODE, 0x83, 0x2a, VEC_TS, SLOT_CODE},
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        for (unsigned cpl = 0; cpl < 4; cpl += 3) {
            struct fake_machine *m = levels_create(PROTECTED, cpl);
            set_desc(m, SLOT_CODE, descriptor(TSS2, rows[k].limit, rows[k].attr));
            share_gdt(m);
            put(m, TSS, 2, rows[k].link);
            CODE_AT(m, CODE, 0xcf);
            m->cpu.eflags |= EFL_NT;
            step_faults_in_place(m, k, rows[k].vec, rows[k].err);
            fake_machine_free(m);
        }
}
END_TEST

START_TEST(no_nested_tasks_in_long_mode)
{
    for (enum world world = COMPATIBILITY; world <= LONG; world++) {
        struct fake_machine *m = levels_create(world, 0);
        put(m, TSS, 2, SEL_TSS2);
        set_desc(m, SEL_TSS2, descriptor(TSS2, 0x67, 0x8b));
        CODE_AT(m, CODE, 0xcf);
        m->cpu.eflags |= EFL_NT;
        step_faults_in_place(m, world, VEC_GP, 0);
        fake_machine_free(m);
    }
}
END_TEST

/* -- Virtual-8086 mode ------------------------------------------------------------------------- */

static const uint64_t v86_frame[9] = {0x100,  CODE >> 4, 0x23002, 0x80,  0x2000,
                                      0x3000, 0x4000,    0x5000,  0x6000};

static void put_v86_frame(struct fake_machine *m)
{
    CODE_AT(m, CODE, 0xcf);
    for (unsigned k = 0; k < 9; k++)
        put(m, STACK_NOW + 4 * k, 4, v86_frame[k]);
}

START_TEST(iret_to_v86_is_for_level_0)
{
    for (unsigned cpl = 0; cpl < 4; cpl++) {
        struct fake_machine *m = levels_create(PROTECTED, cpl);
        put_v86_frame(m);
        put(m, STACK_NOW + 4, 4, CODE32_OF(cpl));
        step(m);
        if (cpl == 0) {
            ck_assert(m->cpu.mode & MODE_V86);
            check_at(m, cpl, 3, CODE32_OF(cpl), 0x2000, 0x100, 0x80);
        } else {
            ck_assert(!(m->cpu.mode & MODE_V86) && !(m->cpu.eflags & EFL_VM));
            check_at(m, cpl, cpl, CODE32_OF(cpl), DATA32_OF(cpl), 0x100, STACK_NOW + 12);
        }
        fake_machine_free(m);
    }
}
END_TEST

START_TEST(bad_frames_of_v86_returns)
{
    for (unsigned k = 0; k < 2; k++) {
        struct fake_machine *m = levels_create(PROTECTED, 0);
        put_v86_frame(m);
        if (k == 0) {
            put(m, STACK_NOW, 4, 0x10000);
        } else {
            m->cpu.seg[SEG_SS].limit = STACK_NOW + 34;
            m->cpu.mode = 0;
            cpu_update_mode(&m->cpu);
        }
        step_faults_in_place(m, k, k == 0 ? VEC_GP : VEC_SS, 0);
        fake_machine_free(m);
    }
}
END_TEST

/* Interrupts leave virtual-8086 mode through gates to non-conforming code of level 0 only. */
START_TEST(interrupts_from_v86)
{
    static const struct {
        uint8_t type;
        uint16_t code;
        int vec, err;
    } rows[] = {
        {0xee, AT(FLAT_CODE32, 0), OK, 0},
        {0xef, AT(FLAT_CODE32, 0), OK, 0},
        {0xe6, AT(FLAT_CODE32, 0), OK, 0},
        {0xe7, AT(FLAT_CODE32, 0), OK, 0},
        {0x8e, AT(FLAT_CODE32, 0), VEC_GP, 0x21 * 8 + 2}, /* the gate's DPL */
        {0x6e, AT(FLAT_CODE32, 0), VEC_NP, 0x21 * 8 + 2},
        {0xec, AT(FLAT_CODE32, 0), VEC_GP, 0x21 * 8 + 2}, /* a call gate */
        {0xee, AT(FLAT_CODE32, 1), VEC_GP, SLOT_CODE},
        {0xee, AT(FLAT_CODE32, 3), VEC_GP, SLOT_CODE},
        {0xee, AT(FLAT_CONFORMING, 0), VEC_GP, SLOT_CODE},
        {0xee, AT(FLAT_DATA32, 0), VEC_GP, SLOT_CODE},
        {0xee, ABSENT(FLAT_CODE32), VEC_NP, SLOT_CODE},
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        struct fake_machine *m = levels_create(PROTECTED, 0);
        struct cpu *c = &m->cpu;
        unsigned n = rows[k].vec == OK && !(rows[k].type & 8) ? 2 : 4;
        uint64_t want[10] = {rows[k].err}, mask = n == 2 ? 0xffff : UINT32_MAX;
        put_v86_frame(m);
        set_flat(m, SLOT_CODE, rows[k].code);
        set_gate32(m, 0x21, gate(SLOT_CODE, TARGET, rows[k].type, 0));
        step(m);
        CODE_AT(m, CODE + 0x100, 0xcd, 0x21);
        step(m);
        unsigned words = rows[k].vec == OK ? 9 : 10;
        for (unsigned s = 0; s < 9; s++)
            want[words - 9 + s] = v86_frame[s] & mask;
        want[words - 9] += rows[k].vec == OK ? 2 : 0;
        want[words - 9 + 2] |= rows[k].vec == OK ? 0 : EFL_RF;
        if (rows[k].vec == OK)
            check_at(m, k, 0, SLOT_CODE, DATA32_OF(0), TARGET & mask, STACK_OF(0) - 9 * n);
        else
            check_at(m, k, 0, CODE32_OF(0), DATA32_OF(0), HANDLER + 16u * (unsigned)rows[k].vec,
                     STACK_OF(0) - 40);
        check_stack(m, k, c->r[RSP], n, want, words);
        ck_assert(!(c->mode & MODE_V86));
        for (unsigned s = 0; s < SEG_COUNT; s++)
            ck_assert(s == SEG_CS || s == SEG_SS || (c->seg[s].sel == 0 && !c->seg[s].usable));
        fake_machine_free(m);
    }
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, returns);
    tcase_add_test(t, returns_in_long_mode);
    tcase_add_test(t, iret_pops_the_stack_at_the_same_level_in_64_bit_code);
    tcase_add_test(t, returns_to_bad_offsets);
    tcase_add_test(t, returns_from_short_stacks);
    tcase_add_test(t, returns_to_a_16_bit_stack);
    tcase_add_test(t, returns_drop_privileged_data_segments);
    tcase_add_test(t, iret_changes_the_flags_that_a_level_may);
    tcase_add_test(t, bad_links_of_nested_tasks);
    tcase_add_test(t, no_nested_tasks_in_long_mode);
    tcase_add_test(t, iret_to_v86_is_for_level_0);
    tcase_add_test(t, bad_frames_of_v86_returns);
    tcase_add_test(t, interrupts_from_v86);
}

int main(void)
{
    return run_suite("return", add_tests);
}
