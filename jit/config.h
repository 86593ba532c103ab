/* SPDX-License-Identifier: MIT */
/* How to translate: what the user may say about it. */
#ifndef JIT_CONFIG_H
#define JIT_CONFIG_H

#include <stdint.h>

#define JIT_MIN_CODE (UINT64_C(1) << 20)
#define JIT_MAX_CODE (UINT64_C(1) << 30)

/* All zero will do. */
struct jit_config {
    uint64_t code_bytes; /* for translated code, JIT_MIN_CODE to JIT_MAX_CODE; 0: 64 MiB */
};

#endif
