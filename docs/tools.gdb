# SPDX-License-Identifier: MIT
# For GDB: faults of translated code are not errors. gdb -x docs/tools.gdb --args build/calque ...
handle SIGSEGV SIGBUS SIGFPE SIGILL SIGURG nostop noprint pass
break pass_on

# $gs_base is the vCPU: see jit/x64/emit.h for where its registers are.
define jit-where
  set $where_jit = ((struct cpu *)$gs_base)->jit
  set $where = code_at($where_jit, (uint8_t *)$pc)
  if $where == 0
    echo not in translated code\n
  else
    printf "block at physical address %#llx, instruction %u\n", $where->pa, code_insn($where_jit, $where, (uint8_t *)$pc)
  end
end
document jit-where
In translated code: the guest's block and instruction.
end
