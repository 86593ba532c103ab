; SPDX-License-Identifier: MIT
;
; Paging with two levels, with 4 MiB pages, and with PAE (SDM 3A chapter 4): rights, accessed and dirty
; bits, what has to be seen after which invalidation, error codes, and accesses that fault on their way.
; What may stay cached after a change is not tested, for it need not.

%include "lib/image.asm"
%include "lib/test.asm"

section .strings
NAME:   db      "paging", 0

HOT             equ 10000
WINDOW            equ 0x400000                    ; 2 MiB of linear addresses to map things at
FRAMES          equ 0x200000                    ; memory behind the image, mapped to itself
DEMAND          equ WINDOW + 0x100000             ; pages that appear when they are touched
DEMAND_PAGES    equ 64
CR4_PSE         equ 1 << 4
CR4_PAE         equ 1 << 5
CR4_PGE         equ 1 << 7
EFER            equ 0xc0000080
EFER_NXE        equ 1 << 11
PTE_PS          equ 1 << 7
PTE_G           equ 1 << 8
PF_RSVD         equ 8
PF_FETCH        equ 16

section .bss
        alignb  PAGE_SIZE
table2:         resb PAGE_SIZE                  ; two levels: WINDOW
directory2:     resb PAGE_SIZE                  ; another address space
table3:         resb PAGE_SIZE
pae_directory:  resb PAGE_SIZE                  ; PAE
pae_low:        resb PAGE_SIZE * 2
pae_table:      resb PAGE_SIZE
pae_directory2: resb PAGE_SIZE
pae_table2:     resb PAGE_SIZE
        alignb  32
pae_pointers:   resq 4
pae_pointers2:  resq 4
; What the mode at hand uses.
table:          resd 1                          ; page table of WINDOW
other_table:    resd 1                          ; the same of the other address space
directory_entry:
                resd 1                          ; address of WINDOW's entry
entry_shift:    resd 1                          ; log2 of an entry's size
space:          resd 2                          ; values of CR3
demand_faults:  resd 1
demand_rights:  resd 1
matrix_pde:     resd 1
matrix_pte:     resd 1
matrix_wp:      resd 1
matrix_user:    resd 1
matrix_kind:    resd 1
matrix_vector:  resd 1
matrix_error:   resd 1

section .text
test_main:
        call    use_two_levels
        print_string `paging: two levels\n`
        call    both_modes
        call    four_mib
        call    recursive
        call    over_4_gib
        mov     eax, 1
        cpuid
        test    edx, 1 << 6
        jz      .end
        call    use_pae
        print_string `paging: PAE\n`
        call    both_modes
        call    two_mib
        call    reserved_bits
        call    no_execute
        call    leave_pae
.end:
        jmp     test_end

both_modes:
        call    rights
        call    write_protect
        call    accessed_dirty
        call    invalidation
        call    global_pages
        call    spaces
        call    spaces_change
        call    data_alias
        call    demand_strings
        call    demand_stack
        call    borders
        ret

; -- Ways to page ----------------------------------------------------------------------------------------

use_two_levels:
        mov     dword [page_directory + 4], table2 + PTE_ALL
        mov     esi, page_directory
        mov     edi, directory2
        mov     ecx, 1024
        rep movsd
        mov     dword [directory2 + 4], table3 + PTE_ALL
        mov     dword [table], table2
        mov     dword [other_table], table3
        mov     dword [directory_entry], page_directory + 4
        mov     dword [entry_shift], 2
        mov     dword [space], page_directory
        mov     dword [space + 4], directory2
        ret

use_pae:
        mov     edi, pae_low
        mov     eax, PTE_ALL
.page:
        mov     [edi], eax
        add     edi, 8
        add     eax, PAGE_SIZE
        cmp     edi, pae_low + 2 * PAGE_SIZE
        jb      .page
        mov     dword [pae_directory], pae_low + PTE_ALL
        mov     dword [pae_directory + 8], pae_low + PAGE_SIZE + PTE_ALL
        mov     dword [pae_directory + 16], pae_table + PTE_ALL
        mov     dword [pae_directory2], pae_low + PTE_ALL
        mov     dword [pae_directory2 + 8], pae_low + PAGE_SIZE + PTE_ALL
        mov     dword [pae_directory2 + 16], pae_table2 + PTE_ALL
        mov     dword [pae_pointers], pae_directory + PTE_P
        mov     dword [pae_pointers2], pae_directory2 + PTE_P
        mov     dword [table], pae_table
        mov     dword [other_table], pae_table2
        mov     dword [directory_entry], pae_directory + 16
        mov     dword [entry_shift], 3
        mov     dword [space], pae_pointers
        mov     dword [space + 4], pae_pointers2
        mov     edx, cr4
        or      edx, CR4_PAE
        jmp     change_paging

leave_pae:
        mov     dword [space], page_directory
        mov     edx, cr4
        and     edx, ~(CR4_PAE | CR4_PGE)
; EDX = CR4. Paging goes off for the change.
change_paging:
        mov     ecx, cr0
        mov     eax, ecx
        and     eax, ~CR0_PG
        mov     cr0, eax
        mov     cr4, edx
        mov     eax, [space]
        mov     cr3, eax
        mov     cr0, ecx
        ret

; EAX = linear address in WINDOW -> EDI = address of its entry.
entry_of:
        push    ecx
        mov     edi, eax
        sub     edi, WINDOW
        shr     edi, 12
        mov     ecx, [entry_shift]
        shl     edi, cl
        add     edi, [table]
        pop     ecx
        ret

; A page of WINDOW gets a frame with rights: linear, frame | rights. Uses EAX, EDI.
%macro MAP 2
        mov     eax, %1
        call    entry_of
        mov     dword [edi], %2
        invlpg  [%1]
%endmacro

; -- Rights -----------------------------------------------------------------------------------------------

; All combinations of R/W and U/S in both levels, of WP, ring and access; often enough to be hot.
rights:
        mov     word [FRAMES], 0x81cd           ; int VEC_NONE, to be executed
        mov     byte [FRAMES + 2], 0xc3
        mov     ecx, 60
.round:
        push    ecx
        xor     ebx, ebx                        ; kind, user, WP, PTE, PDE: 2, 1, 1, 2, 2 bits
.next:
        mov     eax, ebx
        and     eax, 3
        cmp     eax, 3
        je      .skip
        mov     [matrix_kind], eax
        mov     eax, ebx
        shr     eax, 2
        and     eax, 1
        mov     [matrix_user], eax
        mov     eax, ebx
        shr     eax, 3
        and     eax, 1
        mov     [matrix_wp], eax
        mov     eax, ebx
        shr     eax, 4 - 1
        and     eax, PTE_W | PTE_U
        mov     [matrix_pte], eax
        mov     eax, ebx
        shr     eax, 6 - 1
        and     eax, PTE_W | PTE_U
        mov     [matrix_pde], eax
        call    matrix_case
        jne     .wrong
.skip:
        inc     ebx
        cmp     ebx, 256
        jb      .next
        pop     ecx
        dec     ecx
        jnz     .round
        CHECK   "rights", ecx, 0
        jmp     .end
.wrong:
        pop     ecx
        CHECK   "rights (PDE, PTE, WP, user, kind): vector", [matrix_vector], [got.vector]
        CHECK   "rights (PDE, PTE, WP, user, kind): error code", [got.error], [matrix_error]
        CHECK   "rights: the case that failed", ebx, -1
.end:
        mov     eax, cr0
        or      eax, CR0_WP
        mov     cr0, eax
        mov     edi, [directory_entry]
        or      dword [edi], PTE_ALL
        ret

; ZF: as expected.
matrix_case:
        ; What the manual says: not allowed if ...
        mov     eax, [matrix_pde]
        and     eax, [matrix_pte]
        mov     edx, VEC_NONE
        cmp     dword [matrix_user], 0
        je      .supervisor
        test    eax, PTE_U
        jz      .fault
        cmp     dword [matrix_kind], 1          ; 0 read, 1 write, 2 execute
        jne     .expected
        test    eax, PTE_W
        jz      .fault
        jmp     .expected
.supervisor:
        cmp     dword [matrix_kind], 1
        jne     .expected
        test    eax, PTE_W
        jnz     .expected
        cmp     dword [matrix_wp], 0
        je      .expected
.fault: mov     edx, VEC_PF
.expected:
        mov     [matrix_vector], edx
        mov     eax, NO_ERROR
        cmp     edx, VEC_NONE
        je      .error
        mov     eax, [matrix_user]
        shl     eax, 2
        cmp     dword [matrix_kind], 1
        jne     .present
        or      eax, PF_W
.present:
        or      eax, PF_P
.error: mov     [matrix_error], eax

        mov     eax, cr0
        and     eax, ~CR0_WP
        cmp     dword [matrix_wp], 0
        je      .wp
        or      eax, CR0_WP
.wp:    mov     cr0, eax
        mov     edi, [directory_entry]
        mov     eax, [edi]
        and     eax, ~(PTE_W | PTE_U)
        or      eax, [matrix_pde]
        mov     [edi], eax
        mov     eax, WINDOW
        call    entry_of
        mov     eax, FRAMES | PTE_P
        or      eax, [matrix_pte]
        mov     [edi], eax
        mov     eax, [space]
        mov     cr3, eax
        invlpg  [WINDOW]
        CATCH   .caught
        cmp     dword [matrix_user], 0
        je      .try
        call    enter_ring3
.try:
        mov     eax, WINDOW
        cmp     dword [matrix_kind], 1
        jb      .read
        je      .write
        jmp     eax
.read:
        cmp     byte [eax], 0
        int     VEC_NONE
.write:
        mov     byte [eax + 2], 0xc3
        int     VEC_NONE
.caught:
        mov     eax, [got.vector]
        cmp     eax, [matrix_vector]
        jne     .end
        mov     eax, [got.error]
        cmp     eax, [matrix_error]
        jne     .end
        cmp     dword [matrix_vector], VEC_PF
        jne     .good
        mov     eax, WINDOW
        cmp     dword [matrix_kind], 1
        jne     .cr2
        add     eax, 2
.cr2:   cmp     [got.cr2], eax
        jne     .end
.good:  cmp     eax, eax
.end:
        ret

; WP by turns, with a translation that has been used.
write_protect:
        MAP     WINDOW, FRAMES | PTE_P
        mov     dword [FRAMES], 0
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edx, cr0
        mov     esi, edx
        and     esi, ~CR0_WP
        mov     dword [hook], skip_write
.loop:
        mov     cr0, esi
        inc     dword [WINDOW]
        mov     cr0, edx
        mov     eax, .after
        mov     byte [WINDOW + 8], 1              ; the hook counts in EBX and goes on at EAX
        dec     ebx
.after:
        dec     ecx
        jnz     .loop
        mov     dword [hook], 0
        CHECK   "writes without WP", [FRAMES], HOT
        CHECK   "faults with WP", ebx, HOT
        ret

; A hook: counts in the interrupted code's EBX, which goes on at its EAX.
skip_write:
        cmp     dword [ebp + 32], VEC_PF
        jne     .no
        inc     dword [ebp + 16]
        mov     eax, [ebp + 28]
        mov     [ebp + 40], eax
        clc
        ret
.no:    stc
        ret

; -- Accessed and dirty -------------------------------------------------------------------------------------

accessed_dirty:
        mov     eax, WINDOW
        call    entry_of
        mov     esi, [directory_entry]
        mov     ecx, HOT
        xor     ebx, ebx                        ; what was not as it should be
.loop:
        mov     dword [edi], FRAMES | PTE_ALL
        and     dword [esi], ~(PTE_A | PTE_D)
        mov     eax, [space]
        mov     cr3, eax
        invlpg  [WINDOW]
        cmp     byte [WINDOW], 0
        mov     eax, [edi]
        xor     eax, FRAMES | PTE_ALL | PTE_A
        or      ebx, eax
        mov     [WINDOW], al                      ; the translation is known as clean
        mov     eax, [edi]
        xor     eax, FRAMES | PTE_ALL | PTE_A | PTE_D
        or      ebx, eax
        mov     eax, [esi]
        and     eax, PTE_A | PTE_D
        xor     eax, PTE_A
        or      ebx, eax
        ; And cleared again: INVLPG makes the next write set D.
        and     byte [edi], ~PTE_D
        invlpg  [WINDOW]
        add     byte [WINDOW], 0
        mov     eax, [edi]
        and     eax, PTE_D
        xor     eax, PTE_D
        or      ebx, eax
        dec     ecx
        jnz     .loop
        CHECK   "accessed and dirty", ebx, 0
        ; An access that is not allowed leaves a page clean.
        mov     dword [edi], FRAMES | PTE_P | PTE_U
        invlpg  [WINDOW]
        FAULT   "write to a read-only page", VEC_PF, PF_P | PF_W, mov [WINDOW], al
        mov     eax, WINDOW
        call    entry_of
        mov     eax, [edi]
        and     eax, PTE_D
        CHECK   "which stays clean", eax, 0
        ret

; -- Changes must be seen -------------------------------------------------------------------------------------

invalidation:
        mov     dword [FRAMES], 1
        mov     dword [FRAMES + PAGE_SIZE], 1000
        mov     eax, WINDOW
        call    entry_of
        ; INVLPG of any address in the page.
        mov     ecx, HOT
        xor     ebx, ebx
.invlpg:
        mov     dword [edi], FRAMES | PTE_ALL
        invlpg  [WINDOW + 0xfff]
        add     ebx, [WINDOW]
        mov     dword [edi], FRAMES + PAGE_SIZE | PTE_ALL
        invlpg  [WINDOW + 0x800]
        add     ebx, [WINDOW]
        dec     ecx
        jnz     .invlpg
        CHECK   "INVLPG", ebx, HOT * 1001
        ; MOV CR3
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edx, cr3
.cr3:
        mov     dword [edi], FRAMES | PTE_ALL
        mov     cr3, edx
        add     ebx, [WINDOW]
        mov     dword [edi], FRAMES + PAGE_SIZE | PTE_ALL
        mov     cr3, edx
        add     ebx, [WINDOW]
        dec     ecx
        jnz     .cr3
        CHECK   "MOV CR3", ebx, HOT * 1001
        ; From missing to present there is nothing to invalidate. (Once INVLPG has made it missing.)
        mov     ecx, HOT
        xor     ebx, ebx
        mov     dword [hook], .appear
.missing:
        mov     dword [edi], 0
        invlpg  [WINDOW]
        add     ebx, [WINDOW]
        dec     ecx
        jnz     .missing
        mov     dword [hook], 0
        CHECK   "from missing to present", ebx, HOT
        ; A change in the upper level, and INVLPG.
        mov     ecx, HOT
        xor     ebx, ebx
        mov     esi, [directory_entry]
        mov     eax, [other_table]
        mov     dword [eax], FRAMES + PAGE_SIZE | PTE_ALL
        mov     dword [edi], FRAMES | PTE_ALL
        or      eax, PTE_ALL
        mov     edx, [esi]
.upper:
        mov     [esi], eax
        invlpg  [WINDOW]
        add     ebx, [WINDOW]
        mov     [esi], edx
        invlpg  [WINDOW]
        add     ebx, [WINDOW]
        dec     ecx
        jnz     .upper
        CHECK   "another page table", ebx, HOT * 1001
        ret
.appear:
        mov     dword [edi], FRAMES | PTE_ALL
        clc
        ret

global_pages:
        mov     eax, 1
        cpuid
        test    edx, 1 << 13
        jz      .end
        mov     eax, WINDOW
        call    entry_of
        mov     edx, cr4
        or      edx, CR4_PGE
        mov     cr4, edx
        ; INVLPG removes global translations.
        mov     ecx, HOT
        xor     ebx, ebx
        mov     esi, cr3
.invlpg:
        mov     dword [edi], FRAMES | PTE_ALL | PTE_G
        invlpg  [WINDOW]
        add     ebx, [WINDOW]
        mov     cr3, esi
        add     ebx, [WINDOW]
        mov     dword [edi], FRAMES + PAGE_SIZE | PTE_ALL | PTE_G
        invlpg  [WINDOW]
        add     ebx, [WINDOW]
        dec     ecx
        jnz     .invlpg
        CHECK   "global pages and INVLPG", ebx, HOT * 1002
        ; A change of CR4.PGE removes all.
        mov     ecx, HOT / 2
        xor     ebx, ebx
.pge:
        mov     dword [edi], FRAMES | PTE_ALL | PTE_G
        xor     edx, CR4_PGE
        mov     cr4, edx
        add     ebx, [WINDOW]
        mov     dword [edi], FRAMES + PAGE_SIZE | PTE_ALL | PTE_G
        xor     edx, CR4_PGE
        mov     cr4, edx
        add     ebx, [WINDOW]
        dec     ecx
        jnz     .pge
        CHECK   "global pages and changes of PGE", ebx, HOT / 2 * 1001
        ; Without PGE, G means nothing, and MOV CR3 removes all.
        and     edx, ~CR4_PGE
        mov     cr4, edx
        mov     ecx, HOT / 2
        xor     ebx, ebx
.no_pge:
        mov     dword [edi], FRAMES | PTE_ALL | PTE_G
        mov     cr3, esi
        add     ebx, [WINDOW]
        mov     dword [edi], FRAMES + PAGE_SIZE | PTE_ALL | PTE_G
        mov     cr3, esi
        add     ebx, [WINDOW]
        dec     ecx
        jnz     .no_pge
        CHECK   "G without PGE", ebx, HOT / 2 * 1001
        ; A page that was global and is no more.
        or      edx, CR4_PGE
        mov     cr4, edx
        mov     ecx, HOT / 2
        xor     ebx, ebx
.demoted:
        mov     dword [edi], FRAMES | PTE_ALL | PTE_G
        invlpg  [WINDOW]
        add     ebx, [WINDOW]
        mov     dword [edi], FRAMES | PTE_ALL
        invlpg  [WINDOW]
        add     ebx, [WINDOW]
        mov     dword [edi], FRAMES + PAGE_SIZE | PTE_ALL
        mov     cr3, esi
        add     ebx, [WINDOW]
        dec     ecx
        jnz     .demoted
        CHECK   "a page that is no longer global", ebx, HOT / 2 * 1002
        and     edx, ~CR4_PGE
        mov     cr4, edx
.end:
        ret

; Two address spaces by turns, with code and stack in both.
spaces:
        MAP     WINDOW, FRAMES | PTE_ALL
        mov     edi, [other_table]
        mov     dword [edi], FRAMES + PAGE_SIZE | PTE_ALL
        mov     dword [FRAMES], 1
        mov     dword [FRAMES + PAGE_SIZE], 1000
        mov     ecx, HOT
        xor     ebx, ebx
        mov     esi, [space]
        mov     edi, [space + 4]
.loop:
        mov     cr3, edi
        add     ebx, [WINDOW]
        inc     dword [WINDOW + 4]
        mov     cr3, esi
        add     ebx, [WINDOW]
        add     dword [WINDOW + 4], 3
        dec     ecx
        jnz     .loop
        CHECK   "reads in two address spaces", ebx, HOT * 1001
        mov     eax, [FRAMES + 4]
        sub     eax, [FRAMES + PAGE_SIZE + 4]
        CHECK   "writes in two address spaces", eax, HOT * 2
        mov     dword [FRAMES + 4], 0
        mov     dword [FRAMES + PAGE_SIZE + 4], 0
        ret

; An address space whose tables change while it is not the current one. With EFLAGS.AC, as where a
; kernel reaches for a program's memory.
spaces_change:
        mov     edi, [other_table]
        mov     dword [edi], FRAMES + PAGE_SIZE | PTE_ALL
        MAP     WINDOW, FRAMES | PTE_ALL
        mov     dword [FRAMES], 1
        mov     dword [FRAMES + PAGE_SIZE], 1000
        mov     esi, [space]
        mov     edx, [space + 4]
        xor     ebx, ebx
        mov     ecx, HOT
        pushfd
        push    dword EFLAGS_1 | EFLAGS_AC
        popfd
.loop:
        mov     cr3, edx
        add     ebx, [WINDOW]
        xor     dword [edi], PAGE_SIZE
        mov     cr3, esi
        add     ebx, [WINDOW]
        test    ecx, 15
        jnz     .present
        mov     cr3, edx                        ; to nothing and back
        mov     eax, [edi]
        mov     dword [edi], 0
        mov     cr3, esi
        mov     cr3, edx
        mov     [edi], eax
        mov     cr3, esi
        add     ebx, [WINDOW]
        sub     ebx, [WINDOW]
.present:
        dec     ecx
        jnz     .loop
        popfd
        CHECK   "a space that changes behind its back", ebx, HOT / 2 * 1001 + HOT * 1000
        ret

data_alias:
        MAP     WINDOW, FRAMES | PTE_ALL
        MAP     WINDOW + 5 * PAGE_SIZE, FRAMES | PTE_ALL
        mov     dword [FRAMES], 0
        mov     ecx, HOT
.loop:
        inc     dword [WINDOW]
        inc     dword [WINDOW + 5 * PAGE_SIZE]
        inc     dword [FRAMES]
        dec     ecx
        jnz     .loop
        CHECK   "three addresses of one word", [WINDOW], HOT * 3
        ret

; -- Pages on demand --------------------------------------------------------------------------------------------

; All of DEMAND goes missing, with fresh frames.
demand_start:
        pushad
        mov     eax, DEMAND
        mov     ecx, DEMAND_PAGES
.page:
        call    entry_of
        mov     dword [edi], 0
        invlpg  [eax]
        add     eax, PAGE_SIZE
        loop    .page
        mov     dword [demand_faults], 0
        mov     dword [demand_rights], PTE_ALL
        mov     dword [hook], demand
        popad
        ret

; A hook: a fault for a missing page of DEMAND maps its frame.
demand:
        cmp     dword [ebp + 32], VEC_PF
        jne     .no
        test    byte [ebp + 36], PF_P
        jnz     .no
        mov     eax, cr2
        sub     eax, DEMAND
        cmp     eax, DEMAND_PAGES * PAGE_SIZE
        jae     .no
        and     eax, -PAGE_SIZE
        lea     ecx, [eax + FRAMES]
        or      ecx, [demand_rights]
        add     eax, DEMAND
        call    entry_of
        mov     [edi], ecx
        inc     dword [demand_faults]
        clc
        ret
.no:    stc
        ret

demand_strings:
        ; STOS up, MOVS within, SCAS, CMPS, down.
        call    demand_start
        mov     edi, DEMAND
        mov     ecx, DEMAND_PAGES * PAGE_SIZE / 4
        mov     eax, 0x11223344
        rep stosd
        CHECK   "rep stosd on demand: faults", [demand_faults], DEMAND_PAGES
        CHECK   "rep stosd on demand: edi", edi, DEMAND + DEMAND_PAGES * PAGE_SIZE
        CHECK   "rep stosd on demand: last", [FRAMES + DEMAND_PAGES * PAGE_SIZE - 4], 0x11223344
        call    demand_start
        mov     edi, DEMAND
        mov     ecx, DEMAND_PAGES * PAGE_SIZE / 4
        mov     dword [FRAMES + DEMAND_PAGES * PAGE_SIZE - 4], 7
        repe scasd
        CHECK   "repe scasd on demand: faults", [demand_faults], DEMAND_PAGES
        CHECK   "repe scasd on demand: edi", edi, DEMAND + DEMAND_PAGES * PAGE_SIZE
        CHECK   "repe scasd on demand: ecx", ecx, 0
        ; Two missing pages by turns, across borders: source and target at odd offsets.
        call    demand_start
        mov     esi, DEMAND + 2
        mov     edi, DEMAND + DEMAND_PAGES / 2 * PAGE_SIZE + 1
        mov     ecx, (DEMAND_PAGES / 2 - 1) * PAGE_SIZE / 4
        rep movsd
        CHECK   "rep movsd on demand: faults", [demand_faults], DEMAND_PAGES
        CHECK   "rep movsd on demand: first", [DEMAND + DEMAND_PAGES / 2 * PAGE_SIZE + 1], 0x33441122
        CHECK   "rep movsd on demand: last", [edi - 4], 0x33441122
        call    demand_start
        std
        mov     esi, DEMAND + DEMAND_PAGES / 2 * PAGE_SIZE - 1
        mov     edi, DEMAND + DEMAND_PAGES * PAGE_SIZE - 1
        mov     ecx, DEMAND_PAGES / 2 * PAGE_SIZE
        rep movsb
        cld
        CHECK   "rep movsb downwards: faults", [demand_faults], DEMAND_PAGES
        CHECK   "rep movsb downwards: esi", esi, DEMAND - 1
        CHECK   "rep movsb downwards: first", [DEMAND + DEMAND_PAGES / 2 * PAGE_SIZE], 0x11223344
        call    demand_start
        mov     esi, DEMAND
        mov     edi, DEMAND + DEMAND_PAGES / 2 * PAGE_SIZE
        mov     ecx, DEMAND_PAGES / 2 * PAGE_SIZE
        repe cmpsb
        CHECK   "repe cmpsb on demand: faults", [demand_faults], DEMAND_PAGES
        CHECK   "repe cmpsb on demand: ecx", ecx, 0
        mov     dword [hook], 0
        ret

; In ring 3, where the handler has its own stack: PUSH, CALL, PUSHAD, ENTER down through missing pages.
demand_stack:
        call    demand_start
        CATCH   .pushed
        call    enter_ring3
        mov     esp, DEMAND + DEMAND_PAGES * PAGE_SIZE
        mov     ecx, HOT
.push:  push    ecx
        dec     ecx
        jnz     .push
        mov     ecx, HOT
        xor     ebx, ebx
.pop:   pop     eax
        add     ebx, eax
        dec     ecx
        jnz     .pop
        int     VEC_NONE
.pushed:
        CHECK   "pushes on demand: sum", [got.ebx], HOT * (HOT + 1) / 2
        CHECK   "pushes on demand: esp", [got.esp], DEMAND + DEMAND_PAGES * PAGE_SIZE
        CHECK   "pushes on demand: faults", [demand_faults], (HOT * 4 + PAGE_SIZE - 1) / PAGE_SIZE
        call    demand_start
        CATCH   .called
        call    enter_ring3
        mov     esp, DEMAND + DEMAND_PAGES * PAGE_SIZE - 2      ; off their boundary
        mov     ecx, HOT
        xor     ebx, ebx
        call    .recurse
        int     VEC_NONE
.recurse:
        inc     ebx
        dec     ecx
        jz      .deepest
        call    .recurse
.deepest:
        inc     ebx
        ret
.called:
        CHECK   "calls on demand", [got.ebx], HOT * 2
        CHECK   "calls on demand: esp", [got.esp], DEMAND + DEMAND_PAGES * PAGE_SIZE - 2
        CHECK   "calls on demand: faults", [demand_faults], (HOT * 4 + PAGE_SIZE + 1) / PAGE_SIZE
        call    demand_start
        CATCH   .pushad
        call    enter_ring3
        mov     esp, DEMAND + DEMAND_PAGES * PAGE_SIZE - 6
        mov     ebp, esp
        mov     ecx, 1000
        xor     ebx, ebx
.pushad_loop:
        pushad
        enter   12, 3
        leave
        dec     ecx
        jnz     .pushad_loop
.popad_loop:
        popad
        add     ebx, ecx                        ; POPAD brings both back: only the last one counts
        cmp     esp, DEMAND + DEMAND_PAGES * PAGE_SIZE - 6
        jne     .popad_loop
        int     VEC_NONE
.pushad:
        CHECK   "pushad on demand: ebx", [got.ebx], 1000
        CHECK   "pushad on demand: esp", [got.esp], DEMAND + DEMAND_PAGES * PAGE_SIZE - 6
        mov     dword [hook], 0
        ret

; Accesses across the border of two pages, of which one or both are missing.
%macro BORDER 4+                                ; "name", expected faults in HOT / 4 rounds, expected at MIDDLE - 2, code
        call    demand_start
        mov     dword [FRAMES + PAGE_SIZE - 4], 0
        mov     dword [FRAMES + PAGE_SIZE], 0
        mov     ecx, HOT / 4
        mov     edi, DEMAND
%%loop:
        mov     eax, DEMAND
        call    entry_of
        push    ecx
        mov     ecx, [entry_shift]
        mov     dword [edi], 0
        mov     eax, 1
        shl     eax, cl
        mov     dword [edi + eax], 0
        pop     ecx
        invlpg  [DEMAND]
        invlpg  [MIDDLE]
        %4
        dec     ecx
        jnz     %%loop
        mov     dword [hook], 0
        CHECK   %strcat(%1, ": faults"), [demand_faults], %2
        MAP     DEMAND, FRAMES | PTE_ALL
        MAP     MIDDLE, FRAMES + PAGE_SIZE | PTE_ALL
        CHECK   %strcat(%1, ": result"), [MIDDLE - 2], %3
%endmacro
MIDDLE          equ DEMAND + PAGE_SIZE

borders:
        BORDER  "mov across", HOT / 4 * 2, 0x12345678, mov dword [MIDDLE - 2], 0x12345678
        BORDER  "add across", HOT / 4 * 2, HOT / 4 * 0x10001, add dword [MIDDLE - 2], 0x10001
        BORDER  "lock xadd across", HOT / 4 * 2, HOT / 4 * 3, call .xadd
        BORDER  "first page only", HOT / 4, HOT / 4, inc word [MIDDLE - 2]
        BORDER  "second page only", HOT / 4, (HOT / 4) << 16, inc word [MIDDLE]
        BORDER  "read, then write", HOT / 4 * 2, HOT / 4, call .read_write
        BORDER  "read beyond, then across", HOT / 4 * 2, HOT / 4, call .beyond
        fninit
        BORDER  "fild and fistp across", HOT / 4 * 2, HOT / 4, call .integer
        ret
.xadd:  mov     edx, 3
        lock xadd [MIDDLE - 2], edx
        ret
.read_write:
        mov     edx, [MIDDLE - 2]
        inc     edx
        mov     [MIDDLE - 2], edx
        ret
.beyond:
        cmp     byte [MIDDLE + 2], 0
        inc     dword [MIDDLE - 2]
        ret
.integer:
        fild    dword [MIDDLE - 2]
        fld1
        faddp
        fistp   dword [MIDDLE - 2]
        ret

; -- Large pages -------------------------------------------------------------------------------------------------

LARGE   equ 0x800000

four_mib:
        mov     eax, 1
        cpuid
        test    edx, 1 << 3
        jz      .end
        mov     edx, cr4
        or      edx, CR4_PSE
        mov     cr4, edx
        mov     edi, page_directory + LARGE / 0x400000 * 4
        mov     ecx, HOT
        xor     ebx, ebx
        mov     dword [FRAMES], 5
        mov     dword [FRAMES + PAGE_SIZE], 7
.loop:
        mov     dword [edi], PTE_ALL | PTE_PS   ; the first 4 MiB
        invlpg  [LARGE]
        mov     eax, [LARGE + FRAMES]
        add     eax, [LARGE + FRAMES + PAGE_SIZE]
        sub     eax, 12
        or      ebx, eax
        mov     eax, [edi]
        xor     eax, PTE_ALL | PTE_PS | PTE_A
        or      ebx, eax
        mov     byte [LARGE + FRAMES], 5
        mov     eax, [edi]
        xor     eax, PTE_ALL | PTE_PS | PTE_A | PTE_D
        or      ebx, eax
        dec     ecx
        jnz     .loop
        CHECK   "4 MiB page: reads, accessed and dirty", ebx, 0
        mov     dword [edi], PTE_P | PTE_PS
        invlpg  [LARGE + 0x3ff000]              ; any address of it
        FAULT   "write to a read-only 4 MiB page", VEC_PF, PF_P | PF_W, mov [LARGE + 0x3fffff], al
        FAULT3  "supervisor's 4 MiB page", VEC_PF, PF_P | PF_U, mov al, [LARGE]
        NO_FAULT "read of a 4 MiB page", mov al, [LARGE + 0x3fffff]
        ; From large to small and back.
        mov     ecx, HOT / 2
        xor     ebx, ebx
        mov     eax, [table]
        mov     edi, eax
        mov     dword [edi], FRAMES | PTE_ALL
        mov     edi, page_directory + LARGE / 0x400000 * 4
        or      eax, PTE_ALL
        mov     dword [0x500], 100
        mov     dword [FRAMES + 0x500], 3
.by_turns:
        mov     dword [edi], PTE_ALL | PTE_PS
        invlpg  [LARGE]
        add     ebx, [LARGE + 0x500]
        mov     [edi], eax
        invlpg  [LARGE]
        add     ebx, [LARGE + 0x500]
        dec     ecx
        jnz     .by_turns
        CHECK   "large and small by turns", ebx, HOT / 2 * 103
        mov     dword [edi], PTE_ALL | PTE_PS | 1 << 21
        invlpg  [LARGE]
        TCG_DIFFERS                             ; forgets P in the error code
        FAULT   "reserved bit of a 4 MiB page", VEC_PF, PF_P | PF_RSVD, mov al, [LARGE]
        ; Without PSE the bit is ignored, and a page table is where it points.
        and     edx, ~CR4_PSE
        mov     cr4, edx
        mov     eax, [table]
        or      eax, PTE_ALL | PTE_PS
        mov     edi, page_directory + LARGE / 0x400000 * 4
        mov     [edi], eax
        invlpg  [LARGE]
        CHECK   "PS without PSE", [LARGE + 0x500], 3
        mov     dword [edi], 0
        invlpg  [LARGE]
.end:
        ret

; The directory as its own page table: entries are seen as memory, and changed there.
recursive:
RECURSIVE       equ 0xffc00000
        mov     dword [page_directory + 0xffc], page_directory + PTE_P + PTE_W
        mov     dword [FRAMES], 1
        mov     dword [FRAMES + PAGE_SIZE], 1000
        CHECK   "the directory at its own end", [0xfffff000], [page_directory]
        mov     ecx, HOT
        xor     ebx, ebx
        mov     edi, RECURSIVE + WINDOW / 1024
.loop:
        mov     dword [edi], FRAMES | PTE_ALL
        invlpg  [WINDOW]
        add     ebx, [WINDOW]
        mov     dword [edi], FRAMES + PAGE_SIZE | PTE_ALL
        invlpg  [WINDOW]
        add     ebx, [WINDOW]
        dec     ecx
        jnz     .loop
        CHECK   "through the recursive entry", ebx, HOT * 1001
        CHECK   "which is the table", [table2], FRAMES + PAGE_SIZE | PTE_ALL | PTE_A
        FAULT3  "the tables in ring 3", VEC_PF, PF_P | PF_U, mov al, [RECURSIVE + WINDOW / 1024]
        ; A string operation over entries, all of them wanted at once.
        mov     edi, RECURSIVE + WINDOW / 1024
        mov     eax, FRAMES | PTE_ALL
        mov     ecx, 64
        rep stosd
        mov     eax, cr3
        mov     cr3, eax
        mov     ecx, 64
        mov     esi, WINDOW
        xor     ebx, ebx
.sum:   add     ebx, [esi]
        add     esi, PAGE_SIZE
        loop    .sum
        CHECK   "64 entries by rep stosd", ebx, 64
        mov     dword [page_directory + 0xffc], 0
        mov     eax, cr3
        mov     cr3, eax
        ret

; Code that ends at the last byte of 4 GiB goes on at 0: EIP wraps.
over_4_gib:
TOP_PAGE        equ 0xfffff000
TOP_FRAME       equ FRAMES + 16 * PAGE_SIZE
        push    dword [table3 + 0xffc]
        push    dword [0]
        mov     dword [page_directory + 0xffc], table3 + PTE_ALL
        mov     dword [table3 + 0xffc], TOP_FRAME | PTE_ALL
        mov     eax, cr3
        mov     cr3, eax
        mov     word [TOP_PAGE + 0xffe], 0x07b0 ; mov al, 7
        mov     dword [0], 0xc3c30104           ; add al, 1; ret
        mov     edx, 0xfffffffe
        mov     ecx, HOT
        xor     ebx, ebx
.loop:  xor     eax, eax
        call    edx
        add     ebx, eax
        dec     ecx
        jnz     .loop
        CHECK   "from the end of 4 GiB to 0", ebx, HOT * 8
        mov     word [TOP_PAGE + 0xffe], 0xaaf3 ; rep stosb
        mov     byte [0], 0xc3
        mov     ebx, 200
        mov     al, 3
.round: mov     edi, TOP_FRAME + PAGE_SIZE
        mov     ecx, 5000
        call    edx
        dec     ebx
        jnz     .round
        CHECK   "repetition at the end of 4 GiB", edi, TOP_FRAME + PAGE_SIZE + 5000
        CHECK   "all of it", ecx, 0
        mov     dword [page_directory + 0xffc], 0
        pop     dword [0]
        pop     dword [table3 + 0xffc]
        mov     eax, cr3
        mov     cr3, eax
        ret

two_mib:
        mov     edi, pae_directory + LARGE / 0x200000 * 8
        mov     ecx, HOT
        xor     ebx, ebx
        mov     dword [FRAMES], 5
.loop:
        mov     dword [edi], 0x200000 | PTE_ALL | PTE_PS
        invlpg  [LARGE]
        mov     eax, [LARGE + FRAMES - 0x200000]
        sub     eax, 5
        or      ebx, eax
        mov     eax, [edi]
        xor     eax, 0x200000 | PTE_ALL | PTE_PS | PTE_A
        or      ebx, eax
        mov     byte [LARGE + FRAMES - 0x200000], 5
        mov     eax, [edi]
        xor     eax, 0x200000 | PTE_ALL | PTE_PS | PTE_A | PTE_D
        or      ebx, eax
        dec     ecx
        jnz     .loop
        CHECK   "2 MiB page: reads, accessed and dirty", ebx, 0
        mov     dword [edi], 0x200000 | PTE_P | PTE_PS
        invlpg  [LARGE + 0x1ff000]
        FAULT   "write to a read-only 2 MiB page", VEC_PF, PF_P | PF_W, mov [LARGE + 0x1fffff], al
        mov     edi, pae_directory + LARGE / 0x200000 * 8
        mov     dword [edi], 0x200000 | PTE_ALL | PTE_PS | 1 << 13
        invlpg  [LARGE]
        TCG_DIFFERS
        FAULT   "reserved bit of a 2 MiB page", VEC_PF, PF_P | PF_RSVD, mov al, [LARGE]
        mov     edi, pae_directory + LARGE / 0x200000 * 8
        mov     dword [edi], 0
        invlpg  [LARGE]
        ret

; -- PAE only ----------------------------------------------------------------------------------------------------------

reserved_bits:
        MAP     WINDOW, FRAMES | PTE_ALL
        mov     dword [edi + 4], 1 << 30        ; bit 62
        invlpg  [WINDOW]
        TCG_DIFFERS
        FAULT   "reserved bit of a PTE: read", VEC_PF, PF_P | PF_RSVD, mov al, [WINDOW]
        TCG_DIFFERS
        FAULT   "reserved bit of a PTE: write", VEC_PF, PF_P | PF_RSVD | PF_W, mov [WINDOW], al
        TCG_DIFFERS
        FAULT3  "reserved bit of a PTE: ring 3", VEC_PF, PF_P | PF_RSVD | PF_U, mov al, [WINDOW]
        MAP     WINDOW, FRAMES | PTE_ALL
        mov     dword [edi + 4], 0
        mov     edi, [directory_entry]
        mov     dword [edi + 4], 1 << 30
        invlpg  [WINDOW]
        TCG_DIFFERS
        FAULT   "reserved bit of a PDE", VEC_PF, PF_P | PF_RSVD, mov al, [WINDOW]
        mov     edi, [directory_entry]
        mov     dword [edi + 4], 0
        invlpg  [WINDOW]
        NO_FAULT "no reserved bit", mov al, [WINDOW]
        ; Reserved bits do not count in entries that are not present.
        MAP     WINDOW, 0
        mov     dword [edi + 4], 1 << 30
        invlpg  [WINDOW]
        FAULT   "missing, with reserved bits", VEC_PF, 0, mov al, [WINDOW]
        MAP     WINDOW, FRAMES | PTE_ALL
        mov     dword [edi + 4], 0
        ; The four pointers are loaded by MOV CR3, and checked there.
        mov     dword [pae_pointers2 + 8], pae_directory2 + PTE_P + PTE_W
        mov     eax, pae_pointers2
        TCG_DIFFERS                             ; does not check
        FAULT   "reserved bit of a PDPTE", VEC_GP, 0, mov cr3, eax
        mov     eax, pae_pointers
        mov     cr3, eax
        mov     dword [pae_pointers2 + 8], 0
        mov     dword [pae_pointers2 + 16], 0xffe ; not present: ignored
        mov     eax, pae_pointers2
        NO_FAULT "PDPTE that is not present", mov cr3, eax
        mov     eax, pae_pointers
        mov     cr3, eax
        ; ... and stay as they were when memory changes (SDM 3A 4.4.1).
        mov     ebx, [pae_pointers + 8]
        mov     dword [pae_pointers + 8], pae_directory + PTE_P
        TCG_DIFFERS                             ; reads them at each walk
        FAULT   "PDPTE not yet loaded", VEC_PF, 0, mov al, [0x40000000]
        mov     eax, cr3
        mov     cr3, eax
        NO_FAULT "PDPTE loaded", mov al, [0x40000000]
        mov     [pae_pointers + 8], ebx
        mov     eax, cr3
        mov     cr3, eax
        FAULT   "PDPTE gone", VEC_PF, 0, mov al, [0x40000000]
        ret

no_execute:
        mov     eax, 0x80000000
        cpuid
        cmp     eax, 0x80000001
        jb      .end
        mov     eax, 0x80000001
        cpuid
        test    edx, 1 << 20
        jz      .end
        mov     word [FRAMES], 0x81cd
        MAP     WINDOW, FRAMES | PTE_ALL
        mov     dword [edi + 4], 1 << 31
        invlpg  [WINDOW]
        TCG_DIFFERS
        FAULT   "bit 63 without NXE", VEC_PF, PF_P | PF_RSVD, mov al, [WINDOW]
        mov     ecx, EFER
        rdmsr
        or      eax, EFER_NXE
        wrmsr
        mov     eax, cr3
        mov     cr3, eax
        NO_FAULT "data of a no-execute page", mov al, [WINDOW]
        CATCH   .no_execute
        jmp     WINDOW_CODE
.no_execute:
        CAUGHT  "execution of a no-execute page", VEC_PF, PF_P | PF_FETCH, WINDOW
        CHECK   "execution of a no-execute page: cr2", [got.cr2], WINDOW
        CATCH   .no_execute3
        call    enter_ring3
        jmp     WINDOW_CODE
.no_execute3:
        CAUGHT  "the same in ring 3", VEC_PF, PF_P | PF_FETCH | PF_U, WINDOW
        MAP     WINDOW, 0
        mov     dword [edi + 4], 0
        invlpg  [WINDOW]
        CATCH   .missing
        jmp     WINDOW_CODE
.missing:
        CAUGHT  "execution of a missing page with NXE", VEC_PF, PF_FETCH, WINDOW
        MAP     WINDOW, FRAMES | PTE_ALL
        mov     dword [edi + 4], 0
        invlpg  [WINDOW]
        ; In the directory it counts for all below.
        mov     edi, [directory_entry]
        mov     dword [edi + 4], 1 << 31
        mov     eax, cr3
        mov     cr3, eax
        CATCH   .directory
        jmp     WINDOW_CODE
.directory:
        CAUGHT  "no-execute in the directory", VEC_PF, PF_P | PF_FETCH, WINDOW
        mov     edi, [directory_entry]
        mov     dword [edi + 4], 0
        mov     eax, cr3
        mov     cr3, eax
        ; By turns, hot.
        mov     byte [FRAMES], 0xc3
        mov     eax, WINDOW
        call    entry_of
        mov     ecx, HOT / 2
        xor     ebx, ebx
        mov     dword [hook], .allow
.loop:
        mov     dword [edi + 4], 1 << 31
        invlpg  [WINDOW]
        call    WINDOW_CODE
        dec     ecx
        jnz     .loop
        mov     dword [hook], 0
        CHECK   "no-execute by turns", ebx, HOT / 2
        mov     ecx, EFER
        rdmsr
        and     eax, ~EFER_NXE
        wrmsr
.end:
        ret
.allow:
        mov     dword [edi + 4], 0
        invlpg  [WINDOW]
        inc     dword [ebp + 16]
        cmp     dword [ebp + 36], PF_P | PF_FETCH
        jne     .no
        clc
        ret
.no:    stc
        ret
WINDOW_CODE equ WINDOW

IMAGE_END
