; SPDX-License-Identifier: MIT
;
; Tables that operating systems look for: ACPI and SMBIOS from fw_cfg, the MP table, $PIR. What must
; lie at F0000 goes to a part of this segment that is kept for it.

; -- Room at F0000 ---------------------------------------------------------------------------------

FSEG_SIZE       equ 0x0c00
        align   16, db 0
fseg_area:
        times   FSEG_SIZE db 0
fseg_next:
        dw      fseg_area

; Takes EAX bytes at F0000, aligned to EBX, a power of two of at most 4096: the flat address in EAX,
; or zero. Changes EBX.
take_fseg:
        push    ecx
        cmp     eax, FSEG_SIZE
        ja      .none
        mov     ecx, ebx
        cmp     cx, 16
        jae     .aligned
        mov     cx, 16
.aligned:
        dec     cx
        movzx   ebx, word [cs:fseg_next]
        add     bx, cx
        not     cx
        and     bx, cx
        add     ax, bx
        cmp     ax, fseg_area + FSEG_SIZE
        ja      .none
        mov     [cs:fseg_next], ax
        lea     eax, [ebx + 0xf0000]
        pop     ecx
        ret
.none:  xor     eax, eax
        pop     ecx
        ret

; Loads the file with the name at CS:SI to F0000: its place in EDI, its size in ECX; or CF.
load_fseg:
        call    fw_file
        jc      .end
        mov     ecx, eax
        mov     ebx, 16
        call    take_fseg
        cmp     eax, 1
        jb      .end
        mov     edi, eax
        push    edi
        push    ecx
        call    fw_read
        pop     ecx
        pop     edi
        clc
.end:   ret

; -- ACPI and SMBIOS -------------------------------------------------------------------------------

tables_post:
        call    acpi_load

; The entry point, with the address of the structures and its checksums (DMTF DSP0134, 5.2).
        mov     si, .structures
        call    fw_file
        jc      .end
        mov     ecx, eax
        mov     ebx, 16
        call    take_memory
        test    eax, eax
        jz      .end
        mov     edi, eax
        push    eax
        call    fw_read
        mov     si, .anchor
        call    load_fseg
        pop     edx
        jc      .end
        cmp     dword [edi], '_SM3'
        je      .version3
        mov     [edi + 0x18], edx
        lea     esi, [edi + 0x10]
        mov     ecx, 15
        push    edi
        add     edi, 0x15
        call    checksum
        pop     edi
        movzx   ecx, byte [edi + 5]
        mov     esi, edi
        add     edi, 4
        jmp     checksum
.version3:
        mov     [edi + 0x10], edx
        movzx   ecx, byte [edi + 6]
        mov     esi, edi
        add     edi, 5
        jmp     checksum
.end:   ret
.anchor:
        db      "etc/smbios/smbios-anchor", 0
.structures:
        db      "etc/smbios/smbios-tables", 0

; -- MultiProcessor specification ------------------------------------------------------------------

; The machine's table, made for address 0: a pointer structure of 16 bytes, then the table.
mp_post:
        mov     si, .name
        call    load_fseg
        jc      .end
        add     [edi + 4], edi
        mov     esi, edi
        mov     ecx, 16
        add     edi, 10
        jmp     checksum
.end:   ret
.name:  db      "etc/mptable", 0

; -- $PIR ------------------------------------------------------------------------------------------

PIR_SLOTS       equ 31
PIR_ENTRIES     equ 16 * PIR_SLOTS      ; bytes
PIR_LINES       equ 0xdef8              ; lines that a PCI interrupt may be routed to
PIR_OWN         equ 0x0c00              ; ... and those that are for PCI alone
pir_at: dw      0                       ; 0: there is none

; The table of slots, and which inputs of the router their pins reach (Microsoft, PCI IRQ Routing
; Table Specification 1.0).
pir_post:
        mov     eax, 32 + PIR_ENTRIES
        mov     ebx, 16
        call    take_fseg
        test    eax, eax
        jz      .end
        mov     [cs:pir_at], ax
        mov     edi, eax
        mov     ebx, eax
        mov     si, .head
        mov     ecx, .head_end - .head
.copy:  mov     al, [cs:si]
        mov     [edi], al
        inc     si
        inc     edi
        loop    .copy
        mov     dl, 1                   ; slot
.slot:  mov     dh, dl
        shl     dh, 3
        mov     [edi], cl
        mov     [edi + 1], dh
        add     edi, 2
        mov     al, dl
        dec     al
.pin:   and     al, 3
        or      al, 0x60
        mov     [edi], al
        mov     word [edi + 1], PIR_LINES
        add     edi, 3
        inc     al
        inc     cl
        cmp     cl, 4
        jb      .pin
        xor     cl, cl
        mov     word [edi], 0
        add     edi, 2
        inc     dl
        cmp     dl, PIR_SLOTS
        jbe     .slot
        lea     edi, [ebx + 31]
        mov     esi, ebx
        mov     ecx, 32 + PIR_ENTRIES
        jmp     checksum
.end:   ret
.head:  db      "$PIR"
        dw      0x0100, 32 + PIR_ENTRIES
        db      0, 0x08                 ; the router: 00:01.0
        dw      PIR_OWN
        dd      0x122e8086              ; compatible with the PIIX
        dd      0
        times   12 db 0
.head_end:
