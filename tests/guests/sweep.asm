; SPDX-License-Identifier: MIT
;
; Accesses all over the address space by code that has run before: each one that must fault does, as
; the SDM says (2A for the instructions, 3A chapters 3 to 6), and changes nothing. A translator that
; leaves checks to the host has to be right about each of these places.
;
; Each instruction of a table, a template, is copied to a fresh place for each address, runs WARM
; times with an address that is allowed, and then strikes the one that is not. All of it is done
; twice: the second time there is code on the pages that are allowed, so that translators make the
; writes in their way for that.

%include "lib/image.asm"
%include "lib/test.asm"
%include "lib/long.asm"

section .strings
NAME:   db      "sweep", 0

WARM            equ 12
PLACES_BYTES    equ 0x8000
PLACE           equ 64
W               equ PF_W                        ; what a template does: it writes,
RMW             equ 0x100 | PF_W                ; reads and writes,
STACK           equ 0x200                       ; is an access to the stack segment,
JUMP            equ 0x400                       ; a jump
PF_I            equ 0x10
PATTERN         equ 0x5a5a5a5a
ISLAND          equ 0x40001000                  ; linear: a page between missing ones
LOW_PLACE       equ 0x8000                      ; 16-bit code
LOW_HOLE        equ 0x9000                      ; a missing page
LOW_GOOD        equ 0x7800                      ; offset in segments
HIGH_BASE       equ 0x3f8000                    ; of a segment that reaches beyond what is mapped
HIGH16          equ SPARE + 0xa8
GATE_IST        equ 4                           ; in a 64-bit gate

; In a table: name, begin, length, offset of the instruction, bytes of the access, what it does, what
; is added to the register for the address, base of its segment (16-bit code).
                struc   template
.name:          resd    1
.begin:         resd    1
.length:        resd    1
.at:            resd    1
.size:          resd    1
.what:          resd    1
.delta:         resd    1
.base:          resd    1
                endstruc

; Bits, bytes, what, delta, base, instruction before and after it or nothing, instruction.
%macro TEMPLATE 7+
        AROUND  %1, %2, %3, %4, %5, {%6}, {%6}, %7
%endmacro

; The same with an instruction behind it only.
%macro BEFORE 7+
        AROUND  %1, %2, %3, %4, %5,, {%6}, %7
%endmacro

%macro AROUND 8+
    [section .strings]
%%name: db      %str(%8), 0
    [section .user]
        bits    %1
%%begin:
        %6
%%at:   %8
        %7
    %if %1 == 16
        o32 retf
    %else
        ret
    %endif
%%end:
    [section .data]
        dd      %%name, %%begin, %%end - %%begin, %%at - %%begin, %2, %3, %4, %5
%endmacro

; -- Templates -------------------------------------------------------------------------------------------------------
;
; rBX, rSI and rDI hold the address minus delta, in 64-bit code RBP and R10 too; rCX is 1, rDX 1111h.

%macro MOVE_CMP 3                               ; register, by, address
        add     %1, %2
        cmp     eax, [%3]
%endmacro

section .data
        align   8
%macro COMMON_TEMPLATES 2                       ; bits, letter of the address registers
        TEMPLATE %1, 1, 0, 0, 0,, mov al, [%2bx]
        TEMPLATE %1, 1, 0, 0, 0,, mov ah, [%2bx]
        TEMPLATE %1, 2, 0, 0, 0,, mov ax, [%2bx]
        TEMPLATE %1, 4, 0, 0, 0,, mov eax, [%2bx]
        TEMPLATE %1, 2, 0, 0, 0,, movzx eax, word [%2bx]
        TEMPLATE %1, 4, 0, 0x1111 * 8 + 0x7fff0000, 0,, mov eax, [%2bx + %2dx * 8 + 0x7fff0000]
        BEFORE %1, 4, 0, 0, 0, {cmp eax, [%2bx + 4]}, mov eax, [%2bx]
        BEFORE %1, 4, 0, 0, 0, {MOVE_CMP %2bx, 4, %2bx}, mov eax, [%2bx]
        BEFORE %1, 4, W, 0x12345800, 0, {cmp [%2bx + 0x12345804], eax}, mov [%2bx + 0x12345800], eax
        BEFORE %1, 4, 0, 0x12345012, 0, {MOVE_CMP %2bx, 4, %2bx + 0x12345012}, mov eax, [%2bx + 0x12345012]
        BEFORE %1, 4, W, -0x7fff0ff0, 0, {cmp [%2bx - 0x7fff0fec], eax}, mov [%2bx - 0x7fff0ff0], eax
        BEFORE %1, 4, 0, 0x1111 * 8 + 16, 0, {cmp [%2bx + %2dx * 8 + 20], eax}, mov eax, [%2bx + %2dx * 8 + 16]
        BEFORE %1, 4, W, 0x1111 * 4, 0, {MOVE_CMP %2dx, 1, %2bx + %2dx * 4}, mov [%2bx + %2dx * 4], eax
        TEMPLATE %1, 4, 0, -0x80, 0,, mov eax, [%2bx - 0x80]
        TEMPLATE %1, 1, W, 0, 0,, mov [%2bx], al
        TEMPLATE %1, 1, W, 0, 0,, mov [%2bx], dh
        TEMPLATE %1, 2, W, 0, 0,, mov [%2bx], ax
        TEMPLATE %1, 4, W, 0, 0,, mov [%2bx], eax
        TEMPLATE %1, 4, W, 0, 0,, mov dword [%2bx], 0x12345678
        TEMPLATE %1, 1, W, 0, 0,, setz [%2bx]
        TEMPLATE %1, 4, RMW, 0, 0,, add [%2bx], eax
        TEMPLATE %1, 1, RMW, 0, 0,, not byte [%2bx]
        TEMPLATE %1, 4, RMW, 0, 0,, lock xadd [%2bx], eax
        TEMPLATE %1, 4, RMW, 0, 0,, xchg [%2bx], eax
        TEMPLATE %1, 4, RMW, 0, 0,, cmpxchg [%2bx], edx
        TEMPLATE %1, 8, RMW, 0, 0,, cmpxchg8b [%2bx]
        TEMPLATE %1, 4, RMW, 0, 0,, shl dword [%2bx], cl
        TEMPLATE %1, 4, RMW, 0, 0,, bts dword [%2bx], 3
        TEMPLATE %1, 4, RMW, 0x220, 0,, bts dword [%2bx], edx
        TEMPLATE %1, 4, 0, 0, 0,, imul eax, [%2bx], 5
        TEMPLATE %1, 4, 0, 0, 0,, div dword [%2bx]
        TEMPLATE %1, 4, 0, 0, 0,, cmovnz eax, [%2bx]
        TEMPLATE %1, 16, 0, 0, 0,, movups xmm0, [%2bx]
        TEMPLATE %1, 16, W, 0, 0,, movups [%2bx], xmm0
        TEMPLATE %1, 8, W, 0, 0,, movq [%2bx], xmm0
        TEMPLATE %1, 1, 0, 0, 0,, movsb
        TEMPLATE %1, 4, 0, 0, 0,, lodsd
        TEMPLATE %1, 4, W, 0, 0,, stosd
        TEMPLATE %1, 4, W, 0, 0,, rep stosd
        TEMPLATE %1, 1, 0, 0, 0,, repe scasb
        TEMPLATE %1, 0, JUMP, 0, 0,, jmp %2bx
        TEMPLATE %1, 0, JUMP, 0, 0,, call %2bx
%endmacro

table64:
        COMMON_TEMPLATES 64, r
        TEMPLATE 64, 8, 0, 0, 0,, mov rax, [rbx]
        TEMPLATE 64, 8, W | STACK, 0, 0,, mov [rbp], rax
        TEMPLATE 64, 4, STACK, 0x10, 0,, mov eax, [rbp + 0x10]
        TEMPLATE 64, 8, W, 0, 0,, mov [rbx], r11
        TEMPLATE 64, 8, W, 0, 0,, mov [r10], rax
        TEMPLATE 64, 8, RMW, 0, 0,, add [r10], r11
        BEFORE 64, 8, W, 0x12345800, 0, {cmp [r10 + 0x12345808], rax}, mov [r10 + 0x12345800], rax
        BEFORE 64, 8, W, 0x1111, 0, {cmp [r10 + rdx + 8], r11}, mov [r10 + rdx], r11
        BEFORE 64, 8, W | STACK, -0x1000, 0, {cmp [rbp - 0xff8], rcx}, mov [rbp - 0x1000], rcx
        TEMPLATE 64, 8, W | STACK, 8, 0, {xchg rsp, rbx}, mov [rsp + 8], rax
        TEMPLATE 64, 8, W | STACK, -8, 0, {xchg rsp, rbx}, push rax
        TEMPLATE 64, 8, W | STACK, -8, 0, {xchg rsp, rbx}, push r11
        TEMPLATE 64, 8, W | STACK, -8, 0, {xchg rsp, rbx}, push strict dword 5
        TEMPLATE 64, 8, STACK, 0, 0, {xchg rsp, rbx}, pop rax
        TEMPLATE 64, 8, 0, 0, 0,, cmp rax, [rbx]
        TEMPLATE 64, 8, 0, 0, 0,, jmp [rbx]
        TEMPLATE 64, 8, 0, 0, 0,, call [rbx]
table64_end:

table32:
        COMMON_TEMPLATES 32, e
        TEMPLATE 32, 4, 0, 0, 0,, jmp [ebx]
table32_end:

table16:
        TEMPLATE 16, 2, 0, 0, 0,, mov ax, [gs:bx]
        TEMPLATE 16, 4, 0, 0, 0,, mov eax, [gs:bx]
        TEMPLATE 16, 2, W, 2, 0,, mov [gs:bx + 2], ax
        TEMPLATE 16, 4, RMW, 0, 0,, add [gs:bx], eax
        TEMPLATE 16, 16, 0, 0, 0,, movups xmm0, [gs:bx]
        TEMPLATE 16, 2, 0, 0, 0,, gs lodsw
        TEMPLATE 16, 1, 0, 0, HIGH_BASE,, mov al, [fs:bx]
        TEMPLATE 16, 2, 0, 0, HIGH_BASE,, mov ax, [fs:bx]
        TEMPLATE 16, 4, W, 0, HIGH_BASE,, mov [fs:bx], eax
        TEMPLATE 16, 2, RMW, 0, HIGH_BASE,, inc word [fs:bx]
        TEMPLATE 16, 4, W, -1, HIGH_BASE,, mov [fs:bx + si - 1], eax
table16_end:

; -- Addresses -------------------------------------------------------------------------------------------------------

addresses64:
        dq      ISLAND - 1, ISLAND - 3, ISLAND - 7, ISLAND - 15, ISLAND - 16, ISLAND - 0x800
        dq      ISLAND + 0x1000, ISLAND + 0xfff, ISLAND + 0xffd, ISLAND + 0xff9, ISLAND + 0xff1
        dq      0x40000000, 0x7ffffff8, 0x80000000, 0xfffffff8, 0xfffffffc, 0xffffffff, 0x100000000
%assign bit 31                                  ; as far from memory as an entry's index has bits, and more
%rep 33
        dq      good + (1 << bit), good - (1 << bit)
    %assign bit bit + 1
%endrep
        dq      good + (3 << 36), good + (0x7ff << 36), good + (0x800 << 36), good - (0x800 << 36)
        dq      good + (0x801 << 36), good - (0x7ff << 36), good + (0x1234567 << 36)
        dq      ISLAND + (1 << 36), ISLAND - (1 << 36), ISLAND + (0x400 << 36), ISLAND + (0x600 << 36)
        dq      -1, -3, -8, -16, -0x1000, -0x80000000, 0xffffffffff600000, 0xffffffffff600400
        dq      0x00007fffffffffff, 0x00007ffffffffff1, 0x00007fffffffffc0, 0x0000800000000000
        dq      0xffff7fffffffffff, 0xffff800000000000, 0xffff7ffffffffff9, 0x8000000000000000
        dq      0x7fffffffffffffff, 0x8000000000000008
addresses64_end:

addresses32:
        dd      island32 - 1, island32 - 3, island32 - 15, island32 - 16, island32 - 0x800
        dd      island32 + 0x1000, island32 + 0xfff, island32 + 0xffd, island32 + 0xff1
        dd      0x400000, 0x3fffff, 0x3ffffd, 0x3ffff1, 0x400800, 0x7ffffff0, 0x7ffffffe, 0x7fffffff
        dd      0x80000000, 0xbffffffd, 0xc0000000, 0xffbffffe, 0xfffff000, 0xffffffe0, 0xfffffff0
%assign bit 22
%rep 10
        dd      good + (1 << bit)
    %assign bit bit + 1
%endrep
addresses32_end:

; Offsets; also where an access ends at FFFFh, which is allowed.
addresses16:
        dd      0xffff, 0xfffe, 0xfffd, 0xfffc, 0xfff1, 0xfff0, 0x8ffd, 0x8fff, 0x9000, 0x9fff
        dd      0x7fff, 0x7ffd, 0x8000, 0xc000
addresses16_end:

section .bss
        alignb  PAGE_SIZE
good_page:      resb PAGE_SIZE
hole32:         resb PAGE_SIZE
island32:       resb PAGE_SIZE
hole32_end:     resb PAGE_SIZE
places:         resb PLACES_BYTES
pd_1g:          resb PAGE_SIZE
pt_1g:          resb PAGE_SIZE
good            equ good_page + 0x800
next_place:     resd 1
beside_code:    resb 1                          ; there is code beside what is allowed
        alignb  8
struck:         resq 1                          ; where the instruction is that has to fault
want_vector:    resq 1
want_error:     resq 1
want_cr2:       resq 1
strikes:        resd 1
warm_left:      resd 1
far16:          resd 2

section .text
        bits    32

RET_INSN        equ 0xc3

test_main:
        mov     eax, cr4
        or      eax, CR4_OSFXSR
        mov     cr4, eax
        mov     byte [good_page], RET_INSN
        mov     byte [LOW_GOOD + 0x100], RET_INSN
        mov     byte [LOW_GOOD + HIGH_BASE + 0x100], RET_INSN
        call    sweep
        cmp     dword [strikes], 1000
        setae   al
        movzx   eax, al
        CHECK   "more than 1000 strikes", eax, 1
        inc     byte [beside_code]
        call    sweep
        jmp     test_end

sweep:
        call    sweep32
        call    sweep16
        call    has_long_mode
        jz      .end
        ENTER64
        call    sweep64
        LEAVE64
.end:   ret

; Let there be code on the allowed pages, if there is to be any.
use_code:
        cmp     byte [beside_code], 0
        je      .end
        call    good_page
        call    LOW_GOOD + 0x100
        call    LOW_GOOD + HIGH_BASE + 0x100
.end:   ret

; EBP = template: copied to a fresh place, which is left in EDX.
copy_template:
        mov     eax, [next_place]
        lea     edx, [eax + places]
        add     eax, PLACE
        and     eax, PLACES_BYTES - 1
        mov     [next_place], eax
        mov     edi, edx
        mov     esi, [ebp + template.begin]
        mov     ecx, [ebp + template.length]
        cld
        rep movsb
        ret

; Name of the template, what was found, what was expected.
%macro CHECK_STRIKE 2
        push    dword %2
        push    dword %1
        push    dword [ebp + template.name]
        call    check_equal
%endmacro

; -- 32-bit code -----------------------------------------------------------------------------------------------------

sweep32:
        SET_PAGE hole32, 0
        SET_PAGE hole32_end, 0
        mov     ebp, table32
.template:
        mov     ebx, addresses32
.address:
        push    ebp
        push    ebx
        mov     ebx, [ebx]
        call    expect32
        jnc     .next
        call    strike32
.next:
        pop     ebx
        pop     ebp
        add     ebx, 4
        cmp     ebx, addresses32_end
        jb      .address
        add     ebp, template_size
        cmp     ebp, table32_end
        jb      .template
        ret

; EBP = template, EBX = linear address -> carry and want_*: it faults.
expect32:
        mov     ecx, [ebp + template.size]
        mov     eax, ebx
        and     eax, ~0xfff
        cmp     eax, island32
        je      .second
        cmp     eax, 0x400000 - PAGE_SIZE
        je      .second
        mov     eax, ebx
        jmp     .faults
.second:
        test    dword [ebp + template.what], JUMP
        jnz     .no
        lea     edx, [ebx + ecx - 1]
        and     edx, ~0xfff
        cmp     edx, eax
        mov     eax, edx
        je      .no
.faults:
        mov     [want_cr2], eax
        mov     dword [want_vector], VEC_PF
        mov     eax, [ebp + template.what]
        and     eax, PF_W
        mov     [want_error], eax
        stc
        ret
.no:
        clc
        ret

%macro PATTERN_AT 1
        mov     dword [%1], PATTERN
        mov     dword [%1 + 0xffc], PATTERN
%endmacro

; Registers for a template, with address %1.
%macro LOAD_32 1
        mov     ebx, %1
        sub     ebx, [ebp + template.delta]
        mov     esi, ebx
        mov     edi, ebx
        mov     ecx, 1
        mov     edx, 0x1111
        mov     eax, 0x5a
%endmacro

; EBP = template, EBX = linear address that it faults at.
strike32:
        call    copy_template
        push    edx
        push    ebx
        PATTERN_AT island32
        mov     dword [warm_left], WARM
.warm:
        call    use_code
        mov     dword [good], just_return
        mov     dword [good + 4], 0
        mov     eax, good
        test    dword [ebp + template.what], JUMP
        jz      .load
        mov     eax, just_return
.load:
        LOAD_32 eax
        call    [esp + 4]
        dec     dword [warm_left]
        jnz     .warm
        inc     dword [strikes]
        mov     eax, [esp + 4]
        add     eax, [ebp + template.at]
        test    dword [ebp + template.what], JUMP
        jz      .at
        mov     eax, [esp]
.at:
        mov     [struck], eax
        push    dword [good]
        CATCH   .after
        LOAD_32 [esp + 4]
        call    [esp + 8]
        int     VEC_NONE
.after:
        call    check_fault
        pop     eax
        CHECK_STRIKE [good], eax
        CHECK_STRIKE [island32], PATTERN
        CHECK_STRIKE [island32 + 0xffc], PATTERN
        add     esp, 8
just_return:
        ret

; EBP = template; what was caught is what was wanted.
check_fault:
        CHECK_STRIKE [got.vector], [want_vector]
        CHECK_STRIKE [got.eip], [struck]
        cmp     dword [want_vector], VEC_PF
        jne     .error
        CHECK_STRIKE [got.cr2], [want_cr2]
        cmp     dword [ebp + template.what], RMW
        jne     .error
        TCG_DIFFERS                             ; reads first
.error:
        CHECK_STRIKE [got.error], [want_error]
        ret

; -- 16-bit code -----------------------------------------------------------------------------------------------------

sweep16:
        DESCRIPTOR HIGH16, HIGH_BASE, 0xffff, 0x92, 0
        SET_PAGE LOW_HOLE, 0
        mov     eax, DATA16
        mov     gs, eax
        mov     eax, HIGH16
        mov     fs, eax
        mov     dword [far16], LOW_PLACE
        mov     dword [far16 + 4], CODE16
        mov     ebp, table16
.template:
        mov     ebx, addresses16
.address:
        push    ebx
        mov     ebx, [ebx]
        call    expect16
        jnc     .next
        call    strike16
.next:
        pop     ebx
        add     ebx, 4
        cmp     ebx, addresses16_end
        jb      .address
        add     ebp, template_size
        cmp     ebp, table16_end
        jb      .template
        SET_PAGE LOW_HOLE, PTE_ALL
        call    load_data_segments
        ret

; EBP = template, EBX = offset -> carry and want_*: it faults.
expect16:
        mov     edx, [ebp + template.size]
        lea     edx, [ebx + edx - 1]            ; the last byte
        mov     dword [want_vector], VEC_GP
        mov     dword [want_error], 0
        cmp     edx, 0xffff
        ja      .beyond
        mov     dword [want_vector], VEC_PF
        mov     eax, [ebp + template.what]
        and     eax, PF_W
        mov     [want_error], eax
        mov     eax, [ebp + template.base]
        lea     ecx, [ebx + eax]
        add     edx, eax
        call    .is_missing
        jz      .faults
        mov     ecx, edx
        and     ecx, ~0xfff
        call    .is_missing
        jz      .faults
.none:
        clc
        ret
.beyond:
        cmp     byte [on_tcg], 0                ; has no limits
        jne     .none
.faults:
        stc
        ret
; ZF: linear address ECX is on a missing page; want_cr2 = ECX.
.is_missing:
        mov     [want_cr2], ecx
        mov     eax, ecx
        shr     eax, 12
        cmp     eax, LOW_HOLE >> 12
        je      .end
        cmp     eax, 0x400000 >> 12
        jb      .end
        cmp     eax, eax
.end:
        ret

%macro LOAD_16 1
        LOAD_32 %1
        and     ebx, 0xffff
        xor     esi, esi
        cmp     dword [ebp + template.base], 0
        cmove   esi, ebx
%endmacro

; EBP = template, EBX = offset that it faults at. The code is always at one place, below 64 KiB, and
; ready to be translated again each time.
strike16:
        push    ebx
        mov     esi, [ebp + template.begin]
        mov     edi, LOW_PLACE
        mov     ecx, [ebp + template.length]
        cld
        rep movsb
        mov     dword [warm_left], WARM
.warm:
        call    use_code
        LOAD_16 LOW_GOOD
        call    far [far16]
        dec     dword [warm_left]
        jnz     .warm
        inc     dword [strikes]
        mov     eax, LOW_PLACE
        add     eax, [ebp + template.at]
        mov     [struck], eax
        CATCH   .after
        LOAD_16 [esp]
        call    far [far16]
        int     VEC_NONE
.after:
        mov     eax, DATA16
        mov     gs, eax
        mov     eax, HIGH16
        mov     fs, eax
        call    check_fault
        pop     ebx
        ret

; -- 64-bit code -----------------------------------------------------------------------------------------------------

        bits    64

sweep64:
        mov     byte [idt64 + VEC_SS * 16 + GATE_IST], 1
        mov     byte [idt64 + VEC_GP * 16 + GATE_IST], 1
        mov     byte [idt64 + VEC_PF * 16 + GATE_IST], 1
        mov     dword [pdpt + 8], pd_1g + PTE_ALL
        mov     dword [pd_1g], pt_1g + PTE_ALL
        mov     dword [pt_1g + (ISLAND >> 12 & 511) * 8], island32 + PTE_ALL
        mov     r15d, table64
.template:
        mov     r14d, addresses64
.address:
        mov     r13, [r14]
        call    expect64
        jnc     .next
        call    strike64
.next:
        add     r14, 8
        cmp     r14, addresses64_end
        jb      .address
        add     r15, template_size
        cmp     r15, table64_end
        jb      .template
        ret

; RAX -> ZF: it is canonical. RAX is lost.
is_canonical:
        push    rcx
        mov     rcx, rax
        sar     rcx, 47
        add     rcx, 1
        and     rcx, ~1
        pop     rcx
        ret

; R15 = template, R13 = address -> carry and want_*: it faults.
expect64:
        mov     qword [want_error], 0
        mov     qword [want_vector], VEC_GP
        test    dword [r15 + template.what], STACK
        jz      .canonical
        mov     qword [want_vector], VEC_SS
.canonical:
        mov     rax, r13
        call    is_canonical
        jnz     .not_canonical
        mov     edx, [r15 + template.size]
        lea     rdx, [r13 + rdx - 1]            ; the last byte
        test    dword [r15 + template.what], JUMP
        cmovnz  rdx, r13
        mov     rax, rdx
        call    is_canonical
        jnz     .end_not_canonical
        mov     qword [want_vector], VEC_PF
        mov     eax, [r15 + template.what]
        mov     ecx, eax
        and     ecx, PF_W
        test    eax, JUMP
        mov     eax, PF_I
        cmovnz  ecx, eax
        mov     [want_error], rcx
        mov     [want_cr2], r13
        mov     rax, r13
        and     rax, ~0xfff
        cmp     rax, ISLAND
        jne     .faults
        and     rdx, ~0xfff
        mov     [want_cr2], rdx
        cmp     rdx, rax
        jne     .faults
.none:
        clc
        ret
.not_canonical:
        test    dword [r15 + template.what], STACK | JUMP
        jz      .faults
.end_not_canonical:
        cmp     byte [on_tcg], 0                ; knows #GP and first bytes, and jumps anywhere
        jne     .none
.faults:
        stc
        ret

; Registers for a template, with address %1.
%macro LOAD_64 1
        mov     rbx, %1
        movsxd  rcx, dword [r15 + template.delta]
        sub     rbx, rcx
        mov     rsi, rbx
        mov     rdi, rbx
        mov     rbp, rbx
        mov     r10, rbx
        mov     rcx, 1
        mov     edx, 0x1111
        mov     eax, 0x5a
        mov     r11, 1 << 63                    ; to follow this faults
%endmacro

; Name of the template, what was found, what was expected.
%macro CHECK64_STRIKE 2
        push    qword %2
        push    qword %1
        push    qword 0
        push    rcx
        mov     ecx, [r15 + template.name]
        mov     [rsp + 8], rcx
        pop     rcx
        call    check64
%endmacro

; R15 = template, R13 = address that it faults at.
strike64:
        mov     eax, [next_place]
        lea     r12d, [eax + places]
        add     eax, PLACE
        and     eax, PLACES_BYTES - 1
        mov     [next_place], eax
        mov     edi, r12d
        mov     esi, [r15 + template.begin]
        mov     ecx, [r15 + template.length]
        cld
        rep movsb
        PATTERN_AT island32
        mov     dword [warm_left], WARM
.warm:
        cmp     byte [beside_code], 0
        je      .data
        call    good_page
.data:
        mov     qword [good], just_return64
        mov     eax, good
        test    dword [r15 + template.what], JUMP
        jz      .load
        mov     eax, just_return64
.load:
        LOAD_64 rax
        call    r12
        dec     dword [warm_left]
        jnz     .warm
        inc     dword [strikes]
        mov     eax, [r15 + template.at]
        add     rax, r12
        test    dword [r15 + template.what], JUMP
        jz      .at
        cmp     qword [want_vector], VEC_PF     ; of the fetch
        cmove   rax, r13
.at:
        mov     [struck], rax
        push    qword [good]
        CATCH64 .after
        LOAD_64 r13
        call    r12
        int     VEC_NONE
.after:
        CHECK64_STRIKE [got64.vector], [want_vector]
        CHECK64_STRIKE [got64.rip], [struck]
        cmp     qword [want_vector], VEC_PF
        jne     .error
        CHECK64_STRIKE [got64.cr2], [want_cr2]
        cmp     dword [r15 + template.what], RMW
        jne     .error
        mov     byte [tcg_differs], 1           ; reads first
.error:
        CHECK64_STRIKE [got64.error], [want_error]
        pop     rax
        CHECK64_STRIKE [good], rax
        mov     eax, PATTERN
        mov     ecx, [island32]
        CHECK64_STRIKE rcx, rax
        mov     ecx, [island32 + 0xffc]
        CHECK64_STRIKE rcx, rax
just_return64:
        ret

IMAGE_END
