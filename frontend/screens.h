/* SPDX-License-Identifier: MIT */
/* Where people see the machine's screen: a window, a VNC server, the terminal. Each has a thread of
 * its own, which looks at the display (vmm/display.h) and sends keys and movements (vmm/input.h).
 */
#ifndef FRONTEND_SCREENS_H
#define FRONTEND_SCREENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SCREENS_MAX 2
#define SCREEN_MS   30 /* from one look at the display to the next */

struct vm;
struct screen;

struct screen_class {
    /* Start; `arg` is what the option says behind the name. NULL on failure, with one line of text
     * in err (VM_ERR_LEN). */
    struct screen *(*open)(struct vm *vm, const char *arg, char *err);
    void (*close)(struct screen *s);
    /* Ask for this password from now on; NULL: it knows none. */
    void (*set_password)(struct screen *s, const char *password);
};

struct screen_kind {
    const char *name;
    const char *help;
    const char *library;
    const struct screen_class *cls; /* NULL: built without the library */
};

/* Milliseconds until the display is to be looked at again, 1 to SCREEN_MS: until then a screen
 * waits for what people do. 0: now; the next look is planned. *next is the screen's own, 0 at
 * first. */
unsigned screen_wait_ms(uint64_t *next);

/* Ended by a row without a name. */
extern const struct screen_kind screen_kinds[];

/* The kind of a name of `len` characters, or NULL. */
const struct screen_kind *screen_kind_named(const char *name, size_t len);

/* What -display help and -version say. */
void screens_list(FILE *out);

struct screen_wish {
    const struct screen_kind *kind;
    const char *arg;
};

struct screens {
    unsigned count;
    struct {
        const struct screen_class *cls;
        struct screen *screen;
    } open[SCREENS_MAX];
};

/* Before vm_run(). 0, or -1 with one line of text in err. */
int screens_start(struct screens *s, struct vm *vm, const struct screen_wish *wishes,
                  unsigned count, char *err);
/* After vm_run(). */
void screens_stop(struct screens *s);

/* False: none of them has passwords. */
bool screens_set_password(struct screens *s, const char *password);

#endif
