/* SPDX-License-Identifier: MIT */
/* The instruction table: the rows of the .def files as constant data. */
#include <Zydis/Zydis.h>

#include "cpu/insn.h"

/* Handlers: one array per handler name (ops.h). Rows that share one declare it again, which is
 * legal. */
#define OP(map, opc, pfx, mn, operands, rd, wr, undef, attr, isa, variant, handler)                \
    extern const op_fn op_##handler[VARIANT_COUNT_##variant];
#define VARIANT_COUNT_NONE   1
#define VARIANT_COUNT_WIDTH  4
#define VARIANT_COUNT_UNARY  8
#define VARIANT_COUNT_BINARY 20
#include "cpu/optab_simd.def"

#include "cpu/optab_x87.def"

#include "cpu/optab.def"
#undef OP

/* The sets of flags that rows name. */
enum {
    C = FL_C,
    P = FL_P,
    A = FL_A,
    Z = FL_Z,
    S = FL_S,
    O = FL_O,
    D = FL_D,
    CA = C | A,
    CO = C | O,
    CZ = C | Z,
    PA = P | A,
    SO = S | O,
    CAO = C | A | O,
    CZP = C | Z | P,
    ZSO = Z | S | O,
    PAS = P | A | S,
    PASO = P | A | S | O,
    PASZ = P | A | S | Z,
    PAZS = PASZ,
    PZSO = P | Z | S | O,
    CPASO = C | P | A | S | O,
    CPAZS = C | P | A | Z | S,
    PAZSO = P | A | Z | S | O,
    CPAZSO = FL_ALL,
    CPAZSOD = FL_ALL | D,
};

#define OP(map, opc, pfx, mn, operands, rd, wr, undef, attr, isa, variant, handler)                \
    {ZYDIS_MNEMONIC_##mn,                                                                          \
     (map),                                                                                        \
     (opc),                                                                                        \
     PFX_##pfx,                                                                                    \
     VARIANT_##variant,                                                                            \
     ISA_##isa,                                                                                    \
     (attr),                                                                                       \
     (rd),                                                                                         \
     (wr),                                                                                         \
     (undef),                                                                                      \
     #mn,                                                                                          \
     operands,                                                                                     \
     op_##handler},

const struct op_row optab[] = {
#include "cpu/optab_simd.def"

#include "cpu/optab_x87.def"

#include "cpu/optab.def"
};
const unsigned optab_count = sizeof(optab) / sizeof(optab[0]);
