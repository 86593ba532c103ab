; SPDX-License-Identifier: MIT
;
; Arrays at fixed addresses, a register being the index: whole and odd elements, over the ends of
; pages, and with an index that is negative, so that its sum with the array's address wraps. Each
; is also read by a pointer. And an array on the stack, so long that its two ends are looked up each
; by itself, when what reads and writes there calls.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "arrays", 0

COUNT           equ 3000
BYTES           equ COUNT * 4
SUM             equ 9 * COUNT * (COUNT + 1) / 2 + 5 * COUNT
BEHIND          equ 2 * PAGE_SIZE

section .bss
        alignb  PAGE_SIZE
        resb    PAGE_SIZE / 2 - 6               ; nearer to neither end of a page
array:  resb    BYTES + 4
copied: resb    BYTES + 4
        resb    PAGE_SIZE
frame:  resb    4 * PAGE_SIZE
old_stack:
        resd    1

section .text
test_main:
        call    fill
        call    read
        call    write
        call    fill
        call    odd_elements
        call    read_wrapped
        call    write_wrapped
        call    fill
        call    copy
        call    read_pairs
        call    big_frame
        jmp     test_end

; The sum of the elements is SUM.
fill:
        mov     edi, array
        mov     ecx, COUNT
.loop:  lea     eax, [ecx * 8 + ecx + 5]
        mov     [edi], eax
        add     edi, 4
        dec     ecx
        jnz     .loop
        ret

; EDX = sum of the elements; of those at ESI.
sum_by_pointer:
        mov     esi, array
sum_at: xor     edx, edx
        mov     ecx, COUNT
.loop:  add     edx, [esi]
        add     esi, 4
        dec     ecx
        jnz     .loop
        ret

read:
        call    sum_by_pointer
        CHECK   "sum by a pointer", edx, SUM
        xor     ebx, ebx
        xor     edx, edx
.loop:  add     edx, [ebx + array]
        add     ebx, 4
        cmp     ebx, BYTES
        jb      .loop
        CHECK   "sum by an index", edx, SUM
        ret

write:
        xor     ebx, ebx
.loop:  mov     dword [ebx + array], 7
        inc     dword [ebx + array]
        add     ebx, 4
        cmp     ebx, BYTES
        jb      .loop
        call    sum_by_pointer
        CHECK   "written by an index", edx, 8 * COUNT
        ret

; Of four bytes at each third place, some on two pages.
odd_elements:
        xor     ebx, ebx
        xor     edi, edi                        ; differences
.loop:  mov     eax, [ebx + array]
        lea     esi, [ebx]
        add     esi, array
        movzx   ecx, byte [esi + 3]
        shl     ecx, 8
        mov     cl, [esi + 2]
        shl     ecx, 8
        mov     cl, [esi + 1]
        shl     ecx, 8
        mov     cl, [esi]
        cmp     eax, ecx
        je      .same
        inc     edi
.same:  add     ebx, 3
        cmp     ebx, BYTES
        jb      .loop
        CHECK   "odd elements", edi, 0
        ret

; The index begins at -BEHIND.
read_wrapped:
        mov     ebx, -BEHIND
        xor     edx, edx
        mov     ecx, COUNT
.loop:  add     edx, [ebx + array + BEHIND]
        add     ebx, 4
        dec     ecx
        jnz     .loop
        CHECK   "sum by a negative index", edx, SUM
        ret

write_wrapped:
        mov     ebx, -BEHIND
        mov     ecx, COUNT
.loop:  mov     [ebx + array + BEHIND], ecx
        add     ebx, 4
        dec     ecx
        jnz     .loop
        call    sum_by_pointer
        CHECK   "written by a negative index", edx, COUNT * (COUNT + 1) / 2
        ret

; Four accesses to each array whose page is the same but where the ends of pages are between them.
copy:
        xor     ebx, ebx
.loop:  mov     eax, [ebx + array]
        add     ebx, 16
        mov     [ebx + copied - 16], eax
        mov     eax, [ebx + array - 12]
        mov     [ebx + copied - 12], eax
        mov     eax, [ebx + array - 8]
        mov     [ebx + copied - 8], eax
        mov     eax, [ebx + array - 4]
        mov     [ebx + copied - 4], eax
        cmp     ebx, BYTES
        jb      .loop
        mov     esi, copied
        call    sum_at
        CHECK   "copied", edx, SUM
        ret

; By a register and another one, scaled, that moves between accesses.
read_pairs:
        mov     esi, array
        xor     ecx, ecx
        xor     edx, edx
.loop:  add     edx, [esi + ecx * 4]
        add     edx, [esi + ecx * 4 + 4]
        inc     ecx
        add     ecx, 2
        add     edx, [esi + ecx * 4 - 4]
        cmp     ecx, COUNT
        jb      .loop
        CHECK   "sum by two registers", edx, SUM
        ret

; Both ends of a frame are read and written before a call through a pointer. All on one page of code.
        align   128, int3
big_frame:
        mov     [old_stack], esp
        mov     esp, frame
        mov     dword [esp + 4], 3
        mov     dword [esp + 8], 4
        mov     ebx, .add
        mov     ecx, COUNT
        xor     edx, edx
.loop:  mov     eax, [esp + 4]
        add     eax, [esp + 8]
        mov     [esp + 3 * PAGE_SIZE + 4], eax
        mov     [esp + 3 * PAGE_SIZE + 8], eax
        call    ebx
        dec     ecx
        jnz     .loop
        mov     esp, [old_stack]
        CHECK   "calls in a big frame", edx, 14 * COUNT
        ret
.add:   add     edx, [esp + 3 * PAGE_SIZE + 8]
        add     edx, [esp + 3 * PAGE_SIZE + 12]
        ret

IMAGE_END
