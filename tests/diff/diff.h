/* SPDX-License-Identifier: MIT */
/* Differential tests: a case runs in the interpreter, one instruction at a time (the reference),
 * and on every *side* that is there: this host's processor, the interpreter by blocks, the
 * translator. What the case can see, and the exception that ended it, must be the same.
 *
 * A new family of cases: write tests/diff/gen_NAME.c with a function
 *
 *     bool gen_NAME(const struct diff_maker *m, struct rng *r, uint64_t n, struct diff_case *out)
 *
 * that fills in case n (see struct family), and add a row to families[] in diff_families.c. Nothing
 * else: running, comparing, minimising, reporting and counting are the driver's (diff.c).
 *
 * A new side: write struct side with its functions in a file of its own and add it to sides[] in
 * diff_sides.c. Each side runs in a process of its own, which may crash or hang.
 *
 * A case that failed: `diff` prints it, made as simple as it will get, as text (diff_text.c). With
 * a comment on top that text becomes tests/diff/cases/NAME.case, which `diff -cases` replays on all
 * sides from then on. */
#ifndef TESTS_DIFF_DIFF_H
#define TESTS_DIFF_DIFF_H

#include <stdio.h>

#include "tests/diff/insn_diff.h"

/* -- Cases ------------------------------------------------------------------------------------- */

struct diff_case {
    enum guest_system system; /* processors can be asked about GUEST_LONG only */
    bool not_on_host;       /* nor about this: what they do differs, or needs more than a process */
    struct sequence seq;    /* code, from seq.start on in CODE_PAGES pages, also at ALIAS_LA */
    struct state before;    /* registers */
    uint8_t mem[DATA_SIZE]; /* at DATA_LA; the last page is read-only and always the same */
};

/* What there is after it. */
struct outcome {
    bool ended;     /* false: still running after DIFF_MAX_STEPS instructions, or shut down */
    struct state s; /* with the exception that ended it; RIP, RSP, EFLAGS as its frame has them */
    /* Of guests, not of the host. */
    uint16_t fop, fcs, fds;
    uint64_t fip, fdp;
    struct {
        uint64_t base;
        uint32_t limit, attr;
    } seg[6];
    uint8_t mem[DATA_SIZE], code[CODE_SIZE];
};

#define DIFF_MAX_STEPS 2000

/* Registers by their names, for text and for loops over all of them. */
struct diff_field {
    const char *name;
    unsigned offset, size; /* in struct state, in bytes */
    uint64_t plain;        /* what it has if a case says nothing, but for segments */
};
extern const struct diff_field diff_fields[];
extern const unsigned diff_field_count;
/* From here on, fields have only what comes out. */
extern const unsigned diff_field_results;

uint64_t diff_get(const struct state *s, const struct diff_field *f);
void diff_set(struct state *s, const struct diff_field *f, uint64_t v);

/* What a case has that says nothing. */
void diff_plain_state(enum code_size size, struct state *s);

/* Fill in the rows of seq.insn, and which flags are undefined behind it, from seq.code. False: too
 * many instructions, or one reads flags that are undefined. */
bool diff_find_rows(struct cpu *decoder, struct sequence *q);

/* -- Families of cases ------------------------------------------------------------------------- */

struct diff_maker {
    struct gen *gen;      /* random instructions of all rows */
    struct cpu *decoder;  /* its processor: set the mode with guest_set_mode() before decode() */
    enum host_maker host; /* what maker_avoids() is for */
    const char *only;     /* a mnemonic that cases should have in them, or NULL */
    bool host_only;       /* no other side runs: cases that are not on the host are of no use */
    const uint8_t *words; /* MEMORY_WORDS random words that memory has in it */
};
#define MEMORY_WORDS 0x10000u

struct family {
    const char *name, *what;
    unsigned share; /* of the time, in relation to the others' */
    bool any_state; /* the code may run from others than the state and memory made for it */
    /* Make case n from n and *r alone, into *out, which is all zero but for the
     * read-only page. seq.insn must name the rows that are counted: from gen_sequence(), or by
     * diff_find_rows(). False: there is no such case (go on with the next). */
    bool (*make)(const struct diff_maker *m, struct rng *r, uint64_t n, struct diff_case *out);
};

extern const struct family families[];
extern const unsigned family_count;

/* Random contents of the writable pages; cheaper than gen_memory(). */
void diff_memory(const struct diff_maker *m, struct rng *r, struct diff_case *k);

/* For a family with any_state: another state and memory for the code. */
void diff_vary(const struct diff_maker *m, struct rng *r, struct diff_case *k);

/* -- Sides ------------------------------------------------------------------------------------- */

enum verdict {
    SIDE_LEFT_OUT, /* not a case for this side, or what it does there is known to differ */
    SIDE_SAME,
    SIDE_DIFFERS,
    SIDE_CRASHED,
    SIDE_HUNG
};

struct side {
    const char *name, *what;
    /* In the side's process: what it needs to run. NULL: it is not there on this host, and why. */
    void *(*open)(char why[256]);
    /* Run the case and compare; want: the reference's outcome; *got: what differed. */
    enum verdict (*run)(void *self, const struct diff_case *k, const struct outcome *want,
                        struct outcome *got);
    /* What it has done so far, in words; false: nothing that counts as a test. May be NULL. */
    bool (*note)(void *self, char text[256]);
};

#define SIDE_COUNT 6u
extern const struct side *const sides[SIDE_COUNT];
extern const struct side side_restart; /* diff_restart.c */

/* The side whose word counts for more than the reference's. */
extern const struct side side_host;

/* -- Machines that cases run in (diff_machine.c) ------------------------------------------------
 */

/* An interpreter under some system; the sides that are guests have one for each. */
struct machine {
    enum guest_system system;
    struct cpu *c;
    uint8_t page[PAGE]; /* the first system page, as it was created */
};

bool machine_open(struct machine *m, enum guest_system system);
void machine_load(struct machine *m, const struct diff_case *k);
/* machine_load(), up to DIFF_MAX_STEPS instructions one by one; *out gets what there is then. */
void machine_run(struct machine *m, const struct diff_case *k, struct outcome *out);

/* The first instruction alone: *next gets the registers and the writable memory behind it. False:
 * an exception. */
bool machine_step(struct machine *m, const struct diff_case *k, struct diff_case *next);

/* The processor has stopped so: is all as `want` has it, but for what the manuals leave undefined?
 * *got: where it is not. */
bool machine_ended_as(struct machine *m, enum cpu_exit end, const struct diff_case *k,
                      const struct outcome *want, struct outcome *got);

/* Is the system's code at CPL 0, where frames are written to its own stack? */
bool machine_is_level0(enum guest_system system);

/* -- Text (diff_write.c, diff_read.c) ------------------------------------------------------------
 */

/* What differs, register by register, as comment lines. */
void diff_write_difference(FILE *f, const struct diff_case *k, const struct outcome *want,
                           const char *side, const struct outcome *got);

/* The case as text, and what must come out. */
void diff_write_case(FILE *f, const struct diff_case *k, const struct outcome *after);

/* Read such text but for its "after" lines, or these alone: *expect gets what they say in place of
 * what it had. False: a mistake in line *line. */
bool diff_read_case(FILE *f, struct cpu *decoder, struct diff_case *k, unsigned *line);
bool diff_read_after(FILE *f, struct outcome *expect, unsigned *line);

extern const char *const diff_system_names[GUEST_SYSTEMS];

#endif
