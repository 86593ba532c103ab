/* SPDX-License-Identifier: MIT */
/* docs/INSTRUCTIONS.md: see insn_page.c. */
#ifndef TESTS_DIFF_INSN_PAGE_H
#define TESTS_DIFF_INSN_PAGE_H

#include "tests/diff/insn_diff.h"

/* What a plain insn_diff runs. */
#define PAGE_CASES 150000u

/* Print the page. */
void print_page(void);

#endif
