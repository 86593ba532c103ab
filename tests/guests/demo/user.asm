; SPDX-License-Identifier: MIT
;
; A task in ring 3, in pages of its own; only INT 80h leads to the kernel. It first tries what it
; must not do and notes what became of it, for the self-test to judge.

; Runs an instruction that must fault, named user_%1, and fills the record user_%1_caught.
%macro MUST_FAULT 2+
        mov     eax, SYS_CATCH
        mov     ebx, %%after
        int     VECTOR_SYSCALL
user_%1:
        %2
%%after:
        mov     eax, SYS_CAUGHT
        int     VECTOR_SYSCALL
        mov     [user_%1_caught + caught.vector], eax
        mov     [user_%1_caught + caught.error], ecx
        mov     [user_%1_caught + caught.eip], ebx
        mov     [user_%1_caught + caught.address], edx
%endmacro

struc caught
.vector         resd 1
.error          resd 1
.eip            resd 1
.address        resd 1
endstruc

section .user
user:
        MUST_FAULT cli, cli                     ; #GP(0): the I/O privilege level is 0
        MUST_FAULT port, in al, PIC1 + 1        ; #GP(0): likewise
        MUST_FAULT read, mov eax, [gdt]         ; #PF: a page of the kernel's
        mov     eax, SYS_PRINT
        mov     ebx, user_hello
        int     VECTOR_SYSCALL
user_work:                                      ; from here on it waits and counts how often
        mov     eax, SYS_PROGRESS
        int     VECTOR_SYSCALL
        mov     eax, SYS_SLEEP
        mov     ebx, 5
        int     VECTOR_SYSCALL
        jmp     user_work

user_hello:
        db      `Hello from ring 3!\n`, 0
        align   4, db 0
user_cli_caught:        times caught_size db 0
user_port_caught:       times caught_size db 0
user_read_caught:       times caught_size db 0
        align   16, db 0
        times   1024 db 0
user_stack_top:
user_end:
section .text
