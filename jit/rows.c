/* SPDX-License-Identifier: MIT */
/* What calls of the interpreter need not bother with, by instruction. */
#include <Zydis/Zydis.h>
#include <stdlib.h>

#include "cpu/operands.h"
#include "jit/code.h"

#define M(name) ZYDIS_MNEMONIC_##name

/* Neither read nor written by these; where EFLAGS are saved, exceptions apart, is not among them.
 */
static const uint16_t keeps_flags[] = {
    M(MOV),      M(MOVZX),    M(MOVSX),    M(PUSH),    M(POP),        M(CLI),       M(STI),
    M(CLAC),     M(STAC),     M(IN),       M(OUT),     M(RDTSC),      M(RDTSCP),    M(CPUID),
    M(RDMSR),    M(WRMSR),    M(INVLPG),   M(INVPCID), M(SYSENTER),   M(SYSEXIT),   M(SWAPGS),
    M(FXSAVE),   M(XSAVE),    M(XSAVEOPT), M(FXRSTOR), M(XRSTOR),     M(RDFSBASE),  M(RDGSBASE),
    M(LGDT),     M(LIDT),     M(FXSAVE64), M(XSAVE64), M(XSAVEOPT64), M(FXRSTOR64), M(XRSTOR64),
    M(WRFSBASE), M(WRGSBASE), M(CLTS),     M(LDMXCSR), M(STMXCSR),
};

static bool keeps(const struct op_row *row)
{
    for (unsigned k = 0; k < sizeof(keeps_flags) / sizeof(keeps_flags[0]); k++)
        if (row->mnemonic == keeps_flags[k])
            return (row->fl_read | row->fl_write | row->fl_undef) == 0;
    return false;
}

static bool loads_segment(const struct op_row *row, const struct row_info *info)
{
    return (row->mnemonic == M(MOV) || row->mnemonic == M(POP)) && info->count != 0 &&
           (info->operand[0].kind == K_S || info->operand[0].kind == K_SFIX);
}

struct row_facts *rows_create(const struct cpu *c)
{
    struct row_facts *rows = calloc(optab_count, sizeof(*rows));

    for (unsigned k = 0; rows != NULL && k < optab_count; k++) {
        rows[k].assist = assist_of(optab[k].mnemonic, decoder_row(c->decoder, k));
        rows[k].keeps_flags = keeps(&optab[k]);
        rows[k].loads_segment = loads_segment(&optab[k], decoder_row(c->decoder, k));
    }
    return rows;
}
