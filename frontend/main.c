/* SPDX-License-Identifier: MIT */
/* The program: command line in, one machine, exit status out. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cpu/cpu.h"
#include "devices/nic.h"
#include "devices/pc.h"
#include "frontend/demo_guest.h"
#include "frontend/monitor.h"
#include "frontend/options.h"
#include "jit/jit.h"

static int fail(const char *text)
{
    fprintf(stderr, "calque: %s\n", text);
    return 1;
}

static void print_line(void *arg, const char *text)
{
    fprintf(arg, "%s\n", text);
}

static void print_version(void)
{
    const char *disassembler = jit_disassembler();

    printf("Calque %s\n", CALQUE_VERSION);
    if (disassembler != NULL)
        printf("Host code (-d out_asm) is shown by %s.\n", disassembler);
    else
        printf("Built without Capstone: host code (-d out_asm) is shown as bytes.\n");
    printf("Screens:\n");
    screens_list(stdout);
}

static int answer(enum question ask)
{
    switch (ask) {
    case ASK_HELP: options_print_help(stdout); break;
    case ASK_VERSION: print_version(); break;
    case ASK_CPUS: cpu_list_models(print_line, stdout); break;
    case ASK_DEVICES:
        for (unsigned k = 0; k < OPTIONAL_COUNT; k++)
            printf("%-14s  %s\n", optional_devices[k]->name, optional_devices[k]->desc);
        for (unsigned k = 0; nic_models[k] != NULL; k++)
            printf("%-14s  %s\n", nic_models[k]->name, nic_models[k]->desc);
        break;
    case ASK_ACCELS:
        printf("jit     translates the guest's code to the host's (x86-64 hosts)\n"
               "interp  interprets it\n");
        break;
    case ASK_SCREENS: screens_list(stdout); break;
    case ASK_LOG_ITEMS: log_list_items(stdout); break;
    case ASK_NOTHING: break;
    }
    return 0;
}

/* In QEMU's words, which scripts look for. */
static void print_path(void *arg, struct chardev *cd, const struct chardev_info *info)
{
    (void)cd;
    if (info->path[0] != '\0')
        fprintf(arg, "char device redirected to %s (label %s)\n", info->path, info->label);
}

static int run(struct vm *vm, char *err)
{
    chardev_each(vm, print_path, stdout);
    fflush(stdout);
    switch (vm_run(vm)) {
    case VM_END_DEBUG_EXIT: return vm_exit_code(vm);
    case VM_END_ERROR: snprintf(err, VM_ERR_LEN, "%s", vm_error(vm)); return 1;
    default: return 0;
    }
}

static void print_warnings(struct vm *vm)
{
    vm_lock(vm);
    for (struct drive *d = drive_next(vm, NULL); d != NULL; d = drive_next(vm, d)) {
        if (drive_warning(d) != NULL)
            fprintf(stderr, "calque: %s: %s\n", drive_id(d), drive_warning(d));
    }
    vm_unlock(vm);
}

static bool add_devices(struct vm *vm, const struct options *o)
{
    const void *cfg[OPTIONAL_COUNT] = {[OPTIONAL_DEBUG_EXIT] = &o->debug_exit};
    bool ok = true;

    vm_lock(vm);
    for (unsigned k = 0; k < OPTIONAL_COUNT && ok; k++)
        ok = !o->add[k] || device_create(vm, optional_devices[k], cfg[k]) != NULL;
    vm_unlock(vm);
    return ok;
}

/* Nothing to boot is named. */
static bool wants_demo(const struct options *o)
{
    return !o->boots && o->vm.kernel == NULL && o->vm.bios == NULL;
}

/* With the monitors that -monitor and "mon:" ask for, and the screens. What went wrong is told when
 * the terminal is no screen any more. */
static int run_watched(struct vm *vm, const struct options *o)
{
    char err[VM_ERR_LEN] = "";
    struct monitor *monitors = NULL;
    struct screens screens;
    int status = 0;

    if (screens_start(&screens, vm, o->screens, o->screen_count, err) == 0 &&
        monitors_start(&monitors, vm, &screens, o->monitors, o->monitor_count, err) == 0)
        status = run(vm, err);
    monitors_stop(monitors);
    screens_stop(&screens);
    return err[0] != '\0' ? fail(err) : status;
}

static int boot(struct options *o)
{
    char err[VM_ERR_LEN] = "";
    struct vm *vm;
    int status;

    if (wants_demo(o)) {
        o->vm.kernel_data = demo_guest;
        o->vm.kernel_size = (size_t)(demo_guest_end - demo_guest);
    }
    o->vm.take_signals = true;
    if (vm_create(&vm, &o->vm, &pc_board, err) != 0)
        return fail(err);
    if (vm_no_translator(vm) != NULL)
        fprintf(stderr, "calque: interpreting, which is slow: %s\n", vm_no_translator(vm));
    print_warnings(vm);
    status = add_devices(vm, o) ? run_watched(vm, o) : fail(vm_error(vm));
    vm_destroy(vm);
    return status;
}

int main(int argc, char **argv)
{
    char err[OPTIONS_ERR_LEN];
    struct options o;

    if (options_parse(&o, argc, argv, err) != 0)
        return fail(err);
    if (o.ask != ASK_NOTHING)
        return answer(o.ask);
    o.vm.log = stderr;
    if (o.log_file != NULL && (o.vm.log = fopen(o.log_file, "w")) == NULL) {
        snprintf(err, sizeof(err), "-D %s: cannot open: %s", o.log_file, strerror(errno));
        return fail(err);
    }
    int status = boot(&o);
    if (o.log_file != NULL)
        fclose(o.vm.log);
    return status;
}
