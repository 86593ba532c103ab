/* SPDX-License-Identifier: MIT */
/* In lockstep, events (interrupts, exceptions) are delivered twice, too. */
#ifndef JIT_WITNESS_H
#define JIT_WITNESS_H

#include "cpu/translator.h"

struct jit;

int witness_create(struct jit *j);
void witness_free(struct jit *j);

/* Have an event delivered, and compare that with a rehearsal of it. What fn(c, vec) returns. A
 * difference is logged, and the processor asked to stop. */
bool witness_deliver(struct jit *j, deliver_fn fn, unsigned vec);

#endif
