; SPDX-License-Identifier: MIT
;
; ACPI's S3: the machine sleeps until the clock's alarm, keeps its memory, and goes on where the FACS
; says, in real mode, with a processor and chips that were reset.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "sleep", 0

WAKE_AT         equ 0x8005                      ; its low four bits become IP
PM1_WOKE        equ 1 << 15
PM1_CLOCK       equ 1 << 10
SLEEP_S3        equ 1 << 13 | 1 << 10           ; SLP_EN, SLP_TYP 1 on a PIIX4
CLOCK_B         equ 0x0b
ALARM_ENABLE    equ 0x20
FADT_FACS       equ 36
FADT_PM1_EVENT  equ 56
FADT_PM1_CNT    equ 64
FACS_VECTOR     equ 12

section .bss
        alignb  4
facs:           resd 1
pm1_event:      resd 1
pm1_control:    resd 1
slept_on:       resd 1
woken_cs:       resd 1

section .text
test_main:
        mov     eax, cr0
        and     eax, ~CR0_PG                    ; tables may be anywhere
        mov     cr0, eax
        call    find_fadt
        mov     eax, [ebx + FADT_FACS]
        mov     [facs], eax
        mov     dword [eax + FACS_VECTOR], WAKE_AT
        mov     eax, [ebx + FADT_PM1_EVENT]
        mov     [pm1_event], eax
        mov     eax, [ebx + FADT_PM1_CNT]
        mov     [pm1_control], eax
        mov     esi, waking
        mov     edi, WAKE_AT
        mov     ecx, waking_end - waking
        rep movsb
        mov     eax, 0x1234
        mov     dr0, eax
        call    alarm_each_second
        mov     edx, [pm1_event]
        mov     eax, 0xffff
        out     dx, ax
        mov     eax, PM1_CLOCK
        add     edx, 2
        out     dx, ax
        mov     edx, [pm1_control]
        mov     eax, SLEEP_S3
        mov     ecx, 1000000
        out     dx, ax
.more:  inc     dword [slept_on]
        loop    .more
        CHECK   "it does not sleep", ecx, -1
        jmp     test_end

; CS in EDI.
awake:
        mov     ax, KERNEL_DATA
        mov     ss, ax
        mov     esp, stack_top
        call    load_data_segments
        lidt    [idt_pointer]
        mov     eax, TSS_SELECTOR
        and     byte [gdt + TSS_SELECTOR + 5], ~2       ; not busy
        ltr     ax
        mov     [woken_cs], edi
        CHECK   "CS", [woken_cs], WAKE_AT >> 4
        TCG_DIFFERS                             ; it stops a little later
        CHECK   "instructions after that", [slept_on], 0
        mov     eax, dr0
        CHECK   "DR0 after a reset", eax, 0
        mov     edx, [pm1_event]
        in      ax, dx
        and     eax, PM1_WOKE | PM1_CLOCK
        TCG_DIFFERS                             ; its reset clears the clock's bit
        CHECK   "PM1_STS", eax, PM1_WOKE | PM1_CLOCK
        mov     eax, [facs]
        CHECK   "FACS", [eax + FACS_VECTOR], WAKE_AT
        jmp     test_end

        bits    16
waking:
        mov     cx, cs
        xor     ax, ax
        mov     ds, ax
        lgdt    [gdt_low + WAKE_AT - waking]
        mov     eax, cr0
        or      al, CR0_PE
        mov     cr0, eax
        movzx   edi, cx
        jmp     dword KERNEL_CODE:awake
gdt_low:
        dw      gdt_end - gdt - 1
        dd      gdt
waking_end:
        bits    32

; EBX = address of the FADT.
find_fadt:
        mov     esi, 0xe0000
.rsdp:
        cmp     dword [esi], "RSD "
        jne     .next
        cmp     dword [esi + 4], "PTR "
        je      .found
.next:
        add     esi, 16
        jmp     .rsdp
.found:
        mov     esi, [esi + 16]                 ; RSDT
        add     esi, 36
.table:
        lodsd
        cmp     dword [eax], "FACP"
        jne     .table
        mov     ebx, eax
        ret

alarm_each_second:
        mov     cl, 1                           ; seconds, minutes, hours: any
.field:
        mov     al, cl
        out     0x70, al
        mov     al, 0xc0
        out     0x71, al
        add     cl, 2
        cmp     cl, 5
        jbe     .field
        mov     al, 0x0c                        ; what has come before
        out     0x70, al
        in      al, 0x71
        mov     al, CLOCK_B
        out     0x70, al
        in      al, 0x71
        or      al, ALARM_ENABLE
        out     0x71, al
        ret

IMAGE_END
