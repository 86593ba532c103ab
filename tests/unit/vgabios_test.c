/* SPDX-License-Identifier: MIT */
/* The VGA BIOS as a file: what firmware checks of an option ROM before it starts it, and its fonts.
 * What it does is tested by tests/guests/int10.py. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/roms.h"

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

int main(void)
{
    Suite *suite = suite_create("vgabios");
    TCase *tc = tcase_create("vgabios");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, firmware_would_start_it);
    tcase_add_test(tc, every_character_has_a_shape);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
