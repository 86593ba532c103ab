/* SPDX-License-Identifier: MIT */
/* Raw mode of the terminal on stdin, and a way back from it at any end of the program.
 *
 * An orderly end restores the saved settings. A crash has no way to find them (nothing here is
 * global), so the handler for crash signals switches the flags that raw mode took away back on,
 * which needs nothing but the terminal itself. */
#include "vmm/terminal.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#define IN_FLAGS    (BRKINT | ICRNL | IXON)
#define LOCAL_FLAGS (ECHO | ICANON | IEXTEN | ISIG)

/* async-signal-safe; the default action follows, since the handler is used once */
static void on_crash(int sig)
{
    struct termios t;

    if (tcgetattr(STDIN_FILENO, &t) == 0) {
        t.c_iflag |= IN_FLAGS;
        t.c_lflag |= LOCAL_FLAGS;
        tcsetattr(STDIN_FILENO, TCSANOW, &t);
    }
    raise(sig);
}

static void catch_crashes(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    struct sigaction act = {.sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER};

    sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct sigaction old;

        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(signals[i], &act, NULL);
    }
}

void terminal_raw(struct terminal *t, bool keep_signals)
{
    if (t->is_raw || tcgetattr(STDIN_FILENO, &t->saved) != 0)
        return;
    t->raw = t->saved;
    t->raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t->raw.c_oflag |= OPOST; /* our own messages end in plain newlines */
    t->raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    if (!keep_signals)
        t->raw.c_lflag &= ~(tcflag_t)ISIG;
    t->raw.c_cc[VMIN] = 1;
    t->raw.c_cc[VTIME] = 0;
    catch_crashes();
    t->is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &t->raw) == 0;
}

void terminal_again(struct terminal *t)
{
    if (t->is_raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &t->raw);
}

void terminal_restore(struct terminal *t)
{
    if (t->is_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &t->saved);
    t->is_raw = false;
}
