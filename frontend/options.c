/* SPDX-License-Identifier: MIT */
/* The command line. Each option's row in options.def names its handler here; handlers check their
 * argument and say what is wrong with it. */
#include "frontend/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pc_testdev.h"
#include "frontend/boot_option.h"

#define RAM_MAX (UINT64_C(1) << 39)

struct parse {
    struct options *o;
    char *err;
};

typedef int (*option_fn)(struct parse *p, const char *arg);

static int wrong(struct parse *p, const char *option, const char *arg, const char *why)
{
    snprintf(p->err, OPTIONS_ERR_LEN, "-%s %s: %s", option, arg, why);
    return -EINVAL;
}

static int refuse(struct parse *p, const char *text)
{
    snprintf(p->err, OPTIONS_ERR_LEN, "%s", text);
    return -EINVAL;
}

/* -- Values ------------------------------------------------------------------------------------ */

int options_parse_size(const char *text, uint64_t *bytes)
{
    static const char suffixes[] = "BKMGT";
    char *end;
    if (strncmp(text, "size=", 5) == 0)
        text += 5;
    if (!isdigit((unsigned char)*text))
        return -EINVAL;
    double v = strtod(text, &end);
    unsigned shift = 20;
    if (*end != '\0') {
        const char *at = strchr(suffixes, toupper((unsigned char)*end));
        if (at == NULL || end[1] != '\0')
            return -EINVAL;
        shift = 10 * (unsigned)(at - suffixes);
    }
    v = ldexp(v, (int)shift);
    if (!(v >= (double)VM_MIN_RAM && v <= (double)RAM_MAX))
        return -ERANGE;
    *bytes = ((uint64_t)v + 4095) & ~UINT64_C(4095);
    return 0;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *out)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *out = strtoul(text, &end, 0);
    return errno == 0 && *end == '\0' && *out <= max;
}

/* -- Handlers, in the order of options.def ----------------------------------------------------- */

static int set_memory(struct parse *p, const char *arg)
{
    int err = options_parse_size(arg, &p->o->vm.ram_bytes);
    if (err == -ERANGE)
        return wrong(p, "m", arg, "memory must be between 1M and 512G");
    return err == 0 ? 0 : wrong(p, "m", arg, "not a size");
}

static int set_cpus(struct parse *p, const char *arg)
{
    unsigned long n;
    const char *number = strncmp(arg, "cpus=", 5) == 0 ? arg + 5 : arg;
    if (!parse_number(number, 1, &n) || n != 1)
        return wrong(p, "smp", arg, "only 1 processor is supported");
    p->o->vm.cpus = 1;
    return 0;
}

static int set_cpu(struct parse *p, const char *arg)
{
    if (strcmp(arg, "help") == 0)
        p->o->ask = ASK_CPUS;
    p->o->vm.cpu_model = arg;
    return 0;
}

static int set_bios(struct parse *p, const char *arg)
{
    p->o->vm.bios = arg;
    return 0;
}

static int set_kernel(struct parse *p, const char *arg)
{
    p->o->vm.kernel = arg;
    return 0;
}

static int set_initrd(struct parse *p, const char *arg)
{
    p->o->vm.initrd = arg;
    return 0;
}

static int set_append(struct parse *p, const char *arg)
{
    p->o->vm.append = arg;
    return 0;
}

static int set_nographic(struct parse *p, const char *arg)
{
    (void)arg;
    p->o->nographic = true;
    return 0;
}

static int add_serial(struct parse *p, const char *arg)
{
    if (p->o->serial_count == VM_SERIAL_PORTS)
        return wrong(p, "serial", arg, "there are only 4 serial ports");
    p->o->vm.serial[p->o->serial_count++] = strcmp(arg, "none") == 0 ? NULL : arg;
    return 0;
}

static int set_parallel(struct parse *p, const char *arg)
{
    if (p->o->parallel_given)
        return wrong(p, "parallel", arg, "there is only one parallel port");
    p->o->parallel_given = true;
    p->o->vm.parallel = strcmp(arg, "none") == 0 ? NULL : arg;
    return 0;
}

static int set_debugcon(struct parse *p, const char *arg)
{
    p->o->vm.debugcon = arg;
    return 0;
}

static int set_no_reboot(struct parse *p, const char *arg)
{
    (void)arg;
    p->o->vm.no_reboot = true;
    return 0;
}

static int set_perf_map(struct parse *p, const char *arg)
{
    (void)arg;
    p->o->vm.perf_map = true;
    return 0;
}

static int set_no_shutdown(struct parse *p, const char *arg)
{
    (void)arg;
    p->o->vm.no_shutdown = true;
    return 0;
}

static int set_boot(struct parse *p, const char *arg)
{
    p->o->boots = true;
    return boot_option_parse(&p->o->vm.boot, arg, p->err, OPTIONS_ERR_LEN);
}

static int add_option_rom(struct parse *p, const char *arg)
{
    struct vm_config *vm = &p->o->vm;
    if (vm->option_rom_count == VM_OPTION_ROMS)
        return wrong(p, "option-rom", arg, "there are 8 already");
    p->o->boots = true;
    vm->option_rom[vm->option_rom_count++] = arg;
    return 0;
}

static int set_nodefaults(struct parse *p, const char *arg)
{
    (void)arg;
    p->o->no_defaults = true;
    return 0;
}

static int add_drive(struct parse *p, const char *arg)
{
    return drives_add(&p->o->drives, arg, p->err, OPTIONS_ERR_LEN);
}

static int set_snapshot(struct parse *p, const char *arg)
{
    (void)arg;
    p->o->snapshot = true;
    return 0;
}

/* HANDLER(name of the option, interface, index, media) */
#define DRIVE_FILES(HANDLER)                                                                       \
    HANDLER(hda, DRIVE_IDE, 0, DRIVE_DISK)                                                         \
    HANDLER(hdb, DRIVE_IDE, 1, DRIVE_DISK)                                                         \
    HANDLER(hdc, DRIVE_IDE, 2, DRIVE_DISK)                                                         \
    HANDLER(hdd, DRIVE_IDE, 3, DRIVE_DISK)                                                         \
    HANDLER(cdrom, DRIVE_IDE, 2, DRIVE_CDROM)                                                      \
    HANDLER(fda, DRIVE_FLOPPY, 0, DRIVE_DISK)                                                      \
    HANDLER(fdb, DRIVE_FLOPPY, 1, DRIVE_DISK)

#define HANDLER(name, interface, index, media)                                                     \
    static int set_##name(struct parse *p, const char *arg)                                        \
    {                                                                                              \
        static const struct drive_place at = {"-" #name, interface, index, media};                 \
        return drives_add_file(&p->o->drives, &at, arg, p->err, OPTIONS_ERR_LEN);                  \
    }
DRIVE_FILES(HANDLER)
#undef HANDLER

const struct device_class *const optional_devices[OPTIONAL_COUNT] = {
    [OPTIONAL_DEBUG_EXIT] = &debug_exit_class,
    [OPTIONAL_PC_TESTDEV] = &pc_testdev_class,
};

static int debug_exit_property(struct parse *p, const char *arg, const char *prop, size_t len)
{
    char text[64];
    unsigned long v;
    struct debug_exit_cfg *cfg = &p->o->debug_exit;
    if (len >= sizeof(text))
        return wrong(p, "device", arg, "property is too long");
    memcpy(text, prop, len);
    text[len] = '\0';
    if (strncmp(text, "iobase=", 7) == 0 && parse_number(text + 7, 0xffff, &v))
        cfg->iobase = (uint16_t)v;
    else if (strncmp(text, "iosize=", 7) == 0 && parse_number(text + 7, 8, &v) && v != 0)
        cfg->iosize = (uint16_t)v;
    else
        return wrong(p, "device", arg, "wrong property; isa-debug-exit has iobase= and iosize=");
    return 0;
}

/* OPTIONAL_COUNT: there is no such device. */
static unsigned find_device(const char *name, size_t len)
{
    unsigned k = 0;
    while (k < OPTIONAL_COUNT && (strlen(optional_devices[k]->name) != len ||
                                  strncmp(name, optional_devices[k]->name, len) != 0))
        k++;
    return k;
}

static int add_device(struct parse *p, const char *arg)
{
    size_t name = strcspn(arg, ",");
    if (strcmp(arg, "help") == 0) {
        p->o->ask = ASK_DEVICES;
        return 0;
    }
    if (nets_is_card(arg))
        return nets_add_card(&p->o->nets, arg, p->err, OPTIONS_ERR_LEN);
    unsigned k = find_device(arg, name);
    if (k == OPTIONAL_COUNT)
        return wrong(p, "device", arg, "unknown device");
    if (p->o->add[k])
        return wrong(p, "device", arg, "there can be one");
    p->o->add[k] = true;
    for (const char *prop = arg + name; *prop == ',';) {
        size_t len = strcspn(++prop, ",");
        int err = k == OPTIONAL_DEBUG_EXIT
                      ? debug_exit_property(p, arg, prop, len)
                      : wrong(p, "device", arg, "this device has no properties");
        if (err != 0)
            return err;
        prop += len;
    }
    return 0;
}

/* Options that accept one value: it is what Calque does anyway. */
static int only(struct parse *p, const char *option, const char *arg, const char *value)
{
    char why[80];
    if (strcmp(arg, value) == 0)
        return 0;
    snprintf(why, sizeof(why), "only '%s' is supported", value);
    return wrong(p, option, arg, why);
}

static int set_machine(struct parse *p, const char *arg)
{
    return only(p, "machine", arg, "pc");
}

/* -accel jit,PROP=VALUE... */
static int accel_property(struct parse *p, const char *arg, const char *prop, size_t len)
{
    char text[64];
    unsigned long v;
    snprintf(text, sizeof(text), "%.*s", (int)len, prop);
    if (strcmp(text, "checks=host") == 0 || strcmp(text, "checks=code") == 0) {
        p->o->vm.jit.checks = text[7] == 'h' ? JIT_CHECKS_HOST : JIT_CHECKS_CODE;
        return 0;
    }
    if (strncmp(text, "tb-size=", 8) != 0)
        return wrong(p, "accel", arg, "wrong property; jit has tb-size= and checks=host or code");
    if (!parse_number(text + 8, JIT_MAX_CODE >> 20, &v) || v < JIT_MIN_CODE >> 20)
        return wrong(p, "accel", arg, "tb-size must be between 1 and 1024 (MiB)");
    p->o->vm.jit.code_bytes = (uint64_t)v << 20;
    return 0;
}

/* Several say what to try, in this order; the interpreter is always possible. */
static int set_accel(struct parse *p, const char *arg)
{
    struct options *o = p->o;
    size_t name = strcspn(arg, ",");
    bool jit = name == 3 && strncmp(arg, "jit", name) == 0;
    if (strcmp(arg, "help") == 0) {
        o->ask = ASK_ACCELS;
        return 0;
    }
    if (!jit && strcmp(arg, "interp") != 0)
        return wrong(p, "accel", arg, "only 'jit' and 'interp' are supported");
    if (!o->accel_given)
        o->vm.accel = jit ? ACCEL_JIT : ACCEL_INTERP;
    else if (!jit && o->vm.accel == ACCEL_JIT)
        o->vm.accel = ACCEL_BEST;
    o->accel_given = true;
    for (const char *prop = arg + name; *prop == ',';) {
        size_t len = strcspn(++prop, ",");
        int err = accel_property(p, arg, prop, len);
        if (err != 0)
            return err;
        prop += len;
    }
    return 0;
}

static int add_screen(struct parse *p, const char *option, const char *arg, size_t len,
                      const char *name)
{
    struct options *o = p->o;
    const struct screen_kind *kind = screen_kind_named(name, len);
    char why[80];

    if (kind == NULL)
        return wrong(p, option, arg, "unknown ('-display help' lists them)");
    snprintf(why, sizeof(why), "not in this program, which was built without %s", kind->library);
    if (kind->cls == NULL)
        return wrong(p, option, arg, why);
    if (o->screen_count == SCREENS_MAX)
        return wrong(p, option, arg, "too many screens");
    o->screens[o->screen_count++] = (struct screen_wish){kind, arg};
    return 0;
}

static int set_display(struct parse *p, const char *arg)
{
    size_t len = strcspn(arg, ",=");
    unsigned before = p->o->screen_count;
    if (strcmp(arg, "help") == 0)
        p->o->ask = ASK_SCREENS;
    if (strcmp(arg, "help") == 0 || strcmp(arg, "none") == 0)
        return 0;
    int err = add_screen(p, "display", arg, len, arg);
    if (err == 0)
        p->o->screens[before].arg = arg + len + (arg[len] != '\0');
    return err;
}

static int set_vnc(struct parse *p, const char *arg)
{
    return strcmp(arg, "none") == 0 ? 0 : add_screen(p, "vnc", arg, 3, "vnc");
}

static int set_vga(struct parse *p, const char *arg)
{
    p->o->vga_given = true;
    if (strcmp(arg, "std") == 0)
        p->o->vm.vga = VGA_STD;
    else if (strcmp(arg, "none") == 0)
        p->o->vm.vga = VGA_NONE;
    else
        return wrong(p, "vga", arg, "only 'std' and 'none' are supported");
    return 0;
}

static int set_global(struct parse *p, const char *arg)
{
    static const char rom[] = "VGA.romfile=";
    if (strncmp(arg, rom, sizeof(rom) - 1) != 0)
        return wrong(p, "global", arg, "only 'VGA.romfile=FILE' is supported");
    p->o->vm.vga_rom = arg + sizeof(rom) - 1;
    return 0;
}

static int set_monitor(struct parse *p, const char *arg)
{
    p->o->monitor_given = true;
    p->o->monitor_vc |= strcmp(arg, "vc") == 0;
    if (strcmp(arg, "none") == 0 || strcmp(arg, "null") == 0 || strcmp(arg, "vc") == 0)
        return 0;
    if (p->o->monitor_count == OPTIONS_MONITORS)
        return wrong(p, "monitor", arg, "there are 4 at most");
    p->o->monitors[p->o->monitor_count++] = arg;
    return 0;
}

static int set_net(struct parse *p, const char *arg)
{
    return only(p, "net", arg, "none");
}

static int add_nic(struct parse *p, const char *arg)
{
    return nets_add_nic(&p->o->nets, arg, p->err, OPTIONS_ERR_LEN);
}

static int add_netdev(struct parse *p, const char *arg)
{
    return nets_add_netdev(&p->o->nets, arg, p->err, OPTIONS_ERR_LEN);
}

static int add_object(struct parse *p, const char *arg)
{
    return nets_add_dump(&p->o->nets, arg, p->err, OPTIONS_ERR_LEN);
}

static int set_log_items(struct parse *p, const char *arg)
{
    unsigned mask;
    const char *bad;
    if (strcmp(arg, "help") == 0) {
        p->o->ask = ASK_LOG_ITEMS;
        return 0;
    }
    if (log_parse_items(arg, &mask, &bad) != 0) {
        snprintf(p->err, OPTIONS_ERR_LEN, "-d %s: unknown item '%.*s' (-d help lists them)", arg,
                 (int)strcspn(bad, ","), bad);
        return -EINVAL;
    }
    p->o->vm.log_items |= mask;
    return 0;
}

static int set_log_file(struct parse *p, const char *arg)
{
    p->o->log_file = arg;
    return 0;
}

static int set_name(struct parse *p, const char *arg)
{
    p->o->vm.name = arg;
    return 0;
}

static int show_version(struct parse *p, const char *arg)
{
    (void)arg;
    p->o->ask = ASK_VERSION;
    return 0;
}

static int show_help(struct parse *p, const char *arg)
{
    (void)arg;
    p->o->ask = ASK_HELP;
    return 0;
}

/* -- The table --------------------------------------------------------------------------------- */

static const struct option {
    const char *name, *arg;
    option_fn fn;
    const char *help;
} options[] = {
#define OPTION(name, arg, fn, help) {name, arg, fn, help},
#include "frontend/options.def"
#undef OPTION
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

void options_print_help(FILE *out)
{
    fprintf(
        out,
        "usage: calque [options] [image]\n\n"
        "Boots a kernel, firmware or an image, or without any the built-in demo guest, on\n"
        "this terminal. An image alone is a CD, a floppy or the first hard disk, by what is in\n"
        "it and how long it is.\n\n");
    for (size_t k = 0; k < OPTION_COUNT; k++) {
        char left[64];
        snprintf(left, sizeof(left), "-%s %s", options[k].name,
                 options[k].arg != NULL ? options[k].arg : "");
        fprintf(out, "  %-26s %s\n", left, options[k].help);
    }
}

static const struct option *find(const char *name)
{
    for (size_t k = 0; k < OPTION_COUNT; k++)
        if (strcmp(options[k].name, name) == 0)
            return &options[k];
    return NULL;
}

/* One option and its argument; returns how many words it took, or -EINVAL. */
static int parse_one(struct parse *p, int left, char **argv)
{
    const char *word = argv[0];
    if (word[0] != '-' || word[1] == '\0')
        return drives_add_guessed(&p->o->drives, word, p->err, OPTIONS_ERR_LEN) == 0 ? 1 : -EINVAL;
    const struct option *opt = find(word + (word[1] == '-' ? 2 : 1));
    if (opt == NULL) {
        snprintf(p->err, OPTIONS_ERR_LEN, "%s: unknown option (-help lists them)", word);
        return -EINVAL;
    }
    if (opt->arg == NULL)
        return opt->fn(p, NULL) == 0 ? 1 : -EINVAL;
    if (left < 2) {
        snprintf(p->err, OPTIONS_ERR_LEN, "%s: needs an argument, %s", word, opt->arg);
        return -EINVAL;
    }
    return opt->fn(p, argv[1]) == 0 ? 2 : -EINVAL;
}

static bool is_stdio(const char *spec)
{
    return spec != NULL && (strcmp(spec, "stdio") == 0 || strcmp(spec, "mon:stdio") == 0);
}

static bool uses_stdio(const struct options *o)
{
    bool found = is_stdio(o->vm.debugcon) || is_stdio(o->vm.parallel);

    for (unsigned k = 0; k < o->monitor_count; k++)
        found |= is_stdio(o->monitors[k]);
    for (unsigned k = 0; k < o->serial_count; k++)
        found |= is_stdio(o->vm.serial[k]);
    return found;
}

static bool has_screen(const struct options *o, const char *name)
{
    for (unsigned k = 0; k < o->screen_count; k++) {
        if (strcmp(o->screens[k].kind->name, name) == 0)
            return true;
    }
    return false;
}

/* What is on the terminal where no option says so. */
static void choose_terminal(struct options *o)
{
    if (o->serial_count == 0 && !o->no_defaults)
        o->vm.serial[0] = uses_stdio(o) || has_screen(o, "curses") ? "null"
                          : o->nographic && o->monitor_given       ? "stdio"
                                                                   : "mon:stdio";
    else if (o->nographic && !o->monitor_given && !o->no_defaults && !uses_stdio(o))
        o->monitors[o->monitor_count++] = "stdio";
}

/* Options that do not go together. */
static int check(struct parse *p)
{
    const struct vm_config *vm = &p->o->vm;
    if (vm->kernel == NULL && vm->initrd != NULL)
        return refuse(p, "-initrd: needs -kernel");
    if (vm->kernel != NULL && vm->bios != NULL)
        return refuse(p, "-bios: not with -kernel, which boots without firmware");
    if (p->o->monitor_vc && p->o->screen_count > 0 && !has_screen(p->o, "curses"))
        return refuse(p, "-monitor vc: only -display curses has a page for a monitor");
    return 0;
}

int options_parse(struct options *o, int argc, char **argv, char err[OPTIONS_ERR_LEN])
{
    struct parse p = {o, err};
    *o = (struct options){.vm = {.ram_bytes = UINT64_C(128) << 20, .cpus = 1, .accel = ACCEL_BEST},
                          .debug_exit = {0x501, 2}};
    for (int k = 1; k < argc && o->ask == ASK_NOTHING;) {
        int used = parse_one(&p, argc - k, argv + k);
        if (used < 0)
            return -EINVAL;
        k += used;
    }
    choose_terminal(o);
    if (!o->parallel_given && !o->no_defaults)
        o->vm.parallel = "null";
    if (o->no_defaults && !o->vga_given)
        o->vm.vga = VGA_NONE;
    o->boots |= o->drives.count > 0;
    drives_finish(&o->drives, o->snapshot, !o->no_defaults);
    o->vm.drives = o->drives.drive;
    o->vm.drive_count = o->drives.count;
    o->vm.netdevs = o->nets.netdev;
    o->vm.netdev_count = o->nets.netdevs;
    o->vm.nics = o->nets.nic;
    o->vm.nic_count = o->nets.nics;
    o->vm.net_dumps = o->nets.dump;
    o->vm.net_dump_count = o->nets.dumps;
    return o->ask == ASK_NOTHING ? check(&p) : 0;
}
