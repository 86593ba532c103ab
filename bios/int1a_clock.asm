; SPDX-License-Identifier: MIT
;
; INT 1Ah: ticks, the real-time clock, its alarm; PCI functions.

int1a:  SERVICE
        mov     al, [bp + F_AH]
        cmp     al, 0xb1
        je      .pci
        cmp     al, 8
        jae     .bad
        PASS_CALLER
        cbw
        mov     bx, ax
        add     bx, bx
        call    [cs:.functions + bx]
        END_SERVICE
.pci:   call    pci_service
        END_SERVICE
.bad:   FAIL_CALLER
        END_SERVICE
        align   2, db 0
.functions:
        dw      ticks_get, ticks_set, time_get, time_set, date_get, date_set, alarm_set, alarm_off

ticks_get:
        cli
        mov     eax, [BDA_TICKS]
        mov     [bp + F_EDX], ax
        shr     eax, 16
        mov     [bp + F_ECX], ax
        xor     al, al
        xchg    al, [BDA_MIDNIGHT]
        mov     [bp + F_AL], al
        mov     byte [bp + F_AH], 0
        ret

ticks_set:
        cli
        mov     ax, [bp + F_EDX]
        mov     [BDA_TICKS], ax
        mov     ax, [bp + F_ECX]
        mov     [BDA_TICKS + 2], ax
        mov     byte [BDA_MIDNIGHT], 0
        mov     byte [bp + F_AH], 0
        ret

; The clock's registers are moved by tables of a register and a place in the frame.
%macro  CLOCK 2
        db      %1, %2
%endmacro
time_table:
        CLOCK   0x04, F_CH
        CLOCK   0x02, F_CL
        CLOCK   0x00, F_DH
        db      0xff
date_table:
        CLOCK   0x32, F_CH
        CLOCK   0x09, F_CL
        CLOCK   0x08, F_DH
        CLOCK   0x07, F_DL
        db      0xff
alarm_table:
        CLOCK   0x05, F_CH
        CLOCK   0x03, F_CL
        CLOCK   0x01, F_DH
        db      0xff

; Reads by the table at CS:SI.
clock_read:
        call    rtc_wait
.next:  cs lodsb
        cmp     al, 0xff
        je      .end
        call    cmos_read
        mov     bl, al
        cs lodsb
        cbw
        mov     di, ax
        mov     [bp + di], bl
        jmp     .next
.end:   mov     byte [bp + F_AH], 0
        ret

; Writes by the table at CS:SI, with the clock stopped.
clock_write:
        mov     al, 0x0b
        call    cmos_read
        or      al, 0x80
        mov     ah, al
        mov     al, 0x0b
        call    cmos_write
.next:  cs lodsb
        cmp     al, 0xff
        je      .end
        mov     cl, al
        cs lodsb
        cbw
        mov     di, ax
        mov     ah, [bp + di]
        mov     al, cl
        call    cmos_write
        jmp     .next
.end:   mov     al, 0x0b
        call    cmos_read
        and     al, 0x7f
        ret

time_get:
        mov     si, time_table
        call    clock_read
        mov     al, 0x0b
        call    cmos_read
        and     al, 1                   ; daylight saving
        mov     [bp + F_DL], al
        ret

time_set:
        mov     si, time_table
        call    clock_write
        and     al, 0xfe
        mov     ah, [bp + F_DL]
        and     ah, 1
        or      ah, al
        jmp     clock_control

date_get:
        mov     si, date_table
        jmp     clock_read

date_set:
        mov     si, date_table
        call    clock_write
        mov     ah, al
clock_control:
        mov     al, 0x0b
        call    cmos_write
        mov     byte [bp + F_AH], 0
        ret

; AH=06h: INT 4Ah at CH:CL:DH; CF if an alarm is set already.
alarm_set:
        mov     al, 0x0b
        call    cmos_read
        test    al, 0x20
        jnz     .busy
        mov     si, alarm_table
        call    clock_write
        or      al, 0x20
        mov     ah, al
        in      al, PIC2 + 1
        and     al, ~1
        out     PIC2 + 1, al
        jmp     clock_control
.busy:  FAIL_CALLER
        ret

alarm_off:
        mov     al, 0x0b
        call    cmos_read
        and     al, ~0x20
        mov     ah, al
        jmp     clock_control
