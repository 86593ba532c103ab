/* SPDX-License-Identifier: MIT */
/* Firmware that is built into the program: the programs of bios/, assembled. The size of rom_X is
 * rom_X_end - rom_X. */
#ifndef DEVICES_ROMS_H
#define DEVICES_ROMS_H

#include <stdint.h>

extern const uint8_t rom_bios[], rom_bios_end[]; /* bios/bios.asm: the system BIOS, 64 KiB */
extern const uint8_t rom_vga[], rom_vga_end[];   /* bios/vga.asm: the VGA's option ROM */

/* Where rom_vga holds the address of its font of 16 lines, two bytes. */
#define ROM_VGA_FONT16 0x60

#endif
