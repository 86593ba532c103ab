; SPDX-License-Identifier: MIT
;
; Hostile guests of the processor's 32-bit modes (see lib/hostile.asm).

%include "lib/hostile.asm"

section .strings
NAME:   db      "hostile", 0

section .data
ways:
        WAY     "mmio", touch_everything
        WAY     "execute", execute_everything
        WAY     "wrap", wrap_around
        WAY     "nowhere", idt_nowhere
        WAY     "triple", triple_fault
        WAY     "reset-keyboard", reset_keyboard
        WAY     "reset-92", reset_92
        WAY     "reset-cf9", reset_cf9
        WAY     "alignment", alignment_loop
        WAY     "missing-handler", missing_handler
        WAY     "tasks", task_loop
        WAY     "nested-tasks", nested_tasks
        WAY     "tables-in-video", tables_in_video
        WAY     "page-tables-anywhere", page_tables_anywhere
        WAY     "page-tables-of-themselves", page_tables_of_themselves
        WAY     "hot-spot", hot_spot
        WAY     "hot-page", hot_page
        WAY     "aliases", aliases
        WAY     "blocks", blocks
        WAY     "timers", timers
        WAY     "no-eoi", no_eoi
        WAY     "nmi", nmi_storm
        WAY     "deep-stack", deep_stack
        WAY     "msr", msr_storm
        WAY     "apic-base", apic_base
        WAY     "a20", a20_storm
        WAY     "control", control_storm
        WAY     "modes", mode_storm
        WAY     "chaos", chaos
        WAYS_END

; -- Addresses -------------------------------------------------------------------------------------------

section .bss
        alignb  16
address:        resd 1
source:         resd 1
kind:           resd 1
        alignb  16
image:          resb 512
section .text

; All kinds of accesses to all kinds of addresses.
touch_everything:
        call    place_pci
        mov     eax, .again
        call    watch
.again:
        mov     esp, stack_top
        call    special_address
        mov     [address], ebx
        call    special_address
        mov     [source], ebx
        call    random
        xor     edx, edx
        mov     ecx, (accesses.end - accesses) / 4
        div     ecx
        mov     eax, [accesses + edx * 4]
        mov     ebx, [address]
        mov     esi, [source]
        mov     edi, ebx
        mov     ecx, 5
        TRY     call eax
        cld
        ROUND
        jmp     .again

section .data
accesses:
        dd      .load8, .load16, .load32, .store8, .store16, .store32, .xchg, .add, .cmpxchg8b
        dd      .movups, .storeups, .fxsave, .fxrstor, .fnsave, .frstor, .fstp, .push, .pusha, .pop
        dd      .popa, .call, .movs, .movs_down, .stos, .lods, .cmps, .ins, .outs, .bts, .enter, .iret
        dd      .lfs, .sgdt, .int, .xlat, .bound, .leave, .maskmov, .jump, .monitor, .invlpg, .xsave
.end:
section .text
accesses.load8:         mov     al, [ebx]
                        ret
accesses.load16:        mov     ax, [ebx]
                        ret
accesses.load32:        mov     eax, [ebx]
                        ret
accesses.store8:        mov     [ebx], al
                        ret
accesses.store16:       mov     [ebx], ax
                        ret
accesses.store32:       mov     [ebx], edx
                        ret
accesses.xchg:          xchg    [ebx], eax
                        ret
accesses.add:           lock add [ebx], eax
                        ret
accesses.cmpxchg8b:     lock cmpxchg8b [ebx]
                        ret
accesses.movups:        movups  xmm0, [ebx]
                        ret
accesses.storeups:      movups  [ebx], xmm0
                        ret
accesses.fxsave:        and     ebx, ~15
                        fxsave  [ebx]
                        ret
accesses.fxrstor:       and     ebx, ~15
                        fxrstor [ebx]
                        ret
accesses.fnsave:        fnsave  [ebx]
                        ret
accesses.frstor:        frstor  [ebx]
                        fninit
                        ret
accesses.fstp:          fld1
                        fstp    tword [ebx]
                        fninit
                        ret
accesses.push:          mov     esp, ebx
                        push    eax
                        push    word [ebx]
                        push    dword [esi]
                        int     VEC_NONE
accesses.pusha:         mov     esp, ebx
                        pushad
                        pushfd
                        int     VEC_NONE
accesses.pop:           mov     esp, ebx
                        pop     dword [esi]
                        int     VEC_NONE
accesses.popa:          mov     esp, ebx
                        popad
                        int     VEC_NONE
accesses.call:          mov     esp, ebx
                        call    .there
.there:                 int     VEC_NONE
accesses.movs:          rep movsd
                        ret
accesses.movs_down:     std
                        rep movsb
                        cld
                        ret
accesses.stos:          rep stosd
                        ret
accesses.lods:          rep lodsd
                        ret
accesses.cmps:          repe cmpsb
                        ret
accesses.ins:           mov     edx, 0x80
                        rep insd
                        ret
accesses.outs:          mov     edx, 0x80
                        rep outsd
                        ret
accesses.bts:           lock bts [ebx], eax
                        ret
accesses.enter:         mov     ebp, esi
                        mov     esp, ebx
                        enter   0x1234, 31
                        int     VEC_NONE
accesses.iret:          mov     esp, ebx
                        iretd
accesses.lfs:           lfs     eax, [ebx]
                        ret
accesses.sgdt:          sgdt    [ebx]
                        sidt    [ebx]
                        ret
accesses.int:           mov     esp, ebx
                        int     VEC_NONE
accesses.xlat:          xlatb
                        ret
accesses.bound:         bound   eax, [ebx]
                        ret
accesses.leave:         mov     ebp, ebx
                        leave
                        int     VEC_NONE
accesses.maskmov:       pcmpeqd xmm1, xmm1
                        maskmovdqu xmm0, xmm1
                        ret
accesses.jump:          jmp     [ebx]
accesses.monitor:       mov     eax, ebx
                        xor     ecx, ecx
                        xor     edx, edx
                        monitor
                        ret
accesses.invlpg:        invlpg  [ebx]
                        clflush [ebx]
                        ret
accesses.xsave:         and     ebx, ~63
                        mov     eax, -1
                        mov     edx, -1
                        cpu     any
                        xsave   [ebx]
                        cpu     x64
                        ret

; Code wherever there is something, or nothing. A stretch of memory that does not end in a fault by
; itself runs into one sooner or later.
execute_everything:
        call    place_pci
        mov     edi, RAM_END - 64               ; up to the end of memory
        mov     ecx, 64
        mov     al, 0x90
        rep stosb
        mov     edi, FRAME_BUFFER + 0xffffc0
        mov     ecx, 64
        rep stosb
        mov     edi, 0xa0000
        mov     ecx, 0x20000
        rep stosb
        mov     eax, .again
        call    watch
.again:
        mov     esp, stack_top
        call    special_address
        mov     [address], ebx
        mov     eax, image
        mov     ecx, eax
        mov     edx, eax
        mov     esi, eax
        mov     edi, eax
        mov     ebp, eax
        TRY     call ebx
        cld
        ROUND
        jmp     .again

; From the last byte of the address space to the first one: instructions, operands, the stack.
wrap_around:
        mov     edi, LOW_TABLE
        mov     eax, PTE_ALL
        mov     ecx, 1024
.page:  stosd
        add     eax, PAGE_SIZE
        loop    .page
        mov     edi, HIGH_TABLE
        mov     eax, HIGH_PAGE + PTE_ALL
        mov     ecx, 1024
        rep stosd
        mov     dword [page_directory], LOW_TABLE + PTE_ALL
        mov     dword [page_directory + 1023 * 4], HIGH_TABLE + PTE_ALL
        mov     eax, cr3
        mov     cr3, eax
        mov     ebp, 15
.again:
        mov     edi, -16
        mov     ecx, 16
        mov     al, 0x90
        rep stosb
        xor     edi, edi                        ; and on at the beginning
        mov     ecx, 16
        rep stosb
        mov     byte [16], 0xc3
        mov     edi, ebp                        ; an instruction that begins before the end
        neg     edi
        mov     dword [edi], 0x00ff8081         ; add dword [eax + ff], ...
        mov     dword [edi + 4], 0x90000000
        mov     dword [edi + 8], 0x90909090
        mov     eax, image
        TRY     call edi
        mov     ebx, edi
        mov     eax, [ebx]
        mov     [ebx], eax
        lock add [ebx], eax
        TRY     movups xmm0, [ebx]
        TRY     movups [ebx], xmm0
        TRY     fnsave [ebx]
        fninit
        mov     ecx, 32
        mov     esi, ebx
        rep lodsb
        mov     [resume_esp], esp
        lea     esp, [ebx + 4]
        push    eax
        push    eax
        pop     eax
        pop     eax
        mov     esp, [resume_esp]
        ROUND
        dec     ebp
        jns     .again
        mov     ebp, 15
        jmp     .again

LOW_TABLE       equ 0x200000
HIGH_TABLE      equ 0x201000
HIGH_PAGE       equ 0x202000

; -- Exceptions and tasks ------------------------------------------------------------------------------------

; The table of handlers is where there is nothing: the machine resets, again and again.
idt_nowhere:
        ROUND
        lidt    [.nowhere]
        sti
        ud2
section .data
.nowhere:
        dw      0xffff
        dd      0x90000000
section .text

reset_keyboard:
        ROUND
        jmp     reset_by_keyboard

reset_92:
        ROUND
        mov     al, 1
        out     0x92, al
        jmp     $

reset_cf9:
        ROUND
        mov     dx, 0xcf9
        mov     al, 2
        out     dx, al
        mov     al, 6
        out     dx, al
        jmp     $

; Ring 3 with a stack that is not aligned, and a handler in ring 3: the exception's own delivery
; raises it, for ever.
alignment_loop:
        GATE    idt + VEC_AC * 8, USER_CODE, .handler, 0xee, 0
        mov     eax, cr0
        or      eax, CR0_AM
        mov     cr0, eax
        mov     dword [ring3_eflags], EFLAGS_1 | EFLAGS_AC
        call    enter_ring3
        sub     esp, 2
.again: mov     eax, [.again + 1]
        jmp     .again
.handler:
        add     esp, 4
        iretd

; The page fault's handler is missing itself; a task of its own comes back from the double fault.
missing_handler:
        GATE    idt + VEC_PF * 8, KERNEL_CODE, 0x70000000, 0x8e, 0
        mov     dword [page_directory + (0x70000000 >> 22) * 4], 0
        mov     eax, cr3
        mov     cr3, eax
        call    other_task
        mov     dword [idt + VEC_DF * 8], SPARE << 16
        mov     dword [idt + VEC_DF * 8 + 4], 0x8500
        mov     dword [other_tss + TSS_EIP], .double_fault
.again: mov     eax, [0x70000000]
        jmp     .again
.double_fault:
        ROUND
        add     esp, 4
        iretd
        jmp     .double_fault

; A second TSS at SPARE, with our segments and a stack of its own.
other_task:
        DESCRIPTOR_AT SPARE, other_tss, TSS_SIZE - 1, 0x89, 0
        mov     edi, other_tss
        mov     eax, cr3
        mov     [edi + TSS_CR3], eax
        mov     dword [edi + TSS_EFLAGS], EFLAGS_1
        mov     dword [edi + TSS_ESP], stack3_top
        mov     dword [edi + TSS_CS], KERNEL_CODE
        mov     dword [edi + TSS_SS], KERNEL_DATA
        mov     dword [edi + TSS_DS], KERNEL_DATA
        mov     dword [edi + TSS_ES], KERNEL_DATA
        mov     dword [edi + TSS_IO_MAP - 2], TSS_SIZE << 16
        ret

section .bss
        alignb  16
other_tss:      resb TSS_SIZE + 24
section .text

; Two tasks that do nothing but to go to each other.
task_loop:
        call    other_task
        mov     dword [other_tss + TSS_EIP], .other
.again: jmp     SPARE:0
        jmp     .again
.other: ROUND
        jmp     TSS_SELECTOR:0
        jmp     .other

; Tasks that call themselves and each other, with links, page directories and stacks that lie.
nested_tasks:
        call    other_task
        mov     dword [other_tss + TSS_EIP], .other
        mov     eax, cr3
        mov     [tss + TSS_CR3], eax
        mov     dword [idt + VEC_TS * 8], SPARE << 16
        mov     dword [idt + VEC_TS * 8 + 4], 0x8500
        mov     dword [idt + VEC_GP * 8], TSS_SELECTOR << 16
        mov     dword [idt + VEC_GP * 8 + 4], 0x8500
.again: call    SPARE:0
        jmp     .again
.other: ROUND
        call    random
        mov     [other_tss + TSS_SS], ax
        call    random
        mov     [tss + TSS_DS], eax
        call    SPARE:0
        or      dword [other_tss + TSS_EFLAGS], EFLAGS_NT
        and     byte [gdt + TSS_SELECTOR + 5], ~2
        call    TSS_SELECTOR:0
        and     byte [gdt + SPARE + 5], ~2
        iretd
        jmp     .other

; Descriptor tables, TSS, stack and code in video memory, where each access is the adapter's.
tables_in_video:
        call    place_pci
        mov     ebp, 0xb8000
        mov     esi, gdt
        mov     edi, ebp
        mov     ecx, gdt_end - gdt
        rep movsb
        mov     esi, idt
        lea     edi, [ebp + 0x1000]
        mov     ecx, VECTORS * 8
        rep movsb
        mov     esi, tss
        lea     edi, [ebp + 0x2000]
        mov     ecx, TSS_SIZE
        rep movsb
        mov     dword [gdt_pointer + 2], 0xb8000
        mov     dword [idt_pointer + 2], 0xb9000
        mov     word [ebp + TSS_SELECTOR + 2], 0xa000
        mov     byte [ebp + TSS_SELECTOR + 4], 0x0b
        mov     byte [ebp + TSS_SELECTOR + 5], 0x89
        lgdt    [gdt_pointer]
        lidt    [idt_pointer]
        mov     eax, TSS_SELECTOR
        ltr     ax
        mov     esp, 0xbc000
        mov     esi, .code
        mov     edi, 0xbd000
        mov     ecx, .end - .code
        rep movsb
        mov     eax, 0xbd000
        jmp     eax
.code:  ROUND
        and     byte [0xb8000 + (USER_DATA & ~7) + 5], ~1
        mov     eax, USER_DATA
        mov     gs, eax
        xor     eax, eax
        CATCH   0xbd000
        ud2
.end:

; -- Page tables ---------------------------------------------------------------------------------------------

PROBED          equ 0x40000000

; Page tables in devices, holes, ROM and at the end of memory: walks read and write them.
page_tables_anywhere:
        call    place_pci
.again:
        call    special_address
        and     ebx, ~0xfff
        or      ebx, PTE_ALL
        mov     [page_directory + (PROBED >> 22) * 4], ebx
        mov     eax, cr3
        mov     cr3, eax
        call    random
        and     eax, 0x3fffff
        lea     ebx, [eax + PROBED]
        TRY     mov al, [ebx]
        TRY     mov [ebx], al
        TRY     call ebx
        mov     ebx, [page_directory + (PROBED >> 22) * 4]
        and     ebx, ~0xfff
        TRY     call .other_directory
        ROUND
        jmp     .again
; A directory there, too; it has our code if it is in memory that can be written. If it has not, there
; is nothing to come back from.
.other_directory:
        cmp     ebx, RAM_END - PAGE_SIZE
        je      .copy
        cmp     ebx, 0xb8000
        jb      .none
        cmp     ebx, 0xbf000
        ja      .none
.copy:  mov     esi, page_directory
        mov     edi, ebx
        mov     ecx, 1024
        rep movsd
        mov     eax, cr3
        mov     cr3, ebx
        mov     ecx, [PROBED]
        mov     cr3, eax
.none:  ret

; The directory is its own page table, and one of the page tables is code and stack as well.
page_tables_of_themselves:
        mov     dword [page_directory + 1023 * 4], page_directory + PTE_ALL
        mov     eax, cr3
        mov     cr3, eax
        mov     ebx, 1023 << 22
        mov     ebp, 0xfffff000                 ; the directory
.again:
        call    random
        and     eax, 0x3ff
        cmp     eax, 4
        jb      .again
        cmp     eax, 1023
        je      .again
        mov     ecx, eax
        call    random
        and     eax, 0xfffff07f                 ; no large pages: tables at random
        and     eax, 0x01ffffff
        mov     [ebp + ecx * 4], eax
        shl     ecx, 22
        invlpg  [ecx]
        TRY     mov al, [ecx]
        shr     ecx, 10
        TRY     mov eax, [ebx + ecx]            ; through the directory: that page table
        TRY     call ebp
        mov     eax, cr3
        mov     cr3, eax
        ROUND
        jmp     .again

; -- Self-modification -----------------------------------------------------------------------------------------

; Each instruction changes one that comes soon; and each of them is the target of a jump.
hot_spot:
        mov     edi, 0x300000
        mov     ecx, 0x100
        mov     al, 0x90
        rep stosb
        mov     edi, 0x300000
.again:
        call    random
        mov     ecx, eax
        and     ecx, 0xff
        mov     byte [edi + ecx], 0x90
        and     eax, 0xff00
        shr     eax, 8
        mov     byte [edi + eax], 0xc3
        mov     byte [edi + 0x100], 0xc3
        lea     ebx, [edi + ecx]
        call    ebx
        mov     dword [edi], 0xc3903088         ; mov [eax], dh; nop; ret
        lea     eax, [edi + 2]                  ; its own next byte
        mov     dh, 0x90
        mov     byte [edi + 3], 0xc3
        call    edi
        ROUND
        jmp     .again

; One page with 4000 tiny blocks, each of which is made anew whenever it has run.
hot_page:
        mov     edi, 0x300000
        mov     ecx, 0x1000
        mov     al, 0x90
        rep stosb
        mov     byte [edi], 0xc3
.again:
        mov     ebp, 0x300000
.next:
        call    ebp
        mov     byte [ebp], 0x90
        inc     ebp
        cmp     ebp, 0x300fff
        jb      .next
        ROUND
        jmp     .again

; The same page at a million addresses, as code; then it changes.
aliases:
        mov     edi, 0x300000                   ; a table that has nothing but the page
        mov     eax, 0x301000 + PTE_ALL
        mov     ecx, 1024
        rep stosd
        mov     edi, page_directory + 16
        mov     eax, 0x300000 + PTE_ALL
        mov     ecx, 1020
        rep stosd
        mov     eax, cr3
        mov     cr3, eax
.again:
        mov     dword [0x301000], 0xc340        ; inc eax; ret
        mov     ebx, 0x1000000
        mov     ecx, 20000
.next:
        call    ebx
        add     ebx, 0x5000
        loop    .next
        ROUND
        jmp     .again

; As many blocks as memory can hold.
blocks:
        mov     edi, 0x400000
.fill:
        mov     ecx, 0x7fff
        mov     ax, 0x00eb                      ; jmp to the next
        rep stosw
        mov     ax, 0x00c3
        stosw
        cmp     edi, RAM_END - 0x10000
        jb      .fill
.again:
        mov     ebx, 0x400000
.call:
        call    ebx
        ROUND
        add     ebx, 0x10000
        cmp     ebx, edi
        jb      .call
        jmp     .again

; -- Interrupts ------------------------------------------------------------------------------------------------

PIC_VECTOR      equ 0x60                        ; of 16
APIC_VECTOR     equ 0x70

; Both PICs with all lines open, the local APIC on, and handlers that end the interrupt and go back.
%macro INTERRUPTS 1
        mov     ebx, %1
        call    open_interrupts
%endmacro

open_interrupts:
        mov     esi, .bytes
        xor     edx, edx
.next:
        lodsb
        mov     dl, al
        lodsb
        out     dx, al
        cmp     esi, .bytes_end
        jb      .next
        mov     edi, idt + PIC_VECTOR * 8
        mov     ecx, VECTORS - PIC_VECTOR
.gate:
        cmp     edi, idt + VEC_NONE * 8
        je      .skip
        mov     [edi], bx
        mov     eax, ebx
        shr     eax, 16
        mov     [edi + 6], ax
        mov     dword [edi + 2], 0x8e000000 | KERNEL_CODE
.skip:  add     edi, 8
        loop    .gate
        mov     dword [LOCAL_APIC + 0xf0], 0x17f
        ret
section .data
.bytes: db      0x20, 0x11, 0x21, PIC_VECTOR, 0x21, 4, 0x21, 1, 0x21, 0
        db      0xa0, 0x11, 0xa1, PIC_VECTOR + 8, 0xa1, 2, 0xa1, 1, 0xa1, 0
.bytes_end:
section .text

; All timers as fast as they can.
start_timers:
        mov     al, 0x34                        ; PIT: every other tick
        out     0x43, al
        mov     al, 2
        out     0x40, al
        mov     al, 0
        out     0x40, al
        mov     al, 0x0a                        ; RTC: 8 kHz, all its interrupts
        out     0x70, al
        mov     al, 0x23
        out     0x71, al
        mov     al, 0x0b
        out     0x70, al
        mov     al, 0x72
        out     0x71, al
        mov     dword [HPET + 0x10], 0
        mov     ecx, 3
        mov     edi, HPET + 0x100
.hpet:
        mov     dword [edi], 0x4c | 2 << 9      ; periodic, to be set, input 2
        mov     dword [edi + 8], 1
        mov     dword [edi + 8], 1
        add     edi, 0x20
        loop    .hpet
        mov     dword [HPET + 0x10], 1
        mov     edi, IO_APIC
        mov     ecx, 24
        mov     eax, 0x10
.input:
        mov     [edi], eax
        lea     ebx, [ecx + APIC_VECTOR - 1]
        cmp     ebx, VEC_NONE
        jne     .vector
        inc     ebx
.vector:
        mov     [edi + 0x10], ebx
        add     eax, 2
        loop    .input
        mov     dword [LOCAL_APIC + 0x3e0], 0xb
        mov     dword [LOCAL_APIC + 0x320], APIC_VECTOR | 1 << 17
        mov     dword [LOCAL_APIC + 0x380], 1
        ret

timers:
        INTERRUPTS .handler
        call    start_timers
        sti
.again: call    random
        mov     [HPET + 0x108], eax             ; at any time
        mov     dword [LOCAL_APIC + 0x380], 1
        sti
        hlt
        jmp     .again
.handler:
        push    eax
        mov     al, 0x0c
        out     0x70, al
        in      al, 0x71
        mov     al, 0x20
        out     0xa0, al
        out     0x20, al
        mov     dword [LOCAL_APIC + 0xb0], 0
        pop     eax
        ROUND
        iretd

; Requests that are never finished, in a handler that lets others in: they nest as deep as priorities
; allow, and the rest waits.
no_eoi:
        INTERRUPTS .handler
        call    start_timers
        sti
.again: mov     dword [LOCAL_APIC + 0x300], 0x40000 | APIC_VECTOR + 3    ; to ourselves
        ROUND
        jmp     .again
.handler:
        sti
        jmp     no_eoi.again

; NMIs to ourselves; their handler sends the next one before it returns.
nmi_storm:
        INTERRUPTS .handler
        GATE    idt + 2 * 8, KERNEL_CODE, .handler, 0x8e, 0
.again: mov     dword [LOCAL_APIC + 0x300], 0x40400
        jmp     .again
.handler:
        mov     dword [LOCAL_APIC + 0x300], 0x40400
        mov     dword [LOCAL_APIC + 0x300], 0x4057f     ; INIT, too
        mov     dword [LOCAL_APIC + 0x300], 0x40610     ; and a start
        ROUND
        iretd

; A handler that never returns takes the stack down through all of memory, to where nothing is.
deep_stack:
        INTERRUPTS .handler
        call    start_timers
        mov     esp, RAM_END
.handler:
        mov     dword [LOCAL_APIC + 0xb0], 0
        mov     al, 0x20
        out     0x20, al
        sub     esp, 0x1000
        cmp     esp, 0x1000000
        ja      .go_on
        mov     esp, RAM_END
.go_on: ROUND
        sti
.wait:  jmp     .wait

; -- Registers -------------------------------------------------------------------------------------------------

; All model-specific registers, with all kinds of values; not the one that moves the APIC over us.
msr_storm:
        call    random
        mov     ecx, eax
        and     ecx, 0x1fff
        cmp     ecx, 0x1b
        je      msr_storm
        test    eax, 1 << 20
        jz      .low
        or      ecx, 0xc0000000
.low:   mov     [kind], ecx
        TRY     rdmsr
        mov     ecx, [kind]
        call    random
        mov     edx, eax
        call    random
        TRY     wrmsr
        mov     ecx, [kind]
        xor     edx, edx
        call    random
        and     eax, 0xff
        TRY     wrmsr
        ROUND
        jmp     msr_storm

; The local APIC over everything, our own code and stack last.
apic_base:
        mov     ecx, 0x1b
        call    special_address
        mov     eax, ebx
        and     eax, 0xfffff000
        or      eax, 0x900
        xor     edx, edx
        TRY     wrmsr
        mov     ecx, 0x1b
        mov     edx, 0xf                        ; beyond what there is
        TRY     wrmsr
        call    random
        and     eax, 0xf00
        or      eax, LOCAL_APIC
        xor     edx, edx
        mov     ecx, 0x1b
        TRY     wrmsr
        ROUND
        test    dword [ROUNDS], 0xfff
        jnz     apic_base
        mov     eax, .over
        mov     ebx, .over
        and     eax, 0xfffff000
        or      eax, 0x900
        xor     edx, edx
        mov     ecx, 0x1b
        wrmsr
.over:  inc     eax
        jmp     .over

; Line A20 opens and closes while code runs and data lie on both sides.
a20_storm:
        mov     esi, .code                      ; the same code in the even and the odd megabyte
        mov     edi, 0x800000
        mov     ecx, .end - .code
        rep movsb
        mov     esi, .code
        mov     edi, 0x900000
        mov     ecx, .end - .code
        rep movsb
        mov     eax, 0x900000
        jmp     eax
.code:
        lock inc dword [ROUNDS]
        in      al, 0x92
        xor     al, 2
        and     al, 0xfe
        out     0x92, al
        mov     eax, [0x900000 + 0x800]
        inc     dword [0x900000 + 0x800]
        xor     ecx, ecx
        mov     byte [0x900000 + 0x900], 0xc3
        mov     ebx, 0x900900
        jmp     .code
.end:

; Whatever forgets translations, as often as possible.
control_storm:
        mov     eax, cr0
        xor     eax, CR0_WP
        mov     cr0, eax
        mov     eax, cr4
        xor     eax, 1 << 7 | 1 << 2            ; global pages, RDTSC
        mov     cr4, eax
        call    random
        and     eax, ~0x1f
        TRY     mov cr4, eax
        mov     eax, CR4_PSE | CR4_OSFXSR
        mov     cr4, eax
        call    random
        or      eax, CR0_PG | CR0_PE
        TRY     mov cr0, eax
        mov     eax, CR0_PG | CR0_PE | CR0_MP | CR0_NE | 0x10
        mov     cr0, eax
        mov     eax, cr3
        xor     eax, 0x18
        mov     cr3, eax
        invlpg  [eax]
        wbinvd
        call    random
        TRY     mov dr7, eax
        call    random
        TRY     mov dr0, eax
        xor     eax, eax
        mov     dr7, eax
        ROUND
        jmp     control_storm

; From protected mode to real mode and back, with paging and without.
mode_storm:
        mov     esi, .code
        mov     edi, 0x8000
        mov     ecx, .end - .code
        rep movsb
        jmp     CODE16:0x8000
        bits    16
.code:  mov     eax, cr0
        and     eax, ~(CR0_PG | CR0_PE)
        mov     cr0, eax
        lock inc dword [cs:ROUNDS]
        mov     ebx, eax
        or      ebx, CR0_PG | CR0_PE
        mov     cr0, ebx
        xor     eax, 1
        jmp     .code
.end:
        bits    32

; -- Anything --------------------------------------------------------------------------------------------------

; Random bytes as ring 0's code, with devices behind it. Whatever that does to ourselves counts, too.
CHAOS_CODE      equ 0x300000
CHAOS_STACK     equ 0x302000

chaos:
        call    place_pci
        rdtsc
        mov     [seed], eax
        mov     eax, .again
        call    watch
.again:
        mov     esp, stack_top
        mov     edi, CHAOS_CODE
        mov     ebp, 0x100
.fill:
        call    random
        stosd
        dec     ebp
        jnz     .fill
        ROUND
        CATCH   .again
        mov     esp, CHAOS_STACK
        mov     esi, CHAOS_CODE + 0x800
        mov     ecx, [seed]
        mov     edi, esi
        mov     ebx, esi
        mov     edx, ecx
        mov     eax, CHAOS_CODE
        jmp     eax

IMAGE_END
