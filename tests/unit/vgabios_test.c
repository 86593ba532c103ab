/* SPDX-License-Identifier: MIT */
/* The VGA BIOS: what firmware checks of an option ROM before it starts it, its fonts, and the
 * pictures of the guest "screens". What its functions do otherwise is tested by
 * tests/guests/int10.py.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/debug_exit.h"
#include "devices/pc.h"
#include "devices/roms.h"
#include "vmm/display.h"
#include "vmm/vm.h"

#define PASSED 33

static unsigned get16(const uint8_t *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

START_TEST(firmware_would_start_it)
{
    size_t size = (size_t)(rom_vga_end - rom_vga);
    const uint8_t *pcir = rom_vga + get16(rom_vga + 0x18);
    uint8_t sum = 0;

    ck_assert_uint_eq(get16(rom_vga), 0xaa55);
    ck_assert_uint_eq(rom_vga[2] * 512u, size);
    ck_assert_uint_eq(size % 2048, 0);
    for (size_t k = 0; k < size; k++)
        sum += rom_vga[k];
    ck_assert_uint_eq(sum, 0);
    ck_assert_int_eq(memcmp(pcir, "PCIR", 4), 0);
    ck_assert_uint_eq(get16(pcir + 4), 0x1234);
    ck_assert_uint_eq(get16(pcir + 6), 0x1111);
    ck_assert_uint_eq(get16(pcir + 0x0e), 0x0300); /* class VGA */
    ck_assert_uint_eq(get16(pcir + 0x10) * 512, size);
    ck_assert_uint_eq(pcir[0x15], 0x80);
    ck_assert_int_eq(memcmp(rom_vga + 0x1e, "IBM", 3), 0);
}
END_TEST

/* Blank are 00, space and FF; no two others look the same. */
START_TEST(every_character_has_a_shape)
{
    const uint8_t *font = rom_vga + get16(rom_vga + ROM_VGA_FONT16);

    for (unsigned ch = 0; ch < 256; ch++) {
        const uint8_t *glyph = font + ch * 16;
        unsigned lines = 0;

        for (unsigned k = 0; k < 16; k++)
            lines += glyph[k] != 0;
        ck_assert_int_eq(lines == 0, ch == 0 || ch == ' ' || ch == 0xff);
        for (unsigned other = 0; lines != 0 && other < ch; other++)
            ck_assert_msg(memcmp(glyph, font + other * 16, 16) != 0, "%u is like %u", ch, other);
    }
}
END_TEST

/* -- Pictures ---------------------------------------------------------------------------------- */

/* What the screen shows when the guest has ended; freed by display_listener_free(). */
static void run_guest(unsigned mode, struct display_listener *l)
{
    static const struct debug_exit_cfg debug_exit = {0xf4, 4};
    char append[16], err[VM_ERR_LEN];
    struct vm_config cfg = {.ram_bytes = UINT64_C(16) << 20,
                            .cpus = 1,
                            .accel = ACCEL_BEST,
                            .serial = {"null"},
                            .kernel = GUESTS "/screens.bin",
                            .append = append,
                            .log = stderr};
    struct display_rect r;
    struct vm *vm;

    snprintf(append, sizeof(append), "%x", mode);
    ck_assert_msg(vm_create(&vm, &cfg, &pc_board, err) == 0, "%s", err);
    vm_lock(vm);
    ck_assert_ptr_nonnull(device_create(vm, &debug_exit_class, &debug_exit));
    vm_unlock(vm);
    ck_assert_int_eq(vm_run(vm), VM_END_DEBUG_EXIT);
    ck_assert_int_eq(vm_exit_code(vm), PASSED);
    memset(l, 0, sizeof(*l));
    display_refresh(vm, l, &r, 1);
    vm_destroy(vm);
}

/* These were compared with what QEMU's VGA makes of the same guest: graphics are equal, text is but
 * for the ninth dots of B0-BF, the underlines of mode 7, and the widths and heights that it does
 * not double. */
static const struct picture {
    unsigned mode, width, height;
    uint64_t sum;
} pictures[] = {
    {0x00, 720, 400, 0x739ca36398f4ce45},   {0x01, 720, 400, 0x739ca36398f4ce45},
    {0x02, 720, 400, 0xbaf045c1953c5d93},   {0x03, 720, 400, 0xbaf045c1953c5d93},
    {0x1003, 640, 350, 0x6dbb9f7af2387fea}, {0x2003, 640, 400, 0x510378c43fa06479},
    {0x3003, 720, 400, 0x6b3e3841904eea8e}, {0x2001, 640, 400, 0x4a283ad38859d57d},
    {0x04, 640, 400, 0xf169ecee13d4ed1d},   {0x05, 640, 400, 0xf169ecee13d4ed1d},
    {0x06, 640, 400, 0xce11100969e2a269},   {0x07, 720, 400, 0x3988d4576f8f9c2a},
    {0x0d, 640, 400, 0xc2f760de07284a2d},   {0x0e, 640, 400, 0x22ddfaff8431e1a5},
    {0x0f, 640, 350, 0x4897880c1cd05eb8},   {0x10, 640, 350, 0x83f862dd027549f6},
    {0x11, 640, 480, 0xcf9c58f704c81490},   {0x12, 640, 480, 0x791ad04911e13d38},
    {0x13, 640, 400, 0xb2a69f0d738fe7cd},
};

START_TEST(pictures_are_right)
{
    const struct picture *p = &pictures[_i];
    uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a, a pixel at a time */
    struct display_listener l;

    run_guest(p->mode, &l);
    ck_assert_uint_eq(l.copy.width, p->width);
    ck_assert_uint_eq(l.copy.height, p->height);
    for (unsigned y = 0; y < p->height; y++) {
        for (unsigned x = 0; x < p->width; x++)
            sum = (sum ^ l.copy.pixels[y * l.copy.stride + x]) * UINT64_C(0x100000001b3);
    }
    ck_assert_msg(sum == p->sum, "mode %x: %016llx", p->mode, (unsigned long long)sum);
    display_listener_free(&l);
}
END_TEST

static const struct vbe_picture {
    unsigned mode, width, height, bpp;
} vbe_pictures[] = {
    {0x101, 640, 480, 8},   {0x110, 640, 480, 15},  {0x114, 800, 600, 16},
    {0x118, 1024, 768, 24}, {0x144, 1024, 768, 32}, {0x192, 1920, 1080, 32},
};

/* The upper `bits` of a component, as wide as it was. */
static unsigned rounded(unsigned v, unsigned bits)
{
    v >>= 8 - bits;
    return v << (8 - bits) | v >> (2 * bits - 8);
}

/* The colour of a pixel that the guest drew. */
static uint32_t vbe_color(unsigned bpp, unsigned x, unsigned y)
{
    unsigned r = x & 0xff, g = y & 0xff, b = (x ^ y) & 0xff;

    if (bpp == 8) {
        r = b * 7 & 0xff;
        g = 255 - b;
    } else if (bpp < 24) {
        r = rounded(r, 5);
        g = rounded(g, bpp == 15 ? 5 : 6);
        b = rounded(b, 5);
    }
    return r << 16 | g << 8 | b;
}

START_TEST(vbe_pictures_are_right)
{
    const struct vbe_picture *p = &vbe_pictures[_i];
    struct display_listener l;

    run_guest(p->mode, &l);
    ck_assert_uint_eq(l.copy.width, p->width);
    ck_assert_uint_eq(l.copy.height, p->height);
    for (unsigned y = 0; y < p->height; y++) {
        unsigned x = 0;

        while (x < p->width && l.copy.pixels[y * l.copy.stride + x] == vbe_color(p->bpp, x, y))
            x++;
        ck_assert_msg(x == p->width, "mode %x: pixel %u, %u is wrong", p->mode, x, y);
    }
    display_listener_free(&l);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vgabios");
    TCase *tc = tcase_create("vgabios");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, firmware_would_start_it);
    tcase_add_test(tc, every_character_has_a_shape);
    tcase_add_loop_test(tc, pictures_are_right, 0, sizeof(pictures) / sizeof(pictures[0]));
    tcase_add_loop_test(tc, vbe_pictures_are_right, 0,
                        sizeof(vbe_pictures) / sizeof(vbe_pictures[0]));
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
