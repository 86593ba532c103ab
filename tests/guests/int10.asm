; SPDX-License-Identifier: MIT
;
; Calls INT 10h, and reaches memory and ports, for a driver at the other end of COM1 (int10.py). Where no
; firmware has started the display adapter's BIOS, this does what firmware would. Commands are lines of
; hexadecimal numbers without blanks:
;
;   c AX BX CX DX SI DI BP ES    INT 10h; answers these eight registers, 8 digits each (ES: 4), and the
;                                sum of those that must not change: zero if they have not
;   f ADDRESS AX BX CX DX DI     calls 32-bit code; answers EAX, EBX, ECX, EDX, 8 digits each
;   r ADDRESS COUNT              that many bytes of memory
;   w ADDRESS COUNT BYTES        stores them
;   i PORT, j PORT               a byte, a word
;   o PORT VALUE, p PORT VALUE   the same as output
;   q                            ends
;
; Each answer is a line, too; the first one says that the guest is ready.

%include "lib/image.asm"
%include "lib/test.asm"
%include "lib/real.asm"
%include "lib/int10.asm"

section .strings
NAME:   db      "int10", 0

REGISTERS       equ ARGUMENTS                   ; in the order of the command

section .text
test_main:
        call    video_start
.ready: print_string `ready\n`                 ; what came before that may be lost
.commands:
        call    get_char
        mov     esi, commands
.find:  cmp     byte [esi], 0
        je      .commands
        cmp     al, [esi]
        je      .found
        add     esi, 5
        jmp     .find
.found: call    [esi + 1]
        print_string `\n`
        jmp     .commands

commands:
%macro COMMAND 2
        db      %1
        dd      %2
%endmacro
        COMMAND 'c', call_int10
        COMMAND 'f', call_code32
        COMMAND 'r', read_memory
        COMMAND 'w', write_memory
        COMMAND 'i', read_port
        COMMAND 'j', read_port16
        COMMAND 'o', write_port
        COMMAND 'p', write_port16
        COMMAND 'q', test_end
        db      0

; -- Numbers --------------------------------------------------------------------------------------------

; AL = the next character.
get_char:
        push    edx
        mov     dx, 0x3f8 + 5
.wait:  in      al, dx
        test    al, 1
        jz      .wait
        mov     dx, 0x3f8
        in      al, dx
        pop     edx
        ret

; CL = digits: EAX = number.
get_number:
        push    ebx
        push    ecx
        xor     ebx, ebx
.digit: call    get_char
        cmp     al, '0'
        jb      .digit
        sub     al, '0'
        cmp     al, 9
        jbe     .add
        sub     al, 'a' - '0' - 10
.add:   shl     ebx, 4
        movzx   eax, al
        or      ebx, eax
        dec     cl
        jnz     .digit
        mov     eax, ebx
        pop     ecx
        pop     ebx
        ret

put_byte:
        mov     cl, 2
        jmp     print_hex_digits
put_word:
        mov     cl, 4
        jmp     print_hex_digits

; -- Commands -------------------------------------------------------------------------------------------

call_int10:
        mov     edi, REGISTERS
        mov     ebx, 7
        call    get_numbers
        mov     cl, 4
        call    get_number
        stosd
        RUN_REAL code16, code16_end
        mov     esi, REGISTERS
        mov     ebx, 7
        call    put_numbers
        lodsd
        call    put_word
        lodsd
        jmp     print_hex

; EBX doublewords to EDI, which moves on.
get_numbers:
        mov     cl, 8
        call    get_number
        stosd
        dec     ebx
        jnz     get_numbers
        ret

; EBX doublewords from ESI on.
put_numbers:
        lodsd
        call    print_hex
        dec     ebx
        jnz     put_numbers
        ret

; The arguments and what comes back are at REGISTERS.
call_code32:
        mov     edi, REGISTERS
        mov     ebx, 6
        call    get_numbers
        mov     eax, [REGISTERS + 4]
        mov     ebx, [REGISTERS + 8]
        mov     ecx, [REGISTERS + 12]
        mov     edx, [REGISTERS + 16]
        mov     edi, [REGISTERS + 20]
        call    [REGISTERS]
        mov     [REGISTERS], eax
        mov     [REGISTERS + 4], ebx
        mov     [REGISTERS + 8], ecx
        mov     [REGISTERS + 12], edx
        mov     esi, REGISTERS
        mov     ebx, 4
        jmp     put_numbers

read_memory:
        mov     cl, 8
        call    get_number
        mov     esi, eax
        call    get_number
        mov     edx, eax
.next:  test    edx, edx
        jz      .end
        lodsb
        push    edx
        call    put_byte
        pop     edx
        dec     edx
        jmp     .next
.end:   ret

write_memory:
        mov     cl, 8
        call    get_number
        mov     edi, eax
        call    get_number
        mov     edx, eax
        mov     cl, 2
.next:  test    edx, edx
        jz      .end
        call    get_number
        stosb
        dec     edx
        jmp     .next
.end:   ret

get_port:
        mov     cl, 4
        call    get_number
        mov     edx, eax
        ret

read_port:
        call    get_port
        in      al, dx
        jmp     put_byte

read_port16:
        call    get_port
        in      ax, dx
        jmp     put_word

write_port:
        call    get_port
        mov     cl, 2
        call    get_number
        out     dx, al
        ret

write_port16:
        call    get_port
        mov     cl, 4
        call    get_number
        out     dx, ax
        ret

; -- Real mode ------------------------------------------------------------------------------------------

        bits    16
code16:
        mov     sp, STACK
        mov     eax, [REGISTERS]
        mov     ebx, [REGISTERS + 4]
        mov     ecx, [REGISTERS + 8]
        mov     edx, [REGISTERS + 12]
        mov     esi, [REGISTERS + 16]
        mov     edi, [REGISTERS + 20]
        mov     ebp, [REGISTERS + 24]
        mov     es, [REGISTERS + 28]
        push    word 0x1234
        pop     ds
        push    word 0x2345
        pop     fs
        push    word 0x3456
        pop     gs
        std                                     ; the BIOS must not rely on it
        int     0x10
        pushf
        cld
        push    ds
        push    word 0
        pop     ds
        mov     [REGISTERS], eax
        mov     [REGISTERS + 4], ebx
        mov     [REGISTERS + 8], ecx
        mov     [REGISTERS + 12], edx
        mov     [REGISTERS + 16], esi
        mov     [REGISTERS + 20], edi
        mov     [REGISTERS + 24], ebp
        mov     [REGISTERS + 28], es
        pop     ax
        xor     ax, 0x1234
        mov     bx, fs
        xor     bx, 0x2345
        or      ax, bx
        mov     bx, gs
        xor     bx, 0x3456
        or      ax, bx
        pop     bx
        and     bx, 0x0400                      ; the direction flag comes back as it was
        xor     bx, 0x0400
        or      ax, bx
        sub     sp, STACK
        or      ax, sp
        movzx   eax, ax
        mov     [REGISTERS + 32], eax
        jmp     0:REAL_BACK
code16_end:
        bits    32

IMAGE_END
