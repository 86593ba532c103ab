/* SPDX-License-Identifier: MIT */
#include "tests/diff/gen_shapes.h"
#include "tests/diff/insn_maker.h"

static const struct {
    enum guest_system system;
    enum code_size size;
} modes[GEN_MODES] = {
    {GUEST_LONG, CODE_64},    {GUEST_PAGED, CODE_32},  {GUEST_LONG, CODE_32},
    {GUEST_PAGED, CODE_16},   {GUEST_LONG, CODE_16},   {GUEST_KERNEL, CODE_32},
    {GUEST_LONG, CODE_64},    {GUEST_KERNEL, CODE_16}, {GUEST_LONG, CODE_32},
    {GUEST_UNPAGED, CODE_32}, {GUEST_LONG, CODE_16},   {GUEST_UNPAGED, CODE_16},
    {GUEST_LONG, CODE_64},    {GUEST_REAL, CODE_16},   {GUEST_LONG, CODE_32},
    {GUEST_V86, CODE_16},
};

void gen_mode(uint64_t n, struct diff_case *out)
{
    out->system = modes[n % GEN_MODES].system;
    out->seq.size = modes[n % GEN_MODES].size;
}

gen_avoid gen_avoids(const struct diff_maker *m, enum guest_system system)
{
    if (machine_is_level0(system))
        return gen_is_destructive;
    if (system != GUEST_LONG)
        return NULL;
    return m->host == MAKER_AMD ? maker_avoids : host_avoids;
}
