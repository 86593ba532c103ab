/* SPDX-License-Identifier: MIT */
/* The command line: values, defaults, and what is refused. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/options.h"
#include "frontend/screens.h"

static char err[OPTIONS_ERR_LEN];

/* Parse words separated by single blanks. */
static int parse(struct options *o, const char *line)
{
    static char copy[256];
    char *argv[32] = {(char *)"calque"}, *save = NULL;
    int argc = 1;
    err[0] = '\0';
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    return options_parse(o, argc, argv, err);
}

START_TEST(defaults)
{
    struct options o;
    ck_assert_int_eq(parse(&o, ""), 0);
    ck_assert_uint_eq(o.vm.ram_bytes, 128u << 20);
    ck_assert_uint_eq(o.vm.cpus, 1);
    ck_assert_str_eq(o.vm.serial[0], "mon:stdio");
    ck_assert_ptr_null(o.vm.serial[1]);
    ck_assert_str_eq(o.vm.parallel, "null");
    ck_assert_ptr_null(o.vm.kernel);
    ck_assert_int_eq(o.vm.accel, ACCEL_BEST);
    ck_assert(!o.vm.no_reboot && !o.vm.no_shutdown && !o.add[OPTIONAL_DEBUG_EXIT]);
}
END_TEST

static const struct {
    const char *text;
    int result;
    uint64_t bytes;
} sizes[] = {
    {"128", 0, UINT64_C(128) << 20},
    {"1", 0, UINT64_C(1) << 20},
    {"64M", 0, UINT64_C(64) << 20},
    {"64m", 0, UINT64_C(64) << 20},
    {"2048K", 0, UINT64_C(2) << 20},
    {"1.5G", 0, UINT64_C(1536) << 20},
    {"size=2G", 0, UINT64_C(2) << 30},
    {"8G", 0, UINT64_C(8) << 30},
    {"1048577B", 0, (UINT64_C(1) << 20) + 4096},
    {"0", -ERANGE, 0},
    {"4K", -ERANGE, 0},
    {"9999999T", -ERANGE, 0},
    {"", -EINVAL, 0},
    {"-5", -EINVAL, 0},
    {"5X", -EINVAL, 0},
    {"5MM", -EINVAL, 0},
    {"nan", -EINVAL, 0},
};

START_TEST(memory_sizes)
{
    uint64_t bytes = 0;
    ck_assert_int_eq(options_parse_size(sizes[_i].text, &bytes), sizes[_i].result);
    if (sizes[_i].result == 0)
        ck_assert_uint_eq(bytes, sizes[_i].bytes);
}
END_TEST

START_TEST(everything_at_once)
{
    struct options o;
    ck_assert_int_eq(
        parse(&o, "-m 64 -smp 1 -cpu pentium --kernel k -initrd i -append a -serial null "
                  "-serial none -serial pty -parallel file:p -no-reboot -no-shutdown -d int"),
        0);
    ck_assert_str_eq(o.vm.cpu_model, "pentium");
    ck_assert_str_eq(o.vm.kernel, "k");
    ck_assert_str_eq(o.vm.initrd, "i");
    ck_assert_str_eq(o.vm.append, "a");
    ck_assert_str_eq(o.vm.serial[0], "null");
    ck_assert_ptr_null(o.vm.serial[1]);
    ck_assert_str_eq(o.vm.serial[2], "pty");
    ck_assert_str_eq(o.vm.parallel, "file:p");
    ck_assert(o.vm.no_reboot && o.vm.no_shutdown);
    ck_assert_uint_eq(o.vm.log_items, LOG_INT);
}
END_TEST

START_TEST(firmware)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "-bios rom"), 0);
    ck_assert_str_eq(o.vm.bios, "rom");
    ck_assert_ptr_null(o.vm.kernel);
}
END_TEST

/* Without anything to boot it is the demo guest; a drive, -boot or -option-rom asks for the BIOS.
 */
START_TEST(booting_from_firmware)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "-m 64"), 0);
    ck_assert(!o.boots && o.vm.boot.order[0] == '\0');
    ck_assert_int_eq(parse(&o, "-boot dc"), 0);
    ck_assert(o.boots);
    ck_assert_str_eq(o.vm.boot.order, "dc");
    ck_assert_int_eq(parse(&o, "-boot order=n,once=ad,menu=on,splash-time=500"), 0);
    ck_assert_str_eq(o.vm.boot.order, "n");
    ck_assert_str_eq(o.vm.boot.once, "ad");
    ck_assert(o.vm.boot.menu);
    ck_assert_uint_eq(o.vm.boot.menu_ms, 500);
    ck_assert_int_eq(parse(&o, "-option-rom a -option-rom b"), 0);
    ck_assert(o.boots && o.vm.option_rom_count == 2);
    ck_assert_int_eq(parse(&o, "-fda disk"), 0);
    ck_assert(o.boots);
}
END_TEST

static const char *const wrong_boots[] = {
    "-boot x",          "-boot cc",       "-boot acdn",           "-boot once=",
    "-boot menu=maybe", "-boot order=c,", "-boot splash-time=9e", "-boot color=red",
};

START_TEST(wrong_boot_orders)
{
    struct options o;
    ck_assert_int_eq(parse(&o, wrong_boots[_i]), -EINVAL);
}
END_TEST

START_TEST(display_adapter)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "-m 64"), 0);
    ck_assert_int_eq(o.vm.vga, VGA_STD);
    ck_assert_int_eq(parse(&o, "-vga none -global VGA.romfile=rom"), 0);
    ck_assert_int_eq(o.vm.vga, VGA_NONE);
    ck_assert_str_eq(o.vm.vga_rom, "rom");
    ck_assert_int_eq(parse(&o, "-vga std"), 0);
}
END_TEST

START_TEST(debug_exit_properties)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "-device isa-debug-exit"), 0);
    ck_assert_uint_eq(o.debug_exit.iobase, 0x501);
    ck_assert_int_eq(parse(&o, "-device isa-debug-exit,iobase=0xf4,iosize=4"), 0);
    ck_assert(o.add[OPTIONAL_DEBUG_EXIT] && !o.add[OPTIONAL_PC_TESTDEV]);
    ck_assert_uint_eq(o.debug_exit.iobase, 0xf4);
    ck_assert_uint_eq(o.debug_exit.iosize, 4);
}
END_TEST

START_TEST(devices_add_up)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "-device pc-testdev -device isa-debug-exit"), 0);
    ck_assert(o.add[OPTIONAL_DEBUG_EXIT] && o.add[OPTIONAL_PC_TESTDEV]);
    ck_assert_uint_eq(o.debug_exit.iobase, 0x501);
}
END_TEST

static const struct {
    const char *line;
    unsigned count; /* without the empty drives that are always there */
    struct drive_config first;
} drives[] = {
    {"-hda a", 1, {.image = {.file = "a"}}},
    {"-hdb a", 1, {.index = 1, .image = {.file = "a"}}},
    {"-hdc a", 1, {.index = 2, .image = {.file = "a"}}},
    {"-hdd a,b", 1, {.index = 3, .image = {.file = "a,b"}}},
    {"-cdrom a", 1, {.index = 2, .media = DRIVE_CDROM, .image = {.file = "a"}}},
    {"-fda a -fdb b", 2, {.interface = DRIVE_FLOPPY, .image = {.file = "a"}}},
    {"-fdb b", 1, {.interface = DRIVE_FLOPPY, .index = 1, .image = {.file = "b"}}},
    {"-drive file=a", 1, {.image = {.file = "a"}}},
    {"-drive file=a,,b,,,format=raw", 1, {.image = {.file = "a,b,", .format = "raw"}}},
    {"-drive file=a,index=3 -drive file=b", 2, {.index = 3, .image = {.file = "a"}}},
    {"-drive file=a,bus=1,unit=1", 1, {.index = 3, .image = {.file = "a"}}},
    {"-drive file=a,unit=1", 1, {.index = 1, .image = {.file = "a"}}},
    {"-drive file=a,bus=1", 1, {.index = 2, .image = {.file = "a"}}},
    {"-drive media=cdrom,id=cd", 1, {.id = "cd", .media = DRIVE_CDROM}},
    {"-drive if=floppy,file=a,readonly=on",
     1,
     {.interface = DRIVE_FLOPPY, .image = {.file = "a", .readonly = true}}},
    {"-drive if=ide,file=a,read-only=on,snapshot=on,cache=unsafe,follow-backing=on",
     1,
     {.image = {.file = "a",
                .readonly = true,
                .snapshot = true,
                .cache = DISK_CACHE_UNSAFE,
                .follow_backing = true}}},
    {"-drive file=a,cache=none", 1, {.image = {.file = "a", .cache = DISK_CACHE_NONE}}},
    {"-drive file=a,discard=unmap", 1, {.image = {.file = "a"}, .unmap = true}},
    {"-drive file=a,werror=stop,rerror=ignore",
     1,
     {.image = {.file = "a"}, .on_read_error = DRIVE_IGNORE, .on_write_error = DRIVE_STOP}},
    {"-drive file=a,discard=ignore", 1, {.image = {.file = "a"}}},
    {"-snapshot -hda a", 1, {.image = {.file = "a", .snapshot = true}}},
    {"-snapshot -drive file=a,snapshot=off", 1, {.image = {.file = "a"}}},
    {"-snapshot -cdrom a", 1, {.index = 2, .media = DRIVE_CDROM, .image = {.file = "a"}}},
};

static void ck_assert_pstr(const char *a, const char *b)
{
    ck_assert((a == NULL) == (b == NULL));
    if (a != NULL)
        ck_assert_str_eq(a, b);
}

START_TEST(drives_are_placed)
{
    char line[200];
    struct options o;
    const struct drive_config *want = &drives[_i].first, *got;
    snprintf(line, sizeof(line), "-kernel k -nodefaults %s", drives[_i].line);
    ck_assert_msg(parse(&o, line) == 0, "%s", err);
    ck_assert_uint_eq(o.vm.drive_count, drives[_i].count);
    got = o.vm.drives;
    ck_assert_pstr(got->id, want->id);
    ck_assert_pstr(got->image.file, want->image.file);
    ck_assert_pstr(got->image.format, want->image.format);
    ck_assert_int_eq(got->interface, want->interface);
    ck_assert_uint_eq(got->index, want->index);
    ck_assert_int_eq(got->media, want->media);
    ck_assert_int_eq(got->image.readonly, want->image.readonly);
    ck_assert_int_eq(got->image.snapshot, want->image.snapshot);
    ck_assert_int_eq(got->image.cache, want->image.cache);
    ck_assert_int_eq(got->image.follow_backing, want->image.follow_backing);
    ck_assert_int_eq(got->unmap, want->unmap);
    ck_assert_int_eq(got->on_read_error, want->on_read_error);
    ck_assert_int_eq(got->on_write_error, want->on_write_error);
}
END_TEST

/* A PC has a CD-ROM and a floppy drive, empty unless somebody asks for something there. */
START_TEST(default_drives)
{
    struct options o;
    ck_assert_int_eq(parse(&o, ""), 0);
    ck_assert_uint_eq(o.vm.drive_count, 2);
    ck_assert_int_eq(o.vm.drives[0].media, DRIVE_CDROM);
    ck_assert_uint_eq(o.vm.drives[0].index, 2);
    ck_assert_int_eq(o.vm.drives[1].interface, DRIVE_FLOPPY);
    ck_assert_uint_eq(o.vm.drives[1].index, 0);
    ck_assert_int_eq(parse(&o, "-kernel k -hdc a -fda b"), 0);
    ck_assert_uint_eq(o.vm.drive_count, 2);
    ck_assert_str_eq(o.vm.drives[0].image.file, "a");
    ck_assert_int_eq(parse(&o, "-nodefaults"), 0);
    ck_assert_uint_eq(o.vm.drive_count, 0);
    ck_assert_ptr_null(o.vm.serial[0]);
    ck_assert_ptr_null(o.vm.parallel);
    ck_assert_int_eq(o.vm.vga, VGA_NONE);
    ck_assert_int_eq(parse(&o, "-nodefaults -vga std -serial null"), 0);
    ck_assert_int_eq(o.vm.vga, VGA_STD);
    ck_assert_str_eq(o.vm.serial[0], "null");
}
END_TEST

static void make_image(const char *name, off_t size, off_t at, const char *text)
{
    FILE *f = fopen(name, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(ftruncate(fileno(f), size), 0);
    ck_assert_int_eq(fseeko(f, at, SEEK_SET), 0);
    fputs(text, f);
    fclose(f);
}

static const struct {
    off_t size, at;
    const char *text;
    enum drive_if interface;
    unsigned index;
    enum drive_media media;
} guesses[] = {
    {1474560, 0, "", DRIVE_FLOPPY, 0, DRIVE_DISK},
    {163840, 0, "", DRIVE_FLOPPY, 0, DRIVE_DISK},
    {2949120, 0, "", DRIVE_FLOPPY, 0, DRIVE_DISK},
    {1600 << 10, 0, "", DRIVE_FLOPPY, 0, DRIVE_DISK},
    {1722 << 10, 0, "", DRIVE_FLOPPY, 0, DRIVE_DISK},
    {1743 << 10, 0, "", DRIVE_FLOPPY, 0, DRIVE_DISK},
    {1474560 + 512, 0, "", DRIVE_IDE, 0, DRIVE_DISK},
    {10 << 20, 0, "", DRIVE_IDE, 0, DRIVE_DISK},
    {10 << 20, 0x8001, "CD001", DRIVE_IDE, 2, DRIVE_CDROM},
    {10 << 20, 0x8000, "CD001", DRIVE_IDE, 0, DRIVE_DISK},
    {1474560, 0x8001, "CD001", DRIVE_IDE, 2, DRIVE_CDROM},
};

START_TEST(image_alone)
{
    char name[] = "/tmp/calque-image-XXXXXX", line[100];
    struct options o;
    int fd = mkstemp(name);
    ck_assert_int_ge(fd, 0);
    close(fd);
    make_image(name, guesses[_i].size, guesses[_i].at, guesses[_i].text);
    snprintf(line, sizeof(line), "-kernel k %s", name);
    ck_assert_int_eq(parse(&o, line), 0);
    unlink(name);
    ck_assert_str_eq(o.vm.drives[0].image.file, name);
    ck_assert_int_eq(o.vm.drives[0].interface, guesses[_i].interface);
    ck_assert_uint_eq(o.vm.drives[0].index, guesses[_i].index);
    ck_assert_int_eq(o.vm.drives[0].media, guesses[_i].media);
}
END_TEST

/* Each is refused with a text that names what was wrong. */
static const struct {
    const char *line, *names;
} mistakes[] = {
    {"-bogus", "-bogus"},
    {"disk.img", "disk.img"},
    {"-hda a -hda b", "-hda b"},
    {"-cdrom a -hdc b", "-hdc b"},
    {"-drive if=virtio,file=a", "virtio"},
    {"-drive file=a,index=4", "index=4"},
    {"-drive file=a,index=-1", "index=-1"},
    {"-drive file=a,index=1,unit=1", "index="},
    {"-drive file=a,unit=2", "unit=2"},
    {"-drive file=a,bus=2", "bus=2"},
    {"-drive if=floppy,index=2", "index=2"},
    {"-drive index=0", "file="},
    {"-drive file=", "file="},
    {"-drive if=floppy,media=cdrom", "if=ide"},
    {"-drive media=tape", "tape"},
    {"-drive file=a,cache=warm", "warm"},
    {"-drive file=a,discard=maybe", "maybe"},
    {"-drive file=a,werror=never", "never"},
    {"-drive file=a,rerror=enospc", "enospc"},
    {"-drive file=a,readonly=maybe", "maybe"},
    {"-drive file=a,readonly", "readonly"},
    {"-drive file=a,color=red", "color=red"},
    {"-drive id=,file=a", "id="},
    {"-hda", "-hda"},
    {"-", "-"},
    {"-m", "-m"},
    {"-m lots", "lots"},
    {"-smp 2", "2"},
    {"-vga cirrus", "cirrus"},
    {"-global VGA.edid=off", "edid"},
    {"-smp cpus=9", "cpus=9"},
    {"-device toaster", "toaster"},
    {"-device isa-debug-exit,color=1", "isa-debug-exit"},
    {"-device isa-debug-exit,iobase=0x10000", "isa-debug-exit"},
    {"-device isa-debug-exit,iosize=0", "isa-debug-exit"},
    {"-device pc-testdev,iobase=1", "no properties"},
    {"-device pc-testdev -device pc-testdev", "one"},
    {"-device pc-test", "unknown"},
    {"-device isa-debug-exit -device isa-debug-exit", "isa-debug-exit"},
    {"-d gossip", "gossip"},
    {"-d int,gossip,exec", "gossip"},
    {"-accel kvm", "kvm"},
    {"-accel jitter", "jitter"},
    {"-accel jit,tb-size=0", "tb-size"},
    {"-accel jit,tb-size=1025", "tb-size"},
    {"-accel jit,tb-size=", "tb-size"},
    {"-accel jit,color=1", "tb-size="},
    {"-accel jit,checks=maybe", "checks=host"},
    {"-accel interp,tb-size=1", "interp,tb-size=1"},
    {"-machine q35", "q35"},
    {"-initrd x", "-kernel"},
    {"-bios x -kernel y", "-bios"},
    {"-bios", "-bios"},
    {"-serial null -serial null -serial null -serial null -serial null", "4"},
    {"-parallel null -parallel none", "only one"},
};

static const struct {
    const char *line;
    enum vm_accel accel;
    uint64_t code_bytes;
} accels[] = {
    {"-accel interp", ACCEL_INTERP, 0},
    {"-accel jit", ACCEL_JIT, 0},
    {"-accel jit,tb-size=1", ACCEL_JIT, 1 << 20},
    {"-accel jit,tb-size=1024", ACCEL_JIT, 1 << 30},
    {"-accel jit -accel interp", ACCEL_BEST, 0},
    {"-accel jit,tb-size=32 -accel interp -accel interp", ACCEL_BEST, 32 << 20},
    {"-accel interp -accel jit", ACCEL_INTERP, 0},
    {"-accel jit -accel jit", ACCEL_JIT, 0},
};

START_TEST(accelerators_in_order)
{
    struct options o;
    ck_assert_int_eq(parse(&o, accels[_i].line), 0);
    ck_assert_int_eq(o.vm.accel, accels[_i].accel);
    ck_assert_uint_eq(o.vm.jit.code_bytes, accels[_i].code_bytes);
}
END_TEST

static const struct {
    const char *words;
    const char *serial, *monitor; /* NULL: none */
} terminals[] = {
    {"", "mon:stdio", NULL},
    {"-nographic", "mon:stdio", NULL},
    {"-monitor unix:m,server,nowait", "mon:stdio", "unix:m,server,nowait"},
    {"-monitor stdio", "null", "stdio"},
    {"-monitor none", "mon:stdio", NULL},
    {"-nographic -monitor none", "stdio", NULL},
    {"-nographic -serial pty", "pty", "stdio"},
    {"-nographic -serial stdio", "stdio", NULL},
    {"-nographic -serial pty -monitor vc", "pty", NULL},
    {"-nographic -serial pty -debugcon stdio", "pty", NULL},
    {"-nographic -serial pty -parallel mon:stdio", "pty", NULL},
    {"-monitor mon:stdio", "null", "mon:stdio"},
    {"-serial none", NULL, NULL},
};

START_TEST(terminal_is_given_away_once)
{
    struct options o;
    ck_assert_int_eq(parse(&o, terminals[_i].words), 0);
    ck_assert_pstr_eq(o.vm.serial[0], terminals[_i].serial);
    ck_assert_uint_eq(o.monitor_count, terminals[_i].monitor != NULL);
    ck_assert_pstr_eq(o.monitors[0], terminals[_i].monitor);
}
END_TEST

/* A VNC server has no page for it; a program without one says that first. */
START_TEST(a_monitor_needs_a_page)
{
    bool has_vnc = screen_kind_named("vnc", 3)->cls != NULL;
    struct options o;
    ck_assert_int_eq(parse(&o, "-monitor vc -vnc :1"), -EINVAL);
    ck_assert_msg(strstr(err, has_vnc ? "curses" : "libvncserver") != NULL, "%s", err);
}
END_TEST

START_TEST(mistakes_are_named)
{
    struct options o;
    ck_assert_int_eq(parse(&o, mistakes[_i].line), -EINVAL);
    ck_assert_msg(strstr(err, mistakes[_i].names) != NULL, "%s", err);
    ck_assert_ptr_null(strchr(err, '\n'));
}
END_TEST

START_TEST(questions)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "-help"), 0);
    ck_assert_int_eq(o.ask, ASK_HELP);
    ck_assert_int_eq(parse(&o, "-cpu help"), 0);
    ck_assert_int_eq(o.ask, ASK_CPUS);
    ck_assert_int_eq(parse(&o, "-d help"), 0);
    ck_assert_int_eq(o.ask, ASK_LOG_ITEMS);
    ck_assert_int_eq(parse(&o, "-device help"), 0);
    ck_assert_int_eq(o.ask, ASK_DEVICES);
    ck_assert_int_eq(parse(&o, "-accel help"), 0);
    ck_assert_int_eq(o.ask, ASK_ACCELS);
    ck_assert_int_eq(parse(&o, "--version"), 0);
    ck_assert_int_eq(o.ask, ASK_VERSION);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("options");
    TCase *t = tcase_create("options");
    tcase_add_loop_test(t, terminal_is_given_away_once, 0,
                        sizeof(terminals) / sizeof(terminals[0]));
    tcase_add_test(t, defaults);
    tcase_add_loop_test(t, memory_sizes, 0, sizeof(sizes) / sizeof(sizes[0]));
    tcase_add_test(t, everything_at_once);
    tcase_add_test(t, firmware);
    tcase_add_test(t, booting_from_firmware);
    tcase_add_loop_test(t, wrong_boot_orders, 0, sizeof(wrong_boots) / sizeof(wrong_boots[0]));
    tcase_add_test(t, display_adapter);
    tcase_add_test(t, debug_exit_properties);
    tcase_add_test(t, devices_add_up);
    tcase_add_loop_test(t, accelerators_in_order, 0, sizeof(accels) / sizeof(accels[0]));
    tcase_add_test(t, a_monitor_needs_a_page);
    tcase_add_loop_test(t, mistakes_are_named, 0, sizeof(mistakes) / sizeof(mistakes[0]));
    tcase_add_loop_test(t, drives_are_placed, 0, sizeof(drives) / sizeof(drives[0]));
    tcase_add_test(t, default_drives);
    tcase_add_loop_test(t, image_alone, 0, sizeof(guesses) / sizeof(guesses[0]));
    tcase_add_test(t, questions);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
