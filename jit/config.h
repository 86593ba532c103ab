/* SPDX-License-Identifier: MIT */
/* How to translate: what the user may say about it. */
#ifndef JIT_CONFIG_H
#define JIT_CONFIG_H

#include <stdint.h>

#define JIT_MIN_CODE (UINT64_C(1) << 20)
#define JIT_MAX_CODE (UINT64_C(1) << 30)

/* Who sees to it that an access stays within the page that was looked up: the host's MMU where
 * possible, else the code; or one of them always. */
enum jit_checks { JIT_CHECKS_BEST, JIT_CHECKS_HOST, JIT_CHECKS_CODE };

/* All zero will do. */
struct jit_config {
    enum jit_checks checks;
    uint64_t code_bytes; /* for translated code, JIT_MIN_CODE to JIT_MAX_CODE; 0: 64 MiB */
};

#endif
