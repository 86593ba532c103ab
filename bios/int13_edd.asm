; SPDX-License-Identifier: MIT
;
; INT 13h functions 41h-4Eh: disks and CDs by block number (Enhanced Disk Drive Specification 3.0).

EDD_VERSION     equ 0x30
EDD_SUBSETS     equ 7                   ; access, locking and ejecting, parameters

; What the caller's DS:SI points to, seen by ES:DI.
%macro CALLER_PACKET 0
        mov     es, [bp + F_DS]
        mov     di, [bp + F_ESI]
%endmacro

edd_check:
        mov     ah, ST_INVALID
        cmp     word [bp + F_EBX], 0x55aa
        jne     .end
        mov     word [bp + F_EBX], 0xaa55
        mov     word [bp + F_ECX], EDD_SUBSETS
        pop     bx                      ; AH has the version
        mov     byte [bp + F_AH], EDD_VERSION
        PASS_CALLER
        END_SERVICE
.end:   ret

edd_read:
        mov     bl, OP_READ
        jmp     edd_transfer
edd_write:
        mov     bl, OP_WRITE
        jmp     edd_transfer
edd_verify:
        mov     bl, OP_VERIFY
        jmp     edd_transfer
edd_seek:
        mov     bl, OP_VERIFY
        call    edd_packet
        jc      edd_fail
        mov     dword [fs:EB_REQUEST + request.count], 1
        call    disk_check_range
        jc      edd_fail
        xor     ah, ah
        ret

; The packet as a request; CF and AH: it is wrong.
edd_packet:
        mov     [fs:EB_REQUEST + request.op], bl
        CALLER_PACKET
        mov     ah, ST_INVALID
        cmp     byte [es:di], 0x10
        jb      .bad
        movzx   eax, word [es:di + 2]
        mov     [fs:EB_REQUEST + request.count], eax
        mov     eax, [es:di + 8]
        mov     [fs:EB_REQUEST + request.lba], eax
        mov     eax, [es:di + 12]
        mov     [fs:EB_REQUEST + request.lba + 4], eax
        movzx   eax, word [es:di + 6]
        shl     eax, 4
        movzx   ecx, word [es:di + 4]
        add     eax, ecx
        cmp     dword [es:di + 4], -1   ; a flat address follows: below 1 MiB only
        jne     .buffer
        mov     eax, [es:di + 16]
        cmp     dword [es:di + 20], 0
        mov     ah, ST_INVALID
        jne     .bad
        mov     eax, [es:di + 16]
        cmp     eax, 0x100000
        mov     ah, ST_INVALID
        jae     .bad
        mov     eax, [es:di + 16]
.buffer:
        mov     [fs:EB_REQUEST + request.buffer], eax
        clc
        ret
.bad:   stc
        ret

edd_fail:
        stc
        ret

; Reads, writes or verifies; the packet's count becomes what was done.
edd_transfer:
        call    edd_packet
        jc      .packet
        cmp     byte [fs:si + drive.kind], DRIVE_CD
        je      .cd
        call    disk_check_range
        jc      .bad
        call    ata_transfer
        jmp     .end
.cd:    cmp     byte [fs:EB_REQUEST + request.op], OP_WRITE
        mov     ah, ST_PROTECTED
        je      .bad
        call    cd_blocks
.end:   CALLER_PACKET
        mov     cx, [fs:EB_REQUEST + request.done]
        mov     [es:di + 2], cx
        ret
.bad:   CALLER_PACKET
        mov     word [es:di + 2], 0
.packet:
        ret

; AH=45h: AL=0 locks, 1 unlocks, 2 asks. Only a CD's tray can be locked.
edd_lock:
        cmp     byte [fs:si + drive.kind], DRIVE_CD
        jne     .fixed
        mov     al, [bp + F_AL]
        cmp     al, 2
        ja      .bad
        je      .ask
        xor     al, 1                   ; 1: prevent removal
        call    cd_lock
        mov     ah, ST_OK
        jnc     .end
        mov     ah, 0xb4
        ret
.ask:
.fixed: mov     byte [bp + F_AL], 0
        xor     ah, ah
.end:   ret
.bad:   mov     ah, ST_INVALID
        ret

edd_eject:
        mov     ah, 0xb2                ; not removable
        cmp     byte [fs:si + drive.kind], DRIVE_CD
        jne     .end
        call    cd_eject
        mov     ah, ST_OK
        jnc     .end
        mov     ah, 0xb5
.end:   ret

; AH=4Eh: prefetch and transfer modes: only what is anyhow.
edd_configure:
        mov     ah, ST_INVALID
        cmp     byte [bp + F_AL], 7
        jae     .end
        mov     byte [bp + F_AL], 0
        xor     ah, ah
.end:   ret

; -- AH=48h ----------------------------------------------------------------------------------------

EDD_BASIC       equ 0x1a                ; sizes of the result
EDD_WITH_DPTE   equ 0x1e
EDD_WITH_PATH   equ 0x42

edd_parameters:
        CALLER_PACKET
        mov     ah, ST_INVALID
        cmp     word [es:di], EDD_BASIC
        jae     .large
        ret
.large: push    word [es:di]
        mov     word [es:di], EDD_BASIC
        xor     eax, eax
        mov     cx, 11
        push    di
        add     di, 4
        rep stosw
        pop     di
        cmp     byte [fs:si + drive.kind], DRIVE_CD
        je      .cd
        mov     word [es:di + 2], 0x0003 ; crosses 64 KiB by itself; the geometry is valid
        mov     ax, [fs:si + drive.cylinders]
        mov     [es:di + 4], ax
        mov     ax, [fs:si + drive.heads]
        mov     [es:di + 8], ax
        mov     ax, [fs:si + drive.spt]
        mov     [es:di + 12], ax
        mov     eax, [fs:si + drive.sectors]
        mov     [es:di + 16], eax
        mov     edx, [fs:si + drive.sectors + 4]
        mov     [es:di + 20], edx
        mov     word [es:di + 24], 512
        test    edx, edx
        jnz     .no_geometry
        cmp     eax, 16383 * 16 * 63
        jbe     .basic
.no_geometry:
        and     byte [es:di + 2], ~2
        jmp     .basic
.cd:    mov     word [es:di + 2], 0x0064 ; removable, can be locked, tells changes
        or      eax, -1
        mov     [es:di + 4], eax
        mov     [es:di + 8], eax
        mov     [es:di + 12], eax
        mov     [es:di + 16], eax
        mov     [es:di + 20], eax
        mov     word [es:di + 24], 2048
.basic: pop     cx
        cmp     cx, EDD_WITH_DPTE
        jb      .end
        mov     word [es:di], EDD_WITH_DPTE
        call    edd_dpte
        mov     word [es:di + 26], EB_DPTE
        mov     [es:di + 28], fs
        cmp     cx, EDD_WITH_PATH
        jb      .end
        mov     word [es:di], EDD_WITH_PATH
        call    edd_path
.end:   xor     ah, ah
        ret

; The device parameter table extension for the drive.
edd_dpte:
        push    cx
        mov     bx, EB_DPTE
        mov     ax, [fs:si + drive.io]
        mov     [fs:bx], ax
        mov     ax, [fs:si + drive.control]
        mov     [fs:bx + 2], ax
        mov     al, [fs:si + drive.select]
        or      al, 0xe0
        mov     [fs:bx + 4], al
        mov     byte [fs:bx + 5], 0xcb
        mov     al, [fs:si + drive.irq]
        mov     [fs:bx + 6], al
        mov     word [fs:bx + 7], 1
        mov     byte [fs:bx + 9], 0
        mov     ax, 0x70                ; CD: removable, ATAPI, LBA
        cmp     byte [fs:si + drive.kind], DRIVE_CD
        je      .options
        mov     ax, 0x18                ; translated, LBA
.options:
        mov     [fs:bx + 10], ax
        mov     word [fs:bx + 12], 0
        mov     byte [fs:bx + 14], 0x11
        xor     al, al
        mov     cx, 15
.sum:   sub     al, [fs:bx]
        inc     bx
        loop    .sum
        mov     [fs:bx], al
        pop     cx
        ret

; Where the drive is: at ES:DI + 1Eh.
edd_path:
        push    si
        push    di
        add     di, 0x1e
        mov     bx, si
        mov     si, .text
        mov     cx, .text_end - .text
.copy:  cs lodsb
        stosb
        loop    .copy
        mov     al, 0                   ; bus, slot, function, channel
        stosb
        mov     eax, IDE_FUNCTION >> 11 & 31 | (IDE_FUNCTION >> 8 & 7) << 8
        stosw
        mov     al, [fs:bx + drive.number]
        shr     al, 1
        stosb
        xor     eax, eax
        stosd
        mov     al, [fs:bx + drive.number]
        and     al, 1
        stosb
        mov     al, 0
        mov     cx, 8
        rep stosb
        mov     cx, EDD_WITH_PATH - 0x1e - 1
        sub     di, cx
.sum:   sub     al, [es:di]
        inc     di
        loop    .sum
        stosb
        pop     di
        pop     si
        ret
.text:  db      0xdd, 0xbe, 0x24, 0, 0, 0, "PCI ", "ATA     "
.text_end:
