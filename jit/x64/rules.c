/* SPDX-License-Identifier: MIT */
/* Which instruction is translated how: one line for a mnemonic; the operands that the instruction
 * table names say the rest. */
#include <Zydis/Zydis.h>

#include "jit/x64/emit.h"

struct line {
    uint16_t mnemonic;
    emit_fn emit;
    uint8_t how;
};

#define M(name) ZYDIS_MNEMONIC_##name

static const struct line lines[] = {
    /* arithmetic and logic */
    {M(ADD), emit_general, RULE_MODIFY},
    {M(OR), emit_general, RULE_MODIFY},
    {M(ADC), emit_general, RULE_MODIFY},
    {M(SBB), emit_general, RULE_MODIFY},
    {M(AND), emit_general, RULE_MODIFY},
    {M(SUB), emit_general, RULE_MODIFY},
    {M(XOR), emit_general, RULE_MODIFY},
    {M(CMP), emit_general, RULE_READ},
    {M(TEST), emit_general, RULE_READ},
    {M(NOT), emit_general, RULE_MODIFY},
    {M(NEG), emit_general, RULE_MODIFY},
    {M(INC), emit_general, RULE_MODIFY},
    {M(DEC), emit_general, RULE_MODIFY},
    {M(MUL), emit_general, RULE_READ},
    {M(IMUL), emit_general, RULE_MODIFY},
    {M(DIV), emit_general, RULE_READ},
    {M(IDIV), emit_general, RULE_READ},
    {M(CBW), emit_implicit, 0},
    {M(CWDE), emit_implicit, 0},
    {M(CDQE), emit_implicit, 0},
    {M(CWD), emit_implicit, 0},
    {M(CDQ), emit_implicit, 0},
    {M(CQO), emit_implicit, 0},
    {M(CMPXCHG), emit_general, RULE_MODIFY},
    {M(CMPXCHG8B), emit_general, RULE_MODIFY},
    {M(CMPXCHG16B), emit_general, RULE_MODIFY},
    {M(XADD), emit_general, RULE_MODIFY | RULE_WRITES_SRC},
    /* shifts */
    {M(ROL), emit_general, RULE_MODIFY},
    {M(ROR), emit_general, RULE_MODIFY},
    {M(RCL), emit_general, RULE_MODIFY},
    {M(RCR), emit_general, RULE_MODIFY},
    {M(SHL), emit_general, RULE_MODIFY},
    {M(SHR), emit_general, RULE_MODIFY},
    {M(SAR), emit_general, RULE_MODIFY},
    {M(SHLD), emit_general, RULE_MODIFY},
    {M(SHRD), emit_general, RULE_MODIFY},
    /* bits */
    {M(BT), emit_bit_test, RULE_READ},
    {M(BTS), emit_bit_test, RULE_MODIFY},
    {M(BTR), emit_bit_test, RULE_MODIFY},
    {M(BTC), emit_bit_test, RULE_MODIFY},
    {M(BSF), emit_general, RULE_MODIFY},
    {M(BSR), emit_general, RULE_MODIFY},
    {M(TZCNT), emit_general, RULE_WRITE | RULE_F3},
    {M(LZCNT), emit_general, RULE_WRITE | RULE_F3},
    {M(POPCNT), emit_general, RULE_WRITE | RULE_F3},
    {M(CRC32), emit_general, RULE_MODIFY | RULE_F2},
    {M(MOVBE), emit_general, RULE_WRITE},
    {M(BSWAP), emit_short, RULE_MODIFY},
    /* data transfer */
    {M(MOV), emit_general, RULE_WRITE},
    {M(MOVZX), emit_general, RULE_WRITE},
    {M(MOVSX), emit_general, RULE_WRITE},
    {M(MOVSXD), emit_general, RULE_WRITE},
    {M(XCHG), emit_general, RULE_MODIFY | RULE_WRITES_SRC},
    {M(LEA), emit_lea, RULE_WRITE},
    {M(NOP), emit_nothing, 0},
    {M(PAUSE), emit_nothing, 0},
    {M(SAHF), emit_implicit, 0},
    {M(LAHF), emit_implicit, 0},
    {M(CLC), emit_implicit, 0},
    {M(STC), emit_implicit, 0},
    {M(CMC), emit_implicit, 0},
    {M(PUSH), emit_push, 0},
    {M(POP), emit_pop, 0},
    {M(PUSHAD), emit_pushad, 0},
    {M(POPAD), emit_popad, 0},
    {M(LEAVE), emit_leave, 0},
    {M(PREFETCH), emit_nothing, 0},
    {M(PREFETCHW), emit_nothing, 0},
    {M(PREFETCHNTA), emit_nothing, 0},
    {M(PREFETCHT0), emit_nothing, 0},
    {M(PREFETCHT1), emit_nothing, 0},
    {M(PREFETCHT2), emit_nothing, 0},
    /* strings */
    {M(MOVSB), emit_string, 0},
    {M(MOVSW), emit_string, 0},
    {M(MOVSD), emit_string, 0},
    {M(MOVSQ), emit_string, 0},
    {M(STOSB), emit_string, 0},
    {M(STOSW), emit_string, 0},
    {M(STOSD), emit_string, 0},
    {M(STOSQ), emit_string, 0},
    {M(LODSB), emit_string, 0},
    {M(LODSW), emit_string, 0},
    {M(LODSD), emit_string, 0},
    {M(LODSQ), emit_string, 0},
    {M(SCASB), emit_string, 0},
    {M(SCASW), emit_string, 0},
    {M(SCASD), emit_string, 0},
    {M(SCASQ), emit_string, 0},
    {M(CMPSB), emit_string, 0},
    {M(CMPSW), emit_string, 0},
    {M(CMPSD), emit_string, 0},
    {M(CMPSQ), emit_string, 0},
    {M(CLD), emit_direction, 0},
    {M(STD), emit_direction, 0},
    /* control transfer */
    {M(JMP), emit_jmp, 0},
    {M(CALL), emit_call, 0},
    {M(RET), emit_ret, 0},
    {M(LOOP), emit_loop, 0},
    {M(LOOPE), emit_loop, 0},
    {M(LOOPNE), emit_loop, 0},
    {M(JCXZ), emit_loop, 0},
    {M(JECXZ), emit_loop, 0},
    {M(JRCXZ), emit_loop, 0},
    /* system */
    {M(CLI), emit_cli, RULE_NEXT},
    {M(STI), emit_sti, 0},
    {M(CLAC), emit_stac, RULE_NEXT},
    {M(STAC), emit_stac, RULE_NEXT},
    {M(PUSHF), emit_pushf, 0},
    {M(PUSHFD), emit_pushf, 0},
    {M(PUSHFQ), emit_pushf, 0},
    {M(POPF), emit_popf, RULE_NEXT},
    {M(POPFD), emit_popf, RULE_NEXT},
    {M(POPFQ), emit_popf, RULE_NEXT},
    {M(SWAPGS), emit_swapgs, RULE_NEXT},
    {M(SYSCALL), emit_assist, 0},
    {M(SYSRET), emit_assist, 0},
    {M(SYSENTER), emit_assist, 0},
    {M(SYSEXIT), emit_assist, 0},
    {M(IRETD), emit_assist, 0},
    {M(IRETQ), emit_assist, 0},
    {M(RDMSR), emit_assist, 0},
    {M(WRMSR), emit_assist, RULE_NEXT},
    {M(RDFSBASE), emit_assist, 0},
    {M(RDGSBASE), emit_assist, 0},
    {M(WRFSBASE), emit_assist, 0},
    {M(WRGSBASE), emit_assist, 0},
    {M(IN), emit_assist, 0},
    {M(OUT), emit_assist, RULE_NEXT},
    {M(RDTSC), emit_assist, 0},
    {M(RDTSCP), emit_assist, 0},
};

#define CONDITION(cc)                                                                              \
    {M(J##cc), emit_jcc, 0}, {M(SET##cc), emit_general, RULE_WRITE},                               \
        {M(CMOV##cc), emit_general, RULE_MODIFY},

static const struct line conditions[] = {
    CONDITION(O) CONDITION(NO) CONDITION(B) CONDITION(NB) CONDITION(Z) CONDITION(NZ) CONDITION(BE)
        CONDITION(NBE) CONDITION(S) CONDITION(NS) CONDITION(P) CONDITION(NP) CONDITION(L)
            CONDITION(NL) CONDITION(LE) CONDITION(NLE)};

static bool has_kind(const struct row_info *row, unsigned kind)
{
    for (unsigned k = 0; k < row->count; k++)
        if (row->operand[k].kind == kind)
            return true;
    return false;
}

/* Operands that emit_general() can place. */
static bool is_general(const struct row_info *row)
{
    static const uint8_t others[] = {K_Z, K_J, K_A, K_O, K_S, K_SFIX, K_CD,
                                     K_P, K_Q, K_N, K_B, K_H, K_ST};
    for (unsigned k = 0; k < sizeof(others); k++)
        if (has_kind(row, others[k]))
            return false;
    return true;
}

/* The line's rule for this row: some rows of a mnemonic are another kind of instruction. */
static struct rule rule_for(const struct line *l, const struct op_row *row,
                            const struct row_info *info)
{
    struct rule r = {l->emit, l->how}, none = {NULL, 0};

    if (row->map & MAP_VEX || (l->emit == emit_string && !(row->attr & ATTR_STR)))
        return none;
    if (l->emit == emit_general && (has_kind(info, K_Z) || has_kind(info, K_O)))
        r.emit = emit_short;
    else if (l->emit == emit_general && has_kind(info, K_CD) && row->opcode == 0x20)
        r.emit = emit_mov_from_cr;
    else if (l->emit == emit_general && has_kind(info, K_S) && row->opcode == 0x8c)
        r.emit = emit_mov_from_segment;
    else if (l->emit == emit_general && has_kind(info, K_S) && row->opcode == 0x8e)
        r = (struct rule){emit_load_segment, RULE_NEXT};
    else if (l->emit == emit_general && !is_general(info))
        return none;
    if ((l->emit == emit_push || l->emit == emit_pop) && has_kind(info, K_SFIX))
        return l->emit == emit_push ? (struct rule){emit_push_segment, 0}
                                    : (struct rule){emit_load_segment, RULE_NEXT};
    if ((l->emit == emit_jmp || l->emit == emit_call) && !has_kind(info, K_J)) {
        if (!has_kind(info, K_E))
            return none;
        r.emit = l->emit == emit_jmp ? emit_jmp_indirect : emit_call_indirect;
    }
    if (row->attr & ATTR_NOALIAS && r.how & RULE_F3) /* BSF and BSR, whatever the prefix */
        r.how = RULE_MODIFY;
    if (row->mnemonic == M(IMUL) && info->count == 1)
        r.how = RULE_READ;
    if (l->emit == emit_ret && row->opcode != 0xc3 && row->opcode != 0xc2)
        return none;
    return r;
}

static void apply(struct backend *be, const struct cpu *c, const struct line *l, unsigned count)
{
    for (; count > 0; l++, count--)
        for (unsigned row = 0; row < optab_count; row++)
            if (optab[row].mnemonic == l->mnemonic)
                be->rules[row] = rule_for(l, &optab[row], decoder_row(c->decoder, row));
}

void rules_create(struct backend *be, const struct cpu *c)
{
    apply(be, c, lines, sizeof(lines) / sizeof(lines[0]));
    apply(be, c, conditions, sizeof(conditions) / sizeof(conditions[0]));
    rules_create_simd(be, c);
    rules_create_x87(be, c);
    rules_restrict(be);
    rules_imply(be);
}
