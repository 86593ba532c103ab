/* SPDX-License-Identifier: MIT */
/* Disk images and QEMU's tools for them: each reads what the other has written, and qemu-img finds
 * no fault with our images. Skipped where these tools (Debian's qemu-utils) are not installed. */
#include "tests/unit/disk_images.h"
#include "tests/unit/disk_writer.h"

#define SIZE (UINT64_C(3) * 1048576 + 1536)

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A command's exit status; what it says goes to the file "said". */
static int run(const char *format, ...)
{
    char command[1000];
    va_list ap;
    int status;

    va_start(ap, format);
    int n = vsnprintf(command, sizeof(command) - 20, format, ap);
    va_end(ap);
    snprintf(command + n, 20, " > said 2>&1");
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void must_run(const char *command)
{
    ck_assert_msg(run("%s", command) == 0, "%s", command);
}

/* Random data, the same data again, zeros and a hole. */
static void make_source(const char *name)
{
    uint8_t *bytes = calloc(1, SIZE);
    uint32_t x = 12345;

    for (uint64_t i = 0; i < SIZE / 2; i++)
        bytes[i] = (uint8_t)(i / 4096 % 3 == 0 ? (x = x * 69069 + 1) >> 24 : i >> 12);
    memcpy(bytes + SIZE / 2 + 300000, bytes, 500000);
    make_file(name, bytes, SIZE, SIZE);
    free(bytes);
}

static const struct disk_options image = {.file = "a.qcow2", .cache = DISK_CACHE_UNSAFE};

static void write_model(const struct disk_model *m)
{
    make_file("model.raw", m->bytes, m->size, m->size);
}

/* What the image holds and how, by qemu-img. */
static void check_image(const struct disk_model *m)
{
    write_model(m);
    ck_assert_int_eq(run("qemu-img check a.qcow2"), 0);
    ck_assert_int_eq(run("qemu-img compare -f raw -F qcow2 model.raw a.qcow2"), 0);
}

static void write_and_check(struct disk_model *m, unsigned seed, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        struct disk *d = open_disk(&image);
        model_start(m, d, seed * 100 + round);
        for (unsigned i = 0; i < 150; i++)
            model_step(m);
        ck_assert_int_eq(disk_close(d), 0);
        check_image(m);
    }
}

static const char *const creations[] = {
    "qemu-img convert -O qcow2 source.raw a.qcow2",
    "qemu-img convert -O qcow2 -o compat=0.10 source.raw a.qcow2",
    "qemu-img convert -c -O qcow2 source.raw a.qcow2",
    "qemu-img convert -c -O qcow2 -o compat=0.10,cluster_size=4096 source.raw a.qcow2",
    "qemu-img convert -c -O qcow2 -o cluster_size=512 source.raw a.qcow2",
    "qemu-img convert -c -O qcow2 -o cluster_size=2M source.raw a.qcow2",
    "qemu-img convert -O qcow2 -o cluster_size=512,refcount_bits=64 source.raw a.qcow2",
    "qemu-img convert -O qcow2 -o refcount_bits=1 source.raw a.qcow2",
    "qemu-img convert -O qcow2 -o cluster_size=1k,refcount_bits=2 source.raw a.qcow2",
    "qemu-img convert -O qcow2 -o lazy_refcounts=on source.raw a.qcow2",
    "qemu-img convert -O qcow2 -o preallocation=metadata source.raw a.qcow2",
    "qemu-img convert -S 0 -O qcow2 -o preallocation=full source.raw a.qcow2",
    "qemu-img convert -c -O qcow2 -o compression_type=zstd source.raw a.qcow2",
};

/* The same data as qemu-img put there. */
static void read_source(struct disk_model *m, const struct disk_options *o)
{
    struct disk *d = open_disk(&(struct disk_options){.file = "source.raw", .format = "raw"});

    model_start(m, d, 0);
    disk_close(d);
    d = open_disk(o);
    model_start(m, d, 0);
    disk_close(d);
}

START_TEST(created_by_qemu)
{
    struct disk_model m = {0};

    make_source("source.raw");
    must_run(creations[_i]);
    if (strstr(creations[_i], "zstd") != NULL) {
        struct disk *d = disk_open(&image, disk_err);
        if (d == NULL) { /* built without it */
            ck_assert_ptr_nonnull(strstr(disk_err, "zstd"));
            return;
        }
        disk_close(d);
    }
    read_source(&m, &image);
    write_and_check(&m, (unsigned)_i, 3);
    model_free(&m);
}
END_TEST

START_TEST(zero_clusters)
{
    struct disk_model m = {0};

    make_source("source.raw");
    must_run("qemu-img create -f qcow2 -b source.raw -F raw a.qcow2 8M");
    must_run("qemu-io -c 'write -z 0 1M' -c 'write -zu 1M 300k' -c 'write 2M 128k' "
             "-c 'write -z 2M 64k' a.qcow2");
    write_and_check(&m, 1, 3);
    model_free(&m);
}
END_TEST

/* A compressed image below a shorter one below the one that is written. */
START_TEST(chain)
{
    struct disk_model m = {0};

    make_source("source.raw");
    must_run("qemu-img convert -c -O qcow2 source.raw base.qcow2");
    must_run("qemu-img create -f qcow2 -b base.qcow2 -F qcow2 -o cluster_size=4k middle.qcow2 3M");
    must_run("qemu-io -c 'write 1M 200k' middle.qcow2");
    must_run("qemu-img create -f qcow2 -b middle.qcow2 -F qcow2 -o cluster_size=32k a.qcow2 9M");
    write_and_check(&m, 2, 3);
    ck_assert_int_eq(run("qemu-img check middle.qcow2"), 0);
    ck_assert_int_eq(run("qemu-img check base.qcow2"), 0);
    model_free(&m);
}
END_TEST

/* Internal snapshots keep what they had. */
START_TEST(snapshots)
{
    struct disk_model m = {0};

    make_source("source.raw");
    must_run(_i == 0
                 ? "qemu-img convert -c -O qcow2 source.raw a.qcow2"
                 : "qemu-img convert -O qcow2 -o cluster_size=1k,compat=0.10 source.raw a.qcow2");
    write_and_check(&m, 3, 1);
    must_run("qemu-img snapshot -c one a.qcow2");
    write_model(&m);
    must_run("cp model.raw one.raw");
    write_and_check(&m, 4, 2);
    must_run("qemu-img snapshot -c two a.qcow2");
    write_model(&m);
    must_run("cp model.raw two.raw");
    write_and_check(&m, 5, 1);
    must_run("qemu-img snapshot -a one a.qcow2");
    must_run("qemu-img compare -f raw -F qcow2 one.raw a.qcow2");
    must_run("qemu-img snapshot -d one a.qcow2");
    must_run("qemu-img snapshot -a two a.qcow2");
    must_run("qemu-img compare -f raw -F qcow2 two.raw a.qcow2");
    ck_assert_int_eq(run("qemu-img check a.qcow2"), 0);
    model_free(&m);
}
END_TEST

/* After a kill qemu-img finds leaks at worst, and none after the next start in version 3. */
START_TEST(killed)
{
    struct history *h = new_history();

    must_run(_i == 0 ? "qemu-img create -f qcow2 -o cluster_size=512 a.qcow2 2M"
                     : "qemu-img create -f qcow2 a.qcow2 2M");
    for (unsigned round = 0; round < 6; round++) {
        kill_writer(h, round + 1, 5000 + round * 9973);
        int status = run("qemu-img check a.qcow2");
        ck_assert_msg(status == 0 || status == 3, "status %d", status);
        check_history(h);
        ck_assert_int_eq(run("qemu-img check a.qcow2"), 0);
    }
}
END_TEST

/* Refcounts that QEMU had not written yet. */
START_TEST(lazy_refcounts)
{
    struct disk_model m = {0};

    must_run("qemu-img create -f qcow2 -o lazy_refcounts=on a.qcow2 4M");
    run("qemu-io -c 'write -P 9 0 1M' -c 'write 2M 64k' -c flush -c abort a.qcow2");
    ck_assert_uint_eq(peek_file("a.qcow2", 72, 8), 1);
    write_and_check(&m, 6, 2);
    ck_assert_uint_eq(peek_file("a.qcow2", 72, 8), 0);
    model_free(&m);
}
END_TEST

START_TEST(locks)
{
    static const struct disk_options r = {.file = "a.qcow2", .readonly = true};

    must_run("qemu-img create -f qcow2 a.qcow2 4M");
    struct disk *d = open_disk(&image);
    ck_assert_int_ne(run("qemu-img info a.qcow2"), 0);
    ck_assert_int_ne(run("qemu-io -c 'write 0 1k' a.qcow2"), 0);
    disk_close(d);
    d = open_disk(&r);
    ck_assert_int_eq(run("qemu-img info a.qcow2"), 0);
    ck_assert_int_ne(run("qemu-io -c 'write 0 1k' a.qcow2"), 0);
    disk_close(d);

    FILE *other = popen("qemu-io a.qcow2 > other 2>&1", "w");
    ck_assert_ptr_nonnull(other);
    fprintf(other, "write 0 1k\n");
    fflush(other);
    for (unsigned i = 0; i < 4000 && run("grep -q wrote other") != 0; i++)
        usleep(5000);
    refuse_disk(&image, "in use");
    refuse_disk(&r, "in use");
    pclose(other);
    d = open_disk(&image);
    disk_close(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("disk_qemu");
    TCase *tc = tcase_create("all");

    if (system("qemu-img --version > /dev/null 2>&1 && qemu-io --version > /dev/null 2>&1") != 0) {
        printf("skipped: qemu-img and qemu-io (qemu-utils) are not installed\n");
        return 77;
    }
    tcase_add_checked_fixture(tc, enter_folder, leave_folder);
    tcase_add_loop_test(tc, created_by_qemu, 0, sizeof(creations) / sizeof(creations[0]));
    tcase_add_test(tc, zero_clusters);
    tcase_add_test(tc, chain);
    tcase_add_loop_test(tc, snapshots, 0, 2);
    tcase_add_loop_test(tc, killed, 0, 2);
    tcase_add_test(tc, lazy_refcounts);
    tcase_add_test(tc, locks);
    suite_add_tcase(s, tc);

    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
