/* SPDX-License-Identifier: MIT */
/* A stand-in for vmm/ that links with devices/ alone: the clock moves only when a test says so, the
 * processor's pins are plain variables, and the host end of every chardev is a buffer. */
#ifndef TESTS_UNIT_FAKE_VMM_H
#define TESTS_UNIT_FAKE_VMM_H

#include "vmm/input.h"
#include "vmm/vm.h"

#define FAKE_RAM (UINT64_C(32) << 20)
#define FAKE_OUT 4096

struct fake {
    bool intr, a20, ignne; /* pins of the processor */
    struct irq ferr;       /* where it drives that pin */
    unsigned nmis;
    unsigned resets, shutdowns; /* requests */
    int exit_code;              /* of vm_request_debug_exit(), or -1 */
    uint64_t wall_ns;           /* clock_wall() at virtual time 0 */
    const struct vcpu_intc *intc;
    void *intc_dev;
    uint8_t *ram;
};

/* A machine with the rows of `rows` (ended by a NULL class) realized and reset at time 0. */
struct vm *fake_create(const struct board_row *rows, const struct vm_config *cfg);
void fake_destroy(struct vm *vm);
struct fake *fake_of(struct vm *vm);

/* Let time pass; timers fire in order, each at its due time. */
void fake_advance(struct vm *vm, uint64_t ns);
/* The same, but everything that falls due fires only at the end, as on a host that was busy. */
void fake_advance_late(struct vm *vm, uint64_t ns);
void fake_reset(struct vm *vm);

/* Text that went to a chardev opened with `spec`, so far; fake_feed() gives it input and returns
 * how many bytes the device took. */
const char *fake_output(struct vm *vm, const char *spec);
size_t fake_feed(struct vm *vm, const char *spec, const void *data, size_t n);

uint8_t inb(struct vm *vm, uint16_t port);
void outb(struct vm *vm, uint16_t port, uint8_t val);

/* An input that counts rising edges. */
struct probe {
    bool level;
    unsigned rises;
};
struct irq probe_irq(struct probe *p);

#endif
