/* SPDX-License-Identifier: MIT */
/* isa-debug-exit: a port by which a test kernel ends the program. */
#ifndef DEVICES_DEBUG_EXIT_H
#define DEVICES_DEBUG_EXIT_H

#include <stdint.h>

#include "vmm/device.h"

/* `cfg` of a board row or of -device; without one the port is at 501, two bytes wide. */
struct debug_exit_cfg {
    uint16_t iobase, iosize;
};

extern const struct device_class debug_exit_class;

#endif
