/* SPDX-License-Identifier: MIT */
/* Which bytes of RAM hold code: so that translated code can itself write data beside code.
 *
 * There is a byte for each of the view. Invariant: where a write of 1, 2, 4, 8 or 16 bytes that
 * begins there and stays on the page could change a byte of a live block, that bit is set. */
#ifndef JIT_CODEMAP_H
#define JIT_CODEMAP_H

#include "jit/view.h"

#define WRITE_SIZES 5

struct codemap {
    uint8_t *map;   /* may be read VIEW_GUARD bytes before its begin and behind its end */
    uint64_t bytes; /* guards included */
    const uint8_t *ram_host;
};

int codemap_create(struct codemap *m, const struct jit_ram *ram);
void codemap_free(struct codemap *m);

/* Bytes [first, last] of the page that the machine knows by `host` hold code now. */
void codemap_add(struct codemap *m, const uint8_t *host, unsigned first, unsigned last);
/* No byte of the page does; none of any page. */
void codemap_clear_page(struct codemap *m, const uint8_t *host);
void codemap_clear(struct codemap *m);

#endif
