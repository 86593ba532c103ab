; SPDX-License-Identifier: MIT
;
; The system BIOS: 64 KiB that end at 4 GiB and are seen at F0000 as well, where POST copies them
; into RAM. Written from IBM's AT Technical Reference, Brown's interrupt list and the
; specifications that each part names. Services keep their IBM addresses at the end of the segment.

        bits    16
        cpu     686
        org     0

%include "defs.asm"

image:
%include "post.asm"
%include "post_memory.asm"
%include "post_chips.asm"
%include "post_pci.asm"
%include "post_ata.asm"
%include "fwcfg.asm"
%include "tables.asm"
%include "loader.asm"
%include "roms.asm"
%include "wake.asm"
%include "pnp.asm"
%include "pmm.asm"
%include "boot.asm"
%include "kernel.asm"
%include "menu.asm"
%include "print.asm"
%include "time.asm"
%include "int08_timer.asm"
%include "kbc.asm"
%include "int09_keyboard.asm"
%include "int11_info.asm"
%include "int13_disk.asm"
%include "int13_edd.asm"
%include "fdc.asm"
%include "int13_floppy.asm"
%include "int13_cd.asm"
%include "ata.asm"
%include "atapi.asm"
%include "eltorito.asm"
%include "int14_serial.asm"
%include "int15_system.asm"
%include "int15_memory.asm"
%include "int15_mouse.asm"
%include "int15_apm.asm"
%include "int16_keyboard.asm"
%include "int17_printer.asm"
%include "int1a_clock.asm"
%include "int1a_pci.asm"
%include "bios32.asm"
%include "vectors.asm"
