; SPDX-License-Identifier: MIT
;
; The frame of guests that do their worst for ever; tests/guests/hostile.py looks at them meanwhile.
; The kernel command line ends with the word for what to do. A guest includes this file first, lists
; its words with WAY between `ways:` and WAYS_END, and defines NAME.

%include "lib/image.asm"
%include "lib/test.asm"

ROUNDS          equ 0x6f0                       ; counts what was done, for who looks from outside
RAM_END         equ 32 << 20                    ; as the guest is started
CR4_PSE         equ 1 << 4
PAGE_LARGE      equ 1 << 7

; Where PCI functions' memory is put; the display adapter's are as the board has them otherwise.
VGA             equ 0x80001000                  ; 0:2.0
IDE             equ 0x80000900                  ; 0:1.1
E1000           equ 0x80001800                  ; 0:3.0
RTL8139         equ 0x80002000                  ; 0:4.0
NE2000          equ 0x80002800                  ; 0:5.0
FRAME_BUFFER    equ 0xe0000000
VGA_REGISTERS   equ 0xe1000000
E1000_REGISTERS equ 0xe2000000
RTL_REGISTERS   equ 0xe3000000
IDE_PORTS       equ 0xc000
E1000_PORTS     equ 0xc100
RTL_PORTS       equ 0xc200
NE2000_PORTS    equ 0xc300
IO_APIC         equ 0xfec00000
HPET            equ 0xfed00000
LOCAL_APIC      equ 0xfee00000

; "word", label
%macro WAY 2
    [section .strings]
    %%word: db  %1, 0
    [section .data]
        dd      %%word, %2
%endmacro

%macro WAYS_END 0
        dd      0
%endmacro

%macro ROUND 0
        inc     dword [abs ROUNDS]
%endmacro

; An instruction that may fault or not; ESP is the same afterwards.
%macro TRY 1+
        CATCH   %%after
        %1
%%after:
        mov     esp, [resume_esp]
%endmacro

; Configuration address, value.
%macro PCI_WRITE 2
        mov     eax, %1
        mov     ecx, %2
        call    pci_write
%endmacro

section .bss
        alignb  4
seed:   resd 1
back:   resd 1

section .text
test_main:
        mov     esi, [ebx + MULTIBOOT_CMDLINE]
        mov     edx, esi
.letter:
        lodsb
        cmp     al, ' '
        cmove   edx, esi                        ; behind the last blank
        test    al, al
        jnz     .letter
        mov     ebx, ways
.next:
        mov     edi, [ebx]
        test    edi, edi
        jz      .unknown
        mov     esi, edx
.compare:
        lodsb
        cmp     al, [edi]
        jne     .other
        inc     edi
        test    al, al
        jnz     .compare
        call    map_all
        mov     eax, cr4
        or      eax, CR4_OSFXSR
        mov     cr4, eax
        mov     esi, NAME
        call    print
        print_string `: begins\n`
        call    [ebx + 4]
        mov     esi, NAME
        call    print
        print_string `: FAILED to go on\n`
        jmp     test_end
.other:
        add     ebx, 8
        jmp     .next
.unknown:
        mov     esi, NAME
        call    print
        print_string `: FAILED to know the word\n`
        jmp     test_end

; All addresses to themselves.
map_all:
        pushad
        mov     eax, cr4
        or      eax, CR4_PSE
        mov     cr4, eax
        mov     edi, page_directory
        mov     eax, PAGE_LARGE | PTE_ALL
        mov     ecx, 1024
.page:  stosd
        add     eax, 1 << 22
        loop    .page
        mov     eax, cr3
        mov     cr3, eax
        popad
        ret

; -> EAX.
random:
        mov     eax, [seed]
        imul    eax, eax, 1664525
        add     eax, 1013904223
        mov     [seed], eax
        push    edx
        mov     edx, eax
        shr     edx, 15
        xor     eax, edx
        pop     edx
        ret

; PCI functions get their ports and memory, as above.
place_pci:
        pushad
        mov     esi, .table
.next:
        lodsd
        test    eax, eax
        jz      .end
        mov     ebx, eax
        lodsd
        mov     ecx, eax
        mov     eax, ebx
        call    pci_write
        jmp     .next
.end:
        popad
        ret
section .data
.table: dd      VGA + 0x10, FRAME_BUFFER, VGA + 0x18, VGA_REGISTERS, VGA + 4, 7
        dd      IDE + 0x20, IDE_PORTS, IDE + 4, 7
        dd      E1000 + 0x10, E1000_REGISTERS, E1000 + 0x14, E1000_PORTS, E1000 + 4, 7
        dd      RTL8139 + 0x10, RTL_PORTS, RTL8139 + 0x14, RTL_REGISTERS, RTL8139 + 4, 7
        dd      NE2000 + 0x10, NE2000_PORTS, NE2000 + 4, 7
        dd      0
section .text

; -> EBX = an address with something special about it: a device's, an end of memory, a hole.
special_address:
        push    edx
        call    random
        mov     edx, eax
        and     edx, 15
        call    random
        and     eax, [.table + edx * 8 + 4]
        add     eax, [.table + edx * 8]
        mov     ebx, eax
        pop     edx
        ret
section .data
.table: dd      0xa0000, 0x1ffff, 0xbfff0, 0x1f, 0xc0000, 0x3ffff, RAM_END - 16, 0x1f
        dd      RAM_END, 0xffffff, 0x80000000, 0xffffff, FRAME_BUFFER, 0xffffff
        dd      FRAME_BUFFER + 0xfffff0, 0x1f, VGA_REGISTERS, 0xfff, E1000_REGISTERS, 0x1ffff
        dd      RTL_REGISTERS, 0xff, IO_APIC, 0xff, HPET, 0x3ff, LOCAL_APIC, 0xfff
        dd      LOCAL_APIC - 16, 0x1f, 0xfffffff0, 0x0f
section .text

; What takes too long goes on at EAX, in ring 0 with the first stack: NMIs come from the timer, by way
; of the I/O APIC's input 2. start_watch is for 64-bit code, too.
watch:
        mov     [back], eax
        GATE    idt + 2 * 8, KERNEL_CODE, watch_nmi, 0x8e, 0
start_watch:
        mov     ebx, LOCAL_APIC
        mov     dword [ebx + 0xf0], 0x17f
        mov     ebx, IO_APIC
        mov     dword [ebx], 0x14
        mov     dword [ebx + 0x10], 0x400
        mov     al, 0x34
        out     0x43, al
        mov     al, 0
        out     0x40, al
        mov     al, 8
        out     0x40, al
        ret
watch_nmi:
        mov     esp, stack_top
        push    dword EFLAGS_1
        push    dword KERNEL_CODE
        push    dword [back]
        iretd
