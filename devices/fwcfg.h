/* SPDX-License-Identifier: MIT */
/* The firmware configuration device, as the machine fills it. */
#ifndef DEVICES_FWCFG_H
#define DEVICES_FWCFG_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/device.h"

extern const struct device_class fwcfg_class;

enum fwcfg_key {
    FWCFG_SIGNATURE = 0x00,
    FWCFG_ID = 0x01,
    FWCFG_UUID = 0x02,
    FWCFG_RAM_SIZE = 0x03,
    FWCFG_NOGRAPHIC = 0x04,
    FWCFG_CPUS = 0x05,
    FWCFG_KERNEL_ADDR = 0x07,
    FWCFG_KERNEL_SIZE = 0x08,
    FWCFG_INITRD_ADDR = 0x0a,
    FWCFG_INITRD_SIZE = 0x0b,
    FWCFG_NUMA = 0x0d,
    FWCFG_BOOT_MENU = 0x0e,
    FWCFG_MAX_CPUS = 0x0f,
    FWCFG_KERNEL_ENTRY = 0x10,
    FWCFG_KERNEL_DATA = 0x11,
    FWCFG_INITRD_DATA = 0x12,
    FWCFG_CMDLINE_ADDR = 0x13,
    FWCFG_CMDLINE_SIZE = 0x14,
    FWCFG_CMDLINE_DATA = 0x15,
    FWCFG_SETUP_ADDR = 0x16,
    FWCFG_SETUP_SIZE = 0x17,
    FWCFG_SETUP_DATA = 0x18,
    FWCFG_FILE_DIR = 0x19,
    FWCFG_FILE_FIRST = 0x20,
    FWCFG_IRQ0_OVERRIDE = 0x8002,
    FWCFG_HPET = 0x8004,
};

/* Give a key its contents, in place of earlier ones. The data are copied; fwcfg_lend() borrows them
 * for the VM's life. 0, -ENODEV without the device, -ENOSPC, -ENOMEM. */
int fwcfg_set(struct vm *vm, uint16_t key, const void *data, size_t len);
int fwcfg_lend(struct vm *vm, uint16_t key, const void *data, size_t len);
int fwcfg_set_int(struct vm *vm, uint16_t key, uint64_t val, unsigned bytes);

/* Add a file to the directory, or replace the one of that name (55 characters at most). Copied. */
#define FWCFG_NAME_LEN 56
int fwcfg_add_file(struct vm *vm, const char *name, const void *data, size_t len);

/* For the device: tables of the machine, ROMs of the user's, how long the boot menu is offered. */
int fwcfg_add_tables(struct vm *vm);

#endif
