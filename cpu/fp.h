/* SPDX-License-Identifier: MIT */
/* What the SSE (softfp.h) and x87 (fpu80.h) arithmetic have in common: rounding modes, exception
 * bits and relations. The encodings are the processor's own, so that register fields can be copied
 * without translation: rounding control as in MXCSR[14:13] and FCW[11:10], exceptions as in
 * MXCSR[5:0] and FSW[5:0], masks as in MXCSR[12:7] (shifted down) and FCW[5:0]. */
#ifndef CPU_FP_H
#define CPU_FP_H

#include <stdbool.h>
#include <stdint.h>

enum fp_rc { FP_RC_NEAREST, FP_RC_DOWN, FP_RC_UP, FP_RC_ZERO };

enum fp_flag {
    FP_IE = 0x01, /* invalid operation */
    FP_DE = 0x02, /* denormal operand */
    FP_ZE = 0x04, /* divide by zero */
    FP_OE = 0x08, /* overflow */
    FP_UE = 0x10, /* underflow */
    FP_PE = 0x20, /* inexact ("precision") */
    FP_ALL = 0x3f,
    FP_PRE = FP_IE | FP_DE | FP_ZE /* detected before the operation: unmasked, it has no result */
};

enum fp_rel { FP_LESS, FP_EQUAL, FP_GREATER, FP_UNORD };

#endif
