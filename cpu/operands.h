/* SPDX-License-Identifier: MIT */
/* The operands of the instruction table's rows, parsed: for the decoder and for the translator. */
#ifndef CPU_OPERANDS_H
#define CPU_OPERANDS_H

#include "cpu/insn.h"

#define MAX_OPERANDS 4

/* What an operand of the table's notation names. */
enum kind {
    K_NONE,
    K_IMPLICIT, /* DX, CL, 1, string operands: the handler knows */
    K_ACC,      /* AL, AX, EAX, RAX */
    K_E,        /* ModRM.rm: general register or memory */
    K_G,        /* ModRM.reg: general register */
    K_Z,        /* opcode bits 0-2: general register */
    K_R,        /* ModRM.rm: general register only */
    K_M,        /* ModRM.rm: memory only */
    K_I,
    K_J,
    K_A,    /* far pointer */
    K_O,    /* memory at an absolute offset */
    K_S,    /* ModRM.reg: segment register */
    K_SFIX, /* S0..S5: that segment register */
    K_CD,   /* ModRM.reg: control or debug register */
    K_V,    /* ModRM.reg: xmm */
    K_W,    /* ModRM.rm: xmm or memory */
    K_U,    /* ModRM.rm: xmm only */
    K_P,    /* ModRM.reg: mmx */
    K_Q,    /* ModRM.rm: mmx or memory */
    K_N,    /* ModRM.rm: mmx only */
    K_B,    /* VEX.vvvv: general register */
    K_H,    /* VEX.vvvv: xmm */
    K_ST,   /* ModRM.rm: x87 stack register */
};

enum size_rule { SIZE_EFFECTIVE, SIZE_B, SIZE_W, SIZE_D, SIZE_Q, SIZE_Y, SIZE_Z };

struct operand {
    uint8_t kind;
    bool is_byte;
    uint8_t fixed;     /* K_SFIX */
    uint8_t size_rule; /* enum size_rule: its own suffix */
};

/* A row's operands, parsed once. */
struct row_info {
    struct operand operand[MAX_OPERANDS];
    uint8_t count;
    uint8_t size_rule; /* of the instruction */
};

/* What a row's operands are; valid as long as the decoder. */
const struct row_info *decoder_row(const struct decoder *d, unsigned row);

#endif
