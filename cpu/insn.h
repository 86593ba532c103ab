/* SPDX-License-Identifier: MIT */
/* A decoded instruction, the instruction table's row, and the decoder's one entry point. */
#ifndef CPU_INSN_H
#define CPU_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/isa.h"

struct insn;

/* Execute one instruction. r[RIP] already points behind it. false: an exception is recorded,
 * and the interpreter sets RIP back to the instruction's start. */
typedef bool (*op_fn)(struct cpu *c, const struct insn *i);

/* Immutable after decoding. Register numbers dst and src are byte offsets into c->r for general
 * registers (AH is RAX's offset + 1; see reg_get()), and plain indices for segment, control, debug,
 * MMX, XMM and x87 registers. */
struct insn {
    op_fn fn;
    uint64_t imm; /* sign-extended; far pointer: offset, the selector is in disp */
    int64_t disp; /* memory displacement; branch displacement is in imm */
    uint16_t op;  /* row of the instruction table */
    uint8_t len;  /* 1..15 */
    uint8_t osz;  /* operand size, log2 of bytes: 0..3 */
    uint8_t asz;  /* address size, log2 of bytes: 1..3 */
    uint8_t seg;  /* segment of the memory operand, override applied */
    uint8_t base, idx,
        scale;              /* address: r[base] + (r[idx] << scale) + disp; REG_NONE where absent */
    uint8_t dst, src, src2; /* src2: VEX.vvvv */
    uint8_t opc;            /* last opcode byte: condition in bits 0-3 of Jcc, SETcc, CMOVcc */
    uint8_t modrm;
    uint8_t prefix; /* INSN_* */
    bool mem;       /* the E/M/W/Q operand is in memory */
};

enum {
    INSN_REP = 1,
    INSN_REPNE = 2,
    INSN_LOCK = 4,
    INSN_REXW = 8,
    INSN_OSIZE = 16,
    INSN_VEX = 32,
    INSN_L256 = 64,
    INSN_SEG = 128 /* a segment override was written (FS, GS; ES..DS outside 64-bit code) */
};

/* How a row's handler array is indexed; a row with several variants has one function for each
 * combination of operand kinds and sizes, so that handlers hold no run-time tests of them. */
enum variant {
    VARIANT_NONE,   /* fn[1] */
    VARIANT_WIDTH,  /* fn[4]: by osz */
    VARIANT_UNARY,  /* fn[2][4]: [mem][osz] */
    VARIANT_BINARY, /* fn[5][4]: [enum form][osz] */
};

/* Destination and source kinds of a two-operand instruction. */
enum form { FORM_RR, FORM_RM, FORM_MR, FORM_RI, FORM_MI, FORM_COUNT };

/* Row attributes */
enum {
    ATTR_END =
        1 << 0, /* ends a block: control transfer, or changes what decoding or fetch depends on */
    ATTR_STR = 1 << 1,     /* string instruction: REP prefixes repeat it */
    ATTR_X87 = 1 << 2,     /* reports pending x87 exceptions (#MF) */
    ATTR_NOALIAS = 1 << 3, /* undocumented alias; left out of generated tests */
};

struct op_row {
    uint16_t mnemonic; /* ZYDIS_MNEMONIC_* */
    uint8_t map;       /* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A; + MAP_VEX */
    uint8_t opcode;
    uint8_t prefix;                      /* enum opcode_prefix */
    uint8_t variant;                     /* enum variant */
    uint8_t isa;                         /* enum isa */
    uint8_t attr;                        /* ATTR_* */
    uint8_t fl_read, fl_write, fl_undef; /* FL_* */
    const char *name;                    /* "ADD" */
    const char *operands;                /* "Ev,Gv": SDM 2D appendix A notation */
    const op_fn *fn;
};

enum opcode_prefix { PFX_ANY, PFX_NONE, PFX_66, PFX_F3, PFX_F2 };
#define MAP_VEX 4
/* In op_row.map: the row is for one value of ModRM.reg. */
#define DIGIT(n) (((n) + 1) << 4)

/* Arithmetic flags as the table names them. */
enum { FL_C = 1, FL_P = 2, FL_A = 4, FL_Z = 8, FL_S = 16, FL_O = 32, FL_D = 64, FL_ALL = 63 };

extern const struct op_row optab[];
extern const unsigned optab_count;

enum decode_status {
    DECODE_OK,
    DECODE_SHORT,   /* needs more bytes than are there */
    DECODE_INVALID, /* #UD */
    DECODE_LONG,    /* over 15 bytes: #GP(0) */
};

/* Decode one instruction from n bytes at p (n >= 1), in the code size that c->mode says. */
enum decode_status decode(const struct cpu *c, struct insn *out, const uint8_t *p, size_t n);

/* Address, bytes and text of the instruction at rip, which consists of these bytes. */
#define INSN_TEXT 160
void insn_text(uint32_t mode, uint64_t rip, const uint8_t *p, unsigned n, char text[INSN_TEXT]);

struct decoder *decoder_create(void);
void decoder_free(struct decoder *d);

#endif
