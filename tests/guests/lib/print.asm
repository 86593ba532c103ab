; SPDX-License-Identifier: MIT
;
; Text output on top of `putc` (AL = character), which the guest provides. All registers survive.

; print_string "text": text in place, for messages used once. `...` strings know \n.
%macro print_string 1+
        push    dword %%text
        call    print_pushed
section .data
%%text: db      %1, 0
section .text
%endmacro

section .text

; ESI = zero-terminated text.
print:
        push    eax
        push    esi
        cld
.next:
        lodsb
        test    al, al
        jz      .end
        call    putc
        jmp     .next
.end:
        pop     esi
        pop     eax
        ret

; The text's address is on the stack; it is taken off.
print_pushed:
        push    esi
        mov     esi, [esp + 8]
        call    print
        pop     esi
        ret     4

print_newline:
        push    eax
        mov     al, `\n`
        call    putc
        pop     eax
        ret

; EAX in hexadecimal: 8 digits, or CL digits for print_hex_digits.
print_hex:
        push    ecx
        mov     cl, 8
        call    print_hex_digits
        pop     ecx
        ret

print_hex_digits:
        push    eax
        push    ebx
        push    ecx
        mov     ebx, eax
        movzx   ecx, cl
.next:
        push    ecx
        dec     ecx
        shl     ecx, 2
        mov     eax, ebx
        shr     eax, cl
        pop     ecx
        and     al, 15
        cmp     al, 10
        sbb     al, 0x69                        ; 0-9, A-F as text: the classic three instructions
        das
        call    putc
        loop    .next
        pop     ecx
        pop     ebx
        pop     eax
        ret

; EAX in decimal.
print_decimal:
        push    ecx
        xor     ecx, ecx
        call    print_decimal_width
        pop     ecx
        ret

; EAX in decimal, at least ECX characters wide, filled with blanks (print_decimal_width) or zeroes
; (print_two_digits, for times and dates).
print_two_digits:
        push    ecx
        push    edx
        mov     dl, '0'
        mov     ecx, 2
        call    print_decimal_filled
        pop     edx
        pop     ecx
        ret

print_decimal_width:
        push    edx
        mov     dl, ' '
        call    print_decimal_filled
        pop     edx
        ret

print_decimal_filled:
        pushad
        mov     ebp, esp
        mov     esi, ecx
        mov     bl, dl
        mov     edi, 10
        xor     ecx, ecx                        ; digits pushed so far
.divide:
        xor     edx, edx
        div     edi
        push    edx
        inc     ecx
        test    eax, eax
        jnz     .divide
.fill:
        cmp     esi, ecx
        jbe     .digits
        mov     al, bl
        call    putc
        dec     esi
        jmp     .fill
.digits:
        pop     eax
        add     al, '0'
        call    putc
        loop    .digits
        mov     esp, ebp
        popad
        ret
