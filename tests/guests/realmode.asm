; SPDX-License-Identifier: MIT
;
; Back in real mode, where a kernel finds the interrupts as a BIOS leaves them: the timer ticks and is
; counted, interrupts of devices are ended, HLT is left, and interrupts without a service do nothing.

%include "lib/image.asm"
%include "lib/test.asm"
%include "lib/real.asm"

section .strings
NAME:   db      "realmode", 0

BDA_TICKS       equ 0x46c
COMMAND_ISR     equ 0x0b                        ; OCW3: the next read is the in-service register

section .text
test_main:
        mov     esi, real_part
        mov     edi, REAL_CODE
        mov     ecx, real_part.end - real_part
        rep movsb
        call    enter_real
        CHECK   "ticks while halted", ebx, 3
        movzx   eax, byte [REAL_CODE + real_part.in_service - real_part]
        CHECK   "master's interrupts in service", eax, 0
        movzx   eax, byte [REAL_CODE + real_part.in_service + 1 - real_part]
        CHECK   "slave's interrupts in service", eax, 0
        jmp     test_end

; Comes back with the ticks counted in EBX: a HLT ends with a tick, as only the timer is open.
        bits    16
real_part:
        mov     eax, 0x12345678
        int     0x01                            ; registers survive what has no service
        int     0x60 - 0x18
        int     0x0b                            ; and what ends an interrupt that is not there
        int     0x73
        mov     ebx, -1
        cmp     eax, 0x12345678
        jne     .back
        mov     ebx, [BDA_TICKS]
        mov     cx, 3
.tick:
        mov     eax, [BDA_TICKS]
.wait:
        sti
        hlt
        cli
        cmp     eax, [BDA_TICKS]
        je      .wait
        loop    .tick
        neg     ebx
        add     ebx, [BDA_TICKS]
        mov     al, COMMAND_ISR
        out     0x20, al
        out     0xa0, al
        in      al, 0x20
        mov     [REAL_CODE + .in_service - real_part], al
        in      al, 0xa0
        mov     [REAL_CODE + .in_service + 1 - real_part], al
.back:
        jmp     0:REAL_BACK
.in_service:
        db      0xff, 0xff
.end:
        bits    32

IMAGE_END
