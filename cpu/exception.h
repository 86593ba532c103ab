/* SPDX-License-Identifier: MIT */
/* Delivery of exceptions and interrupts (SDM 3A chapter 6) and debug exceptions (SDM 3B chapter
 * 17).
 *
 * The functions that deliver return false where the processor shuts down (triple fault): its state
 * is then that at the fault. Otherwise the processor is at the first instruction of the handler. A
 * fault during delivery leaves registers and segments as they were at the interrupted instruction,
 * and is itself delivered (or #DF in its place) before the function returns. */
#ifndef CPU_EXCEPTION_H
#define CPU_EXCEPTION_H

#include "cpu/cpu.h"

/* The exception in c->exc, or the wait that it stands for. For faults r[RIP] is the start of the
 * instruction. */
bool exception_deliver(struct cpu *c);

/* An external interrupt whose vector intr_ack() returned. The caller has checked IF and the shadow.
 */
bool interrupt_deliver(struct cpu *c, uint8_t vec);

/* NMI: also blocks further ones until IRET. */
bool nmi_deliver(struct cpu *c);

/* INT n, INT3, INTO, INT1, from their handlers; r[RIP] is behind the instruction. False: a
 * fault of the instruction is recorded, as from any handler. */
enum soft_kind {
    SOFT_INTN,
    SOFT_INT3_INTO,
    SOFT_INT1, /* not subject to the gate's DPL, EXT set */
};
bool soft_interrupt(struct cpu *c, uint8_t vec, enum soft_kind kind);

/* -- Debug registers (debug.c) ----------------------------------------------------------------- */

/* Does a code breakpoint match the instruction at CS:RIP? True: #DB is recorded, to be delivered as
 * a fault before the instruction runs. Honours RF. */
bool debug_code_breakpoint(struct cpu *c);

/* Deliver the #DB trap for what is in c->db_pending, and clear that. r[RIP] is the next
 * instruction's start. */
bool debug_trap_deliver(struct cpu *c);

/* Must accesses to this linear page take the slow path because of a data breakpoint? */
bool debug_page_watched(const struct cpu *c, uint64_t page);

/* Data or port access that has been made: match it against the breakpoints (sets c->db_pending). */
void debug_data_access(struct cpu *c, uint64_t la, unsigned n, bool write);
void debug_port_access(struct cpu *c, uint16_t port, unsigned n);

/* DR7 was written: recompute what depends on it. */
void debug_update(struct cpu *c);

/* Can any code breakpoint match? */
bool debug_has_code_breakpoints(const struct cpu *c);

/* Registers to the log, as -d cpu shows them. */
void cpu_log_registers(struct cpu *c);

#endif
