/* SPDX-License-Identifier: MIT */
/* The RTL8139C by its registers and its memory. */
#include <check.h>
#include <stdlib.h>

#include "tests/unit/fake_cpu.h"
#include "tests/unit/nic_board.h"

#define RING 0x10000u
#define DATA 0x100000u

#define TSD     0x10u
#define TSAD    0x20u
#define RBSTART 0x30u
#define CR      0x37u
#define CAPR    0x38u
#define CBR     0x3au
#define IMR     0x3cu
#define ISR     0x3eu
#define TCR     0x40u
#define RCR     0x44u
#define TCTR    0x48u
#define MPC     0x4cu
#define EECR    0x50u
#define CONFIG3 0x59u
#define TIMER   0x54u

#define RCR_ALL  0x01u
#define RCR_OWN  0x02u
#define RCR_AM   0x04u
#define RCR_AB   0x08u
#define RCR_WRAP 0x80u

static struct vm *vm;
static struct wire wire;

static uint32_t rd(unsigned reg, unsigned n)
{
    return bus_port_in(vm, (uint16_t)(NIC_PORTS + reg), n);
}

static void wr(unsigned reg, unsigned n, uint32_t val)
{
    bus_port_out(vm, (uint16_t)(NIC_PORTS + reg), n, val);
}

static void setup(void)
{
    vm = nic_vm("rtl8139", &wire);
}

static void teardown(void)
{
    vm_destroy(vm);
}

static void start(uint32_t rcr)
{
    wr(RBSTART, 4, RING);
    wr(RCR, 4, rcr);
    wr(CR, 1, 0x0c);
}

START_TEST(it_is_known)
{
    static const uint8_t mac[] = {MAC};

    vm_lock(vm);
    ck_assert_uint_eq(pci_config_read(vm, NIC_DEVFN, 0, 4), 0x813910ec);
    vm_unlock(vm);
    for (unsigned k = 0; k < 6; k++)
        ck_assert_uint_eq(rd(k, 1), mac[k]);
    ck_assert_uint_eq(rd(TCR, 4) & 0x7cc00000, 0x74000000);
    ck_assert_uint_eq(rd(0x64, 2) & 0x24, 0x24); /* BMSR: linked */
    ck_assert_uint_eq(rd(CR, 1), 0x01);
}
END_TEST

START_TEST(some_registers_are_locked)
{
    wr(0, 1, 0x02);
    ck_assert_uint_eq(rd(0, 1), 0x52);
    wr(EECR, 1, 0xc0);
    wr(0, 1, 0x02);
    wr(CONFIG3, 1, 0xff);
    ck_assert_uint_eq(rd(0, 1), 0x02);
    ck_assert_uint_eq(rd(CONFIG3, 1), 0x61);
    wr(EECR, 1, 0x40); /* load from the EEPROM */
    ck_assert_uint_eq(rd(0, 1), 0x52);
    ck_assert_uint_eq(rd(EECR, 1) & 0xc0, 0);
}
END_TEST

static uint16_t eeprom_word(unsigned at)
{
    uint32_t command = 6u << 6 | at;
    uint16_t word = 0;

    wr(EECR, 1, 0x88);
    for (int k = 8; k >= 0; k--) {
        uint32_t di = command >> k & 1 ? 2 : 0;

        wr(EECR, 1, 0x88 | di);
        wr(EECR, 1, 0x8c | di);
    }
    for (unsigned k = 0; k < 16; k++) {
        wr(EECR, 1, 0x88);
        wr(EECR, 1, 0x8c);
        word = (uint16_t)(word << 1 | (rd(EECR, 1) & 1));
    }
    wr(EECR, 1, 0);
    return word;
}

static void eeprom_command(uint32_t command, unsigned bits)
{
    wr(EECR, 1, 0x88);
    for (int k = (int)bits - 1; k >= 0; k--) {
        uint32_t di = command >> k & 1 ? 2 : 0;

        wr(EECR, 1, 0x88 | di);
        wr(EECR, 1, 0x8c | di);
    }
    wr(EECR, 1, 0x80);
}

START_TEST(eeprom_is_read_and_written)
{
    ck_assert_uint_eq(eeprom_word(0), 0x8129);
    ck_assert_uint_eq(eeprom_word(9), 0x5634);
    eeprom_command(5u << 22 | 40u << 16 | 0xbeef, 25); /* not allowed yet */
    ck_assert_uint_eq(eeprom_word(40), 0);
    eeprom_command(4u << 6 | 0x30, 9);
    eeprom_command(5u << 22 | 40u << 16 | 0xbeef, 25);
    ck_assert_uint_eq(eeprom_word(40), 0xbeef);
    eeprom_command(7u << 6 | 40, 9);
    ck_assert_uint_eq(eeprom_word(40), 0xffff);
    eeprom_command(4u << 6, 9);
    eeprom_command(5u << 22 | 40u << 16 | 0x1234, 25);
    ck_assert_uint_eq(eeprom_word(40), 0xffff);
}
END_TEST

START_TEST(buffers_are_sent_in_turn)
{
    uint8_t frame[100];

    start(0);
    wr(IMR, 2, 0x04);
    ram_put(vm, DATA, make_frame(frame, sizeof(frame), to_other), sizeof(frame));
    for (unsigned k = 0; k < 4; k++)
        wr(TSAD + 4 * k, 4, DATA);
    wr(TSD + 4, 4, 80); /* the second waits for the first */
    nic_pump(vm);
    ck_assert_uint_eq(wire.count, 0);
    wr(TSD, 4, sizeof(frame));
    ck_assert(nic_intx(vm));
    nic_pump(vm);
    ck_assert_uint_eq(wire.count, 2);
    ck_assert_uint_eq(wire.len, 80);
    ck_assert_mem_eq(wire.frame, frame, 80);
    ck_assert_uint_eq(rd(TSD, 4) & 0xe000, 0xa000);
    ck_assert_uint_eq(rd(0x60, 2), 0x300f); /* all are the host's, two were sent */
    ck_assert_uint_eq(rd(ISR, 2), 0x04);
    wr(ISR, 2, 0x04);
    ck_assert(!nic_intx(vm));
}
END_TEST

START_TEST(a_bad_buffer_is_an_error)
{
    start(0);
    wr(TSAD, 4, 0xfffffff0);
    wr(TSD, 4, 100);
    nic_pump(vm);
    ck_assert_uint_eq(wire.count, 0);
    ck_assert_uint_eq(rd(ISR, 2), 0x08);
    ck_assert_uint_eq(rd(TSD, 4) & 0x40002000, 0x40002000);
}
END_TEST

START_TEST(frames_lie_in_the_ring)
{
    uint8_t frame[101], got[109];
    uint32_t crc;

    start(RCR_OWN);
    wr(IMR, 2, 1);
    make_frame(frame, sizeof(frame), to_card);
    wire_send(vm, &wire, frame, sizeof(frame));
    ram_get(vm, RING, got, sizeof(got));
    ck_assert_uint_eq(got[0] | got[1] << 8, 0x4001);
    ck_assert_uint_eq(got[2] | got[3] << 8, 105);
    ck_assert_mem_eq(got + 4, frame, sizeof(frame));
    memcpy(&crc, got + 105, 4);
    ck_assert_uint_eq(crc, ether_crc(frame, sizeof(frame)));
    ck_assert_uint_eq(rd(CBR, 2), 112);
    ck_assert_uint_eq(rd(CR, 1), 0x0c);
    ck_assert(nic_intx(vm));
    wr(CAPR, 2, 112 - 16);
    ck_assert_uint_eq(rd(CR, 1), 0x0d);
}
END_TEST

static const struct {
    uint32_t rcr;
    const uint8_t *to;
    bool hash;
    unsigned status; /* 0: not wanted */
} filters[] = {
    {RCR_OWN, to_card, false, 0x4001},  {RCR_OWN, to_other, false, 0},
    {RCR_ALL, to_other, false, 0x0001}, {RCR_OWN, to_all, false, 0},
    {RCR_AB, to_all, false, 0x2001},    {RCR_AM, to_group, false, 0},
    {RCR_AM, to_group, true, 0x8001},   {RCR_OWN, to_group, true, 0},
};

START_TEST(filters_choose)
{
    uint8_t frame[64];
    uint16_t status = 0;

    start(filters[_i].rcr);
    if (filters[_i].hash) {
        unsigned hash = 57; /* the first six bits of the CRC of 01:00:5e:01:02:03 */

        wr(8 + hash / 8, 1, 1u << hash % 8);
    }
    wire_send(vm, &wire, make_frame(frame, sizeof(frame), filters[_i].to), sizeof(frame));
    ram_get(vm, RING, &status, 2);
    ck_assert_uint_eq(status, filters[_i].status);
}
END_TEST

/* Until the ring of 8 KiB is full, and on when it was read. */
static void fill_ring(uint32_t rcr, unsigned *frames)
{
    uint8_t frame[996];

    start(RCR_OWN | rcr);
    make_frame(frame, sizeof(frame), to_card);
    for (*frames = 0; *frames < 20; ++*frames) {
        unsigned before = rd(CBR, 2);

        wire_send(vm, &wire, frame, sizeof(frame));
        if (rd(CBR, 2) == before)
            break;
    }
}

START_TEST(a_full_ring_keeps_frames_waiting)
{
    unsigned frames, end;

    fill_ring(0, &frames);
    ck_assert_uint_eq(frames, 7); /* of 1004 bytes; then no longest frame has room any more */
    end = rd(CBR, 2);
    wr(CAPR, 2, (end - 16) & 0xffff);
    nic_pump(vm);
    ck_assert_uint_eq(rd(CBR, 2), end + 1004);
    ck_assert_uint_eq(rd(MPC, 4), 0);
}
END_TEST

/* The frame that crosses the end begins anew at the start, or goes on behind the end. */
START_TEST(rings_wrap)
{
    unsigned frames;
    uint8_t got[4];

    fill_ring(_i != 0 ? RCR_WRAP : 0, &frames);
    for (unsigned k = 0; k < 2; k++) {
        uint8_t frame[996];

        wr(CAPR, 2, (rd(CBR, 2) - 16) & 0xffff);
        nic_pump(vm);
        wire_send(vm, &wire, make_frame(frame, sizeof(frame), to_card), sizeof(frame));
    }
    /* The ninth is at 8032: 160 bytes fit, of which 4 are its header. */
    ram_get(vm, RING + (_i != 0 ? 8192 : 0), got, 4);
    ck_assert_uint_eq(got[0], (uint8_t)(156 * 7));
    ck_assert_uint_lt(rd(CBR, 2), 8192);
}
END_TEST

START_TEST(the_timer_counts_the_bus_clock)
{
    wr(IMR, 2, 0x4000);
    wr(TCTR, 4, 0);
    wr(TIMER, 4, 33000);
    nic_wait(vm, 999000);
    ck_assert_uint_eq(rd(TCTR, 4), 32967);
    ck_assert(!nic_intx(vm));
    nic_wait(vm, 1001);
    ck_assert(nic_intx(vm));
    wr(ISR, 2, 0x4000);
    wr(TIMER, 4, 0);
    nic_wait(vm, UINT64_C(200) * NS_PER_SEC);
    ck_assert(!nic_intx(vm));
}
END_TEST

/* All of its bytes are of the same time. */
START_TEST(the_timer_never_goes_back)
{
    uint32_t before = 0;

    vm_lock(vm);
    clock_start(vm);
    vm_unlock(vm);
    wr(TCTR, 4, 0);
    for (unsigned k = 0; k < 100000; k++) {
        uint32_t now = rd(TCTR, 4);

        ck_assert_msg(now >= before, "%x after %x", now, before);
        before = now;
    }
}
END_TEST

START_TEST(loopback_stays_inside)
{
    uint8_t frame[64];

    start(RCR_OWN);
    wr(TCR, 4, 0x00060000);
    ram_put(vm, DATA, make_frame(frame, sizeof(frame), to_card), sizeof(frame));
    wr(TSAD, 4, DATA);
    wr(TSD, 4, sizeof(frame));
    nic_pump(vm);
    ck_assert_uint_eq(wire.count, 0);
    ck_assert_uint_eq(rd(ISR, 2), 0x05);
}
END_TEST

START_TEST(reset_forgets)
{
    start(RCR_OWN);
    wr(IMR, 2, 0xffff);
    wr(CR, 1, 0x10);
    ck_assert_uint_eq(rd(CR, 1), 0x01);
    ck_assert_uint_eq(rd(IMR, 2) | rd(ISR, 2) | rd(RCR, 4), 0);
    ck_assert_uint_eq(rd(TSD, 4), 0x2000);
    ck_assert_uint_eq(rd(0, 1), 0x52);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rtl8139");
    TCase *tc = tcase_create("rtl8139");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, it_is_known);
    tcase_add_test(tc, some_registers_are_locked);
    tcase_add_test(tc, eeprom_is_read_and_written);
    tcase_add_test(tc, buffers_are_sent_in_turn);
    tcase_add_test(tc, a_bad_buffer_is_an_error);
    tcase_add_test(tc, frames_lie_in_the_ring);
    tcase_add_loop_test(tc, filters_choose, 0, ARRAY_SIZE(filters));
    tcase_add_test(tc, a_full_ring_keeps_frames_waiting);
    tcase_add_loop_test(tc, rings_wrap, 0, 2);
    tcase_add_test(tc, the_timer_counts_the_bus_clock);
    tcase_add_test(tc, the_timer_never_goes_back);
    tcase_add_test(tc, loopback_stays_inside);
    tcase_add_test(tc, reset_forgets);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
