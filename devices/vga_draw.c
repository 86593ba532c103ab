/* SPDX-License-Identifier: MIT */
/* Drawing (see vga_draw.h). The CRT controller's address counter runs over cells: characters, or
 * the eight dots that the serialisers are loaded with at once. */
#include "devices/vga_draw.h"

#include "vmm/display.h"

#define DEFAULT_WIDTH  640
#define DEFAULT_HEIGHT 480
#define MAX_DOTS       (9u * 2u)

/* frame.addressing */
#define ADDRESS_WORD   0x01
#define ADDRESS_DWORD  0x02
#define ADDRESS_BIT15  0x04 /* word mode: bit 15, not 13, becomes bit 0 */
#define ADDRESS_ROW13  0x08 /* bit 13 is bit 0 of the row */
#define ADDRESS_ROW14  0x10
#define ADDRESS_HALF   0x20 /* the counter counts every other cell */
#define ADDRESS_FOURTH 0x40

/* -- The frame --------------------------------------------------------------------------------- */

static uint32_t dac_color(const struct vga_regs *r, unsigned index)
{
    bool wide = r->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC;
    uint32_t rgb = 0;

    for (unsigned k = 0; k < 3; k++) {
        unsigned v = r->dac[index][k];

        rgb = rgb << 8 | (wide ? v : (v & 0x3f) << 2 | (v & 0x3f) >> 4);
    }
    return rgb;
}

/* The DAC's index for one of 16 colours. */
static unsigned attribute_color(const struct vga_regs *r, unsigned color)
{
    unsigned index = r->attr[color] & 0x3f;

    if (r->attr[0x10] & 0x80)
        index = (index & 0x0f) | (r->attr[0x14] & 3u) << 4;
    return index | (r->attr[0x14] & 0x0cu) << 4;
}

static void make_palette(const struct vga_regs *r, struct vga_frame *f)
{
    bool direct = f->kind == KIND_BYTES || f->kind == KIND_LINEAR;

    for (unsigned k = 0; k < (direct ? 256 : 16); k++)
        f->palette[k] = dac_color(r, (direct ? k : attribute_color(r, k)) & r->dac_mask);
}

static uint8_t addressing_of(const struct vga_regs *r)
{
    uint8_t mode = r->crtc[0x17], underline = r->crtc[0x14], a = 0;

    a |= underline & 0x40 ? ADDRESS_DWORD : mode & 0x40 ? 0 : ADDRESS_WORD;
    a |= mode & 0x20 ? ADDRESS_BIT15 : 0;
    a |= mode & 0x01 ? 0 : ADDRESS_ROW13;
    a |= mode & 0x02 ? 0 : ADDRESS_ROW14;
    a |= mode & 0x08 ? ADDRESS_HALF : 0;
    a |= underline & 0x20 ? ADDRESS_FOURTH : 0;
    return a;
}

static enum vga_kind vga_kind_of(const struct vga_regs *r)
{
    if (!(r->attr_index & 0x20) || (r->seq[1] & 0x20))
        return KIND_BLANK;
    if (vga_is_vbe(r))
        return r->dispi[DISPI_BPP] == 4 ? KIND_PLANAR : KIND_LINEAR;
    if (!(r->gfx[6] & 1))
        return KIND_TEXT;
    if (r->gfx[5] & 0x40)
        return KIND_BYTES;
    return r->gfx[5] & 0x20 ? KIND_SHIFTED : KIND_PLANAR;
}

/* Attribute register 13h counts dots of a width of its own in each kind. */
static unsigned panning(const struct vga_regs *r, const struct vga_frame *f)
{
    unsigned pan = r->attr[0x13] & 15;

    if (f->kind == KIND_BYTES)
        return pan & 6;
    if (f->dots == 9)
        return pan >= 8 ? 0 : pan + 1;
    return pan & 7;
}

static void make_text(const struct vga_regs *r, struct vga_frame *f)
{
    unsigned a = (r->seq[3] >> 2 & 3u) | (r->seq[3] >> 3 & 4u);
    unsigned b = (r->seq[3] & 3u) | (r->seq[3] >> 2 & 4u);

    f->font[0] = (b & 3) * 0x4000 + (b >> 2) * 0x2000;
    f->font[1] = (a & 3) * 0x4000 + (a >> 2) * 0x2000;
    f->underline = r->crtc[0x14] & 0x1f;
    f->blinks = r->attr[0x10] & 0x08;
    f->line_graphics = r->attr[0x10] & 0x04;
    f->cursor_on = !(r->crtc[0x0a] & 0x20);
    f->cursor = ((uint32_t)r->crtc[0x0e] << 8 | r->crtc[0x0f]) + (r->crtc[0x0b] >> 5 & 3u);
    f->cursor_first = r->crtc[0x0a] & 0x1f;
    f->cursor_last = r->crtc[0x0b] & 0x1f;
}

static void make_vga(const struct vga_regs *r, struct vga_frame *f)
{
    unsigned byte_pan = r->crtc[8] >> 5 & 3u;
    unsigned compare = r->crtc[0x18] | (r->crtc[7] & 0x10u) << 4 | (r->crtc[9] & 0x40u) << 3;

    f->dots = f->kind != KIND_TEXT || (r->seq[1] & 1) ? 8 : 9;
    f->xscale = r->seq[1] & 8 ? 2 : 1;
    f->cells = r->crtc[1] + 1u;
    f->width = f->cells * f->dots * f->xscale;
    f->height = vga_crtc_line(r, 0x12, 1, 6) + 1;
    f->rows = (r->crtc[9] & 0x1fu) + 1;
    f->line_scale = r->crtc[9] & 0x80 ? 2 : 1;
    f->start = ((uint32_t)r->crtc[0x0c] << 8 | r->crtc[0x0d]) + byte_pan;
    f->pitch = r->crtc[0x13] * 2u;
    f->preset = r->crtc[8] & 0x1f;
    f->split = compare + 1;
    f->split_start = r->attr[0x10] & 0x20 ? 0 : byte_pan;
    f->pan[0] = panning(r, f);
    f->pan[1] = r->attr[0x10] & 0x20 ? 0 : f->pan[0];
    f->addressing = addressing_of(r);
    if (f->kind == KIND_TEXT)
        make_text(r, f);
}

static void make_vbe(const struct vga_regs *r, struct vga_frame *f)
{
    const uint16_t *d = r->dispi;

    f->width = d[DISPI_XRES];
    f->height = d[DISPI_YRES];
    f->bpp = d[DISPI_BPP];
    f->pitch_bytes = vga_dispi_pitch(r);
    f->start_pos = d[DISPI_Y_OFFSET] * f->pitch_bytes + d[DISPI_X_OFFSET] * ((f->bpp + 7) / 8);
    if (f->bpp != 4)
        return;
    f->dots = 8;
    f->xscale = f->rows = f->line_scale = 1;
    f->cells = f->width / 8;
    f->pitch = f->pitch_bytes;
    f->start = d[DISPI_Y_OFFSET] * f->pitch + d[DISPI_X_OFFSET] / 8;
    f->pan[0] = f->pan[1] = d[DISPI_X_OFFSET] % 8;
    f->split = UINT32_MAX;
    f->planes_wide = true;
}

void vga_frame_make(const struct vga_regs *r, struct vga_frame *f)
{
    memset(f, 0, sizeof(*f)); /* frames are compared as bytes */
    f->kind = vga_kind_of(r);
    f->layout = r->layout;
    f->colors = r->attr[0x12] & 15;
    if (vga_is_vbe(r))
        make_vbe(r, f);
    else
        make_vga(r, f);
    if (f->width > DISPLAY_MAX_WIDTH)
        f->width = DISPLAY_MAX_WIDTH;
    if (f->kind == KIND_BLANK && f->height < 100) {
        f->width = DEFAULT_WIDTH;
        f->height = DEFAULT_HEIGHT;
    }
    make_palette(r, f);
}

/* -- Addresses --------------------------------------------------------------------------------- */

/* Where a line begins, and which row of its characters it is. */
static uint32_t line_start(const struct vga_frame *f, unsigned y, unsigned *row)
{
    unsigned line = y < f->split ? y + f->preset * f->line_scale : y - f->split;
    uint32_t start = y < f->split ? f->start : f->split_start;

    line /= f->line_scale;
    *row = line % f->rows;
    return start + line / f->rows * f->pitch;
}

static uint32_t plane_address(const struct vga_frame *f, uint32_t count, unsigned row)
{
    uint32_t pa = count;

    if (f->addressing & ADDRESS_DWORD)
        pa = count << 2 | (count >> 14 & 3);
    else if (f->addressing & ADDRESS_WORD)
        pa = count << 1 | (count >> (f->addressing & ADDRESS_BIT15 ? 15 : 13) & 1);
    if (f->addressing & ADDRESS_ROW13)
        pa = (pa & ~0x2000u) | (row & 1) << 13;
    if (f->addressing & ADDRESS_ROW14)
        pa = (pa & ~0x4000u) | (row & 2) << 13;
    return pa;
}

static uint32_t load_cell(const struct vga_frame *f, const struct vga_vram *m, uint32_t count,
                          unsigned row)
{
    if (f->planes_wide)
        return vram_get32(m, count * 4);
    return vga_get_planes(m, f->layout, plane_address(f, count & 0xffff, row));
}

static uint32_t text_cell(const struct vga_frame *f, const struct vga_phase *phase, uint32_t planes,
                          bool at_cursor)
{
    uint32_t cell = planes & 0xffff;

    if (at_cursor && f->cursor_on && phase->cursor)
        cell |= CELL_CURSOR;
    if (f->blinks && (cell & 0x8000) && !phase->blink)
        cell |= CELL_HIDDEN;
    return cell;
}

unsigned vga_line_cells(const struct vga_frame *f, const struct vga_vram *m,
                        const struct vga_phase *phase, unsigned y, uint32_t *cells)
{
    unsigned row;
    uint32_t count = line_start(f, y, &row);
    unsigned n = f->cells + (f->kind == KIND_TEXT || f->pan[y >= f->split] != 0);
    unsigned shift = f->addressing & ADDRESS_FOURTH ? 2 : f->addressing & ADDRESS_HALF ? 1 : 0;

    for (unsigned k = 0; k < n; k++) {
        uint32_t at = count + (k >> shift), planes;

        planes = load_cell(f, m, at, f->kind == KIND_TEXT ? 0 : row);
        cells[k] = f->kind == KIND_TEXT
                       ? text_cell(f, phase, planes, ((at ^ f->cursor) & 0xffff) == 0)
                       : planes;
    }
    return n;
}

bool vga_line_is_like(const struct vga_frame *f, unsigned y, unsigned other)
{
    unsigned row, other_row;
    bool same = line_start(f, y, &row) == line_start(f, other, &other_row) &&
                (y >= f->split) == (other >= f->split);

    return same && (row == other_row || f->kind == KIND_TEXT ||
                    !(f->addressing & (ADDRESS_ROW13 | ADDRESS_ROW14)));
}

/* -- Cells ------------------------------------------------------------------------------------- */

/* The dots of one cell, by kind; what they need besides the cell. */
typedef void (*cell_fn)(const struct vga_frame *f, const struct vga_vram *m, uint32_t cell,
                        unsigned row, uint32_t *dots);

static void planar_cell(const struct vga_frame *f, const struct vga_vram *m, uint32_t cell,
                        unsigned row, uint32_t *dots)
{
    (void)m, (void)row;
    for (unsigned k = 0; k < 8; k++) {
        uint32_t bits = cell >> (7 - k) & 0x01010101;

        bits |= bits >> 7;
        bits |= bits >> 14;
        dots[k] = f->palette[bits & f->colors];
    }
}

/* Bits 7 and 6 of plane 0's byte (and of plane 2's, above them) are the first dot, and plane 1's
 * byte follows plane 0's. */
static void shifted_cell(const struct vga_frame *f, const struct vga_vram *m, uint32_t cell,
                         unsigned row, uint32_t *dots)
{
    (void)m, (void)row;
    for (unsigned k = 0; k < 8; k++) {
        unsigned shift = (k & 4) * 2 + 6 - (k & 3) * 2;
        unsigned color = (cell >> shift & 3) | (cell >> (16 + shift) & 3) << 2;

        dots[k] = f->palette[color & f->colors];
    }
}

static void bytes_cell(const struct vga_frame *f, const struct vga_vram *m, uint32_t cell,
                       unsigned row, uint32_t *dots)
{
    (void)m, (void)row;
    for (unsigned k = 0; k < 8; k++)
        dots[k] = f->palette[cell >> (k / 2 * 8) & 0xff];
}

static void text_cell_dots(const struct vga_frame *f, const struct vga_vram *m, uint32_t cell,
                           unsigned row, uint32_t *dots)
{
    unsigned ch = cell & 0xff, attr = cell >> 8 & 0xff;
    uint32_t pa = f->font[attr >> 3 & 1] + ch * 32 + (row & 31);
    unsigned bits = *vram_at(m, vga_position(f->layout, pa, 2));
    uint32_t fg = f->palette[attr & f->colors & 15];
    uint32_t bg = f->palette[attr >> 4 & (f->blinks ? 7 : 15) & f->colors];
    bool ninth;

    if (cell & CELL_HIDDEN)
        bits = 0;
    if ((attr & 0x77) == 1 && row == f->underline)
        bits = 0xff;
    if ((cell & CELL_CURSOR) && row >= f->cursor_first && row <= f->cursor_last)
        bits = 0x1ff;
    ninth = bits > 0xff || (bits & 1 && f->line_graphics && (ch & 0xe0) == 0xc0);
    for (unsigned k = 0; k < 8; k++)
        dots[k] = bits >> (7 - k) & 1 ? fg : bg;
    if (f->dots == 9)
        dots[8] = ninth ? fg : bg;
}

static const cell_fn cell_fns[KIND_COUNT] = {
    [KIND_TEXT] = text_cell_dots,
    [KIND_PLANAR] = planar_cell,
    [KIND_SHIFTED] = shifted_cell,
    [KIND_BYTES] = bytes_cell,
};

void vga_draw_cells(const struct vga_frame *f, const struct vga_vram *m, unsigned y,
                    const uint32_t *cells, uint32_t *out)
{
    cell_fn fn = cell_fns[f->kind];
    unsigned pan = f->pan[y >= f->split], done = 0, row;

    line_start(f, y, &row);
    for (unsigned k = 0; done < f->width; k++) {
        uint32_t dots[MAX_DOTS];

        fn(f, m, cells[k], row, dots);
        for (unsigned d = k == 0 ? pan : 0; d < f->dots && done < f->width; d++) {
            for (unsigned s = 0; s < f->xscale && done < f->width; s++)
                out[done++] = dots[d];
        }
    }
}

/* -- Linear modes ------------------------------------------------------------------------------ */

static void convert_8(const struct vga_frame *f, const uint8_t *in, unsigned n, uint32_t *out)
{
    for (unsigned k = 0; k < n; k++)
        out[k] = f->palette[in[k]];
}

/* n bits to 8. */
static uint32_t widen(uint32_t v, unsigned n)
{
    return v << (8 - n) | v >> (2 * n - 8);
}

static void convert_15(const struct vga_frame *f, const uint8_t *in, unsigned n, uint32_t *out)
{
    (void)f;
    for (unsigned k = 0; k < n; k++) {
        unsigned v = in[2 * k] | in[2 * k + 1] << 8;

        out[k] = widen(v >> 10 & 31, 5) << 16 | widen(v >> 5 & 31, 5) << 8 | widen(v & 31, 5);
    }
}

static void convert_16(const struct vga_frame *f, const uint8_t *in, unsigned n, uint32_t *out)
{
    (void)f;
    for (unsigned k = 0; k < n; k++) {
        unsigned v = in[2 * k] | in[2 * k + 1] << 8;

        out[k] = widen(v >> 11, 5) << 16 | widen(v >> 5 & 63, 6) << 8 | widen(v & 31, 5);
    }
}

static void convert_24(const struct vga_frame *f, const uint8_t *in, unsigned n, uint32_t *out)
{
    (void)f;
    for (unsigned k = 0; k < n; k++)
        out[k] = in[3 * k] | (uint32_t)in[3 * k + 1] << 8 | (uint32_t)in[3 * k + 2] << 16;
}

static void convert_32(const struct vga_frame *f, const uint8_t *in, unsigned n, uint32_t *out)
{
    (void)f;
    memcpy(out, in, n * sizeof(*out));
    for (unsigned k = 0; k < n; k++)
        out[k] &= 0xffffff;
}

static const struct depth {
    uint8_t bpp, bytes;
    void (*convert)(const struct vga_frame *f, const uint8_t *in, unsigned n, uint32_t *out);
} depths[] = {
    {8, 1, convert_8},   {15, 2, convert_15}, {16, 2, convert_16},
    {24, 3, convert_24}, {32, 4, convert_32},
};

void vga_draw_linear(const struct vga_frame *f, const struct vga_vram *m, unsigned y, uint32_t *out)
{
    const struct depth *d = depths;
    uint8_t line[DISPLAY_MAX_WIDTH * 4];
    uint32_t pos = vga_linear_line(f, y), n;

    while (d->bpp != f->bpp)
        d++;
    for (uint32_t done = 0; done < f->width * d->bytes; done += n) {
        n = 0x1000 - ((pos + done) & 0xfff);
        if (n > f->width * d->bytes - done)
            n = f->width * d->bytes - done;
        memcpy(line + done, vram_at(m, pos + done), n);
    }
    d->convert(f, line, f->width, out);
}
