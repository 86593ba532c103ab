/* SPDX-License-Identifier: MIT */
/* A machine that is a floppy controller, what it needs around it, and no processor: for users of
 * fake_cpu.h. */
#ifndef TESTS_FLOPPY_BOARD_H
#define TESTS_FLOPPY_BOARD_H

#include <stdio.h>

#include "devices/dma.h"
#include "devices/fdc.h"
#include "devices/isa.h"
#include "devices/pic.h"
#include "devices/rtc.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

static const struct board_row floppy_rows[] = {{&pic_class, NULL}, {&isa_class, NULL},
                                               {&rtc_class, NULL}, {&dma_class, NULL},
                                               {&fdc_class, NULL}, {NULL, NULL}};
static const struct board floppy_board = {"floppy", floppy_rows};

/* The board has no I/O APIC. */
__attribute__((weak)) struct irq ioapic_input(struct vm *m, unsigned gsi)
{
    (void)m, (void)gsi;
    return (struct irq){0};
}

/* With these drives; time stands still. */
static inline struct vm *floppy_vm(const struct drive_config *drives, unsigned count)
{
    struct vm_config cfg = {.ram_bytes = UINT64_C(1) << 20, .drives = drives, .drive_count = count};
    struct vm *vm;

    fake_guest = NULL;
    vm = fake_vm_with(&cfg, &floppy_board);
    vm_lock(vm);
    atomic_store(&vm->clock.stopped, NS_PER_SEC);
    vm_unlock(vm);
    return vm;
}

static inline void floppy_wait(struct vm *vm, uint64_t ns)
{
    vm_lock(vm);
    drives_drain(vm);
    atomic_store(&vm->clock.stopped, clock_now(vm) + ns);
    clock_fire(vm, 100);
    drives_drain(vm);
    vm_unlock(vm);
}

/* Channel 2, as drivers program it. */
static inline void floppy_dma(struct vm *vm, unsigned mode, uint32_t pa, unsigned bytes)
{
    const struct {
        uint16_t port;
        unsigned val;
    } writes[] = {{0x0a, 6},
                  {0x0c, 0},
                  {0x04, pa & 0xff},
                  {0x04, pa >> 8 & 0xff},
                  {0x81, pa >> 16},
                  {0x05, (bytes - 1) & 0xff},
                  {0x05, (bytes - 1) >> 8},
                  {0x0b, mode | 2},
                  {0x0a, 2}};

    for (unsigned k = 0; k < sizeof(writes) / sizeof(writes[0]); k++)
        bus_port_out(vm, writes[k].port, 1, writes[k].val);
}

#define DMA_TO_MEMORY   0x44
#define DMA_FROM_MEMORY 0x48

#endif
