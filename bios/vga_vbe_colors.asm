; SPDX-License-Identifier: MIT
;
; VBE 3.0: colours, state, and power.

; -- 08h, 09h: colours ----------------------------------------------------------------------------------

; BL = 0: BH = bits of a colour in the DAC that are wanted, BL = 1: asked for. BH = bits that it has.
vbe_dac:
        cmp     bl, 1
        ja      vbe_failed
        je      .get
        call    vbe_in_mode
        jc      .get                            ; the VGA's own modes have six
        mov     al, DISPI_ENABLE
        call    dispi_read
        and     ax, ~DISPI_8BIT_DAC
        cmp     bh, 8
        jb      .set
        or      ax, DISPI_8BIT_DAC
.set:   mov     bx, ax
        mov     al, DISPI_ENABLE
        call    dispi_write
.get:   mov     al, DISPI_ENABLE
        call    dispi_read
        mov     ah, 6
        test    al, DISPI_8BIT_DAC
        jz      .say
        mov     ah, 8
.say:   mov     [CALLER(bx) + 1], ah
        clc
        ret

; BL = 0, 80h (in the retrace): CX colours from DX on become what is at ES:DI, blue, green, red and one
; more byte each; 1: the other way.
vbe_palette:
        mov     ax, cx
        add     ax, dx
        jc      vbe_failed
        cmp     ax, 256
        ja      vbe_failed
        cmp     bl, 1
        je      .get
        test    bl, 0x7f
        jnz     .refused
        test    bl, 0x80
        jz      .set
        call    wait_retrace
.set:   jcxz    .done
        mov     al, dl
        mov     dx, DAC_WRITE
        out     dx, al
        inc     dx
.next:  mov     al, [es:di + 2]
        out     dx, al
        mov     al, [es:di + 1]
        out     dx, al
        mov     al, [es:di]
        out     dx, al
        add     di, 4
        loop    .next
.done:  clc
        ret
.get:   jcxz    .done
        mov     al, dl
        mov     dx, DAC_READ
        out     dx, al
        mov     dx, DAC_DATA
.read:  in      al, dx
        mov     [es:di + 2], al
        in      al, dx
        mov     [es:di + 1], al
        in      al, dx
        xor     ah, ah
        mov     [es:di], al
        mov     [es:di + 3], ah
        add     di, 4
        loop    .read
        clc
        ret
.refused:
        mov     ah, VBE_NOT_HERE                ; there is no second palette
        stc
        ret

; -- 04h, 0Bh, 10h --------------------------------------------------------------------------------------

; DL = 0: BX = units that CX asks for, 1: saves to ES:BX, 2: restores.
vbe_state:
        and     cx, 0x0f
        add     cx, cx
        test    cx, 0x10                        ; the adapter's own registers come first
        jz      .parts
        inc     cx
.parts: and     cx, 0x0f
        mov     al, dl
        call    save_or_restore
        mov     ah, VBE_FAILED
        ret

; BL = 0: ECX = pixels a second in mode DX, which can be any.
vbe_clock:
        test    bl, bl
        jnz     vbe_failed
        clc
        ret

; BL = 0: BL = version, BH = states; 1: BH = state that is wanted, all but 0 are off; 2: BH = state.
vbe_power:
        cmp     bl, 1
        je      .set
        ja      .get
        mov     word [CALLER(bx)], 0x0710
        clc
        ret
.set:   neg     bh                              ; carry: not 0
        sbb     bl, bl
        and     bl, 0x20
        call    set_screen_off
        clc
        ret
.get:   cmp     bl, 2
        ja      vbe_failed
        mov     dx, SEQ
        mov     al, 1
        out     dx, al
        inc     dx
        in      al, dx
        and     al, 0x20
        shr     al, 3                           ; 4: off
        mov     [CALLER(bx) + 1], al
        clc
        ret
