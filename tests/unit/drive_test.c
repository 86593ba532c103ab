/* SPDX-License-Identifier: MIT */
/* Drives: names and places, requests and their order, cancelling, media, and that a pause and the
 * end of the machine carry out and flush what was asked for. */
#include <errno.h>
#include <sys/syscall.h>

#include "tests/unit/disk_files.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define IMAGE_BYTES (UINT64_C(1) << 20)
#define REQUESTS    64

/* What writes to images and waiting for the disk fail with; 0: they don't. */
static atomic_int write_error, sync_error;

ssize_t pwrite(int fd, const void *buf, size_t n, off_t off)
{
    errno = atomic_load(&write_error);
    return errno != 0 ? -1 : syscall(SYS_pwrite64, fd, buf, n, off);
}

int fdatasync(int fd)
{
    errno = atomic_load(&sync_error);
    return errno != 0 ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* A machine without a board, whose results are handed over when the test says so. */
static struct vm *machine(const struct drive_config *drives, unsigned count)
{
    struct vm_config cfg = {.drives = drives, .drive_count = count};
    struct vm *vm = fake_vm_with(&cfg, NULL);

    vm_lock(vm);
    return vm;
}

static void destroy(struct vm *vm)
{
    vm_unlock(vm);
    vm_destroy(vm);
}

static void setup(void)
{
    enter_folder();
    fake_guest = NULL;
    make_file("a", "first", 5, IMAGE_BYTES);
    make_file("b", "second", 6, IMAGE_BYTES / 2);
    make_file("c", "third", 5, IMAGE_BYTES / 4);
}

#define RAW(name)                                                                                  \
    {                                                                                              \
        .file = name, .format = "raw"                                                              \
    }

/* -- Who is there ------------------------------------------------------------------------------ */

START_TEST(names_and_places)
{
    const struct drive_config cfg[] = {
        {.interface = DRIVE_IDE, .index = 1, .image = RAW("a")},
        {.interface = DRIVE_IDE, .index = 2, .media = DRIVE_CDROM},
        {.interface = DRIVE_FLOPPY, .index = 0, .image = {.file = "b"}},
        {.id = "mine", .interface = DRIVE_IDE, .index = 0, .image = RAW("c")},
    };
    static const char *const ids[] = {"ide0-hd1", "ide1-cd0", "floppy0", "mine"};
    struct vm *vm = machine(cfg, 4);
    struct drive *d = NULL;

    for (unsigned k = 0; k < 4; k++) {
        d = drive_next(vm, d);
        ck_assert_str_eq(drive_id(d), ids[k]);
        ck_assert_ptr_eq(drive_by_id(vm, ids[k]), d);
        ck_assert_ptr_eq(drive_find(vm, cfg[k].interface, cfg[k].index), d);
        ck_assert_int_eq(drive_is_cdrom(d), k == 1);
        ck_assert_int_eq(drive_is_removable(d), k == 1 || k == 2);
        ck_assert_int_eq(drive_present(d), k != 1);
    }
    ck_assert_ptr_null(drive_next(vm, d));
    ck_assert_ptr_null(drive_find(vm, DRIVE_IDE, 3));
    ck_assert_ptr_null(drive_by_id(vm, "ide0-hd0"));

    d = drive_find(vm, DRIVE_IDE, 1);
    ck_assert_uint_eq(drive_bytes(d), IMAGE_BYTES);
    ck_assert_str_eq(drive_file(d), "a");
    ck_assert_str_eq(drive_format(d), "raw");
    ck_assert(!drive_readonly(d));
    ck_assert_ptr_null(drive_warning(d));
    d = drive_find(vm, DRIVE_IDE, 2);
    ck_assert_uint_eq(drive_bytes(d), 0);
    ck_assert(drive_readonly(d));
    ck_assert_ptr_null(drive_file(d));
    ck_assert_ptr_null(drive_format(d));
    ck_assert_ptr_nonnull(drive_warning(drive_find(vm, DRIVE_FLOPPY, 0)));
    destroy(vm);
}
END_TEST

static const struct {
    struct drive_config cfg[2];
    unsigned count;
    const char *text;
} mistakes[] = {
    {{{.image = RAW("none")}}, 1, "none"},
    {{{.image = RAW("a")}, {.image = RAW("b")}}, 2, "place"},
    {{{.image = RAW("a")}, {.index = 1, .image = RAW("a")}}, 2, "a:"},
    {{{.id = "x", .image = RAW("a")}, {.id = "x", .index = 1, .image = RAW("b")}}, 2, "name"},
    {{{.index = 0}}, 1, "no image"},
    {{{.index = 4, .image = RAW("a")}}, 1, "no place"},
    {{{.interface = DRIVE_FLOPPY, .index = 2}}, 1, "floppy2"},
};

START_TEST(mistakes_are_named)
{
    static const struct board_row no_rows[1];
    static const struct board empty = {"empty", no_rows};
    const struct vm_config cfg = {.ram_bytes = VM_MIN_RAM,
                                  .cpus = 1,
                                  .drives = mistakes[_i].cfg,
                                  .drive_count = mistakes[_i].count};
    char err[VM_ERR_LEN];
    struct vm *vm;

    ck_assert_int_lt(vm_create(&vm, &cfg, &empty, err), 0);
    ck_assert_msg(strstr(err, mistakes[_i].text) != NULL, "%s", err);
    ck_assert_ptr_null(strchr(err, '\n'));
}
END_TEST

/* -- Requests ---------------------------------------------------------------------------------- */

struct notes {
    struct drive_request r[REQUESTS];
    uint8_t buf[REQUESTS][4096];
    unsigned done[REQUESTS], count; /* in the order of completion */
    int err[REQUESTS];
};

static void note(void *dev, struct drive_request *r, int err)
{
    struct notes *l = dev;
    unsigned k = (unsigned)(r - l->r);

    ck_assert(!r->pending);
    l->done[l->count++] = k;
    l->err[k] = err;
}

static void submit(struct drive *d, struct notes *l, unsigned k, enum drive_op op, uint64_t off)
{
    l->r[k] = (struct drive_request){
        .op = op, .off = off, .buf = l->buf[k], .n = sizeof(l->buf[k]), .done = note, .dev = l};
    drive_submit(d, &l->r[k]);
    ck_assert(l->r[k].pending);
}

static int request(struct vm *vm, struct drive *d, struct notes *l, enum drive_op op, uint64_t off)
{
    l->count = 0;
    submit(d, l, 0, op, off);
    drives_drain(vm);
    ck_assert_uint_eq(l->count, 1);
    return l->err[0];
}

START_TEST(requests_in_order)
{
    const struct drive_config cfg = {.image = RAW("a")};
    struct vm *vm = machine(&cfg, 1);
    struct drive *d = drive_find(vm, DRIVE_IDE, 0);
    struct notes *l = calloc(1, sizeof(*l));

    /* Writes, and a read of each behind it, all at once. */
    for (unsigned k = 0; k < REQUESTS; k++) {
        memset(l->buf[k], (int)(k & 1 ? 0 : k + 1), sizeof(l->buf[k]));
        submit(d, l, k, k & 1 ? DRIVE_READ : DRIVE_WRITE, k / 2 * 4096 + 4096);
    }
    ck_assert_uint_eq(l->count, 0); /* nothing comes but by drain or the I/O thread */
    drives_drain(vm);
    ck_assert_uint_eq(l->count, REQUESTS);
    for (unsigned k = 0; k < REQUESTS; k++) {
        ck_assert_uint_eq(l->done[k], k);
        ck_assert_int_eq(l->err[k], 0);
        if (k & 1)
            ck_assert_mem_eq(l->buf[k], l->buf[k - 1], sizeof(l->buf[k]));
    }
    ck_assert_int_eq(request(vm, d, l, DRIVE_FLUSH, 0), 0);
    ck_assert_int_eq(request(vm, d, l, DRIVE_DISCARD, 4096), 0);
    ck_assert_int_eq(request(vm, d, l, DRIVE_READ, 0), 0);
    ck_assert_mem_eq(l->buf[0], "first", 5);
    l->r[0].sync = true;
    ck_assert_int_eq(request(vm, d, l, DRIVE_WRITE, 0), 0);
    destroy(vm);
    free(l);
}
END_TEST

START_TEST(errors)
{
    const struct drive_config cfg[] = {
        {.image = RAW("a")},
        {.index = 2, .media = DRIVE_CDROM, .image = RAW("b")},
        {.interface = DRIVE_FLOPPY},
        {.interface = DRIVE_FLOPPY, .index = 1, .image = {.file = "c", .readonly = true}},
    };
    struct vm *vm = machine(cfg, 4);
    struct drive *cd = drive_find(vm, DRIVE_IDE, 2), *empty = drive_find(vm, DRIVE_FLOPPY, 0);
    struct notes *l = calloc(1, sizeof(*l));

    ck_assert_int_eq(request(vm, drive_find(vm, DRIVE_IDE, 0), l, DRIVE_READ, IMAGE_BYTES),
                     -EINVAL);
    ck_assert_int_eq(request(vm, cd, l, DRIVE_READ, 0), 0);
    ck_assert_mem_eq(l->buf[0], "second", 6);
    ck_assert_int_eq(request(vm, cd, l, DRIVE_WRITE, 0), -EACCES);
    ck_assert_int_eq(request(vm, drive_find(vm, DRIVE_FLOPPY, 1), l, DRIVE_WRITE, 0), -EACCES);
    ck_assert_int_eq(request(vm, empty, l, DRIVE_READ, 0), -ENOMEDIUM);
    ck_assert_int_eq(request(vm, empty, l, DRIVE_FLUSH, 0), -ENOMEDIUM);
    ck_assert(drive_readonly(cd));
    destroy(vm);
    free(l);
}
END_TEST

/* -- When the host fails ----------------------------------------------------------------------- */

static const struct {
    enum drive_policy policy;
    int error, heard; /* heard 1: nothing, the machine is paused */
} troubles[] = {
    {DRIVE_STOP_IF_FULL, ENOSPC, 1},
    {DRIVE_STOP_IF_FULL, EDQUOT, 1},
    {DRIVE_STOP_IF_FULL, EIO, -EIO},
    {DRIVE_REPORT, ENOSPC, -ENOSPC},
    {DRIVE_STOP, EIO, 1},
    {DRIVE_STOP, ENOSPC, 1},
    {DRIVE_IGNORE, EIO, 0},
    {DRIVE_STOP, EACCES, -EACCES},
};

START_TEST(troubles_of_the_host)
{
    const struct drive_config cfg = {.image = RAW("a"), .on_write_error = troubles[_i].policy};
    struct vm *vm = machine(&cfg, 1);
    struct drive *d = drive_find(vm, DRIVE_IDE, 0);
    struct notes *l = calloc(1, sizeof(*l));
    bool stops = troubles[_i].heard == 1;

    memset(l->buf[0], 7, sizeof(l->buf[0]));
    atomic_store(&write_error, troubles[_i].error);
    submit(d, l, 0, DRIVE_WRITE, 0);
    submit(d, l, 1, DRIVE_READ, 0);
    drives_drain(vm);
    ck_assert_int_eq(vm_is_paused(vm), stops);
    ck_assert_int_eq(drive_error(d), stops ? troubles[_i].error : 0);
    ck_assert_uint_eq(l->count, stops ? 0 : 2);
    drives_retry(vm);
    drives_drain(vm);
    ck_assert_uint_eq(l->count, stops ? 0 : 2);
    atomic_store(&write_error, 0);
    if (stops) {
        drives_retry(vm);
        drives_drain(vm);
        ck_assert_uint_eq(l->done[0], 0);
        ck_assert_int_eq(l->err[0], 0);
        ck_assert_mem_eq(l->buf[1], l->buf[0], sizeof(l->buf[0]));
    } else {
        ck_assert_int_eq(l->err[0], troubles[_i].heard);
    }
    ck_assert_uint_eq(l->count, 2);
    ck_assert_int_eq(l->err[1], 0);
    ck_assert_int_eq(drive_error(d), 0);
    destroy(vm);
    free(l);
}
END_TEST

/* What waits is in the way of nothing that ends it. */
START_TEST(waiting_requests_end)
{
    const struct drive_config cfg = {.interface = DRIVE_FLOPPY, .image = RAW("a")};
    const struct disk_options b = RAW("b");
    struct vm *vm = machine(&cfg, 1);
    struct drive *d = drive_find(vm, DRIVE_FLOPPY, 0);
    struct notes *l = calloc(1, sizeof(*l));
    char err[DRIVE_ERR_LEN] = "";

    atomic_store(&write_error, ENOSPC);
    submit(d, l, 0, DRIVE_WRITE, 0);
    drives_drain(vm);
    ck_assert_int_eq(drive_change(d, &b, true, err), -EBUSY);
    ck_assert_int_eq(drive_eject(d, true, err), -EBUSY);
    ck_assert_int_lt(drives_flush(vm), 0);
    ck_assert_ptr_nonnull(strstr(vm_error(vm), "No space"));
    drive_cancel(d, &l->r[0]);
    ck_assert_int_eq(drive_error(d), 0);
    ck_assert_int_eq(request(vm, d, l, DRIVE_READ, 0), 0);
    submit(d, l, 0, DRIVE_WRITE, 0);
    drives_drain(vm);
    drive_attach(d, NULL, NULL);
    ck_assert(!l->r[0].pending);
    ck_assert_int_eq(drive_eject(d, false, err), 0);
    destroy(vm);
    free(l);
}
END_TEST

/* Cancelled ones are never heard of again, whatever the worker was at; buffers may go. */
START_TEST(cancelled)
{
    const struct drive_config cfg = {.image = RAW("a")};
    struct vm *vm = machine(&cfg, 1);
    struct drive *d = drive_find(vm, DRIVE_IDE, 0);

    for (unsigned round = 0; round < 200; round++) {
        struct notes *l = calloc(1, sizeof(*l));
        unsigned first = round % 7, expected;

        for (unsigned k = 0; k < REQUESTS; k++)
            submit(d, l, k, round & 1 ? DRIVE_WRITE : DRIVE_READ, k * 4096);
        if (round % 4 == 0)
            drives_complete(vm);
        expected = l->count > first ? l->count : first;
        for (unsigned k = first; k < REQUESTS; k++) {
            drive_cancel(d, &l->r[k]);
            ck_assert(!l->r[k].pending);
            drive_cancel(d, &l->r[k]);
        }
        drives_drain(vm);
        ck_assert_uint_eq(l->count, expected);
        free(l);
    }
    destroy(vm);
}
END_TEST

/* -- Media ------------------------------------------------------------------------------------- */

struct listener {
    unsigned changes, wishes;
};

static void heard_change(void *dev)
{
    ((struct listener *)dev)->changes++;
}

static void heard_wish(void *dev)
{
    ((struct listener *)dev)->wishes++;
}

static const struct drive_ops listener_ops = {heard_change, heard_wish};

START_TEST(other_media)
{
    const struct drive_config cfg = {.index = 2, .media = DRIVE_CDROM, .image = RAW("a")};
    const struct disk_options b = RAW("b"), none = RAW("none");
    struct vm *vm = machine(&cfg, 1);
    struct drive *d = drive_find(vm, DRIVE_IDE, 2);
    struct notes *l = calloc(1, sizeof(*l));
    struct listener heard = {0};
    char err[DRIVE_ERR_LEN] = "";

    drive_attach(d, &listener_ops, &heard);
    submit(d, l, 1, DRIVE_READ, 0); /* of the old medium, though the result comes later */
    ck_assert_int_eq(drive_change(d, &b, false, err), 0);
    ck_assert_uint_eq(heard.changes, 1);
    ck_assert_uint_eq(drive_bytes(d), IMAGE_BYTES / 2);
    ck_assert_str_eq(drive_file(d), "b");
    drives_drain(vm);
    ck_assert_mem_eq(l->buf[1], "first", 5);
    ck_assert_int_eq(request(vm, d, l, DRIVE_READ, 0), 0);
    ck_assert_mem_eq(l->buf[0], "second", 6);

    ck_assert_int_lt(drive_change(d, &none, false, err), 0);
    ck_assert_ptr_nonnull(strstr(err, "none"));
    ck_assert_str_eq(drive_file(d), "b");
    ck_assert_uint_eq(heard.changes, 1);

    ck_assert_int_eq(drive_eject(d, false, err), 0);
    ck_assert_uint_eq(heard.changes, 2);
    ck_assert(!drive_present(d) && drive_tray_is_open(d));
    ck_assert_ptr_null(drive_file(d));
    ck_assert_int_eq(request(vm, d, l, DRIVE_READ, 0), -ENOMEDIUM);
    ck_assert_int_eq(drive_change(d, &b, false, err), 0);
    ck_assert(drive_present(d) && !drive_tray_is_open(d));
    destroy(vm);
    free(l);
}
END_TEST

/* The user has made the file anew, or wants it read in another way. */
START_TEST(same_medium_again)
{
    const struct drive_config cfg = {.interface = DRIVE_FLOPPY, .image = RAW("a")};
    struct disk_options o = RAW("./a");
    struct vm *vm = machine(&cfg, 1);
    struct drive *d = drive_find(vm, DRIVE_FLOPPY, 0);
    struct notes *l = calloc(1, sizeof(*l));
    struct listener heard = {0};
    char err[DRIVE_ERR_LEN] = "";

    drive_attach(d, &listener_ops, &heard);
    strcpy((char *)l->buf[0], "other");
    ck_assert_int_eq(request(vm, d, l, DRIVE_WRITE, 0), 0);
    ck_assert_msg(drive_change(d, &o, false, err) == 0, "%s", err);
    ck_assert_uint_eq(heard.changes, 1);
    memset(l->buf[0], 0, sizeof(l->buf[0]));
    ck_assert_int_eq(request(vm, d, l, DRIVE_READ, 0), 0);
    ck_assert_str_eq((char *)l->buf[0], "other");

    o.format = "qcow2"; /* which it is not: it stays as it was */
    ck_assert_int_lt(drive_change(d, &o, false, err), 0);
    ck_assert_uint_eq(heard.changes, 1);
    ck_assert_str_eq(drive_format(d), "raw");
    ck_assert_int_eq(request(vm, d, l, DRIVE_WRITE, 0), 0);
    destroy(vm);
    free(l);
}
END_TEST

/* What the guest wrote to the old medium comes first. */
START_TEST(unwritten_media_stay)
{
    const struct drive_config cfg = {.interface = DRIVE_FLOPPY, .image = RAW("a")};
    const struct disk_options b = RAW("b");
    struct vm *vm = machine(&cfg, 1);
    struct drive *d = drive_find(vm, DRIVE_FLOPPY, 0);
    struct notes *l = calloc(1, sizeof(*l));
    char err[DRIVE_ERR_LEN] = "";

    ck_assert_int_eq(request(vm, d, l, DRIVE_WRITE, 0), 0);
    atomic_store(&sync_error, EIO);
    ck_assert_int_eq(drive_change(d, &b, false, err), -EIO);
    ck_assert_str_eq(drive_file(d), "a");
    atomic_store(&sync_error, 0);
    ck_assert_int_eq(drive_change(d, &b, false, err), 0);
    ck_assert_str_eq(drive_file(d), "b");
    destroy(vm);
    free(l);
}
END_TEST

START_TEST(locked_tray)
{
    const struct drive_config cfg[] = {{.index = 2, .media = DRIVE_CDROM, .image = RAW("a")},
                                       {.index = 0, .image = RAW("c")}};
    const struct disk_options b = RAW("b");
    struct vm *vm = machine(cfg, 2);
    struct drive *d = drive_find(vm, DRIVE_IDE, 2);
    struct listener heard = {0};
    char err[DRIVE_ERR_LEN] = "";

    ck_assert_int_eq(drive_eject(drive_find(vm, DRIVE_IDE, 0), true, err), -ENOTSUP);
    drive_attach(d, &listener_ops, &heard);
    drive_lock_tray(d, true);
    ck_assert(drive_tray_is_locked(d));
    ck_assert_int_eq(drive_change(d, &b, false, err), -EBUSY);
    ck_assert_ptr_nonnull(strstr(err, "ide1-cd0"));
    ck_assert_int_eq(drive_eject(d, false, err), -EBUSY);
    ck_assert_uint_eq(heard.wishes, 2);
    ck_assert_uint_eq(heard.changes, 0);
    ck_assert(drive_present(d));
    drive_move_tray(d, true); /* the guest gives it out: the medium lies in the open tray */
    ck_assert(!drive_present(d));
    ck_assert_uint_eq(drive_bytes(d), IMAGE_BYTES);
    drive_move_tray(d, false);
    ck_assert(drive_present(d));
    ck_assert_int_eq(drive_eject(d, true, err), 0);
    ck_assert_uint_eq(heard.changes, 1);
    destroy(vm);
}
END_TEST

/* -- In a running machine ---------------------------------------------------------------------- */

/* A device that copies its drive block by block, each request made by the result of the one before.
 */
struct copier {
    struct device dev;
    struct drive *d;
    struct drive_request r;
    unsigned blocks; /* to go */
    bool writing;
    uint8_t buf[4096];
};

#define COPIED 40

static void copier_done(void *dev, struct drive_request *r, int err)
{
    struct copier *s = dev;

    ck_assert_int_eq(err, 0);
    s->writing = !s->writing;
    if (s->writing) {
        r->op = DRIVE_WRITE;
        r->off += IMAGE_BYTES / 2;
    } else {
        r->op = DRIVE_READ;
        r->off -= IMAGE_BYTES / 2 - 4096;
        if (--s->blocks == 0)
            return;
    }
    drive_submit(s->d, r);
}

static void copier_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct copier *s = dev;

    (void)off, (void)n;
    if (val != 0) {
        vm_request_shutdown(s->dev.vm);
        return;
    }
    s->blocks = COPIED;
    s->r = (struct drive_request){
        .op = DRIVE_READ, .buf = s->buf, .n = sizeof(s->buf), .done = copier_done, .dev = s};
    drive_submit(s->d, &s->r);
}

static uint64_t copier_read(void *dev, uint32_t off, unsigned n)
{
    (void)off, (void)n;
    return ((struct copier *)dev)->blocks;
}

static int copier_realize(struct device *d)
{
    static const struct io_ops ops = {copier_read, copier_write, IO_8};
    struct copier *s = (struct copier *)d;

    s->d = drive_find(d->vm, DRIVE_IDE, 0);
    return bus_claim_ports(d->vm, "copier", 0x10, 1, &ops, s);
}

static void copier_unrealize(struct device *d)
{
    drive_attach(((struct copier *)d)->d, NULL, NULL);
}

static const struct device_class copier_class = {
    .name = "copier",
    .size = sizeof(struct copier),
    .realize = copier_realize,
    .unrealize = copier_unrealize,
};

static const struct board_row rows[] = {{&copier_class, NULL}, {0}};
static const struct board board = {"test", rows};

static struct vm *copier_vm(void)
{
    static const struct drive_config cfg = {.image = RAW("a")};
    static uint8_t data[IMAGE_BYTES / 2];
    const struct vm_config c = {.drives = &cfg, .drive_count = 1};

    for (unsigned k = 0; k < sizeof(data); k++)
        data[k] = (uint8_t)(k % 251);
    make_file("a", data, sizeof(data), IMAGE_BYTES);
    return fake_vm_with(&c, &board);
}

static void check_copy(void)
{
    static uint8_t image[IMAGE_BYTES];
    FILE *f = fopen("a", "rb");

    ck_assert_uint_eq(fread(image, 1, sizeof(image), f), sizeof(image));
    fclose(f);
    ck_assert_mem_eq(image, image + IMAGE_BYTES / 2, COPIED * 4096);
}

static atomic_bool started;

static enum cpu_exit start_and_power_off(struct cpu *c)
{
    port_out(c, 0x10, 1, 0);
    port_out(c, 0x10, 1, 1);
    return CPU_EXIT_HALT;
}

/* Waits for the results as a guest does. */
static enum cpu_exit start_and_wait(struct cpu *c)
{
    if (!started)
        port_out(c, 0x10, 1, 0);
    started = true;
    if (port_in(c, 0x10, 1) == 0)
        port_out(c, 0x10, 1, 1);
    return CPU_EXIT_ATTENTION;
}

START_TEST(results_reach_a_running_guest)
{
    struct vm *vm = copier_vm();

    fake_guest = start_and_wait;
    ck_assert_int_eq(vm_run(vm), VM_END_SHUTDOWN);
    vm_destroy(vm);
    check_copy();
}
END_TEST

START_TEST(end_drains)
{
    struct vm *vm = copier_vm();

    fake_guest = start_and_power_off;
    ck_assert_int_eq(vm_run(vm), VM_END_SHUTDOWN);
    check_copy();
    vm_destroy(vm);
}
END_TEST

static enum cpu_exit start_and_pause(struct cpu *c)
{
    struct vcpu *v = (struct vcpu *)c;

    if (!started) {
        port_out(c, 0x10, 1, 0);
        vm_pause(v->vm);
    }
    started = true;
    return CPU_EXIT_ATTENTION;
}

static void *watch_pause(void *arg)
{
    struct vm *vm = arg;

    for (bool stopped = false; !stopped; usleep(1000)) {
        vm_lock(vm);
        stopped = started && clock_is_stopped(vm);
        vm_unlock(vm);
    }
    check_copy();
    vm_quit(vm);
    return NULL;
}

START_TEST(pause_drains)
{
    struct vm *vm = copier_vm();
    pthread_t thread;

    fake_guest = start_and_pause;
    ck_assert_int_eq(pthread_create(&thread, NULL, watch_pause, vm), 0);
    ck_assert_int_eq(vm_run(vm), VM_END_QUIT);
    pthread_join(thread, NULL);
    vm_destroy(vm);
}
END_TEST

/* A thread less to be woken. Nobody else would do it here: there is no I/O thread. */
START_TEST(worker_hands_over)
{
    const struct drive_config cfg = {.image = RAW("a")};
    struct vm *vm = machine(&cfg, 1);
    struct drive *d = drive_find(vm, DRIVE_IDE, 0);
    struct notes *l = calloc(1, sizeof(*l));
    unsigned handed = 0;

    atomic_store(&vm->cpu[0]->on, true);
    for (unsigned k = 0; k < REQUESTS; k++) {
        submit(d, l, k, DRIVE_READ, k * 4096);
        vm_unlock(vm);
        usleep(5000);
        vm_lock(vm);
        handed += !l->r[k].pending;
        drives_drain(vm); /* the lock was not free when it looked */
    }
    ck_assert_uint_eq(l->count, REQUESTS);
    ck_assert_uint_gt(handed, 0);
    atomic_store(&vm->cpu[0]->on, false);
    destroy(vm);
    free(l);
}
END_TEST

/* The user makes room and lets the machine go on: the guest has not noticed anything. */
static void *make_room(void *arg)
{
    struct vm *vm = arg;

    for (bool stopped = false; !stopped; usleep(1000)) {
        vm_lock(vm);
        stopped = clock_is_stopped(vm) && drive_error(drive_find(vm, DRIVE_IDE, 0)) == ENOSPC;
        vm_unlock(vm);
    }
    atomic_store(&write_error, 0);
    vm_resume(vm);
    return NULL;
}

START_TEST(full_disk_pauses)
{
    struct vm *vm = copier_vm();
    pthread_t thread;

    atomic_store(&write_error, ENOSPC);
    fake_guest = start_and_wait;
    ck_assert_int_eq(pthread_create(&thread, NULL, make_room, vm), 0);
    ck_assert_int_eq(vm_run(vm), VM_END_SHUTDOWN);
    pthread_join(thread, NULL);
    vm_destroy(vm);
    check_copy();
}
END_TEST

/* Requests under way when the machine goes are cancelled. */
START_TEST(destroyed_under_way)
{
    struct vm *vm = copier_vm();

    bus_port_out(vm, 0x10, 1, 0);
    vm_destroy(vm);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("drive");
    TCase *t = tcase_create("drive");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(t, setup, leave_folder);
    tcase_add_test(t, names_and_places);
    tcase_add_loop_test(t, mistakes_are_named, 0, ARRAY_SIZE(mistakes));
    tcase_add_test(t, requests_in_order);
    tcase_add_test(t, errors);
    tcase_add_loop_test(t, troubles_of_the_host, 0, ARRAY_SIZE(troubles));
    tcase_add_test(t, waiting_requests_end);
    tcase_add_test(t, cancelled);
    tcase_add_test(t, other_media);
    tcase_add_test(t, same_medium_again);
    tcase_add_test(t, unwritten_media_stay);
    tcase_add_test(t, locked_tray);
    tcase_add_test(t, results_reach_a_running_guest);
    tcase_add_test(t, worker_hands_over);
    tcase_add_test(t, end_drains);
    tcase_add_test(t, full_disk_pauses);
    tcase_add_test(t, pause_drains);
    tcase_add_test(t, destroyed_under_way);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
