/* SPDX-License-Identifier: MIT */
/* A board without a processor, driven by the fuzzer's bytes: port and MMIO accesses at all widths,
 * time, interrupt acknowledge, reset. Includes fake_cpu.h, which says what to link. */
#ifndef TESTS_FUZZ_TRAFFIC_H
#define TESTS_FUZZ_TRAFFIC_H

#include "tests/fuzz/input.h"
#include "tests/unit/fake_cpu.h"

#define TRAFFIC_RAM (UINT64_C(1) << 20)

/* The PC with all its chips, and its clock stopped. */
struct vm *traffic_vm(void);
/* The same with a configuration's drives, networks and cards. */
struct vm *traffic_vm_with(struct vm_config cfg);

/* Until the input ends. */
void traffic_run(struct vm *vm, struct input *in);

/* What `op` says, or one of its neighbours, of eight kinds. */
void traffic_step(struct vm *vm, unsigned op, struct input *in);

/* Virtual time goes on. */
void traffic_wait(struct vm *vm, uint64_t ns);

/* One access to physical memory, of the width and direction that `op` says. */
void traffic_phys(struct vm *vm, uint64_t pa, unsigned op, struct input *in);

/* All devices' states one after the other, in memory that the caller frees. */
uint8_t *traffic_save(struct vm *vm, size_t *bytes);
void traffic_load(struct vm *vm, const uint8_t *state);

#endif
