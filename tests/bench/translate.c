/* SPDX-License-Identifier: MIT */
/* usage: translate_bench ELF-FILE
 *
 * How fast the translator translates: all of a program's code, block by block, without running it.
 * Prints a line each for decoding the instructions, making blocks of them, and all of it up to host
 * code: million instructions a second of this thread's time, and how many there were. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/block.h"
#include "jit/code.h"
#include "tests/unit/fake_machine.h"

#define BASE      (1u << 20) /* where the code is */
#define MAX_BYTES (2u << 20)
#define ROUNDS    5 /* the best one counts */

struct bench {
    struct fake_machine *m;
    struct jit *j;
    unsigned bytes;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* -- The program ------------------------------------------------------------------------------- */

/* Offset and size of the first segment that is executed. */
static bool find_code(const uint8_t *p, size_t n, size_t *at, size_t *size)
{
    bool is64 = p[EI_CLASS] == ELFCLASS64;
    const Elf64_Ehdr *h64 = (const void *)p;
    const Elf32_Ehdr *h32 = (const void *)p;
    unsigned count = is64 ? h64->e_phnum : h32->e_phnum;

    for (unsigned k = 0; k < count; k++) {
        const Elf64_Phdr *p64 = (const Elf64_Phdr *)(const void *)(p + h64->e_phoff) + k;
        const Elf32_Phdr *p32 = (const Elf32_Phdr *)(const void *)(p + h32->e_phoff) + k;
        if (!((is64 ? p64->p_flags : p32->p_flags) & PF_X))
            continue;
        *at = is64 ? p64->p_offset : p32->p_offset;
        *size = is64 ? p64->p_filesz : p32->p_filesz;
        return *at + *size <= n;
    }
    return false;
}

/* Its code into the guest's memory, and the guest into its mode. */
static bool load(struct bench *b, const char *path)
{
    static uint8_t file[16 << 20];
    FILE *f = fopen(path, "rb");
    size_t n = f != NULL ? fread(file, 1, sizeof(file), f) : 0, at, size;

    if (f != NULL)
        fclose(f);
    if (n < sizeof(Elf64_Ehdr) || memcmp(file, ELFMAG, SELFMAG) != 0 ||
        !find_code(file, n, &at, &size))
        return false;
    b->bytes = (unsigned)(size < MAX_BYTES ? size : MAX_BYTES);
    memcpy(b->m->ram + BASE, file + at, b->bytes);
    if (file[EI_CLASS] == ELFCLASS64)
        fake_machine_enter64(b->m, BASE, BASE);
    else
        fake_machine_enter32(b->m, BASE, BASE);
    b->m->cpu.cr0 &= ~(CR0_TS | CR0_EM);
    b->m->cpu.cr4 |= CR4_OSFXSR;
    return true;
}

/* -- What is timed: each returns the number of instructions -------------------------------------
 */

static unsigned decode_all(struct bench *b)
{
    unsigned n = 0;

    for (unsigned at = 0; at < b->bytes; n++) {
        struct insn i;
        bool good = decode(&b->m->cpu, &i, b->m->ram + BASE + at, b->bytes - at) == DECODE_OK;
        at += good ? i.len : 1;
    }
    return n;
}

static unsigned walk(struct bench *b, bool translate)
{
    struct cpu *c = &b->m->cpu;
    unsigned n = 0;

    blocks_clear(c);
    for (unsigned at = 0; at < b->bytes;) {
        struct block *block;
        c->r[RIP] = BASE + at;
        block = block_lookup(c);
        if (block == NULL || (translate && !block->dead && code_translate(b->j, block) == NULL)) {
            fprintf(stderr, "translate_bench: no code for offset %x\n", at);
            exit(2);
        }
        n += block->count;
        at += block->len;
    }
    return n;
}

static unsigned make_blocks(struct bench *b)
{
    return walk(b, false);
}

static unsigned translate_all(struct bench *b)
{
    return walk(b, true);
}

static void report(struct bench *b, const char *what, unsigned (*run)(struct bench *b))
{
    double best = 1e9;
    unsigned n = 0;

    for (unsigned k = 0; k < ROUNDS; k++) {
        double begin = now(), seconds;
        n = run(b);
        seconds = now() - begin;
        if (seconds < best)
            best = seconds;
    }
    printf("%-10s %7.2f  %u\n", what, n / best / 1e6, n);
}

int main(int argc, char **argv)
{
    struct bench b = {.m = fake_machine_create(NULL)};
    char err[256];

    if (argc != 2 || !load(&b, argv[1])) {
        fprintf(stderr, "usage: translate_bench ELF-FILE\n");
        return 2;
    }
    report(&b, "decode", decode_all);
    fake_machine_spread(b.m);
    struct jit_ram ram = {b.m->ram_fd, b.m->spread, FAKE_RAM_BYTES >> 12};
    if (jit_create(&b.j, &b.m->cpu, &ram, &(struct jit_config){0}, err) != 0) {
        printf("skipped: %s\n", err);
        return 77;
    }
    report(&b, "blocks", make_blocks);
    report(&b, "translate", translate_all);
    jit_free(b.j);
    fake_machine_free(b.m);
    return 0;
}
