/* SPDX-License-Identifier: MIT */
/* String instructions.
 *
 * Code is made for one value of the direction flag, which is part of struct code_kind: programs set
 * it seldom and for a moment, so no instruction has to look at it, and CLD, which compilers and
 * kernels repeat to be sure, is nothing. A CLD or STD that does change it is interpreted, and ends
 * the running block.
 *
 * A repeated instruction goes through memory in chunks: as many elements as lie in one page of each
 * operand, and as RCX asks for. One byte of each chunk is read first, through the table that the
 * access needs; if that does not fault, nothing else in the page will. So the host's own repeated
 * instruction can run on host addresses, which is exact where operands overlap, too, and as fast as
 * it is there. Between two chunks the registers are those of an instruction interrupted there, and
 * there is a look at cpu.poll. Where a chunk's first byte faults, or an element lies across two
 * pages, the interpreter goes on. So it does with all that goes downwards.
 *
 * The limits of a chunk take comparisons, so flags and RAX wait in memory meanwhile. */
#include "jit/x64/emit.h"

/* Up to so many bytes are moved by other instructions: starting a repeated one takes longer. */
#define SHORT_BYTES 16

enum { CC_B = 2, CC_Z = 4, CC_NZ = 5, CC_A = 7 };
enum { ALU_AND = 4, ALU_SUB = 5, ALU_XOR = 6, ALU_CMP = 7 };
enum { SHIFT_LEFT = 4, SHIFT_RIGHT = 5 };

struct string {
    const struct insn *insn;
    unsigned w;     /* log2 of an element's size */
    unsigned count; /* operands in memory */
    struct {
        uint8_t reg, seg; /* RSI or RDI */
        bool write;
    } at[2];
    bool compares, repeated;
    uint8_t opcode; /* what accesses the last operand, as its byte form */
};

static struct string describe(const struct insn *i)
{
    struct string s = {.insn = i, .w = i->osz};
    bool has_si = true, has_di = true;

    switch (i->opc & ~1u) {
    case 0xa4: s.opcode = 0x88; break;                 /* MOVS */
    case 0xa6: s.opcode = 0x3a; break;                 /* CMPS */
    case 0xaa: s.opcode = 0x88, has_si = false; break; /* STOS */
    case 0xac: s.opcode = 0x8a, has_di = false; break; /* LODS */
    default: s.opcode = 0x3a, has_si = false; break;   /* SCAS */
    }
    s.compares = s.opcode == 0x3a;
    s.repeated = i->prefix & (INSN_REP | INSN_REPNE);
    if (has_si)
        s.at[s.count].reg = RSI, s.at[s.count++].seg = i->seg;
    if (has_di)
        s.at[s.count].reg = RDI, s.at[s.count++].seg = SEG_ES;
    s.at[s.count - 1].write = s.opcode == 0x88;
    return s;
}

/* An instruction on an element: its byte form's opcode in the element's size. */
static void emit_element(struct xlat *x, const struct string *s, unsigned opcode, unsigned reg,
                         struct rm rm)
{
    asm_op(&x->a, width_prefix(s->w) | P_BREG, 0, opcode | (s->w != 0 ? 1 : 0), reg, rm);
}

/* Look operand k's page up: *rm is where an element is. */
static bool emit_index(struct xlat *x, const struct string *s, unsigned k, struct rm *rm)
{
    struct insn at = *s->insn;

    at.base = s->at[k].reg;
    at.idx = REG_NONE;
    at.scale = 0;
    at.disp = 0;
    at.seg = s->at[k].seg;
    return emit_operand(x, &at, s->repeated ? 0 : 1u << s->w, s->at[k].write, rm);
}

static void emit_advance(struct xlat *x, const struct string *s)
{
    int32_t by = x->code->kind.mode & KIND_DF ? -(1 << s->w) : 1 << s->w;

    for (unsigned k = 0; k < s->count; k++) {
        int reg = host_reg(s->at[k].reg);
        asm_op(&x->a, width_prefix(s->insn->asz), 0, 0x8d, (unsigned)reg, rm_mem(reg, by));
    }
}

static bool emit_once(struct xlat *x, const struct string *s)
{
    struct rm at;

    if (!emit_index(x, s, 0, &at))
        return false;
    if (s->count == 1) {
        emit_element(x, s, s->opcode, HAX, at);
    } else {
        emit_element(x, s, 0x8a, TEMP, at);
        asm_store(&x->a, SCRATCH_AT(X_T0), TEMP);
        if (!emit_index(x, s, 1, &at))
            return false;
        asm_lea(&x->a, true, ADDR, at);
        asm_mov(&x->a, TEMP, SCRATCH_AT(X_T0));
        emit_element(x, s, s->opcode, TEMP, rm_mem(ADDR, 0));
    }
    emit_advance(x, s);
    return true;
}

/* -- Repetition -------------------------------------------------------------------------------- */

/* What waits in memory during a chunk. */
#define HOST_SI   SCRATCH_AT(X_T0) /* host address of the first of two operands */
#define GUEST_RAX SCRATCH_AT(X_T1)
#define FLAGS     SCRATCH_AT(X_T2)
#define LEFT      SCRATCH_AT(X_T3) /* elements behind the chunk */

static void alu(struct asmbuf *a, unsigned op, bool wide, unsigned reg, struct rm rm)
{
    asm_op(a, wide ? P_W : 0, 0, op << 3 | 3, reg, rm);
}

static void alu_imm(struct asmbuf *a, unsigned op, bool wide, unsigned reg, int32_t v)
{
    asm_op(a, wide ? P_W : 0, 0, 0x81, op, rm_reg((int)reg));
    put32(a, (uint32_t)v);
}

static void shift_imm(struct asmbuf *a, unsigned op, unsigned reg, unsigned by)
{
    if (by == 0)
        return;
    asm_op(a, 0, 0, 0xc1, op, rm_reg((int)reg));
    put8(a, by);
}

static void emit_finish(struct xlat *x)
{
    x->skip[x->nskips++] = asm_jmp(&x->a, NULL);
}

static void emit_keep_flags(struct xlat *x)
{
    asm_store(&x->a, GUEST_RAX, HAX);
    asm_flags_to_ax(&x->a);
    asm_op(&x->a, 0, 0, 0x89, HAX, FLAGS);
}

static void emit_flags_back(struct xlat *x)
{
    asm_mov32(&x->a, HAX, FLAGS);
    asm_flags_from_ax(&x->a);
    asm_mov(&x->a, HAX, GUEST_RAX);
}

/* ADDR = host address of the last operand, HOST_SI that of one before it; both may be accessed. */
static bool emit_operands(struct xlat *x, const struct string *s)
{
    struct rm at;

    for (unsigned k = 0; k < s->count; k++) {
        if (!emit_index(x, s, k, &at))
            return false;
        asm_lea(&x->a, true, ADDR, at);
        asm_op(&x->a, 0, 1, 0xb6, TEMP, rm_mem(ADDR, 0)); /* movzx: a byte that faults */
        if (k == 0 && s->count == 2)
            asm_store(&x->a, HOST_SI, ADDR);
    }
    return true;
}

/* The last bytes of the RCX bytes at `base`. */
static struct rm tail(unsigned base, int32_t bytes)
{
    return rm_index((int)base, HCX, 0, -bytes);
}

/* Move the first n of RCX bytes and the last n, which may overlap; MOVS: from TEMP to ADDR, STOS:
 * RAX and TEMP hold the elements. All is read before anything is written. */
static void emit_ends(struct xlat *x, const struct string *s, int32_t n)
{
    unsigned p = n == 8 ? P_W : 0;

    if (s->count == 2) {
        asm_op(&x->a, p, 0, 0x8b, HAX, tail(TEMP, n));
        asm_op(&x->a, p, 0, 0x8b, TEMP, rm_mem(TEMP, 0));
    }
    asm_op(&x->a, p, 0, 0x89, TEMP, rm_mem(ADDR, 0));
    asm_op(&x->a, p, 0, 0x89, HAX, tail(ADDR, n));
}

/* The same for one to three bytes. */
static void emit_few(struct xlat *x, const struct string *s)
{
    uint8_t *one, *store;

    alu_imm(&x->a, ALU_CMP, false, HCX, 2);
    one = asm_hop(&x->a, 0x70 | CC_B);
    if (s->count == 2)
        asm_op(&x->a, 0, 1, 0xb7, HAX, tail(TEMP, 2)); /* movzx */
    if (s->count == 2)
        asm_op(&x->a, 0, 1, 0xb6, TEMP, rm_mem(TEMP, 0));
    asm_op(&x->a, P_66, 0, 0x89, HAX, tail(ADDR, 2));
    store = asm_hop(&x->a, 0xeb);
    asm_land(&x->a, one);
    if (s->count == 2)
        asm_op(&x->a, 0, 1, 0xb6, TEMP, rm_mem(TEMP, 0));
    asm_land(&x->a, store);
    asm_op(&x->a, P_BREG, 0, 0x88, TEMP, rm_mem(ADDR, 0));
}

/* RAX and TEMP = the accumulator's element, 8 bytes full. */
static void emit_pattern(struct xlat *x, const struct string *s)
{
    static const uint64_t times[] = {UINT64_C(0x0101010101010101), UINT64_C(0x0001000100010001),
                                     UINT64_C(0x0000000100000001)};

    if (s->w < 2)
        asm_op(&x->a, 0, 1, 0xb6 + s->w, HAX, GUEST_RAX); /* movzx */
    else
        asm_op(&x->a, s->w == 3 ? P_W : 0, 0, 0x8b, HAX, GUEST_RAX);
    if (s->w < 3) {
        asm_mov_imm(&x->a, TEMP, times[s->w]);
        asm_op(&x->a, P_W, 1, 0xaf, HAX, rm_reg(TEMP)); /* imul */
    }
    asm_mov(&x->a, TEMP, rm_reg(HAX));
}

/* Jump where SHORT_BYTES from `reg` on reach into the next page. */
static uint8_t *emit_near_end(struct xlat *x, unsigned reg)
{
    asm_lea(&x->a, false, HAX, rm_mem((int)reg, SHORT_BYTES - 1));
    alu(&x->a, ALU_XOR, false, HAX, rm_reg((int)reg));
    put8(&x->a, 0xa9); /* test eax, ... */
    put32(&x->a, 0x1000);
    return asm_jcc(&x->a, CC_NZ, NULL);
}

/* All of the instruction, where it is short. Other sizes and places go on behind this. */
static void emit_short_piece(struct xlat *x, const struct string *s)
{
    bool wide = s->insn->asz == 3;
    uint8_t *other[4], *few, *small, *done[2];
    unsigned n = 0;

    alu_imm(&x->a, ALU_CMP, wide, HCX, SHORT_BYTES >> s->w);
    other[n++] = asm_jcc(&x->a, CC_A, NULL);
    other[n++] = emit_near_end(x, ADDR);
    if (s->count == 2) {
        asm_mov(&x->a, TEMP, HOST_SI);
        other[n++] = emit_near_end(x, TEMP);
        asm_mov(&x->a, HAX, rm_reg(ADDR));
        alu(&x->a, ALU_SUB, true, HAX, rm_reg(TEMP));
        alu_imm(&x->a, ALU_CMP, true, HAX, SHORT_BYTES);
        other[n++] = asm_jcc(&x->a, CC_B, NULL); /* it repeats what it has written */
    } else {
        emit_pattern(x, s);
    }
    shift_imm(&x->a, SHIFT_LEFT, HCX, s->w);
    alu_imm(&x->a, ALU_CMP, false, HCX, 8);
    small = asm_hop(&x->a, 0x70 | CC_B);
    emit_ends(x, s, 8);
    done[0] = asm_hop(&x->a, 0xeb);
    asm_land(&x->a, small);
    alu_imm(&x->a, ALU_CMP, false, HCX, 4);
    few = asm_hop(&x->a, 0x70 | CC_B);
    emit_ends(x, s, 4);
    done[1] = asm_hop(&x->a, 0xeb);
    asm_land(&x->a, few);
    emit_few(x, s);
    asm_land(&x->a, done[0]);
    asm_land(&x->a, done[1]);
    for (unsigned k = 0; k < s->count; k++) {
        int reg = host_reg(s->at[k].reg);
        asm_lea(&x->a, wide, (unsigned)reg, rm_index(reg, HCX, 0, 0));
    }
    asm_mov_imm(&x->a, HCX, 0);
    emit_flags_back(x);
    emit_finish(x);
    while (n > 0)
        asm_patch(&x->a, other[--n], asm_here(&x->a));
}

/* RAX = the elements of this chunk, LEFT = RCX - RAX. None: an element lies across pages, which is
 * interpreted. */
static void emit_limit(struct xlat *x, const struct string *s)
{
    bool wide = s->insn->asz == 3;

    asm_mov32(&x->a, HAX, rm_reg(ADDR));
    alu_imm(&x->a, ALU_AND, false, HAX, 0xfff);
    if (s->count == 2) {
        asm_mov32(&x->a, TEMP, HOST_SI);
        alu_imm(&x->a, ALU_AND, false, TEMP, 0xfff);
        alu(&x->a, ALU_CMP, false, HAX, rm_reg(TEMP));
        asm_op(&x->a, 0, 1, 0x40 | CC_B, HAX, rm_reg(TEMP)); /* cmovb */
    }
    alu_imm(&x->a, ALU_SUB, false, HAX, 0x1000);
    asm_op(&x->a, 0, 0, 0xf7, 3, rm_reg(HAX)); /* neg */
    if (s->w != 0) {
        uint8_t *some;
        shift_imm(&x->a, SHIFT_RIGHT, HAX, s->w);
        some = asm_hop(&x->a, 0x70 | CC_NZ);
        emit_flags_back(x);
        emit_interpret(x);
        emit_finish(x);
        asm_land(&x->a, some);
    }
    alu(&x->a, ALU_CMP, wide, HAX, rm_reg(HCX));
    asm_op(&x->a, P_W, 1, 0x40 | CC_A, HAX, rm_reg(HCX)); /* cmova */
    asm_mov(&x->a, TEMP, rm_reg(HCX));
    alu(&x->a, ALU_SUB, true, TEMP, rm_reg(HAX));
    asm_store(&x->a, LEFT, TEMP);
}

static void emit_host_repeat(struct xlat *x, const struct string *s)
{
    if (s->w == 1)
        put8(&x->a, 0x66);
    put8(&x->a, s->compares && s->insn->prefix & INSN_REPNE ? 0xf2 : 0xf3);
    if (s->w == 3)
        put8(&x->a, 0x48);
    put8(&x->a, s->insn->opc);
}

/* Run a chunk of MOVS or STOS; what the index registers will be waits in ADDR and TEMP. */
static void emit_chunk(struct xlat *x, const struct string *s)
{
    bool wide = s->insn->asz == 3;

    asm_lea(&x->a, wide, TEMP, rm_index(HDI, HAX, s->w, 0));
    asm_mov(&x->a, HDI, rm_reg(ADDR));
    if (s->count == 2) {
        asm_lea(&x->a, wide, ADDR, rm_index(HSI, HAX, s->w, 0));
        asm_mov(&x->a, HSI, HOST_SI);
    }
    asm_mov(&x->a, HCX, rm_reg(HAX));
    emit_flags_back(x);
    emit_host_repeat(x, s);
    asm_mov(&x->a, HDI, rm_reg(TEMP));
    if (s->count == 2)
        asm_mov(&x->a, HSI, rm_reg(ADDR));
    asm_mov(&x->a, HCX, LEFT);
}

/* Run a chunk of CMPS or SCAS; the distance to the guest's index registers waits in ADDR and TEMP.
 * Where the instruction is to go on with the next chunk, what follows runs. */
static void emit_compare_chunk(struct xlat *x, const struct string *s)
{
    bool wide = s->insn->asz == 3;

    asm_mov(&x->a, TEMP, rm_reg(HDI));
    alu(&x->a, ALU_SUB, true, TEMP, rm_reg(ADDR));
    asm_mov(&x->a, HDI, rm_reg(ADDR));
    if (s->count == 2) {
        asm_mov(&x->a, ADDR, rm_reg(HSI));
        asm_mov(&x->a, HSI, HOST_SI);
        alu(&x->a, ALU_SUB, true, ADDR, rm_reg(HSI));
    }
    asm_mov(&x->a, HCX, rm_reg(HAX));
    asm_mov(&x->a, HAX, GUEST_RAX);
    emit_host_repeat(x, s);
    asm_lea(&x->a, wide, HDI, rm_index(HDI, TEMP, 0, 0));
    if (s->count == 2)
        asm_lea(&x->a, wide, HSI, rm_index(HSI, ADDR, 0, 0));
    asm_mov(&x->a, TEMP, LEFT);
    asm_lea(&x->a, wide, HCX, rm_index(HCX, TEMP, 0, 0));
    x->skip[x->nskips++] = asm_jcc(&x->a, s->insn->prefix & INSN_REPNE ? CC_Z : CC_NZ, NULL);
}

/* 32-bit addresses: a repeated instruction clears the upper halves of RCX, and MOVS and STOS those
 * of their index registers. */
static void emit_truncate(struct xlat *x, const struct string *s)
{
    if (s->insn->asz != 2)
        return;
    asm_mov32(&x->a, HCX, rm_reg(HCX));
    for (unsigned k = 0; k < s->count && !s->compares; k++)
        asm_mov32(&x->a, (unsigned)host_reg(s->at[k].reg), rm_reg(host_reg(s->at[k].reg)));
}

/* Can an index wrap around within a page? */
static bool wraps_in_page(const struct xlat *x, const struct string *s)
{
    for (unsigned k = 0; k < s->count; k++)
        if (x->is64 && s->insn->asz == 2 && s->at[k].seg >= SEG_FS)
            return true;
    return false;
}

/* In lockstep all chunks are compared: C wants to see the end of each. */
static void emit_poll_between(struct xlat *x)
{
    if (x->j->lockstep == NULL) {
        emit_poll(&x->a);
        return;
    }
    asm_mov_imm(&x->a, ADDR, CPU_POLL_STOP);
    asm_mov32(&x->a, ADDR, rm_mem(ADDR, 0));
}

static bool emit_repeated(struct xlat *x, const struct string *s)
{
    uint8_t *none, *some, *over;
    const uint8_t *again;

    if (s->opcode == 0x8a || s->insn->asz == 1 || x->code->kind.mode & KIND_DF ||
        wraps_in_page(x, s))
        return false;
    emit_truncate(x, s);
    none = asm_hop(&x->a, 0xe3); /* jrcxz */
    some = asm_hop(&x->a, 0xeb);
    asm_land(&x->a, none);
    emit_finish(x);
    asm_land(&x->a, some);
    slots_forget(x); /* the registers change from chunk to chunk */
    again = asm_here(&x->a);
    if (!emit_operands(x, s))
        return false;
    emit_keep_flags(x);
    if (!s->compares)
        emit_short_piece(x, s);
    emit_limit(x, s);
    if (s->compares)
        emit_compare_chunk(x, s);
    else
        emit_chunk(x, s);
    over = asm_hop(&x->a, 0xe3);
    if (s->compares) { /* a fault in the next chunk leaves the flags as they were first */
        asm_store(&x->a, GUEST_RAX, HAX);
        emit_flags_back(x);
    }
    emit_poll_between(x);
    asm_jmp(&x->a, again);
    asm_land(&x->a, over);
    return true;
}

bool emit_string(struct xlat *x, const struct insn *i)
{
    struct string s = describe(i);

    if (i->prefix & INSN_LOCK)
        return false;
    return s.repeated ? emit_repeated(x, &s) : emit_once(x, &s);
}

bool emit_direction(struct xlat *x, const struct insn *i)
{
    bool set = i->opc & 1;
    return !(i->prefix & INSN_LOCK) && set == ((x->code->kind.mode & KIND_DF) != 0);
}
