/* SPDX-License-Identifier: MIT */
/* The drives that the command line asks for: -drive, -hda and its kin, an image as an argument of
 * its own. Names, places and defaults are QEMU's. */
#ifndef FRONTEND_DRIVES_H
#define FRONTEND_DRIVES_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/drive.h"

#define DRIVES_TEXT 16384

struct drive_set {
    struct drive_config drive[DRIVE_MAX];
    bool snapshot_given[DRIVE_MAX]; /* snapshot= */
    unsigned count;
    char text[DRIVES_TEXT]; /* values, taken out of their arguments */
    size_t used;
};

/* All return 0, or -EINVAL with one line in err, of err_len bytes. */

/* -drive PROPERTY=VALUE,...; a comma in a value is written twice. */
int drives_add(struct drive_set *s, const char *arg, char *err, size_t err_len);

/* A file at a place of its own: -hda, -cdrom, -fda and so on. */
struct drive_place {
    const char *option; /* with its dash, for messages */
    enum drive_if interface;
    unsigned index;
    enum drive_media media;
};
int drives_add_file(struct drive_set *s, const struct drive_place *at, const char *file, char *err,
                    size_t err_len);

/* A file alone: a CD, a floppy or the first hard disk, by what is in it and how long it is. */
int drives_add_guessed(struct drive_set *s, const char *file, char *err, size_t err_len);

/* After the last: -snapshot, and an empty CD-ROM and an empty floppy drive where nobody asked for
 * others (`defaults`). */
void drives_finish(struct drive_set *s, bool snapshot, bool defaults);

#endif
