/* SPDX-License-Identifier: MIT */
/* The registers of a state by name, and the rows of a sequence: see diff.h. */
#include <string.h>

#include "cpu/mem.h"
#include "tests/diff/diff.h"

#define FIELD(name, member, plain)                                                                 \
    {                                                                                              \
        name, offsetof(struct state, member), sizeof(((struct state *)0)->member), plain           \
    }
#define ST(n)  FIELD("st" #n, fx.st[n].man, 0), FIELD("st" #n ".se", fx.st[n].se, 0)
#define XMM(n) FIELD("xmm" #n ".lo", fx.xmm[n][0], 0), FIELD("xmm" #n ".hi", fx.xmm[n][1], 0)

const struct diff_field diff_fields[] = {
    FIELD("rax", r[0], 0),
    FIELD("rcx", r[1], 0),
    FIELD("rdx", r[2], 0),
    FIELD("rbx", r[3], 0),
    FIELD("rsp", r[4], 0),
    FIELD("rbp", r[5], 0),
    FIELD("rsi", r[6], 0),
    FIELD("rdi", r[7], 0),
    FIELD("r8", r[8], 0),
    FIELD("r9", r[9], 0),
    FIELD("r10", r[10], 0),
    FIELD("r11", r[11], 0),
    FIELD("r12", r[12], 0),
    FIELD("r13", r[13], 0),
    FIELD("r14", r[14], 0),
    FIELD("r15", r[15], 0),
    FIELD("eflags", eflags, EFL_FIXED | EFL_IF),
    FIELD("mxcsr", fx.mxcsr, 0x1f80),
    FIELD("fcw", fx.fcw, 0x37f),
    FIELD("fsw", fx.fsw, 0),
    FIELD("ftw", fx.ftw, 0),
    ST(0),
    ST(1),
    ST(2),
    ST(3),
    ST(4),
    ST(5),
    ST(6),
    ST(7),
    XMM(0),
    XMM(1),
    XMM(2),
    XMM(3),
    XMM(4),
    XMM(5),
    XMM(6),
    XMM(7),
    XMM(8),
    XMM(9),
    XMM(10),
    XMM(11),
    XMM(12),
    XMM(13),
    XMM(14),
    XMM(15),
    FIELD("es", seg.sel[SEG_ES], 0),
    FIELD("cs", seg.sel[SEG_CS], 0),
    FIELD("ss", seg.sel[SEG_SS], 0),
    FIELD("ds", seg.sel[SEG_DS], 0),
    FIELD("fs", seg.sel[SEG_FS], 0),
    FIELD("gs", seg.sel[SEG_GS], 0),
    FIELD("fs.base", seg.fs_base, 0),
    FIELD("gs.base", seg.gs_base, 0),
    FIELD("rip", rip, 0),
    FIELD("vector", vec, 0),
    FIELD("error", err, 0),
    FIELD("cr2", cr2, 0),
};
const unsigned diff_field_count = sizeof(diff_fields) / sizeof(diff_fields[0]);
const unsigned diff_field_results = sizeof(diff_fields) / sizeof(diff_fields[0]) - 4;

/* ORDER guest_system */
const char *const diff_system_names[GUEST_SYSTEMS] = {"long",    "paged", "kernel",
                                                      "unpaged", "real",  "v86"};

void diff_plain_state(enum code_size size, struct state *s)
{
    memset(s, 0, sizeof(*s));
    gen_segments(size, &s->seg);
    for (unsigned k = 0; k < diff_field_count; k++)
        if (diff_fields[k].plain != 0)
            diff_set(s, &diff_fields[k], diff_fields[k].plain);
}

/* Values are kept as the processor would. */
uint64_t diff_get(const struct state *s, const struct diff_field *f)
{
    return host_load((const uint8_t *)s + f->offset, f->size);
}

void diff_set(struct state *s, const struct diff_field *f, uint64_t v)
{
    host_store((uint8_t *)s + f->offset, f->size, v);
}

bool diff_find_rows(struct cpu *decoder, struct sequence *q)
{
    struct insn i;

    guest_set_mode(decoder, q->size);
    q->count = 0;
    q->undefined = 0;
    for (unsigned at = 0; at < q->len; at += i.len) {
        if (q->code[at] == 0xcc || decode(decoder, &i, q->code + at, q->len - at) != DECODE_OK) {
            i.len = 1; /* a breakpoint, or no instruction */
            continue;
        }
        if (q->count == INSN_MAX || gen_reads_undefined(&optab[i.op], q->undefined))
            return false;
        q->insn[q->count].row = i.op;
        q->insn[q->count].at = (uint8_t)at;
        q->insn[q->count].len = i.len;
        q->count++;
        q->undefined = gen_undefined(&optab[i.op], q->undefined);
    }
    return true;
}
