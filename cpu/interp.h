/* SPDX-License-Identifier: MIT */
/* Parts of the interpreter's loop that the translator uses for what it does not run itself. */
#ifndef CPU_INTERP_H
#define CPU_INTERP_H

#include "cpu/block.h"

/* Run at most `max` instructions of a block. False: an exception is recorded, RIP is at the
 * faulting instruction. */
bool interp_block(struct cpu *c, const struct block *b, unsigned max);

/* What can keep the processor from running whole blocks. RF lasts for one instruction. */
bool interp_needs_care(const struct cpu *c);

#endif
