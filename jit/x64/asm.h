/* SPDX-License-Identifier: MIT */
/* Writing x86-64 instructions: one function for everything that has a ModRM byte, and the few forms
 * without. Nothing here knows about guests. */
#ifndef JIT_X64_ASM_H
#define JIT_X64_ASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Host registers, in encoding order. */
enum host_reg { HAX, HCX, HDX, HBX, HSP, HBP, HSI, HDI, H8, H9, H10, H11, H12, H13, H14, H15 };
#define H_NONE (-1)

/* Where code goes: written at p, executed at p + to_exec. A writer makes sure that there is room
 * before it begins. */
struct asmbuf {
    uint8_t *p;
    ptrdiff_t to_exec;
    uint32_t
        touched; /* bits: registers that may have been written, with some that were only read */
};

/* A register (reg >= 0), or memory at base + (index << scale) + disp, in segment GS where `gs`. */
struct rm {
    int8_t reg, base, index;
    uint8_t scale;
    bool gs;
    int32_t disp;
};

static inline struct rm rm_reg(int r)
{
    return (struct rm){.reg = (int8_t)r, .base = H_NONE, .index = H_NONE};
}
static inline struct rm rm_mem(int base, int32_t disp)
{
    return (struct rm){.reg = H_NONE, .base = (int8_t)base, .index = H_NONE, .disp = disp};
}
static inline struct rm rm_index(int base, int index, unsigned scale, int32_t disp)
{
    return (struct rm){.reg = H_NONE,
                       .base = (int8_t)base,
                       .index = (int8_t)index,
                       .scale = (uint8_t)scale,
                       .disp = disp};
}
static inline struct rm rm_gs(int32_t disp)
{
    return (struct rm){.reg = H_NONE, .base = H_NONE, .index = H_NONE, .gs = true, .disp = disp};
}
static inline struct rm rm_gs_index(int index, unsigned scale, int32_t disp)
{
    return (struct rm){.reg = H_NONE,
                       .base = H_NONE,
                       .index = (int8_t)index,
                       .scale = (uint8_t)scale,
                       .gs = true,
                       .disp = disp};
}

/* Prefixes, and what the register operands are. */
enum {
    P_W = 1,     /* REX.W */
    P_66 = 2,    /* operand size, or mandatory */
    P_F3 = 4,    /* mandatory */
    P_F2 = 8,    /* mandatory */
    P_LOCK = 16, /* */
    P_BREG = 32, /* reg is a byte register: 4-7 are SPL..DIL */
    P_BRM = 64,  /* rm, where it is a register, likewise */
};

static inline void put8(struct asmbuf *a, unsigned v)
{
    *a->p++ = (uint8_t)v;
}
static inline void put16(struct asmbuf *a, unsigned v)
{
    memcpy(a->p, &(uint16_t){(uint16_t)v}, 2);
    a->p += 2;
}
static inline void put32(struct asmbuf *a, uint32_t v)
{
    memcpy(a->p, &v, 4);
    a->p += 4;
}
static inline void put64(struct asmbuf *a, uint64_t v)
{
    memcpy(a->p, &v, 8);
    a->p += 8;
}

/* [prefixes] [REX] map opcode ModRM [SIB] [disp]; immediates are the caller's. map: 0 one byte, 1
 * 0F, 2 0F38, 3 0F3A. */
void asm_op(struct asmbuf *a, unsigned prefixes, unsigned map, unsigned opcode, unsigned reg,
            struct rm rm);
/* VEX encoding without vector length: pp is 0, 1 (66), 2 (F3) or 3 (F2). */
void asm_vex(struct asmbuf *a, unsigned pp, bool w, unsigned map, unsigned opcode, unsigned reg,
             unsigned vvvv, struct rm rm);

/* mov r64, imm in the shortest form. */
void asm_mov_imm(struct asmbuf *a, unsigned reg, uint64_t v);

static inline void asm_mov(struct asmbuf *a, unsigned dst, struct rm src)
{
    asm_op(a, P_W, 0, 0x8b, dst, src);
}
static inline void asm_mov32(struct asmbuf *a, unsigned dst, struct rm src)
{
    asm_op(a, 0, 0, 0x8b, dst, src);
}
static inline void asm_store(struct asmbuf *a, struct rm dst, unsigned src)
{
    asm_op(a, P_W, 0, 0x89, src, dst);
}
static inline void asm_store32_imm(struct asmbuf *a, struct rm dst, uint32_t v)
{
    asm_op(a, 0, 0, 0xc7, 0, dst);
    put32(a, v);
}
/* All 64 bits: C reads them all, and would wait for a narrower store. */
static inline void asm_store_imm(struct asmbuf *a, struct rm dst, uint32_t v)
{
    asm_op(a, P_W, 0, 0xc7, 0, dst);
    put32(a, v);
}
static inline void asm_lea(struct asmbuf *a, bool w, unsigned dst, struct rm src)
{
    asm_op(a, w ? P_W : 0, 0, 0x8d, dst, src);
}
/* AH = the flags that LAHF gives, AL = OF; and back, which destroys AL. */
static inline void asm_flags_to_ax(struct asmbuf *a)
{
    put8(a, 0x9f);                         /* lahf */
    asm_op(a, 0, 1, 0x90, 0, rm_reg(HAX)); /* seto al */
}
static inline void asm_flags_from_ax(struct asmbuf *a)
{
    put8(a, 0x04); /* add al, 7fh: OF */
    put8(a, 0x7f);
    put8(a, 0x9e); /* sahf */
}
static inline void asm_jmp_mem(struct asmbuf *a, struct rm at)
{
    asm_op(a, 0, 0, 0xff, 4, at);
}

/* Jumps. The target is where it will be executed; NULL: patch it later with asm_patch(), which
 * takes what these return. */
uint8_t *asm_jmp(struct asmbuf *a, const uint8_t *target);
uint8_t *asm_jcc(struct asmbuf *a, unsigned cc, const uint8_t *target);
/* Let the jump whose displacement is at `at` (as written) go to target (as executed). */
static inline void asm_patch(const struct asmbuf *a, uint8_t *at, const uint8_t *target)
{
    int32_t d = (int32_t)(target - (at + a->to_exec + 4));
    memcpy(at, &d, 4);
}
/* A short jump forward, to be landed: Jcc is 70h + condition, JRCXZ E3h, JMP EBh. */
static inline uint8_t *asm_hop(struct asmbuf *a, unsigned opcode)
{
    put8(a, opcode);
    put8(a, 0);
    return a->p;
}
static inline void asm_land(const struct asmbuf *a, uint8_t *from)
{
    from[-1] = (uint8_t)(a->p - from);
}
/* Where the next instruction will be executed. */
static inline const uint8_t *asm_here(const struct asmbuf *a)
{
    return a->p + a->to_exec;
}

#endif
