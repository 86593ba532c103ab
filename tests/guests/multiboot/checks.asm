; SPDX-License-Identifier: MIT
;
; The machine state at entry (Multiboot Specification 0.6.96, section 3.2), the information structure
; (3.3), modules and command lines. Wants 16 MiB, CMDLINE as command line, and its own file as module
; three times, with MODULE_ARGS0 to MODULE_ARGS2 behind the file's name.

%include "lib/image.asm"
%define entry test_entry                        ; we look at the state first
%include "lib/test.asm"
%undef entry

%define CMDLINE         " first second=2"
%define MODULE_ARGS0    " one two"
%define MODULE_ARGS1    ""
%define MODULE_ARGS2    " a,b"
MODULES                 equ 3
%strlen NAME_LENGTH GUEST_NAME

INFO_FLAGS              equ 0                   ; offsets in the information
INFO_MEM_LOWER          equ 4
INFO_MEM_UPPER          equ 8
INFO_MODULES            equ 20
INFO_MODULE_LIST        equ 24
INFO_LOADER_NAME        equ 64
INFO_WANTED             equ 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9
MMAP_BASE               equ 4                   ; offsets in an entry of the memory map
MMAP_LENGTH             equ 12
MMAP_TYPE               equ 20

RIGHTS_MASK             equ 0x00e0fe00          ; without AVL and the accessed bit
RIGHTS_CODE             equ 0x00c09a00          ; 32 bits, pages, present, level 0, readable
RIGHTS_DATA             equ 0x00c09200

section .strings
NAME:   db      GUEST_NAME, 0
cmdline:        db CMDLINE, 0
module_args:
.0:     db      MODULE_ARGS0, 0
.1:     db      MODULE_ARGS1, 0
.2:     db      MODULE_ARGS2, 0
far_text:
%ifdef IMAGE_ELF
        db      ELF_FAR_TEXT
        times   ELF_FAR_SIZE - ($ - far_text) db 0
%endif
far_text_end:

section .data
        align   4
at_entry:
.eax:   dd      0
.ebx:   dd      0
.eflags: dd     0
.cr0:   dd      0
.rights: times  6 dd 0
.limits: times  6 dd 0
.base_0: dd     0                               ; segments whose base is 0
.a20:   dd      0
.bss:   dd      0                               ; bytes of .bss that are not zero
args:   dd      module_args.0, module_args.1, module_args.2

; -- At entry --------------------------------------------------------------------------------------------------

; Number, register.
%macro SEGMENT 2
        mov     eax, %2
        lar     ecx, eax
        mov     [at_entry.rights + 4 * %1], ecx
        lsl     ecx, eax
        mov     [at_entry.limits + 4 * %1], ecx
        cmp     dword [%2:multiboot_header], MULTIBOOT_MAGIC
        jne     %%end
        inc     dword [at_entry.base_0]
%%end:
%endmacro

section .text
entry:
        mov     [at_entry.eax], eax
        mov     [at_entry.ebx], ebx
        cld
        xor     eax, eax
        mov     edi, page_directory             ; the first thing in .bss
        mov     ecx, image_end
        sub     ecx, edi
        repe scasb
        setne   [at_entry.bss]
        mov     esp, stack_top
        pushfd
        pop     dword [at_entry.eflags]
        mov     eax, cr0
        mov     [at_entry.cr0], eax
        SEGMENT 0, cs
        SEGMENT 1, ss
        SEGMENT 2, ds
        SEGMENT 3, es
        SEGMENT 4, fs
        SEGMENT 5, gs
        mov     esi, [at_entry.a20 - (1 << 20)] ; where at_entry.a20 is if A20 is off
        mov     dword [at_entry.a20], 1
        mov     dword [at_entry.a20 - (1 << 20)], 0
        mov     [at_entry.a20 - (1 << 20)], esi
        jmp     test_entry

; -- Checks ----------------------------------------------------------------------------------------------------

test_main:
        CHECK   "eax", [at_entry.eax], MULTIBOOT_LOADED
        CHECK   "a20", [at_entry.a20], 1
        CHECK   "bss is zero", [at_entry.bss], 0
        mov     eax, [at_entry.cr0]
        and     eax, CR0_PG | CR0_PE
        CHECK   "cr0", eax, CR0_PE
        mov     eax, [at_entry.eflags]
        and     eax, EFLAGS_IF | EFLAGS_VM
        CHECK   "eflags", eax, 0
        call    segments
        mov     ebx, [at_entry.ebx]
        call    information
        call    memory_map
        call    modules
        mov     esi, far_text
        mov     edi, far_text_address
        mov     ecx, far_text_end - far_text
        repe cmpsb
        CHECK   "second segment", ecx, 0
        jmp     test_end

segments:
        CHECK   "segments at 0", [at_entry.base_0], 6
        mov     ebp, RIGHTS_CODE
        xor     edx, edx
.next:
        mov     eax, [at_entry.rights + edx * 4]
        and     eax, RIGHTS_MASK
        CHECK   "rights of cs ss ds es fs gs", eax, ebp
        CHECK   "limit of cs ss ds es fs gs", [at_entry.limits + edx * 4], 0xffffffff
        mov     ebp, RIGHTS_DATA
        inc     edx
        cmp     edx, 6
        jb      .next
        ret

information:
        mov     eax, [ebx + INFO_FLAGS]
        and     eax, INFO_WANTED
        CHECK   "flags", eax, INFO_WANTED
        mov     eax, [ebx + INFO_MEM_LOWER]
        sub     eax, 512                        ; the extended BIOS data area may be of any size
        shr     eax, 8
        CHECK   "lower memory", eax, 0
        mov     eax, 15 * 1024
        sub     eax, [ebx + INFO_MEM_UPPER]
        shr     eax, 8                          ; firmware may keep some of it for its tables
        CHECK   "upper memory", eax, 0
        mov     esi, [ebx + MULTIBOOT_CMDLINE]
        mov     edi, cmdline
        call    ends_with
        CHECK   "command line", eax, 1
        mov     esi, [ebx + INFO_LOADER_NAME]
        cmp     byte [esi], 0
        setne   al
        movzx   eax, al
        CHECK   "loader's name", eax, 1
        ret

; One entry is RAM that begins with us and holds us and, as `modules` checks, the modules.
memory_map:
        mov     esi, [ebx + MULTIBOOT_MMAP]
        mov     edi, esi
        add     edi, [ebx + MULTIBOOT_MMAP_LENGTH]
.next:
        cmp     dword [esi + MMAP_TYPE], 1
        jne     .skip
        cmp     dword [esi + MMAP_BASE + 4], 0
        jne     .skip
        cmp     dword [esi + MMAP_BASE], LOAD_ADDRESS
        jne     .skip
        mov     eax, LOAD_ADDRESS
        add     eax, [esi + MMAP_LENGTH]
        mov     [ram_end], eax
.skip:
        CHECK   "size in the memory map", [esi], 20
        add     esi, [esi]
        add     esi, 4
        cmp     esi, edi
        jb      .next
        CHECK   "end of the memory map", esi, edi
        cmp     dword [ram_end], image_end
        seta    al
        movzx   eax, al
        CHECK   "RAM in the memory map", eax, 1
        ret

modules:
        CHECK   "modules", [ebx + INFO_MODULES], MODULES
        mov     ebp, [ebx + INFO_MODULE_LIST]
        mov     dword [free], image_end
        xor     edx, edx
.next:
        mov     eax, [ebp]
        and     eax, PAGE_SIZE - 1
        CHECK   "module is page-aligned", eax, 0
        mov     eax, [ebp]
        cmp     eax, [free]
        setae   al
        movzx   eax, al
        CHECK   "module is behind what was before", eax, 1
        mov     eax, [ebp + 4]
        mov     [free], eax
        sub     eax, [ebp]
        CHECK   "size of module", eax, file_end - LOAD_ADDRESS
        mov     eax, [free]
        cmp     eax, [ram_end]
        setbe   al
        movzx   eax, al
        CHECK   "module is in RAM", eax, 1

        mov     esi, [ebp]                      ; what we have not changed ourselves
        mov     edi, LOAD_ADDRESS
        mov     ecx, text_end - LOAD_ADDRESS
        repe cmpsb
        CHECK   "module's first part", ecx, 0
        mov     esi, [ebp]
        add     esi, NAME - LOAD_ADDRESS
        mov     edi, NAME
        mov     ecx, file_end - LOAD_ADDRESS
        sub     ecx, NAME - LOAD_ADDRESS
        repe cmpsb
        CHECK   "module's last part", ecx, 0

        mov     esi, [ebp + 8]
        mov     edi, [args + edx * 4]
        call    ends_with
        CHECK   "module's command line", eax, 1
        add     ebp, 16
        inc     edx
        cmp     edx, MODULES
        jb      .next
        ret

; EAX = 1: the text at ESI is a file's name and the text at EDI.
ends_with:
        push    ecx
        push    edx
        call    length
        mov     edx, ecx
        xchg    esi, edi
        call    length
        xchg    esi, edi
        xor     eax, eax
        sub     edx, ecx
        cmp     edx, NAME_LENGTH + 4            ; the guest's name and ".bin" at least
        jl      .end
        cmp     dword [esi + edx - 4], ".bin"
        jne     .end
        add     esi, edx
        inc     ecx
        repe cmpsb
        sete    al
.end:
        pop     edx
        pop     ecx
        ret

; ECX = length of the text at ESI.
length:
        or      ecx, -1
.next:
        inc     ecx
        cmp     byte [esi + ecx], 0
        jne     .next
        ret
text_end:

section .bss
ram_end:        resd 1
free:           resd 1                          ; end of what is known to be in memory

%ifdef IMAGE_ELF
far_text_address        equ ELF_FAR
%else
far_text_address        equ far_text
%endif
IMAGE_END
