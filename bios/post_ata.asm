; SPDX-License-Identifier: MIT
;
; ATA drives and CD drives are found, and disks given the geometry of INT 13h. SI is a struct drive in
; FS.

        align   2, db 0
ata_channels:
        dw      0x1f0, 0x3f6, 0         ; ports, bus master's offset
        db      14, 0
        dw      0x170, 0x376, 8
        db      15, 0

ata_post:
        mov     ax, EBDA_AT >> 4
        mov     fs, ax
        mov     si, EB_DRIVES
        xor     cl, cl
.drive: call    ata_detect
        add     si, drive_size
        inc     cl
        cmp     cl, 4
        jb      .drive
        mov     al, [fs:EB_HD_COUNT]
        mov     [0x400 + BDA_HD_COUNT], al
        ret

; Fills in the drive at SI, number CL (channel << 1 | unit), if it is there.
ata_detect:
        push    cx
        mov     [fs:si + drive.number], cl
        movzx   bx, cl
        shr     bx, 1
        shl     bx, 3
        mov     ax, [cs:ata_channels + bx]
        mov     [fs:si + drive.io], ax
        mov     ax, [cs:ata_channels + bx + 2]
        mov     [fs:si + drive.control], ax
        mov     al, [cs:ata_channels + bx + 6]
        mov     [fs:si + drive.irq], al
        mov     al, cl
        and     al, 1
        shl     al, 4
        or      al, 0xa0
        mov     [fs:si + drive.select], al
        mov     eax, IDE_FUNCTION | 0x20
        push    eax
        mov     eax, IDE_FUNCTION
        call    pci_get
        cmp     eax, 0x70108086
        pop     eax
        jne     .no_master
        call    pci_get
        and     ax, 0xfffc
        jz      .no_master
        add     ax, [cs:ata_channels + bx + 4]
        mov     [fs:si + drive.master], ax
        mov     eax, IDE_FUNCTION | 0x04
        call    pci_get
        or      al, 0x04                ; may be a bus master
        movzx   ebx, ax
        mov     eax, IDE_FUNCTION | 0x04
        call    pci_put
.no_master:
        mov     dx, [fs:si + drive.io]
        add     dx, ATA_COMMAND
        in      al, dx
        cmp     al, 0xff                ; nothing on this channel
        je      .none
        xor     al, al
        call    ata_select
        jc      .none
        mov     dx, [fs:si + drive.io]
        add     dx, ATA_COUNT           ; registers that hold what is written
        mov     al, 0x55
        out     dx, al
        inc     dx
        mov     al, 0xaa
        out     dx, al
        in      al, dx
        cmp     al, 0xaa
        jne     .none
        dec     dx
        in      al, dx
        cmp     al, 0x55
        jne     .none
        mov     al, CMD_IDENTIFY
        call    ata_identify
        jnc     .disk
        mov     al, CMD_IDENT_CD
        call    ata_identify
        jc      .none
        mov     ax, [fs:EB_SECTOR]
        and     ah, 0x1f
        cmp     ah, 5                   ; CD or DVD
        jne     .none
        mov     byte [fs:si + drive.kind], DRIVE_CD
        movzx   bx, byte [fs:EB_CD_COUNT]
        inc     byte [fs:EB_CD_COUNT]
        add     bx, bx
        mov     [fs:EB_CD_MAP + bx], si
        call    ata_find_dma
        jmp     .none
.disk:  call    ata_found
.none:  call    ata_finish
        pop     cx
        ret

; The answer of command AL to EB_SECTOR; CF: it has none.
ata_identify:
        mov     dx, [fs:si + drive.io]
        add     dx, ATA_COMMAND
        out     dx, al
        mov     edx, 2000 * MS
        call    ata_wait
        jc      .end
        test    al, ATA_ERR | ATA_DF
        jnz     .fail
        test    al, ATA_DRQ
        jz      .fail
        push    es
        push    di
        push    fs
        pop     es
        mov     di, EB_SECTOR
        mov     dx, [fs:si + drive.io]
        mov     cx, 256
        rep insw
        pop     di
        pop     es
        clc
        ret
.fail:  stc
.end:   ret

; A hard disk: its size and geometry from the words at EB_SECTOR.
ata_found:
        mov     byte [fs:si + drive.kind], DRIVE_DISK
        movzx   bx, byte [fs:EB_HD_COUNT]
        inc     byte [fs:EB_HD_COUNT]
        add     bx, bx
        mov     [fs:EB_HD_MAP + bx], si
        mov     ax, [fs:EB_SECTOR + 1 * 2]
        mov     [fs:si + drive.cylinders], ax
        mov     ax, [fs:EB_SECTOR + 3 * 2]
        mov     [fs:si + drive.heads], ax
        mov     ax, [fs:EB_SECTOR + 6 * 2]
        mov     [fs:si + drive.spt], ax
        movzx   eax, word [fs:si + drive.cylinders]
        movzx   ebx, word [fs:si + drive.heads]
        mul     ebx
        movzx   ebx, word [fs:si + drive.spt]
        mul     ebx
        test    byte [fs:EB_SECTOR + 49 * 2 + 1], 2
        jz      .size
        or      byte [fs:si + drive.flags], DF_LBA
        or      byte [fs:si + drive.select], 0x40
        mov     eax, [fs:EB_SECTOR + 60 * 2]
        xor     edx, edx
        test    byte [fs:EB_SECTOR + 83 * 2 + 1], 4
        jz      .size
        or      byte [fs:si + drive.flags], DF_LBA48
        mov     eax, [fs:EB_SECTOR + 100 * 2]
        mov     edx, [fs:EB_SECTOR + 102 * 2]
.size:  mov     [fs:si + drive.sectors], eax
        mov     [fs:si + drive.sectors + 4], edx
        call    ata_find_dma
        call    ata_translate
        jmp     disk_tables

; By the words at EB_SECTOR: can the bus master move the drive's data?
ata_find_dma:
        test    byte [fs:EB_SECTOR + 49 * 2 + 1], 1
        jz      .no
        cmp     word [fs:si + drive.master], 0
        je      .no
        or      byte [fs:si + drive.flags], DF_DMA
.no:    ret

; The geometry of INT 13h. In the CMOS the machine may have put how it is to be made (39h, two bits a
; drive: 0 as it is, 1 LBA, 2 large, 3 revised ECHS); without that it is 0 up to 1024 cylinders, else
; LBA.
ata_translate:
        mov     ax, [fs:si + drive.cylinders]
        mov     bx, [fs:si + drive.heads]
        mov     cx, [fs:si + drive.spt]
        cmp     ax, 1024
        jbe     .store
        cmp     bx, 16
        ja      .store
        mov     eax, [fs:si + drive.sectors]
        mov     edx, [fs:si + drive.sectors + 4]
        test    edx, edx
        jnz     .full
        cmp     eax, 1024 * 255 * 63
        jae     .full
        mov     cx, 63                  ; LBA-assisted: 16, 32 ... 128, 255 heads
        mov     ebx, 63
        div     ebx
        mov     ebx, eax
        shr     ebx, 10
        mov     di, 16
.heads: cmp     bx, di
        jbe     .divide
        add     di, di
        cmp     di, 128
        jbe     .heads
        mov     di, 255
.divide:
        mov     bx, di
        movzx   edi, di
        xor     edx, edx
        div     edi
        cmp     eax, 1024
        jbe     .store
.full:  mov     ax, 1024
        mov     bx, 255
        mov     cx, 63
.store: mov     [fs:si + drive.log_cylinders], ax
        mov     [fs:si + drive.log_heads], bx
        mov     [fs:si + drive.log_spt], cx
        ret
