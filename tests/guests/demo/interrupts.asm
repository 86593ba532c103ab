; SPDX-License-Identifier: MIT
;
; The way into the kernel and out of it. Each vector has an entry of its own that makes the stack
; look the same for all of them (struc frame); the common part saves what is left, calls the
; vector's handler, lets the scheduler choose whose frame to go back to (after interrupts and system
; calls), and returns through that. So a task that does not run is nothing but a stack with a frame on top.

; What lies on the kernel stack in a handler, from the top. The processor pushed eip to eflags, in
; ring 3 user_esp and user_ss before them, and for some exceptions an error code.
struc frame
.gs             resd 1
.fs             resd 1
.es             resd 1
.ds             resd 1
.edi            resd 1
.esi            resd 1
.ebp            resd 1
.unused         resd 1                          ; PUSHAD's ESP
.ebx            resd 1
.edx            resd 1
.ecx            resd 1
.eax            resd 1
.vector         resd 1
.error          resd 1
.eip            resd 1
.cs             resd 1
.eflags         resd 1
.user_esp       resd 1
.user_ss        resd 1
endstruc
FRAME_RING0     equ frame.user_esp              ; size of a frame that does not come from ring 3

EFLAGS_IF       equ 1 << 9
EFLAGS_ALWAYS   equ 1 << 1

; Bit n: exception n pushes an error code.
HAS_ERROR_CODE  equ 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17

%macro ENTRY 1                                  ; vector
entry_%1:
    %if %1 >= 32 || !(HAS_ERROR_CODE & (1 << (%1 & 31)))
        push    dword 0
    %endif
        push    dword %1
        jmp     enter_kernel
%endmacro

section .text
%assign vector 0
%rep VECTOR_IRQ + 16
        ENTRY   vector
    %assign vector vector + 1
%endrep
        ENTRY   VECTOR_SYSCALL

section .data
interrupt_entries:
%assign vector 0
%rep VECTOR_IRQ + 16
        dd      vector, entry_ %+ vector
    %assign vector vector + 1
%endrep
        dd      VECTOR_SYSCALL, entry_ %+ VECTOR_SYSCALL
        dd      -1

section .text
; Interrupts are off in the kernel from here to the IRETD: all gates are interrupt gates.
enter_kernel:
        pushad
        push    ds
        push    es
        push    fs
        push    gs
        mov     eax, KERNEL_DATA
        mov     ds, eax
        mov     es, eax
        cld
        mov     ebp, esp                        ; handlers find their frame here
        mov     eax, [ebp + frame.vector]
        cmp     eax, VECTOR_SYSCALL
        je      .syscall
        cmp     eax, VECTOR_IRQ
        jae     .irq
        call    handle_exception
        jmp     leave_kernel                    ; the task goes on: it has not had its time yet
.syscall:
        call    handle_syscall
        jmp     .leave
.irq:
        call    handle_irq
.leave:
        mov     esp, ebp
        call    schedule                        ; ESP = frame -> EAX = the frame to go on with
        mov     esp, eax
leave_kernel:
        pop     gs
        pop     fs
        pop     es
        pop     ds
        popad
        add     esp, 8                          ; vector and error code
        iretd

; -- Exceptions ------------------------------------------------------------------------------------

; EBP = frame.
handle_exception:
        mov     eax, [ebp + frame.vector]
        cmp     eax, VECTOR_DEVICE_NOT_AVAILABLE
        je      fpu_switch
        cmp     eax, VECTOR_PAGE_FAULT
        jne     .unexpected
        call    demand_serve
        jnc     .end
.unexpected:
        ; A task may have said where to go on after its next exception.
        mov     ebx, [current]
        mov     edx, [ebx + task.catch]
        test    edx, edx
        jz      panic
        mov     [ebx + task.fault_vector], eax
        mov     ecx, [ebp + frame.error]
        mov     [ebx + task.fault_error], ecx
        mov     ecx, [ebp + frame.eip]
        mov     [ebx + task.fault_eip], ecx
        mov     ecx, cr2
        mov     [ebx + task.fault_address], ecx
        mov     [ebp + frame.eip], edx
        mov     dword [ebx + task.catch], 0
.end:
        ret

; An exception that nobody expected: show the frame, then stop.
panic:
        print_string `\ndemo: unexpected exception `
        mov     eax, [ebp + frame.vector]
        call    print_decimal
        print_string " in task "
        mov     ebx, [current]
        lea     esi, [ebx + task.name]
        call    print
        mov     esi, .fields
.field:
        mov     eax, [esi]
        test    eax, eax
        js      .end
        add     esi, 4
        call    print                           ; the field's name
.skip:
        inc     esi
        cmp     byte [esi - 1], 0
        jne     .skip
        mov     eax, [ebp + eax]
        call    print_hex
        jmp     .field
.end:
        print_string ` cr2 `
        mov     eax, cr2
        call    print_hex
        call    print_newline
        mov     eax, DEBUG_EXIT_FAILED
        cmp     byte [want_selftest], 0
        jne     end_with
        jmp     debug_exit
section .data
.fields:
        dd      frame.error
        db      ": error ", 0
        dd      frame.eip
        db      " eip ", 0
        dd      frame.cs
        db      " cs ", 0
        dd      frame.eflags
        db      " eflags ", 0
        dd      frame.eax
        db      " eax ", 0
        dd      frame.ebx
        db      " ebx ", 0
        dd      frame.ecx
        db      " ecx ", 0
        dd      frame.edx
        db      " edx ", 0
        dd      frame.esi
        db      " esi ", 0
        dd      frame.edi
        db      " edi ", 0
        dd      frame.ebp
        db      " ebp ", 0
        dd      -1
section .text

; -- The interrupt controllers -------------------------------------------------------------------------

PIC1            equ 0x20                        ; command ports; data is one above
PIC2            equ 0xa0
PIC_EOI         equ 0x20
PIC_READ_ISR    equ 0x0b
PIC_ICW1        equ 0x11                        ; initialise: edge-triggered, cascaded, ICW4 follows
PIC_ICW4        equ 0x01                        ; 8086 mode
IRQ_TIMER       equ 0
IRQ_KEYBOARD    equ 1
IRQ_CASCADE     equ 2                           ; where the second controller is connected
IRQ_COM1        equ 4

; Moves the IRQs away from the exceptions' vectors, where the BIOS has them, and enables ours.
interrupts_start:
        push    eax
        mov     al, PIC_ICW1
        out     PIC1, al
        out     PIC2, al
        mov     al, VECTOR_IRQ
        out     PIC1 + 1, al
        mov     al, VECTOR_IRQ + 8
        out     PIC2 + 1, al
        mov     al, 1 << IRQ_CASCADE            ; the first is told by a mask,
        out     PIC1 + 1, al
        mov     al, IRQ_CASCADE                 ; the second by a number
        out     PIC2 + 1, al
        mov     al, PIC_ICW4
        out     PIC1 + 1, al
        out     PIC2 + 1, al
        mov     al, 0xff & ~(1 << IRQ_TIMER | 1 << IRQ_KEYBOARD | 1 << IRQ_CASCADE | 1 << IRQ_COM1)
        out     PIC1 + 1, al
        mov     al, 0xff
        out     PIC2 + 1, al
        pop     eax
        ret

; EBP = frame.
handle_irq:
        mov     eax, [ebp + frame.vector]
        sub     eax, VECTOR_IRQ
        inc     dword [irq_count + eax * 4]
        cmp     eax, IRQ_TIMER
        je      .timer
        cmp     eax, IRQ_KEYBOARD
        je      .keyboard
        cmp     eax, IRQ_COM1
        je      .com1
        cmp     eax, 7
        je      .spurious
.end:
        mov     al, PIC_EOI
        out     PIC1, al
        ret
.timer:
        inc     dword [ticks]
        jmp     .end
.keyboard:
        call    keyboard_interrupt
        jmp     .end
.com1:
        call    serial_interrupt
        jmp     .end
.spurious:
        ; A request that went away before it was acknowledged: not in service, so no EOI.
        mov     al, PIC_READ_ISR
        out     PIC1, al
        in      al, PIC1
        test    al, al
        js      .end
        ret

section .bss
        alignb  4
ticks:          resd 1                          ; 1/100 s since boot
irq_count:      resd 16
section .text
