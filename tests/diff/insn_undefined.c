/* SPDX-License-Identifier: MIT */
#include "tests/diff/insn_undefined.h"

#include <stdio.h>
#include <string.h>

#define P FL_P
#define A FL_A
#define S FL_S
#define O FL_O
#define C FL_C
#define Z FL_Z

const struct undefined_flags undefined_flags[] = {
    {" AND OR XOR TEST ", A, A, "0"},
    {" MUL IMUL ", P | A | Z | S, 0, "PF, ZF, SF of the low half; AF 0"},
    {" DIV IDIV ", C | P | A | Z | S | O, C | O, "unchanged"},
    {" DAA DAS ", O, 0, "0"},
    {" AAA AAS ", P | Z | S | O, 0, "PF, ZF, SF of AL; OF 0"},
    {" AAM ", C | A | O, C | A | O, "0"},
    {" AAD ", C | A | O, 0, "0"},
    {" SHL SHR SAR ", C | A | O, C | O,
     "CF of a count above the width: SHL, SHR 0, SAR the sign; OF of a count above 1: SHL the result's "
     "sign XOR CF, SHR, SAR 0; AF 0"},
    {" ROL ROR RCL RCR ", O, O, "of any count by the rule for a count of 1"},
    {" SHLD SHRD ", C | A | O, C,
     "CF the last bit shifted out of DST:SRC:DST; OF whether the sign has changed; AF 0"},
    {" BT BTS BTR BTC ", P | A | S | O, P | A | S | O, "unchanged"},
    {" BSF BSR ", C | P | A | S | O, C | A | O, "PF, SF of the source; CF, AF, OF 0"},
    {" TZCNT LZCNT ", P | A | S | O, P | A | S, "0"},
    {" ANDN BLSR BLSI BLSMSK BZHI ", P | A, P | A, "PF of the result; AF 0"},
    {" BEXTR ", P | A | S, P, "PF, SF of the result; AF 0"},
};
const unsigned undefined_flags_count = sizeof(undefined_flags) / sizeof(undefined_flags[0]);

#undef P
#undef A
#undef S
#undef O
#undef C
#undef Z

const struct undefined_flags *undefined_find(const struct op_row *row)
{
    char name[32];

    snprintf(name, sizeof(name), " %s ", row->name);
    for (unsigned k = 0; k < undefined_flags_count; k++)
        if (strstr(undefined_flags[k].names, name) != NULL)
            return &undefined_flags[k];
    return NULL;
}

uint32_t undefined_on_amd(const struct sequence *q)
{
    uint32_t undefined = 0;

    for (unsigned k = 0; k < q->count; k++) {
        struct op_row row = optab[q->insn[k].row];
        const struct undefined_flags *u = undefined_find(&row);
        if (u != NULL)
            row.fl_undef &= (uint8_t)~u->amd;
        /* Where the row lists a flag it may leave it as it was: shifts by 0. */
        uint32_t stays = undefined & gen_undefined(&optab[q->insn[k].row], undefined);
        undefined = gen_undefined(&row, undefined) | stays;
    }
    return undefined;
}

const struct undefined_part undefined_parts[] = {
    {"BSWAP of 16 bits", "the result is 0", "yes"},
    {"SHLD, SHRD of 16 bits by more than 16", "shifts DST:SRC:DST", "not generated"},
    {"BSF, BSR of 0: the destination", "unchanged, in 64-bit code its upper half too", "yes"},
    {"LAR: bits 16 to 19", "those of the descriptor's limit", "yes"},
    {"the upper halves of general registers after 64-bit code has left for other code (SDM 1 3.4.1.1)",
     "unchanged", "no"},
    {"R8 to R15 and XMM8 to XMM15 outside of 64-bit code", "unchanged", "no"},
    {"the x87's FOP, FIP, FDP, FCS, FDS",
     "of the last instruction that has them, with an operand in "
     "memory or not",
     "between the sides that are Calque, not with processors"},
    {"flags restored by a fault of a repeated CMPS or SCAS (SDM 2B REP: those from before it)",
     "from where it last looked for interrupts", "with processors not if iterations were done"},
    {"repeated instructions that overwrite themselves", "go on as they were fetched",
     "between the sides that are Calque, not with processors"},
    {"CALL to a non-canonical address: whether the return address is stored",
     "no: the fault comes first", "no"},
    {"operands of more than one access (FLDENV, FRSTOR, FNSTENV, FNSAVE, FBLD, FBSTP, FLD and FSTP of 80 "
     "bits, PUSHA, FXSAVE, FXRSTOR, XSAVE, XRSTOR, XSAVEOPT) of which a part faults: which address is reported, what "
     "was done before",
     "the limit or canonical addresses first, then in ascending order",
     "that it faults; but for the x87's, that it is by the same exception"},
    {"accesses over the end of a segment of 4 GiB outside of 64-bit code (SDM 3A 5.3)",
     "go on at its offset 0; if it expands down, #GP or #SS",
     "all but whether it is a page fault or #AC"},
    {"null selectors other than 0", "as they were loaded", "as 0: Linux loads 0 in their place"},
    {"error codes of #UD, #BP, #MF, #XM", "none", "no: Linux tells numbers of its own"},
    {"error code of a #PF from 7F00_0000_0000 on", "bit P as the page tables have it",
     "all but bit P: a process has pages there"},
    {"flags in a frame that is written to a case's own stack at CPL 0", "as in EFLAGS",
     "not where any is undefined: then nothing in memory is"},
};
const unsigned undefined_part_count = sizeof(undefined_parts) / sizeof(undefined_parts[0]);
