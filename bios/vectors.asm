; SPDX-License-Identifier: MIT
;
; Which interrupt goes where, and the end of the segment: programs know the addresses of IBM's
; services, the diskette parameters, the date and the model.

; Vector and offset.
vector_table:
        dw      0x02 * 4, int02
        dw      0x05 * 4, int05
        dw      0x08 * 4, int08
        dw      0x09 * 4, int09
        dw      0x0e * 4, int0e
        dw      0x10 * 4, int10
        dw      0x11 * 4, int11
        dw      0x12 * 4, int12
        dw      0x13 * 4, int13
        dw      0x14 * 4, int14
        dw      0x15 * 4, int15
        dw      0x16 * 4, int16
        dw      0x17 * 4, int17
        dw      0x18 * 4, int18
        dw      0x19 * 4, int19
        dw      0x1a * 4, int1a
        dw      0x1e * 4, diskette_parameters
        dw      0x40 * 4, int40
        dw      0x70 * 4, int70
        dw      0x74 * 4, int74
        dw      0x75 * 4, int75
        dw      0x76 * 4, int76
        dw      0x77 * 4, int76
.end:

int_nothing:
        iret

; Lines that nobody serves: ended, so that others can come.
irq_nothing2:
        push    ax
        mov     al, EOI
        out     PIC2, al
        out     PIC1, al
        pop     ax
        iret
irq_nothing1:
        push    ax
        mov     al, EOI
        out     PIC1, al
        pop     ax
        iret

; NMI: nothing is known of its reasons.
int02:  iret

; FPU error, as on a PC of 1981: the latch is opened, then it is an NMI.
int75:  push    ax
        xor     al, al
        out     0xf0, al
        mov     al, EOI
        out     PIC2, al
        out     PIC1, al
        pop     ax
        int     0x02
        iret

; Until a display adapter's BIOS takes this vector.
int10:  iret

; -- Fixed places ----------------------------------------------------------------------------------

image_used:

        AT      0xe05b
        jmp     post
        AT      0xe2c3
        jmp     int02
        AT      0xe3fe
        jmp     int13
        AT      0xe6f2
        jmp     int19

; Configuration, INT 15h AH=C0h.
        AT      0xe6f5
system_configuration:
        dw      8
        db      0xfc, 0x01, 0x00        ; AT; BIOS revision
        db      0x74                    ; second 8259, clock, INT 15h AH=4Fh, extended data area
        db      0x40                    ; INT 16h AH=09h
        db      0, 0, 0

        AT      0xe739
        jmp     int14
        AT      0xe82e
        jmp     int16
        AT      0xe987
        jmp     int09
        AT      0xec59
        jmp     int40
        AT      0xef57
        jmp     int0e

; SPECIFY's bytes, motor off after 37 ticks, 512 bytes a sector, 18 a track, gaps, F6 to format, head
; settle 15 ms, motor start in 1/8 s.
        AT      0xefc7
diskette_parameters:
        db      0xaf, 0x02, 37, 2, 18, 0x1b, 0xff, 0x6c, 0xf6, 15, 8

        AT      0xefd2
        jmp     int17
        AT      0xf065
        jmp     int10
        AT      0xf841
        jmp     int12
        AT      0xf84d
        jmp     int11
        AT      0xf859
        jmp     int15
        AT      0xfe6e
        jmp     int1a
        AT      0xfea5
        jmp     int08
        AT      0xff53
        iret
        AT      0xff54
        jmp     int05

        AT      0xfff0
        jmp     post
        AT      0xfff5
        db      "11/21/26"
        AT      0xfffe
        db      0xfc, 0                 ; model: AT
