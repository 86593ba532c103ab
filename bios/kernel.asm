; SPDX-License-Identifier: MIT
;
; A kernel that the machine was given (QEMU's -kernel): its parts are items of fw_cfg, with the
; addresses where they belong, and it is entered in real mode (Linux, Documentation/arch/x86/boot.rst).

FW_SETUP_ADDR   equ 0x16
FW_SETUP_SIZE   equ 0x17

; Comes back if there is none. Changes all but SS:SP and FS.
kernel_boot:
        cmp     byte [cs:fw_present], 1
        jne     .end
        mov     ax, FW_SETUP_SIZE
        call    fw_select
        call    fw_dword
        test    eax, eax
        jz      .end
        mov     si, .name
        call    boot_say
        call    flat
        mov     si, .keys
.part:  call    .number
        mov     edi, eax
        call    .number
        mov     ecx, eax
        mov     ah, 0
        cs lodsb
        call    fw_select
        call    fw_read
        cmp     byte [cs:si], 0
        jne     .part
        cli
        mov     ax, FW_SETUP_ADDR
        call    fw_select
        call    fw_dword
        shr     eax, 4
        mov     ds, ax
        mov     es, ax
        mov     fs, ax
        mov     gs, ax
        mov     ss, ax
        mov     esp, 0xfff0             ; the command line is behind
        add     ax, 0x20
        push    ax
        push    0
        retf
.end:   ret

; The number that the next key stands for, in EAX.
.number:
        mov     ah, 0
        cs lodsb
        call    fw_select
        jmp     fw_dword

.name:  db      "kernel", 0
; Address, size and bytes of kernel, initial RAM disk, command line and real-mode part.
.keys:  db      0x07, 0x08, 0x11, 0x0a, 0x0b, 0x12, 0x13, 0x14, 0x15, FW_SETUP_ADDR, FW_SETUP_SIZE
        db      0x18, 0
