/* SPDX-License-Identifier: MIT */
/* Multiboot 1 kernels (Multiboot Specification 0.6.96): ELF32, ELF64 with a 32-bit entry point, or
 * any file with the header's own load addresses. Modules and the information structure follow the
 * kernel in memory, each on a page boundary. */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cpu/cpu.h"
#include "devices/boot.h"
#include "devices/e820.h"

#define MB_SEARCH         8192
#define MB_HEADER_MAGIC   0x1badb002u
#define MB_BOOT_MAGIC     0x2badb002u
#define MB_FLAG_VIDEO     0x00000004u
#define MB_FLAG_ADDRESSES 0x00010000u
#define MB_FLAGS_UNKNOWN  0x0000fff8u /* bits 3-15 must be understood */

#define MBI_MEMORY      0x001u
#define MBI_CMDLINE     0x004u
#define MBI_MODULES     0x008u
#define MBI_MMAP        0x040u
#define MBI_LOADER_NAME 0x200u

#define GDT_ADDR 0x1000
#define MMAP_MAX 128

/* The information structure up to the loader's name. */
struct mbi {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
    uint32_t mods_count, mods_addr, syms[4];
    uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name;
};

struct mb_module {
    uint32_t start, end, cmdline, reserved;
};

struct mb_mmap {
    uint32_t size;
    uint32_t base_low, base_high, len_low, len_high, type;
};

/* One piece of the file and where it goes. */
struct load_segment {
    uint64_t off, file_size; /* in the image */
    uint64_t pa, mem_size;   /* mem_size >= file_size; the rest is zeroed */
};

static bool find_header(const struct image *k, size_t *at)
{
    size_t end = k->size < MB_SEARCH ? k->size : MB_SEARCH;
    for (size_t off = 0; off + 12 <= end; off += 4)
        if (image_u32(k, off) == MB_HEADER_MAGIC &&
            image_u32(k, off) + image_u32(k, off + 4) + image_u32(k, off + 8) == 0) {
            *at = off;
            return true;
        }
    return false;
}

bool boot_is_multiboot(const struct image *k)
{
    size_t at;
    return find_header(k, &at);
}

/* -- What to load ------------------------------------------------------------------------------ */

struct plan {
    struct load_segment seg[32];
    unsigned count;
    uint32_t entry;
};

static int plan_by_header(struct vm *vm, const struct image *k, size_t at, struct plan *p)
{
    if (at + 32 > k->size)
        return vm_fail(vm, -ENOEXEC, "%s: truncated multiboot header", k->path);
    uint32_t header = image_u32(k, at + 12), load = image_u32(k, at + 16);
    uint32_t load_end = image_u32(k, at + 20), bss_end = image_u32(k, at + 24);
    if (header < load || header - load > at)
        return vm_fail(vm, -ENOEXEC, "%s: wrong addresses in the multiboot header", k->path);
    uint64_t off = at - (header - load);
    uint64_t n = load_end == 0 ? k->size - off : (uint64_t)load_end - load;
    if (load_end != 0 && load_end < load)
        return vm_fail(vm, -ENOEXEC, "%s: wrong addresses in the multiboot header", k->path);
    if (n > k->size - off)
        return vm_fail(vm, -ENOEXEC, "%s: truncated: the header promises %llu bytes", k->path,
                       (unsigned long long)(off + n));
    uint64_t mem = bss_end > load + n ? bss_end - load : n;
    p->seg[0] = (struct load_segment){off, n, load, mem};
    p->count = 1;
    p->entry = image_u32(k, at + 28);
    return 0;
}

static int plan_add(struct vm *vm, const struct image *k, struct plan *p, struct load_segment s)
{
    if (s.mem_size == 0)
        return 0;
    if (s.file_size > s.mem_size || s.off > k->size || s.file_size > k->size - s.off)
        return vm_fail(vm, -ENOEXEC, "%s: truncated or corrupt ELF segment", k->path);
    if (s.pa + s.mem_size > UINT32_MAX || s.pa + s.mem_size < s.pa)
        return vm_fail(vm, -ENOEXEC, "%s: ELF segment above 4 GiB", k->path);
    if (p->count == sizeof(p->seg) / sizeof(p->seg[0]))
        return vm_fail(vm, -ENOEXEC, "%s: too many ELF segments", k->path);
    p->seg[p->count++] = s;
    return 0;
}

static int plan_elf32(struct vm *vm, const struct image *k, struct plan *p)
{
    Elf32_Ehdr eh;
    memcpy(&eh, k->data, sizeof(eh));
    if (eh.e_machine != EM_386)
        return vm_fail(vm, -ENOEXEC, "%s: ELF file is not for x86", k->path);
    for (unsigned n = 0; n < eh.e_phnum; n++) {
        Elf32_Phdr ph;
        uint64_t off = eh.e_phoff + (uint64_t)n * sizeof(ph);
        if (eh.e_phentsize != sizeof(ph) || off + sizeof(ph) > k->size)
            return vm_fail(vm, -ENOEXEC, "%s: corrupt ELF program headers", k->path);
        memcpy(&ph, k->data + off, sizeof(ph));
        struct load_segment s = {ph.p_offset, ph.p_filesz, ph.p_paddr, ph.p_memsz};
        int err = ph.p_type == PT_LOAD ? plan_add(vm, k, p, s) : 0;
        if (err != 0)
            return err;
        /* Entry points are virtual where virtual and physical addresses differ. */
        if (ph.p_type == PT_LOAD && eh.e_entry - ph.p_vaddr < ph.p_memsz)
            p->entry = eh.e_entry - ph.p_vaddr + ph.p_paddr;
    }
    return 0;
}

static int plan_elf64(struct vm *vm, const struct image *k, struct plan *p)
{
    Elf64_Ehdr eh;
    memcpy(&eh, k->data, sizeof(eh));
    if (eh.e_machine != EM_X86_64)
        return vm_fail(vm, -ENOEXEC, "%s: ELF file is not for x86", k->path);
    for (unsigned n = 0; n < eh.e_phnum; n++) {
        Elf64_Phdr ph;
        uint64_t off = eh.e_phoff + (uint64_t)n * sizeof(ph);
        if (eh.e_phentsize != sizeof(ph) || off < eh.e_phoff || off + sizeof(ph) > k->size)
            return vm_fail(vm, -ENOEXEC, "%s: corrupt ELF program headers", k->path);
        memcpy(&ph, k->data + off, sizeof(ph));
        struct load_segment s = {ph.p_offset, ph.p_filesz, ph.p_paddr, ph.p_memsz};
        int err = ph.p_type == PT_LOAD ? plan_add(vm, k, p, s) : 0;
        if (err != 0)
            return err;
        if (ph.p_type == PT_LOAD && eh.e_entry - ph.p_vaddr < ph.p_memsz)
            p->entry = (uint32_t)(eh.e_entry - ph.p_vaddr + ph.p_paddr);
    }
    return 0;
}

static int make_plan(struct vm *vm, const struct image *k, struct plan *p)
{
    size_t at = 0;
    *p = (struct plan){0};
    find_header(k, &at);
    uint32_t flags = image_u32(k, at + 4);
    if (flags & MB_FLAGS_UNKNOWN)
        return vm_fail(vm, -ENOEXEC, "%s: asks for unknown multiboot features (flags %08x)",
                       k->path, flags);
    if (flags & MB_FLAG_ADDRESSES)
        return plan_by_header(vm, k, at, p);
    if (k->size >= sizeof(Elf64_Ehdr) && memcmp(k->data, ELFMAG, SELFMAG) == 0) {
        int err = k->data[EI_CLASS] == ELFCLASS64 ? plan_elf64(vm, k, p) : plan_elf32(vm, k, p);
        if (err == 0 && p->count == 0)
            return vm_fail(vm, -ENOEXEC, "%s: ELF file without loadable segments", k->path);
        return err;
    }
    return vm_fail(vm, -ENOEXEC, "%s: multiboot kernel is neither ELF nor has load addresses",
                   k->path);
}

int boot_multiboot_check(struct vm *vm, const struct image *k)
{
    struct plan p;
    return make_plan(vm, k, &p);
}

/* -- Placing ----------------------------------------------------------------------------------- */

/* A cursor that lays things out in guest memory one behind the other. */
struct layout {
    struct vm *vm;
    uint64_t at;
    bool full;
};

static uint32_t place(struct layout *l, const void *data, size_t n)
{
    uint64_t pa = l->at;
    if (pa + n > e820_low_ram_end(l->vm) || !mem_load(l->vm, pa, data, n))
        l->full = true;
    l->at = pa + n;
    return (uint32_t)pa;
}

static void align_page(struct layout *l)
{
    l->at = (l->at + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static int place_segment(struct vm *vm, const struct image *k, const struct load_segment *s)
{
    static const uint8_t zeroes[4096];
    if (!mem_load(vm, s->pa, k->data + s->off, s->file_size))
        return vm_fail(vm, -ENOMEM, "%s: does not fit in memory at %08llx", k->path,
                       (unsigned long long)s->pa);
    for (uint64_t done = s->file_size; done < s->mem_size;) {
        uint64_t n = s->mem_size - done < sizeof(zeroes) ? s->mem_size - done : sizeof(zeroes);
        if (!mem_load(vm, s->pa + done, zeroes, n))
            return vm_fail(vm, -ENOMEM, "%s: does not fit in memory at %08llx", k->path,
                           (unsigned long long)s->pa);
        done += n;
    }
    return 0;
}

static void put_mmap(struct layout *l, struct mbi *info)
{
    struct e820_entry map[MMAP_MAX];
    unsigned n = e820_build(l->vm, map, MMAP_MAX);
    info->mmap_addr = (uint32_t)l->at;
    for (unsigned i = 0; i < n; i++) {
        struct mb_mmap e = {20,
                            (uint32_t)map[i].base,
                            (uint32_t)(map[i].base >> 32),
                            (uint32_t)map[i].size,
                            (uint32_t)(map[i].size >> 32),
                            map[i].type};
        place(l, &e, sizeof(e));
    }
    info->mmap_length = (uint32_t)l->at - info->mmap_addr;
    info->flags |= MBI_MMAP;
}

static void put_modules(struct boot *b, struct layout *l, struct mbi *info)
{
    struct mb_module list[BOOT_MODULES_MAX];
    for (unsigned n = 0; n < b->module_count; n++) {
        align_page(l);
        uint32_t start = place(l, b->module[n].data, b->module[n].size);
        list[n] = (struct mb_module){start, (uint32_t)l->at, 0, 0};
    }
    align_page(l);
    for (unsigned n = 0; n < b->module_count; n++)
        list[n].cmdline = place(l, b->module_cmdline[n], strlen(b->module_cmdline[n]) + 1);
    l->at = (l->at + 3) & ~UINT64_C(3);
    info->mods_count = b->module_count;
    info->mods_addr = place(l, list, b->module_count * sizeof(list[0]));
    info->flags |= MBI_MODULES;
}

/* The command line is the kernel's file name and -append, as boot loaders do it. */
static void put_cmdline(struct boot *b, struct layout *l, struct mbi *info)
{
    info->cmdline = place(l, b->kernel.path, strlen(b->kernel.path));
    place(l, " ", 1);
    place(l, b->cmdline, strlen(b->cmdline) + 1);
    info->loader_name = place(l, "calque", sizeof("calque"));
    l->at = (l->at + 3) & ~UINT64_C(3);
    info->flags |= MBI_CMDLINE | MBI_LOADER_NAME;
}

int boot_multiboot_load(struct boot *b, struct cpu *c)
{
    struct vm *vm = b->dev.vm;
    struct plan p;
    struct layout l = {.vm = vm};
    struct mbi info = {.flags = MBI_MEMORY};
    int err = make_plan(vm, &b->kernel, &p);
    for (unsigned n = 0; n < p.count && err == 0; n++) {
        err = place_segment(vm, &b->kernel, &p.seg[n]);
        if (p.seg[n].pa + p.seg[n].mem_size > l.at)
            l.at = p.seg[n].pa + p.seg[n].mem_size;
    }
    if (err != 0)
        return err;
    if (l.at < 0x100000)
        l.at = 0x100000;
    align_page(&l);
    put_modules(b, &l, &info);
    put_cmdline(b, &l, &info);
    put_mmap(&l, &info);
    info.mem_lower = 639;
    info.mem_upper = (uint32_t)((mem_below_4g(vm) >> 10) - 1024);
    uint32_t addr = place(&l, &info, sizeof(info));
    if (l.full)
        return vm_fail(vm, -ENOMEM, "%s: kernel and modules do not fit in %llu MiB of memory",
                       b->kernel.path, (unsigned long long)(mem_below_4g(vm) >> 20));
    err = boot_protected_mode(vm, c, GDT_ADDR, p.entry);
    c->r[RAX] = MB_BOOT_MAGIC;
    c->r[RBX] = addr;
    return err;
}
