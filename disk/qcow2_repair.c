/* SPDX-License-Identifier: MIT */
/* After a writer was killed: what the tables lead to is counted, and refcounts made so. A table
 * that leads out of the file is beyond repair here. Persistent bitmaps are not looked into: with
 * them, no count is lowered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/qcow2.h"

#define CLUSTERS_MAX (UINT64_C(1) << 28) /* 1 GiB of counts */

struct census {
    struct qcow2 *q;
    uint32_t *counts;
    uint64_t clusters; /* of the file */
    uint64_t counted;  /* whole refcount blocks of them */
};

static int count(struct census *s, uint64_t off, uint64_t bytes)
{
    uint64_t first = off >> s->q->cluster_bits;
    uint64_t last = bytes > 0 ? (off + bytes - 1) >> s->q->cluster_bits : first;

    for (uint64_t c = first; bytes > 0 && c <= last; c++) {
        if (c >= s->clusters)
            return -EIO;
        s->counts[c]++;
    }
    return 0;
}

static int count_l2(struct census *s, uint64_t off)
{
    struct qcow2 *q = s->q;
    struct qcow2_place p;
    struct qcow2_table *t;
    int err = count(s, off, q->cluster_size);

    if (err == 0)
        err = qcow2_table(q, &q->l2, off, false, &t);
    for (unsigned i = 0; err == 0 && i < q->cluster_size / 8; i++) {
        err = qcow2_place(q, load_be(t->data + i * 8, 8), &p);
        if (err == 0 && p.kind == QCOW2_COMPRESSED && p.host + p.bytes > file_size(q->file))
            p.bytes = file_size(q->file) - p.host; /* the last sector may be cut short */
        if (err == 0)
            err = count(s, p.host, p.bytes);
    }
    return err;
}

static int count_l1(struct census *s, uint64_t off, const uint64_t *entries, uint32_t n)
{
    int err = count(s, off, n * UINT64_C(8));

    for (uint32_t i = 0; i < n && err == 0; i++) {
        uint64_t l2 = entries[i] & L1_OFFSET_MASK;
        if ((entries[i] & L1_RESERVED) != 0 || l2 % s->q->cluster_size != 0)
            return -EIO;
        if (l2 != 0)
            err = count_l2(s, l2);
    }
    return err;
}

static int count_snapshot(struct census *s, const struct qcow2_snapshot *snapshot)
{
    uint64_t *l1 = calloc(snapshot->l1_size + 1, 8);
    int err = l1 != NULL
                  ? file_read(s->q->file, snapshot->l1_off, l1, snapshot->l1_size * UINT64_C(8))
                  : -ENOMEM;

    for (uint32_t i = 0; err == 0 && i < snapshot->l1_size; i++)
        l1[i] = load_be((const uint8_t *)&l1[i], 8);
    if (err == 0)
        err = count_l1(s, snapshot->l1_off, l1, snapshot->l1_size);
    free(l1);
    return err;
}

static int count_all(struct census *s)
{
    struct qcow2 *q = s->q;
    int err = count(s, 0, 1);

    if (err == 0)
        err = count_l1(s, q->l1_off, q->l1, q->l1_size);
    if (err == 0)
        err = count(s, q->reftable_off, q->reftable_size * 8);
    for (uint64_t i = 0; i < q->reftable_size && err == 0; i++) {
        if (q->reftable[i] % q->cluster_size != 0)
            err = -EIO;
        else if (q->reftable[i] != 0)
            err = count(s, q->reftable[i], q->cluster_size);
    }
    if (err == 0)
        err = count(s, q->snapshots_off, q->snapshots_bytes);
    for (uint32_t i = 0; i < q->snapshot_count && err == 0; i++)
        err = count_snapshot(s, &q->snapshots[i]);
    return err;
}

/* Makes refcount blocks for clusters that are used and have none, in clusters that are not. */
static int add_blocks(struct census *s)
{
    struct qcow2 *q = s->q;
    uint64_t per_block = qcow2_refblock_entries(q);
    int err = 0;

    for (uint64_t c = 0; c < s->clusters && err == 0; c++) {
        uint64_t place = c / per_block * per_block, end = place + per_block;
        if (s->counts[c] == 0)
            continue;
        if (c / per_block >= q->reftable_size)
            return -EIO;
        if (q->reftable[c / per_block] != 0)
            continue;
        while (place < end && s->counts[place] != 0)
            place++;
        if (place == end)
            return -EIO;
        err = qcow2_make_refblock(q, place);
        s->counts[place] = 1;
    }
    return err;
}

static int correct_cluster(struct census *s, uint64_t cluster, bool lower)
{
    uint64_t want = cluster < s->counted ? s->counts[cluster] : 0, is;
    int err = qcow2_refcount(s->q, cluster, &is);

    if (err == 0 && (lower ? is > want : is < want))
        err = qcow2_set_refcount(s->q, cluster, want);
    return err;
}

static int correct(struct census *s, bool lower)
{
    struct qcow2 *q = s->q;
    uint64_t per_block = qcow2_refblock_entries(q);
    unsigned bits = 1u << q->refcount_order;
    int err = 0;

    for (uint64_t c = 0; bits < 32 && c < s->counted; c++) {
        if (s->counts[c] >> bits != 0)
            return -EIO;
    }
    for (uint64_t c = 0; err == 0 && c < q->reftable_size * per_block;) {
        if (q->reftable[c / per_block] == 0)
            c += per_block;
        else
            err = correct_cluster(s, c++, lower);
    }
    return err;
}

int qcow2_repair(struct qcow2 *q, const char *path, char err[DISK_ERR_LEN])
{
    struct census s = {.q = q};
    int e = -ENOMEM;

    s.clusters = align_up(file_size(q->file), q->cluster_size) / q->cluster_size;
    s.counted = align_up(s.clusters, qcow2_refblock_entries(q));
    if (s.counted <= CLUSTERS_MAX)
        s.counts = calloc(s.counted, sizeof(*s.counts));
    if (s.counts != NULL)
        e = count_all(&s);
    if (e == 0)
        e = add_blocks(&s);
    if (e == 0)
        e = correct(&s, false);
    if (e == 0 && !q->has_bitmaps)
        e = correct(&s, true);
    free(s.counts);
    q->marked = true;
    if (e == 0)
        e = qcow2_finish(q);
    if (e == 0)
        return 0;
    disk_fail(err, path,
              "was not closed properly and cannot be repaired here (%s); "
              "qemu-img check -r all may help",
              e == -EIO ? "its tables are damaged" : strerror(-e));
    return -1;
}
