/* SPDX-License-Identifier: MIT */
#include "tests/diff/system_model.h"

static struct verdict fault(unsigned vector, int64_t err)
{
    return (struct verdict){true, vector, err};
}

static int64_t selector_error(const struct slot *x)
{
    return x->sel & 0xfffc;
}

bool want_verdict(struct sys *s, struct verdict v)
{
    if (v.faults)
        want_vector(s, v.vector, v.err);
    return v.faults;
}

/* -- Types ------------------------------------------------------------------------------------- */

static bool is_segment(const struct slot *x)
{
    return x->type & 0x10;
}
static bool is_code(const struct slot *x)
{
    return (x->type & 0x18) == 0x18;
}
static bool is_conforming(const struct slot *x)
{
    return (x->type & 0x1c) == 0x1c;
}
static bool is_data(const struct slot *x)
{
    return (x->type & 0x18) == 0x10;
}
static bool is_writable(const struct slot *x)
{
    return is_data(x) && x->type & 2;
}
static bool is_readable(const struct slot *x)
{
    return is_data(x) || (is_code(x) && x->type & 2);
}

/* -- Loads of segment registers ---------------------------------------------------------------- */

static struct verdict load_ss(const struct sys *s, const struct slot *x)
{
    if (x->where == IS_NULL) {
        bool allowed = s->mode == SYS_LONG && s->level != 3 && x->rpl == s->level;
        return allowed ? ALLOWED : fault(VEC_GP, 0);
    }
    if (!slot_is_there(s, x) || x->rpl != s->level || !is_writable(x) || x->dpl != s->level)
        return fault(VEC_GP, selector_error(x));
    return x->present ? ALLOWED : fault(VEC_SS, selector_error(x));
}

struct verdict model_load(const struct sys *s, unsigned sreg, const struct slot *x)
{
    if (sreg == SEG_SS)
        return load_ss(s, x);
    if (x->where == IS_NULL)
        return ALLOWED;
    if (!slot_is_there(s, x) || !is_segment(x) || !is_readable(x))
        return fault(VEC_GP, selector_error(x));
    if (!is_conforming(x) && (x->rpl > x->dpl || s->level > x->dpl))
        return fault(VEC_GP, selector_error(x));
    return x->present ? ALLOWED : fault(VEC_NP, selector_error(x));
}

/* -- Accesses ---------------------------------------------------------------------------------- */

static bool is_inside(const struct slot *x, uint64_t off, unsigned n)
{
    uint64_t last = off + n - 1;

    if (is_data(x) && x->type & 4)
        return off > x->limit && last <= (x->big ? 0xffffffff : 0xffff);
    return last <= x->limit || x->limit == 0xffffffff;
}

struct verdict model_access(const struct sys *s, unsigned sreg, const struct slot *x, uint32_t off,
                            unsigned n, bool write)
{
    struct verdict no = fault(sreg == SEG_SS ? VEC_SS : VEC_GP, 0);

    if (s->mode == SYS_LONG)
        return ALLOWED;
    if (x->where == IS_NULL || !(write ? is_writable(x) : is_readable(x)))
        return no;
    return is_inside(x, off, n) ? ALLOWED : no;
}

/* -- Far transfers ----------------------------------------------------------------------------- */

static struct verdict target_offset(const struct sys *s, const struct slot *code, uint64_t off)
{
    bool code64 = is_lma(s) && code->is_long;
    bool inside = code64 ? (int64_t)(off << 16) >> 16 == (int64_t)off : off <= code->limit;

    return inside ? ALLOWED : fault(VEC_GP, 0);
}

static struct verdict direct_code(const struct sys *s, const struct far_case *f)
{
    const struct slot *x = f->x;
    bool ok = is_conforming(x) ? x->dpl <= s->level : x->rpl <= s->level && x->dpl == s->level;

    if (!ok || (is_lma(s) && x->is_long && x->big))
        return fault(VEC_GP, selector_error(x));
    if (!x->present)
        return fault(VEC_NP, selector_error(x));
    return target_offset(s, x, f->off);
}

/* The code segment that a call, interrupt or trap gate names; ext: bit 0 of error codes. */
static struct verdict gate_code(const struct sys *s, const struct slot *x, unsigned ext)
{
    if (x->where == IS_NULL)
        return fault(VEC_GP, ext);
    if (!slot_is_there(s, x) || !is_code(x) || x->dpl > s->level)
        return fault(VEC_GP, selector_error(x) | ext);
    if (is_lma(s) && (!x->is_long || x->big))
        return fault(VEC_GP, selector_error(x) | ext);
    return x->present ? ALLOWED : fault(VEC_NP, selector_error(x) | ext);
}

static struct verdict through_call_gate(const struct sys *s, const struct far_case *f,
                                        unsigned *level)
{
    struct verdict v = gate_code(s, f->target, 0);

    if (v.faults)
        return v;
    if (!f->call && !is_conforming(f->target) && f->target->dpl != s->level)
        return fault(VEC_GP, selector_error(f->target));
    *level = is_conforming(f->target) ? s->level : f->target->dpl;
    return target_offset(s, f->target, f->off);
}

static bool is_call_gate(const struct sys *s, unsigned type)
{
    return type == T_CALL32 || (type == T_CALL16 && !is_lma(s));
}

struct verdict model_far(const struct sys *s, const struct far_case *f, unsigned *level)
{
    const struct slot *x = f->x;

    *level = s->level;
    if (x->where == IS_NULL)
        return fault(VEC_GP, 0);
    if (!slot_is_there(s, x))
        return fault(VEC_GP, selector_error(x));
    if (is_code(x))
        return direct_code(s, f);
    if (!is_call_gate(s, x->type) || f->gate_is_broken || x->dpl < s->level || x->dpl < x->rpl)
        return fault(VEC_GP, selector_error(x));
    return x->present ? through_call_gate(s, f, level) : fault(VEC_NP, selector_error(x));
}

/* -- Returns ----------------------------------------------------------------------------------- */

static struct verdict return_stack(const struct sys *s, const struct slot *cs,
                                   const struct slot *ss)
{
    if (ss->where == IS_NULL) {
        bool allowed = is_lma(s) && cs->is_long && cs->rpl != 3 && ss->rpl == cs->rpl;
        return allowed ? ALLOWED : fault(VEC_GP, 0);
    }
    if (!slot_is_there(s, ss) || ss->rpl != cs->rpl || !is_writable(ss) || ss->dpl != cs->rpl)
        return fault(VEC_GP, selector_error(ss));
    return ss->present ? ALLOWED : fault(VEC_SS, selector_error(ss));
}

struct verdict model_return(const struct sys *s, bool iret, const struct slot *cs,
                            const struct slot *ss, uint64_t off)
{
    if (cs->where == IS_NULL)
        return fault(VEC_GP, 0);
    if (!slot_is_there(s, cs) || !is_code(cs) || cs->rpl < s->level ||
        (is_conforming(cs) ? cs->dpl > cs->rpl : cs->dpl != cs->rpl))
        return fault(VEC_GP, selector_error(cs));
    if (is_lma(s) && cs->is_long && cs->big)
        return fault(VEC_GP, selector_error(cs));
    if (!cs->present)
        return fault(VEC_NP, selector_error(cs));
    if (cs->rpl != s->level || (iret && s->mode == SYS_LONG)) {
        struct verdict v = return_stack(s, cs, ss);
        if (v.faults)
            return v;
    }
    return target_offset(s, cs, off);
}

/* -- Interrupts -------------------------------------------------------------------------------- */

static bool is_interrupt_gate(const struct sys *s, unsigned type)
{
    return type == T_INT32 || type == T_TRAP32 ||
           (!is_lma(s) && (type == T_INT16 || type == T_TRAP16));
}

struct verdict model_interrupt(const struct sys *s, const struct gate_case *g, unsigned *level)
{
    unsigned ext = g->soft ? 0 : 1;
    int64_t err = g->vector * 8 + 2 + ext;

    *level = s->level;
    if (!is_interrupt_gate(s, g->gate->type) || (g->soft && g->gate->dpl < s->level))
        return fault(VEC_GP, err);
    if (!g->gate->present)
        return fault(VEC_NP, err);
    struct verdict v = gate_code(s, g->target, ext);
    if (v.faults)
        return v;
    bool conforming = is_conforming(g->target);
    if (s->mode == SYS_V86 && (conforming || g->target->dpl != 0))
        return fault(VEC_GP, selector_error(g->target) | ext);
    *level = conforming ? s->level : g->target->dpl;
    v = target_offset(s, g->target, g->off);
    if (v.faults)
        v.err |= ext;
    return v;
}

/* -- Tasks ------------------------------------------------------------------------------------- */

static struct verdict task_code(const struct sys *s, const struct slot *x)
{
    if (!slot_is_there(s, x) || !is_code(x) ||
        (is_conforming(x) ? x->dpl > x->rpl : x->dpl != x->rpl))
        return fault(VEC_TS, selector_error(x));
    return x->present ? ALLOWED : fault(VEC_NP, selector_error(x));
}

static struct verdict task_stack(const struct sys *s, const struct slot *x, unsigned level)
{
    if (!slot_is_there(s, x) || !is_writable(x) || x->dpl != level || x->rpl != level)
        return fault(VEC_TS, selector_error(x));
    return x->present ? ALLOWED : fault(VEC_SS, selector_error(x));
}

static struct verdict task_data(const struct sys *s, const struct slot *x, unsigned level)
{
    if (x->where == IS_NULL)
        return ALLOWED;
    if (!slot_is_there(s, x) || !is_readable(x) ||
        (!is_conforming(x) && (x->dpl < level || x->dpl < x->rpl)))
        return fault(VEC_TS, selector_error(x));
    return x->present ? ALLOWED : fault(VEC_NP, selector_error(x));
}

struct verdict model_task(const struct sys *s, const struct slot *code, const struct slot *stack,
                          const struct slot *data, unsigned *faults)
{
    const struct verdict all[] = {task_code(s, code), task_stack(s, stack, code->rpl),
                                  task_data(s, data, code->rpl)};
    struct verdict v = ALLOWED;

    *faults = 0;
    for (unsigned k = 0; k < ROWS(all); k++)
        if (all[k].faults) {
            v = all[k];
            ++*faults;
        }
    return v;
}
