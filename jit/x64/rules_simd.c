/* SPDX-License-Identifier: MIT */
/* SSE to SSE4.2, AES, PCLMULQDQ, SHA, BMI and ADX: whole extensions by a line each, because the
 * host executes their instructions as they are, in the registers that the guest names. */
#include <Zydis/Zydis.h>
#include <cpuid.h>

#include "jit/x64/emit.h"

#define M(name) ZYDIS_MNEMONIC_##name

struct extension {
    uint8_t isa;
    emit_fn emit;
    uint8_t how;
};

static const struct extension extensions[] = {
    {ISA_SSE, emit_general, RULE_WRITE | RULE_FP},
    {ISA_SSE2, emit_general, RULE_WRITE | RULE_FP},
    {ISA_SSE3, emit_general, RULE_WRITE | RULE_FP},
    {ISA_SSSE3, emit_general, RULE_WRITE | RULE_FP},
    {ISA_SSE41, emit_general, RULE_WRITE | RULE_FP},
    {ISA_SSE42, emit_general, RULE_WRITE | RULE_FP},
    {ISA_AES, emit_general, RULE_WRITE | RULE_FP},
    {ISA_PCLMULQDQ, emit_general, RULE_WRITE | RULE_FP},
    {ISA_SHA, emit_vector_registers, RULE_WRITE | RULE_FP},
    {ISA_ADX, emit_general, RULE_MODIFY},
    {ISA_BMI1, emit_vex, RULE_WRITE},
    {ISA_BMI2, emit_vex, RULE_WRITE},
};

/* Instructions of these extensions that have other rules. */
static const struct {
    uint16_t mnemonic;
    struct rule rule;
} others[] = {
    /* processors differ in the result */
    {M(RCPPS), {NULL, 0}},
    {M(RCPSS), {NULL, 0}},
    {M(RSQRTPS), {NULL, 0}},
    {M(RSQRTSS), {NULL, 0}},
    /* and in which of several NaNs it is */
    {M(DPPS), {NULL, 0}},
    {M(DPPD), {NULL, 0}},
    /* MXCSR belongs to whoever has the registers */
    {M(LDMXCSR), {NULL, 0}},
    {M(STMXCSR), {NULL, 0}},
    /* memory at DS:rDI */
    {M(MASKMOVDQU), {NULL, 0}},
    /* no SSE state */
    {M(MOVNTI), {emit_general, RULE_WRITE}},
    {M(SFENCE), {emit_fence, 0}},
    {M(LFENCE), {emit_fence, 0}},
    {M(MFENCE), {emit_fence, 0}},
};

/* Instructions that came with these extensions, but belong to the x87 or to MMX. */
static bool is_x87_or_mmx(const struct op_row *row, const struct row_info *info)
{
    if ((row->map & 7) == 0)
        return true;
    for (unsigned k = 0; k < info->count; k++)
        if (info->operand[k].kind == K_P || info->operand[k].kind == K_Q ||
            info->operand[k].kind == K_N)
            return true;
    return false;
}

static struct rule rule_for(const struct extension *e, const struct op_row *row)
{
    struct rule r = {e->emit, e->how};

    if ((e->emit == emit_vex) != ((row->map & MAP_VEX) != 0))
        return (struct rule){NULL, 0};
    for (unsigned k = 0; k < sizeof(others) / sizeof(others[0]); k++)
        if (others[k].mnemonic == row->mnemonic)
            r = others[k].rule;
    return r;
}

void rules_create_simd(struct backend *be, const struct cpu *c)
{
    for (unsigned k = 0; k < sizeof(extensions) / sizeof(extensions[0]); k++)
        for (unsigned row = 0; row < optab_count; row++)
            if (optab[row].isa == extensions[k].isa && be->rules[row].emit == NULL &&
                !is_x87_or_mmx(&optab[row], decoder_row(c->decoder, row)))
                be->rules[row] = rule_for(&extensions[k], &optab[row]);
}

/* -- What the host lacks ----------------------------------------------------------------------- */

static bool host_has(unsigned leaf, unsigned subleaf, char reg, unsigned bit)
{
    unsigned r[4] = {0};

    return leaf == 0 || (__get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]) &&
                         r[reg - 'A'] >> bit & 1);
}

void rules_restrict(struct backend *be)
{
    static const struct {
        unsigned leaf, subleaf;
        char reg;
        uint8_t bit;
    } where[] = {
#define ISA(id, name, leaf, sub, reg, bit) {leaf, sub, #reg[0], bit},
        ISA_LIST(ISA)
#undef ISA
    };
    bool has[ISA_COUNT];

    for (unsigned k = 0; k < ISA_COUNT; k++)
        has[k] = host_has(where[k].leaf, where[k].subleaf, where[k].reg, where[k].bit);
    for (unsigned row = 0; row < optab_count; row++) {
        if (has[optab[row].isa] || be->rules[row].emit == NULL)
            continue;
        be->rules[row].emit = NULL;
        be->restricted = true;
    }
}
