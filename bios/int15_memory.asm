; SPDX-License-Identifier: MIT
;
; INT 15h: memory: its size and map, moving blocks above 1 MiB, entering protected mode.

; AH=88h: KiB above 1 MiB, up to 64 MiB.
extended_size:
        mov     eax, [cs:usable_end]
        shr     eax, 10
        sub     eax, 1024
        cmp     eax, 0xfc00             ; up to 64 MiB, as guests of 16 bits expect
        jb      .size
        mov     ax, 0xfc00
.size:  mov     [bp + F_EAX], ax
        ret

; AX=E820h, E801h, E881h.
memory_service:
        mov     al, [bp + F_AL]
        cmp     al, 0x20
        je      memory_map
        cmp     al, 0x01
        je      memory_sizes
        cmp     al, 0x81
        je      memory_sizes32
        jmp     int15_unsupported

; KiB between 1 and 16 MiB, and 64 KiB above.
memory_sizes:
        call    .count
        mov     [bp + F_EAX], ax
        mov     [bp + F_ECX], ax
        mov     [bp + F_EBX], bx
        mov     [bp + F_EDX], bx
        ret
.count: mov     eax, [cs:usable_end]
        xor     ebx, ebx
        cmp     eax, 0x1000000
        jbe     .small
        lea     ebx, [eax - 0x1000000]
        shr     ebx, 16
        mov     eax, 0x1000000
.small: shr     eax, 10
        sub     eax, 1024
        ret
memory_sizes32:
        call    memory_sizes.count
        mov     [bp + F_EAX], eax
        mov     [bp + F_ECX], eax
        mov     [bp + F_EBX], ebx
        mov     [bp + F_EDX], ebx
        ret

; The entry that EBX tells, to ES:DI; EBX becomes the next, or 0 after the last one.
memory_map:
        cmp     dword [bp + F_EDX], 'PAMS'
        jne     int15_unsupported
        mov     ecx, [bp + F_ECX]
        cmp     ecx, 20
        jb      int15_unsupported
        mov     ebx, [bp + F_EBX]
        movzx   eax, word [cs:e820_count]
        cmp     ebx, eax
        jae     int15_unsupported
        imul    si, bx, 20
        add     si, e820_map
        mov     di, [bp + F_EDI]
        mov     es, [bp + F_ES]
        mov     cx, 10
        cs      rep movsw
        inc     bx
        cmp     bx, ax
        jb      .more
        xor     bx, bx
.more:  mov     [bp + F_EBX], ebx
        mov     dword [bp + F_EAX], 'PAMS'
        mov     dword [bp + F_ECX], 20
        ret

; -- AH=87h: moves CX words between two descriptors' memory ----------------------------------------

; ES:SI points to six descriptors; the third is the source, the fourth the destination. They are used
; in a table of our own: that of the caller may lie anywhere, but its own descriptor is not needed.
; The stack keeps a real-mode segment, so nothing is pushed in protected mode.
move_block:
        cli
        mov     es, [bp + F_ES]
        mov     bx, [bp + F_ESI]
        xor     eax, eax
        mov     ax, es
        shl     eax, 4
        movzx   ebx, bx
        add     eax, ebx
        mov     [es:bx + 8 + 2], eax    ; the table's own descriptor: where lgdt finds it
        mov     word [es:bx + 8], 47
        mov     byte [es:bx + 8 + 5], 0x93
        mov     dword [es:bx + 0x20], 0x0000ffff ; BIOS code
        mov     dword [es:bx + 0x24], 0x00009b0f
        movzx   ecx, word [bp + F_ECX]
        in      al, PORT_92
        push    ax
        or      al, 2
        and     al, ~1
        out     PORT_92, al
        push    cx
        sub     sp, 6
        mov     si, sp
        mov     word [ss:si], 47
        mov     eax, [es:bx + 8 + 2]
        and     eax, 0xffffff
        mov     [ss:si + 2], eax
        o32 lgdt [ss:si]
        add     sp, 6
        pop     cx
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     0x20:.protected
.protected:
        mov     ax, 0x10
        mov     ds, ax
        mov     al, 0x18
        mov     es, ax
        xor     si, si
        xor     di, di
        rep movsw
        mov     eax, cr0
        and     al, ~1
        mov     cr0, eax
        jmp     BIOS_SEG:.real
.real:
        call    flat
        push    BDA_SEG
        pop     ds
        pop     ax
        and     al, ~1
        out     PORT_92, al
        mov     byte [bp + F_AH], 0
        ret

; -- AH=89h ----------------------------------------------------------------------------------------

; Goes on in protected mode: ES:SI points to eight descriptors (our own, GDT, IDT, DS, ES, SS, CS,
; BIOS code), BH and BL are the controllers' vectors. Returns to the caller with CS = 30h.
enter_protected:
        cli
        in      al, PORT_92
        or      al, 2
        and     al, ~1
        out     PORT_92, al
        mov     al, 0x11
        out     PIC1, al
        out     PIC2, al
        mov     al, [bp + F_BH]
        out     PIC1 + 1, al
        mov     al, [bp + F_BL]
        out     PIC2 + 1, al
        mov     al, 0x04
        out     PIC1 + 1, al
        mov     al, 0x02
        out     PIC2 + 1, al
        mov     al, 0x01
        out     PIC1 + 1, al
        out     PIC2 + 1, al
        mov     al, 0xff
        out     PIC1 + 1, al
        out     PIC2 + 1, al
        mov     es, [bp + F_ES]
        mov     bx, [bp + F_ESI]
        mov     dword [es:bx + 0x38], 0x0000ffff
        mov     dword [es:bx + 0x3c], 0x00009b0f
        lgdt    [es:bx + 0x08]
        lidt    [es:bx + 0x10]
        mov     cx, [bp + F_IP]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     0x38:.protected
.protected:
        mov     ax, 0x18
        mov     ds, ax
        mov     ax, 0x20
        mov     es, ax
        mov     ax, 0x28
        mov     ss, ax
        lea     sp, [bp + F_FLAGS + 2]
        push    word 0x30
        push    cx
        xor     ax, ax
        mov     bp, [ss:bp + F_EBP]
        retf
