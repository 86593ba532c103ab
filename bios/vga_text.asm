; SPDX-License-Identifier: MIT
;
; Cursor, pages, and characters as cells: functions 01h-05h, 08h-0Ah, 0Eh, 0Fh and 13h.

; -- Cursor ---------------------------------------------------------------------------------------------

; 01h: CH = first line, bit 5: hidden; CL = last line.
set_cursor_type:
        mov     [CURSOR_TYPE], cx
update_cursor_type:
        mov     cx, [CURSOR_TYPE]
        test    byte [CONTROL], CONTROL_NO_EMULATION
        jnz     .write
        call    scale_cursor
.write: mov     al, 0x0a
        mov     ah, ch
        call    crtc_write
        mov     al, 0x0b
        mov     ah, cl
        jmp     crtc_write

; CX = lines as if characters had eight (or what they have): becomes the same shape for the height that
; they have. Hidden, split, and cursors in the upper half stay as they are.
scale_cursor:
        mov     bl, [CHAR_HEIGHT]
        cmp     bl, 8
        jbe     .end
        test    ch, 0x60
        jnz     .end
        mov     al, cl
        cmp     ch, al
        ja      .end
        cmp     al, 3
        jbe     .end
        mov     ah, ch
        add     ah, 2
        cmp     ah, al
        jb      .block
        sub     al, ch                          ; lines at the bottom: above the last one
        mov     cl, bl
        sub     cl, 2
        mov     ch, cl
        sub     ch, al
        ret
.block: mov     cl, bl
        dec     cl
        cmp     ch, 2
        jbe     .end
        mov     ch, bl                          ; the lower half
        shr     ch, 1
.end:   ret

; 02h: BH = page, DH and DL = row and column.
set_cursor:
        call    cursor_of
        mov     [bx], dx
; Shows the cursor of the page that is seen.
update_cursor:
        movzx   bx, byte [PAGE]
        add     bx, bx
        mov     dx, [CURSOR + bx]
        movzx   ax, dh
        mul     byte [COLUMNS]
        xor     dh, dh
        add     ax, dx
        mov     bx, [PAGE_START]
        shr     bx, 1
        add     bx, ax
        mov     al, 0x0e
        mov     ah, bh
        call    crtc_write
        mov     al, 0x0f
        mov     ah, bl
        jmp     crtc_write

; BH = page: BX = address of its cursor.
cursor_of:
        movzx   bx, bh
        and     bl, 7
        add     bx, bx
        add     bx, CURSOR
        ret

; 03h: BH = page. CX = type, DX = position.
get_cursor:
        call    cursor_of
        mov     ax, [bx]
        mov     [CALLER(dx)], ax
        mov     ax, [CURSOR_TYPE]
        mov     [CALLER(cx)], ax
        ret

; 04h: AH = 0, as a VGA has none.
read_light_pen:
        mov     byte [CALLER(ax) + 1], 0
        ret

; -- Pages ----------------------------------------------------------------------------------------------

; 05h: AL = page.
set_page:
        movzx   cx, al
        call    get_kind
        mov     eax, 0x8000
        cmp     bl, KIND_TEXT
        je      .count
        cmp     bl, KIND_PLANAR
        jne     .one
        mov     eax, 0x10000
.count: movzx   esi, word [PAGE_SIZE]
        test    si, si
        jz      .one
        xor     edx, edx
        div     esi                             ; pages that there are room for
        cmp     ax, 8
        jbe     .check
        mov     ax, 8
        jmp     .check
.one:   mov     ax, 1
.check: cmp     cx, ax
        jae     .end
        mov     [PAGE], cl
        mov     ax, [PAGE_SIZE]
        mul     cx
        mov     [PAGE_START], ax
        mov     cx, ax
        cmp     bl, KIND_PLANAR
        je      .start
        shr     cx, 1                           ; characters
.start: mov     al, 0x0c
        mov     ah, ch
        call    crtc_write
        mov     al, 0x0d
        mov     ah, cl
        call    crtc_write
        jmp     update_cursor
.end:   ret

; BH = page: AX = where it begins. Uses DX.
page_start:
        movzx   ax, bh
        and     al, 7
        mul     word [PAGE_SIZE]
        ret

; -- Cells ----------------------------------------------------------------------------------------------

; ZF: this is a text mode. ES = its memory's segment. Uses AL, DX.
is_text:
        push    bx
        call    get_kind
        mov     al, bl
        pop     bx
        cmp     al, KIND_TEXT
        ret

; BH = page: DI = the cell at its cursor in a text mode, in the segment that is_text gives. Uses AX, BX, DX.
text_cell:
        call    page_start
        push    ax
        call    cursor_of
        mov     dx, [bx]
        call    get_offset
        pop     di
        add     di, ax
        ret

; DX = row and column: AX = offset in a page of text.
get_offset:
        mov     al, dh
        mul     byte [COLUMNS]
        add     al, dl
        adc     ah, 0
        add     ax, ax
        ret

; 08h: BH = page. AL = character, AH = attribute.
read_cell:
        call    is_text
        jne     read_glyph
        call    text_cell
        mov     ax, [es:di]
        mov     [CALLER(ax)], ax
        ret

; 09h: AL = character, BL = attribute, BH = page, CX = how many cells.
write_cells:
        mov     ah, bl
        push    ax
        call    is_text
        jne     write_glyphs
        call    text_cell
        pop     ax
        rep stosw
        ret

; 0Ah: the same, but the attributes stay.
write_chars:
        push    ax
        call    is_text
        jne     write_glyphs
        call    text_cell
        pop     ax
        jcxz    .end
.next:  stosb
        inc     di
        loop    .next
.end:   ret

; In graphics: on the stack the character, BL = colour, BH = page, CX = how many. Lines end where the
; screen does.
write_glyphs:
        pop     ax
        mov     ah, bl
        push    bx
        call    cursor_of
        mov     dx, [bx]
        pop     bx
.next:  jcxz    .end
        cmp     dl, [COLUMNS]
        jae     .end
        pusha
        call    draw_glyph
        popa
        inc     dl
        dec     cx
        jmp     .next
.end:   ret

; -- Teletype -------------------------------------------------------------------------------------------

; 0Eh: AL = character, BL = its colour in graphics. It goes to the page that is seen.
teletype:
        mov     bh, [PAGE]
        xor     ah, ah                          ; attributes stay
        call    put_char
        jmp     update_cursor

; AL = character to the cursor of page BH, which moves; BL = its colour or attribute, which AH = 0 leaves
; as it is in text modes.
put_char:
        push    bx
        call    cursor_of
        mov     si, bx
        pop     bx
        mov     dx, [si]
        cmp     al, 0x07
        je      bell
        cmp     al, 0x08
        je      .backspace
        cmp     al, 0x0d
        je      .return
        cmp     al, 0x0a
        je      .feed
        push    bx
        push    dx
        push    si
        mov     cx, 1
        call    put_cell
        pop     si
        pop     dx
        pop     bx
        inc     dl
        cmp     dl, [COLUMNS]
        jb      .moved
        xor     dl, dl
.feed:  inc     dh
        cmp     dh, [LAST_ROW]
        jbe     .moved
        mov     dh, [LAST_ROW]
        mov     [si], dx
        jmp     scroll_page
.backspace:
        sub     dl, 1
        jnc     .moved
.return:
        xor     dl, dl
.moved: mov     [si], dx
        ret

; AL = character, BL = attribute, AH = 0: as put_char has them.
put_cell:
        push    ax
        call    is_text
        jne     write_glyphs
        push    bx
        call    text_cell
        pop     bx
        pop     ax
        stosb
        test    ah, ah
        jz      .end
        mov     [es:di], bl
.end:   ret

; Page BH moves up one row. What comes is empty, with the attribute that is at the cursor; black in
; graphics.
scroll_page:
        push    bx
        mov     ah, 0
        call    is_text
        jne     .fill
        call    text_cell
        mov     ax, [es:di]
.fill:  pop     bx
        push    ax
        call    page_start
        mov     si, ax
        pop     bx                              ; BH = attribute
        mov     ax, 1
        xor     cx, cx
        mov     dh, [LAST_ROW]
        mov     dl, [COLUMNS]
        dec     dl
        jmp     scroll

BELL_DIVISOR    equ 1331                        ; 896 Hz
BELL_TICKS      equ 6600                        ; of the refresh bit, 15 us each: 0.1 s

; A tenth of a second of sound, with interrupts as the caller has them.
bell:   test    byte [CALLER(flags) + 1], 0x02
        jz      .start
        sti
.start: mov     al, 0xb6
        out     0x43, al
        mov     al, BELL_DIVISOR & 0xff
        out     0x42, al
        mov     al, BELL_DIVISOR >> 8
        out     0x42, al
        in      al, 0x61
        push    ax
        or      al, 3
        out     0x61, al
        mov     cx, BELL_TICKS
.tick:  in      al, 0x61
        and     al, 0x10
        mov     ah, al
        mov     dx, 1000                        ; where the bit stands still
.wait:  in      al, 0x61
        and     al, 0x10
        cmp     al, ah
        jne     .ticked
        dec     dx
        jnz     .wait
.ticked:
        loop    .tick
        pop     ax
        out     0x61, al
        cli
        ret

; -- Mode and strings -----------------------------------------------------------------------------------

; 0Fh: AL = mode, AH = columns, BH = page.
get_mode:
        mov     al, [CONTROL]
        and     al, CONTROL_KEEP
        or      al, [MODE]
        mov     ah, [COLUMNS]
        mov     [CALLER(ax)], ax
        mov     al, [PAGE]
        mov     [CALLER(bx) + 1], al
        ret

; 13h: ES:BP = text of CX characters to DX on page BH. AL bit 0: the cursor moves; bit 1: an attribute
; follows each character, else it is BL.
write_string:
        jcxz    .end
        cmp     al, 4
        jae     .end
        push    bx
        call    cursor_of
        push    word [bx]                       ; where the cursor was
        mov     [bx], dx
        mov     bx, sp
        mov     bx, [ss:bx + 2]
        mov     si, [CALLER(bp)]
        mov     ah, al
.next:  mov     es, [CALLER(es)]
        es lodsb
        test    ah, 2
        jz      .put
        mov     bl, [es:si]
        inc     si
.put:   pusha
        mov     ah, 1
        call    put_char
        popa
        loop    .next
        pop     dx
        pop     bx
        test    ah, 1
        jnz     .shown
        call    cursor_of
        mov     [bx], dx
.shown: call    update_cursor
.end:   ret
