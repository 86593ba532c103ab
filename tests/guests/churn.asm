; SPDX-License-Identifier: MIT
;
; Tens of thousands of small functions, which call for more room than a translator may have for what
; it makes of them: what it drops it must forget wherever it is known. Each function adds a number of
; its own to EBX and jumps to the tail of its page, which came first and will be dropped first, while
; jumps lead to it. Each page also has a function that is nothing but such a jump; it is overwritten
; while it is in use, and called again much later. The driver computes alongside what must come out.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "churn", 0

FIRST           equ 0x200000                    ; pages of functions, up to
LAST            equ 0x3e0000
FUNCTION        equ 32                          ; bytes
TAIL            equ PAGE_SIZE - FUNCTION        ; offset in a page; the jump to it is at 0
LATER           equ 30 * PAGE_SIZE
HOT             equ 6                           ; calls in a row
PASSES          equ 3

section .text
test_main:
        call    make
        mov     dword [pass], 0
.pass:
        xor     ebx, ebx
        xor     ebp, ebp
        call    run_tails
        CHECK   "tails", ebx, [expected]
        call    run_functions
        CHECK   "functions", ebx, [expected]
        call    change
        inc     dword [pass]
        cmp     dword [pass], PASSES
        jb      .pass
        jmp     test_end

; The number that the function at EDI adds.
%macro NUMBER 0
        imul    eax, edi, 0x9e3779b1
        xor     eax, [pass]
%endmacro

make:
        mov     edi, FIRST
.page:
        mov     dword [edi + TAIL], 0xd1015b8d  ; lea ebx, [ebx + 1]; rol ebx, 1
        mov     word [edi + TAIL + 4], 0xc3c3   ; ret
        mov     word [edi], 0x840f              ; jz tail
        mov     dword [edi + 2], TAIL - 6
        mov     ecx, edi
        add     edi, FUNCTION
.function:
        NUMBER
        mov     word [edi], 0xc381              ; add ebx, number
        mov     [edi + 2], eax
        mov     byte [edi + 6], 0xe9            ; jmp tail
        lea     eax, [ecx + TAIL - 11]
        sub     eax, edi
        mov     [edi + 7], eax
        add     edi, FUNCTION
        lea     eax, [ecx + TAIL]
        cmp     edi, eax
        jb      .function
        add     edi, FUNCTION
        cmp     edi, LAST
        jb      .page
        ret

; The numbers of a few functions in each page.
change:
        mov     edi, FIRST + 5 * FUNCTION
        inc     dword [pass]
.function:
        NUMBER
        mov     [edi + 2], eax
        add     edi, 32 * FUNCTION
        cmp     edi, LAST
        jb      .function
        dec     dword [pass]
        ret

; EBP follows EBX.
%macro FOLLOW_TAIL 0
        inc     ebp
        rol     ebp, 1
%endmacro

run_tails:
        mov     edi, FIRST + TAIL
.page:
        mov     esi, HOT
.again:
        call    edi
        FOLLOW_TAIL
        dec     esi
        jnz     .again
        add     edi, PAGE_SIZE
        cmp     edi, LAST
        jb      .page
        mov     [expected], ebp
        ret

; The jump of the page at EDI, and that of an earlier page.
run_jump:
        mov     esi, HOT
.again:
        cmp     edi, edi
        call    edi
        FOLLOW_TAIL
        dec     esi
        jnz     .again
        mov     dword [edi + 2], TAIL - 6
        lea     edx, [edi - LATER]
        cmp     edx, FIRST
        jb      .end
        cmp     edi, edi
        call    edx
        FOLLOW_TAIL
.end:   ret

run_functions:
        mov     edi, FIRST
.page:
        call    run_jump
        lea     ecx, [edi + TAIL]
        add     edi, FUNCTION
.function:
        mov     esi, HOT
.again:
        call    edi
        add     ebp, [edi + 2]
        FOLLOW_TAIL
        dec     esi
        jnz     .again
        add     edi, FUNCTION
        cmp     edi, ecx
        jb      .function
        add     edi, FUNCTION
        cmp     edi, LAST
        jb      .page
        mov     [expected], ebp
        ret

section .bss
        alignb  4
expected: resd  1
pass:   resd    1

IMAGE_END
