/* SPDX-License-Identifier: MIT */
/* Task switches between 16- and 32-bit TSSs in every combination and by every way, from and to
 * virtual-8086 mode: what is saved where, what is loaded, busy bits, links, NT, TS (SDM 3A 7.2,
 * 7.3, table 7-2); which TSSs are refused. */
#include "tests/unit/fake_machine.h"
#include "tests/unit/levels.h"

#define VEC_TASK 0x20u   /* its gate is a task gate to SEL_TSS2 */
#define FLAGS    0x0ad7u /* arithmetic flags, IF */
#define FLAGS_IN 0x0412u

/* Offsets in a TSS of n-byte registers (SDM 3A figures 7-2 and 7-10). */
static const struct layout {
    unsigned n, limit, type;
    unsigned ip, flags, regs, segs, seg_step, seg_count, ldt;
} layouts[2] = {
    {2, 0x2b, 0x81, 14, 16, 18, 34, 2, 4, 42},
    {4, 0x67, 0x89, 32, 36, 40, 72, 4, 6, 96},
};

/* In the order of TSSs: ES, CS, SS, DS, FS, GS */
static const uint8_t seg_order[6] = {SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS};

#define PAGE_DIRECTORY  0x50000u
#define PAGE_TABLE      0x51000u
#define TABLE_ENTRY(la) (PAGE_TABLE + ((la) >> 12) * 4)

enum way { BY_JUMP, BY_CALL, BY_GATE_JUMP, BY_GATE_CALL, BY_INT, BY_EXCEPTION, WAYS };

static bool is_nested(enum way way)
{
    return way != BY_JUMP && way != BY_GATE_JUMP;
}

/* The instruction at CODE that switches; returns its length. */
static unsigned put_switch(struct fake_machine *m, enum way way)
{
    bool gated = way == BY_GATE_JUMP || way == BY_GATE_CALL;
    if (way == BY_INT) {
        CODE_AT(m, CODE, 0xcd, VEC_TASK);
        return 2;
    }
    if (way == BY_EXCEPTION) {
        CODE_AT(m, CODE, 0x0f, 0x0b);
        return 0; /* a fault: back to the instruction */
    }
    CODE_AT(m, CODE, way == BY_JUMP || way == BY_GATE_JUMP ? 0xea : 0x9a);
    put(m, CODE + 1, 4, 0x5555);
    put(m, CODE + 5, 2, gated ? SEL_TASK_GATE : SEL_TSS2);
    return 7;
}

static uint64_t in_tss(struct fake_machine *m, unsigned tss, unsigned off, unsigned n)
{
    return get(m, tss + off, n);
}

/* A TSS for a task that is not running: registers 0x1100 + k, level-0 segments. */
static void fill_tss(struct fake_machine *m, unsigned tss, const struct layout *l)
{
    memset(m->ram + tss, 0, 0x68);
    if (l->n == 4)
        put(m, tss + 28, 4, PAGE_DIRECTORY);
    put(m, tss + l->ip, l->n, 0xe000);
    put(m, tss + l->flags, l->n, FLAGS_IN);
    for (unsigned k = 0; k < 8; k++)
        put(m, tss + l->regs + k * l->n, l->n, 0x1100 + k);
    for (unsigned k = 0; k < l->seg_count; k++)
        put(m, tss + l->segs + k * l->seg_step, 2, seg_order[k] == SEG_CS ? SEL_CODE0 : SEL_DATA0);
}

/* The current task, at SEL_TSS, has a TSS of this kind, filled with a pattern. */
static struct fake_machine *create(const struct layout *from, const struct layout *to)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    memset(m->ram + TSS, 0xa5, 0x68);
    fill_tss(m, TSS2, to);
    set_desc(m, SEL_TSS, descriptor(TSS, from->limit, (uint16_t)(from->type | 2)));
    set_desc(m, SEL_TSS2, descriptor(TSS2, to->limit, (uint16_t)to->type));
    set_desc(m, SEL_TASK_GATE, gate(SEL_TSS2, 0, 0x85, 0));
    set_gate32(m, VEC_TASK, gate(SEL_TSS2, 0, 0x85, 0));
    set_gate32(m, VEC_UD, gate(SEL_TSS2, 0, 0x85, 0));
    c->tr.limit = from->limit;
    c->tr.attr = (uint16_t)(from->type | 2);
    for (unsigned k = 0; k < 8; k++)
        c->r[k] = k == RSP ? STACK0 : 0x89ab0000u + 0x101 * k;
    c->cr0 &= ~(uint64_t)CR0_TS;
    c->dr[7] = 0x400;
    eflags_set(c, FLAGS);
    return m;
}

static const struct layout *layout(unsigned bits32)
{
    return &layouts[bits32];
}

/* What the outgoing task's TSS holds, and that nothing else in it has changed. */
static void check_saved(struct fake_machine *m, const struct layout *l, uint64_t ip, uint32_t flags)
{
    uint64_t mask = l->n == 2 ? 0xffff : UINT32_MAX;
    unsigned end = l->segs + l->seg_count * l->seg_step;
    ck_assert_uint_eq(in_tss(m, TSS, l->ip, l->n), ip & mask);
    ck_assert_uint_eq(in_tss(m, TSS, l->flags, l->n), flags & mask);
    for (unsigned k = 0; k < 8; k++)
        ck_assert_uint_eq(in_tss(m, TSS, l->regs + k * l->n, l->n),
                          (k == RSP ? STACK0 : 0x89ab0000u + 0x101 * k) & mask);
    for (unsigned k = 0; k < l->seg_count; k++) {
        ck_assert_uint_eq(in_tss(m, TSS, l->segs + k * l->seg_step, 2),
                          seg_order[k] == SEG_CS ? SEL_CODE0 : SEL_DATA0);
        if (l->seg_step == 4)
            ck_assert_uint_eq(in_tss(m, TSS, l->segs + k * 4 + 2, 2), 0xa5a5);
    }
    for (unsigned k = 0; k < 0x68; k++)
        if (k < l->ip || k >= end)
            ck_assert_uint_eq(in_tss(m, TSS, k, 1), 0xa5);
}

static void check_loaded(const struct fake_machine *m, const struct layout *l, bool nested)
{
    const struct cpu *c = &m->cpu;
    uint64_t high = l->n == 2 ? 0xffff0000u : 0;
    ck_assert_uint_eq(c->tr.sel, SEL_TSS2);
    ck_assert_uint_eq(c->tr.attr & 0xff, l->type | 2);
    ck_assert_uint_eq(c->r[RIP], 0xe000);
    ck_assert_uint_eq(eflags_get(c), FLAGS_IN | (nested ? EFL_NT : 0));
    for (unsigned k = 0; k < 8; k++)
        ck_assert_uint_eq(c->r[k], high | (0x1100 + k));
    for (unsigned k = 0; k < 6; k++) {
        bool has = k < l->seg_count;
        ck_assert_uint_eq(c->seg[seg_order[k]].sel, !has                     ? 0
                                                    : seg_order[k] == SEG_CS ? SEL_CODE0
                                                                             : SEL_DATA0);
        ck_assert_int_eq(c->seg[seg_order[k]].usable, has);
    }
    ck_assert(c->cr0 & CR0_TS);
}

static void check_switch(unsigned from, unsigned to, enum way way)
{
    struct fake_machine *m = create(layout(from), layout(to));
    bool nested = is_nested(way);
    unsigned length = put_switch(m, way);
    step(m);
    check_saved(m, layout(from), CODE + length, FLAGS | (way == BY_EXCEPTION ? EFL_RF : 0));
    check_loaded(m, layout(to), nested);
    ck_assert_uint_eq(in_tss(m, TSS2, 0, 2), nested ? SEL_TSS : 0);
    ck_assert_uint_eq(get(m, GDT + SEL_TSS2 + 5, 1), layout(to)->type | 2);
    ck_assert_uint_eq(get(m, GDT + SEL_TSS + 5, 1), layout(from)->type | (nested ? 2 : 0));
    fake_machine_free(m);
}

START_TEST(switches)
{
    for (unsigned kinds = 0; kinds < 4; kinds++)
        for (enum way way = 0; way < WAYS; way++)
            check_switch(kinds & 1, kinds >> 1, way);
}
END_TEST

/* IRET in a nested task: back to the outer one, as that was saved; NT is clear in what is saved. */
static void check_way_back(unsigned from, unsigned to)
{
    struct fake_machine *m = create(layout(from), layout(to));
    struct cpu *c = &m->cpu;
    uint64_t high = from ? 0x89ab0000u : 0xffff0000u;
    unsigned length = put_switch(m, BY_CALL);
    put(m, TSS + layout(from)->ldt, 2, 0); /* these two are only ever read */
    put(m, TSS + 0x64, 2, 0);
    CODE_AT(m, 0xe000, 0xcf);
    step(m);
    c->r[RBX] = 0x33332222;
    step(m);
    ck_assert_uint_eq(c->tr.sel, SEL_TSS);
    /* 16 bits are left of where it was. */
    ck_assert_uint_eq(c->r[RIP], from ? CODE + length : (CODE + length) & 0xffff);
    ck_assert_uint_eq(eflags_get(c), FLAGS);
    ck_assert_uint_eq(c->r[RBX], high | (0x101 * RBX));
    ck_assert_uint_eq(c->r[RSP], from ? STACK0 : 0xffff0000u | (STACK0 & 0xffff));
    ck_assert_int_eq(c->seg[SEG_FS].usable, from);
    ck_assert_uint_eq(in_tss(m, TSS2, layout(to)->regs + RBX * layout(to)->n, layout(to)->n),
                      to ? 0x33332222 : 0x2222);
    ck_assert_uint_eq(in_tss(m, TSS2, layout(to)->flags, 2), FLAGS_IN);
    ck_assert_uint_eq(in_tss(m, TSS2, layout(to)->ip, 2), 0xe001);
    ck_assert_uint_eq(get(m, GDT + SEL_TSS2 + 5, 1), layout(to)->type);
    ck_assert_uint_eq(get(m, GDT + SEL_TSS + 5, 1), layout(from)->type | 2);
    fake_machine_free(m);
}

START_TEST(ways_back)
{
    for (unsigned kinds = 0; kinds < 4; kinds++)
        check_way_back(kinds & 1, kinds >> 1);
}
END_TEST

/* The error code of an exception is pushed with the size of the new task's TSS. */
START_TEST(error_codes_go_onto_the_new_tasks_stack)
{
    for (unsigned kinds = 0; kinds < 4; kinds++) {
        unsigned to = kinds >> 1, n = to ? 4 : 2;
        struct fake_machine *m = create(layout(kinds & 1), layout(to));
        set_gate32(m, VEC_GP, gate(SEL_TSS2, 0, 0x85, 0));
        put(m, TSS2 + layout(to)->regs + RSP * n, n, 0x8000);
        set_desc(m, SEL_DATA16, descriptor(0, 0xffff, 0x0093));
        put(m, TSS2 + layout(to)->segs + 2 * layout(to)->seg_step, 2, SEL_DATA16);
        CODE_AT(m, CODE, 0xea, 0, 0, 0, 0, SEL_DATA0, 0); /* no code */
        put(m, 0x7ffc, 4, 0x5a5a5a5a);
        step(m);
        ck_assert_uint_eq(m->cpu.tr.sel, SEL_TSS2);
        ck_assert_uint_eq(m->cpu.r[RSP] & 0xffff, 0x8000 - n);
        ck_assert_uint_eq(get(m, 0x7ffc, 4), to ? SEL_DATA0 : SEL_DATA0 << 16 | 0x5a5a);
        fake_machine_free(m);
    }
}
END_TEST

/* -- Refusals ---------------------------------------------------------------------------------- */

/* Too short a TSS, the old or the new one, is found before anything has changed. */
START_TEST(short_tsss)
{
    for (unsigned kinds = 0; kinds < 4; kinds++)
        for (enum way way = BY_JUMP; way <= BY_INT; way++)
            for (unsigned old = 0; old < 2; old++) {
                const struct layout *from = layout(kinds & 1), *to = layout(kinds >> 1);
                struct fake_machine *m = create(from, to);
                if (old)
                    m->cpu.tr.limit = from->limit - 1;
                else
                    set_desc(m, SEL_TSS2, descriptor(TSS2, to->limit - 1, (uint16_t)to->type));
                put_switch(m, way);
                step_faults(m, VEC_TS, old ? SEL_TSS : SEL_TSS2);
                ck_assert_uint_eq(m->cpu.tr.sel, SEL_TSS);
                ck_assert_uint_eq(get(m, GDT + SEL_TSS2 + 5, 1), to->type);
                ck_assert_uint_eq(get(m, GDT + SEL_TSS + 5, 1), from->type | 2);
                ck_assert_uint_eq(in_tss(m, TSS, from->ip, 2), 0xa5a5);
                fake_machine_free(m);
            }
}
END_TEST

/* An identity mapping of 4 MiB. */
static void turn_paging_on(struct fake_machine *m)
{
    put(m, PAGE_DIRECTORY, 4, PAGE_TABLE | 7);
    for (unsigned k = 0; k < 1024; k++)
        put(m, PAGE_TABLE + 4 * k, 4, k << 12 | 7);
    m->cpu.cr3 = PAGE_DIRECTORY;
    m->cpu.cr0 |= CR0_PG | CR0_WP;
    cpu_flush_tlb(&m->cpu);
}

/* A TSS of which only the first bytes are on a good page; the next one is absent or read-only. A
 * switch that does not get by with those is a page fault of the old task, before anything changed.
 */
static void check_split_tss(const struct layout *l, bool old, bool read_only, unsigned bytes,
                            bool enough)
{
    const unsigned page = 0x60000, la = page - bytes;
    struct fake_machine *m = create(l, l);
    fill_tss(m, la, l);
    put(m, la, 2, 0xa5a5);
    set_desc(m, old ? SEL_TSS : SEL_TSS2, descriptor(la, l->limit, (uint16_t)(l->type | old << 1)));
    if (old)
        m->cpu.tr.base = la;
    turn_paging_on(m);
    put(m, TABLE_ENTRY(page), 4, read_only ? page | 5 : page);
    put_switch(m, BY_CALL);
    if (enough || (read_only && !old)) {
        step(m);
        ck_assert_uint_eq(m->cpu.tr.sel, SEL_TSS2);
    } else {
        step_faults(m, VEC_PF, read_only ? 3 : old ? 2 : 0);
        ck_assert_uint_eq(m->cpu.cr2, page);
        ck_assert_uint_eq(m->cpu.tr.sel, SEL_TSS);
        ck_assert_uint_eq(get(m, GDT + SEL_TSS2 + 5, 1), l->type);
        ck_assert_uint_eq(get(m, la, 2), 0xa5a5);
    }
    fake_machine_free(m);
}

START_TEST(tsss_on_bad_pages)
{
    /* Up to the new task's LDT selector or T bit, up to the old one's last segment */
    static const unsigned ends[2][2] = {{0x2c, 0x2a}, {0x66, 0x5e}};
    for (unsigned row = 0; row < 8; row++) {
        const struct layout *l = layout(row & 1);
        bool old = row & 2, read_only = row & 4;
        unsigned used = ends[row & 1][old];
        check_split_tss(l, old, read_only, l->ip, false);
        check_split_tss(l, old, read_only, used - 1, false);
        check_split_tss(l, old, read_only, used, true);
    }
}
END_TEST

/* Busy bits: the new task's is set unless it is returned to, the old one's is cleared unless the
 * new one is nested in it. */
START_TEST(busy_bits_on_a_read_only_page)
{
    static const unsigned cr2[] = {GDT + SEL_TSS2 + 5, GDT + SEL_TSS2 + 5, GDT + SEL_TSS + 5};
    for (unsigned row = 0; row < 3; row++) {
        struct fake_machine *m = create(layout(1), layout(1));
        set_flat(m, SEL_CODE0, FLAT_CODE32);
        set_flat(m, SEL_DATA0, FLAT_DATA32);
        put(m, TSS, 2, SEL_TSS2);
        if (row < 2) {
            put_switch(m, row == 0 ? BY_JUMP : BY_CALL);
        } else {
            CODE_AT(m, CODE, 0xcf);
            set_desc(m, SEL_TSS2, descriptor(TSS2, 0x67, 0x8b));
            m->cpu.eflags |= EFL_NT;
        }
        turn_paging_on(m);
        put(m, TABLE_ENTRY(GDT), 4, GDT | 5);
        step_faults(m, VEC_PF, 3);
        ck_assert_uint_eq(m->cpu.cr2, cr2[row]);
        ck_assert_uint_eq(m->cpu.tr.sel, SEL_TSS);
        fake_machine_free(m);
    }
}
END_TEST

/* Of the new TSS only the link is written, and only if the task is nested. */
START_TEST(new_tss_on_a_read_only_page)
{
    for (enum way way = 0; way < WAYS; way++) {
        struct fake_machine *m = create(layout(0), layout(1));
        set_desc(m, SEL_TSS2, descriptor(0x60000, 0x67, 0x89));
        fill_tss(m, 0x60000, layout(1));
        turn_paging_on(m);
        put(m, TABLE_ENTRY(0x60000), 4, 0x60000 | 5);
        cpu_flush_tlb(&m->cpu);
        put_switch(m, way);
        if (way == BY_EXCEPTION) {
            step(m); /* the page fault is delivered instead */
            ck_assert_int_eq(at_handler(m), VEC_PF);
        } else if (is_nested(way)) {
            step_faults(m, VEC_PF, 3);
        } else {
            step(m);
            ck_assert_uint_eq(m->cpu.tr.sel, SEL_TSS2);
        }
        fake_machine_free(m);
    }
}
END_TEST

/* What task gates and selectors lead to. */
START_TEST(bad_targets)
{
    static const struct {
        enum way way;
        uint16_t gate_sel, tss_attr;
        int vec, err;
    } rows[] = {
        {BY_JUMP, 0, 0x8b, VEC_GP, SEL_TSS2}, /* busy */
        {BY_CALL, 0, 0x83, VEC_GP, SEL_TSS2},
        {BY_JUMP, 0, ABSENT(0x89), VEC_NP, SEL_TSS2},
        {BY_CALL, 0, ABSENT(0x81), VEC_NP, SEL_TSS2},
        {BY_GATE_JUMP, SEL_TSS2, 0x8b, VEC_GP, SEL_TSS2},
        {BY_GATE_CALL, SEL_TSS2, 0x83, VEC_GP, SEL_TSS2},
        {BY_GATE_CALL, SEL_TSS2, 0x82, VEC_GP, SEL_TSS2},
        {BY_GATE_CALL, SEL_TSS2, 0x9b, VEC_GP, SEL_TSS2},
        {BY_GATE_JUMP, SEL_TSS2, ABSENT(0x81), VEC_NP, SEL_TSS2},
        {BY_GATE_CALL, SEL_TSS2 | 4, 0x89, VEC_GP, SEL_TSS2 | 4},
        {BY_GATE_CALL, 0xf00, 0x89, VEC_GP, 0xf00},
        {BY_GATE_CALL, 0, 0x89, VEC_GP, 0},
        {BY_INT, SEL_TSS2, 0x8b, VEC_GP, SEL_TSS2},
        {BY_INT, SEL_TSS2, ABSENT(0x89), VEC_NP, SEL_TSS2},
        {BY_INT, SEL_TSS2 | 4, 0x89, VEC_GP, SEL_TSS2 | 4},
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        struct fake_machine *m = create(layout(0), layout(1));
        set_desc(m, SEL_TASK_GATE, gate(rows[k].gate_sel, 0, 0x85, 0));
        set_gate32(m, VEC_TASK, gate(rows[k].gate_sel, 0, 0x85, 0));
        set_desc(m, SEL_TSS2, descriptor(TSS2, 0x67, rows[k].tss_attr));
        share_gdt(m);
        put_switch(m, rows[k].way);
        step_faults(m, rows[k].vec, rows[k].err);
        fake_machine_free(m);
    }
}
END_TEST

/* Faults of the new task's segments are faults of the new task (SDM 3A table 7-1). */
START_TEST(bad_segments_of_the_new_task)
{
    static const struct {
        int seg; /* -1: LDT */
        uint16_t sel, attr;
        int vec, err;
    } rows[] = {
        {-1, SLOT_CODE, 0x0089, VEC_TS, SLOT_CODE},
        {-1, SLOT_CODE, ABSENT(0x82), VEC_TS, SLOT_CODE},
        {-1, SLOT_CODE | 4, 0x0082, VEC_TS, SLOT_CODE | 4},
        {-1, BEYOND, 0x0082, VEC_TS, BEYOND},
        {SEG_CS, 0, 0, VEC_TS, 0},
        {SEG_CS, SLOT_CODE, FLAT_DATA32, VEC_TS, SLOT_CODE},
        {SEG_CS, SLOT_CODE, AT(FLAT_CODE32, 1), VEC_TS, SLOT_CODE},
        {SEG_CS, SLOT_CODE, AT(FLAT_CONFORMING, 1), VEC_TS, SLOT_CODE},
        {SEG_CS, SLOT_CODE, ABSENT(FLAT_CODE32), VEC_NP, SLOT_CODE},
        {SEG_CS, BEYOND, 0, VEC_TS, BEYOND},
        {SEG_SS, 0, 0, VEC_TS, 0},
        {SEG_SS, SLOT_CODE, AT(FLAT_DATA32, 1), VEC_TS, SLOT_CODE},
        {SEG_SS, SLOT_CODE | 1, FLAT_DATA32, VEC_TS, SLOT_CODE},
        {SEG_SS, SLOT_CODE, FLAT_READONLY, VEC_TS, SLOT_CODE},
        {SEG_SS, SLOT_CODE, ABSENT(FLAT_DATA32), VEC_SS, SLOT_CODE},
        {SEG_DS, SLOT_CODE, 0xc099, VEC_TS, SLOT_CODE}, /* not readable */
        {SEG_DS, SLOT_CODE | 3, FLAT_DATA32, VEC_TS, SLOT_CODE},
        {SEG_ES, SLOT_CODE, ABSENT(FLAT_DATA32), VEC_NP, SLOT_CODE},
        {SEG_ES, BEYOND, 0, VEC_TS, BEYOND},
        {SEG_DS, SLOT_CODE, 0x0082, VEC_TS, SLOT_CODE},
    };
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        for (unsigned to = 0; to < 2; to++) {
            struct fake_machine *m = create(layout(0), layout(to));
            const struct layout *l = layout(to);
            unsigned at = l->ldt;
            for (unsigned s = 0; s < 4; s++)
                if (seg_order[s] == rows[k].seg)
                    at = l->segs + s * l->seg_step;
            m->cpu.gdt.limit = GDT_LIMIT;
            set_flat(m, SLOT_CODE, rows[k].attr);
            put(m, TSS2 + at, 2, rows[k].sel);
            /* Delivered in the new task, which may have no stack: through a task of its own. */
            set_gate32(m, (unsigned)rows[k].vec, gate(SLOT_GATE, 0, 0x85, 0));
            set_desc(m, SLOT_GATE, descriptor(DATA, 0x67, 0x89));
            fill_tss(m, DATA, layout(1));
            put(m, DATA + 32, 4, TARGET);
            put(m, DATA + 56, 4, STACK0);
            put_switch(m, BY_JUMP);
            step(m);
            ck_assert_msg(m->cpu.tr.sel == SLOT_GATE && m->cpu.r[RIP] == TARGET, "row %u: tr %x", k,
                          m->cpu.tr.sel);
            ck_assert_uint_eq(get(m, DATA, 2), SEL_TSS2);
            ck_assert_msg(get(m, STACK0 - 4, 4) == (uint64_t)rows[k].err, "row %u: error code %x",
                          k, (unsigned)get(m, STACK0 - 4, 4));
            ck_assert_uint_eq(in_tss(m, TSS2, l->ip, 2), 0xe000);
            fake_machine_free(m);
        }
}
END_TEST

/* -- Virtual-8086 tasks ------------------------------------------------------------------------ */

START_TEST(to_a_v86_task_and_out_of_it_by_a_task_gate)
{
    struct fake_machine *m = create(layout(1), layout(1));
    struct cpu *c = &m->cpu;
    put(m, TSS2 + 32, 4, 0x100);
    put(m, TSS2 + 36, 4, EFL_VM | EFL_IOPL | EFL_FIXED);
    for (unsigned k = 0; k < 6; k++)
        put(m, TSS2 + 72 + 4 * k, 2, 0x1000 + k * 0x100);
    CODE_AT(m, 0x11100, 0xcd, 0x21); /* CS is 1100h */
    set_gate32(m, 0x21, gate(SLOT_GATE, 0, 0xe5, 0));
    c->gdt.limit = GDT_LIMIT;
    set_desc(m, SLOT_GATE, descriptor(DATA, 0x2b, 0x81));
    fill_tss(m, DATA, layout(0));
    put_switch(m, BY_JUMP);
    step(m);
    ck_assert(c->mode & MODE_V86);
    ck_assert_uint_eq(c->cpl, 3);
    for (unsigned k = 0; k < 6; k++) {
        ck_assert_uint_eq(c->seg[seg_order[k]].base, 0x10000 + k * 0x1000);
        ck_assert_uint_eq(c->seg[seg_order[k]].limit, 0xffff);
    }
    step(m);
    ck_assert_uint_eq(c->tr.sel, SLOT_GATE);
    ck_assert(!(c->mode & MODE_V86));
    ck_assert_uint_eq(c->cpl, 0);
    ck_assert_uint_eq(in_tss(m, DATA, 0, 2), SEL_TSS2);
    ck_assert_uint_eq(in_tss(m, TSS2, 32, 4), 0x102);
    ck_assert_uint_eq(in_tss(m, TSS2, 36, 4), EFL_VM | EFL_IOPL | EFL_FIXED);
    for (unsigned k = 0; k < 6; k++)
        ck_assert_uint_eq(in_tss(m, TSS2, 72 + 4 * k, 2), 0x1000 + k * 0x100);
    fake_machine_free(m);
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, switches);
    tcase_add_test(t, ways_back);
    tcase_add_test(t, error_codes_go_onto_the_new_tasks_stack);
    tcase_add_test(t, short_tsss);
    tcase_add_test(t, tsss_on_bad_pages);
    tcase_add_test(t, busy_bits_on_a_read_only_page);
    tcase_add_test(t, new_tss_on_a_read_only_page);
    tcase_add_test(t, bad_targets);
    tcase_add_test(t, bad_segments_of_the_new_task);
    tcase_add_test(t, to_a_v86_task_and_out_of_it_by_a_task_gate);
}

int main(void)
{
    return run_suite("task", add_tests);
}
