/* SPDX-License-Identifier: MIT */
/* One x86 processor: its architectural state, what is derived from it, and the calls that the
 * machine makes on it. What the processor asks of the machine is declared at the end and defined in
 * vmm/ (unit tests link a small fake instead).
 *
 * Error convention inside cpu/: a function that the guest can make fault returns bool; false means
 * that the exception has been recorded in c->exc by cpu_raise() and nothing architectural has
 * changed that the SDM says must not. The caller passes the false on; interp.c delivers the
 * exception. */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/fpu80.h"
#include "cpu/log_items.h"
#include "cpu/regs.h"

struct cpu;
struct decoder;
struct insn;
struct block_cache;
struct translator;
struct rehearsal;

/* Segment register: selector and descriptor cache (SDM 3A 3.4.3). rd_end and wr_end are derived by
 * seg_update(): an access of n bytes at off is inside the segment and allowed where off + n <=
 * *_end. 0 where the fast check can't tell (null, expand-down, not readable): the slow path
 * decides. */
struct seg {
    uint64_t base;
    uint64_t rd_end, wr_end;
    uint32_t limit; /* in bytes, granularity applied */
    uint16_t sel;
    uint16_t
        attr; /* descriptor bits 40-55: type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15 */
    uint32_t desc_base; /* base as loaded: that of ES, CS, SS and DS is 0 in 64-bit code */
    bool usable;        /* false: null selector loaded */
};

/* Arithmetic flags, kept as the values that they are tests of; read and written through flags.h. */
struct lazy_flags {
    uint64_t zero; /* ZF: zero == 0 */
    int64_t sign;  /* SF: sign < 0 */
    int64_t over;  /* OF: over < 0 */
    uint8_t par;   /* PF: even number of ones */
    uint8_t aux;   /* AF: bit 4 */
    uint8_t carry; /* CF: 0 or 1 */
};

struct dtable {
    uint64_t base;
    uint16_t limit;
};

/* A 256-bit vector register; xmm is its low half. */
union vec {
    uint8_t b[32];
    uint16_t w[16];
    uint32_t d[8];
    uint64_t q[4];
    int8_t sb[32];
    int16_t sw[16];
    int32_t sd[8];
    int64_t sq[4];
};

struct fpu {
    struct f80 st[8]; /* physical registers R0-R7; MMX mm0-mm7 are the significands of R0-R7 */
    uint16_t cw, sw;  /* sw without TOP */
    uint8_t top;      /* 0..7 */
    uint8_t valid;    /* bit n: Rn is not empty */
    uint16_t fop, fcs, fds;
    uint64_t fip, fdp;
    union vec xmm[16];
    uint32_t mxcsr;
};

/* An exception that an instruction recorded, until exception.c delivers it. */
struct pending_exc {
    bool freeze; /* none: the instruction waits for an interrupt and is then tried again */
    uint8_t vec;
    bool has_err;
    uint32_t err;
    uint64_t cr2; /* vec 14 only */
};

#define MTRR_VAR_COUNT 8

struct msrs {
    uint64_t star, lstar, cstar, fmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, misc_enable, tsc_aux, tsc_offset, feature_control, spec_ctrl, pkrs;
    uint64_t debugctl;
    uint64_t tsc_deadline; /* as written; the local APIC knows whether it is still to come */
    uint64_t mtrr_def_type, mtrr_fix[11], mtrr_base[MTRR_VAR_COUNT], mtrr_mask[MTRR_VAR_COUNT];
};

/* -- Translation cache ------------------------------------------------------------------------- */

#define TLB_BITS 10
#define TLB_SIZE (1u << TLB_BITS)

/* One linear page. A tag is the linear page address, or 1 (never equal to a page address) where
 * that kind of access must take the slow path. host is the page's host address minus its linear
 * address. */
struct tlb_entry {
    uint64_t rd, wr;
    uint64_t host;
    uint64_t
        pa; /* physical page address, TLB_GLOBAL, and TLB_SHIFT: log2 of the guest's page size */
};

/* Who accesses: chooses a TLB. MMU_NONE is never filled: everything goes the slow way (alignment
 * checks on). */
enum mmu_ctx { MMU_KERNEL, MMU_KERNEL_AC, MMU_USER, MMU_NONE, MMU_CTX_COUNT };

struct tlb {
    struct tlb_entry e[TLB_SIZE];
    uint64_t local[TLB_SIZE / 64]; /* bit n: e[n] may be of a page that is not global */
};

#define CPU_SCRATCH   64                  /* words that the translator keeps beside the registers */
#define CPU_POLL_STOP (UINT64_C(1) << 63) /* not canonical: to follow it faults */

/* -- The processor ----------------------------------------------------------------------------- */

struct cpu {
    /* Architectural state: saved in snapshots. */
    uint64_t r[REG_COUNT]; /* RAX.. R15; r[REG_NONE] is always 0; r[RIP] */
    struct lazy_flags f;
    uint32_t eflags; /* all but CF PF AF ZF SF OF, which are in f; bit 1 is set */
    struct seg seg[SEG_COUNT];
    struct seg ldtr, tr;
    struct dtable gdt, idt;
    uint64_t cr0, cr2, cr3, cr4, efer, xcr0;
    uint64_t dr[8];
    uint32_t pkru;
    struct fpu fpu;
    struct msrs msr;
    bool halted;
    bool nmi_blocked; /* from NMI delivery to IRET */
    bool ferr;        /* FERR# is asserted */
    bool monitoring;  /* MONITOR has been executed, and nothing has happened since */
    bool in_mwait;    /* it is MWAIT that has halted it */
    bool a20;
    uint64_t pdpte[4]; /* PAE: loaded by MOV CR3 (SDM 3A 4.4.1) */

    /* Derived by cpu_update_mode() from CR0, CR4, EFER, EFLAGS, CS and SS. */
    uint32_t mode;    /* MODE_* */
    uint8_t cpl;      /* 0..3 */
    uint8_t mmu;      /* enum mmu_ctx of ordinary data accesses */
    uint64_t la_mask; /* linear addresses and RIP wrap here */
    uint64_t sp_mask; /* stack pointer width */
    struct tlb *tlb;  /* &tlbs[mmu] */

    /* Execution. */
    const struct insn *run_end; /* interpreter: end of the running block; NULL: leave it now */
    struct pending_exc exc;
    bool shadow;           /* the next instruction runs without interrupts: STI, MOV SS, POP SS */
    bool shadow_ss;        /* ... and without debug traps: MOV SS, POP SS */
    uint32_t db_pending;   /* DR6 bits to report by #DB after this instruction */
    bool single;           /* one instruction at a time: TF, code breakpoints */
    bool fault_pending;    /* c->exc comes before anything else: a fault of a new task */
    bool no_step;          /* the instruction entered a handler: no single-step trap after it */
    bool branched;         /* a near branch was taken, since run_single() cleared it */
    bool in_delivery;      /* an exception or interrupt is being delivered (for -d and #DF) */
    bool ext;              /* EXT bit of error codes: an external event is being delivered */
    uint64_t icount;       /* instructions executed */
    atomic_uint attention; /* ATT_* from any thread */

    /* Model. */
    const struct cpu_model *model;
    uint64_t isa[2]; /* bit set of enum isa */

    /* The translator, or NULL: the interpreter runs alone. `poll` is a pointer that translated code
     * follows where it is entered and when it repeats an instruction; a bad one makes it stop
     * there.
     */
    const struct translator *translator;
    void *jit;
    _Atomic uint64_t poll;
    _Atomic uint64_t poll_mask; /* for other jumps: zero makes it stop there */
    uint64_t scratch[CPU_SCRATCH];
    struct rehearsal *rehearsal; /* what is executed will be taken back; else NULL */

    struct decoder *decoder;
    struct block_cache *blocks;
    struct tlb tlbs[MMU_CTX_COUNT];
    uint64_t large_first, large_last; /* linear addresses between which large pages are cached */
    unsigned log_items;               /* set of enum log_item, a copy of the machine's */
};

/* mode bits */
enum {
    MODE_PE = 1 << 0,   /* CR0.PE */
    MODE_V86 = 1 << 1,  /* EFLAGS.VM */
    MODE_LMA = 1 << 2,  /* EFER.LMA */
    MODE_64 = 1 << 3,   /* 64-bit code: LMA and CS.L */
    MODE_CS32 = 1 << 4, /* CS.D */
    MODE_SS32 = 1 << 5, /* SS.B */
    MODE_USER = 1 << 6, /* CPL 3 */
};

enum attention {
    ATT_INTR = 1 << 0, /* level of the INTR pin */
    ATT_NMI = 1 << 1,  /* edge: cleared on delivery */
    ATT_EXIT = 1 << 2, /* cpu_run() is to return; cleared by the caller */
};

enum cpu_exit {
    CPU_EXIT_ATTENTION, /* ATT_EXIT is set */
    CPU_EXIT_HALT,      /* HLT, and nothing is pending that wakes it */
    CPU_EXIT_SHUTDOWN,  /* triple fault: c is as it was at the fault */
};

/* -- Life -------------------------------------------------------------------------------------- */

/* New processor in its reset state. model is a -cpu name with optional ",+feature,-feature"; NULL:
 * the default. On failure NULL and a one-line reason in err (256 bytes). The caller frees with
 * cpu_free(). `c` is allocated by the caller (it is embedded in the machine's vcpu) and zeroed. */
bool cpu_init(struct cpu *c, const char *model, char *err);
void cpu_free(struct cpu *c);

/* RESET# (SDM 3A 9.1): registers and caches as after power-on. */
void cpu_reset(struct cpu *c);

/* Print the names of the processor models, one a line, by calling line(arg, text). */
void cpu_list_models(void (*line)(void *arg, const char *text), void *arg);

/* -- Execution --------------------------------------------------------------------------------- */

/* Run until there is a reason to return. */
enum cpu_exit cpu_run(struct cpu *c);

/* Execute exactly one instruction (or one iteration of a string instruction, or deliver one pending
 * interrupt). For tests, lockstep and debuggers. */
enum cpu_exit cpu_step(struct cpu *c);

/* A thread that has run processors will run no more: free what it keeps for itself. */
void cpu_thread_end(void);

/* Set or clear attention bits, from any thread. async-signal-safe. */
void cpu_attend(struct cpu *c, unsigned set, unsigned clear);

/* True where a halted processor must wake: NMI, or INTR with IF. */
bool cpu_has_work(const struct cpu *c);

/* -- State ------------------------------------------------------------------------------------- */

/* Recompute what is derived from control registers and segments; call after changing any of them.
 * Ends the running block. */
void cpu_update_mode(struct cpu *c);

/* Record an exception; always false. cpu_raise() has error code `err` where the vector has one by
 * definition (8, 10-14, 17, 21). */
bool cpu_raise(struct cpu *c, unsigned vec, uint32_t err);
bool cpu_raise_ud(struct cpu *c);
bool cpu_raise_gp(struct cpu *c, uint32_t err);
bool cpu_raise_pf(struct cpu *c, uint64_t la, uint32_t err);

/* Does the model have this feature? */
#define CPU_HAS(c, feature) (((c)->isa[(feature) / 64] >> ((feature) % 64)) & 1)

/* A cheap non-cryptographic 64-bit random number for RDRAND/RDSEED comes from the machine. */

/* -- What the processor asks of the machine (defined in vmm/) ---------------------------------- */

/* Host address of the 4 KiB guest-physical page at pa where it can be accessed directly (RAM; ROM
 * for reads), or NULL. The pointer stays valid until the machine calls cpu_flush_tlb(). */
uint8_t *phys_page(struct cpu *c, uint64_t pa, bool write);

/* Any physical access of n = 1, 2, 4 or 8 bytes that does not cross a page. Nothing there: all
 * ones. */
uint64_t phys_read(struct cpu *c, uint64_t pa, unsigned n);
void phys_write(struct cpu *c, uint64_t pa, unsigned n, uint64_t val);

uint32_t port_in(struct cpu *c, uint16_t port, unsigned n);
void port_out(struct cpu *c, uint16_t port, unsigned n, uint32_t val);

/* The processor drives FERR#: asserted where an x87 exception waits for the interrupt that reports
 * it, until the exception is cleared (SDM 1 appendix D). */
void ferr_set(struct cpu *c, bool asserted);

/* Level of IGNNE#: asserted, x87 instructions run in spite of a pending exception. */
bool ignne_asserted(struct cpu *c);

/* From now on until this is called with false, nobody but the processor writes to memory. The
 * processor's next call of another function here that reaches devices ends it as well. */
void memory_freeze(struct cpu *c, bool frozen);

/* INTA cycle: the vector, or -1 where nothing is pending any more. */
int intr_ack(struct cpu *c);

/* Ticks of the time-stamp counter since power-on, without IA32_TSC_ADJUST or written offsets. */
uint64_t tsc_read(struct cpu *c);
/* Ticks a second. */
uint64_t tsc_hz(struct cpu *c);

/* The local APIC's timer is to fire when tsc_read() reaches this; 0: never. Read: 0 once it has. In
 * another mode than TSC-deadline writes have no effect. */
void apic_deadline_write(struct cpu *c, uint64_t ticks);
uint64_t apic_deadline_read(struct cpu *c);

/* Local APIC: IA32_APIC_BASE and CR8; x2APIC MSRs 800h-8FFh. false: #GP. */
bool apic_base_read(struct cpu *c, uint64_t *val);
bool apic_base_write(struct cpu *c, uint64_t val);
uint8_t apic_tpr_read(struct cpu *c);
void apic_tpr_write(struct cpu *c, uint8_t val);
bool apic_msr_read(struct cpu *c, uint32_t msr, uint64_t *val);
bool apic_msr_write(struct cpu *c, uint32_t msr, uint64_t val);

/* 64 random bits for RDRAND and RDSEED. */
uint64_t random_u64(struct cpu *c);

/* printf to the log; only called where c->log_items has `item`. */
void cpu_log(struct cpu *c, unsigned item, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* -- What the machine tells the processor ------------------------------------------------------ */

/* Guest-physical memory changed its layout (region mapped or moved, A20): drop all translations. On
 * the processor's own thread, or while it does not run. */
void cpu_flush_tlb(struct cpu *c);

/* The machine wants to know of writes to these host addresses, which phys_page() gave out: the next
 * one asks it again. Same threads. */
void cpu_end_direct_writes(struct cpu *c, const uint8_t *begin, const uint8_t *end);

/* Somebody else (DMA, loader) wrote to guest RAM: drop decoded code there; MWAIT ends. Same
 * threads. */
void cpu_code_written(struct cpu *c, uint64_t pa, uint64_t n);

/* The A20 gate. Same threads. */
void cpu_set_a20(struct cpu *c, bool enabled);

#endif
