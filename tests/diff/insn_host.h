/* SPDX-License-Identifier: MIT */
/* A sequence of instructions, the state before and after it, and the host's side of the test. Apart
 * from insn_diff.h because the C library's names of saved registers collide with cpu/regs.h. */
#ifndef TESTS_DIFF_INSN_HOST_H
#define TESTS_DIFF_INSN_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The test's linear addresses, the same on the host and in the guest. Code and data are surrounded
 * by pages that are not mapped. No power of two, which register values often are. */
#define CODE_LA    UINT64_C(0x2000a000)
#define DATA_LA    UINT64_C(0x20010000)
#define ALIAS_LA   UINT64_C(0x20018000) /* the code's pages once more, not to be executed */
#define PAGE       0x1000u
#define CODE_PAGES 2u
#define CODE_SIZE  (CODE_PAGES * PAGE)
#define RW_PAGES   2u /* then one read-only page */
#define DATA_SIZE  ((RW_PAGES + 1) * PAGE)

/* 16-bit code runs in segments of 64 KiB, the others in flat ones.
 */
enum code_size { CODE_64, CODE_32, CODE_16, CODE_SIZES };

static inline uint64_t code_base(enum code_size size)
{
    return size == CODE_16 ? CODE_LA - 0x7000 : 0;
}

static inline uint64_t data_base(enum code_size size)
{
    return size == CODE_16 ? DATA_LA : 0;
}

/* RIP of code that stands at the start of its pages. */
static inline uint64_t code_start(enum code_size size)
{
    return CODE_LA - code_base(size);
}

/* FXSAVE image in 64-bit format (SDM 1 table 10-2). */
struct fx_image {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    struct {
        uint64_t man;
        uint16_t se;
        uint16_t pad[3];
    } st[8]; /* by stack position */
    uint64_t xmm[16][2];
    uint8_t rest[96];
};

/* Segment registers, in ORDER seg. The bases count where the selector is null. */
struct segments {
    uint16_t sel[6];
    uint64_t fs_base, gs_base;
};

/* What is loaded before a sequence and compared after it. */
struct state {
    uint64_t r[16], rip;
    uint32_t eflags;
    struct fx_image fx;
    /* How it ended: 3 is the breakpoint behind the last instruction. */
    unsigned vec;
    uint32_t err;
    uint64_t cr2;
    struct segments seg;
};

#define SEQUENCE_MAX 8  /* instructions of a random sequence, without those that set them up */
#define INSN_MAX     64 /* of any */

struct sequence {
    enum code_size size;
    unsigned start; /* where in its pages the code begins; breakpoints fill the rest */
    uint8_t code[256];
    unsigned len;
    unsigned count;
    struct {
        uint16_t row;
        uint8_t at, len;
    } insn[INSN_MAX];
    uint32_t undefined; /* EFLAGS bits that are undefined after it */
};

/* RIP of the first instruction. */
static inline uint64_t sequence_start(const struct sequence *q)
{
    return code_start(q->size) + q->start;
}

/* The code's pages before it runs. */
void sequence_pages(const struct sequence *q, uint8_t pages[CODE_SIZE]);

/* Map the test's pages. mem: DATA_SIZE bytes, of which the read-only part stays. */
bool host_init(const uint8_t *mem);

enum host_maker { MAKER_INTEL, MAKER_AMD, MAKER_OTHER };
enum host_maker host_maker(void);

/* A bit of CPUID; leaf 0: true. */
bool host_cpuid_bit(unsigned leaf, unsigned sub, char reg, unsigned bit);

/* Run q from *s and mem (the writable pages), both of which get the results; those in the code's
 * pages stay where they are. */
void host_run(const struct sequence *q, struct state *s, uint8_t *mem);

#endif
