/* SPDX-License-Identifier: MIT */
/* The slow side of memory accesses: segment checks, canonical addresses, alignment checks, page
 * walks, filling the translation cache, page-crossing accesses, MMIO, writes to pages with decoded
 * code, and data breakpoints. An access is checked in full, both pages of it, before anything is
 * written. */
#include "cpu/mem.h"

#include "cpu/block.h"
#include "cpu/exception.h"
#include "cpu/rehearsal.h"
#include "cpu/segment.h"
#include "cpu/translator.h"

#define TLB_MISS 1 /* a tag that no page address equals */

/* Low bits of an entry's `pa`. A device's page misses; its entry has the page in `host`, so that
 * later accesses need no walk. */
#define TLB_GLOBAL    1u
#define TLB_SHIFT(e)  ((e)->pa >> 1 & 63)
#define TLB_DEVICE_RD 0x100u
#define TLB_DEVICE_WR 0x200u
#define TLB_DEVICE    (TLB_DEVICE_RD | TLB_DEVICE_WR)

/* -- Translation cache ------------------------------------------------------------------------- */

static void entry_clear(struct tlb_entry *e)
{
    e->rd = e->wr = TLB_MISS;
    e->pa &= ~(uint64_t)TLB_DEVICE;
}

void tlb_flush_all(struct cpu *c)
{
    for (unsigned m = 0; m < MMU_CTX_COUNT; m++)
        for (unsigned k = 0; k < TLB_SIZE; k++)
            entry_clear(&c->tlbs[m].e[k]);
    c->large_first = UINT64_MAX;
    c->large_last = 0;
    if (c->translator != NULL)
        c->translator->forget(c, true);
    blocks_forget_translations(c, true);
}

static void clear_local(struct tlb *t)
{
    for (unsigned n = 0; n < TLB_SIZE / 64; n++) {
        for (uint64_t left = t->local[n]; left != 0; left &= left - 1)
            entry_clear(&t->e[n * 64 + (unsigned)__builtin_ctzll(left)]);
        t->local[n] = 0;
    }
}

void tlb_flush_nonglobal(struct cpu *c)
{
    for (unsigned m = 0; m < MMU_NONE; m++)
        clear_local(&c->tlbs[m]);
    if (c->translator != NULL)
        c->translator->forget(c, false);
    blocks_forget_translations(c, false);
}

void tlb_enter_space(struct cpu *c, bool keep)
{
    for (unsigned m = 0; m < MMU_NONE; m++)
        clear_local(&c->tlbs[m]);
    blocks_forget_local(c);
    if (c->translator == NULL)
        return;
    if (c->cr4 & CR4_PCIDE)
        c->translator->enter_space(c, c->cr3 & 0xfff, keep ? SPACE_KEPT : SPACE_INVALID);
    else
        c->translator->enter_space(c, c->cr3, SPACE_UNCERTAIN);
}

void tlb_flush_space(struct cpu *c, uint16_t pcid)
{
    if (c->translator != NULL)
        c->translator->forget_space(c, pcid);
}

static void entry_flush(struct tlb_entry *e, uint64_t la)
{
    uint64_t page = e->pa & TLB_DEVICE ? e->host : e->rd != TLB_MISS ? e->rd : e->wr;
    if (page != TLB_MISS && (page ^ la) >> TLB_SHIFT(e) == 0)
        entry_clear(e);
}

/* All 4 KiB pieces of a large page go at once (SDM 3A 4.10.4.1), wherever they are cached. */
void tlb_flush_page(struct cpu *c, uint64_t la)
{
    bool search = la >= c->large_first && la <= c->large_last;
    for (unsigned m = 0; m < MMU_NONE; m++) {
        struct tlb *t = &c->tlbs[m];
        entry_flush(&t->e[la >> 12 & (TLB_SIZE - 1)], la);
        for (unsigned k = 0; search && k < TLB_SIZE; k++)
            entry_flush(&t->e[k], la);
    }
    if (c->translator != NULL)
        c->translator->forget_page(c, la, search);
    blocks_forget_page(c, la);
}

void tlb_protect_code(struct cpu *c, uint64_t pa)
{
    for (unsigned m = 0; m < MMU_NONE; m++)
        for (unsigned k = 0; k < TLB_SIZE; k++)
            if ((c->tlbs[m].e[k].pa & PAGE_MASK) == (pa & PAGE_MASK))
                c->tlbs[m].e[k].wr = TLB_MISS;
    if (c->translator != NULL)
        c->translator->protect(c, pa & PAGE_MASK);
}

void cpu_end_direct_writes(struct cpu *c, const uint8_t *begin, const uint8_t *end)
{
    for (unsigned m = 0; m < MMU_NONE; m++) {
        for (unsigned k = 0; k < TLB_SIZE; k++) {
            struct tlb_entry *e = &c->tlbs[m].e[k];
            if (e->wr != TLB_MISS && e->host + e->wr - (uintptr_t)begin < (uint64_t)(end - begin))
                e->wr = TLB_MISS;
        }
    }
    if (c->translator != NULL)
        c->translator->end_writes(c, begin, end);
    c->run_end = NULL;
}

void cpu_flush_tlb(struct cpu *c)
{
    tlb_flush_all(c);
    c->run_end = NULL;
}

void cpu_set_a20(struct cpu *c, bool enabled)
{
    if (c->a20 == enabled)
        return;
    c->a20 = enabled;
    cpu_flush_tlb(c);
}

/* -- One page's part of an access -------------------------------------------------------------- */

/* How an access is made: rights and purpose, apart from its address. */
struct access_as {
    enum access how;
    bool user;
    bool smap_off;
    struct tlb *fill; /* translation cache to fill; NULL: none */
    uint64_t mask;    /* linear addresses wrap here */
};

/* A piece of an access that lies in one page. */
struct piece {
    uint64_t la, pa;
    uint8_t *host; /* NULL: through phys_read() and phys_write() */
    unsigned n;
    bool code; /* the page holds decoded code */
};

/* Pieces of the large page around la are cached from now on. */
static void note_large(struct cpu *c, uint64_t la, uint64_t offset_mask)
{
    if ((la & ~offset_mask) < c->large_first)
        c->large_first = la & ~offset_mask;
    if ((la | offset_mask) > c->large_last)
        c->large_last = la | offset_mask;
}

static struct filled_page describe(struct cpu *c, uint64_t page, const struct translation *tr,
                                   const uint8_t *host_rd, const uint8_t *host_wr)
{
    bool watched = debug_page_watched(c, page);
    bool rd = host_rd != NULL && tr->readable && !watched;
    bool wr = host_wr != NULL && tr->writable && !watched;
    bool code = wr && blocks_has_code(c, tr->pa);
    return (struct filled_page){.la = page,
                                .pa = tr->pa,
                                .rd = rd ? host_rd : NULL,
                                .wr = wr && !code ? host_wr : NULL,
                                .code = code ? host_wr : NULL,
                                .shift = tr->shift,
                                .global = tr->global,
                                .ahead = tr->ahead};
}

/* False: the translator, too, knew the page. */
static bool tlb_fill(struct cpu *c, struct tlb *t, uint64_t la, const struct translation *tr,
                     uint8_t *host_rd, uint8_t *host_wr)
{
    uint64_t page = la & PAGE_MASK;
    unsigned n = page >> 12 & (TLB_SIZE - 1);
    struct tlb_entry *e = &t->e[n];
    struct filled_page p = describe(c, page, tr, host_rd, host_wr);
    uint8_t *host = host_rd != NULL ? host_rd : host_wr;
    e->pa = tr->pa | (unsigned)tr->shift << 1 | (tr->global ? TLB_GLOBAL : 0);
    if (tr->shift > 12)
        note_large(c, page, (UINT64_C(1) << tr->shift) - 1);
    if (!tr->global)
        t->local[n / 64] |= UINT64_C(1) << n % 64;
    e->host = (uint64_t)(uintptr_t)host - page;
    e->rd = p.rd != NULL ? page : TLB_MISS;
    e->wr = p.wr != NULL ? page : TLB_MISS;
    if (host == NULL) {
        e->pa |= (tr->readable ? TLB_DEVICE_RD : 0) | (tr->writable ? TLB_DEVICE_WR : 0);
        e->host = page;
    }
    return c->translator != NULL && c->translator->filled(c, (unsigned)(t - c->tlbs), &p);
}

bool mem_peek(struct cpu *c, unsigned mmu, uint64_t la, struct filled_page *out)
{
    struct translation tr;
    if (!page_peek(c, la, ACCESS_READ, mmu == MMU_USER, mmu == MMU_KERNEL_AC, &tr))
        return false;
    *out = describe(c, la & PAGE_MASK, &tr, phys_page(c, tr.pa, false), phys_page(c, tr.pa, true));
    return true;
}

/* A miss costs translated code a signal, a walk is cheap: translate the pages around la, too, as a
 * processor may (SDM 3A 4.10.2.3). */
#define NEIGHBOURS 8
static void fill_neighbours(struct cpu *c, const struct access_as *as, uint64_t la,
                            const struct translation *found)
{
    uint64_t first = la & ~(UINT64_C(0x1000) * NEIGHBOURS - 1);
    const uint8_t *entries = page_entries(c, found, la, NEIGHBOURS);
    struct translation tr;

    for (unsigned k = 0; k < NEIGHBOURS; k++) {
        uint64_t at = first + k * UINT64_C(0x1000);
        if (at == (la & PAGE_MASK) ||
            (entries != NULL && !page_entry_is_used(entries + k * found->entry)))
            continue;
        if (page_peek(c, at, ACCESS_READ, as->user, as->smap_off, &tr))
            tlb_fill(c, as->fill, at, &tr, phys_page(c, tr.pa, false), phys_page(c, tr.pa, true));
    }
}

/* A rehearsal comes here with every access: is this page in the cache that such accesses fill? */
static bool rehearsal_hit(const struct cpu *c, const struct access_as *as, struct piece *p)
{
    uint64_t page = p->la & PAGE_MASK;
    const struct tlb_entry *e;

    if (c->rehearsal == NULL || c->rehearsal->walks || as->fill == NULL)
        return false;
    e = &as->fill->e[page >> 12 & (TLB_SIZE - 1)];
    if ((as->how == ACCESS_WRITE ? e->wr : e->rd) != page)
        return false;
    p->pa = (e->pa & PAGE_MASK) | (p->la & 0xfff);
    p->host = (uint8_t *)(uintptr_t)(e->host + p->la);
    return true;
}

/* Does the cache know the page as a device's? Translated code has nothing to learn of it then. */
static bool device_hit(const struct access_as *as, struct piece *p)
{
    uint64_t page = p->la & PAGE_MASK;
    const struct tlb_entry *e;

    if (as->fill == NULL)
        return false;
    e = &as->fill->e[page >> 12 & (TLB_SIZE - 1)];
    if (!(e->pa & (as->how == ACCESS_WRITE ? TLB_DEVICE_WR : TLB_DEVICE_RD)) || e->host != page)
        return false;
    p->pa = (e->pa & PAGE_MASK) | (p->la & 0xfff);
    return true;
}

static bool translate_piece(struct cpu *c, const struct access_as *as, struct piece *p)
{
    bool remembers = as->fill != NULL && (c->rehearsal == NULL || !c->rehearsal->walks);
    struct translation tr;
    if (rehearsal_hit(c, as, p) || device_hit(as, p))
        return true;
    if (!page_walk(c, p->la, as->how, as->user, as->smap_off, &tr))
        return false;
    uint8_t *rd = phys_page(c, tr.pa, false);
    uint8_t *wr = phys_page(c, tr.pa, true);
    if (remembers && tlb_fill(c, as->fill, p->la, &tr, rd, wr) && c->rehearsal == NULL)
        fill_neighbours(c, as, p->la, &tr);
    uint8_t *page = as->how == ACCESS_WRITE ? wr : rd;
    p->pa = tr.pa | (p->la & 0xfff);
    p->host = page != NULL ? page + (p->la & 0xfff) : NULL;
    p->code = as->how == ACCESS_WRITE && page != NULL && blocks_has_code(c, tr.pa);
    return true;
}

/* Translate all of [la, la + n), n <= 4096: one or two pieces; the count, or 0 on a fault. */
static unsigned translate(struct cpu *c, const struct access_as *as, uint64_t la, unsigned n,
                          struct piece out[2])
{
    unsigned first = 0x1000 - (unsigned)(la & 0xfff);
    out[0] = (struct piece){.la = la, .n = n <= first ? n : first};
    if (!translate_piece(c, as, &out[0]))
        return 0;
    if (n <= first)
        return 1;
    out[1] = (struct piece){.la = (la + first) & as->mask, .n = n - first};
    if (!translate_piece(c, as, &out[1]))
        return 0;
    return 2;
}

/* The largest power of two that is aligned at pa and at most n. */
static unsigned device_step(uint64_t pa, unsigned n)
{
    unsigned step = 8;
    while (step > n || (pa & (step - 1)) != 0)
        step /= 2;
    return step;
}

static void piece_read(struct cpu *c, const struct piece *p, uint8_t *dst)
{
    if (p->host != NULL) {
        memcpy(dst, p->host, p->n);
        return;
    }
    for (unsigned done = 0; done < p->n;) {
        unsigned step = device_step(p->pa + done, p->n - done);
        uint64_t v = phys_read(c, p->pa + done, step);
        memcpy(dst + done, &v, step);
        done += step;
    }
}

static void piece_write(struct cpu *c, const struct piece *p, const uint8_t *src)
{
    if (p->host != NULL) {
        memcpy(p->host, src, p->n);
        if (p->code && c->rehearsal == NULL)
            cpu_code_written(c, p->pa, p->n);
        return;
    }
    for (unsigned done = 0; done < p->n;) {
        unsigned step = device_step(p->pa + done, p->n - done);
        uint64_t v = 0;
        memcpy(&v, src + done, step);
        phys_write(c, p->pa + done, step, v);
        done += step;
    }
}

static bool is_undoable(struct cpu *c, struct rehearsal *r, const struct piece *p)
{
    return !(p->code && blocks_overlap(c, p->pa, p->n)) && r->write(r, p->host, p->n);
}

/* May this access be made, if it is part of a rehearsal? Writes are reported to it. */
static bool is_rehearsable(struct cpu *c, const struct piece *p, unsigned count, bool write)
{
    struct rehearsal *r = c->rehearsal;
    if (r == NULL)
        return true;
    for (unsigned k = 0; k < count && !r->refused; k++)
        r->refused = p[k].host == NULL || (write && !is_undoable(c, r, &p[k]));
    return !r->refused;
}

static bool read_linear(struct cpu *c, const struct access_as *as, uint64_t la, void *dst,
                        unsigned n)
{
    struct piece p[2];
    unsigned count = translate(c, as, la, n, p);
    if (count == 0 || !is_rehearsable(c, p, count, false))
        return false;
    piece_read(c, &p[0], dst);
    if (count == 2)
        piece_read(c, &p[1], (uint8_t *)dst + p[0].n);
    return true;
}

static bool write_linear(struct cpu *c, const struct access_as *as, uint64_t la, const void *src,
                         unsigned n)
{
    struct piece p[2];
    unsigned count = translate(c, as, la, n, p);
    if (count == 0 || !is_rehearsable(c, p, count, true))
        return false;
    piece_write(c, &p[0], src);
    if (count == 2)
        piece_write(c, &p[1], (const uint8_t *)src + p[0].n);
    return true;
}

/* -- Segmented accesses ------------------------------------------------------------------------ */

static struct access_as ordinary(struct cpu *c, enum access how)
{
    bool user = c->cpl == 3;
    struct tlb *fill = c->mmu == MMU_NONE ? NULL : &c->tlbs[c->mmu];
    return (struct access_as){how, user, !user && c->eflags & EFL_AC, fill, c->la_mask};
}

/* What data of so many bytes must be aligned to (SDM 3A table 6-7). Of 16 bytes nothing is asked
 * here, and larger state images are checked by their instructions. */
static unsigned alignment_of(unsigned n)
{
    switch (n) {
    case 6: return 4;  /* GDTR, IDTR */
    case 10: return 8; /* the x87's widest numbers */
    case 14:
    case 94: return 2; /* its environment and state, 16-bit */
    case 28:
    case 108: return 4;
    default: return n <= 8 ? n : 1;
    }
}

/* Alignment check (SDM 3A 6.15, interrupt 17). */
static bool is_misaligned(const struct cpu *c, uint64_t la, unsigned n)
{
    return c->mmu == MMU_NONE && (la & (alignment_of(n) - 1)) != 0;
}

/* Segment and canonical checks, then alignment: the linear address of an access. */
static bool linear_address(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, bool write,
                           uint64_t *la)
{
    if (!seg_check(c, sreg, off, n, write))
        return false;
    *la = (c->seg[sreg].base + off) & c->la_mask;
    if (c->mode & MODE_64 && (!is_canonical(*la) || !is_canonical(*la + n - 1)))
        return cpu_raise(c, sreg == SEG_SS ? VEC_SS : VEC_GP, 0);
    if (is_misaligned(c, *la, n))
        return cpu_raise(c, VEC_AC, 0);
    return true;
}

bool mem_read_bytes(struct cpu *c, unsigned sreg, uint64_t off, void *dst, unsigned n)
{
    uint64_t la;
    struct access_as as = ordinary(c, ACCESS_READ);
    if (!linear_address(c, sreg, off, n, false, &la) || !read_linear(c, &as, la, dst, n))
        return false;
    debug_data_access(c, la, n, false);
    return true;
}

bool mem_write_bytes(struct cpu *c, unsigned sreg, uint64_t off, const void *src, unsigned n)
{
    uint64_t la;
    struct access_as as = ordinary(c, ACCESS_WRITE);
    if (!linear_address(c, sreg, off, n, true, &la) || !write_linear(c, &as, la, src, n))
        return false;
    debug_data_access(c, la, n, true);
    return true;
}

bool mem_read_slow(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, uint64_t *val)
{
    uint64_t v = 0;
    if (!mem_read_bytes(c, sreg, off, &v, n))
        return false;
    *val = v;
    return true;
}

bool mem_write_slow(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, uint64_t val)
{
    return mem_write_bytes(c, sreg, off, &val, n);
}

bool rmw_begin_slow(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, uint64_t *val,
                    struct rmw *w)
{
    *w = (struct rmw){NULL, off, sreg};
    /* The read must be allowed too: an execute-only or write-only view does not exist for data, so
     * a segment that may be written may be read; paging reports the fault as a write. */
    if (!mem_probe(c, sreg, off, n, true))
        return false;
    return mem_read_slow(c, sreg, off, n, val);
}

bool mem_probe(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, bool write)
{
    uint64_t la;
    struct piece p[2];
    struct access_as as = ordinary(c, write ? ACCESS_WRITE : ACCESS_READ);
    return linear_address(c, sreg, off, n, write, &la) && translate(c, &as, la, n, p) != 0;
}

/* -- Linear accesses --------------------------------------------------------------------------- */

/* Descriptor tables, TSSs and handlers' stacks lie anywhere in 64 bits as soon as long mode is
 * active, also while compatibility code runs. */
static uint64_t system_mask(const struct cpu *c)
{
    return c->mode & MODE_LMA ? ~UINT64_C(0) : UINT64_C(0xffffffff);
}

/* Accesses made for the processor share the supervisor's translation cache. SMAP applies to
 * implicit ones whatever EFLAGS.AC says (SDM 3A 4.6.1). */
static struct access_as system_access(struct cpu *c, enum access how)
{
    return (struct access_as){how, false, false, &c->tlbs[MMU_KERNEL], system_mask(c)};
}

bool sys_read(struct cpu *c, uint64_t la, unsigned n, uint64_t *val)
{
    const struct tlb_entry *e = &c->tlbs[MMU_KERNEL].e[la >> 12 & (TLB_SIZE - 1)];
    uint64_t v = 0;
    if (e->rd == (la & PAGE_MASK) && (la & 0xfff) <= 0x1000 - n && c->rehearsal == NULL) {
        *val = host_load((const uint8_t *)(uintptr_t)(e->host + la), n);
        return true;
    }
    struct access_as as = system_access(c, ACCESS_READ);
    if (!read_linear(c, &as, la & as.mask, &v, n))
        return false;
    *val = v;
    return true;
}

bool sys_write(struct cpu *c, uint64_t la, unsigned n, uint64_t val)
{
    struct tlb_entry *e = &c->tlbs[MMU_KERNEL].e[la >> 12 & (TLB_SIZE - 1)];
    if (e->wr == (la & PAGE_MASK) && (la & 0xfff) <= 0x1000 - n && c->rehearsal == NULL) {
        host_store((uint8_t *)(uintptr_t)(e->host + la), n, val);
        return true;
    }
    struct access_as as = system_access(c, ACCESS_WRITE);
    return write_linear(c, &as, la & as.mask, &val, n);
}

bool sys_probe_write(struct cpu *c, uint64_t la, unsigned n)
{
    struct piece p[2];
    struct access_as as = system_access(c, ACCESS_WRITE);
    return translate(c, &as, la & as.mask, n, p) != 0;
}

bool lin_write_as(struct cpu *c, unsigned cpl, uint64_t la, unsigned n, uint64_t val)
{
    bool ac = c->eflags & EFL_AC;
    if (cpl != 3 && !ac)
        return sys_write(c, la, n, val);
    struct access_as as = {ACCESS_WRITE, cpl == 3, cpl != 3 && ac, NULL, system_mask(c)};
    return write_linear(c, &as, la & as.mask, &val, n);
}

bool mem_fetch_translate(struct cpu *c, uint64_t la, struct translation *out)
{
    /* Branches check their targets, but code may also run off the end of the lower half. */
    if (c->mode & MODE_64 && !is_canonical(la))
        return cpu_raise_gp(c, 0);
    return page_walk(c, la, ACCESS_FETCH, c->cpl == 3, false, out);
}
