/* SPDX-License-Identifier: MIT */
/* Executing instructions to see what they would do, and taking it back. Whoever rehearses restores
 * the registers; memory reports its writes here before they are made, and makes no access that
 * can't be taken back: to devices and ROM, and writes of bytes that belong to a decoded block. Such
 * an access fails without an exception; so does an instruction that would assert FERR#, and there
 * is no rehearsal while it is asserted. Only what goes the slow way is seen, so c->tlb must be one
 * that never hits; the slow way itself uses what accesses have filled. */
#ifndef CPU_REHEARSAL_H
#define CPU_REHEARSAL_H

#include <stdbool.h>
#include <stdint.h>

#define REHEARSAL_WALKS 32

struct rehearsal {
    /* [host, host + n) of a page of RAM is about to be written. False: it must not be. */
    bool (*write)(struct rehearsal *r, uint8_t *host, unsigned n);
    bool refused; /* an access was not made */
    unsigned nwalked;
    uint64_t walked[REHEARSAL_WALKS]; /* linear addresses whose walks set accessed or dirty bits */
};

#endif
