/* SPDX-License-Identifier: MIT */
/* Serial ports. */
#ifndef DEVICES_UART_H
#define DEVICES_UART_H

#include "vmm/device.h"

/* `cfg` of a board row. The port takes the user's `serial[chardev]`; without one it is absent. */
struct uart_cfg {
    uint16_t base;
    uint8_t irq; /* ISA line */
    uint8_t chardev;
};

extern const struct device_class uart_class;
extern const struct uart_cfg uart_com[4]; /* COM1..COM4 of a PC */

#endif
