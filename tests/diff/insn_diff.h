/* SPDX-License-Identifier: MIT */
/* Differential test of the interpreter against the processor that the test runs on: random
 * sequences of instructions, made from the rows of the instruction table, run in both from the same
 * state; registers, flags, memory, x87 and SSE state and faults must agree. See insn_diff.c. */
#ifndef TESTS_DIFF_INSN_DIFF_H
#define TESTS_DIFF_INSN_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "cpu/regs.h"
#include "tests/diff/insn_host.h"

/* -- The random numbers (insn_gen.c) ----------------------------------------------------------- */

struct rng {
    uint64_t s;
    uint64_t data_base; /* what addresses of data are relative to */
    bool at_edge;       /* all addresses are just below or at this one, which is relative too */
    uint64_t edge;
};
uint64_t rng_next(struct rng *r);
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
    return rng_next(r) % n;
}

/* -- Generator --------------------------------------------------------------------------------- */

struct gen;

/* Why rows like this are not generated, or NULL: their results are not the same everywhere, or they
 * can't run in user mode. */
const char *gen_left_out(const struct op_row *row);

/* An encoding that might be generated. */
struct gen_choice {
    const struct op_row *row;
    const struct insn *insn;
    const uint8_t *code;
    enum code_size size;
    bool last; /* of the sequence */
};
typedef bool (*gen_avoid)(const struct gen_choice *choice);

/* c decodes what is generated. */
struct gen *gen_create(struct cpu *c);
void gen_free(struct gen *g);

/* From now on: what must not be generated, or NULL; in half of all sequences let accesses go by the
 * same register, as in real code. */
void gen_set(struct gen *g, gen_avoid avoid, bool together);

/* The flags that are undefined behind an instruction, from those in front of it (EFLAGS bits). */
uint32_t gen_undefined(const struct op_row *row, uint32_t undefined);

/* Does it read any of them? */
bool gen_reads_undefined(const struct op_row *row, uint32_t undefined);

/* From now on, do without what the recorded sequences do not have: FS and GS as prefixes, single
 * steps. */
void gen_narrow(struct gen *g);

/* Can this row be encoded in code of this size, and be tested? */
bool gen_has_row(const struct gen *g, enum code_size size, unsigned row);

/* A random sequence of up to `count` instructions, the last one from `row`; false: no encoding
 * found. */
bool gen_sequence(struct gen *g, struct rng *r, enum code_size size, unsigned row, unsigned count,
                  struct sequence *out);
void gen_state(struct rng *r, enum code_size size, struct state *s);
/* Those that code of this size starts with, when nothing else is asked for. */
void gen_segments(enum code_size size, struct segments *s);
void gen_memory(struct rng *r, uint8_t *mem, size_t n);
/* The same each time, for what stands in the read-only page. */
void gen_first_memory(uint8_t *mem);

/* -- The interpreter's side -------------------------------------------------------------------- */

/* What code runs under. */
enum guest_system {
    GUEST_LONG,    /* long mode, CPL 3 */
    GUEST_PAGED,   /* protected mode with paging, CPL 3 */
    GUEST_KERNEL,  /* the same, CPL 0 */
    GUEST_UNPAGED, /* without paging, CPL 3 */
    GUEST_REAL,
    GUEST_V86,
    GUEST_SYSTEMS
};

/* A processor with the features that has() says. */
struct cpu *guest_create(bool (*has)(enum isa isa), enum guest_system system);
void guest_free(struct cpu *c);
void guest_set_mode(struct cpu *c, enum code_size size);
/* The row of an instruction that changed flags which its row does not list, or -1. */
int guest_run(struct cpu *c, const struct sequence *q, struct state *s, uint8_t *mem);

/* -- Comparison (insn_norm.c) ------------------------------------------------------------------ */

/* Clear what differs without meaning: undefined flags, the upper halves of registers outside 64-bit
 * code, padding, pointers that are not compared. *q gets the
 * flags that are undefined where the sequence ended. */
void normalise(struct sequence *q, struct state *s);

#endif
