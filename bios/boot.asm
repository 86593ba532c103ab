; SPDX-License-Identifier: MIT
;
; INT 19h boots from the first device of the list that can be, INT 18h from the next one (BIOS Boot
; Specification 1.01). A kernel that the machine was given comes before all.

BOOT_FLOPPY     equ 1
BOOT_DISK       equ 2
BOOT_CD         equ 3
BOOT_NETWORK    equ 4
BOOT_KINDS      equ 4

int19:  call    boot_registers
        call    kernel_boot
        mov     byte [fs:EB_BOOT_NEXT], 0
        jmp     boot_try

; A boot sector or ROM that gives up.
int18:  call    boot_registers
boot_try:
        call    emulation_end           ; of a CD that was booted before
        movzx   bx, byte [fs:EB_BOOT_NEXT]
        cmp     bl, EB_BOOT_MAX
        jae     .none
        add     bx, bx
        mov     cx, [fs:EB_BOOT_LIST + bx]
        test    cl, cl
        jz      .none
        inc     byte [fs:EB_BOOT_NEXT]
        movzx   di, cl
        dec     di
        add     di, di
        call    [cs:boot_counts + di]
        cmp     ch, al
        jae     boot_try                ; there is no such device
        mov     si, [cs:boot_names + di]
        call    boot_say
        mov     al, ch
        call    [cs:.handlers + di]
        call    boot_segments
        jnc     .start
        mov     si, .failed
        call    print
        jmp     boot_try
.none:  mov     si, .nothing
        call    print
.halt:  sti
        hlt
        jmp     .halt

; From AX:0, as 0:offset where it can be, with the drive in DL and the $PnP structure at ES:DI.
.start: mov     bx, ax
        shl     bx, 4                   ; AX = bits 15-12, BX = bits 11-0
        and     ax, 0xf000
        push    ax
        push    bx
        push    BIOS_SEG
        pop     es
        mov     di, pnp_header
        xor     ax, ax
        mov     ds, ax
        xor     eax, eax
        xor     ebx, ebx
        xor     ecx, ecx
        movzx   edx, dl
        xor     esi, esi
        retf
        align   2, db 0
.handlers:
        dw      boot_floppy, boot_disk, boot_cd, boot_network
.failed:
        db      "Not bootable.", 10, 0
.nothing:
        db      "No bootable device.", 10, 0

; How many devices of a kind there are, in AL. DS is the BIOS data area, FS the extended one.
        align   2, db 0
boot_counts:
        dw      floppy_count, .disks, .cds, .networks
.disks: mov     al, [fs:EB_HD_COUNT]
        ret
.cds:   mov     al, [fs:EB_CD_COUNT]
        ret
.networks:
        mov     al, [cs:bev_count]
        ret

; A fresh stack, with the return address; DS is the BIOS data area, FS the extended one.
boot_registers:
        pop     bx
        cli
        xor     ax, ax
        mov     ss, ax
        mov     esp, BOOT_AT
        sti
        cld
        push    bx
; Keeps all but DS and FS.
boot_segments:
        push    BDA_SEG
        pop     ds
        mov     fs, [BDA_EBDA]
        ret

; "Booting from", and the text at CS:SI. Changes AX, SI.
boot_say:
        push    si
        mov     si, .text
        call    print
        pop     si
        call    print
        mov     si, .dots
        jmp     print
.text:  db      "Booting from ", 0
.dots:  db      "...", 10, 0

        align   2, db 0
boot_names:
        dw      .floppy, .disk, .cd, .network
.floppy:
        db      "floppy", 0
.disk:  db      "hard disk", 0
.cd:    db      "CD", 0
.network:
        db      "network", 0

; Each: device AL of its kind. CF: it cannot be booted; else what is to be started at AX:0, for drive
; DL. May change all but SS:SP.

boot_floppy:
        mov     dl, al
        call    boot_sector
        jc      .end
        mov     al, 0x38                ; bit 0: no signature is asked for
        call    cmos_read
        test    al, 1
        jnz     .good
        call    boot_signature
        jc      .end
.good:  mov     ax, BOOT_AT >> 4
.end:   ret

boot_disk:
        movzx   bx, al                  ; becomes 80h; those before it move on
        add     bx, bx
        mov     ax, [fs:EB_HD_MAP + bx]
.move:  test    bx, bx
        jz      .first
        mov     cx, [fs:EB_HD_MAP + bx - 2]
        mov     [fs:EB_HD_MAP + bx], cx
        sub     bx, 2
        jmp     .move
.first: mov     [fs:EB_HD_MAP], ax
        mov     dl, 0x80
        call    boot_sector
        jc      .end
        call    boot_signature
        jc      .end
        mov     ax, BOOT_AT >> 4
.end:   ret

boot_cd:
        jmp     cd_boot

; The ROM's entry vector; it comes back if it has not booted.
boot_network:
        movzx   bx, al
        shl     bx, 2
        push    BIOS_SEG
        pop     es
        mov     di, pnp_header
        call    far [cs:bev_list + bx]
        call    boot_registers
        jmp     boot_try

; Reads the first sector of drive DL to 0:7C00; CF. Keeps DL.
boot_sector:
        mov     si, 5
.next:  push    si
        push    dx
        xor     ax, ax
        mov     es, ax
        mov     bx, BOOT_AT
        mov     ax, 0x0201
        mov     cx, 0x0001
        mov     dh, 0
        int     0x13
        pop     dx
        pop     si
        jnc     .end
        cmp     ah, ST_TIMEOUT          ; no medium
        je      .fail
        push    si
        push    dx
        xor     ax, ax
        int     0x13
        pop     dx
        pop     si
        dec     si
        jnz     .next
.fail:  stc
.end:   ret

; CF: no signature at the end.
boot_signature:
        push    0
        pop     es
        cmp     word [es:BOOT_AT + 510], 0xaa55
        je      .end
        stc
.end:   ret
