/* SPDX-License-Identifier: MIT */
/* bench list                       the kernels, with their sets
 * bench NAME [DIVISOR]             runs a kernel up to three times, with a part of its rounds
 * bench text KILOBYTES             writes text that looks like a log
 * bench time OUTPUT PROGRAM...     runs a program with its output going to a file
 *
 * Kernels and programs are timed: "timed runs R rounds N total T best T sum S good", the numbers in
 * hexadecimal. A run has N rounds; T are nanoseconds, of all runs and of the fastest. "wrong" and a
 * status that is not 0: another checksum than the kernel's, or a program that failed. */
#include "bench.h"

_Alignas(4096) uint8_t pool[POOL_BYTES];
char **environment;

static const struct {
    const char *name;
    const struct kernel *kernels;
} sets[] = {
    {"compute", compute_kernels},
    {"compute", float_kernels},
    {"system", system_kernels},
};

enum { SETS = sizeof sets / sizeof sets[0] };
enum { RUNS = 3, ENOUGH_SECONDS = 2 };
enum { O_WRONLY = 1, O_CREAT = 0100, O_TRUNC = 01000 };

#if defined(__i386__)

enum { AT_SYSINFO = 32 };

__asm__("plain_entry: int $0x80\nret\n");
extern const char plain_entry[];
const void *kernel_entry = plain_entry;

/* -- What compilers expect of their library: 64-bit division ------------------------------------*/

static uint32_t divide_step(uint32_t high, uint32_t low, uint32_t divisor, uint32_t *remainder)
{
    uint32_t quotient;
    __asm__("divl %4"
            : "=a"(quotient), "=d"(*remainder)
            : "a"(low), "d"(high), "r"(divisor)
            : "cc");
    return quotient;
}

uint64_t __udivdi3(uint64_t n, uint64_t d)
{
    uint32_t high = (uint32_t)(d >> 32), rest;
    if (!high) {
        uint32_t upper = divide_step(0, (uint32_t)(n >> 32), (uint32_t)d, &rest);
        return (uint64_t)upper << 32 | divide_step(rest, (uint32_t)n, (uint32_t)d, &rest);
    }
    int shift = __builtin_clz(high);
    uint32_t top = (uint32_t)(d << shift >> 32);
    uint32_t q = divide_step((uint32_t)(n >> 33), (uint32_t)(n >> 1), top, &rest) >> (31 - shift);
    q -= q != 0; /* now right or one too small */
    return n - q * d >= d ? q + 1 : q;
}

uint64_t __umoddi3(uint64_t n, uint64_t d)
{
    return n - __udivdi3(n, d) * d;
}

#endif

/* -- What compilers expect of every environment -------------------------------------------------*/

void *memset(void *to, int value, size_t n)
{
    void *p = to;
    __asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(value) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
    void *p = to;
    __asm__ volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(n) : : "memory");
    return to;
}

/* -- Output -------------------------------------------------------------------------------------*/

static size_t length(const char *text)
{
    size_t n = 0;
    while (text[n]) {
        n++;
        __asm__ volatile("");
    }
    return n;
}

static int same(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static void print(const char *text)
{
    sys(SYS_WRITE, 1, (long)text, (long)length(text), 0);
}

static void print_number(const char *before, uint64_t value)
{
    char text[17];
    for (int i = 0; i < 16; i++) {
        text[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    }
    text[16] = 0;
    print(before);
    print(text);
}

/* -- System -------------------------------------------------------------------------------------*/

uint8_t *map_memory(long bytes)
{
    enum { PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS = 0x22 };
#if defined(__x86_64__)
    register long r8 __asm__("r8") = -1;
    register long r9 __asm__("r9") = 0;
    register long r10 __asm__("r10") = MAP_PRIVATE_ANONYMOUS;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_MMAP), "D"(0), "S"(bytes), "d"(PROT_READ_WRITE), "r"(r10), "r"(r8),
                       "r"(r9)
                     : "rcx", "r11", "memory");
    return (uint8_t *)result;
#else
    long arguments[6] = {0, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0};
    return (uint8_t *)sys(SYS_MMAP, (long)arguments, 0, 0, 0);
#endif
}

int run_program(const char *path, char **arguments, const char *output)
{
    int status = -1;
    long child = sys(SYS_FORK, 0, 0, 0, 0);
    if (child == 0) {
        if (output) {
            sys(SYS_DUP2, sys(SYS_OPEN, (long)output, O_WRONLY | O_CREAT | O_TRUNC, 0600, 0), 1, 0,
                0);
        }
        sys(SYS_EXECVE, (long)path, (long)arguments, (long)environment, 0);
        sys(SYS_EXIT, 127, 0, 0, 0);
    }
    sys(SYS_WAIT4, child, (long)&status, 0, 0);
    return status & 0xff ? -1 : status >> 8;
}

static uint64_t now(void)
{
    enum { CLOCK_MONOTONIC = 1 };
    long time[2];
    sys(SYS_CLOCK, CLOCK_MONOTONIC, (long)time, 0, 0);
    return (uint64_t)(unsigned long)time[0] * 1000000000u + (unsigned long)time[1];
}

/* -- Timing -------------------------------------------------------------------------------------*/

struct timing {
    uint32_t runs;
    uint64_t total, best;
};

/* Adds a run; true while more are worth their time. */
static int timing_add(struct timing *t, uint64_t start)
{
    uint64_t passed = now() - start;
    t->best = t->runs && t->best < passed ? t->best : passed;
    t->total += passed;
    t->runs++;
    return t->runs < RUNS && t->total < ENOUGH_SECONDS * 1000000000ull;
}

static void timing_print(const struct timing *t, uint32_t rounds, uint32_t sum, int good)
{
    print_number("timed runs ", t->runs);
    print_number(" rounds ", rounds);
    print_number(" total ", t->total);
    print_number(" best ", t->best);
    print_number(" sum ", sum);
    print(good ? " good\n" : " wrong\n");
}

static uint32_t number(const char *text)
{
    uint32_t value = 0;
    while (*text >= '0' && *text <= '9') {
        value = value * 10 + (uint32_t)(*text++ - '0');
    }
    return value;
}

static int run_kernel(const struct kernel *k, uint32_t divisor)
{
    struct timing timing = {0, 0, 0};
    uint32_t rounds = divisor > k->rounds ? 1 : k->rounds / (divisor ? divisor : 1);
    uint32_t sum;
    uint64_t start;

    if (k->prepare) {
        k->prepare();
    }
    sum = k->round(); /* what is new to the caches is not counted */
    do {
        start = now();
        for (uint32_t i = 0; i < rounds; i++) {
            uint32_t again = k->round();
            sum = again == sum ? sum : 0xbad;
        }
    } while (timing_add(&timing, start));
    timing_print(&timing, rounds, sum, sum == k->checksum);
    return sum != k->checksum;
}

/* -- Modes --------------------------------------------------------------------------------------*/

static int list(void)
{
    for (int i = 0; i < SETS; i++) {
        for (const struct kernel *k = sets[i].kernels; k->name; k++) {
            print(sets[i].name);
            print(" ");
            print(k->name);
            print("\n");
        }
    }
    return 0;
}

static int write_text(uint32_t kilobytes)
{
    static const char *const parts[] = {
        "GET /index ", "POST /form ", "error ",     "user=",       "10.0.0.",     "session ",
        "timeout ",    "0.25 ms ",    "cache hit ", "cache miss ", "length 482 ", "- "};
    uint32_t seed = 9, size = 0, limit = kilobytes * 1024;
    while (size < limit) {
        uint32_t value = random_next(&seed);
        const char *part = parts[value % 12];
        size_t n = length(part);
        for (size_t i = 0; i < n && size < limit; i++) {
            pool[size++] = (uint8_t)part[i];
        }
        if (size + 3 < limit) {
            pool[size++] = (uint8_t)('0' + value / 12 % 10);
            pool[size++] = (uint8_t)('0' + value / 120 % 10);
            pool[size++] = value >> 12 & 3 ? ' ' : '\n';
        }
    }
    if (limit) {
        pool[limit - 1] = '\n';
    }
    for (uint32_t at = 0; at < limit; at += 65536) {
        sys(SYS_WRITE, 1, (long)pool + at, limit - at < 65536 ? limit - at : 65536, 0);
    }
    return 0;
}

/* The file without its first bytes, where compressors may store the time. */
static uint32_t file_hash(const char *path)
{
    uint32_t hash = 0;
    long file = sys(SYS_OPEN, (long)path, 0, 0, 0), n;
    int first = 10;
    while ((n = sys(SYS_READ, file, (long)pool, POOL_BYTES, 0)) > 0) {
        for (long i = first; i < n; i++) {
            hash = hash_add(hash, pool[i]);
        }
        first = 0;
    }
    sys(SYS_CLOSE, file, 0, 0, 0);
    return hash;
}

static int time_program(const char *output, char **arguments)
{
    struct timing timing = {0, 0, 0};
    uint64_t start;
    int status;
    do {
        start = now();
        status = run_program(arguments[0], arguments, output);
    } while (timing_add(&timing, start) && status == 0);
    timing_print(&timing, 1, file_hash(output), status == 0);
    return status;
}

static int bench(long count, char **arguments)
{
    const char *mode = count > 1 ? arguments[1] : "";
    if (same(mode, "nothing")) {
        return 0;
    }
    if (same(mode, "list")) {
        return list();
    }
    if (same(mode, "text") && count > 2 && number(arguments[2]) <= POOL_BYTES / 1024) {
        return write_text(number(arguments[2]));
    }
    if (same(mode, "time") && count > 3) {
        return time_program(arguments[2], arguments + 3);
    }
    for (int i = 0; i < SETS; i++) {
        for (const struct kernel *k = sets[i].kernels; k->name; k++) {
            if (same(mode, k->name)) {
                return run_kernel(k, count > 2 ? number(arguments[2]) : 1);
            }
        }
    }
    print("usage: bench list | NAME [DIVISOR] | text KILOBYTES | time OUTPUT PROGRAM...\n");
    return 2;
}

/* stack: argc, argv, environment, auxiliary vector, as the kernel leaves them. */
__attribute__((used)) static void bench_main(long *stack)
{
    long count = stack[0];
    environment = (char **)(stack + count + 2);
#if defined(__i386__)
    char **p = environment;
    while (*p) {
        p++;
    }
    for (const uint32_t *item = (const uint32_t *)(p + 1); item[0]; item += 2) {
        if (item[0] == AT_SYSINFO) {
            kernel_entry = (const void *)item[1];
        }
    }
#endif
    sys(SYS_EXIT, bench(count, (char **)(stack + 1)), 0, 0, 0);
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall bench_main\n");
#else
__asm__(".globl _start\n_start: mov %esp, %eax\nand $-16, %esp\nsub $12, %esp\npush %eax\n"
        "call bench_main\n");
#endif
