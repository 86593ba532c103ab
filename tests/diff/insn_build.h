/* SPDX-License-Identifier: MIT */
/* Inside the generator: a sequence under construction. insn_gen.c makes encodings from rows;
 * insn_special.c sets up what single kinds of instructions need. */
#ifndef TESTS_DIFF_INSN_BUILD_H
#define TESTS_DIFF_INSN_BUILD_H

#include "tests/diff/insn_diff.h"

struct encoding {
    uint8_t b[32];
    unsigned modrm_at; /* also of the first byte behind the opcode where there is no ModRM */
};

struct builder {
    struct gen *g;
    struct rng *r;
    struct sequence *q;
    bool together;            /* let accesses go by the same register */
    int base;                 /* this one; -1: none yet */
    bool narrow;              /* see gen_narrow() */
    bool last;                /* the sequence's last instruction */
    unsigned skip;            /* breakpoints behind the instruction, where it jumps over them */
    unsigned fix_at, fix_len; /* bytes of the code that get the offset of what is behind them */
    uint16_t fix_sel;         /* in the segment of this selector */
};

static inline bool chance(struct rng *r, unsigned one_in)
{
    return rng_below(r, one_in) == 0;
}

void emit(struct builder *b, const void *p, unsigned n);
/* MOV reg, imm of 8 bytes in 64-bit code, else of 4. */
void emit_mov(struct builder *b, unsigned reg, uint64_t v);
/* MOV dword [target], imm, if it is in what can be written. */
bool emit_data(struct builder *b, uint64_t target, uint32_t v);
bool is_named(const struct op_row *row, const char *name);

/* -- Special kinds (insn_special.c) ------------------------------------------------------------ */

struct special;

/* What the row needs, or NULL. */
const struct special *special_find(const struct op_row *row);

/* Emit what comes before the instruction, but for the address of an operand in memory, which is
 * *target in the test's data and may be moved. False: this encoding does not do. */
bool special_prepare(struct builder *b, const struct special *p, const struct op_row *row,
                     const struct insn *i, struct encoding *e, uint64_t *target);

/* All that stands before the instruction of i->len bytes has been emitted. */
void special_finish(struct builder *b, const struct insn *i, struct encoding *e);

/* The instruction has been emitted. */
void special_follow(struct builder *b, const struct special *p, const struct op_row *row,
                    const struct insn *i);

/* Flags that nothing but POPF and IRET sets: TF, AC and others, for the instruction that comes. */
void special_flags(struct builder *b);

/* Data segments that a sequence may start with. */
void special_segments(struct rng *r, enum code_size size, struct segments *s);

#endif
