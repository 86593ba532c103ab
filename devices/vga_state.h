/* SPDX-License-Identifier: MIT */
/* The VGA's state, shared by its parts: registers (vga_regs.c, vga_vbe.c), the processor's view of
 * video memory (vga_mem.c), drawing (vga_draw.c), and the device itself (vga.c). Names are those of
 * IBM's VGA documentation; register arrays are indexed as the hardware indexes them.
 *
 * The VGA's own memory is four planes of 64 KiB, at the start of video memory. A plane's byte is
 * named by a plane address (pa) and a plane; how these become positions in video memory is the
 * layout, chosen so that what programs do most touches consecutive bytes: then the window in the
 * processor's address space can show video memory itself. */
#ifndef DEVICES_VGA_STATE_H
#define DEVICES_VGA_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "vmm/mem.h"
#include "vmm/state.h"

#define VGA_CRTC_COUNT 25u
#define VGA_SEQ_COUNT  5u
#define VGA_GFX_COUNT  9u
#define VGA_ATTR_COUNT 21u
#define VGA_PLANE      0x10000u /* bytes of a plane */

#define VGA_MISC_COLOR 0x01 /* CRTC and status at 3Dx, not 3Bx */
#define VGA_MISC_RAM   0x02

/* DISPI registers (Bochs VBE), ORDER dispi */
enum {
    DISPI_ID,
    DISPI_XRES,
    DISPI_YRES,
    DISPI_BPP,
    DISPI_ENABLE,
    DISPI_BANK,
    DISPI_VIRT_WIDTH,
    DISPI_VIRT_HEIGHT,
    DISPI_X_OFFSET,
    DISPI_Y_OFFSET,
    DISPI_COUNT,
    DISPI_MEMORY = DISPI_COUNT, /* read-only: video memory in 64 KiB */
};

#define DISPI_ENABLED   0x01
#define DISPI_GETCAPS   0x02
#define DISPI_8BIT_DAC  0x20
#define DISPI_LFB       0x40
#define DISPI_KEEP      0x80 /* video memory is not cleared */
#define DISPI_MAX_X     2560u
#define DISPI_MAX_Y     1600u
#define DISPI_BANK_SIZE 0x10000u

enum vga_layout {
    LAYOUT_PLANES, /* the four planes' bytes side by side: position pa * 4 + plane */
    LAYOUT_CHAIN4, /* the same, pa rotated right by 2: what chain-4 reaches is consecutive */
    LAYOUT_PAIRS,  /* planes 0 and 1 in the lower half, where even pa are consecutive */
    LAYOUT_COUNT,
};

struct vga_regs {
    uint8_t misc, feature, enable; /* 3C2, 3DA, 3C3 */
    uint8_t crtc_index, seq_index, gfx_index, attr_index;
    bool attr_data; /* the next write to 3C0 is data */
    uint8_t crtc[VGA_CRTC_COUNT], seq[VGA_SEQ_COUNT], gfx[VGA_GFX_COUNT], attr[VGA_ATTR_COUNT];
    uint8_t dac_mask, dac_read, dac_write, dac_part, dac_state;
    uint8_t dac_hold[3]; /* components of a colour not yet complete */
    uint8_t dac[256][3]; /* as written: 6 or 8 bits */
    uint32_t latch;      /* plane n in byte n */
    uint8_t layout;      /* enum vga_layout */
    uint16_t dispi_index;
    uint16_t dispi[DISPI_COUNT];
};

extern const struct field vga_regs_fields[];

/* Video memory, a power of two bytes. */
struct vga_vram {
    uint8_t *host;
    unsigned page_shift; /* page n is at host + (n << page_shift) */
    uint32_t size;
    struct mem_watch *watch; /* NULL: nobody wants to know of writes */
};

/* The byte at any position; it wraps around. What follows it is there up to the page's end. */
static inline uint8_t *vram_at(const struct vga_vram *m, uint32_t pos)
{
    pos &= m->size - 1;
    return m->host + ((size_t)(pos >> 12) << m->page_shift) + (pos & 0xfff);
}

static inline uint32_t vram_get32(const struct vga_vram *m, uint32_t pos)
{
    uint32_t v;

    memcpy(&v, vram_at(m, pos & ~3u), 4);
    return v;
}

static inline void vram_wrote(const struct vga_vram *m, uint32_t pos, uint32_t n)
{
    if (m->watch != NULL)
        mem_watch_note(m->watch, pos & (m->size - 1), n);
}

/* Where a plane's byte is. */
static inline uint32_t vga_position(unsigned layout, uint32_t pa, unsigned plane)
{
    pa &= VGA_PLANE - 1;
    if (layout == LAYOUT_PAIRS)
        return (plane & 2) << 16 | (pa & 1) << 16 | (pa & 0xfffe) | (plane & 1);
    if (layout == LAYOUT_CHAIN4)
        pa = pa >> 2 | (pa & 3) << 14;
    return pa * 4 + plane;
}

/* The bytes of the four planes at pa, plane n in byte n. */
static inline uint32_t vga_get_planes(const struct vga_vram *m, unsigned layout, uint32_t pa)
{
    uint32_t pos = vga_position(layout, pa, 0);
    uint16_t low, high;

    if (layout != LAYOUT_PAIRS)
        return vram_get32(m, pos);
    memcpy(&low, vram_at(m, pos), 2);
    memcpy(&high, vram_at(m, pos + 2 * VGA_PLANE), 2);
    return low | (uint32_t)high << 16;
}

/* Four bits to four bytes, all ones or zero. */
static inline uint32_t vga_spread(unsigned bits)
{
    return ((bits & 15) * 0x204081u & 0x01010101u) * 0xff;
}

static inline bool vga_is_vbe(const struct vga_regs *r)
{
    return r->dispi[DISPI_ENABLE] & DISPI_ENABLED;
}

/* -- Registers --------------------------------------------------------------------------------- */

void vga_regs_reset(struct vga_regs *r);
/* Make loaded registers safe: what no guest could have written. */
void vga_regs_check(struct vga_regs *r, const struct vga_vram *m);
/* Ports 3B0-3DF. `now` is for the input status. */
uint8_t vga_port_read(struct vga_regs *r, uint16_t port, uint64_t now);
void vga_port_write(struct vga_regs *r, uint16_t port, uint8_t val);
/* A number of lines: CRT controller register `low`, and two bits of the overflow register. */
unsigned vga_crtc_line(const struct vga_regs *r, unsigned low, unsigned bit8, unsigned bit9);
/* Nanoseconds that a picture takes. */
uint64_t vga_frame_ns(const struct vga_regs *r);

/* DISPI registers. */
uint16_t vga_dispi_read(const struct vga_regs *r, const struct vga_vram *m, unsigned reg);
void vga_dispi_write(struct vga_regs *r, const struct vga_vram *m, unsigned reg, uint16_t val);
/* Bytes from one row to the next; in 4 bpp, of one plane. */
uint32_t vga_dispi_pitch(const struct vga_regs *r);

/* -- The window at A0000 ----------------------------------------------------------------------- */

/* One byte at A0000 + at. */
uint8_t vga_mem_read(struct vga_regs *r, const struct vga_vram *m, uint32_t at);
void vga_mem_write(struct vga_regs *r, const struct vga_vram *m, uint32_t at, uint8_t val);

/* A part of the window that is memory and nothing else, as the registers are: at A0000 + at, `size`
 * bytes from position `pos` of video memory on, in this layout. False: there is none. */
struct vga_direct {
    uint32_t at, size, pos;
    enum vga_layout layout;
};
bool vga_mem_direct(const struct vga_regs *r, const struct vga_vram *m, struct vga_direct *d);
/* The layout that suits the registers; rearrange the VGA's memory. */
enum vga_layout vga_layout_of(const struct vga_regs *r);
void vga_set_layout(struct vga_regs *r, const struct vga_vram *m, enum vga_layout layout);

#endif
