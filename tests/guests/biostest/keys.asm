; SPDX-License-Identifier: MIT
;
; The keyboard buffer, and what the interrupt makes of scan codes: they are given to the controller as
; if they came from the keyboard.

; AL comes from the keyboard: the controller's command D2h puts it into its output buffer.
scan:   push    cx
        push    ax
        cli
.wait:  in      al, 0x64
        test    al, 2
        jnz     .wait
        mov     al, 0xd2
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
