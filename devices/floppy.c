/* SPDX-License-Identifier: MIT */
/* See floppy.h. */
#include "devices/floppy.h"

#include <stddef.h>

/* Data rates, as DSR and CCR number them. */
#define RATE_500K 0x01
#define RATE_300K 0x02
#define RATE_250K 0x04
#define RATE_1M   0x08

/* Disks of 360 KB and less are read by a 1.2 MB drive at 300 kb/s, or at 250 kb/s where it can turn
 * more slowly. */
#define RATE_DD525 (RATE_300K | RATE_250K)

static const struct floppy_format formats[] = {
    {160 << 10, 40, 1, 8, RATE_DD525, FLOPPY_1200K},
    {180 << 10, 40, 1, 9, RATE_DD525, FLOPPY_1200K},
    {320 << 10, 40, 2, 8, RATE_DD525, FLOPPY_1200K},
    {360 << 10, 40, 2, 9, RATE_DD525, FLOPPY_1200K},
    {640 << 10, 80, 2, 8, RATE_250K, FLOPPY_1440K},
    {720 << 10, 80, 2, 9, RATE_250K, FLOPPY_1440K},
    {1200 << 10, 80, 2, 15, RATE_500K, FLOPPY_1200K},
    {1440 << 10, 80, 2, 18, RATE_500K, FLOPPY_1440K},
    {1600 << 10, 80, 2, 20, RATE_500K, FLOPPY_1440K},
    {1680 << 10, 80, 2, 21, RATE_500K, FLOPPY_1440K},
    {1722 << 10, 82, 2, 21, RATE_500K, FLOPPY_1440K},
    {1743 << 10, 83, 2, 21, RATE_500K, FLOPPY_1440K},
    {2880 << 10, 80, 2, 36, RATE_1M, FLOPPY_2880K},
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

const struct field floppy_fields[] = {
    FIELD(struct floppy, track),
    FIELD(struct floppy, changed),
    UNSAVED(struct floppy, drive),
    UNSAVED(struct floppy, type),
    FIELDS_END,
};

/* NULL: there is none of exactly this size. */
static const struct floppy_format *usual_format(uint64_t bytes)
{
    for (size_t k = 0; k < FORMATS; k++) {
        if (formats[k].bytes == bytes)
            return &formats[k];
    }
    return NULL;
}

bool floppy_is_usual(uint64_t bytes)
{
    return usual_format(bytes) != NULL;
}

const struct floppy_format *floppy_format(uint64_t bytes)
{
    const struct floppy_format *f = usual_format(bytes);

    if (f != NULL)
        return f;
    for (f = formats; f < formats + FORMATS - 1; f++) {
        if (f->bytes >= bytes && f->sectors >= 18)
            return f;
    }
    return f;
}

void floppy_attach(struct floppy *f, struct vm *vm, unsigned index, const struct drive_ops *ops,
                   void *dev)
{
    const struct floppy_format *disk;

    f->drive = drive_find(vm, DRIVE_FLOPPY, index);
    if (f->drive == NULL)
        return;
    drive_attach(f->drive, ops, dev);
    disk = floppy_disk(f);
    f->type = disk != NULL ? disk->type : FLOPPY_1440K;
    f->changed = true;
}

void floppy_detach(struct floppy *f)
{
    if (f->drive != NULL)
        drive_attach(f->drive, NULL, NULL);
    f->drive = NULL;
}

const struct floppy_format *floppy_disk(const struct floppy *f)
{
    return f->drive != NULL && drive_present(f->drive) ? floppy_format(drive_bytes(f->drive))
                                                       : NULL;
}

bool floppy_is_protected(const struct floppy *f)
{
    return f->drive != NULL && drive_present(f->drive) && drive_readonly(f->drive);
}

void floppy_seek(struct floppy *f, uint8_t track)
{
    if (f->drive == NULL)
        return;
    if (track != f->track && drive_present(f->drive))
        f->changed = false;
    f->track = track;
}

bool floppy_is_changed(const struct floppy *f)
{
    return f->drive != NULL && (f->changed || !drive_present(f->drive));
}
