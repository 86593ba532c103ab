; SPDX-License-Identifier: MIT
;
; Debugging: single steps, breakpoints on code, data and ports, INT1 and INT3, what DR6, DR7 and RF hold
; (SDM 3B chapter 18; 3A 6.8.3 for the shadow of MOV SS).

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "debug", 0

HOT             equ 10000
DR6_BD          equ 1 << 13
DR6_BS          equ 1 << 14
DR6_BT          equ 1 << 15
DR6_FIXED       equ 0xffff0ff0
DR7_FIXED       equ 0x400
DR7_GD          equ 1 << 13
DR7_CODE        equ 0                           ; R/W and LEN fields
DR7_WRITE       equ 1
DR7_PORT        equ 2
DR7_ACCESS      equ 3
DR7_1           equ 0 << 2
DR7_2           equ 1 << 2
DR7_4           equ 3 << 2
CR4_DE          equ 1 << 3
IA32_DEBUGCTL   equ 0x1d9
DEBUGCTL_BTF    equ 1 << 1
STEPS           equ 32

section .bss
        alignb  PAGE_SIZE
data:   resb    PAGE_SIZE
step_count:     resd 1
step_dr6:       resd 1                          ; all that DR6 said
step_flags:     resd 1                          ; EFLAGS of the last one
stop_at:        resd 1                          ; the first step that ends here is the last one
steps:          resd STEPS

section .text
; The next instruction is the first one stepped; the one that goes on at %1 is the last one.
%macro STEPS_UNTIL 1
        mov     dword [stop_at], %1
        call    steps_start
        push    dword EFLAGS_1 | EFLAGS_TF
        popfd
%endmacro

; EIPs of the steps.
%macro STEPPED 2-*                              ; "name", EIP ...
    %xdefine %%name %1
    %assign %%n 0
    %rep %0 - 1
        %rotate 1
        CHECK   %%name, [steps + %%n * 4], %1
        %assign %%n %%n + 1
    %endrep
        CHECK   %%name, [step_count], %%n
        CHECK   %%name, [step_dr6], DR6_FIXED | DR6_BS
%endmacro

; A breakpoint: number, address, kind; all others off.
%macro BREAK 3
        mov     eax, %2
        mov     dr%1, eax
        mov     eax, DR6_FIXED
        mov     dr6, eax
        mov     eax, DR7_FIXED | 1 << (%1 * 2) | (%3) << (16 + %1 * 4)
        mov     dr7, eax
%endmacro

; What DR6 says, with bits of disabled breakpoints (which mean nothing) off.
%macro CHECK_DR6 2                              ; "name", expected bits
        mov     eax, dr6
        CHECK   %1, eax, DR6_FIXED | (%2)
        mov     eax, DR6_FIXED
        mov     dr6, eax
%endmacro

; The instruction traps with a breakpoint of this number.
%macro WATCHED 3+                               ; "name", number, instruction
        TRAP    %1, VEC_DB, NO_ERROR, %3
        CHECK_DR6 %strcat(%1, ": dr6"), 1 << %2
%endmacro
%macro UNWATCHED 2+
        NO_FAULT %1, %2
        CHECK_DR6 %strcat(%1, ": dr6"), 0
%endmacro

test_main:
        call    registers
        call    single_steps
        call    step_hot
        call    step_ring3
        call    int1
        call    code_breakpoints
        call    code_hot
        call    data_breakpoints
        call    data_strings
        call    data_hot
        call    port_breakpoints
        call    general_detect
        call    resume_flag
        call    shadows
        call    branch_steps
        jmp     test_end

; -- Registers ----------------------------------------------------------------------------------------

registers:
        mov     eax, cr4
        and     eax, ~CR4_DE
        mov     cr4, eax
        xor     eax, eax
        mov     dr6, eax
        mov     dr7, eax
        mov     eax, dr6
        CHECK   "DR6 as zeroes", eax, DR6_FIXED
        mov     eax, dr7
        CHECK   "DR7 as zeroes", eax, DR7_FIXED
        mov     eax, -1
        mov     dr6, eax
        mov     eax, dr6
        TCG_DIFFERS                             ; lets bit 12 be set
        CHECK   "DR6 as ones", eax, 0xffffefff
        mov     eax, 0xffff0300                 ; all but enabling bits and GD
        mov     dr7, eax
        mov     eax, dr7
        CHECK   "DR7 as ones", eax, 0xffff0700
        mov     eax, DR7_FIXED
        mov     dr7, eax
        mov     eax, 0x12345678
        mov     dr0, eax
        not     eax
        mov     dr3, eax
        mov     ebx, dr0
        CHECK   "DR0", ebx, 0x12345678
        mov     ebx, dr3
        CHECK   "DR3", ebx, ~0x12345678
        mov     eax, DR6_FIXED | 5
        mov     dr6, eax
        mov     ebx, dr4
        CHECK   "DR4 is DR6", ebx, DR6_FIXED | 5
        mov     ebx, dr5
        CHECK   "DR5 is DR7", ebx, DR7_FIXED
        mov     eax, 1
        cpuid
        test    edx, 1 << 2
        jz      .end
        mov     eax, cr4
        or      eax, CR4_DE
        mov     cr4, eax
        FAULT   "DR4 with DE", VEC_UD, NO_ERROR, mov ebx, dr4
        FAULT   "DR5 with DE", VEC_UD, NO_ERROR, mov dr5, ebx
        FAULT3  "DR0 in ring 3", VEC_GP, 0, mov eax, dr0
.end:
        mov     eax, DR6_FIXED
        mov     dr6, eax
        ret

; -- Single steps -----------------------------------------------------------------------------------------

steps_start:
        mov     dword [step_count], 0
        mov     dword [step_dr6], 0
        mov     dword [hook], step
        ret

steps_end:
        mov     dword [hook], 0
        ret

; A hook: notes where each step ended.
step:
        cmp     dword [ebp + 32], VEC_DB
        jne     .no
        mov     eax, dr6
        or      [step_dr6], eax
        mov     eax, DR6_FIXED
        mov     dr6, eax
        mov     eax, [ebp + 48]
        mov     [step_flags], eax
        mov     ecx, [step_count]
        inc     dword [step_count]
        mov     eax, [ebp + 40]
        cmp     ecx, STEPS
        jae     .full
        mov     [steps + ecx * 4], eax
.full:
        cmp     eax, [stop_at]
        jne     .go_on
        and     dword [ebp + 48], ~EFLAGS_TF
.go_on:
        clc
        ret
.no:    stc
        ret

single_steps:
        ; POPFD itself is not stepped: TF was clear when it began.
        STEPS_UNTIL .plain_end
        nop
.p1:    mov     eax, 1
.p2:    jmp     .p3
        nop
.p3:    call    .p4
.p4:    pop     eax
.plain_end:
        call    steps_end
        STEPPED "steps", .p1, .p2, .p3, .p4, .plain_end
        CHECK   "TF in the saved EFLAGS", [step_flags], EFLAGS_1 | EFLAGS_TF

        ; Each iteration of a string instruction is a step.
        mov     edi, data
        mov     ecx, 3
        STEPS_UNTIL .string_end
.string:
        rep stosb
.s1:    mov     ecx, 2
.s2:    loop    .s2
.string_end:
        call    steps_end
        STEPPED "steps of strings and loops", .string, .string, .s1, .s2, .s2, .string_end

        ; Nothing between MOV SS and the instruction after it.
        mov     ebx, ss
        STEPS_UNTIL .shadow_end
.shadow:
        mov     ss, ebx
        nop
.h1:    push    ss
.h2:    pop     ss
        nop
.h3:    nop
.shadow_end:
        call    steps_end
        STEPPED "steps after loads of SS", .h1, .h2, .h3, .shadow_end

        ; PUSHFD sees TF; POPFD that clears TF is the last one stepped.
        mov     dword [stop_at], 0
        call    steps_start
        push    dword EFLAGS_1
        push    dword EFLAGS_1 | EFLAGS_TF
        popfd
.f0:    pushfd
.f1:    pop     ebx
.f2:    popfd
.f3:    nop
        nop
        call    steps_end
        STEPPED "steps until POPFD", .f1, .f2, .f3
        CHECK   "PUSHFD has TF", ebx, EFLAGS_1 | EFLAGS_TF
        CHECK   "TF is clear behind POPFD", [step_flags], EFLAGS_1

        ; INT clears TF; IRET brings it back, and the instruction behind INT is the next one stepped.
        GATE    idt + 0x40 * 8, KERNEL_CODE, .handler, 0x8e, 0
        STEPS_UNTIL .int_end
        int     0x40
        nop
.i2:    nop
.int_end:
        call    steps_end
        jmp     .int_checks
.handler:
        nop
        pushfd
        pop     edx
        iretd
.int_checks:
        STEPPED "steps around INT", .i2, .int_end
        CHECK   "TF in a handler", edx, EFLAGS_1

        ; A fault is no step.
        mov     dword [stop_at], 0
        call    steps_start
        CATCH   .faulted
        push    dword EFLAGS_1 | EFLAGS_TF
        popfd
        nop
.u1:    ud2
.faulted:
        call    steps_end
        CAUGHT  "fault under TF", VEC_UD, NO_ERROR, .u1
        STEPPED "steps until a fault", .u1
        mov     eax, [got.eflags]
        and     eax, EFLAGS_TF
        CHECK   "TF in the EFLAGS of a fault", eax, EFLAGS_TF
        ret

step_hot:
        ; 4 instructions a round.
        mov     ecx, HOT
        xor     ebx, ebx
        STEPS_UNTIL .end
.loop:
        add     ebx, ecx
        dec     ecx
        jnz     .loop
.end:
        call    steps_end
        CHECK   "steps of a loop", [step_count], HOT * 3
        CHECK   "its result", ebx, HOT * (HOT + 1) / 2
        ; TF on and off in a hot loop, with a step for each round.
        call    steps_start
        mov     ecx, HOT
        xor     ebx, ebx
.by_turns:
        push    dword EFLAGS_1
        push    dword EFLAGS_1 | EFLAGS_TF
        popfd
        popfd
        inc     ebx
        dec     ecx
        jnz     .by_turns
        call    steps_end
        CHECK   "one step a round", [step_count], HOT
        CHECK   "rounds", ebx, HOT
        ret

step_ring3:
        mov     dword [stop_at], .end
        call    steps_start
        mov     dword [ring3_eflags], EFLAGS_1 | EFLAGS_TF
        CATCH   .caught
        call    enter_ring3
.first: nop
.second:
        nop
.end:
        int     VEC_NONE
.caught:
        mov     dword [ring3_eflags], EFLAGS_1
        call    steps_end
        STEPPED "steps in ring 3", .second, .end
        ret

; -- INT1 and INT3 ----------------------------------------------------------------------------------------------

int1:
        TCG_SKIPS .int3                         ; takes it for an invalid instruction
        TRAP    "INT1", VEC_DB, NO_ERROR, {db 0xf1}
        CHECK_DR6 "INT1 leaves DR6", 0
        ; No privilege is needed.
        CATCH   .ring3
        call    enter_ring3
        db      0xf1
.after: int     VEC_NONE
.ring3:
        CAUGHT  "INT1 in ring 3", VEC_DB, NO_ERROR, .after
.int3:
        FAULT3  "INT 1 in ring 3", VEC_GP, VEC_DB * 8 + 2, {db 0xcd, 1}
        TRAP    "INT3", VEC_BP, NO_ERROR, int3
        CHECK_DR6 "INT3 leaves DR6", 0
        mov     ecx, HOT
        xor     ebx, ebx
        mov     dword [hook], .count
.loop:
        int3
        TCG_SKIPS .next
        db      0xf1
.next:
        dec     ecx
        jnz     .loop
        mov     dword [hook], 0
        TCG_DIFFERS
        CHECK   "INT3 and INT1", ebx, HOT * 0x101
        ret
.count:
        mov     eax, 0x100
        cmp     dword [ebp + 32], VEC_DB
        je      .add
        mov     eax, 1
        cmp     dword [ebp + 32], VEC_BP
        jne     .no
.add:   add     [ebp + 16], eax
        clc
        ret
.no:    stc
        ret

; -- Breakpoints on code -------------------------------------------------------------------------------------------

%macro CODE_BREAK 1                             ; number
        BREAK   %1, %%at, DR7_CODE
        CATCH   %%after
        nop
%%at:   nop
        int     VEC_NONE
%%after:
        CAUGHT  "code breakpoint in DR%1", VEC_DB, NO_ERROR, %%at
        CHECK_DR6 "code breakpoint in DR%1: DR6", 1 << %1
        mov     eax, [got.eflags]
        and     eax, EFLAGS_RF | EFLAGS_TF
        CHECK   "code breakpoint in DR%1: RF", eax, 0
%endmacro

code_breakpoints:
        CODE_BREAK 0
        CODE_BREAK 1
        CODE_BREAK 2
        CODE_BREAK 3
        ; Globally enabled.
        mov     eax, .global
        mov     dr1, eax
        mov     eax, DR7_FIXED | 1 << 3
        mov     dr7, eax
        CATCH   .global_caught
.global:
        nop
        int     VEC_NONE
.global_caught:
        CAUGHT  "globally enabled breakpoint", VEC_DB, NO_ERROR, .global
        CHECK_DR6 "globally enabled breakpoint: DR6", 2
        ; Two at one place.
        mov     eax, .two
        mov     dr0, eax
        mov     dr2, eax
        mov     eax, DR7_FIXED | 1 | 1 << 4
        mov     dr7, eax
        CATCH   .two_caught
.two:   nop
        int     VEC_NONE
.two_caught:
        CAUGHT  "two at one place", VEC_DB, NO_ERROR, .two
        CHECK_DR6 "two at one place: DR6", 5
        ; Only the first byte of an instruction counts.
        BREAK   0, .second_byte + 1, DR7_CODE
        CATCH   .second_caught
.second_byte:
        mov     eax, 0x12345678
.next:  int     VEC_NONE
.second_caught:
        CAUGHT  "second byte", VEC_NONE, NO_ERROR, .next + 2
        ; In ring 3.
        BREAK   0, .ring3, DR7_CODE
        CATCH   .ring3_caught
        call    enter_ring3
.ring3: int     VEC_NONE
.ring3_caught:
        CAUGHT  "code breakpoint in ring 3", VEC_DB, NO_ERROR, .ring3
        ; It comes before a fault of its instruction.
        BREAK   0, .fault, DR7_CODE
        CATCH   .fault_caught
.fault: ud2
.fault_caught:
        CAUGHT  "breakpoint at UD2", VEC_DB, NO_ERROR, .fault
        ; Off again.
        mov     eax, DR7_FIXED
        mov     dr7, eax
        CATCH   .off_caught
        jmp     .two
.off_caught:
        CAUGHT  "breakpoint switched off", VEC_NONE, NO_ERROR, .two + 3
        mov     eax, DR6_FIXED
        mov     dr6, eax
        ret

; A breakpoint in a loop; its handler sets RF. It is switched on when the loop is hot.
code_hot:
        BREAK   0, .watched, DR7_CODE
        mov     dword [hook], resume_with_rf
        mov     dword [step_count], 0
        mov     ecx, HOT
        xor     ebx, ebx
.loop:
        add     ebx, ecx
.watched:
        dec     ecx
        jnz     .loop
        CHECK   "breakpoint in a loop", [step_count], HOT
        CHECK   "its loop", ebx, HOT * (HOT + 1) / 2
        mov     dword [step_count], 0
        mov     eax, DR7_FIXED
        mov     dr7, eax
        mov     edx, 2
.again: mov     ecx, HOT
.hot:
        cmp     ecx, HOT / 2
        jne     .same
        mov     eax, dr7
        xor     eax, 1
        mov     dr7, eax
.same:
        add     ebx, ecx
        call    .routine
        dec     ecx
        jnz     .hot
        dec     edx
        jnz     .again
        jmp     .done
.routine:
        jmp     .watched_too
.watched_too:
        ret
.done:
        mov     eax, DR7_FIXED
        mov     dr7, eax
        CHECK   "breakpoint elsewhere", [step_count], 0
        ; The same loop again with the breakpoint in the routine, on for the second half of the first
        ; and the first half of the second time.
        mov     eax, .watched_again
        mov     dr0, eax
        mov     edx, 2
.again2:
        mov     ecx, HOT
.hot2:
        cmp     ecx, HOT / 2
        jne     .same2
        mov     eax, dr7
        xor     eax, 1
        mov     dr7, eax
.same2:
        call    .watched_again
        dec     ecx
        jnz     .hot2
        dec     edx
        jnz     .again2
        jmp     .end
.watched_again:
        ret
.end:
        mov     dword [hook], 0
        CHECK   "breakpoint switched on and off", [step_count], HOT
        ret

resume_with_rf:
        cmp     dword [ebp + 32], VEC_DB
        jne     .no
        inc     dword [step_count]
        or      dword [ebp + 48], EFLAGS_RF
        clc
        ret
.no:    stc
        ret

; -- Breakpoints on data ----------------------------------------------------------------------------------------------

data_breakpoints:
        BREAK   1, data + 8, DR7_WRITE | DR7_4
        WATCHED "write", 1, mov dword [data + 8], 1
        WATCHED "write of the last byte", 1, mov byte [data + 11], 1
        WATCHED "write across the beginning", 1, mov dword [data + 5], 1
        WATCHED "write across the end", 1, mov word [data + 11], 1
        UNWATCHED "write below", mov dword [data + 4], 1
        UNWATCHED "write above", mov byte [data + 12], 1
        UNWATCHED "read of a watched word", mov ebx, [data + 8]
        WATCHED "add", 1, add dword [data + 8], 1
        UNWATCHED "cmp", cmp dword [data + 8], 1
        WATCHED "xchg", 1, xchg [data + 8], ebx
        WATCHED "lock xadd", 1, lock xadd [data + 8], ebx
        WATCHED "lock bts", 1, lock bts dword [data + 8], 2
        fninit
        WATCHED "fst of 8 bytes", 1, fst qword [data + 2]
        WATCHED "setcc", 1, setc [data + 9]
        mov     edi, data + 8
        mov     eax, 0x11223344
        WATCHED "stosd", 1, stosd
        CHECK   "what was written", [data + 8], 0x11223344
        push    dword 7
        WATCHED "pop to memory", 1, pop dword [data + 8]
        pop     eax
        BREAK   1, data + 8, DR7_ACCESS | DR7_2
        WATCHED "read", 1, mov bl, [data + 9]
        WATCHED "read across the beginning", 1, mov ebx, [data + 5]
        UNWATCHED "read above", mov bx, [data + 10]
        WATCHED "write with R/W", 1, mov [data + 8], bl
        WATCHED "test", 1, test byte [data + 8], 1
        ; The address's low bits do not count where the length is more than a byte.
        BREAK   1, data + 10, DR7_WRITE | DR7_4
        TCG_DIFFERS 2                           ; counts them
        WATCHED "off its boundary", 1, mov byte [data + 8], 1
        BREAK   1, data + 9, DR7_WRITE | DR7_1
        WATCHED "one byte", 1, mov dword [data + 8], 1
        UNWATCHED "not the byte", mov byte [data + 8], 1
        BREAK   2, stack3_top - 4, DR7_WRITE | DR7_4
        CATCH   .push_caught
        call    enter_ring3
        push    eax
.push_next:
        int     VEC_NONE
.push_caught:
        CAUGHT  "push", VEC_DB, NO_ERROR, .push_next
        ; Data breakpoint and single step: one exception.
        BREAK   3, data, DR7_ACCESS | DR7_1
        mov     dword [stop_at], .both_end
        call    steps_start
        push    dword EFLAGS_1 | EFLAGS_TF
        popfd
        mov     bl, [data]
.both_end:
        call    steps_end
        TCG_DIFFERS                             ; makes two of them
        CHECK   "data breakpoint and step: exceptions", [step_count], 1
        CHECK   "data breakpoint and step: DR6", [step_dr6], DR6_FIXED | DR6_BS | 8
        ; In ring 3.
        BREAK   3, data, DR7_WRITE | DR7_1
        CATCH   .ring3
        call    enter_ring3
        mov     [data], al
.ring3_next:
        int     VEC_NONE
.ring3:
        CAUGHT  "data breakpoint in ring 3", VEC_DB, NO_ERROR, .ring3_next
        ; A fault of the same instruction comes first, and again there is no trap.
        SET_PAGE data, PTE_P | PTE_U
        mov     eax, DR6_FIXED
        mov     dr6, eax
        FAULT   "write to a read-only page", VEC_PF, PF_P | PF_W, mov [data], al
        SET_PAGE data, PTE_ALL
        mov     eax, DR7_FIXED
        mov     dr7, eax
        mov     eax, DR6_FIXED
        mov     dr6, eax
        UNWATCHED "switched off", mov byte [data], 1
        ret

; Strings stop behind the iteration that hits.
data_strings:
        BREAK   0, data + 100, DR7_WRITE | DR7_1
        mov     edi, data + 90
        mov     ecx, 30
        mov     al, 0x77
        CATCH   .stos
.stos_at:
        rep stosb
        int     VEC_NONE
.stos:
        CAUGHT  "rep stosb into a breakpoint", VEC_DB, NO_ERROR, .stos_at
        CHECK   "rep stosb into a breakpoint: ecx", [got.ecx], 19
        CHECK   "rep stosb into a breakpoint: edi", [got.edi], data + 101
        CHECK_DR6 "rep stosb into a breakpoint: DR6", 1
        BREAK   0, data + 100, DR7_ACCESS | DR7_4
        mov     esi, data + 92
        mov     edi, data + 500
        mov     ecx, 3
        CATCH   .movs
        rep movsd                               ; the last iteration hits
.movs_next:
        int     VEC_NONE
.movs:
        TCG_DIFFERS                             ; says that it is to go on
        CAUGHT  "rep movsd, last iteration", VEC_DB, NO_ERROR, .movs_next
        CHECK   "rep movsd, last iteration: ecx", [got.ecx], 0
        CHECK_DR6 "rep movsd, last iteration: DR6", 1
        mov     esi, data + 92
        mov     edi, data + 500
        mov     ecx, 2
        UNWATCHED "rep movsd beside", rep movsd
        mov     eax, DR7_FIXED
        mov     dr7, eax
        ret

data_hot:
        ; A counter that is watched, and its neighbours.
        mov     dword [data + 64], 0
        mov     dword [data + 68], 0
        BREAK   0, data + 64, DR7_WRITE | DR7_4
        mov     dword [hook], count_traps
        mov     dword [step_count], 0
        mov     ecx, HOT
        xor     ebx, ebx
.loop:
        inc     dword [data + 64]
        inc     dword [data + 68]
        add     ebx, [data + 64]
        dec     ecx
        jnz     .loop
        CHECK   "writes to a watched word", [step_count], HOT
        CHECK   "what they wrote", ebx, HOT * (HOT + 1) / 2
        CHECK   "its neighbour", [data + 68], HOT
        ; Switched on and off.
        mov     dword [step_count], 0
        mov     ecx, HOT
.by_turns:
        mov     eax, dr7
        xor     eax, 1
        mov     dr7, eax
        inc     dword [data + 64]
        dec     ecx
        jnz     .by_turns
        CHECK   "watched by turns", [step_count], HOT / 2
        mov     eax, DR7_FIXED
        mov     dr7, eax
        mov     dword [hook], 0
        ret

count_traps:
        cmp     dword [ebp + 32], VEC_DB
        jne     .no
        inc     dword [step_count]
        clc
        ret
.no:    stc
        ret

; -- Ports ---------------------------------------------------------------------------------------------------------------

port_breakpoints:
        mov     eax, 1
        cpuid
        test    edx, 1 << 2
        jz      .end
        BREAK   2, 0x80, DR7_PORT | DR7_2
        WATCHED "out", 2, out 0x80, al
        WATCHED "in", 2, in al, 0x80
        WATCHED "out to the second port", 2, out 0x81, al
        UNWATCHED "out beside", out 0x82, al
        UNWATCHED "memory at a port's address", mov al, [0x80]
        mov     dx, 0x80
        WATCHED "out dx", 2, out dx, al
        mov     dx, 0x7f
        WATCHED "out of a word across the beginning", 2, out dx, ax
        mov     dword [hook], count_traps
        mov     dword [step_count], 0
        mov     ecx, HOT
.loop:
        out     0x80, al
        out     0x82, al
        dec     ecx
        jnz     .loop
        mov     dword [hook], 0
        CHECK   "port breakpoints in a loop", [step_count], HOT
        mov     eax, DR7_FIXED
        mov     dr7, eax
        mov     eax, DR6_FIXED
        mov     dr6, eax
.end:
        ret

; -- General detect ---------------------------------------------------------------------------------------------------------

general_detect:
        mov     eax, DR7_FIXED | DR7_GD
        mov     dr7, eax
        TCG_DIFFERS 3                           ; lets it pass
        FAULT   "DR access with GD", VEC_DB, NO_ERROR, mov ebx, dr0
        mov     eax, dr7                        ; GD is off in the handler
        CHECK   "GD after that", eax, DR7_FIXED
        mov     eax, dr6
        CHECK   "DR6 of GD", eax, DR6_FIXED | DR6_BD
        mov     eax, DR6_FIXED
        mov     dr6, eax
        mov     eax, DR7_FIXED
        mov     dr7, eax
        mov     eax, DR7_FIXED | DR7_GD
        mov     dr7, eax
        TCG_DIFFERS
        FAULT   "write to DR7 with GD", VEC_DB, NO_ERROR, mov dr7, eax
        mov     eax, DR7_FIXED
        mov     dr7, eax
        mov     eax, DR6_FIXED
        mov     dr6, eax
        ret

; -- RF ------------------------------------------------------------------------------------------------------------------------

resume_flag:
        SET_PAGE data, 0
        FAULT   "page fault", VEC_PF, 0, mov al, [data]
        SET_PAGE data, PTE_ALL
        mov     eax, [got.eflags]
        and     eax, EFLAGS_RF
        TCG_DIFFERS                             ; never sets RF
        CHECK   "faults save RF", eax, EFLAGS_RF
        TRAP    "a trap", VEC_BP, NO_ERROR, int3
        mov     eax, [got.eflags]
        and     eax, EFLAGS_RF
        CHECK   "traps do not", eax, 0
        ; IRET with RF: the breakpoint at its target does not count; the next time it does.
        BREAK   0, .target, DR7_CODE
        CATCH   .caught
        xor     ebx, ebx
        push    dword EFLAGS_1 | EFLAGS_RF
        push    dword KERNEL_CODE
        push    dword .target
        iretd
.target:
        inc     ebx
        cmp     ebx, 3
        jne     .target
        int     VEC_NONE
.caught:
        CAUGHT  "IRET with RF", VEC_DB, NO_ERROR, .target
        CHECK   "instructions before the breakpoint", [got.ebx], 1
        ; PUSHFD shows no RF, POPFD takes none.
        BREAK   0, .popfd, DR7_CODE
        CATCH   .popfd_caught
        push    dword EFLAGS_1 | EFLAGS_RF
        popfd
.popfd: nop
        int     VEC_NONE
.popfd_caught:
        CAUGHT  "POPFD with RF", VEC_DB, NO_ERROR, .popfd
        mov     eax, DR7_FIXED
        mov     dr7, eax
        ret

; -- Shadows ----------------------------------------------------------------------------------------------------------------------

; The instruction behind a load of SS has no code breakpoint; a data breakpoint of the load waits for it.
shadows:
        mov     ebx, ss
        BREAK   0, .code, DR7_CODE
        CATCH   .code_caught
        mov     ss, ebx
.code:  nop
.code_next:
        int     VEC_NONE
.code_caught:
        TCG_DIFFERS                             ; does not care
        CAUGHT  "code breakpoint behind MOV SS", VEC_NONE, NO_ERROR, .code_next + 2
        mov     [data], ss
        BREAK   0, data, DR7_ACCESS | DR7_2
        CATCH   .data_caught
        mov     ss, [data]
        nop
.data_next:
        int     VEC_NONE
.data_caught:
        TCG_DIFFERS
        CAUGHT  "data breakpoint of MOV SS", VEC_DB, NO_ERROR, .data_next
        mov     eax, DR7_FIXED
        mov     dr7, eax
        mov     eax, DR6_FIXED
        mov     dr6, eax
        ret

; -- Branch steps --------------------------------------------------------------------------------------------------------------------

; IA32_DEBUGCTL.BTF, where it can be set: only taken branches are steps.
branch_steps:
        mov     eax, 1
        cpuid
        and     eax, 0xf00
        cmp     eax, 0x600
        jne     .end
        test    edx, 1 << 5
        jz      .end
        CATCH   .end
        mov     ecx, IA32_DEBUGCTL
        xor     edx, edx
        mov     eax, DEBUGCTL_BTF
        wrmsr
        rdmsr
        test    eax, DEBUGCTL_BTF
        jz      .end
        mov     edx, 1
        mov     dword [stop_at], 0
        call    steps_start
        push    dword EFLAGS_1
        push    dword EFLAGS_1 | EFLAGS_TF
        popfd
        nop
        nop
        jmp     .b1
        nop
.b1:    nop                                     ; the exception has cleared BTF
.b2:    popfd
.b3:    call    steps_end
        STEPPED "a branch step, then others", .b1, .b2, .b3
        xor     edx, edx
        mov     eax, edx
        mov     ecx, IA32_DEBUGCTL
        wrmsr
.end:
        ret

IMAGE_END
