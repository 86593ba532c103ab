/* SPDX-License-Identifier: MIT */
/* The interpreter's loop: run decoded blocks, and between blocks (or, when something asks for it,
 * between instructions) look at interrupts, debug traps and the machine's wishes.
 *
 * Priorities between instructions follow SDM 3A 6.9: traps of the previous instruction, then NMI
 * and maskable interrupts, then code breakpoints and faults of the next instruction. */
#include "cpu/interp.h"
#include "cpu/block.h"
#include "cpu/exception.h"
#include "cpu/mem.h"
#include "cpu/ops.h"
#include "cpu/translator.h"

void cpu_attend(struct cpu *c, unsigned set, unsigned clear)
{
    if (clear != 0)
        atomic_fetch_and_explicit(&c->attention, ~clear, memory_order_acq_rel);
    if (set != 0) {
        atomic_fetch_or_explicit(&c->attention, set, memory_order_acq_rel);
        bool first = atomic_exchange(&c->poll, CPU_POLL_STOP) != CPU_POLL_STOP;
        atomic_store(&c->poll_mask, 0);
        if (first && c->translator != NULL)
            c->translator->nudge(c);
    }
}

static unsigned attention(const struct cpu *c)
{
    return atomic_load_explicit(&c->attention, memory_order_acquire);
}

bool cpu_has_work(const struct cpu *c)
{
    unsigned a = attention(c);
    return (a & ATT_NMI && !c->nmi_blocked) || (a & ATT_INTR && c->eflags & EFL_IF);
}

/* An external interrupt, if one is pending and allowed. False: the processor shut down. */
static bool take_interrupt(struct cpu *c)
{
    unsigned a = attention(c);
    if (a & ATT_NMI && !c->nmi_blocked) {
        cpu_attend(c, 0, ATT_NMI);
        c->halted = false;
        return nmi_deliver(c);
    }
    if (a & ATT_INTR && c->eflags & EFL_IF) {
        int vec = intr_ack(c);
        if (vec >= 0) {
            c->halted = false;
            return interrupt_deliver(c, (uint8_t)vec);
        }
    }
    return true;
}

bool interp_block(struct cpu *c, const struct block *b, unsigned max)
{
    const struct insn *i = b->insn;
    bool ok = true;
    c->run_end = i + (b->count < max ? b->count : max);
    do {
        uint64_t rip = c->r[RIP];
        c->r[RIP] = (rip + i->len) & c->la_mask;
        if (__builtin_expect(!i->fn(c, i), 0)) {
            c->r[RIP] = rip;
            ok = false;
            break;
        }
        i++;
    } while (i < c->run_end);
    c->icount += (uint64_t)(i - b->insn);
    return ok;
}

static void log_block(struct cpu *c)
{
    if (c->log_items & LOG_CPU)
        cpu_log_registers(c);
    if (c->log_items & LOG_EXEC)
        cpu_log(c, LOG_EXEC, "exec %04x:%016llx", c->seg[SEG_CS].sel,
                (unsigned long long)c->r[RIP]);
}

/* One block, or with max = 1 one instruction, with what surrounds it. False: shutdown. */
static bool run_some(struct cpu *c, unsigned max)
{
    const struct block *b = block_lookup(c);
    if (c->log_items & (LOG_EXEC | LOG_CPU))
        log_block(c);
    if (b == NULL || !interp_block(c, b, max))
        return exception_deliver(c);
    return true;
}

/* What the previous instruction left to be delivered before anything else: a fault of a new task or
 * of a delivery that was interrupted, or debug traps, which wait one more instruction after a load
 * of SS. False: shutdown. */
static bool settle(struct cpu *c)
{
    if (c->fault_pending) {
        c->fault_pending = false;
        return exception_deliver(c);
    }
    if (c->db_pending != 0 && !c->shadow_ss)
        return debug_trap_deliver(c);
    return true;
}

/* Has the instruction at `rip` been a taken branch? `next` follows it. A far branch to there, with
 * the same offset, goes unseen. */
static bool took_branch(const struct cpu *c, uint64_t rip, uint64_t next)
{
    return c->branched || (c->r[RIP] != rip && c->r[RIP] != next);
}

/* What matters of the next instruction to debug events. Unknown if it cannot be fetched. */
struct debugged {
    unsigned len;
    bool repeats;
};

static struct debugged debugged_insn(struct cpu *c)
{
    const struct block *b = c->single ? block_lookup(c) : NULL;

    if (b == NULL)
        return (struct debugged){0};
    return (struct debugged){.len = b->insn->len,
                             .repeats = optab[b->insn->op].attr & ATTR_STR &&
                                        b->insn->prefix & (INSN_REP | INSN_REPNE)};
}

/* One instruction with debug events: a code breakpoint before it, the single-step trap after it;
 * and the shadow after STI and MOV SS. A repeated instruction that is not done goes on with RF set
 * (SDM 3B 17.3.1.1). */
static bool run_single(struct cpu *c)
{
    bool debug_shadow = c->shadow_ss;
    c->shadow = c->shadow_ss = c->no_step = false;
    if (!debug_shadow && debug_code_breakpoint(c))
        return exception_deliver(c);
    bool trap = c->eflags & EFL_TF, branches_only = trap && c->msr.debugctl & DEBUGCTL_BTF;
    c->eflags &= ~EFL_RF;
    uint64_t before = c->icount, rip = c->r[RIP];
    struct debugged i = debugged_insn(c);
    c->branched = false;
    if (!run_some(c, 1))
        return false;
    bool retired = c->icount != before;
    if (retired && i.repeats && c->r[RIP] == rip)
        c->eflags |= EFL_RF;
    if (branches_only && i.len != 0)
        trap = took_branch(c, rip, (rip + i.len) & c->la_mask);
    if (retired && trap && !c->shadow_ss && !c->no_step)
        c->db_pending |= DR6_BS;
    return true;
}

bool interp_needs_care(const struct cpu *c)
{
    return c->single || c->shadow || c->fault_pending || c->db_pending != 0 || c->eflags & EFL_RF;
}

/* Between blocks. Returns true to leave cpu_run() with *why. */
static bool service(struct cpu *c, enum cpu_exit *why)
{
    if (!c->shadow && !c->fault_pending && !take_interrupt(c)) {
        *why = CPU_EXIT_SHUTDOWN;
        return true;
    }
    if (attention(c) & ATT_EXIT) {
        *why = CPU_EXIT_ATTENTION;
        return true;
    }
    if (c->halted && !cpu_has_work(c)) {
        *why = CPU_EXIT_HALT;
        return true;
    }
    return false;
}

enum cpu_exit cpu_run(struct cpu *c)
{
    enum cpu_exit why;
    for (;;) {
        if (interp_needs_care(c) && !settle(c))
            return CPU_EXIT_SHUTDOWN;
        if ((attention(c) != 0 || c->halted) && service(c, &why))
            return why;
        if (c->halted)
            continue;
        bool ok;
        if (interp_needs_care(c))
            ok = run_single(c);
        else if (c->translator != NULL && !(c->log_items & (LOG_EXEC | LOG_CPU)))
            ok = c->translator->run(c);
        else
            ok = run_some(c, BLOCK_MAX_INSNS);
        if (!ok)
            return CPU_EXIT_SHUTDOWN;
    }
}

enum cpu_exit cpu_step(struct cpu *c)
{
    enum cpu_exit why;
    if (!settle(c))
        return CPU_EXIT_SHUTDOWN;
    if ((attention(c) != 0 || c->halted) && service(c, &why))
        return why;
    return run_single(c) && settle(c) ? CPU_EXIT_ATTENTION : CPU_EXIT_SHUTDOWN;
}
