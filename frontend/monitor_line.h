/* SPDX-License-Identifier: MIT */
/* The line that somebody types at the monitor: editing and history, on any terminal that knows
 * carriage return and ECMA-48's "erase to the end of the line". */
#ifndef FRONTEND_MONITOR_LINE_H
#define FRONTEND_MONITOR_LINE_H

#include <stdbool.h>
#include <stddef.h>

#define LINE_LEN     512
#define LINE_HISTORY 64

struct line {
    const char *prompt;
    void (*put)(void *arg, const char *text, size_t n);
    /* What the word at the start could become: false for the n-th where there are no more. */
    const char *(*candidate)(unsigned n);
    void *arg;

    char text[LINE_LEN];
    unsigned len, at; /* at: the cursor */
    enum { KEY_PLAIN, KEY_ESCAPE, KEY_SEQUENCE } state;
    unsigned parameter; /* of a sequence */
    char *history[LINE_HISTORY];
    unsigned entries, shown; /* shown == entries: a new line */
};

/* Take a byte. True where it ended the line, which is then in text. */
bool line_key(struct line *l, char key);

/* Begin a new line: prints the prompt. */
void line_begin(struct line *l);

void line_free(struct line *l);

#endif
