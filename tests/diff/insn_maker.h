/* SPDX-License-Identifier: MIT */
/* The interpreter does what Intel's processors do. On a host of AMD's, what is known to differ is
 * not generated, not counted or not compared: see insn_maker.c. */
#ifndef TESTS_DIFF_INSN_MAKER_H
#define TESTS_DIFF_INSN_MAKER_H

#include "tests/diff/insn_diff.h"

struct maker_rule {
    const char *forms, *intel, *amd; /* which instructions, and what they do there */
    /* Encodings that are not generated. */
    gen_avoid avoid;
    /* Sequences that ended like this are not counted, or compared but for some parts. */
    bool (*ended)(const struct sequence *q, const struct state *host, const struct state *guest);
    unsigned mask; /* MASK_*; 0: not counted */
};

extern const struct maker_rule maker_rules[];
extern const unsigned maker_rule_count;

/* Why the row can be compared on hosts of Intel's only, or NULL. */
const char *maker_left_out(const struct op_row *row);

/* For gen_set(): what can't be compared with hosts, and with those of AMD's. */
bool host_avoids(const struct gen_choice *choice);
bool maker_avoids(const struct gen_choice *choice);

/* The instruction where it ended, reached by whatever segment, or behind its first prefixes; or -1.
 */
int ended_at(const struct sequence *q, const struct state *s);

/* Clear in both states what differs by a rule. The rule that says not to count the case, or NULL.
 */
const struct maker_rule *maker_mask(const struct sequence *q, struct state *host,
                                    struct state *guest);

#endif
