/* SPDX-License-Identifier: MIT */
/* Lines of memory before and after each instruction of a rehearsal. */
#include "jit/journal.h"

#include <string.h>

static bool on_write(struct rehearsal *r, uint8_t *host, unsigned n)
{
    struct journal *j = (struct journal *)(void *)r;
    uint8_t *p = host - ((uintptr_t)host & (LINE - 1));

    for (; p < host + n; p += LINE) {
        struct line *line = &j->line[j->nlines];
        if (j->nlines > 0 && line[-1].host == p && line[-1].insn == j->insn)
            continue;
        if (j->nlines == JOURNAL_LINES) {
            j->full = true;
            return false;
        }
        line->host = p;
        line->insn = j->insn;
        memcpy(line->before, p, LINE);
        j->nlines++;
    }
    return true;
}

void journal_create(struct journal *j)
{
    j->rehearsal.write = on_write;
}

void journal_begin(struct journal *j)
{
    j->nlines = j->rehearsal.nwalked = 0;
    j->rehearsal.refused = j->full = false;
}

void journal_note(struct journal *j, unsigned first)
{
    for (unsigned n = first; n < j->nlines; n++)
        memcpy(j->line[n].after, j->line[n].host, LINE);
}

void journal_undo(const struct journal *j)
{
    for (unsigned k = j->nlines; k-- > 0;)
        memcpy(j->line[k].host, j->line[k].before, LINE);
}

void journal_redo(const struct journal *j, unsigned k)
{
    journal_undo(j);
    for (unsigned n = 0; n < j->nlines && j->line[n].insn < k; n++)
        memcpy(j->line[n].host, j->line[n].after, LINE);
}

/* Does line n come again? */
static bool is_written_later(const struct journal *j, unsigned n)
{
    for (unsigned k = n + 1; k < j->nlines; k++)
        if (j->line[k].host == j->line[n].host)
            return true;
    return false;
}

/* Nearly always there are few lines, all of them are as they were behind the last instruction, and
 * that is what k stands for. */
#define FEW 16

static bool is_as_noted(const struct journal *j, unsigned k)
{
    if (j->nlines > FEW || (j->nlines > 0 && j->line[j->nlines - 1].insn >= k))
        return false;
    for (unsigned n = 0; n < j->nlines; n++)
        if (memcmp(j->line[n].host, j->line[n].after, LINE) != 0 && !is_written_later(j, n))
            return false;
    return true;
}

bool journal_equal(struct journal *j, unsigned k)
{
    if (is_as_noted(j, k))
        return true;
    for (unsigned n = 0; n < j->nlines; n++)
        memcpy(j->line[n].found, j->line[n].host, LINE);
    journal_redo(j, k);
    for (unsigned n = 0; n < j->nlines; n++)
        if (memcmp(j->line[n].found, j->line[n].host, LINE) != 0)
            return false;
    return true;
}
