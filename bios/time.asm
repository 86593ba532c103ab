; SPDX-License-Identifier: MIT
;
; Waiting, by the ACPI power management timer, which needs no interrupts; and the CMOS.

PM_FUNCTION     equ 0x80000b00          ; PIIX4 power management, 00:01.3

; Makes the timer answer.
pm_timer_on:
        mov     eax, PM_FUNCTION | 0x40 ; base of its ports
        mov     ebx, PM_BASE | 1
        call    pci_put
        mov     eax, PM_FUNCTION | 0x80 ; PMREGMISC: they are decoded
        call    pci_get
        or      al, 1
        mov     ebx, eax
        mov     eax, PM_FUNCTION | 0x80
        jmp     pci_put

; The timer, 24 bits, in EAX. Keeps all else.
now:    push    dx
        mov     dx, PM_TIMER
        in      eax, dx
        and     eax, 0xffffff
        pop     dx
        ret

; CF if more than ECX units have gone by since EBX was now; at most four seconds. Keeps all.
expired:
        push    eax
        call    now
        sub     eax, ebx
        and     eax, 0xffffff
        cmp     ecx, eax
        pop     eax
        ret

MS              equ PM_HZ / 1000

; Waits for EAX microseconds, at most 2^32 - 1. Changes EAX.
wait_us:
        push    ebx
        push    ecx
        push    edx
        mov     edx, 3665               ; units = us * 3.579545 = us * 3665 / 1024
        mul     edx
        shrd    eax, edx, 10
        shr     edx, 10
.long:  mov     ecx, eax                ; in parts of less than four seconds
        test    edx, edx
        jnz     .part
        cmp     ecx, 0x800000
        jbe     .last
.part:  mov     ecx, 0x800000
.last:  sub     eax, ecx
        sbb     edx, 0
        push    eax
        call    now
        mov     ebx, eax
        pop     eax
.wait:  call    expired
        jnc     .wait
        push    eax
        or      eax, edx
        pop     eax
        jnz     .long
        pop     edx
        pop     ecx
        pop     ebx
        ret

; -- CMOS ------------------------------------------------------------------------------------------

; Register AL to AL. NMI stays off between the two cycles only.
cmos_read:
        pushf
        cli
        or      al, 0x80
        out     CMOS_INDEX, al
        in      al, CMOS_DATA
        push    ax
        mov     al, 0x0d
        out     CMOS_INDEX, al
        pop     ax
        popf
        ret

; AH to register AL.
cmos_write:
        pushf
        cli
        or      al, 0x80
        out     CMOS_INDEX, al
        xchg    al, ah
        out     CMOS_DATA, al
        xchg    al, ah
        push    ax
        mov     al, 0x0d
        out     CMOS_INDEX, al
        pop     ax
        popf
        ret

; Registers AL and AL + 1 as a word, to AX.
cmos_word:
        push    bx
        mov     bl, al
        inc     al
        call    cmos_read
        mov     ah, al
        mov     al, bl
        push    ax
        call    cmos_read
        mov     bl, al
        pop     ax
        mov     al, bl
        pop     bx
        ret
