; SPDX-License-Identifier: MIT
;
; INT 15h AH=53h: Advanced Power Management 1.2, of which switching off is the use. The functions
; work in registers alone, so that the same text serves real mode and both protected modes.

APM_NOT_PRESENT equ 0x86
APM_BAD_FUNCTION equ 0x0c
APM_BAD_DEVICE  equ 0x09
APM_BAD_STATE   equ 0x0a
APM_NO_EVENT    equ 0x80
PM1_CONTROL     equ PM_BASE + 4
SLEEP_S5        equ 0x2000              ; SLP_EN, type 0

; Function AL with BX, CX, DX; CF and AH: an error. Assembled for code of 16 and of 32 bits.
%macro  APM_FUNCTIONS 0
        cmp     al, 0x05                ; the processor is idle: runs on
        je      %%done
        cmp     al, 0x06
        je      %%done
        cmp     al, 0x07
        je      %%state
        cmp     al, 0x08
        je      %%done
        cmp     al, 0x0a
        je      %%power
        cmp     al, 0x0b
        je      %%event
        cmp     al, 0x0c
        je      %%get
        cmp     al, 0x0d
        je      %%done
        cmp     al, 0x0e
        je      %%version
        cmp     al, 0x0f
        je      %%done
        cmp     al, 0x04
        je      %%done
        mov     ah, APM_BAD_FUNCTION
        stc
        jmp     %%end
%%version:
        mov     ax, 0x0102
        jmp     %%ok
%%power:
        mov     bx, 0x01ff              ; on line; battery unknown
        mov     cx, 0xffff
        mov     dx, 0xffff
        jmp     %%done
%%event:
        mov     ah, APM_NO_EVENT
        stc
        jmp     %%end
%%get:  xor     cx, cx
        jmp     %%done
%%state:
        mov     ah, APM_BAD_DEVICE
        cmp     bx, 0x0001              ; all devices
        stc
        jne     %%end
        cmp     cx, 0x0003              ; off
        jne     %%done
        mov     dx, PM1_CONTROL
        mov     ax, SLEEP_S5
        out     dx, ax
%%done: mov     ah, 0
%%ok:   clc
%%end:
%endmacro

apm_service:
        movzx   si, byte [bp + F_AL]
        cmp     si, 4
        jae     .function
        add     si, si
        jmp     [cs:.connect + si]
        align   2, db 0
.connect:
        dw      .present, .real, .protected16, .protected32

.present:
        mov     word [bp + F_EAX], 0x0102
        mov     word [bp + F_EBX], 'MP' ; BH = 'P'
        mov     word [bp + F_ECX], 0x0003 ; both protected modes
        ret
.real:  mov     byte [bp + F_AH], 0
        ret
.protected16:
        mov     word [bp + F_EAX], BIOS_SEG
        mov     word [bp + F_EBX], apm_entry16
        mov     word [bp + F_ECX], BIOS_SEG
        mov     word [bp + F_ESI], 0xfff0
        mov     word [bp + F_EDI], 0xfff0
        ret
.protected32:
        mov     word [bp + F_EAX], BIOS_SEG
        mov     dword [bp + F_EBX], apm_entry32
        mov     word [bp + F_ECX], BIOS_SEG
        mov     word [bp + F_EDX], BIOS_SEG
        mov     dword [bp + F_ESI], 0xfff0fff0
        mov     word [bp + F_EDI], 0xfff0
        ret

.function:
        mov     al, [bp + F_AL]
        mov     bx, [bp + F_EBX]
        mov     cx, [bp + F_ECX]
        mov     dx, [bp + F_EDX]
        APM_FUNCTIONS
        jnc     .store
        mov     [bp + F_AH], ah
        FAIL_CALLER
        ret
.store: cmp     byte [bp + F_AL], 0x0e
        jne     .no_version
        mov     [bp + F_AL], al
.no_version:
        mov     [bp + F_AH], ah
        mov     [bp + F_EBX], bx
        mov     [bp + F_ECX], cx
        mov     [bp + F_EDX], dx
        ret

apm_entry16:
        APM_FUNCTIONS
        retf

        bits    32
apm_entry32:
        APM_FUNCTIONS
        retf
        bits    16
