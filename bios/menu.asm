; SPDX-License-Identifier: MIT
;
; Which devices are booted from, in which order: as the machine's CMOS says (bits 3-0 of 3Dh, then
; 7-4, then 7-4 of 38h: 1 floppy, 2 disk, 3 CD, 4 network), of each kind one after the other, unless
; the user picks one from a menu.

KEY_F12         equ 0x8600
KEY_ESC         equ 0x011b
MENU_WAIT       equ 2500                ; ms
MENU_MAX        equ 9
MENU_NAME_MAX   equ 48

        align   2, db 0
menu_count:
        dw      0
menu_items:                             ; kind, index
        times   MENU_MAX dw 0

menu_post:
        mov     ax, BDA_SEG
        mov     ds, ax
        mov     fs, [BDA_EBDA]
        mov     al, 0x3d
        call    cmos_read
        mov     bl, al
        mov     al, 0x38
        call    cmos_read
        mov     bh, al
        and     bh, 0xf0
        test    bx, bx
        jnz     .order
        mov     bx, BOOT_FLOPPY << 12 | BOOT_CD << 4 | BOOT_DISK ; nothing is said
.order: mov     di, EB_BOOT_LIST
        mov     al, bl
        call    .devices
        mov     al, bl
        shr     al, 4
        call    .devices
        mov     al, bh
        shr     al, 4
        call    .devices
        cmp     byte [cs:fw_present], 1
        jne     .end
        mov     ax, FW_BOOT_MENU
        call    fw_select
        call    fw_word
        test    ax, ax
        jnz     menu_offer
.end:   ret

; Appends the devices of the kind that AL has in bits 3-0, if it is one. Changes AX, CX, SI.
.devices:
        and     ax, 15
        mov     si, ax
        dec     si
        cmp     si, BOOT_KINDS
        jae     .end
        add     si, si
        push    ax
        call    [cs:boot_counts + si]
        movzx   cx, al
        pop     ax
        jcxz    .end
.next:  cmp     di, EB_BOOT_LIST + 2 * EB_BOOT_MAX
        jae     .end
        mov     [fs:di], ax
        add     di, 2
        inc     ah
        loop    .next
        ret

menu_offer:
        sti
        mov     si, .text
        call    print
        mov     eax, MENU_WAIT
        mov     si, .file
        call    fw_file
        jc      .time
        call    fw_word
        movzx   eax, ax
        jmp     .wait
.time:  mov     eax, MENU_WAIT
.wait:  mov     ecx, eax                ; in steps of 10 ms
.next:  mov     ah, 0x11
        int     0x16
        jnz     .key
        mov     eax, 10000
        call    wait_us
        sub     ecx, 10
        ja      .next
.end:   cli
        ret
.key:   mov     ah, 0x10
        int     0x16
        cmp     ax, KEY_ESC
        je      menu_show
        cmp     ax, KEY_F12
        jne     .next
        jmp     menu_show
.text:  db      "Press F12 or Esc for the boot menu.", 10, 10, 0
.file:  db      "etc/boot-menu-wait", 0

; The devices that there are, by number; the chosen one becomes the first of the list.
menu_show:
        call    menu_collect
        mov     si, .title
        call    print
        xor     cx, cx
.item:  cmp     cx, [cs:menu_count]
        jae     .choose
        mov     al, cl
        add     al, '1'
        call    print_char
        mov     si, .dot
        call    print
        mov     bx, cx
        add     bx, bx
        mov     bx, [cs:menu_items + bx]
        call    menu_name
        inc     cx
        jmp     .item
.choose:
        mov     al, 10
        call    print_char
.key:   mov     ah, 0x10
        int     0x16
        cmp     al, 27                  ; as it was
        je      .end
        sub     al, '1'
        cmp     al, [cs:menu_count]
        jae     .key
        cbw
        mov     bx, ax
        add     bx, bx
        mov     ax, [cs:menu_items + bx]
        mov     di, EB_BOOT_LIST
        mov     cx, EB_BOOT_MAX
.push:  xchg    ax, [fs:di]
        add     di, 2
        loop    .push
.end:   cli
        ret
.title: db      "Boot from:", 10, 10, 0
.dot:   db      ". ", 0

; Lists what there is.
menu_collect:
        mov     word [cs:menu_count], 0
        mov     ax, BOOT_FLOPPY
.kind:  mov     si, ax
        add     si, si
        push    ax
        call    [cs:boot_counts - 2 + si]
        movzx   cx, al
        pop     ax
        jcxz    .none
.next:  mov     bx, [cs:menu_count]
        cmp     bx, MENU_MAX
        jae     .end
        add     bx, bx
        mov     [cs:menu_items + bx], ax
        inc     word [cs:menu_count]
        inc     ah
        loop    .next
.none:  mov     ah, 0
        inc     ax
        cmp     ax, BOOT_KINDS
        jbe     .kind
.end:   ret

; Prints the name of the device BL, BH: kind, number, a disk's size, what a network ROM calls itself.
menu_name:
        pushad
        movzx   di, bl
        dec     di
        add     di, di
        mov     si, [cs:boot_names + di]
        call    print
        mov     al, ' '
        call    print_char
        movzx   eax, bh
        inc     ax
        call    print_number
        cmp     bl, BOOT_NETWORK
        movzx   bx, bh
        je      .network
        cmp     di, 2 * (BOOT_DISK - 1)
        jne     .end
        add     bx, bx
        mov     bx, [fs:EB_HD_MAP + bx]
        mov     si, .comma
        call    print
        mov     eax, [fs:bx + drive.sectors]
        mov     edx, [fs:bx + drive.sectors + 4]
        shrd    eax, edx, 11
        call    print_number
        mov     si, .mb
        call    print
.end:   mov     al, 10
        call    print_char
        popad
        ret
.network:
        shl     bx, 2
        cmp     word [cs:bev_names + bx], 0
        je      .end                    ; no name
        mov     si, .comma
        call    print
        push    ds
        lds     si, [cs:bev_names + bx]
        mov     cx, MENU_NAME_MAX
.char:  lodsb
        test    al, al
        jz      .named
        call    print_char
        loop    .char
.named: pop     ds
        jmp     .end
.comma: db      ", ", 0
.mb:    db      " MiB", 0
