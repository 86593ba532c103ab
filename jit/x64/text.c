/* SPDX-License-Identifier: MIT */
/* Host code for people to read. */
#include <Zydis/Zydis.h>
#include <stdio.h>

#include "jit/code.h"

unsigned backend_text(const uint8_t *p, unsigned n, uint64_t at, char text[HOST_TEXT])
{
    ZydisDisassembledInstruction z;

    if (!ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, at, p, n, &z))) {
        snprintf(text, HOST_TEXT, "(bad)");
        return 1;
    }
    snprintf(text, HOST_TEXT, "%s", z.text);
    return z.info.length;
}
