/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_cpu.h"

#include <stdio.h>
#include <stdlib.h>

#include "vmm/vmm_internal.h"

enum cpu_exit (*fake_guest)(struct cpu *c);
struct fake_cpu_log fake_cpu;

bool cpu_init(struct cpu *c, const char *model, char *err)
{
    (void)model, (void)err;
    cpu_reset(c);
    return true;
}

void cpu_free(struct cpu *c)
{
    (void)c;
}

void cpu_reset(struct cpu *c)
{
    fake_cpu.resets++;
    c->eflags = EFL_FIXED | EFL_IF;
    c->a20 = true;
}

void cpu_attend(struct cpu *c, unsigned set, unsigned clear)
{
    if (clear != 0)
        atomic_fetch_and(&c->attention, ~clear);
    if (set != 0)
        atomic_fetch_or(&c->attention, set);
}

void cpu_thread_end(void)
{
}

bool cpu_has_work(const struct cpu *c)
{
    return atomic_load(&c->attention) & (ATT_INTR | ATT_NMI);
}

enum cpu_exit cpu_run(struct cpu *c)
{
    while (!(atomic_load(&c->attention) & ATT_EXIT)) {
        enum cpu_exit why = fake_guest != NULL ? fake_guest(c) : CPU_EXIT_HALT;

        if (why != CPU_EXIT_ATTENTION)
            return why;
    }
    return CPU_EXIT_ATTENTION;
}

void cpu_flush_tlb(struct cpu *c)
{
    (void)c;
    fake_cpu.tlb_flushes++;
}

void cpu_end_direct_writes(struct cpu *c, const uint8_t *begin, const uint8_t *end)
{
    (void)c;
    fake_cpu.write_ends++;
    fake_cpu.writes_begin = begin;
    fake_cpu.writes_end = end;
}

void cpu_code_written(struct cpu *c, uint64_t pa, uint64_t n)
{
    (void)c;
    fake_cpu.code_writes++;
    fake_cpu.code_pa = pa;
    fake_cpu.code_n = n;
}

void cpu_set_a20(struct cpu *c, bool enabled)
{
    c->a20 = enabled;
    atomic_store(&fake_cpu.a20, enabled);
}

struct vm *fake_vm_with(const struct vm_config *cfg, const struct board *board)
{
    static const struct board_row no_rows[1];
    static const struct board empty = {.name = "empty", .rows = no_rows};
    struct vm_config c = *cfg;
    char err[VM_ERR_LEN];
    struct vm *vm;

    if (c.ram_bytes == 0)
        c.ram_bytes = UINT64_C(64) << 20;
    if (c.cpus == 0)
        c.cpus = 1;
    if (vm_create(&vm, &c, board != NULL ? board : &empty, err) != 0) {
        fprintf(stderr, "vm_create: %s\n", err);
        abort();
    }
    return vm;
}

struct vm *fake_vm(const struct board *board)
{
    return fake_vm_with(&(struct vm_config){0}, board);
}

struct cpu *fake_cpu_of(struct vm *vm)
{
    return &vm->cpu[0]->cpu;
}

void cpu_update_mode(struct cpu *c)
{
    (void)c;
}

/* No translator either. */
int jit_create(struct jit **out, struct cpu *c, const struct jit_ram *ram,
               const struct jit_config *cfg, char *err)
{
    (void)c, (void)ram, (void)cfg, (void)err;
    *out = NULL;
    return 0;
}

void jit_free(struct jit *j)
{
    (void)j;
}

int jit_thread_enter(struct jit *j)
{
    (void)j;
    return 0;
}

void jit_thread_leave(struct jit *j)
{
    (void)j;
}

int jit_perf_map(struct jit *j)
{
    (void)j;
    return 0;
}

bool jit_failed(const struct jit *j)
{
    (void)j;
    return false;
}
