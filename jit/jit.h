/* SPDX-License-Identifier: MIT */
/* The translator: runs a processor's decoded blocks as host code. See docs/TRANSLATOR.md. */
#ifndef JIT_JIT_H
#define JIT_JIT_H

#include "cpu/cpu.h"
#include "jit/config.h"

/* The memory object that holds guest RAM, as the machine mapped it: page n of the object's contents
 * is at host + n * JIT_RAM_STRIDE, and at that offset in fd. The pages between are never touched,
 * so that an access that runs over the end of a page finds nothing there. */
#define JIT_RAM_STRIDE UINT64_C(8192)

struct jit_ram {
    int fd;
    const uint8_t *host;
    uint64_t pages;
};

struct jit;

/* Take over the execution of c. 0, or -errno with a one-line reason in err (256 bytes): the host
 * lacks something, and the interpreter goes on alone. */
int jit_create(struct jit **out, struct cpu *c, const struct jit_ram *ram,
               const struct jit_config *cfg, char *err);

/* What shows host code to people (-d out_asm), by name and version; NULL: nothing, bytes are shown.
 */
const char *jit_disassembler(void);

/* Write a map of translated code for perf, /tmp/perf-PID.map. 0 or -errno. */
int jit_perf_map(struct jit *j);

/* Give the processor back to the interpreter. NULL is allowed. */
void jit_free(struct jit *j);

/* On the thread that will run the processor, before it runs and after it has; j may be NULL. */
int jit_thread_enter(struct jit *j);
void jit_thread_leave(struct jit *j);

/* Translated code did what the interpreter does not (-d lockstep): the processor can't go on. */
bool jit_failed(const struct jit *j);

/* Counts since creation. */
struct jit_stats {
    uint64_t blocks;   /* translated */
    uint64_t insns;    /* instructions in them */
    uint64_t declined; /* of these, left to the interpreter */
    uint64_t entries;  /* times that translated code was entered from C */
    uint64_t faults;   /* accesses that trapped */
    uint64_t calls;    /* instructions interpreted for translated code */
    uint64_t assists;  /* executed by functions of jit/assist.h */
    uint64_t cold;     /* blocks run by the interpreter because they are not hot yet */
    uint64_t links, polls;
    uint64_t flushes;   /* times that all code was dropped */
    uint64_t evictions; /* times that the oldest code was */
    uint64_t bytes;     /* of host code */
};
struct jit_stats jit_stats(const struct jit *j);

#endif
