; SPDX-License-Identifier: MIT
;
; Names that all parts of the VGA BIOS use.

; BIOS data area, segment 40h, which DS is in every function.
BDA_SEG         equ 0x40
EQUIPMENT       equ 0x10                        ; bits 4 and 5: display at the start
MODE            equ 0x49
COLUMNS         equ 0x4a                        ; word
PAGE_SIZE       equ 0x4c                        ; word: bytes of a page
PAGE_START      equ 0x4e                        ; word
CURSOR          equ 0x50                        ; words: column and row, of eight pages
CURSOR_TYPE     equ 0x60                        ; word: last and first line
PAGE            equ 0x62
CRTC            equ 0x63                        ; word: port of the CRT controller
CGA_MODE        equ 0x65                        ; what a CGA's registers would be
CGA_COLOR       equ 0x66
LAST_ROW        equ 0x84
CHAR_HEIGHT     equ 0x85                        ; word
CONTROL         equ 0x87                        ; CONTROL_*
SWITCHES        equ 0x88
OPTIONS         equ 0x89                        ; OPTION_*
DCC_INDEX       equ 0x8a
SAVE_POINTER    equ 0xa8                        ; far pointer

CONTROL_NO_EMULATION    equ 0x01                ; of cursors
CONTROL_256K            equ 0x60
CONTROL_KEEP            equ 0x80                ; the last mode set did not clear
OPTION_ACTIVE           equ 0x01
OPTION_GREY             equ 0x02
OPTION_MONO             equ 0x04
OPTION_NO_PALETTE       equ 0x08
OPTION_400              equ 0x10                ; lines of text modes: this, or ...
OPTION_SWITCHING        equ 0x40
OPTION_200              equ 0x80                ; ... this, or neither: 350

VECTOR_VIDEO    equ 0x10 * 4
VECTOR_UPPER    equ 0x1f * 4                    ; font of 8x8 from 80h on, for CGA's graphics modes
VECTOR_OLD      equ 0x42 * 4                    ; what INT 10h was before
VECTOR_FONT     equ 0x43 * 4                    ; font of graphics modes
VECTOR_VGA      equ 0x6d * 4

SEQ             equ 0x3c4
GFX             equ 0x3ce
ATTR            equ 0x3c0
MISC_READ       equ 0x3cc
MISC_WRITE      equ 0x3c2
DAC_MASK        equ 0x3c6
DAC_READ        equ 0x3c7
DAC_WRITE       equ 0x3c8
DAC_DATA        equ 0x3c9
STATUS          equ 6                           ; input status 1, from CRTC on
DISPI           equ 0x1ce

; What a mode's memory is.
KIND_NONE       equ 0                           ; nothing that characters and pixels go to
KIND_TEXT       equ 1
KIND_CGA4       equ 2
KIND_CGA2       equ 3
KIND_PLANAR     equ 4
KIND_BYTES      equ 5

; The caller's registers at BP, and what it called.
struc R
.fs:    resw 1
.es:    resw 1
.ds:    resw 1
.di:    resd 1
.si:    resd 1
.bp:    resd 1
.sp:    resd 1
.bx:    resd 1
.dx:    resd 1
.cx:    resd 1
.ax:    resd 1
.ip:    resw 1
.cs:    resw 1
.flags: resw 1
endstruc

%define CALLER(r) bp + R. %+ r

; Index and value to a group of registers.
%macro SET 3                                    ; port, index, value
        mov     dx, %1
        mov     ax, (%3) << 8 | (%2)
        out     dx, ax
%endmacro

; DISPI registers and bits.
DISPI_ID        equ 0
DISPI_XRES      equ 1
DISPI_YRES      equ 2
DISPI_BPP       equ 3
DISPI_ENABLE    equ 4
DISPI_BANK      equ 5
DISPI_VIRT_WIDTH equ 6
DISPI_VIRT_HEIGHT equ 7
DISPI_X_OFFSET  equ 8
DISPI_Y_OFFSET  equ 9
DISPI_MEMORY    equ 10
DISPI_ENABLED   equ 0x01
DISPI_8BIT_DAC  equ 0x20
DISPI_LFB       equ 0x40
DISPI_KEEP      equ 0x80
