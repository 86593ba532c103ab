; SPDX-License-Identifier: MIT
;
; The system BIOS: 64 KiB that end at 4 GiB and are seen at F0000 as well.

BIOS_SEG        equ 0xf000

        bits    16
        cpu     686
        org     0

%include "debug.asm"

; The processor comes from the reset vector, at F000:FFF0 with the base FFFF0000.
post:   cli
        cld
        jmp     BIOS_SEG:.low
.low:   mov     si, banner
        mov     sp, .printed
        jmp     debug_print_rom
.printed:
        hlt
        jmp     .printed

banner: db      "Calque BIOS", 10, 0

; Places that programs expect.
        times   0xfff0 - ($ - $$) db 0xff
        jmp     post
        times   0xfff5 - ($ - $$) db 0xff
        db      "11/21/26"              ; date
        times   0xfffe - ($ - $$) db 0xff
        db      0xfc, 0                 ; model: AT; checksum
