; SPDX-License-Identifier: MIT
;
; Hostile guests of 64-bit mode (see lib/hostile.asm). All exceptions have a stack of their own, so
; that RSP may be anything.

%include "lib/hostile.asm"
%include "lib/long.asm"

section .strings
NAME:   db      "hostile64", 0

section .data
ways:
        WAY     "canonical", canonical
        WAY     "sparse", sparse
        WAY     "tables-of-themselves", tables_of_themselves
        WAY     "contexts", contexts
        WAY     "debug-stack", debug_stack
        WAY     "returns", returns
        WAY     "rep-movs", rep_movs
        WAY     "rep-movs-down", rep_movs_down
        WAY     "rep-movs-near", rep_movs_near
        WAY     "rep-stos", rep_stos
        WAY     "rep-lods", rep_lods
        WAY     "rep-scas", rep_scas
        WAY     "rep-cmps", rep_cmps
        WAY     "rep-ins", rep_ins
        WAY     "rep-outs", rep_outs
        WAY     "rep-video", rep_video
        WAY     "rep-apic", rep_apic
        WAY     "rep-hole", rep_hole
        WAY     "rep-over-code", rep_over_code
        WAY     "rep-fwcfg", rep_fwcfg
        WAY     "rep-pci", rep_pci
        WAY     "chaos", chaos
        WAYS_END

; 64-bit code's TRY.
%macro TRY64 1+
        CATCH64 %%after
        %1
%%after:
        mov     rsp, [resume64_rsp]
%endmacro

; One page everywhere: tables that name each other in all their entries.
TABLES          equ 0x400000                    ; three of them, 4 KiB each, and a page
PAGE            equ 0x403000
EVERYWHERE      equ 0xffff900000000000

section .bss
        alignb  8
seed64: resq 1
back_64: resq 1

section .text
        bits    64

; -> RAX.
random64:
        mov     rax, [seed64]
        add     rax, [seed]
        push    rcx
        mov     rcx, rax
        shl     rcx, 13
        xor     rax, rcx
        mov     rcx, rax
        shr     rcx, 7
        xor     rax, rcx
        mov     rcx, rax
        shl     rcx, 17
        xor     rax, rcx
        pop     rcx
        inc     rax
        mov     [seed64], rax
        ret

; Stacks for all exceptions, memory to 4 GiB, and RDI's page (with attributes) in the upper half.
open_64:
        push    rdi
        mov     ecx, VECTORS
        mov     edi, idt64
.gate:
        mov     byte [rdi + 4], 1
        add     edi, 16
        loop    .gate
        mov     edi, 0x500000
        mov     eax, PDE_LARGE | PTE_ALL
.large: mov     [rdi], rax
        add     edi, 8
        add     rax, 0x200000
        bt      rax, 32
        jnc     .large
        mov     eax, 0x500000 | PTE_ALL
        xor     ecx, ecx
.pdpt:  mov     [pdpt + rcx * 8], rax
        add     eax, PAGE_SIZE
        inc     ecx
        cmp     ecx, 4
        jb      .pdpt
        mov     edi, TABLES
        mov     eax, TABLES + 0x1000 | PTE_ALL
        mov     ecx, 512
        rep stosq
        mov     eax, TABLES + 0x2000 | PTE_ALL
        mov     ecx, 512
        rep stosq
        pop     rax
        mov     ecx, 512
        rep stosq
        mov     eax, TABLES | PTE_ALL
        mov     edi, pml4 + 8
        mov     ecx, 511
        rep stosq
        mov     edi, PAGE
        mov     eax, 0xcc                       ; code that gets lost ends here
        mov     ecx, PAGE_SIZE
        rep stosb
        mov     rax, cr3
        mov     cr3, rax
        ret

; What takes too long goes on at RAX, in ring 0 with a stack of its own.
watch_64:
        mov     [back_64], rax
        lea     rax, [.nmi]
        mov     [idt64 + 2 * 16], ax
        shr     eax, 16
        mov     [idt64 + 2 * 16 + 6], ax
        jmp     start_watch
.nmi:
        push    qword KERNEL_DATA
        push    qword stack_top
        push    qword EFLAGS_1
        push    qword CODE64
        push    qword [back_64]
        iretq
        bits    32

%macro BEGIN64 0-1 PAGE | PTE_ALL
        call    place_pci
        ENTER64
        mov     edi, %1
        call    open_64
%endmacro

; -- Addresses -------------------------------------------------------------------------------------------------

section .data
        align   8
corners:
        dq      0, 0xffffffffffffffff, 0x7fffffffffff, 0x800000000000, 0xffff7fffffffffff
        dq      0xffff800000000000, 0xffffffff80000000, 0x7fffffffffffffff, 0x8000000000000000
        dq      0xffff900000000000, 0xfffffffffffff000, RAM_END, 0x100000000, 0xfffffffffffff
        dq      LOCAL_APIC, 0xb8000
accesses:
        dd      .load, .store, .rmw, .movaps, .push, .pop, .call, .jump, .jump_there, .movs, .stos
        dd      .fxsave, .cmpxchg16b, .bts, .enter, .iret, .int, .lgdt, .invlpg, .fsbase, .gsbase
        dd      .ret_far, .jump_far, .sysret, .movs32, .lar, .fnstenv, .xsave, .clflush, .xlat
accesses_end:
section .text
        bits    64
accesses.load:          mov     rax, [rbx]
                        movzx   eax, word [rbx - 1]
                        ret
accesses.store:         mov     [rbx], rax
                        mov     [rbx - 1], ax
                        ret
accesses.rmw:           lock xadd [rbx], rax
                        neg     byte [rbx + 7]
                        ret
accesses.movaps:        movups  xmm0, [rbx]
                        movups  [rbx], xmm0
                        and     rbx, ~15
                        movaps  xmm0, [rbx]
                        movntdq [rbx], xmm0
                        ret
accesses.push:          mov     rsp, rbx
                        push    rax
                        pushfq
                        push    word [rbx]
                        int     VEC_NONE
accesses.pop:           mov     rsp, rbx
                        pop     rax
                        popfq
                        int     VEC_NONE
accesses.call:          mov     rsp, rbx
                        call    .there
.there:                 int     VEC_NONE
accesses.jump:          jmp     rbx
accesses.jump_there:    jmp     [rbx]
accesses.movs:          rep movsb
                        ret
accesses.stos:          std
                        rep stosq
                        cld
                        ret
accesses.fxsave:        fxsave  [rbx]
                        fxrstor [rbx]
                        ret
accesses.cmpxchg16b:    lock cmpxchg16b [rbx]
                        ret
accesses.bts:           bts     [rbx], rax
                        lock btc [abs PAGE], rbx
                        ret
accesses.enter:         mov     rsp, rbx
                        mov     rbp, rsi
                        enter   0x4321, 31
                        leave
                        int     VEC_NONE
accesses.iret:          mov     rsp, rbx
                        iretq
accesses.int:           mov     rsp, rbx
                        int     VEC_NONE
accesses.lgdt:          sidt    [rbx]
                        lidt    [rbx]
                        lidt    [idt64_pointer]
                        ret
accesses.invlpg:        invlpg  [rbx]
                        ret
accesses.fsbase:        mov     ecx, 0xc0000100
                        mov     eax, ebx
                        mov     rdx, rbx
                        shr     rdx, 32
                        wrmsr
                        mov     rax, [fs:0]
                        mov     [fs:-1], ax
                        mov     rax, [fs:rbx]
                        ret
accesses.gsbase:        mov     ecx, 0xc0000102
                        mov     eax, ebx
                        mov     rdx, rbx
                        shr     rdx, 32
                        wrmsr
                        swapgs
                        mov     rax, [gs:0]
                        mov     rax, [gs:abs 0xffffffff80000000]
                        ret
accesses.ret_far:       push    qword CODE64
                        push    rbx
                        retfq
accesses.jump_far:      jmp     far [rbx]
accesses.sysret:        mov     rcx, rbx
                        o64 sysret
accesses.movs32:        mov     ecx, 0x100
                        a32 rep movsd
                        ret
accesses.lar:           lar     eax, [rbx]
                        verr    [rbx]
                        ret
accesses.fnstenv:       fnstenv [rbx]
                        fldenv  [rbx]
                        ret
accesses.xsave:         mov     eax, -1
                        mov     edx, -1
                        and     rbx, ~63
                        cpu     any
                        xsave   [rbx]
                        cpu     x64
                        ret
accesses.clflush:       clflush [rbx]
                        prefetchnta [rbx]
                        ret
accesses.xlat:          xlatb
                        ret

; -> RBX = near a corner of the address space; RSI = RBX or another one.
pick_address:
        call    random64
        mov     ecx, eax
        and     ecx, 15
        lea     rdx, [corners]
        mov     rbx, [rdx + rcx * 8]
        mov     rsi, rbx
        sar     rax, 58
        add     rbx, rax
        call    random64
        mov     ecx, eax
        and     ecx, 15
        test    eax, 0x100
        cmovz   rsi, [rdx + rcx * 8]
        ret
        bits    32

canonical:
        BEGIN64
        lea     rax, [.again]
        call    watch_64
.again:
        call    pick_address
        call    random64
        xor     edx, edx
        mov     rcx, (accesses_end - accesses) / 4
        div     rcx
        lea     rdi, [accesses]
        mov     ebp, [rdi + rdx * 4]
        mov     rdi, rbx
        mov     ecx, 7
        mov     eax, PAGE                       ; zeroes as code use this
        TRY64   call rbp
        cld
        ROUND
        jmp     .again
        bits    32

; All of the address space, which is one page, at random: reads, writes and code.
sparse:
        BEGIN64
        mov     byte [abs PAGE], 0xc3
        mov     byte [abs PAGE + 1], 0xc3
.again:
        call    random64
        mov     rbx, rax
        mov     rdi, 0xffff800000000000
        and     rbx, ~0xfff
        or      rbx, rdi
        mov     rdi, 0xffffff0000000000
        mov     rax, [rbx + 0x100]
        mov     [rbx + 0x200], rax
        call    rbx
        mov     byte [rbx], 0xc3
        mov     r8, 0x7fffffffffff
        and     rbx, r8
        bts     rbx, 40
        inc     qword [rbx + 0x300]
        call    rbx
        ROUND
        jmp     .again
        bits    32

; A PML4 whose entries lead to itself: it is all tables and all pages, and what is written to it
; changes what is being written.
tables_of_themselves:
        BEGIN64
        mov     edi, TABLES
        mov     eax, TABLES | PTE_ALL
        mov     ecx, 512
        rep stosq
        mov     rax, [pml4]
        mov     [abs TABLES], rax                   ; but for ourselves
        mov     eax, TABLES
        mov     cr3, rax
.again:
        call    random64
        mov     rbx, rax
        mov     rdi, 0xffffff8000000000
        or      rbx, rdi
        call    random64
        mov     [seed64], rax
        and     eax, 0x7
        TRY64   mov rax, [rbx]
        mov     rbx, rdi
        call    random64
        and     eax, 0xff8
        jz      .again
        add     rbx, rax
        call    random64
        and     eax, 0x067
        or      eax, TABLES
        TRY64   mov [rbx], rax
        TRY64   call rbx
        mov     rax, cr3
        mov     cr3, rax
        mov     edi, TABLES + 8
        mov     eax, TABLES | PTE_ALL
        mov     ecx, 511
        rep stosq
        ROUND
        jmp     .again
        bits    32

; More address spaces and PCIDs than anybody keeps apart, each of them used.
contexts:
        BEGIN64
        mov     rax, cr4
        bts     eax, 17                         ; PCIDE, if there is
        TRY64   mov cr4, rax
        mov     edi, 0x800000                   ; 1024 copies of the PML4
        mov     ebp, 1024
.copy:
        mov     esi, pml4
        mov     ecx, 512
        rep movsq
        dec     ebp
        jnz     .copy
        mov     byte [abs PAGE], 0xc3
.again:
        call    random64
        and     eax, 0x3fffff
        add     eax, 0x800000
        TRY64   mov cr3, rax
        mov     rbx, EVERYWHERE
        call    random64
        and     eax, 0xfffff000
        add     rbx, rax
        mov     rax, [rbx + 8]
        mov     [rbx + 8], rax
        call    rbx
        call    random64
        bts     rax, 63                         ; keep what it has
        mov     rcx, 0x8000000000bfffff
        and     rax, rcx
        or      eax, 0x800000
        TRY64   mov cr3, rax
        ROUND
        jmp     .again
        bits    32

; -- Exceptions ------------------------------------------------------------------------------------------------

; The frame of #DB is where a breakpoint watches: delivering it raises it again.
debug_stack:
        BEGIN64
        lea     rax, [.handler]
        mov     [idt64 + VEC_DB * 16], ax
        shr     eax, 16
        mov     [idt64 + VEC_DB * 16 + 6], ax
        mov     rax, ist1_top - 8
        mov     dr0, rax
        sub     rax, 8
        mov     dr1, rax
        mov     eax, 0xbb070f                   ; writes of 8 bytes
        mov     dr7, rax
.again: ROUND
        mov     rbx, ist1_top - 8
        mov     [rbx], rbx
        int     VEC_NONE
        jmp     .again
.handler:
        ROUND
        iretq
        bits    32

; Returns to where nobody can be, at all levels.
returns:
        BEGIN64
        lea     rax, [.again]
        call    watch_64
        mov     ecx, 0xc0000081                 ; STAR
        xor     eax, eax
        mov     edx, (USER_CODE64 - 16) << 16 | CODE64
        wrmsr
.again:
        call    pick_address
        mov     ecx, 0xc0000082                 ; LSTAR
        mov     eax, ebx
        mov     rdx, rbx
        shr     rdx, 32
        TRY64   wrmsr
        TRY64   syscall
        mov     rcx, rbx
        call    random64
        mov     r11, rax
        and     r11d, ~EFLAGS_TF
        mov     rsp, rsi
        TRY64   o64 sysret
        mov     rsp, stack0_top
        push    qword KERNEL_DATA
        push    rsi
        call    random64
        and     eax, ~(EFLAGS_TF | EFLAGS_IF)
        push    rax
        push    qword CODE64
        push    rbx
        TRY64   iretq
        mov     rsp, stack0_top
        call    random64
        push    rax
        push    rsi
        push    rax
        push    rax
        push    rbx
        TRY64   iretq
        mov     ecx, 0x174
        mov     eax, CODE64
        xor     edx, edx
        TRY64   wrmsr
        mov     ecx, 0x175
        mov     eax, esi
        mov     rdx, rsi
        shr     rdx, 32
        TRY64   wrmsr
        mov     ecx, 0x176
        TRY64   wrmsr
        TRY64   sysenter
        mov     rcx, rsi
        mov     rdx, rbx
        TRY64   o64 sysexit
        mov     rsp, stack_top
        ROUND
        jmp     .again
        bits    32

; -- Endless repetition -----------------------------------------------------------------------------------------

; The page that is everywhere; then come instructions that repeat as often as 64 bits count.
%macro REPEAT 0-1 PAGE | PTE_ALL
        BEGIN64 %1
        mov     rsi, EVERYWHERE + 3
        mov     rdi, EVERYWHERE + 0x10003
        mov     rcx, -1
        mov     eax, 0x80
        mov     edx, eax
%endmacro

%macro REPEAT_END 0
        ret                                     ; never
        bits    32
%endmacro

rep_movs:
        REPEAT
        rep movsq
        REPEAT_END

rep_movs_down:
        REPEAT
        std
        rep movsb
        REPEAT_END

rep_movs_near:
        REPEAT
        lea     rdi, [rsi + 1]
        rep movsw
        REPEAT_END

rep_stos:
        REPEAT
        rep stosb
        REPEAT_END

rep_lods:
        REPEAT
        rep lodsd
        REPEAT_END

rep_scas:
        REPEAT
        mov     byte [abs PAGE], 0
        mov     eax, 1
        repne scasb
        REPEAT_END

rep_cmps:
        REPEAT
        mov     rdi, rsi
        repe cmpsq
        REPEAT_END

rep_ins:
        REPEAT
        rep insb
        REPEAT_END

rep_outs:
        REPEAT
        rep outsd
        REPEAT_END

rep_video:
        REPEAT 0xb8000 | PTE_ALL
        rep stosb
        REPEAT_END

rep_apic:
        REPEAT LOCAL_APIC | PTE_ALL
        rep movsd
        REPEAT_END

rep_hole:
        REPEAT 0x90000000 | PTE_ALL
        rep movsq
        REPEAT_END

rep_fwcfg:
        REPEAT
        mov     edx, 0x511
        rep insb
        REPEAT_END

rep_pci:
        REPEAT
        mov     edx, 0xcf8
        rep outsd
        REPEAT_END

; The instruction's own page.
rep_over_code:
        BEGIN64
        mov     byte [abs PAGE + 0xffd], 0xf3
        mov     word [abs PAGE + 0xffe], 0xa448     ; rep movsb, written over itself
        mov     rdi, EVERYWHERE + 0x5001
        mov     rsi, EVERYWHERE
        mov     rcx, -1
        mov     rbx, EVERYWHERE + 0xffd
        TRY64   call rbx
.again:
        mov     dword [abs PAGE], 0xc3aaf3          ; rep stosb, ret, over itself
        mov     rdi, EVERYWHERE + 0x1000
        mov     rcx, 0x10000
        mov     rbx, EVERYWHERE
        mov     eax, 0xc3
        TRY64   call rbx
        ROUND
        jmp     .again
        bits    32

; -- Anything ----------------------------------------------------------------------------------------------------

; As in hostile.asm, in 64 bits.
CHAOS_CODE      equ 0x300000
CHAOS_STACK     equ 0x302000

chaos:
        rdtsc
        mov     [seed], eax
        BEGIN64
        lea     rax, [.again]
        call    watch_64
.again:
        mov     rsp, stack_top
        mov     edi, CHAOS_CODE
        mov     ebp, 0x80
.fill:
        call    random64
        stosq
        dec     ebp
        jnz     .fill
        ROUND
        CATCH64 .again
        mov     esp, CHAOS_STACK
        mov     esi, CHAOS_CODE + 0x800
        mov     rcx, [seed64]
        mov     edi, esi
        mov     ebx, esi
        mov     edx, ecx
        mov     rbp, EVERYWHERE
        mov     eax, CHAOS_CODE
        jmp     rax
        bits    32

IMAGE_END
