/* SPDX-License-Identifier: MIT */
/* The monitor: lines as they are typed, what they mean, and what commands do to a machine that
 * runs, is paused, or has not started. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "devices/pc.h"
#include "frontend/demo_guest.h"
#include "frontend/monitor.h"
#include "frontend/monitor_line.h"
#include "vmm/display.h"
#include "vmm/drive.h"
#include "vmm/input.h"
#include "vmm/vm.h"

static char out[1 << 20];
static size_t out_len;
static unsigned waited;
static struct session session;
static struct vm *vm;

static void put(void *arg, const char *text, size_t n)
{
    (void)arg;
    ck_assert_uint_lt(out_len + n, sizeof(out));
    memcpy(out + out_len, text, n);
    out[out_len += n] = '\0';
}

static bool count_wait(void *arg, unsigned ms)
{
    (void)arg;
    waited += ms;
    return true;
}

static void setup(void)
{
    static const struct drive_config cd = {
        .interface = DRIVE_IDE, .index = 2, .media = DRIVE_CDROM, .image = {.readonly = true}};
    const struct vm_config cfg = {.ram_bytes = UINT64_C(8) << 20,
                                  .cpus = 1,
                                  .accel = ACCEL_INTERP,
                                  .serial = {"null"},
                                  .append = "loop",
                                  .name = "under test",
                                  .drives = &cd,
                                  .drive_count = 1,
                                  .kernel_data = demo_guest,
                                  .kernel_size = (size_t)(demo_guest_end - demo_guest)};
    static char err[VM_ERR_LEN];

    ck_assert_msg(vm_create(&vm, &cfg, &pc_board, err) == 0, "%s", err);
    session = (struct session){.vm = vm, .put = put, .wait = count_wait};
}

static void teardown(void)
{
    vm_destroy(vm);
}

/* What a command prints, newlines as such. */
static const char *run(const char *line)
{
    char *to = out;

    out_len = 0;
    out[0] = '\0';
    monitor_run(&session, line);
    for (const char *from = out; *from != '\0'; from++) {
        if (*from != '\r')
            *to++ = *from;
    }
    *to = '\0';
    return out;
}

static void expect(const char *line, const char *text)
{
    ck_assert_str_eq(run(line), text);
}

static void expect_part(const char *line, const char *text)
{
    ck_assert_msg(strstr(run(line), text) != NULL, "%s: %s", line, out);
}

START_TEST(expressions)
{
    expect("print 1", "0x1\n");
    expect("p/d 2+3*4", "14\n");
    expect("p/d (2+3)*4 - 1", "19\n");
    expect("p -1", "0xffffffffffffffff\n");
    expect("p -8 / 2", "0x7ffffffffffffffc\n"); /* unsigned, as addresses are */
    expect("p ~0xff & 0xffff", "0xff00\n");
    expect("p/x 0x10 | 3 ^ 1", "0x12\n");
    expect("p 010", "0x8\n");
    expect("p/o 8", "010\n");
    expect("p/c 65", "'A'\n");
    expect("p 'a'", "0x61\n");
    expect("p/u 7 % 4", "3\n");
    expect("p $eax", "0x2badb002\n"); /* what multiboot loaders leave there */
    expect("p", "an argument is missing\n");
    expect("p 1 +", "not a number: ''\n");
    expect("p 1/0", "division by zero: ''\n");
    expect("p (1", "')' expected: ''\n");
    expect("p $nix", "unknown register: '$nix'\n");
    expect("p 12ab", "not a number: '12ab'\n");
    expect("p/q 1", "unknown format: 'q'\n");
    expect("p 1 2", "not understood: '2'\n");
    expect("p ((((((((((((((((((((((((((((((((((((1", "too deep: '((((1'\n");
}
END_TEST

START_TEST(mistakes_are_told)
{
    expect("", "");
    expect("   ", "");
    expect("bogus", "unknown command: 'bogus'\n");
    expect("info bogus", "unknown command: 'bogus'\n");
    expect("quit now", "not understood: 'now'\n");
    expect("sendkey", "an argument is missing\n");
    expect("sendkey bogus", "unknown key: 'bogus'\n");
    expect("sendkey a--b", "unknown key: ''\n");
    expect("sendkey a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q", "too many keys\n");
    expect("sendkey a 99999999", "keys are held for 60000 ms at most\n");
    expect("mouse_move 1 x", "not a number: 'x'\n");
    expect("screendump \"a", "quote is not closed: '\"'\n");
    expect("screendump /no/such/folder/x.png",
           "/no/such/folder/x.png: No such file or directory\n");
    expect("x/9999999xb 0", "too many: '9999999xb'\n");
    expect("i/8b 0x60 7", "not understood: '7'\n");
    expect("i/g 0x60", "ports have 4 bytes at most\n");
    expect("info device toaster", "no such device: 'toaster'\n");
    expect("help bogus", "unknown command: 'bogus'\n");
}
END_TEST

START_TEST(information)
{
    expect("info version", CALQUE_VERSION "\n");
    expect("info status", "VM status: running\n");
    expect("info name", "under test\n");
    expect("info uuid", "00000000-0000-0000-0000-000000000000\n");
    expect("info jit", "the guest is interpreted\n");
    expect("info chardev", "serial0: filename=null\n");
    expect("info kvm", "kvm support: not compiled\n");
    expect_part("info lapic", "lapic 0 (");
    expect_part("info", "info registers [-a] -- ");
    for (const struct command *c = monitor_commands; c->name != NULL; c++)
        expect_part("help", c->help);
    for (const struct command *c = monitor_infos; c->name != NULL; c++)
        expect_part("help info", c->help);
    expect_part("help", "sendkey KEY[-KEY...] [MS] -- ");
    expect_part("?", "quit|q -- ");
    expect_part("help quit", "quit|q -- ");
    expect_part("info registers", "CR0=");
    expect_part("info registers -a", "XMM07=");
    expect_part("info mtree", "0060-0060 i8042-data");
    expect_part("info mtree", "-00000000007fffff ram  ram");
    expect_part("info pci", "PCI device 8086:1237");
    expect_part("info pic", "imr = ");
    expect_part("info devices", "8254 interval timer");
    expect_part("info device i8042", "scanning = 1");
    expect_part("info device hpet", "hpet 0");
    expect_part("info cpus", "CPU #0");
}
END_TEST

START_TEST(memory_and_ports)
{
    static const uint8_t bytes[] = {0x12, 0x34, 0x56, 0x78, 'A', 0xff, 0xff, 0xff, 0xff};

    vm_lock(vm);
    ck_assert(mem_load(vm, 0x500, bytes, sizeof(bytes)));
    vm_unlock(vm);
    expect("xp/2xb 0x500", "0000000000000500: 0x12 0x34\n");
    expect("xp/xw 0x500", "0000000000000500: 0x78563412\n");
    expect("xp/1 0x502", "0000000000000502: 0xff417856\n"); /* form and size stay */
    expect("xp/dh 0x505", "0000000000000505: -1\n");
    expect("xp/c 0x504", "0000000000000504: 'A'\n");
    expect("xp/17c 0x4f8", "00000000000004f8: '\\x00' '\\x00' '\\x00' '\\x00' '\\x00' '\\x00'"
                           " '\\x00' '\\x00' '\\x12' '4' 'V' 'x' 'A' '\\xff' '\\xff' '\\xff'\n"
                           "0000000000000508: '\\xff'\n");
    expect_part("xp/16cg 0x500", "0000000000000500: '\\xffffff4178563412' '\\xff'\n");
    expect_part("xp/16cg 0x500", "\n0000000000000570: '\\x00' '\\x00'\n");
    expect("x/s 0x500", "unknown format: 's'\n");
    expect("x/3xb 0x500", "0000000000000500: 0x12 0x34 0x56\n");
    expect("xp/9ub 0x500", "0000000000000500: 18 52 86 120 65 255 255 255\n"
                           "0000000000000508: 255\n");
    expect("xp/xg 0x501", "0000000000000501: 0xffffffff41785634\n");
    expect("xp/xb 0xfffffffffffff000", "fffffffffffff000: there is no memory\n");
    expect("i 0x61", "portb[0x0061] = 0x20\n");
    expect("o 0x80 0x5a", "");
    expect("i/b 0x80", "portb[0x0080] = 0x5a\n");
    expect("i/h 0x600", "portw[0x0600] = 0x0000\n"); /* the status of power management */
    expect("system_powerdown", "");
    expect("i/h 0x600", "portw[0x0600] = 0x0100\n");
    expect("i/h 0xed", "portw[0x00ed] = 0xffff\n");
}
END_TEST

/* What the processor has when it looks at tables. */
struct tables {
    uint64_t cr3, cr4, pdpte;
    uint32_t mode;
};

static void use_tables(void *arg, struct vm *machine, struct cpu *c)
{
    const struct tables *t = arg;

    (void)machine;
    c->cr0 |= CR0_PG;
    c->cr3 = t->cr3;
    c->cr4 = t->cr4;
    c->pdpte[1] = t->pdpte;
    c->mode = t->mode;
}

static void put_entry(uint64_t at, uint64_t entry, unsigned bytes)
{
    vm_lock(vm);
    ck_assert(mem_load(vm, at, &entry, bytes));
    vm_unlock(vm);
}

START_TEST(page_tables)
{
    expect("info mem", "paging is off\n");
    expect("info tlb", "paging is off\n");
    put_entry(0x10000, 0x11007, 8); /* of four levels, mapped twice */
    put_entry(0x10ff8, 0x11003, 8);
    put_entry(0x11000, 0x12007, 8);
    put_entry(0x12000, 0x13007, 8);
    put_entry(0x12008, UINT64_C(1) << 63 | 0x2001e7, 8); /* a large page */
    put_entry(0x13008, 0x1025, 8);                       /* read-only */
    put_entry(0x13010, 0x2067, 8);
    put_entry(0x13018, 0x509f, 8);
    vm_inspect(vm, use_tables, &(struct tables){0x10000, CR4_PAE, 0, MODE_LMA});
    expect("info mem", "0000000000001000-0000000000002000 0000000000001000 ur-\n"
                       "0000000000002000-0000000000004000 0000000000002000 urw\n"
                       "0000000000200000-0000000000400000 0000000000200000 urw\n"
                       "ffffff8000001000-ffffff8000002000 0000000000001000 -r-\n"
                       "ffffff8000002000-ffffff8000004000 0000000000002000 -rw\n"
                       "ffffff8000200000-ffffff8000400000 0000000000200000 -rw\n");
    expect_part("info tlb", "0000000000001000: 0000000000001000 ----A--U-\n"
                            "0000000000002000: 0000000000002000 ---DA--UW\n"
                            "0000000000003000: 0000000000005000 -----CTUW\n"
                            "0000000000200000: 0000000000200000 XGPDA--UW\n");
    put_entry(0x211000, 0x1122334455667788, 8);
    expect("x/xg 0xffffff8000211000", "ffffff8000211000: 0x1122334455667788\n");
    expect("x/xb 0x4000", "0000000000004000: there is no memory\n");
    vm_inspect(vm, use_tables, &(struct tables){0, CR4_PAE, 0x12001, 0}); /* of three levels */
    expect_part("info mem", "\n0000000040200000-0000000040400000 0000000000200000 urw\n");
    put_entry(0x14004, 0x002020e7, 4); /* of two levels, beyond 4 GiB; with 4 KiB pages */
    put_entry(0x14008, 0x13003, 4);
    vm_inspect(vm, use_tables, &(struct tables){0x14000, CR4_PSE, 0, 0});
    expect_part("info tlb", "0000000000400000: 0000000100000000 --PDA--UW\n"
                            "0000000000802000: 0000000000001000 ----A--U-\n");
    expect_part("info mem", "\n0000000000802000-0000000000803000 0000000000001000 -r-\n");
}
END_TEST

START_TEST(endless_page_tables)
{
    for (unsigned k = 0; k < 512; k++)
        put_entry(0x10000 + 8 * k, 0x10007, 8);
    vm_inspect(vm, use_tables, &(struct tables){0x10000, CR4_PAE, 0, MODE_LMA});
    expect_part("info mem", " urw\n... and more\n");
    expect_part("info tlb", " -------UW\n... and more\n");
    vm_inspect(vm, use_tables, &(struct tables){~UINT64_C(0xfff), CR4_PAE, 0, MODE_LMA});
    expect("info mem", "");
}
END_TEST

START_TEST(memory_to_files)
{
    char path[] = "/tmp/monitor_testXXXXXX", line[100], text[10] = "";
    int fd = mkstemp(path);

    vm_lock(vm);
    ck_assert(mem_load(vm, 0xffe, "\x12\x34Vx4567", 8)); /* in two pages */
    vm_unlock(vm);
    snprintf(line, sizeof(line), "memsave 0xffe 7 %s", path);
    expect(line, "");
    ck_assert_int_eq(read(fd, text, sizeof(text)), 7);
    ck_assert_str_eq(text, "\x12\x34Vx456");
    snprintf(line, sizeof(line), "pmemsave 0x1000 2 \"%s\"", path);
    expect(line, "");
    ck_assert_int_eq(pread(fd, text, sizeof(text), 0), 2);
    ck_assert_int_eq(memcmp(text, "Vx", 2), 0);
    snprintf(line, sizeof(line), "pmemsave 0x7fffff 2 %s", path);
    expect(line, "0000000000800000: there is no memory\n");
    expect("pmemsave 0 1 /no/such/folder/x", "/no/such/folder/x: No such file or directory\n");
    expect("memsave 0 1 /dev/full", "/dev/full: No space left on device\n");
    expect("memsave 0 x y", "not a number: 'x'\n");
    expect("memsave 0 1", "an argument is missing\n");
    expect("sum 0xffe 4", "16562\n");
    close(fd);
    unlink(path);
}
END_TEST

START_TEST(media)
{
    char path[] = "/tmp/monitor_testXXXXXX", line[100];
    static char err[DRIVE_ERR_LEN];
    int fd = mkstemp(path);

    ck_assert_int_eq(ftruncate(fd, 4096), 0);
    close(fd);
    expect("info block", "ide1-cd0: [not inserted]\n"
                         "    Removable device: not locked, tray closed\n");
    snprintf(line, sizeof(line), "change ide1-cd0 %s raw", path);
    expect(line, "");
    expect_part("info block", " (raw, read-only), 4096 bytes\n");
    expect_part("change ide1-cd0 /no/such/image", "/no/such/image");
    expect_part("info block", " (raw, read-only), 4096 bytes\n"); /* it is still there */
    expect("eject ide1-cd0", "");
    expect_part("info block", "ide1-cd0: [not inserted]\n"
                              "    Removable device: not locked, tray open\n");
    expect("eject toaster", "no such drive: 'toaster' (info block)\n");
    expect("eject", "an argument is missing\n");
    expect("change -f ide1-cd0", "an argument is missing\n");
    vm_lock(vm);
    drive_change(drive_by_id(vm, "ide1-cd0"),
                 &(struct disk_options){.file = path, .format = "raw", .readonly = true}, false,
                 err);
    drive_lock_tray(drive_by_id(vm, "ide1-cd0"), true);
    vm_unlock(vm);
    expect_part("eject ide1-cd0", "ide1-cd0");
    expect_part("info block", "Removable device: locked, tray closed\n");
    expect("eject -f ide1-cd0", "");
    unlink(path);
}
END_TEST

static char keys[200];

static void hear_key(void *dev, enum key_code key, bool down)
{
    (void)dev;
    snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%c%s ", down ? '+' : '-',
             input_key_name(key));
}

static int moved[3];
static unsigned pressed;

static void hear_mouse(void *dev, int dx, int dy, int dz, unsigned buttons)
{
    (void)dev;
    moved[0] = dx;
    moved[1] = dy;
    moved[2] = dz;
    pressed = buttons;
}

START_TEST(keyboard_and_mouse)
{
    static const struct input_ops ops = {hear_key, hear_mouse};

    vm_lock(vm);
    input_detach(vm, device_first(vm)); /* whoever that is, it is not the keyboard */
    for (struct device *d = device_first(vm); d != NULL; d = d->next)
        input_detach(vm, d);
    input_attach(vm, &ops, NULL);
    vm_unlock(vm);
    expect("sendkey ctrl-alt-delete", "");
    ck_assert_str_eq(keys, "+ctrl +alt +delete -delete -alt -ctrl ");
    ck_assert_uint_eq(waited, 100);
    keys[0] = '\0';
    expect("sendkey 0x1e-< 7", "");
    ck_assert_str_eq(keys, "+a +less -less -a ");
    ck_assert_uint_eq(waited, 107);
    expect("mouse_button 2", "");
    ck_assert_uint_eq(pressed, INPUT_MIDDLE);
    expect("mouse_move -3 4 1", "");
    ck_assert_int_eq(moved[0], -3);
    ck_assert_int_eq(moved[1], 4);
    ck_assert_int_eq(moved[2], -1);
    ck_assert_uint_eq(pressed, INPUT_MIDDLE);
    expect("mouse_button 5", "");
    ck_assert_uint_eq(pressed, INPUT_LEFT | INPUT_RIGHT);
    vm_lock(vm);
    input_detach(vm, NULL);
    vm_unlock(vm);
}
END_TEST

static void *run_vm(void *arg)
{
    *(enum vm_end *)arg = vm_run(vm);
    return NULL;
}

/* Until the demo guest, which never halts in this mode, shows its prompt. */
static void wait_prompt(void)
{
    for (unsigned k = 0; k < 6000 && strstr(run("info screen"), "calque>") == NULL; k++)
        usleep(10000);
}

START_TEST(a_running_machine)
{
    char before[100];
    enum vm_end end;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, run_vm, &end), 0);
    expect("info status", "VM status: running\n");
    expect_part("info registers", "CR0=");
    wait_prompt();
    expect_part("info screen", "Hello from ring 3!\n");
    expect("stop", "");
    expect("info status", "VM status: paused\n");
    snprintf(before, sizeof(before), "%.90s", run("info cpus"));
    usleep(20000);
    expect("info cpus", before); /* it stands still */
    expect_part("x/xb $rip", ": 0x");
    expect("system_reset", "");
    for (unsigned k = 0; k < 6000 && strstr(run("info screen"), "calque>") != NULL; k++)
        usleep(10000);
    expect("info status", "VM status: paused\n");
    expect("cont", "");
    expect("info status", "VM status: running\n");
    wait_prompt();
    expect_part("info screen", "calque>");
    expect("quit", "");
    pthread_join(thread, NULL);
    ck_assert_int_eq(end, VM_END_QUIT);
    expect_part("info registers", "CR0="); /* and after it, too */
}
END_TEST

/* -- The line ---------------------------------------------------------------------------------- */

static const char *candidate(unsigned n)
{
    static const char *const words[] = {"sendkey", "stop", "system_powerdown", "system_reset",
                                        NULL};

    return words[n];
}

static struct line line;

/* Type keys; the text of the line when it has ended, or so far. */
static const char *type(const char *text)
{
    line_begin(&line);
    for (; *text != '\0'; text++) {
        if (line_key(&line, *text))
            break;
    }
    return line.text;
}

START_TEST(line_editing)
{
    char longest[2 * LINE_LEN + 2];

    line = (struct line){.prompt = "> ", .put = put, .candidate = candidate};
    ck_assert_str_eq(type("abc\r"), "abc");
    ck_assert_str_eq(type("abd\177c\n"), "abc");
    ck_assert_str_eq(type("\b\bxy\033[Dz\033[D\033[D\033[D\033[Da\r"), "axzy");
    ck_assert_str_eq(type("abc\001x\005y\002\002z\r"), "xabzcy");
    ck_assert_str_eq(type("one two\027three\r"), "one three");
    ck_assert_str_eq(type("one two\025three\r"), "three");
    ck_assert_str_eq(type("one\033[H\013two\r"), "two");
    ck_assert_str_eq(type("one\033[H\033[3~\004x\033[4~y\r"), "xey");
    ck_assert_str_eq(type("one\033OH-\033[F-\033[99;99R\033x\001\033[C+\r"), "-+one-");
    ck_assert_str_eq(type("gone\003new\r"), "new");
    ck_assert_str_eq(type("\020\r"), "new");
    ck_assert_str_eq(type("\033[A\033[A\033[Bx\r"), "newx");
    ck_assert_str_eq(type("\033[A\033[B\r"), "");
    ck_assert_str_eq(type("se\t"), "sendkey ");
    ck_assert_str_eq(type("sy\t"), "system_");
    out_len = 0;
    ck_assert_str_eq(type("s\t"), "s");
    ck_assert_ptr_nonnull(strstr(out, "\r\nsystem_reset"));
    ck_assert_str_eq(type("zz\t"), "zz");
    memset(longest, 'a', sizeof(longest) - 2);
    longest[sizeof(longest) - 2] = '\r';
    longest[sizeof(longest) - 1] = '\0';
    ck_assert_uint_eq(strlen(type(longest)), LINE_LEN - 1);
    for (unsigned k = 0; k < 3 * LINE_HISTORY; k++) {
        snprintf(longest, sizeof(longest), "%u\r", k);
        type(longest);
    }
    for (unsigned k = 0; k < 200; k++)
        memcpy(longest + 3 * k, "\033[A", 4);
    ck_assert_str_eq(type(longest), "128");
    line_free(&line);
}
END_TEST

/* -- At a socket ------------------------------------------------------------------------------- */

/* Read until this text has come. */
static void read_until(int fd, const char *text)
{
    out_len = 0;
    do {
        ssize_t n = read(fd, out + out_len, 4096);

        ck_assert_msg(n > 0, "no '%s' in '%s'", text, out);
        out[out_len += (size_t)n] = '\0';
    } while (strstr(out, text) == NULL);
}

START_TEST(at_a_socket)
{
    char dir[] = "/tmp/monitor_testXXXXXX", spec[64], err[VM_ERR_LEN] = "";
    const char *const specs[] = {spec};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct monitor *monitors;
    enum vm_end end;
    pthread_t thread;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(spec, sizeof(spec), "unix:%s/m,server,nowait", dir);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/m", dir);
    ck_assert_int_eq(monitors_start(&monitors, vm, NULL, specs, 1, err), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_vm, &end), 0);
    for (unsigned round = 0; round < 2; round++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        read_until(fd, "(qemu) ");
        ck_assert_ptr_nonnull(strstr(out, "monitor - type 'help'"));
        dprintf(fd, "stop\ninfo status\n"); /* paused, it answers, too */
        read_until(fd, "VM status: paused\r\n(qemu) ");
        dprintf(fd, "cont\ninfo status\n");
        read_until(fd, "VM status: running\r\n(qemu) ");
        if (round == 1)
            dprintf(fd, "sendkey a 60000\nquit\n"); /* what waits is woken at the end */
        close(fd);
    }
    usleep(50000);
    vm_quit(vm);
    pthread_join(thread, NULL);
    monitors_stop(monitors);
    ck_assert_int_eq(end, VM_END_QUIT);
    rmdir(dir);
}
END_TEST

START_TEST(bad_ends)
{
    const char *const specs[] = {"pigeon"};
    char err[VM_ERR_LEN] = "";
    struct monitor *monitors;

    ck_assert_int_ne(monitors_start(&monitors, vm, NULL, specs, 1, err), 0);
    ck_assert_ptr_nonnull(strstr(err, "pigeon"));
    monitors_stop(monitors);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("monitor");
    TCase *tc = tcase_create("monitor");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, expressions);
    tcase_add_test(tc, mistakes_are_told);
    tcase_add_test(tc, information);
    tcase_add_test(tc, memory_and_ports);
    tcase_add_test(tc, page_tables);
    tcase_add_test(tc, endless_page_tables);
    tcase_add_test(tc, memory_to_files);
    tcase_add_test(tc, media);
    tcase_add_test(tc, keyboard_and_mouse);
    tcase_add_test(tc, a_running_machine);
    tcase_add_test(tc, line_editing);
    tcase_add_test(tc, at_a_socket);
    tcase_add_test(tc, bad_ends);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
