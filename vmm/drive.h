/* SPDX-License-Identifier: MIT */
/* The drives of a machine, as devices, monitors and firmware tables see them: each is a disk image,
 * or a tray that may be empty (CD-ROM, floppy).
 *
 * Requests are asynchronous. Each drive has a worker thread, which does them one after the other
 * without the machine lock; it hands results to the device where nobody has that lock, and leaves
 * them to the I/O thread otherwise. All calls need the machine lock, and callbacks have it.
 *
 * A request that fails by the host's fault may pause the machine; it is made again when the machine
 * goes on, and none after it before (enum drive_policy).
 *
 * When the machine pauses or ends, all other requests are carried out first and their results
 * handed over; at its end, what was written is flushed to the host's disk. */
#ifndef VMM_DRIVE_H
#define VMM_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "disk/disk.h"

#define DRIVE_ID_LEN  64
#define DRIVE_ERR_LEN (DISK_ERR_LEN + DRIVE_ID_LEN + 64)
#define DRIVE_MAX     16 /* in a machine */

struct vm;
struct drive;

enum drive_if { DRIVE_IDE, DRIVE_FLOPPY };
enum drive_media { DRIVE_DISK, DRIVE_CDROM };

/* What to do where the host cannot read or write an image. */
enum drive_policy {
    DRIVE_STOP_IF_FULL, /* like DRIVE_STOP where the host's disk is full, else like DRIVE_REPORT */
    DRIVE_REPORT,       /* tell the guest */
    DRIVE_STOP,         /* pause the machine; the request is made again when it goes on */
    DRIVE_IGNORE,       /* tell the guest that all is well */
};

/* What the user asked for. Strings are borrowed for the VM's life. */
struct drive_config {
    const char *id; /* NULL: as in QEMU, "ide0-hd0", "ide1-cd0", "floppy0" */
    enum drive_if interface;
    unsigned index;            /* IDE: 0-3, primary master first; floppy: 0 is A */
    enum drive_media media;    /* DRIVE_CDROM with DRIVE_IDE only */
    struct disk_options image; /* file NULL: no medium (not for IDE disks). A CD is read only,
                                * whatever this says. */
    bool unmap;                /* DRIVE_DISCARD has an effect */
    enum drive_policy on_read_error, on_write_error; /* the latter also for flushes and discards */
};

/* -- Finding and asking ------------------------------------------------------------------------ */

/* NULL: there is no such drive. */
struct drive *drive_find(struct vm *vm, enum drive_if interface, unsigned index);
struct drive *drive_by_id(struct vm *vm, const char *id);

/* In the order of the configuration: the one after `d`, or the first for NULL. */
struct drive *drive_next(struct vm *vm, const struct drive *d);

const char *drive_id(const struct drive *d);
bool drive_is_cdrom(const struct drive *d);
bool drive_is_removable(const struct drive *d); /* has a tray or a slot */

/* A medium is in, and the tray closed. */
bool drive_present(const struct drive *d);
/* Of the medium, also while the tray is open; 0, true and NULL without one. */
uint64_t drive_bytes(const struct drive *d); /* a multiple of 512 */
bool drive_readonly(const struct drive *d);
const char *drive_file(const struct drive *d);
const char *drive_format(const struct drive *d);
/* One line that the user should see, or NULL (disk_warning()). */
const char *drive_warning(const struct drive *d);
/* How the medium was opened or, without one, how the next should be. */
const struct disk_options *drive_options(const struct drive *d);

/* What the machine was paused for: the errno of the request that is to be made again, or 0. */
int drive_error(struct drive *d);

bool drive_tray_is_open(const struct drive *d);
bool drive_tray_is_locked(const struct drive *d);

/* -- The user's hand --------------------------------------------------------------------------- */

/* Put in another medium and close the tray. A locked tray is an error, unless `force`; the guest is
 * told that somebody wants the medium. 0, or -errno with one line in err, and what was there is
 * still there. The options' strings are copied. */
int drive_change(struct drive *d, const struct disk_options *o, bool force,
                 char err[DRIVE_ERR_LEN]);

/* Take the medium out and leave the tray open. */
int drive_eject(struct drive *d, bool force, char err[DRIVE_ERR_LEN]);

/* -- For the device that the drive is connected to --------------------------------------------- */

struct drive_ops {
    void (*changed)(void *dev);       /* the user has changed the medium, or taken it out */
    void (*eject_request)(void *dev); /* the user wants it, the tray is locked; may be NULL */
};

/* Connect a device (one at most); requests of the one before are cancelled. NULLs: disconnect. */
void drive_attach(struct drive *d, const struct drive_ops *ops, void *dev);

/* What the guest does to the tray. An open one keeps its medium. */
void drive_lock_tray(struct drive *d, bool locked);
void drive_move_tray(struct drive *d, bool open);

enum drive_op { DRIVE_READ, DRIVE_WRITE, DRIVE_FLUSH, DRIVE_DISCARD };

/* Embedded in the device, which leaves it and its buffer alone from drive_submit() until done(),
 * or drive_cancel(). */
struct drive_request {
    enum drive_op op;
    bool sync;    /* DRIVE_WRITE: it is a flush, too */
    uint64_t off; /* bytes; not for DRIVE_FLUSH */
    void *buf;    /* DRIVE_READ, DRIVE_WRITE */
    size_t n;
    /* err: 0, -ENOMEDIUM, -EINVAL (beyond the end), -EACCES (read only) or another -errno. May
     * submit again. */
    void (*done)(void *dev, struct drive_request *r, int err);
    void *dev;
    bool pending; /* submitted, and neither done nor cancelled */
    /* The drive's own */
    struct drive_request *next;
    int err;
};

/* Requests of a drive are carried out, and their results come, in the order in which they were
 * submitted. */
void drive_submit(struct drive *d, struct drive_request *r);

/* Takes a request back that nobody has begun. False: it is under way, and done() will be called. */
bool drive_withdraw(struct drive *d, struct drive_request *r);

/* done() will not be called; waits until the worker is off the buffer. What was to be written may
 * have been. No effect on a request that is not pending. */
void drive_cancel(struct drive *d, struct drive_request *r);

#endif
