/* SPDX-License-Identifier: MIT */
/* Page walks: 2-level with PSE and PSE-36, PAE, 4-level (SDM 3A chapter 4). One walker for all
 * modes, driven by a description of the mode's levels. Entries are read and updated by physical
 * address; A and D bits are set only once the whole walk is known to allow the access. */
#include "cpu/isa.h"
#include "cpu/mem.h"
#include "cpu/rehearsal.h"

#define PTE_P    0x001u
#define PTE_W    0x002u
#define PTE_U    0x004u
#define PTE_A    0x020u
#define PTE_D    0x040u
#define PTE_PS   0x080u
#define PTE_G    0x100u
#define PTE_NX   (UINT64_C(1) << 63)
#define PTE_ADDR UINT64_C(0x000ffffffffff000)

#define PHYS_BITS  40
#define PHYS_RSVD  (PTE_ADDR & ~((UINT64_C(1) << PHYS_BITS) - 1))
#define MAX_LEVELS 4

/* One walk in progress. */
struct walk {
    uint64_t la;
    enum access how;
    bool user;
    bool smap_off;  /* EFLAGS.AC lets the supervisor touch user pages */
    bool peek;      /* look only: no fault, no A and D bits */
    unsigned entry; /* bytes per entry: 4 or 8 */
    uint64_t pte_pa[MAX_LEVELS], pte[MAX_LEVELS];
    unsigned depth;      /* entries read */
    unsigned page_shift; /* of the mapped page */
    uint64_t rights;     /* AND of W and U over the levels */
    bool nx;
};

static uint32_t fault_code(const struct cpu *c, const struct walk *w, uint32_t why)
{
    uint32_t err = why;
    if (w->how == ACCESS_WRITE)
        err |= PFERR_W;
    if (w->user)
        err |= PFERR_U;
    /* I/D is reported only where NX or SMEP is in use (SDM 3A 4.7). */
    if (w->how == ACCESS_FETCH && ((c->efer & EFER_NXE && c->cr4 & CR4_PAE) || c->cr4 & CR4_SMEP))
        err |= PFERR_I;
    return err;
}

static bool walk_fault(struct cpu *c, const struct walk *w, uint32_t why)
{
    return w->peek ? false : cpu_raise_pf(c, w->la, fault_code(c, w, why));
}

static uint64_t a20_mask(const struct cpu *c)
{
    return c->a20 ? ~UINT64_C(0) : ~(UINT64_C(1) << 20);
}

/* Bits that must be zero in an entry of the level that maps `shift` bits (leaf or table). */
static uint64_t reserved_bits(const struct cpu *c, const struct walk *w, unsigned shift, bool leaf)
{
    if (w->entry == 4) {
        /* PSE-36: bits 13-20 of a 4 MiB entry are address bits 32-39; 21 is reserved. */
        return leaf && shift == 22 ? UINT64_C(1) << 21 : 0;
    }
    uint64_t rsvd = PHYS_RSVD;
    if (!(c->efer & EFER_NXE))
        rsvd |= PTE_NX;
    if (!(c->mode & MODE_LMA))
        rsvd |= UINT64_C(0x7ff0000000000000);
    if (leaf && shift > 12)
        rsvd |= ((UINT64_C(1) << shift) - 1) & PTE_ADDR & ~UINT64_C(0x1000); /* bit 12 is PAT */
    return rsvd;
}

/* May an entry at this level map a page itself? */
static bool may_be_large(const struct cpu *c, const struct walk *w, unsigned shift)
{
    if (w->entry == 4)
        return shift == 22 && c->cr4 & CR4_PSE;
    return shift == 21 || (shift == 30 && c->mode & MODE_LMA && CPU_HAS(c, ISA_PDPE1GB));
}

/* Read one entry; true: it is good, *leaf tells whether it maps a page. */
static bool walk_level(struct cpu *c, struct walk *w, uint64_t table, unsigned shift, bool *leaf)
{
    unsigned index_bits = w->entry == 4 ? 10 : 9;
    uint64_t index = w->la >> shift & ((1u << index_bits) - 1);
    uint64_t pa = (table + index * w->entry) & a20_mask(c);
    if (w->peek && phys_page(c, pa & PAGE_MASK, false) == NULL)
        return false; /* reading a device may change it */
    uint64_t pte = phys_read(c, pa, w->entry);
    if (!(pte & PTE_P))
        return walk_fault(c, w, 0);
    *leaf = shift == 12 || (pte & PTE_PS && may_be_large(c, w, shift));
    uint64_t rsvd = reserved_bits(c, w, shift, *leaf);
    if (w->entry == 8 && !*leaf && pte & PTE_PS && shift >= 30)
        rsvd |= PTE_PS;
    if (pte & rsvd)
        return walk_fault(c, w, PFERR_P | PFERR_RSVD);
    w->pte_pa[w->depth] = pa;
    w->pte[w->depth] = pte;
    w->depth++;
    w->rights &= pte;
    if (w->entry == 8 && pte & PTE_NX)
        w->nx = true;
    w->page_shift = shift;
    return true;
}

static bool is_allowed(const struct cpu *c, const struct walk *w)
{
    bool page_user = w->rights & PTE_U;
    if (w->user && !page_user)
        return false;
    if (w->how == ACCESS_FETCH)
        return !w->nx && (w->user || !page_user || !(c->cr4 & CR4_SMEP));
    if (!w->user && page_user && c->cr4 & CR4_SMAP && !w->smap_off)
        return false;
    if (w->how == ACCESS_READ)
        return true;
    return w->rights & PTE_W || (!w->user && !(c->cr0 & CR0_WP));
}

/* Protection keys of data accesses: PKRU for user pages, IA32_PKRS for the others (SDM 3A 4.6.2).
 */
static bool is_allowed_by_key(const struct cpu *c, const struct walk *w)
{
    bool page_user = w->rights & PTE_U;
    if (!(c->cr4 & (page_user ? CR4_PKE : CR4_PKS)) || !(c->mode & MODE_LMA) ||
        w->how == ACCESS_FETCH)
        return true;
    unsigned key = w->pte[w->depth - 1] >> 59 & 15;
    uint32_t bits = (page_user ? c->pkru : (uint32_t)c->msr.pkrs) >> (2 * key) & 3;
    if (bits & 1)
        return false;
    return !(bits & 2) || w->how != ACCESS_WRITE || (!w->user && !(c->cr0 & CR0_WP));
}

/* The entry at pa is to change: have it undone later, and the translation dropped. */
static bool rehearse_update(struct cpu *c, const struct walk *w, uint64_t pa)
{
    struct rehearsal *r = c->rehearsal;
    uint8_t *page = phys_page(c, pa, true);
    if (page == NULL || r->nwalked == REHEARSAL_WALKS ||
        !r->write(r, page + (pa & 0xfff), w->entry)) {
        r->refused = true;
        return false;
    }
    r->walked[r->nwalked++] = w->la;
    return true;
}

static bool is_accessed(const struct walk *w)
{
    for (unsigned k = 0; k < w->depth; k++)
        if (!(w->pte[k] & PTE_A))
            return false;
    return true;
}

static void set_accessed_dirty(struct cpu *c, struct walk *w)
{
    for (unsigned k = 0; k < w->depth; k++) {
        uint64_t want = PTE_A;
        if (k + 1 == w->depth && w->how == ACCESS_WRITE)
            want |= PTE_D;
        if ((w->pte[k] & want) != want) {
            if (c->rehearsal != NULL && !rehearse_update(c, w, w->pte_pa[k]))
                return;
            w->pte[k] |= want;
            phys_write(c, w->pte_pa[k], w->entry, w->pte[k]);
            cpu_code_written(c, w->pte_pa[k], w->entry);
        }
    }
}

static uint64_t leaf_address(const struct walk *w)
{
    uint64_t pte = w->pte[w->depth - 1];
    uint64_t offset = w->la & ((UINT64_C(1) << w->page_shift) - 1);
    if (w->entry == 4 && w->page_shift == 22)
        return (pte & 0xffc00000u) | (pte >> 13 & 0xff) << 32 | offset;
    uint64_t addr = w->entry == 4 ? pte & 0xfffff000u : pte & PTE_ADDR;
    return (addr & ~((UINT64_C(1) << w->page_shift) - 1)) | offset;
}

/* Check rights, set A and D, and describe the page. */
static bool walk_finish(struct cpu *c, struct walk *w, struct translation *out)
{
    /* PK tells what the key says, whether or not the other rights allow the access (SDM 3A 4.7). */
    bool key_allows = is_allowed_by_key(c, w);
    if (!key_allows || !is_allowed(c, w))
        return walk_fault(c, w, PFERR_P | (key_allows ? 0 : PFERR_PK));
    if (w->peek && !is_accessed(w))
        return false;
    if (!w->peek && (c->rehearsal == NULL || !c->rehearsal->walks))
        set_accessed_dirty(c, w);
    uint64_t pte = w->pte[w->depth - 1];
    struct walk probe = *w;
    probe.how = ACCESS_WRITE;
    out->writable = pte & PTE_D && is_allowed(c, &probe) && is_allowed_by_key(c, &probe);
    probe.how = ACCESS_READ;
    out->readable = is_allowed(c, &probe) && is_allowed_by_key(c, &probe);
    out->ahead = false;
    out->pa = leaf_address(w) & PAGE_MASK & a20_mask(c);
    out->global = pte & PTE_G && c->cr4 & CR4_PGE;
    out->shift = (uint8_t)w->page_shift;
    out->entry = w->page_shift == 12 ? (uint8_t)w->entry : 0;
    out->entry_pa = w->pte_pa[w->depth - 1];
    return true;
}

static bool walk_tables(struct cpu *c, struct walk *w, uint64_t table, unsigned shift,
                        struct translation *out)
{
    unsigned step = w->entry == 4 ? 10 : 9;
    for (;;) {
        bool leaf = false;
        if (!walk_level(c, w, table, shift, &leaf))
            return false;
        if (leaf)
            return walk_finish(c, w, out);
        table =
            w->entry == 4 ? w->pte[w->depth - 1] & 0xfffff000u : w->pte[w->depth - 1] & PTE_ADDR;
        shift -= step;
    }
}

static bool walk(struct cpu *c, struct walk *w, struct translation *out)
{
    w->rights = ~UINT64_C(0);
    if (!(c->cr0 & CR0_PG)) {
        *out = (struct translation){
            .pa = w->la & PAGE_MASK & a20_mask(c), .writable = true, .readable = true, .shift = 12};
        return true;
    }
    w->entry = 8;
    if (c->mode & MODE_LMA)
        return walk_tables(c, w, c->cr3 & PTE_ADDR, 39, out);
    if (c->cr4 & CR4_PAE) {
        uint64_t pdpte = c->pdpte[w->la >> 30 & 3];
        if (!(pdpte & PTE_P))
            return walk_fault(c, w, 0);
        return walk_tables(c, w, pdpte & PTE_ADDR, 21, out);
    }
    w->entry = 4;
    return walk_tables(c, w, c->cr3 & 0xfffff000u, 22, out);
}

bool page_walk(struct cpu *c, uint64_t la, enum access how, bool user, bool smap_off,
               struct translation *out)
{
    struct walk w = {.la = la, .how = how, .user = user, .smap_off = smap_off};
    return walk(c, &w, out);
}

bool page_peek(struct cpu *c, uint64_t la, enum access how, bool user, bool smap_off,
               struct translation *out)
{
    struct walk w = {.la = la, .how = how, .user = user, .smap_off = smap_off, .peek = true};
    bool found = walk(c, &w, out);
    out->ahead = true;
    return found;
}

const uint8_t *page_entries(struct cpu *c, const struct translation *tr, uint64_t la, unsigned n)
{
    uint64_t first = tr->entry_pa - (la >> 12 & (n - 1)) * tr->entry;
    const uint8_t *page;
    if (tr->entry == 0 || (page = phys_page(c, first & PAGE_MASK, false)) == NULL)
        return NULL;
    return page + (first & ~PAGE_MASK);
}

bool page_entry_is_used(const uint8_t *entry)
{
    return (*entry & (PTE_P | PTE_A)) == (PTE_P | PTE_A);
}

bool paging_load_pdptes(struct cpu *c, uint64_t cr3)
{
    uint64_t loaded[4];
    for (unsigned k = 0; k < 4; k++) {
        loaded[k] = phys_read(c, ((cr3 & 0xffffffe0u) + k * 8) & a20_mask(c), 8);
        /* Reserved: 1-2, 5-8, and above the physical address width (SDM 3A 4.4.1). */
        if (loaded[k] & PTE_P && loaded[k] & (UINT64_C(0x1e6) | PHYS_RSVD | ~(PTE_ADDR | 0xfff)))
            return cpu_raise_gp(c, 0);
    }
    for (unsigned k = 0; k < 4; k++)
        c->pdpte[k] = loaded[k];
    return true;
}
