/* SPDX-License-Identifier: MIT */
#include "tests/diff/gen_shapes.h"

void gen_mode(uint64_t n, enum guest_system *system, enum code_size *size)
{
    static const struct {
        enum guest_system system;
        enum code_size size;
    } modes[] = {
        {GUEST_LONG, CODE_64},    {GUEST_PAGED, CODE_32},  {GUEST_LONG, CODE_32},
        {GUEST_PAGED, CODE_16},   {GUEST_LONG, CODE_16},   {GUEST_KERNEL, CODE_32},
        {GUEST_LONG, CODE_64},    {GUEST_KERNEL, CODE_16}, {GUEST_LONG, CODE_32},
        {GUEST_UNPAGED, CODE_32}, {GUEST_LONG, CODE_16},   {GUEST_UNPAGED, CODE_16},
        {GUEST_LONG, CODE_64},    {GUEST_REAL, CODE_16},   {GUEST_LONG, CODE_32},
        {GUEST_V86, CODE_16},
    };
    *system = modes[n % 16].system;
    *size = modes[n % 16].size;
}
