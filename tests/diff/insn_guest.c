/* SPDX-License-Identifier: MIT */
/* The interpreter's side: a processor under one of several systems (enum guest_system); in long
 * mode it is at CPL 3 with flat segments, and its page tables map the test's pages as the host has
 * them mapped. Physical addresses are linear ones. Stands in for vmm/ too. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu/flags.h"
#include "cpu/mem.h"
#include "cpu/segment.h"
#include "tests/diff/insn_guest.h"
#include "tests/diff/insn_segs.h"

/* Pages of RAM */
enum {
    PG_PML4,
    PG_PDPT,
    PG_PD,
    PG_PT,
    PG_TABLES,
    PG_CODE = PG_TABLES,
    PG_DATA = PG_CODE + CODE_PAGES,
    PG_SYSTEM = PG_DATA + RW_PAGES + 1,
    PG_SEGMENTS = PG_SYSTEM + SYSTEM_PAGES,
    PG_COUNT
};

/* Where they are, apart from the systems that have all but page tables lower by LOW. */
#define TABLES_PA UINT64_C(0x100000)

static const struct {
    uint64_t pa;
    unsigned page, count;
} areas[] = {{TABLES_PA, PG_PML4, PG_TABLES},
             {CODE_LA, PG_CODE, CODE_PAGES},
             {DATA_LA, PG_DATA, RW_PAGES + 1},
             {SYSTEM_LA, PG_SYSTEM, SYSTEM_PAGES + 1}};

/* The page of descriptors: the GDT, and behind it the LDT. */
#define SEGMENTS_LA (SYSTEM_LA + SYSTEM_PAGES * PAGE)
#define GDT_SIZE    (GDT_COUNT * 8)
#define LDT_SIZE    ((ldt_count + 1) * 8)

#define CR4_ALWAYS (CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_OSXSAVE)

/* ORDER guest_system */
static const struct {
    uint32_t cr0, cr4, efer;
    unsigned cpl;
    bool vm, low;
} systems[GUEST_SYSTEMS] = {
    {CR0_PE | CR0_PG, CR4_ALWAYS | CR4_PAE | CR4_FSGSBASE,
     EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE, 3, false, false},
    {CR0_PE | CR0_PG, CR4_ALWAYS | CR4_PAE, EFER_NXE, 3, false, false},
    {CR0_PE | CR0_PG, CR4_ALWAYS | CR4_PAE, EFER_NXE, 0, false, false},
    {CR0_PE, CR4_ALWAYS, 0, 3, false, false},
    {0, CR4_ALWAYS, 0, 0, false, true},
    {CR0_PE | CR0_PG, CR4_ALWAYS | CR4_PAE, EFER_NXE, 3, true, true},
};

/* struct cpu comes first, so that the functions of the machine find the rest. */
struct guest {
    struct cpu cpu;
    enum guest_system system;
    struct jit_ram ram;
    uint8_t *bytes; /* ram.host, to be written */
    unsigned stray; /* see guest_stray() */
};

uint64_t guest_low(const struct cpu *c)
{
    return systems[((const struct guest *)c)->system].low ? LOW : 0;
}

static uint8_t *ram_page(const struct guest *g, uint64_t n)
{
    return g->bytes + n * JIT_RAM_STRIDE;
}

/* All lies in 2 MiB, and within them in the same places where it is low. */
static void map_page_to(struct guest *g, uint64_t la, uint64_t pa, uint64_t bits)
{
    uint64_t pte = (pa - guest_low(&g->cpu)) | bits | 0x61; /* dirty, accessed, present */
    memcpy(ram_page(g, PG_PT) + (la >> 12 & 511) * 8, &pte, 8);
}

static void map_page(struct guest *g, uint64_t la, uint64_t bits)
{
    map_page_to(g, la, la, bits);
}

#define NO_EXECUTE (UINT64_C(1) << 63)

static uint64_t table_pa(unsigned page)
{
    return TABLES_PA + (uint64_t)page * PAGE;
}

/* Without long mode CR3 leads to a table of the third level's, which has fewer bits. */
static void build_page_tables(struct guest *g)
{
    const uint64_t no_execute = NO_EXECUTE, user = 4;
    uint64_t base = CODE_LA - guest_low(&g->cpu);
    uint64_t link = table_pa(PG_PDPT) | 0x67;
    memcpy(ram_page(g, PG_PML4) + (base >> 39 & 511) * 8, &link, 8);
    link = table_pa(PG_PD) | 0x67;
    memcpy(ram_page(g, PG_PDPT) + (base >> 30 & 511) * 8, &link, 8);
    link = table_pa(PG_PT) | 0x67;
    memcpy(ram_page(g, PG_PD) + (base >> 21 & 511) * 8, &link, 8);
    map_page(g, CODE_LA, user | 2);
    for (unsigned k = 0; k < RW_PAGES; k++)
        map_page(g, DATA_LA + k * PAGE, user | 2 | no_execute);
    map_page(g, DATA_LA + RW_PAGES * PAGE, user | no_execute);
    g->cpu.cr3 = table_pa(PG_PML4);
    g->cpu.pdpte[base >> 30 & 3] = table_pa(PG_PD) | 1;
}

void guest_map_more(struct cpu *c)
{
    struct guest *g = (struct guest *)c;
    const uint64_t user = 4;
    for (unsigned k = 0; k < CODE_PAGES; k++) {
        map_page(g, CODE_LA + k * PAGE, user | 2);
        map_page_to(g, ALIAS_LA + k * PAGE, CODE_LA + k * PAGE, user | 2 | NO_EXECUTE);
    }
}

void guest_map_system(struct cpu *c)
{
    for (unsigned k = 0; k <= SYSTEM_PAGES; k++)
        map_page((struct guest *)c, SYSTEM_LA + k * PAGE, 2);
}

/* -- Descriptor tables ------------------------------------------------------------------------- */

#define DESCRIPTOR_DB (UINT64_C(1) << 54)

/* Without long mode, 16-bit code has a 16-bit stack if there is paging. */
static bool has_wide_stack(enum guest_system system)
{
    return system == GUEST_LONG || system == GUEST_UNPAGED;
}

/* As they were: without paging anyone may write to them. */
static void write_descriptors(struct guest *g)
{
    uint8_t *p = ram_page(g, PG_SEGMENTS);
    for (unsigned k = 0; k < GDT_COUNT; k++) {
        uint64_t d = gdt_descriptor(k, g->system == GUEST_LONG);
        memcpy(p + 8 * k, &d, 8);
    }
    for (unsigned k = 0; k < ldt_count; k++) {
        uint64_t d = ldt_descriptor(k, systems[g->system].cpl);
        if (k == LDT_DATA >> 3 && !has_wide_stack(g->system))
            d &= ~DESCRIPTOR_DB;
        memcpy(p + GDT_SIZE + 8 * k, &d, 8);
    }
    memset(p + GDT_SIZE + 8 * ldt_count, 0, 8);
}

static void create_tables(struct guest *g)
{
    struct cpu *c = &g->cpu;
    uint64_t base = SEGMENTS_LA - guest_low(c);
    write_descriptors(g);
    guest_map_system(c);
    c->gdt = (struct dtable){.base = base, .limit = GDT_SIZE - 1};
    c->ldtr = (struct seg){.sel = LDT_SEL,
                           .base = base + GDT_SIZE,
                           .limit = LDT_SIZE - 1,
                           .attr = SEG_P | 2,
                           .usable = true};
    c->tr.sel = TSS_SEL;
}

/* DS, ES, FS and GS where the sequence does not start with those of its code. */
static void load_segments(struct cpu *c, const struct segments *s)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    if (!(c->mode & MODE_PE) || c->mode & MODE_V86)
        return;
    for (unsigned k = 0; k < sizeof(data); k++) {
        unsigned sreg = data[k];
        if (s->sel[sreg] != c->seg[sreg].sel)
            seg_load(c, sreg, c->cpl == 0 ? s->sel[sreg] & 0xfffc : s->sel[sreg]);
    }
    if (s->sel[SEG_SS] != c->seg[SEG_SS].sel)
        seg_load(c, SEG_SS, (s->sel[SEG_SS] & 0xfffc) | c->cpl);
    if (!(c->mode & MODE_LMA))
        return;
    if (s->sel[SEG_FS] == 0)
        c->seg[SEG_FS].base = s->fs_base;
    if (s->sel[SEG_GS] == 0)
        c->seg[SEG_GS].base = s->gs_base;
}

static void save_segments(const struct cpu *c, struct segments *s)
{
    for (unsigned k = 0; k < SEG_COUNT; k++)
        s->sel[k] = c->seg[k].sel;
    s->fs_base = c->mode & MODE_LMA ? c->seg[SEG_FS].base : 0;
    s->gs_base = c->mode & MODE_LMA ? c->seg[SEG_GS].base : 0;
}

/* As vmm/ has it: a memory object of which every second page is used. */
static bool create_ram(struct guest *g)
{
    const size_t size = PG_COUNT * JIT_RAM_STRIDE;
    int fd = memfd_create("insn_diff", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        return false;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return false;
    g->bytes = p;
    g->ram = (struct jit_ram){.fd = fd, .host = p, .pages = PG_COUNT};
    return true;
}

struct cpu *guest_create(bool (*has)(enum isa isa), enum guest_system system)
{
    char err[256];
    struct guest *g = calloc(1, sizeof(*g));
    if (g == NULL || !create_ram(g) || !cpu_init(&g->cpu, "max", err)) {
        free(g);
        return NULL;
    }
    struct cpu *c = &g->cpu;
    for (unsigned k = 0; k < ISA_COUNT; k++)
        if (!has((enum isa)k))
            c->isa[k / 64] &= ~(UINT64_C(1) << k % 64);
    g->system = system;
    build_page_tables(g);
    create_tables(g);
    c->cr0 = systems[system].cr0 | CR0_WP | CR0_NE | CR0_MP | CR0_ET | CR0_AM;
    c->cr4 = systems[system].cr4;
    c->efer = systems[system].efer;
    c->xcr0 = XCR0_X87 | XCR0_SSE;
    c->eflags = EFL_FIXED | EFL_IF;
    c->tr.limit = 0; /* no I/O permission bitmap */
    guest_set_mode(c, system == GUEST_LONG ? CODE_64 : CODE_16);
    return c;
}

void guest_free(struct cpu *c)
{
    struct guest *g = (struct guest *)c;
    cpu_free(c);
    munmap(g->bytes, PG_COUNT * JIT_RAM_STRIDE);
    close(g->ram.fd);
    free(g);
}

const struct jit_ram *guest_ram(const struct cpu *c)
{
    return &((const struct guest *)c)->ram;
}

uint8_t *guest_system_page(struct cpu *c, unsigned n)
{
    return ram_page((struct guest *)c, PG_SYSTEM + n);
}

uint8_t *guest_page_table(struct cpu *c)
{
    return ram_page((struct guest *)c, PG_PT);
}

static struct seg segment(const struct cpu *c, uint16_t sel, uint64_t base, uint32_t limit,
                          unsigned attr)
{
    unsigned dpl = systems[((const struct guest *)c)->system].cpl << SEG_DPL_SHIFT;
    struct seg s = {.sel = sel,
                    .base = base,
                    .desc_base = (uint32_t)base,
                    .limit = limit,
                    .attr = (uint16_t)(attr | SEG_P | dpl | SEG_S | SEG_RW | SEG_A),
                    .usable = true};
    return s;
}

/* A segment as selectors of real and virtual-8086 mode mean them. */
static struct seg paragraph(const struct cpu *c, uint64_t base)
{
    return segment(c, (uint16_t)(base >> 4), base, 0xffff, 0);
}

/* The selectors are those of a Linux process. */
void guest_set_mode(struct cpu *c, enum code_size size)
{
    enum guest_system system = ((const struct guest *)c)->system;
    struct seg *cs = &c->seg[SEG_CS];
    struct seg data = segment(c, 0x2b, 0, UINT32_MAX, SEG_G | SEG_DB);
    unsigned stack = has_wide_stack(system) ? SEG_DB : 0;

    if (systems[system].low) {
        *cs = paragraph(c, code_base(size) - LOW);
        data = paragraph(c, data_base(size) - LOW);
    } else if (size == CODE_64) {
        *cs = segment(c, 0x33, 0, UINT32_MAX, SEG_G | SEG_CODE | SEG_L);
    } else if (size == CODE_32) {
        *cs = segment(c, 0x23, 0, UINT32_MAX, SEG_G | SEG_CODE | SEG_DB);
    } else {
        *cs = segment(c, LDT_CODE, code_base(size), 0xffff, SEG_CODE);
        data = segment(c, LDT_DATA, data_base(size), 0xffff, stack);
    }
    c->seg[SEG_SS] = c->seg[SEG_DS] = c->seg[SEG_ES] = data;
    c->seg[SEG_FS] = c->seg[SEG_GS] =
        systems[system].low ? paragraph(c, 0) : (struct seg){.sel = 0};
    c->eflags = (c->eflags & ~EFL_VM) | (systems[system].vm ? EFL_VM : 0);
    cpu_update_mode(c);
    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++)
        seg_update(c, sreg); /* the mode may be the one that it was */
}

void guest_load(struct cpu *c, const struct state *s)
{
    struct fpu *f = &c->fpu;
    ((struct guest *)c)->stray = 0;
    cpu_attend(c, 0, ATT_EXIT);
    load_segments(c, &s->seg);
    memcpy(c->r, s->r, sizeof(s->r));
    c->r[RIP] = s->rip;
    eflags_set(c, s->eflags | (c->eflags & EFL_VM));
    f->cw = s->fx.fcw;
    f->top = s->fx.fsw >> 11 & 7;
    f->sw = s->fx.fsw & (uint16_t)~FSW_TOP;
    f->valid = s->fx.ftw;
    f->fop = f->fcs = f->fds = 0;
    f->fip = f->fdp = 0;
    for (unsigned k = 0; k < 8; k++)
        f->st[(f->top + k) & 7] = f80_make(s->fx.st[k].se, s->fx.st[k].man);
    for (unsigned k = 0; k < 16; k++)
        memcpy(&f->xmm[k], s->fx.xmm[k], 16);
    f->mxcsr = s->fx.mxcsr;
}

void guest_save(const struct cpu *c, struct state *s)
{
    const struct fpu *f = &c->fpu;
    memcpy(s->r, c->r, sizeof(s->r));
    s->rip = c->r[RIP];
    s->eflags = eflags_get(c);
    s->fx.fcw = f->cw;
    s->fx.fsw = (uint16_t)(f->sw | f->top << 11);
    s->fx.ftw = f->valid;
    for (unsigned k = 0; k < 8; k++) {
        struct f80 v = f->st[(f->top + k) & 7];
        s->fx.st[k].man = v.man;
        s->fx.st[k].se = v.se;
    }
    for (unsigned k = 0; k < 16; k++)
        memcpy(s->fx.xmm[k], &f->xmm[k], 16);
    s->fx.mxcsr = f->mxcsr;
    save_segments(c, &s->seg);
}

void sequence_pages(const struct sequence *q, uint8_t pages[CODE_SIZE])
{
    memset(pages, 0xcc, CODE_SIZE);
    memcpy(pages + q->start, q->code, q->len);
}

void guest_write_code(struct cpu *c, const struct sequence *q)
{
    uint8_t want[CODE_SIZE];
    sequence_pages(q, want);
    for (unsigned k = 0; k < CODE_PAGES; k++) {
        uint8_t *code = ram_page((struct guest *)c, PG_CODE + k);
        if (memcmp(code, want + k * PAGE, PAGE) == 0)
            continue;
        memcpy(code, want + k * PAGE, PAGE);
        cpu_code_written(c, CODE_LA + k * PAGE - guest_low(c), PAGE);
    }
}

void guest_read_code(const struct cpu *c, uint8_t *pages)
{
    for (unsigned k = 0; k < CODE_PAGES; k++)
        memcpy(pages + k * PAGE, ram_page((const struct guest *)c, PG_CODE + k), PAGE);
}

void guest_write_data(struct cpu *c, const uint8_t *mem)
{
    for (unsigned k = 0; k <= RW_PAGES; k++)
        memcpy(ram_page((struct guest *)c, PG_DATA + k), mem + k * PAGE, PAGE);
    write_descriptors((struct guest *)c);
    cpu_code_written(c, DATA_LA - guest_low(c), DATA_SIZE); /* wild jumps may have led there */
}

void guest_read_data(const struct cpu *c, uint8_t *mem)
{
    for (unsigned k = 0; k <= RW_PAGES; k++)
        memcpy(mem + k * PAGE, ram_page((const struct guest *)c, PG_DATA + k), PAGE);
}

static bool has_pages(const struct cpu *c, unsigned page, unsigned count, const uint8_t *p)
{
    for (unsigned k = 0; k < count; k++)
        if (memcmp(ram_page((const struct guest *)c, page + k), p + k * PAGE, PAGE) != 0)
            return false;
    return true;
}

bool guest_has_memory(const struct cpu *c, const uint8_t *mem, const uint8_t *code)
{
    return has_pages(c, PG_DATA, RW_PAGES + 1, mem) && has_pages(c, PG_CODE, CODE_PAGES, code);
}

/* -- The machine ------------------------------------------------------------------------------- */

uint8_t *phys_page(struct cpu *c, uint64_t pa, bool write)
{
    (void)write;
    /* Page tables are out of reach where they are not used. */
    for (unsigned k = c->cr0 & CR0_PG ? 0 : 1; k < sizeof(areas) / sizeof(areas[0]); k++) {
        uint64_t base = areas[k].pa - (areas[k].page < PG_TABLES ? 0 : guest_low(c));
        if (pa - base < areas[k].count * PAGE)
            return ram_page((struct guest *)c, areas[k].page + (pa - base) / PAGE);
    }
    return NULL;
}

/* An access where there is nothing. */
static void count_stray(struct cpu *c)
{
    if (++((struct guest *)c)->stray == STRAY_MAX)
        cpu_attend(c, ATT_EXIT, 0);
}

unsigned guest_stray(const struct cpu *c)
{
    return ((const struct guest *)c)->stray;
}

uint64_t phys_read(struct cpu *c, uint64_t pa, unsigned n)
{
    const uint8_t *p = phys_page(c, pa, false);
    if (p != NULL)
        return host_load(p + (pa & 0xfff), n);
    count_stray(c);
    return ~UINT64_C(0);
}

void phys_write(struct cpu *c, uint64_t pa, unsigned n, uint64_t val)
{
    uint8_t *p = phys_page(c, pa, true);
    if (p != NULL)
        host_store(p + (pa & 0xfff), n, val);
    else
        count_stray(c);
}

uint32_t port_in(struct cpu *c, uint16_t port, unsigned n)
{
    (void)c, (void)port, (void)n;
    return UINT32_MAX;
}

void port_out(struct cpu *c, uint16_t port, unsigned n, uint32_t val)
{
    (void)c, (void)port, (void)n, (void)val;
}

void ferr_set(struct cpu *c, bool asserted)
{
    (void)c, (void)asserted;
}

void memory_freeze(struct cpu *c, bool frozen)
{
    (void)c, (void)frozen;
}

bool ignne_asserted(struct cpu *c)
{
    (void)c;
    return false;
}

int intr_ack(struct cpu *c)
{
    (void)c;
    return -1;
}

uint64_t tsc_read(struct cpu *c)
{
    (void)c;
    return 0;
}

uint64_t tsc_hz(struct cpu *c)
{
    (void)c;
    return 1000000000;
}

bool apic_base_read(struct cpu *c, uint64_t *val)
{
    (void)c, (void)val;
    return false;
}

bool apic_base_write(struct cpu *c, uint64_t val)
{
    (void)c, (void)val;
    return false;
}

uint8_t apic_tpr_read(struct cpu *c)
{
    (void)c;
    return 0;
}

void apic_tpr_write(struct cpu *c, uint8_t val)
{
    (void)c, (void)val;
}

uint64_t apic_deadline_read(struct cpu *c)
{
    (void)c;
    return 0;
}

void apic_deadline_write(struct cpu *c, uint64_t ticks)
{
    (void)c, (void)ticks;
}

bool apic_msr_read(struct cpu *c, uint32_t msr, uint64_t *val)
{
    (void)c, (void)msr, (void)val;
    return false;
}

bool apic_msr_write(struct cpu *c, uint32_t msr, uint64_t val)
{
    (void)c, (void)msr, (void)val;
    return false;
}

uint64_t random_u64(struct cpu *c)
{
    (void)c;
    return 0;
}

void cpu_log(struct cpu *c, unsigned item, const char *fmt, ...)
{
    (void)c, (void)item, (void)fmt;
}
