/* SPDX-License-Identifier: MIT */
/* Machines for the tests of privileged behaviour (system_diff.c). A scenario is a function that
 * builds a machine from choices: modes, tables, code. It may say what the SDM wants to happen; all
 * sides (the interpreter, the translator...) must then do that, and the same in everything else.
 *
 * RAM is FAKE_RAM_BYTES from address 0, linear addresses are physical ones but where a scenario
 * maps pages of its own. */
#ifndef TESTS_SYSTEM_H
#define TESTS_SYSTEM_H

#include <string.h>

#include "cpu/cpu.h"
#include "cpu/isa.h"
#include "tests/diff/system_choice.h"
#include "tests/unit/fake_machine.h"

#define SYS_PAGES (FAKE_RAM_BYTES >> 12)
#define SYS_MODEL "max"

/* What is where. */
enum {
    AT_IDT = 0x2000, /* real mode's table is at 0 */
    AT_GDT = 0x3000,
    AT_LDT = 0x3800,
    AT_TSS = 0x4000, /* with its bitmaps */
    AT_TSS2 = 0x6800,
    AT_TSS3 = 0x7000,
    AT_CODE = 0x10000,
    AT_TARGET = 0x14000, /* where far transfers go */
    AT_HANDLER = 0x18000,
    AT_INNER = 0x20000, /* the TSS's stack for level n ends at AT_INNER + 0x1000 * (n + 1) */
    AT_IST = 0x26000,   /* stack n of long mode's ends at AT_IST + 0x800 * n */
    AT_STACK = 0x38000, /* the current stack ends here, data of the tests begins */
    AT_DATA = 0x40000,
    AT_TABLES = 0x100000, /* page tables */
    AT_PAGES = 0x200000,  /* pages that scenarios map elsewhere */
};
#define HANDLER_BYTES 16
#define SYS_VECTORS   64

/* Selectors. Segments of a level have it as RPL. */
enum {
    SEL_TSS = 0x08,
    SEL_LDT = 0x18,
    SEL_TSS2 = 0x28,
    SEL_TSS3 = 0x38,
    SEL_CONFORMING = 0x48, /* DPL 0, of the mode's size */
    SEL_SLOT = 0x50,       /* what is under test: 16 bytes each, zeroes behind */
    SEL_SLOT2 = 0x60,
    SEL_SLOT3 = 0x70,
    SEL_LEVELS = 0x100,
    SYS_GDT_BYTES = 0x200,
};
enum sys_segment { SYS_CODE16, SYS_CODE32, SYS_CODE64, SYS_DATA16, SYS_DATA32, SYS_SEGMENTS };
static inline uint16_t level_sel(enum sys_segment s, unsigned level)
{
    return (uint16_t)(SEL_LEVELS + 0x20u * s + 8u * level + level);
}

enum sys_mode { SYS_PM32, SYS_LONG, SYS_COMPAT, SYS_PM16, SYS_REAL, SYS_V86, SYS_MODES };
#define MODES(m)        (1u << (m))
#define MODES_LONG      (MODES(SYS_LONG) | MODES(SYS_COMPAT))
#define MODES_LEGACY    (MODES(SYS_PM32) | MODES(SYS_PM16))
#define MODES_PROTECTED (MODES_LEGACY | MODES_LONG)

/* How the code under test is to end. */
enum sys_end {
    END_ANYHOW,
    END_VECTOR, /* this vector is delivered for the instruction at `rip` */
    END_HALT,   /* HLT is reached at `rip`, by this level: #GP(0) for it above level 0 */
};
#define WANTED_WORDS 8
struct sys_want {
    enum sys_end end;
    unsigned vector;
    int64_t err;  /* -1: none */
    uint64_t rip; /* offset; linear address in real and virtual-8086 mode */
    bool has_cr2;
    uint64_t cr2;
    bool has_dr6;
    uint64_t dr6;
    bool has_cs; /* at that instruction; where HLT faults, in the frame of that fault */
    uint16_t cs;
    uint32_t flags_mask, flags;
    unsigned words; /* of memory that must be so in the end */
    struct sys_word {
        uint64_t pa, value;
        unsigned n;
    } word[WANTED_WORDS];
};

struct sys {
    struct choices *ch;
    enum sys_mode mode;
    unsigned level;
    uint64_t at;     /* where the next byte of code goes */
    uint64_t tested; /* where the instruction under test is */
    struct sys_want want;
    struct cpu *cpu; /* what it begins with: up to what is derived */
    struct fake_machine *reset;
    uint16_t intr_port;
    bool own_paging; /* the scenario sets paging up itself */
    int pending;     /* vector of an interrupt that waits from the start, or -1 */
    uint8_t *ram;
    bool touched[SYS_PAGES]; /* not all zeroes */
};

/* -- Memory ------------------------------------------------------------------------------------ */

void sys_put(struct sys *s, uint64_t pa, unsigned n, uint64_t v);
uint64_t sys_get(const struct sys *s, uint64_t pa, unsigned n);

/* Code goes on with these bytes. */
void sys_code(struct sys *s, const void *bytes, unsigned n);
#define EMIT(s, ...)                                                                               \
    sys_code(s, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
void sys_code_int(struct sys *s, unsigned n, uint64_t v);

static inline bool in_modes(const struct sys *s, unsigned modes)
{
    return modes >> s->mode & 1;
}
static inline bool is_code16(const struct sys *s)
{
    return in_modes(s, MODES(SYS_PM16) | MODES(SYS_REAL) | MODES(SYS_V86));
}
static inline bool is_lma(const struct sys *s)
{
    return in_modes(s, MODES_LONG);
}
/* An operand-size prefix where one is needed for 16 << k bits, k < 2. */
void emit_size(struct sys *s, unsigned k);

/* MOV of a constant to a register, or, through RAX, to a control register. */
void emit_mov(struct sys *s, unsigned reg, uint64_t v);
void emit_set_cr(struct sys *s, unsigned n, uint64_t v);

/* ModR/M of [bx], [ebx] or [rbx], with this register: AT_DATA + 0x100. */
static inline uint8_t rm_data(const struct sys *s, unsigned reg)
{
    return (uint8_t)(reg << 3 | (is_code16(s) ? 7 : 3));
}

/* Instructions that leave something to compare, and keep flags and registers busy. */
void emit_filler(struct sys *s, unsigned n);

/* The instruction under test is next. */
void sys_test_here(struct sys *s);

/* It must raise this. err -1: without an error code. */
void want_vector(struct sys *s, unsigned vector, int64_t err);
/* HLT must be reached here. */
void want_halt(struct sys *s, uint64_t la);
/* CS there, and these bits of EFLAGS. */
static inline void want_cs(struct sys *s, uint16_t cs)
{
    s->want.has_cs = true;
    s->want.cs = cs;
}
static inline void want_flags(struct sys *s, uint32_t mask, uint32_t flags)
{
    s->want.flags_mask = mask;
    s->want.flags = flags;
}
/* Memory must be so in the end, too. */
void want_memory(struct sys *s, uint64_t pa, unsigned n, uint64_t value);

/* -- Tables ------------------------------------------------------------------------------------ */

/* attr as in struct seg */
static inline uint64_t sys_desc(uint32_t base, uint32_t limit, unsigned attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(attr & 0xf0ff) << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(base >> 24) << 56;
}
static inline uint64_t sys_gate(uint16_t sel, uint32_t off, unsigned attr, unsigned params)
{
    return (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)(params & 31) << 32 |
           (uint64_t)(attr & 0xff) << 40 | (uint64_t)(off >> 16) << 48;
}
static inline void sys_put_desc(struct sys *s, unsigned sel, uint64_t raw)
{
    sys_put(s, (sel & 4 ? AT_LDT : AT_GDT) + (sel & 0xfff8), 8, raw);
}
void sys_put_vector(struct sys *s, unsigned vec, uint16_t sel, uint64_t off, unsigned attr,
                    unsigned ist);
/* Put a segment register as loading this selector would. */
void sys_load(struct sys *s, unsigned sreg, uint16_t sel);
/* The segment of this mode's code at a level. */
uint16_t sys_code_sel(const struct sys *s, unsigned level);
/* Bytes of a stack slot in this mode. */
unsigned sys_width(const struct sys *s);

/* -- Machines ---------------------------------------------------------------------------------- */

/* Chooses one of the modes, a privilege level, paging, flags, and the code around the test; the
 * code begins with something common. */
void sys_begin(struct sys *s, unsigned modes);
/* The same without choosing a level. */
void sys_begin_at(struct sys *s, unsigned modes, unsigned level);
/* Code ends: HLT. */
void sys_end(struct sys *s);
/* Linear address of the HLT that sys_end() would put now. */
static inline uint64_t sys_here(const struct sys *s)
{
    return s->at;
}

struct sys *sys_create(void);
/* Nothing is chosen yet. */
void sys_clear(struct sys *s, struct choices *ch);

/* -- Scenarios --------------------------------------------------------------------------------- */

struct scenario {
    const char *name;
    void (*build)(struct sys *s);
    unsigned weight;   /* of the cases: so many in proportion */
    const char *topic; /* what it is about, for the record */
};
extern const struct scenario segment_scenarios[], gate_scenarios[], page_scenarios[],
    event_scenarios[], task_scenarios[], call_scenarios[], v86_scenarios[], limit_scenarios[],
    tlb_scenarios[], debug_scenarios[];

#endif
