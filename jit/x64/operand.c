/* SPDX-License-Identifier: MIT */
/* What instructions are made of: registers, addresses, table look-ups, and handing over to the
 * interpreter. Nothing here changes flags. */
#include "jit/x64/emit.h"

int host_reg(unsigned guest)
{
    static const int8_t map[16] = {HAX, HCX,    HDX,    HBX,    GSP, HBP, HSI, HDI,
                                   H8,  H_NONE, H_NONE, H_NONE, H12, H13, H14, H15};
    return map[guest];
}

int32_t next_offset(const struct xlat *x)
{
    return x->code->guest[x->k] + x->code->block->insn[x->k].len;
}

void emit_load_guest(struct xlat *x, unsigned reg, unsigned guest)
{
    int h = host_reg(guest);
    asm_mov(&x->a, reg, h >= 0 ? rm_reg(h) : GUEST_REG_AT(guest));
}

void emit_store_guest(struct xlat *x, unsigned guest, unsigned reg)
{
    int h = host_reg(guest);
    asm_store(&x->a, h >= 0 ? rm_reg(h) : GUEST_REG_AT(guest), reg);
}

/* The host register that holds a guest register for an address, loaded into `spare` if need be. */
static int address_reg(struct xlat *x, unsigned guest, unsigned spare)
{
    int h = host_reg(guest);
    if (h >= 0)
        return h;
    emit_load_guest(x, spare, guest);
    return (int)spare;
}

static bool fits32(int64_t v)
{
    return v == (int32_t)v;
}

void emit_sum(struct xlat *x, unsigned base, unsigned idx, unsigned scale, int32_t disp)
{
    int b = base == REG_NONE ? H_NONE : address_reg(x, base, ADDR);
    int n = idx == REG_NONE ? H_NONE : address_reg(x, idx, TEMP);

    if (b != ADDR || n >= 0 || disp != 0)
        asm_lea(&x->a, x->is64, ADDR, rm_index(b, n, scale, disp));
}

bool emit_effective_address(struct xlat *x, const struct insn *i)
{
    int base = H_NONE, index = H_NONE;
    int64_t disp = i->disp;

    if (i->base == RIP) {
        asm_mov(&x->a, ADDR, SCRATCH_AT(X_PAGE));
        base = ADDR;
        disp += next_offset(x);
    } else if (i->base != REG_NONE) {
        base = address_reg(x, i->base, ADDR);
    }
    if (i->idx != REG_NONE)
        index = address_reg(x, i->idx, TEMP);
    if (base < 0 && index < 0) {
        if (i->asz < 3)
            disp = (int64_t)((uint64_t)disp & (i->asz == 2 ? UINT32_MAX : 0xffff));
        asm_mov_imm(&x->a, ADDR, (uint64_t)disp);
        return true;
    }
    if (!fits32(disp))
        return false;
    asm_lea(&x->a, i->asz == 3, ADDR, rm_index(base, index, i->scale, (int32_t)disp));
    if (i->asz == 1)
        asm_op(&x->a, 0, 1, 0xb7, ADDR, rm_reg(ADDR)); /* movzx r32, r16 */
    return true;
}

/* ADDR += segment base, or poison where a 64 KiB segment ends before the access does. */
static void emit_limit_64k(struct xlat *x, unsigned sreg, unsigned n)
{
    asm_lea(&x->a, false, TEMP, rm_mem(ADDR, (int32_t)n - 1));
    asm_vex(&x->a, 2, true, 2, 0xf5, TEMP, TEMP, SCRATCH_AT(X_BIT16)); /* pext */
    asm_mov(&x->a, TEMP,
            rm_gs_index(TEMP, 3,
                        (int32_t)(offsetof(struct cpu, scratch) + 8 * (X_LIMIT64K + 2 * sreg))));
    asm_lea(&x->a, true, ADDR, rm_index(ADDR, TEMP, 0, 0));
}

/* May the memory operand's accesses of this kind be translated? */
static bool is_direct(const struct xlat *x, const struct insn *i, bool write)
{
    unsigned class = kind_seg(&x->code->kind, i->seg);

    return class != SEG_CHECKED && (class != SEG_64K || i->asz == 1) &&
           (!write || x->code->kind.writable >> i->seg & 1);
}

static void emit_add_base(struct xlat *x, const struct insn *i)
{
    asm_mov(&x->a, TEMP,
            rm_gs((int32_t)(offsetof(struct cpu, seg) + i->seg * sizeof(struct seg) +
                            offsetof(struct seg, base))));
    asm_lea(&x->a, x->is64, ADDR, rm_index(ADDR, TEMP, 0, 0));
}

/* ADDR = the memory operand's linear address, for an access of n bytes. False: not translatable. */
static bool emit_address(struct xlat *x, const struct insn *i, unsigned n)
{
    unsigned class = kind_seg(&x->code->kind, i->seg);

    if (!emit_effective_address(x, i))
        return false;
    if (class == SEG_BASED)
        emit_add_base(x, i);
    else if (class == SEG_64K)
        emit_limit_64k(x, i->seg, n);
    return true;
}

/* -- Look-ups ---------------------------------------------------------------------------------- */

static void emit_pext(struct xlat *x, unsigned dst, unsigned src, struct rm mask)
{
    asm_vex(&x->a, 2, true, 2, 0xf5, dst, src, mask);
}

/* Where RCX waits during a check. */
static struct rm kept_rcx(const struct xlat *x)
{
    return x->is64 ? SCRATCH_AT(X_T3) : rm_reg(H12);
}

/* RCX is zero where the access may be made; `kept` holds the guest's. Else interpret the whole
 * instruction. */
static void emit_if_zero(struct xlat *x, struct rm kept)
{
    uint8_t *good = asm_hop(&x->a, 0xe3); /* jrcxz */

    x->refusal[x->nrefusals++] =
        (struct refusal){.jump = asm_jmp(&x->a, NULL), .kept = kept, .k = x->k};
    asm_land(&x->a, good);
    asm_mov(&x->a, HCX, kept);
}

void emit_refusals(struct xlat *x)
{
    for (unsigned n = 0; n < x->nrefusals; n++) {
        const struct refusal *r = &x->refusal[n];
        asm_patch(&x->a, r->jump, asm_here(&x->a));
        asm_mov(&x->a, HCX, r->kept);
        x->k = r->k;
        emit_interpret(x);
        asm_jmp(&x->a, r->behind);
    }
}

/* Go on only where TEMP is the entry of the address in ADDR, and not poisoned, and the access of
 * `bytes` does not reach into the next page. */
static void emit_page_check(struct xlat *x, unsigned bytes)
{
    asm_store(&x->a, kept_rcx(x), HCX);
    asm_lea(&x->a, true, HCX, rm_index(ADDR, TEMP, 0, (int32_t)bytes - 1));
    emit_pext(x, HCX, HCX, SCRATCH_AT(X_TAG));
    asm_lea(&x->a, true, HCX, rm_mem(HCX, -(int32_t)view_checked(&x->j->shadow.view)));
    emit_if_zero(x, kept_rcx(x));
}

/* The access's bit in the code map. Those of the x87 and SSE vary. */
static struct rm size_bit(const struct xlat *x)
{
    unsigned n = 0;

    while (n + 1 < WRITE_SIZES && (1u << n < x->access || x->rule->how & (RULE_FP | RULE_X87)))
        n++;
    return SCRATCH_AT(X_SIZE + n);
}

/* Read what is about to be written: what does not fault is in the view. As wide as the write where
 * that is possible, because AMD's processors may take a narrower read for one of another place,
 * again and again for milliseconds, which makes each turn of a loop wait for its stores. */
static void emit_probe(struct xlat *x, unsigned reg, struct rm rm)
{
    bool varies = x->rule->how & (RULE_FP | RULE_X87);

    if (!varies && x->access == 8)
        asm_mov(&x->a, reg, rm);
    else if (!varies && x->access == 4)
        asm_mov32(&x->a, reg, rm);
    else
        asm_op(&x->a, 0, 1, 0xb6, reg, rm); /* movzx */
}

/* Go on only if a write at rm, a register with a host address and a displacement, touches no code.
 * Where the host checks, it is tried first by a read, so that it has a place in the code map. */
static void emit_code_look(struct xlat *x, struct rm rm)
{
    unsigned kept = rm.base == ADDR ? TEMP : ADDR;

    if (!x->j->shadow.view.checked)
        emit_probe(x, kept, rm);
    asm_mov(&x->a, kept, rm_reg(HCX));
    asm_mov(&x->a, HCX, SCRATCH_AT(X_CODEMAP));
    asm_op(&x->a, 0, 1, 0xb6, HCX, rm_index(HCX, rm.base, 0, rm.disp)); /* movzx */
    emit_pext(x, HCX, HCX, size_bit(x));
    emit_if_zero(x, rm_reg((int)kept));
}

static bool is_beside(const struct xlat *x, bool write)
{
    return write && x->access != 0 && x->code->beside >> x->k & 1;
}

enum shadow_table table_for(const struct xlat *x, bool write)
{
    return is_beside(x, write) ? TABLE_BESIDE : write ? TABLE_WRITE : TABLE_READ;
}

struct rm emit_beside(struct xlat *x, struct rm rm, bool write)
{
    if (!is_beside(x, write))
        return rm;
    if (rm.index < 0) {
        emit_code_look(x, rm);
        return rm;
    }
    asm_lea(&x->a, true, TEMP, rm);
    emit_code_look(x, rm_mem(TEMP, 0));
    /* Hosts are fast where a place is read by the same registers that it was written by. */
    return rm_uses(rm, TEMP) || rm_uses(rm, ADDR) ? rm_mem(TEMP, 0) : rm;
}

static bool is_careful(const struct xlat *x)
{
    return x->code->careful >> x->k & 1;
}

void emit_entry(struct xlat *x, unsigned to, unsigned reg, int32_t pages, enum shadow_table table)
{
    if (x->is64)
        emit_pext(x, to, reg, rm_mem(TABLE, 8 * SHADOW_INDEX_MASK));
    else
        asm_vex(&x->a, 3, true, 2, 0xf7, to, SHIFT, rm_reg((int)reg)); /* shrx */
    asm_mov(&x->a, to, rm_index(TABLE, (int)to, 3, 8 * pages + (int32_t)SHADOW_OFFSET(table)));
}

/* The entry for the address in ADDR, and the access of n bytes; 0: of one byte, to see whether it
 * can be made. */
static struct rm emit_lookup(struct xlat *x, unsigned n, bool write)
{
    emit_entry(x, TEMP, ADDR, 0, table_for(x, write));
    if (is_careful(x))
        emit_page_check(x, n != 0 ? n : 1);
    return emit_beside(x, rm_index(ADDR, TEMP, 0, 0), write);
}

/* A fixed address in a flat segment that fits an access without a register for it. */
static bool is_fixed(const struct xlat *x, const struct insn *i)
{
    return i->base == REG_NONE && i->idx == REG_NONE && i->asz == (x->is64 ? 3 : 2) &&
           kind_seg(&x->code->kind, i->seg) == SEG_FLAT && fits32(i->disp) &&
           (x->is64 || i->disp >= 0) && !is_careful(x);
}

static struct rm emit_fixed(struct xlat *x, const struct insn *i, bool write)
{
    uint64_t index = (uint64_t)i->disp >> 12 & (SHADOW_ENTRIES - 1);

    asm_mov(&x->a, TEMP, rm_mem(TABLE, (int32_t)(8 * index + SHADOW_OFFSET(table_for(x, write)))));
    return emit_beside(x, rm_mem(TEMP, (int32_t)i->disp), write);
}

bool emit_operand(struct xlat *x, const struct insn *i, unsigned n, bool write, struct rm *rm)
{
    struct slot at;

    x->access = n;
    if (!is_direct(x, i, write))
        return false;
    if (!is_careful(x) && find_registers(x, i, &at)) {
        *rm = emit_access(x, at, (int32_t)i->disp, write);
        return true;
    }
    if (is_fixed(x, i)) {
        *rm = emit_fixed(x, i, write);
        return true;
    }
    if (!emit_address(x, i, n))
        return false;
    *rm = emit_lookup(x, n, write);
    return true;
}

bool emit_numbered(struct xlat *x, const struct insn *i, unsigned w, bool write, struct rm *rm)
{
    unsigned class = kind_seg(&x->code->kind, i->seg);
    bool wide = i->asz == 3;

    x->access = 1u << w;
    if (!is_direct(x, i, write) || i->asz == 1)
        return false;
    if (i->idx == REG_NONE && i->base < 16 && host_reg(i->base) >= 0 && fits32(i->disp)) {
        asm_lea(&x->a, wide, ADDR, rm_index(host_reg(i->base), ADDR, w, (int32_t)i->disp));
    } else {
        asm_store(&x->a, SCRATCH_AT(X_T0), ADDR);
        if (!emit_effective_address(x, i))
            return false;
        asm_mov(&x->a, TEMP, SCRATCH_AT(X_T0));
        asm_lea(&x->a, wide, ADDR, rm_index(ADDR, TEMP, w, 0));
    }
    if (class == SEG_BASED)
        emit_add_base(x, i);
    *rm = emit_lookup(x, 1u << w, write);
    return true;
}

struct rm emit_stack(struct xlat *x, unsigned guest, int32_t disp, bool write)
{
    struct slot at = {.base = (uint8_t)guest, .index = REG_NONE};

    x->access = x->is64 ? 8 : 4;
    if (!is_careful(x))
        return emit_access(x, at, disp, write);
    asm_lea(&x->a, x->is64, ADDR, rm_mem(host_reg(guest), disp));
    return emit_lookup(x, x->access, write);
}

void emit_move_sp(struct xlat *x, int32_t by)
{
    asm_lea(&x->a, x->is64, GSP, rm_mem(GSP, by));
}

bool stack_is_plain(const struct xlat *x, const struct insn *i)
{
    const struct code_kind *k = &x->code->kind;
    if (x->is64)
        return i->osz == 3;
    return i->osz == 2 && k->mode & MODE_SS32 && kind_seg(k, SEG_SS) == SEG_FLAT &&
           k->writable >> SEG_SS & 1;
}

bool emit_stack16(struct xlat *x, const struct insn *i, int32_t disp, bool write, struct rm *rm)
{
    struct insn at = {.base = RSP, .idx = REG_NONE, .asz = 1, .seg = SEG_SS, .disp = disp};

    return !x->is64 && !(x->code->kind.mode & MODE_SS32) && !(i->prefix & INSN_LOCK) &&
           emit_operand(x, &at, 1u << i->osz, write, rm);
}

void emit_move_sp16(struct xlat *x, int32_t by)
{
    asm_op(&x->a, P_66, 0, 0x8d, GSP, rm_mem(GSP, by)); /* lea r9w, [r9 + by] */
}

void emit_store_constant(struct xlat *x, const struct insn *i, struct rm rm, uint32_t val)
{
    asm_op(&x->a, width_prefix(i->osz), 0, 0xc7, 0, rm);
    if (i->osz == 1)
        put16(&x->a, (uint16_t)val);
    else
        put32(&x->a, val);
}

void emit_poll(struct asmbuf *a)
{
    asm_mov(a, ADDR, CPU_AT(poll));
    asm_mov32(a, ADDR, rm_mem(ADDR, 0));
}

/* Call C by a stub that takes the place where to go on. */
static void emit_call_out(struct xlat *x, const uint8_t *stub)
{
    uint8_t *resume;

    asm_store_imm(&x->a, SCRATCH_AT(X_SITE), x->k);
    asm_mov_imm(&x->a, ADDR, (uint64_t)(uintptr_t)x->code);
    put8(&x->a, 0x4c); /* lea TEMP, [rip + ...] */
    put8(&x->a, 0x8d);
    put8(&x->a, 0x1d);
    resume = x->a.p;
    put32(&x->a, 0);
    asm_jmp(&x->a, stub);
    asm_patch(&x->a, resume, asm_here(&x->a));
    x->fp_ready = 0;
    slots_forget(x);
}

void emit_interpret(struct xlat *x)
{
    emit_call_out(x, x->j->backend->stubs.call[x->is64]);
}

bool emit_assist(struct xlat *x, const struct insn *i)
{
    const struct assist *assist = x->j->rows[i->op].assist;

    if (i->prefix & INSN_LOCK || (x->j->lockstep != NULL && !assist->repeats))
        return false;
    emit_call_out(x, x->j->backend->stubs.assist[x->is64]);
    return true;
}
