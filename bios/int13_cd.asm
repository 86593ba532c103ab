; SPDX-License-Identifier: MIT
;
; INT 13h for CDs: numbers E0h and up, whose sectors are of 2048 bytes, and the floppy or hard disk
; that was emulated at boot (El Torito Bootable CD-ROM Format Specification 1.0, 5 and 6).

CD_FIRST        equ 0xe0

        align   2, db 0
cd_services:
        db      0x00, 0x01
        dw      disk_ok, disk_status
        db      0x10, 0x11
        dw      cd_ready, disk_ok
        db      0x15, 0x16
        dw      cd_type, cd_changed
        db      0x41, 0x49
        dw      edd_check, edd_read, edd_write, edd_verify, edd_lock, edd_eject, disk_ok
        dw      edd_parameters, cd_changed
        db      0x4e, 0x4e
        dw      edd_configure
        db      0xff, 0xff

cd_ready:
        call    cd_test
        mov     ah, 0
        jnc     .end
        mov     ah, ST_NOT_READY
.end:   ret

; AH=15h: a drive that knows of changes.
cd_type:
        pop     bx
        mov     byte [BDA_HD_STATUS], 0
        mov     byte [bp + F_AH], 2
        PASS_CALLER
        END_SERVICE

; AH=16h, 49h: 6, the medium may have been changed.
cd_changed:
        call    cd_test
        mov     ah, 0
        jnc     .end
        mov     ah, 6
.end:   ret

; -- Emulation -------------------------------------------------------------------------------------

; A call for the emulated drive, or AH=4Bh. DS is the BIOS data area.
emulation_service:
        mov     si, [fs:EB_EMU + emulation.drive]
        cmp     byte [bp + F_AH], 0x4b
        je      .status
        cmp     byte [fs:EB_EMU + emulation.media], 0
        mov     bx, cd_services         ; booted without emulation: the CD itself
        je      disk_dispatch
        mov     bx, emulation_services
        jmp     disk_dispatch
.status:
        call    emulation_status
        jmp     disk_end

        align   2, db 0
emulation_services:
        db      0x00, 0x05
        dw      disk_ok, disk_status, emulation_read, emulation_write, emulation_verify
        dw      emulation_write
        db      0x08, 0x0d
        dw      emulation_parameters, disk_ok, disk_bad, disk_bad, disk_ok, disk_ok
        db      0x10, 0x11
        dw      disk_ok, disk_ok
        db      0x15, 0x16
        dw      emulation_type, disk_ok
        db      0xff, 0xff

; AH=4Bh: AL=0 ends the emulation of drive DL (7Fh: any), AL=1 only asks. DS:SI gets the packet.
emulation_status:
        mov     ah, ST_INVALID
        cmp     byte [bp + F_AL], 1
        ja      .end
        mov     al, [bp + F_DL]
        cmp     al, 0x7f
        je      .packet
        cmp     al, [fs:EB_EMU + emulation.number]
        jne     .end
.packet:
        CALLER_PACKET
        mov     al, 0x13
        stosb
        mov     al, [fs:EB_EMU + emulation.media]
        stosb
        mov     al, [fs:EB_EMU + emulation.number]
        stosb
        mov     al, [fs:EB_EMU + emulation.index]
        stosb
        mov     eax, [fs:EB_EMU + emulation.lba]
        stosd
        mov     bl, [fs:si + drive.number]
        movzx   ax, bl                  ; device: channel and unit
        stosw
        xor     ax, ax                  ; a buffer of the caller's: none
        stosw
        mov     ax, [fs:EB_EMU + emulation.segment]
        stosw
        mov     ax, [fs:EB_EMU + emulation.count]
        stosw
        mov     ax, [fs:EB_EMU + emulation.cylinders]
        mov     cl, ah
        shl     cl, 6
        or      cl, [fs:EB_EMU + emulation.spt]
        mov     ah, cl
        stosw
        mov     al, [fs:EB_EMU + emulation.heads]
        stosb
        xor     ah, ah
        cmp     byte [bp + F_AL], 0
        je      emulation_end
.end:   ret

; Ends the emulation, if there is one: its drive is not counted any more. DS is the BIOS data area.
; Changes AL.
emulation_end:
        mov     al, 0
        xchg    al, [fs:EB_EMU + emulation.active]
        test    al, al
        jz      .end
        cmp     byte [fs:EB_EMU + emulation.media], 0
        je      .end
        cmp     byte [fs:EB_EMU + emulation.media], 4
        je      .disk
        mov     al, 0x01                ; the only floppy drive, or one of several
        test    byte [BDA_EQUIPMENT], 0xc0
        jz      .floppy
        mov     al, 0x40
.floppy:
        sub     [BDA_EQUIPMENT], al
.end:   ret
.disk:  dec     byte [BDA_HD_COUNT]
        ret

emulation_write:
        mov     ah, ST_PROTECTED
        ret

emulation_parameters:
        mov     ax, [fs:EB_EMU + emulation.cylinders]
        dec     ax
        mov     cl, ah
        shl     cl, 6
        or      cl, [fs:EB_EMU + emulation.spt]
        mov     ch, al
        mov     [bp + F_ECX], cx
        mov     dh, [fs:EB_EMU + emulation.heads]
        dec     dh
        mov     byte [bp + F_AL], 0
        mov     bl, [fs:EB_EMU + emulation.media]
        cmp     bl, 4
        je      .disk
        mov     bh, 0
        mov     bl, [cs:.types + bx - 1]
        mov     [bp + F_BL], bl
        mov     word [bp + F_EDI], diskette_parameters
        mov     word [bp + F_ES], BIOS_SEG
        call    floppy_count
        mov     dl, al
        jmp     .end
.disk:  mov     dl, [BDA_HD_COUNT]
.end:   mov     [bp + F_EDX], dx
        xor     ah, ah
        ret
.types: db      2, 4, 6                 ; drives for 1.2, 1.44, 2.88 MB

emulation_type:
        pop     bx
        mov     byte [BDA_HD_STATUS], 0
        mov     ah, 1
        cmp     byte [fs:EB_EMU + emulation.media], 4
        jne     .type
        movzx   eax, word [fs:EB_EMU + emulation.cylinders]
        movzx   ebx, word [fs:EB_EMU + emulation.heads]
        mul     ebx
        movzx   ebx, word [fs:EB_EMU + emulation.spt]
        mul     ebx
        mov     [bp + F_EDX], ax
        shr     eax, 16
        mov     [bp + F_ECX], ax
        mov     ah, 3
.type:  mov     [bp + F_AH], ah
        PASS_CALLER
        END_SERVICE

emulation_read:
        mov     bl, OP_READ
        jmp     emulation_transfer
emulation_verify:
        mov     bl, OP_VERIFY
; Sectors of 512 bytes: four to a block of the CD.
emulation_transfer:
        mov     [fs:EB_REQUEST + request.op], bl
        mov     ah, ST_INVALID
        mov     cx, [bp + F_ECX]
        movzx   ebx, cl
        and     bl, 63
        dec     bl
        cmp     bl, [fs:EB_EMU + emulation.spt]
        jae     .bad
        movzx   edx, byte [bp + F_DH]
        cmp     dx, [fs:EB_EMU + emulation.heads]
        jae     .bad
        shr     cl, 6
        xchg    cl, ch
        cmp     cx, [fs:EB_EMU + emulation.cylinders]
        jae     .bad
        movzx   eax, cx
        movzx   ecx, word [fs:EB_EMU + emulation.heads]
        push    edx
        mul     ecx
        pop     edx
        add     eax, edx
        movzx   ecx, word [fs:EB_EMU + emulation.spt]
        mul     ecx
        add     eax, ebx                ; sector of the image
        movzx   ecx, byte [bp + F_AL]
        mov     ebx, eax
        and     ebx, 3
        shr     eax, 2
        add     eax, [fs:EB_EMU + emulation.lba]
        mov     [fs:EB_REQUEST + request.lba], eax
        lea     eax, [ebx + ecx + 3]
        shr     eax, 2
        mov     [fs:EB_REQUEST + request.count], eax
        shl     ebx, 9
        mov     [fs:EB_REQUEST + request.skip], ebx
        shl     ecx, 9
        mov     [fs:EB_REQUEST + request.take], ecx
        movzx   eax, word [bp + F_ES]
        shl     eax, 4
        movzx   ebx, word [bp + F_EBX]
        add     eax, ebx
        mov     [fs:EB_REQUEST + request.buffer], eax
        call    cd_transfer
        test    ah, ah
        jz      .end
.bad:   mov     byte [bp + F_AL], 0
.end:   ret
