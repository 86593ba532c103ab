; SPDX-License-Identifier: MIT
;
; Pictures, for tests that compare them: the last word of the command line is a mode, in hexadecimal.
; A mode of the VGA shows all characters, scrolled windows, and pixels in graphics, all drawn by INT 10h;
; 1000h is added for 350 lines of text, 2000h for 200, 3000h for characters of 8 lines. A VBE mode shows in
; pixel x, y of its linear frame buffer the colour with x, y and x ^ y as red, green and blue, or x ^ y
; itself in 256 colours, whose colour n has 7n, 255 - n, n.

%include "lib/image.asm"
%include "lib/test.asm"
%include "lib/real.asm"
%include "lib/int10.asm"

section .strings
NAME:   db      "screens", 0

INFO            equ 0x20000                     ; of the VBE mode
INFO_PITCH      equ 16
INFO_WIDTH      equ 18
INFO_HEIGHT     equ 20
INFO_BPP        equ 25
INFO_ADDRESS    equ 40
COLORS          equ 0x21000

section .text
test_main:
        mov     esi, [ebx + MULTIBOOT_CMDLINE]
        call    last_number
        mov     [ARGUMENTS], eax
        call    video_start
        test    word [ARGUMENTS], 0x100
        jnz     .vbe
        RUN_REAL draw_vga, draw_vga_end
        jmp     test_end
.vbe:   mov     edi, COLORS                     ; blue, green, red, 0
        xor     ecx, ecx
.color: mov     [edi], cl
        mov     al, cl
        not     al
        mov     [edi + 1], al
        imul    eax, ecx, 7
        mov     ah, 0
        mov     [edi + 2], ax
        add     edi, 4
        inc     cl
        jnz     .color
        RUN_REAL set_vbe, set_vbe_end
        CHECK   "4F01h to 4F09h", [ARGUMENTS + 4], 0
        call    draw_vbe
        jmp     test_end

; ESI = words: EAX = what the last one is in hexadecimal.
last_number:
        xor     eax, eax
.next:  movzx   edx, byte [esi]
        inc     esi
        test    edx, edx
        jz      .end
        cmp     edx, ' '
        je      last_number
        sub     edx, '0'
        cmp     edx, 9
        jbe     .digit
        sub     edx, 'a' - '0' - 10
.digit: shl     eax, 4
        or      eax, edx
        jmp     .next
.end:   ret

draw_vbe:
        xor     ebx, ebx                        ; BX = y
.line:  movzx   edi, word [INFO + INFO_PITCH]
        imul    edi, ebx
        add     edi, [INFO + INFO_ADDRESS]
        xor     ecx, ecx                        ; CX = x
.pixel: movzx   eax, cl
        shl     eax, 8
        mov     al, bl
        shl     eax, 8
        mov     al, cl
        xor     al, bl
        call    put_pixel
        inc     ecx
        cmp     cx, [INFO + INFO_WIDTH]
        jb      .pixel
        inc     ebx
        cmp     bx, [INFO + INFO_HEIGHT]
        jb      .line
        ret

; EAX = 00RRGGBB, to EDI, which moves on.
put_pixel:
        cmp     byte [INFO + INFO_BPP], 24
        ja      .dword
        je      .triple
        cmp     byte [INFO + INFO_BPP], 15
        ja      .word
        je      .fifteen
        stosb
        ret
.dword: stosd
        ret
.triple:
        stosw
        shr     eax, 16
        stosb
        ret
.word:  shr     al, 3
        shr     ah, 2
        mov     edx, eax
        movzx   esi, dh
        shl     esi, 5
        movzx   edx, dl
        or      edx, esi
        shr     eax, 16 + 3
        shl     eax, 11
        or      eax, edx
        stosw
        ret
.fifteen:
        shr     al, 3
        shr     ah, 3
        mov     edx, eax
        movzx   esi, dh
        shl     esi, 5
        movzx   edx, dl
        or      edx, esi
        shr     eax, 16 + 3
        shl     eax, 10
        or      eax, edx
        stosw
        ret

; -- Real mode ------------------------------------------------------------------------------------------

        bits    16
; Writes what was refused to ARGUMENTS + 4.
set_vbe:
        mov     sp, STACK
        mov     dword [ARGUMENTS + 4], 1
        push    word INFO >> 4
        pop     es
        xor     di, di
        mov     ax, 0x4f01
        mov     cx, [ARGUMENTS]
        int     0x10
        cmp     ax, 0x4f
        jne     .end
        mov     ax, 0x4f02
        mov     bx, [ARGUMENTS]
        or      bh, 0x40
        int     0x10
        cmp     ax, 0x4f
        jne     .end
        cmp     byte [es:INFO_BPP], 8
        jne     .done
        mov     ax, 0x4f08
        mov     bx, 0x0800
        int     0x10
        cmp     bh, 8
        jne     .end
        push    word COLORS >> 4
        pop     es
        xor     di, di
        xor     dx, dx
        mov     cx, 256
        xor     bl, bl
        mov     ax, 0x4f09
        int     0x10
        cmp     ax, 0x4f
        jne     .end
.done:  mov     dword [ARGUMENTS + 4], 0
.end:   jmp     0:REAL_BACK
set_vbe_end:

; AX, BX, CX, DX for a call.
%macro INT10 1-4 bx, cx, dx
    %ifnidn %2, bx
        mov     bx, %2
    %endif
    %ifnidn %3, cx
        mov     cx, %3
    %endif
    %ifnidn %4, dx
        mov     dx, %4
    %endif
        mov     ax, %1
        int     0x10
%endmacro

; Position-dependent at REAL_CODE: addresses of data are taken from there.
%define AT(label) (REAL_CODE + label - draw_vga)
draw_vga:
        mov     sp, STACK
        mov     al, [ARGUMENTS + 1]
        shr     al, 4
        cmp     al, 1
        je      .lines                          ; 1201h: 350
        cmp     al, 2
        jne     .mode
        mov     al, 0
.lines: mov     ah, 0x12
        mov     bx, 0x30
        int     0x10
.mode:  movzx   ax, byte [ARGUMENTS]
        int     0x10
        cmp     byte [ARGUMENTS + 1], 0x30
        jne     .start
        INT10   0x1112, 0
.start: INT10   0x0100, bx, 0x2000              ; nothing blinks
        INT10   0x1003, 0
        xor     si, si
.char:  mov     ax, si                          ; 32 in a row, in all colours
        shr     ax, 5
        mov     dh, al
        inc     dh
        mov     ax, si
        and     al, 31
        mov     dl, al
        add     dl, 4
        INT10   0x0200, 0
        mov     ax, si
        mov     ah, 9
        mov     bx, si
        and     bx, 0x7f
        mov     cx, 1
        int     0x10
        inc     si
        cmp     si, 256
        jb      .char
        push    ds
        pop     es
        mov     bp, AT(.text)
        INT10   0x1301, 0x001a, .text_end - .text, 0x0a02
        INT10   0x0600, 0x2500, 0x0d03, 0x0f14
        INT10   0x0602, 0x3100, 0x0206, 0x0814
        INT10   0x0701, 0x1300, 0x0310, 0x0922
        mov     al, [ARGUMENTS]
        cmp     al, 4
        jb      .end
        cmp     al, 7
        je      .end
        xor     si, si
.pixel: mov     cx, si
        mov     dx, si
        shr     dx, 4
        add     dx, 130
        mov     ax, si
        shr     ax, 3
        and     ax, 0x7f
        mov     ah, 0x0c
        mov     bx, 0
        int     0x10
        inc     si
        cmp     si, 320
        jb      .pixel
        INT10   0x0200, 0, cx, 0x0e02
        INT10   0x09fe, 0x0083, 4               ; XORed, but in 256 colours
.end:   INT10   0x0f00
        mov     dl, ah
        sub     dl, 2
        mov     dh, 24
        INT10   0x0200, 0
        mov     si, AT(.last)
.tty:   lodsb
        test    al, al
        jz      .back
        mov     ah, 0x0e
        mov     bx, 5
        int     0x10
        jmp     .tty
.back:  jmp     0:REAL_BACK
.text:  db      "INT 10h", 13, 10, "VGA BIOS"
.text_end:
.last:  db      "abc", 8, "d", 13, 10, "e", 0
draw_vga_end:
        bits    32

IMAGE_END
