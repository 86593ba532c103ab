/* SPDX-License-Identifier: MIT */
/* What every device owes, tried on all devices of the board and pc-testdev at once: field tables
 * that cover the state structs, any register at any width in any order, reset at any moment, save
 * and restore at any moment.
 *
 * Time stands still but for steps that the test makes, so a run depends on its seed alone: a
 * machine that was saved, reset and loaded half-way must end up in the same state as one that was
 * left alone. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pc.h"
#include "devices/pc_testdev.h"
#include "devices/pci.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define SEEDS     40
#define ACCESSES  3000
#define STATE_MAX (1u << 20)

struct run {
    struct vm *vm;
    uint64_t rng;
    uint64_t heard; /* hash of everything that was read */
};

static uint64_t draw(struct run *r)
{
    r->rng ^= r->rng << 13;
    r->rng ^= r->rng >> 7;
    r->rng ^= r->rng << 17;
    return r->rng * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t below(struct run *r, uint64_t n)
{
    return (draw(r) >> 20) % n;
}

/* Values that mean something to a register more often than random ones do. */
static uint64_t value(struct run *r)
{
    switch (below(r, 5)) {
    case 0: return 0;
    case 1: return UINT64_MAX;
    case 2: return UINT64_C(1) << below(r, 64);
    case 3: return below(r, 256);
    default: return draw(r);
    }
}

static void hear(struct run *r, uint64_t val)
{
    r->heard = (r->heard ^ val) * UINT64_C(0x100000001b3);
}

/* All models, with their BARs mapped: nothing is at their other ends. */
static const struct nic_config cards[] = {{.model = "e1000", .slot = 4},
                                          {.model = "rtl8139", .slot = 5},
                                          {.model = "ne2k_pci", .slot = 6},
                                          {.model = "ne2k_isa", .iobase = 0x300, .irq = 9}};

static void map_cards(struct vm *vm)
{
    for (unsigned k = 0; k < ARRAY_SIZE(cards); k++) {
        uint8_t devfn = PCI_DEVFN(cards[k].slot, 0); /* 0: nothing that could be harmed */

        for (unsigned n = 0; n < 2; n++) {
            bool io = pci_config_read(vm, devfn, PCI_BAR0 + 4 * n, 4) & 1;

            pci_config_write(vm, devfn, PCI_BAR0 + 4 * n, 4,
                             io ? 0xc000 + 0x100 * k : 0xe2000000 + 0x100000 * k);
        }
        pci_config_write(vm, devfn, PCI_COMMAND, 2, 7);
    }
}

/* pc-testdev and the debug port want the same port, so each gets half of the seeds. */
static struct run start(uint64_t seed)
{
    struct vm_config cfg = {.serial = {"null", "null", "null", "null"},
                            .parallel = "null",
                            .debugcon = seed & 1 ? NULL : "null",
                            .nics = cards,
                            .nic_count = ARRAY_SIZE(cards),
                            .wall_start_ns = UINT64_C(1577836799) * NS_PER_SEC};
    struct run r;

    fake_guest = NULL;
    r = (struct run){.vm = fake_vm_with(&cfg, &pc_board), .rng = seed * 0x9e3779b97f4a7c15 + 1};
    vm_lock(r.vm);
    map_cards(r.vm);
    ck_assert_msg(!(seed & 1) || device_create(r.vm, &pc_testdev_class, NULL) != NULL, "%s",
                  vm_error(r.vm));
    vm_unlock(r.vm);
    return r;
}

static void step_time(struct run *r)
{
    uint64_t step = below(r, 3) == 0 ? below(r, 100000000) : below(r, 20000);

    atomic_store(&r->vm->clock.stopped, clock_now(r->vm) + step);
    vm_lock(r->vm);
    clock_fire(r->vm, 100);
    vm_unlock(r->vm);
}

static void port_access(struct run *r)
{
    struct bus *b = &r->vm->bus;
    unsigned n = 1u << below(r, 3), i;
    uint16_t port;

    do {
        i = (unsigned)below(r, BUS_MAX_CLAIMS);
    } while (b->claims[i].count == 0);
    port = (uint16_t)(b->claims[i].first + below(r, b->claims[i].count));
    if (below(r, 2) == 0)
        hear(r, bus_port_in(r->vm, port, n));
    else
        bus_port_out(r->vm, port, n, (uint32_t)value(r));
}

static void mmio_access(struct run *r)
{
    /* By address: in which order regions were mapped is no part of a machine's state. */
    const struct region *reg = r->vm->mem.span[below(r, r->vm->mem.nspans)].r;
    unsigned n = 1u << below(r, 4);
    uint64_t pa;

    if (reg->kind != REGION_MMIO || reg->ops == NULL)
        return;
    pa = reg->base + below(r, below(r, 2) == 0 && reg->size > 4096 ? 4096 : reg->size);
    if (pa % PAGE_SIZE + n > PAGE_SIZE)
        return;
    if (below(r, 2) == 0)
        hear(r, phys_read(fake_cpu_of(r->vm), pa, n));
    else
        phys_write(fake_cpu_of(r->vm), pa, n, value(r));
}

static void traffic(struct run *r, unsigned accesses)
{
    for (unsigned i = 0; i < accesses; i++) {
        switch (below(r, 8)) {
        case 0: step_time(r); break;
        case 1:
            if (cpu_has_work(fake_cpu_of(r->vm)))
                hear(r, (uint64_t)intr_ack(fake_cpu_of(r->vm)));
            break;
        case 2:
        case 3: mmio_access(r); break;
        default: port_access(r); break;
        }
    }
}

/* All devices' states, one after the other; the number of bytes. */
static size_t save(struct vm *vm, uint8_t *buf)
{
    size_t used = 0;

    for (struct device *d = vm->devs; d != NULL; d = d->next) {
        ck_assert_uint_le(used + device_state_size(d), STATE_MAX);
        device_save(d, buf + used);
        used += device_state_size(d);
    }
    return used;
}

static void load(struct vm *vm, const uint8_t *buf)
{
    for (struct device *d = vm->devs; d != NULL; d = d->next) {
        device_load(d, buf);
        buf += device_state_size(d);
    }
}

/* The saved field that owns a byte of a device's saved state. */
static const char *field_at(const struct device *d, size_t at)
{
    for (const struct field *f = d->cls->fields; f->kind != FIELD_END; f++) {
        struct field one[2] = {*f, FIELDS_END};

        if (at < state_size(one))
            return f->name;
        at -= state_size(one);
    }
    return "?";
}

static void compare(struct vm *vm, const uint8_t *a, const uint8_t *b, const char *what,
                    unsigned seed)
{
    for (struct device *d = vm->devs; d != NULL; d = d->next) {
        size_t size = device_state_size(d);

        for (size_t i = 0; i < size; i++)
            if (a[i] != b[i])
                ck_abort_msg("%s, seed %u: %s.%s differs", what, seed, d->cls->name,
                             field_at(d, i));
        a += size;
        b += size;
    }
}

START_TEST(fields_cover)
{
    struct run r = start(1);

    for (struct device *d = r.vm->devs; d != NULL; d = d->next) {
        size_t where;

        ck_assert_msg(d->cls->fields != NULL, "%s has no field table", d->cls->name);
        ck_assert_msg(state_covers(d->cls->fields, d->cls->size, &where) == 0,
                      "%s: byte %zu of %zu is in no field, or in two", d->cls->name, where,
                      d->cls->size);
        ck_assert_ptr_nonnull(d->cls->desc);
    }
    vm_destroy(r.vm);
}
END_TEST

START_TEST(save_load_save)
{
    uint8_t *a = calloc(1, STATE_MAX), *b = calloc(1, STATE_MAX);
    struct run r = start((uint64_t)_i);

    traffic(&r, ACCESSES);
    vm_lock(r.vm);
    save(r.vm, a);
    vm_reset_locked(r.vm);
    load(r.vm, a);
    save(r.vm, b);
    compare(r.vm, a, b, "saved, reset and loaded", (unsigned)_i);
    vm_unlock(r.vm);
    vm_destroy(r.vm);
    free(a);
    free(b);
}
END_TEST

START_TEST(restored_runs_alike)
{
    uint8_t *a = calloc(1, STATE_MAX), *b = calloc(1, STATE_MAX);
    struct run r = start((uint64_t)_i), s = start((uint64_t)_i);
    bool intr;

    traffic(&r, ACCESSES);
    traffic(&s, ACCESSES);
    ck_assert_uint_eq(r.heard, s.heard); /* otherwise the test itself is not deterministic */
    vm_lock(r.vm);
    save(r.vm, a);
    vm_reset_locked(r.vm);
    load(r.vm, a);
    vm_unlock(r.vm);
    intr = cpu_has_work(fake_cpu_of(s.vm));
    ck_assert_msg(cpu_has_work(fake_cpu_of(r.vm)) == intr, "seed %d: INTR was %d", _i, intr);
    traffic(&r, ACCESSES);
    traffic(&s, ACCESSES);
    save(r.vm, a);
    save(s.vm, b);
    compare(r.vm, a, b, "restored machine runs differently", (unsigned)_i);
    ck_assert_uint_eq(r.heard, s.heard);
    vm_destroy(r.vm);
    vm_destroy(s.vm);
    free(a);
    free(b);
}
END_TEST

START_TEST(reset_at_any_moment)
{
    uint8_t *a = calloc(1, STATE_MAX), *b = calloc(1, STATE_MAX);
    struct run r = start((uint64_t)_i);

    for (unsigned i = 0; i < 30; i++) {
        traffic(&r, (unsigned)below(&r, 100));
        vm_lock(r.vm);
        vm_reset_locked(r.vm);
        vm_reset_locked(r.vm); /* edges that the first one made on interrupt lines are gone now */
        save(r.vm, a);
        vm_reset_locked(r.vm);
        save(r.vm, b);
        compare(r.vm, a, b, "reset again", (unsigned)_i);
        vm_unlock(r.vm);
        ck_assert(!(atomic_load(&fake_cpu_of(r.vm)->attention) & ATT_INTR));
    }
    vm_destroy(r.vm);
    free(a);
    free(b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("device_generic");
    TCase *t = tcase_create("device_generic");
    SRunner *r;
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_test(t, fields_cover);
    tcase_add_loop_test(t, save_load_save, 0, SEEDS);
    tcase_add_loop_test(t, restored_runs_alike, 0, SEEDS);
    tcase_add_loop_test(t, reset_at_any_moment, 0, SEEDS);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
