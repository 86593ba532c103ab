/* SPDX-License-Identifier: MIT */
/* Device instances: made from classes, kept in board order, reset in that order, taken down in the
 * opposite one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/vmm_internal.h"

static void cancel(void *arg, struct timer *t)
{
    timer_cancel(arg, t);
}

/* After state_load() a timer holds its due time but stands in no queue. */
static void rearm(void *arg, struct timer *t)
{
    uint64_t due = t->due_ns;

    t->due_ns = TIMER_IDLE;
    timer_arm(arg, t, due);
}

/* Timers that realize has not reached look idle, so that they can be cancelled on failure. */
static void idle(void *arg, struct timer *t)
{
    (void)arg;
    t->due_ns = TIMER_IDLE;
}

static void device_free(struct device *d)
{
    if (d->cls->fields != NULL)
        state_each_timer(d->cls->fields, d, cancel, d->vm);
    free(d);
}

struct device *device_first(const struct vm *vm)
{
    return vm->devs;
}

struct device *device_find(struct vm *vm, const struct device_class *cls, unsigned index)
{
    for (struct device *d = vm->devs; d != NULL; d = d->next) {
        if (d->cls == cls && d->index == index)
            return d;
    }
    return NULL;
}

struct device *device_create(struct vm *vm, const struct device_class *cls, const void *cfg)
{
    struct device *d = calloc(1, cls->size);
    struct device **end;
    int err;

    if (d == NULL) {
        vm_fail(vm, -ENOMEM, "%s: out of memory", cls->name);
        return NULL;
    }
    d->cls = cls;
    d->vm = vm;
    d->cfg = cfg;
    while (device_find(vm, cls, d->index) != NULL)
        d->index++;
    if (cls->fields != NULL)
        state_each_timer(cls->fields, d, idle, NULL);
    for (end = &vm->devs; *end != NULL; end = &(*end)->next)
        ;
    *end = d;
    vm->err[0] = '\0';
    err = cls->realize != NULL ? cls->realize(d) : 0;
    if (err == 0)
        return d;
    if (vm->err[0] == '\0')
        vm_fail(vm, err, "%s: %s", cls->name, strerror(-err));
    for (end = &vm->devs; *end != d; end = &(*end)->next)
        ; /* realize may have created more devices behind it */
    *end = d->next;
    device_free(d);
    return NULL;
}

int devices_create(struct vm *vm, const struct board *board)
{
    for (const struct board_row *row = board->rows; row->cls != NULL; row++) {
        if (device_create(vm, row->cls, row->cfg) == NULL)
            return -EINVAL;
    }
    return 0;
}

void devices_reset(struct vm *vm)
{
    for (struct device *d = vm->devs; d != NULL; d = d->next) {
        if (d->cls->reset != NULL)
            d->cls->reset(d);
    }
}

void devices_destroy(struct vm *vm)
{
    while (vm->devs != NULL) {
        struct device **at = &vm->devs;
        struct device *d;

        while ((*at)->next != NULL)
            at = &(*at)->next;
        d = *at;
        if (d->cls->unrealize != NULL)
            d->cls->unrealize(d);
        *at = NULL;
        device_free(d);
    }
}

size_t device_state_size(const struct device *d)
{
    return d->cls->fields != NULL ? state_size(d->cls->fields) : 0;
}

void device_save(const struct device *d, uint8_t *buf)
{
    if (d->cls->fields != NULL)
        state_save(d->cls->fields, d, buf);
}

void device_load(struct device *d, const uint8_t *buf)
{
    if (d->cls->fields != NULL) {
        state_each_timer(d->cls->fields, d, cancel, d->vm);
        state_load(d->cls->fields, d, buf);
        state_each_timer(d->cls->fields, d, rearm, d->vm);
    }
    if (d->cls->loaded != NULL)
        d->cls->loaded(d);
}
