/* SPDX-License-Identifier: MIT */
/* The screen between a display adapter, of which a machine has one at most, and any number of those
 * who look at it: windows, VNC clients, screen shots, tests.
 *
 * The adapter draws into one surface when somebody asks, and says which parts changed. The surface
 * is cut into tiles that remember when they changed last, so that each listener, who remembers when
 * it asked last, is told of what is new to it. A listener has a copy of its own, which it may read
 * on its own thread without a lock. */
#ifndef VMM_DISPLAY_H
#define VMM_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct vm;
struct display;

#define DISPLAY_MAX_WIDTH  2560u
#define DISPLAY_MAX_HEIGHT 2048u

struct display_surface {
    unsigned width, height; /* 0: there has been no picture yet */
    unsigned stride;        /* pixels from one row to the next */
    uint32_t *pixels;       /* 00RRGGBB */
};

struct display_rect {
    unsigned x, y, w, h;
};

/* A screen of characters. */
#define DISPLAY_TEXT_COLUMNS 256u
#define DISPLAY_TEXT_ROWS    256u

struct display_text {
    unsigned columns, rows;
    bool cursor_visible;
    unsigned cursor_x, cursor_y;
    uint8_t cursor_first, cursor_last; /* rows of the character cell */
    /* Row after row, without gaps: character code in the low byte, attribute in the high one. */
    uint16_t cells[DISPLAY_TEXT_COLUMNS * DISPLAY_TEXT_ROWS];
};

/* -- The adapter's side; machine lock held ----------------------------------------------------- */

struct display_ops {
    /* Bring the surface up to date. */
    void (*refresh)(void *dev, struct display *d);
    /* Fill *t. False: the screen shows graphics, or nothing. */
    bool (*text)(void *dev, struct display_text *t);
};

/* 0, -EBUSY (there is an adapter) or -ENOMEM. */
int display_attach(struct vm *vm, const struct display_ops *ops, void *dev);
void display_detach(struct vm *vm, void *dev);

/* Give the surface this size, no more than the maximum; what it shows then is black, and all of it
 * counts as changed. False: there is no memory, the surface is as it was. */
bool display_resize(struct display *d, unsigned width, unsigned height);
const struct display_surface *display_surface(const struct display *d);
/* This part was drawn anew. It lies within the surface. */
void display_damage(struct display *d, unsigned x, unsigned y, unsigned w, unsigned h);

/* -- The frontends' side; these take the machine lock ------------------------------------------ */

/* Zeroed at first; freed by display_listener_free(). */
struct display_listener {
    struct display_surface copy;
    uint64_t heard; /* owned by the display */
    uint64_t shape;
};

/* Bring the listener's copy up to date; the number of rectangles in which it changed (its size,
 * too, if shape is another than before), `max`, at least 1, at most. Where they would be more, they
 * are larger. 0 where there is no adapter, too. */
unsigned display_refresh(struct vm *vm, struct display_listener *l, struct display_rect *rects,
                         unsigned max);
void display_listener_free(struct display_listener *l);

/* What the screen shows as text. False: nothing of that kind. */
bool display_get_text(struct vm *vm, struct display_text *t);

#endif
