; SPDX-License-Identifier: MIT
;
; INT 13h for floppies, which is also INT 40h: the 82077 by DMA channel 2, polled (Intel 290166; IBM
; AT Technical Reference for the data area). The medium is found by trying data rates.

FDC_DOR         equ 0x3f2
FDC_MSR         equ 0x3f4
FDC_DATA        equ 0x3f5
FDC_DIR         equ 0x3f7               ; disk change; written: data rate
MSR_RQM         equ 0x80
MSR_DIO         equ 0x40
FS_KNOWN        equ 0x10                ; BDA_FD_STATE: the rate in bits 7-6 is right

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

; -- Controller ------------------------------------------------------------------------------------

; AL to the controller; CF: it does not take it. Keeps all.
fdc_out:
        push    dx
        push    ax
        mov     ah, 0
        call    fdc_wait
        pop     ax
        jc      .end
        inc     dx
        out     dx, al
        clc
.end:   pop     dx
        ret

; A byte from the controller to AL, or CF.
fdc_in: push    dx
        mov     ah, MSR_DIO
        call    fdc_wait
        jc      .end
        inc     dx
        in      al, dx
        clc
.end:   pop     dx
        ret

; Waits until the controller wants a byte (AH = 0) or has one (MSR_DIO): DX is its status port; CF
; after three seconds.
fdc_wait:
        or      ah, MSR_RQM
        call    .is
        je      .end
        push    ebx
        push    ecx
        push    eax
        call    now
        mov     ebx, eax
        pop     eax
        mov     ecx, 3000 * MS
.next:  call    .is
        je      .done
        call    expired
        jnc     .next
.done:  pop     ecx
        pop     ebx
.end:   ret

; ZF: the status is AH; then CF is clear. DX is its port. Changes AL.
.is:    mov     dx, FDC_MSR
        in      al, dx
        and     al, MSR_RQM | MSR_DIO
        cmp     al, ah
        ret

; The result of a command to BDA_FD_RESULT; CF: there is none.
fdc_result:
        push    di
        mov     di, BDA_FD_RESULT
.next:  call    fdc_in
        jc      .end
        mov     [di], al
        inc     di
        push    dx
        mov     dx, FDC_MSR
        in      al, dx
        pop     dx
        test    al, 0x10                ; busy: there is more
        jz      .done
        cmp     di, BDA_FD_RESULT + 7
        jb      .next
.done:  clc
.end:   pop     di
        ret

; The IRQ's service.
int0e:  push    ax
        push    ds
        push    BDA_SEG
        pop     ds
        or      byte [BDA_FD_RECAL], 0x80
        mov     al, EOI
        out     PIC1, al
        pop     ds
        pop     ax
        iret

; AL and then AH to the controller; CF: it does not take them.
fdc_two:
        call    fdc_out
        jc      .end
        mov     al, ah
        call    fdc_out
.end:   ret

; Waits until a seek or recalibration of drive SI has ended: CF if it has not, or went wrong.
fdc_seek_end:
        push    ebx
        push    ecx
        call    now
        mov     ebx, eax
        mov     ecx, 3000 * MS
.next:  mov     al, 0x08                ; sense interrupt status
        call    fdc_out
        jc      .end
        call    fdc_result
        jc      .end
        mov     al, [BDA_FD_RESULT]
        cmp     al, 0x80                ; none yet
        je      .again
        test    al, 0x20
        jnz     .ended
.again: call    expired
        jnc     .next
        jmp     .end
.ended: and     al, 0xc0
        add     al, 0xff                ; CF: an end that is not normal
.end:   pop     ecx
        pop     ebx
        ret

; Resets the controller. AH = status.
floppy_reset:
        mov     al, CMOS_FLOPPIES
        call    cmos_read
        test    al, al
        mov     ah, ST_OK
        jz      .end                    ; no drives: there may be no controller
        mov     dx, FDC_DOR
        mov     al, [BDA_FD_MOTOR]
        and     al, 0x0f
        shl     al, 4
        or      al, 0x08
        out     dx, al                  ; in reset
        push    eax
        mov     eax, 10
        call    wait_us
        pop     eax
        or      al, 0x04
        out     dx, al
        mov     byte [BDA_FD_RECAL], 0
        mov     cx, 4                   ; each drive reports
.sense: mov     al, 0x08
        call    fdc_out
        jc      .fail
        call    fdc_result
        jc      .fail
        loop    .sense
        push    es
        push    si
        call    floppy_table
        mov     al, 0x03                ; specify
        call    fdc_out
        mov     ax, [es:si]
        and     ah, ~1                  ; by DMA
        pop     si
        pop     es
        call    fdc_two
        mov     ah, 0
        jnc     .end
.fail:  mov     ah, 0x20
.end:   ret

; ES:SI = the parameter table, where vector 1Eh points.
floppy_table:
        push    0
        pop     es
        les     si, [es:0x1e * 4]
        ret

; -- Before a transfer -----------------------------------------------------------------------------

; Drive SI is selected, its motor on, its head calibrated, its medium's rate set. CF and AH.
floppy_prepare:
        mov     byte [BDA_FD_TIMEOUT], 0xff
        mov     cx, si
        mov     al, 1
        shl     al, cl
        or      [BDA_FD_MOTOR], al
        mov     al, [BDA_FD_MOTOR]
        and     al, 0x0f
        shl     al, 4
        or      al, 0x0c
        or      al, cl
        mov     dx, FDC_DOR
        out     dx, al
        mov     dx, FDC_DIR
        in      al, dx
        test    al, 0x80
        jnz     .changed
        call    floppy_calibrate
        jc      .fail
        test    byte [BDA_FD_STATE + si], FS_KNOWN
        jz      floppy_find_rate
        mov     al, [BDA_FD_STATE + si]
        jmp     floppy_set_rate

; The disk was changed, or there is none: steps of the head tell. IBM's BIOS then waits in vain for
; the index hole, so the status is that of a time-out.
.changed:
        mov     byte [BDA_FD_STATE + si], 0
        mov     bl, 1
        call    floppy_seek
        jc      .fail
        mov     bl, 0
        call    floppy_seek
        jc      .fail
        mov     dx, FDC_DIR
        in      al, dx
        test    al, 0x80
        mov     ah, ST_CHANGED
        jz      .fail_set
        mov     ah, ST_TIMEOUT
.fail_set:
        stc
        ret
.fail:  mov     ah, 0x40
        stc
        ret

; The rate in bits 7-6 of AL. CF is clear.
floppy_set_rate:
        and     al, 0xc0
        mov     [BDA_FD_RATE], al
        shr     al, 6
        mov     dx, FDC_DIR
        out     dx, al
        clc
        ret

; Tries the rates of the kind of drive. CF and AH: none reads anything.
floppy_find_rate:
        call    floppy_kind
        cbw
        cmp     al, 6
        jb      .kind
        mov     al, 5
.kind:  mov     bx, ax
        shl     bx, 2
        add     bx, .rates
        mov     cx, 4
.next:  mov     al, [cs:bx]
        call    floppy_set_rate
        mov     ax, si
        mov     ah, al
        mov     al, 0x4a                ; read ID
        call    fdc_two
        jc      .fail
        call    fdc_result
        jc      .fail
        test    byte [BDA_FD_RESULT], 0xc0
        jz      .found
        inc     bx
        loop    .next
.fail:  mov     ah, 0x02
        stc
        ret
.found: mov     al, [BDA_FD_RATE]
        or      al, FS_KNOWN | 7
        mov     [BDA_FD_STATE + si], al
        clc
        ret
.rates: db      0x00, 0x80, 0x40, 0xc0  ; by kinds: 500, 250, 300 kb/s, 1 Mb/s
        db      0x80, 0x40, 0x00, 0xc0
        db      0x00, 0x40, 0x80, 0xc0
        db      0x80, 0x00, 0x40, 0xc0
        db      0x00, 0x80, 0x40, 0xc0
        db      0xc0, 0x00, 0x80, 0x40

floppy_calibrate:
        bt      word [BDA_FD_RECAL], si
        cmc
        jnc     .end
        mov     ax, si
        mov     ah, al
        mov     al, 0x07
        call    fdc_two
        jc      .end
        call    fdc_seek_end
        jc      .end
        bts     word [BDA_FD_RECAL], si
        mov     byte [BDA_FD_TRACK + si], 0
        clc
.end:   ret

; Drive SI to cylinder BL, unless its head is there. CF.
floppy_seek:
        bt      word [BDA_FD_RECAL], si
        jnc     .go
        cmp     [BDA_FD_TRACK + si], bl
        je      .there                  ; CF is clear
.go:    push    bx
        mov     al, 0x0f
        call    fdc_out
        jc      .end
        mov     ax, si
        mov     ah, bl
        call    fdc_two
        jc      .end
        call    fdc_seek_end
        jc      .end
        pop     bx
        mov     [BDA_FD_TRACK + si], bl
.there: ret
.end:   pop     bx
        stc
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
        mov     cx, si
        mov     al, [BDA_FD_MOTOR]
        and     al, 0x0f
        shl     al, 4
        or      al, 0x0c
        or      al, cl
        mov     dx, FDC_DOR
        out     dx, al
        mov     dx, FDC_DIR
        in      al, dx
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
