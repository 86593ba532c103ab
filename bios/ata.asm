; SPDX-License-Identifier: MIT
;
; ATA drives (ATA/ATAPI-6), read and written by programmed input and output or by the bus master of the
; PIIX (Bus Master IDE 1.0). All runs on polling, with the drive's interrupt off; a service has the
; extended data area in FS.

ATA_DATA        equ 0
ATA_ERROR       equ 1
ATA_COUNT       equ 2
ATA_LBA0        equ 3
ATA_LBA1        equ 4
ATA_LBA2        equ 5
ATA_SELECT      equ 6
ATA_COMMAND     equ 7
ATA_BSY         equ 0x80
ATA_DRDY        equ 0x40
ATA_DF          equ 0x20
ATA_DRQ         equ 0x08
ATA_ERR         equ 0x01
ATA_NIEN        equ 0x0a                ; device control: no interrupts
ATA_IEN         equ 0x08

CMD_READ        equ 0x20
CMD_READ_EXT    equ 0x24
CMD_WRITE       equ 0x30
CMD_WRITE_EXT   equ 0x34
CMD_VERIFY      equ 0x40
CMD_VERIFY_EXT  equ 0x42
CMD_READ_DMA    equ 0xc8
CMD_READ_DMA_E  equ 0x25
CMD_WRITE_DMA   equ 0xca
CMD_WRITE_DMA_E equ 0x35
CMD_PACKET      equ 0xa0
CMD_IDENT_CD    equ 0xa1
CMD_IDENTIFY    equ 0xec

; -- Registers and waiting -------------------------------------------------------------------------

; SI is a struct drive in FS from here on.

; Waits until the drive is not busy: status in AL; CF: still busy after EDX units of the timer.
; Keeps all else.
ata_wait:
        push    ebx
        push    ecx
        push    dx
        push    edx
        call    now
        mov     ebx, eax
        pop     ecx
        mov     dx, [fs:si + drive.control]
        in      al, dx                  ; 400 ns
        in      al, dx
        in      al, dx
        in      al, dx
.next:  in      al, dx
        test    al, ATA_BSY
        jz      .ready
        call    expired
        jnc     .next
        stc
        jmp     .end
.ready: clc
.end:   pop     dx
        pop     ecx
        pop     ebx
        ret

; The same for ten seconds, in AL.
ata_wait_long:
        push    edx
        push    cx
        mov     cx, 4
.next:  mov     edx, 2500 * MS
        call    ata_wait
        jnc     .end
        loop    .next
        stc
.end:   pop     cx
        pop     edx
        ret

; Waits until the drive has moved all data by the bus master: status in AL; CF: it has not after four
; seconds. Keeps CX.
ata_wait_done:
        push    cx
        call    now
        mov     ebx, eax
.next:  mov     ecx, 4000 * MS
        call    ata_wait_long
        jc      .end
        test    al, ATA_DRQ
        jz      .end
        call    expired
        jnc     .next
.end:   pop     cx
        ret

; Makes it the channel's selected drive, without interrupts; AL has the low bits of the register.
; CF: busy.
ata_select:
        push    edx
        push    ax
        mov     dx, [fs:si + drive.control]
        mov     al, ATA_NIEN
        out     dx, al
        mov     edx, 1000 * MS
        call    ata_wait
        pop     ax
        pushf
        or      al, [fs:si + drive.select]
        mov     dx, [fs:si + drive.io]
        add     dx, ATA_SELECT
        out     dx, al
        popf
        jc      .end
        push    ax
        mov     edx, 1000 * MS
        call    ata_wait
        pop     ax
.end:   pop     edx
        ret

; Reading the status register ends what interrupt there is; then they are on again. Keeps all.
ata_finish:
        push    ax
        push    dx
        mov     dx, [fs:si + drive.io]
        add     dx, ATA_COMMAND
        in      al, dx
        mov     dx, [fs:si + drive.control]
        mov     al, ATA_IEN
        out     dx, al
        pop     dx
        pop     ax
        ret

; Resets the channel. CF: it stays busy.
ata_reset:
        push    eax
        push    edx
        mov     dx, [fs:si + drive.control]
        mov     al, 0x0e
        out     dx, al
        mov     eax, 10
        call    wait_us
        mov     al, ATA_NIEN
        out     dx, al
        mov     eax, 2000
        call    wait_us
        call    ata_wait_long
        call    ata_finish
        pop     edx
        pop     eax
        ret

; -- Transfers -------------------------------------------------------------------------------------

; Carries out the request at EB_REQUEST for the disk at SI: CF and AH = status, AH = 0 if it is done;
; request.done counts sectors. Changes all but SI, BP, segments.
ata_transfer:
        mov     word [fs:EB_REQUEST + request.done], 0
.chunk: mov     eax, [fs:EB_REQUEST + request.count]
        test    eax, eax
        jz      .done
        cmp     eax, 128
        jbe     .size
        mov     eax, 128
.size:  mov     cx, ax                  ; sectors of this command
        call    ata_use_dma
        jc      .pio
        call    ata_dma_chunk
        jmp     .result
.pio:   call    ata_pio_chunk
.result:
        jc      .fail
        movzx   ecx, cx
        add     [fs:EB_REQUEST + request.done], cx
        sub     [fs:EB_REQUEST + request.count], ecx
        add     [fs:EB_REQUEST + request.lba], ecx
        adc     dword [fs:EB_REQUEST + request.lba + 4], 0
        shl     ecx, 9
        add     [fs:EB_REQUEST + request.buffer], ecx
        jmp     .chunk
.done:  call    ata_finish
        xor     ah, ah
        ret
.fail:  call    ata_finish
        stc
        ret

; CF: not by the bus master.
ata_use_dma:
        test    byte [fs:si + drive.flags], DF_DMA
        jz      .no
        cmp     byte [fs:EB_REQUEST + request.op], OP_VERIFY
        je      .no
        test    byte [fs:EB_REQUEST + request.buffer], 1
        jnz     .no
        clc
        ret
.no:    stc
        ret

; Writes the registers for CX sectors at the request's address, then the command at CS:BX for 28 bits,
; or the one after it for 48. CF and AH: the drive is busy.
ata_command:
        push    edx
        push    cx
        mov     eax, [fs:EB_REQUEST + request.lba]
        mov     edx, [fs:EB_REQUEST + request.lba + 4]
        test    byte [fs:si + drive.flags], DF_LBA
        jz      .chs
        test    edx, edx
        jnz     .ext
        push    eax
        movzx   edx, cx
        add     eax, edx
        cmp     eax, 1 << 28
        pop     eax
        ja      .ext
        mov     edx, eax
        shr     edx, 24                 ; bits 27-24
        jmp     .registers
.chs:   call    ata_chs
.registers:
        mov     al, dl
        call    ata_select
        jc      .busy
        call    ata_lba
        mov     al, [cs:bx]
        jmp     .go
.ext:   xor     al, al
        call    ata_select
        jc      .busy
        mov     dx, [fs:si + drive.io]
        add     dx, ATA_COUNT           ; the registers' second bytes first
        mov     al, ch
        out     dx, al
        mov     eax, [fs:EB_REQUEST + request.lba + 3]
        inc     dx
        out     dx, al
        shr     eax, 8
        inc     dx
        out     dx, al
        shr     eax, 8
        inc     dx
        out     dx, al
        mov     eax, [fs:EB_REQUEST + request.lba]
        call    ata_lba_count
        mov     al, [cs:bx + 1]
.go:    mov     dx, [fs:si + drive.io]
        add     dx, ATA_COMMAND
        out     dx, al
        pop     cx
        pop     edx
        clc
        ret
.busy:  mov     ah, 0x80
        pop     cx
        pop     edx
        stc
        ret

; CL and the request's address, or 24 bits of EAX, to the count and address registers.
ata_lba:
        mov     eax, [fs:EB_REQUEST + request.lba]
        test    byte [fs:si + drive.flags], DF_LBA
        jnz     ata_lba_count
        call    ata_chs
ata_lba_count:
        push    dx
        mov     dx, [fs:si + drive.io]
        add     dx, ATA_COUNT
        push    eax
        mov     al, cl
        out     dx, al
        pop     eax
        inc     dx
        out     dx, al
        shr     eax, 8
        inc     dx
        out     dx, al
        shr     eax, 8
        inc     dx
        out     dx, al
        pop     dx
        ret

; The request's address as sector, cylinder (EAX bits 7-0, 23-8) and head (DL), for drives without
; LBA.
ata_chs:
        push    ebx
        xor     edx, edx
        mov     eax, [fs:EB_REQUEST + request.lba]
        movzx   ebx, word [fs:si + drive.spt]
        div     ebx
        push    dx
        xor     edx, edx
        movzx   ebx, word [fs:si + drive.heads]
        div     ebx
        shl     eax, 8
        pop     bx
        inc     bx
        mov     al, bl
        pop     ebx
        ret

; AH = INT 13h's status for the error register, CF.
ata_status:
        mov     dx, [fs:si + drive.io]
        inc     dx
        in      al, dx
        mov     bx, .errors
.next:  test    al, [cs:bx]
        mov     ah, [cs:bx + 1]
        jnz     .end
        add     bx, 2
        cmp     bx, .errors_end
        jb      .next
        mov     ah, 0x20                ; controller failed
.end:   stc
        ret
.errors:
        db      0x80, 0x0a              ; bad block
        db      0x40, 0x11              ; uncorrectable: as read by older systems, data error
        db      0x10, 0x04              ; not found
        db      0x04, 0x20              ; aborted
        db      0x01, 0x02              ; address mark
.errors_end:

; -- Programmed input and output -------------------------------------------------------------------

ata_pio_commands:                       ; as OP_*: with 28 and 48 bits
        db      CMD_READ, CMD_READ_EXT, CMD_WRITE, CMD_WRITE_EXT, CMD_VERIFY, CMD_VERIFY_EXT

; CX sectors of the request. CF and AH.
ata_pio_chunk:
        movzx   bx, byte [fs:EB_REQUEST + request.op]
        add     bx, bx
        add     bx, ata_pio_commands
        call    ata_command
        jc      .end
        push    cx
        mov     edi, [fs:EB_REQUEST + request.buffer]
.sector:
        call    ata_wait_long
        jc      .timeout
        test    al, ATA_ERR | ATA_DF
        jnz     .error
        cmp     byte [fs:EB_REQUEST + request.op], OP_VERIFY
        je      .done
        test    al, ATA_DRQ
        jz      .error
        push    cx
        mov     dx, [fs:si + drive.io]
        cmp     byte [fs:EB_REQUEST + request.op], OP_WRITE
        je      .write
        push    es
        push    edi
        mov     eax, edi
        shr     eax, 4
        mov     es, ax
        and     di, 15
        mov     cx, 256
        rep insw
        pop     edi
        pop     es
        jmp     .moved
.write: push    ds
        push    si
        mov     eax, edi
        shr     eax, 4
        mov     ds, ax
        mov     si, di
        and     si, 15
        mov     cx, 256
        rep outsw
        pop     si
        pop     ds
.moved: add     edi, 512
        pop     cx
        loop    .sector
        cmp     byte [fs:EB_REQUEST + request.op], OP_WRITE
        jne     .done
        call    ata_wait_long
        jc      .timeout
        test    al, ATA_ERR | ATA_DF
        jnz     .error
.done:  pop     cx
        clc
.end:   ret
.error: pop     cx
        jmp     ata_status
.timeout:
        pop     cx
        call    ata_reset
        mov     ah, 0x80
        stc
        ret

; -- Bus master ------------------------------------------------------------------------------------

DMA_MAX         equ 7 * 0x10000         ; in eight pieces, whatever the first one's length
DMA_TO_MEMORY   equ 0x09                ; start
DMA_TO_DRIVE    equ 0x01

ata_dma_commands:
        db      CMD_READ_DMA, CMD_READ_DMA_E, CMD_WRITE_DMA, CMD_WRITE_DMA_E

; Makes the bus master ready for ECX bytes at the request's buffer, not more than DMA_MAX: a table of
; pieces that do not cross 64 KiB. Changes EAX, EBX, ECX, DX, EDI.
ata_dma_prepare:
        mov     edi, [fs:EB_REQUEST + request.buffer]
        mov     bx, EB_PRD
.piece: mov     [fs:bx], edi
        mov     eax, edi
        not     eax
        and     eax, 0xffff
        inc     eax                     ; to the end of its 64 KiB
        cmp     eax, ecx
        jbe     .piece_size
        mov     eax, ecx
.piece_size:
        mov     [fs:bx + 4], ax
        mov     word [fs:bx + 6], 0
        add     edi, eax
        add     bx, 8
        sub     ecx, eax
        jnz     .piece
        mov     byte [fs:bx - 1], 0x80  ; the last one
        mov     dx, [fs:si + drive.master]
        xor     al, al
        out     dx, al
        add     dx, 2
        in      al, dx
        or      al, 0x06                ; clears error and interrupt
        out     dx, al
        add     dx, 2
        xor     eax, eax
        mov     ax, fs
        shl     eax, 4
        add     eax, EB_PRD
        out     dx, eax
        ret

; CX sectors of the request. CF and AH.
ata_dma_chunk:
        push    cx
        movzx   ecx, cx
        shl     ecx, 9
        call    ata_dma_prepare
        pop     cx
        movzx   bx, byte [fs:EB_REQUEST + request.op]
        push    bx
        add     bx, bx
        add     bx, ata_dma_commands
        call    ata_command
        pop     bx
        jc      ata_dma_run.end
        mov     al, DMA_TO_MEMORY
        cmp     bl, OP_READ
        je      ata_dma_run
        mov     al, DMA_TO_DRIVE

; Starts the bus master with command AL, waits for the drive's end, stops it. CF and AH. Keeps CX.
ata_dma_run:
        mov     dx, [fs:si + drive.master]
        out     dx, al
        call    ata_wait_done
        pushf
        push    ax
        mov     dx, [fs:si + drive.master]
        add     dx, 2
        in      al, dx
        mov     ah, al
        sub     dx, 2
        xor     al, al
        out     dx, al
        mov     bx, ax
        pop     ax
        popf
        jc      .timeout
        test    al, ATA_ERR | ATA_DF
        jnz     ata_status
        mov     ah, 0x20
        test    bh, 0x02                ; the bus master's error
        stc
        jnz     .end
        clc
.end:   ret
.timeout:
        call    ata_reset
        mov     ah, 0x80
        stc
        ret
