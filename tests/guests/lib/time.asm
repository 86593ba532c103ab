; SPDX-License-Identifier: MIT
;
; What a piece of work costs as it is, and with self-modification: START and STOP around it, in 32- or
; 64-bit code, then TELL_TIMES in 32-bit code. tests/guests/ratios.py collects what is told.

section .bss
        alignb  4
time_start:     resd 1

section .text

; Uses EAX, EDX.
%macro START 0
        rdtsc
        mov     [time_start], eax
%endmacro

; To a doubleword, in nanoseconds. Uses EAX, EDX.
%macro STOP 1
        rdtsc
        sub     eax, [time_start]
        mov     [%1], eax
%endmacro

; "name", time without, time with self-modification.
%macro TELL_TIMES 3
        print_string %1
        print_string ": "
        mov     eax, [%2]
        call    print_microseconds
        print_string " us plain, "
        mov     eax, [%3]
        call    print_microseconds
        print_string ` us modified\n`
%endmacro

; EAX = nanoseconds. Uses EAX.
print_microseconds:
        push    ecx
        push    edx
        xor     edx, edx
        mov     ecx, 1000
        div     ecx
        pop     edx
        pop     ecx
        jmp     print_decimal
