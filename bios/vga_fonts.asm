; SPDX-License-Identifier: MIT
;
; The fonts of 14 and 16 lines, from one drawing.

; The middle 14 lines; 0 where none are given.
%macro G 2-17
    %assign %%row 1
    %assign %%first %1
    %rep 14
        %if %%row < %%first || %%row - %%first >= %0 - 1
        db      0
        %else
            %assign %%skip %%row - %%first + 1
            %rotate %%skip
        db      %1
            %rotate -%%skip
        %endif
        %assign %%row %%row + 1
    %endrep
%endmacro
font14:
%include "vga_font16.asm"
%unmacro G 2-17

%macro G 2-17
        times   %1 db 0
%%top:  db      %{2:-1}
        times   16 - %1 - ($ - %%top) db 0
%endmacro
font16:
%include "vga_font16.asm"
%unmacro G 2-17
