/* SPDX-License-Identifier: MIT */
/* Memory, ports and values at the monitor: x, xp, print, i, o. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "frontend/monitor.h"
#include "vmm/vm.h"

#include "cpu/cpu.h"

/* -- Values ------------------------------------------------------------------------------------ */

static void say_char(struct session *s, uint64_t val)
{
    if (val < 0x80 && isprint((int)val))
        say(s, "'%c'", (int)val);
    else
        say(s, "'\\x%02" PRIx64 "'", val);
}

static void say_value(struct session *s, char form, unsigned size, uint64_t val)
{
    int digits = (int)size * 2;

    val &= size < 8 ? (UINT64_C(1) << 8 * size) - 1 : UINT64_MAX;
    switch (form) {
    case 'd': say(s, "%" PRId64, (int64_t)(val << (64 - 8 * size)) >> (64 - 8 * size)); break;
    case 'u': say(s, "%" PRIu64, val); break;
    case 'o': say(s, "%#" PRIo64, val); break;
    case 'c': say_char(s, val); break;
    default: say(s, "0x%0*" PRIx64, digits, val); break;
    }
}

void monitor_print(struct session *s, const struct monitor_arg *args)
{
    if (args[0].form == 'c')
        say_char(s, args[1].value & 0xff);
    else if (args[0].form == 0 || args[0].form == 'x')
        say(s, "0x%" PRIx64, args[1].value);
    else
        say_value(s, args[0].form, 8, args[1].value);
    say(s, "\n");
}

/* -- Memory ------------------------------------------------------------------------------------ */

/* One entry of a page table. False: it is not in memory, or it says "not present". */
static bool read_entry(struct vm *vm, uint64_t pa, unsigned bytes, uint64_t *entry)
{
    *entry = 0;
    return dma_read(vm, pa, entry, bytes) && (*entry & 1);
}

/* The physical address of a linear one, by the tables as they are in memory. */
static bool translate(struct vm *vm, const struct cpu *c, uint64_t la, uint64_t *pa)
{
    bool pae = (c->cr4 & CR4_PAE) != 0, big = pae || (c->cr4 & CR4_PSE);
    unsigned bits = pae ? 9 : 10, bytes = pae ? 8 : 4, shift;
    uint64_t table = c->cr3 & (pae ? 0xffffffffff000 : 0xfffff000), entry;

    *pa = la;
    if (!(c->cr0 & CR0_PG))
        return true;
    shift = !pae ? 22 : c->mode & MODE_LMA ? 39 : 21;
    if (pae && shift == 21) {
        entry = c->pdpte[la >> 30 & 3];
        if (!(entry & 1))
            return false;
        table = entry & 0xffffffffff000;
    }
    for (;; shift -= bits) {
        uint64_t index = la >> shift & ((1u << bits) - 1), frame;

        if (!read_entry(vm, table + index * bytes, bytes, &entry))
            return false;
        frame = entry & (pae ? 0xffffffffff000 : 0xfffff000);
        if (shift == 12 || (shift <= 30 && big && (entry & 0x80))) {
            if (!pae && shift == 22) /* PSE-36 */
                frame = (entry & 0xffc00000) | (entry & 0x1fe000) << 19;
            *pa = (frame & ~((UINT64_C(1) << shift) - 1)) | (la & ((UINT64_C(1) << shift) - 1));
            return true;
        }
        table = frame;
    }
}

#define LINE_BYTES 16 /* that a line shows at most */

/* Bytes to look at, at once. */
struct look {
    uint64_t at;
    uint8_t bytes[LINE_BYTES];
    unsigned n;
    bool physical, ok;
};

static void look(void *arg, struct vm *vm, struct cpu *c)
{
    struct look *l = arg;
    uint64_t pa = 0;

    l->ok = true;
    for (unsigned k = 0; k < l->n && l->ok; k++) {
        if (l->physical)
            pa = l->at + k;
        else if (k == 0 || (l->at + k) % PAGE_SIZE == 0)
            l->ok = translate(vm, c, l->at + k, &pa);
        else
            pa++;
        l->ok = l->ok && dma_read(vm, pa, &l->bytes[k], 1);
    }
}

static void show_memory(struct session *s, const struct monitor_arg *args, bool physical)
{
    uint64_t at = args[1].value, left = args[0].value;
    char form = args[0].form != 0 ? args[0].form : s->memory_form != 0 ? s->memory_form : 'x';
    unsigned size = args[0].size != 0 ? args[0].size : s->memory_size != 0 ? s->memory_size : 4;

    if (args[0].form == 'c' && args[0].size == 0)
        size = 1;
    s->memory_form = form;
    s->memory_size = size;
    while (left > 0) {
        unsigned per_line = size == 1 && form != 'c' ? 8 : LINE_BYTES / size;
        unsigned count = left < per_line ? (unsigned)left : per_line;
        struct look l = {.at = at, .n = count * size, .physical = physical};

        vm_inspect(s->vm, look, &l);
        say(s, "%016" PRIx64 ":", at);
        if (!l.ok) {
            say(s, " there is no memory\n");
            return;
        }
        for (unsigned k = 0; k < count; k++) {
            uint64_t val = 0;

            memcpy(&val, l.bytes + k * size, size);
            say(s, " ");
            say_value(s, form, size, val);
        }
        say(s, "\n");
        at += l.n;
        left -= count;
    }
}

void monitor_memory(struct session *s, const struct monitor_arg *args)
{
    show_memory(s, args, false);
}

void monitor_physical_memory(struct session *s, const struct monitor_arg *args)
{
    show_memory(s, args, true);
}

/* -- Ports ------------------------------------------------------------------------------------- */

static bool port_size(struct session *s, const struct monitor_arg *format, unsigned *size)
{
    *size = format->size != 0 ? format->size : 1;
    if (*size <= 4)
        return true;
    say(s, "ports have 4 bytes at most\n");
    return false;
}

/* Chips answer on the processor's thread only. */
struct port_access {
    uint16_t port;
    unsigned size;
    bool write;
    uint32_t val;
};

static void access_port(void *arg, struct vm *vm, struct cpu *c)
{
    struct port_access *a = arg;

    (void)c;
    if (a->write)
        bus_out_locked(vm, a->port, a->size, a->val);
    else
        a->val = bus_in_locked(vm, a->port, a->size);
}

void monitor_port_in(struct session *s, const struct monitor_arg *args)
{
    struct port_access a = {.port = (uint16_t)args[1].value};

    if (!port_size(s, &args[0], &a.size))
        return;
    vm_inspect(s->vm, access_port, &a);
    say(s, "port%c[0x%04x] = ", a.size == 1 ? 'b' : a.size == 2 ? 'w' : 'l', a.port);
    say_value(s, 'x', a.size, a.val);
    say(s, "\n");
}

void monitor_port_out(struct session *s, const struct monitor_arg *args)
{
    struct port_access a = {
        .port = (uint16_t)args[1].value, .write = true, .val = (uint32_t)args[2].value};

    if (port_size(s, &args[0], &a.size))
        vm_inspect(s->vm, access_port, &a);
}
