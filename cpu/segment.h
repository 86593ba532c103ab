/* SPDX-License-Identifier: MIT */
/* Segment registers: loading them, and checking accesses through them (SDM 3A chapter 5). */
#ifndef CPU_SEGMENT_H
#define CPU_SEGMENT_H

#include "cpu/cpu.h"

/* Recompute rd_end and wr_end of a segment register from its cache and the processor's mode. */
void seg_update(struct cpu *c, unsigned sreg);

/* Full check of an access of n bytes at off: type, limit, null. Faults are recorded (#SS for SS, else #GP,
 * error code 0). In 64-bit mode true: canonical checks are the caller's. */
bool seg_check(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, bool write);

#endif
