/* SPDX-License-Identifier: MIT */
/* Realtek RTL8139C(L) Fast Ethernet controller (data sheet, and Realtek's programming guide for the
 * RTL8139): PCI function 10EC:8139, its 256 registers as ports in BAR 0 and as memory in BAR 1.
 *
 * Four transmit buffers that are used in turn, and one ring of bytes for what is received.
 * Registers are bytes in an array; a table says which bits can be written, and what a write sets
 * off after its last byte. Left out: the descriptor mode of the RTL8139C+, which this chip does not
 * have, early interrupts, flow control, wake-up, the boot ROM. */
#include "devices/rtl8139.h"

#include <string.h>

#include "devices/eeprom93.h"
#include "devices/ether.h"
#include "devices/nic.h"
#include "devices/pci.h"
#include "vmm/clock.h"
#include "vmm/vm.h"

#define REGS      256u
#define TX_COUNT  4u
#define TX_MAX    8191u /* SIZE of TSD */
#define CLOCK_HZ  33000000u
#define RX_GUARD  16u /* CAPR is that far behind what was read */
#define RX_HEADER 4u
#define RX_ROOM   (RX_HEADER + ETHER_MAX + ETHER_VLAN_TAG + ETHER_CRC + 4u) /* for any frame */

enum rtl_reg {
    IDR = 0x00,
    MAR = 0x08,
    TSD = 0x10,
    TSAD = 0x20,
    RBSTART = 0x30,
    CR = 0x37,
    CAPR = 0x38,
    CBR = 0x3a,
    IMR = 0x3c,
    ISR = 0x3e,
    TCR = 0x40,
    RCR = 0x44,
    TCTR = 0x48,
    MPC = 0x4c,
    EECR = 0x50, /* 9346CR */
    CONFIG0 = 0x51,
    CONFIG1 = 0x52,
    TIMERINT = 0x54,
    MSR = 0x58,
    CONFIG3 = 0x59,
    CONFIG4 = 0x5a,
    MULINT = 0x5c,
    TSADS = 0x60, /* TSAD: status of all transmit buffers */
    BMCR = 0x62,
    BMSR = 0x64,
    ANAR = 0x66,
    ANLPAR = 0x68,
    ANER = 0x6a,
    DIS = 0x6c,
    NWAYTR = 0x70,
    CSCR = 0x74,
    PHY_PARM = 0x78, /* to 83 */
    CONFIG5 = 0xd8
};

#define CR_BUFE 0x01u
#define CR_TE   0x04u
#define CR_RE   0x08u
#define CR_RST  0x10u

#define INT_ROK   0x0001u
#define INT_TOK   0x0004u
#define INT_TER   0x0008u
#define INT_RXOVW 0x0010u
#define INT_LINK  0x0020u
#define INT_TIMER 0x4000u
#define INT_ALL   0xe07fu

#define TSD_OWN  0x00002000u
#define TSD_TUN  0x00004000u
#define TSD_TOK  0x00008000u
#define TSD_TABT 0x40000000u

#define TCR_LOOP    0x00060000u
#define TCR_VERSION 0x74000000u /* RTL8139C */

#define RCR_AAP  0x01u /* all physical addresses */
#define RCR_APM  0x02u
#define RCR_AM   0x04u
#define RCR_AB   0x08u
#define RCR_WRAP 0x80u

#define RX_ROK 0x0001u
#define RX_BAR 0x2000u
#define RX_PAM 0x4000u
#define RX_MAR 0x8000u

#define EE_DO       0x01u
#define EE_DI       0x02u
#define EE_SK       0x04u
#define EE_CS       0x08u
#define EE_MODE     0xc0u
#define EE_AUTOLOAD 0x40u
#define EE_PROGRAM  0x80u
#define EE_UNLOCK   0xc0u

#define BMCR_RESET   0x8000u
#define BMCR_RESTART 0x0200u
#define BMSR_LINK    0x0024u /* valid, and negotiation is complete */
#define MSR_LINKB    0x04u

struct rtl8139 {
    struct pci_device pci;
    uint8_t reg[REGS];
    uint8_t tx_next;      /* the transmit buffer whose turn it is */
    uint32_t rx_at;       /* where the next byte goes in the ring */
    uint64_t timer_start; /* when TCTR was 0 */
    struct eeprom93 eeprom;
    struct timer timeout; /* TCTR reaches TIMERINT */
    const struct nic_config *cfg;
    struct netdev *net;
};

static struct vm *vm_of(const struct rtl8139 *s)
{
    return s->pci.dev.vm;
}

static uint16_t get16(const struct rtl8139 *s, unsigned off)
{
    return (uint16_t)(s->reg[off] | s->reg[off + 1] << 8);
}

static uint32_t get32(const struct rtl8139 *s, unsigned off)
{
    return get16(s, off) | (uint32_t)get16(s, off + 2) << 16;
}

static void put16(struct rtl8139 *s, unsigned off, uint32_t val)
{
    s->reg[off] = (uint8_t)val;
    s->reg[off + 1] = (uint8_t)(val >> 8);
}

static void put32(struct rtl8139 *s, unsigned off, uint32_t val)
{
    put16(s, off, val);
    put16(s, off + 2, val >> 16);
}

/* -- Interrupts and the timer ------------------------------------------------------------------ */

static void update_intx(struct rtl8139 *s)
{
    pci_set_intx(&s->pci, get16(s, ISR) & get16(s, IMR));
}

static void raise(struct rtl8139 *s, unsigned causes)
{
    put16(s, ISR, get16(s, ISR) | causes);
    update_intx(s);
}

static uint32_t timer_count(const struct rtl8139 *s)
{
    return (uint32_t)clock_muldiv(clock_now(vm_of(s)) - s->timer_start, CLOCK_HZ, NS_PER_SEC);
}

/* The next time that TCTR is TIMERINT; 0 there switches it off. */
static void arm_timer(struct rtl8139 *s)
{
    uint32_t left = get32(s, TIMERINT) - timer_count(s);

    if (get32(s, TIMERINT) == 0) {
        timer_cancel(vm_of(s), &s->timeout);
        return;
    }
    timer_arm(vm_of(s), &s->timeout,
              clock_now(vm_of(s)) + clock_muldiv(left, NS_PER_SEC, CLOCK_HZ) + 1);
}

/* The count goes on; it comes by again in two minutes. */
static void timeout_due(void *opaque)
{
    struct rtl8139 *s = opaque;

    timer_arm(vm_of(s), &s->timeout,
              clock_now(vm_of(s)) + clock_muldiv(UINT64_C(1) << 32, NS_PER_SEC, CLOCK_HZ));
    raise(s, INT_TIMER);
}

/* -- Receiving --------------------------------------------------------------------------------- */

static uint32_t ring_size(const struct rtl8139 *s)
{
    return 8192u << (get32(s, RCR) >> 11 & 3);
}

/* Bytes that wait to be read, and bytes that there is room for. */
static uint32_t ring_used(const struct rtl8139 *s)
{
    return (s->rx_at - (get16(s, CAPR) + RX_GUARD)) % ring_size(s);
}

static uint32_t ring_room(const struct rtl8139 *s)
{
    return ring_size(s) - ring_used(s) - 1;
}

static bool can_receive(void *dev)
{
    const struct rtl8139 *s = dev;

    return !(s->reg[CR] & CR_RE) || ring_room(s) >= RX_ROOM;
}

/* Which of the status bits let a frame in; 0: none. */
static unsigned accept_as(const struct rtl8139 *s, const uint8_t *frame)
{
    uint32_t rcr = get32(s, RCR);
    unsigned hash;

    if (ether_is_broadcast(frame))
        return rcr & RCR_AB ? RX_BAR : rcr & RCR_AAP ? RX_ROK : 0;
    if (ether_is_multicast(frame)) {
        hash = ether_hash64(frame);
        if ((rcr & RCR_AM) && (s->reg[MAR + hash / 8] >> hash % 8 & 1))
            return RX_MAR;
    } else if ((rcr & RCR_APM) && memcmp(frame, s->reg + IDR, NET_MAC_LEN) == 0) {
        return RX_PAM;
    }
    return rcr & RCR_AAP ? RX_ROK : 0;
}

/* With WRAP, a frame that begins in the ring may end behind it (not in the largest ring). */
static void put_ring(struct rtl8139 *s, const uint8_t *data, uint32_t n)
{
    uint32_t size = ring_size(s), left = size - s->rx_at % size;
    uint64_t base = get32(s, RBSTART);

    s->rx_at %= size;
    if (n <= left || ((get32(s, RCR) & RCR_WRAP) && size < 65536)) {
        dma_write(vm_of(s), base + s->rx_at, data, n);
    } else {
        dma_write(vm_of(s), base + s->rx_at, data, left);
        dma_write(vm_of(s), base, data + left, n - left);
    }
    s->rx_at = (s->rx_at + n) % size;
}

static void receive(void *dev, const uint8_t *frame, size_t len)
{
    struct rtl8139 *s = dev;
    uint8_t packet[RX_HEADER + NET_FRAME_MAX + ETHER_CRC];
    uint32_t total = (uint32_t)len + ETHER_CRC, crc = ether_crc(frame, len);
    unsigned status = s->reg[CR] & CR_RE ? accept_as(s, frame) : 0;

    if (status == 0)
        return;
    if (((RX_HEADER + total + 3) & ~3u) > ring_room(s)) {
        put32(s, MPC, (get32(s, MPC) + 1) & 0xffffff);
        raise(s, INT_RXOVW);
        return;
    }
    status |= RX_ROK;
    packet[0] = (uint8_t)status;
    packet[1] = (uint8_t)(status >> 8);
    packet[2] = (uint8_t)total;
    packet[3] = (uint8_t)(total >> 8);
    memcpy(packet + RX_HEADER, frame, len);
    memcpy(packet + RX_HEADER + len, &crc, ETHER_CRC);
    put_ring(s, packet, RX_HEADER + total);
    s->rx_at = ((s->rx_at + 3) & ~3u) % ring_size(s);
    put16(s, CBR, s->rx_at);
    raise(s, INT_ROK);
}

static void accept_frames(struct rtl8139 *s)
{
    if (can_receive(s))
        netdev_accept(s->net);
}

/* -- Sending ----------------------------------------------------------------------------------- */

static void transmit(struct rtl8139 *s, unsigned k)
{
    uint32_t tsd = get32(s, TSD + 4 * k), len = tsd & TX_MAX;
    uint8_t frame[TX_MAX + 1] = {0};

    if (!dma_read(vm_of(s), get32(s, TSAD + 4 * k), frame, len)) {
        put32(s, TSD + 4 * k, tsd | TSD_OWN | TSD_TABT);
        raise(s, INT_TER);
        return;
    }
    if ((get32(s, TCR) & TCR_LOOP) == TCR_LOOP) {
        if (len >= ETHER_HEADER && can_receive(s))
            receive(s, frame, len < NET_FRAME_MIN ? NET_FRAME_MIN : len);
    } else {
        netdev_send(s->net, frame, len);
    }
    put32(s, TSD + 4 * k, tsd | TSD_OWN | TSD_TOK);
    raise(s, INT_TOK);
}

/* Buffers are sent in turn, as long as the next one is the card's (OWN is clear). */
static void transmit_all(struct rtl8139 *s)
{
    for (unsigned k = 0; k < TX_COUNT && (s->reg[CR] & CR_TE); k++) {
        if (get32(s, TSD + 4 * s->tx_next) & TSD_OWN)
            break;
        transmit(s, s->tx_next);
        s->tx_next = (s->tx_next + 1) % TX_COUNT;
    }
}

/* Status bits of all buffers in one word. */
static uint16_t transmit_summary(const struct rtl8139 *s)
{
    uint16_t sum = 0;

    for (unsigned k = 0; k < TX_COUNT; k++) {
        uint32_t tsd = get32(s, TSD + 4 * k);

        sum |= (uint16_t)((tsd & TSD_OWN ? 0x0001 : 0) << k);
        sum |= (uint16_t)((tsd & TSD_TABT ? 0x0010 : 0) << k);
        sum |= (uint16_t)((tsd & TSD_TUN ? 0x0100 : 0) << k);
        sum |= (uint16_t)((tsd & TSD_TOK ? 0x1000 : 0) << k);
    }
    return sum;
}

/* -- Registers with effects -------------------------------------------------------------------- */

static void reset_chip(struct rtl8139 *s);

static void cr_written(struct rtl8139 *s, unsigned off)
{
    (void)off;
    if (s->reg[CR] & CR_RST) {
        reset_chip(s);
        return;
    }
    transmit_all(s);
    accept_frames(s);
}

/* Bits of ISR are cleared by ones. */
static void isr_written(struct rtl8139 *s, unsigned off)
{
    (void)off;
    update_intx(s);
}

static void tsd_written(struct rtl8139 *s, unsigned off)
{
    uint32_t tsd = get32(s, off);

    put32(s, off, tsd & (TSD_OWN | TX_MAX | 0x003f0000));
    transmit_all(s);
}

static void receiver_written(struct rtl8139 *s, unsigned off)
{
    (void)off;
    s->rx_at %= ring_size(s);
    accept_frames(s);
}

/* The ring moves: it begins anew. */
static void rbstart_written(struct rtl8139 *s, unsigned off)
{
    (void)off;
    s->rx_at = 0;
    put16(s, CBR, 0);
}

static void tctr_written(struct rtl8139 *s, unsigned off)
{
    (void)off;
    s->timer_start = clock_now(vm_of(s));
    arm_timer(s);
}

static void timerint_written(struct rtl8139 *s, unsigned off)
{
    (void)off;
    arm_timer(s);
}

static void mpc_written(struct rtl8139 *s, unsigned off)
{
    (void)off;
    put32(s, MPC, 0);
}

static void load_eeprom(struct rtl8139 *s)
{
    for (unsigned k = 0; k < NET_MAC_LEN / 2; k++)
        put16(s, IDR + 2 * k, s->eeprom.word[7 + k]);
}

static void eecr_written(struct rtl8139 *s, unsigned off)
{
    uint8_t val = s->reg[off];
    bool programs = (val & EE_MODE) == EE_PROGRAM;
    bool out = eeprom93_pins(&s->eeprom, programs && (val & EE_CS), val & EE_SK, val & EE_DI);

    if ((val & EE_MODE) == EE_AUTOLOAD) {
        load_eeprom(s);
        val = 0;
    }
    s->reg[off] = (uint8_t)((val & ~EE_DO) | (programs && out ? EE_DO : 0));
}

static void bmcr_written(struct rtl8139 *s, unsigned off)
{
    uint16_t val = get16(s, off);

    if (val & BMCR_RESET)
        val = 0x3100;
    if (val & BMCR_RESTART)
        raise(s, INT_LINK);
    put16(s, off, val & (uint16_t)~BMCR_RESTART);
}

/* -- The table of registers -------------------------------------------------------------------- */

#define LOCKED 1 /* written only while 9346CR says so */
#define W1C    2 /* ones clear bits */

static const struct rtl_range {
    uint8_t off, unit, count; /* bytes of a register, registers */
    uint8_t flags;
    uint32_t writable;
    void (*written)(struct rtl8139 *s, unsigned off);
} ranges[] = {
    {IDR, 1, 6, LOCKED, 0xff, NULL},
    {MAR, 1, 8, 0, 0xff, NULL},
    {TSD, 4, 4, 0, UINT32_MAX, tsd_written},
    {TSAD, 4, 4, 0, UINT32_MAX, NULL},
    {RBSTART, 4, 1, 0, UINT32_MAX, rbstart_written},
    {CR, 1, 1, 0, CR_RST | CR_RE | CR_TE, cr_written},
    {CAPR, 2, 1, 0, 0xffff, receiver_written},
    {IMR, 2, 1, 0, INT_ALL, isr_written},
    {ISR, 2, 1, W1C, INT_ALL, isr_written},
    {TCR, 4, 1, 0, 0x030707f0, NULL},
    {RCR, 4, 1, 0, 0x0f01ffbf, receiver_written},
    {TCTR, 4, 1, 0, 0, tctr_written},
    {MPC, 4, 1, 0, 0, mpc_written},
    {EECR, 1, 1, 0, 0xfe, eecr_written},
    {CONFIG0, 1, 1, LOCKED, 0, NULL},
    {CONFIG1, 1, 1, LOCKED, 0xf1, NULL},
    {TIMERINT, 4, 1, 0, UINT32_MAX, timerint_written},
    {CONFIG3, 1, 1, LOCKED, 0x61, NULL},
    {CONFIG4, 1, 1, LOCKED, 0xff, NULL},
    {MULINT, 2, 1, 0, 0x0fff, NULL},
    {BMCR, 2, 1, 0, 0xffff, bmcr_written},
    {ANAR, 2, 1, 0, 0xffff, NULL},
    {NWAYTR, 2, 1, 0, 0xffff, NULL},
    {CSCR, 2, 1, 0, 0xffff, NULL},
    {PHY_PARM, 1, 12, 0, 0xff, NULL},
    {CONFIG5, 1, 1, 0, 0x7f, NULL},
};

static const struct rtl_range *find(unsigned off)
{
    for (unsigned k = 0; k < sizeof(ranges) / sizeof(ranges[0]); k++) {
        const struct rtl_range *r = &ranges[k];

        if (off >= r->off && off < r->off + (unsigned)r->unit * r->count)
            return r;
    }
    return NULL;
}

static void write_byte(struct rtl8139 *s, const struct rtl_range *r, unsigned off, uint8_t val)
{
    uint8_t mask = (uint8_t)(r->writable >> ((off - r->off) % r->unit * 8));
    uint8_t *reg = &s->reg[off];

    if ((r->flags & LOCKED) && (s->reg[EECR] & EE_MODE) != EE_UNLOCK)
        return;
    *reg = r->flags & W1C ? (uint8_t)(*reg & ~(val & mask)) : (*reg & ~mask) | (val & mask);
}

/* Effects come once for each register that the access touches. */
static void reg_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct rtl8139 *s = dev;

    for (unsigned k = 0; k < n && off + k < REGS; k++) {
        const struct rtl_range *r = find(off + k);
        unsigned in;

        if (r == NULL)
            continue;
        write_byte(s, r, off + k, (uint8_t)(val >> (8 * k)));
        in = (off + k - r->off) % r->unit;
        if (r->written != NULL && (k + 1 == n || in + 1u == r->unit))
            r->written(s, off + k - in);
    }
}

/* Bring the registers up to date that are computed. */
static void refresh(struct rtl8139 *s, unsigned off)
{
    uint8_t buffer_empty = ring_used(s) == 0 ? CR_BUFE : 0;

    switch (off & ~3u) {
    case CR & ~3u: s->reg[CR] = (uint8_t)((s->reg[CR] & ~CR_BUFE) | buffer_empty); break;
    case TCTR: put32(s, TCTR, timer_count(s)); break;
    case TSADS: put16(s, TSADS, transmit_summary(s)); break;
    default: break;
    }
}

static uint64_t reg_read(void *dev, uint32_t off, unsigned n)
{
    struct rtl8139 *s = dev;
    uint64_t val = 0;

    for (unsigned k = 0; k < n && off + k < REGS; k++) {
        if (k == 0 || (off + k) % 4 == 0) /* once, or the bytes would be of different times */
            refresh(s, off + k);
        val |= (uint64_t)s->reg[off + k] << (8 * k);
    }
    return val;
}

/* -- Life -------------------------------------------------------------------------------------- */

/* RST of CR: the addresses and the configuration stay. */
static void reset_chip(struct rtl8139 *s)
{
    uint8_t kept[MAR + 8],
        config[4] = {s->reg[EECR], s->reg[CONFIG1], s->reg[CONFIG3], s->reg[CONFIG4]};

    memcpy(kept, s->reg, sizeof(kept));
    memset(s->reg, 0, sizeof(s->reg));
    memcpy(s->reg, kept, sizeof(kept));
    for (unsigned k = 0; k < TX_COUNT; k++)
        put32(s, TSD + 4 * k, TSD_OWN);
    put16(s, CAPR, 0xfff0);
    put32(s, TCR, TCR_VERSION);
    s->reg[EECR] = config[0];
    s->reg[CONFIG1] = config[1];
    s->reg[CONFIG3] = config[2];
    s->reg[CONFIG4] = config[3];
    s->reg[MSR] = s->net != NULL ? 0 : MSR_LINKB;
    put16(s, BMCR, 0x3100);
    put16(s, BMSR, s->net != NULL ? 0x7809 | BMSR_LINK : 0x7809);
    put16(s, ANAR, 0x05e1);
    put16(s, ANLPAR, s->net != NULL ? 0x45e1 : 0);
    put16(s, ANER, s->net != NULL ? 0x0001 : 0);
    s->tx_next = 0;
    s->rx_at = 0;
    s->timer_start = clock_now(vm_of(s));
    timer_cancel(vm_of(s), &s->timeout);
    update_intx(s);
}

static void reset(struct device *d)
{
    struct rtl8139 *s = (struct rtl8139 *)d;

    pci_device_reset(&s->pci);
    eeprom93_reset(&s->eeprom);
    memset(s->reg, 0, sizeof(s->reg));
    load_eeprom(s);
    s->reg[CONFIG1] = 0x0d; /* I/O and memory mapped, power management */
    reset_chip(s);
}

static void loaded(struct device *d)
{
    struct rtl8139 *s = (struct rtl8139 *)d;

    s->tx_next %= TX_COUNT;
    s->rx_at %= ring_size(s);
    eeprom93_check(&s->eeprom);
    pci_device_loaded(&s->pci);
    netdev_accept(s->net);
}

static void fill_eeprom(struct rtl8139 *s)
{
    uint16_t *word = s->eeprom.word;

    word[0] = 0x8129; /* signature */
    word[1] = 0x10ec;
    word[2] = 0x8139;
    word[3] = 0x1af4; /* subsystem */
    word[4] = 0x1100;
    word[5] = 0x2040; /* grant and latency */
    for (unsigned k = 0; k < 3; k++)
        word[7 + k] = (uint16_t)(s->cfg->mac[2 * k] | s->cfg->mac[2 * k + 1] << 8);
}

static int realize(struct device *d)
{
    static const struct pci_ident id = {
        .vendor = 0x10ec, .device = 0x8139, .class_code = 0x0200, .revision = 0x10, .irq_pin = 1};
    static const struct io_ops ops = {reg_read, reg_write, IO_8 | IO_16 | IO_32 | IO_UNALIGNED};
    static const struct netdev_ops net_ops = {can_receive, receive};
    struct rtl8139 *s = (struct rtl8139 *)d;
    int err;

    s->cfg = d->cfg;
    timer_init(&s->timeout, timeout_due, s);
    fill_eeprom(s);
    err = pci_register(&s->pci, nic_devfn(d->vm, s->cfg), &id);
    if (err != 0)
        return err;
    pci_add_io_bar(&s->pci, 0, REGS, &ops, s);
    pci_add_mem_bar(
        &s->pci, 1, PCI_BAR_MEM,
        &(struct region){
            .name = "rtl8139", .size = REGS, .kind = REGION_MMIO, .ops = &ops, .dev = s});
    err = netdev_attach(d->vm, s->cfg->netdev, &net_ops, s, &s->net);
    if (err != 0)
        pci_unregister(&s->pci);
    return err;
}

static void unrealize(struct device *d)
{
    struct rtl8139 *s = (struct rtl8139 *)d;

    netdev_detach(s->net);
    pci_unregister(&s->pci);
}

static const struct field rtl8139_fields[] = {
    FIELD_SUB(struct rtl8139, pci, pci_device_fields),
    FIELD_ARRAY(struct rtl8139, reg),
    FIELD(struct rtl8139, tx_next),
    FIELD(struct rtl8139, rx_at),
    FIELD(struct rtl8139, timer_start),
    FIELD_SUB(struct rtl8139, eeprom, eeprom93_fields),
    FIELD_TIMER(struct rtl8139, timeout),
    UNSAVED(struct rtl8139, cfg),
    UNSAVED(struct rtl8139, net),
    FIELDS_END,
};

const struct device_class rtl8139_class = {
    .name = "rtl8139",
    .desc = "Realtek RTL8139C Fast Ethernet card",
    .size = sizeof(struct rtl8139),
    .fields = rtl8139_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
