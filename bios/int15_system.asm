; SPDX-License-Identifier: MIT
;
; INT 15h: who serves which function, and the small ones: events, waiting, A20, configuration.

ST15_UNSUPPORTED equ 0x86

int15:  SERVICE
        mov     bx, int15_functions
        mov     al, [bp + F_AH]
.find:  mov     ah, [cs:bx]
        cmp     ah, al
        je      .found
        add     bx, 3
        cmp     bx, int15_functions.end
        jb      .find
        mov     byte [bp + F_AH], ST15_UNSUPPORTED
        FAIL_CALLER
        END_SERVICE
.found: PASS_CALLER
        call    [cs:bx + 1]
        END_SERVICE

%macro  FN 2
        db      %1
        dw      %2
%endmacro
int15_functions:
        FN      0x24, a20_service
        FN      0x4f, int15_key
        FN      0x53, apm_service
        FN      0x80, int15_done
        FN      0x81, int15_done
        FN      0x82, int15_done
        FN      0x83, wait_start
        FN      0x85, int15_done
        FN      0x86, wait_service
        FN      0x87, move_block
        FN      0x88, extended_size
        FN      0x89, enter_protected
        FN      0x90, int15_event
        FN      0x91, int15_event
        FN      0xc0, configuration
        FN      0xc1, ebda_segment
        FN      0xc2, mouse_service
        FN      0xe8, memory_service
        FN      0xec, int15_done
.end:

; CF and AH as they fit a function that is not there.
int15_unsupported:
        mov     byte [bp + F_AH], ST15_UNSUPPORTED
        FAIL_CALLER
        ret

int15_done:
        mov     byte [bp + F_AH], 0
        ret

; Devices wait or are ready: multitaskers take these. CF clear: not a time-out.
int15_event:
        mov     byte [bp + F_AH], 0
        ret

; A scan code: used as it is.
int15_key:
        FAIL_CALLER
        ret

; AH=C0h.
configuration:
        mov     word [bp + F_ES], BIOS_SEG
        mov     word [bp + F_EBX], system_configuration
        mov     byte [bp + F_AH], 0
        ret

; AH=C1h.
ebda_segment:
        mov     ax, [BDA_EBDA]
        mov     [bp + F_ES], ax
        ret

; -- AH=24h: A20 -----------------------------------------------------------------------------------

; The line is on if port 92h or the keyboard controller says so: both are set.
a20_service:
        mov     al, [bp + F_AL]
        cmp     al, 3
        ja      int15_unsupported
        mov     byte [bp + F_AH], 0
        je      .support
        cmp     al, 2
        je      .ask
        in      al, PORT_92
        and     al, 0xfc                ; never the reset
        cmp     byte [bp + F_AL], 1
        jne     .set
        or      al, 2
.set:   out     PORT_92, al
        and     al, 2
        or      al, 0xdd                ; the controller's output port
        mov     ah, al
        mov     al, 0xd1
        call    kbc_command
        call    kbc_ready
        mov     al, ah
        out     KBC_DATA, al
        jmp     kbc_ready
.ask:   in      al, PORT_92
        shr     al, 1
        and     al, 1
        mov     [bp + F_AL], al
        ret
.support:
        mov     word [bp + F_EBX], 3    ; keyboard controller and port 92h
        ret

; -- AH=86h, 83h: time -----------------------------------------------------------------------------

; AH=86h: waits for CX:DX microseconds.
wait_service:
        sti
        mov     ax, [bp + F_ECX]
        shl     eax, 16
        mov     ax, [bp + F_EDX]
        jmp     wait_us

; AH=83h: AL=0 sets bit 7 of the byte at ES:BX after CX:DX microseconds, by the clock's periodic
; interrupt; AL=1 gives up.
wait_start:
        cmp     byte [bp + F_AL], 1
        je      .cancel
        ja      int15_unsupported
        cli
        test    byte [BDA_WAIT], 1
        jnz     .busy
        mov     byte [BDA_WAIT], 1
        mov     ax, [bp + F_ES]
        mov     [BDA_WAIT_FLAG + 2], ax
        mov     ax, [bp + F_EBX]
        mov     [BDA_WAIT_FLAG], ax
        mov     ax, [bp + F_ECX]
        mov     [BDA_WAIT_COUNT + 2], ax
        mov     ax, [bp + F_EDX]
        mov     [BDA_WAIT_COUNT], ax
        in      al, PIC2 + 1            ; the clock's line
        and     al, ~1
        out     PIC2 + 1, al
        mov     al, 0x0b
        call    cmos_read
        or      al, 0x40
        mov     ah, al
        mov     al, 0x0b
        call    cmos_write
        mov     byte [bp + F_AH], 0
        ret
.busy:  FAIL_CALLER
        mov     byte [bp + F_AH], 0
        ret
.cancel:
        call    wait_off
        mov     byte [bp + F_AH], 0
        ret

; The periodic interrupt off.
wait_off:
        mov     byte [BDA_WAIT], 0
        mov     al, 0x0b
        call    cmos_read
        and     al, ~0x40
        mov     ah, al
        mov     al, 0x0b
        jmp     cmos_write

; The clock's interrupt: INT 4Ah at an alarm; each 976 microseconds one step of a wait.
int70:  SERVICE
        mov     al, 0x0b
        call    cmos_read
        mov     bl, al
        mov     al, 0x0c
        call    cmos_read
        and     bl, al
        test    bl, 0x20
        jz      .no_alarm
        push    bx
        sti
        int     0x4a
        cli
        pop     bx
.no_alarm:
        test    bl, 0x40
        jz      .end
        test    byte [BDA_WAIT], 1
        jz      .end
        sub     dword [BDA_WAIT_COUNT], 976
        ja      .end
        call    wait_off
        les     di, [BDA_WAIT_FLAG]
        or      byte [es:di], 0x80
.end:   mov     al, EOI
        out     PIC2, al
        out     PIC1, al
        END_SERVICE
