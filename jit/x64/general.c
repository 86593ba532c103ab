/* SPDX-License-Identifier: MIT */
/* Instructions that the host executes as they are: the same opcode with other operands. */
#include "jit/x64/emit.h"

#define NO_OPERAND 0xff

/* A register operand as the host sees it. */
struct reg_operand {
    int host; /* its number in an encoding, or H_NONE: guest register `guest` is in memory */
    unsigned guest;
    bool byte, high; /* a byte register; AH..BH */
};

/* The instruction's operands by their place in the encoding. */
struct places {
    unsigned rm, reg; /* numbers of operands, or NO_OPERAND */
    unsigned imm;     /* bytes of immediate */
    bool sized;       /* some operand has the effective operand size */
};

static struct places find_places(const struct xlat *x, const struct insn *i)
{
    const struct row_info *row = x->row;
    bool fp = x->rule->how & (RULE_FP | RULE_X87);
    struct places p = {NO_OPERAND, NO_OPERAND, 0, false};

    for (unsigned k = 0; k < row->count; k++) {
        const struct operand *o = &row->operand[k];
        switch (o->kind) {
        case K_E:
        case K_R:
        case K_M:
        case K_W:
        case K_U:
        case K_Q:
        case K_N: p.rm = k; break;
        case K_G:
        case K_V:
        case K_P: p.reg = k; break;
        case K_I: p.imm = o->is_byte ? 1 : o->size_rule == SIZE_W || i->osz == 1 ? 2 : 4; break;
        default: break;
        }
        if (!fp && o->kind != K_I && (o->size_rule == SIZE_EFFECTIVE || o->size_rule == SIZE_Z))
            p.sized = true;
    }
    return p;
}

static bool is_vector(unsigned kind)
{
    return kind == K_V || kind == K_W || kind == K_U || kind == K_P || kind == K_Q || kind == K_N;
}

static struct reg_operand find_reg(const struct xlat *x, const struct insn *i, unsigned operand)
{
    const struct operand *o = &x->row->operand[operand];
    unsigned at = operand == 0 ? i->dst : i->src;
    struct reg_operand r = {.byte = o->is_byte};

    if (is_vector(o->kind)) {
        r.host = (int)at;
        r.byte = false;
        return r;
    }
    r.guest = at >> 3;
    r.high = at & 1;
    r.host = r.high ? (int)r.guest + 4 : host_reg(r.guest);
    return r;
}

/* Prefixes and opcode of the instruction itself. */
static unsigned own_prefixes(const struct xlat *x, const struct insn *i, bool sized)
{
    const struct op_row *row = &optab[i->op];
    unsigned p = 0;

    if (row->prefix == PFX_66 || (sized && i->osz == 1))
        p |= P_66;
    if (row->prefix == PFX_F3 || x->rule->how & RULE_F3)
        p |= P_F3;
    if (row->prefix == PFX_F2 || x->rule->how & RULE_F2)
        p |= P_F2;
    if (i->prefix & INSN_LOCK)
        p |= P_LOCK;
    if (x->is64 && i->prefix & INSN_REXW)
        p |= P_W;
    return p;
}

static unsigned row_map(const struct insn *i)
{
    return optab[i->op].map & 3;
}

static void emit_imm(struct xlat *x, const struct insn *i, unsigned bytes)
{
    if (bytes == 1)
        put8(&x->a, (uint8_t)i->imm);
    else if (bytes == 2)
        put16(&x->a, (uint16_t)i->imm);
    else if (bytes == 4)
        put32(&x->a, (uint32_t)i->imm);
}

static void emit_op(struct xlat *x, const struct insn *i, const struct places *p, unsigned prefixes,
                    unsigned reg, struct rm rm)
{
    unsigned opcode = i->opc == 0x82 && row_map(i) == 0 ? 0x80 : i->opc; /* not in 64-bit code */

    asm_op(&x->a, own_prefixes(x, i, p->sized) | prefixes, row_map(i), opcode, reg, rm);
    emit_imm(x, i, p->imm);
}

/* What ModRM.reg holds: a register, or a part of the opcode. */
static unsigned reg_field(const struct insn *i, const struct places *p, const struct reg_operand *g)
{
    return p->reg == NO_OPERAND ? i->modrm >> 3 & 7u : (unsigned)g->host;
}

static unsigned byte_prefixes(const struct reg_operand *reg, const struct reg_operand *rm)
{
    return (reg->byte && !reg->high ? P_BREG : 0) | (rm->byte && !rm->high ? P_BRM : 0);
}

static bool is_written(const struct xlat *x, unsigned operand)
{
    if (operand == 0)
        return (x->rule->how & RULE_ACCESS) != RULE_READ;
    return operand == 1 && x->rule->how & RULE_WRITES_SRC;
}

/* AH..BH have no encoding beside a register that needs REX. */
static bool high_byte_conflict(const struct reg_operand *a, const struct reg_operand *b)
{
    return (a->high &&
            (b->host >= 8 || b->host == H_NONE || (b->byte && !b->high && b->host >= 4))) ||
           (b->high &&
            (a->host >= 8 || a->host == H_NONE || (a->byte && !a->high && a->host >= 4)));
}

/* Both operands are registers. One that is in memory is worked on in ADDR or TEMP and stored as a
 * whole: a later load of 64 bits could not be forwarded from two narrower stores, and BT means
 * something else with memory. */
static bool emit_registers(struct xlat *x, const struct insn *i, const struct places *p)
{
    struct reg_operand e = find_reg(x, i, p->rm), g = {.host = 0};
    bool g_in_memory = false, e_in_memory = e.host == H_NONE;

    if (p->reg != NO_OPERAND) {
        g = find_reg(x, i, p->reg);
        if (high_byte_conflict(&e, &g))
            return false;
        g_in_memory = g.host == H_NONE;
    }
    if (g_in_memory) {
        emit_load_guest(x, ADDR, g.guest);
        g.host = ADDR;
    }
    if (e_in_memory) {
        emit_load_guest(x, TEMP, e.guest);
        e.host = TEMP;
    }
    emit_op(x, i, p, byte_prefixes(&g, &e), reg_field(i, p, &g), rm_reg(e.host));
    if (g_in_memory && is_written(x, p->reg))
        emit_store_guest(x, g.guest, ADDR);
    if (e_in_memory && is_written(x, p->rm))
        emit_store_guest(x, e.guest, TEMP);
    return true;
}

/* A memory operand with AH..BH: through a byte of scratch memory, which needs no REX. */
static bool emit_memory_high(struct xlat *x, const struct insn *i, const struct places *p,
                             const struct reg_operand *g, struct rm rm)
{
    if (x->rule->how & RULE_WRITES_SRC || i->prefix & INSN_LOCK)
        return false;
    if (p->reg == 0) {                       /* load */
        asm_op(&x->a, 0, 1, 0xb6, TEMP, rm); /* movzx */
        asm_op(&x->a, P_BREG, 0, 0x88, TEMP, SCRATCH_AT(X_T0));
        emit_op(x, i, p, 0, (unsigned)g->host, SCRATCH_AT(X_T0));
        return true;
    }
    asm_lea(&x->a, true, ADDR, rm);
    asm_op(&x->a, 0, 0, 0x88, (unsigned)g->host, SCRATCH_AT(X_T0));
    asm_op(&x->a, 0, 1, 0xb6, TEMP, SCRATCH_AT(X_T0));
    emit_op(x, i, p, P_BREG, TEMP, rm_mem(ADDR, 0));
    return true;
}

/* Bytes that the memory operand spans, at most: only 64 KiB segments ask. */
static unsigned access_bytes(const struct xlat *x, const struct insn *i, const struct places *p)
{
    const struct operand *o = &x->row->operand[p->rm];
    if (is_vector(o->kind) || o->kind == K_M)
        return 16;
    switch (o->size_rule) {
    case SIZE_B: return 1;
    case SIZE_W: return 2;
    case SIZE_D: return 4;
    case SIZE_Q: return 8;
    case SIZE_Y: return i->osz == 3 ? 8 : 4;
    default: return 1u << i->osz;
    }
}

static bool emit_memory(struct xlat *x, const struct insn *i, const struct places *p)
{
    unsigned access = p->rm == 0 ? x->rule->how & RULE_ACCESS : RULE_READ;
    bool write = access != RULE_READ || x->rule->how & RULE_WRITES_SRC;
    struct reg_operand g = {.host = 0}, none = {.host = 0};
    struct rm rm;

    if (p->reg != NO_OPERAND)
        g = find_reg(x, i, p->reg);
    if (!emit_operand(x, i, access_bytes(x, i, p), write, &rm))
        return false;
    if (g.high)
        return emit_memory_high(x, i, p, &g, rm);
    if (p->reg == NO_OPERAND || g.host != H_NONE) {
        emit_op(x, i, p, byte_prefixes(&g, &none), reg_field(i, p, &g), rm);
        return true;
    }
    g.host = ADDR;
    if (rm_uses(rm, ADDR)) {
        asm_lea(&x->a, true, ADDR, rm);
        rm = rm_mem(ADDR, 0);
        g.host = TEMP;
    }
    emit_load_guest(x, (unsigned)g.host, g.guest);
    emit_op(x, i, p, byte_prefixes(&g, &none), (unsigned)g.host, rm);
    if (is_written(x, p->reg))
        emit_store_guest(x, g.guest, (unsigned)g.host);
    return true;
}

bool emit_general(struct xlat *x, const struct insn *i)
{
    struct places p = find_places(x, i);

    if (i->mem)
        return emit_memory(x, i, &p);
    if (i->prefix & INSN_LOCK)
        return false;
    if (p.rm != NO_OPERAND)
        return emit_registers(x, i, &p);
    /* An accumulator and an immediate. */
    unsigned pre = own_prefixes(x, i, p.sized);
    if (pre & P_66)
        put8(&x->a, 0x66);
    if (pre & P_W)
        put8(&x->a, 0x48);
    put8(&x->a, i->opc);
    emit_imm(x, i, p.imm);
    return true;
}

/* No operands that have to be moved. */
bool emit_implicit(struct xlat *x, const struct insn *i)
{
    bool sized = optab[i->op].variant == VARIANT_WIDTH;

    if (i->prefix & INSN_LOCK)
        return false;
    if (sized && i->osz == 1)
        put8(&x->a, 0x66);
    if (sized && i->osz == 3)
        put8(&x->a, 0x48);
    if (row_map(i) == 1)
        put8(&x->a, 0x0f);
    put8(&x->a, i->opc);
    return true;
}

bool emit_nothing(struct xlat *x, const struct insn *i)
{
    (void)x;
    return !(i->prefix & INSN_LOCK);
}

/* SHA: makers differ in whether an operand in memory must be aligned. */
bool emit_vector_registers(struct xlat *x, const struct insn *i)
{
    return !i->mem && emit_general(x, i);
}

/* LFENCE, MFENCE, SFENCE: other threads of ours stand for the guest's devices. */
bool emit_fence(struct xlat *x, const struct insn *i)
{
    put8(&x->a, 0x0f);
    put8(&x->a, i->opc);
    put8(&x->a, i->modrm);
    return true;
}

/* -- Forms that have no twin, or not the same one ---------------------------------------------- */

/* INC, DEC, XCHG, BSWAP with the register in the opcode; in 64-bit code, where the first two are
 * prefixes, and on the host they have a ModRM byte. */
static bool emit_opcode_register(struct xlat *x, const struct insn *i)
{
    int h = host_reg(i->dst >> 3);
    bool in_memory = h < 0;
    unsigned pre = width_prefix(i->osz);

    if (i->prefix & INSN_LOCK)
        return false;
    if (in_memory) {
        h = ADDR;
        emit_load_guest(x, ADDR, i->dst >> 3);
    }
    if (row_map(i) == 1) { /* BSWAP */
        if (i->osz == 1)
            return false;
        put8(&x->a, 0x40 | (pre & P_W ? 8 : 0) | (h >= 8 ? 1 : 0));
        put8(&x->a, 0x0f);
        put8(&x->a, 0xc8 | (h & 7));
    } else if ((i->opc & 0xf0) == 0x40) {
        asm_op(&x->a, pre, 0, 0xff, i->opc >> 3 & 1, rm_reg(h));
    } else {
        asm_op(&x->a, pre, 0, 0x87, HAX, rm_reg(h));
    }
    if (in_memory)
        emit_store_guest(x, i->dst >> 3, ADDR);
    return true;
}

/* MOV of an immediate to the opcode's register, and MOV between the accumulator and a fixed
 * address. */
static bool emit_mov_moffs(struct xlat *x, const struct insn *i)
{
    bool store = i->opc & 2, byte = !(i->opc & 1);
    unsigned pre = width_prefix(i->osz);
    struct rm rm;

    if (!emit_operand(x, i, 1u << i->osz, store, &rm))
        return false;
    asm_op(&x->a, pre, 0, (store ? 0x88 : 0x8a) | (byte ? 0 : 1), HAX, rm);
    return true;
}

bool emit_short(struct xlat *x, const struct insn *i)
{
    unsigned guest = i->dst >> 3;
    int h = host_reg(guest);

    if (i->prefix & INSN_LOCK)
        return false;
    if (i->mem)
        return emit_mov_moffs(x, i);
    if (x->row->operand[1].kind != K_I)
        return emit_opcode_register(x, i);
    if (i->osz >= 2) {
        uint64_t v = i->osz == 2 ? (uint32_t)i->imm : i->imm;
        asm_mov_imm(&x->a, h >= 0 ? (unsigned)h : ADDR, v);
        if (h < 0)
            emit_store_guest(x, guest, ADDR);
        return true;
    }
    struct rm rm = h >= 0 ? rm_reg(i->dst & 1 ? h + 4 : h) : GUEST_REG_AT(guest);
    asm_op(&x->a, i->osz == 1 ? P_66 : i->dst & 1 ? 0 : P_BRM, 0, i->osz == 1 ? 0xc7 : 0xc6, 0, rm);
    if (i->osz == 1)
        put16(&x->a, (uint16_t)i->imm);
    else
        put8(&x->a, (uint8_t)i->imm);
    return true;
}

/* A register of an address is in the host's, or there is none. */
static bool is_at_hand(unsigned guest)
{
    return guest == REG_NONE || (guest < 16 && host_reg(guest) >= 0);
}

/* LEA that the host executes alike. */
static bool emit_lea_alike(struct xlat *x, const struct insn *i, unsigned to)
{
    int base = i->base == REG_NONE ? H_NONE : host_reg(i->base);
    int index = i->idx == REG_NONE ? H_NONE : host_reg(i->idx);

    asm_lea(&x->a, i->osz == 3 && i->asz == 3, to,
            rm_index(base, index, i->scale, (int32_t)i->disp));
    return true;
}

bool emit_lea(struct xlat *x, const struct insn *i)
{
    unsigned guest = i->dst >> 3;
    int h = host_reg(guest);

    if (i->mem && !(i->prefix & INSN_LOCK) && h >= 0 && i->osz >= 2 && i->asz >= 2 &&
        is_at_hand(i->base) && is_at_hand(i->idx) && (i->base != REG_NONE || i->idx != REG_NONE) &&
        i->disp == (int32_t)i->disp)
        return emit_lea_alike(x, i, (unsigned)h);
    if (!i->mem || i->prefix & INSN_LOCK || !emit_effective_address(x, i))
        return false;
    if (h >= 0)
        asm_op(&x->a, width_prefix(i->osz), 0, 0x8b, (unsigned)h, rm_reg(ADDR));
    else if (i->osz == 1)
        asm_op(&x->a, P_66, 0, 0x89, ADDR, GUEST_REG_AT(guest));
    else {
        if (i->osz == 2)
            asm_mov32(&x->a, ADDR, rm_reg(ADDR));
        emit_store_guest(x, guest, ADDR);
    }
    return true;
}

/* -- Stack ------------------------------------------------------------------------------------- */

/* reg = stack slot at [rm], and back; the registers are the host's. */
static void emit_load_slot(struct xlat *x, unsigned reg, struct rm rm)
{
    asm_op(&x->a, slot_prefix(x), 0, 0x8b, reg, rm);
}

static void emit_store_slot(struct xlat *x, struct rm rm, unsigned reg)
{
    asm_op(&x->a, slot_prefix(x), 0, 0x89, reg, rm);
}

/* Write ADDR below the stack pointer. */
static void emit_push_address(struct xlat *x)
{
    struct rm rm;

    asm_store(&x->a, SCRATCH_AT(X_T0), ADDR);
    rm = emit_stack(x, RSP, -slot_bytes(x), true);
    if (rm_uses(rm, ADDR))
        asm_lea(&x->a, true, TEMP, rm);
    asm_mov(&x->a, ADDR, SCRATCH_AT(X_T0));
    emit_store_slot(x, rm_uses(rm, ADDR) ? rm_mem(TEMP, 0) : rm, ADDR);
}

static bool emit_push16(struct xlat *x, const struct insn *i)
{
    int32_t bytes = 1 << i->osz;
    struct rm rm;

    if (i->mem || !emit_stack16(x, i, -bytes, true, &rm))
        return false;
    if (x->row->operand[0].kind == K_I)
        emit_store_constant(x, i, rm, (uint32_t)i->imm);
    else
        asm_op(&x->a, width_prefix(i->osz), 0, 0x89, (unsigned)host_reg(i->dst >> 3), rm);
    emit_move_sp16(x, -bytes);
    return true;
}

static bool emit_pop16(struct xlat *x, const struct insn *i)
{
    unsigned guest = i->dst >> 3;
    struct rm rm;

    if (i->mem || guest == RSP || !emit_stack16(x, i, 0, false, &rm))
        return false;
    asm_op(&x->a, width_prefix(i->osz), 0, 0x8b, (unsigned)host_reg(guest), rm);
    emit_move_sp16(x, 1 << i->osz);
    return true;
}

static bool emit_push_memory(struct xlat *x, const struct insn *i)
{
    struct rm rm;

    if (!emit_operand(x, i, (unsigned)slot_bytes(x), false, &rm))
        return false;
    emit_load_slot(x, ADDR, rm);
    emit_push_address(x);
    emit_move_sp(x, -slot_bytes(x));
    return true;
}

bool emit_push(struct xlat *x, const struct insn *i)
{
    struct rm rm;
    int h;

    if (!stack_is_plain(x, i))
        return emit_push16(x, i);
    if (i->prefix & INSN_LOCK)
        return false;
    if (i->mem)
        return emit_push_memory(x, i);
    h = x->row->operand[0].kind == K_I ? 0 : host_reg(i->dst >> 3);
    if (h < 0) {
        emit_load_guest(x, ADDR, i->dst >> 3);
        emit_push_address(x);
        emit_move_sp(x, -slot_bytes(x));
        return true;
    }
    rm = emit_stack(x, RSP, -slot_bytes(x), true);
    if (x->row->operand[0].kind == K_I) {
        asm_op(&x->a, slot_prefix(x), 0, 0xc7, 0, rm);
        put32(&x->a, (uint32_t)i->imm);
    } else {
        emit_store_slot(x, rm, (unsigned)h);
    }
    emit_move_sp(x, -slot_bytes(x));
    return true;
}

bool emit_pop(struct xlat *x, const struct insn *i)
{
    unsigned guest = i->dst >> 3;
    int h = host_reg(guest);
    struct rm rm;

    if (!stack_is_plain(x, i))
        return emit_pop16(x, i);
    if (i->mem || i->prefix & INSN_LOCK)
        return false;
    rm = emit_stack(x, RSP, 0, false);
    if (h >= 0 && h != GSP) {
        emit_load_slot(x, (unsigned)h, rm);
        emit_move_sp(x, slot_bytes(x));
        return true;
    }
    emit_load_slot(x, TEMP, rm);
    emit_move_sp(x, slot_bytes(x));
    emit_store_guest(x, guest, TEMP);
    return true;
}

/* All accesses go by one entry, so where the first and the last do not trap, none does: those two
 * are tried before anything changes. Where that traps often, or beside code, the interpreter does
 * it.
 */
static bool may_move_all(const struct xlat *x, const struct insn *i)
{
    return stack_is_plain(x, i) && !(i->prefix & INSN_LOCK) &&
           !((x->code->exact | x->code->careful | x->code->beside) >> x->k & 1);
}

bool emit_pushad(struct xlat *x, const struct insn *i)
{
    if (!may_move_all(x, i))
        return false;
    emit_load_slot(x, TEMP, emit_stack(x, RSP, -32, true));
    emit_load_slot(x, TEMP, emit_stack(x, RSP, -4, true));
    for (unsigned g = 0; g < 8; g++)
        emit_store_slot(x, emit_stack(x, RSP, -4 * ((int32_t)g + 1), true), (unsigned)host_reg(g));
    emit_move_sp(x, -32);
    return true;
}

/* What is popped first is changed when the other end has been read. */
bool emit_popad(struct xlat *x, const struct insn *i)
{
    if (!may_move_all(x, i))
        return false;
    emit_load_slot(x, TEMP, emit_stack(x, RSP, 28, false));
    for (unsigned g = 8; g-- > 0;)
        if (g != RSP)
            emit_load_slot(x, (unsigned)host_reg(g),
                           emit_stack(x, RSP, 4 * (7 - (int32_t)g), false));
    emit_move_sp(x, 32);
    return true;
}

bool emit_leave(struct xlat *x, const struct insn *i)
{
    struct rm rm;

    if (!stack_is_plain(x, i) || i->prefix & INSN_LOCK)
        return false;
    rm = emit_stack(x, RBP, 0, false);
    emit_load_slot(x, TEMP, rm);
    asm_lea(&x->a, x->is64, GSP, rm_mem(HBP, slot_bytes(x)));
    asm_mov(&x->a, HBP, rm_reg(TEMP));
    return true;
}
