; SPDX-License-Identifier: MIT
;
; ROMs of adapters: copied from their PCI function or from fw_cfg to C0000 and up, and started (PCI
; Local Bus Specification 2.1, 6.3; Plug and Play BIOS Specification 1.0A, 3). The display's is the
; first. ROMs from which a network can be booted are remembered.

ROM_STEP        equ 0x800
ROM_TEMP        equ 0xfe000000          ; where a ROM is seen while it is copied
BEV_MAX         equ 8

        align   4, db 0
rom_next:                               ; where the next one goes
        dd      ROMS_AT
rom_target:
        dw      0, 0                    ; far pointer to the entry that is called
bev_count:
        dw      0
bev_list:                               ; offset and segment of the entry; segment 0: none
        times   BEV_MAX dd 0
bev_names:                              ; offset and segment of the name
        times   BEV_MAX dd 0

; The display adapter's.
vga_rom_post:
        mov     ebx, [cs:pci_vga]
        test    ebx, ebx
        jz      .no_pci
        call    rom_of_function
.no_pci:
        mov     si, .prefix
        jmp     roms_of_files
.prefix:
        db      "vgaroms/", 0

; All others.
roms_post:
        mov     di, .function
        call    pci_each
        mov     si, .prefix
        jmp     roms_of_files
.prefix:
        db      "genroms/", 0
.function:
        cmp     ebx, [cs:pci_vga]
        je      .end
        push    di
        call    rom_of_function
        pop     di
.end:   ret

; Each file whose name begins with the text at CS:SI is a ROM.
roms_of_files:
        mov     bp, 1
.next:  push    bp
        call    fw_search
        jc      .end
        mov     edi, [cs:rom_next]
        mov     ecx, eax
        mov     eax, ROMS_END
        sub     eax, edi
        cmp     ecx, eax
        ja      .too_large
        push    si
        call    fw_read
        xor     ax, ax                  ; of no PCI function: network ROMs take any card then
        call    rom_start
        pop     si
.too_large:
        pop     bp
        inc     bp
        jmp     .next
.end:   pop     bp
        ret

; The function at EBX, if it has a ROM: keeps EBX.
rom_of_function:
        push    ebx
        mov     eax, ebx
        mov     al, 0x0c
        call    pci_get
        test    eax, 0x7f0000
        jnz     .end                    ; a bridge: no ROM at 30h
        mov     al, bl
        mov     bl, 0x30
        mov     eax, ebx
        mov     ebx, 0xfffff800
        call    pci_put
        push    eax
        call    pci_get
        mov     ecx, eax
        pop     eax
        and     ecx, 0xfffff800
        jz      .end
        mov     ebx, ROM_TEMP | 1
        call    pci_put
        push    eax
        neg     ecx                     ; size of the window
        call    rom_copy
        pop     eax
        xor     ebx, ebx
        pushf
        call    pci_put
        popf
        jc      .end
        pop     ebx
        push    ebx
        shr     ebx, 8
        mov     ax, bx                  ; bus, function
        call    rom_start
.end:   pop     ebx
        ret

; Copies the image for PCs out of the window of ECX bytes at ROM_TEMP to where the next ROM goes;
; CF if there is none or no room.
rom_copy:
        mov     esi, ROM_TEMP
        add     ecx, esi                ; the end
.image: mov     eax, ecx
        sub     eax, esi
        jbe     .none
        cmp     eax, 0x20
        jb      .none
        cmp     word [esi], 0xaa55
        jne     .none
        movzx   edx, byte [esi + 2]
        shl     edx, 9
        jz      .none
        movzx   ebx, word [esi + 0x18]
        lea     edi, [ebx + 0x18]
        cmp     edi, eax
        ja      .legacy
        add     ebx, esi
        cmp     dword [ebx], 'PCIR'
        jne     .legacy
        cmp     byte [ebx + 0x14], 0    ; code for PCs
        je      .found
        test    byte [ebx + 0x15], 0x80 ; the last one
        jnz     .none
        movzx   edx, word [ebx + 0x10]
        shl     edx, 9
        jz      .none
        add     esi, edx
        jmp     .image
.found: movzx   ebx, word [ebx + 0x10]  ; may be longer than what byte 2 says
        shl     ebx, 9
        cmp     ebx, edx
        jb      .legacy
        mov     edx, ebx
.legacy:
        cmp     edx, eax
        jbe     .size
        mov     edx, eax
.size:  mov     edi, [cs:rom_next]
        mov     eax, ROMS_END
        sub     eax, edi
        cmp     edx, eax
        ja      .none
        mov     ecx, edx
        add     ecx, 3
        shr     ecx, 2
        a32 rep movsd
        clc
        ret
.none:  stc
        ret

; Starts the ROM at rom_next, with AX the bus and function; keeps its place if its signature is
; right. What it leaves of itself stays. Returns with flat segments.
rom_start:
        mov     edi, [cs:rom_next]
        cmp     word [edi], 0xaa55
        jne     .none
        movzx   ecx, byte [edi + 2]
        shl     ecx, 9
        jz      .none
        push    ax
        mov     esi, edi
        xor     al, al
.sum:   add     al, [esi]
        inc     esi
        dec     ecx
        jnz     .sum
        test    al, al
        pop     ax
        jnz     .none
        mov     edx, edi
        shr     edx, 4
        mov     word [cs:rom_target], 3
        mov     [cs:rom_target + 2], dx
        push    edi
        or      bx, -1
        or      dx, -1
        push    BIOS_SEG
        pop     es
        mov     di, pnp_header
        sti
        call    far [cs:rom_target]
        cli
        cld
        call    flat
        pop     edi
        movzx   ecx, byte [edi + 2]
        shl     ecx, 9
        jz      .none
        lea     eax, [edi + ecx + ROM_STEP - 1]
        and     eax, ~(ROM_STEP - 1)
        mov     [cs:rom_next], eax
        jmp     rom_pnp
.none:  ret

; The ROM at EDI may have expansion headers: a connection vector is called at once, a bootstrap
; entry vector remembered.
rom_pnp:
        movzx   ebx, word [edi + 0x1a]
        mov     bp, 16                  ; headers at most
.header:
        test    ebx, ebx
        jz      .end
        cmp     bx, 0xffe0
        ja      .end
        add     ebx, edi
        cmp     dword [ebx], '$PnP'
        jne     .end
        mov     edx, edi
        shr     edx, 4
        mov     ax, [ebx + 0x16]
        test    ax, ax
        jz      .no_bcv
        pushad
        mov     [cs:rom_target], ax
        mov     [cs:rom_target + 2], dx
        or      ax, -1
        mov     bx, ax
        mov     dx, ax
        push    BIOS_SEG
        pop     es
        mov     di, pnp_header
        sti
        call    far [cs:rom_target]
        cli
        cld
        call    flat
        popad
.no_bcv:
        mov     ax, [ebx + 0x1a]
        test    ax, ax
        jz      .next
        mov     si, [cs:bev_count]
        cmp     si, BEV_MAX
        jae     .next
        inc     word [cs:bev_count]
        shl     si, 2
        mov     [cs:bev_list + si], ax
        mov     [cs:bev_list + si + 2], dx
        mov     ax, [ebx + 0x10]
        mov     [cs:bev_names + si], ax
        mov     [cs:bev_names + si + 2], dx
.next:  movzx   ebx, word [ebx + 6]
        dec     bp
        jnz     .header
.end:   ret
