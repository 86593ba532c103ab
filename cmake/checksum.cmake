# SPDX-License-Identifier: MIT
#
# cmake -DIMAGE=file -DOUTPUT=file -P checksum.cmake: writes a line for nasm that defines CHECKSUM as the
# byte that makes the sum of the image's bytes zero.
file(READ ${IMAGE} digits HEX)
string(REGEX MATCHALL ".." bytes "${digits}")
set(sum 0)
foreach(byte IN LISTS bytes)
    math(EXPR sum "${sum} + 0x${byte}")
endforeach()
math(EXPR checksum "(256 - ${sum} % 256) % 256")
file(WRITE ${OUTPUT} "%define CHECKSUM ${checksum}\n")
