/* SPDX-License-Identifier: MIT */
/* The x86-64 backend: translating a block, linking, entering. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "jit/cache.h"
#include "jit/lockstep.h"
#include "jit/x64/emit.h"

int backend_create(struct jit *j, char *err)
{
    uint32_t mxcsr;

    __builtin_cpu_init();
    if (!__builtin_cpu_supports("bmi2")) {
        snprintf(err, 256, "the host's processor lacks BMI2");
        return -ENOTSUP;
    }
    j->backend = calloc(1, sizeof(*j->backend));
    if (j->backend == NULL)
        return -ENOMEM;
    j->backend->rules = calloc(optab_count, sizeof(struct rule));
    j->backend->implied = calloc(optab_count, sizeof(uint16_t));
    if (j->backend->rules == NULL || j->backend->implied == NULL)
        return -ENOMEM;
    rules_create(j->backend, j->cpu);
    stubs_create(j, &j->backend->stubs);
    j->jumped = j->backend->stubs.jumped;
    mxcsr = __builtin_ia32_stmxcsr();
    j->cpu->scratch[X_MXCSR] = mxcsr;
    j->cpu->scratch[X_CPU] = (uint64_t)(uintptr_t)j->cpu;
    for (unsigned part = 0; part < FP_PARTS; part++)
        j->cpu->scratch[X_FP_ENTER + part] = (uint64_t)(uintptr_t)j->backend->stubs.fp_load[part];
    j->cpu->scratch[X_ENV_EMPTY] = 0x37f;
    return 0;
}

void backend_free(struct jit *j)
{
    if (j->backend == NULL)
        return;
    text_close(j->backend);
    free(j->backend->rules);
    free(j->backend->implied);
    free(j->backend);
    j->backend = NULL;
}

/* Make sure that these registers are the guest's. */
static void emit_fp_enter(struct xlat *x, unsigned part)
{
    uint8_t *resume;

    if (x->fp_ready >> part & 1)
        return;
    put8(&x->a, 0x4c); /* lea TEMP, [rip + ...] */
    put8(&x->a, 0x8d);
    put8(&x->a, 0x1d);
    resume = x->a.p;
    put32(&x->a, 0);
    asm_jmp_mem(&x->a, SCRATCH_AT(X_FP_ENTER + part));
    asm_patch(&x->a, resume, asm_here(&x->a));
    x->fp_ready |= (uint8_t)(1u << part);
    x->a.touched |= 1u << ADDR | 1u << TEMP;
}

/* Bytes that are no instruction have no row either: they have no address size. */
static bool is_decoded(const struct insn *i)
{
    return i->asz != 0;
}

/* What cannot be compared is not translated where all is compared. */
static bool is_comparable(const struct xlat *x)
{
    return x->j->lockstep == NULL || !lockstep_reads_undefined(x->j, x->code->block, x->k);
}

/* May an instruction that uses these registers be executed? */
static bool fp_allowed(const struct xlat *x, const struct rule *r)
{
    return (!(r->how & RULE_FP) || x->code->kind.mode & KIND_SSE) &&
           (!(r->how & RULE_X87) || x->code->kind.mode & KIND_X87);
}

/* What is known of instruction k before anything is translated. */
static void look_at(const struct xlat *x, unsigned k, struct outlook *o)
{
    const struct insn *i = &x->code->block->insn[k];
    const struct backend *be = x->j->backend;
    const struct rule *r = &be->rules[i->op];
    bool usable =
        r->emit != NULL && is_decoded(i) && !(x->code->never >> k & 1) && fp_allowed(x, r);

    o->rule = usable ? r : NULL;
    o->row = decoder_row(x->j->cpu->decoder, i->op);
    o->written = (uint16_t)regs_written(be, o->row, i);
    o->accesses = o->known = false;
    if (usable)
        find_access(x, i, o);
}

static unsigned fp_of_rule(const struct rule *r)
{
    return (r->how & RULE_X87 ? 1u << FP_X87 : 0) | (r->how & RULE_FP ? 1u << FP_SSE : 0);
}

static void emit_fp_enter_all(struct xlat *x, unsigned parts)
{
    for (unsigned part = FP_PARTS; part-- > 0;)
        if (parts >> part & 1)
            emit_fp_enter(x, part);
}

/* By its rule. False: it declined. */
static bool emit_by_rule(struct xlat *x, const struct insn *i)
{
    emit_fp_enter_all(x, fp_of_rule(x->rule));
    if (!x->rule->emit(x, i))
        return false;
    for (unsigned k = 0; k < x->nskips; k++)
        asm_patch(&x->a, x->skip[k], asm_here(&x->a));
    slots_step(x);
    if (x->nskips > 0) {
        x->fp_ready = 0;
        slots_forget(x);
    }
    /* From here C brings the slots. */
    for (unsigned n = x->nrefusals; n > 0 && x->refusal[n - 1].behind == NULL; n--) {
        x->refusal[n - 1].behind = asm_here(&x->a);
        x->fp_ready = 0;
    }
    return true;
}

/* So much host code at most for an instruction, else it is left to the interpreter; and for a block
 * beside its instructions, with what they have out of the way. */
#define INSN_BYTES  768
#define BLOCK_BYTES 8192
_Static_assert(INSN_BYTES *BLOCK_MAX_INSNS + BLOCK_BYTES <= CACHE_ROOM, "a block fits");

static void emit_insn(struct xlat *x, const struct insn *i)
{
    const struct outlook *o = &x->outlook[x->k];

    x->rule = o->rule;
    x->row = o->row;
    x->nskips = 0;
    slots_note(x);
    if (optab[i->op].attr & ATTR_END)
        emit_notes(x);
    else if (x->note_mem != 0 && x->rule != NULL)
        emit_notes_before(x, o->written);
    x->code->note[x->k] = x->note;
    x->code->note_mem[x->k] = x->note_mem;

    uint8_t *begin = x->a.p;
    unsigned ncold = x->ncold, nrefusals = x->nrefusals, nexits = x->code->nexits;
    if (x->rule != NULL && is_comparable(x) && emit_by_rule(x, i) && x->a.p - begin <= INSN_BYTES &&
        x->nrefusals - nrefusals <= MAX_REFUSALS / BLOCK_MAX_INSNS)
        return;
    /* As if it had not been tried; behind what is interpreted nothing else is known anyway. */
    x->a.p = begin;
    x->ncold = ncold;
    x->nrefusals = nrefusals;
    x->code->nexits = (uint8_t)nexits;
    x->j->stats.declined++;
    x->code->declined |= UINT32_C(1) << x->k;
    emit_interpret(x);
    x->note = x->note_mem = 0;
}

/* The parts of the state that the block uses before something in it is interpreted. */
static unsigned fp_used(const struct xlat *x)
{
    unsigned parts = 0;

    for (unsigned k = 0; k < x->code->block->count && x->outlook[k].rule != NULL; k++)
        parts |= fp_of_rule(x->outlook[k].rule);
    return parts;
}

/* Room for the jump that replaces a dead block, up to `end`: one instruction that does nothing. */
static void emit_room(struct asmbuf *a, const uint8_t *end)
{
    static const uint8_t nops[][ENTRY_BYTES] = {{0},
                                                {0x90},
                                                {0x66, 0x90},
                                                {0x0f, 0x1f, 0x00},
                                                {0x0f, 0x1f, 0x40, 0x00},
                                                {0x0f, 0x1f, 0x44, 0x00, 0x00}};
    unsigned n = a->p < end ? (unsigned)(end - a->p) : 0;

    memcpy(a->p, nops[n], n);
    a->p += n;
}

/* What leaves the block, out of the way of what stays. */
static void emit_cold(struct xlat *x)
{
    const struct stubs *s = &x->j->backend->stubs;

    for (unsigned k = 0; k < x->ncold; k++) {
        asm_patch(&x->a, x->cold[k].jump, asm_here(&x->a));
        x->code->exit[x->cold[k].exit].cold = x->a.p;
        asm_store_imm(&x->a, SCRATCH_AT(X_SITE), x->cold[k].exit);
        asm_mov_imm(&x->a, ADDR, (uint64_t)(uintptr_t)x->code);
        asm_jmp(&x->a, s->exit[x->is64][0]);
    }
    x->code->dead = asm_here(&x->a);
    asm_mov_imm(&x->a, ADDR, (uint64_t)(uintptr_t)x->code);
    asm_jmp(&x->a, s->exit[x->is64][1]);
}

/* With -d jit-stats: count the block's instructions as executed. */
static void emit_count(struct xlat *x)
{
    if (!(x->j->cpu->log_items & LOG_JIT_STATS))
        return;
    asm_mov(&x->a, TEMP, SCRATCH_AT(X_EXECUTED));
    asm_lea(&x->a, true, TEMP, rm_mem(TEMP, x->code->block->count));
    asm_store(&x->a, SCRATCH_AT(X_EXECUTED), TEMP);
}

/* Where lockstep lets blocks run linked, each takes one pointer from a row; the last of them is to
 * nowhere, and what follows is a poll. */
static void emit_budget(struct xlat *x)
{
    if (x->j->lockstep == NULL || !runs_linked(x->j))
        return;
    asm_mov(&x->a, ADDR, SCRATCH_AT(X_BUDGET));
    asm_lea(&x->a, true, ADDR, rm_mem(ADDR, -8));
    asm_store(&x->a, SCRATCH_AT(X_BUDGET), ADDR);
    asm_mov(&x->a, ADDR, rm_mem(ADDR, 0));
    asm_mov32(&x->a, ADDR, rm_mem(ADDR, 0));
}

void backend_translate(struct jit *j, struct code *code)
{
    struct refusal refusal[MAX_REFUSALS];
    struct outlook outlook[BLOCK_MAX_INSNS];
    struct xlat x = {.a = {j->next, j->to_exec, 0},
                     .j = j,
                     .code = code,
                     .is64 = code->kind.mode & MODE_64,
                     .outlook = outlook,
                     .refusal = refusal};
    const struct block *b = code->block;
    uint8_t *arrival = NULL;

    for (unsigned k = 0; k < b->count; k++)
        look_at(&x, k, &outlook[k]);
    code->begin = x.a.p;
    if (code->kind.mode & KIND_FLAT_CS) {
        code->outside = asm_here(&x.a);
        asm_lea(&x.a, true, ADDR, rm_mem(ADDR, -(int32_t)(b->pa & 0xfff)));
        asm_store(&x.a, SCRATCH_AT(X_PAGE), ADDR);
        if (!runs_linked(j))
            arrival = asm_jmp(&x.a, NULL);
    }
    code->inside = asm_here(&x.a);
    code->entry_patch = x.a.p;
    code->fp_used = (uint8_t)(fp_used(&x) | code->fp_kept);
    emit_fp_enter_all(&x, code->fp_used);
    code->ready = asm_here(&x.a);
    code->ready_patch = x.a.p;
    emit_count(&x);
    emit_budget(&x);
    for (x.k = 0; x.k < b->count; x.k++) {
        code->host[x.k] = (uint32_t)(x.a.p - code->begin);
        code->fp_ready[x.k] = x.fp_ready;
        emit_insn(&x, &b->insn[x.k]);
        if (x.k == 0)
            emit_room(&x.a, code->ready_patch + ENTRY_BYTES);
    }
    x.k--;
    /* What was interpreted may well go on here: most that ends a block is no jump. */
    code->goes_on = !(optab[b->insn[x.k].op].attr & ATTR_END) || code->declined >> x.k & 1 ||
                    x.rule->how & RULE_NEXT;
    if (code->goes_on) {
        emit_notes(&x);
        emit_goto(&x, next_offset(&x));
    }
    code->host[b->count] = (uint32_t)(x.a.p - code->begin);
    emit_cold(&x);
    emit_refusals(&x);
    if (arrival != NULL) /* each block comes back to C */
        asm_patch(&x.a, arrival, code->dead);
    if (x.a.p - code->begin > CACHE_ROOM)
        abort();
    code->end = x.a.p;
    j->next = x.a.p;
}

enum code_why backend_enter(struct jit *j, const uint8_t *code, unsigned fp_ready)
{
    const struct stubs *s = &j->backend->stubs;
    const uint8_t *stub = s->enter[(j->cpu->mode & MODE_64) != 0];
    unsigned (*enter)(const uint8_t *);

    memcpy(&enter, &stub, sizeof(enter));
    if (fp_ready == 0)
        return enter(code);
    j->cpu->scratch[X_T0] = (uint64_t)(uintptr_t)code;
    return enter(s->fp_resume[fp_ready]);
}

void backend_link(struct jit *j, const struct code_exit *exit, const struct code *to)
{
    struct asmbuf a = {NULL, j->to_exec, 0};
    const uint8_t *target = exit->cold + j->to_exec;

    if (to != NULL)
        target = to->fp_used & ~exit->fp_ready ? to->inside : to->ready;
    asm_patch(&a, exit->patch, target);
}

void backend_forward(struct jit *j, struct code *from, const uint8_t *to)
{
    struct asmbuf a = {from->entry_patch, j->to_exec, 0};
    asm_jmp(&a, to);
    a.p = from->ready_patch;
    asm_jmp(&a, to);
}
