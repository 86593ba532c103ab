/* SPDX-License-Identifier: MIT */
/* A machine that is PCI and the display adapter, and no processor: for users of fake_cpu.h. */
#ifndef TESTS_VGA_BOARD_H
#define TESTS_VGA_BOARD_H

#include "devices/pci.h"
#include "devices/vga.h"
#include "tests/unit/fake_cpu.h"

/* Where the adapter's memory is. */
#define WINDOW UINT64_C(0xa0000)
#define LFB    UINT64_C(0xe0000000)
#define MMIO   UINT64_C(0xe1000000)

static const struct board_row vga_rows[] = {{&pci_class, NULL}, {&vga_class, NULL}, {NULL, NULL}};
static const struct board vga_board = {"vga", vga_rows};

/* With its BARs mapped. */
static inline struct vm *vga_vm(void)
{
    static const struct vm_config cfg = {.ram_bytes = UINT64_C(1) << 20};
    struct vm *vm;

    fake_guest = NULL;
    vm = fake_vm_with(&cfg, &vga_board);
    vm_lock(vm);
    pci_config_write(vm, VGA_DEVFN, PCI_BAR0, 4, (uint32_t)LFB);
    pci_config_write(vm, VGA_DEVFN, PCI_BAR0 + 8, 4, (uint32_t)MMIO);
    pci_config_write(vm, VGA_DEVFN, PCI_COMMAND, 2, 3);
    vm_unlock(vm);
    return vm;
}

#endif
