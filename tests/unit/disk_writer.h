/* SPDX-License-Identifier: MIT */
/* A process that writes to a.qcow2 until it is killed, and what must be found in the image then. */
#ifndef TESTS_DISK_WRITER_H
#define TESTS_DISK_WRITER_H

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/unit/disk_files.h"

#define SECTORS 4096

/* Which number each sector was last given, and had when a flush had returned. */
struct history {
    uint32_t written[SECTORS], flushed[SECTORS];
};

static inline void write_forever(struct history *h, unsigned seed)
{
    struct disk *d = disk_open(&(struct disk_options){.file = "a.qcow2"}, disk_err);
    struct disk_model m = {.rng = seed};
    uint32_t numbers[128 * 64];

    if (d == NULL)
        _exit(1);
    for (uint32_t n = 1;; n++) {
        uint32_t first = model_random(&m) % SECTORS, count = 1 + model_random(&m) % 64;
        count = count < SECTORS - first ? count : SECTORS - first;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t number = h->written[first + i] + 1;
            for (unsigned k = 0; k < 128; k++)
                numbers[i * 128 + k] = number;
            h->written[first + i] = number;
        }
        if (disk_write(d, first * UINT64_C(512), numbers, count * 512) != 0)
            _exit(2);
        if (n % 16 == 0) {
            uint32_t now[SECTORS];
            memcpy(now, h->written, sizeof(now));
            if (disk_flush(d) != 0)
                _exit(3);
            memcpy(h->flushed, now, sizeof(now));
        }
    }
}

static inline struct history *new_history(void)
{
    void *p = mmap(NULL, sizeof(struct history), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);

    ck_assert(p != MAP_FAILED);
    return p;
}

static inline void kill_writer(struct history *h, unsigned seed, unsigned microseconds)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        write_forever(h, seed);
    usleep(microseconds);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
}

/* Each sector holds one of the numbers that it was given since the last flush, or that of then. */
static inline void check_history(struct history *h)
{
    uint32_t sector[128];
    struct disk *d = open_disk(&(struct disk_options){.file = "a.qcow2"});

    for (uint32_t i = 0; i < SECTORS; i++) {
        ck_assert_int_eq(disk_read(d, i * UINT64_C(512), sector, 512), 0);
        ck_assert_uint_ge(sector[0], h->flushed[i]);
        ck_assert_uint_le(sector[0], h->written[i]);
        ck_assert_mem_eq(sector + 1, sector, sizeof(sector) - 4); /* all of it is that number */
        h->written[i] = h->flushed[i] = sector[0];
    }
    ck_assert_int_eq(disk_close(d), 0);
}

#endif
