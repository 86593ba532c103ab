; SPDX-License-Identifier: MIT
;
; Saving the adapter's state and restoring it: function 1Ch, and VBE's 04h, which adds the DISPI
; registers. What is saved stands one part behind the other, in units of 64 bytes.

SAVE_UNIT       equ 64

; Units, what saves to ES:DI and what restores from there, in the order in which that is done. By bits
; of CX, moved up by one: what is bit 3 there must come first.
save_parts:
        dw      1, save_dispi, restore_dispi
        dw      2, save_registers, restore_registers
        dw      1, save_data, restore_data
        dw      13, save_dac, restore_dac

; 1Ch: AL = 0: BX = units; 1: saves to ES:BX, 2: restores.
save_restore:
        and     cx, 0x07
        jz      .end
        add     cx, cx
        call    save_or_restore
        jc      .end
        mov     byte [CALLER(ax)], 0x1c
.end:   ret

; The same for parts of the table. Carry: AL is none of these.
save_or_restore:
        cmp     al, 2
        jbe     .known
        stc
        ret
.known: movzx   ax, al
        add     ax, ax
        mov     di, bx
        mov     si, save_parts
        xor     dx, dx                          ; units so far
.part:  shr     cx, 1
        jnc     .next
        add     dx, [cs:si]
        test    ax, ax
        jz      .next
        pusha
        add     si, ax
        call    [cs:si]
        popa
        mov     bx, [cs:si]
        shl     bx, 6
        add     di, bx
.next:  add     si, 6
        test    cx, cx
        jnz     .part
        test    ax, ax
        jnz     .end
        mov     [CALLER(bx)], dx
.end:   clc
        ret

; -- Registers ------------------------------------------------------------------------------------------


save_registers:
        mov     dx, SEQ
        in      al, dx
        stosb
        mov     dx, GFX
        in      al, dx
        stosb
        mov     dx, [CRTC]
        in      al, dx
        stosb
        call    attr_reset
        mov     dx, ATTR
        in      al, dx
        stosb
        mov     dx, MISC_READ
        in      al, dx
        stosb
        mov     dx, SEQ
        mov     cx, 0x0500
        call    .group
        mov     dx, GFX
        mov     cx, 0x0900
        call    .group
        mov     dx, [CRTC]
        mov     cx, 0x1900
        call    .group
        xor     bl, bl
.attr:  call    attr_read
        mov     al, bh
        stosb
        inc     bl
        cmp     bl, 0x15
        jb      .attr
        ret
.group: mov     al, cl
        out     dx, al
        inc     dx
        in      al, dx
        stosb
        dec     dx
        inc     cl
        dec     ch
        jnz     .group
        ret

restore_registers:
        mov     si, di
        push    si
        add     si, 4
        mov     dx, MISC_WRITE
        es lodsb
        out     dx, al
        mov     dx, 0x3d4
        test    al, 1
        jnz     .crtc
        mov     dl, 0xb4
.crtc:  mov     [CRTC], dx
        mov     dx, SEQ
        mov     bx, si
        mov     cx, 0x0500
        call    load_group
        mov     dx, GFX
        mov     cx, 0x0900
        call    load_group
        mov     dx, [CRTC]
        mov     ax, 0x0011                      ; registers 0-7 may be written
        out     dx, ax
        mov     cx, 0x1900
        call    load_group
        mov     si, bx
        xor     bl, bl
.attr:  es lodsb
        mov     bh, al
        call    attr_write
        inc     bl
        cmp     bl, 0x15
        jb      .attr
        pop     si
        mov     dx, SEQ
        es lodsb
        out     dx, al
        mov     dx, GFX
        es lodsb
        out     dx, al
        mov     dx, [CRTC]
        es lodsb
        out     dx, al
        call    attr_reset
        mov     dx, ATTR
        es lodsb
        out     dx, al
        jmp     attr_reset

; -- The BIOS's own -------------------------------------------------------------------------------------

; Pieces of the data area: address and length.
data_pieces:
        dw      MODE, CGA_COLOR + 1 - MODE, LAST_ROW, DCC_INDEX + 1 - LAST_ROW, SAVE_POINTER, 4
data_pieces_end:

save_data:
        mov     bx, data_pieces
.piece: mov     si, [cs:bx]
        mov     cx, [cs:bx + 2]
        rep movsb
        add     bx, 4
        cmp     bx, data_pieces_end
        jb      .piece
        push    ds
        xor     ax, ax
        mov     ds, ax
        mov     eax, [VECTOR_UPPER]
        stosd
        mov     eax, [VECTOR_FONT]
        stosd
        pop     ds
        ret

restore_data:
        mov     bx, data_pieces
        push    ds
        push    es
        push    ds
        push    es
        pop     ds
        pop     es
        mov     si, di
.piece: mov     di, [cs:bx]
        mov     cx, [cs:bx + 2]
        rep movsb
        add     bx, 4
        cmp     bx, data_pieces_end
        jb      .piece
        xor     ax, ax
        mov     es, ax
        lodsd
        mov     [es:VECTOR_UPPER], eax
        lodsd
        mov     [es:VECTOR_FONT], eax
        pop     es
        pop     ds
        ret

; -- Colours --------------------------------------------------------------------------------------------

save_dac:
        mov     dx, DAC_MASK
        in      al, dx
        stosb
        mov     dx, DAC_READ
        mov     al, 0
        out     dx, al
        mov     dx, DAC_DATA
        mov     cx, 768
        rep insb
        ret

restore_dac:
        mov     si, di
        mov     dx, DAC_MASK
        es lodsb
        out     dx, al
        mov     dx, DAC_WRITE
        mov     al, 0
        out     dx, al
        inc     dx
        mov     cx, 768
        es rep outsb
        ret

; -- DISPI ----------------------------------------------------------------------------------------------

DISPI_SAVED     equ 10                          ; registers 0-9

save_dispi:
        xor     cx, cx
.next:  mov     al, cl
        call    dispi_read
        stosw
        inc     cx
        cmp     cl, DISPI_SAVED
        jb      .next
        ret

; Size and depth first, then the mode, without clearing; then what belongs to it.
restore_dispi:
        mov     al, DISPI_ENABLE
        xor     bx, bx
        call    dispi_write
        mov     si, .order
.next:  movzx   bx, byte [cs:si]
        inc     si
        mov     al, bl
        add     bx, bx
        mov     bx, [es:di + bx]
        cmp     al, DISPI_ENABLE
        jne     .write
        test    bl, DISPI_ENABLED
        jz      .end
        or      bl, DISPI_KEEP
.write: call    dispi_write
        cmp     si, .order_end
        jb      .next
.end:   ret
.order: db      DISPI_XRES, DISPI_YRES, DISPI_BPP, DISPI_ENABLE, DISPI_BANK, DISPI_VIRT_WIDTH
        db      DISPI_X_OFFSET, DISPI_Y_OFFSET
.order_end:
