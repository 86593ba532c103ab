; SPDX-License-Identifier: MIT
;
; Memory while the BIOS starts: shadow RAM, interrupt vectors, data areas, how much there is.

ROMS_AT         equ 0xc0000
ROMS_END        equ 0xf0000

; -- Shadow RAM ------------------------------------------------------------------------------------

; AL to PAM1-PAM6, C0000-EFFFF. Changes EAX, DX.
set_pams:
        mov     ah, al
        push    ax
        mov     eax, PAM0
        mov     dx, PCI_ADDRESS
        out     dx, eax
        pop     ax
        mov     dx, PCI_DATA + 2
        out     dx, ax
        push    ax
        mov     eax, PAM0 + 4
        mov     dx, PCI_ADDRESS
        out     dx, eax
        pop     ax
        mov     dx, PCI_DATA
        out     dx, ax
        add     dl, 2
        out     dx, ax
        ret

; RAM for the ROMs of adapters, which looks empty.
open_shadow:
        mov     al, PAM_RAM
        call    set_pams
        mov     edi, ROMS_AT
        mov     ecx, (ROMS_END - ROMS_AT) / 4
        or      eax, -1
        a32 rep stosd
        ret

; From here on the ROMs can't be written.
close_shadow:
        mov     al, PAM_ROM
        call    set_pams
        mov     eax, PAM0
        mov     dx, PCI_ADDRESS
        out     dx, eax
        mov     dx, PCI_DATA + 1
        mov     al, PAM_ROM & 0xf0
        out     dx, al
        ret

; -- Vectors and data areas ------------------------------------------------------------------------

; All interrupts go to an IRET, or the end of an interrupt for those of the controllers; then those
; of the table to their services. The rest of the data areas is zero.
set_vectors:
        xor     di, di
        mov     cx, 0x600 / 2
        xor     ax, ax
        rep stosw
        xor     di, di
        mov     cx, 0x78
        mov     eax, BIOS_SEG << 16
        mov     ax, int_nothing
        rep stosd
        mov     ax, irq_nothing1
        mov     di, 4 * 0x08
        mov     cl, 8
        rep stosd
        mov     ax, irq_nothing2
        mov     di, 4 * 0x70
        mov     cl, 8
        rep stosd
        mov     di, 4 * 0x60            ; free for programs
        xor     eax, eax
        mov     cl, 8
        rep stosd
        mov     si, vector_table
.next:  cs lodsw
        mov     di, ax
        cs lodsw
        stosw
        cmp     si, vector_table.end
        jb      .next
        ret

set_data_area:
        mov     word [0x400 + BDA_EBDA], EBDA_AT >> 4
        mov     word [0x400 + BDA_MEM_KB], EBDA_AT >> 10
        mov     word [0x400 + BDA_EQUIPMENT], 0x0026   ; FPU, PS/2 mouse, 80 columns in colour
        mov     word [0x400 + BDA_KBD_HEAD], BDA_KBD_BUF
        mov     word [0x400 + BDA_KBD_TAIL], BDA_KBD_BUF
        mov     word [0x400 + BDA_KBD_START], BDA_KBD_BUF
        mov     word [0x400 + BDA_KBD_END], BDA_KBD_BUF + 32
        mov     dword [0x400 + BDA_LPT_TIME], 0x14141414
        mov     dword [0x400 + BDA_COM_TIME], 0x01010101
        mov     byte [0x400 + BDA_KBD_MODE], 0x10      ; 101 keys
        mov     edi, EBDA_AT
        mov     ecx, 0x400 / 4
        xor     eax, eax
        a32 rep stosd
        mov     byte [dword EBDA_AT + EB_SIZE], 1
        ret

; -- How much memory there is ----------------------------------------------------------------------

; The map of INT 15h AX=E820h: entries of 20 bytes, sorted.
E820_MAX        equ 16
E820_RAM        equ 1
E820_RESERVED   equ 2
        align   4, db 0
e820_count:
        dw      0
low_end:                                ; of RAM below 4 GiB; what is above is taken by tables
        dd      0
usable_end:
        dd      0
above_4g:                               ; bytes of RAM above 4 GiB
        dd      0, 0
e820_map:
        times   E820_MAX * 20 db 0

; Sizes as the CMOS has them: 64 KiB units above 16 MiB, or KiB above 1 MiB; 64 KiB above 4 GiB.
memory_post:
        mov     al, 0x34
        call    cmos_word
        movzx   ebx, ax
        shl     ebx, 16
        jz      .small
        add     ebx, 0x1000000
        jmp     .low
.small: mov     al, 0x30
        call    cmos_word
        movzx   ebx, ax
        shl     ebx, 10
        add     ebx, 0x100000
.low:   mov     [cs:low_end], ebx
        mov     [cs:usable_end], ebx
        mov     al, 0x5b
        call    cmos_word
        mov     cx, ax
        mov     al, 0x5d
        call    cmos_read
        movzx   eax, al
        shl     eax, 16
        mov     ax, cx                  ; EAX * 64 KiB
        mov     ecx, eax
        shl     eax, 16
        shr     ecx, 16
        mov     [cs:above_4g], eax
        mov     [cs:above_4g + 4], ecx
        ret

; Takes EAX bytes from the end of usable memory, aligned to EBX, a power of two: the address in EAX,
; or zero. Between memory_post and memory_map_post.
take_memory:
        push    ecx
        neg     ebx
        mov     ecx, [cs:usable_end]
        sub     ecx, eax
        jb      .none
        and     ecx, ebx
        cmp     ecx, 0x200000
        jb      .none
        mov     eax, ecx
        and     ecx, ~0xfff
        mov     [cs:usable_end], ecx
        pop     ecx
        ret
.none:  xor     eax, eax
        pop     ecx
        ret

; What INT 15h will tell.
memory_map_post:
        mov     di, e820_map
        mov     si, .fixed
.next:  cs lodsd
        mov     ebx, eax
        cs lodsd
        mov     ecx, eax
        cs lodsw
        call    .add
        cmp     si, .fixed_end
        jb      .next
        mov     ebx, 0x100000
        mov     ecx, [cs:usable_end]
        sub     ecx, ebx
        mov     ax, E820_RAM
        call    .add
        mov     ebx, [cs:usable_end]
        mov     ecx, [cs:low_end]
        sub     ecx, ebx
        mov     ax, E820_RESERVED
        call    .add
        mov     ebx, 0xfec00000         ; APICs, firmware
        mov     ecx, -0xfec00000
        call    .add
        xor     ebx, ebx
        mov     ecx, [cs:above_4g]
        mov     edx, [cs:above_4g + 4]
        mov     ax, E820_RAM
        mov     bp, 1
        call    .add_high
        mov     ax, di
        sub     ax, e820_map
        xor     dx, dx
        mov     cx, 20
        div     cx
        mov     [cs:e820_count], ax
        ret

; ECX bytes at EBX of kind AX, unless there are none.
.add:   xor     edx, edx
        xor     bp, bp
; EDX:ECX bytes at BP:EBX.
.add_high:
        push    ecx
        or      ecx, edx
        pop     ecx
        jz      .ret
        mov     [cs:di], ebx
        mov     [cs:di + 4], bp
        mov     [cs:di + 8], ecx
        mov     [cs:di + 12], edx
        mov     [cs:di + 16], ax
        add     di, 20
.ret:   ret

.fixed: dd      0, EBDA_AT
        dw      E820_RAM
        dd      EBDA_AT, 0xa0000 - EBDA_AT
        dw      E820_RESERVED
        dd      0xf0000, 0x10000
        dw      E820_RESERVED
.fixed_end:
