/* SPDX-License-Identifier: MIT */
/* Simplest cases: what is taken away must not be missed. One thing after another is tried, until a
 * whole pass finds nothing more. */
#include <string.h>

#include "tests/diff/diff_minimise.h"

#define MAX_PASSES 6

/* Take the candidate in place of *k if it fails too. */
static bool accept(const struct minimise *m, struct diff_case *k, const struct diff_case *candidate)
{
    if (!m->fails(m->self, candidate))
        return false;
    *k = *candidate;
    return true;
}

/* -- Instructions --------------------------------------------------------------------------------
 */

/* The instruction there; its length is 1 if it is none. */
static struct insn decode_at(const struct minimise *m, const struct sequence *q, unsigned at)
{
    struct insn i = {0};

    guest_set_mode(m->decoder, q->size);
    if (at >= q->len || decode(m->decoder, &i, q->code + at, q->len - at) != DECODE_OK)
        i.len = 1;
    return i;
}

/* Shifts by more than the operand's size are undefined: what loads CL for them stays. */
static bool is_needed(const struct minimise *m, const struct sequence *q, unsigned at)
{
    struct insn i = decode_at(m, q, at), next = decode_at(m, q, at + i.len);
    const char *name = optab[next.op].name;

    return (strcmp(name, "SHLD") == 0 || strcmp(name, "SHRD") == 0) &&
           strcmp(optab[i.op].name, "MOV") == 0;
}

/* Code has moved down by `len` from `at` on: what is addressed by RIP stays where it was. */
static void fix_rip(const struct minimise *m, struct sequence *q, unsigned at, unsigned len)
{
    while (at < q->len) {
        struct insn i = decode_at(m, q, at);
        uint32_t disp = (uint32_t)i.disp, v;
        for (unsigned k = at + 1; i.mem && i.base == RIP && k + 4 <= at + i.len; k++) {
            memcpy(&v, q->code + k, 4);
            if (v != disp)
                continue;
            v += len;
            memcpy(q->code + k, &v, 4);
            break;
        }
        at += i.len;
    }
}

/* Without the instruction there or, to leave the others where they are, with NOPs in its place. */
static bool without(const struct minimise *m, struct diff_case *k, unsigned at, unsigned len,
                    bool nops)
{
    struct diff_case c = *k;
    struct sequence *q = &c.seq;

    if (nops) {
        memset(q->code + at, 0x90, len);
        if (memcmp(q->code, k->seq.code, sizeof(q->code)) == 0)
            return false;
    } else {
        memmove(q->code + at, q->code + at + len, q->len - at - len);
        q->len -= len;
        fix_rip(m, q, at, len);
    }
    return q->len != 0 && diff_find_rows(m->decoder, q) && q->count != 0 && accept(m, k, &c);
}

static bool fewer_instructions(const struct minimise *m, struct diff_case *k)
{
    bool any = false;
    unsigned at = 0;

    while (at < k->seq.len) {
        unsigned len = decode_at(m, &k->seq, at).len;
        if (!is_needed(m, &k->seq, at) && without(m, k, at, len, false)) {
            any = true;
            continue;
        }
        if (!is_needed(m, &k->seq, at) && without(m, k, at, len, true))
            any = true;
        at += len;
    }
    return any;
}

/* -- A later start -------------------------------------------------------------------------------
 */

/* Without the first instruction, from what it leaves. */
static bool later_start(const struct minimise *m, struct diff_case *k)
{
    struct diff_case c = *k;
    unsigned len = decode_at(m, &k->seq, 0).len;

    if (k->seq.len <= len || is_needed(m, &k->seq, 0) ||
        !machine_step(&m->machines[k->system], k, &c) ||
        c.before.rip != sequence_start(&k->seq) + len)
        return false;
    c.before.rip = k->before.rip;
    memmove(c.seq.code, c.seq.code + len, c.seq.len - len);
    c.seq.len -= len;
    fix_rip(m, &c.seq, 0, len);
    return diff_find_rows(m->decoder, &c.seq) && c.seq.count != 0 && accept(m, k, &c);
}

/* -- Prefixes ------------------------------------------------------------------------------------
 */

/* Without a byte in front of the opcode of the instruction there. */
static bool without_prefix(const struct minimise *m, struct diff_case *k, unsigned at)
{
    struct insn old = decode_at(m, &k->seq, at);

    for (unsigned n = 0; n + 1 < old.len; n++) {
        struct diff_case c = *k;
        struct sequence *q = &c.seq;
        memmove(q->code + at + n, q->code + at + n + 1, q->len - (at + n + 1));
        q->len--;
        struct insn i = decode_at(m, q, at);
        if (i.op != old.op || i.len + 1 != old.len)
            return false;
        fix_rip(m, q, at, 1);
        if (diff_find_rows(m->decoder, q) && q->count == k->seq.count && accept(m, k, &c))
            return true;
    }
    return false;
}

static bool fewer_prefixes(const struct minimise *m, struct diff_case *k)
{
    bool any = false;

    for (unsigned at = 0; at < k->seq.len; at += decode_at(m, &k->seq, at).len)
        while (without_prefix(m, k, at))
            any = true;
    return any;
}

/* -- Registers -----------------------------------------------------------------------------------
 */

static bool plainer_registers(const struct minimise *m, struct diff_case *k)
{
    static const uint64_t simple[] = {0, 1};
    struct state plain;
    bool any = false;

    diff_plain_state(k->seq.size, &plain);

    for (unsigned n = 0; n < diff_field_results; n++) {
        const struct diff_field *f = &diff_fields[n];
        uint64_t old = diff_get(&k->before, f), want = diff_get(&plain, f);
        struct diff_case c = *k;
        diff_set(&c.before, f, want);
        bool done = old == want || accept(m, k, &c);
        any |= done && old != want;
        for (unsigned j = 0; j < 2 && !done && old > 1 && f->offset < sizeof(k->before.r); j++) {
            diff_set(&c.before, f, simple[j]);
            done = accept(m, k, &c);
            any |= done;
        }
    }
    return any;
}

/* Flag by flag. */
static bool fewer_flags(const struct minimise *m, struct diff_case *k)
{
    bool any = false;

    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        struct diff_case c = *k;
        c.before.eflags &= ~bit;
        if ((k->before.eflags & bit & ~(EFL_FIXED | EFL_IF)) != 0)
            any |= accept(m, k, &c);
    }
    return any;
}

/* -- Memory --------------------------------------------------------------------------------------
 */

static bool is_zero(const uint8_t *p, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        if (p[k] != 0)
            return false;
    return true;
}

/* Clear as much as possible of n bytes from `at` on. */
static bool emptier_memory(const struct minimise *m, struct diff_case *k, unsigned at, unsigned n)
{
    struct diff_case c = *k;

    if (is_zero(k->mem + at, n))
        return false;
    memset(c.mem + at, 0, n);
    if (accept(m, k, &c))
        return true;
    if (n == 1)
        return false;
    bool first = emptier_memory(m, k, at, n / 2);
    bool second = emptier_memory(m, k, at + n / 2, n - n / 2);
    return first || second;
}

void diff_minimise(const struct minimise *m, struct diff_case *k)
{
    bool any = true;

    for (unsigned pass = 0; pass < MAX_PASSES && any; pass++) {
        any = fewer_instructions(m, k);
        while (later_start(m, k))
            any = true;
        any |= fewer_prefixes(m, k);
        any |= plainer_registers(m, k);
        any |= fewer_flags(m, k);
        any |= emptier_memory(m, k, 0, RW_PAGES * PAGE);
    }
}
