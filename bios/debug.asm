; SPDX-License-Identifier: MIT
;
; Messages for who develops firmware, on the debug console at port 402.

DEBUG_PORT      equ 0x402

; Prints the text at CS:SI; returns by a jump to SP, so that no RAM is needed. Changes AX, DX, SI.
debug_print_rom:
        mov     dx, DEBUG_PORT
.next:  cs lodsb
        test    al, al
        jz      .end
        out     dx, al
        jmp     .next
.end:   jmp     sp
