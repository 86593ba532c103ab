/* SPDX-License-Identifier: MIT */
/* Drives and their media at the monitor: info block, change, eject. */
#include <inttypes.h>
#include <string.h>

#include "frontend/monitor.h"
#include "vmm/drive.h"
#include "vmm/vm.h"

static void say_drive(struct session *s, struct drive *d)
{
    const char *file = drive_file(d);

    if (file == NULL)
        say(s, "%s: [not inserted]\n", drive_id(d));
    else
        say(s, "%s: %s (%s%s), %" PRIu64 " bytes\n", drive_id(d), file, drive_format(d),
            drive_readonly(d) ? ", read-only" : "", drive_bytes(d));
    if (drive_error(d) != 0)
        say(s, "    I/O status: %s\n", strerror(drive_error(d)));
    if (drive_is_removable(d))
        say(s, "    Removable device: %slocked, tray %s\n", drive_tray_is_locked(d) ? "" : "not ",
            drive_tray_is_open(d) ? "open" : "closed");
}

void monitor_block(struct session *s, const struct monitor_arg *args)
{
    struct drive *d = NULL;

    (void)args;
    vm_lock(s->vm);
    while ((d = drive_next(s->vm, d)) != NULL)
        say_drive(s, d);
    vm_unlock(s->vm);
}

/* The drive that a command is about; machine lock held. */
static struct drive *find(struct session *s, const char *id)
{
    struct drive *d = drive_by_id(s->vm, id);

    if (d == NULL)
        say(s, "no such drive: '%.60s' (info block)\n", id);
    else if (!drive_is_removable(d))
        say(s, "%s: its medium can't be changed\n", id);
    else
        return d;
    return NULL;
}

void monitor_change(struct session *s, const struct monitor_arg *args)
{
    char err[DRIVE_ERR_LEN];
    struct drive *d;

    vm_lock(s->vm);
    d = find(s, args[1].text);
    if (d != NULL) {
        struct disk_options o = *drive_options(d);

        o.file = args[2].text;
        o.format = args[3].given ? args[3].text : NULL;
        if (drive_change(d, &o, args[0].given, err) != 0)
            say(s, "%s\n", err);
    }
    vm_unlock(s->vm);
}

void monitor_eject(struct session *s, const struct monitor_arg *args)
{
    char err[DRIVE_ERR_LEN];
    struct drive *d;

    vm_lock(s->vm);
    d = find(s, args[1].text);
    if (d != NULL && drive_eject(d, args[0].given, err) != 0)
        say(s, "%s\n", err);
    vm_unlock(s->vm);
}
