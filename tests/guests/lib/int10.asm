; SPDX-License-Identifier: MIT
;
; INT 10h for the test guests: video_start does what firmware does with the display adapter's BIOS, where
; none has, and maps all addresses, the frame buffer's too. Include lib/test.asm and lib/real.asm first.

VGA_FUNCTION    equ 0x80001000                  ; 0:2.0
ROM_BAR         equ 0x30
ROM_AT          equ 0xe0000000
ROM_SEG         equ 0xc000
CR4_PSE         equ 1 << 4
PDE_LARGE       equ 1 << 7
ARGUMENTS       equ 0x600                       ; of 16-bit code
STACK           equ 0x7000

; Copies 16-bit code from label %1 to %2 to where enter_real goes, and goes there.
%macro RUN_REAL 2
        mov     esi, %1
        mov     edi, REAL_CODE
        mov     ecx, %2 - %1
        rep movsb
        call    enter_real
%endmacro

section .text
video_start:
        mov     eax, cr4
        or      eax, CR4_PSE
        mov     cr4, eax
        mov     edi, page_directory
        mov     eax, PDE_LARGE | PTE_P | PTE_W
        mov     ecx, 1024
.page:  stosd
        add     eax, 1 << 22
        loop    .page
        mov     eax, cr3
        mov     cr3, eax
        cmp     word [ROM_SEG << 4], 0xaa55
        je      .end
        call    copy_rom
        RUN_REAL start_rom, start_rom_end
.end:   ret

copy_rom:
        mov     eax, VGA_FUNCTION | ROM_BAR
        mov     ecx, ROM_AT | 1
        call    pci_write
        mov     eax, VGA_FUNCTION | 4
        mov     ecx, 7
        call    pci_write
        mov     esi, ROM_AT
        mov     edi, ROM_SEG << 4
        mov     ecx, 0x10000 / 4
        rep movsd
        mov     eax, VGA_FUNCTION | ROM_BAR
        xor     ecx, ecx
        jmp     pci_write

        bits    16
start_rom:
        mov     sp, STACK
        mov     ax, 0x10                        ; bus 0, device 2, function 0
        call    ROM_SEG:3
        jmp     0:REAL_BACK
start_rom_end:
        bits    32
