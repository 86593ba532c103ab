/* SPDX-License-Identifier: MIT */
/* What the monitor's info shows of the machine. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pci.h"
#include "frontend/monitor.h"
#include "jit/jit.h"
#include "vmm/display.h"
#include "vmm/drive.h"
#include "vmm/vm.h"

static void version(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    say(s, "%s\n", CALQUE_VERSION);
}

/* Has a drive paused the machine? */
static bool drives_wait(struct vm *vm)
{
    struct drive *d = NULL;
    bool any = false;

    vm_lock(vm);
    while ((d = drive_next(vm, d)) != NULL)
        any |= drive_error(d) != 0;
    vm_unlock(vm);
    return any;
}

static void status(struct session *s, const struct monitor_arg *args)
{
    const char *paused = drives_wait(s->vm) ? "paused (io-error)" : "paused";
    const char *running = vm_is_suspended(s->vm) ? "paused (suspended)" : "running";

    (void)args;
    say(s, "VM status: %s\n", vm_is_paused(s->vm) ? paused : running);
}

static void name(struct session *s, const struct monitor_arg *args)
{
    const char *text = vm_config(s->vm)->name;

    (void)args;
    if (text != NULL)
        say(s, "%s\n", text);
}

/* Nothing sets one. */
static void uuid(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    say(s, "00000000-0000-0000-0000-000000000000\n");
}

static void kvm(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    say(s, "kvm support: not compiled\n");
}

static void cpus_at(void *arg, struct vm *vm, struct cpu *c)
{
    struct session *s = arg;

    (void)vm;
    say(s, "* CPU #0: %s rip=0x%016" PRIx64 ", %" PRIu64 " instructions interpreted\n",
        c->halted ? "halted," : "runs,", c->r[RIP], c->icount);
}

static void cpus(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    vm_inspect(s->vm, cpus_at, s);
}

/* -- Addresses --------------------------------------------------------------------------------- */

static void say_span(void *arg, uint64_t first, uint64_t last, const struct region *r)
{
    static const char *const kinds[] = {"ram", "rom", "mmio"};

    say(arg, "  %016" PRIx64 "-%016" PRIx64 " %-4s %s\n", first, last, kinds[r->kind], r->name);
}

static void say_claim(void *arg, const char *owner, unsigned first, unsigned last)
{
    say(arg, "  %04x-%04x %s\n", first, last, owner);
}

static void mtree(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    say(s, "memory\n");
    vm_lock(s->vm);
    mem_each_span(s->vm, say_span, s);
    say(s, "ports\n");
    bus_each_claim(s->vm, say_claim, s);
    vm_unlock(s->vm);
}

static void say_bars(struct session *s, uint8_t devfn)
{
    for (unsigned n = 0; n < 6; n++) {
        uint32_t bar = pci_config_read(s->vm, devfn, PCI_BAR0 + 4 * n, 4);

        if (bar != 0)
            say(s, "      BAR%u: %s at 0x%08x\n", n, bar & 1 ? "ports" : "memory",
                bar & (bar & 1 ? ~3u : ~15u));
    }
}

static void pci(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    vm_lock(s->vm);
    for (unsigned devfn = 0; devfn < 0x100; devfn++) {
        uint32_t id = pci_config_read(s->vm, (uint8_t)devfn, 0, 4);

        if ((id & 0xffff) == 0xffff)
            continue;
        say(s, "  Bus  0, device %3u, function %u:\n", devfn >> 3, devfn & 7);
        say(s, "    class %04x: PCI device %04x:%04x\n",
            pci_config_read(s->vm, (uint8_t)devfn, 0x0a, 2), id & 0xffff, id >> 16);
        if (pci_config_read(s->vm, (uint8_t)devfn, 0x3d, 1) != 0)
            say(s, "      IRQ %u, pin %c\n", pci_config_read(s->vm, (uint8_t)devfn, 0x3c, 1),
                '@' + (int)pci_config_read(s->vm, (uint8_t)devfn, 0x3d, 1));
        say_bars(s, (uint8_t)devfn);
    }
    vm_unlock(s->vm);
}

/* -- Devices ----------------------------------------------------------------------------------- */

#define SHOWN_MAX 32 /* elements of an array */

static void say_fields(struct session *s, unsigned indent, const struct field *tab,
                       const uint8_t *obj);

static void say_field(struct session *s, unsigned indent, const struct field *f, const uint8_t *obj)
{
    uint64_t val = 0;

    say(s, "%*s%s%s", (int)indent, "", f->name, f->kind == FIELD_STRUCT ? ":\n" : " =");
    for (unsigned k = 0; k < f->count && k < SHOWN_MAX; k++) {
        const uint8_t *at = obj + f->off + (size_t)k * f->size;

        if (f->kind == FIELD_STRUCT) {
            if (k > 0)
                say(s, "%*s%s %u:\n", (int)indent, "", f->name, k);
            say_fields(s, indent + 2, f->sub, at);
        } else if (f->kind == FIELD_TIMER) {
            memcpy(&val, at + offsetof(struct timer, due_ns), sizeof(val));
            if (val == TIMER_IDLE)
                say(s, " idle");
            else
                say(s, " due at %" PRIu64 " ns", val);
        } else {
            memcpy(&val, at, f->size < sizeof(val) ? f->size : sizeof(val));
            say(s, " %" PRIx64, val);
        }
    }
    if (f->kind != FIELD_STRUCT)
        say(s, "%s\n", f->count > SHOWN_MAX ? " ..." : "");
}

static void say_fields(struct session *s, unsigned indent, const struct field *tab,
                       const uint8_t *obj)
{
    for (; tab->kind != FIELD_END; tab++) {
        if (tab->kind != FIELD_UNSAVED)
            say_field(s, indent, tab, obj);
    }
}

static void show_class(struct session *s, const char *class)
{
    bool found = false;

    vm_lock(s->vm);
    for (const struct device *d = device_first(s->vm); d != NULL; d = d->next) {
        if (strcmp(d->cls->name, class) != 0)
            continue;
        found = true;
        say(s, "%s %u (%s)\n", class, d->index, d->cls->desc);
        if (d->cls->fields != NULL)
            say_fields(s, 2, d->cls->fields, (const uint8_t *)d);
    }
    vm_unlock(s->vm);
    if (!found)
        say(s, "no such device: '%.60s'\n", class);
}

static void device(struct session *s, const struct monitor_arg *args)
{
    show_class(s, args[0].text);
}

static void devices(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    vm_lock(s->vm);
    for (const struct device *d = device_first(s->vm); d != NULL; d = d->next)
        say(s, "%-16s %u  %s\n", d->cls->name, d->index, d->cls->desc);
    vm_unlock(s->vm);
}

static void lapic(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    show_class(s, "lapic");
}

static void pic(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    show_class(s, "pic");
}

static void say_chardev(void *arg, struct chardev *cd, const struct chardev_info *info)
{
    (void)cd;
    say(arg, "%s: filename=%s%s%s\n", info->label, info->spec, info->path[0] != '\0' ? " " : "",
        info->path);
}

static void chardev(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    vm_lock(s->vm);
    chardev_each(s->vm, say_chardev, s);
    vm_unlock(s->vm);
}

/* -- Screen and translator --------------------------------------------------------------------- */

static void say_row(struct session *s, const struct display_text *t, unsigned y)
{
    char text[DISPLAY_TEXT_COLUMNS + 1];
    unsigned n = 0;

    for (unsigned x = 0; x < t->columns; x++) {
        unsigned ch = t->cells[y * t->columns + x] & 0xff;

        text[x] = (char)(ch >= 0x20 && ch < 0x7f ? ch : ch == 0 ? ' ' : '.');
        n = text[x] != ' ' ? x + 1 : n;
    }
    text[n] = '\0';
    say(s, "%s\n", text);
}

static void screen(struct session *s, const struct monitor_arg *args)
{
    struct display_text *t = calloc(1, sizeof(*t));

    (void)args;
    if (t != NULL && display_get_text(s->vm, t)) {
        for (unsigned y = 0; y < t->rows; y++)
            say_row(s, t, y);
    } else {
        say(s, "the screen shows no text\n");
    }
    free(t);
}

static void get_stats(void *arg, struct vm *vm, struct cpu *c)
{
    (void)c;
    *(struct jit_stats *)arg = jit_stats(vm_jit(vm, 0));
}

static void jit(struct session *s, const struct monitor_arg *args)
{
    struct jit_stats j;

    (void)args;
    if (vm_jit(s->vm, 0) == NULL) {
        say(s, "the guest is interpreted\n");
        return;
    }
    vm_inspect(s->vm, get_stats, &j);
    say(s, "blocks translated     %" PRIu64 "\n", j.blocks);
    say(s, "instructions in them  %" PRIu64 "\n", j.insns);
    say(s, "left to the interpreter %" PRIu64 "\n", j.declined);
    say(s, "bytes of host code    %" PRIu64 "\n", j.bytes);
    say(s, "entries from C        %" PRIu64 "\n", j.entries);
    say(s, "accesses that trapped %" PRIu64 "\n", j.faults);
    say(s, "flushes, evictions    %" PRIu64 ", %" PRIu64 "\n", j.flushes, j.evictions);
}

const struct command monitor_infos[] = {
    {"version", NULL, "", "", "version of the program", version},
    {"status", NULL, "", "", "whether the machine runs", status},
    {"name", NULL, "", "", "name of the machine", name},
    {"uuid", NULL, "", "", "its identifier", uuid},
    {"cpus", NULL, "", "", "processors", cpus},
    {"registers", NULL, "[-a]", "-a", "the processor's registers", monitor_registers},
    {"jit", NULL, "", "", "what the translator has done", jit},
    {"kvm", NULL, "", "", "that the host's processor is not used for it", kvm},
    {"mem", NULL, "", "", "which linear addresses are mapped, by the page tables", monitor_mem},
    {"tlb", NULL, "", "", "the same page by page", monitor_tlb},
    {"mtree", NULL, "", "", "who answers which addresses", mtree},
    {"pci", NULL, "", "", "devices on the PCI bus", pci},
    {"pic", "irq", "", "", "state of the interrupt controllers", pic},
    {"lapic", NULL, "", "", "state of the local APIC", lapic},
    {"devices", "qtree", "", "", "devices on the board", devices},
    {"device", NULL, "NAME", "w", "state of a device", device},
    {"block", NULL, "", "", "drives and what is in them", monitor_block},
    {"chardev", NULL, "", "", "host ends of serial ports and monitors", chardev},
    {"screen", NULL, "", "", "the text on the screen", screen},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};
