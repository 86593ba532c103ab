/* SPDX-License-Identifier: MIT */
/* Parsing of the command line into a machine's configuration. */
#ifndef FRONTEND_OPTIONS_H
#define FRONTEND_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/debug_exit.h"
#include "frontend/drives.h"
#include "frontend/nets.h"
#include "frontend/screens.h"
#include "vmm/vm.h"

#define OPTIONS_ERR_LEN  512
#define OPTIONS_MONITORS 4

/* What a question asks for instead of a machine. */
enum question {
    ASK_NOTHING,
    ASK_HELP,
    ASK_VERSION,
    ASK_CPUS,
    ASK_DEVICES,
    ASK_ACCELS,
    ASK_LOG_ITEMS,
    ASK_SCREENS
};

/* Devices that are not on the board: what -device may name. */
enum optional_device { OPTIONAL_DEBUG_EXIT, OPTIONAL_PC_TESTDEV, OPTIONAL_COUNT };
extern const struct device_class *const optional_devices[OPTIONAL_COUNT];

struct options {
    struct vm_config vm; /* strings point into argv, drives into this; log is left to the caller */
    enum question ask;
    bool accel_given;     /* -accel seen */
    const char *log_file; /* -D, or NULL */
    bool add[OPTIONAL_COUNT];
    struct debug_exit_cfg debug_exit;
    unsigned serial_count; /* -serial options seen */
    bool boots;            /* from firmware: a drive, -boot or -option-rom was given */
    bool parallel_given;   /* -parallel seen */
    struct drive_set drives;
    bool snapshot, no_defaults, vga_given;  /* -snapshot, -nodefaults, -vga seen */
    bool nographic;                         /* -nographic seen */
    bool monitor_given, monitor_vc;         /* -monitor, -monitor vc seen */
    const char *monitors[OPTIONS_MONITORS]; /* chardev specs */
    unsigned monitor_count;
    struct screen_wish screens[SCREENS_MAX]; /* -display and -vnc; none: headless */
    unsigned screen_count;
    struct net_set nets;
};

/* 0, or -EINVAL with one line of text in err. Stops at the first question. */
int options_parse(struct options *o, int argc, char **argv, char err[OPTIONS_ERR_LEN]);

/* "128", "64M", "1.5G" (also "size=..."): bytes, a multiple of 4 KiB. 0 or -EINVAL, -ERANGE. */
int options_parse_size(const char *text, uint64_t *bytes);

/* Print all options with their help. */
void options_print_help(FILE *out);

#endif
