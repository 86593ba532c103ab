; SPDX-License-Identifier: MIT
;
; INT 1Ah AH=B1h: PCI BIOS 2.1, from real mode and, by the same text, from protected mode
; (bios32.asm). Configuration cycles by mechanism 1 on the one bus that there is.

PCI_OK          equ 0x00
PCI_UNSUPPORTED equ 0x81
PCI_BAD_VENDOR  equ 0x83
PCI_NOT_FOUND   equ 0x86
PCI_BAD_REGISTER equ 0x87
PCI_SMALL_BUFFER equ 0x89

; Function AL; registers as the specification has them. Uses no memory but the stack, so that the same
; text serves code of 16 and of 32 bits.
%macro  PCI_FUNCTIONS 0
        cmp     al, 0x01
        je      %%present
        cmp     al, 0x02
        je      %%find_device
        cmp     al, 0x03
        je      %%find_class
        cmp     al, 0x08
        jb      %%unsupported
        cmp     al, 0x0d
        ja      %%unsupported
        jmp     %%config
%%unsupported:
        mov     ah, PCI_UNSUPPORTED
        stc
        jmp     %%end

%%present:
        mov     edx, 'PCI '
        mov     ax, 0x0001              ; mechanism 1
        mov     bx, 0x0210
        mov     cl, 0                   ; the last bus
        clc
        jmp     %%end

; The SI-th function with device CX and vendor DX, or class ECX: to BX.
%%find_device:
        cmp     dx, 0xffff
        mov     ah, PCI_BAD_VENDOR
        stc
        je      %%end
        push    esi
        push    edi
        push    ecx
        push    edx
        shl     ecx, 16
        mov     cx, dx
        xor     edi, edi                ; register 0
        jmp     %%search
%%find_class:
        push    esi
        push    edi
        push    ecx
        push    edx
        shl     ecx, 8
        mov     edi, 8
%%search:
        mov     bx, 0
%%next: movzx   eax, bx
        shl     eax, 8
        or      eax, 0x80000000
        add     eax, edi
        mov     dx, PCI_ADDRESS
        out     dx, eax
        mov     dl, PCI_DATA & 0xff
        in      eax, dx
        cmp     eax, 0xffffffff
        je      %%other
        test    edi, edi
        jz      %%compare
        mov     al, 0                   ; the revision does not matter
%%compare:
        cmp     eax, ecx
        jne     %%other
        test    si, si
        jz      %%found
        dec     si
%%other:
        inc     bx
        cmp     bx, 0x100
        jb      %%next
        mov     ah, PCI_NOT_FOUND
        stc
        jmp     %%searched
%%found:
        mov     ah, PCI_OK
        clc
%%searched:
        pop     edx
        pop     ecx
        pop     edi
        pop     esi
        jmp     %%end

; 08h-0Ah read a byte, word, dword at register DI of function BX, 0Bh-0Dh write.
%%config:
        test    di, 0xff00
        jnz     %%bad_register
        push    edx
        push    eax
        mov     ah, 0                   ; alignment: words even, dwords by four
        cmp     al, 0x09
        je      %%word
        cmp     al, 0x0c
        je      %%word
        cmp     al, 0x0a
        je      %%dword
        cmp     al, 0x0d
        jne     %%aligned
%%dword:
        inc     ah
        inc     ah
%%word: inc     ah
%%aligned:
        mov     dx, di
        test    dl, ah
        pop     eax
        jnz     %%unaligned
        push    eax
        movzx   eax, bx
        shl     eax, 8
        or      eax, 0x80000000
        mov     dx, di
        mov     al, dl
        and     al, 0xfc
        mov     dx, PCI_ADDRESS
        out     dx, eax
        pop     eax
        mov     dx, di
        and     dx, 3
        or      dx, PCI_DATA
        cmp     al, 0x08
        je      %%read8
        cmp     al, 0x09
        je      %%read16
        cmp     al, 0x0a
        je      %%read32
        push    eax
        cmp     al, 0x0c
        mov     eax, ecx
        jb      %%write8
        je      %%write16
        out     dx, eax
        jmp     %%written
%%write16:
        out     dx, ax
        jmp     %%written
%%write8:
        out     dx, al
%%written:
        pop     eax
        jmp     %%done
%%read8:
        push    eax
        in      al, dx
        mov     cl, al
        pop     eax
        jmp     %%done
%%read16:
        push    eax
        in      ax, dx
        mov     cx, ax
        pop     eax
        jmp     %%done
%%read32:
        push    eax
        in      eax, dx
        mov     ecx, eax
        pop     eax
%%done: pop     edx
        mov     ah, PCI_OK
        clc
        jmp     %%end
%%unaligned:
        pop     edx
%%bad_register:
        mov     ah, PCI_BAD_REGISTER
        stc
%%end:
%endmacro

; From real mode, with the frame.
pci_service:
        mov     al, [bp + F_AL]
        and     al, 0x7f
        cmp     al, 0x0e
        je      .routes
        mov     ebx, [bp + F_EBX]
        mov     ecx, [bp + F_ECX]
        mov     edx, [bp + F_EDX]
        mov     esi, [bp + F_ESI]
        mov     edi, [bp + F_EDI]
        PCI_FUNCTIONS
        mov     [bp + F_EBX], bx
        mov     [bp + F_ECX], ecx
        mov     [bp + F_EDX], edx
        mov     [bp + F_AH], ah
        jc      .fail
        PASS_CALLER
        cmp     byte [bp + F_AL], 1
        jne     .end
        mov     [bp + F_AL], al
.end:   ret
.fail:  FAIL_CALLER
        ret

; 0Eh, from real mode only: the entries of $PIR to the buffer that ES:DI describes by its size and a far
; pointer. The size becomes what they need. BX = lines for PCI alone.
.routes:
        mov     ah, PCI_UNSUPPORTED
        mov     si, [cs:pir_at]
        test    si, si
        jz      .no_routes
        mov     es, [bp + F_ES]
        mov     di, [bp + F_EDI]
        mov     ax, PIR_ENTRIES
        xchg    ax, [es:di]
        cmp     ax, PIR_ENTRIES
        mov     ah, PCI_SMALL_BUFFER
        jb      .no_routes
        les     di, [es:di + 2]
        add     si, 32
        mov     cx, PIR_ENTRIES / 2
        cs rep  movsw
        mov     word [bp + F_EBX], PIR_OWN
        mov     byte [bp + F_AH], PCI_OK
        PASS_CALLER
        ret
.no_routes:
        mov     [bp + F_AH], ah
        jmp     .fail
