/* SPDX-License-Identifier: MIT */
/* Regions, the flattened table, DMA accessors, and what the processor is told about changes. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

static struct vm *vm;

static void setup(void)
{
    vm = fake_vm(NULL);
}

static void teardown(void)
{
    vm_destroy(vm);
}

/* A model that cannot be wrong: the visible region by looking through all of them. */
#define MODEL_REGIONS 12
static struct region model[MODEL_REGIONS];
static unsigned model_age[MODEL_REGIONS];

static int model_at(uint64_t pa)
{
    int best = -1;

    for (int i = 0; i < MODEL_REGIONS; i++) {
        if (model[i].base != MEM_UNMAPPED && pa - model[i].base < model[i].size &&
            (best < 0 || model_age[i] > model_age[best]))
            best = i;
    }
    return best;
}

static uint64_t who_read(void *dev, uint32_t off, unsigned n)
{
    (void)off, (void)n;
    return (uint64_t)((struct region *)dev - model);
}

static const struct io_ops who_ops = {.read = who_read, .sizes = IO_8};

START_TEST(overlaps_at_random)
{
    struct cpu *c = fake_cpu_of(vm);

    srand(7);
    for (int i = 0; i < MODEL_REGIONS; i++) {
        model[i] = (struct region){.name = "r", .base = MEM_UNMAPPED, .kind = REGION_MMIO};
        model[i].ops = &who_ops;
        model[i].dev = &model[i];
        model[i].size = 1 + (uint64_t)rand() % 40;
    }
    for (unsigned step = 1; step < 2000; step++) {
        int i = rand() % MODEL_REGIONS;
        uint64_t base = rand() % 4 == 0 ? MEM_UNMAPPED : GIB(3) + (uint64_t)rand() % 100;

        vm_lock(vm);
        ck_assert_int_eq(mem_map(vm, &model[i], base), 0);
        vm_unlock(vm);
        model_age[i] = step;
        for (uint64_t pa = GIB(3); pa < GIB(3) + 150; pa++) {
            int want = model_at(pa);

            ck_assert_uint_eq(phys_read(c, pa, 1), want < 0 ? 0xff : (unsigned)want);
        }
    }
}
END_TEST

START_TEST(ram_and_holes)
{
    struct cpu *c = fake_cpu_of(vm);
    uint8_t *page = phys_page(c, 0x1234, true);
    uint8_t buf[8], ones[8];

    memset(ones, 0xff, sizeof(ones));
    ck_assert_ptr_nonnull(page);
    memcpy(page, "hello", 5);
    ck_assert(dma_read(vm, 0x1000, buf, 5));
    ck_assert_mem_eq(buf, "hello", 5);
    ck_assert_uint_eq(phys_read(c, 0x1001, 4), 0x6f6c6c65);
    phys_write(c, 0x1ffd, 4, 0x04030201); /* accesses cross no page, but nothing bad must happen */
    ck_assert_uint_eq(phys_read(c, 0x1ffd, 4), 0x04030201);

    ck_assert_ptr_null(phys_page(c, MIB(64), false));
    ck_assert(!dma_read(vm, MIB(64) - 4, buf, 8));
    ck_assert_mem_eq(buf, ones, 8);
    ck_assert(!dma_write(vm, MIB(64) - 4, "12345678", 8));
    ck_assert_uint_eq(phys_read(c, MIB(64) - 4, 4), 0);
    ck_assert_uint_eq(phys_read(c, MIB(64) - 4, 8), 0xffffffff00000000);
    ck_assert(!dma_read(vm, UINT64_MAX - 3, buf, 8));
    ck_assert(!dma_write(vm, UINT64_MAX, buf, 1));
    ck_assert(dma_write(vm, MIB(64) - 4, "1234", 4));
    ck_assert(dma_write(vm, MIB(999), "", 0));
}
END_TEST

START_TEST(rom)
{
    struct region r = {.name = "rom", .size = 0x2000, .kind = REGION_ROM};
    struct cpu *c = fake_cpu_of(vm);
    uint8_t buf[0x3000];

    vm_lock(vm);
    ck_assert_int_eq(mem_alloc(vm, 0x1800, &r.ram_off), 0);
    ck_assert_int_eq(mem_map(vm, &r, 0xe0800), -EINVAL);
    ck_assert_int_eq(mem_map(vm, &r, 0xe0000), 0);
    ck_assert(!dma_write(vm, 0xe0000, "x", 1));
    ck_assert(mem_load(vm, 0xdfffe, "abcd", 4));
    ck_assert(dma_read(vm, 0xdf000, buf, sizeof(buf)));
    vm_unlock(vm);
    ck_assert_mem_eq(buf + 0xffe, "abcd", 4);
    ck_assert_ptr_nonnull(phys_page(c, 0xe0000, false));
    ck_assert_ptr_null(phys_page(c, 0xe0000, true));
    phys_write(c, 0xe0000, 2, 0x1111);
    ck_assert_uint_eq(phys_read(c, 0xe0000, 2), 0x6463);

    vm_lock(vm);
    mem_map(vm, &r, MEM_UNMAPPED);
    vm_unlock(vm);
    ck_assert_uint_eq(phys_read(c, 0xdfffe, 4), 0x00006261);
}
END_TEST

START_TEST(alias_of_ram)
{
    struct region r = {.name = "shadow", .size = 0x1000, .kind = REGION_ROM, .ram_off = 0xf0000};
    struct cpu *c = fake_cpu_of(vm);

    phys_write(c, 0xf0010, 4, 0x12345678);
    vm_lock(vm);
    ck_assert_int_eq(mem_map(vm, &r, 0xfffff000), 0);
    vm_unlock(vm);
    ck_assert_uint_eq(phys_read(c, 0xfffff010, 4), 0x12345678);
    vm_lock(vm);
    r.ram_off = MIB(64) + MIB(256); /* outside of the memory object */
    ck_assert_int_eq(mem_map(vm, &r, 0xfffff000), -EINVAL);
    r.ram_off = 0xf0000;
    ck_assert_int_eq(mem_map(vm, &r, UINT64_MAX & ~UINT64_C(0xfff)), -EINVAL);
    vm_unlock(vm);
}
END_TEST

START_TEST(tells_the_processor)
{
    struct region r = {.name = "bar", .size = 0x1000, .kind = REGION_MMIO};
    unsigned flushes = fake_cpu.tlb_flushes, writes = fake_cpu.code_writes;

    vm_lock(vm);
    ck_assert_int_eq(mem_map(vm, &r, 0xf0000000), 0);
    ck_assert_uint_eq(fake_cpu.tlb_flushes, flushes + 1);
    ck_assert(dma_write(vm, 0x5000, "code", 4));
    ck_assert_uint_eq(fake_cpu.code_writes, writes + 1);
    ck_assert_uint_eq(fake_cpu.code_pa, 0x5000);
    ck_assert_uint_eq(fake_cpu.code_n, 4);
    vm_unlock(vm);
}
END_TEST

START_TEST(above_4g)
{
    struct vm_config cfg = {.ram_bytes = GIB(64)};
    struct vm *big = fake_vm_with(&cfg, NULL);
    struct cpu *c = fake_cpu_of(big);

    ck_assert_uint_eq(mem_below_4g(big), VM_RAM_HOLE);
    ck_assert_uint_eq(mem_above_4g(big), GIB(64) - VM_RAM_HOLE);
    phys_write(c, GIB(4), 8, 42);
    phys_write(c, GIB(65) - 8, 8, 43);
    ck_assert_uint_eq(phys_read(c, GIB(4), 8), 42);
    ck_assert_uint_eq(phys_read(c, GIB(65) - 8, 8), 43);
    ck_assert_uint_eq(phys_read(c, GIB(65), 8), UINT64_MAX);
    ck_assert_uint_eq(phys_read(c, VM_RAM_HOLE, 4), 0xffffffff);
    ck_assert_uint_eq(phys_read(c, VM_RAM_HOLE - 8, 8), 0);
    vm_destroy(big);
}
END_TEST

#define WATCHED 40u

/* A region of WATCHED pages that shows the whole piece. */
static struct region watched_region(struct mem_watch *w)
{
    struct region r = {.name = "video",
                       .base = MEM_UNMAPPED,
                       .size = WATCHED * PAGE_SIZE,
                       .kind = REGION_RAM,
                       .watch = w};

    vm_lock(vm);
    ck_assert_int_eq(mem_alloc(vm, r.size, &r.ram_off), 0);
    ck_assert_int_eq(mem_watch_create(vm, w, r.ram_off, r.size), 0);
    vm_unlock(vm);
    return r;
}

static unsigned count(const uint8_t *pages)
{
    unsigned n = 0;

    for (unsigned k = 0; k < WATCHED; k++)
        n += pages[k];
    return n;
}

/* Nothing runs, so that pages are closed at once; what was open is told of once more. */
START_TEST(watched_pages)
{
    struct cpu *c = fake_cpu_of(vm);
    struct mem_watch w;
    struct region r = watched_region(&w);
    uint8_t pages[WATCHED];
    unsigned ends = fake_cpu.write_ends;

    vm_lock(vm);
    ck_assert_int_eq(mem_map(vm, &r, GIB(3)), 0);
    vm_unlock(vm);
    ck_assert_ptr_nonnull(phys_page(c, GIB(3), true)); /* nobody looks: all are open */
    ck_assert(mem_watch_take(vm, &w, pages));
    ck_assert_uint_eq(count(pages), WATCHED);
    ck_assert_uint_eq(fake_cpu.write_ends, ends + 1);
    ck_assert_ptr_eq(fake_cpu.writes_begin, phys_page(c, GIB(3), false));
    ck_assert_uint_eq((uint64_t)(fake_cpu.writes_end - fake_cpu.writes_begin),
                      WATCHED * PAGE_SIZE << vm->mem.spread);
    ck_assert_ptr_null(phys_page(c, GIB(3), true));
    ck_assert(mem_watch_take(vm, &w, pages));
    ck_assert(!mem_watch_take(vm, &w, pages));
    ck_assert_uint_eq(fake_cpu.write_ends, ends + 1);

    phys_write(c, GIB(3) + 17 * PAGE_SIZE + 8, 4, 1); /* opens the eight from 16 on */
    ck_assert_ptr_nonnull(phys_page(c, GIB(3) + 23 * PAGE_SIZE, true));
    ck_assert_ptr_null(phys_page(c, GIB(3) + 24 * PAGE_SIZE, true));
    ck_assert_uint_eq(phys_read(c, GIB(3) + 17 * PAGE_SIZE + 8, 4), 1);
    for (unsigned k = 0; k < 2; k++) {
        ck_assert(mem_watch_take(vm, &w, pages));
        ck_assert_uint_eq(count(pages), 8);
        ck_assert_uint_eq(count(pages) - pages[16] - pages[23], 6);
    }
    ck_assert(!mem_watch_take(vm, &w, pages));

    vm_lock(vm); /* DMA and the owner's own writes are noticed, too */
    ck_assert(dma_write(vm, GIB(3) + 39 * PAGE_SIZE, "x", 1));
    mem_watch_note(&w, 2 * PAGE_SIZE - 1, 2);
    vm_unlock(vm);
    ck_assert(mem_watch_take(vm, &w, pages));
    ck_assert_uint_eq(count(pages), 8 + 2);
    ck_assert(pages[39] && pages[1] && pages[2]);
    vm_lock(vm);
    mem_map(vm, &r, MEM_UNMAPPED);
    mem_watch_free(vm, &w);
    vm_unlock(vm);
}
END_TEST

/* Another view of a part of the piece shares its pages. */
START_TEST(watched_twice)
{
    struct cpu *c = fake_cpu_of(vm);
    struct mem_watch w;
    struct region r = watched_region(&w), part = r;
    uint8_t pages[WATCHED];

    part.ram_off += 16 * PAGE_SIZE;
    part.size = 8 * PAGE_SIZE;
    vm_lock(vm);
    ck_assert_int_eq(mem_map(vm, &r, GIB(3)), 0);
    ck_assert_int_eq(mem_map(vm, &part, 0xa0000), 0);
    vm_unlock(vm);
    mem_watch_take(vm, &w, pages);
    mem_watch_take(vm, &w, pages);
    ck_assert_ptr_null(phys_page(c, 0xa0000, true));
    phys_write(c, 0xa7fff, 1, 0x5a);
    ck_assert_ptr_nonnull(phys_page(c, GIB(3) + 16 * PAGE_SIZE, true));
    ck_assert(mem_watch_take(vm, &w, pages));
    ck_assert_uint_eq(count(pages), 8);
    ck_assert(pages[16] && pages[23]);
    vm_lock(vm);
    mem_map(vm, &r, MEM_UNMAPPED);
    mem_map(vm, &part, MEM_UNMAPPED);
    mem_watch_free(vm, &w);
    vm_unlock(vm);
}
END_TEST

/* A write to code in a page that was closed drops the code. */
START_TEST(watched_code)
{
    struct mem_watch w;
    struct region r = watched_region(&w);
    uint8_t pages[WATCHED];
    unsigned writes;

    vm_lock(vm);
    ck_assert_int_eq(mem_map(vm, &r, GIB(3)), 0);
    vm_unlock(vm);
    mem_watch_take(vm, &w, pages);
    writes = fake_cpu.code_writes;
    phys_write(fake_cpu_of(vm), GIB(3) + 100, 2, 1);
    ck_assert_uint_eq(fake_cpu.code_writes, writes + 1);
    ck_assert_uint_eq(fake_cpu.code_pa, GIB(3) + 100);
    vm_lock(vm);
    mem_map(vm, &r, MEM_UNMAPPED);
    mem_watch_free(vm, &w);
    vm_unlock(vm);
}
END_TEST

START_TEST(bad_sizes)
{
    static const uint64_t sizes[] = {1, 4096, MIB(1) - 4096, MIB(64) + 1, UINT64_MAX};
    static const struct board_row rows[1];
    static const struct board board = {"empty", rows};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct vm_config cfg = {.ram_bytes = sizes[i], .cpus = 1};
        char err[VM_ERR_LEN] = "";
        struct vm *none;

        ck_assert_int_eq(vm_create(&none, &cfg, &board, err), -EINVAL);
        ck_assert_ptr_null(none);
        ck_assert_str_ne(err, "");
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mem");
    TCase *t = tcase_create("mem");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, overlaps_at_random);
    tcase_add_test(t, ram_and_holes);
    tcase_add_test(t, rom);
    tcase_add_test(t, alias_of_ram);
    tcase_add_test(t, tells_the_processor);
    tcase_add_test(t, above_4g);
    tcase_add_test(t, watched_pages);
    tcase_add_test(t, watched_twice);
    tcase_add_test(t, watched_code);
    tcase_add_test(t, bad_sizes);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
