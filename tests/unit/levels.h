/* SPDX-License-Identifier: MIT */
/* For tests of far transfers between privilege levels: code, data and stacks for each level, 32-
 * and 64-bit, and exceptions that stay at the level they come from, so that nothing but the
 * instruction under test switches stacks. */
#ifndef TESTS_LEVELS_H
#define TESTS_LEVELS_H

#include "tests/unit/protected.h"

/* Selectors, all with RPL = level */
#define CODE32_OF(level) (0x100u + 8 * (level) + (level))
#define DATA32_OF(level) (0x120u + 8 * (level) + (level))
#define CODE64_OF(level) (0x140u + 8 * (level) + (level))
/* What a row of a table puts under test. A gate has 16 bytes, zeroes behind it. */
#define SLOT_CODE  0x160u
#define SLOT_STACK 0x168u
#define SLOT_GATE  0x170u
#define GDT_LIMIT  0x17fu
#define BEYOND     0x180u

#define TARGET    0x14000u
#define STACK_NOW 0x38000u
/* The TSS's stack for a level */
#define STACK_OF(level) (0x21000u + 0x1000u * (level))

/* attr as in struct seg: present, accessed. Add the level with AT(). */
enum {
    FLAT_CODE32 = 0xc09b,
    FLAT_CODE64 = 0xa09b,
    FLAT_CONFORMING = 0xc09f,
    FLAT_CONFORMING64 = 0xa09f,
    FLAT_DATA32 = 0xc093,
    FLAT_DATA16 = 0x8093,
    FLAT_READONLY = 0xc091,
};
#define AT(attr, level) ((attr) | (level) << SEG_DPL_SHIFT)
#define ABSENT(attr)    ((attr) & ~SEG_P)

static inline void set_flat(struct fake_machine *m, unsigned sel, unsigned attr)
{
    set_desc(m, sel, descriptor(0, attr & SEG_G ? 0xfffff : 0xffff, (uint16_t)attr));
}

enum world { PROTECTED, COMPATIBILITY, LONG };

/* Code of a world at a level; RIP is CODE, rSP STACK_NOW. */
static inline struct fake_machine *levels_create(enum world world, unsigned cpl)
{
    bool wide = world != PROTECTED;
    struct fake_machine *m = wide ? world_create64() : world_create(NULL);
    struct cpu *c = &m->cpu;
    for (unsigned k = 0; k < 4; k++) {
        set_flat(m, CODE32_OF(k), AT(FLAT_CODE32, k));
        set_flat(m, DATA32_OF(k), AT(FLAT_DATA32, k));
        set_flat(m, CODE64_OF(k), AT(FLAT_CODE64, k));
    }
    for (unsigned k = 0; k < 3; k++) {
        put(m, TSS + 4 + 8 * k, wide ? 8 : 4, STACK_OF(k));
        if (!wide)
            put(m, TSS + 8 + 8 * k, 2, DATA32_OF(k));
    }
    for (unsigned v = 0; v < 32; v++)
        if (wide)
            set_gate64(m, v, (uint16_t)CODE64_OF(cpl), HANDLER + 16 * v, 0x8e, 0);
        else
            set_gate32(m, v, gate((uint16_t)CODE32_OF(cpl), HANDLER + 16 * v, 0x8e, 0));
    put(m, GDT + SLOT_GATE, 8, 0);
    put(m, GDT + SLOT_GATE + 8, 8, 0);
    c->gdt.limit = GDT_LIMIT;
    force_seg(m, SEG_CS, (uint16_t)(world == LONG ? CODE64_OF(cpl) : CODE32_OF(cpl)));
    for (unsigned s = 0; s < SEG_COUNT; s++)
        if (s != SEG_CS)
            force_seg(m, s, (uint16_t)DATA32_OF(cpl));
    c->r[RSP] = STACK_NOW;
    c->r[RIP] = CODE;
    c->mode = 0; /* so that everything is derived anew */
    cpu_update_mode(c);
    return m;
}

/* Make the GDT the LDT, too: then only a rule can forbid selectors with the table indicator set. */
static inline void share_gdt(struct fake_machine *m)
{
    struct cpu *c = &m->cpu;
    c->ldtr = (struct seg){.base = GDT, .limit = c->gdt.limit, .sel = SEL_LDT, .usable = true};
}

/* One instruction that must fault (err -1: without an error code) and change nothing. */
static inline void step_faults_in_place(struct fake_machine *m, unsigned row, int vec, int64_t err)
{
    struct cpu *c = &m->cpu;
    unsigned n = c->mode & MODE_LMA ? 8 : 4, cpl = c->cpl;
    uint64_t sp = c->r[RSP] - (n == 8 ? 40u : 12u) - (err >= 0 ? n : 0);
    uint16_t sel[SEG_COUNT];
    for (unsigned s = 0; s < SEG_COUNT; s++)
        sel[s] = c->seg[s].sel;
    step(m);
    ck_assert_msg(at_handler(m) == vec, "row %u: vector %d, not %d", row, at_handler(m), vec);
    ck_assert_msg(c->cpl == cpl && c->r[RSP] == sp, "row %u: cpl %u sp %llx, not %llx", row, c->cpl,
                  (unsigned long long)c->r[RSP], (unsigned long long)sp);
    for (unsigned s = 0; s < SEG_COUNT; s++)
        ck_assert_msg(s == SEG_CS || c->seg[s].sel == sel[s], "row %u: segment %u is %x", row, s,
                      c->seg[s].sel);
    if (err >= 0)
        ck_assert_msg(get(m, sp, n) == (uint64_t)err, "row %u: error code %llx, not %llx", row,
                      (unsigned long long)get(m, sp, n), (unsigned long long)err);
    sp += err >= 0 ? n : 0;
    ck_assert_uint_eq(get(m, sp, n), CODE);
    ck_assert_uint_eq(get(m, sp + n, n), sel[SEG_CS]);
}

/* Where the processor must be now. */
static inline void check_at(const struct fake_machine *m, unsigned row, unsigned cpl, unsigned cs,
                            unsigned ss, uint64_t rip, uint64_t rsp)
{
    const struct cpu *c = &m->cpu;
    ck_assert_msg(c->cpl == cpl && c->seg[SEG_CS].sel == cs && c->seg[SEG_SS].sel == ss,
                  "row %u: cpl %u cs %x ss %x, not cpl %u cs %x ss %x", row, c->cpl,
                  c->seg[SEG_CS].sel, c->seg[SEG_SS].sel, cpl, cs, ss);
    ck_assert_msg(c->r[RIP] == rip && c->r[RSP] == rsp, "row %u: rip %llx rsp %llx, not %llx %llx",
                  row, (unsigned long long)c->r[RIP], (unsigned long long)c->r[RSP],
                  (unsigned long long)rip, (unsigned long long)rsp);
}

/* Values of width n, as they lie on a stack from sp up. */
static inline void check_stack(struct fake_machine *m, unsigned row, uint64_t sp, unsigned n,
                               const uint64_t *want, unsigned count)
{
    for (unsigned k = 0; k < count; k++)
        ck_assert_msg(get(m, sp + k * n, n) == want[k], "row %u: stack word %u is %llx, not %llx",
                      row, k, (unsigned long long)get(m, sp + k * n, n),
                      (unsigned long long)want[k]);
}

static inline int run_suite(const char *name, void (*add)(TCase *t))
{
    Suite *s = suite_create(name);
    TCase *t = tcase_create(name);
    add(t);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}

#endif
