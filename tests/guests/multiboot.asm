; SPDX-License-Identifier: MIT
;
; What a Multiboot kernel finds, in a file with load addresses in its header.

%define GUEST_NAME "multiboot"
%include "multiboot/checks.asm"
