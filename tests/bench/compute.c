/* SPDX-License-Identifier: MIT */
/* Integer kernels of the compute set. */
#include "bench.h"

static uint32_t *const words = (uint32_t *)pool;

/* -- Sorting ------------------------------------------------------------------------------------*/

enum { SORT_COUNT = 20000 };

static void quicksort(uint32_t *a, long low, long high)
{
    while (low < high) {
        uint32_t pivot = a[(low + high) / 2];
        long i = low, j = high;
        while (i <= j) {
            while (a[i] < pivot) {
                i++;
            }
            while (a[j] > pivot) {
                j--;
            }
            if (i <= j) {
                uint32_t t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        quicksort(a, low, j);
        low = i;
    }
}

static uint32_t sort_round(void)
{
    uint32_t seed = 1, hash = 0;
    for (int i = 0; i < SORT_COUNT; i++) {
        words[i] = random_next(&seed);
    }
    quicksort(words, 0, SORT_COUNT - 1);
    for (int i = 1; i < SORT_COUNT; i += 37) {
        hash = words[i - 1] <= words[i] ? hash_add(hash, words[i]) : 0;
    }
    return hash;
}

/* -- Sieve --------------------------------------------------------------------------------------*/

enum { SIEVE_LIMIT = 200000 };

static uint32_t sieve_round(void)
{
    uint32_t count = 0;
    for (int i = 0; i < SIEVE_LIMIT; i++) {
        pool[i] = 1;
    }
    for (int i = 2; i < SIEVE_LIMIT; i++) {
        if (!pool[i]) {
            continue;
        }
        count++;
        for (long j = 2L * i; j < SIEVE_LIMIT; j += i) {
            pool[j] = 0;
        }
    }
    return count;
}

/* -- CRC ----------------------------------------------------------------------------------------*/

enum { CRC_BYTES = 65536 };

static uint32_t crc_table[256];

static void crc_prepare(void)
{
    uint32_t seed = 2;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) {
            c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
        }
        crc_table[i] = c;
    }
    for (int i = 0; i < CRC_BYTES; i++) {
        pool[i] = (uint8_t)random_next(&seed);
    }
}

static uint32_t crc_round(void)
{
    uint32_t c = ~0u;
    for (int i = 0; i < CRC_BYTES; i++) {
        c = crc_table[(c ^ pool[i]) & 255] ^ c >> 8;
    }
    return ~c;
}

/* -- Pointer chasing ----------------------------------------------------------------------------*/

enum { LINE = 64, NEAR_NODES = 256, FAR_NODES = POOL_BYTES / LINE, CHASE_STEPS = 100000 };

struct node {
    struct node *next;
    uint32_t value;
};

static struct node *node_at(uint32_t i)
{
    return (struct node *)(pool + (size_t)i * LINE);
}

/* One cycle through all nodes, in random order. */
static void chase_prepare(uint32_t nodes)
{
    uint32_t seed = 3;
    for (uint32_t i = 0; i < nodes; i++) {
        node_at(i)->next = node_at(i);
        node_at(i)->value = i;
    }
    for (uint32_t i = nodes - 1; i > 0; i--) {
        uint32_t j = random_next(&seed) % i;
        struct node *t = node_at(i)->next;
        node_at(i)->next = node_at(j)->next;
        node_at(j)->next = t;
    }
}

static void near_prepare(void)
{
    chase_prepare(NEAR_NODES);
}

static void far_prepare(void)
{
    chase_prepare(FAR_NODES);
}

static uint32_t chase_round(void)
{
    const struct node *n = node_at(0);
    uint32_t sum = 0;
    for (int i = 0; i < CHASE_STEPS; i++) {
        sum += n->value;
        n = n->next;
    }
    return sum;
}

/* -- State machine ------------------------------------------------------------------------------*/

enum { TEXT_BYTES = 32768 };
enum state { BETWEEN, WORD, NUMBER, FRACTION, STRING, ESCAPE, COMMENT, STATES };

static void text_prepare(void)
{
    static const char alphabet[] = "aaeeiioonnrrsstt  \n  0123456789.\"\\#;,xyz";
    uint32_t seed = 4;
    for (int i = 0; i < TEXT_BYTES; i++) {
        pool[i] = (uint8_t)alphabet[random_next(&seed) % (sizeof alphabet - 1)];
    }
}

static enum state state_begin(uint8_t c)
{
    return c >= 'a' && c <= 'z'   ? WORD
           : c >= '0' && c <= '9' ? NUMBER
           : c == '"'             ? STRING
           : c == '#'             ? COMMENT
                                  : BETWEEN;
}

static enum state state_next(enum state state, uint8_t c)
{
    switch (state) {
    case WORD: return c >= 'a' && c <= 'z' ? WORD : state_begin(c);
    case NUMBER: return c >= '0' && c <= '9' ? NUMBER : c == '.' ? FRACTION : state_begin(c);
    case FRACTION: return c >= '0' && c <= '9' ? FRACTION : state_begin(c);
    case STRING: return c == '"' ? BETWEEN : c == '\\' ? ESCAPE : STRING;
    case ESCAPE: return STRING;
    case COMMENT: return c == '\n' ? BETWEEN : COMMENT;
    default: return state_begin(c);
    }
}

static uint32_t state_round(void)
{
    uint32_t counts[STATES] = {0}, hash = 0;
    enum state state = BETWEEN;
    for (int i = 0; i < TEXT_BYTES; i++) {
        enum state next = state_next(state, pool[i]);
        counts[next] += next != state;
        state = next;
    }
    for (int i = 0; i < STATES; i++) {
        hash = hash_add(hash, counts[i]);
    }
    return hash;
}

/* -- A machine for byte codes -------------------------------------------------------------------*/

enum { VM_PUSH, VM_ADD, VM_MUL, VM_XOR, VM_LOAD, VM_STORE, VM_DEC, VM_JNZ, VM_SHR, VM_END };

/* for (r0 = 2000; r0; r0--) r1 = ((r1 + r0) * 5 ^ r1) + (r1 >> 3) */
static const uint8_t vm_code[] = {VM_PUSH,  0, 7,      208,     VM_STORE, 0,      VM_LOAD, 1,
                                  VM_LOAD,  0, VM_ADD, VM_PUSH, 0,        0,      5,       VM_MUL,
                                  VM_LOAD,  1, VM_XOR, VM_LOAD, 1,        VM_SHR, 3,       VM_ADD,
                                  VM_STORE, 1, VM_DEC, 0,       VM_JNZ,   0,      6,       VM_END};

static uint32_t vm_round(void)
{
    uint32_t stack[8], *top = stack, r[2] = {0, 1};
    const uint8_t *code = vm_code;
    for (;;) {
        switch (*code++) {
        case VM_PUSH:
            *top++ = (uint32_t)(code[0] << 16 | code[1] << 8 | code[2]);
            code += 3;
            break;
        case VM_ADD:
            top--;
            top[-1] += top[0];
            break;
        case VM_MUL:
            top--;
            top[-1] *= top[0];
            break;
        case VM_XOR:
            top--;
            top[-1] ^= top[0];
            break;
        case VM_LOAD: *top++ = r[*code++ & 1]; break;
        case VM_STORE: r[*code++ & 1] = *--top; break;
        case VM_DEC: r[*code++ & 1]--; break;
        case VM_JNZ: code = vm_code + (r[code[0] & 1] ? code[1] : code - vm_code + 2); break;
        case VM_SHR: top[-1] >>= *code++; break;
        default: return r[1];
        }
    }
}

/* -- Integer matrices ---------------------------------------------------------------------------*/

enum { SIDE = 64 };

static void matrix_prepare(void)
{
    uint32_t seed = 5;
    for (int i = 0; i < 2 * SIDE * SIDE; i++) {
        words[i] = random_next(&seed);
    }
}

static uint32_t matrix_round(void)
{
    const uint32_t *a = words, *b = words + SIDE * SIDE;
    uint32_t *c = words + 2 * SIDE * SIDE, hash = 0;
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            uint32_t sum = 0;
            for (int k = 0; k < SIDE; k++) {
                sum += a[i * SIDE + k] * b[k * SIDE + j];
            }
            c[i * SIDE + j] = sum;
        }
    }
    for (int i = 0; i < SIDE * SIDE; i += 61) {
        hash = hash_add(hash, c[i]);
    }
    return hash;
}

/* -- Calls --------------------------------------------------------------------------------------*/

static uint32_t f_add(uint32_t x)
{
    return x + 0x1234567;
}

static uint32_t f_xor(uint32_t x)
{
    return x ^ x >> 7;
}

static uint32_t f_mul(uint32_t x)
{
    return x * 5;
}

static uint32_t f_rotate(uint32_t x)
{
    return x << 3 | x >> 29;
}

static uint32_t (*const volatile functions[4])(uint32_t) = {f_add, f_xor, f_mul, f_rotate};

static uint32_t indirect_round(void)
{
    uint32_t x = 1;
    for (uint32_t i = 0; i < 100000; i++) {
        x = functions[(x ^ i) & 3](x);
    }
    return x;
}

static __attribute__((noinline, noclone)) uint32_t ackermann(uint32_t m, uint32_t n)
{
    if (m == 0) {
        return n + 1;
    }
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

static __attribute__((noinline, noclone)) uint32_t fibonacci(uint32_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint32_t recursion_round(void)
{
    return fibonacci(22) + ackermann(2, 60);
}

/* -- Copying and strings ------------------------------------------------------------------------*/

enum { COPY_BYTES = 65536 };

static void copy_prepare(void)
{
    for (int i = 0; i < COPY_BYTES; i++) {
        pool[i] = (uint8_t)(i * 7);
    }
}

static void copy(void *to, const void *from, size_t n)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

/* Pieces of 8 bytes to 64 KiB, in equal parts of the bytes moved. */
static uint32_t copy_round(void)
{
    for (size_t piece = 8; piece <= COPY_BYTES; piece *= 8) {
        for (size_t at = 0; at + piece <= COPY_BYTES; at += piece) {
            copy(pool + COPY_BYTES + at, pool + at, piece);
        }
    }
    return pool[COPY_BYTES + 77] + 256u * pool[2 * COPY_BYTES - 1];
}

static uint32_t words_round(void)
{
    volatile uintptr_t *to = (volatile uintptr_t *)(pool + COPY_BYTES);
    const volatile uintptr_t *from = (const volatile uintptr_t *)pool;
    for (size_t i = 0; i < COPY_BYTES / sizeof *to; i += 4) {
        to[i] = from[i];
        to[i + 1] = from[i + 1];
        to[i + 2] = from[i + 2];
        to[i + 3] = from[i + 3];
    }
    return pool[COPY_BYTES + 77] + 256u * pool[2 * COPY_BYTES - 1];
}

static __attribute__((noinline)) size_t string_length(const char *s)
{
    size_t n = 0;
    while (s[n]) {
        n++;
        __asm__ volatile("");
    }
    return n;
}

static __attribute__((noinline)) int string_compare(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

static __attribute__((noinline)) const char *string_find(const char *s, char c)
{
    while (*s && *s != c) {
        s++;
    }
    return *s ? s : NULL;
}

enum { STRINGS = 256, STRING_ROOM = 64 };

static void string_prepare(void)
{
    uint32_t seed = 6;
    for (int i = 0; i < STRINGS; i++) {
        uint32_t length = 8 + random_next(&seed) % (STRING_ROOM - 9);
        for (uint32_t k = 0; k < STRING_ROOM; k++) {
            /* long common beginnings */
            pool[i * STRING_ROOM + (int)k] = (uint8_t)(k >= length ? 0
                                                       : k < 8     ? 'a'
                                                                   : 'a' + random_next(&seed) % 26);
        }
    }
}

static uint32_t string_round(void)
{
    uint32_t hash = 0;
    const char *last = (const char *)pool;
    for (int i = 0; i < STRINGS; i++) {
        const char *s = (const char *)pool + i * STRING_ROOM, *z = string_find(s, 'q');
        hash = hash_add(hash, (uint32_t)string_length(s));
        hash = hash_add(hash, string_compare(s, last) < 0);
        hash = hash_add(hash, z ? (uint32_t)(z - s) : 99);
        last = s;
    }
    return hash;
}

/* -- 64-bit arithmetic --------------------------------------------------------------------------*/

static uint32_t multiply_round(void)
{
    uint64_t x = 88172645463325252u, sum = 0;
    for (int i = 0; i < 20000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        sum += x >> 11 ^ sum << 7;
    }
    return (uint32_t)(sum ^ sum >> 32);
}

static uint32_t divide_round(void)
{
    uint64_t x = 88172645463325252u, sum = 0;
    for (int i = 0; i < 5000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        sum += x / ((x >> 40) + 3) + x % ((x >> 20) | 1);
    }
    return (uint32_t)(sum ^ sum >> 32);
}

/* A number of 2048 bits, to which another is added with carries through all words. */
static uint32_t carry_round(void)
{
    enum { COUNT = 2048 / 8 / sizeof(uintptr_t) };
    uintptr_t *a = (uintptr_t *)pool, *b = a + COUNT;
    uint32_t hash = 0;
    for (uint32_t i = 0; i < 2 * 2048 / 32; i++) {
        words[i] = 0x9e3779b9 * (i + 1);
    }
    for (int turn = 0; turn < 200; turn++) {
        uintptr_t i = 0, n = COUNT, t;
        __asm__ volatile("clc\n"
                         "1: mov (%[b],%[i],%c[size]), %[t]\n"
                         "adc %[t], (%[a],%[i],%c[size])\n"
                         "inc %[i]\n"
                         "dec %[n]\n"
                         "jnz 1b"
                         : [i] "+r"(i), [n] "+r"(n), [t] "=&r"(t)
                         : [a] "r"(a), [b] "r"(b), [size] "i"(sizeof(uintptr_t))
                         : "cc", "memory");
    }
    for (int i = 0; i < 2048 / 32; i++) {
        hash = hash_add(hash, words[i]);
    }
    return hash;
}

const struct kernel compute_kernels[] = {
    {"sort", sort_round, NULL, 60, 0x2861936d},
    {"sieve", sieve_round, NULL, 150, 0x4640},
    {"crc", crc_round, crc_prepare, 400, 0x3b5ed1f7},
    {"chase-near", chase_round, near_prepare, 500, 0xc28bf3},
    {"chase-far", chase_round, far_prepare, 4, 0x87045434},
    {"state", state_round, text_prepare, 1500, 0x6282c871},
    {"bytecode", vm_round, NULL, 1500, 0x55a72cc0},
    {"matrix-int", matrix_round, matrix_prepare, 400, 0x3c4ed193},
    {"indirect-call", indirect_round, NULL, 400, 0x828da681},
    {"recursion", recursion_round, NULL, 800, 0x45aa},
    {"copy-rep", copy_round, copy_prepare, 1000, 0xf91b},
    {"copy-words", words_round, copy_prepare, 15000, 0xf91b},
    {"string", string_round, string_prepare, 4000, 0x2245e8ff},
    {"multiply-64", multiply_round, NULL, 1500, 0x4c004c0a},
    {"divide-64", divide_round, NULL, 1500, 0x2291e60d},
    {"carry", carry_round, NULL, 12000, 0x8cb2008a},
    {NULL, NULL, NULL, 0, 0},
};
