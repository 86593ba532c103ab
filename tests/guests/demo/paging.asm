; SPDX-License-Identifier: MIT
;
; Two levels of 4 KiB pages (SDM 3A, chapter 4):
;
;   0 - 4 MiB               identity map: read-only where our code is, open to ring 3 only where the
;                           user task is
;   DEMAND_BASE (1 GiB)     nothing at first; a page of zeroes appears wherever somebody looks
;
; Everything else faults.

PAGE_PRESENT    equ 1
PAGE_WRITABLE   equ 2
PAGE_USER       equ 4
CR0_WP          equ 1 << 16                     ; read-only pages are read-only for ring 0, too
CR0_PG          equ 1 << 31
PAGE_SIZE       equ 4096
DEMAND_BASE     equ 0x40000000
DEMAND_PAGES    equ 16                          ; size of the area, and frames to serve it with
DEMAND_END      equ DEMAND_BASE + DEMAND_PAGES * PAGE_SIZE
FAULT_PRESENT   equ 1                           ; error code bits: a violation, not a missing page
FAULT_WRITE     equ 2
FAULT_USER      equ 4

section .bss
        alignb  PAGE_SIZE
page_directory: resb PAGE_SIZE
identity_table: resb PAGE_SIZE
demand_table:   resb PAGE_SIZE
demand_frames:  resb DEMAND_PAGES * PAGE_SIZE
demand_used:    resd 1                          ; frames handed out
demand_faults:  resd 1                          ; faults served
demand_last:    resd 1                          ; address of the last one

section .text
paging_start:
        pushad
        mov     edi, identity_table
        mov     eax, PAGE_PRESENT | PAGE_WRITABLE
        mov     ecx, 1024
.fill:
        stosd
        add     eax, PAGE_SIZE
        loop    .fill
        mov     esi, section..text.start
        mov     edi, section..user.start
        mov     eax, PAGE_PRESENT
        call    .set_rights
        mov     esi, edi
        mov     edi, section..data.start
        mov     eax, PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER
        call    .set_rights
        ; Rights are those of both levels together, so the directory is generous.
        mov     dword [page_directory], identity_table + PAGE_PRESENT + PAGE_WRITABLE + PAGE_USER
        mov     dword [page_directory + (DEMAND_BASE >> 22) * 4], \
                demand_table + PAGE_PRESENT + PAGE_WRITABLE
        mov     eax, page_directory
        mov     cr3, eax
        mov     eax, cr0
        or      eax, CR0_PG | CR0_WP
        mov     cr0, eax
        popad
        ret

; Pages from ESI to EDI in the identity map get the rights EAX.
.set_rights:
        mov     ecx, esi
.next:
        cmp     ecx, edi
        jae     .done
        mov     edx, ecx
        shr     edx, 12
        lea     ebx, [ecx + eax]
        mov     [identity_table + edx * 4], ebx
        add     ecx, PAGE_SIZE
        jmp     .next
.done:
        ret

; Page fault with EBP = frame: maps a page if one is missing in our area. Carry: not so.
demand_serve:
        pushad
        mov     ebx, cr2
        test    dword [ebp + frame.error], FAULT_PRESENT | FAULT_USER
        jnz     .not_ours
        cmp     ebx, DEMAND_BASE
        jb      .not_ours
        cmp     ebx, DEMAND_END
        jae     .not_ours
        mov     [demand_last], ebx
        inc     dword [demand_faults]
        mov     edi, [demand_used]
        inc     dword [demand_used]
        shl     edi, 12
        add     edi, demand_frames
        lea     edx, [edi + PAGE_PRESENT + PAGE_WRITABLE]
        xor     eax, eax
        mov     ecx, PAGE_SIZE / 4
        rep stosd
        sub     ebx, DEMAND_BASE
        shr     ebx, 12
        mov     [demand_table + ebx * 4], edx   ; what is not present is not cached: no INVLPG
        clc
        jmp     .end
.not_ours:
        stc
.end:
        popad
        ret

; Forgets all pages of the demand area.
demand_clear:
        pushad
        mov     edi, demand_table
        xor     eax, eax
        mov     ecx, DEMAND_PAGES
        rep stosd
        mov     [demand_used], eax
        mov     eax, cr3                        ; writing CR3 drops cached translations
        mov     cr3, eax
        popad
        ret
