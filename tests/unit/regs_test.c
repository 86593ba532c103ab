/* SPDX-License-Identifier: MIT */
/* Which registers an instruction writes, as the translator has it, against Zydis: whatever it may
 * keep in mind of a register's value must be forgotten in time. All opcodes, with operands in
 * registers and in memory. */
#include <Zydis/Zydis.h>
#include <check.h>
#include <stdlib.h>

#include "jit/x64/emit.h"
#include "tests/unit/fake_machine.h"

#define OPCODES 256u

static struct fake_machine *m;
static const struct cpu *c;
static struct backend be;
static unsigned compared;

static void setup(void)
{
    m = fake_machine_create(NULL);
    fake_machine_enter64(m, 0x1000, 0x2000);
    c = &m->cpu;
    be.rules = calloc(optab_count, sizeof(*be.rules));
    be.implied = calloc(optab_count, sizeof(*be.implied));
    ck_assert(be.rules != NULL && be.implied != NULL);
    rules_create(&be, c);
}

static void teardown(void)
{
    free(be.rules);
    free(be.implied);
    fake_machine_free(m);
}

static unsigned written_by_zydis(const uint8_t *p, unsigned n, unsigned len)
{
    ZydisDecoder d;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    unsigned regs = 0;

    ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, p, n, &z, op)))
        return 0; /* it wants other prefixes switched off, as the decoder does */
    ck_assert_uint_eq(z.length, len);
    compared++;
    for (unsigned k = 0; k < z.operand_count; k++) {
        if (op[k].type != ZYDIS_OPERAND_TYPE_REGISTER ||
            !(op[k].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            continue;
        ZydisRegister r =
            ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op[k].reg.value);
        if (ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_GPR64)
            regs |= 1u << ZydisRegisterGetId(r);
    }
    return regs;
}

static void compare(const uint8_t *p, unsigned n)
{
    struct insn i;

    if (decode(c, &i, p, n) != DECODE_OK)
        return;
    const struct rule *r = &be.rules[i.op];
    if (r->emit == NULL || r->emit == emit_nothing) /* of which some are later instructions */
        return;
    unsigned want = written_by_zydis(p, n, i.len);
    unsigned got = regs_written(&be, decoder_row(c->decoder, i.op), &i);
    ck_assert_msg((want & ~got) == 0, "%s %s: %04x and not %04x", optab[i.op].name,
                  optab[i.op].operands, want, got);
}

/* Prefixes, a REX or none, the map's bytes, the opcode, and ModRM bytes of all kinds. */
static void one_opcode(unsigned prefix, unsigned rex, unsigned map, unsigned opcode)
{
    static const uint8_t maps[][3] = {{0}, {1, 0x0f}, {2, 0x0f, 0x38}, {2, 0x0f, 0x3a}};

    for (unsigned k16 = 0; k16 < 16; k16++) { /* [RCX] and RDX, with all of ModRM.reg */
        uint8_t code[16] = {0};
        unsigned n = 0, modrm = (k16 & 7) << 3 | (k16 < 8 ? 1 : 0xc2);
        if (prefix != 0)
            code[n++] = (uint8_t)prefix;
        if (rex != 0)
            code[n++] = (uint8_t)rex;
        for (unsigned k = 0; k < maps[map][0]; k++)
            code[n++] = maps[map][1 + k];
        code[n++] = (uint8_t)opcode;
        code[n++] = (uint8_t)modrm;
        compare(code, 15);
    }
}

START_TEST(legacy)
{
    static const uint8_t prefixes[] = {0, 0x66, 0xf2, 0xf3}, rexes[] = {0, 0x48, 0x4d};

    for (unsigned p = 0; p < sizeof(prefixes); p++)
        for (unsigned rex = 0; rex < sizeof(rexes); rex++)
            for (unsigned opcode = 0; opcode < OPCODES; opcode++)
                one_opcode(prefixes[p], rexes[rex], (unsigned)_i, opcode);
    ck_assert_uint_gt(compared, 100);
}
END_TEST

START_TEST(vex)
{
    for (unsigned pp = 0; pp < 4; pp++)
        for (unsigned map = 2; map <= 3; map++)
            for (unsigned opcode = 0; opcode < OPCODES; opcode++)
                for (unsigned modrm = 1; modrm < 256; modrm += 4) {
                    uint8_t code[16] = {0xc4, (uint8_t)(0xe0 | map), (uint8_t)(0x28 | pp),
                                        (uint8_t)opcode, (uint8_t)modrm};
                    compare(code, 15);
                }
    ck_assert_uint_gt(compared, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("regs");
    TCase *tc = tcase_create("regs");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, legacy, 0, 4);
    tcase_add_test(tc, vex);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
