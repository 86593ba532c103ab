/* SPDX-License-Identifier: MIT */
/* Stands in for cpu/ where a test needs a machine but no processor: a test plays the guest itself,
 * in a function that is called from cpu_run(). */
#ifndef TESTS_FAKE_CPU_H
#define TESTS_FAKE_CPU_H

#include "cpu/cpu.h"
#include "vmm/vm.h"

/* What cpu_run() does while ATT_EXIT is clear; NULL: the guest has halted with interrupts enabled.
 */
extern enum cpu_exit (*fake_guest)(struct cpu *c);

/* What the machine told the processor. */
struct fake_cpu_log {
    unsigned resets, tlb_flushes, code_writes, write_ends;
    const uint8_t *writes_begin, *writes_end; /* of the last cpu_end_direct_writes() */
    uint64_t code_pa, code_n;                 /* of the last cpu_code_written() */
    atomic_bool a20;
};
extern struct fake_cpu_log fake_cpu;

/* A VM of 64 MiB without chardevs; aborts on failure. */
struct vm *fake_vm(const struct board *board);
/* The same with a configuration of one's own (0 in ram_bytes and cpus: as above). */
struct vm *fake_vm_with(const struct vm_config *cfg, const struct board *board);

/* The VM's processor. */
struct cpu *fake_cpu_of(struct vm *vm);

#endif
