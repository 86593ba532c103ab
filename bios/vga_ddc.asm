; SPDX-License-Identifier: MIT
;
; The display: VBE/DDC (function 4F15h) and its EDID (VESA E-EDID standard release A, version 1.4).

; BL = 0: what there is; 1: block DX of the EDID, to ES:DI.
vbe_ddc:
        test    cx, cx                          ; the first controller is the only one
        jnz     vbe_failed
        cmp     bl, 1
        ja      vbe_failed
        je      .read
        mov     word [CALLER(bx)], 0x0002       ; DDC2, less than a second a block
        clc
        ret
.read:  test    dx, dx
        jnz     vbe_failed
        mov     si, edid
        mov     cx, 128
        cs rep movsb
        clc
        ret

; The sum of what was emitted, for the last byte.
%assign edid_sum 0
%macro EDID 1-*
    %rep %0
        db      %1
        %assign edid_sum edid_sum + (%1)
        %rotate 1
    %endrep
%endmacro

; A timing: pixel clock in 10 kHz; width, blanking, height, blanking; horizontal and vertical front porch
; and sync.
%macro EDID_TIMING 9
        EDID    (%1) & 255, (%1) >> 8
        EDID    (%2) & 255, (%3) & 255, (%2) >> 8 << 4 | (%3) >> 8
        EDID    (%4) & 255, (%5) & 255, (%4) >> 8 << 4 | (%5) >> 8
        EDID    %6, %7, (%8) << 4 | (%9), 0
        EDID    0x54, 0x10, 0x11, 0, 0, 0x1e    ; 340 by 272 mm, no border, separate syncs
%endmacro

edid:   EDID    0, 255, 255, 255, 255, 255, 255, 0
        EDID    0x0d, 0x91, 1, 0, 0, 0, 0, 0    ; "CLQ", product 1
        EDID    0, 36, 1, 4                     ; 2026; version 1.4
        EDID    0xa5, 34, 27, 120, 0x06         ; digital, 8 bits; cm; gamma 2.2; sRGB, preferred timing
        EDID    0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54      ; sRGB's colours
        EDID    0x21, 0x08, 0x00                ; 640x480, 800x600, 1024x768 at 60 Hz
        EDID    0x81, 0x80, 0x81, 0xc0, 0x95, 0x00, 0xa9, 0x40  ; 1280 by 1024 and 720, 1440, 1600
        EDID    0xb3, 0x00, 0xd1, 0xc0, 0xd1, 0x00, 1, 1        ; 1680, 1920 by 1080 and 1200
        EDID_TIMING 10800, 1280, 408, 1024, 42, 48, 112, 1, 3
        EDID    0, 0, 0, 0xfc, 0, 'C', 'a', 'l', 'q', 'u', 'e', 10, 32, 32, 32, 32, 32, 32
        EDID    0, 0, 0, 0xfd, 0, 20, 200, 10, 255, 60, 1, 10, 32, 32, 32, 32, 32, 32
        EDID    0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        EDID    0                               ; no more blocks
        db      -edid_sum & 255
%if ($ - edid) != 128
%error "edid"
%endif
