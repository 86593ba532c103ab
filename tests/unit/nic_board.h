/* SPDX-License-Identifier: MIT */
/* A machine that is PCI and one network card, and no processor: for users of fake_cpu.h. The card's
 * cable ends at the test. */
#ifndef TESTS_NIC_BOARD_H
#define TESTS_NIC_BOARD_H

#include <string.h>

#include "devices/ether.h"
#include "devices/isa.h"
#include "devices/nic.h"
#include "devices/pci.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define NIC_DEVFN PCI_DEVFN(3, 0)
#define NIC_MMIO  0xe0000000u
#define NIC_PORTS 0xc000u

#define MAC       0x52, 0x54, 0x00, 0x12, 0x34, 0x56
#define OTHER_MAC 0x52, 0x54, 0x00, 0x12, 0x34, 0x57

static const struct board_row nic_rows[] = {{&pci_class, NULL}, {&nic_class, NULL}, {NULL, NULL}};
static const struct board nic_board = {"nic", nic_rows};

/* The other end of the cable. */
struct wire {
    struct netdev *net;
    bool blocked;   /* takes nothing */
    unsigned count; /* frames that came, of which the last is here, and some before it */
    size_t len;
    uint8_t frame[NET_FRAME_MAX];
    uint8_t seen[64][128]; /* each one's beginning */
};

static inline bool wire_can_receive(void *dev)
{
    return !((struct wire *)dev)->blocked;
}

static inline void wire_receive(void *dev, const uint8_t *frame, size_t len)
{
    struct wire *w = dev;

    memcpy(w->frame, frame, len);
    memcpy(w->seen[w->count % 64], frame, len < 128 ? len : 128);
    w->len = len;
    w->count++;
}

/* With its BARs mapped: memory at NIC_MMIO, ports at NIC_PORTS. */
static inline struct vm *nic_vm(const char *model, struct wire *w)
{
    static const struct netdev_ops ops = {wire_can_receive, wire_receive};
    static const struct netdev_config nets[] = {{.id = "card"}, {.id = "wire"}};
    static struct nic_config nic = {.netdev = "card", .mac = {MAC}, .iobase = NIC_PORTS, .irq = 9};
    struct vm_config cfg = {.ram_bytes = UINT64_C(4) << 20,
                            .netdevs = nets,
                            .netdev_count = 2,
                            .nics = &nic,
                            .nic_count = 1};
    struct vm *vm;

    nic.model = model;
    fake_guest = NULL;
    vm = fake_vm_with(&cfg, &nic_board);
    memset(w, 0, sizeof(*w));
    vm_lock(vm);
    netdev_attach(vm, "wire", &ops, w, &w->net);
    for (unsigned n = 0; n < 2; n++) {
        bool io = pci_config_read(vm, NIC_DEVFN, PCI_BAR0 + 4 * n, 4) & 1;

        pci_config_write(vm, NIC_DEVFN, PCI_BAR0 + 4 * n, 4, io ? NIC_PORTS : NIC_MMIO);
    }
    pci_config_write(vm, NIC_DEVFN, PCI_COMMAND, 2, 7);
    vm_unlock(vm);
    return vm;
}

/* Let everything arrive that is under way. */
static inline void nic_pump(struct vm *vm)
{
    vm_lock(vm);
    while (netdevs_pump(vm))
        ;
    vm_unlock(vm);
}

/* Let time pass. */
static inline void nic_wait(struct vm *vm, uint64_t ns)
{
    atomic_store(&vm->clock.stopped, clock_now(vm) + ns);
    vm_lock(vm);
    while (clock_fire(vm, 100))
        ;
    vm_unlock(vm);
    nic_pump(vm);
}

/* A frame for the card. */
static inline void wire_send(struct vm *vm, struct wire *w, const uint8_t *frame, size_t len)
{
    vm_lock(vm);
    netdev_send(w->net, frame, len);
    vm_unlock(vm);
    nic_pump(vm);
}

/* The level of the card's INTA#. */
static inline bool nic_intx(struct vm *vm)
{
    bool level;

    vm_lock(vm);
    level = pci_config_read(vm, NIC_DEVFN, PCI_STATUS, 2) & PCI_STATUS_INTX;
    vm_unlock(vm);
    return level;
}

static inline void ram_put(struct vm *vm, uint64_t pa, const void *src, size_t n)
{
    vm_lock(vm);
    dma_write(vm, pa, src, n);
    vm_unlock(vm);
}

static inline void ram_get(struct vm *vm, uint64_t pa, void *dst, size_t n)
{
    vm_lock(vm);
    dma_read(vm, pa, dst, n);
    vm_unlock(vm);
}

/* A frame of n bytes from the other end: addresses, type 88B5 (for experiments), numbers. */
static inline const uint8_t *make_frame(uint8_t *frame, size_t n, const uint8_t to[6])
{
    static const uint8_t head[] = {OTHER_MAC, 0x88, 0xb5};

    memcpy(frame, to, 6);
    memcpy(frame + 6, head, sizeof(head));
    for (size_t k = ETHER_HEADER; k < n; k++)
        frame[k] = (uint8_t)(k * 7);
    return frame;
}

static const uint8_t to_card[6] = {MAC};
static const uint8_t to_other[6] = {OTHER_MAC};
static const uint8_t to_all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t to_group[6] = {0x01, 0x00, 0x5e, 0x01, 0x02, 0x03};

#endif
