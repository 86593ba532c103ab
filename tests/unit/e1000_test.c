/* SPDX-License-Identifier: MIT */
/* The 82540EM by its registers and descriptors. */
#include <check.h>
#include <stdlib.h>

#include "devices/e1000_regs.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/nic_board.h"

#define TX_RING 0x10000u
#define RX_RING 0x20000u
#define TX_DATA 0x100000u
#define RX_DATA 0x200000u
#define COUNT   8u

static struct vm *vm;
static struct wire wire;

static uint32_t rd(unsigned reg)
{
    return (uint32_t)phys_read(fake_cpu_of(vm), NIC_MMIO + reg, 4);
}

static void wr(unsigned reg, uint32_t val)
{
    phys_write(fake_cpu_of(vm), NIC_MMIO + reg, 4, val);
}

static void setup(void)
{
    vm = nic_vm("e1000", &wire);
}

static void teardown(void)
{
    vm_destroy(vm);
}

/* -- Rings ------------------------------------------------------------------------------------- */

static void put_desc(uint32_t ring, unsigned k, uint64_t buffer, uint64_t rest)
{
    ram_put(vm, ring + 16 * k, &buffer, 8);
    ram_put(vm, ring + 16 * k + 8, &rest, 8);
}

static uint64_t desc_rest(uint32_t ring, unsigned k)
{
    uint64_t rest;

    ram_get(vm, ring + 16 * k + 8, &rest, 8);
    return rest;
}

static void open_rings(uint32_t rctl)
{
    wr(E1000_TDBAL, TX_RING);
    wr(E1000_TDLEN, COUNT * 16);
    wr(E1000_TCTL, TCTL_EN);
    for (unsigned k = 0; k < COUNT; k++)
        put_desc(RX_RING, k, RX_DATA + 0x1000 * k, 0);
    wr(E1000_RDBAL, RX_RING);
    wr(E1000_RDLEN, COUNT * 16);
    wr(E1000_RDT, COUNT - 1);
    wr(E1000_RCTL, RCTL_EN | RCTL_BAM | rctl);
}

#define LEGACY(len, command) ((uint64_t)(command) << 24 | (len))
#define DATA(len, command, options)                                                                \
    ((uint64_t)(options) << 40 | (uint64_t)((command) | TXD_DEXT) << 24 | 1u << 20 | (len))

/* -- Around the controller --------------------------------------------------------------------- */

/* One word by the pins. */
static uint16_t eeprom_word(unsigned at)
{
    uint32_t command = 6u << 6 | at;
    uint16_t word = 0;

    wr(E1000_EECD, EECD_REQ);
    ck_assert(rd(E1000_EECD) & EECD_GNT);
    wr(E1000_EECD, EECD_REQ | EECD_CS);
    for (int k = 8; k >= 0; k--) {
        uint32_t di = command >> k & 1 ? EECD_DI : 0;

        wr(E1000_EECD, EECD_REQ | EECD_CS | di);
        wr(E1000_EECD, EECD_REQ | EECD_CS | di | EECD_SK);
    }
    for (unsigned k = 0; k < 16; k++) {
        wr(E1000_EECD, EECD_REQ | EECD_CS);
        wr(E1000_EECD, EECD_REQ | EECD_CS | EECD_SK);
        word = (uint16_t)(word << 1 | ((rd(E1000_EECD) & EECD_DO) != 0));
    }
    wr(E1000_EECD, 0);
    return word;
}

START_TEST(eeprom_has_address_and_checksum)
{
    uint16_t sum = 0;

    for (unsigned k = 0; k < 64; k++) {
        uint16_t word = eeprom_word(k);

        wr(E1000_EERD, k << 8 | EERD_START);
        ck_assert_uint_eq(rd(E1000_EERD), (uint32_t)word << 16 | k << 8 | EERD_DONE);
        sum = (uint16_t)(sum + word);
    }
    ck_assert_uint_eq(sum, 0xbaba);
    ck_assert_uint_eq(eeprom_word(0), 0x5452);
    ck_assert_uint_eq(eeprom_word(2), 0x5634);
    ck_assert_uint_eq(rd(E1000_RA), 0x12005452);
    ck_assert_uint_eq(rd(E1000_RA + 4), RAH_AV | 0x5634);
}
END_TEST

static uint32_t mdic(uint32_t op, unsigned phy, unsigned reg, uint32_t data)
{
    wr(E1000_MDIC, op | phy << 21 | reg << 16 | data);
    return rd(E1000_MDIC);
}

START_TEST(phy_answers)
{
    ck_assert_uint_eq(mdic(MDIC_READ, 1, 2, 0) & (MDIC_READY | MDIC_ERROR | 0xffff),
                      MDIC_READY | 0x0141);
    ck_assert_uint_eq(mdic(MDIC_READ, 1, 1, 0) & 0x24, 0x24);
    ck_assert(mdic(MDIC_READ, 2, 2, 0) & MDIC_ERROR);
    ck_assert_uint_eq(rd(E1000_STATUS) & 0xff, STATUS_FD | STATUS_LU | 0x80);
    rd(E1000_ICR);
    mdic(MDIC_WRITE, 1, 0, 0x1340); /* negotiate again */
    ck_assert(rd(E1000_ICR) & INT_LSC);
    mdic(MDIC_WRITE, 1, 0, 0x1940); /* power down */
    ck_assert_uint_eq(rd(E1000_STATUS) & STATUS_LU, 0);
    ck_assert_uint_eq(mdic(MDIC_READ, 1, 1, 0) & 0x24, 0);
    mdic(MDIC_WRITE, 1, 0, 0x8000);
    ck_assert(rd(E1000_STATUS) & STATUS_LU);
}
END_TEST

START_TEST(causes_and_mask)
{
    wr(E1000_ICS, INT_LSC);
    ck_assert(!nic_intx(vm));
    wr(E1000_IMS, INT_LSC | INT_RXT0);
    ck_assert(nic_intx(vm));
    ck_assert_uint_eq(rd(E1000_IMS), INT_LSC | INT_RXT0);
    wr(E1000_IMC, INT_LSC);
    ck_assert(!nic_intx(vm));
    wr(E1000_IMS, INT_LSC);
    ck_assert_uint_eq(rd(E1000_ICR), INT_LSC);
    ck_assert_uint_eq(rd(E1000_ICR), 0);
    ck_assert(!nic_intx(vm));
}
END_TEST

START_TEST(interrupts_keep_their_distance)
{
    wr(E1000_ITR, 1000); /* 256 us */
    wr(E1000_IMS, INT_RXT0);
    wr(E1000_ICS, INT_RXT0);
    ck_assert(nic_intx(vm));
    rd(E1000_ICR);
    wr(E1000_ICS, INT_RXT0);
    ck_assert(!nic_intx(vm));
    nic_wait(vm, 255999);
    ck_assert(!nic_intx(vm));
    nic_wait(vm, 1);
    ck_assert(nic_intx(vm));
}
END_TEST

START_TEST(io_window_reaches_registers)
{
    bus_port_out(vm, NIC_PORTS, 4, E1000_VET);
    ck_assert_uint_eq(bus_port_in(vm, NIC_PORTS + 4, 4), 0x8100);
    bus_port_out(vm, NIC_PORTS + 4, 4, 0x88a8);
    ck_assert_uint_eq(rd(E1000_VET), 0x88a8);
    bus_port_out(vm, NIC_PORTS, 4, 0xffffffff);
    bus_port_in(vm, NIC_PORTS + 4, 4);
}
END_TEST

START_TEST(reset_keeps_pci)
{
    open_rings(0);
    wr(E1000_IMS, INT_ALL);
    wr(E1000_ICS, INT_LSC);
    wr(E1000_CTRL, CTRL_RST);
    ck_assert_uint_eq(rd(E1000_CTRL) & CTRL_RST, 0);
    ck_assert_uint_eq(rd(E1000_RCTL) | rd(E1000_TCTL) | rd(E1000_IMS), 0);
    ck_assert_uint_eq(rd(E1000_RA + 4), RAH_AV | 0x5634);
    ck_assert(!nic_intx(vm));
}
END_TEST

/* -- Sending ----------------------------------------------------------------------------------- */

START_TEST(legacy_frames_are_sent)
{
    uint8_t frame[100];

    open_rings(0);
    wr(E1000_IMS, INT_TXDW);
    make_frame(frame, sizeof(frame), to_other);
    ram_put(vm, TX_DATA, frame, sizeof(frame));
    put_desc(TX_RING, 0, TX_DATA, LEGACY(40, 0)); /* in two pieces */
    put_desc(TX_RING, 1, TX_DATA + 40, LEGACY(60, TXD_EOP | TXD_RS));
    wr(E1000_TDT, 2);
    nic_pump(vm);
    ck_assert_uint_eq(wire.count, 1);
    ck_assert_uint_eq(wire.len, sizeof(frame));
    ck_assert_mem_eq(wire.frame, frame, sizeof(frame));
    ck_assert_uint_eq(desc_rest(TX_RING, 0) >> 32 & TXD_DD, 0);
    ck_assert_uint_eq(desc_rest(TX_RING, 1) >> 32 & TXD_DD, TXD_DD);
    ck_assert_uint_eq(rd(E1000_TDH), 2);
    ck_assert(nic_intx(vm));
    ck_assert_uint_eq(rd(E1000_ICR), INT_TXDW | INT_TXQE);
    ck_assert_uint_eq(rd(E1000_GPTC), 1);
    ck_assert_uint_eq(rd(E1000_GPTC), 0);
    ck_assert_uint_eq(rd(E1000_GOTCL), 104);
}
END_TEST

START_TEST(delayed_write_back_interrupts_later)
{
    open_rings(0);
    wr(E1000_TIDV, 100);
    wr(E1000_TADV, 150);
    put_desc(TX_RING, 0, TX_DATA, LEGACY(60, TXD_EOP | TXD_RS | TXD_IDE));
    put_desc(TX_RING, 1, TX_DATA, LEGACY(60, TXD_EOP | TXD_RS | TXD_IDE));
    wr(E1000_TDT, 1);
    ck_assert_uint_eq(rd(E1000_ICR), INT_TXQE);
    nic_wait(vm, 80 * 1024);
    wr(E1000_TDT, 2); /* begins anew, but the first must not wait for more than 150 */
    ck_assert_uint_eq(rd(E1000_ICR), INT_TXQE);
    nic_wait(vm, 70 * 1024 - 1);
    ck_assert_uint_eq(rd(E1000_ICR), 0);
    nic_wait(vm, 1);
    ck_assert_uint_eq(rd(E1000_ICR), INT_TXDW);
}
END_TEST

/* Ethernet, IPv4 and TCP headers of 14, 20 and 20 bytes, as a driver leaves them. */
static const uint8_t tcp_packet[54] = {
    OTHER_MAC, MAC,  0x08, 0x00,                         /* Ethernet */
    0x45,      0x00, 0x00, 0x00, 0x12, 0x34, 0x40, 0x00, /* length: by the card */
    0x40,      0x06, 0x00, 0x00, 10,   0,    2,    15,   /* TTL, TCP, sum: by the card */
    10,        0,    2,    2,                            /* to */
    0x10,      0x00, 0x00, 0x50, 0xff, 0xff, 0xff, 0x00, /* ports, sequence number */
    0x00,      0x00, 0x00, 0x00, 0x50, 0x19, 0x20, 0x00, /* header's length, FIN PSH ACK */
    0x00,      0x00, 0x00, 0x00,
};

static void put_context(unsigned k, uint8_t command, uint8_t header, uint16_t mss)
{
    uint8_t raw[16] = {14,
                       24,
                       33,
                       0,
                       34,
                       50,
                       0,
                       0,
                       0,
                       0,
                       0,
                       (uint8_t)(command | TXD_DEXT),
                       0,
                       header,
                       (uint8_t)mss,
                       (uint8_t)(mss >> 8)};

    ram_put(vm, TX_RING + 16 * k, raw, sizeof(raw));
}

/* The pseudo-header's sum, with a length or without one, where TCP's checksum goes. */
static void put_packet(uint8_t *packet, size_t len, unsigned pseudo_len)
{
    memcpy(packet, tcp_packet, sizeof(tcp_packet));
    for (size_t k = sizeof(tcp_packet); k < len; k++)
        packet[k] = (uint8_t)(k * 13);
    ether_put16(packet + 50, ether_sum(6 + pseudo_len, packet + 26, 8));
    ram_put(vm, TX_DATA, packet, len);
}

static void check_sums(const uint8_t *frame, size_t len)
{
    uint32_t tcp = (uint32_t)len - 34;

    ck_assert_uint_eq(ether_sum(0, frame + 14, 20), 0xffff);
    ck_assert_uint_eq(ether_sum(ether_sum(6 + tcp, frame + 26, 8), frame + 34, tcp), 0xffff);
}

START_TEST(checksums_are_inserted)
{
    uint8_t packet[101];

    open_rings(0);
    put_packet(packet, sizeof(packet), sizeof(packet) - 34);
    put_context(0, TXD_IS_TCP | TXD_IS_IPV4, 0, 0);
    put_desc(TX_RING, 1, TX_DATA, DATA(sizeof(packet), TXD_EOP | TXD_RS, TXD_IXSM | TXD_TXSM));
    wr(E1000_TDT, 2);
    nic_pump(vm);
    ck_assert_uint_eq(wire.count, 1);
    check_sums(wire.frame, wire.len);
}
END_TEST

START_TEST(packets_are_segmented)
{
    uint8_t packet[54 + 250];
    static const uint16_t lengths[] = {100, 100, 50};

    open_rings(0);
    put_packet(packet, sizeof(packet), 0);
    put_context(0, TXD_IS_TCP | TXD_IS_IPV4 | TXD_TSE, 54, 100);
    put_desc(TX_RING, 1, TX_DATA, DATA(54, TXD_TSE, TXD_IXSM | TXD_TXSM));
    put_desc(TX_RING, 2, TX_DATA + 54, DATA(250, TXD_TSE | TXD_EOP | TXD_RS, 0));
    wr(E1000_TDT, 3);
    nic_pump(vm);
    ck_assert_uint_eq(wire.count, 3);
    for (unsigned k = 0; k < 3; k++) {
        const uint8_t *f = wire.seen[k];

        ck_assert_uint_eq(ether_get16(f + 16), 40u + lengths[k]);
        ck_assert_uint_eq(ether_get16(f + 18), 0x1234u + k);
        ck_assert_uint_eq((uint32_t)ether_get16(f + 38) << 16 | ether_get16(f + 40),
                          0xffffff00u + 100 * k);
        ck_assert_uint_eq(f[47], k == 2 ? 0x19 : 0x10);
        ck_assert_uint_eq(f[54], (uint8_t)((54 + 100 * k) * 13));
        ck_assert_uint_eq(ether_sum(0, f + 14, 20), 0xffff);
    }
    check_sums(wire.frame, wire.len);
    ck_assert_uint_eq(rd(E1000_TSCTC), 1);
}
END_TEST

/* Each byte in a segment of its own: a packet is as much work as its frames are, and more than what
 * is done in one go. */
START_TEST(small_segments_are_sent_in_several_steps)
{
    uint32_t sent;

    open_rings(0);
    put_context(0, TXD_IS_TCP | TXD_IS_IPV4 | TXD_TSE, 54, 1);
    for (unsigned k = 1; k < COUNT; k++)
        put_desc(TX_RING, k, TX_DATA, DATA(10000, TXD_TSE | TXD_EOP | TXD_RS, TXD_TXSM));
    wr(E1000_TDT, COUNT - 1);
    ck_assert_uint_eq(rd(E1000_TDH), 1);
    sent = rd(E1000_GPTC);
    ck_assert_uint_gt(sent, 1000);
    ck_assert_uint_lt(sent, 5000);
    nic_wait(vm, 1);
    ck_assert_uint_eq(rd(E1000_TDH), COUNT - 1);
    ck_assert_uint_eq(rd(E1000_TSCTC), COUNT - 2);
    ck_assert_uint_eq(sent + rd(E1000_GPTC), (10000 - 54) * (COUNT - 2));
}
END_TEST

START_TEST(rings_that_loop_end)
{
    open_rings(0);
    for (unsigned k = 0; k < COUNT; k++)
        put_desc(TX_RING, k, TX_DATA, LEGACY(60, TXD_EOP | TXD_RS));
    wr(E1000_TDT, 0xffff); /* never met */
    nic_wait(vm, 0);
    ck_assert_uint_eq(wire.count, 0);
    wr(E1000_TDH, 0xfff0); /* beyond the ring */
    wr(E1000_TDT, 3);
    nic_wait(vm, 0);
    ck_assert_uint_eq(wire.count, 3);
    /* A whole ring of 64 KiB each is sent in several steps. */
    wr(E1000_TDLEN, 0xfff80);
    wr(E1000_TDBAL, 0xe0000000); /* the card's own registers: reads as ones */
    wr(E1000_TDH, 1);
    wr(E1000_TDT, 0);
    ck_assert_uint_ne(rd(E1000_TDH), 0);
    for (unsigned k = 0; k < 2000 && rd(E1000_TDH) != 0; k++)
        nic_wait(vm, 1);
    ck_assert_uint_eq(rd(E1000_TDH), 0);
}
END_TEST

START_TEST(too_long_packets_are_lost)
{
    open_rings(0);
    for (unsigned k = 0; k < 3; k++)
        put_desc(TX_RING, k, TX_DATA, DATA(0xfffff, k == 2 ? TXD_EOP : 0, 0));
    put_desc(TX_RING, 3, TX_DATA, LEGACY(64, TXD_EOP));
    wr(E1000_TDT, 4);
    nic_wait(vm, 1);
    nic_wait(vm, 1);
    ck_assert_uint_eq(wire.count, 1);
    ck_assert_uint_eq(wire.len, 64);
}
END_TEST

/* -- Receiving --------------------------------------------------------------------------------- */

START_TEST(frames_arrive)
{
    uint8_t frame[100], got[104];
    uint32_t crc;

    open_rings(0);
    wr(E1000_IMS, INT_RXT0);
    make_frame(frame, sizeof(frame), to_card);
    wire_send(vm, &wire, frame, sizeof(frame));
    ram_get(vm, RX_DATA, got, sizeof(got));
    ck_assert_mem_eq(got, frame, sizeof(frame));
    memcpy(&crc, got + 100, 4);
    ck_assert_uint_eq(crc, ether_crc(frame, sizeof(frame)));
    ck_assert_uint_eq(desc_rest(RX_RING, 0) & 0xffff, 104);
    ck_assert_uint_eq(desc_rest(RX_RING, 0) >> 32 & 0xffff, RXD_DD | RXD_EOP | RXD_IXSM);
    ck_assert_uint_eq(rd(E1000_RDH), 1);
    ck_assert(nic_intx(vm));
    ck_assert_uint_eq(rd(E1000_GPRC), 1);
    wr(E1000_RCTL, rd(E1000_RCTL) | RCTL_SECRC);
    wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(desc_rest(RX_RING, 1) & 0xffff, 100);
}
END_TEST

static const struct {
    uint32_t rctl;
    const uint8_t *to;
    bool hash;
    bool wanted;
} filters[] = {
    {0, to_card, false, true}, {0, to_other, false, false}, {RCTL_UPE, to_other, false, true},
    {0, to_all, false, true},  {0, to_group, false, false}, {RCTL_MPE, to_group, false, true},
    {0, to_group, true, true},
};

START_TEST(filters_choose)
{
    uint8_t frame[64];

    open_rings(filters[_i].rctl);
    if (filters[_i].hash) /* bits 47:36 of 01:00:5e:01:02:03 are 030h */
        wr(E1000_MTA + 4 * (0x030 >> 5), UINT32_C(1) << (0x030 & 31));
    wire_send(vm, &wire, make_frame(frame, sizeof(frame), filters[_i].to), sizeof(frame));
    ck_assert_uint_eq(rd(E1000_RDH), filters[_i].wanted);
}
END_TEST

START_TEST(long_frames_take_several_buffers)
{
    uint8_t frame[1500], got[1500];

    open_rings(3u << 16 | RCTL_SECRC); /* buffers of 256 bytes */
    make_frame(frame, sizeof(frame), to_card);
    wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(rd(E1000_RDH), 6);
    for (unsigned k = 0; k < 6; k++) {
        unsigned n = k < 5 ? 256 : 1500 - 5 * 256;

        ram_get(vm, RX_DATA + 0x1000 * k, got + 256 * k, n);
        ck_assert_uint_eq(desc_rest(RX_RING, k) & 0xffff, n);
        ck_assert_uint_eq(desc_rest(RX_RING, k) >> 32 & RXD_EOP, k == 5 ? RXD_EOP : 0);
    }
    ck_assert_mem_eq(got, frame, sizeof(frame));
    rd(E1000_ICR);
    wire_send(vm, &wire, frame, sizeof(frame)); /* one descriptor is not enough */
    ck_assert_uint_eq(rd(E1000_RDH), 6);
    ck_assert(rd(E1000_ICR) & INT_RXO);
    ck_assert_uint_eq(rd(E1000_MPC), 1);
}
END_TEST

START_TEST(frames_wait_for_descriptors)
{
    uint8_t frame[64];

    open_rings(0);
    make_frame(frame, sizeof(frame), to_card);
    for (unsigned k = 0; k < COUNT + 2; k++)
        wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(rd(E1000_RDH), COUNT - 1);
    ck_assert(rd(E1000_ICR) & INT_RXDMT0);
    wr(E1000_RDT, 2);
    nic_pump(vm);
    ck_assert_uint_eq(rd(E1000_RDH), 2);
    ck_assert_uint_eq(rd(E1000_GPRC), COUNT + 2);
}
END_TEST

START_TEST(jumbo_frames_are_asked_for)
{
    static uint8_t frame[4000];

    open_rings(0);
    make_frame(frame, sizeof(frame), to_card);
    wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(rd(E1000_RDH), 0);
    ck_assert_uint_eq(rd(E1000_ROC), 1);
    wr(E1000_RCTL, rd(E1000_RCTL) | RCTL_LPE);
    wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(rd(E1000_RDH), 2);
}
END_TEST

START_TEST(tags_are_taken_off_and_put_on)
{
    uint8_t frame[80], plain[76];

    open_rings(RCTL_SECRC | RCTL_VFE);
    wr(E1000_CTRL, rd(E1000_CTRL) | CTRL_VME);
    make_frame(plain, sizeof(plain), to_card);
    memcpy(frame, plain, 12);
    ether_put16(frame + 12, 0x8100);
    ether_put16(frame + 14, 0x6042);
    memcpy(frame + 16, plain + 12, sizeof(plain) - 12);
    wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(rd(E1000_RDH), 0); /* not a wanted network */
    wr(E1000_VFTA + 4 * (0x42 >> 5), 1u << (0x42 & 31));
    wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(rd(E1000_RDH), 1);
    ck_assert_uint_eq(desc_rest(RX_RING, 0) & 0xffff, sizeof(plain));
    ck_assert_uint_eq(desc_rest(RX_RING, 0) >> 48, 0x6042);
    ck_assert(desc_rest(RX_RING, 0) >> 32 & RXD_VP);
    ram_put(vm, TX_DATA, plain, sizeof(plain));
    put_desc(TX_RING, 0, TX_DATA,
             UINT64_C(0x6042) << 48 | LEGACY(sizeof(plain), TXD_EOP | TXD_VLE));
    wr(E1000_TDT, 1);
    nic_pump(vm);
    ck_assert_uint_eq(wire.len, sizeof(frame));
    ck_assert_mem_eq(wire.frame, frame, sizeof(frame));
}
END_TEST

START_TEST(sums_are_checked)
{
    uint8_t frame[100];

    open_rings(0);
    wr(E1000_RXCSUM, RXCSUM_IPOFL | RXCSUM_TUOFL);
    memset(frame, 0x5a, sizeof(frame));
    memcpy(frame, tcp_packet, sizeof(tcp_packet));
    memcpy(frame, to_card, 6);
    ether_put16(frame + 16, sizeof(frame) - 14);
    ether_put16(frame + 24, (uint16_t)~ether_sum(0, frame + 14, 20));
    ether_put16(frame + 50, (uint16_t)~ether_sum(ether_sum(6 + 66, frame + 26, 8), frame + 34, 66));
    wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(desc_rest(RX_RING, 0) >> 32 & 0xffff,
                      RXD_DD | RXD_EOP | RXD_IPCS | RXD_TCPCS);
    frame[60] ^= 1;
    wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(desc_rest(RX_RING, 1) >> 40 & 0xff, RXE_TCPE);
    frame[60] ^= 1;
    frame[22]--;
    wire_send(vm, &wire, frame, sizeof(frame));
    ck_assert_uint_eq(desc_rest(RX_RING, 2) >> 40 & 0xff, RXE_IPE);
}
END_TEST

START_TEST(loopback_stays_inside)
{
    uint8_t frame[64];

    open_rings(RCTL_LBM);
    ram_put(vm, TX_DATA, make_frame(frame, sizeof(frame), to_card), sizeof(frame));
    put_desc(TX_RING, 0, TX_DATA, LEGACY(sizeof(frame), TXD_EOP));
    wr(E1000_TDT, 1);
    nic_pump(vm);
    ck_assert_uint_eq(wire.count, 0);
    ck_assert_uint_eq(rd(E1000_RDH), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("e1000");
    TCase *tc = tcase_create("e1000");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, eeprom_has_address_and_checksum);
    tcase_add_test(tc, phy_answers);
    tcase_add_test(tc, causes_and_mask);
    tcase_add_test(tc, interrupts_keep_their_distance);
    tcase_add_test(tc, io_window_reaches_registers);
    tcase_add_test(tc, reset_keeps_pci);
    tcase_add_test(tc, legacy_frames_are_sent);
    tcase_add_test(tc, delayed_write_back_interrupts_later);
    tcase_add_test(tc, checksums_are_inserted);
    tcase_add_test(tc, packets_are_segmented);
    tcase_add_test(tc, small_segments_are_sent_in_several_steps);
    tcase_add_test(tc, rings_that_loop_end);
    tcase_add_test(tc, too_long_packets_are_lost);
    tcase_add_test(tc, frames_arrive);
    tcase_add_loop_test(tc, filters_choose, 0, ARRAY_SIZE(filters));
    tcase_add_test(tc, long_frames_take_several_buffers);
    tcase_add_test(tc, frames_wait_for_descriptors);
    tcase_add_test(tc, jumbo_frames_are_asked_for);
    tcase_add_test(tc, tags_are_taken_off_and_put_on);
    tcase_add_test(tc, sums_are_checked);
    tcase_add_test(tc, loopback_stays_inside);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
