/* SPDX-License-Identifier: MIT */
/* Decoded blocks: look-up, decoding, invalidation. See block.h for the invariants.
 *
 * Memory for blocks is a ring of regions. When the current one is full, or pages run out, the next
 * one is entered, and what is in it, the oldest blocks of all, is dropped.
 *
 * A page that held code and holds data now would be slow to write for good. So when some writes in
 * a row have touched no block, all blocks of the page are dropped, which frees it. Where they come
 * back soon, code and data do share the page: more writes have to miss the next time, and at last
 * no number is enough. */
#include "cpu/block.h"

#include <stdlib.h>

#include "cpu/mem.h"
#include "cpu/ops.h"
#include "cpu/translator.h"

#define ARENA_BYTES    (64u << 20) /* unless blocks_resize() says otherwise */
#define REGIONS        8u
#define HASH_SIZE      (1u << 18)
#define SLOT_COUNT     (1u << 13)
#define PAGE_HASH_SIZE (1u << 12)
#define PAGE_MAX       (1u << 14)
#define FETCH_SIZE     512 /* translations of code pages */
#define NOTED_BITS     65536
#define LINE_SHIFT     6 /* a code page's bytes are tracked in 64 lines of 64 */
#define MAX_INSN_LEN   15

#define MISSES        16 /* writes that touch no block, until the blocks of their page are dropped */
#define MAX_PATIENCE  6  /* times that this doubles */
#define SOON          2048 /* blocks decoded until a page is one like others again */
#define PATIENCE_SIZE 4096

/* Bits of c->mode that a slot depends on: decoding, and rights of fetching. */
#define DECODE_MODE (MODE_64 | MODE_CS32)
#define SLOT_MODE   (DECODE_MODE | MODE_USER)

struct slot {
    uint64_t la;
    uint32_t mode;
    uint32_t gen;
    bool global;
    struct block *block;
};

struct fetch_entry {
    uint64_t la; /* page */
    uint64_t pa;
    uint32_t gen;
    bool user, global;
};

struct code_page {
    uint16_t misses; /* writes since the last one that touched a block */
    uint64_t pa;
    uint64_t lines; /* bit n: some block has a byte in line n */
    struct block *blocks;
    struct code_page *next;
    uint32_t drop; /* number of the drop that it was looked at for */
};

struct block_cache {
    uint8_t *arena;
    size_t region_bytes;
    size_t used[REGIONS];
    unsigned region; /* where the next block goes */
    uint32_t drops;  /* of regions */
    uint32_t gen[2]; /* of translations that are local and global */
    /* Pages that translations were made for since, by a hash of the address; and where large ones
     * lie. */
    uint64_t noted[NOTED_BITS / 64];
    uint64_t large_first, large_last;
    bool found_global; /* the last look-up's page */
    struct slot slots[SLOT_COUNT];
    struct fetch_entry fetch[FETCH_SIZE];
    struct block *hash[HASH_SIZE];
    struct code_page *page_hash[PAGE_HASH_SIZE];
    struct code_page pages[PAGE_MAX];
    unsigned page_count; /* of `pages` used ever */
    unsigned pages_left;
    struct code_page *free_pages;
    struct block_stats stats;
    /* Pages whose blocks were dropped because writes missed them, by a hash of the address. */
    struct patience {
        uint8_t level;    /* drops that came to nothing */
        uint64_t decoded; /* blocks, when the last one was */
    } patience[PATIENCE_SIZE];
    /* An instruction that may not be cached: fetched from a device, at the CS limit, or with its
     * tail in front of it. */
    union {
        struct block block;
        uint8_t room[sizeof(struct block) + sizeof(struct insn)];
    } single;
};

struct block_cache *blocks_create(void)
{
    struct block_cache *bc = calloc(1, sizeof(*bc));
    if (bc == NULL)
        return NULL;
    bc->arena = malloc(ARENA_BYTES);
    if (bc->arena == NULL) {
        free(bc);
        return NULL;
    }
    bc->region_bytes = ARENA_BYTES / REGIONS;
    bc->pages_left = PAGE_MAX;
    bc->gen[0] = bc->gen[1] = 1;
    bc->large_first = UINT64_MAX;
    return bc;
}

void blocks_free(struct block_cache *bc)
{
    if (bc == NULL)
        return;
    free(bc->arena);
    free(bc);
}

bool blocks_resize(struct cpu *c, size_t bytes)
{
    struct block_cache *bc = c->blocks;
    uint8_t *arena = malloc(bytes);
    if (arena == NULL)
        return false;
    blocks_clear(c);
    free(bc->arena);
    bc->arena = arena;
    bc->region_bytes = bytes / REGIONS / sizeof(uint64_t) * sizeof(uint64_t);
    return true;
}

/* What was found by linear addresses is no longer good. */
static void new_generation(struct block_cache *bc, bool global_too)
{
    bc->gen[1] += global_too;
    if (++bc->gen[0] == 0 || bc->gen[1] == 0) {
        memset(bc->slots, 0, sizeof(bc->slots));
        memset(bc->fetch, 0, sizeof(bc->fetch));
        bc->gen[0] = bc->gen[1] = 1;
    }
}

void blocks_forget_local(struct cpu *c)
{
    new_generation(c->blocks, false);
}

void blocks_forget_translations(struct cpu *c, bool global_too)
{
    struct block_cache *bc = c->blocks;
    if (global_too) {
        memset(bc->noted, 0, sizeof(bc->noted));
        bc->large_first = UINT64_MAX;
        bc->large_last = 0;
    }
    new_generation(bc, global_too);
    if (c->translator != NULL)
        c->translator->code_moved(c, global_too);
}

static unsigned note_of(uint64_t la)
{
    return (unsigned)((la >> 12) * UINT64_C(0x9e3779b97f4a7c15) >> 32) % NOTED_BITS;
}

static void note_page(struct block_cache *bc, uint64_t la, unsigned shift)
{
    uint64_t offset = (UINT64_C(1) << shift) - 1;
    bc->noted[note_of(la) / 64] |= UINT64_C(1) << note_of(la) % 64;
    if (shift == 12)
        return;
    if ((la & ~offset) < bc->large_first)
        bc->large_first = la & ~offset;
    if ((la | offset) > bc->large_last)
        bc->large_last = la | offset;
}

void blocks_forget_page(struct cpu *c, uint64_t la)
{
    const struct block_cache *bc = c->blocks;
    if (bc->noted[note_of(la) / 64] >> note_of(la) % 64 & 1 ||
        (la >= bc->large_first && la <= bc->large_last))
        blocks_forget_translations(c, true);
}

bool block_is_global(const struct cpu *c)
{
    return c->blocks->found_global;
}

void blocks_clear(struct cpu *c)
{
    struct block_cache *bc = c->blocks;
    memset(bc->used, 0, sizeof(bc->used));
    bc->region = 0;
    bc->page_count = 0;
    bc->pages_left = PAGE_MAX;
    bc->free_pages = NULL;
    memset(bc->hash, 0, sizeof(bc->hash));
    memset(bc->page_hash, 0, sizeof(bc->page_hash));
    bc->stats.flushes++;
    c->run_end = NULL;
    if (c->translator != NULL)
        c->translator->blocks_cleared(c);
    blocks_forget_translations(c, true);
}

struct block_stats blocks_stats(const struct cpu *c)
{
    return c->blocks->stats;
}

/* -- Code pages -------------------------------------------------------------------------------- */

static struct code_page **page_bucket(struct block_cache *bc, uint64_t pa)
{
    return &bc->page_hash[pa >> 12 & (PAGE_HASH_SIZE - 1)];
}

static struct code_page *page_find(struct block_cache *bc, uint64_t pa)
{
    struct code_page *p = *page_bucket(bc, pa);
    while (p != NULL && p->pa != (pa & PAGE_MASK))
        p = p->next;
    return p;
}

bool blocks_has_code(const struct cpu *c, uint64_t pa)
{
    return page_find(c->blocks, pa) != NULL;
}

static struct patience *patience_of(struct block_cache *bc, uint64_t pa)
{
    return &bc->patience[pa >> 12 & (PATIENCE_SIZE - 1)];
}

static struct code_page *page_make(struct cpu *c, uint64_t pa)
{
    struct block_cache *bc = c->blocks;
    struct code_page *p = page_find(bc, pa);
    if (p != NULL)
        return p;
    bc->pages_left--;
    if (bc->free_pages != NULL) {
        p = bc->free_pages;
        bc->free_pages = p->next;
    } else {
        p = &bc->pages[bc->page_count++];
    }
    struct code_page **bucket = page_bucket(bc, pa);
    *p = (struct code_page){.pa = pa & PAGE_MASK, .next = *bucket};
    *bucket = p;
    if (bc->stats.decoded - patience_of(bc, pa)->decoded > SOON)
        patience_of(bc, pa)->level = 0;
    tlb_protect_code(c, pa);
    return p;
}

static void page_drop(struct block_cache *bc, struct code_page *p)
{
    struct code_page **link = page_bucket(bc, p->pa);
    while (*link != p)
        link = &(*link)->next;
    *link = p->next;
    p->next = bc->free_pages;
    bc->free_pages = p;
    bc->pages_left++;
}

/* The part of a block that lies on a page: offsets [*first, *last] there. */
static void block_extent(const struct block *b, uint64_t page, unsigned *first, unsigned *last)
{
    unsigned off = b->pa & 0xfff;
    unsigned end = off + b->len - 1;
    if ((b->pa & PAGE_MASK) == page) {
        *first = off;
        *last = end < 0xfff ? end : 0xfff;
    } else {
        *first = 0;
        *last = end - 0x1000;
    }
}

static uint64_t line_bits(unsigned first, unsigned last)
{
    unsigned a = first >> LINE_SHIFT, z = last >> LINE_SHIFT;
    return ~UINT64_C(0) << a & ~UINT64_C(0) >> (63 - z);
}

/* Which of a block's two page links belongs to this page. */
static struct block **page_link(struct block *b, uint64_t page)
{
    return &b->page_next[(b->pa & PAGE_MASK) == page ? 0 : 1];
}

/* A block's bytes are code. */
static void page_mark(struct cpu *c, struct code_page *p, const struct block *b)
{
    unsigned first, last;
    block_extent(b, p->pa, &first, &last);
    p->lines |= line_bits(first, last);
    if (c->translator != NULL)
        c->translator->code_added(c, p->pa, first, last);
}

static void page_add(struct cpu *c, struct code_page *p, struct block *b)
{
    page_mark(c, p, b);
    *page_link(b, p->pa) = p->blocks;
    p->blocks = b;
}

static void hash_remove(struct block_cache *bc, struct block *b);

/* Nothing finds the block any more. */
static void block_kill(struct cpu *c, struct block *b)
{
    b->dead = true;
    hash_remove(c->blocks, b);
    if (b->code != NULL)
        c->translator->block_killed(c, b);
}

/* Take dead blocks out of p's list and recompute its lines. */
static void page_sweep(struct cpu *c, struct code_page *p)
{
    struct block **link = &p->blocks;
    p->lines = 0;
    if (c->translator != NULL)
        c->translator->code_removed(c, p->pa);
    while (*link != NULL) {
        struct block *b = *link;
        if (b->dead) {
            *link = *page_link(b, p->pa);
            continue;
        }
        page_mark(c, p, b);
        link = page_link(b, p->pa);
    }
    if (p->blocks == NULL)
        page_drop(c->blocks, p);
}

/* Kill the blocks on p that overlap [first, last]. */
static void page_invalidate(struct cpu *c, struct code_page *p, unsigned first, unsigned last)
{
    for (struct block *b = p->blocks; b != NULL; b = *page_link(b, p->pa)) {
        unsigned bf, bl;
        block_extent(b, p->pa, &bf, &bl);
        if (!b->dead && bf <= last && first <= bl) {
            block_kill(c, b);
            c->blocks->stats.invalidated++;
        }
    }
    page_sweep(c, p);
}

static bool page_overlaps(const struct code_page *p, unsigned first, unsigned last)
{
    if (!(p->lines & line_bits(first, last)))
        return false;
    for (struct block *b = p->blocks; b != NULL; b = *page_link(b, p->pa)) {
        unsigned bf, bl;
        block_extent(b, p->pa, &bf, &bl);
        if (!b->dead && bf <= last && first <= bl)
            return true;
    }
    return false;
}

bool blocks_overlap(const struct cpu *c, uint64_t pa, unsigned n)
{
    const struct code_page *p = page_find(c->blocks, pa);
    return p != NULL && page_overlaps(p, pa & 0xfff, (pa & 0xfff) + n - 1);
}

/* A write to p has touched no block. True: p has been dropped. */
static bool page_missed(struct cpu *c, struct code_page *p)
{
    struct patience *t = patience_of(c->blocks, p->pa);

    if (t->level == MAX_PATIENCE || ++p->misses < MISSES << t->level)
        return false;
    t->level++;
    t->decoded = c->blocks->stats.decoded;
    page_invalidate(c, p, 0, 0xfff);
    return true;
}

void cpu_code_written(struct cpu *c, uint64_t pa, uint64_t n)
{
    c->monitoring = false;
    if (c->in_mwait)
        c->halted = c->in_mwait = false;
    while (n != 0) {
        unsigned off = pa & 0xfff;
        unsigned here = n < 0x1000 - off ? (unsigned)n : 0x1000 - off;
        struct code_page *p = page_find(c->blocks, pa);
        if (p != NULL) {
            c->blocks->stats.written++;
            c->blocks->stats.written_page = p->pa;
        }
        if (p != NULL && page_overlaps(p, off, off + here - 1)) {
            p->misses = 0;
            page_invalidate(c, p, off, off + here - 1);
            c->run_end = NULL;
        } else if (p != NULL && page_missed(c, p)) {
            c->run_end = NULL;
        }
        pa += here;
        n -= here;
    }
}

/* -- Blocks by physical address ---------------------------------------------------------------- */

/* A page's blocks have buckets near each other, in the order of their addresses. */
static struct block **hash_bucket(struct block_cache *bc, uint64_t pa, uint32_t mode)
{
    uint64_t h = ((pa >> 12) ^ (uint64_t)mode << 20) * UINT64_C(0x9e3779b97f4a7c15) >> 46;
    return &bc->hash[(h ^ (pa & 0xfff) >> 2) & (HASH_SIZE - 1)];
}

static void hash_remove(struct block_cache *bc, struct block *b)
{
    struct block **link = hash_bucket(bc, b->pa, b->mode);
    while (*link != b)
        link = &(*link)->hash_next;
    *link = b->hash_next;
}

static struct fetch_entry *fetch_entry(struct cpu *c, uint64_t la)
{
    return &c->blocks->fetch[la >> 12 & (FETCH_SIZE - 1)];
}

static bool fetch_hits(const struct cpu *c, const struct fetch_entry *e, uint64_t la)
{
    return e->la == (la & PAGE_MASK) && e->gen == c->blocks->gen[e->global] &&
           e->user == (c->cpl == 3);
}

static bool translate_code(struct cpu *c, uint64_t la, uint64_t *pa)
{
    struct block_cache *bc = c->blocks;
    struct fetch_entry *e = fetch_entry(c, la);
    bool user = c->cpl == 3;
    if (!fetch_hits(c, e, la)) {
        struct translation tr;
        if (!mem_fetch_translate(c, la, &tr))
            return false;
        note_page(bc, la, tr.shift);
        *e = (struct fetch_entry){la & PAGE_MASK, tr.pa, bc->gen[tr.global], user, tr.global};
    }
    *pa = e->pa | (la & 0xfff);
    bc->found_global = e->global;
    return true;
}

/* -- Decoding ---------------------------------------------------------------------------------- */

static bool raise_ud(struct cpu *c, const struct insn *i)
{
    (void)i;
    return cpu_raise_ud(c);
}

static bool raise_gp(struct cpu *c, const struct insn *i)
{
    (void)i;
    return cpu_raise_gp(c, 0);
}

/* Bytes that can't be decoded become an instruction that faults when it is reached. All of the n
 * that are there may have been looked at: a write to any of them may make an instruction of them.
 */
static struct insn faulting_insn(enum decode_status st, unsigned n)
{
    return (struct insn){.fn = st == DECODE_LONG ? raise_gp : raise_ud,
                         .len = (uint8_t)(n < MAX_INSN_LEN ? n : MAX_INSN_LEN)};
}

static void log_insn(struct cpu *c, uint64_t rip, const uint8_t *p, const struct insn *i)
{
    char text[INSN_TEXT];

    insn_text(c->mode, rip, p, i->len, text);
    cpu_log(c, LOG_IN_ASM, "%s", text);
}

/* Bytes of code from here to the end of the CS limit, at most `want`. */
static unsigned within_limit(const struct cpu *c, unsigned want)
{
    if (c->mode & MODE_64)
        return want;
    uint64_t rip = c->r[RIP], limit = c->seg[SEG_CS].limit;
    if (rip > limit)
        return 0;
    return limit - rip + 1 < want ? (unsigned)(limit - rip + 1) : want;
}

/* Copy up to n code bytes at la into buf, crossing into the next page if need be. The count may
 * stop short at the page's end where the next page faults; the fault is then recorded. */
static unsigned fetch_bytes(struct cpu *c, uint64_t la, uint64_t pa, uint8_t *buf, unsigned n,
                            uint64_t *pa2)
{
    unsigned done = 0;
    *pa2 = NO_PAGE;
    while (done < n) {
        if (done != 0 && ((la + done) & 0xfff) == 0) {
            if (!translate_code(c, (la + done) & c->la_mask, &pa))
                return done;
            *pa2 = pa & PAGE_MASK;
            pa -= done;
        }
        buf[done] = (uint8_t)phys_read(c, pa + done, 1);
        done++;
    }
    return done;
}

/* One instruction at la that the fast decoder could not take: it crosses a page, is at the CS
 * limit, or is not in RAM. *pa2 is the tail's page or NO_PAGE. False: fetch fault. */
static bool decode_slow(struct cpu *c, uint64_t la, uint64_t pa, struct insn *out, uint64_t *pa2)
{
    uint8_t buf[MAX_INSN_LEN];
    unsigned want = within_limit(c, sizeof(buf));
    unsigned in_page = 0x1000 - (unsigned)(la & 0xfff);
    uint64_t ignored;
    if (want == 0)
        return cpu_raise_gp(c, 0);
    unsigned first = want < in_page ? want : in_page;
    fetch_bytes(c, la, pa, buf, first, &ignored);
    *pa2 = NO_PAGE;
    unsigned n = first;
    enum decode_status st = decode(c, out, buf, n);
    if (st == DECODE_SHORT && want > first) {
        n = want;
        if (fetch_bytes(c, la, pa, buf, n, pa2) < n)
            return false;
        st = decode(c, out, buf, n);
    }
    if (st == DECODE_SHORT && want < sizeof(buf))
        return cpu_raise_gp(c, 0); /* runs over the limit */
    if (st != DECODE_OK)
        *out = faulting_insn(st == DECODE_SHORT ? DECODE_LONG : st, n);
    if ((la & 0xfff) + out->len <= 0x1000)
        *pa2 = NO_PAGE;
    if (c->log_items & LOG_IN_ASM)
        log_insn(c, c->r[RIP], buf, out);
    return true;
}

/* Decode from the page's bytes until the block ends. Returns the number of instructions; 0 where
 * the first one needs decode_slow(). */
static unsigned decode_run(struct cpu *c, const uint8_t *page, unsigned off, struct block *b)
{
    unsigned count = 0, pos = off, end = off + within_limit(c, 0x1000 - off);

    if (c->log_items & LOG_IN_ASM)
        cpu_log(c, LOG_IN_ASM, "IN: physical address %llx", (unsigned long long)b->pa);
    while (count < BLOCK_MAX_INSNS && pos < end) {
        struct insn *i = &b->insn[count];
        enum decode_status st = decode(c, i, page + pos, end - pos);
        if (st == DECODE_SHORT)
            break;
        if (st != DECODE_OK)
            *i = faulting_insn(st, end - pos);
        if (c->log_items & LOG_IN_ASM)
            log_insn(c, c->r[RIP] + pos - off, page + pos, i);
        pos += i->len;
        count++;
        if (st != DECODE_OK || optab[i->op].attr & ATTR_END)
            break;
    }
    b->len = (uint16_t)(pos - off);
    return count;
}

static size_t block_bytes(const struct block *b)
{
    return sizeof(*b) + b->count * sizeof(struct insn);
}

static void page_of_dropped(struct cpu *c, uint64_t pa)
{
    struct block_cache *bc = c->blocks;
    struct code_page *p = pa != NO_PAGE ? page_find(bc, pa) : NULL;
    if (p != NULL && p->drop != bc->drops) {
        p->drop = bc->drops;
        page_sweep(c, p);
    }
}

/* The block at an offset in the current region. */
static struct block *block_at(const struct block_cache *bc, size_t at)
{
    return (struct block *)(void *)(bc->arena + bc->region * bc->region_bytes + at);
}

/* Go on in the region that was entered longest ago. The dead leave the pages' lists before their
 * memory is used again; slots that mean them belong to the last generation. */
static void enter_next_region(struct cpu *c)
{
    struct block_cache *bc = c->blocks;
    struct block *b;

    bc->region = (bc->region + 1) % REGIONS;
    bc->drops++;
    for (size_t at = 0; at < bc->used[bc->region]; at += block_bytes(b)) {
        b = block_at(bc, at);
        if (!b->dead)
            block_kill(c, b);
        if (b->code != NULL)
            c->translator->block_dropped(c, b);
    }
    for (size_t at = 0; at < bc->used[bc->region]; at += block_bytes(b)) {
        b = block_at(bc, at);
        page_of_dropped(c, b->pa);
        page_of_dropped(c, b->pa2);
    }
    new_generation(bc, true);
    bc->stats.dropped += bc->used[bc->region] != 0;
    bc->used[bc->region] = 0;
}

/* Room for one more block of the greatest size and its pages. */
static struct block *arena_next(struct cpu *c)
{
    struct block_cache *bc = c->blocks;
    size_t need = sizeof(struct block) + BLOCK_MAX_INSNS * sizeof(struct insn);
    while (bc->used[bc->region] + need > bc->region_bytes || bc->pages_left < 2)
        enter_next_region(c);
    struct block *b = block_at(bc, bc->used[bc->region]);
    memset(b, 0, sizeof(*b));
    return b;
}

static struct block *block_single(struct cpu *c, uint64_t pa, const struct insn *i)
{
    struct block *b = &c->blocks->single.block;
    *b = (struct block){.pa = pa,
                        .pa2 = NO_PAGE,
                        .mode = c->mode & DECODE_MODE,
                        .len = i->len,
                        .count = 1,
                        .dead = true};
    b->insn[0] = *i;
    return b;
}

static struct block *block_commit(struct cpu *c, struct block *b)
{
    struct block_cache *bc = c->blocks;
    bc->used[bc->region] += block_bytes(b);
    bc->stats.decoded++;
    struct block **bucket = hash_bucket(bc, b->pa, b->mode);
    b->hash_next = *bucket;
    *bucket = b;
    page_add(c, page_make(c, b->pa), b);
    if (b->pa2 != NO_PAGE)
        page_add(c, page_make(c, b->pa2), b);
    return b;
}

static struct block *block_decode(struct cpu *c, uint64_t la, uint64_t pa)
{
    const uint8_t *page = phys_page(c, pa & PAGE_MASK, false);
    struct block *b = arena_next(c);
    b->pa = pa;
    b->pa2 = NO_PAGE;
    b->mode = c->mode & DECODE_MODE;
    if (page != NULL)
        b->count = (uint8_t)decode_run(c, page, pa & 0xfff, b);
    if (b->count == 0) {
        struct insn i;
        if (!decode_slow(c, la, pa, &i, &b->pa2))
            return NULL;
        /* From a device, or from the end of a page on to its beginning, of which it would be a
         * block twice. */
        if (page == NULL || b->pa2 == (pa & PAGE_MASK) ||
            (b->pa2 != NO_PAGE && phys_page(c, b->pa2, false) == NULL))
            return block_single(c, pa, &i);
        b->insn[0] = i;
        b->count = 1;
        b->len = i.len;
    }
    return block_commit(c, b);
}

/* -- Look-up ----------------------------------------------------------------------------------- */

static struct block *block_find(const struct cpu *c, uint64_t pa)
{
    uint32_t mode = c->mode & DECODE_MODE;
    struct block *b = *hash_bucket(c->blocks, pa, mode);
    while (b != NULL && (b->pa != pa || b->mode != mode))
        b = b->hash_next;
    return b;
}

static struct block *block_by_pa(struct cpu *c, uint64_t la, uint64_t pa)
{
    struct block *b = block_find(c, pa);
    if (b != NULL && b->pa2 != NO_PAGE) {
        /* The tail's page may be another one in this address space. */
        uint64_t pa2;
        if (!translate_code(c, ((la & PAGE_MASK) + 0x1000) & c->la_mask, &pa2))
            return NULL;
        if (pa2 != b->pa2) {
            struct insn i;
            if (!decode_slow(c, la, pa, &i, &pa2))
                return NULL;
            return block_single(c, pa, &i);
        }
    }
    return b != NULL ? b : block_decode(c, la, pa);
}

static bool runs_over_limit(const struct cpu *c, const struct block *b)
{
    return !(c->mode & MODE_64) && c->r[RIP] + b->len - 1 > c->seg[SEG_CS].limit;
}

static bool peek_code(struct cpu *c, uint64_t la, uint64_t *pa)
{
    const struct fetch_entry *e = fetch_entry(c, la);
    struct translation tr;
    if (fetch_hits(c, e, la)) {
        *pa = e->pa | (la & ~PAGE_MASK);
        return true;
    }
    if (!page_peek(c, la, ACCESS_FETCH, c->cpl == 3, false, &tr))
        return false;
    *pa = (tr.pa & PAGE_MASK) | (la & ~PAGE_MASK);
    return true;
}

struct block *block_peek(struct cpu *c)
{
    uint64_t la = (c->seg[SEG_CS].base + c->r[RIP]) & c->la_mask, pa;
    struct block *b = peek_code(c, la, &pa) ? block_find(c, pa) : NULL;
    return b != NULL && b->pa2 == NO_PAGE && !runs_over_limit(c, b) ? b : NULL;
}

struct block *block_lookup(struct cpu *c)
{
    struct block_cache *bc = c->blocks;
    uint64_t la = (c->seg[SEG_CS].base + c->r[RIP]) & c->la_mask;
    uint32_t mode = c->mode & SLOT_MODE;
    struct slot *s = &bc->slots[(la ^ la >> 13) & (SLOT_COUNT - 1)];
    if (s->la == la && s->gen == bc->gen[s->global] && s->mode == mode && !s->block->dead &&
        !runs_over_limit(c, s->block)) {
        bc->found_global = s->global;
        return s->block;
    }
    uint64_t pa;
    if (!translate_code(c, la, &pa))
        return NULL;
    bool global = bc->found_global;
    struct block *b = block_by_pa(c, la, pa);
    if (b == NULL)
        return NULL;
    bc->found_global = global = global && b->pa2 == NO_PAGE;
    if (runs_over_limit(c, b)) {
        struct insn i;
        uint64_t pa2;
        if (!decode_slow(c, la, pa, &i, &pa2))
            return NULL;
        return block_single(c, pa, &i);
    }
    *s = (struct slot){la, mode, bc->gen[global], global, b};
    return b;
}
