/* SPDX-License-Identifier: MIT */
/* Writing ACPI Machine Language, one function per term (ACPI 6.4, chapter 20). Terms that hold
 * others are opened, which gives a mark, and closed with aml_end(). Names are written as in ASL:
 * "\\_SB.PCI0",
 * "_HID"; short segments are padded. */
#ifndef DEVICES_AML_H
#define DEVICES_AML_H

#include "devices/blob.h"

enum aml_op {
    AML_LOCAL0 = 0x60,
    AML_ARG0 = 0x68,
    AML_STORE = 0x70,              /* source, target */
    AML_OR = 0x7d,                 /* a, b, target */
    AML_CREATE_DWORD_FIELD = 0x8a, /* buffer, index, name */
    AML_LLESS = 0x95,              /* a, b */
    AML_RETURN = 0xa4,
};

enum aml_space { AML_SYSTEM_MEMORY, AML_SYSTEM_IO, AML_PCI_CONFIG };

void aml_op(struct blob *b, enum aml_op op);
void aml_path(struct blob *b, const char *name);
void aml_int(struct blob *b, uint64_t val);
void aml_string(struct blob *b, const char *text);
/* "PNP0A03" as the number that _HID and _CID hold. */
void aml_eisaid(struct blob *b, const char *id);

/* Name (name, ...): the object follows. */
void aml_name(struct blob *b, const char *name);
void aml_name_int(struct blob *b, const char *name, uint64_t val);
void aml_name_eisaid(struct blob *b, const char *name, const char *id);

/* Terms with contents. */
size_t aml_scope(struct blob *b, const char *name);
size_t aml_device(struct blob *b, const char *name);
size_t aml_method(struct blob *b, const char *name, unsigned args);
size_t aml_if(struct blob *b); /* the condition comes first */
size_t aml_package(struct blob *b, uint8_t elements);
void aml_end(struct blob *b, size_t mark);

void aml_region(struct blob *b, const char *name, enum aml_space space, uint32_t base, uint8_t len);
/* Fields of whole bytes, byte access; names follow one another from offset 0. */
void aml_byte_fields(struct blob *b, const char *region, const char *const names[], unsigned n);

/* A resource template: descriptors between these two (ACPI 6.4, 6.4). */
struct aml_template {
    size_t mark, size_at, start;
};

struct aml_template aml_template(struct blob *b);
void aml_template_end(struct blob *b, const struct aml_template *t);

void aml_res_io(struct blob *b, uint16_t first, uint8_t len);
void aml_res_irq(struct blob *b, unsigned irq);  /* ISA: edge, exclusive */
void aml_res_dma(struct blob *b, unsigned chan); /* ISA, of bytes */
/* Extended interrupt descriptor: consumer, level, active high, shared. */
void aml_res_interrupts(struct blob *b, const uint32_t *irqs, uint8_t n);
void aml_res_memory(struct blob *b, uint32_t base, uint32_t len, bool writable);
/* Windows of a bridge. */
void aml_res_window_bus(struct blob *b, uint16_t first, uint16_t last);
void aml_res_window_io(struct blob *b, uint16_t first, uint16_t last);
void aml_res_window_memory(struct blob *b, uint32_t first, uint32_t last, bool cacheable);

#endif
