; SPDX-License-Identifier: MIT
;
; What compilers and people write, in 32-bit code: the corpus of code32.txt. Addresses are those of
; data, or offsets in the sequence; nothing is executed.
    bits 32
    %include "sequences.asm"

sequence "Function: prologue, locals, epilogue (gcc -O0)"
    push ebp
    mov ebp, esp
    sub esp, 24
    mov eax, [ebp + 8]
    mov [ebp - 12], eax
    cmp dword [ebp - 12], 9
    jg .big
    mov eax, [ebp - 12]
    add eax, eax
    leave
    ret
.big:
    mov eax, 1
    leave
    ret
end

sequence "Function: saved registers, a call (gcc -O2)"
    push edi
    push esi
    push ebx
    sub esp, 16
    mov ebx, [esp + 32]
    push dword [ebx + 4]
    push 0
    push ebx
    call .callee
    add esp, 16
    test eax, eax
    je .out
    mov esi, [ebx + 8]
    call [esi + 12]
.out:
    add esp, 16
    pop ebx
    pop esi
    pop edi
    ret
.callee:
    ret 8
end

sequence "Position-independent code: its own address, a table of functions"
    call .thunk
    add ebx, 0x2000
    lea eax, [ebx - 0x40]
    push eax
    call [ebx + 0x1c]
    jmp [ebx + 0x10]
.thunk:
    mov ebx, [esp]
    ret
end

sequence "Loop over an array: sum"
    xor eax, eax
    xor edx, edx
.next:
    add eax, [ecx + edx * 4]
    inc edx
    cmp edx, ebx
    jne .next
    ret
end

sequence "Loop over an array: a[i] = b[i] + c, 4 at a time"
.next:
    mov ebx, [esi]
    add ebx, ecx
    mov [edi], ebx
    mov ebx, [esi + 4]
    add ebx, ecx
    mov [edi + 4], ebx
    mov ebx, [esi + 8]
    add ebx, ecx
    mov [edi + 8], ebx
    mov ebx, [esi + 12]
    add ebx, ecx
    mov [edi + 12], ebx
    add esi, 16
    add edi, 16
    sub edx, 4
    ja .next
end

sequence "Sort: an inner loop with two indices"
.up:
    inc esi
    cmp [ebx + esi * 4], ecx
    jl .up
.down:
    dec edi
    cmp [ebx + edi * 4], ecx
    jg .down
    cmp esi, edi
    jge .done
    mov eax, [ebx + esi * 4]
    mov edx, [ebx + edi * 4]
    mov [ebx + esi * 4], edx
    mov [ebx + edi * 4], eax
    jmp .up
.done:
end

sequence "Structures: fields of several sizes, bits"
    mov eax, [edi + 8]
    movzx edx, byte [edi + 12]
    movsx ecx, word [edi + 14]
    mov byte [edi + 13], 1
    mov word [edi + 16], ax
    or dword [edi + 20], 0x40
    and byte [edi + 24], 0xfd
    test byte [edi + 24], 4
    setne al
    movzx eax, al
    inc dword [edi + 28]
    add [edi + 32], edx
    adc dword [edi + 36], 0
end

sequence "List: find a node"
.next:
    cmp [eax + 4], edx
    je .found
    mov eax, [eax]
    test eax, eax
    jne .next
.found:
    ret
end

sequence "Switch: a jump table"
    lea eax, [edx - 3]
    cmp eax, 12
    ja .default
    jmp [0x3000 + eax * 4]
.default:
    xor eax, eax
    ret
end

sequence "Interpreter: fetch, dispatch"
    movzx eax, byte [esi]
    inc esi
    mov eax, [ebx + eax * 4]
    jmp eax
end

sequence "String length"
.next:
    cmp byte [eax], 0
    lea eax, [eax + 1]
    jne .next
    sub eax, edx
    ret
end

sequence "String comparison"
.next:
    mov al, [ecx]
    mov ah, [edx]
    cmp al, ah
    jne .differ
    inc ecx
    inc edx
    test al, al
    jne .next
.differ:
    movzx ecx, ah
    movzx eax, al
    sub eax, ecx
    ret
end

sequence "Copy and fill with string instructions"
    cld
    shr ecx, 2
    rep movsd
    mov ecx, 64
    xor eax, eax
    rep stosd
    movsb
    lodsb
    stosb
    mov ecx, -1
    repne scasb
    not ecx
end

sequence "Checksum of bytes"
.next:
    movzx ebx, byte [esi]
    inc esi
    xor bl, al
    shr eax, 8
    xor eax, [0x4000 + ebx * 4]
    dec ecx
    jne .next
end

sequence "Hash: multiply and rotate"
    mov eax, [esi]
    imul eax, eax, 0xcc9e2d51
    rol eax, 15
    imul eax, eax, 0x1b873593
    xor edx, eax
    rol edx, 13
    lea edx, [edx + edx * 4 + 0xe6546b64]
end

sequence "64-bit arithmetic: add, multiply, shift, divide"
    add eax, [esi]
    adc edx, [esi + 4]
    mov [edi], eax
    mov [edi + 4], edx
    mov ebx, eax
    mul dword [esi + 8]
    imul ebx, edx
    add edx, ebx
    shld edx, eax, 7
    shl eax, 7
    test cl, 32
    cmovne edx, eax
    div dword [esi + 12]
    cdq
    idiv ebx
end

sequence "Conditions to values"
    xor eax, eax
    cmp ecx, edx
    setl al
    cmovge ebx, [esp + 8]
    sbb edi, edi
    and edi, 5
    neg ebx
    sbb ebx, ebx
    bt ecx, 7
    jc .out
    bsf eax, ecx
    bswap eax
.out:
end

sequence "Locks: compare and exchange, add"
    mov edx, 1
    xor eax, eax
    lock cmpxchg [ecx], edx
    jne .out
    lock xadd [ecx + 4], edx
    xchg eax, [ecx + 8]
    lock dec dword [ecx + 12]
    pause
.out:
end

sequence "Thread's data: gs and fs"
    mov eax, [gs:0x14]
    mov [esp + 12], eax
    xor eax, eax
    mov edx, [fs:0]
    mov ecx, [gs:edx + 8]
end

sequence "Kernel: read a flag, save flags and interrupts"
    pushf
    pop eax
    cli
    test dword [0xc1000], 0x200
    jne .out
    push eax
    popf
.out:
    in al, dx
    out 0x80, al
    iret
end

sequence "Kernel: segment registers, time, fast system call"
    mov gs, ax
    mov fs, [esp + 4]
    pop ds
    rdtsc
    sti
    sysexit
    sysenter
end

sequence "Loops with a counter, all registers"
    pusha
.next:
    loop .next
    loope .next
    loopne .next
    a16 loop .next
    a16 jcxz .next
    popa
end

sequence "x87: scalar product"
    fldz
.next:
    fld qword [esi + ecx * 8]
    fmul qword [edi + ecx * 8]
    faddp
    inc ecx
    cmp ecx, ebx
    jne .next
    fstp qword [esp]
end

sequence "x87: horner's scheme, comparison, rounding to an integer"
    fld st0
    fmul dword [ebx]
    fadd dword [ebx + 4]
    fmul st1
    fadd dword [ebx + 8]
    fxch
    fucomip st0, st1
    jp .out
    fnstcw [esp + 2]
    movzx eax, word [esp + 2]
    or ah, 12
    mov [esp], ax
    fldcw [esp]
    fistp dword [esp + 4]
    fldcw [esp + 2]
.out:
end

sequence "Tables at fixed addresses"
.next:
    movzx eax, byte [esi]
    mov al, [eax + 0x9a000]
    mov [ecx + 0x20b800], al
    inc esi
    inc ecx
    test al, al
    jne .next
end

sequence "SSE: scalar loop"
.next:
    movsd xmm1, [esi + ecx * 8]
    mulsd xmm1, [edi + ecx * 8]
    addsd xmm0, xmm1
    inc ecx
    cmp ecx, ebx
    jne .next
    cvttsd2si eax, xmm0
    cvtsi2sd xmm1, eax
    ucomisd xmm0, xmm1
end

sequence "MMX: blend"
    movq mm0, [esi]
    punpcklbw mm0, mm7
    pmullw mm0, mm6
    psrlw mm0, 8
    packuswb mm0, mm0
    movd [edi], mm0
    emms
end

    finish
