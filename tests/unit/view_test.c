/* SPDX-License-Identifier: MIT */
/* The view of guest RAM: what promises that no address of the guest's leads anywhere else. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "jit/view.h"
#include "tests/unit/sanitized.h"

#define PAGES  16u
#define SLICES (UINT64_C(1) << 47 >> (VIEW_INDEX_BITS + 12))

static struct jit_ram ram_create(uint64_t pages)
{
    uint64_t bytes = pages * JIT_RAM_STRIDE;
    struct jit_ram ram = {.fd = memfd_create("ram", MFD_CLOEXEC), .pages = pages};
    uint8_t *host;

    ck_assert_int_ge(ram.fd, 0);
    ck_assert_int_eq(ftruncate(ram.fd, (off_t)bytes), 0);
    host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ram.fd, 0);
    ck_assert_ptr_ne(host, MAP_FAILED);
    for (uint64_t n = 0; n < pages; n++)
        memset(host + n * JIT_RAM_STRIDE, (int)n + 1, JIT_RAM_STRIDE / 2);
    ram.host = host;
    return ram;
}

static struct view create(const struct jit_ram *ram)
{
    struct view v;
    char err[256] = "";

    ck_assert_msg(view_create(&v, ram, JIT_CHECKS_HOST, err) == 0, "%s", err);
    return v;
}

/* -- Maps of this process ---------------------------------------------------------------------- */

struct mapping {
    unsigned long long first, end;
    char rights[5];
};

#define MAPS_MAX 65536
static struct mapping maps[MAPS_MAX];

static unsigned read_maps(void)
{
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512];
    unsigned n = 0;

    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f) != NULL && n < MAPS_MAX)
        n += sscanf(line, "%llx-%llx %4s", &maps[n].first, &maps[n].end, maps[n].rights) == 3;
    fclose(f);
    ck_assert_uint_lt(n, MAPS_MAX);
    return n;
}

static unsigned reservations(void)
{
    unsigned count = read_maps(), reserved = 0;

    for (unsigned n = 0; n < count; n++)
        reserved += strcmp(maps[n].rights, "---p") == 0;
    return reserved;
}

/* Is all of it mapped without any rights? */
static bool is_reserved(unsigned count, uint64_t first, uint64_t end)
{
    for (unsigned n = 0; n < count && first < end; n++)
        if (maps[n].first <= first && first < maps[n].end) {
            if (strcmp(maps[n].rights, "---p") != 0)
                return false;
            first = maps[n].end;
        }
    return first >= end;
}

/* Does a mapping share a place within a slice with [first, first + bytes)? */
static bool overlaps(const struct mapping *m, uint64_t first, uint64_t bytes)
{
    return (m->first - first) % VIEW_MODULUS < bytes ||
           (first - m->first) % VIEW_MODULUS < m->end - m->first;
}

/* Whatever multiple of VIEW_MODULUS an access to the window is off, it finds nothing. */
static void require_alone(const struct view *v)
{
    unsigned count = read_maps();
    uint64_t base = (uintptr_t)v->base;

    for (uint64_t k = 0; k < SLICES; k++) {
        uint64_t at = v->window + k * VIEW_MODULUS;
        if (at + VIEW_GUARD == base) {
            ck_assert(is_reserved(count, at, base));
            ck_assert(is_reserved(count, base + v->ram_bytes, at + v->bytes));
        } else {
            ck_assert(is_reserved(count, at, at + v->bytes));
        }
    }
    for (unsigned n = 0; n < count; n++)
        if (strcmp(maps[n].rights, "---p") != 0 && maps[n].first != base)
            ck_assert_msg(!overlaps(&maps[n], v->window, v->bytes), "%llx is reachable",
                          maps[n].first);
}

/* -- Tests ------------------------------------------------------------------------------------- */

START_TEST(same_memory)
{
    struct jit_ram ram = ram_create(PAGES);
    struct view v = create(&ram);

    for (unsigned n = 0; n < PAGES; n++) {
        const uint8_t *host = ram.host + n * JIT_RAM_STRIDE;
        uint8_t *seen = (uint8_t *)(uintptr_t)view_of(&v, host);
        ck_assert_uint_eq(seen[0], n + 1);
        ck_assert_uint_eq(seen[4095], n + 1);
        seen[5] = 0xa5;
        ck_assert_uint_eq(host[5], 0xa5);
    }
    view_free(&v);
}
END_TEST

START_TEST(all_slices)
{
    struct jit_ram ram = ram_create(_i == 0 ? 1 : UINT64_C(1) << (4 * _i));
    struct view v = create(&ram);

    require_alone(&v);
    view_free(&v);
}
END_TEST

/* Only the end of the slices is free, where the kernel has its vsyscall page. */
START_TEST(beside_vsyscall)
{
    struct jit_ram ram = ram_create(480); /* a window of 4 MiB, nearly */
    void *at = (void *)(uintptr_t)(100 * VIEW_MODULUS);
    struct view v;
    char err[256];

    ck_assert_ptr_eq(mmap(at, VIEW_MODULUS - (12 << 20), PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0),
                     at);
    if (view_create(&v, &ram, JIT_CHECKS_HOST, err) != 0)
        return; /* something else lies there this time */
    require_alone(&v);
    view_free(&v);
}
END_TEST

/* Everything that was mapped before stays out of reach, wherever it lies. */
START_TEST(crowded)
{
    struct jit_ram ram = ram_create(PAGES);
    uint64_t rng = 1;
    struct view v;

    for (unsigned n = 0; n < 400; n++) {
        rng = rng * UINT64_C(6364136223846793005) + 1;
        mmap((void *)(uintptr_t)(rng >> 17 & ~UINT64_C(0xfff)), 1 << 16, PROT_READ,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    v = create(&ram);
    require_alone(&v);
    view_free(&v);
}
END_TEST

START_TEST(two_views)
{
    struct jit_ram ram[2] = {ram_create(PAGES), ram_create(3 * PAGES)};
    unsigned before = reservations();
    struct view v[2];

    v[0] = create(&ram[0]);
    v[1] = create(&ram[1]);
    require_alone(&v[0]);
    require_alone(&v[1]);
    v[0].base[0] = 0x11;
    v[1].base[0] = 0x22;
    ck_assert_uint_eq(ram[0].host[0], 0x11);
    ck_assert_uint_eq(ram[1].host[0], 0x22);
    view_free(&v[0]);
    require_alone(&v[1]);
    ck_assert_uint_eq(v[1].base[0], 0x22);
    view_free(&v[1]);
    ck_assert_uint_eq(reservations(), before);
}
END_TEST

/* Each one's reservations are in the way of the next one. */
START_TEST(many_views)
{
    struct jit_ram ram = ram_create(PAGES);
    struct view v[8];

    for (unsigned n = 0; n < 8; n++)
        v[n] = create(&ram);
    require_alone(&v[0]);
    require_alone(&v[7]);
    for (unsigned n = 0; n < 8; n++)
        view_free(&v[n]);
}
END_TEST

/* -- Accesses that must trap (each ends its test by a signal) ---------------------------------- */

static void touch(uint64_t at)
{
    *(volatile uint8_t *)(uintptr_t)at = 0;
}

START_TEST(behind_page)
{
    struct jit_ram ram = ram_create(PAGES);
    struct view v = create(&ram);
    touch((uintptr_t)v.base + 3 * JIT_RAM_STRIDE + 4096);
}
END_TEST

START_TEST(across_page_end)
{
    struct jit_ram ram = ram_create(PAGES);
    struct view v = create(&ram);
    uint64_t value;
    memcpy(&value, v.base + 4096 - 7, 8);
    ck_assert_uint_eq(value, 0); /* not reached */
}
END_TEST

/* An access by the entry of a page that it is not on lands in no page of RAM. */
START_TEST(beside_page)
{
    struct jit_ram ram = ram_create(PAGES);
    struct view v = create(&ram);
    uint64_t page = (uintptr_t)v.base + (_i & 1 ? 0 : 5) * JIT_RAM_STRIDE;
    touch(_i < 2 ? page - 1 : _i < 4 ? page - VIEW_REACH : page + 4095 + VIEW_REACH);
}
END_TEST

START_TEST(poison)
{
    struct jit_ram ram = ram_create(PAGES);
    struct view v = create(&ram);
    static const uint64_t addresses[] = {
        0, 0xfff, 0x12345678, 0xffffffff, VIEW_MODULUS - 1, VIEW_MODULUS};
    static const int reach[] = {0, -VIEW_REACH, VIEW_REACH + 4095};
    uint64_t la = addresses[_i / 3], index = la >> 12 & ((1u << VIEW_INDEX_BITS) - 1);
    uint64_t at = la + view_poison(&v, index) + (uint64_t)reach[_i % 3];
    /* in the guard, if not in this slice */
    ck_assert_uint_lt((at - v.window) % VIEW_MODULUS, VIEW_GUARD);
    touch(at);
}
END_TEST

START_TEST(other_slice)
{
    struct jit_ram ram = ram_create(PAGES);
    struct view v = create(&ram);
    touch((uintptr_t)v.base + (_i == 0   ? VIEW_MODULUS
                               : _i == 1 ? -VIEW_MODULUS
                               : _i == 2 ? -(uint64_t)(uintptr_t)v.base
                                         : UINT64_C(1) << 63));
}
END_TEST

/* -- Checks by the code ------------------------------------------------------------------------ */

/* What translated code asks of an address: pext with VIEW_CHECK, compared. */
static bool passes(const struct view *v, uint64_t at)
{
    uint32_t bits = 0;

    for (unsigned from = 0, to = 0; from < 64; from++)
        if (VIEW_CHECK >> from & 1)
            bits |= (uint32_t)(at >> from & 1) << to++;
    return bits == view_checked(v);
}

static void check_view(struct view *v, const struct jit_ram *ram)
{
    ck_assert(v->checked);
    for (unsigned n = 0; n < PAGES; n++) {
        const uint8_t *host = ram->host + n * JIT_RAM_STRIDE;
        uint64_t at = view_of(v, host);
        ck_assert_int_eq(*(const uint8_t *)(uintptr_t)at, (int)n + 1);
        ck_assert(passes(v, at) && passes(v, at + 4095));
        ck_assert(!passes(v, at + 4096) && !passes(v, at - 1));
        for (unsigned bit = VIEW_INDEX_BITS + 12; bit < 64; bit++)
            ck_assert(!passes(v, at ^ UINT64_C(1) << bit) && !passes(v, at + (UINT64_C(1) << bit)));
    }
    for (uint64_t index = 0; index < 1u << VIEW_INDEX_BITS; index += 0xfff)
        for (unsigned k = 0; k < 4; k += 2) {
            uint64_t la = index << 12 | k * VIEW_MODULUS;
            ck_assert(!passes(v, la + view_poison(v, index)));
        }
}

START_TEST(checked)
{
    struct jit_ram ram = ram_create(PAGES);
    struct view v[2];
    char err[256] = "";

    for (unsigned n = 0; n < 2; n++)
        ck_assert_msg(view_create(&v[n], &ram, JIT_CHECKS_CODE, err) == 0, "%s", err);
    ck_assert_ptr_ne(v[0].base, v[1].base);
    for (unsigned n = 0; n < 2; n++) {
        check_view(&v[n], &ram);
        view_free(&v[n]);
    }
}
END_TEST

/* What the first one reserves in all slices is not in the other one's way. */
START_TEST(checked_beside_other)
{
    struct jit_ram ram = ram_create(PAGES), ram2 = ram_create(PAGES);
    struct view first = create(&ram), second;
    char err[256] = "";

    ck_assert_msg(view_create(&second, &ram2, JIT_CHECKS_CODE, err) == 0, "%s", err);
    ck_assert(!first.checked && second.checked);
    ck_assert_uint_eq(first.base[0], second.base[0]);
    view_free(&second);
    view_free(&first);
}
END_TEST

/* Where the host cannot check, or only not in all slices, the code does. */
START_TEST(checked_where_needed)
{
    struct jit_ram ram = ram_create(PAGES);
    const struct rlimit little = {UINT64_C(200) << 20, UINT64_C(200) << 20};
    struct view v;
    char err[256] = "";

    if (!SANITIZED)
        ck_assert_int_eq(setrlimit(RLIMIT_AS, &little), 0);
    ck_assert_int_lt(view_create(&v, &ram, JIT_CHECKS_HOST, err), 0);
    ck_assert_msg(view_create(&v, &ram, JIT_CHECKS_BEST, err) == 0, "%s", err);
    check_view(&v, &ram);
    view_free(&v);
}
END_TEST

/* -- Failure ----------------------------------------------------------------------------------- */

START_TEST(no_place)
{
    struct jit_ram ram = ram_create(1);
    struct view v;
    char err[256] = "";

    ram.pages = VIEW_MODULUS / JIT_RAM_STRIDE;
    for (int checks = JIT_CHECKS_BEST; checks <= JIT_CHECKS_CODE; checks++) {
        ck_assert_int_lt(view_create(&v, &ram, (enum jit_checks)checks, err), 0);
        ck_assert_str_ne(err, "");
        ck_assert_ptr_null(strchr(err, '\n'));
        view_free(&v);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, no_place);
    tcase_add_test(tc, checked);
    tcase_add_test(tc, checked_where_needed);
    if (SANITIZED) /* the sanitizer's own memory is everywhere */
        return;
    tcase_add_test(tc, same_memory);
    tcase_add_loop_test(tc, all_slices, 0, 5);
    tcase_add_test(tc, beside_vsyscall);
    tcase_add_test(tc, crowded);
    tcase_add_test(tc, two_views);
    tcase_add_test(tc, checked_beside_other);
    tcase_add_test(tc, many_views);
    tcase_add_test_raise_signal(tc, behind_page, SIGBUS);
    tcase_add_test_raise_signal(tc, across_page_end, SIGBUS);
    tcase_add_loop_test_raise_signal(tc, beside_page, SIGBUS, 0, 1);
    tcase_add_loop_test_raise_signal(tc, beside_page, SIGSEGV, 1, 2);
    tcase_add_loop_test_raise_signal(tc, beside_page, SIGBUS, 2, 3);
    tcase_add_loop_test_raise_signal(tc, beside_page, SIGSEGV, 3, 4);
    tcase_add_loop_test_raise_signal(tc, beside_page, SIGBUS, 4, 6);
    tcase_add_loop_test_raise_signal(tc, poison, SIGSEGV, 0, 18);
    tcase_add_loop_test_raise_signal(tc, other_slice, SIGSEGV, 0, 4);
}

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *tc = tcase_create("view");
    SRunner *runner = srunner_create(suite);
    int failed;

    add_tests(tc);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
