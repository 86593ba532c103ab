/* SPDX-License-Identifier: MIT */
/* qcow2 images as a format: opening and closing. */
#include "disk/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool qcow2_probe(const uint8_t head[DISK_HEAD_BYTES])
{
    return memcmp(head, "QFI\xfb", 4) == 0 && load_be(head + 4, 4) >= 2;
}

static int make_buffers(struct qcow2 *q)
{
    q->cluster = aligned_alloc(4096, align_up(q->cluster_size, 4096));
    q->unpacked = malloc(q->cluster_size);
    q->packed = malloc(q->cluster_size * 2);
    if (q->cluster == NULL || q->unpacked == NULL || q->packed == NULL)
        return -ENOMEM;
    return qcow2_cache_init(q, &q->l2) != 0 || qcow2_cache_init(q, &q->refblocks) != 0 ? -ENOMEM
                                                                                       : 0;
}

/* What only writers care about. */
static int open_writable(struct qcow2 *q, const char *path, char err[DISK_ERR_LEN])
{
    if ((q->incompatible & QCOW2_INCOMPAT_CORRUPT) != 0) {
        disk_fail(err, path,
                  "is marked as corrupt and can only be read; "
                  "qemu-img check -r all may repair it");
        return -1;
    }
    if (qcow2_read_snapshots(q, path, err) != 0)
        return -1;
    return (q->incompatible & QCOW2_INCOMPAT_DIRTY) != 0 ? qcow2_repair(q, path, err) : 0;
}

static int qcow2_open(struct disk *d, const struct disk_request *r, char err[DISK_ERR_LEN])
{
    struct qcow2_names names = {0};
    struct qcow2 *q = calloc(1, sizeof(*q));

    d->state = q;
    if (q == NULL) {
        disk_fail(err, r->path, "no memory");
        return -1;
    }
    q->d = d;
    q->file = d->file;
    if (qcow2_read_header(q, r->path, &names, err) != 0)
        return -1;
    if (make_buffers(q) != 0) {
        disk_fail(err, r->path, "no memory");
        return -1;
    }
    if (names.backing[0] != '\0') {
        const char *format = names.backing_format[0] != '\0' ? names.backing_format : NULL;
        q->backing = disk_open_backing(r, names.backing, format, err);
        if (q->backing == NULL)
            return -1;
    }
    return r->writable ? open_writable(q, r->path, err) : 0;
}

static int qcow2_flush(struct disk *d)
{
    return qcow2_sync(d->state);
}

static int qcow2_close(struct disk *d)
{
    struct qcow2 *q = d->state;
    int err = 0;

    if (q == NULL)
        return 0;
    if (!d->readonly)
        err = qcow2_finish(q);
    disk_close(q->backing);
    qcow2_cache_free(&q->l2);
    qcow2_cache_free(&q->refblocks);
    free(q->l1);
    free(q->reftable);
    free(q->snapshots);
    free(q->cluster);
    free(q->packed);
    free(q->unpacked);
    free(q);
    return err;
}

const struct disk_format disk_qcow2 = {
    .name = "qcow2",
    .probe = qcow2_probe,
    .open = qcow2_open,
    .close = qcow2_close,
    .read = qcow2_read,
    .write = qcow2_write,
    .flush = qcow2_flush,
    .discard = qcow2_discard,
};
