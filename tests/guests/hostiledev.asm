; SPDX-License-Identifier: MIT
;
; Hostile guests of devices (see lib/hostile.asm): rings and tables that lie, DMA to everywhere,
; registers written at random.

%include "lib/hostile.asm"

section .strings
NAME:   db      "hostiledev", 0

section .data
ways:
        WAY     "e1000-rings", e1000_rings
        WAY     "e1000-segments", e1000_segments
        WAY     "e1000-storm", e1000_storm
        WAY     "rtl8139-rings", rtl_rings
        WAY     "rtl8139-storm", rtl_storm
        WAY     "ne2000-storm", ne2000_storm
        WAY     "frames", frames
        WAY     "ide-tables", ide_tables
        WAY     "ide-commands", ide_commands
        WAY     "dma-over-code", dma_over_code
        WAY     "floppy-dma", floppy_dma
        WAY     "floppy-commands", floppy_commands
        WAY     "fwcfg-blocks", fwcfg_blocks
        WAY     "fwcfg-huge", fwcfg_huge
        WAY     "vbe", vbe
        WAY     "vga", vga
        WAY     "ports", ports
        WAY     "pci", pci
        WAY     "bars", bars
        WAY     "serial", serial_flood
        WAY     "keyboard", keyboard
        WAYS_END

RING            equ 0x200000                    ; 1 MiB, or what a device makes of it
BUFFERS         equ 0x300000
RING_SIZE       equ 0x10000                     ; 4096 descriptors

section .bss
        alignb  16
address: resd 1
section .text

; ECX bytes at EDI become random.
fill_random:
        shr     ecx, 2
.next:  call    random
        stosd
        loop    .next
        ret

; -- Network cards ---------------------------------------------------------------------------------------------

; Rings in one place, all descriptors ready, the link looped back: what is sent comes back over the
; ring that it is sent from.
e1000_start:
        call    place_pci
        mov     edi, E1000_REGISTERS
        mov     esi, .table
.next:
        lodsd
        cmp     eax, -1
        je      .end
        mov     edx, eax
        lodsd
        mov     [edi + edx], eax
        jmp     .next
.end:   ret
section .data
.table: dd      0x3800, RING, 0x3804, 0, 0x3808, RING_SIZE, 0x3810, 0, 0x3818, 0
        dd      0x2800, RING, 0x2804, 0, 0x2808, RING_SIZE, 0x2810, 0, 0x2818, RING_SIZE / 16 - 1
        dd      0xc4, 0, 0xd0, 0x1ffff
        dd      0x100, 0x020480fa               ; all frames, looped back, buffers as large as can be
        dd      0x400, 2
        dd      -1
section .text

; Every descriptor is another kind of nonsense.
e1000_rings:
        call    e1000_start
.again:
        mov     ebp, RING
        mov     edx, 64
.descriptor:
        call    special_address
        test    edx, 3
        jnz     .store
        mov     ebx, RING                       ; over the ring itself
.store: mov     [ebp], ebx
        call    random
        shr     eax, 31
        neg     eax
        mov     [ebp + 4], eax                  ; beyond 4 GiB, or at the very end
        call    random
        mov     [ebp + 8], eax
        call    random
        mov     [ebp + 12], eax
        add     ebp, 16
        dec     edx
        jnz     .descriptor
        mov     edi, E1000_REGISTERS
        call    random
        and     eax, 0xfff
        mov     [edi + 0x3810], eax
        call    random
        and     eax, 0xffff
        mov     [edi + 0x3818], eax
        call    random
        and     eax, 0xffff
        mov     [edi + 0x2818], eax
        call    random
        and     eax, 7
        jnz     .no_move
        call    special_address
        mov     [edi + 0x3800], ebx
        mov     eax, [edi + 0x2800]
        mov     [edi + 0x2800], ebx
        mov     dword [edi + 0x3808], 0xfffff80
        mov     dword [edi + 0x3818], 0xffff
        mov     dword [edi + 0x3808], RING_SIZE
        mov     dword [edi + 0x3800], RING
        mov     dword [edi + 0x2800], RING
.no_move:
        mov     eax, [edi + 0xc0]
        ROUND
        jmp     .again

; As many segments as can be, of one byte each, from all descriptors of the ring.
e1000_segments:
        call    e1000_start
        mov     dword [E1000_REGISTERS + 0x2800], BUFFERS
        mov     ebp, RING
        mov     ecx, RING_SIZE / 32
.pair:
        mov     dword [ebp], 0                  ; a context: no checksums, headers of 255 bytes ...
        mov     dword [ebp + 4], 0
        mov     dword [ebp + 8], 0x240fffff     ; TSE, DEXT, payload
        mov     dword [ebp + 12], 0x0001ff00    ; ... and one byte of data
        mov     dword [ebp + 16], BUFFERS
        mov     dword [ebp + 20], 0
        mov     dword [ebp + 24], 0x2f10ffff    ; TSE, DEXT, RS, EOP
        mov     dword [ebp + 28], 0x00000300    ; checksums
        add     ebp, 32
        loop    .pair
        mov     edi, E1000_REGISTERS
.again:
        mov     dword [edi + 0x3818], RING_SIZE / 16 - 1
        mov     dword [edi + 0x2810], 0
        mov     dword [edi + 0x3810], 0
        ROUND
        jmp     .again

; Any value in any register.
e1000_storm:
        call    e1000_start
.again:
        call    random
        and     eax, 0x1fffc
        cmp     eax, 0x6000
        jb      .offset
        and     eax, 0x3ffc
.offset:
        mov     edi, eax
        call    random
        mov     [edi + E1000_REGISTERS], eax
        mov     eax, [edi + E1000_REGISTERS]
        ROUND
        test    dword [ROUNDS], 0xff
        jnz     .again
        call    e1000_start
        mov     dword [E1000_REGISTERS + 0x3818], 0xfff
        jmp     .again

; The receive ring and the transmit buffers anywhere.
rtl_rings:
        call    place_pci
.again:
        mov     edi, RTL_REGISTERS
        mov     byte [edi + 0x37], 0x0c
        call    random
        or      eax, 0x0f
        mov     [edi + 0x44], eax               ; all frames
        mov     dword [edi + 0x40], 0x60000     ; looped back
        call    special_address
        mov     [edi + 0x30], ebx
        mov     ebp, 3
.buffer:
        call    special_address
        mov     [edi + 0x20 + ebp * 4], ebx
        dec     ebp
        jns     .buffer
        mov     ebp, 0
.send:  call    random
        and     eax, 0x1fff
        mov     [edi + 0x10 + ebp * 4], eax
        inc     ebp
        cmp     ebp, 4
        jb      .send
        mov     [edi + 0x38], ax                ; CAPR
        mov     word [edi + 0x3c], 0xffff
        mov     dword [edi + 0x54], 1           ; the timer
        mov     ax, [edi + 0x3e]
        mov     [edi + 0x3e], ax
        ROUND
        jmp     .again

rtl_storm:
        call    place_pci
.again:
        call    random
        and     eax, 0xff
        mov     edi, eax
        call    random
        mov     [edi + RTL_REGISTERS], eax
        mov     eax, [edi + RTL_REGISTERS]
        ROUND
        jmp     .again

ne2000_storm:
        call    place_pci
.again:
        call    random
        mov     edx, eax
        shr     edx, 8
        and     edx, 0x1f
        add     edx, NE2000_PORTS
        out     dx, ax
        in      eax, dx
        mov     ecx, 64
        mov     edx, NE2000_PORTS + 0x10
        mov     edi, BUFFERS
        rep insd
        mov     ecx, 64
        mov     esi, BUFFERS
        rep outsd
        ROUND
        jmp     .again

; Frames of all kinds for the network of -nic user: connections to everywhere, broken headers.
frames:
        call    e1000_start
        mov     dword [E1000_REGISTERS + 0x100], 0x02048002
        mov     edi, BUFFERS
        mov     esi, .frame
        mov     ecx, .end - .frame
        rep movsb
.again:
        mov     ebp, RING
        mov     edx, 32
        mov     edi, BUFFERS
.descriptor:
        mov     [ebp], edi
        mov     dword [ebp + 4], 0
        mov     dword [ebp + 8], 0x0b000000 | .end - .frame
        mov     dword [ebp + 12], 0
        mov     esi, BUFFERS
        push    edi
        mov     ecx, .end - .frame
        rep movsb
        pop     edi
        call    random
        mov     [edi + 34], ax                  ; source port
        shr     eax, 16
        test    dword [ROUNDS], 3
        jz      .port
        mov     eax, 0x5000                     ; 80
.port:  mov     [edi + 36], ax
        test    dword [ROUNDS], 7
        jnz     .whole
        call    random
        movzx   ecx, al
        and     ecx, 63
        mov     [edi + ecx], ah                 ; something is wrong
.whole:
        call    .checksum
        add     edi, 0x100
        add     ebp, 16
        dec     edx
        jnz     .descriptor
        mov     edi, E1000_REGISTERS
        mov     dword [edi + 0x3810], 0
        mov     dword [edi + 0x3818], 32
        mov     dword [edi + 0x2818], 0
        mov     dword [edi + 0x2818], RING_SIZE / 16 - 1
        ROUND
        jmp     .again
; Of the TCP segment at EDI; nobody looks at IP's, which stays right.
.checksum:
        mov     word [edi + 50], 0
        xor     eax, eax
        xor     ecx, ecx
        lea     esi, [edi + 26]
.word:  lodsw
        xchg    al, ah
        add     ecx, eax
        cmp     esi, edi
        lea     ebx, [edi + 54]
        cmp     esi, ebx
        jb      .word
        add     ecx, 6 + 20
        mov     eax, ecx
        shr     eax, 16
        add     ax, cx
        adc     ax, 0
        not     ax
        xchg    al, ah
        mov     [edi + 50], ax
        xor     eax, eax
        ret
section .data
.frame: db      0x52, 0x55, 10, 0, 2, 2, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 0
        db      0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0x62, 0xbc, 10, 0, 2, 15, 10, 0, 2, 2
        db      0, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0
        times   6 db 0
.end:
section .text

; -- Disks -------------------------------------------------------------------------------------------------------

; A transfer of the most sectors that there are, by a table that is its own only page: it leads to all
; kinds of memory, and to itself.
ide_tables:
        call    place_pci
.again:
        mov     edi, RING
        mov     ebp, 64
.descriptor:
        call    special_address
        test    ebp, 7
        jnz     .store
        mov     ebx, RING                       ; itself
.store: mov     [edi], ebx
        call    random
        and     eax, 0x8000ffff
        mov     [edi + 4], eax
        add     edi, 8
        dec     ebp
        jnz     .descriptor
        call    random
        mov     ebx, RING
        test    eax, 0x70000
        jnz     .table
        call    special_address
.table: mov     eax, ebx
        mov     dx, IDE_PORTS + 4
        out     dx, eax
        mov     dx, IDE_PORTS
        mov     al, 0
        out     dx, al
        mov     dx, 0x1f6
        mov     al, 0xe0
        out     dx, al
        mov     dx, 0x1f2
        mov     al, 0
        out     dx, al
        out     dx, al
        mov     dx, 0x1f7
        call    random
        mov     al, 0x25                        ; READ DMA EXT
        test    ah, 1
        jz      .command
        mov     al, 0x35                        ; WRITE DMA EXT
.command:
        out     dx, al
        mov     dx, IDE_PORTS
        call    random
        and     al, 8
        or      al, 1
        out     dx, al
        mov     ecx, 0x1000
        mov     dx, 0x3f6
.wait:
        in      al, dx
        test    al, 0x80
        loopnz  .wait
        test    dword [ROUNDS], 3
        jnz     .no_reset
        mov     al, 4
        out     dx, al
        mov     al, 0
        out     dx, al
.no_reset:
        ROUND
        jmp     .again

; Any command with any registers to any drive, a packet, and data both ways.
ide_commands:
        call    place_pci
.again:
        call    random
        mov     ebp, 0x1f0
        test    eax, 0x1000
        jz      .channel
        mov     ebp, 0x170
.channel:
        mov     ecx, 6
.register:
        lea     edx, [ebp + ecx]
        call    random
        out     dx, al
        loop    .register
        call    random
        lea     edx, [ebp + 7]
        mov     al, ah
        cmp     ah, 0x40
        ja      .command
        mov     al, 0xa0                        ; PACKET
.command:
        out     dx, al
        mov     ecx, 0x400
.wait:
        in      al, dx
        test    al, 0x80
        loopnz  .wait
        mov     edi, BUFFERS
        mov     ecx, 64
        call    fill_random
        mov     edx, ebp
        mov     esi, BUFFERS
        mov     ecx, 6
        rep outsw
        lea     edx, [ebp + 7]
        in      al, dx
        mov     edx, ebp
        mov     edi, BUFFERS
        mov     ecx, 0x1000
        rep insw
        mov     esi, BUFFERS
        mov     ecx, 0x800
        rep outsd
        lea     edx, [ebp + 0x206]
        call    random
        and     al, 0xfb
        test    ah, 7
        jnz     .control
        mov     al, 4
.control:
        out     dx, al
        ROUND
        jmp     .again

; The disk, which is full of instructions, is read over code that runs.
dma_over_code:
        call    place_pci
        mov     edi, BUFFERS
        mov     ecx, 0x1001                     ; and one byte that stays
        mov     al, 0xc3
        rep stosb
        mov     dword [RING], BUFFERS
        mov     dword [RING + 4], 0x80001000
.again:
        mov     dx, IDE_PORTS
        mov     al, 0
        out     dx, al
        add     edx, 4
        mov     eax, RING
        out     dx, eax
        mov     dx, 0x1f2
        mov     al, 8
        out     dx, al
        inc     edx
        mov     al, 0
        out     dx, al
        inc     edx
        out     dx, al
        inc     edx
        out     dx, al
        inc     edx
        mov     al, 0xe0
        out     dx, al
        inc     edx
        mov     al, 0xc8                        ; READ DMA
        out     dx, al
        mov     dx, IDE_PORTS
        mov     al, 9
        out     dx, al
        mov     dx, 0x3f6
.busy:
        call    random
        and     eax, 0xfff
        lea     ebx, [eax + BUFFERS]
        call    ebx
        in      al, dx
        test    al, 0x80
        jnz     .busy
        ROUND
        jmp     .again

; Floppies' sectors to where they should not go: every page, every mode, and over its end.
floppy_dma:
        mov     dx, 0x3f2
        mov     al, 0x1c
        out     dx, al
.again:
        out     0x0c, al
        call    random
        and     al, 0xfc
        or      al, 2
        out     0x0b, al
        mov     al, ah
        out     0x04, al
        shr     eax, 16
        out     0x04, al
        mov     al, ah
        out     0x81, al
        call    random
        out     0x05, al
        mov     al, ah
        out     0x05, al
        mov     al, 0
        out     0x08, al
        mov     al, 2
        out     0x0a, al
        mov     esi, .read
        mov     ecx, 9
        call    floppy_send
        mov     ecx, 7
        call    floppy_take
        call    random                          ; software's requests
        out     0x09, al
        out     0xd2, al
        ROUND
        jmp     .again
section .data
.read:  db      0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff
section .text

; ECX bytes from ESI, as far as it takes them.
floppy_send:
        mov     ebx, 0x400
        mov     dx, 0x3f4
.wait:  in      al, dx
        and     al, 0xc0
        cmp     al, 0x80
        je      .go
        dec     ebx
        jnz     .wait
        ret
.go:    inc     edx
        lodsb
        out     dx, al
        loop    floppy_send
        ret

; At most ECX bytes of result.
floppy_take:
        mov     ebx, 0x400
        mov     dx, 0x3f4
.wait:  in      al, dx
        and     al, 0xc0
        cmp     al, 0xc0
        je      .go
        dec     ebx
        jnz     .wait
        ret
.go:    inc     edx
        in      al, dx
        loop    floppy_take
        ret

floppy_commands:
.again:
        mov     edi, BUFFERS
        mov     ecx, 64
        call    fill_random
        mov     esi, BUFFERS
        mov     ecx, 20
        call    floppy_send
        mov     ecx, 20
        call    floppy_take
        call    random
        test    eax, 0x700000
        jnz     .next
        mov     dx, 0x3f2
        out     dx, al
        mov     dx, 0x3f4
        mov     al, ah
        out     dx, al
        mov     dx, 0x3f7
        out     dx, al
.next:  ROUND
        jmp     .again

; -- Firmware configuration ------------------------------------------------------------------------------------

; Command blocks everywhere, of any contents, some of which are told to store over themselves.
fwcfg_blocks:
        mov     edi, BUFFERS
        call    random
        and     eax, 0x1f3f00
        mov     [edi], eax                      ; control, big-endian
        call    random
        bswap   eax
        mov     [edi + 4], eax
        call    random
        sar     eax, 31
        and     eax, 0xff
        mov     [edi + 8], eax
        call    special_address
        call    random
        test    eax, 0x30000
        jnz     .store
        mov     ebx, edi
.store: bswap   ebx
        mov     [edi + 12], ebx
        mov     ebx, edi
        test    eax, 0x700000
        jnz     .run
        call    special_address
.run:   call    fwcfg_run
        ROUND
        jmp     fwcfg_blocks

; EBX = the block.
fwcfg_run:
        xor     eax, eax
        mov     dx, 0x514
        out     dx, eax
        mov     eax, ebx
        bswap   eax
        mov     dx, 0x518
        out     dx, eax
        ret

; As many bytes as can be: to memory, and skipped.
fwcfg_huge:
        mov     ebx, BUFFERS
        mov     dword [ebx], 0x0a001900         ; select 19h, read
        mov     dword [ebx + 4], 0xffffff00     ; almost 16 MiB
        mov     dword [ebx + 8], 0
        mov     dword [ebx + 12], 0x00004000    ; at 4 MiB
        call    fwcfg_run
        mov     dword [ebx], 0x06000000
        mov     dword [ebx + 4], 0xffffffff
        call    fwcfg_run
        ROUND
        jmp     fwcfg_huge

; -- Display ---------------------------------------------------------------------------------------------------

; Modes of all sizes, drawn into, one after the other.
vbe:
        call    place_pci
.again:
        mov     dx, 0x1ce
        mov     ax, 4
        out     dx, ax
        inc     edx
        mov     ax, 0
        out     dx, ax
        mov     ebp, 10
.register:
        call    random
        mov     ecx, eax
        mov     dx, 0x1ce
        mov     eax, ebp
        dec     eax
        out     dx, ax
        inc     edx
        mov     eax, ecx
        and     eax, 0xfff
        cmp     ebp, 4
        jne     .value
        and     eax, 0x18                       ; bits per dot
        add     eax, 8
.value: out     dx, ax
        dec     ebp
        jnz     .register
        mov     dx, 0x1ce
        mov     ax, 4
        out     dx, ax
        inc     edx
        call    random
        and     eax, 0xe0
        or      al, 0x41
        out     dx, ax
        mov     edi, FRAME_BUFFER
        mov     ecx, 0x4000
        rep stosd
        mov     edi, 0xa0000
        mov     ecx, 0x100
        rep stosd
        ROUND
        jmp     .again

; All ports and both kinds of memory, at random.
vga:
        call    place_pci
.again:
        call    random
        mov     edx, eax
        shr     edx, 16
        and     edx, 0x1f
        add     edx, 0x3c0
        out     dx, ax
        call    random
        mov     edx, 0x3d4
        out     dx, ax
        mov     edx, 0x3ce
        call    random
        out     dx, ax
        mov     edx, 0x3c4
        call    random
        out     dx, ax
        mov     edx, 0x3da
        in      al, dx
        mov     edx, 0x3c0
        call    random
        out     dx, al
        mov     al, ah
        out     dx, al
        call    random
        mov     edi, eax
        and     edi, 0x1ffff
        mov     [edi + 0xa0000], eax
        lock xadd [edi + 0xa0000], eax
        mov     ecx, 16
        lea     esi, [edi + 0xa0000]
        add     edi, 0xa0010
        rep movsb
        ROUND
        jmp     .again

; -- Everything ------------------------------------------------------------------------------------------------

; Any port, any width, any value: among them power off, after which the machine is paused.
ports:
        call    place_pci
        call    random
        mov     edx, eax
        shr     edx, 16
        test    eax, 3
        jz      .all
        and     edx, 0x7ff
.all:   call    random
        test    eax, 0x10000
        jz      .in
        out     dx, al
        out     dx, ax
        out     dx, eax
.in:    in      al, dx
        in      ax, dx
        in      eax, dx
        ROUND
        jmp     ports

; Any configuration register of any function: chips go anywhere, over ourselves too.
pci:
        call    random
        and     eax, 0x3ffc
        or      eax, 0x80000000
        mov     ebp, eax
        call    random
        mov     ecx, eax
        mov     eax, ebp
        call    pci_write
        mov     eax, ebp
        call    pci_read
        ROUND
        jmp     pci

; Memory of chips over other chips, over RAM, across 4 GiB, while it is written to.
bars:
        call    place_pci
.again:
        call    special_address
        cmp     ebx, RAM_END
        jb      .again
        mov     ebp, ebx
        mov     eax, VGA + 0x10
        mov     ecx, ebx
        call    pci_write
        mov     eax, VGA + 0x10
        call    pci_read
        and     eax, ~0xf
        mov     edi, eax
        mov     ecx, 64
        rep stosd
        call    special_address
        mov     eax, VGA + 0x18
        mov     ecx, ebx
        call    pci_write
        mov     eax, E1000 + 0x10
        mov     ecx, ebp
        call    pci_write
        mov     eax, VGA + 0x30
        lea     ecx, [ebx + 1]
        call    pci_write
        TRY     mov eax, [ebp]
        TRY     mov [ebp], eax
        TRY     call ebp
        mov     eax, 0x80000058                 ; what is RAM from C0000 on
        call    random
        mov     ecx, eax
        mov     eax, 0x80000058
        call    pci_write
        TRY     mov [0xc0000], eax
        TRY     mov [0xfffff], al
        ROUND
        jmp     .again

; More than anybody takes from a serial port, with interrupts that nobody wants.
serial_flood:
        mov     dx, 0x2f9
        mov     al, 0x0f
        out     dx, al
.again:
        mov     dx, 0x2f8
        mov     ecx, 0x100
        mov     esi, BUFFERS
        rep outsb
        mov     dx, 0x2fc
        call    random
        and     al, 0x0f                        ; not looped back
        out     dx, al
        mov     dx, 0x2fa
        in      al, dx
        ROUND
        jmp     .again

; The controller's commands, a keyboard and a mouse that are sent anything.
keyboard:
        call    random
        out     0x64, al
        mov     al, ah
        out     0x60, al
        in      al, 0x60
        in      al, 0x64
        ROUND
        jmp     keyboard

IMAGE_END
