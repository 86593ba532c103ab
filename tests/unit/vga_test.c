/* SPDX-License-Identifier: MIT */
/* The VGA's registers and the ways in which the processor reaches its memory, through the machine's
 * buses. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_cpu.h"
#include "tests/unit/vga_board.h"
#include "vmm/vmm_internal.h"

static struct vm *vm;

static void outb(uint16_t port, unsigned val)
{
    bus_port_out(vm, port, 1, val);
}

static unsigned inb(uint16_t port)
{
    return bus_port_in(vm, port, 1);
}

/* An index register and its data. */
static void set(uint16_t port, unsigned index, unsigned val)
{
    bus_port_out(vm, port, 2, index | val << 8);
}

static unsigned get(uint16_t port, unsigned index)
{
    outb(port, index);
    return inb((uint16_t)(port + 1));
}

#define SEQ  0x3c4
#define GFX  0x3ce
#define CRTC 0x3d4

static void poke(uint32_t off, unsigned val)
{
    phys_write(fake_cpu_of(vm), WINDOW + off, 1, val);
}

static unsigned peek(uint32_t off)
{
    return (unsigned)phys_read(fake_cpu_of(vm), WINDOW + off, 1);
}

static void dispi(unsigned reg, unsigned val)
{
    bus_port_out(vm, 0x1ce, 2, reg);
    bus_port_out(vm, 0x1cf, 2, val);
}

static unsigned get_dispi(unsigned reg)
{
    bus_port_out(vm, 0x1ce, 2, reg);
    return bus_port_in(vm, 0x1cf, 2);
}

static void set_vbe(unsigned x, unsigned y, unsigned bpp)
{
    dispi(4, 0);
    dispi(1, x);
    dispi(2, y);
    dispi(3, bpp);
    dispi(4, 0x41);
}

/* The window of 64 KiB, planes one by one. */
static void set_planar(void)
{
    outb(0x3c2, 0x67);
    set(SEQ, 2, 15);
    set(SEQ, 4, 0x06);
    set(GFX, 5, 0);
    set(GFX, 6, 0x05);
    set(GFX, 8, 0xff);
}

static void set_chain4(void)
{
    set_planar();
    set(SEQ, 4, 0x0e);
    set(GFX, 5, 0x40);
}

static void set_text(void)
{
    vm_lock(vm);
    ck_assert(vga_set_text_mode(vm));
    vm_unlock(vm);
}

/* What a plane holds, whatever mode it was written in. */
static unsigned plane(unsigned n, uint32_t pa)
{
    set(SEQ, 4, 0x06);
    set(GFX, 5, 0);
    set(GFX, 6, 0x05);
    set(GFX, 4, n);
    return peek(pa);
}

static void setup(void)
{
    vm = vga_vm();
}

static void teardown(void)
{
    vm_destroy(vm);
}

/* -- Registers --------------------------------------------------------------------------------- */

START_TEST(index_registers)
{
    set(SEQ, 2, 0xff);
    ck_assert_uint_eq(get(SEQ, 2), 0x0f);
    set(SEQ, 7, 0xff);
    ck_assert_uint_eq(get(SEQ, 7), 0);
    set(GFX, 5, 0xff);
    ck_assert_uint_eq(get(GFX, 5), 0x7b);
    outb(0x3c2, 1);
    set(CRTC, 0x0c, 0x12);
    ck_assert_uint_eq(get(CRTC, 0x0c), 0x12);
    set(CRTC, 0x30, 0x55);
    ck_assert_uint_eq(get(CRTC, 0x30), 0);
    ck_assert_uint_eq(inb(0x3cc), 1);
}
END_TEST

START_TEST(color_bit_moves_ports)
{
    outb(0x3c2, 0);
    set(0x3b4, 0x0e, 0x77);
    ck_assert_uint_eq(get(0x3b4, 0x0e), 0x77);
    ck_assert_uint_eq(inb(0x3d5), 0xff);
    ck_assert_uint_ne(inb(0x3ba), 0xff);
    outb(0x3c2, 1);
    ck_assert_uint_eq(get(0x3d4, 0x0e), 0x77);
    ck_assert_uint_eq(inb(0x3b5), 0xff);
}
END_TEST

START_TEST(crtc_protection)
{
    outb(0x3c2, 1);
    set(CRTC, 0x00, 0x5f);
    set(CRTC, 0x07, 0x0f);
    set(CRTC, 0x11, 0x80);
    set(CRTC, 0x00, 0x11);
    set(CRTC, 0x07, 0xf0);
    set(CRTC, 0x08, 0x03);
    ck_assert_uint_eq(get(CRTC, 0x00), 0x5f);
    ck_assert_uint_eq(get(CRTC, 0x07), 0x1f); /* but for line compare's bit */
    ck_assert_uint_eq(get(CRTC, 0x08), 0x03);
}
END_TEST

START_TEST(attribute_flip_flop)
{
    outb(0x3c2, 1);
    inb(0x3da);
    outb(0x3c0, 0x12);
    outb(0x3c0, 0x05);
    outb(0x3c0, 0x33);
    ck_assert_uint_eq(inb(0x3c0), 0x33);
    inb(0x3da); /* an index is next again */
    outb(0x3c0, 0x12);
    ck_assert_uint_eq(inb(0x3c1), 0x05);
    outb(0x3c0, 0xff);
    ck_assert_uint_eq(inb(0x3c1), 0x3f);
}
END_TEST

START_TEST(dac_triplets)
{
    outb(0x3c8, 254);
    for (unsigned k = 0; k < 9; k++) /* wraps around from 255 to 0 */
        outb(0x3c9, 0x41 + k);
    ck_assert_uint_eq(inb(0x3c8), 1);
    ck_assert_uint_eq(inb(0x3c7), 0);
    outb(0x3c7, 254);
    ck_assert_uint_eq(inb(0x3c7), 3);
    for (unsigned k = 0; k < 9; k++)
        ck_assert_uint_eq(inb(0x3c9), 1 + k);
    outb(0x3c8, 10);
    outb(0x3c9, 9); /* a colour is taken over when it is complete */
    outb(0x3c7, 10);
    ck_assert_uint_eq(inb(0x3c9), 0);
    dispi(4, 0x20);
    outb(0x3c8, 10);
    outb(0x3c9, 0xfe);
    outb(0x3c9, 1);
    outb(0x3c9, 2);
    outb(0x3c7, 10);
    ck_assert_uint_eq(inb(0x3c9), 0xfe);
}
END_TEST

/* In 80x25 text a picture takes 1/70 s: 449 lines of 900 dots, of which 400 show 720 dots. */
START_TEST(input_status)
{
    unsigned blank = 0, retrace = 0, rises = 0;
    bool was = false;

    set_text();
    for (unsigned k = 0; k < 100000; k++) {
        unsigned status;

        atomic_store(&vm->clock.stopped, (uint64_t)k * 1000); /* 0.1 s */
        status = inb(0x3da);
        blank += status & 1;
        retrace += status >> 3 & 1;
        rises += (status & 8) && !was;
        was = status & 8;
        ck_assert(!(status & 8) || (status & 1));
    }
    ck_assert_uint_eq(rises, 7);
    ck_assert_uint_ge(blank, 28000); /* 1 - 400/449 * 80/100 = 0.287 */
    ck_assert_uint_le(blank, 29500);
    ck_assert_uint_ge(retrace, 300); /* 2/449 */
    ck_assert_uint_le(retrace, 600);
}
END_TEST

/* -- Memory ------------------------------------------------------------------------------------ */

START_TEST(planes_and_map_mask)
{
    set_planar();
    for (unsigned n = 0; n < 4; n++) {
        set(SEQ, 2, 1u << n);
        poke(0x1234, 0x10 + n);
        poke(0xffff, 0x20 + n);
    }
    for (unsigned n = 0; n < 4; n++) {
        set(GFX, 4, n);
        ck_assert_uint_eq(peek(0x1234), 0x10 + n);
        ck_assert_uint_eq(peek(0xffff), 0x20 + n);
        ck_assert_uint_eq(peek(0), 0);
    }
}
END_TEST

START_TEST(window_places)
{
    static const struct {
        uint32_t at, size;
    } places[] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};

    set_planar();
    for (unsigned k = 0; k < 4; k++) {
        uint32_t first = places[k].at, last = first + places[k].size - 1;

        set(GFX, 6, k << 2 | 1);
        poke(first, 0x40 + k);
        poke(last, 0x50 + k);
        ck_assert_uint_eq(peek(first), 0x40 + k);
        ck_assert_uint_eq(peek(last), 0x50 + k);
        if (first > 0)
            ck_assert_uint_eq(peek(first - 1), 0xff);
        if (last < 0x1ffff)
            ck_assert_uint_eq(peek(last + 1), 0xff);
    }
    outb(0x3c2, 0x65); /* memory off */
    ck_assert_uint_eq(peek(places[3].at), 0xff);
}
END_TEST

static void fill_latches(unsigned p0, unsigned p1, unsigned p2, unsigned p3)
{
    const unsigned v[] = {p0, p1, p2, p3};

    set_planar();
    for (unsigned n = 0; n < 4; n++) {
        set(SEQ, 2, 1u << n);
        poke(0, v[n]);
    }
    set(SEQ, 2, 15);
    peek(0);
}

static void ck_planes(uint32_t pa, unsigned p0, unsigned p1, unsigned p2, unsigned p3)
{
    ck_assert_uint_eq(plane(0, pa), p0);
    ck_assert_uint_eq(plane(1, pa), p1);
    ck_assert_uint_eq(plane(2, pa), p2);
    ck_assert_uint_eq(plane(3, pa), p3);
}

START_TEST(write_mode_0)
{
    fill_latches(0x0f, 0xf0, 0x33, 0xcc);
    set(GFX, 3, 4);    /* rotate by 4 */
    set(GFX, 0, 0x02); /* set/reset: plane 1 ones, plane 0 zeroes */
    set(GFX, 1, 0x03);
    set(GFX, 8, 0x3c);
    poke(1, 0xa5); /* rotated: 5a */
    ck_planes(1, 0x03, 0xfc, 0x1b, 0xd8);
}
END_TEST

START_TEST(logic_functions)
{
    static const unsigned results[4] = {0x5a, 0x0a, 0x5f, 0x55};

    for (unsigned fn = 0; fn < 4; fn++) {
        fill_latches(0x0f, 0x0f, 0x0f, 0x0f);
        set(GFX, 3, fn << 3);
        poke(1, 0x5a);
        set(GFX, 3, 0);
        ck_planes(1, results[fn], results[fn], results[fn], results[fn]);
    }
}
END_TEST

START_TEST(write_mode_1)
{
    fill_latches(1, 2, 3, 4);
    set(GFX, 5, 1);
    set(GFX, 8, 0x00); /* has no part in it */
    poke(7, 0xff);
    ck_planes(7, 1, 2, 3, 4);
}
END_TEST

START_TEST(write_mode_2)
{
    fill_latches(0xaa, 0xaa, 0xaa, 0xaa);
    set(GFX, 5, 2);
    set(GFX, 8, 0x0f);
    poke(1, 0x05);
    ck_planes(1, 0xaf, 0xa0, 0xaf, 0xa0);
}
END_TEST

START_TEST(write_mode_3)
{
    fill_latches(0, 0xff, 0, 0xff);
    set(GFX, 0, 0x01);
    set(GFX, 5, 3);
    set(GFX, 8, 0x7e);
    poke(1, 0xc3); /* with the bit mask: 42 */
    ck_planes(1, 0x42, 0xbd, 0x00, 0xbd);
}
END_TEST

START_TEST(read_mode_1)
{
    fill_latches(0xf0, 0xcc, 0xaa, 0x00);
    set(GFX, 5, 8);
    set(GFX, 2, 0x03);
    set(GFX, 7, 0x0f);
    ck_assert_uint_eq(peek(0), 0xf0 & 0xcc & 0x55);
    set(GFX, 7, 0x03);
    ck_assert_uint_eq(peek(0), 0xc0);
    set(GFX, 7, 0x00);
    ck_assert_uint_eq(peek(0), 0xff);
}
END_TEST

START_TEST(odd_even)
{
    set_planar();
    set(SEQ, 4, 0x02);
    set(SEQ, 2, 3);
    set(GFX, 5, 0x10);
    set(GFX, 6, 0x0e);
    poke(0x18000, 'A');
    poke(0x18001, 0x1f);
    poke(0x18ffe, 'Z');
    ck_assert_uint_eq(peek(0x18000), 'A');
    ck_assert_uint_eq(peek(0x18001), 0x1f);
    ck_planes(0, 'A', 0x1f, 0, 0);
    ck_assert_uint_eq(plane(0, 0xffe), 'Z');
    ck_assert_uint_eq(plane(0, 1), 0);
}
END_TEST

START_TEST(chain_4)
{
    set_chain4();
    for (unsigned k = 0; k < 4; k++)
        poke(0x104 + k, 0x80 + k);
    ck_assert_uint_eq(peek(0x106), 0x82);
    ck_planes(0x104, 0x80, 0x81, 0x82, 0x83);
    ck_planes(0x105, 0, 0, 0, 0);
    set_chain4();
    set(SEQ, 2, 0x0d); /* plane 1 is not written */
    poke(0x105, 0xee);
    poke(0x106, 0xef);
    ck_planes(0x104, 0x80, 0x81, 0xef, 0x83);
}
END_TEST

/* After some hundred accesses the window is memory itself, and that must make no difference. */
START_TEST(direct_access_is_exact)
{
    unsigned text = _i;
    uint32_t base = text ? 0x18000 : 0, size = text ? 0x8000 : 0x10000;

    if (text)
        set_text();
    else
        set_chain4();
    for (uint32_t k = 0; k < size; k++)
        poke(base + k, k * 7 + k / 256);
    ck_assert_ptr_nonnull(mem_host(&vm->mem, WINDOW + base, 1, false));
    for (uint32_t k = 0; k < size; k++)
        ck_assert_uint_eq(peek(base + k), (uint8_t)(k * 7 + k / 256));
    for (uint32_t k = 0; k < size; k++) {
        uint32_t pa = text ? k & ~1u : k & ~3u;

        if (k % 251 == 0)
            ck_assert_uint_eq(plane(text ? k & 1 : k & 3, pa), (uint8_t)(k * 7 + k / 256));
    }
    ck_assert_ptr_null(mem_host(&vm->mem, WINDOW + base, 1, false));
}
END_TEST

/* Each register that makes the window more than memory ends it. */
START_TEST(direct_access_ends)
{
    static const struct {
        uint16_t port;
        uint8_t index, val;
    } ends[] = {{SEQ, 2, 7},    {SEQ, 4, 6},    {GFX, 1, 1}, {GFX, 3, 1},   {GFX, 3, 0x18},
                {GFX, 5, 0x41}, {GFX, 5, 0x48}, {GFX, 6, 9}, {GFX, 8, 0xfe}};

    set_chain4();
    for (unsigned k = 0; k < 1000; k++)
        poke(k, k);
    ck_assert_ptr_nonnull(mem_host(&vm->mem, WINDOW, 1, false));
    set(ends[_i].port, ends[_i].index, ends[_i].val);
    ck_assert_ptr_null(mem_host(&vm->mem, WINDOW, 1, false));
}
END_TEST

/* -- VBE --------------------------------------------------------------------------------------- */

START_TEST(dispi_registers)
{
    ck_assert_uint_eq(get_dispi(0), 0xb0c5);
    dispi(0, 0xb0c2);
    ck_assert_uint_eq(get_dispi(0), 0xb0c2);
    dispi(0, 0x1234);
    ck_assert_uint_eq(get_dispi(0), 0xb0c2);
    ck_assert_uint_eq(get_dispi(10), 256);
    dispi(4, 2); /* capabilities */
    ck_assert_uint_eq(get_dispi(1), 2560);
    ck_assert_uint_eq(get_dispi(2), 1600);
    ck_assert_uint_eq(get_dispi(3), 32);
    set_vbe(800, 600, 16);
    ck_assert_uint_eq(get_dispi(1), 800);
    ck_assert_uint_eq(get_dispi(6), 800);
    ck_assert_uint_eq(get_dispi(7), (16 << 20) / 1600);
    dispi(1, 640); /* not while it is on */
    ck_assert_uint_eq(get_dispi(1), 800);
    dispi(3, 13);
    ck_assert_uint_eq(get_dispi(3), 16);
}
END_TEST

START_TEST(dispi_virtual_screen)
{
    set_vbe(1024, 768, 32);
    dispi(6, 1600);
    ck_assert_uint_eq(get_dispi(6), 1600);
    ck_assert_uint_eq(get_dispi(7), (16 << 20) / 6400);
    dispi(8, 576);
    ck_assert_uint_eq(get_dispi(8), 576);
    dispi(8, 577); /* beyond the virtual screen */
    ck_assert_uint_eq(get_dispi(8), 576);
    dispi(9, (16 << 20) / 6400 - 768);
    ck_assert_uint_eq(get_dispi(9), (16 << 20) / 6400 - 768);
    dispi(9, 0xffff);
    ck_assert_uint_ne(get_dispi(9), 0xffff);
    dispi(6, 512); /* narrower than the screen */
    ck_assert_uint_eq(get_dispi(6), 1600);
    dispi(6, 0xffff); /* video memory has no 768 such rows */
    ck_assert_uint_eq(get_dispi(6), 1600);
}
END_TEST

START_TEST(too_large_a_mode_stays_off)
{
    set_vbe(2560, 1600, 32);
    ck_assert_uint_eq(get_dispi(4) & 1, 1);
    set_vbe(0, 600, 32);
    ck_assert_uint_eq(get_dispi(4) & 1, 0);
}
END_TEST

START_TEST(banks_and_frame_buffer)
{
    set_vbe(1024, 768, 8);
    for (unsigned bank = 0; bank < 256; bank += 51) {
        dispi(5, bank);
        poke(0x100, bank + 1);
        ck_assert_uint_eq(phys_read(fake_cpu_of(vm), LFB + bank * 0x10000 + 0x100, 1),
                          (bank + 1) & 0xff);
    }
    dispi(5, 256); /* there is none */
    ck_assert_uint_eq(get_dispi(5), 255);
    phys_write(fake_cpu_of(vm), LFB + 0xff1234, 4, 0xdeadbeef);
    ck_assert_uint_eq(peek(0x1237), 0xde);
    set_vbe(1024, 768, 8); /* clears what it shows */
    ck_assert_uint_eq(phys_read(fake_cpu_of(vm), LFB + 0x100, 1), 0);
    ck_assert_uint_eq(phys_read(fake_cpu_of(vm), LFB + 0xff1234, 1), 0xef);
}
END_TEST

START_TEST(planar_vbe)
{
    set_vbe(800, 600, 4);
    dispi(5, 1);
    set(SEQ, 2, 4);
    poke(0x10, 0x99);
    ck_assert_uint_eq(phys_read(fake_cpu_of(vm), LFB + (0x10010 * 4) + 2, 1), 0x99);
}
END_TEST

START_TEST(registers_in_memory)
{
    struct cpu *c = fake_cpu_of(vm);

    ck_assert_uint_eq(phys_read(c, MMIO + 0x500, 2), 0xb0c5);
    phys_write(c, MMIO + 0x502, 2, 1024);
    ck_assert_uint_eq(get_dispi(1), 1024);
    phys_write(c, MMIO + 0x402, 1, 1); /* 3C2 */
    ck_assert_uint_eq(inb(0x3cc), 1);
    phys_write(c, MMIO + 0x414, 2, 0x550e); /* 3D4, 3D5 */
    ck_assert_uint_eq(get(CRTC, 0x0e), 0x55);
    ck_assert_uint_eq(phys_read(c, MMIO + 0x600, 4), 8);
    ck_assert_uint_eq(phys_read(c, MMIO + 0x604, 4), 0x1e1e1e1e);
    ck_assert_uint_eq(phys_read(c, MMIO + 0x800, 4), 0xffffffff);
}
END_TEST

/* -- The screen -------------------------------------------------------------------------------- */

static struct display_listener ear;

static unsigned hear(struct display_rect *rects, unsigned max)
{
    return display_refresh(vm, &ear, rects, max);
}

static void settle(void)
{
    struct display_rect r;

    for (unsigned k = 0; k < 3; k++) /* what was open is told of twice */
        hear(&r, 1);
    ck_assert_uint_eq(hear(&r, 1), 0);
}

START_TEST(text_on_screen)
{
    struct display_text *t = calloc(1, sizeof(*t));
    struct display_rect r[4];

    set_text();
    ck_assert_uint_eq(hear(r, 4), 1);
    ck_assert_uint_eq(ear.copy.width, 720);
    ck_assert_uint_eq(ear.copy.height, 400);
    settle();
    poke(0x18000 + 2 * (80 * 3 + 5), 'Q');
    poke(0x18000 + 2 * (80 * 3 + 5) + 1, 0x4e);
    ck_assert_uint_eq(hear(r, 4), 1);
    ck_assert_uint_eq(r[0].y, 48);
    ck_assert_uint_eq(r[0].h, 16);
    ck_assert_uint_eq(ear.copy.pixels[50 * 720 + 45], 0xaa0000); /* beside the letter */
    settle();
    ck_assert(display_get_text(vm, t));
    ck_assert_uint_eq(t->columns, 80);
    ck_assert_uint_eq(t->rows, 25);
    ck_assert_uint_eq(t->cells[80 * 3 + 5], 0x4e00 | 'Q');
    ck_assert(t->cursor_visible);
    free(t);
}
END_TEST

START_TEST(two_listeners)
{
    struct display_listener other = {0};
    struct display_rect r;

    set_text();
    hear(&r, 1);
    settle();
    poke(0x18000, 'x');
    ck_assert_uint_eq(display_refresh(vm, &other, &r, 1), 1);
    ck_assert_uint_eq(r.h, 400);
    ck_assert_uint_eq(hear(&r, 1), 1);
    ck_assert_uint_eq(r.h, 16);
    ck_assert_mem_eq(ear.copy.pixels, other.copy.pixels, 720 * 400 * 4);
    display_listener_free(&other);
}
END_TEST

/* Lines of the linear frame buffer, written by a guest that has direct access. */
START_TEST(dirty_lines)
{
    struct display_rect r[4];
    uint8_t *page;

    set_vbe(1024, 768, 32);
    outb(0x3c2, 1);
    inb(0x3da);
    outb(0x3c0, 0x20);
    ck_assert_uint_eq(hear(r, 4), 1);
    ck_assert_uint_eq(r[0].w, 1024);
    settle();
    ck_assert_ptr_null(mem_host(&vm->mem, LFB + 100 * 4096, 4, true)); /* traps */
    ck_assert_ptr_nonnull(mem_host(&vm->mem, LFB + 100 * 4096, 4, false));
    phys_write(fake_cpu_of(vm), LFB + 100 * 4096 + 40, 4, 0x123456);
    page = mem_host(&vm->mem, LFB + 101 * 4096, 4, true); /* opened with its neighbour */
    ck_assert_ptr_nonnull(page);
    page[0] = 0x77;
    ck_assert_uint_eq(hear(r, 4), 1);
    ck_assert_uint_eq(r[0].y, 96);
    ck_assert_uint_eq(r[0].h, 16);
    ck_assert_uint_eq(ear.copy.pixels[100 * 1024 + 10], 0x123456);
    ck_assert_uint_eq(ear.copy.pixels[101 * 1024], 0x77);
    ck_assert_ptr_null(mem_host(&vm->mem, LFB + 101 * 4096, 4, true)); /* closed again */
    settle();
}
END_TEST

START_TEST(absent)
{
    static const struct vm_config cfg = {.ram_bytes = 16 << 20, .vga = VGA_NONE};
    struct vm *none = fake_vm_with(&cfg, &vga_board);
    struct display_listener l = {0};
    struct display_rect r;

    ck_assert_uint_eq(bus_port_in(none, 0x3cc, 1), 0xff);
    vm_lock(none);
    ck_assert_uint_eq(pci_config_read(none, VGA_DEVFN, 0, 4), 0xffffffff);
    ck_assert(!vga_set_text_mode(none));
    vm_unlock(none);
    ck_assert_uint_eq(display_refresh(none, &l, &r, 1), 0);
    vm_destroy(none);
}
END_TEST

/* -- Hostile guests ---------------------------------------------------------------------------- */

/* Any registers and any state: drawing ends, and stays in video memory and in the surface (with the
 * sanitizers this is worth most). */
START_TEST(any_registers)
{
    struct display_text *t = calloc(1, sizeof(*t));
    struct display_rect r[3];

    srand((unsigned)_i);
    for (unsigned k = 0; k < 60; k++) {
        for (unsigned n = 0; n < 64; n++) {
            uint16_t port = (uint16_t)(rand() & 1 ? 0x3b0 + rand() % 48 : SEQ + rand() % 2 * 10);
            bus_port_out(vm, port, 2, (unsigned)rand());
            if (rand() % 8 == 0)
                dispi((unsigned)rand() % 11, (unsigned)rand() >> rand() % 16);
        }
        if (rand() & 1) {
            inb(0x3da);
            inb(0x3ba);
            outb(0x3c0, 0x20);
            set(SEQ, 1, (unsigned)rand() & 0x1d);
        }
        for (unsigned n = 0; n < 300; n++) {
            poke((uint32_t)rand() % 0x20000, (unsigned)rand());
            peek((uint32_t)rand() % 0x20000);
        }
        ck_assert_uint_le(hear(r, 3), 3);
        display_get_text(vm, t);
    }
    free(t);
}
END_TEST

static TCase *make_case(const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("vga");
    TCase *regs = make_case("registers"), *mem = make_case("memory"), *screen = make_case("screen");
    SRunner *runner;
    int failed;

    tcase_add_test(regs, index_registers);
    tcase_add_test(regs, color_bit_moves_ports);
    tcase_add_test(regs, crtc_protection);
    tcase_add_test(regs, attribute_flip_flop);
    tcase_add_test(regs, dac_triplets);
    tcase_add_test(regs, input_status);
    tcase_add_test(regs, dispi_registers);
    tcase_add_test(regs, dispi_virtual_screen);
    tcase_add_test(regs, too_large_a_mode_stays_off);
    tcase_add_test(regs, registers_in_memory);
    tcase_add_test(regs, absent);
    tcase_add_test(mem, planes_and_map_mask);
    tcase_add_test(mem, window_places);
    tcase_add_test(mem, write_mode_0);
    tcase_add_test(mem, logic_functions);
    tcase_add_test(mem, write_mode_1);
    tcase_add_test(mem, write_mode_2);
    tcase_add_test(mem, write_mode_3);
    tcase_add_test(mem, read_mode_1);
    tcase_add_test(mem, odd_even);
    tcase_add_test(mem, chain_4);
    tcase_add_loop_test(mem, direct_access_is_exact, 0, 2);
    tcase_add_loop_test(mem, direct_access_ends, 0, 9);
    tcase_add_test(mem, banks_and_frame_buffer);
    tcase_add_test(mem, planar_vbe);
    tcase_add_test(screen, text_on_screen);
    tcase_add_test(screen, two_listeners);
    tcase_add_test(screen, dirty_lines);
    tcase_add_loop_test(screen, any_registers, 0, 20);
    suite_add_tcase(suite, regs);
    suite_add_tcase(suite, mem);
    suite_add_tcase(suite, screen);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
