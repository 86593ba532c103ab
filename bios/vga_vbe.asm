; SPDX-License-Identifier: MIT
;
; VBE 3.0 (VESA VBE Core Functions Standard 3.0, chapter 4): function 4Fh. The parts here say what
; there is; vga_vbe_set.asm and vga_vbe_colors.asm change it. A part returns with carry clear for success; with carry
; set, AH = what went wrong.

VBE_FAILED      equ 1
VBE_NOT_HERE    equ 2                           ; not with this hardware
VBE_NOT_NOW     equ 3                           ; not in this mode

vbe:    mov     si, vbe_parts
        mov     bl, al
        call    find_part
        jz      .unknown
        mov     si, di
        mov     bx, [CALLER(bx)]
        mov     di, [CALLER(di)]
        call    si
        jc      .failed
        mov     ah, 0
.failed:
        mov     al, 0x4f
        mov     [CALLER(ax)], ax
        ret
.unknown:
        mov     word [CALLER(ax)], VBE_FAILED << 8
        ret

vbe_parts:
        PART    0x00, vbe_controller
        PART    0x01, vbe_mode_information
        PART    0x02, vbe_set_mode
        PART    0x03, vbe_get_mode
        PART    0x04, vbe_state
        PART    0x05, vbe_window
        PART    0x06, vbe_line
        PART    0x07, vbe_start
        PART    0x08, vbe_dac
        PART    0x09, vbe_palette
        PART    0x0a, vbe_protected
        PART    0x0b, vbe_clock
        PART    0x10, vbe_power
        PART    0x15, vbe_ddc
        PARTS_END

; -- Modes ----------------------------------------------------------------------------------------------

; A mode as found in the tables.
struc VMODE
.width: resw 1
.height: resw 1
.bpp:   resb 1
        resb 1
.pitch: resw 1                                  ; bytes of a line; with 4 bits, in one plane
.bytes: resd 1                                  ; of video memory
endstruc

; CX = number: the VMODE at SS:BX is filled. Carry: there is none, or video memory is too small. Uses
; EAX, CX, DX, SI.
vbe_find:
        and     cx, 0x1ff
        mov     si, planar_modes
.planar:
        cmp     cx, [cs:si]
        je      .is_planar
        add     si, 6
        cmp     si, planar_modes_end
        jb      .planar
        mov     si, sizes
.size:  xor     dx, dx
.depth: push    bx
        mov     bx, dx
        add     bx, bx
        cmp     cx, [cs:si + SIZE.numbers + bx]
        pop     bx
        je      .found
        inc     dx
        cmp     dx, 5
        jb      .depth
        add     si, SIZE_size
        cmp     si, sizes_end
        jb      .size
        stc
        ret
.is_planar:
        mov     eax, [cs:si + 2]
        mov     cl, 4
        jmp     .fill
.found: mov     eax, [cs:si]
        mov     si, dx
        mov     cl, [cs:depths + si]
; EAX = height and width, CL = bits.
.fill:  mov     [ss:bx + VMODE.width], eax
        mov     [ss:bx + VMODE.bpp], cl
        movzx   eax, ax
        add     cl, 7
        shr     cl, 3
        movzx   ecx, cl
        imul    eax, ecx
        mov     cl, 1
        cmp     byte [ss:bx + VMODE.bpp], 4
        jne     .pitch
        shr     ax, 3
        mov     cl, 4
.pitch: mov     [ss:bx + VMODE.pitch], ax
        imul    eax, ecx
        movzx   ecx, word [ss:bx + VMODE.height]
        imul    eax, ecx
        mov     [ss:bx + VMODE.bytes], eax
        push    eax
        call    vbe_memory
        mov     ecx, eax
        pop     eax
        cmp     ecx, eax                        ; carry: it is less
        ret

; EAX = bytes of video memory. Uses DX.
vbe_memory:
        mov     al, DISPI_MEMORY
        call    dispi_read
        shl     eax, 16
        ret

; Carry: there are no DISPI registers. Uses AX, DX.
vbe_detect:
        mov     al, DISPI_ID
        call    dispi_read
        and     ax, 0xfff0
        cmp     ax, 0xb0c0
        jne     .none
        clc
        ret
.none:  mov     ah, VBE_FAILED
        stc
        ret

; -- 00h: the controller --------------------------------------------------------------------------------

; The caller's block.
struc VINFO
.signature:     resd 1
.version:       resw 1
.oem:           resd 1
.capabilities:  resd 1
.modes:         resd 1
.memory:        resw 1                          ; 64 KiB
.oem_version:   resw 1
.vendor:        resd 1
.product:       resd 1
.revision:      resd 1
.list:          resw 111                        ; the modes' numbers
.strings:       resb 256                        ; if VBE 2 was asked for
endstruc

vbe_controller:
        call    vbe_detect
        jc      .end
        cmp     dword [es:di + VINFO.signature], "VBE2"
        pushf
        mov     cx, VINFO.strings / 2
        jne     .clear
        mov     cx, VINFO_size / 2
.clear: push    di
        xor     ax, ax
        rep stosw
        pop     di
        mov     dword [es:di + VINFO.signature], "VESA"
        mov     word [es:di + VINFO.version], 0x300
        mov     byte [es:di + VINFO.capabilities], 1    ; the DAC can have 8 bits
        call    vbe_memory
        shr     eax, 16
        mov     [es:di + VINFO.memory], ax
        mov     word [es:di + VINFO.oem_version], 0x100
        call    list_modes
        popf
        lea     bx, [di + VINFO.strings]
        mov     dx, es
        je      .strings
        mov     bx, oem_strings                 ; VBE 1: where they are
        mov     dx, cs
.strings:
        pushf
        mov     si, oem_strings
        xor     cx, cx
.pointer:
        push    bx
        mov     bx, cx
        movzx   bx, byte [cs:.pointers + bx]
        add     bx, di
        mov     [es:bx + 2], dx
        pop     ax
        mov     [es:bx], ax
        mov     bx, ax
.skip:  inc     bx
        inc     si
        cmp     byte [cs:si - 1], 0
        jne     .skip
        inc     cx
        cmp     cx, 4
        jb      .pointer
        popf
        jne     .done
        lea     di, [di + VINFO.strings]
        mov     si, oem_strings
        mov     cx, oem_strings_end - oem_strings
        cs rep movsb
.done:  clc
.end:   ret
.pointers:
        db      VINFO.oem, VINFO.vendor, VINFO.product, VINFO.revision

oem_strings:
        db      "Calque VGA BIOS", 0, "Calque", 0, "VGA with DISPI", 0, "1.0", 0
oem_strings_end:

; ES:DI = VINFO: the numbers of the modes that video memory is large enough for.
list_modes:
        push    di
        lea     ax, [di + VINFO.list]
        mov     [es:di + VINFO.modes], ax
        mov     [es:di + VINFO.modes + 2], es
        mov     di, ax
        mov     cx, 0x100
.next:  push    cx
        sub     sp, VMODE_size
        mov     bx, sp
        call    vbe_find
        lea     sp, [bx + VMODE_size]
        pop     cx
        jc      .skip
        mov     ax, cx
        stosw
.skip:  inc     cx
        cmp     cx, 0x200
        jb      .next
        mov     ax, 0xffff
        stosw
        pop     di
        ret

; -- 01h: a mode ----------------------------------------------------------------------------------------

; The caller's block of 256 bytes.
struc MINFO
.attributes:    resw 1
.window_a:      resb 1
.window_b:      resb 1
.granularity:   resw 1
.window_size:   resw 1
.segment_a:     resw 1
.segment_b:     resw 1
.function:      resd 1
.pitch:         resw 1
.width:         resw 1
.height:        resw 1
.char_width:    resb 1
.char_height:   resb 1
.planes:        resb 1
.bpp:           resb 1
.banks:         resb 1
.model:         resb 1
.bank_size:     resb 1
.pages:         resb 1
.reserved:      resb 1
.fields:        resb 8                          ; size and place: red, green, blue, unused
.direct:        resb 1
.address:       resd 1
                resb 6
.linear_pitch:  resw 1
.banked_pages:  resb 1
.linear_pages:  resb 1
.linear_fields: resb 8
.clock:         resd 1
endstruc

vbe_mode_information:
        call    vbe_detect
        jc      .end
        sub     sp, VMODE_size
        mov     bx, sp
        call    vbe_find
        mov     ah, VBE_FAILED
        jc      .none
        call    describe_mode
        clc
.none:  lea     sp, [bx + VMODE_size]
.end:   ret

; SS:BX = VMODE, ES:DI = MINFO.
describe_mode:
        push    di
        xor     ax, ax
        mov     cx, 128
        rep stosw
        pop     di
        mov     word [es:di + MINFO.attributes], 0x1b   ; there, described, colour, graphics
        mov     byte [es:di + MINFO.window_a], 7        ; there, read and written
        mov     word [es:di + MINFO.granularity], 64
        mov     word [es:di + MINFO.window_size], 64
        mov     word [es:di + MINFO.segment_a], 0xa000
        mov     word [es:di + MINFO.function], vbe_window_far
        mov     [es:di + MINFO.function + 2], cs
        mov     eax, [ss:bx + VMODE.width]
        mov     [es:di + MINFO.width], eax
        mov     ax, [ss:bx + VMODE.pitch]
        mov     [es:di + MINFO.pitch], ax
        mov     [es:di + MINFO.linear_pitch], ax
        mov     word [es:di + MINFO.char_width], 0x1008
        mov     byte [es:di + MINFO.banks], 1
        mov     byte [es:di + MINFO.reserved], 1
        mov     dword [es:di + MINFO.clock], 300000000
        call    vbe_memory
        xor     edx, edx
        div     dword [ss:bx + VMODE.bytes]
        dec     ax                              ; pages beyond the first
        cmp     ax, 255
        jbe     .pages
        mov     al, 255
.pages: mov     [es:di + MINFO.pages], al
        mov     [es:di + MINFO.banked_pages], al
        mov     [es:di + MINFO.linear_pages], al
        call    describe_colors
        cmp     byte [ss:bx + VMODE.bpp], 4
        je      .end
        push    bx
        call    find_frame_buffer
        pop     bx
        jc      .end
        mov     [es:di + MINFO.address], eax
        or      byte [es:di + MINFO.attributes], 0x80
.end:   ret

; Planes, depth, and where the colours of a pixel are.
describe_colors:
        mov     al, [ss:bx + VMODE.bpp]
        mov     [es:di + MINFO.bpp], al
        mov     ah, 4
        mov     cl, 3                           ; planes
        cmp     al, 4
        je      .model
        mov     ah, 1
        mov     cl, 4                           ; a byte each
        cmp     al, 8
        je      .model
        mov     cl, 6                           ; colours themselves
        mov     si, .fields
.field: cmp     al, [cs:si]
        je      .found
        add     si, 9
        jmp     .field
.found: inc     si
        push    di
        lea     di, [di + MINFO.fields]
        call    .copy
        pop     di
        push    di
        lea     di, [di + MINFO.linear_fields]
        call    .copy
        pop     di
        mov     byte [es:di + MINFO.direct], 2  ; the unused bits are the program's
.model: mov     [es:di + MINFO.planes], ah
        mov     [es:di + MINFO.model], cl
        ret
.copy:  pusha
        mov     cx, 8
        cs rep movsb
        popa
        ret
.fields:
        db      15,  5, 10, 5, 5, 5, 0, 1, 15
        db      16,  5, 11, 6, 5, 5, 0, 0, 0
        db      24,  8, 16, 8, 8, 8, 0, 0, 0
        db      32,  8, 16, 8, 8, 8, 0, 8, 24

; EAX = address of the linear frame buffer: BAR 0 of the function that carries our name on bus 0.
; Carry: there is none. Uses EBX, DX.
find_frame_buffer:
        pushfd
        cli
        mov     ebx, 0x80000000
.next:  mov     eax, ebx
        call    .read
        cmp     eax, [cs:pcir + 4]
        je      .found
        add     ebx, 0x100
        cmp     ebx, 0x80010000
        jb      .next
        popfd
        stc
        ret
.found: lea     eax, [ebx + 0x10]
        call    .read
        popfd
        and     eax, ~0xf
        cmp     eax, 1                          ; carry: it has no address
        ret
.read:  mov     dx, 0xcf8
        out     dx, eax
        mov     dx, 0xcfc
        in      eax, dx
        ret
