/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fake_machine *machine_of(struct cpu *c)
{
    return (struct fake_machine *)(void *)c;
}

struct fake_machine *fake_machine_create(const char *model)
{
    char err[256];
    struct fake_machine *m = calloc(1, sizeof(*m));
    if (m == NULL || (m->ram = calloc(1, FAKE_RAM_BYTES)) == NULL)
        abort();
    m->pending_vector = -1;
    m->apic_base = 0xfee00900;
    if (!cpu_init(&m->cpu, model, err)) {
        fprintf(stderr, "%s\n", err);
        abort();
    }
    cpu_reset(&m->cpu);
    cpu_set_a20(&m->cpu, true);
    return m;
}

void fake_machine_free(struct fake_machine *m)
{
    cpu_free(&m->cpu);
    if (m->spread != NULL) {
        munmap(m->ram, FAKE_RAM_BYTES);
        munmap(m->spread, 2 * FAKE_RAM_BYTES);
        close(m->ram_fd);
    } else {
        free(m->ram);
    }
    free(m);
}

static uint8_t *map_or_abort(void *at, size_t bytes, int fd, size_t offset)
{
    int how = (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) | (at != NULL ? MAP_FIXED : 0);
    void *p = mmap(at, bytes, PROT_READ | PROT_WRITE, how, fd, (off_t)offset);

    if (p == MAP_FAILED)
        abort();
    return p;
}

void fake_machine_spread(struct fake_machine *m)
{
    uint8_t *together = map_or_abort(NULL, FAKE_RAM_BYTES, -1, 0);

    m->ram_fd = memfd_create("ram", MFD_CLOEXEC);
    if (m->ram_fd < 0 || ftruncate(m->ram_fd, 2 * FAKE_RAM_BYTES) < 0)
        abort();
    m->spread = map_or_abort(NULL, 2 * FAKE_RAM_BYTES, m->ram_fd, 0);
    for (size_t at = 0; at < FAKE_RAM_BYTES; at += 4096) {
        map_or_abort(together + at, 4096, m->ram_fd, 2 * at);
        memcpy(together + at, m->ram + at, 4096);
    }
    free(m->ram);
    m->ram = together;
    cpu_flush_tlb(&m->cpu);
}

static void flat_segments(struct cpu *c, uint16_t code_attr)
{
    for (unsigned s = 0; s < SEG_COUNT; s++)
        c->seg[s] = (struct seg){.limit = 0xffffffff,
                                 .sel = s == SEG_CS ? 8 : 16,
                                 .attr = s == SEG_CS ? code_attr : 0xc093,
                                 .usable = true};
    c->gdt.limit = 0;
    c->idt.limit = 0;
}

void fake_machine_enter32(struct fake_machine *m, uint32_t entry, uint32_t stack)
{
    struct cpu *c = &m->cpu;
    flat_segments(c, 0xc09b);
    c->cr0 |= CR0_PE;
    c->r[RIP] = entry;
    c->r[RSP] = stack;
    cpu_update_mode(c);
    cpu_flush_tlb(c);
}

void fake_machine_enter64(struct fake_machine *m, uint64_t entry, uint64_t stack)
{
    struct cpu *c = &m->cpu;
    uint64_t pml4 = FAKE_RAM_BYTES - 0x3000, pdpt = pml4 + 0x1000, pd = pml4 + 0x2000, pte;
    pte = pdpt | 7;
    memcpy(m->ram + pml4, &pte, 8);
    pte = pd | 7;
    memcpy(m->ram + pdpt, &pte, 8);
    for (uint64_t k = 0; k < FAKE_RAM_BYTES >> 21; k++) {
        pte = k << 21 | 0x87;
        memcpy(m->ram + pd + 8 * k, &pte, 8);
    }
    flat_segments(c, 0xa09b);
    c->cr3 = pml4;
    c->cr4 |= CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    c->efer |= EFER_LME | EFER_LMA;
    c->cr0 |= CR0_PE | CR0_PG | CR0_NE | CR0_WP;
    c->r[RIP] = entry;
    c->r[RSP] = stack;
    cpu_update_mode(c);
    cpu_flush_tlb(c);
}

/* -- What cpu/ asks of the machine ------------------------------------------------------------- */

static void set_dirty(struct cpu *c, uint64_t pa)
{
    machine_of(c)->dirty[pa >> 12] = true;
}

uint8_t *phys_page(struct cpu *c, uint64_t pa, bool write)
{
    uint64_t page = pa & ~UINT64_C(0xfff);

    if (pa >= FAKE_RAM_BYTES)
        return NULL;
    if (write)
        set_dirty(c, pa);
    return machine_of(c)->spread != NULL ? machine_of(c)->spread + 2 * page
                                         : machine_of(c)->ram + page;
}

/* An access where there is nothing. */
static void count_stray(struct cpu *c)
{
    if (c->log_items & LOG_EXEC && machine_of(c)->strays_left-- == 0)
        cpu_attend(c, ATT_EXIT, 0);
}

uint64_t phys_read(struct cpu *c, uint64_t pa, unsigned n)
{
    uint64_t v = 0;
    if (pa + n > FAKE_RAM_BYTES) {
        count_stray(c);
        return ~UINT64_C(0) >> (64 - 8 * n);
    }
    memcpy(&v, machine_of(c)->ram + pa, n);
    return v;
}

void phys_write(struct cpu *c, uint64_t pa, unsigned n, uint64_t val)
{
    if (pa + n <= FAKE_RAM_BYTES) {
        set_dirty(c, pa);
        memcpy(machine_of(c)->ram + pa, &val, n);
    } else {
        count_stray(c);
    }
    cpu_code_written(c, pa, n);
}

uint32_t port_in(struct cpu *c, uint16_t port, unsigned n)
{
    (void)port;
    return machine_of(c)->port_value & (uint32_t)(~UINT64_C(0) >> (64 - 8 * n));
}

void port_out(struct cpu *c, uint16_t port, unsigned n, uint32_t val)
{
    struct fake_machine *m = machine_of(c);
    (void)n;
    m->last_port = port;
    m->last_port_out = val;
    m->port_writes++;
    if (m->intr_port == 0 || (port & ~1u) != m->intr_port)
        return;
    if (port == m->intr_port)
        m->pending_vector = (uint8_t)val;
    cpu_attend(c, port == m->intr_port ? ATT_INTR : ATT_NMI, 0);
}

void ferr_set(struct cpu *c, bool asserted)
{
    machine_of(c)->ferr = asserted;
}

void memory_freeze(struct cpu *c, bool frozen)
{
    machine_of(c)->frozen = frozen;
}

bool ignne_asserted(struct cpu *c)
{
    return machine_of(c)->ignne;
}

int intr_ack(struct cpu *c)
{
    struct fake_machine *m = machine_of(c);
    int vec = m->pending_vector;
    m->pending_vector = -1;
    cpu_attend(c, 0, ATT_INTR);
    return vec;
}

uint64_t tsc_read(struct cpu *c)
{
    return machine_of(c)->tsc++;
}

uint64_t tsc_hz(struct cpu *c)
{
    (void)c;
    return 1000000000;
}

bool apic_base_read(struct cpu *c, uint64_t *val)
{
    *val = machine_of(c)->apic_base;
    return true;
}

bool apic_base_write(struct cpu *c, uint64_t val)
{
    machine_of(c)->apic_base = val;
    return true;
}

uint8_t apic_tpr_read(struct cpu *c)
{
    (void)c;
    return 0;
}

void apic_tpr_write(struct cpu *c, uint8_t val)
{
    (void)c;
    (void)val;
}

uint64_t apic_deadline_read(struct cpu *c)
{
    return machine_of(c)->deadline;
}

void apic_deadline_write(struct cpu *c, uint64_t ticks)
{
    machine_of(c)->deadline = ticks;
}

bool apic_msr_read(struct cpu *c, uint32_t msr, uint64_t *val)
{
    (void)c;
    (void)msr;
    (void)val;
    return false;
}

bool apic_msr_write(struct cpu *c, uint32_t msr, uint64_t val)
{
    (void)c;
    (void)msr;
    (void)val;
    return false;
}

uint64_t random_u64(struct cpu *c)
{
    return machine_of(c)->tsc++ * UINT64_C(0x9e3779b97f4a7c15);
}

void cpu_log(struct cpu *c, unsigned item, const char *fmt, ...)
{
    struct fake_machine *m = machine_of(c);
    va_list ap;
    if (item == LOG_EXEC) {
        if (m->blocks_left-- == 0 || (m->may_go_on != NULL && !m->may_go_on(m)))
            cpu_attend(c, ATT_EXIT, 0);
        return;
    }
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}
