; SPDX-License-Identifier: MIT
;
; The 8254's channel 0 is the clock of the scheduler: a rate generator (mode 2) at 100 Hz, whose
; output is IRQ 0.

PIT_CHANNEL0    equ 0x40
PIT_CONTROL     equ 0x43
PIT_RATE        equ 0x34                        ; channel 0, low byte then high byte, mode 2, binary
PIT_HZ          equ 1193182
TICK_HZ         equ 100

section .text
timer_start:
        push    eax
        mov     al, PIT_RATE
        out     PIT_CONTROL, al
        mov     eax, (PIT_HZ + TICK_HZ / 2) / TICK_HZ
        out     PIT_CHANNEL0, al
        mov     al, ah
        out     PIT_CHANNEL0, al
        pop     eax
        ret
