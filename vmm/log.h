/* SPDX-License-Identifier: MIT */
/* -d items (QEMU's names) and their output. A VM has one log; nothing else in vmm/ or devices/
 * prints. */
#ifndef VMM_LOG_H
#define VMM_LOG_H

#include <stdbool.h>
#include <stdio.h>

#include "cpu/log_items.h"

struct vm;

/* printf to the VM's log where `item` is switched on; rate-limited for LOG_GUEST_ERROR and
 * LOG_UNIMP (the first 100 a second, then a count). One line, no newline at the end needed. */
void vm_log(struct vm *vm, unsigned item, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What the user must hear, whatever is switched on. */
void vm_warn(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "in_asm,int" -> mask; 0 or -EINVAL with the wrong word in *bad (points into items). */
int log_parse_items(const char *items, unsigned *mask, const char **bad);

/* Write "name  what it shows" for every item (-d help). */
void log_list_items(FILE *out);

#endif
