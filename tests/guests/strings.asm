; SPDX-License-Identifier: MIT
;
; Repeated string instructions where they are more than a copy: a source that the destination runs
; over, near and across the end of a page, by two addresses of one page; faults in the middle. What
; must come out is computed an element at a time by other instructions.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "strings", 0

ROOM            equ 256                         ; bytes that are compared
MIDDLE          equ ROOM / 2
MAX_COUNT       equ 20
REACH           equ 18                          ; distances are below that
HOT             equ 8

section .bss
        alignb  PAGE_SIZE
        resb    PAGE_SIZE - MIDDLE
found:  resb    ROOM                            ; has the end of a page in the middle
        resb    PAGE_SIZE - MIDDLE
wanted: resb    ROOM
        alignb  PAGE_SIZE
first:  resb    PAGE_SIZE
second: resb    PAGE_SIZE
third:  resb    PAGE_SIZE
distance:
        resd    1
count:  resd    1
place:  resd    1
wrong:  resd    1

section .text
test_main:
        call    overlaps
        call    fills
        call    aliases
        call    faults
        call    compares
        jmp     test_end

; Both areas get the same bytes, all different from their neighbours.
prepare:
        xor     ecx, ecx
.loop:  lea     eax, [ecx * 8 + ecx + 5]
        mov     [found + ecx], al
        mov     [wanted + ecx], al
        inc     ecx
        cmp     ecx, ROOM
        jb      .loop
        ret

; [wrong] += bytes that differ.
compare:
        xor     ecx, ecx
.loop:  mov     al, [found + ecx]
        cmp     al, [wanted + ecx]
        je      .same
        inc     dword [wrong]
.same:  inc     ecx
        cmp     ecx, ROOM
        jb      .loop
        ret

; [wrong] += 1 where a register is not as expected.
%macro EXPECT 2
        cmp     %1, %2
        je      %%same
        inc     dword [wrong]
%%same:
%endmacro

; Name, instruction, size, register: from [place], to [place] + [distance].
%macro OVERLAP 4
        mov     dword [wrong], 0
        mov     eax, MIDDLE - MAX_COUNT * %3 - 5
        mov     [place], eax
%%place:
        mov     dword [distance], -REACH
%%distance:
        mov     dword [count], 0
%%count:
        call    prepare
        mov     ecx, [count]
        mov     esi, [place]
        mov     edx, [distance]
        jecxz   %%moved
%%move: mov     %4, [wanted + esi]
        mov     [wanted + esi + edx], %4
        add     esi, %3
        dec     ecx
        jnz     %%move
%%moved:
        mov     ecx, [count]
        lea     esi, [found]
        add     esi, [place]
        mov     edi, esi
        add     edi, [distance]
        mov     eax, 0x12345678
        cmp     eax, 0x92345678                 ; CF, SF and OF
        rep %2
        jnc     %%flags
        jns     %%flags
        jno     %%flags
        jnz     %%kept
%%flags:
        inc     dword [wrong]
%%kept:
        EXPECT  eax, 0x12345678
        EXPECT  ecx, 0
        mov     eax, [count]
        lea     eax, [eax * %3 + found]
        add     eax, [place]
        EXPECT  esi, eax
        add     eax, [distance]
        EXPECT  edi, eax
        call    compare
        inc     dword [count]
        cmp     dword [count], MAX_COUNT
        jb      %%count
        inc     dword [distance]
        cmp     dword [distance], REACH
        jl      %%distance
        add     dword [place], 7
        cmp     dword [place], MIDDLE + 4
        jl      %%place
        CHECK   %1, [wrong], 0
%endmacro

overlaps:
        OVERLAP "movsb over its source", movsb, 1, al
        OVERLAP "movsw over its source", movsw, 2, ax
        OVERLAP "movsd over its source", movsd, 4, eax
        ret

%macro FILL 4
        mov     dword [wrong], 0
        mov     eax, MIDDLE - MAX_COUNT * %3 - 3
        mov     [place], eax
%%place:
        mov     dword [count], 0
%%count:
        call    prepare
        mov     ecx, [count]
        mov     esi, [place]
        mov     eax, 0x8a7b6c5d
        jecxz   %%moved
%%move: mov     [wanted + esi], %4
        add     esi, %3
        dec     ecx
        jnz     %%move
%%moved:
        mov     ecx, [count]
        lea     edi, [found]
        add     edi, [place]
        rep %2
        EXPECT  eax, 0x8a7b6c5d
        EXPECT  ecx, 0
        mov     eax, [count]
        lea     eax, [eax * %3 + found]
        add     eax, [place]
        EXPECT  edi, eax
        call    compare
        inc     dword [count]
        cmp     dword [count], MAX_COUNT
        jb      %%count
        inc     dword [place]
        cmp     dword [place], MIDDLE + 4
        jl      %%place
        CHECK   %1, [wrong], 0
%endmacro

fills:
        FILL    "stosb", stosb, 1, al
        FILL    "stosw", stosw, 2, ax
        FILL    "stosd", stosd, 4, eax
        ret

; The second page has the first one's memory: a copy to its next byte repeats the first byte.
aliases:
        mov     eax, first
        or      eax, PTE_ALL
        mov     edx, second
        shr     edx, 12
        push    dword [page_table + edx * 4]
        mov     [page_table + edx * 4], eax
        invlpg  [second]
        mov     ebp, HOT
.loop:
        mov     dword [first + 100], 0x04030201
        mov     dword [first + 104], 0x08070605
        mov     esi, first + 100
        mov     edi, second + 101
        mov     ecx, 10
        rep movsb
        mov     dword [first + 1000], 0x04030201
        mov     esi, first + 1000
        mov     edi, second + 1004
        mov     ecx, 500
        rep movsd
        dec     ebp
        jnz     .loop
        CHECK   "a few bytes by an alias", [first + 106], 0x01010101
        CHECK   "many bytes by an alias", [first + 2996], 0x04030201
        pop     dword [page_table + edx * 4]
        invlpg  [second]
        ret

; The page behind is missing: all that fits is done.
%macro STOPS 5                                  ; name, instruction, EDI, ECX then, EDI then
        mov     ebp, HOT
%%loop:
        mov     esi, first + 100
        mov     edi, %3
        mov     ecx, 1500
        mov     eax, 0x77777777
        cmp     eax, -1                         ; CF
        FAULT   %1, VEC_PF, PF_W, {rep %2}
        CHECK   %1, [got.ecx], %4
        CHECK   %1, [got.edi], %5
        CHECK   %1, [got.cr2], third
        mov     eax, [got.eflags]
        and     eax, EFLAGS_CF
        CHECK   %1, eax, EFLAGS_CF
        dec     ebp
        jnz     %%loop
%endmacro

faults:
        mov     edi, first
        mov     ecx, 2 * PAGE_SIZE
        mov     al, 0x33
        rep stosb
        SET_PAGE third, 0
        STOPS   "movsb", movsb, third - 1000, 500, third
        CHECK   "movsb: esi", [got.esi], first + 1100
        STOPS   "movsd", movsd, third - 1001, 1250, third - 1
        CHECK   "movsd: esi", [got.esi], first + 1100
        CHECK   "movsd: the last byte", [third - 4], 0x33333333
        STOPS   "stosw", stosw, third - 10, 1495, third
        CHECK   "stosw: memory", [third - 4], 0x77777777
        STOPS   "stosd", stosd, third - 6, 1499, third - 2
        CHECK   "stosd: memory", [third - 6], 0x77777777
        SET_PAGE third, PTE_ALL
        ret

; Flags are those of the last comparison; where it faults, those from before.
compares:
        mov     edi, first
        mov     ecx, 2 * PAGE_SIZE
        mov     al, 0x33
        rep stosb
        mov     byte [second + 50], 0x34
        mov     ebp, HOT
.loop:
        mov     edi, first + 7
        mov     al, 0x34
        mov     ecx, -1
        repne scasb
        CHECK   "scasb across pages", edi, second + 51
        CHECK   "scasb across pages: ecx", ecx, -1 - (PAGE_SIZE + 44)
        mov     esi, first + 9
        mov     edi, first + 1
        mov     ecx, 5000
        repe cmpsb
        setc    al
        movzx   eax, al
        CHECK   "cmpsb across pages", edi, second + 43
        CHECK   "cmpsb across pages: carry", eax, 0
        mov     esi, first + 4
        mov     edi, first + 8
        mov     ecx, 1000
        repe cmpsd
        sete    al
        movzx   eax, al
        CHECK   "cmpsd to the end", ecx, 0
        CHECK   "cmpsd to the end: zero", eax, 1
        dec     ebp
        jnz     .loop
        SET_PAGE third, 0
        mov     ebp, HOT
.fault:
        mov     edi, first + 1
        mov     eax, 0x35353535
        mov     ecx, 10000
        cmp     eax, eax                        ; ZF
        FAULT   "scasb", VEC_PF, 0, repne scasb
        CHECK   "scasb: edi", [got.edi], third
        CHECK   "scasb: ecx", [got.ecx], 10000 - (2 * PAGE_SIZE - 1)
        mov     eax, [got.eflags]
        and     eax, 1 << 6
        CHECK   "scasb: flags", eax, 1 << 6
        dec     ebp
        jnz     .fault
        SET_PAGE third, PTE_ALL
        ret

IMAGE_END
