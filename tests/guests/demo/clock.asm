; SPDX-License-Identifier: MIT
;
; The MC146818 real-time clock.

RTC_INDEX       equ 0x70
RTC_DATA        equ 0x71
RTC_SECONDS     equ 0x00                        ; registers
RTC_MINUTES     equ 0x02
RTC_HOURS       equ 0x04
RTC_DAY         equ 0x07
RTC_MONTH       equ 0x08
RTC_YEAR        equ 0x09
RTC_A           equ 0x0a                        ; bit 7: an update is due or going on
RTC_B           equ 0x0b                        ; bit 1: 24 hours; bit 2: binary, not BCD
RTC_CENTURY     equ 0x32                        ; where PCs keep it

section .data
rtc_registers:
        db      RTC_SECONDS, RTC_MINUTES, RTC_HOURS, RTC_DAY, RTC_MONTH, RTC_YEAR, RTC_CENTURY
RTC_COUNT       equ $ - rtc_registers

section .bss
rtc_time:       resb RTC_COUNT                  ; in that order, binary, hours from 0 to 23
rtc_again:      resb RTC_COUNT

section .text
; AL = register -> AL = its contents.
rtc_read:
        out     RTC_INDEX, al
        in      al, RTC_DATA
        ret

; Fills rtc_time. It is read twice, because it may change meanwhile.
rtc_get:
        pushad
.retry:
        mov     edi, rtc_time
        call    .read_all
        mov     edi, rtc_again
        call    .read_all
        mov     esi, rtc_time
        mov     edi, rtc_again
        mov     ecx, RTC_COUNT
        repe cmpsb
        jne     .retry
        mov     al, RTC_B
        call    rtc_read
        mov     bl, al
        mov     dl, [rtc_time + 2]              ; bit 7 of the hours: p.m.
        and     byte [rtc_time + 2], 0x7f
        test    bl, 1 << 2
        jnz     .binary
        xor     ecx, ecx
.convert:
        mov     al, [rtc_time + ecx]
        mov     ah, al
        shr     ah, 4
        and     al, 15
        aad                                     ; AL = AH * 10 + AL
        mov     [rtc_time + ecx], al
        inc     ecx
        cmp     ecx, RTC_COUNT
        jb      .convert
.binary:
        test    bl, 1 << 1
        jnz     .end
        mov     al, [rtc_time + 2]              ; 12, 1, 2, ... 11
        cmp     al, 12
        jne     .hours
        mov     al, 0
.hours:
        test    dl, dl
        jns     .morning
        add     al, 12
.morning:
        mov     [rtc_time + 2], al
.end:
        popad
        ret
.read_all:
        mov     ecx, 0x100000
.update:
        mov     al, RTC_A
        call    rtc_read
        test    al, al
        js      .next_look
        jmp     .stable
.next_look:
        loop    .update
.stable:
        mov     esi, rtc_registers
        mov     ecx, RTC_COUNT
.next:
        lodsb
        call    rtc_read
        stosb
        loop    .next
        ret

; "2000-12-31 23:59:59, up 12.34 s"
command_time:
        pushad
        call    rtc_get
        movzx   eax, byte [rtc_time + 6]
        call    print_two_digits
        mov     esi, rtc_time + 5
        mov     edi, .separators
.next:
        movzx   eax, byte [esi]
        call    print_two_digits
        mov     al, [edi]
        call    putc
        dec     esi
        inc     edi
        cmp     esi, rtc_time
        jae     .next
        print_string ` up `
        mov     eax, [ticks]
        xor     edx, edx
        mov     ecx, TICK_HZ
        div     ecx
        call    print_decimal
        mov     al, '.'
        call    putc
        mov     eax, edx
        call    print_two_digits
        print_string ` s\n`
        popad
        ret
section .data
.separators:
        db      "-", "- ::,"
section .text
