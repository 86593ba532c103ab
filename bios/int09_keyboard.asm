; SPDX-License-Identifier: MIT
;
; The keyboard's interrupt, which turns scan codes of set 1 into keys of a US keyboard (IBM AT Technical
; Reference; codes of 101 keys as in Brown's list, INT 16h).

KF_RSHIFT       equ 0x01                ; BDA_KBD_FLAGS
KF_LSHIFT       equ 0x02
KF_CTRL         equ 0x04
KF_ALT          equ 0x08
KF_SCROLL       equ 0x10
KF_NUM          equ 0x20
KF_CAPS         equ 0x40
KF_INSERT       equ 0x80
K2_SYSREQ       equ 0x04                ; BDA_KBD_FLAGS2
K2_PAUSE        equ 0x08
KM_E1           equ 0x01                ; BDA_KBD_MODE
KM_E0           equ 0x02
KM_RCTRL        equ 0x04
KM_RALT         equ 0x08
KL_PENDING      equ 0x40                ; BDA_KBD_LEDS: the LEDs' byte follows an acknowledgement

; -- The interrupt ---------------------------------------------------------------------------------

int09:  SERVICE
        in      al, KBC_DATA
        mov     ah, 0x4f                ; programs may change or take the code
        stc
        int     0x15
        cli
        push    ax
        mov     al, EOI                 ; what follows may take long, and then allows interrupts
        out     PIC1, al
        pop     ax
        jnc     .end
        push    BDA_SEG
        pop     ds
        call    kbd_byte
.end:   END_SERVICE

; One byte from the keyboard.
kbd_byte:
        cmp     al, 0xfa
        je      kbd_acknowledged
        cmp     al, 0xe0
        jb      .code
        ja      .not_e0
        or      byte [BDA_KBD_MODE], KM_E0
        ret
.not_e0:
        cmp     al, 0xe1
        jne     .drop
        or      byte [BDA_KBD_MODE], KM_E1
.drop:  ret
.code:  mov     dl, [BDA_KBD_MODE]      ; DL: prefixes before this code
        test    dl, KM_E1
        jnz     kbd_pause
        and     byte [BDA_KBD_MODE], ~KM_E0
        mov     ah, al
        and     ah, 0x7f                ; AH: key, AL: code
        mov     si, kbd_modifiers
.find:  cmp     ah, [cs:si]
        je      kbd_modifier
        add     si, 2
        cmp     si, kbd_modifiers.end
        jb      .find
        mov     si, kbd_locks
.lock:  cmp     ah, [cs:si]
        je      kbd_lock
        add     si, 2
        cmp     si, kbd_locks.end
        jb      .lock
.ordinary:
        cmp     ah, 0x54
        je      kbd_sysreq
        test    al, 0x80
        jnz     kbd_release
        test    byte [BDA_KBD_FLAGS2], K2_PAUSE
        jz      kbd_key
        and     byte [BDA_KBD_FLAGS2], ~K2_PAUSE
        ret

; The keyboard took a command: the LEDs' byte may be due.
kbd_acknowledged:
        test    byte [BDA_KBD_LEDS], KL_PENDING
        jz      .end
        and     byte [BDA_KBD_LEDS], ~KL_PENDING
        mov     al, [BDA_KBD_LEDS]
        and     al, 7
        call    kbc_ready
        out     KBC_DATA, al
.end:   ret

; E1 1D 45, and E1 9D C5 at release: the machine stands still until another key.
kbd_pause:
        cmp     al, 0x45
        je      .press
        cmp     al, 0xc5
        jne     .end
        and     byte [BDA_KBD_MODE], ~KM_E1
.end:   ret
.press: and     byte [BDA_KBD_MODE], ~KM_E1
kbd_stop:
        or      byte [BDA_KBD_FLAGS2], K2_PAUSE
.wait:  sti
        hlt
        test    byte [BDA_KBD_FLAGS2], K2_PAUSE
        jnz     .wait
        ret

kbd_sysreq:
        shl     al, 1                   ; CF: released
        mov     ax, 0x8500
        adc     al, 0
        or      byte [BDA_KBD_FLAGS2], K2_SYSREQ
        test    al, al
        jz      .tell
        and     byte [BDA_KBD_FLAGS2], ~K2_SYSREQ
.tell:  sti
        int     0x15
        ret

; Key and its bit in BDA_KBD_FLAGS.
kbd_modifiers:
        db      0x1d, KF_CTRL, 0x38, KF_ALT, 0x2a, KF_LSHIFT, 0x36, KF_RSHIFT
.end:

; Shift, Ctrl, Alt: with E0 those on the right, but E0 2A and E0 36 only dress other keys.
kbd_modifier:
        mov     bl, [cs:si + 1]
        test    bl, KF_CTRL | KF_ALT
        jnz     .two
        test    dl, KM_E0
        jnz     .end
        or      [BDA_KBD_FLAGS], bl
        test    al, 0x80
        jz      .end
        not     bl
        and     [BDA_KBD_FLAGS], bl
.end:   ret
.two:   mov     bh, bl
        test    dl, KM_E0
        jnz     .right
        shr     bh, 2                   ; left Ctrl is bit 0, left Alt bit 1
        or      [BDA_KBD_FLAGS2], bh
        test    al, 0x80
        jz      .merge
        not     bh
        and     [BDA_KBD_FLAGS2], bh
        jmp     .merge
.right: or      [BDA_KBD_MODE], bh      ; right ones are bits 2 and 3
        test    al, 0x80
        jz      .merge
        not     bh
        and     [BDA_KBD_MODE], bh
.merge: mov     bh, [BDA_KBD_FLAGS2]
        and     bh, 3
        shl     bh, 2
        mov     ah, [BDA_KBD_MODE]
        and     ah, 0x0c
        or      bh, ah
        mov     ah, [BDA_KBD_FLAGS]
        and     ah, ~(KF_CTRL | KF_ALT)
        or      ah, bh
        mov     [BDA_KBD_FLAGS], ah
        test    bl, KF_ALT
        jz      .end
        test    al, 0x80
        jz      .end
        xor     ax, ax                  ; Alt released: the number that was typed is a character
        xchg    al, [BDA_KBD_ALT]
        test    al, al
        jz      .end
        jmp     key_store

kbd_locks:
        db      0x3a, KF_CAPS, 0x45, KF_NUM, 0x46, KF_SCROLL
.end:

; Caps, Num, Scroll Lock; with Ctrl, Num is Pause, and Scroll is Break, as is E0 46.
kbd_lock:
        mov     bl, [cs:si + 1]
        test    al, 0x80
        jnz     .release
        cmp     ah, 0x46
        jne     .not_break
        test    dl, KM_E0
        jnz     kbd_break
        test    byte [BDA_KBD_FLAGS], KF_CTRL
        jnz     kbd_break
.not_break:
        cmp     ah, 0x45
        jne     .toggle
        test    byte [BDA_KBD_FLAGS], KF_CTRL
        jnz     kbd_stop
.toggle:
        test    [BDA_KBD_FLAGS2], bl
        jnz     .end                    ; it repeats
        or      [BDA_KBD_FLAGS2], bl
        xor     [BDA_KBD_FLAGS], bl
        mov     al, [BDA_KBD_FLAGS]
        shr     al, 4
        and     al, 7
        or      al, KL_PENDING
        mov     [BDA_KBD_LEDS], al
        mov     al, 0xed
        call    kbc_ready
        out     KBC_DATA, al
        ret
.release:
        not     bl
        and     [BDA_KBD_FLAGS2], bl
.end:   ret

kbd_break:
        mov     byte [BDA_BREAK], 0x80
        mov     bx, [BDA_KBD_START]
        mov     [BDA_KBD_HEAD], bx
        mov     [BDA_KBD_TAIL], bx
        int     0x1b
        xor     ax, ax
        jmp     key_store

kbd_release:
        cmp     ah, 0x52
        jne     .end
        and     byte [BDA_KBD_FLAGS2], ~KF_INSERT
.end:   ret

; -- Ordinary keys ---------------------------------------------------------------------------------

; AH is the key, DL has KM_E0.
kbd_key:
        cmp     ah, 0x37
        jne     .no_print
        test    dl, KM_E0
        jz      .no_print
        sti
        int     0x05
        ret
.no_print:
        mov     bl, [BDA_KBD_FLAGS]
        cmp     ah, 0x53
        jne     .no_reset
        mov     bh, bl
        and     bh, KF_CTRL | KF_ALT
        cmp     bh, KF_CTRL | KF_ALT
        jne     .no_reset
        mov     word [BDA_WARM], 0x1234
        jmp     post
.no_reset:
        cmp     ah, 0x52                ; Insert toggles its bit
        jne     .no_insert
        test    bl, KF_CTRL | KF_ALT
        jnz     .no_insert
        test    byte [BDA_KBD_FLAGS2], KF_INSERT
        jnz     .no_insert
        or      byte [BDA_KBD_FLAGS2], KF_INSERT
        xor     byte [BDA_KBD_FLAGS], KF_INSERT
.no_insert:
        movzx   si, ah
        test    dl, KM_E0
        jz      .plain
        mov     di, keys_e0             ; code, then as in the table of all
.find:  cmp     ah, [cs:di]
        lea     di, [di + 1]
        je      .column
        add     di, 8
        cmp     di, keys_e0.end
        jb      .find
        ret
.plain: cmp     ah, KEYS
        jae     .end
        cmp     ah, 0x47                ; with Alt, the number pad writes a number
        jb      .table
        cmp     ah, 0x53
        ja      .table
        test    bl, KF_ALT
        jz      .table
        mov     al, [cs:keypad_digits + si - 0x47]
        cmp     al, 10
        jae     .table
        mov     bh, al
        mov     al, [BDA_KBD_ALT]
        mov     ah, 10
        mul     ah
        add     al, bh
        mov     [BDA_KBD_ALT], al
        ret
.table: mov     di, si
        shl     di, 3
        add     di, keys
.column:
        test    bl, KF_ALT              ; columns: alone, Shift, Ctrl, Alt
        jz      .no_alt
        add     di, 6
        jmp     .take
.no_alt:
        test    bl, KF_CTRL
        jz      .no_ctrl
        add     di, 4
        jmp     .take
.no_ctrl:
        test    dl, KM_E0
        jnz     .shift
        call    kbd_lock_shifts
.shift: test    bl, KF_LSHIFT | KF_RSHIFT
        jz      .take
        add     di, 2
.take:  mov     ax, [cs:di]
        test    ax, ax
        jz      .end
        jmp     key_store
.end:   ret

; Caps Lock turns Shift around for letters, Num Lock for the number pad: in BL. AH is the key.
kbd_lock_shifts:
        mov     al, [cs:di]
        cmp     al, 'a'
        jb      .pad
        cmp     al, 'z'
        ja      .pad
        test    bl, KF_CAPS
        jnz     .turn
        ret
.pad:   cmp     ah, 0x47
        jb      .end
        cmp     ah, 0x53
        ja      .end
        test    bl, KF_NUM
        jz      .end
.turn:  test    bl, KF_LSHIFT | KF_RSHIFT
        jz      .on
        and     bl, ~(KF_LSHIFT | KF_RSHIFT)
        ret
.on:    or      bl, KF_LSHIFT
.end:   ret

keypad_digits:
        db      7, 8, 9, 0xff, 4, 5, 6, 0xff, 1, 2, 3, 0, 0xff

; A letter: key, character.
%macro  LETTER 2
        dw      %1 << 8 | %2, %1 << 8 | (%2 - 32), %1 << 8 | (%2 & 31), %1 << 8
%endmacro
; F1-F10.
%macro  FUNCTION 1
        dw      %1 << 8, (%1 + 0x19) << 8, (%1 + 0x23) << 8, (%1 + 0x2d) << 8
%endmacro

; Code and character for each key: alone, with Shift, Ctrl, Alt; 0: nothing.
        align   2, db 0
keys:   dw      0, 0, 0, 0
        dw      0x011b, 0x011b, 0x011b, 0x0100
        dw      0x0231, 0x0221, 0, 0x7800
        dw      0x0332, 0x0340, 0x0300, 0x7900
        dw      0x0433, 0x0423, 0, 0x7a00
        dw      0x0534, 0x0524, 0, 0x7b00
        dw      0x0635, 0x0625, 0, 0x7c00
        dw      0x0736, 0x075e, 0x071e, 0x7d00
        dw      0x0837, 0x0826, 0, 0x7e00
        dw      0x0938, 0x092a, 0, 0x7f00
        dw      0x0a39, 0x0a28, 0, 0x8000
        dw      0x0b30, 0x0b29, 0, 0x8100
        dw      0x0c2d, 0x0c5f, 0x0c1f, 0x8200
        dw      0x0d3d, 0x0d2b, 0, 0x8300
        dw      0x0e08, 0x0e08, 0x0e7f, 0x0e00
        dw      0x0f09, 0x0f00, 0x9400, 0xa500
        LETTER  0x10, 'q'
        LETTER  0x11, 'w'
        LETTER  0x12, 'e'
        LETTER  0x13, 'r'
        LETTER  0x14, 't'
        LETTER  0x15, 'y'
        LETTER  0x16, 'u'
        LETTER  0x17, 'i'
        LETTER  0x18, 'o'
        LETTER  0x19, 'p'
        dw      0x1a5b, 0x1a7b, 0x1a1b, 0x1a00
        dw      0x1b5d, 0x1b7d, 0x1b1d, 0x1b00
        dw      0x1c0d, 0x1c0d, 0x1c0a, 0x1c00
        dw      0, 0, 0, 0
        LETTER  0x1e, 'a'
        LETTER  0x1f, 's'
        LETTER  0x20, 'd'
        LETTER  0x21, 'f'
        LETTER  0x22, 'g'
        LETTER  0x23, 'h'
        LETTER  0x24, 'j'
        LETTER  0x25, 'k'
        LETTER  0x26, 'l'
        dw      0x273b, 0x273a, 0, 0x2700
        dw      0x2827, 0x2822, 0, 0x2800
        dw      0x2960, 0x297e, 0, 0x2900
        dw      0, 0, 0, 0
        dw      0x2b5c, 0x2b7c, 0x2b1c, 0x2b00
        LETTER  0x2c, 'z'
        LETTER  0x2d, 'x'
        LETTER  0x2e, 'c'
        LETTER  0x2f, 'v'
        LETTER  0x30, 'b'
        LETTER  0x31, 'n'
        LETTER  0x32, 'm'
        dw      0x332c, 0x333c, 0, 0x3300
        dw      0x342e, 0x343e, 0, 0x3400
        dw      0x352f, 0x353f, 0, 0x3500
        dw      0, 0, 0, 0
        dw      0x372a, 0x372a, 0x9600, 0x3700
        dw      0, 0, 0, 0
        dw      0x3920, 0x3920, 0x3920, 0x3920
        dw      0, 0, 0, 0
%assign key 0x3b
%rep 10
        FUNCTION key
%assign key key + 1
%endrep
        times   2 dw 0, 0, 0, 0
        dw      0x4700, 0x4737, 0x7700, 0
        dw      0x4800, 0x4838, 0x8d00, 0
        dw      0x4900, 0x4939, 0x8400, 0
        dw      0x4a2d, 0x4a2d, 0x8e00, 0x4a00
        dw      0x4b00, 0x4b34, 0x7300, 0
        dw      0x4c00, 0x4c35, 0x8f00, 0
        dw      0x4d00, 0x4d36, 0x7400, 0
        dw      0x4e2b, 0x4e2b, 0x9000, 0x4e00
        dw      0x4f00, 0x4f31, 0x7500, 0
        dw      0x5000, 0x5032, 0x9100, 0
        dw      0x5100, 0x5133, 0x7600, 0
        dw      0x5200, 0x5230, 0x9200, 0
        dw      0x5300, 0x532e, 0x9300, 0
        times   2 dw 0, 0, 0, 0
        dw      0x565c, 0x567c, 0, 0
        dw      0x8500, 0x8700, 0x8900, 0x8b00
        dw      0x8600, 0x8800, 0x8a00, 0x8c00
KEYS    equ     ($ - keys) / 8

; Keys with the prefix E0.
%macro  CURSOR 3
        db      %1
        dw      %1 << 8 | 0xe0, %1 << 8 | 0xe0, %2 << 8 | 0xe0, %3 << 8
%endmacro
keys_e0:
        db      0x1c
        dw      0xe00d, 0xe00d, 0xe00a, 0xa600
        db      0x35
        dw      0xe02f, 0xe02f, 0x9500, 0xa400
        CURSOR  0x47, 0x77, 0x97
        CURSOR  0x48, 0x8d, 0x98
        CURSOR  0x49, 0x84, 0x99
        CURSOR  0x4b, 0x73, 0x9b
        CURSOR  0x4d, 0x74, 0x9d
        CURSOR  0x4f, 0x75, 0x9f
        CURSOR  0x50, 0x91, 0xa0
        CURSOR  0x51, 0x76, 0xa1
        CURSOR  0x52, 0x92, 0xa2
        CURSOR  0x53, 0x93, 0xa3
.end:
