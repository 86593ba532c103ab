/* SPDX-License-Identifier: MIT */
/* A floppy drive and the disk in it, as the controller reaches them: where the heads are, and which
 * sectors are there. */
#ifndef DEVICES_FLOPPY_H
#define DEVICES_FLOPPY_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/drive.h"
#include "vmm/state.h"

#define FLOPPY_SECTOR 512
#define FLOPPY_TRACK  (36 * FLOPPY_SECTOR) /* one side's, at most */

/* What CMOS memory and the BIOS call a drive. */
enum floppy_type {
    FLOPPY_NONE,
    FLOPPY_360K,
    FLOPPY_1200K,
    FLOPPY_720K,
    FLOPPY_1440K,
    FLOPPY_2880K
};

struct floppy_format {
    uint32_t bytes;
    uint8_t cylinders, heads, sectors; /* sectors of a track */
    uint8_t rates;                     /* set of data rates (DSR) at which it can be read */
    uint8_t type;                      /* the drive that it is made for */
};

struct floppy {
    uint8_t track;       /* where the heads are */
    bool changed;        /* DSKCHG: no step since another disk was put in */
    struct drive *drive; /* NULL: there is none */
    uint8_t type;        /* enum floppy_type */
};

extern const struct field floppy_fields[];

/* Is there a kind of disk that has exactly this size? */
bool floppy_is_usual(uint64_t bytes);

/* How an image of this size is laid out. One of no usual size lies at the start of a disk of 1.44
 * MB or, if that is too small, of the next larger one. */
const struct floppy_format *floppy_format(uint64_t bytes);

/* Connect drive A (0) or B (1), if the machine has it. The disk decides which kind of drive it is;
 * an empty one takes 1.44 MB. */
void floppy_attach(struct floppy *f, struct vm *vm, unsigned index, const struct drive_ops *ops,
                   void *dev);
void floppy_detach(struct floppy *f);

/* The disk that is in; NULL: none. */
const struct floppy_format *floppy_disk(const struct floppy *f);
bool floppy_is_protected(const struct floppy *f);

/* Moves the heads. */
void floppy_seek(struct floppy *f, uint8_t track);
/* The drive's DSKCHG line. */
bool floppy_is_changed(const struct floppy *f);

#endif
