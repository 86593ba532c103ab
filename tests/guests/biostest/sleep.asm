; SPDX-License-Identifier: MIT
;
; Sleeping with memory kept (ACPI's S3), until the clock's next second; then the BIOS starts what the
; tables name, in real mode.

PM_BASE         equ 0x600                       ; as the BIOS has set it
PM_WOKE         equ 0x8000
PM_CLOCK        equ 0x0400

test_sleep:
        mov     si, .rsdp
        mov     cx, 8
        call    find
        CHECK   nc, "sleep: RSDP"
        jc      .end
        cmp     dword [fs:di + 9], 'CALQ'
        sete    [.calque]
        cli
        push    ds
        o32 lgdt [.gdt_pointer]                 ; limits of 4 GiB for what follows
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        mov     bx, 8
        mov     ds, bx
        and     al, ~1
        mov     cr0, eax
        xor     bx, bx
        mov     ds, bx
        mov     esi, [fs:di + 16]               ; RSDT
        mov     ecx, [esi + 4]
        shr     ecx, 2
        sub     cx, 8
.table: add     esi, 4
        dec     cx
        jz      .no_table
        mov     ebx, [esi + 32]
        cmp     dword [ebx], 'FACP'
        jne     .table
        mov     ebx, [ebx + 36]                 ; FACS
        mov     dword [ebx + 12], .woken
        or      bl, 1
.no_table:
        pop     ds
        CHECK   nz, "sleep: FADT"
        jz      .end
        mov     [.stack], sp
        mov     byte [slept], 0
        mov     al, 0x0b                        ; an alarm each second
        call    .cmos
        or      al, 0x20
        out     0x71, al
        mov     al, 1
.alarm: call    .cmos
        mov     al, 0xc0
        out     0x71, al
        mov     al, ah
        add     al, 2
        cmp     al, 5
        jbe     .alarm
        mov     al, 0x0c
        call    .cmos
        mov     dx, PM_BASE
        mov     ax, 0xffff
        out     dx, ax
        mov     ax, PM_CLOCK
        add     dx, 2
        out     dx, ax
        add     dx, 2
        mov     ax, 0x2400
        out     dx, ax
        inc     byte [slept]                    ; what runs now should not
        sti
        hlt
        CHECK   c, "sleep: it is asleep"
        ret

.woken: xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, [.stack]
        cld
        mov     bx, cs
        jmp     0:.here
.here:  mov     ax, .woken
        shr     ax, 4                           ; the vector's upper bits are the segment
        cmp     bx, ax
        CHECK   e, "sleep: CS"
        cmp     byte [slept], 0
        je      .stopped
        cmp     byte [.calque], 0
        CHECK   e, "sleep: stops at once"
.stopped:
        mov     dx, PM_BASE
        in      ax, dx
        test    ax, PM_WOKE
        CHECK   nz, "sleep: WAK_STS"
        test    ax, PM_CLOCK
        CHECK   nz, "sleep: RTC_STS"
        mov     al, 0x0f
        call    .cmos
        cmp     al, 0
        CHECK   e, "sleep: the shutdown code is gone"
        mov     al, 0x0b
        call    .cmos
        and     al, ~0x20
        out     0x71, al
        sti
        mov     ah, 0xc0                        ; the BIOS is where it was
        push    es
        int     0x15
        pop     es
        CHECK   nc, "sleep: INT 15h afterwards"
        mov     bx, [0x46c]                     ; and its timer ticks
.tick:  hlt
        cmp     bx, [0x46c]
        je      .tick
.end:   ret

; Selects register AL, keeps it in AH, and reads it to AL.
.cmos:  mov     ah, al
        out     0x70, al
        in      al, 0x71
        ret

        align   8, db 0
.gdt:   dq      0, 0x00cf93000000ffff
.gdt_pointer:
        dw      15
        dd      .gdt
.stack: dw      0
.calque:
        db      0                               ; QEMU takes a little longer
.rsdp:  db      "RSD PTR "
slept:  db      0
