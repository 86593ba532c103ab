/* SPDX-License-Identifier: MIT */
/* The parts of the interpreter's side (insn_guest.c) that a test needs which runs sequences in its
 * own way. */
#ifndef TESTS_DIFF_INSN_GUEST_H
#define TESTS_DIFF_INSN_GUEST_H

#include "jit/jit.h"
#include "tests/diff/insn_diff.h"

/* Pages for a test's own system code and tables. */
#define SYSTEM_LA    UINT64_C(0x20080000)
#define SYSTEM_PAGES 2u

/* In real and virtual-8086 mode all is lower by this. */
#define LOW UINT64_C(0x20000000)
uint64_t guest_low(const struct cpu *c);

/* Map the code's second page, and the code once more at ALIAS_LA. */
void guest_map_more(struct cpu *c);

/* Map the system pages, for the supervisor only. */
void guest_map_system(struct cpu *c);
uint8_t *guest_system_page(struct cpu *c, unsigned n);

/* The table of all pages, 8 bytes each, by bits 12 to 20 of the linear address. */
uint8_t *guest_page_table(struct cpu *c);

const struct jit_ram *guest_ram(const struct cpu *c);

/* Unless it is there already. */
void guest_write_code(struct cpu *c, const struct sequence *q);
void guest_read_code(const struct cpu *c, uint8_t *pages);
void guest_write_data(struct cpu *c, const uint8_t *mem);
void guest_read_data(const struct cpu *c, uint8_t *mem);
bool guest_has_memory(const struct cpu *c, const uint8_t *mem, const uint8_t *code);

/* Registers but for how the sequence ended. */
void guest_load(struct cpu *c, const struct state *s);
void guest_save(const struct cpu *c, struct state *s);

/* Accesses since then where there is no memory, which without paging a repeated instruction may
 * have very many of: at STRAY_MAX the processor is stopped. */
#define STRAY_MAX 0x10000u
unsigned guest_stray(const struct cpu *c);

#endif
