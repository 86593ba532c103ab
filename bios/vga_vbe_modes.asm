; SPDX-License-Identifier: MIT
;
; VBE's modes: all sizes in all depths. The numbers are VESA's where VESA gave one, and else those that
; other BIOSes for this adapter use, as far as there are any; the rest is from OWN on.

OWN             equ 0x1a0
%assign own OWN

; Width, height, numbers with 8, 15, 16, 24, 32 bits; 0: one of our own.
struc SIZE
.width:         resw 1
.height:        resw 1
.numbers:       resw 5
endstruc

%macro MODE_SIZE 7
        dw      %1, %2
    %rotate 2
    %rep 5
        %if %1 == 0
        dw      own
            %assign own own + 1
        %else
        dw      %1
        %endif
        %rotate 1
    %endrep
%endmacro

sizes:
        MODE_SIZE 320, 200, 0x146, 0x10d, 0x10e, 0x10f, 0x140
        MODE_SIZE 320, 240, 0, 0, 0, 0, 0
        MODE_SIZE 400, 300, 0, 0, 0, 0, 0
        MODE_SIZE 512, 384, 0, 0, 0, 0, 0
        MODE_SIZE 640, 400, 0x100, 0, 0, 0, 0x141
        MODE_SIZE 640, 480, 0x101, 0x110, 0x111, 0x112, 0x142
        MODE_SIZE 800, 600, 0x103, 0x113, 0x114, 0x115, 0x143
        MODE_SIZE 1024, 768, 0x105, 0x116, 0x117, 0x118, 0x144
        MODE_SIZE 1152, 864, 0x148, 0x149, 0x14a, 0x14b, 0x14c
        MODE_SIZE 1280, 720, 0, 0, 0x18d, 0x18e, 0x18f
        MODE_SIZE 1280, 800, 0, 0, 0x178, 0x179, 0x17a
        MODE_SIZE 1280, 1024, 0x107, 0x119, 0x11a, 0x11b, 0x145
        MODE_SIZE 1360, 768, 0, 0, 0, 0, 0
        MODE_SIZE 1440, 900, 0, 0, 0x17e, 0x17f, 0x180
        MODE_SIZE 1600, 900, 0, 0, 0x193, 0x194, 0x195
        MODE_SIZE 1600, 1200, 0x11c, 0x11d, 0x11e, 0x11f, 0x147
        MODE_SIZE 1680, 1050, 0, 0, 0x184, 0x185, 0x186
        MODE_SIZE 1920, 1080, 0, 0, 0x190, 0x191, 0x192
        MODE_SIZE 1920, 1200, 0, 0, 0x187, 0x188, 0x189
        MODE_SIZE 2560, 1600, 0, 0, 0x18a, 0x18b, 0x18c
sizes_end:

; Of 4 bits there are VESA's three.
planar_modes:
        dw      0x102, 800, 600, 0x104, 1024, 768, 0x106, 1280, 1024
planar_modes_end:

VBE_MODES       equ (sizes_end - sizes) / SIZE_size * 5 + (planar_modes_end - planar_modes) / 6
%if VBE_MODES >= 111
%error "more modes than VINFO.list has room for"
%endif

depths: db      8, 15, 16, 24, 32
