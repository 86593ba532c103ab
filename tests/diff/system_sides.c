/* SPDX-License-Identifier: MIT */
#include "tests/diff/system_sides.h"

#include <stddef.h>
#include <stdlib.h>

#include "cpu/flags.h"
#include "cpu/mem.h"
#include "cpu/segment.h"

/* -- Running ----------------------------------------------------------------------------------- */

void side_load(struct side *d, const struct sys *s)
{
    struct fake_machine *m = d->m;
    struct cpu *c = &m->cpu;

    for (unsigned k = 0; k < SYS_PAGES; k++) {
        uint8_t *page = m->ram + (k << 12);
        if ((s->touched[k] || m->dirty[k]) && memcmp(page, s->ram + (k << 12), 4096) != 0) {
            memcpy(page, s->ram + (k << 12), 4096);
            cpu_code_written(c, k << 12, 4096);
        }
        m->dirty[k] = s->touched[k];
    }
    memcpy(c, s->cpu, offsetof(struct cpu, mode));
    c->exc = (struct pending_exc){0};
    c->shadow = c->shadow_ss = c->fault_pending = c->no_step = c->branched = false;
    c->in_delivery = c->ext = false;
    c->db_pending = 0;
    c->mode = 0; /* so that everything is derived anew */
    cpu_update_mode(c);
    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++)
        seg_update(c, sreg);
    cpu_flush_tlb(c);
    cpu_attend(c, 0, ATT_INTR | ATT_NMI);
    m->tsc = 0;
    m->port_writes = m->last_port_out = m->last_port = 0;
    m->port_value = 0x5a5a5a5a;
    m->intr_port = s->intr_port;
    m->pending_vector = s->pending;
    m->ferr = m->ignne = false;
    if (s->pending >= 0)
        cpu_attend(c, ATT_INTR, 0);
}

static int run_steps(struct side *d, const struct sys *s)
{
    (void)s;
    d->trail.count = 0;
    for (unsigned n = 0; n < TRAIL_STEPS; n++) {
        trail_note(&d->trail, &d->m->cpu, d->m->ram);
        enum cpu_exit why = cpu_step(&d->m->cpu);
        if (why != CPU_EXIT_ATTENTION)
            return (int)why;
    }
    return SYS_ENDLESS;
}

static int run_translated(struct side *d, const struct sys *s)
{
    (void)s;
    return (int)cpu_run(&d->m->cpu);
}

static bool open_reference(struct side *d)
{
    d->m = fake_machine_create(SYS_MODEL);
    return true;
}

static bool open_translator(struct side *d)
{
    char err[256];

    d->m = fake_machine_create(SYS_MODEL);
    fake_machine_spread(d->m);
    struct jit_ram ram = {d->m->ram_fd, d->m->spread, SYS_PAGES};
    if (jit_create(&d->jit, &d->m->cpu, &ram, &d->cfg, err) == 0)
        return true;
    printf("%s: not on this host: %s\n", d->name, err);
    return false;
}

struct side system_reference = {.name = "interpreter", .open = open_reference, .run = run_steps};

struct side system_others[] = {
    {.name = "translator",
     .record = "jit",
     .rounds = 7,
     .open = open_translator,
     .run = run_translated},
    {.name = "translator, checks by the code",
     .record = "checks",
     .rounds = 7,
     .open = open_translator,
     .run = run_translated,
     .cfg = {.checks = JIT_CHECKS_CODE}},
    {.name = "KVM",
     .record = "kvm",
     .rounds = 1,
     .open = kvm_open,
     .run = kvm_run,
     .optional = true,
     .partial = true},
};
const unsigned system_others_count = ROWS(system_others);

/* -- Comparing --------------------------------------------------------------------------------- */

/* What is compared of struct cpu. `step` from one to the next. */
struct state_field {
    const char *name;
    uint16_t offset, size, count, step;
};
#define FIELD(name, member)                                                                        \
    {                                                                                              \
        name, offsetof(struct cpu, member), sizeof(((struct cpu *)0)->member), 1, 0                \
    }
#define FIELDS(name, member, n)                                                                    \
    {                                                                                              \
        name, offsetof(struct cpu, member[0]), sizeof(((struct cpu *)0)->member[0]), n,            \
            sizeof(((struct cpu *)0)->member[0])                                                   \
    }
#define SEGMENT_FIELDS(member)                                                                     \
    {                                                                                              \
        "segment." #member, offsetof(struct cpu, seg[0].member),                                   \
            sizeof(((struct seg *)0)->member), SEG_COUNT, sizeof(struct seg)                       \
    }

/* What software can see, and what it cannot. */
static const struct state_field visible[] = {
    FIELDS("register", r, REG_COUNT),
    SEGMENT_FIELDS(sel),
    FIELD("ldtr.sel", ldtr.sel),
    FIELD("tr.sel", tr.sel),
    FIELD("gdt.base", gdt.base),
    FIELD("gdt.limit", gdt.limit),
    FIELD("idt.base", idt.base),
    FIELD("idt.limit", idt.limit),
    FIELD("cr0", cr0),
    FIELD("cr2", cr2),
    FIELD("cr3", cr3),
    FIELD("cr4", cr4),
    FIELD("efer", efer),
    FIELDS("dr", dr, 8),
};
static const struct state_field hidden[] = {
    SEGMENT_FIELDS(base),
    SEGMENT_FIELDS(desc_base),
    SEGMENT_FIELDS(limit),
    SEGMENT_FIELDS(attr),
    SEGMENT_FIELDS(usable),
    SEGMENT_FIELDS(rd_end),
    SEGMENT_FIELDS(wr_end),
    FIELD("ldtr.base", ldtr.base),
    FIELD("ldtr.limit", ldtr.limit),
    FIELD("ldtr.attr", ldtr.attr),
    FIELD("ldtr.usable", ldtr.usable),
    FIELD("tr.base", tr.base),
    FIELD("tr.limit", tr.limit),
    FIELD("tr.attr", tr.attr),
    FIELD("xcr0", xcr0),
    FIELD("pkru", pkru),
    FIELDS("pdpte", pdpte, 4),
    FIELD("halted", halted),
    FIELD("nmi_blocked", nmi_blocked),
    FIELD("monitoring", monitoring),
    FIELD("in_mwait", in_mwait),
    FIELD("mode", mode),
    FIELD("cpl", cpl),
    FIELD("mmu", mmu),
    FIELD("la_mask", la_mask),
    FIELD("sp_mask", sp_mask),
    FIELD("shadow", shadow),
    FIELD("shadow_ss", shadow_ss),
    FIELD("db_pending", db_pending),
    FIELD("single", single),
    FIELD("fault_pending", fault_pending),
    FIELD("msr.star", msr.star),
    FIELD("msr.lstar", msr.lstar),
    FIELD("msr.fmask", msr.fmask),
    FIELD("msr.kernel_gs_base", msr.kernel_gs_base),
    FIELD("msr.sysenter_cs", msr.sysenter_cs),
    FIELD("msr.sysenter_esp", msr.sysenter_esp),
    FIELD("msr.sysenter_eip", msr.sysenter_eip),
    FIELD("msr.debugctl", msr.debugctl),
    FIELD("msr.pat", msr.pat),
    FIELD("msr.tsc_aux", msr.tsc_aux),
    FIELD("msr.tsc_offset", msr.tsc_offset),
    FIELD("msr.misc_enable", msr.misc_enable),
    FIELD("msr.spec_ctrl", msr.spec_ctrl),
    FIELD("msr.pkrs", msr.pkrs),
    FIELD("mxcsr", fpu.mxcsr),
    FIELD("fpu.cw", fpu.cw),
    FIELD("fpu.sw", fpu.sw),
};

static void say(FILE *out, const char *name, int number, uint64_t want, uint64_t got)
{
    if (out == NULL)
        return;
    fprintf(out, "  %s", name);
    if (number >= 0)
        fprintf(out, " %x", (unsigned)number);
    fprintf(out, ": %llx, not %llx\n", (unsigned long long)got, (unsigned long long)want);
}

static bool field_differs(const struct cpu *a, const struct cpu *b, const struct state_field *f,
                          FILE *out)
{
    bool differs = false;

    for (unsigned k = 0; k < f->count; k++) {
        uint64_t want = 0, got = 0;
        memcpy(&want, (const char *)a + f->offset + (size_t)k * f->step, f->size);
        memcpy(&got, (const char *)b + f->offset + (size_t)k * f->step, f->size);
        if (want == got)
            continue;
        differs = true;
        say(out, f->name, f->count > 1 ? (int)k : -1, want, got);
    }
    return differs;
}

static bool memory_differs(const struct fake_machine *a, const struct fake_machine *b, FILE *out)
{
    bool differs = false;

    for (unsigned k = 0; k < SYS_PAGES; k++) {
        const uint8_t *want = a->ram + (k << 12), *got = b->ram + (k << 12);
        if ((!a->dirty[k] && !b->dirty[k]) || memcmp(want, got, 4096) == 0)
            continue;
        differs = true;
        for (unsigned at = 0; at < 4096; at += 4) {
            uint32_t v[2];
            memcpy(&v[0], want + at, 4);
            memcpy(&v[1], got + at, 4);
            if (v[0] != v[1])
                say(out, "memory at", (int)(k << 12 | at), v[0], v[1]);
        }
    }
    return differs;
}

bool sides_differ(const struct side *ref, const struct side *d, const struct sys *s, FILE *out)
{
    const struct fake_machine *a = ref->m, *b = d->m;
    bool differs = false;

    (void)s;
    for (unsigned k = 0; k < ROWS(visible); k++)
        differs |= field_differs(&a->cpu, &b->cpu, &visible[k], out);
    for (unsigned k = 0; k < ROWS(hidden) && !d->partial; k++)
        differs |= field_differs(&a->cpu, &b->cpu, &hidden[k], out);
    if (eflags_get(&a->cpu) != eflags_get(&b->cpu)) {
        differs = true;
        say(out, "eflags", -1, eflags_get(&a->cpu), eflags_get(&b->cpu));
    }
    if (a->port_writes != b->port_writes || a->last_port != b->last_port ||
        a->last_port_out != b->last_port_out || (a->tsc != b->tsc && !d->partial)) {
        differs = true;
        say(out, "ports written", -1, a->port_writes, b->port_writes);
    }
    return memory_differs(a, b, out) || differs;
}

/* -- What a scenario wants --------------------------------------------------------------------- */

static uint64_t stack_slot(const struct side *d, unsigned n, unsigned width)
{
    const struct cpu *c = &d->m->cpu;
    uint64_t v = 0, la = c->seg[SEG_SS].base + ((c->r[RSP] + (uint64_t)n * width) & c->sp_mask);

    if (la + width <= FAKE_RAM_BYTES)
        memcpy(&v, d->m->ram + la, width);
    return v;
}

/* The vector whose handler has been reached, or -1. */
static int vector_of(const struct cpu *c)
{
    uint64_t la = c->seg[SEG_CS].base + c->r[RIP] - AT_HANDLER - 1;

    return la < SYS_VECTORS * HANDLER_BYTES && la % HANDLER_BYTES == 0 ? (int)(la / HANDLER_BYTES)
                                                                       : -1;
}

struct outcome {
    int vector;
    int64_t err;
    uint64_t rip;
    uint16_t cs;
    uint32_t flags;
};

static struct outcome outcome_of(const struct side *d, const struct sys *s)
{
    static const uint32_t with_error =
        1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17 | 1u << 21;
    const struct cpu *c = &d->m->cpu;
    bool is8086 = s->mode == SYS_REAL || s->mode == SYS_V86;
    struct outcome o = {.vector = vector_of(c),
                        .err = -1,
                        .rip = c->r[RIP],
                        .cs = c->seg[SEG_CS].sel,
                        .flags = eflags_get(c)};
    unsigned width = s->mode == SYS_REAL ? 2 : is_lma(s) ? 8 : 4, n = 0;

    if (s->mode == SYS_REAL || c->eflags & EFL_VM)
        o.rip += c->seg[SEG_CS].base;
    if (o.vector < 0)
        return o;
    if (s->mode != SYS_REAL && o.vector < 32 && with_error >> o.vector & 1)
        o.err = (int64_t)stack_slot(d, n++, width);
    o.rip = stack_slot(d, n, width);
    o.cs = (uint16_t)stack_slot(d, n + 1, width);
    o.flags = (uint32_t)stack_slot(d, n + 2, width);
    if (is8086)
        o.rip += 16 * o.cs;
    return o;
}

static bool breaks_memory(const struct side *d, const struct sys *s, FILE *out)
{
    bool broken = false;

    for (unsigned k = 0; k < s->want.words; k++) {
        const struct sys_word *w = &s->want.word[k];
        uint64_t got = 0;
        memcpy(&got, d->m->ram + w->pa, w->n);
        if (got == w->value)
            continue;
        broken = true;
        say(out, "wanted in memory at", (int)w->pa, w->value, got);
    }
    return broken;
}

bool side_breaks_want(const struct side *d, const struct sys *s, int why, FILE *out)
{
    const struct sys_want *w = &s->want;
    struct outcome o = outcome_of(d, s);
    bool halts_at_0 = w->end == END_HALT && o.vector < 0 && o.rip == w->rip + 1;
    bool halts = w->end == END_HALT && o.vector == VEC_GP && o.err == 0 && o.rip == w->rip;
    bool raises = w->end == END_VECTOR && o.vector == (int)w->vector && o.err == w->err &&
                  o.rip == w->rip && (!w->has_cr2 || d->m->cpu.cr2 == w->cr2) &&
                  (!w->has_dr6 || d->m->cpu.dr[6] == w->dr6);

    bool state_fits = (!w->has_cs || o.cs == w->cs) && ((o.flags ^ w->flags) & w->flags_mask) == 0;

    if (w->end == END_ANYHOW ||
        (state_fits && why == CPU_EXIT_HALT && (halts_at_0 || halts || raises)))
        return breaks_memory(d, s, out);
    if (out == NULL)
        return true;
    if (w->end == END_VECTOR)
        fprintf(out, "  wanted: vector %u error %llx at %llx cr2 %llx\n", w->vector,
                (unsigned long long)w->err, (unsigned long long)w->rip,
                (unsigned long long)(w->has_cr2 ? w->cr2 : 0));
    else
        fprintf(out, "  wanted: HLT at %llx\n", (unsigned long long)w->rip);
    if (w->has_cs || w->flags_mask != 0)
        fprintf(out, "  with CS %x EFLAGS %x of %x; got CS %x EFLAGS %x\n", w->cs, w->flags,
                w->flags_mask, o.cs, o.flags);
    fprintf(out, "  got: exit %d vector %d error %llx at %llx cr2 %llx dr6 %llx\n", why, o.vector,
            (unsigned long long)o.err, (unsigned long long)o.rip, (unsigned long long)d->m->cpu.cr2,
            (unsigned long long)d->m->cpu.dr[6]);
    return true;
}
