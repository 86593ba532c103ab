/* SPDX-License-Identifier: MIT */
/* Debug registers: code, data and port breakpoints (SDM 3B chapter 17). */
#include "cpu/exception.h"
#include "cpu/flags.h"
#include "cpu/mem.h"

/* R/W fields of DR7 */
enum { WATCH_CODE, WATCH_WRITE, WATCH_PORT, WATCH_ACCESS };

static bool is_enabled(const struct cpu *c, unsigned n)
{
    return c->dr[7] >> (2 * n) & 3;
}

static unsigned kind_of(const struct cpu *c, unsigned n)
{
    return c->dr[7] >> (16 + 4 * n) & 3;
}

static unsigned length_of(const struct cpu *c, unsigned n)
{
    static const uint8_t bytes[] = {1, 2, 8, 4};
    return bytes[c->dr[7] >> (18 + 4 * n) & 3];
}

bool debug_has_code_breakpoints(const struct cpu *c)
{
    if (!(c->dr[7] & 0xff))
        return false;
    for (unsigned n = 0; n < 4; n++)
        if (is_enabled(c, n) && kind_of(c, n) == WATCH_CODE)
            return true;
    return false;
}

bool debug_code_breakpoint(struct cpu *c)
{
    uint32_t hit = 0;
    if (!(c->dr[7] & 0xff) || c->eflags & EFL_RF)
        return false;
    uint64_t la = (c->seg[SEG_CS].base + c->r[RIP]) & c->la_mask;
    for (unsigned n = 0; n < 4; n++)
        if (is_enabled(c, n) && kind_of(c, n) == WATCH_CODE && c->dr[n] == la)
            hit |= 1u << n;
    if (hit == 0)
        return false;
    cpu_raise(c, VEC_DB, hit);
    return true;
}

/* A breakpoint covers its length, aligned. */
static bool covers(const struct cpu *c, unsigned n, uint64_t first, unsigned bytes)
{
    unsigned len = length_of(c, n);
    uint64_t start = c->dr[n] & ~(uint64_t)(len - 1);
    return first < start + len && start < first + bytes;
}

bool debug_page_watched(const struct cpu *c, uint64_t page)
{
    if (!(c->dr[7] & 0xff))
        return false;
    for (unsigned n = 0; n < 4; n++) {
        unsigned kind = kind_of(c, n);
        bool data = kind == WATCH_WRITE || kind == WATCH_ACCESS;
        if (is_enabled(c, n) && data && covers(c, n, page, 0x1000))
            return true;
    }
    return false;
}

static void note_hits(struct cpu *c, uint32_t hit)
{
    if (hit == 0)
        return;
    c->db_pending |= hit;
    c->run_end = NULL;
}

void debug_data_access(struct cpu *c, uint64_t la, unsigned n, bool write)
{
    uint32_t hit = 0;
    if (!(c->dr[7] & 0xff))
        return;
    for (unsigned k = 0; k < 4; k++) {
        unsigned kind = kind_of(c, k);
        bool kind_ok = kind == WATCH_ACCESS || (kind == WATCH_WRITE && write);
        if (is_enabled(c, k) && kind_ok && covers(c, k, la, n))
            hit |= 1u << k;
    }
    note_hits(c, hit);
}

void debug_port_access(struct cpu *c, uint16_t port, unsigned n)
{
    uint32_t hit = 0;
    if (!(c->dr[7] & 0xff) || !(c->cr4 & CR4_DE))
        return;
    for (unsigned k = 0; k < 4; k++)
        if (is_enabled(c, k) && kind_of(c, k) == WATCH_PORT && covers(c, k, port, n))
            hit |= 1u << k;
    note_hits(c, hit);
}

void debug_update(struct cpu *c)
{
    tlb_flush_all(c);
    cpu_update_mode(c);
}

/* -- The register dump of -d cpu --------------------------------------------------------------- */

static void log_segment(struct cpu *c, const char *name, const struct seg *s)
{
    cpu_log(c, LOG_CPU, "%s %04x base %016llx limit %08x attr %04x%s", name, s->sel,
            (unsigned long long)s->base, s->limit, s->attr, s->usable ? "" : " null");
}

void cpu_log_registers(struct cpu *c)
{
    static const char names[16][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    static const char seg_names[SEG_COUNT][3] = {"es", "cs", "ss", "ds", "fs", "gs"};
    for (unsigned k = 0; k < 16; k += 4)
        cpu_log(c, LOG_CPU, "%-3s %016llx %-3s %016llx %-3s %016llx %-3s %016llx", names[k],
                (unsigned long long)c->r[k], names[k + 1], (unsigned long long)c->r[k + 1],
                names[k + 2], (unsigned long long)c->r[k + 2], names[k + 3],
                (unsigned long long)c->r[k + 3]);
    cpu_log(c, LOG_CPU, "rip %016llx eflags %08x cpl %u mode %02x icount %llu",
            (unsigned long long)c->r[RIP], eflags_get(c), c->cpl, c->mode,
            (unsigned long long)c->icount);
    for (unsigned k = 0; k < SEG_COUNT; k++)
        log_segment(c, seg_names[k], &c->seg[k]);
    log_segment(c, "ldtr", &c->ldtr);
    log_segment(c, "tr", &c->tr);
    cpu_log(c, LOG_CPU, "gdt %016llx %04x idt %016llx %04x", (unsigned long long)c->gdt.base,
            c->gdt.limit, (unsigned long long)c->idt.base, c->idt.limit);
    cpu_log(c, LOG_CPU, "cr0 %08llx cr2 %016llx cr3 %016llx cr4 %08llx efer %llx",
            (unsigned long long)c->cr0, (unsigned long long)c->cr2, (unsigned long long)c->cr3,
            (unsigned long long)c->cr4, (unsigned long long)c->efer);
}
