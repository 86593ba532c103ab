/* SPDX-License-Identifier: MIT */
/* Functions that translated code calls for system instructions, which would be long in host code.
 * What raises an exception they leave to the interpreter. */
#ifndef JIT_ASSIST_H
#define JIT_ASSIST_H

#include "cpu/insn.h"

struct row_info;

/* On entry the state is in struct cpu but for the arithmetic flags, which are in X_FLAGS and stay
 * there, and r[RIP] is behind the instruction. False: not this time; nothing has changed but what a
 * second attempt changes again, and an exception that may have been recorded is to be forgotten. */
typedef bool (*assist_fn)(struct cpu *c, const struct insn *i);

enum assist_after {
    AFTER_NEXT, /* registers have changed: the next instruction follows */
    AFTER_LOOK, /* execution may go on elsewhere, or in another mode, or be interrupted */
};

struct assist {
    uint16_t mnemonic;
    assist_fn fn;
    uint8_t after; /* enum assist_after */
    bool repeats;  /* a second execution does the same: lockstep can compare it */
};

/* That of a row of the instruction table, or NULL. */
const struct assist *assist_of(uint16_t mnemonic, const struct row_info *row);

/* EFLAGS at such a function: c->eflags and X_FLAGS; and set both, but for what depends on them
 * (cpu_update_mode()). */
uint32_t assist_flags(const struct cpu *c);
void assist_set_flags(struct cpu *c, uint32_t v);

#endif
