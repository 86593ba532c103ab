/* SPDX-License-Identifier: MIT */
/* The floppy controller against any sequence of register accesses and DMA set-ups, with disks that
 * come and go and states that are saved and loaded (or made up) in between. */
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/input.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/floppy_board.h"

#define FIFO 0x3f5

/* The images: 360 KB, and one that is shorter than any disk. */
static const char *image(unsigned n)
{
    static char name[2][32];
    static const long bytes[2] = {360 << 10, 5 * 512};

    if (name[n][0] == '\0') {
        int fd = memfd_create("floppy", 0);

        REQUIRE(fd >= 0 && ftruncate(fd, bytes[n]) == 0);
        snprintf(name[n], sizeof(name[n]), "/proc/self/fd/%d", fd);
    }
    return name[n];
}

static void change_disk(struct vm *vm, struct input *in)
{
    unsigned how = input_u8(in);
    struct disk_options o = {.file = image(how & 1), .format = "raw", .readonly = how & 2};
    char err[DRIVE_ERR_LEN];

    vm_lock(vm);
    if (how & 4)
        drive_eject(drive_find(vm, DRIVE_FLOPPY, 0), true, err);
    else
        drive_change(drive_find(vm, DRIVE_FLOPPY, 0), &o, true, err);
    vm_unlock(vm);
}

static void save_and_load(struct vm *vm, bool lie, struct input *in)
{
    struct device *d = device_find(vm, &fdc_class, 0);
    uint8_t *state = malloc(device_state_size(d));

    vm_lock(vm);
    device_save(d, state);
    d->cls->reset(d);
    for (unsigned k = 0; lie && k < 80; k++)
        state[k] = input_u8(in);
    device_load(d, state);
    vm_unlock(vm);
    free(state);
}

static void step(struct vm *vm, struct input *in)
{
    unsigned op = input_u8(in);

    switch (op >> 5) {
    case 0: floppy_wait(vm, input_int(in, 2) << (op & 15)); break;
    case 1: bus_port_in(vm, (uint16_t)(0x3f0 + (op & 7)), 1); break;
    case 2: bus_port_out(vm, (uint16_t)(0x3f0 + (op & 7)), 1, input_u8(in)); break;
    case 3:
        floppy_dma(vm, input_u8(in) & 0xfc, (uint32_t)input_int(in, 3), 1 + input_u8(in) * 37);
        break;
    case 4:
        if (op & 1)
            change_disk(vm, in);
        else
            save_and_load(vm, op & 2, in);
        break;
    case 5:
        for (unsigned k = 0; k < 16u * (op & 31); k++)
            bus_port_in(vm, FIFO, 1);
        break;
    default:
        for (unsigned k = 0; k < 1 + (op & 15); k++)
            bus_port_out(vm, FIFO, 1, input_u8(in));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct drive_config drives[] = {
        {.interface = DRIVE_FLOPPY, .index = 0, .image = {.file = image(0), .format = "raw"}},
        {.interface = DRIVE_FLOPPY, .index = 1},
    };
    struct input in = {data, size};
    struct vm *vm = floppy_vm(drives, 2);

    bus_port_out(vm, 0x3f2, 1, 0x3c);
    bus_port_out(vm, 0x3f7, 1, 2);
    while (in.n > 0)
        step(vm, &in);
    vm_destroy(vm);
    return 0;
}
