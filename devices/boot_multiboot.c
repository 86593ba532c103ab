/* SPDX-License-Identifier: MIT */
/* Multiboot 1 kernels (Multiboot Specification 0.6.96): ELF32, ELF64 with a 32-bit entry point, or
 * any file with the header's own load addresses. Modules, each on a page boundary, the information
 * structure and the GDT follow the kernel in memory, where nothing that it loads can be. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "cpu/cpu.h"
#include "devices/boot.h"
#include "devices/e820.h"

#define MB_SEARCH         8192
#define MB_HEADER_MAGIC   0x1badb002u
#define MB_BOOT_MAGIC     0x2badb002u
#define MB_FLAG_ADDRESSES 0x00010000u
#define MB_FLAGS_UNKNOWN  0x0000fff8u /* bits 3-15 must be understood */

#define MBI_MEMORY      0x001u
#define MBI_CMDLINE     0x004u
#define MBI_MODULES     0x008u
#define MBI_MMAP        0x040u
#define MBI_LOADER_NAME 0x200u

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

#define SEGMENTS_MAX 32

struct plan {
    struct load_segment seg[SEGMENTS_MAX];
    unsigned count;
    uint64_t entry; /* physical */
};

static int plan_add(struct vm *vm, const struct image *k, struct plan *p, struct load_segment s)
{
    if (s.mem_size == 0)
        return 0;
    if (s.file_size > s.mem_size)
        return vm_fail(vm, -ENOEXEC, "%s: segment is larger in the file than in memory", k->path);
    if (s.off > k->size || s.file_size > k->size - s.off)
        return vm_fail(vm, -ENOEXEC, "%s: truncated: a segment is behind the end", k->path);
    if (s.mem_size > UINT32_MAX || s.pa > UINT32_MAX - s.mem_size)
        return vm_fail(vm, -ENOEXEC, "%s: segment above 4 GiB", k->path);
    for (unsigned n = 0; n < p->count; n++)
        if (s.pa < p->seg[n].pa + p->seg[n].mem_size && p->seg[n].pa < s.pa + s.mem_size)
            return vm_fail(vm, -ENOEXEC, "%s: segments overlap at %08llx", k->path,
                           (unsigned long long)(s.pa > p->seg[n].pa ? s.pa : p->seg[n].pa));
    if (p->count == SEGMENTS_MAX)
        return vm_fail(vm, -ENOEXEC, "%s: more than %d segments", k->path, SEGMENTS_MAX);
    p->seg[p->count++] = s;
    return 0;
}

static int plan_by_header(struct vm *vm, const struct image *k, size_t at, struct plan *p)
{
    if (at + 32 > k->size)
        return vm_fail(vm, -ENOEXEC, "%s: truncated multiboot header", k->path);
    uint32_t header = image_u32(k, at + 12), load = image_u32(k, at + 16);
    uint32_t load_end = image_u32(k, at + 20), bss_end = image_u32(k, at + 24);
    p->entry = image_u32(k, at + 28);
    if (header < load || header - load > at || (load_end != 0 && load_end <= header) ||
        (bss_end != 0 && bss_end < load_end))
        return vm_fail(vm, -ENOEXEC, "%s: wrong addresses in the multiboot header", k->path);
    uint64_t off = at - (header - load);
    uint64_t n = load_end == 0 ? k->size - off : (uint64_t)load_end - load;
    uint64_t mem = bss_end > load + n ? bss_end - load : n;
    return plan_add(vm, k, p, (struct load_segment){off, n, load, mem});
}

/* Where the fields of a class of ELF files are. */
struct elf_class {
    uint16_t machine;
    uint8_t word; /* bytes of an address, an offset or a size */
    uint8_t header_size, entry, phoff, phentsize, phnum;
    uint8_t ph_size, offset, vaddr, paddr, filesz, memsz; /* in a program header */
};

#define ELF_CLASS(n, em)                                                                           \
    {                                                                                              \
        em, n / 8, sizeof(Elf##n##_Ehdr), offsetof(Elf##n##_Ehdr, e_entry),                        \
            offsetof(Elf##n##_Ehdr, e_phoff), offsetof(Elf##n##_Ehdr, e_phentsize),                \
            offsetof(Elf##n##_Ehdr, e_phnum), sizeof(Elf##n##_Phdr),                               \
            offsetof(Elf##n##_Phdr, p_offset), offsetof(Elf##n##_Phdr, p_vaddr),                   \
            offsetof(Elf##n##_Phdr, p_paddr), offsetof(Elf##n##_Phdr, p_filesz),                   \
            offsetof(Elf##n##_Phdr, p_memsz)                                                       \
    }

static const struct elf_class elf_classes[] = {
    [ELFCLASS32] = ELF_CLASS(32, EM_386),
    [ELFCLASS64] = ELF_CLASS(64, EM_X86_64),
};

/* One program header. Entry points are virtual where virtual and physical addresses differ and the
 * entry point lies in a segment's virtual addresses; otherwise they are physical. */
static int plan_elf_segment(struct vm *vm, const struct image *k, const struct elf_class *e,
                            size_t at, struct plan *p)
{
    uint64_t vaddr = image_uint(k, at + e->vaddr, e->word);
    uint64_t entry = image_uint(k, e->entry, e->word);
    struct load_segment s = {
        .off = image_uint(k, at + e->offset, e->word),
        .file_size = image_uint(k, at + e->filesz, e->word),
        .pa = image_uint(k, at + e->paddr, e->word),
        .mem_size = image_uint(k, at + e->memsz, e->word),
    };
    if (image_u32(k, at) != PT_LOAD)
        return 0;
    if (entry >= vaddr && entry - vaddr < s.mem_size)
        p->entry = entry - vaddr + s.pa;
    return plan_add(vm, k, p, s);
}

static int plan_elf(struct vm *vm, const struct image *k, struct plan *p)
{
    unsigned class = k->data[EI_CLASS];
    if (class != ELFCLASS32 && class != ELFCLASS64)
        return vm_fail(vm, -ENOEXEC, "%s: ELF file of unknown class %u", k->path, class);
    const struct elf_class *e = &elf_classes[class];
    if (k->size < e->header_size)
        return vm_fail(vm, -ENOEXEC, "%s: truncated ELF header", k->path);
    if (image_u16(k, offsetof(Elf32_Ehdr, e_machine)) != e->machine)
        return vm_fail(vm, -ENOEXEC, "%s: ELF file is not for x86", k->path);
    uint64_t at = image_uint(k, e->phoff, e->word), count = image_u16(k, e->phnum);
    if (count != 0 && image_u16(k, e->phentsize) != e->ph_size)
        return vm_fail(vm, -ENOEXEC, "%s: ELF program headers of unknown size", k->path);
    if (at > k->size || count * e->ph_size > k->size - at)
        return vm_fail(vm, -ENOEXEC, "%s: truncated: ELF program headers are behind the end",
                       k->path);
    p->entry = image_uint(k, e->entry, e->word);
    for (; count > 0; count--, at += e->ph_size) {
        int err = plan_elf_segment(vm, k, e, at, p);
        if (err != 0)
            return err;
    }
    return p->count != 0 ? 0
                         : vm_fail(vm, -ENOEXEC, "%s: ELF file without loadable segments", k->path);
}

static int check_entry(struct vm *vm, const struct image *k, const struct plan *p)
{
    for (unsigned n = 0; n < p->count; n++)
        if (p->entry >= p->seg[n].pa && p->entry - p->seg[n].pa < p->seg[n].mem_size)
            return 0;
    return vm_fail(vm, -ENOEXEC, "%s: entry point %llx is outside what is loaded", k->path,
                   (unsigned long long)p->entry);
}

static int make_plan(struct vm *vm, const struct image *k, struct plan *p)
{
    size_t at = 0;
    int err;
    *p = (struct plan){0};
    find_header(k, &at);
    uint32_t flags = image_u32(k, at + 4);
    if (flags & MB_FLAGS_UNKNOWN)
        return vm_fail(vm, -ENOEXEC, "%s: asks for unknown multiboot features (flags %08x)",
                       k->path, flags);
    if (flags & MB_FLAG_ADDRESSES)
        err = plan_by_header(vm, k, at, p);
    else if (memcmp(k->data, ELFMAG, SELFMAG) == 0)
        err = plan_elf(vm, k, p);
    else
        err = vm_fail(vm, -ENOEXEC, "%s: multiboot kernel is neither ELF nor has load addresses",
                      k->path);
    return err == 0 ? check_entry(vm, k, p) : err;
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

static void align_to(struct layout *l, uint64_t bytes)
{
    l->at = (l->at + bytes - 1) & ~(bytes - 1);
}

static int place_segment(struct vm *vm, const struct image *k, const struct load_segment *s)
{
    static const uint8_t zeroes[4096];
    bool ok = s->pa + s->mem_size <= e820_low_ram_end(vm) &&
              mem_load(vm, s->pa, k->data + s->off, s->file_size);
    for (uint64_t done = s->file_size; ok && done < s->mem_size;) {
        uint64_t n = s->mem_size - done < sizeof(zeroes) ? s->mem_size - done : sizeof(zeroes);
        ok = mem_load(vm, s->pa + done, zeroes, n);
        done += n;
    }
    return ok ? 0
              : vm_fail(vm, -ENOMEM, "%s: no memory at %08llx-%08llx, where it wants to be",
                        k->path, (unsigned long long)s->pa,
                        (unsigned long long)(s->pa + s->mem_size - 1));
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
        align_to(l, PAGE_SIZE);
        uint32_t start = place(l, b->module[n].data, b->module[n].size);
        list[n] = (struct mb_module){start, (uint32_t)l->at, 0, 0};
    }
    align_to(l, PAGE_SIZE);
    for (unsigned n = 0; n < b->module_count; n++)
        list[n].cmdline = place(l, b->module_cmdline[n], strlen(b->module_cmdline[n]) + 1);
    align_to(l, 4);
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
    align_to(l, 4);
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
    align_to(&l, PAGE_SIZE);
    put_modules(b, &l, &info);
    put_cmdline(b, &l, &info);
    put_mmap(&l, &info);
    info.mem_lower = 639;
    info.mem_upper = (uint32_t)((mem_below_4g(vm) >> 10) - 1024);
    uint32_t addr = place(&l, &info, sizeof(info));
    align_to(&l, 8);
    uint64_t gdt = l.at;
    if (l.full || gdt + BOOT_GDT_BYTES > e820_low_ram_end(vm))
        return vm_fail(vm, -ENOMEM, "%s: kernel and modules do not fit in %llu MiB of memory",
                       b->kernel.path, (unsigned long long)(mem_below_4g(vm) >> 20));
    err = boot_protected_mode(vm, c, gdt, (uint32_t)p.entry);
    c->r[RAX] = MB_BOOT_MAGIC;
    c->r[RBX] = addr;
    return err;
}
