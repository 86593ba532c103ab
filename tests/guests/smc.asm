; SPDX-License-Identifier: MIT
;
; Self-modifying code. From the P6 on a store is seen by the very next instruction, if store and
; fetch use the same linear address (SDM 3A 8.1.3 and 11.6); through another linear address a jump or
; a serializing instruction has to come between, so those checks have one.
;
; Each pattern runs HOT times, so that whatever translates hot code has its chance to go wrong.

%include "lib/image.asm"
%include "lib/test.asm"
%include "lib/long.asm"

section .strings
NAME:   db      "smc", 0

HOT             equ 10000
HOT_SUM         equ HOT * (HOT + 1) / 2
ALIAS           equ 0x3e0000                    ; linear addresses whose mapping changes
LOW_CODE        equ 0x8000                      ; for 16-bit code
FW_CFG_SELECT   equ 0x510
FW_CFG_DATA     equ 0x511

section .bss
        alignb  PAGE_SIZE
code_a: resb    PAGE_SIZE                       ; code is made in these
code_b: resb    PAGE_SIZE
code_c: resb    PAGE_SIZE
stack_code:
        resb    PAGE_SIZE
ring:   resb    64 * 64

section .text
; Copies the code between two labels.
%macro COPY 3                                   ; destination, from, to
        mov     esi, %2
        mov     edi, %1
        mov     ecx, %3 - %2
        rep movsb
%endmacro

; A page gets another page's memory.
%macro MAP 3                                    ; linear, page with the memory (a label), rights
        mov     eax, %2
        and     eax, -PAGE_SIZE
        or      eax, %3
        mov     [page_table + (%1) / PAGE_SIZE * 4], eax
        invlpg  [%1]
%endmacro

test_main:
        call    next_instruction
        call    same_block
        call    own_bytes
        call    branches
        call    across_pages
        call    aliases
        call    remapping
        call    strings
        call    stack
        call    unusual_stores
        call    walker_stores
        call    devices
        call    copies
        call    whole_page
        call    ring3
        call    code16
        call    has_long_mode
        jz      .end
        call    code64
.end:
        jmp     test_end

; -- Instructions ahead and behind --------------------------------------------------------------------

next_instruction:
        mov     ecx, HOT
        xor     ebx, ebx
.loop:
        mov     [.imm + 1], ecx
.imm:   mov     eax, -1
        add     ebx, eax
        dec     ecx
        jnz     .loop
        CHECK   "immediate of the next instruction", ebx, HOT_SUM

        mov     ecx, HOT
        xor     ebx, ebx
.opcode_loop:
        mov     byte [.opcode], 0x43            ; inc ebx
.opcode:
        nop
        mov     byte [.opcode], 0x90
        dec     ecx
        jnz     .opcode_loop
        CHECK   "opcode of the next instruction", ebx, HOT

        ; One byte of several, two at a time, and one that makes the instruction shorter.
        mov     ecx, HOT
        xor     ebx, ebx
.length:
        mov     word [.changing], 0x9043        ; inc ebx, nop
.changing:
        mov     al, 0x43                        ; b0 43
        mov     word [.changing], 0x43b0
        test    ecx, 1
        jz      .even
        mov     byte [.changing], 0x90          ; nop, inc ebx
.even:
        mov     eax, .changing_end
        mov     byte [.after_jump], 0xc3
        call    .changing_again
        mov     byte [.after_jump], 0x90
        dec     ecx
        jnz     .length
        CHECK   "length of the next instruction", ebx, HOT + HOT / 2
        ret
.changing_again:                                ; the same bytes, entered by a call
        mov     ax, [.changing]
        mov     [.second], ax
.second:
        dw      0x9090
.after_jump:
        nop
        ret
.changing_end:

same_block:
        ; Later in the block, twice, with code that does not change between.
        mov     ecx, HOT
        xor     ebx, ebx
        xor     edx, edx
.ahead:
        mov     [.ahead_1 + 2], cl
        mov     [.ahead_2 + 2], ecx
        lea     eax, [ecx + ecx]
        xor     eax, ecx
        not     eax
        nop
.ahead_1:
        add     ebx, 0x7f
        lea     esi, [eax + 1]
.ahead_2:
        add     edx, 0x7fffffff
        dec     ecx
        jnz     .ahead
        CHECK   "further ahead in the block", edx, HOT_SUM
        ; Sum of the low bytes, sign-extended.
        xor     edx, edx
        mov     ecx, HOT
.low:   movsx   eax, cl
        add     edx, eax
        loop    .low
        CHECK   "a byte ahead in the block", ebx, edx

        ; Behind: what has run already, for the next time round.
        mov     ecx, HOT
        xor     ebx, ebx
        mov     dword [.behind + 2], HOT
.behind:
        add     ebx, strict dword 0
        dec     ecx
        mov     [.behind + 2], ecx
        jnz     .behind
        CHECK   "behind in the block", ebx, HOT_SUM

        ; Only sometimes: the code is hot by then.
        mov     ecx, HOT
        xor     ebx, ebx
        mov     byte [.sometimes + 2], 1
.rare:
        test    ecx, 1023
        jnz     .sometimes
        inc     byte [.sometimes + 2]
.sometimes:
        add     ebx, 1
        dec     ecx
        jnz     .rare
        ; 9 changes: before iterations with ECX = 9216, ..., 1024. 1 for 784 iterations, then 2 to 9
        ; for 1024 each, then 10 for 1024.
        CHECK   "once in 1024 times", ebx, 784 + 1024 * (2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10)

        ; What is written is what is there already.
        mov     ecx, HOT
        xor     ebx, ebx
        mov     eax, [.same]
.same_loop:
        mov     [.same], eax
.same:  add     ebx, 3
        nop
        dec     ecx
        jnz     .same_loop
        CHECK   "the same bytes again", ebx, 3 * HOT
        ret

own_bytes:
        ; An instruction that changes its own immediate: the old one counts, and doubles it.
        mov     edx, HOT / 8
        xor     ebx, ebx
.again:
        mov     dword [.self + 6], 1
        mov     ecx, 8
.self:  add     dword [.self + 6], 0x11111111
        add     ebx, [.self + 6]
        dec     ecx
        jnz     .self
        dec     edx
        jnz     .again
        CHECK   "an instruction's own immediate", ebx, HOT / 8 * 510

        ; The byte that follows is a RET, which an instruction turns into itself.
        mov     ecx, HOT
        xor     ebx, ebx
.own:
        mov     word [.own_code], 0x05ff        ; inc dword [.own_count]
        call    .own_code
        dec     ecx
        jnz     .own
        CHECK   "an instruction that replaces its opcode", [.own_count], HOT
        ret
section .data
.own_count:
        dd      0
section .text
.own_code:
        inc     dword [.own_count]
        mov     word [.own_code], 0xc390        ; nop, ret
        call    .own_code
        ret

branches:
        ; The target of a jump, a call, a conditional jump.
        mov     ecx, HOT
        xor     ebx, ebx
        xor     edx, edx
.loop:
        xor     byte [.jump + 1], (.one - .jump_end) ^ (.two - .jump_end)
.jump:  jmp     short .one
.jump_end:
        ud2
.one:   inc     ebx
        jmp     short .joined
        ud2
        align   64, int3
.two:   inc     edx
.joined:
        dec     ecx
        jnz     .loop
        CHECK   "first target of a jump", ebx, HOT / 2
        CHECK   "second target of a jump", edx, HOT / 2

        mov     ecx, HOT
        xor     ebx, ebx
.calls:
        mov     eax, .add_1 - .call_end
        test    ecx, 3
        jnz     .patch
        mov     eax, .add_100 - .call_end
.patch:
        mov     [.call + 1], eax
.call:  call    near .add_1
.call_end:
        dec     ecx
        jnz     .calls
        CHECK   "target of a call", ebx, HOT / 4 * 3 + HOT / 4 * 100

        mov     ecx, HOT
        xor     ebx, ebx
.condition_loop:
        xor     byte [.condition], 1            ; jz, jnz
        test    ecx, 1
.condition:
        jz      .taken
        inc     ebx
.taken:
        dec     ecx
        jnz     .condition_loop
        ; JNZ with ECX even, JZ with ECX odd: never taken.
        CHECK   "condition of a jump", ebx, HOT

        ; The branch at the end of the loop itself, as an epilogue that is patched to end it.
        mov     edx, HOT / 10
        xor     ebx, ebx
.outer:
        mov     byte [.back], 0xeb              ; jmp short
        xor     ecx, ecx
.inner:
        inc     ebx
        inc     ecx
        cmp     ecx, 10
        jne     .back
        mov     byte [.back], 0xa8              ; test al, imm8
.back:  jmp     short .inner
        dec     edx
        jnz     .outer
        CHECK   "a loop that ends by changing its jump", ebx, HOT
        ret
.add_100:
        add     ebx, 99
.add_1:
        inc     ebx
        ret

; -- Pages -----------------------------------------------------------------------------------------------

across_pages:
        ; mov eax, imm32 with two bytes in the first page; ret
        COPY    code_b - 2, .template, .template_end
        mov     ecx, HOT
        xor     ebx, ebx
        mov     esi, code_b - 2
.loop:
        mov     [esi + 1], ecx
        call    esi
        add     ebx, eax
        dec     ecx
        jnz     .loop
        CHECK   "immediate across pages", ebx, HOT_SUM
        mov     ecx, HOT
        xor     ebx, ebx
        mov     dword [esi + 1], 0
.second:
        mov     [esi + 2], cl                   ; the first byte of the second page
        call    esi
        add     ebx, eax
        mov     [esi + 1], cl                   ; the last one of the first page
        call    esi
        sub     ebx, eax
        mov     byte [esi + 1], 0
        dec     ecx
        jnz     .second
        ; Each round adds c * 256 and takes away c * 257.
        xor     edx, edx
        mov     ecx, HOT
.sum:   movzx   eax, cl
        sub     edx, eax
        loop    .sum
        CHECK   "one byte on either side", ebx, edx

        ; A block that runs from one page to the next changes its second half from the first.
        COPY    code_b - (.block_page - .block), .block, .block_end
        mov     ecx, HOT
        xor     ebx, ebx
        mov     esi, code_b
        mov     edi, code_b - (.block_page - .block)
.blocks:
        call    edi
        dec     ecx
        jnz     .blocks
        CHECK   "second half from the first half", ebx, HOT_SUM
        ret
.template:
        mov     eax, 0
        ret
.template_end:
.block: xor     eax, eax
        mov     [esi + 2], ecx
        nop
.block_page:
        add     ebx, strict dword 0
        ret
.block_end:

aliases:
        MAP     ALIAS, code_a, PTE_ALL
        COPY    code_a, .template, .template_end
        mov     ecx, HOT
        xor     ebx, ebx
.write_alias:
        mov     [ALIAS + 1], ecx
        call    .run_original                   ; (EAX = CPUID's serialises)
        add     ebx, eax
        dec     ecx
        jnz     .write_alias
        CHECK   "written through an alias", ebx, HOT_SUM
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edi, ALIAS
        mov     esi, code_a
.write_original:
        mov     [code_a + 1], ecx
        call    edi
        add     ebx, eax
        call    esi
        add     ebx, eax
        dec     ecx
        jnz     .write_original
        CHECK   "run through both", ebx, HOT_SUM * 2
        ; The page that runs is read-only, the alias is not.
        SET_PAGE code_a, PTE_P | PTE_U
        mov     ecx, HOT
        xor     ebx, ebx
.read_only:
        mov     [ALIAS + 1], ecx
        call    esi
        add     ebx, eax
        dec     ecx
        jnz     .read_only
        CHECK   "written through an alias of a read-only page", ebx, HOT_SUM
        FAULT   "write to the read-only page", VEC_PF, PF_P | PF_W, mov [code_a + 1], ecx
        SET_PAGE code_a, PTE_ALL
        ret
.run_original:
        mov     eax, code_a
        jmp     eax
.template:
        mov     eax, 0
        ret
.template_end:

; The same linear address leads to one code, then to the other.
remapping:
        mov     byte [code_a], 0xb8
        mov     dword [code_a + 1], 1
        mov     byte [code_a + 5], 0xc3
        mov     byte [code_b], 0xb8
        mov     dword [code_b + 1], 1000
        mov     byte [code_b + 5], 0xc3
        mov     ecx, HOT / 2
        xor     ebx, ebx
        mov     esi, ALIAS
.loop:
        MAP     ALIAS, code_a, PTE_ALL
        call    esi
        add     ebx, eax
        MAP     ALIAS, code_b, PTE_ALL
        call    esi
        add     ebx, eax
        dec     ecx
        jnz     .loop
        CHECK   "one address, two pages", ebx, HOT / 2 * 1001
        ; By CR3, and a direct call.
        mov     ecx, HOT / 2
        xor     ebx, ebx
        mov     edx, cr3
        mov     esi, code_a
        mov     edi, code_b
        and     esi, -PAGE_SIZE
        and     edi, -PAGE_SIZE
        or      esi, PTE_ALL
        or      edi, PTE_ALL
.cr3_loop:
        mov     [page_table + ALIAS / PAGE_SIZE * 4], esi
        mov     cr3, edx
        call    ALIAS
        add     ebx, eax
        mov     [page_table + ALIAS / PAGE_SIZE * 4], edi
        mov     cr3, edx
        call    ALIAS
        add     ebx, eax
        dec     ecx
        jnz     .cr3_loop
        CHECK   "one address, two pages, by CR3", ebx, HOT / 2 * 1001
        ; The second page of an instruction changes.
        mov     byte [code_b - 2], 0xb8         ; mov eax, imm32
        mov     byte [code_b - 1], 0x55
        mov     dword [code_b], 0xc3010101
        mov     dword [code_c], 0xc3020202
        mov     ecx, HOT / 2
        xor     ebx, ebx
        MAP     ALIAS, code_a, PTE_ALL
        mov     esi, ALIAS + PAGE_SIZE - 2
.across:
        MAP     ALIAS + PAGE_SIZE, code_b, PTE_ALL
        call    esi
        add     ebx, eax
        MAP     ALIAS + PAGE_SIZE, code_c, PTE_ALL
        call    esi
        sub     ebx, eax
        dec     ecx
        jnz     .across
        CHECK   "an instruction whose second page changes", ebx, (-(HOT / 2) * 0x01010100) & 0xffffffff
        ; Code on its first page jumps to it.
        mov     word [code_b - 4], 0x00eb       ; jmp to the next instruction
        mov     ecx, HOT / 2
        xor     ebx, ebx
        mov     esi, ALIAS + PAGE_SIZE - 4
.jump_across:
        MAP     ALIAS + PAGE_SIZE, code_b, PTE_ALL
        call    esi
        add     ebx, eax
        MAP     ALIAS + PAGE_SIZE, code_c, PTE_ALL
        call    esi
        sub     ebx, eax
        dec     ecx
        jnz     .jump_across
        CHECK   "and which code on its first page jumps to", ebx, (-(HOT / 2) * 0x01010100) & 0xffffffff
        ret

; -- Strings, stacks, odd stores ------------------------------------------------------------------------------

strings:
        ; REP STOSB over the instructions that follow it.
        mov     edx, HOT
        xor     ebx, ebx
.stos_loop:
        mov     byte [.filled + 7], 0x90
        mov     edi, .filled
        mov     ecx, 8
        mov     al, 0x43                        ; inc ebx
        rep stosb
.filled:
        times   8 nop
        mov     edi, .filled
        mov     ecx, 8
        mov     al, 0x90
        rep stosb
        dec     edx
        jnz     .stos_loop
        CHECK   "rep stosb over what follows", ebx, HOT * 8

        ; REP MOVSB over itself (with the bytes that are there) and what follows, by two sources.
        COPY    code_a, .image, .image_end
        COPY    code_a + 256, .image, .image_end
        mov     byte [code_a + (.image_op - .image) + 2], 2
        mov     byte [code_a + 256 + (.image_op - .image) + 2], 5
        mov     edx, HOT
        xor     ebx, ebx
.movs_loop:
        mov     esi, code_a
        test    edx, 1
        jz      .source
        mov     esi, code_a + 256
.source:
        mov     edi, .image
        mov     ecx, .image_end - .image
.image:
        nop
        rep movsb
        nop
.image_op:
        add     ebx, 1
        nop
.image_end:
        dec     edx
        jnz     .movs_loop
        CHECK   "rep movsb over itself", ebx, HOT / 2 * 7

        ; The same downwards, in dwords.
        mov     edx, HOT
        xor     ebx, ebx
.down_loop:
        mov     eax, [.down_op]
        xor     eax, 0x00030000                 ; 1 or 2
        mov     [.down_source + 4], eax
        mov     eax, [.down_op - 4]
        mov     [.down_source], eax
        std
        mov     esi, .down_source + 4
        mov     edi, .down_op
        mov     ecx, 2
        rep movsd
        cld
        nop
        nop
        nop
        nop
.down_op:
        add     ebx, 1
        nop
        dec     edx
        jnz     .down_loop
        CHECK   "rep movsd downwards", ebx, HOT / 2 * 3

        ; Data beside running code.
        mov     edx, HOT / 10
        xor     ebx, ebx
.beside:
        mov     edi, .data
        mov     ecx, 16
        mov     eax, edx
        rep stosd
        add     ebx, [.data + 60]
        dec     edx
        jnz     .beside
        CHECK   "data beside code", ebx, HOT / 10 * (HOT / 10 + 1) / 2
        ret
        align   4
.data:  times   16 dd 0
.down_source:
        dd      0, 0

; The stack runs into the code: what PUSH, CALL and ENTER write is an instruction's immediate.
stack:
        COPY    stack_code + 1024, .pushes, .pushes_end
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edi, stack_code + 1024
        mov     ebp, esp
.loop:
        call    edi
        dec     ecx
        jnz     .loop
        CHECK   "pushes into the code", ebx, HOT_SUM * 3
        ret
.pushes:
        lea     esp, [edi + (.first - .pushes) + 6]
        push    ecx
.first: add     ebx, strict dword -1
        lea     esp, [edi + (.second - .pushes) + 6]
        push    ecx
        push    word 0xc381                     ; add ebx, imm32
.second:
        add     ebx, strict dword -1
        lea     esp, [edi + (.third - .pushes) + 6]
        mov     eax, ecx
        mov     ecx, 0xc3810000
        pushad                                  ; EAX, then ECX, which has the opcode; then what is skipped
        mov     ecx, eax
        lea     esp, [ebp - 4]
        jmp     .third
        times   32 int3
.third: add     ebx, strict dword -1
        ret
.pushes_end:

unusual_stores:
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edx, .imm + 2
.loop:
        mov     dword [edx], 0
        or      [edx], ecx
.imm:   add     ebx, strict dword -1
        dec     ecx
        jnz     .loop
        CHECK   "or", ebx, HOT_SUM
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edx, .xadd_imm + 2
        mov     dword [edx], 0
.xadd_loop:
        mov     eax, 1
        lock xadd [edx], eax
.xadd_imm:
        add     ebx, strict dword -1
        dec     ecx
        jnz     .xadd_loop
        CHECK   "lock xadd", ebx, HOT_SUM
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edx, .cmpxchg_imm + 2
.cmpxchg_loop:
        mov     eax, [edx]
        cmpxchg [edx], ecx
.cmpxchg_imm:
        add     ebx, strict dword -1
        dec     ecx
        jnz     .cmpxchg_loop
        CHECK   "cmpxchg", ebx, HOT_SUM
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edx, .bts_imm + 2
.bts_loop:
        mov     dword [edx], 0
        bts     dword [.imm], (.bts_imm + 2 - .imm) * 8 & 31     ; elsewhere in the page
        mov     eax, (.bts_imm + 2 - .imm) * 8 + 4
        bts     [.imm], eax
.bts_imm:
        add     ebx, strict dword -1
        dec     ecx
        jnz     .bts_loop
        CHECK   "bts", ebx, HOT * 16
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edx, .fst_imm + 2
        fninit
.fst_loop:
        mov     [.integer], ecx
        fild    dword [.integer]
        fistp   dword [edx]
.fst_imm:
        add     ebx, strict dword -1
        dec     ecx
        jnz     .fst_loop
        CHECK   "fistp", ebx, HOT_SUM
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edx, .setcc_imm + 2
        mov     dword [edx], 0
.setcc_loop:
        test    ecx, 1
        setnz   [edx]
.setcc_imm:
        add     ebx, strict dword -1
        dec     ecx
        jnz     .setcc_loop
        CHECK   "setcc", ebx, HOT / 2
        ret
section .data
.integer:
        dd      0
section .text

; Not the program but the processor writes: accessed and dirty bits, descriptors. The code is in the
; page table, and in the GDT.
walker_stores:
        ; mov eax, imm32 where the immediate is the entry of ALIAS, which is not in use otherwise.
        MAP     ALIAS, code_a, PTE_ALL
        mov     esi, page_table + ALIAS / PAGE_SIZE * 4 - 1
        mov     byte [esi], 0xb8
        mov     byte [esi + 5], 0xc3
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edx, code_a
        and     edx, -PAGE_SIZE
        or      edx, PTE_ALL
.loop:
        mov     [esi + 1], edx
        invlpg  [ALIAS]
        call    esi
        add     ebx, eax
        cmp     byte [ALIAS], 0                 ; sets A
        call    esi
        add     ebx, eax
        mov     byte [ALIAS + 16], 0            ; sets D
        call    esi
        lea     ebx, [ebx + eax]
        sub     ebx, edx
        sub     ebx, edx
        sub     ebx, edx
        dec     ecx
        jnz     .loop
        CHECK   "accessed and dirty bits as an immediate", ebx, HOT * (PTE_A + PTE_A + PTE_D)
        mov     byte [esi + 5], 0
        mov     byte [esi], 0
        ; The access byte of a descriptor as the first byte of an immediate.
        mov     esi, gdt + SPARE + 4
        mov     ecx, HOT
        xor     ebx, ebx
.gdt_loop:
        DESCRIPTOR SPARE, 0, 0xfffff, 0x92, 0xc
        mov     byte [esi], 0xb8                ; base 23:16
        mov     word [esi + 4], 0xc300          ; the next slot
        call    esi
        add     ebx, eax
        mov     eax, SPARE
        mov     fs, eax                         ; sets "accessed"
        call    esi
        sub     ebx, eax
        dec     ecx
        jnz     .gdt_loop
        CHECK   "accessed bit of a descriptor", ebx, -HOT
        ret

; -- Devices -----------------------------------------------------------------------------------------------------

; INSB of fw_cfg's signature, then its DMA, where there is fw_cfg.
devices:
        mov     dx, FW_CFG_SELECT
        xor     eax, eax
        out     dx, ax
        mov     dx, FW_CFG_DATA
        in      al, dx
        cmp     al, "Q"
        jne     .end
        mov     ecx, HOT / 10
        xor     ebx, ebx
.loop:
        push    ecx
        mov     dx, FW_CFG_SELECT
        xor     eax, eax
        out     dx, ax
        mov     dx, FW_CFG_DATA
        mov     dword [.imm + 1], 0
        mov     edi, .imm + 1
        mov     ecx, 4
        rep insb
.imm:   mov     eax, -1
        sub     eax, "QEMU"
        add     ebx, eax
        pop     ecx
        dec     ecx
        jnz     .loop
        CHECK   "insb", ebx, 0

        mov     dx, FW_CFG_SELECT + 4
        in      eax, dx
        cmp     eax, 0x554d4551                 ; "QEMU CFG" in the DMA address register
        jne     .end
        mov     ecx, HOT / 10
        xor     ebx, ebx
.dma_loop:
        mov     dword [.dma_imm + 1], 0
        mov     dword [.control], 0x0a000000    ; big-endian: select 0, read
        mov     dword [.length], 0x04000000
        mov     dword [.address_high], 0
        mov     eax, .dma_imm + 1
        bswap   eax
        mov     [.address_low], eax
        mov     eax, .control
        bswap   eax
        mov     dx, FW_CFG_SELECT + 8
        out     dx, eax
.dma_wait:
        test    dword [.control], ~0x01000000
        jnz     .dma_wait
.dma_imm:
        mov     eax, -1
        sub     eax, "QEMU"
        add     ebx, eax
        dec     ecx
        jnz     .dma_loop
        CHECK   "DMA", ebx, 0
.end:
        ret
section .data
        align   4
.control:       dd 0
.length:        dd 0
.address_high:  dd 0
.address_low:   dd 0
section .text

; -- Copies -----------------------------------------------------------------------------------------------------

copies:
        ; Two routines in turn at one place.
        mov     edx, HOT
        xor     ebx, ebx
.loop:
        mov     esi, .one
        test    edx, 1
        jz      .copy
        mov     esi, .two
.copy:
        mov     edi, code_a
        mov     ecx, .end - .two
        rep movsb
        call    code_a
        dec     edx
        jnz     .loop
        CHECK   "two routines in turn", ebx, HOT / 2 * (3 + 0x100)
        ; A ring of 64 places, each time another immediate.
        mov     edx, HOT
        xor     ebx, ebx
.ring_loop:
        mov     edi, edx
        and     edi, 63
        shl     edi, 6
        add     edi, ring
        mov     word [edi], 0xc381              ; add ebx, imm32
        mov     [edi + 2], edx
        mov     byte [edi + 6], 0xc3
        call    edi
        dec     edx
        jnz     .ring_loop
        CHECK   "a ring of routines", ebx, HOT_SUM
        ; Changed once, run often; 100 times.
        mov     edx, 100
        xor     ebx, ebx
.often: mov     dword [ring], 0xb8
        mov     [ring + 1], edx
        mov     byte [ring + 5], 0xc3
        mov     ecx, 200
.often_loop:
        call    ring
        add     ebx, eax
        dec     ecx
        jnz     .often_loop
        dec     edx
        jnz     .often
        CHECK   "run 200 times between changes", ebx, 200 * 5050
        ret
.one:   add     ebx, 3
        ret
        times   8 int3
.two:   xor     eax, eax
        mov     ah, 1
        add     ebx, eax
        nop
        nop
        ret
        int3
.end:

; A page of INC EBX, of which one byte at a time changes.
whole_page:
        mov     edi, code_a
        mov     ecx, PAGE_SIZE - 1
        mov     al, 0x43
        rep stosb
        mov     byte [edi], 0xc3
        mov     ecx, 300
        xor     ebx, ebx
        xor     edx, edx
        mov     esi, 1
.loop:
        imul    esi, esi, 1103515245
        add     esi, 12345
        mov     eax, esi
        shr     eax, 16
        and     eax, PAGE_SIZE - 1
        cmp     eax, PAGE_SIZE - 1
        je      .next
        cmp     byte [code_a + eax], 0x90
        je      .next
        mov     byte [code_a + eax], 0x90
        inc     edx
        push    ebx
        call    code_a
        pop     eax
        sub     ebx, eax
        add     ebx, edx
        cmp     ebx, PAGE_SIZE - 1
        jne     .wrong
        xor     ebx, ebx
.next:
        dec     ecx
        jnz     .loop
.wrong:
        CHECK   "one byte of a page of code", ebx, 0
        CHECK   "all its bytes", ecx, 0
        ret

; In ring 3 too, by a system call's worth of change in ring 0.
ring3:
        mov     dword [hook], .change
        mov     dword [.rounds], HOT / 10
        CATCH   .end
        call    enter_ring3
        xor     ebx, ebx
        mov     ecx, HOT / 10
.loop:
        int     VEC_NONE                        ; ring 0 changes the immediate
.imm:   add     ebx, strict dword 0
        dec     ecx
        jnz     .loop
        mov     dword [.rounds], 0
        int     VEC_NONE
.end:
        mov     dword [hook], 0
        CHECK   "changed in ring 0, run in ring 3", [got.ebx], HOT / 10 * (HOT / 10 + 1) / 2
        ret
.change:
        mov     eax, [.rounds]
        cmp     eax, 1                          ; carry: done
        jc      .changed
        mov     [.imm + 2], eax
        dec     dword [.rounds]
        clc
.changed:
        ret
section .data
.rounds:
        dd      0
section .text

; -- 16 and 64 bits -----------------------------------------------------------------------------------------------

code16:
        COPY    LOW_CODE, .start, .end
        mov     dword [.far], LOW_CODE
        mov     word [.far + 4], CODE16
        mov     ecx, HOT
        xor     ebx, ebx
        call    far [.far]
        CHECK   "16-bit code", ebx, HOT_SUM + HOT
        ret
section .data
.far:   dd      0
        dw      0
section .text
        bits    16
.start:
        mov     [dword LOW_CODE + (.imm - .start) + 3], ecx
.imm:   add     ebx, strict dword -1
        mov     byte [dword LOW_CODE + (.op - .start) + 1], 0x43
.op:    dec     ebx                             ; 66 4b; 66 43 is INC EBX
        dec     ecx
        jnz     .start
        o32 retf
.end:
        bits    32

code64:
        ENTER64
        mov     ecx, HOT
        xor     ebx, ebx
.loop:
        mov     [rel .imm + 2], ecx
.imm:   add     ebx, strict dword 1
        dec     ecx
        jnz     .loop
        CHECK64 "64-bit code", rbx, HOT_SUM
        mov     ecx, HOT
        xor     ebx, ebx
.wide_loop:
        mov     rax, rcx
        shl     rax, 32
        mov     [rel .wide + 2], rax
.wide:  mov     r9, 0x1122334455667788
        add     rbx, r9
        dec     ecx
        jnz     .wide_loop
        shr     rbx, 32
        CHECK64 "64-bit immediate", rbx, HOT_SUM
        mov     ecx, HOT
        xor     ebx, ebx
.rip_loop:                                      ; the displacement of a RIP-relative load
        xor     byte [rel .load + 2], ((.data_1 - .load_end) ^ (.data_2 - .load_end)) & 0xff
.load:  add     ebx, [rel .data_1]
.load_end:
        dec     ecx
        jnz     .rip_loop
        CHECK64 "RIP-relative displacement", rbx, HOT / 2 * 0x101
        mov     ecx, HOT
        xor     ebx, ebx
.rex_loop:                                      ; the REX prefix: which register, which size
        xor     byte [rel .rex], 0x48 ^ 0x40
.rex:   dec     rbx
        dec     ecx
        jnz     .rex_loop
        ; From 0: 32 bits, 64 bits, ... never beyond 32 bits.
        mov     rax, 1 << 32
        sub     rax, HOT
        CHECK64 "REX prefix", rbx, rax
        ; MOVUPS and REP MOVSQ over what follows.
        mov     ecx, HOT
        xor     ebx, ebx
        mov     rax, cr4
        or      eax, CR4_OSFXSR
        mov     cr4, rax
.movups_loop:
        xor     byte [rel .sixteen + 7], 3
        movups  xmm0, [rel .sixteen]
        movups  [rel .target], xmm0
.target:
        times   16 nop
        dec     ecx
        jnz     .movups_loop
        CHECK64 "movups", rbx, HOT / 2 * 3
        LEAVE64
        ret
        bits    64
.sixteen:
        times   5 nop
        db      0x83, 0xc3, 1                   ; add ebx, 1 or 2
        times   8 nop
.data_1:
        dd      1
.data_2:
        dd      0x100
        bits    32

IMAGE_END
