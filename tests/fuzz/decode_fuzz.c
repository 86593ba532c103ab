/* SPDX-License-Identifier: MIT */
/* The decoder on any bytes: it never looks past what it was given, and what it says about a prefix
 * of an instruction agrees with what it says about the whole. Input: code size, model, bytes. */
#include <string.h>

#include "cpu/insn.h"
#include "tests/fuzz/input.h"
#include "tests/unit/fake_machine.h"

static const char *const models[] = {NULL, "486", "pentium"};
#define MODELS (sizeof(models) / sizeof(models[0]))

/* A copy of exactly n bytes, so that the sanitizer sees a read behind them. */
static enum decode_status decode_exactly(const struct cpu *c, struct insn *out, const uint8_t *p,
                                         size_t n)
{
    uint8_t *copy = malloc(n);
    enum decode_status status;

    memcpy(copy, p, n);
    memset(out, 0, sizeof(*out));
    status = decode(c, out, copy, n);
    free(copy);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t modes[] = {0, MODE_PE, MODE_PE | MODE_CS32, MODE_PE | MODE_LMA | MODE_64};
    static struct fake_machine *machine[MODELS];
    struct input in = {data, size};
    unsigned kind = input_u8(&in);
    struct fake_machine **m = &machine[kind / 4 % MODELS];
    struct insn whole, part;

    if (*m == NULL)
        *m = fake_machine_create(models[kind / 4 % MODELS]);
    (*m)->cpu.mode = modes[kind % 4];
    if (in.n == 0)
        return 0;
    if (in.n > 16)
        in.n = 16;
    if (decode_exactly(&(*m)->cpu, &whole, in.p, in.n) != DECODE_OK)
        return 0;
    REQUIRE(whole.fn != NULL && whole.op < optab_count);
    REQUIRE(whole.len >= 1 && whole.len <= 15 && whole.len <= in.n);
    REQUIRE(whole.osz <= 3 && whole.asz >= 1 && whole.asz <= 3 && whole.scale <= 3);
    REQUIRE(whole.base < REG_COUNT && whole.idx < REG_COUNT && whole.seg < SEG_COUNT);
    REQUIRE(decode_exactly(&(*m)->cpu, &part, in.p, whole.len) == DECODE_OK);
    REQUIRE(memcmp(&whole, &part, sizeof(whole)) == 0);
    for (size_t n = 1; n < whole.len; n++)
        REQUIRE(decode_exactly(&(*m)->cpu, &part, in.p, n) == DECODE_SHORT);
    return 0;
}
