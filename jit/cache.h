/* SPDX-License-Identifier: MIT */
/* Where translated code is kept, and how it makes room for more.
 *
 * Code memory is a ring of regions. Code is written to the current region until that is full; then
 * the next one is entered, and the code there, the oldest of all, is dropped: links that lead to it
 * lead out of their blocks again, jump caches forget it. So memory is bounded, and so is the work
 * at a time. It is mapped twice: once to be written, once to be executed.
 *
 * Invariants:
 * 1. Within a region code lies in the order of its addresses, and so do its struct codes.
 * 2. Whatever leads to code is known: exits by `in`, jump caches by their lists, the blocks by
 *    block->code. The entry of dead code may lead to code that is newer, thus dropped later.
 * 3. Code is dropped only while none is executing or will go on. j->drops counts such events: a
 *    pointer to a struct code is good while it stands still. */
#ifndef JIT_CACHE_H
#define JIT_CACHE_H

#include "jit/code.h"

/* With less room left, a region is full: no block may need more. */
#define CACHE_ROOM 32768

/* 0 or -errno. What the backend writes at j->next before cache_open() stays for good. */
int cache_create(struct jit *j, uint64_t bytes);
void cache_open(struct jit *j);
void cache_free(struct jit *j);

/* Drop all code. */
void cache_clear(struct jit *j);

/* Is there too little room for another block? Then make room, dropping the oldest code. */
bool cache_is_full(const struct jit *j);
void cache_make_room(struct jit *j);

/* The place for what describes code at j->next, and: it was translated. */
struct code *cache_next(const struct jit *j);
void cache_add(struct jit *j, struct code *x);

/* Let an exit go directly to other code of the same kind; let all exits lead to C. */
void cache_link(struct jit *j, struct code_exit *exit, struct code *to);
void cache_unlink(struct jit *j, struct code *x);
/* Let the entry of code that is no longer good lead elsewhere: out, or to newer code. */
void cache_forward(struct jit *j, struct code *x, const uint8_t *to);

#endif
