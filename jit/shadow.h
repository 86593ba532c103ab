/* SPDX-License-Identifier: MIT */
/* Shadow page tables: where translated code finds the host address of a guest page.
 *
 * A context holds the translations of one kind of access (enum mmu_ctx). The guest's last few
 * address spaces have contexts of their own, but for the one of ordinary supervisor accesses, most
 * of whose pages are global: it forgets the others when the address space changes. A context's
 * tables are arrays with
 * one entry per page index (view.h): what to add to a linear address to get its host address. One
 * table is for reads, one for writes; what may not be accessed directly has a poisoned entry, so
 * that the access itself faults. The write entry of a page that holds code is poisoned, too: the
 * third table is for writes to such pages, and all others, by who looks at the map of code
 * (codemap.h) before. Behind the tables are jump caches, which take a linear address to the code
 * translated for it.
 *
 * Invariants:
 * 1. An entry that is not poisoned means a page of the view, and only what the guest's page tables
 *    (or the lack of paging) allowed when it was filled.
 * 2. Every entry that is not poisoned is in one of the context's lists; forgetting walks the lists.
 * 3. What may be written may be read.
 * 4. A piece of a table that no entry was ever filled in is not accessible at all. */
#ifndef JIT_SHADOW_H
#define JIT_SHADOW_H

#include "cpu/translator.h"
#include "jit/view.h"

#define SHADOW_ENTRIES (UINT64_C(1) << VIEW_INDEX_BITS)
enum shadow_table { TABLE_READ, TABLE_WRITE, TABLE_BESIDE, SHADOW_TABLES };
/* From the read table to each. */
#define SHADOW_OFFSET(table) ((table)*SHADOW_ENTRIES * 8)
/* The word before the read table is the mask of the page index in a linear address, where code that
 * has the table's address in a register reaches it with a short instruction. */
#define SHADOW_INDEX_MASK (-1)

/* Jump caches, one for each kind of code (see struct code_kind); indexed by the low bits of the
 * address. */
#define JUMP_BITS        18
#define JUMP_OFFSET      SHADOW_OFFSET(SHADOW_TABLES)
#define JUMP_CACHE_BYTES ((UINT64_C(1) << JUMP_BITS) * sizeof(struct jump_entry))
#define JUMP_CACHES      16

/* Where PDEP puts the low bits of an address to get its entry's offset in a jump cache. */
#define JUMP_MASK (((UINT64_C(1) << JUMP_BITS) - 1) * sizeof(struct jump_entry))

/* Code is at `code` if the address plus minus_la is zero. */
struct jump_entry {
    uint64_t minus_la;
    uint64_t code;
};

struct shadow_ctx;

#define SPACES      8u
#define SPACE_CTX   2u /* of its own */
#define SHADOW_CTXS (1 + SPACES * SPACE_CTX)

struct space {
    bool known;   /* it has a tag */
    uint64_t tag; /* by which the guest tells it from others */
    uint64_t entered;
    struct shadow_ctx *ctx[SPACE_CTX];
};

/* Write entries that are poisoned for a while. */
struct shadow_closed {
    struct shadow_ctx *ctx;
    struct closed_entry {
        uint64_t index, write, beside;
    } * entry;
    unsigned count, room;
};

struct shadow {
    struct view view;
    struct shadow_ctx *ctx[MMU_CTX_COUNT]; /* of the current space; none for MMU_NONE */
    struct shadow_ctx *all[SHADOW_CTXS];
    unsigned nctxs;
    struct space space[SPACES];
    unsigned nspaces, current;
    uint64_t entered; /* spaces */
    uint64_t fills;   /* entries that changed */
    struct shadow_closed closed;
    const uint8_t *stop; /* of jumps_reserve() */
};

/* Make the tables; the view is made last, by shadow_open(), when all other memory is mapped. */
int shadow_create(struct shadow *s);
int shadow_open(struct shadow *s, const struct jit_ram *ram, enum jit_checks checks, char *err);
void shadow_free(struct shadow *s);

/* What translated code has in its table register: the read table. */
uint64_t *shadow_table(const struct shadow *s, unsigned mmu);

/* The entry for la, poison if there is none. */
uint64_t shadow_entry(const struct shadow *s, unsigned mmu, uint64_t la, enum shadow_table table);

void shadow_fill(struct shadow *s, unsigned mmu, const struct filled_page *page);
/* In all spaces. */
void shadow_forget(struct shadow *s, bool global_too);
/* From now on the space with this tag is the current one. */
void shadow_enter_space(struct shadow *s, uint64_t tag, bool keep);
void shadow_forget_space(struct shadow *s, uint64_t tag);
/* Look at all that is known of the current space again, and forget what is no longer so. peek()
 * says what is to be filled in for a page, and where code is. */
struct shadow_peek {
    bool (*page)(void *arg, unsigned mmu, uint64_t la, struct filled_page *out);
    bool (*code)(void *arg, unsigned mmu, uint64_t la, uint64_t *pa);
    void *arg;
};
void shadow_check_space(struct shadow *s, const struct shadow_peek *peek);
/* Forget the page of the guest's that holds la, all of it where it may be a large one. */
void shadow_forget_page(struct shadow *s, uint64_t la, bool maybe_large);
/* A page of RAM holds code: poison its write entries. */
void shadow_protect(struct shadow *s, const uint8_t *host);

/* Poison the write entries of pages in [begin, end) of RAM. */
void shadow_end_writes(struct shadow *s, const uint8_t *begin, const uint8_t *end);

/* Until shadow_reopen(), before which nothing else here may be called, translated code can write in
 * the context `mmu` only to those of these n pages that it could write to before. */
void shadow_close(struct shadow *s, unsigned mmu, uint8_t *const pages[], unsigned n);
void shadow_reopen(struct shadow *s);

/* From now on code of this kind at la is at `code`; `global`: its page is mapped so. */
struct jump {
    uint64_t la, pa;
    uint64_t tail_pa; /* where it runs into the next page, else NO_PAGE */
    const uint8_t *code;
    bool global;
};
/* The first entry of each jump cache is where addresses are looked for when translated code is to
 * stop: it is not for code, and leads to `stop` the one address that it may be taken for. */
void jumps_reserve(struct shadow *s, const uint8_t *stop);
void jump_insert(struct shadow *s, unsigned mmu, unsigned cache, const struct jump *j);
void jumps_forget(struct shadow *s, bool global_too);
/* There is no code in [begin, end) any more. */
void jumps_forget_code(struct shadow *s, const uint8_t *begin, const uint8_t *end);
/* The code of this kind at la, if it is in the cache; else NULL. */
const uint8_t *jump_find(const struct shadow *s, unsigned mmu, unsigned cache, uint64_t la);

#endif
