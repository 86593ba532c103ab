/* SPDX-License-Identifier: MIT */
/* PNG files, read back by a decoder of the test's own, but for the stream, which is zlib's. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "frontend/screenshot.h"

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* CRC by polynomial division, bit by bit, highest power first. */
static uint32_t crc(const uint8_t *data, size_t n)
{
    uint64_t rest = 0;

    for (size_t k = 0; k < 8 * (n + 4); k++) {
        unsigned bit = k < 8 * n ? data[k / 8] >> (k % 8) & 1 : 0;

        rest = rest << 1 | (k < 32 ? !bit : bit);
        if (rest >> 32)
            rest ^= UINT64_C(0x104c11db7);
    }
    rest = ~rest;
    uint32_t turned = 0;
    for (unsigned k = 0; k < 32; k++)
        turned |= (uint32_t)(rest >> k & 1) << (31 - k);
    return turned;
}

static const uint8_t *chunk(const uint8_t *p, const char *type, uint32_t *n)
{
    *n = get32(p);
    ck_assert_mem_eq(p + 4, type, 4);
    ck_assert_uint_eq(get32(p + 8 + *n), crc(p + 4, *n + 4));
    return p + 8;
}

/* An assertion costs a system call even if it holds, so there is none for each pixel. */
static void ck_row(const struct display_surface *s, unsigned y, const uint8_t *raw)
{
    ck_assert_uint_eq(raw[0], 0);
    for (unsigned x = 0; x < s->width; x++) {
        const uint8_t *rgb = raw + 1 + 3 * (size_t)x;
        uint32_t color = (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];

        if (color != (s->pixels[y * s->stride + x] & 0xffffff))
            ck_abort_msg("pixel %u,%u is %06x", x, y, color);
    }
}

static void ck_picture(const struct display_surface *s, size_t most)
{
    size_t bytes, row = 1 + (size_t)s->width * 3, room = row * s->height;
    uint8_t *png = screenshot_encode(s, &bytes), *raw = malloc(room);
    uLong raw_n = room, packed;
    uint32_t n;
    const uint8_t *p = png + 8;

    ck_assert_ptr_nonnull(png);
    ck_assert_uint_le(bytes, most);
    ck_assert_mem_eq(png, "\x89PNG\r\n\x1a\n", 8);
    p = chunk(p, "IHDR", &n);
    ck_assert_uint_eq(get32(p), s->width);
    ck_assert_uint_eq(get32(p + 4), s->height);
    ck_assert_mem_eq(p + 8, "\x08\x02\0\0\0", 5);
    p = chunk(p + n + 4, "IDAT", &n);
    packed = n;
    ck_assert_int_eq(uncompress2(raw, &raw_n, p, &packed), Z_OK);
    ck_assert_uint_eq(raw_n, room);
    ck_assert_uint_eq(packed, n);
    for (unsigned y = 0; y < s->height; y++)
        ck_row(s, y, raw + y * row);
    p = chunk(p + n + 4, "IEND", &n);
    ck_assert_uint_eq(n, 0);
    ck_assert_ptr_eq(p + 4, png + bytes);
    free(raw);
    free(png);
}

static struct display_surface surface(unsigned w, unsigned h)
{
    return (struct display_surface){w, h, w + 3, calloc((size_t)(w + 3) * h, 4)};
}

START_TEST(noise)
{
    struct display_surface s = surface(97, 31);

    srand(3);
    for (unsigned k = 0; k < s.stride * s.height; k++)
        s.pixels[k] = (uint32_t)rand() ^ (uint32_t)rand() << 12;
    ck_picture(&s, 97 * 31 * 4);
    free(s.pixels);
}
END_TEST

START_TEST(runs)
{
    struct display_surface s = surface(700, 300);

    srand(4);
    for (unsigned y = 0, k = 0; y < 300; y++) {
        uint32_t color = 0;

        for (unsigned x = 0; x < 700; x++, k++) {
            if ((unsigned)rand() % (1 + y) == 0)
                color = (uint32_t)rand();
            s.pixels[y * s.stride + x] = color;
        }
    }
    ck_picture(&s, 700 * 300 * 3);
    free(s.pixels);
}
END_TEST

START_TEST(plain)
{
    struct display_surface s = surface(2560, 1600);

    ck_picture(&s, 2560 * 1600 * 3 / 50);
    free(s.pixels);
}
END_TEST

START_TEST(one_pixel)
{
    struct display_surface s = surface(1, 1);

    s.pixels[0] = 0xff123456;
    ck_picture(&s, 100);
    free(s.pixels);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screenshot");
    TCase *tc = tcase_create("screenshot");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, noise);
    tcase_add_test(tc, runs);
    tcase_add_test(tc, plain);
    tcase_add_test(tc, one_pixel);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
