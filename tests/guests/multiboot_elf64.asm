; SPDX-License-Identifier: MIT
;
; What a Multiboot kernel finds, in an ELF file for 64-bit processors, which Multiboot starts in 32-bit mode all the same.

%define IMAGE_ELF 64
%define GUEST_NAME "multiboot_elf64"
%include "multiboot/checks.asm"
