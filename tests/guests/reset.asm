; SPDX-License-Identifier: MIT
;
; All the ways to reset a PC, one after the other. Memory and CMOS survive a reset and tell the next
; start how far we are; the processor and the chips begin anew. Without resets (-no-reboot) the first
; one ends the program.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "reset", 0

CMOS_INDEX      equ 0x70
CMOS_DATA       equ 0x71
CMOS_STEP       equ 0x6a                        ; a byte that no firmware uses
SURVIVOR        equ 0x3f0000                    ; behind the image, in the 4 MiB that are mapped
SURVIVOR_MAGIC  equ 0x50c1a11e
STEP            equ SURVIVOR + 4
FAILED_BEFORE   equ SURVIVOR + 8
NOT_MASKED      equ SURVIVOR + 12

PORT92          equ 0x92
RESET_CONTROL   equ 0xcf9
PIC_DATA        equ 0x21
PIC_SLAVE_DATA  equ 0xa1

section .data
ways:
        dd      by_port92, text_port92
        dd      by_keyboard, text_keyboard
        dd      by_reset_control_hard, text_reset_control_hard
        dd      by_reset_control_soft, text_reset_control_soft
        dd      by_reset_control_full, text_reset_control_full
        dd      triple_fault, text_triple_fault
        dd      by_bad_stack, text_bad_stack
        dd      by_ring3, text_ring3
        dd      by_acpi, text_acpi
WAYS    equ ($ - ways) / 8

section .strings
text_port92:             db "port 92h", 0
text_keyboard:           db "keyboard controller", 0
text_reset_control_hard: db "port CF9h, 06h", 0
text_reset_control_soft: db "port CF9h, 04h", 0
text_reset_control_full: db "port CF9h, 0Eh", 0
text_triple_fault:       db "triple fault", 0
text_bad_stack:          db "triple fault for want of a stack", 0
text_ring3:              db "triple fault in ring 3", 0
text_acpi:               db "ACPI's reset register", 0

section .text
test_main:
        cmp     dword [SURVIVOR], SURVIVOR_MAGIC
        je      .again
        mov     dword [SURVIVOR], SURVIVOR_MAGIC
        mov     dword [STEP], 0
        mov     dword [FAILED_BEFORE], 0
        xor     eax, eax
        call    cmos_write_step
        jmp     .next
.again:
        mov     eax, [FAILED_BEFORE]
        mov     [checks_failed], eax
        call    after_reset
        inc     dword [STEP]
        mov     eax, [STEP]
        call    cmos_write_step
.next:
        mov     eax, [checks_failed]
        mov     [FAILED_BEFORE], eax
        mov     ebx, [STEP]
        cmp     ebx, WAYS
        jae     .end
        mov     esi, NAME
        call    print
        print_string `: by `
        mov     esi, [ways + ebx * 8 + 4]
        call    print
        call    print_newline
        call    before_reset
        call    [ways + ebx * 8]
        CHECK   "still here after that", ebx, -1
.end:
        mov     dword [SURVIVOR], 0             ; the next start is the first one
        jmp     test_end

; Leaves traces that a reset must wipe away.
before_reset:
        mov     eax, 0x1234
        mov     dr0, eax
        mov     eax, 0x00000a02
        mov     cr4, eax
        mov     ecx, 0x174                      ; IA32_SYSENTER_CS
        xor     edx, edx
        mov     eax, 0x5678
        wrmsr
        ; Mask what firmware leaves open, and the other way round.
        in      al, PIC_SLAVE_DATA
        not     al
        mov     [NOT_MASKED], al
        out     PIC_SLAVE_DATA, al
        ret

after_reset:
        call    cmos_read_step
        CHECK   "step in CMOS", eax, [STEP]
        mov     eax, dr0
        CHECK   "DR0 after a reset", eax, 0
        mov     eax, dr7
        CHECK   "DR7 after a reset", eax, 0x400
        mov     eax, cr4
        and     eax, ~0x20                      ; some firmware leaves PAE
        CHECK   "CR4 after a reset", eax, 0
        mov     ecx, 0x174
        rdmsr
        CHECK   "IA32_SYSENTER_CS after a reset", eax, 0
        in      al, PIC_SLAVE_DATA
        cmp     al, [NOT_MASKED]
        sete    al
        movzx   eax, al
        CHECK   "interrupt mask after a reset", eax, 0
        in      al, PORT92
        and     eax, 1
        CHECK   "port 92h, bit 0 after a reset", eax, 0
        mov     dx, RESET_CONTROL
        in      al, dx
        and     eax, 4
        CHECK   "port CF9h, bit 2 after a reset", eax, 0
        ; A20: the first and the second MiB differ.
        mov     eax, [0x100500]
        mov     ecx, [0x500]
        mov     edx, eax
        not     edx
        mov     [0x500], edx
        CHECK   "A20 after a reset", [0x100500], eax
        mov     [0x500], ecx
        ret

; -- Ways -----------------------------------------------------------------------------------------

by_port92:
        in      al, PORT92
        and     al, ~1
        out     PORT92, al
        or      al, 1
        out     PORT92, al
        jmp     give_it_time

by_keyboard equ reset_by_keyboard

by_reset_control_hard:
        mov     al, 2
        jmp     by_reset_control
by_reset_control_soft:
        mov     al, 0
        jmp     by_reset_control
by_reset_control_full:
        mov     al, 0x0a
by_reset_control:                               ; the edge of bit 2 resets; the others say how
        mov     dx, RESET_CONTROL
        out     dx, al
        or      al, 4
        out     dx, al
        jmp     give_it_time

; #PF cannot push, nor can #DF.
by_bad_stack:
        mov     esp, 0x80000000
        push    eax
        ret

; The stack for ring 0 is not there.
by_ring3:
        mov     dword [tss + TSS_ESP0], 0x80000000
        call    enter_ring3
        ud2

; As the FADT says. (Paging is off for the search: the tables may be anywhere.)
by_acpi:
        mov     eax, cr0
        and     eax, ~CR0_PG
        mov     cr0, eax
        mov     esi, 0xe0000
.rsdp:
        cmp     dword [esi], "RSD "
        jne     .no_rsdp
        cmp     dword [esi + 4], "PTR "
        je      .have_rsdp
.no_rsdp:
        add     esi, 16
        cmp     esi, 0x100000
        jb      .rsdp
        CHECK   "no RSDP", esi, 0
        ret
.have_rsdp:
        mov     ebx, [esi + 16]                 ; RSDT
        mov     ecx, [ebx + 4]
        add     ecx, ebx
        add     ebx, 36
.table:
        mov     esi, [ebx]
        cmp     dword [esi], "FACP"
        je      .have_fadt
        add     ebx, 4
        cmp     ebx, ecx
        jb      .table
        CHECK   "no FADT", ebx, 0
        ret
.have_fadt:
        mov     eax, [esi + 4]                  ; length
        cmp     eax, 129
        sbb     eax, eax
        TCG_DIFFERS                             ; its board's FADT is of ACPI 1.0
        CHECK   "FADT without a reset register", eax, 0
        cmp     eax, 0
        jne     .none
        mov     eax, [esi + 112]
        shr     eax, 10
        and     eax, 1
        CHECK   "FADT's RESET_REG_SUP", eax, 1
        movzx   eax, byte [esi + 116]
        CHECK   "reset register is a port", eax, 1
        mov     edx, [esi + 120]
        mov     al, [esi + 128]
        out     dx, al
        jmp     give_it_time
.none:                                          ; nothing to try, nothing wrong
        inc     dword [STEP]
        mov     dword [SURVIVOR], 0
        jmp     test_end

; -- CMOS -----------------------------------------------------------------------------------------

cmos_write_step:
        push    eax
        mov     al, CMOS_STEP
        out     CMOS_INDEX, al
        mov     al, [esp]
        xor     al, 0x5a
        out     CMOS_DATA, al
        pop     eax
        ret

; EAX = step.
cmos_read_step:
        mov     al, CMOS_STEP
        out     CMOS_INDEX, al
        in      al, CMOS_DATA
        xor     al, 0x5a
        movzx   eax, al
        ret

IMAGE_END
