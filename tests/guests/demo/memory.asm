; SPDX-License-Identifier: MIT
;
; Commands about memory: the boot loader's map, and page faults on request.

MMAP_SIZE       equ 0                           ; offsets in an entry; the size does not count itself
MMAP_BASE       equ 4
MMAP_LENGTH     equ 12
MMAP_TYPE       equ 20

section .text
command_mem:
        pushad
        mov     ebx, [boot_info]
        test    dword [ebx], MULTIBOOT_HAS_MMAP
        jz      .demand
        mov     edi, [ebx + MULTIBOOT_MMAP]
        mov     ecx, [ebx + MULTIBOOT_MMAP_LENGTH]
        add     ecx, edi
.entry:
        cmp     edi, ecx
        jae     .demand
        mov     eax, [edi + MMAP_BASE]
        mov     edx, [edi + MMAP_BASE + 4]
        call    .print_64
        mov     al, '-'
        call    putc
        mov     eax, [edi + MMAP_BASE]
        mov     edx, [edi + MMAP_BASE + 4]
        add     eax, [edi + MMAP_LENGTH]
        adc     edx, [edi + MMAP_LENGTH + 4]
        sub     eax, 1
        sbb     edx, 0
        call    .print_64
        mov     eax, [edi + MMAP_TYPE]
        cmp     eax, 6
        jb      .known
        xor     eax, eax
.known:
        mov     esi, [.types + eax * 4]
        call    print
        mov     eax, [edi + MMAP_SIZE]
        lea     edi, [edi + eax + 4]
        jmp     .entry
.demand:
        mov     eax, [demand_faults]
        call    print_decimal
        print_string ` pages mapped on demand since boot, `
        mov     eax, [demand_used]
        call    print_decimal
        print_string ` now\n`
        popad
        ret
.print_64:                                      ; EDX:EAX
        push    eax
        mov     eax, edx
        call    print_hex
        pop     eax
        jmp     print_hex
section .data
.types: dd      .other, .ram, .other, .acpi, .nvs, .bad
.other: db      ` reserved\n`, 0
.ram:   db      ` RAM\n`, 0
.acpi:  db      ` ACPI tables\n`, 0
.nvs:   db      ` ACPI, to be kept\n`, 0
.bad:   db      ` faulty\n`, 0
section .text

; A fault that gets a page, and one that nothing can be done about but to report it.
command_fault:
        pushad
        cmp     dword [demand_used], DEMAND_PAGES
        jb      .touch
        call    demand_clear
.touch:
        mov     ebx, [demand_used]
        shl     ebx, 12
        add     ebx, DEMAND_BASE + 0x123
        inc     byte [ebx]
        print_string `a page appeared at `
        mov     eax, [demand_last]
        call    print_hex
        print_string `\nnothing will appear at `
        mov     ebx, 0xdeadbeef
        mov     eax, ebx
        call    print_hex
        mov     eax, SYS_CATCH
        push    ebx
        mov     ebx, .caught
        int     VECTOR_SYSCALL
        pop     ebx
        mov     byte [ebx], 0
.caught:
        mov     eax, SYS_CAUGHT
        int     VECTOR_SYSCALL
        print_string `: exception `
        call    print_decimal
        print_string `, error code `
        mov     eax, ecx
        call    print_decimal
        print_string `, CR2 `
        mov     eax, edx
        call    print_hex
        print_string `, EIP `
        mov     eax, ebx
        call    print_hex
        call    print_newline
        popad
        ret
