/* SPDX-License-Identifier: MIT */
/* The guest that is built into the program: tests/guests/demo.asm, assembled. */
#ifndef FRONTEND_DEMO_GUEST_H
#define FRONTEND_DEMO_GUEST_H

#include <stdint.h>

extern const uint8_t demo_guest[];
extern const uint8_t demo_guest_end[]; /* its size is the difference */

#endif
