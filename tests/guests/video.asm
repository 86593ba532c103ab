; SPDX-License-Identifier: MIT
;
; Video memory as programs use it, while somebody may be looking at the screen: text that scrolls,
; a chained 256-colour screen and a linear frame buffer, filled again and again and read back. It
; ends with a picture in the frame buffer: pixel n has the colour n * FACTOR + ROUNDS.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "video", 0

SCREEN            equ 0xb8000
WINDOW          equ 0xa0000
PDE_LARGE       equ 1 << 7
CR4_PSE         equ 1 << 4
ROW             equ 160
ROUNDS          equ 24
PIXELS          equ 1024 * 768
FACTOR          equ 0x9e3779b1
FRAME_SUM       equ 0x25da0000                  ; of n * FACTOR for all n
VGA_BAR0        equ 0x80001010                  ; function 0:2.0

section .bss
frame:  resd    1                               ; address of the frame buffer
row:    resd    1024

section .text
%macro SET 3                                    ; port, index, value
        mov     edx, %1
        mov     ax, %2 | %3 << 8
        out     dx, ax
%endmacro

%macro DISPI 2                                  ; register, value
        mov     edx, 0x1ce
        mov     ax, %1
        out     dx, ax
        inc     edx
        mov     ax, %2
        out     dx, ax
%endmacro

test_main:
        call    scroll
        call    chained
        call    linear
        jmp     test_end

; Line after line is written at the bottom, and everything moves up.
scroll:
        mov     ebx, 500
.line:  mov     edi, SCREEN + 24 * ROW
        mov     ecx, 80
        lea     eax, [ebx + 0x0700]
        and     eax, 0x07ff
        rep stosw
        mov     esi, SCREEN + ROW
        mov     edi, SCREEN
        mov     ecx, 24 * ROW / 4
        rep movsd
        dec     ebx
        jnz     .line
        movzx   eax, word [SCREEN + 23 * ROW]
        CHECK   "last line", eax, 0x0701
        movzx   eax, word [SCREEN + ROW - 2]
        CHECK   "first line", eax, 0x0718
        ret

; EAX = sum of the doublewords at ESI, ECX of them.
sum:    xor     eax, eax
.loop:  add     eax, [esi]
        add     esi, 4
        dec     ecx
        jnz     .loop
        ret

; Byte n is EBX + n, 64 KiB of them.
fill_window:
        mov     edi, WINDOW
        mov     eax, ebx
.loop:  mov     [edi], al
        inc     eax
        inc     edi
        cmp     edi, WINDOW + 0x10000
        jne     .loop
        ret

; EAX = sum of the window's bytes, which are each value equally often.
sum_window:
        xor     eax, eax
        mov     esi, WINDOW
.loop:  movzx   ecx, byte [esi]
        add     eax, ecx
        inc     esi
        cmp     esi, WINDOW + 0x10000
        jne     .loop
        ret

chained:
        SET     0x3c4, 4, 0x0e
        SET     0x3c4, 2, 0x0f
        SET     0x3ce, 5, 0x40
        SET     0x3ce, 6, 0x05
        mov     ebx, ROUNDS
.round: call    fill_window
        call    sum_window
        CHECK   "chained bytes", eax, 256 * 255 * 128
        dec     ebx
        jnz     .round
        SET     0x3c4, 4, 0x06                  ; each fourth byte is in plane 2
        SET     0x3ce, 4, 2
        SET     0x3ce, 5, 0
        TCG_DIFFERS                             ; it stores the planes as chained bytes
        movzx   eax, byte [WINDOW + 0x124]
        CHECK   "byte of a plane", eax, 0x27    ; pixel 126h, in the last round
        ret

; Pixel n of the frame buffer gets the colour n * FACTOR + EBX; in even rounds row by row from memory.
fill_frame:
        mov     edi, [frame]
        mov     eax, ebx
        mov     ecx, PIXELS
        test    bl, 1
        jz      copy_rows
.loop:  mov     [edi], eax
        add     edi, 4
        add     eax, FACTOR
        dec     ecx
        jnz     .loop
        ret

copy_rows:
        mov     edx, edi
        mov     esi, PIXELS / 1024
.row:   mov     edi, row
        mov     ecx, 1024
.loop:  mov     [edi], eax
        add     edi, 4
        add     eax, FACTOR
        dec     ecx
        jnz     .loop
        push    esi
        mov     esi, row
        mov     edi, edx
        mov     ecx, 1024
        rep movsd
        mov     edx, edi
        pop     esi
        dec     esi
        jnz     .row
        ret

linear:
        mov     edx, 0xcf8
        mov     eax, VGA_BAR0
        out     dx, eax
        mov     edx, 0xcfc
        in      eax, dx
        and     eax, ~15
        mov     [frame], eax
        mov     edx, eax
        shr     edx, 22
        or      eax, PTE_P | PTE_W | PDE_LARGE  ; 4 MiB
        mov     [page_directory + edx * 4], eax
        mov     eax, cr4
        or      eax, CR4_PSE
        mov     cr4, eax
        DISPI   1, 1024
        DISPI   2, 768
        DISPI   3, 32
        DISPI   4, 0x41
        xor     ebx, ebx
.round: inc     ebx
        call    fill_frame
        mov     esi, [frame]
        mov     ecx, PIXELS
        call    sum
        mov     ecx, eax
        mov     eax, ebx
        imul    eax, eax, PIXELS
        add     eax, FRAME_SUM
        CHECK   "pixels", ecx, eax
        cmp     ebx, ROUNDS
        jne     .round
        ret

IMAGE_END
