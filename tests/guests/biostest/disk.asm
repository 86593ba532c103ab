; SPDX-License-Identifier: MIT
;
; The drive that was booted from.

SCRATCH_CHS     equ 0x0103              ; cylinder 1, sector 3, head 0: is written

; INT 13h with the drive in DL.
%macro  DISK 1
        mov     ax, %1
        mov     dl, [drive]
        int     0x13
%endmacro

; The disk is started twice: INT 19h finds the same drives again, an emulated one counted once.
test_reboot:
        cmp     dword [.started], '2nd '
        je      .again
        mov     dword [.started], '2nd '
        mov     al, [drive]
        mov     [.drive], al
        mov     ax, [0x410]
        mov     [.equipment], ax
        mov     al, [0x475]
        mov     [.disks], al
        int     0x19
.again: mov     al, [drive]
        cmp     [.drive], al
        CHECK   e, "INT 19h: the same drive again"
        mov     ax, [0x410]
        cmp     [.equipment], ax
        CHECK   e, "INT 19h: the same equipment again"
        mov     al, [0x475]
        cmp     [.disks], al
        CHECK   e, "INT 19h: as many disks again"
        ret
.started        equ 0x4f0               ; in the area for programs, which a start leaves alone
.drive          equ 0x4f4
.disks          equ 0x4f5
.equipment      equ 0x4f6

; DL of INT 13h AH=08h is the number of drives that the data area counts.
test_count:
        push    es
        DISK    0x0800
        pop     es
        CHECK   nc, "INT 13h 08h"
        mov     al, [0x475]
        test    byte [drive], 0x80
        jnz     .compare
        mov     al, [0x410]
        shr     al, 6
        inc     ax
.compare:
        cmp     al, dl
        CHECK   e, "INT 13h 08h: the number of drives"
        ret

test_disk:
        call    test_count
        test    byte [drive], 0x80
        jz      .floppy
        inc     byte [0x475]            ; as the BIOS of another adapter does
        call    test_count
        dec     byte [0x475]
.floppy:
        push    es
        mov     ax, BUFFER
        mov     es, ax
        DISK    0x0000
        CHECK   nc, "INT 13h 00h"
        xor     bx, bx
        mov     cx, 0x0001
        mov     dh, 0
        DISK    0x0204
        CHECK   nc, "INT 13h 02h"
        cmp     ax, 4
        CHECK   e, "INT 13h 02h: AH = 0, AL = 4"
        mov     cx, 0x0101              ; each sector begins with its number
        mov     dh, 0
        DISK    0x0201
        CHECK   nc, "INT 13h 02h of cylinder 1"
        mov     ax, [spt]
        mul     word [heads]
        cmp     [es:0], ax
        CHECK   e, "INT 13h 02h: the sector that was asked for"
        mov     cx, 0x0001
        mov     dh, 0
        DISK    0x0404
        CHECK   nc, "INT 13h 04h"
        xor     bx, bx
        mov     cx, [spt]
        inc     cx
        mov     dh, 0
        DISK    0x0201
        CHECK   c, "INT 13h 02h: no such sector"
        cmp     ah, 0
        CHECK   ne, "INT 13h 02h: AH tells of an error"
        mov     bl, ah
        DISK    0x0100
        cmp     ah, bl
        CHECK   e, "INT 13h 01h: the last status"
        DISK    0x1500
        CHECK   nc, "INT 13h 15h"
        test    byte [drive], 0x80
        jnz     .fixed
        dec     ah                      ; without or with a change line
        cmp     ah, 2
        CHECK   b, "INT 13h 15h: a floppy"
        jmp     .write
.fixed: cmp     ah, 3
        CHECK   e, "INT 13h 15h: a fixed disk"
        xor     bx, bx
        mov     ax, 0x0201
        mov     cx, 0x0001
        xor     dx, dx
        int     0x13
        CHECK   c, "INT 13h 02h: the floppy drive is empty"
        cmp     ax, 0x8000
        CHECK   e, "INT 13h 02h: a time-out where the floppy drive is empty"

; A sector is changed, read back and restored. A CD cannot be written.
.write: mov     bx, 0x1000
        mov     cx, SCRATCH_CHS
        mov     dh, 0
        DISK    0x0201
        CHECK   nc, "INT 13h 02h, scratch sector"
        xor     dword [es:0x1000], 0x5a5a5a5a
        mov     cx, SCRATCH_CHS
        mov     dh, 0
        DISK    0x0301
        jnc     .written
        cmp     ah, 3
        CHECK   e, "INT 13h 03h, or it is write-protected"
        jmp     .end
.written:
        mov     bx, 0x1200
        mov     cx, SCRATCH_CHS
        mov     dh, 0
        DISK    0x0201
        CHECK   nc, "INT 13h 02h after 03h"
        push    ds
        push    es
        pop     ds
        mov     si, 0x1000
        mov     di, 0x1200
        mov     cx, 256
        repe    cmpsw
        pop     ds
        CHECK   e, "INT 13h 03h: the sector was written"
        xor     dword [es:0x1000], 0x5a5a5a5a
        mov     bx, 0x1000
        mov     cx, SCRATCH_CHS
        mov     dh, 0
        DISK    0x0301
        CHECK   nc, "INT 13h 03h, back"
.end:   pop     es
        ret

; Hard disks only, and not emulated ones.
test_edd:
        test    byte [drive], 0x80
        jz      .none
        mov     si, test_emulation.packet
        DISK    0x4b01
        jnc     .none
        mov     bx, 0x55aa
        DISK    0x4100
        CHECK   nc, "INT 13h 41h"
        cmp     bx, 0xaa55
        CHECK   e, "INT 13h 41h: BX"
        test    cl, 1
        CHECK   nz, "INT 13h 41h: packets"
        mov     word [.result], 0x1e
        mov     si, .result
        DISK    0x4800
        CHECK   nc, "INT 13h 48h"
        cmp     word [.result + 24], 512
        CHECK   e, "INT 13h 48h: sector size"
        mov     ecx, [.result + 16]
        cmp     ecx, 2880
        CHECK   ae, "INT 13h 48h: sectors"
        mov     word [.packet + 2], 3
        mov     dword [.packet + 4], BUFFER << 16
        mov     dword [.packet + 8], 2000
        mov     si, .packet
        DISK    0x4200
        CHECK   nc, "INT 13h 42h"
        mov     ax, BUFFER
        mov     fs, ax
        cmp     dword [fs:0], 2000
        CHECK   e, "INT 13h 42h: the first sector"
        cmp     dword [fs:0x400], 2002
        CHECK   e, "INT 13h 42h: the last sector"
        mov     word [.packet + 2], 100 ; crosses 64 KiB
        mov     dword [.packet + 4], (BUFFER + 0xf80) << 16 | 0x0600
        mov     dword [.packet + 8], 1000
        mov     si, .packet
        DISK    0x4200
        CHECK   nc, "INT 13h 42h across 64 KiB"
        mov     ax, BUFFER + 0xf80 + 0x60 + 50 * 32
        mov     fs, ax
        cmp     dword [fs:0], 1050
        CHECK   e, "INT 13h 42h across 64 KiB: a sector"
        call    test_odd
        mov     eax, [.result + 16]
        mov     [.packet + 8], eax
        mov     word [.packet + 2], 1
        mov     si, .packet
        DISK    0x4200
        CHECK   c, "INT 13h 42h behind the end"
        cmp     word [.packet + 2], 0
        CHECK   e, "INT 13h 42h behind the end: nothing done"
        mov     word [.packet + 2], 1
        mov     dword [.packet + 8], 7
        mov     si, .packet
        DISK    0x4400
        CHECK   nc, "INT 13h 44h"
.none:  ret
        align   4, db 0
.packet:
        db      0x10, 0
        dw      0, 0, 0
        dd      0, 0
.result:
        times   0x42 db 0

; To and from an odd address, where no bus master moves data: a sector is changed and read back, and
; restored.
test_odd:
        mov     ax, BUFFER
        mov     fs, ax
        mov     word [test_edd.packet + 2], 2
        mov     dword [test_edd.packet + 4], BUFFER << 16 | 1
        mov     dword [test_edd.packet + 8], 2000
        mov     si, test_edd.packet
        DISK    0x4200
        CHECK   nc, "INT 13h 42h to an odd address"
        cmp     dword [fs:1], 2000
        CHECK   e, "INT 13h 42h to an odd address: the first sector"
        cmp     dword [fs:0x201], 2001
        CHECK   e, "INT 13h 42h to an odd address: the last sector"
        mov     dword [fs:1], 0x12345678
        mov     si, test_edd.packet
        DISK    0x4300
        CHECK   nc, "INT 13h 43h from an odd address"
        mov     word [test_edd.packet + 4], 0x1000
        mov     si, test_edd.packet
        DISK    0x4200
        cmp     dword [fs:0x1000], 0x12345678
        CHECK   e, "INT 13h 43h from an odd address: the sector was written"
        cmp     dword [fs:0x1200], 2001
        CHECK   e, "INT 13h 43h from an odd address: the last sector"
        mov     dword [fs:0x1000], 2000
        mov     si, test_edd.packet
        DISK    0x4300
        CHECK   nc, "INT 13h 43h, back"
        ret

; The CD itself, without emulation.
test_cd:
        mov     bx, 0x55aa
        DISK    0x4100
        CHECK   nc, "CD: INT 13h 41h"
        mov     word [test_edd.result], 0x1e
        mov     si, test_edd.result
        DISK    0x4800
        CHECK   nc, "CD: INT 13h 48h"
        cmp     word [test_edd.result + 24], 2048
        CHECK   e, "CD: sector size"
        mov     word [test_edd.packet + 2], 2
        mov     dword [test_edd.packet + 4], BUFFER << 16
        mov     eax, [cd_lba]
        add     eax, 500
        mov     [test_edd.packet + 8], eax
        mov     si, test_edd.packet
        DISK    0x4200
        CHECK   nc, "CD: INT 13h 42h"
        mov     ax, BUFFER
        mov     fs, ax
        cmp     dword [fs:0], 2000
        CHECK   e, "CD: the first sector"
        cmp     dword [fs:0xe00], 2007
        CHECK   e, "CD: the last sector"
        inc     word [test_edd.packet + 4]
        mov     si, test_edd.packet
        DISK    0x4200
        CHECK   nc, "CD: INT 13h 42h to an odd address"
        cmp     dword [fs:1], 2000
        CHECK   e, "CD: the first sector at an odd address"
        cmp     dword [fs:0xe01], 2007
        CHECK   e, "CD: the last sector at an odd address"
        mov     si, test_edd.packet
        DISK    0x4300
        CHECK   c, "CD: cannot be written"
        cmp     ah, 3
        CHECK   e, "CD: write-protected"
        mov     si, test_edd.packet
        DISK    0x4400
        mov     ax, 0x4501              ; unlocked
        mov     dl, [drive]
        int     0x13
        CHECK   nc, "CD: INT 13h 45h"
        ret

; The state of the emulation, where there is one; then it ends.
test_emulation:
        mov     ax, 0x4b01
        mov     dl, [drive]
        mov     si, .packet
        int     0x13
        jc      .none
        cmp     byte [.packet], 0x13
        CHECK   e, "INT 13h 4B01h: size"
        mov     al, [drive]
        cmp     [.packet + 2], al
        CHECK   e, "INT 13h 4B01h: drive"
        mov     ax, 0x4b00
        mov     dl, [drive]
        mov     si, .packet
        int     0x13
        CHECK   nc, "INT 13h 4B00h"
        mov     ax, 0x4b01
        mov     dl, [drive]
        int     0x13
        CHECK   c, "INT 13h 4B01h after 4B00h"
.none:  ret
.packet:
        times   0x13 db 0
