/* SPDX-License-Identifier: MIT */
/* The display adapter as a device: ports, PCI function 1234:1111 with the linear frame buffer in
 * BAR 0, registers in BAR 2 and a ROM, the window at A0000, and the screen's side.
 *
 * Where the registers make the window (or half of it) plain memory, and the guest goes on using it,
 * a region of RAM is laid over it. Such accesses do not load the latches: what a guest could see of
 * that is the latch of an access before, in a write mode that it has not read in. */
#include "devices/vga.h"

#include <errno.h>
#include <stdlib.h>

#include "devices/image.h"
#include "devices/pci.h"
#include "devices/roms.h"
#include "devices/vga_draw.h"
#include "vmm/clock.h"
#include "vmm/display.h"
#include "vmm/vm.h"

#define VRAM_SIZE   (UINT32_C(16) << 20)
#define VRAM_PAGES  (VRAM_SIZE / PAGE_SIZE)
#define ROM_SIZE    (UINT32_C(64) << 10)
#define MMIO_SIZE   0x1000u
#define WINDOW      UINT64_C(0xa0000)
#define WINDOW_SIZE UINT64_C(0x20000)
#define PLAIN_MAX   256u /* accesses until the window is mapped: that costs about as much */
#define MAX_LINES   DISPLAY_MAX_HEIGHT
#define FONT_ROWS   16u
#define FONT_PAGES  32u /* of layout PAIRS: planes 2 and 3 begin there */

/* What the surface shows. */
struct screen {
    bool drawn;
    struct vga_frame frame;
    struct vga_phase phase;
    uint8_t pages[VRAM_PAGES]; /* written since it was drawn */
    uint32_t cells[MAX_LINES][VGA_MAX_CELLS];
};

struct vga {
    struct pci_device pci;
    struct vga_regs regs;
    uint16_t plain;  /* accesses to the window that could have been direct */
    bool is_mapped;  /* `direct` is */
    bool is_present; /* else all is zero */
    uint64_t vram_off;
    struct vga_vram vram;
    struct mem_watch watch;
    struct region window, direct;
    struct screen *screen;
};

static struct vm *vm_of(const struct vga *s)
{
    return s->pci.dev.vm;
}

/* -- The window -------------------------------------------------------------------------------- */

static void unmap_direct(struct vga *s)
{
    if (s->is_mapped)
        mem_map(vm_of(s), &s->direct, MEM_UNMAPPED);
    s->is_mapped = false;
    s->plain = 0;
}

static void map_direct(struct vga *s, const struct vga_direct *d)
{
    s->direct.size = d->size;
    s->direct.ram_off = s->vram_off + d->pos;
    s->is_mapped = mem_map(vm_of(s), &s->direct, WINDOW + d->at) == 0;
}

/* After registers were written: is what is mapped still true? */
static void check_direct(struct vga *s)
{
    struct vga_direct d;

    if (!s->is_mapped)
        return;
    if (!vga_mem_direct(&s->regs, &s->vram, &d) || d.layout != s->regs.layout ||
        s->direct.base != WINDOW + d.at || s->direct.size != d.size ||
        s->direct.ram_off != s->vram_off + d.pos)
        unmap_direct(s);
}

static void count_access(struct vga *s)
{
    struct vga_direct d;

    if (s->is_mapped || ++s->plain < PLAIN_MAX)
        return;
    s->plain = 0;
    if (!vga_mem_direct(&s->regs, &s->vram, &d))
        return;
    vga_set_layout(&s->regs, &s->vram, d.layout);
    map_direct(s, &d);
}

static uint64_t window_read(void *dev, uint32_t off, unsigned n)
{
    struct vga *s = dev;
    uint64_t val = 0;

    for (unsigned k = 0; k < n; k++)
        val |= (uint64_t)vga_mem_read(&s->regs, &s->vram, off + k) << (8 * k);
    count_access(s);
    return val;
}

static void window_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct vga *s = dev;

    for (unsigned k = 0; k < n; k++)
        vga_mem_write(&s->regs, &s->vram, off + k, (uint8_t)(val >> (8 * k)));
    count_access(s);
}

/* -- Ports ------------------------------------------------------------------------------------- */

static uint64_t port_read(struct vga *s, uint16_t port)
{
    return vga_port_read(&s->regs, port, clock_now(vm_of(s)));
}

static void port_write(struct vga *s, uint16_t port, uint64_t val)
{
    vga_port_write(&s->regs, port, (uint8_t)val);
    check_direct(s);
}

static void dispi_write(struct vga *s, unsigned reg, uint64_t val)
{
    vga_dispi_write(&s->regs, &s->vram, reg, (uint16_t)val);
    check_direct(s);
}

static uint64_t ports_3b0_read(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return port_read(dev, (uint16_t)(0x3b0 + off));
}

static void ports_3b0_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    (void)n;
    port_write(dev, (uint16_t)(0x3b0 + off), val);
}

static uint64_t ports_3c0_read(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return port_read(dev, (uint16_t)(0x3c0 + off));
}

static void ports_3c0_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    (void)n;
    port_write(dev, (uint16_t)(0x3c0 + off), val);
}

/* Words at 1CE (index) and, overlapping it, 1CF (data). Bytes: only the low one has an effect. */
static uint64_t dispi_ports_read(void *dev, uint32_t off, unsigned n)
{
    struct vga *s = dev;

    (void)n;
    if (off == 0)
        return s->regs.dispi_index;
    return off == 1 ? vga_dispi_read(&s->regs, &s->vram, s->regs.dispi_index) : 0xffff;
}

static void dispi_ports_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct vga *s = dev;

    (void)n;
    if (off == 0)
        s->regs.dispi_index = (uint16_t)val;
    else if (off == 1)
        dispi_write(s, s->regs.dispi_index, val);
}

/* -- BAR 2 ------------------------------------------------------------------------------------- */

#define MMIO_PORTS       0x400u /* 3C0-3DF */
#define MMIO_PORTS_END   0x420u
#define MMIO_DISPI       0x500u
#define MMIO_DISPI_END   (MMIO_DISPI + 2 * (DISPI_MEMORY + 1))
#define MMIO_QEXT        0x600u /* size of this group, byte order of the frame buffer */
#define MMIO_QEXT_SIZE   8u
#define LITTLE_ENDIAN_FB 0x1e1e1e1eu

static uint64_t mmio_read(void *dev, uint32_t off, unsigned n)
{
    struct vga *s = dev;

    if (off >= MMIO_PORTS && off < MMIO_PORTS_END) {
        uint64_t val = port_read(s, (uint16_t)(0x3c0 + off - MMIO_PORTS));

        return n == 1 ? val : val | port_read(s, (uint16_t)(0x3c1 + off - MMIO_PORTS)) << 8;
    }
    if (off >= MMIO_DISPI && off < MMIO_DISPI_END)
        return (uint64_t)vga_dispi_read(&s->regs, &s->vram, (off - MMIO_DISPI) / 2) >>
               (off % 2 * 8);
    if (off >= MMIO_QEXT && off < MMIO_QEXT + MMIO_QEXT_SIZE) {
        uint64_t both = MMIO_QEXT_SIZE | (uint64_t)LITTLE_ENDIAN_FB << 32;

        return both >> (8 * (off - MMIO_QEXT));
    }
    return UINT64_MAX;
}

static void mmio_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct vga *s = dev;

    if (off >= MMIO_PORTS && off < MMIO_PORTS_END) {
        for (unsigned k = 0; k < n; k++)
            port_write(s, (uint16_t)(0x3c0 + off - MMIO_PORTS + k), val >> (8 * k));
    } else if (off >= MMIO_DISPI && off < MMIO_DISPI_END && n == 2) {
        dispi_write(s, (off - MMIO_DISPI) / 2, val);
    }
}

/* -- The screen -------------------------------------------------------------------------------- */

static struct vga_phase phase_now(const struct vga *s)
{
    uint64_t frames = clock_now(vm_of(s)) / vga_frame_ns(&s->regs);

    return (struct vga_phase){.cursor = !(frames >> 4 & 1), .blink = !(frames >> 5 & 1)};
}

static uint32_t *line_of(struct display *d, unsigned y)
{
    const struct display_surface *surface = display_surface(d);

    return surface->pixels + (size_t)y * surface->stride;
}

static void draw_blank(const struct vga_frame *f, struct display *d)
{
    for (unsigned y = 0; y < f->height; y++)
        memset(line_of(d, y), 0, f->width * sizeof(uint32_t));
    display_damage(d, 0, 0, f->width, f->height);
}

/* Was any page written that these bytes are on? */
static bool is_written(const struct screen *sc, uint32_t pos, uint32_t n)
{
    for (uint32_t page = pos / PAGE_SIZE; page <= (pos + n - 1) / PAGE_SIZE; page++) {
        if (sc->pages[page % VRAM_PAGES])
            return true;
    }
    return false;
}

static void draw_linear(struct vga *s, struct display *d, bool all)
{
    const struct vga_frame *f = &s->screen->frame;

    for (unsigned y = 0; y < f->height; y++) {
        if (!all && !is_written(s->screen, vga_linear_line(f, y), f->width * ((f->bpp + 7) / 8)))
            continue;
        vga_draw_linear(f, &s->vram, y, line_of(d, y));
        display_damage(d, 0, y, f->width, 1);
    }
}

/* A line that is made of the same cells as it was is left alone. */
static void draw_cells(struct vga *s, struct display *d, bool all)
{
    struct screen *sc = s->screen;
    const struct vga_frame *f = &sc->frame;
    unsigned above = 0, n = 0; /* the line whose cells this one has, too */
    bool changed = true;

    for (unsigned y = 0; y < f->height; y++) {
        uint32_t cells[VGA_MAX_CELLS];

        if (y == 0 || !vga_line_is_like(f, y, above)) {
            n = vga_line_cells(f, &s->vram, &sc->phase, y, cells);
            changed = all || memcmp(sc->cells[y], cells, n * sizeof(*cells)) != 0;
            if (changed)
                memcpy(sc->cells[y], cells, n * sizeof(*cells));
            above = y;
        }
        if (!changed)
            continue;
        vga_draw_cells(f, &s->vram, y, sc->cells[above], line_of(d, y));
        display_damage(d, 0, y, f->width, 1);
    }
}

/* Is the memory that characters' shapes come from written? */
static bool is_font_written(const struct screen *sc)
{
    unsigned from = sc->frame.layout == LAYOUT_PAIRS ? FONT_PAGES : 0;

    return memchr(sc->pages + from, 1, 4 * VGA_PLANE / PAGE_SIZE - from) != NULL;
}

/* True: nothing that was drawn is good any more. */
static bool adopt_frame(struct vga *s, struct display *d)
{
    struct screen *sc = s->screen;
    const struct display_surface *surface = display_surface(d);
    struct vga_frame f;

    vga_frame_make(&s->regs, &f);
    if (sc->drawn && memcmp(&f, &sc->frame, sizeof(f)) == 0)
        return false;
    sc->drawn = (surface->width == f.width && surface->height == f.height) ||
                display_resize(d, f.width, f.height);
    sc->frame = f;
    return true;
}

static void refresh(void *dev, struct display *d)
{
    struct vga *s = dev;
    struct screen *sc = s->screen;
    bool written = mem_watch_take(vm_of(s), &s->watch, sc->pages);
    bool all = adopt_frame(s, d), blinked = false;

    if (!sc->drawn) /* there is no memory for a surface */
        return;
    if (sc->frame.kind == KIND_BLANK) {
        if (all)
            draw_blank(&sc->frame, d);
        return;
    }
    if (sc->frame.kind == KIND_LINEAR) {
        if (all || written)
            draw_linear(s, d, all);
        return;
    }
    if (sc->frame.kind == KIND_TEXT) {
        struct vga_phase phase = phase_now(s);

        blinked = memcmp(&phase, &sc->phase, sizeof(phase)) != 0;
        sc->phase = phase;
        all = all || (written && is_font_written(sc));
    }
    if (all || written || blinked)
        draw_cells(s, d, all);
}

static bool text(void *dev, struct display_text *t)
{
    static const struct vga_phase shown = {false, true};
    struct vga *s = dev;
    struct vga_frame f;

    vga_frame_make(&s->regs, &f);
    if (f.kind != KIND_TEXT)
        return false;
    *t = (struct display_text){.columns = f.cells,
                               .rows = f.height / (f.rows * f.line_scale),
                               .cursor_first = f.cursor_first,
                               .cursor_last = f.cursor_last};
    if (t->rows > DISPLAY_TEXT_ROWS)
        t->rows = DISPLAY_TEXT_ROWS;
    for (unsigned y = 0; y < t->rows; y++) {
        uint32_t cells[VGA_MAX_CELLS];
        unsigned line = y * f.rows * f.line_scale;

        vga_line_cells(&f, &s->vram, &shown, line, cells);
        for (unsigned x = 0; x < t->columns; x++)
            t->cells[y * t->columns + x] = (uint16_t)cells[x];
    }
    if (f.cursor_on && f.pitch != 0 && f.cursor >= f.start) {
        t->cursor_x = (f.cursor - f.start) % f.pitch;
        t->cursor_y = (f.cursor - f.start) / f.pitch;
        t->cursor_visible = t->cursor_x < t->columns && t->cursor_y < t->rows;
    }
    return true;
}

/* -- Text mode without firmware ---------------------------------------------------------------- */

/* Mode 3: 80x25 characters of 9x16 dots. */
static const uint8_t text_seq[VGA_SEQ_COUNT] = {0x03, 0x00, 0x03, 0x00, 0x02};
static const uint8_t text_crtc[VGA_CRTC_COUNT] = {
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
    0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
static const uint8_t text_gfx[VGA_GFX_COUNT] = {0x00, 0x00, 0x00, 0x00, 0x00,
                                                0x10, 0x0e, 0x00, 0xff};
static const uint8_t text_attr[VGA_ATTR_COUNT] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14,
                                                  0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d,
                                                  0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00};

/* The DAC's first 64 entries are the EGA's colours: two bits for each component. */
static void set_palette(struct vga_regs *r)
{
    for (unsigned k = 0; k < 64; k++) {
        for (unsigned c = 0; c < 3; c++) /* red: bits 2 and 5 */
            r->dac[k][c] = (uint8_t)((k >> (2 - c) & 1) * 0x2a + (k >> (5 - c) & 1) * 0x15);
    }
}

/* The VGA BIOS's. */
static void load_font(struct vga *s)
{
    const uint8_t *font = rom_vga + rom_vga[ROM_VGA_FONT16] + (rom_vga[ROM_VGA_FONT16 + 1] << 8);

    for (unsigned k = 0; k < 256 * FONT_ROWS; k++) {
        uint32_t pa = k / FONT_ROWS * 32 + k % FONT_ROWS;

        *vram_at(&s->vram, vga_position(LAYOUT_PAIRS, pa, 2)) = font[k];
    }
}

bool vga_set_text_mode(struct vm *vm)
{
    struct vga *s = (struct vga *)device_find(vm, &vga_class, 0);
    struct vga_regs *r;

    if (s == NULL || !s->is_present)
        return false;
    unmap_direct(s);
    r = &s->regs;
    vga_regs_reset(r);
    r->misc = 0x67;
    memcpy(r->seq, text_seq, sizeof(text_seq));
    memcpy(r->crtc, text_crtc, sizeof(text_crtc));
    memcpy(r->gfx, text_gfx, sizeof(text_gfx));
    memcpy(r->attr, text_attr, sizeof(text_attr));
    r->attr_index = 0x20;
    set_palette(r);
    vga_set_layout(r, &s->vram, LAYOUT_PAIRS);
    load_font(s);
    for (uint32_t at = 0x18000; at < 0x20000; at++)
        vga_mem_write(r, &s->vram, at, at & 1 ? 0x07 : ' ');
    vram_wrote(&s->vram, 0, 4 * VGA_PLANE);
    return true;
}

/* -- Life -------------------------------------------------------------------------------------- */

static void reset(struct device *d)
{
    struct vga *s = (struct vga *)d;

    if (!s->is_present)
        return;
    pci_device_reset(&s->pci);
    unmap_direct(s);
    vga_regs_reset(&s->regs);
}

static void loaded(struct device *d)
{
    struct vga *s = (struct vga *)d;
    bool was_mapped = s->is_mapped;
    struct vga_direct direct;

    if (!s->is_present)
        return;
    vga_regs_check(&s->regs, &s->vram);
    pci_device_loaded(&s->pci);
    mem_map(vm_of(s), &s->direct, MEM_UNMAPPED);
    s->is_mapped = false;
    if (was_mapped && vga_mem_direct(&s->regs, &s->vram, &direct) &&
        direct.layout == s->regs.layout)
        map_direct(s, &direct);
    s->screen->drawn = false;
}

/* Fill the ROM, and what is behind it as an empty socket reads. */
static void fill_rom(struct vm *vm, uint64_t rom, const uint8_t *data, size_t size)
{
    struct mem_piece to = mem_piece(vm, rom);

    for (size_t at = 0; at < ROM_SIZE; at += PAGE_SIZE) {
        size_t n = at >= size ? 0 : size - at < PAGE_SIZE ? size - at : PAGE_SIZE;
        uint8_t *page = to.host + at / PAGE_SIZE * to.stride;

        memset(page, 0xff, PAGE_SIZE);
        if (n > 0)
            memcpy(page, data + at, n);
    }
}

/* The user's file, or our own VGA BIOS. */
static int load_rom(struct vga *s, uint64_t rom)
{
    struct vm *vm = vm_of(s);
    const char *path = vm_config(vm)->vga_rom;
    struct image file = {NULL, NULL, 0};
    int err;

    if (path == NULL) {
        fill_rom(vm, rom, rom_vga, (size_t)(rom_vga_end - rom_vga));
        return 0;
    }
    err = image_read(vm, path, &file);
    if (err == 0 && file.size > ROM_SIZE)
        err = vm_fail(vm, -EFBIG, "VGA.romfile=%s: larger than 64 KiB", path);
    if (err == 0)
        fill_rom(vm, rom, file.data, file.size);
    free(file.data);
    return err;
}

static int add_memory(struct vga *s)
{
    struct vm *vm = vm_of(s);
    struct mem_piece piece;
    uint64_t rom;
    int err = mem_alloc(vm, VRAM_SIZE, &s->vram_off);

    if (err == 0)
        err = mem_alloc(vm, ROM_SIZE, &rom);
    if (err == 0)
        err = load_rom(s, rom);
    if (err == 0)
        err = mem_watch_create(vm, &s->watch, s->vram_off, VRAM_SIZE);
    if (err != 0)
        return err;
    piece = mem_piece(vm, s->vram_off);
    s->vram = (struct vga_vram){piece.host, 12, VRAM_SIZE, &s->watch};
    while (UINT64_C(1) << s->vram.page_shift < piece.stride)
        s->vram.page_shift++;
    s->direct = (struct region){
        .name = "vga-window", .base = MEM_UNMAPPED, .kind = REGION_RAM, .watch = &s->watch};
    pci_add_mem_bar(&s->pci, 0, PCI_BAR_PREFETCH,
                    &(struct region){.name = "vga-frame-buffer",
                                     .size = VRAM_SIZE,
                                     .kind = REGION_RAM,
                                     .ram_off = s->vram_off,
                                     .watch = &s->watch});
    pci_add_mem_bar(
        &s->pci, PCI_ROM_BAR, PCI_BAR_MEM,
        &(struct region){.name = "vga-rom", .size = ROM_SIZE, .kind = REGION_ROM, .ram_off = rom});
    return 0;
}

static int add_registers(struct vga *s)
{
    static const struct io_ops window_ops = {window_read, window_write,
                                             IO_8 | IO_16 | IO_32 | IO_64};
    static const struct io_ops mmio_ops = {mmio_read, mmio_write, IO_8 | IO_16};
    static const struct io_ops ops_3b0 = {ports_3b0_read, ports_3b0_write, IO_8};
    static const struct io_ops ops_3c0 = {ports_3c0_read, ports_3c0_write, IO_8};
    static const struct io_ops dispi_ops = {dispi_ports_read, dispi_ports_write,
                                            IO_8 | IO_16 | IO_UNALIGNED};
    struct vm *vm = vm_of(s);
    int err;

    pci_add_mem_bar(&s->pci, 2, PCI_BAR_MEM,
                    &(struct region){.name = "vga-registers",
                                     .size = MMIO_SIZE,
                                     .kind = REGION_MMIO,
                                     .ops = &mmio_ops,
                                     .dev = s});
    s->window = (struct region){.name = "vga",
                                .base = MEM_UNMAPPED,
                                .size = WINDOW_SIZE,
                                .kind = REGION_MMIO,
                                .ops = &window_ops,
                                .dev = s};
    err = bus_claim_ports(vm, "vga", 0x3b0, 12, &ops_3b0, s);
    if (err == 0)
        err = bus_claim_ports(vm, "vga", 0x3c0, 32, &ops_3c0, s);
    if (err == 0)
        err = bus_claim_ports(vm, "vga", 0x1ce, 3, &dispi_ops, s);
    return err != 0 ? err : mem_map(vm, &s->window, WINDOW);
}

static void unrealize(struct device *d)
{
    struct vga *s = (struct vga *)d;

    if (!s->is_present)
        return;
    unmap_direct(s);
    mem_map(d->vm, &s->window, MEM_UNMAPPED);
    display_detach(d->vm, s);
    pci_unregister(&s->pci);
    mem_watch_free(d->vm, &s->watch);
    free(s->screen);
}

static int realize(struct device *d)
{
    static const struct pci_ident id = {
        .vendor = 0x1234, .device = 0x1111, .class_code = 0x0300, .revision = 2};
    static const struct display_ops ops = {refresh, text};
    struct vga *s = (struct vga *)d;
    int err;

    if (vm_config(d->vm)->vga == VGA_NONE)
        return 0;
    s->screen = calloc(1, sizeof(*s->screen));
    if (s->screen == NULL)
        return -ENOMEM;
    err = pci_register(&s->pci, VGA_DEVFN, &id);
    if (err != 0) {
        free(s->screen);
        return err;
    }
    s->is_present = true;
    err = add_memory(s);
    if (err == 0)
        err = add_registers(s);
    if (err == 0)
        err = display_attach(d->vm, &ops, s);
    if (err != 0)
        unrealize(d);
    return err;
}

static const struct field vga_fields[] = {
    FIELD_SUB(struct vga, pci, pci_device_fields),
    FIELD_SUB(struct vga, regs, vga_regs_fields),
    FIELD(struct vga, plain),
    FIELD(struct vga, is_mapped),
    UNSAVED(struct vga, is_present),
    UNSAVED(struct vga, vram_off),
    UNSAVED(struct vga, vram),
    UNSAVED(struct vga, watch),
    UNSAVED(struct vga, window),
    UNSAVED(struct vga, direct),
    UNSAVED(struct vga, screen),
    FIELDS_END,
};

const struct device_class vga_class = {
    .name = "vga",
    .desc = "VGA with Bochs VBE",
    .size = sizeof(struct vga),
    .fields = vga_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
