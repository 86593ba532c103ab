/* SPDX-License-Identifier: MIT */
/* What -d can show, as one list. */
#ifndef CPU_LOG_ITEMS_H
#define CPU_LOG_ITEMS_H

/* LOG_ITEM(constant, name, description) */
#define LOG_ITEMS(LOG_ITEM)                                                                        \
    LOG_ITEM(IN_ASM, "in_asm", "guest code of each block when it is first decoded")                \
    LOG_ITEM(EXEC, "exec", "each block that is executed (slow)")                                   \
    LOG_ITEM(CPU, "cpu", "registers before each executed block (slow)")                            \
    LOG_ITEM(INT, "int", "interrupts and exceptions as they are delivered")                        \
    LOG_ITEM(MMU, "mmu", "page faults and translation cache flushes")                              \
    LOG_ITEM(GUEST_ERROR, "guest_errors", "wrong things that the guest does to devices")           \
    LOG_ITEM(UNIMP, "unimp", "features that a guest asks for and we lack")                         \
    LOG_ITEM(IO, "io", "port and MMIO accesses")                                                   \
    LOG_ITEM(RESET, "cpu_reset", "resets")                                                         \
    LOG_ITEM(OUT_ASM, "out_asm", "-accel jit: guest instructions, their host code below")          \
    LOG_ITEM(JIT_STATS, "jit-stats", "what the translator did, at the end")                        \
    LOG_ITEM(LOCKSTEP, "lockstep", "-accel jit: stop where translated code errs (slow)")           \
    LOG_ITEM(LOCKSTEP_SOME, "lockstep-some", "the same, often-run code only now and then")         \
    LOG_ITEM(LOCKSTEP_LINKS, "lockstep-links", "the same, some blocks in a row now and then")

enum log_bit {
#define LOG_ITEM(id, name, desc) LOG_BIT_##id,
    LOG_ITEMS(LOG_ITEM)
#undef LOG_ITEM
};

enum log_item {
#define LOG_ITEM(id, name, desc) LOG_##id = 1u << LOG_BIT_##id,
    LOG_ITEMS(LOG_ITEM)
#undef LOG_ITEM
};

#define LOG_ANY_LOCKSTEP (LOG_LOCKSTEP | LOG_LOCKSTEP_SOME | LOG_LOCKSTEP_LINKS)

#endif
