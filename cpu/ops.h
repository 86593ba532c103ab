/* SPDX-License-Identifier: MIT */
/* What handlers are made of: registers, effective addresses, operands, the stack; and macros that
 * instantiate one body for every operand form and width. */
#ifndef CPU_OPS_H
#define CPU_OPS_H

#include "cpu/flags.h"
#include "cpu/insn.h"
#include "cpu/mem.h"

/* -- General registers ------------------------------------------------------------------------- */

/* Byte offset of a register number in c->r, as insn.dst and insn.src hold it. */
#define REG_OFF(reg) ((uint8_t)((reg)*8))

static inline uint64_t reg_get(const struct cpu *c, unsigned off, unsigned w)
{
    return host_load((const uint8_t *)c->r + off, 1u << w);
}

/* Writing 32 bits clears the upper half (SDM 1 3.4.1.1). */
static inline void reg_set(struct cpu *c, unsigned off, unsigned w, uint64_t v)
{
    if (w == 2)
        host_store((uint8_t *)c->r + off, 8, (uint32_t)v);
    else
        host_store((uint8_t *)c->r + off, 1u << w, v);
}

/* -- Addresses --------------------------------------------------------------------------------- */

static inline uint64_t asz_mask(const struct insn *i)
{
    return ~UINT64_C(0) >> (64 - (8u << i->asz));
}

static inline uint64_t ea(const struct cpu *c, const struct insn *i)
{
    return (c->r[i->base] + (c->r[i->idx] << i->scale) + (uint64_t)i->disp) & asz_mask(i);
}

/* -- Operands ---------------------------------------------------------------------------------- */

/* The memory operand. */
static inline bool mem_load(struct cpu *c, const struct insn *i, unsigned w, uint64_t *v)
{
    return mem_read(c, i->seg, ea(c, i), 1u << w, v);
}
static inline bool mem_store(struct cpu *c, const struct insn *i, unsigned w, uint64_t v)
{
    return mem_write(c, i->seg, ea(c, i), 1u << w, v);
}

/* E operand that is read: memory, or register src. */
static inline bool src_load(struct cpu *c, const struct insn *i, unsigned w, uint64_t *v)
{
    if (i->mem)
        return mem_load(c, i, w, v);
    *v = reg_get(c, i->src, w);
    return true;
}

/* E operand that is written: memory, or register dst. */
static inline bool dst_store(struct cpu *c, const struct insn *i, unsigned w, uint64_t v)
{
    if (i->mem)
        return mem_store(c, i, w, v);
    reg_set(c, i->dst, w, v);
    return true;
}

/* -- Stack (SDM 3A 6.2): SS:rSP in the stack segment's width ----------------------------------- */

static inline void sp_set(struct cpu *c, uint64_t sp)
{
    c->r[RSP] = (c->r[RSP] & ~c->sp_mask) | (sp & c->sp_mask);
}

/* Push 1 << w bytes; rSP changes only on success. */
static inline bool push(struct cpu *c, unsigned w, uint64_t v)
{
    uint64_t sp = (c->r[RSP] - (1u << w)) & c->sp_mask;
    if (!mem_write(c, SEG_SS, sp, 1u << w, v))
        return false;
    sp_set(c, sp);
    return true;
}

/* Read from the top of the stack at distance `depth` bytes without popping. */
static inline bool stack_peek(struct cpu *c, unsigned w, unsigned depth, uint64_t *v)
{
    return mem_read(c, SEG_SS, (c->r[RSP] + depth) & c->sp_mask, 1u << w, v);
}

static inline bool pop(struct cpu *c, unsigned w, uint64_t *v)
{
    if (!stack_peek(c, w, 0, v))
        return false;
    sp_set(c, c->r[RSP] + (1u << w));
    return true;
}

/* -- Control ----------------------------------------------------------------------------------- */

/* Leave the running block after this instruction: state that decoding, fetching or interrupts
 * depend on has changed. */
static inline void run_stop(struct cpu *c)
{
    c->run_end = NULL;
}

/* Near branch to `target` at operand size w: wraps it, checks the CS limit or canonicality
 * (#GP(0)), sets RIP. */
static inline bool jump_near(struct cpu *c, unsigned w, uint64_t target)
{
    if (w < 3)
        target &= WIDTH_MASK(w);
    if (c->mode & MODE_64 ? !is_canonical(target) : target > c->seg[SEG_CS].limit)
        return cpu_raise_gp(c, 0);
    c->r[RIP] = target;
    c->branched = true;
    return true;
}

/* May the current privilege use ports [port, port + n)? Checks IOPL and the TSS's bitmap; false:
 * #GP(0) or a fault of reading the TSS is recorded. (op_sys.c) */
bool io_allowed(struct cpu *c, uint16_t port, unsigned n);

/* -- Handler arrays
 * --------------------------------------------------------------------------------------
 * OP_NONE(name):   bool name_body(c, i)                        -> op_name[1]
 * OP_WIDTH(name):  bool name_body(c, i, w)                     -> op_name[4]
 * OP_UNARY(name):  bool name_body(c, i, mem, w)                -> op_name[8]
 * OP_BINARY(name): bool name_body(c, i, form, w)               -> op_name[20]
 * The body is static inline and is specialised for each constant combination. */

#define OP_INLINE static inline __attribute__((always_inline))

#define OP_NONE(name)                                                                              \
    static bool name##_body(struct cpu *c, const struct insn *i);                                  \
    const op_fn op_##name[1] = {name##_body};                                                      \
    static bool name##_body(struct cpu *c, const struct insn *i)

#define OP_DEF_W(name, w)                                                                          \
    static bool name##_##w(struct cpu *c, const struct insn *i)                                    \
    {                                                                                              \
        return name##_body(c, i, w);                                                               \
    }
#define OP_WIDTH(name)                                                                             \
    OP_INLINE bool name##_body(struct cpu *c, const struct insn *i, unsigned w);                   \
    OP_DEF_W(name, 0)                                                                              \
    OP_DEF_W(name, 1)                                                                              \
    OP_DEF_W(name, 2)                                                                              \
    OP_DEF_W(name, 3)                                                                              \
    const op_fn op_##name[4] = {name##_0, name##_1, name##_2, name##_3};                           \
    OP_INLINE bool name##_body(struct cpu *c, const struct insn *i, unsigned w)

#define OP_DEF_MW(name, m, w)                                                                      \
    static bool name##_##m##_##w(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        return name##_body(c, i, m, w);                                                            \
    }
#define OP_DEF_M(name, m)                                                                          \
    OP_DEF_MW(name, m, 0) OP_DEF_MW(name, m, 1) OP_DEF_MW(name, m, 2) OP_DEF_MW(name, m, 3)
#define OP_REF_M(name, m) name##_##m##_0, name##_##m##_1, name##_##m##_2, name##_##m##_3
#define OP_UNARY(name)                                                                             \
    OP_INLINE bool name##_body(struct cpu *c, const struct insn *i, bool mem, unsigned w);         \
    OP_DEF_M(name, 0)                                                                              \
    OP_DEF_M(name, 1)                                                                              \
    const op_fn op_##name[8] = {OP_REF_M(name, 0), OP_REF_M(name, 1)};                             \
    OP_INLINE bool name##_body(struct cpu *c, const struct insn *i, bool mem, unsigned w)

#define OP_BINARY(name)                                                                            \
    OP_INLINE bool name##_body(struct cpu *c, const struct insn *i, enum form form, unsigned w);   \
    OP_DEF_M(name, FORM_RR)                                                                        \
    OP_DEF_M(name, FORM_RM)                                                                        \
    OP_DEF_M(name, FORM_MR)                                                                        \
    OP_DEF_M(name, FORM_RI)                                                                        \
    OP_DEF_M(name, FORM_MI)                                                                        \
    const op_fn op_##name[20] = {OP_REF_M(name, FORM_RR), OP_REF_M(name, FORM_RM),                 \
                                 OP_REF_M(name, FORM_MR), OP_REF_M(name, FORM_RI),                 \
                                 OP_REF_M(name, FORM_MI)};                                         \
    OP_INLINE bool name##_body(struct cpu *c, const struct insn *i, enum form form, unsigned w)

#endif
