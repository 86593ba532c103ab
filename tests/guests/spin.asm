; SPDX-License-Identifier: MIT
;
; Guests that never come to an end by themselves, interrupts off: the emulator must end when it is
; told to. The kernel command line ends with the letter of the way to spin; stop.py knows them.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "spin", 0

EVERYWHERE      equ 0x400000                    ; from here on all addresses mean one page
LOW_CODE        equ 0x8000                      ; for 16-bit code

section .data
ways:
        dd      "j", spin_jump
        dd      "w", spin_walk
        dd      "l", spin_loop
        dd      "c", spin_call
        dd      "i", spin_indirect
        dd      "r", spin_return
        dd      "s", spin_strings
        dd      "o", spin_outs
        dd      "b", spin_backwards
        dd      "m", spin_modify
        dd      "u", spin_undefined
        dd      "p", spin_page_fault
        dd      "t", spin_single_step
        dd      "d", spin_device
        dd      "3", spin_ring3
        dd      "x", spin_code16
        dd      "h", spin_halt
        dd      0

section .bss
        alignb  PAGE_SIZE
page:   resb    PAGE_SIZE
table:  resb    PAGE_SIZE

section .text
test_main:
        mov     esi, [ebx + MULTIBOOT_CMDLINE]
.letter:
        lodsb
        test    al, al
        jnz     .letter
        movzx   eax, byte [esi - 2]
        mov     ebx, ways
.next:
        cmp     dword [ebx], 0
        je      test_end
        cmp     [ebx], eax
        je      .found
        add     ebx, 8
        jmp     .next
.found:
        print_string `spin: begins\n`
        call    [ebx + 4]
        print_string `spin: FAILED to spin\n`
        jmp     test_end

; The page at all addresses but the first 4 MiB.
map_everywhere:
        mov     edi, table
        mov     eax, page + PTE_ALL
        mov     ecx, 1024
        rep stosd
        mov     edi, page_directory + 4
        mov     eax, table + PTE_ALL
        mov     ecx, 1023
        rep stosd
        mov     eax, cr3
        mov     cr3, eax
        ret

spin_jump:
        jmp     spin_jump

; Through all of memory, which is one page of NOPs, without a single jump.
spin_walk:
        mov     edi, page
        mov     ecx, PAGE_SIZE
        mov     al, 0x90
        rep stosb
        call    map_everywhere
        mov     dword [page_directory], table + PTE_ALL
        mov     eax, cr3
        mov     cr3, eax
        times   16 nop                          ; from here on the page has it all

spin_loop:
        xor     ecx, ecx
.again: loop    .again
        jmp     spin_loop

; The stack is one page, again and again.
spin_call:
        call    map_everywhere
        mov     esp, 0xfffff000
.again: call    .there
.there: call    .again                          ; never to return

spin_indirect:
        mov     eax, .again
.again: jmp     eax

spin_return:
        push    dword spin_return
        ret

spin_strings:
        call    map_everywhere
.again:
        mov     edi, EVERYWHERE
        mov     ecx, 0x3f000000
        rep stosd
        mov     esi, EVERYWHERE
        mov     ecx, 0x3f000000
        rep lodsd
        mov     esi, EVERYWHERE
        mov     edi, EVERYWHERE + 0x123
        mov     ecx, 0xfc000000
        rep movsb
        mov     edi, EVERYWHERE
        mov     ecx, 0xfc000000
        mov     al, 0x77
        repne scasb
        jmp     .again

; Few elements often, until it has been translated, then many.
spin_outs:
        call    map_everywhere
        mov     edx, 0x80
        mov     ebx, 100
.again:
        mov     ecx, 2
        dec     ebx
        jns     .few
        mov     ecx, 0xf0000000
.few:   mov     esi, EVERYWHERE
        rep outsb
        jmp     .again

spin_backwards:
        call    map_everywhere
        std
        mov     ebx, 100
.again:
        mov     ecx, 2
        dec     ebx
        jns     .few
        mov     ecx, 0xf0000000
.few:   mov     esi, 0xfffffff0
        mov     edi, 0xffffff00
        rep movsb
        jmp     .again

spin_modify:
        inc     dword [.number + 1]
.number:
        mov     eax, 0
        jmp     spin_modify

; The handler returns to the instruction.
spin_undefined:
        GATE    idt + VEC_UD * 8, KERNEL_CODE, go_back, 0x8e, 0
        ud2

spin_page_fault:
        GATE    idt + VEC_PF * 8, KERNEL_CODE, go_back_with_error, 0x8e, 0
.again: mov     eax, [EVERYWHERE]
        jmp     .again

go_back_with_error:
        add     esp, 4
go_back:
        iretd

spin_single_step:
        GATE    idt + VEC_DB * 8, KERNEL_CODE, go_back, 0x8e, 0
        pushfd
        or      dword [esp], 0x100
        popfd
.again: jmp     .again

spin_device:
        in      al, 0x64
        jmp     spin_device

spin_ring3:
        call    enter_ring3
.again: inc     eax
        jmp     .again

spin_code16:
        mov     word [LOW_CODE], 0xfeeb         ; jmp $
        jmp     CODE16:LOW_CODE

spin_halt:
        hlt
        jmp     spin_halt

IMAGE_END
