; SPDX-License-Identifier: MIT
;
; How programs and kernels change code on purpose, in 32- and in 64-bit code: Linux' text_poke, and
; what compilers do that make code while it runs. Each does the same work without changes, too; what
; is computed must be right, and both times are told.

%include "lib/image.asm"
%include "lib/test.asm"
%include "lib/long.asm"
%include "lib/time.asm"

section .strings
NAME:   db      "patching", 0

POKES           equ 25                          ; there and back
CALLS           equ 10000                       ; between two of them
FUNCTIONS       equ 40                          ; of FUNCTION bytes, behind a page's pool
FUNCTION        equ 32
POOL            equ 64
ROUNDS          equ 2
EACH            equ 8000                        ; calls of a function between two changes
MADE            equ FUNCTIONS * ROUNDS
FLIPS           equ 50
TYPES           equ 50
COUNTS          equ 1000000
TEXT_32         equ 0x3e0000                    ; where text_page may be executed, but not written
FLIP_32         equ 0x3e1000                    ; and flip_page either written or executed
TEXT_64         equ 0x40004000
FLIP_64         equ 0x40005000
NX_HIGH         equ 0x80000000
TEXT_TRACED     equ 0x40                        ; offsets: in a page's text,
TEXT_TRACER     equ 0x80
TEXT_PLAIN      equ 0xc0
FUNCTION_NUMBER equ 3                           ; in a function,
SITE_TYPE       equ 1                           ; in an inline cache
COUNTS_SUM      equ COUNTS / 2 * (COUNTS + 1) & 0xffffffff

section .bss
        alignb  PAGE_SIZE
text_page:      resb PAGE_SIZE
flip_page:      resb PAGE_SIZE
made_page:      resb PAGE_SIZE                  ; functions beside a pool of data
fixed_page:     resb PAGE_SIZE                  ; functions that do not change
data_page:      resb PAGE_SIZE
pd_1g:          resb PAGE_SIZE
pt_1g:          resb PAGE_SIZE
misses:         resd 1
%macro TIMES_OF 1
%1_plain_32:    resd 1
%1_changed_32:  resd 1
%1_plain_64:    resd 1
%1_changed_64:  resd 1
%endmacro
        TIMES_OF poke
        TIMES_OF made
        TIMES_OF flip
        TIMES_OF cache
        TIMES_OF data
        TIMES_OF stack

; -- What differs between 32 and 64 bits -----------------------------------------------------------

section .text
; Bits, then as CHECK and CATCH, CAUGHT.
%macro CHECK_IN 4
    %if %1 == 64
        mov     eax, %3
        mov     ecx, %4
        CHECK64 %strcat("64: ", %2), rax, rcx
    %else
        CHECK   %strcat("32: ", %2), %3, %4
    %endif
%endmacro

%macro CATCH_IN 2
    %if %1 == 64
        CATCH64 %2
    %else
        CATCH   %2
    %endif
%endmacro

%macro CAUGHT_IN 5
    %if %1 == 64
        CAUGHT64 %2, %3, %4, %5
    %else
        CAUGHT  %2, %3, %4, %5
    %endif
%endmacro

; Bits, linear address, page with the memory, rights, whether it may be executed. Uses RAX.
%macro SET_PTE_IN 5
    %if %1 == 64
        mov     dword [pt_1g + (%2 >> 12 & 511) * 8], %3 + (%4)
        mov     dword [pt_1g + (%2 >> 12 & 511) * 8 + 4], NX_HIGH * (1 - %5)
        mov     eax, %2
        invlpg  [rax]
    %else
        mov     dword [page_table + (%2 >> 12) * 4], %3 + (%4)
        invlpg  [%2]
    %endif
%endmacro

; -- The patterns ----------------------------------------------------------------------------------
;
; Bits, letter of the registers. EBX sums up what functions add to it.

%macro PATTERNS 2
        bits    %1

patterns_%1:
    %if %1 == 64
        mov     dword [pdpt + 8], pd_1g + PTE_ALL
        mov     dword [pd_1g], pt_1g + PTE_ALL
    %endif
        call    poke_%1
        call    made_%1
        call    flip_%1
        call    cache_%1
        call    data_%1
        call    stack_%1
        ret

; rDI = function, ECX = calls of it.
call_many_%1:
.loop:  call    %2di
        dec     ecx
        jnz     .loop
        ret

; -- text_poke: a NOP becomes a CALL and back, through another address than the one it runs at -----

        align   0x40, int3
text_%1:
        db      0x0f, 0x1f, 0x44, 0, 0
        add     ebx, 1
        ret
        align   0x40, int3
.traced:
        call    .tracer
        add     ebx, 1
        ret
        align   0x40, int3
.tracer:
        add     ebx, 16
        ret
        align   0x40, int3
        db      0x0f, 0x1f, 0x44, 0, 0
        add     ebx, 1
        ret
        align   0x40, int3
.end:

poke_%1:
        mov     esi, text_%1
        mov     edi, text_page
        mov     ecx, text_%1.end - text_%1
        rep movsb
        SET_PTE_IN %1, TEXT_%1, text_page, PTE_P, 1
        CATCH_IN %1, .caught
        mov     edi, TEXT_%1
.write: mov     byte [%2di], 0x90
        int     VEC_NONE
.caught:
        CAUGHT_IN %1, "text is read-only", VEC_PF, PF_P | PF_W, .write
        xor     ebx, ebx
        START
        mov     ebp, POKES
.plain: mov     edi, TEXT_%1 + TEXT_TRACED
        mov     ecx, CALLS
        call    call_many_%1
        mov     edi, TEXT_%1 + TEXT_PLAIN
        mov     ecx, CALLS
        call    call_many_%1
        dec     ebp
        jnz     .plain
        STOP    poke_plain_%1
        CHECK_IN %1, "traced and not", ebx, POKES * CALLS * 18
        xor     ebx, ebx
        START
        mov     ebp, POKES
.poke:  mov     al, 0xe8
        mov     edx, TEXT_TRACER - 5
        call    text_poke_%1
        mov     ecx, CALLS
        call    call_many_%1
        mov     al, 0x0f
        mov     edx, 0x441f
        call    text_poke_%1
        mov     ecx, CALLS
        call    call_many_%1
        dec     ebp
        jnz     .poke
        STOP    poke_changed_%1
        CHECK_IN %1, "poked", ebx, POKES * CALLS * 18
        ret

; AL = the first byte, EDX = those behind it. First comes a breakpoint, and one who runs into it.
; rDI = the text.
text_poke_%1:
        mov     byte [text_page], 0xcc
        call    synchronize_%1
        mov     edi, TEXT_%1
        CATCH_IN %1, .hit
        call    %2di
        int     VEC_NONE
.hit:
        CAUGHT_IN %1, "breakpoint in the text", VEC_BP, NO_ERROR, TEXT_%1 + 1
        mov     [text_page + 1], edx
        call    synchronize_%1
        mov     [text_page], al
synchronize_%1:
        push    %2ax
        push    %2bx
        push    %2cx
        push    %2dx
        xor     eax, eax
        cpuid
        pop     %2dx
        pop     %2cx
        pop     %2bx
        pop     %2ax
        ret

; -- Functions that are made, and made anew; their data is on their page ---------------------------

        align   FUNCTION, int3
; rSI = pool.
function_%1:
        inc     dword [%2si]
        mov     eax, 0x11223344                 ; the number, at FUNCTION_NUMBER
        add     [%2si + 4], eax
        add     ebx, eax
        ret
        align   FUNCTION, int3

; EDI = where, EAX = number.
make_function_%1:
        push    %2si
        push    %2di
        mov     esi, function_%1
        mov     ecx, FUNCTION / 4
        rep movsd
        pop     %2di
        mov     [%2di + FUNCTION_NUMBER], eax
        pop     %2si
        ret

; Calls each function behind the pool of a page EACH times. EDI = page.
call_functions_%1:
        add     edi, POOL
        mov     ebp, FUNCTIONS
.next:  mov     ecx, EACH
        call    call_many_%1
        add     edi, FUNCTION
        dec     ebp
        jnz     .next
        ret

made_%1:
        mov     edi, fixed_page + POOL
        mov     eax, 1
.fixed: call    make_function_%1
        add     edi, FUNCTION
        inc     eax
        cmp     eax, FUNCTIONS
        jbe     .fixed
        xor     ebx, ebx
        mov     esi, data_page
        mov     dword [data_page], 0
        START
        mov     edx, ROUNDS
.plain: mov     edi, fixed_page
        push    %2dx
        call    call_functions_%1
        pop     %2dx
        dec     edx
        jnz     .plain
        STOP    made_plain_%1
        CHECK_IN %1, "fixed functions", ebx, ROUNDS * EACH * FUNCTIONS * (FUNCTIONS + 1) / 2
        CHECK_IN %1, "their calls", [data_page], MADE * EACH
        xor     ebx, ebx
        mov     esi, made_page
        mov     dword [made_page], 0
        mov     dword [made_page + 4], 0
        START
        mov     edx, 1
.round: mov     edi, made_page + POOL
.make:  mov     eax, edx
        call    make_function_%1
        mov     ecx, EACH
        call    call_many_%1
        add     edi, FUNCTION
        inc     edx
        cmp     edi, made_page + POOL + FUNCTIONS * FUNCTION
        jb      .make
        cmp     edx, MADE
        jbe     .round
        STOP    made_changed_%1
        CHECK_IN %1, "functions made", ebx, EACH * MADE * (MADE + 1) / 2
        CHECK_IN %1, "their pool: calls", [made_page], MADE * EACH
        CHECK_IN %1, "their pool: sum", [made_page + 4], EACH * MADE * (MADE + 1) / 2
        ret

; -- A page that is either written or executed -----------------------------------------------------

flip_%1:
        mov     esi, data_page
        mov     edi, fixed_page + POOL
        mov     eax, 1
        call    make_function_%1
        xor     ebx, ebx
        START
        mov     ebp, FLIPS
.plain: mov     ecx, EACH
        call    call_many_%1
        dec     ebp
        jnz     .plain
        STOP    flip_plain_%1
        CHECK_IN %1, "not flipped", ebx, FLIPS * EACH
        xor     ebx, ebx
        mov     edi, FLIP_%1
        START
        mov     ebp, FLIPS
.flip:
        SET_PTE_IN %1, FLIP_%1, flip_page, PTE_P | PTE_W, 0
        mov     eax, ebp
        call    make_function_%1
        SET_PTE_IN %1, FLIP_%1, flip_page, PTE_P, 1
        mov     ecx, EACH
        call    call_many_%1
        dec     ebp
        jnz     .flip
        STOP    flip_changed_%1
        CHECK_IN %1, "flipped", ebx, EACH * FLIPS * (FLIPS + 1) / 2
        ret

; -- Inline caches: the type that was seen last is an immediate operand ----------------------------

; EAX = type, rDI = this place, rBP = whom to tell of another type.
        align   FUNCTION, int3
site_%1:
        cmp     eax, 0x11223344                 ; at SITE_TYPE
        jne     .other
        add     ebx, 1
        ret
.other: jmp     %2bp
        align   FUNCTION, int3

other_type_%1:
        mov     [%2di + SITE_TYPE], eax
        inc     dword [misses]
        jmp     %2di

; EDI = where.
make_site_%1:
        mov     esi, site_%1
        mov     ecx, FUNCTION / 4
        rep movsd
        sub     edi, FUNCTION
        mov     ebp, other_type_%1
        xor     ebx, ebx
        mov     dword [misses], 0
        ret

cache_%1:
        mov     edi, fixed_page + POOL
        call    make_site_%1
        START
        mov     esi, TYPES
        mov     eax, 1
.plain: mov     ecx, EACH
        call    call_many_%1
        dec     esi
        jnz     .plain
        STOP    cache_plain_%1
        CHECK_IN %1, "one type", ebx, TYPES * EACH
        CHECK_IN %1, "one type: misses", [misses], 1
        mov     edi, made_page + POOL
        call    make_site_%1
        START
        mov     eax, TYPES
.type:  mov     ecx, EACH
        call    call_many_%1
        dec     eax
        jnz     .type
        STOP    cache_changed_%1
        CHECK_IN %1, "types", ebx, TYPES * EACH
        CHECK_IN %1, "types: misses", [misses], TYPES
        ret

; -- Data and a stack beside code ------------------------------------------------------------------

        align   PAGE_SIZE, int3
; EDI = two counters.
count_%1:
        xor     ebx, ebx
        mov     dword [%2di], 0
        mov     ecx, COUNTS
.loop:  inc     dword [%2di]
        add     ebx, [%2di]
        mov     [%2di + 4], ebx
        dec     ecx
        jnz     .loop
        ret
        align   16, int3
counters_%1:
        dd      0, 0

; Calls and pushes on the stack that rSP is; goes on at rDX.
use_stack_%1:
        xor     ebx, ebx
        mov     ecx, COUNTS
.loop:  push    %2cx
        call    .add
        pop     %2ax
        add     ebx, eax
        dec     ecx
        jnz     .loop
        jmp     %2dx
.add:   push    %2bx
        pop     %2bx
        ret
        align   16, int3
        times   256 db 0
stack_beside_%1:

data_%1:
        mov     edi, data_page
        START
        call    count_%1
        STOP    data_plain_%1
        CHECK_IN %1, "data elsewhere", ebx, COUNTS_SUM
        mov     edi, counters_%1
        START
        call    count_%1
        STOP    data_changed_%1
        CHECK_IN %1, "data beside code", ebx, COUNTS_SUM
        CHECK_IN %1, "data beside code: the sum", [counters_%1 + 4], COUNTS_SUM
        ret

stack_%1:
        mov     %2bp, %2sp
        START
        mov     esp, data_page + PAGE_SIZE - 256
        mov     edx, .plain
        jmp     use_stack_%1
.plain: mov     %2sp, %2bp
        STOP    stack_plain_%1
        CHECK_IN %1, "stack elsewhere", ebx, COUNTS_SUM
        START
        mov     esp, stack_beside_%1
        mov     edx, .beside
        jmp     use_stack_%1
.beside:
        mov     %2sp, %2bp
        STOP    stack_changed_%1
        CHECK_IN %1, "stack beside code", ebx, COUNTS_SUM
        ret
        align   PAGE_SIZE, int3
%endmacro

        PATTERNS 32, e
        PATTERNS 64, r

; -- All -------------------------------------------------------------------------------------------

        bits    32
        default abs

%macro TELL_ALL 1
    %define BITS_TEXT %strcat(", ", %str(%1), "-bit")
        TELL_TIMES %strcat("text_poke", BITS_TEXT), poke_plain_%1, poke_changed_%1
        TELL_TIMES %strcat("functions made", BITS_TEXT), made_plain_%1, made_changed_%1
        TELL_TIMES %strcat("written or executed", BITS_TEXT), flip_plain_%1, flip_changed_%1
        TELL_TIMES %strcat("inline cache", BITS_TEXT), cache_plain_%1, cache_changed_%1
        TELL_TIMES %strcat("data beside code", BITS_TEXT), data_plain_%1, data_changed_%1
        TELL_TIMES %strcat("stack beside code", BITS_TEXT), stack_plain_%1, stack_changed_%1
%endmacro

test_main:
        call    patterns_32
        TELL_ALL 32
        call    has_long_mode
        jz      test_end
        ENTER64
        call    patterns_64
        LEAVE64
        TELL_ALL 64
        jmp     test_end

IMAGE_END
