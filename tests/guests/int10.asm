; SPDX-License-Identifier: MIT
;
; Calls INT 10h, and reaches memory and ports, for a driver at the other end of COM1 (int10.py). Where no
; firmware has started the display adapter's BIOS, this does what firmware would. Commands are lines of
; hexadecimal numbers without blanks:
;
;   c AX BX CX DX SI DI BP ES    INT 10h; answers these eight registers, 8 digits each (ES: 4), and the
;                                sum of those that must not change: zero if they have not
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

section .strings
NAME:   db      "int10", 0

PCI_ADDRESS     equ 0xcf8
PCI_DATA        equ 0xcfc
VGA_FUNCTION    equ 0x80001000                  ; 0:2.0
ROM_BAR         equ 0x30
ROM_AT          equ 0xe0000000
ROM_SEG         equ 0xc000
CR4_PSE         equ 1 << 4
PDE_LARGE       equ 1 << 7
REGISTERS       equ 0x600                       ; of the call, in real mode
STACK           equ 0x7000

section .text
test_main:
        mov     eax, cr4                        ; all addresses are mapped
        or      eax, CR4_PSE
        mov     cr4, eax
        mov     edi, page_directory
        mov     eax, PDE_LARGE | PTE_P | PTE_W
        mov     ecx, 1024
.page:  stosd
        add     eax, 1 << 22
        loop    .page
        mov     eax, cr3
        mov     cr3, eax
        mov     esi, code16
        mov     edi, REAL_CODE
        mov     ecx, code16_end - code16
        rep movsb
        cmp     word [ROM_SEG << 4], 0xaa55
        je      .ready
        call    copy_rom
        mov     byte [REGISTERS], 1             ; init
        call    enter_real
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
        COMMAND 'r', read_memory
        COMMAND 'w', write_memory
        COMMAND 'i', read_port
        COMMAND 'j', read_port16
        COMMAND 'o', write_port
        COMMAND 'p', write_port16
        COMMAND 'q', test_end
        db      0

; What the firmware's scan for option ROMs does with a PCI function.
copy_rom:
        mov     eax, VGA_FUNCTION | ROM_BAR
        mov     edx, PCI_ADDRESS
        out     dx, eax
        mov     edx, PCI_DATA
        mov     eax, ROM_AT | 1
        out     dx, eax
        mov     eax, VGA_FUNCTION | 4
        mov     edx, PCI_ADDRESS
        out     dx, eax
        mov     edx, PCI_DATA
        in      eax, dx
        or      al, 3
        out     dx, eax
        mov     esi, ROM_AT
        mov     edi, ROM_SEG << 4
        mov     ecx, 0x10000 / 4
        rep movsd
        mov     eax, VGA_FUNCTION | ROM_BAR
        mov     edx, PCI_ADDRESS
        out     dx, eax
        mov     edx, PCI_DATA
        xor     eax, eax
        out     dx, eax
        ret

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

; Memory at REGISTERS: what is to be done, then the registers in the order of the command.
call_int10:
        mov     edi, REGISTERS + 4
        mov     ebx, 7
        mov     cl, 8
.number:
        call    get_number
        stosd
        dec     ebx
        jnz     .number
        mov     cl, 4
        call    get_number
        stosd
        mov     byte [REGISTERS], 0
        call    enter_real
        mov     esi, REGISTERS + 4
        mov     ebx, 7
.answer:
        lodsd
        call    print_hex
        dec     ebx
        jnz     .answer
        lodsd
        call    put_word
        lodsd
        jmp     print_hex

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
        cmp     byte [REGISTERS], 0
        jne     .init
        mov     eax, [REGISTERS + 4]
        mov     ebx, [REGISTERS + 8]
        mov     ecx, [REGISTERS + 12]
        mov     edx, [REGISTERS + 16]
        mov     esi, [REGISTERS + 20]
        mov     edi, [REGISTERS + 24]
        mov     ebp, [REGISTERS + 28]
        mov     es, [REGISTERS + 32]
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
        mov     [REGISTERS + 4], eax
        mov     [REGISTERS + 8], ebx
        mov     [REGISTERS + 12], ecx
        mov     [REGISTERS + 16], edx
        mov     [REGISTERS + 20], esi
        mov     [REGISTERS + 24], edi
        mov     [REGISTERS + 28], ebp
        mov     [REGISTERS + 32], es
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
        mov     [REGISTERS + 36], eax
        jmp     0:REAL_BACK
.init:  mov     ax, 0x10                        ; bus 0, device 2, function 0
        call    ROM_SEG:3
        xor     ax, ax
        mov     ds, ax
        jmp     0:REAL_BACK
code16_end:
        bits    32

IMAGE_END
