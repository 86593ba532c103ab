; SPDX-License-Identifier: MIT
;
; CD drives: commands in packets (INF-8020i, MMC). SI is the struct drive, FS the extended data area.

PC_TEST_READY   equ 0x00
PC_SENSE        equ 0x03
PC_START_STOP   equ 0x1b
PC_LOCK         equ 0x1e
PC_CAPACITY     equ 0x25
PC_READ         equ 0x28
SENSE_LEN       equ 18
KEY_NOT_READY   equ 2
KEY_ATTENTION   equ 6
ASC_NO_MEDIUM   equ 0x3a
BURST           equ 2048                ; bytes at a time

; Clears EB_PACKET and EB_PACKET_DMA, and puts AL into the first byte. Changes CX, DI.
packet_new:
        push    es
        push    fs
        pop     es
        push    ax
        xor     ax, ax
        mov     di, EB_PACKET
        mov     cx, 7
        rep stosw
        pop     ax
        mov     [fs:EB_PACKET], al
        pop     es
        ret

; Sends EB_PACKET. Of the bytes that come, request.skip are dropped, request.take go to
; request.buffer, the rest is dropped; by the bus master all go to request.buffer. CF: an error; AL
; has the sense key, FFh without an answer. Keeps SI, BP, segments.
packet_send:
        xor     al, al
        call    ata_select
        jc      .timeout
        mov     ecx, [fs:EB_REQUEST + request.take]
        cmp     byte [fs:EB_PACKET_DMA], 0
        je      .features
        call    ata_dma_prepare
.features:
        mov     dx, [fs:si + drive.io]
        inc     dx
        mov     al, [fs:EB_PACKET_DMA]
        out     dx, al
        add     dx, ATA_LBA1 - ATA_ERROR
        mov     al, BURST & 0xff
        out     dx, al
        inc     dx
        mov     al, BURST >> 8
        out     dx, al
        add     dx, ATA_COMMAND - ATA_LBA2
        mov     al, CMD_PACKET
        out     dx, al
        call    ata_wait_long
        jc      .timeout
        test    al, ATA_ERR
        jnz     .error
        test    al, ATA_DRQ
        jz      .error
        push    si
        push    ds
        mov     dx, [fs:si + drive.io]
        push    fs
        pop     ds
        mov     si, EB_PACKET
        mov     cx, 6
        rep outsw
        pop     ds
        pop     si
        cmp     byte [fs:EB_PACKET_DMA], 0
        jne     .dma
.phase: call    ata_wait_long
        jc      .timeout
        test    al, ATA_ERR | ATA_DF
        jnz     .error
        test    al, ATA_DRQ
        jz      .done
        mov     dx, [fs:si + drive.io]
        add     dx, ATA_LBA1
        in      al, dx
        mov     cl, al
        inc     dx
        in      al, dx
        mov     ch, al
        shr     cx, 1
        jz      .error
        call    packet_data
        jmp     .phase
.done:  call    ata_finish
        clc
        ret
.error: mov     dx, [fs:si + drive.io]
        inc     dx
        in      al, dx
        shr     al, 4
        call    ata_finish
        stc
        ret
.timeout:
        call    ata_reset
.silent:
        mov     al, 0xff
        stc
        ret
.dma:   mov     al, DMA_TO_MEMORY
        call    ata_dma_run
        jnc     .done
        cmp     ah, ST_TIMEOUT          ; it was reset
        je      .silent
        jmp     .error

; CX words come.
packet_data:
        movzx   ecx, cx
        mov     dx, [fs:si + drive.io]
.part:  jecxz   .end
        mov     ebx, ecx
        add     ebx, ebx                ; bytes
        cmp     dword [fs:EB_REQUEST + request.skip], 0
        jne     .skip
        cmp     dword [fs:EB_REQUEST + request.take], 0
        je      .drop
        cmp     ebx, [fs:EB_REQUEST + request.take]
        jbe     .take
        mov     ebx, [fs:EB_REQUEST + request.take]
.take:  push    es
        mov     edi, [fs:EB_REQUEST + request.buffer]
        sub     [fs:EB_REQUEST + request.take], ebx
        add     [fs:EB_REQUEST + request.buffer], ebx
        mov     eax, edi
        shr     eax, 4
        mov     es, ax
        and     di, 15
        shr     bx, 1
        xchg    cx, bx
        sub     bx, cx                  ; words that are left
        rep insw
        mov     cx, bx
        pop     es
        jmp     .part
.skip:  cmp     ebx, [fs:EB_REQUEST + request.skip]
        jbe     .drop_skip
        mov     ebx, [fs:EB_REQUEST + request.skip]
.drop_skip:
        sub     [fs:EB_REQUEST + request.skip], ebx
.drop:  shr     bx, 1
        sub     cx, bx
.word:  in      ax, dx
        dec     bx
        jnz     .word
        jmp     .part
.end:   ret

; Sends EB_PACKET; after an error asks for its reason, as the drive wants: key in AL, code in AH, CF.
packet_run:
        call    packet_send
        jnc     .end
        cmp     al, 0xff
        je      .silent
        mov     al, PC_SENSE
        call    packet_new
        mov     byte [fs:EB_PACKET + 4], SENSE_LEN
        mov     dword [fs:EB_REQUEST + request.skip], 0
        mov     dword [fs:EB_REQUEST + request.take], SENSE_LEN
        xor     eax, eax
        mov     ax, fs
        shl     eax, 4
        add     eax, EB_SECTOR
        mov     [fs:EB_REQUEST + request.buffer], eax
        call    packet_send
        mov     al, [fs:EB_SECTOR + 2]
        and     al, 15
        mov     ah, [fs:EB_SECTOR + 12]
        jnc     .silent
        mov     al, 0xff
.silent:
        stc
.end:   ret

; Nothing is to be read.
packet_no_data:
        mov     dword [fs:EB_REQUEST + request.skip], 0
        mov     dword [fs:EB_REQUEST + request.take], 0
        ret

; CF: the drive has no medium, or does not become ready.
cd_test:
        mov     dl, 20
.again: push    dx
        mov     al, PC_TEST_READY
        call    packet_new
        call    packet_no_data
        call    packet_run
        pop     dx
        jnc     .end
        cmp     al, 0xff
        je      .fail
        cmp     ah, ASC_NO_MEDIUM
        je      .fail
        cmp     al, KEY_ATTENTION
        je      .next
        mov     eax, 100000
        call    wait_us
.next:  dec     dl
        jnz     .again
.fail:  stc
.end:   ret

; AL: 1 locks the tray, 0 opens the lock. CF: an error.
cd_lock:
        push    ax
        mov     al, PC_LOCK
        call    packet_new
        pop     ax
        mov     [fs:EB_PACKET + 4], al
        call    packet_no_data
        jmp     packet_run

cd_eject:
        mov     al, PC_START_STOP
        call    packet_new
        mov     byte [fs:EB_PACKET + 4], 2
        call    packet_no_data
        jmp     packet_run

; The request's count of blocks, all of them, to its buffer: AH = status; request.done is set.
cd_blocks:
        mov     eax, [fs:EB_REQUEST + request.count]
        push    ax
        shl     eax, 11
        mov     [fs:EB_REQUEST + request.take], eax
        mov     dword [fs:EB_REQUEST + request.skip], 0
        call    cd_transfer
        pop     cx
        test    ah, ah
        jz      .done
        xor     cx, cx
.done:  mov     [fs:EB_REQUEST + request.done], cx
        ret

; Sets EB_PACKET_DMA if the bus master can move what the request wants: whole blocks, to an even
; address. Changes EAX.
cd_use_dma:
        test    byte [fs:si + drive.flags], DF_DMA
        jz      .no
        test    byte [fs:EB_REQUEST + request.buffer], 1
        jnz     .no
        mov     eax, [fs:EB_REQUEST + request.count]
        shl     eax, 11
        cmp     eax, DMA_MAX
        ja      .no
        sub     eax, [fs:EB_REQUEST + request.take]
        or      eax, [fs:EB_REQUEST + request.skip]
        jnz     .no
        inc     byte [fs:EB_PACKET_DMA]
.no:    ret

; Reads the blocks of the request; AH = status.
cd_transfer:
        cmp     byte [fs:EB_REQUEST + request.op], OP_VERIFY
        jne     .read
        mov     dword [fs:EB_REQUEST + request.take], 0
.read:  xor     ah, ah
        cmp     dword [fs:EB_REQUEST + request.count], 0
        je      .end
        mov     dl, 4
.again: push    dx
        push    dword [fs:EB_REQUEST + request.skip]
        push    dword [fs:EB_REQUEST + request.take]
        push    dword [fs:EB_REQUEST + request.buffer]
        mov     al, PC_READ
        call    packet_new
        mov     eax, [fs:EB_REQUEST + request.lba]
        bswap   eax
        mov     [fs:EB_PACKET + 2], eax
        mov     ax, [fs:EB_REQUEST + request.count]
        xchg    al, ah
        mov     [fs:EB_PACKET + 7], ax
        call    cd_use_dma
        call    packet_run
        jnc     .done
        pop     dword [fs:EB_REQUEST + request.buffer]
        pop     dword [fs:EB_REQUEST + request.take]
        pop     dword [fs:EB_REQUEST + request.skip]
        pop     dx
        mov     cl, ST_TIMEOUT
        cmp     al, 0xff
        je      .fail
        mov     cl, ST_NO_MEDIA
        cmp     ah, ASC_NO_MEDIUM
        je      .fail
        mov     cl, 0x20
        dec     dl
        jnz     .again
.fail:  mov     ah, cl
        ret
.done:  add     sp, 14
        xor     ah, ah
.end:   ret
