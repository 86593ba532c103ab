; SPDX-License-Identifier: MIT
;
; Tasks and their scheduler: round robin, a tick each. A waiting task has a tick before which it
; does not run; the idle task never waits.

struc task
.name           resb 12
.start          resd 1                          ; first instruction
.ring           resd 1
.frame          resd 1                          ; its registers, on its kernel stack, while others run
.stack_top      resd 1                          ; of its kernel stack
.wake           resd 1                          ; tick
.slices         resd 1                          ; times it was chosen
.progress       resd 1                          ; its own count of work done
.catch          resd 1                          ; where to go on after its next exception, or 0
.fault_vector   resd 1                          ; that exception
.fault_error    resd 1
.fault_eip      resd 1
.fault_address  resd 1
.fpu_used       resd 1                          ; fpu_state holds something
.fpu_state      resb FPU_STATE_SIZE             ; at a multiple of 16, as FXSAVE wants it
endstruc

TASK_COUNT      equ (tasks_end - tasks) / task_size
STACK_SIZE      equ 2048
WAKE_NEVER      equ 0xffffffff

%macro TASK 3                                   ; name, ring, first instruction
        istruc task
        at task.name,   db %1
        at task.start,  dd %3
        at task.ring,   dd %2
        iend
%endmacro

section .data
        align   16
tasks:
task_idle:      TASK    "idle", 0, idle
task_shell:     TASK    "shell", 0, shell
task_primes:    TASK    "primes", 0, primes
task_roots:     TASK    "roots", 0, roots
task_squares:   TASK    "squares", 0, squares
task_user:      TASK    "user", 3, user
tasks_end:
current:
        dd      task_idle

section .bss
        alignb  16
kernel_stacks:  resb STACK_SIZE * 6
kernel_stacks_end:

section .text
; Gives each task a stack with a frame, as if it had just been interrupted before its first
; instruction, and leaves to the first of them. Does not return.
tasks_start:
        mov     ebx, tasks
        mov     edi, kernel_stacks
.task:
        add     edi, STACK_SIZE
        mov     [ebx + task.stack_top], edi
        lea     edx, [edi - frame_size]
        mov     [ebx + task.frame], edx
        mov     eax, [ebx + task.start]
        mov     [edx + frame.eip], eax
        mov     dword [edx + frame.eflags], EFLAGS_IF | EFLAGS_ALWAYS
        mov     dword [edx + frame.cs], KERNEL_CODE
        mov     eax, KERNEL_DATA
        cmp     dword [ebx + task.ring], 0
        je      .segments
        mov     dword [edx + frame.cs], USER_CODE
        mov     dword [edx + frame.user_esp], user_stack_top
        mov     dword [edx + frame.user_ss], USER_DATA
        mov     eax, USER_DATA
.segments:
        mov     [edx + frame.ds], eax
        mov     [edx + frame.es], eax
        mov     [edx + frame.fs], eax
        mov     [edx + frame.gs], eax
        add     ebx, task_size
        cmp     ebx, tasks_end
        jb      .task
        mov     esp, [task_idle + task.frame]
        jmp     leave_kernel

; ESP above the return address = the frame of the current task -> EAX = the frame to go on with.
schedule:
        mov     ebx, [current]
        lea     eax, [esp + 4]
        mov     [ebx + task.frame], eax
        mov     ecx, TASK_COUNT
.next:
        add     ebx, task_size
        cmp     ebx, tasks_end
        jb      .look
        mov     ebx, tasks
.look:
        dec     ecx
        js      .idle                           ; nobody else
        cmp     ebx, task_idle
        je      .next
        mov     eax, [ebx + task.wake]
        cmp     eax, [ticks]
        ja      .next
        jmp     .found
.idle:
        mov     ebx, task_idle
.found:
        inc     dword [ebx + task.slices]
        mov     [current], ebx
        mov     eax, [ebx + task.stack_top]
        mov     [tss + TSS_ESP0], eax           ; where the next interrupt in ring 3 begins to push
        call    fpu_task_changed
        mov     eax, [ebx + task.frame]
        ret

; -- Tasks in ring 0 -----------------------------------------------------------------------------------

idle:
        hlt
        inc     dword [task_idle + task.progress]
        jmp     idle

; Waits ECX ticks.
sleep:
        push    eax
        push    ebx
        mov     eax, SYS_SLEEP
        mov     ebx, ecx
        int     VECTOR_SYSCALL
        pop     ebx
        pop     eax
        ret

; Counts primes by trial division, for a tick or two of every tenth of a second.
primes:
        mov     esi, 2                          ; candidate
.burst:
        mov     edi, [ticks]
        add     edi, 2
.candidate:
        cmp     edi, [ticks]
        jbe     .rest
        mov     ecx, 2
.divide:
        mov     eax, ecx
        mul     eax
        cmp     eax, esi
        ja      .prime
        mov     eax, esi
        xor     edx, edx
        div     ecx
        test    edx, edx
        jz      .composite
        inc     ecx
        jmp     .divide
.prime:
        inc     dword [task_primes + task.progress]
.composite:
        inc     esi
        jmp     .candidate
.rest:
        mov     ecx, 8
        call    sleep
        jmp     .burst
