; SPDX-License-Identifier: MIT
;
; The floppy controller, an 82077 that is polled (Intel 290166): commands and results, and what a drive
; needs before a transfer. The medium is found by trying data rates. DS is the BIOS data area, SI the
; drive.

FDC_DOR         equ 0x3f2
FDC_MSR         equ 0x3f4
FDC_DATA        equ 0x3f5
FDC_DIR         equ 0x3f7               ; disk change; written: data rate
MSR_RQM         equ 0x80
MSR_DIO         equ 0x40
FS_KNOWN        equ 0x10                ; BDA_FD_STATE: the rate in bits 7-6 is right

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

; SI = drive: it is selected, with the motors that are to run. AL bit 7: its disk was changed. Uses CX, DX.
floppy_select:
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
        ret

; Drive SI is selected, its motor on, its head calibrated, its medium's rate set. CF and AH.
floppy_prepare:
        mov     byte [BDA_FD_TIMEOUT], 0xff
        mov     cx, si
        mov     al, 1
        shl     al, cl
        or      [BDA_FD_MOTOR], al
        call    floppy_select
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
