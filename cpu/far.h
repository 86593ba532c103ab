/* SPDX-License-Identifier: MIT */
/* Far transfers of control: JMP, CALL, RET, IRET (SDM 2A and 2B, operation sections). */
#ifndef CPU_FAR_H
#define CPU_FAR_H

#include "cpu/segment.h"

/* w is the operand size (1 to 3). r[RIP] is behind the instruction on entry and the target on
 * success; false: a fault is recorded and nothing has changed. */
bool far_jump(struct cpu *c, unsigned w, uint16_t sel, uint64_t off);
bool far_call(struct cpu *c, unsigned w, uint16_t sel, uint64_t off);
/* `drop` bytes of parameters are released. */
bool far_return(struct cpu *c, unsigned w, unsigned drop);
/* With EFLAGS in *flags, before and, for the caller to set, after it. */
bool far_iret(struct cpu *c, unsigned w, uint32_t *flags);

/* -- For these and for task.c and exception.c -------------------------------------------------- */

/* Is `off` a possible instruction address in a code segment? Else #GP(0). */
bool far_check_target(struct cpu *c, const struct desc *d, uint64_t off);

/* A code segment that a gate leads to: a code segment, at most as privileged as `cpl` allows,
 * present, 64-bit in long mode. Errors #GP(sel), #NP(sel). */
bool far_check_gate_code(struct cpu *c, uint16_t sel, struct desc *d);

/* Enter a code segment: RPL of CS becomes cpl. cpu_update_mode() is left to the caller. */
void far_commit_code(struct cpu *c, uint16_t sel, const struct desc *d, unsigned cpl, uint64_t rip);

/* A return frame on the current stack: RET and IRET differ in what lies between CS and rSP. */
struct far_frame {
    uint64_t rip;
    uint16_t cs;
    unsigned size;   /* bytes up to where the outer rSP and SS lie, parameters included */
    unsigned drop;   /* bytes of parameters to release on the outer stack too */
    bool pops_stack; /* rSP and SS are popped even at the same level: IRET in 64-bit mode */
};

/* Return in protected or long mode to the same or an outer level. Flags are the caller's business.
 */
bool far_return_protected(struct cpu *c, unsigned w, const struct far_frame *f);

#endif
