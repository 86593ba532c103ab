/* SPDX-License-Identifier: MIT */
/* The image of our own BIOS (bios/bios.asm): its size, and what must stand at fixed places. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/roms.h"

#define SIZE 0x10000u

START_TEST(fills_a_segment)
{
    ck_assert_uint_eq(rom_bios_end - rom_bios, SIZE);
}
END_TEST

/* A near jump, so that the base of CS stays as at reset; then date and model. */
START_TEST(reset_vector)
{
    ck_assert_uint_eq(rom_bios[0xfff0], 0xe9);
    ck_assert_mem_eq(rom_bios + 0xfff5 + 2, "/", 1);
    ck_assert_uint_eq(rom_bios[0xfffe], 0xfc);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bios");
    TCase *t = tcase_create("image");
    SRunner *r = srunner_create(s);

    tcase_add_test(t, fills_a_segment);
    tcase_add_test(t, reset_vector);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
