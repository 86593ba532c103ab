/* SPDX-License-Identifier: MIT */
/* The descriptors that the selectors of a sequence lead to: an LDT of the test's own, which the
 * host's kernel installs and the guest has in its memory, and a GDT as Linux has it. */
#ifndef TESTS_DIFF_INSN_SEGS_H
#define TESTS_DIFF_INSN_SEGS_H

#include <stdbool.h>
#include <stdint.h>

/* Linux' selectors. */
#define KERNEL_CS 0x10u
#define KERNEL_DS 0x18u
#define USER32_CS 0x23u
#define USER_DS   0x2bu
#define USER_CS   0x33u
#define TSS_SEL   0x40u
#define LDT_SEL   0x50u
#define CPU_SEL   0x78u /* its limit is the number of the host's processor: not to be looked at */

/* Of type CODE unless it says otherwise; modify_ldt() makes nothing but these. */
enum { LDT_DOWN = 4, LDT_CODE_TYPE = 8, LDT_CONFORMING = 12 }; /* bits 2 and 3 of the type */

struct ldt_entry {
    uint32_t base, limit; /* in pages if so */
    uint8_t type;         /* 0: data, or LDT_* */
    bool only;            /* read-only data, execute-only code */
    bool big, pages, absent;
};

extern const struct ldt_entry ldt_entries[];
extern const unsigned ldt_count; /* an entry more is empty, and the table ends */

/* The selectors of the segments that 16-bit code starts in. */
#define LDT_CODE 0x07u
#define LDT_DATA 0x0fu

/* Descriptors as the processor has them; code and data of level dpl. */
uint64_t ldt_descriptor(unsigned entry, unsigned dpl);
#define GDT_COUNT 16u
/* wide: code of KERNEL_CS is 64-bit code. */
uint64_t gdt_descriptor(unsigned entry, bool wide);

/* Base of what a selector leads to, if it does. */
uint32_t segment_base(uint16_t sel);

#endif
