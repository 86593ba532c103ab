; SPDX-License-Identifier: MIT
;
; What all parts share: places in memory, ports, the frame of a service, and macros.

BIOS_SEG        equ 0xf000
BDA_SEG         equ 0x40
EBDA_AT         equ 0x9fc00             ; one KiB, below the display's window
BOOT_AT         equ 0x7c00              ; boot sectors; the stack while the BIOS starts ends here

; -- The data area at 40:0 (IBM AT Technical Reference) --------------------------------------------

BDA_COM         equ 0x00                ; ports of four serial and three parallel adapters
BDA_LPT         equ 0x08
BDA_EBDA        equ 0x0e                ; segment
BDA_EQUIPMENT   equ 0x10
BDA_MEM_KB      equ 0x13
BDA_KBD_FLAGS   equ 0x17
BDA_KBD_FLAGS2  equ 0x18
BDA_KBD_ALT     equ 0x19                ; number typed with Alt held
BDA_KBD_HEAD    equ 0x1a
BDA_KBD_TAIL    equ 0x1c
BDA_KBD_BUF     equ 0x1e
BDA_FD_RECAL    equ 0x3e                ; bit n: drive n is calibrated; bit 7: interrupt
BDA_FD_MOTOR    equ 0x3f
BDA_FD_TIMEOUT  equ 0x40
BDA_FD_STATUS   equ 0x41
BDA_FD_RESULT   equ 0x42                ; seven bytes
BDA_COLUMNS     equ 0x4a
BDA_IO_ROM_OFF  equ 0x67                ; where a reset returns to
BDA_TICKS       equ 0x6c
BDA_MIDNIGHT    equ 0x70
BDA_BREAK       equ 0x71
BDA_WARM        equ 0x72
BDA_HD_STATUS   equ 0x74
BDA_HD_COUNT    equ 0x75
BDA_LPT_TIME    equ 0x78
BDA_COM_TIME    equ 0x7c
BDA_KBD_START   equ 0x80
BDA_KBD_END     equ 0x82
BDA_FD_RATE     equ 0x8b                ; the last data rate that was set, bits 7-6
BDA_HD_DONE     equ 0x8e
BDA_FD_STATE    equ 0x90                ; media of drives 0 and 1
BDA_FD_TRACK    equ 0x94                ; where their heads are
BDA_KBD_MODE    equ 0x96
BDA_KBD_LEDS    equ 0x97
BDA_WAIT_FLAG   equ 0x98                ; far pointer
BDA_WAIT_COUNT  equ 0x9c                ; microseconds
BDA_WAIT        equ 0xa0                ; bit 0: a wait is under way
BDA_PRINTING    equ 0x100               ; state of Print Screen, at 50:0

; -- The extended data area ------------------------------------------------------------------------

EB_SIZE         equ 0x00                ; in KiB
EB_MOUSE_CALL   equ 0x22                ; far pointer
EB_MOUSE_FLAGS  equ 0x26                ; bits 2-0: next byte of the packet
EB_MOUSE_FLAGS2 equ 0x27                ; bits 2-0: length of packets - 1; bit 7: a handler is there
EB_MOUSE_DATA   equ 0x28                ; eight bytes
EB_FDPT         equ 0x3d                ; parameter tables of two hard disks, 16 bytes each
EB_DRIVES       equ 0x60                ; four times struct drive
EB_HD_MAP       equ 0xf0                ; for numbers 80h and up the offset of struct drive; words
EB_CD_MAP       equ 0xf8
EB_HD_COUNT     equ 0x100
EB_CD_COUNT     equ 0x101
EB_REQUEST      equ 0x108               ; struct request
EB_EMU          equ 0x128               ; struct emulation
EB_PACKET       equ 0x148               ; an ATAPI command, 12 bytes
EB_PACKET_DMA   equ 0x154               ; 1: its data come by the bus master
EB_DPTE         equ 0x158               ; device parameter table extension, 16 bytes
EB_PRD          equ 0x170               ; a bus master's table: eight entries
EB_BOOT_NEXT    equ 0x1b0               ; which entry of the list INT 18h tries
EB_BOOT_LIST    equ 0x1b2               ; kind (BOOT_*) and index; a zero ends it
EB_BOOT_MAX     equ 16
EB_SECTOR       equ 0x200               ; 512 bytes

; A drive on an ATA channel.
struc drive
.kind:          resb 1                  ; DRIVE_*
.select:        resb 1                  ; A0h or B0h
.io:            resw 1                  ; command block
.control:       resw 1                  ; its alternate status
.master:        resw 1                  ; bus master's ports; 0: none
.flags:         resb 1                  ; DF_*
.irq:           resb 1
.cylinders:     resw 1                  ; as the drive has them
.heads:         resw 1
.spt:           resw 1
.log_cylinders: resw 1                  ; as INT 13h shows them
.log_heads:     resw 1
.log_spt:       resw 1
.sectors:       resd 2
.number:        resb 1                  ; channel << 1 | unit
.pad:           resb 3
endstruc
DRIVE_NONE      equ 0
DRIVE_DISK      equ 1
DRIVE_CD        equ 2
DF_LBA          equ 1
DF_LBA48        equ 2
DF_DMA          equ 4

; What is to be read or written.
struc request
.lba:           resd 2
.count:         resd 1                  ; sectors, or blocks of a CD
.buffer:        resd 1                  ; linear address
.op:            resb 1                  ; OP_*
.status:        resb 1                  ; as in AH
.done:          resw 1                  ; sectors
.skip:          resd 1                  ; CD: bytes before what is wanted
.take:          resd 1                  ; ... and how many are
endstruc
OP_READ         equ 0
OP_WRITE        equ 1
OP_VERIFY       equ 2

; A CD from which a floppy or a hard disk was emulated at boot (El Torito).
struc emulation
.active:        resb 1
.media:         resb 1                  ; 0: none; 1-3: floppy of 1.2, 1.44, 2.88 MB; 4: hard disk
.number:        resb 1                  ; INT 13h's
.index:         resb 1                  ; of the CD
.lba:           resd 1                  ; where the image begins, in blocks
.segment:       resw 1
.count:         resw 1                  ; 512-byte sectors that were loaded
.cylinders:     resw 1
.heads:         resw 1
.spt:           resw 1
.drive:         resw 1                  ; offset of struct drive
endstruc

; -- A service's frame -----------------------------------------------------------------------------

; SERVICE saves all that its caller has, BP shows it; then DS is the BIOS data area.
F_EDI           equ 0
F_ESI           equ 4
F_EBP           equ 8
F_EBX           equ 16
F_EDX           equ 20
F_ECX           equ 24
F_EAX           equ 28
F_FS            equ 32
F_ES            equ 34
F_DS            equ 36
F_IP            equ 38
F_CS            equ 40
F_FLAGS         equ 42

F_AL            equ F_EAX
F_AH            equ F_EAX + 1
F_BL            equ F_EBX
F_BH            equ F_EBX + 1
F_CL            equ F_ECX
F_CH            equ F_ECX + 1
F_DL            equ F_EDX
F_DH            equ F_EDX + 1

%macro SERVICE 0
        push    ds
        push    es
        push    fs
        pushad
        mov     bp, sp
        cld
        push    BDA_SEG
        pop     ds
%endmacro

%macro END_SERVICE 0
        popad
        pop     fs
        pop     es
        pop     ds
        iret
%endmacro

; The carry flag that the caller will see.
%macro FAIL_CALLER 0
        or      byte [bp + F_FLAGS], 1
%endmacro
%macro PASS_CALLER 0
        and     byte [bp + F_FLAGS], ~1
%endmacro

; -- Ports -----------------------------------------------------------------------------------------

PIC1            equ 0x20
PIC2            equ 0xa0
EOI             equ 0x20
PIT0            equ 0x40
PIT2            equ 0x42
PIT_CMD         equ 0x43
KBC_DATA        equ 0x60
KBC_CMD         equ 0x64
PORT_B          equ 0x61
CMOS_INDEX      equ 0x70
CMOS_DATA       equ 0x71
PORT_92         equ 0x92
PCI_ADDRESS     equ 0xcf8
PCI_DATA        equ 0xcfc
RESET_CONTROL   equ 0xcf9
PM_BASE         equ 0x600               ; the ACPI tables say the same
PM_TIMER        equ PM_BASE + 8
PM_HZ           equ 3579545

CMOS_SHUTDOWN   equ 0x0f
CMOS_FLOPPIES   equ 0x10

; Puts zeroes, or another byte, up to an offset in the segment: services whose address programs know
; begin where IBM's did.
%macro AT 1
        times   %1 - ($ - $$) db 0xff
%endmacro
