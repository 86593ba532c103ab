/* SPDX-License-Identifier: MIT */
/* Files of the host that go into guest memory: kernels, modules, firmware. */
#ifndef DEVICES_IMAGE_H
#define DEVICES_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct vm;

/* A file in memory. */
struct image {
    const char *path;
    uint8_t *data;
    size_t size;
};

/* Read a whole regular file of 1 byte to 2 GiB; `path` is kept, not copied. 0, or -errno with text
 * in vm_error(). out->data is the caller's to free, also after a failure. */
int image_read(struct vm *vm, const char *path, struct image *out);

/* Little-endian field of an image; the caller has checked the size. */
static inline uint32_t image_u32(const struct image *k, size_t off)
{
    return (uint32_t)k->data[off] | (uint32_t)k->data[off + 1] << 8 |
           (uint32_t)k->data[off + 2] << 16 | (uint32_t)k->data[off + 3] << 24;
}
static inline uint16_t image_u16(const struct image *k, size_t off)
{
    return (uint16_t)(k->data[off] | k->data[off + 1] << 8);
}
/* Of 4 or 8 bytes. */
static inline uint64_t image_uint(const struct image *k, size_t off, unsigned bytes)
{
    return bytes == 8 ? image_u32(k, off) | (uint64_t)image_u32(k, off + 4) << 32
                      : image_u32(k, off);
}

#endif
