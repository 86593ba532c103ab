/* SPDX-License-Identifier: MIT */
/* The I/O thread: sleeps until a timer is due, a host descriptor ready or a drive's request done,
 * and serves them under the machine lock. `sleep_until` tells timer_arm() whether it must be woken
 * for a new deadline; it is 0 while the thread is awake, since it looks at the timers again before
 * it sleeps. */
#include <errno.h>

#include "vmm/vmm_internal.h"

#define FIRE_BURST 64   /* timers in one hold of the lock */
#define NET_POLLS  1000 /* sockets of networks */
/* wake-up, signals, both ends of each chardev */
#define POLL_MAX (2 + 2 * CHARDEV_MAX + NET_POLLS)

static void take_signals(struct vm *vm)
{
    enum host_signal sig;

    while ((sig = host_signals_next(vm->signals)) != HOST_SIGNAL_NONE) {
        if (sig == HOST_SIGNAL_END)
            vm_quit(vm);
        else
            chardev_continued(vm);
    }
}

/* One round: returns with the machine lock held, as it is called. */
static void io_round(struct vm *vm)
{
    struct io_thread *io = &vm->io;
    struct pollfd fds[POLL_MAX];
    uint64_t wait_ns;
    unsigned n = 2, net;
    bool more;

    more = !clock_is_stopped(vm) && clock_fire(vm, FIRE_BURST);
    drives_complete(vm);
    chardev_pump(vm);
    if (!clock_is_stopped(vm)) /* devices do not change while the VM is paused */
        more |= netdevs_pump(vm);
    fds[0] = (struct pollfd){.fd = io->wake_fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = host_signals_fd(vm->signals), .events = POLLIN};
    n += chardev_poll_add(vm, fds + n, 2 * CHARDEV_MAX);
    wait_ns = more ? 0 : clock_wait_ns(vm);
    net = n;
    n += netdevs_poll_add(vm, fds + n, NET_POLLS, &wait_ns);
    io->sleep_until = wait_ns == UINT64_MAX ? UINT64_MAX : clock_now(vm) + wait_ns;
    vm_unlock(vm);

    if (host_poll(fds, n, wait_ns) <= 0) {
        for (unsigned i = 0; i < n; i++)
            fds[i].revents = 0;
    }
    if (fds[0].revents != 0)
        host_event_clear(io->wake_fd);

    vm_lock(vm);
    io->sleep_until = 0;
    if (fds[1].revents != 0)
        take_signals(vm);
    chardev_poll_done(vm, fds + 2);
    netdevs_poll_done(vm, fds + net);
}

static void *io_main(void *arg)
{
    struct vm *vm = arg;

    host_thread_precise();
    vm_lock(vm);
    while (!atomic_load(&vm->io.stop))
        io_round(vm);
    vm->io.sleep_until = 0;
    vm_unlock(vm);
    return NULL;
}

void io_kick(struct vm *vm)
{
    host_event_set(vm->io.wake_fd);
}

int io_start(struct vm *vm)
{
    struct io_thread *io = &vm->io;
    int err;

    atomic_store(&io->stop, false);
    err = pthread_create(&io->thread, NULL, io_main, vm);
    if (err != 0)
        return vm_fail(vm, -err, "cannot start the I/O thread");
    io->started = true;
    return 0;
}

void io_stop(struct vm *vm)
{
    struct io_thread *io = &vm->io;

    if (!io->started)
        return;
    atomic_store(&io->stop, true);
    io_kick(vm);
    pthread_join(io->thread, NULL);
    io->started = false;
}

int io_init(struct vm *vm)
{
    vm->io.wake_fd = host_event_create();
    return vm->io.wake_fd < 0 ? vm->io.wake_fd : 0;
}

void io_free(struct vm *vm)
{
    if (vm->io.wake_fd >= 0)
        host_event_free(vm->io.wake_fd);
}
