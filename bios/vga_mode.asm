; SPDX-License-Identifier: MIT
;
; Setting the VGA's own modes: function 00h. The values of the registers come from the table of video
; parameters that the save pointer leads to, so that programs can put one of their own there.

; An entry of that table (vga_params.asm).
struc P
.columns:       resb 1
.last_row:      resb 1
.char_height:   resb 1
.page_size:     resw 1
.seq:           resb 4                          ; 1-4
.misc:          resb 1
.crtc:          resb 25
.attr:          resb 20
.gfx:           resb 9
endstruc

LAST_MODE       equ 0x13

mode_kinds:
        db      KIND_TEXT, KIND_TEXT, KIND_TEXT, KIND_TEXT
        db      KIND_CGA4, KIND_CGA4, KIND_CGA2, KIND_TEXT
        db      KIND_NONE, KIND_NONE, KIND_NONE, KIND_NONE
        db      KIND_NONE, KIND_PLANAR, KIND_PLANAR, KIND_PLANAR
        db      KIND_PLANAR, KIND_PLANAR, KIND_PLANAR, KIND_BYTES

; Entries of the table for each mode, by the number of lines that were asked for (200, 350, 400), and
; the colours (DAC_*).
mode_rows:
        db      0x00, 0x13, 0x17, DAC_EGA,  0x01, 0x14, 0x17, DAC_EGA
        db      0x02, 0x15, 0x18, DAC_EGA,  0x03, 0x16, 0x18, DAC_EGA
        db      0x04, 0x04, 0x04, DAC_CGA,  0x05, 0x05, 0x05, DAC_CGA
        db      0x06, 0x06, 0x06, DAC_CGA,  0x07, 0x07, 0x19, DAC_MONO
        times   5 * 4 db 0
        db      0x0d, 0x0d, 0x0d, DAC_CGA,  0x0e, 0x0e, 0x0e, DAC_CGA
        db      0x11, 0x11, 0x11, DAC_MONO, 0x12, 0x12, 0x12, DAC_EGA
        db      0x1a, 0x1a, 0x1a, DAC_EGA,  0x1b, 0x1b, 0x1b, DAC_EGA
        db      0x1c, 0x1c, 0x1c, DAC_256

; What a CGA's mode and colour registers would be, for programs that look at them.
cga_modes:
        db      0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29

; 00h: AL = mode, bit 7: memory stays as it is. AL is set to what some BIOSes say of the mode.
set_mode:
        mov     bl, al
        and     bx, 0x7f
        cmp     bl, LAST_MODE
        ja      .end
        cmp     byte [cs:mode_kinds + bx], KIND_NONE
        je      .end
        call    set_vga_mode
        mov     al, 0x20
        cmp     byte [MODE], 7
        ja      .say
        mov     al, 0x30
        cmp     byte [MODE], 6
        jne     .say
        mov     al, 0x3f
.say:   mov     [CALLER(ax)], al
.end:   ret

; BX = a mode that there is, AL bit 7: memory stays.
set_vga_mode:
        mov     [MODE], bl
        and     byte [CONTROL], ~CONTROL_KEEP
        and     al, CONTROL_KEEP
        or      [CONTROL], al
        push    bx
        mov     al, 4                           ; VBE off
        xor     bx, bx
        call    dispi_write
        pop     bx
        call    find_params
        call    load_bda
        call    load_registers
        call    load_colors
        test    byte [CONTROL], CONTROL_KEEP
        jnz     .font
        call    clear_memory
.font:  call    load_mode_font
        call    update_cursor_type
        jmp     update_cursor

; BX = mode: ES:SI = its entry, CL = its DAC_*. Uses AX, DI.
find_params:
        mov     di, bx
        shl     di, 2
        add     di, mode_rows
        mov     cl, [cs:di + 3]
        test    byte [OPTIONS], OPTION_400
        jnz     .four_hundred
        test    byte [OPTIONS], OPTION_200
        jz      .row
        dec     di
        cmp     cl, DAC_EGA
        jne     .row
        cmp     bl, 3
        ja      .row
        mov     cl, DAC_CGA                     ; text of 200 lines
        jmp     .row
.four_hundred:
        inc     di
.row:   movzx   ax, byte [cs:di + 1]
        shl     ax, 6
        les     si, [SAVE_POINTER]
        les     si, [es:si]
        add     si, ax
        ret

load_bda:
        xor     ah, ah
        mov     al, [es:si + P.columns]
        mov     [COLUMNS], ax
        mov     al, [es:si + P.char_height]
        mov     [CHAR_HEIGHT], ax
        mov     al, [es:si + P.last_row]
        mov     [LAST_ROW], al
        mov     ax, [es:si + P.page_size]
        mov     [PAGE_SIZE], ax
        xor     eax, eax
        mov     [PAGE_START], ax
        mov     [PAGE], al
        mov     [CURSOR], eax
        mov     [CURSOR + 4], eax
        mov     [CURSOR + 8], eax
        mov     [CURSOR + 12], eax
        mov     word [CURSOR_TYPE], 0x0607
        mov     ax, 0x3d4
        test    byte [es:si + P.misc], 1
        jnz     .color
        mov     al, 0xb4
.color: mov     [CRTC], ax
        mov     bl, [MODE]
        cmp     bl, 7
        ja      .end
        xor     bh, bh
        mov     al, [cs:cga_modes + bx]
        mov     [CGA_MODE], al
        mov     byte [CGA_COLOR], 0x30
        cmp     bl, 6
        jne     .end
        mov     byte [CGA_COLOR], 0x3f
.end:   ret

; All groups of registers, from ES:SI. The screen is off meanwhile.
load_registers:
        push    cx
        call    attr_reset
        mov     dx, ATTR
        mov     al, 0
        out     dx, al
        SET     SEQ, 0, 1                       ; reset
        lea     bx, [si + P.seq]
        mov     cx, 0x0401
        call    load_group
        mov     dx, MISC_WRITE
        mov     al, [es:si + P.misc]
        out     dx, al
        SET     SEQ, 0, 3
        mov     dx, [CRTC]
        mov     ax, 0x0011                      ; registers 0-7 may be written
        out     dx, ax
        lea     bx, [si + P.crtc]
        mov     cx, 0x1900
        call    load_group
        mov     dx, GFX
        lea     bx, [si + P.gfx]
        mov     cx, 0x0900
        call    load_group
        call    attr_reset                      ; where it is now
        mov     dx, ATTR
        lea     bx, [si + P.attr]
        mov     cx, 0x1400
.attr:  mov     al, cl
        out     dx, al
        mov     al, [es:bx]
        out     dx, al
        inc     bx
        inc     cl
        dec     ch
        jnz     .attr
        mov     al, 0x14
        out     dx, al
        mov     al, 0
        out     dx, al
        call    attr_on
        pop     cx
        ret

; DX = port, CL = first index, CH = how many, from ES:BX.
load_group:
        mov     al, cl
        mov     ah, [es:bx]
        out     dx, ax
        inc     bx
        inc     cl
        dec     ch
        jnz     load_group
        ret

; Text modes are filled with blanks, graphics with nothing.
clear_memory:
        pusha
        call    get_kind
        xor     di, di
        xor     eax, eax
        mov     cx, 0x4000
        cmp     bl, KIND_PLANAR
        jae     .fill
        mov     ch, 0x20
        cmp     bl, KIND_TEXT
        jne     .fill
        mov     eax, 0x07200720
.fill:  rep stosd
        popa
        ret

; Text modes: their font goes to the VGA's memory. INT 43h: their font, too.
load_mode_font:
        mov     al, [CHAR_HEIGHT]
        call    rom_font
        push    ds
        xor     bx, bx
        mov     ds, bx
        mov     [VECTOR_FONT], dx
        mov     [VECTOR_FONT + 2], cs
        pop     ds
        call    get_kind
        cmp     bl, KIND_TEXT
        jne     .end
        mov     al, [CHAR_HEIGHT]
        xor     bl, bl
        call    load_rom_font
        SET     SEQ, 3, 0
.end:   ret
