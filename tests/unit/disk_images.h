/* SPDX-License-Identifier: MIT */
/* Small images made by hand, for tests that need no other program. */
#ifndef TESTS_DISK_IMAGES_H
#define TESTS_DISK_IMAGES_H

#include "disk/bytes.h"
#include "tests/unit/disk_files.h"

struct qcow2_spec {
    unsigned version, cluster_bits, refcount_order;
    uint64_t size;
    const char *backing, *backing_format;
};

/* The clusters are: header, refcount table, refcount block, L1 table. */
static inline void make_qcow2(const char *name, const struct qcow2_spec *s)
{
    uint64_t cluster = UINT64_C(1) << s->cluster_bits, covers = cluster * cluster / 8;
    uint32_t l1_size = (uint32_t)((s->size + covers - 1) / covers);
    uint64_t l1_clusters = align_up(l1_size * UINT64_C(8), cluster) / cluster;
    uint64_t clusters = 3 + l1_clusters, bits = UINT64_C(1) << s->refcount_order;
    uint8_t *h = calloc(clusters, cluster), *block = h + 2 * cluster;

    memcpy(h, "QFI\xfb", 4);
    store_be(h + 4, 4, s->version);
    store_be(h + 20, 4, s->cluster_bits);
    store_be(h + 24, 8, s->size);
    store_be(h + 36, 4, l1_size);
    store_be(h + 40, 8, 3 * cluster);
    store_be(h + 48, 8, cluster);
    store_be(h + 56, 4, 1);
    if (s->version >= 3) {
        store_be(h + 96, 4, s->refcount_order);
        store_be(h + 100, 4, 104);
    }
    if (s->backing != NULL) {
        uint8_t *extension = h + (s->version >= 3 ? 104 : 72);
        store_be(extension, 4, 0xe2792aca);
        store_be(extension + 4, 4, strlen(s->backing_format));
        memcpy(extension + 8, s->backing_format, strlen(s->backing_format));
        store_be(h + 8, 8, 300);
        store_be(h + 16, 4, strlen(s->backing));
        memcpy(h + 300, s->backing, strlen(s->backing));
    }
    store_be(h + cluster, 8, 2 * cluster);
    for (uint64_t c = 0; c < clusters; c++) {
        if (bits >= 8)
            store_be(block + c * bits / 8, (unsigned)(bits / 8), 1);
        else
            block[c * bits / 8] |= (uint8_t)(1 << c * bits % 8);
    }
    make_file(name, h, clusters * cluster, clusters * cluster);
    free(h);
}

/* Overwrites bytes of a file. */
static inline void patch_file(const char *name, uint64_t off, unsigned bytes, uint64_t value)
{
    FILE *f = fopen(name, "r+b");
    uint8_t raw[8];

    ck_assert_ptr_nonnull(f);
    store_be(raw, bytes, value);
    ck_assert_int_eq(fseek(f, (long)off, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(raw, 1, bytes, f), bytes);
    ck_assert_int_eq(fclose(f), 0);
}

static inline uint64_t peek_file(const char *name, uint64_t off, unsigned bytes)
{
    FILE *f = fopen(name, "rb");
    uint8_t raw[8] = {0};

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, (long)off, SEEK_SET), 0);
    ck_assert_uint_eq(fread(raw, 1, bytes, f), bytes);
    ck_assert_int_eq(fclose(f), 0);
    return load_be(raw, bytes);
}

#endif
