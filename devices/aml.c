/* SPDX-License-Identifier: MIT */
/* ACPI Machine Language (ACPI 6.4, chapters 20 and 6.4). The length in front of a term is inserted
 * when the term is closed, in as few bytes as it needs. */
#include "devices/aml.h"

#define NAME_OP       0x08
#define BYTE_PREFIX   0x0a
#define WORD_PREFIX   0x0b
#define DWORD_PREFIX  0x0c
#define STRING_PREFIX 0x0d
#define QWORD_PREFIX  0x0e
#define SCOPE_OP      0x10
#define BUFFER_OP     0x11
#define PACKAGE_OP    0x12
#define METHOD_OP     0x14
#define DUAL_NAME     0x2e
#define MULTI_NAME    0x2f
#define EXT_PREFIX    0x5b
#define REGION_OP     0x80 /* after EXT_PREFIX */
#define FIELD_OP      0x81
#define DEVICE_OP     0x82
#define IF_OP         0xa0

#define END_TAG 0x79

void aml_op(struct blob *b, enum aml_op op)
{
    blob_u8(b, (uint8_t)op);
}

/* One segment of a path, four characters; returns what follows its dot. */
static const char *segment(struct blob *b, const char *p)
{
    char seg[5] = "____";

    for (unsigned k = 0; k < 4 && *p != 0 && *p != '.'; k++)
        seg[k] = *p++;
    blob_bytes(b, seg, 4);
    return *p == '.' ? p + 1 : p;
}

void aml_path(struct blob *b, const char *name)
{
    uint8_t segments = 1;

    if (*name == '\\')
        blob_u8(b, (uint8_t)*name++);
    for (const char *p = name; *p != 0; p++)
        segments += *p == '.';
    if (segments == 2) {
        blob_u8(b, DUAL_NAME);
    } else if (segments > 2) {
        blob_u8(b, MULTI_NAME);
        blob_u8(b, segments);
    }
    while (segments-- > 0)
        name = segment(b, name);
}

void aml_int(struct blob *b, uint64_t val)
{
    if (val <= 1) {
        blob_u8(b, (uint8_t)val); /* ZeroOp, OneOp */
    } else if (val <= UINT8_MAX) {
        blob_u8(b, BYTE_PREFIX);
        blob_u8(b, (uint8_t)val);
    } else if (val <= UINT16_MAX) {
        blob_u8(b, WORD_PREFIX);
        blob_u16(b, (uint16_t)val);
    } else if (val <= UINT32_MAX) {
        blob_u8(b, DWORD_PREFIX);
        blob_u32(b, (uint32_t)val);
    } else {
        blob_u8(b, QWORD_PREFIX);
        blob_u64(b, val);
    }
}

void aml_string(struct blob *b, const char *text)
{
    blob_u8(b, STRING_PREFIX);
    blob_bytes(b, text, strlen(text) + 1);
}

static uint32_t hex_digit(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10) & 0xf;
}

/* Three letters of five bits, four digits of four, most significant byte first. */
void aml_eisaid(struct blob *b, const char *id)
{
    uint32_t val = 0;

    for (unsigned k = 0; k < 3; k++)
        val = val << 5 | ((uint32_t)id[k] & 0x1f);
    for (unsigned k = 3; k < 7; k++)
        val = val << 4 | hex_digit(id[k]);
    blob_u8(b, DWORD_PREFIX);
    blob_u32(b, __builtin_bswap32(val));
}

void aml_name(struct blob *b, const char *name)
{
    blob_u8(b, NAME_OP);
    aml_path(b, name);
}

void aml_name_int(struct blob *b, const char *name, uint64_t val)
{
    aml_name(b, name);
    aml_int(b, val);
}

void aml_name_eisaid(struct blob *b, const char *name, const char *id)
{
    aml_name(b, name);
    aml_eisaid(b, id);
}

/* -- Terms with contents ----------------------------------------------------------------------- */

size_t aml_scope(struct blob *b, const char *name)
{
    size_t mark;

    blob_u8(b, SCOPE_OP);
    mark = b->len;
    aml_path(b, name);
    return mark;
}

size_t aml_device(struct blob *b, const char *name)
{
    size_t mark;

    blob_u8(b, EXT_PREFIX);
    blob_u8(b, DEVICE_OP);
    mark = b->len;
    aml_path(b, name);
    return mark;
}

size_t aml_method(struct blob *b, const char *name, unsigned args)
{
    size_t mark;

    blob_u8(b, METHOD_OP);
    mark = b->len;
    aml_path(b, name);
    blob_u8(b, (uint8_t)(args | 0x08)); /* serialized: methods that name objects must be */
    return mark;
}

size_t aml_if(struct blob *b)
{
    blob_u8(b, IF_OP);
    return b->len;
}

size_t aml_package(struct blob *b, uint8_t elements)
{
    size_t mark;

    blob_u8(b, PACKAGE_OP);
    mark = b->len;
    blob_u8(b, elements);
    return mark;
}

/* The length counts its own bytes: one of up to 63, or a low nibble and one to three whole bytes.
 */
void aml_end(struct blob *b, size_t mark)
{
    size_t body = b->len - mark, total;
    unsigned extra = 0;
    uint8_t head[4];

    if (body + 1 > 0x3f) {
        for (extra = 1; body + 1 + extra >= (size_t)1 << (4 + 8 * extra); extra++)
            ;
    }
    total = body + 1 + extra;
    if (extra == 0) {
        head[0] = (uint8_t)total;
    } else {
        head[0] = (uint8_t)(extra << 6 | (total & 0xf));
        for (unsigned k = 0; k < extra; k++)
            head[1 + k] = (uint8_t)(total >> (4 + 8 * k));
    }
    if (blob_grow(b, 1 + extra) == NULL)
        return;
    memmove(b->data + mark + 1 + extra, b->data + mark, body);
    memcpy(b->data + mark, head, 1 + extra);
}

void aml_region(struct blob *b, const char *name, enum aml_space space, uint32_t base, uint8_t len)
{
    blob_u8(b, EXT_PREFIX);
    blob_u8(b, REGION_OP);
    aml_path(b, name);
    blob_u8(b, (uint8_t)space);
    aml_int(b, base);
    aml_int(b, len);
}

void aml_byte_fields(struct blob *b, const char *region, const char *const names[], unsigned n)
{
    size_t mark;

    blob_u8(b, EXT_PREFIX);
    blob_u8(b, FIELD_OP);
    mark = b->len;
    aml_path(b, region);
    blob_u8(b, 0x01); /* ByteAcc, NoLock, Preserve */
    for (unsigned k = 0; k < n; k++) {
        segment(b, names[k]);
        blob_u8(b, 8); /* bits */
    }
    aml_end(b, mark);
}

/* -- Resources --------------------------------------------------------------------------------- */

struct aml_template aml_template(struct blob *b)
{
    struct aml_template t;

    blob_u8(b, BUFFER_OP);
    t.mark = b->len;
    blob_u8(b, WORD_PREFIX);
    t.size_at = b->len;
    blob_u16(b, 0);
    t.start = b->len;
    return t;
}

void aml_template_end(struct blob *b, const struct aml_template *t)
{
    uint16_t size;

    blob_u8(b, END_TAG);
    blob_u8(b, 0); /* no checksum */
    size = (uint16_t)(b->len - t->start);
    blob_patch(b, t->size_at, &size, 2);
    aml_end(b, t->mark);
}

void aml_res_io(struct blob *b, uint16_t first, uint8_t len)
{
    blob_u8(b, 0x47);
    blob_u8(b, 1); /* decodes 16 bits */
    blob_u16(b, first);
    blob_u16(b, first);
    blob_u8(b, 1);
    blob_u8(b, len);
}

void aml_res_irq(struct blob *b, unsigned irq)
{
    blob_u8(b, 0x22);
    blob_u16(b, (uint16_t)(1u << irq));
}

void aml_res_dma(struct blob *b, unsigned chan)
{
    blob_u8(b, 0x2a);
    blob_u8(b, (uint8_t)(1u << chan));
    blob_u8(b, 0); /* compatibility timing, no bus master, bytes */
}

void aml_res_interrupts(struct blob *b, const uint32_t *irqs, uint8_t n)
{
    blob_u8(b, 0x89);
    blob_u16(b, (uint16_t)(2 + 4 * n));
    blob_u8(b, 0x09); /* consumer, level, active high, shared */
    blob_u8(b, n);
    for (unsigned k = 0; k < n; k++)
        blob_u32(b, irqs[k]);
}

void aml_res_memory(struct blob *b, uint32_t base, uint32_t len, bool writable)
{
    blob_u8(b, 0x86);
    blob_u16(b, 9);
    blob_u8(b, writable);
    blob_u32(b, base);
    blob_u32(b, len);
}

/* Address space descriptors: type, both ends fixed and the bridge decodes positively, type's flags.
 */
static void window16(struct blob *b, uint8_t type, uint8_t flags, uint16_t first, uint16_t last)
{
    blob_u8(b, 0x88);
    blob_u16(b, 13);
    blob_u8(b, type);
    blob_u8(b, 0x0c);
    blob_u8(b, flags);
    blob_u16(b, 0);
    blob_u16(b, first);
    blob_u16(b, last);
    blob_u16(b, 0);
    blob_u16(b, (uint16_t)(last - first + 1));
}

void aml_res_window_bus(struct blob *b, uint16_t first, uint16_t last)
{
    window16(b, 2, 0, first, last);
}

void aml_res_window_io(struct blob *b, uint16_t first, uint16_t last)
{
    window16(b, 1, 3, first, last);
}

void aml_res_window_memory(struct blob *b, uint32_t first, uint32_t last, bool cacheable)
{
    blob_u8(b, 0x87);
    blob_u16(b, 23);
    blob_u8(b, 0);
    blob_u8(b, 0x0c);
    blob_u8(b, cacheable ? 3 : 1);
    blob_u32(b, 0);
    blob_u32(b, first);
    blob_u32(b, last);
    blob_u32(b, 0);
    blob_u32(b, last - first + 1);
}
