; SPDX-License-Identifier: MIT
;
; Real-mode programs that change code: a boot sector that moves away, loads what follows over where
; it was, patches it and jumps there; and a packed program, which decrypts the instructions right in
; front of its own, moves its unpacker up and unpacks itself in place, on the unpacker's page. Each
; does the same work without that, too; what is computed must be right, and both times are told.

%include "lib/image.asm"
%include "lib/test.asm"
%include "lib/real.asm"
%include "lib/time.asm"

section .strings
NAME:   db      "packed", 0

STAGES          equ 50                          ; loaded over each other
STAGE_WORK      equ 20000
MOVED           equ 0x600                       ; where the boot sector goes
SECTOR          equ 512
DISK            equ 0x9000                      ; what the boot sector loads
PLAIN_STAGE     equ 0xa000

RUNS            equ 10
PROGRAM_WORK    equ 60000
PROGRAM_SEG     equ 0x1000
PROGRAM         equ PROGRAM_SEG * 16 + 0x100
FILLER          equ 700                         ; makes it worth packing
KEY             equ 0x5a
MARGIN          equ 32                          ; between what is unpacked and the unpacker

section .bss
        alignb  4
boot_plain:     resd 1
boot_changed:   resd 1
pack_plain:     resd 1
pack_changed:   resd 1
found:          resd 1
packed_end:     resd 1
file:           resb 4096

section .text
        bits    32

test_main:
        call    boots
        call    programs
        TELL_TIMES "boot sector", boot_plain, boot_changed
        TELL_TIMES "packed program", pack_plain, pack_changed
        jmp     test_end

; ESI = code for 0000:7C00, a sector.
load_sector:
        mov     edi, REAL_CODE
copy_sector:
        mov     ecx, SECTOR
        rep movsb
        ret

; -- The boot sector -------------------------------------------------------------------------------

        bits    16
%define IN_BOOT(label) (MOVED + label - boot)
boot:
        cld
        mov     si, REAL_CODE
        mov     di, MOVED
        mov     cx, SECTOR / 2
        rep movsw
        jmp     0:IN_BOOT(.moved)
.moved:
        xor     ebx, ebx
        mov     bp, STAGES
.load:
        mov     si, DISK
        mov     di, REAL_CODE
        mov     cx, SECTOR / 2
        rep movsw
        mov     [REAL_CODE + stage.number - stage], bp
        test    bp, 1
        jz      .run
        mov     byte [REAL_CODE + stage.where - stage], 0
.run:
        mov     ax, REAL_CODE
        call    ax
        dec     bp
        jnz     .load
        jmp     0:REAL_BACK
        times   SECTOR - ($ - boot) db 0

stage:
        mov     dx, 0
.number equ $ - 2
        mov     cx, STAGE_WORK
.work:  add     bx, dx
        rol     bx, 1
        xor     bx, cx
        dec     cx
        jnz     .work
        jmp     short .even
.where  equ $ - 1
        xor     bx, 0x5555
.even:  ret
        times   SECTOR - ($ - stage) db 0

; The same, with numbers in registers.
plain_boot:
        xor     ebx, ebx
        mov     bp, STAGES
.run:
        mov     ax, PLAIN_STAGE
        call    ax
        dec     bp
        jnz     .run
        jmp     0:REAL_BACK
        times   SECTOR - ($ - plain_boot) db 0

plain_stage:
        mov     dx, bp
        mov     cx, STAGE_WORK
.work:  add     bx, dx
        rol     bx, 1
        xor     bx, cx
        dec     cx
        jnz     .work
        test    bp, 1
        jz      .even
        xor     bx, 0x5555
.even:  ret
        times   SECTOR - ($ - plain_stage) db 0
        bits    32

boots:
        mov     esi, plain_stage
        mov     edi, PLAIN_STAGE
        call    copy_sector
        mov     esi, stage
        mov     edi, DISK
        call    copy_sector
        mov     esi, plain_boot
        call    load_sector
        START
        call    enter_real
        STOP    boot_plain
        mov     [found], ebx
        mov     esi, boot
        call    load_sector
        START
        call    enter_real
        STOP    boot_changed
        CHECK   "boot sector", ebx, [found]
        ret

; -- The packed program ----------------------------------------------------------------------------

        bits    16
; At 0000:7C00: starts what is in the program's segment.
exec:
        mov     ax, PROGRAM_SEG
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 0xfffe
        jmp     PROGRAM_SEG:0x100
        times   SECTOR - ($ - exec) db 0

; What is packed: four functions far from each other, to which its loop jumps in turn.
%macro PART 2                                   ; this one, the next one
%1:     add     bx, cx
        rol     bx, 3
        jmp     near %2
        times   FILLER db 0xcc
%endmacro
program:
        xor     ebx, ebx
        mov     cx, PROGRAM_WORK
.loop:
        PART    .first, .second
        PART    .second, .third
        PART    .third, .fourth
.fourth:
        xor     bx, cx
        dec     cx
        jz      .end
        jmp     near .loop
.end:   jmp     0:REAL_BACK
program_end:
PROGRAM_BYTES   equ program_end - program

; The file: what it begins with, the packed program, the unpacker. Offsets in the segment.
TOP             equ 0x100 + PROGRAM_BYTES + MARGIN  ; where the unpacker goes
first_stub:
        mov     si, 0x100 + .secret - first_stub
        mov     cx, .end - .secret
.decrypt:
        xor     byte [si], KEY
        inc     si
        dec     cx
        jnz     .decrypt
.secret:
        mov     si, 0                           ; the file's last byte, filled in
.last   equ $ - 2
        mov     di, TOP + unpacker.end - unpacker - 1
        mov     cx, 0                           ; bytes of packed program and unpacker, filled in
.bytes  equ $ - 2
        std
        rep movsb
        cld
        mov     ax, TOP
        mov     si, di
        inc     si                              ; the packed program
        jmp     ax
.end:

; SI = packed program: 1-7Fh: so many bytes follow; 80h-FFh: so many less 7Dh times the next one; 0:
; the end.
unpacker:
        mov     di, 0x100
        xor     cx, cx
.next:
        lodsb
        test    al, al
        jz      .run
        js      .repeat
        mov     cl, al
.copy:  lodsb
        stosb
        dec     cx
        jnz     .copy
        jmp     .next
.repeat:
        sub     al, 0x7d
        mov     cl, al
        lodsb
.same:  stosb
        dec     cx
        jnz     .same
        jmp     .next
.run:
        mov     ax, 0x100
        jmp     ax
.end:
        bits    32

; Makes the file.
pack:
        mov     esi, first_stub
        mov     edi, file
        mov     ecx, first_stub.end - first_stub
        rep movsb
        mov     esi, program
.next:
        cmp     esi, program_end
        jae     .end
        mov     al, [esi]
        xor     ecx, ecx
.count: inc     ecx                             ; bytes like this one
        cmp     ecx, 0xff - 0x7d
        je      .counted
        lea     edx, [esi + ecx]
        cmp     edx, program_end
        jae     .counted
        cmp     [edx], al
        je      .count
.counted:
        cmp     ecx, 3
        jb      .single
        add     esi, ecx
        add     cl, 0x7d
        mov     [edi], cl
        mov     [edi + 1], al
        add     edi, 2
        jmp     .next
.single:
        mov     byte [edi], 1
        mov     [edi + 1], al
        inc     esi
        add     edi, 2
        jmp     .next
.end:
        mov     byte [edi], 0
        inc     edi
        mov     esi, unpacker
        mov     ecx, unpacker.end - unpacker
        rep movsb
        mov     [packed_end], edi
        mov     eax, edi
        sub     eax, file - 0x100 + 1
        mov     [file + first_stub.last - first_stub], ax
        sub     eax, 0x100 - 1 + first_stub.end - first_stub
        mov     [file + first_stub.bytes - first_stub], ax
        mov     edi, file + first_stub.secret - first_stub
        mov     ecx, first_stub.end - first_stub.secret
.hide:  xor     byte [edi], KEY
        inc     edi
        loop    .hide
        ret

programs:
        call    pack
        mov     esi, exec
        call    load_sector
        mov     esi, program
        mov     edi, PROGRAM
        mov     ecx, PROGRAM_BYTES
        rep movsb
        START
        mov     ebp, RUNS
.plain: call    enter_real
        dec     ebp
        jnz     .plain
        STOP    pack_plain
        mov     [found], ebx
        START
        mov     ebp, RUNS
.packed:
        mov     esi, file
        mov     edi, PROGRAM
        mov     ecx, [packed_end]
        sub     ecx, file
        rep movsb
        call    enter_real
        CHECK   "packed program", ebx, [found]
        dec     ebp
        jnz     .packed
        STOP    pack_changed
        mov     ecx, PROGRAM_BYTES
        mov     esi, program
        mov     edi, PROGRAM
        repe cmpsb
        mov     eax, 0
        setne   al
        CHECK   "what was unpacked", eax, 0
        ret

IMAGE_END
