/* SPDX-License-Identifier: MIT */
/* Reads cases as diff_write.c writes them. */
#include <stdlib.h>
#include <string.h>

#include "tests/diff/diff.h"

#define LINE 512

/* The next word of *p, which gets behind it; empty: there is none. */
static const char *word(char **p)
{
    char *start = *p + strspn(*p, " \t\n");
    *p = start + strcspn(start, " \t\n");
    if (**p != '\0')
        *(*p)++ = '\0';
    return start;
}

static bool number(char **p, uint64_t *v)
{
    const char *w = word(p);
    char *end;

    *v = strtoull(w, &end, 16);
    return end != w && *end == '\0';
}

/* Bytes to the end of the line; false: none, more than `room`, or a mistake. */
static bool bytes(char **p, uint8_t *to, size_t room, size_t *n)
{
    for (*n = 0;; ++*n) {
        const char *w = word(p);
        char *end;
        if (*w == '\0')
            return *n != 0;
        unsigned long v = strtoul(w, &end, 16);
        if (*end != '\0' || v > 255 || *n == room)
            return false;
        to[*n] = (uint8_t)v;
    }
}

static bool read_memory(char **p, uint8_t *mem)
{
    uint64_t la;
    size_t n;

    return number(p, &la) && la - DATA_LA < RW_PAGES * PAGE &&
           bytes(p, mem + (la - DATA_LA), RW_PAGES * PAGE - (la - DATA_LA), &n);
}

static bool read_field(const char *name, char **p, struct state *s, unsigned fields)
{
    uint64_t v;

    for (unsigned k = 0; k < fields; k++) {
        if (strcmp(name, diff_fields[k].name) != 0)
            continue;
        if (!number(p, &v))
            return false;
        diff_set(s, &diff_fields[k], v);
        return true;
    }
    return false;
}

static bool read_system(char **p, struct diff_case *k)
{
    const char *w = word(p);

    for (unsigned n = 0; n < GUEST_SYSTEMS; n++) {
        if (strcmp(w, diff_system_names[n]) == 0) {
            k->system = (enum guest_system)n;
            return true;
        }
    }
    return false;
}

static bool read_bits(char **p, struct diff_case *k)
{
    unsigned bits = (unsigned)strtoul(word(p), NULL, 10);

    k->seq.size = bits == 64 ? CODE_64 : bits == 32 ? CODE_32 : CODE_16;
    diff_plain_state(k->seq.size, &k->before);
    return 64u >> k->seq.size == bits;
}

static bool read_start(char **p, struct diff_case *k)
{
    uint64_t v;
    bool ok = number(p, &v) && v < CODE_SIZE;

    k->seq.start = (unsigned)v;
    return ok;
}

static bool read_code(char **p, struct diff_case *k)
{
    size_t n;
    bool ok = bytes(p, k->seq.code + k->seq.len, sizeof(k->seq.code) - k->seq.len, &n);

    k->seq.len += (unsigned)n;
    return ok;
}

static bool read_not_on_host(char **p, struct diff_case *k)
{
    uint64_t v;
    bool ok = number(p, &v);

    k->not_on_host = v != 0;
    return ok;
}

static bool read_case_line(const char *name, char **p, struct diff_case *k)
{
    static const struct {
        const char *name;
        bool (*read)(char **p, struct diff_case *k);
    } lines[] = {{"system", read_system},
                 {"bits", read_bits},
                 {"start", read_start},
                 {"not-on-host", read_not_on_host},
                 {"code", read_code}};

    for (size_t n = 0; n < sizeof(lines) / sizeof(lines[0]); n++)
        if (strcmp(name, lines[n].name) == 0)
            return lines[n].read(p, k);
    return strcmp(name, "mem") == 0 ? read_memory(p, k->mem)
                                    : read_field(name, p, &k->before, diff_field_results);
}

static bool read_after_line(char **p, struct outcome *expect)
{
    const char *name = word(p);

    return strcmp(name, "mem") == 0 ? read_memory(p, expect->mem)
                                    : read_field(name, p, &expect->s, diff_field_count);
}

/* Into *k, or the "after" lines into *expect; the other one is NULL. */
static bool read_lines(FILE *f, struct diff_case *k, struct outcome *expect, unsigned *line)
{
    char text[LINE], *p;

    rewind(f);
    for (*line = 1; fgets(text, sizeof(text), f) != NULL; ++*line) {
        text[strcspn(text, "#")] = '\0';
        p = text;
        const char *name = word(&p);
        bool after = strcmp(name, "after") == 0;
        if (*name == '\0' || after != (expect != NULL))
            continue;
        if ((after ? !read_after_line(&p, expect) : !read_case_line(name, &p, k)) ||
            *word(&p) != '\0')
            return false;
    }
    return true;
}

bool diff_read_case(FILE *f, struct cpu *decoder, struct diff_case *k, unsigned *line)
{
    memset(k, 0, sizeof(*k));
    gen_first_memory(k->mem);
    memset(k->mem, 0, RW_PAGES * PAGE);
    diff_plain_state(CODE_64, &k->before);
    if (!read_lines(f, k, NULL, line))
        return false;
    k->before.rip = sequence_start(&k->seq);
    return k->seq.len != 0 && k->seq.start + k->seq.len <= CODE_SIZE &&
           diff_find_rows(decoder, &k->seq);
}

bool diff_read_after(FILE *f, struct outcome *expect, unsigned *line)
{
    return read_lines(f, NULL, expect, line);
}
