/* SPDX-License-Identifier: MIT */
/* Chardevs with real pipes, files and ptys. Check runs each test in a process of its own, so that
 * stdin and stdout can be replaced. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

static char err[VM_ERR_LEN];
static struct vm *vm;

/* A device that takes `room` bytes at a time. */
struct sink {
    uint8_t data[70000];
    size_t len, room;
};

static size_t can_receive(void *dev)
{
    return ((struct sink *)dev)->room;
}

static void receive(void *dev, const uint8_t *data, size_t n)
{
    struct sink *s = dev;

    ck_assert_uint_le(n, s->room);
    ck_assert_uint_le(s->len + n, sizeof(s->data));
    memcpy(s->data + s->len, data, n);
    s->len += n;
    s->room -= n;
}

static const struct chardev_ops sink_ops = {.can_receive = can_receive, .receive = receive};
static struct sink sink;

static struct chardev *open_spec(const char *spec)
{
    struct chardev *cd = chardev_open(vm, "label", spec, err);

    ck_assert_msg(cd != NULL, "%s", err);
    chardev_attach(cd, &sink_ops, &sink);
    return cd;
}

static void start(void)
{
    clock_start(vm);
    ck_assert_int_eq(io_start(vm), 0);
}

static size_t sink_len(void)
{
    size_t len;

    vm_lock(vm);
    len = sink.len;
    vm_unlock(vm);
    return len;
}

static void wait_for(size_t len)
{
    for (unsigned i = 0; i < 2000 && sink_len() < len; i++)
        usleep(1000);
    ck_assert_uint_eq(sink_len(), len);
}

/* Take over stdin and stdout; returns the other ends. */
static void redirect(int *to_stdin, int *from_stdout)
{
    int in[2], out[2];

    ck_assert_int_eq(pipe(in), 0);
    ck_assert_int_eq(pipe(out), 0);
    fflush(NULL);
    dup2(in[0], 0);
    dup2(out[1], 1);
    close(in[0]);
    close(out[1]);
    *to_stdin = in[1];
    *from_stdout = out[0];
}

static void setup(void)
{
    vm = fake_vm(NULL);
}

START_TEST(bad_specs)
{
    static const char *const specs[] = {"",
                                        "stdi",
                                        "file:",
                                        "file:/no/such/dir/x",
                                        "tcp:1",
                                        "unix:",
                                        "unix:/no/such/dir/x,server,nowait",
                                        "unix:x,server",
                                        "unix:x,pigeon",
                                        "tcp:localhost:70000",
                                        "tcp:nowhere:1,server,nowait"};

    for (unsigned i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        err[0] = '\0';
        ck_assert_ptr_null(chardev_open(vm, "label", specs[i], err));
        ck_assert_str_ne(err, "");
    }
    vm_destroy(vm);
}
END_TEST

START_TEST(file_keeps_everything)
{
    char path[] = "/tmp/chardev_testXXXXXX", spec[64];
    static uint8_t data[300000], back[300001];
    int fd = mkstemp(path);
    struct chardev *cd;

    snprintf(spec, sizeof(spec), "file:%s", path);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    cd = open_spec(spec);
    start();
    for (size_t i = 0; i < 1000; i++)
        chardev_write(cd, data + i, 1);
    chardev_write(cd, data + 1000, sizeof(data) - 1000);
    vm_destroy(vm);
    ck_assert_int_eq(read(fd, back, sizeof(back)), sizeof(data));
    ck_assert_mem_eq(data, back, sizeof(data));
    unlink(path);
}
END_TEST

START_TEST(output_without_io_thread_is_drained)
{
    int to_stdin, from_stdout;
    char buf[16];

    redirect(&to_stdin, &from_stdout);
    chardev_write(open_spec("stdio"), (const uint8_t *)"bye", 3);
    vm_destroy(vm);
    ck_assert_int_eq(read(from_stdout, buf, sizeof(buf)), 3);
    ck_assert_mem_eq(buf, "bye", 3);
}
END_TEST

START_TEST(slow_reader_loses_nothing)
{
    int to_stdin, from_stdout;
    size_t got = 0, n = 400000;
    struct chardev *cd;
    pid_t child;

    redirect(&to_stdin, &from_stdout);
    cd = open_spec("stdio");
    child = fork();
    if (child == 0) {
        for (size_t i = 0; i < n; i++)
            chardev_write(cd, (const uint8_t *)"0123456789" + i % 10, 1);
        chardev_close(cd);
        _exit(0);
    }
    close(1);
    while (got < n) {
        char buf[3000];
        ssize_t len = read(from_stdout, buf, sizeof(buf));

        ck_assert_int_gt(len, 0);
        for (ssize_t i = 0; i < len; i++)
            ck_assert_int_eq(buf[i], '0' + (int)((got + (size_t)i) % 10));
        got += (size_t)len;
        usleep(200);
    }
}
END_TEST

START_TEST(stuck_reader_costs_little)
{
    int to_stdin, from_stdout;
    struct chardev *cd;
    uint64_t begin;

    redirect(&to_stdin, &from_stdout);
    cd = open_spec("stdio");
    begin = host_now_ns();
    for (unsigned i = 0; i < 300000; i++)
        chardev_write(cd, (const uint8_t *)"x", 1);
    chardev_close(cd);
    ck_assert_uint_lt(host_now_ns() - begin, 2 * NS_PER_SEC);
}
END_TEST

START_TEST(broken_pipe)
{
    struct vm_config cfg = {.take_signals = true};
    int to_stdin, from_stdout;
    struct chardev *cd;

    vm_destroy(vm);
    vm = fake_vm_with(&cfg, NULL);
    redirect(&to_stdin, &from_stdout);
    close(from_stdout);
    cd = open_spec("stdio");
    start();
    for (unsigned i = 0; i < 100; i++) {
        chardev_write(cd, (const uint8_t *)"gone\n", 5);
        usleep(100);
    }
    vm_destroy(vm);
}
END_TEST

START_TEST(input_is_paced)
{
    int to_stdin, from_stdout;
    struct chardev *cd;
    char data[50];

    memset(data, 'a', sizeof(data));
    redirect(&to_stdin, &from_stdout);
    cd = open_spec("stdio");
    sink.room = 16;
    ck_assert_int_eq(write(to_stdin, data, sizeof(data)), sizeof(data));
    start();
    wait_for(16);
    for (size_t want = 32; want <= 48; want += 16) {
        vm_lock(vm);
        sink.room = 16;
        chardev_accept_input(cd);
        vm_unlock(vm);
        wait_for(want);
    }
    vm_destroy(vm);
}
END_TEST

static uint64_t cpu_us(void)
{
    struct rusage ru;

    getrusage(RUSAGE_SELF, &ru);
    return (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

/* Whoever feeds a device that takes no input is not stopped. */
START_TEST(unwanted_input_is_taken)
{
    static const char data[300000];
    int to_stdin, from_stdout, left = 1;

    redirect(&to_stdin, &from_stdout);
    chardev_attach(open_spec("stdio"), &chardev_no_input, NULL);
    start();
    ck_assert_int_eq(write(to_stdin, data, sizeof(data)), sizeof(data));
    for (unsigned i = 0; i < 2000 && left > 0; i++) {
        usleep(1000);
        ck_assert_int_eq(ioctl(0, FIONREAD, &left), 0);
    }
    ck_assert_int_eq(left, 0);
    vm_destroy(vm);
}
END_TEST

START_TEST(end_of_input_does_not_spin)
{
    int to_stdin, from_stdout;
    uint64_t used;

    redirect(&to_stdin, &from_stdout);
    open_spec("mon:stdio");
    sink.room = 100;
    ck_assert_int_eq(write(to_stdin, "last", 4), 4);
    close(to_stdin);
    start();
    wait_for(4);
    used = cpu_us();
    usleep(300000);
    ck_assert_uint_lt(cpu_us() - used, 100000);
    ck_assert_uint_eq(atomic_load(&vm->cpu[0]->requests), 0);
    vm_destroy(vm);
}
END_TEST

START_TEST(escapes)
{
    int to_stdin, from_stdout;
    char buf[256];
    ssize_t n;

    redirect(&to_stdin, &from_stdout);
    open_spec("mon:stdio");
    sink.room = 100;
    ck_assert_int_eq(write(to_stdin, "ab\001\001c\001qd\001h", 10), 10);
    start();
    wait_for(5);
    ck_assert_mem_eq(sink.data, "ab\001cd", 5);
    n = read(from_stdout, buf, sizeof(buf));
    ck_assert_int_gt(n, 20);
    ck_assert_uint_eq(atomic_load(&vm->cpu[0]->requests), 0);
    sink.room = 0; /* a guest that takes nothing must not keep the user in */
    ck_assert_int_eq(write(to_stdin, "zzz\001x", 5), 5);
    for (unsigned i = 0; i < 2000 && atomic_load(&vm->cpu[0]->requests) == 0; i++)
        usleep(1000);
    ck_assert_uint_eq(atomic_load(&vm->cpu[0]->requests), REQ_QUIT);
    vm_destroy(vm);
}
END_TEST

START_TEST(plain_stdio_passes_ctrl_a)
{
    int to_stdin, from_stdout;

    redirect(&to_stdin, &from_stdout);
    open_spec("stdio");
    sink.room = 100;
    ck_assert_int_eq(write(to_stdin, "\001x", 2), 2);
    start();
    wait_for(2);
    ck_assert_mem_eq(sink.data, "\001x", 2);
    ck_assert_ptr_null(chardev_open(vm, "label", "stdio", err));
    vm_destroy(vm);
}
END_TEST

static void append_path(void *arg, struct chardev *cd, const struct chardev_info *info)
{
    char *text = arg;
    size_t len = strlen(text);

    (void)cd;
    if (info->path[0] != '\0')
        snprintf(text + len, 128 - len, "%s %s;", info->label, info->path);
}

/* Named in the order of opening; only what got a name. */
START_TEST(paths)
{
    char text[128] = "", a[40], b[40];

    ck_assert_ptr_nonnull(chardev_open(vm, "one", "pty", err));
    ck_assert_ptr_nonnull(chardev_open(vm, "two", "null", err));
    ck_assert_ptr_nonnull(chardev_open(vm, "three", "pty", err));
    chardev_each(vm, append_path, text);
    ck_assert_int_eq(sscanf(text, "one /dev/pts/%30[0-9];three /dev/pts/%30[0-9];", a, b), 2);
    ck_assert_str_ne(a, b);
    vm_destroy(vm);
}
END_TEST

/* A monitor's end. */
static struct {
    char events[32];
    struct sink sink;
} side;

static size_t side_room(void *dev)
{
    (void)dev;
    return side.sink.room;
}

static void side_receive(void *dev, const uint8_t *data, size_t n)
{
    (void)dev;
    receive(&side.sink, data, n);
}

static void side_event(void *dev, enum chardev_event e)
{
    (void)dev;
    side.events[strlen(side.events)] = "ocf"[e];
}

static const struct chardev_ops side_ops = {side_room, side_receive, side_event, true};

START_TEST(two_users)
{
    static const char text[] = "ab\001ccd\001C\001ce\001\001f\001cg";
    struct chardev *cd;
    int in, out;

    redirect(&in, &out);
    cd = open_spec("mon:stdio");
    chardev_attach_monitor(cd, &side_ops, NULL);
    side.sink.room = sink.room = 100;
    start();
    ck_assert_int_eq(write(in, text, sizeof(text) - 1), sizeof(text) - 1);
    wait_for(3);
    vm_lock(vm);
    ck_assert_mem_eq(sink.data, "abg", 3);
    ck_assert_uint_eq(side.sink.len, 5);
    ck_assert_mem_eq(side.sink.data, "cde\001f", 5);
    ck_assert_str_eq(side.events, "ff");
    vm_unlock(vm);
    ck_assert_int_eq(write(in, "\001c", 2), 2); /* the monitor hears while the guest is paused */
    vm_lock(vm);
    clock_stop(vm);
    vm_unlock(vm);
    ck_assert_int_eq(write(in, "h\001ci", 4), 4);
    for (unsigned k = 0; k < 2000 && side.sink.len < 6; k++)
        usleep(1000);
    ck_assert_uint_eq(side.sink.len, 6);
    ck_assert_uint_eq(sink.len, 3);
    vm_destroy(vm);
}
END_TEST

static int dial(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

START_TEST(sockets)
{
    char dir[] = "/tmp/chardev_testXXXXXX", path[40], spec[64], buf[8] = "";
    struct chardev *cd;
    int fd;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    snprintf(spec, sizeof(spec), "unix:%s,server,nowait", path);
    cd = open_spec(spec);
    chardev_attach(cd, &side_ops, NULL);
    side.sink.room = 100;
    start();
    chardev_write(cd, (const uint8_t *)"lost", 4); /* nobody is there */
    for (unsigned round = 0; round < 3; round++) {
        fd = dial(path);
        ck_assert_int_eq(write(fd, "in", 2), 2);
        for (unsigned k = 0; k < 2000 && side.sink.len < 2 * round + 2; k++)
            usleep(1000);
        chardev_write(cd, (const uint8_t *)"out", 3);
        ck_assert_int_eq(read(fd, buf, sizeof(buf)), 3);
        ck_assert_str_eq(buf, "out");
        close(fd);
        for (unsigned k = 0; k < 2000 && strlen(side.events) < 2 * round + 2; k++)
            usleep(1000);
    }
    ck_assert_str_eq(side.events, "ocococ");
    ck_assert_ptr_null(chardev_open(vm, "label", spec, err)); /* it is in use */
    snprintf(spec, sizeof(spec), "unix:%s", path);
    ck_assert_ptr_nonnull(chardev_open(vm, "label", spec, err));
    vm_destroy(vm);
    ck_assert_int_ne(access(path, F_OK), 0);
    rmdir(dir);
}
END_TEST

/* What a killed program left behind. */
START_TEST(stale_socket)
{
    char dir[] = "/tmp/chardev_testXXXXXX", path[40], spec[64];
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    close(fd);
    snprintf(spec, sizeof(spec), "unix:%s,server=on,wait=off", path);
    open_spec(spec);
    close(dial(path));
    vm_destroy(vm);
    fd = open(path, O_CREAT | O_WRONLY, 0600); /* a file is nobody's to remove */
    close(fd);
    vm = fake_vm(NULL);
    ck_assert_ptr_null(chardev_open(vm, "label", spec, err));
    ck_assert_int_eq(access(path, F_OK), 0);
    vm_destroy(vm);
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(pty)
{
    struct chardev *cd = open_spec("pty");
    char buf[16], text[128] = "", path[64];
    int fd;

    sink.room = 100;
    start();
    chardev_each(vm, append_path, text);
    ck_assert_int_eq(sscanf(text, "label %63[^;]", path), 1);
    fd = open(path, O_RDWR | O_NOCTTY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "in\n", 3), 3);
    wait_for(3);
    chardev_write(cd, (const uint8_t *)"out\n", 4);
    ck_assert_int_eq(read(fd, buf, sizeof(buf)), 4);
    ck_assert_mem_eq(buf, "out\n", 4);
    close(fd); /* may be opened again */
    usleep(20000);
    fd = open(path, O_RDWR | O_NOCTTY);
    ck_assert_int_eq(write(fd, "2", 1), 1);
    wait_for(4);
    ck_assert_uint_eq(sink.data[3], '2'); /* and nothing of our output has come back */
    vm_destroy(vm);
}
END_TEST

START_TEST(terminal_modes)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
    struct termios before, raw, after;
    char path[64];

    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master) | unlockpt(master), 0);
    ck_assert_int_eq(ptsname_r(master, path, sizeof(path)), 0);
    slave = open(path, O_RDWR | O_NOCTTY);
    dup2(slave, 0);
    ck_assert_int_eq(tcgetattr(0, &before), 0);
    open_spec("mon:stdio");
    ck_assert_int_eq(tcgetattr(0, &raw), 0);
    ck_assert_uint_eq(raw.c_lflag & (ICANON | ECHO | ISIG), 0);
    vm_destroy(vm);
    ck_assert_int_eq(tcgetattr(0, &after), 0);
    ck_assert_uint_eq(after.c_lflag, before.c_lflag);
    ck_assert_uint_eq(after.c_iflag, before.c_iflag);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("chardev");
    TCase *t = tcase_create("chardev");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, bad_specs);
    tcase_add_test(t, file_keeps_everything);
    tcase_add_test(t, output_without_io_thread_is_drained);
    tcase_add_test(t, slow_reader_loses_nothing);
    tcase_add_test(t, stuck_reader_costs_little);
    tcase_add_test(t, broken_pipe);
    tcase_add_test(t, input_is_paced);
    tcase_add_test(t, unwanted_input_is_taken);
    tcase_add_test(t, end_of_input_does_not_spin);
    tcase_add_test(t, escapes);
    tcase_add_test(t, plain_stdio_passes_ctrl_a);
    tcase_add_test(t, paths);
    tcase_add_test(t, pty);
    tcase_add_test(t, two_users);
    tcase_add_test(t, sockets);
    tcase_add_test(t, stale_socket);
    tcase_add_test(t, terminal_modes);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
