/* SPDX-License-Identifier: MIT */
/* Network cards against any sequence of register accesses, frames and descriptors: one of each
 * model on one hub, whose RAM the input writes, and one more end of a cable that sends. */
#include <string.h>

#include "devices/isa.h"
#include "devices/nic.h"
#include "devices/pci.h"
#include "tests/fuzz/traffic.h"
#include "vmm/vmm_internal.h"

#define MODELS   4u
#define MMIO     UINT64_C(0xe0000000) /* of card n: n MiB further */
#define PORTS    0xc000u              /* 100h further */
#define RAM_MASK 0x1fffu              /* rings and buffers of all lie on top of each other */

static const struct netdev_config nets[] = {
    {.id = "a"}, {.id = "b"}, {.id = "c"}, {.id = "d"}, {.id = "wire"}};

static const struct nic_config nics[MODELS] = {
    {.model = "e1000", .netdev = "a", .mac = {0x52, 0x54, 0, 0, 0, 0}, .slot = 4},
    {.model = "rtl8139", .netdev = "b", .mac = {0x52, 0x54, 0, 0, 0, 1}, .slot = 5},
    {.model = "ne2k_pci", .netdev = "c", .mac = {0x52, 0x54, 0, 0, 0, 2}, .slot = 6},
    {.model = "ne2k_isa", .netdev = "d", .mac = {0x52, 0x54, 0, 0, 0, 3}, .iobase = PORTS + 0x300},
};

static bool wire_can_receive(void *dev)
{
    (void)dev;
    return true;
}

static void wire_receive(void *dev, const uint8_t *frame, size_t n)
{
    (void)dev;
    (void)frame;
    REQUIRE(n >= NET_FRAME_MIN && n <= NET_FRAME_MAX);
}

static void map(struct vm *vm, unsigned k)
{
    uint8_t devfn = PCI_DEVFN(4 + k, 0);

    for (unsigned n = 0; n < 2; n++) {
        bool io = pci_config_read(vm, devfn, PCI_BAR0 + 4 * n, 4) & 1;

        pci_config_write(vm, devfn, PCI_BAR0 + 4 * n, 4,
                         io ? PORTS + 0x100 * k : (uint32_t)MMIO + (k << 20));
    }
    pci_config_write(vm, devfn, PCI_COMMAND, 2, 7);
}

static struct vm *create(struct netdev **wire)
{
    static const struct board_row rows[] = {{&pci_class, NULL}, {&nic_class, NULL}, {NULL, NULL}};
    static const struct board board = {"nics", rows};
    static const struct netdev_ops ops = {wire_can_receive, wire_receive};
    static const struct vm_config cfg = {.ram_bytes = UINT64_C(1) << 20,
                                         .netdevs = nets,
                                         .netdev_count = ARRAY_SIZE(nets),
                                         .nics = nics,
                                         .nic_count = MODELS};
    struct vm *vm;

    fake_guest = NULL;
    vm = fake_vm_with(&cfg, &board);
    vm_lock(vm);
    atomic_store(&vm->clock.stopped, NS_PER_SEC);
    REQUIRE(netdev_attach(vm, "wire", &ops, vm, wire) == 0);
    for (unsigned k = 0; k < MODELS; k++)
        map(vm, k);
    vm_unlock(vm);
    return vm;
}

/* A frame to everybody, to one card, or to whom the input says. */
static void send(struct vm *vm, struct netdev *wire, unsigned op, struct input *in)
{
    uint8_t frame[4096] = {0x52, 0x54, 0, 0, 0, (uint8_t)(op & 3)};
    size_t n = input_int(in, 2) % sizeof(frame), head = in->n < 40 ? in->n : 40;

    if (op & 4)
        memset(frame, 0xff, 6);
    memcpy(frame + (op & 8 ? 0 : 12), in->p, head);
    in->p += head;
    in->n -= head;
    vm_lock(vm);
    netdev_send(wire, frame, n);
    vm_unlock(vm);
}

static void write_ram(struct vm *vm, struct input *in)
{
    uint64_t pa = input_int(in, 2) & RAM_MASK & ~7u;
    uint64_t val = input_int(in, 8);

    vm_lock(vm);
    dma_write(vm, pa, &val, sizeof(val));
    vm_unlock(vm);
}

/* Bases of rings and buffers that lead to RAM come up rarely by themselves. */
static uint32_t value(unsigned op, struct input *in)
{
    return op & 8 ? (uint32_t)input_int(in, 4) : (uint32_t)input_int(in, 2) & RAM_MASK;
}

static void card_port(struct vm *vm, unsigned op, struct input *in)
{
    uint16_t port = (uint16_t)(PORTS + 0x100 * (op & 3) + input_u8(in));
    unsigned n = 1u << input_u8(in) % 3;

    if (op & 4)
        bus_port_out(vm, port, n, value(op, in));
    else
        bus_port_in(vm, port, n);
}

/* The registers of the e1000 lie in groups. */
static void card_register(struct vm *vm, unsigned op, struct input *in)
{
    static const uint16_t groups[] = {0x0000, 0x00c0, 0x0100, 0x0400,
                                      0x2800, 0x3800, 0x4000, 0x5000};
    uint64_t at = MMIO + groups[op & 7] + (input_u8(in) & 0x3f) * 4;

    if (op & 16)
        phys_write(fake_cpu_of(vm), at, 4, value(op, in));
    else
        phys_read(fake_cpu_of(vm), at, 4);
}

static void settle(struct vm *vm, struct input *in)
{
    atomic_store(&vm->clock.stopped, clock_now(vm) + (input_int(in, 2) << 6));
    vm_lock(vm);
    clock_fire(vm, 20);
    netdevs_pump(vm);
    vm_unlock(vm);
}

/* Save, reset and load are the same as nothing. */
static void restore(struct vm *vm)
{
    size_t bytes, again;
    uint8_t *before = traffic_save(vm, &bytes), *after;

    vm_lock(vm);
    vm_reset_locked(vm);
    vm_unlock(vm);
    traffic_load(vm, before);
    after = traffic_save(vm, &again);
    REQUIRE(bytes == again && memcmp(before, after, bytes) == 0);
    free(before);
    free(after);
}

static void step(struct vm *vm, struct netdev *wire, struct input *in)
{
    unsigned op = input_u8(in);

    switch (op >> 5) {
    case 0: send(vm, wire, op, in); break;
    case 1: settle(vm, in); break;
    case 2: write_ram(vm, in); break;
    case 3:
    case 4: card_register(vm, op, in); break;
    case 5: traffic_phys(vm, MMIO + input_int(in, 3), op, in); break;
    default: card_port(vm, op, in); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct netdev *wire;
    struct vm *vm = create(&wire);

    while (in.n > 0)
        step(vm, wire, &in);
    restore(vm);
    vm_destroy(vm);
    return 0;
}
