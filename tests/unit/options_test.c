/* SPDX-License-Identifier: MIT */
/* The command line: values, defaults, and what is refused. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/options.h"

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
    ck_assert_int_eq(parse(&o,
                           "-m 64 -smp 1 -cpu pentium --kernel k -initrd i -append a -serial null "
                           "-serial none -serial pty -no-reboot -no-shutdown -d int"),
                     0);
    ck_assert_str_eq(o.vm.cpu_model, "pentium");
    ck_assert_str_eq(o.vm.kernel, "k");
    ck_assert_str_eq(o.vm.initrd, "i");
    ck_assert_str_eq(o.vm.append, "a");
    ck_assert_str_eq(o.vm.serial[0], "null");
    ck_assert_ptr_null(o.vm.serial[1]);
    ck_assert_str_eq(o.vm.serial[2], "pty");
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

/* Each is refused with a text that names what was wrong. */
static const struct {
    const char *line, *names;
} mistakes[] = {
    {"-bogus", "-bogus"},
    {"disk.img", "disk.img"},
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
    tcase_add_test(t, defaults);
    tcase_add_loop_test(t, memory_sizes, 0, sizeof(sizes) / sizeof(sizes[0]));
    tcase_add_test(t, everything_at_once);
    tcase_add_test(t, firmware);
    tcase_add_test(t, display_adapter);
    tcase_add_test(t, debug_exit_properties);
    tcase_add_test(t, devices_add_up);
    tcase_add_loop_test(t, accelerators_in_order, 0, sizeof(accels) / sizeof(accels[0]));
    tcase_add_loop_test(t, mistakes_are_named, 0, sizeof(mistakes) / sizeof(mistakes[0]));
    tcase_add_test(t, questions);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
