/* SPDX-License-Identifier: MIT */
/* The DISPI registers of Bochs' VBE extension, version B0C5: resolution and depth, a virtual screen
 * larger than the visible one, the bank that the window at A0000 shows.
 *
 * Resolution and depth are taken over when the mode is enabled, and cannot be changed while it is.
 * Values that would reach beyond the limits, or a virtual screen that video memory has no room for,
 * are not accepted; drawing wraps around at the end of video memory all the same. */
#include "devices/vga_state.h"

#define ID_FIRST 0xb0c0
#define ID_LAST  0xb0c5

static unsigned bits_of(const struct vga_regs *r)
{
    return r->dispi[DISPI_BPP] == 15 ? 16 : r->dispi[DISPI_BPP];
}

static uint32_t pitch(const struct vga_regs *r, uint32_t width)
{
    return bits_of(r) == 4 ? width / 8 : width * (bits_of(r) / 8);
}

uint32_t vga_dispi_pitch(const struct vga_regs *r)
{
    return pitch(r, r->dispi[DISPI_VIRT_WIDTH]);
}

/* Rows of this width that video memory holds. */
static uint32_t rows(const struct vga_regs *r, const struct vga_vram *m, uint32_t width)
{
    uint32_t bytes = pitch(r, width) * (bits_of(r) == 4 ? 4 : 1);
    uint32_t n = bytes == 0 ? 0 : m->size / bytes;

    return n > 0xffff ? 0xffff : n;
}

static bool is_depth(unsigned bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

static uint16_t capability(unsigned reg, uint16_t val)
{
    switch (reg) {
    case DISPI_XRES: return DISPI_MAX_X;
    case DISPI_YRES: return DISPI_MAX_Y;
    case DISPI_BPP: return 32;
    default: return val;
    }
}

uint16_t vga_dispi_read(const struct vga_regs *r, const struct vga_vram *m, unsigned reg)
{
    if (reg == DISPI_MEMORY)
        return (uint16_t)(m->size >> 16);
    if (reg >= DISPI_COUNT)
        return 0;
    if (r->dispi[DISPI_ENABLE] & DISPI_GETCAPS)
        return capability(reg, r->dispi[reg]);
    return r->dispi[reg];
}

/* The window shows all planes, or consecutive bytes, as after a mode set by a VBE BIOS. */
static void prepare_vga(struct vga_regs *r)
{
    r->gfx[6] = (uint8_t)((r->gfx[6] & ~0x0c) | 0x05);
    r->gfx[5] &= 0x10;
    r->gfx[1] = r->gfx[3] = 0;
    r->gfx[8] = 0xff;
    r->seq[2] = 0x0f;
    r->seq[4] = (uint8_t)((r->seq[4] & ~0x08) | 0x06 | (bits_of(r) == 4 ? 0 : 8));
    r->misc |= VGA_MISC_RAM;
}

static void clear(const struct vga_regs *r, const struct vga_vram *m)
{
    uint32_t n = vga_dispi_pitch(r) * r->dispi[DISPI_YRES] * (bits_of(r) == 4 ? 4 : 1);

    if (n > m->size)
        n = m->size;
    for (uint32_t pos = 0; pos < n; pos += PAGE_SIZE)
        memset(vram_at(m, pos), 0, PAGE_SIZE);
    if (n > 0)
        vram_wrote(m, 0, n);
}

static void enable(struct vga_regs *r, const struct vga_vram *m, uint16_t val)
{
    bool was_on = vga_is_vbe(r);

    r->dispi[DISPI_ENABLE] =
        val & (DISPI_ENABLED | DISPI_GETCAPS | DISPI_8BIT_DAC | DISPI_LFB | DISPI_KEEP);
    if (was_on || !(val & DISPI_ENABLED)) {
        if (!(val & DISPI_ENABLED))
            r->dispi[DISPI_BANK] = 0;
        return;
    }
    if (r->dispi[DISPI_XRES] == 0 || r->dispi[DISPI_YRES] == 0 ||
        rows(r, m, r->dispi[DISPI_XRES]) < r->dispi[DISPI_YRES]) {
        r->dispi[DISPI_ENABLE] &= (uint16_t)~DISPI_ENABLED;
        return;
    }
    r->dispi[DISPI_VIRT_WIDTH] = r->dispi[DISPI_XRES];
    r->dispi[DISPI_VIRT_HEIGHT] = (uint16_t)rows(r, m, r->dispi[DISPI_XRES]);
    r->dispi[DISPI_X_OFFSET] = r->dispi[DISPI_Y_OFFSET] = 0;
    r->dispi[DISPI_BANK] = 0;
    prepare_vga(r);
    vga_set_layout(r, m, vga_layout_of(r));
    if (!(val & DISPI_KEEP))
        clear(r, m);
}

static void set_virtual_width(struct vga_regs *r, const struct vga_vram *m, uint16_t val)
{
    val &= bits_of(r) == 4 ? 0xfff8 : 0xffff;
    if (!vga_is_vbe(r) || val < r->dispi[DISPI_XRES] || rows(r, m, val) < r->dispi[DISPI_YRES])
        return;
    r->dispi[DISPI_VIRT_WIDTH] = val;
    r->dispi[DISPI_VIRT_HEIGHT] = (uint16_t)rows(r, m, val);
    r->dispi[DISPI_X_OFFSET] = r->dispi[DISPI_Y_OFFSET] = 0;
}

static void set_if(uint16_t *reg, uint16_t val, bool accepted)
{
    if (accepted)
        *reg = val;
}

void vga_dispi_write(struct vga_regs *r, const struct vga_vram *m, unsigned reg, uint16_t val)
{
    uint16_t *d = r->dispi;
    bool off = !vga_is_vbe(r);

    switch (reg) {
    case DISPI_ID: set_if(&d[reg], val, val >= ID_FIRST && val <= ID_LAST); break;
    case DISPI_XRES: set_if(&d[reg], val & 0xfff8, off && val <= DISPI_MAX_X); break;
    case DISPI_YRES: set_if(&d[reg], val, off && val <= DISPI_MAX_Y); break;
    case DISPI_BPP: set_if(&d[reg], val == 0 ? 8 : val, off && (val == 0 || is_depth(val))); break;
    case DISPI_ENABLE: enable(r, m, val); break;
    case DISPI_BANK: set_if(&d[reg], val, val < m->size / DISPI_BANK_SIZE); break;
    case DISPI_VIRT_WIDTH: set_virtual_width(r, m, val); break;
    case DISPI_X_OFFSET: set_if(&d[reg], val, val + d[DISPI_XRES] <= d[DISPI_VIRT_WIDTH]); break;
    case DISPI_Y_OFFSET: set_if(&d[reg], val, val + d[DISPI_YRES] <= d[DISPI_VIRT_HEIGHT]); break;
    }
}

/* Nothing here depends on these being consistent, but on each being in its range. */
void vga_regs_check(struct vga_regs *r, const struct vga_vram *m)
{
    uint16_t *d = r->dispi;

    r->layout %= LAYOUT_COUNT;
    r->dac_part %= 3;
    r->seq_index &= 7;
    r->gfx_index &= 15;
    r->crtc_index &= 0x3f;
    d[DISPI_BPP] = is_depth(d[DISPI_BPP]) ? d[DISPI_BPP] : 8;
    d[DISPI_XRES] = d[DISPI_XRES] > DISPI_MAX_X ? DISPI_MAX_X : d[DISPI_XRES] & 0xfff8;
    d[DISPI_YRES] = d[DISPI_YRES] > DISPI_MAX_Y ? DISPI_MAX_Y : d[DISPI_YRES];
    d[DISPI_BANK] %= (uint16_t)(m->size / DISPI_BANK_SIZE);
    if (d[DISPI_XRES] == 0 || d[DISPI_YRES] == 0)
        d[DISPI_ENABLE] &= (uint16_t)~DISPI_ENABLED;
}
