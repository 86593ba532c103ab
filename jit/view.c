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

static void release(struct view *v, uint64_t slices)
{
    for (uint64_t k = 0; k < slices; k++)
        munmap((void *)(uintptr_t)(v->window + k * VIEW_MODULUS), v->bytes);
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

static int place(struct view *v, const struct jit_ram *ram)
{
    struct ranges s = {.r = calloc(MAX_RANGES, sizeof(struct range))};
    uint64_t at = UINT64_MAX;

    if (s.r == NULL)
        return -ENOMEM;
    if (read_maps(&s))
        at = find_gap(&s, v->bytes);
    free(s.r);
    if (at == UINT64_MAX)
        return -EADDRNOTAVAIL;
    v->window = at;
    for (uint64_t k = 0; k < SLICES; k++)
        if (reserve(at + k * VIEW_MODULUS, v->bytes) == MAP_FAILED) {
            release(v, k);
            v->window = 0;
            return -EADDRNOTAVAIL;
        }
    /* Any of them will do; this one is far from where programs and libraries lie. */
    v->base = (uint8_t *)(uintptr_t)(at + SLICES / 4 * VIEW_MODULUS + VIEW_GUARD);
    if (mmap(v->base, v->ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
             ram->fd, 0) == MAP_FAILED)
        return -errno;
    return 0;
}

int view_create(struct view *v, const struct jit_ram *ram, char *err)
{
    int status;

    *v = (struct view){.uffd = -1,
                       .ram_bytes = ram->pages * JIT_RAM_STRIDE,
                       .ram_host = ram->host,
                       .bytes = ram->pages * JIT_RAM_STRIDE + 2 * VIEW_GUARD};
    v->touched = calloc(1, ram->pages);
    status = v->touched == NULL ? -ENOMEM : place(v, ram);
    if (status == 0)
        status = forbid_holes(v);
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
    if (v->window != 0)
        release(v, SLICES);
    free(v->touched);
    v->touched = NULL;
    v->window = 0;
    v->uffd = -1;
}
