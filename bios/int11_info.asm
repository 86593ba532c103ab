; SPDX-License-Identifier: MIT
;
; INT 11h: equipment. INT 12h: KiB of conventional memory. INT 05h: Print Screen.

int11:  push    ds
        push    BDA_SEG
        pop     ds
        mov     ax, [BDA_EQUIPMENT]
        pop     ds
        iret

int12:  push    ds
        push    BDA_SEG
        pop     ds
        mov     ax, [BDA_MEM_KB]
        pop     ds
        iret

; The characters of the screen to the first printer. 50:0 is 1 meanwhile, and FFh after an error.
int05:  SERVICE
        cmp     byte [BDA_PRINTING], 1
        je      .end
        mov     byte [BDA_PRINTING], 1
        sti
        mov     ah, 0x03                ; cursor
        mov     bh, [0x62]
        int     0x10
        push    dx
        mov     si, [BDA_COLUMNS]
        and     si, 0xff
        mov     cl, [0x84]              ; last row
        test    cl, cl
        jnz     .rows
        mov     cl, 24
.rows:  xor     dx, dx
.line:  call    .newline
        jc      .done
.char:  mov     ah, 0x02
        mov     bh, [0x62]
        int     0x10
        mov     ah, 0x08
        int     0x10
        test    al, al
        jnz     .print
        mov     al, ' '
.print: call    .out
        jc      .done
        inc     dl
        movzx   ax, dl
        cmp     ax, si
        jb      .char
        xor     dl, dl
        inc     dh
        cmp     dh, cl
        jbe     .line
        call    .newline
.done:  pop     dx
        pushf
        mov     ah, 0x02
        mov     bh, [0x62]
        int     0x10
        popf
        setc    al
        neg     al
        mov     [BDA_PRINTING], al
.end:   END_SERVICE

.newline:
        mov     al, 13
        call    .out
        jc      .ret
        mov     al, 10
; AL to the printer; CF if it does not take it.
.out:   push    dx
        xor     dx, dx
        xor     ah, ah
        int     0x17
        pop     dx
        test    ah, 0x29
        jz      .ret
        stc
.ret:   ret
