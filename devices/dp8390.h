/* SPDX-License-Identifier: MIT */
/* National Semiconductor's DP8390 network interface controller with the memory and the ports of
 * Novell's NE2000 around it: what the ISA and the PCI card have in common. */
#ifndef DEVICES_DP8390_H
#define DEVICES_DP8390_H

#include "vmm/device.h"
#include "vmm/netdev.h"

#define DP8390_PORTS 32
#define DP8390_RAM   (32u << 10) /* at 4000h of its addresses; a PROM is at 0 */

struct dp8390 {
    uint8_t cr, isr, imr, dcr, rcr, tcr, tsr, rsr;
    uint8_t pstart, pstop, bnry, curr; /* pages of the receive ring */
    uint8_t tpsr;
    uint16_t tbcr;
    uint16_t rsar, rbcr; /* remote DMA */
    uint16_t crda;       /* where it is */
    uint8_t par[NET_MAC_LEN];
    uint8_t mar[8];
    uint8_t missed; /* CNTR2 */
    uint8_t ram[DP8390_RAM];
    struct vm *vm;
    const uint8_t *mac;
    struct netdev *net;
    void (*set_irq)(void *owner, bool level);
    void *owner;
};

extern const struct field dp8390_fields[];

/* In realize: plug it in. 0 or -errno with a text. */
int dp8390_attach(struct dp8390 *d, struct vm *vm, const struct nic_config *cfg,
                  void (*set_irq)(void *owner, bool level), void *owner);
void dp8390_detach(struct dp8390 *d);
void dp8390_power_on(struct dp8390 *d);
/* After the fields were loaded. */
void dp8390_loaded(struct dp8390 *d);

/* Its ports: registers, data at 10h-17h, reset at 18h-1Fh. */
uint64_t dp8390_read(struct dp8390 *d, uint32_t off, unsigned n);
void dp8390_write(struct dp8390 *d, uint32_t off, unsigned n, uint64_t val);

#endif
