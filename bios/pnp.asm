; SPDX-License-Identifier: MIT
;
; The Plug and Play installation check structure (Plug and Play BIOS Specification 1.0A, 4.4). Its
; services say that they are not supported; option ROMs see by it that boot devices are chosen here.

PNP_UNSUPPORTED equ 0x82

        align   16, db 0
pnp_header:
        db      "$PnP"
        db      0x10, 0x21              ; version 1.0, length
        dw      0                       ; no events
        db      0                       ; checksum
        dd      0
        dw      pnp_real, BIOS_SEG
        dw      pnp_protected
        dd      0xf0000
        dd      0                       ; OEM
        dw      BIOS_SEG                ; data segment, real mode
        dd      0xf0000

pnp_post:
        mov     esi, 0xf0000 + pnp_header
        lea     edi, [esi + 8]
        mov     ecx, 0x21
        jmp     checksum

pnp_real:
pnp_protected:
        mov     ax, PNP_UNSUPPORTED
        retf
