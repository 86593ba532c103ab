/* SPDX-License-Identifier: MIT */
/* No interrupt that another thread raises is lost or late, whatever translated code is doing: the
 * guest's idle loop sleeps only when it has seen the last one. Between, it goes through what
 * interrupts must not get in between of, or must end: STI and HLT, windows without interrupts,
 * loads of SS, linked loops, repeated instructions, POPF. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/regs.h"
#include "jit/config.h"
#include "jit/jit.h"
#include "jit/view.h" /* which says that this is for one host only */
#include "tests/unit/fake_machine.h"
#include "tests/unit/sanitized.h"

enum { GDT = 0x1000, IDT = 0x2000, CODE = 0x4000, HANDLER = 0x4800, COUNTED = 0x5000 };
enum { SEEN = COUNTED + 4, STACK = 0x8000, VECTOR = 0x40 };

#define INTERRUPTS 4000

static const uint8_t program[] = {
    0xb9, 0xc8, 0,    0,    0,       /* loop: mov ecx, 200 */
    0x49, 0x75, 0xfd,                /* dec ecx; jnz back */
    0xbf, 0,    0x60, 0,    0,       /* mov edi, 6000h */
    0xb9, 0x40, 0,    0,    0,       /* mov ecx, 64 */
    0xf3, 0xab,                      /* rep stosd */
    0x9c, 0xfa, 0x9d,                /* pushfd; cli; popfd */
    0x8c, 0xd0, 0x8e, 0xd0, 0x90,    /* mov eax, ss; mov ss, eax; nop */
    0xfa,                            /* cli */
    0xa1, 0,    0x50, 0,    0,       /* mov eax, [COUNTED] */
    0x3b, 0x05, 4,    0x50, 0,    0, /* cmp eax, [SEEN] */
    0x75, 0x04,                      /* jnz new */
    0xfb, 0xf4,                      /* sti; hlt */
    0xeb, 0xd2,                      /* jmp loop */
    0xa3, 4,    0x50, 0,    0,       /* new: mov [SEEN], eax */
    0xfb,                            /* sti */
    0xeb, 0xca,                      /* jmp loop */
};

static const uint8_t handler[] = {0xff, 0x05, 0, 0x50, 0, 0, 0xcf}; /* inc [COUNTED]; iretd */

static struct fake_machine *m;
static struct jit *j;
static uint32_t lost; /* not 0: this interrupt was waited for in vain */

static uint8_t *ram(uint32_t at)
{
    return m->spread + (at >> 12) * JIT_RAM_STRIDE + (at & 0xfff);
}

static void setup(void)
{
    static const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
    const uint64_t gate = HANDLER | 8 << 16 | UINT64_C(0x8e00) << 32;
    struct jit_ram host;
    char err[256] = "";

    m = fake_machine_create(NULL);
    fake_machine_spread(m);
    fake_machine_enter32(m, CODE, STACK);
    memcpy(ram(CODE), program, sizeof(program));
    memcpy(ram(HANDLER), handler, sizeof(handler));
    memcpy(ram(GDT), gdt, sizeof(gdt));
    memcpy(ram(IDT + 8 * VECTOR), &gate, 8);
    m->cpu.gdt = (struct dtable){GDT, sizeof(gdt) - 1};
    m->cpu.idt = (struct dtable){IDT, 8 * VECTOR + 7};
    m->cpu.seg[SEG_CS].sel = 8;
    m->cpu.seg[SEG_SS].sel = 16;
    host = (struct jit_ram){.fd = m->ram_fd, .host = m->spread, .pages = FAKE_RAM_BYTES >> 12};
    ck_assert_msg(jit_create(&j, &m->cpu, &host, &(struct jit_config){0}, err) == 0, "%s", err);
    ck_assert_int_eq(jit_thread_enter(j), 0);
}

static void teardown(void)
{
    jit_thread_leave(j);
    jit_free(j);
    fake_machine_free(m);
}

static uint32_t seen(void)
{
    return __atomic_load_n((const uint32_t *)(const void *)ram(SEEN), __ATOMIC_ACQUIRE);
}

/* From any place of the guest's program to any other is less than this. */
static void pause_for(unsigned *random)
{
    *random = *random * 1103515245 + 12345;
    for (volatile unsigned n = *random >> 16 & 0xfff; n > 0; n--)
        continue;
    if ((*random >> 28) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

/* An interrupt, and when it has been seen, the next. */
static void *raise_interrupts(void *arg)
{
    unsigned random = 1;

    (void)arg;
    for (uint32_t n = 1; n <= INTERRUPTS && lost == 0; n++) {
        time_t start = time(NULL);
        pause_for(&random);
        m->pending_vector = VECTOR;
        cpu_attend(&m->cpu, ATT_INTR, 0);
        while (seen() != n && lost == 0) {
            sched_yield();
            if (time(NULL) - start > 60)
                lost = n;
        }
    }
    cpu_attend(&m->cpu, ATT_EXIT, 0);
    return NULL;
}

START_TEST(none_is_lost)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, raise_interrupts, NULL), 0);
    while (cpu_run(&m->cpu) == CPU_EXIT_HALT)
        while (atomic_load(&m->cpu.attention) == 0)
            sched_yield();
    pthread_join(thread, NULL);
    ck_assert_msg(lost == 0, "interrupt %u was not seen; halted %d, at %llx", lost, m->cpu.halted,
                  (unsigned long long)m->cpu.r[RIP]);
    ck_assert_uint_eq(seen(), INTERRUPTS);
    ck_assert_uint_gt(jit_stats(j).links, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jit_wake");
    TCase *tc = tcase_create("jit_wake");
    SRunner *runner = srunner_create(suite);
    int failed;

    __builtin_cpu_init();
    if (!SANITIZED && __builtin_cpu_supports("bmi2")) {
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, none_is_lost);
    }
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
