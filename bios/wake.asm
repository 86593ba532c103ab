; SPDX-License-Identifier: MIT
;
; The end of a sleep with memory kept (ACPI's S3): a reset with the shutdown code FEh. The chips are
; set up as at start, and the operating system goes on where it has said in its tables (ACPI 6.4,
; 16.3.2). All memory is its own, but for the part of this segment that is our stack.

WAKE_STACK      equ 512
        align   2, db 0
        times   WAKE_STACK db 0
wake_stack:

; With the copy of the BIOS in RAM, CS = BIOS_SEG; no stack yet.
wake:   mov     eax, PAM0
        mov     dx, PCI_ADDRESS
        out     dx, eax
        mov     dx, PCI_DATA + 1
        mov     al, PAM_RAM & 0xf0
        out     dx, al
        mov     ax, cs
        mov     ss, ax
        mov     sp, wake_stack
        mov     dword [cs:pci_io_next], PCI_IO_FIRST
        mov     dword [cs:pci_mem_next], PCI_MEM_FIRST
        mov     si, .steps
.step:  cs lodsw
        test    ax, ax
        jz      .chips_done
        call    flat
        push    si
        call    ax
        pop     si
        jmp     .step
.chips_done:
        cmp     word [dword ROMS_AT], 0xaa55
        jne     .no_vga
        mov     ax, [cs:pci_vga + 1]    ; bus and function
        call    ROMS_AT >> 4:3
.no_vga:
        cli
        cld
        call    flat
        call    wake_vector
        test    eax, eax
        jz      post.restart
        mov     ebx, eax
        shr     eax, 4
        and     bx, 15
        push    ax
        push    bx
        call    close_shadow            ; no more is pushed: the stack is closed, too
        retf

; Each as in post_steps.
.steps: dw      pm_timer_on, pic_post, pit_post, cpu_post, pci_post, 0

; Where to go on, to EAX: RSDP, RSDT, FADT, FACS; 0: nowhere. DS is flat.
wake_vector:
        mov     esi, 0xf0000 + fseg_area
        mov     ecx, FSEG_SIZE / 16
.find:  cmp     dword [esi], 'RSD '
        jne     .next
        cmp     dword [esi + 4], 'PTR '
        je      .rsdp
.next:  add     esi, 16
        loop    .find
.none:  xor     eax, eax
        ret
.rsdp:  mov     esi, [esi + 16]
        mov     ecx, [esi + 4]
        sub     ecx, 36
        jb      .none
        shr     ecx, 2
        add     esi, 36
.table: jecxz   .none
        mov     ebx, [esi]
        add     esi, 4
        dec     ecx
        cmp     dword [ebx], 'FACP'
        jne     .table
        mov     ebx, [ebx + 36]
        mov     eax, [ebx + 12]
        test    eax, 0xfff00000
        jnz     .none
        ret
