; SPDX-License-Identifier: MIT
;
; Fonts: function 11h, and the font that a mode starts with.

; AL = 8, 14 or 16: DX = the font of that height.
rom_font:
        mov     dx, font8
        cmp     al, 14
        jb      .end
        mov     dx, font14
        je      .end
        mov     dx, font16
.end:   ret

; AL = 8, 14 or 16, BL = block. Uses all registers, ES too.
load_rom_font:
        mov     bh, al
        call    rom_font
        mov     si, dx
        push    cs
        pop     es
        xor     dx, dx
        mov     cx, 256
; ES:SI = lines of CX characters from DX on, BH of them each, BL = block.
load_font:
        push    bx
        push    dx
        SET     SEQ, 2, 4                       ; plane 2, as it is
        SET     SEQ, 4, 7
        SET     GFX, 5, 0
        SET     GFX, 6, 4
        pop     dx
        pop     bx
        mov     di, dx
        shl     di, 5
        mov     al, bl
        and     ax, 7
        shl     ax, 14                          ; blocks 4-7 lie between 0-3
        test    bl, 4
        jz      .block
        add     ax, 0x2000
.block: add     di, ax
        push    ds
        push    es
        pop     ds
        push    0xa000
        pop     es
        mov     dl, bh
        xor     dh, dh
        cmp     dx, 32
        jbe     .next
        mov     dx, 32
.next:  jcxz    .end
        push    cx
        push    di
        mov     cx, dx
        rep movsb
        pop     di
        pop     cx
        add     di, 32
        dec     cx
        jmp     .next
.end:   pop     ds
        SET     SEQ, 2, 3
        SET     SEQ, 4, 3
        SET     GFX, 5, 0x10
        mov     ax, 0x0e06
        cmp     byte [CRTC], 0xb4
        jne     .window
        mov     ah, 0x0a
.window:
        mov     dx, GFX
        out     dx, ax
        ret

; -- 11h ------------------------------------------------------------------------------------------------

character_generator:
        mov     bl, al
        mov     si, .parts
        jmp     call_part
.parts:
        PART    0x00, load_user
        PART    0x01, load_14
        PART    0x02, load_8
        PART    0x03, select_blocks
        PART    0x04, load_16
        PART    0x10, set_user
        PART    0x11, set_14
        PART    0x12, set_8
        PART    0x14, set_16
        PART    0x20, graphics_upper
        PART    0x21, graphics_user
        PART    0x22, graphics_14
        PART    0x23, graphics_8
        PART    0x24, graphics_16
        PART    0x30, font_information
        PARTS_END

; BH = lines of a character, BL = block, CX characters from DX on, at ES:BP.
load_user:
        mov     si, [CALLER(bp)]
        jmp     load_font

; BL = block.
load_14:
        mov     al, 14
        jmp     load_rom_font
load_8: mov     al, 8
        jmp     load_rom_font
load_16:
        mov     al, 16
        jmp     load_rom_font

; The same, and the screen gets as many rows as there is room for.
set_user:
        test    bh, bh
        jz      .end
        push    bx
        call    load_user
        pop     ax
        mov     al, ah
        jmp     set_height
.end:   ret
set_14: mov     al, 14
        jmp     set_rom
set_8:  mov     al, 8
        jmp     set_rom
set_16: mov     al, 16
set_rom:
        push    ax
        call    load_rom_font
        pop     ax
; AL = lines of a character, from now on.
set_height:
        cmp     al, 32
        ja      .end
        xor     ah, ah
        mov     [CHAR_HEIGHT], ax
        mov     bl, al
        mov     al, 9
        call    crtc_read
        and     al, 0xe0
        dec     bl
        or      al, bl
        mov     ah, al
        mov     al, 9
        call    crtc_write
        cmp     byte [MODE], 7
        jne     .rows
        mov     al, 0x14                        ; underline
        mov     ah, bl
        call    crtc_write
.rows:  call    count_lines
        push    ax
        xor     dx, dx
        div     word [CHAR_HEIGHT]
        cmp     ax, 256
        jbe     .last
        mov     ax, 256
.last:  dec     ax
        mov     [LAST_ROW], al
        inc     ax
        mov     cx, ax
        mul     byte [COLUMNS]
        add     ax, ax
        add     ax, 0xff
        xor     al, al
        mov     [PAGE_SIZE], ax
        mov     ax, cx                          ; lines that are shown
        mul     word [CHAR_HEIGHT]
        pop     bx
        cmp     bx, 200
        jne     .shown
        add     ax, ax                          ; each twice
.shown: dec     ax
        mov     bl, ah
        mov     ah, al
        mov     al, 0x12
        call    crtc_write
        mov     al, 7                           ; bits 8 and 9 are its 1 and 6
        call    crtc_read
        and     al, 0xbd
        test    bl, 1
        jz      .bit9
        or      al, 0x02
.bit9:  test    bl, 2
        jz      .overflow
        or      al, 0x40
.overflow:
        mov     ah, al
        mov     al, 0x11                        ; registers 0-7 may be written
        push    ax
        call    crtc_read
        mov     bh, al
        and     al, 0x7f
        mov     ah, al
        mov     al, 0x11
        call    crtc_write
        pop     ax
        mov     al, 7
        call    crtc_write
        mov     al, 0x11
        mov     ah, bh
        call    crtc_write
        call    update_cursor_type
        jmp     update_cursor
.end:   ret

; AX = lines of the screen: 200, 350, 400 or 480. Uses DX.
count_lines:
        mov     dx, MISC_READ
        in      al, dx
        shr     al, 6
        mov     ah, al
        mov     dx, 350
        cmp     ah, 2
        je      .end
        mov     dx, 480
        ja      .end
        mov     al, 9
        push    dx
        call    crtc_read
        pop     dx
        mov     dx, 400
        test    al, 0x80
        jz      .end
        mov     dx, 200
.end:   mov     ax, dx
        ret

; BL = register 3 of the sequencer: the blocks of both fonts.
select_blocks:
        mov     dx, SEQ
        mov     al, 3
        mov     ah, bl
        out     dx, ax
        ret

; ES:BP = 8x8 font from 80h on, for CGA's graphics modes.
graphics_upper:
        mov     di, VECTOR_UPPER
        mov     ax, [CALLER(bp)]
        mov     dx, [CALLER(es)]
set_vector:
        push    ds
        xor     cx, cx
        mov     ds, cx
        mov     [di], ax
        mov     [di + 2], dx
        pop     ds
        ret

; ES:BP = font for graphics, CX = lines of a character; BL = rows: 0: DL, 1: 14, 2: 25, 3: 43.
graphics_user:
        mov     si, cx
        push    dx
        mov     di, VECTOR_FONT
        mov     ax, [CALLER(bp)]
        mov     dx, [CALLER(es)]
        call    set_vector
        pop     dx
graphics_rows:
        test    si, si
        jz      .end
        mov     [CHAR_HEIGHT], si
        mov     al, dl
        test    bl, bl
        jz      .rows
        cmp     bl, 3
        ja      .end
        xor     bh, bh
        mov     al, [cs:.counts + bx]
.rows:  dec     al
        mov     [LAST_ROW], al
.end:   ret
.counts:
        db      0, 14, 25, 43

graphics_14:
        mov     al, 14
        jmp     graphics_rom
graphics_8:
        mov     al, 8
        jmp     graphics_rom
graphics_16:
        mov     al, 16
graphics_rom:
        movzx   si, al
        push    dx
        call    rom_font
        mov     ax, dx
        mov     dx, cs
        mov     di, VECTOR_FONT
        call    set_vector
        pop     dx
        jmp     graphics_rows

; BH = which font: ES:BP = where it is, CX = lines of a character, DL = last row.
font_information:
        cmp     bh, 7
        ja      .end
        movzx   cx, byte [CHAR_HEIGHT]
        mov     [CALLER(cx)], cx
        mov     al, [LAST_ROW]
        mov     [CALLER(dx)], al
        movzx   bx, bh
        add     bx, bx
        cmp     bl, 4
        jae     .rom
        mov     si, [cs:.fonts + bx]
        push    ds
        xor     ax, ax
        mov     ds, ax
        mov     ax, [si]
        mov     dx, [si + 2]
        pop     ds
        jmp     .say
.rom:   mov     ax, [cs:.fonts + bx]
        mov     dx, cs
.say:   mov     [CALLER(bp)], ax
        mov     [CALLER(es)], dx
.end:   ret
.fonts: dw      VECTOR_UPPER, VECTOR_FONT, font14, font8, font8 + 128 * 8, no_changes, font16
        dw      no_changes

; Characters that look different where they have nine dots: none, the end of such a list.
no_changes:
        db      0
