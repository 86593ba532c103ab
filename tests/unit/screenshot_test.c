/* SPDX-License-Identifier: MIT */
/* PNG files, read back by a decoder of the test's own. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

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

/* -- Inflating a block with fixed codes -------------------------------------------------------- */

static const uint8_t *in;
static size_t in_bit, in_bits;

static unsigned get_bits(unsigned n)
{
    unsigned v = 0;

    for (unsigned k = 0; k < n; k++, in_bit++) {
        ck_assert_uint_lt(in_bit, in_bits);
        v |= (in[in_bit / 8] >> (in_bit % 8) & 1u) << k;
    }
    return v;
}

static unsigned get_code(unsigned n)
{
    unsigned v = 0;

    while (n-- > 0)
        v = v << 1 | get_bits(1);
    return v;
}

static unsigned get_symbol(void)
{
    unsigned v = get_code(7);

    if (v < 24)
        return 256 + v;
    v = v << 1 | get_bits(1);
    if (v < 192)
        return v - 48;
    if (v < 200)
        return 280 + v - 192;
    return 144 + (v << 1 | get_bits(1)) - 400;
}

static size_t inflate(uint8_t *out, size_t room)
{
    static const unsigned length[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                      15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                      67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const unsigned extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                     2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    size_t n = 0;
    unsigned sym;

    ck_assert_uint_eq(get_bits(3), 3);
    while ((sym = get_symbol()) != 256) {
        if (sym < 256) {
            ck_assert_uint_lt(n, room);
            out[n++] = (uint8_t)sym;
            continue;
        }
        unsigned len = length[sym - 257] + get_bits(extra[sym - 257]), code = get_code(5);
        unsigned more = code < 4 ? 0 : code / 2 - 1;
        size_t back = (code < 4 ? code : (2u + code % 2) << more) + 1 + get_bits(more);

        ck_assert_uint_le(back, n);
        ck_assert_uint_le(n + len, room);
        for (; len > 0; len--, n++)
            out[n] = out[n - back];
    }
    return n;
}

/* -- The file ---------------------------------------------------------------------------------- */

static const uint8_t *chunk(const uint8_t *p, const char *type, uint32_t *n)
{
    *n = get32(p);
    ck_assert_mem_eq(p + 4, type, 4);
    ck_assert_uint_eq(get32(p + 8 + *n), crc(p + 4, *n + 4));
    return p + 8;
}

static void ck_picture(const struct display_surface *s, size_t most)
{
    size_t bytes, row = 1 + (size_t)s->width * 3, room = row * s->height;
    uint8_t *png = screenshot_encode(s, &bytes), *raw = malloc(room);
    uint32_t n, a = 1, b = 0;
    const uint8_t *p = png + 8;

    ck_assert_ptr_nonnull(png);
    ck_assert_uint_le(bytes, most);
    ck_assert_mem_eq(png, "\x89PNG\r\n\x1a\n", 8);
    p = chunk(p, "IHDR", &n);
    ck_assert_uint_eq(get32(p), s->width);
    ck_assert_uint_eq(get32(p + 4), s->height);
    ck_assert_mem_eq(p + 8, "\x08\x02\0\0\0", 5);
    p = chunk(p + n + 4, "IDAT", &n);
    ck_assert_uint_eq((p[0] << 8 | p[1]) % 31, 0);
    in = p + 2;
    in_bit = 0;
    in_bits = 8 * ((size_t)n - 6);
    ck_assert_uint_eq(inflate(raw, room), room);
    ck_assert_uint_eq((in_bit + 7) / 8, n - 6);
    for (size_t k = 0; k < room; k++) {
        a = (a + raw[k]) % 65521;
        b = (a + b) % 65521;
    }
    ck_assert_uint_eq(get32(p + n - 4), b << 16 | a);
    for (unsigned y = 0; y < s->height; y++) {
        ck_assert_uint_eq(raw[y * row], 0);
        for (unsigned x = 0; x < s->width; x++) {
            const uint8_t *rgb = raw + y * row + 1 + 3 * (size_t)x;

            ck_assert_uint_eq((unsigned)rgb[0] << 16 | rgb[1] << 8 | rgb[2],
                              s->pixels[y * s->stride + x] & 0xffffff);
        }
    }
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

/* Long matches, of all lengths, are coded right. */
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
