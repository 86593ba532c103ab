/* SPDX-License-Identifier: MIT */
/* Look-ups that serve several accesses. A slot is a host register that holds the host address of
 * what a guest register pointed to when its page was looked up; accesses at small distances from
 * there, as the code of the block tells, need no look-up of their own.
 *
 * Slots live between instructions of one block. Where execution goes back to C and on behind the
 * instruction that it stopped at, C works them out anew (resume_slots()), for what is mapped may
 * have changed: so struct code tells of each instruction which slots it expects. */
#include <Zydis/Zydis.h>

#include "jit/x64/emit.h"

#define M(name) ZYDIS_MNEMONIC_##name

unsigned slot_host(bool is64, unsigned n)
{
    static const uint8_t in32[SLOTS] = {H12, H13, H14}, in64[SLOTS_64] = {TEMP, ADDR};
    return is64 ? in64[n] : in32[n];
}

static unsigned slot_count(const struct xlat *x)
{
    return x->is64 ? SLOTS_64 : SLOTS;
}

static bool is_intact(const struct xlat *x, unsigned n)
{
    return x->slot[n].live && !(x->a.touched >> slot_host(x->is64, n) & 1);
}

void slots_forget(struct xlat *x)
{
    memset(x->slot, 0, sizeof(x->slot));
}

/* -- Distances --------------------------------------------------------------------------------- */

/* May an access be this far from where the page was looked up? */
static bool in_reach(int64_t distance)
{
    return distance >= -VIEW_REACH && distance <= VIEW_REACH - MAX_ACCESS;
}

bool is_near(const struct xlat *x, unsigned k, int64_t disp)
{
    return !(x->code->exact >> k & 1) && in_reach(disp);
}

unsigned only_register(const struct xlat *x, const struct insn *i)
{
    if (kind_seg(&x->code->kind, i->seg) != SEG_FLAT || i->asz != (x->is64 ? 3 : 2) ||
        i->base == RIP)
        return REG_NONE;
    if (i->idx == REG_NONE)
        return i->base;
    return i->base == REG_NONE && i->scale == 0 ? i->idx : REG_NONE;
}

/* The constant that the instruction adds to a register that it writes. False: something else. */
static bool find_sum(const struct xlat *x, const struct rule *r, const struct insn *i, unsigned reg,
                     int64_t *by)
{
    bool add = optab[i->op].mnemonic == M(ADD), sub = optab[i->op].mnemonic == M(SUB);
    const struct row_info *row = decoder_row(x->j->cpu->decoder, i->op);
    bool full = i->osz == (x->is64 ? 3 : 2);
    int64_t bytes = x->is64 ? 8 : 4;

    if (r->emit == emit_push || r->emit == emit_push_segment || r->emit == emit_pushf) {
        *by = -bytes;
        return reg == RSP && stack_is_plain(x, i);
    }
    if (r->emit == emit_pop) {
        *by = bytes;
        return reg == RSP && stack_is_plain(x, i) && i->dst >> 3 != RSP;
    }
    if (r->emit == emit_lea) {
        *by = i->disp;
        return full && i->asz == i->osz && i->base == reg && i->idx == REG_NONE &&
               i->dst >> 3 == reg;
    }
    if ((!add && !sub) || i->mem || !full || row->operand[1].kind != K_I)
        return false;
    *by = sub ? -(int64_t)i->imm : (int64_t)i->imm;
    return i->dst >> 3 == reg;
}

/* -- Is a slot worth it? ----------------------------------------------------------------------- */

static bool uses_stack(emit_fn emit, bool *write)
{
    static const struct {
        emit_fn emit;
        bool write;
    } stack[] = {
        {emit_push, true}, {emit_push_segment, true}, {emit_pop, false},
        {emit_call, true}, {emit_ret, false},
    };

    for (unsigned k = 0; k < sizeof(stack) / sizeof(stack[0]); k++)
        if (stack[k].emit == emit) {
            *write = stack[k].write;
            return true;
        }
    return false;
}

static bool writes_memory(const struct xlat *x, const struct rule *r, const struct insn *i)
{
    const struct row_info *row = decoder_row(x->j->cpu->decoder, i->op);
    unsigned kind = row->operand[0].kind;

    return r->how & RULE_WRITES_SRC || ((r->how & RULE_ACCESS) != RULE_READ && kind != K_G &&
                                        kind != K_V && kind != K_P && kind != K_ACC);
}

/* Will an instruction behind this one make an access by the page of this register, before that is
 * changed or the slot's own register is needed? */
static bool is_wanted(const struct xlat *x, unsigned reg, bool write)
{
    const struct block *b = x->code->block;

    for (unsigned k = x->k + 1; k < b->count && has_rule(x, k); k++) {
        const struct insn *i = &b->insn[k];
        const struct rule *r = &x->j->backend->rules[i->op];
        bool is_write;
        int64_t by;
        if (uses_stack(r->emit, &is_write) && !i->mem) {
            if (reg == RSP && is_near(x, k, 0))
                return write || !is_write;
            if (x->is64)
                return false;
        } else if (i->mem && r->emit != emit_lea) {
            if (only_register(x, i) == reg && is_near(x, k, i->disp))
                return write || !writes_memory(x, r, i);
            if (x->is64)
                return false;
        }
        if (regs_written(r, decoder_row(x->j->cpu->decoder, i->op), i) >> reg & 1 &&
            !find_sum(x, r, i, reg, &by))
            return false;
    }
    return false;
}

/* -- Accesses ---------------------------------------------------------------------------------- */

/* The slot that an access at this displacement from a guest register can use, or -1. */
static int find_slot(const struct xlat *x, unsigned reg, int32_t disp, bool write)
{
    for (unsigned n = 0; n < slot_count(x); n++) {
        const struct slot *s = &x->slot[n];
        if (is_intact(x, n) && s->reg == reg && (s->write || !write) &&
            in_reach((int64_t)s->moved * SLOT_UNIT + disp))
            return (int)n;
    }
    return -1;
}

/* A slot to be filled, not in host register `except`: one that holds nothing, or this register, or
 * the one that has not been used for longest. */
static unsigned choose_slot(const struct xlat *x, unsigned reg, int except)
{
    unsigned best = slot_host(x->is64, 0) == (unsigned)except ? 1 : 0;

    for (unsigned n = 0; n < slot_count(x); n++) {
        if ((int)slot_host(x->is64, n) == except)
            continue;
        if (!is_intact(x, n) || x->slot[n].reg == reg)
            return n;
        if (x->used[n] < x->used[best])
            best = n;
    }
    return best;
}

/* A register for an entry that is used once: not one with a slot if possible. */
static unsigned choose_temp(const struct xlat *x, int except)
{
    return x->is64 && except != ADDR && is_intact(x, 0) && !is_intact(x, 1) ? ADDR : TEMP;
}

struct rm emit_near(struct xlat *x, unsigned guest, int32_t disp, bool write)
{
    int n = find_slot(x, guest, disp, write), reg;
    unsigned to;

    x->code->near |= UINT32_C(1) << x->k;
    if (n >= 0) {
        x->used[n] = x->k;
        return rm_mem((int)slot_host(x->is64, (unsigned)n), x->slot[n].moved * SLOT_UNIT + disp);
    }
    reg = host_reg(guest);
    if (reg < 0) {
        emit_load_guest(x, ADDR, guest);
        reg = ADDR;
    }
    if (!is_wanted(x, guest, write)) {
        to = choose_temp(x, reg);
        emit_entry(x, to, (unsigned)reg, write);
        return rm_index(reg, (int)to, 0, disp);
    }
    n = (int)choose_slot(x, guest, reg);
    to = slot_host(x->is64, (unsigned)n);
    emit_entry(x, to, (unsigned)reg, write);
    asm_lea(&x->a, true, to, rm_index((int)to, reg, 0, 0));
    x->a.touched &= ~(1u << to);
    x->slot[n] = (struct slot){.live = 1, .write = write, .reg = guest & 15};
    x->used[n] = x->k;
    return rm_mem((int)to, disp);
}

unsigned slots_spare(const struct xlat *x)
{
    unsigned n = 0;

    while (n + 1 < SLOTS && is_intact(x, n) && x->slot[n].reg == RSP)
        n++;
    return slot_host(false, n);
}

/* -- From one instruction to the next ---------------------------------------------------------- */

void slots_note(struct xlat *x)
{
    memcpy(x->code->slot[x->k], x->slot, sizeof(x->slot));
    x->a.touched = 0;
}

/* The register has changed: by a constant that the slot can take into account? */
static void slot_move(struct xlat *x, struct slot *s, const struct insn *i)
{
    int64_t by = 0, moved;

    if (!find_sum(x, x->rule, i, s->reg, &by)) {
        s->live = 0;
        return;
    }
    moved = s->moved * SLOT_UNIT + by;
    if (moved % SLOT_UNIT != 0 || moved < -SLOT_MOVED_MAX || moved > SLOT_MOVED_MAX)
        s->live = 0;
    else
        s->moved = (int16_t)(moved / SLOT_UNIT);
}

void slots_step(struct xlat *x, const struct insn *i)
{
    unsigned written = regs_written(x->rule, x->row, i);

    for (unsigned n = 0; n < slot_count(x); n++) {
        struct slot *s = &x->slot[n];
        if (!is_intact(x, n))
            s->live = 0;
        else if (written >> s->reg & 1)
            slot_move(x, s, i);
    }
}
