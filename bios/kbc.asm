; SPDX-License-Identifier: MIT
;
; The keyboard controller, polled: commands to it, to the keyboard and the mouse, and their set-up.

; Waits until the controller takes a byte; CF: it does not. Changes nothing else.
kbc_ready:
        push    ax
        push    ebx
        push    ecx
        call    now
        mov     ebx, eax
        mov     ecx, 500 * MS
.next:  in      al, KBC_CMD
        test    al, 2
        jz      .end
        call    expired
        jnc     .next
.end:   pop     ecx
        pop     ebx
        pop     ax
        ret

; The next byte from keyboard (ZF clear) or mouse (ZF set) to AL; CF: none comes.
kbc_read:
        push    ebx
        push    ecx
        call    now
        mov     ebx, eax
        mov     ecx, 500 * MS
.next:  in      al, KBC_CMD
        test    al, 1
        jnz     .there
        call    expired
        jnc     .next
        jmp     .end
.there: and     al, 0x20
        xor     al, 0x20
        in      al, KBC_DATA
.end:   pop     ecx
        pop     ebx
        ret

; AL to the controller as a command.
kbc_command:
        call    kbc_ready
        out     KBC_CMD, al
        ret

; AL to the keyboard, and its answer in AL; CF: it does not acknowledge.
kbd_send:
        pushf
        cli
        call    kbc_ready
        out     KBC_DATA, al
.next:  call    kbc_read
        jc      .none
        jz      .next                   ; of the mouse: dropped
        cmp     al, 0xfa
        je      .ok
        cmp     al, 0xfe
        jne     .next
.none:  popf
        stc
        ret
.ok:    popf
        clc
        ret

; Keyboard and mouse with interrupts and translation to set 1.
keyboard_post:
        mov     al, 0xad
        call    kbc_command
        mov     al, 0xa7
        call    kbc_command
        mov     cx, 32
.flush: in      al, KBC_DATA
        in      al, KBC_CMD
        test    al, 1
        loopnz  .flush
        mov     al, 0xaa                ; self-test
        call    kbc_command
        call    kbc_read
        mov     al, 0xae
        call    kbc_command
        mov     al, 0xff                ; reset the keyboard
        call    kbd_send
        jc      .no_keyboard
        call    kbc_read                ; AAh
.no_keyboard:
        mov     al, 0xf4
        call    kbd_send
        mov     al, 0xa8
        call    kbc_command
        mov     al, 0x60                ; the command byte
        call    kbc_command
        call    kbc_ready
        mov     al, 0x47                ; both interrupts, system flag, translation
        out     KBC_DATA, al
        ret
