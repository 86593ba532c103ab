; SPDX-License-Identifier: MIT
;
; Floating-point exceptions that are not masked: which instruction reports them and what state it
; finds, of the x87, SSE and MMX (SDM 1, chapters 8, 9 and 11). All of it runs often enough to be
; translated, and its checks hold each time.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "fpfault", 0

ROUNDS          equ 12                          ; hot is what has run four times
UNMAPPED        equ 0x800000                    ; beyond what the tables map

FSW_IE          equ 1 << 0
FSW_DE          equ 1 << 1
FSW_ZE          equ 1 << 2
FSW_OE          equ 1 << 3
FSW_UE          equ 1 << 4
FSW_PE          equ 1 << 5
FSW_SF          equ 1 << 6
FSW_C1          equ 1 << 9
FSW_C023        equ 1 << 8 | 1 << 10 | 1 << 14  ; unordered
FSW_PENDING     equ 1 << 7 | 1 << 15            ; ES and B
%define FSW_TOP(n) ((n) << 11)

MXCSR_DEFAULT   equ 0x1f80
%define UNMASKED(flag) (MXCSR_DEFAULT & ~((flag) << 7))
MX_IE           equ 1 << 0
MX_DE           equ 1 << 1
MX_ZE           equ 1 << 2
MX_OE           equ 1 << 3
MX_UE           equ 1 << 4
MX_PE           equ 1 << 5

; -- Macros ------------------------------------------------------------------------------------------------

; An empty stack, and a control word where these exceptions are not masked; 64-bit precision.
%macro X87 1
        fninit
        mov     word [control], 0x37f & ~(%1)
        fldcw   [control]
%endmacro

; `name` becomes two texts in a row.
%macro NAMED 2
  %strcat name %1, %2
%endmacro

; "name", status, tags, operand's address or -1, instruction: it completes, as far as anybody can
; see; the next instruction that waits reports it, and finds this environment.
%macro PENDING 5+
%%at:   %5
        CATCH   %%after
%%next: fld1
        int     VEC_NONE
%%after:
        CAUGHT  %1, VEC_MF, NO_ERROR, %%next
        fnstenv [environment]
        mov     eax, %%at
        call    shorten
        NAMED   %1, ": status"
        CHECK   name, [environment + 4], %2
        NAMED   %1, ": tags"
        CHECK   name, [environment + 8], %3
        NAMED   %1, ": instruction"
        CHECK   name, [environment + 12], %%at
        NAMED   %1, ": opcode"
        CHECK   name, [environment + 16], eax
  %if %4 != -1
        NAMED   %1, ": operand"
        CHECK   name, [environment + 20], %4
  %endif
        fnclex
%endmacro

; "name", what is not masked in MXCSR, flags afterwards, vector, instruction whose destination is
; XMM0: it faults and changes nothing else.
%macro SSE 5+
        mov     dword [control], UNMASKED(%2)
        ldmxcsr [control]
        movaps  xmm0, [numbers]
        mov     eax, 0x12345678
        stc
        CATCH   %%after
%%at:   %5
        int     VEC_NONE
%%after:
        CAUGHT  %1, %4, NO_ERROR, %%at
        stmxcsr [found]
        movaps  [xmm_found], xmm0
        mov     dword [control], MXCSR_DEFAULT
        ldmxcsr [control]
        NAMED   %1, ": flags"
        CHECK   name, [found], UNMASKED(%2) | %3
        NAMED   %1, ": eax"
        CHECK   name, eax, 0x12345678
        mov     ebx, [got.eflags]
        and     ebx, EFLAGS_CF
        NAMED   %1, ": carry"
        CHECK   name, ebx, EFLAGS_CF
        pcmpeqd xmm0, [numbers]
        pmovmskb ecx, xmm0
        NAMED   %1, ": destination"
        CHECK   name, ecx, 0xffff
%endmacro

; -- Numbers -----------------------------------------------------------------------------------------------

section .data
        align   16
numbers:        dd 1.0, 0.0, -1.0, 0x7f000000   ; the last one is 2 to the 127
zero_one:       dd 0.0, 1.0, 1.0, 1.0
zeros:          dd 0.0, 0.0, 1.0, 1.0
tiny_addend:    dd 0x30800000, 0, 0, 0
denormals:      dd 1, 0, 0, 0
signalling:     dd 0x7fa00000, 0, 0, 0
quiet:          dd 0x7fc00000, 0, 0, 0
powers:         dd 0x7f000000, 0x7f000000, 0x7f000000, 0x7f000000
large:          dd 1.0e20, 0, 0, 0
denormal64:     dq 1
huge:           dt 0x1p16383
tiny:           dt 0x1p-16382
quiet80:        dw 0, 0, 0, 0xc000, 0x7fff
pi:                   dt 3.14159265358979323846
one:            dd 1.0
three:          dd 3.0
half:           dd 0.5
minus_one:      dd -1.0
pattern:        dq 0x0123456789abcdef

section .bss
        alignb  16
image:          resb 512
xmm_found:         resb 16
environment:    resd 7
result:         resd 3
control:        resd 1
found:          resd 1
rounds_left:    resd 1

; -- The guest ---------------------------------------------------------------------------------------------

section .text
test_main:
        mov     eax, cr4
        or      eax, CR4_OSFXSR | CR4_OSXMMEXCPT
        mov     cr4, eax
        mov     dword [page_directory + (UNMAPPED >> 22) * 4], 0
        mov     dword [rounds_left], ROUNDS
.round:
        call    before_computation
        call    after_computation
        call    stores
        call    who_waits
        call    aliasing
        call    sse
        call    sse_priorities
        dec     dword [rounds_left]
        jne     .round

        mov     eax, cr4
        and     eax, ~CR4_OSXMMEXCPT
        mov     cr4, eax
        mov     dword [rounds_left], ROUNDS
.without:
        call    sse_without
        dec     dword [rounds_left]
        jne     .without
        jmp     test_end

; EAX = address of an instruction; status, tags and the opcode of the environment on their own, and EAX =
; what that opcode should be.
shorten:
        and     dword [environment + 4], 0xffff
        and     dword [environment + 8], 0xffff
        shr     dword [environment + 16], 16
        mov     ax, [eax]
        xchg    al, ah
        and     eax, 0x7ff
        ret

; Exceptions that are found before anything is computed: operands and stack are as they were, but for
; what processors do beside the manual.
before_computation:
        X87     FSW_ZE
        fld1
        fldz
        PENDING "divide by zero", FSW_ZE | FSW_PENDING | FSW_TOP(6), 0x1fff, -1, fdivp st1
        X87     FSW_IE
        fldz
        fldz
        PENDING "zero by zero", FSW_IE | FSW_PENDING | FSW_TOP(6), 0x5fff, -1, fdivp st1
        X87     FSW_IE
        PENDING "load of a signalling NaN", FSW_IE | FSW_PENDING, 0xffff, signalling, \
                fld dword [signalling]
        X87     FSW_DE
        PENDING "load of a denormal", FSW_DE | FSW_PENDING | FSW_TOP(7), 0x3fff, denormals, \
                fld dword [denormals]           ; on the stack it is a normal number
        X87     FSW_DE
        fld1
        PENDING "addition of a denormal", FSW_DE | FSW_PENDING | FSW_TOP(7), 0x3fff, denormal64, \
                fadd qword [denormal64]
        X87     FSW_IE
        PENDING "stack underflow", FSW_IE | FSW_SF | FSW_PENDING, 0xffff, -1, fadd st0, st1
        X87     FSW_IE
        times 8 fld1
        PENDING "stack overflow", FSW_IE | FSW_SF | FSW_C1 | FSW_PENDING, 0, -1, fldz
        X87     FSW_IE
        fld     tword [quiet80]
        PENDING "comparison with a NaN", FSW_IE | FSW_C023 | FSW_PENDING | FSW_TOP(7), 0xbfff, one, \
                fcom dword [one]
        X87     FSW_IE
        fld     dword [minus_one]
        PENDING "square root of -1", FSW_IE | FSW_PENDING | FSW_TOP(7), 0x3fff, -1, fsqrt
        ret

; Those that are found afterwards: there is a result, in registers.
after_computation:
        X87     FSW_OE
        fld     tword [huge]
        PENDING "overflow", FSW_OE | FSW_PENDING | FSW_TOP(7), 0x3fff, -1, fmul st0, st0
        fstp    tword [result]
        and     dword [result + 8], 0xffff
        CHECK   "overflow: exponent", [result + 8], 0x3fff + 2 * 16383 - 24576
        X87     FSW_UE
        fld     tword [tiny]
        PENDING "underflow", FSW_UE | FSW_PENDING | FSW_TOP(7), 0x3fff, -1, fmul st0, st0
        fstp    tword [result]
        and     dword [result + 8], 0xffff
        CHECK   "underflow: exponent", [result + 8], 0x3fff - 2 * 16382 + 24576
        X87     FSW_PE
        fld1
        PENDING "inexact", FSW_PE | FSW_C1 | FSW_PENDING | FSW_TOP(7), 0x3fff, three, \
                fdiv dword [three]
        fstp    tword [result]
        CHECK   "inexact: quotient", [result], 0xaaaaaaab
        ret

; Memory is written where the result is only inexact.
stores:
        mov     dword [result], 0x55aa55aa
        X87     FSW_IE
        fld     tword [huge]
        PENDING "too large an integer", FSW_IE | FSW_PENDING | FSW_TOP(7), 0x3fff, result, \
                fistp dword [result]
        CHECK   "too large an integer: memory", [result], 0x55aa55aa
        X87     FSW_OE
        fld     tword [huge]
        PENDING "too large a number", FSW_OE | FSW_PENDING | FSW_TOP(7), 0x3fff, result, \
                fstp dword [result]
        CHECK   "too large a number: memory", [result], 0x55aa55aa
        X87     FSW_PE
        fld     dword [half]
        PENDING "inexact integer", FSW_PE | FSW_PENDING, 0xffff, result, fistp dword [result]
        CHECK   "inexact integer: memory", [result], 0
        ret

; With an exception pending.
who_waits:
        X87     FSW_ZE
        fld1
        fldz
        fdivp   st1
        NO_FAULT "fnstsw", fnstsw ax
        and     eax, 0xffff
        CHECK   "its status", eax, FSW_ZE | FSW_PENDING | FSW_TOP(6)
        NO_FAULT "fnstcw", fnstcw [result]
        NO_FAULT "an SSE instruction", addps xmm1, xmm2
        NO_FAULT "fxsave", fxsave [image]
        FAULT   "fwait", VEC_MF, NO_ERROR, fwait
        FAULT   "fnop", VEC_MF, NO_ERROR, fnop
        FAULT   "fld1", VEC_MF, NO_ERROR, fld1
        FAULT   "fxch", VEC_MF, NO_ERROR, fxch st1
        FAULT   "fcomip", VEC_MF, NO_ERROR, fcomip st0, st1
        FAULT   "fldcw", VEC_MF, NO_ERROR, fldcw [control]
        FAULT   "finit", VEC_MF, NO_ERROR, finit
        FAULT   "fincstp", VEC_MF, NO_ERROR, fincstp
        FAULT   "load from a missing page", VEC_MF, NO_ERROR, fld dword [UNMAPPED]
        FAULT   "store to a missing page", VEC_MF, NO_ERROR, fstp qword [UNMAPPED]
        FAULT   "movq", VEC_MF, NO_ERROR, movq mm0, mm1
        FAULT   "paddb from a missing page", VEC_MF, NO_ERROR, paddb mm0, [UNMAPPED]
        FAULT   "cvtpi2ps", VEC_MF, NO_ERROR, cvtpi2ps xmm0, mm0
        FAULT   "movdq2q", VEC_MF, NO_ERROR, movdq2q mm0, xmm0
        FAULT   "emms", VEC_MF, NO_ERROR, emms
        fnstenv [environment]
        and     dword [environment + 4], 0xffff
        CHECK   "status after all", [environment + 4], FSW_ZE | FSW_PENDING | FSW_TOP(6)
        fnclex
        X87     FSW_ZE
        FAULT   "load from a missing page, nothing pending", VEC_PF, 0, fld dword [UNMAPPED]
        NO_FAULT "fld1, nothing pending", fld1
        ret

; An MMX instruction takes the x87 stack for itself: TOP is 0, all registers are in use, and the one
; written becomes a NaN's image.
aliasing:
        fninit
        times 8 fld1
        fstp    st0
        fstp    st0
        movq    mm3, [pattern]
        fnstenv [environment]
        mov     eax, aliasing
        call    shorten
        CHECK   "movq: status", [environment + 4], 0
        CHECK   "movq: tags", [environment + 8], 0x0080
        fninit
        times 8 fld1
        fstp    st0
        pxor    mm2, mm2
        fnsave  [image]
        and     dword [image + 4], 0xffff
        and     dword [image + 8], 0xffff
        CHECK   "pxor: status", [image + 4], 0
        CHECK   "pxor: tags", [image + 8], 0x0020
        CHECK   "pxor: low half", [image + 28 + 20], 0
        CHECK   "pxor: high half", [image + 28 + 24], 0
        mov     eax, [image + 28 + 28]
        and     eax, 0xffff
        CHECK   "pxor: exponent", eax, 0xffff
        fld     tword [pi]
        movq    [result], mm7
        CHECK   "pi, low half", [result], 0x2168c235
        CHECK   "pi, high half", [result + 4], 0xc90fdaa2
        fnstsw  ax
        and     eax, 0xffff
        CHECK   "movq to memory: status", eax, 0
        fld1                                    ; onto a stack that is full
        fnstsw  ax
        and     eax, 0xffff
        CHECK   "fld1 without emms", eax, FSW_IE | FSW_SF | FSW_C1 | FSW_TOP(7)
        emms
        fnstenv [environment]
        and     dword [environment + 4], 0xffff
        and     dword [environment + 8], 0xffff
        CHECK   "emms: tags", [environment + 8], 0xffff
        fnclex
        fld1
        fnstsw  ax
        and     eax, 0xffff
        CHECK   "fld1 after emms", eax, FSW_TOP(7)
        fninit
        ret

sse:
        SSE     "divps", MX_ZE, MX_ZE, VEC_XM, divps xmm0, [zero_one]
        SSE     "divps, an invalid lane beside it", MX_ZE, MX_ZE | MX_IE, VEC_XM, \
                divps xmm0, [zeros]
        SSE     "mulps", MX_OE, MX_OE, VEC_XM, mulps xmm0, [powers]
        SSE     "divps, underflow", MX_UE, MX_UE, VEC_XM, divps xmm0, [powers]
        SSE     "addss, inexact", MX_PE, MX_PE, VEC_XM, addss xmm0, [tiny_addend]
        SSE     "addps of a denormal", MX_DE, MX_DE, VEC_XM, addps xmm0, [denormals]
        SSE     "sqrtps of -1", MX_IE, MX_IE, VEC_XM, sqrtps xmm0, xmm0
        SSE     "comiss with a NaN", MX_IE, MX_IE, VEC_XM, comiss xmm0, [quiet]
        SSE     "ucomiss with a signalling NaN", MX_IE, MX_IE, VEC_XM, ucomiss xmm0, [signalling]
        SSE     "cmpltps with a NaN", MX_IE, MX_IE, VEC_XM, cmpltps xmm0, [quiet]
        SSE     "cvttss2si of too large a number", MX_IE, MX_IE, VEC_XM, cvttss2si eax, [large]
        SSE     "maxps with a NaN", MX_IE, MX_IE, VEC_XM, maxps xmm0, [quiet]
        ret

sse_priorities:
        mov     dword [control], UNMASKED(MX_ZE) | MX_ZE
        NO_FAULT "a flag that is set, loaded", ldmxcsr [control]
        NO_FAULT "nothing new", addps xmm1, xmm2
        movaps  xmm0, [numbers]
        FAULT   "misaligned", VEC_GP, 0, divps xmm0, [zero_one + 4]
        FAULT   "missing page", VEC_PF, 0, divps xmm0, [UNMAPPED]
        stmxcsr [found]
        CHECK   "flags", [found], UNMASKED(MX_ZE) | MX_ZE
        mov     dword [control], MXCSR_DEFAULT
        ldmxcsr [control]
        ret

sse_without:
        SSE     "divps without OSXMMEXCPT", MX_ZE, MX_ZE, VEC_UD, divps xmm0, [zero_one]
        SSE     "comiss without OSXMMEXCPT", MX_IE, MX_IE, VEC_UD, comiss xmm0, [quiet]
        SSE     "addss without OSXMMEXCPT", MX_PE, MX_PE, VEC_UD, addss xmm0, [tiny_addend]
        ret

IMAGE_END
