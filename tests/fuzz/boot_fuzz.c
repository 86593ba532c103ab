/* SPDX-License-Identifier: MIT */
/* The loaders behind -kernel on any image. Input: what to make of it, then the image. Most inputs
 * get the signatures of a format written over them, so that the fuzzer need not find them. */
#include <elf.h>
#include <string.h>

#include "devices/boot.h"
#include "tests/fuzz/input.h"
#include "tests/unit/fake_cpu.h"

enum disguise { PLAIN, LINUX, LOAD_ADDRESSES, ELF_32, ELF_64, DISGUISES };

static void put(struct image *k, size_t off, uint32_t val, size_t bytes)
{
    if (off + bytes <= k->size)
        memcpy(k->data + off, &val, bytes);
}

static void put_multiboot(struct image *k, size_t off, uint32_t flags)
{
    put(k, off, 0x1badb002, 4);
    put(k, off + 4, flags, 4);
    put(k, off + 8, -(0x1badb002 + flags), 4);
}

static void put_elf(struct image *k, bool wide)
{
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F'};

    for (unsigned n = 0; n < sizeof(ident); n++)
        put(k, n, ident[n], 1);
    put(k, EI_CLASS, wide ? ELFCLASS64 : ELFCLASS32, 1);
    put(k, 18, wide ? EM_X86_64 : EM_386, 2);
    put(k, wide ? 54 : 42, wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr), 2);
    put_multiboot(k, k->size / 8 * 4, 3);
}

static void disguise(struct image *k, unsigned as)
{
    switch (as) {
    case LINUX:
        put(k, 0x1fe, 0xaa55, 2);
        put(k, 0x202, 0x53726448, 4);
        put(k, 0x207, 2, 1);
        break;
    case LOAD_ADDRESSES: put_multiboot(k, 0, 0x10003); break;
    case ELF_32: put_elf(k, false); break;
    case ELF_64: put_elf(k, true); break;
    }
}

static int load(struct boot *b, struct vm *vm)
{
    int err = -1;

    if (boot_is_linux(&b->kernel)) {
        err = boot_linux_check(vm, &b->kernel);
        if (b->module_count > 1)
            b->module_count = 1;
        return err != 0 ? err : boot_linux_load(b, vm_cpu(vm, 0));
    }
    if (boot_is_multiboot(&b->kernel))
        err = boot_multiboot_check(vm, &b->kernel);
    else
        vm_fail(vm, err, "nothing");
    return err != 0 ? err : boot_multiboot_load(b, vm_cpu(vm, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vm *vm;
    static char cmdline[70000];
    struct input in = {data, size};
    uint8_t module[64] = "module";
    struct boot b = {.cmdline = cmdline, .kernel.path = "kernel"};
    unsigned as = input_u8(&in) % DISGUISES, padding = (unsigned)input_int(&in, 2);

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
    b.kernel.size = in.n + padding;
    b.kernel.data = calloc(1, b.kernel.size + 1);
    memcpy(b.kernel.data, in.p, in.n);
    disguise(&b.kernel, as);
    vm_fail(vm, 0, "%s", "");
    vm_lock(vm);
    if (load(&b, vm) != 0) {
        const char *text = vm_error(vm);
        REQUIRE(text[0] != '\0' && strchr(text, '\n') == NULL);
    } else {
        REQUIRE(vm_cpu(vm, 0)->r[RIP] <= UINT32_MAX);
    }
    vm_unlock(vm);
    free(b.kernel.data);
    return 0;
}
