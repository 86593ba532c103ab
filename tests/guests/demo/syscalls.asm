; SPDX-License-Identifier: MIT
;
; System calls: INT 80h, EAX = number, EBX = argument, result in EAX. For tasks of all rings.

SYS_SLEEP       equ 0                           ; EBX = ticks
SYS_PRINT       equ 1                           ; EBX = zero-terminated text
SYS_TICKS       equ 2                           ; EAX = ticks since boot
SYS_PROGRESS    equ 3                           ; counts a piece of work
SYS_CATCH       equ 4                           ; EBX = where to go on after the next exception
SYS_CAUGHT      equ 5                           ; EAX, ECX, EBX, EDX = its vector, error code, EIP, CR2
SYS_WAIT_INPUT  equ 6                           ; until a character has come
SYSCALLS        equ 7

section .data
syscall_table:
        dd      syscall_sleep, syscall_print, syscall_ticks, syscall_progress, syscall_catch
        dd      syscall_caught, syscall_wait_input

section .text
; EBP = frame. Handlers get EBX = argument, EDX = current task, and may use all registers but EBP.
handle_syscall:
        mov     eax, [ebp + frame.eax]
        mov     ebx, [ebp + frame.ebx]
        mov     edx, [current]
        cmp     eax, SYSCALLS
        jae     .unknown
        jmp     [syscall_table + eax * 4]
.unknown:
        mov     dword [ebp + frame.eax], -1
        ret

syscall_sleep:
        add     ebx, [ticks]
        mov     [edx + task.wake], ebx
        ret

; Ring 3 may only name what it could read itself.
syscall_print:
        test    byte [ebp + frame.cs], 3
        jz      .print
        cmp     ebx, section..user.start
        jb      handle_syscall.unknown
        cmp     ebx, user_end
        jae     handle_syscall.unknown
.print:
        mov     esi, ebx
        jmp     print

syscall_ticks:
        mov     eax, [ticks]
        mov     [ebp + frame.eax], eax
        ret

syscall_progress:
        inc     dword [edx + task.progress]
        ret

syscall_catch:
        mov     [edx + task.catch], ebx
        ret

syscall_caught:
        mov     eax, [edx + task.fault_vector]
        mov     [ebp + frame.eax], eax
        mov     eax, [edx + task.fault_error]
        mov     [ebp + frame.ecx], eax
        mov     eax, [edx + task.fault_eip]
        mov     [ebp + frame.ebx], eax
        mov     eax, [edx + task.fault_address]
        mov     [ebp + frame.edx], eax
        ret

; Interrupts are off, so that no character can come between the look and the sleep.
syscall_wait_input:
        mov     eax, [input_head]
        cmp     eax, [input_tail]
        jne     .end
        mov     dword [edx + task.wake], WAKE_NEVER
        mov     [input_waiter], edx
.end:
        ret
