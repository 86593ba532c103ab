; SPDX-License-Identifier: MIT
;
; What CPUID says about the processor (SDM 2A, CPUID). The first 486s lack that instruction; then
; the ID flag cannot be changed.

EFLAGS_ID       equ 1 << 21
CPUID_BRAND     equ 0x80000002                  ; three leaves of 16 characters
CPUID_EXTENDED  equ 0x80000001
FEATURE_FXSR    equ 1 << 24                     ; leaf 1, EDX
FEATURE_SSE     equ 1 << 25

section .bss
        alignb  4
cpuid_max:              resd 1                  ; highest leaf; all zero without CPUID
cpuid_max_extended:     resd 1
cpuid_1:                resd 4                  ; EAX, EBX, ECX, EDX
cpuid_extended:         resd 4
cpu_vendor:             resb 13
cpu_brand:              resb 49

section .text
processor_start:
        pushad
        pushfd
        pop     eax
        mov     ecx, eax
        xor     eax, EFLAGS_ID
        push    eax
        popfd
        pushfd
        pop     eax
        xor     eax, ecx
        test    eax, EFLAGS_ID
        jz      .end
        xor     eax, eax
        cpuid
        mov     [cpuid_max], eax
        mov     [cpu_vendor], ebx
        mov     [cpu_vendor + 4], edx
        mov     [cpu_vendor + 8], ecx
        mov     eax, 1
        mov     edi, cpuid_1
        call    .store
        mov     edx, [cpuid_1 + 12]
        test    edx, FEATURE_FXSR
        setnz   [has_fxsave]
        jz      .extended
        test    edx, FEATURE_SSE
        setnz   [has_sse]
.extended:
        mov     eax, 0x80000000
        cpuid
        cmp     eax, CPUID_EXTENDED
        jb      .end                            ; also where it answers as for a lower leaf
        mov     [cpuid_max_extended], eax
        mov     eax, CPUID_EXTENDED
        mov     edi, cpuid_extended
        call    .store
        cmp     dword [cpuid_max_extended], CPUID_BRAND + 2
        jb      .end
        mov     esi, CPUID_BRAND
        mov     edi, cpu_brand
.brand:
        mov     eax, esi
        call    .store
        inc     esi
        cmp     esi, CPUID_BRAND + 2
        jbe     .brand
.end:
        call    fpu_start
        popad
        ret
.store:                                         ; leaf EAX to EDI, which moves on
        cpuid
        mov     [edi], eax
        mov     [edi + 4], ebx
        mov     [edi + 8], ecx
        mov     [edi + 12], edx
        add     edi, 16
        ret

command_cpu:
        pushad
        cmp     dword [cpuid_max], 0
        jne     .has_cpuid
        print_string `a 486 without CPUID\n`
        jmp     .end
.has_cpuid:
        mov     esi, cpu_vendor
        call    print
        print_string ` family `
        mov     eax, [cpuid_1]
        shr     eax, 8
        and     eax, 15
        cmp     eax, 15
        jne     .family
        mov     ecx, [cpuid_1]
        shr     ecx, 20
        movzx   ecx, cl
        add     eax, ecx
.family:
        call    print_decimal
        print_string ` model `
        mov     eax, [cpuid_1]
        mov     ecx, eax
        shr     eax, 4
        and     eax, 15
        shr     ecx, 12
        and     ecx, 0xf0
        or      eax, ecx
        call    print_decimal
        print_string ` stepping `
        mov     eax, [cpuid_1]
        and     eax, 15
        call    print_decimal
        call    print_newline
        mov     esi, cpu_brand
        cmp     byte [esi], 0
        je      .features
        call    print
        call    print_newline
.features:
        print_string `features:`
        mov     edi, cpu_features
.feature:
        mov     eax, [edi]                      ; address of the word with the bit
        test    eax, eax
        jz      .features_done
        mov     ecx, [edi + 4]
        bt      [eax], ecx
        lea     esi, [edi + 8]
        jnc     .skip
        mov     al, ' '
        call    putc
        call    print
.skip:
        add     edi, 16
        jmp     .feature
.features_done:
        call    print_newline
.end:
        popad
        ret

%macro FEATURE 3                                ; word, bit, name
        dd      %1, %2
%%name: db      %3
        times   8 - ($ - %%name) db 0
%endmacro

section .data
        align   4
cpu_features:
        FEATURE cpuid_1 + 12, 0, "fpu"
        FEATURE cpuid_1 + 12, 1, "vme"
        FEATURE cpuid_1 + 12, 2, "de"
        FEATURE cpuid_1 + 12, 3, "pse"
        FEATURE cpuid_1 + 12, 4, "tsc"
        FEATURE cpuid_1 + 12, 5, "msr"
        FEATURE cpuid_1 + 12, 6, "pae"
        FEATURE cpuid_1 + 12, 8, "cx8"
        FEATURE cpuid_1 + 12, 9, "apic"
        FEATURE cpuid_1 + 12, 11, "sep"
        FEATURE cpuid_1 + 12, 12, "mtrr"
        FEATURE cpuid_1 + 12, 13, "pge"
        FEATURE cpuid_1 + 12, 15, "cmov"
        FEATURE cpuid_1 + 12, 16, "pat"
        FEATURE cpuid_1 + 12, 23, "mmx"
        FEATURE cpuid_1 + 12, 24, "fxsr"
        FEATURE cpuid_1 + 12, 25, "sse"
        FEATURE cpuid_1 + 12, 26, "sse2"
        FEATURE cpuid_1 + 8, 0, "sse3"
        FEATURE cpuid_1 + 8, 1, "pclmul"
        FEATURE cpuid_1 + 8, 9, "ssse3"
        FEATURE cpuid_1 + 8, 12, "fma"
        FEATURE cpuid_1 + 8, 13, "cx16"
        FEATURE cpuid_1 + 8, 19, "sse4.1"
        FEATURE cpuid_1 + 8, 20, "sse4.2"
        FEATURE cpuid_1 + 8, 22, "movbe"
        FEATURE cpuid_1 + 8, 23, "popcnt"
        FEATURE cpuid_1 + 8, 25, "aes"
        FEATURE cpuid_1 + 8, 26, "xsave"
        FEATURE cpuid_1 + 8, 28, "avx"
        FEATURE cpuid_1 + 8, 30, "rdrand"
        FEATURE cpuid_extended + 12, 11, "syscall"
        FEATURE cpuid_extended + 12, 20, "nx"
        FEATURE cpuid_extended + 12, 27, "rdtscp"
        FEATURE cpuid_extended + 12, 29, "lm"
        dd      0
section .text
