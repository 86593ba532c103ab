; SPDX-License-Identifier: MIT
;
; Ways to end it all: ACPI power-off, QEMU's isa-debug-exit, reset.

PCI_ADDRESS             equ 0xcf8
PCI_DATA                equ 0xcfc
PIIX4_PM                equ 0x80000b00          ; configuration address of bus 0, device 1, function 3
PIIX4_PM_ID             equ 0x71138086
PIIX4_PMBASE            equ 0x40
PIIX4_PMREGMISC         equ 0x80                ; bit 0: the ports at PMBASE are decoded
PM_PORTS                equ 0x600               ; where we put them if nobody has
PM1_CONTROL             equ 4                   ; offset from PMBASE
PM1_SLEEP_S5            equ 1 << 13             ; SLP_EN with SLP_TYP 0, which is S5 on a PIIX4
QEMU_PM1_CONTROL        equ 0x604
DEBUG_EXIT              equ 0xf4
KEYBOARD_COMMAND        equ 0x64
KEYBOARD_PULSE_RESET    equ 0xfe

; Exit statuses of isa-debug-exit are 2n + 1: these are 33 and 35, which no error of the emulator's
; own looks like.
DEBUG_EXIT_PASSED       equ 0x10
DEBUG_EXIT_FAILED       equ 0x11

section .text

; EAX = configuration address -> EAX = its 32 bits.
pci_read:
        push    edx
        mov     dx, PCI_ADDRESS
        out     dx, eax
        mov     dx, PCI_DATA
        in      eax, dx
        pop     edx
        ret

; EAX = configuration address, ECX = value.
pci_write:
        push    eax
        push    edx
        mov     dx, PCI_ADDRESS
        out     dx, eax
        mov     eax, ecx
        mov     dx, PCI_DATA
        out     dx, eax
        pop     edx
        pop     eax
        ret

; Sleeps S5 as ACPI says it, without reading ACPI's tables: the chip is the one we know. Then what
; else might help. Does not return.
power_off:
        cli
        mov     eax, PIIX4_PM
        call    pci_read
        cmp     eax, PIIX4_PM_ID
        jne     .no_piix4
        mov     eax, PIIX4_PM + PIIX4_PMBASE
        call    pci_read
        and     eax, 0xffc0                     ; bit 0 says "ports"
        jnz     .have_base
        mov     eax, PIIX4_PM + PIIX4_PMBASE
        mov     ecx, PM_PORTS
        call    pci_write
        mov     eax, ecx
.have_base:
        mov     ebx, eax
        mov     eax, PIIX4_PM + PIIX4_PMREGMISC
        call    pci_read
        or      al, 1
        mov     ecx, eax
        mov     eax, PIIX4_PM + PIIX4_PMREGMISC
        call    pci_write
        lea     edx, [ebx + PM1_CONTROL]
        mov     ax, PM1_SLEEP_S5
        out     dx, ax
        call    give_it_time
.no_piix4:
        mov     dx, QEMU_PM1_CONTROL
        mov     ax, PM1_SLEEP_S5
        out     dx, ax
        call    give_it_time
        xor     eax, eax
        jmp     debug_exit

; EAX = DEBUG_EXIT_*. Does not return, with or without such a device.
debug_exit:
        mov     dx, DEBUG_EXIT
        out     dx, eax
.halt:
        cli
        hlt
        jmp     .halt

; The keyboard controller's output port has the processor's reset line. Returns if that fails.
reset_by_keyboard:
        cli
        mov     ecx, 0x10000
.wait:
        in      al, KEYBOARD_COMMAND
        test    al, 2                           ; it has yet to read what it was sent
        loopnz  .wait
        mov     al, KEYBOARD_PULSE_RESET
        out     KEYBOARD_COMMAND, al
        jmp     give_it_time

; Chips act when they like, not between two instructions.
give_it_time:
        push    ecx
        mov     ecx, 0x1000000
.next:
        loop    .next
        pop     ecx
        ret

; An exception with no table of handlers, then no way to report that either: the processor shuts
; down, and a PC resets. Does not return.
triple_fault:
        lidt    [.no_table]
        int3
.no_table:
        dw      0
        dd      0
