/* SPDX-License-Identifier: MIT */
/* IDE controller of the PIIX3, function 0:1.1, 8086:7010 (82371SB data sheet 290550), in legacy
 * mode: two channels at fixed ports and ISA lines, each with up to two devices (ATA/ATAPI-6, T13
 * 1410D). This file has the registers that the host sees, interrupts, and resets.
 *
 * While a command is carried out, the command block takes no writes but a packet device's reset.
 * Both devices of a channel listen to all writes; the selected one answers reads. A device that is
 * not there answers zeros. The channels answer whatever IDETIM and the command register say,
 * because guests which are started without firmware, and firmware made for emulators, expect it. */
#include "devices/ide.h"

#include <errno.h>
#include <string.h>

#include "devices/ide_state.h"
#include "devices/isa.h"
#include "devices/piix3.h"
#include "vmm/vm.h"

enum ide_reg {
    ATA_DATA,
    ATA_ERROR,
    ATA_COUNT,
    ATA_LBA0,
    ATA_LBA1,
    ATA_LBA2,
    ATA_DEVICE,
    ATA_STATUS
};

#define COMMAND_PORTS 8
#define DEVICE_RESET  0x08
#define SIDETIM       0x44

static const struct {
    uint16_t command, control;
    uint8_t line;
} places[IDE_CHANNELS] = {{0x1f0, 0x3f6, 14}, {0x170, 0x376, 15}};

/* -- Interrupts -------------------------------------------------------------------------------- */

static void update_irq(struct ide_channel *ch)
{
    bool level = ch->irq && !(ch->control & ATA_NIEN);

    if (level && !ch->line_level)
        ch->bm_status |= BM_INTERRUPT;
    ch->line_level = level;
    irq_set(&ch->line, level);
}

void ide_set_irq(struct ide_channel *ch, bool pending)
{
    ch->irq = pending;
    update_irq(ch);
}

/* -- Resets ------------------------------------------------------------------------------------ */

void ide_cancel(struct ide_channel *ch)
{
    if (ch->request.pending)
        drive_cancel(ch->asked, &ch->request);
    ch->phase = IDE_IDLE;
    ch->job = IDE_NOTHING;
}

void ide_put_signature(struct ide_unit *u)
{
    u->count.now = u->lba[0].now = 1;
    u->lba[1].now = u->is_cd ? 0x14 : 0;
    u->lba[2].now = u->is_cd ? 0xeb : 0;
}

void ide_diagnosed(struct ide_channel *ch)
{
    for (unsigned n = 0; n < IDE_UNITS; n++) {
        struct ide_unit *u = &ch->unit[n];

        if (u->drive == NULL)
            continue;
        ide_put_signature(u);
        u->error = 1;
        u->status = u->is_cd ? 0 : ATA_DRDY | ATA_DSC;
    }
    ch->device = 0;
}

/* Is a software reset waiting for a drive? */
static bool is_resetting(const struct ide_channel *ch)
{
    return ch->phase == IDE_DISK && ch->job == IDE_NOTHING;
}

/* The drive has done what it was at when the host reset the channel. */
static void abandoned_done(void *dev, struct drive_request *r, int err)
{
    struct ide_channel *ch = dev;

    (void)r;
    (void)err;
    ch->phase = IDE_IDLE;
    if (!(ch->control & ATA_SRST))
        ide_diagnosed(ch);
}

/* The host may be slow, and everybody would wait with us: devices are busy until it is done. */
static void software_reset(struct ide_channel *ch)
{
    if (ch->request.pending && !drive_withdraw(ch->asked, &ch->request)) {
        ch->request.done = abandoned_done;
        ch->phase = IDE_DISK;
    } else {
        ch->phase = IDE_IDLE;
    }
    ch->job = IDE_NOTHING;
    ide_set_irq(ch, false);
    for (unsigned n = 0; n < IDE_UNITS; n++) {
        if (ch->unit[n].drive != NULL)
            ch->unit[n].status = ATA_BSY;
    }
}

/* -- Command block ----------------------------------------------------------------------------- */

static bool is_busy(struct ide_channel *ch)
{
    return ch->phase != IDE_IDLE || (ch->control & ATA_SRST);
}

static uint64_t read_data(struct ide_channel *ch, unsigned n)
{
    uint64_t val = 0;

    if (ch->phase != IDE_PIO_IN)
        return UINT64_MAX;
    for (unsigned k = 0; k < n && ch->pos < ch->drq_end; k++)
        val |= (uint64_t)ch->buf[ch->pos++] << (8 * k);
    ide_block_moved(ch);
    return val;
}

static void write_data(struct ide_channel *ch, unsigned n, uint64_t val)
{
    if (ch->phase != IDE_PIO_OUT)
        return;
    for (unsigned k = 0; k < n && ch->pos < ch->drq_end; k++)
        ch->buf[ch->pos++] = (uint8_t)(val >> (8 * k));
    ide_block_moved(ch);
}

static uint8_t read_register(struct ide_channel *ch, unsigned reg)
{
    struct ide_unit *u = ide_selected(ch);
    const struct ide_byte *byte = NULL;

    if (u->drive == NULL)
        return 0;
    switch (reg) {
    case ATA_ERROR: return u->error;
    case ATA_COUNT: byte = &u->count; break;
    case ATA_LBA0:
    case ATA_LBA1:
    case ATA_LBA2: byte = &u->lba[reg - ATA_LBA0]; break;
    case ATA_DEVICE: return ch->device | 0xa0;
    default: ide_set_irq(ch, false); return u->status;
    }
    return ch->control & ATA_HOB ? byte->hob : byte->now;
}

static void put(struct ide_byte *byte, uint8_t val)
{
    byte->hob = byte->now;
    byte->now = val;
}

static void write_both(struct ide_channel *ch, unsigned reg, uint8_t val)
{
    for (unsigned n = 0; n < IDE_UNITS; n++) {
        struct ide_unit *u = &ch->unit[n];

        if (reg == ATA_ERROR)
            put(&u->feature, val);
        else if (reg == ATA_COUNT)
            put(&u->count, val);
        else
            put(&u->lba[reg - ATA_LBA0], val);
    }
}

static void write_command(struct ide_channel *ch, uint8_t val)
{
    struct ide_unit *u = ide_selected(ch);

    if (u->drive == NULL || (ch->control & ATA_SRST))
        return;
    if (val == DEVICE_RESET && u->is_cd && !is_resetting(ch)) {
        ide_cancel(ch);
        ide_set_irq(ch, false);
        atapi_reset(u);
        ide_put_signature(u);
        u->error = 1;
        u->status = 0;
        ch->device &= ATA_DEV;
        return;
    }
    if (is_busy(ch))
        return;
    ide_set_irq(ch, false);
    ata_command(ch, val);
}

static void write_register(struct ide_channel *ch, unsigned reg, uint8_t val)
{
    ch->control &= (uint8_t)~ATA_HOB;
    if (reg == ATA_STATUS)
        write_command(ch, val);
    else if (is_busy(ch))
        return;
    else if (reg == ATA_DEVICE)
        ch->device = val;
    else
        write_both(ch, reg, val);
}

static uint64_t command_read(void *dev, uint32_t off, unsigned n)
{
    struct ide_channel *ch = dev;
    uint64_t val = 0;

    if (off == ATA_DATA)
        return read_data(ch, n);
    for (unsigned k = 0; k < n; k++)
        val |= (uint64_t)read_register(ch, off + k) << (8 * k);
    return val;
}

static void command_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    if (off == ATA_DATA) {
        write_data(dev, n, val);
        return;
    }
    for (unsigned k = 0; k < n; k++)
        write_register(dev, off + k, (uint8_t)(val >> (8 * k)));
}

/* -- Control block ----------------------------------------------------------------------------- */

static uint64_t control_read(void *dev, uint32_t off, unsigned n)
{
    const struct ide_unit *u = ide_selected(dev);

    (void)off;
    (void)n;
    return u->drive != NULL ? u->status : 0;
}

static void control_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct ide_channel *ch = dev;
    uint8_t old = ch->control;

    (void)off;
    (void)n;
    ch->control = (uint8_t)val & (ATA_NIEN | ATA_SRST | ATA_HOB);
    if (ch->control & ~old & ATA_SRST)
        software_reset(ch);
    else if ((old & ~ch->control & ATA_SRST) && ch->phase == IDE_IDLE)
        ide_diagnosed(ch);
    update_irq(ch);
}

/* -- Device ------------------------------------------------------------------------------------ */

static void reset_unit(struct ide_unit *u)
{
    struct drive *drive = u->drive;
    bool is_cd = u->is_cd;

    *u = (struct ide_unit){.drive = drive, .is_cd = is_cd, .channel = u->channel};
    if (drive == NULL)
        return;
    ata_reset(u);
    atapi_reset(u);
}

static void reset_channel(struct ide_channel *ch)
{
    ide_cancel(ch);
    for (unsigned n = 0; n < IDE_UNITS; n++)
        reset_unit(&ch->unit[n]);
    ch->control = 0;
    ch->irq = ch->dma = ch->sync = ch->bm_last = false;
    ch->lba = 0;
    ch->left = ch->block = ch->pos = ch->drq_end = ch->end = 0;
    ch->sector_bytes = IDE_SECTOR;
    ch->bm_command = ch->bm_status = 0;
    ch->bm_table = ch->bm_next = ch->bm_addr = ch->bm_left = 0;
    memset(ch->buf, 0, sizeof(ch->buf));
    ide_diagnosed(ch);
    update_irq(ch);
}

static void reset(struct device *d)
{
    struct ide *s = (struct ide *)d;

    pci_device_reset(&s->pci);
    pci_put16(&s->pci, PCI_STATUS, 0x0280); /* medium timing, fast back-to-back */
    memset(s->pci.config + IDE_IDETIM, 0, SIDETIM + 1 - IDE_IDETIM);
    for (unsigned n = 0; n < IDE_CHANNELS; n++)
        reset_channel(&s->channel[n]);
}

/* A file may hold anything. */
static void check_unit(struct ide_unit *u)
{
    if (u->drive != NULL && (u->heads == 0 || u->spt == 0)) /* no host can set that */
        ata_reset_geometry(u);
}

static void check_channel(struct ide_channel *ch)
{
    const struct ide_unit *u = ide_selected(ch);
    bool bad =
        u->drive == NULL || ch->phase >= IDE_PHASES || ch->job >= IDE_JOBS || ch->end > IDE_BUF ||
        ch->drq_end > ch->end || ch->pos > ch->end || ch->block == 0 ||
        (ch->phase < IDE_DMA && ch->phase > IDE_DISK && ch->pos > ch->drq_end) ||
        (ch->job == IDE_PACKET_OUT && (!u->is_cd || ch->end < IDE_PACKET)) ||
        (ch->job == IDE_TRIM && u->is_cd) ||
        (ch->job == IDE_WRITE &&
         (u->is_cd || ch->end % IDE_SECTOR != 0 || ch->left < ch->end / IDE_SECTOR)) ||
        (ch->sector_bytes != IDE_SECTOR && ch->sector_bytes != 2048 && ch->sector_bytes != 2352) ||
        (ch->sector_bytes == IDE_SECTOR) == u->is_cd;

    if (ch->phase == IDE_IDLE || bad) {
        ch->phase = IDE_IDLE;
        ch->job = IDE_NOTHING;
    }
}

static void loaded(struct device *d)
{
    struct ide *s = (struct ide *)d;

    pci_device_loaded(&s->pci);
    for (unsigned n = 0; n < IDE_CHANNELS; n++) {
        struct ide_channel *ch = &s->channel[n];

        for (unsigned k = 0; k < IDE_UNITS; k++) {
            check_unit(&ch->unit[k]);
            if (ch->unit[k].is_cd)
                drive_lock_tray(ch->unit[k].drive, ch->unit[k].atapi.locked);
        }
        if (ch->request.pending)
            drive_cancel(ch->asked, &ch->request);
        if (is_resetting(ch))
            abandoned_done(ch, &ch->request, 0);
        check_channel(ch);
        ch->line_level = ch->irq && !(ch->control & ATA_NIEN);
        irq_set(&ch->line, ch->line_level);
        ide_resume(ch);
    }
}

static void unrealize(struct device *d)
{
    struct ide *s = (struct ide *)d;

    for (unsigned n = 0; n < IDE_CHANNELS; n++) {
        for (unsigned k = 0; k < IDE_UNITS; k++) {
            if (s->channel[n].unit[k].drive != NULL)
                drive_attach(s->channel[n].unit[k].drive, NULL, NULL);
        }
    }
    pci_unregister(&s->pci);
}

static void hard_disk_changed(void *dev)
{
    (void)dev; /* has no tray */
}

static int connect_drive(struct vm *vm, struct ide_unit *u, unsigned index)
{
    static const struct drive_ops disk_ops = {hard_disk_changed, NULL};

    u->drive = drive_find(vm, DRIVE_IDE, index);
    if (u->drive == NULL)
        return 0;
    u->is_cd = drive_is_cdrom(u->drive);
    if (!u->is_cd && drive_readonly(u->drive))
        return vm_fail(vm, -EROFS,
                       "%s: %s can only be read, which IDE disks are not made for; "
                       "snapshot=on makes writes temporary",
                       drive_id(u->drive), drive_file(u->drive));
    drive_attach(u->drive, u->is_cd ? &atapi_drive_ops : &disk_ops, u);
    return 0;
}

static int realize_channel(struct ide *s, unsigned n)
{
    static const struct io_ops command_ops = {command_read, command_write, IO_8 | IO_16 | IO_32};
    static const struct io_ops control_ops = {control_read, control_write, IO_8};
    struct ide_channel *ch = &s->channel[n];
    struct vm *vm = s->pci.dev.vm;
    int err = 0;

    ch->ide = s;
    ch->line = isa_irq(vm, places[n].line);
    for (unsigned k = 0; k < IDE_UNITS && err == 0; k++) {
        ch->unit[k].channel = ch;
        err = connect_drive(vm, &ch->unit[k], n * IDE_UNITS + k);
    }
    if (err == 0)
        err = bus_claim_ports(vm, "ide", places[n].command, COMMAND_PORTS, &command_ops, ch);
    if (err == 0)
        err = bus_claim_ports(vm, "ide", places[n].control, 1, &control_ops, ch);
    return err;
}

static void config_written(struct pci_device *p, unsigned off, unsigned n)
{
    struct ide *s = (struct ide *)p;

    (void)n;
    for (unsigned k = 0; k < IDE_CHANNELS && off < PCI_STATUS; k++)
        ide_dma_run(&s->channel[k]); /* the bus may be ours now */
}

static int realize(struct device *d)
{
    static const struct pci_ident id = {
        .vendor = 0x8086, .device = 0x7010, .class_code = 0x0101, .prog_if = 0x80};
    struct ide *s = (struct ide *)d;
    int err = pci_register(&s->pci, IDE_DEVFN, &id);

    if (err != 0)
        return err;
    pci_add_io_bar(&s->pci, 4, 16, &ide_bm_ops, s);
    memset(s->pci.wmask + IDE_IDETIM, 0xff, SIDETIM + 1 - IDE_IDETIM);
    s->pci.written = config_written;
    for (unsigned n = 0; n < IDE_CHANNELS && err == 0; n++)
        err = realize_channel(s, n);
    if (err != 0)
        unrealize(d);
    return err;
}

/* -- State ------------------------------------------------------------------------------------- */

static const struct field byte_fields[] = {
    FIELD(struct ide_byte, now),
    FIELD(struct ide_byte, hob),
    FIELDS_END,
};

static const struct field atapi_fields[] = {
    FIELD(struct atapi, key),
    FIELD(struct atapi, asc),
    FIELD(struct atapi, ascq),
    FIELD(struct atapi, event),
    FIELD(struct atapi, locked),
    FIELD(struct atapi, attention),
    FIELDS_END,
};

static const struct field unit_fields[] = {
    FIELD_SUB(struct ide_unit, feature, byte_fields),
    FIELD_SUB(struct ide_unit, count, byte_fields),
    FIELD_SUBS(struct ide_unit, lba, byte_fields),
    FIELD(struct ide_unit, status),
    FIELD(struct ide_unit, error),
    FIELD(struct ide_unit, heads),
    FIELD(struct ide_unit, spt),
    FIELD(struct ide_unit, multiple),
    FIELD(struct ide_unit, mdma),
    FIELD(struct ide_unit, udma),
    FIELD(struct ide_unit, write_cache),
    FIELD(struct ide_unit, look_ahead),
    FIELD(struct ide_unit, smart),
    FIELD_SUB(struct ide_unit, atapi, atapi_fields),
    UNSAVED(struct ide_unit, drive),
    UNSAVED(struct ide_unit, is_cd),
    UNSAVED(struct ide_unit, channel),
    FIELDS_END,
};

static const struct field channel_fields[] = {
    FIELD_SUBS(struct ide_channel, unit, unit_fields),
    FIELD(struct ide_channel, device),
    FIELD(struct ide_channel, control),
    FIELD(struct ide_channel, irq),
    FIELD(struct ide_channel, phase),
    FIELD(struct ide_channel, job),
    FIELD(struct ide_channel, dma),
    FIELD(struct ide_channel, sync),
    FIELD(struct ide_channel, lba),
    FIELD(struct ide_channel, left),
    FIELD(struct ide_channel, sector_bytes),
    FIELD(struct ide_channel, block),
    FIELD(struct ide_channel, pos),
    FIELD(struct ide_channel, drq_end),
    FIELD(struct ide_channel, end),
    FIELD(struct ide_channel, bm_command),
    FIELD(struct ide_channel, bm_status),
    FIELD(struct ide_channel, bm_table),
    FIELD(struct ide_channel, bm_next),
    FIELD(struct ide_channel, bm_addr),
    FIELD(struct ide_channel, bm_left),
    FIELD(struct ide_channel, bm_last),
    FIELD_ARRAY(struct ide_channel, buf),
    UNSAVED(struct ide_channel, line),
    UNSAVED(struct ide_channel, line_level),
    UNSAVED(struct ide_channel, request),
    UNSAVED(struct ide_channel, asked),
    UNSAVED(struct ide_channel, ide),
    FIELDS_END,
};

static const struct field ide_fields[] = {
    FIELD_SUB(struct ide, pci, pci_device_fields),
    FIELD_SUBS(struct ide, channel, channel_fields),
    FIELDS_END,
};

const struct device_class ide_class = {
    .name = "ide",
    .desc = "82371SB IDE controller, disks and CD-ROMs",
    .size = sizeof(struct ide),
    .fields = ide_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
