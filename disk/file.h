/* SPDX-License-Identifier: MIT */
/* Files of the host that hold images: regular files and block devices, with or without the page
 * cache (file.c), and the locks that keep two writers from one image (lock.c). */
#ifndef DISK_FILE_H
#define DISK_FILE_H

#include "disk/disk.h"

struct file;

/* NULL: `err` says why. */
struct file *file_open(const char *path, bool writable, enum disk_cache cache,
                       char err[DISK_ERR_LEN]);

/* As a reader's or a writer's, until it is closed: 0, or -1 with `err` filled. */
int file_lock(struct file *f, bool writable, char err[DISK_ERR_LEN]);

/* A nameless file for writes that are lost, in TMPDIR or /var/tmp. */
struct file *file_temporary(char err[DISK_ERR_LEN]);

void file_close(struct file *f);

const char *file_path(const struct file *f);
uint64_t file_size(const struct file *f);
bool file_same(const struct file *a, const struct file *b);

/* 0 or -errno. Reads behind the end give zeros; writes there make the file larger. */
int file_read(struct file *f, uint64_t off, void *buf, size_t n);
int file_write(struct file *f, uint64_t off, const void *buf, size_t n);

/* Makes the file larger, by a hole; smaller never. */
int file_extend(struct file *f, uint64_t size);

/* What was written before is on the disk when this returns 0, unless the cache is "unsafe". */
int file_sync(struct file *f);

/* Makes a hole, which reads as zeros, if the host can; a file's size stays. */
int file_punch(struct file *f, uint64_t off, uint64_t n);

/* lock.c: 0, or -EAGAIN if another user of the file forbids it. Closing the descriptor unlocks. */
int file_lock_fd(int fd, bool writable);

/* "path: reason" into err, the path shortened in front if it is very long. */
void disk_fail(char err[DISK_ERR_LEN], const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
