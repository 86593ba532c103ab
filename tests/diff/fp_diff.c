/* SPDX-License-Identifier: MIT */
/* Compares cpu/softfp.c and cpu/fpu80*.c with the x87 and SSE units of the machine that runs this:
 * result bits, exception flags, condition codes, for random operands weighted towards corner cases,
 * under all rounding and precision controls, masked and unmasked.
 *
 *     fp_diff [-record] [count per operation [seed [operation]]]
 *
 * Fails if anything but the transcendentals differs at all, or if those differ by more than one
 * unit in the last place. On AMD's processors the few cases are left out in which they are known to
 * differ from Intel's (diff_leave_out()); on others it runs only when given an argument. -record:
 * add the numbers of cases to tests/diff/record.txt. */
#include "tests/diff/fp_diff.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/record.h"

uint64_t diff_random(struct diff *d)
{
    d->rng ^= d->rng << 13;
    d->rng ^= d->rng >> 7;
    d->rng ^= d->rng << 17;
    return d->rng * UINT64_C(0x2545f4914f6cdd1d);
}

unsigned diff_below(struct diff *d, unsigned n)
{
    return (unsigned)((diff_random(d) >> 32) * n >> 32);
}

uint64_t diff_man(struct diff *d, unsigned bits)
{
    uint64_t v = diff_random(d);
    unsigned k = diff_below(d, 64);
    switch (diff_below(d, 12)) {
    case 0: v = 0; break;
    case 1: v = ~UINT64_C(0); break;
    case 2: v = UINT64_C(1) << k; break;
    case 3: v = ~UINT64_C(0) << k; break;
    case 4: /* trailing zeros */ v = v >> k << k; break;
    case 5: /* trailing ones */ v |= (UINT64_C(1) << k) - 1; break;
    case 6: /* leading zeros */ v >>= k; break;
    case 7: /* around the middle of a 24- or 53-bit significand */
        k = diff_below(d, 2) ? 10 : 39;
        v = (v >> k << k) + (UINT64_C(1) << k) + diff_below(d, 3) - 1;
        break;
    default: break;
    }
    return bits == 64 ? v : v >> (64 - bits);
}

/* An exponent field of so many bits. */
static unsigned random_exp(struct diff *d, unsigned bits, unsigned frac)
{
    unsigned max = (1u << bits) - 1, bias = max / 2;
    switch (diff_below(d, 12)) {
    case 0: return diff_below(d, 3);
    case 1: return max - diff_below(d, 3);
    case 2: /* products and quotients at the lower and upper end */
        return bias / 2 + diff_below(d, 4);
    case 3: return bias + bias / 2 + diff_below(d, 4);
    case 4:
    case 5: return bias + diff_below(d, 8) - 4;
    case 6: /* around integers that just fit */ return bias + diff_below(d, 70);
    case 7: return diff_below(d, frac + 4);
    case 8: return 0;
    default: return (unsigned)diff_random(d) & max;
    }
}

struct f80 diff_f80(struct diff *d)
{
    static const uint16_t narrow[] = {0x3fff - 149,  0x3fff - 127,  0x3fff + 128,
                                      0x3fff - 1074, 0x3fff - 1023, 0x3fff + 1024};
    struct f80 a = {.man = diff_man(d, 64)};
    unsigned exp = random_exp(d, 15, 64);
    unsigned what = diff_below(d, 32);
    if (what < 4) /* the ends of the memory formats */
        exp = narrow[diff_below(d, 6)] + diff_below(d, 5) - 2;
    else if (what == 4)
        a.man = exp = 0;
    else if (what == 5)
        a.man = UINT64_C(1) << 63, exp = 0x7fff;
    if (exp != 0 && what != 6)
        a.man |= UINT64_C(1) << 63;
    a.se = (uint16_t)(exp | (diff_random(d) & 0x8000));
    return a;
}

struct f80 diff_f80_near(struct diff *d, struct f80 a)
{
    struct f80 b = diff_f80(d);
    switch (diff_below(d, 8)) {
    case 0: /* same magnitude, nearly */
        b.man = a.man + diff_below(d, 5) - 2;
        b.se = (uint16_t)((b.se & 0x8000) | (a.se & 0x7fff));
        break;
    case 1: /* near exponent */
        b.se = (uint16_t)((b.se & 0x8000) | ((a.se + diff_below(d, 9) - 4) & 0x7fff));
        break;
    case 2: b.se = (uint16_t)((b.se & 0x8000) | ((a.se + diff_below(d, 140) - 70) & 0x7fff)); break;
    case 3: /* same significand */ b.man = a.man; break;
    default: break;
    }
    return b;
}

static uint64_t random_ieee(struct diff *d, unsigned ebits, unsigned frac)
{
    uint64_t exp = random_exp(d, ebits, frac), man = diff_man(d, frac);
    unsigned what = diff_below(d, 32);
    if (what == 0)
        exp = man = 0;
    else if (what == 1)
        exp = (1u << ebits) - 1, man = 0;
    else if (frac == 52 && what < 6) /* the ends of binary32 */
        exp = 1023 + (what == 2 ? -149u : what == 3 ? -126u : 127) + diff_below(d, 5) - 2;
    return (diff_random(d) & 1) << (ebits + frac) | exp << frac | man;
}

static uint64_t near_ieee(struct diff *d, uint64_t a, unsigned ebits, unsigned frac)
{
    uint64_t b = random_ieee(d, ebits, frac), sign = UINT64_C(1) << (ebits + frac);
    uint64_t man = (UINT64_C(1) << frac) - 1, exp = (sign - 1) & ~man;
    switch (diff_below(d, 8)) {
    case 0: return ((a & ~sign) + diff_below(d, 5) - 2) % sign | (b & sign);
    case 1:
        return (b & ~exp) |
               ((a + ((uint64_t)diff_below(d, 9) << frac) - (UINT64_C(4) << frac)) & exp);
    case 2:
        return (b & ~exp) |
               ((a + ((uint64_t)diff_below(d, 120) << frac) - (UINT64_C(60) << frac)) & exp);
    case 3: return (b & ~man) | (a & man);
    default: return b;
    }
}

uint64_t diff_f64(struct diff *d)
{
    return random_ieee(d, 11, 52);
}

uint64_t diff_f64_near(struct diff *d, uint64_t a)
{
    return near_ieee(d, a, 11, 52);
}

uint32_t diff_f32(struct diff *d)
{
    return (uint32_t)random_ieee(d, 8, 23);
}

uint32_t diff_f32_near(struct diff *d, uint32_t a)
{
    return (uint32_t)near_ieee(d, a, 8, 23);
}

bool diff_leave_out(struct diff *d, bool differs)
{
    d->left_out += d->amd && differs;
    return d->amd && differs;
}

static bool is_mnemonic(const char *name)
{
    for (unsigned k = 0; k < optab_count; k++)
        if (strcmp(optab[k].name, name) == 0)
            return true;
    return false;
}

/* The instruction that an operation is of: "fild_m16" of FILD, "cmpsd7" of CMPSD, "cvtsi2sdq" of
 * CVTSI2SD, "adds" of ADDSS. False: there is none. */
static bool find_mnemonic(const char *op, char name[32])
{
    unsigned n = 0;

    for (; op[n] != '\0' && op[n] != '_' && n < 30; n++)
        name[n] = (char)toupper((unsigned char)op[n]);
    name[n] = '\0';
    if (strncmp(name, "CMP", 3) == 0) { /* VCMP has more than eight predicates */
        char *digits = name + strcspn(name, "0123456789");
        bool few = strtoul(digits, NULL, 10) < 8;
        *digits = '\0';
        return few && is_mnemonic(name);
    }
    if (is_mnemonic(name))
        return true;
    if (name[n - 1] == 'Q') {
        name[n - 1] = '\0';
    } else {
        name[n] = name[n - 1];
        name[n - 1] = 'S';
        name[n + 1] = '\0';
    }
    return is_mnemonic(name);
}

void diff_counted(struct diff *d, const char *op, uint64_t cases)
{
    char name[32], topic[64];

    if (d->record == NULL || !find_mnemonic(op, name))
        return;
    snprintf(topic, sizeof(topic), "fp: %s", name);
    record_topic(d->record, topic, record_maker(), cases);
}

int main(int argc, char **argv)
{
    bool record = argc > 1 && strcmp(argv[1], "-record") == 0;
    argc -= record;
    argv += record;
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 20000;
    struct diff d = {.rng = UINT64_C(0x9e3779b97f4a7c15), .limit = 8};
    if (argc > 2)
        d.rng ^= strtoull(argv[2], NULL, 0) << 1;
    if (argc > 3)
        d.only = argv[3];
    d.record = record ? record_create() : NULL;
    d.amd = __builtin_cpu_is("amd");
    if (argc == 1 && !d.amd && !__builtin_cpu_is("intel")) {
        printf("skipped: neither Intel's nor AMD's processor\n");
        return 77;
    }
    diff_sse(&d, count);
    diff_x87(&d, count);
    diff_x87_trans(&d, count);
    printf("%llu cases (%llu more left out), %llu mismatches\n", (unsigned long long)d.cases,
           (unsigned long long)d.left_out, (unsigned long long)d.wrong);
    if (record && d.wrong == 0 && !record_merge(d.record, "tests/diff/record.txt"))
        return 2;
    return d.wrong != 0;
}
