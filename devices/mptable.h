/* SPDX-License-Identifier: MIT */
/* The MP table. */
#ifndef DEVICES_MPTABLE_H
#define DEVICES_MPTABLE_H

#include "devices/blob.h"

struct vm;

/* Append the MP floating pointer structure and configuration table, which will lie at guest address
 * base + b->len (padded to a multiple of 16). Machine lock held. */
void mptable_build(struct vm *vm, uint32_t base, struct blob *b);

#endif
