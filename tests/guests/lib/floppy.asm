; SPDX-License-Identifier: MIT
;
; The frame of guests that are the image of a floppy of 1.44 MB: the boot sector loads the rest of the
; first track and goes to `main`, in real mode with all segments 0. A guest includes this file first and
; ends what is loaded with FLOPPY_END.

        bits    16
        cpu     386
        org     0x7c00

STACK           equ 0x7000                      ; below the code, and not in one page with it
LOADED          equ 16                          ; sectors behind the first

boot:   jmp     0:.start
.start: cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, STACK
        sti
        cld
        mov     ax, 0x0200 | LOADED
        mov     bx, 0x7e00
        mov     cx, 2
        mov     dh, 0                           ; DL is the drive
        int     0x13
        jnc     main
        mov     si, .text
        call    print
        jmp     $
.text:  db      "The disk cannot be read.", 13, 10, 0

; The text at SI on the screen.
print:  lodsb
        test    al, al
        jz      .end
        mov     ah, 0x0e
        mov     bx, 7
        int     0x10
        jmp     print
.end:   ret

        times   510 - ($ - $$) db 0
        dw      0xaa55

%macro FLOPPY_END 0
        times   (LOADED + 1) * 512 - ($ - $$) db 0
        times   1440 * 1024 - ($ - $$) db 0
%endmacro
