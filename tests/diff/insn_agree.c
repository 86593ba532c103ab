/* SPDX-License-Identifier: MIT */
#include "tests/diff/insn_agree.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/diff/insn_segs.h"

/* -- The table --------------------------------------------------------------------------------- */

enum {
    LOW_RAX = 1 << RAX, /* the lower halves of these registers */
    LOW_RCX = 1 << RCX,
    LOW_RDX = 1 << RDX,
    LOW_RBX = 1 << RBX,
    DESTINATION = 1 << 16, /* as much of it as the instruction writes */
    CARRY = 1 << 17,
    X87_RESULT = 1 << 18,
    SSE_RESULT = 1 << 19,
};

#define FX_POINTERS                                                                                \
    {5, 24, 0xff},                                                                                 \
    {                                                                                              \
        28, 32, 0xff                                                                               \
    }

const struct agreement agreements[] = {
    {" FXSAVE FXSAVE64 ",
     "not the x87's last instruction (FOP, FIP, FDP), MXCSR_MASK, reserved",
     {FX_POINTERS},
     {{0}},
     0},
    {" XSAVE XSAVE64 ",
     "not the x87's last instruction, MXCSR_MASK, reserved, XSTATE_BV (which states are in use)",
     {FX_POINTERS, {512, 513, 3}},
     {{0}},
     0},
    {" XSAVEOPT XSAVEOPT64 ",
     "not the legacy region and XSTATE_BV: what has not changed is not written (SDM 1 13.9)",
     {{0, 512, 0xff}, {512, 513, 3}},
     {{0}},
     0},
    {" FNSTENV FNSAVE ",
     "not the x87's last instruction (FIP, FCS, FDP, FDS, FOP)",
     {{12, 28, 0xff}},
     {{6, 14, 0xff}},
     0},
    {" RDTSC ", "not the counter", {{0}}, {{0}}, LOW_RAX | LOW_RDX},
    {" RDTSCP ", "not the counter, not IA32_TSC_AUX", {{0}}, {{0}}, LOW_RAX | LOW_RDX | LOW_RCX},
    {" XGETBV ",
     "not the value: the host has states that the guest has not",
     {{0}},
     {{0}},
     LOW_RAX | LOW_RDX},
    {" CPUID ",
     "not the values, which are the model's",
     {{0}},
     {{0}},
     LOW_RAX | LOW_RBX | LOW_RCX | LOW_RDX},
    {" RDRAND RDSEED ",
     "not the number, nor whether there was one",
     {{0}},
     {{0}},
     DESTINATION | CARRY},
    {" RDPID ", "not IA32_TSC_AUX", {{0}}, {{0}}, DESTINATION},
    {" FSIN FCOS FSINCOS FPTAN FPATAN F2XM1 FYL2X FYL2XP1 ",
     "by 1 unit in the last place of the 64-bit significand, and then not PE, UE, ES; never C1",
     {{0}},
     {{0}},
     X87_RESULT},
    {" RCPPS RCPSS RSQRTPS RSQRTSS ",
     "both within 1.5 * 2^-12 of the exact value (SDM 2B RCPPS, RSQRTPS), so 3 * 2^-12 apart; "
     "0, infinity and NaN exactly",
     {{0}},
     {{0}},
     SSE_RESULT},
};
const unsigned agreement_count = sizeof(agreements) / sizeof(agreements[0]);

const struct agreement *agreement_find(const struct op_row *row)
{
    char name[32];
    snprintf(name, sizeof(name), " %s ", row->name);
    for (unsigned k = 0; k < agreement_count; k++)
        if (strstr(agreements[k].names, name) != NULL)
            return &agreements[k];
    return NULL;
}

/* -- Memory ------------------------------------------------------------------------------------ */

static uint64_t base_of(const struct sequence *q, const struct state *s, unsigned sreg)
{
    if (sreg == SEG_FS || sreg == SEG_GS)
        return sreg == SEG_FS ? s->seg.fs_base : s->seg.gs_base;
    return q->size == CODE_64 ? 0 : segment_base(s->seg.sel[sreg]);
}

/* Where in the data the operand was, from the registers after the instruction: none of these
 * changes them. */
static uint64_t operand_offset(const struct sequence *q, const struct state *s,
                               const struct insn *i)
{
    uint64_t at = (uint64_t)i->disp;
    unsigned last = q->count - 1;
    if (i->base == RIP)
        at += sequence_start(q) + q->insn[last].at + q->insn[last].len;
    else if (i->base != REG_NONE)
        at += s->r[i->base];
    if (i->idx != REG_NONE)
        at += s->r[i->idx] << i->scale;
    at = i->asz == 1 ? at & 0xffff : i->asz == 2 ? (uint32_t)at : at;
    at += base_of(q, s, i->seg);
    return (q->size == CODE_64 ? at : (uint32_t)at) - DATA_LA;
}

static void clear_fields(const struct agreement_field *f, uint64_t off, uint8_t *mem)
{
    for (unsigned n = 0; n < 4; n++)
        for (unsigned k = f[n].from; k < f[n].to; k++)
            if (off < DATA_SIZE && off + k < DATA_SIZE)
                mem[off + k] &= (uint8_t)~f[n].bits;
}

/* -- Registers --------------------------------------------------------------------------------- */

static void clear_registers(const struct insn *i, unsigned what, struct state *s)
{
    static const uint64_t written[] = {0xff, 0xffff, UINT32_MAX, UINT64_MAX};
    for (unsigned k = 0; k < 4; k++)
        if (what & 1u << k)
            s->r[k] &= ~(uint64_t)UINT32_MAX;
    if (what & DESTINATION)
        s->r[i->dst / 8u] &= ~written[i->osz];
    if (what & CARRY)
        s->eflags &= ~EFL_CF;
}

/* -- Approximations ---------------------------------------------------------------------------- */

static bool is_next(uint16_t se, uint64_t man, uint16_t se2, uint64_t man2)
{
    if (se == se2)
        return man2 - man == 1;
    return se2 - se == 1 && man == UINT64_MAX && man2 == UINT64_C(1) << 63;
}

/* PE, UE, ES and B */
#define FSW_LAST_BIT (0x30u | FSW_ES | FSW_B)

static void agree_x87(struct state *host, struct state *guest)
{
    uint16_t clear = FSW_C1;
    for (unsigned k = 0; k < 2; k++) {
        uint16_t h = host->fx.st[k].se, g = guest->fx.st[k].se;
        uint64_t hm = host->fx.st[k].man, gm = guest->fx.st[k].man;
        if (!is_next(h, hm, g, gm) && !is_next(g, gm, h, hm))
            continue;
        guest->fx.st[k] = host->fx.st[k];
        clear |= FSW_LAST_BIT;
    }
    host->fx.fsw &= (uint16_t)~clear;
    guest->fx.fsw &= (uint16_t)~clear;
}

static bool is_normal32(uint32_t v)
{
    unsigned exp = v >> 23 & 0xff;
    return exp != 0 && exp != 0xff;
}

static void agree_float(uint32_t h, uint32_t *g)
{
    float a, b;
    memcpy(&a, &h, 4);
    memcpy(&b, g, 4);
    if (is_normal32(h) && is_normal32(*g) && fabsf(a - b) <= 3 * 0x1p-12f * fabsf(a))
        *g = h;
}

static void agree_sse(const struct insn *i, const struct state *host, struct state *guest)
{
    uint32_t h[4], g[4];
    memcpy(h, host->fx.xmm[i->dst & 15], 16);
    memcpy(g, guest->fx.xmm[i->dst & 15], 16);
    for (unsigned k = 0; k < 4; k++)
        agree_float(h[k], &g[k]);
    memcpy(guest->fx.xmm[i->dst & 15], g, 16);
}

/* -- All --------------------------------------------------------------------------------------- */

/* Did it run to the end? A trap of single-stepping or a fault of what follows comes there, the
 * breakpoint behind. */
static bool completed(const struct sequence *q, const struct state *s)
{
    unsigned last = q->count - 1;
    uint64_t end = sequence_start(q) + q->insn[last].at + q->insn[last].len;
    return s->rip == end || (s->vec == VEC_BP && s->rip == end + 1);
}

void agree(struct cpu *decoder, const struct sequence *q, struct state *host, struct state *guest,
           uint8_t *host_mem, uint8_t *guest_mem)
{
    struct insn i;
    const struct agreement *a =
        q->count > 0 ? agreement_find(&optab[q->insn[q->count - 1].row]) : NULL;
    if (a == NULL || !completed(q, host) || !completed(q, guest))
        return;
    guest_set_mode(decoder, q->size);
    if (decode(decoder, &i, q->code + q->insn[q->count - 1].at, q->insn[q->count - 1].len) !=
        DECODE_OK)
        return;
    const struct agreement_field *f = i.osz == 1 && a->field16[0].to != 0 ? a->field16 : a->field;
    clear_fields(f, operand_offset(q, host, &i), host_mem);
    clear_fields(f, operand_offset(q, guest, &i), guest_mem);
    clear_registers(&i, a->what, host);
    clear_registers(&i, a->what, guest);
    if (a->what & X87_RESULT)
        agree_x87(host, guest);
    if (a->what & SSE_RESULT)
        agree_sse(&i, host, guest);
}
