; SPDX-License-Identifier: MIT
;
; The save pointer's tables: video parameters (struc P of vga_mode.asm), display combinations, and what
; function 1Bh points to.

        align   4
save_pointers:                                  ; offsets; segments are 0 where there is nothing
        dw      video_params, VGA_SEG
        dd      0, 0, 0                         ; saved palettes, fonts for text and graphics
        dw      second_pointers, VGA_SEG
        dd      0, 0
second_pointers:
        dw      26                              ; bytes
        dw      dcc_table, VGA_SEG
        dd      0, 0, 0, 0, 0

VGA_SEG         equ 0xc000                      ; where firmware puts the BIOS of a VGA

dcc_table:
        db      DCC_COUNT, 1, 8, 0              ; entries, version, highest code
combinations:                                   ; 1: MDA, 2: CGA, 4, 5: EGA, 6: PGC, 7, 8: VGA
        db      0, 0,  0, 1,  0, 2,  2, 1,  0, 4,  4, 1,  0, 5,  2, 5
        db      0, 6,  1, 6,  5, 6,  0, 8,  1, 8,  0, 7,  2, 7,  6, 7
DCC_COUNT       equ ($ - combinations) / 2
DCC_COLOR       equ 11

static_table:
        db      0xff, 0xe0, 0x0f                ; modes 0-7, 0D-0F, 10-13
        dd      0
        db      0x07                            ; text of 200, 350 and 400 lines
        db      8, 2                            ; fonts, and how many at once
        dw      0x0eff                          ; all but the light pen
        dw      0
        db      0, 0

; Values that many modes have.
%define CRTC_WIDE       0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81
%define CRTC_NARROW     0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0
%define CRTC_WIDE_GRAPHICS      0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80
%define CRTC_NARROW_GRAPHICS    0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80
%define COLORS_CGA      0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17
%define COLORS_EGA      0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
%define COLORS_MONO     0, 8, 8, 8, 8, 8, 8, 8, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18
%define COLORS_BYTES    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

; Columns, rows, height, bytes of a page; sequencer 1-4; miscellaneous.
%macro SHAPE 9
        db      %1, %2 - 1, %3
        dw      %4
        db      %5, %6, %7, %8, %9
%endmacro
; The CRT controller from register 6 on: maximum scan line (9), cursor (0A, 0B), offset (13), underline
; (14) and mode control (17); the horizontal registers stand before.
%macro LINES_400 6
        db      0xbf, 0x1f, 0, %1, %2, %3, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, %4, %5, 0x96, 0xb9, %6, 0xff
%endmacro
%macro LINES_350 6
        db      0xbf, 0x1f, 0, %1, %2, %3, 0, 0, 0, 0, 0x83, 0x85, 0x5d, %4, %5, 0x63, 0xba, %6, 0xff
%endmacro
%macro LINES_480 6
        db      0x0b, 0x3e, 0, %1, %2, %3, 0, 0, 0, 0, 0xea, 0x8c, 0xdf, %4, %5, 0xe7, 0x04, %6, 0xff
%endmacro
; Graphics controller 5-7; the others are the same in all modes.
%macro GRAPHICS 3
        db      0, 0, 0, 0, 0, %1, %2, %3, 0xff
%endmacro

; A text mode of 25 rows, up to the horizontal registers of the CRT controller: columns (40 or 80),
; height, sequencer's register 1, miscellaneous. An entry has the rest, too.
%macro TEXT 4
    %if %1 == 40
        SHAPE   40, 25, %2, 0x800, %3 | 0x08, 0x03, 0x00, 0x02, %4
        db      CRTC_NARROW
    %else
        SHAPE   80, 25, %2, 0x1000, %3, 0x03, 0x00, 0x02, %4
        db      CRTC_WIDE
    %endif
%endmacro
%macro TEXT_200 1                               ; columns
        TEXT    %1, 8, 0x01, 0x63
        LINES_400 0xc7, 0x06, 0x07, %1 / 2, 0x1f, 0xa3
        db      COLORS_CGA, 0x08, 0x00, 0x0f, 0x00
        GRAPHICS 0x10, 0x0e, 0x00
%endmacro
%macro TEXT_350 1
        TEXT    %1, 14, 0x01, 0xa3
        LINES_350 0x4d, 0x0b, 0x0c, %1 / 2, 0x1f, 0xa3
        db      COLORS_EGA, 0x08, 0x00, 0x0f, 0x00
        GRAPHICS 0x10, 0x0e, 0x00
%endmacro
%macro TEXT_400 1
        TEXT    %1, 16, 0x00, 0x67
        LINES_400 0x4f, 0x0d, 0x0e, %1 / 2, 0x1f, 0xa3
        db      COLORS_EGA, 0x0c, 0x00, 0x0f, 0x08
        GRAPHICS 0x10, 0x0e, 0x00
%endmacro
%macro CGA_4 0
        SHAPE   40, 25, 8, 0x4000, 0x09, 0x03, 0x00, 0x02, 0x63
        db      CRTC_NARROW_GRAPHICS
        LINES_400 0xc1, 0x00, 0x00, 0x14, 0x00, 0xa2
        db      0x00, 0x13, 0x15, 0x17, 0x02, 0x04, 0x06, 0x07
        db      0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0x00, 0x03, 0x00
        GRAPHICS 0x30, 0x0f, 0x00
%endmacro
%macro EGA_350 1                                ; miscellaneous
        SHAPE   80, 25, 14, 0x8000, 0x01, 0x0f, 0x00, 0x06, %1
        db      CRTC_WIDE_GRAPHICS
        LINES_350 0x40, 0x00, 0x00, 0x28, 0x0f, 0xe3
%endmacro
%macro MONO_350 0
        EGA_350 0xa2
        db      0x00, 0x08, 0x00, 0x00, 0x18, 0x18, 0x00, 0x00
        db      0x00, 0x08, 0x00, 0x00, 0x00, 0x18, 0x00, 0x00, 0x0b, 0x00, 0x05, 0x00
        GRAPHICS 0x00, 0x05, 0x05
%endmacro
%macro COLOR_350 0
        EGA_350 0xa3
        db      COLORS_EGA, 0x01, 0x00, 0x0f, 0x00
        GRAPHICS 0x00, 0x05, 0x0f
%endmacro

video_params:
        TEXT_200 40                             ; 00
        TEXT_200 40
        TEXT_200 80
        TEXT_200 80
        CGA_4                                   ; 04
        CGA_4
        SHAPE   80, 25, 8, 0x4000, 0x01, 0x01, 0x00, 0x06, 0x63
        db      CRTC_WIDE_GRAPHICS
        LINES_400 0xc1, 0x00, 0x00, 0x28, 0x00, 0xc2
        db      0x00
        times   15 db 0x17
        db      0x01, 0x00, 0x01, 0x00
        GRAPHICS 0x00, 0x0d, 0x00
        SHAPE   80, 25, 14, 0x1000, 0x00, 0x03, 0x00, 0x03, 0xa6
        db      CRTC_WIDE
        LINES_350 0x4d, 0x0b, 0x0c, 0x28, 0x0d, 0xa3
        db      COLORS_MONO, 0x0e, 0x00, 0x0f, 0x08
        GRAPHICS 0x10, 0x0a, 0x00
        times   5 * P_size db 0                 ; 08-0C: no modes of a VGA
        SHAPE   40, 25, 8, 0x2000, 0x09, 0x0f, 0x00, 0x06, 0x63
        db      CRTC_NARROW_GRAPHICS
        LINES_400 0xc0, 0x00, 0x00, 0x14, 0x00, 0xe3
        db      COLORS_CGA, 0x01, 0x00, 0x0f, 0x00
        GRAPHICS 0x00, 0x05, 0x0f
        SHAPE   80, 25, 8, 0x4000, 0x01, 0x0f, 0x00, 0x06, 0x63
        db      CRTC_WIDE_GRAPHICS
        LINES_400 0xc0, 0x00, 0x00, 0x28, 0x00, 0xe3
        db      COLORS_CGA, 0x01, 0x00, 0x0f, 0x00
        GRAPHICS 0x00, 0x05, 0x0f
        MONO_350                                ; 0F, 10: an EGA's with 64 KiB
        COLOR_350
        MONO_350                                ; 11: mode 0F
        COLOR_350                               ; 12: mode 10
        TEXT_350 40                             ; 13: modes 0-3
        TEXT_350 40
        TEXT_350 80
        TEXT_350 80
        TEXT_400 40                             ; 17: modes 0 and 1
        TEXT_400 80                             ; 18: modes 2 and 3
        TEXT    80, 16, 0x00, 0x66              ; 19: mode 7
        LINES_400 0x4f, 0x0d, 0x0e, 0x28, 0x0f, 0xa3
        db      COLORS_MONO, 0x0e, 0x00, 0x0f, 0x08
        GRAPHICS 0x10, 0x0a, 0x00
        SHAPE   80, 30, 16, 0xa000, 0x01, 0x0f, 0x00, 0x06, 0xe3        ; 1A: mode 11
        db      CRTC_WIDE_GRAPHICS
        LINES_480 0x40, 0x00, 0x00, 0x28, 0x00, 0xc3
        db      0x00
        times   15 db 0x3f
        db      0x01, 0x00, 0x0f, 0x00
        GRAPHICS 0x00, 0x05, 0x01
        SHAPE   80, 30, 16, 0xa000, 0x01, 0x0f, 0x00, 0x06, 0xe3        ; 1B: mode 12
        db      CRTC_WIDE_GRAPHICS
        LINES_480 0x40, 0x00, 0x00, 0x28, 0x00, 0xe3
        db      COLORS_EGA, 0x01, 0x00, 0x0f, 0x00
        GRAPHICS 0x00, 0x05, 0x0f
        SHAPE   40, 25, 8, 0x2000, 0x01, 0x0f, 0x00, 0x0e, 0x63         ; 1C: mode 13
        db      CRTC_WIDE_GRAPHICS
        LINES_400 0x41, 0x00, 0x00, 0x28, 0x40, 0xa3
        db      COLORS_BYTES, 0x41, 0x00, 0x0f, 0x00
        GRAPHICS 0x40, 0x05, 0x0f
%if ($ - video_params) != 29 * P_size
%error "video_params"
%endif
