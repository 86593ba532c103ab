/* SPDX-License-Identifier: MIT */
/* Raw images: the file is the disk, rounded up to whole sectors. If nobody said that it is raw, the
 * guest may not write what would make it another format when it is opened next: that format's
 * headers would then be the guest's, with the names of other files in them. */
#include <errno.h>
#include <string.h>

#include "disk/format.h"

static int raw_open(struct disk *d, const struct disk_request *r, char err[DISK_ERR_LEN])
{
    (void)err;
    d->size = align_up(file_size(d->file), DISK_SECTOR);
    if (d->guessed && r->writable)
        disk_fail(d->warning, r->path,
                  "no format was given and raw was guessed, so writes to its first sector are "
                  "restricted; format=raw lifts that");
    return 0;
}

static int raw_close(struct disk *d)
{
    return file_sync(d->file);
}

static int raw_read(struct disk *d, uint64_t off, void *buf, size_t n)
{
    return file_read(d->file, off, buf, n);
}

/* Would the image be taken for another format after this write? */
static int stays_raw(struct disk *d, uint64_t off, const void *buf, size_t n)
{
    uint8_t head[DISK_HEAD_BYTES];
    const char *foreign;
    int err = file_read(d->file, 0, head, sizeof(head));

    if (err != 0)
        return err;
    memcpy(head + off, buf, n < sizeof(head) - off ? n : sizeof(head) - off);
    return disk_probe(head, &foreign) != NULL || foreign != NULL ? -EPERM : 0;
}

static int raw_write(struct disk *d, uint64_t off, const void *buf, size_t n)
{
    if (d->guessed && off < DISK_HEAD_BYTES) {
        int err = stays_raw(d, off, buf, n);
        if (err != 0)
            return err;
    }
    return file_write(d->file, off, buf, n);
}

static int raw_flush(struct disk *d)
{
    return file_sync(d->file);
}

static int raw_discard(struct disk *d, uint64_t off, uint64_t n)
{
    return file_punch(d->file, off, n);
}

const struct disk_format disk_raw = {
    .name = "raw",
    .open = raw_open,
    .close = raw_close,
    .read = raw_read,
    .write = raw_write,
    .flush = raw_flush,
    .discard = raw_discard,
};
