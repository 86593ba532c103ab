; SPDX-License-Identifier: MIT
;
; Memory for option ROMs while they start (POST Memory Manager Specification 1.01): conventional
; memory between 64 and 512 KiB, or extended from 8 MiB. Addresses go up; what is freed is not given
; again. Conventional memory that a ROM keeps is cut off from the end of that for programs.

PMM_BLOCKS      equ 32
PMM_LOW_AT      equ 0x10000
PMM_LOW_END     equ 0x80000
PMM_HIGH_AT     equ 0x800000
PMM_HIGH_END    equ 0x4000000

        align   16, db 0
pmm_header:
        db      "$PMM"
        db      0x01, 0x10              ; revision, length
        db      0                       ; checksum
        dw      pmm_entry, BIOS_SEG
        times   5 db 0

        align   4, db 0
pmm_low:
        dd      PMM_LOW_AT, PMM_LOW_END
pmm_high:
        dd      PMM_HIGH_AT, PMM_HIGH_AT
pmm_blocks:                             ; handle, address; 0: not used
        times   PMM_BLOCKS * 2 dd 0

pmm_post:
        mov     eax, [cs:usable_end]
        cmp     eax, PMM_HIGH_END
        jbe     .end
        mov     eax, PMM_HIGH_END
.end:   mov     [cs:pmm_high + 4], eax
        mov     esi, 0xf0000 + pmm_header
        lea     edi, [esi + 6]
        mov     ecx, 16
        jmp     checksum

; After the last option ROM nobody finds the services any more.
pmm_end:
        mov     edi, 0xf0000 + pmm_header
        mov     dword [edi], 0
        ret

; Far call with the C convention: function, then its arguments. The answer in DX:AX.
; EBP is kept whole, and all but EAX and EDX.
pmm_entry:
        push    ds
        push    es
        pushad
        mov     bp, sp
        call    flat
        movzx   eax, word [ss:bp + PMM_ARG]
        cmp     ax, 3
        jae     .unsupported
        mov     si, ax
        add     si, si
        call    [cs:.functions + si]
        jmp     .end
.unsupported:
        or      eax, -1
.end:   mov     [ss:bp + 28], ax
        shr     eax, 16
        mov     [ss:bp + 20], ax
        popad
        pop     es
        pop     ds
        retf
        align   2, db 0
.functions:
        dw      pmm_allocate, pmm_find, pmm_free
PMM_ARG         equ 32 + 4 + 4          ; behind registers, segments, return address

; Function 0: paragraphs, handle, flags (bit 0 conventional, bit 1 extended, bit 2 aligned, bit 3 to
; be kept).
pmm_allocate:
        mov     eax, [ss:bp + PMM_ARG + 2]
        test    eax, eax
        jz      .largest
        cmp     eax, 0x1000000
        jae     .fail
        shl     eax, 4
        mov     ecx, eax                ; bytes
        test    byte [ss:bp + PMM_ARG + 10], 8
        jnz     .keep
        mov     ebx, 16
        test    byte [ss:bp + PMM_ARG + 10], 4
        jz      .unaligned
        bsf     ebx, eax                ; to its lowest bit that is set
        xchg    cx, bx
        mov     eax, 1
        shl     eax, cl
        mov     cx, bx
        mov     ebx, eax
        cmp     ebx, 0x100000
        jbe     .unaligned
        mov     ebx, 0x100000
.unaligned:
        mov     di, pmm_blocks
.slot:  cmp     dword [cs:di + 4], 0
        je      .free
        add     di, 8
        cmp     di, pmm_blocks + PMM_BLOCKS * 8
        jb      .slot
        jmp     .fail
.free:  mov     dl, [ss:bp + PMM_ARG + 10]
        mov     si, pmm_low
        test    dl, 1
        jz      .high
        call    .try
        jnc     .given
.high:  mov     si, pmm_high
        test    dl, 2
        jz      .fail
        call    .try
        jc      .fail
.given: mov     ebx, [ss:bp + PMM_ARG + 6]
        mov     [cs:di], ebx
        mov     [cs:di + 4], eax
        ret
.fail:  xor     eax, eax
        ret

.keep:  test    byte [ss:bp + PMM_ARG + 10], 1
        jz      .fail
        cmp     ecx, 0x10000
        ja      .fail
        add     ecx, 1023
        shr     ecx, 10                 ; KiB
        sub     [0x400 + BDA_MEM_KB], cx
        shl     ecx, 10
        sub     [cs:e820_map + 8], ecx  ; RAM, and what is reserved behind it
        sub     [cs:e820_map + 20], ecx
        add     [cs:e820_map + 20 + 8], ecx
        movzx   eax, word [0x400 + BDA_MEM_KB]
        shl     eax, 10
        ret

; ECX bytes, aligned to EBX, from the pool at CS:SI: EAX, or CF. What is given is zeroed.
.try:   mov     eax, [cs:si]
        dec     ebx
        add     eax, ebx
        not     ebx
        and     eax, ebx
        not     ebx
        inc     ebx
        mov     edx, [cs:si + 4]
        sub     edx, eax
        jb      .full
        cmp     edx, ecx
        jb      .full
        push    edi
        push    eax
        push    ecx
        mov     edi, eax
        xor     eax, eax
        shr     ecx, 2
        a32 rep stosd
        mov     [cs:si], edi
        pop     ecx
        pop     eax
        pop     edi
        clc
        ret
.full:  mov     dl, [ss:bp + PMM_ARG + 10]
        stc
        ret

.largest:
        mov     si, pmm_high
        test    byte [ss:bp + PMM_ARG + 10], 2
        jnz     .of
        mov     si, pmm_low
.of:    mov     eax, [cs:si + 4]
        sub     eax, [cs:si]
        shr     eax, 4
        ret

; Function 1: handle.
pmm_find:
        mov     eax, [ss:bp + PMM_ARG + 2]
        mov     di, pmm_blocks
.next:  cmp     [cs:di], eax
        jne     .on
        cmp     dword [cs:di + 4], 0
        jne     .found
.on:    add     di, 8
        cmp     di, pmm_blocks + PMM_BLOCKS * 8
        jb      .next
        xor     eax, eax
        ret
.found: mov     eax, [cs:di + 4]
        ret

; Function 2: address. 0, or 1 if nothing was given there.
pmm_free:
        mov     eax, [ss:bp + PMM_ARG + 2]
        mov     di, pmm_blocks
.next:  cmp     [cs:di + 4], eax
        je      .found
        add     di, 8
        cmp     di, pmm_blocks + PMM_BLOCKS * 8
        jb      .next
.fail:  mov     eax, 1
        ret
.found: test    eax, eax
        jz      .fail
        mov     dword [cs:di], 0
        mov     dword [cs:di + 4], 0
        xor     eax, eax
        ret
