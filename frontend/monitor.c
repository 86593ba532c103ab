/* SPDX-License-Identifier: MIT */
/* Monitors: each has a thread of its own, so that a command may wait for the processor or let time
 * pass, which the I/O thread, who brings what is typed, must not. */
#include "frontend/monitor.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/monitor_line.h"
#include "vmm/vm.h"

/* Scripts wait for this prompt, so it is QEMU's. */
#define PROMPT "(qemu) "

#define IN_SIZE 1024u

struct monitor {
    struct monitor *next;
    struct vm *vm;
    struct chardev *cd;
    pthread_t thread;
    struct session session;
    struct line line;
    bool beside; /* it shares its chardev with a serial port */
    bool greeted;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t news;
    bool stop, greet;
    char in[IN_SIZE];
    unsigned in_len;
};

/* -- What the I/O thread brings; machine lock held --------------------------------------------- */

static size_t can_receive(void *dev)
{
    struct monitor *m = dev;
    size_t room;

    pthread_mutex_lock(&m->lock);
    room = IN_SIZE - m->in_len;
    pthread_mutex_unlock(&m->lock);
    return room;
}

static void receive(void *dev, const uint8_t *data, size_t n)
{
    struct monitor *m = dev;

    pthread_mutex_lock(&m->lock);
    memcpy(m->in + m->in_len, data, n);
    m->in_len += (unsigned)n;
    pthread_cond_signal(&m->news);
    pthread_mutex_unlock(&m->lock);
}

static void event(void *dev, enum chardev_event e)
{
    struct monitor *m = dev;

    if (e != (m->beside ? CHARDEV_FOCUS : CHARDEV_OPENED))
        return;
    pthread_mutex_lock(&m->lock);
    m->greet = true;
    pthread_cond_signal(&m->news);
    pthread_mutex_unlock(&m->lock);
}

static const struct chardev_ops monitor_chardev_ops = {can_receive, receive, event, true};

/* -- The monitor's own thread ------------------------------------------------------------------ */

static void put(void *arg, const char *text, size_t n)
{
    struct monitor *m = arg;

    chardev_write(m->cd, (const uint8_t *)text, n);
}

static bool wait_ms(void *arg, unsigned ms)
{
    struct monitor *m = arg;
    struct timespec until;
    bool stop;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&m->lock);
    while (!m->stop && pthread_cond_timedwait(&m->news, &m->lock, &until) != ETIMEDOUT)
        ;
    stop = m->stop;
    pthread_mutex_unlock(&m->lock);
    return !stop;
}

static const char *candidate(unsigned n)
{
    return monitor_commands[n].name;
}

/* Take what there is; blocks while there is nothing. 0: the monitor ends. */
static unsigned take_input(struct monitor *m, char *in, bool *greet)
{
    unsigned n;

    pthread_mutex_lock(&m->lock);
    while (!m->stop && !m->greet && m->in_len == 0)
        pthread_cond_wait(&m->news, &m->lock);
    n = m->stop ? 0 : m->in_len;
    memcpy(in, m->in, n);
    *greet = m->greet && !m->stop;
    m->greet = false;
    m->in_len = 0;
    pthread_mutex_unlock(&m->lock);
    if (n > 0) {
        vm_lock(m->vm);
        chardev_accept_input(m->cd);
        vm_unlock(m->vm);
    }
    return n;
}

static void greet(struct monitor *m)
{
    if (m->beside)
        say(&m->session, "\n");
    if (!m->beside || !m->greeted)
        say(&m->session, "Calque %s monitor - type 'help' for more information\n", CALQUE_VERSION);
    m->greeted = true;
    line_begin(&m->line);
}

static void *monitor_main(void *arg)
{
    struct monitor *m = arg;
    char in[IN_SIZE];
    unsigned n;
    bool hello;

    while ((n = take_input(m, in, &hello)) > 0 || hello) {
        if (hello)
            greet(m);
        for (unsigned k = 0; k < n; k++) {
            if (!line_key(&m->line, in[k]))
                continue;
            monitor_run(&m->session, m->line.text);
            line_begin(&m->line);
        }
    }
    return NULL;
}

/* -- Life -------------------------------------------------------------------------------------- */

static int start(struct monitor **list, const struct session *like, struct chardev *cd, bool beside,
                 bool greet)
{
    struct vm *vm = like->vm;
    struct monitor *m = calloc(1, sizeof(*m));
    pthread_condattr_t attr;

    if (m == NULL)
        return -ENOMEM;
    *m = (struct monitor){.vm = vm, .cd = cd, .beside = beside, .greet = greet, .next = *list};
    m->session = *like;
    m->session.arg = m;
    m->line = (struct line){.prompt = PROMPT, .put = put, .candidate = candidate, .arg = m};
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&m->news, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&m->thread, NULL, monitor_main, m) != 0) {
        free(m);
        return -EAGAIN;
    }
    *list = m;
    vm_lock(vm);
    if (beside)
        chardev_attach_monitor(cd, &monitor_chardev_ops, m);
    else
        chardev_attach(cd, &monitor_chardev_ops, m);
    vm_unlock(vm);
    return 0;
}

struct shared {
    struct chardev *cd[VM_SERIAL_PORTS + 1];
    unsigned count;
};

static void find_shared(void *arg, struct chardev *cd, const struct chardev_info *info)
{
    struct shared *s = arg;

    if (info->shared && s->count <= VM_SERIAL_PORTS)
        s->cd[s->count++] = cd;
}

int monitors_start(struct monitor **list, struct vm *vm, struct screens *screens,
                   const char *const *specs, unsigned count, char *err)
{
    const struct session like = {.vm = vm, .screens = screens, .put = put, .wait = wait_ms};
    struct shared shared = {.count = 0};
    int status = 0;

    *list = NULL;
    chardev_each(vm, find_shared, &shared);
    for (unsigned k = 0; k < shared.count && status == 0; k++)
        status = start(list, &like, shared.cd[k], true, false);
    for (unsigned k = 0; k < count && status == 0; k++) {
        struct chardev *cd;

        vm_lock(vm);
        cd = chardev_open(vm, "monitor", specs[k], err);
        vm_unlock(vm);
        if (cd == NULL)
            return -EINVAL;
        status = start(list, &like, cd, false, strstr(specs[k], ",server") == NULL);
    }
    if (status != 0)
        snprintf(err, VM_ERR_LEN, "cannot start the monitor: %s", strerror(-status));
    return status;
}

void monitors_stop(struct monitor *list)
{
    while (list != NULL) {
        struct monitor *m = list;

        list = m->next;
        pthread_mutex_lock(&m->lock);
        m->stop = true;
        pthread_cond_signal(&m->news);
        pthread_mutex_unlock(&m->lock);
        pthread_join(m->thread, NULL);
        vm_lock(m->vm);
        if (m->beside)
            chardev_attach_monitor(m->cd, NULL, NULL);
        else
            chardev_attach(m->cd, NULL, NULL);
        vm_unlock(m->vm);
        line_free(&m->line);
        pthread_cond_destroy(&m->news);
        pthread_mutex_destroy(&m->lock);
        free(m);
    }
}
