/* SPDX-License-Identifier: MIT */
/* 82077AA floppy disk controller (Intel data sheet 290166) in PC/AT mode, with two drives.
 *
 * Ports 3F2-3F5 and 3F7. Commands come through the FIFO port byte by byte; a table says how many
 * bytes each takes and what it does. Those that find sectors are in fdc_transfer.c. A step of the
 * heads takes a little time, everything else none but the disk image's own.
 *
 * Not as the chip: without a disk a command fails, where the chip waits for it for ever. Motors
 * need not run but for the disk change line. Left out: FM, sectors of other sizes than 512 bytes,
 * deleted data marks (written as plain data, for images have none), formatting to another layout
 * than the image's, power down, PS/2 modes (3F0, 3F1). */
#include "devices/fdc.h"

#include <string.h>

#include "devices/fdc_state.h"
#include "devices/isa.h"
#include "devices/rtc.h"

#define FDC_BASE 0x3f2
#define FDC_LINE 6

/* From FDC_BASE. */
enum fdc_reg {
    FDC_DOR,
    FDC_TDR,
    FDC_MSR, /* write: DSR */
    FDC_FIFO,
};

#define MSR_BUSY 0x10
#define MSR_NDMA 0x20
#define MSR_DIO  0x40
#define MSR_RQM  0x80

#define DSR_RESET 0x80
#define DSR_RATE  0x03
#define TDR_BITS  0x03

#define ST3_TRACK0    0x10
#define ST3_TWO_SIDED 0x08
#define ST3_READY     0x20
#define ST3_PROTECTED 0x40

#define CONFIG_DEFAULT    0x20 /* FIFO off */
#define CONFIG_BITS       0x7f
#define PERPENDICULAR_OW  0x80
#define PERPENDICULAR_D   0x3c /* drives */
#define PERPENDICULAR_LOW 0x03 /* GAP, WGATE */
#define LOCK_BIT          0x80
#define LOCK_RESULT       0x10
#define VERSION_82077     0x90
#define RELATIVE_INWARDS  0x40

#define SETTLE_NS UINT64_C(50000)
#define STEP_NS   UINT64_C(20000)

#define CMOS_FLOPPIES 0x10

struct floppy *fdc_drive(struct fdc *s, unsigned unit)
{
    return unit < FDC_DRIVES && s->drive[unit].drive != NULL ? &s->drive[unit] : NULL;
}

/* -- Interrupt and results --------------------------------------------------------------------- */

static void update_irq(struct fdc *s)
{
    irq_set(&s->line, s->irq && (s->dor & FDC_DOR_GATE));
}

static void clear_interrupt(struct fdc *s)
{
    s->irq = false;
    update_irq(s);
}

/* An edge, also if it was on. */
void fdc_interrupt(struct fdc *s)
{
    clear_interrupt(s);
    s->irq = true;
    update_irq(s);
}

static void take_command(struct fdc *s)
{
    s->phase = FDC_COMMAND;
    s->fifo_pos = s->fifo_len = 0;
}

static void give_results(struct fdc *s, unsigned n)
{
    s->phase = FDC_RESULT;
    s->fifo_pos = 0;
    s->fifo_len = (uint8_t)n;
}

static void give_result(struct fdc *s, unsigned val)
{
    s->fifo[0] = (uint8_t)val;
    give_results(s, 1);
}

void fdc_end(struct fdc *s, unsigned n)
{
    give_results(s, n);
    fdc_interrupt(s);
}

/* -- Heads ------------------------------------------------------------------------------------- */

void fdc_move(struct fdc *s, unsigned unit, uint8_t track)
{
    struct floppy *f = fdc_drive(s, unit);

    s->track[unit] = track;
    if (f != NULL)
        floppy_seek(f, track);
}

static void add_sense(struct fdc *s, unsigned unit, unsigned st0)
{
    s->sense[unit] = (uint8_t)(st0 | unit);
    s->sense_pending |= (uint8_t)(1u << unit);
}

static void seek_due(void *opaque)
{
    struct fdc *s = opaque;

    for (unsigned unit = 0; unit < FDC_UNITS; unit++) {
        if (s->seeking & 1u << unit) {
            bool lost = fdc_drive(s, unit) == NULL && s->target[unit] == 0;

            fdc_move(s, unit, s->target[unit]);
            add_sense(s, unit,
                      lost ? FDC_ST0_ABNORMAL | FDC_ST0_SE | FDC_ST0_EC : (unsigned)FDC_ST0_SE);
        }
    }
    s->seeking = 0;
    fdc_interrupt(s);
}

static void start_seek(struct fdc *s, unsigned unit, uint8_t track)
{
    unsigned from = s->track[unit], steps = track > from ? track - from : from - track;

    s->target[unit] = track;
    s->seeking |= (uint8_t)(1u << unit);
    timer_arm(s->dev.vm, &s->seek_end, clock_now(s->dev.vm) + SETTLE_NS + steps * STEP_NS);
    take_command(s);
}

/* -- Reset ------------------------------------------------------------------------------------- */

/* What reset, by DOR or DSR, does to registers; LOCK keeps some. */
static void enter_reset(struct fdc *s)
{
    fdc_transfer_cancel(s);
    timer_cancel(s->dev.vm, &s->seek_end);
    s->seeking = s->sense_pending = 0;
    s->st1 = s->st2 = 0;
    s->perpendicular &= PERPENDICULAR_D;
    if (!s->lock) {
        s->config = CONFIG_DEFAULT;
        s->pretrk = 0;
    }
    take_command(s);
    clear_interrupt(s);
}

/* Then all drives are polled, and said to have changed their readiness. */
static void leave_reset(struct fdc *s)
{
    if (s->config & FDC_CONFIG_POLL)
        return;
    for (unsigned unit = 0; unit < FDC_UNITS; unit++)
        add_sense(s, unit, FDC_ST0_POLL);
    fdc_interrupt(s);
}

/* -- Commands that find no sectors ------------------------------------------------------------- */

static void invalid(struct fdc *s)
{
    give_result(s, FDC_ST0_INVALID);
}

static void specify(struct fdc *s)
{
    s->srt_hut = s->fifo[1];
    s->hlt_nd = s->fifo[2];
    take_command(s);
}

static void sense_drive(struct fdc *s)
{
    const struct floppy *f = fdc_drive(s, s->fifo[1] & 3);
    unsigned st3 = ST3_READY | ST3_TWO_SIDED | (s->fifo[1] & 7u);

    if (f != NULL && f->track == 0)
        st3 |= ST3_TRACK0;
    if (f != NULL && floppy_is_protected(f))
        st3 |= ST3_PROTECTED;
    give_result(s, st3);
}

static void sense_interrupt(struct fdc *s)
{
    unsigned unit = 0;
    bool more = false;

    if (s->sense_pending == 0) {
        invalid(s);
        return;
    }
    while (!(s->sense_pending >> unit & 1))
        unit++;
    s->sense_pending &= (uint8_t) ~(1u << unit);
    s->fifo[0] = s->sense[unit];
    s->fifo[1] = s->track[unit];
    give_results(s, 2);
    clear_interrupt(s);
    for (unsigned k = 0; k < FDC_UNITS; k++) /* the four after a reset come with one interrupt */
        more |= (s->sense_pending >> k & 1) && (s->sense[k] & FDC_ST0_SE);
    if (more)
        fdc_interrupt(s);
}

static void recalibrate(struct fdc *s)
{
    start_seek(s, s->fifo[1] & 3, 0);
}

static void seek(struct fdc *s)
{
    start_seek(s, s->fifo[1] & 3, s->fifo[2]);
}

static void relative_seek(struct fdc *s)
{
    unsigned unit = s->fifo[1] & 3, from = s->track[unit], n = s->fifo[2];

    if (s->fifo[0] & RELATIVE_INWARDS)
        n = from + n > 0xff ? 0xff : from + n;
    else
        n = n > from ? 0 : from - n;
    start_seek(s, unit, (uint8_t)n);
}

static void dumpreg(struct fdc *s)
{
    const uint8_t regs[] = {s->track[0], s->track[1],
                            s->track[2], s->track[3],
                            s->srt_hut,  s->hlt_nd,
                            s->last_eot, (uint8_t)((s->lock ? LOCK_BIT : 0) | s->perpendicular),
                            s->config,   s->pretrk};

    memcpy(s->fifo, regs, sizeof(regs));
    give_results(s, sizeof(regs));
}

static void version(struct fdc *s)
{
    give_result(s, VERSION_82077);
}

static void perpendicular(struct fdc *s)
{
    uint8_t val = s->fifo[1], keep = val & PERPENDICULAR_OW ? 0 : PERPENDICULAR_D;

    s->perpendicular = (uint8_t)((s->perpendicular & keep) |
                                 (val & (PERPENDICULAR_D | PERPENDICULAR_LOW) & ~keep));
    take_command(s);
}

static void configure(struct fdc *s)
{
    s->config = s->fifo[2] & CONFIG_BITS;
    s->pretrk = s->fifo[3];
    take_command(s);
}

static void lock(struct fdc *s)
{
    s->lock = (s->fifo[0] & LOCK_BIT) != 0;
    give_result(s, s->lock ? LOCK_RESULT : 0);
}

/* -- The table --------------------------------------------------------------------------------- */

#define MT  FDC_OP_MT
#define MFM FDC_OP_MFM
#define SK  FDC_OP_SK

static const struct fdc_command {
    uint8_t code, options; /* bits of the first byte that may be anything */
    uint8_t bytes;
    uint8_t use; /* enum fdc_use; FDC_USE_NONE: run() */
    void (*run)(struct fdc *s);
} commands[] = {
    {0x02, MFM | SK, 9, FDC_USE_READ_TRACK, NULL},
    {0x03, 0, 3, FDC_USE_NONE, specify},
    {0x04, 0, 2, FDC_USE_NONE, sense_drive},
    {0x05, MT | MFM, 9, FDC_USE_WRITE, NULL},
    {0x06, MT | MFM | SK, 9, FDC_USE_READ, NULL},
    {0x07, 0, 2, FDC_USE_NONE, recalibrate},
    {0x08, 0, 1, FDC_USE_NONE, sense_interrupt},
    {0x09, MT | MFM, 9, FDC_USE_WRITE, NULL},
    {0x0a, MFM, 2, FDC_USE_NONE, fdc_read_id},
    {0x0c, MT | MFM | SK, 9, FDC_USE_READ_DELETED, NULL},
    {0x0d, MFM, 6, FDC_USE_FORMAT, NULL},
    {0x0e, 0, 1, FDC_USE_NONE, dumpreg},
    {0x0f, 0, 3, FDC_USE_NONE, seek},
    {0x10, 0, 1, FDC_USE_NONE, version},
    {0x11, MT | MFM | SK, 9, FDC_USE_SCAN_EQUAL, NULL},
    {0x12, 0, 2, FDC_USE_NONE, perpendicular},
    {0x13, 0, 4, FDC_USE_NONE, configure},
    {0x14, LOCK_BIT, 1, FDC_USE_NONE, lock},
    {0x16, MT | MFM | SK, 9, FDC_USE_VERIFY, NULL},
    {0x19, MT | MFM | SK, 9, FDC_USE_SCAN_LOW, NULL},
    {0x1d, MT | MFM | SK, 9, FDC_USE_SCAN_HIGH, NULL},
    {0x8f, RELATIVE_INWARDS, 3, FDC_USE_NONE, relative_seek},
};

static const struct fdc_command *find_command(uint8_t op)
{
    static const struct fdc_command none = {0, 0, 1, FDC_USE_NONE, invalid};

    for (size_t k = 0; k < sizeof(commands) / sizeof(commands[0]); k++) {
        if ((op & ~commands[k].options) == commands[k].code)
            return &commands[k];
    }
    return &none;
}

/* -- Registers --------------------------------------------------------------------------------- */

static void command_byte(struct fdc *s, uint8_t val)
{
    const struct fdc_command *c;

    s->fifo[s->fifo_pos++ % sizeof(s->fifo)] = val;
    c = find_command(s->fifo[0]);
    if (s->fifo_pos < c->bytes)
        return;
    vm_log(s->dev.vm, LOG_IO, "fdc: command %02x %02x %02x %02x %02x", s->fifo[0], s->fifo[1],
           s->fifo[2], s->fifo[3], s->fifo[4]);
    if (c->use != FDC_USE_NONE)
        fdc_transfer_begin(s, (enum fdc_use)c->use);
    else
        c->run(s);
}

static void write_fifo(struct fdc *s, uint8_t val)
{
    if (!(s->dor & FDC_DOR_NRESET))
        return;
    if (s->phase == FDC_COMMAND)
        command_byte(s, val);
    else if (s->phase == FDC_PIO_OUT)
        fdc_pio_out(s, val);
}

static uint8_t read_fifo(struct fdc *s)
{
    uint8_t val = 0;

    if (s->phase == FDC_PIO_IN) {
        val = fdc_pio_in(s);
    } else if (s->phase == FDC_RESULT) {
        if (s->sense_pending == 0)
            clear_interrupt(s);
        val = s->fifo[s->fifo_pos++ % sizeof(s->fifo)];
        if (s->fifo_pos >= s->fifo_len)
            take_command(s);
    }
    return val;
}

static uint8_t status(const struct fdc *s)
{
    uint8_t val = s->seeking;

    if (!(s->dor & FDC_DOR_NRESET))
        return 0;
    switch (s->phase) {
    case FDC_COMMAND: return val | MSR_RQM | (s->fifo_pos > 0 ? MSR_BUSY : 0);
    case FDC_PIO_IN: return val | MSR_RQM | MSR_DIO | MSR_NDMA | MSR_BUSY;
    case FDC_PIO_OUT: return val | MSR_RQM | MSR_NDMA | MSR_BUSY;
    case FDC_RESULT: return val | MSR_RQM | MSR_DIO | MSR_BUSY;
    default: return val | MSR_BUSY | (s->hlt_nd & FDC_PIO ? MSR_NDMA : 0);
    }
}

/* Bit 7 alone is the controller's; the others float. */
static uint8_t input(struct fdc *s)
{
    unsigned unit = s->dor & FDC_DOR_SELECT;
    const struct floppy *f = fdc_drive(s, unit);

    return 0x7f |
           (f != NULL && (s->dor & FDC_DOR_MOTOR << unit) && floppy_is_changed(f) ? 0x80 : 0);
}

static void write_dor(struct fdc *s, uint8_t val)
{
    bool was_reset = !(s->dor & FDC_DOR_NRESET), reset = !(val & FDC_DOR_NRESET);

    s->dor = val;
    if (reset && !was_reset)
        enter_reset(s);
    else if (was_reset && !reset)
        leave_reset(s);
    update_irq(s);
}

static void write_dsr(struct fdc *s, uint8_t val)
{
    s->dsr = val & (uint8_t)~DSR_RESET;
    if ((val & DSR_RESET) && (s->dor & FDC_DOR_NRESET)) {
        enter_reset(s);
        leave_reset(s);
    }
}

static uint64_t fdc_read(void *dev, uint32_t off, unsigned n)
{
    struct fdc *s = dev;

    (void)n;
    switch (off) {
    case FDC_DOR: return s->dor;
    case FDC_TDR: return s->tdr;
    case FDC_MSR: return status(s);
    default: return read_fifo(s);
    }
}

static void fdc_write(void *dev, uint32_t off, unsigned n, uint64_t val64)
{
    struct fdc *s = dev;
    uint8_t val = (uint8_t)val64;

    (void)n;
    switch (off) {
    case FDC_DOR: write_dor(s, val); break;
    case FDC_TDR: s->tdr = val & TDR_BITS; break;
    case FDC_MSR: write_dsr(s, val); break;
    default: write_fifo(s, val); break;
    }
}

/* Port 3F7: DIR and CCR. */
static uint64_t change_read(void *dev, uint32_t off, unsigned n)
{
    (void)off, (void)n;
    return input(dev);
}

static void change_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct fdc *s = dev;

    (void)off, (void)n;
    s->dsr = (uint8_t)((s->dsr & ~DSR_RATE) | (val & DSR_RATE));
}

/* -- Device ------------------------------------------------------------------------------------ */

/* What firmware reads: the drives' kinds, and how many there are. */
static void set_cmos(struct fdc *s)
{
    struct vm *vm = s->dev.vm;
    unsigned count = (s->drive[0].type != 0) + (s->drive[1].type != 0);
    unsigned equipment = rtc_cmos(vm, RTC_EQUIPMENT) & 0x3e;

    if (count > 0)
        equipment |= 1 | (count - 1) << 6;
    rtc_set_cmos(vm, CMOS_FLOPPIES, (uint8_t)(s->drive[0].type << 4 | s->drive[1].type));
    rtc_set_cmos(vm, RTC_EQUIPMENT, (uint8_t)equipment);
}

/* The heads stay where they are. */
static void reset(struct device *d)
{
    struct fdc *s = (struct fdc *)d;

    s->lock = false;
    enter_reset(s);
    s->dor = s->tdr = 0;
    s->dsr = 2; /* 250 kb/s */
    s->srt_hut = s->hlt_nd = s->perpendicular = s->last_eot = 0;
    s->x = (struct fdc_transfer){.step = 1};
    s->data_pos = 0;
    s->disk_off = 0;
    memset(s->fifo, 0, sizeof(s->fifo));
    memset(s->sector, 0, sizeof(s->sector));
    memset(s->data, 0, sizeof(s->data));
    memset(s->target, 0, sizeof(s->target));
    memset(s->sense, 0, sizeof(s->sense));
    memset(s->track, 0, sizeof(s->track));
    update_irq(s);
}

static void loaded(struct device *d)
{
    struct fdc *s = (struct fdc *)d;

    if (s->phase > FDC_RESULT) /* a file may hold anything */
        s->phase = FDC_COMMAND;
    s->fifo_pos %= sizeof(s->fifo);
    s->fifo_len %= sizeof(s->fifo);
    s->sense_pending &= (1u << FDC_UNITS) - 1;
    s->seeking &= (1u << FDC_UNITS) - 1;
    fdc_transfer_loaded(s);
    update_irq(s);
}

static void drive_changed(struct fdc *s, unsigned unit)
{
    s->drive[unit].changed = true;
    fdc_forget_ahead(s);
}

static void drive_a_changed(void *dev)
{
    drive_changed(dev, 0);
}

static void drive_b_changed(void *dev)
{
    drive_changed(dev, 1);
}

static int realize(struct device *d)
{
    static const struct io_ops ops = {fdc_read, fdc_write, IO_8};
    static const struct io_ops change_ops = {change_read, change_write, IO_8};
    static const struct drive_ops drive_ops[FDC_DRIVES] = {{drive_a_changed, NULL},
                                                           {drive_b_changed, NULL}};
    struct fdc *s = (struct fdc *)d;
    int err;

    timer_init(&s->seek_end, seek_due, s);
    timer_init(&s->retry, fdc_retry_due, s);
    s->line = isa_irq(d->vm, FDC_LINE);
    for (unsigned k = 0; k < FDC_DRIVES; k++)
        floppy_attach(&s->drive[k], d->vm, k, &drive_ops[k], s);
    set_cmos(s);
    err = bus_claim_ports(d->vm, "fdc", FDC_BASE, 4, &ops, s);
    return err != 0 ? err : bus_claim_ports(d->vm, "fdc-dir", FDC_BASE + 5, 1, &change_ops, s);
}

static void unrealize(struct device *d)
{
    struct fdc *s = (struct fdc *)d;

    for (unsigned k = 0; k < FDC_DRIVES; k++)
        floppy_detach(&s->drive[k]);
}

static const struct field transfer_fields[] = {
    FIELD(struct fdc_transfer, op),
    FIELD(struct fdc_transfer, use),
    FIELD(struct fdc_transfer, unit),
    FIELD(struct fdc_transfer, head),
    FIELD(struct fdc_transfer, c),
    FIELD(struct fdc_transfer, h),
    FIELD(struct fdc_transfer, r),
    FIELD(struct fdc_transfer, n),
    FIELD(struct fdc_transfer, eot),
    FIELD(struct fdc_transfer, step),
    FIELD(struct fdc_transfer, fill),
    FIELD(struct fdc_transfer, left),
    FIELD(struct fdc_transfer, passed),
    FIELD(struct fdc_transfer, retries),
    FIELD(struct fdc_transfer, tc),
    FIELD(struct fdc_transfer, stop),
    FIELDS_END,
};

static const struct field fdc_fields[] = {
    FIELDS_DEVICE(struct fdc),
    FIELD(struct fdc, dor),
    FIELD(struct fdc, tdr),
    FIELD(struct fdc, dsr),
    FIELD(struct fdc, srt_hut),
    FIELD(struct fdc, hlt_nd),
    FIELD(struct fdc, config),
    FIELD(struct fdc, pretrk),
    FIELD(struct fdc, perpendicular),
    FIELD(struct fdc, last_eot),
    FIELD(struct fdc, lock),
    FIELD(struct fdc, phase),
    FIELD_ARRAY(struct fdc, fifo),
    FIELD(struct fdc, fifo_pos),
    FIELD(struct fdc, fifo_len),
    FIELD(struct fdc, st1),
    FIELD(struct fdc, st2),
    FIELD_SUB(struct fdc, x, transfer_fields),
    FIELD_ARRAY(struct fdc, sector),
    FIELD_ARRAY(struct fdc, data),
    FIELD(struct fdc, data_pos),
    FIELD(struct fdc, disk_off),
    FIELD(struct fdc, disk_busy),
    FIELD(struct fdc, irq),
    FIELD(struct fdc, seeking),
    FIELD_ARRAY(struct fdc, target),
    FIELD_ARRAY(struct fdc, sense),
    FIELD(struct fdc, sense_pending),
    FIELD_ARRAY(struct fdc, track),
    FIELD_SUBS(struct fdc, drive, floppy_fields),
    FIELD_TIMER(struct fdc, seek_end),
    FIELD_TIMER(struct fdc, retry),
    UNSAVED(struct fdc, request),
    UNSAVED(struct fdc, requested),
    UNSAVED(struct fdc, ahead),
    UNSAVED(struct fdc, line),
    FIELDS_END,
};

const struct device_class fdc_class = {
    .name = "fdc",
    .desc = "82077AA floppy disk controller",
    .size = sizeof(struct fdc),
    .fields = fdc_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
