/* SPDX-License-Identifier: MIT */
/* The table of families of cases, and the first of them: random sequences of rows. */
#include <string.h>

#include "tests/diff/diff.h"
#include "tests/diff/gen_shapes.h"
#include "tests/diff/insn_maker.h"

/* At CPL 0 some instructions take away what the test stands on. */
bool gen_is_destructive(const struct gen_choice *choice)
{
    static const char *const names[] = {"HLT",   "LLDT",  "LTR",    "LGDT",   "LIDT", "LMSW",
                                        "WRMSR", "RDMSR", "XSETBV", "WRPKRU", "MWAIT"};
    const struct op_row *row = choice->row;

    for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++)
        if (strcmp(row->name, names[k]) == 0)
            return true;
    return strncmp(row->operands, "Cy", 2) == 0 || strncmp(row->operands, "Dy", 2) == 0;
}

/* Where each row runs in turn. Accesses that go by one register are for the translator, which then
 * looks up their page once; processors are asked about the others. */
static const struct {
    enum guest_system system;
    enum code_size size;
    bool host;
    unsigned every; /* only every so many turns */
} places[] = {
    {GUEST_LONG, CODE_64, true, 1},     {GUEST_LONG, CODE_32, true, 1},
    {GUEST_LONG, CODE_16, true, 1},     {GUEST_LONG, CODE_64, false, 2},
    {GUEST_LONG, CODE_32, false, 4},    {GUEST_LONG, CODE_16, false, 4},
    {GUEST_PAGED, CODE_32, false, 3},   {GUEST_PAGED, CODE_16, false, 6},
    {GUEST_KERNEL, CODE_32, false, 3},  {GUEST_KERNEL, CODE_16, false, 6},
    {GUEST_UNPAGED, CODE_32, false, 4}, {GUEST_UNPAGED, CODE_16, false, 6},
    {GUEST_REAL, CODE_16, false, 6},    {GUEST_V86, CODE_16, false, 6},
};
#define PLACES (sizeof(places) / sizeof(places[0]))

void diff_memory(const struct diff_maker *m, struct rng *r, struct diff_case *k)
{
    const unsigned words = RW_PAGES * PAGE / 8;

    memcpy(k->mem, m->words + rng_below(r, MEMORY_WORDS - words) * 8, words * 8);
}

void diff_vary(const struct diff_maker *m, struct rng *r, struct diff_case *k)
{
    r->data_base = data_base(k->seq.size);
    gen_state(r, k->seq.size, &k->before);
    diff_memory(m, r, k);
}

static bool gen_insn(const struct diff_maker *m, struct rng *r, uint64_t n, struct diff_case *out)
{
    unsigned row = (unsigned)(n / PLACES % optab_count), place = (unsigned)(n % PLACES);
    uint64_t turn = n / PLACES / optab_count;
    enum code_size size = places[place].size;
    gen_avoid avoid = places[place].host && m->host == MAKER_AMD ? maker_avoids
                      : places[place].host                       ? host_avoids
                      : machine_is_level0(places[place].system)  ? gen_is_destructive
                                                                 : NULL;

    if (turn % places[place].every != 0 || (m->host_only && !places[place].host) ||
        !gen_has_row(m->gen, size, row) ||
        (places[place].host && gen_left_out(&optab[row]) != NULL) ||
        (m->only != NULL && strcmp(m->only, optab[row].name) != 0))
        return false;
    out->system = places[place].system;
    out->not_on_host = !places[place].host;
    r->data_base = data_base(size);
    gen_set(m->gen, avoid, !places[place].host);
    unsigned count = 1 + (unsigned)rng_below(r, 2) * (unsigned)rng_below(r, SEQUENCE_MAX);
    if (!gen_sequence(m->gen, r, size, row, count, &out->seq))
        return false;
    diff_vary(m, r, out);
    return true;
}

const struct family families[] = {
    {"insn", "random sequences of the instruction table's rows", 10, true, gen_insn},
    {"smc", "code that changes itself", 3, false, gen_smc},
    {"prefix", "prefixes in any order and number, undefined opcodes, ends of pages", 4, false,
     gen_prefix},
    {"fault", "accesses about the ends of pages, segments and the address space", 5, false,
     gen_fault},
};
const unsigned family_count = sizeof(families) / sizeof(families[0]);
