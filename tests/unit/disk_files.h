/* SPDX-License-Identifier: MIT */
/* What tests of disk images share: a folder of their own, opening with the error shown, and a disk
 * compared with a plain array while random requests go to both. */
#ifndef TESTS_DISK_FILES_H
#define TESTS_DISK_FILES_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/disk.h"

static char disk_err[DISK_ERR_LEN];

/* Makes a folder and enters it, so that names of images are short; leave_folder() removes it. */
static inline void enter_folder(void)
{
    char name[] = "/var/tmp/calque-disk-XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(name));
    ck_assert_int_eq(chdir(name), 0);
}

static inline void leave_folder(void)
{
    char name[4096], command[5000];

    ck_assert_ptr_nonnull(getcwd(name, sizeof(name)));
    snprintf(command, sizeof(command), "rm -rf '%s'", name);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
}

static inline void make_file(const char *name, const void *bytes, size_t n, uint64_t size)
{
    FILE *f = fopen(name, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(truncate(name, (off_t)size), 0);
}

static inline uint64_t size_of_file(const char *name)
{
    struct stat st;

    ck_assert_int_eq(stat(name, &st), 0);
    return (uint64_t)st.st_size;
}

static inline struct disk *open_disk(const struct disk_options *o)
{
    struct disk *d = disk_open(o, disk_err);

    ck_assert_msg(d != NULL, "%s", disk_err);
    return d;
}

/* Opening must fail, with one line that holds the file's name and `reason`. */
static inline void refuse_disk(const struct disk_options *o, const char *reason)
{
    struct disk *d = disk_open(o, disk_err);

    ck_assert_msg(d == NULL, "%s was opened", o->file);
    ck_assert_msg(strstr(disk_err, reason) != NULL, "'%s' lacks '%s'", disk_err, reason);
    ck_assert_ptr_null(strchr(disk_err, '\n'));
    if (strlen(o->file) < 200)
        ck_assert_msg(strstr(disk_err, o->file) != NULL, "'%s' does not name it", disk_err);
}

/* -- A disk and its model ---------------------------------------------------------------------- */

struct disk_model {
    struct disk *d;
    uint8_t *bytes, *buf;
    uint64_t size;
    uint64_t rng;
    uint64_t max_request;
};

static inline uint32_t model_random(struct disk_model *m)
{
    m->rng = m->rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(m->rng >> 32);
}

/* Starts with what the disk holds, which must equal m->bytes if that is set already. */
static inline void model_start(struct disk_model *m, struct disk *d, uint64_t seed)
{
    bool first = m->bytes == NULL;

    m->d = d;
    m->size = disk_size(d);
    m->rng = seed;
    if (m->max_request == 0)
        m->max_request = 200000;
    if (first) {
        m->bytes = malloc(m->size);
        m->buf = malloc(m->size);
        ck_assert_int_eq(disk_read(d, 0, m->bytes, m->size), 0);
    } else {
        ck_assert_int_eq(disk_read(d, 0, m->buf, m->size), 0);
        ck_assert_mem_eq(m->buf, m->bytes, m->size);
    }
}

static inline void model_free(struct disk_model *m)
{
    free(m->bytes);
    free(m->buf);
    m->bytes = NULL;
}

/* Discarded sectors read as zeros or as before. */
static inline void model_discard(struct disk_model *m, uint64_t off, uint64_t n)
{
    static const uint8_t zeros[512];

    ck_assert_int_eq(disk_discard(m->d, off, n), 0);
    ck_assert_int_eq(disk_read(m->d, off, m->buf, n), 0);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t sector_end = (off + i) / 512 * 512 + 512 - off;
        uint64_t part = (sector_end < n ? sector_end : n) - i;
        if (memcmp(m->buf + i, m->bytes + off + i, part) != 0 &&
            memcmp(m->buf + i, zeros, part) != 0)
            ck_abort_msg("discarded byte %llu", (unsigned long long)(off + i));
        i += part - 1;
    }
    memcpy(m->bytes + off, m->buf, n);
}

/* One random request to both. */
static inline void model_step(struct disk_model *m)
{
    uint32_t what = model_random(m) % 16;
    uint64_t n = 1 + model_random(m) % (model_random(m) % 4 == 0 ? m->max_request : 5000);
    uint64_t off = model_random(m) % m->size;

    if (what % 2 == 0) {
        off &= ~UINT64_C(511);
        n = (n + 511) & ~UINT64_C(511);
    }
    n = n < m->size - off ? n : m->size - off;
    if (what < 8) {
        uint8_t fill = (uint8_t)model_random(m);
        for (uint64_t i = 0; i < n; i++)
            m->bytes[off + i] = (uint8_t)(fill + i * 7 + (i >> 9));
        ck_assert_int_eq(disk_write(m->d, off, m->bytes + off, n), 0);
    } else if (what < 14) {
        ck_assert_int_eq(disk_read(m->d, off, m->buf, n), 0);
        ck_assert_mem_eq(m->buf, m->bytes + off, n);
    } else if (what == 14) {
        model_discard(m, off, n);
    } else if (model_random(m) % 4 == 0) {
        ck_assert_int_eq(disk_flush(m->d), 0);
    }
}

static inline void model_check_all(struct disk_model *m)
{
    ck_assert_int_eq(disk_read(m->d, 0, m->buf, m->size), 0);
    ck_assert_mem_eq(m->buf, m->bytes, m->size);
}

#endif
