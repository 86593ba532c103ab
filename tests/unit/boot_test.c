/* SPDX-License-Identifier: MIT */
/* -kernel, -initrd and -append with files that lie: each gets one line that names it and says what
 * is wrong. And what the loaders leave in memory for files that don't lie. */
#include <check.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu/isa.h"
#include "devices/fwcfg.h"
#include "devices/pc.h"
#include "devices/roms.h"
#include "tests/unit/boot_images.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define RAM (UINT64_C(64) << 20)

static uint8_t image[IMAGE_SIZE];

static void put(size_t off, uint64_t val, unsigned bytes)
{
    ck_assert_uint_le(off + bytes, IMAGE_SIZE);
    image_put(image, off, val, bytes);
}

/* -- Booting ----------------------------------------------------------------------------------- */

static char text[VM_ERR_LEN];

/* The error, or "" where the guest would run; then *out is the VM. */
static const char *boot_with(struct vm_config cfg, struct vm **out)
{
    struct vm *vm;
    cfg.cpus = 1;
    if (cfg.ram_bytes == 0)
        cfg.ram_bytes = RAM;
    fake_guest = NULL;
    text[0] = '\0';
    if (vm_create(&vm, &cfg, &pc_board, text) != 0) {
        ck_assert_str_ne(text, "");
        return text;
    }
    snprintf(text, sizeof(text), "%s", vm_error(vm));
    if (text[0] != '\0')
        ck_assert_int_eq(vm_run(vm), VM_END_ERROR);
    if (out != NULL && text[0] == '\0')
        *out = vm;
    else
        vm_destroy(vm);
    return text;
}

static const char *boot_image(size_t size, struct vm **out)
{
    return boot_with((struct vm_config){.kernel_data = image, .kernel_size = size}, out);
}

static uint32_t guest_u32(struct vm *vm, uint64_t pa)
{
    uint32_t v;
    vm_lock(vm);
    ck_assert(dma_read(vm, pa, &v, 4));
    vm_unlock(vm);
    return v;
}

static void assert_guest_has(struct vm *vm, uint64_t pa, const void *bytes, size_t n)
{
    uint8_t *buf = malloc(n);
    vm_lock(vm);
    ck_assert(dma_read(vm, pa, buf, n));
    vm_unlock(vm);
    ck_assert_mem_eq(buf, bytes, n);
    free(buf);
}

/* -- Headers that lie -------------------------------------------------------------------------- */

#define EH32(field) offsetof(Elf32_Ehdr, field), sizeof(((Elf32_Ehdr *)0)->field)
#define EH64(field) offsetof(Elf64_Ehdr, field), sizeof(((Elf64_Ehdr *)0)->field)
#define PH32(field) PH_AT + offsetof(Elf32_Phdr, field), sizeof(((Elf32_Phdr *)0)->field)
#define PH64(field) PH_AT + offsetof(Elf64_Phdr, field), sizeof(((Elf64_Phdr *)0)->field)

static const struct lie {
    enum image_format format;
    size_t off;
    unsigned bytes;
    uint64_t val;
    const char *text; /* what follows "built-in guest: "; NULL: it boots all the same */
} lies[] = {
    {LINUX, 0x1fe, 2, 0, "neither a Linux kernel nor a multiboot kernel"},
    {LINUX, 0x202, 4, 0, "neither a Linux kernel nor a multiboot kernel"},
    {LINUX, 0x206, 2, 0x201, "boot protocol 2.01 is too old"},
    {LINUX, 0x211, 1, 0, "zImage kernels (loaded low) are not supported"},
    {LINUX, 0x1f1, 1, 255, "truncated: the header promises 134144 bytes"},
    {LINUX, 0x1f1, 1, 7, "truncated: the header promises 7168 bytes"},
    {LINUX, 0x1f4, 4, UINT32_MAX, "truncated: the header promises 68719477744 bytes"},
    {LINUX, 0x258, 8, UINT64_MAX, "needs 4098 MiB of memory, and there are 64"},
    {LINUX, 0x258, 8, 0x3e00001, "needs 65 MiB of memory, and there are 64"},
    {LINUX, 0x260, 4, UINT32_MAX, "needs 4097 MiB of memory, and there are 64"},
    {LINUX, 0x258, 8, 0, NULL},
    {LINUX, 0x201, 1, 0, NULL},
    {LINUX, 0x201, 1, 255, NULL},
    {HEADER, MB_AT + 8, 4, 0, "neither a Linux kernel nor a multiboot kernel"},
    {HEADER, MB_AT + 12, 4, LOAD_AT - 1, "wrong addresses in the multiboot header"},
    {HEADER, MB_AT + 12, 4, LOAD_AT + MB_AT + 1, "wrong addresses in the multiboot header"},
    {HEADER, MB_AT + 16, 4, LOAD_AT - 1, "wrong addresses in the multiboot header"},
    {HEADER, MB_AT + 16, 4, UINT32_MAX, "wrong addresses in the multiboot header"},
    {HEADER, MB_AT + 20, 4, LOAD_AT, "wrong addresses in the multiboot header"},
    {HEADER, MB_AT + 20, 4, 1, "wrong addresses in the multiboot header"},
    {HEADER, MB_AT + 20, 4, LOAD_AT + IMAGE_SIZE + 1, "truncated: a segment is behind the end"},
    {HEADER, MB_AT + 24, 4, LOAD_AT + 0x7ff, "wrong addresses in the multiboot header"},
    {HEADER, MB_AT + 24, 4, UINT32_MAX, "no memory at 00200000-fffffffe, where it wants to be"},
    {HEADER, MB_AT + 28, 4, LOAD_AT + 0x2000, "entry point 202000 is outside what is loaded"},
    {HEADER, MB_AT + 28, 4, 0, "entry point 0 is outside what is loaded"},
    {HEADER, MB_AT + 24, 4, 0, NULL},
    {ELF32, EH32(e_ident[EI_CLASS]), 0, "ELF file of unknown class 0"},
    {ELF32, EH32(e_ident[EI_CLASS]), 3, "ELF file of unknown class 3"},
    {ELF32, EH32(e_ident[EI_CLASS]), ELFCLASS64, "ELF file is not for x86"},
    {ELF32, EH32(e_ident[EI_MAG0]), 0, "multiboot kernel is neither ELF nor has load addresses"},
    {ELF32, EH32(e_machine), EM_ARM, "ELF file is not for x86"},
    {ELF32, EH32(e_phentsize), 31, "ELF program headers of unknown size"},
    {ELF32, EH32(e_phoff), UINT32_MAX, "truncated: ELF program headers are behind the end"},
    {ELF32, EH32(e_phoff), IMAGE_SIZE - 95, "truncated: ELF program headers are behind the end"},
    {ELF32, EH32(e_phnum), UINT16_MAX, "truncated: ELF program headers are behind the end"},
    {ELF32, EH32(e_phnum), 0, "ELF file without loadable segments"},
    {ELF32, EH32(e_entry), 0, "entry point 0 is outside what is loaded"},
    {ELF32, EH32(e_entry), LOAD_AT + 0x1100, "entry point 201100 is outside what is loaded"},
    {ELF32, EH32(e_entry), LOAD_AT + 0x10ff, NULL},
    {ELF32, PH32(p_offset), IMAGE_SIZE - 0x2ff, "truncated: a segment is behind the end"},
    {ELF32, PH32(p_offset), UINT32_MAX, "truncated: a segment is behind the end"},
    {ELF32, PH32(p_filesz), UINT32_MAX, "segment is larger in the file than in memory"},
    {ELF32, PH32(p_memsz), 0x2ff, "segment is larger in the file than in memory"},
    {ELF32, PH32(p_memsz), UINT32_MAX, "segment above 4 GiB"},
    {ELF32, PH32(p_memsz), 0x1001, "segments overlap at 00201000"},
    {ELF32, PH32(p_paddr), UINT32_MAX - 0x1000,
     "no memory at ffffefff-fffffffe, where it wants to be"},
    {ELF32, PH32(p_paddr), LOAD_AT + 0x10ff, "segments overlap at 002010ff"},
    {ELF32, PH32(p_paddr), RAM - 0xfff, "no memory at 03fff001-04000000, where it wants to be"},
    {ELF32, PH32(p_paddr), RAM - 0x1000, "kernel and modules do not fit in 64 MiB of memory"},
    {ELF64, EH64(e_ident[EI_CLASS]), ELFCLASS32, "ELF file is not for x86"},
    {ELF64, EH64(e_machine), EM_AARCH64, "ELF file is not for x86"},
    {ELF64, EH64(e_phentsize), 57, "ELF program headers of unknown size"},
    {ELF64, EH64(e_phoff), UINT64_MAX, "truncated: ELF program headers are behind the end"},
    {ELF64, EH64(e_phoff), UINT64_MAX - 111, "truncated: ELF program headers are behind the end"},
    {ELF64, EH64(e_phnum), UINT16_MAX, "truncated: ELF program headers are behind the end"},
    {ELF64, EH64(e_entry), UINT64_MAX, "entry point ffffffffffffffff is outside what is loaded"},
    {ELF64, PH64(p_offset), UINT64_MAX, "truncated: a segment is behind the end"},
    {ELF64, PH64(p_filesz), UINT64_MAX, "segment is larger in the file than in memory"},
    {ELF64, PH64(p_memsz), UINT64_MAX, "segment above 4 GiB"},
    {ELF64, PH64(p_paddr), UINT64_MAX, "segment above 4 GiB"},
    {ELF64, PH64(p_paddr), UINT64_C(1) << 32, "segment above 4 GiB"},
};

START_TEST(lying_header)
{
    const struct lie *l = &lies[_i];
    char wanted[VM_ERR_LEN] = "";
    image_make(image, l->format);
    put(l->off, l->val, l->bytes);
    if (l->text != NULL)
        snprintf(wanted, sizeof(wanted), "built-in guest: %s", l->text);
    ck_assert_str_eq(boot_image(IMAGE_SIZE, NULL), wanted);
}
END_TEST

START_TEST(unknown_features)
{
    image_make(image, HEADER);
    image_put_multiboot(image, MB_AT, 0x1000b);
    ck_assert_str_eq(boot_image(IMAGE_SIZE, NULL), "built-in guest: asks for unknown multiboot "
                                                   "features (flags 0001000b)");
    image_make(image, HEADER);
    image_put_multiboot(image, MB_AT, 3);
    ck_assert_str_eq(boot_image(IMAGE_SIZE, NULL),
                     "built-in guest: multiboot kernel is neither ELF "
                     "nor has load addresses");
}
END_TEST

START_TEST(too_many_segments)
{
    Elf32_Phdr ph = {PT_LOAD, 0, 0, LOAD_AT, 1, 1, PF_R, 0};
    image_make(image, ELF32);
    put(offsetof(Elf32_Ehdr, e_phoff), 0x600, 4);
    put(offsetof(Elf32_Ehdr, e_phnum), 33, 2);
    for (unsigned n = 0; n < 33; n++, ph.p_paddr++)
        memcpy(image + 0x600 + n * sizeof(ph), &ph, sizeof(ph));
    ck_assert_str_eq(boot_image(IMAGE_SIZE, NULL), "built-in guest: more than 32 segments");
}
END_TEST

/* However short the file is, it loads or there is an error that names it. */
START_TEST(truncated_anywhere)
{
    for (size_t size = 1; size < IMAGE_SIZE; size += size < 0x140 ? 1 : 61) {
        image_make(image, (enum image_format)_i);
        const char *err = boot_image(size, NULL);
        if (_i == LINUX || size < 0x800)
            ck_assert_msg(strncmp(err, "built-in guest: ", 16) == 0, "%zu bytes: '%s'", size, err);
    }
}
END_TEST

/* -- Files ------------------------------------------------------------------------------------- */

static char dir[] = "/tmp/boot_test.XXXXXX";

/* A path in the test's directory; good for the next three calls. */
static const char *path(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *p = paths[next++ % 4];
    snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
    return p;
}

static const char *make_file(const char *name, const void *data, size_t size)
{
    const char *p = path(name);
    FILE *f = fopen(p, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
    return p;
}

static void make_dir(void)
{
    snprintf(dir, sizeof(dir), "/tmp/boot_test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    make_file("empty", "", 0);
    make_file("text", "Not a kernel.\n", 14);
    image_make(image, LINUX);
    make_file("linux", image, IMAGE_SIZE);
    image_make(image, HEADER);
    make_file("multiboot", image, IMAGE_SIZE);
    ck_assert_int_eq(mkfifo(path("fifo"), 0600), 0);
    const char *large = make_file("large", "x", 1);
    ck_assert_int_eq(truncate(large, RAM), 0);
}

static void remove_dir(void)
{
    static const char *const names[] = {"empty", "text", "linux", "multiboot", "fifo", "large"};
    for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++)
        unlink(path(names[k]));
    rmdir(dir);
}

static const struct {
    const char *kernel, *initrd, *append;
    const char *named, *text; /* "" names the directory; NULL: the option, as it stands in text */
} files[] = {
    {"", NULL, NULL, "", ": not a regular file"},
    {"empty", NULL, NULL, "empty", ": empty file"},
    {"text", NULL, NULL, "text", ": neither a Linux kernel nor a multiboot kernel"},
    {"fifo", NULL, NULL, "fifo", ": not a regular file"},
    {"absent", NULL, NULL, "absent", ": cannot open: No such file or directory"},
    {"text/x", NULL, NULL, "text/x", ": cannot open: Not a directory"},
    {"linux", "absent", NULL, "absent", ": cannot open: No such file or directory"},
    {"linux", "", NULL, "", ": not a regular file"},
    {"linux", "empty", NULL, "empty", ": empty file"},
    {"linux", "large", NULL, "large", ": does not fit in 64 MiB of memory beside the kernel"},
    {"linux", NULL,
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
     "01234567890123456789012345678901234567890123456789012345678901234567890123456789",
     NULL, "-append: longer than the 255 characters that "},
    {"multiboot", "absent with words", NULL, "absent", ": cannot open: No such file or directory"},
    {"multiboot", "", NULL, "", ": not a regular file"},
    {"multiboot", "large", NULL, "multiboot",
     ": kernel and modules do not fit in 64 MiB of memory"},
    {"multiboot", "text,", NULL, NULL, "-initrd "},
};

START_TEST(bad_file)
{
    struct vm_config cfg = {.append = files[_i].append};
    char wanted[512] = "";
    make_dir();
    cfg.kernel = path(files[_i].kernel);
    if (files[_i].initrd != NULL)
        cfg.initrd = path(files[_i].initrd);
    if (files[_i].named != NULL)
        snprintf(wanted, sizeof(wanted), "%s", path(files[_i].named));
    strncat(wanted, files[_i].text, sizeof(wanted) - strlen(wanted) - 1);
    const char *err = boot_with(cfg, NULL);
    remove_dir();
    if (files[_i].named != NULL)
        ck_assert_str_eq(err, wanted);
    else
        ck_assert_msg(strncmp(err, wanted, strlen(wanted)) == 0, "%s", err);
}
END_TEST

/* However long its name is, the reason is there. */
START_TEST(long_path)
{
    static char name[4096], wanted[VM_ERR_LEN];
    for (unsigned k = 0; k < 2000; k++)
        memcpy(name + 2 * k, "./", 2);
    snprintf(name + 4000, sizeof(name) - 4000, "absent");
    snprintf(wanted, sizeof(wanted), "%s: cannot open: No such file or directory", name);
    ck_assert_str_eq(boot_with((struct vm_config){.kernel = name}, NULL), wanted);
}
END_TEST

/* The limits of the command line: what the kernel takes, and the room that there is. */
START_TEST(command_line_fits)
{
    static char line[70000];
    struct vm_config cfg = {.kernel_data = image, .kernel_size = IMAGE_SIZE, .append = line};
    struct vm *vm;
    image_make(image, LINUX);
    memset(line, 'x', sizeof(line) - 1);
    line[255] = '\0';
    ck_assert_str_eq(boot_with(cfg, &vm), "");
    assert_guest_has(vm, guest_u32(vm, 0x10228), line, 256);
    vm_destroy(vm);
    put(0x238, UINT32_MAX, 4);
    line[255] = 'x';
    line[0xffff] = '\0';
    ck_assert_str_eq(boot_with(cfg, &vm), "");
    assert_guest_has(vm, guest_u32(vm, 0x10228), line, 0x10000);
    vm_destroy(vm);
    line[0xffff] = 'x';
    ck_assert_str_eq(boot_with(cfg, NULL), "-append: longer than the 65535 characters that "
                                           "built-in guest takes");
    put(0x206, 0x205, 2);
    line[256] = '\0';
    ck_assert_str_eq(boot_with(cfg, NULL), "-append: longer than the 255 characters that "
                                           "built-in guest takes");
}
END_TEST

START_TEST(too_many_modules)
{
    char list[4096] = "";
    struct vm_config cfg = {.initrd = list};
    make_dir();
    cfg.kernel = path("multiboot");
    for (unsigned n = 0; n < 32; n++)
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s/text", n == 0 ? "" : ",",
                 dir);
    ck_assert_str_eq(boot_with(cfg, NULL), "");
    snprintf(list + strlen(list), sizeof(list) - strlen(list), ",%s/text", dir);
    ck_assert_str_eq(boot_with(cfg, NULL), "-initrd: more than 32 modules");
    remove_dir();
}
END_TEST

/* -- What is loaded ---------------------------------------------------------------------------- */

/* An initrd of this size ends where memory does, and begins where the kernel's needs end; one byte
 * more does not fit. */
START_TEST(initrd_is_above_the_kernel)
{
    struct vm_config cfg = {.kernel_data = image, .kernel_size = IMAGE_SIZE};
    struct vm *vm;
    make_dir();
    image_make(image, LINUX);
    put(0x258, 0x1000000, 8);
    cfg.initrd = path("large");
    ck_assert_int_eq(truncate(cfg.initrd, RAM - 0x1200000), 0);
    ck_assert_str_eq(boot_with(cfg, &vm), "");
    ck_assert_uint_eq(guest_u32(vm, 0x10218), 0x1200000);
    ck_assert_uint_eq(guest_u32(vm, 0x1021c), RAM - 0x1200000);
    ck_assert_uint_eq(guest_u32(vm, 0x1200000) & 0xff, 'x');
    vm_destroy(vm);
    ck_assert_int_eq(truncate(cfg.initrd, RAM - 0x1200000 + 1), 0);
    ck_assert_str_ne(boot_with(cfg, NULL), "");
    /* Where the header says where it may end at most: */
    put(0x22c, 0x1ffffff, 4);
    cfg.initrd = path("text");
    ck_assert_str_eq(boot_with(cfg, &vm), "");
    ck_assert_uint_eq(guest_u32(vm, 0x10218), 0x1fff000);
    vm_destroy(vm);
    put(0x22c, 0x11fffff, 4);
    ck_assert_str_ne(boot_with(cfg, NULL), "");
    remove_dir();
}
END_TEST

static uint32_t fwcfg_u32(struct vm *vm, uint16_t key)
{
    uint32_t v = 0;
    bus_port_out(vm, 0x510, 2, key);
    for (unsigned n = 0; n < 4; n++)
        v |= bus_port_in(vm, 0x511, 1) << (8 * n);
    return v;
}

static void assert_fwcfg_has(struct vm *vm, uint16_t key, const void *bytes, size_t n)
{
    bus_port_out(vm, 0x510, 2, key);
    for (size_t k = 0; k < n; k++)
        ck_assert_uint_eq(bus_port_in(vm, 0x511, 1), ((const uint8_t *)bytes)[k]);
    ck_assert_uint_eq(bus_port_in(vm, 0x511, 1), 0);
}

START_TEST(fwcfg_tells_what_is_loaded)
{
    struct vm_config cfg = {.kernel_data = image, .kernel_size = IMAGE_SIZE, .append = "quiet"};
    struct vm *vm;
    uint8_t setup[SETUP_SIZE];
    make_dir();
    image_make(image, LINUX);
    cfg.initrd = path("text");
    ck_assert_str_eq(boot_with(cfg, &vm), "");
    remove_dir();
    for (unsigned resets = 0; resets < 2; resets++) {
        ck_assert_uint_eq(fwcfg_u32(vm, FWCFG_KERNEL_ADDR), 0x100000);
        ck_assert_uint_eq(fwcfg_u32(vm, FWCFG_KERNEL_SIZE), IMAGE_SIZE - SETUP_SIZE);
        assert_fwcfg_has(vm, FWCFG_KERNEL_DATA, image + SETUP_SIZE, IMAGE_SIZE - SETUP_SIZE);
        ck_assert_uint_eq(fwcfg_u32(vm, FWCFG_INITRD_ADDR), guest_u32(vm, 0x10218));
        ck_assert_uint_eq(fwcfg_u32(vm, FWCFG_INITRD_SIZE), 14);
        assert_fwcfg_has(vm, FWCFG_INITRD_DATA, "Not a kernel.\n", 14);
        ck_assert_uint_eq(fwcfg_u32(vm, FWCFG_CMDLINE_ADDR), guest_u32(vm, 0x10228));
        ck_assert_uint_eq(fwcfg_u32(vm, FWCFG_CMDLINE_SIZE), 6);
        assert_fwcfg_has(vm, FWCFG_CMDLINE_DATA, "quiet", 6);
        ck_assert_uint_eq(fwcfg_u32(vm, FWCFG_SETUP_ADDR), 0x10000);
        ck_assert_uint_eq(fwcfg_u32(vm, FWCFG_SETUP_SIZE), SETUP_SIZE);
        memcpy(setup, image, SETUP_SIZE);
        vm_lock(vm);
        ck_assert(dma_read(vm, 0x101f1, setup + 0x1f1, 0x22c - 0x1f1)); /* as the kernel sees it */
        vm_unlock(vm);
        ck_assert_uint_eq(setup[0x210], 0xff);
        assert_fwcfg_has(vm, FWCFG_SETUP_DATA, setup, SETUP_SIZE);
        vm_lock(vm);
        vm_reset_locked(vm);
        vm_unlock(vm);
    }
    vm_destroy(vm);
}
END_TEST

/* Without a 32-bit entry: the BIOS starts, finds the kernel and its command line, and all memory is
 * as at a start without a kernel. */
START_TEST(real_mode_kernel_is_left_to_the_bios)
{
    struct vm_config cfg = {.kernel_data = image, .kernel_size = IMAGE_SIZE, .append = "quiet"};
    struct vm *vm;
    image_make(image, LINUX);
    put(0x214, 0, 4);
    ck_assert_str_eq(boot_with(cfg, &vm), "");
    for (unsigned resets = 0; resets < 2; resets++) {
        ck_assert_uint_eq(vm_cpu(vm, 0)->cr0 & CR0_PE, 0);
        assert_guest_has(vm, 0xffff0000, rom_bios, (size_t)(rom_bios_end - rom_bios));
        ck_assert_uint_eq(guest_u32(vm, 0x100000), 0);
        assert_fwcfg_has(vm, FWCFG_KERNEL_DATA, image + SETUP_SIZE, IMAGE_SIZE - SETUP_SIZE);
        assert_fwcfg_has(vm, FWCFG_CMDLINE_DATA, "quiet", 6);
        ck_assert_uint_eq(fwcfg_u32(vm, FWCFG_INITRD_SIZE), 0);
        ck_assert_uint_eq(fwcfg_u32(vm, FWCFG_SETUP_SIZE), SETUP_SIZE);
        vm_lock(vm);
        vm_reset_locked(vm);
        vm_unlock(vm);
    }
    vm_destroy(vm);
}
END_TEST

/* As firmware leaves them: RAM write-back, ROM write-protected, VGA and the hole uncacheable. */
START_TEST(memory_types)
{
    struct vm *vm;
    image_make(image, (enum image_format)_i);
    ck_assert_str_eq(boot_image(IMAGE_SIZE, &vm), "");
    struct cpu *c = fake_cpu_of(vm);
    ck_assert_uint_eq(c->msr.mtrr_def_type, 0); /* the processor has no such registers */
    c->isa[ISA_MTRR / 64] |= UINT64_C(1) << ISA_MTRR % 64;
    vm_lock(vm);
    vm_reset_locked(vm);
    vm_unlock(vm);
    ck_assert_uint_eq(c->msr.mtrr_def_type, 0xc06);
    ck_assert_uint_eq(c->msr.mtrr_fix[0], 0x0606060606060606);
    ck_assert_uint_eq(c->msr.mtrr_fix[1], 0x0606060606060606);
    ck_assert_uint_eq(c->msr.mtrr_fix[2], 0);
    for (unsigned n = 3; n < 11; n++)
        ck_assert_uint_eq(c->msr.mtrr_fix[n], 0x0505050505050505);
    ck_assert_uint_eq(c->msr.mtrr_base[0], 0xc0000000);
    ck_assert_uint_eq(c->msr.mtrr_mask[0], 0xffc0000800);
    ck_assert_uint_eq(c->msr.mtrr_mask[1], 0);
    vm_destroy(vm);
}
END_TEST

/* ELF: segments at their physical addresses, zeroes behind them, entry point made physical. */
START_TEST(elf_is_loaded)
{
    static const uint8_t zeroes[0xd00];
    struct vm *vm;
    image_make(image, _i == 0 ? ELF32 : ELF64);
    ck_assert_str_eq(boot_image(IMAGE_SIZE, &vm), "");
    assert_guest_has(vm, LOAD_AT, image + 0x600, 0x300);
    assert_guest_has(vm, LOAD_AT + 0x300, zeroes, 0xd00);
    assert_guest_has(vm, LOAD_AT + 0x1000, image + 0x900, 0x100);
    ck_assert_uint_eq(fake_cpu_of(vm)->r[RIP], LOAD_AT + 0x10);
    ck_assert_uint_eq(fake_cpu_of(vm)->r[RAX], 0x2badb002);
    vm_destroy(vm);
}
END_TEST

/* A kernel that lies where other loaders keep their own tables is loaded there all the same. */
START_TEST(low_memory_belongs_to_the_kernel)
{
    struct vm *vm;
    image_make(image, ELF32);
    put(PH_AT + offsetof(Elf32_Phdr, p_paddr), 0x1000, 4);
    ck_assert_str_eq(boot_image(IMAGE_SIZE, &vm), "");
    assert_guest_has(vm, 0x1000, image + 0x600, 0x300);
    ck_assert_uint_eq(fake_cpu_of(vm)->gdt.limit, 31);
    ck_assert_uint_ge(fake_cpu_of(vm)->gdt.base, LOAD_AT + 0x1100);
    ck_assert_uint_eq(guest_u32(vm, fake_cpu_of(vm)->gdt.base + 0x14), 0x00cf9b00);
    vm_destroy(vm);
}
END_TEST

/* The smallest machine has no memory above 1 MiB. */
START_TEST(no_memory_at_all)
{
    struct vm_config cfg = {
        .kernel_data = image, .kernel_size = IMAGE_SIZE, .ram_bytes = VM_MIN_RAM};
    for (unsigned f = 0; f < IMAGE_FORMATS; f++) {
        image_make(image, (enum image_format)f);
        ck_assert_str_ne(boot_with(cfg, NULL), "");
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("boot");
    TCase *t = tcase_create("boot");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, lying_header, 0, sizeof(lies) / sizeof(lies[0]));
    tcase_add_test(t, unknown_features);
    tcase_add_test(t, too_many_segments);
    tcase_add_loop_test(t, truncated_anywhere, 0, IMAGE_FORMATS);
    tcase_add_loop_test(t, bad_file, 0, sizeof(files) / sizeof(files[0]));
    tcase_add_test(t, long_path);
    tcase_add_test(t, command_line_fits);
    tcase_add_test(t, too_many_modules);
    tcase_add_test(t, initrd_is_above_the_kernel);
    tcase_add_test(t, fwcfg_tells_what_is_loaded);
    tcase_add_test(t, real_mode_kernel_is_left_to_the_bios);
    tcase_add_loop_test(t, memory_types, 0, IMAGE_FORMATS);
    tcase_add_loop_test(t, elf_is_loaded, 0, 2);
    tcase_add_test(t, low_memory_belongs_to_the_kernel);
    tcase_add_test(t, no_memory_at_all);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *r = srunner_create(suite());
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
