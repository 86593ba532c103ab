/* SPDX-License-Identifier: MIT */
/* Port and MMIO claims: which device answers which address. Ports and MMIO use the same handlers.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdint.h>

struct vm;
struct device;

enum io_size { IO_8 = 1, IO_16 = 2, IO_32 = 4, IO_64 = 8, IO_UNALIGNED = 16 };

/* off is relative to the start of the claim; n is 1, 2, 4 or 8 and one of `sizes`. The bus splits
 * wider accesses into the widest implemented size that is aligned and fits, and for narrower
 * accesses to a device without that size reads the whole register and extracts (reads) or widens
 * with zeroes (writes). With IO_UNALIGNED, sizes need not be aligned. Handlers run with the machine
 * lock held, on a vCPU's thread. */
struct io_ops {
    uint64_t (*read)(void *dev, uint32_t off, unsigned n);
    void (*write)(void *dev, uint32_t off, unsigned n, uint64_t val);
    uint8_t sizes; /* set of enum io_size */
};

/* Claim `count` ports from `first`. 0, or -EBUSY where another claim overlaps (vm_error() names
 * both owners). `dev` is the device's own state, passed to the handlers; `name` is for messages. */
int bus_claim_ports(struct vm *vm, const char *name, uint16_t first, uint16_t count,
                    const struct io_ops *ops, void *dev);

/* Give back every port claim of `dev` that starts at `first` (PM base moved, BAR turned off). */
void bus_release_ports(struct vm *vm, uint16_t first, void *dev);

/* Call fn for each claim of ports, in their order. Machine lock held. */
typedef void (*bus_claim_fn)(void *arg, const char *name, unsigned first, unsigned last);
void bus_each_claim(struct vm *vm, bus_claim_fn fn, void *arg);

/* n is 1, 2 or 4. Unclaimed ports read as all ones; writes to them are dropped. Takes the machine
 * lock. */
uint32_t bus_port_in(struct vm *vm, uint16_t port, unsigned n);
void bus_port_out(struct vm *vm, uint16_t port, unsigned n, uint32_t val);
/* The same with the machine lock held. */
uint32_t bus_in_locked(struct vm *vm, uint16_t port, unsigned n);
void bus_out_locked(struct vm *vm, uint16_t port, unsigned n, uint32_t val);

#endif
