; SPDX-License-Identifier: MIT
;
; What is there and how it is set: functions 12h, 1Ah and 1Bh.

; -- 12h ------------------------------------------------------------------------------------------------

alternate:
        mov     si, .parts
        jmp     call_part
.parts:
        PART    0x10, ega_information
        PART    0x30, select_lines
        PART    0x31, enable_palette
        PART    0x32, enable_addressing
        PART    0x33, enable_grey
        PART    0x34, enable_emulation
        PART    0x35, switch_display
        PART    0x36, enable_refresh
        PARTS_END

; BH = 1: monochrome, BL = 3: 256 KiB, CH and CL = feature bits and switches.
ega_information:
        xor     bh, bh
        cmp     byte [CRTC], 0xb4
        jne     .color
        inc     bh
.color: mov     bl, 3
        mov     [CALLER(bx)], bx
        mov     al, [SWITCHES]
        mov     ah, al
        shr     ah, 4
        and     al, 0x0f
        mov     [CALLER(cx)], ax
        ret

; AL = 0, 1, 2: 200, 350, 400 lines in text modes that are set from now on.
select_lines:
        cmp     al, 2
        ja      refused
        mov     ah, OPTION_200
        jb      .few
        mov     ah, OPTION_400
.few:   cmp     al, 1
        jne     .set
        mov     ah, 0
.set:   and     byte [OPTIONS], ~(OPTION_200 | OPTION_400)
        or      [OPTIONS], ah
accepted:
        mov     byte [CALLER(ax)], 0x12
refused:
        ret

; AL = 0: on, 1: off; AH = bit of a byte at BX that is set where it is off.
enable_palette:
        mov     ah, OPTION_NO_PALETTE
        mov     bx, OPTIONS
set_if_off:
        cmp     al, 1
        ja      refused
        je      .off
        not     ah
        and     [bx], ah
        jmp     accepted
.off:   or      [bx], ah
        jmp     accepted

enable_emulation:
        mov     ah, CONTROL_NO_EMULATION
        mov     bx, CONTROL
        jmp     set_if_off

enable_grey:
        xor     al, 1
        mov     ah, OPTION_GREY
        mov     bx, OPTIONS
        jmp     set_if_off

; The processor's access to video memory.
enable_addressing:
        cmp     al, 1
        ja      refused
        mov     bl, al
        mov     dx, MISC_READ
        in      al, dx
        or      al, 2
        test    bl, bl
        jz      .set
        and     al, ~2
.set:   mov     dx, MISC_WRITE
        out     dx, al
        jmp     accepted

; Between this adapter and another: there is no other.
switch_display:
        cmp     al, 3
        jbe     accepted
        ret

enable_refresh:
        cmp     al, 1
        ja      refused
        shl     al, 5
        mov     bl, al
        call    set_screen_off
        jmp     accepted

; BL = 20h: the screen is off; 0: on. Uses AX, DX.
set_screen_off:
        mov     dx, SEQ
        mov     al, 1
        out     dx, al
        inc     dx
        in      al, dx
        and     al, ~0x20
        or      al, bl
        out     dx, al
        ret

; -- 1Ah: display combination ---------------------------------------------------------------------------

combination:
        cmp     al, 1
        je      .set
        ja      .end
        call    display_codes
        mov     [CALLER(bx)], ax
        jmp     .done
.set:   xor     si, si
.next:  mov     ax, [cs:combinations + si]
        cmp     ax, bx
        je      .found
        xchg    al, ah
        cmp     ax, bx
        je      .found
        add     si, 2
        cmp     si, DCC_COUNT * 2
        jb      .next
        jmp     .end
.found: shr     si, 1
        mov     ax, si
        mov     [DCC_INDEX], al
.done:  mov     byte [CALLER(ax)], 0x1a
.end:   ret

; AL = the active display, AH = the other one; -1: unknown. Uses SI.
display_codes:
        movzx   si, byte [DCC_INDEX]
        mov     ax, 0xffff
        cmp     si, DCC_COUNT
        jae     .end
        add     si, si
        mov     ax, [cs:combinations + si]
        test    al, al
        jnz     .end
        xchg    al, ah                          ; the only one is active
.end:   ret

; -- 1Bh: state -----------------------------------------------------------------------------------------

CONTROL_END     equ CGA_COLOR + 1               ; behind what is copied from the data area

; What the 64 bytes at ES:DI become.
struc STATE
.table:         resd 1                          ; static_table
.bda:           resb CONTROL_END - MODE
.rows:          resb 1
.height:        resw 1
.active:        resb 1
.alternate:     resb 1
.colors:        resw 1
.pages:         resb 1
.lines:         resb 1                          ; 0-3: 200, 350, 400, 480
.blocks:        resb 2
.flags:         resb 1
                resb 3
.memory:        resb 1                          ; 3: 256 KiB
.pointers:      resb 1
                resb 13
endstruc

state_information:
        test    bx, bx
        jnz     .end
        mov     di, [CALLER(di)]
        push    di
        mov     cx, STATE_size
        xor     al, al
        rep stosb
        pop     bx
        mov     word [es:bx], static_table
        mov     [es:bx + 2], cs
        mov     si, MODE
        lea     di, [bx + STATE.bda]
        mov     cx, CONTROL_END - MODE
        rep movsb
        mov     al, [LAST_ROW]
        inc     al
        stosb
        mov     ax, [CHAR_HEIGHT]
        stosw
        call    display_codes
        stosw
        movzx   si, byte [MODE]
        cmp     si, LAST_MODE
        ja      .lines
        imul    si, si, 3
        mov     ax, [cs:mode_facts + si]
        stosw
        mov     al, [cs:mode_facts + si + 2]
        stosb
.lines: lea     di, [bx + STATE.lines]
        push    bx
        call    count_lines
        pop     bx
        call    lines_code
        stosb
        call    state_details
        mov     byte [CALLER(ax)], 0x1b
.end:   ret

; AX = lines: AL = their code.
lines_code:
        mov     cl, 0
        cmp     ax, 350
        jb      .end
        inc     cl
        cmp     ax, 400
        jb      .end
        inc     cl
        cmp     ax, 480
        jb      .end
        inc     cl
.end:   mov     al, cl
        ret

; From the blocks on, at ES:DI; ES:BX = STATE.
state_details:
        mov     dx, SEQ
        mov     al, 3
        out     dx, al
        inc     dx
        in      al, dx
        mov     ah, al
        and     ax, 0x2f13                      ; AL: bits 4, 1, 0; AH: 5, 3, 2
        shr     ah, 2
        mov     cx, ax
        shr     ch, 1
        and     ch, 4
        and     ah, 3
        or      ah, ch
        mov     cl, al
        shr     cl, 2
        and     al, 3
        or      al, cl
        stosw
        mov     al, [OPTIONS]
        mov     ah, 1                           ; all modes on all displays
        test    al, OPTION_GREY
        jz      .mono
        or      ah, 0x02
.mono:  cmp     byte [CRTC], 0xb4
        jne     .palette
        or      ah, 0x04
.palette:
        and     al, OPTION_NO_PALETTE           ; bit 3
        or      ah, al
        test    byte [CONTROL], CONTROL_NO_EMULATION
        jnz     .blinking
        or      ah, 0x10
.blinking:
        push    bx
        push    ax
        mov     bl, 0x10
        call    attr_read
        pop     ax
        and     bh, 0x08
        shl     bh, 2
        or      ah, bh
        pop     bx
        mov     [es:bx + STATE.flags], ah
        mov     byte [es:bx + STATE.memory], 3
        ret

; Colours and pages of each mode.
mode_facts:
%macro FACTS 2
        dw      %1
        db      %2
%endmacro
        FACTS   16, 8
        FACTS   16, 8
        FACTS   16, 8
        FACTS   16, 8
        FACTS   4, 1
        FACTS   4, 1
        FACTS   2, 1
        FACTS   0, 8
%rep 5
        FACTS   0, 0
%endrep
        FACTS   16, 8
        FACTS   16, 4
        FACTS   0, 2
        FACTS   16, 2
        FACTS   2, 1
        FACTS   16, 1
        FACTS   256, 1
