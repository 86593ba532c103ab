/* SPDX-License-Identifier: MIT */
/* The translator in whole machines: two in one process at the same time, one after the other on
 * another thread; and what happens where it cannot be had. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "devices/pc.h"
#include "tests/unit/sanitized.h"
#include "vmm/vm.h"

/* Where to show what is translated, or NULL. */
static FILE *shown;

static char dir[] = "/tmp/jit_vm_test.XXXXXX";

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

/* Guests that test themselves and power off, a long time after a translator would begin. */
static const char *const guests[] = {"smc", "longmode", "paging", "sweep"};

/* A machine with one of them; its serial port goes to a file. */
struct machine {
    struct vm *vm;
    char spec[64];
    enum vm_end end;
    pthread_t thread;
};

static int machine_create(struct machine *m, unsigned number, enum vm_accel accel, char *err)
{
    char image[1024];
    struct vm_config cfg = {.name = guests[number],
                            .ram_bytes = UINT64_C(16) << 20,
                            .cpus = 1,
                            .accel = accel,
                            .kernel = image,
                            .perf_map = shown != NULL,
                            .log_items = shown != NULL ? LOG_OUT_ASM : 0,
                            .log = shown != NULL ? shown : stderr};

    snprintf(image, sizeof(image), "%s/%s.bin", GUESTS, guests[number]);
    snprintf(m->spec, sizeof(m->spec), "file:%s/%u", dir, number);
    cfg.serial[0] = m->spec;
    return vm_create(&m->vm, &cfg, &pc_board, err);
}

static void *run(void *arg)
{
    struct machine *m = arg;
    m->end = vm_run(m->vm);
    return NULL;
}

/* It ended by itself and found nothing wrong. */
static void finish(struct machine *m)
{
    char text[4096];
    const char *path = m->spec + strlen("file:");
    FILE *f;
    size_t n;

    ck_assert_int_eq(m->end, VM_END_SHUTDOWN);
    vm_destroy(m->vm); /* what it printed is in the file then */
    f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    unlink(path);
    ck_assert_msg(strstr(text, ": all checks passed") != NULL, "%.1000s", text);
}

static void create(struct machine *m, unsigned number, enum vm_accel accel)
{
    char err[VM_ERR_LEN];
    ck_assert_msg(machine_create(m, number, accel, err) == 0, "%s", err);
}

START_TEST(side_by_side)
{
    struct machine m[2];

    for (unsigned n = 0; n < 2; n++)
        create(&m[n], n, ACCEL_JIT);
    for (unsigned n = 0; n < 2; n++)
        ck_assert_int_eq(pthread_create(&m[n].thread, NULL, run, &m[n]), 0);
    for (unsigned n = 0; n < 2; n++) {
        pthread_join(m[n].thread, NULL);
        finish(&m[n]);
    }
    rmdir(dir);
}
END_TEST

/* One begins and ends while the other one runs, beside one with the interpreter. */
START_TEST(in_turn)
{
    struct machine m[3];

    create(&m[0], 0, ACCEL_JIT);
    ck_assert_int_eq(pthread_create(&m[0].thread, NULL, run, &m[0]), 0);
    create(&m[1], 1, ACCEL_JIT);
    run(&m[1]);
    finish(&m[1]);
    create(&m[2], 2, ACCEL_INTERP);
    run(&m[2]);
    finish(&m[2]);
    pthread_join(m[0].thread, NULL);
    finish(&m[0]);
    rmdir(dir);
}
END_TEST

/* Where it is one of two, it is no other one. */
START_TEST(best)
{
    struct machine m;

    create(&m, 3, ACCEL_BEST);
    ck_assert_ptr_null(vm_no_translator(m.vm));
    run(&m);
    finish(&m);
    rmdir(dir);
}
END_TEST

/* The log has guest and host code, the map for perf each of its blocks. */
START_TEST(for_people)
{
    struct machine m;
    char path[64], line[256];
    unsigned guest = 0, host = 0, out = 0, mapped = 0;
    unsigned long long at, bytes;
    FILE *map;

    shown = tmpfile();
    ck_assert_ptr_nonnull(shown);
    create(&m, 0, ACCEL_JIT);
    run(&m);
    finish(&m);
    rewind(shown);
    while (fgets(line, sizeof(line), shown) != NULL) {
        out += strncmp(line, "OUT: ", 5) == 0;
        guest += strspn(line, "0123456789abcdef") == 8 || strspn(line, "0123456789abcdef") == 16;
        host += strncmp(line, "    ", 4) == 0;
        ck_assert_ptr_null(strstr(line, "(bad)"));
        ck_assert_ptr_null(strstr(line, "(invalid)"));
    }
    ck_assert_uint_gt(out, 100);
    ck_assert_uint_gt(guest, out);
    ck_assert_uint_gt(host, 2 * guest);

    snprintf(path, sizeof(path), "/tmp/perf-%ld.map", (long)getpid());
    map = fopen(path, "r");
    ck_assert_ptr_nonnull(map);
    while (fgets(line, sizeof(line), map) != NULL && mapped <= out) {
        ck_assert_int_eq(sscanf(line, "%llx %llx %*s", &at, &bytes), 2);
        ck_assert_uint_gt(bytes, 0);
        mapped++;
    }
    fclose(map);
    unlink(path);
    ck_assert_uint_eq(mapped, out + 1);
    rmdir(dir);
}
END_TEST

/* Too little address space for its tables: the interpreter takes over where that is allowed. */
START_TEST(too_little_space)
{
    struct machine m;
    char err[VM_ERR_LEN] = "";

    const struct rlimit little = {900u << 20, 900u << 20};

    ck_assert_int_eq(setrlimit(RLIMIT_AS, &little), 0);
    ck_assert_int_lt(machine_create(&m, 0, ACCEL_JIT, err), 0);
    ck_assert_ptr_nonnull(strstr(err, "-accel jit"));
    create(&m, 0, ACCEL_BEST);
    ck_assert_ptr_nonnull(vm_no_translator(m.vm));
    run(&m);
    finish(&m);
    rmdir(dir);
}
END_TEST

/* One line says why it cannot be had. */
START_TEST(refused)
{
    struct machine m;
    char err[VM_ERR_LEN] = "";

    ck_assert_int_lt(machine_create(&m, 0, ACCEL_JIT, err), 0);
    ck_assert_str_ne(err, "");
    ck_assert_ptr_null(strchr(err, '\n'));
    rmdir(dir);
}
END_TEST

/* The host's processor is one to translate for. */
static bool is_possible(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    return __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}

int main(void)
{
    Suite *suite = suite_create("jit_vm");
    TCase *tc = tcase_create("jit_vm");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    if (is_possible()) {
        tcase_add_test(tc, side_by_side);
        tcase_add_test(tc, in_turn);
        tcase_add_test(tc, best);
        tcase_add_test(tc, for_people);
        if (!SANITIZED) /* the sanitizer needs much address space itself */
            tcase_add_test(tc, too_little_space);
    } else {
        tcase_add_test(tc, refused);
    }
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
