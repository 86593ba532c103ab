; SPDX-License-Identifier: MIT
;
; Exceptions in 32-bit protected mode: vector, error code, saved EIP, CR2, and what is left undone
; when an instruction faults half-way (SDM 3A, chapters 4 to 6; SDM 2 for single instructions).

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "exceptions", 0

; Selectors of this guest's own descriptors.
SMALL           equ SPARE + 0x00                ; data, 100h bytes at `area`
READ_ONLY       equ SPARE + 0x08
EXECUTE_ONLY    equ SPARE + 0x10
ABSENT_DATA     equ SPARE + 0x18
ABSENT_CODE     equ SPARE + 0x20
EXPAND_DOWN     equ SPARE + 0x28                ; offsets above FFF, at `area`
SMALL_STACK     equ SPARE + 0x30 | 3            ; ring 3, 100h bytes at `area`
ABSENT_STACK    equ SPARE + 0x38
SMALL_CODE      equ SPARE + 0x40                ; 100h bytes at `area`
CONFORMING      equ SPARE + 0x48
CALL_GATE       equ SPARE + 0x50
ABSENT_GATE     equ SPARE + 0x58
LDT             equ SPARE + 0x60
DATA_DPL0       equ KERNEL_DATA
BEYOND_GDT      equ 0x7f8

section .bss
        alignb  PAGE_SIZE
area:   resb    PAGE_SIZE
page1:  resb    PAGE_SIZE                       ; pages whose rights change
page2:  resb    PAGE_SIZE
page3:  resb    PAGE_SIZE

section .text
test_main:
        DESCRIPTOR_AT SMALL, area, 0xff, 0x92, 4
        DESCRIPTOR_AT READ_ONLY, area, 0xff, 0x90, 4
        DESCRIPTOR_AT EXECUTE_ONLY, area, 0xff, 0x98, 4
        DESCRIPTOR_AT ABSENT_DATA, area, 0xff, 0x12, 4
        DESCRIPTOR_AT ABSENT_CODE, area, 0xff, 0x1a, 4
        DESCRIPTOR_AT EXPAND_DOWN, area, 0xfff, 0x96, 4
        DESCRIPTOR_AT SMALL_STACK, area, 0xff, 0xf2, 4
        DESCRIPTOR_AT ABSENT_STACK, area, 0xff, 0x12, 4
        DESCRIPTOR_AT SMALL_CODE, area, 0xff, 0x9a, 4
        DESCRIPTOR CONFORMING, 0, 0xfffff, 0x9e, 0xc
        GATE    gdt + CALL_GATE, KERNEL_CODE, gate_target, 0xec, 2
        GATE    gdt + ABSENT_GATE, KERNEL_CODE, gate_target, 0x6c, 0
        DESCRIPTOR_AT LDT, area, 0xff, 0x82, 0
        call    simple
        call    undefined
        call    coprocessor
        call    segment_loads
        call    segment_accesses
        call    far_transfers
        call    returns
        call    privileged
        call    page_faults
        call    restartable
        call    double_faults
        jmp     test_end

; -- Arithmetic and software --------------------------------------------------------------------------------

simple:
        xor     ebx, ebx
        xor     edx, edx
        mov     eax, 1
        FAULT   "div by zero", VEC_DE, NO_ERROR, div ebx
        mov     edx, 2
        mov     ebx, 2
        FAULT   "div overflow", VEC_DE, NO_ERROR, div ebx
        CHECK   "div overflow keeps eax", [got.eax], 1
        CHECK   "div overflow keeps edx", [got.edx], 2
        mov     eax, 0x80000000
        mov     edx, -1
        mov     ebx, -1
        FAULT   "idiv of the most negative", VEC_DE, NO_ERROR, idiv ebx
        mov     ax, 0x8000
        mov     bl, 0xff
        FAULT   "idiv of 8 bits", VEC_DE, NO_ERROR, idiv bl
        mov     ax, 10
        NO_FAULT "aam", aam
        FAULT   "aam 0", VEC_DE, NO_ERROR, aam 0
        TRAP    "int3", VEC_BP, NO_ERROR, int3
        or      byte [idt + VEC_BP * 8 + 5], 0x60
        TRAP    "int 3 of two bytes", VEC_BP, NO_ERROR, {db 0xcd, 3}
        mov     al, 0x7f
        add     al, 1
        TRAP    "into", VEC_OF, NO_ERROR, into
        xor     eax, eax
        NO_FAULT "into without overflow", into
        mov     dword [area], 5
        mov     dword [area + 4], 10
        mov     eax, 11
        FAULT   "bound", VEC_BR, NO_ERROR, bound eax, [area]
        mov     eax, 4
        FAULT   "bound below", VEC_BR, NO_ERROR, bound eax, [area]
        mov     eax, 10
        NO_FAULT "bound inside", bound eax, [area]
        TRAP    "int 40h", 0x40, NO_ERROR, int 0x40
        FAULT   "int beyond the IDT", VEC_GP, 0xf0 * 8 + 2, int 0xf0
        and     byte [idt + 0x41 * 8 + 5], 0x7f
        FAULT   "int through an absent gate", VEC_NP, 0x41 * 8 + 2, int 0x41
        mov     byte [idt + 0x42 * 8 + 5], 0x82
        FAULT   "int through no gate", VEC_GP, 0x42 * 8 + 2, int 0x42
        FAULT3  "int n in ring 3", VEC_GP, 0x40 * 8 + 2, int 0x40
        and     byte [idt + VEC_BP * 8 + 5], 0x9f
        FAULT3  "int3 in ring 3", VEC_GP, VEC_BP * 8 + 2, int3
        ret

; -- Invalid instructions -------------------------------------------------------------------------------------

undefined:
        mov     ebx, area
        FAULT   "ud2", VEC_UD, NO_ERROR, ud2
        FAULT   "ud0", VEC_UD, NO_ERROR, {db 0x0f, 0xff, 0xc0}
        FAULT   "ud1", VEC_UD, NO_ERROR, {db 0x0f, 0xb9, 0xc0}
        FAULT   "lock nop", VEC_UD, NO_ERROR, {db 0xf0, 0x90}
        FAULT   "lock add to a register", VEC_UD, NO_ERROR, {db 0xf0, 0x01, 0xc0}
        TCG_DIFFERS
        FAULT   "lock mov to memory", VEC_UD, NO_ERROR, {db 0xf0, 0x89, 0x03}
        FAULT   "lock cmp", VEC_UD, NO_ERROR, {db 0xf0, 0x39, 0x03}
        TCG_DIFFERS
        FAULT   "lock bt", VEC_UD, NO_ERROR, {db 0xf0, 0x0f, 0xa3, 0x03}
        NO_FAULT "lock xadd", lock xadd [area], eax
        NO_FAULT "lock bts", lock bts dword [area], 3
        FAULT   "mov cs", VEC_UD, NO_ERROR, {db 0x8e, 0xc8}
        FAULT   "mov segment register 6", VEC_UD, NO_ERROR, {db 0x8e, 0xf0}
        FAULT   "mov from segment register 7", VEC_UD, NO_ERROR, {db 0x8c, 0xf8}
        FAULT   "lea of a register", VEC_UD, NO_ERROR, {db 0x8d, 0xc0}
        TCG_DIFFERS
        FAULT   "group 11 /1", VEC_UD, NO_ERROR, {db 0xc7, 0x0b, 0, 0, 0, 0}
        FAULT   "group 5 /7", VEC_UD, NO_ERROR, {db 0xff, 0xf8}
        FAULT   "far call of a register", VEC_UD, NO_ERROR, {db 0xff, 0xd8}
        FAULT   "cmpxchg8b of a register", VEC_UD, NO_ERROR, {db 0x0f, 0xc7, 0xc8}
        FAULT   "lgdt of a register", VEC_UD, NO_ERROR, {db 0x0f, 0x01, 0xd7 }
        FAULT   "mov cr1", VEC_UD, NO_ERROR, {db 0x0f, 0x22, 0xc8}
%define PREFIXES_14 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66
        FAULT   "16 bytes", VEC_GP, 0, {db PREFIXES_14, 0x66, 0x90}
        NO_FAULT "15 bytes", {db PREFIXES_14, 0x90}
        FAULT   "lock in front of 15 bytes", VEC_GP, 0, {db 0xf0, PREFIXES_14, 0x90}
        ret

; -- Floating point -------------------------------------------------------------------------------------------

coprocessor:
        fninit
        mov     ebx, cr4
        or      ebx, CR4_OSFXSR | CR4_OSXMMEXCPT
        mov     cr4, ebx
        mov     eax, cr0
        or      eax, CR0_TS
        mov     cr0, eax
        FAULT   "x87 with TS", VEC_NM, NO_ERROR, fld1
        FAULT   "wait with TS and MP", VEC_NM, NO_ERROR, fwait
        and     eax, ~CR0_MP
        mov     cr0, eax
        NO_FAULT "wait with TS alone", fwait
        FAULT   "SSE with TS", VEC_NM, NO_ERROR, {db 0x0f, 0x28, 0xc1}
        mov     ebx, cr4
        and     ebx, ~CR4_OSFXSR
        mov     cr4, ebx
        FAULT   "SSE without OSFXSR", VEC_UD, NO_ERROR, {db 0x0f, 0x28, 0xc1}
        clts
        mov     eax, cr0
        or      eax, CR0_EM
        mov     cr0, eax
        FAULT   "x87 with EM", VEC_NM, NO_ERROR, fld1
        NO_FAULT "wait with EM", fwait
        or      ebx, CR4_OSFXSR | CR4_OSXMMEXCPT
        mov     cr4, ebx
        FAULT   "SSE with EM", VEC_UD, NO_ERROR, {db 0x0f, 0x28, 0xc1}
        TCG_DIFFERS
        FAULT   "MMX with EM", VEC_UD, NO_ERROR, {db 0x0f, 0x77}
        and     eax, ~CR0_EM
        or      eax, CR0_MP
        mov     cr0, eax
        NO_FAULT "SSE", {db 0x0f, 0x28, 0xc1}

        ; An x87 error waits for the next instruction that waits.
        fninit
        push    dword 0x37b                     ; zero divide is not masked
        fldcw   [esp]
        fld1
        fldz
        NO_FAULT "fdiv by zero itself", fdivp st1
        NO_FAULT "fnstsw after it", fnstsw ax
        FAULT   "x87 error at the next wait", VEC_MF, NO_ERROR, fwait
        TCG_DIFFERS                             ; waits with fwait only
        FAULT   "x87 error at the next fld", VEC_MF, NO_ERROR, fld1
        fnclex
        NO_FAULT "fld after fnclex", fld1
        fninit
        pop     eax

        mov     dword [area], 0x1d80            ; zero divide is not masked
        ldmxcsr [area]
        mov     dword [area], 0x3f800000
        movss   xmm0, [area]
        xorps   xmm1, xmm1
        TCG_DIFFERS                             ; has no unmasked SSE exceptions
        FAULT   "divss by zero", VEC_XM, NO_ERROR, divss xmm0, xmm1
        mov     ebx, cr4
        and     ebx, ~CR4_OSXMMEXCPT
        mov     cr4, ebx
        TCG_DIFFERS
        FAULT   "divss by zero without OSXMMEXCPT", VEC_UD, NO_ERROR, divss xmm0, xmm1
        or      ebx, CR4_OSXMMEXCPT
        mov     cr4, ebx
        mov     dword [area], 0x1f80
        ldmxcsr [area]
        mov     dword [area], 0x10000
        TCG_DIFFERS                             ; takes it
        FAULT   "ldmxcsr with a reserved bit", VEC_GP, 0, ldmxcsr [area]
        mov     dword [area], 0x1f80
        ldmxcsr [area]
        FAULT   "movaps off its boundary", VEC_GP, 0, movaps xmm0, [area + 8]
        NO_FAULT "movups off its boundary", movups xmm0, [area + 8]
        FAULT   "addps off its boundary", VEC_GP, 0, addps xmm0, [area + 4]
        FAULT   "fxsave off its boundary", VEC_GP, 0, fxsave [area + 8]

        ; Alignment is checked in ring 3 only.
        mov     eax, cr0
        or      eax, CR0_AM
        mov     cr0, eax
        mov     dword [ring3_eflags], EFLAGS_1 | EFLAGS_AC
        TCG_DIFFERS                             ; has no alignment checks
        FAULT3  "alignment", VEC_AC, 0, mov eax, [area + 2]
        TCG_DIFFERS
        FAULT3  "alignment of a word", VEC_AC, 0, mov ax, [area + 1]
        NO_FAULT3 "aligned word", mov ax, [area + 2]
        NO_FAULT3 "byte", mov al, [area + 3]
        push    dword EFLAGS_1 | EFLAGS_AC
        popfd
        NO_FAULT "alignment in ring 0", mov eax, [area + 2]
        push    dword EFLAGS_1
        popfd
        mov     dword [ring3_eflags], EFLAGS_1
        mov     eax, cr0
        and     eax, ~CR0_AM
        mov     cr0, eax
        ret

; -- Segment registers ------------------------------------------------------------------------------------------

; The instruction is tried with a selector in FS. (Catching an exception resets the data segments.)
%macro FS_FAULT 4+                              ; "name", selector, error vector, instruction
        mov     eax, %2
        mov     fs, eax
        FAULT   %1, %3, 0, %4
%endmacro
%macro FS_GOOD 3+
        mov     eax, %2
        mov     fs, eax
        NO_FAULT %1, %3
%endmacro

segment_loads:
        mov     eax, BEYOND_GDT | 1
        FAULT   "selector beyond the GDT", VEC_GP, BEYOND_GDT, mov fs, eax
        mov     eax, ABSENT_DATA
        FAULT   "absent data segment", VEC_NP, ABSENT_DATA, mov fs, eax
        mov     eax, EXECUTE_ONLY
        FAULT   "execute-only code into fs", VEC_GP, EXECUTE_ONLY, mov fs, eax
        mov     eax, KERNEL_CODE
        NO_FAULT "readable code into fs", mov fs, eax
        mov     eax, TSS_SELECTOR
        FAULT   "TSS into fs", VEC_GP, TSS_SELECTOR, mov fs, eax
        mov     eax, DATA_DPL0 | 3
        FAULT   "data of ring 0 with RPL 3", VEC_GP, DATA_DPL0, mov fs, eax
        FAULT3  "data of ring 0 in ring 3", VEC_GP, DATA_DPL0, mov fs, eax
        mov     eax, CONFORMING | 3
        NO_FAULT3 "conforming code of ring 0 in ring 3", mov fs, eax
        xor     eax, eax
        lldt    ax
        mov     eax, 4
        FAULT   "local selector without LDT", VEC_GP, 4, mov fs, eax
        xor     eax, eax
        NO_FAULT "null into fs", mov fs, eax
        TCG_DIFFERS                             ; knows neither limits nor types
        FS_FAULT "use of null", 0, VEC_GP, mov al, [fs:area]
        mov     eax, 3
        NO_FAULT "null with RPL into fs", mov fs, eax
        xor     eax, eax
        FAULT   "null into ss", VEC_GP, 0, mov ss, eax
        mov     eax, USER_DATA
        FAULT   "ss with RPL 3 in ring 0", VEC_GP, USER_DATA & ~3, mov ss, eax
        mov     eax, ABSENT_STACK
        FAULT   "absent segment into ss", VEC_SS, ABSENT_STACK, mov ss, eax
        mov     eax, READ_ONLY
        FAULT   "read-only segment into ss", VEC_GP, READ_ONLY, mov ss, eax
        mov     eax, KERNEL_CODE
        FAULT   "code into ss", VEC_GP, KERNEL_CODE, mov ss, eax
        push    dword BEYOND_GDT
        mov     ebx, esp
        FAULT   "pop of a bad selector", VEC_GP, BEYOND_GDT, pop fs
        CHECK   "pop of a bad selector keeps esp", [got.esp], ebx
        pop     eax
        mov     dword [area], 0x12345678
        mov     dword [area + 4], ABSENT_DATA
        mov     eax, 0x11111111
        FAULT   "lfs of an absent segment", VEC_NP, ABSENT_DATA, lfs eax, [area]
        CHECK   "lfs of an absent segment keeps eax", [got.eax], 0x11111111

        mov     eax, BEYOND_GDT
        FAULT   "lldt beyond the GDT", VEC_GP, BEYOND_GDT, lldt ax
        mov     eax, SMALL
        FAULT   "lldt of data", VEC_GP, SMALL, lldt ax
        mov     eax, 4
        FAULT   "lldt of a local selector", VEC_GP, 4, lldt ax
        and     byte [gdt + LDT + 5], 0x7f
        mov     eax, LDT
        FAULT   "lldt of an absent LDT", VEC_NP, LDT, lldt ax
        or      byte [gdt + LDT + 5], 0x80
        NO_FAULT "lldt", lldt ax
        mov     dword [area + 8], 0x0000ffff
        mov     dword [area + 12], 0x00cff200
        mov     eax, 8 | 7
        NO_FAULT "local selector", mov fs, eax
        mov     eax, 0x100 | 4
        FAULT   "selector beyond the LDT", VEC_GP, 0x104, mov fs, eax
        xor     eax, eax
        mov     fs, eax
        NO_FAULT "lldt of null", lldt ax
        TCG_SKIPS .no_ltr                       ; takes it
        FAULT   "ltr of null", VEC_GP, 0, ltr ax
.no_ltr:
        mov     eax, TSS_SELECTOR
        FAULT   "ltr of a busy TSS", VEC_GP, TSS_SELECTOR, ltr ax

        ; Instructions that only ask.
        mov     eax, BEYOND_GDT
        or      ebx, -1
        lar     ebx, eax
        setz    cl
        movzx   ecx, cl
        CHECK   "lar beyond the GDT: ZF", ecx, 0
        CHECK   "lar beyond the GDT keeps its operand", ebx, -1
        mov     eax, KERNEL_DATA
        lar     ebx, eax
        and     ebx, 0x00f0fe00                 ; less bits that are undefined, and "accessed"
        CHECK   "lar", ebx, 0x00c09200
        mov     eax, SMALL
        lsl     ebx, eax
        CHECK   "lsl of bytes", ebx, 0xff
        mov     eax, KERNEL_DATA
        lsl     ebx, eax
        CHECK   "lsl of pages", ebx, 0xffffffff
        mov     eax, READ_ONLY
        verw    ax
        setz    cl
        movzx   ecx, cl
        CHECK   "verw of read-only", ecx, 0
        verr    ax
        setz    cl
        movzx   ecx, cl
        CHECK   "verr of read-only", ecx, 1
        mov     eax, EXECUTE_ONLY
        verr    ax
        setz    cl
        movzx   ecx, cl
        CHECK   "verr of execute-only", ecx, 0
        mov     eax, DATA_DPL0
        mov     ecx, 3
        arpl    ax, cx
        movzx   eax, ax
        CHECK   "arpl", eax, DATA_DPL0 | 3
        test    byte [gdt + SMALL + 5], 1
        setnz   cl
        movzx   ecx, cl
        CHECK   "segment not yet accessed", ecx, 0
        mov     eax, SMALL
        mov     fs, eax
        test    byte [gdt + SMALL + 5], 1
        setnz   cl
        movzx   ecx, cl
        CHECK   "segment accessed", ecx, 1
        ret

; -- Accesses through segments --------------------------------------------------------------------------------

segment_accesses:
        TCG_SKIPS .end                          ; knows neither limits nor types
        FS_GOOD  "last byte", SMALL, mov al, [fs:0xff]
        FS_FAULT "byte beyond the limit", SMALL, VEC_GP, mov al, [fs:0x100]
        FS_GOOD  "last dword", SMALL, mov eax, [fs:0xfc]
        FS_FAULT "dword across the limit", SMALL, VEC_GP, mov ebx, [fs:0xfd]
        FS_FAULT "offset -1", SMALL, VEC_GP, mov bl, [fs:-1]
        FS_FAULT "dword at offset -2", SMALL, VEC_GP, mov ebx, [fs:-2]
        FS_FAULT "write to read-only", READ_ONLY, VEC_GP, mov [fs:0], bl
        FS_GOOD  "read of read-only", READ_ONLY, mov bl, [fs:0]
        FS_FAULT "write to code", KERNEL_CODE, VEC_GP, mov [fs:area], bl
        FAULT   "write through cs", VEC_GP, 0, mov [cs:area], bl
        NO_FAULT "read through cs", mov bl, [cs:area]
        FS_FAULT "expand-down at its limit", EXPAND_DOWN, VEC_GP, mov bl, [fs:0xfff]
        FS_FAULT "expand-down dword from inside", EXPAND_DOWN, VEC_GP, mov ebx, [fs:0xffd]
        FS_GOOD  "expand-down above its limit", EXPAND_DOWN, mov bl, [fs:0x1000]
        FS_FAULT "expand-down at 0", EXPAND_DOWN, VEC_GP, mov bl, [fs:0]
        FS_FAULT "rmw beyond the limit", SMALL, VEC_GP, add dword [fs:0xfd], 1
        FS_FAULT "cmpxchg8b across the limit", SMALL, VEC_GP, cmpxchg8b [fs:0xfc]
        FS_FAULT "fnsave across the limit", SMALL, VEC_GP, fnsave [fs:0xf0]
        FS_FAULT "movups across the limit", SMALL, VEC_GP, movups xmm0, [fs:0xf1]

        ; A string stops where the limit is.
        mov     edi, area
        mov     ecx, 100
        mov     eax, SMALL
        mov     fs, eax
        mov     esi, 0xf0
        CATCH   .string
.string_at:
        fs rep movsb
        int     VEC_NONE
.string:
        CAUGHT  "rep movsb across the limit", VEC_GP, 0, .string_at
        CHECK   "its ecx", [got.ecx], 100 - 16
        CHECK   "its esi", [got.esi], 0x100
        CHECK   "its edi", [got.edi], area + 16

        ; Stack faults in ring 3, where the handler has another stack.
%macro SS_FAULT 4+                              ; "name", ESP, error code, instruction
        CATCH   %%after
        push    dword SMALL_STACK
        push    dword %2
        push    dword EFLAGS_1
        push    dword USER_CODE
        push    dword %%at
        iretd
%%at:   %4
        int     VEC_NONE
%%after:
        CAUGHT  %1, VEC_SS, %3, %%at
        CHECK   %strcat(%1, ": esp"), [got.esp], %2
%endmacro
        SS_FAULT "pop across the limit", 0xfe, 0, pop eax
        SS_FAULT "push at 2", 2, 0, push eax
        SS_FAULT "push beyond", 0x200, 0, push eax
        SS_FAULT "pushad with too little", 16, 0, pushad
        SS_FAULT "popad with too little", 0xf0, 0, popad
        SS_FAULT "call with too little", 2, 0, call putc
        SS_FAULT "ret beyond", 0x100, 0, ret
        SS_FAULT "enter with too little", 8, 0, enter 0, 4
        mov     ebp, 0x100
        SS_FAULT "leave beyond", 0x20, 0, {db 0xc9}
        SS_FAULT "ebp beyond", 0x80, 0, mov eax, [ebp]
        SS_FAULT "esp beyond", 0x80, 0, mov eax, [esp + 0x80]
        SS_FAULT "pushfd with too little", 2, 0, pushfd
        SS_FAULT "iretd beyond", 0xf8, 0, iretd
        SS_FAULT "retf beyond", 0xfa, 0, retf
.end:
        ret

; -- Far jumps, calls, gates -------------------------------------------------------------------------------------

gate_target:
        int     VEC_NONE

far_transfers:
        FAULT   "jmp to null", VEC_GP, 0, jmp 0:0
        FAULT   "jmp beyond the GDT", VEC_GP, BEYOND_GDT, jmp BEYOND_GDT:0
        FAULT   "jmp to data", VEC_GP, KERNEL_DATA, jmp KERNEL_DATA:0
        FAULT   "jmp to absent code", VEC_NP, ABSENT_CODE, jmp ABSENT_CODE:0
        FAULT   "jmp to an LDT", VEC_GP, LDT, jmp LDT:0
        FAULT   "jmp beyond the code's limit", VEC_GP, 0, jmp SMALL_CODE:0x100
        FAULT   "call to null", VEC_GP, 0, call 0:0
        mov     ebx, esp
        FAULT   "call to absent code", VEC_NP, ABSENT_CODE, call ABSENT_CODE:0
        CHECK   "call to absent code keeps esp", [got.esp], ebx
        FAULT   "jmp to code of ring 3", VEC_GP, USER_CODE & ~3, jmp USER_CODE:0
        FAULT3  "jmp to code of ring 0 in ring 3", VEC_GP, KERNEL_CODE, jmp KERNEL_CODE:0
        FAULT   "jmp through an absent gate", VEC_NP, ABSENT_GATE, jmp ABSENT_GATE:0
        FAULT3  "absent gate of ring 3 in ring 3", VEC_NP, ABSENT_GATE, call ABSENT_GATE | 3:0
        FAULT3  "jmp through a gate to ring 0", VEC_GP, KERNEL_CODE, jmp CALL_GATE | 3:0
        ; JMP to conforming code keeps the privilege.
        CATCH   .conforming
        call    enter_ring3
        jmp     CONFORMING:gate_target
.conforming:
        CAUGHT  "jmp to conforming code in ring 3", VEC_NONE, NO_ERROR, gate_target + 2
        CHECK   "its cs", [got.cs], CONFORMING | 3

        ; CALL through a gate to ring 0 takes two parameters along.
        CATCH   .gate
        call    enter_ring3
        push    dword 0x11111111
        push    dword 0x22222222
        call    CALL_GATE | 3:0
.gate_next:
        int     VEC_NONE
.gate:
        CAUGHT  "call through a gate", VEC_NONE, NO_ERROR, gate_target + 2
        CHECK   "gate: cs", [got.cs], KERNEL_CODE
        CHECK   "gate: esp", [got.esp], stack0_top - 24
        CHECK   "gate: ss", [got.ss], KERNEL_DATA
        CHECK   "gate: return address", [stack0_top - 24], .gate_next
        CHECK   "gate: return cs", [stack0_top - 20], USER_CODE
        CHECK   "gate: second parameter", [stack0_top - 16], 0x22222222
        CHECK   "gate: first parameter", [stack0_top - 12], 0x11111111
        CHECK   "gate: user's esp", [stack0_top - 8], stack3_top - 8
        CHECK   "gate: user's ss", [stack0_top - 4], USER_DATA
        ret

; -- IRET and RETF --------------------------------------------------------------------------------------------

%macro IRET_FAULT 5                             ; "name", EIP, CS, vector, error code
        push    dword EFLAGS_1
        push    dword %3
        push    dword %2
        mov     ebx, esp
        FAULT   %1, %4, %5, iretd
        CHECK   %strcat(%1, ": esp"), [got.esp], ebx
        add     esp, 12
%endmacro
%macro RETF_FAULT 5
        push    dword %3
        push    dword %2
        mov     ebx, esp
        FAULT   %1, %4, %5, retf
        CHECK   %strcat(%1, ": esp"), [got.esp], ebx
        add     esp, 8
%endmacro

returns:
        IRET_FAULT "iretd to null", 0, 0, VEC_GP, 0
        IRET_FAULT "iretd to data", 0, KERNEL_DATA, VEC_GP, KERNEL_DATA
        IRET_FAULT "iretd beyond the GDT", 0, BEYOND_GDT, VEC_GP, BEYOND_GDT
        IRET_FAULT "iretd to absent code", 0, ABSENT_CODE, VEC_NP, ABSENT_CODE
        TCG_SKIPS .iretd_skip
        IRET_FAULT "iretd beyond the code's limit", 0x100, SMALL_CODE, VEC_GP, 0
.iretd_skip:
        IRET_FAULT "iretd to ring 3 code with RPL 0", 0, USER_CODE & ~3, VEC_GP, USER_CODE & ~3
        RETF_FAULT "retf to null", 0, 0, VEC_GP, 0
        RETF_FAULT "retf to data", 0, KERNEL_DATA, VEC_GP, KERNEL_DATA
        RETF_FAULT "retf to absent code", 0, ABSENT_CODE, VEC_NP, ABSENT_CODE
        TCG_SKIPS .retf_skip
        RETF_FAULT "retf beyond the code's limit", 0x100, SMALL_CODE, VEC_GP, 0
.retf_skip:
        ; To ring 3 with a stack that does not fit.
        push    dword 0
        push    dword stack3_top
        push    dword EFLAGS_1
        push    dword USER_CODE
        push    dword 0
        FAULT   "iretd to ring 3 with null ss", VEC_GP, 0, iretd
        mov     dword [esp + 16], KERNEL_DATA
        FAULT   "iretd to ring 3 with ss of ring 0", VEC_GP, KERNEL_DATA, iretd
        mov     dword [esp + 16], USER_DATA
        ; Data segments of ring 0 do not survive the way to ring 3.
        mov     eax, KERNEL_DATA
        mov     fs, eax
        mov     dword [esp], .ring3
        CATCH   .end
        iretd
.ring3:
        mov     ebx, fs
        mov     ecx, ds
        int     VEC_NONE
.end:
        CAUGHT  "iretd to ring 3", VEC_NONE, NO_ERROR, .end
        CHECK   "fs of ring 0 becomes null", [got.ebx], 0
        CHECK   "ds of ring 3 stays", [got.ecx], USER_DATA
        add     esp, 20

        ; In ring 3 IRET changes neither IF nor the I/O privilege level, and POPF raises nothing.
        CATCH   .popf
        call    enter_ring3
        push    dword 0x3202
        popfd
        pushfd
        pop     ebx
        int     VEC_NONE
.popf:
        CHECK   "popfd in ring 3", [got.ebx], EFLAGS_1
        ret

; -- Privileged instructions ------------------------------------------------------------------------------------

privileged:
        FAULT3  "hlt in ring 3", VEC_GP, 0, hlt
        FAULT3  "cli in ring 3", VEC_GP, 0, cli
        FAULT3  "sti in ring 3", VEC_GP, 0, sti
        FAULT3  "in in ring 3", VEC_GP, 0, in al, 0x80
        FAULT3  "outsb in ring 3", VEC_GP, 0, outsb
        FAULT3  "mov cr0 in ring 3", VEC_GP, 0, mov eax, cr0
        FAULT3  "mov to cr3 in ring 3", VEC_GP, 0, mov cr3, eax
        FAULT3  "mov dr7 in ring 3", VEC_GP, 0, mov eax, dr7
        FAULT3  "lgdt in ring 3", VEC_GP, 0, lgdt [gdt_pointer]
        FAULT3  "lidt in ring 3", VEC_GP, 0, lidt [idt_pointer]
        FAULT3  "lldt in ring 3", VEC_GP, 0, lldt ax
        FAULT3  "ltr in ring 3", VEC_GP, 0, ltr ax
        FAULT3  "lmsw in ring 3", VEC_GP, 0, lmsw ax
        FAULT3  "clts in ring 3", VEC_GP, 0, clts
        FAULT3  "invlpg in ring 3", VEC_GP, 0, invlpg [area]
        FAULT3  "wbinvd in ring 3", VEC_GP, 0, wbinvd
        FAULT3  "rdmsr in ring 3", VEC_GP, 0, rdmsr
        FAULT3  "wrmsr in ring 3", VEC_GP, 0, wrmsr
        NO_FAULT3 "smsw in ring 3", smsw ax
        NO_FAULT3 "sgdt in ring 3", sgdt [area]
        NO_FAULT3 "rdtsc in ring 3", rdtsc
        mov     eax, cr4
        mov     ebx, eax
        or      eax, 4                          ; TSD
        mov     cr4, eax
        FAULT3  "rdtsc in ring 3 with TSD", VEC_GP, 0, rdtsc
        mov     cr4, ebx
        ; The I/O permission map: port 80h is allowed, 81h not.
        mov     word [tss + TSS_IO_MAP], TSS_SIZE - 16
        mov     byte [tss + TSS_SIZE - 16 + 0x80 / 8], 0xfe
        mov     byte [tss + TSS_SIZE - 16 + 0x80 / 8 + 1], 0xff
        ; (The limit ends the map at port 7Fh, so the descriptor has to grow.)
        mov     word [gdt + TSS_SELECTOR], TSS_SIZE + 15
        and     byte [gdt + TSS_SELECTOR + 5], ~2
        mov     eax, TSS_SELECTOR
        ltr     ax
        NO_FAULT3 "permitted port", in al, 0x80
        FAULT3  "port that is not permitted", VEC_GP, 0, in al, 0x81
        FAULT3  "word with a port that is not permitted", VEC_GP, 0, in ax, 0x80
        FAULT3  "port beyond the map", VEC_GP, 0, in al, 0xf8
        mov     word [tss + TSS_IO_MAP], TSS_SIZE + 16
        FAULT3  "port without a map", VEC_GP, 0, in al, 0x80
        mov     dword [ring3_eflags], EFLAGS_1 | 0x3000
        NO_FAULT3 "port with IOPL 3", in al, 0x80
        NO_FAULT3 "cli with IOPL 3", cli
        mov     dword [ring3_eflags], EFLAGS_1

        TCG_SKIPS .end                          ; takes any CR0
        mov     eax, cr0
        and     eax, ~CR0_PE
        FAULT   "paging without protection", VEC_GP, 0, mov cr0, eax
        mov     eax, cr0
        or      eax, 1 << 29                    ; NW without CD
        and     eax, ~(1 << 30)
        FAULT   "NW without CD", VEC_GP, 0, mov cr0, eax
        mov     eax, cr0
        and     eax, ~(3 << 29)
        mov     cr0, eax
.end:
        ret

; -- Page faults ---------------------------------------------------------------------------------------------------

; "name", error code, CR2, instruction.
%macro PAGE_FAULT 4+
        FAULT   %1, VEC_PF, %2, %4
        CHECK   %strcat(%1, ": cr2"), [got.cr2], %3
%endmacro
%macro PAGE_FAULT3 4+
        FAULT3  %1, VEC_PF, %2, %4
        CHECK   %strcat(%1, ": cr2"), [got.cr2], %3
%endmacro

page_faults:
        SET_PAGE page1, 0
        PAGE_FAULT "read of a missing page", 0, page1 + 5, mov al, [page1 + 5]
        PAGE_FAULT "write to a missing page", PF_W, page1 + 5, mov [page1 + 5], al
        PAGE_FAULT3 "read in ring 3", PF_U, page1, mov al, [page1]
        PAGE_FAULT3 "write in ring 3", PF_U | PF_W, page1, mov [page1], al
        ; A read-modify-write asks for a writable page from the start.
        TCG_DIFFERS                             ; reads first
        PAGE_FAULT "add to a missing page", PF_W, page1, add dword [page1], 1
        TCG_DIFFERS
        PAGE_FAULT "lock add to a missing page", PF_W, page1, lock add dword [page1], 1
        TCG_DIFFERS
        PAGE_FAULT "xchg with a missing page", PF_W, page1, xchg [page1], eax
        CATCH   .jump                           ; here EIP is the target, not the jump
        jmp     page1_target
.jump:
        CAUGHT  "jmp to a missing page", VEC_PF, 0, page1
        SET_PAGE page1, PTE_P | PTE_U
        PAGE_FAULT "write to a read-only page", PF_P | PF_W, page1, mov [page1], al
        NO_FAULT "read of a read-only page", mov al, [page1]
        PAGE_FAULT3 "write to a read-only page in ring 3", PF_P | PF_W | PF_U, page1, mov [page1], al
        mov     eax, -1
        mov     dword [area], 0
        ; CMPXCHG writes even where the comparison fails.
        TCG_DIFFERS                             ; without LOCK it compares first
        PAGE_FAULT "cmpxchg to a read-only page", PF_P | PF_W, page1, cmpxchg [page1], ebx
        PAGE_FAULT "lock cmpxchg to a read-only page", PF_P | PF_W, page1, lock cmpxchg [page1], ebx
        PAGE_FAULT "bts to a read-only page", PF_P | PF_W, page1 + 8, bts dword [page1 + 8], 1
        NO_FAULT "bt of a read-only page", bt dword [page1 + 8], 1
        PAGE_FAULT "fst to a read-only page", PF_P | PF_W, page1, fst dword [page1]
        mov     eax, cr0
        and     eax, ~CR0_WP
        mov     cr0, eax
        NO_FAULT "write to a read-only page without WP", mov [page1], al
        PAGE_FAULT3 "in ring 3 without WP", PF_P | PF_W | PF_U, page1, mov [page1], al
        or      eax, CR0_WP
        mov     cr0, eax
        SET_PAGE page1, PTE_P | PTE_W
        PAGE_FAULT3 "supervisor page in ring 3", PF_P | PF_U, page1, mov al, [page1]
        CATCH   .jump3
        call    enter_ring3
        jmp     page1_target
.jump3:
        CAUGHT  "jmp to a supervisor page in ring 3", VEC_PF, PF_P | PF_U, page1
        ret
page1_target equ page1

; -- Restarting ------------------------------------------------------------------------------------------------------

restartable:
        SET_PAGE page1, PTE_ALL
        SET_PAGE page2, 0
        mov     dword [page2 - 4], 0x11223344

        ; An access across pages changes nothing.
        PAGE_FAULT "mov into a missing second page", PF_W, page2, mov dword [page2 - 2], -1
        CHECK   "the first page is as it was", [page2 - 4], 0x11223344
        TCG_DIFFERS
        PAGE_FAULT "lock add into a missing second page", PF_W, page2, lock add dword [page2 - 1], -1
        CHECK   "the first page is as it was (lock add)", [page2 - 4], 0x11223344
        PAGE_FAULT "movups into a missing second page", PF_W, page2, movups [page2 - 8], xmm0
        TCG_DIFFERS                             ; stores the halves separately
        CHECK   "the first page is as it was (movups)", [page2 - 4], 0x11223344
        TCG_DIFFERS                             ; stores the exponent separately
        PAGE_FAULT "fstp into a missing second page", PF_W, page2, fstp tword [page2 - 4]
        PAGE_FAULT "read across into a missing page", 0, page2, mov eax, [page2 - 1]
        PAGE_FAULT "sgdt into a missing second page", PF_W, page2, sgdt [page2 - 2]

        ; Strings go on where they stopped.
        mov     esi, area
        mov     edi, page2 - 10
        mov     ecx, 50
        PAGE_FAULT "rep movsb", PF_W, page2, rep movsb
        CHECK   "rep movsb: ecx", [got.ecx], 40
        CHECK   "rep movsb: esi", [got.esi], area + 10
        CHECK   "rep movsb: edi", [got.edi], page2
        mov     esi, page2 - 10
        mov     edi, area
        mov     ecx, 50
        PAGE_FAULT "rep movsd from a page that ends", 0, page2, rep movsd
        CHECK   "rep movsd: ecx", [got.ecx], 48
        CHECK   "rep movsd: esi", [got.esi], page2 - 2
        CHECK   "rep movsd: edi", [got.edi], area + 8
        std
        SET_PAGE page1, 0
        SET_PAGE page2, PTE_ALL
        mov     edi, page2 + 12
        mov     ecx, 50
        PAGE_FAULT "rep stosd downwards", PF_W, page2 - 4, rep stosd
        CHECK   "rep stosd: ecx", [got.ecx], 46
        CHECK   "rep stosd: edi", [got.edi], page2 - 4
        cld
        SET_PAGE page1, PTE_ALL
        SET_PAGE page2, 0
        mov     edi, page2 - 5
        mov     ecx, 50
        mov     al, 0x5a
        PAGE_FAULT "repne scasb", 0, page2, repne scasb
        CHECK   "repne scasb: ecx", [got.ecx], 45
        CHECK   "repne scasb: edi", [got.edi], page2
        mov     edi, page2
        xor     ecx, ecx
        NO_FAULT "rep stosb of nothing", rep stosb

        ; Instructions that push, in ring 3: ESP stays.
%macro PUSH_FAULT 5+                            ; "name", ESP, error code, CR2, instruction
        CATCH   %%after
        push    dword USER_DATA
        push    dword %2
        push    dword EFLAGS_1
        push    dword USER_CODE
        push    dword %%at
        iretd
%%at:   %5
        int     VEC_NONE
%%after:
        CAUGHT  %1, VEC_PF, %3 | PF_U, %%at
        CHECK   %strcat(%1, ": cr2"), [got.cr2], %4
        CHECK   %strcat(%1, ": esp"), [got.esp], %2
%endmacro
        SET_PAGE page1, 0
        SET_PAGE page2, PTE_ALL
        PUSH_FAULT "push", page2, PF_W, page2 - 4, push eax
        PUSH_FAULT "call", page2, PF_W, page2 - 4, call putc
        PUSH_FAULT "call indirectly", page2, PF_W, page2 - 4, call [resume]
        PUSH_FAULT "pushfd", page2, PF_W, page2 - 4, pushfd
        PUSH_FAULT "push of memory", page2, PF_W, page2 - 4, push dword [area]
        TCG_DIFFERS 3                           ; looks at the lowest address first
        PUSH_FAULT "pushad at the edge", page2 + 8, PF_W, page2 - 4, pushad
        TCG_DIFFERS                             ; forgets that it is in ring 3
        PUSH_FAULT "far call", page2 + 4, PF_W, page2 - 4, call USER_CODE:putc
        PUSH_FAULT "enter", page2, PF_W, page2 - 4, enter 16, 0
        SET_PAGE page1, PTE_ALL
        SET_PAGE page2, 0
        PUSH_FAULT "pop", page2, 0, page2, pop eax
        PUSH_FAULT "popad at the edge", page2 - 8, 0, page2, popad
        PUSH_FAULT "ret", page2, 0, page2, ret
        PUSH_FAULT "pop to a missing page", page2 - 4, PF_W, page2, pop dword [page2]
        mov     ebp, page2
        PUSH_FAULT "leave", page2 - 4, 0, page2, leave
        CHECK   "leave: ebp", [got.ebp], page2

        ; The instruction itself lies across pages.
        mov     word [page2 - 2], 0xb890        ; nop, mov eax, imm32
        CATCH   .fetch
        jmp     page_2_minus_2
.fetch:
        CAUGHT  "instruction into a missing page", VEC_PF, 0, page2 - 1
        CHECK   "instruction into a missing page: cr2", [got.cr2], page2

        ; Accessed and dirty bits.
        SET_PAGE page2, PTE_ALL
        mov     ebx, page2
        shr     ebx, 12
        lea     ebx, [page_table + ebx * 4]
        mov     ecx, [ebx]
        and     ecx, 0xfff
        CHECK   "page not accessed", ecx, PTE_ALL
        mov     al, [page2]
        mov     ecx, [ebx]
        and     ecx, 0xfff
        CHECK   "page accessed", ecx, PTE_ALL | PTE_A
        mov     [page2], al
        mov     ecx, [ebx]
        and     ecx, 0xfff
        CHECK   "page dirty", ecx, PTE_ALL | PTE_A | PTE_D
        test    dword [page_directory], PTE_A
        setnz   cl
        movzx   ecx, cl
        CHECK   "page table accessed", ecx, 1
        test    dword [page_directory], PTE_D
        setnz   cl
        movzx   ecx, cl
        CHECK   "directory entries do not get dirty", ecx, 0
        ret
page_2_minus_2 equ page2 - 2

; -- Exceptions during exceptions -----------------------------------------------------------------------------------

double_faults:
        SET_PAGE page1, 0
        and     byte [idt + VEC_PF * 8 + 5], 0x7f
        FAULT   "page fault through an absent gate", VEC_DF, 0, mov al, [page1]
        or      byte [idt + VEC_PF * 8 + 5], 0x80
        and     byte [idt + VEC_GP * 8 + 5], 0x7f
        xor     eax, eax
        FAULT   "#GP through an absent gate", VEC_DF, 0, mov ss, eax
        or      byte [idt + VEC_GP * 8 + 5], 0x80
        xor     ebx, ebx
        and     byte [idt + VEC_DE * 8 + 5], 0x7f
        FAULT   "#DE through an absent gate", VEC_DF, 0, div ebx
        or      byte [idt + VEC_DE * 8 + 5], 0x80
        ; Benign exceptions do not double; EXT says that no INT instruction asked for the vector.
        and     byte [idt + VEC_UD * 8 + 5], 0x7f
        TCG_DIFFERS                             ; never sets EXT
        FAULT   "#UD through an absent gate", VEC_NP, VEC_UD * 8 + 3, ud2
        or      byte [idt + VEC_UD * 8 + 5], 0x80
        and     byte [idt + VEC_BP * 8 + 5], 0x7f
        FAULT   "int3 through an absent gate", VEC_NP, VEC_BP * 8 + 2, int3
        or      byte [idt + VEC_BP * 8 + 5], 0x80
        ; A gate to a segment that will not do: the selector is in the error code.
        mov     word [idt + 0x43 * 8 + 2], KERNEL_DATA
        FAULT   "gate to data", VEC_GP, KERNEL_DATA, int 0x43
        mov     word [idt + 0x43 * 8 + 2], 0
        FAULT   "gate to null", VEC_GP, 0, int 0x43
        mov     word [idt + 0x43 * 8 + 2], ABSENT_CODE
        FAULT   "gate to absent code", VEC_NP, ABSENT_CODE, int 0x43
        ret

IMAGE_END
