/* SPDX-License-Identifier: MIT */
/* What was translated, for people (-d out_asm) and for perf (-perfmap). */
#include "jit/dump.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAX_INSN 15

static ZydisMachineMode guest_mode(uint32_t mode)
{
    if (mode & MODE_64)
        return ZYDIS_MACHINE_MODE_LONG_64;
    return mode & MODE_CS32 ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16;
}

static void log_line(struct cpu *c, uint64_t at, const uint8_t *p, unsigned n, const char *text)
{
    char hex[2 * MAX_INSN + 1] = "";

    for (unsigned k = 0; k < n; k++)
        snprintf(hex + 2 * k, sizeof(hex) - 2 * k, "%02x", p[k]);
    cpu_log(c, LOG_OUT_ASM, "%016llx  %-30s  %s", (unsigned long long)at, hex, text);
}

static void log_host(const struct jit *j, const struct code *x, uint32_t from, uint32_t to)
{
    char text[HOST_TEXT];

    while (from < to) {
        const uint8_t *p = x->begin + from;
        uint64_t at = (uint64_t)(uintptr_t)(p + j->to_exec);
        unsigned n = backend_text(p, to - from < MAX_INSN ? to - from : MAX_INSN, at, text);
        log_line(j->cpu, at, p, n, text);
        from += n;
    }
}

static void log_guest(struct cpu *c, const struct block *b, uint64_t pa, unsigned len)
{
    uint8_t bytes[MAX_INSN];

    for (unsigned k = 0; k < len; k++) {
        uint64_t at = pa + k < (b->pa | 0xfff) + 1 ? pa + k : b->pa2 + ((pa + k) & 0xfff);
        bytes[k] = (uint8_t)phys_read(c, at, 1);
    }
    ZydisDisassembledInstruction z;
    bool known = ZYAN_SUCCESS(ZydisDisassembleIntel(guest_mode(b->mode), pa, bytes, len, &z));
    log_line(c, pa, bytes, len, known ? z.text : "(bad)");
}

void dump_code(const struct jit *j, const struct code *x)
{
    const struct block *b = x->block;
    struct cpu *c = j->cpu;
    uint64_t page = b->pa & ~UINT64_C(0xfff);
    uint32_t end = (uint32_t)(x->end - x->begin);

    cpu_log(c, LOG_OUT_ASM, "OUT: %u guest instructions, %u bytes of host code", b->count, end);
    log_host(j, x, 0, x->host[0]);
    for (unsigned k = 0; k < b->count; k++) {
        cpu_log(c, LOG_OUT_ASM, " -- guest");
        log_guest(c, b, page + x->guest[k], b->insn[k].len);
        log_host(j, x, x->host[k], x->host[k + 1]);
    }
    cpu_log(c, LOG_OUT_ASM, " -- ways out");
    log_host(j, x, x->host[b->count], end);
}

int dump_open_perf_map(struct jit *j)
{
    char path[64];

    snprintf(path, sizeof(path), "/tmp/perf-%ld.map", (long)getpid());
    j->perf_map = fopen(path, "ae");
    if (j->perf_map == NULL)
        return -errno;
    fprintf(j->perf_map, "%llx %llx translator\n",
            (unsigned long long)(uintptr_t)(j->rw + j->to_exec),
            (unsigned long long)(j->next - j->rw));
    return 0;
}

void dump_perf_map(const struct jit *j, const struct code *x)
{
    fprintf(j->perf_map, "%llx %llx guest-%08llx\n",
            (unsigned long long)(uintptr_t)(x->begin + j->to_exec),
            (unsigned long long)(x->end - x->begin), (unsigned long long)x->block->pa);
}
