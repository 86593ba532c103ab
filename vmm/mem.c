/* SPDX-License-Identifier: MIT */
/* Guest-physical memory.
 *
 * One sparse memory object holds guest RAM (guest addresses below the hole first, those from 4 GiB
 * upwards behind them) and after it what devices allocate: ROM images, video memory. Regions place
 * parts of it, or handlers, in the guest's address space. They may overlap; the one mapped last
 * hides the others. Look-ups do not walk the regions but a flattened table of disjoint spans,
 * rebuilt at each change; a few dozen spans are typical, and the last hit answers most look-ups at
 * once. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/vmm_internal.h"

#define ADDRESS_END (UINT64_C(1) << 52)   /* MAXPHYADDR can be no more (SDM 3A 4.1.4) */
#define DEVICE_MEM  (UINT64_C(256) << 20) /* room for mem_alloc() */

/* -- The flattened table ----------------------------------------------------------------------- */

/* Append a piece; neighbours of one region grow together. */
static void span_add(struct mem *m, uint64_t first, uint64_t last, struct region *r)
{
    struct span *s = m->nspans > 0 ? &m->span[m->nspans - 1] : NULL;

    if (s != NULL && s->r == r && s->last + 1 == first) {
        s->last = last;
        return;
    }
    m->span[m->nspans++] = (struct span){first, last, r};
}

static bool is_mapped(const struct region *r)
{
    return r->base != MEM_UNMAPPED;
}

/* The visible region at pa (the list begins with the one mapped last), and in *last how far that
 * answer holds. */
static struct region *topmost(const struct mem *m, uint64_t pa, uint64_t *last)
{
    *last = UINT64_MAX;
    for (struct region *r = m->regions; r != NULL; r = r->next) {
        if (!is_mapped(r))
            continue;
        if (pa < r->base) {
            if (r->base - 1 < *last)
                *last = r->base - 1; /* something that hides what is below begins there */
        } else if (pa - r->base < r->size) {
            if (r->base + r->size - 1 < *last)
                *last = r->base + r->size - 1;
            return r;
        }
    }
    return NULL;
}

/* n regions have at most 2n - 1 visible pieces, so the table cannot overflow. */
static void rebuild(struct mem *m)
{
    uint64_t pa = 0, last;

    m->nspans = 0;
    do {
        struct region *r = topmost(m, pa, &last);

        if (r != NULL)
            span_add(m, pa, last, r);
        pa = last + 1;
    } while (pa != 0);
}

const struct span *mem_span(struct mem *m, uint64_t pa)
{
    unsigned hint = atomic_load_explicit(&m->hint, memory_order_relaxed);
    unsigned lo = 0, hi = m->nspans;

    if (hint < hi && pa >= m->span[hint].first && pa <= m->span[hint].last)
        return &m->span[hint];
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (pa < m->span[mid].first)
            hi = mid;
        else if (pa > m->span[mid].last)
            lo = mid + 1;
        else {
            atomic_store_explicit(&m->hint, mid, memory_order_relaxed);
            return &m->span[mid];
        }
    }
    return NULL;
}

/* -- Regions ----------------------------------------------------------------------------------- */

static bool is_listed(const struct mem *m, const struct region *r)
{
    for (const struct region *i = m->regions; i != NULL; i = i->next) {
        if (i == r)
            return true;
    }
    return false;
}

static void unlist(struct mem *m, struct region *r)
{
    for (struct region **at = &m->regions; *at != NULL; at = &(*at)->next) {
        if (*at == r) {
            *at = r->next;
            r->next = NULL;
            m->nregions--;
            return;
        }
    }
}

static bool region_fits(const struct mem *m, const struct region *r, uint64_t base)
{
    if (r->size == 0 || base >= ADDRESS_END || r->size > ADDRESS_END - base)
        return false;
    if (r->kind == REGION_MMIO)
        return true;
    return (base | r->size | r->ram_off) % PAGE_SIZE == 0 && r->size <= m->size &&
           r->ram_off <= m->size - r->size;
}

int mem_map(struct vm *vm, struct region *r, uint64_t base)
{
    struct mem *m = &vm->mem;
    bool was_listed = is_listed(m, r);
    uint64_t old = was_listed ? r->base : MEM_UNMAPPED;

    if (base != MEM_UNMAPPED && !region_fits(m, r, base))
        return vm_fail(vm, -EINVAL, "%s: cannot be mapped at 0x%" PRIx64, r->name, base);
    if (base != MEM_UNMAPPED && !was_listed && m->nregions == MEM_MAX_REGIONS)
        return vm_fail(vm, -ENOSPC, "%s: too many memory regions", r->name);
    if (was_listed)
        unlist(m, r);
    r->base = base;
    if (base != MEM_UNMAPPED) {
        r->next = m->regions;
        m->regions = r;
        m->nregions++;
    }
    rebuild(m);
    vcpus_flush_tlb(vm);
    if (r->kind != REGION_MMIO) { /* other bytes are seen there now */
        if (old != MEM_UNMAPPED)
            vcpus_code_written(vm, old, r->size);
        if (base != MEM_UNMAPPED)
            vcpus_code_written(vm, base, r->size);
    }
    return 0;
}

int mem_alloc(struct vm *vm, uint64_t size, uint64_t *ram_off)
{
    struct mem *m = &vm->mem;

    if (size == 0 || size > m->size)
        return vm_fail(vm, -EINVAL, "bad size of device memory");
    size = (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    if (size > m->size - m->used)
        return vm_fail(vm, -ENOMEM, "no room for %" PRIu64 " bytes of device memory", size);
    *ram_off = m->used;
    m->used += size;
    return 0;
}

int mem_init(struct vm *vm, uint64_t ram_bytes)
{
    struct mem *m = &vm->mem;
    int err;

    m->below = ram_bytes < VM_RAM_HOLE ? ram_bytes : VM_RAM_HOLE;
    m->above = ram_bytes - m->below;
    m->used = ram_bytes;
    m->size = ram_bytes + DEVICE_MEM;
    m->spread = vm->cfg.accel != ACCEL_INTERP;
    m->fd = host_ram_create(m->size << m->spread, &m->host);
    if (m->fd < 0)
        return vm_fail(vm, m->fd, "cannot get %" PRIu64 " MiB of guest memory: %s", ram_bytes >> 20,
                       strerror(-m->fd));
    m->ram_low = (struct region){.name = "ram", .size = m->below, .kind = REGION_RAM};
    err = mem_map(vm, &m->ram_low, 0);
    if (err != 0 || m->above == 0)
        return err;
    m->ram_high = (struct region){
        .name = "ram-above-4g", .size = m->above, .kind = REGION_RAM, .ram_off = m->below};
    return mem_map(vm, &m->ram_high, UINT64_C(1) << 32);
}

void mem_free(struct vm *vm)
{
    host_ram_free(vm->mem.fd, vm->mem.host, vm->mem.size << vm->mem.spread);
}

uint64_t mem_below_4g(const struct vm *vm)
{
    return vm->mem.below;
}

uint64_t mem_above_4g(const struct vm *vm)
{
    return vm->mem.above;
}

/* Where a byte of the object is mapped; what follows it is there up to the page's end. */
static uint8_t *object_at(const struct mem *m, uint64_t off)
{
    return m->host + ((off & ~(PAGE_SIZE - 1)) << m->spread) + (off & (PAGE_SIZE - 1));
}

struct mem_piece mem_piece(struct vm *vm, uint64_t ram_off)
{
    return (struct mem_piece){object_at(&vm->mem, ram_off), PAGE_SIZE << vm->mem.spread};
}

/* -- Watched pages ----------------------------------------------------------------------------- */

#define OPEN_PAGES 8u /* at once: who writes a page often writes the next ones too */

int mem_watch_create(struct vm *vm, struct mem_watch *w, uint64_t ram_off, uint64_t size)
{
    *w = (struct mem_watch){.first = ram_off / PAGE_SIZE, .pages = size / PAGE_SIZE};
    w->open = malloc(w->pages);
    w->changed = calloc(1, w->pages);
    if (w->open == NULL || w->changed == NULL) {
        mem_watch_free(vm, w);
        return -ENOMEM;
    }
    for (uint64_t k = 0; k < w->pages; k++)
        atomic_init(&w->open[k], 1);
    atomic_store(&w->any_open, true);
    w->next = vm->mem.watches;
    vm->mem.watches = w;
    return 0;
}

void mem_watch_free(struct vm *vm, struct mem_watch *w)
{
    for (struct mem_watch **at = &vm->mem.watches; *at != NULL; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            break;
        }
    }
    free(w->open);
    free(w->changed);
    w->open = NULL;
    w->changed = NULL;
}

void mem_watch_note(struct mem_watch *w, uint64_t off, uint64_t n)
{
    uint64_t first = off / PAGE_SIZE, last = (off + n - 1) / PAGE_SIZE;

    for (uint64_t k = first; k <= last && k < w->pages; k++)
        w->changed[k] = 1;
    w->any_changed = true;
}

bool mem_watch_take(struct vm *vm, struct mem_watch *w, uint8_t *pages)
{
    bool any_open = atomic_load_explicit(&w->any_open, memory_order_relaxed);
    bool any = any_open || w->any_changed;

    if (!any)
        return false;
    for (uint64_t k = 0; k < w->pages; k++)
        pages[k] = w->changed[k] | atomic_load_explicit(&w->open[k], memory_order_relaxed);
    memset(w->changed, 0, w->pages);
    w->any_changed = false;
    if (any_open && !w->closing) {
        w->closing = true;
        vcpus_close_pages(vm);
    }
    return true;
}

static void close_watch(struct vm *vm, struct mem_watch *w, struct cpu *c)
{
    const struct mem *m = &vm->mem;
    const uint8_t *host = object_at(m, w->first * PAGE_SIZE);

    cpu_end_direct_writes(c, host, host + ((w->pages * PAGE_SIZE) << m->spread));
    for (uint64_t k = 0; k < w->pages; k++) {
        if (atomic_load_explicit(&w->open[k], memory_order_relaxed) != 0) {
            atomic_store_explicit(&w->open[k], 0, memory_order_relaxed);
            w->changed[k] = 1;
            w->any_changed = true;
        }
    }
    atomic_store_explicit(&w->any_open, false, memory_order_relaxed);
    w->closing = false;
}

void mem_close_pages(struct vm *vm, struct cpu *c)
{
    for (struct mem_watch *w = vm->mem.watches; w != NULL; w = w->next) {
        if (w->closing)
            close_watch(vm, w, c);
    }
}

static uint64_t watched_page(const struct region *r, uint64_t pa)
{
    return (r->ram_off + (pa - r->base)) / PAGE_SIZE - r->watch->first;
}

static bool is_closed(const struct region *r, uint64_t pa)
{
    return r->watch != NULL &&
           atomic_load_explicit(&r->watch->open[watched_page(r, pa)], memory_order_relaxed) == 0;
}

/* A write to n bytes within a page of a region of RAM. */
static void watch_write(const struct region *r, uint64_t pa)
{
    struct mem_watch *w = r->watch;
    uint64_t k;

    if (w == NULL || !is_closed(r, pa))
        return;
    k = watched_page(r, pa) / OPEN_PAGES * OPEN_PAGES;
    for (unsigned n = 0; n < OPEN_PAGES && k + n < w->pages; n++)
        atomic_store_explicit(&w->open[k + n], 1, memory_order_relaxed);
    atomic_store_explicit(&w->any_open, true, memory_order_relaxed);
}

/* -- Access ------------------------------------------------------------------------------------ */

uint8_t *mem_host(struct mem *m, uint64_t pa, uint64_t n, bool write)
{
    const struct span *s = mem_span(m, pa);

    if (s == NULL || s->r->kind == REGION_MMIO || (write && s->r->kind != REGION_RAM) ||
        n - 1 > s->last - pa || (write && is_closed(s->r, pa)))
        return NULL;
    return object_at(m, s->r->ram_off + (pa - s->r->base));
}

/* An access that runs past the end of its region is done byte by byte. */
static bool is_whole(const struct span *s, uint64_t pa, unsigned n)
{
    return n - 1 <= s->last - pa;
}

uint64_t mem_io_read(struct vm *vm, uint64_t pa, unsigned n)
{
    const struct span *s = mem_span(&vm->mem, pa);
    const struct region *r = s != NULL ? s->r : NULL;
    uint64_t val = UINT64_MAX;

    if (r != NULL && !is_whole(s, pa, n)) {
        val = 0;
        for (unsigned i = 0; i < n; i++)
            val |= mem_io_read(vm, pa + i, 1) << (8 * i);
        return val;
    }
    if (r != NULL && r->kind != REGION_MMIO) {
        val = 0;
        memcpy(&val, object_at(&vm->mem, r->ram_off + (pa - r->base)), n);
        return val;
    }
    if (r != NULL && r->ops != NULL)
        val = io_read(r->ops, r->dev, pa - r->base, n);
    if (n < 8)
        val &= (UINT64_C(1) << (8 * n)) - 1;
    vm_log(vm, LOG_IO, "mmio read  %0*" PRIx64 " n=%u = %" PRIx64 " %s", 8, pa, n, val,
           r != NULL ? r->name : "unmapped");
    return val;
}

void mem_io_write(struct vm *vm, uint64_t pa, unsigned n, uint64_t val)
{
    const struct span *s = mem_span(&vm->mem, pa);
    const struct region *r = s != NULL ? s->r : NULL;

    if (r != NULL && !is_whole(s, pa, n)) {
        for (unsigned i = 0; i < n; i++)
            mem_io_write(vm, pa + i, 1, (val >> (8 * i)) & 0xff);
        return;
    }
    if (r != NULL && r->kind == REGION_RAM) {
        watch_write(r, pa);
        memcpy(object_at(&vm->mem, r->ram_off + (pa - r->base)), &val, n);
        vcpus_code_written(vm, pa, n);
        return;
    }
    vm_log(vm, LOG_IO, "mmio write %0*" PRIx64 " n=%u = %" PRIx64 " %s", 8, pa, n, val,
           r != NULL ? r->name : "unmapped");
    if (r != NULL && r->ops != NULL && r->kind == REGION_MMIO)
        io_write(r->ops, r->dev, pa - r->base, n, val);
}

/* True where every byte of pa .. pa + n - 1 is RAM (or ROM, where `rom`). */
static bool is_memory(struct mem *m, uint64_t pa, uint64_t n, bool rom)
{
    while (n > 0) {
        const struct span *s = mem_span(m, pa);
        uint64_t len;

        if (s == NULL || s->r->kind == REGION_MMIO || (s->r->kind == REGION_ROM && !rom))
            return false;
        len = s->last - pa + 1;
        if (len >= n)
            return true;
        n -= len;
        pa += len;
    }
    return true;
}

/* Copy between buf and guest memory that is_memory() approved. */
static void copy(struct mem *m, uint64_t pa, uint8_t *buf, uint64_t n, bool to_guest)
{
    while (n > 0) {
        const struct span *s = mem_span(m, pa);
        uint8_t *host = object_at(m, s->r->ram_off + (pa - s->r->base));
        uint64_t len = PAGE_SIZE - pa % PAGE_SIZE;

        if (len > n)
            len = n;
        if (to_guest) {
            watch_write(s->r, pa);
            memcpy(host, buf, len);
        } else {
            memcpy(buf, host, len);
        }
        n -= len;
        pa += len;
        buf += len;
    }
}

bool dma_read(struct vm *vm, uint64_t pa, void *dst, size_t n)
{
    if (!is_memory(&vm->mem, pa, n, true)) {
        memset(dst, 0xff, n);
        return false;
    }
    copy(&vm->mem, pa, dst, n, false);
    return true;
}

static bool store(struct vm *vm, uint64_t pa, const void *src, size_t n, bool rom)
{
    if (!is_memory(&vm->mem, pa, n, rom))
        return false;
    if (n > 0) {
        copy(&vm->mem, pa, (uint8_t *)src, n, true);
        vcpus_code_written(vm, pa, n);
    }
    return true;
}

bool dma_write(struct vm *vm, uint64_t pa, const void *src, size_t n)
{
    return store(vm, pa, src, n, false);
}

bool mem_load(struct vm *vm, uint64_t pa, const void *src, size_t n)
{
    return store(vm, pa, src, n, true);
}

void mem_each_span(struct vm *vm, mem_span_fn fn, void *arg)
{
    for (unsigned k = 0; k < vm->mem.nspans; k++)
        fn(arg, vm->mem.span[k].first, vm->mem.span[k].last, vm->mem.span[k].r);
}
