/* SPDX-License-Identifier: MIT */
/* The ticket lock behind the machine lock. It is held for a microsecond at a time, so a waiter
 * first looks a few hundred times before it sleeps. */
#include "vmm/vmm_internal.h"

#define LOOKS 200

void fair_lock(struct fair_lock *l)
{
    unsigned ticket = atomic_fetch_add(&l->next, 1);
    unsigned looks = 0, serving;

    while ((serving = atomic_load(&l->serving)) != ticket) {
        if (++looks > LOOKS)
            host_futex_wait(&l->serving, serving);
    }
}

bool fair_trylock(struct fair_lock *l)
{
    for (unsigned looks = 0; looks < LOOKS; looks++) {
        unsigned free = atomic_load(&l->serving); /* then the next ticket has this number */

        if (atomic_compare_exchange_strong(&l->next, &free, free + 1))
            return true;
    }
    return false;
}

void fair_unlock(struct fair_lock *l)
{
    unsigned ticket = atomic_load_explicit(&l->serving, memory_order_relaxed) + 1;

    atomic_store(&l->serving, ticket);
    if (atomic_load(&l->next) != ticket)
        host_futex_wake(&l->serving);
}
