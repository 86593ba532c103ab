/* SPDX-License-Identifier: MIT */
/* The virtual processor: the run loop, what wakes it, and the calls with which cpu/ reaches the
 * machine (declared at the end of cpu/cpu.h).
 *
 * Three things reach a vCPU from other threads, all through its `attention` word: the INTR level,
 * NMI edges, and requests. A request is a bit in `requests` plus ATT_EXIT, which makes cpu_run()
 * return. Whoever sets one looks afterwards whether the vCPU sleeps; the vCPU announces that it
 * will sleep and then looks at the word once more: so no wake-up is lost and a running vCPU costs
 * no system call.
 *
 * Decoded code and translations belong to the vCPU's thread. A device that writes memory on another
 * thread posts the range; the vCPU drops the code when it next takes the machine lock or leaves
 * cpu_run(), which is before it can learn from the device that the transfer is complete. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/vmm_internal.h"

#define TSC_HZ NS_PER_SEC /* one tick per nanosecond of virtual time: nothing to round */

static struct vcpu *vcpu_of(struct cpu *c)
{
    return (struct vcpu *)(void *)c;
}

/* -- Waking and posting ------------------------------------------------------------------------ */

static void vcpu_wake(struct vcpu *v)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&v->asleep) != 0) {
        atomic_store(&v->asleep, 0);
        host_futex_wake(&v->asleep);
    }
}

void vcpu_request(struct vcpu *v, unsigned requests)
{
    atomic_fetch_or(&v->requests, requests);
    cpu_attend(&v->cpu, ATT_EXIT, 0);
    vcpu_wake(v);
}

/* True where the vCPU's own state may be touched by the caller. */
static bool is_mine(struct vcpu *v)
{
    return !atomic_load(&v->on) || pthread_equal(v->thread, pthread_self());
}

/* Note a range for catch_up(). One that goes on where the last one ended makes it longer; when
 * there is no more room, the last one grows to hold both. */
static void post_code(struct vcpu *v, uint64_t pa, uint64_t n)
{
    struct code_range *last = v->nposts > 0 ? &v->posts[v->nposts - 1] : NULL;
    uint64_t end = pa + n;

    if (last == NULL || (last->pa + last->n != pa && v->nposts < VCPU_POSTS)) {
        v->posts[v->nposts++] = (struct code_range){pa, n};
        return;
    }
    if (last->pa + last->n > end)
        end = last->pa + last->n;
    if (pa < last->pa)
        last->pa = pa;
    last->n = end - last->pa;
}

void vcpus_code_written(struct vm *vm, uint64_t pa, uint64_t n)
{
    for (unsigned i = 0; i < VM_MAX_CPUS; i++) {
        struct vcpu *v = vm->cpu[i];

        if (v == NULL)
            continue;
        if (is_mine(v)) {
            cpu_code_written(&v->cpu, pa, n);
            continue;
        }
        post_code(v, pa, n);
        vcpu_request(v, REQ_CATCH_UP);
    }
}

void vcpus_flush_tlb(struct vm *vm)
{
    for (unsigned i = 0; i < VM_MAX_CPUS; i++) {
        struct vcpu *v = vm->cpu[i];

        if (v == NULL)
            continue;
        if (is_mine(v)) {
            cpu_flush_tlb(&v->cpu);
        } else {
            v->flush_posted = true;
            vcpu_request(v, REQ_CATCH_UP);
        }
    }
}

void vcpus_close_pages(struct vm *vm)
{
    struct vcpu *v = vm->cpu[0];

    if (is_mine(v)) {
        mem_close_pages(vm, &v->cpu);
    } else {
        v->close_posted = true;
        vcpu_request(v, REQ_CATCH_UP);
    }
}

void vcpu_set_a20(struct vm *vm, bool enabled)
{
    struct vcpu *v = vm->cpu[0];

    if (is_mine(v)) {
        v->a20_posted = false;
        cpu_set_a20(&v->cpu, enabled);
    } else {
        v->a20_posted = true;
        v->a20 = enabled;
        vcpu_request(v, REQ_CATCH_UP);
    }
}

/* Carry out what others posted; machine lock held. */
static void catch_up(struct vcpu *v)
{
    atomic_fetch_and(&v->requests, ~(unsigned)REQ_CATCH_UP);
    if (v->a20_posted)
        cpu_set_a20(&v->cpu, v->a20);
    if (v->flush_posted)
        cpu_flush_tlb(&v->cpu);
    if (v->close_posted)
        mem_close_pages(v->vm, &v->cpu);
    for (unsigned i = 0; i < v->nposts; i++)
        cpu_code_written(&v->cpu, v->posts[i].pa, v->posts[i].n);
    v->a20_posted = v->flush_posted = v->close_posted = false;
    v->nposts = 0;
}

/* Take the machine lock on the vCPU's thread, or keep it if it is what freezes memory. */
static struct vm *enter(struct vcpu *v)
{
    if (!v->holds_lock)
        vm_lock(v->vm);
    v->holds_lock = false;
    if (atomic_load_explicit(&v->requests, memory_order_relaxed) & REQ_CATCH_UP)
        catch_up(v);
    return v->vm;
}

void vcpu_work(struct vcpu *v)
{
    while (v->work != NULL) {
        struct vcpu_work *w = v->work;

        v->work = w->next;
        w->fn(w->arg, v->vm, &v->cpu);
        atomic_store(&w->done, 1);
        host_futex_wake(&w->done); /* *w may be gone: only its address counts */
    }
}

void vm_inspect(struct vm *vm, vm_inspect_fn fn, void *arg)
{
    struct vcpu *v = vm->cpu[0];
    struct vcpu_work w = {.fn = fn, .arg = arg};

    vm_lock(vm);
    w.next = v->work;
    v->work = &w;
    if (!atomic_load(&v->on))
        vcpu_work(v);
    vm_unlock(vm);
    if (atomic_load(&w.done) == 0)
        vcpu_request(v, REQ_LOOK);
    while (atomic_load(&w.done) == 0)
        host_futex_wait(&w.done, 0);
}

/* -- Pins -------------------------------------------------------------------------------------- */

void vcpu_set_intr(struct vm *vm, unsigned cpu, bool level)
{
    struct vcpu *v = vm->cpu[cpu];

    if (level) {
        cpu_attend(&v->cpu, ATT_INTR, 0);
        vcpu_wake(v);
    } else {
        cpu_attend(&v->cpu, 0, ATT_INTR);
    }
}

void vcpu_pulse_nmi(struct vm *vm, unsigned cpu)
{
    cpu_attend(&vm->cpu[cpu]->cpu, ATT_NMI, 0);
    vcpu_wake(vm->cpu[cpu]);
}

void vcpu_set_ignne(struct vm *vm, unsigned cpu, bool asserted)
{
    vm->cpu[cpu]->ignne = asserted;
}

void vcpu_connect_ferr(struct vm *vm, unsigned cpu, struct irq line)
{
    vm->cpu[cpu]->ferr = line;
}

void vcpu_attach_intc(struct vm *vm, unsigned cpu, const struct vcpu_intc *intc, void *dev)
{
    vm->cpu[cpu]->intc = intc;
    vm->cpu[cpu]->intc_dev = dev;
}

uint64_t vcpu_tsc_hz(const struct vm *vm)
{
    (void)vm;
    return TSC_HZ;
}

/* -- The run loop ------------------------------------------------------------------------------ */

/* Sleep until there is an attention bit among `bits` or, where `halted`, work for the processor. */
static void vcpu_sleep(struct vcpu *v, bool halted)
{
    for (;;) {
        atomic_store(&v->asleep, 1);
        atomic_thread_fence(memory_order_seq_cst);
        if ((atomic_load(&v->cpu.attention) & ATT_EXIT) || (halted && cpu_has_work(&v->cpu)))
            break;
        host_futex_wait(&v->asleep, 1);
    }
    atomic_store(&v->asleep, 0);
}

/* The guest has powered itself off, or reset itself. Both true: the VM ends. */
static bool ends_at_shutdown(struct vm *vm)
{
    if (!vm->cfg.no_shutdown)
        return true;
    atomic_store(&vm->paused, true);
    return false;
}

static bool ends_at_reset(struct vm *vm)
{
    if (vm->cfg.no_reboot)
        return ends_at_shutdown(vm);
    vm_reset_locked(vm);
    return false;
}

/* Carry out the requests. True where the VM ends, and why. */
static bool serve(struct vcpu *v, enum vm_end *end)
{
    struct vm *vm = enter(v);
    unsigned req;
    bool ends = true;

    cpu_attend(&v->cpu, 0, ATT_EXIT); /* before the look at requests: a later one sets it again */
    req = atomic_exchange(&v->requests, 0);
    if (req & REQ_CATCH_UP)
        catch_up(v);
    vcpu_work(v);
    if ((req & REQ_WAKE) && vm_is_suspended(vm))
        vm_reset_locked(vm);
    if (req & REQ_ERROR)
        *end = VM_END_ERROR;
    else if (req & REQ_QUIT)
        *end = VM_END_QUIT;
    else if (req & REQ_DEBUG_EXIT)
        *end = VM_END_DEBUG_EXIT;
    else if ((req & REQ_SHUTDOWN) && ends_at_shutdown(vm))
        *end = VM_END_SHUTDOWN;
    else if ((req & REQ_RESET) && ends_at_reset(vm))
        *end = VM_END_RESET;
    else
        ends = false;
    vm_unlock(vm);
    return ends;
}

/* While the VM is paused, virtual time stands still and no timer fires. What made a drive pause the
 * VM is tried again when it goes on, even where that comes before the pause was seen here. */
static void follow_pause(struct vm *vm, bool paused)
{
    bool retry = !paused && atomic_load(&vm->stalled);

    if (paused == clock_is_stopped(vm) && !retry)
        return;
    vm_lock(vm);
    if (paused) {
        drives_drain(vm);
        clock_stop(vm);
    } else {
        if (clock_is_stopped(vm))
            clock_start(vm);
        if (retry)
            drives_retry(vm);
        io_kick(vm);
    }
    vm_unlock(vm);
}

enum vm_end vcpu_loop(struct vcpu *v)
{
    enum vm_end end = VM_END_ERROR;

    for (;;) {
        enum cpu_exit why;
        bool paused;

        if ((atomic_load(&v->cpu.attention) & ATT_EXIT) && serve(v, &end))
            return end;
        paused = atomic_load(&v->vm->paused);
        follow_pause(v->vm, paused);
        if (paused || vm_is_suspended(v->vm)) {
            vcpu_sleep(v, false);
            continue;
        }
        why = cpu_run(&v->cpu);
        if (v->jit != NULL && jit_failed(v->jit)) {
            vm_fail(v->vm, -EIO, "translated code is wrong");
            vm_request_error(v->vm);
        } else if (why == CPU_EXIT_HALT) {
            vcpu_sleep(v, true);
        } else if (why == CPU_EXIT_SHUTDOWN) {
            vm_log(v->vm, LOG_RESET, "triple fault at %04x:%llx", v->cpu.seg[SEG_CS].sel,
                   (unsigned long long)v->cpu.r[RIP]);
            vm_request_reset(v->vm);
        }
    }
}

/* -- Life -------------------------------------------------------------------------------------- */

/* What is asked for that the interpreter has not, or NULL. */
static const char *needs_translator(const struct vm_config *cfg)
{
    if (cfg->log_items & LOG_ANY_LOCKSTEP)
        return "-d lockstep";
    return cfg->perf_map ? "-perfmap" : NULL;
}

static int create_jit(struct vcpu *v, char *err)
{
    const struct mem *m = &v->vm->mem;
    struct jit_ram ram = {.fd = m->fd, .host = m->host, .pages = m->size / PAGE_SIZE};
    int status = jit_create(&v->jit, &v->cpu, &ram, &v->vm->cfg.jit, err);

    if (status == 0 && v->vm->cfg.perf_map) {
        status = jit_perf_map(v->jit);
        if (status != 0)
            snprintf(err, VM_ERR_LEN, "-perfmap: %s", strerror(-status));
    }
    return status;
}

static int create_accel(struct vcpu *v, char *err)
{
    const struct vm_config *cfg = &v->vm->cfg;
    const char *needs = needs_translator(cfg);
    char why[VM_ERR_LEN - 64] = "out of memory";
    int status;

    if (cfg->accel == ACCEL_INTERP && needs != NULL) {
        snprintf(err, VM_ERR_LEN, "%s: needs -accel jit", needs);
        return -EINVAL;
    }
    if (cfg->accel == ACCEL_INTERP)
        return 0;
    status = create_jit(v, why);
    if (status == 0)
        return 0;
    if (cfg->accel == ACCEL_BEST && needs == NULL) {
        snprintf(v->vm->no_translator, VM_ERR_LEN, "%s", why);
        return 0;
    }
    snprintf(err, VM_ERR_LEN, "%s: %s", needs != NULL ? needs : "-accel jit", why);
    return status;
}

int vcpu_create(struct vm *vm, unsigned index, char *err)
{
    struct vcpu *v = aligned_alloc(64, (sizeof(*v) + 63) / 64 * 64);

    if (v == NULL)
        return -ENOMEM;
    memset(v, 0, sizeof(*v));
    v->vm = vm;
    v->index = index;
    if (!cpu_init(&v->cpu, vm->cfg.cpu_model, err)) {
        free(v);
        return -EINVAL;
    }
    v->cpu.log_items = vm->cfg.log_items;
    vm->cpu[index] = v;
    return create_accel(v, err);
}

void vcpu_destroy(struct vcpu *v)
{
    if (v == NULL)
        return;
    jit_free(v->jit);
    cpu_free(&v->cpu);
    free(v);
}

void vcpu_reset(struct vcpu *v)
{
    cpu_attend(&v->cpu, 0, ATT_INTR | ATT_NMI);
    v->a20_posted = false;
    cpu_reset(&v->cpu);
}

/* -- What the processor asks of the machine ---------------------------------------------------- */

uint8_t *phys_page(struct cpu *c, uint64_t pa, bool write)
{
    return mem_host(&vcpu_of(c)->vm->mem, pa & ~(PAGE_SIZE - 1), PAGE_SIZE, write);
}

uint64_t phys_read(struct cpu *c, uint64_t pa, unsigned n)
{
    struct vcpu *v = vcpu_of(c);
    const uint8_t *host = mem_host(&v->vm->mem, pa, n, false);
    uint64_t val = 0;
    struct vm *vm;

    if (host != NULL) {
        memcpy(&val, host, n);
        return val;
    }
    vm = enter(v);
    val = mem_io_read(vm, pa, n);
    vm_unlock(vm);
    return val;
}

void phys_write(struct cpu *c, uint64_t pa, unsigned n, uint64_t val)
{
    struct vcpu *v = vcpu_of(c);
    uint8_t *host = mem_host(&v->vm->mem, pa, n, true);
    struct vm *vm;

    if (host != NULL) {
        memcpy(host, &val, n);
        return;
    }
    vm = enter(v);
    mem_io_write(vm, pa, n, val);
    vm_unlock(vm);
}

uint32_t port_in(struct cpu *c, uint16_t port, unsigned n)
{
    struct vm *vm = enter(vcpu_of(c));
    uint32_t val = bus_in_locked(vm, port, n);

    vm_unlock(vm);
    return val;
}

void port_out(struct cpu *c, uint16_t port, unsigned n, uint32_t val)
{
    struct vm *vm = enter(vcpu_of(c));

    bus_out_locked(vm, port, n, val);
    vm_unlock(vm);
}

void ferr_set(struct cpu *c, bool asserted)
{
    struct vcpu *v = vcpu_of(c);
    struct vm *vm = enter(v);

    irq_set(&v->ferr, asserted);
    vm_unlock(vm);
}

bool ignne_asserted(struct cpu *c)
{
    struct vcpu *v = vcpu_of(c);
    struct vm *vm = enter(v);
    bool asserted = v->ignne;

    vm_unlock(vm);
    return asserted;
}

void memory_freeze(struct cpu *c, bool frozen)
{
    struct vcpu *v = vcpu_of(c);

    if (v->holds_lock == frozen)
        return;
    v->holds_lock = frozen;
    if (frozen)
        vm_lock(v->vm);
    else
        vm_unlock(v->vm);
}

int intr_ack(struct cpu *c)
{
    struct vcpu *v = vcpu_of(c);
    struct vm *vm = enter(v);
    int vector = v->intc != NULL && v->intc->ack != NULL ? v->intc->ack(v->intc_dev) : -1;

    vm_unlock(vm);
    return vector;
}

uint64_t tsc_read(struct cpu *c)
{
    return clock_now(vcpu_of(c)->vm);
}

uint64_t tsc_hz(struct cpu *c)
{
    return vcpu_tsc_hz(vcpu_of(c)->vm);
}

bool apic_base_read(struct cpu *c, uint64_t *val)
{
    struct vcpu *v = vcpu_of(c);
    struct vm *vm = enter(v);
    bool ok = v->intc != NULL && v->intc->read_base != NULL;

    if (ok)
        *val = v->intc->read_base(v->intc_dev);
    vm_unlock(vm);
    return ok;
}

bool apic_base_write(struct cpu *c, uint64_t val)
{
    struct vcpu *v = vcpu_of(c);
    struct vm *vm = enter(v);
    bool ok = v->intc != NULL && v->intc->write_base != NULL;

    ok = ok && v->intc->write_base(v->intc_dev, val);
    vm_unlock(vm);
    return ok;
}

uint8_t apic_tpr_read(struct cpu *c)
{
    struct vcpu *v = vcpu_of(c);
    struct vm *vm = enter(v);
    uint8_t val = 0;

    if (v->intc != NULL && v->intc->read_tpr != NULL)
        val = v->intc->read_tpr(v->intc_dev);
    vm_unlock(vm);
    return val;
}

void apic_tpr_write(struct cpu *c, uint8_t val)
{
    struct vcpu *v = vcpu_of(c);
    struct vm *vm = enter(v);

    if (v->intc != NULL && v->intc->write_tpr != NULL)
        v->intc->write_tpr(v->intc_dev, val);
    vm_unlock(vm);
}

uint64_t apic_deadline_read(struct cpu *c)
{
    struct vcpu *v = vcpu_of(c);
    struct vm *vm = enter(v);
    uint64_t ticks = 0;

    if (v->intc != NULL && v->intc->read_deadline != NULL)
        ticks = v->intc->read_deadline(v->intc_dev);
    vm_unlock(vm);
    return ticks;
}

void apic_deadline_write(struct cpu *c, uint64_t ticks)
{
    struct vcpu *v = vcpu_of(c);
    struct vm *vm = enter(v);

    if (v->intc != NULL && v->intc->write_deadline != NULL)
        v->intc->write_deadline(v->intc_dev, ticks);
    vm_unlock(vm);
}

bool apic_msr_read(struct cpu *c, uint32_t msr, uint64_t *val)
{
    struct vcpu *v = vcpu_of(c);
    struct vm *vm = enter(v);
    bool ok = v->intc != NULL && v->intc->read_msr != NULL;

    ok = ok && v->intc->read_msr(v->intc_dev, msr, val);
    vm_unlock(vm);
    return ok;
}

bool apic_msr_write(struct cpu *c, uint32_t msr, uint64_t val)
{
    struct vcpu *v = vcpu_of(c);
    struct vm *vm = enter(v);
    bool ok = v->intc != NULL && v->intc->write_msr != NULL;

    ok = ok && v->intc->write_msr(v->intc_dev, msr, val);
    vm_unlock(vm);
    return ok;
}

uint64_t random_u64(struct cpu *c)
{
    struct vcpu *v = vcpu_of(c);

    if (v->random_left == 0) {
        host_random(v->random, sizeof(v->random));
        v->random_left = ARRAY_SIZE(v->random);
    }
    return v->random[--v->random_left];
}

void cpu_log(struct cpu *c, unsigned item, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_line(vcpu_of(c)->vm, item, fmt, ap);
    va_end(ap);
}
