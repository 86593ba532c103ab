/* SPDX-License-Identifier: MIT */
/* What the processor tells the translator that runs it, if one does. The interpreter stays the
 * reference: a translator takes over where cpu_run() would run a decoded block, executes as much as
 * it can, and calls back for everything else. All calls but nudge() come on the processor's own
 * thread. */
#ifndef CPU_TRANSLATOR_H
#define CPU_TRANSLATOR_H

#include "cpu/block.h"
#include "cpu/cpu.h"

/* A linear page of 4 KiB that was translated. */
struct filled_page {
    uint64_t la, pa;
    const uint8_t *rd,
        *wr;             /* host addresses where it may be read and written directly, else NULL */
    const uint8_t *code; /* like wr, but it holds code: only beside that (code_added) */
    uint8_t shift;       /* log2 of the guest's page, of which it is a part */
    bool global;
    bool ahead; /* translated in advance: no access has been made yet */
};

/* Of the translations of an address space that the processor returns to. */
enum space_state {
    SPACE_KEPT,      /* still valid */
    SPACE_UNCERTAIN, /* the page tables may have changed: mem_peek() tells */
    SPACE_INVALID,
};

/* Deliver an event of this vector: what is recorded in struct cpu, or an external one. False: the
 * processor shuts down. */
typedef bool (*deliver_fn)(struct cpu *c, unsigned vec);

struct translator {
    /* Run from c->r[RIP] until an interrupt, a debug condition or a request needs service. False:
     * the processor shut down. */
    bool (*run)(struct cpu *c);
    /* A page was translated for accesses of kind `mmu`. False: that was known. */
    bool (*filled)(struct cpu *c, unsigned mmu, const struct filled_page *page);
    /* Translations are no longer valid: those of one page (maybe_large: which may be larger than 4
     * KiB), or all, or all but global ones. */
    void (*forget_page)(struct cpu *c, uint64_t la, bool maybe_large);
    void (*forget)(struct cpu *c, bool global_too);
    /* CR3 was written: from now on translations that are not global are those of address space
     * `tag`. What is known of it is as `state` says. */
    void (*enter_space)(struct cpu *c, uint64_t tag, enum space_state state);
    /* Translations of that address space are no longer valid. */
    void (*forget_space)(struct cpu *c, uint64_t tag);
    /* Code that was found at linear addresses may now be elsewhere; where the page was mapped
     * global (block_is_global()) only with global_too. */
    void (*code_moved)(struct cpu *c, bool global_too);
    /* This physical page holds code now: no direct writes to it any more. */
    void (*protect)(struct cpu *c, uint64_t pa);
    /* No direct writes any more to the pages with these host addresses. */
    void (*end_writes)(struct cpu *c, const uint8_t *begin, const uint8_t *end);
    /* Bytes [first, last] of a physical page belong to a block; none of it do any more, but those
     * that are added again now. */
    void (*code_added)(struct cpu *c, uint64_t pa, unsigned first, unsigned last);
    void (*code_removed)(struct cpu *c, uint64_t pa);
    /* A block was overwritten or is one of the oldest; it is dead, and its memory is used for
     * another one now; all blocks were dropped. */
    void (*block_killed)(struct cpu *c, struct block *b);
    void (*block_dropped)(struct cpu *c, struct block *b);
    void (*blocks_cleared)(struct cpu *c);
    /* An event is due before the instruction at c->r[RIP], `external` if that is no reason for it:
     * have it delivered by fn(c, vec), and return what that does. */
    bool (*deliver)(struct cpu *c, deliver_fn fn, unsigned vec, bool external);
    /* cpu_attend() has made c->poll bad, on any thread: translated code is to stop soon.
     * async-signal-safe. */
    void (*nudge)(struct cpu *c);
};

#endif
