/* SPDX-License-Identifier: MIT */
/* Intel 82540EM gigabit Ethernet controller, the card that QEMU calls e1000 (PCI/PCI-X Family of
 * Gigabit Ethernet Controllers Software Developer's Manual, 317453): PCI function 8086:100E with
 * its registers as memory in BAR 0 and through an address and a data port in BAR 1.
 *
 * Registers are words in one array; a table says which exist, which bits can be written, and what a
 * write sets off. Interrupts: causes gather in ICR; INTA# is asserted while an enabled one is
 * there, but not sooner after the last time than ITR says. Left out: the link's speed is always
 * 1000 Mb/s, flow control frames, wake-up, management, the packet buffer's memory. */
#include "devices/e1000.h"

#include <string.h>

#include "devices/e1000_state.h"
#include "devices/ether.h"
#include "devices/nic.h"

#define MMIO_SIZE 0x20000u
#define IO_SIZE   64u
#define IOADDR    0u
#define IODATA    4u
#define RING_SIZE 0xfff80u /* RDLEN and TDLEN: bytes, in steps of 128 */

/* -- Interrupts -------------------------------------------------------------------------------- */

static struct vm *vm_of(const struct e1000 *s)
{
    return s->pci.dev.vm;
}

static bool is_waiting(const struct timer *t)
{
    return t->due_ns != TIMER_IDLE;
}

static void update_intx(struct e1000 *s)
{
    bool wanted = e1000_get(s, E1000_ICR) & e1000_get(s, E1000_IMS);
    uint64_t interval = (e1000_get(s, E1000_ITR) & 0xffff) * UINT64_C(256);

    if (!wanted || s->pci.intx) {
        pci_set_intx(&s->pci, wanted);
        return;
    }
    if (is_waiting(&s->throttle))
        return;
    if (interval != 0)
        timer_arm(vm_of(s), &s->throttle, clock_now(vm_of(s)) + interval);
    pci_set_intx(&s->pci, true);
}

static void throttle_due(void *opaque)
{
    update_intx(opaque);
}

void e1000_raise(struct e1000 *s, uint32_t causes)
{
    *e1000_reg(s, E1000_ICR) |= causes & INT_ALL;
    update_intx(s);
}

static void rx_delay_due(void *opaque)
{
    e1000_raise(opaque, INT_RXT0);
}

static void tx_delay_due(void *opaque)
{
    e1000_raise(opaque, INT_TXDW);
}

static void more_due(void *opaque)
{
    e1000_transmit(opaque);
}

uint64_t e1000_ticks_ns(uint32_t ticks)
{
    return (ticks & 0xffff) * UINT64_C(1024);
}

void e1000_delay(struct e1000 *s, struct timer *t, uint32_t ticks, uint64_t latest)
{
    uint64_t due = clock_now(vm_of(s)) + e1000_ticks_ns(ticks);

    timer_arm(vm_of(s), t, due < latest ? due : latest);
}

/* -- Statistics and rings ---------------------------------------------------------------------- */

void e1000_count(struct e1000 *s, unsigned off)
{
    uint32_t *reg = e1000_reg(s, off);

    if (*reg != UINT32_MAX)
        ++*reg;
}

void e1000_count_bytes(struct e1000 *s, unsigned off, uint32_t n)
{
    uint32_t *low = e1000_reg(s, off), *high = e1000_reg(s, off + 4);
    uint64_t old = *low | (uint64_t)*high << 32, sum = old + n;

    if (sum < old)
        sum = UINT64_MAX;
    *low = (uint32_t)sum;
    *high = (uint32_t)(sum >> 32);
}

void e1000_count_frame(struct e1000 *s, const uint8_t *frame, uint32_t len, unsigned sizes,
                       unsigned broadcast, unsigned multicast)
{
    static const uint16_t below[] = {65, 128, 256, 512, 1024};
    unsigned k = 0;

    while (k < sizeof(below) / sizeof(below[0]) && len >= below[k])
        k++;
    e1000_count(s, sizes + 4 * k);
    if (ether_is_broadcast(frame))
        e1000_count(s, broadcast);
    else if (ether_is_multicast(frame))
        e1000_count(s, multicast);
}

uint64_t e1000_ring(const struct e1000 *s, unsigned off, uint32_t *count)
{
    *count = (e1000_get(s, off + (E1000_RDLEN - E1000_RDBAL)) & RING_SIZE) / 16;
    return (e1000_get(s, off) & ~UINT32_C(15)) | (uint64_t)e1000_get(s, off + 4) << 32;
}

/* -- Registers with effects -------------------------------------------------------------------- */

static void reset_mac(struct e1000 *s);

static void ctrl_write(struct e1000 *s, uint32_t val)
{
    if (val & CTRL_RST) {
        reset_mac(s);
        return;
    }
    if (val & CTRL_PHY_RST)
        e1000_phy_reset(s);
    *e1000_reg(s, E1000_CTRL) = val & ~(CTRL_RST | CTRL_PHY_RST);
}

static void icr_write(struct e1000 *s, uint32_t val)
{
    *e1000_reg(s, E1000_ICR) &= ~val;
    update_intx(s);
}

static void ics_write(struct e1000 *s, uint32_t val)
{
    e1000_raise(s, val);
}

static void ims_write(struct e1000 *s, uint32_t val)
{
    *e1000_reg(s, E1000_IMS) |= val & INT_ALL;
    update_intx(s);
}

static void imc_write(struct e1000 *s, uint32_t val)
{
    *e1000_reg(s, E1000_IMS) &= ~val;
    update_intx(s);
}

/* Frames that waited for the receiver, or for descriptors, can come. */
static void receiver_write(struct e1000 *s, uint32_t val)
{
    (void)val;
    if (e1000_can_receive(s))
        netdev_accept(s->net);
}

static void rdtr_write(struct e1000 *s, uint32_t val)
{
    *e1000_reg(s, E1000_RDTR) = val & 0xffff;
    if ((val & DELAY_FPD) && is_waiting(&s->rx_delay)) {
        timer_cancel(vm_of(s), &s->rx_delay);
        e1000_raise(s, INT_RXT0);
    }
}

static void transmitter_write(struct e1000 *s, uint32_t val)
{
    (void)val;
    e1000_transmit(s);
}

/* -- The table of registers -------------------------------------------------------------------- */

#define CLEARS 1 /* reading clears it */
#define CUSTOM 2 /* `written` stores the value */

static const struct reg {
    uint16_t off, count; /* words */
    uint32_t writable;
    uint8_t flags;
    void (*written)(struct e1000 *s, uint32_t val);
} regs[] = {
    {E1000_CTRL, 1, UINT32_MAX, CUSTOM, ctrl_write},
    {E1000_STATUS, 1, 0, 0, NULL},
    {E1000_EECD, 1, UINT32_MAX, CUSTOM, e1000_eecd_write},
    {E1000_EERD, 1, UINT32_MAX, CUSTOM, e1000_eerd_write},
    {E1000_CTRL_EXT, 1, UINT32_MAX, 0, NULL},
    {E1000_MDIC, 1, UINT32_MAX, CUSTOM, e1000_mdic_write},
    {E1000_FCAL, 3, UINT32_MAX, 0, NULL},
    {E1000_VET, 1, 0xffff, 0, NULL},
    {E1000_ICR, 1, UINT32_MAX, CUSTOM | CLEARS, icr_write},
    {E1000_ITR, 1, 0xffff, 0, NULL},
    {E1000_ICS, 1, UINT32_MAX, CUSTOM, ics_write},
    {E1000_IMS, 1, UINT32_MAX, CUSTOM, ims_write},
    {E1000_IMC, 1, UINT32_MAX, CUSTOM, imc_write},
    {E1000_RCTL, 1, 0x07ffffff, 0, receiver_write},
    {E1000_FCTTV, 1, 0xffff, 0, NULL},
    {E1000_TXCW, 1, UINT32_MAX, 0, NULL},
    {E1000_RXCW, 1, 0, 0, NULL},
    {E1000_TCTL, 1, UINT32_MAX, 0, transmitter_write},
    {E1000_TIPG, 1, UINT32_MAX, 0, NULL},
    {E1000_AIT, 1, UINT32_MAX, 0, NULL},
    {E1000_LEDCTL, 1, UINT32_MAX, 0, NULL},
    {E1000_PBA, 1, UINT32_MAX, 0, NULL},
    {E1000_FCRTL, 1, UINT32_MAX, 0, NULL},
    {E1000_FCRTH, 1, UINT32_MAX, 0, NULL},
    {E1000_RDBAL, 1, 0xfffffff0, 0, NULL},
    {E1000_RDBAH, 1, UINT32_MAX, 0, NULL},
    {E1000_RDLEN, 1, RING_SIZE, 0, receiver_write},
    {E1000_RDH, 1, 0xffff, 0, receiver_write},
    {E1000_RDT, 1, 0xffff, 0, receiver_write},
    {E1000_RDTR, 1, UINT32_MAX, CUSTOM, rdtr_write},
    {E1000_RXDCTL, 1, UINT32_MAX, 0, NULL},
    {E1000_RADV, 1, 0xffff, 0, NULL},
    {E1000_RSRPD, 1, 0xfff, 0, NULL},
    {E1000_TXDMAC, 1, UINT32_MAX, 0, NULL},
    {E1000_TDBAL, 1, 0xfffffff0, 0, NULL},
    {E1000_TDBAH, 1, UINT32_MAX, 0, NULL},
    {E1000_TDLEN, 1, RING_SIZE, 0, NULL},
    {E1000_TDH, 1, 0xffff, 0, NULL},
    {E1000_TDT, 1, 0xffff, 0, transmitter_write},
    {E1000_TIDV, 1, 0xffff, 0, NULL},
    {E1000_TXDCTL, 1, UINT32_MAX, 0, NULL},
    {E1000_TADV, 1, 0xffff, 0, NULL},
    {E1000_TSPMT, 1, UINT32_MAX, 0, NULL},
    {E1000_STATS, 74, 0, CLEARS, NULL},
    {E1000_RXCSUM, 1, 0x7ff, 0, NULL},
    {E1000_MTA, 128, UINT32_MAX, 0, NULL},
    {E1000_RA, 32, UINT32_MAX, 0, NULL},
    {E1000_VFTA, 128, UINT32_MAX, 0, NULL},
    {E1000_WUC, (E1000_REGS_END - E1000_WUC) / 4, UINT32_MAX, 0, NULL},
};

static const struct reg *find(uint32_t off)
{
    for (unsigned k = 0; k < sizeof(regs) / sizeof(regs[0]); k++) {
        if (off >= regs[k].off && (off - regs[k].off) / 4 < regs[k].count)
            return &regs[k];
    }
    return NULL;
}

static uint32_t read_status(const struct e1000 *s)
{
    uint32_t val = STATUS_1000 | (e1000_get(s, E1000_CTRL) & CTRL_FD ? STATUS_FD : 0);

    return e1000_is_linked(s) ? val | STATUS_LU : val;
}

static uint32_t reg_read(struct e1000 *s, uint32_t off)
{
    const struct reg *r = find(off);
    uint32_t val;

    if (r == NULL)
        return 0;
    val = off == E1000_STATUS ? read_status(s) : e1000_get(s, off);
    if (r->flags & CLEARS) {
        *e1000_reg(s, off) = 0;
        update_intx(s);
    }
    return val;
}

static void reg_write(struct e1000 *s, uint32_t off, uint32_t val)
{
    const struct reg *r = find(off);

    if (r == NULL)
        return;
    if (!(r->flags & CUSTOM)) {
        uint32_t *reg = e1000_reg(s, off);

        *reg = (*reg & ~r->writable) | (val & r->writable);
    }
    if (r->written != NULL)
        r->written(s, val);
}

static uint64_t mmio_read(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return reg_read(dev, off);
}

static void mmio_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    (void)n;
    reg_write(dev, off, (uint32_t)val);
}

static uint64_t io_read(void *dev, uint32_t off, unsigned n)
{
    struct e1000 *s = dev;

    (void)n;
    return off == IOADDR ? s->io_address : off == IODATA ? reg_read(s, s->io_address & ~3u) : 0;
}

static void io_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct e1000 *s = dev;

    (void)n;
    if (off == IOADDR)
        s->io_address = (uint32_t)val & (MMIO_SIZE - 1);
    else if (off == IODATA)
        reg_write(s, s->io_address & ~3u, (uint32_t)val);
}

/* -- Life -------------------------------------------------------------------------------------- */

static void load_address(struct e1000 *s)
{
    uint32_t *ra = e1000_reg(s, E1000_RA);

    ra[0] = s->eeprom.word[0] | (uint32_t)s->eeprom.word[1] << 16;
    ra[1] = s->eeprom.word[2] | RAH_AV;
}

/* RST of CTRL: the PHY and the PCI function go on. */
static void reset_mac(struct e1000 *s)
{
    struct timer *const timers[] = {&s->throttle, &s->rx_delay, &s->tx_delay, &s->more};

    for (unsigned k = 0; k < sizeof(timers) / sizeof(timers[0]); k++)
        timer_cancel(vm_of(s), timers[k]);
    memset(s->mac, 0, sizeof(s->mac));
    e1000_tx_reset(s);
    s->rx_latest = s->tx_latest = UINT64_MAX;
    *e1000_reg(s, E1000_CTRL) = CTRL_FD | CTRL_ASDE | CTRL_SLU | CTRL_1000;
    *e1000_reg(s, E1000_EECD) = EECD_PRES;
    *e1000_reg(s, E1000_VET) = ETHER_TYPE_VLAN;
    *e1000_reg(s, E1000_PBA) = 0x00100030;
    *e1000_reg(s, E1000_LEDCTL) = 0x07061302;
    load_address(s);
    pci_set_intx(&s->pci, false);
}

static void reset(struct device *d)
{
    struct e1000 *s = (struct e1000 *)d;

    pci_device_reset(&s->pci);
    eeprom93_reset(&s->eeprom);
    e1000_phy_reset(s);
    reset_mac(s);
    s->io_address = 0;
}

static void loaded(struct device *d)
{
    struct e1000 *s = (struct e1000 *)d;

    e1000_tx_check(s);
    eeprom93_check(&s->eeprom);
    s->io_address &= MMIO_SIZE - 1;
    pci_device_loaded(&s->pci);
    netdev_accept(s->net);
}

static int realize(struct device *d)
{
    static const struct pci_ident id = {
        .vendor = 0x8086, .device = 0x100e, .class_code = 0x0200, .revision = 3, .irq_pin = 1};
    static const struct io_ops mmio_ops = {mmio_read, mmio_write, IO_32};
    static const struct io_ops port_ops = {io_read, io_write, IO_32};
    static const struct netdev_ops net_ops = {e1000_can_receive, e1000_receive};
    struct e1000 *s = (struct e1000 *)d;
    int err;

    s->cfg = d->cfg;
    timer_init(&s->throttle, throttle_due, s);
    timer_init(&s->rx_delay, rx_delay_due, s);
    timer_init(&s->tx_delay, tx_delay_due, s);
    timer_init(&s->more, more_due, s);
    e1000_eeprom_fill(s);
    err = pci_register(&s->pci, nic_devfn(d->vm, s->cfg), &id);
    if (err != 0)
        return err;
    pci_add_mem_bar(
        &s->pci, 0, PCI_BAR_MEM,
        &(struct region){
            .name = "e1000", .size = MMIO_SIZE, .kind = REGION_MMIO, .ops = &mmio_ops, .dev = s});
    pci_add_io_bar(&s->pci, 1, IO_SIZE, &port_ops, s);
    err = netdev_attach(d->vm, s->cfg->netdev, &net_ops, s, &s->net);
    if (err != 0)
        pci_unregister(&s->pci);
    return err;
}

static void unrealize(struct device *d)
{
    struct e1000 *s = (struct e1000 *)d;

    netdev_detach(s->net);
    pci_unregister(&s->pci);
}

static const struct field e1000_fields[] = {
    FIELD_SUB(struct e1000, pci, pci_device_fields),
    FIELD_ARRAY(struct e1000, mac),
    FIELD(struct e1000, io_address),
    FIELD_ARRAY(struct e1000, phy),
    FIELD_SUB(struct e1000, eeprom, eeprom93_fields),
    FIELD_SUB(struct e1000, tx, e1000_tx_fields),
    FIELD_TIMER(struct e1000, throttle),
    FIELD_TIMER(struct e1000, rx_delay),
    FIELD_TIMER(struct e1000, tx_delay),
    FIELD_TIMER(struct e1000, more),
    FIELD(struct e1000, rx_latest),
    FIELD(struct e1000, tx_latest),
    UNSAVED(struct e1000, cfg),
    UNSAVED(struct e1000, net),
    FIELDS_END,
};

const struct device_class e1000_class = {
    .name = "e1000",
    .desc = "Intel 82540EM gigabit Ethernet card",
    .size = sizeof(struct e1000),
    .fields = e1000_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
