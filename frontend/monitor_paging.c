/* SPDX-License-Identifier: MIT */
/* The guest's page tables at the monitor, as they are in memory: translation, info mem, info tlb.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "frontend/monitor.h"
#include "vmm/vm.h"

#define ROWS_MAX   16384 /* that are shown */
#define TABLES_MAX 65536 /* that are read: tables that contain themselves have no end */
#define NX         (UINT64_C(1) << 63)

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_PS = 1 << 7 };

/* How linear addresses become physical ones. */
struct paging {
    bool pae, large;      /* entries of 8 bytes; they may map large pages */
    unsigned bits, bytes; /* of an index, of an entry */
    unsigned shift;       /* of the index into the first table */
    uint64_t table;       /* where it is */
};

static struct paging paging_of(const struct cpu *c)
{
    bool pae = (c->cr4 & CR4_PAE) != 0;
    struct paging p = {.pae = pae, .large = pae || (c->cr4 & CR4_PSE)};

    p.bits = pae ? 9 : 10;
    p.bytes = pae ? 8 : 4;
    p.shift = !pae ? 22 : c->mode & MODE_LMA ? 39 : 21;
    p.table = c->cr3 & (pae ? 0xffffffffff000 : 0xfffff000);
    return p;
}

/* PAE without LMA: the first of three tables is in the processor. */
static bool in_processor(const struct paging *p)
{
    return p->pae && p->shift == 21;
}

static bool is_page(const struct paging *p, uint64_t entry, unsigned shift)
{
    return shift == 12 || (shift <= 30 && p->large && (entry & PTE_PS));
}

/* The table or page that an entry names. */
static uint64_t frame_of(const struct paging *p, uint64_t entry, unsigned shift)
{
    uint64_t frame = entry & (p->pae ? 0xffffffffff000 : 0xfffff000);

    if (!is_page(p, entry, shift))
        return frame;
    if (!p->pae && shift == 22) /* PSE-36 */
        frame = (entry & 0xffc00000) | (entry & 0x1fe000) << 19;
    return frame & ~((UINT64_C(1) << shift) - 1);
}

bool monitor_translate(struct vm *vm, const struct cpu *c, uint64_t la, uint64_t *pa)
{
    struct paging p = paging_of(c);

    *pa = la;
    if (!(c->cr0 & CR0_PG))
        return true;
    if (in_processor(&p)) {
        if (!(c->pdpte[la >> 30 & 3] & PTE_P))
            return false;
        p.table = c->pdpte[la >> 30 & 3] & 0xffffffffff000;
    }
    for (unsigned shift = p.shift;; shift -= p.bits) {
        uint64_t index = la >> shift & ((1u << p.bits) - 1), entry = 0;

        if (!dma_read(vm, p.table + index * p.bytes, &entry, p.bytes) || !(entry & PTE_P))
            return false;
        p.table = frame_of(&p, entry, shift);
        if (is_page(&p, entry, shift)) {
            *pa = p.table | (la & ((UINT64_C(1) << shift) - 1));
            return true;
        }
    }
}

/* -- All of them ------------------------------------------------------------------------------- */

struct row {
    uint64_t la, size;
    uint64_t entry;  /* of a page: its frame and bits */
    uint64_t rights; /* U and W by all tables on the way */
};

struct walk {
    struct vm *vm;
    struct paging paging;
    bool enabled, merge, more; /* more: not all is in the rows */
    unsigned tables, count;
    struct row *rows;
};

static void add_row(struct walk *w, const struct row *r)
{
    struct row *last = w->count > 0 ? &w->rows[w->count - 1] : NULL;

    if (w->merge && last != NULL && last->la + last->size == r->la && last->rights == r->rights)
        last->size += r->size;
    else if (w->count < ROWS_MAX)
        w->rows[w->count++] = *r;
    else
        w->more = true;
}

static void walk_table(struct walk *w, uint64_t table, unsigned shift, uint64_t la, uint64_t rights)
{
    const struct paging *p = &w->paging;
    uint8_t bytes[PAGE_SIZE];

    if (++w->tables > TABLES_MAX)
        w->more = true;
    if (w->more || !dma_read(w->vm, table, bytes, sizeof(bytes)))
        return;
    for (unsigned k = 0; k < 1u << p->bits && !w->more; k++) {
        uint64_t at = la | (uint64_t)k << shift, entry = 0;

        memcpy(&entry, bytes + k * p->bytes, p->bytes);
        if (!(entry & PTE_P))
            continue;
        if (shift == 39 && k >= 256)
            at |= UINT64_C(0xffff) << 48;
        /* of a small page, bit 7 is not its size */
        uint64_t flags = NX | (shift == 12 ? 0xfff & ~PTE_PS : 0xfff);
        if (is_page(p, entry, shift))
            add_row(w, &(struct row){at, UINT64_C(1) << shift,
                                     frame_of(p, entry, shift) | (entry & flags), rights & entry});
        else
            walk_table(w, frame_of(p, entry, shift), shift - p->bits, at, rights & entry);
    }
}

static void walk(void *arg, struct vm *vm, struct cpu *c)
{
    struct walk *w = arg;

    w->vm = vm;
    w->enabled = (c->cr0 & CR0_PG) != 0;
    w->paging = paging_of(c);
    if (!w->enabled)
        return;
    if (!in_processor(&w->paging))
        walk_table(w, w->paging.table, w->paging.shift, 0, PTE_U | PTE_W);
    for (unsigned k = 0; k < 4 && in_processor(&w->paging); k++) {
        if (c->pdpte[k] & PTE_P)
            walk_table(w, c->pdpte[k] & 0xffffffffff000, 21, (uint64_t)k << 30, PTE_U | PTE_W);
    }
}

static void say_range(struct session *s, const struct row *r)
{
    say(s, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %cr%c\n", r->la, r->la + r->size, r->size,
        r->rights & PTE_U ? 'u' : '-', r->rights & PTE_W ? 'w' : '-');
}

/* The letters are those of QEMU's, from NX to W. */
static void say_page(struct session *s, const struct row *r)
{
    static const struct {
        char letter;
        uint64_t bit;
    } bits[] = {{'X', NX},   {'G', 0x100}, {'P', PTE_PS}, {'D', 0x40}, {'A', 0x20},
                {'C', 0x10}, {'T', 8},     {'U', PTE_U},  {'W', PTE_W}};
    char text[sizeof(bits) / sizeof(bits[0]) + 1] = "";

    for (unsigned k = 0; k < sizeof(bits) / sizeof(bits[0]); k++)
        text[k] = r->entry & bits[k].bit ? bits[k].letter : '-';
    say(s, "%016" PRIx64 ": %016" PRIx64 " %s\n", r->la, r->entry & 0xffffffffff000, text);
}

static void show(struct session *s, bool merge,
                 void (*say_row)(struct session *, const struct row *))
{
    struct walk w = {.merge = merge, .rows = calloc(ROWS_MAX, sizeof(*w.rows))};

    if (w.rows == NULL)
        return;
    vm_inspect(s->vm, walk, &w);
    if (!w.enabled)
        say(s, "paging is off\n");
    for (unsigned k = 0; k < w.count; k++)
        say_row(s, &w.rows[k]);
    if (w.more)
        say(s, "... and more\n");
    free(w.rows);
}

void monitor_mem(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    show(s, true, say_range);
}

void monitor_tlb(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    show(s, false, say_page);
}
