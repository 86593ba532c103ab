/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/traffic.h"

#include "devices/debug_exit.h"
#include "devices/pc.h"
#include "vmm/vmm_internal.h"

struct vm *traffic_vm_with(struct vm_config cfg)
{
    static const struct debug_exit_cfg debug_exit = {0xf4, 4};
    struct vm *vm;

    cfg.ram_bytes = TRAFFIC_RAM;
    for (unsigned k = 0; k < VM_SERIAL_PORTS; k++)
        cfg.serial[k] = "null";
    cfg.parallel = cfg.debugcon = "null";
    cfg.wall_start_ns = UINT64_C(1577836799) * NS_PER_SEC;
    fake_guest = NULL;
    vm = fake_vm_with(&cfg, &pc_board);
    vm_lock(vm);
    atomic_store(&vm->clock.stopped, NS_PER_SEC);
    REQUIRE(device_create(vm, &debug_exit_class, &debug_exit) != NULL);
    vm_unlock(vm);
    return vm;
}

struct vm *traffic_vm(void)
{
    return traffic_vm_with((struct vm_config){0});
}

/* -- Accesses ---------------------------------------------------------------------------------- */

static void port_access(struct vm *vm, uint16_t port, unsigned op, struct input *in)
{
    unsigned n = 1u << op % 3;

    if (op & 4)
        bus_port_out(vm, port, n, (uint32_t)input_int(in, n));
    else
        bus_port_in(vm, port, n);
}

static void claimed_port(struct vm *vm, unsigned op, struct input *in)
{
    const struct port_claim *claims = vm->bus.claims;
    unsigned i = input_u8(in);

    while (claims[i % BUS_MAX_CLAIMS].count == 0)
        i++;
    i %= BUS_MAX_CLAIMS;
    port_access(vm, (uint16_t)(claims[i].first + input_u8(in) % claims[i].count), op, in);
}

void traffic_phys(struct vm *vm, uint64_t pa, unsigned op, struct input *in)
{
    struct cpu *c = fake_cpu_of(vm);
    unsigned n = 1u << op % 4;

    if (pa % PAGE_SIZE + n > PAGE_SIZE)
        return;
    if (op & 4)
        phys_write(c, pa, n, input_int(in, n));
    else
        phys_read(c, pa, n);
}

static void region(struct vm *vm, unsigned op, struct input *in)
{
    const struct region *r = vm->mem.regions;

    for (unsigned left = input_u8(in) % vm->mem.nregions; left > 0; left--)
        r = r->next;
    traffic_phys(vm, r->base + input_int(in, 2) % r->size, op, in);
}

/* -- Everything else --------------------------------------------------------------------------- */

void traffic_wait(struct vm *vm, uint64_t ns)
{
    atomic_store(&vm->clock.stopped, clock_now(vm) + ns);
    vm_lock(vm);
    clock_fire(vm, 100);
    vm_unlock(vm);
}

/* Keys and the mouse. */
static void type(struct vm *vm, struct input *in)
{
    unsigned val = input_u8(in);

    if (val & 0x80)
        input_key(vm, val & 0x7f, input_u8(in) & 1);
    else
        input_mouse(vm, (int)input_int(in, val & 3), (int)input_int(in, 1), (int)val - 64, val);
}

static void special(struct vm *vm, unsigned op, struct input *in)
{
    struct cpu *c = fake_cpu_of(vm);
    uint64_t val = 0;

    switch (op % 8) {
    case 0:
        vm_lock(vm);
        vm_reset_locked(vm);
        vm_unlock(vm);
        break;
    case 1: apic_base_read(c, &val); break;
    case 2: apic_tpr_read(c); break;
    case 3:
    case 4: type(vm, in); break;
    default: REQUIRE(intr_ack(c) <= 255); break;
    }
}

static void msr(struct vm *vm, unsigned op, struct input *in)
{
    struct cpu *c = fake_cpu_of(vm);
    uint32_t reg = 0x800 + input_u8(in);
    uint64_t val = 0;

    switch (op % 4) {
    case 0: apic_msr_read(c, reg, &val); break;
    case 1: apic_msr_write(c, reg, input_int(in, 8)); break;
    case 2: apic_base_write(c, input_int(in, 8)); break;
    default: apic_tpr_write(c, (uint8_t)(input_u8(in) & 15)); break;
    }
}

void traffic_step(struct vm *vm, unsigned op, struct input *in)
{
    switch (op >> 5) {
    case 0: special(vm, op, in); break;
    case 1: msr(vm, op, in); break;
    case 2: /* from some nanoseconds to centuries */
        traffic_wait(vm, input_int(in, 2) << (op & 15) * 3);
        break;
    case 3: port_access(vm, (uint16_t)input_int(in, 2), op, in); break;
    case 4: traffic_phys(vm, input_int(in, op & 8 ? 8 : 4), op, in); break;
    case 5: region(vm, op, in); break;
    default: claimed_port(vm, op, in); break;
    }
}

void traffic_run(struct vm *vm, struct input *in)
{
    while (in->n > 0)
        traffic_step(vm, input_u8(in), in);
}

/* -- State ------------------------------------------------------------------------------------- */

uint8_t *traffic_save(struct vm *vm, size_t *bytes)
{
    uint8_t *state, *at;

    *bytes = 0;
    for (struct device *d = vm->devs; d != NULL; d = d->next)
        *bytes += device_state_size(d);
    at = state = malloc(*bytes);
    vm_lock(vm);
    for (struct device *d = vm->devs; d != NULL; d = d->next) {
        device_save(d, at);
        at += device_state_size(d);
    }
    vm_unlock(vm);
    return state;
}

void traffic_load(struct vm *vm, const uint8_t *state)
{
    vm_lock(vm);
    for (struct device *d = vm->devs; d != NULL; d = d->next) {
        device_load(d, state);
        state += device_state_size(d);
    }
    vm_unlock(vm);
}
