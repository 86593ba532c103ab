/* SPDX-License-Identifier: MIT */
/* What the SDM says of privileged behaviour, written down once more, straight from its tables and
 * pseudocode, so that cpu/ is not compared with itself alone. Nothing here uses cpu/'s functions.
 * Each function answers with the exception that must come, or with none. */
#ifndef TESTS_SYSTEM_MODEL_H
#define TESTS_SYSTEM_MODEL_H

#include "tests/diff/system_slot.h"

struct verdict {
    bool faults;
    unsigned vector;
    int64_t err; /* -1: none */
};

#define ALLOWED ((struct verdict){.faults = false})

/* Loads of a data segment register or SS (MOV, POP, LDS...), SDM 2B "MOV", in protected mode. */
struct verdict model_load(const struct sys *s, unsigned sreg, const struct slot *x);

/* n bytes at an offset of a segment that has been loaded (SDM 3A 5.3, 5.4). */
struct verdict model_access(const struct sys *s, unsigned sreg, const struct slot *x, uint32_t off,
                            unsigned n, bool write);

/* Far JMP (and CALL, where `call`) to what a selector names. `target` is the code segment of a
 * gate, else x itself; `off` the offset that counts. *level: where it leads. SDM 2A "JMP", "CALL".
 */
struct far_case {
    bool call;
    const struct slot *x, *target;
    uint64_t off;
    bool gate_is_broken; /* long mode: the type in its upper half is not 0 */
};
struct verdict model_far(const struct sys *s, const struct far_case *f, unsigned *level);

/* Far RET and IRET to a code segment, with a stack segment where the return needs one. SDM 2B
 * "RET", 2A "IRET". */
struct verdict model_return(const struct sys *s, bool iret, const struct slot *cs,
                            const struct slot *ss, uint64_t off);

/* Delivery through a gate in the IDT; SDM 2A "INT n". ext: not by a software interrupt. */
struct gate_case {
    unsigned vector;
    const struct slot *gate, *target;
    uint64_t off;
    bool soft;
};
struct verdict model_interrupt(const struct sys *s, const struct gate_case *g, unsigned *level);

/* The segments of a new task, where one of them at most is wrong, which `faults` counts (SDM 3A
 * table 7-1). */
struct verdict model_task(const struct sys *s, const struct slot *code, const struct slot *stack,
                          const struct slot *data, unsigned *faults);

/* Paging: what one access to one linear address comes to (SDM 3A chapter 4). */
enum page_access { PAGE_READ, PAGE_WRITE, PAGE_FETCH };
struct paging {
    unsigned levels; /* entries on the way, PAE's first not counted */
    unsigned leaf;   /* index of the one that maps the page */
    unsigned bytes;  /* of an entry */
    bool is_long;
    bool wp, smep, smap, ac, nxe, pae, pke, pks;
    uint32_t pkru, pkrs;
    uint64_t entry[4]; /* from the root */
    unsigned shift[4]; /* of the address bits that each level's entries map */
    unsigned phys_bits;
};
/* user: made at level 3, and not by the processor for itself (`implicit`). err is the error code.
 */
struct verdict model_page(const struct paging *p, enum page_access how, bool user, bool implicit);

/* Put a verdict into what a case wants; true: it faults. */
bool want_verdict(struct sys *s, struct verdict v);

#endif
