/* SPDX-License-Identifier: MIT */
/* The x86-64 assembler: every form that it writes, over all registers and addresses, as Zydis reads
 * it back. */
#include <Zydis/Zydis.h>
#include <check.h>
#include <stdlib.h>

#include "jit/x64/asm.h"

#define GPR8  ZYDIS_REGCLASS_GPR8
#define GPR16 ZYDIS_REGCLASS_GPR16
#define GPR32 ZYDIS_REGCLASS_GPR32
#define GPR64 ZYDIS_REGCLASS_GPR64
#define XMM   ZYDIS_REGCLASS_XMM
#define NONE  ZYDIS_REGCLASS_INVALID

#define M(name) ZYDIS_MNEMONIC_##name

/* An opcode, and how Zydis has its operands. */
struct form {
    unsigned prefixes, map, opcode;
    ZydisMnemonic mnemonic;
    ZydisRegisterClass reg, rm; /* NONE: part of the opcode; memory only */
    unsigned digit;             /* the part */
    bool rm_first;
    unsigned imm;  /* bytes of an immediate behind it */
    int vex_pp;    /* of a VEX form, -1: none; vvvv is the last operand */
    unsigned bits; /* width of the memory operand */
};

static const struct form forms[] = {
    {P_W, 0, 0x8b, M(MOV), GPR64, GPR64, 0, false, 0, -1, 64},
    {0, 0, 0x8b, M(MOV), GPR32, GPR32, 0, false, 0, -1, 32},
    {P_66, 0, 0x89, M(MOV), GPR16, GPR16, 0, true, 0, -1, 16},
    {P_BREG | P_BRM, 0, 0x88, M(MOV), GPR8, GPR8, 0, true, 0, -1, 8},
    {P_LOCK | P_W, 0, 0x01, M(ADD), GPR64, NONE, 0, true, 0, -1, 64},
    {P_LOCK | P_BREG, 0, 0x86, M(XCHG), GPR8, NONE, 0, true, 0, -1, 8},
    {P_W, 0, 0x8d, M(LEA), GPR64, NONE, 0, false, 0, -1, 64},
    {0, 0, 0x8d, M(LEA), GPR32, NONE, 0, false, 0, -1, 32},
    {P_BRM, 0, 0xc6, M(MOV), NONE, GPR8, 0, true, 1, -1, 8},
    {P_66, 0, 0x81, M(XOR), NONE, GPR16, 6, true, 2, -1, 16},
    {0, 0, 0xc7, M(MOV), NONE, GPR32, 0, true, 4, -1, 32},
    {0, 0, 0xff, M(JMP), NONE, GPR64, 4, true, 0, -1, 64},
    {0, 0, 0xff, M(CALL), NONE, GPR64, 2, true, 0, -1, 64},
    {0, 1, 0xb7, M(MOVZX), GPR32, GPR16, 0, false, 0, -1, 16},
    {P_BRM, 1, 0xb6, M(MOVZX), GPR32, GPR8, 0, false, 0, -1, 8},
    {0, 1, 0x10, M(MOVUPS), XMM, XMM, 0, false, 0, -1, 128},
    {P_F3, 1, 0x10, M(MOVSS), XMM, NONE, 0, false, 0, -1, 32},
    {P_F3 | P_W, 1, 0xb8, M(POPCNT), GPR64, GPR64, 0, false, 0, -1, 64},
    {P_F2 | P_66, 2, 0xf1, M(CRC32), GPR32, GPR16, 0, false, 0, -1, 16},
    {P_66, 2, 0x00, M(PSHUFB), XMM, XMM, 0, false, 0, -1, 128},
    {P_66 | P_W, 3, 0x16, M(PEXTRQ), XMM, GPR64, 0, true, 1, -1, 64},
    {0, 1, 0xae, M(LDMXCSR), NONE, NONE, 2, true, 0, -1, 32},
    {P_W, 2, 0xf5, M(PEXT), GPR64, GPR64, 0, false, 0, 2, 64},
    {P_W, 2, 0xf7, M(SHRX), GPR64, GPR64, 0, false, 0, 3, 64},
    {0, 2, 0xf7, M(SARX), GPR32, GPR32, 0, false, 0, 2, 32},
};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

/* Check's own assertions write to a file each time; there are millions here. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("%s", #condition);                                                        \
    } while (0)

/* -- Reading back ------------------------------------------------------------------------------ */

static ZydisDecoder decoder;
static uint8_t bytes[64];

static void setup(void)
{
    ck_assert(
        ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)));
}

static ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

/* What was written from bytes[0] to a->p is one instruction. */
static ZydisDecodedInstruction read_back(const struct asmbuf *a)
{
    ZydisDecodedInstruction z;
    ZyanStatus st = ZydisDecoderDecodeFull(&decoder, bytes, (size_t)(a->p - bytes), &z, operands);

    MUST(ZYAN_SUCCESS(st));
    MUST(z.length == (size_t)(a->p - bytes));
    return z;
}

static struct asmbuf begin(void)
{
    return (struct asmbuf){bytes, 0, 0};
}

/* The assembler's number of a register of this class as Zydis has it. */
static ZydisRegister zydis_reg(ZydisRegisterClass class, unsigned n)
{
    if (class == GPR8 && n >= 4) /* Zydis counts AH..BH too */
        n += 4;
    return ZydisRegisterEncode(class, (ZyanU8)n);
}

static ZydisRegister address_reg(int n)
{
    return n < 0 ? ZYDIS_REGISTER_NONE : zydis_reg(GPR64, (unsigned)n);
}

static void check_rm(const struct form *f, const ZydisDecodedOperand *o, struct rm rm)
{
    if (rm.reg >= 0) {
        MUST(o->type == ZYDIS_OPERAND_TYPE_REGISTER);
        MUST(o->reg.value == zydis_reg(f->rm, (unsigned)rm.reg));
        return;
    }
    MUST(o->type == ZYDIS_OPERAND_TYPE_MEMORY);
    MUST(o->mem.base == address_reg(rm.base));
    MUST(o->mem.index == address_reg(rm.index));
    if (rm.index >= 0)
        MUST(o->mem.scale == 1 << rm.scale);
    MUST(o->mem.disp.value == rm.disp);
    if (f->mnemonic != M(LEA))
        MUST(o->size == f->bits);
}

static void write_form(struct asmbuf *a, const struct form *f, unsigned reg, unsigned vvvv,
                       struct rm rm)
{
    if (f->vex_pp >= 0)
        asm_vex(a, (unsigned)f->vex_pp, f->prefixes & P_W, f->map, f->opcode, reg, vvvv, rm);
    else
        asm_op(a, f->prefixes, f->map, f->opcode, reg, rm);
    for (unsigned k = 0; k < f->imm; k++)
        put8(a, 0x5a);
}

static void check_form(const struct form *f, unsigned reg, unsigned vvvv, struct rm rm)
{
    struct asmbuf a = begin();
    ZydisDecodedInstruction z;
    bool swapped = f->rm_first || f->reg == NONE;
    /* PEXT has its memory operand last, SHRX in the middle. */
    unsigned rm_at = f->mnemonic == M(PEXT) ? 2 : swapped ? 0 : 1;

    write_form(&a, f, reg, vvvv, rm);
    z = read_back(&a);
    MUST(z.mnemonic == f->mnemonic);
    MUST(!(z.attributes & ZYDIS_ATTRIB_HAS_LOCK) == !(f->prefixes & P_LOCK));
    check_rm(f, &operands[rm_at], rm);
    if (f->reg != NONE)
        MUST(operands[swapped ? 1 : 0].reg.value == zydis_reg(f->reg, reg));
    if (f->vex_pp >= 0)
        MUST(operands[3 - rm_at].reg.value == zydis_reg(f->reg, vvvv));
    if (f->imm != 0)
        MUST((operands[f->reg == NONE ? 1 : 2].imm.value.u & 0xff) == 0x5a);
}

/* -- Everything -------------------------------------------------------------------------------- */

START_TEST(registers)
{
    const struct form *f = &forms[_i];
    if (f->rm == NONE)
        return;
    for (unsigned reg = 0; reg < 16; reg++)
        for (unsigned rm = 0; rm < 16; rm++)
            for (unsigned v = 0; v < (f->vex_pp >= 0 ? 16 : 1); v++)
                check_form(f, f->reg == NONE ? f->digit : reg, v, rm_reg((int)rm));
}
END_TEST

/* All bases, indexes, scales and lengths of displacements. */
START_TEST(addresses)
{
    static const int32_t disps[] = {0, 1, -1, 127, -128, 128, -129, INT32_MAX, INT32_MIN};
    const struct form *f = &forms[_i];

    for (unsigned reg = 0; reg < 16; reg++)
        for (int base = H_NONE; base < 16; base++)
            for (int index = H_NONE; index < 16; index++) {
                if (index == HSP) /* has no encoding */
                    continue;
                for (unsigned k = 0; k < 4 * sizeof(disps) / sizeof(disps[0]); k++)
                    check_form(f, f->reg == NONE ? f->digit : reg, reg ^ 5,
                               rm_index(base, index, index < 0 ? 0 : k & 3, disps[k >> 2]));
            }
}
END_TEST

/* The helpers are the forms that their names say. */
START_TEST(helpers)
{
    struct rm at = rm_mem(HBP, 0x1234);
    ZydisDecodedInstruction z;
    struct asmbuf a = begin();

    asm_store32_imm(&a, at, 0x89abcdef);
    z = read_back(&a);
    ck_assert_int_eq(z.mnemonic, M(MOV));
    ck_assert_uint_eq(operands[0].size, 32);
    ck_assert_uint_eq((uint32_t)operands[1].imm.value.u, 0x89abcdef);
    a = begin();
    asm_store(&a, at, HSI);
    z = read_back(&a);
    ck_assert_int_eq(operands[0].type, ZYDIS_OPERAND_TYPE_MEMORY);
    ck_assert_int_eq(operands[1].reg.value, ZYDIS_REGISTER_RSI);
    a = begin();
    asm_mov32(&a, H11, at);
    z = read_back(&a);
    ck_assert_int_eq(operands[0].reg.value, ZYDIS_REGISTER_R11D);
    a = begin();
    asm_jmp_mem(&a, at);
    z = read_back(&a);
    ck_assert_int_eq(z.mnemonic, M(JMP));
    ck_assert_int_eq(operands[0].type, ZYDIS_OPERAND_TYPE_MEMORY);
}
END_TEST

/* The whole register gets the value, by the shortest of three encodings. */
START_TEST(immediates)
{
    static const struct {
        uint64_t v;
        unsigned length; /* of the encoding, without REX */
    } values[] = {
        {0, 5},
        {1, 5},
        {0x7fffffff, 5},
        {0x80000000, 5},
        {0xffffffff, 5},
        {UINT64_MAX, 6},
        {UINT64_C(0xffffffff80000000), 6},
        {UINT64_C(0xffffffff7fffffff), 9},
        {UINT64_C(0x100000000), 9},
        {UINT64_C(1) << 63, 9},
    };

    for (unsigned k = 0; k < sizeof(values) / sizeof(values[0]); k++)
        for (unsigned reg = 0; reg < 16; reg++) {
            struct asmbuf a = begin();
            asm_mov_imm(&a, reg, values[k].v);
            ZydisDecodedInstruction z = read_back(&a);
            bool wide = z.operand_width == 64;
            ck_assert_int_eq(z.mnemonic, M(MOV));
            ck_assert_int_eq(operands[0].reg.value, zydis_reg(wide ? GPR64 : GPR32, reg));
            ck_assert_uint_eq(z.length, values[k].length + (wide || reg >= 8));
            uint64_t v = operands[1].imm.value.u;
            ck_assert_uint_eq(wide ? v : (uint32_t)v, values[k].v);
        }
}
END_TEST

/* Where the jump that was just written goes, seen from where it will be executed. */
static uint64_t target_of(const struct asmbuf *a, const ZydisDecodedInstruction *z)
{
    ZyanU64 to;
    ck_assert(ZYAN_SUCCESS(
        ZydisCalcAbsoluteAddress(z, &operands[0], (ZyanU64)(uintptr_t)(bytes + a->to_exec), &to)));
    return to;
}

START_TEST(jumps)
{
    static const ptrdiff_t distances[] = {
        0, 1, -1, 5, 6, 1 << 20, -(1 << 20), INT32_MAX - 64, INT32_MIN + 64};
    static const ZydisMnemonic conditions[] = {M(JO),  M(JNO),  M(JB),  M(JNB), M(JZ), M(JNZ),
                                               M(JBE), M(JNBE), M(JS),  M(JNS), M(JP), M(JNP),
                                               M(JL),  M(JNL),  M(JLE), M(JNLE)};

    for (unsigned k = 0; k < sizeof(distances) / sizeof(distances[0]); k++)
        for (unsigned cc = 0; cc <= 16; cc++)
            for (unsigned later = 0; later < 2; later++) {
                struct asmbuf a = {bytes, 0x10000000, 0};
                const uint8_t *to = bytes + a.to_exec + distances[k];
                const uint8_t *now = later ? NULL : to;
                uint8_t *at = cc == 16 ? asm_jmp(&a, now) : asm_jcc(&a, cc, now);
                if (later)
                    asm_patch(&a, at, to);
                ZydisDecodedInstruction z = read_back(&a);
                ck_assert_int_eq(z.mnemonic, cc == 16 ? M(JMP) : conditions[cc]);
                ck_assert_uint_eq(target_of(&a, &z), (uintptr_t)to);
                ck_assert_ptr_eq(asm_here(&a), a.p + a.to_exec);
            }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("asm");
    TCase *tc = tcase_create("asm");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_loop_test(tc, registers, 0, FORMS);
    tcase_add_loop_test(tc, addresses, 0, FORMS);
    tcase_add_test(tc, helpers);
    tcase_add_test(tc, immediates);
    tcase_add_test(tc, jumps);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
