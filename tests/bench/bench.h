/* SPDX-License-Identifier: MIT */
/* The benchmark program: static, without a C library, the same for the host and for Linux guests,
 * i386 and amd64. bench.py builds and runs it. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

/* A kernel works in equal rounds, each of which ends in the same checksum, so that a slow emulator
 * may run fewer of them. */
struct kernel {
    const char *name;
    uint32_t (*round)(void);
    void (*prepare)(void); /* what rounds share and time does not count; may be NULL */
    uint32_t rounds;       /* 50 to 100 ms of a processor of 2023 */
    uint32_t checksum;     /* of a round */
};

/* The sets, each with a name of NULL at its end. */
extern const struct kernel compute_kernels[], float_kernels[], system_kernels[];

/* Room for kernels to work in. */
enum { POOL_BYTES = 8 << 20 };
extern _Alignas(4096) uint8_t pool[POOL_BYTES];

/* The environment to give to programs. */
extern char **environment;

/* A sequence of numbers that only depends on the seed. */
static inline uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static inline uint32_t hash_add(uint32_t hash, uint32_t value)
{
    return (hash ^ value) * 0x01000193;
}

/* -- System calls -------------------------------------------------------------------------------*/

#if defined(__x86_64__)
enum { SYS_READ = 0, SYS_WRITE = 1, SYS_OPEN = 2, SYS_CLOSE = 3, SYS_LSEEK = 8, SYS_MMAP = 9 };
enum { SYS_MUNMAP = 11, SYS_SIGACTION = 13, SYS_PIPE = 22, SYS_DUP2 = 33, SYS_GETPID = 39 };
enum { SYS_FORK = 57, SYS_EXECVE = 59, SYS_EXIT = 60, SYS_WAIT4 = 61, SYS_KILL = 62 };
enum { SYS_UNLINK = 87, SYS_GETPPID = 110, SYS_AFFINITY = 203, SYS_CLOCK = 228 };
#else
enum { SYS_EXIT = 1, SYS_FORK = 2, SYS_READ = 3, SYS_WRITE = 4, SYS_OPEN = 5, SYS_CLOSE = 6 };
enum { SYS_UNLINK = 10, SYS_EXECVE = 11, SYS_LSEEK = 19, SYS_GETPID = 20, SYS_KILL = 37 };
enum { SYS_PIPE = 42, SYS_DUP2 = 63, SYS_GETPPID = 64, SYS_MMAP = 90, SYS_MUNMAP = 91 };
enum { SYS_WAIT4 = 114, SYS_SIGACTION = 174, SYS_AFFINITY = 241, SYS_CLOCK = 265 };
/* Where the kernel wants to be called, as C libraries do. */
extern const void *kernel_entry;
#endif

static inline long sys(long number, long a, long b, long c, long d)
{
    long result;
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
#else
    __asm__ volatile("call *kernel_entry"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d)
                     : "memory");
#endif
    return result;
}

/* Memory that reads as zero, fresh from the kernel. */
uint8_t *map_memory(long bytes);

/* Starts a program with its standard output going to a new file, or to the same as ours (NULL);
 * returns its exit status, -1 if it did not exit. */
int run_program(const char *path, char **arguments, const char *output);

#endif
