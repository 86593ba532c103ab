/* SPDX-License-Identifier: MIT */
/* From registers and video memory to pixels. A frame is all that drawing needs of the registers, in
 * the form in which it needs it: two equal frames mean that the same memory gives the same picture.
 * Nothing here has a state or effects. */
#ifndef DEVICES_VGA_DRAW_H
#define DEVICES_VGA_DRAW_H

#include "devices/vga_state.h"

#define VGA_MAX_CELLS (320u + 2) /* of a line; VBE with 4 bits has most, panning shows one more */

enum vga_kind {
    KIND_BLANK,
    KIND_TEXT,
    KIND_PLANAR,  /* a pixel is a bit of each plane */
    KIND_SHIFTED, /* CGA's: two bits of a byte */
    KIND_BYTES,   /* 256 colours */
    KIND_LINEAR,  /* a VBE mode of 8 bits or more */
    KIND_COUNT,
};

struct vga_frame {
    enum vga_kind kind;
    unsigned width, height;
    uint32_t palette[256]; /* 00RRGGBB; but in linear modes of 256 colours, by attribute colour */
    /* Lines, in units of the address counter. */
    unsigned cells;        /* of a line */
    unsigned dots, xscale; /* of a cell; pixels of a dot */
    unsigned rows;         /* lines of a character or row of pixels */
    unsigned line_scale;   /* lines of each of these: 2 where doubled */
    uint32_t start, pitch; /* counter */
    unsigned preset;       /* first row */
    unsigned split;        /* first line that shows split_start */
    uint32_t split_start;  /* counter: 0, or what bytes are panned by */
    unsigned pan[2];       /* dots, above and below the split */
    uint8_t addressing;    /* of VGA modes: which bits of the counter go where */
    bool planes_wide;      /* the counter is not cut to 16 bits: VBE with 4 bits */
    uint8_t layout;
    uint8_t colors; /* colour plane enable */
    /* Text. */
    uint32_t font[2]; /* plane addresses, by bit 3 of the attribute */
    uint8_t underline;
    bool blinks, line_graphics;
    bool cursor_on;
    uint32_t cursor; /* counter */
    uint8_t cursor_first, cursor_last;
    /* Linear modes. */
    unsigned bpp;
    uint32_t start_pos, pitch_bytes;
};

/* Which half of the blinking periods it is. */
struct vga_phase {
    bool cursor, blink; /* visible */
};

void vga_frame_make(const struct vga_regs *r, struct vga_frame *f);

/* What line y of a VGA mode is made of: for graphics, the four planes' bytes of each cell; for
 * text, character, attribute and these bits. The number of cells, VGA_MAX_CELLS at most. */
#define CELL_CURSOR (1u << 16) /* the cursor is on it */
#define CELL_HIDDEN (1u << 17) /* it blinks, and is not visible now */
unsigned vga_line_cells(const struct vga_frame *f, const struct vga_vram *m,
                        const struct vga_phase *phase, unsigned y, uint32_t *cells);
/* Are two lines made of the same cells for sure? */
bool vga_line_is_like(const struct vga_frame *f, unsigned y, unsigned other);

/* Draw a line of f->width pixels: from cells, or of a linear mode. */
void vga_draw_cells(const struct vga_frame *f, const struct vga_vram *m, unsigned y,
                    const uint32_t *cells, uint32_t *out);
void vga_draw_linear(const struct vga_frame *f, const struct vga_vram *m, unsigned y,
                     uint32_t *out);

/* Position of a line's first byte in a linear mode. */
static inline uint32_t vga_linear_line(const struct vga_frame *f, unsigned y)
{
    return f->start_pos + y * f->pitch_bytes;
}

#endif
