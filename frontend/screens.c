/* SPDX-License-Identifier: MIT */
/* The table of screens, and which of them the program was built with. */
#include "frontend/screens.h"

#include <string.h>

#include "vmm/host.h"

#ifdef CALQUE_VNC
extern const struct screen_class vnc_screen;
#define VNC_SCREEN &vnc_screen
#else
#define VNC_SCREEN NULL
#endif
#ifdef CALQUE_SDL
extern const struct screen_class sdl_screen;
#define SDL_SCREEN &sdl_screen
#else
#define SDL_SCREEN NULL
#endif
#ifdef CALQUE_CURSES
extern const struct screen_class curses_screen;
#define CURSES_SCREEN &curses_screen
#else
#define CURSES_SCREEN NULL
#endif

const struct screen_kind screen_kinds[] = {
    {"sdl", "a window", "SDL 2", SDL_SCREEN},
    {"curses", "text modes on this terminal", "ncurses", CURSES_SCREEN},
    {"vnc", "a VNC server: vnc=[HOST]:N[,password=on]", "libvncserver", VNC_SCREEN},
    {NULL, NULL, NULL, NULL},
};

unsigned screen_wait_ms(uint64_t *next)
{
    const uint64_t ms = 1000000;
    uint64_t now = host_now_ns();

    if (now < *next)
        return (unsigned)((*next - now + ms - 1) / ms);
    *next = now + SCREEN_MS * ms;
    return 0;
}

const struct screen_kind *screen_kind_named(const char *name, size_t len)
{
    for (const struct screen_kind *k = screen_kinds; k->name != NULL; k++) {
        if (strlen(k->name) == len && strncmp(k->name, name, len) == 0)
            return k;
    }
    return NULL;
}

void screens_list(FILE *out)
{
    fprintf(out, "none    no screen\n");
    for (const struct screen_kind *k = screen_kinds; k->name != NULL; k++)
        fprintf(out, "%-6s  %s (%s%s)\n", k->name, k->help,
                k->cls != NULL ? "" : "not in this program: built without ", k->library);
}

int screens_start(struct screens *s, struct vm *vm, const struct screen_wish *wishes,
                  unsigned count, char *err)
{
    s->count = 0;
    for (unsigned k = 0; k < count && k < SCREENS_MAX; k++) {
        const struct screen_class *cls = wishes[k].kind->cls;
        struct screen *screen = cls->open(vm, wishes[k].arg, err);

        if (screen == NULL)
            return -1;
        s->open[s->count].cls = cls;
        s->open[s->count++].screen = screen;
    }
    return 0;
}

void screens_stop(struct screens *s)
{
    while (s->count > 0) {
        s->count--;
        s->open[s->count].cls->close(s->open[s->count].screen);
    }
}

bool screens_set_password(struct screens *s, const char *password)
{
    bool known = false;

    for (unsigned k = 0; k < s->count; k++) {
        if (s->open[k].cls->set_password == NULL)
            continue;
        s->open[k].cls->set_password(s->open[k].screen, password);
        known = true;
    }
    return known;
}
