/* SPDX-License-Identifier: MIT */
/* Stands in for vmm/ where a test needs a processor but no machine: RAM from address 0, ports that
 * remember what was written, no interrupt controller but a vector to hand out. */
#ifndef TESTS_FAKE_MACHINE_H
#define TESTS_FAKE_MACHINE_H

#include "cpu/cpu.h"

#define FAKE_RAM_BYTES (4u << 20)

struct fake_machine {
    struct cpu cpu; /* first: the callbacks find the machine from it */
    uint8_t *ram;
    uint8_t *spread; /* of fake_machine_spread(): what the processor is given instead, or NULL */
    int ram_fd;
    bool dirty[FAKE_RAM_BYTES >> 12]; /* pages that the processor may have written */
    uint32_t port_value;              /* what port_in() gives */
    uint16_t last_port;               /* of the last port_out() */
    uint32_t last_port_out;
    unsigned port_writes;
    uint16_t intr_port; /* even; a vector written there waits to be handed out; at the next one: an
                           NMI */
    bool ferr, ignne;   /* pins */
    bool frozen;        /* memory_freeze() */
    uint64_t deadline;  /* of apic_deadline_write() */
    int pending_vector; /* what intr_ack() gives, once; -1: none */
    uint64_t tsc;
    uint64_t apic_base; /* IA32_APIC_BASE */
    /* With LOG_EXEC in cpu.log_items cpu_run() returns after so many blocks, after so many accesses
     * outside of RAM (a repeated instruction may have very many), and after a block of which this
     * says no when it begins; NULL: yes. */
    unsigned blocks_left, strays_left;
    bool (*may_go_on)(struct fake_machine *m);
};

/* A machine with a reset processor of this model (NULL: default). Aborts on failure. */
struct fake_machine *fake_machine_create(const char *model);
void fake_machine_free(struct fake_machine *m);

/* Keep the RAM in a memory object as the translator wants it (jit/jit.h): page n is at n * 8 KiB,
 * of the object and of `spread`. Before anything has run. */
void fake_machine_spread(struct fake_machine *m);

/* Flat protected mode, CPL 0, paging off, interrupts off; 32-bit code, or 64-bit code with an
 * identity mapping of the RAM by 2 MiB pages (tables in the last 64 KiB of RAM). RIP is `entry`,
 * the stack ends at `stack`. */
void fake_machine_enter32(struct fake_machine *m, uint32_t entry, uint32_t stack);
void fake_machine_enter64(struct fake_machine *m, uint64_t entry, uint64_t stack);

#endif
