/* SPDX-License-Identifier: MIT */
/* x87 and MMX: the host executes the instructions as they are, on its own register stack. What it
 * can't keep are the pointers to the last instruction and its operand, which would be the host's;
 * they are written to struct cpu. An unmasked exception is found by the next instruction that
 * waits, on the host as in the guest: the signal leads to the interpreter, which reports it. */
#include <Zydis/Zydis.h>

#include "jit/x64/emit.h"

#define M(name) ZYDIS_MNEMONIC_##name

/* -- State ------------------------------------------------------------------------------------- */

#define FSW_TOP_BITS 0x3800u
#define TAGS         0x5555u /* one bit of each tag; 3 is empty */

/* The words of an environment (SDM 1 figure 8-9) */
#define ENV_AT(first, n) rm_gs((int32_t)(offsetof(struct cpu, scratch) + 8 * (first) + 4 * (n)))

static struct rm st_at(unsigned n)
{
    return rm_gs((int32_t)(offsetof(struct cpu, fpu.st) + n * sizeof(struct f80)));
}

static void emit_movzx8(struct asmbuf *a, unsigned reg, struct rm rm)
{
    asm_op(a, 0, 1, 0xb6, reg, rm);
}

static void emit_movzx16(struct asmbuf *a, unsigned reg, struct rm rm)
{
    asm_op(a, 0, 1, 0xb7, reg, rm);
}

static void emit_store16(struct asmbuf *a, struct rm rm, unsigned reg)
{
    asm_op(a, P_66, 0, 0x89, reg, rm);
}

static void emit_pdep(struct asmbuf *a, unsigned reg, unsigned src, unsigned mask)
{
    asm_vex(a, 3, false, 2, 0xf5, reg, src, rm_reg((int)mask));
}

static void emit_pext(struct asmbuf *a, unsigned reg, unsigned src, unsigned mask)
{
    asm_vex(a, 2, false, 2, 0xf5, reg, src, rm_reg((int)mask));
}

static void emit_not(struct asmbuf *a, unsigned reg)
{
    asm_op(a, 0, 0, 0xf7, 2, rm_reg((int)reg));
}

/* Pushed onto an empty stack with TOP 0, R7 first, the registers come to their places. */
void emit_x87_load(struct asmbuf *a)
{
    put8(a, 0xdb); /* fninit */
    put8(a, 0xe3);
    for (unsigned n = 8; n-- > 0;)
        asm_op(a, 0, 0, 0xdb, 5, st_at(n)); /* fld m80 */
    emit_movzx16(a, TEMP, CPU_AT(fpu.cw));
    asm_op(a, 0, 0, 0x89, TEMP, ENV_AT(X_ENV, 0));
    emit_movzx8(a, TEMP, CPU_AT(fpu.top));
    asm_mov_imm(a, ADDR, FSW_TOP_BITS);
    emit_pdep(a, TEMP, TEMP, ADDR);
    emit_movzx16(a, ADDR, CPU_AT(fpu.sw));
    asm_lea(a, false, TEMP, rm_index(ADDR, TEMP, 0, 0));
    asm_op(a, 0, 0, 0x89, TEMP, ENV_AT(X_ENV, 1));
    emit_movzx8(a, TEMP, CPU_AT(fpu.valid));
    emit_not(a, TEMP);
    asm_mov_imm(a, ADDR, TAGS);
    emit_pdep(a, TEMP, TEMP, ADDR);
    asm_lea(a, false, TEMP, rm_index(TEMP, TEMP, 1, 0));
    asm_op(a, 0, 0, 0x89, TEMP, ENV_AT(X_ENV, 2));
    asm_op(a, 0, 0, 0xd9, 4, ENV_AT(X_ENV, 0)); /* fldenv */
}

/* With TOP 0 and no tag that says empty, the registers can be popped one by one. */
void emit_x87_save(struct asmbuf *a)
{
    asm_op(a, 0, 0, 0xd9, 6, ENV_AT(X_ENV, 0)); /* fnstenv */
    put8(a, 0xdb);                              /* fnclex */
    put8(a, 0xe2);
    asm_op(a, 0, 0, 0xd9, 4, ENV_AT(X_ENV_EMPTY, 0));
    for (unsigned n = 0; n < 8; n++)
        asm_op(a, 0, 0, 0xdb, 7, st_at(n)); /* fstp m80 */
    emit_movzx16(a, TEMP, ENV_AT(X_ENV, 0));
    emit_store16(a, CPU_AT(fpu.cw), TEMP);
    emit_movzx16(a, ADDR, ENV_AT(X_ENV, 1));
    asm_mov_imm(a, TEMP, FSW_TOP_BITS);
    emit_pext(a, TEMP, ADDR, TEMP);
    asm_op(a, P_BREG, 0, 0x88, TEMP, CPU_AT(fpu.top));
    asm_op(a, 0, 0, 0x81, 4, rm_reg(ADDR)); /* and */
    put32(a, ~FSW_TOP_BITS);
    emit_store16(a, CPU_AT(fpu.sw), ADDR);
    emit_movzx16(a, ADDR, ENV_AT(X_ENV, 2));
    asm_mov_imm(a, TEMP, TAGS);
    emit_pext(a, TEMP, ADDR, TEMP);
    asm_op(a, 0, 0, 0xd1, 5, rm_reg(ADDR)); /* shr 1 */
    asm_op(a, 0, 0, 0x89, TEMP, ENV_AT(X_ENV, 0));
    asm_mov_imm(a, TEMP, TAGS);
    emit_pext(a, TEMP, ADDR, TEMP);
    asm_op(a, 0, 0, 0x23, TEMP, ENV_AT(X_ENV, 0)); /* and */
    emit_not(a, TEMP);
    asm_op(a, P_BREG, 0, 0x88, TEMP, CPU_AT(fpu.valid));
}

/* -- Instructions ------------------------------------------------------------------------------ */

/* The pointer to the last operand. */
static void emit_note_mem(struct xlat *x)
{
    unsigned k = x->k;

    x->k = x->note_mem - 1u; /* where RIP is */
    const struct insn *i = &x->code->block->insn[x->k];
    emit_effective_address(x, i);
    x->k = k;
    asm_store(&x->a, CPU_AT(fpu.fdp), ADDR);
    asm_store32_imm(&x->a, rm_gs((int32_t)(offsetof(struct cpu, scratch) + 8 * X_NOTE + 4)),
                    NOTE_NEW | i->seg);
    x->note_mem = 0;
}

void emit_notes_before(struct xlat *x, unsigned written)
{
    if (x->note_mem != 0 && regs_of_address(&x->code->block->insn[x->note_mem - 1]) & written)
        emit_note_mem(x);
}

void emit_notes(struct xlat *x)
{
    const struct code *code = x->code;

    if (x->note_mem != 0)
        emit_note_mem(x);
    if (x->note == 0)
        return;
    const struct insn *i = &code->block->insn[x->note - 1];
    asm_store32_imm(&x->a, SCRATCH_AT(X_NOTE), NOTE_NEW | (i->opc & 7u) << 8 | i->modrm);
    if (code->kind.mode & KIND_FLAT_CS) {
        asm_mov(&x->a, TEMP, SCRATCH_AT(X_PAGE));
        asm_lea(&x->a, x->is64, TEMP, rm_mem(TEMP, code->guest[x->note - 1]));
    } else {
        asm_mov_imm(&x->a, TEMP, (uint32_t)(code->kind.eip_page + code->guest[x->note - 1]));
    }
    asm_store(&x->a, CPU_AT(fpu.fip), TEMP);
    x->note = 0;
}

static unsigned access_bytes(const struct row_info *row)
{
    static const uint8_t by_rule[] = {[SIZE_W] = 2, [SIZE_D] = 4, [SIZE_Q] = 8};
    unsigned rule = row->operand[0].size_rule;
    return rule < sizeof(by_rule) && by_rule[rule] != 0 ? by_rule[rule] : 10;
}

bool emit_x87_control(struct xlat *x, const struct insn *i)
{
    bool write = (x->rule->how & RULE_ACCESS) != RULE_READ;

    if (i->mem) {
        struct rm rm;
        if (!emit_operand(x, i, access_bytes(x->row), write, &rm))
            return false;
        asm_op(&x->a, 0, 0, i->opc, i->modrm >> 3 & 7u, rm);
        return true;
    }
    put8(&x->a, i->opc);
    if (i->opc != 0x9b) /* FWAIT */
        put8(&x->a, i->modrm);
    return true;
}

bool emit_x87(struct xlat *x, const struct insn *i)
{
    if (!emit_x87_control(x, i))
        return false;
    x->note = (uint8_t)(x->k + 1);
    if (i->mem)
        x->note_mem = x->note;
    return true;
}

bool emit_emms(struct xlat *x, const struct insn *i)
{
    put8(&x->a, 0x0f);
    put8(&x->a, i->opc);
    return true;
}

/* -- Rules ------------------------------------------------------------------------------------- */

/* What is not simply emit_x87() with a memory operand that is read. */
static const struct {
    uint16_t mnemonic;
    struct rule rule;
} others[] = {
    {M(FST), {emit_x87, RULE_WRITE}},
    {M(FSTP), {emit_x87, RULE_WRITE}},
    {M(FIST), {emit_x87, RULE_WRITE}},
    {M(FISTP), {emit_x87, RULE_WRITE}},
    {M(FISTTP), {emit_x87, RULE_WRITE}},
    /* leave no trace in the instruction pointer */
    {M(FNSTCW), {emit_x87_control, RULE_WRITE}},
    {M(FNSTSW), {emit_x87_control, RULE_WRITE}},
    {M(FLDCW), {emit_x87_control, RULE_READ}},
    {M(FWAIT), {emit_x87_control, 0}},
    /* the interpreter rounds transcendentals correctly, processors do not */
    {M(F2XM1), {NULL, 0}},
    {M(FYL2X), {NULL, 0}},
    {M(FYL2XP1), {NULL, 0}},
    {M(FPTAN), {NULL, 0}},
    {M(FPATAN), {NULL, 0}},
    {M(FSIN), {NULL, 0}},
    {M(FCOS), {NULL, 0}},
    {M(FSINCOS), {NULL, 0}},
    /* clear exceptions without waiting, which may release FERR# */
    {M(FNINIT), {NULL, 0}},
    {M(FNCLEX), {NULL, 0}},
    /* whole environments; rare */
    {M(FLDENV), {NULL, 0}},
    {M(FNSTENV), {NULL, 0}},
    {M(FRSTOR), {NULL, 0}},
    {M(FNSAVE), {NULL, 0}},
    {M(FBLD), {NULL, 0}},
    {M(FBSTP), {NULL, 0}},
    /* MMX */
    {M(EMMS), {emit_emms, 0}},
    {M(MASKMOVQ), {NULL, 0}},                           /* memory at DS:rDI */
    {M(CVTPI2PS), {emit_vector_registers, RULE_WRITE}}, /* MMX only with a register */
    {M(CVTPI2PD), {emit_vector_registers, RULE_WRITE}},
};

static bool has_kind(const struct row_info *row, unsigned first, unsigned last)
{
    for (unsigned k = 0; k < row->count; k++)
        if (row->operand[k].kind >= first && row->operand[k].kind <= last)
            return true;
    return false;
}

static struct rule rule_for(const struct op_row *row, const struct row_info *info)
{
    struct rule r = row->attr & ATTR_X87 ? (struct rule){emit_x87, RULE_READ}
                                         : (struct rule){emit_general, RULE_WRITE};

    for (unsigned k = 0; k < sizeof(others) / sizeof(others[0]); k++)
        if (others[k].mnemonic == row->mnemonic)
            r = others[k].rule;
    r.how |= RULE_X87;
    if (has_kind(info, K_V, K_U))
        r.how |= RULE_FP;
    return r;
}

void rules_create_x87(struct backend *be, const struct cpu *c)
{
    for (unsigned row = 0; row < optab_count; row++) {
        const struct row_info *info = decoder_row(c->decoder, row);
        if (be->rules[row].emit == NULL && !(optab[row].attr & ATTR_NOALIAS) &&
            (optab[row].attr & ATTR_X87 || optab[row].mnemonic == M(EMMS) ||
             has_kind(info, K_P, K_N)))
            be->rules[row] = rule_for(&optab[row], info);
    }
}
