/* SPDX-License-Identifier: MIT */
/* Lockstep: before translated code runs, the interpreter executes the same instructions; then what
 * it did is undone, the translated code runs, and both results are compared. */
#ifndef JIT_LOCKSTEP_H
#define JIT_LOCKSTEP_H

#include "jit/code.h"

/* Translated code came back behind the block's last instruction. */
#define LOCKSTEP_END UINT32_MAX

int lockstep_create(struct jit *j);
void lockstep_free(struct jit *j);

/* Does translated code go from block to block by itself? */
static inline bool runs_linked(const struct jit *j)
{
    return j->lockstep == NULL || j->cpu->log_items & LOG_LOCKSTEP_LINKS;
}

/* Translated code is about to run from instruction k of x on; the state is in struct cpu. Leaves
 * the state as it is. `entered`: by the block's entry, which counts. */
void lockstep_begin(struct jit *j, struct code *x, unsigned k, bool entered);

/* Translated code has come to a stop before instruction k of x, or left the block; the state is in
 * struct cpu. x may be NULL where it left the block. False: it is not what the interpreter made of
 * it. That has been logged, and the processor asked to stop. */
bool lockstep_check(struct jit *j, struct code *x, unsigned k);

/* All of a segment register. */
bool seg_equal(const struct seg *a, const struct seg *b);

/* What was rehearsed has not been run, or compared. */
void lockstep_end(struct jit *j);

/* The processor is to stop: something has been logged. */
void lockstep_fail(struct jit *j);

/* Is an interrupt allowed here, as far as is known? If not, that has been logged, and the processor
 * asked to stop. */
bool lockstep_allows_interrupt(struct jit *j);

/* Did the rehearsal execute instruction k of x, before which translated code is? */
bool lockstep_covers(const struct jit *j, const struct code *x, unsigned k);

/* Has instruction k of x trapped by a write, only because it was not to write there? */
bool lockstep_is_suspect(const struct jit *j, const struct code *x, unsigned k);

/* It has: where it may, it does not trap. */
void lockstep_say_stray(struct jit *j, const struct code *x, unsigned k);

/* Does instruction k of b read a flag that those before it left undefined? Then it may show. */
bool lockstep_reads_undefined(const struct jit *j, const struct block *b, unsigned k);

/* Instructions that ran without a comparison. */
void lockstep_note_interpreted(struct jit *j, const struct code *x, unsigned k);
void lockstep_note_cold(struct jit *j, uint64_t insns);

#endif
