; SPDX-License-Identifier: MIT
;
; sequence "name" ... end: code of the size that BITS says, with what golden.c reads in front of it.
; `finish` stands behind the last.

%assign sequences 0

%macro sequence 1
%push sequence
%assign sequences sequences + 1
%strlen %%length %1
    db __BITS__, %%length, %1
    db %$last - %$first
%$first:
sequence_%[sequences]:          ; local labels are its own
%endmacro

%macro end 0
%$last:
%pop
%endmacro

%macro finish 0
    db 0
%endmacro
