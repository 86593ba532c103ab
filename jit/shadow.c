/* SPDX-License-Identifier: MIT */
/* Filling and forgetting (see shadow.h). */
#include "jit/shadow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CTX_BYTES (JUMP_OFFSET + JUMP_CACHES * JUMP_CACHE_BYTES)
/* In front of them: constants. */
#define FRONT_BYTES 4096u

/* A table becomes accessible in chunks. */
#define CHUNK_BITS    11 /* entries */
#define CHUNK_ENTRIES (UINT64_C(1) << CHUNK_BITS)
#define CHUNKS        (SHADOW_ENTRIES >> CHUNK_BITS)
/* At a time: of the context that all spaces share, and of each other. */
#define MAX_SHARED_CHUNKS 1024u
#define MAX_CHUNKS        256u

#define LIST_FIRST 1024u
#define JUMPS_MAX  32767u

/* What is worth looking at when an address space comes back. */
#define CHECK_MAX  1024u
#define PLACES_MAX 64u

/* An entry is forgotten as often as it is listed, and must not come around to its own index. */
_Static_assert(2 * JUMPS_MAX < 1u << JUMP_BITS, "lists of jumps are too long");

/* log2 of the size of the guest's page. */
#define LISTED_SHIFT(listed) ((listed)&63)

/* Linear pages, each with its LISTED_SHIFT in bits 0-11. */
struct page_list {
    uint64_t *page;
    unsigned count, room;
};

struct shadow_ctx {
    uint64_t *table; /* CTX_BYTES: enum shadow_table, jump caches; FRONT_BYTES before it */
    const struct view *view;
    uint8_t ready[CHUNKS];
    unsigned nready, max_ready;
    struct page_list pages[2];              /* local and global */
    struct jump_entry *jumps[2][JUMPS_MAX]; /* local and global */
    unsigned njumps[2];
    /* Pages that the local jumps lead to; more than there is room for: unknown ones. */
    struct code_place {
        uint64_t la, pa;
    } place[PLACES_MAX];
    unsigned nplaces;
};

static uint64_t index_of(uint64_t la)
{
    return la >> 12 & (SHADOW_ENTRIES - 1);
}

static uint64_t *entry_at(const struct shadow_ctx *x, enum shadow_table table, uint64_t index)
{
    return x->table + table * SHADOW_ENTRIES + index;
}

/* The same in all tables. */
static void entries_set(const struct shadow_ctx *x, uint64_t index, uint64_t v)
{
    for (unsigned t = 0; t < SHADOW_TABLES; t++)
        *entry_at(x, t, index) = v;
}

/* -- Life -------------------------------------------------------------------------------------- */

static struct jump_entry *jump_cache(const struct shadow_ctx *x, unsigned cache)
{
    return (struct jump_entry *)(void *)((uint8_t *)x->table + JUMP_OFFSET +
                                         cache * JUMP_CACHE_BYTES);
}

/* All zeroes would mean address 0. */
static void reserve_first(const struct shadow_ctx *x, const uint8_t *stop)
{
    for (unsigned k = 0; k < JUMP_CACHES; k++)
        jump_cache(x, k)[0] = (struct jump_entry){1, (uint64_t)(uintptr_t)stop};
}

/* The memory of a context, or NULL. */
static uint64_t *map_tables(void)
{
    uint8_t *p = mmap(NULL, FRONT_BYTES + CTX_BYTES, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint64_t *table = (uint64_t *)(void *)(p + FRONT_BYTES);

    if (p == MAP_FAILED)
        return NULL;
    if (mprotect(p, FRONT_BYTES, PROT_READ | PROT_WRITE) < 0 ||
        mprotect(p + FRONT_BYTES + JUMP_OFFSET, CTX_BYTES - JUMP_OFFSET, PROT_READ | PROT_WRITE) <
            0) {
        munmap(p, FRONT_BYTES + CTX_BYTES);
        return NULL;
    }
    table[SHADOW_INDEX_MASK] = (SHADOW_ENTRIES - 1) << 12;
    mprotect(p, FRONT_BYTES, PROT_READ);
    return table;
}

static struct shadow_ctx *ctx_create(const struct view *v)
{
    struct shadow_ctx *x = calloc(1, sizeof(*x));

    if (x == NULL)
        return NULL;
    x->table = map_tables();
    x->view = v;
    if (x->table == NULL) {
        free(x);
        return NULL;
    }
    return x;
}

static bool add_context(struct shadow *s, struct shadow_ctx **out)
{
    *out = ctx_create(&s->view);
    if (*out == NULL)
        return false;
    reserve_first(*out, s->stop);
    (*out)->max_ready = s->nctxs == 0 ? MAX_SHARED_CHUNKS : MAX_CHUNKS;
    s->all[s->nctxs++] = *out;
    return true;
}

static void choose_space(struct shadow *s, unsigned n)
{
    s->current = n;
    s->space[n].entered = ++s->entered;
    s->ctx[MMU_KERNEL_AC] = s->space[n].ctx[0];
    s->ctx[MMU_USER] = s->space[n].ctx[1];
}

/* One more space, as long as there is memory. */
static bool add_space(struct shadow *s)
{
    struct space *p = &s->space[s->nspaces];

    if (s->nspaces == SPACES || s->nctxs + SPACE_CTX > SHADOW_CTXS || !add_context(s, &p->ctx[0]) ||
        !add_context(s, &p->ctx[1]))
        return false;
    s->nspaces++;
    return true;
}

int shadow_create(struct shadow *s)
{
    *s = (struct shadow){.view.uffd = -1};
    if (!add_context(s, &s->ctx[MMU_KERNEL]) || !add_space(s))
        return -ENOMEM;
    choose_space(s, 0);
    return 0;
}

int shadow_open(struct shadow *s, const struct jit_ram *ram, enum jit_checks checks, char *err)
{
    return view_create(&s->view, ram, checks, err);
}

void shadow_free(struct shadow *s)
{
    for (unsigned n = 0; n < s->nctxs; n++) {
        munmap((uint8_t *)s->all[n]->table - FRONT_BYTES, FRONT_BYTES + CTX_BYTES);
        free(s->all[n]->pages[0].page);
        free(s->all[n]->pages[1].page);
        free(s->all[n]);
    }
    free(s->closed.entry);
    view_free(&s->view);
}

uint64_t *shadow_table(const struct shadow *s, unsigned mmu)
{
    return s->ctx[mmu]->table;
}

/* -- Entries ----------------------------------------------------------------------------------- */

/* One entry tells of all: tables and contexts lie so that theirs compete for places in the host's
 * caches. */
static void entry_poison(struct shadow_ctx *x, uint64_t la)
{
    uint64_t index = index_of(la), poison = view_poison(x->view, index);
    if (x->ready[index >> CHUNK_BITS] && *entry_at(x, TABLE_READ, index) != poison)
        entries_set(x, index, poison);
}

uint64_t shadow_entry(const struct shadow *s, unsigned mmu, uint64_t la, enum shadow_table table)
{
    const struct shadow_ctx *x = s->ctx[mmu];
    uint64_t index = index_of(la);

    if (!x->ready[index >> CHUNK_BITS])
        return view_poison(&s->view, index);
    return *entry_at(x, table, index);
}

static void list_forget(struct shadow_ctx *x, struct page_list *list)
{
    for (unsigned k = 0; k < list->count; k++)
        entry_poison(x, list->page[k]);
    list->count = 0;
}

static void ctx_forget(struct shadow_ctx *x, bool global_too)
{
    list_forget(x, &x->pages[0]);
    if (global_too)
        list_forget(x, &x->pages[1]);
}

/* Give all chunks back: the guest has touched more of its address space than the tables should
 * hold. */
static void ctx_drop_chunks(struct shadow_ctx *x)
{
    x->pages[0].count = x->pages[1].count = x->nready = 0;
    memset(x->ready, 0, sizeof(x->ready));
    madvise(x->table, JUMP_OFFSET, MADV_DONTNEED);
    mprotect(x->table, JUMP_OFFSET, PROT_NONE);
}

static bool chunk_make_ready(struct shadow_ctx *x, uint64_t chunk)
{
    uint64_t first = chunk << CHUNK_BITS;

    if (x->nready == x->max_ready)
        ctx_drop_chunks(x);
    for (unsigned t = 0; t < SHADOW_TABLES; t++)
        if (mprotect(entry_at(x, t, first), CHUNK_ENTRIES * 8, PROT_READ | PROT_WRITE) < 0)
            return false;
    for (uint64_t k = first; k < first + CHUNK_ENTRIES; k++)
        entries_set(x, k, view_poison(x->view, k));
    x->ready[chunk] = 1;
    x->nready++;
    return true;
}

static bool list_grow(struct page_list *list)
{
    unsigned room = list->room == 0 ? LIST_FIRST : 2 * list->room;
    uint64_t *page = realloc(list->page, room * sizeof(*page));

    if (page == NULL)
        return false;
    list->page = page;
    list->room = room;
    return true;
}

static int by_page(const void *a, const void *b)
{
    uint64_t m = *(const uint64_t *)a, n = *(const uint64_t *)b;
    return m < n ? -1 : m > n;
}

/* Does the entry mean this page? */
static bool is_filled(const struct shadow_ctx *x, uint64_t listed)
{
    uint64_t la = listed & ~UINT64_C(0xfff);
    return *entry_at(x, TABLE_READ, index_of(la)) + la - (uintptr_t)x->view->base <
           x->view->ram_bytes;
}

/* Keep what there is an entry for, once: walks of lists shall not get longer by pages that the
 * guest invalidates, or writes to while somebody watches, again and again. */
static void list_tidy(const struct shadow_ctx *x, struct page_list *list)
{
    unsigned kept = 0;

    qsort(list->page, list->count, sizeof(*list->page), by_page);
    for (unsigned k = 0; k < list->count; k++)
        if (is_filled(x, list->page[k]) && (kept == 0 || list->page[kept - 1] != list->page[k]))
            list->page[kept++] = list->page[k];
    list->count = kept;
}

/* It does not grow without end: what is left of a list is bounded by the entries of the chunks. */
static bool list_make_room(const struct shadow_ctx *x, struct page_list *list)
{
    if (list->count < list->room)
        return true;
    if (list->count != 0)
        list_tidy(x, list);
    return list->count < list->room / 2 || list_grow(list) || list->count < list->room;
}

/* False: there is no memory for a list at all. */
static bool list_add(struct shadow_ctx *x, uint64_t listed, bool global)
{
    struct page_list *list = &x->pages[global];

    if (!list_make_room(x, list))
        ctx_forget(x, true);
    if (list->room == 0)
        return false;
    list->page[list->count++] = listed;
    return true;
}

/* A page that nothing has accessed yet would fault in the view: it waits for its first access,
 * which is made elsewhere. */
static bool may_be_filled(struct shadow *s, const struct filled_page *p)
{
    const uint8_t *host = p->rd != NULL ? p->rd : p->wr;
    if (host == NULL)
        return true;
    uint8_t *touched = &s->view.touched[(uint64_t)(host - s->view.ram_host) / JIT_RAM_STRIDE];
    if (!p->ahead)
        *touched = 1;
    return *touched;
}

void shadow_fill(struct shadow *s, unsigned mmu, const struct filled_page *p)
{
    struct shadow_ctx *x = s->ctx[mmu];
    uint64_t index = index_of(p->la), poison = view_poison(&s->view, index);
    bool readable = p->rd != NULL;
    uint64_t r = readable ? view_of(&s->view, p->rd) - p->la : poison;
    uint64_t w = readable && p->wr != NULL ? view_of(&s->view, p->wr) - p->la : poison;
    uint64_t beside = readable && p->code != NULL ? view_of(&s->view, p->code) - p->la : w;

    if (!may_be_filled(s, p) ||
        (!x->ready[index >> CHUNK_BITS] && !chunk_make_ready(x, index >> CHUNK_BITS)))
        return;
    if (*entry_at(x, TABLE_READ, index) == r && *entry_at(x, TABLE_WRITE, index) == w &&
        *entry_at(x, TABLE_BESIDE, index) == beside)
        return;
    if (!list_add(x, p->la | p->shift, p->global))
        return;
    s->fills++;
    *entry_at(x, TABLE_READ, index) = r;
    *entry_at(x, TABLE_WRITE, index) = w;
    *entry_at(x, TABLE_BESIDE, index) = beside;
}

void shadow_forget(struct shadow *s, bool global_too)
{
    for (unsigned n = 0; n < s->nctxs; n++)
        ctx_forget(s->all[n], global_too);
    /* What made translations invalid may have changed the meaning of tags. */
    for (unsigned n = 0; global_too && n < s->nspaces; n++)
        s->space[n].known = false;
}

static void list_forget_large(struct shadow_ctx *x, const struct page_list *list, uint64_t la)
{
    for (unsigned k = 0; k < list->count; k++)
        if ((list->page[k] ^ la) >> LISTED_SHIFT(list->page[k]) == 0)
            entry_poison(x, list->page[k]);
}

void shadow_forget_page(struct shadow *s, uint64_t la, bool maybe_large)
{
    for (unsigned n = 0; n < s->nctxs; n++) {
        struct shadow_ctx *x = s->all[n];
        entry_poison(x, la);
        if (maybe_large) {
            list_forget_large(x, &x->pages[0], la);
            list_forget_large(x, &x->pages[1], la);
        }
    }
}

static void list_protect(struct shadow_ctx *x, const struct page_list *list, uint64_t view)
{
    for (unsigned k = 0; k < list->count; k++) {
        uint64_t page = list->page[k] & ~UINT64_C(0xfff), index = index_of(page);
        if (*entry_at(x, TABLE_WRITE, index) + page == view)
            *entry_at(x, TABLE_WRITE, index) = view_poison(x->view, index);
    }
}

void shadow_protect(struct shadow *s, const uint8_t *host)
{
    uint64_t view = view_of(&s->view, host);
    for (unsigned n = 0; n < s->nctxs; n++) {
        list_protect(s->all[n], &s->all[n]->pages[0], view);
        list_protect(s->all[n], &s->all[n]->pages[1], view);
    }
}

static void list_end_writes(struct shadow_ctx *x, const struct page_list *list, uint64_t view,
                            uint64_t bytes)
{
    for (unsigned k = 0; k < list->count; k++) {
        uint64_t page = list->page[k] & ~UINT64_C(0xfff), index = index_of(page);
        for (unsigned t = TABLE_WRITE; t <= TABLE_BESIDE; t++)
            if (*entry_at(x, t, index) + page - view < bytes)
                *entry_at(x, t, index) = view_poison(x->view, index);
    }
}

void shadow_end_writes(struct shadow *s, const uint8_t *begin, const uint8_t *end)
{
    uint64_t view = view_of(&s->view, begin);
    for (unsigned n = 0; n < s->nctxs; n++) {
        list_end_writes(s->all[n], &s->all[n]->pages[0], view, (uint64_t)(end - begin));
        list_end_writes(s->all[n], &s->all[n]->pages[1], view, (uint64_t)(end - begin));
    }
}

/* -- Closing for a while ----------------------------------------------------------------------- */

/* `view` may be another address that has the same entry. */
static bool is_among(const struct shadow *s, uint64_t view, uint8_t *const pages[], unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        if (((view_of(&s->view, pages[k]) ^ view) & ((SHADOW_ENTRIES << 12) - 1)) == 0)
            return true;
    return false;
}

/* False: there is no memory to remember it. */
static bool close_entry(struct shadow_closed *c, uint64_t index, uint64_t poison)
{
    uint64_t *write = entry_at(c->ctx, TABLE_WRITE, index);
    uint64_t *beside = entry_at(c->ctx, TABLE_BESIDE, index);

    if (c->count == c->room) {
        unsigned room = c->room == 0 ? LIST_FIRST : 2 * c->room;
        struct closed_entry *entry = realloc(c->entry, room * sizeof(*entry));
        if (entry == NULL)
            return false;
        c->entry = entry;
        c->room = room;
    }
    c->entry[c->count++] = (struct closed_entry){index, *write, *beside};
    *write = *beside = poison;
    return true;
}

void shadow_close(struct shadow *s, unsigned mmu, uint8_t *const pages[], unsigned n)
{
    struct shadow_closed *c = &s->closed;

    c->ctx = s->ctx[mmu];
    for (unsigned global = 0; global < 2; global++) {
        const struct page_list *list = &c->ctx->pages[global];
        for (unsigned k = 0; k < list->count; k++) {
            uint64_t la = list->page[k] & ~UINT64_C(0xfff), index = index_of(la);
            uint64_t poison = view_poison(&s->view, index);
            uint64_t beside = *entry_at(c->ctx, TABLE_BESIDE, index);
            if (beside != poison && !is_among(s, beside + la, pages, n) &&
                !close_entry(c, index, poison))
                return;
        }
    }
}

void shadow_reopen(struct shadow *s)
{
    struct shadow_closed *c = &s->closed;

    for (unsigned k = 0; k < c->count; k++) {
        *entry_at(c->ctx, TABLE_WRITE, c->entry[k].index) = c->entry[k].write;
        *entry_at(c->ctx, TABLE_BESIDE, c->entry[k].index) = c->entry[k].beside;
    }
    c->count = 0;
}

/* -- Jump caches ------------------------------------------------------------------------------- */

static void ctx_jumps_forget(struct shadow_ctx *x, bool global)
{
    for (unsigned k = 0; k < x->njumps[global]; k++)
        x->jumps[global][k]->minus_la++; /* an address that belongs to the neighbouring entry */
    x->njumps[global] = 0;
    if (!global)
        x->nplaces = 0;
}

void jumps_forget(struct shadow *s, bool global_too)
{
    for (unsigned n = 0; n < s->nctxs; n++) {
        ctx_jumps_forget(s->all[n], false);
        if (global_too)
            ctx_jumps_forget(s->all[n], true);
    }
}

static void list_forget_code(struct jump_entry **list, unsigned *count, uint64_t begin,
                             uint64_t end)
{
    unsigned kept = 0;

    for (unsigned k = 0; k < *count; k++)
        if (list[k]->code >= begin && list[k]->code < end)
            list[k]->minus_la++;
        else
            list[kept++] = list[k];
    *count = kept;
}

void jumps_forget_code(struct shadow *s, const uint8_t *begin, const uint8_t *end)
{
    for (unsigned n = 0; n < s->nctxs; n++)
        for (unsigned global = 0; global < 2; global++)
            list_forget_code(s->all[n]->jumps[global], &s->all[n]->njumps[global], (uintptr_t)begin,
                             (uintptr_t)end);
}

static struct jump_entry *jump_entry(const struct shadow_ctx *x, unsigned cache, uint64_t la)
{
    return &jump_cache(x, cache)[la & ((1u << JUMP_BITS) - 1)];
}

const uint8_t *jump_find(const struct shadow *s, unsigned mmu, unsigned cache, uint64_t la)
{
    const struct jump_entry *e = jump_entry(s->ctx[mmu], cache, la);
    return e->minus_la == -la ? (const uint8_t *)(uintptr_t)e->code : NULL;
}

static void note_place(struct shadow_ctx *x, uint64_t la, uint64_t pa)
{
    la &= ~UINT64_C(0xfff);
    pa &= ~UINT64_C(0xfff);
    for (unsigned k = 0; k < x->nplaces && k < PLACES_MAX; k++)
        if (x->place[k].la == la && x->place[k].pa == pa)
            return;
    if (x->nplaces < PLACES_MAX)
        x->place[x->nplaces] = (struct code_place){la, pa};
    if (x->nplaces <= PLACES_MAX)
        x->nplaces++;
}

void jumps_reserve(struct shadow *s, const uint8_t *stop)
{
    s->stop = stop;
    for (unsigned n = 0; n < s->nctxs; n++)
        reserve_first(s->all[n], stop);
}

void jump_insert(struct shadow *s, unsigned mmu, unsigned cache, const struct jump *j)
{
    struct shadow_ctx *x = s->ctx[mmu];
    struct jump_entry *e = jump_entry(x, cache, j->la);
    uint64_t code = (uint64_t)(uintptr_t)j->code;

    if (e == jump_cache(x, cache) || (e->minus_la == -j->la && e->code == code))
        return;
    if (x->njumps[j->global] == JUMPS_MAX)
        ctx_jumps_forget(x, j->global);
    if (!j->global)
        note_place(x, j->la, j->pa);
    if (j->tail_pa != NO_PAGE)
        note_place(x, j->la + 0x1000, j->tail_pa);
    x->jumps[j->global][x->njumps[j->global]++] = e;
    *e = (struct jump_entry){-j->la, code};
}

/* -- Address spaces ---------------------------------------------------------------------------- */

static void forget_local(struct shadow_ctx *x)
{
    ctx_forget(x, false);
    ctx_jumps_forget(x, false);
}

static struct space *find_space(struct shadow *s, uint64_t tag)
{
    for (unsigned n = 0; n < s->nspaces; n++)
        if (s->space[n].known && s->space[n].tag == tag)
            return &s->space[n];
    return NULL;
}

/* Room for another space: a new one, or the one that was left longest ago. */
static struct space *take_space(struct shadow *s)
{
    struct space *oldest = &s->space[0];

    for (unsigned n = 0; n < s->nspaces; n++)
        if (!s->space[n].known)
            return &s->space[n];
    if (add_space(s))
        return &s->space[s->nspaces - 1];
    for (unsigned n = 1; n < s->nspaces; n++)
        if (s->space[n].entered < oldest->entered)
            oldest = &s->space[n];
    return oldest;
}

static void forget_all_local(struct space *p)
{
    for (unsigned k = 0; k < SPACE_CTX; k++)
        forget_local(p->ctx[k]);
}

void shadow_enter_space(struct shadow *s, uint64_t tag, bool keep)
{
    struct space *p = find_space(s, tag);

    forget_local(s->ctx[MMU_KERNEL]);
    if (p == NULL || !keep) {
        p = p != NULL ? p : take_space(s);
        forget_all_local(p);
    }
    p->known = true;
    p->tag = tag;
    choose_space(s, (unsigned)(p - s->space));
}

void shadow_forget_space(struct shadow *s, uint64_t tag)
{
    struct space *p = find_space(s, tag);
    if (p != NULL)
        forget_all_local(p);
}

/* Entries may be listed more than once. */
static void check_pages(struct shadow *s, unsigned mmu, const struct shadow_peek *peek)
{
    struct shadow_ctx *x = s->ctx[mmu];
    struct page_list *list = &x->pages[0];
    unsigned count = list->count;

    list_forget(x, list);
    /* What is filled in is listed at places that have been read. */
    for (unsigned k = 0; k < count && count <= CHECK_MAX; k++) {
        uint64_t la = list->page[k] & ~UINT64_C(0xfff), index = index_of(la);
        struct filled_page page;
        if (x->table[index] == view_poison(x->view, index) && peek->page(peek->arg, mmu, la, &page))
            shadow_fill(s, mmu, &page);
    }
}

static void check_code(struct shadow *s, unsigned mmu, const struct shadow_peek *peek)
{
    struct shadow_ctx *x = s->ctx[mmu];
    bool same = x->nplaces <= PLACES_MAX;
    uint64_t pa;

    for (unsigned k = 0; k < x->nplaces && same; k++)
        same = peek->code(peek->arg, mmu, x->place[k].la, &pa) && pa == x->place[k].pa;
    if (!same)
        ctx_jumps_forget(x, false);
}

void shadow_check_space(struct shadow *s, const struct shadow_peek *peek)
{
    for (unsigned mmu = MMU_KERNEL_AC; mmu <= MMU_USER; mmu++) {
        check_pages(s, mmu, peek);
        check_code(s, mmu, peek);
    }
}
