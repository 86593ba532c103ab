/* SPDX-License-Identifier: MIT */
/* A saved state that somebody has tampered with: loading it does no harm, then or later, and what
 * was loaded is saved and loaded again without change. Input: how many changes, the changes, and
 * traffic for afterwards. */
#include <string.h>

#include "tests/fuzz/traffic.h"
#include "vmm/vmm_internal.h"

/* The field that a byte of the saved state belongs to. */
static void name_difference(struct vm *vm, size_t at)
{
    for (struct device *d = vm->devs; d != NULL; d = d->next) {
        if (at < device_state_size(d)) {
            for (const struct field *f = d->cls->fields; f->kind != FIELD_END; f++) {
                struct field one[2] = {*f, FIELDS_END};

                if (at < state_size(one)) {
                    fprintf(stderr, "%s.%s, byte %zu\n", d->cls->name, f->name, at);
                    return;
                }
                at -= state_size(one);
            }
        }
        at -= device_state_size(d);
    }
}

/* Loading settles what chips compute from the time, so that what comes afterwards is the same. */
static void require_stable(struct vm *vm)
{
    size_t bytes;
    uint8_t *a = traffic_save(vm, &bytes), *b;

    traffic_load(vm, a);
    free(a);
    a = traffic_save(vm, &bytes);
    traffic_load(vm, a);
    b = traffic_save(vm, &bytes);
    for (size_t k = 0; k < bytes; k++) {
        if (a[k] != b[k]) {
            name_difference(vm, k);
            REQUIRE(!"saved again, it is different");
        }
    }
    free(a);
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct vm *vm = traffic_vm();
    size_t bytes;
    uint8_t *state = traffic_save(vm, &bytes);

    for (unsigned changes = input_u8(&in); changes > 0 && in.n > 0; changes--) {
        size_t at = input_int(&in, 2) % bytes;
        unsigned n = 1u << input_u8(&in) % 4;
        uint64_t val = input_int(&in, n);

        memcpy(state + at, &val, n < bytes - at ? n : bytes - at);
    }
    traffic_load(vm, state);
    require_stable(vm);
    traffic_run(vm, &in);
    require_stable(vm);
    free(state);
    vm_destroy(vm);
    return 0;
}
