/* SPDX-License-Identifier: MIT */
/* Kernels of the system set: what an operating system does for programs. */
#include "bench.h"

/* -- System calls -------------------------------------------------------------------------------*/

static uint32_t null_round(void)
{
    for (int i = 0; i < 1000; i++) {
        sys(SYS_GETPPID, 0, 0, 0, 0);
    }
    return 1;
}

/* -- Processes ----------------------------------------------------------------------------------*/

static uint32_t fork_round(void)
{
    int status = 0;
    long child = sys(SYS_FORK, 0, 0, 0, 0);
    if (child == 0) {
        sys(SYS_EXIT, 3, 0, 0, 0);
    }
    sys(SYS_WAIT4, child, (long)&status, 0, 0);
    return (uint32_t)status >> 8;
}

static uint32_t exec_round(void)
{
    static char name[] = "bench", mode[] = "nothing";
    char *arguments[] = {name, mode, NULL};
    return (uint32_t)run_program("/proc/self/exe", arguments, NULL);
}

/* -- Memory -------------------------------------------------------------------------------------*/

enum { PAGE = 4096, FAULT_PAGES = 256 };

static uint32_t fault_round(void)
{
    uint8_t *memory = map_memory(FAULT_PAGES * PAGE);
    uint32_t sum = 0;
    for (int i = 0; i < FAULT_PAGES; i++) {
        memory[(size_t)i * PAGE] = (uint8_t)i;
    }
    for (int i = 0; i < FAULT_PAGES; i++) {
        sum += memory[(size_t)i * PAGE];
    }
    sys(SYS_MUNMAP, (long)memory, FAULT_PAGES * PAGE, 0, 0);
    return sum;
}

/* -- Pipes --------------------------------------------------------------------------------------*/

/* A child sends back each byte, plus one. */
static uint32_t pipe_round(void)
{
    int there[2], back[2], status;
    uint8_t byte = 0;
    sys(SYS_PIPE, (long)there, 0, 0, 0);
    sys(SYS_PIPE, (long)back, 0, 0, 0);
    long child = sys(SYS_FORK, 0, 0, 0, 0);
    if (child == 0) {
        sys(SYS_CLOSE, there[1], 0, 0, 0);
        while (sys(SYS_READ, there[0], (long)&byte, 1, 0) == 1) {
            byte++;
            sys(SYS_WRITE, back[1], (long)&byte, 1, 0);
        }
        sys(SYS_EXIT, 0, 0, 0, 0);
    }
    for (int i = 0; i < 1000; i++) {
        sys(SYS_WRITE, there[1], (long)&byte, 1, 0);
        sys(SYS_READ, back[0], (long)&byte, 1, 0);
    }
    for (int i = 0; i < 2; i++) {
        sys(SYS_CLOSE, there[i], 0, 0, 0);
        sys(SYS_CLOSE, back[i], 0, 0, 0);
    }
    sys(SYS_WAIT4, child, (long)&status, 0, 0);
    return byte;
}

/* -- Signals ------------------------------------------------------------------------------------*/

enum { SIGUSR1 = 10, SA_SIGINFO = 4, SA_RESTORER = 0x4000000 };

extern const char signal_handler[], signal_return[];
static volatile uint32_t signals;

#if defined(__x86_64__)
__asm__("signal_handler: incl signals(%rip)\nret\n"
        "signal_return: mov $15, %eax\nsyscall\n");
#else
__asm__("signal_handler: incl signals\nret\n"
        "signal_return: mov $173, %eax\nint $0x80\n");
#endif

static void signal_prepare(void)
{
    /* handler, flags, restorer, mask */
    unsigned long action[5] = {(unsigned long)signal_handler, SA_SIGINFO | SA_RESTORER,
                               (unsigned long)signal_return, 0, 0};
    sys(SYS_SIGACTION, SIGUSR1, (long)action, 0, 8);
}

static uint32_t signal_round(void)
{
    long self = sys(SYS_GETPID, 0, 0, 0, 0);
    signals = 0;
    for (int i = 0; i < 1000; i++) {
        sys(SYS_KILL, self, SIGUSR1, 0, 0);
    }
    return signals;
}

/* -- Files --------------------------------------------------------------------------------------*/

enum { O_RDWR = 2, O_CREAT = 0100, O_TRUNC = 01000, FILE_BYTES = 1 << 20, PIECE = 4096 };

static uint32_t file_round(void)
{
    uint32_t sum = 0;
    long file = sys(SYS_OPEN, (long)"bench.file", O_RDWR | O_CREAT | O_TRUNC, 0600, 0);
    for (int at = 0; at < FILE_BYTES; at += PIECE) {
        pool[at % (8 * PIECE)] = (uint8_t)(at / PIECE);
        sys(SYS_WRITE, file, (long)pool + at % (8 * PIECE), PIECE, 0);
    }
    sys(SYS_LSEEK, file, 0, 0, 0);
    for (int at = 0; at < FILE_BYTES; at += PIECE) {
        sys(SYS_READ, file, (long)pool, PIECE, 0);
        sum += pool[0];
    }
    sys(SYS_CLOSE, file, 0, 0, 0);
    sys(SYS_UNLINK, (long)"bench.file", 0, 0, 0);
    return sum;
}

const struct kernel system_kernels[] = {
    {"null-call", null_round, NULL, 500, 0x1}, {"fork-exit", fork_round, NULL, 500, 0x3},
    {"fork-exec", exec_round, NULL, 200, 0},   {"page-fault", fault_round, NULL, 200, 0x7f80},
    {"pipe", pipe_round, NULL, 10, 0xe8},      {"signal", signal_round, signal_prepare, 30, 0x3e8},
    {"file", file_round, NULL, 100, 0x7f80},   {NULL, NULL, NULL, 0, 0},
};
