/* SPDX-License-Identifier: MIT */
/* Everything that vmm/ asks of the host's operating system; one implementation file per system. */
#ifndef VMM_HOST_H
#define VMM_HOST_H

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A sparse shared memory object of `size` bytes, zeroed, mapped at *base. Pages take host memory
 * when they are first touched. Returns its descriptor or -errno. */
int host_ram_create(uint64_t size, uint8_t **base);
void host_ram_free(int fd, uint8_t *base, uint64_t size);

/* Monotonic time, and wall-clock time since 1970-01-01 UTC. */
uint64_t host_now_ns(void);
uint64_t host_wall_ns(void);

/* Sleep while *word == val (may also return early); wake all sleepers on a word. */
void host_futex_wait(atomic_uint *word, unsigned val);
void host_futex_wake(atomic_uint *word);

/* A descriptor that poll() reports readable once it was set; -errno. */
int host_event_create(void);
void host_event_set(int fd);
void host_event_clear(int fd);
void host_event_free(int fd);

/* poll() with a timeout in nanoseconds; UINT64_MAX waits for ever. Number of ready ones or -errno.
 */
int host_poll(struct pollfd *fds, unsigned n, uint64_t timeout_ns);

/* Ask for the finest wake-up times that the host gives, for the calling thread. */
void host_thread_precise(void);

/* n bytes from the host's random number generator. */
void host_random(void *dst, size_t n);

/* A descriptor of its own for writing to what fd refers to, without blocking and without changing
 * fd's flags for the processes that share it. Where the host cannot do that, a duplicate of fd in
 * non-blocking mode, and *old_flags (otherwise -1) is what host_reopen_undo() puts back. -errno. */
int host_reopen_nonblock(int fd, int *old_flags);
void host_reopen_undo(int fd, int old_flags);

/* Signals that end or continue the program, turned into events. */
struct host_signals;

enum host_signal { HOST_SIGNAL_NONE, HOST_SIGNAL_END, HOST_SIGNAL_CONTINUE };

/* Block SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGCONT in the calling thread and its later children
 * and ignore SIGPIPE; release puts back what was and frees. 0 or -errno. NULL is legal for the
 * others. */
int host_signals_take(struct host_signals **out);
void host_signals_release(struct host_signals *s);
enum host_signal host_signals_next(struct host_signals *s);

/* Readable when a signal came; -1 for NULL. */
int host_signals_fd(const struct host_signals *s);

#endif
