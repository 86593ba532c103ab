; SPDX-License-Identifier: MIT
;
; Set-up of the chips of the mainboard: interrupt controllers, timer, clock, processor.

; -- Interrupt controllers -------------------------------------------------------------------------

; Vectors 08h and 70h; open are timer, keyboard, floppy, mouse, FPU and disks. Returns by a jump to
; SP, for who has no stack. Changes AL.
pic_set_up:
        mov     al, 0x11
        out     PIC1, al
        out     PIC2, al
        mov     al, 0x08
        out     PIC1 + 1, al
        mov     al, 0x70
        out     PIC2 + 1, al
        mov     al, 0x04
        out     PIC1 + 1, al
        mov     al, 0x02
        out     PIC2 + 1, al
        mov     al, 0x01
        out     PIC1 + 1, al
        out     PIC2 + 1, al
        mov     al, 0xb8
        out     PIC1 + 1, al
        mov     al, 0x0f
        out     PIC2 + 1, al
        jmp     sp

pic_post:
        mov     bx, sp
        mov     sp, .done
        jmp     pic_set_up
.done:  mov     sp, bx
        ret

; -- Timer -----------------------------------------------------------------------------------------

pit_post:
        mov     al, 0x36                ; counter 0: every 54.9 ms
        out     PIT_CMD, al
        xor     al, al
        out     PIT0, al
        out     PIT0, al
        mov     al, 0x54                ; counter 1: refresh
        out     PIT_CMD, al
        mov     al, 18
        out     PIT0 + 1, al
        mov     al, 0xb6                ; counter 2: the speaker, off
        out     PIT_CMD, al
        mov     al, 0xd1
        out     PIT2, al
        mov     al, 0x04
        out     PIT2, al
        in      al, PORT_B
        and     al, 0xfc
        out     PORT_B, al
        ret

; -- Real-time clock -------------------------------------------------------------------------------

; Runs at 32768 Hz, 24 hours, without interrupts; the ticks since midnight come from it.
rtc_post:
        mov     ax, 0x260a
        call    cmos_write
        mov     ax, 0x020b
        call    cmos_write
        mov     al, 0x0c
        call    cmos_read
        mov     al, 0x0d
        call    cmos_read
        call    rtc_wait
        mov     al, 0x04
        call    cmos_binary
        imul    ebx, eax, 3600
        mov     al, 0x02
        call    cmos_binary
        imul    eax, eax, 60
        add     ebx, eax
        mov     al, 0x00
        call    cmos_binary
        add     eax, ebx                ; seconds
        mov     ecx, 1193182            ; ticks = seconds * 1193182 / 65536
        mul     ecx
        shrd    eax, edx, 16
        mov     [0x400 + BDA_TICKS], eax
        ret

; Waits until the clock may be read: not within an update. Changes AX.
rtc_wait:
        push    cx
        mov     cx, 0xffff
.next:  mov     al, 0x0a
        call    cmos_read
        test    al, 0x80
        loopnz  .next
        pop     cx
        ret

; Register AL, in BCD, as a number in EAX.
cmos_binary:
        call    cmos_read
        mov     ah, al
        and     al, 15
        shr     ah, 4
        aad
        movzx   eax, al
        ret

; -- Processor -------------------------------------------------------------------------------------

MSR_APIC_BASE   equ 0x1b
APIC_AT         equ 0xfee00000
MTRR_FIX64      equ 0x250
MTRR_FIX16      equ 0x258
MTRR_FIX4       equ 0x268
MTRR_BASE0      equ 0x200
MTRR_DEF_TYPE   equ 0x2ff
HOLE_AT         equ 0xc0000000          ; no RAM from here to 4 GiB

; Where the processor says that it has them: memory types, and the local APIC as a wire from the
; interrupt controllers and NMI.
cpu_post:
        pushfd
        pop     eax
        mov     ecx, eax
        xor     eax, 0x200000           ; EFLAGS.ID can be changed: there is CPUID
        push    eax
        popfd
        pushfd
        pop     eax
        push    ecx
        popfd
        xor     eax, ecx
        jz      .none
        mov     eax, 1
        cpuid
        mov     esi, edx
        test    esi, 1 << 9
        jz      .no_apic
        or      dword [dword APIC_AT + 0xf0], 0x1ff
        mov     dword [dword APIC_AT + 0x350], 0x700
        mov     dword [dword APIC_AT + 0x360], 0x400
.no_apic:
        test    esi, 1 << 12
        jnz     mtrr_post
.none:  ret

; RAM is write-back, ROM write-protected, the display's window and the hole below 4 GiB uncacheable.
mtrr_post:
        mov     ecx, MTRR_FIX64
        mov     eax, 0x06060606
        mov     edx, eax
        wrmsr
        mov     ecx, MTRR_FIX16
        wrmsr
        inc     cx
        xor     eax, eax
        xor     edx, edx
        wrmsr
        mov     ecx, MTRR_FIX4
        mov     eax, 0x05050505
        mov     edx, eax
.fix4:  wrmsr
        inc     cx
        cmp     cl, (MTRR_FIX4 + 8) & 0xff
        jb      .fix4
        mov     edi, 1 << 4             ; physical addresses have 36 bits
        mov     eax, 0x80000000
        cpuid
        cmp     eax, 0x80000008
        jb      .bits
        mov     eax, 0x80000008
        cpuid
        mov     cl, al
        sub     cl, 32
        mov     edi, 1
        shl     edi, cl
.bits:  dec     edi
        mov     ecx, MTRR_BASE0
        mov     eax, HOLE_AT
        xor     edx, edx
        wrmsr
        inc     cx
        mov     eax, HOLE_AT | 0x800    ; the mask: it is a quarter of 4 GiB
        mov     edx, edi
        wrmsr
        mov     ecx, MTRR_DEF_TYPE
        mov     eax, 0xc06
        xor     edx, edx
        wrmsr
        ret
