/* SPDX-License-Identifier: MIT */
/* -boot: from which devices firmware boots, and whether it offers a menu. */
#ifndef FRONTEND_BOOT_OPTION_H
#define FRONTEND_BOOT_OPTION_H

#include <stddef.h>

#include "vmm/vm.h"

/* "order=LETTERS,once=LETTERS,menu=on|off,splash-time=MS" or letters alone: a floppy, c hard disk,
 * d CD, n network. 0, or -EINVAL with one line in err. */
int boot_option_parse(struct vm_boot *b, const char *arg, char *err, size_t err_len);

#endif
