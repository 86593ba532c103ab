/* SPDX-License-Identifier: MIT */
/* Host ends of serial lines.
 *
 * Output goes into a ring that the I/O thread empties; the vCPU pays one wake-up for a burst of
 * bytes. When the host side does not keep up, the writer itself waits for it, for at most 250 ms,
 * and from then on bytes are dropped until the host side takes some again. Closing drains the ring,
 * under the same conditions.
 *
 * Input is read into a small buffer, in which "mon:" specs look for their Ctrl-A commands even
 * while the guest takes nothing, and handed on as fast as the device asks. */
#include "vmm/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/terminal.h"
#include "vmm/vmm_internal.h"

#define OUT_SIZE     65536u /* power of two */
#define IN_SIZE      4096u
#define ESCAPE       0x01 /* Ctrl-A */
#define FULL_WAIT_NS (UINT64_C(250) * 1000000)

enum kind { KIND_NULL, KIND_STDIO, KIND_FILE, KIND_PTY, KIND_SOCKET };

/* Who gets the input. */
enum user { USER_DEVICE, USER_MONITOR, USER_COUNT };

struct user_end {
    const struct chardev_ops *ops;
    void *dev;
    uint8_t in[IN_SIZE]; /* machine lock */
    unsigned in_len;
    bool starved; /* it took nothing: it will call chardev_accept_input() */
};

struct chardev {
    struct vm *vm;
    struct chardev *next;
    enum kind kind;
    struct user_end users[USER_COUNT];
    enum user focus;
    int in_fd, out_fd; /* -1: none; out_lock for sockets */
    int slave_fd;      /* pty: held open so that its end never hangs up */
    int listen_fd;     /* socket that waits for somebody, or -1 */
    struct chardev_socket socket;
    int old_flags;         /* of stdout, or -1 */
    int poll_in, poll_out; /* places in the I/O thread's array, or -1 */
    bool escapes;          /* Ctrl-A commands */
    bool escaped;          /* the last key was Ctrl-A */
    struct terminal terminal;
    char label[16];
    char path[64];
    char *spec;

    pthread_mutex_t out_lock; /* guards what follows */
    uint8_t out[OUT_SIZE];
    unsigned out_head, out_len;
    bool out_stalled; /* the wait for the host side has failed */
    bool out_dead;    /* nobody will ever read */
    uint64_t dropped;
};

/* -- Output ------------------------------------------------------------------------------------ */

static bool wait_writable(const struct chardev *cd, uint64_t ns)
{
    struct pollfd fd = {.fd = cd->out_fd, .events = POLLOUT};

    return host_poll(&fd, 1, ns) > 0;
}

/* Write what the host side takes now. True where that was something. */
static bool flush_some(struct chardev *cd)
{
    bool progress = false;

    while (cd->out_len > 0) {
        unsigned len =
            OUT_SIZE - cd->out_head < cd->out_len ? OUT_SIZE - cd->out_head : cd->out_len;
        ssize_t done = write(cd->out_fd, cd->out + cd->out_head, len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno == EAGAIN)
            break;
        if (done <= 0) {
            cd->out_dead = true;
            cd->dropped += cd->out_len;
            cd->out_len = 0;
            break;
        }
        cd->out_head = (cd->out_head + (unsigned)done) % OUT_SIZE;
        cd->out_len -= (unsigned)done;
        cd->out_stalled = false;
        progress = true;
    }
    return progress;
}

static unsigned enqueue(struct chardev *cd, const uint8_t *data, size_t n)
{
    unsigned len = 0;

    while (len < n && cd->out_len < OUT_SIZE)
        cd->out[(cd->out_head + cd->out_len++) % OUT_SIZE] = data[len++];
    return len;
}

void chardev_write(struct chardev *cd, const uint8_t *data, size_t n)
{
    bool was_empty;

    pthread_mutex_lock(&cd->out_lock);
    was_empty = cd->out_len == 0;
    if (cd->out_fd < 0)
        n = 0;
    while (n > 0 && !cd->out_dead) {
        unsigned done = enqueue(cd, data, n);

        data += done;
        n -= done;
        if (n == 0 || flush_some(cd) || cd->out_dead)
            continue;
        if (cd->out_stalled || !wait_writable(cd, FULL_WAIT_NS) || !flush_some(cd)) {
            cd->out_stalled = true;
            break;
        }
    }
    cd->dropped += n;
    was_empty = was_empty && cd->out_len > 0;
    pthread_mutex_unlock(&cd->out_lock);
    if (was_empty)
        io_kick(cd->vm);
}

static void drain(struct chardev *cd)
{
    pthread_mutex_lock(&cd->out_lock);
    while (cd->out_len > 0) {
        if (!flush_some(cd) &&
            (cd->out_dead || cd->out_stalled || !wait_writable(cd, FULL_WAIT_NS)))
            break;
    }
    pthread_mutex_unlock(&cd->out_lock);
}

/* -- Input ------------------------------------------------------------------------------------- */

static void show_help(struct chardev *cd)
{
    static const char text[] = "\r\n"
                               "Ctrl-A H       this help\r\n"
                               "Ctrl-A X       end the program\r\n"
                               "Ctrl-A C       switch between the guest and the monitor\r\n"
                               "Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

    chardev_write(cd, (const uint8_t *)text, sizeof(text) - 1);
}

static void tell(struct user_end *u, enum chardev_event e)
{
    if (u->ops != NULL && u->ops->event != NULL)
        u->ops->event(u->dev, e);
}

static void switch_focus(struct chardev *cd)
{
    cd->focus = (cd->focus + 1) % USER_COUNT;
    if (cd->users[cd->focus].ops == NULL)
        cd->focus = USER_DEVICE;
    tell(&cd->users[cd->focus], CHARDEV_FOCUS);
}

/* A key that came after Ctrl-A. True where the user behind gets it. */
static bool take_command(struct chardev *cd, uint8_t key)
{
    switch (key) {
    case 'x':
    case 'X': vm_quit(cd->vm); return false;
    case 'c':
    case 'C': switch_focus(cd); return false;
    case 'h':
    case 'H':
    case '?': show_help(cd); return false;
    case ESCAPE: return true;
    default: return false;
    }
}

static void take_input(struct chardev *cd, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct user_end *u = &cd->users[cd->focus];

        if (cd->escapes && !cd->escaped && data[i] == ESCAPE) {
            cd->escaped = true;
            continue;
        }
        if (!cd->escaped || take_command(cd, data[i]))
            u->in[u->in_len++] = data[i];
        cd->escaped = false;
    }
}

/* How much may be read, whoever it is for. */
static unsigned input_room(const struct chardev *cd)
{
    unsigned len = 0;

    for (unsigned k = 0; k < USER_COUNT; k++)
        len = cd->users[k].in_len > len ? cd->users[k].in_len : len;
    return IN_SIZE - len;
}

static void hang_up(struct chardev *cd)
{
    pthread_mutex_lock(&cd->out_lock);
    if (cd->listen_fd >= 0) {
        close(cd->in_fd);
        cd->out_fd = -1;
        cd->out_len = 0;
    }
    cd->in_fd = -1; /* end of input: the guest hears nothing more, and goes on */
    pthread_mutex_unlock(&cd->out_lock);
    for (unsigned k = 0; k < USER_COUNT; k++)
        tell(&cd->users[k], CHARDEV_CLOSED);
}

static void pick_up(struct chardev *cd)
{
    int fd = chardev_socket_accept(cd->listen_fd);

    if (fd < 0)
        return;
    pthread_mutex_lock(&cd->out_lock);
    cd->in_fd = cd->out_fd = fd;
    cd->out_len = 0;
    cd->out_dead = cd->out_stalled = false;
    pthread_mutex_unlock(&cd->out_lock);
    for (unsigned k = 0; k < USER_COUNT; k++)
        tell(&cd->users[k], CHARDEV_OPENED);
}

static void read_input(struct chardev *cd)
{
    uint8_t data[IN_SIZE];
    ssize_t n;

    if (cd->in_fd < 0) {
        pick_up(cd);
        return;
    }
    n = read(cd->in_fd, data, input_room(cd));
    if (n > 0)
        take_input(cd, data, (size_t)n);
    else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        hang_up(cd);
}

static void pump(struct user_end *u)
{
    unsigned done = 0;

    while (done < u->in_len) {
        size_t room = u->ops->can_receive(u->dev);
        size_t len = u->in_len - done;

        if (room == 0)
            break;
        len = room < len ? room : len;
        u->ops->receive(u->dev, u->in + done, len);
        done += (unsigned)len;
    }
    u->in_len -= done;
    memmove(u->in, u->in + done, u->in_len);
    u->starved = u->in_len > 0;
}

void chardev_accept_input(struct chardev *cd)
{
    for (unsigned k = 0; k < USER_COUNT; k++) {
        if (cd->users[k].starved) {
            cd->users[k].starved = false;
            io_kick(cd->vm);
        }
    }
}

/* -- The I/O thread's side --------------------------------------------------------------------- */

void chardev_pump(struct vm *vm)
{
    bool paused = clock_is_stopped(vm); /* devices do not change while the machine is paused */

    for (struct chardev *cd = vm->chardevs; cd != NULL; cd = cd->next) {
        for (unsigned k = 0; k < USER_COUNT; k++) {
            struct user_end *u = &cd->users[k];

            if (u->in_len > 0 && u->ops != NULL && (!paused || u->ops->while_paused))
                pump(u);
        }
    }
}

unsigned chardev_poll_add(struct vm *vm, struct pollfd *fds, unsigned n)
{
    unsigned used = 0;

    for (struct chardev *cd = vm->chardevs; cd != NULL; cd = cd->next) {
        cd->poll_in = cd->poll_out = -1;
        int fd = cd->in_fd >= 0 ? cd->in_fd : cd->listen_fd;

        if (fd >= 0 && input_room(cd) > 0 && used < n) {
            cd->poll_in = (int)used;
            fds[used++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
        pthread_mutex_lock(&cd->out_lock);
        if (cd->out_fd >= 0 && cd->out_len > 0 && used < n) {
            cd->poll_out = (int)used;
            fds[used++] = (struct pollfd){.fd = cd->out_fd, .events = POLLOUT};
        }
        pthread_mutex_unlock(&cd->out_lock);
    }
    return used;
}

void chardev_poll_done(struct vm *vm, const struct pollfd *fds)
{
    for (struct chardev *cd = vm->chardevs; cd != NULL; cd = cd->next) {
        if (cd->poll_out >= 0 && fds[cd->poll_out].revents != 0) {
            pthread_mutex_lock(&cd->out_lock);
            flush_some(cd);
            pthread_mutex_unlock(&cd->out_lock);
        }
        if (cd->poll_in >= 0 && fds[cd->poll_in].revents != 0)
            read_input(cd);
        cd->poll_in = cd->poll_out = -1;
    }
}

void chardev_continued(struct vm *vm)
{
    for (struct chardev *cd = vm->chardevs; cd != NULL; cd = cd->next)
        terminal_again(&cd->terminal);
}

/* -- Kinds ------------------------------------------------------------------------------------- */

static int open_stdio(struct chardev *cd)
{
    if (cd->vm->stdio_taken)
        return -EBUSY;
    cd->out_fd = host_reopen_nonblock(STDOUT_FILENO, &cd->old_flags);
    if (cd->out_fd < 0)
        return cd->out_fd;
    cd->in_fd = STDIN_FILENO;
    cd->kind = KIND_STDIO;
    cd->vm->stdio_taken = true;
    terminal_raw(&cd->terminal, !cd->escapes);
    return 0;
}

static int open_file(struct chardev *cd, const char *path)
{
    cd->kind = KIND_FILE;
    cd->out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    return cd->out_fd < 0 ? -errno : 0;
}

static int open_pty(struct chardev *cd)
{
    struct termios t;

    cd->kind = KIND_PTY;
    cd->out_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (cd->out_fd < 0 || grantpt(cd->out_fd) < 0 || unlockpt(cd->out_fd) < 0 ||
        ptsname_r(cd->out_fd, cd->path, sizeof(cd->path)) != 0)
        return -errno;
    cd->slave_fd = open(cd->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (cd->slave_fd < 0 || tcgetattr(cd->slave_fd, &t) < 0)
        return -errno;
    cfmakeraw(&t); /* no echo: it would come back to the guest as input */
    if (tcsetattr(cd->slave_fd, TCSANOW, &t) < 0 ||
        fcntl(cd->out_fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return -errno;
    cd->in_fd = cd->out_fd;
    return 0;
}

static int open_socket(struct chardev *cd, const char *spec)
{
    int fd = chardev_socket_open(spec, &cd->socket);

    cd->kind = KIND_SOCKET;
    if (fd < 0)
        return fd;
    if (cd->socket.server)
        cd->listen_fd = fd;
    else
        cd->in_fd = cd->out_fd = fd;
    return 0;
}

static int open_kind(struct chardev *cd, const char *spec)
{
    if (strncmp(spec, "mon:", 4) == 0) {
        cd->escapes = true;
        spec += 4;
    }
    if (strcmp(spec, "stdio") == 0)
        return open_stdio(cd);
    if (strcmp(spec, "null") == 0)
        return 0;
    if (strcmp(spec, "pty") == 0)
        return open_pty(cd);
    if (strncmp(spec, "file:", 5) == 0 && spec[5] != '\0')
        return open_file(cd, spec + 5);
    if (strncmp(spec, "unix:", 5) == 0 || strncmp(spec, "tcp:", 4) == 0)
        return open_socket(cd, spec);
    return -EINVAL;
}

static void release(struct chardev *cd)
{
    terminal_restore(&cd->terminal);
    if (cd->kind == KIND_STDIO) {
        host_reopen_undo(cd->out_fd, cd->old_flags);
        cd->vm->stdio_taken = false;
    } else if (cd->out_fd >= 0) {
        close(cd->out_fd);
    }
    if (cd->slave_fd >= 0)
        close(cd->slave_fd);
    if (cd->listen_fd >= 0)
        close(cd->listen_fd);
    chardev_socket_close(&cd->socket);
    free(cd->spec);
    pthread_mutex_destroy(&cd->out_lock);
    free(cd);
}

struct chardev *chardev_open(struct vm *vm, const char *label, const char *spec, char *err)
{
    struct chardev *cd, **end = &vm->chardevs;
    unsigned count = 0;
    int ret;

    for (; *end != NULL; end = &(*end)->next)
        count++;
    cd = calloc(1, sizeof(*cd));
    if (cd == NULL || count == CHARDEV_MAX) {
        snprintf(err, VM_ERR_LEN, "%s: too many of them", spec);
        free(cd);
        return NULL;
    }
    cd->vm = vm;
    cd->in_fd = cd->out_fd = cd->slave_fd = cd->old_flags = cd->poll_in = cd->poll_out = -1;
    cd->listen_fd = -1;
    cd->spec = strdup(spec);
    pthread_mutex_init(&cd->out_lock, NULL);
    ret = open_kind(cd, spec);
    if (ret != 0) {
        if (ret == -EINVAL)
            snprintf(err, VM_ERR_LEN,
                     "%s: not one of [mon:]stdio, file:PATH, pty, null, "
                     "unix:PATH[,server,nowait], tcp:HOST:PORT[,server,nowait]",
                     spec);
        else
            snprintf(err, VM_ERR_LEN, "%s: %s", spec,
                     ret == -EBUSY ? "used more than once" : strerror(-ret));
        release(cd);
        return NULL;
    }
    snprintf(cd->label, sizeof(cd->label), "%s", label);
    *end = cd;
    return cd;
}

void chardev_close(struct chardev *cd)
{
    if (cd == NULL)
        return;
    for (struct chardev **at = &cd->vm->chardevs; *at != NULL; at = &(*at)->next) {
        if (*at == cd) {
            *at = cd->next;
            break;
        }
    }
    drain(cd);
    release(cd);
}

void chardev_close_all(struct vm *vm)
{
    while (vm->chardevs != NULL)
        chardev_close(vm->chardevs);
}

static void attach(struct user_end *u, const struct chardev_ops *ops, void *dev)
{
    u->ops = ops;
    u->dev = dev;
}

void chardev_attach(struct chardev *cd, const struct chardev_ops *ops, void *dev)
{
    attach(&cd->users[USER_DEVICE], ops, dev);
}

void chardev_attach_monitor(struct chardev *cd, const struct chardev_ops *ops, void *dev)
{
    attach(&cd->users[USER_MONITOR], ops, dev);
}

static size_t take_all(void *dev)
{
    (void)dev;
    return IN_SIZE;
}

static void forget(void *dev, const uint8_t *data, size_t n)
{
    (void)dev;
    (void)data;
    (void)n;
}

const struct chardev_ops chardev_no_input = {.can_receive = take_all, .receive = forget};

void chardev_each(const struct vm *vm, chardev_fn fn, void *arg)
{
    for (struct chardev *cd = vm->chardevs; cd != NULL; cd = cd->next) {
        const struct chardev_info info = {cd->label, cd->spec, cd->path, cd->escapes};

        fn(arg, cd, &info);
    }
}
