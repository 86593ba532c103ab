/* SPDX-License-Identifier: MIT */
/* Host code for people to read: Capstone's text, and what the translator's own operands mean. */
#include <stdio.h>

#include "jit/x64/emit.h"

#ifdef CALQUE_CAPSTONE

#include <capstone/capstone.h>

#define NOTE_COLUMN 52

#define STRING(x)             #x
#define VERSION(major, minor) "Capstone " STRING(major) "." STRING(minor)

const char *backend_disassembler(void)
{
    return VERSION(CS_API_MAJOR, CS_API_MINOR);
}

/* -- What operands mean ------------------------------------------------------------------------ */

static const struct {
    uint64_t at;
    const char *name;
} cpu_fields[] = {
#define SCRATCH(word)                                                                              \
    {                                                                                              \
        offsetof(struct cpu, scratch) + 8 * (uint64_t)(word), #word                                \
    }
    SCRATCH(X_TABLE),
    SCRATCH(X_PAGE),
    SCRATCH(X_RESUME),
    SCRATCH(X_CPU),
    SCRATCH(X_FLAGS),
    SCRATCH(X_SITE),
    SCRATCH(X_CODE),
    SCRATCH(X_T0),
    SCRATCH(X_T1),
    SCRATCH(X_T2),
    SCRATCH(X_T3),
    SCRATCH(X_BIT16),
    SCRATCH(X_TAG),
    SCRATCH(X_CODEMAP),
    SCRATCH(X_SIZE),
    SCRATCH(X_SIZE + 1),
    SCRATCH(X_SIZE + 2),
    SCRATCH(X_SIZE + 3),
    SCRATCH(X_SIZE + 4),
    SCRATCH(X_GUEST_FP + FP_SSE),
    SCRATCH(X_GUEST_FP + FP_X87),
    SCRATCH(X_FP_ENTER + FP_SSE),
    SCRATCH(X_FP_ENTER + FP_X87),
    SCRATCH(X_LIMIT64K),
#undef SCRATCH
#define REGISTER(g)                                                                                \
    {                                                                                              \
        offsetof(struct cpu, r) + 8 * (uint64_t)(g), "the guest's " #g                             \
    }
    REGISTER(R9),
    REGISTER(R10),
    REGISTER(R11),
#undef REGISTER
#define BASE(s)                                                                                    \
    {                                                                                              \
        offsetof(struct cpu, seg) + SEG_##s * sizeof(struct seg) + offsetof(struct seg, base),     \
            #s "'s base"                                                                           \
    }
    BASE(ES),
    BASE(CS),
    BASE(SS),
    BASE(DS),
    BASE(FS),
    BASE(GS),
#undef BASE
    {offsetof(struct cpu, poll), "shall it stop?"},
    {offsetof(struct cpu, poll_mask), "where in the jump cache, if it is not to stop?"},
};

static const char *field_name(int64_t at)
{
    for (unsigned k = 0; k < sizeof(cpu_fields) / sizeof(cpu_fields[0]); k++)
        if ((uint64_t)at == cpu_fields[k].at)
            return cpu_fields[k].name;
    return "struct cpu";
}

static const char *table_name(int64_t at)
{
    static const char *const tables[SHADOW_TABLES] = {
        [TABLE_READ] = "read table",
        [TABLE_WRITE] = "write table",
        [TABLE_BESIDE] = "table for writes beside code",
    };

    return at < (int64_t)JUMP_OFFSET ? tables[at / (int64_t)SHADOW_OFFSET(1)] : "jump cache";
}

static const char *memory_name(const x86_op_mem *m)
{
    if (m->segment == X86_REG_GS)
        return field_name(m->disp);
    return m->base == X86_REG_RSP ? table_name(m->disp) : "";
}

/* Code that all blocks use. */
static const char *stub_name(const struct jit *j, const uint8_t *at)
{
    const struct stubs *s = &j->backend->stubs;

    for (unsigned is64 = 0; is64 < 2; is64++) {
        if (at == s->call[is64])
            return "interpret this one";
        if (at == s->exit[is64][0])
            return "leave by exit X_SITE";
        if (at == s->exit[is64][1])
            return "leave: this code is dead";
    }
    return at == s->leave ? "leave" : "";
}

static const char *immediate_name(const struct jit *j, const struct code *x, uint64_t v)
{
    if (v == (uint64_t)(uintptr_t)x)
        return "this block's struct code";
    return stub_name(j, (const uint8_t *)(uintptr_t)v);
}

/* Is this the jump of a way out, which is patched when its target is translated? */
static const char *exit_name(const struct code *x, const uint8_t *end)
{
    static const char *const names[MAX_EXITS] = {"exit 0, to be linked", "exit 1, to be linked",
                                                 "exit 2, to be linked"};

    for (unsigned k = 0; k < x->nexits; k++)
        if (x->exit[k].patch == end - 4)
            return names[k];
    return "";
}

static const char *note(const struct jit *j, const struct code *x, const uint8_t *p,
                        const cs_insn *i)
{
    const char *name = exit_name(x, p + i->size);

    if (i->id == X86_INS_SHRX || i->id == X86_INS_PEXT)
        return "its page";
    for (unsigned k = 0; k < i->detail->x86.op_count && *name == '\0'; k++) {
        const cs_x86_op *op = &i->detail->x86.operands[k];
        if (op->type == X86_OP_MEM)
            name = memory_name(&op->mem);
        else if (op->type == X86_OP_IMM)
            name = immediate_name(j, x, (uint64_t)op->imm);
    }
    return name;
}

/* Capstone's handle, made when it is first needed; 0: none. */
static csh handle(struct backend *be)
{
    csh h;

    if (be->disassembler == 0 && cs_open(CS_ARCH_X86, CS_MODE_64, &h) == CS_ERR_OK) {
        cs_option(h, CS_OPT_DETAIL, CS_OPT_ON);
        be->disassembler = h;
    }
    return be->disassembler;
}

void text_close(struct backend *be)
{
    if (be->disassembler != 0)
        cs_close(&be->disassembler);
}

unsigned backend_text(const struct jit *j, const struct code *x, const uint8_t *p, unsigned n,
                      char text[HOST_TEXT])
{
    cs_insn *i = NULL;
    uint64_t at = (uint64_t)(uintptr_t)(p + j->to_exec);
    unsigned len;
    int width;

    if (cs_disasm(handle(j->backend), p, n, at, 1, &i) != 1) {
        snprintf(text, HOST_TEXT, "(bad) %02x", *p);
        return 1;
    }
    const char *name = note(j, x, p, i);
    width =
        snprintf(text, HOST_TEXT, "%s%s%s", i->mnemonic, *i->op_str != '\0' ? " " : "", i->op_str);
    if (*name != '\0' && width < HOST_TEXT)
        snprintf(text + width, HOST_TEXT - (unsigned)width, "%*s; %s",
                 width < NOTE_COLUMN ? NOTE_COLUMN - width : 1, "", name);
    len = i->size;
    cs_free(i, 1);
    return len;
}

#else

const char *backend_disassembler(void)
{
    return NULL;
}

void text_close(struct backend *be)
{
    (void)be;
}

/* Bytes are better than nothing. */
unsigned backend_text(const struct jit *j, const struct code *x, const uint8_t *p, unsigned n,
                      char text[HOST_TEXT])
{
    unsigned len = n < 16 ? n : 16;

    (void)j, (void)x;
    for (unsigned k = 0; k < len; k++)
        snprintf(text + 3 * k, HOST_TEXT - 3 * k, "%02x ", p[k]);
    return len;
}

#endif
