/* SPDX-License-Identifier: MIT */
/* Scenarios: loads of segment registers, and accesses through what was loaded. */
#include "tests/diff/system_model.h"

static const struct {
    const char *name;
    uint8_t sreg, prefix;
    uint8_t pop[2], pointer[2];
} sregs[] = {
    {"ds", SEG_DS, 0x3e, {0x1f}, {0xc5}},
    {"es", SEG_ES, 0x26, {0x07}, {0xc4}},
    {"ss", SEG_SS, 0x36, {0x17}, {0x0f, 0xb2}},
    {"fs", SEG_FS, 0x64, {0x0f, 0xa1}, {0x0f, 0xb4}},
    {"gs", SEG_GS, 0x65, {0x0f, 0xa9}, {0x0f, 0xb5}},
};

static void emit_opcode(struct sys *s, const uint8_t *bytes)
{
    sys_code(s, bytes, bytes[0] == 0x0f ? 2 : 1);
}

static void load_by_mov(struct sys *s, unsigned n, uint16_t sel)
{
    s->cpu->r[RAX] = (s->cpu->r[RAX] & ~UINT64_C(0xffff)) | sel;
    EMIT(s, 0x8e, (uint8_t)(0xc0 | sregs[n].sreg << 3));
}

static void load_by_mov_mem(struct sys *s, unsigned n, uint16_t sel)
{
    sys_put(s, AT_DATA + 0x100, 2, sel);
    EMIT(s, 0x8e, rm_data(s, sregs[n].sreg));
}

/* In 64-bit code ES, SS and DS cannot be popped, nor ES and DS loaded with a pointer. */
static void load_by_pop(struct sys *s, unsigned n, uint16_t sel)
{
    if (s->mode == SYS_LONG && sregs[n].pop[0] != 0x0f) {
        load_by_mov(s, n, sel);
        return;
    }
    sys_put(s, AT_STACK, 2, sel);
    emit_opcode(s, sregs[n].pop);
}

static void load_by_pointer(struct sys *s, unsigned n, uint16_t sel)
{
    if (s->mode == SYS_LONG && sregs[n].pointer[0] != 0x0f) {
        load_by_mov_mem(s, n, sel);
        return;
    }
    sys_put(s, AT_DATA + 0x100, 4, 0x1234);
    sys_put(s, AT_DATA + 0x104, 2, sel);
    emit_size(s, 1);
    emit_opcode(s, sregs[n].pointer);
    EMIT(s, rm_data(s, RDX));
}

static const struct {
    const char *name;
    void (*emit)(struct sys *s, unsigned n, uint16_t sel);
} loads[] = {{"mov", load_by_mov},
             {"mov-mem", load_by_mov_mem},
             {"pop", load_by_pop},
             {"pointer", load_by_pointer}};

static const struct {
    const char *name;
    uint32_t from_limit, off;
} offsets[] = {{"0", 0, 0x10},      {"last", 1, (uint32_t)-3}, {"over", 1, (uint32_t)-2},
               {"beyond", 1, 1},    {"top16", 0, 0xfffc},      {"over16", 0, 0xfffe},
               {"400k", 0, 0x64000}};

/* Does a doubleword there lie in the page tables? What a change of them comes to, nobody says
 * before what is cached is invalidated. */
static bool is_in_tables(const struct sys *s, const struct slot *x, uint32_t off)
{
    uint32_t la = (s->mode == SYS_LONG ? 0 : x->base) + off;

    return s->cpu->cr0 & CR0_PG && la > AT_TABLES - 4 && la < AT_PAGES;
}

/* A doubleword at an offset from RDI, or that plus something beyond the limit. */
static void access_through(struct sys *s, unsigned n, const struct slot *x)
{
    static const char *const kinds[] = {"read", "write", "rmw"};
    static const uint8_t opcodes[] = {0x8b, 0x89, 0x01};
    unsigned o = CHOOSE(s->ch, "offset", offsets), kind = CHOOSE(s->ch, "access", kinds);
    uint32_t off = offsets[o].from_limit * x->limit + offsets[o].off;
    unsigned sreg = sregs[n].sreg;

    if (is_in_tables(s, x, off))
        kind = 0;
    s->cpu->r[RDI] = off;
    sys_test_here(s);
    if (is_code16(s))
        EMIT(s, 0x67, 0x66);
    EMIT(s, sregs[n].prefix, opcodes[kind], 0x07);
    if (in_modes(s, MODES(SYS_REAL) | MODES(SYS_V86)))
        return;
    struct verdict v = model_access(s, sreg, x, off, 4, kind != 0);
    bool stack_is_in_doubt = sreg == SEG_SS && s->level == 0;
    if (v.faults && !stack_is_in_doubt)
        want_verdict(s, v);
}

static bool is_flat(const struct slot *x)
{
    return x->base == 0 && x->limit == 0xffffffff && x->big;
}

/* Load a segment register, access memory through it. */
static void load_segment(struct sys *s)
{
    sys_begin(s, (1u << SYS_MODES) - 1);
    unsigned n = CHOOSE(s->ch, "register", sregs), how = CHOOSE(s->ch, "by", loads);
    struct slot x = choose_slot(s, "slot.", SEL_SLOT, T_DATA);
    bool access = choose_yes(s->ch, "use");
    bool is8086 = in_modes(s, MODES(SYS_REAL) | MODES(SYS_V86));

    sys_test_here(s);
    loads[how].emit(s, n, x.sel);
    bool faults = !is8086 && want_verdict(s, model_load(s, sregs[n].sreg, &x));
    if (access && !faults)
        access_through(s, n, &x);
    else if (!faults && !is8086 && (sregs[n].sreg != SEG_SS || is_flat(&x)))
        s->want.end = END_HALT;
    sys_end(s);
    if (s->want.end == END_HALT)
        want_halt(s, s->at - 1);
}

const struct scenario segment_scenarios[] = {
    {"load-segment", load_segment, 4, "loads of segment registers, and accesses through them"},
    {NULL, NULL, 0, NULL},
};
