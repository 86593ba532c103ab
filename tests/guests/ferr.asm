; SPDX-License-Identifier: MIT
;
; x87 exceptions as DOS programs get them: with CR0.NE clear, FERR# raises IRQ13, and a write to port
; F0 lets the handler use waiting instructions (SDM 1, appendix D; 82371SB data sheet, FERR#).

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "ferr", 0

PIC             equ 0x20
PIC_SLAVE       equ 0xa0
COPROCESSOR     equ 0xf0
IRQ13           equ 0x2d                        ; its vector
STATUS_ZE       equ 0x84                        ; and ES
TIMES_DIVIDED   equ 12

section .data
interrupts:     dd 0
came_at:        dd 0                            ; where the last one came
status:         dd 0

section .text
test_main:
        GATE    idt + IRQ13 * 8, KERNEL_CODE, handler, 0x8e, 0
        call    pic_start
        mov     eax, cr0
        and     eax, ~(CR0_NE | CR0_TS | CR0_EM)
        mov     cr0, eax
        fninit
        push    dword 0x37b                     ; zero divide is not masked
        fldcw   [esp]
        pop     eax
        sti
        xor     ecx, ecx                        ; often enough to be translated
.next:
        call    divide
        inc     ecx
        CHECK   "one interrupt each time", [interrupts], ecx
        CHECK   "before the instruction that waits", [came_at], divide.waits
        CHECK   "status", [status], STATUS_ZE
        cmp     ecx, TIMES_DIVIDED
        jb      .next

        ; While interrupts are off the exception does no more than wait.
        cli
        fld1
        fldz
        fdivp   st1
        fnstsw  ax
        and     eax, STATUS_ZE
        CHECK   "pending", eax, STATUS_ZE
        fnclex
        fwait
        sti
        nop
        CHECK   "nothing after FNCLEX", [interrupts], TIMES_DIVIDED
        cli
        jmp     test_end

divide:
        fld1
        fldz
        fdivp   st1
.waits: fwait
        fninit
        push    dword 0x37b
        fldcw   [esp]
        pop     eax
        ret

handler:
        push    eax
        inc     dword [interrupts]
        mov     eax, [esp + 4]
        mov     [came_at], eax
        fnstsw  ax
        and     eax, STATUS_ZE
        mov     [status], eax
        out     COPROCESSOR, al
        fld1                                    ; IGNNE# lets it
        fstp    st0
        fnclex
        mov     al, 0x20
        out     PIC_SLAVE, al
        out     PIC, al
        pop     eax
        iretd

; Vectors 20h and 28h; only IRQ13 is let through.
pic_start:
        mov     al, 0x11
        out     PIC, al
        out     PIC_SLAVE, al
        mov     al, 0x20
        out     PIC + 1, al
        mov     al, 0x28
        out     PIC_SLAVE + 1, al
        mov     al, 4
        out     PIC + 1, al
        mov     al, 2
        out     PIC_SLAVE + 1, al
        mov     al, 1
        out     PIC + 1, al
        out     PIC_SLAVE + 1, al
        mov     al, 0xfb
        out     PIC + 1, al
        mov     al, 0xdf
        out     PIC_SLAVE + 1, al
        ret

IMAGE_END
