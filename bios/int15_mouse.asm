; SPDX-License-Identifier: MIT
;
; INT 15h AH=C2h: the PS/2 mouse (IBM PS/2 and PC BIOS Interface Technical Reference), and its
; interrupt, which calls the program's handler for each packet.

MOUSE_ON        equ 0x80                ; EB_MOUSE_FLAGS2: there is a handler

mouse_service:
        mov     fs, [BDA_EBDA]
        movzx   bx, byte [bp + F_AL]
        mov     ah, 1                   ; wrong function
        cmp     bl, 8
        jae     .end
        add     bx, bx
        call    [cs:.functions + bx]
        jnc     .ok
        mov     ah, 3                   ; interface error
        jmp     .end
.ok:    mov     ah, 0
.end:   mov     [bp + F_AH], ah
        test    ah, ah
        jz      .ret
        FAIL_CALLER
.ret:   ret
        align   2, db 0
.functions:
        dw      mouse_enable, mouse_reset, mouse_rate, mouse_resolution, mouse_type, mouse_init
        dw      mouse_more, mouse_handler

; AL to the mouse, which acknowledges: CF if not. Its interrupt comes to nothing meanwhile.
mouse_send:
        pushf
        cli
        push    ax
        mov     al, 0xd4
        call    kbc_command
        call    kbc_ready
        pop     ax
        out     KBC_DATA, al
.next:  call    mouse_read
        jc      .fail
        cmp     al, 0xfa
        je      .ok
        cmp     al, 0xfe
        jne     .next
.fail:  popf
        stc
        ret
.ok:    popf
        clc
        ret

; A byte from the mouse to AL, or CF.
mouse_read:
        call    kbc_read
        jc      .end
        jnz     mouse_read              ; of the keyboard: dropped
        clc
.end:   ret

; An answer of the mouse, while no interrupt takes it.
mouse_answer:
        pushf
        cli
        call    mouse_read
        jc      .fail
        popf
        clc
        ret
.fail:  popf
        stc
        ret

mouse_enable:
        and     byte [fs:EB_MOUSE_FLAGS], ~7
        mov     al, 0xf5
        cmp     byte [bp + F_BH], 0
        je      mouse_send
        mov     al, 0xf4
        jmp     mouse_send

; BH is the size of packets.
mouse_init:
        mov     al, [bp + F_BH]
        dec     al
        and     al, 7
        and     byte [fs:EB_MOUSE_FLAGS2], ~7
        or      [fs:EB_MOUSE_FLAGS2], al
; BL = AAh, BH = the mouse's type.
mouse_reset:
        and     byte [fs:EB_MOUSE_FLAGS], ~7
        pushf
        cli
        mov     al, 0xff
        call    mouse_send
        jc      .fail
        call    mouse_answer
        jc      .fail
        mov     [bp + F_BL], al
        call    mouse_answer
        jc      .fail
        mov     [bp + F_BH], al
        popf
        clc
        ret
.fail:  popf
        stc
        ret

mouse_rate:
        movzx   bx, byte [bp + F_BH]
        cmp     bl, 7
        cmc
        jc      .end
        mov     al, 0xf3
        call    mouse_send
        jc      .end
        mov     al, [cs:.rates + bx]
        call    mouse_send
.end:   ret
.rates: db      10, 20, 40, 60, 80, 100, 200

mouse_resolution:
        mov     al, 0xe8
        call    mouse_send
        jc      .end
        mov     al, [bp + F_BH]
        call    mouse_send
.end:   ret

mouse_type:
        pushf
        cli
        mov     al, 0xf2
        call    mouse_send
        jc      mouse_reset.fail
        call    mouse_answer
        jc      mouse_reset.fail
        mov     [bp + F_BH], al
        popf
        clc
        ret

; BH: 0 status to BL, CL, DL; 1 and 2: scaling.
mouse_more:
        mov     al, 0xe6
        cmp     byte [bp + F_BH], 1
        je      mouse_send
        mov     al, 0xe7
        ja      mouse_send
        pushf
        cli
        mov     al, 0xe9
        call    mouse_send
        jc      mouse_reset.fail
        call    mouse_answer
        mov     [bp + F_BL], al
        call    mouse_answer
        mov     [bp + F_CL], al
        call    mouse_answer
        mov     [bp + F_DL], al
        popf
        clc
        ret

; ES:BX is called for each packet; 0:0 for none.
mouse_handler:
        mov     ax, [bp + F_EBX]
        mov     [fs:EB_MOUSE_CALL], ax
        mov     bx, [bp + F_ES]
        mov     [fs:EB_MOUSE_CALL + 2], bx
        and     byte [fs:EB_MOUSE_FLAGS2], ~MOUSE_ON
        or      ax, bx
        jz      .end
        or      byte [fs:EB_MOUSE_FLAGS2], MOUSE_ON
.end:   clc
        ret

; The interrupt: collects a packet, and gives it to the handler as four words.
int74:  SERVICE
        mov     fs, [BDA_EBDA]
        in      al, KBC_CMD
        and     al, 0x21
        cmp     al, 0x21
        jne     .end
        in      al, KBC_DATA
        test    byte [fs:EB_MOUSE_FLAGS2], MOUSE_ON
        jz      .end
        mov     bl, [fs:EB_MOUSE_FLAGS]
        mov     bh, 0
        and     bl, 7
        mov     [fs:EB_MOUSE_DATA + bx], al
        mov     al, [fs:EB_MOUSE_FLAGS2]
        and     al, 7
        cmp     bl, al
        jae     .whole
        inc     byte [fs:EB_MOUSE_FLAGS]
        jmp     .end
.whole: and     byte [fs:EB_MOUSE_FLAGS], ~7
        movzx   ax, byte [fs:EB_MOUSE_DATA]
        push    ax
        mov     al, [fs:EB_MOUSE_DATA + 1]
        push    ax
        mov     al, [fs:EB_MOUSE_DATA + 2]
        push    ax
        mov     al, 0
        push    ax
        mov     al, EOI
        out     PIC2, al
        out     PIC1, al
        sti
        call    far [fs:EB_MOUSE_CALL]
        mov     sp, bp
        END_SERVICE
.end:   mov     al, EOI
        out     PIC2, al
        out     PIC1, al
        END_SERVICE
