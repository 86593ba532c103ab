/* SPDX-License-Identifier: MIT */
/* Scenarios: translations that were cached and must be used no more (SDM 3A 4.10.4), PCIDs,
 * INVPCID, and the registers that hold PAE's first level (4.4.1). */
#include "tests/diff/system_model.h"

enum {
    AT_PDPT = AT_TABLES + 0x8000,
    AT_LEVELS = AT_TABLES + 0xa000, /* a table of each level below, then another set of them */
    SET = 0x4000,
    PAGE_1 = AT_PAGES, /* where the page is at first, */
    PAGE_2 = AT_PAGES + 0x1000,
    VALUE_1 = 0x11111111,
    VALUE_2 = 0x22222222,
    PCID = 5,
};
#define PAGE_LA UINT64_C(0x40000000)
#define PLAIN   0x67u

/* -- Something changes in the tables ----------------------------------------------------------- */

/* What makes the processor look at the tables again. `global`: even where the page is global. */
static const struct way {
    const char *name;
    void (*emit)(struct sys *s);
    bool global, pcid; /* pcid: with CR4.PCIDE only */
} ways[];

static void by_invlpg(struct sys *s)
{
    emit_mov(s, RDI, PAGE_LA);
    EMIT(s, 0x0f, 0x01, 0x3f);
}

static void by_cr3(struct sys *s)
{
    EMIT(s, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
}

static void by_pge(struct sys *s)
{
    emit_set_cr(s, 4, s->cpu->cr4 ^ CR4_PGE);
    emit_set_cr(s, 4, s->cpu->cr4);
}

/* The descriptor is at AT_DATA + 0x100. */
static void invpcid(struct sys *s, unsigned type, uint64_t pcid)
{
    sys_put(s, AT_DATA + 0x100, 8, pcid);
    sys_put(s, AT_DATA + 0x108, 8, PAGE_LA);
    emit_mov(s, RAX, type);
    EMIT(s, 0x66, 0x0f, 0x38, 0x82, 0x03);
}

static void by_invpcid_address(struct sys *s)
{
    invpcid(s, 0, s->cpu->cr3 & 0xfff & (s->cpu->cr4 & CR4_PCIDE ? 0xfff : 0));
}

static void by_invpcid_context(struct sys *s)
{
    invpcid(s, 1, s->cpu->cr3 & 0xfff & (s->cpu->cr4 & CR4_PCIDE ? 0xfff : 0));
}

static void by_invpcid_all(struct sys *s)
{
    invpcid(s, 2, 0);
}

static void by_invpcid_not_global(struct sys *s)
{
    invpcid(s, 3, 0);
}

/* To another PCID, keeping what is cached for it, and back, keeping nothing. */
static void by_back_and_forth(struct sys *s)
{
    emit_set_cr(s, 3, (UINT64_C(1) << 63 | AT_TABLES) + PCID + 1);
    emit_set_cr(s, 3, AT_TABLES + PCID);
}

/* Invalidated from another PCID. */
static void by_other_context(struct sys *s)
{
    emit_set_cr(s, 3, AT_TABLES + PCID + 1);
    invpcid(s, 1, PCID);
    emit_set_cr(s, 3, UINT64_C(1) << 63 | (AT_TABLES + PCID));
}

static void by_other_address(struct sys *s)
{
    emit_set_cr(s, 3, UINT64_C(1) << 63 | (AT_TABLES + PCID + 1));
    invpcid(s, 0, PCID);
    emit_set_cr(s, 3, UINT64_C(1) << 63 | (AT_TABLES + PCID));
}

static void by_pcide(struct sys *s)
{
    emit_set_cr(s, 4, s->cpu->cr4 & ~(uint64_t)CR4_PCIDE);
}

static void by_smep(struct sys *s)
{
    emit_set_cr(s, 4, s->cpu->cr4 | CR4_SMEP);
}

static const struct way ways[] = {
    {"invlpg", by_invlpg, true, false},
    {"cr3", by_cr3, false, false},
    {"pge", by_pge, true, false},
    {"invpcid-address", by_invpcid_address, false, false},
    {"invpcid-context", by_invpcid_context, false, false},
    {"invpcid-all", by_invpcid_all, true, false},
    {"invpcid-not-global", by_invpcid_not_global, false, false},
    {"back-and-forth", by_back_and_forth, false, true},
    {"other-context", by_other_context, false, true},
    {"other-address", by_other_address, false, true},
    {"pcide", by_pcide, true, true},
    {"smep", by_smep, true, false},
};

/* The entry at this depth (0: PML4E) that maps the page from set n of the tables. */
static uint64_t entry_at(unsigned depth, unsigned set)
{
    const uint64_t index[] = {0, 1, 0, 0};
    const uint64_t table[] = {AT_TABLES, AT_PDPT, AT_LEVELS, AT_LEVELS + 0x1000};

    return table[depth] + (depth > 1 ? SET * set : 0) + 8 * index[depth];
}

static void put_levels(struct sys *s, bool global)
{
    for (unsigned set = 0; set < 2; set++) {
        sys_put(s, entry_at(2, set), 8, (AT_LEVELS + 0x1000 + SET * set) | PLAIN);
        sys_put(s, entry_at(3, set), 8,
                (set == 0 ? PAGE_1 : PAGE_2) | PLAIN | (global ? 0x100 : 0));
    }
    for (unsigned k = 0; k < 2; k++) /* for the supervisor, because of SMEP */
        sys_put(s, AT_TABLES + 0x2000 + 8 * k, 1, 0xe3);
    /* PML4E 0 leads to the tables of the identity at first; here to one of our own, which has that
     * one's first entry. */
    sys_put(s, AT_PDPT, 8, sys_get(s, AT_TABLES + 0x1000, 8));
    sys_put(s, AT_PDPT + 0x1000, 8, sys_get(s, AT_TABLES + 0x1000, 8));
    sys_put(s, entry_at(1, 0), 8, AT_LEVELS | PLAIN);
    sys_put(s, entry_at(1, 0) + 0x1000, 8, (AT_LEVELS + SET) | PLAIN);
    sys_put(s, AT_TABLES, 8, AT_PDPT | PLAIN);
    sys_put(s, PAGE_1, 4, VALUE_1);
    sys_put(s, PAGE_2, 4, VALUE_2);
}

static void emit_read(struct sys *s)
{
    emit_mov(s, RSI, PAGE_LA);
    EMIT(s, 0x8b, 0x16);                /* mov edx, [rsi] */
    EMIT(s, 0x89, 0x93, 0x80, 0, 0, 0); /* mov [rbx + 80h], edx */
}

static void stale(struct sys *s)
{
    static const char *const depths[] = {"pte", "pde", "pdpte", "pml4e"};

    sys_begin_at(s, MODES(SYS_LONG), 0);
    struct cpu *c = s->cpu;
    bool global = choose_yes(s->ch, "global"), pcid = choose_yes(s->ch, "pcide");
    unsigned depth = 3 - CHOOSE(s->ch, "changes", depths);
    const struct way *way = &ways[CHOOSE(s->ch, "invalidate", ways)];
    bool was_there = !choose_yes(s->ch, "was-absent");

    put_levels(s, global);
    c->cr4 |= choose_yes(s->ch, "pge") ? CR4_PGE : 0;
    pcid |= way->pcid;
    c->cr4 |= pcid ? CR4_PCIDE : 0;
    c->cr3 |= pcid ? PCID : 0;
    uint64_t to = depth == 0   ? (AT_PDPT + 0x1000) | PLAIN
                  : depth == 1 ? (AT_LEVELS + SET) | PLAIN
                               : sys_get(s, entry_at(depth, 1), 8);
    uint64_t at = entry_at(depth, 0);
    if (!was_there && depth != 0)
        sys_put(s, at, 8, to & ~UINT64_C(1));
    else
        emit_read(s);
    if (choose_yes(s->ch, "twice"))
        by_cr3(s);
    emit_mov(s, RAX, to);
    emit_mov(s, RCX, at);
    EMIT(s, 0x48, 0x89, 0x01); /* mov [rcx], rax */
    /* What was not present is not cached (4.10.2.3). Global translations may stay. */
    if (was_there || depth == 0 || choose_yes(s->ch, "anyway"))
        (global && !way->global ? &ways[0] : way)->emit(s);
    emit_read(s);
    sys_end(s);
    want_halt(s, s->at - 1);
    want_memory(s, AT_DATA + 0x180, 4, VALUE_2);
}

/* -- INVPCID's operands ------------------------------------------------------------------------ */

static void invpcid_operands(struct sys *s)
{
    static const struct {
        const char *name;
        uint64_t type;
    } types[] = {{"0", 0}, {"1", 1}, {"2", 2}, {"3", 3}, {"4", 4}, {"ones", UINT64_MAX}};
    static const struct {
        const char *name;
        uint64_t pcid;
    } pcids[] = {{"0", 0}, {"5", 5}, {"fff", 0xfff}, {"1000", 0x1000}, {"bit63", 1ull << 63}};
    static const struct {
        const char *name;
        uint64_t la;
    } addresses[] = {{"0", 0}, {"not-canonical", 1ull << 47}, {"high", 0xffffffff80000000}};

    sys_begin(s, (1u << SYS_MODES) - 1);
    uint64_t type = types[CHOOSE(s->ch, "type", types)].type;
    uint64_t pcid = pcids[CHOOSE(s->ch, "pcid", pcids)].pcid;
    uint64_t la = addresses[CHOOSE(s->ch, "address", addresses)].la;
    bool pcide = is_lma(s) && choose_yes(s->ch, "pcide");

    if (s->mode != SYS_LONG)
        type = (uint32_t)type;
    s->cpu->cr4 |= pcide ? CR4_PCIDE : 0;
    s->cpu->r[RAX] = type;
    sys_put(s, AT_DATA + 0x100, 8, pcid);
    sys_put(s, AT_DATA + 0x108, 8, la);
    sys_test_here(s);
    EMIT(s, 0x66, 0x0f, 0x38, 0x82, rm_data(s, RAX));
    sys_end(s);
    bool bad = type > 3 || pcid >> 12 != 0;
    bad |= type <= 1 && !pcide && pcid != 0;
    bad |= type == 0 && la >> 47 != 0 && la >> 47 != 0x1ffff;
    if (bad || s->level != 0)
        want_vector(s, VEC_GP, s->mode == SYS_REAL ? -1 : 0);
    else if (s->mode != SYS_REAL)
        want_halt(s, s->at - 1);
}

/* -- PAE's first level ------------------------------------------------------------------------- */

static void set_cr4_back(struct sys *s, uint64_t bit)
{
    emit_set_cr(s, 4, s->cpu->cr4 ^ bit);
}

static void load_by_cr3(struct sys *s)
{
    emit_set_cr(s, 3, s->cpu->cr3);
}
static void load_by_pge(struct sys *s)
{
    set_cr4_back(s, CR4_PGE);
}
static void load_by_pse(struct sys *s)
{
    set_cr4_back(s, CR4_PSE);
}
static void load_by_smep(struct sys *s)
{
    set_cr4_back(s, CR4_SMEP);
}
static void load_by_cd(struct sys *s)
{
    emit_set_cr(s, 0, s->cpu->cr0 ^ CR0_CD);
}
static void not_by_ts(struct sys *s)
{
    emit_set_cr(s, 0, s->cpu->cr0 ^ CR0_TS);
}
static void not_by_tsd(struct sys *s)
{
    set_cr4_back(s, CR4_TSD);
}
static void not_by_invlpg(struct sys *s)
{
    EMIT(s, 0x0f, 0x01, 0x3b);
}

static const struct {
    const char *name;
    void (*emit)(struct sys *s);
    bool loads;
} pdpte_loads[] = {{"cr3", load_by_cr3, true}, {"pge", load_by_pge, true},
                   {"pse", load_by_pse, true}, {"smep", load_by_smep, true},
                   {"cd", load_by_cd, true},   {"ts", not_by_ts, false},
                   {"tsd", not_by_tsd, false}, {"invlpg", not_by_invlpg, false}};

static const struct {
    const char *name;
    uint64_t entry;
    bool bad;
} pdpte_entries[] = {{"same", 0, false},
                     {"1", 3, true},
                     {"2", 5, true},
                     {"pwt-pcd", 0x19, false},
                     {"5", 0x21, true},
                     {"6", 0x41, true},
                     {"7", 0x81, true},
                     {"8", 0x101, true},
                     {"ignored", 0xe01, false},
                     {"40", 1ull << 40 | 1, true},
                     {"51", 1ull << 51 | 1, true},
                     {"63", 1ull << 63 | 1, true},
                     {"absent", 1ull << 63 | 0x1e6, false}};

/* Entries that are in memory go into the registers when one of these bits changes. */
static void pdptes(struct sys *s)
{
    s->own_paging = true;
    sys_begin_at(s, MODES_LEGACY, 0);
    unsigned how = CHOOSE(s->ch, "by", pdpte_loads), e = CHOOSE(s->ch, "entry", pdpte_entries);
    unsigned n = 3 - choose_number(s->ch, "index", 3);
    struct cpu *c = s->cpu;
    uint64_t good = (AT_TABLES + 0x1000) | 1,
             now = pdpte_entries[e].entry | (e != 0 ? good & ~1ull : good);

    for (unsigned k = 0; k < 2; k++)
        sys_put(s, AT_TABLES + 0x1000 + 8 * k, 8, k << 21 | 0xe3);
    for (unsigned k = 0; k < 4; k++) {
        sys_put(s, AT_TABLES + 8 * k, 8, good);
        c->pdpte[k] = good;
    }
    sys_put(s, AT_TABLES + 8 * n, 8, now);
    c->cr4 |= CR4_PAE;
    c->cr3 = AT_TABLES;
    c->cr0 |= CR0_PG;
    if (s->mode == SYS_PM16) {
        c->r[RBX] = 0x100; /* for INVLPG */
    }
    sys_test_here(s);
    pdpte_loads[how].emit(s);
    s->tested = pdpte_loads[how].emit == not_by_invlpg ? s->tested : s->at - 3;
    emit_mov(s, RCX, ((uint32_t)n << 30) + AT_DATA + 0x300 - (s->mode == SYS_PM16 ? AT_DATA : 0));
    uint64_t access = s->at;
    if (s->mode == SYS_PM16)
        EMIT(s, 0x67);
    EMIT(s, 0xc6, 0x01, 0x77); /* mov byte [ecx], 77h */
    sys_end(s);
    bool absent = pdpte_loads[how].loads && !(now & 1);
    if (pdpte_loads[how].loads && pdpte_entries[e].bad) {
        want_vector(s, VEC_GP, 0);
    } else if (s->mode == SYS_PM32 && absent) {
        s->tested = access;
        want_vector(s, VEC_PF, 2);
        s->want.has_cr2 = true;
        s->want.cr2 = (n << 30) + AT_DATA + 0x300;
    } else if (s->mode == SYS_PM32) {
        want_halt(s, s->at - 1);
        want_memory(s, AT_DATA + 0x300, 1, 0x77);
    }
}

const struct scenario tlb_scenarios[] = {
    {"stale", stale, 3, "translations that may not be used any more, PCIDs"},
    {"invpcid", invpcid_operands, 1, "operands of INVPCID"},
    {"pdptes", pdptes, 1, "loads of PDPTEs"},
    {NULL, NULL, 0, NULL},
};
