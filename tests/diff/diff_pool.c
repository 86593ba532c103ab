/* SPDX-License-Identifier: MIT */
/* The sides' processes: see diff_pool.h. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/diff/diff_pool.h"

/* A side that takes longer hangs. On a busy host a batch may take a while. */
#define PATIENCE_MS 60000

/* What goes through the pipes: the batch's number; there, or done. */
enum { SAYS_THERE = 1, SAYS_NOT_THERE, SAYS_DONE };

static void *shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* -- In the side's process -----------------------------------------------------------------------
 */

static void say(int fd, uint8_t what)
{
    if (write(fd, &what, 1) != 1)
        _exit(1);
}

static void run_batch(const struct side *side, void *self, const struct batch *b, struct answer *a)
{
    static struct outcome got; /* stays in the caches */

    for (unsigned k = 0; k < b->count; k++) {
        a->at = k;
        a->verdict[k] = side->run(self, &b->cases[k], &b->want[k], &got);
        if (a->verdict[k] == SIDE_DIFFERS)
            a->got[k] = got;
    }
    a->worked = side->note == NULL || side->note(self, a->text);
}

static _Noreturn void serve(const struct side *side, const struct batch *batch, struct answer *a,
                            int in, int out)
{
    uint8_t n;
    void *self;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    self = side->open(a->text);
    say(out, self != NULL ? SAYS_THERE : SAYS_NOT_THERE);
    while (read(in, &n, 1) == 1) {
        run_batch(side, self, &batch[n], a);
        say(out, SAYS_DONE);
    }
    _exit(0);
}

/* -- In the driver's ------------------------------------------------------------------------------
 */

/* What it says; 0: nothing more. */
static uint8_t hear(int fd, bool *hung)
{
    struct pollfd f = {.fd = fd, .events = POLLIN};
    uint8_t what = 0;

    *hung = poll(&f, 1, PATIENCE_MS) == 0;
    if (*hung || read(fd, &what, 1) != 1)
        return 0;
    return what;
}

/* Ends that the parent has of other sides' pipes would keep them open. */
static void close_others(const struct pool *p)
{
    for (unsigned k = 0; k < SIDE_COUNT; k++) {
        if (p->side[k].pid != 0) {
            close(p->side[k].to);
            close(p->side[k].from);
        }
    }
}

static bool start(struct pool *p, unsigned k)
{
    int to[2], from[2];
    bool hung;

    if (pipe(to) != 0 || pipe(from) != 0)
        return false;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0) {
        close_others(p);
        close(to[1]);
        close(from[0]);
        serve(sides[k], p->batch, p->side[k].answer, to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    p->side[k].pid = pid;
    p->side[k].to = to[1];
    p->side[k].from = from[0];
    p->side[k].there = hear(from[0], &hung) == SAYS_THERE;
    memcpy(p->side[k].why, p->side[k].answer->text, sizeof(p->side[k].why));
    return true;
}

static void end(struct pool *p, unsigned k)
{
    if (p->side[k].pid == 0)
        return;
    kill(p->side[k].pid, SIGKILL);
    waitpid(p->side[k].pid, NULL, 0);
    close(p->side[k].to);
    close(p->side[k].from);
    p->side[k].pid = 0;
    p->side[k].there = false;
}

bool pool_open(struct pool *p, unsigned wanted)
{
    memset(p, 0, sizeof(*p));
    p->batch = shared(BATCHES * sizeof(*p->batch));
    if (p->batch == NULL)
        return false;
    signal(SIGPIPE, SIG_IGN);
    for (unsigned k = 0; k < SIDE_COUNT; k++) {
        p->side[k].wanted = wanted >> k & 1;
        p->side[k].answer = shared(sizeof(struct answer));
        if (p->side[k].answer == NULL || (p->side[k].wanted && !start(p, k)))
            return false;
    }
    return true;
}

void pool_close(struct pool *p)
{
    for (unsigned k = 0; k < SIDE_COUNT; k++)
        end(p, k);
}

void pool_start(struct pool *p, unsigned n, unsigned which)
{
    uint8_t what = (uint8_t)n;

    for (unsigned k = 0; k < SIDE_COUNT; k++) {
        memset(p->side[k].answer->verdict, 0, sizeof(p->side[k].answer->verdict));
        p->side[k].answer->at = 0;
        if (!(which >> k & 1) || !p->side[k].there)
            continue;
        if (write(p->side[k].to, &what, 1) != 1)
            continue; /* it has crashed: nothing will be heard of it */
    }
}

void pool_wait(struct pool *p, unsigned n, unsigned which)
{
    for (unsigned k = 0; k < SIDE_COUNT; k++) {
        struct answer *a = p->side[k].answer;
        bool hung;
        if (!(which >> k & 1) || !p->side[k].there || hear(p->side[k].from, &hung) == SAYS_DONE)
            continue;
        end(p, k);
        if (a->at < p->batch[n].count)
            a->verdict[a->at] = hung ? SIDE_HUNG : SIDE_CRASHED;
        start(p, k);
    }
}
