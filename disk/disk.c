/* SPDX-License-Identifier: MIT */
/* What is the same for all formats: opening a chain of images, checking ranges, cache=. */
#include "disk/disk.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "disk/format.h"

#define CHAIN_MAX 64 /* images above each other; reading recurses through them */

/* -- Opening ----------------------------------------------------------------------------------- */

static const struct disk_format *choose_format(struct disk *d, const struct disk_request *r,
                                               char err[DISK_ERR_LEN])
{
    uint8_t head[DISK_HEAD_BYTES];
    const struct disk_format *format;
    const char *foreign;
    int e;

    if (r->format != NULL) {
        format = disk_format_called(r->format);
        if (format == NULL)
            disk_fail(err, r->path, "no such image format: %s", r->format);
        return format;
    }
    e = file_read(d->file, 0, head, sizeof(head));
    if (e != 0) {
        disk_fail(err, r->path, "cannot read: %s", strerror(-e));
        return NULL;
    }
    d->guessed = true;
    format = disk_probe(head, &foreign);
    if (foreign != NULL) {
        disk_fail(err, r->path, "looks like a %s image, which is not supported", foreign);
        return NULL;
    }
    return format != NULL ? format : &disk_raw;
}

/* Is this file one of those that led to it? */
static bool is_loop(const struct disk_request *r)
{
    for (const struct disk_request *a = r->above; a != NULL; a = a->above) {
        if (file_same(a->file, r->file))
            return true;
    }
    return false;
}

static int open_format(struct disk *d, struct disk_request *r, char err[DISK_ERR_LEN])
{
    d->file = file_open(r->path, r->writable, r->cache, err);
    if (d->file == NULL)
        return -1;
    r->file = d->file;
    if (is_loop(r)) {
        disk_fail(err, r->path, "is its own backing file");
        return -1;
    }
    if (file_lock(d->file, r->writable, err) != 0)
        return -1;
    d->readonly = !r->writable;
    d->format = choose_format(d, r, err);
    if (d->format == NULL)
        return -1;
    d->format_name = d->format->name;
    if (r->writable && d->format->write == NULL) {
        disk_fail(err, r->path, "%s images can only be read (readonly=on or snapshot=on)",
                  d->format->name);
        return -1;
    }
    return d->format->open(d, r, err);
}

struct disk *disk_open_request(struct disk_request *r, char err[DISK_ERR_LEN])
{
    struct disk *d = calloc(1, sizeof(*d));

    if (d == NULL) {
        disk_fail(err, r->path, "no memory");
        return NULL;
    }
    if (open_format(d, r, err) == 0)
        return d;
    d->readonly = true; /* nothing is to be written now */
    disk_close(d);
    return NULL;
}

/* The folder of a path, as a path without symbolic links, to be freed. */
static char *real_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    char *real = folder != NULL ? realpath(folder, NULL) : NULL;

    free(folder);
    return real;
}

/* Relative names are relative to the image's folder. */
static char *join_path(const char *image, const char *name)
{
    const char *slash = strrchr(image, '/');
    size_t folder = name[0] == '/' || slash == NULL ? 0 : (size_t)(slash - image) + 1;
    char *path = malloc(folder + strlen(name) + 1);

    if (path != NULL) {
        memcpy(path, image, folder);
        memcpy(path + folder, name, strlen(name) + 1);
    }
    return path;
}

static bool is_inside(const char *folder, const char *path)
{
    char *f = real_folder(folder), *p = realpath(path, NULL);
    size_t n = f != NULL ? strlen(f) : 0;
    bool inside = f != NULL && p != NULL && strncmp(p, f, n) == 0 && (p[n] == '/' || n == 1);

    free(f);
    free(p);
    return inside;
}

char *disk_inner_path(const struct disk_request *r, const char *name, char err[DISK_ERR_LEN])
{
    char *path, *real;

    if (strncmp(name, "file:", 5) == 0)
        name += 5;
    if (name[0] == '\0' || strncmp(name, "json:", 5) == 0 || strstr(name, "://") != NULL) {
        disk_fail(err, r->path, "names %.100s, which is no file", name);
        return NULL;
    }
    path = join_path(r->path, name);
    real = path != NULL ? realpath(path, NULL) : NULL;
    if (real == NULL) {
        disk_fail(err, r->path, "names %.100s: %s", name, strerror(errno));
    } else if (!r->follow_backing && !is_inside(r->path, path)) {
        disk_fail(err, r->path, "names %.100s, which is outside its folder", name);
    } else {
        free(real);
        return path;
    }
    free(real);
    free(path);
    return NULL;
}

struct disk *disk_open_backing(const struct disk_request *r, const char *name, const char *format,
                               char err[DISK_ERR_LEN])
{
    struct disk_request below = {
        .format = format, .follow_backing = r->follow_backing, .cache = r->cache, .above = r};
    char *path = disk_inner_path(r, name, err);
    struct disk *d = NULL;
    unsigned depth = 0;

    for (const struct disk_request *a = r; a != NULL; a = a->above)
        depth++;
    below.path = path;
    if (path != NULL && depth >= CHAIN_MAX)
        disk_fail(err, r->path, "more than %d images above each other", CHAIN_MAX);
    else if (path != NULL)
        d = disk_open_request(&below, err);
    free(path);
    return d;
}

struct disk *disk_open(const struct disk_options *o, char err[DISK_ERR_LEN])
{
    struct disk_request r = {.path = o->file,
                             .format = o->format,
                             .writable = !o->readonly && !o->snapshot,
                             .follow_backing = o->follow_backing,
                             .cache = o->cache};
    struct disk *d = disk_open_request(&r, err);

    if (d == NULL)
        return NULL;
    d->writethrough = o->cache == DISK_CACHE_WRITETHROUGH || o->cache == DISK_CACHE_DIRECTSYNC;
    return o->snapshot && !o->readonly ? disk_overlay(d, err) : d;
}

int disk_close(struct disk *d)
{
    int err = 0;

    if (d == NULL)
        return 0;
    if (d->format != NULL)
        err = d->format->close(d);
    file_close(d->file);
    free(d);
    return err;
}

/* -- What a disk is ---------------------------------------------------------------------------- */

uint64_t disk_size(const struct disk *d)
{
    return d->size;
}

bool disk_is_readonly(const struct disk *d)
{
    return d->readonly;
}

const char *disk_format_name(const struct disk *d)
{
    return d->format_name;
}

const char *disk_warning(const struct disk *d)
{
    return d->warning[0] != '\0' ? d->warning : NULL;
}

/* -- Reading and writing ----------------------------------------------------------------------- */

static bool in_range(const struct disk *d, uint64_t off, uint64_t n)
{
    return off <= d->size && n <= d->size - off;
}

int disk_read(struct disk *d, uint64_t off, void *buf, size_t n)
{
    if (!in_range(d, off, n))
        return -EINVAL;
    return n == 0 ? 0 : d->format->read(d, off, buf, n);
}

int disk_read_padded(struct disk *d, uint64_t off, void *buf, size_t n)
{
    uint64_t there = d == NULL || off >= d->size ? 0 : d->size - off;

    if (there < n) {
        memset((uint8_t *)buf + there, 0, n - (size_t)there);
        n = (size_t)there;
    }
    return n == 0 ? 0 : d->format->read(d, off, buf, n);
}

int disk_write(struct disk *d, uint64_t off, const void *buf, size_t n)
{
    int err;

    if (!in_range(d, off, n))
        return -EINVAL;
    if (d->readonly)
        return -EACCES;
    if (n == 0)
        return 0;
    err = d->format->write(d, off, buf, n);
    return err == 0 && d->writethrough ? d->format->flush(d) : err;
}

int disk_flush(struct disk *d)
{
    return d->readonly ? 0 : d->format->flush(d);
}

int disk_discard(struct disk *d, uint64_t off, uint64_t n)
{
    int err;

    if (!in_range(d, off, n))
        return -EINVAL;
    if (d->readonly)
        return -EACCES;
    err = n == 0 ? 0 : d->format->discard(d, off, n);
    return err == 0 && d->writethrough ? d->format->flush(d) : err;
}
