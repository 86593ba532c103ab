; SPDX-License-Identifier: MIT
;
; What a Multiboot kernel finds, in an ELF file.

%define IMAGE_ELF 32
%define GUEST_NAME "multiboot_elf32"
%include "multiboot/checks.asm"
