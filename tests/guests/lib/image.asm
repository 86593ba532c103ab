; SPDX-License-Identifier: MIT
;
; The frame of every guest: a flat image whose Multiboot-1 header (Multiboot Specification 0.6.96,
; section 3.1) says where it wants to be, so that no linker is needed. The loader starts us in
; 32-bit protected mode, paging and interrupts off, flat segments, EAX = MULTIBOOT_LOADED,
; EBX = address of the information structure.
;
; A guest includes this file first, defines `entry` in .text, and ends with IMAGE_END. With IMAGE_ELF
; defined as 32 or 64 the file is an ELF file of that class, whose virtual addresses are those of
; memory plus IMAGE_VIRTUAL, and which also wants ELF_FAR_TEXT at ELF_FAR.

MULTIBOOT_MAGIC         equ 0x1badb002
MULTIBOOT_LOADED        equ 0x2badb002
%assign MULTIBOOT_FLAGS 3                       ; page-aligned modules, memory map
MULTIBOOT_HAS_CMDLINE   equ 1 << 2              ; in the information's flags
MULTIBOOT_HAS_MMAP      equ 1 << 6
MULTIBOOT_CMDLINE       equ 16                  ; offsets in the information
MULTIBOOT_MMAP_LENGTH   equ 44
MULTIBOOT_MMAP          equ 48

LOAD_ADDRESS            equ 0x100000

        bits    32
        cpu     x64                             ; what a guest uses beyond the 386 is its business
        org     LOAD_ADDRESS

section .text
section .user follows=.text align=4096 progbits ; pages that ring 3 may use, in the demo guest
section .data follows=.user align=4096 progbits
section .strings follows=.data align=1 progbits
section .bss follows=.strings align=4096 nobits

section .text
%ifdef IMAGE_ELF
IMAGE_VIRTUAL           equ 0xc0000000
ELF_FAR                 equ 0x200000
ELF_FAR_SIZE            equ 64                  ; zeroes behind the text
%define ELF_FAR_TEXT    "far away", 0

; A field as wide as an address.
%macro ELF_WORD 1+
    %if IMAGE_ELF == 64
        dq      %1
    %else
        dd      %1
    %endif
%endmacro

; Offset, physical address, bytes in the file, bytes in memory.
%macro ELF_SEGMENT 4
        dd      1                               ; PT_LOAD
    %if IMAGE_ELF == 64
        dd      7
    %endif
        ELF_WORD %1
        ELF_WORD %2 + IMAGE_VIRTUAL
        ELF_WORD %2
        ELF_WORD %3
        ELF_WORD %4
    %if IMAGE_ELF == 32
        dd      7
    %endif
        ELF_WORD 1
%endmacro

elf_header:
        db      0x7f, "ELF", IMAGE_ELF / 32, 1, 1, 0
        dq      0
        dw      2                               ; ET_EXEC
    %if IMAGE_ELF == 64
        dw      62                              ; EM_X86_64
    %else
        dw      3                               ; EM_386
    %endif
        dd      1
        ELF_WORD entry + IMAGE_VIRTUAL
        ELF_WORD elf_segments - LOAD_ADDRESS
        ELF_WORD 0
        dd      0
        dw      elf_segments - elf_header, elf_far_segment - elf_segments, 2, 0, 0, 0
elf_segments:
        ELF_SEGMENT 0, LOAD_ADDRESS, file_end - LOAD_ADDRESS, image_end - LOAD_ADDRESS
elf_far_segment:
        ELF_SEGMENT elf_far_text - LOAD_ADDRESS, ELF_FAR, elf_far_end - elf_far_text, ELF_FAR_SIZE
elf_far_text:
        db      ELF_FAR_TEXT
elf_far_end:
        align   4
%else
    %assign MULTIBOOT_FLAGS MULTIBOOT_FLAGS | 1 << 16    ; the header's own addresses
%endif

multiboot_header:
        dd      MULTIBOOT_MAGIC
        dd      MULTIBOOT_FLAGS
        dd      -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
        dd      multiboot_header                ; where this header is
        dd      LOAD_ADDRESS                    ; where the file's text goes ...
        dd      0                               ; ... all of it
        dd      image_end                       ; memory up to here is ours, zeroed
        dd      entry

%macro IMAGE_END 0
section .strings
file_end:
section .bss
        alignb  4096
image_end:
%endmacro
