/* SPDX-License-Identifier: MIT */
/* The text of the line, what keys do to it, and what the terminal is told. */
#include "frontend/monitor_line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Control characters, by their letters. */
#define CTRL(letter) ((letter)&0x1f)
#define DELETE       0x7f

static void put(struct line *l, const char *text)
{
    l->put(l->arg, text, strlen(text));
}

/* All of it anew, with the cursor in its place. */
static void redraw(struct line *l)
{
    char back[32];

    put(l, "\r");
    put(l, l->prompt);
    put(l, l->text);
    put(l, "\033[K");
    if (l->at < l->len) {
        snprintf(back, sizeof(back), "\033[%uD", l->len - l->at);
        put(l, back);
    }
}

void line_begin(struct line *l)
{
    l->len = l->at = 0;
    l->text[0] = '\0';
    l->state = KEY_PLAIN;
    l->shown = l->entries;
    put(l, l->prompt);
}

void line_free(struct line *l)
{
    for (unsigned k = 0; k < l->entries; k++)
        free(l->history[k]);
    l->entries = 0;
}

/* -- Editing ----------------------------------------------------------------------------------- */

static void insert(struct line *l, char ch)
{
    if (l->len + 1 >= LINE_LEN)
        return;
    memmove(l->text + l->at + 1, l->text + l->at, l->len - l->at + 1);
    l->text[l->at++] = ch;
    l->len++;
    if (l->at == l->len)
        put(l, l->text + l->at - 1);
    else
        redraw(l);
}

/* From `first` up to, but not, `end`. */
static void cut(struct line *l, unsigned first, unsigned end)
{
    if (first >= end || end > l->len)
        return;
    memmove(l->text + first, l->text + end, l->len - end + 1);
    l->len -= end - first;
    l->at = first;
    redraw(l);
}

static void move(struct line *l, unsigned at)
{
    if (at <= l->len && at != l->at) {
        l->at = at;
        redraw(l);
    }
}

static unsigned word_start(const struct line *l)
{
    unsigned at = l->at;

    while (at > 0 && l->text[at - 1] == ' ')
        at--;
    while (at > 0 && l->text[at - 1] != ' ')
        at--;
    return at;
}

/* -- History ----------------------------------------------------------------------------------- */

static void remember(struct line *l)
{
    char *copy;

    if (l->len == 0 || (l->entries > 0 && strcmp(l->history[l->entries - 1], l->text) == 0))
        return;
    copy = strdup(l->text);
    if (copy == NULL)
        return;
    if (l->entries == LINE_HISTORY) {
        free(l->history[0]);
        memmove(l->history, l->history + 1, (LINE_HISTORY - 1) * sizeof(l->history[0]));
        l->entries--;
    }
    l->history[l->entries++] = copy;
}

static void recall(struct line *l, int step)
{
    if ((step < 0 && l->shown == 0) || (step > 0 && l->shown >= l->entries))
        return;
    l->shown += (unsigned)step;
    snprintf(l->text, LINE_LEN, "%s", l->shown < l->entries ? l->history[l->shown] : "");
    l->at = l->len = (unsigned)strlen(l->text);
    redraw(l);
}

/* -- Completion of the first word -------------------------------------------------------------- */

/* How much all candidates have in common; *found is how many there are. */
static const char *common(const struct line *l, size_t *len, unsigned *found)
{
    const char *first = NULL, *word;

    *found = 0;
    for (unsigned k = 0; (word = l->candidate(k)) != NULL; k++) {
        size_t same = 0;

        if (strncmp(word, l->text, l->at) != 0)
            continue;
        if ((*found)++ == 0) {
            first = word;
            *len = strlen(word);
        }
        while (same < *len && word[same] == first[same])
            same++;
        *len = same;
    }
    return first;
}

static void list(struct line *l)
{
    const char *word;

    for (unsigned k = 0; (word = l->candidate(k)) != NULL; k++) {
        if (strncmp(word, l->text, l->at) == 0) {
            put(l, "\r\n");
            put(l, word);
        }
    }
    put(l, "\r\n");
    redraw(l);
}

static void complete(struct line *l)
{
    size_t len = 0;
    unsigned found, had = l->at;
    const char *word = common(l, &len, &found);

    if (memchr(l->text, ' ', l->at) != NULL)
        return;
    for (size_t k = had; found > 0 && k < len; k++)
        insert(l, word[k]);
    if (found == 1)
        insert(l, ' ');
    else if (found > 1 && len == had)
        list(l);
}

/* -- Keys -------------------------------------------------------------------------------------- */

static void sequence(struct line *l, char key)
{
    if (isdigit((unsigned char)key)) {
        l->parameter = (l->parameter * 10 + (unsigned)(key - '0')) % 1000;
        return;
    }
    if (key >= ' ' && key < '@') { /* before the letter that ends it; only the last number counts */
        l->parameter = 0;
        return;
    }
    l->state = KEY_PLAIN;
    switch (key) {
    case 'A': recall(l, -1); break;
    case 'B': recall(l, 1); break;
    case 'C': move(l, l->at + 1); break;
    case 'D': move(l, l->at - 1); break; /* before the first there is none */
    case 'H': move(l, 0); break;
    case 'F': move(l, l->len); break;
    case '~':
        if (l->parameter == 3)
            cut(l, l->at, l->at + 1);
        else
            move(l, l->parameter == 1 || l->parameter == 7 ? 0 : l->len);
        break;
    default: break;
    }
}

static void control(struct line *l, char key)
{
    switch (key) {
    case CTRL('A'): move(l, 0); break;
    case CTRL('B'): move(l, l->at - 1); break;
    case CTRL('C'):
        put(l, "\r\n");
        line_begin(l);
        break;
    case CTRL('D'): cut(l, l->at, l->at + 1); break;
    case CTRL('E'): move(l, l->len); break;
    case CTRL('F'): move(l, l->at + 1); break;
    case CTRL('H'):
    case DELETE: cut(l, l->at - 1, l->at); break;
    case CTRL('I'): complete(l); break;
    case CTRL('K'): cut(l, l->at, l->len); break;
    case CTRL('L'): redraw(l); break;
    case CTRL('N'): recall(l, 1); break;
    case CTRL('P'): recall(l, -1); break;
    case CTRL('U'): cut(l, 0, l->at); break;
    case CTRL('W'): cut(l, word_start(l), l->at); break;
    case '\033': l->state = KEY_ESCAPE; break;
    default: break;
    }
}

bool line_key(struct line *l, char key)
{
    if (key == '\r' || key == '\n') {
        put(l, "\r\n");
        remember(l);
        return true;
    }
    if (l->state == KEY_ESCAPE) {
        l->state = key == '[' || key == 'O' ? KEY_SEQUENCE : KEY_PLAIN;
        l->parameter = 0;
    } else if (l->state == KEY_SEQUENCE) {
        sequence(l, key);
    } else if (iscntrl((unsigned char)key)) {
        control(l, key);
    } else {
        insert(l, key);
    }
    return false;
}
