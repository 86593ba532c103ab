; SPDX-License-Identifier: MIT
;
; INT 17h: printers on parallel ports.

        align   2, db 0
printer_ports:
        dw      0x378, 0x278, 0x3bc

; Ports whose data register holds what is written are there.
printer_post:
        mov     si, printer_ports
        mov     di, 0x400 + BDA_LPT
        mov     cx, 3
.next:  cs lodsw
        mov     dx, ax
        mov     al, 0xaa
        out     dx, al
        in      al, dx
        cmp     al, 0xaa
        jne     .absent
        mov     [di], dx
        add     di, 2
        add     byte [0x400 + BDA_EQUIPMENT + 1], 0x40
        add     dx, 2
        mov     al, 0x0c                ; selected, not in reset
        out     dx, al
.absent:
        loop    .next
        ret

int17:  SERVICE
        sti
        movzx   si, byte [bp + F_DL]
        cmp     si, 3
        jae     .end
        mov     di, si
        add     si, si
        mov     dx, [BDA_LPT + si]
        test    dx, dx
        jz      .end
        mov     ah, [bp + F_AH]
        cmp     ah, 1
        jb      .print
        je      .reset
        cmp     ah, 2
        je      .status
.end:   END_SERVICE

.print: mov     al, [bp + F_AL]
        out     dx, al
        inc     dx
        movzx   ecx, byte [BDA_LPT_TIME + di]
        and     cl, 63                  ; units of 62 ms: up to four seconds
        imul    ecx, ecx, 62 * MS
        call    now
        mov     ebx, eax
.busy:  in      al, dx
        test    al, 0x80
        jnz     .strobe
        call    expired
        jnc     .busy
        call    .read
        or      ah, 0x01                ; time out
        jmp     .store
.strobe:
        inc     dx
        mov     al, 0x0d
        out     dx, al
        mov     al, 0x0c
        out     dx, al
        dec     dx
        call    .read
        jmp     .store
.reset: add     dx, 2
        mov     al, 0x08
        out     dx, al
        mov     eax, 2000
        call    wait_us
        mov     al, 0x0c
        out     dx, al
        sub     dx, 2
.status:
        inc     dx
        call    .read
.store: mov     [bp + F_AH], ah
        jmp     .end

; The status register at DX as AH tells it.
.read:  in      al, dx
        and     al, 0xf8
        xor     al, 0x48
        mov     ah, al
        ret
