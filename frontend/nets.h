/* SPDX-License-Identifier: MIT */
/* The networks that the command line asks for: -netdev, -nic, network cards of -device, -object
 * filter-dump. Names and defaults are QEMU's. */
#ifndef FRONTEND_NETS_H
#define FRONTEND_NETS_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/netdev.h"

#define NETS_TEXT 8192

struct net_set {
    struct netdev_config netdev[NET_MAX];
    struct nic_config nic[NET_MAX];
    struct net_dump_config dump[NET_MAX];
    unsigned netdevs, nics, dumps, isa_nics;
    char text[NETS_TEXT]; /* values, taken out of their arguments */
    size_t used;
};

/* All return 0, or -EINVAL with one line in err, of err_len bytes. A comma in a value is written
 * twice. */

/* -netdev KIND,id=NAME,... */
int nets_add_netdev(struct net_set *s, const char *arg, char *err, size_t err_len);
/* -nic KIND,model=CARD,...: both sides at once; or "none". */
int nets_add_nic(struct net_set *s, const char *arg, char *err, size_t err_len);
/* -device CARD,... */
int nets_add_card(struct net_set *s, const char *arg, char *err, size_t err_len);
/* -object filter-dump,... */
int nets_add_dump(struct net_set *s, const char *arg, char *err, size_t err_len);

/* Is that the name of a card (up to a comma)? */
bool nets_is_card(const char *name);

#endif
