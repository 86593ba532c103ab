/* SPDX-License-Identifier: MIT */
/* Accesses by registers and a displacement, and look-ups that serve several of them. A slot is a
 * host register that keeps what the page's look-up gave, for an address that guest registers came
 * to then: accesses at small distances from there, as the code of the block tells, need no look-up
 * of their own.
 *
 * It keeps the table's entry where the host can add that to the guest's register at each access:
 * always where this is one register of 64 bits, in 32-bit code as long as the register does not
 * change, for what it comes to then may wrap. Else it keeps the host address.
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

/* -- Addresses --------------------------------------------------------------------------------- */

/* May an access be this far from the address that was looked up? */
static bool in_reach(int64_t distance)
{
    return distance >= -VIEW_REACH && distance <= VIEW_REACH - MAX_ACCESS;
}

/* Is instruction k to look its own page up? */
static bool is_exact(const struct xlat *x, unsigned k)
{
    return x->code->exact >> k & 1;
}

bool find_registers(const struct xlat *x, const struct insn *i, struct slot *at)
{
    if (kind_seg(&x->code->kind, i->seg) != SEG_FLAT || i->asz != (x->is64 ? 3 : 2) ||
        i->base == RIP || (i->base == REG_NONE && i->idx == REG_NONE) ||
        (int64_t)i->disp < -INT32_MAX || (int64_t)i->disp > INT32_MAX)
        return false;
    if (i->base == REG_NONE && i->scale == 0)
        *at = (struct slot){.base = i->idx, .index = REG_NONE};
    else if (i->idx == REG_NONE)
        *at = (struct slot){.base = i->base, .index = REG_NONE};
    else
        *at = (struct slot){.base = i->base, .index = i->idx, .scale = i->scale & 3};
    return true;
}

static bool same_registers(const struct slot *a, const struct slot *b)
{
    return a->base == b->base && a->index == b->index && a->scale == b->scale;
}

/* The host register of the only one in an address, or H_NONE: there are more, or it is scaled, or
 * in memory. */
static int lone_register(const struct slot *at)
{
    return at->index == REG_NONE ? host_reg(at->base) : H_NONE;
}

/* The constant that the instruction adds to a register that it writes. False: something else. */
static bool find_sum(const struct xlat *x, const struct outlook *o, const struct insn *i,
                     unsigned reg, int64_t *by)
{
    unsigned mnemonic = optab[i->op].mnemonic;
    emit_fn emit = o->rule->emit;
    bool full = i->osz == (x->is64 ? 3 : 2);
    int64_t bytes = x->is64 ? 8 : 4;

    if (emit == emit_push || emit == emit_push_segment || emit == emit_pushf) {
        *by = -bytes;
        return reg == RSP && stack_is_plain(x, i);
    }
    if (emit == emit_pop) {
        *by = bytes;
        return reg == RSP && stack_is_plain(x, i) && i->dst >> 3 != RSP;
    }
    if (emit == emit_lea) {
        *by = i->disp;
        return full && i->asz == i->osz && i->base == reg && i->idx == REG_NONE &&
               i->dst >> 3 == reg;
    }
    if (i->mem || !full || i->dst >> 3 != reg)
        return false;
    if (mnemonic == M(INC) || mnemonic == M(DEC)) {
        *by = mnemonic == M(INC) ? 1 : -1;
        return true;
    }
    *by = mnemonic == M(SUB) ? -(int64_t)i->imm : (int64_t)i->imm;
    return (mnemonic == M(ADD) || mnemonic == M(SUB)) && o->row->operand[1].kind == K_I;
}

/* What instruction k leaves of a slot. */
static void follow(const struct xlat *x, struct slot *s, unsigned k)
{
    const struct outlook *o = &x->outlook[k];
    unsigned at[2] = {s->base, s->index};
    int64_t moved = s->moved, by;

    for (unsigned n = 0; n < 2; n++) {
        if (at[n] == REG_NONE || !(o->written >> at[n] & 1))
            continue;
        if (!find_sum(x, o, &x->code->block->insn[k], at[n], &by) || (s->entry && !x->is64)) {
            s->live = 0;
            return;
        }
        moved += by * (n == 1 ? 1 << s->scale : 1);
    }
    s->live &= moved == (int32_t)moved;
    s->moved = (int32_t)moved;
}

/* -- Is a slot worth it? ----------------------------------------------------------------------- */

static void find_stack_access(const struct xlat *x, struct outlook *o)
{
    static const struct {
        emit_fn emit;
        uint8_t reg;
        bool write;
    } stack[] = {
        {emit_push, RSP, true}, {emit_push_segment, RSP, true}, {emit_pop, RSP, false},
        {emit_call, RSP, true}, {emit_ret, RSP, false},         {emit_leave, RBP, false},
    };

    for (unsigned k = 0; k < sizeof(stack) / sizeof(stack[0]); k++)
        if (stack[k].emit == o->rule->emit) {
            o->accesses = o->known = true;
            o->at = (struct slot){.base = stack[k].reg, .index = REG_NONE};
            o->disp = stack[k].write ? -slot_bytes(x) : 0;
            o->writes = stack[k].write;
        }
}

static bool writes_memory(const struct outlook *o)
{
    unsigned kind = o->row->operand[0].kind;

    return o->rule->how & RULE_WRITES_SRC ||
           ((o->rule->how & RULE_ACCESS) != RULE_READ && kind != K_G && kind != K_V &&
            kind != K_P && kind != K_ACC);
}

void find_access(const struct xlat *x, const struct insn *i, struct outlook *o)
{
    if (i->mem && o->rule->emit != emit_lea && o->rule->emit != emit_nothing) {
        o->accesses = true;
        o->known = find_registers(x, i, &o->at);
        o->disp = i->disp;
        o->writes = writes_memory(o);
    } else if (!i->mem && o->written >> RSP & 1 && stack_is_plain(x, i)) {
        find_stack_access(x, o);
    }
}

/* Can this access, which needs an entry of that table, use what the slot holds? */
static bool serves(const struct slot *s, const struct slot *at, int64_t disp,
                   enum shadow_table table)
{
    return s->live && same_registers(s, at) && in_reach(s->moved + disp) &&
           (s->table == table || s->table == TABLE_WRITE || table == TABLE_READ);
}

/* The table that instruction k's access needs. */
static enum shadow_table table_of(const struct xlat *x, unsigned k, bool write)
{
    return !write ? TABLE_READ : x->code->beside >> k & 1 ? TABLE_BESIDE : TABLE_WRITE;
}

/* Will instructions behind this one use a slot, before what it is of is changed or, in 64-bit code,
 * its own register is needed; and any where registers of the address have moved? */
enum use { UNUSED, USED_UNMOVED, USED_MOVED };

static enum use find_use(const struct xlat *x, struct slot s)
{
    unsigned count = x->code->block->count;
    int32_t first = s.moved;
    enum use use = UNUSED;

    s.entry = 0;
    follow(x, &s, x->k);
    for (unsigned k = x->k + 1; k < count && s.live && x->outlook[k].rule != NULL; k++) {
        const struct outlook *o = &x->outlook[k];
        if (o->known && !is_exact(x, k) && serves(&s, &o->at, o->disp, table_of(x, k, o->writes))) {
            if (s.moved != first)
                return USED_MOVED;
            use = USED_UNMOVED;
        } else if (x->is64 && o->accesses && (!o->known || lone_register(&o->at) < 0)) {
            return use;
        }
        follow(x, &s, k);
    }
    return use;
}

/* -- Accesses ---------------------------------------------------------------------------------- */

/* A slot to be filled: one that holds nothing, or nothing that another look-up by these registers
 * does not serve as well, or nothing that will be used, or the one that has not been used for
 * longest. */
static unsigned choose_slot(const struct xlat *x, const struct slot *at)
{
    unsigned best = 0;

    for (unsigned n = 0; n < slot_count(x); n++)
        if (!is_intact(x, n) ||
            (same_registers(&x->slot[n], at) && in_reach((int64_t)at->moved - x->slot[n].moved)))
            return n;
    for (unsigned n = 0; n < slot_count(x); n++) {
        if (find_use(x, x->slot[n]) == UNUSED)
            return n;
        if (x->used[n] < x->used[best])
            best = n;
    }
    return best;
}

/* An access at `disp` from the registers that slot n is of. */
static struct rm in_slot(const struct xlat *x, unsigned n, int32_t disp)
{
    const struct slot *s = &x->slot[n];
    int host = (int)slot_host(x->is64, n);

    return s->entry ? rm_index(lone_register(s), host, 0, disp) : rm_mem(host, s->moved + disp);
}

static struct rm fill_slot(struct xlat *x, unsigned n, const struct slot *s, int32_t disp)
{
    unsigned host = slot_host(x->is64, n);

    x->a.touched &= ~(1u << host);
    x->slot[n] = *s;
    x->slot[n].live = 1;
    x->used[n] = x->k;
    return in_slot(x, n, disp);
}

/* An access by the one register of its address and an entry, which may be all that it takes. The
 * entry is that of the access's own page (64-bit code only), or at->moved from the register's. */
static struct rm emit_lone(struct xlat *x, struct slot at, int32_t disp, bool own)
{
    unsigned reg = (unsigned)lone_register(&at), n, to;
    enum use use = x->is64 ? USED_UNMOVED : find_use(x, at);

    if (use == UNUSED) {
        emit_entry(x, TEMP, reg, -at.moved >> 12, at.table);
        return rm_index((int)reg, TEMP, 0, disp);
    }
    n = choose_slot(x, &at);
    to = slot_host(x->is64, n);
    at.entry = use == USED_UNMOVED;
    if (own)
        asm_lea(&x->a, true, to, rm_mem((int)reg, disp));
    emit_entry(x, to, own ? to : reg, own ? 0 : -at.moved >> 12, at.table);
    if (!at.entry)
        asm_lea(&x->a, true, to, rm_index((int)to, (int)reg, 0, -at.moved));
    return fill_slot(x, n, &at, disp);
}

/* An access by an address that is worked out first. */
static struct rm emit_summed(struct xlat *x, struct slot at, int32_t disp)
{
    unsigned n = 0, to = TEMP;
    bool used = find_use(x, at) != UNUSED;

    emit_sum(x, at.base, at.index, at.scale, -at.moved);
    if (used && !x->is64) {
        n = choose_slot(x, &at);
        to = slot_host(false, n);
    }
    emit_entry(x, to, ADDR, 0, at.table);
    if (!used)
        return rm_index(ADDR, (int)to, 0, at.moved + disp);
    asm_lea(&x->a, true, to, rm_index((int)to, ADDR, 0, 0));
    return fill_slot(x, n, &at, disp);
}

/* Is this in an array at a fixed address, a register being the index? Without long mode no address
 * is so large that the sum would have to wrap: an entry beyond 4 GiB allows nothing. */
static bool is_array(const struct xlat *x, const struct slot *at, int32_t disp)
{
    return lone_register(at) >= 0 && !(x->code->kind.mode & MODE_LMA) && disp >= 0x1000 &&
           disp < INT32_MAX - 0x1000;
}

static struct rm emit_direct(struct xlat *x, struct slot at, int32_t disp, enum shadow_table table)
{
    bool exact = is_exact(x, x->k), own = false;

    for (unsigned n = 0; n < slot_count(x) && !exact; n++) {
        const struct slot *s = &x->slot[n];
        if (!is_intact(x, n) || !serves(s, &at, disp, table))
            continue;
        x->code->near |= UINT32_C(1) << x->k;
        x->used[n] = x->k;
        return in_slot(x, n, disp);
    }
    at.live = 1;
    at.table = table & 3;
    if (!exact && at.index == REG_NONE && in_reach(disp))
        at.moved = 0;
    else if (!exact && is_array(x, &at, disp))
        /* The array's first page tells how far from the register's page the access's page is, if
         * its offset in that does not make it another one: then it lands beside it and traps. */
        at.moved = -(int32_t)(((int64_t)disp + 0x800) & ~INT64_C(0xfff));
    else
        own = true;
    if (own)
        at.moved = -disp;
    else
        x->code->near |= UINT32_C(1) << x->k;
    if (lone_register(&at) >= 0 && (x->is64 || !own))
        return emit_lone(x, at, disp, own);
    return emit_summed(x, at, disp);
}

struct rm emit_access(struct xlat *x, struct slot at, int32_t disp, bool write)
{
    enum shadow_table table = table_for(x, write);
    struct rm rm = emit_beside(x, emit_direct(x, at, disp, table), write);

    if (x->is64 && table == TABLE_BESIDE && rm.base == TEMP && rm.index < 0 && rm.disp == 0) {
        /* In 64-bit code the look took the place of slots: its address is one. */
        at.table = table & 3;
        at.moved = -disp;
        return fill_slot(x, 0, &at, disp);
    }
    return rm;
}

unsigned slots_spare(const struct xlat *x, int except)
{
    unsigned spare = 0;

    for (unsigned n = 0; n < SLOTS; n++) {
        unsigned host = slot_host(false, n);
        if (host == (unsigned)except)
            continue;
        spare = host;
        if (!is_intact(x, n) || x->slot[n].base != RSP)
            break;
    }
    return spare;
}

/* -- From one instruction to the next ---------------------------------------------------------- */

void slots_note(struct xlat *x)
{
    memcpy(x->code->slot[x->k], x->slot, sizeof(x->slot));
    x->a.touched = 0;
}

void slots_step(struct xlat *x)
{
    for (unsigned n = 0; n < slot_count(x); n++) {
        if (!is_intact(x, n))
            x->slot[n].live = 0;
        else
            follow(x, &x->slot[n], x->k);
    }
}
