/* SPDX-License-Identifier: MIT */
/* Every chip of the board against any sequence of accesses, resets and waits (traffic.h). */
#include "tests/fuzz/traffic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct vm *vm = traffic_vm();

    traffic_run(vm, &in);
    vm_destroy(vm);
    return 0;
}
