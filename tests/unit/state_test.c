/* SPDX-License-Identifier: MIT */
/* Field tables: sizes, save and load, coverage; and devices' timers across a load. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_cpu.h"

struct inner {
    uint8_t a;
    uint32_t b;
};

struct outer {
    struct device dev;
    uint16_t x;
    bool on;
    uint8_t buf[5];
    uint64_t y;
    struct inner in[3];
    struct timer t;
    void *host;
    int loaded;
};

static const struct field inner_fields[] = {FIELD(struct inner, a), FIELD(struct inner, b),
                                            FIELDS_END};

static const struct field outer_fields[] = {
    FIELDS_DEVICE(struct outer),   FIELD(struct outer, x),
    FIELD(struct outer, on),       FIELD_ARRAY(struct outer, buf),
    FIELD(struct outer, y),        FIELD_SUBS(struct outer, in, inner_fields),
    FIELD_TIMER(struct outer, t),  UNSAVED(struct outer, host),
    UNSAVED(struct outer, loaded), FIELDS_END,
};

static void fire(void *opaque)
{
    ((struct outer *)opaque)->x++;
}

static int realize(struct device *d)
{
    struct outer *o = (struct outer *)d;

    timer_init(&o->t, fire, o);
    return 0;
}

static void loaded(struct device *d)
{
    ((struct outer *)d)->loaded++;
}

static const struct device_class outer_class = {
    .name = "outer",
    .size = sizeof(struct outer),
    .fields = outer_fields,
    .realize = realize,
    .loaded = loaded,
};

START_TEST(sizes)
{
    ck_assert_uint_eq(state_size(inner_fields), 5);
    ck_assert_uint_eq(state_size(outer_fields), 2 + 1 + 5 + 8 + 3 * 5 + 8);
}
END_TEST

START_TEST(round_trip)
{
    struct outer o = {.x = 0x1234, .on = true, .y = 77, .in = {{1, 2}, {3, 4}, {5, 6}}}, p;
    uint8_t buf[64];

    o.t.due_ns = 99;
    o.host = &o;
    memset(&p, 0, sizeof(p));
    state_save(outer_fields, &o, buf);
    ck_assert_mem_eq(buf, "\x34\x12\x01", 3);
    state_load(outer_fields, &p, buf);
    ck_assert_uint_eq(p.x, o.x);
    ck_assert(p.on);
    ck_assert_uint_eq(p.y, 77);
    ck_assert_uint_eq(p.in[2].b, 6);
    ck_assert_uint_eq(p.t.due_ns, 99);
    ck_assert_ptr_null(p.host);
}
END_TEST

START_TEST(coverage)
{
    struct field tab[sizeof(outer_fields) / sizeof(outer_fields[0])];
    size_t where, n = sizeof(tab) / sizeof(tab[0]);

    ck_assert_int_eq(state_covers(outer_fields, sizeof(struct outer), &where), 0);
    /* without each single field, but for those as small as padding */
    for (size_t skip = 0; skip + 1 < n; skip++) {
        size_t bytes = (size_t)outer_fields[skip].size * outer_fields[skip].count;

        for (size_t i = 0, to = 0; i < n; i++) {
            if (i != skip)
                tab[to++] = outer_fields[i];
        }
        if (bytes >= 8)
            ck_assert_int_eq(state_covers(tab, sizeof(struct outer), &where), -EINVAL);
    }
    /* a field named twice */
    memcpy(tab, outer_fields, sizeof(tab));
    tab[1] = tab[2];
    ck_assert_int_eq(state_covers(tab, sizeof(struct outer), &where), -EINVAL);
    /* a struct that ends too early for its table */
    ck_assert_int_eq(state_covers(outer_fields, sizeof(struct outer) - 8, &where), -EINVAL);
}
END_TEST

START_TEST(device_timers)
{
    static const struct board_row rows[] = {{&outer_class, NULL}, {&outer_class, NULL}, {0}};
    static const struct board board = {"test", rows};
    struct vm *vm = fake_vm(&board);
    struct outer *a = (struct outer *)device_find(vm, &outer_class, 0);
    struct outer *b = (struct outer *)device_find(vm, &outer_class, 1);
    uint8_t buf[64], again[64];

    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_null(device_find(vm, &outer_class, 2));
    vm_lock(vm);
    timer_arm(vm, &a->t, 5000);
    timer_arm(vm, &b->t, 1000);
    device_save(&a->dev, buf);
    timer_arm(vm, &a->t, 10);
    device_load(&a->dev, buf);
    ck_assert_uint_eq(a->t.due_ns, 5000);
    ck_assert_int_eq(a->loaded, 1);
    device_save(&a->dev, again);
    ck_assert_mem_eq(buf, again, state_size(outer_fields));
    timer_cancel(vm, &a->t);
    device_save(&a->dev, again);
    device_load(&a->dev, again);
    ck_assert_uint_eq(a->t.due_ns, TIMER_IDLE);
    vm_unlock(vm);
    vm_destroy(vm); /* b's timer is armed: must be taken out of the queue */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("state");
    TCase *t = tcase_create("state");
    SRunner *r;
    int failed;

    tcase_add_test(t, sizes);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, coverage);
    tcase_add_test(t, device_timers);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
