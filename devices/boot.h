/* SPDX-License-Identifier: MIT */
/* -kernel: put a kernel into guest memory and the processor at its entry, without any firmware. A
 * kernel that can only be entered in real mode, where it asks a BIOS, is left for ours to load. */
#ifndef DEVICES_BOOT_H
#define DEVICES_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include "devices/image.h"
#include "vmm/vm.h"

/* The kernel, its modules (the initrd, or a multiboot kernel's modules) and its command line. */
#define BOOT_MODULES_MAX 32

struct boot {
    struct device dev;
    struct image kernel;
    struct image module[BOOT_MODULES_MAX];
    const char *module_cmdline[BOOT_MODULES_MAX]; /* multiboot: as written in -initrd, path first */
    unsigned module_count;
    char *module_names;  /* the -initrd string, cut into pieces */
    const char *cmdline; /* -append, never NULL */
    bool by_bios;        /* our BIOS loads it, out of fw_cfg */
    /* The format's loader: places everything and sets the processor up. 0 or -errno. */
    int (*load)(struct boot *b, struct cpu *c);
};

/* Last row of a board: on each reset it loads the configured kernel; does nothing without one. */
extern const struct device_class boot_class;

/* Does the image have this format? Chooses the loader. */
bool boot_is_linux(const struct image *k);
bool boot_is_multiboot(const struct image *k);

/* Check everything that does not depend on the machine's memory. 0 or -errno, text in vm_error().
 */
int boot_linux_check(struct vm *vm, const struct image *k);
/* Has it no 32-bit entry? */
bool boot_linux_is_real_mode(const struct image *k);
int boot_multiboot_check(struct vm *vm, const struct image *k);

int boot_linux_load(struct boot *b, struct cpu *c);
int boot_multiboot_load(struct boot *b, struct cpu *c);

/* Flat 32-bit protected mode, paging and interrupts off, with a GDT of BOOT_GDT_BYTES in guest
 * memory at `gdt`: code selector 10h, data selector 18h. General registers are zero. */
#define BOOT_GDT_BYTES 32
int boot_protected_mode(struct vm *vm, struct cpu *c, uint64_t gdt, uint32_t entry);

#endif
