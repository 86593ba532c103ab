/* SPDX-License-Identifier: MIT */
/* Which guest registers an instruction writes. What is not known for sure counts as written. */
#include <Zydis/Zydis.h>

#include "jit/x64/emit.h"

#define M(name) ZYDIS_MNEMONIC_##name
#define R(reg)  (1u << (reg))
#define ALL     0xffffu

/* Registers that are written without being operands. */
static const struct {
    uint16_t mnemonic, regs;
} implied[] = {
    {M(MUL), R(RAX) | R(RDX)},
    {M(IMUL), R(RAX) | R(RDX)},
    {M(DIV), R(RAX) | R(RDX)},
    {M(IDIV), R(RAX) | R(RDX)},
    {M(CBW), R(RAX)},
    {M(CWDE), R(RAX)},
    {M(CDQE), R(RAX)},
    {M(CWD), R(RDX)},
    {M(CDQ), R(RDX)},
    {M(CQO), R(RDX)},
    {M(LAHF), R(RAX)},
    {M(CMPXCHG), R(RAX)},
    {M(CMPXCHG8B), R(RAX) | R(RDX)},
    {M(CMPXCHG16B), R(RAX) | R(RDX)},
    {M(FNSTSW), R(RAX)},
    {M(PCMPESTRI), R(RCX)},
    {M(PCMPISTRI), R(RCX)},
    {M(PUSH), R(RSP)},
    {M(PUSHF), R(RSP)},
    {M(PUSHFD), R(RSP)},
    {M(PUSHFQ), R(RSP)},
    {M(POP), R(RSP)},
    {M(LEAVE), R(RSP) | R(RBP)},
    {M(LOOP), R(RCX)},
    {M(LOOPE), R(RCX)},
    {M(LOOPNE), R(RCX)},
};

/* Rules that write nothing but operands and what is above. */
static const emit_fn known[] = {
    emit_general,  emit_nothing,      emit_short,
    emit_lea,      emit_push,         emit_pop,
    emit_leave,    emit_fence,        emit_vex,
    emit_x87,      emit_emms,         emit_x87_control,
    emit_pushf,    emit_push_segment, emit_mov_from_cr,
    emit_jcc,      emit_jmp,          emit_loop,
    emit_implicit, emit_bit_test,     emit_vector_registers,
};

static bool is_known(emit_fn emit)
{
    for (unsigned k = 0; k < sizeof(known) / sizeof(known[0]); k++)
        if (known[k] == emit)
            return true;
    return false;
}

/* An operand's register; which register that is does not depend on whether it is written. */
static unsigned operand_reg(const struct insn *i, const struct operand *o, unsigned n)
{
    switch (o->kind) {
    case K_ACC: return R(RAX);
    case K_B: return R(i->src2 >> 3);
    case K_E: return i->mem ? 0 : R((n == 0 ? i->dst : i->src) >> 3);
    case K_G:
    case K_R:
    case K_Z: return R((n == 0 ? i->dst : i->src) >> 3);
    default: return 0;
    }
}

void rules_imply(struct backend *be)
{
    for (unsigned op = 0; op < optab_count; op++) {
        be->implied[op] = is_known(be->rules[op].emit) ? 0 : ALL;
        for (unsigned k = 0; k < sizeof(implied) / sizeof(implied[0]); k++)
            if (implied[k].mnemonic == optab[op].mnemonic)
                be->implied[op] |= implied[k].regs;
    }
}

unsigned regs_written(const struct backend *be, const struct row_info *row, const struct insn *i)
{
    const struct rule *r = &be->rules[i->op];
    bool all = r->how & RULE_WRITES_SRC || r->emit == emit_vex || r->emit == emit_pop;
    unsigned regs = be->implied[i->op];

    for (unsigned n = 0; n < row->count; n++)
        if (all || (n == 0 && (r->how & RULE_ACCESS) != RULE_READ))
            regs |= operand_reg(i, &row->operand[n], n);
    return regs;
}

unsigned regs_of_address(const struct insn *i)
{
    unsigned regs = 0;

    if (i->base < 16)
        regs |= R(i->base);
    if (i->idx < 16)
        regs |= R(i->idx);
    return regs;
}
