; SPDX-License-Identifier: MIT
;
; INT 10h: the caller's registers go to the stack, and a function finds them at BP and in the registers.
; DS is the BIOS data area, BP the frame; all else it may change. What it returns it writes to the
; frame.

; Called by the system BIOS, far.
init:   pushad
        push    ds
        push    es
        cld
        xor     ax, ax
        mov     ds, ax
        mov     eax, [VECTOR_VIDEO]
        mov     [VECTOR_OLD], eax
        mov     dx, cs
        mov     si, .vectors
        mov     cx, (.vectors_end - .vectors) / 4
.vector:
        mov     di, [cs:si]
        mov     ax, [cs:si + 2]
        mov     [di], ax
        mov     [di + 2], dx
        add     si, 4
        loop    .vector
        push    BDA_SEG
        pop     ds
        and     byte [EQUIPMENT], ~0x30
        or      byte [EQUIPMENT], 0x20          ; 80 columns, colour
        mov     word [CONTROL], 0xf900 | CONTROL_256K ; and SWITCHES: a colour display
        mov     byte [OPTIONS], OPTION_ACTIVE | OPTION_400 | OPTION_SWITCHING
        mov     byte [DCC_INDEX], DCC_COLOR
        mov     word [SAVE_POINTER], save_pointers
        mov     [SAVE_POINTER + 2], dx
        mov     ax, 3
        int     0x10
        pop     es
        pop     ds
        popad
        retf

.vectors:
        dw      VECTOR_VIDEO, int10, VECTOR_VGA, int10
        dw      VECTOR_UPPER, font8 + 128 * 8, VECTOR_FONT, font16
.vectors_end:

int10:  cld
        pushad
        push    ds
        push    es
        push    fs
        mov     bp, sp
        push    BDA_SEG
        pop     ds
        movzx   di, ah
        cmp     di, FUNCTIONS
        jae     .beyond
        add     di, di
        call    [cs:functions + di]
.end:   pop     fs
        pop     es
        pop     ds
        popad
        iret
.beyond:
        cmp     ah, 0x4f
        jne     .end
        call    vbe
        jmp     .end

functions:
        dw      set_mode, set_cursor_type, set_cursor, get_cursor       ; 00
        dw      read_light_pen, set_page, scroll_up, scroll_down        ; 04
        dw      read_cell, write_cells, write_chars, set_cga_palette    ; 08
        dw      write_pixel, read_pixel, teletype, get_mode             ; 0C
        dw      palette, character_generator, alternate, write_string   ; 10
        dw      nothing, nothing, nothing, nothing                      ; 14
        dw      nothing, nothing, combination, state_information        ; 18
        dw      save_restore                                            ; 1C
FUNCTIONS       equ ($ - functions) / 2

; BL = number of a function's part: goes to the one that a table at SI has for it, with the caller's BX.
; Uses SI, DI.
call_part:
        call    find_part
        jz      nothing
        mov     bx, [CALLER(bx)]
        jmp     di

nothing:
        ret

; BL = number: DI = the part that a table at SI has for it. The table ends with a part at 0. ZF: it has
; none. Uses SI.
find_part:
        mov     di, [cs:si + 1]
        test    di, di
        jz      .end
        cmp     bl, [cs:si]
        lea     si, [si + 3]
        jne     find_part
        test    di, di
.end:   ret

%macro PART 2
        db      %1
        dw      %2
%endmacro
%macro PARTS_END 0
        db      0
        dw      0
%endmacro

; -- Helpers --------------------------------------------------------------------------------------------

; BL = KIND_* of the mode, and ES = its memory's segment. Uses EDX's lower half.
get_kind:
        movzx   bx, byte [MODE]
        cmp     bl, LAST_MODE
        ja      .none
        mov     bl, [cs:mode_kinds + bx]
        push    bx
        add     bx, bx
        mov     dx, [cs:kind_segments + bx]
        pop     bx
        cmp     byte [CRTC], 0xb4
        jne     .color
        cmp     bl, KIND_TEXT
        jne     .color
        mov     dx, 0xb000
.color: mov     es, dx
        ret
.none:  mov     bl, KIND_NONE
        ret

kind_segments:
        dw      0xa000, 0xb800, 0xb800, 0xb800, 0xa000, 0xa000

; Register AL of the CRT controller gets AH. Uses DX.
crtc_write:
        mov     dx, [CRTC]
        out     dx, ax
        ret

; Register AL of the CRT controller, in AL. Uses DX.
crtc_read:
        mov     dx, [CRTC]
        out     dx, al
        inc     dx
        in      al, dx
        ret

; Attribute register BL gets BH; the picture stays on. Uses AX, DX.
attr_write:
        call    attr_reset
        mov     dx, ATTR
        mov     al, bl
        out     dx, al
        mov     al, bh
        out     dx, al
attr_on:
        mov     dx, ATTR
        mov     al, 0x20
        out     dx, al
        ret

; Attribute register BL, in BH. Uses AX, DX.
attr_read:
        call    attr_reset
        mov     dx, ATTR
        mov     al, bl
        out     dx, al
        inc     dx
        in      al, dx
        mov     bh, al
        call    attr_reset
        jmp     attr_on

; The next write to ATTR is an index. Uses AX, DX.
attr_reset:
        mov     dx, [CRTC]
        add     dx, STATUS
        in      al, dx
        ret

; DISPI register AL gets BX. Uses AX, DX.
dispi_write:
        mov     dx, DISPI
        xor     ah, ah
        out     dx, ax
        inc     dx
        xchg    ax, bx
        out     dx, ax
        xchg    ax, bx
        ret

; DISPI register AL, in AX. Uses DX.
dispi_read:
        mov     dx, DISPI
        xor     ah, ah
        out     dx, ax
        inc     dx
        in      ax, dx
        ret
