/* SPDX-License-Identifier: MIT */
/* See fake_vmm.h. Ports are byte-wide tables; only what chips on the ISA bus use is here. */
#include "tests/unit/fake_vmm.h"

#include "devices/ioapic.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CLAIMS   64
#define MAX_TIMERS   64
#define MAX_CHARDEVS 8

struct claim {
    uint16_t first, count;
    const struct io_ops *ops;
    void *dev;
};

struct chardev {
    const char *spec;
    const struct chardev_ops *ops;
    void *dev;
    char out[FAKE_OUT];
    size_t len;
};

struct vm {
    struct fake fake;
    struct vm_config cfg;
    struct claim claims[MAX_CLAIMS];
    unsigned nclaims;
    struct device *devs;
    uint64_t now;
    struct timer *timers[MAX_TIMERS];
    unsigned ntimers;
    struct chardev *chardevs[MAX_CHARDEVS];
    unsigned nchardevs;
    const struct input_ops *input;
    void *input_dev;
    char error[VM_ERR_LEN];
};

/* -- Clock ---------------------------------------------------------------------------------------
 */

uint64_t clock_now(const struct vm *vm)
{
    return vm->now;
}

uint64_t clock_wall(const struct vm *vm)
{
    return vm->fake.wall_ns + vm->now;
}

uint64_t clock_muldiv(uint64_t value, uint64_t num, uint64_t den)
{
    return (uint64_t)((unsigned __int128)value * num / den);
}

void timer_init(struct timer *t, void (*fire)(void *opaque), void *opaque)
{
    *t = (struct timer){TIMER_IDLE, fire, opaque, 0};
}

void timer_cancel(struct vm *vm, struct timer *t)
{
    t->due_ns = TIMER_IDLE;
    for (unsigned k = 0; k < vm->ntimers; k++) {
        if (vm->timers[k] == t)
            vm->timers[k] = vm->timers[--vm->ntimers];
    }
}

void timer_arm(struct vm *vm, struct timer *t, uint64_t due_ns)
{
    timer_cancel(vm, t);
    if (vm->ntimers == MAX_TIMERS)
        abort();
    t->due_ns = due_ns;
    vm->timers[vm->ntimers++] = t;
}

static struct timer *first_due(struct vm *vm, uint64_t until)
{
    struct timer *best = NULL;

    for (unsigned k = 0; k < vm->ntimers; k++) {
        if (vm->timers[k]->due_ns <= until && (!best || vm->timers[k]->due_ns < best->due_ns))
            best = vm->timers[k];
    }
    return best;
}

static void advance(struct vm *vm, uint64_t until, bool late)
{
    struct timer *t;

    if (late)
        vm->now = until;
    while ((t = first_due(vm, until)) != NULL) {
        if (vm->now < t->due_ns)
            vm->now = t->due_ns;
        timer_cancel(vm, t);
        t->fire(t->opaque);
    }
    vm->now = until;
}

void fake_advance(struct vm *vm, uint64_t ns)
{
    advance(vm, vm->now + ns, false);
}

void fake_advance_late(struct vm *vm, uint64_t ns)
{
    advance(vm, vm->now + ns, true);
}

/* -- Ports and memory ----------------------------------------------------------------------------
 */

int bus_claim_ports(struct vm *vm, const char *name, uint16_t first, uint16_t count,
                    const struct io_ops *ops, void *dev)
{
    for (unsigned k = 0; k < vm->nclaims; k++) {
        struct claim *c = &vm->claims[k];

        if (first < c->first + c->count && c->first < first + count)
            return vm_fail(vm, -EBUSY, "%s: port %x is taken", name, first);
    }
    if (vm->nclaims == MAX_CLAIMS)
        abort();
    vm->claims[vm->nclaims++] = (struct claim){first, count, ops, dev};
    return 0;
}

void bus_release_ports(struct vm *vm, uint16_t first, void *dev)
{
    for (unsigned k = 0; k < vm->nclaims; k++) {
        if (vm->claims[k].first == first && vm->claims[k].dev == dev)
            vm->claims[k--] = vm->claims[--vm->nclaims];
    }
}

static struct claim *claim_of(struct vm *vm, uint16_t port)
{
    for (unsigned k = 0; k < vm->nclaims; k++) {
        if ((uint16_t)(port - vm->claims[k].first) < vm->claims[k].count)
            return &vm->claims[k];
    }
    return NULL;
}

uint8_t inb(struct vm *vm, uint16_t port)
{
    struct claim *c = claim_of(vm, port);

    return c == NULL ? 0xff : (uint8_t)c->ops->read(c->dev, (uint32_t)(port - c->first), 1);
}

void outb(struct vm *vm, uint16_t port, uint8_t val)
{
    struct claim *c = claim_of(vm, port);

    if (c != NULL)
        c->ops->write(c->dev, (uint32_t)(port - c->first), 1, val);
}

bool dma_read(struct vm *vm, uint64_t pa, void *dst, size_t n)
{
    if (pa > FAKE_RAM || n > FAKE_RAM - pa) {
        memset(dst, 0xff, n);
        return false;
    }
    memcpy(dst, vm->fake.ram + pa, n);
    return true;
}

bool dma_write(struct vm *vm, uint64_t pa, const void *src, size_t n)
{
    if (pa > FAKE_RAM || n > FAKE_RAM - pa)
        return false;
    memcpy(vm->fake.ram + pa, src, n);
    return true;
}

uint64_t mem_below_4g(const struct vm *vm)
{
    return vm->cfg.ram_bytes < VM_RAM_HOLE ? vm->cfg.ram_bytes : VM_RAM_HOLE;
}

uint64_t mem_above_4g(const struct vm *vm)
{
    return vm->cfg.ram_bytes - mem_below_4g(vm);
}

int mem_map(struct vm *vm, struct region *r, uint64_t base)
{
    (void)vm;
    r->base = base;
    return 0;
}

/* -- Chardevs ------------------------------------------------------------------------------------
 */

struct chardev *chardev_open(struct vm *vm, const char *label, const char *spec, char *err)
{
    struct chardev *cd = calloc(1, sizeof(*cd));

    (void)label;
    if (cd == NULL || vm->nchardevs == MAX_CHARDEVS)
        abort();
    err[0] = 0;
    cd->spec = spec;
    vm->chardevs[vm->nchardevs++] = cd;
    return cd;
}

void chardev_close(struct chardev *cd)
{
    cd->ops = NULL; /* freed with the machine */
}

const struct chardev_ops chardev_no_input = {0};

void chardev_attach(struct chardev *cd, const struct chardev_ops *ops, void *dev)
{
    cd->ops = ops;
    cd->dev = dev;
}

void chardev_write(struct chardev *cd, const uint8_t *data, size_t n)
{
    for (; n > 0 && cd->len < FAKE_OUT - 1; n--)
        cd->out[cd->len++] = (char)*data++;
}

void chardev_accept_input(struct chardev *cd)
{
    (void)cd;
}

static struct chardev *chardev_of(struct vm *vm, const char *spec)
{
    for (unsigned k = 0; k < vm->nchardevs; k++) {
        if (strcmp(vm->chardevs[k]->spec, spec) == 0)
            return vm->chardevs[k];
    }
    abort();
}

const char *fake_output(struct vm *vm, const char *spec)
{
    return chardev_of(vm, spec)->out;
}

size_t fake_feed(struct vm *vm, const char *spec, const void *data, size_t n)
{
    struct chardev *cd = chardev_of(vm, spec);
    size_t room = cd->ops->can_receive(cd->dev);

    if (n > room)
        n = room;
    if (n > 0)
        cd->ops->receive(cd->dev, data, n);
    return n;
}

/* -- Processor and machine -----------------------------------------------------------------------
 */

void vcpu_set_intr(struct vm *vm, unsigned cpu, bool level)
{
    (void)cpu;
    vm->fake.intr = level;
}

void vcpu_pulse_nmi(struct vm *vm, unsigned cpu)
{
    (void)cpu;
    vm->fake.nmis++;
}

void vcpu_set_a20(struct vm *vm, bool enabled)
{
    vm->fake.a20 = enabled;
}

void vcpu_set_ignne(struct vm *vm, unsigned cpu, bool asserted)
{
    (void)cpu;
    vm->fake.ignne = asserted;
}

void vcpu_connect_ferr(struct vm *vm, unsigned cpu, struct irq line)
{
    (void)cpu;
    vm->fake.ferr = line;
}

void vcpu_attach_intc(struct vm *vm, unsigned cpu, const struct vcpu_intc *intc, void *dev)
{
    (void)cpu;
    vm->fake.intc = intc;
    vm->fake.intc_dev = dev;
}

uint64_t vcpu_tsc_hz(const struct vm *vm)
{
    (void)vm;
    return NS_PER_SEC;
}

void vm_request_reset(struct vm *vm)
{
    vm->fake.resets++;
}

void vm_suspend(struct vm *vm)
{
    (void)vm;
}

void vm_wake(struct vm *vm)
{
    (void)vm;
}

void vm_request_shutdown(struct vm *vm)
{
    vm->fake.shutdowns++;
}

void vm_request_debug_exit(struct vm *vm, int code)
{
    vm->fake.exit_code = code;
}

int vm_fail(struct vm *vm, int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(vm->error, sizeof(vm->error), fmt, ap);
    va_end(ap);
    return err;
}

const char *vm_error(const struct vm *vm)
{
    return vm->error;
}

const struct vm_config *vm_config(const struct vm *vm)
{
    return &vm->cfg;
}

void vm_lock(struct vm *vm)
{
    (void)vm;
}

void vm_unlock(struct vm *vm)
{
    (void)vm;
}

void vm_log(struct vm *vm, unsigned item, const char *fmt, ...)
{
    (void)vm;
    (void)item;
    (void)fmt;
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
    struct device **tail = &vm->devs, *d = calloc(1, cls->size);

    if (d == NULL)
        abort();
    while (device_find(vm, cls, d->index) != NULL)
        d->index++;
    while (*tail != NULL)
        tail = &(*tail)->next;
    d->cls = cls;
    d->vm = vm;
    d->cfg = cfg;
    *tail = d;
    return cls->realize(d) == 0 ? d : NULL;
}

void input_attach(struct vm *vm, const struct input_ops *ops, void *dev)
{
    vm->input = ops;
    vm->input_dev = dev;
}

void input_detach(struct vm *vm, void *dev)
{
    (void)dev;
    vm->input = NULL;
}

void input_key(struct vm *vm, enum key_code key, bool down)
{
    vm->input->key(vm->input_dev, key, down);
}

void input_mouse(struct vm *vm, int dx, int dy, int dz, unsigned buttons)
{
    vm->input->mouse(vm->input_dev, dx, dy, dz, buttons);
}

void fake_reset(struct vm *vm)
{
    for (struct device *d = vm->devs; d != NULL; d = d->next)
        d->cls->reset(d);
}

struct vm *fake_create(const struct board_row *rows, const struct vm_config *cfg)
{
    struct vm *vm = calloc(1, sizeof(*vm));

    if (vm == NULL)
        abort();
    vm->fake.ram = calloc(1, FAKE_RAM);
    vm->fake.exit_code = -1;
    vm->fake.a20 = true;
    if (cfg != NULL)
        vm->cfg = *cfg;
    if (vm->cfg.ram_bytes == 0)
        vm->cfg.ram_bytes = FAKE_RAM;
    for (; rows->cls != NULL; rows++) {
        if (device_create(vm, rows->cls, rows->cfg) == NULL)
            abort();
    }
    fake_reset(vm);
    return vm;
}

void fake_destroy(struct vm *vm)
{
    struct device *d, *next;

    for (d = vm->devs; d != NULL; d = next) {
        next = d->next;
        if (d->cls->unrealize != NULL)
            d->cls->unrealize(d);
        free(d);
    }
    for (unsigned k = 0; k < vm->nchardevs; k++)
        free(vm->chardevs[k]);
    free(vm->fake.ram);
    free(vm);
}

struct fake *fake_of(struct vm *vm)
{
    return &vm->fake;
}

static void probe_set(void *opaque, int n, bool level)
{
    struct probe *p = opaque;

    (void)n;
    if (level && !p->level)
        p->rises++;
    p->level = level;
}

struct irq probe_irq(struct probe *p)
{
    return (struct irq){probe_set, p, 0};
}

/* A machine without I/O APIC, unless the test brings one. */
__attribute__((weak)) struct irq ioapic_input(struct vm *vm, unsigned gsi)
{
    (void)vm;
    (void)gsi;
    return (struct irq){NULL, NULL, 0};
}
