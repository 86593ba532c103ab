/* SPDX-License-Identifier: MIT */
/* Power management function of the 82371AB (PIIX4), 0:1.3, 8086:7113 (data sheet 290562, chapter 7;
 * ACPI 1.0, 4.7), laid out as in QEMU's pc: the fixed registers behind PMBA, two bytes each of
 * general purpose status and enable at AFE0.
 *
 * The 24-bit timer is computed from the clock. Its status bit comes when bit 23 changes, which is
 * looked at when the status is read; a clock timer waits for that only while it can interrupt.
 * Sleep type 0 powers off, and so does 2 (sleep to disk), once the guest has saved itself. Type 1
 * stops the processor until the power button or the real-time clock wakes the machine by a reset,
 * of which firmware learns from WAK_STS and, as in QEMU, from the CMOS's shutdown code. ACPI is
 * switched on and off by bytes written to SMI_CMD, as if the firmware's SMI handler had done it;
 * DEVACTB reads as if that handler were in place, so that firmware does not wait for system
 * management mode, which the processor lacks. Left out: SMBus, device monitors. */
#include "devices/acpi_pm.h"

#include <string.h>

#include "devices/isa.h"
#include "devices/pci.h"
#include "devices/rtc.h"
#include "vmm/vm.h"

#define PM_PORTS   64
#define PM_HZ      UINT64_C(3579545)
#define TMR_MASK   0xffffffu
#define TMR_TOGGLE UINT64_C(0x800000) /* counts between changes of the top bit */

#define STS_TMR    0x0001u
#define STS_GBL    0x0020u
#define STS_PWRBTN 0x0100u
#define STS_RTC    0x0400u
#define STS_WAK    0x8000u
#define STS_EVENTS (STS_TMR | STS_GBL | STS_PWRBTN | STS_RTC)
#define STS_ALL    (STS_EVENTS | STS_WAK | 0x0011u)
#define EN_ALL     STS_EVENTS

#define CNT_SCI_EN   0x0001u
#define CNT_SLP_TYP  10
#define CNT_SLP_EN   0x2000u
#define CNT_WRITABLE 0x1c03u

struct acpi_pm {
    struct pci_device pci;
    uint16_t sts, en, cnt;
    uint16_t gpe_sts, gpe_en;
    uint8_t apm[2];  /* SMI_CMD and the scratch byte behind it */
    bool sleeps;     /* until something wakes it ... */
    bool wakes;      /* ... by a reset that has not come yet */
    uint64_t toggle; /* count at which the timer's status bit comes */
    uint64_t base;   /* where the ports are claimed; 0: nowhere */
    struct timer timer;
    struct irq sci;
};

static struct vm *vm_of(const struct acpi_pm *s)
{
    return s->pci.dev.vm;
}

/* -- Timer and SCI ----------------------------------------------------------------------------- */

static uint64_t pm_count(const struct acpi_pm *s)
{
    return clock_muldiv(clock_now(vm_of(s)), PM_HZ, NS_PER_SEC);
}

static void update(struct acpi_pm *s)
{
    uint16_t events;

    if (pm_count(s) >= s->toggle)
        s->sts |= STS_TMR;
    events = s->sts & s->en & STS_EVENTS;
    irq_set(&s->sci, (s->cnt & CNT_SCI_EN) && (events != 0 || (s->gpe_sts & s->gpe_en) != 0));
    if ((s->en & STS_TMR) && !(s->sts & STS_TMR))
        timer_arm(vm_of(s), &s->timer, clock_muldiv(s->toggle, NS_PER_SEC, PM_HZ) + 1);
    else
        timer_cancel(vm_of(s), &s->timer);
}

static void timer_fire(void *opaque)
{
    update(opaque);
}

static void next_toggle(struct acpi_pm *s)
{
    s->toggle = (pm_count(s) / TMR_TOGGLE + 1) * TMR_TOGGLE;
}

/* -- Sleeping and waking ----------------------------------------------------------------------- */

#define SHUTDOWN_WAKE 0xfe

static void wake_by(struct acpi_pm *s, uint16_t events)
{
    if (!s->sleeps || (s->sts & events) == 0)
        return;
    s->sleeps = false;
    s->wakes = true;
    vm_wake(vm_of(s));
}

static void sleep_now(struct acpi_pm *s)
{
    unsigned type = s->cnt >> CNT_SLP_TYP & 7;

    if (type == ACPI_PM_SLP_S5 || type == 2) {
        vm_request_shutdown(vm_of(s));
    } else if (type == ACPI_PM_SLP_S3) {
        s->sleeps = true;
        vm_suspend(vm_of(s));
        wake_by(s, s->en & (STS_PWRBTN | STS_RTC));
    } else {
        vm_log(vm_of(s), LOG_UNIMP, "acpi_pm: sleep type %u", type);
    }
}

static void event(struct vm *vm, uint16_t sts, bool always_wakes)
{
    struct acpi_pm *s = (struct acpi_pm *)device_find(vm, &acpi_pm_class, 0);

    if (s == NULL)
        return;
    s->sts |= sts;
    update(s);
    wake_by(s, always_wakes ? sts : s->en & sts);
}

void acpi_pm_power_button(struct vm *vm)
{
    event(vm, STS_PWRBTN, true);
}

void acpi_pm_rtc_alarm(struct vm *vm)
{
    event(vm, STS_RTC, false);
}

bool acpi_pm_wakes(struct vm *vm)
{
    struct acpi_pm *s = (struct acpi_pm *)device_find(vm, &acpi_pm_class, 0);

    return s != NULL && s->wakes;
}

bool acpi_pm_has_woken(struct vm *vm)
{
    struct acpi_pm *s = (struct acpi_pm *)device_find(vm, &acpi_pm_class, 0);

    return s != NULL && (s->sts & STS_WAK) != 0;
}

/* -- Power management ports -------------------------------------------------------------------- */

/* The 32 bits at an aligned offset. */
static uint32_t pm_read32(struct acpi_pm *s, uint32_t off)
{
    switch (off) {
    case ACPI_PM1_EVT: update(s); return s->sts | (uint32_t)s->en << 16;
    case ACPI_PM1_CNT: return s->cnt;
    case ACPI_PM_TMR: return (uint32_t)pm_count(s) & TMR_MASK;
    default: return 0;
    }
}

/* mask: the bits that are written. */
static void pm_write32(struct acpi_pm *s, uint32_t off, uint32_t val, uint32_t mask)
{
    switch (off) {
    case ACPI_PM1_EVT:
        update(s);
        s->sts &= (uint16_t)~val;
        if (val & STS_TMR)
            next_toggle(s);
        s->en = (uint16_t)((s->en & ~(mask >> 16)) | (val >> 16 & EN_ALL));
        break;
    case ACPI_PM1_CNT:
        s->cnt = (uint16_t)((s->cnt & ~mask) | (val & CNT_WRITABLE));
        if (val & CNT_SLP_EN)
            sleep_now(s);
        break;
    default: break;
    }
    update(s);
}

/* Bits that an access of n bytes at off covers in the 32 bits around it. */
static uint32_t access_mask(uint32_t off, unsigned n)
{
    return (UINT32_MAX >> (32 - 8 * n)) << (8 * (off & 3));
}

static uint64_t pm_read(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return pm_read32(dev, off & ~3u) >> (8 * (off & 3));
}

static void pm_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    uint32_t mask = access_mask(off, n);

    pm_write32(dev, off & ~3u, (uint32_t)val << (8 * (off & 3)) & mask, mask);
}

static uint64_t gpe_read(void *dev, uint32_t off, unsigned n)
{
    const struct acpi_pm *s = dev;

    (void)n;
    return (s->gpe_sts | (uint32_t)s->gpe_en << 16) >> (8 * (off & 3));
}

static void gpe_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct acpi_pm *s = dev;
    uint32_t mask = access_mask(off, n), bits = (uint32_t)val << (8 * (off & 3)) & mask;

    s->gpe_sts &= (uint16_t)~bits;
    s->gpe_en = (uint16_t)((s->gpe_en & ~(mask >> 16)) | bits >> 16);
    update(s);
}

static uint64_t apm_read(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return ((struct acpi_pm *)dev)->apm[off & 1];
}

static void apm_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct acpi_pm *s = dev;

    (void)n;
    s->apm[off & 1] = (uint8_t)val;
    if (off != 0)
        return;
    if (val == ACPI_PM_ENABLE)
        s->cnt |= CNT_SCI_EN;
    else if (val == ACPI_PM_DISABLE)
        s->cnt &= (uint16_t)~CNT_SCI_EN;
    update(s);
}

/* -- Configuration ----------------------------------------------------------------------------- */

static void map_ports(struct acpi_pm *s)
{
    static const struct io_ops ops = {pm_read, pm_write, IO_8 | IO_16 | IO_32};
    uint64_t base = pci_get16(&s->pci, ACPI_PM_PMBA) & 0xffc0;

    if (!(s->pci.config[ACPI_PM_PMREGMISC] & 1))
        base = 0;
    if (base == s->base)
        return;
    if (s->base != 0)
        bus_release_ports(vm_of(s), (uint16_t)s->base, s);
    s->base = 0;
    if (base == 0)
        return;
    if (bus_claim_ports(vm_of(s), "acpi_pm", (uint16_t)base, PM_PORTS, &ops, s) == 0)
        s->base = base;
    else
        vm_log(vm_of(s), LOG_GUEST_ERROR, "acpi_pm: %s", vm_error(vm_of(s)));
}

static void written(struct pci_device *p, unsigned off, unsigned n)
{
    (void)off;
    (void)n;
    map_ports((struct acpi_pm *)p);
}

static void reset(struct device *d)
{
    struct acpi_pm *s = (struct acpi_pm *)d;
    const struct vm_config *cfg = vm_config(d->vm);

    pci_device_reset(&s->pci);
    memset(s->pci.config + 0x40, 0, PCI_CONFIG_SIZE - 0x40);
    s->pci.config[ACPI_PM_PMBA] = 0x01;
    s->pci.config[0x5b] = 0x02; /* SMI at SMI_CMD: already set up */
    s->pci.config[0x5f] = 0x10;
    s->pci.config[0x63] = 0x60;
    s->pci.config[0x67] = (cfg->serial[0] != NULL ? 0x08 : 0) | (cfg->serial[1] != NULL ? 0x90 : 0);
    s->pci.config[0x90] = 0x01;
    s->cnt = s->gpe_sts = s->gpe_en = 0;
    s->apm[0] = s->apm[1] = 0;
    if (s->wakes) { /* what says who woke it is kept powered */
        s->sts |= STS_WAK;
        rtc_set_cmos(d->vm, RTC_SHUTDOWN, SHUTDOWN_WAKE);
    } else {
        s->sts = s->en = 0;
    }
    s->sleeps = s->wakes = false;
    next_toggle(s);
    map_ports(s);
    update(s);
}

static void loaded(struct device *d)
{
    struct acpi_pm *s = (struct acpi_pm *)d;

    s->sts &= STS_ALL; /* a file may hold anything */
    s->en &= EN_ALL;
    s->cnt &= CNT_WRITABLE;
    if (s->toggle > pm_count(s) + TMR_TOGGLE)
        next_toggle(s);
    pci_device_loaded(&s->pci);
    map_ports(s);
    if (s->sleeps || s->wakes)
        vm_suspend(d->vm);
    if (s->wakes)
        vm_wake(d->vm);
    update(s);
}

static void unrealize(struct device *d)
{
    struct acpi_pm *s = (struct acpi_pm *)d;

    if (s->base != 0)
        bus_release_ports(d->vm, (uint16_t)s->base, s);
    bus_release_ports(d->vm, ACPI_PM_GPE, s);
    bus_release_ports(d->vm, ACPI_PM_SMI_CMD, s);
    pci_unregister(&s->pci);
}

static int realize(struct device *d)
{
    static const struct io_ops gpe_ops = {gpe_read, gpe_write, IO_8 | IO_16 | IO_32};
    static const struct io_ops apm_ops = {apm_read, apm_write, IO_8};
    static const struct pci_ident id = {
        .vendor = 0x8086, .device = 0x7113, .class_code = 0x0680, .revision = 3, .irq_pin = 1};
    struct acpi_pm *s = (struct acpi_pm *)d;
    int err = pci_register(&s->pci, ACPI_PM_DEVFN, &id);

    if (err != 0)
        return err;
    timer_init(&s->timer, timer_fire, s);
    s->pci.written = written;
    s->pci.wmask[ACPI_PM_PMBA] = 0xc0;
    s->pci.wmask[ACPI_PM_PMBA + 2] = s->pci.wmask[ACPI_PM_PMBA + 3] = 0;
    pci_put16(&s->pci, PCI_STATUS, 0x0280);
    s->sci = isa_irq(d->vm, ACPI_PM_SCI);
    err = bus_claim_ports(d->vm, "acpi_gpe", ACPI_PM_GPE, ACPI_PM_GPE_LEN, &gpe_ops, s);
    if (err == 0)
        err = bus_claim_ports(d->vm, "apm", ACPI_PM_SMI_CMD, 2, &apm_ops, s);
    if (err != 0)
        unrealize(d);
    return err;
}

static const struct field acpi_pm_fields[] = {
    FIELD_SUB(struct acpi_pm, pci, pci_device_fields),
    FIELD(struct acpi_pm, sts),
    FIELD(struct acpi_pm, en),
    FIELD(struct acpi_pm, cnt),
    FIELD(struct acpi_pm, gpe_sts),
    FIELD(struct acpi_pm, gpe_en),
    FIELD_ARRAY(struct acpi_pm, apm),
    FIELD(struct acpi_pm, sleeps),
    FIELD(struct acpi_pm, wakes),
    FIELD(struct acpi_pm, toggle),
    UNSAVED(struct acpi_pm, base),
    FIELD_TIMER(struct acpi_pm, timer),
    UNSAVED(struct acpi_pm, sci),
    FIELDS_END,
};

const struct device_class acpi_pm_class = {
    .name = "acpi_pm",
    .desc = "82371AB power management",
    .size = sizeof(struct acpi_pm),
    .fields = acpi_pm_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
