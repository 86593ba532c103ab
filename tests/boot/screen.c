/* SPDX-License-Identifier: MIT */
/* Boots a machine as calque would and waits until its screen shows a text.
 *
 *     screen TEXT SECONDS PICTURE.png CALQUE-OPTION...
 *
 * Prints the screen's characters and writes its picture; the status is 0 if the text was there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/pc.h"
#include "frontend/options.h"
#include "frontend/screenshot.h"
#include "vmm/vm.h"

#include <pthread.h>

struct watch {
    struct vm *vm;
    const char *text, *picture;
    unsigned seconds;
    bool found;
};

/* The screen as lines of printable characters. */
static void read_screen(struct vm *vm, struct display_text *t, char *out)
{
    if (display_get_text(vm, t)) {
        for (unsigned y = 0; y < t->rows; y++) {
            for (unsigned x = 0; x < t->columns; x++) {
                unsigned ch = t->cells[y * t->columns + x] & 0xff;

                *out++ = (char)(ch >= 0x20 && ch < 0x7f ? ch : ' ');
            }
            *out++ = '\n';
        }
    }
    *out = '\0';
}

static void *watch_screen(void *arg)
{
    struct watch *w = arg;
    struct display_text *t = calloc(1, sizeof(*t));
    char *lines = calloc(1, DISPLAY_TEXT_ROWS * (DISPLAY_TEXT_COLUMNS + 1) + 1);

    for (unsigned k = 0; k < 10 * w->seconds && !w->found; k++) {
        usleep(100000);
        read_screen(w->vm, t, lines);
        w->found = strstr(lines, w->text) != NULL;
    }
    fputs(lines, stdout);
    if (screenshot_save(w->vm, w->picture) != 0)
        w->found = false;
    free(lines);
    free(t);
    vm_quit(w->vm);
    return NULL;
}

int main(int argc, char **argv)
{
    char err[VM_ERR_LEN];
    struct options o;
    struct watch w;
    pthread_t thread;

    if (argc < 5 || options_parse(&o, argc - 3, argv + 3, err) != 0)
        return 2;
    o.vm.serial[0] = "null";
    o.vm.log = stderr;
    w = (struct watch){.text = argv[1], .seconds = (unsigned)strtoul(argv[2], NULL, 10)};
    w.picture = argv[3];
    if (vm_create(&w.vm, &o.vm, &pc_board, err) != 0) {
        fprintf(stderr, "%s\n", err);
        return 2;
    }
    if (pthread_create(&thread, NULL, watch_screen, &w) != 0)
        return 2;
    vm_run(w.vm);
    pthread_join(thread, NULL);
    vm_destroy(w.vm);
    return w.found ? 0 : 1;
}
