; SPDX-License-Identifier: MIT
;
; How often in SECONDS the screen can be scrolled and filled, in ways that DOS programs have of doing
; it: a floppy that a PC's own firmware starts. On the first serial port it prints "begin NAME" before
; and "end NAME COUNT" (hexadecimal) after each, and at the end "done".

BITS 16
ORG 0x7c00

SECTORS         equ 7                           ; after the first one, on the first track
TICKS           equ 0x46c                       ; the BIOS's count, 18.2 a second
SECONDS         equ 27                          ; of those: 1.5 s
COM1            equ 0x3f8
TEXT_SEGMENT    equ 0xb800
SCREEN_SEGMENT  equ 0xa000
PICTURE_SEGMENT equ 0x2000                      ; what is copied to the screen
STACK_TOP       equ 0x7000                      ; data and code are on pages of their own
DATA            equ 0x6000
ROW             equ 160                         ; bytes of a line of text
LINES           equ 24                          ; that move
SCREEN_BYTES    equ 320 * 200
PLANE_BYTES     equ SCREEN_BYTES / 4

start:
        jmp     0:.here
.here:  xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, STACK_TOP
        sti
        cld
        mov     ax, 0x0200 | SECTORS
        mov     bx, more
        mov     cx, 2
        xor     dh, dh                          ; DL is the drive that this comes from
        int     0x13
        jc      .here
        jmp     main

times 510 - ($ - $$) db 0
        dw      0xaa55

more:
; Each: set up, do once, name.
kernels:
        dw      text,   int10_scroll,   .1
        dw      text,   int10_lines,    .2
        dw      text,   rep_scroll,     .3
        dw      text,   loop_scroll,    .4
        dw      chain4, rep_dwords,     .5
        dw      chain4, rep_bytes,      .6
        dw      chain4, loop_bytes,     .7
        dw      chain4, change_bytes,   .8
        dw      mode_x, plane_dwords,   .9
        dw      mode_x, plane_loop,     .10
        dw      mode_x, latches,        .11
        dw      0
.1:     db      "text-scroll-int10", 0
.2:     db      "text-line-int10", 0
.3:     db      "text-scroll-rep", 0
.4:     db      "text-scroll-loop", 0
.5:     db      "13h-rep-dword", 0
.6:     db      "13h-rep-byte", 0
.7:     db      "13h-loop-byte", 0
.8:     db      "13h-change", 0
.9:     db      "x-rep-dword", 0
.10:    db      "x-loop-byte", 0
.11:    db      "x-latches", 0

main:
        call    make_picture
        mov     bp, kernels
.kernel:
        xor     ax, ax
        mov     ds, ax
        cmp     word [bp], 0
        je      .done
        call    [bp]
        mov     si, begin
        call    print
        mov     si, [bp + 4]
        call    print
        mov     al, 10
        call    put
        call    repeat
        mov     si, end
        call    print
        mov     si, [bp + 4]
        call    print
        mov     al, ' '
        call    put
        mov     eax, [count]
        call    print_hex
        mov     al, 10
        call    put
        add     bp, 6
        jmp     .kernel
.done:
        mov     si, done
        call    print
.halt:  hlt
        jmp     .halt

; Runs the kernel at BP again and again until the time is over.
repeat:
        mov     dword [count], 0
        mov     eax, [TICKS]
        add     eax, SECONDS
        mov     [deadline], eax
.again: push    bp
        call    [bp + 2]
        pop     bp
        xor     ax, ax
        mov     ds, ax
        inc     dword [count]
        mov     eax, [TICKS]
        cmp     eax, [deadline]
        jl      .again
        ret

; -- Screens -------------------------------------------------------------------------------------

text:
        mov     ax, 3
        int     0x10
        mov     ax, TEXT_SEGMENT
        mov     es, ax
        xor     di, di
        mov     cx, (LINES + 1) * ROW / 2
        mov     ax, 0x0721
.cell:  stosw
        inc     al
        and     al, 0x7f
        or      al, 0x20
        loop    .cell
        ret

chain4:
        mov     ax, 0x13
        int     0x10
        ret

; Mode 13h without its chain: four planes, a byte for a pixel of each.
mode_x:
        call    chain4
        mov     dx, 0x3c4
        mov     ax, 0x0604
        out     dx, ax
        mov     dx, 0x3d4
        mov     ax, 0x0014
        out     dx, ax
        mov     ax, 0xe317
        out     dx, ax
        ret

make_picture:
        mov     ax, PICTURE_SEGMENT
        mov     es, ax
        xor     di, di
        mov     cx, SCREEN_BYTES
.byte:  mov     ax, di
        add     al, ah
        stosb
        loop    .byte
        ret

; -- Text: up by a line --------------------------------------------------------------------------

int10_scroll:
        mov     ax, 0x0601
        mov     bh, 7
        xor     cx, cx
        mov     dx, LINES << 8 | 79
        int     0x10
        ret

; A line of 79 characters, each by a call of its own, below all others.
int10_lines:
        mov     si, 79
.char:  mov     ax, 0x0e2e
        mov     bx, 7
        int     0x10
        dec     si
        jnz     .char
        mov     ax, 0x0e0d
        int     0x10
        mov     ax, 0x0e0a
        int     0x10
        ret

to_text:
        mov     ax, TEXT_SEGMENT
        mov     ds, ax
        mov     es, ax
        mov     si, ROW
        xor     di, di
        mov     cx, LINES * ROW / 2
        ret

rep_scroll:
        call    to_text
        rep     movsw
        mov     ax, 0x0720
        mov     cx, ROW / 2
        rep     stosw
        ret

loop_scroll:
        call    to_text
.cell:  mov     ax, [si]
        mov     [di], ax
        add     si, 2
        add     di, 2
        dec     cx
        jnz     .cell
        mov     cx, ROW / 2
.blank: mov     word [di], 0x0720
        add     di, 2
        dec     cx
        jnz     .blank
        ret

; -- Mode 13h: all of the screen -----------------------------------------------------------------

to_screen:
        mov     ax, PICTURE_SEGMENT
        mov     ds, ax
        mov     ax, SCREEN_SEGMENT
        mov     es, ax
        xor     si, si
        xor     di, di
        ret

rep_dwords:
        call    to_screen
        mov     cx, SCREEN_BYTES / 4
        rep     movsd
        ret

rep_bytes:
        call    to_screen
        mov     cx, SCREEN_BYTES
        rep     movsb
        ret

loop_bytes:
        call    to_screen
        mov     cx, SCREEN_BYTES
.byte:  mov     al, [si]
        mov     [es:di], al
        inc     si
        inc     di
        dec     cx
        jnz     .byte
        ret

; What is there changes, as when a picture fades.
change_bytes:
        call    to_screen
        mov     cx, SCREEN_BYTES
.byte:  add     byte [es:di], 3
        inc     di
        dec     cx
        jnz     .byte
        ret

; -- Mode X: the same, a plane at a time ---------------------------------------------------------

; The planes of AH are written.
map_mask:
        mov     dx, 0x3c4
        mov     al, 2
        out     dx, ax
        ret

plane_dwords:
        call    to_screen
        mov     bl, 1
.plane: mov     ah, bl
        call    map_mask
        xor     di, di
        mov     cx, PLANE_BYTES / 4
        rep     movsd
        shl     bl, 1
        cmp     bl, 16
        jb      .plane
        ret

plane_loop:
        call    to_screen
        mov     bl, 1
.plane: mov     ah, bl
        call    map_mask
        xor     di, di
        mov     cx, PLANE_BYTES
.byte:  mov     al, [si]
        mov     [es:di], al
        inc     si
        inc     di
        dec     cx
        jnz     .byte
        shl     bl, 1
        cmp     bl, 16
        jb      .plane
        ret

; From a page behind the one that is seen, four pixels at a time.
latches:
        mov     ah, 15
        call    map_mask
        mov     dx, 0x3ce
        mov     ax, 0x4105                      ; write mode 1
        out     dx, ax
        call    to_screen
        mov     ax, SCREEN_SEGMENT
        mov     ds, ax
        mov     si, PLANE_BYTES
        mov     cx, PLANE_BYTES
        rep     movsb
        mov     ax, 0x4005
        out     dx, ax
        ret

; -- The serial port -----------------------------------------------------------------------------

; AL
put:
        push    ax
        push    dx
        mov     ah, al
        mov     dx, COM1 + 5
.full:  in      al, dx
        test    al, 0x20
        jz      .full
        mov     dx, COM1
        mov     al, ah
        out     dx, al
        pop     dx
        pop     ax
        ret

; The text at SI, up to its zero
print:
        lodsb
        test    al, al
        jz      .end
        call    put
        jmp     print
.end:   ret

; EAX
print_hex:
        mov     cx, 8
.digit: rol     eax, 4
        push    eax
        and     al, 15
        cmp     al, 10
        sbb     al, 0x69
        das
        call    put
        pop     eax
        loop    .digit
        ret

begin:  db      "begin ", 0
end:    db      "end ", 0
done:   db      "done", 10, 0

times 512 * (SECTORS + 1) - ($ - $$) db 0

absolute DATA
count:          resd 1
deadline:       resd 1
