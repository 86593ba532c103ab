/* SPDX-License-Identifier: MIT */
/* Finding and reserving the place of the view (see view.h). */
#include "jit/view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USER_END   (UINT64_C(1) << 47)
#define SLICES     (USER_END / VIEW_MODULUS)
#define ALIGN      (UINT64_C(2) << 20)
#define MAX_RANGES (2u * 65536) /* of as many mappings as Linux lets a process have */
/* The stack may still grow that far down, the heap that far up. */
#define GROWTH (UINT64_C(64) << 20)

struct range {
    uint64_t first, end; /* within a slice */
};

struct ranges {
    struct range *r;
    unsigned count;
};

static void range_add(struct ranges *s, uint64_t first, uint64_t end)
{
    if (s->count + 2 > MAX_RANGES)
        return;
    if (end - first >= VIEW_MODULUS) {
        s->r[s->count++] = (struct range){0, VIEW_MODULUS};
        return;
    }
    first %= VIEW_MODULUS;
    end %= VIEW_MODULUS;
    if (first < end) {
        s->r[s->count++] = (struct range){first, end};
        return;
    }
    s->r[s->count++] = (struct range){first, VIEW_MODULUS};
    s->r[s->count++] = (struct range){0, end};
}

/* What the process has mapped now, the kernel's vsyscall page among it, which lies beyond the user
 * half. False: it cannot be known, or is too much. */
static bool read_maps(struct ranges *s)
{
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512];
    unsigned long long first, end;

    if (f == NULL)
        return false;
    while (fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "%llx-%llx", &first, &end) != 2)
            continue;
        if (strstr(line, "[stack]") != NULL)
            first -= GROWTH;
        if (strstr(line, "[heap]") != NULL)
            end += GROWTH;
        range_add(s, first, end);
    }
    fclose(f);
    return s->count + 2 <= MAX_RANGES;
}

static int by_first(const void *a, const void *b)
{
    uint64_t x = ((const struct range *)a)->first, y = ((const struct range *)b)->first;
    return x < y ? -1 : x > y;
}

/* The start of a gap of `bytes` in all slices, or UINT64_MAX. */
static uint64_t find_gap(struct ranges *s, uint64_t bytes)
{
    uint64_t at = ALIGN; /* the lowest addresses of the first slice cannot be mapped */

    qsort(s->r, s->count, sizeof(s->r[0]), by_first);
    for (unsigned k = 0; k <= s->count; k++) {
        uint64_t next = k < s->count ? s->r[k].first : VIEW_MODULUS;
        if (next >= at && next - at >= bytes)
            return at;
        if (k < s->count && s->r[k].end > at)
            at = (s->r[k].end + ALIGN - 1) & ~(ALIGN - 1);
    }
    return UINT64_MAX;
}

static void *reserve(uint64_t at, uint64_t bytes)
{
    return mmap((void *)(uintptr_t)at, bytes, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
}

static void release(struct view *v)
{
    for (uint64_t k = 0; k < v->slices; k++)
        munmap((void *)(uintptr_t)(v->window + k * VIEW_MODULUS), v->bytes);
    v->slices = 0;
}

/* An access to a page of the mapping that the memory object does not have raises SIGBUS. */
static int forbid_holes(struct view *v)
{
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_SIGBUS};
    struct uffdio_register reg = {.range = {(uintptr_t)v->base, v->ram_bytes},
                                  .mode = UFFDIO_REGISTER_MODE_MISSING};

    v->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    if (v->uffd < 0)
        return -errno;
    if (ioctl(v->uffd, UFFDIO_API, &api) < 0 || ioctl(v->uffd, UFFDIO_REGISTER, &reg) < 0)
        return -errno;
    return 0;
}

/* Map RAM in the window at an address. */
static int map_ram(struct view *v, const struct jit_ram *ram, uint64_t window)
{
    v->base = (uint8_t *)(uintptr_t)(window + VIEW_GUARD);
    if (mmap(v->base, v->ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
             ram->fd, 0) == MAP_FAILED)
        return -errno;
    return 0;
}

/* Of a place that is free in all slices, within each; UINT64_MAX: there is none. */
static uint64_t find_place(uint64_t bytes)
{
    struct ranges s = {.r = calloc(MAX_RANGES, sizeof(struct range))};
    uint64_t at = UINT64_MAX;

    if (s.r != NULL && read_maps(&s))
        at = find_gap(&s, bytes);
    free(s.r);
    return at;
}

/* The same place in all slices. */
static int place(struct view *v, const struct jit_ram *ram)
{
    uint64_t at = find_place(v->bytes);

    if (at == UINT64_MAX)
        return -EADDRNOTAVAIL;
    v->window = at;
    for (; v->slices < SLICES; v->slices++)
        if (reserve(at + v->slices * VIEW_MODULUS, v->bytes) == MAP_FAILED)
            return -EADDRNOTAVAIL;
    /* Any of them will do; this one is far from where programs and libraries lie. */
    return map_ram(v, ram, at + SLICES / 4 * VIEW_MODULUS);
}

/* Somewhere in a slice whose addresses have VIEW_POISON_BIT clear: where other views have taken
 * nothing in any slice, or in one that is empty. */
static int place_checked(struct view *v, const struct jit_ram *ram)
{
    uint64_t at = find_place(v->bytes);

    if (v->bytes > VIEW_MODULUS - ALIGN)
        return -ENOMEM;
    for (uint64_t k = SLICES / 4; k < SLICES; k += 2) {
        v->window = k * VIEW_MODULUS + (at != UINT64_MAX ? at : ALIGN);
        if (reserve(v->window, v->bytes) != MAP_FAILED) {
            v->slices = 1;
            return map_ram(v, ram, v->window);
        }
    }
    return -EADDRNOTAVAIL;
}

static int open_host(struct view *v, const struct jit_ram *ram)
{
    int status = place(v, ram);

    if (status == 0)
        status = forbid_holes(v);
    if (status != 0)
        release(v);
    if (status != 0 && v->uffd >= 0) {
        close(v->uffd);
        v->uffd = -1;
    }
    return status;
}

static int open_checked(struct view *v, const struct jit_ram *ram)
{
    int status = place_checked(v, ram);

    v->checked = true;
    if (status != 0)
        release(v);
    return status;
}

int view_create(struct view *v, const struct jit_ram *ram, enum jit_checks checks, char *err)
{
    int status;

    *v = (struct view){.uffd = -1,
                       .ram_bytes = ram->pages * JIT_RAM_STRIDE,
                       .ram_host = ram->host,
                       .bytes = ram->pages * JIT_RAM_STRIDE + 2 * VIEW_GUARD};
    v->touched = calloc(1, ram->pages);
    status = v->touched == NULL ? -ENOMEM : -EADDRNOTAVAIL;
    if (v->touched != NULL && checks != JIT_CHECKS_CODE)
        status = open_host(v, ram);
    if (v->touched != NULL && status != 0 && checks != JIT_CHECKS_HOST)
        status = open_checked(v, ram);
    if (status != 0) {
        snprintf(err, 256, "no place for the translator's view of guest memory: %s",
                 strerror(-status));
        view_free(v);
    }
    return status;
}

void view_free(struct view *v)
{
    if (v->uffd >= 0)
        close(v->uffd);
    release(v);
    free(v->touched);
    v->touched = NULL;
    v->uffd = -1;
}
