/* SPDX-License-Identifier: MIT */
/* -kernel, -initrd, -append: reads the files once, recognises the kernel's format, and loads it at
 * each reset but those that end a sleep. What a BIOS leaves in low memory (tables, data area) is
 * put there too. */
#include "devices/boot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "devices/acpi_pm.h"
#include "devices/firmware.h"
#include "devices/post.h"

/* -- Files ------------------------------------------------------------------------------------- */

/* -initrd for multiboot is a list "FILE ARGS,FILE ARGS"; a double comma is a comma. */
static int read_module_list(struct boot *b, const char *list)
{
    char *out = b->module_names = malloc(strlen(list) + 1);
    if (out == NULL)
        return -ENOMEM;
    for (const char *p = list;; p++) {
        if (b->module_count == BOOT_MODULES_MAX)
            return vm_fail(b->dev.vm, -E2BIG, "-initrd: more than %d modules", BOOT_MODULES_MAX);
        b->module_cmdline[b->module_count++] = out;
        for (; *p != '\0' && (*p != ',' || p[1] == ','); p++) {
            if (*p == ',')
                p++;
            *out++ = *p;
        }
        *out++ = '\0';
        if (*p == '\0')
            break;
    }
    for (unsigned k = 0; k < b->module_count; k++) {
        char *path = strdup(b->module_cmdline[k]);
        if (path == NULL)
            return -ENOMEM;
        path[strcspn(path, " ")] = '\0';
        int err = path[0] == '\0'
                      ? vm_fail(b->dev.vm, -EINVAL, "-initrd %s: a module has no name", list)
                      : image_read(b->dev.vm, path, &b->module[k]);
        b->module[k].path = NULL;
        free(path);
        if (err != 0)
            return err;
    }
    return 0;
}

/* -- Format ------------------------------------------------------------------------------------ */

static int choose_loader(struct boot *b, const struct vm_config *cfg)
{
    struct vm *vm = b->dev.vm;
    int err;
    if (boot_is_linux(&b->kernel)) {
        b->load = boot_linux_load;
        err = boot_linux_check(vm, &b->kernel);
        b->by_bios = boot_linux_is_real_mode(&b->kernel);
        if (err == 0 && b->by_bios)
            err = firmware_add_built_in(vm);
        if (err == 0 && cfg->initrd != NULL) {
            b->module_count = 1;
            err = image_read(vm, cfg->initrd, &b->module[0]);
        }
        return err;
    }
    if (boot_is_multiboot(&b->kernel)) {
        b->load = boot_multiboot_load;
        err = boot_multiboot_check(vm, &b->kernel);
        if (err == 0 && cfg->initrd != NULL)
            err = read_module_list(b, cfg->initrd);
        return err;
    }
    return vm_fail(vm, -ENOEXEC, "%s: neither a Linux kernel nor a multiboot kernel",
                   b->kernel.path);
}

static int read_kernel(struct boot *b, const struct vm_config *cfg)
{
    if (cfg->kernel_data == NULL)
        return image_read(b->dev.vm, cfg->kernel, &b->kernel);
    b->kernel.path = "built-in guest";
    b->kernel.data = malloc(cfg->kernel_size);
    if (b->kernel.data == NULL)
        return -ENOMEM;
    memcpy(b->kernel.data, cfg->kernel_data, cfg->kernel_size);
    b->kernel.size = cfg->kernel_size;
    return 0;
}

static void boot_unrealize(struct device *d)
{
    struct boot *b = (struct boot *)d;
    free(b->kernel.data);
    for (unsigned k = 0; k < b->module_count; k++)
        free(b->module[k].data);
    free(b->module_names);
}

static int boot_realize(struct device *d)
{
    struct boot *b = (struct boot *)d;
    const struct vm_config *cfg = vm_config(d->vm);
    b->cmdline = cfg->append != NULL ? cfg->append : "";
    if (cfg->kernel == NULL && cfg->kernel_data == NULL)
        return 0;
    int err = read_kernel(b, cfg);
    if (err == 0)
        err = choose_loader(b, cfg);
    if (err != 0)
        boot_unrealize(d);
    return err;
}

/* -- Loading ----------------------------------------------------------------------------------- */

#define GDT_CODE UINT64_C(0x00cf9b000000ffff)
#define GDT_DATA UINT64_C(0x00cf93000000ffff)

int boot_protected_mode(struct vm *vm, struct cpu *c, uint64_t gdt, uint32_t entry)
{
    const uint64_t table[BOOT_GDT_BYTES / 8] = {0, 0, GDT_CODE, GDT_DATA};
    if (!mem_load(vm, gdt, table, sizeof(table)))
        return -EFAULT;
    c->gdt = (struct dtable){gdt, sizeof(table) - 1};
    c->idt = (struct dtable){0, 0};
    for (unsigned s = 0; s < SEG_COUNT; s++)
        c->seg[s] = (struct seg){.limit = 0xffffffff,
                                 .sel = s == SEG_CS ? 0x10 : 0x18,
                                 .attr = s == SEG_CS ? 0xc09b : 0xc093,
                                 .usable = true};
    for (unsigned r = 0; r <= R15; r++)
        c->r[r] = 0;
    c->cr0 = CR0_PE | CR0_ET;
    c->eflags = EFL_FIXED;
    c->r[RIP] = entry;
    cpu_set_a20(c, true);
    cpu_update_mode(c);
    return 0;
}

/* realize() has checked the images, so that only a machine with too little memory gets here without
 * being able to load; the processor then stops at once and the error is reported. */
static void boot_reset(struct device *d)
{
    struct boot *b = (struct boot *)d;
    if (b->load == NULL)
        return;
    if (!b->by_bios && acpi_pm_has_woken(d->vm) && post_resume(d->vm))
        return;
    int err = b->by_bios ? 0 : post_run(d->vm);
    if (err == 0)
        err = b->load(b, vm_cpu(d->vm, 0));
    if (err != 0)
        vm_request_error(d->vm);
}

static const struct field boot_fields[] = {
    FIELDS_DEVICE(struct boot),         UNSAVED(struct boot, kernel),
    UNSAVED(struct boot, module),       UNSAVED(struct boot, module_cmdline),
    UNSAVED(struct boot, module_count), UNSAVED(struct boot, module_names),
    UNSAVED(struct boot, cmdline),      UNSAVED(struct boot, by_bios),
    UNSAVED(struct boot, load),         FIELDS_END,
};

const struct device_class boot_class = {
    .name = "boot",
    .desc = "direct boot of a kernel",
    .size = sizeof(struct boot),
    .fields = boot_fields,
    .realize = boot_realize,
    .reset = boot_reset,
    .unrealize = boot_unrealize,
};
