/* SPDX-License-Identifier: MIT */
/* See ether.h. */
#include "devices/ether.h"

uint32_t ether_crc(const uint8_t *data, size_t n)
{
    /* The polynomial EDB88320 applied to four bits. */
    static const uint32_t nibble[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                        0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;

    for (; n > 0; n--) {
        crc ^= *data++;
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return ~crc;
}

/* The filters take the first six bits of the CRC register, which sends its highest power first. */
unsigned ether_hash64(const uint8_t mac[6])
{
    uint32_t crc = ~ether_crc(mac, 6);
    unsigned hash = 0;

    for (unsigned k = 0; k < 6; k++)
        hash = hash << 1 | (crc >> k & 1);
    return hash;
}

uint16_t ether_sum(uint32_t sum, const uint8_t *data, size_t n)
{
    uint64_t total = sum;

    for (; n > 1; n -= 2, data += 2)
        total += ether_get16(data);
    if (n > 0)
        total += (uint32_t)*data << 8;
    while (total > 0xffff)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)total;
}
