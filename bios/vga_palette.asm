; SPDX-License-Identifier: MIT
;
; Colours: functions 0Bh and 10h, and what the DAC gets when a mode is set.

; -- CGA's colours --------------------------------------------------------------------------------------

; 0Bh: BH = 0: BL = colour of the border and, in graphics, of the background; 1: BL = palette.
set_cga_palette:
        cmp     bh, 1
        je      .palette
        ja      .end
        mov     al, [CGA_COLOR]
        and     al, 0xe0
        and     bl, 0x1f
        or      al, bl
        mov     [CGA_COLOR], al
        mov     bh, bl                          ; a bright colour is 10h and up
        and     bh, 7
        test    bl, 8
        jz      .border
        or      bh, 0x10
.border:
        mov     bl, 0x11
        call    attr_write
        cmp     byte [MODE], 4
        jb      .end
        cmp     byte [MODE], 6
        ja      .end
        mov     bl, 0
        call    attr_write
        jmp     .foreground
.palette:
        and     byte [CGA_COLOR], ~0x20
        test    bl, 1
        jz      .foreground
        or      byte [CGA_COLOR], 0x20
; Colours 1-3: green, red, brown; or one more each: cyan, magenta, white. Bit 4 makes them bright.
.foreground:
        cmp     byte [MODE], 4
        jb      .end
        cmp     byte [MODE], 5
        ja      .end
        mov     bh, [CGA_COLOR]
        and     bh, 0x10
        or      bh, 2
        test    byte [CGA_COLOR], 0x20
        jz      .set
        inc     bh
.set:   mov     bl, 1
.next:  call    attr_write
        add     bh, 2
        inc     bl
        cmp     bl, 3
        jbe     .next
.end:   ret

; -- 10h ------------------------------------------------------------------------------------------------

palette:
        mov     bl, al
        mov     si, .parts
        jmp     call_part
.parts:
        PART    0x00, palette_set
        PART    0x01, border_set
        PART    0x02, palette_set_all
        PART    0x03, set_blinking
        PART    0x07, palette_get
        PART    0x08, border_get
        PART    0x09, palette_get_all
        PART    0x10, dac_set
        PART    0x12, dac_set_block
        PART    0x13, set_color_page
        PART    0x15, dac_get
        PART    0x17, dac_get_block
        PART    0x18, mask_set
        PART    0x19, mask_get
        PART    0x1a, get_color_page
        PART    0x1b, sum_to_grey
        PARTS_END

; BL = register, BH = value.
palette_set:
        cmp     bl, 0x14
        ja      .end
        jmp     attr_write
.end:   ret

; BH = colour.
border_set:
        mov     bl, 0x11
        jmp     attr_write

; ES:DX = 16 colours and the border's.
palette_set_all:
        mov     si, dx
        xor     bl, bl
.next:  mov     bh, [es:si]
        call    attr_write
        inc     si
        inc     bl
        cmp     bl, 16
        jb      .next
        mov     bh, [es:si]
        jmp     border_set

; BL = 1: bit 7 of attributes blinks; 0: it is a bright background.
set_blinking:
        push    bx
        mov     bl, 0x10
        call    attr_read
        pop     ax
        and     bh, ~0x08
        test    al, 1
        jz      .set
        or      bh, 0x08
.set:   mov     bl, 0x10
        jmp     attr_write

; BL = register: BH = its value.
palette_get:
        cmp     bl, 0x14
        ja      .end
        call    attr_read
        mov     [CALLER(bx) + 1], bh
.end:   ret

border_get:
        mov     bl, 0x11
        call    attr_read
        mov     [CALLER(bx) + 1], bh
        ret

palette_get_all:
        mov     di, dx
        xor     bl, bl
.next:  call    attr_read
        mov     [es:di], bh
        inc     di
        inc     bl
        cmp     bl, 16
        jb      .next
        inc     bl                              ; 11h
        call    attr_read
        mov     [es:di], bh
        ret

; BX = colour, DH, CH, CL = red, green, blue.
dac_set:
        mov     al, bl
        mov     ah, dh
        mov     dx, DAC_WRITE
        out     dx, al
        inc     dx
        mov     al, ah
        out     dx, al
        mov     al, ch
        out     dx, al
        mov     al, cl
        out     dx, al
        mov     cx, 1
; Where grey is asked for, colours that are set become so. BX = first, CX = how many.
grey_if_wanted:
        test    byte [OPTIONS], OPTION_GREY
        jnz     sum_to_grey
        ret

; BX = first, CX = how many, ES:DX = red, green, blue each.
dac_set_block:
        push    bx
        push    cx
        mov     si, dx
        mov     al, bl
        mov     dx, DAC_WRITE
        out     dx, al
        inc     dx
        imul    cx, cx, 3
        es rep outsb
        pop     cx
        pop     bx
        jmp     grey_if_wanted

; BL = 0: BH = 1: 16 pages of 16 colours, 0: 4 of 64. BL = 1: BH = page.
set_color_page:
        mov     cx, bx
        mov     bl, 0x10
        call    attr_read
        test    cl, cl
        jnz     .page
        and     bh, 0x7f
        test    ch, 1
        jz      .set
        or      bh, 0x80
.set:   jmp     attr_write
.page:  test    bh, 0x80
        jnz     .write
        shl     ch, 2
.write: mov     bh, ch
        and     bh, 0x0f
        mov     bl, 0x14
        jmp     attr_write

; BL = which, BH = page.
get_color_page:
        mov     bl, 0x10
        call    attr_read
        mov     cl, bh
        rol     cl, 1
        and     cl, 1
        mov     bl, 0x14
        call    attr_read
        test    cl, cl
        jnz     .say
        shr     bh, 2
.say:   mov     bl, cl
        mov     [CALLER(bx)], bx
        ret

; BX = colour: DH, CH, CL = red, green, blue.
dac_get:
        mov     al, bl
        mov     dx, DAC_READ
        out     dx, al
        mov     dx, DAC_DATA
        in      al, dx
        mov     [CALLER(dx) + 1], al
        in      al, dx
        mov     ah, al
        in      al, dx
        mov     [CALLER(cx)], ax
        ret

; BX = first, CX = how many, to ES:DX.
dac_get_block:
        mov     di, dx
        mov     al, bl
        mov     dx, DAC_READ
        out     dx, al
        mov     dx, DAC_DATA
        imul    cx, cx, 3
        rep insb
        ret

; BL = mask.
mask_set:
        mov     al, bl
        mov     dx, DAC_MASK
        out     dx, al
        ret

mask_get:
        mov     dx, DAC_MASK
        in      al, dx
        mov     [CALLER(bx)], al
        ret

; BX = first, CX = how many: 30 % of red, 59 % of green and 11 % of blue go to all three.
sum_to_grey:
        jcxz    .end
.next:  mov     dx, DAC_READ
        mov     al, bl
        out     dx, al
        mov     dx, DAC_DATA
        in      al, dx
        mov     ah, 77
        mul     ah
        mov     si, ax
        in      al, dx
        mov     ah, 151
        mul     ah
        add     si, ax
        in      al, dx
        mov     ah, 28
        mul     ah
        add     si, 0x80
        add     ax, si
        mov     al, ah
        xchg    ax, bx
        mov     dx, DAC_WRITE
        out     dx, al
        xchg    ax, bx
        inc     dx
        out     dx, al
        out     dx, al
        out     dx, al
        inc     bl
        loop    .next
.end:   ret

; -- Default colours ------------------------------------------------------------------------------------

; CL = DAC_*: all 256 registers, unless the default palette is not wanted.
load_colors:
        test    byte [OPTIONS], OPTION_NO_PALETTE
        jnz     .end
        mov     dx, DAC_MASK
        mov     al, 0xff
        out     dx, al
        mov     dx, DAC_WRITE
        mov     al, 0
        out     dx, al
        xor     ch, ch
        mov     di, cx
        add     di, di
        xor     bx, bx
.next:  push    di
        call    [cs:color_makers + di]
        pop     di
        mov     dx, DAC_DATA
        shl     eax, 8
        mov     cx, 3
.part:  rol     eax, 8
        out     dx, al
        loop    .part
        inc     bl
        jnz     .next
        xor     bx, bx
        mov     cx, 256
        jmp     grey_if_wanted
.end:   ret
