; SPDX-License-Identifier: MIT
;
; Real mode for the test guests: enter_real goes there from 32-bit protected mode, to 16-bit code at
; 0000:REAL_CODE, with all segments 0, SP REAL_CODE, interrupts off. The code comes back by a jump to
; 0000:REAL_BACK, with a result in EBX. Include lib/test.asm first.

REAL_STUB       equ 0x500
REAL_BACK       equ REAL_STUB + real_stub.back - real_stub
REAL_CODE       equ 0x7c00

section .data
real_idt_pointer:
        dw      0x3ff
        dd      0

section .bss
        alignb  4
real_esp:       resd 1
real_ebx:       resd 1

section .text

; All other registers survive.
enter_real:
        pushad
        mov     [real_esp], esp
        mov     esi, real_stub
        mov     edi, REAL_STUB
        mov     ecx, real_stub.end - real_stub
        cld
        rep movsb
        lidt    [real_idt_pointer]
        mov     eax, cr0
        and     eax, ~CR0_PG
        mov     cr0, eax
        jmp     CODE16:REAL_STUB

        bits    16
real_stub:
        mov     ax, DATA16
        call    .load_segments
        mov     ss, ax
        mov     eax, cr0
        and     al, ~CR0_PE
        mov     cr0, eax
        jmp     0:REAL_STUB + .real - real_stub
.real:
        xor     ax, ax
        mov     esp, REAL_CODE
        call    .load_segments
        mov     ss, ax
        jmp     0:REAL_CODE
.load_segments:
        mov     ds, ax
        mov     es, ax
        mov     fs, ax
        mov     gs, ax
        ret
.back:
        mov     eax, cr0
        or      al, CR0_PE
        mov     cr0, eax
        jmp     dword KERNEL_CODE:real_back
.end:

        bits    32
real_back:
        mov     ax, KERNEL_DATA
        mov     ss, ax
        mov     esp, [ss:real_esp]
        call    load_data_segments
        mov     eax, cr0
        or      eax, CR0_PG
        mov     cr0, eax
        lidt    [idt_pointer]
        mov     [real_ebx], ebx
        popad
        mov     ebx, [real_ebx]
        ret
