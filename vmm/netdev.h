/* SPDX-License-Identifier: MIT */
/* Ethernet between a network card and its host side.
 *
 * Both directions go through bounded queues that the I/O thread empties: a card that sends never
 * waits, and never receives from within its own call. What does not fit is lost, as on a wire. All
 * calls need the machine lock; the card's functions are called with it, on the I/O thread.
 *
 * Frames are what lies between preamble and frame check sequence. */
#ifndef VMM_NETDEV_H
#define VMM_NETDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_MAX       8  /* cards, host sides, and dumps */
#define NET_FRAME_MIN 60 /* shorter ones are padded on their way to a card */
#define NET_FRAME_MAX 16384
#define NET_MAC_LEN   6
#define NET_FORWARDS  16

struct vm;
struct netdev;

/* -- Configuration ----------------------------------------------------------------------------- */

/* A port of the host that leads to a port of the guest. */
struct net_forward {
    bool udp;
    uint32_t host_addr, guest_addr; /* as numbers; 0: any, and the first that DHCP gives */
    uint16_t host_port, guest_port;
};

/* A network of its own behind a router that forwards what the guest asks for: TCP, UDP, DNS, DHCP.
 */
struct net_user_config {
    bool restricted; /* forwards nothing but what `forward` says */
    bool no_ipv6;
    uint32_t net, mask, host, dns, dhcp_start; /* IPv4, as numbers; 0: QEMU's default */
    const char *hostname, *tftp, *bootfile;    /* told by DHCP; NULL: not */
    struct net_forward forward[NET_FORWARDS];
    unsigned forward_count;
};

enum netdev_kind {
    NETDEV_HUBPORT, /* a port of a hub, inside the machine */
    NETDEV_USER,    /* see struct net_user_config */
};

struct netdev_config {
    enum netdev_kind kind;
    const char *id;
    unsigned hub; /* number of the hub */
    struct net_user_config user;
};

/* Copy what passes a host side to a pcap file. */
struct net_dump_config {
    const char *netdev, *file;
    uint32_t max; /* bytes of each frame; 0: 64 KiB */
};

/* A card (devices/nic.h has the models). */
struct nic_config {
    const char *model;
    const char *netdev; /* id of the host side; NULL: the cable is not plugged in */
    uint8_t mac[NET_MAC_LEN];
    unsigned slot;   /* on the PCI bus; 0: the next free one */
    uint16_t iobase; /* on the ISA bus */
    uint8_t irq;
};

/* -- A card's side ----------------------------------------------------------------------------- */

struct netdev_ops {
    /* False: keep what comes until netdev_accept(). A card that is switched off says true and drops
     * it. */
    bool (*can_receive)(void *dev);
    void (*receive)(void *dev, const uint8_t *frame, size_t n); /* NET_FRAME_MIN..NET_FRAME_MAX */
};

/* Plug a card in. 0 with *out (NULL where id is); -ENOENT, -EBUSY with a text. */
int netdev_attach(struct vm *vm, const char *id, const struct netdev_ops *ops, void *dev,
                  struct netdev **out);
/* NULL is none. */
void netdev_detach(struct netdev *n);

/* A frame for the host side. Without one, or longer than NET_FRAME_MAX, it is lost. */
void netdev_send(struct netdev *n, const uint8_t *frame, size_t len);

/* can_receive() would say true again. */
void netdev_accept(struct netdev *n);

#endif
