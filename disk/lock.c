/* SPDX-License-Identifier: MIT */
/* Locks on images, on the bytes that QEMU's tools lock: byte 100 + n says "I use permission n",
 * byte 200 + n "I do not share permission n". All are shared locks of the open file description; a
 * conflict is the other byte being locked by somebody else. No byte of the image is touched. */
#include <errno.h>
#include <fcntl.h>

#include "disk/file.h"

enum permission { CONSISTENT_READ = 0, WRITE = 1, RESIZE = 3 };

#define USED       100
#define NOT_SHARED 200

struct lock_bytes {
    unsigned count;
    unsigned byte[5];
};

/* What each kind of user locks, and which bytes nobody else may have locked then. Nobody here
 * shares the right to write or to resize. */
static const struct lock_bytes reader_takes = {
    3, {USED + CONSISTENT_READ, NOT_SHARED + WRITE, NOT_SHARED + RESIZE}};
static const struct lock_bytes writer_takes = {
    5,
    {USED + CONSISTENT_READ, USED + WRITE, USED + RESIZE, NOT_SHARED + WRITE, NOT_SHARED + RESIZE}};
static const struct lock_bytes reader_excludes = {
    3, {NOT_SHARED + CONSISTENT_READ, USED + WRITE, USED + RESIZE}};
static const struct lock_bytes writer_excludes = {5,
                                                  {NOT_SHARED + CONSISTENT_READ, NOT_SHARED + WRITE,
                                                   NOT_SHARED + RESIZE, USED + WRITE,
                                                   USED + RESIZE}};

static struct flock one_byte(short type, unsigned byte)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    return l;
}

int file_lock_fd(int fd, bool writable)
{
    const struct lock_bytes *takes = writable ? &writer_takes : &reader_takes;
    const struct lock_bytes *excludes = writable ? &writer_excludes : &reader_excludes;

    for (unsigned i = 0; i < takes->count; i++) {
        struct flock l = one_byte(F_RDLCK, takes->byte[i]);
        if (fcntl(fd, F_OFD_SETLK, &l) < 0)
            return errno == EAGAIN || errno == EACCES ? -EAGAIN : 0; /* 0: a host without locks */
    }
    for (unsigned i = 0; i < excludes->count; i++) {
        struct flock l = one_byte(F_WRLCK, excludes->byte[i]);
        if (fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK)
            return -EAGAIN;
    }
    return 0;
}
