/* SPDX-License-Identifier: MIT */
/* Guest memory as instructions see it: segment:offset with all checks. The inline part is the hit
 * in the translation cache; everything else (page walks, page crossing, MMIO, code pages, alignment
 * checks, watchpoints, faults) is in mem.c. An access that faults has read or written nothing.
 *
 * n is a constant 1, 2, 4 or 8 at every call of the inline functions. */
#ifndef CPU_MEM_H
#define CPU_MEM_H

#include <string.h>

#include "cpu/cpu.h"

#define PAGE_MASK (~UINT64_C(0xfff))

/* Slow paths of the inline functions below. */
bool mem_read_slow(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, uint64_t *val);
bool mem_write_slow(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, uint64_t val);

/* Address of a segmented access that the fast check allows, or false. */
static inline bool seg_fast(const struct cpu *c, const struct seg *s, uint64_t end, uint64_t off,
                            unsigned n, uint64_t *la)
{
    *la = (s->base + off) & c->la_mask;
    return off + n <= end;
}

static inline struct tlb_entry *tlb_slot(struct cpu *c, uint64_t la)
{
    return &c->tlb->e[la >> 12 & (TLB_SIZE - 1)];
}

/* The host address of [la, la + n) where the whole access hits, or NULL. */
static inline uint8_t *tlb_hit_read(struct cpu *c, uint64_t la, unsigned n)
{
    const struct tlb_entry *e = tlb_slot(c, la);
    if (e->rd != (la & PAGE_MASK) || (la & 0xfff) > 0x1000 - n)
        return NULL;
    return (uint8_t *)(uintptr_t)(e->host + la);
}

static inline uint8_t *tlb_hit_write(struct cpu *c, uint64_t la, unsigned n)
{
    const struct tlb_entry *e = tlb_slot(c, la);
    if (e->wr != (la & PAGE_MASK) || (la & 0xfff) > 0x1000 - n)
        return NULL;
    return (uint8_t *)(uintptr_t)(e->host + la);
}

static inline uint64_t host_load(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static inline void host_store(uint8_t *p, unsigned n, uint64_t v)
{
    memcpy(p, &v, n);
}

/* Read n bytes, zero-extended. */
static inline bool mem_read(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, uint64_t *val)
{
    const struct seg *s = &c->seg[sreg];
    uint64_t la;
    uint8_t *p;
    if (seg_fast(c, s, s->rd_end, off, n, &la) && (p = tlb_hit_read(c, la, n)) != NULL) {
        *val = host_load(p, n);
        return true;
    }
    return mem_read_slow(c, sreg, off, n, val);
}

/* Write the low n bytes of val. */
static inline bool mem_write(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, uint64_t val)
{
    const struct seg *s = &c->seg[sreg];
    uint64_t la;
    uint8_t *p;
    if (seg_fast(c, s, s->wr_end, off, n, &la) && (p = tlb_hit_write(c, la, n)) != NULL) {
        host_store(p, n, val);
        return true;
    }
    return mem_write_slow(c, sreg, off, n, val);
}

/* A read-modify-write: rmw_begin() reads after checking that writing is allowed too; rmw_end()
 * can't fail. Nothing that can fault may stand between them. */
struct rmw {
    uint8_t *host; /* NULL: through mem_write_slow() */
    uint64_t off;
    unsigned sreg;
};

bool rmw_begin_slow(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, uint64_t *val,
                    struct rmw *w);

static inline bool rmw_begin(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, uint64_t *val,
                             struct rmw *w)
{
    const struct seg *s = &c->seg[sreg];
    uint64_t la;
    if (s->rd_end != 0 && seg_fast(c, s, s->wr_end, off, n, &la) &&
        (w->host = tlb_hit_write(c, la, n)) != NULL) {
        *val = host_load(w->host, n);
        return true;
    }
    return rmw_begin_slow(c, sreg, off, n, val, w);
}

static inline void rmw_end(struct cpu *c, const struct rmw *w, unsigned n, uint64_t val)
{
    if (w->host != NULL)
        host_store(w->host, n, val);
    else
        (void)mem_write_slow(c, w->sreg, w->off, n, val);
}

/* Any number of bytes up to 4096 (80-bit, 128-bit, state images). All of it is checked before any
 * of it is written. */
bool mem_read_bytes(struct cpu *c, unsigned sreg, uint64_t off, void *dst, unsigned n);
bool mem_write_bytes(struct cpu *c, unsigned sreg, uint64_t off, const void *src, unsigned n);

/* Check only: would a write (or read) of n bytes be allowed? Faults as the access would. */
bool mem_probe(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, bool write);

/* -- System accesses: linear, with supervisor rights whatever the CPL (descriptor tables, TSSs) ---
 */

bool sys_read(struct cpu *c, uint64_t la, unsigned n, uint64_t *val);
bool sys_write(struct cpu *c, uint64_t la, unsigned n, uint64_t val);
/* Check only: would a write of n bytes be allowed? */
bool sys_probe_write(struct cpu *c, uint64_t la, unsigned n);
/* A write with the rights of a privilege level: the stack that a far transfer goes to. */
bool lin_write_as(struct cpu *c, unsigned cpl, uint64_t la, unsigned n, uint64_t val);

/* -- Paging (paging.c) ------------------------------------------------------------------------- */

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };

struct translation {
    uint64_t pa;   /* of the page */
    bool writable; /* and dirty: a later write needs no walk */
    bool readable;
    bool global;
    uint8_t shift; /* log2 of the size of the guest's page, of which `pa` is 4 KiB */
    bool ahead;    /* by page_peek() */
    uint8_t entry; /* bytes of the entry of a 4 KiB page, which is at entry_pa; 0: none */
    uint64_t entry_pa;
};

/* Walk the page tables (SDM 3A ch. 4), set A/D bits. `user`: access with user rights. Faults are
 * recorded. With paging off the address itself. */
bool page_walk(struct cpu *c, uint64_t la, enum access how, bool user, bool smap_off,
               struct translation *out);

/* The same for a read or fetch, but without any effect: false where the walk would fault or set an
 * A bit. */
bool page_peek(struct cpu *c, uint64_t la, enum access how, bool user, bool smap_off,
               struct translation *out);

/* The entries of the n pages, a power of two, that the page at la is one of, tr->entry bytes each;
 * or NULL. Where one is not used, page_peek() would be in vain. */
const uint8_t *page_entries(struct cpu *c, const struct translation *tr, uint64_t la, unsigned n);
bool page_entry_is_used(const uint8_t *entry);

/* MOV CR3 in PAE mode: load the four PDPTEs; false: #GP recorded (reserved bits), nothing changed.
 */
bool paging_load_pdptes(struct cpu *c, uint64_t cr3);

/* Translate the page of linear address la for fetching. Faults are recorded. */
bool mem_fetch_translate(struct cpu *c, uint64_t la, struct translation *out);

/* How the page of la may be accessed in a context, found without any effect. False: not at all, or
 * that takes an access to find out. */
struct filled_page;
bool mem_peek(struct cpu *c, unsigned mmu, uint64_t la, struct filled_page *out);

/* INVLPG; all but global pages; everything. */
void tlb_flush_page(struct cpu *c, uint64_t la);
void tlb_flush_nonglobal(struct cpu *c);
void tlb_flush_all(struct cpu *c);
/* CR3 was written, or INVPCID names the current address space: what is not global is forgotten.
 * `keep`: the guest says that what is known elsewhere of the new space is still valid. */
void tlb_enter_space(struct cpu *c, bool keep);
/* INVPCID for another address space. */
void tlb_flush_space(struct cpu *c, uint16_t pcid);
/* Stop direct writes to a physical page (it holds decoded code now). */
void tlb_protect_code(struct cpu *c, uint64_t pa);

/* -- Canonical addresses ----------------------------------------------------------------------- */

static inline bool is_canonical(uint64_t la)
{
    return (uint64_t)((int64_t)(la << 16) >> 16) == la;
}

#endif
