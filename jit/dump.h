/* SPDX-License-Identifier: MIT */
/* Showing what was translated. */
#ifndef JIT_DUMP_H
#define JIT_DUMP_H

#include "jit/code.h"

/* Log guest instructions and their host code (-d out_asm); page: linear address of the guest's
 * page.
 */
void dump_code(const struct jit *j, const struct code *x, uint64_t page);

/* Begin j->perf_map, /tmp/perf-PID.map, and say there where code is. 0 or -errno. */
int dump_open_perf_map(struct jit *j);
void dump_perf_map(const struct jit *j, const struct code *x);

#endif
