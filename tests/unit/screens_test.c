/* SPDX-License-Identifier: MIT */
/* How often screens look at the display, whatever people do meanwhile. */
#include <check.h>

#include "frontend/screens.h"
#include "vmm/host.h"

START_TEST(looks_keep_their_distance)
{
    uint64_t next = 0, begin = host_now_ns();
    unsigned looks = 0;

    ck_assert_uint_eq(screen_wait_ms(&next), 0);
    while (looks < 4) {
        unsigned wait = screen_wait_ms(&next);

        ck_assert_uint_le(wait, SCREEN_MS);
        looks += wait == 0;
    }
    ck_assert_uint_ge(host_now_ns() - begin, 4 * SCREEN_MS * UINT64_C(1000000));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screens");
    TCase *tc = tcase_create("screens");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, looks_keep_their_distance);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
