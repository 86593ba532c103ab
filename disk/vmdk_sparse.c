/* SPDX-License-Identifier: MIT */
/* Sparse extents of VMware images, after VMware's "Virtual Disk Format": a directory of tables of
 * grains. In stream-optimised ones grains are compressed, and the header that counts may be a
 * footer. The directory is kept in memory, tables in a small cache. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/compress.h"
#include "disk/vmdk.h"

#define HEADER_BYTES      512
#define FLAG_ZERO_GRAINS  4u
#define FLAG_COMPRESSED   (1u << 16)
#define GD_AT_END         UINT64_MAX
#define TABLE_ENTRIES_MAX 512
#define GRAIN_SECTORS_MAX 4096 /* 2 MiB */
#define DIRECTORY_MAX     (1u << 22)
#define CACHED_TABLES     64
#define GRAIN_HEADER      12 /* of a compressed grain: its place on the disk, its length */

struct cached_table {
    uint32_t sector; /* 0: none */
    uint8_t raw[TABLE_ENTRIES_MAX * 4];
};

struct vmdk_sparse {
    struct file *file;
    uint64_t size, grain_bytes;
    uint32_t table_entries, directory_entries;
    bool compressed, has_zero_grains;
    uint8_t *directory; /* as in the file */
    uint64_t description_off, description_bytes;
    uint8_t *packed, *grain; /* compressed: what was read, and the grain last decompressed */
    uint32_t grain_sector;   /* of that one in the file; 0: none */
    struct cached_table tables[CACHED_TABLES];
};

static const char *check_header(struct vmdk_sparse *s, const uint8_t *h, uint64_t *directory_off)
{
    uint64_t version = load_le(h + 4, 4), flags = load_le(h + 8, 4);
    uint64_t sectors = load_le(h + 12, 8), grain = load_le(h + 20, 8), covers;

    if (version < 1 || version > 3)
        return "this version of vmdk is not supported";
    if (memcmp(h + 73, "\n \r\n", 4) != 0)
        return "its header was damaged by a text conversion";
    if (sectors > INT64_MAX / DISK_SECTOR)
        return "its size is out of range";
    if (grain < 1 || grain > GRAIN_SECTORS_MAX || (grain & (grain - 1)) != 0)
        return "its grain size is out of range";
    s->table_entries = (uint32_t)load_le(h + 44, 4);
    if (s->table_entries < 1 || s->table_entries > TABLE_ENTRIES_MAX)
        return "its grain tables' size is out of range";
    s->size = sectors * DISK_SECTOR;
    s->grain_bytes = grain * DISK_SECTOR;
    s->has_zero_grains = (flags & FLAG_ZERO_GRAINS) != 0;
    s->compressed = (flags & FLAG_COMPRESSED) != 0;
    if (s->compressed && load_le(h + 77, 2) != 1)
        return "its compression is not supported";
    covers = s->grain_bytes * s->table_entries;
    if (s->size / covers >= DIRECTORY_MAX)
        return "its grain directory is too large";
    s->directory_entries = (uint32_t)(align_up(s->size, covers) / covers);
    *directory_off = load_le(h + 56, 8);
    s->description_off = load_le(h + 28, 8) * DISK_SECTOR;
    s->description_bytes = load_le(h + 36, 8) * DISK_SECTOR;
    return NULL;
}

static const char *read_tables(struct vmdk_sparse *s, uint64_t off)
{
    uint64_t size = file_size(s->file), bytes = s->directory_entries * UINT64_C(4);

    if (off == 0 || off > size / DISK_SECTOR || bytes > size - off * DISK_SECTOR)
        return "its grain directory is outside the file";
    s->directory = malloc(bytes + 1);
    if (s->compressed) {
        s->packed = malloc(s->grain_bytes * 2);
        s->grain = malloc(s->grain_bytes);
    }
    if (s->directory == NULL || (s->compressed && (s->packed == NULL || s->grain == NULL)))
        return "no memory";
    if (file_read(s->file, off * DISK_SECTOR, s->directory, bytes) != 0)
        return "its grain directory cannot be read";
    return NULL;
}

static const char *read_header(struct vmdk_sparse *s)
{
    uint64_t directory, description, description_bytes;
    uint8_t h[HEADER_BYTES];
    const char *wrong;

    if (file_read(s->file, 0, h, sizeof(h)) != 0 || memcmp(h, "KDMV", 4) != 0)
        return "is no sparse vmdk image";
    wrong = check_header(s, h, &directory);
    if (wrong == NULL && directory == GD_AT_END) {
        /* The last three sectors are a marker, the footer, and the end of the stream. */
        description = s->description_off;
        description_bytes = s->description_bytes;
        if (file_size(s->file) < 3 * DISK_SECTOR ||
            file_read(s->file, file_size(s->file) - 2 * DISK_SECTOR, h, sizeof(h)) != 0 ||
            memcmp(h, "KDMV", 4) != 0)
            return "its footer is missing";
        wrong = check_header(s, h, &directory);
        s->description_off = description;
        s->description_bytes = description_bytes;
    }
    return wrong != NULL ? wrong : read_tables(s, directory);
}

struct vmdk_sparse *vmdk_sparse_open(struct file *f, const char **wrong)
{
    struct vmdk_sparse *s = calloc(1, sizeof(*s));

    *wrong = "no memory";
    if (s == NULL)
        return NULL;
    s->file = f;
    *wrong = read_header(s);
    if (*wrong == NULL)
        return s;
    vmdk_sparse_free(s);
    return NULL;
}

void vmdk_sparse_free(struct vmdk_sparse *s)
{
    if (s == NULL)
        return;
    free(s->directory);
    free(s->packed);
    free(s->grain);
    free(s);
}

uint64_t vmdk_sparse_size(const struct vmdk_sparse *s)
{
    return s->size;
}

void vmdk_sparse_description(const struct vmdk_sparse *s, uint64_t *off, uint64_t *bytes)
{
    *off = s->description_off;
    *bytes = s->description_off != 0 ? s->description_bytes : 0;
}

/* The sector of the file where a grain is; 0: it reads as zeros. */
static int find_grain(struct vmdk_sparse *s, uint64_t grain, uint32_t *sector)
{
    uint32_t table = (uint32_t)load_le(s->directory + grain / s->table_entries * 4, 4);
    struct cached_table *t = &s->tables[(grain / s->table_entries) % CACHED_TABLES];
    int err;

    *sector = 0;
    if (table == 0)
        return 0;
    if (table >= file_size(s->file) / DISK_SECTOR)
        return -EIO;
    if (t->sector != table) {
        t->sector = 0;
        err = file_read(s->file, table * UINT64_C(512), t->raw, s->table_entries * 4);
        if (err != 0)
            return err;
        t->sector = table;
    }
    *sector = (uint32_t)load_le(t->raw + grain % s->table_entries * 4, 4);
    if (s->has_zero_grains && *sector == 1)
        *sector = 0;
    return *sector < align_up(file_size(s->file), DISK_SECTOR) / DISK_SECTOR ? 0 : -EIO;
}

static int unpack(struct vmdk_sparse *s, uint32_t sector)
{
    uint64_t off = sector * UINT64_C(512), bytes;
    uint8_t header[GRAIN_HEADER];
    int err;

    if (s->grain_sector == sector)
        return 0;
    s->grain_sector = 0;
    err = file_read(s->file, off, header, sizeof(header));
    bytes = load_le(header + 8, 4);
    if (err == 0 && bytes > s->grain_bytes * 2)
        err = -EIO;
    if (err == 0)
        err = file_read(s->file, off + GRAIN_HEADER, s->packed, bytes);
    if (err == 0)
        err = decompress(COMPRESSION_ZLIB, s->packed, bytes, s->grain, s->grain_bytes);
    if (err == 0)
        s->grain_sector = sector;
    return err;
}

int vmdk_sparse_read(struct vmdk_sparse *s, uint64_t off, uint8_t *buf, size_t n)
{
    while (n > 0) {
        uint64_t in_grain = off % s->grain_bytes;
        size_t part = n < s->grain_bytes - in_grain ? n : (size_t)(s->grain_bytes - in_grain);
        uint32_t sector;
        int err = find_grain(s, off / s->grain_bytes, &sector);
        if (err == 0 && sector == 0) {
            memset(buf, 0, part);
        } else if (err == 0 && s->compressed) {
            err = unpack(s, sector);
            if (err == 0)
                memcpy(buf, s->grain + in_grain, part);
        } else if (err == 0) {
            err = file_read(s->file, sector * UINT64_C(512) + in_grain, buf, part);
        }
        if (err != 0)
            return err;
        buf += part;
        off += part;
        n -= part;
    }
    return 0;
}
