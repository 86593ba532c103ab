/* SPDX-License-Identifier: MIT */
/* Shadow tables and jump caches: what may be hit, what must not be hit any more, and where entries
 * that allow nothing lead. The view is only an address here. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jit/codemap.h"
#include "jit/shadow.h"

#define PAGES    64u
#define BASE     ((uint8_t *)(UINT64_C(1) << 45))
#define HOST     ((const uint8_t *)0x7000000000)
#define PAGE(n)  (HOST + (n)*JIT_RAM_STRIDE)
#define CTX      0u
#define OTHER    1u
#define CHUNK    (UINT64_C(2048) << 12) /* bytes of guest memory */
#define CHUNKS   1024u                  /* accessible at a time */
#define LISTED   (1u << 22)             /* more entries than the chunks hold */
#define ALIAS    VIEW_MODULUS           /* distance of addresses with the same entry */
#define JUMP_GAP (UINT64_C(1) << JUMP_BITS)
#define PLACE    0x70000u /* code is so much behind its linear address */

static struct shadow s;

static void setup(void)
{
    ck_assert_int_eq(shadow_create(&s), 0);
    s.view.base = BASE;
    s.view.ram_host = HOST;
    s.view.ram_bytes = PAGES * JIT_RAM_STRIDE;
    s.view.bytes = s.view.ram_bytes + 2 * VIEW_GUARD;
    s.view.touched = calloc(1, PAGES);
}

static void teardown(void)
{
    shadow_free(&s);
}

/* -- Looking up as translated code does -------------------------------------------------------- */

static bool is_readable(const void *at)
{
    int fd[2];
    bool ok;

    ck_assert_int_eq(pipe(fd), 0);
    ok = write(fd[1], at, 1) == 1;
    close(fd[0]);
    close(fd[1]);
    return ok;
}

static const uint64_t *entry_at(unsigned mmu, uint64_t la, bool write)
{
    return shadow_table(&s, mmu) + (la >> 12 & (SHADOW_ENTRIES - 1)) + (write ? SHADOW_ENTRIES : 0);
}

/* Where the access ends up; 0: it faults at the table. */
static uint64_t target(unsigned mmu, uint64_t la, bool write)
{
    const uint64_t *e = entry_at(mmu, la, write);
    return is_readable(e) ? la + *e : 0;
}

/* The number of the page that is accessed, or -1. Nothing but pages and the guard is reached, in
 * whatever slice. */
static int hit(unsigned mmu, uint64_t la, bool write)
{
    uint64_t at = target(mmu, la, write), base = (uintptr_t)BASE;

    if (at == 0)
        return -1;
    if (at - base < s.view.ram_bytes) {
        ck_assert_uint_lt((at - base) % JIT_RAM_STRIDE, 4096);
        return (int)((at - base) / JIT_RAM_STRIDE);
    }
    uint64_t in_window = (at - (base - VIEW_GUARD)) % VIEW_MODULUS;
    if (in_window - VIEW_GUARD / 2 < 4096)
        return -1; /* poison */
    ck_assert_uint_lt(in_window - VIEW_GUARD, s.view.ram_bytes);
    return -2; /* a page, a multiple of VIEW_MODULUS off: reserved */
}

static void fill(unsigned mmu, uint64_t la, int rd, int wr, unsigned shift, bool global)
{
    shadow_fill(&s, mmu,
                &(struct filled_page){.la = la,
                                      .rd = rd < 0 ? NULL : PAGE(rd),
                                      .wr = wr < 0 ? NULL : PAGE(wr),
                                      .shift = (uint8_t)shift,
                                      .global = global});
}

/* A page translated in advance is entered only if it has been accessed before. */
START_TEST(ahead)
{
    uint64_t la = 0x5000;
    struct filled_page p = {.la = la, .rd = PAGE(7), .wr = PAGE(7), .shift = 12, .ahead = true};

    shadow_fill(&s, CTX, &p);
    ck_assert_int_eq(hit(CTX, la, false), -1);
    fill(OTHER, la, 7, -1, 12, false);
    shadow_fill(&s, CTX, &p);
    ck_assert_int_eq(hit(CTX, la, true), 7);
}
END_TEST

/* -- Entries ----------------------------------------------------------------------------------- */

START_TEST(rights)
{
    uint64_t la = UINT64_C(0xffff888012345000);

    ck_assert_int_eq(hit(CTX, la, false), -1);
    fill(CTX, la, 3, 4, 12, false);
    ck_assert_int_eq(hit(CTX, la + 0xfff, false), 3);
    ck_assert_int_eq(hit(CTX, la, true), 4);
    ck_assert_int_eq(hit(OTHER, la, false), -1);
    ck_assert_int_eq(hit(CTX, la + 4096, false), -1);
    ck_assert_int_eq(hit(CTX, la - 4096, false), -1);
    fill(CTX, la, 3, -1, 12, false);
    ck_assert_int_eq(hit(CTX, la, false), 3);
    ck_assert_int_eq(hit(CTX, la, true), -1);
    fill(CTX, la, -1, -1, 12, false);
    ck_assert_int_eq(hit(CTX, la, false), -1);
}
END_TEST

START_TEST(count_of_changes)
{
    uint64_t before;

    fill(CTX, 0x5000, 1, 1, 12, false);
    before = s.fills;
    fill(CTX, 0x5000, 1, 1, 12, false);
    ck_assert_uint_eq(s.fills, before);
    fill(CTX, 0x5000, 1, -1, 12, false);
    ck_assert_uint_eq(s.fills, before + 1);
    fill(CTX, 0x6000, -1, -1, 12, false); /* allows nothing, as before */
    ck_assert_uint_eq(s.fills, before + 1);
}
END_TEST

/* Addresses that share an entry: the later one owns it, the other does not hit. */
START_TEST(conflicts)
{
    fill(CTX, 0x5000, 1, 1, 12, true);
    ck_assert_int_eq(hit(CTX, 0x5000 + ALIAS, false), -2);
    fill(CTX, 0x5000 + ALIAS, 2, 2, 12, false);
    ck_assert_int_eq(hit(CTX, 0x5000 + ALIAS, true), 2);
    ck_assert_int_eq(hit(CTX, 0x5000, false), -2);
    shadow_forget(&s, false);
    ck_assert_int_eq(hit(CTX, 0x5000 + ALIAS, true), -1);
    fill(CTX, 0x5000 + ALIAS, 2, 2, 12, false);
    shadow_forget_page(&s, 0x5000, false);
    ck_assert_int_eq(hit(CTX, 0x5000, true), -1);
}
END_TEST

START_TEST(forget)
{
    fill(CTX, 0x5000, 1, 1, 12, false);
    fill(CTX, 0x6000, 2, 2, 12, true);
    fill(OTHER, 0x5000, 3, 3, 12, false);
    shadow_forget(&s, false);
    ck_assert_int_eq(hit(CTX, 0x5000, false), -1);
    ck_assert_int_eq(hit(CTX, 0x5000, true), -1);
    ck_assert_int_eq(hit(OTHER, 0x5000, false), -1);
    ck_assert_int_eq(hit(CTX, 0x6000, true), 2);
    shadow_forget(&s, true);
    ck_assert_int_eq(hit(CTX, 0x6000, true), -1);
    ck_assert_int_eq(hit(CTX, 0x6000, false), -1);
}
END_TEST

START_TEST(forget_page)
{
    uint64_t large = UINT64_C(0xffffffff80000000);

    fill(CTX, 0x5000, 1, 1, 12, false);
    fill(OTHER, 0x5000, 1, 1, 12, true);
    fill(CTX, 0x6000, 2, 2, 12, false);
    shadow_forget_page(&s, 0x5abc, false);
    ck_assert_int_eq(hit(CTX, 0x5000, false), -1);
    ck_assert_int_eq(hit(OTHER, 0x5000, true), -1);
    ck_assert_int_eq(hit(CTX, 0x6000, false), 2);

    fill(CTX, large, 1, 1, 21, true);
    fill(CTX, large + 0x1ff000, 2, 2, 21, false);
    fill(CTX, large + 0x200000, 3, 3, 21, true);
    fill(CTX, large - 0x1000, 4, 4, 12, false);
    shadow_forget_page(&s, large + 0x3000, true);
    ck_assert_int_eq(hit(CTX, large, false), -1);
    ck_assert_int_eq(hit(CTX, large + 0x1ff000, true), -1);
    ck_assert_int_eq(hit(CTX, large + 0x200000, true), 3);
    ck_assert_int_eq(hit(CTX, large - 0x1000, true), 4);
    fill(CTX, large, 1, 1, 30, true);
    shadow_forget_page(&s, large + 0x400000 + 0x3000, true);
    ck_assert_int_eq(hit(CTX, large, false), -1);
    ck_assert_int_eq(hit(CTX, large + 0x200000, true), 3);
}
END_TEST

static bool leads_beside(unsigned ctx, uint64_t la, unsigned page)
{
    return la + shadow_entry(&s, ctx, la, TABLE_BESIDE) == view_of(&s.view, PAGE(page));
}

/* Code on a page: its write entries are poisoned now; reads, and writes by who looks at the code
 * map, go on. */
START_TEST(protect)
{

    fill(CTX, 0x5000, 1, 1, 12, false);
    fill(CTX, 0x9000, 1, 1, 12, true);
    fill(OTHER, 0x7000, 1, 1, 12, false);
    fill(OTHER, 0x8000, 2, 2, 12, false);
    shadow_protect(&s, PAGE(1));
    ck_assert_int_eq(hit(CTX, 0x5000, true), -1);
    ck_assert_int_eq(hit(CTX, 0x9000, true), -1);
    ck_assert_int_eq(hit(OTHER, 0x7000, true), -1);
    ck_assert(leads_beside(CTX, 0x5000, 1));
    ck_assert(leads_beside(CTX, 0x9000, 1));
    ck_assert(leads_beside(OTHER, 0x7000, 1));
    ck_assert(leads_beside(OTHER, 0x8000, 2));
    ck_assert_int_eq(hit(CTX, 0x5000, false), 1);
    ck_assert_int_eq(hit(OTHER, 0x8000, true), 2);
    shadow_forget_page(&s, 0x5000, false);
    ck_assert(!leads_beside(CTX, 0x5000, 1));
}
END_TEST

/* Writes to some pages end, those beside code too; reads stay. */
START_TEST(end_writes)
{
    fill(CTX, 0x5000, 1, 1, 12, false);
    fill(CTX, 0x6000, 2, 2, 12, true);
    fill(CTX, 0x9000, 3, 3, 12, true);
    fill(OTHER, 0x7000, 1, 1, 12, false);
    shadow_protect(&s, PAGE(2));
    shadow_end_writes(&s, PAGE(1), PAGE(3));
    ck_assert_int_eq(hit(CTX, 0x5000, true), -1);
    ck_assert_int_eq(hit(CTX, 0x6000, true), -1);
    ck_assert_int_eq(hit(OTHER, 0x7000, true), -1);
    ck_assert_int_eq(hit(CTX, 0x9000, true), 3);
    ck_assert(!leads_beside(CTX, 0x5000, 1) && !leads_beside(CTX, 0x6000, 2));
    ck_assert_int_eq(hit(CTX, 0x5000, false), 1);
    ck_assert_int_eq(hit(CTX, 0x6000, false), 2);
    fill(CTX, 0x5000, 1, 1, 12, false);
    ck_assert_int_eq(hit(CTX, 0x5000, true), 1);
}
END_TEST

/* However often that is done, a page is listed once: the others stay when it has been done more
 * often than the list has room for. */
START_TEST(end_writes_often)
{
    fill(CTX, 0x9000, 3, 3, 12, false);
    for (unsigned k = 0; k < LISTED; k++) {
        fill(CTX, 0x5000, 1, k & 1 ? 1 : -1, 12, false);
    }
    ck_assert_int_eq(hit(CTX, 0x9000, true), 3);
    ck_assert_int_eq(hit(CTX, 0x5000, true), 1);
    shadow_forget(&s, false);
    ck_assert_int_eq(hit(CTX, 0x5000, false), -1);
    ck_assert_int_eq(hit(CTX, 0x5000, true), -1);
}
END_TEST

/* The map of code says of each write of 1 to 16 bytes whether it touches code. */
START_TEST(code_map)
{
    static const unsigned code[][2] = {{0, 0}, {5, 9}, {100, 131}, {140, 140}, {4000, 4095}};
    uint8_t is_code[4096 + 16] = {0};
    struct codemap m;

    ck_assert_int_eq(codemap_create(&m, &(struct jit_ram){.host = PAGE(0), .pages = 2}), 0);
    for (unsigned k = 0; k < sizeof(code) / sizeof(code[0]); k++) {
        codemap_add(&m, PAGE(1), code[k][0], code[k][1]);
        memset(is_code + code[k][0], 1, code[k][1] - code[k][0] + 1);
    }
    for (unsigned at = 0; at < 4096; at++)
        for (unsigned size = 1; size <= 16; size *= 2) {
            bool touches = memchr(is_code + at, 1, size) != NULL;
            ck_assert_int_eq((m.map[JIT_RAM_STRIDE + at] & size) != 0, touches);
        }
    codemap_clear_page(&m, PAGE(1));
    for (unsigned at = 0; at < 2 * JIT_RAM_STRIDE; at++)
        ck_assert_uint_eq(m.map[at], 0);
    codemap_free(&m);
}
END_TEST

/* Poison lands in the middle of the guard, whatever address has the index. */
START_TEST(poison)
{
    uint64_t rng = 1;

    for (unsigned n = 0; n < 100000; n++) {
        uint64_t la = rng;
        rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t at = la + view_poison(&s.view, la >> 12 & (SHADOW_ENTRIES - 1));
        uint64_t in_window = (at - ((uintptr_t)BASE - VIEW_GUARD / 2)) % VIEW_MODULUS;
        if (in_window != (la & 0xfff))
            ck_abort_msg("%llx", (unsigned long long)la);
    }
}
END_TEST

/* -- Limits ------------------------------------------------------------------------------------ */

/* More of the address space than the tables hold: all is forgotten, then goes on. */
START_TEST(chunks)
{
    for (uint64_t k = 0; k < CHUNKS; k++)
        fill(CTX, k * CHUNK, (int)(k % PAGES), -1, 12, k & 1);
    ck_assert_int_eq(hit(CTX, 0, false), 0);
    ck_assert_int_eq(hit(CTX, (CHUNKS - 1) * CHUNK, false), (CHUNKS - 1) % PAGES);
    fill(CTX, CHUNKS * CHUNK, 7, 7, 12, false);
    ck_assert_int_eq(hit(CTX, CHUNKS * CHUNK, true), 7);
    for (uint64_t k = 0; k < CHUNKS; k++)
        ck_assert(!is_readable(entry_at(CTX, k * CHUNK, false)));
    fill(CTX, 0, 9, -1, 12, false);
    ck_assert_int_eq(hit(CTX, 0, false), 9);
    ck_assert_int_eq(hit(CTX, 0x1000, false), -1);
    ck_assert_int_eq(hit(CTX, 0, true), -1);
    shadow_forget(&s, true);
    shadow_forget_page(&s, CHUNK, true);
    ck_assert_int_eq(hit(CTX, CHUNKS * CHUNK, true), -1);
}
END_TEST

static bool is_remembered(uint64_t la)
{
    return *entry_at(CTX, la, false) + la - (uintptr_t)BASE < s.view.ram_bytes;
}

/* What a program works on stays, though it be a gigabyte. */
START_TEST(large_working_set)
{
    const uint64_t pages = 1 << 18;

    for (uint64_t k = 0; k < pages; k++)
        fill(CTX, k << 12, 1, 1, 12, k & 1);
    for (uint64_t k = 0; k < pages; k++)
        if (!is_remembered(k << 12))
            ck_abort_msg("page %llu was forgotten", (unsigned long long)k);
    shadow_forget(&s, false);
    for (uint64_t k = 0; k < pages; k++)
        if (is_remembered(k << 12) != (k & 1))
            ck_abort_msg("page %llu", (unsigned long long)k);
}
END_TEST

/* Few pages, which change more often than lists have room for. */
START_TEST(full_list)
{
    for (unsigned global = 0; global < 2; global++) {
        for (unsigned k = 0; k <= LISTED; k++)
            fill(CTX, (uint64_t)(k & 1) << 12, k >> 1 & 1, 1, 12, global);
        ck_assert_int_eq(hit(CTX, (LISTED & 1) << 12, true), 1);
        shadow_forget(&s, true);
        ck_assert(!is_remembered(0) && !is_remembered(0x1000));
    }
}
END_TEST

/* -- Jump caches ------------------------------------------------------------------------------- */

/* What translated code would jump to, or 0. */
static uint64_t jump(unsigned mmu, unsigned cache, uint64_t la)
{
    const struct jump_entry *e =
        (const struct jump_entry *)(const void *)((uint8_t *)shadow_table(&s, mmu) + JUMP_OFFSET +
                                                  cache * JUMP_CACHE_BYTES) +
        (la & (JUMP_GAP - 1));
    return e->minus_la + la == 0 ? e->code : 0;
}

static void insert(unsigned mmu, unsigned cache, uint64_t la, uint64_t code, bool global)
{
    jump_insert(&s, mmu, cache,
                &(struct jump){.la = la,
                               .pa = la + PLACE,
                               .tail_pa = NO_PAGE,
                               .code = (const uint8_t *)(uintptr_t)code,
                               .global = global});
}

/* An entry that was never written is not that of an address which has it. */
START_TEST(jumps_empty)
{
    for (unsigned cache = 0; cache < JUMP_CACHES; cache++)
        for (uint64_t la = 0; la < JUMP_GAP; la++) {
            const struct jump_entry *e = (const void *)((uint8_t *)shadow_table(&s, CTX) +
                                                        JUMP_OFFSET + cache * JUMP_CACHE_BYTES);
            if ((-e[la].minus_la & (JUMP_GAP - 1)) == la)
                ck_abort_msg("%llx hits", (unsigned long long)la);
        }
}
END_TEST

START_TEST(jumps)
{
    insert(CTX, 0, 0x1000, 0xc0de, false);
    ck_assert_uint_eq(jump(CTX, 0, 0x1000), 0xc0de);
    ck_assert_uint_eq(jump(CTX, 1, 0x1000), 0);
    ck_assert_uint_eq(jump(OTHER, 0, 0x1000), 0);
    ck_assert_uint_eq(jump(CTX, 0, 0x1000 + JUMP_GAP), 0);
    insert(CTX, 0, 0x1000 + JUMP_GAP, 0xbeef, false);
    ck_assert_uint_eq(jump(CTX, 0, 0x1000), 0);
    ck_assert_uint_eq(jump(CTX, 0, 0x1000 + JUMP_GAP), 0xbeef);
    insert(CTX, 0, 0x2000, 0xcafe, true);
    jumps_forget(&s, false);
    ck_assert_uint_eq(jump(CTX, 0, 0x1000 + JUMP_GAP), 0);
    ck_assert_uint_eq(jump(CTX, 0, 0x1000), 0);
    ck_assert_uint_eq(jump(CTX, 0, 0x2000), 0xcafe);
    jumps_forget(&s, true);
    ck_assert_uint_eq(jump(CTX, 0, 0x2000), 0);
}
END_TEST

/* The first entry is for no code. */
START_TEST(jumps_first)
{
    const struct jump_entry *e =
        (const void *)((uint8_t *)shadow_table(&s, CTX) + JUMP_OFFSET + 2 * JUMP_CACHE_BYTES);

    jumps_reserve(&s, (const uint8_t *)(uintptr_t)0x570b);
    insert(CTX, 2, 3 * JUMP_GAP, 0xc0de, true);
    ck_assert_uint_eq(jump(CTX, 2, 3 * JUMP_GAP), 0);
    ck_assert_uint_eq(e->minus_la, 1);
    ck_assert_uint_eq(e->code, 0x570b);
    shadow_enter_space(&s, 4711, true); /* with new caches */
    e = (const void *)((uint8_t *)shadow_table(&s, MMU_USER) + JUMP_OFFSET);
    ck_assert_uint_eq(e->code, 0x570b);
}
END_TEST

/* Against a model: one entry per index, forgotten all at once. */
START_TEST(jumps_random)
{
    static const uint64_t bases[] = {0, JUMP_GAP, 2 * JUMP_GAP, UINT64_MAX - 3 * JUMP_GAP + 1,
                                     UINT64_C(0xffffffff81000000)};
    uint64_t owner[4] = {0}, code[4] = {0}, rng = 7;

    for (unsigned n = 1; n < 200000; n++) {
        rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        unsigned low = rng >> 33 & 3;
        uint64_t la = bases[(rng >> 36) % 5] + low + 1;
        if ((rng >> 40) % 16 == 0) {
            jumps_forget(&s, true);
            memset(code, 0, sizeof(code));
        } else if ((rng >> 40) % 16 < 8) {
            insert(CTX, 3, la, n, false);
            owner[low] = la;
            code[low] = n;
        } else if (jump(CTX, 3, la) != (owner[low] == la ? code[low] : 0)) {
            ck_abort_msg("%llx after %u steps", (unsigned long long)la, n);
        }
    }
}
END_TEST

/* An entry that changes hands more often than the lists are long, and is forgotten as often. */
START_TEST(jumps_full)
{
    static const unsigned locals[] = {70000, 32767, 32768, 1};

    for (unsigned n = 0; n < 4; n++) {
        uint64_t count = locals[n] + 32768;
        for (uint64_t k = 0; k < count; k++)
            insert(CTX, 0, 5 + k * JUMP_GAP, k + 1, k >= locals[n]);
        ck_assert_uint_eq(jump(CTX, 0, 5 + (count - 1) * JUMP_GAP), count);
        jumps_forget(&s, true);
        for (uint64_t k = 0; k <= count; k++)
            if (jump(CTX, 0, 5 + k * JUMP_GAP) != 0)
                ck_abort_msg("%llu", (unsigned long long)k);
    }
}
END_TEST

/* -- Address spaces ---------------------------------------------------------------------------- */

enum { KERNEL = MMU_KERNEL, AC = MMU_KERNEL_AC, USER = MMU_USER };

START_TEST(spaces_apart)
{
    shadow_enter_space(&s, 100, true);
    for (unsigned mmu = KERNEL; mmu <= USER; mmu++) {
        fill(mmu, 0x5000, 1, 1, 12, false);
        fill(mmu, 0x6000, 2, 2, 12, true);
        insert(mmu, 0, 0x5000, 50, false);
    }
    shadow_enter_space(&s, 101, true);
    for (unsigned mmu = KERNEL; mmu <= USER; mmu++) {
        ck_assert_int_eq(hit(mmu, 0x5000, false), -1);
        ck_assert_uint_eq(jump(mmu, 0, 0x5000), 0);
    }
    ck_assert_int_eq(hit(KERNEL, 0x6000, true), 2);
    fill(USER, 0x5000, 3, 3, 12, false);
    shadow_enter_space(&s, 100, true);
    ck_assert_int_eq(hit(KERNEL, 0x5000, false), -1);
    ck_assert_int_eq(hit(KERNEL, 0x6000, true), 2);
    for (unsigned mmu = AC; mmu <= USER; mmu++) {
        ck_assert_int_eq(hit(mmu, 0x5000, true), 1);
        ck_assert_uint_eq(jump(mmu, 0, 0x5000), 50);
    }
    shadow_enter_space(&s, 101, false);
    ck_assert_int_eq(hit(USER, 0x5000, false), -1);
}
END_TEST

/* What is forgotten is forgotten in all spaces. */
START_TEST(spaces_forget)
{
    for (unsigned how = 0; how < 5; how++) {
        shadow_enter_space(&s, 100, true);
        fill(USER, 0x5000, 1, 1, 12, false);
        insert(USER, 0, 0x5000, 50, false);
        shadow_enter_space(&s, 101, true);
        switch (how) {
        case 0: shadow_forget(&s, false); break;
        case 1: shadow_forget(&s, true); break;
        case 2: shadow_forget_page(&s, 0x5000, false); break;
        case 3: shadow_protect(&s, PAGE(1)); break;
        case 4: shadow_forget_space(&s, 100); break;
        }
        jumps_forget_code(&s, (const uint8_t *)50, (const uint8_t *)51);
        fill(USER, 0x9000, 1, 1, 12, false);
        shadow_enter_space(&s, 100, true);
        ck_assert_int_eq(hit(USER, 0x5000, true), -1);
        ck_assert(leads_beside(USER, 0x5000, 1) == (how == 3));
        ck_assert_int_eq(hit(USER, 0x5000, false), how == 3 ? 1 : -1);
        ck_assert_int_eq(hit(USER, 0x9000, false), -1);
        ck_assert_uint_eq(jump(USER, 0, 0x5000), 0);
    }
}
END_TEST

START_TEST(spaces_many)
{
    for (uint64_t tag = 0; tag < 3 * SPACES; tag++) {
        shadow_enter_space(&s, tag, true);
        ck_assert_int_eq(hit(USER, 0x5000, false), -1);
        fill(USER, 0x5000, (int)tag, (int)tag, 12, false);
    }
    for (uint64_t tag = 2 * SPACES; tag < 3 * SPACES; tag++) {
        shadow_enter_space(&s, tag, true);
        ck_assert_int_eq(hit(USER, 0x5000, false), (int)tag);
    }
    shadow_enter_space(&s, 0, true);
    ck_assert_int_eq(hit(USER, 0x5000, false), -1);
}
END_TEST

/* The page tables: where page 5 and page 6 are. */
struct tables {
    int page5, page6;
    uint64_t code_moved;
    unsigned peeks;
};

static bool peek_page(void *arg, unsigned mmu, uint64_t la, struct filled_page *out)
{
    struct tables *t = arg;
    int page = la == 0x5000 ? t->page5 : la == 0x6000 ? t->page6 : -1;

    t->peeks++;
    ck_assert_uint_eq(mmu, USER);
    *out = (struct filled_page){.la = la, .shift = 12, .ahead = true};
    if (page >= 0)
        out->rd = out->wr = PAGE(page);
    return page >= 0;
}

static bool peek_code(void *arg, unsigned mmu, uint64_t la, uint64_t *pa)
{
    const struct tables *t = arg;

    ck_assert_uint_eq(mmu, USER);
    *pa = la + PLACE + t->code_moved;
    return true;
}

static void come_back(struct tables *t)
{
    shadow_enter_space(&s, 101, true);
    shadow_enter_space(&s, 100, true);
    t->peeks = 0;
    shadow_check_space(&s, &(struct shadow_peek){peek_page, peek_code, t});
}

START_TEST(spaces_checked)
{
    struct tables t = {1, 2, 0, 0};

    shadow_enter_space(&s, 100, true);
    fill(USER, 0x5000, 1, 1, 12, false);
    fill(USER, 0x6000, 2, 2, 12, false);
    fill(USER, 0x5000, 1, -1, 12, false); /* listed twice */
    insert(USER, 0, 0x5123, 50, false);
    come_back(&t);
    ck_assert_uint_eq(t.peeks, 2);
    ck_assert_int_eq(hit(USER, 0x5000, true), 1);
    ck_assert_int_eq(hit(USER, 0x6000, true), 2);
    ck_assert_uint_eq(jump(USER, 0, 0x5123), 50);
    t.page5 = -1;
    t.page6 = 1;
    come_back(&t);
    ck_assert_int_eq(hit(USER, 0x5000, false), -1);
    ck_assert_int_eq(hit(USER, 0x6000, true), 1);
    t.page5 = 2;
    t.code_moved = 0x1000;
    come_back(&t);
    ck_assert_uint_eq(t.peeks, 1);
    ck_assert_int_eq(hit(USER, 0x5000, false), -1);
    ck_assert_uint_eq(jump(USER, 0, 0x5123), 0);
}
END_TEST

/* Code on more pages than are looked at. */
START_TEST(spaces_much_code)
{
    struct tables t = {-1, -1, 0, 0};

    shadow_enter_space(&s, 100, true);
    for (uint64_t n = 0; n < 200; n++)
        insert(USER, 0, n * 0x1001, n + 1, false);
    come_back(&t);
    for (uint64_t n = 0; n < 200; n++)
        ck_assert_uint_eq(jump(USER, 0, n * 0x1001), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shadow");
    TCase *tc = tcase_create("shadow");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, rights);
    tcase_add_test(tc, count_of_changes);
    tcase_add_test(tc, conflicts);
    tcase_add_test(tc, forget);
    tcase_add_test(tc, forget_page);
    tcase_add_test(tc, protect);
    tcase_add_test(tc, end_writes);
    tcase_add_test(tc, end_writes_often);
    tcase_add_test(tc, code_map);
    tcase_add_test(tc, ahead);
    tcase_add_test(tc, poison);
    tcase_add_test(tc, chunks);
    tcase_add_test(tc, large_working_set);
    tcase_add_test(tc, full_list);
    tcase_add_test(tc, jumps_empty);
    tcase_add_test(tc, jumps);
    tcase_add_test(tc, jumps_first);
    tcase_add_test(tc, jumps_random);
    tcase_add_test(tc, jumps_full);
    tcase_add_test(tc, spaces_apart);
    tcase_add_test(tc, spaces_forget);
    tcase_add_test(tc, spaces_many);
    tcase_add_test(tc, spaces_checked);
    tcase_add_test(tc, spaces_much_code);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
