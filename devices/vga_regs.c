/* SPDX-License-Identifier: MIT */
/* Ports 3B0-3DF: the general registers, the five groups behind index registers, and the DAC. What
 * has no effect here (sync polarities, timing beyond the length of a line and a picture) is stored
 * and read back. */
#include "devices/vga_state.h"

#include "vmm/clock.h"

/* Bits that exist; the others read as zero. */
static const uint8_t seq_bits[VGA_SEQ_COUNT] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
static const uint8_t gfx_bits[VGA_GFX_COUNT] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03,
                                                0x7b, 0x0f, 0x0f, 0xff};
static const uint8_t attr_bits[VGA_ATTR_COUNT] = {0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                                  0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                                  0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};

#define CRTC_OVERFLOW 0x07
#define CRTC_PROTECT  0x11 /* bit 7: registers 0-7 cannot be written */
#define SENSE         0x10 /* of input status 0: a colour monitor */

const struct field vga_regs_fields[] = {
    FIELD(struct vga_regs, misc),
    FIELD(struct vga_regs, feature),
    FIELD(struct vga_regs, enable),
    FIELD(struct vga_regs, crtc_index),
    FIELD(struct vga_regs, seq_index),
    FIELD(struct vga_regs, gfx_index),
    FIELD(struct vga_regs, attr_index),
    FIELD(struct vga_regs, attr_data),
    FIELD_ARRAY(struct vga_regs, crtc),
    FIELD_ARRAY(struct vga_regs, seq),
    FIELD_ARRAY(struct vga_regs, gfx),
    FIELD_ARRAY(struct vga_regs, attr),
    FIELD(struct vga_regs, dac_mask),
    FIELD(struct vga_regs, dac_read),
    FIELD(struct vga_regs, dac_write),
    FIELD(struct vga_regs, dac_part),
    FIELD(struct vga_regs, dac_state),
    FIELD_ARRAY(struct vga_regs, dac_hold),
    FIELD_AT(struct vga_regs, dac, FIELD_BYTES, 1, sizeof(((struct vga_regs *)0)->dac), NULL),
    FIELD(struct vga_regs, latch),
    FIELD(struct vga_regs, layout),
    FIELD(struct vga_regs, dispi_index),
    FIELD_ARRAY(struct vga_regs, dispi),
    FIELDS_END,
};

void vga_regs_reset(struct vga_regs *r)
{
    uint8_t layout = r->layout; /* belongs to what is in memory */

    *r = (struct vga_regs){.enable = 1, .dac_mask = 0xff, .layout = layout};
    r->dispi[DISPI_ID] = 0xb0c5;
    r->dispi[DISPI_BPP] = 8;
}

/* -- Timing ------------------------------------------------------------------------------------ */

struct timing {
    uint64_t line_ns;
    unsigned lines, shown_lines;
    unsigned chars, shown_chars;
};

unsigned vga_crtc_line(const struct vga_regs *r, unsigned low, unsigned bit8, unsigned bit9)
{
    unsigned overflow = r->crtc[CRTC_OVERFLOW];

    return r->crtc[low] | (overflow >> bit8 & 1) << 8 | (overflow >> bit9 & 1) << 9;
}

/* As the registers say, within what a monitor could show: 20 to 200 pictures a second. */
static struct timing timing_of(const struct vga_regs *r)
{
    uint64_t clock_khz = (r->misc >> 2 & 3) == 1 ? 28322 : 25175;
    unsigned dots = r->seq[1] & 1 ? 8 : 9;
    struct timing t = {.lines = vga_crtc_line(r, 0x06, 0, 5) + 2,
                       .shown_lines = vga_crtc_line(r, 0x12, 1, 6) + 1,
                       .chars = r->crtc[0] + 5u,
                       .shown_chars = r->crtc[1] + 1u};

    if (vga_is_vbe(r) || t.lines < 100 || t.chars < 20)
        t = (struct timing){0, 525, 480, 100, 80};
    if (t.shown_lines > t.lines - 5)
        t.shown_lines = t.lines - 5;
    if (t.shown_chars > t.chars - 5)
        t.shown_chars = t.chars - 5;
    t.line_ns = (uint64_t)t.chars * dots * (r->seq[1] & 8 ? 2 : 1) * 1000000 / clock_khz;
    if (t.line_ns * t.lines < 5000000)
        t.line_ns = 5000000 / t.lines;
    if (vga_is_vbe(r) || t.line_ns * t.lines > 50000000)
        t.line_ns = 16666667 / t.lines;
    return t;
}

uint64_t vga_frame_ns(const struct vga_regs *r)
{
    struct timing t = timing_of(r);

    return t.line_ns * t.lines;
}

/* Input status 1: bit 0, nothing is being shown; bit 3, vertical retrace. */
static uint8_t input_status(const struct vga_regs *r, uint64_t now)
{
    struct timing t = timing_of(r);
    uint64_t at = now % (t.line_ns * t.lines);
    unsigned line = (unsigned)(at / t.line_ns);
    unsigned retrace = vga_crtc_line(r, 0x10, 2, 7);
    bool blank =
        line >= t.shown_lines || at % t.line_ns * t.chars >= (uint64_t)t.shown_chars * t.line_ns;

    if (retrace < t.shown_lines || retrace > t.lines - 3)
        retrace = t.shown_lines + 1;
    return (uint8_t)(blank | (line >= retrace && line < retrace + 2 ? 8 : 0));
}

/* -- DAC --------------------------------------------------------------------------------------- */

static uint8_t dac_value(const struct vga_regs *r, uint8_t val)
{
    return r->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC ? val : val & 0x3f;
}

static uint8_t dac_data_read(struct vga_regs *r)
{
    uint8_t val = r->dac[r->dac_read][r->dac_part];

    if (++r->dac_part == 3) {
        r->dac_part = 0;
        r->dac_read++;
    }
    return dac_value(r, val);
}

static void dac_data_write(struct vga_regs *r, uint8_t val)
{
    r->dac_hold[r->dac_part] = dac_value(r, val);
    if (++r->dac_part == 3) {
        memcpy(r->dac[r->dac_write], r->dac_hold, 3);
        r->dac_part = 0;
        r->dac_write++;
    }
}

static void dac_index_write(struct vga_regs *r, uint8_t val, bool for_reading)
{
    r->dac_part = 0;
    r->dac_state = for_reading ? 3 : 0;
    if (for_reading)
        r->dac_read = val;
    else
        r->dac_write = val;
}

/* -- Groups ------------------------------------------------------------------------------------ */

static uint8_t group_read(const uint8_t *regs, unsigned count, uint8_t index)
{
    return index < count ? regs[index] : 0;
}

static void crtc_write(struct vga_regs *r, uint8_t val)
{
    unsigned index = r->crtc_index;

    if (index >= VGA_CRTC_COUNT)
        return;
    if (index <= CRTC_OVERFLOW && r->crtc[CRTC_PROTECT] & 0x80) {
        if (index == CRTC_OVERFLOW) /* line compare's bit 8 stays writable */
            r->crtc[index] = (uint8_t)((r->crtc[index] & ~0x10) | (val & 0x10));
        return;
    }
    r->crtc[index] = val;
}

static void attr_write(struct vga_regs *r, uint8_t val)
{
    unsigned index = r->attr_index & 0x1f;

    if (!r->attr_data)
        r->attr_index = val & 0x3f;
    else if (index < VGA_ATTR_COUNT)
        r->attr[index] = val & attr_bits[index];
    r->attr_data = !r->attr_data;
}

/* -- Ports ------------------------------------------------------------------------------------- */

/* 3B4, 3B5 and 3BA, or 3D4, 3D5 and 3DA, by where the colour bit puts them; the place as if it were
 * 3Dx. Others that are not there now: 0. */
static uint16_t placed(const struct vga_regs *r, uint16_t port)
{
    bool color = r->misc & VGA_MISC_COLOR;

    if (port >= 0x3b0 && port <= 0x3bb)
        return color ? 0 : (uint16_t)(port + 0x20);
    if (port >= 0x3d0 && port <= 0x3df)
        return color ? port : 0;
    return port;
}

uint8_t vga_port_read(struct vga_regs *r, uint16_t port, uint64_t now)
{
    switch (placed(r, port)) {
    case 0x3c0: return r->attr_index;
    case 0x3c1: return group_read(r->attr, VGA_ATTR_COUNT, r->attr_index & 0x1f);
    case 0x3c2: return SENSE;
    case 0x3c3: return r->enable;
    case 0x3c4: return r->seq_index;
    case 0x3c5: return group_read(r->seq, VGA_SEQ_COUNT, r->seq_index);
    case 0x3c6: return r->dac_mask;
    case 0x3c7: return r->dac_state;
    case 0x3c8: return r->dac_write;
    case 0x3c9: return dac_data_read(r);
    case 0x3ca: return r->feature;
    case 0x3cc: return r->misc;
    case 0x3ce: return r->gfx_index;
    case 0x3cf: return group_read(r->gfx, VGA_GFX_COUNT, r->gfx_index);
    case 0x3d4: return r->crtc_index;
    case 0x3d5: return group_read(r->crtc, VGA_CRTC_COUNT, r->crtc_index);
    case 0x3da: r->attr_data = false; return input_status(r, now);
    default: return 0xff;
    }
}

void vga_port_write(struct vga_regs *r, uint16_t port, uint8_t val)
{
    switch (placed(r, port)) {
    case 0x3c0: attr_write(r, val); break;
    case 0x3c2: r->misc = val; break;
    case 0x3c3: r->enable = val & 1; break;
    case 0x3c4: r->seq_index = val & 7; break;
    case 0x3c5:
        if (r->seq_index < VGA_SEQ_COUNT)
            r->seq[r->seq_index] = val & seq_bits[r->seq_index];
        break;
    case 0x3c6: r->dac_mask = val; break;
    case 0x3c7: dac_index_write(r, val, true); break;
    case 0x3c8: dac_index_write(r, val, false); break;
    case 0x3c9: dac_data_write(r, val); break;
    case 0x3ce: r->gfx_index = val & 15; break;
    case 0x3cf:
        if (r->gfx_index < VGA_GFX_COUNT)
            r->gfx[r->gfx_index] = val & gfx_bits[r->gfx_index];
        break;
    case 0x3d4: r->crtc_index = val & 0x3f; break;
    case 0x3d5: crtc_write(r, val); break;
    case 0x3da: r->feature = val; break;
    }
}
