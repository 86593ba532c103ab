; SPDX-License-Identifier: MIT
;
; Memory, time, power, ports and PCI.

test_info:
        xor     ax, ax
        mov     fs, ax
        cmp     word [fs:0x13 * 4 + 2], 0xf000
        CHECK   e, "INT 13h is in the BIOS"
        mov     ax, 0xf000
        mov     fs, ax
        cmp     byte [fs:0xfffe], 0xfc
        CHECK   e, "model byte"
        mov     ah, [fs:0]              ; the BIOS cannot be written
        mov     al, ah
        not     al
        mov     [fs:0], al
        cmp     [fs:0], ah
        CHECK   e, "BIOS is write-protected"
        int     0x12
        mov     bx, 0x40
        mov     fs, bx
        cmp     ax, [fs:0x13]
        CHECK   e, "INT 12h is what 40:13 says"
        cmp     ax, 600
        CHECK   ae, "600 KiB of conventional memory"
        mov     ax, -1
        int     0x11
        cmp     ax, [fs:0x10]
        CHECK   e, "INT 11h is what 40:10 says"
        test    al, 2
        CHECK   nz, "INT 11h: FPU"
        mov     ah, 0xc0
        push    es
        int     0x15
        CHECK   nc, "INT 15h C0h"
        cmp     word [es:bx], 8
        CHECK   ae, "INT 15h C0h: length"
        cmp     byte [es:bx + 2], 0xfc
        CHECK   e, "INT 15h C0h: model"
        test    byte [es:bx + 5], 4
        CHECK   nz, "INT 15h C0h: extended data area"
        mov     ah, 0xc1
        int     0x15
        mov     ax, es
        CHECK   nc, "INT 15h C1h"
        cmp     ax, [fs:0x0e]
        CHECK   e, "INT 15h C1h is what 40:0E says"
        cmp     byte [es:0], 1
        CHECK   e, "extended data area of 1 KiB"
        pop     es
        mov     ax, 0x7e00
        int     0x15
        CHECK   c, "INT 15h 7Eh is not there"
        cmp     ah, 0x86
        CHECK   e, "INT 15h 7Eh: AH=86h"
        ret

test_memory:
        mov     ah, 0x88
        int     0x15
        CHECK   nc, "INT 15h 88h"
        cmp     ax, 1024
        CHECK   ae, "INT 15h 88h: a MiB at least"
        xor     bx, bx
        xor     cx, cx
        mov     ax, 0xe801
        int     0x15
        CHECK   nc, "INT 15h E801h"
        cmp     ax, cx
        CHECK   e, "INT 15h E801h: AX = CX"
        cmp     bx, dx
        CHECK   e, "INT 15h E801h: BX = DX"
        movzx   eax, ax
        movzx   ebx, bx
        shl     eax, 10
        shl     ebx, 16
        lea     ebp, [eax + ebx + 0x100000]     ; the end of memory
        mov     eax, 0xe820
        mov     edx, 'PAMS'
        mov     ecx, 19
        xor     ebx, ebx
        mov     di, map
        int     0x15
        CHECK   c, "E820h: 19 bytes are too few"
        xor     ebx, ebx
        mov     dword [map_end], 0
        mov     byte [map_seen], 0
.next:  mov     eax, 0xe820
        mov     edx, 'PAMS'
        mov     ecx, 24
        mov     di, map
        int     0x15
        jc      .end
        cmp     eax, 'PAMS'
        CHECK   e, "E820h: EAX"
        cmp     ecx, 20
        CHECK   e, "E820h: ECX"
        cmp     dword [map + 4], 0
        jne     .high
        mov     eax, [map]
        cmp     eax, [map_end]
        CHECK   ae, "E820h: sorted, without overlaps"
        mov     ecx, [map + 8]
        add     eax, ecx
        mov     [map_end], eax
        cmp     dword [map], 0x100000
        jne     .high
        cmp     eax, ebp
        CHECK   ae, "E820h: as large as E801h says"
        cmp     dword [map + 16], 1
        CHECK   e, "E820h: RAM at 1 MiB"
        inc     byte [map_seen]
.high:  test    ebx, ebx
        jnz     .next
.end:   cmp     byte [map_seen], 1
        CHECK   e, "E820h: one piece at 1 MiB"
        ret
        align   4, db 0
map:    times   6 dd 0
map_end:
        dd      0
map_seen:
        db      0

; 512 words up to 1 MiB + 64 KiB, and back.
test_move:
        push    es
        mov     ax, BUFFER
        mov     es, ax
        xor     di, di
        mov     cx, 512
.fill:  mov     ax, cx
        imul    ax, 0x6d2b
        stosw
        loop    .fill
        pop     es
        mov     dword [.source + 2], BUFFER << 4
        mov     byte [.source + 5], 0x93
        mov     dword [.target + 2], 0x93120000
        mov     si, .gdt
        mov     cx, 512
        mov     ah, 0x87
        int     0x15
        CHECK   nc, "INT 15h 87h, up"
        mov     dword [.source + 2], 0x93120000
        mov     dword [.target + 2], (BUFFER << 4) + 0x400
        mov     byte [.target + 5], 0x93
        mov     si, .gdt
        mov     cx, 512
        mov     ah, 0x87
        int     0x15
        CHECK   nc, "INT 15h 87h, down"
        cmp     ah, 0
        CHECK   e, "INT 15h 87h: AH = 0"
        push    ds
        push    es
        mov     ax, BUFFER
        mov     ds, ax
        mov     es, ax
        xor     si, si
        mov     di, 0x400
        mov     cx, 512
        repe    cmpsw
        pop     es
        pop     ds
        CHECK   e, "INT 15h 87h: the same words"
        ret
        align   8, db 0
.gdt:   dq      0, 0
.source:
        dw      0xffff
        dd      0
        dw      0
.target:
        dw      0xffff
        dd      0
        dw      0
        dq      0, 0

test_a20:
        mov     ax, 0x2403
        int     0x15
        CHECK   nc, "INT 15h 2403h"
        test    bl, 2
        CHECK   nz, "INT 15h 2403h: port 92h"
        mov     ax, 0x2400
        int     0x15
        CHECK   nc, "INT 15h 2400h"
        mov     ax, 0x2402
        int     0x15
        cmp     al, 0
        CHECK   e, "INT 15h 2402h: off"
        mov     ax, -1
        mov     fs, ax
        mov     dword [0x600], 0x12345678
        mov     eax, [fs:0x610]
        cmp     eax, 0x12345678
        CHECK   e, "addresses wrap at 1 MiB"
        mov     ax, 0x2401
        int     0x15
        CHECK   nc, "INT 15h 2401h"
        mov     ax, 0x2402
        int     0x15
        cmp     al, 1
        CHECK   e, "INT 15h 2402h: on"
        mov     dword [fs:0x610], 0x87654321
        cmp     dword [0x600], 0x12345678
        CHECK   e, "addresses do not wrap"
        ret

; -- Time ------------------------------------------------------------------------------------------

ticks_seen:
        dw      0
on_tick:
        inc     word [cs:ticks_seen]
        iret

; A register's value AL is in BCD.
is_bcd: mov     ah, al
        and     ah, 15
        cmp     ah, 10
        jae     .no
        cmp     al, 0xa0
        jae     .no
        clc
        ret
.no:    stc
        ret

test_time:
        mov     ah, 0
        int     0x1a
        shl     ecx, 16
        mov     cx, dx
        cmp     ecx, 0x1800b0
        CHECK   b, "INT 1Ah 00h: less than a day"
        mov     ebp, ecx
        mov     eax, [0x1c * 4]
        push    eax
        mov     word [0x1c * 4], on_tick
        mov     word [0x1c * 4 + 2], 0
        xor     cx, cx
        mov     dx, 60000
        mov     ah, 0x86
        int     0x15
        CHECK   nc, "INT 15h 86h"
        mov     si, 100
.tick:  mov     cx, 1
        mov     dx, 0
        mov     ah, 0x86
        int     0x15
        cmp     word [ticks_seen], 2
        jae     .ticked
        dec     si
        jnz     .tick
.ticked:
        pop     eax
        mov     [0x1c * 4], eax
        cmp     word [ticks_seen], 2
        CHECK   ae, "INT 1Ch is called"
        mov     ah, 0
        int     0x1a
        shl     ecx, 16
        mov     cx, dx
        sub     ecx, ebp
        cmp     ecx, 2
        CHECK   ae, "INT 1Ah 00h counts"
        mov     ah, 0x02
        int     0x1a
        CHECK   nc, "INT 1Ah 02h"
        mov     al, ch
        call    is_bcd
        CHECK   nc, "hours in BCD"
        mov     al, cl
        call    is_bcd
        CHECK   nc, "minutes in BCD"
        mov     al, dh
        call    is_bcd
        CHECK   nc, "seconds in BCD"
        mov     ah, 0x04
        int     0x1a
        CHECK   nc, "INT 1Ah 04h"
        cmp     ch, 0x20
        CHECK   e, "the 21st century"
        mov     al, dl
        call    is_bcd
        CHECK   nc, "day in BCD"
        mov     cx, 0x1999              ; and back
        mov     dx, 0x1231
        mov     ah, 0x05
        int     0x1a
        mov     ah, 0x04
        int     0x1a
        cmp     cx, 0x1999
        CHECK   e, "INT 1Ah 05h sets the year"
        cmp     dh, 0x12
        CHECK   e, "INT 1Ah 05h sets the month"
        mov     byte [.flag], 0         ; a wait in the background
        mov     cx, 0
        mov     dx, 20000
        mov     bx, .flag
        mov     ax, 0x8300
        int     0x15
        CHECK   nc, "INT 15h 83h"
        mov     ax, 0x8300
        int     0x15
        CHECK   c, "INT 15h 83h: one at a time"
        mov     si, 100                 ; a busy host may lose interrupts
.wait:  mov     cx, 0
        mov     dx, 50000
        mov     ah, 0x86
        int     0x15
        cmp     byte [.flag], 0x80
        je      .set
        dec     si
        jnz     .wait
.set:   cmp     byte [.flag], 0x80
        CHECK   e, "INT 15h 83h sets the flag"
        ret
.flag:  db      0

; An alarm at any hour, minute and second rings each second, until it is off.
test_alarm:
        push    dword [0x4a * 4]
        mov     word [0x4a * 4], .rings
        mov     word [0x4a * 4 + 2], 0
        mov     ah, 0x06
        or      cx, -1
        or      dx, -1
        int     0x1a
        CHECK   nc, "INT 1Ah 06h"
        mov     ah, 0x06
        int     0x1a
        CHECK   c, "INT 1Ah 06h: one at a time"
        mov     si, 100
.wait:  call    .pause
        cmp     byte [.count], 2
        jae     .rang
        dec     si
        jnz     .wait
.rang:  cmp     byte [.count], 2
        CHECK   ae, "INT 4Ah is called"
        mov     ah, 0x07
        int     0x1a
        CHECK   nc, "INT 1Ah 07h"
        mov     byte [.count], 0
        mov     si, 24                  ; longer than a second
.off:   call    .pause
        dec     si
        jnz     .off
        cmp     byte [.count], 0
        CHECK   e, "INT 1Ah 07h: no alarm any more"
        pop     dword [0x4a * 4]
        ret
.rings: inc     byte [cs:.count]
        iret
.pause: xor     cx, cx
        mov     dx, 50000
        mov     ah, 0x86
        int     0x15
        ret
.count: db      0

; -- Ports, power ----------------------------------------------------------------------------------

test_ports:
        mov     dx, 0
        mov     ah, 0x03
        int     0x14
        test    ah, 0x60
        CHECK   nz, "INT 14h 03h: can send"
        mov     ax, 0x00e3
        int     0x14
        mov     dx, COM1 + 3
        in      al, dx
        cmp     al, 0x03
        CHECK   e, "INT 14h 00h: 8 bits, no parity"
        mov     ax, 0x012e
        mov     dx, 0
        int     0x14
        test    ah, 0x80
        CHECK   z, "INT 14h 01h sends"
        cmp     al, '.'
        CHECK   e, "INT 14h 01h keeps AL"
        mov     al, 10
        call    putc
        mov     dx, 2
        mov     ah, 0x02
        int     0x17
        ret

test_apm:
        mov     ax, 0x5300
        xor     bx, bx
        int     0x15
        CHECK   nc, "APM is there"
        cmp     bx, 'MP'                ; BH = 'P'
        CHECK   e, "APM: signature"
        cmp     ax, 0x0102
        CHECK   e, "APM 1.2"
        mov     ax, 0x5301
        xor     bx, bx
        int     0x15
        CHECK   nc, "APM: connects"
        mov     ax, 0x530b
        int     0x15
        CHECK   c, "APM: no event"
        cmp     ah, 0x80
        CHECK   e, "APM: no event, AH=80h"
        mov     ax, 0x5304
        xor     bx, bx
        int     0x15
        CHECK   nc, "APM: disconnects"
        ret

; -- PCI -------------------------------------------------------------------------------------------

test_pci:
        mov     ax, 0xb101
        xor     edi, edi
        int     0x1a
        CHECK   nc, "PCI BIOS is there"
        cmp     edx, 'PCI '
        CHECK   e, "PCI BIOS: signature"
        cmp     bx, 0x0210
        CHECK   e, "PCI BIOS 2.1"
        cmp     ah, 0
        CHECK   e, "PCI BIOS: AH=0"
        mov     ax, 0xb102
        mov     cx, 0x1237
        mov     dx, 0x8086
        xor     si, si
        int     0x1a
        CHECK   nc, "PCI: host bridge by device"
        cmp     bx, 0
        CHECK   e, "PCI: host bridge is 0:0.0"
        mov     ax, 0xb102
        mov     si, 1
        int     0x1a
        CHECK   c, "PCI: one host bridge"
        cmp     ah, 0x86
        CHECK   e, "PCI: not found"
        mov     ax, 0xb103
        mov     ecx, 0x060100
        xor     si, si
        int     0x1a
        CHECK   nc, "PCI: ISA bridge by class"
        cmp     bx, 0x0008
        CHECK   e, "PCI: ISA bridge is 0:1.0"
        mov     ax, 0xb109
        xor     di, di
        int     0x1a
        CHECK   nc, "PCI: reads a word"
        cmp     cx, 0x8086
        CHECK   e, "PCI: vendor"
        mov     ax, 0xb10a
        xor     di, di
        int     0x1a
        cmp     ecx, 0x70008086
        CHECK   e, "PCI: reads a dword"
        mov     ax, 0xb109
        mov     di, 1
        int     0x1a
        CHECK   c, "PCI: odd word"
        cmp     ah, 0x87
        CHECK   e, "PCI: bad register"
        mov     ax, 0xb108
        mov     bx, 0x0008
        mov     di, 0x60
        int     0x1a
        cmp     cl, 0x80
        CHECK   b, "PCI: PIRQA is routed"
        mov     al, cl
        push    ax
        mov     ax, 0xb10b
        mov     cl, 5
        int     0x1a
        mov     ax, 0xb108
        int     0x1a
        cmp     cl, 5
        CHECK   e, "PCI: writes a byte"
        pop     cx
        mov     ax, 0xb10b
        int     0x1a

; The routing options: as many bytes as it says that it needs, the first ones of slot 1 on bus 0.
        mov     word [.routes], 0
        mov     di, .routes
        mov     bx, 0
        mov     ax, 0xb10e
        int     0x1a
        CHECK   c, "PCI: room for the routing options"
        cmp     ah, 0x89
        CHECK   e, "PCI: too small a buffer"
        cmp     word [.routes], 16
        CHECK   ae, "PCI: size of the routing options"
        mov     ax, 0xb10e
        int     0x1a
        CHECK   nc, "PCI: routing options"
        cmp     ah, 0
        CHECK   e, "PCI: routing options, AH = 0"
        mov     ax, BUFFER
        mov     fs, ax
        cmp     word [fs:0], 0x0800
        CHECK   e, "PCI: routing options, slot 1"
        cmp     byte [fs:2], 0x60
        CHECK   e, "PCI: routing options, the link of its pin A"
        ret
        align   2, db 0
.routes:
        dw      0, 0, BUFFER

; -- Reset -----------------------------------------------------------------------------------------

; With shutdown code 0Ah in the CMOS a reset by the keyboard controller returns to [40:67]; but QEMU
; clears it.
test_resume:
        mov     si, .rsdp
        mov     cx, 8
        call    find
        jc      .other
        cmp     dword [fs:di + 9], 'CALQ'
        je      .calque
.other: ret
.rsdp:  db      "RSD PTR "
.calque:
        mov     [.stack], sp
        mov     byte [resumed], 0
        cli
        mov     al, 0x8f
        out     0x70, al
        mov     al, 0x0a
        out     0x71, al
        mov     word [0x467], .back
        mov     word [0x469], 0
.wait:  in      al, 0x64
        test    al, 2
        jnz     .wait
        mov     al, 0xfe
        out     0x64, al
        mov     cx, 0xffff
.next:  in      al, 0x80                ; it comes soon
        loop    .next
        cmp     byte [resumed], 1
        CHECK   e, "reset by the keyboard controller"
        ret
.back:  xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, [.stack]
        cld
        sti
        mov     byte [resumed], 1
        mov     ah, 0xc0                ; the BIOS is where it was
        push    es
        int     0x15
        pop     es
        CHECK   nc, "INT 15h after a reset"
        mov     al, 0x0f
        out     0x70, al
        in      al, 0x71
        cmp     al, 0
        CHECK   e, "the shutdown code is gone"
        ret
        align   2, db 0
.stack: dw      0
resumed:
        db      0
