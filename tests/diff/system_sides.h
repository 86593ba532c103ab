/* SPDX-License-Identifier: MIT */
/* What runs the machines of the system tests: the interpreter, which is the reference, and what is
 * compared with it. */
#ifndef TESTS_SYSTEM_SIDES_H
#define TESTS_SYSTEM_SIDES_H

#include "jit/jit.h"
#include "tests/diff/system_record.h"

#define SYS_ENDLESS 100 /* as enum cpu_exit: it goes on and on */
#define SYS_NOT_RUN 101 /* the side cannot be in this state */

struct side {
    const char *name, *record; /* record: its name in the record */
    unsigned rounds; /* runs of each case: what is translated is that in the last ones only */
    /* False: not on this host; it has said why. */
    bool (*open)(struct side *d);
    /* Run the machine to its end: an enum cpu_exit. The results are in `m`. */
    int (*run)(struct side *d, const struct sys *s);
    bool optional; /* only where asked for */
    bool partial;  /* it shows only what software can see */
    struct jit_config cfg;
    struct fake_machine *m;
    struct jit *jit;
    struct kvm *kvm;
    bool ran;           /* the last case, to its end */
    struct trail trail; /* of the reference */
};

extern struct side system_reference;
extern struct side system_others[];
extern const unsigned system_others_count;

bool kvm_open(struct side *d);
int kvm_run(struct side *d, const struct sys *s);

/* Put the machine of a side into the state that a case begins with. */
void side_load(struct side *d, const struct sys *s);

/* Compare a side with the reference after both have run; says the differences unless out is NULL.
 */
bool sides_differ(const struct side *ref, const struct side *d, const struct sys *s, FILE *out);

/* Does the result contradict what the scenario wants? */
bool side_breaks_want(const struct side *d, const struct sys *s, int why, FILE *out);

#endif
