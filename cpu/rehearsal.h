/* SPDX-License-Identifier: MIT */
/* Executing instructions, or delivering an event, to see what that would do, and taking it back.
 * Whoever rehearses restores the registers; memory reports its writes here before they are made,
 * and makes no access that can't be taken back: to devices and ROM, and writes of bytes that belong
 * to a decoded block. Such an access fails without an exception; so does an instruction that would
 * assert FERR#, and there is no rehearsal while it is asserted; and so does a task switch. Only
 * what goes the slow way is seen, so c->tlb must be one that never hits; the slow way itself uses
 * what accesses have filled, unless it is to walk. */
#ifndef CPU_REHEARSAL_H
#define CPU_REHEARSAL_H

#include "cpu/cpu.h"

#define REHEARSAL_WALKS 32

struct rehearsal {
    /* [host, host + n) of a page of RAM is about to be written. False: it must not be. */
    bool (*write)(struct rehearsal *r, uint8_t *host, unsigned n);
    bool walks;   /* the page tables are walked for each access, and nothing is noted there */
    bool refused; /* an access was not made */
    unsigned nwalked;
    uint64_t walked[REHEARSAL_WALKS]; /* linear addresses whose walks set accessed or dirty bits */
};

/* What is about to be done can't be taken back: false where nothing is rehearsed. */
static inline bool rehearsal_refuses(const struct cpu *c)
{
    if (c->rehearsal != NULL)
        c->rehearsal->refused = true;
    return c->rehearsal != NULL;
}

#endif
