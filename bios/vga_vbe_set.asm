; SPDX-License-Identifier: MIT
;
; VBE 3.0: setting modes and what belongs to them.

VBE_MODE        equ 0x7f                        ; MODE in VBE modes: none of the VGA's

; -- 02h, 03h: modes ------------------------------------------------------------------------------------

; BX = number; bit 14: linear frame buffer, bit 15: memory stays.
vbe_set_mode:
        call    vbe_detect
        jc      .end
        mov     ax, bx
        and     ax, 0x1ff
        cmp     ax, 0x100
        jae     .vbe
        cmp     ax, LAST_MODE
        ja      vbe_failed
        mov     si, ax
        cmp     byte [cs:mode_kinds + si], KIND_NONE
        je      vbe_failed
        mov     al, bh                          ; bit 15 to bit 7
        and     al, 0x80
        mov     bx, si
        call    set_vga_mode
        clc
.end:   ret
.vbe:   mov     di, bx
        mov     cx, bx
        sub     sp, VMODE_size
        mov     bx, sp
        call    vbe_find
        jc      .none
        call    enter_vbe_mode
        clc
.none:  mov     ah, VBE_FAILED
        lea     sp, [bx + VMODE_size]
        ret

vbe_failed:
        mov     ah, VBE_FAILED
        stc
        ret

; SS:BX = VMODE, DI = number with bits. The VGA's registers get those of a mode that is like it; the
; adapter then changes what must be.
enter_vbe_mode:
        pusha
        cmp     byte [ss:bx + VMODE.bpp], 4
        mov     bx, 0x12
        je      .vga
        mov     bx, 0x13
.vga:   mov     al, CONTROL_KEEP
        call    set_vga_mode
        popa
        push    bx
        mov     ax, [ss:bx + VMODE.width]
        shr     ax, 3
        mov     [COLUMNS], ax
        mov     ax, [ss:bx + VMODE.height]
        shr     ax, 4
        dec     ax
        mov     [LAST_ROW], al
        mov     word [CHAR_HEIGHT], 16
        mov     byte [MODE], VBE_MODE
        mov     si, bx
        mov     bx, [ss:si + VMODE.width]
        mov     al, DISPI_XRES
        call    dispi_write
        mov     bx, [ss:si + VMODE.height]
        mov     al, DISPI_YRES
        call    dispi_write
        movzx   bx, byte [ss:si + VMODE.bpp]
        mov     al, DISPI_BPP
        call    dispi_write
        mov     bx, di
        shr     bx, 8
        and     bx, 0xc0                        ; bits 14 and 15: DISPI_LFB and DISPI_KEEP
        or      bl, DISPI_ENABLED
        test    bl, DISPI_KEEP
        jnz     .enable
        and     byte [CONTROL], ~CONTROL_KEEP
.enable:
        mov     al, DISPI_ENABLE
        call    dispi_write
        pop     bx
        ret

; BX = number, with bits 14 and 15 as it was set.
vbe_get_mode:
        call    vbe_in_mode
        jnc     .vbe
        movzx   bx, byte [MODE]
        mov     ah, [CONTROL]
        and     ah, CONTROL_KEEP
        or      bh, ah
        jmp     .say
.vbe:   mov     al, DISPI_ENABLE
        call    dispi_read
        and     ax, DISPI_LFB | DISPI_KEEP
        shl     ax, 8
        push    ax
        call    vbe_number
        pop     bx
        or      bx, ax
.say:   mov     [CALLER(bx)], bx
        clc
        ret

; AX = number of the VBE mode that is set, 0 if it has none. Uses BX, CX, DX, SI, DI.
vbe_number:
        mov     al, DISPI_BPP
        call    dispi_read
        mov     di, ax
        mov     al, DISPI_YRES
        call    dispi_read
        push    ax
        mov     al, DISPI_XRES
        call    dispi_read
        push    ax
        mov     cx, 0x100
.next:  pop     edx
        push    edx                             ; height and width
        push    cx
        sub     sp, VMODE_size
        mov     bx, sp
        push    edx
        call    vbe_find
        pop     edx
        mov     ax, di
        cmp     al, [ss:bx + VMODE.bpp]
        jne     .compared
        cmp     edx, [ss:bx + VMODE.width]
.compared:
        lea     sp, [bx + VMODE_size]
        pop     cx
        je      .found
        inc     cx
        cmp     cx, 0x200
        jb      .next
        xor     cx, cx
.found: pop     edx
        mov     ax, cx
        ret

; Carry, and AH: no VBE mode is set. Uses AX.
vbe_in_mode:
        push    dx
        mov     al, DISPI_ENABLE
        call    dispi_read
        pop     dx
        test    al, DISPI_ENABLED
        mov     ah, VBE_NOT_NOW
        jnz     .end
        stc
.end:   ret

; -- 05h: the window ------------------------------------------------------------------------------------

; BH = 0: BL = 0, DX = position in 64 KiB; BH = 1: DX = where it is.
vbe_window:
        call    vbe_in_mode
        jc      .end
        test    bl, bl
        jnz     vbe_failed
        cmp     bh, 1
        ja      vbe_failed
        je      .get
        push    dx
        call    vbe_memory
        shr     eax, 16
        pop     bx
        cmp     bx, ax
        jae     vbe_failed
        mov     al, DISPI_BANK
        call    dispi_write
        clc
.end:   ret
.get:   mov     al, DISPI_BANK
        call    dispi_read
        mov     [CALLER(dx)], ax
        clc
        ret

; The same, called by programs without INT 10h. AX and DX may change.
vbe_window_far:
        mov     ax, DISPI_BANK
        push    dx
        mov     dx, DISPI
        out     dx, ax
        inc     dx
        pop     ax
        test    bh, bh
        jnz     .get
        out     dx, ax
        retf
.get:   in      ax, dx
        mov     dx, ax
        retf

; -- 06h: lines -----------------------------------------------------------------------------------------

; BL = 0: CX = pixels of a line, 2: bytes; 1: as it is; 3: the longest. BX = bytes, CX = pixels,
; DX = lines.
vbe_line:
        call    vbe_in_mode
        jc      .end
        cmp     bl, 3
        ja      vbe_failed
        je      .longest
        cmp     bl, 1
        je      .say
        jb      .pixels
        mov     ax, cx
        call    bytes_to_pixels
        mov     cx, ax
.pixels:
        call    vbe_depth
        cmp     al, 4
        jne     .set
        add     cx, 7
        and     cx, ~7
.set:   mov     bx, cx
        mov     al, DISPI_VIRT_WIDTH
        call    set_and_check
        je      .say
        mov     ah, VBE_NOT_HERE
        stc
        ret
.say:   mov     al, DISPI_VIRT_WIDTH
        call    dispi_read
        mov     [CALLER(cx)], ax
        call    pixels_to_bytes
        mov     [CALLER(bx)], ax
        mov     al, DISPI_VIRT_HEIGHT
        call    dispi_read
        mov     [CALLER(dx)], ax
        clc
.end:   ret
; All of video memory for the lines of the screen, as far as a word holds it.
.longest:
        call    vbe_memory
        mov     ecx, eax
        mov     al, DISPI_YRES
        call    dispi_read
        movzx   ebx, ax
        call    vbe_depth
        cmp     al, 4
        jne     .divide
        shr     ecx, 2
.divide:
        mov     eax, ecx
        xor     edx, edx
        div     ebx
        cmp     eax, 0xfff8
        jbe     .fits
        mov     ax, 0xfff8
.fits:  call    bytes_to_pixels
        and     ax, ~7
        mov     [CALLER(cx)], ax
        call    pixels_to_bytes
        mov     [CALLER(bx)], ax
        movzx   ebx, ax
        mov     eax, ecx
        xor     edx, edx
        div     ebx
        cmp     eax, 0xffff
        jbe     .lines
        mov     ax, 0xffff
.lines: mov     [CALLER(dx)], ax
        clc
        ret

; AL = bits of a pixel. Uses AH, DX.
vbe_depth:
        mov     al, DISPI_BPP
        jmp     dispi_read

; AX = pixels of a line, becomes bytes, of one plane if there are planes; and back. Use DX, SI.
pixels_to_bytes:
        push    ax
        call    vbe_depth
        mov     si, ax
        pop     ax
        cmp     si, 4
        je      .planes
        add     si, 7
        shr     si, 3
        mul     si
        ret
.planes:
        shr     ax, 3
        ret

bytes_to_pixels:
        push    ax
        call    vbe_depth
        mov     si, ax
        pop     ax
        cmp     si, 4
        je      .planes
        add     si, 7
        shr     si, 3
        xor     dx, dx
        div     si
        ret
.planes:
        cmp     ax, 0x1fff
        jbe     .fits
        mov     ax, 0x1fff
.fits:  shl     ax, 3
        ret

; -- 07h: what is shown ---------------------------------------------------------------------------------

; BL = 0, 80h (at the next retrace): CX, DX = pixel and line at the upper left; 2, 82h: ECX = byte;
; 1: CX, DX = as it is; 4: CX = 1: a change asked for has happened.
vbe_start:
        call    vbe_in_mode
        jc      .end
        cmp     bl, 1
        je      .get
        cmp     bl, 4
        je      .status
        test    bl, 0x7d
        jnz     vbe_failed
        test    bl, 2
        jz      .place
        call    place_of_byte
.place: test    bl, 0x80
        jz      .set
        call    wait_retrace
.set:   mov     bx, dx
        mov     al, DISPI_Y_OFFSET
        call    set_and_check
        jne     .refused
        mov     bx, cx
        mov     al, DISPI_X_OFFSET
        call    set_and_check
        jne     .refused
        clc
.end:   ret
.refused:
        mov     ah, VBE_FAILED
        stc
        ret
.get:   mov     al, DISPI_X_OFFSET
        call    dispi_read
        mov     [CALLER(cx)], ax
        mov     al, DISPI_Y_OFFSET
        call    dispi_read
        mov     [CALLER(dx)], ax
        mov     byte [CALLER(bx) + 1], 0
        clc
        ret
.status:
        mov     word [CALLER(cx)], 1
        clc
        ret

; Register AL gets BX. ZF: it has taken it. Uses AX, DX.
set_and_check:
        push    ax
        call    dispi_write
        pop     ax
        call    dispi_read
        cmp     ax, bx
        ret

; The caller's ECX = byte of video memory: CX, DX = pixel and line. Uses EAX, SI.
place_of_byte:
        push    bx
        mov     al, DISPI_VIRT_WIDTH
        call    dispi_read
        call    pixels_to_bytes
        movzx   ebx, ax
        mov     eax, [CALLER(cx)]
        xor     edx, edx
        div     ebx
        push    ax
        mov     ax, dx
        call    bytes_to_pixels
        mov     cx, ax
        pop     dx
        pop     bx
        ret

; Until the next vertical retrace begins, or enough was waited. Uses AX.
wait_retrace:
        push    cx
        push    dx
        mov     dx, [CRTC]
        add     dx, STATUS
        mov     cx, 0xffff
.off:   in      al, dx
        test    al, 8
        loopnz  .off
        mov     cx, 0xffff
.on:    in      al, dx
        test    al, 8
        loopz   .on
        pop     dx
        pop     cx
        ret
