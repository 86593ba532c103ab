; SPDX-License-Identifier: MIT
;
; What compilers and people write, in 64-bit code: the corpus of code64.txt. Addresses are those of
; data, or offsets in the sequence; nothing is executed.
    bits 64
    default rel
    %include "sequences.asm"

sequence "Function: prologue, locals, epilogue (gcc -O0)"
    push rbp
    mov rbp, rsp
    sub rsp, 32
    mov [rbp - 20], edi
    mov [rbp - 32], rsi
    cmp dword [rbp - 20], 9
    jg .big
    mov eax, [rbp - 20]
    cdqe
    leave
    ret
.big:
    mov rax, [rbp - 32]
    leave
    ret
end

sequence "Function: all saved registers, a call (gcc -O2)"
    push r15
    push r14
    push r13
    push r12
    push rbp
    push rbx
    sub rsp, 24
    mov r12, rdi
    mov rbx, rsi
    call .callee
    mov rbp, [r12 + 8]
    mov rdi, rbp
    call [rbp + 24]
    add rsp, 24
    pop rbx
    pop rbp
    pop r12
    pop r13
    pop r14
    pop r15
.callee:
    ret
end

sequence "Position-independent code: a global variable, the procedure linkage table"
    mov rax, [rel $ + 0x200]
    mov edx, [rax]
    add dword [rel $ + 0x210], 1
    lea rdi, [rel $ + 0x220]
    call .plt
    ret
.plt:
    endbr64
    jmp [rel $ + 0x230]
end

sequence "Loop over an array: sum"
    xor eax, eax
    xor edx, edx
.next:
    movsxd rcx, dword [rdi + rdx * 4]
    add rdx, 1
    add rax, rcx
    cmp rdx, rsi
    jne .next
    ret
end

sequence "Loop over an array: a[i] = b[i] + c, in R8 to R11"
.next:
    mov r9, [rsi + r8 * 8]
    add r9, r10
    mov [rdi + r8 * 8], r9
    mov r11, [rsi + r8 * 8 + 8]
    add r11, r10
    mov [rdi + r8 * 8 + 8], r11
    add r8, 2
    cmp r8, r12
    jb .next
end

sequence "R9, R10 and R11, which are in memory"
    mov r9, rdi
    mov r10, [r9 + 8]
    lea r11, [r9 + r10 * 4 + 16]
    add r9, r10
    cmp r11, r9
    cmovb r10, r11
    imul r11, r10
    mov [r11], r10d
    push r9
    pop r10
    shl r11, 3
    movzx r9d, r10b
    xchg r10, r11
    test r9, r9
    call r11
end

sequence "Sort: an inner loop with two indices"
.up:
    inc r8
    cmp [rdi + r8 * 8], rcx
    jl .up
.down:
    dec r13
    cmp [rdi + r13 * 8], rcx
    jg .down
    cmp r8, r13
    jge .done
    mov rax, [rdi + r8 * 8]
    mov rdx, [rdi + r13 * 8]
    mov [rdi + r8 * 8], rdx
    mov [rdi + r13 * 8], rax
    jmp .up
.done:
end

sequence "Structures: fields of several sizes, bits"
    mov rax, [rdi + 8]
    movzx edx, byte [rdi + 16]
    movsx ecx, word [rdi + 18]
    mov byte [rdi + 17], 1
    mov word [rdi + 20], ax
    mov qword [rdi + 24], 0
    or dword [rdi + 32], 0x40
    and byte [rdi + 36], 0xfd
    test byte [rdi + 36], 4
    setne al
    movzx eax, al
    inc qword [rdi + 40]
    add [rdi + 48], rdx
    adc qword [rdi + 56], 0
    bts qword [rdi + 64], 5
end

sequence "List: find a node"
.next:
    cmp [rdi + 8], rsi
    je .found
    mov rdi, [rdi]
    test rdi, rdi
    jne .next
.found:
    ret
end

sequence "Switch: a table of offsets"
    cmp edi, 12
    ja .default
    lea rdx, [rel $ + 0x200]
    mov edi, edi
    movsxd rax, dword [rdx + rdi * 4]
    add rax, rdx
    jmp rax
.default:
    xor eax, eax
    ret
end

sequence "String length"
.next:
    cmp byte [rax], 0
    lea rax, [rax + 1]
    jne .next
    sub rax, rdi
    ret
end

sequence "String length with SSE2"
    pxor xmm0, xmm0
.next:
    movdqa xmm1, [rax]
    pcmpeqb xmm1, xmm0
    pmovmskb edx, xmm1
    add rax, 16
    test edx, edx
    je .next
    bsf edx, edx
    ret
end

sequence "Copy with SSE, forwards"
.next:
    movups xmm0, [rsi]
    movups xmm1, [rsi + 16]
    movups xmm2, [rsi + 32]
    movups xmm3, [rsi + 48]
    add rsi, 64
    movups [rdi], xmm0
    movups [rdi + 16], xmm1
    movups [rdi + 32], xmm2
    movups [rdi + 48], xmm3
    add rdi, 64
    sub rdx, 64
    ja .next
    ret
end

sequence "Copy and fill with string instructions"
    mov rcx, rdx
    rep movsb
    shr rcx, 3
    rep stosq
    movsq
    lodsb
    repne scasb
    repe cmpsb
end

sequence "Hash: multiply and rotate"
    mov rax, [rdi]
    imul rax, rcx
    rol rax, 31
    imul rax, r8
    xor rdx, rax
    rol rdx, 27
    lea rdx, [rdx + rdx * 4]
    mov rcx, 0x9e3779b97f4a7c15
    mul rcx
    shrd rax, rdx, 32
end

sequence "Big numbers: multiply and add with carry"
.next:
    mov rax, [rsi + r12 * 8]
    mul r8
    add rax, [rdi + r12 * 8]
    adc rdx, 0
    add rax, r13
    mov [rdi + r12 * 8], rax
    adc rdx, 0
    mov r13, rdx
    inc r12
    jne .next
end

sequence "Big numbers: MULX, ADCX, ADOX"
    mulx r14, r13, [rsi]
    adcx r13, [rdi]
    mulx r10, rax, [rsi + 8]
    adox r14, rax
    mov [rdi], r13
end

sequence "Division, conditions to values"
    mov rax, rdi
    cqo
    idiv rsi
    xor ecx, ecx
    cmp rdx, r8
    setg cl
    cmovle rax, [rsp + 8]
    sbb edi, edi
    popcnt rcx, rax
    tzcnt rdx, rcx
end

sequence "Locks: compare and exchange, add"
    mov edx, 1
    xor eax, eax
    lock cmpxchg [rdi], edx
    jne .out
    lock xadd [rdi + 8], rdx
    xchg rax, [rdi + 16]
    lock cmpxchg16b [rdi + 32]
    lock sub dword [rdi + 48], 1
.out:
end

sequence "Thread's and processor's data: fs and gs"
    mov rax, [fs:0x28]
    mov [rsp + 8], rax
    mov rcx, [gs:0x1000]
    inc dword [gs:0x1008]
    mov rdx, [fs:0xfffffffffffffff8]
end

sequence "Kernel: entry, flags, exit"
    swapgs
    mov [gs:0x6014], rsp
    pushf
    cli
    mov rdi, cr2
    popf
    sti
    iretq
end

sequence "Kernel: segment registers, time, fast system call"
    mov ds, ax
    mov es, [rsp + 8]
    pop fs
    rdtsc
    swapgs
    o64 sysret
    syscall
end

sequence "SSE2: scalar loop"
.next:
    movsd xmm1, [rdi + rcx * 8]
    mulsd xmm1, [rsi + rcx * 8]
    addsd xmm0, xmm1
    inc rcx
    cmp rcx, rdx
    jne .next
    cvttsd2si rax, xmm0
    cvtsi2sd xmm1, rax
    ucomisd xmm0, xmm1
end

sequence "SSE2: vector loop, y[i] += a * x[i]"
.next:
    movupd xmm1, [rsi + rax]
    mulpd xmm1, xmm2
    addpd xmm1, [rdi + rax]
    movupd [rdi + rax], xmm1
    add rax, 16
    cmp rax, rdx
    jne .next
end

sequence "SSE: 16 registers, shuffles, integers"
    movaps xmm8, [r9]
    shufps xmm8, xmm8, 0x1b
    mulps xmm8, xmm15
    cvttps2dq xmm9, xmm8
    paddd xmm9, [r10 + 16]
    pshufb xmm9, xmm12
    movq r11, xmm9
    pinsrd xmm9, r10d, 2
    movntdq [rdi], xmm9
end

sequence "AES, SHA and carry-less multiplication"
    aesenc xmm0, xmm1
    aesenc xmm0, [rdi + 32]
    aesenclast xmm0, xmm2
    pclmulqdq xmm3, xmm4, 0x11
    sha256rnds2 xmm1, xmm2
end

sequence "x87: scalar product"
    fldz
.next:
    fld tword [rsi]
    fmul qword [rdi + rcx * 8]
    faddp
    add rsi, 16
    inc rcx
    cmp rcx, rdx
    jne .next
    fstp tword [rsp]
end

    finish
