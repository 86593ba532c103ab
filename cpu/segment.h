/* SPDX-License-Identifier: MIT */
/* Segments: descriptors, loading of segment registers, checks of accesses (SDM 3A chapters 3 and
 * 5). */
#ifndef CPU_SEGMENT_H
#define CPU_SEGMENT_H

#include "cpu/cpu.h"

/* -- Accesses ---------------------------------------------------------------------------------- */

/* May n bytes at off be read or written through a segment register? Limit, type and null selector;
 * #SS(0) for SS, else #GP(0). Always true in 64-bit mode: canonical addresses are the caller's
 * business. */
bool seg_check(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, bool write);

/* Are n bytes at off inside the limit? With one of 4 GiB they wrap, as translated code's do and
 * processors' may (SDM 3A 5.3). */
bool seg_limit_allows(const struct seg *s, uint64_t off, unsigned n);

/* Recompute base, rd_end and wr_end from the descriptor and the mode. */
void seg_update(struct cpu *c, unsigned sreg);

/* -- Descriptors ------------------------------------------------------------------------------- */

struct desc {
    uint64_t raw;   /* the first 8 bytes */
    uint64_t base;  /* with bits 32-63 for system descriptors in long mode */
    uint64_t la;    /* where the descriptor is */
    uint32_t limit; /* in bytes */
    uint16_t attr;  /* as in struct seg */
};

enum desc_status {
    DESC_OK,
    DESC_NONE,  /* null, outside its table, or no LDT */
    DESC_FAULT, /* reading faulted: the exception is recorded */
};

/* Read the descriptor that a selector names. In long mode the upper half of system descriptors is
 * read too. */
enum desc_status desc_fetch(struct cpu *c, uint16_t sel, struct desc *d);

/* The same; DESC_NONE raises `vec` with the selector as error code. */
bool desc_read(struct cpu *c, uint16_t sel, unsigned vec, struct desc *d);

/* Set the accessed bit in memory (and in d) where it is clear. */
bool desc_set_accessed(struct cpu *c, struct desc *d);

/* Type and DPL of a descriptor */
static inline unsigned desc_type(const struct desc *d)
{
    return d->attr & (SEG_TYPE | SEG_S);
}
static inline unsigned desc_dpl(const struct desc *d)
{
    return (d->attr & SEG_DPL) >> SEG_DPL_SHIFT;
}
static inline bool desc_is_code(const struct desc *d)
{
    return (d->attr & (SEG_S | SEG_CODE)) == (SEG_S | SEG_CODE);
}
static inline bool desc_is_conforming(const struct desc *d)
{
    return (d->attr & SEG_EC) != 0;
}
static inline bool desc_is_writable_data(const struct desc *d)
{
    return (d->attr & (SEG_S | SEG_CODE | SEG_RW)) == (SEG_S | SEG_RW);
}
/* Data, or readable code */
static inline bool desc_is_readable(const struct desc *d)
{
    return d->attr & SEG_S && (d->attr & (SEG_CODE | SEG_RW)) != SEG_CODE;
}

/* System descriptor types */
enum {
    DESC_TSS16 = 1,
    DESC_LDT = 2,
    DESC_TSS16_BUSY = 3,
    DESC_CALL16 = 4,
    DESC_TASK = 5,
    DESC_INT16 = 6,
    DESC_TRAP16 = 7,
    DESC_TSS32 = 9,
    DESC_TSS32_BUSY = 11,
    DESC_CALL32 = 12,
    DESC_INT32 = 14,
    DESC_TRAP32 = 15,
};
#define DESC_BUSY 2u /* in a TSS descriptor's type */

static inline bool sel_is_null(uint16_t sel)
{
    return (sel & 0xfffc) == 0;
}
static inline uint16_t sel_error(uint16_t sel)
{
    return sel & 0xfffc;
}

/* -- Segment registers ------------------------------------------------------------------------- */

/* MOV, POP, LDS...: load ES, SS, DS, FS or GS (not CS) with all checks of the current mode. */
bool seg_load(struct cpu *c, unsigned sreg, uint16_t sel);

/* As real and virtual-8086 mode do: base is 16 * sel. */
void seg_load_real(struct cpu *c, unsigned sreg, uint16_t sel);
/* Virtual-8086 attributes and limit as well. */
void seg_load_v86(struct cpu *c, unsigned sreg, uint16_t sel);

/* Put a descriptor into a register, without checks. cpu_update_mode() is left to the caller. */
void seg_set(struct cpu *c, unsigned sreg, uint16_t sel, const struct desc *d);
/* The flat CS and SS of fast system calls, whatever the descriptor tables say. cpu_update_mode() is
 * left to the caller. */
void seg_set_flat(struct cpu *c, uint16_t cs, uint16_t ss, unsigned cpl, bool is64);
/* Null selector: unusable, DPL `dpl` (SS only: it is the CPL). */
void seg_set_null(struct cpu *c, unsigned sreg, uint16_t sel, unsigned dpl);
/* A segment value from a descriptor. */
struct seg seg_from_desc(uint16_t sel, const struct desc *d);

/* Checks of an SS selector for privilege level `cpl` (TSS stacks and returns): errors are `vec`,
 * #SS where not present. Not for null selectors. */
bool seg_check_stack(struct cpu *c, uint16_t sel, unsigned cpl, unsigned vec, struct desc *d);
/* Checks of a selector for DS, ES, FS or GS at privilege level `cpl`; not for null selectors. */
bool seg_check_data(struct cpu *c, uint16_t sel, unsigned cpl, unsigned vec, struct desc *d);

/* After a return to privilege level `cpl`: make null the data segments that are more privileged.
 * Unlike a load, that leaves the base alone (SDM 2A IRET changes only the selector; 64-bit code
 * sees the bases of FS and GS). */
void seg_drop_privileged(struct cpu *c, unsigned cpl);

/* LLDT and LTR. */
bool seg_load_ldtr(struct cpu *c, uint16_t sel, unsigned vec);
bool seg_load_tr(struct cpu *c, uint16_t sel);

/* Read bytes of the current TSS; outside its limit raises vec(TR selector). */
bool tss_read(struct cpu *c, unsigned off, unsigned n, unsigned vec, uint64_t *val);

#endif
