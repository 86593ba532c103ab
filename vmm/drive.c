/* SPDX-License-Identifier: MIT */
/* See drive.h. A request stands in one of two queues of its drive: `todo`, from which the worker
 * takes the first, and `done`, from which the worker or the I/O thread takes what has a result.
 * Both, and which request the worker is at, are guarded by the drive's own mutex; the rest by the
 * machine lock. Who holds the machine lock may wait for the worker, which never waits for it. The
 * image is used by the worker, and changed by others while it has nothing to do. */
#include "vmm/drive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/vmm_internal.h"

struct queue {
    struct drive_request *first, **end;
};

struct drive {
    struct vm *vm;
    struct drive *next;
    struct drive_config cfg;
    char id[DRIVE_ID_LEN];
    struct disk_options options; /* strings are the drive's own */
    struct disk *disk;           /* NULL: no medium */
    bool tray_open, tray_locked;
    const struct drive_ops *ops;
    void *dev;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t work, idle; /* there is work for the worker; it has finished a request */
    struct queue todo, done;
    struct drive_request *active;
    bool stop;
    int stalled; /* errno: the first of `todo` has failed, and waits with all others for a retry */
};

/* -- Queues ------------------------------------------------------------------------------------ */

static void queue_init(struct queue *q)
{
    q->first = NULL;
    q->end = &q->first;
}

static void queue_put(struct queue *q, struct drive_request *r)
{
    r->next = NULL;
    *q->end = r;
    q->end = &r->next;
}

static void queue_put_first(struct queue *q, struct drive_request *r)
{
    r->next = q->first;
    if (q->first == NULL)
        q->end = &r->next;
    q->first = r;
}

/* No effect where it is not in this queue. */
static void queue_remove(struct queue *q, const struct drive_request *r)
{
    struct drive_request **at = &q->first;

    while (*at != NULL && *at != r)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    *at = r->next;
    if (*at == NULL)
        q->end = at;
}

static struct drive_request *queue_take(struct queue *q)
{
    struct drive_request *r = q->first;

    if (r != NULL)
        queue_remove(q, r);
    return r;
}

/* -- The worker -------------------------------------------------------------------------------- */

static int carry_out(const struct drive *d, const struct drive_request *r)
{
    struct disk *disk = d->disk;
    int err;

    if (disk == NULL)
        return -ENOMEDIUM;
    switch (r->op) {
    case DRIVE_READ: return disk_read(disk, r->off, r->buf, r->n);
    case DRIVE_WRITE:
        err = disk_write(disk, r->off, r->buf, r->n);
        return err == 0 && r->sync ? disk_flush(disk) : err;
    case DRIVE_FLUSH: return disk_flush(disk);
    case DRIVE_DISCARD: return d->cfg.unmap ? disk_discard(disk, r->off, r->n) : 0;
    }
    return -EINVAL;
}

static enum drive_policy policy_of(const struct drive *d, const struct drive_request *r)
{
    return r->op == DRIVE_READ ? d->cfg.on_read_error : d->cfg.on_write_error;
}

/* Is it the host's trouble? Other errors are the guest's own, or the user's. */
static bool is_host_error(int err)
{
    return err != 0 && err != -ENOMEDIUM && err != -EINVAL && err != -EACCES && err != -EPERM;
}

static bool is_full(int err)
{
    return err == -ENOSPC || err == -EDQUOT;
}

/* What the device hears of an error. */
static int reported(const struct drive *d, const struct drive_request *r, int err)
{
    return is_host_error(err) && policy_of(d, r) == DRIVE_IGNORE ? 0 : err;
}

static bool stops(const struct drive *d, const struct drive_request *r, int err)
{
    enum drive_policy policy = policy_of(d, r);

    return is_host_error(err) &&
           (policy == DRIVE_STOP || (policy == DRIVE_STOP_IF_FULL && is_full(err)));
}

/* Hands over the results that are there. */
static void complete(struct drive *d)
{
    struct drive_request *r;

    for (;;) {
        pthread_mutex_lock(&d->mutex);
        r = queue_take(&d->done);
        pthread_mutex_unlock(&d->mutex);
        if (r == NULL)
            return;
        if (r->err != 0)
            vm_log(d->vm, LOG_GUEST_ERROR, "%s: request %d at %llx: %s", d->id, (int)r->op,
                   (unsigned long long)r->off, strerror(-r->err));
        r->pending = false;
        r->done(r->dev, r, r->err);
    }
}

/* To wake the I/O thread for a result takes as long as to read a few pages, so the worker does this
 * itself where the machine runs and nobody has its lock. */
static void hand_over(struct drive *d)
{
    struct vm *vm = d->vm;

    if (vm->cpu[0] == NULL || !atomic_load(&vm->cpu[0]->on) || !fair_trylock(&vm->lock)) {
        io_kick(vm);
        return;
    }
    complete(d);
    vm_unlock(vm);
}

/* The request stays the next one to do. */
static void stall(struct drive *d, struct drive_request *r, int err)
{
    queue_put_first(&d->todo, r);
    d->stalled = -err;
    atomic_store(&d->vm->stalled, true);
    vm_warn(d->vm, "%s: %s %s: %s; the machine is paused, and tries again when it goes on", d->id,
            r->op == DRIVE_READ ? "cannot read" : "cannot write", d->options.file, strerror(-err));
    vm_pause(d->vm);
}

static void *worker(void *arg)
{
    struct drive *d = arg;

    pthread_mutex_lock(&d->mutex);
    while (!d->stop) {
        struct drive_request *r = d->stalled == 0 ? queue_take(&d->todo) : NULL;
        int err;

        if (r == NULL) {
            pthread_cond_wait(&d->work, &d->mutex);
            continue;
        }
        d->active = r;
        pthread_mutex_unlock(&d->mutex);
        err = carry_out(d, r);
        pthread_mutex_lock(&d->mutex);
        d->active = NULL;
        r->err = reported(d, r, err);
        if (stops(d, r, err))
            stall(d, r, err);
        else
            queue_put(&d->done, r);
        pthread_cond_broadcast(&d->idle);
        pthread_mutex_unlock(&d->mutex);
        hand_over(d);
        pthread_mutex_lock(&d->mutex);
    }
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

/* -- Requests ---------------------------------------------------------------------------------- */

/* The worker begins with the first request: most machines have trays that nobody uses. */
void drive_submit(struct drive *d, struct drive_request *r)
{
    r->pending = true;
    r->err = d->started ? 0 : -pthread_create(&d->thread, NULL, worker, d);
    d->started |= r->err == 0;
    pthread_mutex_lock(&d->mutex);
    if (d->started) {
        queue_put(&d->todo, r);
        pthread_cond_signal(&d->work);
    } else {
        queue_put(&d->done, r);
        io_kick(d->vm);
    }
    pthread_mutex_unlock(&d->mutex);
}

/* With the drive's mutex held. */
static void go_on(struct drive *d)
{
    d->stalled = 0;
    pthread_cond_signal(&d->work);
}

/* With the drive's mutex held; the worker is not at it. */
static void take_back(struct drive *d, struct drive_request *r)
{
    queue_remove(&d->todo, r);
    queue_remove(&d->done, r);
    go_on(d); /* it may have been this one that waited */
    r->pending = false;
}

bool drive_withdraw(struct drive *d, struct drive_request *r)
{
    bool idle;

    pthread_mutex_lock(&d->mutex);
    idle = d->active != r;
    if (idle && r->pending)
        take_back(d, r);
    pthread_mutex_unlock(&d->mutex);
    return idle;
}

void drive_cancel(struct drive *d, struct drive_request *r)
{
    if (!r->pending)
        return;
    pthread_mutex_lock(&d->mutex);
    while (d->active == r)
        pthread_cond_wait(&d->idle, &d->mutex);
    take_back(d, r);
    pthread_mutex_unlock(&d->mutex);
}

/* Waits until there is nothing that can be done. */
static void wait_idle(struct drive *d)
{
    pthread_mutex_lock(&d->mutex);
    while ((d->todo.first != NULL && d->stalled == 0) || d->active != NULL)
        pthread_cond_wait(&d->idle, &d->mutex);
    pthread_mutex_unlock(&d->mutex);
}

static bool has_results(struct drive *d)
{
    bool any;

    pthread_mutex_lock(&d->mutex);
    any = d->done.first != NULL;
    pthread_mutex_unlock(&d->mutex);
    return any;
}

void drives_complete(struct vm *vm)
{
    for (struct drive *d = vm->drives; d != NULL; d = d->next)
        complete(d);
}

void drives_drain(struct vm *vm)
{
    bool again = true;

    while (again) { /* a result may lead to a request, also of another drive */
        again = false;
        for (struct drive *d = vm->drives; d != NULL; d = d->next) {
            wait_idle(d);
            if (has_results(d)) {
                complete(d);
                again = true;
            }
        }
    }
}

void drives_retry(struct vm *vm)
{
    atomic_store(&vm->stalled, false);
    for (struct drive *d = vm->drives; d != NULL; d = d->next) {
        pthread_mutex_lock(&d->mutex);
        go_on(d);
        pthread_mutex_unlock(&d->mutex);
    }
}

int drive_error(struct drive *d)
{
    int err;

    pthread_mutex_lock(&d->mutex);
    err = d->stalled;
    pthread_mutex_unlock(&d->mutex);
    return err;
}

int drives_flush(struct vm *vm)
{
    int first = 0;

    for (struct drive *d = vm->drives; d != NULL; d = d->next) {
        int err = 0;

        wait_idle(d);
        if (d->disk != NULL && !disk_is_readonly(d->disk))
            err = disk_flush(d->disk);
        if (err == 0)
            err = -drive_error(d);
        if (err != 0 && first == 0)
            first = vm_fail(vm, err, "%s: cannot write %s to the host's disk: %s", d->id,
                            d->options.file, strerror(-err));
    }
    return first;
}

/* -- Asking ------------------------------------------------------------------------------------ */

struct drive *drive_find(struct vm *vm, enum drive_if interface, unsigned index)
{
    struct drive *d = vm->drives;

    while (d != NULL && (d->cfg.interface != interface || d->cfg.index != index))
        d = d->next;
    return d;
}

struct drive *drive_by_id(struct vm *vm, const char *id)
{
    struct drive *d = vm->drives;

    while (d != NULL && strcmp(d->id, id) != 0)
        d = d->next;
    return d;
}

struct drive *drive_next(struct vm *vm, const struct drive *d)
{
    return d == NULL ? vm->drives : d->next;
}

const char *drive_id(const struct drive *d)
{
    return d->id;
}

bool drive_is_cdrom(const struct drive *d)
{
    return d->cfg.media == DRIVE_CDROM;
}

bool drive_is_removable(const struct drive *d)
{
    return drive_is_cdrom(d) || d->cfg.interface == DRIVE_FLOPPY;
}

bool drive_present(const struct drive *d)
{
    return d->disk != NULL && !d->tray_open;
}

uint64_t drive_bytes(const struct drive *d)
{
    return d->disk != NULL ? disk_size(d->disk) : 0;
}

bool drive_readonly(const struct drive *d)
{
    return d->disk == NULL || disk_is_readonly(d->disk);
}

const char *drive_file(const struct drive *d)
{
    return d->disk != NULL ? d->options.file : NULL;
}

const char *drive_format(const struct drive *d)
{
    return d->disk != NULL ? disk_format_name(d->disk) : NULL;
}

const char *drive_warning(const struct drive *d)
{
    return d->disk != NULL ? disk_warning(d->disk) : NULL;
}

const struct disk_options *drive_options(const struct drive *d)
{
    return &d->options;
}

bool drive_tray_is_open(const struct drive *d)
{
    return d->tray_open;
}

bool drive_tray_is_locked(const struct drive *d)
{
    return d->tray_locked;
}

/* -- Media ------------------------------------------------------------------------------------- */

static void free_strings(struct disk_options *o)
{
    free((char *)o->file);
    free((char *)o->format);
    o->file = o->format = NULL;
}

static bool copy_string(const char **to, const char *from)
{
    *to = from != NULL ? strdup(from) : NULL;
    return *to != NULL || from == NULL;
}

static bool copy_options(struct disk_options *to, const struct disk_options *from)
{
    *to = *from;
    to->file = to->format = NULL;
    if (copy_string(&to->file, from->file) && copy_string(&to->format, from->format))
        return true;
    free_strings(to);
    return false;
}

static int out_of_memory(char err[DRIVE_ERR_LEN])
{
    snprintf(err, DRIVE_ERR_LEN, "out of memory");
    return -ENOMEM;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat sa, sb;

    return a != NULL && b != NULL && stat(a, &sa) == 0 && stat(b, &sb) == 0 &&
           sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* Opens an image while the old one is still in, unless it is the old one, which is locked. If that
 * one cannot be opened as `o` says, it is opened as it was. */
static struct disk *open_next(struct drive *d, const struct disk_options *o, char *reason)
{
    struct disk *disk = disk_open(o, reason);
    char again[DISK_ERR_LEN];

    if (disk != NULL || d->disk == NULL || !is_same_file(o->file, d->options.file))
        return disk;
    disk_close(d->disk);
    d->disk = NULL;
    disk = disk_open(o, reason);
    if (disk == NULL)
        d->disk = disk_open(&d->options, again);
    return disk;
}

/* The image that `o` names goes in, which takes over its strings where that succeeds. */
static int insert(struct drive *d, struct disk_options *o, char err[DRIVE_ERR_LEN])
{
    int ret = d->disk != NULL ? disk_flush(d->disk) : 0;
    char reason[DISK_ERR_LEN];
    struct disk *disk;

    if (ret != 0) {
        snprintf(err, DRIVE_ERR_LEN, "%s: cannot write %s to the host's disk: %s", d->id,
                 d->options.file, strerror(-ret));
        return ret;
    }
    o->readonly |= drive_is_cdrom(d);
    disk = open_next(d, o, reason);
    if (disk == NULL) {
        snprintf(err, DRIVE_ERR_LEN, "%s: %s", d->id, reason);
        return -EINVAL;
    }
    disk_close(d->disk);
    free_strings(&d->options);
    d->options = *o;
    d->disk = disk;
    return 0;
}

/* May the user's hand reach the medium? */
static int open_for_user(struct drive *d, bool force, char err[DRIVE_ERR_LEN])
{
    if (!drive_is_removable(d)) {
        snprintf(err, DRIVE_ERR_LEN, "%s: is not removable", d->id);
        return -ENOTSUP;
    }
    if (d->tray_locked && !d->tray_open && !force) {
        if (d->ops != NULL && d->ops->eject_request != NULL)
            d->ops->eject_request(d->dev);
        snprintf(err, DRIVE_ERR_LEN, "%s: the guest has locked the tray, and was asked to open it",
                 d->id);
        return -EBUSY;
    }
    wait_idle(d);
    if (drive_error(d) != 0) {
        snprintf(err, DRIVE_ERR_LEN, "%s: a request waits for the machine to go on", d->id);
        return -EBUSY;
    }
    return 0;
}

static void tell_changed(struct drive *d)
{
    if (d->ops != NULL)
        d->ops->changed(d->dev);
}

int drive_change(struct drive *d, const struct disk_options *o, bool force, char err[DRIVE_ERR_LEN])
{
    struct disk_options own;
    bool filled = d->disk != NULL;
    int ret = open_for_user(d, force, err);

    if (ret != 0)
        return ret;
    if (!copy_options(&own, o))
        return out_of_memory(err);
    ret = insert(d, &own, err);
    if (ret != 0) {
        free_strings(&own);
        if (filled && d->disk == NULL)
            tell_changed(d);
        return ret;
    }
    d->tray_open = false;
    tell_changed(d);
    return 0;
}

int drive_eject(struct drive *d, bool force, char err[DRIVE_ERR_LEN])
{
    int ret = open_for_user(d, force, err);

    if (ret != 0)
        return ret;
    if (d->disk != NULL) {
        ret = disk_close(d->disk);
        d->disk = NULL;
        if (ret != 0)
            snprintf(err, DRIVE_ERR_LEN, "%s: cannot write %s to the host's disk: %s", d->id,
                     d->options.file, strerror(-ret));
        free_strings(&d->options);
    }
    d->tray_open = true;
    tell_changed(d);
    return ret;
}

/* -- Devices ----------------------------------------------------------------------------------- */

void drive_attach(struct drive *d, const struct drive_ops *ops, void *dev)
{
    struct drive_request *r;

    pthread_mutex_lock(&d->mutex);
    while ((r = queue_take(&d->todo)) != NULL)
        r->pending = false;
    while (d->active != NULL)
        pthread_cond_wait(&d->idle, &d->mutex);
    while ((r = queue_take(&d->done)) != NULL)
        r->pending = false;
    d->stalled = 0;
    pthread_mutex_unlock(&d->mutex);
    d->ops = ops;
    d->dev = dev;
}

void drive_lock_tray(struct drive *d, bool locked)
{
    d->tray_locked = locked;
}

void drive_move_tray(struct drive *d, bool open)
{
    d->tray_open = open;
}

/* -- Life -------------------------------------------------------------------------------------- */

static void name_drive(struct drive *d)
{
    unsigned n = d->cfg.index;

    if (d->cfg.id != NULL)
        snprintf(d->id, sizeof(d->id), "%s", d->cfg.id);
    else if (d->cfg.interface == DRIVE_FLOPPY)
        snprintf(d->id, sizeof(d->id), "floppy%u", n);
    else
        snprintf(d->id, sizeof(d->id), "ide%u-%s%u", n / 2, drive_is_cdrom(d) ? "cd" : "hd", n % 2);
}

static int check_drive(const struct drive *d)
{
    static const unsigned places[] = {[DRIVE_IDE] = 4, [DRIVE_FLOPPY] = 2};

    if (d->cfg.index >= places[d->cfg.interface])
        return vm_fail(d->vm, -EINVAL, "%s: there is no place for it", d->id);
    if (drive_find(d->vm, d->cfg.interface, d->cfg.index) != NULL)
        return vm_fail(d->vm, -EEXIST, "%s: there is a drive in its place", d->id);
    if (drive_by_id(d->vm, d->id) != NULL)
        return vm_fail(d->vm, -EEXIST, "%s: another drive has this name", d->id);
    if (d->cfg.image.file == NULL && !drive_is_removable(d))
        return vm_fail(d->vm, -EINVAL, "%s: has no image", d->id);
    return 0;
}

static int fill_drive(struct drive *d)
{
    char err[DRIVE_ERR_LEN];
    int ret;

    if (!copy_options(&d->options, &d->cfg.image))
        return -ENOMEM;
    if (d->options.file != NULL) {
        struct disk_options own = d->options;

        d->options = (struct disk_options){0};
        ret = insert(d, &own, err);
        if (ret != 0) {
            free_strings(&own);
            return vm_fail(d->vm, ret, "%s", err);
        }
    }
    return 0;
}

static void drive_free(struct drive *d)
{
    if (d->started) {
        pthread_mutex_lock(&d->mutex);
        d->stop = true;
        pthread_cond_signal(&d->work);
        pthread_mutex_unlock(&d->mutex);
        pthread_join(d->thread, NULL);
    }
    if (d->disk != NULL)
        disk_close(d->disk);
    free_strings(&d->options);
    pthread_cond_destroy(&d->work);
    pthread_cond_destroy(&d->idle);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

static int drive_create(struct vm *vm, const struct drive_config *cfg)
{
    struct drive *d = calloc(1, sizeof(*d)), **end = &vm->drives;
    int err;

    if (d == NULL)
        return -ENOMEM;
    d->vm = vm;
    d->cfg = *cfg;
    name_drive(d);
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->work, NULL);
    pthread_cond_init(&d->idle, NULL);
    queue_init(&d->todo);
    queue_init(&d->done);
    err = check_drive(d);
    if (err == 0)
        err = fill_drive(d);
    if (err != 0) {
        drive_free(d);
        return err;
    }
    while (*end != NULL)
        end = &(*end)->next;
    *end = d;
    return 0;
}

int drives_create(struct vm *vm)
{
    int err = 0;

    for (unsigned k = 0; k < vm->cfg.drive_count && err == 0; k++)
        err = drive_create(vm, &vm->cfg.drives[k]);
    return err;
}

void drives_destroy(struct vm *vm)
{
    while (vm->drives != NULL) {
        struct drive *d = vm->drives;

        vm->drives = d->next;
        drive_free(d);
    }
}
