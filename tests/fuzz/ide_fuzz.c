/* SPDX-License-Identifier: MIT */
/* The IDE controller with a disk and a CD-ROM drive against any sequence of register accesses,
 * commands, descriptors in memory, media that come and go, resets, and states that are saved or
 * made up. */
#include "devices/ide.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/ide_state.h"
#include "devices/pci.h"
#include "tests/fuzz/input.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define BM         0xc000
#define TABLE      UINT64_C(0x1000)
#define DISK_BYTES (320u << 10)
#define CD_BYTES   (400u << 10)

/* The board has no interrupt controllers. */
__attribute__((weak)) struct irq ioapic_input(struct vm *m, unsigned gsi)
{
    (void)m, (void)gsi;
    return (struct irq){0};
}

/* A file without a name, as long as this process lives. */
static const char *image(unsigned n, size_t bytes)
{
    static char names[2][32];

    if (names[n][0] == '\0') {
        int fd = memfd_create("image", MFD_CLOEXEC);

        REQUIRE(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
        snprintf(names[n], sizeof(names[n]), "/proc/self/fd/%d", fd);
    }
    return names[n];
}

static void place(struct vm *vm)
{
    pci_config_write(vm, IDE_DEVFN, PCI_BAR0 + 16, 4, BM);
    pci_config_write(vm, IDE_DEVFN, PCI_COMMAND, 2, 5);
}

static struct vm *create(void)
{
    static const struct board_row rows[] = {{&pci_class, NULL}, {&ide_class, NULL}, {NULL, NULL}};
    static const struct board board = {"ide", rows};
    const struct drive_config drives[] = {
        {.image = {.file = image(0, DISK_BYTES), .format = "raw"}},
        {.index = 1, .media = DRIVE_CDROM, .image = {.file = image(1, CD_BYTES), .format = "raw"}},
        {.index = 2, .media = DRIVE_CDROM},
    };
    const struct vm_config cfg = {
        .ram_bytes = UINT64_C(1) << 20, .drives = drives, .drive_count = 3};
    struct vm *vm;

    fake_guest = NULL;
    vm = fake_vm_with(&cfg, &board);
    vm_lock(vm);
    place(vm);
    vm_unlock(vm);
    return vm;
}

static uint16_t base(unsigned op)
{
    return op & 1 ? 0x170 : 0x1f0;
}

/* All registers of a command, and the command. */
static void command(struct vm *vm, unsigned op, struct input *in)
{
    for (uint16_t reg = 1; reg < 8; reg++)
        bus_port_out(vm, base(op) + reg, 1, input_u8(in));
}

static void packet(struct vm *vm, unsigned op, struct input *in)
{
    bus_port_out(vm, base(op) + 6, 1, op & 2 ? 0x10 : 0);
    bus_port_out(vm, base(op) + 1, 1, op >> 2 & 1);
    bus_port_out(vm, base(op) + 4, 2, (uint32_t)input_int(in, 2));
    bus_port_out(vm, base(op) + 7, 1, 0xa0);
    for (unsigned k = 0; k < 6; k++)
        bus_port_out(vm, base(op), 2, (uint32_t)input_int(in, 2));
}

static void data(struct vm *vm, unsigned op, struct input *in)
{
    unsigned n = 4u * input_u8(in), width = op & 2 ? 2 : 4;

    for (unsigned k = 0; k < n; k++) {
        if (op & 4)
            bus_port_out(vm, base(op), width, k * 0x01010101u);
        else
            bus_port_in(vm, base(op), width);
    }
}

static void descriptor(struct vm *vm, unsigned op, struct input *in)
{
    uint32_t prd[2] = {(uint32_t)input_int(in, op & 1 ? 4 : 3), (uint32_t)input_int(in, 2)};

    prd[1] |= op & 2 ? 0x80000000 : 0;
    vm_lock(vm);
    dma_write(vm, TABLE + (op >> 2 & 7) * 8, prd, sizeof(prd));
    vm_unlock(vm);
    bus_port_out(vm, BM + (op & 1) * 8 + 4, 4, (uint32_t)TABLE);
    bus_port_out(vm, BM + (op & 1) * 8, 1, op & 4 ? 0 : 9);
}

static void medium(struct vm *vm, unsigned op)
{
    const struct disk_options o = {.file = image(1, CD_BYTES), .format = "raw"};
    char err[DRIVE_ERR_LEN] = "";
    struct drive *d = drive_find(vm, DRIVE_IDE, 1 + (op & 1));

    if (op & 2)
        drive_change(d, &o, op & 4, err);
    else
        drive_eject(d, op & 4, err);
}

/* Save, and go on with what was saved, or with some of it changed. */
static void restore(struct vm *vm, unsigned op, struct input *in)
{
    struct device *d = device_find(vm, &ide_class, 0);
    size_t n = device_state_size(d);
    uint8_t *state = malloc(n);

    device_save(d, state);
    if (op & 1)
        ide_class.reset(d);
    for (unsigned k = op >> 1 & 7; k > 0; k--)
        state[n - 1 - input_int(in, 3) % n] = input_u8(in);
    device_load(d, state);
    free(state);
}

static void special(struct vm *vm, unsigned op, struct input *in)
{
    vm_lock(vm);
    switch (op >> 3 & 3) {
    case 0: medium(vm, op); break;
    case 1: restore(vm, op, in); break;
    case 2:
        vm_reset_locked(vm);
        place(vm);
        break;
    default: drives_drain(vm); break;
    }
    vm_unlock(vm);
}

static void step(struct vm *vm, struct input *in)
{
    unsigned op = input_u8(in);

    switch (op >> 5) {
    case 0: special(vm, op, in); break;
    case 1: command(vm, op, in); break;
    case 2: packet(vm, op, in); break;
    case 3: data(vm, op, in); break;
    case 4: descriptor(vm, op, in); break;
    case 5: bus_port_out(vm, base(op) + 0x206, 1, input_u8(in)); break;
    case 6:
        bus_port_out(vm, (uint16_t)(BM + (op & 15)), 1u << (op >> 4 & 1), input_u8(in));
        bus_port_in(vm, (uint16_t)(BM + (op & 15)), 4);
        break;
    default: bus_port_in(vm, (uint16_t)(base(op) + (op >> 1 & 7)), 1u << (op >> 4 & 1)); break;
    }
    if (op & 16) {
        vm_lock(vm);
        drives_drain(vm);
        vm_unlock(vm);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input in = {bytes, size};
    struct vm *vm = create();

    while (in.n > 0)
        step(vm, &in);
    vm_destroy(vm);
    return 0;
}
