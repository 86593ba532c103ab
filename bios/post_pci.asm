; SPDX-License-Identifier: MIT
;
; The PCI bus: configuration cycles, and at start a place for each base address register (PCI Local
; Bus Specification 2.1, 6.2.5), interrupt lines, and the chipset's own registers.

PCI_IO_FIRST    equ 0xc000
PCI_IO_END      equ 0x10000
PCI_MEM_FIRST   equ 0xe0000000
PCI_MEM_END     equ 0xfec00000
ISA_BRIDGE      equ 0x80000800          ; PIIX3, 00:01.0
IDE_FUNCTION    equ 0x80000900          ; 00:01.1

; -- Configuration cycles --------------------------------------------------------------------------

; An address is 80000000h | bus << 16 | function << 8 | register.

; The register at address EAX, to EAX. Keeps all else.
pci_get:
        push    dx
        mov     dx, PCI_ADDRESS
        out     dx, eax
        mov     dl, PCI_DATA & 0xff
        in      eax, dx
        pop     dx
        ret

; EBX to the register at address EAX. Keeps all.
pci_put:
        push    dx
        push    eax
        mov     dx, PCI_ADDRESS
        out     dx, eax
        mov     dl, PCI_DATA & 0xff
        mov     eax, ebx
        out     dx, eax
        pop     eax
        pop     dx
        ret

; AL to the byte at address EBX. Keeps all.
pci_put_byte:
        push    dx
        push    ax
        push    eax
        mov     eax, ebx
        and     al, ~3
        mov     dx, PCI_ADDRESS
        out     dx, eax
        pop     eax
        mov     dl, bl
        and     dl, 3
        or      dl, PCI_DATA & 0xff
        out     dx, al
        pop     ax
        pop     dx
        ret

; Calls DI for each function of bus 0, with its address in EBX (register 0) and its vendor and
; device in EAX; DI may change all but EBX, DI, segments.
pci_each:
        mov     ebx, 0x80000000
.next:  mov     eax, ebx
        call    pci_get
        cmp     ax, 0xffff
        je      .absent
        call    di
        jmp     .more
.absent:
        test    bh, 7                   ; no function 0: there are no others
        jnz     .on
        jmp     .device
.more:  test    bh, 7
        jnz     .on
        mov     eax, ebx
        mov     al, 0x0c
        call    pci_get
        test    eax, 0x800000
        jnz     .on
.device:
        add     bh, 7
.on:    inc     bh
        jnz     .next
        ret

; -- At start --------------------------------------------------------------------------------------

        align   4, db 0
pci_io_next:
        dd      PCI_IO_FIRST
pci_mem_next:
        dd      PCI_MEM_FIRST
pci_vga:                                ; address of the display adapter's function, or 0
        dd      0
pci_routes:                             ; of PIRQA-D
        db      10, 10, 11, 11

pci_post:
        mov     eax, ISA_BRIDGE | 0x60
        mov     ebx, [cs:pci_routes]
        call    pci_put
        mov     dx, 0x4d0               ; lines 10 and 11 are level-triggered
        xor     al, al
        out     dx, al
        inc     dx
        mov     al, 0x0c
        out     dx, al
        mov     di, pci_place
        call    pci_each
        mov     eax, IDE_FUNCTION
        call    pci_get
        cmp     eax, 0x70108086
        jne     .no_ide
        mov     eax, IDE_FUNCTION | 0x40
        mov     ebx, 0x80008000         ; both channels are decoded
        call    pci_put
.no_ide:
        mov     eax, PM_FUNCTION | 0x90 ; SMBus base and enable: not used, left alone
        ret

; One function: its registers, its interrupt, then it answers.
pci_place:
        push    di
        mov     bl, 0x10
.bar:   call    pci_place_bar
        add     bl, 4
        cmp     bl, 0x28
        jb      .bar
        mov     bl, 0x08
        mov     eax, ebx
        call    pci_get
        shr     eax, 16
        mov     bl, 0
        cmp     ax, 0x0300
        jne     .not_vga
        cmp     dword [cs:pci_vga], 0
        jne     .not_vga
        mov     [cs:pci_vga], ebx
.not_vga:
        call    pci_place_irq
        mov     bl, 0x04
        mov     eax, ebx
        call    pci_get
        or      ax, 0x0103              ; ports and memory, SERR#
        push    ebx
        mov     ecx, eax
        movzx   ecx, cx                 ; the status half: nothing is cleared
        mov     eax, ebx
        mov     ebx, ecx
        call    pci_put
        pop     ebx
        mov     bl, 0
        pop     di
        ret

; The interrupt line for the pin, which the board swizzles by slot.
pci_place_irq:
        mov     bl, 0x3c
        mov     eax, ebx
        call    pci_get
        movzx   si, ah
        dec     si
        cmp     si, 4
        jae     .end
        mov     al, bh
        shr     al, 3
        dec     al
        cbw
        add     si, ax
        and     si, 3
        mov     al, [cs:pci_routes + si]
        cmp     ebx, PM_FUNCTION | 0x3c
        jne     .line
        mov     al, 9                   ; the SCI
.line:  call    pci_put_byte
.end:   mov     bl, 0
        ret

; The register at EBX: its size is found by writing ones; without room it stays zero. A 64-bit one
; has its upper half zero. Changes EAX, ECX, EDX, SI.
pci_place_bar:
        push    ebx
        mov     eax, ebx
        push    eax
        or      ebx, -1
        call    pci_put
        call    pci_get
        mov     ecx, eax
        pop     eax
        xor     ebx, ebx
        call    pci_put
        mov     edx, eax                ; the address
        jecxz   .end
        mov     si, pci_mem_next
        mov     eax, PCI_MEM_END - 1
        test    cl, 1
        jz      .memory
        mov     si, pci_io_next
        mov     eax, PCI_IO_END - 1
        or      ecx, 0xffff0000
        and     cl, ~3
        jmp     .size
.memory:
        and     cl, ~15
.size:  jecxz   .end
        mov     ebx, ecx
        neg     ebx                     ; ECX: mask, EBX: size
        push    eax
        mov     eax, [cs:si]
        add     eax, ebx
        dec     eax
        and     eax, ecx
        add     ebx, eax                ; EAX: place, EBX: end
        pop     ecx
        dec     ebx
        cmp     ebx, ecx
        ja      .end
        cmp     ebx, eax
        jb      .end
        inc     ebx
        mov     [cs:si], ebx
        mov     ebx, eax
        mov     eax, edx
        call    pci_put
.end:   pop     ebx
        ret
