/* SPDX-License-Identifier: MIT */
/* The map of code (see codemap.h). It is sparse: most pages never hold code. */
#include "jit/codemap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define SIZES 31 /* 1, 2, 4, 8 and 16 */

/* Hosts take a load for one of what was just stored where the two agree in the lower 12 bits of the
 * address, and have to undo that. So bytes of the map lie differently in their pages than those of
 * RAM. */
#define SKEW 0x880

int codemap_create(struct codemap *m, const struct jit_ram *ram)
{
    void *p;

    m->bytes = ram->pages * JIT_RAM_STRIDE + 2 * VIEW_GUARD + 4096;
    m->ram_host = ram->host;
    p = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
             -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    m->map = (uint8_t *)p + VIEW_GUARD + SKEW;
    return 0;
}

void codemap_free(struct codemap *m)
{
    if (m->map != NULL)
        munmap(m->map - SKEW - VIEW_GUARD, m->bytes);
    m->map = NULL;
}

void codemap_add(struct codemap *m, const uint8_t *host, unsigned first, unsigned last)
{
    uint8_t *page = m->map + (host - m->ram_host);

    memset(page + first, SIZES, last - first + 1);
    for (unsigned size = 2; size <= 16; size *= 2)
        for (unsigned k = 1; k < size && k <= first; k++)
            page[first - k] |= (uint8_t)size;
}

void codemap_clear_page(struct codemap *m, const uint8_t *host)
{
    memset(m->map + (host - m->ram_host), 0, 4096);
}

void codemap_clear(struct codemap *m)
{
    madvise(m->map - SKEW - VIEW_GUARD, m->bytes, MADV_DONTNEED);
}
