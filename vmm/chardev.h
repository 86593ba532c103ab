/* SPDX-License-Identifier: MIT */
/* The host end of a serial line (or of any byte stream): stdio, a file, a pty, a socket, or
 * nothing. */
#ifndef VMM_CHARDEV_H
#define VMM_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;
struct chardev;

enum chardev_event {
    CHARDEV_OPENED, /* somebody has connected to the socket */
    CHARDEV_CLOSED, /* and has gone */
    CHARDEV_FOCUS,  /* what is typed goes to this user from now on */
};

/* What its user, a device or a monitor, provides. All are called on the I/O thread with the machine
 * lock held. */
struct chardev_ops {
    size_t (*can_receive)(void *dev);                          /* bytes that it would take now */
    void (*receive)(void *dev, const uint8_t *data, size_t n); /* n <= can_receive() */
    void (*event)(void *dev, enum chardev_event e);            /* NULL: of no interest */
    bool while_paused; /* it takes input while the machine is paused, too */
};

/* For a device that has no way in for input: it is taken and forgotten. */
extern const struct chardev_ops chardev_no_input;

/* Open by QEMU's syntax: "stdio", "file:PATH", "null", "pty", "unix:PATH[,server,nowait]",
 * "tcp:HOST:PORT[,server,nowait]", each of them behind "mon:", too: Ctrl-A is then for us. The
 * label tells the user whose it is. NULL on failure, with a one-line reason in err (of at least 256
 * bytes). */
struct chardev *chardev_open(struct vm *vm, const char *label, const char *spec, char *err);
void chardev_close(struct chardev *cd);

/* Connect a device (one at most). */
void chardev_attach(struct chardev *cd, const struct chardev_ops *ops, void *dev);

/* Connect a monitor beside it, or nothing again (NULL): Ctrl-A C switches between the two. */
void chardev_attach_monitor(struct chardev *cd, const struct chardev_ops *ops, void *dev);

/* Queue bytes for the host; never blocks (bounded buffer, the oldest host-side data are written
 * first; when it is full the calling vCPU waits up to 250 ms and then bytes are dropped and
 * counted). */
void chardev_write(struct chardev *cd, const uint8_t *data, size_t n);

/* The device can take bytes again after can_receive() gave 0. */
void chardev_accept_input(struct chardev *cd);

/* Call fn for each, in the order of opening. */
struct chardev_info {
    const char *label;
    const char *spec;
    const char *path; /* what it is on the host, where the user must be told (a pty); else "" */
    bool shared;      /* "mon:" */
};
typedef void (*chardev_fn)(void *arg, struct chardev *cd, const struct chardev_info *info);
void chardev_each(const struct vm *vm, chardev_fn fn, void *arg);

#endif
