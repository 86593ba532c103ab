; SPDX-License-Identifier: MIT
;
; From reset to the boot: copies the BIOS into RAM, then calls each part of the power-on set-up.

; -- Reset -----------------------------------------------------------------------------------------

PAM0            equ 0x80000058          ; of the host bridge, as for PCI_ADDRESS; PAM0 is at 59h
PAM_ROM         equ 0x11                ; both halves: reads go to RAM, writes nowhere
PAM_RAM         equ 0x33

; From the reset vector, where CS has the base FFFF0000, or by a jump to it of a program, with
; F0000. No stack: a program may want its memory back.
post:
        cli
        cld
        mov     al, 0x80 | CMOS_SHUTDOWN
        out     CMOS_INDEX, al
        in      al, CMOS_DATA
        mov     bl, al
        mov     al, 0x80 | CMOS_SHUTDOWN
        out     CMOS_INDEX, al
        xor     al, al
        out     CMOS_DATA, al
        mov     eax, PAM0
        mov     dx, PCI_ADDRESS
        out     dx, eax
        mov     dx, PCI_DATA + 1
        in      al, dx
        mov     bh, al
        and     bh, PAM_ROM & 0xf0      ; 0: RAM cannot be seen at F0000
        mov     si, post_resumes
.find:  cs lodsw
        test    ah, ah
        jz      .restart
        cmp     al, bl
        jne     .find
        jmp     resume
.restart:
        cmp     byte [cs:in_ram], 0
        je      shadow
        mov     dx, RESET_CONTROL       ; a jump to the reset vector: reset all
        mov     al, 0x02
        out     dx, al
        mov     al, 0x06
        out     dx, al
.hang:  hlt
        jmp     .hang

; 1 in the copy in RAM. At a reset CS shows the ROM, whatever the PAM registers say: some chipsets
; keep them.
in_ram: db      0

; Shutdown codes with which no POST follows, and a byte that is not zero.
post_resumes:
        db      0x05, 1, 0x0a, 1, 0x09, 1, 0x0c, 1, 0x0d, 1, 0xfe, 1
        dw      0

; BL has the shutdown code: FE ends a sleep, the others go on at [40:67]; 5 with an end of interrupt,
; 9 for INT 15h AH=87h, C to IRET, D to RETF.
resume:
        test    bh, bh
        jnz     .there
        mov     al, PAM_ROM & 0xf0      ; the RAM still has what POST put there
        out     dx, al
        mov     al, PAM_ROM
        inc     dx
        out     dx, al
        inc     dx
        out     dx, al
        mov     eax, PAM0 + 4
        mov     dx, PCI_ADDRESS
        out     dx, eax
        mov     eax, PAM_ROM * 0x01010101
        mov     dx, PCI_DATA
        out     dx, eax
        mov     sp, .pics
        jmp     pic_set_up
.pics:  jmp     BIOS_SEG:.there
.there: cmp     bl, 0xfe
        je      wake
        xor     ax, ax
        mov     es, ax
        mov     ax, BDA_SEG
        mov     ds, ax
        cmp     bl, 0x05
        jne     .no_eoi
        mov     al, EOI
        out     PIC2, al
        out     PIC1, al
        in      al, KBC_DATA
.no_eoi:
        cmp     bl, 0x05
        je      .jump
        cmp     bl, 0x0a
        je      .jump
        lss     sp, [BDA_IO_ROM_OFF]
        cmp     bl, 0x0d
        je      .far
        cmp     bl, 0x0c
        je      .iret
        popa                            ; 9: the caller's registers, as IBM's AH=87h had pushed them
        pop     es
        pop     ds
.iret:  iret
.far:   retf
.jump:  jmp     far [BDA_IO_ROM_OFF]

; Copies the ROM below 4 GiB to RAM at F0000 and goes on there.
shadow: o32 lgdt [cs:gdt_rom]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     .protected
.protected:
        mov     ax, SEL_FLAT
        mov     ds, ax
        mov     es, ax
        mov     eax, cr0
        and     al, ~1
        mov     cr0, eax
        jmp     .real
.real:  xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     al, PAM_RAM & 0xf0
        mov     dx, PCI_DATA + 1
        out     dx, al
        mov     esi, 0xffff0000
        mov     edi, 0xf0000
        mov     ecx, 0x10000 / 4
        a32 rep movsd
        mov     byte [dword 0xf0000 + in_ram], 1
        jmp     BIOS_SEG:post_low

; -- Flat data segments ----------------------------------------------------------------------------

        align   8, db 0
gdt:    dq      0
        dq      0x00cf93000000ffff      ; data, 4 GiB
        dq      0x00009b0f0000ffff      ; code of 16 bits at F0000
        dq      0x00cf9b000000ffff      ; code of 32 bits, 4 GiB
        dq      0x000093000000ffff      ; data of a segment's 64 KiB
gdt_end:
SEL_FLAT        equ 8
SEL_CODE16      equ 0x10
SEL_CODE32      equ 0x18
SEL_DATA16      equ 0x20
gdt_rom:
        dw      gdt_end - gdt - 1
        dd      0xffff0000 + gdt
gdt_low:
        dw      gdt_end - gdt - 1
        dd      0xf0000 + gdt

; DS and ES become 0 with a limit of 4 GiB, for 32-bit offsets in real mode. Keeps all else.
flat:   push    eax
        pushf
        cli
        o32 lgdt [cs:gdt_low]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     .protected
.protected:
        mov     ax, SEL_FLAT
        mov     ds, ax
        mov     es, ax
        mov     eax, cr0
        and     al, ~1
        mov     cr0, eax
        jmp     .real
.real:  xor     ax, ax
        mov     ds, ax
        mov     es, ax
        popf
        pop     eax
        ret

; -- The power-on set-up, in order -----------------------------------------------------------------

; Each is called with flat segments and DS = ES = 0, and keeps nothing else.
post_steps:
        dw      pm_timer_on, open_shadow, set_vectors, set_data_area
        dw      pic_post, pit_post, rtc_post, cpu_post
        dw      fwcfg_post, memory_post, pci_post
        dw      tables_post, memory_map_post, mp_post, pir_post, pnp_post, pmm_post, bios32_post
        dw      serial_post, printer_post, keyboard_post
        dw      vga_rom_post, banner_post
        dw      floppy_post, ata_post
        dw      roms_post, menu_post
        dw      pmm_end, close_shadow
        dw      0

post_low:
        xor     ax, ax
        mov     ss, ax
        mov     sp, BOOT_AT
        mov     si, text_hello
        call    debug_print
        mov     si, post_steps
.next:  cs lodsw
        test    ax, ax
        jz      .boot
        call    flat
        push    si
        call    ax
        pop     si
        jmp     .next
.boot:  xor     ax, ax
        mov     ds, ax
        mov     es, ax
        sti
        int     0x19
        int     0x18
        jmp     halt

text_hello:
        db      "Calque BIOS: starting", 10, 0

halt:   hlt
        jmp     halt
