/* SPDX-License-Identifier: MIT */
/* The network behind -nic user, which must take anything that a guest sends. It leads nowhere here.
 * Input: frames, of which the headers come by themselves where a bit says so, and time that passes.
 */
#include <string.h>

#include "tests/fuzz/input.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define FRAME_MAX 1600u
#define ETHER_LEN 14u
#define IP4_LEN   20u
#define IP6_LEN   40u
#define NS_PER_MS UINT64_C(1000000)

static const uint8_t ether[ETHER_LEN] = {0x52, 0x55, 10,   0,    2,    2, 0x52,
                                         0x54, 0,    0x12, 0x34, 0x56, 8};
static const uint8_t ip4[IP4_LEN] = {0x45, 0, 0,  0, 0, 1,  0,  0, 64, 17,
                                     0,    0, 10, 0, 2, 15, 10, 0, 2,  2};
static const uint8_t ip6[IP6_LEN] = {0x60,      [6] = 58,    [7] = 255,   [8] = 0xfe, [9] = 0xc0,
                                     [23] = 15, [24] = 0xfe, [25] = 0xc0, [39] = 2};

static bool can_receive(void *dev)
{
    (void)dev;
    return true;
}

static void receive(void *dev, const uint8_t *frame, size_t n)
{
    (void)dev;
    (void)frame;
    REQUIRE(n >= NET_FRAME_MIN && n <= NET_FRAME_MAX);
}

static struct vm *create(struct netdev **card)
{
    static const struct netdev_ops ops = {can_receive, receive};
    static const struct netdev_config net = {
        .kind = NETDEV_USER,
        .id = "net",
        .user = {.restricted = true, .hostname = "guest", .tftp = "/dev/null", .bootfile = "x"}};
    struct vm *vm = fake_vm_with(&(struct vm_config){.netdevs = &net, .netdev_count = 1}, NULL);

    vm_lock(vm);
    REQUIRE(netdev_attach(vm, "net", &ops, vm, card) == 0);
    atomic_store(&vm->clock.stopped, NS_PER_SEC);
    vm_unlock(vm);
    return vm;
}

static void put16(uint8_t *at, size_t val)
{
    at[0] = (uint8_t)(val >> 8);
    at[1] = (uint8_t)val;
}

static void put_sum(uint8_t *header, unsigned n, unsigned at)
{
    uint32_t sum = 0;

    put16(header + at, 0);
    for (unsigned k = 0; k < n; k += 2)
        sum += (uint32_t)header[k] << 8 | header[k + 1];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    put16(header + at, ~sum);
}

/* What a packet's header says of the packet becomes true. */
static void finish(uint8_t *packet, size_t n, bool six)
{
    if (six) {
        put16(packet + 4, n - IP6_LEN);
    } else {
        put16(packet + 2, n);
        put_sum(packet, IP4_LEN, 10);
    }
}

/* At most `max` bytes of the input. */
static size_t take(struct input *in, uint8_t *to, size_t max)
{
    size_t n = max < in->n ? max : in->n;

    memcpy(to, in->p, n);
    in->p += n;
    in->n -= n;
    return n;
}

/* Bits of `op`: headers come by themselves, IPv6, there is much of it. */
static size_t make_frame(uint8_t *frame, unsigned op, struct input *in)
{
    bool six = op & 2;
    size_t n = 0, header = six ? IP6_LEN : IP4_LEN;

    if (op & 1) {
        memcpy(frame, ether, ETHER_LEN);
        if (six)
            put16(frame + 12, 0x86dd);
        memcpy(frame + ETHER_LEN, six ? ip6 : ip4, header);
        frame[ETHER_LEN + (six ? 6 : 9)] = input_u8(in); /* the protocol */
        frame[ETHER_LEN + header - 1] = input_u8(in);    /* the host */
        n = ETHER_LEN + header;
    }
    n += take(in, frame + n, input_int(in, 2) % 1024);
    if (op & 4)
        n = FRAME_MAX - input_u8(in);
    if (op & 1)
        finish(frame + ETHER_LEN, n - ETHER_LEN, six);
    return n;
}

/* As the I/O thread does. */
static void serve(struct vm *vm)
{
    struct pollfd fds[64];
    uint64_t wait_ns = 0;
    unsigned n;

    clock_fire(vm, 100);
    netdevs_pump(vm);
    n = netdevs_poll_add(vm, fds, ARRAY_SIZE(fds), &wait_ns);
    if (host_poll(fds, n, 0) <= 0) {
        for (unsigned k = 0; k < n; k++)
            fds[k].revents = 0;
    }
    netdevs_poll_done(vm, fds);
}

static void step(struct vm *vm, struct netdev *card, struct input *in)
{
    uint8_t frame[FRAME_MAX] = {0};
    unsigned op = input_u8(in);

    if (op & 0x80)
        atomic_store(&vm->clock.stopped, clock_now(vm) + (NS_PER_MS << (op & 15)));
    else
        netdev_send(card, frame, make_frame(frame, op, in));
    if (op & 0x40)
        serve(vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct netdev *card;
    struct vm *vm = create(&card);

    vm_lock(vm);
    while (in.n > 0)
        step(vm, card, &in);
    serve(vm);
    vm_unlock(vm);
    vm_destroy(vm);
    return 0;
}
