/* SPDX-License-Identifier: MIT */
/* Hardware task switching (SDM 3A chapter 7). */
#ifndef CPU_TASK_H
#define CPU_TASK_H

#include "cpu/segment.h"

enum task_reason { TASK_JMP, TASK_CALL, TASK_IRET, TASK_INT };

enum task_result {
    TASK_DONE,
    TASK_FAULT,        /* before the switch: nothing has changed */
    TASK_FAULT_INSIDE, /* the new task is current, and its first act is the recorded fault */
};

/* Switch to the task of an available TSS (a busy one for TASK_IRET); the caller has checked the
 * descriptor's type, privilege and presence. TASK_INT with *err: push that error code in the new
 * task. */
enum task_result task_switch(struct cpu *c, uint16_t sel, struct desc *tss, enum task_reason reason,
                             const uint32_t *err);

/* Through a task gate whose privilege and presence have been checked. */
enum task_result task_gate(struct cpu *c, const struct desc *gate, enum task_reason reason,
                           const uint32_t *err);

/* What a handler returns after a switch: a fault inside the new task is kept for delivery before
 * its first instruction, because the interpreter would set RIP back. */
bool task_finish(struct cpu *c, enum task_result r);

#endif
