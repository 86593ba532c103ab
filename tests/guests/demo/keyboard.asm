; SPDX-License-Identifier: MIT
;
; The 8042 and its keyboard. The controller translates to scan code set 1: bit 7 says "released".

KBD_DATA        equ 0x60
KBD_COMMAND     equ 0x64                        ; read: status
KBD_STATUS_FULL equ 1                           ; something to read at KBD_DATA
KBD_STATUS_BUSY equ 2                           ; not ready for another byte
KBD_SELF_TEST   equ 0xaa                        ; commands: answers KBD_GOOD
KBD_WRITE_MODE  equ 0x60
KBD_DISABLE     equ 0xad
KBD_ENABLE      equ 0xae
KBD_GOOD        equ 0x55
KBD_MODE        equ 0x65                        ; IRQ 1, system flag, no mouse, translate
KEYBOARD_ON     equ 0xf4                        ; to the keyboard itself
KEYBOARD_ACK    equ 0xfa
KEY_LEFT_SHIFT  equ 0x2a
KEY_RIGHT_SHIFT equ 0x36

section .bss
keyboard_self_test:     resb 1                  ; what it answered
keyboard_shift:         resb 1

section .text
; Runs before interrupts are on. Without a controller each step times out.
keyboard_start:
        push    eax
        mov     al, KBD_DISABLE
        call    kbd_command
        call    kbd_drain
        mov     al, KBD_SELF_TEST
        call    kbd_command
        call    kbd_read
        mov     [keyboard_self_test], al
        mov     al, KBD_WRITE_MODE
        call    kbd_command
        mov     al, KBD_MODE
        call    kbd_write
        mov     al, KBD_ENABLE
        call    kbd_command
        mov     al, KEYBOARD_ON
        call    kbd_write
        call    kbd_read                        ; its acknowledgement
        call    kbd_drain
        pop     eax
        ret

; AL = command.
kbd_command:
        call    kbd_wait_ready
        out     KBD_COMMAND, al
        ret

; AL = byte for the keyboard or a command's argument.
kbd_write:
        call    kbd_wait_ready
        out     KBD_DATA, al
        ret

kbd_wait_ready:
        push    eax
        push    ecx
        mov     ecx, 0x10000
.wait:
        in      al, KBD_COMMAND
        test    al, KBD_STATUS_BUSY
        loopnz  .wait
        pop     ecx
        pop     eax
        ret

; AL = the next byte, or FF if none comes for some time.
kbd_read:
        push    ecx
        mov     ecx, 0x40000
.wait:
        in      al, KBD_COMMAND
        test    al, KBD_STATUS_FULL
        loopz   .wait
        mov     al, 0xff
        jz      .end
        in      al, KBD_DATA
.end:
        pop     ecx
        ret

; Throws away what it has to say.
kbd_drain:
        push    eax
        push    ecx
        mov     ecx, 32
.next:
        in      al, KBD_COMMAND
        test    al, KBD_STATUS_FULL
        jz      .end
        in      al, KBD_DATA
        loop    .next
.end:
        pop     ecx
        pop     eax
        ret

; IRQ 1.
keyboard_interrupt:
        in      al, KBD_DATA
        mov     ah, al
        and     al, 0x7f
        cmp     al, KEY_LEFT_SHIFT
        je      .shift
        cmp     al, KEY_RIGHT_SHIFT
        je      .shift
        test    ah, ah
        js      .end                            ; released
        cmp     al, KEYS
        jae     .end
        movzx   eax, al
        mov     ebx, keys_plain
        cmp     byte [keyboard_shift], 0
        je      .look_up
        mov     ebx, keys_shifted
.look_up:
        mov     al, [ebx + eax]
        test    al, al
        jnz     input_put
.end:
        ret
.shift:
        test    ah, ah
        setns   [keyboard_shift]
        ret

section .data
; American layout, by scan code; 0 has no character.
keys_plain:
        db      0, 27, `1234567890-=\b`
        db      `\tqwertyuiop[]\n`
        db      0, `asdfghjkl;'\``
        db      0, `\\zxcvbnm,./`, 0
        db      `*`, 0, ` `
KEYS    equ $ - keys_plain
keys_shifted:
        db      0, 27, `!@#$%^&*()_+\b`
        db      `\tQWERTYUIOP{}\n`
        db      0, `ASDFGHJKL:"~`
        db      0, `|ZXCVBNM<>?`, 0
        db      `*`, 0, ` `
section .text
