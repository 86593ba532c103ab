/* SPDX-License-Identifier: MIT */
/* qcow2 images, versions 2 and 3, after QEMU's docs/interop/qcow2.txt, whose words are used here.
 *
 * A guest offset leads through the L1 table and one L2 table to an entry, which says where the
 * cluster is. Each cluster of the file has a reference count, in blocks that the refcount table
 * lists. L1 and refcount table are kept in memory; L2 tables and refcount blocks come and go in two
 * caches.
 *
 * What is on the disk is consistent at any moment, at worst with clusters that nobody uses (leaks):
 *   1. Data is written before the L2 entry that leads to it.
 *   2. A refcount is raised before an L2 or L1 entry leads to the cluster.
 *   3. An L2 table is written before the L1 entry that leads to it.
 *   4. A refcount is lowered, and the cluster used for something else, after the entry that led to
 * it has been overwritten. "Before" means that the file is synchronised in between. Caches make
 * that cheap: qcow2_sync() does it for everything that has changed since the last time, and it
 * alone writes L2 tables and L1 entries. */
#ifndef DISK_QCOW2_H
#define DISK_QCOW2_H

#include "disk/compress.h"
#include "disk/format.h"

#define L1_OFFSET_MASK  UINT64_C(0x00fffffffffffe00)
#define L1_RESERVED     UINT64_C(0x7f000000000001ff)
#define L2_OFFSET_MASK  UINT64_C(0x00fffffffffffe00)
#define L2_RESERVED     UINT64_C(0x3f000000000001fe)
#define L2_ZERO         UINT64_C(1)
#define L2_COMPRESSED   (UINT64_C(1) << 62)
#define OFLAG_COPIED    (UINT64_C(1) << 63) /* refcount is exactly one */
#define HOST_OFFSET_MAX (UINT64_C(1) << 56)

#define QCOW2_INCOMPAT_DIRTY       UINT64_C(1)
#define QCOW2_INCOMPAT_CORRUPT     UINT64_C(2)
#define QCOW2_INCOMPAT_DATA_FILE   UINT64_C(4)
#define QCOW2_INCOMPAT_COMPRESSION UINT64_C(8)
#define QCOW2_INCOMPAT_EXTENDED_L2 UINT64_C(16)

#define QCOW2_HEADER_INCOMPAT  72
#define QCOW2_HEADER_AUTOCLEAR 88
#define QCOW2_HEADER_REFTABLE  48

#define REFTABLE_BYTES_MAX (8u << 20)
#define FREED_MAX          1024

/* One cached table. */
struct qcow2_table {
    uint64_t off;  /* in the file; 0: nothing */
    uint64_t used; /* when, in the cache's ticks */
    uint8_t *data; /* a cluster as it is in the file */
    uint32_t l1_index;
    bool dirty;
    bool l1_dirty; /* entry l1_index of the L1 table has changed, too */
};

struct qcow2_cache {
    struct qcow2_table *slots;
    unsigned sets;
    uint64_t tick;
};

struct qcow2_snapshot {
    uint64_t l1_off;
    uint32_t l1_size;
};

/* Clusters that an entry led to, to be counted down once that entry is overwritten in the file. */
struct qcow2_freed {
    uint64_t cluster, count;
};

struct qcow2 {
    struct disk *d;
    struct file *file;
    struct disk *backing; /* NULL: none */

    unsigned version;
    unsigned cluster_bits;
    unsigned refcount_order; /* log2 of the bits of a refcount */
    uint64_t cluster_size;
    uint64_t incompatible, autoclear;
    enum compression compression;

    uint64_t l1_off;
    uint64_t *l1;
    uint32_t l1_size;

    uint64_t reftable_off;
    uint64_t *reftable;
    uint64_t reftable_size; /* entries; whole clusters of them */

    uint64_t snapshots_off, snapshots_bytes;
    struct qcow2_snapshot *snapshots;
    uint32_t snapshot_count;
    bool has_bitmaps; /* their clusters are counted, but not found by repair */

    struct qcow2_cache l2, refblocks;
    uint64_t free_hint; /* no free cluster is below it */
    struct qcow2_freed freed[FREED_MAX];
    unsigned freed_count;
    bool marked; /* the header says that refcounts may be wrong */
    bool broken; /* something contradictory was found: no more writes */

    uint8_t *cluster;  /* to build one in */
    uint8_t *packed;   /* compressed data, two clusters */
    uint8_t *unpacked; /* the cluster last decompressed, and its L2 entry */
    uint64_t unpacked_entry;
};

/* What an L2 entry says. */
enum qcow2_kind { QCOW2_UNALLOCATED, QCOW2_ZERO, QCOW2_DATA, QCOW2_COMPRESSED };

struct qcow2_place {
    enum qcow2_kind kind;
    uint64_t host;  /* offset in the file; 0: none */
    uint64_t bytes; /* there */
    uint64_t entry;
};

/* -- qcow2_header.c: what the header says, checked. 0, or -1 with `err` filled. */
struct qcow2_names {
    char backing[1024]; /* empty: none */
    char backing_format[32];
};
int qcow2_read_header(struct qcow2 *q, const char *path, struct qcow2_names *names,
                      char err[DISK_ERR_LEN]);

/* Snapshots, which only writers need. */
int qcow2_read_snapshots(struct qcow2 *q, const char *path, char err[DISK_ERR_LEN]);

/* -- qcow2_cache.c. The pointer is good until the next call for the same cache. */
int qcow2_cache_init(struct qcow2 *q, struct qcow2_cache *c);
void qcow2_cache_free(struct qcow2_cache *c);

/* The table at `off`; `fresh`: it is a new one of zeros. */
int qcow2_table(struct qcow2 *q, struct qcow2_cache *c, uint64_t off, bool fresh,
                struct qcow2_table **out);
bool qcow2_cache_is_dirty(const struct qcow2_cache *c);
int qcow2_cache_write(struct qcow2 *q, struct qcow2_cache *c);
int qcow2_write_l1(struct qcow2 *q);

/* -- qcow2_map.c: reading. */
int qcow2_place(struct qcow2 *q, uint64_t entry, struct qcow2_place *p);
int qcow2_l2(struct qcow2 *q, uint64_t guest,
             struct qcow2_table **out); /* *out NULL: there is none */
int qcow2_read_place(struct qcow2 *q, const struct qcow2_place *p, uint64_t guest, void *buf,
                     size_t n);
int qcow2_read(struct disk *d, uint64_t guest, void *buf, size_t n);

static inline unsigned qcow2_l2_index(const struct qcow2 *q, uint64_t guest)
{
    return (unsigned)(guest >> q->cluster_bits) & ((1u << (q->cluster_bits - 3)) - 1);
}

static inline uint64_t qcow2_l1_index(const struct qcow2 *q, uint64_t guest)
{
    return guest >> (q->cluster_bits + q->cluster_bits - 3);
}

/* -- qcow2_refcount.c. */
int qcow2_refcount(struct qcow2 *q, uint64_t cluster, uint64_t *count);
int qcow2_set_refcount(struct qcow2 *q, uint64_t cluster, uint64_t count);
int qcow2_make_refblock(struct qcow2 *q, uint64_t cluster);
uint64_t qcow2_refblock_entries(const struct qcow2 *q);
int qcow2_allocate(struct qcow2 *q, uint64_t *host);
void qcow2_unallocate(struct qcow2 *q, uint64_t host); /* nothing leads to it */
int qcow2_free_later(struct qcow2 *q, uint64_t host, uint64_t bytes);
void qcow2_free_now(struct qcow2 *q);

/* Does only one entry lead to this cluster, and is it none that the header names? */
int qcow2_check_owned(struct qcow2 *q, uint64_t host);

/* -- qcow2_write.c. */
int qcow2_write(struct disk *d, uint64_t guest, const void *buf, size_t n);
int qcow2_discard(struct disk *d, uint64_t guest, uint64_t n);
int qcow2_sync(struct qcow2 *q);
int qcow2_finish(struct qcow2 *q);  /* all of it, and the header says so */
int qcow2_corrupt(struct qcow2 *q); /* remembers it in the header; -EIO */
int qcow2_write_features(struct qcow2 *q);

/* -- qcow2_repair.c: makes refcounts what the tables say. */
int qcow2_repair(struct qcow2 *q, const char *path, char err[DISK_ERR_LEN]);

#endif
