/* SPDX-License-Identifier: MIT */
/* Disk images: one interface, whatever the format (docs/disks.md). A leaf: it knows no machine,
 * starts no thread and prints nothing. One disk is used by one thread at a time. */
#ifndef DISK_DISK_H
#define DISK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_ERR_LEN 512

/* QEMU's cache=. What a flush promises is the same in all but the last: it is on the host's disk.
 */
enum disk_cache {
    DISK_CACHE_WRITEBACK,    /* through the host's page cache; a flush waits for the disk */
    DISK_CACHE_NONE,         /* past the page cache (O_DIRECT) */
    DISK_CACHE_WRITETHROUGH, /* each write is flushed */
    DISK_CACHE_DIRECTSYNC,   /* both */
    DISK_CACHE_UNSAFE,       /* flushes don't wait for the host's disk */
};

struct disk_options {
    const char *file;   /* a regular file or a block device */
    const char *format; /* "raw", "qcow2", "vmdk", "vpc", "vdi"; NULL: by the image's first bytes */
    bool readonly;      /* writes are refused with -EACCES */
    bool snapshot;      /* writes go to a temporary file and are lost; the image is only read */
    enum disk_cache cache;
    bool follow_backing; /* file names inside images may lead out of the image's folder */
};

struct disk;

/* Opens and locks an image, and the images below it. NULL: `err` holds one line that names the file
 * and the reason. */
struct disk *disk_open(const struct disk_options *o, char err[DISK_ERR_LEN]);

/* Flushes, unlocks and frees; NULL is nothing. The result is that of the flush: the disk is gone in
 * any case. */
int disk_close(struct disk *d);

uint64_t disk_size(const struct disk *d); /* bytes, a multiple of 512 */
bool disk_is_readonly(const struct disk *d);
const char *disk_format_name(const struct disk *d);

/* One line that the user should see, or NULL: a writable image whose format was guessed to be raw.
 */
const char *disk_warning(const struct disk *d);

/* Any alignment; 0 or -errno; -EINVAL beyond the end. What a failed write leaves is undefined only
 * inside its range. */
int disk_read(struct disk *d, uint64_t off, void *buf, size_t n);
int disk_write(struct disk *d, uint64_t off, const void *buf, size_t n);

/* What was written before is on the host's disk. */
int disk_flush(struct disk *d);

/* The range need not be kept: parts of it read as zeros from now on, the rest as before. */
int disk_discard(struct disk *d, uint64_t off, uint64_t n);

#endif
