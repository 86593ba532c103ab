/* SPDX-License-Identifier: MIT */
/* The system that exceptions of a sequence go to: each vector leads to a HLT of its own. */
#ifndef TESTS_DIFF_JIT_SYSTEM_H
#define TESTS_DIFF_JIT_SYSTEM_H

#include "tests/diff/insn_guest.h"

#define VECTORS 32u

void system_create(struct cpu *c, enum guest_system system);

/* Put the system pages back, which without paging anyone may read and write; `page` is the first.
 */
void system_restore(struct cpu *c, const uint8_t *page);

/* The processor has come to a HLT: which exception led there, and what its frame on the stack says.
 * Flags that are undefined must not show in memory: those in the frame are cleared. */
void system_read_frame(struct cpu *c, struct state *s);

/* The vector of the exception that led to the HLT, and its error code if it has one. */
unsigned system_vector(const struct cpu *c);
uint32_t system_error(struct cpu *c);

/* Go back to where a page fault came from, with IRET; not at CPL 0. RF: as the frame has it, or
 * clear. */
void system_return(struct cpu *c, bool keep_rf);

#endif
