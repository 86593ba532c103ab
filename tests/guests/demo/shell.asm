; SPDX-License-Identifier: MIT
;
; The task that talks to the user: reads a line, finds the command in a table, calls it.

LINE_MAX        equ 60

section .bss
line:   resb    LINE_MAX + 1

section .data
; Text, function, text of help; the texts' order does not matter.
%macro COMMAND 3
        dd      %%name, %2, %%help
    [section .strings]
    %%name: db  %1, 0
    %%help: db  %3, 0
    __?SECT?__
%endmacro

commands:
        COMMAND "help", command_help, "this list"
        COMMAND "tasks", command_tasks, "who runs, and how much"
        COMMAND "time", command_time, "date and time by the clock chip, and time since boot"
        COMMAND "mem", command_mem, "memory by the boot loader's map; pages mapped on demand"
        COMMAND "fault", command_fault, "cause page faults"
        COMMAND "cpu", command_cpu, "what CPUID says"
        COMMAND "irq", command_irq, "interrupts so far"
        COMMAND "test", command_test, "check everything"
        COMMAND "crash", triple_fault, "triple fault, which resets the machine"
        COMMAND "reboot", command_reboot, "reset by the keyboard controller"
        COMMAND "poweroff", power_off, "power off by ACPI"
        dd      0

section .text
shell:
        cmp     byte [want_selftest], 0
        jne     selftest
        mov     ecx, 10                         ; let the others say hello first
        call    sleep
        print_string `Type "help" for a list of commands.\n`
.prompt:
        print_string `calque> `
        call    read_line
        mov     esi, line
        cmp     byte [esi], 0
        je      .prompt
        mov     ebx, commands
.look:
        mov     edi, [ebx]
        test    edi, edi
        jz      .unknown
        mov     esi, line
        call    text_equal
        je      .found
        add     ebx, 12
        jmp     .look
.found:
        call    [ebx + 4]
        jmp     .prompt
.unknown:
        mov     esi, line
        call    print
        print_string `: unknown; try "help"\n`
        jmp     .prompt

; Zero flag: the texts at ESI and EDI are the same.
text_equal:
        push    eax
        push    esi
        push    edi
.next:
        lodsb
        scasb
        jne     .end
        test    al, al
        jnz     .next
.end:
        pop     edi
        pop     esi
        pop     eax
        ret

; A line of small letters and so on into `line`, with echo and backspace.
read_line:
        pushad
        mov     edi, line
.next:
        call    getc
        cmp     al, `\r`
        je      .end
        cmp     al, `\n`
        je      .end
        cmp     al, `\b`
        je      .back
        cmp     al, 0x7f
        je      .back
        cmp     al, ' '
        jb      .next
        cmp     edi, line + LINE_MAX
        jae     .next
        call    putc
        stosb
        jmp     .next
.back:
        cmp     edi, line
        je      .next
        dec     edi
        print_string `\b \b`
        jmp     .next
.end:
        mov     byte [edi], 0
        call    print_newline
        popad
        ret

command_help:
        pushad
        mov     ebx, commands
.next:
        mov     esi, [ebx]
        test    esi, esi
        jz      .end
        call    print
.pad:                                           ; to a column
        cmp     byte [esi], 0
        je      .padded
        inc     esi
        jmp     .pad
.padded:
        mov     ecx, [ebx]
        add     ecx, 10
        sub     ecx, esi
.blank:
        mov     al, ' '
        call    putc
        loop    .blank
        mov     esi, [ebx + 8]
        call    print
        call    print_newline
        add     ebx, 12
        jmp     .next
.end:
        popad
        ret

command_tasks:
        pushad
        print_string `name    ring    slices  progress\n`
        mov     ebx, tasks
.next:
        lea     esi, [ebx + task.name]
        call    print
        xor     ecx, ecx
.length:
        inc     ecx
        cmp     byte [esi + ecx], 0
        jne     .length
        neg     ecx
        add     ecx, 12                         ; up to the end of "ring"
        mov     eax, [ebx + task.ring]
        call    print_decimal_width
        mov     ecx, 10
        mov     eax, [ebx + task.slices]
        call    print_decimal_width
        mov     eax, [ebx + task.progress]
        call    print_decimal_width
        call    print_newline
        add     ebx, task_size
        cmp     ebx, tasks_end
        jb      .next
        print_string `floating-point state switched `
        mov     eax, [fpu_switches]
        call    print_decimal
        print_string ` times, errors `
        mov     eax, [fpu_errors]
        call    print_decimal
        call    print_newline
        popad
        ret

command_irq:
        pushad
        xor     ebx, ebx
.next:
        mov     eax, [irq_count + ebx * 4]
        test    eax, eax
        jz      .skip
        push    eax
        print_string `IRQ `
        mov     eax, ebx
        mov     ecx, 2
        call    print_decimal_width
        pop     eax
        mov     ecx, 10
        call    print_decimal_width
        call    print_newline
.skip:
        inc     ebx
        cmp     ebx, 16
        jb      .next
        popad
        ret

command_reboot:
        call    reset_by_keyboard
        jmp     triple_fault
