/* SPDX-License-Identifier: MIT */
/* VMware's images (VMDK), read only: one sparse extent with its description inside
 * (monolithicSparse, streamOptimized), or a description of extents that are flat, sparse or zero.
 * Images with a parent and devices as extents are refused. */
#include "disk/vmdk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIPTION_MAX (64 * 1024)
#define EXTENTS_MAX     512
#define EXTENT_NAME     256

struct extent {
    uint64_t bytes;
    struct file *file;          /* NULL: zeros */
    struct vmdk_sparse *sparse; /* NULL: flat */
    uint64_t off;               /* flat: in the file */
};

struct vmdk {
    struct extent *extents;
    unsigned count;
};

static bool vmdk_probe(const uint8_t head[DISK_HEAD_BYTES])
{
    static const char version[] = "version=";
    const uint8_t *p = head, *end = head + DISK_HEAD_BYTES;

    if (memcmp(head, "KDMV", 4) == 0)
        return true;
    /* Text: comments and empty lines, then its version. */
    while (p < end && (*p == '#' || *p == '\n' || *p == '\r' || *p == ' ')) {
        if (*p != '#') {
            p++;
            continue;
        }
        while (p < end && *p != '\n')
            p++;
    }
    return (size_t)(end - p) >= sizeof(version) && memcmp(p, version, sizeof(version) - 1) == 0;
}

/* -- Extents ----------------------------------------------------------------------------------- */

/* What a line that describes an extent says. */
struct extent_line {
    char access[16], type[16], name[EXTENT_NAME];
    unsigned long long sectors, off;
};

static int add_extent(struct disk *d, const struct extent *e)
{
    struct vmdk *v = d->state;
    struct extent *more = realloc(v->extents, (v->count + 1) * sizeof(*more));

    if (more == NULL)
        return -1;
    v->extents = more;
    v->extents[v->count++] = *e;
    d->size += e->bytes;
    return 0;
}

static int open_extent_file(struct extent *e, const struct disk_request *r, const char *name,
                            char err[DISK_ERR_LEN])
{
    char *path = disk_inner_path(r, name, err);

    e->file = path != NULL ? file_open(path, false, r->cache, err) : NULL;
    free(path);
    return e->file != NULL ? file_lock(e->file, false, err) : -1;
}

static const char *check_extent(struct extent *e, const struct extent_line *l)
{
    const char *wrong = NULL;

    if (strcmp(l->type, "SPARSE") == 0) {
        e->sparse = vmdk_sparse_open(e->file, &wrong);
        if (e->sparse != NULL && vmdk_sparse_size(e->sparse) < e->bytes)
            wrong = "is shorter than its description says";
    } else {
        e->off = l->off * DISK_SECTOR;
        if (l->off > INT64_MAX / DISK_SECTOR || e->off > file_size(e->file) ||
            e->bytes > align_up(file_size(e->file), DISK_SECTOR) - e->off)
            wrong = "is shorter than its description says";
    }
    return wrong;
}

static int open_extent(struct disk *d, const struct disk_request *r, const struct extent_line *l,
                       char err[DISK_ERR_LEN])
{
    struct vmdk *v = d->state;
    struct extent e = {.bytes = l->sectors * DISK_SECTOR};
    const char *wrong = NULL;

    if (v->count == EXTENTS_MAX || l->sectors > (INT64_MAX - d->size) / DISK_SECTOR) {
        disk_fail(err, r->path, "it has too many or too large extents");
        return -1;
    }
    if (strcmp(l->type, "ZERO") != 0) {
        if (strcmp(l->type, "FLAT") != 0 && strcmp(l->type, "VMFS") != 0 &&
            strcmp(l->type, "SPARSE") != 0) {
            disk_fail(err, r->path, "extents of type %s are not supported", l->type);
            return -1;
        }
        if (open_extent_file(&e, r, l->name, err) != 0) {
            file_close(e.file);
            return -1;
        }
        wrong = check_extent(&e, l);
        if (wrong != NULL)
            disk_fail(err, r->path, "its extent %.100s: %s", l->name, wrong);
    }
    if (wrong == NULL && add_extent(d, &e) == 0)
        return 0;
    if (wrong == NULL)
        disk_fail(err, r->path, "no memory");
    vmdk_sparse_free(e.sparse);
    file_close(e.file);
    return -1;
}

/* -- The description --------------------------------------------------------------------------- */

static int read_line(struct disk *d, const struct disk_request *r, const char *line, bool extents,
                     char err[DISK_ERR_LEN])
{
    struct extent_line l = {.off = 0};
    char value[16];
    int fields;

    if (sscanf(line, " parentCID = %15s", value) == 1 && strcasecmp(value, "ffffffff") != 0) {
        disk_fail(err, r->path, "vmdk images with a parent are not supported");
        return -1;
    }
    fields = sscanf(line, " %15[A-Z] %llu %15[A-Z0-9] \"%255[^\"]\" %llu", l.access, &l.sectors,
                    l.type, l.name, &l.off);
    if (!extents || fields < 3 ||
        (strcmp(l.access, "RW") != 0 && strcmp(l.access, "RDONLY") != 0 &&
         strcmp(l.access, "NOACCESS") != 0))
        return 0;
    if (strcmp(l.type, "ZERO") != 0 && fields < 4) {
        disk_fail(err, r->path, "an extent has no file name");
        return -1;
    }
    return open_extent(d, r, &l, err);
}

/* `extents`: they are what the description is for. */
static int read_description(struct disk *d, const struct disk_request *r, uint64_t off,
                            uint64_t bytes, bool extents, char err[DISK_ERR_LEN])
{
    char *text = bytes <= DESCRIPTION_MAX ? calloc(1, bytes + 1) : NULL, *save = NULL;
    int e = text != NULL ? file_read(d->file, off, text, bytes) : -1;

    if (e != 0)
        disk_fail(err, r->path, "its description cannot be read");
    for (char *line = e == 0 ? strtok_r(text, "\r\n", &save) : NULL; line != NULL && e == 0;
         line = strtok_r(NULL, "\r\n", &save))
        e = read_line(d, r, line, extents, err);
    free(text);
    return e;
}

static int open_sparse(struct disk *d, const struct disk_request *r, char err[DISK_ERR_LEN])
{
    struct extent e = {0};
    const char *wrong;
    uint64_t off, bytes;

    e.sparse = vmdk_sparse_open(d->file, &wrong);
    if (e.sparse == NULL) {
        disk_fail(err, r->path, "%s", wrong);
        return -1;
    }
    e.bytes = vmdk_sparse_size(e.sparse);
    vmdk_sparse_description(e.sparse, &off, &bytes);
    if (add_extent(d, &e) != 0) {
        vmdk_sparse_free(e.sparse);
        disk_fail(err, r->path, "no memory");
        return -1;
    }
    return bytes > 0 ? read_description(d, r, off, bytes, false, err) : 0;
}

static int vmdk_open(struct disk *d, const struct disk_request *r, char err[DISK_ERR_LEN])
{
    uint8_t head[DISK_HEAD_BYTES];
    struct vmdk *v = calloc(1, sizeof(*v));
    int e;

    d->state = v;
    if (v == NULL || file_read(d->file, 0, head, sizeof(head)) != 0) {
        disk_fail(err, r->path, "cannot be read");
        return -1;
    }
    if (memcmp(head, "KDMV", 4) == 0)
        return open_sparse(d, r, err);
    if (!vmdk_probe(head)) {
        disk_fail(err, r->path, "is no vmdk image");
        return -1;
    }
    e = read_description(d, r, 0, file_size(d->file), true, err);
    if (e == 0 && v->count == 0) {
        disk_fail(err, r->path, "its description names no extents");
        return -1;
    }
    return e;
}

static int vmdk_close(struct disk *d)
{
    struct vmdk *v = d->state;

    for (unsigned i = 0; v != NULL && i < v->count; i++) {
        vmdk_sparse_free(v->extents[i].sparse);
        file_close(v->extents[i].file);
    }
    if (v != NULL)
        free(v->extents);
    free(v);
    return 0;
}

static int read_extent(const struct extent *e, uint64_t off, uint8_t *buf, size_t n)
{
    if (e->sparse != NULL)
        return vmdk_sparse_read(e->sparse, off, buf, n);
    if (e->file != NULL)
        return file_read(e->file, e->off + off, buf, n);
    memset(buf, 0, n);
    return 0;
}

static int vmdk_read(struct disk *d, uint64_t off, void *buf, size_t n)
{
    const struct vmdk *v = d->state;
    uint8_t *out = buf;
    int err = 0;

    for (unsigned i = 0; i < v->count && n > 0 && err == 0; i++) {
        const struct extent *e = &v->extents[i];
        size_t part;
        if (off >= e->bytes) {
            off -= e->bytes;
            continue;
        }
        part = n < e->bytes - off ? n : (size_t)(e->bytes - off);
        err = read_extent(e, off, out, part);
        out += part;
        n -= part;
        off = 0;
    }
    return err;
}

const struct disk_format disk_vmdk = {
    .name = "vmdk",
    .probe = vmdk_probe,
    .open = vmdk_open,
    .close = vmdk_close,
    .read = vmdk_read,
};
