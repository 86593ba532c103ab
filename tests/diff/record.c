/* SPDX-License-Identifier: MIT */
/* The record of what was compared: see record.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/record.h"

#define MAX_ENTRIES 16384u
#define MAX_LINE    1024

/* Of rows that are no more the key is kept. */
struct entry {
    unsigned row; /* optab_count: a topic, or no row */
    char key[96], side[16];
    bool topic;
    uint64_t n[CODE_SIZES];
};

struct record {
    unsigned count;
    struct entry entries[MAX_ENTRIES];
};

struct record *record_create(void)
{
    return calloc(1, sizeof(struct record));
}

void record_free(struct record *r)
{
    free(r);
}

static void row_key(unsigned row, char key[96])
{
    const struct op_row *o = &optab[row];
    snprintf(key, 96, "%02x:%02x:%u %s%s%s", o->map, o->opcode, o->prefix, o->name,
             o->operands[0] != '\0' ? " " : "", o->operands);
}

static unsigned find_row(const char *key)
{
    char k[96];
    for (unsigned row = 0; row < optab_count; row++) {
        row_key(row, k);
        if (strcmp(k, key) == 0)
            return row;
    }
    return optab_count;
}

static bool is_of(const struct entry *e, unsigned row, const char *key)
{
    return e->row == row && (row != optab_count || strcmp(e->key, key) == 0);
}

static struct entry *find_or_add(struct record *r, unsigned row, const char *key, const char *side)
{
    struct entry *e = r->entries;
    for (; e < r->entries + r->count; e++)
        if (is_of(e, row, key) && strcmp(e->side, side) == 0)
            return e;
    if (r->count++ == MAX_ENTRIES)
        abort();
    e->row = row;
    snprintf(e->key, sizeof(e->key), "%s", key);
    snprintf(e->side, sizeof(e->side), "%s", side);
    return e;
}

void record_count(struct record *r, unsigned row, enum code_size size, const char *side, uint64_t n)
{
    char key[96];
    row_key(row, key);
    if (n != 0)
        find_or_add(r, row, key, side)->n[size] += n;
}

void record_topic(struct record *r, const char *topic, const char *side, uint64_t n)
{
    if (n == 0)
        return;
    struct entry *e = find_or_add(r, optab_count, topic, side);
    e->topic = true;
    e->n[0] += n;
}

static uint64_t sum(const struct record *r, unsigned row, const char *key, unsigned size,
                    const char *side)
{
    uint64_t n = 0;
    for (const struct entry *e = r->entries; e < r->entries + r->count; e++)
        if (is_of(e, row, key) && (side == NULL || strcmp(e->side, side) == 0))
            n += e->n[size];
    return n;
}

uint64_t record_of_row(const struct record *r, unsigned row, enum code_size size, const char *side)
{
    return sum(r, row, NULL, size, side);
}

uint64_t record_of_topic(const struct record *r, const char *topic, const char *side)
{
    return sum(r, optab_count, topic, 0, side);
}

static bool is_first(const struct record *r, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        if (is_of(&r->entries[k], r->entries[n].row, r->entries[n].key))
            return false;
    return true;
}

const char *record_topic_name(const struct record *r, unsigned n)
{
    for (unsigned k = 0; k < r->count; k++)
        if (r->entries[k].topic && is_first(r, k) && n-- == 0)
            return r->entries[k].key;
    return NULL;
}

/* -- The file ------------------------------------------------------------------------------------
 */

/* One " SIDE COUNT..." */
static bool read_part(struct record *r, unsigned row, const char *key, char *part)
{
    char side[16];
    unsigned long long n[CODE_SIZES] = {0};
    int got = sscanf(part, "%15s %llu %llu %llu", side, &n[0], &n[1], &n[2]);

    if (got != 2 && got != 4)
        return false;
    struct entry *e = find_or_add(r, row, key, side);
    e->topic = got == 2;
    for (unsigned k = 0; k < CODE_SIZES; k++)
        e->n[k] += n[k];
    return true;
}

static bool read_line(struct record *r, char *line)
{
    char *at = strstr(line, " |");
    if (at == NULL)
        return false;
    *at = '\0';
    unsigned row = find_row(line);
    for (at += 2; at != NULL;) {
        char *next = strchr(at, '|');
        if (next != NULL)
            *next++ = '\0';
        if (!read_part(r, row, line, at))
            return false;
        at = next;
    }
    return true;
}

bool record_read(struct record *r, const char *path)
{
    char line[MAX_LINE];
    bool ok = true;
    FILE *f = fopen(path, "r");

    while (ok && f != NULL && fgets(line, sizeof(line), f) != NULL)
        ok = line[0] == '#' || line[0] == '\n' || read_line(r, line);
    if (f != NULL)
        fclose(f);
    return ok;
}

/* The line of entry n, and of those with the same key. */
static void write_line(FILE *f, const struct record *r, unsigned n)
{
    fprintf(f, "%s", r->entries[n].key);
    for (unsigned k = n; k < r->count; k++) {
        const struct entry *e = &r->entries[k];
        if (!is_of(e, r->entries[n].row, r->entries[n].key))
            continue;
        fprintf(f, " | %s %llu", e->side, (unsigned long long)e->n[0]);
        for (unsigned size = 1; size < CODE_SIZES && !e->topic; size++)
            fprintf(f, " %llu", (unsigned long long)e->n[size]);
    }
    fprintf(f, "\n");
}

bool record_write(const struct record *r, const char *path)
{
    FILE *f = fopen(path, "w");

    if (f == NULL)
        return false;
    fprintf(
        f,
        "# Cases that were compared without a difference: \"./dev fuzz diff -record\" adds to them.\n"
        "# map:opcode:prefix MNEMONIC OPERANDS | side, cases in 64-, 32- and 16-bit code | ...\n");
    /* In the table's order, then what is no row. */
    for (unsigned row = 0; row <= optab_count; row++)
        for (unsigned k = 0; k < r->count; k++)
            if (r->entries[k].row == row && is_first(r, k))
                write_line(f, r, k);
    return fclose(f) == 0;
}

bool record_merge(const struct record *r, const char *path)
{
    struct record *all = record_create();
    bool ok = all != NULL && record_read(all, path);

    for (unsigned k = 0; ok && k < r->count; k++) {
        const struct entry *e = &r->entries[k];
        struct entry *to = find_or_add(all, e->row, e->key, e->side);
        to->topic = e->topic;
        for (unsigned size = 0; size < CODE_SIZES; size++)
            to->n[size] += e->n[size];
    }
    ok = ok && record_write(all, path);
    record_free(all);
    return ok;
}

const char *record_maker(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_is("intel") ? "intel" : __builtin_cpu_is("amd") ? "amd" : "other";
#else
    return "other";
#endif
}
