/* SPDX-License-Identifier: MIT */
/* What netdev.c and the kinds of host side share. */
#ifndef VMM_NETDEV_INTERNAL_H
#define VMM_NETDEV_INTERNAL_H

#include "vmm/netdev.h"
#include "vmm/vmm_internal.h"

/* Frames one after the other, each behind its length, in a ring. */
struct net_queue {
    uint8_t *data;
    uint32_t head, used;
};

/* 0 or -ENOMEM. */
int net_queue_init(struct net_queue *q);
void net_queue_free(struct net_queue *q);
/* False: it is full. n <= NET_FRAME_MAX. */
bool net_queue_push(struct net_queue *q, const uint8_t *frame, size_t n);
/* The length; 0: it is empty. */
size_t net_queue_pop(struct net_queue *q, uint8_t frame[NET_FRAME_MAX]);

/* A kind of host side. Handlers that it does not need are NULL. */
struct netdev_backend {
    /* 0 or -errno with a text. */
    int (*open)(struct netdev *n);
    void (*close)(struct netdev *n);
    /* A frame from the card. */
    void (*send)(struct netdev *n, const uint8_t *frame, size_t len);
    /* The I/O thread's: descriptors that it waits for (how many of the `max` at fds), and for how
     * long at most; serve them, and what the card sent. */
    unsigned (*poll_add)(struct netdev *n, struct pollfd *fds, unsigned max, uint64_t *wait_ns);
    void (*poll_done)(struct netdev *n, const struct pollfd *fds);
};

extern const struct netdev_backend netdev_hubport, netdev_user;

struct netdev {
    struct vm *vm;
    struct netdev *next;
    const struct netdev_config *cfg;
    const struct netdev_backend *backend;
    void *state; /* the backend's */
    const struct netdev_ops *ops;
    void *dev;                 /* the card */
    struct net_queue to_guest; /* for the card */
    bool is_starved;           /* it will call netdev_accept() */
    int dump_fd;               /* -1: none */
    uint32_t dump_max;
    unsigned polls; /* descriptors that are waited for now */
};

/* A frame for the card. */
void netdev_deliver(struct netdev *n, const uint8_t *frame, size_t len);

#endif
