; SPDX-License-Identifier: MIT
;
; What the test guests share: serial output, descriptor tables, paging, exceptions that are caught
; and compared with what should have come. Include lib/image.asm first.
;
; A guest defines NAME, calls test_start, makes its checks and ends with `jmp test_end`, which prints
; "NAME: all checks passed" or how many failed, and ends through isa-debug-exit (33 or 35).
;
; Expected values come from Intel's manual. Where QEMU 7.2's TCG is known to do something else, a
; check is preceded by TCG_DIFFERS, and then cannot fail there.

%include "lib/print.asm"
%include "lib/power.asm"

; DS and ES are always the user's data segment, so that code goes on unchanged in ring 3.
KERNEL_CODE     equ 0x08
KERNEL_DATA     equ 0x10                        ; for SS
USER_CODE       equ 0x18 | 3
USER_DATA       equ 0x20 | 3
TSS_SELECTOR    equ 0x28
CODE16          equ 0x30                        ; base 0, limit FFFF
DATA16          equ 0x38
SPARE           equ 0x40                        ; the first of SPARES descriptors for tests to fill
SPARES          equ 24

VEC_DE          equ 0
VEC_DB          equ 1
VEC_BP          equ 3
VEC_OF          equ 4
VEC_BR          equ 5
VEC_UD          equ 6
VEC_NM          equ 7
VEC_DF          equ 8
VEC_TS          equ 10
VEC_NP          equ 11
VEC_SS          equ 12
VEC_GP          equ 13
VEC_PF          equ 14
VEC_MF          equ 16
VEC_AC          equ 17
VEC_XM          equ 19
VEC_NONE        equ 0x81                        ; no exception: software says so, from any ring
NO_ERROR        equ 0x0ddba11                   ; found as error code of vectors without one
VECTORS         equ 0x90

PAGE_SIZE       equ 4096
PTE_P           equ 1
PTE_W           equ 2
PTE_U           equ 4
PTE_A           equ 1 << 5
PTE_D           equ 1 << 6
PTE_ALL         equ PTE_P | PTE_W | PTE_U
PF_P            equ 1                           ; error code
PF_W            equ 2
PF_U            equ 4
CR0_PE          equ 1 << 0
CR0_MP          equ 1 << 1
CR0_EM          equ 1 << 2
CR0_TS          equ 1 << 3
CR0_NE          equ 1 << 5
CR0_WP          equ 1 << 16
CR0_AM          equ 1 << 18
CR0_PG          equ 1 << 31
CR4_OSFXSR      equ 1 << 9
CR4_OSXMMEXCPT  equ 1 << 10
EFLAGS_1        equ 1 << 1
EFLAGS_CF       equ 1 << 0
EFLAGS_TF       equ 1 << 8
EFLAGS_IF       equ 1 << 9
EFLAGS_NT       equ 1 << 14
EFLAGS_RF       equ 1 << 16
EFLAGS_VM       equ 1 << 17
EFLAGS_AC       equ 1 << 18

TSS_BACK        equ 0                           ; offsets in a 32-bit TSS
TSS_ESP0        equ 4
TSS_SS0         equ 8
TSS_CR3         equ 28
TSS_EIP         equ 32
TSS_EFLAGS      equ 36
TSS_EAX         equ 40
TSS_ESP         equ 56
TSS_ES          equ 72
TSS_CS          equ 76
TSS_SS          equ 80
TSS_DS          equ 84
TSS_LDT         equ 96
TSS_TRAP        equ 100
TSS_IO_MAP      equ 102
TSS_SIZE        equ 104

; -- Macros for checks -----------------------------------------------------------------------------------

; The next checks (1, or as many as said) may fail under QEMU's TCG.
%macro TCG_DIFFERS 0-1 1
        mov     byte [tcg_differs], %1
%endmacro

; "name", found, expected: two 32-bit operands, registers preserved.
%macro CHECK 3
        push    dword %3
        push    dword %2
        TEXT    %1
        call    check_equal
%endmacro

; Goes to a label under TCG, past checks that could do harm where it is wrong.
%macro TCG_SKIPS 1
        cmp     byte [on_tcg], 0
        jne     %1
%endmacro

; Pushes the address of a text.
%macro TEXT 1
    [section .strings]
    %%text: db  %1, 0
    __?SECT?__
        push    dword %%text
%endmacro

; Until now no exception has come; from now on one goes on at %1, in ring 0 with this ESP and all
; other registers as they were.
%macro CATCH 1
        mov     dword [resume], %1
        mov     [resume_esp], esp
        mov     dword [got.vector], -1
%endmacro

; "name", vector, error code, instruction: it faults, and the saved EIP is its start.
%macro FAULT 4+
        CATCH   %%after
%%at:   %4
        int     VEC_NONE
%%after:
        CAUGHT  %1, %2, %3, %%at
%endmacro

; The same for a trap: the saved EIP is behind the instruction.
%macro TRAP 4+
        CATCH   %%after
        %4
%%next: int     VEC_NONE
%%after:
        CAUGHT  %1, %2, %3, %%next
%endmacro

; The instruction raises nothing.
%macro NO_FAULT 2+
        CATCH   %%after
        %2
%%next: int     VEC_NONE
%%after:
        CAUGHT  %1, VEC_NONE, NO_ERROR, %%next + 2
%endmacro

; The same in ring 3, on its own stack.
%macro FAULT3 4+
        CATCH   %%after
        call    enter_ring3
%%at:   %4
        int     VEC_NONE
%%after:
        CAUGHT  %1, %2, %3, %%at
%endmacro

%macro NO_FAULT3 2+
        CATCH   %%after
        call    enter_ring3
        %2
%%next: int     VEC_NONE
%%after:
        CAUGHT  %1, VEC_NONE, NO_ERROR, %%next + 2
%endmacro

; "name", vector, error code, EIP of the exception that was caught last.
%macro CAUGHT 4
        push    dword %4
        push    dword %3
        push    dword %2
        TEXT    %1
        call    check_caught
%endmacro

; Slot, base, limit, access byte, flags (0xc: pages and 32 bits; 4: bytes and 32 bits; 0: 16 bits).
%macro DESCRIPTOR 5
        mov     dword [gdt + (%1 & ~7)], (((%2) & 0xffff) << 16) | ((%3) & 0xffff)
        mov     dword [gdt + (%1 & ~7) + 4], ((%2) & 0xff000000) | (((%2) >> 16) & 0xff) | \
                ((%4) << 8) | ((%3) & 0xf0000) | ((%5) << 20)
%endmacro

; The same, where the base is a label's address. Uses EAX.
%macro DESCRIPTOR_AT 5
        mov     eax, %2
        mov     [gdt + (%1 & ~7) + 2], ax
        shr     eax, 16
        mov     [gdt + (%1 & ~7) + 4], al
        mov     [gdt + (%1 & ~7) + 7], ah
        mov     word [gdt + (%1 & ~7)], (%3) & 0xffff
        mov     byte [gdt + (%1 & ~7) + 5], %4
        mov     byte [gdt + (%1 & ~7) + 6], (((%3) >> 16) & 15) | ((%5) << 4)
%endmacro

; A gate in GDT or IDT: address of the entry, selector, offset (a label), access byte, parameters.
; Uses EAX.
%macro GATE 5
        mov     eax, %3
        mov     [%1], ax
        shr     eax, 16
        mov     [%1 + 6], ax
        mov     word [%1 + 2], %2
        mov     word [%1 + 4], (%4) << 8 | (%5)
%endmacro

; Page at a label gets rights (0: missing). The first 4 MiB are mapped to themselves.
%macro SET_PAGE 2
        push    eax
        mov     eax, %1
        shr     eax, 12
        push    ebx
        lea     ebx, [page_table + eax * 4]
        mov     eax, [ebx]
        and     eax, ~0xfff
        or      eax, %2
        mov     [ebx], eax
        pop     ebx
        pop     eax
        invlpg  [%1]
%endmacro

; -- Tables ----------------------------------------------------------------------------------------------

section .data
        align   8
gdt:
        dq      0
        dw      0xffff, 0, 0x9a00, 0x00cf
        dw      0xffff, 0, 0x9200, 0x00cf
        dw      0xffff, 0, 0xfa00, 0x00cf
        dw      0xffff, 0, 0xf200, 0x00cf
        dw      TSS_SIZE - 1, 0, 0x8900, 0
        dw      0xffff, 0, 0x9a00, 0
        dw      0xffff, 0, 0x9200, 0
        times   SPARES dq 0
gdt_end:
gdt_pointer:
        dw      gdt_end - gdt - 1
        dd      gdt
idt_pointer:
        dw      VECTORS * 8 - 1
        dd      idt

section .bss
        alignb  PAGE_SIZE
page_directory: resb PAGE_SIZE
page_table:     resb PAGE_SIZE
idt:            resb VECTORS * 8
        alignb  16
tss:            resb TSS_SIZE + 16
        alignb  16
                resb 4096
stack0_top:                                     ; where interrupts in ring 3 push
                resb 4096
stack3_top:
                resb 4096
stack_top:                                      ; the guest's own
checks_done:    resd 1
checks_failed:  resd 1
on_tcg:         resb 1                          ; we run on QEMU's TCG
tcg_differs:    resb 1                          ; how many checks may fail there
        alignb  4
resume:         resd 1
resume_esp:     resd 1
hook:           resd 1                          ; if set, called first; see catch_exception
got:                                            ; the exception caught last
.vector:        resd 1
.error:         resd 1
.eip:           resd 1
.cs:            resd 1
.eflags:        resd 1
.esp:           resd 1
.ss:            resd 1
.cr2:           resd 1
.edi:           resd 1                          ; as PUSHAD has it
.esi:           resd 1
.ebp:           resd 1
.unused:        resd 1
.ebx:           resd 1
.edx:           resd 1
.ecx:           resd 1
.eax:           resd 1
.v86:           resd 4                          ; es, ds, fs, gs, where EFLAGS has VM

; -- Start and end ------------------------------------------------------------------------------------------

section .text
entry:
        cli
        cld
        mov     esp, stack_top
        mov     edi, page_directory
        mov     ecx, image_end
        sub     ecx, edi
        mov     edx, ebx
        xor     eax, eax
        rep stosb
        push    edx                             ; Multiboot information
        call    serial_start
        call    detect_tcg

        mov     eax, tss
        mov     [gdt + TSS_SELECTOR + 2], ax
        shr     eax, 16
        mov     [gdt + TSS_SELECTOR + 4], al
        mov     dword [tss + TSS_ESP0], stack0_top
        mov     dword [tss + TSS_SS0], KERNEL_DATA
        mov     word [tss + TSS_IO_MAP], TSS_SIZE        ; beyond the limit: none
        lgdt    [gdt_pointer]
        jmp     KERNEL_CODE:.code
.code:
        mov     eax, KERNEL_DATA
        mov     ss, eax
        call    load_data_segments
        mov     eax, TSS_SELECTOR
        ltr     ax

        xor     ecx, ecx
.gate:
        imul    eax, ecx, vector_1 - vector_0
        add     eax, vector_0
        mov     [idt + ecx * 8], ax
        shr     eax, 16
        mov     [idt + ecx * 8 + 6], ax
        mov     dword [idt + ecx * 8 + 2], 0x8e000000 | KERNEL_CODE
        inc     ecx
        cmp     ecx, VECTORS
        jb      .gate
        or      byte [idt + VEC_NONE * 8 + 5], 0x60
        lidt    [idt_pointer]

        mov     edi, page_table
        mov     eax, PTE_ALL
        mov     ecx, 1024
.page:
        stosd
        add     eax, PAGE_SIZE
        loop    .page
        mov     dword [page_directory], page_table + PTE_ALL
        mov     eax, page_directory
        mov     cr3, eax
        mov     eax, cr0
        and     eax, ~(CR0_EM | CR0_TS | CR0_AM)
        or      eax, CR0_PG | CR0_WP | CR0_NE | CR0_MP
        mov     cr0, eax
        pop     ebx
        jmp     test_main                       ; EBX = Multiboot information, as at entry

; A check has found what it should not.
test_end:
        mov     esi, NAME
        call    print
        cmp     dword [checks_failed], 0
        jne     .failed
        print_string `: all checks passed\n`
        mov     eax, DEBUG_EXIT_PASSED
        jmp     debug_exit_or_off
.failed:
        print_string `: FAILED `
        mov     eax, [checks_failed]
        call    print_decimal
        print_string ` of `
        mov     eax, [checks_done]
        call    print_decimal
        print_string ` checks\n`
        mov     eax, DEBUG_EXIT_FAILED

; isa-debug-exit; where there is no such device, power off.
debug_exit_or_off:
        mov     dx, DEBUG_EXIT
        out     dx, eax
        jmp     power_off

load_data_segments:
        push    eax
        mov     eax, USER_DATA
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        pop     eax
        ret

; TCG gives its name in the hypervisor's CPUID leaf.
detect_tcg:
        pushad
        mov     eax, 0x40000000
        cpuid
        cmp     ebx, "TCGT"
        sete    [on_tcg]
        popad
        ret

; Goes on at the return address in ring 3, with IF clear and no I/O privilege.
enter_ring3:
        pop     dword [.eip]
        push    dword USER_DATA
        push    dword stack3_top
        push    dword [ring3_eflags]
        push    dword USER_CODE
        push    dword [.eip]
        iretd
section .data
.eip:   dd      0
ring3_eflags:
        dd      EFLAGS_1
section .text

; -- Exceptions -----------------------------------------------------------------------------------------------

HAS_ERROR_CODE  equ 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17

%assign vector 0
%rep VECTORS
vector_ %+ vector:
    %if vector < 32 && (HAS_ERROR_CODE >> vector & 1)
        times   5 nop                           ; all entries are of one size
    %else
        push    dword NO_ERROR
    %endif
        push    strict dword vector
        jmp     near catch_exception
    %assign vector vector + 1
%endrep

; Stack: vector, error code, EIP, CS, EFLAGS, from ring 3 also ESP, SS, from virtual-8086 mode also ES,
; DS, FS, GS. A hook is called with EBP = address of all that below PUSHAD's registers; if it returns
; with carry clear, the interrupted code goes on.
catch_exception:
        pushad
        mov     ebp, esp
        call    load_data_segments
        cld
        cmp     dword [hook], 0
        je      .store
        call    [hook]
        jc      .store
        popad
        add     esp, 8
        iretd
.store:
        mov     esi, ebp
        mov     edi, got.edi
        mov     ecx, 8
        rep movsd
        mov     edi, got.vector
        mov     ecx, 5
        rep movsd
        mov     eax, cr2
        mov     [got.cr2], eax
        test    dword [got.eflags], EFLAGS_VM
        jnz     .other_stack
        test    byte [got.cs], 3
        jnz     .other_stack
        mov     [got.esp], esi
        mov     [got.ss], ss
        jmp     .go_on
.other_stack:
        mov     edi, got.esp
        movsd
        movsd
        mov     edi, got.v86
        mov     ecx, 4
        rep movsd
.go_on:
        popad
        mov     esp, [resume_esp]
        push    dword [resume]
        push    dword EFLAGS_1
        popfd
        ret

; -- Checks ----------------------------------------------------------------------------------------------------

; Arguments: name, found, expected.
check_equal:
        push    eax
        mov     eax, [esp + 12]
        cmp     eax, [esp + 16]
        pop     eax
        je      .right
        call    count_failure
        jc      .end
        push    eax
        push    esi
        call    print_name
        mov     esi, [esp + 12]
        call    print
        print_string `: `
        mov     eax, [esp + 16]
        call    print_hex
        print_string `, expected `
        mov     eax, [esp + 20]
        call    print_hex
        call    print_newline
        pop     esi
        pop     eax
        jmp     .end
.right:
        call    count_success
.end:
        ret     12

; Arguments: name, vector, error code, EIP.
check_caught:
        push    eax
        mov     eax, [esp + 12]
        cmp     eax, [got.vector]
        jne     .wrong
        mov     eax, [esp + 16]
        cmp     eax, [got.error]
        jne     .wrong
        mov     eax, [esp + 20]
        cmp     eax, [got.eip]
        jne     .wrong
        call    count_success
        jmp     .end
.wrong:
        call    count_failure
        jc      .end
        push    esi
        call    print_name
        mov     esi, [esp + 12]
        call    print
        print_string `: vector `
        mov     eax, [got.vector]
        call    print_decimal
        print_string ` error `
        mov     eax, [got.error]
        call    print_hex
        print_string ` eip `
        mov     eax, [got.eip]
        call    print_hex
        print_string `, expected `
        mov     eax, [esp + 16]
        call    print_decimal
        print_string ` error `
        mov     eax, [esp + 20]
        call    print_hex
        print_string ` eip `
        mov     eax, [esp + 24]
        call    print_hex
        call    print_newline
        pop     esi
.end:
        pop     eax
        ret     16

; Carry: not to be reported.
count_failure:
        inc     dword [checks_done]
        cmp     byte [tcg_differs], 0
        je      .count
        dec     byte [tcg_differs]
        cmp     byte [on_tcg], 0
        je      .count
        stc
        ret
.count:
        inc     dword [checks_failed]
        clc
        ret

count_success:
        inc     dword [checks_done]
        cmp     byte [tcg_differs], 0
        je      .end
        dec     byte [tcg_differs]
.end:
        ret

print_name:
        push    esi
        mov     esi, NAME
        call    print
        print_string `: FAILED `
        pop     esi
        ret

; -- Serial port ---------------------------------------------------------------------------------------------

serial_start:
        mov     dx, 0x3f8 + 3
        mov     al, 0x03                        ; 8N1
        out     dx, al
        mov     dx, 0x3f8 + 1
        mov     al, 0                           ; no interrupts
        out     dx, al
        mov     dx, 0x3f8 + 2
        mov     al, 7                           ; FIFOs
        out     dx, al
        ret

; AL = character.
putc:
        cmp     al, `\n`
        jne     serial_put
        push    eax
        mov     al, `\r`
        call    serial_put
        pop     eax
serial_put:
        push    edx
        push    eax
        mov     dx, 0x3f8 + 5
.wait:
        in      al, dx
        test    al, 0x20
        jz      .wait
        pop     eax
        mov     dx, 0x3f8
        out     dx, al
        pop     edx
        ret
