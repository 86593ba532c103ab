/* SPDX-License-Identifier: MIT */
/* The surface, its tiles, and the listeners' copies (see display.h). */
#include "vmm/display.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/vmm_internal.h"

#define TILE_W  64u
#define TILE_H  16u
#define TILES_X ((DISPLAY_MAX_WIDTH + TILE_W - 1) / TILE_W)
#define TILES_Y ((DISPLAY_MAX_HEIGHT + TILE_H - 1) / TILE_H)

struct display {
    const struct display_ops *ops;
    void *dev;
    struct display_surface surface;
    uint64_t shape;                     /* how often the size changed */
    uint64_t now;                       /* counts refreshes */
    uint64_t changed[TILES_Y][TILES_X]; /* at which refresh last */
};

/* -- Adapter ----------------------------------------------------------------------------------- */

int display_attach(struct vm *vm, const struct display_ops *ops, void *dev)
{
    if (vm->display != NULL)
        return vm_fail(vm, -EBUSY, "there is a display adapter already");
    vm->display = calloc(1, sizeof(*vm->display));
    if (vm->display == NULL)
        return -ENOMEM;
    vm->display->ops = ops;
    vm->display->dev = dev;
    return 0;
}

void display_detach(struct vm *vm, void *dev)
{
    if (vm->display == NULL || vm->display->dev != dev)
        return;
    free(vm->display->surface.pixels);
    free(vm->display);
    vm->display = NULL;
}

static bool surface_resize(struct display_surface *s, unsigned width, unsigned height)
{
    uint32_t *pixels = calloc((size_t)width * height, sizeof(*pixels));

    if (pixels == NULL)
        return false;
    free(s->pixels);
    *s = (struct display_surface){width, height, width, pixels};
    return true;
}

bool display_resize(struct display *d, unsigned width, unsigned height)
{
    if (width == 0 || height == 0 || width > DISPLAY_MAX_WIDTH || height > DISPLAY_MAX_HEIGHT ||
        !surface_resize(&d->surface, width, height))
        return false;
    d->shape++;
    display_damage(d, 0, 0, width, height);
    return true;
}

const struct display_surface *display_surface(const struct display *d)
{
    return &d->surface;
}

void display_damage(struct display *d, unsigned x, unsigned y, unsigned w, unsigned h)
{
    if (w == 0 || h == 0)
        return;
    for (unsigned ty = y / TILE_H; ty <= (y + h - 1) / TILE_H; ty++) {
        for (unsigned tx = x / TILE_W; tx <= (x + w - 1) / TILE_W; tx++)
            d->changed[ty][tx] = d->now;
    }
}

/* -- Listeners --------------------------------------------------------------------------------- */

struct found {
    struct display_rect *rects;
    unsigned count, max;
};

static void unite(struct display_rect *a, const struct display_rect *b)
{
    unsigned right = a->x + a->w > b->x + b->w ? a->x + a->w : b->x + b->w;
    unsigned end = a->y + a->h > b->y + b->h ? a->y + a->h : b->y + b->h;

    a->x = a->x < b->x ? a->x : b->x;
    a->y = a->y < b->y ? a->y : b->y;
    a->w = right - a->x;
    a->h = end - a->y;
}

/* One more run of tiles: below the same run of the row before it, a rectangle of its own, or part
 * of the last one where there is no more room. */
static void add_run(struct found *f, const struct display_rect *run)
{
    for (unsigned k = 0; k < f->count; k++) {
        struct display_rect *r = &f->rects[k];

        if (r->x == run->x && r->w == run->w && r->y + r->h == run->y) {
            r->h += run->h;
            return;
        }
    }
    if (f->count < f->max)
        f->rects[f->count++] = *run;
    else
        unite(&f->rects[f->count - 1], run);
}

static unsigned clipped(unsigned at, unsigned size, unsigned end)
{
    return at + size < end ? size : end - at;
}

/* The runs of tiles of one row that changed after `since`. */
static void find_row(const struct display *d, unsigned ty, uint64_t since, struct found *f)
{
    const struct display_surface *s = &d->surface;
    unsigned tiles = (s->width + TILE_W - 1) / TILE_W;

    for (unsigned tx = 0; tx < tiles; tx++) {
        unsigned first = tx;
        struct display_rect run;

        while (tx < tiles && d->changed[ty][tx] > since)
            tx++;
        if (tx == first)
            continue;
        run = (struct display_rect){first * TILE_W, ty * TILE_H, 0, 0};
        run.w = clipped(run.x, (tx - first) * TILE_W, s->width);
        run.h = clipped(run.y, TILE_H, s->height);
        add_run(f, &run);
    }
}

static void copy_rect(struct display_surface *to, const struct display_surface *from,
                      const struct display_rect *r)
{
    for (unsigned y = r->y; y < r->y + r->h; y++)
        memcpy(to->pixels + (size_t)y * to->stride + r->x,
               from->pixels + (size_t)y * from->stride + r->x, r->w * sizeof(*to->pixels));
}

static unsigned update(struct display *d, struct display_listener *l, struct display_rect *rects,
                       unsigned max)
{
    struct found f = {rects, 0, max};

    d->now++;
    d->ops->refresh(d->dev, d);
    if (d->surface.width == 0)
        return 0;
    if (l->shape != d->shape || l->copy.pixels == NULL) {
        if (!surface_resize(&l->copy, d->surface.width, d->surface.height))
            return 0;
        l->shape = d->shape;
        l->heard = 0;
    }
    for (unsigned ty = 0; ty * TILE_H < d->surface.height; ty++)
        find_row(d, ty, l->heard, &f);
    for (unsigned k = 0; k < f.count; k++)
        copy_rect(&l->copy, &d->surface, &rects[k]);
    l->heard = d->now;
    return f.count;
}

unsigned display_refresh(struct vm *vm, struct display_listener *l, struct display_rect *rects,
                         unsigned max)
{
    unsigned count = 0;

    vm_lock(vm);
    if (vm->display != NULL)
        count = update(vm->display, l, rects, max);
    vm_unlock(vm);
    return count;
}

void display_listener_free(struct display_listener *l)
{
    free(l->copy.pixels);
    *l = (struct display_listener){0};
}

bool display_get_text(struct vm *vm, struct display_text *t)
{
    bool is_text;

    vm_lock(vm);
    is_text = vm->display != NULL && vm->display->ops->text(vm->display->dev, t);
    vm_unlock(vm);
    return is_text;
}
