/* SPDX-License-Identifier: MIT */
/* What a format's code sees of a disk, and what it defines. One format is one constant table of
 * functions; disk.c checks ranges before it calls them. */
#ifndef DISK_FORMAT_H
#define DISK_FORMAT_H

#include "disk/bytes.h"
#include "disk/disk.h"
#include "disk/file.h"

#define DISK_SECTOR     512
#define DISK_HEAD_BYTES 512 /* what a format is recognised by */

/* One image to open; those whose backing files lead to it stand above. */
struct disk_request {
    const char *path;
    const char *format; /* NULL: guess */
    bool writable;
    bool follow_backing;
    enum disk_cache cache;
    const struct file *file;          /* once it is open */
    const struct disk_request *above; /* NULL: the image that the user named */
};

struct disk {
    const struct disk_format *format;
    const char *format_name; /* the image's, also with a temporary file above it */
    struct file *file;       /* NULL: none of its own */
    void *state;             /* the format's */
    uint64_t size;           /* set by the format's open() */
    bool readonly;
    bool guessed;      /* the format was not given */
    bool writethrough; /* each write is flushed */
    char warning[DISK_ERR_LEN];
};

struct disk_format {
    const char *name;
    bool (*probe)(const uint8_t head[DISK_HEAD_BYTES]);
    /* 0, or -1 with `err` filled; close() is then called, too. */
    int (*open)(struct disk *d, const struct disk_request *r, char err[DISK_ERR_LEN]);
    int (*close)(struct disk *d); /* flushes and frees `state`, which may be NULL */
    int (*read)(struct disk *d, uint64_t off, void *buf, size_t n);
    /* NULL, all three, in formats that are only read. */
    int (*write)(struct disk *d, uint64_t off, const void *buf, size_t n);
    int (*flush)(struct disk *d);
    int (*discard)(struct disk *d, uint64_t off, uint64_t n);
};

extern const struct disk_format disk_raw, disk_qcow2, disk_vmdk, disk_vpc, disk_vdi;

/* The format that an image's first bytes name: NULL if none does. `foreign` is set to the name of a
 * format that is known but not supported. */
const struct disk_format *disk_probe(const uint8_t head[DISK_HEAD_BYTES], const char **foreign);

/* NULL: there is no such format. */
const struct disk_format *disk_format_called(const char *name);

/* Opens the image `r` names and what stands below it. */
struct disk *disk_open_request(struct disk_request *r, char err[DISK_ERR_LEN]);

/* Opens the file called `name` inside image `r`; refuses names that lead out of its folder unless
 * r->follow_backing, names of other things than files, and chains that end nowhere. `format` may be
 * NULL. */
struct disk *disk_open_backing(const struct disk_request *r, const char *name, const char *format,
                               char err[DISK_ERR_LEN]);

/* The path that `name` inside image `r` stands for, to be freed; NULL: refused. */
char *disk_inner_path(const struct disk_request *r, const char *name, char err[DISK_ERR_LEN]);

/* Reads from a disk that may be shorter: zeros behind its end, or if it is NULL. */
int disk_read_padded(struct disk *d, uint64_t off, void *buf, size_t n);

/* Takes over `base`, which is only read: what is written goes to a temporary file. NULL: `base` is
 * closed. */
struct disk *disk_overlay(struct disk *base, char err[DISK_ERR_LEN]);

#endif
