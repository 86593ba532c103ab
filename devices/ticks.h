/* SPDX-License-Identifier: MIT */
/* Ticks of a periodic timer that come before the guest has taken the one before, because the host
 * did not run it: they are owed to it, up to a second's worth, and made up for faster than they
 * would come. Otherwise a guest that counts them would see time go slowly on a busy host. */
#ifndef DEVICES_TICKS_H
#define DEVICES_TICKS_H

#include <stdbool.h>
#include <stdint.h>

/* Times as fast as usual come those that are owed. */
#define TICKS_CATCH_UP 8

/* So many ticks have come since the last call; none: it is time to try one that is owed. Shall the
 * timer interrupt? `waiting`: the guest has not taken the last interrupt. `period` and `second` are
 * in one unit, whichever. */
static inline bool ticks_due(uint64_t *owed, uint64_t come, uint64_t period, uint64_t second,
                             bool waiting)
{
    uint64_t most = second > period ? second / period : 1;

    *owed += come;
    if (*owed > most)
        *owed = most;
    if (waiting)
        return come != 0; /* who takes it may be another than who waits */
    if (*owed == 0)
        return false;
    --*owed;
    return true;
}

#endif
