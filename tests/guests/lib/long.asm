; SPDX-License-Identifier: MIT
;
; 64-bit mode for the test guests: ENTER64 goes there from 32-bit protected mode, LEAVE64 comes back,
; and between them stand FAULT64 and CHECK64, as test.asm has them for 32 bits. (Nothing can be printed
; there, so failed checks are kept for LEAVE64.) Memory to 1 GiB is mapped to itself in 2 MiB pages.
; Include lib/test.asm first.

EFER            equ 0xc0000080
EFER_SCE        equ 1 << 0
EFER_LME        equ 1 << 8
EFER_LMA        equ 1 << 10
EFER_NXE        equ 1 << 11
CR4_PAE         equ 1 << 5
PDE_LARGE       equ 1 << 7

CODE64          equ SPARE + 0x80
TSS64           equ SPARE + 0x90                ; two slots
USER_CODE64     equ SPARE + 0xa0 | 3
TSS64_SIZE      equ 0x68
TSS64_RSP0      equ 4
TSS64_IST1      equ 0x24
TSS64_IO_MAP    equ 0x66
FAILURES64      equ 16                          ; so many are told

%macro ENTER64 0
        call    enter_long
        bits    64
        default rel
%endmacro

%macro LEAVE64 0
        call    leave_long
        bits    32
        call    report64
%endmacro

; "name", found, expected: 64-bit operands (immediates are sign-extended); registers preserved.
%macro CHECK64 3
        push    qword %3
        push    qword %2
        TEXT64  %1
        call    check64
%endmacro

%macro TEXT64 1
    [section .strings]
    %%text: db  %1, 0
    __?SECT?__
        push    qword %%text
%endmacro

; "name", condition code: the last comparison had it.
%macro CHECK64_IF 2
        set%2   [flag64]
        CHECK64 {%1}, [flag64], 1
%endmacro

%macro CATCH64 1
        mov     qword [resume64], %1
        mov     [resume64_rsp], rsp
        mov     qword [got64.vector], -1
%endmacro

%macro FAULT64 4+
        CATCH64 %%after
%%at:   %4
        int     VEC_NONE
%%after:
        CAUGHT64 %1, %2, %3, %%at
%endmacro

%macro NO_FAULT64 2+
        CATCH64 %%after
        %2
%%next: int     VEC_NONE
%%after:
        CAUGHT64 %1, VEC_NONE, NO_ERROR, %%next + 2
%endmacro

%macro CAUGHT64 4
        CHECK64 %strcat(%1, ": vector"), [got64.vector], %2
        CHECK64 %strcat(%1, ": error code"), [got64.error], %3
        CHECK64 %strcat(%1, ": rip"), [got64.rip], %4
%endmacro

; Ring 3, 64 bits, on the stack of ring 3; the catch brings it back.
%macro RING3_64 0
        call    enter_ring3_64
%endmacro

%macro FAULT64_3 4+
        CATCH64 %%after
        RING3_64
%%at:   %4
        int     VEC_NONE
%%after:
        CAUGHT64 %1, %2, %3, %%at
%endmacro

%macro NO_FAULT64_3 2+
        CATCH64 %%after
        RING3_64
        %2
%%next: int     VEC_NONE
%%after:
        CAUGHT64 %1, VEC_NONE, NO_ERROR, %%next + 2
%endmacro

section .data
        align   8
idt64_pointer:
        dw      VECTORS * 16 - 1
        dq      idt64
to_32:  dd      leave_long.compatible
        dw      KERNEL_CODE

section .bss
        alignb  PAGE_SIZE
pml4:           resb PAGE_SIZE
pdpt:           resb PAGE_SIZE
pd64:           resb PAGE_SIZE
idt64:          resb VECTORS * 16
        alignb  16
tss64:          resb TSS64_SIZE
        alignb  16
                resb 4096
ist1_top:
back64:         resq 1
resume64:       resq 1
resume64_rsp:   resq 1
flag64:         resq 1
ring3_rflags:   resq 1
got64:                                          ; the exception caught last
.rax:           resq 1                          ; as catch64 pushes them
.rcx:           resq 1
.rdx:           resq 1
.rbx:           resq 1
.rbp:           resq 1
.rsi:           resq 1
.rdi:           resq 1
.r8:            resq 1
.r11:           resq 1
.vector:        resq 1
.error:         resq 1
.rip:           resq 1
.cs:            resq 1
.rflags:        resq 1
.rsp:           resq 1
.ss:            resq 1
.cr2:           resq 1
.handler_rsp:   resq 1                          ; where the frame was
failures64:     resq FAILURES64 * 3             ; name, found, expected
failure64_count:
                resd 1
told64:         resd 1

section .text
        bits    32

; ZF: this processor has no 64-bit mode.
has_long_mode:
        pushad
        mov     eax, 0x80000000
        cpuid
        cmp     eax, 0x80000001
        mov     edx, 0
        jb      .end
        mov     eax, 0x80000001
        cpuid
.end:
        test    edx, 1 << 29
        popad
        ret

; Uses EAX, ECX, EDX.
enter_long:
        pop     dword [back64]
        pushad
        mov     dword [pml4], pdpt + PTE_ALL
        mov     dword [pdpt], pd64 + PTE_ALL
        mov     edi, pd64
        mov     eax, PTE_ALL | PDE_LARGE
.page:
        mov     [edi], eax
        mov     dword [edi + 4], 0
        add     edi, 8
        add     eax, 0x200000
        cmp     edi, pd64 + PAGE_SIZE
        jb      .page
        xor     ecx, ecx
        mov     edi, idt64
        mov     eax, vector64_0
.gate:
        mov     [edi], ax
        mov     word [edi + 2], CODE64
        mov     word [edi + 4], 0x8e00
        ror     eax, 16
        mov     [edi + 6], ax
        rol     eax, 16
        mov     dword [edi + 8], 0
        mov     dword [edi + 12], 0
        add     eax, vector64_1 - vector64_0
        add     edi, 16
        inc     ecx
        cmp     ecx, VECTORS
        jb      .gate
        or      byte [idt64 + VEC_NONE * 16 + 5], 0x60
        DESCRIPTOR CODE64, 0, 0, 0x9a, 2
        DESCRIPTOR USER_CODE64, 0, 0, 0xfa, 2
        DESCRIPTOR_AT TSS64, tss64, TSS64_SIZE - 1, 0x89, 0
        mov     dword [gdt + TSS64 + 8], 0
        mov     dword [gdt + TSS64 + 12], 0
        mov     dword [tss64 + TSS64_RSP0], stack0_top
        mov     dword [tss64 + TSS64_IST1], ist1_top
        mov     word [tss64 + TSS64_IO_MAP], TSS64_SIZE
        mov     dword [ring3_rflags], EFLAGS_1

        mov     eax, cr0
        and     eax, ~CR0_PG
        mov     cr0, eax
        mov     eax, cr4
        or      eax, CR4_PAE
        mov     cr4, eax
        mov     eax, pml4
        mov     cr3, eax
        mov     ecx, EFER
        rdmsr
        or      eax, EFER_LME | EFER_NXE | EFER_SCE
        wrmsr
        mov     eax, cr0
        or      eax, CR0_PG
        mov     cr0, eax
        popad
        jmp     CODE64:.long
        bits    64
        default rel
.long:
        lidt    [idt64_pointer]
        mov     ax, TSS64
        ltr     ax
        mov     esp, esp                        ; upper halves are undefined so far
        mov     ebx, ebx
        mov     ebp, ebp
        mov     esi, esi
        mov     edi, edi
        jmp     [back64]

; Uses EAX, ECX, EDX.
leave_long:
        pop     qword [back64]
        jmp     far dword [to_32]
        bits    32
.compatible:
        mov     eax, KERNEL_DATA
        mov     ss, eax
        call    load_data_segments
        mov     eax, cr0
        and     eax, ~CR0_PG
        mov     cr0, eax
        mov     ecx, EFER
        rdmsr
        and     eax, ~EFER_LME
        wrmsr
        mov     eax, cr4
        and     eax, ~CR4_PAE
        mov     cr4, eax
        mov     eax, page_directory
        mov     cr3, eax
        mov     eax, cr0
        or      eax, CR0_PG
        mov     cr0, eax
        lidt    [idt_pointer]
        and     byte [gdt + TSS_SELECTOR + 5], ~2
        mov     eax, TSS_SELECTOR
        ltr     ax
        jmp     [back64]

; Tells what failed in 64-bit mode.
report64:
        pushad
        xor     ebx, ebx
        mov     esi, failures64
.next:
        cmp     ebx, [failure64_count]
        jae     .end
        cmp     ebx, FAILURES64
        jae     .end
        mov     byte [tcg_differs], 0
        push    dword [esi + 20]
        push    dword [esi + 12]
        push    dword [esi]
        mov     eax, [esi + 8]                  ; print the half that differs
        cmp     eax, [esi + 16]
        je      .told
        mov     [esp + 4], eax
        mov     eax, [esi + 16]
        mov     [esp + 8], eax
.told:
        call    check_equal
        add     esi, 24
        inc     ebx
        jmp     .next
.end:
        sub     [failure64_count], ebx          ; what there was no room for counts too
        mov     eax, [failure64_count]
        add     [checks_failed], eax
        mov     dword [failure64_count], 0
        popad
        ret

        bits    64

; Arguments: name, found, expected; they are taken off.
check64:
        pushfq
        push    rax
        mov     rax, [rsp + 32]
        cmp     rax, [rsp + 40]
        je      .right
        cmp     byte [tcg_differs], 0
        je      .wrong
        dec     byte [tcg_differs]
        cmp     byte [on_tcg], 0
        jne     .count
.wrong:
        mov     eax, [failure64_count]
        inc     dword [failure64_count]
        cmp     eax, FAILURES64
        jae     .end
        push    rcx
        lea     eax, [eax * 3]
        lea     rcx, [failures64]
        lea     rcx, [rcx + rax * 8]
        mov     rax, [rsp + 32]
        mov     [rcx], rax
        mov     rax, [rsp + 40]
        mov     [rcx + 8], rax
        mov     rax, [rsp + 48]
        mov     [rcx + 16], rax
        pop     rcx
        jmp     .end
.right:
        cmp     byte [tcg_differs], 0
        je      .count
        dec     byte [tcg_differs]
.count:
        inc     dword [checks_done]
.end:
        pop     rax
        popfq
        ret     24

; Goes on at the return address in ring 3. Uses RAX.
enter_ring3_64:
        pop     rax
        push    qword USER_DATA
        push    qword stack3_top
        push    qword [ring3_rflags]
        push    qword USER_CODE64
        push    rax
        iretq

%assign vector 0
%rep VECTORS
vector64_ %+ vector:
    %if vector < 32 && (HAS_ERROR_CODE >> vector & 1)
        times   5 nop                           ; all entries are of one size
    %else
        push    qword NO_ERROR
    %endif
        push    strict qword vector
        jmp     near catch64
    %assign vector vector + 1
%endrep

; Stack: vector, error code, RIP, CS, RFLAGS, RSP, SS.
catch64:
        push    r11
        push    r8
        push    rdi
        push    rsi
        push    rbp
        push    rbx
        push    rdx
        push    rcx
        push    rax
        mov     [got64.handler_rsp], rsp
        mov     rsi, rsp
        lea     rdi, [got64]
        mov     ecx, 16
        cld
        rep movsq
        mov     rax, cr2
        mov     [got64.cr2], rax
        mov     eax, KERNEL_DATA
        mov     ss, eax
        mov     rax, [got64.rax]
        mov     rcx, [got64.rcx]
        mov     rsi, [got64.rsi]
        mov     rdi, [got64.rdi]
        mov     rsp, [resume64_rsp]
        jmp     [resume64]
        bits    32
