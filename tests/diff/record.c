/* SPDX-License-Identifier: MIT */
/* The record of what was compared: see record.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/record.h"

#define MAX_ENTRIES 16384u
#define MAX_LINE    1024

struct entry {
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

static struct entry *find(const struct record *r, const char *key, const char *side)
{
    for (unsigned k = 0; k < r->count; k++)
        if (strcmp(r->entries[k].key, key) == 0 && strcmp(r->entries[k].side, side) == 0)
            return (struct entry *)&r->entries[k];
    return NULL;
}

static struct entry *find_or_add(struct record *r, const char *key, const char *side, bool topic)
{
    struct entry *e = find(r, key, side);
    if (e != NULL)
        return e;
    if (r->count == MAX_ENTRIES)
        abort();
    e = &r->entries[r->count++];
    snprintf(e->key, sizeof(e->key), "%s", key);
    snprintf(e->side, sizeof(e->side), "%s", side);
    e->topic = topic;
    return e;
}

void record_count(struct record *r, unsigned row, enum code_size size, const char *side, uint64_t n)
{
    char key[96];
    row_key(row, key);
    if (n != 0)
        find_or_add(r, key, side, false)->n[size] += n;
}

void record_topic(struct record *r, const char *topic, const char *side, uint64_t n)
{
    if (n != 0)
        find_or_add(r, topic, side, true)->n[0] += n;
}

static uint64_t sum(const struct record *r, const char *key, unsigned size, const char *side)
{
    uint64_t n = 0;
    for (unsigned k = 0; k < r->count; k++)
        if (strcmp(r->entries[k].key, key) == 0 &&
            (side == NULL || strcmp(r->entries[k].side, side) == 0))
            n += r->entries[k].n[size];
    return n;
}

uint64_t record_of_row(const struct record *r, unsigned row, enum code_size size, const char *side)
{
    char key[96];
    row_key(row, key);
    return sum(r, key, size, side);
}

uint64_t record_of_topic(const struct record *r, const char *topic, const char *side)
{
    return sum(r, topic, 0, side);
}

static bool is_first(const struct record *r, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        if (strcmp(r->entries[k].key, r->entries[n].key) == 0)
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
static bool read_part(struct record *r, const char *key, char *part)
{
    char side[16];
    unsigned long long n[CODE_SIZES] = {0};
    int got = sscanf(part, "%15s %llu %llu %llu", side, &n[0], &n[1], &n[2]);

    if (got != 2 && got != 4)
        return false;
    struct entry *e = find_or_add(r, key, side, got == 2);
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
    for (at += 2; at != NULL;) {
        char *next = strchr(at, '|');
        if (next != NULL)
            *next++ = '\0';
        if (!read_part(r, line, at))
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

static void write_key(FILE *f, const struct record *r, const char *key)
{
    fprintf(f, "%s", key);
    for (unsigned k = 0; k < r->count; k++) {
        const struct entry *e = &r->entries[k];
        if (strcmp(e->key, key) != 0)
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
    char key[96];
    const char *topic;

    if (f == NULL)
        return false;
    fprintf(
        f,
        "# Cases that were compared without a difference: \"./dev fuzz diff -record\" adds to them.\n"
        "# map:opcode:prefix MNEMONIC OPERANDS | side, cases in 64-, 32- and 16-bit code | ...\n");
    for (unsigned row = 0; row < optab_count; row++) {
        row_key(row, key);
        for (unsigned k = 0; k < r->count; k++) {
            if (strcmp(r->entries[k].key, key) == 0) {
                write_key(f, r, key);
                break;
            }
        }
    }
    for (unsigned n = 0; (topic = record_topic_name(r, n)) != NULL; n++)
        write_key(f, r, topic);
    return fclose(f) == 0;
}

bool record_merge(const struct record *r, const char *path)
{
    struct record *sum = record_create();
    bool ok = sum != NULL && record_read(sum, path);

    for (unsigned k = 0; ok && k < r->count; k++) {
        const struct entry *e = &r->entries[k];
        struct entry *to = find_or_add(sum, e->key, e->side, e->topic);
        for (unsigned size = 0; size < CODE_SIZES; size++)
            to->n[size] += e->n[size];
    }
    ok = ok && record_write(sum, path);
    record_free(sum);
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
