; SPDX-License-Identifier: MIT
;
; The keyboard buffer, and what the interrupts make of scan codes and the mouse's packets: they are
; given to the controller as if they came from the devices.

; AL comes from the keyboard, or from the mouse: the controller's command D2h or D3h puts it into its
; output buffer.
from_mouse:
        mov     ah, 0xd3
        jmp     from
scan:   mov     ah, 0xd2
from:   push    cx
        push    ax
        cli
.wait:  in      al, 0x64
        test    al, 2
        jnz     .wait
        mov     al, ah
        out     0x64, al
.wait2: in      al, 0x64
        test    al, 2
        jnz     .wait2
        pop     ax
        out     0x60, al
        sti
        mov     cx, 0xffff
.taken: in      al, 0x64
        test    al, 1
        loopnz  .taken
        pop     cx
        ret

; -- The mouse -------------------------------------------------------------------------------------

test_mouse:
        mov     ax, 0xc205              ; packets of 3 bytes
        mov     bh, 3
        int     0x15
        CHECK   nc, "INT 15h C205h"
        cmp     bx, 0x00aa
        CHECK   e, "INT 15h C205h: a mouse"
        push    es
        push    0
        pop     es
        mov     bx, .handler
        mov     ax, 0xc207
        int     0x15
        pop     es
        CHECK   nc, "INT 15h C207h"
        mov     ax, 0xc200
        mov     bh, 1
        int     0x15
        CHECK   nc, "INT 15h C200h"
        mov     al, 0x29
        call    from_mouse
        mov     al, 5
        call    from_mouse
        mov     al, 0xfb
        call    from_mouse
        mov     si, 100
.wait:  cmp     byte [.calls], 0
        jne     .called
        mov     cx, 0
        mov     dx, 10000
        mov     ah, 0x86
        int     0x15
        dec     si
        jnz     .wait
.called:
        cmp     byte [.calls], 1
        CHECK   e, "mouse: one packet"
        cmp     word [.packet], 0x29
        CHECK   e, "mouse: status"
        cmp     word [.packet + 2], 5
        CHECK   e, "mouse: X"
        cmp     word [.packet + 4], 0xfb
        CHECK   e, "mouse: Y"
        mov     ax, 0xc206
        mov     bh, 0
        int     0x15
        CHECK   nc, "INT 15h C206h"
        test    bl, 0x20
        CHECK   nz, "INT 15h C206h: enabled"
        mov     ax, 0xc202
        mov     bh, 6
        int     0x15
        CHECK   nc, "INT 15h C202h"
        mov     ax, 0xc206
        mov     bh, 0
        int     0x15
        cmp     dl, 200
        CHECK   e, "INT 15h C202h sets the rate"
        mov     ax, 0xc200
        mov     bh, 0
        int     0x15
        CHECK   nc, "INT 15h C200h, off"
        ret

; Far call with four words: status, X, Y, zero.
.handler:
        push    bp
        mov     bp, sp
        push    ax
        inc     byte [cs:.calls]
        mov     ax, [bp + 12]
        mov     [cs:.packet], ax
        mov     ax, [bp + 10]
        mov     [cs:.packet + 2], ax
        mov     ax, [bp + 8]
        mov     [cs:.packet + 4], ax
        pop     ax
        pop     bp
        retf
.calls: db      0
        align   2, db 0
.packet:
        dw      0, 0, 0

; -- The keyboard ----------------------------------------------------------------------------------

; Scan codes up to a zero, then the key that they make, or 0.
%macro  KEY 2+
        dw      %1
        db      %2, 0
%endmacro
keys:   KEY     0x1e61, 0x1e, 0x9e
        KEY     0x1e41, 0x2a, 0x1e, 0x9e, 0xaa
        KEY     0x1e01, 0x1d, 0x1e, 0x9e, 0x9d
        KEY     0x1e00, 0x38, 0x1e, 0x9e, 0xb8
        KEY     0x0231, 0x02, 0x82
        KEY     0x0221, 0x36, 0x02, 0x82, 0xb6
        KEY     0x1c0d, 0x1c, 0x9c
        KEY     0x3b00, 0x3b, 0xbb
        KEY     0x5400, 0x2a, 0x3b, 0xbb, 0xaa
        KEY     0x4800, 0x48, 0xc8
        KEY     0x48e0, 0xe0, 0x48, 0xe0, 0xc8
        KEY     0x8de0, 0x1d, 0xe0, 0x48, 0xe0, 0xc8, 0x9d
        KEY     0xe00d, 0xe0, 0x1c, 0xe0, 0x9c
        KEY     0x0041, 0x38, 0x4d, 0xcd, 0x4c, 0xcc, 0xb8 ; Alt and 6, 5
        KEY     0x8500, 0x57, 0xd7
        KEY     0x1e41, 0x3a, 0xba, 0x1e, 0x9e
        KEY     0x1e61, 0x3a, 0xba, 0x1e, 0x9e
        dw      0

test_keys:
        mov     ax, 0x40
        mov     fs, ax
.drain: mov     ah, 0x11
        int     0x16
        jz      .empty
        mov     ah, 0x10
        int     0x16
        jmp     .drain
.empty: mov     ah, 0x05
        mov     cx, 0x1234
        int     0x16
        cmp     al, 0
        CHECK   e, "INT 16h 05h"
        mov     ah, 0x01
        int     0x16
        CHECK   nz, "INT 16h 01h: there is a key"
        cmp     ax, 0x1234
        CHECK   e, "INT 16h 01h: the key"
        mov     ah, 0x00
        int     0x16
        cmp     ax, 0x1234
        CHECK   e, "INT 16h 00h: the key"
        mov     ah, 0x01
        int     0x16
        CHECK   z, "INT 16h 01h: no key"
        mov     cx, 15
.fill:  push    cx
        mov     ah, 0x05
        int     0x16
        pop     cx
        loop    .fill
        mov     ah, 0x05
        int     0x16
        cmp     al, 1
        CHECK   e, "INT 16h 05h: full after 15"
        mov     cx, 15
.take:  mov     ah, 0x10
        int     0x16
        loop    .take
        mov     ah, 0x05
        mov     cx, 0x4be0
        int     0x16
        mov     ah, 0x00
        int     0x16
        cmp     ax, 0x4b00
        CHECK   e, "INT 16h 00h: cursor keys as on 84 keys"
        mov     ah, 0x09
        int     0x16
        test    al, 0x20
        CHECK   nz, "INT 16h 09h: 10h-12h are there"
        mov     ah, 0x02
        int     0x16
        mov     dl, al
        mov     ah, 0x12
        int     0x16
        cmp     al, dl
        CHECK   e, "INT 16h 12h is 02h and more"

        mov     si, keys
.key:   lodsw
        test    ax, ax
        jz      .end
        mov     bp, ax
.code:  lodsb
        test    al, al
        jz      .made
        call    scan
        jmp     .code
.made:  mov     cx, 1000                ; the interrupt comes in time
.wait:  mov     ah, 0x11
        int     0x16
        jnz     .there
        push    cx
        xor     cx, cx
        mov     dx, 1000
        mov     ah, 0x86
        int     0x15
        pop     cx
        loop    .wait
        xor     ax, ax
        jmp     .compare
.there: mov     ah, 0x10
        int     0x16
.compare:
        cmp     ax, bp
        je      .key
        movzx   eax, ax
        shl     eax, 16
        mov     ax, bp
        call    print_hex
        cmp     ax, ax
        test    sp, sp
        CHECK   z, ": made and wanted key"
        jmp     .key
.end:   ret
