/* SPDX-License-Identifier: MIT */
/* Life of a VM: run, halt and wake, requests, pause, resets, two VMs in one process. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

/* A chip with a periodic timer on INTR, acknowledged by the fake guest. */
struct ticker {
    struct device dev;
    struct timer tick;
    unsigned fired, resets;
    bool gone;
};

static const struct field ticker_fields[] = {
    FIELDS_DEVICE(struct ticker), FIELD_TIMER(struct ticker, tick), FIELD(struct ticker, fired),
    FIELD(struct ticker, resets), FIELD(struct ticker, gone),       FIELDS_END,
};

static void tick(void *opaque)
{
    struct ticker *t = opaque;

    t->fired++;
    vcpu_set_intr(t->dev.vm, 0, true);
    timer_arm(t->dev.vm, &t->tick, clock_now(t->dev.vm) + 1000000);
}

static int ack(void *dev)
{
    vcpu_set_intr(((struct ticker *)dev)->dev.vm, 0, false);
    return 0x20;
}

static const struct vcpu_intc ticker_intc = {.ack = ack};

static uint64_t ticker_read(void *dev, uint32_t off, unsigned n)
{
    (void)off, (void)n;
    return ((struct ticker *)dev)->fired;
}

static void ticker_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct ticker *t = dev;

    (void)n;
    if (off == 0)
        vm_request_reset(t->dev.vm);
    else if (off == 1)
        vm_request_shutdown(t->dev.vm);
    else
        vm_request_debug_exit(t->dev.vm, (int)val);
}

static const struct io_ops ticker_ops = {ticker_read, ticker_write, IO_8};

static int ticker_realize(struct device *d)
{
    struct ticker *t = (struct ticker *)d;

    timer_init(&t->tick, tick, t);
    vcpu_attach_intc(d->vm, 0, &ticker_intc, t);
    return bus_claim_ports(d->vm, "ticker", 0x10, 3, &ticker_ops, t);
}

static void ticker_reset(struct device *d)
{
    struct ticker *t = (struct ticker *)d;

    t->resets++;
    timer_arm(d->vm, &t->tick, clock_now(d->vm) + 1000000);
}

static unsigned unrealized;

static void ticker_unrealize(struct device *d)
{
    (void)d;
    unrealized++;
}

static const struct device_class ticker_class = {
    .name = "ticker",
    .size = sizeof(struct ticker),
    .fields = ticker_fields,
    .realize = ticker_realize,
    .reset = ticker_reset,
    .unrealize = ticker_unrealize,
};

static const struct board_row rows[] = {{&ticker_class, NULL}, {0}};
static const struct board board = {"test", rows};

static unsigned interrupts, stop_after;
static uint16_t stop_port;

/* Halts until an interrupt comes, `stop_after` times; then writes 0x63 to a port. */
static enum cpu_exit halting_guest(struct cpu *c)
{
    if (!cpu_has_work(c))
        return CPU_EXIT_HALT;
    ck_assert_int_eq(intr_ack(c), 0x20);
    if (++interrupts == stop_after)
        port_out(c, stop_port, 1, 0x63);
    return CPU_EXIT_ATTENTION;
}

static enum cpu_exit busy_guest(struct cpu *c)
{
    if (cpu_has_work(c))
        intr_ack(c);
    for (unsigned i = 0; i < 100; i++)
        port_in(c, 0x10, 1);
    return CPU_EXIT_ATTENTION;
}

/* While memory is frozen no device runs, until the processor itself asks something of one. */
static enum cpu_exit freezing_guest(struct cpu *c)
{
    struct vcpu *v = (struct vcpu *)(void *)c;
    struct timespec while_timers_fire = {.tv_nsec = 20000000};
    const struct ticker *t = v->intc_dev;
    unsigned fired;

    memory_freeze(c, true);
    memory_freeze(c, true);
    fired = t->fired;
    nanosleep(&while_timers_fire, NULL);
    ck_assert_uint_eq(t->fired, fired);
    if (interrupts % 2 == 0)
        memory_freeze(c, false);
    else
        ck_assert_uint_le(port_in(c, 0x10, 1), fired + 1);
    nanosleep(&while_timers_fire, NULL);
    ck_assert_uint_gt(port_in(c, 0x10, 1), fired);
    if (++interrupts == 4)
        port_out(c, 0x12, 1, 0x63);
    return CPU_EXIT_ATTENTION;
}

static enum cpu_exit faulting_guest(struct cpu *c)
{
    (void)c;
    if (++interrupts == stop_after)
        port_out(c, stop_port, 1, 0x63);
    return CPU_EXIT_SHUTDOWN;
}

static enum vm_end run_with(struct vm_config cfg, struct vm **vm)
{
    interrupts = 0;
    *vm = fake_vm_with(&cfg, &board);
    return vm_run(*vm);
}

START_TEST(halt_and_wake)
{
    struct rusage ru;
    struct vm *vm;

    fake_guest = halting_guest;
    stop_after = 300;
    stop_port = 0x12;
    ck_assert_int_eq(run_with((struct vm_config){0}, &vm), VM_END_DEBUG_EXIT);
    ck_assert_int_eq(vm_exit_code(vm), 0x63);
    ck_assert_uint_ge(clock_now(vm), 300 * 1000000);
    vm_destroy(vm);
    ck_assert_uint_eq(unrealized, 1);
    getrusage(RUSAGE_SELF, &ru);
    ck_assert_int_lt(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec, 200000);
}
END_TEST

START_TEST(shutdown_ends)
{
    struct vm *vm;

    fake_guest = halting_guest;
    stop_after = 3;
    stop_port = 0x11;
    ck_assert_int_eq(run_with((struct vm_config){0}, &vm), VM_END_SHUTDOWN);
    vm_destroy(vm);
}
END_TEST

START_TEST(reset_goes_on)
{
    struct vm *vm;
    struct ticker *t;

    fake_guest = halting_guest;
    stop_after = 3;
    stop_port = 0x10;
    ck_assert_int_eq(run_with((struct vm_config){.no_reboot = true}, &vm), VM_END_RESET);
    vm_destroy(vm);

    fake_guest = faulting_guest;
    stop_after = 5;
    stop_port = 0x11;
    ck_assert_int_eq(run_with((struct vm_config){0}, &vm), VM_END_SHUTDOWN);
    t = (struct ticker *)device_find(vm, &ticker_class, 0);
    ck_assert_uint_eq(t->resets, 5); /* one at creation, four triple faults */
    vm_destroy(vm);
}
END_TEST

static void *quit_soon(void *arg)
{
    usleep(100000);
    vm_quit(arg);
    return NULL;
}

/* A vCPU that traps all the time must neither starve timers nor be deaf to requests. */
START_TEST(busy_guest_is_fair)
{
    struct vm *vm = fake_vm(&board);
    struct ticker *t = (struct ticker *)device_find(vm, &ticker_class, 0);
    pthread_t other;

    fake_guest = busy_guest;
    pthread_create(&other, NULL, quit_soon, vm);
    ck_assert_int_eq(vm_run(vm), VM_END_QUIT);
    pthread_join(other, NULL);
    ck_assert_uint_ge(t->fired, 10); /* of nearly 100; a starved timer fires once or twice */
    vm_destroy(vm);
}
END_TEST

START_TEST(frozen_memory)
{
    struct vm *vm;

    fake_guest = freezing_guest;
    ck_assert_int_eq(run_with((struct vm_config){0}, &vm), VM_END_DEBUG_EXIT);
    vm_destroy(vm);
}
END_TEST

static void *pause_and_resume(void *arg)
{
    struct vm *vm = arg;
    uint64_t now;

    usleep(50000);
    vm_pause(vm);
    usleep(50000);
    now = clock_now(vm);
    usleep(50000);
    ck_assert_uint_eq(clock_now(vm), now);
    vm_request_reset(vm); /* is carried out, but the VM stays paused */
    usleep(50000);
    ck_assert_uint_eq(clock_now(vm), now);
    vm_lock(vm);
    ck_assert_uint_eq(((struct ticker *)device_find(vm, &ticker_class, 0))->resets, 2);
    vm_unlock(vm);
    vm_resume(vm);
    usleep(50000);
    ck_assert_uint_gt(clock_now(vm), now);
    vm_quit(vm);
    return NULL;
}

START_TEST(pause_stops_time)
{
    struct vm *vm = fake_vm(&board);
    pthread_t other;

    fake_guest = busy_guest;
    pthread_create(&other, NULL, pause_and_resume, vm);
    ck_assert_int_eq(vm_run(vm), VM_END_QUIT);
    pthread_join(other, NULL);
    vm_destroy(vm);
}
END_TEST

START_TEST(no_shutdown_pauses)
{
    struct vm_config cfg = {.no_shutdown = true};
    struct vm *vm = fake_vm_with(&cfg, &board);
    pthread_t other;

    fake_guest = halting_guest;
    interrupts = 0;
    stop_after = 3;
    stop_port = 0x11;
    pthread_create(&other, NULL, quit_soon, vm);
    ck_assert_int_eq(vm_run(vm), VM_END_QUIT);
    pthread_join(other, NULL);
    ck_assert_uint_eq(interrupts, 3);
    vm_destroy(vm);
}
END_TEST

static void *write_memory(void *arg)
{
    struct vm *vm = arg;

    usleep(20000);
    for (unsigned i = 0; i < 1000; i++) {
        vm_lock(vm);
        dma_write(vm, 0x1000 + 0x1000 * (i % 100), "x", 1);
        vm_unlock(vm);
    }
    vm_lock(vm);
    vcpu_set_a20(vm, false);
    vm_unlock(vm);
    usleep(20000);
    ck_assert(!atomic_load(&fake_cpu.a20));
    vm_quit(vm);
    return NULL;
}

/* DMA on another thread: the vCPU hears of it on its own. */
START_TEST(posted_changes)
{
    struct vm *vm = fake_vm(&board);
    unsigned before = fake_cpu.code_writes;
    pthread_t other;

    fake_guest = busy_guest;
    pthread_create(&other, NULL, write_memory, vm);
    ck_assert_int_eq(vm_run(vm), VM_END_QUIT);
    pthread_join(other, NULL);
    ck_assert_uint_gt(fake_cpu.code_writes, before);
    ck_assert_uint_eq(vm->cpu[0]->nposts, 0);
    vm_destroy(vm);
}
END_TEST

static void *signal_soon(void *arg)
{
    (void)arg;
    usleep(50000);
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    return NULL;
}

START_TEST(signals_end_it)
{
    struct vm_config cfg = {.take_signals = true};
    struct vm *vm = fake_vm_with(&cfg, &board);
    pthread_t other;

    fake_guest = NULL;
    pthread_create(&other, NULL, signal_soon, NULL);
    ck_assert_int_eq(vm_run(vm), VM_END_QUIT);
    pthread_join(other, NULL);
    vm_destroy(vm);
}
END_TEST

START_TEST(two_at_once)
{
    struct vm *a = fake_vm(&board), *b = fake_vm(&board);
    pthread_t qa, qb;

    fake_guest = busy_guest;
    pthread_create(&qa, NULL, quit_soon, a);
    pthread_create(&qb, NULL, quit_soon, b);
    ck_assert_int_eq(vm_run(a), VM_END_QUIT);
    ck_assert_int_eq(vm_run(b), VM_END_QUIT);
    pthread_join(qa, NULL);
    pthread_join(qb, NULL);
    vm_destroy(b);
    vm_destroy(a);
}
END_TEST

static int fails(struct device *d)
{
    (void)d;
    return -ENODEV;
}

START_TEST(realize_fails)
{
    static const struct device_class bad = {
        .name = "bad", .size = sizeof(struct device), .realize = fails};
    static const struct board_row bad_rows[] = {{&ticker_class, NULL}, {&bad, NULL}, {0}};
    static const struct board bad_board = {"bad", bad_rows};
    static const struct board_row twice_rows[] = {
        {&ticker_class, NULL}, {&ticker_class, NULL}, {0}};
    static const struct board twice_board = {"twice", twice_rows};
    struct vm_config cfg = {.ram_bytes = VM_MIN_RAM, .cpus = 1};
    char err[VM_ERR_LEN];
    struct vm *vm;

    ck_assert_int_lt(vm_create(&vm, &cfg, &bad_board, err), 0);
    ck_assert_ptr_nonnull(strstr(err, "bad"));
    ck_assert_uint_eq(unrealized, 1);
    ck_assert_int_lt(vm_create(&vm, &cfg, &twice_board, err), 0);
    ck_assert_ptr_nonnull(strstr(err, "ticker"));
    cfg.cpus = 2;
    ck_assert_int_lt(vm_create(&vm, &cfg, &board, err), 0);
}
END_TEST

START_TEST(log_items)
{
    const char *bad = "";
    unsigned mask;

    ck_assert_int_eq(log_parse_items("int,guest_errors", &mask, &bad), 0);
    ck_assert_uint_eq(mask, LOG_INT | LOG_GUEST_ERROR);
    ck_assert_int_eq(log_parse_items("", &mask, &bad), 0);
    ck_assert_uint_eq(mask, 0);
    ck_assert_int_eq(log_parse_items("int,nonsense", &mask, &bad), -EINVAL);
    ck_assert_str_eq(bad, "nonsense");
    ck_assert_int_eq(log_parse_items("in", &mask, &bad), -EINVAL);
}
END_TEST

START_TEST(log_is_limited)
{
    struct vm_config cfg = {.log_items = LOG_GUEST_ERROR | LOG_INT};
    unsigned lines = 0;
    struct vm *vm;
    int ch;

    cfg.log = tmpfile();
    vm = fake_vm_with(&cfg, NULL);
    for (unsigned i = 0; i < 5000; i++)
        vm_log(vm, LOG_GUEST_ERROR, "bad register %u", i);
    for (unsigned i = 0; i < 500; i++)
        vm_log(vm, LOG_INT, "interrupt %u\n", i);
    vm_log(vm, LOG_IO, "not asked for");
    vm_destroy(vm);
    rewind(cfg.log);
    while ((ch = fgetc(cfg.log)) != EOF)
        lines += ch == '\n';
    ck_assert_uint_ge(lines, 600);
    ck_assert_uint_le(lines, 600 + 400); /* the second may change underneath */
    fclose(cfg.log);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vm");
    TCase *t = tcase_create("vm");
    SRunner *r;
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_test(t, halt_and_wake);
    tcase_add_test(t, shutdown_ends);
    tcase_add_test(t, reset_goes_on);
    tcase_add_test(t, busy_guest_is_fair);
    tcase_add_test(t, frozen_memory);
    tcase_add_test(t, pause_stops_time);
    tcase_add_test(t, no_shutdown_pauses);
    tcase_add_test(t, posted_changes);
    tcase_add_test(t, signals_end_it);
    tcase_add_test(t, two_at_once);
    tcase_add_test(t, realize_fails);
    tcase_add_test(t, log_items);
    tcase_add_test(t, log_is_limited);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
