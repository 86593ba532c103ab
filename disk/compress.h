/* SPDX-License-Identifier: MIT */
/* Decompression, as image formats need it: a known number of bytes from one buffer to another. */
#ifndef DISK_COMPRESS_H
#define DISK_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum compression { COMPRESSION_DEFLATE, COMPRESSION_ZLIB, COMPRESSION_ZSTD };

bool compression_is_available(enum compression kind);

/* 0; -EIO if the input does not give `out_n` bytes. What follows them in the input is ignored. */
int decompress(enum compression kind, const uint8_t *in, size_t n, uint8_t *out, size_t out_n);

#endif
