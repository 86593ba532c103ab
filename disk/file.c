/* SPDX-License-Identifier: MIT */
/* Files that hold images. Reads and writes are complete or fail. With O_DIRECT, what is not aligned
 * goes through a bounce buffer, whole units at a time; the file's own size is then restored,
 * because units may reach behind it. */
#include "disk/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/bytes.h"

#define MEMORY_ALIGNMENT 4096 /* suits every host's O_DIRECT */
#define BOUNCE_BYTES     (256 * 1024)
#define NAME_SHOWN       300 /* bytes of a path in a message */
#define OFFSET_MAX       ((uint64_t)INT64_MAX)

struct file {
    int fd;
    char *path;
    uint64_t size;
    bool is_device;
    bool unsafe;   /* syncs don't wait */
    bool unsynced; /* something was written since the last sync */
    unsigned unit; /* O_DIRECT: offsets and lengths are multiples of it; else 1 */
    uint8_t *bounce;
    dev_t dev;
    ino_t ino;
};

void disk_fail(char err[DISK_ERR_LEN], const char *path, const char *format, ...)
{
    char reason[DISK_ERR_LEN];
    size_t n = strlen(path);
    va_list ap;

    va_start(ap, format);
    vsnprintf(reason, sizeof(reason), format, ap);
    va_end(ap);
    snprintf(err, DISK_ERR_LEN, "%s%.*s: %.200s", n > NAME_SHOWN ? "..." : "", NAME_SHOWN,
             n > NAME_SHOWN ? path + n - NAME_SHOWN : path, reason);
    for (char *p = err; *p != '\0'; p++) {
        if (*p == '\n' || *p == '\r')
            *p = '?';
    }
}

/* -- Opening ----------------------------------------------------------------------------------- */

/* The smallest unit that the host accepts for O_DIRECT. */
static unsigned direct_unit(const struct file *f)
{
    int sector = 0;

    if (f->is_device)
        return ioctl(f->fd, BLKSSZGET, &sector) == 0 && sector >= 512 && sector <= MEMORY_ALIGNMENT
                   ? (unsigned)sector
                   : MEMORY_ALIGNMENT;
    /* An empty file's answer would say nothing. */
    if (f->size >= 512 && pread(f->fd, f->bounce, 512, 0) == 512)
        return 512;
    return MEMORY_ALIGNMENT;
}

static int examine(struct file *f, bool direct, char err[DISK_ERR_LEN])
{
    struct stat st;
    uint64_t bytes = 0;

    if (fstat(f->fd, &st) != 0) {
        disk_fail(err, f->path, "%s", strerror(errno));
        return -1;
    }
    f->is_device = S_ISBLK(st.st_mode);
    if (!f->is_device && !S_ISREG(st.st_mode)) {
        disk_fail(err, f->path, "neither a regular file nor a block device");
        return -1;
    }
    if (f->is_device && ioctl(f->fd, BLKGETSIZE64, &bytes) != 0) {
        disk_fail(err, f->path, "its size cannot be had: %s", strerror(errno));
        return -1;
    }
    f->size = f->is_device ? bytes : (uint64_t)st.st_size;
    f->dev = f->is_device ? st.st_rdev : st.st_dev;
    f->ino = f->is_device ? 0 : st.st_ino;
    f->unit = 1;
    if (direct) {
        if (posix_memalign((void **)&f->bounce, MEMORY_ALIGNMENT, BOUNCE_BYTES) != 0) {
            f->bounce = NULL;
            disk_fail(err, f->path, "no memory");
            return -1;
        }
        f->unit = direct_unit(f);
    }
    return 0;
}

struct file *file_open(const char *path, bool writable, enum disk_cache cache,
                       char err[DISK_ERR_LEN])
{
    bool direct = cache == DISK_CACHE_NONE || cache == DISK_CACHE_DIRECTSYNC;
    /* O_NONBLOCK: a FIFO must not block here. */
    int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | (direct ? O_DIRECT : 0);
    struct file *f = calloc(1, sizeof(*f));

    if (f == NULL || (f->path = strdup(path)) == NULL) {
        free(f);
        disk_fail(err, path, "no memory");
        return NULL;
    }
    f->unsafe = cache == DISK_CACHE_UNSAFE;
    f->fd = open(path, flags);
    if (f->fd < 0 && direct && errno == EINVAL) {
        disk_fail(err, path,
                  "its file system has no O_DIRECT, which cache=none and directsync need");
        goto fail;
    }
    if (f->fd < 0) {
        disk_fail(err, path, "cannot open%s: %s", writable ? " for writing" : "", strerror(errno));
        goto fail;
    }
    if (examine(f, direct, err) != 0)
        goto fail;
    if (file_lock_fd(f->fd, writable) != 0) {
        disk_fail(err, path, "in use: another process %s it",
                  writable ? "has opened" : "writes to");
        goto fail;
    }
    return f;
fail:
    file_close(f);
    return NULL;
}

int file_lock(struct file *f, bool writable, char err[DISK_ERR_LEN])
{
    if (file_lock_fd(f->fd, writable) == 0)
        return 0;
    disk_fail(err, f->path, "in use: somebody else %s it", writable ? "has opened" : "writes to");
    return -1;
}

static int open_nameless(const char *dir)
{
    char name[4096];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    snprintf(name, sizeof(name), "%s/calque.XXXXXX", dir);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

struct file *file_temporary(char err[DISK_ERR_LEN])
{
    const char *dir = getenv("TMPDIR");
    struct file *f = calloc(1, sizeof(*f));

    if (dir == NULL || dir[0] == '\0')
        dir = "/var/tmp";
    if (f == NULL || (f->path = strdup(dir)) == NULL) {
        free(f);
        disk_fail(err, dir, "no memory");
        return NULL;
    }
    f->unsafe = true;
    f->unit = 1;
    f->fd = open_nameless(dir);
    if (f->fd < 0) {
        disk_fail(err, dir, "no temporary file can be made there: %s", strerror(errno));
        file_close(f);
        return NULL;
    }
    return f;
}

void file_close(struct file *f)
{
    if (f == NULL)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f->bounce);
    free(f->path);
    free(f);
}

const char *file_path(const struct file *f)
{
    return f->path;
}

uint64_t file_size(const struct file *f)
{
    return f->size;
}

bool file_same(const struct file *a, const struct file *b)
{
    return a->is_device == b->is_device && a->dev == b->dev && a->ino == b->ino;
}

/* -- Reading and writing ----------------------------------------------------------------------- */

static int read_all(const struct file *f, uint64_t off, uint8_t *buf, size_t n)
{
    while (n > 0) {
        ssize_t got = pread(f->fd, buf, n, (off_t)off);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0) {
            memset(buf, 0, n);
            return 0;
        }
        buf += got;
        off += (uint64_t)got;
        n -= (size_t)got;
        /* Only the end of the file leaves what no O_DIRECT request could continue at. */
        if (f->unit > 1 && (size_t)got % f->unit != 0) {
            memset(buf, 0, n);
            return 0;
        }
    }
    return 0;
}

static int write_all(const struct file *f, uint64_t off, const uint8_t *buf, size_t n)
{
    while (n > 0) {
        ssize_t put = pwrite(f->fd, buf, n, (off_t)off);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        buf += put;
        off += (uint64_t)put;
        n -= (size_t)put;
    }
    return 0;
}

/* May this go to the host as it is? */
static bool is_aligned(const struct file *f, uint64_t off, const void *buf, size_t n)
{
    return f->unit == 1 ||
           (off % f->unit == 0 && n % f->unit == 0 && (uintptr_t)buf % MEMORY_ALIGNMENT == 0);
}

/* One piece through the bounce buffer: the units that cover the front of a request. */
struct window {
    uint64_t off;  /* of the units */
    size_t bytes;  /* of the units */
    size_t skip;   /* bytes in front of the request's */
    size_t useful; /* bytes of the request */
};

static struct window first_window(const struct file *f, uint64_t off, size_t n)
{
    struct window w;

    w.off = off / f->unit * f->unit;
    w.skip = (size_t)(off - w.off);
    w.useful = n < BOUNCE_BYTES - w.skip ? n : BOUNCE_BYTES - w.skip;
    w.bytes = (size_t)align_up(w.skip + w.useful, f->unit);
    return w;
}

int file_read(struct file *f, uint64_t off, void *buf, size_t n)
{
    uint8_t *out = buf;

    if (off > OFFSET_MAX || n > OFFSET_MAX - off)
        return -EINVAL;
    if (is_aligned(f, off, buf, n))
        return read_all(f, off, out, n);
    while (n > 0) {
        struct window w = first_window(f, off, n);
        int err = read_all(f, w.off, f->bounce, w.bytes);
        if (err != 0)
            return err;
        memcpy(out, f->bounce + w.skip, w.useful);
        out += w.useful;
        off += w.useful;
        n -= w.useful;
    }
    return 0;
}

static int write_bounced(struct file *f, uint64_t off, const uint8_t *in, size_t n)
{
    while (n > 0) {
        struct window w = first_window(f, off, n);
        int err = 0;
        if (w.useful < w.bytes)
            err = read_all(f, w.off, f->bounce, w.bytes);
        if (err != 0)
            return err;
        memcpy(f->bounce + w.skip, in, w.useful);
        err = write_all(f, w.off, f->bounce, w.bytes);
        if (err != 0)
            return err;
        in += w.useful;
        off += w.useful;
        n -= w.useful;
    }
    return 0;
}

int file_write(struct file *f, uint64_t off, const void *buf, size_t n)
{
    int err;

    if (off > OFFSET_MAX || n > OFFSET_MAX - off)
        return -EFBIG;
    if (n == 0)
        return 0;
    f->unsynced = true;
    if (is_aligned(f, off, buf, n))
        err = write_all(f, off, buf, n);
    else
        err = write_bounced(f, off, buf, n);
    if (err != 0 || f->is_device)
        return err;
    if (off + n > f->size)
        f->size = off + n;
    if (align_up(off + n, f->unit) > f->size && ftruncate(f->fd, (off_t)f->size) != 0)
        return -errno;
    return 0;
}

int file_extend(struct file *f, uint64_t size)
{
    if (size <= f->size)
        return 0;
    if (size > OFFSET_MAX)
        return -EFBIG;
    if (f->is_device)
        return -ENOSPC;
    if (ftruncate(f->fd, (off_t)size) != 0)
        return -errno;
    f->size = size;
    f->unsynced = true;
    return 0;
}

int file_sync(struct file *f)
{
    if (!f->unsynced || f->unsafe)
        return 0;
    if (fdatasync(f->fd) != 0)
        return -errno;
    f->unsynced = false;
    return 0;
}

int file_punch(struct file *f, uint64_t off, uint64_t n)
{
    if (n == 0 || off >= f->size)
        return 0;
    if (n > f->size - off)
        n = f->size - off;
    f->unsynced = true;
    if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)n) == 0)
        return 0;
    /* What the host cannot do is no error: the contents stay. */
    return errno == EIO || errno == ENOSPC ? -errno : 0;
}
