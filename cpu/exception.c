/* SPDX-License-Identifier: MIT */
/* Exceptions and interrupts (SDM 3A chapter 6; 2A INT n operation; 20.3 for virtual-8086
 * extensions).
 *
 * A frame is built on its stack, and every check made, before any register changes; so a fault on
 * the way finds the processor as it was at the interrupted instruction, and is delivered from
 * there. */
#include "cpu/exception.h"

#include "cpu/far.h"
#include "cpu/flags.h"
#include "cpu/mem.h"
#include "cpu/rehearsal.h"
#include "cpu/stack.h"
#include "cpu/task.h"
#include "cpu/translator.h"

/* What is being delivered. */
struct event {
    uint8_t vec;
    bool soft; /* INT n, INT3, INTO: the gate's DPL counts */
    bool has_err;
    uint32_t err;
    uint32_t flags; /* EFLAGS to save */
};

/* -- Recording --------------------------------------------------------------------------------- */

static bool vector_has_error(unsigned vec)
{
    return vec == VEC_DF || (vec >= VEC_TS && vec <= VEC_PF) || vec == VEC_AC;
}

/* Segment-related vectors report in EXT that an event was being delivered (SDM 3A 6.13). */
static bool vector_has_ext(unsigned vec)
{
    return vec >= VEC_TS && vec <= VEC_GP;
}

bool cpu_raise(struct cpu *c, unsigned vec, uint32_t err)
{
    if (c->ext && vector_has_ext(vec))
        err |= 1;
    c->exc =
        (struct pending_exc){.vec = (uint8_t)vec, .has_err = vector_has_error(vec), .err = err};
    return false;
}

bool cpu_raise_ud(struct cpu *c)
{
    return cpu_raise(c, VEC_UD, 0);
}

bool cpu_raise_gp(struct cpu *c, uint32_t err)
{
    return cpu_raise(c, VEC_GP, err);
}

bool cpu_raise_pf(struct cpu *c, uint64_t la, uint32_t err)
{
    cpu_raise(c, VEC_PF, err);
    c->exc.cr2 = la;
    return false;
}

/* -- Real mode, and redirected INT n in virtual-8086 mode -------------------------------------- */

/* Push FLAGS, CS and IP as 16 bits, and enter the handler that the vector at `la` names. */
static bool enter_real_handler(struct cpu *c, uint64_t la, uint32_t flags, uint32_t clear)
{
    struct stack st = stack_current(c);
    uint64_t vector;
    if (!sys_read(c, la, 4, &vector) || !stack_push(c, &st, 1, flags) ||
        !stack_push(c, &st, 1, c->seg[SEG_CS].sel) || !stack_push(c, &st, 1, c->r[RIP]))
        return false;
    stack_commit_same(c, &st);
    if (c->mode & MODE_V86)
        seg_load_v86(c, SEG_CS, (uint16_t)(vector >> 16));
    else
        seg_load_real(c, SEG_CS, (uint16_t)(vector >> 16));
    c->r[RIP] = vector & 0xffff;
    c->eflags &= ~clear;
    cpu_update_mode(c);
    return true;
}

static bool deliver_real(struct cpu *c, const struct event *e)
{
    if (e->vec * 4u + 3 > c->idt.limit)
        return cpu_raise_gp(c, e->vec * 8u + 2);
    return enter_real_handler(c, c->idt.base + e->vec * 4u, e->flags,
                              EFL_IF | EFL_TF | EFL_RF | EFL_AC);
}

/* -- Gates ------------------------------------------------------------------------------------- */

struct gate {
    uint64_t off;
    uint16_t sel;
    uint8_t type, ist;
    uint8_t w; /* width of the frame */
};

static uint32_t idt_error(const struct event *e)
{
    return e->vec * 8u + 2;
}

/* Read and check the gate of a vector; raw is its first half. */
static bool fetch_gate(struct cpu *c, const struct event *e, struct desc *d)
{
    unsigned size = c->mode & MODE_LMA ? 16 : 8;
    *d = (struct desc){.la = c->idt.base + e->vec * size};
    if (e->vec * size + size - 1 > c->idt.limit)
        return cpu_raise_gp(c, idt_error(e));
    if (!sys_read(c, d->la, 8, &d->raw))
        return false;
    uint64_t upper = 0;
    if (size == 16 && !sys_read(c, d->la + 8, 8, &upper))
        return false;
    d->base = upper << 32;
    d->attr = (uint16_t)(d->raw >> 40 & 0xff);
    unsigned type = desc_type(d);
    bool ok = type == DESC_INT32 || type == DESC_TRAP32 ||
              (size == 8 && (type == DESC_TASK || type == DESC_INT16 || type == DESC_TRAP16));
    if (!ok || (e->soft && desc_dpl(d) < c->cpl))
        return cpu_raise_gp(c, idt_error(e));
    if (!(d->attr & SEG_P))
        return cpu_raise(c, VEC_NP, idt_error(e));
    return true;
}

static struct gate unpack_gate(const struct cpu *c, const struct desc *d)
{
    struct gate g = {.off = d->raw & 0xffff,
                     .sel = (uint16_t)(d->raw >> 16),
                     .type = (uint8_t)desc_type(d),
                     .w = 1};
    if (g.type & 8) {
        g.off |= d->raw >> 32 & 0xffff0000u;
        g.w = 2;
    }
    if (c->mode & MODE_LMA) {
        g.off |= d->base;
        g.w = 3;
        g.ist = d->raw >> 32 & 7;
    }
    return g;
}

/* -- Stacks of handlers ------------------------------------------------------------------------ */

/* Long mode: an IST stack, the inner level's, or the current one, aligned to 16 bytes (SDM
 * 3A 6.14.2). */
static bool pick_stack64(struct cpu *c, const struct gate *g, unsigned cpl, struct stack *st)
{
    bool inner = cpl != c->cpl;
    *st = (struct stack){.sp = c->r[RSP], .mask = ~UINT64_C(0), .cpl = cpl, .is_flat64 = true};
    st->ss = c->seg[SEG_SS];
    if (inner && !stack_from_tss(c, cpl, st))
        return false;
    if (g->ist != 0 && !tss_read(c, 0x24 + (g->ist - 1) * 8u, 8, VEC_TS, &st->sp))
        return false;
    if (!is_canonical(st->sp))
        return cpu_raise(c, VEC_SS, 0);
    st->sp &= ~UINT64_C(15);
    return true;
}

static bool pick_stack(struct cpu *c, const struct gate *g, unsigned cpl, struct stack *st)
{
    if (c->mode & MODE_LMA)
        return pick_stack64(c, g, cpl, st);
    if (cpl != c->cpl)
        return stack_from_tss(c, cpl, st);
    *st = stack_current(c);
    return true;
}

static bool push_frame(struct cpu *c, const struct event *e, const struct gate *g, bool inner,
                       struct stack *st)
{
    static const uint8_t v86_order[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};
    if (c->mode & MODE_V86)
        for (unsigned k = 0; k < sizeof(v86_order); k++)
            if (!stack_push(c, st, g->w, c->seg[v86_order[k]].sel))
                return false;
    if (inner || g->w == 3)
        if (!stack_push(c, st, g->w, c->seg[SEG_SS].sel) || !stack_push(c, st, g->w, c->r[RSP]))
            return false;
    return stack_push(c, st, g->w, e->flags) && stack_push(c, st, g->w, c->seg[SEG_CS].sel) &&
           stack_push(c, st, g->w, c->r[RIP]) && (!e->has_err || stack_push(c, st, g->w, e->err));
}

/* -- Protected and long mode ------------------------------------------------------------------- */

/* The level that a handler runs at, or a fault where the gate's segment forbids it. */
static bool handler_level(struct cpu *c, const struct gate *g, const struct desc *code,
                          unsigned *cpl)
{
    bool conforming = desc_is_conforming(code);
    *cpl = conforming ? c->cpl : desc_dpl(code);
    /* From virtual-8086 mode only to level 0. */
    if (c->mode & MODE_V86 && (conforming || *cpl != 0))
        return cpu_raise_gp(c, sel_error(g->sel));
    return true;
}

static void enter_handler(struct cpu *c, const struct gate *g, const struct desc *code,
                          const struct stack *st, unsigned cpl, bool inner)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    if (inner)
        stack_commit_new(c, st);
    else
        stack_commit_same(c, st);
    if (c->mode & MODE_V86)
        for (unsigned k = 0; k < sizeof(data); k++)
            seg_set_null(c, data[k], 0, 0);
    far_commit_code(c, g->sel, code, cpl, g->off);
    c->eflags &= ~(EFL_TF | EFL_VM | EFL_RF | EFL_NT);
    if (!(g->type & 1))
        c->eflags &= ~EFL_IF;
    cpu_update_mode(c);
}

static bool deliver_through_task_gate(struct cpu *c, const struct event *e, const struct desc *gate,
                                      enum task_result *r)
{
    uint32_t flags = c->eflags;
    c->eflags |= e->flags & EFL_RF;
    *r = task_gate(c, gate, TASK_INT, e->has_err ? &e->err : NULL);
    if (*r == TASK_FAULT)
        c->eflags = flags;
    return *r == TASK_DONE;
}

static bool deliver_protected(struct cpu *c, const struct event *e, enum task_result *r)
{
    struct desc d, code;
    struct stack st;
    unsigned cpl;
    if (!fetch_gate(c, e, &d))
        return false;
    if (desc_type(&d) == DESC_TASK)
        return deliver_through_task_gate(c, e, &d, r);
    struct gate g = unpack_gate(c, &d);
    if (!far_check_gate_code(c, g.sel, &code) || !handler_level(c, &g, &code, &cpl))
        return false;
    bool inner = cpl != c->cpl;
    if (!pick_stack(c, &g, cpl, &st) || !push_frame(c, e, &g, inner, &st) ||
        !far_check_target(c, &code, g.off) || !desc_set_accessed(c, &code))
        return false;
    enter_handler(c, &g, &code, &st, cpl, inner);
    return true;
}

/* r tells whether a fault is one of a new task. */
static bool deliver_event(struct cpu *c, const struct event *e, enum task_result *r)
{
    *r = TASK_FAULT;
    c->in_delivery = true;
    c->monitoring = c->in_mwait = false;
    c->ext = !e->soft;
    bool ok = c->mode & MODE_PE ? deliver_protected(c, e, r) : deliver_real(c, e);
    c->ext = false;
    c->in_delivery = false;
    c->run_end = NULL;
    return ok;
}

/* -- Double faults ----------------------------------------------------------------------------- */

enum fault_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum fault_class class_of(unsigned vec)
{
    switch (vec) {
    case VEC_DE:
    case VEC_TS:
    case VEC_NP:
    case VEC_SS:
    case VEC_GP: return CONTRIBUTORY;
    case VEC_PF: return PAGE_FAULT;
    case VEC_DF: return DOUBLE_FAULT;
    default: return BENIGN;
    }
}

/* A second fault while the first was being delivered (SDM 3A table 6-5). False: shutdown. */
static bool combine(struct cpu *c, enum fault_class first)
{
    enum fault_class second = class_of(c->exc.vec);
    if (first == DOUBLE_FAULT && second != BENIGN)
        return false;
    bool is_double = (first == CONTRIBUTORY && second == CONTRIBUTORY) ||
                     (first == PAGE_FAULT && (second == CONTRIBUTORY || second == PAGE_FAULT));
    if (is_double) {
        if (c->exc.vec == VEC_PF)
            c->cr2 = c->exc.cr2;
        cpu_raise(c, VEC_DF, 0);
    }
    return true;
}

/* Faults restart their instruction: RF in the saved EFLAGS keeps code breakpoints from matching
 * again. Traps and aborts save it as it is, and so does #DB of a code breakpoint (SDM 3B 17.3.1.1).
 */
static bool saves_rf(const struct pending_exc *x)
{
    if (x->vec == VEC_DB)
        return x->err & DR6_BD;
    return x->vec != VEC_DF && x->vec != VEC_MC;
}

static void log_event(struct cpu *c, const char *what, const struct event *e)
{
    if (!(c->log_items & LOG_INT) || c->rehearsal != NULL)
        return;
    cpu_log(c, LOG_INT,
            "%s %02x err %04x cpl %u at %04x:%016llx sp %04x:%016llx cr2 %016llx ax %llx", what,
            e->vec, e->err, c->cpl, c->seg[SEG_CS].sel, (unsigned long long)c->r[RIP],
            c->seg[SEG_SS].sel, (unsigned long long)c->r[RSP], (unsigned long long)c->cr2,
            (unsigned long long)c->r[RAX]);
}

/* #DB: the conditions go into DR6, where bits 0-3 are replaced; GD, BTF and LBR are switched off.
 */
static void note_debug_exception(struct cpu *c, uint32_t dr6)
{
    c->dr[6] = (c->dr[6] & ~UINT64_C(0xf)) | dr6;
    c->dr[7] &= ~(uint64_t)DR7_GD;
    c->msr.debugctl &= ~(uint64_t)(DEBUGCTL_LBR | DEBUGCTL_BTF);
}

static bool deliver_exception(struct cpu *c, unsigned vec)
{
    (void)vec;
    if (c->exc.freeze) {
        c->halted = true;
        return true;
    }
    /* Breakpoints that the faulting instruction hit will be hit again when it restarts. */
    c->db_pending = 0;
    for (;;) {
        const struct pending_exc x = c->exc;
        struct event e = {.vec = x.vec, .has_err = x.has_err, .err = x.has_err ? x.err : 0};
        enum task_result r;
        e.flags = eflags_get(c) | (saves_rf(&x) ? EFL_RF : 0);
        if (x.vec == VEC_PF)
            c->cr2 = x.cr2;
        if (x.vec == VEC_DB)
            note_debug_exception(c, x.err);
        log_event(c, "exception", &e);
        if (deliver_event(c, &e, &r))
            return true;
        if ((c->rehearsal != NULL && c->rehearsal->refused) || !combine(c, class_of(x.vec)))
            return false;
        /* A handler at level 3 with an unaligned stack makes #AC raise #AC for ever. */
        if (atomic_load_explicit(&c->attention, memory_order_relaxed) & ATT_EXIT) {
            c->fault_pending = true;
            return true;
        }
    }
}

/* Let the translator look on. */
static bool deliver(struct cpu *c, deliver_fn fn, unsigned vec, bool external)
{
    return c->translator != NULL ? c->translator->deliver(c, fn, vec, external) : fn(c, vec);
}

bool exception_deliver(struct cpu *c)
{
    return deliver(c, deliver_exception, c->exc.vec, false);
}

/* -- Interrupts -------------------------------------------------------------------------------- */

static bool deliver_interrupt(struct cpu *c, uint8_t vec, const char *what)
{
    struct event e = {.vec = vec, .flags = eflags_get(c)};
    enum task_result r;
    log_event(c, what, &e);
    return deliver_event(c, &e, &r) || deliver_exception(c, c->exc.vec);
}

static bool deliver_external(struct cpu *c, unsigned vec)
{
    return deliver_interrupt(c, (uint8_t)vec, "interrupt");
}

bool interrupt_deliver(struct cpu *c, uint8_t vec)
{
    return deliver(c, deliver_external, vec, true);
}

static bool deliver_nmi(struct cpu *c, unsigned vec)
{
    c->nmi_blocked = true;
    return deliver_interrupt(c, (uint8_t)vec, "NMI");
}

bool nmi_deliver(struct cpu *c)
{
    return deliver(c, deliver_nmi, VEC_NMI, true);
}

static bool deliver_debug_trap(struct cpu *c, unsigned vec)
{
    uint32_t dr6 = c->db_pending;
    c->db_pending = 0;
    c->halted = false; /* HLT with TF set */
    note_debug_exception(c, dr6);
    return deliver_interrupt(c, (uint8_t)vec, "debug trap");
}

bool debug_trap_deliver(struct cpu *c)
{
    return deliver(c, deliver_debug_trap, VEC_DB, false);
}

/* -- Software interrupts ----------------------------------------------------------------------- */

/* INT n in virtual-8086 mode with VME (SDM 3A table 20-2): *done where it went through the vector
 * table at address 0, which the redirection bitmap in the TSS decides. */
static bool redirect_v86(struct cpu *c, uint8_t vec, bool *done)
{
    uint64_t map, bits;
    uint32_t flags = eflags_get(c);
    *done = false;
    if (!tss_read(c, 0x66, 2, VEC_GP, &map) ||
        !tss_read(c, (unsigned)map - 32 + vec / 8u, 1, VEC_GP, &bits))
        return cpu_raise_gp(c, 0);
    if (bits >> (vec & 7) & 1)
        return true;
    *done = true;
    uint32_t clear = EFL_TF | EFL_IF | EFL_RF | EFL_AC;
    if ((flags & EFL_IOPL) != EFL_IOPL) {
        flags = (flags & ~EFL_IF) | EFL_IOPL | (flags & EFL_VIF ? EFL_IF : 0);
        clear = EFL_TF | EFL_VIF | EFL_RF | EFL_AC;
    }
    return enter_real_handler(c, vec * 4u, flags, clear);
}

bool soft_interrupt(struct cpu *c, uint8_t vec, enum soft_kind kind)
{
    struct event e = {.vec = vec, .soft = kind != SOFT_INT1, .flags = eflags_get(c)};
    enum task_result r;
    if (kind == SOFT_INTN && c->mode & MODE_V86) {
        bool done = false;
        if (c->cr4 & CR4_VME) {
            if (!redirect_v86(c, vec, &done))
                return false;
            if (done)
                return c->no_step = true;
        }
        if ((c->eflags & EFL_IOPL) != EFL_IOPL)
            return cpu_raise_gp(c, 0);
    }
    /* Debug conditions that a load of SS has held back come with INT1's own #DB, not after it. */
    if (kind == SOFT_INT1 && c->db_pending != 0) {
        note_debug_exception(c, c->db_pending);
        c->db_pending = 0;
    }
    log_event(c, "software interrupt", &e);
    if (deliver_event(c, &e, &r))
        return c->no_step = true;
    return task_finish(c, r);
}
