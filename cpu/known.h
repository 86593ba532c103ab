/* SPDX-License-Identifier: MIT */
/* Instructions that were decoded before.
 *
 * An instruction's bytes up to its displacement and immediate are its head. They decide all that it
 * is but the values of these two, whose sizes too the head decides. So a head need be decoded once.
 * Heads are kept in a tree with a level for each byte; no head is the beginning of another one, for
 * where it ends follows from its own bytes.
 *
 * Nothing here knows how instructions are encoded. When there is no room for another head, all are
 * forgotten. */
#ifndef CPU_KNOWN_H
#define CPU_KNOWN_H

#include "cpu/insn.h"

/* Where a displacement and an immediate are in an instruction, in bytes; of none if there is none.
 */
struct known_values {
    uint8_t disp_at, disp_bytes; /* bytes: 0, 1, 2, 4, 8 */
    uint8_t imm_at, imm_bytes;
};

struct known *known_create(void);
void known_free(struct known *k);

/* The instruction in n bytes at p, if its head is known for code of this size (0: 16 bits, 1: 32,
 * 2: 64), and all of it is there. */
bool known_find(const struct known *k, unsigned code_size, struct insn *out, const uint8_t *p,
                size_t n);

/* i was decoded from the bytes at p, whose values are there; both are sign-extended. Its head was
 * not known. */
void known_add(struct known *k, unsigned code_size, const struct insn *i, const uint8_t *p,
               struct known_values values);

#endif
