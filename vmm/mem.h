/* SPDX-License-Identifier: MIT */
/* Guest-physical memory: RAM, ROM and MMIO regions, and the checked accessors that devices use.
 *
 * RAM is one memfd mapping, sparse; guest addresses above the 32-bit hole map to its upper part.
 * Regions may be moved or hidden at run time (PCI BARs, PAM); the last mapped one wins where two
 * overlap. Every change flushes the vCPUs' translation caches. */
#ifndef VMM_MEM_H
#define VMM_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/bus.h"

#define PAGE_SIZE    UINT64_C(4096)
#define MEM_UNMAPPED UINT64_MAX

enum region_kind { REGION_RAM, REGION_ROM, REGION_MMIO };

/* One contiguous guest-physical range, a multiple of 4 KiB for RAM and ROM. Embedded in its owner.
 */
struct region {
    const char *name;
    uint64_t base; /* MEM_UNMAPPED: not mapped now */
    uint64_t size;
    enum region_kind kind;
    uint64_t ram_off;         /* RAM, ROM: offset in the VM's memory object */
    const struct io_ops *ops; /* MMIO; NULL: reads as ones, writes are dropped */
    void *dev;                /* MMIO: passed to ops */
    struct region *next;      /* owned by mem */
};

/* Map, move or (base == MEM_UNMAPPED) hide a region. Mapping it again brings it to the top. 0 or
 * -EINVAL (misaligned, wraps). On a vCPU's thread or while no vCPU runs; machine lock held. A
 * region that is mapped when its owner goes must be hidden first. */
int mem_map(struct vm *vm, struct region *r, uint64_t base);

/* Take `size` bytes (rounded up to pages) of the memory object for a ROM or for video memory: what
 * goes into a region's ram_off. For the VM's life. Guest RAM itself has ram_off = guest address
 * below the hole, and mem_below_4g() + (guest address - 4 GiB) above it. */
int mem_alloc(struct vm *vm, uint64_t size, uint64_t *ram_off);

/* Copy from or to guest RAM (ROM for reads). Only RAM is ever reached: holes, MMIO and wrap-around
 * are bus errors: false; a failed read fills dst with ones, a failed write writes nothing. Writes
 * drop cached code. Machine lock held. */
bool dma_read(struct vm *vm, uint64_t pa, void *dst, size_t n);
bool dma_write(struct vm *vm, uint64_t pa, const void *src, size_t n);

/* Put bytes into RAM or ROM at load time, ROM included (firmware, kernels). Same errors as
 * dma_write. */
bool mem_load(struct vm *vm, uint64_t pa, const void *src, size_t n);

/* Bytes of RAM below 4 GiB and from 4 GiB upwards. */
uint64_t mem_below_4g(const struct vm *vm);
uint64_t mem_above_4g(const struct vm *vm);

#endif
