/* SPDX-License-Identifier: MIT */
/* Scenarios: one page with tables of its own, reached in all ways, with all bits of its entries;
 * before the access under test another one may have cached a translation, and what that depends on
 * may have changed since.
 *
 * Everything else is mapped where it is, page by page: what level 3 needs for everybody, the rest
 * for the supervisor, so that SMEP and SMAP can be on. */
#include "tests/diff/system_model.h"

enum {
    AT_ROOT = AT_TABLES,            /* then a table of each level for the identity */
    AT_OTHERS = AT_TABLES + 0x8000, /* and for the page under test */
    PAGE_PA = AT_PAGES + 0x1000,    /* which is here, whatever its size */
    ACCESSED = 0x20,
};
#define PLAIN 0x67u /* present, writable, for everybody, accessed, dirty */

struct tables {
    struct paging p;
    uint64_t la;      /* of the page */
    uint64_t pa[4];   /* of the entries */
    bool shared_root; /* the root's entry maps everything else, too */
};

/* -- The rest of memory ------------------------------------------------------------------------ */

static bool is_for_level3(const struct sys *s, unsigned pa)
{
    bool code = pa >= AT_CODE && pa < AT_HANDLER, data = pa >= AT_STACK - 0x8000 && pa < AT_TABLES;

    return s->level == 3 && (code || data);
}

static void put_identity(struct sys *s, const struct tables *t)
{
    unsigned n = t->p.bytes, levels = t->p.levels;

    for (unsigned k = 0; k + 1 < levels; k++)
        sys_put(s, AT_ROOT + 0x1000 * k, n, (AT_ROOT + 0x1000 * (k + 1)) | PLAIN);
    for (unsigned pa = 0; pa < 0x200000; pa += 0x1000)
        sys_put(s, AT_ROOT + 0x1000 * (levels - 1) + n * (pa >> 12), n,
                pa | (is_for_level3(s, pa) ? PLAIN : PLAIN & ~4u));
}

/* -- The page's entries ------------------------------------------------------------------------ */

static const char *const level_names[] = {"pte.", "pde.", "pdpte.", "pml4e."};

static const struct {
    const char *name;
    uint64_t mask;
} reserved[] = {
    {"none", 0},
    {"7", UINT64_C(1) << 7},
    {"13", UINT64_C(1) << 13},
    {"20", UINT64_C(1) << 20},
    {"21", UINT64_C(1) << 21},
    {"29", UINT64_C(1) << 29},
    {"40", UINT64_C(1) << 40},
    {"51", UINT64_C(1) << 51},
    {"52", UINT64_C(1) << 52},
    {"58", UINT64_C(1) << 58},
    {"62", UINT64_C(1) << 62},
};

/* Of these bits only those that mean nothing but "reserved" or "ignored" here. */
static uint64_t choose_reserved(struct sys *s, const struct tables *t, unsigned k,
                                const char *level)
{
    uint64_t bit = reserved[CHOOSE_AT(s->ch, level, "bit", reserved)].mask;
    bool is_leaf = k == t->p.leaf;
    unsigned shift = t->p.shift[k];

    if (t->p.bytes == 4)
        return is_leaf && shift == 22 && bit == 1 << 21 ? bit : 0;
    if (bit == 1 << 7)
        return shift == 39 ? bit : 0;
    if (bit < UINT64_C(1) << 30 && (!is_leaf || shift == 12 || bit >> shift != 0))
        return 0;
    return bit;
}

static uint64_t choose_entry(struct sys *s, struct tables *t, unsigned k, uint64_t address)
{
    static const char *const yes[] = {"yes", "no"}, *const no[] = {"no", "yes"};
    const char *level = level_names[t->p.levels - 1 - k];
    uint64_t e = address;

    e |= CHOOSE_AT(s->ch, level, "present", yes) == 0 ? 1 : 0;
    e |= CHOOSE_AT(s->ch, level, "writable", yes) == 0 ? 2 : 0;
    e |= CHOOSE_AT(s->ch, level, "user", yes) == 0 ? 4 : 0;
    e |= CHOOSE_AT(s->ch, level, "accessed", no) == 0 ? 0 : 0x20;
    if (k == t->p.leaf) {
        e |= CHOOSE_AT(s->ch, level, "dirty", no) == 0 ? 0 : 0x40;
        e |= CHOOSE_AT(s->ch, level, "global", no) == 0 ? 0 : 0x100;
        if (t->p.is_long)
            e |= (uint64_t)choose_number(s->ch, "key", 16) << 59;
        if (t->p.shift[k] > 12)
            e |= 0x80;
    }
    if (t->p.bytes == 8)
        e |= CHOOSE_AT(s->ch, level, "nx", no) == 0 ? 0 : UINT64_C(1) << 63;
    return e | choose_reserved(s, t, k, level);
}

/* A page of more than 4 KiB maps memory from an address that it is aligned to. */
static uint64_t leaf_address(const struct tables *t)
{
    return PAGE_PA & ~((UINT64_C(1) << t->p.shift[t->p.leaf]) - 1);
}

static void put_page(struct sys *s, struct tables *t)
{
    unsigned index_bits = t->p.bytes == 4 ? 10 : 9;
    uint64_t table = AT_ROOT;

    for (unsigned k = 0; k <= t->p.leaf; k++) {
        uint64_t next = k == t->p.leaf ? leaf_address(t) : AT_OTHERS + 0x1000 * k;
        uint64_t index = t->la >> t->p.shift[k] & ((1u << index_bits) - 1);
        t->pa[k] = table + index * t->p.bytes;
        if (k == 0 && t->shared_root) {
            next = AT_ROOT + 0x1000;
            t->p.entry[k] = next | PLAIN;
        } else {
            t->p.entry[k] = choose_entry(s, t, k, next);
        }
        sys_put(s, t->pa[k], t->p.bytes, t->p.entry[k]);
        table = next;
    }
}

/* -- Kinds of tables --------------------------------------------------------------------------- */

static const struct kind {
    const char *name;
    unsigned levels, leaf, bytes;
    bool large;
} kinds_legacy[] = {{"32", 2, 1, 4, false},
                    {"32-4m", 2, 0, 4, true},
                    {"pae", 2, 1, 8, false},
                    {"pae-2m", 2, 0, 8, true}},
  kinds_long[] = {{"4k", 4, 3, 8, false}, {"2m", 4, 2, 8, true}, {"1g", 4, 1, 8, true}};

static void choose_tables(struct sys *s, struct tables *t)
{
    struct cpu *c = s->cpu;
    bool lma = is_lma(s);
    unsigned n = lma ? CHOOSE(s->ch, "paging", kinds_long) : CHOOSE(s->ch, "paging", kinds_legacy);
    const struct kind *kind = lma ? &kinds_long[n] : &kinds_legacy[n];
    unsigned shift = 12;

    t->p.levels = kind->levels;
    t->p.leaf = kind->leaf;
    t->p.bytes = kind->bytes;
    t->p.is_long = lma;
    t->p.pae = kind->bytes == 8;
    t->p.phys_bits = 40;
    for (unsigned k = kind->levels; k-- > 0; shift += kind->bytes == 4 ? 10 : 9)
        t->p.shift[k] = shift;
    t->la = PAGE_PA | (kind->bytes == 4 ? 0x400000 : 0x40000000);
    if (s->mode == SYS_LONG)
        t->la |= UINT64_C(1) << 39;
    t->shared_root = s->mode == SYS_COMPAT;
    c->cr4 |= (kind->bytes == 8 ? CR4_PAE : 0) | (kind->large ? CR4_PSE : 0);
    c->efer |= lma ? EFER_LME | EFER_LMA : 0;
    c->cr0 |= CR0_PG;
    c->cr3 = AT_ROOT;
    put_identity(s, t);
}

/* PAE's first level has four registers, which no entry's bits but P matter to. */
static void put_pdptes(struct sys *s, struct tables *t)
{
    if (!t->p.pae || is_lma(s))
        return;
    s->cpu->cr3 = AT_ROOT + 0x3000;
    for (unsigned k = 0; k < 2; k++) {
        s->cpu->pdpte[k] = AT_ROOT | 1;
        sys_put(s, AT_ROOT + 0x3000 + 8 * k, 8, AT_ROOT | 1);
    }
}

/* -- What rights depend on --------------------------------------------------------------------- */

static void choose_rules(struct sys *s, struct paging *p)
{
    static const struct {
        const char *name;
        uint32_t value;
    } keys[] = {{"all", 0},
                {"none", 0x55555555},
                {"read", 0xaaaaaaaa},
                {"odd", 0xcccccccc},
                {"mixed", 0x36363636}};
    struct cpu *c = s->cpu;

    p->wp = !choose_yes(s->ch, "wp-off");
    p->nxe = choose_yes(s->ch, "nxe");
    p->smep = choose_yes(s->ch, "smep");
    p->smap = choose_yes(s->ch, "smap");
    p->ac = choose_yes(s->ch, "ac");
    p->pke = p->is_long && choose_yes(s->ch, "pke");
    p->pks = p->is_long && choose_yes(s->ch, "pks");
    p->pkru = p->pke ? keys[CHOOSE(s->ch, "pkru", keys)].value & ~3u : 0;
    p->pkrs = p->pks ? keys[CHOOSE(s->ch, "pkrs", keys)].value & ~3u : 0;
    c->cr0 = (c->cr0 & ~(uint64_t)CR0_WP) | (p->wp ? CR0_WP : 0);
    c->efer |= p->nxe ? EFER_NXE : 0;
    c->cr4 |= (p->smep ? CR4_SMEP : 0) | (p->smap ? CR4_SMAP : 0) | (p->pke ? CR4_PKE : 0) |
              (p->pks ? CR4_PKS : 0) | (choose_yes(s->ch, "pge") ? CR4_PGE : 0);
    c->eflags |= p->ac ? EFL_AC : 0;
    c->pkru = p->pkru;
    c->msr.pkrs = p->pkrs;
}

/* -- Accesses ---------------------------------------------------------------------------------- */

/* Instructions that access the page at RDI, but for JMP to RSI, to a HLT, and a load of FS from the
 * LDT. */
static const struct access {
    const char *name;
    enum page_access how;
    bool implicit;
    uint8_t n, code[4];
} accesses[] = {
    {"read", PAGE_READ, false, 2, {0x8b, 0x17}},      /* mov edx, [rdi] */
    {"write", PAGE_WRITE, false, 2, {0x89, 0x17}},    /* mov [rdi], edx */
    {"rmw", PAGE_WRITE, false, 2, {0x31, 0x17}},      /* xor [rdi], edx */
    {"fetch", PAGE_FETCH, false, 2, {0xff, 0xe6}},    /* jmp rsi */
    {"system", PAGE_READ, true, 2, {0x8e, 0xe0}},     /* mov fs, ax */
    {"byte", PAGE_WRITE, false, 2, {0x80, 0x37}},     /* xor byte [rdi], imm8 */
    {"stos", PAGE_WRITE, false, 1, {0xaa}},           /* stosb */
    {"xchg", PAGE_WRITE, false, 2, {0x87, 0x17}},     /* xchg [rdi], edx */
    {"push-mem", PAGE_READ, false, 2, {0xff, 0x37}},  /* push [rdi] */
    {"sse", PAGE_READ, false, 3, {0x0f, 0x10, 0x07}}, /* movups xmm0, [rdi] */
};

enum {
    IN_PAGE = 0x108, /* a descriptor of the LDT, too */
    HLT_IN_PAGE = 0x120,
};

static void emit_access(struct sys *s, const struct access *a)
{
    sys_test_here(s);
    sys_code(s, a->code, a->n);
    if (a->code[0] == 0x80)
        EMIT(s, 0x5a);
}

static void mark_used(struct paging *p, enum page_access how)
{
    for (unsigned k = 0; k <= p->leaf; k++)
        p->entry[k] |= ACCESSED;
    if (how == PAGE_WRITE)
        p->entry[p->leaf] |= 0x40;
}

/* The next access; false: nothing comes after it. */
static bool next_access(struct sys *s, struct tables *t, const struct access *a)
{
    struct verdict v = model_page(&t->p, a->how, s->level == 3, a->implicit);

    emit_access(s, a);
    if (a->how == PAGE_FETCH)
        s->tested = t->la + HLT_IN_PAGE;
    if (want_verdict(s, v)) {
        s->want.has_cr2 = true;
        s->want.cr2 = t->la + (a->how == PAGE_FETCH ? HLT_IN_PAGE : IN_PAGE);
        return false;
    }
    mark_used(&t->p, a->how);
    return a->how != PAGE_FETCH;
}

/* -- Changes between accesses ------------------------------------------------------------------ */

static void toggle_wp(struct sys *s, struct tables *t)
{
    t->p.wp = !t->p.wp;
    emit_set_cr(s, 0, s->cpu->cr0 ^ CR0_WP);
}

static void toggle_smep(struct sys *s, struct tables *t)
{
    t->p.smep = !t->p.smep;
    emit_set_cr(s, 4, s->cpu->cr4 ^ CR4_SMEP);
}

static void toggle_smap(struct sys *s, struct tables *t)
{
    t->p.smap = !t->p.smap;
    emit_set_cr(s, 4, s->cpu->cr4 ^ CR4_SMAP);
}

static void toggle_ac(struct sys *s, struct tables *t)
{
    t->p.ac = !t->p.ac;
    EMIT(s, 0x0f, 0x01, t->p.ac ? 0xcb : 0xca); /* stac, clac */
}

static void write_msr(struct sys *s, uint32_t msr, uint32_t v)
{
    EMIT(s, 0xb9);
    sys_code_int(s, 4, msr);
    EMIT(s, 0x31, 0xd2, 0xb8); /* xor edx, edx; mov eax, v */
    sys_code_int(s, 4, v);
    EMIT(s, 0x0f, 0x30);
}

static void toggle_nxe(struct sys *s, struct tables *t)
{
    t->p.nxe = !t->p.nxe;
    write_msr(s, 0xc0000080, (uint32_t)(s->cpu->efer ^ EFER_NXE));
}

static void set_pkru(struct sys *s, struct tables *t)
{
    if (!t->p.pke)
        return;
    t->p.pkru ^= 0xfffffffc;
    EMIT(s, 0x31, 0xc9, 0x31, 0xd2, 0xb8); /* xor ecx, ecx; xor edx, edx; mov eax, ... */
    sys_code_int(s, 4, t->p.pkru);
    EMIT(s, 0x0f, 0x01, 0xef);
}

static void set_pkrs(struct sys *s, struct tables *t)
{
    if (!t->p.pks)
        return;
    t->p.pkrs ^= 0xfffffffc;
    write_msr(s, 0x6e1, t->p.pkrs);
}

/* Flip bits of an entry, and say so to the processor. */
static void flip_entry(struct sys *s, struct tables *t)
{
    static const struct {
        const char *name;
        uint64_t mask;
    } flips[] = {{"w", 2}, {"u", 4}, {"p", 1}, {"d", 0x40}, {"a", 0x20}, {"g", 0x100}, {"wu", 6}};
    static const char *const ways[] = {"invlpg", "cr3", "invpcid-all", "pge", "pg"};
    unsigned k = choose_number(s->ch, "flip-level", 4) % (t->p.leaf + 1);
    uint64_t mask = flips[CHOOSE(s->ch, "flip", flips)].mask;
    unsigned way = CHOOSE(s->ch, "invalidate", ways);

    if (k == 0 && t->shared_root)
        return;
    t->p.entry[k] ^= mask;
    emit_mov(s, RCX, t->pa[k]);
    EMIT(s, 0x81, 0x31); /* xor dword [rcx], imm32 */
    sys_code_int(s, 4, mask);
    if (way == 1 && (t->p.entry[t->p.leaf] | (mask & 0x100)) & 0x100)
        way = 0; /* global pages stay */
    if (way == 0)
        EMIT(s, 0x0f, 0x01, 0x3f); /* invlpg [rdi] */
    else if (way == 1)
        EMIT(s, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
    else if (way == 2) {
        emit_mov(s, RAX, 2);
        EMIT(s, 0x66, 0x0f, 0x38, 0x82, 0x03); /* invpcid rax, [rbx] */
    } else if (way == 3) {
        emit_set_cr(s, 4, s->cpu->cr4 ^ CR4_PGE);
        emit_set_cr(s, 4, s->cpu->cr4);
    } else if (s->mode == SYS_PM32) {
        emit_set_cr(s, 0, s->cpu->cr0 & ~(uint64_t)CR0_PG);
        emit_set_cr(s, 0, s->cpu->cr0);
    } else {
        EMIT(s, 0x0f, 0x01, 0x3f);
    }
}

static const struct {
    const char *name;
    void (*emit)(struct sys *s, struct tables *t);
} changes[] = {
    {"none", NULL},        {"wp", toggle_wp},  {"smep", toggle_smep},
    {"smap", toggle_smap}, {"ac", toggle_ac},  {"nxe", toggle_nxe},
    {"pkru", set_pkru},    {"pkrs", set_pkrs}, {"entry", flip_entry},
};

/* -- The scenario ------------------------------------------------------------------------------ */

static void fill_page(struct sys *s, const struct tables *t)
{
    sys_put(s, PAGE_PA + IN_PAGE, 8, sys_desc(0, 0xfffff, 0xc0f3));
    s->cpu->ldtr.base = t->la;
    s->cpu->ldtr.desc_base = (uint32_t)t->la;
    s->cpu->ldtr.limit = 0xfff;
    s->cpu->r[RAX] = IN_PAGE | 7;
    s->cpu->r[RDI] = t->la + IN_PAGE;
    s->cpu->r[RSI] = t->la + HLT_IN_PAGE;
    sys_put(s, PAGE_PA + HLT_IN_PAGE, 1, 0xf4);
    for (unsigned k = 0; k < 16; k += 8)
        sys_put(s, AT_DATA + 0x100 + k, 8, 0);
}

static void want_entries(struct sys *s, const struct tables *t)
{
    for (unsigned k = 0; k <= t->p.leaf; k++)
        want_memory(s, t->pa[k], t->p.bytes, t->p.entry[k]);
}

static void want_end(struct sys *s, struct tables *t, const struct access *last)
{
    want_halt(s, last->how == PAGE_FETCH ? t->la + HLT_IN_PAGE : s->at - 1);
    want_entries(s, t);
}

static const struct access *choose_access(struct sys *s, const char *what)
{
    const struct access *a = &accesses[CHOOSE(s->ch, what, accesses)];

    return a->implicit && s->cpu->eflags & EFL_VM ? &accesses[0] : a;
}

static void page(struct sys *s)
{
    struct tables t = {0};
    bool goes_on = true;

    s->own_paging = true;
    sys_begin(s, MODES(SYS_PM32) | MODES_LONG);
    choose_tables(s, &t);
    choose_rules(s, &t.p);
    put_page(s, &t);
    put_pdptes(s, &t);
    fill_page(s, &t);
    const struct access *a = choose_access(s, "access");
    if (choose_yes(s->ch, "warm")) {
        const struct access *first = choose_access(s, "first");
        if (first->how != PAGE_FETCH && first->n != 1)
            goes_on = next_access(s, &t, first);
    }
    unsigned change = s->level == 0 ? CHOOSE(s->ch, "change", changes) : 0;
    if (goes_on && change != 0) {
        changes[change].emit(s, &t);
        emit_mov(s, RAX, IN_PAGE | 7);
    }
    if (goes_on)
        goes_on = next_access(s, &t, a);
    sys_end(s);
    if (s->want.end == END_ANYHOW)
        want_end(s, &t, a);
}

const struct scenario page_scenarios[] = {
    {"page", page, 8, "paging: rights, formats, accessed and dirty bits, invalidations"},
    {NULL, NULL, 0, NULL},
};
