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

/* Where IBM's BIOS has its services, which programs call directly, is a jump. */
START_TEST(services_begin_where_ibm_has_them)
{
    static const uint16_t entries[] = {0xe05b, 0xe2c3, 0xe3fe, 0xe6f2, 0xe739, 0xe82e,
                                       0xe987, 0xec59, 0xef57, 0xefd2, 0xf065, 0xf841,
                                       0xf84d, 0xf859, 0xfe6e, 0xfea5, 0xff54};

    for (unsigned k = 0; k < sizeof(entries) / sizeof(entries[0]); k++) {
        uint8_t opcode = rom_bios[entries[k]];

        ck_assert_msg(opcode == 0xe9 || opcode == 0xeb, "%x: %x", entries[k], opcode);
    }
    ck_assert_uint_eq(rom_bios[0xff53], 0xcf);
}
END_TEST

/* Eight bytes of configuration behind their length, which names the model again; the diskette
 * parameters say 512 bytes and 18 sectors. */
START_TEST(tables_at_fixed_places)
{
    ck_assert_uint_eq(rom_bios[0xe6f5], 8);
    ck_assert_uint_eq(rom_bios[0xe6f7], rom_bios[0xfffe]);
    ck_assert_uint_eq(rom_bios[0xefc7 + 3], 2);
    ck_assert_uint_eq(rom_bios[0xefc7 + 4], 18);
}
END_TEST

/* Structures that programs look for at each multiple of 16; their checksums are made at start. */
START_TEST(structures_are_aligned)
{
    static const char *const signatures[] = {"$PnP", "$PMM", "_32_"};

    for (unsigned k = 0; k < 3; k++) {
        unsigned found = 0;

        for (unsigned at = 0; at < SIZE; at += 16)
            found += memcmp(rom_bios + at, signatures[k], 4) == 0;
        ck_assert_msg(found == 1, "%s: %u", signatures[k], found);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bios");
    TCase *t = tcase_create("image");
    SRunner *r = srunner_create(s);

    tcase_add_test(t, fills_a_segment);
    tcase_add_test(t, reset_vector);
    tcase_add_test(t, services_begin_where_ibm_has_them);
    tcase_add_test(t, tables_at_fixed_places);
    tcase_add_test(t, structures_are_aligned);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
