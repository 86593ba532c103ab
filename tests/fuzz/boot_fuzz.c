/* SPDX-License-Identifier: MIT */
/* The loaders behind -kernel on images of which some fields lie. Input: format, size of the file,
 * command line, modules, then changes: where, how wide, and what to write or to add. */
#include "devices/boot.h"
#include "tests/fuzz/input.h"
#include "tests/unit/boot_images.h"
#include "tests/unit/fake_cpu.h"

/* Where the formats' headers are. */
static const struct {
    unsigned first, count;
} headers[] = {
    [LINUX] = {0x1f1, 0x7f},
    [HEADER] = {MB_AT, 48},
    [ELF32] = {0, PH_AT + 3 * sizeof(Elf32_Phdr)},
    [ELF64] = {0, PH_AT + 2 * sizeof(Elf64_Phdr)},
};

static void change(uint8_t *image, enum image_format f, struct input *in)
{
    unsigned how = input_u8(in), n = 1u << how % 4;
    size_t off = headers[f].first + input_int(in, 2) % headers[f].count;
    uint64_t val = 0;

    if (how & 8) {
        memcpy(&val, image + off, n);
        val += (uint64_t)(int8_t)input_u8(in);
    } else {
        val = input_int(in, n);
    }
    image_put(image, off, val, n);
}

static int load(struct boot *b, struct vm *vm)
{
    int err = -1;

    if (boot_is_linux(&b->kernel)) {
        if (b->module_count > 1)
            b->module_count = 1;
        err = boot_linux_check(vm, &b->kernel);
        return err != 0 ? err : boot_linux_load(b, vm_cpu(vm, 0));
    }
    if (boot_is_multiboot(&b->kernel))
        err = boot_multiboot_check(vm, &b->kernel);
    else
        vm_fail(vm, err, "no kernel");
    return err != 0 ? err : boot_multiboot_load(b, vm_cpu(vm, 0));
}

static void try(struct boot *b, struct vm *vm)
{
    vm_fail(vm, 0, "%s", "");
    vm_lock(vm);
    if (load(b, vm) != 0)
        REQUIRE(vm_error(vm)[0] != '\0' && strchr(vm_error(vm), '\n') == NULL);
    else
        REQUIRE(vm_cpu(vm, 0)->r[RIP] <= UINT32_MAX);
    vm_unlock(vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vm *vm;
    static char cmdline[70000];
    struct input in = {data, size};
    uint8_t module[64] = "module";
    struct boot b = {.cmdline = cmdline, .kernel.path = "kernel"};
    enum image_format f = input_u8(&in) % IMAGE_FORMATS;
    size_t kernel_size = (IMAGE_SIZE - input_int(&in, 2)) % (IMAGE_SIZE + 1);

    if (vm == NULL)
        vm = fake_vm_with(&(struct vm_config){.ram_bytes = 8u << 20}, NULL);
    b.dev.vm = vm;
    memset(cmdline, 'c', sizeof(cmdline) - 1);
    cmdline[input_int(&in, 2)] = '\0';
    b.module_count = input_u8(&in) % (BOOT_MODULES_MAX + 1);
    for (unsigned n = 0; n < b.module_count; n++) {
        b.module[n] = (struct image){"module", module, sizeof(module)};
        b.module_cmdline[n] = "module with words";
    }
    b.kernel.data = malloc(IMAGE_SIZE);
    image_make(b.kernel.data, f);
    while (in.n > 0)
        change(b.kernel.data, f, &in);
    b.kernel.size = kernel_size > 0 ? kernel_size : 1;
    b.kernel.data = realloc(b.kernel.data, b.kernel.size); /* so that a read behind it is seen */
    try(&b, vm);
    free(b.kernel.data);
    return 0;
}
