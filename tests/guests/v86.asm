; SPDX-License-Identifier: MIT
;
; Virtual-8086 mode: the way in and out, a monitor that reflects INT n, what depends on IOPL, the I/O
; permission map, and VME with its redirection map (SDM 3A chapter 21).

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "v86", 0

HOT             equ 10000
CODE_SEG        equ 0x800                       ; real-mode segment of the code
CODE            equ CODE_SEG * 16
STACK_SEG       equ 0x700
STACK_SP        equ 0xffe
HANDLER_SEG     equ 0x900                       ; where its interrupt handlers are
HANDLER         equ HANDLER_SEG * 16
IOPL_3          equ 0x3000
EFLAGS_VIF      equ 1 << 19
EFLAGS_VIP      equ 1 << 20
CR4_VME         equ 1
PORT_MAP        equ 32                          ; bytes: behind the redirection map

section .bss
        alignb  16
big_tss:        resb TSS_SIZE + 32 + PORT_MAP + 1
        alignb  4
flags:          resd 1                          ; EFLAGS for the next entry, besides VM
monitor_calls:  resd 1

section .text
; Runs 16-bit code there until it raises what no monitor handles: "routine" and its end are labels.
%macro V86 2
        mov     esi, %1
        mov     edi, CODE
        mov     ecx, %2 - %1
        rep movsb
        CATCH   %%back
        call    enter_v86
%%back:
%endmacro

; "name", vector, error code, IP.
%macro V86_CAUGHT 4
        CAUGHT  %1, %2, %3, %4
        mov     eax, [got.eflags]
        and     eax, EFLAGS_VM
        CHECK   %strcat(%1, ": VM"), eax, EFLAGS_VM
%endmacro

; One instruction, which faults, or does not (it is followed by UD2).
; (6 is #UD of the instruction itself, VEC_UD that behind it.)
%macro V86_ONE 4+                               ; "name", vector, error code, instruction
        jmp     %%run
        bits    16
%%code: %4
%%next: ud2
%%end:
        bits    32
%%run:
        V86     %%code, %%end
    %ifidn %2, VEC_UD
        V86_CAUGHT %1, VEC_UD, NO_ERROR, %%next - %%code
    %else
        V86_CAUGHT %1, %2, %3, 0
    %endif
%endmacro
%macro V86_GOOD 2+
        V86_ONE %1, VEC_UD, NO_ERROR, %2
%endmacro

test_main:
        mov     esi, tss
        mov     edi, big_tss
        mov     ecx, TSS_SIZE
        rep movsb
        mov     word [big_tss + TSS_IO_MAP], TSS_SIZE + 32
        mov     edi, big_tss + TSS_SIZE
        mov     ecx, 32
        mov     al, 0
        rep stosb                               ; all interrupts are redirected
        mov     ecx, PORT_MAP + 1
        mov     al, 0xff
        rep stosb                               ; no port is allowed
        DESCRIPTOR_AT TSS_SELECTOR, big_tss, TSS_SIZE + 32 + PORT_MAP, 0x89, 0
        mov     eax, TSS_SELECTOR
        ltr     ax
        mov     dword [flags], EFLAGS_1
        call    entry_and_exit
        call    sensitive
        call    ports
        call    faults
        call    reflected
        mov     eax, 1
        cpuid
        test    edx, 2
        jz      .end
        call    extensions
.end:
        jmp     test_end

; To CODE_SEG:0, with recognisable data segments.
enter_v86:
        push    dword 0x4444                    ; GS
        push    dword 0x3333                    ; FS
        push    dword 0x2222                    ; DS
        push    dword 0x1111                    ; ES
        push    dword STACK_SEG
        push    dword STACK_SP
        mov     eax, [flags]
        or      eax, EFLAGS_VM
        push    eax
        push    dword CODE_SEG
        push    dword 0
        iretd

entry_and_exit:
        V86     .code, .end
        V86_CAUGHT "entered", VEC_UD, NO_ERROR, .last - .code
        CHECK   "cs", [got.cs], CODE_SEG
        CHECK   "ss", [got.ss], STACK_SEG
        CHECK   "esp", [got.esp], STACK_SP - 2
        CHECK   "es on the stack of ring 0", [got.v86], 0x1111
        CHECK   "ds on the stack of ring 0", [got.v86 + 4], 0x2222
        CHECK   "fs on the stack of ring 0", [got.v86 + 8], 0x3333
        CHECK   "gs on the stack of ring 0", [got.v86 + 12], 0x4444
        CHECK   "cs is its own", [got.eax], CODE_SEG << 16 | 0x2222
        CHECK   "what it pushed", [STACK_SEG * 16 + STACK_SP - 2], 0x5678
        ; In and out, by a fault each time.
        mov     ecx, HOT
        mov     dword [hook], skip_ud2
        mov     dword [monitor_calls], 0
        V86     .loop, .loop_end
        CHECK   "faults and returns", [monitor_calls], HOT
        CHECK   "faults and returns: ecx", [got.ecx], 0
        CHECK   "faults and returns: ended by", [got.vector], VEC_DE
        mov     dword [hook], 0
        ret
        bits    16
.code:
        mov     ax, cs
        shl     eax, 16
        mov     ax, ds
        push    word 0x5678
.last:  ud2
.end:
.loop:
        mov     ecx, HOT
.again:
        ud2
        dec     ecx
        jnz     .again
        xor     ax, ax
        div     ax
.loop_end:
        bits    32

; A hook: goes on behind UD2.
skip_ud2:
        cmp     dword [ebp + 32], VEC_UD
        jne     .no
        test    dword [ebp + 48], EFLAGS_VM
        jz      .no
        add     dword [ebp + 40], 2
        inc     dword [monitor_calls]
        clc
        ret
.no:    stc
        ret

; What asks for IOPL 3, and what does not.
sensitive:
        mov     dword [flags], EFLAGS_1
        V86_ONE "cli with IOPL 0", VEC_GP, 0, cli
        V86_ONE "sti with IOPL 0", VEC_GP, 0, sti
        V86_ONE "pushf with IOPL 0", VEC_GP, 0, pushf
        V86_ONE "popf with IOPL 0", VEC_GP, 0, popf
        V86_ONE "int with IOPL 0", VEC_GP, 0, int 0x40
        V86_ONE "iret with IOPL 0", VEC_GP, 0, iret
        V86_ONE "hlt", VEC_GP, 0, hlt
        V86_ONE "mov cr0", VEC_GP, 0, mov eax, cr0
        V86_ONE "clts", VEC_GP, 0, clts
        V86_ONE "lgdt", VEC_GP, 0, lgdt [0]
        V86_GOOD "smsw", smsw ax
        V86_GOOD "sgdt", sgdt [0x100]
        mov     dword [flags], EFLAGS_1 | IOPL_3
        V86_GOOD "cli with IOPL 3", cli
        V86_ONE "hlt with IOPL 3", VEC_GP, 0, hlt
        V86_GOOD "pushf and popf with IOPL 3", {db 0x9c, 0x9d}
        ; The gate's DPL must be 3, and its code of ring 0.
        V86_ONE "int with IOPL 3 and a gate of ring 0", VEC_GP, 0x40 * 8 + 2, int 0x40
        ; INT3 does not ask for IOPL.
        mov     dword [flags], EFLAGS_1
        or      byte [idt + VEC_BP * 8 + 5], 0x60
        V86     .int3, .end
        V86_CAUGHT "int3 with IOPL 0", VEC_BP, NO_ERROR, 1
        and     byte [idt + VEC_BP * 8 + 5], 0x9f
        ; Not there in this mode.
        V86_ONE "lldt", 6, NO_ERROR, {db 0x0f, 0x00, 0xd0}
        V86_ONE "lar", 6, NO_ERROR, {db 0x0f, 0x02, 0xc0}
        V86_ONE "arpl", 6, NO_ERROR, {db 0x63, 0xc0}
        ret
        bits    16
.int3:  int3
.end:
        bits    32

ports:
        and     byte [big_tss + TSS_SIZE + 32 + 0x80 / 8], 0xfe
        mov     dword [flags], EFLAGS_1
        V86_GOOD "permitted port", in al, 0x80
        V86_ONE "port that is not permitted", VEC_GP, 0, in al, 0x81
        V86_ONE "word with one that is not", VEC_GP, 0, in ax, 0x80
        ; IOPL does not help.
        mov     dword [flags], EFLAGS_1 | IOPL_3
        V86_ONE "port with IOPL 3", VEC_GP, 0, in al, 0x81
        mov     dword [flags], EFLAGS_1
        ret

faults:
        TCG_SKIPS .end                          ; knows no limits
        V86_ONE "word at FFFF", VEC_GP, 0, mov ax, [0xffff]
        V86_ONE "offset 10000", VEC_GP, 0, {db 0x67, 0xa0, 0, 0, 1, 0}
.end:
        V86_GOOD "word at FFFE", mov ax, [0xfffe]
        ret

; INT n by a monitor, as the real processor's INT would be: HOT times.
reflected:
        mov     esi, .handler
        mov     edi, HANDLER
        mov     ecx, .handler_end - .handler
        rep movsb
        mov     dword [0x60 * 4], HANDLER_SEG << 16
        mov     dword [hook], monitor
        mov     dword [monitor_calls], 0
        V86     .code, .end
        mov     dword [hook], 0
        V86_CAUGHT "reflected", VEC_UD, NO_ERROR, .last - .code
        CHECK   "monitor's work", [monitor_calls], HOT * 2      ; INT and IRET
        CHECK   "handler's work", [got.ebx], HOT
        CHECK   "sp", [got.esp], STACK_SP
        ret
        bits    16
.code:
        mov     ecx, HOT
        xor     ebx, ebx
.loop:
        int     0x60
        dec     ecx
        jnz     .loop
.last:  ud2
.end:
.handler:
        inc     ebx
        iret
.handler_end:
        bits    32

; A hook: INT 60h and IRET of virtual-8086 mode.
monitor:
        cmp     dword [ebp + 32], VEC_GP
        jne     .no
        test    dword [ebp + 48], EFLAGS_VM
        jz      .no
        movzx   esi, word [ebp + 44]
        shl     esi, 4
        add     esi, [ebp + 40]                 ; the instruction
        movzx   edi, word [ebp + 56]
        shl     edi, 4                          ; its stack segment
        movzx   ecx, word [ebp + 52]
        cmp     word [esi], 0x60cd
        je      .int
        cmp     byte [esi], 0xcf
        jne     .no
        mov     ax, [edi + ecx]
        mov     [ebp + 40], ax
        mov     ax, [edi + ecx + 2]
        mov     [ebp + 44], ax
        mov     ax, [edi + ecx + 4]
        mov     [ebp + 48], ax
        add     word [ebp + 52], 6
        jmp     .done
.int:
        sub     ecx, 6
        mov     [ebp + 52], cx
        mov     ax, [ebp + 48]
        mov     [edi + ecx + 4], ax
        mov     ax, [ebp + 44]
        mov     [edi + ecx + 2], ax
        mov     ax, [ebp + 40]
        add     ax, 2
        mov     [edi + ecx], ax
        mov     ax, [0x60 * 4]
        mov     [ebp + 40], ax
        mov     ax, [0x60 * 4 + 2]
        mov     [ebp + 44], ax
.done:
        inc     dword [monitor_calls]
        clc
        ret
.no:    stc
        ret

; VME: INT n by the redirection map, and IF's virtual counterpart.
extensions:
        mov     eax, cr4
        or      eax, CR4_VME
        mov     cr4, eax
        mov     dword [hook], monitor
        mov     dword [monitor_calls], 0
        mov     dword [flags], EFLAGS_1
        V86     reflected.code, reflected.end
        mov     dword [hook], 0
        V86_CAUGHT "redirected", VEC_UD, NO_ERROR, reflected.last - reflected.code
        CHECK   "no work for the monitor", [monitor_calls], 0
        CHECK   "redirected: handler's work", [got.ebx], HOT
        ; With its bit set the interrupt faults as ever.
        or      byte [big_tss + TSS_SIZE + 0x60 / 8], 1
        V86_ONE "not redirected", VEC_GP, 0, int 0x60
        and     byte [big_tss + TSS_SIZE + 0x60 / 8], ~1
        ; CLI and STI work on VIF; PUSHF shows it as IF, with IOPL 3.
        V86_GOOD "sti with VME", sti
        mov     eax, [got.eflags]
        and     eax, EFLAGS_VIF | EFLAGS_IF
        CHECK   "sti sets VIF", eax, EFLAGS_VIF
        mov     dword [flags], EFLAGS_1 | EFLAGS_VIF
        V86_GOOD "pushf with VME", pushf
        movzx   eax, word [STACK_SEG * 16 + STACK_SP - 2]
        and     eax, 0x3200
        CHECK   "pushf shows VIF as IF", eax, 0x3200
        V86_GOOD "cli with VME", cli
        mov     eax, [got.eflags]
        and     eax, EFLAGS_VIF
        CHECK   "cli clears VIF", eax, 0
        mov     dword [flags], EFLAGS_1 | EFLAGS_VIP
        V86_ONE "sti with VIP", VEC_GP, 0, sti
        V86_GOOD "cli with VIP", cli
        mov     dword [flags], EFLAGS_1
        V86_ONE "pushfd with VME", VEC_GP, 0, pushfd
        V86_ONE "popfd with VME", VEC_GP, 0, popfd
        mov     eax, cr4
        and     eax, ~CR4_VME
        mov     cr4, eax
        ret

IMAGE_END
