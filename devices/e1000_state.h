/* SPDX-License-Identifier: MIT */
/* The state of an 82540EM, and what its files share: e1000.c has registers and interrupts,
 * e1000_phy.c the PHY and the EEPROM, e1000_tx.c and e1000_rx.c the two directions. */
#ifndef DEVICES_E1000_STATE_H
#define DEVICES_E1000_STATE_H

#include "devices/e1000_regs.h"
#include "devices/eeprom93.h"
#include "devices/pci.h"
#include "vmm/clock.h"
#include "vmm/netdev.h"
#include "vmm/vm.h"

#define E1000_PHY_REGS 32
#define E1000_TX_MAX   (65536u + 256u) /* the largest packet that is segmented, and its headers */

/* A context: what the card is to do with the data descriptors after it. */
struct e1000_context {
    uint8_t ipcss, ipcso, tucss, tucso; /* where sums start and where they go */
    uint16_t ipcse, tucse;              /* the last byte that is summed; 0: the packet's */
    uint32_t paylen;
    uint16_t mss;
    uint8_t hdrlen, tucmd;
};

struct e1000_tx {
    struct e1000_context context[2]; /* of packets that are sent as they are, and segmented */
    bool started;                    /* a packet's first descriptor was met */
    bool segmented;                  /* the packet's first descriptor says so */
    bool legacy;
    uint8_t options; /* of the packet's first descriptor */
    uint32_t len;    /* of what is collected; beyond E1000_TX_MAX the packet is lost */
    bool cutting;    /* a packet is being sent in segments, so many and so much payload of it */
    uint32_t cut_count, cut_at;
    uint8_t data[E1000_TX_MAX];
};

struct e1000 {
    struct pci_device pci;
    uint32_t mac[E1000_REGS_END / 4]; /* registers by offset */
    uint32_t io_address;              /* IOADDR */
    uint16_t phy[E1000_PHY_REGS];
    struct eeprom93 eeprom;
    struct e1000_tx tx;
    struct timer throttle; /* until then INTA# is not asserted again (ITR) */
    struct timer rx_delay; /* then RXT0 (RDTR, RADV) */
    struct timer tx_delay; /* then TXDW (TIDV, TADV) */
    struct timer more;     /* then the rest of the transmit ring */
    uint64_t rx_latest;    /* RADV's end for what waits */
    uint64_t tx_latest;    /* TADV's */
    const struct nic_config *cfg;
    struct netdev *net;
};

static inline uint32_t *e1000_reg(struct e1000 *s, unsigned off)
{
    return &s->mac[off / 4];
}

static inline uint32_t e1000_get(const struct e1000 *s, unsigned off)
{
    return s->mac[off / 4];
}

/* Set bits of ICR. */
void e1000_raise(struct e1000 *s, uint32_t causes);
/* Statistics: one more; and a length in a pair. They stick at their ends. */
void e1000_count(struct e1000 *s, unsigned off);
void e1000_count_bytes(struct e1000 *s, unsigned off, uint32_t n);
/* What was sent or received, by its kind and length (with the CRC): `sizes` is PRC64 or PTC64. */
void e1000_count_frame(struct e1000 *s, const uint8_t *frame, uint32_t len, unsigned sizes,
                       unsigned broadcast, unsigned multicast);
/* The base of a ring and its length in descriptors, at RDBAL or TDBAL. */
uint64_t e1000_ring(const struct e1000 *s, unsigned off, uint32_t *count);
/* Arm a delay timer: `ticks` of 1.024 us from now, but no later than `latest`. */
void e1000_delay(struct e1000 *s, struct timer *t, uint32_t ticks, uint64_t latest);
uint64_t e1000_ticks_ns(uint32_t ticks);

void e1000_phy_reset(struct e1000 *s);
void e1000_mdic_write(struct e1000 *s, uint32_t val);
bool e1000_phy_is_looped(const struct e1000 *s);
bool e1000_is_linked(const struct e1000 *s);
void e1000_eeprom_fill(struct e1000 *s);
void e1000_eecd_write(struct e1000 *s, uint32_t val);
void e1000_eerd_write(struct e1000 *s, uint32_t val);

/* Send what is in the ring, or begin to. */
void e1000_transmit(struct e1000 *s);
void e1000_tx_reset(struct e1000 *s);
void e1000_tx_check(struct e1000 *s);
extern const struct field e1000_tx_fields[];

/* Of struct netdev_ops. */
bool e1000_can_receive(void *dev);
void e1000_receive(void *dev, const uint8_t *frame, size_t len);

#endif
