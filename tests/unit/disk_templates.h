/* SPDX-License-Identifier: MIT */
/* The smallest images of formats that are only read, in buffers of zeros. */
#ifndef TESTS_DISK_TEMPLATES_H
#define TESTS_DISK_TEMPLATES_H

#include <string.h>

#include "disk/bytes.h"

static inline void store_le(uint8_t *p, unsigned bytes, uint64_t v)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* vdi, 5120 bytes: three blocks of 4096 bytes: the second is there, the third was given back. */
static inline void make_vdi(uint8_t *h)
{
    static const struct {
        unsigned off;
        uint32_t value;
    } fields[] = {{0x40, 0xbeda107f}, {0x44, 0x10001}, {0x4c, 1},      {0x154, 512},
                  {0x158, 1024},      {0x168, 512},    {0x170, 12288}, {0x178, 4096},
                  {0x180, 3},         {512, ~0u},      {516, 0},       {520, ~0u - 1}};

    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        store_le(h + fields[i].off, 4, fields[i].value);
    memset(h + 1024, 'v', 4096);
}

/* vmdk, 2560 bytes: two tables of two grains of 1 KiB; the last grain is there. */
static inline void make_sparse(uint8_t *h)
{
    memcpy(h, "KDMV", 4);
    store_le(h + 4, 4, 1);
    store_le(h + 12, 8, 7);
    store_le(h + 20, 8, 2);
    store_le(h + 44, 4, 2);
    store_le(h + 56, 8, 1);
    memcpy(h + 73, "\n \r\n", 4);
    store_le(h + 512 + 4, 4, 2);
    store_le(h + 1024 + 4, 4, 3);
    memset(h + 1536, 's', 1024);
}

static inline void seal(uint8_t *p, size_t n, size_t at)
{
    uint32_t sum = 0;

    memset(p + at, 0, 4);
    for (size_t i = 0; i < n; i++)
        sum += p[i];
    store_be(p + at, 4, ~sum);
}

/* vpc, 4096 bytes, not sealed: two blocks of 1 KiB, the second there. */
static inline void make_vpc(uint8_t *h)
{
    uint8_t *dynamic = h + 512;

    memcpy(h, "conectix", 8);
    store_be(h + 16, 8, 512);
    memcpy(h + 28, "win ", 4);
    store_be(h + 48, 8, 2048);
    store_be(h + 60, 4, 3);
    memcpy(dynamic, "cxsparse", 8);
    store_be(dynamic + 16, 8, 1536);
    store_be(dynamic + 28, 4, 2);
    store_be(dynamic + 32, 4, 1024);
    store_be(h + 1536, 4, 0xffffffff);
    store_be(h + 1540, 4, 4);
    memset(h + 2560, 'c', 1024);
}

/* Both checksums, and the footer. */
static inline void seal_vpc(uint8_t *h)
{
    seal(h, 512, 64);
    seal(h + 512, 1024, 36);
    memcpy(h + 3584, h, 512);
}

#endif
