; SPDX-License-Identifier: MIT
;
; A disk that calls the BIOS: the image of a floppy of 1.44 MB that also boots as a hard disk, or from
; a CD with or without emulation of either (iso.py). The boot sector loads the rest, which calls each service and compares
; what it returns. Prints on COM1, ends by isa-debug-exit.

        bits    16
        cpu     386
        org     0x7c00

COM1            equ 0x3f8
DEBUG_EXIT      equ 0xf4
PASSED          equ 0x10
FAILED          equ 0x11
LOADED          equ 32                  ; sectors behind the first
CD_FIRST        equ 0xe0                ; numbers of CD drives
BUFFER          equ 0x2000              ; segment of a scratch buffer

boot:   jmp     start
        times   12 - ($ - $$) db 0
cd_lba: dd      0                       ; where the image is on a CD (the "boot info table" of mkisofs)
        times   0x3e - ($ - $$) db 0    ; room for what DOS keeps in a boot sector
start:  cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 0x7c00
        sti
        cld
        mov     [drive], dl
        cmp     dl, CD_FIRST
        jae     .cd
        mov     ah, 0x08
        push    es
        int     0x13
        pop     es
        jc      .fail
        and     cx, 63
        mov     [spt], cx
        movzx   ax, dh
        inc     ax
        mov     [heads], ax
        mov     bp, 1
.next:  mov     ax, bp
        xor     dx, dx
        div     word [spt]
        mov     cx, dx
        inc     cx
        xor     dx, dx
        div     word [heads]
        mov     ch, al
        mov     dh, dl
        mov     dl, [drive]
        mov     bx, bp
        shl     bx, 9
        add     bx, 0x7c00
        mov     si, 4
.try:   mov     ax, 0x0201
        int     0x13
        jnc     .read
        dec     si
        jnz     .try
        jmp     .fail
.read:  inc     bp
        cmp     bp, LOADED
        jbe     .next
        jmp     main
.cd:    mov     eax, [cd_lba]
        mov     [cd_packet + 8], eax
        mov     si, cd_packet
        mov     ah, 0x42
        int     0x13
        mov     [drive], dl             ; it was loaded over
        jnc     main
.fail:  mov     si, .text
        call    print
        jmp     failed_end
.text:  db      "FAILED to load", 10, 0

; The text at SI to COM1.
print:  lodsb
        test    al, al
        jz      .end
        call    putc
        jmp     print
.end:   ret

putc:   push    dx
        push    ax
        mov     dx, COM1 + 5
.wait:  in      al, dx
        test    al, 0x20
        jz      .wait
        pop     ax
        sub     dl, 5
        out     dx, al
        pop     dx
        ret

failed_end:
        mov     al, FAILED
end:    mov     dx, DEBUG_EXIT
        out     dx, al
.halt:  cli
        hlt
        jmp     .halt

        align   4, db 0
cd_packet:
        dw      0x10, (LOADED + 4) / 4, 0, 0x7c0
        dd      0, 0
drive:  db      0
        align   2, db 0
spt:    dw      0
heads:  dw      0

; A partition whose end says 16 heads and 63 sectors: a disk that is emulated from a CD has those.
        times   446 - ($ - $$) db 0
        db      0x80, 0, 1, 0, 0x06, 15, 63, 1
        dd      0, 2 * 16 * 63
        times   510 - ($ - $$) db 0
        dw      0xaa55

; -- Checks ----------------------------------------------------------------------------------------

; The condition must hold: CHECK e, "what".
%macro  CHECK 2+
        j%1     %%ok
        push    si
        mov     si, %%text
        call    complain
        pop     si
        jmp     %%ok
%%text: db      %2, 0
%%ok:
%endmacro

complain:
        pushf
        push    ax
        push    si
        mov     si, .text
        call    print
        pop     si
        call    print
        mov     al, 10
        call    putc
        inc     word [failures]
        pop     ax
        popf
        ret
.text:  db      "FAILED ", 0

        align   2, db 0
failures:
        dw      0

; EAX in hexadecimal.
print_hex:
        pushad
        mov     ebx, eax
        mov     cx, 8
.digit: rol     ebx, 4
        mov     al, bl
        and     al, 15
        add     al, '0'
        cmp     al, '9'
        jbe     .out
        add     al, 'a' - '9' - 1
.out:   call    putc
        loop    .digit
        popad
        ret

; The far address FS:SI of a structure of CX bytes: its sum in AL.
sum:    xor     al, al
.next:  add     al, [fs:si]
        inc     si
        loop    .next
        ret

; Finds the CX characters at DS:SI at a multiple of 16 in F0000: FS:DI, or CF.
find:   mov     ax, 0xf000
        mov     fs, ax
        xor     di, di
.next:  push    si
        push    di
        push    cx
        push    es
        push    fs
        pop     es
        repe    cmpsb
        pop     es
        pop     cx
        pop     di
        pop     si
        je      .found
        add     di, 16
        jnz     .next
        stc
        ret
.found: clc
        ret

%include "biostest/system.asm"
%include "biostest/disk.asm"
%include "biostest/keys.asm"
%include "biostest/tables.asm"
%include "biostest/sleep.asm"

main:   call    test_reboot
        call    test_info
        call    test_memory
        call    test_move
        call    test_a20
        call    test_time
        cmp     byte [drive], 0         ; takes seconds: not from each kind of drive
        jne     .short
        call    test_alarm
.short:
        call    test_keys
        call    test_mouse
        call    test_ports
        call    test_apm
        call    test_pci
        call    test_tables
        cmp     byte [drive], CD_FIRST
        jae     .cd
        call    test_disk
        call    test_edd
        jmp     .done
.cd:    call    test_cd
.done:  call    test_emulation
        cmp     byte [drive], 0
        jne     .awake
        call    test_sleep
.awake: call    test_resume
        cmp     word [failures], 0
        jne     .failed
        mov     si, .text
        call    print
        mov     al, PASSED
        jmp     end
.failed:
        jmp     failed_end
.text:  db      "biostest: all checks passed", 10, 0

        times   (LOADED + 1) * 512 - ($ - $$) db 0
; The rest of the floppy: each sector begins with its number.
%assign sector LOADED + 1
%rep 2880 - LOADED - 1
        dd      sector
        times   508 db 0xe5
%assign sector sector + 1
%endrep
