/* SPDX-License-Identifier: MIT */
/* What vpc and vdi images have in common when they are only read: a table says for each block of
 * the disk where it is in the file. */
#ifndef DISK_BLOCKS_H
#define DISK_BLOCKS_H

#include "disk/format.h"

#define BLOCK_IS_ZERO UINT64_MAX /* a block that has no place in the file */

struct blocks {
    struct file *file;
    uint64_t block_bytes;
    uint32_t count;
    uint64_t *offsets;
};

/* Where entry `value` of the table says that a block is. */
typedef uint64_t block_place_fn(const void *format, uint32_t value);

/* Reads the table of `count` 32-bit entries at `off`; big-endian ones if `big`. NULL or what is
 * wrong with the table. */
const char *blocks_load(struct blocks *b, uint64_t off, bool big, block_place_fn *place,
                        const void *format);

int blocks_read(const struct blocks *b, uint64_t off, void *buf, size_t n);

/* Formats that are only read share these; `state` is one allocation that begins with a struct
 * blocks. */
int blocks_close(struct disk *d);
int blocks_disk_read(struct disk *d, uint64_t off, void *buf, size_t n);

#endif
