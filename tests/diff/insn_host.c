/* SPDX-License-Identifier: MIT */
/* The host's side: a sequence runs natively, started and ended by signals. A UD2 of our own enters
 * a handler that replaces the interrupted context by the test's state; the sequence then ends in a
 * fault or in the breakpoint behind it, whose handler takes the state and puts our own context
 * back. The signal frame holds all registers but DS, ES, FS and GS, which the handler saves and
 * loads itself, and the kernel tells vector, error code and CR2. */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include "tests/diff/insn_host.h"
#include "tests/diff/insn_segs.h"

#define ALT_STACK (512 * 1024)

/* A signal handler has no other way to its data. */
static struct {
    volatile sig_atomic_t entering;
    struct state *s;
    gregset_t home;
    struct fx_image home_fx;
    uint64_t home_features;
    struct segments home_seg;
} host;

/* -- DS, ES, FS and GS ------------------------------------------------------------------------- */

/* ORDER seg */
enum { AT_ES, AT_CS, AT_SS, AT_DS, AT_FS, AT_GS };

#define INLINE static inline __attribute__((always_inline))

/* Not through the C library, which keeps its data behind FS. */
INLINE void arch_prctl(long what, uint64_t arg)
{
    long result = SYS_arch_prctl;
    __asm__ volatile("syscall" : "+a"(result) : "D"(what), "S"(arg) : "rcx", "r11", "memory");
}

INLINE void save_segments(struct segments *s)
{
    __asm__ volatile("movw %%es, %0; movw %%ds, %1; movw %%fs, %2; movw %%gs, %3"
                     : "=m"(s->sel[AT_ES]), "=m"(s->sel[AT_DS]), "=m"(s->sel[AT_FS]),
                       "=m"(s->sel[AT_GS]));
    arch_prctl(ARCH_GET_FS, (uint64_t)(uintptr_t)&s->fs_base);
    arch_prctl(ARCH_GET_GS, (uint64_t)(uintptr_t)&s->gs_base);
}

INLINE void load_segments(const struct segments *s)
{
    __asm__ volatile("movw %0, %%es; movw %1, %%ds; movw %2, %%fs; movw %3, %%gs"
                     :
                     : "m"(s->sel[AT_ES]), "m"(s->sel[AT_DS]), "m"(s->sel[AT_FS]),
                       "m"(s->sel[AT_GS]));
    if (s->sel[AT_FS] == 0)
        arch_prctl(ARCH_SET_FS, s->fs_base);
    if (s->sel[AT_GS] == 0)
        arch_prctl(ARCH_SET_GS, s->gs_base);
}

/* -- Frames --------------------------------------------------------------------------------------
 */

/* ORDER gpr */
static const int greg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15};

#define FEATURES_X87_SSE UINT64_C(3)
#define FX_SW_RESERVED   464 /* bytes of the image that the kernel uses for itself */
#define FX_MAGIC         0x46505853u

/* The features in use of an XSAVE frame: x87 and SSE state count only if their bits are set. */
static uint64_t *frame_features(uint8_t *frame)
{
    uint32_t magic;
    memcpy(&magic, frame + FX_SW_RESERVED, sizeof(magic));
    return magic == FX_MAGIC ? (uint64_t *)(void *)(frame + 512) : NULL;
}

static void enter(ucontext_t *u)
{
    greg_t *g = u->uc_mcontext.gregs;
    uint8_t *frame = (uint8_t *)u->uc_mcontext.fpregs;
    uint64_t *features = frame_features(frame);
    memcpy(host.home, g, sizeof(host.home));
    host.home[REG_RIP] += 2; /* behind the UD2 */
    memcpy(&host.home_fx, frame, FX_SW_RESERVED);
    if (features != NULL) {
        host.home_features = *features;
        *features |= FEATURES_X87_SSE;
    }
    memcpy(frame, &host.s->fx, 416);
    for (unsigned k = 0; k < 16; k++)
        g[greg_of[k]] = (greg_t)host.s->r[k];
    g[REG_RIP] = (greg_t)host.s->rip;
    g[REG_EFL] = host.s->eflags;
    g[REG_CSGSFS] = (g[REG_CSGSFS] & 0xffffffff0000ll) | host.s->seg.sel[AT_CS] |
                    (greg_t)host.s->seg.sel[AT_SS] << 48;
}

static void leave(ucontext_t *u)
{
    greg_t *g = u->uc_mcontext.gregs;
    uint8_t *frame = (uint8_t *)u->uc_mcontext.fpregs;
    uint64_t *features = frame_features(frame);
    struct state *s = host.s;
    for (unsigned k = 0; k < 16; k++)
        s->r[k] = (uint64_t)g[greg_of[k]];
    s->rip = (uint64_t)g[REG_RIP];
    s->eflags = (uint32_t)g[REG_EFL];
    s->vec = (unsigned)g[REG_TRAPNO];
    s->err = (uint32_t)g[REG_ERR];
    s->cr2 = (uint64_t)g[REG_CR2];
    s->seg.sel[AT_CS] = (uint16_t)g[REG_CSGSFS];
    s->seg.sel[AT_SS] = (uint16_t)(g[REG_CSGSFS] >> 48);
    memcpy(&s->fx, frame, 416);
    memcpy(g, host.home, sizeof(host.home));
    memcpy(frame, &host.home_fx, FX_SW_RESERVED);
    if (features != NULL)
        *features = (*features & ~FEATURES_X87_SSE) | (host.home_features & FEATURES_X87_SSE);
}

/* -- Signals ----------------------------------------------------------------------------------- */

/* Flags of the sequence that the handler would have, and leave to the next sequence: AC, NT, ID. */
INLINE void clear_flags(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; andl $0xffdbbfff, (%%rsp); popfq; "
                     "lea 128(%%rsp), %%rsp" ::
                         : "cc", "memory");
}

static void handle(int sig, void *context)
{
    if (host.s == NULL) {
        signal(sig, SIG_DFL); /* a fault of the test program itself */
    } else if (host.entering) {
        enter(context);
    } else {
        leave(context);
        host.s = NULL;
    }
}

/* Nothing but this function runs with the sequence's segments. */
__attribute__((no_stack_protector)) static void on_signal(int sig, siginfo_t *info, void *context)
{
    (void)info;
    clear_flags();
    bool in_sequence = host.s != NULL && !host.entering;
    if (in_sequence) {
        save_segments(&host.s->seg);
        load_segments(&host.home_seg);
    } else {
        save_segments(&host.home_seg);
    }
    handle(sig, context);
    if (host.entering) {
        host.entering = 0;
        load_segments(&host.s->seg);
    }
}

/* The new form of modify_ldt(), which knows conforming segments. */
#define LDT_WRITE 0x11

static bool make_segments(void)
{
    for (unsigned k = 0; k <= ldt_count; k++) {
        struct user_desc d = {.entry_number = k, .read_exec_only = 1, .seg_not_present = 1};
        if (k < ldt_count) {
            const struct ldt_entry *e = &ldt_entries[k];
            d.base_addr = e->base;
            d.limit = e->limit;
            d.seg_32bit = e->big;
            d.contents = e->type >> 2 & 3u;
            d.read_exec_only = e->only;
            d.limit_in_pages = e->pages;
            d.seg_not_present = e->absent;
        }
        if (syscall(SYS_modify_ldt, LDT_WRITE, &d, sizeof(d)) != 0)
            return false;
    }
    return true;
}

static bool map_code(void)
{
    const int flags = MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE;
    int fd = memfd_create("code", MFD_CLOEXEC);
    bool ok = fd >= 0 && ftruncate(fd, CODE_SIZE) == 0 &&
              mmap((void *)CODE_LA, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, fd, 0) !=
                  MAP_FAILED &&
              mmap((void *)ALIAS_LA, CODE_SIZE, PROT_READ | PROT_WRITE, flags, fd, 0) != MAP_FAILED;
    if (fd >= 0)
        close(fd);
    return ok;
}

bool host_init(const uint8_t *mem)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    stack_t st = {.ss_sp = malloc(ALT_STACK), .ss_size = ALT_STACK};
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE;
    sigfillset(&sa.sa_mask);
    if (st.ss_sp == NULL || sigaltstack(&st, NULL) != 0)
        return false;
    for (unsigned k = 0; k < sizeof(signals) / sizeof(signals[0]); k++)
        sigaction(signals[k], &sa, NULL);
    if (!map_code())
        return false;
    if (mmap((void *)DATA_LA, DATA_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
        return false;
    memcpy((void *)DATA_LA, mem, DATA_SIZE);
    mprotect((void *)(DATA_LA + RW_PAGES * PAGE), PAGE, PROT_READ);
    return make_segments();
}

bool host_cpuid_bit(unsigned leaf, unsigned sub, char reg, unsigned bit)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (leaf == 0)
        return true;
    if (!__get_cpuid_count(leaf, sub, &a, &b, &c, &d))
        return false;
    unsigned v = reg == 'A' ? a : reg == 'B' ? b : reg == 'C' ? c : d;
    return v >> bit & 1;
}

enum host_maker host_maker(void)
{
    return __builtin_cpu_is("intel") ? MAKER_INTEL
           : __builtin_cpu_is("amd") ? MAKER_AMD
                                     : MAKER_OTHER;
}

void host_run(const struct sequence *q, struct state *s, uint8_t *mem)
{
    sequence_pages(q, (uint8_t *)CODE_LA);
    memcpy((void *)DATA_LA, mem, RW_PAGES * PAGE);
    host.entering = 1;
    host.s = s;
    __asm__ volatile("ud2" : : : "memory");
    memcpy(mem, (void *)DATA_LA, DATA_SIZE);
}
