/* SPDX-License-Identifier: MIT */
/* Virtual time and timers.
 *
 * Virtual time is the host's monotonic clock minus a base; pausing remembers where it stood,
 * resuming moves the base. Readers need no lock: they look at the base before and after, so that a
 * resume in between cannot give them a mixture.
 *
 * Armed timers form a binary heap of pointers; each timer knows its place, so that re-arming and
 * cancelling are O(log n). The I/O thread sleeps until the first one is due; arming wakes it only
 * when the new deadline is earlier than the one that it sleeps for. */
#include <errno.h>
#include <stdlib.h>

#include "vmm/vmm_internal.h"

/* -- Time -------------------------------------------------------------------------------------- */

uint64_t clock_now(const struct vm *vm)
{
    const struct clock *c = &vm->clock;

    for (;;) {
        uint64_t base = atomic_load(&c->base);
        uint64_t stopped = atomic_load(&c->stopped);
        uint64_t now = stopped != CLOCK_RUNNING ? stopped : host_now_ns() - base;

        if (atomic_load(&c->base) == base)
            return now;
    }
}

uint64_t clock_wall(const struct vm *vm)
{
    if (vm->cfg.wall_start_ns != 0)
        return vm->cfg.wall_start_ns + clock_now(vm);
    return host_wall_ns();
}

bool clock_is_stopped(const struct vm *vm)
{
    return atomic_load(&vm->clock.stopped) != CLOCK_RUNNING;
}

void clock_stop(struct vm *vm)
{
    struct clock *c = &vm->clock;

    if (!clock_is_stopped(vm))
        atomic_store(&c->stopped, clock_now(vm));
}

void clock_start(struct vm *vm)
{
    struct clock *c = &vm->clock;
    uint64_t at = atomic_load(&c->stopped);

    if (at == CLOCK_RUNNING)
        return;
    atomic_store(&c->base, host_now_ns() - at);
    atomic_store(&c->stopped, CLOCK_RUNNING);
}

uint64_t clock_muldiv(uint64_t value, uint64_t num, uint64_t den)
{
    return (uint64_t)((unsigned __int128)value * num / den);
}

/* -- The heap ---------------------------------------------------------------------------------- */

static void heap_put(struct clock *c, uint32_t pos, struct timer *t)
{
    c->heap[pos] = t;
    t->heap_pos = pos;
}

/* Move t from pos towards the top, or towards the bottom, to where it belongs. */
static void heap_settle(struct clock *c, uint32_t pos, struct timer *t)
{
    while (pos > 0 && c->heap[(pos - 1) / 2]->due_ns > t->due_ns) {
        heap_put(c, pos, c->heap[(pos - 1) / 2]);
        pos = (pos - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * pos + 1;

        if (child + 1 < c->count && c->heap[child + 1]->due_ns < c->heap[child]->due_ns)
            child++;
        if (child >= c->count || c->heap[child]->due_ns >= t->due_ns)
            break;
        heap_put(c, pos, c->heap[child]);
        pos = child;
    }
    heap_put(c, pos, t);
}

static void heap_remove(struct clock *c, struct timer *t)
{
    uint32_t pos = t->heap_pos;
    struct timer *tail = c->heap[--c->count];

    if (tail != t)
        heap_settle(c, pos, tail);
    t->due_ns = TIMER_IDLE;
}

/* -- Timers ------------------------------------------------------------------------------------ */

void timer_init(struct timer *t, void (*fire)(void *opaque), void *opaque)
{
    *t = (struct timer){.due_ns = TIMER_IDLE, .fire = fire, .opaque = opaque};
}

void timer_cancel(struct vm *vm, struct timer *t)
{
    if (t->due_ns != TIMER_IDLE)
        heap_remove(&vm->clock, t);
}

void timer_arm(struct vm *vm, struct timer *t, uint64_t due_ns)
{
    struct clock *c = &vm->clock;

    if (due_ns == t->due_ns)
        return;
    timer_cancel(vm, t);
    if (due_ns == TIMER_IDLE)
        return;
    if (c->count ==
        c->cap) { /* a few words per timer of the machine: once it has grown, it stays */
        uint32_t cap = c->cap * 2;
        struct timer **heap = realloc(c->heap, cap * sizeof(struct timer *));

        if (heap == NULL)
            abort();
        c->heap = heap;
        c->cap = cap;
    }
    t->due_ns = due_ns;
    heap_settle(c, c->count++, t);
    if (due_ns < vm->io.sleep_until) {
        vm->io.sleep_until = due_ns;
        io_kick(vm);
    }
}

bool clock_fire(struct vm *vm, unsigned max)
{
    struct clock *c = &vm->clock;
    uint64_t now = clock_now(vm);

    while (c->count > 0 && c->heap[0]->due_ns <= now) {
        struct timer *t = c->heap[0];

        if (max-- == 0)
            return true;
        heap_remove(c, t);
        t->fire(t->opaque);
    }
    return false;
}

uint64_t clock_wait_ns(struct vm *vm)
{
    struct clock *c = &vm->clock;
    uint64_t now;

    if (c->count == 0 || clock_is_stopped(vm))
        return UINT64_MAX;
    now = clock_now(vm);
    return c->heap[0]->due_ns > now ? c->heap[0]->due_ns - now : 0;
}

int clock_init(struct vm *vm)
{
    struct clock *c = &vm->clock;

    atomic_store(&c->stopped, 0); /* runs from vm_run() on */
    c->cap = 64;
    c->heap = malloc(c->cap * sizeof(struct timer *));
    return c->heap != NULL ? 0 : -ENOMEM;
}

void clock_free(struct vm *vm)
{
    free(vm->clock.heap);
}
