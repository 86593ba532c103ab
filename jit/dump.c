/* SPDX-License-Identifier: MIT */
/* What was translated, for people (-d out_asm) and for perf (-perfmap). */
#include "jit/dump.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cpu/mem.h"

#define MAX_INSN 15

static void log_host(const struct jit *j, const struct code *x, uint32_t from, uint32_t to)
{
    char text[HOST_TEXT];

    while (from < to) {
        const uint8_t *p = x->begin + from;
        unsigned n = backend_text(j, x, p, to - from, text);
        cpu_log(j->cpu, LOG_OUT_ASM, "    %012llx  %s",
                (unsigned long long)(uintptr_t)(p + j->to_exec), text);
        from += n;
    }
}

static void log_guest(struct cpu *c, const struct block *b, uint64_t page, unsigned at,
                      unsigned len)
{
    char text[INSN_TEXT];
    uint8_t bytes[MAX_INSN];

    for (unsigned k = 0; k < len; k++) {
        uint64_t pa = at + k < 0x1000 ? (b->pa & PAGE_MASK) + at + k : b->pa2 + at + k - 0x1000;
        bytes[k] = (uint8_t)phys_read(c, pa, 1);
    }
    insn_text(b->mode, page + at, bytes, len, text);
    cpu_log(c, LOG_OUT_ASM, "%s", text);
}

void dump_code(const struct jit *j, const struct code *x, uint64_t page)
{
    const struct block *b = x->block;
    struct cpu *c = j->cpu;
    uint32_t end = (uint32_t)(x->end - x->begin);

    cpu_log(c, LOG_OUT_ASM, "OUT: physical address %llx, %u instructions: %u bytes of host code",
            (unsigned long long)b->pa, b->count, end);
    cpu_log(c, LOG_OUT_ASM, "entry");
    log_host(j, x, 0, x->host[0]);
    for (unsigned k = 0; k < b->count; k++) {
        log_guest(c, b, page, x->guest[k], b->insn[k].len);
        log_host(j, x, x->host[k], x->host[k + 1]);
    }
    cpu_log(c, LOG_OUT_ASM, "ways out");
    log_host(j, x, x->host[b->count], end);
}

int dump_open_perf_map(struct jit *j)
{
    char path[64];

    snprintf(path, sizeof(path), "/tmp/perf-%ld.map", (long)getpid());
    j->perf_map = fopen(path, "ae");
    if (j->perf_map == NULL)
        return -errno;
    setvbuf(j->perf_map, NULL, _IOLBF, 0); /* whole lines, should we be killed */
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
