; SPDX-License-Identifier: MIT
;
; INT 16h: keys from the buffer that INT 9 fills.

int16:  SERVICE
        movzx   bx, ah
        cmp     bl, 0x13
        jae     .end
        add     bx, bx
        call    [cs:.functions + bx]
.end:   END_SERVICE
        align   2, db 0
.functions:
        dw      key_read, key_look, key_flags, key_rate, key_none, key_put
        times   3 dw key_none
        dw      key_features, key_id
        times   5 dw key_none
        dw      key_read_ext, key_look_ext, key_flags_ext

key_none:
        ret

; AH=10h, 00h: waits for a key. Keys that only 101-key keyboards have are left out by 00h.
key_read_ext:
        call    key_wait
        mov     [bp + F_EAX], ax
        ret
key_read:
        call    key_wait
        call    key_convert
        jc      key_read
        mov     [bp + F_EAX], ax
        ret

; The next key to AX.
key_wait:
        cli
        mov     bx, [BDA_KBD_HEAD]
        cmp     bx, [BDA_KBD_TAIL]
        jne     .there
        mov     ax, 0x9002              ; a wait: multitaskers may run something else
        sti
        int     0x15
        cli
        mov     bx, [BDA_KBD_HEAD]
        cmp     bx, [BDA_KBD_TAIL]
        jne     .there
        sti
        hlt
        jmp     key_wait
.there: mov     ax, [bx]
        call    key_drop
        sti
        ret

; Takes the key at the head, BX, out of the buffer.
key_drop:
        add     bx, 2
        cmp     bx, [BDA_KBD_END]
        jb      .end
        mov     bx, [BDA_KBD_START]
.end:   mov     [BDA_KBD_HEAD], bx
        ret

; A key as keyboards of 84 keys have it; CF: they do not.
key_convert:
        cmp     ah, 0xe0                ; Enter and / of the number pad
        jne     .gray
        mov     ah, 0x1c
        cmp     al, '/'
        jne     .ok
        mov     ah, 0x35
.ok:    clc
        ret
.gray:  cmp     al, 0xe0                ; the cursor block
        jne     .code
        test    ah, ah
        jz      .ok
        xor     al, al
        clc
        ret
.code:  cmp     al, 0xf0
        jne     .f11
        test    ah, ah
        jz      .ok
        stc
        ret
.f11:   cmp     ah, 0x85
        cmc
        ret

; AH=11h, 01h: ZF if there is no key.
key_look_ext:
        mov     dl, 1
        jmp     key_look_any
key_look:
        mov     dl, 0
key_look_any:
        cli
        mov     bx, [BDA_KBD_HEAD]
        cmp     bx, [BDA_KBD_TAIL]
        je      .none
        mov     ax, [bx]
        test    dl, dl
        jnz     .take
        call    key_convert
        jnc     .take
        call    key_drop
        jmp     key_look_any
.take:  mov     [bp + F_EAX], ax
        and     byte [bp + F_FLAGS], ~0x40
        ret
.none:  or      byte [bp + F_FLAGS], 0x40
        ret

key_flags:
        mov     al, [BDA_KBD_FLAGS]
        mov     [bp + F_AL], al
        ret

; AH=12h: the second byte has SysReq from the first's neighbour and the right-hand keys.
key_flags_ext:
        mov     al, [BDA_KBD_FLAGS]
        mov     ah, [BDA_KBD_FLAGS2]
        mov     bl, ah
        and     ah, 0x73                ; without Pause, SysReq and the bits that others take
        and     bl, 0x04                ; SysReq is bit 7
        shl     bl, 5
        or      ah, bl
        mov     bl, [BDA_KBD_MODE]
        and     bl, 0x0c                ; right Alt and Ctrl
        or      ah, bl
        mov     [bp + F_EAX], ax
        ret

; AH=03h: AL=05h sets rate BL and delay BH.
key_rate:
        cmp     byte [bp + F_AL], 5
        jne     .end
        mov     al, 0xf3
        call    kbd_send
        mov     al, [bp + F_BH]
        and     al, 3
        shl     al, 5
        mov     ah, [bp + F_BL]
        and     ah, 0x1f
        or      al, ah
        call    kbd_send
.end:   ret

; AH=05h: CX into the buffer; AL=1: it is full.
key_put:
        mov     ax, [bp + F_ECX]
        call    key_store
        setc    al
        mov     [bp + F_AL], al
        ret

; AX into the buffer, or CF. Changes BX, DX.
key_store:
        pushf
        cli
        mov     bx, [BDA_KBD_TAIL]
        mov     dx, bx
        add     bx, 2
        cmp     bx, [BDA_KBD_END]
        jb      .wrapped
        mov     bx, [BDA_KBD_START]
.wrapped:
        cmp     bx, [BDA_KBD_HEAD]
        je      .full
        xchg    bx, dx
        mov     [bx], ax
        mov     [BDA_KBD_TAIL], dx
        popf
        clc
        ret
.full:  popf
        stc
        ret

; AH=09h: rates can be set, functions 10h-12h are there, and 0Ah.
key_features:
        mov     byte [bp + F_AL], 0x34
        ret

key_id: mov     word [bp + F_EBX], 0x41ab
        ret
