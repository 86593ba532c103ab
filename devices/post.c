/* SPDX-License-Identifier: MIT */
/* Power-on set-up without a BIOS. It programs the chips through the same configuration registers as
 * a BIOS would, and leaves the same traces: tables at E0000 (ACPI) and F0000 (MP, SMBIOS), where
 * guests scan for them, the data area at 400 and an extended one below 640 KiB. The timer ticks,
 * and real-mode programs may have interrupts on; but there are no BIOS services: who boots this way
 * does not call any. */
#include "devices/post.h"

#include <errno.h>

#include "cpu/cpu.h"
#include "cpu/isa.h"
#include "cpu/system.h"
#include "devices/acpi_pm.h"
#include "devices/acpi_tables.h"
#include "devices/e820.h"
#include "devices/i440fx.h"
#include "devices/ide.h"
#include "devices/mptable.h"
#include "devices/parallel.h"
#include "devices/pci.h"
#include "devices/piix3.h"
#include "devices/rtc.h"
#include "devices/smbios.h"
#include "devices/vga.h"
#include "vmm/bus.h"
#include "vmm/vm.h"

#define ACPI_AT  0xe0000u
#define OTHER_AT 0xf0000u
#define AREA     0x10000u /* size of each */
#define BDA      0x400u

#define IO_FIRST  UINT64_C(0xc000)
#define IO_END    UINT64_C(0x10000)
#define MEM_FIRST UINT64_C(0xe0000000)
#define MEM_END   UINT64_C(0xfec00000)

/* -- PCI --------------------------------------------------------------------------------------- */

const uint8_t firmware_pci_routes[4] = {10, 10, 11, 11};

struct windows {
    uint64_t io, mem; /* next free addresses */
};

/* Place one BAR as its size asks for, found by writing ones; without room it stays off. */
static void place_bar(struct vm *vm, uint8_t devfn, unsigned reg, struct windows *w)
{
    uint32_t mask;
    uint64_t size, at, *next;
    bool is_io;

    pci_config_write(vm, devfn, reg, 4, 0xffffffff);
    mask = pci_config_read(vm, devfn, reg, 4);
    pci_config_write(vm, devfn, reg, 4, 0);
    is_io = mask & 1;
    mask &= is_io ? ~3u : ~15u;
    if (mask == 0)
        return;
    size = mask & -mask;
    next = is_io ? &w->io : &w->mem;
    at = (*next + size - 1) & ~(size - 1);
    if (at + size > (is_io ? IO_END : MEM_END))
        return;
    *next = at + size;
    pci_config_write(vm, devfn, reg, 4, (uint32_t)at);
}

static void set_up_function(struct vm *vm, uint8_t devfn, struct windows *w)
{
    unsigned pin = pci_config_read(vm, devfn, PCI_IRQ_PIN, 1), line;

    for (unsigned n = 0; n < 6; n++)
        place_bar(vm, devfn, PCI_BAR0 + 4 * n, w);
    if (pin >= 1 && pin <= 4) {
        line = pci_config_read(vm, PIIX3_DEVFN, PIIX3_PIRQRC + pci_pirq_of(devfn >> 3, pin), 1);
        if (devfn == ACPI_PM_DEVFN)
            line = ACPI_PM_SCI;
        pci_config_write(vm, devfn, PCI_IRQ_LINE, 1, line);
    }
    pci_config_write(vm, devfn, PCI_COMMAND, 2,
                     pci_config_read(vm, devfn, PCI_COMMAND, 2) | PCI_COMMAND_IO |
                         PCI_COMMAND_MEMORY | PCI_COMMAND_SERR);
}

static void set_up_pci(struct vm *vm)
{
    struct windows w = {IO_FIRST, MEM_FIRST};

    for (unsigned n = 0; n < sizeof(firmware_pci_routes); n++)
        pci_config_write(vm, PIIX3_DEVFN, PIIX3_PIRQRC + n, 1, firmware_pci_routes[n]);
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        if (pci_config_read(vm, (uint8_t)devfn, PCI_VENDOR_ID, 2) != 0xffff)
            set_up_function(vm, (uint8_t)devfn, &w);
    }
    for (unsigned n = 0; n < 2; n++)
        pci_config_write(vm, IDE_DEVFN, IDE_IDETIM + 2 * n, 2, IDE_IDETIM_DECODE);
    pci_config_write(vm, ACPI_PM_DEVFN, ACPI_PM_PMBA, 4, ACPI_PMBA);
    pci_config_write(vm, ACPI_PM_DEVFN, ACPI_PM_PMREGMISC, 1, 1);
}

static void open_shadow_ram(struct vm *vm)
{
    pci_config_write(vm, I440FX_DEVFN, I440FX_PAM, 1, 0x30);
    for (unsigned n = 1; n < 7; n++)
        pci_config_write(vm, I440FX_DEVFN, I440FX_PAM + n, 1, 0x33);
}

/* -- Memory ------------------------------------------------------------------------------------ */

#define MTRR_WP      0x0505050505050505 /* of each of a fixed-range register's eight parts */
#define MTRR_WB      0x0606060606060606
#define MTRR_VALID   0x800u /* in a variable range's mask */
#define MTRR_ENABLED 0xc06u /* default type: both kinds of range on, else write-back */

/* Memory types (SDM 3A 11.11): RAM is write-back, ROM and its shadow write-protected, the VGA
 * window and what lies between RAM and 4 GiB uncacheable. Without that, Linux leaves PAT alone. */
static void set_up_memory_types(struct cpu *c)
{
    struct msrs *m = &c->msr;

    if (!CPU_HAS(c, ISA_MTRR))
        return;
    m->mtrr_fix[0] = m->mtrr_fix[1] = MTRR_WB; /* 00000, 80000; A0000 stays uncacheable */
    for (unsigned n = 3; n < 11; n++)
        m->mtrr_fix[n] = MTRR_WP; /* C0000 and up */
    m->mtrr_base[0] = VM_RAM_HOLE;
    m->mtrr_mask[0] = ((UINT64_C(1) << CPU_PHYS_BITS) - (UINT64_C(1) << 30)) | MTRR_VALID;
    m->mtrr_def_type = MTRR_ENABLED;
}

/* Mode 3: 80 by 25 characters of 16 lines. */
static void put_video(uint8_t *bda)
{
    bda[0x49] = 3;
    bda[0x4a] = 80;
    bda[0x4d] = 0x10; /* bytes of a page: 1000h */
    bda[0x60] = 0x0e; /* cursor's last and first line */
    bda[0x61] = 0x0d;
    bda[0x63] = 0xd4; /* port of the CRT controller: 3D4 */
    bda[0x64] = 0x03;
    bda[0x84] = 24;
    bda[0x85] = 16;
    bda[0x87] = 0x60; /* 256 KiB */
    bda[0x89] = 0x11; /* VGA, 400 lines */
}

static bool write_data_areas(struct vm *vm)
{
    static const uint16_t com[VM_SERIAL_PORTS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    uint8_t bda[0x100] = {0}, ebda[16] = {1}; /* its size in KiB */
    unsigned ports = 0;

    for (unsigned n = 0; n < VM_SERIAL_PORTS; n++) {
        if (vm_config(vm)->serial[n] != NULL) {
            bda[2 * ports] = (uint8_t)com[n];
            bda[2 * ports + 1] = (uint8_t)(com[n] >> 8);
            ports++;
        }
    }
    bda[0x0e] = (uint8_t)(E820_EBDA >> 4); /* segment of the extended area */
    bda[0x0f] = (uint8_t)(E820_EBDA >> 12);
    bda[0x10] = rtc_cmos(vm, RTC_EQUIPMENT) | 0x20; /* and a screen of 80x25 in colour */
    bda[0x11] = (uint8_t)(ports << 1);
    if (vm_config(vm)->parallel != NULL) {
        bda[8] = PARALLEL_BASE & 0xff;
        bda[9] = PARALLEL_BASE >> 8;
        bda[0x11] |= 1 << 6; /* their number */
    }
    bda[0x13] = (uint8_t)(E820_EBDA >> 10); /* KiB of conventional memory */
    bda[0x14] = (uint8_t)(E820_EBDA >> 18);
    if (vga_set_text_mode(vm))
        put_video(bda);
    bda[0x1a] = bda[0x1c] = bda[0x80] = 0x1e; /* keyboard buffer */
    bda[0x82] = 0x3e;
    return mem_load(vm, BDA, bda, sizeof(bda)) && mem_load(vm, E820_EBDA, ebda, sizeof(ebda));
}

/* -- Interrupts of real mode ------------------------------------------------------------------- */

#define IVT_VECTORS 0x78 /* those that a BIOS sets */

/* Where IBM's BIOS had them, too. */
#define ISR_TICK   0xfea5u
#define ISR_MASTER 0xff23u
#define ISR_SLAVE  0xff2bu
#define ISR_NONE   0xff53u

/* Ticks are counted in the data area, other interrupts are ended, the rest does nothing. */
static bool write_handlers(struct vm *vm)
{
    static const struct {
        uint16_t at;
        uint8_t code[20];
    } handlers[] = {
        /* push ds; push ax; xor ax,ax; mov ds,ax; inc dword [46ch]; mov al,20h; out 20h,al;
         * pop ax; pop ds; iret */
        {ISR_TICK,
         {0x1e, 0x50, 0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xff, 0x06, 0x6c, 0x04, 0xb0, 0x20, 0xe6, 0x20,
          0x58, 0x1f, 0xcf}},
        /* push ax; mov al,20h; out 20h,al; pop ax; iret */
        {ISR_MASTER, {0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf}},
        /* push ax; mov al,20h; out a0h,al; out 20h,al; pop ax; iret */
        {ISR_SLAVE, {0x50, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58, 0xcf}},
        {ISR_NONE, {0xcf}}, /* iret */
    };
    bool ok = true;

    for (unsigned n = 0; n < sizeof(handlers) / sizeof(handlers[0]); n++)
        ok = ok &&
             mem_load(vm, OTHER_AT + handlers[n].at, handlers[n].code, sizeof(handlers[n].code));
    return ok;
}

static uint32_t handler_of(unsigned vector)
{
    uint32_t offset = vector == 0x08        ? ISR_TICK
                      : vector >> 3 == 1    ? ISR_MASTER
                      : vector >> 3 == 0x0e ? ISR_SLAVE
                                            : ISR_NONE;

    return (OTHER_AT >> 4) << 16 | offset;
}

static int write_vectors(struct vm *vm)
{
    uint32_t ivt[IVT_VECTORS];

    for (unsigned n = 0; n < IVT_VECTORS; n++)
        ivt[n] = handler_of(n);
    if (!mem_load(vm, 0, ivt, sizeof(ivt)) || !write_handlers(vm))
        return vm_fail(vm, -EFAULT, "no memory for the interrupt vectors");
    return 0;
}

/* Vectors 08-0F and 70-77; open is the timer, which has its longest period after a reset. */
static void set_up_pics(struct vm *vm)
{
    static const struct {
        uint16_t port;
        uint8_t val;
    } writes[] = {
        {0x20, 0x11}, {0x21, 0x08}, {0x21, 0x04}, {0x21, 0x01}, {0x21, 0xfa},
        {0xa0, 0x11}, {0xa1, 0x70}, {0xa1, 0x02}, {0xa1, 0x01}, {0xa1, 0xff},
    };

    for (unsigned n = 0; n < sizeof(writes) / sizeof(writes[0]); n++)
        bus_out_locked(vm, writes[n].port, 1, writes[n].val);
}

/* -- Tables ------------------------------------------------------------------------------------ */

/* Clear an area and put the tables at its start. */
static int put_area(struct vm *vm, uint32_t at, const struct blob *b)
{
    uint8_t *area;
    bool ok;

    if (b->failed)
        return -ENOMEM;
    if (b->len > AREA)
        return vm_fail(vm, -E2BIG, "firmware tables do not fit below 1 MiB");
    area = calloc(1, AREA);
    if (area == NULL)
        return -ENOMEM;
    memcpy(area, b->data, b->len);
    ok = mem_load(vm, at, area, AREA);
    free(area);
    return ok ? 0 : vm_fail(vm, -EFAULT, "no shadow RAM for the firmware tables");
}

static int write_tables(struct vm *vm)
{
    struct blob b;
    int err = acpi_tables_build(vm, ACPI_AT, &b, NULL);

    if (err != 0)
        return err;
    err = put_area(vm, ACPI_AT, &b);
    blob_free(&b);
    if (err != 0)
        return err;
    mptable_build(vm, OTHER_AT, &b);
    smbios_build(vm, OTHER_AT, &b);
    err = put_area(vm, OTHER_AT, &b);
    blob_free(&b);
    return err;
}

static void set_up_chips(struct vm *vm)
{
    set_up_memory_types(vm_cpu(vm, 0));
    open_shadow_ram(vm);
    set_up_pci(vm);
    set_up_pics(vm);
}

int post_run(struct vm *vm)
{
    set_up_chips(vm);
    if (!write_data_areas(vm))
        return vm_fail(vm, -EFAULT, "no RAM for the BIOS data areas");
    int err = write_tables(vm);
    return err != 0 ? err : write_vectors(vm);
}

bool post_resume(struct vm *vm)
{
    uint32_t vector = 0;
    struct cpu *c = vm_cpu(vm, 0);

    set_up_chips(vm);
    rtc_set_cmos(vm, RTC_SHUTDOWN, 0);
    if (!dma_read(vm, ACPI_AT + ACPI_FACS_AT + 12, &vector, sizeof(vector)) || vector == 0 ||
        vector >> 20 != 0)
        return false;
    c->seg[SEG_CS].sel = (uint16_t)(vector >> 4);
    c->seg[SEG_CS].base = c->seg[SEG_CS].desc_base = vector & ~UINT32_C(15);
    c->r[RIP] = vector & 15;
    cpu_set_a20(c, true);
    return true;
}
