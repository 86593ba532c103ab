/* SPDX-License-Identifier: MIT */
/* The interpreter's cache of decoded blocks.
 *
 * A block is a run of instructions that ends at a control transfer, at the end of its page, or
 * after BLOCK_MAX_INSNS. It is found by the physical address of its first byte and the bits of
 * c->mode that decoding depends on, so it survives address-space switches.
 *
 * Invariants:
 * 1. A page that holds a byte of a live block is a code page: no translation cache entry allows
 * direct writes to it, so every write to it comes through cpu_code_written().
 * 2. cpu_code_written() kills exactly the blocks that overlap the bytes written, and stops the
 * running block. A dead block's memory stays valid until it is reused, which happens only in
 * block_lookup(): the oldest blocks make room for new ones.
 * 3. A slot of the look-up table is good only while its generation is current;
 *    blocks_forget_translations() makes a new one. */
#ifndef CPU_BLOCK_H
#define CPU_BLOCK_H

#include "cpu/insn.h"

#define BLOCK_MAX_INSNS 32
#define NO_PAGE         UINT64_MAX

struct block {
    uint64_t pa;   /* of the first byte */
    uint64_t pa2;  /* page of the tail where the (only) instruction crosses pages, else NO_PAGE */
    uint32_t mode; /* MODE_64 and MODE_CS32 as decoded */
    uint16_t len;  /* bytes */
    uint8_t count; /* instructions */
    bool dead;
    uint16_t heat; /* times that it was interpreted */
    void *code;    /* the translator's, or NULL */
    struct block *hash_next;
    struct block *page_next[2]; /* other blocks on the first and on the tail's page */
    struct insn insn[];
};

struct block_cache *blocks_create(void);
void blocks_free(struct block_cache *bc);

/* The block at CS:RIP, decoded now if need be. NULL: fetching faulted, the exception is recorded.
 */
struct block *block_lookup(struct cpu *c);

/* The same, if it is known: nothing is decoded, and nothing changes. Else NULL. */
struct block *block_peek(struct cpu *c);

/* Linear-to-physical mappings or rights have changed. */
void blocks_forget_translations(struct cpu *c, bool global_too);
/* The address space is another one; the translator is told otherwise. */
void blocks_forget_local(struct cpu *c);
/* The mapping of one page has changed. */
void blocks_forget_page(struct cpu *c, uint64_t la);

/* Is the page of the block that was looked up last mapped global? */
bool block_is_global(const struct cpu *c);

/* Does any decoded code lie in these bytes of one page? */
bool blocks_overlap(const struct cpu *c, uint64_t pa, unsigned n);

/* Is there decoded code on this page? */
bool blocks_has_code(const struct cpu *c, uint64_t pa);

/* Drop everything (reset). */
void blocks_clear(struct cpu *c);

/* Drop everything, and use so much memory for blocks from now on; at least BLOCKS_MIN_BYTES. False:
 * there is not so much, nothing has changed. */
#define BLOCKS_MIN_BYTES (1u << 20)
bool blocks_resize(struct cpu *c, size_t bytes);

/* Since creation: blocks decoded and found dead by writes, times that everything and that the
 * oldest were dropped, writes to pages with code; the page of the last of these. */
struct block_stats {
    uint64_t decoded, invalidated, flushes, dropped, written, written_page;
};
struct block_stats blocks_stats(const struct cpu *c);

#endif
