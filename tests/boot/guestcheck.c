/* SPDX-License-Identifier: MIT */
/* A program for Linux guests, i386 and amd64, without a C library: raw system calls only, so that
 * the same file runs on the host for comparison.
 *
 * guestcheck fp: floating-point arithmetic in double (x87 on i386, SSE2 on amd64) and in 80-bit
 *   long double under several precision and rounding controls; prints bits. Only operations with
 *   one right answer (+ - * / sqrt, conversions), so that every correct processor prints the same.
 * guestcheck mips: runs a known number of integer instructions, for timing.
 * guestcheck timer SECONDS: computes for that long, interrupted by a timer 10 times a second.
 * guestcheck step: single-steps a child with ptrace and counts the instructions of a known loop.
 * guestcheck watch: watches a variable and an instruction of a child by its debug registers. */
#include <stdint.h>

#if defined(__x86_64__)
enum { NR_WRITE = 1, NR_GETPID = 39, NR_FORK = 57, NR_EXIT = 60, NR_WAIT4 = 61, NR_KILL = 62 };
enum { NR_PTRACE = 101, REGS_IP = 16, REGS_COUNT = 27, USER_DR = 848 };
#else
enum { NR_EXIT = 1, NR_FORK = 2, NR_WRITE = 4, NR_GETPID = 20, NR_PTRACE = 26, NR_KILL = 37 };
enum { NR_WAIT4 = 114, REGS_IP = 12, REGS_COUNT = 17, USER_DR = 252 };
#endif

#if defined(__x86_64__)
enum { NR_SIGACTION = 13, NR_SETITIMER = 38, NR_GETTIMEOFDAY = 96 };
#else
enum { NR_SIGACTION = 174, NR_SETITIMER = 104, NR_GETTIMEOFDAY = 78 };
#endif

enum { PTRACE_TRACEME = 0, PTRACE_CONT = 7, PTRACE_SINGLESTEP = 9, PTRACE_GETREGS = 12 };
enum { PTRACE_PEEKUSER = 3, PTRACE_POKEUSER = 6 };
enum { SIGALRM = 14, SIGSTOP = 19, SA_SIGINFO = 4, SA_RESTORER = 0x4000000 };

static long syscall4(long number, long a, long b, long c, long d)
{
    long result;
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
#else
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d)
                     : "memory");
#endif
    return result;
}

/* -- Output --------------------------------------------------------------------------------------
 */

static void print(const char *text)
{
    long n = 0;
    while (text[n]) {
        n++;
    }
    syscall4(NR_WRITE, 1, (long)text, n, 0);
}

static void print_hex(uint64_t value, int digits)
{
    char text[17];
    for (int i = 0; i < digits; i++) {
        text[i] = "0123456789abcdef"[value >> (4 * (digits - 1 - i)) & 15];
    }
    text[digits] = 0;
    print(text);
}

static void print_unsigned(unsigned value)
{
    char text[11], *p = text + 10;
    *p = 0;
    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    print(p);
}

/* -- Floating point ------------------------------------------------------------------------------
 */

union double_bits {
    double value;
    uint64_t bits;
};

union extended_bits {
    long double value;
    struct {
        uint64_t significand;
        uint16_t sign_exponent;
    } bits;
};

static uint64_t hash_add(uint64_t hash, uint64_t bits)
{
    for (int i = 0; i < 64; i += 8) {
        hash = (hash ^ (bits >> i & 255)) * 0x100000001b3u;
    }
    return hash;
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double root(double value)
{
#if defined(__x86_64__)
    __asm__("sqrtsd %0, %0" : "+x"(value));
#else
    __asm__("fsqrt" : "+t"(value));
#endif
    return value;
}

/* Hash of results over random operands of all magnitudes, infinities and NaNs included. */
static uint64_t double_hash(int rounds)
{
    uint64_t state = 88172645463325252u, hash = 0xcbf29ce484222325u;
    for (int i = 0; i < rounds; i++) {
        volatile union double_bits a, b, r;
        a.bits = random_next(&state);
        b.bits = random_next(&state);
        if (i & 1) {
            b.bits = (b.bits & 0x800fffffffffffffu) | (a.bits & 0x7ff0000000000000u);
        }
        r.value = a.value + b.value;
        hash = hash_add(hash, r.bits);
        r.value = a.value * b.value;
        hash = hash_add(hash, r.bits);
        r.value = a.value / b.value;
        hash = hash_add(hash, r.bits);
        r.value = root(a.value);
        hash = hash_add(hash, r.bits);
        r.value = (double)(int32_t)a.bits + (double)(float)b.value;
        hash = hash_add(hash, r.bits);
        hash = hash_add(hash, (uint64_t)(a.value < b.value) + 2 * (uint64_t)(a.value == b.value));
    }
    return hash;
}

/* The same for 80-bit operands, with x87 control word cw. */
static uint64_t extended_hash(uint16_t cw, int rounds)
{
    uint64_t state = 1442695040888963407u, hash = 0xcbf29ce484222325u;
    __asm__ volatile("fninit\n\tfldcw %0" : : "m"(cw));
    for (int i = 0; i < rounds; i++) {
        volatile union extended_bits a, b, r;
        uint16_t status;
        a.bits.significand = random_next(&state) | 1ull << 63;
        a.bits.sign_exponent = (uint16_t)random_next(&state);
        b.bits.significand = random_next(&state) | 1ull << 63;
        b.bits.sign_exponent =
            i & 1 ? (uint16_t)random_next(&state) : (uint16_t)(a.bits.sign_exponent + (i & 31));
        r.value = a.value + b.value;
        hash = hash_add(hash, r.bits.significand) ^ r.bits.sign_exponent;
        r.value = a.value * b.value;
        hash = hash_add(hash, r.bits.significand) ^ r.bits.sign_exponent;
        r.value = a.value / b.value;
        hash = hash_add(hash, r.bits.significand) ^ r.bits.sign_exponent;
        r.value = (long double)(double)a.value;
        hash = hash_add(hash, r.bits.significand) ^ r.bits.sign_exponent;
        __asm__ volatile("fnstsw %0\n\tfnclex" : "=a"(status));
        hash = hash_add(hash, status & 0x3f); /* exception flags: C0-C3 are undefined here */
    }
    __asm__ volatile("fninit");
    return hash;
}

static int fp_check(void)
{
    static const uint16_t control_words[] = {0x037f, 0x027f, 0x007f, 0x077f, 0x0b7f, 0x0f7f};
    volatile double x = 0.1, sum = 0.0;
    union double_bits out;

    for (int i = 0; i < 2000; i++) {
        sum += root(x) / (x + 3.0);
        x = x * 1.0625 - sum * 0.03125;
        x = x < 0 ? -x : x;
    }
    out.value = sum;
    print("series ");
    print_hex(out.bits, 16);
    print("\ndouble ");
    print_hex(double_hash(20000), 16);
    for (unsigned i = 0; i < sizeof control_words / sizeof control_words[0]; i++) {
        print("\nextended cw ");
        print_hex(control_words[i], 4);
        print(" ");
        print_hex(extended_hash(control_words[i], 5000), 16);
    }
    print("\n");
    return 0;
}

/* -- Single-stepping -----------------------------------------------------------------------------
 */

extern const char loop_start[], loop_end[];

/* 1 + 3 * 1000 instructions between the two labels. */
static void known_loop(void)
{
    long count = 0, sum = 0;
    __asm__ volatile(".globl loop_start\n.globl loop_end\n"
                     "loop_start: mov $1000, %0\n"
                     "1: add %0, %1\n"
                     "dec %0\n"
                     "jnz 1b\n"
                     "loop_end: nop"
                     : "+r"(count), "+r"(sum)
                     :
                     : "cc");
}

static int step_check(void)
{
    unsigned in_loop = 0;
    int status = 0;
    long child = syscall4(NR_FORK, 0, 0, 0, 0);
    if (child == 0) {
        syscall4(NR_PTRACE, PTRACE_TRACEME, 0, 0, 0);
        syscall4(NR_KILL, syscall4(NR_GETPID, 0, 0, 0, 0), SIGSTOP, 0, 0);
        known_loop();
        syscall4(NR_EXIT, 7, 0, 0, 0);
    }
    for (;;) {
        unsigned long regs[REGS_COUNT];
        syscall4(NR_WAIT4, child, (long)&status, 0, 0);
        if ((status & 0xff) != 0x7f) {
            break; /* not a stop: the child is gone */
        }
        syscall4(NR_PTRACE, PTRACE_GETREGS, child, 0, (long)regs);
        if (regs[REGS_IP] >= (unsigned long)loop_start && regs[REGS_IP] < (unsigned long)loop_end) {
            in_loop++;
        }
        syscall4(NR_PTRACE, PTRACE_SINGLESTEP, child, 0, 0);
    }
    print("stepped ");
    print_unsigned(in_loop);
    print(" of 3001 instructions, child's status ");
    print_unsigned((unsigned)status >> 8);
    print("\n");
    return in_loop == 3001 && status >> 8 == 7 ? 0 : 1;
}

/* -- Debug registers -----------------------------------------------------------------------------
 */

extern const char watched_call[];
static volatile int watched, neighbour;

/* Five times: a call of watched_call(), then a write to `watched`; and accesses that don't count.
 */
__asm__("watched_call: ret\n");
static void watched_loop(void)
{
    for (int i = 0; i < 5; i++) {
        neighbour = i;
        __asm__ volatile("call watched_call" : : : "memory");
        watched = i;
        neighbour = watched;
    }
}

static void set_debug_register(long child, int n, unsigned long value)
{
    syscall4(NR_PTRACE, PTRACE_POKEUSER, child, USER_DR + n * (long)sizeof(long), (long)value);
}

static int watch_check(void)
{
    unsigned writes = 0, calls = 0;
    int status = 0;
    long child = syscall4(NR_FORK, 0, 0, 0, 0);
    if (child == 0) {
        syscall4(NR_PTRACE, PTRACE_TRACEME, 0, 0, 0);
        syscall4(NR_KILL, syscall4(NR_GETPID, 0, 0, 0, 0), SIGSTOP, 0, 0);
        watched_loop();
        syscall4(NR_EXIT, watched, 0, 0, 0);
    }
    syscall4(NR_WAIT4, child, (long)&status, 0, 0);
    set_debug_register(child, 0, (unsigned long)&watched);
    set_debug_register(child, 1, (unsigned long)watched_call);
    set_debug_register(child, 7, 0xd0005); /* DR0: writes of 4 bytes; DR1: execution */
    for (;;) {
        unsigned long dr6 = 0;
        syscall4(NR_PTRACE, PTRACE_CONT, child, 0, 0);
        syscall4(NR_WAIT4, child, (long)&status, 0, 0);
        if ((status & 0xff) != 0x7f || writes + calls > 10) {
            break; /* gone, or stopped far too often */
        }
        syscall4(NR_PTRACE, PTRACE_PEEKUSER, child, USER_DR + 6 * (long)sizeof(long), (long)&dr6);
        writes += dr6 & 1;
        calls += dr6 >> 1 & 1;
        set_debug_register(child, 6, 0);
    }
    print("watched ");
    print_unsigned(writes);
    print(" writes and ");
    print_unsigned(calls);
    print(" calls, child's status ");
    print_unsigned((unsigned)status >> 8);
    print("\n");
    return 0;
}

/* -- Timer ---------------------------------------------------------------------------------------
 */

extern const char timer_signal[], timer_return[];
static volatile int timer_count;

#if defined(__x86_64__)
__asm__("timer_signal: incl timer_count(%rip)\nret\n"
        "timer_return: mov $15, %eax\nsyscall\n");
#else
__asm__("timer_signal: incl timer_count\nret\n"
        "timer_return: mov $173, %eax\nint $0x80\n");
#endif

static long now_ms(void)
{
    long time[2];
    syscall4(NR_GETTIMEOFDAY, (long)time, 0, 0, 0);
    return time[0] % 1000000 * 1000 + time[1] / 1000;
}

static int timer_check(const char *argument)
{
    long seconds = 0;
    while (*argument >= '0' && *argument <= '9') {
        seconds = seconds * 10 + *argument++ - '0';
    }
    /* handler, flags, restorer, mask (64 signals) */
    unsigned long action[5] = {(unsigned long)timer_signal, SA_SIGINFO | SA_RESTORER,
                               (unsigned long)timer_return, 0, 0};
    long period[4] = {0, 100000, 0, 100000}, off[4] = {0, 0, 0, 0};
    syscall4(NR_SIGACTION, SIGALRM, (long)action, 0, 8);
    long start = now_ms(), passed = 0;
    syscall4(NR_SETITIMER, 0, (long)period, 0, 0);
    while (passed < seconds * 1000) {
        for (volatile int i = 0; i < 10000; i++) {
        }
        passed = now_ms() - start;
    }
    syscall4(NR_SETITIMER, 0, (long)off, 0, 0);
    print_unsigned((unsigned)timer_count);
    print(" signals in ");
    print_unsigned((unsigned)passed);
    print(" ms\n");
    return 0;
}

/* -- Integer speed -------------------------------------------------------------------------------
 */

enum { MIPS_ITERATIONS = 10000000, MIPS_INSTRUCTIONS = 16 };

/* 16 instructions a turn: arithmetic, a load, a store, a call, an unpredictable branch. */
static uint32_t mips_loop(uint32_t *table)
{
    uint32_t hash = 1, turns = MIPS_ITERATIONS;
#if defined(__x86_64__)
#define INDEX "%%rax"
#else
#define INDEX "%%eax"
#endif
    __asm__ volatile("1: imul $0x9e3779b1, %[hash], %%eax\n"
                     "shr $20, %%eax\n"
                     "mov (%[table]," INDEX ",4), %%edx\n"
                     "add %[hash], %%edx\n"
                     "mov %%edx, (%[table]," INDEX ",4)\n"
                     "xor %%edx, %[hash]\n"
                     "test $64, %%edx\n"
                     "jz 2f\n"
                     "add $12345, %[hash]\n"
                     "jmp 3f\n"
                     "2: sub $54321, %[hash]\n"
                     "nop\n"
                     "3: call 4f\n"
                     "dec %[turns]\n"
                     "jnz 1b\n"
                     "jmp 5f\n"
                     "4: rol $5, %[hash]\n"
                     "lea 7(%[hash],%[hash],2), %[hash]\n"
                     "ret\n"
                     "5:"
                     : [hash] "+r"(hash), [turns] "+r"(turns)
                     : [table] "r"(table)
                     : "eax", "edx", "cc", "memory");
#undef INDEX
    return hash;
}

static int mips_run(void)
{
    uint32_t table[4096];
    for (unsigned i = 0; i < 4096; i++) {
        table[i] = i;
    }
    print("million instructions: ");
    print_unsigned(MIPS_ITERATIONS / 1000000 * MIPS_INSTRUCTIONS);
    print(", hash ");
    print_hex(mips_loop(table), 8);
    print("\n");
    return 0;
}

/* -- Entry ---------------------------------------------------------------------------------------
 */

/* stack: argc, argv... as the kernel leaves them. */
__attribute__((used)) static void guestcheck_main(long *stack)
{
    const char *mode = stack[0] > 1 ? (const char *)stack[2] : "";
    int status = 2;
    if (mode[0] == 'f') {
        status = fp_check();
    } else if (mode[0] == 's') {
        status = step_check();
    } else if (mode[0] == 'w') {
        status = watch_check();
    } else if (mode[0] == 't' && stack[0] > 2) {
        status = timer_check((const char *)stack[3]);
    } else if (mode[0] == 'm') {
        status = mips_run();
    } else {
        print("usage: guestcheck fp|mips|step|watch|timer SECONDS\n");
    }
    syscall4(NR_EXIT, status, 0, 0, 0);
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall guestcheck_main\n");
#else
__asm__(".globl _start\n_start: mov %esp, %eax\nand $-16, %esp\nsub $12, %esp\npush %eax\n"
        "call guestcheck_main\n");
#endif
