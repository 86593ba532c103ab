/* SPDX-License-Identifier: MIT */
/* Who answers which I/O port, and how an access of any width and alignment becomes calls of a
 * device's handlers. Memory-mapped registers use the same dispatch (io_read, io_write). */
#include <errno.h>
#include <inttypes.h>

#include "vmm/vmm_internal.h"

static uint64_t low_bytes(unsigned n)
{
    return n < 8 ? (UINT64_C(1) << (8 * n)) - 1 : UINT64_MAX;
}

/* The widest implemented access that is aligned at off and takes at most n bytes; 0: none. */
static unsigned fitting_size(const struct io_ops *ops, uint64_t off, unsigned n)
{
    for (unsigned size = IO_64; size > 0; size /= 2) {
        if ((ops->sizes & size) && size <= n && (off % size == 0 || ops->sizes & IO_UNALIGNED))
            return size;
    }
    return 0;
}

static unsigned smallest_size(const struct io_ops *ops)
{
    for (unsigned size = IO_8; size < IO_64; size *= 2) {
        if (ops->sizes & size)
            return size;
    }
    return IO_64;
}

uint64_t io_read(const struct io_ops *ops, void *dev, uint64_t off, unsigned n)
{
    uint64_t val = 0;
    unsigned done = 0;

    if (ops->read == NULL)
        return low_bytes(n);
    while (done < n) {
        uint64_t at = off + done;
        unsigned take = fitting_size(ops, at, n - done), skip = 0;
        uint64_t part;

        if (take > 0) {
            part = ops->read(dev, (uint32_t)at, take);
        } else { /* only wider registers: read one and cut out */
            unsigned size = smallest_size(ops);

            skip = (unsigned)(at % size);
            take = size - skip < n - done ? size - skip : n - done;
            part = ops->read(dev, (uint32_t)(at - skip), size) >> (8 * skip);
        }
        val |= (part & low_bytes(take)) << (8 * done);
        done += take;
    }
    return val;
}

void io_write(const struct io_ops *ops, void *dev, uint64_t off, unsigned n, uint64_t val)
{
    unsigned done = 0;

    if (ops->write == NULL)
        return;
    while (done < n) {
        uint64_t at = off + done;
        uint64_t part = val >> (8 * done);
        unsigned take = fitting_size(ops, at, n - done);

        if (take > 0) {
            ops->write(dev, (uint32_t)at, take, part & low_bytes(take));
        } else {
            unsigned size = smallest_size(ops);
            unsigned skip = (unsigned)(at % size);

            take = size - skip < n - done ? size - skip : n - done;
            ops->write(dev, (uint32_t)(at - skip), size, (part & low_bytes(take)) << (8 * skip));
        }
        done += take;
    }
}

/* -- Claims ------------------------------------------------------------------------------------ */

int bus_claim_ports(struct vm *vm, const char *name, uint16_t first, uint16_t count,
                    const struct io_ops *ops, void *dev)
{
    struct bus *b = &vm->bus;
    uint32_t end = (uint32_t)first + count;
    unsigned slot = 0;

    if (count == 0 || end > BUS_PORTS)
        return vm_fail(vm, -EINVAL, "%s: bad port range 0x%x+%u", name, first, count);
    for (uint32_t port = first; port < end; port++) {
        if (b->owner[port] != 0)
            return vm_fail(vm, -EBUSY, "%s: port 0x%" PRIx32 " already belongs to %s", name, port,
                           b->claims[b->owner[port] - 1].name);
    }
    while (slot < BUS_MAX_CLAIMS && b->claims[slot].count != 0)
        slot++;
    if (slot == BUS_MAX_CLAIMS)
        return vm_fail(vm, -ENOSPC, "%s: too many port claims", name);
    b->claims[slot] = (struct port_claim){name, first, count, ops, dev};
    for (uint32_t port = first; port < end; port++)
        b->owner[port] = (uint16_t)(slot + 1);
    return 0;
}

void bus_release_ports(struct vm *vm, uint16_t first, void *dev)
{
    struct bus *b = &vm->bus;

    for (unsigned i = 0; i < BUS_MAX_CLAIMS; i++) {
        struct port_claim *c = &b->claims[i];

        if (c->count == 0 || c->first != first || c->dev != dev)
            continue;
        for (uint32_t port = c->first; port < c->first + c->count; port++)
            b->owner[port] = 0;
        c->count = 0;
    }
}

/* -- Ports ------------------------------------------------------------------------------------- */

/* The claim at a port, and in *n how many of *n bytes from there have the same owner. */
static const struct port_claim *port_claim(const struct bus *b, uint32_t port, unsigned *n)
{
    unsigned owner = port < BUS_PORTS ? b->owner[port] : 0;
    unsigned same = 1;

    while (same < *n && (port + same < BUS_PORTS ? b->owner[port + same] : 0) == owner)
        same++;
    /* Handlers know accesses of 1, 2 and 4 bytes. */
    *n = same == 3 ? 2 : same;
    return owner != 0 ? &b->claims[owner - 1] : NULL;
}

uint32_t bus_in_locked(struct vm *vm, uint16_t port, unsigned n)
{
    uint32_t val = 0;

    for (unsigned done = 0; done < n;) {
        uint32_t at = (uint32_t)port + done;
        unsigned len = n - done;
        const struct port_claim *c = port_claim(&vm->bus, at, &len);
        uint64_t part = low_bytes(len);

        if (c != NULL)
            part = io_read(c->ops, c->dev, at - c->first, len);
        val |= (uint32_t)(part << (8 * done));
        vm_log(vm, LOG_IO, "in   %04" PRIx32 " n=%u = %0*" PRIx64 " %s", at, len, 2 * (int)len,
               part, c != NULL ? c->name : "nobody");
        done += len;
    }
    return val;
}

void bus_out_locked(struct vm *vm, uint16_t port, unsigned n, uint32_t val)
{
    for (unsigned done = 0; done < n;) {
        uint32_t at = (uint32_t)port + done;
        unsigned len = n - done;
        const struct port_claim *c = port_claim(&vm->bus, at, &len);
        uint64_t part = (val >> (8 * done)) & low_bytes(len);

        vm_log(vm, LOG_IO, "out  %04" PRIx32 " n=%u = %0*" PRIx64 " %s", at, len, 2 * (int)len,
               part, c != NULL ? c->name : "nobody");
        if (c != NULL)
            io_write(c->ops, c->dev, at - c->first, len, part);
        done += len;
    }
}

uint32_t bus_port_in(struct vm *vm, uint16_t port, unsigned n)
{
    uint32_t val;

    vm_lock(vm);
    val = bus_in_locked(vm, port, n);
    vm_unlock(vm);
    return val;
}

void bus_port_out(struct vm *vm, uint16_t port, unsigned n, uint32_t val)
{
    vm_lock(vm);
    bus_out_locked(vm, port, n, val);
    vm_unlock(vm);
}

void bus_each_claim(struct vm *vm, bus_claim_fn fn, void *arg)
{
    for (unsigned port = 0; port < BUS_PORTS; port++) {
        unsigned owner = vm->bus.owner[port];
        const struct port_claim *c = &vm->bus.claims[owner > 0 ? owner - 1 : 0];

        if (owner > 0 && port == c->first)
            fn(arg, c->name, c->first, c->first + c->count - 1);
    }
}
