/* SPDX-License-Identifier: MIT */
/* Life cycle of a virtual machine: making it from a configuration and a board, running it, and what
 * devices, monitors and signals ask of it. */
#include "vmm/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/vmm_internal.h"

/* -- Small things ------------------------------------------------------------------------------ */

void vm_lock(struct vm *vm)
{
    fair_lock(&vm->lock);
}

void vm_unlock(struct vm *vm)
{
    fair_unlock(&vm->lock);
}

int vm_fail(struct vm *vm, int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(vm->err, sizeof(vm->err), fmt, ap);
    va_end(ap);
    return err;
}

const char *vm_error(const struct vm *vm)
{
    return vm->err;
}

const struct vm_config *vm_config(const struct vm *vm)
{
    return &vm->cfg;
}

int vm_exit_code(const struct vm *vm)
{
    return atomic_load(&vm->exit_code);
}

/* -- Create and destroy ------------------------------------------------------------------------ */

static int check_config(struct vm *vm)
{
    const struct vm_config *cfg = &vm->cfg;

    if (cfg->ram_bytes < VM_MIN_RAM || cfg->ram_bytes % PAGE_SIZE != 0 ||
        cfg->ram_bytes > UINT64_C(1) << 46)
        return vm_fail(vm, -EINVAL, "memory size must be a multiple of 4 KiB, 1 MiB or more");
    if (cfg->cpus != 1)
        return vm_fail(vm, -EINVAL, "only one processor is supported");
    return 0;
}

static int create_cpus(struct vm *vm)
{
    char err[VM_ERR_LEN] = "out of memory";
    int ret = vcpu_create(vm, 0, err);

    return ret != 0 ? vm_fail(vm, ret, "%s", err) : 0;
}

static int create_parts(struct vm *vm, const struct board *board)
{
    int err = check_config(vm);

    if (err == 0 && vm->cfg.take_signals) {
        err = host_signals_take(&vm->signals);
        if (err != 0)
            vm_fail(vm, err, "cannot take over signals: %s", strerror(-err));
    }
    if (err == 0)
        err = clock_init(vm);
    if (err == 0)
        err = io_init(vm);
    if (err == 0)
        err = mem_init(vm, vm->cfg.ram_bytes);
    if (err == 0)
        err = create_cpus(vm);
    if (err == 0)
        err = drives_create(vm);
    if (err == 0)
        err = netdevs_create(vm);
    if (err == 0)
        err = devices_create(vm, board);
    return err;
}

int vm_create(struct vm **out, const struct vm_config *cfg, const struct board *board,
              char err[VM_ERR_LEN])
{
    struct vm *vm = calloc(1, sizeof(*vm));
    int ret;

    *out = NULL;
    if (vm == NULL) {
        snprintf(err, VM_ERR_LEN, "out of memory");
        return -ENOMEM;
    }
    vm->cfg = *cfg;
    vm->mem.fd = vm->io.wake_fd = -1;
    log_init(vm);
    vm_lock(vm);
    ret = create_parts(vm, board);
    if (ret == 0)
        vm_reset_locked(vm);
    vm_unlock(vm);
    if (ret != 0) {
        snprintf(err, VM_ERR_LEN, "%s", vm->err[0] != '\0' ? vm->err : strerror(-ret));
        vm_destroy(vm);
        return ret;
    }
    *out = vm;
    return 0;
}

void vm_destroy(struct vm *vm)
{
    if (vm == NULL)
        return;
    io_stop(vm);
    vm_lock(vm);
    devices_destroy(vm);
    drives_destroy(vm);
    netdevs_destroy(vm);
    chardev_close_all(vm);
    vm_unlock(vm);
    for (unsigned i = 0; i < VM_MAX_CPUS; i++)
        vcpu_destroy(vm->cpu[i]);
    mem_free(vm);
    io_free(vm);
    clock_free(vm);
    host_signals_release(vm->signals);
    log_free(vm);
    free(vm);
}

/* -- Run --------------------------------------------------------------------------------------- */

void vm_reset_locked(struct vm *vm)
{
    vm_log(vm, LOG_RESET, "reset");
    atomic_store(&vm->suspended, false);
    for (unsigned i = 0; i < VM_MAX_CPUS; i++) {
        if (vm->cpu[i] != NULL)
            vcpu_reset(vm->cpu[i]);
    }
    devices_reset(vm);
}

enum vm_end vm_run(struct vm *vm)
{
    struct vcpu *v = vm->cpu[0];
    enum vm_end end;

    if (jit_thread_enter(v->jit) != 0)
        return VM_END_ERROR;
    if (io_start(vm) != 0) {
        jit_thread_leave(v->jit);
        return VM_END_ERROR;
    }
    vm_lock(vm);
    v->thread = pthread_self();
    atomic_store(&v->on, true);
    vm_unlock(vm);
    end = vcpu_loop(v);
    cpu_thread_end();
    io_stop(vm);
    vm_lock(vm);
    drives_drain(vm);
    clock_stop(vm);
    if (drives_flush(vm) != 0)
        end = VM_END_ERROR;
    atomic_store(&v->on, false);
    vcpu_work(v);
    vm_unlock(vm);
    jit_thread_leave(v->jit);
    return end;
}

void vm_quit(struct vm *vm)
{
    vcpu_request(vm->cpu[0], REQ_QUIT);
}

void vm_pause(struct vm *vm)
{
    atomic_store(&vm->paused, true);
    vcpu_request(vm->cpu[0], REQ_LOOK);
}

void vm_resume(struct vm *vm)
{
    atomic_store(&vm->paused, false);
    vcpu_request(vm->cpu[0], REQ_LOOK);
}

bool vm_is_paused(const struct vm *vm)
{
    return atomic_load(&vm->paused);
}

void vm_request_reset(struct vm *vm)
{
    vcpu_request(vm->cpu[0], REQ_RESET);
}

void vm_suspend(struct vm *vm)
{
    atomic_store(&vm->suspended, true);
    vcpu_request(vm->cpu[0], REQ_LOOK);
}

void vm_wake(struct vm *vm)
{
    vcpu_request(vm->cpu[0], REQ_WAKE);
}

bool vm_is_suspended(const struct vm *vm)
{
    return atomic_load(&vm->suspended);
}

void vm_request_shutdown(struct vm *vm)
{
    vcpu_request(vm->cpu[0], REQ_SHUTDOWN);
}

void vm_request_error(struct vm *vm)
{
    vcpu_request(vm->cpu[0], REQ_ERROR);
}

const char *vm_no_translator(const struct vm *vm)
{
    return vm->no_translator[0] != '\0' ? vm->no_translator : NULL;
}

struct cpu *vm_cpu(struct vm *vm, unsigned cpu)
{
    return &vm->cpu[cpu]->cpu;
}

struct jit *vm_jit(struct vm *vm, unsigned cpu)
{
    return vm->cpu[cpu]->jit;
}

void vm_request_debug_exit(struct vm *vm, int code)
{
    atomic_store(&vm->exit_code, code);
    vcpu_request(vm->cpu[0], REQ_DEBUG_EXIT);
}
