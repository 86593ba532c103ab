/* SPDX-License-Identifier: MIT */
/* A sequence in the interpreter, instruction by instruction, to the exception that ends it. */
#include "cpu/block.h"
#include "cpu/flags.h"
#include "tests/diff/jit_system.h"

/* Wild jumps may lead to a loop. */
#define MAX_STEPS 2000

static uint32_t eflags_of(unsigned fl)
{
    return (fl & FL_C ? EFL_CF : 0u) | (fl & FL_P ? EFL_PF : 0u) | (fl & FL_A ? EFL_AF : 0u) |
           (fl & FL_Z ? EFL_ZF : 0u) | (fl & FL_S ? EFL_SF : 0u) | (fl & FL_O ? EFL_OF : 0u);
}

/* The row of the instruction that comes next, or -1. */
static int next_row(struct cpu *c)
{
    const struct block *b = c->cpl == 3 ? block_lookup(c) : NULL;
    return b != NULL ? b->insn->op : -1;
}

static enum cpu_exit step(struct cpu *c, int *bad_row)
{
    int row = next_row(c);
    uint32_t flags = flags_arith(c);
    enum cpu_exit end = cpu_step(c);
    if (row >= 0 && c->cpl == 3 &&
        (flags ^ flags_arith(c)) & ~eflags_of(optab[row].fl_write | optab[row].fl_undef))
        *bad_row = row;
    return end;
}

int guest_run(struct cpu *c, const struct sequence *q, struct state *s, uint8_t *mem)
{
    enum cpu_exit end = CPU_EXIT_ATTENTION;
    int bad_row = -1;

    guest_write_code(c, q);
    guest_write_data(c, mem);
    c->halted = false;
    guest_set_mode(c, q->size);
    guest_load(c, s);
    for (unsigned n = 0; n < MAX_STEPS && end == CPU_EXIT_ATTENTION; n++)
        end = step(c, &bad_row);
    guest_save(c, s);
    s->vec = VECTORS; /* it does not end */
    if (end == CPU_EXIT_HALT)
        system_read_frame(c, s);
    guest_read_data(c, mem);
    return bad_row;
}
