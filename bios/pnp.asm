; SPDX-License-Identifier: MIT
;
; The Plug and Play BIOS (Plug and Play BIOS Specification 1.0A): its installation check structure, and
; the functions that list what the board always has, whose resources are fixed. Option ROMs see by the
; structure that boot devices are chosen here.

PNP_UNSUPPORTED equ 0x82
PNP_BAD_HANDLE  equ 0x83

        align   16, db 0
pnp_header:
        db      "$PnP"
        db      0x10, 0x21              ; version 1.0, length
        dw      0                       ; no events
        db      0                       ; checksum
        dd      0
        dw      pnp_real, BIOS_SEG
        dw      pnp_protected
        dd      0xf0000
        dd      0                       ; OEM
        dw      BIOS_SEG                ; data segment, real mode
        dd      0xf0000

pnp_post:
        mov     esi, 0xf0000 + pnp_header
        lea     edi, [esi + 8]
        mov     ecx, 0x21
        jmp     checksum

; -- Functions -------------------------------------------------------------------------------------

; Far calls with C's arguments: a function's number and what it wants. AX = 0 or an error; all else is
; kept. In protected mode the code is of 16 bits, the stack of 16 or 32.
pnp_protected:
        push    ebp
        mov     ebp, esp
        mov     ax, ss
        lar     eax, eax
        bt      eax, 22                 ; all of ESP counts
        jc      pnp_call
        movzx   ebp, bp
        jmp     pnp_call
pnp_real:
        push    ebp
        movzx   ebp, sp
pnp_call:
        pushf
        push    ds
        push    es
        push    ebx
        push    ecx
        push    esi
        push    edi
        cld
        mov     ax, [ebp + 8]
        test    ax, ax
        jz      .count
        dec     ax
        jz      .node
        mov     ax, PNP_UNSUPPORTED
.end:   pop     edi
        pop     esi
        pop     ecx
        pop     ebx
        pop     es
        pop     ds
        popf
        pop     ebp
        retf

; 00h, far pointers to a byte and a word: how many nodes there are, and how long the longest is.
.count: lds     bx, [ebp + 10]
        mov     byte [bx], PNP_NODES
        lds     bx, [ebp + 14]
        mov     word [bx], PNP_LONGEST
        xor     ax, ax
        jmp     .end

; 01h, far pointers to a node's number, which becomes the next one's or FFh, and to where it is to be
; copied. What is set now is what will be set at the next start.
.node:  lds     bx, [ebp + 10]
        mov     cl, [bx]
        mov     ax, PNP_BAD_HANDLE
        cmp     cl, PNP_NODES
        jae     .end
        mov     si, pnp_nodes
.find:  cmp     cl, [cs:si + 2]
        je      .found
        add     si, [cs:si]
        jmp     .find
.found: inc     cx
        cmp     cl, PNP_NODES
        jb      .more
        mov     cl, 0xff
.more:  mov     [bx], cl
        les     di, [ebp + 14]
        mov     cx, [cs:si]
        cs rep  movsb
        xor     ax, ax
        jmp     .end

; -- The nodes (4.2; resources as in the Plug and Play ISA Specification 1.0A, 6.2) ------------------

PNP_LONGEST     equ 64
PNP_FIXED       equ 0x0003              ; can be neither disabled nor configured

%define PNP_IO(at, count) 0x47, 1, (at) & 0xff, (at) >> 8, (at) & 0xff, (at) >> 8, 1, count
%define PNP_IRQ(line)     0x22, (1 << (line)) & 0xff, (1 << (line)) >> 8
%define PNP_DMA(channel)  0x2a, 1 << (channel), 0

; Number behind "PNP", type (class, subclass, interface as PCI has them), resources. Nothing can be
; chosen, and there is no second name.
%macro PNP_NODE 3+
%%begin:
        dw      %%end - %%begin
        db      PNP_COUNT
        db      0x41, 0xd0, (%1) >> 8, (%1) & 0xff
        db      (%2) >> 16, (%2) >> 8 & 0xff, (%2) & 0xff
        dw      PNP_FIXED
        db      %3
        db      0x79, 0, 0x79, 0, 0x79, 0
%%end:
%assign PNP_COUNT PNP_COUNT + 1
%endmacro

%assign PNP_COUNT 0
pnp_nodes:
        PNP_NODE 0x0000, 0x080001, PNP_IO(0x20, 2), PNP_IO(0xa0, 2), PNP_IRQ(2)
        PNP_NODE 0x0200, 0x080101, PNP_IO(0x00, 16), PNP_IO(0x80, 16), PNP_IO(0xc0, 32), PNP_DMA(4)
        PNP_NODE 0x0100, 0x080201, PNP_IO(0x40, 4), PNP_IRQ(0)
        PNP_NODE 0x0b00, 0x080301, PNP_IO(0x70, 2), PNP_IRQ(8)
        PNP_NODE 0x0303, 0x090000, PNP_IO(0x60, 1), PNP_IO(0x64, 1), PNP_IRQ(1)
        PNP_NODE 0x0f13, 0x090200, PNP_IRQ(12)
        PNP_NODE 0x0c04, 0x0b8000, PNP_IO(0xf0, 16), PNP_IRQ(13)
        PNP_NODE 0x0800, 0x040100, PNP_IO(0x61, 1)
        PNP_NODE 0x0a03, 0x060400, PNP_IO(0xcf8, 8)
PNP_NODES       equ PNP_COUNT
