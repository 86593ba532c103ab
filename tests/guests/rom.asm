; SPDX-License-Identifier: MIT
;
; A ROM of 64 KiB that is started with -bios: the processor's state after reset, both places where
; the ROM is seen, and that it cannot be written. Prints on COM1, without a stack or RAM until the
; end: what is checked comes from a register.

COM1_DATA       equ 0x3f8
DEBUG_EXIT      equ 0xf4
PASSED          equ 0x10
FAILED          equ 0x11
ROM_SIZE        equ 0x10000
ROM_SEGMENT     equ 0xf000
MARK            equ 0x524f4d21

        bits    16
        cpu     386
        org     0

; Ends with a failure unless the last comparison was "equal".
%macro  MUST_BE_EQUAL 1
        mov     si, %%text
        jne     failed
        jmp     %%on
%%text: db      "FAILED ", %1, 10, 0
%%on:
%endmacro

; A register was as wanted at reset.
%macro  CHECK 3
        cmp     %1, %2
        MUST_BE_EQUAL %3
%endmacro

; The reset vector jumps here, near: CS still has the base FFFF0000.
high_entry:
        mov     bp, cs
        CHECK   bp, ROM_SEGMENT, "CS is F000"
        mov     bp, ds
        CHECK   bp, 0, "DS is 0"
        mov     bp, ss
        CHECK   bp, 0, "SS is 0"
        CHECK   eax, 0, "EAX is 0"
        CHECK   ebx, 0, "EBX is 0"
        CHECK   ecx, 0, "ECX is 0"
        CHECK   edi, 0, "EDI is 0"
        CHECK   esp, 0, "ESP is 0"
        mov     ebp, cr0
        CHECK   ebp, 0x60000010, "CR0 is 60000010"
        cmp     dword [cs:mark], MARK
        MUST_BE_EQUAL "the ROM is seen at FFFF0000"
        jmp     ROM_SEGMENT:low_entry           ; reloads the base

low_entry:
        xor     ax, ax
        mov     ss, ax
        mov     sp, 0x7c00
        pushf
        pop     bp
        CHECK   bp, 2 | 1 << 6 | 1 << 2, "flags other than of the last operation are clear"
        mov     ax, ROM_SEGMENT
        mov     ds, ax
        CHECK   dword [mark], MARK, "the ROM is seen at F0000"
        mov     dword [mark], 0
        CHECK   dword [mark], MARK, "the ROM at F0000 cannot be written"
        mov     si, passed_text
        call    print
        mov     eax, PASSED
        jmp     end

failed:
        mov     sp, .back - 2                   ; a return address in ROM
        mov     bp, cs
        mov     ss, bp
        jmp     print
        dw      .back
.back:
        mov     eax, FAILED
end:
        mov     dx, DEBUG_EXIT
        out     dx, eax
.halt:
        hlt
        jmp     .halt

; SI = text in this ROM, ended by 0.
print:
        mov     dx, COM1_DATA
.next:
        mov     al, [cs:si]
        inc     si
        test    al, al
        jz      .done
        out     dx, al
        jmp     .next
.done:
        ret

passed_text:
        db      "rom: all checks passed", 10, 0
        align   4
mark:   dd      MARK

        times   ROM_SIZE - 16 - ($ - $$) db 0xff
reset_vector:
        jmp     high_entry
        times   ROM_SIZE - ($ - $$) db 0xff
