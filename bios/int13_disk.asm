; SPDX-License-Identifier: MIT
;
; INT 13h: who serves which drive, and the services of hard disks by cylinder, head and sector. A
; service has DS = BIOS data area, FS = extended data area, SI = struct drive, BP = frame; it returns
; AH = status, 0 if all went well.

ST_OK           equ 0x00
ST_INVALID      equ 0x01
ST_PROTECTED    equ 0x03
ST_NOT_FOUND    equ 0x04
ST_DMA_OVERRUN  equ 0x09
ST_NO_MEDIA     equ 0x31
ST_TIMEOUT      equ 0x80
ST_NOT_READY    equ 0xaa

int13:  SERVICE
        sti
        mov     fs, [BDA_EBDA]
        mov     dl, [bp + F_DL]
        cmp     byte [fs:EB_EMU + emulation.active], 0
        je      .real
        cmp     byte [bp + F_AH], 0x4b
        je      emulation_service
        mov     dh, [fs:EB_EMU + emulation.number]
        cmp     dl, dh
        je      emulation_service
        cmp     byte [fs:EB_EMU + emulation.media], 0
        je      .real
        cmp     dl, CD_FIRST
        jae     .real
        mov     al, dl                  ; the emulated drive is the first of its kind
        xor     al, dh
        js      .real
        dec     dl
.real:  cmp     dl, 0x80
        jb      floppy_service
        mov     bx, disk_services
        mov     si, EB_HD_MAP
        mov     al, [fs:EB_HD_COUNT]
        cmp     dl, CD_FIRST
        jb      .map
        mov     bx, cd_services
        mov     si, EB_CD_MAP
        mov     al, [fs:EB_CD_COUNT]
        sub     dl, CD_FIRST - 0x80
.map:   sub     dl, 0x80
        cmp     dl, al
        jae     disk_invalid
        movzx   di, dl
        add     di, di
        add     di, si
        mov     si, [fs:di]

; The service of the table at CS:BX for the caller's AH: entries of a first number, a last one, and
; handlers for each between; FFh ends it.
disk_dispatch:
        mov     al, [bp + F_AH]
.range: mov     cx, [cs:bx]
        cmp     cl, 0xff
        je      disk_invalid
        add     bx, 2
        cmp     al, cl
        jb      disk_invalid
        cmp     al, ch
        jbe     .found
        sub     ch, cl
        movzx   cx, ch
        inc     cx
        add     cx, cx
        add     bx, cx
        jmp     .range
.found: sub     al, cl
        cbw
        add     bx, ax
        add     bx, ax
        call    [cs:bx]
        jmp     disk_end

disk_invalid:
        mov     ah, ST_INVALID
; AH is the status: to the caller and the data area.
disk_end:
        push    BDA_SEG
        pop     ds
        mov     [BDA_HD_STATUS], ah
disk_end_unstored:
        mov     [bp + F_AH], ah
        PASS_CALLER
        test    ah, ah
        jz      .end
        FAIL_CALLER
.end:   END_SERVICE

        align   2, db 0
disk_services:
        db      0x00, 0x18
        dw      disk_reset, disk_status, disk_read, disk_write, disk_verify, disk_format
        dw      disk_bad, disk_bad, disk_parameters, disk_ok, disk_bad, disk_bad, disk_seek
        dw      disk_reset, disk_bad, disk_bad, disk_ready, disk_ok, disk_ok, disk_ok, disk_ok
        dw      disk_type, disk_unchanged, disk_bad, disk_bad
        db      0x41, 0x48
        dw      edd_check, edd_read, edd_write, edd_verify, edd_lock, edd_eject, edd_seek
        dw      edd_parameters
        db      0x49, 0x4e
        dw      disk_unchanged, disk_bad, disk_bad, disk_bad, disk_bad, edd_configure
        db      0xff, 0xff

disk_bad:
        mov     ah, ST_INVALID
        ret

disk_ok:
disk_unchanged:
disk_format:                            ; of a track: there is nothing to do
        xor     ah, ah
        ret

disk_reset:
        cmp     byte [bp + F_AH], 0     ; also that of floppies
        jne     .disk
        push    si
        call    floppy_reset
        pop     si
.disk:  call    ata_reset
        mov     ah, 0
        jnc     .end
        mov     ah, 0x05
.end:   ret

; AH=01h: the last status, which is then forgotten.
disk_status:
        xor     ah, ah
        xchg    ah, [BDA_HD_STATUS]
        mov     [bp + F_AL], ah
        mov     al, ah
        pop     bx                      ; the status of this call is in AH, too
        xor     ah, ah
        mov     [bp + F_AH], al
        PASS_CALLER
        test    al, al
        jz      .end
        FAIL_CALLER
.end:   END_SERVICE

disk_ready:
        call    ata_ready
        mov     ah, 0
        jnc     .end
        mov     ah, ST_NOT_READY
.end:   ret

; CF: the drive does not answer.
ata_ready:
        xor     al, al
        call    ata_select
        pushf
        call    ata_finish
        popf
        ret

; AH=08h: the largest cylinder, head and sector. The last cylinder is kept for tests, as on an AT.
disk_parameters:
        mov     ax, [fs:si + drive.log_cylinders]
        sub     ax, 2
        mov     cl, ah
        mov     ch, al
        shl     cl, 6
        or      cl, [fs:si + drive.log_spt]
        mov     [bp + F_ECX], cx
        mov     dh, [fs:si + drive.log_heads]
        dec     dh
        mov     dl, [BDA_HD_COUNT]      ; with those of other BIOSes, or emulated
        mov     [bp + F_EDX], dx
        mov     byte [bp + F_AL], 0
        xor     ah, ah
        ret

disk_seek:
        call    disk_address
        ret

; AH=15h: 3, and the number of sectors in CX:DX, by what AH=08h says.
disk_type:
        movzx   eax, word [fs:si + drive.log_cylinders]
        dec     eax
        movzx   ebx, word [fs:si + drive.log_heads]
        mul     ebx
        movzx   ebx, word [fs:si + drive.log_spt]
        mul     ebx
        mov     [bp + F_EDX], ax
        shr     eax, 16
        mov     [bp + F_ECX], ax
        pop     bx
        mov     byte [BDA_HD_STATUS], 0
        mov     byte [bp + F_AH], 3
        PASS_CALLER
        END_SERVICE

disk_read:
        mov     bl, OP_READ
        jmp     disk_transfer
disk_write:
        mov     bl, OP_WRITE
        jmp     disk_transfer
disk_verify:
        mov     bl, OP_VERIFY
; AL sectors at CX, DH to or from ES:BX. AL returns how many were transferred.
disk_transfer:
        mov     [fs:EB_REQUEST + request.op], bl
        call    disk_address
        test    ah, ah
        jnz     .none
        mov     ah, ST_INVALID
        movzx   ecx, byte [bp + F_AL]
        dec     cl
        cmp     cl, 128                 ; 1 to 128
        jae     .none
        inc     cx
        mov     [fs:EB_REQUEST + request.count], ecx
        movzx   eax, word [bp + F_ES]
        shl     eax, 4
        movzx   ebx, word [bp + F_EBX]
        add     eax, ebx
        mov     [fs:EB_REQUEST + request.buffer], eax
        call    disk_check_range
        jc      .none
        call    ata_transfer
        mov     al, [fs:EB_REQUEST + request.done]
        mov     [bp + F_AL], al
        ret
.none:  mov     byte [bp + F_AL], 0
        ret

; CX and DH of the caller as the request's address; AH = 0, or an error.
disk_address:
        mov     cx, [bp + F_ECX]
        mov     dh, [bp + F_DH]
        movzx   ebx, cl
        and     bl, 63
        mov     ah, ST_INVALID
        dec     bl
        cmp     bl, [fs:si + drive.log_spt]
        jae     .end
        movzx   edx, dh
        cmp     dx, [fs:si + drive.log_heads]
        jae     .end
        shr     cl, 6
        xchg    cl, ch
        cmp     cx, [fs:si + drive.log_cylinders]
        jae     .end
        movzx   eax, cx
        movzx   ecx, word [fs:si + drive.log_heads]
        push    edx
        mul     ecx
        pop     edx
        add     eax, edx
        movzx   ecx, word [fs:si + drive.log_spt]
        mul     ecx
        add     eax, ebx
        mov     [fs:EB_REQUEST + request.lba], eax
        mov     dword [fs:EB_REQUEST + request.lba + 4], 0
        xor     ah, ah
.end:   ret

; CF and AH: the request goes beyond the end of the disk.
disk_check_range:
        mov     eax, [fs:EB_REQUEST + request.lba]
        mov     edx, [fs:EB_REQUEST + request.lba + 4]
        add     eax, [fs:EB_REQUEST + request.count]
        adc     edx, 0
        jc      .beyond
        sub     eax, [fs:si + drive.sectors]
        sbb     edx, [fs:si + drive.sectors + 4]
        jb      .inside
        or      eax, edx
        jz      .inside
.beyond:
        mov     ah, ST_NOT_FOUND
        stc
        ret
.inside:
        clc
        ret

; The line of a channel's drives: ended. The status register ends the drives' request.
int76:  push    ax
        push    ds
        push    BDA_SEG
        pop     ds
        mov     byte [BDA_HD_DONE], 0xff
        mov     al, EOI
        out     PIC2, al
        out     PIC1, al
        pop     ds
        pop     ax
        iret

; The fixed disk parameter table of the first two disks, where vectors 41h and 46h point: for the
; disk at SI, number EB_HD_COUNT - 1.
disk_tables:
        mov     al, [fs:EB_HD_COUNT]
        dec     al
        cmp     al, 2
        jae     .end
        mov     di, EB_FDPT
        mov     bx, 0x41 * 4
        test    al, al
        jz      .place
        add     di, 16
        mov     bx, 0x46 * 4
.place: mov     [bx], di
        mov     [bx + 2], fs
        mov     ax, [fs:si + drive.log_cylinders]
        mov     [fs:di], ax
        mov     al, [fs:si + drive.log_heads]
        mov     [fs:di + 2], al
        mov     ax, [fs:si + drive.cylinders]
        mov     [fs:di + 9], ax         ; as the drive has them: 9, 4, 11
        mov     al, [fs:si + drive.spt]
        mov     [fs:di + 4], al
        mov     al, [fs:si + drive.heads]
        mov     [fs:di + 11], al
        mov     byte [fs:di + 3], 0xa0  ; translated, as Phoenix's extension has it
        mov     byte [fs:di + 8], 0xc8  ; control byte: more than 8 heads
        mov     ax, [fs:si + drive.cylinders]
        mov     [fs:di + 12], ax
        mov     al, [fs:si + drive.log_spt]
        mov     [fs:di + 14], al
        push    si
        xor     al, al
        mov     cx, 15
.sum:   sub     al, [fs:di]
        inc     di
        loop    .sum
        mov     [fs:di], al
        pop     si
.end:   ret
