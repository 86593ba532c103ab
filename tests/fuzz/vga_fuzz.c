/* SPDX-License-Identifier: MIT */
/* The display adapter against any sequence of register and memory accesses, with frontends that
 * look at the screen in between. Their copy is what the surface shows. */
#include <string.h>

#include "tests/fuzz/traffic.h"
#include "tests/unit/vga_board.h"
#include "vmm/display.h"
#include "vmm/vmm_internal.h"

static struct vm *create(void)
{
    struct vm *vm = vga_vm();

    vm_lock(vm);
    vga_set_text_mode(vm);
    vm_unlock(vm);
    return vm;
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
    case 2: traffic_phys(vm, LFB + input_int(in, 3), op, in); break;
    case 3: traffic_phys(vm, MMIO + 0x400 + input_int(in, 2) % 0x300, op, in); break;
    case 4:
        bus_port_out(vm, 0x1ce, 2, op & 15);
        bus_port_out(vm, 0x1cf, 2, (uint32_t)input_int(in, 2));
        break;
    case 5: traffic_phys(vm, WINDOW + (input_int(in, 3) & 0x1ffff), op, in); break;
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
