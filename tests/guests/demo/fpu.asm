; SPDX-License-Identifier: MIT
;
; The floating-point unit belongs to one task at a time and is passed on lazily: when another task
; is chosen, CR0.TS makes its first floating-point instruction fault (#NM), and only then is the
; state of the one saved and that of the other loaded. Most tasks never pay for it.

CR0_MP          equ 1 << 1                      ; WAIT obeys TS
CR0_EM          equ 1 << 2
CR0_TS          equ 1 << 3
CR0_NE          equ 1 << 5                      ; errors are exceptions, not IRQ 13
CR4_OSFXSR      equ 1 << 9
CR4_OSXMMEXCPT  equ 1 << 10
FPU_STATE_SIZE  equ 512                         ; FXSAVE's; FNSAVE needs 108

section .bss
        alignb  4
fpu_owner:      resd 1                          ; whose state the unit has, or 0
fpu_switches:   resd 1
has_fxsave:     resb 1
has_sse:        resb 1

section .text
fpu_start:
        push    eax
        mov     eax, cr0
        and     eax, ~CR0_EM
        or      eax, CR0_MP | CR0_TS | CR0_NE
        mov     cr0, eax
        cmp     byte [has_fxsave], 0
        je      .end
        mov     eax, cr4
        or      eax, CR4_OSFXSR | CR4_OSXMMEXCPT
        mov     cr4, eax
.end:
        pop     eax
        ret

; EBX = the task that runs next.
fpu_task_changed:
        push    eax
        clts
        cmp     ebx, [fpu_owner]
        je      .end
        mov     eax, cr0
        or      eax, CR0_TS
        mov     cr0, eax
.end:
        pop     eax
        ret

; #NM: the current task wants the unit.
fpu_switch:
        clts
        inc     dword [fpu_switches]
        mov     ebx, [fpu_owner]
        test    ebx, ebx
        jz      .saved
        cmp     byte [has_fxsave], 0
        je      .fnsave
        fxsave  [ebx + task.fpu_state]
        jmp     .saved
.fnsave:
        fnsave  [ebx + task.fpu_state]
.saved:
        mov     ebx, [current]
        mov     [fpu_owner], ebx
        cmp     dword [ebx + task.fpu_used], 0
        je      .first
        cmp     byte [has_fxsave], 0
        je      .frstor
        fxrstor [ebx + task.fpu_state]
        ret
.frstor:
        frstor  [ebx + task.fpu_state]
        ret
.first:
        mov     dword [ebx + task.fpu_used], 1
        fninit
        cmp     byte [has_sse], 0
        je      .end
        ldmxcsr [.mxcsr]
.end:
        ret
section .data
.mxcsr: dd      0x1f80                          ; all exceptions masked
fpu_errors:
        dd      0                               ; values that were not what they should be
section .text

; -- Two tasks that use it -----------------------------------------------------------------------------
;
; Each fills all eight x87 registers, and XMM0-7 where there are some, lets a tick or two pass in
; which the other gets its turn, and then looks whether its values are still there.

%macro FLOAT_TASK 2+                            ; name, how a value is made from the integer in ST(0)
%1:
        mov     edi, 1                          ; the first integer of a round
.round:
        xor     ecx, ecx
.fill:
        call    .value
        inc     ecx
        cmp     ecx, 8
        jb      .fill
        mov     eax, edi
        xor     eax, %1                         ; another pattern for each task
        call    xmm_fill
        mov     esi, [ticks]
        add     esi, 2
.wait:
        cmp     esi, [ticks]
        ja      .wait
        call    xmm_check
.check:                                         ; from the last pushed down
        dec     ecx
        push    ecx
        fstp    tword [.found]
        call    .value
        fstp    tword [.expected]
        mov     eax, [.found]
        mov     edx, [.found + 4]
        mov     bx, [.found + 8]
        cmp     eax, [.expected]
        jne     .wrong
        cmp     edx, [.expected + 4]
        jne     .wrong
        cmp     bx, [.expected + 8]
        je      .right
.wrong:
        inc     dword [fpu_errors]
.right:
        pop     ecx
        test    ecx, ecx
        jnz     .check
        inc     dword [task_%1 + task.progress]
        add     edi, 8
        mov     ecx, 10
        call    sleep
        jmp     .round
.value:                                         ; pushes the value for EDI + ECX
        lea     eax, [edi + ecx]
        push    eax
        fild    dword [esp]
        %2
        pop     eax
        ret
section .bss
        alignb  4
.found:         resb 12
.expected:      resb 12
section .text
%endmacro

        FLOAT_TASK roots, fsqrt
        FLOAT_TASK squares, fmul st0, st0

; EAX = pattern: XMM0-7 get it, each rotated by another number of bits.
xmm_fill:
        cmp     byte [has_sse], 0
        je      .end
        push    eax
        push    eax
        %assign n 0
        %rep    8
        movss   xmm %+ n, [esp]
        shufps  xmm %+ n, xmm %+ n, 0
        rol     dword [esp], 3
        %assign n n + 1
        %endrep
        pop     eax
        pop     eax
.end:
        ret

; Are they still there?
xmm_check:
        cmp     byte [has_sse], 0
        je      .end
        push    eax
        push    ecx
        sub     esp, 16
        %assign n 0
        %rep    8
        movups  [esp], xmm %+ n
        mov     ecx, 4
.compare_%[n]:
        cmp     eax, [esp + ecx * 4 - 4]
        je      .same_%[n]
        inc     dword [fpu_errors]
.same_%[n]:
        loop    .compare_%[n]
        rol     eax, 3
        %assign n n + 1
        %endrep
        add     esp, 16
        pop     ecx
        pop     eax
.end:
        ret
