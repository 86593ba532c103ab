/* SPDX-License-Identifier: MIT */
/* Faults in translated code. The guest's registers are in the signal's context; they go into struct
 * cpu, and execution goes on in the exit stub as if translated code had left by itself. All of it
 * happens at a known instruction of our own code, so that nothing of C's state is half changed.
 *
 * And stopping translated code: see on_nudge(). */
#include <asm/prctl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "jit/cache.h"
#include "jit/x64/emit.h"

#define ALT_STACK_BYTES 65536

/* What the host says of a page fault: its vector, and a bit of its error code. */
#define PAGE_FAULT       14
#define PAGE_FAULT_WRITE 2

/* Nobody minds one that comes too late. */
#define NUDGE SIGURG

/* SIGILL: an instruction of the guest's that this host lacks. */
static const int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, NUDGE};
#define CAUGHT (sizeof(caught) / sizeof(caught[0]))

/* At the lowest address of the alternate stack. */
struct alt_stack {
    struct jit *j;
    struct sigaction before[CAUGHT];
    stack_t stack_before;
    sigset_t mask_before;
};

static const int greg_of_host[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                     REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                     REG_R12, REG_R13, REG_R14, REG_R15};

static void save_registers(struct cpu *c, const greg_t *regs, bool is64)
{
    uint64_t fl = (uint64_t)regs[REG_EFL];

    for (unsigned g = 0; g < (is64 ? 16u : 8u); g++)
        if (host_reg(g) >= 0)
            c->r[g] = (uint64_t)regs[greg_of_host[host_reg(g)]];
    c->scratch[X_FLAGS] = (fl & 0xff) << 8 | (fl >> 11 & 1);
}

/* Not ours: let it happen again under the handler that was there before. */
static void pass_on(struct alt_stack *s, int sig)
{
    for (unsigned k = 0; k < CAUGHT; k++)
        if (s == NULL || caught[k] == sig)
            sigaction(sig, s != NULL ? &s->before[k] : &(struct sigaction){.sa_handler = SIG_DFL},
                      NULL);
}

/* What emit_poll() wrote; ADDR alone does not tell, for it may hold a guest register's value. */
static bool is_poll(const uint8_t *rip, const greg_t *regs)
{
    static const uint8_t load[] = {0x45, 0x8b, 0x12}; /* mov r10d, [r10] */
    return (uint64_t)regs[greg_of_host[ADDR]] == CPU_POLL_STOP &&
           memcmp(rip, load, sizeof(load)) == 0;
}

static bool in_code_memory(const struct jit *j, const uint8_t *host)
{
    return (uint64_t)(uintptr_t)host - (uint64_t)(uintptr_t)(j->rw + j->to_exec) < j->code_bytes;
}

/* Unlink the code that a host address is in, and what its entry leads to where it is dead: that may
 * be dead itself by now. */
static void unlink_at(struct jit *j, uint64_t host)
{
    struct code *x = code_at(j, (const uint8_t *)(uintptr_t)host), *last = NULL;

    while (x != NULL && x != last) {
        const uint8_t *entry = x->entry_patch + j->to_exec;
        int32_t to;
        cache_unlink(j, x);
        last = x;
        memcpy(&to, entry + 1, sizeof(to));
        x = entry[0] == 0xe9 ? code_at(j, entry + 5 + to) : NULL;
    }
}

/* The guest's loops are made of direct jumps, which look at nothing, and of jumps that are looked
 * up, which c->poll_mask stops. So direct jumps are taken back, those that may be next: of the code
 * that is executing, and of the code that it is about to go to, be it after a look-up, from a stub,
 * or through what dead code was replaced by. Which of that it is need not be found out: what is
 * unlinked for nothing is linked again when it comes to C. If C is executing, it will look at
 * c->poll, or enter code by a stub, which does. */
static void on_nudge(struct jit *j, const greg_t *regs)
{
    const struct cpu *c = j->cpu;
    uint64_t rip = (uint64_t)regs[REG_RIP], temp = (uint64_t)regs[greg_of_host[TEMP]];
    const struct code *x;

    if (!in_code_memory(j, (const uint8_t *)(uintptr_t)rip))
        return;
    x = code_at(j, (const uint8_t *)(uintptr_t)rip);
    if (x != NULL && temp < JUMP_CACHE_BYTES && temp % sizeof(struct jump_entry) == 0) {
        const uint8_t *cache = (const uint8_t *)(uintptr_t)c->scratch[X_TABLE] + JUMP_OFFSET +
                               x->cache * JUMP_CACHE_BYTES;
        struct jump_entry e;
        memcpy(&e, cache + temp, sizeof(e));
        unlink_at(j, e.code);
    }
    unlink_at(j, rip);
    unlink_at(j, temp);
    for (unsigned n = 0; n < SLOTS; n++) /* a call of 32-bit code */
        unlink_at(j, (uint64_t)regs[greg_of_host[slot_host(false, n)]]);
    unlink_at(j, c->scratch[X_RESUME]);
    unlink_at(j, c->scratch[X_T0]);
    unlink_at(j, c->scratch[X_T1]);
}

/* By the look at c->poll where translated code is entered: nothing has been loaded yet. */
static bool is_refused(const struct jit *j, const uint8_t *rip, const greg_t *regs)
{
    return in_code_memory(j, rip) && is_poll(rip, regs);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *rip = (const uint8_t *)(uintptr_t)regs[REG_RIP];
    struct alt_stack *s = NULL;
    stack_t now;

    (void)info;
    if (sigaltstack(NULL, &now) == 0 && now.ss_flags & SS_ONSTACK && now.ss_size == ALT_STACK_BYTES)
        s = now.ss_sp;
    if (sig == NUDGE) {
        if (s != NULL)
            on_nudge(s->j, regs);
        return;
    }
    struct code *x = s != NULL ? code_at(s->j, rip) : NULL;
    if (x == NULL && s != NULL && is_refused(s->j, rip, regs)) {
        regs[REG_RAX] = WHY_NUDGED;
        regs[REG_RIP] = (greg_t)(uintptr_t)s->j->backend->stubs.leave;
        return;
    }
    if (x == NULL) {
        pass_on(s, sig);
        return;
    }
    struct cpu *c = s->j->cpu;
    save_registers(c, regs, x->kind.mode & MODE_64);
    c->scratch[X_CODE] = (uint64_t)(uintptr_t)x;
    c->scratch[X_SITE] = code_insn(s->j, x, rip);
    s->j->wrote = regs[REG_TRAPNO] == PAGE_FAULT && regs[REG_ERR] & PAGE_FAULT_WRITE;
    regs[REG_RAX] = is_poll(rip, regs) ? WHY_POLL : WHY_FAULT;
    regs[REG_RIP] = (greg_t)(uintptr_t)s->j->backend->stubs.leave;
}

/* -- Threads ----------------------------------------------------------------------------------- */

/* A thread that has ended since is not there, or ignores it. */
void backend_nudge(struct jit *j)
{
    int thread = atomic_load(&j->backend->thread);

    if (thread != 0 && thread != (int)syscall(SYS_gettid))
        syscall(SYS_tgkill, getpid(), thread, NUDGE);
}

int backend_thread_enter(struct jit *j)
{
    struct sigaction act = {.sa_sigaction = on_signal,
                            .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    struct alt_stack *s = aligned_alloc(4096, ALT_STACK_BYTES);
    stack_t stack = {.ss_sp = s, .ss_size = ALT_STACK_BYTES};

    if (s == NULL)
        return -ENOMEM;
    memset(s, 0, sizeof(*s));
    s->j = j;
    /* C does not use GS: it stays so on this thread. */
    syscall(SYS_arch_prctl, ARCH_SET_GS, j->cpu);
    if (sigaltstack(&stack, &s->stack_before) < 0) {
        free(s);
        return -errno;
    }
    for (unsigned k = 0; k < CAUGHT; k++) {
        sigaction(caught[k], &act, &s->before[k]);
        if (s->before[k].sa_sigaction == on_signal) /* another machine's */
            s->before[k] = (struct sigaction){.sa_handler = SIG_DFL};
    }
    sigset_t nudge;
    sigemptyset(&nudge);
    sigaddset(&nudge, NUDGE);
    pthread_sigmask(SIG_UNBLOCK, &nudge, &s->mask_before);
    j->alt_stack = s;
    atomic_store(&j->backend->thread, (int)syscall(SYS_gettid));
    return 0;
}

/* The handlers stay: another machine's thread may be in translated code. */
void backend_thread_leave(struct jit *j)
{
    struct alt_stack *s = j->alt_stack;

    if (s == NULL)
        return;
    atomic_store(&j->backend->thread, 0);
    pthread_sigmask(SIG_SETMASK, &s->mask_before, NULL);
    sigaltstack(&s->stack_before, NULL);
    free(s);
    j->alt_stack = NULL;
}
