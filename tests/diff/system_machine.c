/* SPDX-License-Identifier: MIT */
/* The machines of the system tests: memory, tables, modes (see system.h). */
#include <stdlib.h>

#include "tests/diff/system.h"

/* -- Memory ------------------------------------------------------------------------------------ */

void sys_put(struct sys *s, uint64_t pa, unsigned n, uint64_t v)
{
    if (pa + n > FAKE_RAM_BYTES)
        abort();
    memcpy(s->ram + pa, &v, n);
    s->touched[pa >> 12] = s->touched[(pa + n - 1) >> 12] = true;
}

uint64_t sys_get(const struct sys *s, uint64_t pa, unsigned n)
{
    uint64_t v = 0;

    memcpy(&v, s->ram + pa, n);
    return v;
}

void sys_code(struct sys *s, const void *bytes, unsigned n)
{
    const uint8_t *p = bytes;

    for (unsigned k = 0; k < n; k++)
        sys_put(s, s->at++, 1, p[k]);
}

void sys_code_int(struct sys *s, unsigned n, uint64_t v)
{
    sys_put(s, s->at, n, v);
    s->at += n;
}

void emit_size(struct sys *s, unsigned k)
{
    if (k < 2 && (k == 0) != is_code16(s))
        EMIT(s, 0x66);
}

void emit_mov(struct sys *s, unsigned reg, uint64_t v)
{
    if (s->mode == SYS_LONG)
        EMIT(s, 0x48);
    else
        emit_size(s, 1);
    EMIT(s, (uint8_t)(0xb8 + reg));
    sys_code_int(s, s->mode == SYS_LONG ? 8 : 4, v);
}

void emit_set_cr(struct sys *s, unsigned n, uint64_t v)
{
    emit_mov(s, RAX, v);
    EMIT(s, 0x0f, 0x22, (uint8_t)(0xc0 | n << 3));
}

void emit_filler(struct sys *s, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        EMIT(s, 0x83, 0xc5, 0x7f); /* add bp, 127 */
        EMIT(s, 0x11, 0xed);       /* adc bp, bp */
    }
}

void sys_test_here(struct sys *s)
{
    s->tested = s->at;
}

void want_vector(struct sys *s, unsigned vector, int64_t err)
{
    s->want = (struct sys_want){.end = END_VECTOR, .vector = vector, .err = err, .rip = s->tested};
}

void want_halt(struct sys *s, uint64_t la)
{
    s->want = (struct sys_want){.end = END_HALT, .rip = la};
}

void want_memory(struct sys *s, uint64_t pa, unsigned n, uint64_t value)
{
    if (s->want.words == WANTED_WORDS)
        abort();
    s->want.word[s->want.words++] = (struct sys_word){pa, value, n};
}

/* -- Tables ------------------------------------------------------------------------------------ */

static const struct {
    uint32_t base, limit;
    uint16_t attr;
} segments[SYS_SEGMENTS] = {
    [SYS_CODE16] = {0, 0xfffff, 0x809b}, [SYS_CODE32] = {0, 0xfffff, 0xc09b},
    [SYS_CODE64] = {0, 0xfffff, 0xa09b}, [SYS_DATA16] = {AT_DATA, 0xffff, 0x0093},
    [SYS_DATA32] = {0, 0xfffff, 0xc093},
};

uint16_t sys_code_sel(const struct sys *s, unsigned level)
{
    enum sys_segment of = s->mode == SYS_LONG   ? SYS_CODE64
                          : s->mode == SYS_PM16 ? SYS_CODE16
                                                : SYS_CODE32;
    return level_sel(of, level);
}

unsigned sys_width(const struct sys *s)
{
    return s->mode == SYS_LONG ? 8 : is_code16(s) ? 2 : 4;
}

static void put_gdt(struct sys *s)
{
    for (unsigned of = 0; of < SYS_SEGMENTS; of++)
        for (unsigned level = 0; level < 4; level++)
            sys_put_desc(
                s, level_sel(of, level),
                sys_desc(segments[of].base, segments[of].limit, segments[of].attr | level << 5));
    sys_put_desc(s, SEL_TSS, sys_desc(AT_TSS, 0x20ff, 0x8b));
    sys_put_desc(s, SEL_LDT, sys_desc(AT_LDT, 0xff, 0x82));
    sys_put_desc(s, SEL_TSS2, sys_desc(AT_TSS2, 0x67, 0x89));
    sys_put_desc(s, SEL_TSS3, sys_desc(AT_TSS3, 0x67, 0x89));
    uint64_t code = sys_get(s, AT_GDT + (sys_code_sel(s, 0) & 0xfff8), 8);
    sys_put_desc(s, SEL_CONFORMING, code | UINT64_C(0x0400) << 32);
}

/* The I/O bitmap is 0x100 bytes behind the TSS's start, the redirection bitmap before it. */
static void put_tss(struct sys *s)
{
    for (unsigned level = 0; level < 3; level++) {
        uint32_t top = AT_INNER + 0x1000u * (level + 1);
        sys_put(s, AT_TSS + 4 + 8 * level, 8, top);
        if (!is_lma(s))
            sys_put(s, AT_TSS + 8 + 8 * level, 4, level_sel(SYS_DATA32, level));
    }
    for (unsigned n = 1; n < 8 && is_lma(s); n++)
        sys_put(s, AT_TSS + 0x24 + 8 * (n - 1), 8, AT_IST + 0x800 * n);
    sys_put(s, AT_TSS + 0x66, 2, 0x100);
    sys_put(s, AT_TSS + 0x20ff, 1, 0xff);
}

void sys_put_vector(struct sys *s, unsigned vec, uint16_t sel, uint64_t off, unsigned attr,
                    unsigned ist)
{
    unsigned size = is_lma(s) ? 16 : 8;

    sys_put(s, AT_IDT + vec * size, 8, sys_gate(sel, (uint32_t)off, attr, ist));
    if (size == 16)
        sys_put(s, AT_IDT + vec * size + 8, 8, off >> 32);
}

static void put_idt(struct sys *s)
{
    uint16_t sel = level_sel(is_lma(s) ? SYS_CODE64 : SYS_CODE32, 0);

    for (unsigned vec = 0; vec < SYS_VECTORS; vec++) {
        unsigned at = AT_HANDLER + HANDLER_BYTES * vec;
        sys_put(s, at, 1, 0xf4);
        if (s->mode == SYS_REAL || s->mode == SYS_V86)
            sys_put(s, 4 * vec, 4, (uint32_t)AT_HANDLER << 12 | HANDLER_BYTES * vec);
        if (s->mode != SYS_REAL)
            sys_put_vector(s, vec, sel, at, 0x8e, 0);
    }
    s->cpu->idt = (struct dtable){AT_IDT, (uint16_t)(SYS_VECTORS * (is_lma(s) ? 16 : 8) - 1)};
    if (s->mode == SYS_REAL)
        s->cpu->idt = (struct dtable){0, 4 * SYS_VECTORS - 1};
}

/* -- Paging ------------------------------------------------------------------------------------ */

static void page_large(struct sys *s)
{
    sys_put(s, AT_TABLES, 4, 0xe7);
    s->cpu->cr4 |= CR4_PSE;
}

static void page_small(struct sys *s)
{
    sys_put(s, AT_TABLES, 4, (AT_TABLES + 0x1000) | 0x67);
    for (unsigned k = 0; k < SYS_PAGES; k++)
        sys_put(s, AT_TABLES + 0x1000 + 4 * k, 4, k << 12 | 0x67);
}

static void page_pae(struct sys *s)
{
    struct cpu *c = s->cpu;

    for (unsigned k = 0; k < 2; k++)
        sys_put(s, AT_TABLES + 0x1000 + 8 * k, 8, k << 21 | 0xe7);
    sys_put(s, AT_TABLES, 8, (AT_TABLES + 0x1000) | 1);
    c->pdpte[0] = (AT_TABLES + 0x1000) | 1;
    c->cr4 |= CR4_PAE;
}

static void page_long(struct sys *s)
{
    sys_put(s, AT_TABLES, 8, (AT_TABLES + 0x1000) | 0x67);
    sys_put(s, AT_TABLES + 0x1000, 8, (AT_TABLES + 0x2000) | 0x67);
    for (unsigned k = 0; k < 2; k++)
        sys_put(s, AT_TABLES + 0x2000 + 8 * k, 8, k << 21 | 0xe7);
    s->cpu->cr4 |= CR4_PAE;
    s->cpu->efer |= EFER_LME | EFER_LMA;
}

static const struct {
    const char *name;
    void (*put)(struct sys *s);
} pagings[] = {{"none", NULL}, {"4m", page_large}, {"4k", page_small}, {"pae", page_pae}};

static void choose_paging(struct sys *s)
{
    struct cpu *c = s->cpu;
    unsigned kind = 0;

    if (s->mode == SYS_REAL || s->own_paging)
        return;
    if (is_lma(s))
        page_long(s);
    else if ((kind = CHOOSE(s->ch, "paging", pagings)) != 0)
        pagings[kind].put(s);
    else
        return;
    c->cr3 = AT_TABLES;
    c->cr0 |= CR0_PG;
}

/* -- Modes ------------------------------------------------------------------------------------- */

static const char *const mode_names[SYS_MODES] = {
    [SYS_PM32] = "pm32", [SYS_LONG] = "long", [SYS_COMPAT] = "compat",
    [SYS_PM16] = "pm16", [SYS_REAL] = "real", [SYS_V86] = "v86",
};

static void choose_mode(struct sys *s, unsigned modes)
{
    const char *names[SYS_MODES];
    enum sys_mode of[SYS_MODES];
    unsigned n = 0;

    for (unsigned m = 0; m < SYS_MODES; m++)
        if (modes >> m & 1) {
            names[n] = mode_names[m];
            of[n++] = (enum sys_mode)m;
        }
    s->mode = of[choose_from(s->ch, "", "mode", names, sizeof(names[0]), n)];
}

void sys_load(struct sys *s, unsigned sreg, uint16_t sel)
{
    uint64_t raw = sys_get(s, (sel & 4 ? AT_LDT : AT_GDT) + (sel & 0xfff8), 8);
    uint32_t base = (uint32_t)((raw >> 16 & 0xffffff) | raw >> 56 << 24);
    uint32_t limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000));
    uint16_t attr = raw >> 40 & 0xf0ff;

    if (attr & SEG_G)
        limit = limit << 12 | 0xfff;
    s->cpu->seg[sreg] = (struct seg){
        .base = base, .desc_base = base, .limit = limit, .sel = sel, .attr = attr, .usable = true};
}

static void load_flat(struct sys *s)
{
    enum sys_segment data = s->mode == SYS_PM16 ? SYS_DATA16 : SYS_DATA32;

    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++)
        sys_load(s, sreg, level_sel(sreg == SEG_SS ? SYS_DATA32 : data, s->level));
    sys_load(s, SEG_CS, sys_code_sel(s, s->level));
}

/* Real mode's limits are those of "big real mode" for data, so that all of RAM is in reach. */
static void load_8086(struct sys *s)
{
    struct cpu *c = s->cpu;
    bool v86 = s->mode == SYS_V86;

    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++) {
        uint32_t base = sreg == SEG_CS ? AT_CODE : sreg == SEG_SS ? AT_STACK - 0x8000 : AT_DATA;
        c->seg[sreg] = (struct seg){.base = base,
                                    .desc_base = base,
                                    .limit = 0xffff,
                                    .sel = (uint16_t)(base >> 4),
                                    .attr = v86 ? 0xf3 : 0x93,
                                    .usable = true};
    }
    if (v86)
        c->eflags |= EFL_VM;
}

static void load_system_segments(struct sys *s)
{
    struct cpu *c = s->cpu;

    c->gdt = (struct dtable){AT_GDT, SYS_GDT_BYTES - 1};
    c->tr = (struct seg){.base = AT_TSS,
                         .desc_base = AT_TSS,
                         .limit = 0x20ff,
                         .sel = SEL_TSS,
                         .attr = 0x8b,
                         .usable = true};
    c->ldtr = (struct seg){.base = AT_LDT,
                           .desc_base = AT_LDT,
                           .limit = 0xff,
                           .sel = SEL_LDT,
                           .attr = 0x82,
                           .usable = true};
}

static void load_registers(struct sys *s)
{
    struct cpu *c = s->cpu;
    bool is8086 = s->mode == SYS_REAL || s->mode == SYS_V86;
    uint32_t data = is_code16(s) ? 0 : AT_DATA;

    for (unsigned r = RAX; r <= R15; r++)
        c->r[r] = s->mode == SYS_LONG ? 0x0123456789abcdef * (r + 3)
                  : r < R8            ? (0x89abcdefu * (r + 3)) & 0xffffffff
                                      : 0;
    c->r[RBX] = c->r[RSI] = data + 0x100;
    c->r[RDI] = data + 0x200;
    c->r[RSP] = is8086 ? 0x8000 : AT_STACK;
    c->r[RIP] = is8086 ? 0 : AT_CODE;
}

static void begin(struct sys *s)
{
    struct cpu *c = s->cpu;
    static const char *const iopls[] = {"0", "3", "1", "2"};
    static const uint8_t values[] = {0, 3, 1, 2};

    put_gdt(s);
    put_tss(s);
    put_idt(s);
    load_system_segments(s);
    if (s->mode == SYS_REAL || s->mode == SYS_V86)
        load_8086(s);
    else
        load_flat(s);
    if (s->mode != SYS_REAL)
        c->cr0 |= CR0_PE;
    c->cr0 |= CR0_NE | CR0_WP;
    c->cr0 &= ~(uint64_t)(CR0_CD | CR0_NW);
    c->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    c->eflags |= (uint32_t)values[CHOOSE(s->ch, "iopl", iopls)] << EFL_IOPL_SHIFT;
    load_registers(s);
    choose_paging(s);
    for (unsigned k = 0; k < 0x400; k += 8)
        sys_put(s, AT_DATA + k, 8, k * UINT64_C(0x9e3779b97f4a7c15));
    s->at = s->tested = AT_CODE;
    emit_filler(s, choose_number(s->ch, "before", 3));
}

void sys_begin_at(struct sys *s, unsigned modes, unsigned level)
{
    choose_mode(s, modes);
    s->level = s->mode == SYS_REAL ? 0 : s->mode == SYS_V86 ? 3 : level;
    begin(s);
}

void sys_begin(struct sys *s, unsigned modes)
{
    static const char *const levels[] = {"0", "3", "1", "2"};
    static const uint8_t of[] = {0, 3, 1, 2};

    choose_mode(s, modes);
    if (s->mode == SYS_REAL)
        s->level = 0;
    else
        s->level = s->mode == SYS_V86 ? 3 : of[CHOOSE(s->ch, "level", levels)];
    begin(s);
}

void sys_end(struct sys *s)
{
    emit_filler(s, choose_number(s->ch, "after", 3));
    EMIT(s, 0xf4);
}

/* -- Life -------------------------------------------------------------------------------------- */

struct sys *sys_create(void)
{
    struct sys *s = calloc(1, sizeof(*s));

    if (s == NULL || (s->ram = calloc(1, FAKE_RAM_BYTES)) == NULL ||
        (s->cpu = calloc(1, sizeof(*s->cpu))) == NULL)
        abort();
    s->reset = fake_machine_create(SYS_MODEL);
    return s;
}

void sys_clear(struct sys *s, struct choices *ch)
{
    for (unsigned k = 0; k < SYS_PAGES; k++)
        if (s->touched[k])
            memset(s->ram + (k << 12), 0, 4096);
    memset(s->touched, 0, sizeof(s->touched));
    s->ch = ch;
    s->want = (struct sys_want){.end = END_ANYHOW};
    s->intr_port = 0;
    s->own_paging = false;
    s->pending = -1;
    ch->count = 0;
    memcpy(s->cpu, &s->reset->cpu, offsetof(struct cpu, mode));
}
