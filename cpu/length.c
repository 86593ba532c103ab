/* SPDX-License-Identifier: MIT */
/* A processor finds out how long an instruction is before it looks whether there is one: each
 * opcode says whether a ModRM byte follows and how many bytes of immediates, no matter what its
 * prefixes, ModRM.reg or the mode make of it. Hence what is undefined is fetched in whole: the page
 * fault of its last byte comes before #UD, and so does #GP for more than 15 bytes. (The manuals
 * give the order of these in SDM 3A table 6-2; that the length does not depend on the rest is what
 * processors do.) */
#include "cpu/length.h"

#include <stdbool.h>
#include <string.h>

/* By opcode:
 *   .  nothing                      m  ModRM
 *   b  8 bits                       B  ModRM, 8 bits
 *   z  16 or 32 bits                Z  ModRM, 16 or 32 bits
 *   w  16 bits                      e  16 and 8 bits
 *   v  16, 32 or 64 bits            j  branch: 16 or 32 bits, in 64-bit code 32
 *   p  pointer: z and 16 bits       o  offset of the address size
 *   T  ModRM, 8 bits for /0 and /1  U  ModRM, 16 or 32 bits for /0 and /1
 *   r  ModRM that names registers */
static const char one_byte[16][17] = {
    "mmmmbz..mmmmbz..", "mmmmbz..mmmmbz..", "mmmmbz..mmmmbz..", "mmmmbz..mmmmbz..",
    "................", "................", "..mm....zZbB....", "bbbbbbbbbbbbbbbb",
    "BZBBmmmmmmmmmmmm", "..........p.....", "oooo....bz......", "bbbbbbbbvvvvvvvv",
    "BBw.mmBZe.w..b..", "mmmmbb..mmmmmmmm", "bbbbbbbbjjpb....", "......TU......mm",
};
static const char two_byte[16][17] = {
    "mmmm.........m.B", "mmmmmmmmmmmmmmmm", "rrrr....mmmmmmmm", "................",
    "mmmmmmmmmmmmmmmm", "mmmmmmmmmmmmmmmm", "mmmmmmmmmmmmmmmm", "BBBBmmm.mm..mmmm",
    "jjjjjjjjjjjjjjjj", "mmmmmmmmmmmmmmmm", "...mBmmm...mBmmm", "mmmmmmmmmmBmmmmm",
    "mmBmBBBm........", "mmmmmmmmmmmmmmmm", "mmmmmmmmmmmmmmmm", "mmmmmmmmmmmmmmmm",
};

struct prefixes {
    size_t n;
    unsigned osz, asz; /* log2 of bytes */
};

static struct prefixes scan_prefixes(unsigned code_size, const uint8_t *p, size_t n)
{
    static const uint8_t legacy[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                     0x66, 0x67, 0xf0, 0xf2, 0xf3};
    struct prefixes x = {0};
    bool osize = false, asize = false, wide = false;

    for (; x.n < n; x.n++) {
        bool rex = code_size == 2 && p[x.n] >> 4 == 4;
        if (!rex && memchr(legacy, p[x.n], sizeof(legacy)) == NULL)
            break;
        wide = rex && p[x.n] & 8; /* REX counts in front of the opcode only */
        osize |= p[x.n] == 0x66;
        asize |= p[x.n] == 0x67;
    }
    x.asz = code_size == 2 ? 3 - asize : (code_size == 1) != asize ? 2 : 1;
    x.osz = wide ? 3 : (code_size != 0) != osize ? 2 : 1;
    return x;
}

/* Of ModRM, SIB and displacement. */
static size_t modrm_length(const uint8_t *p, size_t n, unsigned asz)
{
    unsigned mod = p[0] >> 6, rm = p[0] & 7;

    if (n == 0 || mod == 3)
        return 1;
    if (asz == 1)
        return mod == 1 ? 2 : mod == 2 || rm == 6 ? 3 : 1;
    size_t sib = rm == 4;
    if (sib && mod == 0 && n < 2)
        return 2;
    bool no_base = mod == 0 && (sib ? p[1] & 7 : rm) == 5;
    return 1 + sib + (mod == 1 ? 1 : mod == 2 || no_base ? 4 : 0);
}

static size_t immediate_length(char layout, unsigned code_size, const struct prefixes *x,
                               unsigned reg)
{
    size_t z = x->osz == 1 ? 2 : 4;

    switch (layout) {
    case 'b':
    case 'B': return 1;
    case 'z':
    case 'Z': return z;
    case 'w': return 2;
    case 'e': return 3;
    case 'v': return (size_t)1 << x->osz;
    case 'j': return code_size == 2 ? 4 : z;
    case 'p': return z + 2;
    case 'o': return (size_t)1 << x->asz;
    case 'T': return reg < 2 ? 1 : 0;
    case 'U': return reg < 2 ? z : 0;
    default: return 0;
    }
}

/* From the opcode's last byte on. */
static size_t opcode_length(unsigned code_size, const struct prefixes *x, char layout,
                            const uint8_t *p, size_t n)
{
    size_t len = 1;
    unsigned reg = 0;

    if (strchr("mBZTUr", layout) != NULL) {
        if (n < 2)
            return 2;
        reg = p[1] >> 3 & 7;
        len += layout == 'r' ? 1 : modrm_length(p + 1, n - 1, x->asz);
    }
    return len + immediate_length(layout, code_size, x, reg);
}

/* Where VEX or EVEX stand for the first bytes of the opcode: how many they are, and the map that
 * they name. 0: they do not. */
static size_t vex_length(unsigned code_size, const uint8_t *p, size_t n, unsigned *map)
{
    if (p[0] != 0xc4 && p[0] != 0xc5 && p[0] != 0x62)
        return 0;
    if (n < 2 || (code_size != 2 && p[1] < 0xc0)) /* LES, LDS, BOUND with memory */
        return 0;
    *map = p[0] == 0xc5 ? 1 : p[1] & (p[0] == 0xc4 ? 31 : 7);
    return p[0] == 0xc5 ? 2 : p[0] == 0xc4 ? 3 : 4;
}

/* Maps 1 to 3 are those of 0Fh, 0F38h and 0F3Ah; others that VEX can name have ModRM alone. */
size_t undefined_length(unsigned code_size, const uint8_t *p, size_t n)
{
    struct prefixes x = scan_prefixes(code_size, p, n);
    size_t at = x.n, vex = 0;
    unsigned map = 0;

    if (at < n)
        vex = vex_length(code_size, p + at, n - at, &map);
    at += vex;
    if (vex == 0 && at < n && p[at] == 0x0f) {
        map = 1;
        at++;
        if (at < n && (p[at] == 0x38 || p[at] == 0x3a))
            map = p[at++] == 0x38 ? 2 : 3;
    }
    if (at >= n)
        return at + 1;
    char layout = map == 0 && vex == 0 ? one_byte[p[at] >> 4][p[at] & 15]
                  : map == 1           ? two_byte[p[at] >> 4][p[at] & 15]
                  : map == 3           ? 'B'
                                       : 'm';
    return at + opcode_length(code_size, &x, layout, p + at, n - at);
}
