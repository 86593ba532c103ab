/* SPDX-License-Identifier: MIT */
/* Encoding: prefixes, REX or VEX, ModRM (SDM 2A chapter 2). */
#include "jit/x64/asm.h"

static unsigned bit3(int r)
{
    return r >= 8 ? 1 : 0;
}

static void touch(struct asmbuf *a, unsigned reg, struct rm rm)
{
    a->touched |= 1u << reg;
    if (rm.reg >= 0)
        a->touched |= 1u << rm.reg;
}

static void put_modrm(struct asmbuf *a, unsigned reg, struct rm rm)
{
    unsigned r = (reg & 7) << 3;

    if (rm.reg >= 0) {
        put8(a, 0xc0 | r | (rm.reg & 7));
        return;
    }
    unsigned mod = rm.disp == 0 && (rm.base & 7) != 5 ? 0 : rm.disp == (int8_t)rm.disp ? 1 : 2;
    if (rm.base < 0)
        mod = 0;
    if (rm.base >= 0 && rm.index < 0 && (rm.base & 7) != 4) {
        put8(a, mod << 6 | r | (rm.base & 7));
    } else {
        unsigned index = rm.index < 0 ? 4 : rm.index & 7;
        unsigned base = rm.base < 0 ? 5 : rm.base & 7;
        put8(a, mod << 6 | r | 4);
        put8(a, (unsigned)rm.scale << 6 | index << 3 | base);
    }
    if (mod == 2 || rm.base < 0)
        put32(a, (uint32_t)rm.disp);
    else if (mod == 1)
        put8(a, (uint8_t)rm.disp);
}

void asm_op(struct asmbuf *a, unsigned prefixes, unsigned map, unsigned opcode, unsigned reg,
            struct rm rm)
{
    touch(a, reg, rm);
    if (rm.gs)
        put8(a, 0x65);
    if (prefixes & P_LOCK)
        put8(a, 0xf0);
    if (prefixes & P_66)
        put8(a, 0x66);
    if (prefixes & (P_F3 | P_F2))
        put8(a, prefixes & P_F3 ? 0xf3 : 0xf2);
    unsigned rex = (prefixes & P_W ? 8 : 0) | bit3((int)reg) << 2 | bit3(rm.index) << 1 |
                   bit3(rm.reg >= 0 ? rm.reg : rm.base);
    bool plain_byte = (prefixes & P_BREG && reg >= 4) || (prefixes & P_BRM && rm.reg >= 4);
    if (rex != 0 || plain_byte)
        put8(a, 0x40 | rex);
    if (map != 0)
        put8(a, 0x0f);
    if (map >= 2)
        put8(a, map == 2 ? 0x38 : 0x3a);
    put8(a, opcode);
    put_modrm(a, reg, rm);
}

void asm_vex(struct asmbuf *a, unsigned pp, bool w, unsigned map, unsigned opcode, unsigned reg,
             unsigned vvvv, struct rm rm)
{
    unsigned inverted =
        (bit3((int)reg) << 2 | bit3(rm.index) << 1 | bit3(rm.reg >= 0 ? rm.reg : rm.base)) ^ 7;
    touch(a, reg, rm);
    if (rm.gs)
        put8(a, 0x65);
    put8(a, 0xc4);
    put8(a, inverted << 5 | map);
    put8(a, (w ? 0x80u : 0) | (~vvvv & 15) << 3 | pp);
    put8(a, opcode);
    put_modrm(a, reg, rm);
}

void asm_mov_imm(struct asmbuf *a, unsigned reg, uint64_t v)
{
    a->touched |= 1u << reg;
    if (v <= UINT32_MAX) {
        if (reg >= 8)
            put8(a, 0x41);
        put8(a, 0xb8 | (reg & 7));
        put32(a, (uint32_t)v);
    } else if ((int64_t)v == (int32_t)v) {
        asm_op(a, P_W, 0, 0xc7, 0, rm_reg((int)reg));
        put32(a, (uint32_t)v);
    } else {
        put8(a, reg >= 8 ? 0x49 : 0x48);
        put8(a, 0xb8 | (reg & 7));
        put64(a, v);
    }
}

static uint8_t *put_rel32(struct asmbuf *a, const uint8_t *target)
{
    uint8_t *at = a->p;
    put32(a, 0);
    if (target != NULL)
        asm_patch(a, at, target);
    return at;
}

uint8_t *asm_jmp(struct asmbuf *a, const uint8_t *target)
{
    put8(a, 0xe9);
    return put_rel32(a, target);
}

uint8_t *asm_jcc(struct asmbuf *a, unsigned cc, const uint8_t *target)
{
    put8(a, 0x0f);
    put8(a, 0x80 | cc);
    return put_rel32(a, target);
}
