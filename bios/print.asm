; SPDX-License-Identifier: MIT
;
; Text: for the user by the display adapter's INT 10h, for who develops firmware at port 402.

DEBUG_PORT      equ 0x402

; AL to the debug console.
debug_char:
        push    dx
        mov     dx, DEBUG_PORT
        out     dx, al
        pop     dx
        ret

; The text at CS:SI. Changes AX, SI.
debug_print:
        cs lodsb
        test    al, al
        jz      .end
        call    debug_char
        jmp     debug_print
.end:   ret

; AL to the screen and the debug console; a line feed brings a carriage return. Keeps all.
print_char:
        pusha
        call    debug_char
        cmp     al, 10
        jne     .char
        mov     al, 13
        call    .out
        mov     al, 10
.char:  call    .out
        popa
        ret
.out:   mov     ah, 0x0e
        mov     bx, 0x0007
        push    bp
        int     0x10
        pop     bp
        ret

; The text at CS:SI, to both. Changes AX, SI.
print:  cs lodsb
        test    al, al
        jz      .end
        call    print_char
        jmp     print
.end:   ret

; EAX in decimal. Keeps all.
print_number:
        pushad
        xor     cx, cx
        mov     ebx, 10
.digit: xor     edx, edx
        div     ebx
        push    dx
        inc     cx
        test    eax, eax
        jnz     .digit
.out:   pop     ax
        add     al, '0'
        call    print_char
        loop    .out
        popad
        ret

; EAX in hexadecimal, to the debug console. Keeps all.
debug_hex:
        pushad
        mov     ebx, eax
        mov     cx, 8
.digit: rol     ebx, 4
        mov     al, bl
        and     al, 15
        cmp     al, 10
        sbb     al, 0x69
        das
        call    debug_char
        loop    .digit
        popad
        ret

; The display's first mode: 80 by 25 characters.
banner_post:
        mov     ax, 0x0003
        int     0x10
        mov     si, .text
        call    print
        ret
.text:  db      "Calque BIOS", 10, 10, 0
