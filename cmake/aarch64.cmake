# SPDX-License-Identifier: MIT
#
# Cross-compilation for AArch64 Linux with Debian's gcc-aarch64-linux-gnu. The libraries come from
# build-a64-cross/sysroot, which `./dev` fills from Debian's arm64 packages; programs run under
# qemu-aarch64 with that directory as their root.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_ASM_COMPILER aarch64-linux-gnu-gcc)

set(sysroot ${CMAKE_CURRENT_LIST_DIR}/../build-a64-cross/sysroot)
get_filename_component(sysroot ${sysroot} ABSOLUTE)
set(CMAKE_SYSROOT ${sysroot})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
find_program(QEMU_AARCH64 NAMES qemu-aarch64-static qemu-aarch64)
set(CMAKE_CROSSCOMPILING_EMULATOR ${QEMU_AARCH64} -L ${sysroot})
