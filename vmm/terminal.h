/* SPDX-License-Identifier: MIT */
/* The program's own terminal in raw mode, for a serial line on stdin and stdout. */
#ifndef VMM_TERMINAL_H
#define VMM_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct terminal {
    bool is_raw;
    struct termios saved, raw;
};

/* Pass every key to us, unechoed; with `keep_signals` ^C and ^\ still raise signals. No effect
 * where stdin is no terminal. A crash of the program makes the terminal usable again, too. */
void terminal_raw(struct terminal *t, bool keep_signals);

/* Raw again, after the program was stopped and continued. */
void terminal_again(struct terminal *t);

void terminal_restore(struct terminal *t);

#endif
