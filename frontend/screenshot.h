/* SPDX-License-Identifier: MIT */
/* Pictures of the screen as PNG files (ISO/IEC 15948), or as portable pixmaps. */
#ifndef FRONTEND_SCREENSHOT_H
#define FRONTEND_SCREENSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/display.h"

struct vm;

/* The file's bytes, which the caller frees; NULL: no memory. */
uint8_t *screenshot_encode(const struct display_surface *s, size_t *bytes);

/* Write what the screen of a VM shows now, as a portable pixmap where the name ends in ".ppm". 0,
 * or -errno: -ENODEV where there is no picture. */
int screenshot_save(struct vm *vm, const char *path);

#endif
