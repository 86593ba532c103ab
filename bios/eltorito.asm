; SPDX-License-Identifier: MIT
;
; Booting from a CD (El Torito Bootable CD-ROM Format Specification 1.0): finds the boot catalog,
; loads the image of its default entry, and emulates a disk if the entry says so.

CD_BUFFER       equ 0x10000             ; a block of the CD, while it is looked for
BOOT_RECORD     equ 17                  ; block of the boot record volume descriptor

; Reads block EAX of the CD at SI to CD_BUFFER; CF: it cannot be read. ES becomes its segment.
cd_read_block:
        mov     [fs:EB_REQUEST + request.lba], eax
        mov     dword [fs:EB_REQUEST + request.count], 1
        mov     dword [fs:EB_REQUEST + request.buffer], CD_BUFFER
        mov     byte [fs:EB_REQUEST + request.op], OP_READ
        call    cd_blocks
        push    CD_BUFFER >> 4
        pop     es
        cmp     ah, 1
        cmc
        ret

; Boots from CD number AL, if it can be: else CF.
cd_boot:
        mov     [fs:EB_EMU + emulation.index], al
        movzx   bx, al
        add     bx, bx
        mov     si, [fs:EB_CD_MAP + bx]
        mov     [fs:EB_EMU + emulation.drive], si
        call    cd_test
        jc      .none
        mov     eax, BOOT_RECORD
        call    cd_read_block
        jc      .none
        push    si
        xor     di, di
        mov     si, .signature
        mov     cx, .signature_end - .signature
        cs      repe cmpsb
        pop     si
        jne     .none
        mov     eax, [es:0x47]
        call    cd_read_block
        jc      .none
        cmp     byte [es:0], 1          ; validation entry
        jne     .none
        cmp     word [es:0x1e], 0xaa55
        jne     .none
        xor     di, di
        xor     ax, ax
        mov     cx, 16
.sum:   add     ax, [es:di]
        add     di, 2
        loop    .sum
        test    ax, ax
        jnz     .none
        cmp     byte [es:0x20], 0x88    ; the default entry can be booted
        jne     .none
        mov     al, [es:0x21]
        and     al, 15
        cmp     al, 4
        ja      .none
        mov     [fs:EB_EMU + emulation.media], al
        mov     ax, [es:0x22]
        test    ax, ax
        jnz     .segment
        mov     ax, BOOT_AT >> 4
.segment:
        mov     [fs:EB_EMU + emulation.segment], ax
        mov     ax, [es:0x26]
        mov     [fs:EB_EMU + emulation.count], ax
        mov     eax, [es:0x28]
        mov     [fs:EB_EMU + emulation.lba], eax
        movzx   eax, word [fs:EB_EMU + emulation.count]
        cmp     byte [fs:EB_EMU + emulation.media], 0
        je      .load
        mov     ax, 1                   ; of an emulated disk the first sector
.load:  shl     eax, 9
        jz      .none
        mov     [fs:EB_REQUEST + request.take], eax
        mov     dword [fs:EB_REQUEST + request.skip], 0
        add     eax, 2047
        shr     eax, 11
        mov     [fs:EB_REQUEST + request.count], eax
        movzx   eax, word [fs:EB_EMU + emulation.segment]
        shl     eax, 4
        mov     [fs:EB_REQUEST + request.buffer], eax
        mov     eax, [fs:EB_EMU + emulation.lba]
        mov     [fs:EB_REQUEST + request.lba], eax
        call    cd_transfer
        test    ah, ah
        jnz     .none
        call    emulation_start
        mov     dl, [fs:EB_EMU + emulation.number]
        mov     ax, [fs:EB_EMU + emulation.segment]
        clc
        ret
.none:  stc
        ret
.signature:
        db      0, "CD001", 1, "EL TORITO SPECIFICATION"
.signature_end:

; The number and geometry of what is emulated.
emulation_start:
        mov     byte [fs:EB_EMU + emulation.active], 1
        mov     byte [fs:EB_EMU + emulation.number], CD_FIRST
        movzx   bx, byte [fs:EB_EMU + emulation.media]
        mov     al, [fs:EB_EMU + emulation.index]
        add     [fs:EB_EMU + emulation.number], al
        test    bl, bl
        jz      .end
        mov     byte [fs:EB_EMU + emulation.number], 0x00
        mov     word [fs:EB_EMU + emulation.heads], 2
        mov     word [fs:EB_EMU + emulation.cylinders], 80
        mov     al, [cs:.floppy_spt + bx - 1]
        xor     ah, ah
        mov     [fs:EB_EMU + emulation.spt], ax
        push    BDA_SEG
        pop     ds
        cmp     bl, 4
        je      .disk
        mov     al, 0x01                ; there is one more floppy drive
        test    [BDA_EQUIPMENT], al
        jz      .floppy
        mov     al, 0x40
.floppy:
        add     [BDA_EQUIPMENT], al
        ret

; A hard disk: the partition table's first entry tells where the last head and sector are.
.disk:  mov     byte [fs:EB_EMU + emulation.number], 0x80
        inc     byte [BDA_HD_COUNT]
        mov     ax, [fs:EB_EMU + emulation.segment]
        mov     es, ax
        movzx   ax, byte [es:0x1be + 5]
        inc     ax
        mov     [fs:EB_EMU + emulation.heads], ax
        mov     cx, [es:0x1be + 6]
        movzx   ax, cl
        and     al, 63
        mov     [fs:EB_EMU + emulation.spt], ax
        shr     cl, 6
        xchg    cl, ch
        inc     cx
        mov     [fs:EB_EMU + emulation.cylinders], cx
.end:   ret
.floppy_spt:
        db      15, 18, 36, 0
