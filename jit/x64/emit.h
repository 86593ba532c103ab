/* SPDX-License-Identifier: MIT */
/* Translating one block for x86-64 hosts.
 *
 * Where the guest's state is while its code runs:
 *   RAX RCX RDX RBX RBP RSI RDI   the same registers
 *   R8 R12-R15                    the same registers
 *   RSP                           R9
 *   R9 R10 R11                    memory, in struct cpu
 *   CF PF AF ZF SF OF             RFLAGS; nothing here disturbs them but the guest's instructions
 *   XMM0-15, MXCSR                the same registers, while X_GUEST_FP + FP_SSE is 1
 *   x87 and MMX registers, CW, SW the same registers, while X_GUEST_FP + FP_X87 is 1
 *   pointers of x87               struct cpu where a block ends; inside, see x->note
 * and the translator's own: GS points to struct cpu, RSP to the read table (so there is no stack:
 * signals have their own), R10 (ADDR) and R11 (TEMP) are free between instructions but for slots.
 * In 32-bit code R12-R14 are for slots, R15 holds 12, the shift from an address to its page; and
 * the upper halves of all guest registers are zero.
 *
 * An access is made through the table's entry in TEMP, say: to the linear address in ADDR as
 * [ADDR + TEMP]; to that in a guest register plus a displacement, by the entry of the register's
 * page or of its own, as [register + TEMP + displacement]; or through a slot (slots.c), which holds
 * such an entry, or a host address, for instructions to come.
 *
 * A guest instruction changes no guest register before its last access to memory: if an access
 * faults, the interpreter repeats the instruction from the start. */
#ifndef JIT_X64_EMIT_H
#define JIT_X64_EMIT_H

#include <stdatomic.h>

#include "cpu/operands.h"
#include "jit/code.h"
#include "jit/x64/asm.h"

#define TABLE HSP
#define ADDR  H10
#define TEMP  H11
#define GSP   H9
#define SHIFT H15 /* 32-bit code only */

/* Host code that all blocks use, as executed; [1]: for 64-bit code. */
struct stubs {
    const uint8_t *load[2];    /* all but x87 and SSE from struct cpu; go on at X_RESUME */
    const uint8_t *enter[2];   /* C: unsigned enter(const void *code) */
    const uint8_t *call[2];    /* ADDR = struct code *, TEMP = where to go on: jit_call() */
    const uint8_t *assist[2];  /* the same: jit_assist() */
    const uint8_t *exit[2][2]; /* ADDR = struct code *: WHY_EXIT, WHY_DEAD */
    const uint8_t *jumped;     /* ADDR = linear address to go on at, for 64-bit code: WHY_JUMPED */
    const uint8_t *leave;      /* all state is in struct cpu; why is in EAX */
    const uint8_t *fp_load[FP_PARTS], *fp_keep; /* in X_FP_ENTER; TEMP = where to go on */
    const uint8_t *fp_resume[1 << FP_PARTS];    /* load these, then go on at X_T0 */
};

/* How an instruction is translated. */
struct xlat;
typedef bool (*emit_fn)(struct xlat *x, const struct insn *i);

struct rule {
    emit_fn emit; /* NULL: the interpreter. False: this one too */
    uint8_t how;  /* RULE_* */
};

enum {
    RULE_READ = 0,       /* operand 0 is only read */
    RULE_WRITE = 1,      /* operand 0 is written and not read */
    RULE_MODIFY = 2,     /* operand 0 is read and written */
    RULE_ACCESS = 3,     /* mask of these */
    RULE_WRITES_SRC = 4, /* operand 1 is written too */
    RULE_FP = 8,         /* uses SSE state */
    RULE_X87 = 64,       /* uses x87 or MMX state */
    RULE_F3 = 16,        /* mandatory prefixes of rows whose table prefix is ANY */
    RULE_F2 = 32,
    RULE_NEXT = 128, /* ends a block, but goes on behind itself */
};

struct backend {
    struct stubs stubs;
    struct rule *rules;  /* by row of the instruction table */
    uint16_t *implied;   /* likewise: registers that are written without being operands */
    bool restricted;     /* the host lacks instructions that there are rules for */
    size_t disassembler; /* text.c's, or 0 */
    atomic_int thread;   /* to be nudged: its number, or 0 */
};

/* A jump that is taken where an access may not be made: to code behind the block that has the
 * instruction interpreted. */
struct refusal {
    uint8_t *jump;
    struct rm kept; /* the guest's RCX */
    unsigned k;
    const uint8_t *behind; /* the instruction */
};
#define MAX_REFUSALS (4 * BLOCK_MAX_INSNS)

/* What the code of a block tells of one of its instructions before it is translated. */
struct outlook {
    const struct rule *rule; /* NULL: none, or it may not be used here. It may yet decline */
    const struct row_info *row;
    uint16_t written; /* bits: guest registers */
    /* Its access to memory, or one of them; known: where, by registers and a displacement. */
    bool accesses, writes, known;
    struct slot at;
    int64_t disp;
};

/* A block being translated. */
struct xlat {
    struct asmbuf a;
    struct jit *j;
    struct code *code;
    const struct rule *rule; /* of the current instruction */
    const struct row_info *row;
    unsigned k; /* number of the instruction */
    bool is64;
    uint8_t fp_ready;       /* bits: these FP_* are in the host's registers here */
    uint8_t note, note_mem; /* as in struct code */
    struct slot slot[SLOTS];
    unsigned used[SLOTS]; /* by this instruction, last */
    struct {
        uint8_t *jump;
        unsigned exit;
    } cold[MAX_EXITS];
    unsigned ncold;
    unsigned access;  /* bytes of the access looked up; 0: more than one page's look-up is for */
    uint8_t *skip[8]; /* jumps to the end of the current instruction */
    unsigned nskips;
    const struct outlook *outlook; /* by instruction */
    struct refusal *refusal;
    unsigned nrefusals;
};

/* The prefix of an operand of 1 << w bytes. */
static inline unsigned width_prefix(unsigned w)
{
    return w == 1 ? P_66 : w == 3 ? P_W : 0;
}

/* What a push or pop moves. */
static inline int32_t slot_bytes(const struct xlat *x)
{
    return x->is64 ? 8 : 4;
}
static inline unsigned slot_prefix(const struct xlat *x)
{
    return x->is64 ? P_W : 0;
}

/* -- Parts (operand.c) ------------------------------------------------------------------------- */

/* Memory of struct cpu. */
#define CPU_AT(field)   rm_gs((int32_t)offsetof(struct cpu, field))
#define SCRATCH_AT(n)   rm_gs((int32_t)(offsetof(struct cpu, scratch) + 8 * (n)))
#define GUEST_REG_AT(g) rm_gs((int32_t)(offsetof(struct cpu, r) + 8 * (g)))

/* The host register of a guest register, or H_NONE: it is in memory. */
int host_reg(unsigned guest);
/* Offset of the next instruction in the page. */
int32_t next_offset(const struct xlat *x);
/* ADDR = effective address without the segment, zero-extended. */
bool emit_effective_address(struct xlat *x, const struct insn *i);
/* ADDR = r[base] + (r[idx] << scale) + disp, of an address of 32 or 64 bits. */
void emit_sum(struct xlat *x, unsigned base, unsigned idx, unsigned scale, int32_t disp);
/* to = the table's entry for the address in `reg`; in 32-bit code also for one so many pages above.
 */
void emit_entry(struct xlat *x, unsigned to, unsigned reg, int32_t pages, enum shadow_table table);
/* The table for the current instruction's access. */
enum shadow_table table_for(const struct xlat *x, bool write);
/* Where that is the one for writes beside code: go on only if the access at rm touches none; uses
 * TEMP and ADDR. */
struct rm emit_beside(struct xlat *x, struct rm rm, bool write);
/* Behind the block: what refused accesses lead to. */
void emit_refusals(struct xlat *x);
/* Look the memory operand's page up, for an access of n bytes; *rm is where to make it: through
 * TEMP, ADDR or another register. Those that it does not use are free. False: not translatable. */
static inline bool rm_uses(struct rm rm, int reg)
{
    return rm.base == reg || rm.index == reg;
}
bool emit_operand(struct xlat *x, const struct insn *i, unsigned n, bool write, struct rm *rm);
/* The same for one of a row of elements of 1 << w bytes that begins at the operand: ADDR holds its
 * number, signed. */
bool emit_numbered(struct xlat *x, const struct insn *i, unsigned w, bool write, struct rm *rm);
/* The same for what is at `disp` from the stack or frame pointer, a guest register. */
struct rm emit_stack(struct xlat *x, unsigned guest, int32_t disp, bool write);
/* The stack pointer += by. */
void emit_move_sp(struct xlat *x, int32_t by);
/* May the stack be accessed directly, with pushes of this size? */
bool stack_is_plain(const struct xlat *x, const struct insn *i);
/* The same for a stack of 16 bits: what the instruction pushes or pops is at SP + disp; and SP +=
 * by.
 */
bool emit_stack16(struct xlat *x, const struct insn *i, int32_t disp, bool write, struct rm *rm);
void emit_move_sp16(struct xlat *x, int32_t by);
/* Store a constant there. */
void emit_store_constant(struct xlat *x, const struct insn *i, struct rm rm, uint32_t val);
/* reg = guest register, and back. */
void emit_load_guest(struct xlat *x, unsigned reg, unsigned guest);
void emit_store_guest(struct xlat *x, unsigned guest, unsigned reg);
/* A flag-free look at cpu.poll. */
void emit_poll(struct asmbuf *a);
/* Interpret the current instruction; execution goes on behind it or leaves. */
void emit_interpret(struct xlat *x);
/* Have it executed by its function (jit/assist.h) instead. */
bool emit_assist(struct xlat *x, const struct insn *i);

/* -- Look-ups for several accesses (slots.c) --------------------------------------------------- */

/* Bytes of the largest access. */
#define MAX_ACCESS 16

/* In 64-bit code slots are in registers that instructions need for other things. */
#define SLOTS_64 2
/* The host register of slot n. */
unsigned slot_host(bool is64, unsigned n);
/* The registers of the memory operand's address, if that is in a flat segment and has some: all but
 * its displacement. */
bool find_registers(const struct xlat *x, const struct insn *i, struct slot *at);
/* An access at `disp` from these registers: it lands on the page that was looked up, or beside it
 * and traps. */
struct rm emit_access(struct xlat *x, struct slot at, int32_t disp, bool write);
/* Before an instruction: write down what is in slots. Behind it: what it left of them. */
void slots_note(struct xlat *x);
void slots_step(struct xlat *x);
/* There is nothing in any slot any more. */
void slots_forget(struct xlat *x);
/* A host register for slots, another one than that; where there is the choice, it holds none of the
 * stack pointer's. 32-bit code only. */
unsigned slots_spare(const struct xlat *x, int except);
/* Find what an instruction with a rule accesses. */
void find_access(const struct xlat *x, const struct insn *i, struct outlook *o);

/* -- Registers (regs.c) ------------------------------------------------------------------------ */

/* Bits: guest registers that an instruction may write; that its memory operand's address needs. */
unsigned regs_written(const struct backend *be, const struct row_info *row, const struct insn *i);
unsigned regs_of_address(const struct insn *i);

/* -- Rules ------------------------------------------------------------------------------------- */

bool emit_general(struct xlat *x, const struct insn *i); /* general.c */
bool emit_implicit(struct xlat *x, const struct insn *i);
bool emit_nothing(struct xlat *x, const struct insn *i);
bool emit_short(struct xlat *x, const struct insn *i);
bool emit_lea(struct xlat *x, const struct insn *i);
bool emit_push(struct xlat *x, const struct insn *i);
bool emit_pop(struct xlat *x, const struct insn *i);
bool emit_pushad(struct xlat *x, const struct insn *i);
bool emit_popad(struct xlat *x, const struct insn *i);
bool emit_leave(struct xlat *x, const struct insn *i);
bool emit_vector_registers(struct xlat *x, const struct insn *i);
bool emit_fence(struct xlat *x, const struct insn *i);
bool emit_vex(struct xlat *x, const struct insn *i); /* vex.c */
bool emit_x87(struct xlat *x, const struct insn *i); /* x87.c */
bool emit_x87_control(struct xlat *x, const struct insn *i);
bool emit_emms(struct xlat *x, const struct insn *i);
bool emit_jmp(struct xlat *x, const struct insn *i); /* control.c */
bool emit_jcc(struct xlat *x, const struct insn *i);
bool emit_call(struct xlat *x, const struct insn *i);
bool emit_ret(struct xlat *x, const struct insn *i);
bool emit_jmp_indirect(struct xlat *x, const struct insn *i);
bool emit_call_indirect(struct xlat *x, const struct insn *i);
bool emit_loop(struct xlat *x, const struct insn *i);
bool emit_string(struct xlat *x, const struct insn *i); /* string.c */
bool emit_direction(struct xlat *x, const struct insn *i);
bool emit_cli(struct xlat *x, const struct insn *i); /* system.c */
bool emit_sti(struct xlat *x, const struct insn *i);
bool emit_stac(struct xlat *x, const struct insn *i);
bool emit_pushf(struct xlat *x, const struct insn *i);
bool emit_popf(struct xlat *x, const struct insn *i);
bool emit_push_segment(struct xlat *x, const struct insn *i);
bool emit_mov_from_segment(struct xlat *x, const struct insn *i);
bool emit_load_segment(struct xlat *x, const struct insn *i);
bool emit_swapgs(struct xlat *x, const struct insn *i);
bool emit_mov_from_cr(struct xlat *x, const struct insn *i);
bool emit_bit_test(struct xlat *x, const struct insn *i); /* bits.c */

/* Fill in be->rules (rules.c, rules_simd.c): all; rows of whole extensions that have none yet; and
 * take away what the host's processor lacks. */
void rules_create(struct backend *be, const struct cpu *c);
void rules_create_simd(struct backend *be, const struct cpu *c);
void rules_create_x87(struct backend *be, const struct cpu *c);
void rules_restrict(struct backend *be);
/* Fill in what each instruction writes without naming it (regs.c). */
void rules_imply(struct backend *be);

/* Go on at a fixed offset of this page, or beyond it (control.c). */
void emit_goto(struct xlat *x, int32_t offset);

/* Between struct cpu and the host's x87 registers (x87.c). Loading changes no flags; saving leaves
 * the x87 as C wants it. Both use ADDR and TEMP. */
void emit_x87_load(struct asmbuf *a);
void emit_x87_save(struct asmbuf *a);

/* Write to struct cpu what is pending of the last x87 instruction: all, or what would be lost when
 * these registers change (x87.c). */
void emit_notes(struct xlat *x);
void emit_notes_before(struct xlat *x, unsigned written);

/* Free what backend_text() needed (text.c). */
void text_close(struct backend *be);

/* Write be->stubs at j->next (stubs.c). */
void stubs_create(struct jit *j, struct stubs *s);

#endif
