/* SPDX-License-Identifier: MIT */
/* Writing to qcow2 images, a cluster at a time. A cluster that only this disk uses is written in
 * place; otherwise a new one is allocated, filled with the old one's contents and the new data, and
 * the L2 entry changed, in the cache. qcow2.h says in which order all this reaches the file. */
#include <errno.h>
#include <string.h>

#include "disk/qcow2.h"

/* -- The header -------------------------------------------------------------------------------- */

int qcow2_write_features(struct qcow2 *q)
{
    uint8_t raw[8];
    int err;

    store_be(raw, 8, q->incompatible);
    err = file_write(q->file, QCOW2_HEADER_INCOMPAT, raw, 8);
    store_be(raw, 8, q->autoclear);
    if (err == 0)
        err = file_write(q->file, QCOW2_HEADER_AUTOCLEAR, raw, 8);
    return err != 0 ? err : file_sync(q->file);
}

/* The first write: what is killed from now on may leave leaks, and features that we don't know no
 * longer say the truth. Version 2 has no place for either. */
static int mark(struct qcow2 *q)
{
    int err = 0;

    if (q->broken)
        return -EIO;
    if (q->marked)
        return 0;
    if (q->version >= 3) {
        q->incompatible |= QCOW2_INCOMPAT_DIRTY;
        q->autoclear = 0;
        err = qcow2_write_features(q);
    }
    q->marked = err == 0;
    return err;
}

int qcow2_corrupt(struct qcow2 *q)
{
    if (!q->d->readonly && !q->broken && q->version >= 3) {
        q->incompatible |= QCOW2_INCOMPAT_CORRUPT;
        qcow2_write_features(q);
    }
    q->broken = true;
    return -EIO;
}

/* -- Synchronising ----------------------------------------------------------------------------- */

int qcow2_sync(struct qcow2 *q)
{
    int err = q->broken ? -EIO : qcow2_cache_write(q, &q->refblocks);

    if (err == 0 && qcow2_cache_is_dirty(&q->l2)) {
        err = file_sync(q->file);
        if (err == 0)
            err = qcow2_cache_write(q, &q->l2);
        if (err == 0)
            err = file_sync(q->file);
        if (err == 0)
            err = qcow2_write_l1(q);
    }
    if (err == 0)
        err = file_sync(q->file);
    if (err == 0)
        qcow2_free_now(q);
    return err;
}

int qcow2_finish(struct qcow2 *q)
{
    int err;

    if (!q->marked)
        return 0;
    err = qcow2_sync(q);
    if (err == 0) /* again: refcounts have been lowered */
        err = qcow2_sync(q);
    if (err != 0 || q->broken || q->version < 3)
        return err;
    q->incompatible &= ~QCOW2_INCOMPAT_DIRTY;
    err = qcow2_write_features(q);
    q->marked = err != 0;
    return err;
}

/* -- L2 tables --------------------------------------------------------------------------------- */

/* A new L2 table for `guest`, a copy of the one at `old` if that is not 0. */
static int new_l2(struct qcow2 *q, uint64_t guest, uint64_t old, struct qcow2_table **out)
{
    uint32_t index = (uint32_t)qcow2_l1_index(q, guest);
    struct qcow2_table *t;
    uint64_t host;
    int err = qcow2_allocate(q, &host); /* this may use q->cluster, too */

    if (err != 0)
        return err;
    err = file_extend(q->file, host + q->cluster_size);
    if (err == 0 && old != 0) {
        err = qcow2_table(q, &q->l2, old, false, &t);
        if (err == 0)
            memcpy(q->cluster, t->data, q->cluster_size);
    }
    if (err == 0)
        err = qcow2_table(q, &q->l2, host, true, &t);
    if (err != 0) {
        qcow2_unallocate(q, host);
        return err;
    }
    if (old != 0)
        memcpy(t->data, q->cluster, q->cluster_size);
    t->l1_index = index;
    t->dirty = t->l1_dirty = true;
    q->l1[index] = host | OFLAG_COPIED;
    *out = t;
    return old != 0 ? qcow2_free_later(q, old, q->cluster_size) : 0;
}

/* The L2 table for `guest`, which may be changed. */
static int writable_l2(struct qcow2 *q, uint64_t guest, struct qcow2_table **out)
{
    uint64_t entry = q->l1[qcow2_l1_index(q, guest)], off = entry & L1_OFFSET_MASK;
    int err = qcow2_l2(q, guest, out); /* checks the entry */

    if (err != 0)
        return err;
    if (off == 0 || (entry & OFLAG_COPIED) == 0)
        return new_l2(q, guest, off, out);
    return (*out)->dirty ? 0 : qcow2_check_owned(q, off);
}

static int set_entry(struct qcow2 *q, struct qcow2_table *t, uint64_t guest, uint64_t entry,
                     const struct qcow2_place *old, bool keep_host)
{
    store_be(t->data + qcow2_l2_index(q, guest) * 8, 8, entry);
    t->dirty = true;
    return old->host != 0 && !keep_host ? qcow2_free_later(q, old->host, old->bytes) : 0;
}

/* -- Clusters ---------------------------------------------------------------------------------- */

/* Part of a guest cluster that is written. */
struct piece {
    uint64_t guest;
    const uint8_t *in;
    size_t n;
};

/* Writes a whole new cluster at `host`, of which `w` is a part. `fresh`: it lies where the file had
 * not reached, and is zero already. */
static int fill_cluster(struct qcow2 *q, const struct qcow2_place *old, uint64_t host, bool fresh,
                        const struct piece *w)
{
    uint64_t start = w->guest / q->cluster_size * q->cluster_size, skip = w->guest - start;
    bool zeros = old->kind == QCOW2_ZERO || (old->kind == QCOW2_UNALLOCATED && q->backing == NULL);
    uint64_t tail = skip + w->n;
    int err = 0;

    if (w->n == q->cluster_size)
        return file_write(q->file, host, w->in, w->n);
    if (fresh && zeros) {
        err = file_extend(q->file, host + q->cluster_size);
        return err != 0 ? err : file_write(q->file, host + skip, w->in, w->n);
    }
    if (skip > 0)
        err = qcow2_read_place(q, old, start, q->cluster, skip);
    if (err == 0 && tail < q->cluster_size)
        err = qcow2_read_place(q, old, start + tail, q->cluster + tail, q->cluster_size - tail);
    if (err != 0)
        return err;
    memcpy(q->cluster + skip, w->in, w->n);
    return file_write(q->file, host, q->cluster, q->cluster_size);
}

static int write_new_cluster(struct qcow2 *q, struct qcow2_table *t, const struct qcow2_place *old,
                             const struct piece *w)
{
    uint64_t file_end = align_up(file_size(q->file), q->cluster_size), host;
    int err = qcow2_allocate(q, &host);

    if (err != 0)
        return err;
    err = fill_cluster(q, old, host, host >= file_end, w);
    if (err != 0) {
        qcow2_unallocate(q, host);
        return err;
    }
    return set_entry(q, t, w->guest, host | OFLAG_COPIED, old, false);
}

/* A zero cluster may have a place in the file. */
static int write_preallocated(struct qcow2 *q, struct qcow2_table *t, const struct qcow2_place *old,
                              const struct piece *w)
{
    int err = qcow2_check_owned(q, old->host);

    if (err == 0)
        err = fill_cluster(q, old, old->host, false, w);
    if (err != 0)
        return err;
    return set_entry(q, t, w->guest, old->host | OFLAG_COPIED, old, true);
}

static int write_piece(struct qcow2 *q, const struct piece *w)
{
    struct qcow2_place p;
    struct qcow2_table *t;
    int err = writable_l2(q, w->guest, &t);
    bool owned;

    if (err == 0)
        err = qcow2_place(q, load_be(t->data + qcow2_l2_index(q, w->guest) * 8, 8), &p);
    if (err != 0)
        return err;
    owned = (p.entry & OFLAG_COPIED) != 0 && p.host != 0;
    if (p.kind == QCOW2_DATA && owned) {
        err = qcow2_check_owned(q, p.host);
        return err != 0 ? err
                        : file_write(q->file, p.host + w->guest % q->cluster_size, w->in, w->n);
    }
    if (p.kind == QCOW2_ZERO && owned)
        return write_preallocated(q, t, &p, w);
    return write_new_cluster(q, t, &p, w);
}

int qcow2_write(struct disk *d, uint64_t guest, const void *buf, size_t n)
{
    struct qcow2 *q = d->state;
    struct piece w = {guest, buf, 0};
    int err = mark(q);

    while (n > 0 && err == 0) {
        uint64_t room = q->cluster_size - w.guest % q->cluster_size;
        w.n = n < room ? n : (size_t)room;
        err = write_piece(q, &w);
        w.guest += w.n;
        w.in += w.n;
        n -= w.n;
    }
    return err;
}

/* -- Discarding -------------------------------------------------------------------------------- */

/* One whole cluster. What has no place in the file stays as it is, and so does everything where
 * only the backing file's old contents could come in its stead. */
static int discard_cluster(struct qcow2 *q, uint64_t guest)
{
    uint64_t empty = q->backing != NULL ? L2_ZERO : 0;
    struct qcow2_place p;
    struct qcow2_table *t;
    int err = qcow2_l2(q, guest, &t);

    if (err != 0 || t == NULL)
        return err;
    err = qcow2_place(q, load_be(t->data + qcow2_l2_index(q, guest) * 8, 8), &p);
    if (err != 0 || p.host == 0)
        return err;
    err = writable_l2(q, guest, &t);
    return err != 0 ? err : set_entry(q, t, guest, empty, &p, false);
}

int qcow2_discard(struct disk *d, uint64_t guest, uint64_t n)
{
    struct qcow2 *q = d->state;
    uint64_t end = guest + n, at = align_up(guest, q->cluster_size);
    int err;

    if (q->version < 3 && q->backing != NULL)
        return 0;
    err = mark(q);
    if (end == d->size) /* the last cluster may reach behind the disk's end */
        end = align_up(end, q->cluster_size);
    for (; err == 0 && at < end && end - at >= q->cluster_size; at += q->cluster_size)
        err = discard_cluster(q, at);
    return err;
}
