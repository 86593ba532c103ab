/* SPDX-License-Identifier: MIT */
/* PCI configuration, base addresses and interrupt lines, on a bus with a function made for it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pci.h"
#include "tests/unit/fake_cpu.h"

#define REG(slot, fn, off) (0x80000000u | (slot) << 11 | (fn) << 8 | (off))

struct toy {
    struct pci_device pci;
    uint8_t io[32], mem[256];
    unsigned writes, last_off;
};

static uint64_t io_in(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return ((struct toy *)dev)->io[off % 32];
}

static void io_out(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    (void)n;
    ((struct toy *)dev)->io[off % 32] = (uint8_t)val;
}

static uint64_t mem_in(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return ((struct toy *)dev)->mem[off % 256];
}

static void mem_out(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    (void)n;
    ((struct toy *)dev)->mem[off % 256] = (uint8_t)val;
}

static void toy_written(struct pci_device *p, unsigned off, unsigned n)
{
    struct toy *t = (struct toy *)p;

    (void)n;
    t->writes++;
    t->last_off = off;
}

static int toy_realize(struct device *d)
{
    static const struct io_ops io = {io_in, io_out, IO_8};
    static const struct io_ops mem = {mem_in, mem_out, IO_8};
    static const struct pci_ident id = {0x1234, 0x5678, 0x0200, 0, 3, 0, 1};
    struct toy *t = (struct toy *)d;
    struct region r = {.name = "toy", .size = 4096, .kind = REGION_MMIO, .ops = &mem, .dev = t};
    int err = pci_register(&t->pci, (uint8_t)PCI_DEVFN(3 + d->index, 0), &id);

    if (err != 0)
        return err;
    t->pci.written = toy_written;
    pci_add_io_bar(&t->pci, 0, 32, &io, t);
    pci_add_mem_bar(&t->pci, 1, PCI_BAR_MEM, &r);
    r.kind = REGION_ROM;
    r.size = 0x10000;
    err = mem_alloc(d->vm, r.size, &r.ram_off);
    if (err == 0)
        pci_add_mem_bar(&t->pci, PCI_ROM_BAR, PCI_BAR_MEM, &r);
    return err;
}

static void toy_reset(struct device *d)
{
    pci_device_reset(&((struct toy *)d)->pci);
}

static void toy_unrealize(struct device *d)
{
    pci_unregister(&((struct toy *)d)->pci);
}

static const struct field toy_fields[] = {
    FIELD_SUB(struct toy, pci, pci_device_fields),
    FIELD_ARRAY(struct toy, io),
    FIELD_ARRAY(struct toy, mem),
    FIELD(struct toy, writes),
    FIELD(struct toy, last_off),
    FIELDS_END,
};

static const struct device_class toy_class = {
    .name = "toy",
    .size = sizeof(struct toy),
    .fields = toy_fields,
    .realize = toy_realize,
    .reset = toy_reset,
    .unrealize = toy_unrealize,
};

static struct vm *vm;

static struct toy *toy(unsigned n)
{
    return (struct toy *)device_find(vm, &toy_class, n);
}

static void setup(void)
{
    static const struct board_row rows[] = {
        {&pci_class, NULL}, {&toy_class, NULL}, {&toy_class, NULL}, {NULL, NULL}};
    static const struct board board = {"toys", rows};

    vm = fake_vm(&board);
}

static void teardown(void)
{
    vm_destroy(vm);
}

static uint32_t get(uint32_t reg, unsigned n)
{
    bus_port_out(vm, 0xcf8, 4, reg & ~3u);
    return bus_port_in(vm, (uint16_t)(0xcfc + (reg & 3)), n);
}

static void put(uint32_t reg, unsigned n, uint32_t val)
{
    bus_port_out(vm, 0xcf8, 4, reg & ~3u);
    bus_port_out(vm, (uint16_t)(0xcfc + (reg & 3)), n, val);
}

START_TEST(configuration_cycles)
{
    ck_assert_uint_eq(get(REG(3, 0, 0), 4), 0x56781234);
    ck_assert_uint_eq(get(REG(3, 0, 2), 2), 0x5678);
    ck_assert_uint_eq(get(REG(3, 0, 1), 1), 0x12);
    ck_assert_uint_eq(get(REG(3, 0, 1), 2), 0x7812); /* misaligned: split */
    ck_assert_uint_eq(get(REG(3, 0, 8), 4), 0x02000003);
    ck_assert_uint_eq(get(REG(3, 1, 0), 4), 0xffffffff);
    ck_assert_uint_eq(get(REG(9, 0, 0), 2), 0xffff);
    ck_assert_uint_eq(get(REG(3, 0, 0) | 0x10000, 4), 0xffffffff); /* bus 1 */
    ck_assert_uint_eq(get(REG(3, 0, 0) & ~0x80000000u, 4), 0xffffffff);
    put(REG(3, 0, 0), 4, 0);
    ck_assert_uint_eq(get(REG(3, 0, 0), 4), 0x56781234);
    put(REG(3, 0, 0x3c), 4, 0xffffffff);
    ck_assert_uint_eq(get(REG(3, 0, 0x3c), 4), 0x000001ff);
    put(REG(3, 0, 0x50), 2, 0xbeef);
    ck_assert_uint_eq(get(REG(3, 0, 0x51), 1), 0xbe);
    ck_assert_uint_eq(toy(0)->last_off, 0x50);
}
END_TEST

START_TEST(address_latch)
{
    bus_port_out(vm, 0xcf8, 4, 0xffffffff);
    ck_assert_uint_eq(bus_port_in(vm, 0xcf8, 4), 0x80fffffc);
    bus_port_out(vm, 0xcf8, 1, 0);
    bus_port_out(vm, 0xcfa, 2, 0);
    ck_assert_uint_eq(bus_port_in(vm, 0xcf8, 4), 0x80fffffc);
    ck_assert_uint_eq(bus_port_in(vm, 0xcf8, 2), 0xffff);
}
END_TEST

START_TEST(bars_size_and_move)
{
    struct cpu *c = fake_cpu_of(vm);

    put(REG(3, 0, 0x10), 4, 0xffffffff);
    ck_assert_uint_eq(get(REG(3, 0, 0x10), 4), 0xffffffe1);
    put(REG(3, 0, 0x14), 4, 0xffffffff);
    ck_assert_uint_eq(get(REG(3, 0, 0x14), 4), 0xfffff000);
    put(REG(3, 0, 0x30), 4, 0xffffffff);
    ck_assert_uint_eq(get(REG(3, 0, 0x30), 4), 0xffff0001);
    put(REG(3, 0, 0x18), 4, 0xffffffff);
    ck_assert_uint_eq(get(REG(3, 0, 0x18), 4), 0);

    put(REG(3, 0, 0x10), 4, 0xc000);
    put(REG(3, 0, 0x14), 4, 0xe0000000);
    toy(0)->io[5] = 0x55;
    toy(0)->mem[7] = 0x77;
    ck_assert_uint_eq(bus_port_in(vm, 0xc005, 1), 0xff);
    put(REG(3, 0, 4), 2, 3);
    ck_assert_uint_eq(bus_port_in(vm, 0xc005, 1), 0x55);
    ck_assert_uint_eq(phys_read(c, 0xe0000007, 1), 0x77);
    put(REG(3, 0, 0x11), 1, 0xd0);
    ck_assert_uint_eq(bus_port_in(vm, 0xc005, 1), 0xff);
    ck_assert_uint_eq(bus_port_in(vm, 0xd005, 1), 0x55);
    put(REG(3, 0, 0x14), 4, 0x00200000); /* over RAM: RAM wins */
    ck_assert_uint_eq(phys_read(c, 0x200007, 1), 0);
    ck_assert_uint_eq(phys_read(c, 0xe0000007, 1), 0xff);
    put(REG(3, 0, 0x14), 4, 0xfee00000); /* not PCI's */
    ck_assert_uint_eq(phys_read(c, 0xfee00007, 1), 0xff);
    put(REG(3, 0, 0x30), 4, 0xe0000001);
    ck_assert_uint_eq(phys_read(c, 0xe0000007, 1), 0);
    put(REG(3, 0, 0x30), 4, 0xe0000000);
    ck_assert_uint_eq(phys_read(c, 0xe0000007, 1), 0xff);
}
END_TEST

START_TEST(bars_take_turns)
{
    put(REG(3, 0, 0x10), 4, 0xc000);
    put(REG(4, 0, 0x10), 4, 0xc000);
    put(REG(3, 0, 4), 2, 1);
    put(REG(4, 0, 4), 2, 1);
    toy(0)->io[0] = 1;
    toy(1)->io[0] = 2;
    ck_assert_uint_eq(bus_port_in(vm, 0xc000, 1), 1);
    put(REG(3, 0, 0x10), 4, 0xc020);
    ck_assert_uint_eq(bus_port_in(vm, 0xc000, 1), 2);
    ck_assert_uint_eq(bus_port_in(vm, 0xc020, 1), 1);
}
END_TEST

static bool pirq[4];

static void set_pirq(void *opaque, int n, bool level)
{
    (void)opaque;
    pirq[n] = level;
}

START_TEST(pins_share_lines)
{
    vm_lock(vm);
    memset(pirq, 0, sizeof(pirq));
    for (int n = 0; n < 4; n++)
        pci_connect_pirq(vm, (unsigned)n, (struct irq){set_pirq, NULL, n});
    pci_set_intx(&toy(0)->pci, true); /* slot 3 pin A: PIRQC */
    pci_set_intx(&toy(1)->pci, true); /* slot 4 pin A: PIRQD */
    vm_unlock(vm);
    ck_assert(!pirq[0] && !pirq[1] && pirq[2] && pirq[3]);
    ck_assert_uint_eq(get(REG(3, 0, 6), 2) & 8, 8);
    put(REG(3, 0, 4), 2, 0x400);
    ck_assert(!pirq[2] && pirq[3]);
    put(REG(3, 0, 4), 2, 0);
    ck_assert(pirq[2]);
    vm_lock(vm);
    pci_set_intx(&toy(0)->pci, false);
    vm_unlock(vm);
    ck_assert(!pirq[2] && pirq[3]);
}
END_TEST

START_TEST(any_traffic_is_harmless)
{
    srand(1);
    for (unsigned k = 0; k < 20000; k++) {
        uint32_t reg = REG(3 + (unsigned)rand() % 2, (unsigned)rand() % 2, (unsigned)rand() % 256);
        uint32_t val = (uint32_t)rand() << 8 ^ (uint32_t)rand();

        put(reg, 1u << rand() % 3, val);
        get(reg, 1u << rand() % 3);
        bus_port_in(vm, (uint16_t)(0xcf6 + rand() % 10), 1u << rand() % 3);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pci");
    TCase *t = tcase_create("pci");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, configuration_cycles);
    tcase_add_test(t, address_latch);
    tcase_add_test(t, bars_size_and_move);
    tcase_add_test(t, bars_take_turns);
    tcase_add_test(t, pins_share_lines);
    tcase_add_test(t, any_traffic_is_harmless);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
