/* SPDX-License-Identifier: MIT */
/* Small kernels of each format that is loaded, for tests that then change them. Nothing in them is
 * code. */
#ifndef TESTS_BOOT_IMAGES_H
#define TESTS_BOOT_IMAGES_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IMAGE_SIZE 0x1000u
#define SETUP_SIZE 0x400u    /* Linux */
#define LOAD_AT    0x200000u /* the others */

static inline void image_put(uint8_t *image, size_t off, uint64_t val, unsigned bytes)
{
    memcpy(image + off, &val, bytes);
}

/* Protocol 2.15, two sectors of setup code, 3 KiB of kernel that needs 2 MiB. */
static inline void image_make_linux(uint8_t *image)
{
    image_put(image, 0x1f1, 1, 1);
    image_put(image, 0x1f4, (IMAGE_SIZE - SETUP_SIZE) / 16, 4);
    image_put(image, 0x1fe, 0xaa55, 2);
    image_put(image, 0x201, 0x68, 1);
    image_put(image, 0x202, 0x53726448, 4);
    image_put(image, 0x206, 0x20f, 2);
    image_put(image, 0x211, 1, 1);
    image_put(image, 0x214, 0x100000, 4);
    image_put(image, 0x22c, 0x7fffffff, 4);
    image_put(image, 0x238, 255, 4);
    image_put(image, 0x258, 0x100000, 8);
    image_put(image, 0x260, 0x200000, 4);
}

static inline void image_put_multiboot(uint8_t *image, size_t at, uint32_t flags)
{
    image_put(image, at, 0x1badb002, 4);
    image_put(image, at + 4, flags, 4);
    image_put(image, at + 8, (uint32_t) - (0x1badb002 + flags), 4);
}

#define MB_AT 0x40

static inline void image_make_header(uint8_t *image)
{
    image_put_multiboot(image, MB_AT, 0x10003);
    image_put(image, MB_AT + 12, LOAD_AT + MB_AT, 4);
    image_put(image, MB_AT + 16, LOAD_AT, 4);
    image_put(image, MB_AT + 20, LOAD_AT + 0x800, 4);
    image_put(image, MB_AT + 24, LOAD_AT + 0x2000, 4);
    image_put(image, MB_AT + 28, LOAD_AT + 0x100, 4);
}

#define ELF_MB_AT 0x400
#define PH_AT     0x100

/* Two segments: 300h bytes from 600h, with 1000h bytes of memory, linked at C0200000 and loaded at
 * LOAD_AT, and 100h bytes behind them. The entry point is virtual. */
static inline void image_make_elf32(uint8_t *image)
{
    const Elf32_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1},
                           .e_type = ET_EXEC,
                           .e_machine = EM_386,
                           .e_entry = 0xc0200010,
                           .e_phoff = PH_AT,
                           .e_phentsize = sizeof(Elf32_Phdr),
                           .e_phnum = 3};
    const Elf32_Phdr ph[3] = {
        {PT_LOAD, 0x600, 0xc0200000, LOAD_AT, 0x300, 0x1000, PF_R, 0},
        {PT_NOTE, 0xffffffff, 0, 0, 0xffffffff, 0xffffffff, PF_R, 0},
        {PT_LOAD, 0x900, 0xc0201000, LOAD_AT + 0x1000, 0x100, 0x100, PF_R, 0},
    };
    memcpy(image, &eh, sizeof(eh));
    memcpy(image + PH_AT, ph, sizeof(ph));
    image_put_multiboot(image, ELF_MB_AT, 3);
}

static inline void image_make_elf64(uint8_t *image)
{
    const Elf64_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
                           .e_type = ET_EXEC,
                           .e_machine = EM_X86_64,
                           .e_entry = 0xffffffff80200010,
                           .e_phoff = PH_AT,
                           .e_phentsize = sizeof(Elf64_Phdr),
                           .e_phnum = 2};
    const Elf64_Phdr ph[2] = {
        {PT_LOAD, PF_R, 0x600, 0xffffffff80200000, LOAD_AT, 0x300, 0x1000, 0},
        {PT_LOAD, PF_R, 0x900, 0xffffffff80201000, LOAD_AT + 0x1000, 0x100, 0x100, 0},
    };
    memcpy(image, &eh, sizeof(eh));
    memcpy(image + PH_AT, ph, sizeof(ph));
    image_put_multiboot(image, ELF_MB_AT, 3);
}

enum image_format { LINUX, HEADER, ELF32, ELF64, IMAGE_FORMATS };

static inline void image_make(uint8_t *image, enum image_format f)
{
    static void (*const make[])(uint8_t *) = {image_make_linux, image_make_header, image_make_elf32,
                                              image_make_elf64};
    for (unsigned k = 0; k < IMAGE_SIZE; k++)
        image[k] = k < 0x600 ? 0 : (uint8_t)(k * 7 + (k >> 8));
    make[f](image);
}

#endif
