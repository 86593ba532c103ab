/* SPDX-License-Identifier: MIT */
/* In lockstep: finding writes of translated code to where the rehearsal wrote nothing. */
#ifndef JIT_STRAY_H
#define JIT_STRAY_H

#include "jit/journal.h"

struct jit;

int stray_create(struct jit *j);
void stray_free(struct jit *j);

/* Translated code is about to run what is in the journal, and has been taken back: only the pages
 * in there are open to it, unless they are too many. */
void stray_close(struct jit *j, const struct journal *journal);
/* All pages are open again. To be called before anything else touches the tables. */
void stray_open(struct jit *j);
bool stray_is_closed(const struct jit *j);

/* Is what surrounds the journal's lines in their pages as it was? Once; true if nothing was closed.
 */
bool stray_pages_equal(struct jit *j, const struct journal *journal);

#endif
