/* SPDX-License-Identifier: MIT */
/* The decoder and its table against Zydis' full decoder, over random instructions of all three code
 * sizes: lengths, memory operands, registers, operand sizes and flags; and every row can be
 * reached, on the processors that have its extension and on no other. */
#include "tests/unit/fake_machine.h"

#include <Zydis/Zydis.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/insn.h"
#include "cpu/length.h"

#define CASES 600000

static const struct {
    uint32_t mode;
    ZydisMachineMode zmode;
    ZydisStackWidth stack;
} modes[] = {
    {0, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
    {MODE_CS32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
    {MODE_64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
};

static uint64_t rng_state;

static uint32_t rng(void)
{
    rng_state = rng_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(rng_state >> 33);
}

/* Some prefixes, then a random opcode, mostly of the two-byte map. */
static void random_insn(uint8_t *b)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x64, 0x65, 0x48, 0x41, 0x4f};
    unsigned n = 0, count = rng() % 3;
    while (count-- > 0)
        b[n++] = prefixes[rng() % sizeof(prefixes)];
    if (rng() % 2)
        b[n++] = 0x0f;
    for (; n < 15; n++)
        b[n] = (uint8_t)rng();
}

static uint8_t reg_number(ZydisRegister r)
{
    if (r == ZYDIS_REGISTER_NONE)
        return REG_NONE;
    if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP)
        return RIP;
    return (uint8_t)ZydisRegisterGetId(r);
}

static uint8_t reg_offset(ZydisRegister r)
{
    if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
        return (uint8_t)((r - ZYDIS_REGISTER_AH) * 8 + 1);
    if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BL)
        return (uint8_t)((r - ZYDIS_REGISTER_AL) * 8);
    unsigned id = (unsigned)ZydisRegisterGetId(r);
    /* Zydis numbers SPL.. after BH, and R8B.. after DIL. */
    if (ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_GPR8 && id >= 8)
        id -= 4;
    return (uint8_t)(id * 8);
}

static bool is_gpr(ZydisRegister r)
{
    ZydisRegisterClass k = ZydisRegisterGetClass(r);
    return k == ZYDIS_REGCLASS_GPR8 || k == ZYDIS_REGCLASS_GPR16 || k == ZYDIS_REGCLASS_GPR32 ||
           k == ZYDIS_REGCLASS_GPR64;
}

static uint64_t size_mask(unsigned asz)
{
    return ~UINT64_C(0) >> (64 - (8u << asz));
}

/* Is the explicit memory operand the same address? Addresses are compared as functions of
 * registers; a 16-bit pair may be named either way round. */
static bool same_memory(const struct insn *i, const ZydisDecodedInstruction *z,
                        const ZydisDecodedOperand *o)
{
    /* Zydis 4.0 shows R13D as base where, with a 67h prefix and REX.B, SIB says that there is none.
     */
    if (z->address_width == 32 && z->machine_mode == ZYDIS_MACHINE_MODE_LONG_64 &&
        z->raw.modrm.mod == 0 && z->raw.modrm.rm == 4 && z->raw.sib.base == 5)
        return i->base == REG_NONE;
    uint8_t base = reg_number(o->mem.base), idx = reg_number(o->mem.index);
    unsigned scale =
        o->mem.index == ZYDIS_REGISTER_NONE ? 0 : (unsigned)__builtin_ctz(o->mem.scale);
    if (o->mem.type == ZYDIS_MEMOP_TYPE_MIB)
        return true;
    if (((uint64_t)o->mem.disp.value ^ (uint64_t)i->disp) & size_mask(i->asz))
        return false;
    bool same_seg = (uint8_t)ZydisRegisterGetId(o->mem.segment) == i->seg ||
                    o->mem.type == ZYDIS_MEMOP_TYPE_AGEN; /* LEA has none */
    return base == i->base && idx == i->idx && scale == i->scale && same_seg;
}

static unsigned failures;

static void complain(const uint8_t *b, unsigned mode, const struct insn *i, const char *what)
{
    if (failures++ > 40)
        return;
    fprintf(stderr, "mode %u, %s %s: %s:", 16u << mode, optab[i->op].name, optab[i->op].operands,
            what);
    for (unsigned k = 0; k < i->len; k++)
        fprintf(stderr, " %02x", b[k]);
    fprintf(stderr, "\n");
}

static uint8_t table_flags(uint32_t z)
{
    return (uint8_t)((z & ZYDIS_CPUFLAG_CF ? FL_C : 0) | (z & ZYDIS_CPUFLAG_PF ? FL_P : 0) |
                     (z & ZYDIS_CPUFLAG_AF ? FL_A : 0) | (z & ZYDIS_CPUFLAG_ZF ? FL_Z : 0) |
                     (z & ZYDIS_CPUFLAG_SF ? FL_S : 0) | (z & ZYDIS_CPUFLAG_OF ? FL_O : 0));
}

/* Flags that Zydis says are written must be written or undefined by our row; read ones must be
 * read. */
static void compare_flags(const uint8_t *b, unsigned mode, const struct insn *i,
                          const ZydisDecodedInstruction *z)
{
    const struct op_row *r = &optab[i->op];
    const ZydisAccessedFlags *f = z->cpu_flags;
    uint8_t written = table_flags(f->modified | f->set_0 | f->set_1 | f->undefined);
    if ((written & ~(r->fl_write | r->fl_undef)) != 0)
        complain(b, mode, i, "a written flag is missing");
    if ((table_flags(f->tested) & ~r->fl_read) != 0 && !(r->attr & (ATTR_END | ATTR_STR)))
        complain(b, mode, i, "a read flag is missing");
}

static void compare_operands(const uint8_t *b, unsigned mode, const struct insn *i,
                             const ZydisDecodedInstruction *z, const ZydisDecodedOperand *o)
{
    for (unsigned k = 0; k < z->operand_count_visible; k++) {
        if (o[k].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            o[k].encoding != ZYDIS_OPERAND_ENCODING_NONE) {
            if (!i->mem)
                complain(b, mode, i, "memory operand lost");
            else if (!same_memory(i, z, &o[k]))
                complain(b, mode, i, "address differs");
        }
        if (k == 0 && o[k].type == ZYDIS_OPERAND_TYPE_REGISTER && is_gpr(o[k].reg.value) &&
            optab[i->op].operands[0] != 'D' && optab[i->op].operands[0] != '\0' &&
            i->dst != reg_offset(o[k].reg.value))
            complain(b, mode, i, "first register differs");
        if (k == 1 && o[k].type == ZYDIS_OPERAND_TYPE_REGISTER && is_gpr(o[k].reg.value) &&
            o[k].encoding != ZYDIS_OPERAND_ENCODING_NONE &&
            o[k].encoding != ZYDIS_OPERAND_ENCODING_NDSNDD && i->src != reg_offset(o[k].reg.value))
            complain(b, mode, i, "second register differs");
    }
}

/* Where the instruction's displacement begins, or its immediate, or its end. */
static unsigned head_of(const ZydisDecodedInstruction *z)
{
    return z->raw.disp.size != 0     ? z->raw.disp.offset
           : z->raw.imm[0].size != 0 ? z->raw.imm[0].offset
                                     : z->length;
}

static void compare_imm(const uint8_t *b, unsigned mode, const struct insn *i,
                        const ZydisDecodedInstruction *z)
{
    unsigned size = z->raw.imm[0].size;
    uint64_t mask = size == 0 ? 0 : ~UINT64_C(0) >> (64 - size);

    if (z->raw.imm[1].size == 0 && (i->imm ^ z->raw.imm[0].value.u) & mask)
        complain(b, mode, i, "immediate differs");
}

/* Decode 15 bytes by both. Is it an instruction? */
static bool compare(struct fake_machine *fm, const ZydisDecoder *zd, unsigned m, const uint8_t *b,
                    struct insn *i, ZydisDecodedInstruction *z)
{
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    bool valid = ZYAN_SUCCESS(ZydisDecoderDecodeFull(zd, b, 15, z, o));
    if (decode(&fm->cpu, i, b, 15) != DECODE_OK)
        return false;
    if (!valid || z->length != i->len)
        complain(b, m, i, "length differs");
    if (undefined_length(m, b, 15) != i->len)
        complain(b, m, i, "has another length than if it were undefined");
    if (!valid || z->mnemonic == ZYDIS_MNEMONIC_NOP)
        return true; /* operands that mean nothing */
    compare_operands(b, m, i, z, o);
    compare_flags(b, m, i, z);
    compare_imm(b, m, i, z);
    return true;
}

/* The same instruction once more, then with other values, of which one byte is missing first. */
static void decode_again(struct fake_machine *fm, const ZydisDecoder *zd, unsigned m, uint8_t *b,
                         const struct insn *before)
{
    struct insn i, j;
    ZydisDecodedInstruction z;

    if (!compare(fm, zd, m, b, &i, &z) || memcmp(&i, before, sizeof(i)) != 0) {
        complain(b, m, before, "is another one the second time");
        return;
    }
    for (unsigned k = head_of(&z); k < 15; k++)
        b[k] = (uint8_t)rng();
    if (decode(&fm->cpu, &j, b, i.len - 1u) == DECODE_OK)
        complain(b, m, &i, "is decoded from too few bytes");
    if (!compare(fm, zd, m, b, &j, &z)) {
        complain(b, m, &i, "is none with other values");
        return;
    }
    j.disp = i.disp;
    j.imm = i.imm;
    if (memcmp(&i, &j, sizeof(i)) != 0)
        complain(b, m, &i, "differs in more than its values");
}

START_TEST(agrees_with_zydis)
{
    unsigned m = (unsigned)_i;
    struct fake_machine *fm = fake_machine_create("max");
    ZydisDecoder zd;
    unsigned known = 0;
    ZydisDecoderInit(&zd, modes[m].zmode, modes[m].stack);
    ZydisDecoderEnableMode(&zd, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    ZydisDecoderEnableMode(&zd, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    ZydisDecoderEnableMode(&zd, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
    ZydisDecoderEnableMode(&zd, ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
    fm->cpu.mode = modes[m].mode;
    rng_state = 12345 + m;
    failures = 0;
    for (unsigned n = 0; n < CASES; n++) {
        uint8_t b[15];
        struct insn i;
        ZydisDecodedInstruction z;
        random_insn(b);
        if (!compare(fm, &zd, m, b, &i, &z))
            continue;
        known++;
        decode_again(fm, &zd, m, b, &i);
    }
    ck_assert_uint_gt(known, CASES / 4);
    ck_assert_uint_eq(failures, 0);
    fake_machine_free(fm);
}
END_TEST

/* Random bytes around a row's opcode, for 64-bit code or other. */
static void random_insn_of(const struct op_row *row, bool code64, uint8_t b[15])
{
    static const uint8_t prefix_bytes[] = {0, 0, 0x66, 0xf3, 0xf2};
    unsigned k = 0;
    if (rng() % 2 && row->prefix == PFX_ANY)
        b[k++] = prefix_bytes[2 + rng() % 3];
    if (row->map & MAP_VEX & 7) {
        static const uint8_t pp[] = {0, 0, 1, 2, 3};
        b[k++] = 0xc4;
        b[k++] = (uint8_t)(0xe0 | (row->map & 3));
        b[k++] = (uint8_t)((rng() & 0xf8) | pp[row->prefix]);
    } else {
        if (row->prefix > PFX_NONE)
            b[k++] = prefix_bytes[row->prefix];
        if (code64 && rng() % 2)
            b[k++] = 0x48;
        if ((row->map & 3) != 0)
            b[k++] = 0x0f;
        if ((row->map & 3) > 1)
            b[k++] = (row->map & 3) == 2 ? 0x38 : 0x3a;
    }
    b[k++] = (uint8_t)(row->opcode + (row->operands[0] == 'Z' ? rng() % 8 : 0));
    while (k < 15)
        b[k++] = (uint8_t)rng();
}

/* Each row is chosen for some bytes: random ones around its own opcode. */
START_TEST(no_row_is_shadowed)
{
    struct fake_machine *fm = fake_machine_create("max");
    bool *seen = calloc(optab_count, sizeof(bool));
    for (unsigned r = 0; r < optab_count; r++) {
        const struct op_row *row = &optab[r];
        if (!CPU_HAS(&fm->cpu, row->isa) || row->attr & ATTR_NOALIAS)
            seen[r] = true; /* aliases may stand in for rows of an extension that is there */
        for (unsigned n = 0; n < 20000 && !seen[r]; n++) {
            uint8_t b[15];
            struct insn i;
            fm->cpu.mode = modes[n % 3].mode;
            random_insn_of(row, n % 3 == 2, b);
            if (decode(&fm->cpu, &i, b, 15) == DECODE_OK)
                seen[i.op] = true;
        }
        if (!seen[r])
            fprintf(stderr, "row %u, %s %s, opcode %02x: never chosen\n", r, row->name,
                    row->operands, row->opcode);
        failures += !seen[r];
    }
    free(seen);
    fake_machine_free(fm);
    ck_assert_uint_eq(failures, 0);
}
END_TEST

/* Instructions of an extension that a processor lacks do not exist: the bytes are undefined or, as
 * with LZCNT, an instruction that it has. What the other extensions add stays as it was. */
START_TEST(rows_need_their_extension)
{
    static const char *const models[] = {"486",    "pentium", "pentium2", "pentium3",
                                         "qemu32", "qemu64",  "max"};
    unsigned m = (unsigned)_i;
    struct fake_machine *all = fake_machine_create("max"), *fm = fake_machine_create(models[m]);
    unsigned found = 0, absent = 0;
    rng_state = m;
    failures = 0;
    for (unsigned n = 0; n < 300 * optab_count; n++) {
        const struct op_row *row = &optab[n % optab_count];
        unsigned size = rng() % (CPU_HAS(&fm->cpu, ISA_LM) ? 3 : 2);
        uint8_t b[15];
        struct insn i, j;
        all->cpu.mode = fm->cpu.mode = modes[size].mode;
        random_insn_of(row, size == 2, b);
        if (decode(&all->cpu, &i, b, sizeof(b)) != DECODE_OK)
            continue;
        bool here = decode(&fm->cpu, &j, b, sizeof(b)) == DECODE_OK;
        found++;
        absent += !here;
        if (here && !CPU_HAS(&fm->cpu, optab[j.op].isa))
            complain(b, size, &j, "is of an extension that the model lacks");
        if (CPU_HAS(&fm->cpu, optab[i.op].isa) && (!here || i.op != j.op))
            complain(b, size, &i, "is of an extension that the model has");
    }
    ck_assert_uint_gt(found, 100 * optab_count);
    ck_assert(m == 6 || absent > 0);
    ck_assert_uint_eq(failures, 0);
    fake_machine_free(fm);
    fake_machine_free(all);
}
END_TEST

/* Their ModRM.rm is a register whatever mod says, and no displacement follows. */
START_TEST(moves_of_control_and_debug_registers_ignore_mod)
{
    struct fake_machine *fm = fake_machine_create("max");
    for (unsigned k = 0; k < 3 * 4 * 4; k++) {
        uint8_t b[15] = {0x0f, (uint8_t)(0x20 + k % 4), (uint8_t)(k / 4 % 4 << 6 | 4), 5};
        struct insn i;
        fm->cpu.mode = modes[k / 16].mode;
        ck_assert_msg(decode(&fm->cpu, &i, b, sizeof(b)) == DECODE_OK, "%02x %02x", b[1], b[2]);
        ck_assert_uint_eq(i.len, 3);
        ck_assert(!i.mem);
        ck_assert_uint_eq(i.modrm & 7, 4);
        ck_assert_uint_eq(b[1] < 0x22 ? i.dst : i.src, 4 * 8); /* SP */
    }
    fake_machine_free(fm);
}
END_TEST

/* Outside 64-bit code VEX names eight registers, whatever its B and the high bit of vvvv say. */
START_TEST(vex_names_eight_registers)
{
    struct fake_machine *fm = fake_machine_create("max");
    for (unsigned k = 0; k < 2 * 4; k++) {
        /* andn eax, ebx, ecx and andn eax, ebx, [ecx] */
        uint8_t b[15] = {0x67, 0xc4, k & 1 ? 0xc2 : 0xe2, k & 2 ? 0x20 : 0x60, 0xf2, 0xc1};
        unsigned prefix = k / 4 == 0;
        struct insn i;
        fm->cpu.mode = modes[k / 4].mode;
        ck_assert_int_eq(decode(&fm->cpu, &i, b + 1, 14), DECODE_OK);
        ck_assert_uint_eq(i.dst, RAX * 8);
        ck_assert_uint_eq(i.src2, RBX * 8);
        ck_assert_uint_eq(i.src, RCX * 8);
        b[5] = 0x01;
        ck_assert_int_eq(decode(&fm->cpu, &i, b + 1 - prefix, 14), DECODE_OK);
        ck_assert(i.mem);
        ck_assert_uint_eq(i.base, RCX);
        ck_assert_uint_eq(i.src2, RBX * 8);
    }
    fake_machine_free(fm);
}
END_TEST

/* What is undefined has a length too: with less than that it is not known yet. */
START_TEST(undefined_instructions_have_lengths)
{
    static const struct {
        uint8_t mode, len, code[15];
    } cases[] = {
        {2, 1, {0x06}},
        {2, 7, {0xea}},
        {2, 2, {0xd4}},
        {0, 4, {0xfe, 0xb8}},                   /* FE /7 with disp16: 16-bit addresses */
        {1, 6, {0xff, 0xb8}},                   /* disp32 */
        {1, 7, {0xff, 0xbc}},                   /* SIB and disp32 */
        {1, 7, {0xff, 0x3c, 0x25}},             /* SIB without base */
        {1, 3, {0xff, 0x3c, 0x24}},             /* SIB with base */
        {1, 5, {0x67, 0xff, 0x3e}},             /* [disp16] */
        {2, 6, {0xff, 0x3d}},                   /* RIP-relative */
        {0, 6, {0xc7, 0x8b}},                   /* C7 /1 has an immediate as /0 has */
        {2, 7, {0xf0, 0x81, 0xd8}},             /* LOCK SBB EAX, imm32 */
        {2, 6, {0xf0, 0x66, 0x81, 0xd8}},       /* LOCK SBB AX, imm16 */
        {2, 9, {0xf0, 0x66, 0x48, 0x81, 0xd8}}, /* REX.W counts for more */
        {2, 11, {0xf0, 0x48, 0xb8}},            /* MOV RAX, imm64 */
        {2, 6, {0xf0, 0x48, 0x66, 0xb8}},       /* not REX.W */
        {1, 3, {0xf0, 0xf7, 0xd8}},             /* F7 /3 has none */
        {1, 7, {0xf0, 0xf7, 0xc0}},             /* LOCK TEST EAX, imm32 */
        {1, 4, {0xf0, 0x0f, 0x20, 0x04}},       /* LOCK MOV ESP, CR0: mod is ignored */
        {1, 4, {0x0f, 0x73, 0xc8}},             /* 0F 73 /1 */
        {0, 6, {0x0f, 0x73, 0x8b}},             /* and with memory */
        {2, 5, {0x0f, 0x38, 0xff, 0x40}},       /* all of 0F 38 have ModRM */
        {2, 5, {0x0f, 0x3a, 0xff, 0xc0}},       /* all of 0F 3A an immediate too */
        {1, 2, {0x0f, 0x7a}},                   /* nothing */
        {2, 11, {0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0xf0, 0x05}}, /* LOCK ADD EAX, imm32 and more */
    };
    struct fake_machine *fm = fake_machine_create("max");
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct insn i;
        fm->cpu.mode = modes[cases[k].mode].mode;
        for (unsigned n = 1; n <= 15; n++)
            ck_assert_msg(decode(&fm->cpu, &i, cases[k].code, n) ==
                              (n < cases[k].len ? DECODE_SHORT : DECODE_INVALID),
                          "case %u, %u bytes", k, n);
    }
    fake_machine_free(fm);
}
END_TEST

/* Over 15 bytes it is no matter what they would be. */
START_TEST(no_instruction_is_longer_than_15_bytes)
{
    struct fake_machine *fm = fake_machine_create("max");
    for (unsigned prefixes = 8; prefixes < 15; prefixes++)
        for (unsigned locked = 0; locked < 2; locked++) {
            uint8_t b[15]; /* ADD EAX, imm32, which can't be locked */
            struct insn i;
            memset(b, 0x2e, sizeof(b));
            b[0] = locked ? 0xf0 : 0x2e;
            b[prefixes] = 0x05;
            fm->cpu.mode = modes[1].mode;
            enum decode_status fits = locked ? DECODE_INVALID : DECODE_OK;
            ck_assert_int_eq(decode(&fm->cpu, &i, b, 15), prefixes <= 10 ? fits : DECODE_LONG);
            ck_assert_int_eq(decode(&fm->cpu, &i, b, 14), prefixes <= 9 ? fits : DECODE_SHORT);
        }
    fake_machine_free(fm);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("decode");
    TCase *t = tcase_create("zydis");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, agrees_with_zydis, 0, 3);
    tcase_add_test(t, no_row_is_shadowed);
    tcase_add_loop_test(t, rows_need_their_extension, 0, 7);
    tcase_add_test(t, vex_names_eight_registers);
    tcase_add_test(t, moves_of_control_and_debug_registers_ignore_mod);
    tcase_add_test(t, undefined_instructions_have_lengths);
    tcase_add_test(t, no_instruction_is_longer_than_15_bytes);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
