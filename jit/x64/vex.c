/* SPDX-License-Identifier: MIT */
/* BMI1 and BMI2: instructions on general registers in VEX encoding. */
#include <Zydis/Zydis.h>

#include "jit/x64/emit.h"

/* Guest registers by their place in the encoding; -1: none. */
struct vex_places {
    int reg, vvvv, rm;
    bool writes_reg, writes_vvvv;
};

static struct vex_places find_places(const struct xlat *x, const struct insn *i)
{
    struct vex_places p = {-1, -1, -1, false, false};

    for (unsigned k = 0; k < x->row->count; k++)
        switch (x->row->operand[k].kind) {
        case K_G:
            p.reg = i->dst >> 3;
            p.writes_reg = true;
            break;
        case K_B:
            p.vvvv = i->src2 >> 3;
            p.writes_vvvv = k == 0 || optab[i->op].mnemonic == ZYDIS_MNEMONIC_MULX;
            break;
        case K_E: p.rm = i->mem ? -1 : i->src >> 3; break;
        default: break;
        }
    return p;
}

/* The host register for a guest register, or `spare` for one in memory. */
static unsigned host_or(int guest, unsigned spare)
{
    int h = host_reg((unsigned)guest);
    return h == H_NONE ? spare : (unsigned)h;
}

static bool in_memory(int guest)
{
    return guest >= 0 && host_reg((unsigned)guest) == H_NONE;
}

/* Registers in memory: TEMP stands for VEX.vvvv and ADDR for ModRM.reg, which is only written. */
bool emit_vex(struct xlat *x, const struct insn *i)
{
    static const uint8_t pp[] = {[PFX_NONE] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3};
    const struct op_row *row = &optab[i->op];
    struct vex_places p = find_places(x, i);
    unsigned reg = p.reg < 0 ? i->modrm >> 3 & 7u : host_or(p.reg, ADDR);
    unsigned vvvv = p.vvvv < 0 ? 0 : host_or(p.vvvv, TEMP);
    struct rm rm = rm_mem(ADDR, 0);

    if (i->mem) {
        if (!emit_operand(x, i, 1u << i->osz, false, &rm))
            return false;
        if (in_memory(p.vvvv)) {
            asm_lea(&x->a, true, ADDR, rm);
            rm = rm_mem(ADDR, 0);
        }
    } else {
        rm = in_memory(p.rm) ? GUEST_REG_AT((unsigned)p.rm) : rm_reg(host_reg((unsigned)p.rm));
    }
    if (in_memory(p.vvvv))
        emit_load_guest(x, TEMP, (unsigned)p.vvvv);
    asm_vex(&x->a, pp[row->prefix], i->osz == 3, row->map & 3, row->opcode, reg, vvvv, rm);
    if (row->operands[0] == 'G' && x->row->operand[x->row->count - 1].kind == K_I)
        put8(&x->a, (uint8_t)i->imm);
    if (p.writes_vvvv && in_memory(p.vvvv))
        emit_store_guest(x, (unsigned)p.vvvv, TEMP);
    if (p.writes_reg && in_memory(p.reg))
        emit_store_guest(x, (unsigned)p.reg, ADDR);
    return true;
}
