/* SPDX-License-Identifier: MIT */
/* Decompression by zlib, and by libzstd if the program was built with it. */
#include "disk/compress.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>
#ifdef CALQUE_ZSTD
#include <zstd.h>
#endif

static int inflate_with(int window_bits, const uint8_t *in, size_t n, uint8_t *out, size_t out_n)
{
    z_stream z;
    int result;

    memset(&z, 0, sizeof(z));
    z.next_in = (Bytef *)in;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)out_n;
    if (inflateInit2(&z, window_bits) != Z_OK)
        return -ENOMEM;
    result = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    if (z.avail_out != 0 || (result != Z_STREAM_END && result != Z_BUF_ERROR && result != Z_OK))
        return -EIO;
    return 0;
}

#ifdef CALQUE_ZSTD
static int unzstd(const uint8_t *in, size_t n, uint8_t *out, size_t out_n)
{
    ZSTD_inBuffer from = {in, n, 0};
    ZSTD_outBuffer to = {out, out_n, 0};
    ZSTD_DStream *s = ZSTD_createDStream();

    if (s == NULL)
        return -ENOMEM;
    while (to.pos < to.size) {
        size_t in_before = from.pos, out_before = to.pos;
        size_t result = ZSTD_decompressStream(s, &to, &from);
        if (ZSTD_isError(result) || (from.pos == in_before && to.pos == out_before))
            break;
    }
    ZSTD_freeDStream(s);
    return to.pos == to.size ? 0 : -EIO;
}
#else
static int unzstd(const uint8_t *in, size_t n, uint8_t *out, size_t out_n)
{
    (void)in, (void)n, (void)out, (void)out_n;
    return -ENOTSUP;
}
#endif

bool compression_is_available(enum compression kind)
{
#ifdef CALQUE_ZSTD
    return kind <= COMPRESSION_ZSTD;
#else
    return kind < COMPRESSION_ZSTD;
#endif
}

int decompress(enum compression kind, const uint8_t *in, size_t n, uint8_t *out, size_t out_n)
{
    if (kind == COMPRESSION_ZSTD)
        return unzstd(in, n, out, out_n);
    return inflate_with(kind == COMPRESSION_ZLIB ? 15 : -15, in, n, out, out_n);
}
