/* SPDX-License-Identifier: MIT */
/* See netdev.h. Each host side has a queue towards its card; what a card sends goes to the kind of
 * host side at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/netdev_internal.h"

/* Power of two: several of libslirp's windows of 1 MiB, so that a slow card loses nothing. */
#define QUEUE_SIZE (UINT32_C(4) << 20)
#define BURST      64 /* frames in one hold of the lock */
#define HEADER_LEN 14

/* -- Queues ------------------------------------------------------------------------------------ */

int net_queue_init(struct net_queue *q)
{
    *q = (struct net_queue){.data = malloc(QUEUE_SIZE)};
    return q->data == NULL ? -ENOMEM : 0;
}

void net_queue_free(struct net_queue *q)
{
    free(q->data);
    q->data = NULL;
}

static void copy_in(struct net_queue *q, const void *from, uint32_t n)
{
    uint32_t at = (q->head + q->used) % QUEUE_SIZE;
    uint32_t first = n < QUEUE_SIZE - at ? n : QUEUE_SIZE - at;

    memcpy(q->data + at, from, first);
    memcpy(q->data, (const uint8_t *)from + first, n - first);
    q->used += n;
}

static void copy_out(struct net_queue *q, void *to, uint32_t n)
{
    uint32_t first = n < QUEUE_SIZE - q->head ? n : QUEUE_SIZE - q->head;

    memcpy(to, q->data + q->head, first);
    memcpy((uint8_t *)to + first, q->data, n - first);
    q->head = (q->head + n) % QUEUE_SIZE;
    q->used -= n;
}

bool net_queue_push(struct net_queue *q, const uint8_t *frame, size_t n)
{
    uint32_t len = (uint32_t)n;

    if (n == 0 || n > NET_FRAME_MAX || sizeof(len) + len > QUEUE_SIZE - q->used)
        return false;
    copy_in(q, &len, sizeof(len));
    copy_in(q, frame, len);
    return true;
}

size_t net_queue_pop(struct net_queue *q, uint8_t frame[NET_FRAME_MAX])
{
    uint32_t len = 0;

    if (q->used == 0)
        return 0;
    copy_out(q, &len, sizeof(len));
    copy_out(q, frame, len);
    if (q->used == 0)
        q->head = 0; /* what is never needed stays untouched */
    return len;
}

/* -- Dumps ------------------------------------------------------------------------------------- */

#define DUMP_MAX   65536u
#define PCAP_MAGIC 0xa1b2c3d4u
#define PCAP_ETHER 1u

static bool write_whole(int fd, const void *data, size_t n)
{
    ssize_t done;

    do
        done = write(fd, data, n);
    while (done < 0 && errno == EINTR);
    return done == (ssize_t)n;
}

static void dump_close(struct netdev *n)
{
    if (n->dump_fd >= 0)
        close(n->dump_fd);
    n->dump_fd = -1;
}

/* Where the file takes no more, the dump ends there. */
static void dump(struct netdev *n, const uint8_t *frame, size_t len)
{
    uint64_t us = clock_wall(n->vm) / 1000;
    uint32_t kept = len < n->dump_max ? (uint32_t)len : n->dump_max;
    uint32_t head[4] = {(uint32_t)(us / 1000000), (uint32_t)(us % 1000000), kept, (uint32_t)len};
    uint8_t record[sizeof(head) + NET_FRAME_MAX];

    if (n->dump_fd < 0)
        return;
    memcpy(record, head, sizeof(head));
    memcpy(record + sizeof(head), frame, kept);
    if (!write_whole(n->dump_fd, record, sizeof(head) + kept))
        dump_close(n);
}

static int dump_open(struct netdev *n, const struct net_dump_config *cfg)
{
    uint32_t head[6] = {PCAP_MAGIC, 4 << 16 | 2, 0, 0, DUMP_MAX, PCAP_ETHER};
    int err;

    if (n->dump_fd >= 0)
        return vm_fail(n->vm, -EBUSY, "filter-dump: '%s' has one", cfg->netdev);
    n->dump_max = cfg->max == 0 || cfg->max > DUMP_MAX ? DUMP_MAX : cfg->max;
    head[4] = n->dump_max;
    n->dump_fd = open(cfg->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    err = n->dump_fd < 0 ? errno : write_whole(n->dump_fd, head, sizeof(head)) ? 0 : EIO;
    return err == 0 ? 0 : vm_fail(n->vm, -err, "filter-dump: %s: %s", cfg->file, strerror(err));
}

/* -- Frames ------------------------------------------------------------------------------------ */

void netdev_send(struct netdev *n, const uint8_t *frame, size_t len)
{
    if (n == NULL || len < HEADER_LEN || len > NET_FRAME_MAX)
        return;
    dump(n, frame, len);
    n->backend->send(n, frame, len);
}

void netdev_deliver(struct netdev *n, const uint8_t *frame, size_t len)
{
    bool was_empty = n->to_guest.used == 0;

    if (n->ops != NULL && net_queue_push(&n->to_guest, frame, len) && was_empty)
        io_kick(n->vm);
}

void netdev_accept(struct netdev *n)
{
    if (n != NULL && n->is_starved) {
        n->is_starved = false;
        io_kick(n->vm);
    }
}

/* True: there is more that the card would take. */
static bool pump(struct netdev *n)
{
    uint8_t frame[NET_FRAME_MAX];

    for (unsigned k = 0; k < BURST && n->to_guest.used > 0; k++) {
        size_t len;

        n->is_starved = !n->ops->can_receive(n->dev);
        if (n->is_starved)
            return false;
        len = net_queue_pop(&n->to_guest, frame);
        dump(n, frame, len);
        if (len < NET_FRAME_MIN) {
            memset(frame + len, 0, NET_FRAME_MIN - len);
            len = NET_FRAME_MIN;
        }
        n->ops->receive(n->dev, frame, len);
    }
    return n->to_guest.used > 0;
}

/* -- A hub's ports ----------------------------------------------------------------------------- */

static void hubport_send(struct netdev *n, const uint8_t *frame, size_t len)
{
    for (struct netdev *to = n->vm->netdevs; to != NULL; to = to->next) {
        if (to != n && to->cfg->kind == NETDEV_HUBPORT && to->cfg->hub == n->cfg->hub)
            netdev_deliver(to, frame, len);
    }
}

const struct netdev_backend netdev_hubport = {.send = hubport_send};

/* -- The I/O thread's side --------------------------------------------------------------------- */

bool netdevs_pump(struct vm *vm)
{
    bool more = false;

    for (struct netdev *n = vm->netdevs; n != NULL; n = n->next) {
        if (n->ops != NULL)
            more |= pump(n);
    }
    return more;
}

unsigned netdevs_poll_add(struct vm *vm, struct pollfd *fds, unsigned max, uint64_t *wait_ns)
{
    unsigned used = 0;

    for (struct netdev *n = vm->netdevs; n != NULL; n = n->next) {
        n->polls = 0;
        if (n->backend->poll_add != NULL && !clock_is_stopped(vm))
            n->polls = n->backend->poll_add(n, fds + used, max - used, wait_ns);
        used += n->polls;
    }
    return used;
}

void netdevs_poll_done(struct vm *vm, const struct pollfd *fds)
{
    for (struct netdev *n = vm->netdevs; n != NULL; n = n->next) {
        if (n->backend->poll_done != NULL && !clock_is_stopped(vm))
            n->backend->poll_done(n, fds);
        fds += n->polls;
    }
}

/* -- Cards ------------------------------------------------------------------------------------- */

static struct netdev *find(struct vm *vm, const char *id)
{
    struct netdev *n = vm->netdevs;

    while (n != NULL && strcmp(n->cfg->id, id) != 0)
        n = n->next;
    return n;
}

int netdev_attach(struct vm *vm, const char *id, const struct netdev_ops *ops, void *dev,
                  struct netdev **out)
{
    struct netdev *n = id != NULL ? find(vm, id) : NULL;

    *out = NULL;
    if (id == NULL)
        return 0;
    if (n == NULL)
        return vm_fail(vm, -ENOENT, "there is no netdev '%s'", id);
    if (n->ops != NULL)
        return vm_fail(vm, -EBUSY, "netdev '%s' is used more than once", id);
    n->ops = ops;
    n->dev = dev;
    *out = n;
    return 0;
}

void netdev_detach(struct netdev *n)
{
    if (n == NULL)
        return;
    n->ops = NULL;
    n->to_guest.used = 0;
}

/* -- Life -------------------------------------------------------------------------------------- */

static int create(struct vm *vm, const struct netdev_config *cfg)
{
    static const struct netdev_backend *const backends[] = {
        [NETDEV_HUBPORT] = &netdev_hubport, [NETDEV_USER] = &netdev_user};
    struct netdev **end = &vm->netdevs, *n;

    if (find(vm, cfg->id) != NULL)
        return vm_fail(vm, -EEXIST, "there are two netdevs '%s'", cfg->id);
    n = calloc(1, sizeof(*n));
    if (n == NULL || net_queue_init(&n->to_guest) != 0) {
        free(n);
        return vm_fail(vm, -ENOMEM, "netdev '%s': out of memory", cfg->id);
    }
    n->vm = vm;
    n->cfg = cfg;
    n->backend = backends[cfg->kind];
    n->dump_fd = -1;
    while (*end != NULL)
        end = &(*end)->next;
    *end = n;
    return n->backend->open != NULL ? n->backend->open(n) : 0;
}

int netdevs_create(struct vm *vm)
{
    int err = 0;

    for (unsigned k = 0; k < vm->cfg.netdev_count && err == 0; k++)
        err = create(vm, &vm->cfg.netdevs[k]);
    for (unsigned k = 0; k < vm->cfg.net_dump_count && err == 0; k++) {
        const struct net_dump_config *cfg = &vm->cfg.net_dumps[k];
        struct netdev *n = find(vm, cfg->netdev);

        err = n != NULL ? dump_open(n, cfg)
                        : vm_fail(vm, -ENOENT, "filter-dump: there is no netdev '%s'", cfg->netdev);
    }
    return err;
}

void netdevs_destroy(struct vm *vm)
{
    while (vm->netdevs != NULL) {
        struct netdev *n = vm->netdevs;

        if (n->backend->close != NULL)
            n->backend->close(n);
        dump_close(n);
        net_queue_free(&n->to_guest);
        vm->netdevs = n->next;
        free(n);
    }
}
