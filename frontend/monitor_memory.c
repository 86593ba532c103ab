/* SPDX-License-Identifier: MIT */
/* Memory, ports and values at the monitor: x, xp, memsave, pmemsave, sum, print, i, o. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
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

#define LINE_BYTES 16 /* that a line shows at most */

/* Bytes to look at, at once. */
struct look {
    uint64_t at;
    uint8_t *bytes;
    unsigned n;
    bool physical, ok;
};

static void look(void *arg, struct vm *vm, struct cpu *c)
{
    struct look *l = arg;
    unsigned part;

    l->ok = true;
    for (unsigned done = 0; done < l->n && l->ok; done += part) {
        uint64_t at = l->at + done, pa = at;

        part = PAGE_SIZE - (unsigned)(at % PAGE_SIZE);
        part = part < l->n - done ? part : l->n - done;
        l->ok = (l->physical || monitor_translate(vm, c, at, &pa)) &&
                dma_read(vm, pa, l->bytes + done, part);
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
        uint8_t bytes[LINE_BYTES];
        struct look l = {.at = at, .bytes = bytes, .n = count * size, .physical = physical};

        vm_inspect(s->vm, look, &l);
        say(s, "%016" PRIx64 ":", at);
        if (!l.ok) {
            say(s, " there is no memory\n");
            return;
        }
        for (unsigned k = 0; k < count; k++) {
            uint64_t val = 0;

            memcpy(&val, bytes + k * size, size);
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

/* -- Much of it -------------------------------------------------------------------------------- */

typedef bool (*piece_fn)(void *arg, const uint8_t *bytes, unsigned n);

/* Calls fn for each page's bytes until it returns false. What is not memory is told. */
static void each_piece(struct session *s, const struct monitor_arg *args, bool physical,
                       piece_fn fn, void *arg)
{
    uint64_t at = args[0].value, left = args[1].value;
    uint8_t bytes[PAGE_SIZE];

    while (left > 0) {
        struct look l = {.at = at, .bytes = bytes, .physical = physical};

        l.n = PAGE_SIZE - (unsigned)(at % PAGE_SIZE);
        l.n = l.n < left ? l.n : (unsigned)left;
        vm_inspect(s->vm, look, &l);
        if (!l.ok) {
            say(s, "%016" PRIx64 ": there is no memory\n", at);
            return;
        }
        if (!fn(arg, bytes, l.n))
            return;
        at += l.n;
        left -= l.n;
    }
}

static bool write_piece(void *arg, const uint8_t *bytes, unsigned n)
{
    return fwrite(bytes, 1, n, arg) == n;
}

static void save(struct session *s, const struct monitor_arg *args, bool physical)
{
    FILE *file = fopen(args[2].text, "wb");
    bool ok = file != NULL;

    if (ok) {
        each_piece(s, args, physical, write_piece, file);
        ok = !ferror(file);
        ok = fclose(file) == 0 && ok;
    }
    if (!ok)
        say(s, "%s: %s\n", args[2].text, strerror(errno));
}

void monitor_memsave(struct session *s, const struct monitor_arg *args)
{
    save(s, args, false);
}

void monitor_pmemsave(struct session *s, const struct monitor_arg *args)
{
    save(s, args, true);
}

/* Rotated right by one bit before each byte is added, as BSD's sum does. */
static bool add_piece(void *arg, const uint8_t *bytes, unsigned n)
{
    uint16_t *sum = arg;

    for (unsigned k = 0; k < n; k++)
        *sum = (uint16_t)((*sum >> 1 | *sum << 15) + bytes[k]);
    return true;
}

void monitor_sum(struct session *s, const struct monitor_arg *args)
{
    uint16_t sum = 0;

    each_piece(s, args, true, add_piece, &sum);
    say(s, "%05u\n", sum);
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
