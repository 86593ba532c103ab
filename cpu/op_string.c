/* SPDX-License-Identifier: MIT */
/* String instructions with all their prefixes. Each iteration leaves rSI, rDI and rCX as the SDM
 * says, so that a fault or an interrupt in the middle restarts the instruction where it stopped.
 * MOVS and STOS move forward in page-sized pieces where the translation cache allows it. */
#include "cpu/ops.h"

static inline uint64_t str_index(const struct cpu *c, const struct insn *i, enum reg r)
{
    return c->r[r] & asz_mask(i);
}

/* A 16-bit index keeps the register's upper bits, a 32-bit one clears them. */
static inline void str_set(struct cpu *c, const struct insn *i, enum reg r, uint64_t v)
{
    reg_set(c, REG_OFF(r), i->asz, v);
}

static inline void str_advance(struct cpu *c, const struct insn *i, enum reg r, uint64_t elements,
                               unsigned w)
{
    uint64_t bytes = elements << w;
    str_set(c, i, r, c->eflags & EFL_DF ? c->r[r] - bytes : c->r[r] + bytes);
}

/* Iterations after which an instruction pauses unasked, as if it had not begun; not where it has
 * written to code, which may be its own. */
#define REP_SLICE 4096

/* One iteration. */
typedef bool (*str_fn)(struct cpu *c, const struct insn *i, unsigned w);
/* Up to n iterations at once; the number done, 0 where it must go one by one. */
typedef uint64_t (*str_bulk_fn)(struct cpu *c, const struct insn *i, unsigned w, uint64_t n);

/* With 32-bit addresses a repeated instruction clears the upper half of RCX, and MOVS and STOS
 * those of their index registers, even if nothing is repeated. */
enum str_regs { CLEARS_NONE, CLEARS_SI = 1, CLEARS_DI = 2, CLEARS_BOTH = 3 };

static inline void str_truncate(struct cpu *c, const struct insn *i, enum str_regs clears)
{
    if (i->asz != 2)
        return;
    str_set(c, i, RCX, c->r[RCX]);
    if (clears & CLEARS_SI)
        str_set(c, i, RSI, c->r[RSI]);
    if (clears & CLEARS_DI)
        str_set(c, i, RDI, c->r[RDI]);
}

/* The repetition of compare instructions also ends on ZF: REPE (F3) while equal, REPNE (F2) while
 * not. */
enum rep_kind { REP_PLAIN, REP_COMPARE };

static inline bool rep_ended(const struct cpu *c, const struct insn *i, enum rep_kind kind)
{
    return kind == REP_COMPARE && flag_z(c) != ((i->prefix & INSN_REP) != 0);
}

/* Should the instruction pause here, to be resumed later? Not because it has overwritten itself:
 * processors go on with what they have fetched. */
static inline bool rep_must_pause(const struct cpu *c)
{
    return c->single || c->db_pending != 0 ||
           (atomic_load_explicit(&c->attention, memory_order_relaxed) != 0 &&
            (atomic_load(&c->attention) & ATT_EXIT || cpu_has_work(c)));
}

OP_INLINE bool string_op(struct cpu *c, const struct insn *i, unsigned w, enum rep_kind kind,
                         enum str_regs clears, str_fn one, str_bulk_fn bulk)
{
    if (!(i->prefix & (INSN_REP | INSN_REPNE)))
        return one(c, i, w);
    str_truncate(c, i, clears);
    uint64_t slice = REP_SLICE;
    struct lazy_flags before = c->f;
    for (;;) {
        uint64_t n = str_index(c, i, RCX), done = 0;
        if (n == 0)
            return true;
        if (bulk != NULL)
            done = bulk(c, i, w, n);
        if (done == 0) {
            if (!one(c, i, w)) {
                /* SDM 2B REP: a fault restores EFLAGS. */
                if (kind == REP_COMPARE)
                    c->f = before;
                return false;
            }
            done = 1;
        }
        str_set(c, i, RCX, c->r[RCX] - done);
        if (n == done || rep_ended(c, i, kind))
            return true;
        slice = slice > done ? slice - done : 0;
        if (slice == 0)
            c->f = before;
        if ((slice == 0 && c->run_end != NULL) || rep_must_pause(c)) {
            c->r[RIP] = (c->r[RIP] - i->len) & c->la_mask;
            run_stop(c);
            return true;
        }
    }
}

/* -- Moving in pieces -------------------------------------------------------------------------- */

/* Elements of width w from offset off on, at most n, that lie in one page and in the segment's fast
 * part; *host is their address. 0: none. */
static uint64_t piece_of(struct cpu *c, const struct insn *i, unsigned sreg, uint64_t off,
                         unsigned w, uint64_t n, bool write, uint8_t **host)
{
    const struct seg *s = &c->seg[sreg];
    uint64_t end = write ? s->wr_end : s->rd_end;
    uint64_t la = (s->base + off) & c->la_mask;
    uint64_t room = (0x1000 - (la & 0xfff)) >> w;
    n = n < room ? n : room;
    uint64_t bytes = n << w;
    if (n == 0 || off + bytes > end || off + bytes < off || off + bytes - 1 > asz_mask(i))
        return 0;
    *host = write ? tlb_hit_write(c, la, 1u << w) : tlb_hit_read(c, la, 1u << w);
    return *host != NULL ? n : 0;
}

static uint64_t movs_bulk(struct cpu *c, const struct insn *i, unsigned w, uint64_t n)
{
    uint8_t *src, *dst;
    if (c->eflags & EFL_DF || c->single)
        return 0;
    n = piece_of(c, i, i->seg, str_index(c, i, RSI), w, n, false, &src);
    if (n != 0)
        n = piece_of(c, i, SEG_ES, str_index(c, i, RDI), w, n, true, &dst);
    if (n == 0)
        return 0;
    /* A destination just ahead of the source repeats a pattern: element by element. */
    size_t bytes = n << w;
    if (dst > src && dst < src + bytes)
        return 0;
    memmove(dst, src, bytes);
    str_advance(c, i, RSI, n, w);
    str_advance(c, i, RDI, n, w);
    return n;
}

/* Stores v in elements of width w; a whole page of zeros is what most of them are for. */
static void fill(uint8_t *dst, uint64_t v, unsigned w, size_t bytes)
{
    size_t done = (size_t)1 << w;

    memcpy(dst, &v, done);
    if (memcmp(dst, dst + 1, done - 1) == 0) {
        memset(dst, (int)(v & 0xff), bytes);
        return;
    }
    for (; done < bytes; done *= 2)
        memcpy(dst + done, dst, done < bytes - done ? done : bytes - done);
}

static uint64_t stos_bulk(struct cpu *c, const struct insn *i, unsigned w, uint64_t n)
{
    uint8_t *dst;
    if (c->eflags & EFL_DF || c->single)
        return 0;
    n = piece_of(c, i, SEG_ES, str_index(c, i, RDI), w, n, true, &dst);
    if (n == 0)
        return 0;
    fill(dst, c->r[RAX], w, n << w);
    str_advance(c, i, RDI, n, w);
    return n;
}

/* -- Iterations -------------------------------------------------------------------------------- */

static bool movs_one(struct cpu *c, const struct insn *i, unsigned w)
{
    uint64_t v;
    if (!mem_read(c, i->seg, str_index(c, i, RSI), 1u << w, &v) ||
        !mem_write(c, SEG_ES, str_index(c, i, RDI), 1u << w, v))
        return false;
    str_advance(c, i, RSI, 1, w);
    str_advance(c, i, RDI, 1, w);
    return true;
}

static bool stos_one(struct cpu *c, const struct insn *i, unsigned w)
{
    if (!mem_write(c, SEG_ES, str_index(c, i, RDI), 1u << w, c->r[RAX]))
        return false;
    str_advance(c, i, RDI, 1, w);
    return true;
}

static bool lods_one(struct cpu *c, const struct insn *i, unsigned w)
{
    uint64_t v;
    if (!mem_read(c, i->seg, str_index(c, i, RSI), 1u << w, &v))
        return false;
    reg_set(c, REG_OFF(RAX), w, v);
    str_advance(c, i, RSI, 1, w);
    return true;
}

static bool scas_one(struct cpu *c, const struct insn *i, unsigned w)
{
    uint64_t v, a = reg_get(c, REG_OFF(RAX), w);
    if (!mem_read(c, SEG_ES, str_index(c, i, RDI), 1u << w, &v))
        return false;
    flags_sub(c, a, v, a - v, w);
    str_advance(c, i, RDI, 1, w);
    return true;
}

static bool cmps_one(struct cpu *c, const struct insn *i, unsigned w)
{
    uint64_t a, b;
    if (!mem_read(c, SEG_ES, str_index(c, i, RDI), 1u << w, &b) ||
        !mem_read(c, i->seg, str_index(c, i, RSI), 1u << w, &a))
        return false;
    flags_sub(c, a, b, a - b, w);
    str_advance(c, i, RSI, 1, w);
    str_advance(c, i, RDI, 1, w);
    return true;
}

/* The destination is checked before the port is read, since reading may have side effects. */
static bool ins_one(struct cpu *c, const struct insn *i, unsigned w)
{
    uint16_t port = (uint16_t)c->r[RDX];
    uint64_t off = str_index(c, i, RDI);
    if (!mem_probe(c, SEG_ES, off, 1u << w, true) ||
        !mem_write(c, SEG_ES, off, 1u << w, port_in(c, port, 1u << w)))
        return false;
    str_advance(c, i, RDI, 1, w);
    return true;
}

static bool outs_one(struct cpu *c, const struct insn *i, unsigned w)
{
    uint64_t v;
    uint16_t port = (uint16_t)c->r[RDX];
    if (!mem_read(c, i->seg, str_index(c, i, RSI), 1u << w, &v))
        return false;
    port_out(c, port, 1u << w, (uint32_t)v);
    str_advance(c, i, RSI, 1, w);
    return true;
}

OP_WIDTH(movs)
{
    return string_op(c, i, w, REP_PLAIN, CLEARS_BOTH, movs_one, movs_bulk);
}
OP_WIDTH(stos)
{
    return string_op(c, i, w, REP_PLAIN, CLEARS_DI, stos_one, stos_bulk);
}
OP_WIDTH(lods)
{
    return string_op(c, i, w, REP_PLAIN, CLEARS_NONE, lods_one, NULL);
}
OP_WIDTH(scas)
{
    return string_op(c, i, w, REP_COMPARE, CLEARS_NONE, scas_one, NULL);
}
OP_WIDTH(cmps)
{
    return string_op(c, i, w, REP_COMPARE, CLEARS_NONE, cmps_one, NULL);
}
/* The permission is checked even where nothing is to be transferred. */
OP_WIDTH(ins)
{
    if (!io_allowed(c, (uint16_t)c->r[RDX], 1u << w))
        return false;
    return string_op(c, i, w, REP_PLAIN, CLEARS_NONE, ins_one, NULL);
}
OP_WIDTH(outs)
{
    if (!io_allowed(c, (uint16_t)c->r[RDX], 1u << w))
        return false;
    return string_op(c, i, w, REP_PLAIN, CLEARS_NONE, outs_one, NULL);
}
