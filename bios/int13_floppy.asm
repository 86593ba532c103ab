; SPDX-License-Identifier: MIT
;
; INT 13h for floppies, which is also INT 40h (IBM AT Technical Reference). Data go by DMA channel 2.

ST_CHANGED      equ 0x06

int40:  SERVICE
        sti
        mov     dl, [bp + F_DL]

; DL is the drive, DS the BIOS data area.
floppy_service:
        movzx   bx, byte [bp + F_AH]
        cmp     bl, 0x19
        jae     .bad
        movzx   si, dl                  ; the drive
        add     bx, bx
        call    [cs:floppy_services + bx]
        jmp     floppy_end
.bad:   mov     ah, ST_INVALID
floppy_end:
        mov     [BDA_FD_STATUS], ah
        jmp     disk_end_unstored

        align   2, db 0
floppy_services:
        dw      floppy_reset, floppy_status, floppy_read, floppy_write, floppy_verify
        dw      floppy_format, disk_bad, disk_bad, floppy_parameters
        times   12 dw disk_bad
        dw      floppy_type, floppy_change, floppy_set_type, floppy_set_media

; The kind of drive SI, as in the CMOS, in AL; ZF: there is none. Keeps all else.
floppy_kind:
        mov     al, 0
        cmp     si, 2
        jae     .end
        mov     al, CMOS_FLOPPIES
        call    cmos_read
        test    si, si
        jnz     .second
        shr     al, 4
.second:
        and     al, 15
.end:   test    al, al
        ret

; How many drives there are, an emulated one among them, in AL. DS is the BIOS data area.
floppy_count:
        mov     al, [BDA_EQUIPMENT]     ; bit 0: there are some; bits 7-6: how many, less 1
        test    al, 1
        jz      .none
        shr     al, 6
        inc     ax
        ret
.none:  mov     al, 0
        ret

; -- Services --------------------------------------------------------------------------------------

floppy_status:
        mov     ah, [BDA_FD_STATUS]
        ret

floppy_read:
        mov     bx, 0x46e6              ; DMA mode, command
        jmp     floppy_transfer
floppy_write:
        mov     bx, 0x4ac5
        jmp     floppy_transfer
floppy_verify:
        mov     bx, 0x42e6
; AL sectors at CX, DH to or from ES:BX of the caller.
floppy_transfer:
        call    floppy_kind
        mov     ah, ST_TIMEOUT
        jz      .none
        mov     al, [bp + F_AL]
        dec     al
        cmp     al, 72
        mov     ah, ST_INVALID
        jae     .none
        cmp     byte [bp + F_DH], 1
        ja      .none
        movzx   ecx, byte [bp + F_AL]
        shl     cx, 9
        call    floppy_dma
        jc      .none
        push    bx
        call    floppy_prepare
        pop     bx
        jc      .stop
        push    bx
        mov     bl, [bp + F_CH]
        call    floppy_seek
        pop     bx
        mov     ah, 0x40
        jc      .stop
        mov     al, bl
        call    fdc_out
        jc      .timeout
        mov     ax, si
        mov     ah, [bp + F_DH]
        shl     ah, 2
        or      al, ah
        mov     ah, [bp + F_CH]
        call    fdc_two
        jc      .timeout
        mov     al, [bp + F_DH]
        mov     ah, [bp + F_CL]
        call    fdc_two
        jc      .timeout
        push    si
        push    es
        call    floppy_table
        mov     ax, [es:si + 3]         ; bytes per sector, sectors per track
        mov     cx, [es:si + 5]         ; gap, length
        pop     es
        pop     si
        cmp     byte [BDA_FD_RATE], 0xc0
        jne     .not_ed
        mov     ah, 36
.not_ed:
        call    fdc_two
        jc      .timeout
        mov     ax, cx
        call    fdc_two
        jc      .timeout
        call    floppy_finish
        test    ah, ah
        jnz     .stop
        call    floppy_idle
        xor     ah, ah
        ret
.timeout:
        call    floppy_reset
        mov     ah, ST_TIMEOUT
.stop:  call    floppy_idle
.none:  mov     byte [bp + F_AL], 0
        ret

; The motor goes off after a while. Keeps all.
floppy_idle:
        push    es
        push    si
        push    ax
        call    floppy_table
        mov     al, [es:si + 2]
        mov     [BDA_FD_TIMEOUT], al
        pop     ax
        pop     si
        pop     es
        ret

; The result of a transfer as AH.
floppy_finish:
        call    fdc_result
        mov     ah, ST_TIMEOUT
        jc      .reset
        mov     ah, 0
        test    byte [BDA_FD_RESULT], 0xc0
        jz      .end
        mov     al, [BDA_FD_RESULT + 1]
        mov     di, .errors
.next:  mov     ah, [cs:di + 1]
        test    al, [cs:di]
        jnz     .end
        add     di, 2
        cmp     di, .errors_end
        jb      .next
        mov     ah, 0x20
.end:   ret
.reset: push    ax
        call    floppy_reset
        pop     ax
        ret
.errors:
        db      0x80, ST_NOT_FOUND, 0x20, 0x10, 0x10, 0x08, 0x04, ST_NOT_FOUND
        db      0x02, ST_PROTECTED, 0x01, 0x02
.errors_end:

; DMA channel 2 for CX bytes at the caller's ES:BX, in mode BH. CF and AH: they cross 64 KiB.
floppy_dma:
        push    ecx
        movzx   eax, word [bp + F_ES]
        shl     eax, 4
        movzx   edx, word [bp + F_EBX]
        add     eax, edx
        dec     cx
        mov     dx, ax
        add     dx, cx
        jc      .crosses
        push    eax
        mov     al, 0x06
        out     0x0a, al
        out     0x0c, al
        mov     al, bh
        out     0x0b, al
        pop     eax
        out     0x04, al
        mov     al, ah
        out     0x04, al
        shr     eax, 16
        out     0x81, al
        mov     al, cl
        out     0x05, al
        mov     al, ch
        out     0x05, al
        mov     al, 0x02
        out     0x0a, al
        pop     ecx
        clc
        ret
.crosses:
        pop     ecx
        mov     ah, ST_DMA_OVERRUN
        cmp     bh, 0x42                ; nothing is moved
        je      .verify
        stc
        ret
.verify:
        mov     al, 0x06
        out     0x0a, al
        out     0x0c, al
        mov     al, bh
        out     0x0b, al
        xor     al, al
        out     0x04, al
        out     0x04, al
        dec     cx
        mov     al, cl
        out     0x05, al
        mov     al, ch
        out     0x05, al
        mov     al, 0x02
        out     0x0a, al
        clc
        ret

; AH=05h: the address fields of a track, AL of them, are at ES:BX.
floppy_format:
        call    floppy_kind
        mov     ah, ST_TIMEOUT
        jz      .none
        movzx   ecx, byte [bp + F_AL]
        shl     cx, 2
        mov     ah, ST_INVALID
        jz      .none
        mov     bx, 0x4a4d
        call    floppy_dma
        jc      .none
        call    floppy_prepare
        jc      .stop
        mov     bl, [bp + F_CH]
        call    floppy_seek
        mov     ah, 0x40
        jc      .stop
        mov     ax, si
        mov     ah, [bp + F_DH]
        shl     ah, 2
        or      ah, al
        mov     al, 0x4d
        call    fdc_two
        jc      .timeout
        push    si
        push    es
        call    floppy_table
        mov     al, [es:si + 3]
        mov     cx, [es:si + 7]         ; gap, filler
        pop     es
        pop     si
        mov     ah, [bp + F_AL]
        call    fdc_two
        jc      .timeout
        mov     ax, cx
        call    fdc_two
        jc      .timeout
        call    floppy_finish
        jmp     .stop
.timeout:
        call    floppy_reset
        mov     ah, ST_TIMEOUT
.stop:  call    floppy_idle
.none:  ret

; AH=08h. Geometry by the kind of drive.
floppy_parameters:
        call    floppy_count
        mov     [bp + F_DL], al
        call    floppy_kind
        mov     ah, ST_INVALID
        jz      .end
        mov     [bp + F_BL], al
        mov     byte [bp + F_BH], 0
        mov     byte [bp + F_AL], 0
        cmp     al, 6
        jb      .kind
        mov     al, 5
.kind:  movzx   bx, al
        add     bx, bx
        mov     cx, [cs:.geometry + bx - 2]
        mov     [bp + F_ECX], cx
        mov     byte [bp + F_DH], 1
        mov     word [bp + F_EDI], diskette_parameters
        mov     word [bp + F_ES], BIOS_SEG
        xor     ah, ah
.end:   ret
        align   2, db 0
.geometry:                              ; last cylinder, sectors of a track
        dw      39 << 8 | 9, 79 << 8 | 15, 79 << 8 | 9, 79 << 8 | 18, 79 << 8 | 36

; AH=15h: 0 no drive, 1 without and 2 with a change line.
floppy_type:
        call    floppy_kind
        mov     ah, 0
        jz      .end
        mov     ah, 2
        cmp     al, 1
        jne     .end
        mov     ah, 1
.end:   pop     bx
        mov     byte [BDA_FD_STATUS], 0
        mov     [bp + F_AH], ah
        PASS_CALLER
        END_SERVICE

; AH=16h: 6 if the disk was changed.
floppy_change:
        call    floppy_kind
        mov     ah, ST_TIMEOUT
        jz      .end
        call    floppy_select
        rol     al, 1
        and     al, 1
        neg     al
        and     al, ST_CHANGED
        mov     ah, al
.end:   ret

; AH=17h, 18h: the medium that will be formatted. 18h returns the parameter table.
floppy_set_type:
        call    floppy_kind
        mov     ah, ST_TIMEOUT
        jz      .end
        mov     bl, [bp + F_AL]
        dec     bl
        cmp     bl, 4
        mov     ah, ST_INVALID
        jae     .end
        mov     bh, 0
        mov     al, [cs:.states + bx]
        mov     [BDA_FD_STATE + si], al
        xor     ah, ah
.end:   ret
.states:
        db      0x97, 0x57, 0x17, 0x97  ; 360K in 360K, in 1.2M; 1.2M; 720K

floppy_set_media:
        call    floppy_kind
        mov     ah, ST_TIMEOUT
        jz      .end
        mov     al, [bp + F_CL]
        and     al, 63
        mov     bl, 0x97                ; up to 9 sectors: 250 kb/s
        cmp     al, 9
        jbe     .set
        mov     bl, 0x17
        cmp     al, 18
        jbe     .set
        mov     bl, 0xd7
.set:   mov     [BDA_FD_STATE + si], bl
        mov     word [bp + F_EDI], diskette_parameters
        mov     word [bp + F_ES], BIOS_SEG
        xor     ah, ah
.end:   ret

; At start: how many drives there are, and the controller.
floppy_post:
        mov     ax, BDA_SEG
        mov     ds, ax
        xor     si, si
        call    floppy_kind
        jz      .end
        or      byte [BDA_EQUIPMENT], 1
        inc     si
        call    floppy_kind
        jz      .reset
        or      byte [BDA_EQUIPMENT], 0x40
.reset: mov     byte [0x8f], 0x77
        jmp     floppy_reset
.end:   ret
