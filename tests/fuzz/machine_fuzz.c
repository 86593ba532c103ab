/* SPDX-License-Identifier: MIT */
/* The whole PC, with all network cards and drives: DMA of one device over the rings, tables and
 * command blocks of others, wherever the input puts them, and anything else (traffic.h) in
 * between. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/ide.h"
#include "devices/nic.h"
#include "devices/pci.h"
#include "tests/fuzz/traffic.h"
#include "vmm/vmm_internal.h"

#define CARDS      4u
#define MMIO       UINT64_C(0xe0000000) /* of slot n: n MiB further */
#define PORTS      0xc000u              /* 100h further */
#define BM         0xd000u
#define BLOCKS     UINT64_C(0x1000) /* rings, tables, command blocks */
#define BLOCK_MASK 0x1fffu
#define DISK_BYTES (320u << 10)

static const struct netdev_config nets[] = {
    {.id = "a"}, {.id = "b"}, {.id = "c"}, {.id = "d"}, {.id = "wire"}};

static const struct nic_config nics[CARDS] = {
    {.model = "e1000", .netdev = "a", .mac = {0x52, 0x54, 0, 0, 0, 0}, .slot = 4},
    {.model = "rtl8139", .netdev = "b", .mac = {0x52, 0x54, 0, 0, 0, 1}, .slot = 5},
    {.model = "ne2k_pci", .netdev = "c", .mac = {0x52, 0x54, 0, 0, 0, 2}, .slot = 6},
    {.model = "ne2k_isa", .netdev = "d", .mac = {0x52, 0x54, 0, 0, 0, 3}, .iobase = 0x300},
};

static bool wire_can_receive(void *dev)
{
    (void)dev;
    return true;
}

static void wire_receive(void *dev, const uint8_t *data, size_t n)
{
    (void)dev;
    (void)data;
    REQUIRE(n >= NET_FRAME_MIN && n <= NET_FRAME_MAX);
}

/* Files without names, as long as this process lives. */
static const char *image(unsigned n)
{
    static char names[3][32];

    if (names[n][0] == '\0') {
        int fd = memfd_create("image", MFD_CLOEXEC);

        REQUIRE(fd >= 0 && ftruncate(fd, DISK_BYTES) == 0);
        snprintf(names[n], sizeof(names[n]), "/proc/self/fd/%d", fd);
    }
    return names[n];
}

/* Functions' ports and memory to where the accesses below look for them. */
static void place(struct vm *vm)
{
    vm_lock(vm);
    for (unsigned slot = 2; slot < 7; slot++) {
        for (unsigned n = 0; n < 2; n++) {
            uint8_t devfn = PCI_DEVFN(slot, 0), bar = (uint8_t)(PCI_BAR0 + 4 * n);
            bool io = pci_config_read(vm, devfn, bar, 4) & 1;

            pci_config_write(vm, devfn, bar, 4,
                             io ? PORTS + 0x100 * slot : (uint32_t)MMIO + (slot << 24));
            pci_config_write(vm, devfn, PCI_COMMAND, 2, 7);
        }
    }
    pci_config_write(vm, IDE_DEVFN, PCI_BAR0 + 16, 4, BM);
    pci_config_write(vm, IDE_DEVFN, PCI_COMMAND, 2, 5);
    vm_unlock(vm);
}

static struct vm *create(struct netdev **wire)
{
    static const struct netdev_ops ops = {wire_can_receive, wire_receive};
    const struct drive_config drives[] = {
        {.image = {.file = image(0), .format = "raw"}},
        {.index = 2, .media = DRIVE_CDROM, .image = {.file = image(1), .format = "raw"}},
        {.interface = DRIVE_FLOPPY, .image = {.file = image(2), .format = "raw"}},
    };
    struct vm *vm = traffic_vm_with((struct vm_config){.netdevs = nets,
                                                       .netdev_count = ARRAY_SIZE(nets),
                                                       .nics = nics,
                                                       .nic_count = CARDS,
                                                       .drives = drives,
                                                       .drive_count = ARRAY_SIZE(drives)});

    place(vm);
    vm_lock(vm);
    REQUIRE(netdev_attach(vm, "wire", &ops, vm, wire) == 0);
    vm_unlock(vm);
    return vm;
}

/* -- Steps ------------------------------------------------------------------------------------- */

/* Addresses that lead to the blocks, to RAM's end, and to anywhere. */
static uint64_t address(unsigned op, struct input *in)
{
    switch (op & 3) {
    case 0: return TRAFFIC_RAM - 16 + (input_u8(in) & 31);
    case 1: return input_int(in, 8);
    default: return BLOCKS + (input_int(in, 2) & BLOCK_MASK);
    }
}

static void write_block(struct vm *vm, unsigned op, struct input *in)
{
    uint64_t at = BLOCKS + (input_int(in, 2) & BLOCK_MASK & ~7u);
    uint64_t data[2] = {address(op, in), input_int(in, 8)};

    vm_lock(vm);
    dma_write(vm, at, data, sizeof(data));
    vm_unlock(vm);
}

static void run_fwcfg(struct vm *vm, unsigned op, struct input *in)
{
    uint64_t at = BLOCKS + (input_int(in, 2) & BLOCK_MASK), to = address(op, in);
    uint32_t control = (uint32_t)input_u8(in) << 16 | (op & 8 ? 0x0a : input_u8(in));
    uint32_t len = (uint32_t)input_int(in, op & 16 ? 4 : 1);
    uint32_t block[4] = {__builtin_bswap32(control), __builtin_bswap32(len),
                         __builtin_bswap32((uint32_t)(to >> 32)), __builtin_bswap32((uint32_t)to)};

    vm_lock(vm);
    dma_write(vm, at, block, sizeof(block));
    vm_unlock(vm);
    bus_port_out(vm, 0x518, 4, __builtin_bswap32((uint32_t)at));
}

/* A command of the IDE controller's, with DMA. */
static void run_ide(struct vm *vm, unsigned op, struct input *in)
{
    uint16_t base = op & 4 ? 0x170 : 0x1f0, bm = (uint16_t)(BM + (op & 4) * 2);
    static const uint8_t commands[] = {0xc8, 0xca, 0x25, 0x35, 0xa0, 0x20, 0x30, 0xec};

    bus_port_out(vm, base + 6, 1, 0xe0);
    bus_port_out(vm, base + 2, 1, input_u8(in));
    bus_port_out(vm, base + 3, 1, input_u8(in));
    bus_port_out(vm, bm + 4, 4, (uint32_t)address(op, in));
    bus_port_out(vm, base + 7, 1, commands[input_u8(in) % sizeof(commands)]);
    bus_port_out(vm, bm, 1, op & 8 ? 9 : 1);
    vm_lock(vm);
    drives_drain(vm);
    vm_unlock(vm);
}

/* DMA channel 2, and a floppy's sectors through it. */
static void run_floppy(struct vm *vm, unsigned op, struct input *in)
{
    static const uint8_t read[] = {0xe6, 0, 0, 0, 1, 2, 9, 0x1b, 0xff};
    uint32_t to = (uint32_t)address(op, in);
    const uint16_t writes[][2] = {{0x0c, 0},
                                  {0x0b, (input_u8(in) & 0xfc) | 2},
                                  {0x04, to & 0xff},
                                  {0x04, to >> 8 & 0xff},
                                  {0x81, to >> 16 & 0xff},
                                  {0x05, input_u8(in)},
                                  {0x05, input_u8(in)},
                                  {0x0a, 2}};

    bus_port_out(vm, 0x3f2, 1, 0x1c);
    for (unsigned k = 0; k < ARRAY_SIZE(writes); k++)
        bus_port_out(vm, writes[k][0], 1, writes[k][1]);
    for (unsigned k = 0; k < sizeof(read); k++)
        bus_port_out(vm, 0x3f5, 1, k == 0 && op & 8 ? input_u8(in) : read[k]);
    traffic_wait(vm, 10000000);
    vm_lock(vm);
    drives_drain(vm);
    vm_unlock(vm);
}

/* A register of a card gets an address or a number. */
static void card_register(struct vm *vm, unsigned op, struct input *in)
{
    static const uint16_t e1000[] = {0x100,  0x400,  0x2800, 0x2808, 0x2810, 0x2818,
                                     0x3800, 0x3808, 0x3810, 0x3818, 0xd0,   0xc8};
    unsigned slot = 4 + (op >> 2) % 3, reg = input_u8(in);
    uint32_t val = (uint32_t)address(op, in);

    if (slot == 4)
        phys_write(fake_cpu_of(vm), MMIO + (slot << 24) + e1000[reg % ARRAY_SIZE(e1000)], 4, val);
    else
        bus_port_out(vm, (uint16_t)(PORTS + 0x100 * slot + reg), op & 16 ? 4 : 1, val);
}

static void frame(struct vm *vm, struct netdev *wire, unsigned op, struct input *in)
{
    uint8_t data[1600] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    for (unsigned k = 0; k < 16; k++)
        data[op & 1 ? k : k + 12] = input_u8(in);
    vm_lock(vm);
    netdev_send(wire, data, input_int(in, 2) % sizeof(data));
    netdevs_pump(vm);
    vm_unlock(vm);
}

static void step(struct vm *vm, struct netdev *wire, struct input *in)
{
    unsigned op = input_u8(in);

    switch (op >> 5) {
    case 0: write_block(vm, op, in); break;
    case 1: run_fwcfg(vm, op, in); break;
    case 2: run_ide(vm, op, in); break;
    case 3: run_floppy(vm, op, in); break;
    case 4: card_register(vm, op, in); break;
    case 5: frame(vm, wire, op, in); break;
    default: traffic_step(vm, input_u8(in), in); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct netdev *wire;
    struct vm *vm = create(&wire);

    while (in.n > 0)
        step(vm, wire, &in);
    vm_destroy(vm);
    return 0;
}
