/* SPDX-License-Identifier: MIT */
/* IN and OUT, and the I/O permission bitmap (SDM 1 chapter 19). */
#include "cpu/exception.h"
#include "cpu/ops.h"
#include "cpu/segment.h"

/* Are the bits of all n ports clear in the TSS's bitmap? The two bytes that may hold them must both
 * be inside the limit. */
static bool bitmap_allows(struct cpu *c, uint16_t port, unsigned n)
{
    uint64_t map, bits;
    if (!c->tr.usable || !(c->tr.attr & 8) || c->tr.limit < 0x67)
        return cpu_raise_gp(c, 0);
    if (!sys_read(c, c->tr.base + 0x66, 2, &map))
        return false;
    uint64_t at = map + port / 8;
    if (at + 1 > c->tr.limit)
        return cpu_raise_gp(c, 0);
    if (!sys_read(c, c->tr.base + at, 2, &bits))
        return false;
    if (bits >> (port & 7) & ((1u << n) - 1))
        return cpu_raise_gp(c, 0);
    return true;
}

bool io_allowed(struct cpu *c, uint16_t port, unsigned n)
{
    unsigned iopl = (c->eflags & EFL_IOPL) >> EFL_IOPL_SHIFT;
    bool check = c->mode & MODE_PE && (c->cpl > iopl || c->mode & MODE_V86);
    if (check && !bitmap_allows(c, port, n))
        return false;
    debug_port_access(c, port, n);
    return true;
}

OP_INLINE bool in_port(struct cpu *c, uint16_t port, unsigned w)
{
    if (!io_allowed(c, port, 1u << w))
        return false;
    reg_set(c, REG_OFF(RAX), w, port_in(c, port, 1u << w));
    return true;
}

OP_INLINE bool out_port(struct cpu *c, uint16_t port, unsigned w)
{
    if (!io_allowed(c, port, 1u << w))
        return false;
    port_out(c, port, 1u << w, (uint32_t)reg_get(c, REG_OFF(RAX), w));
    return true;
}

OP_WIDTH(in_imm)
{
    return in_port(c, (uint8_t)i->imm, w);
}
OP_WIDTH(in_dx)
{
    (void)i;
    return in_port(c, (uint16_t)c->r[RDX], w);
}
OP_WIDTH(out_imm)
{
    return out_port(c, (uint8_t)i->imm, w);
}
OP_WIDTH(out_dx)
{
    (void)i;
    return out_port(c, (uint16_t)c->r[RDX], w);
}
