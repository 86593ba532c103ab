/* SPDX-License-Identifier: MIT */
/* SHA extensions (SDM 2B 4.3, SHA1MSG1 to SHA256RNDS2; FIPS 180-4). In the SHA-1 instructions the
 * earliest word is the highest element, in the SHA-256 ones the lowest. */
#include "cpu/simd.h"

OP_INLINE uint32_t rotl(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (~x & z);
}
static uint32_t parity(uint32_t x, uint32_t y, uint32_t z)
{
    return x ^ y ^ z;
}
static uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (x & z) ^ (y & z);
}

/* -- SHA-1 --------------------------------------------------------------------------------------
 */

OP_INLINE void sha1nexte_lanes(union vec *d, const union vec *s, unsigned n)
{
    uint32_t e = rotl(d->d[3], 30);
    memcpy(d, s, n);
    d->d[3] += e;
}
OP_INLINE void sha1msg1_lanes(union vec *d, const union vec *s, unsigned n)
{
    (void)n;
    d->d[3] ^= d->d[1];
    d->d[2] ^= d->d[0];
    d->d[1] ^= s->d[3];
    d->d[0] ^= s->d[2];
}
OP_INLINE void sha1msg2_lanes(union vec *d, const union vec *s, unsigned n)
{
    (void)n;
    d->d[3] = rotl(d->d[3] ^ s->d[2], 1);
    d->d[2] = rotl(d->d[2] ^ s->d[1], 1);
    d->d[1] = rotl(d->d[1] ^ s->d[0], 1);
    d->d[0] = rotl(d->d[0] ^ d->d[3], 1);
}
OP_INLINE void sha1rnds4_lanes(union vec *d, const union vec *s, unsigned n, unsigned imm)
{
    static uint32_t (*const f[4])(uint32_t, uint32_t, uint32_t) = {choose, parity, majority,
                                                                   parity};
    static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t e = 0; /* the first word comes with E added */
    (void)n;
    for (unsigned round = 0; round < 4; round++) {
        uint32_t a = d->d[3];
        uint32_t t =
            f[imm & 3](d->d[2], d->d[1], d->d[0]) + rotl(a, 5) + s->d[3 - round] + e + k[imm & 3];
        e = d->d[0];
        d->d[0] = d->d[1];
        d->d[1] = rotl(d->d[2], 30);
        d->d[2] = a;
        d->d[3] = t;
    }
}
SSE_BINARY(sha1nexte)
SSE_BINARY(sha1msg1)
SSE_BINARY(sha1msg2)
SSE_BINARY_IMM(sha1rnds4)

/* -- SHA-256 ------------------------------------------------------------------------------------
 */

OP_INLINE uint32_t small_sigma0(uint32_t v)
{
    return rotl(v, 25) ^ rotl(v, 14) ^ v >> 3;
}
OP_INLINE uint32_t small_sigma1(uint32_t v)
{
    return rotl(v, 15) ^ rotl(v, 13) ^ v >> 10;
}

OP_INLINE void sha256msg1_lanes(union vec *d, const union vec *s, unsigned n)
{
    (void)n;
    for (unsigned k = 0; k < 3; k++)
        d->d[k] += small_sigma0(d->d[k + 1]);
    d->d[3] += small_sigma0(s->d[0]);
}
OP_INLINE void sha256msg2_lanes(union vec *d, const union vec *s, unsigned n)
{
    (void)n;
    d->d[0] += small_sigma1(s->d[2]);
    d->d[1] += small_sigma1(s->d[3]);
    d->d[2] += small_sigma1(d->d[0]);
    d->d[3] += small_sigma1(d->d[1]);
}
SSE_BINARY(sha256msg1)
SSE_BINARY(sha256msg2)

/* Two rounds; the words with their constants are in the low half of xmm0. */
OP_NONE(sha256rnds2)
{
    union vec s;
    if (!sse_ready(c) || !xmm_src(c, i, 4, &s))
        return false;
    union vec *dst = &c->fpu.xmm[i->dst & 15];
    uint32_t a = s.d[3], b = s.d[2], cc = dst->d[3], d = dst->d[2];
    uint32_t e = s.d[1], f = s.d[0], g = dst->d[1], h = dst->d[0];
    const uint32_t words[2] = {c->fpu.xmm[0].d[0], c->fpu.xmm[0].d[1]};
    for (unsigned round = 0; round < 2; round++) {
        uint32_t t = choose(e, f, g) + (rotl(e, 26) ^ rotl(e, 21) ^ rotl(e, 7)) + words[round] + h;
        uint32_t u = majority(a, b, cc) + (rotl(a, 30) ^ rotl(a, 19) ^ rotl(a, 10));
        h = g;
        g = f;
        f = e;
        e = d + t;
        d = cc;
        cc = b;
        b = a;
        a = t + u;
    }
    dst->d[3] = a;
    dst->d[2] = b;
    dst->d[1] = e;
    dst->d[0] = f;
    return true;
}
