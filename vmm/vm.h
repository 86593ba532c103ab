/* SPDX-License-Identifier: MIT */
/* One virtual machine: its memory, buses, clock, devices, vCPU and life cycle.
 *
 * Threads: one per vCPU, one I/O thread (timers, chardevs), and the frontend's. Device state is
 * guarded by one machine lock; the bus takes it for every port and MMIO access, the I/O thread for
 * every timer and chardev callback. */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "jit/config.h"
#include "vmm/bus.h"
#include "vmm/chardev.h"
#include "vmm/clock.h"
#include "vmm/device.h"
#include "vmm/drive.h"
#include "vmm/irq.h"
#include "vmm/log.h"
#include "vmm/mem.h"
#include "vmm/netdev.h"

struct vm;
struct cpu;

#define VM_ERR_LEN      4608 /* the longest path, and what is wrong with it */
#define VM_SERIAL_PORTS 4
#define VM_MIN_RAM      (UINT64_C(1) << 20)
#define VM_RAM_HOLE     UINT64_C(0xc0000000) /* RAM above this continues at 4 GiB */

/* How guest code is run: interpreted; translated; translated where the host can do that. */
enum vm_accel { ACCEL_INTERP, ACCEL_JIT, ACCEL_BEST };

/* The display adapter. */
enum vm_vga { VGA_STD, VGA_NONE };

/* What firmware boots from: letters, a floppy, c hard disk, d CD, n network; none: "cad". */
#define VM_BOOT_DEVICES 3
struct vm_boot {
    char order[VM_BOOT_DEVICES + 1];
    char once[VM_BOOT_DEVICES + 1]; /* instead, until the first reset by the guest */
    bool menu;                      /* the user may choose */
    uint16_t menu_ms;               /* for so long; 0: as long as the firmware likes */
};

#define VM_OPTION_ROMS 8

/* What the user asked for. Strings are borrowed for the VM's life. */
struct vm_config {
    const char *name;
    uint64_t ram_bytes; /* multiple of 4 KiB, >= VM_MIN_RAM */
    unsigned cpus;      /* 1 */
    const char *cpu_model;
    enum vm_accel accel;
    struct jit_config jit;               /* for the translator */
    const char *serial[VM_SERIAL_PORTS]; /* chardev specs; NULL: port absent */
    const struct drive_config *drives;   /* drive_count of them */
    unsigned drive_count;
    const char *parallel;                /* chardev spec of the parallel port; NULL: absent */
    const struct netdev_config *netdevs; /* netdev_count of them, and so on */
    const struct net_dump_config *net_dumps;
    const struct nic_config *nics;
    unsigned netdev_count, net_dump_count, nic_count;
    const char *debugcon; /* chardev spec for ports 0xe9 and 0x402; NULL: none */
    const char *bios;     /* firmware image, instead of a kernel; NULL: none */
    const char *kernel, *initrd, *append;
    const uint8_t *kernel_data; /* instead of `kernel`: an image in memory */
    size_t kernel_size;
    struct vm_boot boot;
    const char *option_rom[VM_OPTION_ROMS]; /* files for firmware to start as ROMs of adapters */
    unsigned option_rom_count;
    enum vm_vga vga;
    const char *vga_rom;    /* file with the display adapter's BIOS; NULL: our own */
    unsigned log_items;     /* set of enum log_item */
    FILE *log;              /* stderr unless -D */
    uint64_t wall_start_ns; /* clock_wall() at virtual time 0, from where it runs with virtual time;
                             * 0: it is the host's clock (-rtc base=, clock=) */
    bool no_reboot;         /* end where the guest resets */
    bool perf_map;     /* write /tmp/perf-PID.map; needs the translator, as LOG_LOCKSTEP does */
    bool no_shutdown;  /* pause where the guest powers off */
    bool take_signals; /* SIGINT, SIGTERM, SIGHUP and SIGQUIT end this VM, as vm_quit() does; set it
                        * for one VM of a process, and create that VM before other threads */
};

/* Why vm_run() came back. */
enum vm_end {
    VM_END_SHUTDOWN,   /* guest powered off */
    VM_END_RESET,      /* guest asked for a reset and no_reboot is set */
    VM_END_QUIT,       /* vm_quit() */
    VM_END_DEBUG_EXIT, /* isa-debug-exit; see vm_exit_code() */
    VM_END_ERROR,      /* cannot go on; vm_error() says why */
};

/* Make a stopped VM with every device of the board realized and reset. 0, or -errno with a one-line
 * text in err. The VM is freed by vm_destroy(). */
int vm_create(struct vm **out, const struct vm_config *cfg, const struct board *board,
              char err[VM_ERR_LEN]);
void vm_destroy(struct vm *vm);

/* Run until the VM ends; the calling thread becomes the vCPU's. */
enum vm_end vm_run(struct vm *vm);
int vm_exit_code(const struct vm *vm);

/* Any thread; take effect at once (a vCPU leaves its loop at the next instruction or block). */
void vm_quit(struct vm *vm);
void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);
bool vm_is_paused(const struct vm *vm);

/* Called by devices and the monitor, machine lock held or not: carried out by the vCPU thread soon.
 */
void vm_request_reset(struct vm *vm);
void vm_request_shutdown(struct vm *vm);
void vm_request_debug_exit(struct vm *vm, int code);
/* The machine sleeps with its memory kept: no processor runs, but time goes on for devices, until a
 * reset; vm_wake() asks for one that is not the guest's own (-no-reboot does not end the VM).
 * Machine lock held. */
void vm_suspend(struct vm *vm);
void vm_wake(struct vm *vm);
bool vm_is_suspended(const struct vm *vm);
/* The machine cannot go on; vm_error() has the text. Ends vm_run() with VM_END_ERROR. */
void vm_request_error(struct vm *vm);

/* Record the text of an error that a callee returns as -errno; returns err for `return
 * vm_fail(...)`. */
int vm_fail(struct vm *vm, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
const char *vm_error(const struct vm *vm);

/* With ACCEL_BEST, one line that says why the guest is interpreted; NULL: it is not. */
const char *vm_no_translator(const struct vm *vm);

const struct vm_config *vm_config(const struct vm *vm);

/* The machine lock. Recursive use is a bug. */
void vm_lock(struct vm *vm);
void vm_unlock(struct vm *vm);

/* -- What chips tell the processor (machine lock held) ----------------------------------------- */

/* Level of the processor's INTR pin, driven by the local APIC (or, without one, the PIC). */
void vcpu_set_intr(struct vm *vm, unsigned cpu, bool level);
void vcpu_pulse_nmi(struct vm *vm, unsigned cpu);
void vcpu_set_a20(struct vm *vm, bool enabled);
/* IGNNE#: x87 instructions run in spite of a pending exception. */
void vcpu_set_ignne(struct vm *vm, unsigned cpu, bool asserted);
/* Where the processor's FERR# goes (true: asserted); it reports x87 exceptions while CR0.NE is
 * clear. */
void vcpu_connect_ferr(struct vm *vm, unsigned cpu, struct irq line);

/* INTA: the chip that drives INTR registers how a vector is fetched (-1: spurious, nothing
 * pending), and the local APIC how its MSR base and TPR (CR8) are reached. All are called on the
 * vCPU's thread with the machine lock held. */
struct vcpu_intc {
    int (*ack)(void *dev);
    uint64_t (*read_base)(void *dev);            /* IA32_APIC_BASE; no such MSR: NULL */
    bool (*write_base)(void *dev, uint64_t val); /* false: #GP */
    uint8_t (*read_tpr)(void *dev);              /* CR8: 0..15 */
    void (*write_tpr)(void *dev, uint8_t val);
    uint64_t (*read_deadline)(void *dev); /* as apic_deadline_*() of cpu/cpu.h; none: NULL */
    void (*write_deadline)(void *dev, uint64_t ticks);
    bool (*read_msr)(void *dev, uint32_t msr, uint64_t *val); /* x2APIC, 800h-8FFh; false: #GP */
    bool (*write_msr)(void *dev, uint32_t msr, uint64_t val);
};
void vcpu_attach_intc(struct vm *vm, unsigned cpu, const struct vcpu_intc *intc, void *dev);

/* The processor, for loaders that start a guest without firmware. Only while it does not run, or on
 * its own thread (devices' reset). */
struct cpu *vm_cpu(struct vm *vm, unsigned cpu);

/* Call fn while the processor stands still between two instructions, machine lock held, and wait
 * for that: on its own thread, or on the caller's while vm_run() is not in progress. Any other
 * thread, without the machine lock. */
typedef void (*vm_inspect_fn)(void *arg, struct vm *vm, struct cpu *c);
void vm_inspect(struct vm *vm, vm_inspect_fn fn, void *arg);

/* The processor's translator; NULL: it is interpreted. As vm_cpu(). */
struct jit;
struct jit *vm_jit(struct vm *vm, unsigned cpu);

/* Frequency of the guest's TSC and of the local APIC's bus clock, in Hz. */
uint64_t vcpu_tsc_hz(const struct vm *vm);

#endif
