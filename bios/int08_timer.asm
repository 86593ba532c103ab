; SPDX-License-Identifier: MIT
;
; The timer's interrupt, 18.2 times a second: counts, switches floppy motors off, calls INT 1Ch.

TICKS_PER_DAY   equ 0x1800b0

int08:  push    ds
        push    eax
        push    dx
        push    BDA_SEG
        pop     ds
        mov     eax, [BDA_TICKS]
        inc     eax
        cmp     eax, TICKS_PER_DAY
        jb      .day
        xor     eax, eax
        inc     byte [BDA_MIDNIGHT]
.day:   mov     [BDA_TICKS], eax
        cmp     byte [BDA_FD_TIMEOUT], 0
        je      .motor
        dec     byte [BDA_FD_TIMEOUT]
        jnz     .motor
        and     byte [BDA_FD_MOTOR], 0xf0
        mov     al, 0x0c
        mov     dx, FDC_DOR
        out     dx, al
.motor: int     0x1c
        mov     al, EOI
        out     PIC1, al
        pop     dx
        pop     eax
        pop     ds
        iret
