/* SPDX-License-Identifier: MIT */
/* User-mode networking: libslirp plays a router, a DHCP and a DNS server in front of ordinary
 * sockets of this process. It is used on the I/O thread alone: what the card sends waits in a queue
 * until that thread comes by. Names and addresses are QEMU's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/netdev_internal.h"

#ifdef CALQUE_SLIRP
#include <arpa/inet.h>
#include <libslirp.h>

#define NS_PER_MS UINT64_C(1000000)

struct user {
    struct netdev *n;
    Slirp *slirp;
    struct net_queue to_host;
    struct pollfd *fds; /* while they are collected and served */
    unsigned used, max;
};

/* A timer of libslirp's. */
struct user_timer {
    struct vm *vm;
    SlirpTimerCb fn;
    void *arg;
    struct timer timer;
};

/* -- What libslirp calls ----------------------------------------------------------------------- */

static ssize_t send_packet(const void *frame, size_t len, void *opaque)
{
    struct user *u = opaque;

    netdev_deliver(u->n, frame, len);
    return (ssize_t)len;
}

static void guest_error(const char *text, void *opaque)
{
    struct user *u = opaque;

    vm_log(u->n->vm, LOG_GUEST_ERROR, "net: %s", text);
}

static int64_t clock_get(void *opaque)
{
    struct user *u = opaque;

    return (int64_t)clock_now(u->n->vm);
}

static void timer_due(void *opaque)
{
    struct user_timer *t = opaque;

    t->fn(t->arg);
}

static void *timer_new(SlirpTimerCb fn, void *arg, void *opaque)
{
    struct user *u = opaque;
    struct user_timer *t = calloc(1, sizeof(*t));

    if (t == NULL)
        abort(); /* a small fixed size */
    t->vm = u->n->vm;
    t->fn = fn;
    t->arg = arg;
    timer_init(&t->timer, timer_due, t);
    return t;
}

static void timer_free(void *timer, void *opaque)
{
    struct user_timer *t = timer;

    (void)opaque;
    timer_cancel(t->vm, &t->timer);
    free(t);
}

static void timer_set(void *timer, int64_t due_ms, void *opaque)
{
    struct user_timer *t = timer;

    (void)opaque;
    timer_arm(t->vm, &t->timer, due_ms <= 0 ? 0 : (uint64_t)due_ms * NS_PER_MS);
}

static void ignore_fd(int fd, void *opaque)
{
    (void)fd;
    (void)opaque;
}

static void notify(void *opaque)
{
    struct user *u = opaque;

    io_kick(u->n->vm);
}

static const SlirpCb callbacks = {
    .send_packet = send_packet,
    .guest_error = guest_error,
    .clock_get_ns = clock_get,
    .timer_new = timer_new,
    .timer_free = timer_free,
    .timer_mod = timer_set,
    .register_poll_fd = ignore_fd,
    .unregister_poll_fd = ignore_fd,
    .notify = notify,
};

/* -- Descriptors ------------------------------------------------------------------------------- */

static const struct {
    int slirp;
    short host;
} poll_bits[] = {
    {SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
    {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};

static int add_poll(int fd, int events, void *opaque)
{
    struct user *u = opaque;
    short host = 0;

    if (u->used == u->max)
        return -1;
    for (unsigned k = 0; k < ARRAY_SIZE(poll_bits); k++)
        host |= events & poll_bits[k].slirp ? poll_bits[k].host : 0;
    u->fds[u->used] = (struct pollfd){.fd = fd, .events = host};
    return (int)u->used++;
}

static int get_revents(int index, void *opaque)
{
    struct user *u = opaque;
    int events = 0;

    if (index < 0 || (unsigned)index >= u->used)
        return 0;
    for (unsigned k = 0; k < ARRAY_SIZE(poll_bits); k++)
        events |= u->fds[index].revents & poll_bits[k].host ? poll_bits[k].slirp : 0;
    return events;
}

static unsigned user_poll_add(struct netdev *n, struct pollfd *fds, unsigned max, uint64_t *wait_ns)
{
    struct user *u = n->state;
    uint32_t ms = UINT32_MAX;

    u->fds = fds;
    u->used = 0;
    u->max = max;
    slirp_pollfds_fill(u->slirp, &ms, add_poll, u);
    if (u->to_host.used > 0)
        ms = 0;
    if (ms != UINT32_MAX && ms * NS_PER_MS < *wait_ns)
        *wait_ns = ms * NS_PER_MS;
    return u->used;
}

static void user_poll_done(struct netdev *n, const struct pollfd *fds)
{
    struct user *u = n->state;
    uint8_t frame[NET_FRAME_MAX];
    size_t len;

    u->fds = (struct pollfd *)fds;
    u->used = n->polls;
    slirp_pollfds_poll(u->slirp, 0, get_revents, u);
    u->used = 0;
    while ((len = net_queue_pop(&u->to_host, frame)) > 0)
        slirp_input(u->slirp, frame, (int)len);
}

static void user_send(struct netdev *n, const uint8_t *frame, size_t len)
{
    struct user *u = n->state;
    bool was_empty = u->to_host.used == 0;

    if (net_queue_push(&u->to_host, frame, len) && was_empty)
        io_kick(n->vm);
}

/* -- Life -------------------------------------------------------------------------------------- */

static struct in_addr address(uint32_t number)
{
    return (struct in_addr){htonl(number)};
}

/* The network's host number k, unless another address is given. */
static struct in_addr address_or(uint32_t number, const struct net_user_config *cfg, uint32_t k)
{
    return address(number != 0 ? number : (cfg->net & cfg->mask) + k);
}

static void configure(const struct net_user_config *given, SlirpConfig *to)
{
    struct net_user_config cfg = *given;

    if (cfg.net == 0) {
        cfg.net = 0x0a000200; /* 10.0.2.0/24 */
        cfg.mask = 0xffffff00;
    }
    *to = (SlirpConfig){
        .version = 1,
        .restricted = cfg.restricted,
        .in_enabled = true,
        .vnetwork = address(cfg.net & cfg.mask),
        .vnetmask = address(cfg.mask),
        .vhost = address_or(cfg.host, &cfg, 2),
        .vnameserver = address_or(cfg.dns, &cfg, 3),
        .vdhcp_start = address_or(cfg.dhcp_start, &cfg, 15),
        .in6_enabled = !cfg.no_ipv6,
        .vprefix_len = 64,
        .vhostname = cfg.hostname,
        .tftp_path = cfg.tftp,
        .bootfile = cfg.bootfile,
    };
    inet_pton(AF_INET6, "fec0::", &to->vprefix_addr6);
    inet_pton(AF_INET6, "fec0::2", &to->vhost6);
    inet_pton(AF_INET6, "fec0::3", &to->vnameserver6);
}

static int add_forwards(struct user *u, const SlirpConfig *slirp)
{
    const struct net_user_config *cfg = &u->n->cfg->user;

    for (unsigned k = 0; k < cfg->forward_count; k++) {
        const struct net_forward *f = &cfg->forward[k];
        struct in_addr guest = f->guest_addr != 0 ? address(f->guest_addr) : slirp->vdhcp_start;

        if (slirp_add_hostfwd(u->slirp, f->udp, address(f->host_addr), f->host_port, guest,
                              f->guest_port) != 0)
            return vm_fail(u->n->vm, -EADDRINUSE, "netdev '%s': hostfwd: port %u of the host: %s",
                           u->n->cfg->id, f->host_port, strerror(errno));
    }
    return 0;
}

static void user_close(struct netdev *n)
{
    struct user *u = n->state;

    if (u == NULL)
        return;
    if (u->slirp != NULL)
        slirp_cleanup(u->slirp);
    net_queue_free(&u->to_host);
    free(u);
}

static int user_open(struct netdev *n)
{
    struct user *u = n->state = calloc(1, sizeof(*u));
    SlirpConfig cfg;

    configure(&n->cfg->user, &cfg);
    if (u == NULL || net_queue_init(&u->to_host) != 0)
        return vm_fail(n->vm, -ENOMEM, "netdev '%s': out of memory", n->cfg->id);
    u->n = n;
    u->slirp = slirp_new(&cfg, &callbacks, u);
    if (u->slirp == NULL)
        return vm_fail(n->vm, -EINVAL, "netdev '%s': no such network can be made", n->cfg->id);
    return add_forwards(u, &cfg);
}

const struct netdev_backend netdev_user = {user_open, user_close, user_send, user_poll_add,
                                           user_poll_done};
#else
static int user_open(struct netdev *n)
{
    return vm_fail(n->vm, -ENOTSUP, "netdev '%s': built without libslirp, so there is no 'user'",
                   n->cfg->id);
}

const struct netdev_backend netdev_user = {.open = user_open};
#endif
