/* SPDX-License-Identifier: MIT */
/* DP8390D/NS32490D network interface controller (National Semiconductor data sheet TL/F/8582) as
 * the NE2000 uses it: 32 KiB of memory at 4000h, and at 0 a PROM that holds the address twice in
 * each word. Local memory is reached by remote DMA through the data port alone.
 *
 * Left out: the error counters but that of missed packets (there are no errors), collisions, the
 * send-packet command's automatic start, loopback's FIFO. */
#include "devices/dp8390.h"

#include <string.h>

#include "devices/ether.h"
#include "vmm/vm.h"

#define PAGE      256u
#define RAM_BASE  0x4000u
#define RAM_END   (RAM_BASE + DP8390_RAM)
#define PROM_SIZE 32u
#define HEADER    4u
#define DATA_PORT 0x10u
#define RST_PORT  0x18u

#define CR_STP   0x01u
#define CR_STA   0x02u
#define CR_TXP   0x04u
#define CR_RD    0x38u /* remote DMA: 1 read, 2 write, 3 send packet, 4 and up: none */
#define RD_READ  0x08u
#define RD_WRITE 0x10u
#define RD_SEND  0x18u
#define RD_NONE  0x20u

#define ISR_PRX 0x01u
#define ISR_PTX 0x02u
#define ISR_OVW 0x10u
#define ISR_CNT 0x20u
#define ISR_RDC 0x40u
#define ISR_RST 0x80u

#define DCR_WTS 0x01u /* words */
#define DCR_LS  0x08u /* clear: loopback */

#define TCR_LB 0x06u

#define TSR_PTX 0x01u
#define RSR_PRX 0x01u
#define RSR_PHY 0x20u /* not for this address alone */

#define RCR_AB  0x04u
#define RCR_AM  0x08u
#define RCR_PRO 0x10u
#define RCR_MON 0x20u

/* -- Interrupts -------------------------------------------------------------------------------- */

static void update_irq(struct dp8390 *d)
{
    d->set_irq(d->owner, d->isr & d->imr & 0x7f);
}

static void raise(struct dp8390 *d, uint8_t causes)
{
    d->isr |= causes;
    update_irq(d);
}

/* -- Local memory ------------------------------------------------------------------------------ */

static uint8_t mem_read(const struct dp8390 *d, uint16_t at)
{
    if (at < PROM_SIZE)
        return at / 2 < NET_MAC_LEN ? d->mac[at / 2] : at / 2 >= 14 ? 0x57 : 0;
    return at >= RAM_BASE && at < RAM_END ? d->ram[at - RAM_BASE] : 0xff;
}

static void mem_write(struct dp8390 *d, uint16_t at, uint8_t val)
{
    if (at >= RAM_BASE && at < RAM_END)
        d->ram[at - RAM_BASE] = val;
}

/* -- Remote DMA -------------------------------------------------------------------------------- */

static uint8_t remote(const struct dp8390 *d)
{
    return d->cr & CR_RD;
}

/* The data port reads and writes a word at a time if DCR says so; in the ring it wraps. */
static void advance(struct dp8390 *d, unsigned n)
{
    d->crda = (uint16_t)(d->crda + n);
    if (d->crda == d->pstop * PAGE)
        d->crda = (uint16_t)(d->pstart * PAGE);
    d->rbcr = d->rbcr > n ? (uint16_t)(d->rbcr - n) : 0;
    if (d->rbcr == 0)
        raise(d, ISR_RDC);
}

static unsigned step_of(const struct dp8390 *d, unsigned n)
{
    return n == 1 && (d->dcr & DCR_WTS) ? 2 : n;
}

static uint64_t data_read(struct dp8390 *d, unsigned n)
{
    uint64_t val = 0;

    if (remote(d) != RD_READ || d->rbcr == 0)
        return UINT64_MAX;
    for (unsigned k = 0; k < n; k++)
        val |= (uint64_t)mem_read(d, (uint16_t)(d->crda + k)) << (8 * k);
    advance(d, step_of(d, n));
    return val;
}

static void data_write(struct dp8390 *d, unsigned n, uint64_t val)
{
    if (remote(d) != RD_WRITE || d->rbcr == 0)
        return;
    for (unsigned k = 0; k < n; k++)
        mem_write(d, (uint16_t)(d->crda + k), (uint8_t)(val >> (8 * k)));
    advance(d, step_of(d, n));
}

/* -- The receive ring -------------------------------------------------------------------------- */

static bool is_running(const struct dp8390 *d)
{
    return (d->cr & (CR_STP | CR_STA)) == CR_STA;
}

static bool is_looped(const struct dp8390 *d)
{
    return (d->tcr & TCR_LB) != 0 || !(d->dcr & DCR_LS);
}

/* Does the ring lie in memory? */
static bool is_ring_sound(const struct dp8390 *d)
{
    return d->pstart * PAGE >= RAM_BASE && d->pstop * PAGE <= RAM_END && d->pstart < d->pstop &&
           d->curr >= d->pstart && d->curr < d->pstop;
}

/* Pages that can be written before the boundary. BNRY is the last page that was read. */
static unsigned pages_free(const struct dp8390 *d)
{
    unsigned size = d->pstop - d->pstart;
    unsigned boundary = d->bnry >= d->pstart && d->bnry < d->pstop ? d->bnry : d->pstart;

    if (boundary == d->curr)
        return size;
    return (boundary - d->curr + size) % size;
}

static bool is_wanted(const struct dp8390 *d, const uint8_t *frame)
{
    unsigned hash;

    if (ether_is_broadcast(frame))
        return d->rcr & RCR_AB;
    if (!ether_is_multicast(frame))
        return (d->rcr & RCR_PRO) || memcmp(frame, d->par, NET_MAC_LEN) == 0;
    hash = ether_hash64(frame);
    return (d->rcr & RCR_AM) && (d->mar[hash / 8] >> hash % 8 & 1);
}

static bool can_receive(void *dev)
{
    const struct dp8390 *d = dev;

    return !is_running(d) || !is_ring_sound(d) ||
           pages_free(d) > (HEADER + ETHER_MAX + ETHER_CRC) / PAGE + 1;
}

/* Copy into the ring from its offset `at`. */
static void put_ring(struct dp8390 *d, uint32_t at, const uint8_t *data, size_t n)
{
    uint32_t size = (uint32_t)(d->pstop - d->pstart) * PAGE;

    for (; n > 0; n--, at++)
        mem_write(d, (uint16_t)(d->pstart * PAGE + at % size), *data++);
}

static void store(struct dp8390 *d, const uint8_t *frame, size_t len)
{
    uint32_t total = HEADER + (uint32_t)len + ETHER_CRC, crc = ether_crc(frame, len);
    unsigned pages = (total + PAGE - 1) / PAGE, size = d->pstop - d->pstart;
    unsigned next = d->pstart + (d->curr - d->pstart + pages) % size;
    uint32_t at = (uint32_t)(d->curr - d->pstart) * PAGE;
    uint8_t head[HEADER] = {RSR_PRX | (ether_is_multicast(frame) ? RSR_PHY : 0), (uint8_t)next,
                            (uint8_t)total, (uint8_t)(total >> 8)};

    put_ring(d, at, head, HEADER);
    put_ring(d, at + HEADER, frame, len);
    put_ring(d, at + HEADER + (uint32_t)len, (const uint8_t *)&crc, ETHER_CRC);
    d->rsr = head[0];
    d->curr = (uint8_t)next;
    raise(d, ISR_PRX);
}

static void count_missed(struct dp8390 *d)
{
    if (d->missed < 0xff)
        d->missed++;
    if (d->missed >= 0xc0)
        raise(d, ISR_CNT);
}

static void receive(void *dev, const uint8_t *frame, size_t len)
{
    struct dp8390 *d = dev;

    if (!is_running(d) || !is_ring_sound(d) || !is_wanted(d, frame))
        return;
    if (d->rcr & RCR_MON) {
        count_missed(d);
        return;
    }
    if ((HEADER + len + ETHER_CRC + PAGE - 1) / PAGE >= pages_free(d)) {
        raise(d, ISR_OVW);
        return;
    }
    store(d, frame, len);
}

static void ring_changed(struct dp8390 *d)
{
    if (can_receive(d))
        netdev_accept(d->net);
}

/* -- Sending ----------------------------------------------------------------------------------- */

static void transmit(struct dp8390 *d)
{
    uint8_t frame[NET_FRAME_MAX];
    unsigned len = d->tbcr < sizeof(frame) ? d->tbcr : sizeof(frame);

    for (unsigned k = 0; k < len; k++)
        frame[k] = mem_read(d, (uint16_t)(d->tpsr * PAGE + k));
    if (!is_looped(d))
        netdev_send(d->net, frame, len);
    d->tsr = TSR_PTX;
    raise(d, ISR_PTX);
}

/* -- Registers --------------------------------------------------------------------------------- */

static void start_remote(struct dp8390 *d)
{
    uint8_t command = remote(d);

    if (command == RD_SEND) { /* the next packet of the ring */
        d->crda = (uint16_t)(d->bnry * PAGE);
        d->rbcr = (uint16_t)(mem_read(d, d->crda + 2) | mem_read(d, d->crda + 3) << 8);
        d->cr = (uint8_t)((d->cr & ~CR_RD) | RD_READ);
        return;
    }
    d->crda = d->rsar;
    if ((command == RD_READ || command == RD_WRITE) && d->rbcr == 0)
        raise(d, ISR_RDC);
}

static void cr_write(struct dp8390 *d, uint8_t val)
{
    bool send = val & CR_TXP;

    if (!(val & (CR_STP | CR_STA))) /* neither: it goes on as it is */
        val |= d->cr & (CR_STP | CR_STA);
    d->cr = val & (uint8_t)~CR_TXP;
    if (val & CR_STP)
        d->isr |= ISR_RST;
    else if (val & CR_STA)
        d->isr &= (uint8_t)~ISR_RST;
    if (!(val & RD_NONE) && (val & CR_RD) != 0)
        start_remote(d);
    if (send && is_running(d))
        transmit(d);
    ring_changed(d);
}

/* A register that is a byte of the state; which pages have it, and what is kept of a write. */
#define AT(m) offsetof(struct dp8390, m)

static const struct dp_reg {
    uint16_t at; /* 0 is no register: CR is on every page */
    uint8_t mask;
} page0_written[16] =
    {
        [0x1] = {AT(pstart), 0xff},   [0x2] = {AT(pstop), 0xff},    [0x3] = {AT(bnry), 0xff},
        [0x4] = {AT(tpsr), 0xff},     [0x5] = {AT(tbcr), 0xff},     [0x6] = {AT(tbcr) + 1, 0xff},
        [0x8] = {AT(rsar), 0xff},     [0x9] = {AT(rsar) + 1, 0xff}, [0xa] = {AT(rbcr), 0xff},
        [0xb] = {AT(rbcr) + 1, 0xff}, [0xc] = {AT(rcr), 0x3f},      [0xd] = {AT(tcr), 0x1f},
        [0xe] = {AT(dcr), 0x7f},      [0xf] = {AT(imr), 0x7f},
},
  page0_read[16] =
      {
          [0x1] = {AT(crda), 0},     [0x2] = {AT(crda) + 1, 0}, [0x3] = {AT(bnry), 0},
          [0x4] = {AT(tsr), 0},      [0x7] = {AT(isr), 0},      [0x8] = {AT(crda), 0},
          [0x9] = {AT(crda) + 1, 0}, [0xc] = {AT(rsr), 0},      [0xf] = {AT(missed), 0},
},
  page1[16] =
      {
          [0x1] = {AT(par), 0xff},     [0x2] = {AT(par) + 1, 0xff}, [0x3] = {AT(par) + 2, 0xff},
          [0x4] = {AT(par) + 3, 0xff}, [0x5] = {AT(par) + 4, 0xff}, [0x6] = {AT(par) + 5, 0xff},
          [0x7] = {AT(curr), 0xff},    [0x8] = {AT(mar), 0xff},     [0x9] = {AT(mar) + 1, 0xff},
          [0xa] = {AT(mar) + 2, 0xff}, [0xb] = {AT(mar) + 3, 0xff}, [0xc] = {AT(mar) + 4, 0xff},
          [0xd] = {AT(mar) + 5, 0xff}, [0xe] = {AT(mar) + 6, 0xff}, [0xf] = {AT(mar) + 7, 0xff},
},
  page2_read[16] =
      {
          [0x1] = {AT(pstart), 0}, [0x2] = {AT(pstop), 0}, [0x4] = {AT(tpsr), 0},
          [0xc] = {AT(rcr), 0},    [0xd] = {AT(tcr), 0},   [0xe] = {AT(dcr), 0},
          [0xf] = {AT(imr), 0},
},
  no_regs[16];

#define ISR_REG  0x7u
#define ID0_REG  0xau
#define ID1_REG  0xbu
#define MISS_REG 0xfu

static uint8_t reg_read(struct dp8390 *d, unsigned off)
{
    static const struct dp_reg *const pages[] = {page0_read, page1, page2_read, no_regs};
    unsigned page = d->cr >> 6;
    const struct dp_reg *r = &pages[page][off];
    const uint8_t *state = (const uint8_t *)d;
    uint8_t val;

    if (off == 0)
        return d->cr;
    if (page == 0 && (off == ID0_REG || off == ID1_REG)) /* as the RTL8029 names itself */
        return off == ID0_REG ? 0x50 : 0x43;
    if (off == ISR_REG && page == 0)
        return d->isr;
    val = r->at != 0 ? state[r->at] : 0;
    if (page == 0 && off == MISS_REG)
        d->missed = 0;
    return val;
}

/* Ones clear bits. Where the ring is so full that the next frame waits outside, PRX comes again:
 * drivers (Linux's) leave frames in the ring after a number of them and count on the next one's
 * interrupt. */
static void isr_write(struct dp8390 *d, uint8_t val)
{
    d->isr &= (uint8_t) ~(val & 0x7f);
    if (!can_receive(d))
        d->isr |= ISR_PRX;
}

static void reg_write(struct dp8390 *d, unsigned off, uint8_t val)
{
    static const struct dp_reg *const pages[] = {page0_written, page1, no_regs, no_regs};
    unsigned page = d->cr >> 6;
    const struct dp_reg *r = &pages[page][off];
    uint8_t *state = (uint8_t *)d;

    if (off == 0)
        cr_write(d, val);
    else if (page == 0 && off == ISR_REG)
        isr_write(d, val);
    else if (r->at != 0)
        state[r->at] = val & r->mask;
    update_irq(d);
    if (off != 0)
        ring_changed(d);
}

/* What RESET does; other registers keep what they had. */
static void reset_chip(struct dp8390 *d)
{
    d->cr = CR_STP | RD_NONE;
    d->isr = ISR_RST;
    d->imr = 0;
    d->dcr &= (uint8_t)~0x04u;
    d->tcr = 0;
    update_irq(d);
}

uint64_t dp8390_read(struct dp8390 *d, uint32_t off, unsigned n)
{
    uint64_t val = 0;

    if (off >= DATA_PORT && off < RST_PORT)
        return data_read(d, n);
    for (unsigned k = 0; k < n; k++) {
        if (off + k >= RST_PORT) {
            reset_chip(d);
            val |= UINT64_C(0xff) << (8 * k);
        } else if (off + k < DATA_PORT) {
            val |= (uint64_t)reg_read(d, off + k) << (8 * k);
        }
    }
    return val;
}

void dp8390_write(struct dp8390 *d, uint32_t off, unsigned n, uint64_t val)
{
    if (off >= DATA_PORT && off < RST_PORT) {
        data_write(d, n, val);
        return;
    }
    for (unsigned k = 0; k < n && off + k < DATA_PORT; k++)
        reg_write(d, off + k, (uint8_t)(val >> (8 * k)));
}

/* -- Life -------------------------------------------------------------------------------------- */

void dp8390_power_on(struct dp8390 *d)
{
    memset(d, 0, offsetof(struct dp8390, vm));
    reset_chip(d);
}

void dp8390_loaded(struct dp8390 *d)
{
    update_irq(d);
    netdev_accept(d->net);
}

int dp8390_attach(struct dp8390 *d, struct vm *vm, const struct nic_config *cfg,
                  void (*set_irq)(void *owner, bool level), void *owner)
{
    static const struct netdev_ops ops = {can_receive, receive};

    d->vm = vm;
    d->mac = cfg->mac;
    d->set_irq = set_irq;
    d->owner = owner;
    return netdev_attach(vm, cfg->netdev, &ops, d, &d->net);
}

void dp8390_detach(struct dp8390 *d)
{
    netdev_detach(d->net);
}

const struct field dp8390_fields[] = {
    FIELD(struct dp8390, cr),        FIELD(struct dp8390, isr),     FIELD(struct dp8390, imr),
    FIELD(struct dp8390, dcr),       FIELD(struct dp8390, rcr),     FIELD(struct dp8390, tcr),
    FIELD(struct dp8390, tsr),       FIELD(struct dp8390, rsr),     FIELD(struct dp8390, pstart),
    FIELD(struct dp8390, pstop),     FIELD(struct dp8390, bnry),    FIELD(struct dp8390, curr),
    FIELD(struct dp8390, tpsr),      FIELD(struct dp8390, tbcr),    FIELD(struct dp8390, rsar),
    FIELD(struct dp8390, rbcr),      FIELD(struct dp8390, crda),    FIELD_ARRAY(struct dp8390, par),
    FIELD_ARRAY(struct dp8390, mar), FIELD(struct dp8390, missed),  FIELD_ARRAY(struct dp8390, ram),
    UNSAVED(struct dp8390, vm),      UNSAVED(struct dp8390, mac),   UNSAVED(struct dp8390, net),
    UNSAVED(struct dp8390, set_irq), UNSAVED(struct dp8390, owner), FIELDS_END,
};
