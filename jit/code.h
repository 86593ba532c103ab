/* SPDX-License-Identifier: MIT */
/* Translated blocks, and what the host-neutral part of the translator asks of a backend. */
#ifndef JIT_CODE_H
#define JIT_CODE_H

#include <stdatomic.h>
#include <stdio.h>

#include "cpu/block.h"
#include "jit/assist.h"
#include "jit/codemap.h"
#include "jit/jit.h"
#include "jit/shadow.h"

/* How a segment's accesses are translated. */
enum seg_class {
    SEG_CHECKED, /* limits need a look each time: the interpreter */
    SEG_FLAT,    /* base 0, no limit */
    SEG_BASED,   /* no limit */
    SEG_64K,     /* limit FFFFh: 16-bit addresses only */
};

/* What translated code depends on besides its bytes. Two translations of one block differ in it. */
struct code_kind {
    uint32_t mode;     /* of KIND_MODE, KIND_* */
    uint16_t segs;     /* enum seg_class, 2 bits each, ORDER seg */
    uint16_t writable; /* bit: this segment may be written */
    uint32_t cs_limit; /* without KIND_FLAT_CS; else 0 */
    uint32_t eip_page; /* likewise: EIP of the page's first byte */
};

#define KIND_MODE    (MODE_64 | MODE_CS32 | MODE_SS32 | MODE_LMA)
#define KIND_FLAT_CS (1u << 16)
#define KIND_SSE     (1u << 17) /* SSE instructions raise neither #UD nor #NM */
#define KIND_X87     (1u << 18) /* x87 and MMX instructions, likewise */
#define KIND_DF      (1u << 19) /* EFLAGS.DF */
#define KIND_LEVEL0  (1u << 20) /* CPL is 0 */

/* Parts of the guest's state that the host's registers hold only while they are in use. */
enum { FP_SSE, FP_X87, FP_PARTS };

static inline unsigned kind_seg(const struct code_kind *k, unsigned sreg)
{
    return k->segs >> (2 * sreg) & 3;
}

/* A way out of a block to a fixed place: an offset from the start of the block's page. */
struct code_exit {
    int32_t offset;
    uint8_t *patch;             /* the jump's displacement; NULL: never linked */
    uint8_t *cold;              /* where it leads as long as it is not linked, as written */
    struct code *to;            /* linked to this, or NULL */
    struct code_exit *next_in;  /* the next one that is linked there */
    struct code_exit **in_link; /* what points to this one in that list */
    uint8_t fp_ready;           /* bits: FP_* that are in the host's registers there */
};

#define MAX_EXITS   3
#define ENTRY_BYTES 5 /* at most, of what backend_forward() writes over an entry */

/* A look-up that translated code keeps (x64/slots.c), of a linear address L. `moved` is what the
 * registers, r[base] + (r[index] << scale), come to now, less L. */
struct slot {
    uint8_t live : 1;
    uint8_t table : 2; /* enum shadow_table */
    uint8_t entry : 1; /* the table's entry is kept, not the host address of L */
    uint8_t scale : 2;
    uint8_t base, index; /* or REG_NONE */
    int32_t moved;
};
#define SLOTS 3

struct code {
    struct block *block;  /* NULL: dropped */
    uint64_t pa;          /* of the block */
    struct code *next;    /* of the same block, another kind */
    struct code_exit *in; /* linked to this code */
    struct code_kind kind;
    uint8_t *begin, *end;   /* as written */
    const uint8_t *outside; /* entry with the linear address in the address register; NULL: none */
    const uint8_t *inside;  /* entry from code of the same page */
    const uint8_t *ready;   /* the same where fp_used are in the host's registers already */
    uint8_t *entry_patch;   /* writable address of `inside` */
    uint8_t *ready_patch;   /* and of `ready` */
    const uint8_t *dead;    /* where `inside` leads once the block was overwritten */
    struct code_exit exit[MAX_EXITS];
    uint8_t nexits;
    uint8_t cache; /* jump cache of this kind */
    uint8_t traps[BLOCK_MAX_INSNS];
    uint32_t careful; /* bit: this instruction trapped often, look at the entry before the access */
    uint32_t beside; /* bit: it did so because it writes to pages with code: look at the code map */
    uint64_t near_trap; /* when an instruction of `near` trapped last */
    uint32_t near;      /* bit: this one is by the entry of a page that it may leave */
    uint32_t exact;     /* bit: it did so often, look its own page up */
    uint8_t fp_used;    /* bits: FP_* that this block makes sure of at its start */
    uint8_t fp_kept;    /* bits: those of them that it does not use, but code on both sides does */
    uint8_t fp_ready[BLOCK_MAX_INSNS];  /* bits: FP_* that an instruction expects in the host */
    uint8_t note[BLOCK_MAX_INSNS];      /* last x87 instruction before it not in struct cpu; + 1 */
    uint8_t note_mem[BLOCK_MAX_INSNS];  /* and the last one with an operand in memory; 0: none */
    uint32_t never;                     /* bit: that did not help, leave it to the interpreter */
    uint32_t declined;                  /* bit: this one is left to the interpreter */
    bool goes_on;                       /* there is code behind the last one */
    uint32_t rehearsals;                /* in lockstep */
    uint16_t guest[BLOCK_MAX_INSNS];    /* page offset of each instruction */
    uint32_t host[BLOCK_MAX_INSNS + 1]; /* its code, from `begin` */
    /* That an instruction expects. The last member: the only one not cleared before translation. */
    struct slot slot[BLOCK_MAX_INSNS][SLOTS];
};

/* Why translated code came back. */
enum code_why {
    WHY_STATE,  /* registers and RIP are as they should be: look on */
    WHY_EXIT,   /* through exit scratch[X_SITE] */
    WHY_DEAD,   /* at the entry of a dead block */
    WHY_FAULT,  /* instruction scratch[X_SITE] could not complete */
    WHY_POLL,   /* before instruction scratch[X_SITE] */
    WHY_JUMPED, /* r[RIP] is where to go on */
    WHY_NUDGED, /* nothing was executed: likewise */
};

/* struct cpu's scratch words, ORDER none */
enum {
    X_TABLE,  /* read table of the current context */
    X_PAGE,   /* linear address of the page being executed */
    X_RESUME, /* where to go on in translated code */
    X_CPU,    /* struct cpu * */
    X_CSP,    /* C's stack pointer */
    X_FLAGS,  /* bits 0-7: OF, 8-15: as LAHF gives them */
    X_SITE,   /* instruction or exit number */
    X_CODE,   /* struct code * */
    X_T0,     /* temporaries */
    X_T1,
    X_T2,
    X_T3,
    X_BIT16,                            /* 10000h */
    X_TAG,                              /* VIEW_CHECK */
    X_GUEST_FP,                         /* [FP_PARTS]: 1: the host's registers hold the guest's */
    X_FP_ENTER = X_GUEST_FP + FP_PARTS, /* [FP_PARTS]: code that makes it so */
    X_MXCSR = X_FP_ENTER + FP_PARTS,    /* C's MXCSR */
    X_ENV,                              /* x87 environment in 32-bit format: the guest's */
    X_ENV_EMPTY = X_ENV + 4,            /* and one with TOP 0 and nothing pending */
    X_NOTE = X_ENV_EMPTY + 4,     /* low: NOTE_NEW + FOP, high: NOTE_NEW + operand's segment */
    X_LIMIT64K,                   /* [6][2]: segment base, or poison beyond FFFFh */
    X_TABLES = X_LIMIT64K + 12,   /* [MMU_NONE]: read tables */
    X_SLOT = X_TABLES + MMU_NONE, /* [SLOTS]: for code that goes on in a block */
    X_LA = X_SLOT + 1, /* linear address of the code to go on at, where that is another block */
    X_EXECUTED = X_SLOT + SLOTS, /* instructions, where they are counted */
    X_BITS32,                    /* 31 and 63: masks of a bit's number */
    X_BITS64,
    X_CODEMAP, /* from the view to the code map */
    X_SIZE,    /* [WRITE_SIZES]: 1, 2, 4, 8, 16: bits of the code map */
    X_BUDGET =
        X_SIZE + WRITE_SIZES, /* where lockstep stops linked blocks: counted down, by pointers */
    X_COUNT,
};

/* In both halves of X_NOTE: there is news for FOP and FCS; for FDS. */
#define NOTE_NEW 0x80000000u

_Static_assert(X_COUNT <= CPU_SCRATCH, "too many scratch words");

struct backend;
struct lockstep;
struct stray;
struct witness;

/* Of the instructions of one row of the table. */
struct row_facts {
    uint64_t calls, faults;      /* interpreted for translated code, and trapped */
    uint64_t assists;            /* executed by its function */
    const struct assist *assist; /* or NULL */
    bool keeps_flags;            /* arithmetic flags have no part in it, unless it faults */
    bool loads_segment;          /* MOV or POP to a segment register */
};

#define CODE_REGIONS 8
#define BESIDE_PAGES 1024

struct row_facts *rows_create(const struct cpu *c);

struct jit {
    struct cpu *cpu;
    struct shadow shadow;
    struct codemap codemap;
    struct backend *backend;
    /* Translated code (cache.h). */
    struct code *codes;            /* region_codes for each region */
    unsigned ncodes[CODE_REGIONS]; /* of these in use */
    unsigned region, region_codes; /* the current one */
    uint8_t *rw;                   /* code memory as written */
    uint8_t *next, *limit; /* where the next block goes in the current region, and its end */
    ptrdiff_t to_exec;
    uint64_t code_bytes, region_bytes;
    uint64_t drops; /* times that code or blocks were dropped */
    struct code_kind kinds[JUMP_CACHES];
    unsigned nkinds;
    const uint8_t *jumped;     /* code that leaves with WHY_JUMPED */
    uint64_t poll_ok;          /* what cpu.poll points to */
    atomic_bool in_code;       /* translated code runs, or C for it */
    struct code *left;         /* the dead code whose entry was run into last, or NULL */
    uint64_t moves;            /* times that code may have moved in linear memory */
    bool flags_in_host;        /* X_FLAGS has the arithmetic flags, struct cpu does not */
    bool raised;               /* the last instruction interpreted raised an exception */
    bool shutdown;             /* delivering an exception failed */
    struct lockstep *lockstep; /* or NULL */
    struct witness *witness;   /* with that */
    struct stray *stray;       /* likewise */
    bool wrote;                /* what trapped last was a write */
    bool again;                /* with all pages open: it trapped when they were not */
    bool failed;               /* lockstep has found a difference */
    void *alt_stack;
    struct jit_stats stats;
    struct row_facts *rows; /* by row of the instruction table */
    FILE *perf_map;         /* NULL: none */
    /* By a hash of the page: instructions that were found to write data beside their own code. */
    uint8_t beside[BESIDE_PAGES];
};

/* The code that holds a host address (as executed), or NULL. */
struct code *code_at(const struct jit *j, const uint8_t *host);
/* The instruction of x at a host address. */
unsigned code_insn(const struct jit *j, const struct code *x, const uint8_t *host);

/* The code of a block for the processor's present state, made if need be. NULL: there is no room.
 */
struct code *code_translate(struct jit *j, struct block *b);

/* The same, if it has been made: else NULL. Nothing changes. */
struct code *code_peek(struct jit *j);

/* Called by translated code for an instruction that the backend declined; the processor's state is
 * in struct cpu. */
enum after_call {
    CALL_LEAVE, /* back to C */
    CALL_ON_32, /* go on in 32-bit code at X_RESUME, with X_LA in the address register */
    CALL_ON_64, /* the same in 64-bit code */
};
enum after_call jit_call(struct cpu *c, struct code *x);
/* The same for one that has a function (jit/assist.h). */
enum after_call jit_assist(struct cpu *c, struct code *x);

/* -- Backend ----------------------------------------------------------------------------------- */

/* Entry and exit code. 0, -ENOTSUP with a reason, or another -errno. */
int backend_create(struct jit *j, char *err);
void backend_free(struct jit *j);

/* Translate x->block for x->kind at j->next, where cache_is_full() says that there is room. */
void backend_translate(struct jit *j, struct code *x);

/* Run from `code` on, which expects these FP_* in the host. */
enum code_why backend_enter(struct jit *j, const uint8_t *code, unsigned fp_ready);

/* Let an exit go directly to other code of the same kind (NULL: lead out again); let the entry of
 * dead code lead to some place. */
void backend_link(struct jit *j, const struct code_exit *exit, const struct code *to);
void backend_forward(struct jit *j, struct code *from, const uint8_t *to);

/* Text of the host instruction at p, of n bytes at most, in the code of x; its length. Without a
 * disassembler: of some bytes. */
#define HOST_TEXT 192
unsigned backend_text(const struct jit *j, const struct code *x, const uint8_t *p, unsigned n,
                      char text[HOST_TEXT]);
/* The disassembler's name and version, or NULL. */
const char *backend_disassembler(void);

/* Handle faults in translated code on this thread. */
int backend_thread_enter(struct jit *j);
void backend_thread_leave(struct jit *j);

/* On any thread, async-signal-safe: unlink what translated code is executing, and what it may go on
 * with without a look at c->poll or c->poll_mask, which are bad: it will come back to C. */
void backend_nudge(struct jit *j);

#endif
