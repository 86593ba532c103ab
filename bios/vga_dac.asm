; SPDX-License-Identifier: MIT
;
; The DAC's default colours: a function for each DAC_*, BL = register, EAX = 00RRGGBB in 6 bits each.
; These use BH, CX, DX, SI, DI.

DAC_MONO        equ 0
DAC_CGA         equ 1                           ; bits 0-2 and 4: blue, green, red, intensity
DAC_EGA         equ 2                           ; bits 0-2, and 3-5 for a third of it
DAC_256         equ 3

color_makers:
        dw      mono_color, cga_color, ega_color, byte_color

mono_color:
        xor     eax, eax
        cmp     bl, 0x40
        jae     .end
        test    bl, 0x08
        jz      .end
        mov     eax, 0x2a2a2a
        test    bl, 0x10
        jz      .end
        mov     eax, 0x3f3f3f
.end:   ret

cga_color:
        xor     eax, eax
        cmp     bl, 0x40
        jae     .end
        mov     dl, bl                          ; its bits 0-2 are the EGA's, and 4 is all of 3-5
        and     dl, 7
        test    bl, 0x10
        jz      .dark
        or      dl, 0x38
.dark:  cmp     dl, 6
        jne     mix
        mov     dl, 0x14                        ; brown
        jmp     mix
.end:   ret

ega_color:
        xor     eax, eax
        cmp     bl, 0x40
        jae     mix.end
        mov     dl, bl
; DL = colour as the EGA has it.
mix:    xor     eax, eax
        mov     cx, 3
.part:  shl     eax, 8
        test    dl, 4
        jz      .third
        mov     al, 0x2a
.third: test    dl, 0x20
        jz      .next
        add     al, 0x15
.next:  add     dl, dl
        loop    .part
.end:   ret

; 16 as the CGA's, 16 greys, and nine rounds of 24 hues: three intensities, three saturations each.
byte_color:
        cmp     bl, 0x20
        jae     .hue
        movzx   si, bl
        movzx   eax, byte [cs:si + greys - 0x10]
        imul    eax, eax, 0x10101
        test    bl, 0x10
        jnz     mix.end
        mov     dl, bl
        and     dl, 7
        test    bl, 8
        jz      cga_color.dark
        or      dl, 0x38
        jmp     mix
.hue:   xor     eax, eax
        cmp     bl, 0x20 + 9 * 24
        jae     mix.end
        movzx   ax, bl
        sub     al, 0x20
        mov     cl, 24
        div     cl                              ; AL = round, AH = hue
        mov     dl, ah
        xor     ah, ah
        imul    si, ax, 5
        add     si, levels
        xor     eax, eax
        mov     cx, 3
.part:  shl     eax, 8
        call    hue_step
        movzx   di, dh
        add     di, si
        mov     al, [cs:di]
        add     dl, 16                          ; green is a third of the round behind red
        cmp     dl, 24
        jb      .next
        sub     dl, 24
.next:  loop    .part
        ret

; DL = hue: DH = 0-4, how much of red it has.
hue_step:
        mov     dh, dl
        cmp     dl, 4
        jb      .end
        mov     dh, 4
        cmp     dl, 12
        jbe     .end
        mov     dh, 16
        sub     dh, dl
        ja      .end
        mov     dh, 0
.end:   ret

greys:  db      0x00, 0x05, 0x08, 0x0b, 0x0e, 0x11, 0x14, 0x18
        db      0x1c, 0x20, 0x24, 0x28, 0x2d, 0x32, 0x38, 0x3f
levels: db      0x00, 0x10, 0x1f, 0x2f, 0x3f, 0x1f, 0x27, 0x2f, 0x37, 0x3f
        db      0x2d, 0x31, 0x36, 0x3a, 0x3f, 0x00, 0x07, 0x0e, 0x15, 0x1c
        db      0x0e, 0x11, 0x15, 0x18, 0x1c, 0x14, 0x16, 0x18, 0x1a, 0x1c
        db      0x00, 0x04, 0x08, 0x0c, 0x10, 0x08, 0x0a, 0x0c, 0x0e, 0x10
        db      0x0b, 0x0c, 0x0d, 0x0f, 0x10
