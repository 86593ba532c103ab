/* SPDX-License-Identifier: MIT */
/* The header of a qcow2 image, its extensions and its table of snapshots: every number is checked
 * before it is used. The limits on sizes of tables are those of QEMU. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/qcow2.h"

#define HEADER_V2       72
#define HEADER_V3       104
#define HEADER_TYPE     105 /* to the end of compression_type */
#define L1_BYTES_MAX    (32u << 20)
#define SNAPSHOTS_MAX   65536
#define SNAPSHOT_FIXED  40
#define SNAPSHOTS_BYTES (64u << 20)

#define EXTENSION_BACKING_FORMAT 0xe2792acau
#define EXTENSION_FEATURE_NAMES  0x6803f857u
#define EXTENSION_BITMAPS        0x23852875u

struct header {
    uint8_t raw[112];
    uint64_t backing_off, size, snapshots_off;
    uint32_t backing_len, crypt_method, reftable_clusters, snapshots;
    uint32_t length; /* of the header: extensions follow */
};

static uint64_t field(const struct header *h, unsigned off, unsigned bytes)
{
    return load_be(h->raw + off, bytes);
}

static int read_fields(struct qcow2 *q, const char *path, struct header *h, char err[DISK_ERR_LEN])
{
    int e = file_read(q->file, 0, h->raw, sizeof(h->raw));

    if (e != 0) {
        disk_fail(err, path, "cannot read: %s", strerror(-e));
        return -1;
    }
    if (file_size(q->file) < HEADER_V2 || memcmp(h->raw, "QFI\xfb", 4) != 0) {
        disk_fail(err, path, "is no qcow2 image");
        return -1;
    }
    q->version = (unsigned)field(h, 4, 4);
    if (q->version != 2 && q->version != 3) {
        disk_fail(err, path, "version %u of qcow2 is not supported", q->version);
        return -1;
    }
    h->backing_off = field(h, 8, 8);
    h->backing_len = (uint32_t)field(h, 16, 4);
    q->cluster_bits = (unsigned)field(h, 20, 4);
    h->size = field(h, 24, 8);
    h->crypt_method = (uint32_t)field(h, 32, 4);
    q->l1_size = (uint32_t)field(h, 36, 4);
    q->l1_off = field(h, 40, 8);
    q->reftable_off = field(h, QCOW2_HEADER_REFTABLE, 8);
    h->reftable_clusters = (uint32_t)field(h, 56, 4);
    h->snapshots = (uint32_t)field(h, 60, 4);
    h->snapshots_off = field(h, 64, 8);
    q->refcount_order = 4;
    h->length = HEADER_V2;
    if (q->version >= 3) {
        q->incompatible = field(h, QCOW2_HEADER_INCOMPAT, 8);
        q->autoclear = field(h, QCOW2_HEADER_AUTOCLEAR, 8);
        q->refcount_order = (unsigned)field(h, 96, 4);
        h->length = (uint32_t)field(h, 100, 4);
    }
    return 0;
}

/* -- Checks ------------------------------------------------------------------------------------ */

static bool is_aligned(const struct qcow2 *q, uint64_t off)
{
    return off % q->cluster_size == 0;
}

/* Is this a place in the file, not the header's? Its last cluster may be cut short. */
static bool is_table(const struct qcow2 *q, uint64_t off, uint64_t bytes)
{
    return off != 0 && is_aligned(q, off) && off < file_size(q->file) &&
           bytes <= align_up(file_size(q->file), q->cluster_size) - off;
}

static const char *wrong_basics(const struct qcow2 *q, const struct header *h)
{
    if (q->cluster_bits < 9 || q->cluster_bits > 21)
        return "its cluster size is out of range";
    if (q->version >= 3 &&
        (h->length < HEADER_V3 || h->length % 8 != 0 || h->length > UINT64_C(1) << q->cluster_bits))
        return "its header length is wrong";
    if (q->refcount_order > 6)
        return "its refcount width is out of range";
    if (h->crypt_method != 0)
        return "encrypted images are not supported";
    return NULL;
}

static const char *wrong_tables(const struct qcow2 *q, const struct header *h)
{
    uint64_t l2_covers = q->cluster_size * (q->cluster_size / 8);
    uint64_t l1_bytes = q->l1_size * UINT64_C(8);
    uint64_t reftable_bytes = h->reftable_clusters * q->cluster_size;

    if (h->size > INT64_MAX)
        return "its size is out of range";
    if (l1_bytes > L1_BYTES_MAX)
        return "its L1 table is too large";
    if (q->l1_size < h->size / l2_covers + (h->size % l2_covers != 0))
        return "its L1 table is too small";
    if (l1_bytes > 0 && !is_table(q, q->l1_off, l1_bytes))
        return "its L1 table is outside the file";
    if (h->reftable_clusters == 0 || reftable_bytes > REFTABLE_BYTES_MAX)
        return "its refcount table's size is out of range";
    if (!is_table(q, q->reftable_off, reftable_bytes))
        return "its refcount table is outside the file";
    if (q->l1_off < q->reftable_off + reftable_bytes &&
        q->reftable_off < q->l1_off + align_up(l1_bytes, q->cluster_size))
        return "its L1 table and refcount table overlap";
    if (h->snapshots > SNAPSHOTS_MAX)
        return "it has too many snapshots";
    if (h->snapshots > 0 && !is_table(q, h->snapshots_off, SNAPSHOT_FIXED))
        return "its table of snapshots is outside the file";
    if (h->backing_off != 0 &&
        (h->backing_len > 1023 || h->backing_off > q->cluster_size ||
         h->backing_len > q->cluster_size - h->backing_off || h->backing_off < h->length))
        return "its backing file's name is outside the header";
    return NULL;
}

static const char *wrong_compression(struct qcow2 *q, const struct header *h)
{
    bool has_field = q->version >= 3 && h->length >= HEADER_TYPE;
    unsigned type = has_field ? h->raw[HEADER_V3] : 0;

    if ((type != 0) != ((q->incompatible & QCOW2_INCOMPAT_COMPRESSION) != 0))
        return "its compression type is contradictory";
    if (type > 1)
        return "its compression type is not supported";
    q->compression = type == 1 ? COMPRESSION_ZSTD : COMPRESSION_DEFLATE;
    if (!compression_is_available(q->compression))
        return "it is compressed by zstd, which this program was built without";
    return NULL;
}

/* -- Extensions -------------------------------------------------------------------------------- */

/* The feature of bit `bit`, by the image's own table of names. */
static void find_feature_name(struct qcow2 *q, uint64_t off, uint64_t len, unsigned bit,
                              char name[47])
{
    uint8_t row[48];

    for (uint64_t i = 0; i + sizeof(row) <= len; i += sizeof(row)) {
        if (file_read(q->file, off + i, row, sizeof(row)) != 0)
            return;
        if (row[0] == 0 && row[1] == bit) {
            memcpy(name, row + 2, 46);
            name[46] = '\0';
            return;
        }
    }
}

static int read_extensions(struct qcow2 *q, const char *path, const struct header *h,
                           struct qcow2_names *names, char feature[47], char err[DISK_ERR_LEN])
{
    uint64_t end = h->backing_off != 0 ? h->backing_off : q->cluster_size;
    uint64_t unknown = q->incompatible & ~UINT64_C(0x1f);
    uint8_t raw[8];

    for (uint64_t pos = h->length; pos + 8 <= end;) {
        int e = file_read(q->file, pos, raw, sizeof(raw));
        uint32_t type = (uint32_t)load_be(raw, 4), len = (uint32_t)load_be(raw + 4, 4);
        pos += 8;
        if (e == 0 && type == 0)
            break;
        if (e != 0 || len > end - pos ||
            (type == EXTENSION_BACKING_FORMAT && len >= sizeof(names->backing_format))) {
            disk_fail(err, path, "a header extension has a wrong length");
            return -1;
        }
        if (type == EXTENSION_BACKING_FORMAT)
            e = file_read(q->file, pos, names->backing_format, len);
        else if (type == EXTENSION_FEATURE_NAMES && unknown != 0)
            find_feature_name(q, pos, len, (unsigned)__builtin_ctzll(unknown), feature);
        else if (type == EXTENSION_BITMAPS)
            q->has_bitmaps = true;
        if (e != 0) {
            disk_fail(err, path, "cannot read: %s", strerror(-e));
            return -1;
        }
        pos += align_up(len, 8);
    }
    return 0;
}

static int check_features(const struct qcow2 *q, const char *path, const char *feature,
                          char err[DISK_ERR_LEN])
{
    uint64_t unknown = q->incompatible & ~UINT64_C(0x1f);

    if (q->incompatible & QCOW2_INCOMPAT_DATA_FILE)
        disk_fail(err, path, "external data files are not supported");
    else if (q->incompatible & QCOW2_INCOMPAT_EXTENDED_L2)
        disk_fail(err, path, "extended L2 entries (subclusters) are not supported");
    else if (unknown != 0 && feature[0] != '\0')
        disk_fail(err, path, "uses an unknown feature: %s", feature);
    else if (unknown != 0)
        disk_fail(err, path, "uses an unknown feature: bit %d", __builtin_ctzll(unknown));
    else
        return 0;
    return -1;
}

/* -- Tables ------------------------------------------------------------------------------------ */

/* A table of big-endian numbers, in a buffer of its own. */
static uint64_t *read_table(struct qcow2 *q, uint64_t off, uint64_t entries)
{
    uint64_t *table = malloc(entries * 8 + 8);

    if (table != NULL && file_read(q->file, off, table, entries * 8) != 0) {
        free(table);
        return NULL;
    }
    for (uint64_t i = 0; table != NULL && i < entries; i++)
        table[i] = load_be((const uint8_t *)&table[i], 8);
    return table;
}

int qcow2_read_header(struct qcow2 *q, const char *path, struct qcow2_names *names,
                      char err[DISK_ERR_LEN])
{
    char feature[47] = "";
    const char *wrong;
    struct header h;

    if (read_fields(q, path, &h, err) != 0)
        return -1;
    wrong = wrong_basics(q, &h);
    if (wrong == NULL) {
        q->cluster_size = UINT64_C(1) << q->cluster_bits;
        wrong = wrong_tables(q, &h);
    }
    if (wrong == NULL && (read_extensions(q, path, &h, names, feature, err) != 0 ||
                          check_features(q, path, feature, err) != 0))
        return -1;
    if (wrong == NULL)
        wrong = wrong_compression(q, &h);
    if (wrong != NULL) {
        disk_fail(err, path, "%s", wrong);
        return -1;
    }
    q->d->size = h.size / DISK_SECTOR * DISK_SECTOR;
    q->snapshot_count = h.snapshots;
    q->snapshots_off = h.snapshots_off;
    q->reftable_size = h.reftable_clusters * q->cluster_size / 8;
    q->l1 = read_table(q, q->l1_off, q->l1_size);
    q->reftable = read_table(q, q->reftable_off, q->reftable_size);
    if (q->l1 == NULL || q->reftable == NULL ||
        (h.backing_off != 0 &&
         file_read(q->file, h.backing_off, names->backing, h.backing_len) != 0)) {
        disk_fail(err, path, "cannot read its tables");
        return -1;
    }
    return 0;
}

int qcow2_read_snapshots(struct qcow2 *q, const char *path, char err[DISK_ERR_LEN])
{
    uint64_t pos = q->snapshots_off;
    uint8_t raw[SNAPSHOT_FIXED];

    if (q->snapshot_count == 0)
        return 0;
    q->snapshots = calloc(q->snapshot_count, sizeof(*q->snapshots));
    for (uint32_t i = 0; q->snapshots != NULL && i < q->snapshot_count; i++) {
        struct qcow2_snapshot *s = &q->snapshots[i];
        if (pos >= file_size(q->file) || pos - q->snapshots_off > SNAPSHOTS_BYTES ||
            file_read(q->file, pos, raw, sizeof(raw)) != 0)
            goto wrong;
        s->l1_off = load_be(raw, 8);
        s->l1_size = (uint32_t)load_be(raw + 8, 4);
        if (s->l1_size > L1_BYTES_MAX / 8 ||
            (s->l1_size > 0 && !is_table(q, s->l1_off, s->l1_size * UINT64_C(8))))
            goto wrong;
        pos += align_up(
            SNAPSHOT_FIXED + load_be(raw + 36, 4) + load_be(raw + 12, 2) + load_be(raw + 14, 2), 8);
    }
    q->snapshots_bytes = pos - q->snapshots_off;
    if (q->snapshots != NULL && is_table(q, q->snapshots_off, q->snapshots_bytes))
        return 0;
wrong:
    disk_fail(err, path, "its table of snapshots is damaged");
    return -1;
}
