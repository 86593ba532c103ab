; SPDX-License-Identifier: MIT
;
; The tables that protected mode cannot do without (SDM 3A, chapters 3, 6 and 7): flat segments for
; rings 0 and 3, one TSS whose only use is to tell which stack an interrupt in ring 3 switches to,
; and an IDT with a gate for each vector that we expect.

KERNEL_CODE     equ 0x08                        ; selectors; the low two bits are the privilege
KERNEL_DATA     equ 0x10
USER_CODE       equ 0x18 | 3
USER_DATA       equ 0x20 | 3
TSS_SELECTOR    equ 0x28

VECTOR_DEVICE_NOT_AVAILABLE equ 7
VECTOR_PROTECTION           equ 13
VECTOR_PAGE_FAULT           equ 14
VECTOR_EXCEPTIONS           equ 32              ; how many vectors are the processor's own
VECTOR_IRQ                  equ 32              ; where we let the two 8259s begin
VECTOR_SYSCALL              equ 0x80

; A descriptor is scattered for the 286's sake; with base 0 and limit FFFFF pages little remains.
%macro FLAT_SEGMENT 1                           ; access byte
        dw      0xffff, 0
        db      0, %1, 0xcf, 0
%endmacro

section .data
        align   8
gdt:
        dq      0                               ; selector 0 is the null selector
        FLAT_SEGMENT 0x9a                       ; ring 0 code
        FLAT_SEGMENT 0x92                       ; ring 0 data
        FLAT_SEGMENT 0xfa                       ; ring 3 code
        FLAT_SEGMENT 0xf2                       ; ring 3 data
gdt_tss:
        dw      TSS_SIZE - 1, 0
        db      0, 0x89, 0, 0                   ; available 32-bit TSS; the base comes at run time
gdt_end:
gdt_pointer:
        dw      gdt_end - gdt - 1
        dd      gdt
idt_pointer:
        dw      IDT_SIZE - 1
        dd      idt

IDT_GATES       equ VECTOR_SYSCALL + 1
IDT_SIZE        equ IDT_GATES * 8
TSS_SIZE        equ 104
TSS_ESP0        equ 4                           ; offsets
TSS_SS0         equ 8
TSS_IO_MAP      equ 102
GATE_INTERRUPT  equ 0x8e                        ; present 32-bit interrupt gate, which clears IF
GATE_USER       equ 0x60                        ; ... that INT in ring 3 may use

section .bss
        alignb  8
idt:    resb    IDT_SIZE
tss:    resb    TSS_SIZE

section .text
descriptors_start:
        pushad
        mov     eax, tss
        mov     [gdt_tss + 2], ax
        shr     eax, 16
        mov     [gdt_tss + 4], al
        mov     [gdt_tss + 7], ah
        mov     dword [tss + TSS_SS0], KERNEL_DATA
        mov     word [tss + TSS_IO_MAP], TSS_SIZE       ; beyond the limit: no ports for ring 3
        lgdt    [gdt_pointer]
        jmp     KERNEL_CODE:.reloaded
.reloaded:
        mov     eax, KERNEL_DATA
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        mov     eax, TSS_SELECTOR
        ltr     ax

        mov     esi, interrupt_entries          ; a table of vectors and addresses
.gate:
        lodsd
        cmp     eax, -1
        je      .gates_done
        lea     edi, [idt + eax * 8]
        cmp     eax, VECTOR_SYSCALL
        mov     cl, GATE_INTERRUPT
        jne     .kind_known
        mov     cl, GATE_INTERRUPT | GATE_USER
.kind_known:
        lodsd
        mov     [edi], ax                       ; offset, low half
        mov     word [edi + 2], KERNEL_CODE
        mov     byte [edi + 4], 0
        mov     [edi + 5], cl
        shr     eax, 16
        mov     [edi + 6], ax                   ; offset, high half
        jmp     .gate
.gates_done:
        lidt    [idt_pointer]
        popad
        ret
