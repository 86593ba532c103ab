/* SPDX-License-Identifier: MIT */
/* Device classes and instances. A device is one file: a state struct whose first member is `struct
 * device`, handlers, a table of its state fields, and one const class. */
#ifndef VMM_DEVICE_H
#define VMM_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/irq.h"
#include "vmm/state.h"

struct vm;
struct device;

struct device_class {
    const char *name; /* file name = prefix = this: "pit" */
    const char *desc; /* "8254 interval timer" */
    size_t size;      /* of the state struct */
    const struct field *fields;
    /* Claim ports and memory, find partners, start timers. 0 or -errno, text in vm_error(). */
    int (*realize)(struct device *d);
    /* Power-on and reset-button state; called after all devices are realized, and at each reset, in
     * board order. Machine lock held. */
    void (*reset)(struct device *d);
    /* Undo what realize took outside the struct; NULL where there is nothing. */
    void (*unrealize)(struct device *d);
    /* Rebuild what is derived from the saved fields after they were loaded (timers are re-armed and
     * irq levels re-driven by the device here); NULL where there is nothing. */
    void (*loaded)(struct device *d);
};

/* Head of every device's state struct. */
struct device {
    const struct device_class *cls;
    struct vm *vm;
    struct device *next; /* in board order */
    const void
        *cfg; /* board row's `cfg`: what tells instances apart (base port, ...); may be NULL */
    unsigned index; /* 0, 1, ... among devices of one class */
};

/* One row of a board: which chip, which variant, which interrupt line (-1: none, or found out by
 * the device itself). */
struct board_row {
    const struct device_class *cls;
    const void *cfg;
};

/* A machine: rows in realize order, ended by a row with cls == NULL. */
struct board {
    const char *name;
    const struct board_row *rows;
};

/* Make an instance, append it to the VM's list and realize it. NULL on failure (vm_error()). Used
 * by vm_create() for board rows and for `-device`. */
struct device *device_create(struct vm *vm, const struct device_class *cls, const void *cfg);

/* The saved fields of one device, in device_state_size() bytes, and back. Loading re-arms its
 * timers and calls `loaded`. Machine lock held. */
size_t device_state_size(const struct device *d);
void device_save(const struct device *d, uint8_t *buf);
void device_load(struct device *d, const uint8_t *buf);

/* The first device on the board; the others follow by `next`. */
struct device *device_first(const struct vm *vm);

/* The index-th device of a class, or NULL. */
struct device *device_find(struct vm *vm, const struct device_class *cls, unsigned index);

#endif
