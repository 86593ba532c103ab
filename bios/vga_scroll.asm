; SPDX-License-Identifier: MIT
;
; Moving parts of the screen: functions 06h and 07h, in all modes. Rows of cells become lines of bytes,
; some of which are moved and the others filled.

; 06h, 07h: AL = rows (0: all are emptied), BH = attribute or colour of what comes, CH, CL and DH, DL =
; corners. The page is the one that is seen.
scroll_up:
        xor     ah, ah
        jmp     scroll_shown
scroll_down:
        mov     ah, 1
scroll_shown:
        mov     si, [PAGE_START]

; Lines of bytes in the mode's memory.
struc L
.top:   resw 1                                  ; address of the first
.width: resw 1                                  ; bytes
.pitch: resw 1                                  ; from one to the next
.lines: resw 1
.moved: resw 1                                  ; that many lines, up or down
.fill:  resw 1
.kind:  resb 1
.down:  resb 1
endstruc
%define LINES(x) bp + L. %+ x

; The same for the page at SI; AH = 1: down.
scroll:
        push    ds
        push    bp
        sub     sp, L_size
        mov     bp, sp
        call    scroll_lines
        jc      .end
        cmp     byte [LINES(kind)], KIND_TEXT
        je      .move
        cmp     byte [LINES(kind)], KIND_PLANAR
        je      .planar
        call    move_lines
        cmp     byte [LINES(kind)], KIND_BYTES
        je      .end
        add     word [LINES(top)], 0x2000       ; CGA's odd lines
.move:  call    move_lines
.end:   add     sp, L_size
        pop     bp
        pop     ds
        ret
.planar:
        SET     GFX, 5, 1                       ; latches go to memory
        SET     SEQ, 2, 0x0f
        call    move_lines
        SET     GFX, 5, 0
        SET     GFX, 0, 0
        SET     GFX, 1, 0
        jmp     .end

; Fills LINES from the arguments of `scroll`, and ES. Carry: nothing is to be done.
scroll_lines:
        mov     [LINES(down)], ah
        mov     [LINES(top)], si
        mov     [LINES(fill)], bx
        mov     ah, [COLUMNS]
        dec     ah
        cmp     dl, ah
        jbe     .rows
        mov     dl, ah
.rows:  cmp     dh, [LAST_ROW]
        jbe     .inside
        mov     dh, [LAST_ROW]
.inside:
        sub     dl, cl
        jb      .end
        sub     dh, ch
        jb      .end
        inc     dl
        inc     dh
        test    al, al
        jz      .all
        cmp     al, dh
        jbe     .kind
.all:   mov     al, dh
.kind:  push    dx
        call    get_kind
        pop     dx
        mov     [LINES(kind)], bl
        cmp     bl, KIND_NONE
        je      .none
        xor     bh, bh
        imul    bx, bx, CELL_size
        add     bx, cell_shapes - CELL_size
        call    scroll_measures
        clc
        ret
.none:  stc
.end:   ret

; AL = rows to move, CX = upper left corner, DX = height and width in cells, BX = shape of a cell.
scroll_measures:
        push    ax
        mov     di, dx
        mov     al, [COLUMNS]
        mul     byte [cs:bx + CELL.pitch]
        mov     [LINES(pitch)], ax
        movzx   si, byte [cs:bx + CELL.lines]
        test    si, si
        jnz     .lines
        mov     si, [CHAR_HEIGHT]
.lines: mul     si                              ; bytes of a row
        movzx   dx, ch
        mul     dx
        add     [LINES(top)], ax
        mov     al, cl
        mul     byte [cs:bx + CELL.bytes]
        add     [LINES(top)], ax
        mov     ax, di
        mul     byte [cs:bx + CELL.bytes]
        mov     [LINES(width)], ax
        mov     ax, di
        movzx   ax, ah
        mul     si
        mov     [LINES(lines)], ax
        pop     ax
        xor     ah, ah
        mul     si
        mov     [LINES(moved)], ax
        cmp     byte [LINES(kind)], KIND_TEXT
        mov     al, ' '
        je      .fill
        mov     al, [LINES(fill) + 1]
.fill:  mov     [LINES(fill)], al
        ret

; Bytes of a cell in a line, bytes of a line for each column of the screen, lines (0: CHAR_HEIGHT). Of
; CGA's lines half are in each of two parts of memory.
struc CELL
.bytes: resb 1
.pitch: resb 1
.lines: resb 1
endstruc
cell_shapes:                                    ; by KIND_*
        db      2, 2, 1
        db      2, 2, 4
        db      1, 1, 4
        db      1, 1, 0
        db      8, 8, 0

; Moves and fills LINES in ES.
move_lines:
        push    es
        pop     ds
        mov     di, [LINES(top)]
        mov     bx, [LINES(pitch)]
        mov     ax, [LINES(lines)]
        sub     ax, [LINES(moved)]              ; lines to move
        cmp     byte [LINES(down)], 0
        je      .from
        mov     cx, ax
        mov     ax, [LINES(lines)]              ; from the last line upwards
        dec     ax
        mul     bx
        add     di, ax
        neg     bx
        mov     ax, cx
.from:  mov     si, ax
        mov     ax, [LINES(moved)]
        imul    bx
        xchg    ax, si
        add     si, di
        cmp     bx, [LINES(width)]              ; lines without gaps
        jne     .line
        cmp     byte [LINES(kind)], KIND_PLANAR
        je      .line
        mul     bx
        mov     cx, ax
        shr     cx, 1
        rep movsw
        jmp     .fill
.line:  test    ax, ax
        jz      .fill
        push    si
        push    di
        mov     cx, [LINES(width)]
        cmp     byte [LINES(kind)], KIND_TEXT
        jne     .bytes
        shr     cx, 1
        rep movsw
.bytes: rep movsb
        pop     di
        pop     si
        add     si, bx
        add     di, bx
        dec     ax
        jmp     .line
.fill:  mov     si, [LINES(moved)]
        cmp     byte [LINES(kind)], KIND_PLANAR
        jne     .filled
        SET     GFX, 5, 0
        mov     dx, GFX
        mov     al, 0
        mov     ah, [LINES(fill)]
        out     dx, ax
        SET     GFX, 1, 0x0f
.filled:
        test    si, si
        jz      .end
        push    di
        mov     ax, [LINES(fill)]
        mov     cx, [LINES(width)]
        cmp     byte [LINES(kind)], KIND_TEXT
        jne     .fill_bytes
        shr     cx, 1
        rep stosw
.fill_bytes:
        rep stosb
        pop     di
        add     di, bx
        dec     si
        jmp     .filled
.end:   ret
