/* SPDX-License-Identifier: MIT */
/* Bytes to struct insn. Zydis finds prefixes, opcode, ModRM, displacement, immediates and the
 * mnemonic; the instruction table says what the operands are. Nothing else in cpu/ knows that Zydis
 * exists, but the table, whose rows carry its mnemonics. */
#include "cpu/known.h"
#include "cpu/length.h"
#include "cpu/operands.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_MAX 15u

#define NO_ROW   0xffff
#define MAP_MASK 7

struct decoder {
    ZydisDecoder z[3]; /* 16-, 32-, 64-bit code */
    uint16_t first[2 * MAP_VEX][256];
    uint16_t *next; /* chains of rows with one map and opcode, in table order */
    struct row_info *info;
    struct known *known;
};

/* -- The table's operand notation -------------------------------------------------------------- */

static const struct {
    const char *name;
    uint8_t kind, size_rule;
    bool is_byte;
} special_operands[] = {
    {"AL", K_ACC, SIZE_B, true},
    {"rAX", K_ACC, SIZE_EFFECTIVE, false},
    {"eAX", K_ACC, SIZE_Z, false},
    {"DX", K_IMPLICIT, SIZE_EFFECTIVE, false},
    {"CL", K_IMPLICIT, SIZE_EFFECTIVE, false},
    {"1", K_IMPLICIT, SIZE_EFFECTIVE, false},
    {"ST0", K_IMPLICIT, SIZE_EFFECTIVE, false},
    {"STi", K_ST, SIZE_EFFECTIVE, false},
};

static enum kind kind_of_letter(char letter)
{
    static const char letters[] = "EGZRMIJAOSCDVWUPQNBHXY";
    static const uint8_t kinds[] = {K_E, K_G, K_Z,  K_R,  K_M,        K_I,       K_J, K_A,
                                    K_O, K_S, K_CD, K_CD, K_V,        K_W,       K_U, K_P,
                                    K_Q, K_N, K_B,  K_H,  K_IMPLICIT, K_IMPLICIT};
    const char *at = strchr(letters, letter);
    return at != NULL ? kinds[at - letters] : K_NONE;
}

static uint8_t size_of_suffix(const char *suffix)
{
    static const char *const suffixes[] = {"b", "w", "d", "q", "y", "z"};
    for (unsigned k = 0; k < 6; k++)
        if (strcmp(suffix, suffixes[k]) == 0)
            return (uint8_t)(SIZE_B + k);
    return SIZE_EFFECTIVE;
}

/* Immediates, branch targets and segment registers do not tell the operand size. */
static bool decides_size(enum kind kind)
{
    return kind != K_I && kind != K_J && kind != K_A && kind != K_S && kind != K_SFIX &&
           kind != K_CD;
}

static struct operand parse_operand(const char *text, uint8_t *size_rule)
{
    struct operand o = {.kind = K_NONE};
    *size_rule = SIZE_EFFECTIVE;
    for (size_t k = 0; k < sizeof(special_operands) / sizeof(special_operands[0]); k++)
        if (strcmp(text, special_operands[k].name) == 0) {
            o.kind = special_operands[k].kind;
            o.is_byte = special_operands[k].is_byte;
            o.size_rule = *size_rule = special_operands[k].size_rule;
            return o;
        }
    if (text[0] == 'S' && text[1] >= '0' && text[1] <= '5') {
        o.kind = K_SFIX;
        o.fixed = (uint8_t)(text[1] - '0');
        return o;
    }
    o.kind = (uint8_t)kind_of_letter(text[0]);
    o.size_rule = *size_rule = size_of_suffix(text + 1);
    o.is_byte = *size_rule == SIZE_B;
    return o;
}

static struct row_info parse_row(const struct op_row *row)
{
    struct row_info info = {0};
    bool sized = false;
    char text[32];
    snprintf(text, sizeof(text), "%s", row->operands);
    char *save = NULL;
    for (char *t = strtok_r(text, ",", &save); t != NULL && info.count < MAX_OPERANDS;
         t = strtok_r(NULL, ",", &save)) {
        uint8_t rule;
        struct operand o = parse_operand(t, &rule);
        info.operand[info.count++] = o;
        bool implicit_unsized =
            o.kind == K_IMPLICIT && rule == SIZE_EFFECTIVE && t[0] != 'X' && t[0] != 'Y';
        if (!sized && decides_size((enum kind)o.kind) && !implicit_unsized) {
            info.size_rule = rule;
            sized = true;
        }
    }
    return info;
}

/* -- Building the index ------------------------------------------------------------------------ */

static void chain_append(struct decoder *d, unsigned map, unsigned opcode, uint16_t row)
{
    uint16_t *link = &d->first[map][opcode & 0xff];
    while (*link != NO_ROW)
        link = &d->next[*link];
    *link = row;
}

/* A row with a Z operand stands in the chains of eight opcodes, so its `next` would be shared; such
 * rows come after rows of single opcodes in each chain, and end it. */
static void index_rows(struct decoder *d)
{
    memset(d->first, 0xff, sizeof(d->first));
    memset(d->next, 0xff, optab_count * sizeof(d->next[0]));
    for (unsigned k = 0; k < optab_count; k++) {
        d->info[k] = parse_row(&optab[k]);
        if (d->info[k].operand[0].kind != K_Z)
            chain_append(d, optab[k].map & MAP_MASK, optab[k].opcode, (uint16_t)k);
    }
    for (unsigned k = 0; k < optab_count; k++)
        if (d->info[k].operand[0].kind == K_Z)
            for (unsigned low = 0; low < 8; low++)
                chain_append(d, optab[k].map & MAP_MASK, optab[k].opcode + low, (uint16_t)k);
}

struct decoder *decoder_create(void)
{
    static const struct {
        ZydisMachineMode mode;
        ZydisStackWidth stack;
    } modes[3] = {{ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
                  {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
                  {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64}};
    /* Extensions that a processor without them executes as no-operations. */
    static const ZydisDecoderMode off[] = {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET,
                                           ZYDIS_DECODER_MODE_CLDEMOTE, ZYDIS_DECODER_MODE_KNC,
                                           ZYDIS_DECODER_MODE_WBNOINVD};
    struct decoder *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->next = calloc(optab_count, sizeof(d->next[0]));
    d->info = calloc(optab_count, sizeof(d->info[0]));
    d->known = known_create();
    if (d->next == NULL || d->info == NULL || d->known == NULL) {
        decoder_free(d);
        return NULL;
    }
    for (unsigned m = 0; m < 3; m++) {
        ZydisDecoderInit(&d->z[m], modes[m].mode, modes[m].stack);
        for (size_t k = 0; k < sizeof(off) / sizeof(off[0]); k++)
            ZydisDecoderEnableMode(&d->z[m], off[k], ZYAN_FALSE);
        ZydisDecoderEnableMode(&d->z[m], ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
    }
    index_rows(d);
    return d;
}

void decoder_free(struct decoder *d)
{
    if (d == NULL)
        return;
    free(d->next);
    free(d->info);
    known_free(d->known);
    free(d);
}

const struct row_info *decoder_row(const struct decoder *d, unsigned row)
{
    return &d->info[row];
}

/* -- Decoding ---------------------------------------------------------------------------------- */

struct decoding {
    ZydisDecodedInstruction z;
    ZydisDecoderContext ctx;
    uint8_t mandatory; /* enum opcode_prefix */
    bool has_rex;
    bool long_mode;
};

static void scan_prefixes(struct decoding *x, struct insn *i, uint8_t *seg)
{
    x->mandatory = PFX_NONE;
    *seg = SEG_COUNT;
    for (unsigned k = 0; k < x->z.raw.prefix_count; k++) {
        uint8_t v = x->z.raw.prefixes[k].value;
        uint8_t as = PFX_NONE;
        switch (v) {
        case 0xf0: i->prefix |= INSN_LOCK; break;
        case 0xf2:
            i->prefix = (uint8_t)((i->prefix & ~INSN_REP) | INSN_REPNE);
            as = PFX_F2;
            break;
        case 0xf3:
            i->prefix = (uint8_t)((i->prefix & ~INSN_REPNE) | INSN_REP);
            as = PFX_F3;
            break;
        case 0x66:
            i->prefix |= INSN_OSIZE;
            as = PFX_66;
            break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            if (!x->long_mode)
                *seg = (uint8_t)(v >> 3 & 3);
            break;
        case 0x64: *seg = SEG_FS; break;
        case 0x65: *seg = SEG_GS; break;
        default: break;
        }
        if (x->z.raw.prefixes[k].type == ZYDIS_PREFIX_TYPE_MANDATORY && as != PFX_NONE)
            x->mandatory = as;
    }
    if (*seg != SEG_COUNT)
        i->prefix |= INSN_SEG;
    if (x->z.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) {
        static const uint8_t by_pp[4] = {PFX_NONE, PFX_66, PFX_F3, PFX_F2};
        x->mandatory = by_pp[x->z.raw.vex.pp & 3];
        i->prefix |= INSN_VEX | (x->z.raw.vex.L ? INSN_L256 : 0);
    }
    if (x->ctx.vector_unified.W)
        i->prefix |= INSN_REXW;
    x->has_rex = (x->z.attributes & ZYDIS_ATTRIB_HAS_REX) != 0;
}

static bool wants_memory(enum kind k)
{
    return k == K_M;
}
static bool wants_register(enum kind k)
{
    return k == K_R || k == K_U || k == K_N || k == K_ST;
}

static bool row_matches(const struct cpu *c, const struct decoding *x, unsigned row)
{
    const struct op_row *r = &optab[row];
    const struct row_info *info = &c->decoder->info[row];
    bool is_reg = x->z.raw.modrm.mod == 3;
    if (r->mnemonic != x->z.mnemonic || (r->prefix != PFX_ANY && r->prefix != x->mandatory))
        return false;
    if (r->map >= DIGIT(0) && (r->map >> 4) - 1 != x->z.raw.modrm.reg)
        return false;
    for (unsigned k = 0; k < info->count; k++) {
        enum kind kind = (enum kind)info->operand[k].kind;
        if ((wants_memory(kind) && is_reg) || (wants_register(kind) && !is_reg))
            return false;
    }
    return CPU_HAS(c, r->isa);
}

static unsigned find_row(const struct cpu *c, const struct decoding *x)
{
    static const uint8_t maps[] = {
        [ZYDIS_OPCODE_MAP_DEFAULT] = 0,
        [ZYDIS_OPCODE_MAP_0F] = 1,
        [ZYDIS_OPCODE_MAP_0F38] = 2,
        [ZYDIS_OPCODE_MAP_0F3A] = 3,
    };
    unsigned map = x->z.opcode_map;
    if (map >= sizeof(maps))
        return NO_ROW;
    map = maps[map];
    if (x->z.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX)
        map |= MAP_VEX;
    else if (x->z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return NO_ROW;
    unsigned row = c->decoder->first[map][x->z.opcode];
    while (row != NO_ROW && !row_matches(c, x, row))
        row = c->decoder->next[row];
    return row;
}

static uint8_t log2_bytes(unsigned bits)
{
    return bits <= 8 ? 0 : bits <= 16 ? 1 : bits <= 32 ? 2 : 3;
}

static uint8_t operand_size(const struct decoding *x, enum size_rule rule)
{
    uint8_t eff = log2_bytes(x->z.operand_width);
    switch (rule) {
    case SIZE_B: return 0;
    case SIZE_W: return 1;
    case SIZE_D: return 2;
    case SIZE_Q: return 3;
    case SIZE_Y: return x->long_mode && x->ctx.vector_unified.W ? 3 : 2;
    case SIZE_Z: return eff > 2 ? 2 : eff;
    case SIZE_EFFECTIVE: break;
    }
    return eff;
}

/* Byte registers 4-7 without REX are AH, CH, DH, BH (SDM 2A table 2-2). */
static uint8_t gpr(const struct decoding *x, unsigned n, bool is_byte)
{
    if (is_byte && !x->has_rex && n >= 4 && n < 8)
        return (uint8_t)((n - 4) * 8 + 1);
    return (uint8_t)(n * 8);
}

static void decode_mem16(struct insn *i, const ZydisDecodedInstruction *z)
{
    static const uint8_t bases[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
    static const uint8_t indices[8] = {RSI, RDI, RSI, RDI, REG_NONE, REG_NONE, REG_NONE, REG_NONE};
    unsigned rm = z->raw.modrm.rm & 7;
    if (z->raw.modrm.mod == 0 && rm == 6)
        return;
    i->base = bases[rm];
    i->idx = indices[rm];
}

static void decode_mem32(struct insn *i, const struct decoding *x)
{
    const ZydisDecodedInstruction *z = &x->z;
    unsigned mod = z->raw.modrm.mod, rm = z->raw.modrm.rm & 7;
    unsigned high = x->ctx.vector_unified.B ? 8 : 0;
    if (rm != 4) {
        if (mod == 0 && rm == 5)
            i->base = x->long_mode ? RIP : REG_NONE;
        else
            i->base = (uint8_t)(rm | high);
        return;
    }
    unsigned base = z->raw.sib.base & 7;
    unsigned idx = (z->raw.sib.index & 7) | (x->ctx.vector_unified.X ? 8u : 0u);
    if (base != 5 || mod != 0)
        i->base = (uint8_t)(base | high);
    if (idx != 4) {
        i->idx = (uint8_t)idx;
        i->scale = z->raw.sib.scale & 3;
    }
}

static void decode_mem(struct insn *i, const struct decoding *x, uint8_t seg)
{
    i->mem = true;
    i->disp = x->z.raw.disp.value;
    if (i->asz == 1)
        decode_mem16(i, &x->z);
    else
        decode_mem32(i, x);
    if (seg == SEG_COUNT && (i->base == RBP || i->base == RSP))
        i->seg = SEG_SS;
}

static uint64_t sign_extended_imm(const ZydisDecodedInstruction *z, unsigned n)
{
    unsigned size = z->raw.imm[n].size;
    if (size == 0 || size >= 64)
        return z->raw.imm[n].value.u;
    unsigned sh = 64 - size;
    return (uint64_t)((int64_t)(z->raw.imm[n].value.u << sh) >> sh);
}

/* Registers that ModRM.rm names, by what kind of operand it is. */
static uint8_t rm_register(const struct decoding *x, const struct operand *o)
{
    unsigned rm = x->z.raw.modrm.rm & 7;
    unsigned ext = rm | (x->ctx.vector_unified.B ? 8u : 0u);
    switch (o->kind) {
    case K_E:
    case K_R: return gpr(x, ext, o->is_byte);
    case K_W:
    case K_U: return (uint8_t)ext;
    default: return (uint8_t)rm; /* MMX, x87 */
    }
}

static uint8_t reg_register(const struct decoding *x, const struct operand *o)
{
    unsigned reg = x->z.raw.modrm.reg & 7;
    unsigned ext = reg | (x->ctx.vector_unified.R ? 8u : 0u);
    switch (o->kind) {
    case K_G: return gpr(x, ext, o->is_byte);
    case K_V:
    case K_CD: return (uint8_t)ext;
    default: return (uint8_t)reg; /* segment, MMX */
    }
}

/* The register that an operand names, or -1 where it is no register here. */
static int operand_register(const struct decoding *x, const struct operand *o)
{
    unsigned vvvv = x->ctx.vector_unified.vvvv & 15;
    switch (o->kind) {
    case K_ACC: return (int)(RAX * 8);
    case K_E:
    case K_W:
    case K_Q:
    case K_R:
    case K_U:
    case K_N:
    case K_ST: return x->z.raw.modrm.mod == 3 ? rm_register(x, o) : -1;
    case K_G:
    case K_S:
    case K_CD:
    case K_V:
    case K_P: return reg_register(x, o);
    case K_Z: return gpr(x, (x->z.opcode & 7u) | (x->ctx.vector_unified.B ? 8u : 0u), o->is_byte);
    case K_SFIX: return o->fixed;
    case K_B: return (int)(vvvv * 8);
    case K_H: return (int)vvvv;
    default: return -1;
    }
}

static bool is_rm_operand(enum kind k)
{
    return k == K_E || k == K_W || k == K_Q || k == K_M;
}

/* Fill dst, src, src2, memory and immediate; returns the form of the first two operands. */
static enum form decode_operands(struct insn *i, const struct decoding *x,
                                 const struct row_info *info, uint8_t seg)
{
    bool have_dst = false, have_src = false, first_mem = false, second_imm = false;
    for (unsigned k = 0; k < info->count; k++) {
        const struct operand *o = &info->operand[k];
        enum kind kind = (enum kind)o->kind;
        if (kind == K_O) {
            i->mem = true;
            i->disp = x->z.raw.disp.value;
        } else if (is_rm_operand(kind) && x->z.raw.modrm.mod != 3) {
            decode_mem(i, x, seg);
        }
        if (k == 0 && i->mem)
            first_mem = true;
        if (k == 1 && kind == K_I)
            second_imm = true;
        int reg = operand_register(x, o);
        if (reg < 0)
            continue;
        if (kind == K_B || kind == K_H)
            i->src2 = (uint8_t)reg;
        if (k == 0) {
            i->dst = (uint8_t)reg;
            have_dst = true;
        } else if (kind != K_B && kind != K_H && !have_src) {
            i->src = (uint8_t)reg;
            have_src = true;
        }
    }
    if (have_dst && !have_src)
        i->src = i->dst;
    if (first_mem)
        return second_imm ? FORM_MI : FORM_MR;
    if (i->mem)
        return FORM_RM;
    return second_imm ? FORM_RI : FORM_RR;
}

static op_fn pick_handler(const struct op_row *row, const struct insn *i, enum form form)
{
    switch (row->variant) {
    case VARIANT_WIDTH: return row->fn[i->osz];
    case VARIANT_UNARY: return row->fn[(i->mem ? 4 : 0) + i->osz];
    case VARIANT_BINARY: return row->fn[form * 4u + i->osz];
    default: return row->fn[0];
    }
}

/* Of n bytes; the disassembler knows that some are too many before it has them. */
static enum decode_status status_of(ZyanStatus st, size_t n)
{
    if (ZYAN_SUCCESS(st))
        return DECODE_OK;
    if (st == ZYDIS_STATUS_NO_MORE_DATA)
        return DECODE_SHORT;
    if (st == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
        return n < LENGTH_MAX ? DECODE_SHORT : DECODE_LONG;
    return DECODE_INVALID;
}

/* What is no instruction is fetched in whole all the same: where bytes are missing or there are
 * more than 15, that comes first. */
static enum decode_status status_of_invalid(unsigned m, const uint8_t *p, size_t n)
{
    n = n < LENGTH_MAX ? n : LENGTH_MAX;
    return undefined_length(m, p, n) <= n ? DECODE_INVALID
           : n < LENGTH_MAX               ? DECODE_SHORT
                                          : DECODE_LONG;
}

/* MOV to and from control and debug registers takes any ModRM.mod for "register" (SDM 2B MOV). */
static bool ignores_mod(const ZydisDecodedInstruction *z)
{
    return z->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
           z->opcode_map == ZYDIS_OPCODE_MAP_0F && (z->opcode & 0xfc) == 0x20;
}

/* Known from now on, unless it has two immediates. */
static void remember(const struct cpu *c, const struct decoding *x, unsigned m,
                     const struct insn *i, const uint8_t *p)
{
    const ZydisDecodedInstruction *z = &x->z;
    struct known_values values = {.imm_at = z->raw.imm[0].offset,
                                  .imm_bytes = z->raw.imm[0].size / 8,
                                  .disp_at = z->raw.disp.offset,
                                  .disp_bytes = z->raw.disp.size / 8};
    if (z->raw.imm[1].size == 0)
        known_add(c->decoder->known, m, i, p, values);
}

static enum decode_status decode_anew(const struct cpu *c, unsigned m, struct insn *out,
                                      const uint8_t *p, size_t n)
{
    struct decoding x;
    ZyanStatus st = ZydisDecoderDecodeInstruction(&c->decoder->z[m], &x.ctx, p, n, &x.z);
    if (status_of(st, n) == DECODE_INVALID)
        return status_of_invalid(m, p, n);
    if (!ZYAN_SUCCESS(st))
        return status_of(st, n);
    x.long_mode = m == 2;
    if (!x.long_mode) { /* VEX bits that would name the others are ignored (SDM 2A 2.3.5) */
        x.ctx.vector_unified.B = 0;
        x.ctx.vector_unified.vvvv &= 7;
    }
    if (ignores_mod(&x.z))
        x.z.raw.modrm.mod = 3;

    uint8_t seg;
    *out = (struct insn){.len = x.z.length, .base = REG_NONE, .idx = REG_NONE};
    scan_prefixes(&x, out, &seg);
    unsigned row = find_row(c, &x);
    if (row == NO_ROW)
        return DECODE_INVALID;
    const struct row_info *info = &c->decoder->info[row];
    out->op = (uint16_t)row;
    out->opc = x.z.opcode;
    out->modrm = (uint8_t)(x.z.raw.modrm.mod << 6 | x.z.raw.modrm.reg << 3 | x.z.raw.modrm.rm);
    out->asz = log2_bytes(x.z.address_width);
    out->osz = operand_size(&x, (enum size_rule)info->size_rule);
    out->seg = seg == SEG_COUNT ? SEG_DS : seg;
    out->imm = sign_extended_imm(&x.z, 0);
    if (x.z.raw.imm[1].size != 0) {
        if (info->operand[0].kind == K_A)
            out->disp = (int64_t)x.z.raw.imm[1].value.u; /* selector */
        else
            out->imm = (out->imm & 0xffff) | (x.z.raw.imm[1].value.u & 0xff) << 16; /* ENTER */
    }
    enum form form = decode_operands(out, &x, info, seg);
    out->fn = pick_handler(&optab[row], out, form);
    remember(c, &x, m, out, p);
    return DECODE_OK;
}

enum decode_status decode(const struct cpu *c, struct insn *out, const uint8_t *p, size_t n)
{
    unsigned m = c->mode & MODE_64 ? 2 : c->mode & MODE_CS32 ? 1 : 0;

    return known_find(c->decoder->known, m, out, p, n) ? DECODE_OK : decode_anew(c, m, out, p, n);
}
