/* SPDX-License-Identifier: MIT */
/* Host sides of network cards: hubs, queues, dumps, what is wrong with a configuration. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/fake_cpu.h"
#include "tests/unit/nic_board.h"

static const struct netdev_ops ops = {wire_can_receive, wire_receive};

static struct vm *vm;
static struct wire wires[4];

static void create(const struct vm_config *cfg)
{
    static const char *const ids[] = {"a", "b", "c", "d"};

    vm = fake_vm_with(cfg, NULL);
    vm_lock(vm);
    for (unsigned k = 0; k < 4; k++)
        ck_assert_int_eq(netdev_attach(vm, ids[k], &ops, &wires[k], &wires[k].net), 0);
    vm_unlock(vm);
}

/* a, b and c are on one hub, d on another. */
static const struct netdev_config nets[] = {
    {.id = "a"}, {.id = "b"}, {.id = "c"}, {.id = "d", .hub = 1}};

static void setup(void)
{
    memset(wires, 0, sizeof(wires));
    create(&(struct vm_config){.netdevs = nets, .netdev_count = 4});
}

static void teardown(void)
{
    vm_destroy(vm);
}

START_TEST(a_hub_reaches_its_other_ports)
{
    uint8_t frame[64];

    wire_send(vm, &wires[0], make_frame(frame, sizeof(frame), to_all), sizeof(frame));
    ck_assert_uint_eq(wires[0].count, 0);
    ck_assert_uint_eq(wires[1].count, 1);
    ck_assert_uint_eq(wires[2].count, 1);
    ck_assert_uint_eq(wires[3].count, 0);
    ck_assert_mem_eq(wires[1].frame, frame, sizeof(frame));
}
END_TEST

START_TEST(short_frames_are_padded_and_odd_ones_lost)
{
    static uint8_t frame[NET_FRAME_MAX + 1];

    make_frame(frame, 42, to_all);
    wire_send(vm, &wires[0], frame, 42);
    ck_assert_uint_eq(wires[1].len, NET_FRAME_MIN);
    ck_assert_uint_eq(wires[1].frame[42] | wires[1].frame[59], 0);
    wire_send(vm, &wires[0], frame, 13);
    wire_send(vm, &wires[0], frame, NET_FRAME_MAX + 1);
    ck_assert_uint_eq(wires[1].count, 1);
    wire_send(vm, &wires[0], frame, NET_FRAME_MAX);
    ck_assert_uint_eq(wires[1].len, NET_FRAME_MAX);
    vm_lock(vm);
    netdev_send(NULL, frame, 64); /* no cable */
    netdev_accept(NULL);
    netdev_detach(NULL);
    vm_unlock(vm);
}
END_TEST

/* What a card does not take waits, in order, and the queue ends somewhere. */
START_TEST(queues_are_bounded_and_keep_order)
{
    uint8_t frame[1000];

    wires[1].blocked = true;
    for (unsigned k = 0; k < 6000; k++) {
        make_frame(frame, sizeof(frame), to_all);
        frame[20] = (uint8_t)k;
        wire_send(vm, &wires[0], frame, sizeof(frame));
    }
    ck_assert_uint_eq(wires[1].count, 0);
    ck_assert_uint_eq(wires[2].count, 6000);
    wires[1].blocked = false;
    vm_lock(vm);
    netdev_accept(wires[1].net);
    vm_unlock(vm);
    nic_pump(vm);
    ck_assert_uint_gt(wires[1].count, 4000);
    ck_assert_uint_lt(wires[1].count, 4400);
    for (unsigned k = wires[1].count - 60; k < wires[1].count; k++)
        ck_assert_uint_eq(wires[1].seen[k % 64][20], (uint8_t)k);
}
END_TEST

START_TEST(a_netdev_takes_one_card)
{
    struct netdev *n;

    vm_lock(vm);
    ck_assert_int_eq(netdev_attach(vm, "a", &ops, &wires[0], &n), -EBUSY);
    ck_assert_ptr_null(n);
    ck_assert_int_eq(netdev_attach(vm, "x", &ops, &wires[0], &n), -ENOENT);
    ck_assert_int_eq(netdev_attach(vm, NULL, &ops, &wires[0], &n), 0);
    ck_assert_ptr_null(n);
    netdev_detach(wires[0].net);
    ck_assert_int_eq(netdev_attach(vm, "a", &ops, &wires[0], &n), 0);
    vm_unlock(vm);
}
END_TEST

START_TEST(dumps_are_pcap)
{
    char path[] = "/tmp/netdev_test_XXXXXX";
    struct net_dump_config dump = {.netdev = "b", .file = path, .max = 50};
    struct vm_config cfg = {
        .netdevs = nets, .netdev_count = 4, .net_dumps = &dump, .net_dump_count = 1};
    uint32_t head[6], record[4];
    uint8_t frame[64], got[64];
    FILE *f;

    close(mkstemp(path));
    vm_destroy(vm);
    create(&cfg);
    make_frame(frame, sizeof(frame), to_all);
    wire_send(vm, &wires[0], frame, sizeof(frame)); /* to b */
    wire_send(vm, &wires[1], frame, 42);            /* from b */
    wire_send(vm, &wires[3], frame, sizeof(frame)); /* elsewhere */
    f = fopen(path, "rb");
    ck_assert_uint_eq(fread(head, 4, 6, f), 6);
    ck_assert_uint_eq(head[0], 0xa1b2c3d4);
    ck_assert_uint_eq(head[5], 1);
    ck_assert_uint_eq(fread(record, 4, 4, f), 4);
    ck_assert_uint_eq(record[2], 50);
    ck_assert_uint_eq(record[3], 64);
    ck_assert_uint_eq(fread(got, 1, 50, f), 50);
    ck_assert_mem_eq(got, frame, 50);
    ck_assert_uint_eq(fread(record, 4, 4, f), 4);
    ck_assert_uint_eq(record[3], 42);
    ck_assert_uint_eq(fread(got, 1, 64, f), 42);
    fclose(f);
    unlink(path);
}
END_TEST

static const struct {
    struct netdev_config net[2];
    const char *dump_of, *dump_to, *nic_net, *model, *error;
} bad[] = {
    {{{.id = "a"}, {.id = "a"}}, NULL, NULL, NULL, NULL, "there are two netdevs 'a'"},
    {{{.id = "a"}, {.id = "b"}}, "c", "/tmp/x", NULL, NULL, "filter-dump: there is no netdev 'c'"},
    {{{.id = "a"}, {.id = "b"}},
     "a",
     "/nowhere/x",
     NULL,
     NULL,
     "filter-dump: /nowhere/x: No such file or directory"},
    {{{.id = "a"}, {.id = "b"}}, NULL, NULL, "c", "e1000", "there is no netdev 'c'"},
    {{{.id = "a"}, {.id = "b"}}, NULL, NULL, "a", "e2000", "there is no network card 'e2000'"},
};

START_TEST(mistakes_are_named)
{
    struct net_dump_config dump = {.netdev = bad[_i].dump_of, .file = bad[_i].dump_to};
    struct nic_config nic = {.model = bad[_i].model, .netdev = bad[_i].nic_net};
    struct vm_config cfg = {.ram_bytes = UINT64_C(1) << 20,
                            .cpus = 1,
                            .netdevs = bad[_i].net,
                            .netdev_count = 2,
                            .net_dumps = &dump,
                            .net_dump_count = bad[_i].dump_of != NULL,
                            .nics = &nic,
                            .nic_count = bad[_i].model != NULL};
    char err[VM_ERR_LEN];
    struct vm *other;

    ck_assert_int_ne(vm_create(&other, &cfg, &nic_board, err), 0);
    ck_assert_str_eq(err, bad[_i].error);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("netdev");
    TCase *tc = tcase_create("netdev");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_hub_reaches_its_other_ports);
    tcase_add_test(tc, short_frames_are_padded_and_odd_ones_lost);
    tcase_add_test(tc, queues_are_bounded_and_keep_order);
    tcase_add_test(tc, a_netdev_takes_one_card);
    tcase_add_test(tc, dumps_are_pcap);
    tcase_add_loop_test(tc, mistakes_are_named, 0, ARRAY_SIZE(bad));
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
