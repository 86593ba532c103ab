/* SPDX-License-Identifier: MIT */
/* Pages that the rehearsal wrote to are copied; the write entries of all others are poisoned, so
 * that a write there traps. */
#include "jit/stray.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "jit/code.h"

#define PAGES      16
#define PAGE_BYTES 4096u

struct stray {
    bool closed;
    unsigned npages;
    uint8_t *page[PAGES];
    uint8_t copy[PAGES][PAGE_BYTES];
};

int stray_create(struct jit *j)
{
    j->stray = calloc(1, sizeof(*j->stray));
    return j->stray != NULL ? 0 : -ENOMEM;
}

void stray_free(struct jit *j)
{
    free(j->stray);
    j->stray = NULL;
}

static bool is_known(const struct stray *s, const uint8_t *page)
{
    for (unsigned n = 0; n < s->npages; n++)
        if (s->page[n] == page)
            return true;
    return false;
}

void stray_close(struct jit *j, const struct journal *journal)
{
    struct stray *s = j->stray;

    s->npages = 0;
    for (unsigned n = 0; n < journal->nlines; n++) {
        uint8_t *line = journal->line[n].host, *page = line - ((uintptr_t)line & (PAGE_BYTES - 1));
        if (is_known(s, page))
            continue;
        if (s->npages == PAGES) {
            s->npages = 0;
            return;
        }
        memcpy(s->copy[s->npages], page, PAGE_BYTES);
        s->page[s->npages++] = page;
    }
    shadow_close(&j->shadow, j->cpu->mmu, s->page, s->npages);
    s->closed = true;
}

void stray_open(struct jit *j)
{
    if (j->stray->closed)
        shadow_reopen(&j->shadow);
    j->stray->closed = false;
}

bool stray_is_closed(const struct jit *j)
{
    return j->stray->closed;
}

static bool has_line(const struct journal *journal, const uint8_t *host)
{
    for (unsigned n = 0; n < journal->nlines; n++)
        if (journal->line[n].host == host)
            return true;
    return false;
}

bool stray_pages_equal(struct jit *j, const struct journal *journal)
{
    struct stray *s = j->stray;
    bool equal = true;

    for (unsigned n = 0; n < s->npages; n++)
        for (unsigned at = 0; at < PAGE_BYTES; at += LINE)
            if (memcmp(s->page[n] + at, s->copy[n] + at, LINE) != 0 &&
                !has_line(journal, s->page[n] + at))
                equal = false;
    s->npages = 0;
    return equal;
}
