/* SPDX-License-Identifier: MIT */
/* DMA channels of the ISA bus, as the devices on it use them. */
#ifndef DEVICES_DMA_H
#define DEVICES_DMA_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/device.h"

extern const struct device_class dma_class;

/* The device's request line of channel `chan` (0-3: bytes, 5-7: words). */
void dma_set_request(struct vm *vm, unsigned chan, bool level);

/* Move up to `n` bytes (even for word channels) between `buf` and the memory that the channel
 * points to, in the direction that it is programmed for: a write transfer fills memory from buf, a
 * read transfer buf from memory, a verify moves nothing but counts. Returns the bytes counted, 0
 * where the channel is masked or its controller disabled. *terminal_count: the last one reached the
 * end. */
size_t dma_transfer(struct vm *vm, unsigned chan, void *buf, size_t n, bool *terminal_count);

#endif
