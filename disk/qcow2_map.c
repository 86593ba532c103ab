/* SPDX-License-Identifier: MIT */
/* From guest offsets to places in a qcow2 file, and reading. Entries are checked when they are
 * used: a table may be full of anything. */
#include <errno.h>
#include <string.h>

#include "disk/qcow2.h"

static int compressed_place(struct qcow2 *q, uint64_t entry, struct qcow2_place *p)
{
    unsigned offset_bits = 62 - (q->cluster_bits - 8);
    uint64_t sectors = (entry & (L2_COMPRESSED - 1)) >> offset_bits;

    p->kind = QCOW2_COMPRESSED;
    p->host = entry & ((UINT64_C(1) << offset_bits) - 1);
    p->bytes = (sectors + 1) * DISK_SECTOR - p->host % DISK_SECTOR;
    if ((entry & OFLAG_COPIED) != 0 || p->host < q->cluster_size || p->host >= HOST_OFFSET_MAX ||
        p->host >= file_size(q->file))
        return -EIO;
    return 0;
}

int qcow2_place(struct qcow2 *q, uint64_t entry, struct qcow2_place *p)
{
    p->entry = entry;
    if ((entry & L2_COMPRESSED) != 0)
        return compressed_place(q, entry, p);
    p->host = entry & L2_OFFSET_MASK;
    p->bytes = p->host != 0 ? q->cluster_size : 0;
    p->kind = p->host != 0 ? QCOW2_DATA : QCOW2_UNALLOCATED;
    if ((entry & L2_ZERO) != 0)
        p->kind = QCOW2_ZERO;
    if ((entry & L2_RESERVED) != 0 || (q->version < 3 && p->kind == QCOW2_ZERO) ||
        p->host % q->cluster_size != 0 || (p->host == 0 && (entry & OFLAG_COPIED) != 0) ||
        (p->kind == QCOW2_DATA && p->host >= file_size(q->file)))
        return -EIO;
    return 0;
}

int qcow2_l2(struct qcow2 *q, uint64_t guest, struct qcow2_table **out)
{
    uint64_t entry = q->l1[qcow2_l1_index(q, guest)];
    uint64_t off = entry & L1_OFFSET_MASK;

    *out = NULL;
    if ((entry & L1_RESERVED) != 0 || off % q->cluster_size != 0 || off >= file_size(q->file))
        return -EIO;
    return off != 0 ? qcow2_table(q, &q->l2, off, false, out) : 0;
}

/* The decompressed cluster is kept: its neighbours in it are likely to be read next. */
static int unpack(struct qcow2 *q, const struct qcow2_place *p)
{
    int err;

    if (q->unpacked_entry == p->entry)
        return 0;
    q->unpacked_entry = 0;
    err = file_read(q->file, p->host, q->packed, p->bytes);
    if (err == 0)
        err = decompress(q->compression, q->packed, p->bytes, q->unpacked, q->cluster_size);
    if (err == 0)
        q->unpacked_entry = p->entry;
    return err;
}

int qcow2_read_place(struct qcow2 *q, const struct qcow2_place *p, uint64_t guest, void *buf,
                     size_t n)
{
    uint64_t in_cluster = guest % q->cluster_size;
    int err;

    switch (p->kind) {
    case QCOW2_UNALLOCATED: return disk_read_padded(q->backing, guest, buf, n);
    case QCOW2_DATA: return file_read(q->file, p->host + in_cluster, buf, n);
    case QCOW2_COMPRESSED:
        err = unpack(q, p);
        if (err == 0)
            memcpy(buf, q->unpacked + in_cluster, n);
        return err;
    case QCOW2_ZERO: memset(buf, 0, n); return 0;
    }
    return -EIO;
}

/* The place of `guest`, and how much behind it one request to that place can read. */
static int find_run(struct qcow2 *q, uint64_t guest, size_t n, struct qcow2_place *p, size_t *run)
{
    uint64_t end = guest / q->cluster_size * q->cluster_size + q->cluster_size;
    unsigned index = qcow2_l2_index(q, guest), entries = (unsigned)(q->cluster_size / 8);
    struct qcow2_place next;
    struct qcow2_table *t;
    int err = qcow2_l2(q, guest, &t);

    if (err == 0)
        err = qcow2_place(q, t != NULL ? load_be(t->data + index * 8, 8) : 0, p);
    if (err != 0)
        return err;
    if (t == NULL)
        end += (entries - 1 - index) * q->cluster_size;
    else if (p->kind != QCOW2_COMPRESSED) {
        for (uint64_t clusters = 1; ++index < entries && end < guest + n; clusters++) {
            uint64_t entry = load_be(t->data + index * 8, 8);
            if (qcow2_place(q, entry, &next) != 0 || next.kind != p->kind ||
                (p->kind == QCOW2_DATA && next.host != p->host + clusters * q->cluster_size))
                break;
            end += q->cluster_size;
        }
    }
    *run = end - guest < n ? (size_t)(end - guest) : n;
    return 0;
}

int qcow2_read(struct disk *d, uint64_t guest, void *buf, size_t n)
{
    struct qcow2 *q = d->state;
    uint8_t *out = buf;

    while (n > 0) {
        struct qcow2_place p;
        size_t run = 0;
        int err = find_run(q, guest, n, &p, &run);
        if (err == 0)
            err = qcow2_read_place(q, &p, guest, out, run);
        if (err != 0)
            return err;
        out += run;
        guest += run;
        n -= run;
    }
    return 0;
}
