/* SPDX-License-Identifier: MIT */
/* The display adapter against any sequence of register and memory accesses, with frontends that
 * look at the screen in between. Their copy is what the surface shows. */
#include "devices/vga.h"

#include <string.h>

#include "devices/pci.h"
#include "tests/fuzz/input.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/display.h"
#include "vmm/vmm_internal.h"

#define WINDOW UINT64_C(0xa0000)
#define LFB    UINT64_C(0xe0000000)
#define MMIO   UINT64_C(0xe1000000)

/* The board has no I/O APIC. */
__attribute__((weak)) struct irq ioapic_input(struct vm *m, unsigned gsi)
{
    (void)m, (void)gsi;
    return (struct irq){0};
}

static struct vm *create(void)
{
    static const struct board_row rows[] = {{&pci_class, NULL}, {&vga_class, NULL}, {NULL, NULL}};
    static const struct board board = {"vga", rows};
    static const struct vm_config cfg = {.ram_bytes = UINT64_C(1) << 20};
    struct vm *vm;

    fake_guest = NULL;
    vm = fake_vm_with(&cfg, &board);
    vm_lock(vm);
    pci_config_write(vm, VGA_DEVFN, PCI_BAR0, 4, (uint32_t)LFB);
    pci_config_write(vm, VGA_DEVFN, PCI_BAR0 + 8, 4, (uint32_t)MMIO);
    pci_config_write(vm, VGA_DEVFN, PCI_COMMAND, 2, 3);
    vga_set_text_mode(vm);
    vm_unlock(vm);
    return vm;
}

static void access_memory(struct vm *vm, uint64_t pa, unsigned op, struct input *in)
{
    struct cpu *c = fake_cpu_of(vm);
    unsigned n = 1u << op % 4;

    if (pa % PAGE_SIZE + n > PAGE_SIZE)
        return;
    if (op & 4)
        phys_write(c, pa, n, input_int(in, n));
    else
        phys_read(c, pa, n);
}

/* Enough of them that the window may be mapped. */
static void fill(struct vm *vm, struct input *in)
{
    uint64_t at = WINDOW + (input_u8(in) & 31) * PAGE_SIZE;
    unsigned val = input_u8(in);

    for (unsigned k = 0; k < 300; k++)
        phys_write(fake_cpu_of(vm), at + k * 4, 4, val * k);
}

static void look(struct vm *vm, struct display_listener *l, unsigned max)
{
    struct display_text *t = malloc(sizeof(*t));
    struct display_rect r[8];
    unsigned n = display_refresh(vm, l, r, max);

    for (unsigned k = 0; k < n; k++)
        REQUIRE(r[k].w > 0 && r[k].h > 0 && r[k].x + r[k].w <= l->copy.width &&
                r[k].y + r[k].h <= l->copy.height);
    REQUIRE(l->copy.width <= DISPLAY_MAX_WIDTH && l->copy.height <= DISPLAY_MAX_HEIGHT);
    if (vm->display != NULL && l->copy.pixels != NULL) {
        const struct display_surface *s = display_surface(vm->display);

        REQUIRE(s->width == l->copy.width && s->height == l->copy.height);
        REQUIRE(memcmp(s->pixels, l->copy.pixels, (size_t)s->width * s->height * 4) == 0);
    }
    if (display_get_text(vm, t))
        REQUIRE(t->columns <= DISPLAY_TEXT_COLUMNS && t->rows <= DISPLAY_TEXT_ROWS);
    free(t);
}

static void step(struct vm *vm, struct display_listener *l, struct input *in)
{
    unsigned op = input_u8(in);

    switch (op >> 5) {
    case 0: look(vm, l, 1 + op % 8); break;
    case 1: fill(vm, in); break;
    case 2: access_memory(vm, LFB + input_int(in, 3), op, in); break;
    case 3: access_memory(vm, MMIO + 0x400 + input_int(in, 2) % 0x300, op, in); break;
    case 4:
        bus_port_out(vm, 0x1ce, 2, op & 15);
        bus_port_out(vm, 0x1cf, 2, (uint32_t)input_int(in, 2));
        break;
    case 5: access_memory(vm, WINDOW + (input_int(in, 3) & 0x1ffff), op, in); break;
    case 6: bus_port_in(vm, (uint16_t)(0x3b0 + (op & 31)), 1 + (op & 1)); break;
    default: bus_port_out(vm, (uint16_t)(0x3c0 + (op & 31)), 2, (uint32_t)input_int(in, 2)); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct display_listener l = {0};
    struct vm *vm = create();

    while (in.n > 0)
        step(vm, &l, &in);
    look(vm, &l, 8);
    display_listener_free(&l);
    vm_destroy(vm);
    return 0;
}
