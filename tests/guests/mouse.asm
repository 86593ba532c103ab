; SPDX-License-Identifier: MIT
;
; Shows how far the mouse has gone, for tests/boot/mouse_test.py: the image of a floppy of 1.44 MB that
; boots. A driver of its own, which makes the wheel known as drivers do (rates 200, 100, 80), takes turns
; with the BIOS (INT 15h, AH = C2h), at each key. The line on the screen is
;
;   NAME: x 7 y -4 z 0 buttons 1
;
; with y upwards and z towards the user, as the mouse counts.

%include "lib/floppy.asm"

KBC_DATA        equ 0x60
KBC_STATUS      equ 0x64
STATUS_FULL     equ 1                           ; there is a byte to read
STATUS_BUSY     equ 2                           ; the last one written is not taken yet
STATUS_MOUSE    equ 0x20                        ; the byte to read is the mouse's
PIC1            equ 0x20
PIC2            equ 0xa0
EOI             equ 0x20
IRQ12           equ 0x74
MOUSE_ACK       equ 0xfa

main:   mov     word [name], text_bios
        call    reset_totals
        mov     ax, 0xc205                      ; packets of 3 bytes
        mov     bh, 3
        int     0x15
        jc      failed
        mov     ax, 0xc207
        mov     bx, from_bios
        int     0x15
        jc      failed
        mov     ax, 0xc200
        mov     bh, 1
        int     0x15
        jc      failed
        call    watch
        mov     ax, 0xc200
        mov     bh, 0
        int     0x15
        jc      failed

        mov     word [name], text_driver
        call    reset_totals
        cli
        push    dword [IRQ12 * 4]
        mov     dword [IRQ12 * 4], driver
        mov     byte [packet_length], 0
        mov     si, start_commands
        call    send_all
        sti
        call    watch
        cli
        mov     si, stop_commands
        call    send_all
        pop     dword [IRQ12 * 4]
        sti
        jmp     main

failed: mov     si, .text
        call    print
        jmp     $
.text:  db      "The mouse does not answer.", 13, 10, 0

text_bios:
        db      "bios", 0
text_driver:
        db      "driver", 0

; -- The line --------------------------------------------------------------------------------------------

reset_totals:
        mov     ax, 3
        int     0x10
        xor     eax, eax
        mov     [total_x], eax
        mov     [total_y], eax
        mov     [total_z], eax
        mov     [buttons], eax
        ret

; Shows the totals until a key is pressed.
watch:  mov     ah, 2                           ; to the first column
        xor     bx, bx
        xor     dx, dx
        int     0x10
        mov     si, [name]
        call    print
        mov     bp, .parts
.part:  mov     si, bp
        call    print
        mov     bp, si
        mov     si, [bp]
        add     bp, 2
        mov     eax, [si]
        call    print_number
        cmp     bp, .parts_end
        jb      .part
        mov     si, .blanks
        call    print
        hlt
        mov     ah, 1
        int     0x16
        jz      watch
        mov     ah, 0
        int     0x16
        ret
.parts: db      ": x ", 0
        dw      total_x
        db      " y ", 0
        dw      total_y
        db      " z ", 0
        dw      total_z
        db      " buttons ", 0
        dw      buttons
.parts_end:
.blanks:
        db      "        ", 0

; EAX with its sign.
print_number:
        test    eax, eax
        jns     .digits
        push    eax
        mov     si, .minus
        call    print
        pop     eax
        neg     eax
.digits:
        xor     edx, edx
        mov     ecx, 10
        div     ecx
        push    dx
        test    eax, eax
        jz      .last
        call    .digits
.last:  pop     ax
        add     al, '0'
        mov     ah, 0x0e
        mov     bx, 7
        int     0x10
        ret
.minus: db      "-", 0

; -- Packets ---------------------------------------------------------------------------------------------

; The bytes at `packet`, to the totals. Keeps nothing.
count_packet:
        movzx   eax, byte [packet + 1]
        test    byte [packet], 0x10
        jz      .right
        or      eax, 0xffffff00
.right: add     [total_x], eax
        movzx   eax, byte [packet + 2]
        test    byte [packet], 0x20
        jz      .up
        or      eax, 0xffffff00
.up:    add     [total_y], eax
        movsx   eax, byte [packet + 3]
        add     [total_z], eax
        mov     al, [packet]
        and     al, 7
        mov     [buttons], al
        ret

; Called by the BIOS with four words: status, X, Y, 0.
from_bios:
        pushad
        push    ds
        mov     bp, sp
        xor     ax, ax
        mov     ds, ax
        mov     al, [bp + 34 + 4 + 6]
        mov     [packet], al
        mov     al, [bp + 34 + 4 + 4]
        mov     [packet + 1], al
        mov     al, [bp + 34 + 4 + 2]
        mov     [packet + 2], al
        mov     byte [packet + 3], 0
        call    count_packet
        pop     ds
        popad
        retf

; IRQ 12: packets of 4 bytes, the first of which has bit 3 set.
driver: pushad
        push    ds
        xor     ax, ax
        mov     ds, ax
        in      al, KBC_STATUS
        and     al, STATUS_FULL | STATUS_MOUSE
        cmp     al, STATUS_FULL | STATUS_MOUSE
        jne     .end
        in      al, KBC_DATA
        movzx   bx, byte [packet_length]
        test    bx, bx
        jnz     .store
        test    al, 8
        jz      .end
.store: mov     [packet + bx], al
        inc     bx
        and     bl, 3
        mov     [packet_length], bl
        jnz     .end
        call    count_packet
.end:   mov     al, EOI
        out     PIC2, al
        out     PIC1, al
        pop     ds
        popad
        iret

; -- Commands --------------------------------------------------------------------------------------------

; To the mouse, then what it answers behind the acknowledgement; ended by 0.
start_commands:
        db      0xff, 2, 0xaa, 0
        db      0xf3, 0, 200, 0, 0xf3, 0, 100, 0, 0xf3, 0, 80, 0
        db      0xf2, 1, 3                      ; now it is one with a wheel
        db      0xf4, 0, 0
stop_commands:
        db      0xf5, 0, 0

; Interrupts are off.
send_all:
        lodsb
        test    al, al
        jz      .end
        mov     ah, al
        call    wait_taken
        mov     al, 0xd4
        out     KBC_STATUS, al
        call    wait_taken
        mov     al, ah
        out     KBC_DATA, al
        call    read_mouse
        cmp     al, MOUSE_ACK
        jne     failed
        lodsb
        movzx   cx, al
        jcxz    send_all
.answer:
        call    read_mouse
        cmp     al, [si]
        jne     failed
        inc     si
        loop    .answer
        jmp     send_all
.end:   ret

wait_taken:
        in      al, KBC_STATUS
        test    al, STATUS_BUSY
        jnz     wait_taken
        ret

; AL = the mouse's next byte; the keyboard's are dropped.
read_mouse:
        in      al, KBC_STATUS
        test    al, STATUS_FULL
        jz      read_mouse
        mov     dl, al
        in      al, KBC_DATA
        test    dl, STATUS_MOUSE
        jz      read_mouse
        ret

        FLOPPY_END

        absolute 0xb000
name:   resw 1
packet_length: resb 1
packet: resb 4
        alignb  4
total_x: resd 1
total_y: resd 1
total_z: resd 1
buttons: resd 1
