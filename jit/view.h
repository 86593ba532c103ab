/* SPDX-License-Identifier: MIT */
/* The translated code's view of guest RAM, and the promise that makes unchecked accesses safe.
 *
 * A table of the translator is indexed by VIEW_INDEX_BITS bits of the linear address, without a
 * tag. An address that shares the index but not the upper bits comes out a multiple of VIEW_MODULUS
 * away from the page that the entry means. So no such place may be mapped: the address space is cut
 * into slices of VIEW_MODULUS bytes, and the place that the view takes in its slice is reserved,
 * inaccessible, in every other slice. What lies outside the host's user half faults by itself, but
 * for the kernel's vsyscall page, whose place is avoided.
 *
 * Where the host does not allow that (no such place is free, as with sanitizers; userfaultfd is
 * forbidden), the view is `checked`: it lies anywhere within one slice, and translated code
 * compares the upper bits of each address, and the bit that leads to a hole, before the access. */
#ifndef JIT_VIEW_H
#define JIT_VIEW_H

#include <stdint.h>

#include "jit/config.h"
#include "jit/jit.h"

#define VIEW_INDEX_BITS 24
#define VIEW_MODULUS    (UINT64_C(1) << (VIEW_INDEX_BITS + 12))

/* Inaccessible space before and behind the view: an access through a poisoned entry lands in the
 * middle of the first one. */
#define VIEW_GUARD (UINT64_C(64) << 10)

/* An access may be made by the entry of a page that begins this much before the access's page, or
 * so much behind it: it lands in the hole beside the entry's page, or in a guard. */
#define VIEW_REACH 4096

struct view {
    uint8_t *base;   /* of the RAM mapping: VIEW_GUARD bytes into the window */
    uint64_t window; /* address of the lowest window */
    uint64_t slices; /* that have a window */
    uint64_t bytes;  /* of a window, guards included */
    bool checked;    /* accesses are checked by the code that makes them */
    uint64_t ram_bytes;
    const uint8_t *ram_host;
    int uffd;
    uint8_t *touched; /* by page of RAM: it has been accessed, so the memory object has it */
};

/* 0 or -errno with a reason. Call it when everything else is mapped. */
int view_create(struct view *v, const struct jit_ram *ram, enum jit_checks checks, char *err);
void view_free(struct view *v);

/* The view's address of a page that the machine knows by `host`. */
static inline uint64_t view_of(const struct view *v, const uint8_t *host)
{
    return (uint64_t)(uintptr_t)v->base + (uint64_t)(host - v->ram_host);
}

/* Addresses in the view have this bit clear; those that a poisoned entry leads to have it set. */
#define VIEW_POISON_BIT VIEW_MODULUS

/* What pext with VIEW_CHECK makes of an address in a page of the view. */
#define VIEW_CHECK (VIEW_HOLE_BIT | ~(VIEW_MODULUS - 1))

static inline uint32_t view_checked(const struct view *v)
{
    return (uint32_t)((uint64_t)(uintptr_t)v->base / VIEW_MODULUS << 1);
}

/* Addresses in a page of RAM have this bit clear; those in the hole behind it have it set. */
#define VIEW_HOLE_BIT (JIT_RAM_STRIDE / 2)

/* The value of an entry that allows nothing, for the page with this index: it leads to the middle
 * of the space before the view, one slice higher. */
static inline uint64_t view_poison(const struct view *v, uint64_t index)
{
    return ((uint64_t)(uintptr_t)v->base | VIEW_POISON_BIT) - VIEW_GUARD / 2 - (index << 12);
}

#endif
