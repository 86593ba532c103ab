; SPDX-License-Identifier: MIT
;
; INT 14h: serial ports, 16550s whose addresses are in the data area.

        align   2, db 0
serial_ports:
        dw      0x3f8, 0x2f8, 0x3e8, 0x2e8

; Ports whose interrupt enable register holds what is written are there.
serial_post:
        mov     si, serial_ports
        mov     di, 0x400 + BDA_COM
        mov     cx, 4
.next:  cs lodsw
        mov     dx, ax
        inc     dx
        mov     al, 0x02
        out     dx, al
        in      al, dx
        cmp     al, 0x02
        jne     .absent
        xor     al, al
        out     dx, al
        dec     dx
        mov     [di], dx
        add     di, 2
        add     byte [0x400 + BDA_EQUIPMENT + 1], 2
.absent:
        loop    .next
        ret

int14:  SERVICE
        sti
        movzx   bx, byte [bp + F_AH]
        movzx   si, byte [bp + F_DL]
        cmp     bl, 4
        jae     .end
        cmp     si, 4
        jae     .end
        add     bx, bx
        mov     di, si
        add     si, si
        mov     dx, [BDA_COM + si]
        test    dx, dx
        jz      .end
        call    [cs:.functions + bx]
.end:   END_SERVICE
        align   2, db 0
.functions:
        dw      serial_set, serial_send, serial_receive, serial_status

; AH=00h: rate in bits 7-5 of AL, then parity, stop bits, length. DX is the port.
serial_set:
        movzx   bx, byte [bp + F_AL]
        shr     bx, 5
        add     bx, bx
        mov     cx, [cs:.divisors + bx]
        add     dx, 3
        mov     al, 0x80
        out     dx, al
        sub     dx, 3
        mov     al, cl
        out     dx, al
        inc     dx
        mov     al, ch
        out     dx, al
        add     dx, 2
        mov     al, [bp + F_AL]
        and     al, 0x1f
        out     dx, al
        sub     dx, 2
        xor     al, al
        out     dx, al
        dec     dx
; AH=03h: line status in AH, modem status in AL.
serial_status:
        add     dx, 5
        in      al, dx
        mov     ah, al
        inc     dx
        in      al, dx
        mov     [bp + F_EAX], ax
        ret
serial_set.divisors:
        dw      1047, 768, 384, 192, 96, 48, 24, 12

; AH=01h: AL out.
serial_send:
        add     dx, 4
        mov     al, 0x03                ; DTR, RTS
        out     dx, al
        inc     dx
        mov     bl, 0x20
        call    serial_wait
        jc      serial_timeout
        sub     dx, 5
        mov     al, [bp + F_AL]
        out     dx, al
        mov     [bp + F_AH], ah
        ret

; AH=02h: the next byte to AL.
serial_receive:
        add     dx, 4
        mov     al, 0x01
        out     dx, al
        inc     dx
        mov     bl, 0x01
        call    serial_wait
        jc      serial_timeout
        and     ah, 0x1e                ; errors
        sub     dx, 5
        in      al, dx
        mov     [bp + F_EAX], ax
        ret
serial_timeout:
        or      ah, 0x80
        mov     [bp + F_AH], ah
        ret

; Waits for the bit BL of the line status at DX: AH has it; CF after the time of the data area, in
; units of about half a second. DI is the number of the port.
serial_wait:
        push    ecx
        movzx   cx, byte [BDA_COM_TIME + di]
        push    cx
        call    now
        xchg    eax, ebx
        mov     ah, al                  ; the bit
        pop     cx
.unit:  push    cx
        mov     ecx, 500 * MS
.next:  in      al, dx
        test    al, ah
        jnz     .there
        call    expired
        jnc     .next
        add     ebx, 500 * MS
        and     ebx, 0xffffff
        pop     cx
        loop    .unit
        mov     ah, al
        stc
        jmp     .end
.there: pop     cx
        mov     ah, al
        clc
.end:   pop     ecx
        ret
