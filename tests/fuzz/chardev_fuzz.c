/* SPDX-License-Identifier: MIT */
/* The host end of a serial line, for whoever connects: a client that comes, sends anything and
 * goes, while the device and the monitor behind take as much as they like. Input: steps. */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fuzz/input.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

/* Of what a client reads: less than that is on its way, or the writer waits for it. */
#define OUT_MAX 60000u

/* A device, or a monitor. */
struct end {
    size_t room;
};

struct line {
    struct vm *vm;
    struct chardev *cd;
    struct end device, monitor;
    struct sockaddr_un at;
    int client; /* or -1 */
    size_t written;
};

static size_t can_receive(void *dev)
{
    return ((struct end *)dev)->room;
}

static void receive(void *dev, const uint8_t *data, size_t n)
{
    struct end *e = dev;

    REQUIRE(n > 0 && n <= e->room && data[0] + data[n - 1] >= 0);
    e->room -= n;
}

static const struct chardev_ops device_ops = {can_receive, receive, NULL, false};
static const struct chardev_ops monitor_ops = {can_receive, receive, NULL, true};

static void create(struct line *l)
{
    char spec[128], err[VM_ERR_LEN];

    l->client = -1;
    l->vm = fake_vm(NULL);
    l->at.sun_family = AF_UNIX;
    snprintf(l->at.sun_path, sizeof(l->at.sun_path), "/tmp/calque-fuzz-%d", (int)getpid());
    snprintf(spec, sizeof(spec), "mon:unix:%s,server,nowait", l->at.sun_path);
    vm_lock(l->vm);
    clock_start(l->vm);
    l->cd = chardev_open(l->vm, "serial0", spec, err);
    REQUIRE(l->cd != NULL);
    chardev_attach(l->cd, &device_ops, &l->device);
    chardev_attach_monitor(l->cd, &monitor_ops, &l->monitor);
    vm_unlock(l->vm);
}

/* -- The client -------------------------------------------------------------------------------- */

static void hang_up(struct line *l)
{
    if (l->client >= 0)
        close(l->client);
    l->client = -1;
    l->written = 0;
}

static void call(struct line *l)
{
    hang_up(l);
    l->client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    REQUIRE(l->client >= 0);
    if (connect(l->client, (struct sockaddr *)&l->at, sizeof(l->at)) != 0)
        hang_up(l); /* others are waiting */
}

static void say(struct line *l, const uint8_t *data, size_t n)
{
    if (l->client >= 0)
        (void)!send(l->client, data, n, MSG_NOSIGNAL);
}

static void say_much(struct line *l, struct input *in)
{
    uint8_t data[5000];
    size_t n = input_int(in, 2) % sizeof(data);

    memset(data, input_u8(in), sizeof(data));
    say(l, data, n);
}

static void listen_to_it(struct line *l)
{
    uint8_t data[4096];

    while (l->client >= 0 && recv(l->client, data, sizeof(data), 0) > 0)
        ;
    l->written = 0;
}

/* -- The machine ------------------------------------------------------------------------------- */

/* As the I/O thread does. */
static void serve(struct line *l)
{
    struct pollfd fds[2 * CHARDEV_MAX];
    unsigned n;

    vm_lock(l->vm);
    chardev_pump(l->vm);
    n = chardev_poll_add(l->vm, fds, ARRAY_SIZE(fds));
    if (host_poll(fds, n, 0) <= 0) {
        for (unsigned k = 0; k < n; k++)
            fds[k].revents = 0;
    }
    chardev_poll_done(l->vm, fds);
    vm_unlock(l->vm);
}

static void answer(struct line *l, struct input *in)
{
    static const uint8_t data[OUT_MAX];
    size_t n = input_int(in, 2) % OUT_MAX;

    if (l->written + n > OUT_MAX)
        listen_to_it(l);
    l->written += n;
    chardev_write(l->cd, data, n);
}

static void make_room(struct line *l, unsigned op, struct input *in)
{
    vm_lock(l->vm);
    l->device.room = input_int(in, 1 + (op & 1));
    l->monitor.room = input_u8(in);
    chardev_accept_input(l->cd);
    vm_unlock(l->vm);
}

static void pause_or_go(struct line *l, bool pause)
{
    vm_lock(l->vm);
    if (pause)
        clock_stop(l->vm);
    else
        clock_start(l->vm);
    vm_unlock(l->vm);
}

static void step(struct line *l, struct input *in)
{
    unsigned op = input_u8(in);
    size_t n = op % 32 < in->n ? op % 32 : in->n;

    switch (op >> 5) {
    case 0: call(l); break;
    case 1:
        say(l, in->p, n);
        in->p += n;
        in->n -= n;
        break;
    case 2: say_much(l, in); break;
    case 3:
        if (op & 1)
            shutdown(l->client, SHUT_WR);
        else
            hang_up(l);
        break;
    case 4: answer(l, in); break;
    case 5: serve(l); break;
    case 6: make_room(l, op, in); break;
    default: pause_or_go(l, op & 1); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct line l = {0};

    signal(SIGPIPE, SIG_IGN);
    create(&l);
    while (in.n > 0)
        step(&l, &in);
    hang_up(&l);
    vm_destroy(l.vm);
    return 0;
}
