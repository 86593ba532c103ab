/* SPDX-License-Identifier: MIT */
/* Drawing: registers and video memory that the test fills itself, against pictures that it computes
 * in another way, pixel by pixel from the definition of the mode. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/vga_draw.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/display.h"

#define SIZE (1u << 20)

static uint8_t memory[SIZE];
static struct vga_regs r;
static const struct vga_vram vram = {memory, 12, SIZE, NULL};
static struct vga_frame f;
static struct vga_phase phase;
static uint32_t out[DISPLAY_MAX_WIDTH];

static void set_regs(const uint8_t *crtc, uint8_t clocking, uint8_t memory_mode, uint8_t mode,
                     uint8_t misc)
{
    memcpy(r.crtc, crtc, VGA_CRTC_COUNT);
    r.seq[1] = clocking;
    r.seq[4] = memory_mode;
    r.gfx[5] = mode;
    r.gfx[6] = misc;
}

/* 320x200 in 256 colours, chained; unchained with addressing by bytes: 17h E3, 14h 00. */
static const uint8_t crtc_13h[] = {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00,
                                   0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
                                   0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff};
/* 640x480 in 16 colours. */
static const uint8_t crtc_12h[] = {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00,
                                   0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xea, 0x8c,
                                   0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff};
/* 320x200 in 4 colours, as on a CGA. */
static const uint8_t crtc_04h[] = {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00,
                                   0xc1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
                                   0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff};
/* 80x25 characters. */
static const uint8_t crtc_03h[] = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00,
                                   0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
                                   0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};

static void setup(void)
{
    memset(&r, 0, sizeof(r));
    srand(7);
    for (unsigned k = 0; k < SIZE; k++)
        memory[k] = (uint8_t)(rand() >> 7);
    for (unsigned k = 0; k < 256; k++) {
        r.dac[k][0] = (uint8_t)(k & 0x3f);
        r.dac[k][1] = (uint8_t)(k >> 2);
        r.dac[k][2] = (uint8_t)((k * 5) & 0x3f);
    }
    for (unsigned k = 0; k < 16; k++)
        r.attr[k] = (uint8_t)k;
    r.attr[0x12] = 15;
    r.attr_index = 0x20;
    r.dac_mask = 0xff;
    phase = (struct vga_phase){true, true};
}

static uint32_t six(unsigned v)
{
    return v * 255 / 63;
}

/* A DAC entry as a screen shows it, but for one step of rounding. */
static void ck_color(uint32_t pixel, unsigned index, unsigned x, unsigned y)
{
    for (unsigned c = 0; c < 3; c++) {
        int shown = (int)(pixel >> (16 - 8 * c) & 0xff), want = (int)six(r.dac[index][c]);

        if (abs(shown - want) > 1) /* an assertion for each pixel would cost a system call */
            ck_abort_msg("pixel %u,%u: %06x is not colour %u", x, y, pixel, index);
    }
}

static void make(void)
{
    vga_frame_make(&r, &f);
}

static void draw(unsigned y)
{
    uint32_t cells[VGA_MAX_CELLS];

    if (f.kind == KIND_LINEAR) {
        vga_draw_linear(&f, &vram, y, out);
        return;
    }
    ck_assert_uint_le(vga_line_cells(&f, &vram, &phase, y, cells), VGA_MAX_CELLS);
    vga_draw_cells(&f, &vram, y, cells, out);
}

/* A plane's byte by its definition, in the plain layout. */
static unsigned plane(unsigned n, unsigned pa)
{
    return memory[(pa & 0xffff) * 4 + n];
}

static unsigned bit(unsigned byte, unsigned dot)
{
    return byte >> (7 - dot % 8) & 1;
}

/* -- 256 colours ------------------------------------------------------------------------------- */

START_TEST(mode_13h)
{
    set_regs(crtc_13h, 1, 0x0e, 0x40, 5);
    r.layout = LAYOUT_CHAIN4;
    r.crtc[0x0d] = 3; /* 12 pixels further */
    make();
    ck_assert_uint_eq(f.width, 640);
    ck_assert_uint_eq(f.height, 400);
    for (unsigned y = 0; y < 400; y++) {
        draw(y);
        for (unsigned x = 0; x < 640; x++)
            ck_color(out[x], memory[12 + y / 2 * 320 + x / 2], x, y);
    }
}
END_TEST

/* In the plain layout, chained bytes are in every fourth plane address. */
START_TEST(mode_13h_in_other_layouts)
{
    set_regs(crtc_13h, 1, 0x0e, 0x40, 5);
    for (unsigned layout = 0; layout < LAYOUT_COUNT; layout++) {
        r.layout = (uint8_t)layout;
        make();
        draw(101);
        for (unsigned x = 0; x < 640; x++) {
            unsigned at = 50 * 320 + x / 2;

            ck_color(out[x], memory[vga_position(layout, at & ~3u, at & 3)], x, 101);
        }
    }
}
END_TEST

/* Mode X with smooth scrolling: the four planes hold every fourth pixel each. */
START_TEST(mode_x)
{
    set_regs(crtc_13h, 1, 0x06, 0x40, 5);
    r.crtc[0x14] = 0;
    r.crtc[0x17] = 0xe3;
    r.crtc[0x0c] = 0x40;
    r.crtc[0x13] = 0x30; /* a virtual screen of 384 pixels */
    r.attr[0x13] = 6;    /* three pixels */
    make();
    for (unsigned y = 0; y < 400; y += 3) {
        draw(y);
        for (unsigned x = 0; x < 640; x++) {
            unsigned px = x / 2 + 3;

            ck_color(out[x], plane(px % 4, 0x4000 + y / 2 * 96 + px / 4), x, y);
        }
    }
}
END_TEST

/* -- 16 colours -------------------------------------------------------------------------------- */

static unsigned planar_color(unsigned pa, unsigned x)
{
    unsigned color = 0;

    for (unsigned n = 0; n < 4; n++)
        color |= bit(plane(n, pa + x / 8), x) << n;
    return color;
}

START_TEST(mode_12h)
{
    set_regs(crtc_12h, 1, 0x06, 0, 5);
    r.crtc[0x0c] = 0xf0; /* wraps around */
    r.attr[0x13] = 5;
    r.attr[0x12] = 0x0d;
    r.attr[0x10] = 1;
    for (unsigned k = 0; k < 16; k++)
        r.attr[k] = (uint8_t)(k * 3);
    r.attr[0x14] = 0x0c;
    make();
    ck_assert_uint_eq(f.height, 480);
    for (unsigned y = 0; y < 480; y++) {
        draw(y);
        for (unsigned x = 0; x < 640; x++)
            ck_color(out[x], (planar_color(0xf000 + y * 80, x + 5) & 0x0d) * 3 | 0xc0, x, y);
    }
}
END_TEST

/* Line compare: what is below the split begins at address 0, and is panned (by dots and bytes) or
 * not. */
START_TEST(split_screen)
{
    bool panned = _i;

    set_regs(crtc_12h, 1, 0x06, 0, 5);
    r.crtc[0x07] = 0x3e & ~0x10;
    r.crtc[0x09] = 0;
    r.crtc[0x18] = 99;
    r.crtc[0x0c] = 0x80;
    r.attr[0x13] = 3;
    r.crtc[0x08] = 0x40; /* two bytes */
    r.attr[0x10] = panned ? 0 : 0x20;
    make();
    for (unsigned y = 0; y < 480; y++) {
        unsigned pa = y < 100 ? 0x8000 + y * 80 : (y - 100) * 80, pan = y < 100 || panned ? 19 : 0;

        draw(y);
        for (unsigned x = 0; x < 640; x++)
            ck_color(out[x], planar_color(pa, x + pan), x, y);
    }
}
END_TEST

/* Palette bits 4 and 5 may come from the colour select register. */
START_TEST(color_select)
{
    set_regs(crtc_12h, 1, 0x06, 0, 5);
    r.attr[0x10] = 0x81;
    r.attr[0x14] = 0x0b;
    for (unsigned k = 0; k < 16; k++)
        r.attr[k] = (uint8_t)(0x30 | (15 - k));
    make();
    draw(7);
    for (unsigned x = 0; x < 640; x++)
        ck_color(out[x], 0xb0 | (15 - planar_color(7 * 80, x)), x, 7);
}
END_TEST

/* Even lines at 0, odd lines at 2000h; two bits a pixel; words: planes 0 and 1 in turn. */
START_TEST(mode_4)
{
    set_regs(crtc_04h, 9, 0x02, 0x30, 0x0f);
    r.layout = LAYOUT_PAIRS;
    r.attr[0x12] = 3;
    make();
    ck_assert_uint_eq(f.width, 640);
    ck_assert_uint_eq(f.height, 400);
    for (unsigned y = 0; y < 400; y++) {
        unsigned line = y / 2;

        draw(y);
        for (unsigned x = 0; x < 640; x++) {
            unsigned px = x / 2, at = line / 2 * 80 + px / 4 + line % 2 * 0x2000;

            ck_color(out[x], memory[at] >> (6 - px % 4 * 2) & 3, x, y);
        }
    }
}
END_TEST

/* -- Text -------------------------------------------------------------------------------------- */

/* Character and attribute at a place in the text, and a row of a character's shape. */
static uint8_t *cell_at(unsigned n)
{
    return memory + 2 * n;
}

static unsigned glyph(unsigned font, unsigned ch, unsigned row)
{
    return memory[vga_position(LAYOUT_PAIRS, font + ch * 32 + row, 2)];
}

static void set_text(void)
{
    set_regs(crtc_03h, 0, 0x02, 0x10, 0x0e);
    r.layout = LAYOUT_PAIRS;
    r.crtc[0x0a] = 0x20; /* no cursor */
    r.attr[0x10] = 0x0c; /* line graphics, blinking */
    r.attr[0x13] = 8;
}

static unsigned text_color(unsigned n, unsigned dot, unsigned row, unsigned font)
{
    unsigned ch = cell_at(n)[0], attr = cell_at(n)[1], bits = glyph(font, ch, row);
    bool lit = dot < 8 ? bit(bits, dot) : ch >= 0xc0 && ch <= 0xdf && (bits & 1);

    return lit ? attr & 15 : attr >> 4 & 7;
}

START_TEST(text)
{
    set_text();
    r.crtc[0x0d] = 80; /* the second row first */
    make();
    ck_assert_uint_eq(f.width, 720);
    ck_assert_uint_eq(f.height, 400);
    for (unsigned y = 0; y < 400; y++) {
        draw(y);
        for (unsigned x = 0; x < 720; x++)
            ck_color(out[x], text_color(80 + y / 16 * 80 + x / 9, x % 9, y % 16, 0), x, y);
    }
}
END_TEST

START_TEST(two_fonts)
{
    set_text();
    r.seq[3] = 0x26; /* A, for bit 3 of the attribute: 5; B: 2 */
    make();
    for (unsigned y = 0; y < 32; y++) {
        draw(y);
        for (unsigned x = 0; x < 720; x++) {
            unsigned n = y / 16 * 80 + x / 9;
            unsigned font = cell_at(n)[1] & 8 ? 0x6000 : 0x8000;

            ck_color(out[x], text_color(n, x % 9, y % 16, font), x, y);
        }
    }
}
END_TEST

START_TEST(text_panning)
{
    set_text();
    r.attr[0x13] = 2; /* three dots */
    r.crtc[8] = 5;    /* and five lines */
    make();
    for (unsigned y = 0; y < 40; y++) {
        draw(y);
        for (unsigned x = 0; x < 720; x++)
            ck_color(out[x],
                     text_color((y + 5) / 16 * 80 + (x + 3) / 9, (x + 3) % 9, (y + 5) % 16, 0), x,
                     y);
    }
}
END_TEST

START_TEST(eight_dots)
{
    set_text();
    r.seq[1] = 9; /* at half the clock, too: 40 columns */
    r.crtc[1] = 39;
    r.crtc[0x13] = 20;
    r.attr[0x13] = 0;
    make();
    ck_assert_uint_eq(f.width, 640);
    draw(20);
    for (unsigned x = 0; x < 640; x++)
        ck_color(out[x], text_color(40 + x / 16, x / 2 % 8, 4, 0), x, 20);
}
END_TEST

START_TEST(blinking_and_bright_backgrounds)
{
    set_text();
    cell_at(0)[0] = cell_at(1)[0] = 'x';
    cell_at(0)[1] = 0x9e;
    cell_at(1)[1] = 0x1e;
    memory[vga_position(LAYOUT_PAIRS, 'x' * 32, 2)] = 0xff;
    phase.blink = false;
    make();
    draw(0);
    ck_color(out[0], 1, 0, 0); /* background only */
    ck_color(out[9], 14, 9, 0);
    phase.blink = true;
    draw(0);
    ck_color(out[0], 14, 0, 0);
    r.attr[0x10] = 4;
    phase.blink = false;
    memory[vga_position(LAYOUT_PAIRS, 'x' * 32, 2)] = 0x7f;
    make();
    draw(0);
    ck_color(out[0], 9, 0, 0);
    ck_color(out[1], 14, 1, 0);
}
END_TEST

START_TEST(cursor_and_underline)
{
    set_text();
    memset(memory, 0, 0x10000);
    cell_at(81)[1] = 0x4e;
    r.crtc[0x0a] = 13;
    r.crtc[0x0b] = 14;
    r.crtc[0x0f] = 81;
    for (unsigned k = 0; k < 32; k++)
        memory[vga_position(LAYOUT_PAIRS, k, 2)] = 0;
    make();
    for (unsigned y = 16; y < 32; y++) {
        draw(y);
        for (unsigned x = 0; x < 27; x++)
            ck_color(out[x], x / 9 != 1 ? 0 : y == 29 || y == 30 ? 14 : 4, x, y);
    }
    phase.cursor = false;
    draw(29);
    ck_color(out[9], 4, 9, 29);
    r.crtc[0x14] = 3;
    cell_at(2)[1] = 0x01;
    make();
    draw(3);
    ck_color(out[18], 1, 18, 3);
    draw(4);
    ck_color(out[18], 0, 18, 4);
}
END_TEST

/* -- VBE --------------------------------------------------------------------------------------- */

static void set_vbe(unsigned bpp)
{
    r.dispi[DISPI_ENABLE] = DISPI_ENABLED;
    r.dispi[DISPI_XRES] = 320;
    r.dispi[DISPI_YRES] = 200;
    r.dispi[DISPI_BPP] = (uint16_t)bpp;
    r.dispi[DISPI_VIRT_WIDTH] = 400;
    r.dispi[DISPI_X_OFFSET] = 24;
    r.dispi[DISPI_Y_OFFSET] = 11;
}

static uint32_t component(unsigned v, unsigned bits)
{
    return v * 255 / ((1u << bits) - 1);
}

static uint32_t linear_pixel(unsigned bpp, unsigned x, unsigned y)
{
    unsigned bytes = (bpp + 7) / 8, v = 0;

    for (unsigned k = 0; k < bytes; k++)
        v |= (unsigned)memory[((y + 11) * 400 + x + 24) * bytes + k] << (8 * k);
    switch (bpp) {
    case 15:
        return component(v >> 10 & 31, 5) << 16 | component(v >> 5 & 31, 5) << 8 |
               component(v & 31, 5);
    case 16:
        return component(v >> 11, 5) << 16 | component(v >> 5 & 63, 6) << 8 | component(v & 31, 5);
    default: return v & 0xffffff;
    }
}

START_TEST(linear_depths)
{
    static const unsigned depths[] = {15, 16, 24, 32};
    unsigned bpp = depths[_i];

    set_vbe(bpp);
    make();
    ck_assert_uint_eq(f.width, 320);
    for (unsigned y = 0; y < 200; y++) {
        draw(y);
        for (unsigned x = 0; x < 320; x++) {
            for (unsigned c = 0; c < 24; c += 8) {
                int shown = (int)(out[x] >> c & 0xff);

                if (abs(shown - (int)(linear_pixel(bpp, x, y) >> c & 0xff)) > 1)
                    ck_abort_msg("pixel %u,%u: %06x", x, y, out[x]);
            }
        }
    }
}
END_TEST

START_TEST(linear_palette)
{
    set_vbe(8);
    make();
    draw(3);
    for (unsigned x = 0; x < 320; x++)
        ck_color(out[x], memory[14 * 400 + x + 24], x, 3);
    r.dispi[DISPI_ENABLE] |= DISPI_8BIT_DAC;
    r.dac[7][1] = 0xfd;
    memory[14 * 400 + 24] = 7;
    make();
    draw(3);
    ck_assert_uint_eq(out[0] >> 8 & 0xff, 0xfd);
}
END_TEST

START_TEST(planar_vbe)
{
    set_vbe(4);
    r.dispi[DISPI_X_OFFSET] = 27;
    make();
    for (unsigned y = 0; y < 200; y++) {
        draw(y);
        for (unsigned x = 0; x < 320; x++)
            ck_color(out[x], planar_color((y + 11) * 50, x + 27), x, y);
    }
}
END_TEST

START_TEST(blank)
{
    set_text();
    r.attr_index = 0;
    make();
    ck_assert_int_eq(f.kind, KIND_BLANK);
    r.attr_index = 0x20;
    r.seq[1] |= 0x20;
    make();
    ck_assert_int_eq(f.kind, KIND_BLANK);
}
END_TEST

/* Whatever the registers hold, lines have room in the surface and cells in their array. */
START_TEST(any_registers)
{
    srand((unsigned)_i);
    for (unsigned k = 0; k < 400; k++) {
        for (unsigned n = 0; n < sizeof(r); n++)
            ((uint8_t *)&r)[n] = (uint8_t)(rand() >> 5);
        r.attr_data = false;
        r.attr_index |= 0x20;
        r.seq[1] &= 0xdf;
        vga_regs_check(&r, &vram);
        make();
        ck_assert_uint_ge(f.width, 1);
        ck_assert_uint_le(f.width, DISPLAY_MAX_WIDTH);
        ck_assert_uint_ge(f.height, 1);
        ck_assert_uint_le(f.height, DISPLAY_MAX_HEIGHT);
        for (unsigned y = 0; y < f.height; y += 1 + f.height / 8)
            draw(y);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vga_draw");
    TCase *tc = tcase_create("vga_draw");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, mode_13h);
    tcase_add_test(tc, mode_13h_in_other_layouts);
    tcase_add_test(tc, mode_x);
    tcase_add_test(tc, mode_12h);
    tcase_add_loop_test(tc, split_screen, 0, 2);
    tcase_add_test(tc, color_select);
    tcase_add_test(tc, mode_4);
    tcase_add_test(tc, text);
    tcase_add_test(tc, two_fonts);
    tcase_add_test(tc, text_panning);
    tcase_add_test(tc, eight_dots);
    tcase_add_test(tc, blinking_and_bright_backgrounds);
    tcase_add_test(tc, cursor_and_underline);
    tcase_add_loop_test(tc, linear_depths, 0, 4);
    tcase_add_test(tc, linear_palette);
    tcase_add_test(tc, planar_vbe);
    tcase_add_test(tc, blank);
    tcase_add_loop_test(tc, any_registers, 0, 4);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
