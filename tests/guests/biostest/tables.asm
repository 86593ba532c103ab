; SPDX-License-Identifier: MIT
;
; Tables at F0000: signatures and checksums.

; A structure that must be there, %2 bytes long: its sum is zero; FS:DI.
%macro  STRUCTURE 3
        mov     si, %%signature
        mov     cx, %%end - %%signature
        call    find
        CHECK   nc, %1, " is there"
        jc      %%skip
        mov     si, di
        mov     cx, %2
        call    sum
        test    al, al
        CHECK   z, %1, " adds up to zero"
%%skip: jmp     %%end
%%signature:
        db      %3
%%end:
%endmacro

test_tables:
        STRUCTURE "$PnP", 0x21, "$PnP"
        STRUCTURE "_32_", 16, "_32_"
        STRUCTURE "$PIR", [fs:di + 6], "$PIR"
        STRUCTURE "RSDP", 20, "RSD PTR "
        STRUCTURE "RSDP of version 2", [cs:.rsdp_len], "RSD PTR "
        STRUCTURE "_SM_", [cs:.smbios_len], "_SM_"
        mov     si, .pmm
        mov     cx, 4
        call    find
        CHECK   c, "$PMM is gone"
        jmp     test_pnp
        align   2, db 0
.rsdp_len:
        dw      20
.smbios_len:
        dw      31
.pmm:   db      "$PMM"

; The nodes of the Plug and Play BIOS, one after the other: each is as long as it says, and no longer
; than the longest; one of them is the keyboard.
test_pnp:
        mov     si, .signature
        mov     cx, 4
        call    find
        jc      .none
        mov     eax, [fs:di + 0x0d]
        mov     [.entry], eax
        push    ds
        push    word .longest
        push    ds
        push    word .count
        push    word 0
        call    far [.entry]
        add     sp, 10
        test    ax, ax
        CHECK   z, "PnP: counts its nodes"
        jnz     .none
        xor     si, si                  ; nodes that were seen
.next:  push    word 1                  ; as they are now
        push    ds
        push    word .node
        push    ds
        push    word .number
        push    word 1
        call    far [.entry]
        add     sp, 12
        test    ax, ax
        CHECK   z, "PnP: tells a node"
        jnz     .none
        inc     si
        mov     bx, [.node]
        cmp     bx, [.longest]
        CHECK   be, "PnP: a node's length"
        cmp     word [.node + bx - 2], 0x0079
        CHECK   e, "PnP: a node's end"
        cmp     dword [.node + 3], 0x0303d041
        jne     .other
        inc     byte [.keyboards]
.other: cmp     byte [.number], 0xff
        je      .all
        cmp     si, 100
        jb      .next
.all:   movzx   ax, byte [.count]
        cmp     ax, si
        CHECK   e, "PnP: as many nodes as it says"
        cmp     byte [.keyboards], 1
        CHECK   e, "PnP: one keyboard"
        push    ds
        push    word .node
        push    ds
        push    word .number            ; FFh now
        push    word 1
        call    far [.entry]
        add     sp, 10
        test    ax, ax
        CHECK   nz, "PnP: there is no node FFh"
        push    word 0x1234
        call    far [.entry]
        add     sp, 2
        test    ax, ax
        CHECK   nz, "PnP: there is no function 1234h"
.none:  ret
        align   4, db 0
.entry: dd      0
.longest:
        dw      0
.count: db      0
.number:
        db      0
.keyboards:
        db      0
.signature:
        db      "$PnP"
.node:  times   256 db 0
