; SPDX-License-Identifier: MIT
;
; Task switches by the processor (SDM 3A chapter 8): JMP, CALL, IRET with NT, task gates, busy bits and
; links, CR3 and LDT, the T bit, 16-bit TSSs, TSSs that will not do.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "taskswitch", 0

HOT             equ 10000
TASK_A          equ SPARE + 0x00                ; 32-bit TSSs
TASK_B          equ SPARE + 0x08
TASK_16         equ SPARE + 0x10                ; 16-bit TSS
TASK_MAIN_16    equ SPARE + 0x18                ; a 16-bit TSS for ourselves
TASK_BAD        equ SPARE + 0x20                ; what is wrong with it changes
TASK_GATE       equ SPARE + 0x28                ; to TASK_A
LDT_A           equ SPARE + 0x30
TASK_RING3      equ SPARE + 0x38                ; DPL 3
BEYOND_GDT      equ 0x7f8
DATA_ABSENT     equ SPARE + 0x40
BUSY            equ 2

TSS16_SIZE      equ 44
TSS16_IP        equ 14
TSS16_FLAGS     equ 16
TSS16_AX        equ 18
TSS16_SP        equ 26
TSS16_ES        equ 34
TSS16_CS        equ 36
TSS16_SS        equ 38
TSS16_DS        equ 40
TSS16_LDT       equ 42
TSS_FS          equ 88
TSS_GS          equ 92

section .bss
        alignb  PAGE_SIZE
directory_a:    resb PAGE_SIZE
table_a:        resb PAGE_SIZE
seen_by:        resb PAGE_SIZE                  ; in A's address space another page is here
seen_by_a:      resb PAGE_SIZE
        alignb  16
tss_a:          resb TSS_SIZE
        alignb  16
tss_b:          resb TSS_SIZE
        alignb  16
tss_16:         resb TSS16_SIZE
        alignb  16
tss_main_16:    resb TSS16_SIZE
        alignb  16
tss_bad:        resb TSS_SIZE
        alignb  16
ldt_a:          resq 4
                resb 1024
stack_a:
                resb 1024
stack_b:
                resb 1024
stack_bad:
count:          resd 1
a_saw:          resd 8

section .text
; A TSS ready to run: address, entry, stack.
%macro MAKE_TSS 3
        mov     edi, %1
        mov     ecx, TSS_SIZE / 4
        xor     eax, eax
        rep stosd
        mov     edi, %1
        mov     dword [edi + TSS_EIP], %2
        mov     dword [edi + TSS_ESP], %3
        mov     dword [edi + TSS_EFLAGS], EFLAGS_1
        mov     dword [edi + TSS_CS], KERNEL_CODE
        mov     dword [edi + TSS_SS], KERNEL_DATA
        mov     dword [edi + TSS_DS], USER_DATA
        mov     dword [edi + TSS_ES], USER_DATA
        mov     dword [edi + TSS_ESP0], stack0_top
        mov     dword [edi + TSS_SS0], KERNEL_DATA
        mov     word [edi + TSS_IO_MAP], TSS_SIZE
        mov     eax, page_directory
        mov     [edi + TSS_CR3], eax
%endmacro

; EAX = the busy bit of a descriptor.
%macro BUSY_BIT 1
        movzx   eax, byte [gdt + %1 + 5]
        shr     eax, 1
        and     eax, 1
%endmacro
%macro CHECK_BUSY 3                             ; "name", selector, expected
        BUSY_BIT %2
        CHECK   %1, eax, %3
%endmacro
%macro CHECK_TS 1
        mov     eax, cr0
        and     eax, CR0_TS
        CHECK   %1, eax, CR0_TS
        clts
%endmacro

test_main:
        DESCRIPTOR_AT TASK_A, tss_a, TSS_SIZE - 1, 0x89, 0
        DESCRIPTOR_AT TASK_B, tss_b, TSS_SIZE - 1, 0x89, 0
        DESCRIPTOR_AT TASK_RING3, tss_b, TSS_SIZE - 1, 0xe9, 0
        DESCRIPTOR_AT TASK_16, tss_16, TSS16_SIZE - 1, 0x81, 0
        DESCRIPTOR_AT TASK_MAIN_16, tss_main_16, TSS16_SIZE - 1, 0x81, 0
        DESCRIPTOR_AT TASK_BAD, tss_bad, TSS_SIZE - 1, 0x89, 0
        DESCRIPTOR_AT LDT_A, ldt_a, 31, 0x82, 0
        DESCRIPTOR DATA_ABSENT, 0, 0xfffff, 0x12, 0xc
        mov     dword [gdt + TASK_GATE], TASK_A << 16
        mov     dword [gdt + TASK_GATE + 4], 0x0000e500
        ; Another address space, where `seen_by` is another page.
        mov     esi, page_table
        mov     edi, table_a
        mov     ecx, 1024
        rep movsd
        mov     dword [directory_a], table_a + PTE_ALL
        mov     eax, seen_by
        shr     eax, 12
        mov     dword [table_a + eax * 4], seen_by_a + PTE_ALL
        mov     dword [seen_by], 1
        mov     dword [seen_by_a], 2
        mov     dword [tss + TSS_CR3], page_directory
        call    calls
        call    jumps
        call    gates
        call    interrupts
        call    address_spaces
        call    ldts
        call    trap_bit
        call    exceptions_as_tasks
        call    sixteen
        call    wrong
        call    wrong_inside
        call    ring3
        jmp     test_end

; -- CALL and IRET ------------------------------------------------------------------------------------------

calls:
        MAKE_TSS tss_a, .task, stack_a
        mov     dword [tss_a + TSS_EAX], 0x11111111
        mov     dword [tss_a + TSS_FS], KERNEL_DATA
        mov     dword [tss_a + TSS_BACK], 0
        mov     ebx, 0xb0b0b0b0
        mov     esi, 0x51515151
        push    dword 0x46                      ; ZF, PF
        popfd
        call    TASK_A:0x12345678               ; the offset is ignored
.back:
        pushfd
        pop     dword [.flags]
        CHECK   "registers survive: ebx", ebx, 0xb0b0b0b0
        CHECK   "registers survive: esi", esi, 0x51515151
        CHECK   "the other task's eax", [a_saw], 0x11111111
        CHECK   "the other task's esp", [a_saw + 4], stack_a
        CHECK   "the other task's eflags: NT", [a_saw + 8], EFLAGS_1 | EFLAGS_NT
        CHECK   "link to the caller", [a_saw + 12], TSS_SELECTOR
        CHECK   "callee is busy", [a_saw + 16], 1
        CHECK   "caller stays busy", [a_saw + 20], 1
        CHECK   "the other task's fs", [a_saw + 24], KERNEL_DATA
        CHECK   "TR in the other task", [a_saw + 28], TASK_A
        CHECK   "our eip in our TSS", [tss + TSS_EIP], .back
        CHECK   "our ebx in our TSS", [tss + TSS_EAX + 12], 0xb0b0b0b0
        CHECK   "our cs in our TSS", [tss + TSS_CS], KERNEL_CODE
        CHECK   "its eip in its TSS", [tss_a + TSS_EIP], .again
        TCG_DIFFERS                             ; loses PF
        CHECK   "its eflags in its TSS: NT is off", [tss_a + TSS_EFLAGS], EFLAGS_1 | 0x44
        str     eax
        CHECK   "TR is back", eax, TSS_SELECTOR
        CHECK   "EFLAGS after the return", [.flags], 0x46
        CHECK_TS "TS after a switch"
        CHECK_BUSY "callee is no longer busy", TASK_A, 0
        CHECK_BUSY "we are busy", TSS_SELECTOR, 1
        ; It goes on behind its IRET.
        mov     dword [count], 0
        mov     ecx, HOT
.loop:
        call    TASK_A:0
        dec     ecx
        jnz     .loop
        CHECK   "calls", [count], HOT
        clts
        ret
.task:
        mov     [a_saw], eax
        mov     [a_saw + 4], esp
        pushfd
        pop     dword [a_saw + 8]
        mov     eax, [tss_a + TSS_BACK]
        mov     [a_saw + 12], eax
        BUSY_BIT TASK_A
        mov     [a_saw + 16], eax
        BUSY_BIT TSS_SELECTOR
        mov     [a_saw + 20], eax
        mov     eax, fs
        mov     [a_saw + 24], eax
        str     eax
        mov     [a_saw + 28], eax
        cmp     eax, eax
        iretd
.again:
        inc     dword [count]
        iretd
        jmp     .again
section .data
.flags: dd      0
section .text

; -- JMP --------------------------------------------------------------------------------------------------------

jumps:
        MAKE_TSS tss_a, .task, stack_a
        MAKE_TSS tss_b, .task_b, stack_b
        mov     dword [count], 0
        mov     dword [tss_a + TSS_BACK], 0x5555
        jmp     TASK_A:0
        CHECK   "EFLAGS of a task that was jumped to", [a_saw], EFLAGS_1
        CHECK   "no link", [a_saw + 4], 0x5555
        CHECK   "who jumped is not busy", [a_saw + 8], 0
        CHECK_BUSY "nor is who jumped back", TASK_A, 0
        CHECK_BUSY "we are busy again", TSS_SELECTOR, 1
        ; Round and round: we, A, B.
        mov     dword [tss_a + TSS_EIP], .round_a
        mov     ecx, HOT / 2
        xor     ebx, ebx
.loop:
        add     ebx, 1
        jmp     TASK_A:0
        dec     ecx
        jnz     .loop
        CHECK   "rounds", ebx, HOT / 2
        CHECK   "rounds in A and B", [count], HOT / 2 * 0x101
        CHECK   "A's register", [tss_a + TSS_EAX], HOT / 2
        clts
        ret
.task:
        pushfd
        pop     dword [a_saw]
        mov     eax, [tss_a + TSS_BACK]
        mov     [a_saw + 4], eax
        BUSY_BIT TSS_SELECTOR
        mov     [a_saw + 8], eax
        xor     eax, eax
        jmp     TSS_SELECTOR:0
.round_a:
        inc     dword [count]
        jmp     TASK_B:0
        jmp     .round_a
.task_b:
        add     dword [count], 0x100
        inc     dword [tss_a + TSS_EAX]
        jmp     TSS_SELECTOR:0
        jmp     .task_b

; -- Task gates ---------------------------------------------------------------------------------------------------

gates:
        MAKE_TSS tss_a, .task, stack_a
        mov     dword [count], 0
        call    TASK_GATE:0
        jmp     TASK_GATE:0
        CHECK   "through a task gate", [count], 2
        CATCH   .ring3
        call    enter_ring3
        call    TASK_GATE | 3:0                 ; the gate's DPL is 3, the TSS's is 0
        int     VEC_NONE
.ring3:
        CAUGHT  "from ring 3", VEC_NONE, NO_ERROR, .ring3
        CHECK   "through a task gate from ring 3", [count], 3
        clts
        ret
.task:
        inc     dword [count]
        iretd
        ; By JMP: there is no link, NT is clear.
        inc     dword [count]
        jmp     TSS_SELECTOR:0
        inc     dword [count]
        iretd

; -- Interrupts ------------------------------------------------------------------------------------------------------

interrupts:
        MAKE_TSS tss_a, .task, stack_a
        mov     dword [idt + 0x40 * 8], TASK_A << 16
        mov     dword [idt + 0x40 * 8 + 4], 0x0000e500
        mov     dword [count], 0
        mov     ebx, esp
        int     0x40
.back:
        CHECK   "interrupt through a task gate", [count], 1
        mov     eax, esp
        CHECK   "our esp", eax, ebx
        CHECK   "our eip", [tss + TSS_EIP], .back
        CHECK   "its link", [tss_a + TSS_BACK], TSS_SELECTOR
        CHECK   "its esp", [a_saw], stack_a
        mov     ecx, HOT
.loop:
        int     0x40
        dec     ecx
        jnz     .loop
        CHECK   "interrupts through a task gate", [count], HOT + 1
        ; From ring 3.
        CATCH   .ring3
        call    enter_ring3
        int     0x40
        mov     ebx, cs
        int     VEC_NONE
.ring3:
        CHECK   "interrupt from ring 3", [count], HOT + 2
        CHECK   "and back to ring 3", [got.ebx], USER_CODE
        clts
        ret
.task:
        mov     [a_saw], esp
.next:
        inc     dword [count]
        iretd
        jmp     .next

; -- Address spaces, LDTs ----------------------------------------------------------------------------------------------

address_spaces:
        MAKE_TSS tss_a, .task, stack_a
        mov     dword [tss_a + TSS_CR3], directory_a
        mov     ecx, HOT
        xor     ebx, ebx
.loop:
        add     ebx, [seen_by]
        call    TASK_A:0
        add     ebx, [a_saw]
        dec     ecx
        jnz     .loop
        CHECK   "CR3 comes from the TSS", ebx, HOT * 3
        mov     eax, cr3
        CHECK   "CR3 is back", eax, page_directory
        CHECK   "CR3 in our TSS is as it was", [tss + TSS_CR3], page_directory
        clts
        ret
.task:
        mov     eax, [seen_by]
        mov     [a_saw], eax
        iretd
        jmp     .task

ldts:
        ; Entry 1 of A's LDT: data at `seen_by_a`.
        mov     eax, seen_by_a
        mov     dword [ldt_a + 8], 0x0fff
        mov     [ldt_a + 10], ax
        shr     eax, 16
        mov     [ldt_a + 12], al
        mov     dword [ldt_a + 13], 0x0040f2
        MAKE_TSS tss_a, .task, stack_a
        mov     dword [tss_a + TSS_LDT], LDT_A
        mov     dword [tss_a + TSS_GS], 8 | 7
        call    TASK_A:0
        CHECK   "through a local selector", [a_saw], 2
        CHECK   "LDTR in the task", [a_saw + 4], LDT_A
        sldt    eax
        CHECK   "LDTR is back", eax, 0
        clts
        ret
.task:
        mov     eax, [gs:0]
        mov     [a_saw], eax
        sldt    eax
        mov     [a_saw + 4], eax
        iretd

; -- The T bit --------------------------------------------------------------------------------------------------------------

trap_bit:
        MAKE_TSS tss_a, .task, stack_a
        mov     word [tss_a + TSS_TRAP], 1
        mov     eax, 0xffff0ff0
        mov     dr6, eax
        CATCH   .caught
        call    TASK_A:0
        int     VEC_NONE
.caught:
        TCG_DIFFERS 3                           ; does not know the bit
        CAUGHT  "T bit", VEC_DB, NO_ERROR, .task
        mov     eax, dr6
        CHECK   "T bit: DR6", eax, 0xffff8ff0
        mov     eax, 0xffff0ff0
        mov     dr6, eax
        str     eax
        CHECK   "T bit: in the new task", eax, TASK_A
        ; We go on in task A's stead; back to our own.
        call    own_task
        clts
        ret
.task:  int     VEC_NONE

; Makes TR ours, whatever it was, and no task busy but us. Keeps the stack.
own_task:
        and     byte [gdt + TASK_A + 5], ~BUSY
        and     byte [gdt + TASK_B + 5], ~BUSY
        and     byte [gdt + TASK_BAD + 5], ~BUSY
        and     byte [gdt + TSS_SELECTOR + 5], ~BUSY
        mov     eax, TSS_SELECTOR
        ltr     ax
        xor     eax, eax
        lldt    ax
        call    load_data_segments
        mov     eax, KERNEL_DATA
        mov     ss, eax
        push    dword EFLAGS_1
        popfd
        clts
        ret

; -- Exceptions that are tasks -------------------------------------------------------------------------------------------------

exceptions_as_tasks:
        ; #UD has no error code, #GP has one: on the new task's stack.
        mov     eax, [idt + VEC_UD * 8]
        mov     [.saved], eax
        mov     eax, [idt + VEC_UD * 8 + 4]
        mov     [.saved + 4], eax
        mov     dword [idt + VEC_UD * 8], TASK_A << 16
        mov     dword [idt + VEC_UD * 8 + 4], 0x00008500
        MAKE_TSS tss_a, .ud, stack_a
        mov     dword [count], 0
        mov     ecx, HOT / 10
.loop:
        ud2
        dec     ecx
        jnz     .loop
        CHECK   "#UD through a task gate", [count], HOT / 10
        CHECK   "no error code", [a_saw], stack_a
        mov     eax, [.saved]
        mov     [idt + VEC_UD * 8], eax
        mov     eax, [.saved + 4]
        mov     [idt + VEC_UD * 8 + 4], eax

        mov     eax, [idt + VEC_GP * 8]
        mov     [.saved], eax
        mov     eax, [idt + VEC_GP * 8 + 4]
        mov     [.saved + 4], eax
        mov     dword [idt + VEC_GP * 8], TASK_A << 16
        mov     dword [idt + VEC_GP * 8 + 4], 0x00008500
        MAKE_TSS tss_a, .gp, stack_a
        mov     ecx, HOT / 10
        mov     dword [count], 0
        mov     ebx, BEYOND_GDT
.gp_loop:
        mov     fs, ebx                         ; the handler makes EBX null
        mov     ebx, BEYOND_GDT
        dec     ecx
        jnz     .gp_loop
        CHECK   "#GP through a task gate", [count], HOT / 10
        CHECK   "error code", [a_saw], BEYOND_GDT
        CHECK   "its place", [a_saw + 4], stack_a - 4
        mov     eax, [.saved]
        mov     [idt + VEC_GP * 8], eax
        mov     eax, [.saved + 4]
        mov     [idt + VEC_GP * 8 + 4], eax

        ; #DF as a task, for stacks that are gone (SDM 3A 6.15): the usual reason for task gates.
        mov     eax, [idt + VEC_DF * 8]
        mov     [.saved], eax
        mov     eax, [idt + VEC_DF * 8 + 4]
        mov     [.saved + 4], eax
        mov     dword [idt + VEC_DF * 8], TASK_A << 16
        mov     dword [idt + VEC_DF * 8 + 4], 0x00008500
        MAKE_TSS tss_a, .df, stack_a
        mov     [.esp], esp
        mov     esp, 0x80000000
.push:  push    eax
        ud2
.df_back:
        CHECK   "#DF as a task: error code", [a_saw], 0
        CHECK   "#DF as a task: eip", [a_saw + 4], .push
        CHECK   "#DF as a task: esp", [a_saw + 8], 0x80000000
        mov     eax, [.saved]
        mov     [idt + VEC_DF * 8], eax
        mov     eax, [.saved + 4]
        mov     [idt + VEC_DF * 8 + 4], eax
        clts
        ret
.ud:
        mov     [a_saw], esp
        add     dword [tss + TSS_EIP], 2
        inc     dword [count]
        iretd
        jmp     .ud
.gp:
        mov     [a_saw + 4], esp
        pop     dword [a_saw]
        mov     dword [tss + TSS_EAX + 12], 0
        inc     dword [count]
        iretd
        jmp     .gp
.df:
        pop     dword [a_saw]
        mov     eax, [tss + TSS_EIP]
        mov     [a_saw + 4], eax
        mov     eax, [tss + TSS_ESP]
        mov     [a_saw + 8], eax
        mov     dword [tss + TSS_EIP], .df_back
        mov     eax, [.esp]
        mov     [tss + TSS_ESP], eax
        iretd
section .data
.saved: dd      0, 0
.esp:   dd      0
section .text

; -- 16-bit TSSs ---------------------------------------------------------------------------------------------------------------------

sixteen:
        ; The task runs 16-bit code below 64 KiB.
        mov     esi, .code
        mov     edi, 0x8000
        mov     ecx, .code_end - .code
        rep movsb
        mov     edi, tss_16
        mov     ecx, TSS16_SIZE / 4
        xor     eax, eax
        rep stosd
        mov     word [tss_16 + TSS16_IP], 0x8000
        mov     word [tss_16 + TSS16_FLAGS], EFLAGS_1
        mov     word [tss_16 + TSS16_AX], 0x1234
        mov     word [tss_16 + TSS16_SP], 0x7000
        mov     word [tss_16 + TSS16_CS], CODE16
        mov     word [tss_16 + TSS16_SS], DATA16
        mov     word [tss_16 + TSS16_DS], USER_DATA
        mov     word [tss_16 + TSS16_ES], USER_DATA
        mov     dword [count], 0
        mov     ecx, HOT
        mov     ebx, 0xb0b0b0b0
.loop:
        call    TASK_16:0
        dec     ecx
        jnz     .loop
        CHECK   "16-bit task", [count], HOT
        CHECK   "our ebx", ebx, 0xb0b0b0b0
        movzx   eax, word [a_saw]
        CHECK   "its ax", eax, 0x1234
        movzx   eax, word [tss_16]
        CHECK   "its link", eax, TSS_SELECTOR
        CHECK_BUSY "it is not busy", TASK_16, 0
        clts
        ret
        bits    16
.code:
        mov     [dword a_saw], eax
.code_again:
        inc     dword [dword count]
        iret
        jmp     .code_again
.code_end:
        bits    32

; -- What will not do -------------------------------------------------------------------------------------------------------------------

; The fault comes in the old task, before anything changes.
%macro SWITCH_FAULT 4+                          ; "name", vector, error code, instruction
        mov     ebx, esp
        FAULT   %1, %2, %3, %4
        CHECK   %strcat(%1, ": esp"), [got.esp], ebx
        str     eax
        CHECK   %strcat(%1, ": TR"), eax, TSS_SELECTOR
%endmacro

wrong:
        MAKE_TSS tss_bad, never, stack_bad
        SWITCH_FAULT "jmp to a busy TSS", VEC_GP, TSS_SELECTOR, jmp TSS_SELECTOR:0
        SWITCH_FAULT "call to a busy TSS", VEC_GP, TSS_SELECTOR, call TSS_SELECTOR:0
        and     byte [gdt + TASK_BAD + 5], 0x7f
        SWITCH_FAULT "absent TSS", VEC_NP, TASK_BAD, call TASK_BAD:0
        or      byte [gdt + TASK_BAD + 5], 0x80
        mov     word [gdt + TASK_BAD], TSS_SIZE - 2
        SWITCH_FAULT "TSS of 103 bytes", VEC_TS, TASK_BAD, call TASK_BAD:0
        mov     word [gdt + TASK_BAD], TSS_SIZE - 1
        CHECK_BUSY "still not busy", TASK_BAD, 0
        mov     word [gdt + TASK_GATE + 2], KERNEL_DATA
        SWITCH_FAULT "task gate to data", VEC_GP, KERNEL_DATA, call TASK_GATE:0
        mov     word [gdt + TASK_GATE + 2], BEYOND_GDT
        SWITCH_FAULT "task gate beyond the GDT", VEC_GP, BEYOND_GDT, call TASK_GATE:0
        mov     word [gdt + TASK_GATE + 2], 4
        TCG_DIFFERS                             ; says #TS
        SWITCH_FAULT "task gate to the LDT", VEC_GP, 4, call TASK_GATE:0
        mov     word [gdt + TASK_GATE + 2], TASK_BAD
        and     byte [gdt + TASK_BAD + 5], 0x7f
        SWITCH_FAULT "task gate to an absent TSS", VEC_NP, TASK_BAD, call TASK_GATE:0
        or      byte [gdt + TASK_BAD + 5], 0x80
        and     byte [gdt + TASK_GATE + 5], 0x7f
        SWITCH_FAULT "absent task gate", VEC_NP, TASK_GATE, call TASK_GATE:0
        or      byte [gdt + TASK_GATE + 5], 0x80
        mov     word [gdt + TASK_GATE + 2], TASK_A
        FAULT3  "TSS of ring 0 in ring 3", VEC_GP, TASK_BAD, call TASK_BAD:0
        ; IRET with NT: the link must be a busy TSS.
        mov     word [tss + TSS_BACK], TASK_BAD
        CATCH   .not_busy
        push    dword EFLAGS_1 | EFLAGS_NT
        popfd
.not_busy_at:
        iretd
.not_busy:
        CAUGHT  "iretd to a task that is not busy", VEC_TS, TASK_BAD, .not_busy_at
        mov     eax, [got.eflags]
        and     eax, EFLAGS_NT
        CHECK   "iretd to a task that is not busy: NT", eax, EFLAGS_NT
        mov     word [tss + TSS_BACK], 4
        CATCH   .local
        push    dword EFLAGS_1 | EFLAGS_NT
        popfd
.local_at:
        iretd
.local:
        CAUGHT  "iretd to a local selector", VEC_TS, 4, .local_at
        ret
never:  int     VEC_NONE

; The fault comes in the new task, which is current by then.
%macro INSIDE 4                                 ; "name", vector, error code, expected EIP
        mov     byte [gdt + TASK_BAD + 5], 0x89
        mov     [.esp], esp
        CATCH   %%caught
        call    TASK_BAD:0
        int     VEC_NONE
%%caught:
        mov     esp, [.esp]
        str     ebx
        call    own_task
        CAUGHT  %1, %2, %3, %4
        CHECK   %strcat(%1, ": TR"), ebx, TASK_BAD
%endmacro
; One field of the TSS is wrong: offset, value.
%macro INSIDE_FIELD 5                           ; "name", offset, value, vector, error code
        MAKE_TSS tss_bad, never, stack_bad
        mov     dword [tss_bad + %2], %3
        INSIDE  %1, %4, %5, never
%endmacro

; (SS is good, so that the handler can be entered.)
wrong_inside:
        TCG_SKIPS .end                          ; not its strength: faults come in the old task, or not
        INSIDE_FIELD "DS beyond the GDT", TSS_DS, BEYOND_GDT, VEC_TS, BEYOND_GDT
        INSIDE_FIELD "absent FS", TSS_FS, DATA_ABSENT, VEC_NP, DATA_ABSENT
        INSIDE_FIELD "DS is a TSS", TSS_DS, TASK_A, VEC_TS, TASK_A
        ; EIP beyond the limit.
        MAKE_TSS tss_bad, 0x10000, stack_bad
        mov     dword [tss_bad + TSS_CS], CODE16
        INSIDE  "EIP beyond the limit", VEC_GP, 0, 0x10000
        ; The first instruction is not mapped.
        MAKE_TSS tss_bad, 0x80000000, stack_bad
        INSIDE  "EIP not mapped", VEC_PF, 0, 0x80000000
.end:
        ret
section .data
.esp:   dd      0
section .text

; A task in ring 3 that is called again and again, and takes interrupts on its own stack of ring 0.
ring3:
        MAKE_TSS tss_b, .task, stack3_top
        mov     dword [tss_b + TSS_CS], USER_CODE
        mov     dword [tss_b + TSS_SS], USER_DATA
        mov     dword [count], 0
        mov     dword [tss_b + TSS_ESP0], stack_b
        GATE    idt + 0x42 * 8, KERNEL_CODE, .handler, 0xee, 0
        mov     ecx, HOT / 10
.loop:
        call    TASK_RING3:0
        dec     ecx
        jnz     .loop
        CHECK   "task in ring 3", [count], HOT / 10
        CHECK   "its handler's stack", [a_saw], stack_b - 20
        CHECK   "its cs", [a_saw + 4], USER_CODE
        clts
        ret
.task:
        mov     eax, cs
        mov     [a_saw + 4], eax
        int     0x42
        iretd                                   ; NT works in any ring
        jmp     .task
.handler:
        mov     [a_saw], esp
        inc     dword [count]
        iretd

IMAGE_END
