/* SPDX-License-Identifier: MIT */
/* The processor's registers at the monitor: all of them, and by name in expressions. */
#include <inttypes.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/flags.h"
#include "frontend/monitor.h"
#include "vmm/vm.h"

static const char *const general[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const segments[] = {"es", "cs", "ss", "ds", "fs", "gs"};

/* -- By name ----------------------------------------------------------------------------------- */

struct wanted {
    const char *name;
    size_t len;
    bool found;
    uint64_t value;
};

static bool is(const struct wanted *w, const char *name)
{
    return strlen(name) == w->len && strncmp(name, w->name, w->len) == 0;
}

static void found(struct wanted *w, uint64_t value)
{
    w->found = true;
    w->value = value;
}

static void find_general(struct wanted *w, const struct cpu *c)
{
    for (unsigned n = RAX; n <= R15; n++) {
        if (is(w, general[n]))
            found(w, c->r[n]);
        else if (n < R8 && w->len == 3 && w->name[0] == 'e' &&
                 strncmp(w->name + 1, general[n] + 1, 2) == 0)
            found(w, (uint32_t)c->r[n]);
    }
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        if (is(w, segments[n]))
            found(w, c->seg[n].sel);
    }
}

static void find_register(void *arg, struct vm *vm, struct cpu *c)
{
    struct wanted *w = arg;
    const struct {
        const char *name;
        uint64_t value;
    } others[] = {
        {"rip", c->r[RIP]}, {"eip", (uint32_t)c->r[RIP]},
        {"pc", c->r[RIP]},  {"eflags", eflags_get(c)},
        {"cr0", c->cr0},    {"cr2", c->cr2},
        {"cr3", c->cr3},    {"cr4", c->cr4},
        {"efer", c->efer},
    };

    (void)vm;
    find_general(w, c);
    for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++) {
        if (is(w, others[k].name))
            found(w, others[k].value);
    }
}

bool monitor_register(struct session *s, const char *name, size_t len, uint64_t *value)
{
    struct wanted w = {.name = name, .len = len};

    vm_inspect(s->vm, find_register, &w);
    *value = w.value;
    return w.found;
}

/* -- All --------------------------------------------------------------------------------------- */

static void say_general(struct session *s, const struct cpu *c)
{
    /* in the order in which people look for them */
    static const uint8_t order[] = {RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP,
                                    R8,  R9,  R10, R11, R12, R13, R14, R15};
    bool wide = (c->mode & MODE_LMA) != 0;

    for (unsigned k = 0; k < (wide ? 16u : 8u); k++) {
        const char *n = general[order[k]];
        char name[4] = {n[0] == 'r' && !wide ? 'E' : 'R', n[1], n[2], '\0'};

        for (unsigned i = 1; i < 3; i++)
            name[i] = (char)(name[i] >= 'a' ? name[i] - 'a' + 'A' : name[i]);
        say(s, "%-3s=%0*" PRIx64 "%c", name, wide ? 16 : 8, c->r[order[k]],
            k % 4 == 3 ? '\n' : ' ');
    }
}

static void say_flags(struct session *s, const struct cpu *c)
{
    static const struct {
        uint32_t bit;
        char letter;
    } flags[] = {{EFL_DF, 'D'}, {EFL_OF, 'O'}, {EFL_SF, 'S'}, {EFL_ZF, 'Z'},
                 {EFL_AF, 'A'}, {EFL_PF, 'P'}, {EFL_CF, 'C'}};
    bool wide = (c->mode & MODE_LMA) != 0;
    uint32_t eflags = eflags_get(c);
    char text[8] = "-------";

    for (unsigned k = 0; k < 7; k++)
        text[k] = eflags & flags[k].bit ? flags[k].letter : '-';
    say(s, "%cIP=%0*" PRIx64 " %s=%08x [%s] CPL=%u II=%d A20=%d SMM=0 HLT=%d\n", wide ? 'R' : 'E',
        wide ? 16 : 8, c->r[RIP], wide ? "RFL" : "EFL", eflags, text, c->cpl, c->shadow, c->a20,
        c->halted);
}

static void say_segment(struct session *s, const struct cpu *c, const char *name,
                        const struct seg *seg)
{
    int digits = c->mode & MODE_LMA ? 16 : 8;

    say(s, "%-3s=%04x %0*" PRIx64 " %08x %04x DPL=%u%s\n", name, seg->sel, digits, seg->base,
        seg->limit, seg->attr, seg->attr >> SEG_DPL_SHIFT & 3, seg->usable ? "" : " unusable");
}

static void say_system(struct session *s, const struct cpu *c)
{
    int digits = c->mode & MODE_LMA ? 16 : 8;

    say(s, "GDT=     %0*" PRIx64 " %08x\n", digits, c->gdt.base, c->gdt.limit);
    say(s, "IDT=     %0*" PRIx64 " %08x\n", digits, c->idt.base, c->idt.limit);
    say(s, "CR0=%08" PRIx64 " CR2=%0*" PRIx64 " CR3=%0*" PRIx64 " CR4=%08" PRIx64 "\n", c->cr0,
        digits, c->cr2, digits, c->cr3, c->cr4);
    for (unsigned n = 0; n < 4; n++)
        say(s, "DR%u=%016" PRIx64 " ", n, c->dr[n]);
    say(s, "\nDR6=%016" PRIx64 " DR7=%016" PRIx64 "\nEFER=%016" PRIx64 "\n", c->dr[6], c->dr[7],
        c->efer);
}

static void say_vectors(struct session *s, const struct cpu *c)
{
    say(s, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n", c->fpu.cw,
        (c->fpu.sw & ~0x3800u) | (unsigned)c->fpu.top << 11, c->fpu.top, c->fpu.valid ^ 0xff,
        c->fpu.mxcsr);
    for (unsigned n = 0; n < (c->mode & MODE_LMA ? 16u : 8u); n++)
        say(s, "XMM%02u=%016" PRIx64 "%016" PRIx64 "%c", n, c->fpu.xmm[n].q[1], c->fpu.xmm[n].q[0],
            n % 2 == 1 ? '\n' : ' ');
}

static void say_registers(void *arg, struct vm *vm, struct cpu *c)
{
    static const char *const upper[] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    struct session *s = arg;

    (void)vm;
    say_general(s, c);
    say_flags(s, c);
    for (unsigned n = 0; n < SEG_COUNT; n++)
        say_segment(s, c, upper[n], &c->seg[n]);
    say_segment(s, c, "LDT", &c->ldtr);
    say_segment(s, c, "TR", &c->tr);
    say_system(s, c);
    say_vectors(s, c);
}

void monitor_registers(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    vm_inspect(s->vm, say_registers, s);
}
