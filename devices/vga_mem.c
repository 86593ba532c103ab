/* SPDX-License-Identifier: MIT */
/* How the processor reaches the VGA's memory: the window's place, the ways in which an address
 * becomes a plane and a plane address (planar, odd/even, chain-4, banks of a VBE mode), read and
 * write modes, latches, and the logic unit of the graphics controller. */
#include "devices/vga_state.h"

#define SEQ_MAP_MASK 2
#define SEQ_MEMORY   4

#define GFX_SET_RESET 0
#define GFX_ENABLE_SR 1
#define GFX_COMPARE   2
#define GFX_ROTATE    3
#define GFX_READ_MAP  4
#define GFX_MODE      5
#define GFX_MISC      6
#define GFX_DONT_CARE 7
#define GFX_BIT_MASK  8

/* By bits 2 and 3 of GFX_MISC. */
static const struct window {
    uint32_t at, size;
} window[4] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};

static const struct window *window_of(const struct vga_regs *r)
{
    return &window[r->gfx[GFX_MISC] >> 2 & 3];
}

/* VBE modes of 8 bits and more are linear whatever the sequencer says. */
static bool is_chain4(const struct vga_regs *r)
{
    return vga_is_vbe(r) ? r->dispi[DISPI_BPP] != 4 : r->seq[SEQ_MEMORY] & 8;
}

static bool is_odd_even(const struct vga_regs *r)
{
    return !(r->seq[SEQ_MEMORY] & 4);
}

enum vga_layout vga_layout_of(const struct vga_regs *r)
{
    if (is_chain4(r))
        return LAYOUT_CHAIN4;
    return is_odd_even(r) && !vga_is_vbe(r) ? LAYOUT_PAIRS : LAYOUT_PLANES;
}

static uint32_t bank_of(const struct vga_regs *r)
{
    return vga_is_vbe(r) ? (uint32_t)r->dispi[DISPI_BANK] * DISPI_BANK_SIZE : 0;
}

/* -- Layout ------------------------------------------------------------------------------------ */

/* 256 KiB are moved: the layout follows the first access in another mode, so that programs which
 * switch modes and back pay nothing. */
void vga_set_layout(struct vga_regs *r, const struct vga_vram *m, enum vga_layout layout)
{
    uint8_t old[4 * VGA_PLANE];

    if (r->layout == layout)
        return;
    for (uint32_t pos = 0; pos < sizeof(old); pos += PAGE_SIZE)
        memcpy(old + pos, vram_at(m, pos), PAGE_SIZE);
    for (uint32_t pa = 0; pa < VGA_PLANE; pa++) {
        for (unsigned plane = 0; plane < 4; plane++)
            *vram_at(m, vga_position(layout, pa, plane)) = old[vga_position(r->layout, pa, plane)];
    }
    r->layout = (uint8_t)layout;
    vram_wrote(m, 0, sizeof(old));
}

/* -- Addresses --------------------------------------------------------------------------------- */

/* Four bytes of the planes, and which of them an access means. */
struct target {
    uint32_t pos;  /* of plane 0, and of plane 1 behind it */
    uint32_t pos2; /* of planes 2 and 3 */
    uint8_t planes;
};

/* False: the address lies outside the window, or the window is off. */
static bool find_target(struct vga_regs *r, const struct vga_vram *m, uint32_t at, struct target *t)
{
    const struct window *w = window_of(r);
    uint32_t off = at - w->at;

    if (at < w->at || off >= w->size || !(r->misc & VGA_MISC_RAM))
        return false;
    vga_set_layout(r, m, vga_layout_of(r));
    t->planes = 15;
    if (vga_is_vbe(r)) {
        off = bank_of(r) + (off & (DISPI_BANK_SIZE - 1));
        t->planes = is_chain4(r) ? (uint8_t)(1u << (off & 3)) : 15;
        t->pos = is_chain4(r) ? off & ~3u : off * 4;
        t->pos2 = t->pos + 2;
        return true;
    }
    if (is_chain4(r)) {
        t->planes = (uint8_t)(1u << (off & 3));
        off &= ~3u;
    } else if (is_odd_even(r)) {
        t->planes = off & 1 ? 10 : 5;
        off &= ~1u;
    }
    t->pos = vga_position(r->layout, off, 0);
    t->pos2 = vga_position(r->layout, off, 2);
    return true;
}

static void load_latch(struct vga_regs *r, const struct vga_vram *m, const struct target *t)
{
    uint16_t low, high;

    memcpy(&low, vram_at(m, t->pos), 2);
    memcpy(&high, vram_at(m, t->pos2), 2);
    r->latch = low | (uint32_t)high << 16;
}

/* Two planes' bytes, beside each other; a mask's byte is all ones where its plane is written. */
static void store_pair(const struct vga_vram *m, uint32_t pos, uint16_t mask, uint16_t val)
{
    uint16_t old;

    if (mask == 0)
        return;
    memcpy(&old, vram_at(m, pos), 2);
    val = (uint16_t)((old & ~mask) | (val & mask));
    memcpy(vram_at(m, pos), &val, 2);
    vram_wrote(m, pos, 2);
}

static void store_planes(const struct vga_vram *m, const struct target *t, unsigned planes,
                         uint32_t val)
{
    uint32_t mask = vga_spread(planes);

    store_pair(m, t->pos, (uint16_t)mask, (uint16_t)val);
    store_pair(m, t->pos2, (uint16_t)(mask >> 16), (uint16_t)(val >> 16));
}

/* -- Reading ----------------------------------------------------------------------------------- */

static unsigned read_plane(const struct vga_regs *r, uint32_t at)
{
    if (is_chain4(r))
        return at & 3;
    if (is_odd_even(r) && !vga_is_vbe(r))
        return (r->gfx[GFX_READ_MAP] & 2) | (at & 1);
    return r->gfx[GFX_READ_MAP] & 3;
}

/* Read mode 1: a bit is set where all planes that matter have the bits of the colour. */
static uint8_t compare(const struct vga_regs *r)
{
    uint32_t differs =
        (r->latch ^ vga_spread(r->gfx[GFX_COMPARE])) & vga_spread(r->gfx[GFX_DONT_CARE]);

    differs |= differs >> 16;
    return (uint8_t) ~(differs | differs >> 8);
}

uint8_t vga_mem_read(struct vga_regs *r, const struct vga_vram *m, uint32_t at)
{
    struct target t;

    if (!find_target(r, m, at, &t))
        return 0xff;
    load_latch(r, m, &t);
    if (r->gfx[GFX_MODE] & 8)
        return compare(r);
    return (uint8_t)(r->latch >> (8 * read_plane(r, at)));
}

/* -- Writing ----------------------------------------------------------------------------------- */

static uint8_t rotated(const struct vga_regs *r, uint8_t val)
{
    unsigned by = r->gfx[GFX_ROTATE] & 7;

    return (uint8_t)(val >> by | val << (8 - by));
}

static uint32_t combined(const struct vga_regs *r, uint32_t val)
{
    switch (r->gfx[GFX_ROTATE] >> 3 & 3) {
    case 1: return val & r->latch;
    case 2: return val | r->latch;
    case 3: return val ^ r->latch;
    default: return val;
    }
}

/* What goes to the planes. */
static uint32_t written(const struct vga_regs *r, uint8_t val)
{
    uint32_t set = vga_spread(r->gfx[GFX_SET_RESET]), enable = vga_spread(r->gfx[GFX_ENABLE_SR]);
    uint32_t mask = r->gfx[GFX_BIT_MASK], data;

    switch (r->gfx[GFX_MODE] & 3) {
    case 0: data = (rotated(r, val) * 0x01010101u & ~enable) | (set & enable); break;
    case 1: return r->latch;
    case 2: data = vga_spread(val); break;
    default:
        mask &= rotated(r, val);
        data = set;
        break;
    }
    mask *= 0x01010101u;
    return (combined(r, data) & mask) | (r->latch & ~mask);
}

void vga_mem_write(struct vga_regs *r, const struct vga_vram *m, uint32_t at, uint8_t val)
{
    struct target t;

    if (find_target(r, m, at, &t))
        store_planes(m, &t, t.planes & r->seq[SEQ_MAP_MASK], written(r, val));
}

/* -- Direct access ----------------------------------------------------------------------------- */

/* Nothing stands between the processor and a plane but the choice of the plane. */
static bool is_plain(const struct vga_regs *r)
{
    return (r->gfx[GFX_MODE] & 0x0b) == 0 && (r->gfx[GFX_ENABLE_SR] & 15) == 0 &&
           (r->gfx[GFX_ROTATE] & 0x1f) == 0 && r->gfx[GFX_BIT_MASK] == 0xff &&
           (r->misc & VGA_MISC_RAM);
}

bool vga_mem_direct(const struct vga_regs *r, const struct vga_vram *m, struct vga_direct *d)
{
    const struct window *w = window_of(r);
    unsigned planes = r->seq[SEQ_MAP_MASK] & 15;

    if (!is_plain(r))
        return false;
    *d = (struct vga_direct){w->at, w->size, 0, vga_layout_of(r)};
    if (w->size > VGA_PLANE)
        d->size = VGA_PLANE; /* what is behind it is the same memory again */
    if (d->layout == LAYOUT_CHAIN4) {
        d->pos = bank_of(r) & (m->size - 1);
        return planes == 15;
    }
    return d->layout == LAYOUT_PAIRS && planes == 3 && !(r->gfx[GFX_READ_MAP] & 2);
}
