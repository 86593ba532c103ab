/* SPDX-License-Identifier: MIT */
/* Cases as text: lines "NAME VALUE", numbers in hexadecimal; # starts a comment. What is not there
 * is zero, or what diff_fields[] has as plain. "after NAME VALUE" is what must come out. */
#include <Zydis/Zydis.h>
#include <string.h>

#include "cpu/mem.h"
#include "tests/diff/diff.h"

/* The instruction there, and its length. */
static unsigned disassemble(const struct sequence *q, unsigned at, ZydisDisassembledInstruction *d)
{
    static const ZydisMachineMode modes[] = {ZYDIS_MACHINE_MODE_LONG_64,
                                             ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
                                             ZYDIS_MACHINE_MODE_LONG_COMPAT_16};
    if (ZYAN_SUCCESS(ZydisDisassembleIntel(modes[q->size], sequence_start(q) + at, q->code + at,
                                           q->len - at, d)))
        return d->info.length;
    snprintf(d->text, sizeof(d->text), "?");
    return 1;
}

static void write_code(FILE *f, const struct sequence *q)
{
    ZydisDisassembledInstruction d;

    for (unsigned at = 0, n; at < q->len; at += n) {
        n = disassemble(q, at, &d);
        fprintf(f, "code");
        for (unsigned k = 0; k < n; k++)
            fprintf(f, " %02x", q->code[at + k]);
        fprintf(f, "%*s # %llx %s\n", n < 10 ? 3 * (10 - (int)n) : 0, "",
                (unsigned long long)(sequence_start(q) + at), d.text);
    }
}

/* Lines of 16 bytes where the two differ. */
static void write_memory(FILE *f, const char *prefix, const uint8_t *before, const uint8_t *after)
{
    for (unsigned at = 0; at < RW_PAGES * PAGE; at += 16) {
        if (memcmp(before + at, after + at, 16) == 0)
            continue;
        fprintf(f, "%smem %llx", prefix, (unsigned long long)(DATA_LA + at));
        for (unsigned k = 0; k < 16; k++)
            fprintf(f, " %02x", after[at + k]);
        fprintf(f, "\n");
    }
}

static void write_fields(FILE *f, enum code_size size, const struct state *s)
{
    struct state plain;

    diff_plain_state(size, &plain);
    for (unsigned k = 0; k < diff_field_results; k++) {
        uint64_t v = diff_get(s, &diff_fields[k]);
        if (v != diff_get(&plain, &diff_fields[k]))
            fprintf(f, "%s %llx\n", diff_fields[k].name, (unsigned long long)v);
    }
}

static void write_after(FILE *f, const struct diff_case *k, const struct outcome *after)
{
    struct sequence q = k->seq;
    struct state s = after->s, before = k->before;

    normalise(&q, &s);
    normalise(&q, &before);
    for (unsigned n = 0; n < diff_field_count; n++) {
        uint64_t v = diff_get(&s, &diff_fields[n]);
        if (v != diff_get(&before, &diff_fields[n]))
            fprintf(f, "after %s %llx\n", diff_fields[n].name, (unsigned long long)v);
    }
    write_memory(f, "after ", k->mem, after->mem);
}

void diff_write_case(FILE *f, const struct diff_case *k, const struct outcome *after)
{
    static const uint8_t zero[RW_PAGES * PAGE];

    fprintf(f, "system %s\nbits %u\n", diff_system_names[k->system], 64u >> k->seq.size);
    if (k->seq.start != 0)
        fprintf(f, "start %x\n", k->seq.start);
    if (k->not_on_host)
        fprintf(f, "not-on-host 1\n");
    write_code(f, &k->seq);
    write_fields(f, k->seq.size, &k->before);
    write_memory(f, "", zero, k->mem);
    write_after(f, k, after);
}

/* -- Differences ---------------------------------------------------------------------------------
 */

static void show(FILE *f, const char *name, uint64_t want, uint64_t got)
{
    if (want != got)
        fprintf(f, "# %-9s %16llx %16llx\n", name, (unsigned long long)want,
                (unsigned long long)got);
}

static void show_bytes(FILE *f, uint64_t la, const uint8_t *want, const uint8_t *got, unsigned size)
{
    for (unsigned at = 0, shown = 0; at < size && shown < 8; at += 8) {
        char name[24];
        uint64_t w = host_load(want + at, 8), g = host_load(got + at, 8);
        snprintf(name, sizeof(name), "%llx", (unsigned long long)(la + at));
        show(f, name, w, g);
        shown += w != g;
    }
}

static void show_segments(FILE *f, const struct outcome *want, const struct outcome *got)
{
    static const char *const names[6] = {"es", "cs", "ss", "ds", "fs", "gs"};
    char name[24];

    for (unsigned k = 0; k < 6; k++) {
        snprintf(name, sizeof(name), "%s.base", names[k]);
        show(f, name, want->seg[k].base, got->seg[k].base);
        snprintf(name, sizeof(name), "%s.limit", names[k]);
        show(f, name, want->seg[k].limit, got->seg[k].limit);
        snprintf(name, sizeof(name), "%s.attr", names[k]);
        show(f, name, want->seg[k].attr, got->seg[k].attr);
    }
}

void diff_write_difference(FILE *f, const struct diff_case *k, const struct outcome *want,
                           const char *side, const struct outcome *got)
{
    struct sequence q = k->seq;
    struct state w = want->s, g = got->s;

    normalise(&q, &w);
    normalise(&q, &g);
    fprintf(f, "# %-9s %16s %16s\n", "", "reference", side);
    for (unsigned n = 0; n < diff_field_count; n++)
        show(f, diff_fields[n].name, diff_get(&w, &diff_fields[n]), diff_get(&g, &diff_fields[n]));
    show_bytes(f, DATA_LA, want->mem, got->mem, DATA_SIZE);
    show_bytes(f, CODE_LA, want->code, got->code, CODE_SIZE);
    if (strcmp(side, side_host.name) == 0)
        return;
    show(f, "fop", want->fop, got->fop);
    show(f, "fip", want->fip, got->fip);
    show(f, "fdp", want->fdp, got->fdp);
    show(f, "fcs", want->fcs, got->fcs);
    show(f, "fds", want->fds, got->fds);
    show_segments(f, want, got);
}
