/* SPDX-License-Identifier: MIT */
/* Host files, read whole. */
#include "devices/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/vm.h"

#define IMAGE_MAX (UINT64_C(1) << 31)

static int read_all(struct vm *vm, int fd, struct image *out, size_t size)
{
    size_t done = 0;
    out->data = malloc(size);
    if (out->data == NULL)
        return vm_fail(vm, -ENOMEM, "%s: too large", out->path);
    while (done < size) {
        ssize_t n = read(fd, out->data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return vm_fail(vm, -EIO, "%s: cannot read: %s", out->path,
                           n < 0 ? strerror(errno) : "file became shorter");
        done += (size_t)n;
    }
    out->size = size;
    return 0;
}

int image_read(struct vm *vm, const char *path, struct image *out)
{
    struct stat st;
    out->path = path;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block here */
    if (fd < 0)
        return vm_fail(vm, -errno, "%s: cannot open: %s", path, strerror(errno));
    int err = 0;
    if (fstat(fd, &st) != 0)
        err = vm_fail(vm, -errno, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        err = vm_fail(vm, -EINVAL, "%s: not a regular file", path);
    else if (st.st_size == 0)
        err = vm_fail(vm, -EINVAL, "%s: empty file", path);
    else if ((uint64_t)st.st_size > IMAGE_MAX)
        err = vm_fail(vm, -EFBIG, "%s: too large", path);
    else
        err = read_all(vm, fd, out, (size_t)st.st_size);
    close(fd);
    return err;
}
