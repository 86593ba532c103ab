/* SPDX-License-Identifier: MIT */
/* Paging, after SDM 3A 4.3 to 4.7: tables 4-2 to 4-19 for formats, 4.6 for rights, 4.7 for error
 * codes. */
#include "tests/diff/system_model.h"

#define BIT(n) (UINT64_C(1) << (n))

static uint64_t bits(unsigned high, unsigned low)
{
    return (BIT(high - low) * 2 - 1) << low;
}

/* Reserved bits of a 32-bit entry: of one that maps 4 MiB, with PSE-36, those of addresses that are
 * too long. */
static uint64_t reserved32(const struct paging *p, unsigned k)
{
    return k == 0 && p->leaf == 0 ? bits(21, p->phys_bits - 19) : 0;
}

static uint64_t reserved64(const struct paging *p, unsigned k)
{
    uint64_t r = p->is_long ? bits(51, p->phys_bits) : bits(62, p->phys_bits);

    if (!p->nxe)
        r |= BIT(63);
    if (k == p->leaf && p->shift[k] > 12)
        r |= bits(p->shift[k] - 1, 13);
    if (p->shift[k] == 39 || (p->shift[k] == 30 && k != p->leaf))
        r |= BIT(7);
    return r;
}

static uint64_t all_of(const struct paging *p, uint64_t bit)
{
    uint64_t v = bit;

    for (unsigned k = 0; k <= p->leaf; k++)
        v &= p->entry[k];
    return v;
}

static bool key_forbids(const struct paging *p, enum page_access how, bool user, bool user_page)
{
    unsigned key = p->entry[p->leaf] >> 59 & 15;
    uint32_t rights = (user_page ? p->pkru : p->pkrs) >> (2 * key);

    if (!p->is_long || how == PAGE_FETCH || !(user_page ? p->pke : p->pks))
        return false;
    return rights & 1 || (rights & 2 && how == PAGE_WRITE && (user || p->wp));
}

static bool rights_forbid(const struct paging *p, enum page_access how, bool user, bool implicit)
{
    bool user_page = all_of(p, BIT(2)), writable = all_of(p, BIT(1)), no_execute = false;

    for (unsigned k = 0; k <= p->leaf && p->bytes == 8; k++)
        no_execute |= p->nxe && p->entry[k] >> 63;
    if (user) {
        if (!user_page)
            return true;
        return how == PAGE_FETCH ? no_execute : how == PAGE_WRITE && !writable;
    }
    if (how == PAGE_FETCH)
        return no_execute || (p->smep && user_page);
    if (p->smap && user_page && (implicit || !p->ac))
        return true;
    return how == PAGE_WRITE && p->wp && !writable;
}

struct verdict model_page(const struct paging *p, enum page_access how, bool user, bool implicit)
{
    int64_t err = (how == PAGE_WRITE ? 2 : 0) | (user && !implicit ? 4 : 0);
    bool user_page = all_of(p, BIT(2));

    user = user && !implicit;
    if (how == PAGE_FETCH && ((p->nxe && p->pae) || p->smep))
        err |= 16;
    for (unsigned k = 0; k <= p->leaf; k++) {
        uint64_t r = p->bytes == 4 ? reserved32(p, k) : reserved64(p, k);
        if (!(p->entry[k] & 1))
            return (struct verdict){true, VEC_PF, err};
        if (p->entry[k] & r)
            return (struct verdict){true, VEC_PF, err | 9};
    }
    bool key = key_forbids(p, how, user, user_page);
    if (key || rights_forbid(p, how, user, implicit))
        return (struct verdict){true, VEC_PF, err | 1 | (key ? 32 : 0)};
    return ALLOWED;
}
