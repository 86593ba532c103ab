/* SPDX-License-Identifier: MIT */
/* VMware's images: a description in text names extents, files that hold parts of the disk one after
 * the other (vmdk.c). Sparse extents (vmdk_sparse.c) have tables of grains, which may be
 * compressed. */
#ifndef DISK_VMDK_H
#define DISK_VMDK_H

#include "disk/format.h"

struct vmdk_sparse;

/* NULL: *wrong says why. */
struct vmdk_sparse *vmdk_sparse_open(struct file *f, const char **wrong);
void vmdk_sparse_free(struct vmdk_sparse *s);
uint64_t vmdk_sparse_size(const struct vmdk_sparse *s);
int vmdk_sparse_read(struct vmdk_sparse *s, uint64_t off, uint8_t *buf, size_t n);

/* The description inside a sparse extent; *bytes 0: there is none. */
void vmdk_sparse_description(const struct vmdk_sparse *s, uint64_t *off, uint64_t *bytes);

#endif
