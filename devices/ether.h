/* SPDX-License-Identifier: MIT */
/* What network cards know of Ethernet (IEEE 802.3). */
#ifndef DEVICES_ETHER_H
#define DEVICES_ETHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETHER_HEADER    14
#define ETHER_CRC       4
#define ETHER_VLAN_TAG  4
#define ETHER_MAX       1514 /* header and data */
#define ETHER_TYPE_IPV4 0x0800
#define ETHER_TYPE_IPV6 0x86dd
#define ETHER_TYPE_VLAN 0x8100

/* The frame check sequence of n bytes, as a number whose low byte is sent first. */
uint32_t ether_crc(const uint8_t *data, size_t n);

/* Which of the 64 bits of a DP8390's or RTL8139's multicast filter an address selects. */
unsigned ether_hash64(const uint8_t mac[6]);

/* The Internet checksum's sum of n bytes (RFC 1071), big-endian words, added to `sum`; folded to 16
 * bits. The checksum is its complement. */
uint16_t ether_sum(uint32_t sum, const uint8_t *data, size_t n);

static inline bool ether_is_broadcast(const uint8_t *mac)
{
    return (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff;
}

static inline bool ether_is_multicast(const uint8_t *mac)
{
    return mac[0] & 1;
}

static inline uint16_t ether_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void ether_put16(uint8_t *at, uint32_t val)
{
    at[0] = (uint8_t)(val >> 8);
    at[1] = (uint8_t)val;
}

#endif
