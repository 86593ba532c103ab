; SPDX-License-Identifier: MIT
;
; Characters and pixels in graphics modes: what is behind functions 08h-0Ah and 0Eh there, 0Ch and 0Dh.

GLYPH_MAX       equ 32                          ; lines

; -- Glyphs ---------------------------------------------------------------------------------------------

; AL = character: FS:SI = its lines, CX = how many. Uses AX, BX, DX.
find_glyph:
        mov     si, VECTOR_FONT
        call    glyph_lines
        cmp     byte [MODE], 4
        jb      .found
        cmp     byte [MODE], 6
        ja      .found
        test    al, 0x80
        jz      .found
        and     al, 0x7f
        mov     si, VECTOR_UPPER
.found: xor     bx, bx
        mov     fs, bx
        lfs     si, [fs:si]
        xor     ah, ah
        mul     cx
        add     si, ax
        ret

; CX = lines of a glyph.
glyph_lines:
        mov     cx, 8
        cmp     byte [MODE], 4
        jb      .height
        cmp     byte [MODE], 6
        jbe     .end                            ; CGA's
.height:
        mov     cx, [CHAR_HEIGHT]
        cmp     cx, GLYPH_MAX
        jbe     .end
        mov     cx, GLYPH_MAX
.end:   ret

; BH = page, DX = row and column: ES:DI = the glyph's first line, BL = kind. Carry: there are no
; glyphs in this mode. Uses AX, BH, CX, DX.
locate_glyph:
        push    dx
        call    page_start
        mov     di, ax
        call    get_kind
        pop     dx
        cmp     bl, KIND_CGA4
        jb      .end
        movzx   si, bl
        imul    si, si, CELL_size
        add     si, cell_shapes - CELL_size
        mov     al, dl
        mul     byte [cs:si + CELL.bytes]
        add     di, ax
        movzx   ax, byte [cs:si + CELL.lines]
        test    ax, ax
        jnz     .lines
        mov     ax, [CHAR_HEIGHT]
.lines: mul     dh
        mov     cx, ax
        mov     al, [COLUMNS]
        mul     byte [cs:si + CELL.pitch]
        mul     cx
        add     di, ax
        clc
.end:   ret

; BL = kind: DX = bytes to the next line, 0 for CGA's.
line_pitch:
        xor     dx, dx
        cmp     bl, KIND_PLANAR
        jb      .end
        mov     dx, [COLUMNS]
        je      .end
        shl     dx, 3
.end:   ret

; DI to the next line, DX as line_pitch gives it.
next_line:
        add     di, dx
        test    dx, dx
        jnz     .end
        xor     di, 0x2000
        test    di, 0x2000
        jnz     .end
        add     di, 80
.end:   ret

; AL = character, AH = colour (bit 7: it is XORed, but in 256 colours), BH = page, DX = row and column.
draw_glyph:
        push    ax
        call    locate_glyph
        pop     ax
        jc      .end
        push    ax
        push    bx
        call    find_glyph
        pop     bx
        pop     ax
        call    line_pitch
        cmp     bl, KIND_PLANAR
        je      draw_planar
        movzx   bx, bl
        add     bx, bx
.line:  fs lodsb
        push    cx
        push    di
        call    [cs:line_drawers + bx - 2 * KIND_CGA4]
        pop     di
        pop     cx
        call    next_line
        loop    .line
.end:   ret

line_drawers:
        dw      draw_cga4, draw_cga2, 0, draw_bytes

; AL = a line's dots, AH = colour, to ES:DI. These use AL, CX, DI.
draw_bytes:
        push    dx
        mov     dl, al
        mov     cx, 8
.dot:   shl     dl, 1
        sbb     al, al
        and     al, ah
        stosb
        loop    .dot
        pop     dx
        ret

draw_cga4:
        pusha
        mov     dl, al
        mov     bl, ah
        and     bl, 3
        mov     cx, 8
.dot:   shl     dl, 1
        sbb     bh, bh
        and     bh, bl
        shl     si, 2
        movzx   bp, bh
        or      si, bp
        loop    .dot
        xchg    ax, si
        xchg    al, ah
        test    si, 0x8000                      ; the colour's bit 7
        jz      .store
        xor     ax, [es:di]
.store: stosw
        popa
        ret

draw_cga2:
        test    ah, 0x80
        jnz     .xor
        test    ah, 1
        jnz     .store
        mov     al, 0
.store: stosb
        ret
.xor:   test    ah, 1
        jz      .end
        xor     [es:di], al
.end:   ret

; The whole glyph: planes that the colour has get the dots, others nothing.
draw_planar:
        mov     bx, dx
        mov     dx, SEQ
        test    ah, 0x80
        jnz     .xor
        push    ax
        not     ah
        and     ah, 0x0f
        mov     al, 2
        out     dx, ax
        push    cx
        push    di
.clear: mov     byte [es:di], 0
        add     di, bx
        loop    .clear
        pop     di
        pop     cx
        pop     ax
        and     ah, 0x0f
        mov     al, 2
        out     dx, ax
.line:  fs lodsb
        mov     [es:di], al
        add     di, bx
        loop    .line
        jmp     .end
.xor:   and     ah, 0x0f
        mov     al, 2
        out     dx, ax
        SET     GFX, 3, 0x18
.xor_line:
        fs lodsb
        mov     ah, [es:di]                     ; to the latches
        mov     [es:di], al
        add     di, bx
        loop    .xor_line
        SET     GFX, 3, 0
.end:   SET     SEQ, 2, 0x0f
        ret

; BH = page: the caller's AL = the first character whose glyph is at the cursor, or 0.
read_glyph:
        mov     byte [CALLER(ax)], 0
        push    bx
        call    cursor_of
        mov     dx, [bx]
        pop     bx
        call    locate_glyph
        jc      .end
        call    line_pitch
        call    glyph_lines
        sub     sp, GLYPH_MAX
        mov     si, sp
        cmp     bl, KIND_PLANAR
        jne     .read
        push    dx
        SET     GFX, 7, 0x0f
        SET     GFX, 2, 0
        SET     GFX, 5, 8                       ; reads say where planes are as the colour
        pop     dx
.read:  movzx   bx, bl
        add     bx, bx
        push    cx
        push    si
.line:  call    [cs:line_readers + bx - 2 * KIND_CGA4]
        mov     [ss:si], al
        inc     si
        call    next_line
        loop    .line
        cmp     bl, 2 * KIND_PLANAR
        jne     .recognise
        SET     GFX, 5, 0
.recognise:
        pop     di
        pop     cx
        call    recognise
        mov     [CALLER(ax)], al
        add     sp, GLYPH_MAX
.end:   ret

; AL = the first character whose glyph is at SS:DI, or 0.
recognise:
        xor     al, al
.next:  push    ax
        call    find_glyph
        pop     ax
        push    di
.line:  mov     ah, [ss:di]
        cmp     ah, [fs:si]
        jne     .other
        inc     di
        inc     si
        loop    .line
        pop     di
        ret
.other: pop     di
        inc     al
        jnz     .next
        ret

line_readers:
        dw      read_cga4, read_cga2, read_planar, read_bytes

; AL = which dots of the line at ES:DI are not black.
read_planar:
        mov     al, [es:di]
        not     al
        ret

read_cga2:
        mov     al, [es:di]
        ret

read_cga4:
        push    cx
        push    dx
        mov     dx, [es:di]
        xchg    dl, dh
        mov     cx, 8
.dot:   test    dx, 0xc000
        call    shift_dot
        shl     dx, 2
        loop    .dot
        pop     dx
        pop     cx
        ret

read_bytes:
        push    cx
        push    di
        mov     cx, 8
.dot:   cmp     byte [es:di], 0
        call    shift_dot
        inc     di
        loop    .dot
        pop     di
        pop     cx
        ret

; AL moves to the left; a one comes in if ZF is clear.
shift_dot:
        setnz   ah
        add     al, al
        or      al, ah
        ret

; -- Pixels ---------------------------------------------------------------------------------------------

; BH = page, CX = column, DX = line: ES:DI = byte, BL = kind, CL = how far right in it, the leftmost dot
; being 0. Uses AX, CX, DX.
locate_pixel:
        push    dx
        push    bx
        call    get_kind
        pop     ax
        mov     bh, ah
        push    bx
        call    page_start
        mov     di, ax
        pop     bx
        pop     ax
        cmp     bl, KIND_CGA4
        je      .cga
        cmp     bl, KIND_CGA2
        je      .cga
        mul     word [COLUMNS]
        cmp     bl, KIND_BYTES
        je      .bytes
        add     di, ax
.eighth:
        mov     ax, cx
        shr     ax, 3
        add     di, ax
        and     cl, 7
        ret
.bytes: shl     ax, 3
        add     di, ax
        add     di, cx
        ret
.cga:   shr     ax, 1
        sbb     dx, dx
        and     dx, 0x2000
        add     di, dx
        imul    ax, ax, 80
        add     di, ax
        cmp     bl, KIND_CGA2
        je      .eighth
        mov     ax, cx
        shr     ax, 2
        add     di, ax
        and     cl, 3
        add     cl, cl                          ; a dot has two bits
        ret

; 0Ch: AL = colour (bit 7: XORed, but in 256 colours), BH = page, CX = column, DX = line.
write_pixel:
        push    ax
        call    locate_pixel
        pop     ax
        cmp     bl, KIND_BYTES
        je      .bytes
        cmp     bl, KIND_PLANAR
        je      .planar
        mov     bh, 0xc0
        cmp     bl, KIND_CGA4
        je      .cga
        mov     bh, 0x80
        cmp     bl, KIND_CGA2
        jne     .end
.cga:   mov     ah, al
        ror     al, 2
        cmp     bl, KIND_CGA4
        je      .aligned
        rol     al, 1
.aligned:
        and     al, bh                          ; colour, at the left
        shr     al, cl
        shr     bh, cl
        test    ah, 0x80
        jnz     .xor
        not     bh
        and     [es:di], bh
.xor:   xor     [es:di], al
.end:   ret
.bytes: mov     [es:di], al
        ret
.planar:
        mov     bh, al
        mov     ah, 0x80
        shr     ah, cl
        mov     al, 8
        mov     dx, GFX
        out     dx, ax
        mov     ah, bh
        mov     al, 0
        out     dx, ax
        SET     GFX, 1, 0x0f
        mov     ax, 0x1803
        test    bh, 0x80
        jz      .write
        out     dx, ax
.write: mov     ah, [es:di]
        mov     [es:di], ah
        SET     GFX, 8, 0xff
        SET     GFX, 0, 0
        SET     GFX, 1, 0
        SET     GFX, 3, 0
        ret

; 0Dh: BH = page, CX = column, DX = line. AL = colour.
read_pixel:
        call    locate_pixel
        cmp     bl, KIND_PLANAR
        je      .planar
        mov     al, [es:di]
        mov     ah, 0xff
        cmp     bl, KIND_BYTES
        je      .got
        rol     al, cl
        mov     ah, 3
        rol     al, 2
        cmp     bl, KIND_CGA4
        je      .got
        mov     ah, 1
        ror     al, 1
        cmp     bl, KIND_CGA2
        jne     .end
.got:   and     al, ah
        mov     [CALLER(ax)], al
.end:   ret
.planar:
        mov     bh, 0x80
        shr     bh, cl
        mov     cx, 0x0304                      ; CH = plane
        mov     dx, GFX
        xor     bl, bl
.plane: mov     al, 4
        mov     ah, ch
        out     dx, ax
        mov     al, [es:di]
        and     al, bh
        neg     al
        adc     bl, bl
        dec     ch
        jns     .plane
        mov     [CALLER(ax)], bl
        ret
