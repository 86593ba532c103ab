; SPDX-License-Identifier: MIT
;
; Text goes to the first serial port (a 16550, 115200 bits a second, 8N1) and to the text screen;
; characters come from that port and from the keyboard, through one queue.

COM1            equ 0x3f8
UART_DATA       equ COM1                        ; with the divisor latch open: its low byte,
UART_IER        equ COM1 + 1                    ; ... its high byte
UART_FCR        equ COM1 + 2
UART_LCR        equ COM1 + 3
UART_MCR        equ COM1 + 4
UART_LSR        equ COM1 + 5
LCR_8N1         equ 0x03
LCR_DIVISOR     equ 0x80
FCR_ON          equ 0x07                        ; FIFOs on and cleared; an interrupt for each character
MCR_ON          equ 0x0b                        ; DTR, RTS, and OUT2: the interrupt reaches the PIC
IER_RECEIVED    equ 0x01
LSR_RECEIVED    equ 0x01
LSR_EMPTY       equ 0x20                        ; the transmitter can take a character

SCREEN          equ 0xb8000                     ; character, attribute, character, attribute ...
SCREEN_COLUMNS  equ 80
SCREEN_ROWS     equ 25
SCREEN_ROW      equ SCREEN_COLUMNS * 2          ; bytes
SCREEN_END      equ SCREEN + SCREEN_ROW * SCREEN_ROWS
SCREEN_BLANK    equ 0x0720                      ; light grey on black

INPUT_SIZE      equ 64                          ; a power of two

section .bss
        alignb  4
screen_at:      resd 1                          ; address of the next character's cell
input_head:     resd 1                          ; counts what was put into the queue
input_tail:     resd 1                          ; ... and taken out of it
input_waiter:   resd 1                          ; the task that waits for it, or 0
input_queue:    resb INPUT_SIZE

section .text
console_start:
        push    eax
        push    edx
        mov     dx, UART_LCR
        mov     al, LCR_DIVISOR
        out     dx, al
        mov     dx, UART_DATA
        mov     al, 1                           ; 115200 / 1
        out     dx, al
        mov     dx, UART_IER
        mov     al, 0
        out     dx, al
        mov     dx, UART_LCR
        mov     al, LCR_8N1
        out     dx, al
        mov     dx, UART_FCR
        mov     al, FCR_ON
        out     dx, al
        mov     dx, UART_MCR
        mov     al, MCR_ON
        out     dx, al
        mov     dx, UART_IER
        mov     al, IER_RECEIVED
        out     dx, al
        mov     dword [screen_at], SCREEN
        call    screen_clear
        pop     edx
        pop     eax
        ret

; -- Output ----------------------------------------------------------------------------------------------

; AL = character.
putc:
        cmp     al, `\n`
        jne     .plain
        push    eax
        mov     al, `\r`                        ; terminals want to be told to go back, too
        call    serial_put
        pop     eax
.plain:
        call    serial_put
        jmp     screen_put

serial_put:
        push    ecx
        push    edx
        push    eax
        mov     dx, UART_LSR
        mov     ecx, 1000000                    ; a port that is not there is never ready
.wait:
        in      al, dx
        test    al, LSR_EMPTY
        loopz   .wait
        pop     eax
        mov     dx, UART_DATA
        out     dx, al
        pop     edx
        pop     ecx
        ret

; AL = character: new line, backspace, or one that shows.
screen_put:
        pushad
        mov     edi, [screen_at]
        cmp     al, `\n`
        je      .new_line
        cmp     al, `\b`
        je      .back
        cmp     al, ' '
        jb      .end
        mov     ah, SCREEN_BLANK >> 8
        mov     [edi], ax
        add     edi, 2
        jmp     .moved
.back:
        cmp     edi, SCREEN
        je      .end
        sub     edi, 2
        jmp     .moved
.new_line:
        lea     eax, [edi - SCREEN]
        xor     edx, edx
        mov     ecx, SCREEN_ROW
        div     ecx
        sub     edi, edx
        add     edi, ecx
.moved:
        cmp     edi, SCREEN_END
        jb      .store
        mov     esi, SCREEN + SCREEN_ROW        ; scroll
        mov     edi, SCREEN
        mov     ecx, (SCREEN_END - SCREEN - SCREEN_ROW) / 4
        rep movsd
        mov     eax, SCREEN_BLANK << 16 | SCREEN_BLANK
        mov     ecx, SCREEN_ROW / 4
        rep stosd
        mov     edi, SCREEN_END - SCREEN_ROW
.store:
        mov     [screen_at], edi
.end:
        popad
        ret

screen_clear:
        pushad
        mov     edi, SCREEN
        mov     eax, SCREEN_BLANK << 16 | SCREEN_BLANK
        mov     ecx, (SCREEN_END - SCREEN) / 4
        rep stosd
        popad
        ret

; -- Input -------------------------------------------------------------------------------------------------

; IRQ 4: takes all that has come.
serial_interrupt:
        mov     dx, UART_LSR
        in      al, dx
        test    al, LSR_RECEIVED
        jz      .end
        mov     dx, UART_DATA
        in      al, dx
        call    input_put
        jmp     serial_interrupt
.end:
        ret

; AL = character; dropped when the queue is full. Wakes the task that waits for it.
input_put:
        push    ebx
        mov     ebx, [input_head]
        sub     ebx, [input_tail]
        cmp     ebx, INPUT_SIZE
        jae     .wake
        mov     ebx, [input_head]
        and     ebx, INPUT_SIZE - 1
        mov     [input_queue + ebx], al
        inc     dword [input_head]
.wake:
        xor     ebx, ebx
        xchg    ebx, [input_waiter]
        test    ebx, ebx
        jz      .end
        mov     dword [ebx + task.wake], 0
.end:
        pop     ebx
        ret

; AL = the next character, waiting for it.
getc:
        push    ebx
.wait:
        mov     ebx, [input_tail]
        cmp     ebx, [input_head]
        jne     .take
        mov     eax, SYS_WAIT_INPUT
        int     VECTOR_SYSCALL
        jmp     .wait
.take:
        and     ebx, INPUT_SIZE - 1
        movzx   eax, byte [input_queue + ebx]
        inc     dword [input_tail]
        pop     ebx
        ret
