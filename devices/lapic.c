/* SPDX-License-Identifier: MIT */
/* Local APIC of one processor, xAPIC and x2APIC (SDM 3A chapter 10).
 *
 * It owns the processor's INTR pin. A vector reaches it when its class is above the processor
 * priority; the PIC's output comes in on LINT0 and, where that is in ExtINT mode or the APIC is
 * switched off in IA32_APIC_BASE, goes through to INTR with the vector from the PIC, whatever the
 * priority. LINT0 of the first processor is in that mode from the start, as firmware leaves it:
 * software-disabling the APIC masks it. The timer's count is computed from the clock; a periodic
 * timer fires no more often than every 20 us, so that a guest cannot keep the machine busy with it.
 * Expiries of a periodic timer that pass before the guest has taken the one before, because the
 * host does not run us, are made up for eight times as fast.
 *
 * Left out: system management and INIT messages (logged; there is no second
 * processor to start), performance-counter and thermal events (their entries are storage), directed
 * EOI, writes to the message area by the processor itself. */
#include "devices/lapic.h"

#include <string.h>

#include "devices/ioapic.h"
#include "devices/pic.h"
#include "devices/ticks.h"
#include "vmm/vm.h"

#define VERSION    UINT32_C(0x00050014)
#define LINTS      2
#define MIN_PERIOD UINT64_C(20000)

#define BASE_BSP  (UINT64_C(1) << 8)
#define BASE_X2   (UINT64_C(1) << 10)
#define BASE_EN   (UINT64_C(1) << 11)
#define BASE_ADDR UINT64_C(0x000ffffffffff000)

/* Registers by MMIO offset / 16, which is also MSR - 800h. */
enum reg {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_RRR = 0x0c,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR = 0x30,
    REG_ICR2 = 0x31,
    REG_LVT = 0x32,
    REG_INITIAL = 0x38,
    REG_CURRENT = 0x39,
    REG_DIVIDE = 0x3e,
    REG_SELF_IPI = 0x3f,
};

enum lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };

#define LVT_MODE_SHIFT 8
#define LVT_STATUS     0x1000u
#define LVT_REMOTE_IRR 0x4000u
#define LVT_LEVEL      0x8000u
#define LVT_MASKED     0x10000u
#define LVT_PERIODIC   0x20000u
#define LVT_DEADLINE   0x40000u

static const uint32_t lvt_writable[LVTS] = {0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};

#define SVR_ENABLE   0x100u
#define SVR_WRITABLE 0x3ffu

#define ESR_SEND_VECTOR    0x20u
#define ESR_RECEIVE_VECTOR 0x40u
#define ESR_REGISTER       0x80u

#define ICR_LOGICAL  0x800u
#define ICR_ASSERT   0x4000u
#define ICR_LEVEL    0x8000u
#define ICR_WRITABLE UINT32_C(0xccfff)

#define DIVIDE_WRITABLE 0xbu

struct lapic {
    struct device dev;
    uint64_t base; /* IA32_APIC_BASE */
    uint64_t icr;
    uint32_t id, ldr, dfr, svr, tpr;
    uint32_t irr[8], isr[8], tmr[8];
    uint32_t lvt[LVTS];
    uint32_t esr, errors; /* as latched by a write; since then */
    uint32_t divide, initial;
    uint64_t start_ns; /* when the timer was loaded */
    uint64_t expiry;   /* the next expiry's number since then */
    uint64_t owed;     /* expiries that passed unseen */
    uint64_t deadline; /* of the processor's counter; 0: none */
    bool stopped;      /* a one-shot count has ended and then the mode changed */
    bool lint[LINTS];  /* levels */
    struct timer timer;
    struct region region;
};

static bool is_on(const struct lapic *s)
{
    return (s->base & BASE_EN) != 0;
}

static bool is_x2(const struct lapic *s)
{
    return (s->base & BASE_X2) != 0;
}

/* -- Priorities and INTR ----------------------------------------------------------------------- */

static bool bit_get(const uint32_t *set, uint8_t n)
{
    return set[n / 32] >> (n % 32) & 1;
}

static void bit_put(uint32_t *set, uint8_t n, bool to)
{
    uint32_t bit = UINT32_C(1) << (n % 32);

    set[n / 32] = to ? set[n / 32] | bit : set[n / 32] & ~bit;
}

/* The highest vector in the set, or -1. */
static int highest(const uint32_t *set)
{
    for (int n = 7; n >= 0; n--) {
        if (set[n] != 0)
            return n * 32 + 31 - __builtin_clz(set[n]);
    }
    return -1;
}

static uint32_t ppr(const struct lapic *s)
{
    int v = highest(s->isr);
    uint32_t served = v < 0 ? 0 : (uint32_t)v & 0xf0;

    return (s->tpr & 0xf0) >= served ? s->tpr : served;
}

/* The vector that would be delivered now, or -1. */
static int deliverable(const struct lapic *s)
{
    int v = highest(s->irr);

    if (v < 0 || !is_on(s) || !(s->svr & SVR_ENABLE) || ((uint32_t)v & 0xf0) <= (ppr(s) & 0xf0))
        return -1;
    return v;
}

/* The PIC's output passes through to INTR. */
static bool extint(const struct lapic *s)
{
    uint32_t lvt = s->lvt[LVT_LINT0];

    if (!s->lint[0])
        return false;
    return !is_on(s) || (!(lvt & LVT_MASKED) && (lvt >> LVT_MODE_SHIFT & 7) == APIC_EXTINT);
}

static void update(struct lapic *s)
{
    vcpu_set_intr(s->dev.vm, s->dev.index, deliverable(s) >= 0 || extint(s));
}

static void local_deliver(struct lapic *s, enum lvt n);

static void error(struct lapic *s, uint32_t bit)
{
    if (s->errors & bit)
        return;
    s->errors |= bit;
    local_deliver(s, LVT_ERROR);
}

static void accept_vector(struct lapic *s, uint8_t vector, bool level)
{
    if (!(s->svr & SVR_ENABLE))
        return;
    if (vector < 16) {
        /* An error entry that is itself wrong is reported once: the bit is set by then. */
        error(s, ESR_RECEIVE_VECTOR);
        return;
    }
    bit_put(s->irr, vector, true);
    bit_put(s->tmr, vector, level);
    update(s);
}

static void accept(struct lapic *s, uint8_t mode, uint8_t vector, bool level)
{
    if (!is_on(s))
        return;
    switch (mode) {
    case APIC_FIXED:
    case APIC_LOWEST: accept_vector(s, vector, level); break;
    case APIC_NMI: vcpu_pulse_nmi(s->dev.vm, s->dev.index); break;
    default: vm_log(s->dev.vm, LOG_UNIMP, "lapic: message with delivery mode %u", mode); break;
    }
}

static void local_deliver(struct lapic *s, enum lvt n)
{
    uint32_t lvt = s->lvt[n];
    uint8_t mode = n == LVT_TIMER || n == LVT_ERROR ? APIC_FIXED : lvt >> LVT_MODE_SHIFT & 7;
    bool level = (n == LVT_LINT0 || n == LVT_LINT1) && mode == APIC_FIXED && (lvt & LVT_LEVEL);

    if ((lvt & LVT_MASKED) || mode == APIC_EXTINT)
        return;
    if (level) {
        if (lvt & LVT_REMOTE_IRR)
            return;
        s->lvt[n] |= LVT_REMOTE_IRR;
    }
    accept(s, mode, (uint8_t)lvt, level);
}

static void set_lint(void *opaque, int pin, bool level)
{
    struct lapic *s = opaque;
    unsigned n = (unsigned)pin % LINTS;
    bool rises = level && !s->lint[n];

    s->lint[n] = level;
    if (rises)
        local_deliver(s, LVT_LINT0 + n);
    update(s);
}

static void end_of_interrupt(struct lapic *s)
{
    int v = highest(s->isr);

    if (v < 0)
        return;
    bit_put(s->isr, (uint8_t)v, false);
    if (bit_get(s->tmr, (uint8_t)v)) {
        ioapic_eoi(s->dev.vm, (uint8_t)v);
        for (unsigned n = 0; n < LINTS; n++) {
            uint32_t *lvt = &s->lvt[LVT_LINT0 + n];

            if ((uint8_t)*lvt != v || !(*lvt & LVT_REMOTE_IRR))
                continue;
            *lvt &= ~LVT_REMOTE_IRR;
            if (s->lint[n])
                local_deliver(s, LVT_LINT0 + n);
        }
    }
    update(s);
}

/* -- Messages ---------------------------------------------------------------------------------- */

static bool is_destination(const struct lapic *s, const struct apic_message *m)
{
    uint32_t cluster = s->id / 16;

    if (m->dest == (is_x2(s) ? UINT32_MAX : 0xff) || (!m->logical && m->dest == 0xff))
        return true;
    if (!m->logical)
        return m->dest == s->id;
    if (is_x2(s))
        return m->dest >> 16 == cluster && (m->dest >> (s->id % 16) & 1);
    if (s->dfr >> 28 == 0xf) /* flat model */
        return (m->dest & s->ldr >> 24) != 0;
    return (m->dest & 0xf0) == (s->ldr >> 24 & 0xf0) && (m->dest & s->ldr >> 24 & 0x0f);
}

void lapic_deliver(struct vm *vm, const struct apic_message *m)
{
    struct device *d;

    for (unsigned n = 0; (d = device_find(vm, &lapic_class, n)) != NULL; n++) {
        struct lapic *s = (struct lapic *)d;

        if (!is_destination(s, m))
            continue;
        accept(s, m->mode, m->vector, m->level_triggered);
        if (m->mode == APIC_LOWEST)
            break;
    }
}

void lapic_deliver_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
    struct apic_message m = {.dest = addr >> 12 & 0xff,
                             .logical = (addr & 4) != 0,
                             .mode = data >> 8 & 7,
                             .vector = (uint8_t)data,
                             .level_triggered = (data & 0x8000) != 0};

    lapic_deliver(vm, &m);
}

static void send_ipi(struct lapic *s)
{
    uint32_t icr = (uint32_t)s->icr;
    struct apic_message m = {.dest = (uint32_t)(s->icr >> 32),
                             .logical = (icr & ICR_LOGICAL) != 0,
                             .mode = icr >> 8 & 7,
                             .vector = (uint8_t)icr,
                             .level_triggered = false};
    unsigned shorthand = icr >> 18 & 3;

    if (!is_x2(s))
        m.dest >>= 24;
    if (m.mode == APIC_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
        return; /* INIT level de-assert: only sets arbitration IDs */
    if ((m.mode == APIC_FIXED || m.mode == APIC_LOWEST) && m.vector < 16) {
        error(s, ESR_SEND_VECTOR);
        return;
    }
    switch (shorthand) {
    case 0: lapic_deliver(s->dev.vm, &m); break;
    case 1: accept(s, m.mode, m.vector, false); break;
    default: /* all, with or without this one */
        for (unsigned n = 0;; n++) {
            struct device *d = device_find(s->dev.vm, &lapic_class, n);

            if (d == NULL)
                break;
            if (shorthand == 2 || d != &s->dev)
                accept((struct lapic *)d, m.mode, m.vector, false);
        }
        break;
    }
}

/* -- Timer ------------------------------------------------------------------------------------- */

static unsigned divide_shift(const struct lapic *s)
{
    unsigned code = (s->divide >> 1 & 4) | (s->divide & 3);

    return code == 7 ? 0 : code + 1;
}

/* Whole counts since the timer was loaded. `now`, here and below, is one reading of the clock for
 * all that depends on it: time that passed between two would be nobody's. */
static uint64_t counts(const struct lapic *s, uint64_t now)
{
    return clock_muldiv(now - s->start_ns, vcpu_tsc_hz(s->dev.vm), NS_PER_SEC) >> divide_shift(s);
}

static uint32_t current_count(const struct lapic *s)
{
    uint64_t n;

    if (s->initial == 0 || s->stopped)
        return 0;
    n = counts(s, clock_now(s->dev.vm));
    if (s->lvt[LVT_TIMER] & LVT_PERIODIC)
        return s->initial - (uint32_t)(n % s->initial);
    return n >= s->initial ? 0 : s->initial - (uint32_t)n;
}

/* When the count has gone `n` times through the initial value, rounded up. */
static uint64_t due_after(const struct lapic *s, uint64_t n)
{
    uint64_t ticks = (n * s->initial) << divide_shift(s);

    return s->start_ns + clock_muldiv(ticks, NS_PER_SEC, vcpu_tsc_hz(s->dev.vm)) + 1;
}

static bool in_deadline_mode(const struct lapic *s)
{
    return (s->lvt[LVT_TIMER] & (LVT_DEADLINE | LVT_PERIODIC)) == LVT_DEADLINE;
}

/* Masked or not: reaching the deadline clears it. */
static void deadline_update(struct lapic *s)
{
    struct vm *vm = s->dev.vm;
    uint64_t due = clock_muldiv(s->deadline, NS_PER_SEC, vcpu_tsc_hz(vm));

    if (s->deadline == 0 || due == TIMER_IDLE)
        timer_cancel(vm, &s->timer);
    else
        timer_arm(vm, &s->timer, due);
}

/* Nanoseconds from one expiry to the next. */
static uint64_t period_ns(const struct lapic *s)
{
    return due_after(s, 1) - s->start_ns;
}

/* Arm for the next expiry that is still to come, or one that is owed. */
static void timer_schedule(struct lapic *s, uint64_t now)
{
    struct vm *vm = s->dev.vm;
    uint32_t lvt = s->lvt[LVT_TIMER];
    bool periodic = (lvt & LVT_PERIODIC) != 0;
    uint64_t n = periodic && s->initial != 0 ? counts(s, now) / s->initial : 0, due;

    if (in_deadline_mode(s)) {
        deadline_update(s);
        return;
    }
    if (s->initial == 0 || s->stopped || (lvt & LVT_MASKED) ||
        (!periodic && due_after(s, 1) <= now)) {
        timer_cancel(vm, &s->timer);
        return;
    }
    s->expiry = n + 1;
    due = due_after(s, n + 1);
    if (s->owed != 0 && now + period_ns(s) / TICKS_CATCH_UP < due)
        due = now + period_ns(s) / TICKS_CATCH_UP;
    if (periodic && due < now + MIN_PERIOD)
        due = now + MIN_PERIOD;
    timer_arm(vm, &s->timer, due);
}

/* After a change of the timer's registers. */
static void timer_update(struct lapic *s, uint64_t now)
{
    s->owed = 0;
    timer_schedule(s, now);
}

/* A periodic timer's expiry has come, or it is time to try one that is owed: may it interrupt? */
static bool periodic_due(struct lapic *s, uint64_t now)
{
    uint64_t n = counts(s, now) / s->initial, come = n < s->expiry ? 0 : n + 1 - s->expiry;

    return ticks_due(&s->owed, come, period_ns(s), NS_PER_SEC,
                     bit_get(s->irr, (uint8_t)s->lvt[LVT_TIMER]));
}

static void timer_expire(struct lapic *s, uint64_t now)
{
    bool steady = s->lvt[LVT_TIMER] & LVT_PERIODIC && s->initial != 0;

    s->deadline = 0;
    if (!steady || period_ns(s) < MIN_PERIOD || periodic_due(s, now))
        local_deliver(s, LVT_TIMER);
    timer_schedule(s, now);
}

static void timer_fire(void *opaque)
{
    struct lapic *s = opaque;

    timer_expire(s, clock_now(s->dev.vm));
}

/* An expiry that the host is late with, before a register that the timer depends on changes. */
static void timer_catch_up(struct lapic *s, uint64_t now)
{
    if (s->timer.due_ns <= now)
        timer_expire(s, now);
}

/* A change of mode leaves the count as it is: one that has ended stays at zero. */
static void timer_change_mode(struct lapic *s, uint64_t now)
{
    uint64_t n = s->initial != 0 ? counts(s, now) / s->initial : 0;

    if (!(s->lvt[LVT_TIMER] & LVT_PERIODIC))
        s->stopped = s->stopped || n > 0;
    else if (n > 0)
        s->start_ns = due_after(s, n) - 1;
}

/* -- Registers --------------------------------------------------------------------------------- */

static uint32_t ldr(const struct lapic *s)
{
    return is_x2(s) ? s->id / 16 << 16 | UINT32_C(1) << (s->id % 16) : s->ldr;
}

/* false: no such register. */
static bool reg_read(const struct lapic *s, unsigned reg, uint32_t *val)
{
    *val = 0;
    if (reg >= REG_ISR && reg < REG_ISR + 24) {
        const uint32_t *set = reg >= REG_IRR ? s->irr : reg >= REG_TMR ? s->tmr : s->isr;

        *val = set[reg % 8];
        return true;
    }
    if (reg >= REG_LVT && reg < REG_LVT + LVTS) {
        *val = s->lvt[reg - REG_LVT];
        return true;
    }
    switch (reg) {
    case REG_ID: *val = is_x2(s) ? s->id : s->id << 24; return true;
    case REG_VERSION: *val = VERSION; return true;
    case REG_TPR: *val = s->tpr; return true;
    case REG_PPR: *val = ppr(s); return true;
    case REG_LDR: *val = ldr(s); return true;
    case REG_DFR: *val = s->dfr; return true;
    case REG_SVR: *val = s->svr; return true;
    case REG_ESR: *val = s->esr; return true;
    case REG_ICR: *val = (uint32_t)s->icr; return true;
    case REG_ICR2: *val = (uint32_t)(s->icr >> 32); return true;
    case REG_INITIAL: *val = s->initial; return true;
    case REG_CURRENT: *val = current_count(s); return true;
    case REG_DIVIDE: *val = s->divide; return true;
    case REG_APR:
    case REG_RRR:
    case REG_EOI: return true;
    default: return false;
    }
}

static void write_svr(struct lapic *s, uint32_t val)
{
    s->svr = val & SVR_WRITABLE;
    if (s->svr & SVR_ENABLE)
        return;
    for (unsigned n = 0; n < LVTS; n++)
        s->lvt[n] |= LVT_MASKED;
    timer_update(s, clock_now(s->dev.vm));
}

static void write_lvt(struct lapic *s, unsigned n, uint32_t val)
{
    uint32_t mask = lvt_writable[n];
    uint64_t now = clock_now(s->dev.vm);
    bool was_deadline = in_deadline_mode(s);

    if (!(s->svr & SVR_ENABLE))
        val |= LVT_MASKED;
    if (n == LVT_TIMER) {
        timer_catch_up(s, now);
        if ((s->lvt[n] ^ val) & LVT_PERIODIC)
            timer_change_mode(s, now);
    }
    s->lvt[n] = (s->lvt[n] & ~mask) | (val & mask);
    if (!(s->lvt[n] & LVT_LEVEL))
        s->lvt[n] &= ~LVT_REMOTE_IRR;
    if (was_deadline != in_deadline_mode(s))
        s->deadline = s->initial = 0; /* switching disarms (SDM 3A 10.5.4.1) */
    if (n == LVT_TIMER)
        timer_update(s, now);
    if ((n == LVT_LINT0 || n == LVT_LINT1) && (s->lvt[n] & LVT_LEVEL) && s->lint[n - LVT_LINT0])
        local_deliver(s, n);
}

static void write_initial(struct lapic *s, uint32_t val)
{
    uint64_t now = clock_now(s->dev.vm);

    if (in_deadline_mode(s))
        return;
    timer_catch_up(s, now);
    s->initial = val;
    s->stopped = false;
    s->start_ns = now;
    timer_update(s, now);
}

static void write_divide(struct lapic *s, uint32_t val)
{
    uint64_t now = clock_now(s->dev.vm);

    timer_catch_up(s, now);
    s->divide = val & DIVIDE_WRITABLE;
    timer_update(s, now);
}

/* false: no such register, or one that is only read. */
static bool reg_write(struct lapic *s, unsigned reg, uint32_t val)
{
    if (reg >= REG_LVT && reg < REG_LVT + LVTS) {
        write_lvt(s, reg - REG_LVT, val);
        update(s);
        return true;
    }
    switch (reg) {
    case REG_TPR: s->tpr = val & 0xff; break;
    case REG_EOI: end_of_interrupt(s); break;
    case REG_SVR: write_svr(s, val); break;
    case REG_ESR:
        s->esr = s->errors;
        s->errors = 0;
        break;
    case REG_ICR:
        s->icr = (s->icr & ~UINT64_C(0xffffffff)) | (val & ICR_WRITABLE);
        send_ipi(s);
        break;
    case REG_INITIAL: write_initial(s, val); break;
    case REG_DIVIDE: write_divide(s, val); break;
    default: return false;
    }
    update(s);
    return true;
}

/* Registers that only the memory-mapped form can write. */
static bool reg_write_xapic(struct lapic *s, unsigned reg, uint32_t val)
{
    switch (reg) {
    case REG_ID: s->id = val >> 24; return true;
    case REG_LDR: s->ldr = val & 0xff000000; return true;
    case REG_DFR: s->dfr = val | 0x0fffffff; return true;
    case REG_ICR2: s->icr = (s->icr & 0xffffffff) | (uint64_t)(val & 0xff000000) << 32; return true;
    default: return reg_write(s, reg, val);
    }
}

static uint64_t mmio_read(void *dev, uint32_t off, unsigned n)
{
    struct lapic *s = dev;
    uint32_t val = 0;

    (void)n;
    if (off % 16 == 0 && !reg_read(s, off / 16, &val))
        error(s, ESR_REGISTER);
    return val;
}

static void mmio_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct lapic *s = dev;
    uint32_t old;

    (void)n;
    if (off % 16 != 0 || reg_write_xapic(s, off / 16, (uint32_t)val))
        return;
    if (!reg_read(s, off / 16, &old)) /* writes of read-only registers are no error */
        error(s, ESR_REGISTER);
}

/* -- The processor's side ---------------------------------------------------------------------- */

static int intc_ack(void *dev)
{
    struct lapic *s = dev;
    int v = deliverable(s);

    if (v < 0)
        return extint(s) ? pic_ack(s->dev.vm) : -1;
    bit_put(s->irr, (uint8_t)v, false);
    bit_put(s->isr, (uint8_t)v, true);
    update(s);
    return v;
}

static uint64_t intc_read_base(void *dev)
{
    return ((struct lapic *)dev)->base;
}

static void map(struct lapic *s)
{
    uint64_t at = is_on(s) && !is_x2(s) ? s->base & BASE_ADDR : MEM_UNMAPPED;

    /* One that cannot be mapped is out of the processor's reach; so are the registers then. */
    if (at != s->region.base && mem_map(s->dev.vm, &s->region, at) != 0)
        mem_map(s->dev.vm, &s->region, MEM_UNMAPPED);
}

static void clear(struct lapic *s)
{
    s->icr = 0;
    s->id = s->dev.index;
    s->ldr = s->tpr = s->esr = s->errors = s->divide = s->initial = 0;
    s->deadline = 0;
    s->stopped = false;
    s->dfr = UINT32_MAX;
    s->svr = 0xff;
    memset(s->irr, 0, sizeof(s->irr));
    memset(s->isr, 0, sizeof(s->isr));
    memset(s->tmr, 0, sizeof(s->tmr));
    for (unsigned n = 0; n < LVTS; n++)
        s->lvt[n] = LVT_MASKED;
    timer_cancel(s->dev.vm, &s->timer);
}

static bool intc_write_base(void *dev, uint64_t val)
{
    struct lapic *s = dev;
    bool on = (val & BASE_EN) != 0, x2 = (val & BASE_X2) != 0;

    if (val & ~(BASE_ADDR | BASE_BSP | BASE_X2 | BASE_EN))
        return false;
    if (x2 && (!on || !is_on(s)))
        return false; /* no such state, or not reached from switched off */
    if (is_x2(s) && on && !x2)
        return false;
    if (is_on(s) != on)
        clear(s); /* comes back as after power-on, for each processor */
    s->base = (val & ~BASE_BSP) | (s->base & BASE_BSP);
    if (x2)
        s->id = s->dev.index;
    map(s);
    update(s);
    return true;
}

static uint8_t intc_read_tpr(void *dev)
{
    return (uint8_t)(((struct lapic *)dev)->tpr >> 4);
}

static void intc_write_tpr(void *dev, uint8_t val)
{
    struct lapic *s = dev;

    s->tpr = (val & 0xfu) << 4;
    update(s);
}

static uint64_t intc_read_deadline(void *dev)
{
    return ((struct lapic *)dev)->deadline;
}

static void intc_write_deadline(void *dev, uint64_t ticks)
{
    struct lapic *s = dev;

    if (!in_deadline_mode(s))
        return;
    s->deadline = ticks;
    timer_update(s, clock_now(s->dev.vm));
    /* one that has passed interrupts at once, not when the host gets round to it */
    timer_catch_up(s, clock_now(s->dev.vm));
}

static bool intc_read_msr(void *dev, uint32_t msr, uint64_t *val)
{
    struct lapic *s = dev;
    unsigned reg = msr - 0x800;
    uint32_t low;

    if (!is_x2(s))
        return false;
    switch (reg) {
    case REG_APR:
    case REG_EOI:
    case REG_RRR:
    case REG_DFR:
    case REG_ICR2: return false;
    case REG_ICR: *val = s->icr; return true;
    default: break;
    }
    if (!reg_read(s, reg, &low))
        return false;
    *val = low;
    return true;
}

/* The bits that WRMSR may set, those that are only read among them; the others are reserved, and
 * cause #GP (SDM 3A 10.12.1.3). The memory-mapped registers ignore theirs. */
static uint64_t x2_bits(unsigned reg)
{
    static const uint64_t bits[] = {[REG_TPR] = 0xff,
                                    [REG_SVR] = SVR_WRITABLE,
                                    [REG_ICR] = UINT64_C(0xffffffff00000000) | ICR_WRITABLE,
                                    [REG_INITIAL] = UINT32_MAX,
                                    [REG_DIVIDE] = DIVIDE_WRITABLE,
                                    [REG_SELF_IPI] = 0xff};
    unsigned n = reg - REG_LVT;

    if (n < LVTS)
        return lvt_writable[n] | LVT_STATUS |
               (n == LVT_LINT0 || n == LVT_LINT1 ? LVT_REMOTE_IRR : 0);
    return reg < sizeof(bits) / sizeof(bits[0]) ? bits[reg] : 0;
}

static bool intc_write_msr(void *dev, uint32_t msr, uint64_t val)
{
    struct lapic *s = dev;
    unsigned reg = msr - 0x800;

    if (!is_x2(s) || (val & ~x2_bits(reg)) != 0)
        return false;
    switch (reg) {
    case REG_ICR: s->icr = val & ~UINT64_C(0xffffffff); break;
    case REG_SELF_IPI:
        if (val < 16)
            error(s, ESR_SEND_VECTOR);
        else
            accept(s, APIC_FIXED, (uint8_t)val, false);
        return true;
    default: break;
    }
    return reg_write(s, reg, (uint32_t)val);
}

static const struct vcpu_intc lapic_intc = {
    .ack = intc_ack,
    .read_base = intc_read_base,
    .write_base = intc_write_base,
    .read_tpr = intc_read_tpr,
    .write_tpr = intc_write_tpr,
    .read_deadline = intc_read_deadline,
    .write_deadline = intc_write_deadline,
    .read_msr = intc_read_msr,
    .write_msr = intc_write_msr,
};

/* -- The device -------------------------------------------------------------------------------- */

struct irq lapic_lint(struct vm *vm, unsigned cpu, unsigned n)
{
    struct device *d = device_find(vm, &lapic_class, cpu);

    if (d == NULL || n >= LINTS)
        return (struct irq){NULL, NULL, 0};
    return (struct irq){set_lint, d, (int)n};
}

static void reset(struct device *d)
{
    struct lapic *s = (struct lapic *)d;

    clear(s);
    s->base = LAPIC_BASE | BASE_EN | (d->index == 0 ? BASE_BSP : 0);
    if (d->index == 0)
        s->lvt[LVT_LINT0] = APIC_EXTINT << LVT_MODE_SHIFT;
    map(s);
    update(s);
}

static void loaded(struct device *d)
{
    struct lapic *s = (struct lapic *)d;

    for (unsigned n = 0; n < LVTS; n++) /* a file may hold anything */
        s->lvt[n] &= lvt_writable[n] | LVT_REMOTE_IRR;
    s->divide &= DIVIDE_WRITABLE;
    s->tpr &= 0xff;
    if (s->start_ns > clock_now(d->vm))
        s->start_ns = clock_now(d->vm);
    map(s);
    timer_schedule(s, clock_now(d->vm));
    update(s);
}

static void unrealize(struct device *d)
{
    struct lapic *s = (struct lapic *)d;

    if (d->index == 0)
        pic_connect_output(d->vm, (struct irq){NULL, NULL, 0});
    mem_map(d->vm, &s->region, MEM_UNMAPPED);
}

static int realize(struct device *d)
{
    static const struct io_ops ops = {mmio_read, mmio_write, IO_32};
    struct lapic *s = (struct lapic *)d;

    timer_init(&s->timer, timer_fire, s);
    s->region = (struct region){.name = "lapic",
                                .base = MEM_UNMAPPED,
                                .size = PAGE_SIZE,
                                .kind = REGION_MMIO,
                                .ops = &ops,
                                .dev = s};
    vcpu_attach_intc(d->vm, d->index, &lapic_intc, s);
    if (d->index == 0)
        pic_connect_output(d->vm, lapic_lint(d->vm, 0, 0));
    return 0;
}

static const struct field lapic_fields[] = {
    FIELDS_DEVICE(struct lapic),
    FIELD(struct lapic, base),
    FIELD(struct lapic, icr),
    FIELD(struct lapic, id),
    FIELD(struct lapic, ldr),
    FIELD(struct lapic, dfr),
    FIELD(struct lapic, svr),
    FIELD(struct lapic, tpr),
    FIELD_ARRAY(struct lapic, irr),
    FIELD_ARRAY(struct lapic, isr),
    FIELD_ARRAY(struct lapic, tmr),
    FIELD_ARRAY(struct lapic, lvt),
    FIELD(struct lapic, esr),
    FIELD(struct lapic, errors),
    FIELD(struct lapic, divide),
    FIELD(struct lapic, initial),
    FIELD(struct lapic, start_ns),
    FIELD(struct lapic, expiry),
    FIELD(struct lapic, owed),
    FIELD(struct lapic, deadline),
    FIELD(struct lapic, stopped),
    FIELD_ARRAY(struct lapic, lint),
    FIELD_TIMER(struct lapic, timer),
    UNSAVED(struct lapic, region),
    FIELDS_END,
};

const struct device_class lapic_class = {
    .name = "lapic",
    .desc = "local APIC",
    .size = sizeof(struct lapic),
    .fields = lapic_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
