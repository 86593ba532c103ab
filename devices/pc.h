/* SPDX-License-Identifier: MIT */
/* The machine: an i440FX-class PC. */
#ifndef DEVICES_PC_H
#define DEVICES_PC_H

#include "vmm/device.h"

extern const struct board pc_board;

#endif
