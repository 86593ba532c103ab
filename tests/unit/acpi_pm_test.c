/* SPDX-License-Identifier: MIT */
/* Power management: where its ports are, timer, SCI, sleeping, SMI_CMD. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "devices/acpi_pm.h"
#include "devices/isa.h"
#include "devices/pci.h"
#include "devices/pic.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define PMBA 0x600

static struct vm *vm;

static void config_write(unsigned off, unsigned n, uint32_t val)
{
    vm_lock(vm);
    pci_config_write(vm, ACPI_PM_DEVFN, off, n, val);
    vm_unlock(vm);
}

static uint32_t config_read(unsigned off, unsigned n)
{
    uint32_t val;

    vm_lock(vm);
    val = pci_config_read(vm, ACPI_PM_DEVFN, off, n);
    vm_unlock(vm);
    return val;
}

static void setup(void)
{
    static const struct board_row rows[] = {{&pic_class, NULL},
                                            {&isa_class, NULL},
                                            {&pci_class, NULL},
                                            {&acpi_pm_class, NULL},
                                            {NULL, NULL}};
    static const struct board board = {"pm", rows};

    vm = fake_vm(&board);
    config_write(ACPI_PM_PMBA, 4, PMBA);
    config_write(ACPI_PM_PMREGMISC, 1, 1);
}

static void teardown(void)
{
    vm_destroy(vm);
}

static uint32_t in(uint16_t off, unsigned n)
{
    return bus_port_in(vm, PMBA + off, n);
}

static void out(uint16_t off, unsigned n, uint32_t val)
{
    bus_port_out(vm, PMBA + off, n, val);
}

static bool sci(void)
{
    bus_port_out(vm, 0x4d1, 1, 0x02);
    bus_port_out(vm, 0xa0, 1, 0x0a);
    return bus_port_in(vm, 0xa0, 1) & 0x02;
}

START_TEST(configuration)
{
    ck_assert_uint_eq(config_read(0, 4), 0x71138086);
    ck_assert_uint_eq(config_read(8, 4), 0x06800003);
    ck_assert_uint_eq(config_read(ACPI_PM_PMBA, 4), PMBA | 1);
    ck_assert_uint_eq(config_read(PCI_IRQ_PIN, 1), 1);
    ck_assert_uint_eq(in(ACPI_PM1_CNT, 2), 0);
    config_write(ACPI_PM_PMREGMISC, 1, 0);
    ck_assert_uint_eq(in(ACPI_PM1_CNT, 2), 0xffff);
    config_write(ACPI_PM_PMREGMISC, 1, 1);
    config_write(ACPI_PM_PMBA, 4, 0xffffffff);
    ck_assert_uint_eq(config_read(ACPI_PM_PMBA, 4), 0xffc1);
    ck_assert_uint_eq(in(ACPI_PM1_CNT, 2), 0xffff);
    ck_assert_uint_eq(bus_port_in(vm, 0xffc4, 2), 0);
    config_write(ACPI_PM_PMBA, 4, 0x80); /* over nobody's and DMA ports */
    config_write(ACPI_PM_PMBA, 4, 0x20 << 1);
}
END_TEST

START_TEST(timer_counts)
{
    uint64_t t0, t1, from;
    uint32_t a, b;

    clock_start(vm);
    t0 = clock_now(vm);
    a = in(ACPI_PM_TMR, 4);
    from = clock_now(vm);
    while (clock_now(vm) < from + 5000000)
        ;
    b = in(ACPI_PM_TMR, 4);
    t1 = clock_now(vm);
    ck_assert_uint_eq(b >> 24, 0);
    ck_assert_uint_ge((b - a) & 0xffffff, 17896);
    ck_assert_uint_le((b - a) & 0xffffff, (t1 - t0) * 3579545 / NS_PER_SEC + 1);
}
END_TEST

/* Let virtual time jump while the clock stands. */
static void jump(uint64_t ns)
{
    atomic_store(&vm->clock.stopped, atomic_load(&vm->clock.stopped) + ns);
}

START_TEST(timer_status)
{
    out(0, 2, 0xffff);
    jump(UINT64_C(2300) * 1000000);
    ck_assert_uint_eq(in(0, 2), 0);
    jump(UINT64_C(100) * 1000000); /* 2.343 s: the top bit changes */
    ck_assert_uint_eq(in(0, 2), 1);
    ck_assert_uint_ge(in(ACPI_PM_TMR, 4), 0x800000);
    bus_port_out(vm, ACPI_PM_SMI_CMD, 1, ACPI_PM_ENABLE);
    ck_assert(!sci());
    out(2, 2, 1);
    ck_assert(sci());
    out(0, 2, 1);
    ck_assert(!sci());
    ck_assert_uint_eq(in(0, 4), 0x10000);
    jump(UINT64_C(2400) * 1000000);
    atomic_store(&vm->clock.stopped, CLOCK_RUNNING);
    atomic_store(&vm->clock.base, host_now_ns() - UINT64_C(4800) * 1000000);
    vm_lock(vm);
    clock_fire(vm, 10);
    vm_unlock(vm);
    ck_assert(sci());
    ck_assert_uint_eq(in(0, 1), 1);
    out(0, 1, 1);
    ck_assert(!sci());
}
END_TEST

START_TEST(power_button)
{
    bus_port_out(vm, ACPI_PM_SMI_CMD, 1, ACPI_PM_ENABLE);
    ck_assert_uint_eq(in(ACPI_PM1_CNT, 2), 1);
    ck_assert_uint_eq(bus_port_in(vm, ACPI_PM_SMI_CMD, 1), ACPI_PM_ENABLE);
    out(3, 1, 0x01); /* the byte with PWRBTN_EN */
    vm_lock(vm);
    acpi_pm_power_button(vm);
    vm_unlock(vm);
    ck_assert_uint_eq(in(0, 2) & 0x100, 0x100);
    ck_assert(sci());
    bus_port_out(vm, ACPI_PM_SMI_CMD, 1, ACPI_PM_DISABLE);
    ck_assert(!sci());
    bus_port_out(vm, ACPI_PM_SMI_CMD, 1, ACPI_PM_ENABLE);
    out(1, 1, 0x01);
    ck_assert(!sci());
    ck_assert_uint_eq(in(2, 2), 0x100);
}
END_TEST

START_TEST(general_purpose_events)
{
    bus_port_out(vm, ACPI_PM_GPE + 2, 2, 0xffff);
    ck_assert_uint_eq(bus_port_in(vm, ACPI_PM_GPE, 4), 0xffff0000);
    ck_assert(!sci());
    bus_port_out(vm, ACPI_PM_GPE + 3, 1, 0);
    ck_assert_uint_eq(bus_port_in(vm, ACPI_PM_GPE + 2, 1), 0xff);
    ck_assert_uint_eq(bus_port_in(vm, ACPI_PM_GPE + 3, 1), 0);
}
END_TEST

static enum cpu_exit power_off(struct cpu *c)
{
    (void)c;
    out(ACPI_PM1_CNT, 2, 0x2001);
    return CPU_EXIT_ATTENTION;
}

START_TEST(soft_off)
{
    fake_guest = power_off;
    ck_assert_int_eq(vm_run(vm), VM_END_SHUTDOWN);
    ck_assert_uint_eq(in(ACPI_PM1_CNT, 2), 1); /* SLP_EN reads as 0 */
}
END_TEST

#define SLEEP_S3 0x2400
#define STS_WAK  0x8000
#define STS_RTC  0x0400

static bool wakes(void)
{
    return atomic_load(&vm->cpu[0]->requests) & REQ_WAKE;
}

static void alarm_rings(void)
{
    vm_lock(vm);
    acpi_pm_rtc_alarm(vm);
    vm_unlock(vm);
}

static bool has_woken(void)
{
    bool woken;

    vm_lock(vm);
    woken = acpi_pm_has_woken(vm);
    vm_unlock(vm);
    return woken;
}

static void reset_machine(void)
{
    vm_lock(vm);
    vm_reset_locked(vm);
    vm_unlock(vm);
    config_write(ACPI_PM_PMBA, 4, PMBA);
    config_write(ACPI_PM_PMREGMISC, 1, 1);
}

/* The alarm wakes it where the guest wants that, even if it rings before. */
START_TEST(alarm_wakes)
{
    alarm_rings();
    ck_assert_uint_eq(in(0, 2), STS_RTC);
    out(ACPI_PM1_CNT, 2, SLEEP_S3);
    ck_assert(vm_is_suspended(vm));
    alarm_rings();
    ck_assert(!wakes());
    reset_machine(); /* by the user: the end of everything */
    ck_assert(!vm_is_suspended(vm));
    ck_assert(!has_woken());
    ck_assert_uint_eq(in(0, 4), 0);

    out(2, 2, STS_RTC);
    if (_i == 0)
        alarm_rings();
    out(ACPI_PM1_CNT, 2, SLEEP_S3);
    if (_i == 1)
        alarm_rings();
    ck_assert(wakes());
    ck_assert(!has_woken());
    reset_machine();
    ck_assert(!vm_is_suspended(vm));
    ck_assert(has_woken());
    ck_assert_uint_eq(in(0, 4), STS_WAK | STS_RTC | STS_RTC << 16);
    ck_assert_uint_eq(in(ACPI_PM1_CNT, 2), 0);
    reset_machine();
    ck_assert(!has_woken());
}
END_TEST

static unsigned starts;

static enum cpu_exit sleep_then_power_off(struct cpu *c)
{
    (void)c;
    starts++;
    config_write(ACPI_PM_PMBA, 4, PMBA);
    config_write(ACPI_PM_PMREGMISC, 1, 1);
    out(ACPI_PM1_CNT, 2, has_woken() ? 0x2000 : SLEEP_S3);
    return CPU_EXIT_ATTENTION;
}

static void *press_power_button(void *arg)
{
    while (!vm_is_suspended(vm))
        sched_yield();
    vm_lock(vm);
    acpi_pm_power_button(vm);
    vm_unlock(vm);
    return arg;
}

/* Nothing runs before it wakes; and that is no reset of the guest's, which would end this VM. */
START_TEST(sleeps_until_the_power_button)
{
    pthread_t thread;

    vm->cfg.no_reboot = true;
    starts = 0;
    fake_guest = sleep_then_power_off;
    ck_assert_int_eq(pthread_create(&thread, NULL, press_power_button, NULL), 0);
    ck_assert_int_eq(vm_run(vm), VM_END_SHUTDOWN);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(starts, 2);
}
END_TEST

START_TEST(any_traffic_is_harmless)
{
    srand(1);
    for (unsigned k = 0; k < 100000; k++) {
        uint16_t off = (uint16_t)(rand() % 64);
        unsigned n = 1u << rand() % 3;

        switch (rand() % 5) {
        case 0: in(off, n); break;
        case 1: out(off, n, (uint32_t)rand() << 1); break;
        case 2: bus_port_out(vm, (uint16_t)(ACPI_PM_GPE + rand() % 4), n, (uint32_t)rand()); break;
        case 3: bus_port_out(vm, (uint16_t)(ACPI_PM_SMI_CMD + rand() % 2), n, 0xf0 | rand()); break;
        default: jump((uint64_t)rand()); break;
        }
        if (k % 1000 == 0) {
            config_write(ACPI_PM_PMBA, 2, (uint32_t)rand());
            config_write(ACPI_PM_PMBA, 2, PMBA);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("acpi_pm");
    TCase *t = tcase_create("acpi_pm");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, configuration);
    tcase_add_test(t, timer_counts);
    tcase_add_test(t, timer_status);
    tcase_add_test(t, power_button);
    tcase_add_test(t, general_purpose_events);
    tcase_add_test(t, soft_off);
    tcase_add_loop_test(t, alarm_wakes, 0, 2);
    tcase_add_test(t, sleeps_until_the_power_button);
    tcase_add_test(t, any_traffic_is_harmless);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
