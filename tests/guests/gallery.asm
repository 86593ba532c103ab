; SPDX-License-Identifier: MIT
;
; Pictures in VBE's modes, to look at and to compare: the image of a floppy of 1.44 MB that boots, and
; shows the next picture at each key. tests/boot/gallery.py computes what must be seen.
;
;   1. 1024x768, 32 bits a pixel, drawn into the linear frame buffer
;   2. 640x480, 256 colours, there too; the palette, of 8 bits each, is set by function 4F09h
;   3. the same with another palette
;   4. 800x600, 16 bits a pixel, drawn through the window at A0000h
;
; It runs in real mode; the frame buffer is reached by FS, whose limit is 4 GiB.

%include "lib/floppy.asm"

VBE_INFO        equ 0xb000                      ; what function 4F00h fills in
VBE_LIST        equ 14
MODE            equ 0xb200                      ; and 4F01h
MODE_GRANULE    equ 4                           ; KiB
MODE_PITCH      equ 16
MODE_WIDTH      equ 18
MODE_HEIGHT     equ 20
MODE_BITS       equ 25
MODE_ADDRESS    equ 40
PALETTE         equ 0xb400
FONT            equ 0xc000
CHAR_LINES      equ 16
WINDOW          equ 0xa000                      ; segment
LINEAR          equ 0x4000                      ; in the number of a mode
USABLE          equ 0x91                        ; mode attributes: there, graphics, linear

RINGS           equ 6                           ; distances in 640x480 are divided by 2 to the power of it
LINES           equ 16                          ; of a corner
WHITE           equ 0xffffff

; -- Order -----------------------------------------------------------------------------------------------

main:   mov     ax, 0x2401                      ; A20 on
        int     0x15
        call    load_flat
        mov     ax, 0x1130                      ; ES:BP = the font of 16 lines
        mov     bh, 6
        int     0x10
        push    es
        pop     gs
        push    ds
        pop     es
        xor     bx, bx
.copy:  mov     al, [gs:bp]
        mov     [FONT + bx], al
        inc     bp
        inc     bx
        cmp     bx, 256 * CHAR_LINES
        jb      .copy
.first: mov     bp, pictures
.next:  push    bp
        call    [bp]
        xor     ah, ah                          ; wait for a key
        int     0x16
        pop     bp
        add     bp, 2
        cmp     bp, pictures.end
        jb      .next
        jmp     .first

pictures:
        dw      show_direct, show_colors, turn_colors, show_window, show_text
.end:

; FS gets a limit of 4 GiB, which stays in real mode.
load_flat:
        cli
        lgdt    [.gdt_pointer]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        mov     bx, 8
        mov     fs, bx
        and     al, ~1
        mov     cr0, eax
        xor     bx, bx
        mov     fs, bx
        sti
        ret
        align   8, db 0
.gdt:   dq      0
        dw      0xffff, 0, 0x9200, 0x00cf
.gdt_pointer:
        dw      15
        dd      .gdt

; -- Pictures --------------------------------------------------------------------------------------------

show_direct:
        mov     dword [ink], WHITE
        mov     word [shade], shade_direct
        mov     word [store], store_32
        mov     eax, 1024 | 768 << 16
        mov     bl, 32
        mov     dx, LINEAR
        jmp     show

show_colors:
        mov     dword [ink], 255
        mov     word [shade], shade_rings
        mov     word [store], store_8
        mov     eax, 640 | 480 << 16
        mov     bl, 8
        mov     dx, LINEAR
        call    set_mode
        mov     ax, 0x4f08
        mov     bx, 0x0800
        int     0x10
        xor     ax, ax
        call    set_palette
        jmp     draw

turn_colors:
        mov     ax, 100
        jmp     set_palette

show_window:
        mov     dword [ink], WHITE
        mov     word [shade], shade_direct
        mov     word [store], store_16
        mov     eax, 800 | 600 << 16
        mov     bl, 16
        xor     dx, dx
show:   call    set_mode
        jmp     draw

show_text:
        mov     ax, 3
        int     0x10
        mov     si, .text
        jmp     print
.text:  db      "That was all.", 13, 10, 0

; EAX = width and height, BL = bits, DX = flags: the mode is set and known.
set_mode:
        mov     [wanted], eax
        mov     [wanted_bits], bl
        mov     [mode], dx
        mov     di, VBE_INFO
        mov     dword [di], "VBE2"
        mov     ax, 0x4f00
        int     0x10
        cmp     ax, 0x4f
        jne     .none
        mov     bp, [VBE_INFO + VBE_LIST]
        mov     gs, [VBE_INFO + VBE_LIST + 2]
.next:  mov     cx, [gs:bp]
        add     bp, 2
        cmp     cx, -1
        je      .none
        mov     di, MODE
        mov     ax, 0x4f01
        int     0x10
        cmp     ax, 0x4f
        jne     .next
        mov     al, [MODE]
        and     al, USABLE
        cmp     al, USABLE
        jne     .next
        mov     eax, [MODE + MODE_WIDTH]
        cmp     eax, [wanted]
        jne     .next
        mov     al, [MODE + MODE_BITS]
        cmp     al, [wanted_bits]
        jne     .next
        mov     bx, cx
        or      bx, [mode]
        mov     ax, 0x4f02
        int     0x10
        cmp     ax, 0x4f
        jne     .none
        movzx   eax, word [MODE + MODE_WIDTH]
        mov     [width], eax
        movzx   eax, word [MODE + MODE_HEIGHT]
        mov     [height], eax
        movzx   eax, word [MODE + MODE_PITCH]
        mov     [pitch], eax
        movzx   eax, byte [MODE + MODE_BITS]
        shr     eax, 3
        mov     [pixel], eax
        mov     eax, [MODE + MODE_ADDRESS]
        mov     [address], eax
        mov     ax, 64
        xor     dx, dx
        div     word [MODE + MODE_GRANULE]
        mov     [granules], ax
        mov     word [window], -1
        ret
.none:  mov     ax, 3
        int     0x10
        mov     si, .text
        call    print
        jmp     $
.text:  db      "There is no such VBE mode.", 13, 10, 0

; Colour n of 256 gets what rises and falls from n + AX on in blue, and a third further in green and red;
; the last one is white. Eight bits each.
set_palette:
        mov     di, PALETTE
        mov     cx, 255
.color: mov     dx, ax
        call    .wave
        mov     [di], bl
        add     dx, 85
        call    .wave
        mov     [di + 1], bl
        add     dx, 85
        call    .wave
        mov     [di + 2], bl
        mov     byte [di + 3], 0
        add     di, 4
        inc     ax
        loop    .color
        mov     dword [di], WHITE
        mov     ax, 0x4f09
        xor     bx, bx
        mov     cx, 256
        xor     dx, dx
        mov     di, PALETTE
        int     0x10
        ret
.wave:  mov     bl, dl
        test    bl, 0x80
        jz      .up
        not     bl
.up:    shl     bl, 1
        ret

; All of a picture: the ground, a frame, lines in two corners, and texts.
draw:   xor     edx, edx
.line:  xor     ecx, ecx
.pixel: call    [shade]
        call    plot
        inc     ecx
        cmp     ecx, [width]
        jb      .pixel
        inc     edx
        cmp     edx, [height]
        jb      .line
        call    draw_frame
        call    draw_corners
        jmp     draw_texts

draw_frame:
        mov     eax, [ink]
        xor     edx, edx
        call    .row
        mov     edx, [height]
        dec     edx
        call    .row
        xor     ecx, ecx
        call    .column
        mov     ecx, [width]
        dec     ecx
.column:
        xor     edx, edx
.down:  call    plot
        inc     edx
        cmp     edx, [height]
        jb      .down
        ret
.row:   xor     ecx, ecx
.right: call    plot
        inc     ecx
        cmp     ecx, [width]
        jb      .right
        ret

; Lines whose ends wander along both edges of a corner, half the height far.
draw_corners:
        mov     word [count], 0
.next:  mov     eax, [height]                   ; EAX = the step's distance from the corner
        shr     eax, 1
        mov     ebx, eax
        movzx   ecx, word [count]
        mul     ecx
        mov     ecx, LINES
        div     ecx
        sub     ebx, eax                        ; EBX = that of the other end
        mov     esi, eax
        xor     ecx, ecx                        ; bottom, left
        mov     edx, [height]
        dec     edx
        mov     [to_x], esi
        mov     [to_y], edx
        sub     edx, ebx
        call    line
        mov     ecx, [width]                    ; top, right
        dec     ecx
        xor     edx, edx
        mov     [to_x], ecx
        sub     [to_x], esi
        mov     [to_y], edx
        mov     edx, ebx
        call    line
        inc     word [count]
        cmp     word [count], LINES
        jbe     .next
        ret

; From ECX, EDX to to_x, to_y, by Bresenham. Keeps EBX and ESI.
line:   push    ebx
        push    esi
        mov     dword [step_x], 1
        mov     eax, [to_x]
        sub     eax, ecx
        jns     .right
        neg     eax
        neg     dword [step_x]
.right: mov     [far_x], eax
        mov     dword [step_y], 1
        mov     ebx, [to_y]
        sub     ebx, edx
        jns     .down
        neg     ebx
        neg     dword [step_y]
.down:  neg     ebx
        mov     [far_y], ebx
        add     ebx, eax                        ; EBX = how far the pixel is from the line
.next:  mov     eax, [ink]
        call    plot
        cmp     ecx, [to_x]
        jne     .on
        cmp     edx, [to_y]
        je      .end
.on:    lea     esi, [ebx + ebx]
        cmp     esi, [far_y]
        jl      .same_x
        add     ebx, [far_y]
        add     ecx, [step_x]
.same_x:
        cmp     esi, [far_x]
        jg      .next
        add     ebx, [far_x]
        add     edx, [step_y]
        jmp     .next
.end:   pop     esi
        pop     ebx
        ret

; The title, the mode, and all characters but 0.
draw_texts:
        mov     eax, [height]
        mov     edx, eax
        shr     edx, 4
        shr     eax, 7
        mov     [scale], eax
        mov     ecx, [width]
        shr     ecx, 4
        push    ecx
        mov     si, .title
        call    text
        pop     ecx
        imul    eax, [scale], CHAR_LINES + 2
        add     edx, eax
        shr     dword [scale], 1
        push    edx
        call    write_mode
        pop     edx
        mov     si, mode_text
        call    text
        mov     dword [scale], 1
        mov     edx, [height]
        sub     edx, 5 * CHAR_LINES
        mov     bx, 1
.row:   mov     ecx, [width]
        sub     ecx, 65 * 8
.char:  mov     al, bl
        call    char
        inc     bx
        test    bl, 63
        jnz     .char
        add     edx, CHAR_LINES
        cmp     bx, 256
        jb      .row
        ret
.title: db      "Calque", 0

; "1024x768x32" to mode_text.
write_mode:
        mov     di, mode_text
        mov     eax, [width]
        call    .decimal
        mov     al, 'x'
        stosb
        mov     eax, [height]
        call    .decimal
        mov     al, 'x'
        stosb
        mov     eax, [pixel]
        shl     eax, 3
        call    .decimal
        mov     al, 0
        stosb
        ret
.decimal:
        push    ecx
        xor     edx, edx
        mov     ebx, 10
        div     ebx
        push    dx
        test    eax, eax
        jz      .last
        call    .decimal
.last:  pop     ax
        add     al, '0'
        stosb
        pop     ecx
        ret

; The text at SI from ECX, EDX on; ECX moves on.
text:   lodsb
        test    al, al
        jz      .end
        call    char
        jmp     text
.end:   ret

; Character AL; what is not set of its dots stays as it is. ECX moves on; all else is kept.
char:   pushad
        movzx   si, al
        shl     si, 4
        add     si, FONT
        mov     bp, CHAR_LINES
.row:   mov     bl, [si]
        inc     si
        push    ecx
        mov     bh, 8
.dot:   shl     bl, 1
        jnc     .next
        call    block
.next:  add     ecx, [scale]
        dec     bh
        jnz     .dot
        pop     ecx
        add     edx, [scale]
        dec     bp
        jnz     .row
        popad
        push    eax
        mov     eax, [scale]
        lea     ecx, [ecx + eax * 8]
        pop     eax
        ret

; A square as wide as `scale`.
block:  pushad
        mov     eax, [ink]
        mov     ebx, [scale]
        lea     esi, [ecx + ebx]
        lea     edi, [edx + ebx]
.row:   push    ecx
.dot:   call    plot
        inc     ecx
        cmp     ecx, esi
        jb      .dot
        pop     ecx
        inc     edx
        cmp     edx, edi
        jb      .row
        popad
        ret

; -- Pixels ----------------------------------------------------------------------------------------------

; EAX = colour of pixel ECX, EDX. Slopes of red, green and blue, and discs in light of each, which adds.
shade_direct:
        push    edx
        push    ecx
        xor     ebp, ebp                        ; the light
        mov     si, .discs
.disc:  mov     eax, [height]                   ; EDI = an eighth of the height
        shr     eax, 3
        mov     edi, eax
        movsx   ebx, byte [si]
        imul    ebx, edi
        mov     eax, [width]
        shr     eax, 1
        add     ebx, eax
        sub     ebx, [esp]
        imul    ebx, ebx
        movsx   eax, byte [si + 1]
        imul    eax, edi
        mov     edx, [height]
        shr     edx, 1
        add     eax, edx
        sub     eax, [esp + 4]
        imul    eax, eax
        add     ebx, eax
        lea     edi, [edi + edi]
        imul    edi, edi
        cmp     ebx, edi
        jae     .out
        or      ebp, [si + 2]
.out:   add     si, 6
        cmp     si, .discs_end
        jb      .disc
        mov     eax, ebp
        test    eax, eax
        jnz     .end
        mov     eax, [esp]                      ; red rises to the right, blue falls
        shl     eax, 8
        xor     edx, edx
        div     dword [width]
        mov     ebx, eax
        shl     ebx, 16
        mov     bl, al
        not     bl
        mov     eax, [esp + 4]                  ; green rises downwards
        shl     eax, 8
        xor     edx, edx
        div     dword [height]
        mov     bh, al
        mov     eax, ebx
.end:   pop     ecx
        pop     edx
        ret
.discs: db      0, -1                           ; centre, in eighths of the height from the middle
        dd      0xff0000
        db      -1, 1
        dd      0x00ff00
        db      1, 1
        dd      0x0000ff
.discs_end:

; The square of the distance from the middle.
shade_rings:
        mov     eax, [width]
        shr     eax, 1
        sub     eax, ecx
        imul    eax, eax
        mov     ebx, [height]
        shr     ebx, 1
        sub     ebx, edx
        imul    ebx, ebx
        add     eax, ebx
        shr     eax, RINGS
        movzx   eax, al
        ret

; EAX = colour, to pixel ECX, EDX. Keeps all registers.
plot:   pushad
        mov     edi, edx
        imul    edi, [pitch]
        imul    ecx, [pixel]
        add     edi, ecx
        call    [store]
        popad
        ret

; EDI = offset in the picture.
store_32:
        add     edi, [address]
        mov     [fs:edi], eax
        ret

store_8:
        add     edi, [address]
        mov     [fs:edi], al
        ret

store_16:
        mov     edx, edi                        ; DX = which 64 KiB are in the window
        shr     edx, 16
        cmp     dx, [window]
        je      .there
        mov     [window], dx
        imul    dx, [granules]
        push    eax
        mov     ax, 0x4f05
        xor     bx, bx
        int     0x10
        pop     eax
.there: mov     ebx, eax                        ; 8, 8, 8 bits become 5, 6, 5
        shr     ebx, 8
        and     ebx, 0xf800
        mov     edx, eax
        shr     edx, 5
        and     edx, 0x07e0
        or      ebx, edx
        movzx   eax, al
        shr     eax, 3
        or      eax, ebx
        push    es
        push    word WINDOW
        pop     es
        mov     [es:di], ax
        pop     es
        ret

        FLOPPY_END

        absolute 0xe000
wanted: resd 1
wanted_bits: resb 1
        alignb  4
mode:   resw 1
shade:  resw 1                                  ; the routine for a pixel's colour
store:  resw 1                                  ; and the one that writes it
granules: resw 1                                ; in 64 KiB
window: resw 1                                  ; what it shows, in 64 KiB
count:  resw 1
width:  resd 1
height: resd 1
pitch:  resd 1
pixel:  resd 1                                  ; bytes
address: resd 1
ink:    resd 1
scale:  resd 1
to_x:   resd 1
to_y:   resd 1
step_x: resd 1
step_y: resd 1
far_x:  resd 1
far_y:  resd 1                                  ; negative
mode_text: resb 16
