/* SPDX-License-Identifier: MIT */
/* Numbers as image formats store them, at any address. */
#ifndef DISK_BYTES_H
#define DISK_BYTES_H

#include <stdint.h>

static inline uint64_t load_be(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static inline void store_be(uint8_t *p, unsigned bytes, uint64_t v)
{
    for (unsigned i = bytes; i-- > 0; v >>= 8)
        p[i] = (uint8_t)v;
}

static inline uint64_t load_le(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static inline uint64_t align_up(uint64_t v, uint64_t unit)
{
    return (v + unit - 1) / unit * unit;
}

#endif
