; SPDX-License-Identifier: MIT
;
; VBE 3.0, 4F0Ah: what 32-bit programs call. It is copied, so it must work at any address.

; ES:DI = CX bytes that programs copy, and call in 32-bit code.
vbe_protected:
        test    bl, bl
        jnz     vbe_failed
        mov     [CALLER(es)], cs
        mov     word [CALLER(di)], protected
        mov     word [CALLER(cx)], protected_end - protected
        clc
        ret

        align   4
protected:
        dw      protected_window - protected
        dw      protected_start - protected
        dw      protected_palette - protected
        dw      protected_ports - protected
protected_ports:
        dw      DISPI, DISPI + 1, DAC_WRITE, DAC_DATA, 0xffff
        dw      0xffff                          ; no memory

        bits    32
; As vbe_window; only AX and DX change.
protected_window:
        mov     eax, DISPI_BANK
        push    edx
        mov     edx, DISPI
        out     dx, ax
        inc     edx
        pop     eax
        test    bh, bh
        jnz     .get
        out     dx, ax
        mov     ax, 0x004f
        ret
.get:   in      ax, dx
        mov     edx, eax
        mov     ax, 0x004f
        ret

; DX:CX = address of the upper left pixel, in doublewords; in bytes of a plane with 4 bits.
protected_start:
        pushad
        movzx   ecx, cx
        shl     edx, 16
        or      ecx, edx
        mov     al, DISPI_VIRT_WIDTH
        call    .read
        movzx   esi, ax
        mov     al, DISPI_BPP
        call    .read
        movzx   ebx, ax
        cmp     bl, 4
        je      .planes
        add     ebx, 7
        shr     ebx, 3                          ; bytes of a pixel
        shl     ecx, 2
        imul    esi, ebx
        jmp     .divide
.planes:
        shr     esi, 3
.divide:
        mov     eax, ecx
        xor     edx, edx
        div     esi
        mov     ecx, eax                        ; line
        mov     eax, edx
        cmp     bl, 4
        jne     .pixel
        shl     eax, 3
        jmp     .set
.pixel: xor     edx, edx
        div     ebx
.set:   mov     ebx, eax
        mov     al, DISPI_X_OFFSET
        call    .write
        mov     ebx, ecx
        mov     al, DISPI_Y_OFFSET
        call    .write
        popad
        mov     ax, 0x004f
        ret
.read:  movzx   eax, al
        mov     edx, DISPI
        out     dx, ax
        inc     edx
        in      ax, dx
        ret
.write: movzx   eax, al
        mov     edx, DISPI
        out     dx, ax
        inc     edx
        mov     eax, ebx
        out     dx, ax
        ret

; CX colours from DX on, at ES:EDI: as vbe_palette.
protected_palette:
        pushad
        movzx   ecx, cx
        jecxz   .end
        mov     al, dl
        mov     edx, DAC_WRITE
        out     dx, al
        inc     edx
.next:  mov     al, [es:edi + 2]
        out     dx, al
        mov     al, [es:edi + 1]
        out     dx, al
        mov     al, [es:edi]
        out     dx, al
        add     edi, 4
        loop    .next
.end:   popad
        mov     ax, 0x004f
        ret
protected_end:
        bits    16
