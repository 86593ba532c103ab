/* SPDX-License-Identifier: MIT */
/* Guest-physical memory: RAM, ROM and MMIO regions, and the checked accessors that devices use.
 *
 * RAM is one memfd mapping, sparse; guest addresses above the 32-bit hole map to its upper part.
 * Regions may be moved or hidden at run time (PCI BARs, PAM); the last mapped one wins where two
 * overlap. Every change flushes the vCPUs' translation caches. */
#ifndef VMM_MEM_H
#define VMM_MEM_H

#include <stdatomic.h>
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
    struct mem_watch *watch;  /* RAM: of ram_off and on; NULL: writes are not watched */
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

/* A piece of the memory object as its owner reaches it: page n is at host + n * stride. */
struct mem_piece {
    uint8_t *host;
    uint64_t stride;
};
struct mem_piece mem_piece(struct vm *vm, uint64_t ram_off);

/* Which pages of a piece of the memory object were written: for who draws what is there. Regions
 * that show the piece, or a part of it, name the watch.
 *
 * A page is closed or open. The first write to a closed page traps and opens it, and some of its
 * neighbours: from then on writes cost nothing and are not noticed. mem_watch_take() tells of all
 * open pages and asks the vCPU to close them, which it does at its next convenience; since they may
 * have been written until then, the next call tells of them once more. So pages that nobody writes
 * cost nothing, and without calls all pages stay open. */
struct mem_watch {
    uint64_t first, pages; /* of the memory object */
    atomic_uchar *open;    /* by page; set by any thread with the machine lock, cleared by the
                            * vCPU's thread or while it does not run */
    uint8_t *changed;      /* by page: to be told of at the next call; machine lock */
    atomic_bool any_open;
    bool any_changed, closing;
    struct mem_watch *next;
};

/* Watch `size` bytes, a multiple of a page, from ram_off on. 0 or -ENOMEM. All pages are open. */
int mem_watch_create(struct vm *vm, struct mem_watch *w, uint64_t ram_off, uint64_t size);
/* When no mapped region names it any more. */
void mem_watch_free(struct vm *vm, struct mem_watch *w);
/* Bytes off .. off + n - 1 of the piece were written by the owner. Machine lock held, as below. */
void mem_watch_note(struct mem_watch *w, uint64_t off, uint64_t n);
/* By page, whether it may have been written since the last call. False: none was. */
bool mem_watch_take(struct vm *vm, struct mem_watch *w, uint8_t *pages);

/* Copy from or to guest RAM (ROM for reads). Only RAM is ever reached: holes, MMIO and wrap-around
 * are bus errors: false; a failed read fills dst with ones, a failed write writes nothing. Writes
 * drop cached code. Machine lock held. */
bool dma_read(struct vm *vm, uint64_t pa, void *dst, size_t n);
bool dma_write(struct vm *vm, uint64_t pa, const void *src, size_t n);

/* Put bytes into RAM or ROM at load time, ROM included (firmware, kernels). Same errors as
 * dma_write. */
bool mem_load(struct vm *vm, uint64_t pa, const void *src, size_t n);

/* Call fn for each piece of the address space that shows something, in order. Machine lock held. */
typedef void (*mem_span_fn)(void *arg, uint64_t first, uint64_t last, const struct region *r);
void mem_each_span(struct vm *vm, mem_span_fn fn, void *arg);

/* Bytes of RAM below 4 GiB and from 4 GiB upwards. */
uint64_t mem_below_4g(const struct vm *vm);
uint64_t mem_above_4g(const struct vm *vm);

#endif
