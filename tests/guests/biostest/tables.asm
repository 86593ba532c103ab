; SPDX-License-Identifier: MIT
;
; Tables at F0000: signatures and checksums.

; A structure that must be there, %2 bytes long: its sum is zero; FS:DI.
%macro  STRUCTURE 3
        mov     si, %%signature
        mov     cx, %%end - %%signature
        call    find
        CHECK   nc, %1, " is there"
        jc      %%skip
        mov     si, di
        mov     cx, %2
        call    sum
        test    al, al
        CHECK   z, %1, " adds up to zero"
%%skip: jmp     %%end
%%signature:
        db      %3
%%end:
%endmacro

test_tables:
        STRUCTURE "$PnP", 0x21, "$PnP"
        STRUCTURE "_32_", 16, "_32_"
        STRUCTURE "$PIR", [fs:di + 6], "$PIR"
        STRUCTURE "RSDP", 20, "RSD PTR "
        STRUCTURE "RSDP of version 2", [cs:.rsdp_len], "RSD PTR "
        STRUCTURE "_SM_", [cs:.smbios_len], "_SM_"
        mov     si, .pmm
        mov     cx, 4
        call    find
        CHECK   c, "$PMM is gone"
        ret
        align   2, db 0
.rsdp_len:
        dw      20
.smbios_len:
        dw      31
.pmm:   db      "$PMM"
