; SPDX-License-Identifier: MIT
;
; 64-bit mode: the way in and out, compatibility mode, interrupts and IST, SYSCALL and SYSRET, SWAPGS,
; canonical addresses, RIP-relative operands, pages (SDM 3A chapters 4 to 6 and 10.8; SDM 2).

%include "lib/image.asm"
%include "lib/test.asm"
%include "lib/long.asm"

section .strings
NAME:   db      "longmode", 0

HOT             equ 10000
HOT_SUM         equ HOT * (HOT + 1) / 2
SYSRET_BASE     equ SPARE + 0x40 | 3            ; then the user's data, then 64-bit code
SYSRET_DATA     equ SPARE + 0x48 | 3
SYSRET_CODE     equ SPARE + 0x50 | 3
SYSCALL_CODE    equ SPARE + 0x58                ; then the kernel's data
SYSCALL_DATA    equ SPARE + 0x60
BOTH_L_D        equ SPARE + 0x00                ; a code segment with L and D
CALL_GATE       equ SPARE + 0x68                ; two slots
IA32_STAR       equ 0xc0000081
IA32_LSTAR      equ 0xc0000082
IA32_FMASK      equ 0xc0000084
IA32_FS_BASE    equ 0xc0000100
IA32_GS_BASE    equ 0xc0000101
IA32_KERNEL_GS_BASE equ 0xc0000102
NOT_CANONICAL   equ 0x0000800000000000
FRAMES          equ 0x200000                    ; memory behind the image
PCID_TABLES     equ 0x300000
FRAME_A         equ 0x400000                    ; of 2 MiB
FRAME_B         equ 0x600000
FRAME_C         equ 0xa00000
HIGH            equ 0x800000                    ; linear, for pages of our own
FRAME_SIZE      equ 16 * 8                      ; what catch64 has below a frame without error code

section .bss
        alignb  16
gs_user:        resq 2
gs_kernel:      resq 2
far_pointer:    resq 2
seen:           resq 8

section .bss
        alignb  8
found:          resq 1

section .text
test_main:
        call    has_long_mode
        setnz   al
        movzx   eax, al
        CHECK   "64-bit mode", eax, 1
        cmp     eax, 1
        jne     .end
        DESCRIPTOR SYSRET_DATA, 0, 0xfffff, 0xf2, 0xc
        DESCRIPTOR SYSRET_CODE, 0, 0, 0xfa, 2
        DESCRIPTOR SYSCALL_CODE, 0, 0, 0x9a, 2
        DESCRIPTOR SYSCALL_DATA, 0, 0xfffff, 0x92, 0xc
        DESCRIPTOR BOTH_L_D, 0, 0, 0x9a, 6
        mov     eax, call_gate_target
        mov     [gdt + CALL_GATE], ax
        mov     word [gdt + CALL_GATE + 2], CODE64
        mov     word [gdt + CALL_GATE + 4], 0xec00
        shr     eax, 16
        mov     [gdt + CALL_GATE + 6], ax
        call    in_and_out
        ENTER64
        call    state
        call    rip_relative
        call    compatibility
        call    interrupts
        call    odd_frames
        call    canonical
        call    system_calls
        call    swap_gs
        call    gates
        call    pages
        call    pcids
        call    refused
        call    vectors
        LEAVE64
.end:
        jmp     test_end

; Again and again; registers survive but for upper halves.
in_and_out:
        mov     ecx, 300
        xor     ebx, ebx
.loop:
        push    ecx
        ENTER64
        mov     rax, 0x1111111100000001
        add     rbx, rax
        LEAVE64
        pop     ecx
        dec     ecx
        jnz     .loop
        CHECK   "in and out", ebx, 300
        mov     ecx, EFER
        rdmsr
        and     eax, EFER_LMA | EFER_LME
        CHECK   "EFER outside", eax, 0
        ret

        bits    64

; All registers of SSE and the x87 change in one block, in the middle of which something else is done.
DOUBLED         equ 20
vectors:
        mov     rax, cr4
        or      eax, CR4_OSFXSR
        mov     cr4, rax
  %assign n 0
  %rep 16
        mov     eax, n + 1
        movd    xmm%[n], eax
    %assign n n + 1
  %endrep
        fninit
        times 8 fld1
        mov     ecx, DOUBLED
.loop:
  %assign n 0
  %rep 16
        paddd   xmm%[n], xmm%[n]
    %assign n n + 1
  %endrep
        in      al, 0x80
        jmp     .x87
.x87:
  %rep 8
        fadd    st0, st0
        fincstp
  %endrep
        in      al, 0x80
        dec     ecx
        jnz     .loop
  %assign n 0
  %rep 16
        movd    eax, xmm%[n]
        CHECK64 "SSE registers", rax, (n + 1) << DOUBLED
    %assign n n + 1
  %endrep
  %rep 8
        fistp   qword [found]
        CHECK64 "x87 registers", [found], 1 << DOUBLED
  %endrep
        ret

state:
        mov     ecx, EFER
        rdmsr
        and     eax, EFER_LMA | EFER_LME
        CHECK64 "EFER", rax, EFER_LMA | EFER_LME
        mov     eax, cs
        CHECK64 "CS", rax, CODE64
        ; 32-bit results are zero-extended, others are not.
        mov     rbx, -1
        mov     ecx, HOT
        mov     rdx, -1
        xor     r8d, r8d
.loop:
        mov     rax, -1
        mov     eax, ecx
        add     r8, rax
        mov     rdx, -1
        mov     dx, cx
        mov     rbx, -1
        mov     bl, cl
        inc     rdx
        inc     rbx
        dec     ecx
        jnz     .loop
        CHECK64 "zero-extension", r8, HOT_SUM
        CHECK64 "16 bits are not extended", rdx, -0xfffe
        CHECK64 "8 bits are not extended", rbx, -0xfe
        mov     eax, -1
        movsxd  rbx, eax
        CHECK64 "movsxd", rbx, -1
        ret

rip_relative:
        lea     rax, [rel .here]
.here:
        CHECK64 "lea", rax, .here
        mov     ecx, HOT
        xor     ebx, ebx
        mov     qword [seen], 0
.loop:
        add     dword [rel seen], 0x12345678    ; the displacement counts from behind the immediate
        sub     dword [rel seen], 0x12345677
        add     byte [rel seen + 7], 1
        dec     ecx
        jnz     .loop
        mov     rax, HOT | (HOT & 0xff) << 56
        CHECK64 "with immediates", [seen], rax
        lea     eax, [rel .other]
        CHECK64 "lea of 32 bits", rax, .other
.other:
        db      0x67                            ; relative to EIP
        lea     rax, [rel .third]
.third:
        CHECK64 "relative to EIP", rax, .third
        ret

; -- Compatibility mode ----------------------------------------------------------------------------------

; A far jump there, and one back; 40h is INC EAX there, and REX here.
compatibility:
        mov     dword [far_pointer], .32
        mov     word [far_pointer + 4], KERNEL_CODE
        mov     ecx, HOT
        mov     rbx, 0x5555555500000000
        mov     r8, 0x123456789abcdef0
        mov     rsi, rsp
.loop:
        mov     rax, 0x1111111100000000
        jmp     far dword [far_pointer]
        bits    32
.32:    db      0x40                            ; inc eax
        db      0x40
        add     ebx, eax
        push    ecx                             ; 4 bytes
        pop     ecx
        jmp     CODE64:.64
        bits    64
.64:    dec     ecx
        jnz     .loop
        CHECK64 "compatibility mode", rbx, HOT * 2
        mov     rax, 0x123456789abcdef0
        CHECK64 "r8 survives it", r8, rax
        mov     rax, rsp
        CHECK64 "rsp survives it", rax, rsi
        ; Exceptions of 32-bit code come in 64-bit frames; limits hold there.
        CATCH64 .caught
        jmp     far dword [.to_fault]
        bits    32
.fault: ud2
        bits    64
.caught:
        CAUGHT64 "ud2 in compatibility mode", VEC_UD, NO_ERROR, .fault
        CHECK64 "its cs", [got64.cs], KERNEL_CODE
        ret
section .data
.to_fault:
        dd      .fault
        dw      KERNEL_CODE
section .text

; -- Interrupts -------------------------------------------------------------------------------------------

interrupts:
        ; Frames are aligned to 16 bytes, and always have SS:RSP.
        mov     rbx, rsp
        and     rsp, -16
        FAULT64 "ud2", VEC_UD, NO_ERROR, ud2
        lea     rax, [rsp - FRAME_SIZE]
        CHECK64 "frame of an aligned stack", [got64.handler_rsp], rax
        mov     eax, ss
        CHECK64 "saved ss", [got64.ss], rax
        sub     rsp, 4
        mov     rsi, rsp
        FAULT64 "ud2 off the boundary", VEC_UD, NO_ERROR, ud2
        lea     rax, [rsi - 12 - FRAME_SIZE]
        CHECK64 "frame of a stack off its boundary", [got64.handler_rsp], rax
        CHECK64 "saved rsp", [got64.rsp], rsi
        mov     rsp, rbx
        ; IST
        mov     byte [idt64 + VEC_UD * 16 + 4], 1
        FAULT64 "ud2 with IST", VEC_UD, NO_ERROR, ud2
        mov     byte [idt64 + VEC_UD * 16 + 4], 0
        CHECK64 "frame of IST 1", [got64.handler_rsp], ist1_top - FRAME_SIZE
        CHECK64 "saved rsp with IST", [got64.rsp], rsp
        ; From ring 3: RSP0, and SS becomes null.
        FAULT64_3 "ud2 in ring 3", VEC_UD, NO_ERROR, ud2
        CHECK64 "frame in RSP0", [got64.handler_rsp], stack0_top - FRAME_SIZE
        CHECK64 "its cs", [got64.cs], USER_CODE64
        CHECK64 "its ss", [got64.ss], USER_DATA
        CHECK64 "its rsp", [got64.rsp], stack3_top
        ; INT and IRETQ.
        lea     rax, [.handler]
        mov     edi, 0x40
        call    set_gate
        mov     ecx, HOT
        xor     ebx, ebx
        mov     rdx, rsp
.loop:
        push    rcx                             ; off its boundary, and on it
        int     0x40
        pop     rcx
        int     0x40
        dec     ecx
        jnz     .loop
        CHECK64 "int and iretq", rbx, HOT * 2
        mov     rax, rsp
        CHECK64 "int and iretq: rsp", rax, rdx
        CATCH64 .ring3
        RING3_64
        mov     ecx, HOT
        xor     ebx, ebx
.ring3_loop:
        int     0x40
        dec     ecx
        jnz     .ring3_loop
        int     VEC_NONE
.ring3:
        CHECK64 "int and iretq from ring 3", [got64.rbx], HOT
        TCG_DIFFERS 3                           ; counts in 16 bytes
        FAULT64_3 "int 41h in ring 3", VEC_GP, 0x41 * 8 + 2, int 0x41
        ret
.handler:
        inc     rbx
        iretq

; Frames that IRET must not take, again and again, so that it is translated; and one that it must take,
; with other flags.
FRAME_ROUNDS    equ 20

%macro FRAME64 4                                ; CS, RIP, flags, SS
        mov     rdx, rsp
        mov     rax, %2
        push    qword %4
        push    rdx
        push    qword %3
        push    qword %1
        push    rax
%endmacro

odd_frames:
        mov     ebx, FRAME_ROUNDS
.round:
        CATCH64 .no_code
        FRAME64 KERNEL_DATA, .bad, EFLAGS_1, KERNEL_DATA
.no_code_at:
        iretq
.no_code:
        CAUGHT64 "iretq to data", VEC_GP, KERNEL_DATA, .no_code_at
        TCG_SKIPS .no_check                     ; returns, and faults there
        CATCH64 .far_away
        FRAME64 CODE64, NOT_CANONICAL, EFLAGS_1, KERNEL_DATA
.far_away_at:
        iretq
.far_away:
        CAUGHT64 "iretq to where nothing can be", VEC_GP, 0, .far_away_at
.no_check:
        CATCH64 .bad_stack
        FRAME64 CODE64, .bad, EFLAGS_1, KERNEL_DATA | 1
.bad_stack_at:
        iretq
.bad_stack:
        CAUGHT64 "iretq with another level's stack", VEC_GP, KERNEL_DATA, .bad_stack_at
        CATCH64 .nested
        FRAME64 CODE64, .bad, EFLAGS_1, KERNEL_DATA
        pushfq
        or      dword [rsp], EFLAGS_NT
        popfq
.nested_at:
        iretq
.nested:
        CAUGHT64 "iretq with NT", VEC_GP, 0, .nested_at
        pushfq
        and     dword [rsp], ~EFLAGS_NT
        popfq
        FRAME64 CODE64, .good, EFLAGS_1 | 0x8d5 | EFLAGS_NT, KERNEL_DATA
        iretq
.bad:   int     VEC_NONE
.good:
        pushfq
        pop     rax
        CHECK64 "iretq: flags", rax, EFLAGS_1 | 0x8d5 | EFLAGS_NT
        push    qword EFLAGS_1
        popfq
        dec     ebx
        jnz     .round
        ret

; EDI = vector, RAX = handler: an interrupt gate for all rings.
set_gate:
        push    rdi
        shl     edi, 4
        lea     rdi, [rdi + idt64]
        mov     [rdi], ax
        shr     eax, 16
        mov     [rdi + 6], ax
        or      byte [rdi + 5], 0x60
        pop     rdi
        ret

; -- Canonical addresses ------------------------------------------------------------------------------------

canonical:
        mov     rbx, NOT_CANONICAL
        FAULT64 "read", VEC_GP, 0, mov rax, [rbx]
        FAULT64 "write", VEC_GP, 0, mov [rbx], al
        mov     rbp, rbx
        TCG_DIFFERS 6                           ; says #GP
        FAULT64 "through rbp", VEC_SS, 0, mov rax, [rbp]
        FAULT64 "through rbp and an index", VEC_SS, 0, mov rax, [rbp + rcx]
        mov     r12, rbx
        FAULT64 "through r12", VEC_GP, 0, mov rax, [r12]
        mov     r13, rbx
        FAULT64 "through r13", VEC_GP, 0, mov rax, [r13]
        mov     rsi, rbx
        FAULT64 "lodsb", VEC_GP, 0, lodsb
        mov     rbx, NOT_CANONICAL - 4
        TCG_DIFFERS 3                           ; reads what there is first
        FAULT64 "read across the border", VEC_GP, 0, mov rax, [rbx]
        mov     rbx, 0xffff7fffffffffff
        FAULT64 "the last one that is not", VEC_GP, 0, mov al, [rbx]
        ; Highest and lowest that are: not mapped.
        mov     rbx, NOT_CANONICAL - 1
        FAULT64 "the last one below", VEC_PF, 0, mov al, [rbx]
        mov     rbx, 0xffff800000000000
        FAULT64 "the first one above", VEC_PF, 0, mov al, [rbx]
        mov     rax, [got64.cr2]
        CHECK64 "cr2 has 64 bits", rax, rbx
        mov     rbx, NOT_CANONICAL
        TCG_SKIPS .no_jumps                     ; goes there first
        FAULT64 "jmp", VEC_GP, 0, jmp rbx
        FAULT64 "call", VEC_GP, 0, call rbx
        mov     rax, [got64.rsp]
        CHECK64 "call leaves rsp", rax, [resume64_rsp]
        push    rbx
        FAULT64 "ret", VEC_GP, 0, ret
        pop     rax
.no_jumps:
        mov     ecx, IA32_LSTAR
        mov     rdx, rbx
        shr     rdx, 32
        xor     eax, eax
        TCG_DIFFERS 3                           ; takes it
        FAULT64 "wrmsr LSTAR", VEC_GP, 0, wrmsr
        ; A stack that is not canonical, in ring 3.
        CATCH64 .stack
        RING3_64
        mov     rsp, NOT_CANONICAL + 16
.push:  push    rax
.stack:
        TCG_DIFFERS 3
        CAUGHT64 "push", VEC_SS, 0, .push
        ; A hot loop that ends there.
        mov     rbx, NOT_CANONICAL - 8 * HOT
        mov     rdi, rbx
        CATCH64 .hot
        xor     ecx, ecx
.loop:
        lea     rax, [rdi + rcx * 8]
        shl     rax, 17                         ; (these addresses are not mapped: only look at them)
        sar     rax, 17
        inc     ecx
        cmp     ecx, HOT
        jb      .loop
        mov     al, [rdi + rcx * 8]
.hot:
        CHECK64 "loop up to the border", [got64.rcx], HOT
        CHECK64 "loop up to the border: vector", [got64.vector], VEC_GP
        ret

; -- SYSCALL and SYSRET --------------------------------------------------------------------------------------

%macro WRMSR 2                                  ; MSR, 64-bit value
        mov     ecx, %1
        mov     rax, %2
        mov     rdx, rax
        shr     rdx, 32
        wrmsr
%endmacro

system_calls:
        WRMSR   IA32_STAR, (SYSRET_BASE << 48) | (SYSCALL_CODE << 32)
        WRMSR   IA32_LSTAR, .entry
        WRMSR   IA32_FMASK, 0x8d5 | EFLAGS_TF | EFLAGS_IF | EFLAGS_NT
        mov     [.kernel_rsp], rsp
        CATCH64 .caught
        RING3_64
        xor     ebx, ebx
        mov     r9d, HOT
        stc                                     ; ZF and PF are set too
.call:  syscall
.back:
        mov     r10d, cs
        mov     [seen + 24], r10
        mov     r10d, ss
        mov     [seen + 32], r10
        pushfq
        pop     r10
        mov     [seen + 40], r10
.loop:
        syscall
        dec     r9d
        jnz     .loop
        int     VEC_NONE
.caught:
        CHECK64 "syscalls", [got64.rbx], HOT + 1
        CHECK64 "rcx", [seen], .back
        CHECK64 "r11", [seen + 8], 0x47
        CHECK64 "flags in the kernel", [seen + 16], EFLAGS_1
        CHECK64 "cs behind sysret", [seen + 24], SYSRET_CODE
        CHECK64 "ss behind sysret", [seen + 32], SYSRET_DATA
        CHECK64 "flags behind sysret", [seen + 40], 0x47
        CHECK64 "cs in the kernel", [seen + 48], SYSCALL_CODE
        CHECK64 "ss in the kernel", [seen + 56], SYSCALL_DATA
        FAULT64_3 "sysret in ring 3", VEC_GP, 0, o64 sysret
        TCG_SKIPS .no_check                     ; returns, and faults in ring 3
        mov     rcx, NOT_CANONICAL
        mov     r11d, EFLAGS_1
        FAULT64 "sysret to where nothing can be", VEC_GP, 0, o64 sysret
        CHECK64 "which faults in ring 0", [got64.cs], CODE64
.no_check:
        mov     ecx, EFER
        rdmsr
        and     eax, ~EFER_SCE
        wrmsr
        FAULT64 "syscall without SCE", VEC_UD, NO_ERROR, syscall
        mov     ecx, EFER
        rdmsr
        or      eax, EFER_SCE
        wrmsr
        ret
.entry:
        mov     r8, rsp
        mov     rsp, [.kernel_rsp]
        pushfq
        pop     qword [seen + 16]
        mov     rsp, r8
        test    ebx, ebx
        jnz     .fast
        mov     [seen], rcx
        mov     [seen + 8], r11
        mov     r8d, cs
        mov     [seen + 48], r8
        mov     r8d, ss
        mov     [seen + 56], r8
.fast:
        inc     ebx
        o64 sysret
section .bss
.kernel_rsp:
        resq    1
section .text

; -- SWAPGS ------------------------------------------------------------------------------------------------------

swap_gs:
        mov     qword [gs_user], 3
        mov     qword [gs_kernel], 1000
        WRMSR   IA32_GS_BASE, gs_user
        WRMSR   IA32_KERNEL_GS_BASE, gs_kernel
        mov     ecx, HOT
        xor     ebx, ebx
.loop:
        add     rbx, [gs:0]
        swapgs
        add     rbx, [gs:0]
        swapgs
        dec     ecx
        jnz     .loop
        CHECK64 "swapgs", rbx, HOT * 1003
        FAULT64_3 "swapgs in ring 3", VEC_GP, 0, swapgs
        ; The base has 64 bits, and FS its own.
        WRMSR   IA32_FS_BASE, -0x1000
        mov     rax, [fs:gs_user + 0x1000]
        CHECK64 "fs with a negative base", rax, 3
        mov     eax, USER_DATA
        mov     fs, eax                         ; loads the base from the descriptor
        mov     rax, [fs:gs_user]
        CHECK64 "fs from a descriptor", rax, 3
        ; Other segments have no base and no limit.
        mov     eax, SPARE + 0x08
        mov     rbx, 0x00009210000000ff         ; 256 bytes at 100000h
        mov     [gdt + SPARE + 0x08], rbx
        mov     es, eax
        db      0x26                            ; es
        mov     rax, [gs_user]
        TCG_DIFFERS                             ; adds it where there is a prefix
        CHECK64 "es has no base", rax, 3
        xor     eax, eax
        mov     es, eax
        db      0x26                            ; es
        mov     rax, [gs_user]
        CHECK64 "es may be null", rax, 3
        mov     eax, USER_DATA
        mov     es, eax
        mov     gs, eax
        ret

; -- Call gates --------------------------------------------------------------------------------------------------

gates:
        mov     dword [far_pointer], 0
        mov     word [far_pointer + 4], CALL_GATE | 3
        CATCH64 .caught
        RING3_64
        mov     ecx, HOT / 10
        xor     ebx, ebx
.loop:
        call    far dword [far_pointer]
.back:
        dec     ecx
        jnz     .loop
        int     VEC_NONE
.caught:
        CHECK64 "calls through a gate", [got64.rbx], HOT / 10
        CHECK64 "its rsp", [seen], stack0_top - 32
        CHECK64 "its return address", [seen + 16], .back
        CHECK64 "its return cs", [seen + 24], USER_CODE64
        CHECK64 "its old rsp", [seen + 32], stack3_top
        CHECK64 "its old ss", [seen + 40], USER_DATA
        CHECK64 "its ss is null", [seen + 8], 0
        TCG_SKIPS .end                          ; does not look at the type in the second half
        mov     byte [gdt + CALL_GATE + 12 + 1], 0x0c
        CATCH64 .type
        RING3_64
.type_at:
        call    far dword [far_pointer]
.type:
        mov     byte [gdt + CALL_GATE + 12 + 1], 0
        CAUGHT64 "gate with a type in its second half", VEC_GP, CALL_GATE, .type_at
.end:
        ret
call_gate_target:
        mov     [seen], rsp
        mov     eax, ss
        mov     [seen + 8], rax
        mov     rsi, rsp
        lea     rdi, [seen + 16]
        movsq
        movsq
        movsq
        movsq
        inc     ebx
        o64 retf

; -- Pages ----------------------------------------------------------------------------------------------------------

pages:
        ; 2 MiB
        mov     qword [abs FRAMES], 5
        mov     rdi, pd64 + HIGH / 0x200000 * 8
        mov     ecx, HOT
        xor     ebx, ebx
.loop:
        mov     qword [rdi], FRAMES | PTE_ALL | PDE_LARGE
        invlpg  [abs HIGH + 0x1000]
        add     rbx, [abs HIGH]
        mov     qword [rdi], PTE_ALL | PDE_LARGE
        invlpg  [abs HIGH]
        add     rbx, [abs HIGH + FRAMES - 0x200000 + 0x80000]
        sub     rbx, [abs 0x80000]
        dec     ecx
        jnz     .loop
        CHECK64 "2 MiB pages by turns", rbx, HOT * 5
        mov     rax, [rdi]
        CHECK64 "accessed, not dirty", rax, PTE_ALL | PDE_LARGE | PTE_A
        ; No-execute.
        mov     word [abs FRAMES], 0x81cd
        mov     rax, (1 << 63) | FRAMES | PTE_ALL | PDE_LARGE
        mov     [rdi], rax
        invlpg  [abs HIGH]
        mov     edx, HIGH
        NO_FAULT64 "data of a no-execute page", mov al, [abs HIGH]
        CATCH64 .no_execute
        jmp     rdx
.no_execute:
        CAUGHT64 "no-execute", VEC_PF, 0x11, HIGH
        CATCH64 .no_execute3
        RING3_64
        jmp     rdx
.no_execute3:
        CAUGHT64 "no-execute in ring 3", VEC_PF, 0x15, HIGH
        mov     rdi, pd64 + HIGH / 0x200000 * 8
        mov     qword [rdi], FRAMES | PTE_ALL | PDE_LARGE
        invlpg  [abs HIGH]
        ; In the uppermost level it counts as well, for what is mapped there a second time.
        mov     rax, [pml4]
        bts     rax, 63
        mov     [pml4 + 8], rax                 ; 512 GiB further on
        mov     rbx, 0x8000000000 + HIGH
        NO_FAULT64 "data through the second entry", mov al, [rbx]
        CATCH64 .upper
        jmp     rbx
.upper:
        CHECK64 "no-execute in the PML4: vector", [got64.vector], VEC_PF
        CHECK64 "no-execute in the PML4: error code", [got64.error], 0x11
        CHECK64 "no-execute in the PML4: rip", [got64.rip], rbx
        ; Negative addresses.
        mov     rax, [pml4]
        mov     [pml4 + 0xff8], rax
        mov     rbx, -0x8000000000 + HIGH
        mov     rax, [rbx]
        CHECK64 "the last entry of the PML4", rax, [abs FRAMES]
        mov     byte [abs FRAMES], 0xc3
        mov     ecx, HOT
.calls:
        call    rbx
        dec     ecx
        jnz     .calls
        CHECK64 "code at negative addresses", rcx, 0
        mov     qword [pml4 + 8], 0
        mov     qword [pml4 + 0xff8], 0
        ; Reserved bits in the PML4.
        mov     qword [pml4 + 16], pdpt + PTE_ALL + PDE_LARGE
        mov     rbx, 0x10000000000
        TCG_DIFFERS 3                           ; forgets P
        FAULT64 "PS in the PML4", VEC_PF, 9, mov al, [rbx]
        mov     qword [pml4 + 16], 0
        ; 1 GiB
        mov     eax, 0x80000001
        cpuid
        test    edx, 1 << 26
        jz      .end
        mov     qword [pdpt + 8], PTE_ALL | PDE_LARGE
        mov     rbx, 0x40000000
        mov     rax, [rbx + FRAMES]
        CHECK64 "1 GiB page", rax, [abs FRAMES]
        mov     qword [pdpt + 8], PTE_ALL | PDE_LARGE | 1 << 13
        invlpg  [rbx + 0x1000]
        TCG_DIFFERS 3
        FAULT64 "reserved bit of a 1 GiB page", VEC_PF, 9, mov al, [rbx + FRAMES]
        mov     qword [pdpt + 8], 0
.end:
        mov     rax, cr3
        mov     cr3, rax
        mov     qword [pd64 + HIGH / 0x200000 * 8], HIGH | PTE_ALL | PDE_LARGE
        invlpg  [abs HIGH]
        ret

%macro INVPCID_RAX 1
        db      0x66, 0x0f, 0x38, 0x82, 0x04, 0x25
        dd      %1
%endmacro

; Two address spaces that differ in what is at HIGH, and what is known of each while the other one is
; used. EFLAGS.AC is set, as where a kernel reaches for a program's memory. R8, R9: CR3 values that
; keep what is known.
pcids:
        mov     eax, 1
        cpuid
        test    ecx, 1 << 17
        jz      .end
        mov     esi, pd64
        mov     edi, PCID_TABLES
        mov     ecx, 512
        cld
        rep     movsq
        mov     qword [abs PCID_TABLES + 0x1000], PCID_TABLES | PTE_ALL
        mov     qword [abs PCID_TABLES + 0x2000], (PCID_TABLES + 0x1000) | PTE_ALL
        mov     qword [abs FRAME_A], 1
        mov     qword [abs FRAME_B], 1000
        mov     qword [abs FRAME_C], 100000
        mov     r14d, pd64 + HIGH / 0x200000 * 8
        mov     r15d, PCID_TABLES + HIGH / 0x200000 * 8
        mov     qword [r14], FRAME_A | PTE_ALL | PDE_LARGE
        mov     qword [r15], FRAME_B | PTE_ALL | PDE_LARGE
        mov     rax, cr3
        mov     r13, rax
        mov     rax, cr4
        mov     r12, rax
        or      eax, 1 << 17
        mov     cr4, rax
        mov     r8, 1 << 63
        lea     r9, [r8 + PCID_TABLES + 0x2002]
        lea     r8, [r8 + r13 + 1]
        mov     r10, r8
        btr     r10, 63
        mov     r11, r9
        btr     r11, 63
        pushfq
        push    qword EFLAGS_1 | EFLAGS_AC
        popfq
        mov     cr3, r10
        mov     cr3, r11
        ; Nothing changes.
        mov     ecx, HOT
        xor     ebx, ebx
.kept:
        mov     cr3, r8
        add     rbx, [abs HIGH]
        mov     cr3, r9
        add     rbx, [abs HIGH]
        dec     ecx
        jnz     .kept
        CHECK64 "PCIDs", rbx, HOT * 1001
        ; A space changes, and CR3 is loaded so that it is forgotten.
        mov     ecx, HOT / 2
        xor     ebx, ebx
.loaded:
        mov     cr3, r8
        add     rbx, [abs HIGH]
        mov     cr3, r9
        add     rbx, [abs HIGH]
        mov     qword [r14], FRAME_C | PTE_ALL | PDE_LARGE
        mov     cr3, r10
        add     rbx, [abs HIGH]
        mov     cr3, r9
        mov     qword [r14], FRAME_A | PTE_ALL | PDE_LARGE
        mov     cr3, r10
        dec     ecx
        jnz     .loaded
        CHECK64 "PCIDs and MOV CR3", rbx, HOT / 2 * 101001
        ; INVLPG, for the current space.
        mov     ecx, HOT / 2
        xor     ebx, ebx
.invlpg:
        mov     qword [r14], FRAME_C | PTE_ALL | PDE_LARGE
        mov     cr3, r8
        invlpg  [abs HIGH]
        add     rbx, [abs HIGH]
        mov     qword [r14], FRAME_A | PTE_ALL | PDE_LARGE
        invlpg  [abs HIGH]
        mov     cr3, r9
        add     rbx, [abs HIGH]
        mov     cr3, r8
        add     rbx, [abs HIGH]
        dec     ecx
        jnz     .invlpg
        CHECK64 "PCIDs and INVLPG", rbx, HOT / 2 * 101001
        mov     eax, 7
        xor     ecx, ecx
        cpuid
        test    ebx, 1 << 10
        jz      .restore
        ; INVPCID of all types, from the other space; then of its own.
        mov     qword [abs PCID_TABLES + 0x3000], 1
        mov     qword [abs PCID_TABLES + 0x3008], HIGH
        mov     esi, HOT / 2
        xor     ebx, ebx
.invpcid:
        mov     cr3, r8
        add     rbx, [abs HIGH]
        mov     cr3, r9
        mov     qword [r14], FRAME_C | PTE_ALL | PDE_LARGE
        mov     eax, esi
        and     eax, 3
        INVPCID_RAX PCID_TABLES + 0x3000
        add     rbx, [abs HIGH]
        mov     cr3, r8
        add     rbx, [abs HIGH]
        mov     qword [r14], FRAME_A | PTE_ALL | PDE_LARGE
        INVPCID_RAX PCID_TABLES + 0x3000
        dec     esi
        jnz     .invpcid
        CHECK64 "PCIDs and INVPCID", rbx, HOT / 2 * 101001
.restore:
        popfq
        mov     rax, r13
        mov     cr3, rax
        mov     cr4, r12
        mov     qword [r14], HIGH | PTE_ALL | PDE_LARGE
        invlpg  [abs HIGH]
.end:
        ret

; -- What is refused --------------------------------------------------------------------------------------------------

refused:
        FAULT64 "push cs", VEC_UD, NO_ERROR, {db 0x0e}
        FAULT64 "pop ds", VEC_UD, NO_ERROR, {db 0x1f}
        FAULT64 "daa", VEC_UD, NO_ERROR, {db 0x27}
        FAULT64 "pusha", VEC_UD, NO_ERROR, {db 0x60}
        FAULT64 "into", VEC_UD, NO_ERROR, {db 0xce}
        FAULT64 "jmp far immediate", VEC_UD, NO_ERROR, {db 0xea, 0, 0, 0, 0, 0, 0}
        FAULT64 "aam", VEC_UD, NO_ERROR, {db 0xd4, 10}
        FAULT64 "salc", VEC_UD, NO_ERROR, {db 0xd6}
        mov     dword [far_pointer], 0
        mov     word [far_pointer + 4], TSS64
        FAULT64 "jmp to a TSS", VEC_GP, TSS64, jmp far dword [far_pointer]
        mov     word [far_pointer + 4], BOTH_L_D
        TCG_SKIPS .end                          ; ignores D, and lets all the rest happen
        FAULT64 "jmp to a segment with L and D", VEC_GP, BOTH_L_D, jmp far dword [far_pointer]
        mov     rax, cr0
        btr     rax, 31
        FAULT64 "paging off", VEC_GP, 0, mov cr0, rax
        mov     rax, cr4
        and     eax, ~CR4_PAE
        FAULT64 "PAE off", VEC_GP, 0, mov cr4, rax
        mov     ecx, EFER
        rdmsr
        and     eax, ~EFER_LME
        FAULT64 "LME off", VEC_GP, 0, wrmsr
        mov     rax, cr0
        bts     rax, 32
        FAULT64 "upper half of CR0", VEC_GP, 0, mov cr0, rax
        ; A task gate does not exist here.
        mov     byte [idt64 + 0x43 * 16 + 5], 0x85
        FAULT64 "task gate", VEC_GP, 0x43 * 8 + 2, int 0x43
        mov     byte [idt64 + 0x43 * 16 + 5], 0x8e
.end:
        ret
        bits    32

IMAGE_END
