; SPDX-License-Identifier: MIT
;
; The frame of every guest: a flat image whose Multiboot-1 header (Multiboot Specification 0.6.96,
; section 3.1) says where it wants to be, so that no linker is needed. The loader starts us in
; 32-bit protected mode, paging and interrupts off, flat segments, EAX = MULTIBOOT_LOADED,
; EBX = address of the information structure.
;
; A guest includes this file first, defines `entry` in .text, and ends with IMAGE_END.

MULTIBOOT_MAGIC         equ 0x1badb002
MULTIBOOT_LOADED        equ 0x2badb002
MULTIBOOT_FLAGS         equ 0x00010003          ; page-aligned modules, memory map, addresses
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
section .bss
        alignb  4096
image_end:
%endmacro
