/* SPDX-License-Identifier: MIT */
/* The host as Linux has it: memfd for guest RAM (so that it can be mapped a second time), futex,
 * eventfd, ppoll, signalfd. Nothing here knows about virtual machines. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/host.h"

/* -- Memory ------------------------------------------------------------------------------------ */

int host_ram_create(uint64_t size, uint8_t **base)
{
    int fd, err;
    void *p;

    fd = memfd_create("guest-ram", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) < 0)
        goto fail;
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (p == MAP_FAILED)
        goto fail;
    *base = p;
    return fd;
fail:
    err = errno;
    close(fd);
    return -err;
}

void host_ram_free(int fd, uint8_t *base, uint64_t size)
{
    if (base != NULL)
        munmap(base, size);
    if (fd >= 0)
        close(fd);
}

/* -- Time and threads -------------------------------------------------------------------------- */

static uint64_t clock_ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

uint64_t host_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t host_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

void host_futex_wait(atomic_uint *word, unsigned val)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, NULL, NULL, 0);
}

void host_futex_wake(atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void host_thread_precise(void)
{
    /* The default slack of 50 us would be seen by guests that calibrate against the PIT. */
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

int host_event_create(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

void host_event_set(int fd)
{
    uint64_t one = 1;

    /* EAGAIN means that it is set already. */
    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void host_event_clear(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
}

void host_event_free(int fd)
{
    close(fd);
}

int host_poll(struct pollfd *fds, unsigned n, uint64_t timeout_ns)
{
    struct timespec ts;
    int ready;

    ts.tv_sec = (time_t)(timeout_ns / UINT64_C(1000000000));
    ts.tv_nsec = (long)(timeout_ns % UINT64_C(1000000000));
    ready = ppoll(fds, n, timeout_ns == UINT64_MAX ? NULL : &ts, NULL);
    return ready < 0 ? -errno : ready;
}

void host_random(void *dst, size_t n)
{
    uint8_t *p = dst;

    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);

        if (got < 0 && errno != EINTR)
            abort(); /* a guest must never get predictable "random" numbers */
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
}

/* -- Descriptors ------------------------------------------------------------------------------- */

/* The flag O_NONBLOCK belongs to the open file that our parent shell shares with us: setting it
 * there would break the shell. Opening the same file anew gives us an open file of our own. */
int host_reopen_nonblock(int fd, int *old_flags)
{
    struct stat st;
    char path[32];
    int fresh, flags;

    *old_flags = -1;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISREG(st.st_mode)) { /* never blocks; anew, it would start at offset 0 */
        fresh = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return fresh < 0 ? -errno : fresh;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    fresh = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fresh >= 0)
        return fresh;
    flags = fcntl(fd, F_GETFL);
    fresh = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (flags < 0 || fresh < 0)
        return -errno;
    if (!(flags & O_NONBLOCK) && fcntl(fresh, F_SETFL, flags | O_NONBLOCK) == 0)
        *old_flags = flags;
    return fresh;
}

void host_reopen_undo(int fd, int old_flags)
{
    if (old_flags >= 0)
        fcntl(fd, F_SETFL, old_flags);
    close(fd);
}

/* -- Signals ----------------------------------------------------------------------------------- */

struct host_signals {
    int fd;
    sigset_t old_mask;
    struct sigaction old_pipe;
};

int host_signals_take(struct host_signals **out)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct host_signals *s = calloc(1, sizeof(*s));
    sigset_t set;
    int err;

    if (s == NULL)
        return -ENOMEM;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGCONT);
    s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->fd < 0) {
        err = errno;
        free(s);
        return -err;
    }
    pthread_sigmask(SIG_BLOCK, &set, &s->old_mask);
    sigaction(SIGPIPE, &ignore, &s->old_pipe);
    *out = s;
    return 0;
}

void host_signals_release(struct host_signals *s)
{
    if (s == NULL)
        return;
    while (host_signals_next(s) != HOST_SIGNAL_NONE)
        ; /* what is pending has been answered: the VM is gone */
    sigaction(SIGPIPE, &s->old_pipe, NULL);
    pthread_sigmask(SIG_SETMASK, &s->old_mask, NULL);
    close(s->fd);
    free(s);
}

enum host_signal host_signals_next(struct host_signals *s)
{
    struct signalfd_siginfo info;

    if (s == NULL || read(s->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return HOST_SIGNAL_NONE;
    return info.ssi_signo == SIGCONT ? HOST_SIGNAL_CONTINUE : HOST_SIGNAL_END;
}

int host_signals_fd(const struct host_signals *s)
{
    return s != NULL ? s->fd : -1;
}
