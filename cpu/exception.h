/* SPDX-License-Identifier: MIT */
/* Delivery of exceptions and interrupts, and debug events (SDM 3A chapters 6 and 17). */
#ifndef CPU_EXCEPTION_H
#define CPU_EXCEPTION_H

#include "cpu/cpu.h"

/* Deliver the fault in c->exc; r[REG_RIP] is the start of the faulting instruction. Faults of the delivery
 * itself become #DF by the SDM's rules (table 6-5). False: triple fault, the processor shuts down. */
bool exception_deliver(struct cpu *c);

/* Deliver an external interrupt between instructions (r[REG_RIP] is the next one). False: shutdown. */
bool interrupt_deliver(struct cpu *c, uint8_t vec);
bool nmi_deliver(struct cpu *c);

/* Deliver #DB as a trap for the conditions in c->db_pending (DR6 bits), and clear it. False: shutdown. */
bool debug_trap_deliver(struct cpu *c);

/* INT n, INT3, INTO: to be called from their handlers; r[REG_RIP] is already the return address. False: an
 * exception is recorded and nothing has changed. */
bool software_interrupt(struct cpu *c, uint8_t vec);

/* Does a code breakpoint match at CS:RIP (RF clear)? True: #DB fault recorded in c->exc with DR6 set. */
bool debug_code_breakpoint(struct cpu *c);

/* Does an enabled data breakpoint touch this linear page? Such pages stay out of the translation cache. */
bool debug_page_watched(const struct cpu *c, uint64_t la_page);

/* A data access has been made at a linear address: notes matching data breakpoints in c->db_pending and
 * stops the running block. Cheap where none is enabled. */
void debug_data_access(struct cpu *c, uint64_t la, unsigned n, bool write);

/* The same for an I/O breakpoint (CR4.DE). */
void debug_port_access(struct cpu *c, uint16_t port, unsigned n);

/* Registers to the log, as -d cpu shows them. */
void cpu_log_registers(struct cpu *c);

#endif
