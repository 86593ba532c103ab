; SPDX-License-Identifier: MIT
;
; The display adapter's BIOS: an option ROM (PCI Firmware Specification 3.0, chapter 5) for a VGA with
; Bochs' VBE extension. It is written for a processor from the 386 on, keeps everything that changes in
; the BIOS data area and in the adapter, and never writes to itself.
;
; Documents: IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference (INT 10h),
; IBM Personal System/2 Hardware Interface Technical Reference: Video Subsystems (registers), Ralf
; Brown's Interrupt List (what programs rely on), VESA VBE Core Functions Standard 3.0, VESA DDC 1.0
; and E-EDID release A.
;
; vga_int10.asm gives out calls; the other parts each implement some functions.

        bits    16
        cpu     686
        org     0

%define ROM_BLOCKS (rom_end / 512)

rom:    db      0x55, 0xaa, ROM_BLOCKS
        jmp     near init
        times   0x18 - ($ - $$) db 0
        dw      pcir, 0
        times   0x1e - ($ - $$) db 0
        db      "IBM VGA compatible", 0         ; where programs look for the first three letters

pcir:   db      "PCIR"
        dw      0x1234, 0x1111                  ; vendor and device
        dw      0                               ; no vital product data
        dw      .end - pcir
        db      0                               ; revision
        db      0x00, 0x00, 0x03                ; class: VGA
        dw      ROM_BLOCKS, 1                   ; length, revision of this code
        db      0, 0x80                         ; for x86 PCs; the last image
        dw      0
.end:

; Where devices/ finds the font of 16 lines, for machines that start without firmware.
        times   0x60 - ($ - $$) db 0
        dw      font16

%include "vga_defs.asm"
%include "vga_int10.asm"
%include "vga_text.asm"
%include "vga_scroll.asm"
%include "vga_graphics.asm"
%include "vga_mode.asm"
%include "vga_palette.asm"
%include "vga_load.asm"
%include "vga_info.asm"
%include "vga_save.asm"
%include "vga_vbe.asm"
%include "vga_vbe_set.asm"
%include "vga_vbe_colors.asm"
%include "vga_vbe_code32.asm"
%include "vga_ddc.asm"
%include "vga_params.asm"
%include "vga_vbe_modes.asm"
%include "vga_dac.asm"
%include "vga_font8.asm"
%include "vga_fonts.asm"

; The bytes of a ROM add up to zero; CHECKSUM comes from the build, which assembles this twice.
%ifndef CHECKSUM
%define CHECKSUM 0
%endif
        db      CHECKSUM
        align   2048, db 0
rom_end equ     $ - $$
