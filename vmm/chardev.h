/* SPDX-License-Identifier: MIT */
/* The host end of a serial line (or of any byte stream): stdio, a file, a pty, or nothing. */
#ifndef VMM_CHARDEV_H
#define VMM_CHARDEV_H

#include <stddef.h>
#include <stdint.h>

struct vm;
struct chardev;

/* What the device behind it provides. Both are called on the I/O thread with the machine lock held.
 */
struct chardev_ops {
    size_t (*can_receive)(void *dev);                          /* bytes that it would take now */
    void (*receive)(void *dev, const uint8_t *data, size_t n); /* n <= can_receive() */
};

/* Open by QEMU's syntax: "stdio", "mon:stdio", "file:PATH", "null", "pty". The label tells the user
 * whose it is. NULL on failure, with a one-line reason in err (of at least 256 bytes). */
struct chardev *chardev_open(struct vm *vm, const char *label, const char *spec, char *err);
void chardev_close(struct chardev *cd);

/* Connect a device (one at most). */
void chardev_attach(struct chardev *cd, const struct chardev_ops *ops, void *dev);

/* Queue bytes for the host; never blocks (bounded buffer, the oldest host-side data are written
 * first; when it is full the calling vCPU waits up to 250 ms and then bytes are dropped and
 * counted). */
void chardev_write(struct chardev *cd, const uint8_t *data, size_t n);

/* The device can take bytes again after can_receive() gave 0. */
void chardev_accept_input(struct chardev *cd);

/* Call fn for each that got a name on the host which the user must be told (a pty's path), in the
 * order of opening. */
typedef void (*chardev_path_fn)(void *arg, const char *label, const char *path);
void chardev_each_path(const struct vm *vm, chardev_path_fn fn, void *arg);

#endif
