; SPDX-License-Identifier: MIT
;
; The firmware configuration device (QEMU, docs/specs/fw_cfg): what the machine tells its firmware.

FW_SELECT       equ 0x510
FW_DATA         equ 0x511
FW_SIGNATURE    equ 0x00
FW_BOOT_MENU    equ 0x0e
FW_FILES        equ 0x19

fw_present:
        db      0

fwcfg_post:
        mov     ax, FW_SIGNATURE
        call    fw_select
        call    fw_dword
        cmp     eax, 'QEMU'
        sete    [cs:fw_present]
        ret

; Selects key AX. Changes DX.
fw_select:
        mov     dx, FW_SELECT
        out     dx, ax
        inc     dx
        ret

; The next byte, word or dword of the selected item, to AL, AX or EAX; then those that are
; big-endian. Change DX.
fw_byte:
        mov     dx, FW_DATA
        in      al, dx
        ret

fw_word:
        call    fw_byte
        mov     ah, al
        call    fw_byte
        xchg    al, ah
        ret

fw_dword:
        call    fw_word
        push    ax
        call    fw_word
        shl     eax, 16
        pop     ax
        ret

fw_dword_be:
        call    fw_dword
        bswap   eax
        ret

; ECX bytes of the selected item to the flat address EDI, which moves on. ES is flat. Changes ECX,
; DX.
fw_read:
        mov     dx, FW_DATA
        a32 rep insb
        ret

; Selects the file with the name at CS:SI: its size in EAX, or CF. Keeps all else.
fw_file:
        push    bp
        xor     bp, bp
        call    fw_search
        pop     bp
        ret

; The same for the BP-th file, from 1, whose name begins so; 0: for the one that is called so.
fw_search:
        push    ebx
        push    ecx
        push    dx
        push    di
        cmp     byte [cs:fw_present], 1
        jne     .none
        mov     ax, FW_FILES
        call    fw_select
        call    fw_dword_be
        mov     ecx, eax
        cmp     ecx, 256
        ja      .none
.file:  jecxz   .none
        call    fw_dword_be
        mov     ebx, eax
        call    fw_word
        xchg    al, ah
        push    ax
        call    fw_word
        call    .compare
        pop     ax
        je      .found
.on:    dec     ecx
        jmp     .file
.found: cmp     bp, 1
        jbe     .this
        dec     bp
        jmp     .on
.this:  call    fw_select
        mov     eax, ebx
        clc
        jmp     .end
.none:  stc
.end:   pop     di
        pop     dx
        pop     ecx
        pop     ebx
        ret

; Takes the 56 bytes of a name: ZF if it is the one that is wanted. Changes AX, DX, DI.
.compare:
        push    cx
        mov     cx, 56
        mov     di, si
        mov     ah, COMPARE_EQUAL
.char:  call    fw_byte
        cmp     ah, COMPARE_EQUAL
        jne     .skip
        cmp     byte [cs:di], 0
        je      .wanted_ends
        cmp     al, [cs:di]
        je      .skip
        mov     ah, COMPARE_OTHER
        jmp     .skip
.wanted_ends:
        mov     ah, COMPARE_FOUND
        test    bp, bp
        jnz     .skip
        test    al, al
        jz      .skip
        mov     ah, COMPARE_OTHER
.skip:  inc     di
        loop    .char
        cmp     ah, COMPARE_FOUND
        pop     cx
        ret

COMPARE_EQUAL   equ 0                   ; so far
COMPARE_FOUND   equ 1
COMPARE_OTHER   equ 2
