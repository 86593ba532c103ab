/* SPDX-License-Identifier: MIT */
/* The host's KVM as a side. It shows what software could see: no hidden state of ours, and what the
 * kernel cannot be told (a CR4 bit that the host lacks) is not run. Where a case that the manual
 * decides comes out otherwise here, it need not be our fault: some kernels (kvm_pvm) emulate the
 * guest's privileged instructions in software. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "cpu/flags.h"
#include "cpu/insn.h"
#include "tests/diff/system_sides.h"

#define MAX_EXITS  2000
#define CPUIDS     100
#define PHYS_BITS  40
#define TSS_OF_KVM 0xfffbd000u
#define MS         1000

struct kvm {
    int vm, vcpu;
    struct kvm_run *run;
    uint8_t *ram;
    bool is_pvm; /* the kernel emulates privileged code, see below */
};

/* -- Setting up -------------------------------------------------------------------------------- */

static bool set_cpuid(int kvm, int vcpu)
{
    struct kvm_cpuid2 *ids = calloc(1, sizeof(*ids) + CPUIDS * sizeof(ids->entries[0]));
    bool ok = false;

    if (ids == NULL)
        return false;
    ids->nent = CPUIDS;
    if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, ids) == 0) {
        for (unsigned k = 0; k < ids->nent; k++)
            if (ids->entries[k].function == 0x80000008)
                ids->entries[k].eax = (ids->entries[k].eax & ~0xffu) | PHYS_BITS;
        ok = ioctl(vcpu, KVM_SET_CPUID2, ids) == 0;
    }
    free(ids);
    return ok;
}

static bool set_up(struct kvm *v)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (kvm < 0 || (v->vm = ioctl(kvm, KVM_CREATE_VM, 0)) < 0)
        return false;
    v->ram = mmap(NULL, FAKE_RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region ram = {.memory_size = FAKE_RAM_BYTES,
                                              .userspace_addr = (uintptr_t)v->ram};
    if (v->ram == MAP_FAILED || ioctl(v->vm, KVM_SET_TSS_ADDR, TSS_OF_KVM) < 0 ||
        ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &ram) < 0 ||
        (v->vcpu = ioctl(v->vm, KVM_CREATE_VCPU, 0)) < 0 || !set_cpuid(kvm, v->vcpu))
        return false;
    v->is_pvm = access("/sys/module/kvm_pvm", F_OK) == 0;
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    v->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, v->vcpu, 0);
    return v->run != MAP_FAILED;
}

/* Ends KVM_RUN; the driver has an alarm of its own. */
static void on_limit(int sig)
{
    (void)sig;
}

bool kvm_open(struct side *d)
{
    sigaction(SIGPROF, &(struct sigaction){.sa_handler = on_limit, .sa_flags = SA_ONSTACK}, NULL);
    d->m = fake_machine_create(SYS_MODEL);
    d->kvm = calloc(1, sizeof(*d->kvm));
    if (d->kvm != NULL && set_up(d->kvm))
        return true;
    printf("%s: not on this host\n", d->name);
    return false;
}

/* -- State ------------------------------------------------------------------------------------- */

static struct kvm_segment to_kvm(const struct seg *s)
{
    return (struct kvm_segment){.base = s->base,
                                .limit = s->limit,
                                .selector = s->sel,
                                .type = s->attr & 15,
                                .s = s->attr >> 4 & 1,
                                .dpl = s->attr >> 5 & 3,
                                .present = s->attr >> 7 & 1,
                                .avl = s->attr >> 12 & 1,
                                .l = s->attr >> 13 & 1,
                                .db = s->attr >> 14 & 1,
                                .g = s->attr >> 15 & 1,
                                .unusable = !s->usable};
}

static struct seg from_kvm(const struct kvm_segment *k)
{
    unsigned attr = k->type | (unsigned)k->s << 4 | (unsigned)k->dpl << 5 |
                    (unsigned)k->present << 7 | (unsigned)k->avl << 12 | (unsigned)k->l << 13 |
                    (unsigned)k->db << 14 | (unsigned)k->g << 15;
    return (struct seg){.base = k->base,
                        .limit = k->limit,
                        .sel = k->selector,
                        .attr = (uint16_t)attr,
                        .usable = !k->unusable};
}

/* ORDER gpr, seg */
static void registers(struct kvm_regs *r, uint64_t *at[16])
{
    __u64 *const order[16] = {(__u64 *)&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp,
                              &r->rsi,          &r->rdi, &r->r8,  &r->r9,  &r->r10, &r->r11,
                              &r->r12,          &r->r13, &r->r14, &r->r15};

    for (unsigned k = 0; k < 16; k++)
        at[k] = (uint64_t *)(void *)order[k];
}

static void segments(struct kvm_sregs *s, struct kvm_segment *at[SEG_COUNT + 2])
{
    struct kvm_segment *const order[] = {&s->es, &s->cs, &s->ss,  &s->ds,
                                         &s->fs, &s->gs, &s->ldt, &s->tr};

    memcpy(at, order, sizeof(order));
}

#define MSRS 9
static void msrs(struct cpu *c, uint32_t number[MSRS], uint64_t *value[MSRS])
{
    static const uint32_t numbers[MSRS] = {
        0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102, 0x174, 0x175, 0x176, 0x277};
    uint64_t *const values[MSRS] = {
        &c->msr.star,         &c->msr.lstar,          &c->msr.cstar,
        &c->msr.fmask,        &c->msr.kernel_gs_base, &c->msr.sysenter_cs,
        &c->msr.sysenter_esp, &c->msr.sysenter_eip,   &c->msr.pat};

    memcpy(number, numbers, sizeof(numbers));
    memcpy(value, values, sizeof(values));
}

static bool load_msrs(struct kvm *v, struct cpu *c)
{
    struct kvm_msrs *m = calloc(1, sizeof(*m) + MSRS * sizeof(m->entries[0]));
    uint64_t *value[MSRS];
    uint32_t number[MSRS];

    if (m == NULL)
        return false;
    m->nmsrs = MSRS;
    msrs(c, number, value);
    for (unsigned k = 0; k < MSRS; k++)
        m->entries[k] = (struct kvm_msr_entry){.index = number[k], .data = *value[k]};
    bool ok = ioctl(v->vcpu, KVM_SET_MSRS, m) == MSRS;
    free(m);
    return ok;
}

static bool load_system(struct kvm *v, struct cpu *c)
{
    struct kvm_sregs s;
    struct kvm_segment *at[SEG_COUNT + 2];

    if (ioctl(v->vcpu, KVM_GET_SREGS, &s) < 0)
        return false;
    segments(&s, at);
    for (unsigned k = 0; k < SEG_COUNT; k++)
        *at[k] = to_kvm(&c->seg[k]);
    *at[SEG_COUNT] = to_kvm(&c->ldtr);
    *at[SEG_COUNT + 1] = to_kvm(&c->tr);
    s.gdt = (struct kvm_dtable){.base = c->gdt.base, .limit = c->gdt.limit};
    s.idt = (struct kvm_dtable){.base = c->idt.base, .limit = c->idt.limit};
    s.cr0 = c->cr0;
    s.cr2 = c->cr2;
    s.cr3 = c->cr3;
    s.cr4 = c->cr4;
    s.efer = c->efer;
    s.cr8 = 0;
    memset(s.interrupt_bitmap, 0, sizeof(s.interrupt_bitmap));
    return ioctl(v->vcpu, KVM_SET_SREGS, &s) == 0;
}

static bool load_rest(struct kvm *v, struct cpu *c)
{
    struct kvm_regs r = {.rip = c->r[RIP], .rflags = eflags_get(c)};
    struct kvm_debugregs d = {.dr6 = c->dr[6], .dr7 = c->dr[7]};
    struct kvm_vcpu_events e = {.flags =
                                    KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
                                .nmi.masked = c->nmi_blocked};
    struct kvm_fpu f = {.fcw = c->fpu.cw, .mxcsr = c->fpu.mxcsr}; /* registers: zero */
    uint64_t *at[16];

    registers(&r, at);
    for (unsigned k = 0; k < 16; k++)
        *at[k] = c->r[k];
    for (unsigned k = 0; k < 4; k++)
        d.db[k] = c->dr[k];
    return ioctl(v->vcpu, KVM_SET_REGS, &r) == 0 && ioctl(v->vcpu, KVM_SET_FPU, &f) == 0 &&
           ioctl(v->vcpu, KVM_SET_DEBUGREGS, &d) == 0 &&
           ioctl(v->vcpu, KVM_SET_VCPU_EVENTS, &e) == 0 && load_msrs(v, c);
}

static void save(struct kvm *v, struct cpu *c)
{
    struct kvm_regs r;
    struct kvm_sregs s;
    struct kvm_debugregs d;
    struct kvm_segment *seg[SEG_COUNT + 2];
    uint64_t *at[16];

    if (ioctl(v->vcpu, KVM_GET_REGS, &r) < 0 || ioctl(v->vcpu, KVM_GET_SREGS, &s) < 0 ||
        ioctl(v->vcpu, KVM_GET_DEBUGREGS, &d) < 0)
        abort();
    registers(&r, at);
    for (unsigned k = 0; k < 16; k++)
        c->r[k] = *at[k];
    c->r[RIP] = r.rip;
    segments(&s, seg);
    for (unsigned k = 0; k < SEG_COUNT; k++)
        c->seg[k] = from_kvm(seg[k]);
    c->ldtr = from_kvm(seg[SEG_COUNT]);
    c->tr = from_kvm(seg[SEG_COUNT + 1]);
    c->gdt = (struct dtable){s.gdt.base, s.gdt.limit};
    c->idt = (struct dtable){s.idt.base, s.idt.limit};
    c->cr0 = s.cr0;
    c->cr2 = s.cr2;
    c->cr3 = s.cr3;
    c->cr4 = s.cr4;
    c->efer = s.efer;
    for (unsigned k = 0; k < 4; k++)
        c->dr[k] = d.db[k];
    c->dr[6] = d.dr6;
    c->dr[7] = d.dr7;
    eflags_set(c, (uint32_t)r.rflags);
}

/* -- Running ----------------------------------------------------------------------------------- */

static void do_port(struct side *d)
{
    struct kvm_run *run = d->kvm->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    for (unsigned k = 0; k < run->io.count; k++, data += run->io.size) {
        uint32_t v = 0;
        if (run->io.direction == KVM_EXIT_IO_IN) {
            v = port_in(&d->m->cpu, run->io.port, run->io.size);
            memcpy(data, &v, run->io.size);
        } else {
            memcpy(&v, data, run->io.size);
            port_out(&d->m->cpu, run->io.port, run->io.size, v);
            if (d->m->intr_port != 0 && run->io.port == d->m->intr_port + 1)
                ioctl(d->kvm->vcpu, KVM_NMI);
        }
    }
}

/* Hand over an interrupt that waits, or ask to be told when it can be. */
static void inject(struct side *d)
{
    struct kvm_run *run = d->kvm->run;
    struct kvm_interrupt irq = {.irq = (uint32_t)d->m->pending_vector};

    run->request_interrupt_window = d->m->pending_vector >= 0;
    if (d->m->pending_vector < 0 || !run->ready_for_interrupt_injection || !run->if_flag)
        return;
    if (ioctl(d->kvm->vcpu, KVM_INTERRUPT, &irq) == 0)
        d->m->pending_vector = -1;
    run->request_interrupt_window = 0;
}

static int run_to_end(struct side *d)
{
    struct kvm_run *run = d->kvm->run;

    for (unsigned n = 0; n < MAX_EXITS; n++) {
        inject(d);
        if (ioctl(d->kvm->vcpu, KVM_RUN, 0) < 0)
            return SYS_ENDLESS;
        switch (run->exit_reason) {
        case KVM_EXIT_IO: do_port(d); break;
        case KVM_EXIT_MMIO:
            if (!run->mmio.is_write)
                memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
            break;
        case KVM_EXIT_IRQ_WINDOW_OPEN: break;
        case KVM_EXIT_HLT:
            if (d->m->pending_vector < 0 || !run->if_flag)
                return CPU_EXIT_HALT;
            break;
        case KVM_EXIT_SHUTDOWN: return CPU_EXIT_SHUTDOWN;
        default: return SYS_NOT_RUN;
        }
    }
    return SYS_ENDLESS;
}

/* -- What kvm_pvm gets wrong ---------------------------------------------------------------------
 */

/* It runs 64-bit code at level 3 itself and emulates the rest in software, which falls short of the
 * manual in what follows. These cases are not run there; on processors with virtualization they
 * are.
 */

/* SDM 3A 4.3, 4.4: with 32-bit and PAE paging it shuts down. */
static bool has_legacy_paging(const struct sys *s)
{
    return s->cpu->cr0 & CR0_PG && !(s->cpu->efer & EFER_LMA);
}

/* SDM 3A 20.3.1: an exception in virtual-8086 mode pushes no ES, DS, FS and GS. SDM 3A 5.5, SDM 1
 * 19.5: code at other levels than 0 has an IOPL of 0, no breakpoints and no page rights of its own.
 */
static bool is_above_0(const struct sys *s)
{
    return s->level != 0;
}

/* SDM 3A 5.3, 6.12: frames are pushed whatever SS's base and limit. */
static bool has_special_stack(const struct sys *s)
{
    const struct seg *ss = &s->cpu->seg[SEG_SS];

    return s->mode != SYS_REAL && (ss->base != 0 || ss->limit != UINT32_MAX || ss->attr & SEG_EC);
}

/* SDM 3B 17.2, 17.3: single steps skip the iterations of repeated instructions, MOV SS holds
 * nothing off, a fault by DR7.GD and emulated instructions leave RF wrong in EFLAGS. */
static bool has_debug_events(const struct sys *s)
{
    return s->cpu->eflags & (EFL_TF | EFL_RF) || s->cpu->dr[7] & (0xff | DR7_GD) ||
           s->cpu->msr.debugctl != 0;
}

/* An interrupt waits for the next exit from the guest, not for the next instruction. */
static bool has_interrupts(const struct sys *s)
{
    return s->pending >= 0 || s->intr_port != 0;
}

/* SDM 3A 6.13 to 6.15: an exception while one is delivered becomes #DF or is lost. 6.12.1: AC is
 * cleared where one is delivered. */
static bool has_odd_gates(const struct sys *s)
{
    unsigned size = is_lma(s) ? 16 : 8;
    uint16_t sel = level_sel(is_lma(s) ? SYS_CODE64 : SYS_CODE32, 0);

    if (s->cpu->eflags & EFL_AC)
        return true;
    for (unsigned vec = 0; vec < 32 && s->mode != SYS_REAL; vec++)
        if (sys_get(s, AT_IDT + vec * size + 5, 1) != 0x8e ||
            sys_get(s, AT_IDT + vec * size + 2, 2) != sel)
            return true;
    return false;
}

/* SDM 3A 4.1.4: it has no pages of 1 GiB (CPUID says so). */
static bool has_huge_page(const struct sys *s)
{
    for (unsigned k = 0; k < s->ch->count; k++)
        if (strcmp(s->ch->made[k].what, "paging") == 0 && strcmp(s->ch->made[k].name, "1g") == 0)
            return true;
    return false;
}

/* SDM 3A 5.3 leaves open whether an access wraps at 4 GiB. */
static bool may_wrap(const struct sys *s)
{
    return s->mode != SYS_LONG && s->cpu->r[RDI] > UINT32_MAX - 3;
}

/* SDM 3A 4.8 does not say whether a write that a page's rights forbid sets accessed flags. */
static bool has_forbidden_write(const struct sys *s)
{
    return s->want.has_cr2 && s->want.err & 2;
}

/* SDM 2A, 2B: INT n and IRET raise #UD, far transfers take no gates and tasks, LLDT and LTR take
 * descriptors from the LDT, and what the host's vendor does counts for SYSCALL and SYSENTER outside
 * of 64-bit code, SWAPGS there, and for MSRs. MOV to CR and DR and INVPCID check operands late. */
static bool has_emulated(const struct sys *s)
{
    static const char names[] =
        " INT INT1 INT3 INTO BOUND IRET IRETD IRETQ LLDT LTR SYSCALL SYSRET SYSENTER SYSEXIT "
        "SWAPGS CPUID RDTSC RDTSCP RDFSBASE RDGSBASE WRFSBASE WRGSBASE RDMSR WRMSR INVPCID LAR "
        "LSL VERR VERW ARPL ";
    const struct trail *t = &system_reference.trail;
    char name[32];

    if (s->tested < FAKE_RAM_BYTES - 3 &&
        sys_get(s, s->tested, 3) == 0xf8010f) /* SWAPGS, which may not be one */
        return true;
    for (unsigned k = 0; k < t->count; k++) {
        const struct op_row *row = &optab[t->step[k].row];
        snprintf(name, sizeof(name), " %s ", row->name);
        if (strstr(names, name) != NULL || strstr(row->operands, "Cy") != NULL ||
            strstr(row->operands, "Dy") != NULL ||
            (row->map == 0 && (row->opcode & 0xfe) == 0xca) ||
            strstr(row->operands, "Ap") != NULL || strstr(row->operands, "Mp") != NULL)
            return true;
    }
    return false;
}

static bool is_left_out(const struct sys *s)
{
    static bool (*const rules[])(const struct sys *s) = {
        has_legacy_paging, is_above_0,          has_special_stack, has_debug_events, has_interrupts,
        has_odd_gates,     has_forbidden_write, has_huge_page,     may_wrap,         has_emulated};

    for (unsigned k = 0; k < ROWS(rules); k++)
        if (rules[k](s))
            return true;
    return false;
}

/* -- Cases ---------------------------------------------------------------------------------------
 */

int kvm_run(struct side *d, const struct sys *s)
{
    struct cpu *c = &d->m->cpu;
    struct itimerval limit = {{0, 100 * MS}, {0, 100 * MS}}, none = {0};

    if (d->kvm->is_pvm && is_left_out(s))
        return SYS_NOT_RUN;
    memcpy(d->kvm->ram, d->m->ram, FAKE_RAM_BYTES);
    if (!load_system(d->kvm, c) || !load_rest(d->kvm, c))
        return SYS_NOT_RUN;
    d->kvm->run->if_flag = (c->eflags & EFL_IF) != 0;
    d->kvm->run->ready_for_interrupt_injection = 0;
    setitimer(ITIMER_PROF, &limit, NULL);
    int why = run_to_end(d);
    setitimer(ITIMER_PROF, &none, NULL);
    save(d->kvm, c);
    memcpy(d->m->ram, d->kvm->ram, FAKE_RAM_BYTES);
    memset(d->m->dirty, 1, sizeof(d->m->dirty));
    return why;
}
