/* SPDX-License-Identifier: MIT */
/* struct vm and what vmm/'s own files share. Devices and frontends see vmm/vm.h only.
 *
 * Locking: everything hangs off struct vm and is guarded by the machine lock, but where a note says
 * otherwise. The region table is read without the lock by the vCPU's thread; therefore it is
 * changed by that thread only, or while no vCPU runs. */
#ifndef VMM_INTERNAL_H
#define VMM_INTERNAL_H

#include <pthread.h>
#include <stdarg.h>

#include "cpu/cpu.h"
#include "jit/jit.h"
#include "vmm/display.h"
#include "vmm/drive.h"
#include "vmm/host.h"
#include "vmm/input.h"
#include "vmm/vm.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define VM_MAX_CPUS     1
#define BUS_MAX_CLAIMS  256
#define BUS_PORTS       65536
#define MEM_MAX_REGIONS 256
#define MEM_MAX_SPANS   (2 * MEM_MAX_REGIONS)
#define CHARDEV_MAX     16

/* Ticket lock: whoever asks first is served first, so that a vCPU which traps in a tight loop
 * cannot keep the I/O thread out. */
struct fair_lock {
    atomic_uint next;
    atomic_uint serving;
};

void fair_lock(struct fair_lock *l);
void fair_unlock(struct fair_lock *l);
/* Looks as often as fair_lock(), but does not wait then. */
bool fair_trylock(struct fair_lock *l);

/* -- Buses and memory -------------------------------------------------------------------------- */

struct port_claim {
    const char *name;
    uint32_t first, count; /* count 0: slot is free */
    const struct io_ops *ops;
    void *dev;
};

struct bus {
    struct port_claim claims[BUS_MAX_CLAIMS];
    uint16_t owner[BUS_PORTS]; /* index in claims + 1; 0: nobody */
};

/* A piece of the guest-physical address space with one visible region. */
struct span {
    uint64_t first, last; /* last is inclusive */
    struct region *r;
};

struct mem {
    int fd;
    uint8_t *host; /* the memory object, mapped */
    unsigned
        spread;    /* page n of the object is at n << (12 + spread): with a translator 1, else 0 */
    uint64_t size; /* of the object */
    uint64_t used; /* guest RAM and what mem_alloc() gave out */
    uint64_t below, above;
    struct region ram_low, ram_high;
    struct region *regions; /* the one mapped last is first */
    unsigned nregions;
    struct span span[MEM_MAX_SPANS]; /* sorted, disjoint */
    unsigned nspans;
    struct mem_watch *watches;
    atomic_uint hint; /* index of the span that was last found */
};

/* Dispatch one access that lies within one claim or region; n is 1, 2, 4 or 8. */
uint64_t io_read(const struct io_ops *ops, void *dev, uint64_t off, unsigned n);
void io_write(const struct io_ops *ops, void *dev, uint64_t off, unsigned n, uint64_t val);

int mem_init(struct vm *vm, uint64_t ram_bytes);
void mem_free(struct vm *vm);

/* The span that holds pa, or NULL. */
const struct span *mem_span(struct mem *m, uint64_t pa);

/* Host address of pa where n bytes there are RAM (or ROM, for reads); NULL otherwise. They lie in
 * one page. */
uint8_t *mem_host(struct mem *m, uint64_t pa, uint64_t n, bool write);

/* Close the open pages of the watches that asked for it: vCPU's thread or nothing running, machine
 * lock held. */
void mem_close_pages(struct vm *vm, struct cpu *c);

/* One MMIO or otherwise slow access, machine lock held. */
uint64_t mem_io_read(struct vm *vm, uint64_t pa, unsigned n);
void mem_io_write(struct vm *vm, uint64_t pa, unsigned n, uint64_t val);

/* -- Time and the I/O thread ------------------------------------------------------------------- */

#define CLOCK_RUNNING UINT64_MAX

struct clock {
    _Atomic uint64_t base;    /* host time at virtual time 0; any thread */
    _Atomic uint64_t stopped; /* virtual time while paused, or CLOCK_RUNNING; any thread */
    struct timer **heap;      /* binary heap: the earliest is first */
    uint32_t count, cap;
};

int clock_init(struct vm *vm);
void clock_free(struct vm *vm);
void clock_stop(struct vm *vm);
void clock_start(struct vm *vm);
bool clock_is_stopped(const struct vm *vm);

/* Fire what is due now, at most `max` timers. True where more was due. */
bool clock_fire(struct vm *vm, unsigned max);

/* Nanoseconds until the next timer; 0: due; UINT64_MAX: none, or the clock stands still. */
uint64_t clock_wait_ns(struct vm *vm);

struct io_thread {
    int wake_fd;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    uint64_t sleep_until; /* virtual time at which it wakes by itself; 0 while it is awake */
};

int io_init(struct vm *vm);
void io_free(struct vm *vm);
int io_start(struct vm *vm);
void io_stop(struct vm *vm); /* without the machine lock */
void io_kick(struct vm *vm); /* wake it up; any thread */

/* -- Chardevs ---------------------------------------------------------------------------------- */

/* Add the descriptors that are waited for; returns how many. */
unsigned chardev_poll_add(struct vm *vm, struct pollfd *fds, unsigned n);
/* Serve those that are ready. */
void chardev_poll_done(struct vm *vm, const struct pollfd *fds);
/* Hand queued input to devices that can take it. */
void chardev_pump(struct vm *vm);
/* The program runs again after it was stopped. */
void chardev_continued(struct vm *vm);
void chardev_close_all(struct vm *vm);

struct chardev_socket {
    bool server;
    char *path; /* of a listening UNIX socket, removed at the end; else NULL */
};

/* "unix:..." or "tcp:...": a descriptor that does not block, connected or listening; -errno. */
int chardev_socket_open(const char *spec, struct chardev_socket *s);
int chardev_socket_accept(int fd);
void chardev_socket_close(struct chardev_socket *s);

/* -- Drives ------------------------------------------------------------------------------------ */

/* Those of the configuration, in its order; on failure some are left. 0 or -errno. */
int drives_create(struct vm *vm);
void drives_destroy(struct vm *vm);
/* Hand the results that are there to the devices. */
void drives_complete(struct vm *vm);
/* Until no drive has anything that it can do; the devices have all results. */
void drives_drain(struct vm *vm);
/* Makes the requests again that could not be carried out (DRIVE_STOP). */
void drives_retry(struct vm *vm);
/* What was written is on the host's disk: 0, or the first error, with a text. */
int drives_flush(struct vm *vm);

/* -- Networks ---------------------------------------------------------------------------------- */

/* As with drives. */
int netdevs_create(struct vm *vm);
void netdevs_destroy(struct vm *vm);
/* Hand frames to the cards. True where more wait. */
bool netdevs_pump(struct vm *vm);
/* As with chardevs; *wait_ns becomes shorter where a network needs that. */
unsigned netdevs_poll_add(struct vm *vm, struct pollfd *fds, unsigned max, uint64_t *wait_ns);
void netdevs_poll_done(struct vm *vm, const struct pollfd *fds);

/* -- vCPU -------------------------------------------------------------------------------------- */

/* What a vCPU is asked to do, as a set. */
enum vcpu_request {
    REQ_CATCH_UP = 1 << 0, /* posted memory changes */
    REQ_RESET = 1 << 1,
    REQ_SHUTDOWN = 1 << 2,
    REQ_DEBUG_EXIT = 1 << 3,
    REQ_QUIT = 1 << 4,
    REQ_ERROR = 1 << 6, /* vm_error() has the text */
    REQ_LOOK = 1 << 5,  /* vm->paused or vm->suspended changed, or there is work */
    REQ_WAKE = 1 << 7,  /* a reset, where the machine is suspended */
};

#define VCPU_POSTS 128

/* What another thread wants to look at (vm_inspect()). */
struct vcpu_work {
    vm_inspect_fn fn;
    void *arg;
    atomic_uint done; /* futex */
    struct vcpu_work *next;
};

struct code_range {
    uint64_t pa, n;
};

struct vcpu {
    struct cpu cpu; /* first: the calls that cpu/ makes get back to the vcpu by a cast */
    struct vm *vm;
    unsigned index;
    pthread_t thread;
    atomic_bool on;       /* vm_run() is in progress and `thread` is valid */
    atomic_uint asleep;   /* 1 while it waits for something to do; futex */
    atomic_uint requests; /* set of enum vcpu_request; any thread */
    /* Changes made by other threads, which it carries out itself. */
    struct code_range posts[VCPU_POSTS];
    unsigned nposts;
    struct vcpu_work *work; /* machine lock */
    bool flush_posted, close_posted, a20_posted, a20;
    bool holds_lock; /* the machine lock: memory_freeze() */
    bool ignne;      /* pin; machine lock */
    struct irq ferr; /* where that pin goes */
    struct jit *jit; /* NULL: the interpreter runs alone */
    const struct vcpu_intc *intc;
    void *intc_dev;
    uint64_t random[32];
    unsigned random_left;
};

int vcpu_create(struct vm *vm, unsigned index, char *err);
void vcpu_destroy(struct vcpu *v);
void vcpu_reset(struct vcpu *v);

/* Post requests and wake it; any thread. */
void vcpu_request(struct vcpu *v, unsigned requests);

/* Do what vm_inspect() asked for; vCPU's thread, machine lock held. */
void vcpu_work(struct vcpu *v);

/* The vCPU loop: returns why the VM ended. */
enum vm_end vcpu_loop(struct vcpu *v);

/* Guest-physical memory was written by a device, or changed its layout. */
void vcpus_code_written(struct vm *vm, uint64_t pa, uint64_t n);
void vcpus_flush_tlb(struct vm *vm);
/* mem_close_pages() is needed. */
void vcpus_close_pages(struct vm *vm);

/* -- Devices ----------------------------------------------------------------------------------- */

/* All devices of the board in order; on failure some are left in the list. 0 or -errno. */
int devices_create(struct vm *vm, const struct board *board);
void devices_reset(struct vm *vm);
void devices_destroy(struct vm *vm);

/* -- Log --------------------------------------------------------------------------------------- */

#define LOG_RATE_ITEMS 32

struct log {
    unsigned items;
    FILE *out;
    pthread_mutex_t lock;
    struct {
        uint64_t second;
        unsigned lines;
    } rate[LOG_RATE_ITEMS]; /* by bit number */
};

/* vm_log() for those who have a va_list. */
void log_line(struct vm *vm, unsigned item, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

void log_init(struct vm *vm);
void log_free(struct vm *vm);

/* -- The machine ------------------------------------------------------------------------------- */

struct input_state {
    const struct input_ops *ops; /* NULL: no chip wants it */
    void *dev;
    bool down[INPUT_KEY_COUNT]; /* keys, by what frontends said last */
    unsigned buttons;
};

struct vm {
    struct vm_config cfg;
    struct fair_lock lock;
    struct clock clock;
    struct io_thread io;
    struct mem mem;
    struct bus bus;
    struct log log;
    struct vcpu *cpu[VM_MAX_CPUS];
    struct device *devs, **devs_end; /* board order */
    struct chardev *chardevs;
    struct display *display; /* NULL: no adapter */
    struct input_state input;
    struct drive *drives; /* in the order of the configuration */
    struct netdev *netdevs;
    bool stdio_taken;
    struct host_signals *signals; /* NULL: not taken over */
    atomic_bool paused;
    atomic_bool suspended;
    atomic_bool stalled; /* a drive has paused the machine */
    atomic_int exit_code;
    char no_translator[VM_ERR_LEN]; /* why there is none; empty: there is, or none was asked for */
    char err[VM_ERR_LEN];
};

/* Carry out a reset; vCPU's thread or nothing running, machine lock held. */
void vm_reset_locked(struct vm *vm);

#endif
