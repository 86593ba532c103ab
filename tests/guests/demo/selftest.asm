; SPDX-License-Identifier: MIT
;
; The checks. A check returns with the carry flag set where something is wrong.

section .data
%macro CHECK 2                                  ; name, function
        dd      %%name, %2
    [section .strings]
    %%name: db  %1, 0
    __?SECT?__
%endmacro

checks:
        CHECK   "keyboard", check_keyboard
        CHECK   "clock", check_clock
        CHECK   "timer", check_timer
        CHECK   "page on demand", check_demand
        CHECK   "page fault", check_fault
        CHECK   "read-only page", check_read_only
        CHECK   "self-modifying code", check_smc
        CHECK   "ring 3", check_ring3
        CHECK   "tasks", check_tasks
        CHECK   "floating point", check_fpu
        dd      0

section .text
; The shell's stead when the kernel command line says "selftest".
selftest:
        call    run_checks
        mov     eax, DEBUG_EXIT_PASSED
        jnc     end_with
        mov     eax, DEBUG_EXIT_FAILED

; Ends with EAX = DEBUG_EXIT_*, as the command line wants it. Does not return.
end_with:
        cmp     byte [want_debug_exit], 0
        jne     debug_exit
        jmp     power_off

command_test:
        call    run_checks
        ret

; Carry: one failed, and the others have not been tried.
run_checks:
        pushad
        mov     ebx, checks
.next:
        mov     esi, [ebx]
        test    esi, esi
        jz      .passed
        push    ebx
        push    esi
        call    [ebx + 4]
        pop     esi
        pop     ebx
        jc      .failed
        print_string `demo: `
        call    print
        print_string ` ok\n`
        add     ebx, 8
        jmp     .next
.failed:
        print_string `demo: FAILED `
        call    print
        call    print_newline
        stc
        jmp     .end
.passed:
        print_string `demo: all checks passed\n`
        clc
.end:
        popad
        ret

check_keyboard:
        cmp     byte [keyboard_self_test], KBD_GOOD
        je      good
bad:
        stc
        ret
good:
        clc
        ret

; A date that can be: after 2023, months and days in range.
check_clock:
        call    rtc_get
        movzx   eax, byte [rtc_time + 6]        ; century
        imul    eax, eax, 100
        movzx   ecx, byte [rtc_time + 5]
        add     eax, ecx
        cmp     eax, 2024
        jb      bad
        mov     al, [rtc_time + 4]
        dec     al
        cmp     al, 12
        jae     bad
        mov     al, [rtc_time + 3]
        dec     al
        cmp     al, 31
        jae     bad
        cmp     byte [rtc_time + 2], 24
        jae     bad
        cmp     byte [rtc_time + 1], 60
        jae     bad
        cmp     byte [rtc_time], 60
        cmc
        ret

; A second of the clock chip has 100 ticks, more or less: a busy host may lose some, so there is
; more than one try.
check_timer:
        mov     ebx, 5
        call    .wait_second
.try:
        mov     edi, [ticks]
        call    .wait_second
        mov     eax, [ticks]
        sub     eax, edi
        sub     eax, 95
        cmp     eax, 10
        jbe     good
        dec     ebx
        jnz     .try
        jmp     bad
.wait_second:
        mov     al, RTC_SECONDS
        call    rtc_read
        mov     dl, al
        mov     esi, [ticks]
        add     esi, 3 * TICK_HZ                ; a clock that stands still
.look:
        cmp     esi, [ticks]
        jb      .end
        mov     ecx, 1
        call    sleep
        mov     al, RTC_SECONDS
        call    rtc_read
        cmp     al, dl
        je      .look
.end:
        ret

; The demand area's pages come, are zeroed, and stay.
check_demand:
        call    demand_clear
        mov     ebx, [demand_faults]
        mov     edi, DEMAND_BASE + 0xffe        ; across two pages
        xor     eax, eax
        xchg    eax, [edi]
        test    eax, eax
        jnz     bad
        mov     eax, [demand_faults]
        sub     eax, ebx
        cmp     eax, 2
        jne     bad
        mov     dword [edi], 0x12345678
        cmp     word [edi + 2], 0x1234
        jne     bad
        mov     eax, [demand_faults]
        sub     eax, ebx
        cmp     eax, 2
        jne     bad
        ; A string that runs into a missing page goes on behind the fault.
        mov     esi, tasks
        mov     edi, DEMAND_BASE + 2 * PAGE_SIZE - 37
        mov     ecx, 100
        rep movsb
        mov     esi, tasks
        mov     edi, DEMAND_BASE + 2 * PAGE_SIZE - 37
        mov     ecx, task.frame                 ; this part of it does not change
        repe cmpsb
        jne     bad
        mov     eax, [demand_faults]
        sub     eax, ebx
        cmp     eax, 3
        jne     bad
        jmp     good

; EBX = where the next fault goes on.
catch:
        push    eax
        mov     eax, SYS_CATCH
        int     VECTOR_SYSCALL
        pop     eax
        ret

check_fault:
        mov     ebx, .read_caught
        call    catch
        mov     esi, 0x80001234
.read:
        mov     al, [esi]
        jmp     bad
.read_caught:
        mov     edi, .read
        mov     ecx, 0                          ; nothing there, a read, in ring 0
        call    .judge
        jc      bad
        mov     ebx, .write_caught
        call    catch
.write:
        mov     [esi], al
        jmp     bad
.write_caught:
        mov     edi, .write
        mov     ecx, FAULT_WRITE
.judge:                                         ; ESI = address, EDI = EIP, ECX = error code
        push    ecx
        mov     eax, SYS_CAUGHT
        int     VECTOR_SYSCALL
        cmp     eax, VECTOR_PAGE_FAULT
        pop     eax
        jne     bad
        cmp     ecx, eax
        jne     bad
        cmp     edx, esi
        jne     bad
        cmp     ebx, edi
        jne     bad
        jmp     good

check_read_only:
        mov     ebx, .caught
        call    catch
        mov     esi, entry
.write:
        mov     byte [esi], 0x90
        jmp     bad
.caught:
        mov     edi, .write
        mov     ecx, FAULT_PRESENT | FAULT_WRITE
        jmp     check_fault.judge

; Code in .data may write to itself, and what it wrote runs, be it the very next instruction.
section .data
smc_code:
        mov     byte [.next + 1], 2
.next:
        mov     al, 1                           ; its operand is overwritten just before
        mov     byte [.next + 1], 1
        ret
section .text
check_smc:
        mov     ecx, 100
.again:
        call    smc_code
        cmp     al, 2
        jne     bad
        loop    .again
        jmp     good

; What the user task noted about its misdeeds, and that it goes about its work since.
check_ring3:
        mov     ecx, 20
        call    sleep
        cmp     dword [user_cli_caught + caught.vector], VECTOR_PROTECTION
        jne     bad
        cmp     dword [user_cli_caught + caught.error], 0
        jne     bad
        cmp     dword [user_cli_caught + caught.eip], user_cli
        jne     bad
        cmp     dword [user_port_caught + caught.vector], VECTOR_PROTECTION
        jne     bad
        cmp     dword [user_port_caught + caught.eip], user_port
        jne     bad
        cmp     dword [user_read_caught + caught.vector], VECTOR_PAGE_FAULT
        jne     bad
        cmp     dword [user_read_caught + caught.error], FAULT_PRESENT | FAULT_USER
        jne     bad
        cmp     dword [user_read_caught + caught.address], gdt
        jne     bad
        cmp     dword [user_read_caught + caught.eip], user_read
        jne     bad
        cmp     dword [task_user + task.progress], 0
        je      bad
        jmp     good

; Everybody gets on, at the latest within three seconds.
check_tasks:
        mov     ebx, tasks
.task:
        cmp     ebx, task_shell                 ; that is who runs this
        je      .next
        mov     edi, [ebx + task.slices]
        mov     edx, [ebx + task.progress]
        mov     esi, 30
.wait:
        dec     esi
        jz      bad
        mov     ecx, 10
        call    sleep
        cmp     edi, [ebx + task.slices]
        je      .wait
        cmp     edx, [ebx + task.progress]
        je      .wait
.next:
        add     ebx, task_size
        cmp     ebx, tasks_end
        jb      .task
        jmp     good

check_fpu:
        cmp     dword [fpu_switches], 2
        jb      bad
        cmp     dword [fpu_errors], 0
        jne     bad
        jmp     good
