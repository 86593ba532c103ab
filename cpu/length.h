/* SPDX-License-Identifier: MIT */
/* How long what is no instruction is. */
#ifndef CPU_LENGTH_H
#define CPU_LENGTH_H

#include <stddef.h>
#include <stdint.h>

/* The length that prefixes, opcode and ModRM say, whether there is such an instruction or not, in
 * code of this size (0: 16 bits, 1: 32, 2: 64). More than n, and not the length yet, where that
 * depends on bytes behind the n that are there. */
size_t undefined_length(unsigned code_size, const uint8_t *p, size_t n);

#endif
