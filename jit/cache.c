/* SPDX-License-Identifier: MIT */
/* The ring of translated code (see cache.h). */
#include "jit/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* For the backend's own code. */
#define STUB_BYTES (UINT64_C(64) << 10)

/* Bytes of code to a struct code: most blocks have more. */
#define CODE_PER_BLOCK 192

/* -- Life -------------------------------------------------------------------------------------- */

/* Anonymous memory: perf looks only at such for code that its map names. */
static int map_twice(struct jit *j)
{
    uint8_t *rw, *rx;

    rw = mmap(NULL, j->code_bytes, PROT_READ | PROT_WRITE,
              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (rw == MAP_FAILED)
        return -errno;
    j->rw = j->next = rw;
    j->limit = j->rw + STUB_BYTES;
    rx = mremap(rw, 0, j->code_bytes, MREMAP_MAYMOVE); /* 0: a second mapping of the same */
    if (rx == MAP_FAILED)
        return -errno;
    j->to_exec = rx - rw;
    return mprotect(rx, j->code_bytes, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

int cache_create(struct jit *j, uint64_t bytes)
{
    j->region_bytes = bytes / CODE_REGIONS;
    j->region_codes = (unsigned)(j->region_bytes / CODE_PER_BLOCK);
    j->code_bytes = STUB_BYTES + j->region_bytes * CODE_REGIONS;
    j->codes = calloc((size_t)j->region_codes * CODE_REGIONS, sizeof(*j->codes));
    return j->codes == NULL ? -ENOMEM : map_twice(j);
}

void cache_free(struct jit *j)
{
    if (j->rw != NULL) {
        if (j->to_exec != 0)
            munmap(j->rw + j->to_exec, j->code_bytes);
        munmap(j->rw, j->code_bytes);
    }
    free(j->codes);
}

/* -- Regions ----------------------------------------------------------------------------------- */

static uint8_t *region_begin(const struct jit *j, unsigned region)
{
    return j->rw + STUB_BYTES + region * j->region_bytes;
}

static struct code *region_codes(const struct jit *j, unsigned region)
{
    return j->codes + (size_t)region * j->region_codes;
}

static void enter_region(struct jit *j, unsigned region)
{
    j->region = region;
    j->ncodes[region] = 0;
    j->next = region_begin(j, region);
    j->limit = j->next + j->region_bytes;
}

void cache_open(struct jit *j)
{
    enter_region(j, 0);
}

void cache_clear(struct jit *j)
{
    for (unsigned r = 0; r < CODE_REGIONS; r++)
        j->ncodes[r] = 0;
    enter_region(j, 0);
    jumps_forget(&j->shadow, true);
    j->drops++;
}

bool cache_is_full(const struct jit *j)
{
    return j->ncodes[j->region] == j->region_codes || j->limit - j->next < CACHE_ROOM;
}

struct code *code_at(const struct jit *j, const uint8_t *host)
{
    /* Numbers, not pointers: the guest may have chosen them. */
    uint64_t begin = (uint64_t)(uintptr_t)region_begin(j, 0) + (uint64_t)j->to_exec;
    uint64_t offset = (uint64_t)(uintptr_t)host - begin;
    unsigned region = (unsigned)(offset / j->region_bytes), lo = 0, hi;

    if (offset >= j->region_bytes * CODE_REGIONS)
        return NULL;
    const uint8_t *p = host - j->to_exec;
    struct code *codes = region_codes(j, region);
    hi = j->ncodes[region];
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (p < codes[mid].begin)
            hi = mid;
        else if (p >= codes[mid].end)
            lo = mid + 1;
        else
            return &codes[mid];
    }
    return NULL;
}

struct code *cache_next(const struct jit *j)
{
    return region_codes(j, j->region) + j->ncodes[j->region];
}

void cache_add(struct jit *j, struct code *x)
{
    x->next = x->block->code;
    x->block->code = x;
    j->ncodes[j->region]++;
}

/* -- Links ------------------------------------------------------------------------------------- */

static void exit_unlink(struct code_exit *exit)
{
    if (exit->to == NULL)
        return;
    *exit->in_link = exit->next_in;
    if (exit->next_in != NULL)
        exit->next_in->in_link = exit->in_link;
    exit->to = NULL;
}

void cache_link(struct jit *j, struct code_exit *exit, struct code *to)
{
    exit_unlink(exit);
    exit->to = to;
    exit->next_in = to->in;
    exit->in_link = &to->in;
    if (to->in != NULL)
        to->in->in_link = &exit->next_in;
    to->in = exit;
    backend_link(j, exit, to);
}

/* async-signal-safe, while C is not executing on the processor's thread */
void cache_unlink(struct jit *j, struct code *x)
{
    for (unsigned n = 0; n < x->nexits; n++) {
        if (x->exit[n].to == NULL)
            continue;
        exit_unlink(&x->exit[n]);
        backend_link(j, &x->exit[n], NULL);
    }
}

void cache_forward(struct jit *j, struct code *x, const uint8_t *to)
{
    /* A branch that is the first instruction is overwritten by that and must not be patched. */
    for (unsigned n = 0; n < x->nexits; n++)
        if (x->exit[n].patch != NULL && x->exit[n].patch < x->ready_patch + ENTRY_BYTES) {
            exit_unlink(&x->exit[n]);
            x->exit[n].patch = NULL;
        }
    backend_forward(j, x, to);
}

/* Nothing leads to x any more, and x does not lead anywhere. */
static void drop(struct jit *j, struct code *x)
{
    while (x->in != NULL) {
        struct code_exit *exit = x->in;
        exit_unlink(exit);
        backend_link(j, exit, NULL);
    }
    for (unsigned n = 0; n < x->nexits; n++)
        exit_unlink(&x->exit[n]);
    if (x->block != NULL) {
        struct code **link = (struct code **)&x->block->code;
        while (*link != x)
            link = &(*link)->next;
        *link = x->next;
    }
}

void cache_make_room(struct jit *j)
{
    unsigned region = (j->region + 1) % CODE_REGIONS;
    const uint8_t *begin = region_begin(j, region) + j->to_exec;

    if (j->ncodes[region] != 0) {
        for (unsigned n = 0; n < j->ncodes[region]; n++)
            drop(j, region_codes(j, region) + n);
        jumps_forget_code(&j->shadow, begin, begin + j->region_bytes);
        j->left = NULL;
        j->drops++;
        j->stats.evictions++;
    }
    enter_region(j, region);
}
