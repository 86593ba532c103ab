/* SPDX-License-Identifier: MIT */
/* A font of 8 by 16 dots in code page 437, for boots without a VGA BIOS. */
#ifndef DEVICES_VGA_FONT_H
#define DEVICES_VGA_FONT_H

#include <stdint.h>

#define VGA_FONT_ROWS 16u

/* The rows of one character, its leftmost dot in bit 7. */
void vga_font_glyph(unsigned ch, uint8_t glyph[VGA_FONT_ROWS]);

#endif
