; SPDX-License-Identifier: MIT
;
; The 32-bit service directory (Standard BIOS 32-bit Service Directory Proposal 0.4), which offers
; the PCI functions to protected mode.

        align   16, db 0
bios32_header:
        db      "_32_"
        dd      0xf0000 + bios32_directory
        db      0, 1                    ; revision, paragraphs
        db      0                       ; checksum
        times   5 db 0

bios32_post:
        mov     esi, 0xf0000 + bios32_header
        lea     edi, [esi + 10]
        mov     ecx, 16
        jmp     checksum

        bits    32
; EAX is a service, BL 0: its base in EBX, length in ECX, entry in EDX; AL = 80h: there is none.
bios32_directory:
        test    bl, bl
        jnz     .bad
        cmp     eax, '$PCI'
        mov     al, 0x80
        jne     .end
        mov     ebx, 0xf0000
        mov     ecx, 0x10000
        mov     edx, bios32_pci
        mov     al, 0
.end:   retf
.bad:   mov     al, 0x81
        retf

bios32_pci:
        and     al, 0x7f
        PCI_FUNCTIONS
        retf
        bits    16
