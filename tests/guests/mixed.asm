; SPDX-License-Identifier: MIT
;
; Pages that hold code and are written: data beside code, a stack beside code, functions made one
; behind the other, code patched now and then, a page of functions that becomes data. What is
; computed must be right; what it costs, in microseconds without and with the sharing, is told.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "mixed", 0

LOOPS           equ 1000000
CALLS           equ 300000
FUNCTIONS       equ 100                         ; of 32 bytes on one page
EACH            equ 3000                        ; calls of one
PATCHES         equ 100
PASSES          equ 200                         ; over a page

section .bss
        alignb  PAGE_SIZE
plain:  resb    PAGE_SIZE
made:   resb    PAGE_SIZE
start_time:
        resd    2

section .text
%macro START 0
        rdtsc
        mov     [start_time], eax
%endmacro

; Tells the microseconds since START.
%macro TELL 1
        rdtsc
        sub     eax, [start_time]
        xor     edx, edx
        push    ecx
        mov     ecx, 1000
        div     ecx
        pop     ecx
        print_string %1
        call    print_decimal
        call    print_newline
%endmacro

test_main:
        call    data_beside_code
        call    stack_beside_code
        call    functions
        call    patches
        call    reuse
        jmp     test_end

; EDI = a counter.
        align   PAGE_SIZE, int3
count:
        xor     ebx, ebx
        mov     ecx, LOOPS
.loop:
        inc     dword [edi]
        add     ebx, [edi]
        mov     [edi + 4], ebx
        dec     ecx
        jnz     .loop
        ret
        align   16, int3
beside: dd      0, 0
        times   64 db 0
near_bottom:
        times   256 db 0
near_top:

; Calls and pushes on the stack that ESP is.
use_stack:
        xor     ebx, ebx
        mov     ecx, CALLS
.loop:
        push    ecx
        call    .add
        pop     eax
        add     ebx, eax
        dec     ecx
        jnz     .loop
        jmp     edx
.add:   push    ebx
        pop     ebx
        ret
        align   PAGE_SIZE, int3

LOOPS_SUM       equ LOOPS / 2 * (LOOPS + 1) & 0xffffffff
CALLS_SUM       equ CALLS / 2 * (CALLS + 1) & 0xffffffff

data_beside_code:
        mov     edi, plain
        call    count
        mov     dword [plain], 0
        START
        call    count
        TELL    "data elsewhere:        "
        CHECK   "data elsewhere", ebx, LOOPS_SUM
        mov     edi, beside
        START
        call    count
        TELL    "data beside code:      "
        CHECK   "data beside code", ebx, LOOPS_SUM
        ret

stack_beside_code:
        mov     ebp, esp
        mov     esp, plain + PAGE_SIZE - 256
        mov     edx, .warm
        jmp     use_stack
.warm:
        START
        mov     edx, .plain
        jmp     use_stack
.plain:
        mov     esp, ebp
        TELL    "stack elsewhere:       "
        CHECK   "stack elsewhere", ebx, CALLS_SUM
        START
        mov     esp, near_top
        mov     edx, .beside
        jmp     use_stack
.beside:
        mov     esp, ebp
        TELL    "stack beside code:     "
        CHECK   "stack beside code", ebx, CALLS_SUM
        mov     esp, near_top
        mov     edx, 100
        mov     eax, 1
        mov     ebx, 2
        mov     esi, 3
.all:   pushad
        xor     eax, eax
        xor     ebx, ebx
        xor     esi, esi
        popad
        dec     edx
        jnz     .all
        mov     esp, ebp
        lea     eax, [eax + ebx * 4]
        lea     eax, [eax + esi * 8]
        CHECK   "all registers beside code", eax, 1 + 2 * 4 + 3 * 8
        ret

; A function that adds its number to EBX, 32 bytes.
template:
        add     ebx, 0x11223344
        mov     eax, [template]
        lea     eax, [eax + ebx]
        nop
        nop
        ret
        align   32, nop

; EDI = where the function with number ESI goes.
make:
        push    esi
        push    edi
        mov     edx, esi
        mov     esi, template
        mov     ecx, 8
        rep movsd
        pop     edi
        mov     [edi + 2], edx
        pop     esi
        ret

call_it:
        mov     ebp, EACH
.loop:  call    edi
        dec     ebp
        jnz     .loop
        ret

functions:
        mov     edi, plain
        xor     ebx, ebx
        mov     esi, 1
        call    make
        START
        mov     esi, FUNCTIONS
.same:  call    call_it
        dec     esi
        jnz     .same
        TELL    "one function:          "
        CHECK   "one function", ebx, FUNCTIONS * EACH
        xor     ebx, ebx
        mov     esi, FUNCTIONS
        mov     edi, made
        START
.next:  call    make
        call    call_it
        add     edi, 32
        dec     esi
        jnz     .next
        TELL    "functions made:        "
        CHECK   "functions made", ebx, FUNCTIONS * (FUNCTIONS + 1) / 2 * EACH
        ret

; As a kernel patches its code: one instruction in a hot function, now and then.
patches:
        mov     edi, made
        mov     esi, 1
        call    make
        xor     ebx, ebx
        START
        mov     esi, PATCHES
.plain: call    call_it
        dec     esi
        jnz     .plain
        TELL    "not patched:           "
        CHECK   "not patched", ebx, PATCHES * EACH
        xor     ebx, ebx
        START
        mov     esi, PATCHES
.patch: mov     [edi + 2], esi
        call    call_it
        dec     esi
        jnz     .patch
        TELL    "patched:               "
        CHECK   "patched", ebx, PATCHES * (PATCHES + 1) / 2 * EACH
        ret

; EDI = page.
scribble:
        mov     edx, PASSES
        xor     ebx, ebx
.pass:
        xor     ecx, ecx
.loop:
        mov     [edi + ecx], edx
        add     ebx, [edi + ecx]
        add     ecx, 4
        cmp     ecx, PAGE_SIZE
        jb      .loop
        dec     edx
        jnz     .pass
        ret

reuse:
        mov     edi, plain
        call    scribble
        START
        call    scribble
        TELL    "a page of data:        "
        mov     edi, made
        START
        call    scribble
        TELL    "a page of code before: "
        CHECK   "a page of code before", ebx, PAGE_SIZE / 4 * (PASSES * (PASSES + 1) / 2)
        ret

IMAGE_END
