/* SPDX-License-Identifier: MIT */
/* Faults in translated code. The guest's registers are in the signal's context; they go into struct
 * cpu, and execution goes on in the exit stub as if translated code had left by itself. All of it
 * happens at a known instruction of our own code, so that nothing of C's state is half changed. */
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "jit/x64/emit.h"

#define ALT_STACK_BYTES 65536

/* SIGILL: an instruction of the guest's that this host lacks. */
static const int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
#define CAUGHT (sizeof(caught) / sizeof(caught[0]))

/* At the lowest address of the alternate stack. */
struct alt_stack {
    struct jit *j;
    struct sigaction before[CAUGHT];
    stack_t stack_before;
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

static void on_fault(int sig, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *rip = (const uint8_t *)(uintptr_t)regs[REG_RIP];
    struct alt_stack *s = NULL;
    stack_t now;

    (void)info;
    if (sigaltstack(NULL, &now) == 0 && now.ss_flags & SS_ONSTACK && now.ss_size == ALT_STACK_BYTES)
        s = now.ss_sp;
    struct code *x = s != NULL ? code_at(s->j, rip) : NULL;
    if (x == NULL) {
        pass_on(s, sig);
        return;
    }
    struct cpu *c = s->j->cpu;
    save_registers(c, regs, x->kind.mode & MODE_64);
    c->scratch[X_CODE] = (uint64_t)(uintptr_t)x;
    c->scratch[X_SITE] = code_insn(s->j, x, rip);
    regs[REG_RAX] = is_poll(rip, regs) ? WHY_POLL : WHY_FAULT;
    regs[REG_RIP] = (greg_t)(uintptr_t)s->j->backend->stubs.leave;
}

int backend_thread_enter(struct jit *j)
{
    struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
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
        if (s->before[k].sa_sigaction == on_fault) /* another machine's */
            s->before[k] = (struct sigaction){.sa_handler = SIG_DFL};
    }
    j->alt_stack = s;
    return 0;
}

void backend_thread_leave(struct jit *j)
{
    struct alt_stack *s = j->alt_stack;

    if (s == NULL)
        return;
    for (unsigned k = 0; k < CAUGHT; k++)
        if (s->before[k].sa_handler != SIG_DFL)
            sigaction(caught[k], &s->before[k], NULL);
    sigaltstack(&s->stack_before, NULL);
    free(s);
    j->alt_stack = NULL;
}
