/* SPDX-License-Identifier: MIT */
/* NE2000 cards, on either bus, by their ports. */
#include <check.h>
#include <stdlib.h>

#include "tests/unit/fake_cpu.h"
#include "tests/unit/nic_board.h"

#define PAGE0 0x22u /* running, no remote DMA */
#define PAGE1 0x62u
#define DATA  0x10u

#define PSTART 0x46u
#define PSTOP  0x80u
#define TXPAGE 0x40u

static struct vm *vm;
static struct wire wire;

static uint32_t rd(unsigned reg)
{
    return bus_port_in(vm, (uint16_t)(NIC_PORTS + reg), 1);
}

static void wr(unsigned reg, uint32_t val)
{
    bus_port_out(vm, (uint16_t)(NIC_PORTS + reg), 1, val);
}

/* Tests' loops; the second has no INTA#. */
static const char *const models[] = {"ne2k_pci", "ne2k_isa"};

/* As drivers do it. */
static void start(unsigned model, unsigned rcr)
{
    static const uint8_t mac[] = {MAC};

    vm = nic_vm(models[model], &wire);
    wr(0x0, 0x21);
    wr(0xe, 0x49);
    wr(0xa, 0);
    wr(0xb, 0);
    wr(0xc, rcr);
    wr(0xd, 0);
    wr(0x1, PSTART);
    wr(0x2, PSTOP);
    wr(0x3, PSTART);
    wr(0x7, 0xff);
    wr(0x0, 0x61);
    for (unsigned k = 0; k < 6; k++)
        wr(1 + k, mac[k]);
    wr(0x7, PSTART + 1);
    wr(0x0, PAGE0);
}

static void remote(unsigned at, unsigned n, unsigned command)
{
    wr(0x0, PAGE0);
    wr(0xa, n & 0xff);
    wr(0xb, n >> 8);
    wr(0x8, at & 0xff);
    wr(0x9, at >> 8);
    wr(0x0, command);
}

static void local_read(unsigned at, void *dst, unsigned n)
{
    remote(at, n, 0x0a);
    for (unsigned k = 0; k < n; k += 2) {
        uint32_t word = bus_port_in(vm, NIC_PORTS + DATA, 2);

        memcpy((uint8_t *)dst + k, &word, n - k < 2 ? 1 : 2);
    }
}

static void local_write(unsigned at, const void *src, unsigned n)
{
    remote(at, n, 0x12);
    for (unsigned k = 0; k < n; k += 2) {
        uint32_t word = 0;

        memcpy(&word, (const uint8_t *)src + k, n - k < 2 ? 1 : 2);
        bus_port_out(vm, NIC_PORTS + DATA, 2, word);
    }
}

static unsigned current(void)
{
    unsigned val;

    wr(0x0, PAGE1);
    val = rd(0x7);
    wr(0x0, PAGE0);
    return val;
}

START_TEST(prom_has_the_address)
{
    static const uint8_t mac[] = {MAC};
    uint8_t prom[32];

    start((unsigned)_i, 0);
    local_read(0, prom, sizeof(prom));
    for (unsigned k = 0; k < 6; k++)
        ck_assert(prom[2 * k] == mac[k] && prom[2 * k + 1] == mac[k]);
    ck_assert_uint_eq(prom[28], 0x57);
    ck_assert_uint_eq(prom[30], 0x57);
    ck_assert(rd(0x7) & 0x40); /* remote DMA is complete */
    vm_destroy(vm);
}
END_TEST

START_TEST(memory_keeps_what_is_written)
{
    uint8_t in[256], out[256];

    start((unsigned)_i, 0);
    for (unsigned k = 0; k < sizeof(in); k++)
        in[k] = (uint8_t)(k * 31);
    local_write(0xbf00, in, sizeof(in));
    local_read(0xbf00, out, sizeof(out));
    ck_assert_mem_eq(in, out, sizeof(in));
    local_write(0xc000, in, sizeof(in)); /* nothing is there */
    local_write(0, in, 32);
    local_read(0xc000, out, 2);
    ck_assert_uint_eq(out[0], 0xff);
    local_read(0, out, 2);
    ck_assert_uint_eq(out[0], 0x52);
    vm_destroy(vm);
}
END_TEST

START_TEST(frames_are_sent)
{
    uint8_t frame[100];

    start((unsigned)_i, 0);
    make_frame(frame, sizeof(frame), to_other);
    local_write(TXPAGE << 8, frame, sizeof(frame));
    wr(0x4, TXPAGE);
    wr(0x5, sizeof(frame));
    wr(0x6, 0);
    wr(0x7, 0xff);
    wr(0x0, 0x26);
    nic_pump(vm);
    ck_assert_uint_eq(wire.count, 1);
    ck_assert_mem_eq(wire.frame, frame, sizeof(frame));
    ck_assert_uint_eq(rd(0x7), 0x02);
    ck_assert_uint_eq(rd(0x4), 0x01);
    ck_assert_uint_eq(rd(0x0), PAGE0);
    wr(0xd, 0x02); /* loopback */
    wr(0x0, 0x26);
    nic_pump(vm);
    ck_assert_uint_eq(wire.count, 1);
    vm_destroy(vm);
}
END_TEST

START_TEST(frames_lie_in_the_ring)
{
    uint8_t frame[300], got[308];

    start((unsigned)_i, 0);
    wr(0xf, 0x01);
    wire_send(vm, &wire, make_frame(frame, sizeof(frame), to_card), sizeof(frame));
    ck_assert_uint_eq(current(), PSTART + 3);
    local_read((PSTART + 1) << 8, got, sizeof(got));
    ck_assert_uint_eq(got[0], 0x01);
    ck_assert_uint_eq(got[1], PSTART + 3);
    ck_assert_uint_eq(got[2] | got[3] << 8, 308);
    ck_assert_mem_eq(got + 4, frame, sizeof(frame));
    ck_assert(rd(0x7) & 0x01);
    ck_assert(_i != 0 || nic_intx(vm));
    wr(0x7, 0x01);
    ck_assert(!(rd(0x7) & 0x01));
    ck_assert(_i != 0 || !nic_intx(vm));
    vm_destroy(vm);
}
END_TEST

static const struct {
    unsigned rcr;
    const uint8_t *to;
    bool hash, wanted;
} filters[] = {
    {0, to_card, false, true},    {0, to_other, false, false},   {0x10, to_other, false, true},
    {0, to_all, false, false},    {0x04, to_all, false, true},   {0x08, to_group, false, false},
    {0x08, to_group, true, true}, {0x20, to_card, false, false},
};

START_TEST(filters_choose)
{
    uint8_t frame[64];
    unsigned hash = 57; /* the first six bits of the CRC of 01:00:5e:01:02:03 */

    start(0, filters[_i].rcr);
    wr(0x0, PAGE1);
    if (filters[_i].hash)
        wr(8 + hash / 8, 1u << hash % 8);
    wr(0x0, PAGE0);
    wire_send(vm, &wire, make_frame(frame, sizeof(frame), filters[_i].to), sizeof(frame));
    ck_assert_uint_eq(current(), PSTART + 1u + filters[_i].wanted);
    ck_assert_uint_eq(rd(0xf), filters[_i].rcr == 0x20); /* missed */
    vm_destroy(vm);
}
END_TEST

/* A frame that meets the boundary waits; the ring goes on at its start. */
START_TEST(the_ring_wraps_and_fills)
{
    uint8_t frame[1000], got[4];
    unsigned page = PSTART + 1;

    start((unsigned)_i, 0);
    make_frame(frame, sizeof(frame), to_card);
    for (unsigned k = 0; k < 20; k++)
        wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(current(), PSTART + 1 + 4 * 13);
    wr(0x7, 0x01);
    ck_assert_uint_eq(rd(0x7) & 0x01, 0x01); /* what waits outside would not be heard of */
    for (unsigned k = 0; k < 20; k++) {      /* read them one after the other */
        local_read(page << 8, got, 4);
        ck_assert_uint_eq(got[0], 0x01);
        ck_assert_uint_eq(got[2] | got[3] << 8, 1008);
        page = got[1];
        ck_assert(page >= PSTART && page < PSTOP);
        wr(0x3, page == PSTART ? PSTOP - 1 : page - 1);
        nic_pump(vm);
    }
    ck_assert_uint_eq(current(), page);
    wr(0x7, 0x01);
    ck_assert_uint_eq(rd(0x7) & 0x01, 0);
    ck_assert(!(rd(0x7) & 0x10));
    vm_destroy(vm);
}
END_TEST

START_TEST(an_unsound_ring_takes_nothing)
{
    static const struct {
        unsigned start, stop, current;
    } rings[] = {{0, 0xff, 1}, {0x46, 0x46, 0x46}, {0x50, 0x46, 0x48}, {0x46, 0x80, 0x90}};
    uint8_t frame[64];

    for (unsigned k = 0; k < ARRAY_SIZE(rings); k++) {
        start((unsigned)_i, 0x10);
        wr(0x1, rings[k].start);
        wr(0x2, rings[k].stop);
        wr(0x0, PAGE1);
        wr(0x7, rings[k].current);
        wr(0x0, PAGE0);
        wr(0x7, 0xff);
        wire_send(vm, &wire, make_frame(frame, sizeof(frame), to_card), sizeof(frame));
        ck_assert_uint_eq(rd(0x7) & 0x01, 0);
        vm_destroy(vm);
    }
}
END_TEST

/* Linux selects a page so. */
START_TEST(a_command_without_start_and_stop_changes_neither)
{
    uint8_t frame[64];

    start((unsigned)_i, 0);
    wr(0x0, 0x60);
    wire_send(vm, &wire, make_frame(frame, sizeof(frame), to_card), sizeof(frame));
    ck_assert_uint_eq(rd(0x7), PSTART + 2);
    wr(0x0, 0x21);
    wr(0x0, 0x60);
    wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(rd(0x7), PSTART + 2);
    vm_destroy(vm);
}
END_TEST

START_TEST(reset_port_stops)
{
    start((unsigned)_i, 0);
    wr(0xf, 0x7f);
    rd(0x1f);
    ck_assert_uint_eq(rd(0x0), 0x21);
    ck_assert_uint_eq(rd(0x7), 0x80);
    vm_destroy(vm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ne2000");
    TCase *tc = tcase_create("ne2000");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tc, prom_has_the_address, 0, 2);
    tcase_add_loop_test(tc, memory_keeps_what_is_written, 0, 2);
    tcase_add_loop_test(tc, frames_are_sent, 0, 2);
    tcase_add_loop_test(tc, frames_lie_in_the_ring, 0, 2);
    tcase_add_loop_test(tc, filters_choose, 0, ARRAY_SIZE(filters));
    tcase_add_loop_test(tc, the_ring_wraps_and_fills, 0, 2);
    tcase_add_loop_test(tc, an_unsound_ring_takes_nothing, 0, 2);
    tcase_add_loop_test(tc, a_command_without_start_and_stop_changes_neither, 0, 2);
    tcase_add_loop_test(tc, reset_port_stops, 0, 2);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
