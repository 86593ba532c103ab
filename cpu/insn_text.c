/* SPDX-License-Identifier: MIT */
/* Guest instructions for people to read. */
#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

#include "cpu/insn.h"
#include "cpu/regs.h"

static ZydisMachineMode machine_mode(uint32_t mode)
{
    if (mode & MODE_64)
        return ZYDIS_MACHINE_MODE_LONG_64;
    return mode & MODE_CS32 ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16;
}

void insn_text(uint32_t mode, uint64_t rip, const uint8_t *p, unsigned n, char text[INSN_TEXT])
{
    ZydisDisassembledInstruction z;
    char hex[2 * 15 + 1] = "";
    bool known = ZYAN_SUCCESS(ZydisDisassembleIntel(machine_mode(mode), rip, p, n, &z));

    for (unsigned k = 0; k < n && k < 15; k++)
        snprintf(hex + 2 * k, 3, "%02x", p[k]);
    snprintf(text, INSN_TEXT, "%0*llx  %-20s  %s", mode & MODE_64 ? 16 : 8, (unsigned long long)rip,
             hex, known ? z.text : "(invalid)");
}
