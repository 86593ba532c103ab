; SPDX-License-Identifier: MIT
;
; isa-debug-exit: the exit status is the value written, times two, plus one, whatever the access's
; size and whichever of the device's ports. The kernel command line ends with the case's letter.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "debugexit", 0

section .data
; letter; status (less what an exit status has no room for)
cases:
        dd      "b", write_byte                 ; 2 * 21h + 1 = 43h
        dd      "h", write_high_byte            ; 2 * ffh + 1 = 1ffh
        dd      "w", write_word                 ; 2 * 1234h + 1 = 2469h
        dd      "d", write_dword                ; 2 * 12345678h + 1 = 2468acf1h
        dd      "z", write_zero                 ; 1
        dd      "o", write_other_port           ; 2 * 2fh + 1 = 5fh
        dd      "s", write_string               ; 2 * 15h + 1 = 2bh
        dd      0

section .text
test_main:
        mov     esi, [ebx + MULTIBOOT_CMDLINE]
.letter:
        lodsb
        test    al, al
        jnz     .letter
        movzx   eax, byte [esi - 2]
        mov     ebx, cases
.next:
        cmp     dword [ebx], 0
        je      .unknown
        cmp     [ebx], eax
        je      .found
        add     ebx, 8
        jmp     .next
.unknown:
        CHECK   "unknown case", eax, 0
        jmp     test_end
.found:
        ; Reading does nothing.
        mov     dx, DEBUG_EXIT
        in      al, dx
        in      ax, dx
        in      eax, dx
        mov     esi, NAME
        call    print
        print_string `: reads did nothing\n`
        mov     dx, DEBUG_EXIT
        mov     eax, 0x7f7f7f7f
        call    [ebx + 4]
        call    give_it_time                    ; it must not come this far
        print_string `debugexit: FAILED to end\n`
        jmp     test_end

write_byte:
        mov     al, 0x21
        out     dx, al
        ret
write_high_byte:
        mov     al, 0xff
        out     DEBUG_EXIT, al
        ret
write_word:
        mov     ax, 0x1234
        out     dx, ax
        ret
write_dword:
        mov     eax, 0x12345678
        out     dx, eax
        ret
write_zero:
        mov     al, 0
        out     dx, al
        ret
write_other_port:
        mov     dx, DEBUG_EXIT + 3
        mov     al, 0x2f
        out     dx, al
        ret
write_string:
        mov     esi, .bytes
        mov     ecx, 3
        rep outsb
        ret
section .strings
.bytes: db      0x15, 0x16, 0x17

IMAGE_END
