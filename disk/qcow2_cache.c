/* SPDX-License-Identifier: MIT */
/* Caches of L2 tables and refcount blocks: some slots for each offset (sets), the one that was not
 * used for longest makes room. A changed refcount block may be written at any time, because
 * refcounts only change after or before what needs them (see qcow2.h); a changed L2 table takes
 * qcow2_sync(). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/qcow2.h"

#define WAYS        4
#define CACHE_BYTES (4u << 20) /* of each of the two caches, if four tables are not more */

int qcow2_cache_init(struct qcow2 *q, struct qcow2_cache *c)
{
    unsigned tables = (unsigned)(CACHE_BYTES >> q->cluster_bits);

    c->sets = tables / WAYS > 0 ? tables / WAYS : 1;
    c->slots = calloc((size_t)c->sets * WAYS, sizeof(*c->slots));
    return c->slots != NULL ? 0 : -ENOMEM;
}

void qcow2_cache_free(struct qcow2_cache *c)
{
    for (unsigned i = 0; c->slots != NULL && i < c->sets * WAYS; i++)
        free(c->slots[i].data);
    free(c->slots);
}

static int write_table(struct qcow2 *q, struct qcow2_table *t)
{
    int err = file_write(q->file, t->off, t->data, q->cluster_size);

    if (err == 0)
        t->dirty = false;
    return err;
}

/* Makes a slot empty. */
static int evict(struct qcow2 *q, struct qcow2_cache *c, struct qcow2_table *t)
{
    int err = 0;

    if (t->dirty || t->l1_dirty)
        err = c == &q->l2 ? qcow2_sync(q) : write_table(q, t);
    if (err == 0)
        t->off = 0;
    return err;
}

int qcow2_table(struct qcow2 *q, struct qcow2_cache *c, uint64_t off, bool fresh,
                struct qcow2_table **out)
{
    struct qcow2_table *set = &c->slots[(off >> q->cluster_bits) % c->sets * WAYS], *t = set;
    int err = 0;

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].off == off) {
            t = &set[i];
            break;
        }
        if (set[i].off == 0 || (t->off != 0 && set[i].used < t->used))
            t = &set[i];
    }
    if (t->off != off)
        err = evict(q, c, t);
    if (err == 0 && t->data == NULL && (t->data = malloc(q->cluster_size)) == NULL)
        err = -ENOMEM;
    if (err != 0)
        return err;
    if (fresh)
        memset(t->data, 0, q->cluster_size);
    else if (t->off != off && (err = file_read(q->file, off, t->data, q->cluster_size)) != 0)
        return err;
    t->off = off;
    t->used = ++c->tick;
    *out = t;
    return 0;
}

bool qcow2_cache_is_dirty(const struct qcow2_cache *c)
{
    for (unsigned i = 0; i < c->sets * WAYS; i++) {
        if (c->slots[i].dirty || c->slots[i].l1_dirty)
            return true;
    }
    return false;
}

int qcow2_cache_write(struct qcow2 *q, struct qcow2_cache *c)
{
    int err = 0;

    for (unsigned i = 0; i < c->sets * WAYS && err == 0; i++) {
        if (c->slots[i].dirty)
            err = write_table(q, &c->slots[i]);
    }
    return err;
}

int qcow2_write_l1(struct qcow2 *q)
{
    int err = 0;

    for (unsigned i = 0; i < q->l2.sets * WAYS && err == 0; i++) {
        struct qcow2_table *t = &q->l2.slots[i];
        uint8_t entry[8];
        if (!t->l1_dirty)
            continue;
        store_be(entry, 8, q->l1[t->l1_index]);
        err = file_write(q->file, q->l1_off + t->l1_index * UINT64_C(8), entry, 8);
        t->l1_dirty = err != 0;
    }
    return err;
}
