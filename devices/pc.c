/* SPDX-License-Identifier: MIT */
/* The board: which chips are on it, in the order in which they are realized and reset. Who asks for
 * another chip's line in realize stands after it: interrupt controllers, then the ISA lines, then
 * all that interrupts. Unclaimed ports read as ones, which is all that the delay port ED needs. */
#include "devices/pc.h"

#include "devices/acpi_pm.h"
#include "devices/boot.h"
#include "devices/debugport.h"
#include "devices/dma.h"
#include "devices/fdc.h"
#include "devices/firmware.h"
#include "devices/fwcfg.h"
#include "devices/hpet.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/ide.h"
#include "devices/ioapic.h"
#include "devices/isa.h"
#include "devices/lapic.h"
#include "devices/nic.h"
#include "devices/parallel.h"
#include "devices/pci.h"
#include "devices/pic.h"
#include "devices/piix3.h"
#include "devices/pit.h"
#include "devices/port92.h"
#include "devices/rtc.h"
#include "devices/uart.h"
#include "devices/vga.h"

/* One row a line, so that a new one changes no other. */
/* clang-format off */
static const struct board_row pc_rows[] = {
    {&pic_class, NULL},
    {&lapic_class, NULL},
    {&ioapic_class, NULL},
    {&isa_class, NULL},
    {&pci_class, NULL},
    {&i440fx_class, NULL},
    {&firmware_class, NULL},
    {&piix3_class, NULL},
    {&ide_class, NULL},
    {&vga_class, NULL},
    {&nic_class, NULL},
    {&acpi_pm_class, NULL},
    {&pit_class, NULL},
    {&rtc_class, NULL},
    {&hpet_class, NULL},
    {&dma_class, NULL},
    {&port92_class, NULL},
    {&i8042_class, NULL},
    {&debugport_class, NULL},
    {&uart_class, &uart_com[0]},
    {&uart_class, &uart_com[1]},
    {&uart_class, &uart_com[2]},
    {&uart_class, &uart_com[3]},
    {&parallel_class, NULL},
    {&fdc_class, NULL},
    {&fwcfg_class, NULL},
    {&boot_class, NULL},
    {NULL, NULL},
};
/* clang-format on */

const struct board pc_board = {"pc", pc_rows};
