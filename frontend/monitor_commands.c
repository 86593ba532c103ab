/* SPDX-License-Identifier: MIT */
/* The monitor's commands; names and arguments are QEMU's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/acpi_pm.h"
#include "frontend/monitor.h"
#include "frontend/screens.h"
#include "frontend/screenshot.h"
#include "vmm/input.h"
#include "vmm/vm.h"

#define KEYS_MAX 16

static void stop(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    vm_pause(s->vm);
}

static void cont(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    vm_resume(s->vm);
}

static void quit(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    vm_quit(s->vm);
}

static void system_reset(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    vm_request_reset(s->vm);
}

static void system_powerdown(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    vm_lock(s->vm);
    acpi_pm_power_button(s->vm);
    vm_unlock(s->vm);
}

static void nmi(struct session *s, const struct monitor_arg *args)
{
    (void)args;
    vm_lock(s->vm);
    vcpu_pulse_nmi(s->vm, 0);
    vm_unlock(s->vm);
}

static void screendump(struct session *s, const struct monitor_arg *args)
{
    int err = screenshot_save(s->vm, args[0].text);

    if (err != 0)
        say(s, "%s: %s\n", args[0].text, err == -ENODEV ? "there is no picture" : strerror(-err));
}

/* "change vnc password WORD" comes here, too. */
static void set_password(struct session *s, const struct monitor_arg *args)
{
    if (strcmp(args[0].text, "vnc") != 0 || s->screens == NULL ||
        !screens_set_password(s->screens, args[1].text))
        say(s, "there is no such screen with passwords: '%.60s'\n", args[0].text);
}

static void change(struct session *s, const struct monitor_arg *args)
{
    struct monitor_arg words[] = {args[1], args[3]};

    if (strcmp(args[1].text, "vnc") != 0)
        monitor_change(s, args);
    else if (strcmp(args[2].text, "password") == 0 && args[3].given)
        set_password(s, words);
    else
        say(s, "only the password of vnc can be changed\n");
}

/* -- Keyboard and mouse ------------------------------------------------------------------------ */

/* "ctrl-alt-delete"; 0: one of them is no key. */
static unsigned parse_keys(struct session *s, const char *text, enum key_code keys[KEYS_MAX])
{
    unsigned n = 0;

    for (const char *at = text;; at++) {
        size_t len = strcspn(at, "-");

        if (n == KEYS_MAX) {
            say(s, "too many keys\n");
            return 0;
        }
        keys[n] = len == 1 && *at == '<' ? INPUT_KEY_LESS : input_key_named(at, len);
        if (keys[n++] == INPUT_KEY_NONE) {
            say(s, "unknown key: '%.*s'\n", (int)(len < 60 ? len : 60), at);
            return 0;
        }
        at += len;
        if (*at == '\0')
            return n;
    }
}

void monitor_sendkey(struct session *s, const struct monitor_arg *args)
{
    enum key_code keys[KEYS_MAX];
    unsigned n = parse_keys(s, args[0].text, keys);
    uint64_t hold = args[1].given ? args[1].value : 100;

    if (n == 0)
        return;
    if (hold > 60000) {
        say(s, "keys are held for 60000 ms at most\n");
        return;
    }
    for (unsigned k = 0; k < n; k++)
        input_key(s->vm, keys[k], true);
    s->wait(s->arg, (unsigned)hold);
    while (n-- > 0)
        input_key(s->vm, keys[n], false);
}

static int small(uint64_t value)
{
    int64_t v = (int64_t)value;

    return (int)(v > 4096 ? 4096 : v < -4096 ? -4096 : v);
}

static void mouse_move(struct session *s, const struct monitor_arg *args)
{
    input_mouse(s->vm, small(args[0].value), small(args[1].value), -small(args[2].value),
                input_mouse_buttons(s->vm));
}

/* QEMU counts the middle button before the right one here. */
static void mouse_button(struct session *s, const struct monitor_arg *args)
{
    unsigned state = (unsigned)args[0].value & 0x1f;

    input_mouse(s->vm, 0, 0, 0,
                (state & ~6u) | (state & 2 ? INPUT_MIDDLE : 0) | (state & 4 ? INPUT_RIGHT : 0));
}

/* -- Help -------------------------------------------------------------------------------------- */

static void help_row(struct session *s, const char *before, const struct command *c)
{
    say(s, "%s%s%s%s%s%s -- %s\n", before, c->name, c->alias != NULL ? "|" : "",
        c->alias != NULL ? c->alias : "", c->params[0] != '\0' ? " " : "", c->params, c->help);
}

void monitor_help(struct session *s, const struct monitor_arg *args)
{
    const char *name = args[0].given ? args[0].text : NULL;
    bool infos = name != NULL && strcmp(name, "info") == 0, found = false;

    for (const struct command *c = infos ? monitor_infos : monitor_commands; c->name != NULL; c++) {
        if (infos || name == NULL || strcmp(c->name, name) == 0 ||
            (c->alias != NULL && strcmp(c->alias, name) == 0)) {
            help_row(s, infos ? "info " : "", c);
            found = true;
        }
    }
    if (!found)
        say(s, "unknown command: '%.60s'\n", name);
}

const struct command monitor_commands[] = {
    {"help", "?", "[COMMAND]", "w?", "what commands there are", monitor_help},
    {"info", NULL, "[WHAT]", "", "show something; 'info' alone says what there is", NULL},
    {"quit", "q", "", "", "end the program", quit},
    {"stop", "s", "", "", "pause the machine", stop},
    {"cont", "c", "", "", "let it go on", cont},
    {"system_reset", NULL, "", "", "reset the machine", system_reset},
    {"system_powerdown", NULL, "", "", "press the power button", system_powerdown},
    {"nmi", NULL, "", "", "give the processor a non-maskable interrupt", nmi},
    {"sendkey", NULL, "KEY[-KEY...] [MS]", "wi?", "press keys, as ctrl-alt-f1, for some time (100)",
     monitor_sendkey},
    {"mouse_move", NULL, "DX DY [DZ]", "nnn?", "move the mouse and turn its wheel", mouse_move},
    {"mouse_button", NULL, "STATE", "i", "press buttons: 1 left, 2 middle, 4 right; 0 releases",
     mouse_button},
    {"screendump", NULL, "FILE", "F", "write the screen to a picture, PNG or .ppm", screendump},
    {"change", NULL, "[-f] DRIVE FILE [FORMAT]", "-fwFw?",
     "put in another medium; -f: locked or not", change},
    {"eject", NULL, "[-f] DRIVE", "-fw", "take the medium out; -f: locked or not", monitor_eject},
    {"set_password", NULL, "vnc PASSWORD", "ww", "what VNC clients must know", set_password},
    {"x", NULL, "/FMT ADDRESS", "/i", "show memory at a linear address; FMT: count, form, size",
     monitor_memory},
    {"xp", NULL, "/FMT ADDRESS", "/i", "show physical memory", monitor_physical_memory},
    {"memsave", NULL, "ADDRESS SIZE FILE", "inF", "write memory at a linear address to a file",
     monitor_memsave},
    {"pmemsave", NULL, "ADDRESS SIZE FILE", "inF", "write physical memory to a file",
     monitor_pmemsave},
    {"sum", NULL, "ADDRESS SIZE", "in", "checksum of physical memory, as BSD's sum", monitor_sum},
    {"print", "p", "/FMT EXPRESSION", "/i", "show a value; $NAME is a register", monitor_print},
    {"i", NULL, "/FMT PORT", "/i", "read a port", monitor_port_in},
    {"o", NULL, "/FMT PORT VALUE", "/ii", "write a port", monitor_port_out},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};
