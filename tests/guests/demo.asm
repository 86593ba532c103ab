; SPDX-License-Identifier: MIT
;
; The demo guest: a small operating system for the 486 and its successors that uses most of what a
; PC has, in few lines. It is built into the emulator, and boots when nothing else is given.
;
; Reading order: this file; demo/descriptors.asm (GDT, IDT, TSS), demo/interrupts.asm (the way in
; and out of the kernel), demo/paging.asm, demo/timer.asm, demo/tasks.asm (what runs when, and the
; tasks), demo/syscalls.asm and demo/user.asm (ring 3), demo/fpu.asm (lazy switching), demo/console.asm
; (COM1 and the screen), demo/keyboard.asm, demo/shell.asm (the command line) with its commands in
; demo/clock.asm, demo/memory.asm and demo/processor.asm, and demo/selftest.asm.
;
; Words on the kernel command line: "selftest" checks everything, prints a line per check and powers
; off; with "exit" it ends through isa-debug-exit instead (status 33: passed, 35: failed).
;
; Functions keep all registers but those that they return results in.

%include "lib/image.asm"
%include "lib/print.asm"
%include "lib/power.asm"

section .text
entry:
        cli
        cld
        mov     esp, boot_stack_top
        ; Not every loader clears what lies behind the file.
        mov     edi, bss_start
        mov     ecx, image_end
        sub     ecx, edi
        mov     ebp, eax
        xor     eax, eax
        rep stosb
        mov     [boot_info], ebx
        call    console_start
        cmp     ebp, MULTIBOOT_LOADED
        je      .loaded
        print_string `demo: not started by a Multiboot loader\n`
        jmp     power_off
.loaded:
        call    descriptors_start
        call    paging_start
        call    processor_start
        call    interrupts_start
        call    timer_start
        call    keyboard_start
        call    command_line_read
        print_string `\nCalque demo guest: protected mode, paging, interrupts, `
        mov     eax, TASK_COUNT
        call    print_decimal
        print_string ` tasks.\n`
        jmp     tasks_start                     ; enables interrupts; this stack is then forgotten

; Keeps a copy of the loader's command line, cut if need be, and notes the words we know.
command_line_read:
        pushad
        mov     ebx, [boot_info]
        test    dword [ebx], MULTIBOOT_HAS_CMDLINE
        jz      .end
        mov     esi, [ebx + MULTIBOOT_CMDLINE]
        mov     edi, command_line
        mov     ecx, COMMAND_LINE_MAX
.copy:
        lodsb
        stosb
        test    al, al
        loopnz  .copy
        mov     esi, command_line
        mov     edi, .selftest
        call    text_contains
        setc    [want_selftest]
        mov     edi, .exit
        call    text_contains
        setc    [want_debug_exit]
.end:
        popad
        ret
section .data
.selftest:
        db      "selftest", 0
.exit:  db      "exit", 0
section .text

; Carry: the text at ESI contains the text at EDI.
text_contains:
        pushad
.at:
        xor     ecx, ecx
.compare:
        mov     al, [edi + ecx]
        test    al, al
        jz      .found
        cmp     al, [esi + ecx]
        jne     .differ
        inc     ecx
        jmp     .compare
.differ:
        cmp     byte [esi], 0
        je      .end                            ; carry is clear
        inc     esi
        jmp     .at
.found:
        stc
.end:
        popad
        ret

COMMAND_LINE_MAX equ 255

section .bss
bss_start:
boot_info:              resd 1
command_line:           resb COMMAND_LINE_MAX + 1       ; stays terminated
want_selftest:          resb 1
want_debug_exit:        resb 1
        alignb  16
        resb    4096
boot_stack_top:

%include "demo/descriptors.asm"
%include "demo/interrupts.asm"
%include "demo/paging.asm"
%include "demo/timer.asm"
%include "demo/fpu.asm"
%include "demo/tasks.asm"
%include "demo/syscalls.asm"
%include "demo/user.asm"
%include "demo/console.asm"
%include "demo/keyboard.asm"
%include "demo/shell.asm"
%include "demo/clock.asm"
%include "demo/memory.asm"
%include "demo/processor.asm"
%include "demo/selftest.asm"

IMAGE_END
