/* SPDX-License-Identifier: MIT */
/* Counts of what the system tests compared: cases of each scenario and instructions executed in
 * them, for each side; and what the manual decided beforehand, as a side of its own. */
#ifndef TESTS_SYSTEM_RECORD_H
#define TESTS_SYSTEM_RECORD_H

#include "tests/diff/record.h"
#include "tests/diff/system.h"

/* The instructions that the interpreter executed in one case. */
#define TRAIL_STEPS 300
struct trail {
    unsigned count;
    struct {
        uint16_t row;
        uint8_t size; /* enum code_size */
    } step[TRAIL_STEPS];
};

/* The processor is about to execute one more, unless something is to be delivered first. */
void trail_note(struct trail *t, const struct cpu *c, const uint8_t *ram);

#define SIDE_MANUAL  "manual"
#define TALLY_SIDES  5
#define TALLY_TOPICS 64
struct tally {
    unsigned sides, topics;
    const char *side[TALLY_SIDES];
    const char *topic[TALLY_TOPICS];
    uint64_t cases[TALLY_TOPICS][TALLY_SIDES];
    uint64_t (*rows)[CODE_SIZES][TALLY_SIDES];
};

struct tally *tally_create(void);
/* A case of this topic was the same on this side. Trail NULL: its instructions do not count. */
void tally_case(struct tally *t, const char *topic, const char *side, const struct trail *trail);
/* Add everything to tests/diff/record.txt. */
bool tally_merge(const struct tally *t);

#endif
