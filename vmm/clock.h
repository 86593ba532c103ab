/* SPDX-License-Identifier: MIT */
/* Virtual time and timers of one VM.
 *
 * Time is nanoseconds since the VM was created; it stands still while the VM is paused. Devices
 * keep no other time: they compute counters from clock_now() and arm timers for what must happen
 * later. All calls need the machine lock, but clock_now(), which any thread may call. */
#ifndef VMM_CLOCK_H
#define VMM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_SEC UINT64_C(1000000000)
#define TIMER_IDLE UINT64_MAX

struct vm;

/* Lives inside its device; fire() is called once, with the machine lock held, at or after due_ns.
 */
struct timer {
    uint64_t due_ns; /* TIMER_IDLE: not armed */
    void (*fire)(void *opaque);
    void *opaque;
    uint32_t heap_pos; /* owned by the clock */
};

uint64_t clock_now(const struct vm *vm);

/* Wall-clock time of the guest in nanoseconds since 1970-01-01 UTC: what a battery-backed RTC
 * shows. */
uint64_t clock_wall(const struct vm *vm);

/* Once, before the first arm; the timer starts idle. */
void timer_init(struct timer *t, void (*fire)(void *opaque), void *opaque);

/* (Re)arm for an absolute time; a time in the past fires as soon as possible. */
void timer_arm(struct vm *vm, struct timer *t, uint64_t due_ns);

/* No effect when idle. */
void timer_cancel(struct vm *vm, struct timer *t);

/* value * num / den without overflow of the product; den != 0. */
uint64_t clock_muldiv(uint64_t value, uint64_t num, uint64_t den);

#endif
