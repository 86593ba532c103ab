/* SPDX-License-Identifier: MIT */
/* The translator's functions for system instructions (jit/assist.h) against the interpreter's
 * handlers: random states, descriptors and stack frames, mostly near to what is usual. Where a
 * function does its work, the result is the handler's; where it declines, nothing has changed. */
#include "tests/unit/fake_machine.h"

#include "cpu/flags.h"
#include "cpu/operands.h"
#include "cpu/system.h"
#include "jit/assist.h"
#include "tests/unit/levels.h"

#define ROUNDS    5000
#define SLOT_DATA SLOT_GATE

static const struct tested {
    const char *name;
    uint8_t bytes[4];
    bool long_only;
} forms[] = {
    {"iretd", {0xcf}, false},
    {"iretq", {0x48, 0xcf}, true},
    {"syscall", {0x0f, 0x05}, true},
    {"sysretd", {0x0f, 0x07}, true},
    {"sysretq", {0x48, 0x0f, 0x07}, true},
    {"sysenter", {0x0f, 0x34}, false},
    {"sysexit", {0x0f, 0x35}, false},
    {"sysexitq", {0x48, 0x0f, 0x35}, true},
    {"mov es, ax", {0x8e, 0xc0}, false},
    {"mov gs, [rsp]", {0x8e, 0x2c, 0x24}, false},
    {"pop fs", {0x0f, 0xa1}, false},
    {"popw gs", {0x66, 0x0f, 0xa9}, false},
    {"rdmsr", {0x0f, 0x32}, true},
    {"wrmsr", {0x0f, 0x30}, true},
    {"rdgsbase rdx", {0xf3, 0x48, 0x0f, 0xae}, true},
    {"in al, dx", {0xec}, false},
    {"out dx, eax", {0xef}, false},
};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

/* -- Random states ----------------------------------------------------------------------------- */

struct source {
    uint64_t seed;
};

static uint32_t pick(struct source *s, uint32_t n)
{
    s->seed = s->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(s->seed >> 33) % n;
}

static bool seldom(struct source *s)
{
    return pick(s, 12) == 0;
}

/* An address, a canonical one if nothing unusual happens. */
static uint64_t pick_address(struct source *s, bool wide)
{
    uint64_t la = TARGET + pick(s, 0x1000);

    if (!seldom(s) || !wide)
        return la;
    return la | (pick(s, 2) != 0 ? UINT64_C(0xffff800000000000) : UINT64_C(0x0000800000000000));
}

static uint16_t pick_attr(struct source *s, uint16_t usual, unsigned level)
{
    uint16_t attr = (uint16_t)AT(usual, seldom(s) ? pick(s, 4) : level);

    return seldom(s) ? (uint16_t)((attr ^ 1u << pick(s, 16)) & 0xf0ff) : attr;
}

static uint16_t pick_selector(struct source *s, uint16_t usual, unsigned level)
{
    if (seldom(s))
        return (uint16_t)pick(s, 4); /* null */
    return (uint16_t)(usual | (seldom(s) ? pick(s, 8) : level));
}

static uint32_t pick_flags(struct source *s)
{
    uint32_t v = EFL_FIXED | ((pick(s, 0x4000) << 8 | pick(s, 0x100)) & 0x240ed5);

    v &= ~(seldom(s) ? 0 : EFL_TF);
    return seldom(s) ? v | 1u << (12 + pick(s, 9)) : v;
}

/* -- What is compared -------------------------------------------------------------------------- */

struct seen {
    uint64_t r[REG_COUNT];
    struct seg seg[SEG_COUNT];
    uint32_t eflags, mode;
    uint8_t cpl, mmu;
    bool nmi_blocked;
    uint64_t kernel_gs_base;
    unsigned port_writes;
};

static void see(const struct fake_machine *m, uint32_t flags, struct seen *out)
{
    const struct cpu *c = &m->cpu;

    memset(out, 0, sizeof(*out));
    memcpy(out->r, c->r, sizeof(out->r));
    for (unsigned k = 0; k < SEG_COUNT; k++) {
        const struct seg *s = &c->seg[k];
        struct seg *o = &out->seg[k];
        o->base = s->base, o->rd_end = s->rd_end, o->wr_end = s->wr_end, o->limit = s->limit;
        o->sel = s->sel, o->attr = s->attr, o->desc_base = s->desc_base, o->usable = s->usable;
    }
    out->eflags = c->eflags | flags;
    out->mode = c->mode;
    out->cpl = c->cpl;
    out->mmu = c->mmu;
    out->nmi_blocked = c->nmi_blocked;
    out->kernel_gs_base = c->msr.kernel_gs_base;
    out->port_writes = m->port_writes;
}

static void put_back(struct fake_machine *m, const struct seen *s)
{
    struct cpu *c = &m->cpu;

    memcpy(c->seg, s->seg, sizeof(c->seg));
    flags_set_arith(c, s->eflags);
    assist_set_flags(c, s->eflags);
    c->nmi_blocked = s->nmi_blocked;
    c->msr.kernel_gs_base = s->kernel_gs_base;
    m->port_writes = s->port_writes;
    c->mode = s->mode; /* nothing but what CS and SS say is derived from it */
    cpu_update_mode(c);
    memcpy(c->seg, s->seg, sizeof(c->seg));
    memcpy(c->r, s->r, sizeof(c->r));
}

/* -- The comparison ---------------------------------------------------------------------------- */

static void fill_stack(struct fake_machine *m, struct source *s, unsigned n, unsigned to)
{
    bool wide = m->cpu.mode & MODE_LMA;
    uint64_t rip = pick(s, 3) ? pick_address(s, n == 8) : pick_selector(s, SLOT_DATA, m->cpu.cpl);
    const uint64_t frame[5] = {rip, pick_selector(s, SLOT_CODE, to), pick_flags(s),
                               pick_address(s, n == 8), pick_selector(s, SLOT_STACK, to)};

    set_flat(m, SLOT_CODE, pick_attr(s, wide && pick(s, 3) ? FLAT_CODE64 : FLAT_CODE32, to));
    set_flat(m, SLOT_STACK, pick_attr(s, FLAT_DATA32, to));
    set_flat(m, SLOT_DATA, pick_attr(s, FLAT_DATA32, pick(s, 2) ? 3 : m->cpu.cpl));
    for (unsigned k = 0; k < 5; k++)
        put(m, STACK_NOW + k * n, n, frame[k]);
}

static void fill_registers(struct fake_machine *m, struct source *s)
{
    static const uint32_t msrs[] = {MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, 0xc0000084};
    struct cpu *c = &m->cpu;
    bool wide = c->mode & MODE_64;
    uint32_t flags = pick_flags(s) & ~(0x8000u | EFL_TF | EFL_RF | EFL_VM);

    for (unsigned k = 0; k < 16; k++)
        c->r[k] = pick_address(s, wide);
    c->r[RSP] = STACK_NOW;
    c->r[RIP] = CODE + 4;
    c->r[R11] = pick_flags(s);
    c->msr.star = (uint64_t)CODE64_OF(3) << 48 | (uint64_t)pick(s, 0x10000) << 32;
    c->msr.lstar = pick_address(s, false);
    c->msr.fmask = pick_flags(s);
    c->msr.sysenter_cs = seldom(s) ? pick(s, 4) : CODE32_OF(0);
    c->msr.sysenter_eip = c->msr.sysenter_esp = TARGET;
    c->efer = (c->efer & ~(uint64_t)EFER_SCE) | (seldom(s) ? 0 : EFER_SCE);
    c->cr4 = (c->cr4 & ~(uint64_t)CR4_FSGSBASE) | (seldom(s) ? 0 : CR4_FSGSBASE);
    c->nmi_blocked = pick(s, 2);
    if (pick(s, 2))
        c->r[RCX] = msrs[pick(s, 4)], c->r[RDX] = pick(s, 2) ? 0 : 0xffff8000;
    else if (pick(s, 2))
        c->r[RAX] = pick_selector(s, SLOT_DATA, c->cpl);
    flags_set_arith(c, flags);
    assist_set_flags(c, flags);
    cpu_update_mode(c);
}

static bool run_both(struct fake_machine *m, const struct tested *form, uint64_t seed)
{
    struct cpu *c = &m->cpu;
    const struct assist *assist;
    struct seen before, found, want;
    struct insn i;
    bool done;

    ck_assert_int_eq(decode(c, &i, m->ram + CODE, 15), DECODE_OK);
    assist = assist_of(optab[i.op].mnemonic, decoder_row(c->decoder, i.op));
    ck_assert_ptr_nonnull(assist);
    see(m, flags_arith(c), &before);
    done = assist->fn(c, &i);
    see(m, assist_flags(c) & EFL_ARITH, &found);
    if (!done) {
        before.nmi_blocked = found.nmi_blocked; /* IRET allows NMIs even where it faults */
        ck_assert_msg(memcmp(&before, &found, sizeof(found)) == 0, "%s, seed %llx: not declined",
                      form->name, (unsigned long long)seed);
        return false;
    }
    put_back(m, &before);
    ck_assert_msg(i.fn(c, &i), "%s, seed %llx: it faults", form->name, (unsigned long long)seed);
    see(m, flags_arith(c), &want);
    ck_assert_msg(memcmp(&want, &found, sizeof(found)) == 0,
                  "%s, seed %llx: flags %x, not %x; mode %x, not %x; rip %llx, not %llx",
                  form->name, (unsigned long long)seed, found.eflags, want.eflags, found.mode,
                  want.mode, (unsigned long long)found.r[RIP], (unsigned long long)want.r[RIP]);
    return true;
}

START_TEST(functions_do_what_the_handlers_do)
{
    static const enum world worlds[] = {PROTECTED, COMPATIBILITY, LONG};
    const struct tested *form = &forms[_i];
    unsigned done = 0, tried = 0;

    for (unsigned w = 0; w < 3; w++)
        for (unsigned cpl = 0; cpl < 4; cpl += 3) {
            struct fake_machine *m = levels_create(worlds[w], cpl);
            struct seen start;
            if (form->long_only && worlds[w] != LONG) {
                fake_machine_free(m);
                continue;
            }
            CODE_AT(m, CODE, form->bytes[0], form->bytes[1], form->bytes[2], form->bytes[3], 0xda);
            see(m, 0, &start);
            for (uint64_t seed = 0; seed < ROUNDS; seed++) {
                struct source s = {seed};
                put_back(m, &start);
                fill_registers(m, &s);
                fill_stack(m, &s, worlds[w] == LONG && form->bytes[0] == 0x48 ? 8 : 4,
                           pick(&s, 2) ? 3 : cpl);
                done += run_both(m, form, seed);
                tried++;
            }
            fake_machine_free(m);
        }
    /* Most are usual. Level 3 may do a part of it only. */
    ck_assert_msg(done > tried / 20, "%s: only %u of %u", form->name, done, tried);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_loop_test(t, functions_do_what_the_handlers_do, 0, FORMS);
}

int main(void)
{
    return run_suite("assist", add);
}
