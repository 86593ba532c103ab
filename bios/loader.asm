; SPDX-License-Identifier: MIT
;
; ACPI tables, as the machine has made them: a script of fw_cfg says which files to load and where
; their addresses and checksums belong (QEMU, hw/acpi/bios-linker-loader.c documents the format).
; Entries of 128 bytes: a command, then names of files of 56 bytes and numbers.

SCRIPT_AT       equ 0x110000
SCRIPT_ENTRY    equ 128
LOADED_AT       equ 0x8000              ; what was loaded: address of its entry, address, size
NAME_LEN        equ 56
ZONE_FSEG       equ 2

        align   4, db 0
loaded_count:
        dd      0
name_buffer:
        times   NAME_LEN + 1 db 0

acpi_load:
        mov     si, .name
        call    fw_file
        jc      .end
        cmp     eax, 0x10000
        ja      .end
        mov     ecx, eax
        mov     edi, SCRIPT_AT
        call    fw_read
        mov     ecx, eax
        shr     ecx, 7
        mov     ebx, SCRIPT_AT
.next:  jecxz   .end
        pushad
        mov     eax, [ebx]
        dec     eax
        cmp     eax, 3
        jae     .skip
        add     ax, ax
        mov     si, ax
        call    [cs:.commands + si]
.skip:  popad
        add     ebx, SCRIPT_ENTRY
        dec     ecx
        jmp     .next
.end:   ret
.name:  db      "etc/table-loader", 0
        align   2, db 0
.commands:
        dw      load_allocate, load_pointer, load_checksum

; EBX is the entry. Room for the file, and its contents.
load_allocate:
        lea     esi, [ebx + 4]
        mov     di, name_buffer
        mov     cx, NAME_LEN
.copy:  mov     al, [esi]
        mov     [cs:di], al
        inc     esi
        inc     di
        loop    .copy
        mov     si, name_buffer
        call    fw_file
        jc      .fail
        mov     ecx, eax
        mov     edx, [ebx + 60]         ; alignment
        push    ebx
        cmp     byte [ebx + 64], ZONE_FSEG
        mov     ebx, edx
        jne     .high
        call    take_fseg
        jmp     .placed
.high:  call    take_memory
.placed:
        pop     ebx
        test    eax, eax
        jz      .fail
        mov     edi, eax
        mov     esi, [cs:loaded_count]
        cmp     si, 32
        jae     .fail
        inc     word [cs:loaded_count]
        imul    esi, esi, 12
        lea     edx, [ebx + 4]
        mov     [LOADED_AT + si], edx
        mov     [LOADED_AT + si + 4], edi
        mov     [LOADED_AT + si + 8], ecx
        push    si
        mov     si, name_buffer
        call    fw_file
        pop     si
        jmp     fw_read
.fail:  mov     si, .text
        jmp     debug_print
.text:  db      "ACPI: no room for a file, or it is missing", 10, 0

; The loaded file with the name at EDI: its address in EAX, its size in EDX; or CF.
load_find:
        push    ecx
        push    esi
        push    edi
        mov     cx, [cs:loaded_count]
        mov     bp, LOADED_AT
.next:  jcxz    .none
        mov     esi, [ds:bp]
        push    cx
        push    edi
        mov     ecx, NAME_LEN
        a32 repe cmpsb
        pop     edi
        pop     cx
        je      .found
        add     bp, 12
        dec     cx
        jmp     .next
.none:  stc
        jmp     .end
.found: mov     eax, [ds:bp + 4]
        mov     edx, [ds:bp + 8]
        clc
.end:   pop     edi
        pop     esi
        pop     ecx
        ret

; In the first file, the field of 1, 2, 4 or 8 bytes has an offset in the second: adds its address.
load_pointer:
        lea     edi, [ebx + 60]
        call    load_find
        jc      .end
        mov     esi, eax
        lea     edi, [ebx + 4]
        call    load_find
        jc      .end
        mov     ecx, [ebx + 116]
        cmp     ecx, edx
        jae     .end
        add     eax, ecx
        cmp     byte [ebx + 120], 4
        jb      .end                    ; none of our addresses fits
        add     [eax], esi
        cmp     byte [ebx + 120], 8
        jb      .end
        adc     dword [eax + 4], 0
.end:   ret

; The byte at an offset makes the sum of a range zero.
load_checksum:
        lea     edi, [ebx + 4]
        call    load_find
        jc      .end
        mov     edi, [ebx + 60]
        mov     esi, [ebx + 64]
        mov     ecx, [ebx + 68]
        cmp     edi, edx
        jae     .end
        sub     edx, esi
        jb      .end
        cmp     ecx, edx
        ja      .end
        add     edi, eax
        add     esi, eax
        jmp     checksum
.end:   ret

; The byte at EDI becomes such that ECX bytes at ESI add up to zero. Changes AL, ECX, ESI.
checksum:
        mov     byte [edi], 0
        xor     al, al
.next:  jecxz   .end
        sub     al, [esi]
        inc     esi
        dec     ecx
        jmp     .next
.end:   mov     [edi], al
        ret
