/* SPDX-License-Identifier: MIT */
/* Reference counts of a qcow2 file's clusters: looking up, allocating, freeing, and making room for
 * more. New refcount blocks and tables are placed where nothing is counted yet, so that they can
 * count themselves; they are complete in the file before something leads to them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/qcow2.h"

uint64_t qcow2_refblock_entries(const struct qcow2 *q)
{
    return q->cluster_size * 8 >> q->refcount_order;
}

/* -- Entries of a block ------------------------------------------------------------------------ */

static uint64_t load_count(const struct qcow2 *q, const uint8_t *block, uint64_t i)
{
    unsigned bits = 1u << q->refcount_order;

    if (bits >= 8)
        return load_be(block + i * (bits / 8), bits / 8);
    return block[i * bits / 8] >> i * bits % 8 & ((1u << bits) - 1);
}

static void store_count(const struct qcow2 *q, uint8_t *block, uint64_t i, uint64_t count)
{
    unsigned bits = 1u << q->refcount_order, shift = (unsigned)(i * bits % 8);
    uint8_t mask = (uint8_t)(((1u << (bits & 7)) - 1) << shift);

    if (bits >= 8)
        store_be(block + i * (bits / 8), bits / 8, count);
    else
        block[i * bits / 8] = (uint8_t)((block[i * bits / 8] & ~mask) | (uint8_t)(count << shift));
}

/* The block that counts a cluster; *out NULL: there is none, and all it would count is free. */
static int find_block(struct qcow2 *q, uint64_t cluster, struct qcow2_table **out)
{
    uint64_t index = cluster / qcow2_refblock_entries(q), off;

    *out = NULL;
    if (index >= q->reftable_size || q->reftable[index] == 0)
        return 0;
    off = q->reftable[index];
    if (off % q->cluster_size != 0 || off >= file_size(q->file))
        return qcow2_corrupt(q);
    return qcow2_table(q, &q->refblocks, off, false, out);
}

int qcow2_refcount(struct qcow2 *q, uint64_t cluster, uint64_t *count)
{
    struct qcow2_table *t;
    int err = find_block(q, cluster, &t);

    *count = 0;
    if (err == 0 && t != NULL)
        *count = load_count(q, t->data, cluster % qcow2_refblock_entries(q));
    return err;
}

int qcow2_set_refcount(struct qcow2 *q, uint64_t cluster, uint64_t count)
{
    struct qcow2_table *t;
    int err = find_block(q, cluster, &t);

    if (err == 0 && t == NULL)
        err = qcow2_corrupt(q);
    if (err != 0)
        return err;
    store_count(q, t->data, cluster % qcow2_refblock_entries(q), count);
    t->dirty = true;
    return 0;
}

/* -- Room for more counts ---------------------------------------------------------------------- */

int qcow2_make_refblock(struct qcow2 *q, uint64_t cluster)
{
    uint64_t index = cluster / qcow2_refblock_entries(q), off = cluster * q->cluster_size;
    struct qcow2_table *t;
    uint8_t entry[8];
    int err = qcow2_table(q, &q->refblocks, off, true, &t);

    if (err != 0)
        return err;
    store_count(q, t->data, cluster % qcow2_refblock_entries(q), 1);
    store_be(entry, 8, off);
    err = file_write(q->file, off, t->data, q->cluster_size);
    if (err == 0)
        err = file_sync(q->file);
    if (err == 0)
        err = file_write(q->file, q->reftable_off + index * 8, entry, 8);
    if (err == 0)
        q->reftable[index] = off;
    else
        t->off = 0;
    return err;
}

/* Where a larger refcount table goes: behind all that is counted now, after the blocks that count
 * both. */
struct new_table {
    uint64_t first_cluster;
    uint64_t blocks, clusters; /* of blocks, then of the table */
    uint64_t *entries;
};

static struct new_table plan_table(const struct qcow2 *q)
{
    struct new_table n = {.blocks = 1};
    uint64_t per_block = qcow2_refblock_entries(q);

    n.first_cluster = q->reftable_size * per_block;
    for (;; n.blocks++) {
        uint64_t entries = q->reftable_size + q->reftable_size / 2 + n.blocks;
        n.clusters = align_up(entries * 8, q->cluster_size) / q->cluster_size;
        if (n.blocks * per_block >= n.blocks + n.clusters)
            return n;
    }
}

static int write_new_blocks(struct qcow2 *q, const struct new_table *n)
{
    uint64_t per_block = qcow2_refblock_entries(q);
    int err = 0;

    for (uint64_t b = 0; b < n->blocks && err == 0; b++) {
        memset(q->cluster, 0, q->cluster_size);
        for (uint64_t i = 0; i < per_block && b * per_block + i < n->blocks + n->clusters; i++)
            store_count(q, q->cluster, i, 1);
        err = file_write(q->file, (n->first_cluster + b) * q->cluster_size, q->cluster,
                         q->cluster_size);
    }
    return err;
}

static int write_new_table(struct qcow2 *q, const struct new_table *n)
{
    uint64_t off = (n->first_cluster + n->blocks) * q->cluster_size;
    uint64_t bytes = n->clusters * q->cluster_size;
    uint8_t header[12], *raw = calloc(1, bytes);
    int err = raw != NULL ? 0 : -ENOMEM;

    for (uint64_t i = 0; raw != NULL && i < bytes / 8; i++)
        store_be(raw + i * 8, 8, n->entries[i]);
    if (err == 0)
        err = file_write(q->file, off, raw, bytes);
    if (err == 0)
        err = file_sync(q->file);
    store_be(header, 8, off);
    store_be(header + 8, 4, n->clusters);
    if (err == 0)
        err = file_write(q->file, QCOW2_HEADER_REFTABLE, header, sizeof(header));
    if (err == 0)
        err = file_sync(q->file);
    free(raw);
    return err;
}

static int grow_table(struct qcow2 *q)
{
    struct new_table n = plan_table(q);
    uint64_t old_off = q->reftable_off, old_clusters = q->reftable_size * 8 / q->cluster_size;
    int err;

    if (n.clusters * q->cluster_size > REFTABLE_BYTES_MAX)
        return -EFBIG;
    n.entries = calloc(n.clusters * q->cluster_size / 8, 8);
    if (n.entries == NULL)
        return -ENOMEM;
    memcpy(n.entries, q->reftable, q->reftable_size * 8);
    for (uint64_t b = 0; b < n.blocks; b++)
        n.entries[q->reftable_size + b] = (n.first_cluster + b) * q->cluster_size;
    err = write_new_blocks(q, &n);
    if (err == 0)
        err = write_new_table(q, &n);
    if (err != 0) {
        free(n.entries);
        return err;
    }
    free(q->reftable);
    q->reftable = n.entries;
    q->reftable_size = n.clusters * q->cluster_size / 8;
    q->reftable_off = (n.first_cluster + n.blocks) * q->cluster_size;
    for (uint64_t i = 0; i < old_clusters && err == 0; i++)
        err = qcow2_set_refcount(q, old_off / q->cluster_size + i, 0);
    if (old_off / q->cluster_size < q->free_hint)
        q->free_hint = old_off / q->cluster_size;
    return err;
}

/* -- Allocating and freeing -------------------------------------------------------------------- */

static bool overlaps(uint64_t host, uint64_t size, uint64_t off, uint64_t bytes)
{
    return host < off + bytes && off < host + size;
}

/* Is this cluster one that the header names? */
static bool is_fixed(const struct qcow2 *q, uint64_t host)
{
    return host < q->cluster_size ||
           overlaps(host, q->cluster_size, q->l1_off, q->l1_size * UINT64_C(8)) ||
           overlaps(host, q->cluster_size, q->reftable_off, q->reftable_size * 8) ||
           overlaps(host, q->cluster_size, q->snapshots_off, q->snapshots_bytes);
}

int qcow2_check_owned(struct qcow2 *q, uint64_t host)
{
    uint64_t count;
    int err = qcow2_refcount(q, host / q->cluster_size, &count);

    if (err != 0)
        return err;
    return count == 1 && !is_fixed(q, host) ? 0 : qcow2_corrupt(q);
}

int qcow2_allocate(struct qcow2 *q, uint64_t *host)
{
    uint64_t per_block = qcow2_refblock_entries(q), count;
    int err = 0;

    for (uint64_t c = q->free_hint; err == 0; c++) {
        q->free_hint = c;
        if (c >= HOST_OFFSET_MAX >> q->cluster_bits)
            return -EFBIG;
        if (c / per_block >= q->reftable_size) {
            err = grow_table(q);
            c = q->free_hint - 1;
            continue;
        }
        if (q->reftable[c / per_block] == 0) {
            err = is_fixed(q, c * q->cluster_size) ? qcow2_corrupt(q) : qcow2_make_refblock(q, c);
            continue;
        }
        err = qcow2_refcount(q, c, &count);
        if (err != 0 || count != 0)
            continue;
        if (is_fixed(q, c * q->cluster_size))
            return qcow2_corrupt(q);
        err = qcow2_set_refcount(q, c, 1);
        q->free_hint = c + 1;
        *host = c * q->cluster_size;
        return err;
    }
    return err;
}

void qcow2_unallocate(struct qcow2 *q, uint64_t host)
{
    uint64_t cluster = host / q->cluster_size;

    if (qcow2_set_refcount(q, cluster, 0) == 0 && cluster < q->free_hint)
        q->free_hint = cluster;
}

int qcow2_free_later(struct qcow2 *q, uint64_t host, uint64_t bytes)
{
    uint64_t first = host >> q->cluster_bits;
    uint64_t count = ((host + bytes - 1) >> q->cluster_bits) - first + 1;
    struct qcow2_freed *last = q->freed_count > 0 ? &q->freed[q->freed_count - 1] : NULL;

    if (last != NULL && last->cluster + last->count == first) {
        last->count += count;
        return 0;
    }
    if (q->freed_count == FREED_MAX) {
        int err = qcow2_sync(q);
        if (err != 0)
            return err; /* a leak */
    }
    q->freed[q->freed_count++] = (struct qcow2_freed){first, count};
    return 0;
}

/* Counts a cluster down; *freed: nobody uses it now. */
static int count_down(struct qcow2 *q, uint64_t cluster, bool *freed)
{
    uint64_t count;
    int err = qcow2_refcount(q, cluster, &count);

    if (err == 0 && (count == 0 || is_fixed(q, cluster * q->cluster_size)))
        err = qcow2_corrupt(q);
    if (err == 0)
        err = qcow2_set_refcount(q, cluster, count - 1);
    *freed = err == 0 && count == 1;
    if (*freed && cluster < q->free_hint)
        q->free_hint = cluster;
    return err;
}

/* What fails here is a leak. */
void qcow2_free_now(struct qcow2 *q)
{
    for (unsigned i = 0; i < q->freed_count; i++) {
        struct qcow2_freed f = q->freed[i];
        uint64_t run = 0;
        for (uint64_t c = f.cluster; c < f.cluster + f.count; c++) {
            bool freed;
            int err = count_down(q, c, &freed);
            run = freed ? run + 1 : 0;
            if (err != 0)
                break;
            /* The last of a run makes the hole. */
            if (freed && c + 1 == f.cluster + f.count)
                file_punch(q->file, (c + 1 - run) * q->cluster_size, run * q->cluster_size);
        }
    }
    q->freed_count = 0;
}
