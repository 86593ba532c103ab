/* SPDX-License-Identifier: MIT */
/* Commands of the floppy disk controller that find sectors. Each sector goes through the same
 * steps: it is found, then the disk and the guest have their turns in the order that the command
 * needs, and sector_done() decides whether another one follows. The guest's turn is a DMA transfer,
 * or a PIO phase. */
#include <errno.h>
#include <string.h>

#include "devices/dma.h"
#include "devices/fdc_state.h"

#define DMA_CHANNEL    2
#define RETRY_NS       (NS_PER_SEC / 1000)
#define RETRIES        200 /* about a revolution of the disk */
#define SIZE_CODE      2   /* N of sectors of 512 bytes */
#define FORMAT_ID      4   /* bytes for each sector */
#define REVOLUTION_NS  (NS_PER_SEC / 5)
#define SCAN_WILDCARD  0xff
#define VERIFY_COUNTED 0x80 /* EC, in the command's second byte */

static void find_next(struct fdc *s);

/* -- The end ----------------------------------------------------------------------------------- */

static void finish(struct fdc *s, uint8_t ic)
{
    const struct fdc_transfer *x = &s->x;
    const uint8_t results[] = {(uint8_t)(ic | (x->head ? FDC_ST0_HEAD : 0) | x->unit),
                               s->st1,
                               s->st2,
                               x->c,
                               x->h,
                               x->r,
                               x->n};

    dma_set_request(s->dev.vm, DMA_CHANNEL, false);
    memcpy(s->fifo, results, sizeof(results));
    fdc_end(s, sizeof(results));
}

static void fail(struct fdc *s, uint8_t st1, uint8_t st2)
{
    s->st1 |= st1;
    s->st2 |= st2;
    finish(s, FDC_ST0_ABNORMAL);
}

void fdc_transfer_cancel(struct fdc *s)
{
    if (s->requested != NULL)
        drive_cancel(s->requested, &s->request);
    s->disk_busy = false;
    timer_cancel(s->dev.vm, &s->retry);
    dma_set_request(s->dev.vm, DMA_CHANNEL, false);
}

/* -- Which sectors ----------------------------------------------------------------------------- */

/* To the next sector of the command; false: that was the last one. */
static bool advance(struct fdc_transfer *x)
{
    if (x->r > x->eot || x->r + x->step <= x->eot) {
        x->r += x->step;
        return true;
    }
    x->r = 1;
    if (x->op & FDC_OP_MT)
        x->h ^= 1;
    if ((x->op & FDC_OP_MT) && x->head == 0) {
        x->head = 1;
        return true;
    }
    x->c++;
    return false;
}

static bool is_scan(const struct fdc_transfer *x)
{
    return x->use >= FDC_USE_SCAN_EQUAL;
}

/* The end of the cylinder, and DMA or the guest want more. */
static void end_of_cylinder(struct fdc *s)
{
    if (s->x.use == FDC_USE_VERIFY) {
        finish(s, 0);
    } else if (is_scan(&s->x)) {
        s->st2 |= FDC_ST2_SN;
        finish(s, 0);
    } else {
        fail(s, FDC_ST1_EN, 0);
    }
}

static void sector_done(struct fdc *s)
{
    struct fdc_transfer *x = &s->x;
    bool more = true;

    switch (x->use) {
    case FDC_USE_READ_TRACK:
        x->r++;
        x->passed++;
        x->stop = x->passed >= x->eot;
        break;
    case FDC_USE_FORMAT: x->stop = --x->left == 0; break;
    case FDC_USE_VERIFY:
        more = advance(x);
        x->stop = (s->fifo[1] & VERIFY_COUNTED) && --x->left == 0;
        break;
    default:
        if (!x->stop || x->use != FDC_USE_READ_DELETED) /* a wrong mark stops where it is */
            more = advance(x);
        break;
    }
    if (x->tc || x->stop)
        finish(s, 0);
    else if (!more)
        end_of_cylinder(s);
    else
        find_next(s);
}

/* Puts the place of the sector that the command is at into disk_off; false: it has failed. */
static bool find_sector(struct fdc *s)
{
    const struct fdc_transfer *x = &s->x;
    const struct floppy *f = fdc_drive(s, x->unit);
    const struct floppy_format *disk = f != NULL ? floppy_disk(f) : NULL;
    bool same_id;
    unsigned r = x->r;

    if (disk == NULL || f->track >= disk->cylinders || x->head >= disk->heads ||
        !(disk->rates >> (s->dsr & 3) & 1) || !(x->op & FDC_OP_MFM)) {
        fail(s, FDC_ST1_MA, 0);
        return false;
    }
    same_id = x->c == f->track && x->h == x->head && x->n == SIZE_CODE;
    if (x->use == FDC_USE_READ_TRACK) { /* what comes by, and a note if it is not what was named */
        r = x->passed % disk->sectors + 1u;
        if (!same_id || r != x->r)
            s->st1 |= FDC_ST1_ND;
        same_id = x->n == SIZE_CODE;
    }
    if (!same_id || r < 1 || r > disk->sectors) {
        fail(s, FDC_ST1_ND, x->c != f->track ? FDC_ST2_WC : 0);
        return false;
    }
    s->disk_off =
        (((uint64_t)f->track * disk->heads + x->head) * disk->sectors + r - 1) * FLOPPY_SECTOR;
    return true;
}

/* -- The disk's turn --------------------------------------------------------------------------- */

static bool writes(const struct fdc_transfer *x)
{
    return x->use == FDC_USE_WRITE || x->use == FDC_USE_FORMAT;
}

static void guest_turn(struct fdc *s);
static void submit(struct fdc *s, struct drive *d, size_t n);

static void disk_done(void *dev, struct drive_request *r, int err)
{
    struct fdc *s = dev;

    s->disk_busy = false;
    if (err != 0 && r->n > FLOPPY_SECTOR) { /* perhaps another sector's fault */
        submit(s, s->requested, FLOPPY_SECTOR);
        return;
    }
    if (err == 0 && r->op == DRIVE_READ) {
        s->ahead.n = r->n;
        memcpy(s->sector, s->ahead.data, FLOPPY_SECTOR);
    }
    if (err == -ENOMEDIUM)
        fail(s, FDC_ST1_MA, 0);
    else if (err == -EACCES)
        fail(s, FDC_ST1_NW, 0);
    else if (err != 0)
        fail(s, FDC_ST1_DE, FDC_ST2_DD);
    else if (r->op == DRIVE_WRITE || s->x.use == FDC_USE_VERIFY)
        sector_done(s);
    else
        guest_turn(s);
}

void fdc_forget_ahead(struct fdc *s)
{
    s->ahead.n = 0;
}

/* `n` bytes from disk_off on. */
static void submit(struct fdc *s, struct drive *d, size_t n)
{
    bool write = writes(&s->x);

    fdc_forget_ahead(s);
    s->ahead.drive = d;
    s->ahead.off = s->disk_off;
    s->disk_busy = true;
    s->requested = d;
    s->request = (struct drive_request){
        .op = write ? DRIVE_WRITE : DRIVE_READ,
        .off = s->disk_off,
        .buf = write ? s->sector : s->ahead.data,
        .n = n,
        .done = disk_done,
        .dev = s,
    };
    drive_submit(d, &s->request);
}

/* From disk_off to the end of its track, or of the image; 0: the image lacks it. */
static size_t rest_of_track(const struct fdc *s, const struct floppy *f)
{
    const struct floppy_format *disk = floppy_disk(f);
    size_t track = disk != NULL ? (size_t)disk->sectors * FLOPPY_SECTOR : FLOPPY_SECTOR;
    size_t n = track - s->disk_off % track;
    uint64_t bytes = drive_bytes(f->drive);

    if (s->disk_off + FLOPPY_SECTOR > bytes)
        return 0;
    return s->disk_off + n > bytes ? (size_t)(bytes - s->disk_off) : n;
}

/* The sector is there already: it was read ahead, or the image lacks it and it is of zeros. */
static bool need_not_read(struct fdc *s, const struct floppy *f)
{
    const struct fdc_ahead *a = &s->ahead;

    if (f->drive == a->drive && s->disk_off >= a->off &&
        s->disk_off + FLOPPY_SECTOR <= a->off + a->n)
        memcpy(s->sector, a->data + (s->disk_off - a->off), FLOPPY_SECTOR);
    else if (rest_of_track(s, f) == 0)
        memset(s->sector, 0, FLOPPY_SECTOR);
    else
        return false;
    return true;
}

static void disk_turn(struct fdc *s)
{
    struct floppy *f = fdc_drive(s, s->x.unit);

    if (f == NULL) {
        fail(s, FDC_ST1_MA, 0);
    } else if (writes(&s->x) || !need_not_read(s, f)) {
        s->phase = FDC_BUSY;
        submit(s, f->drive, writes(&s->x) ? FLOPPY_SECTOR : rest_of_track(s, f));
    } else if (s->x.use == FDC_USE_VERIFY) {
        sector_done(s);
    } else {
        guest_turn(s);
    }
}

/* -- The guest's turn -------------------------------------------------------------------------- */

static bool guest_reads(const struct fdc_transfer *x)
{
    return x->use >= FDC_USE_READ && x->use <= FDC_USE_READ_TRACK;
}

static unsigned guest_bytes(const struct fdc_transfer *x)
{
    return x->use == FDC_USE_FORMAT ? FORMAT_ID : FLOPPY_SECTOR;
}

/* Compares the disk's bytes with the guest's; FFh on either side is equal to all. */
static void scan(struct fdc *s)
{
    struct fdc_transfer *x = &s->x;
    int order = 0; /* of the disk's against the guest's */

    for (unsigned k = 0; k < FLOPPY_SECTOR && order == 0; k++) {
        if (s->sector[k] != SCAN_WILDCARD && s->data[k] != SCAN_WILDCARD)
            order = (s->sector[k] > s->data[k]) - (s->sector[k] < s->data[k]);
    }
    s->st2 &= (uint8_t) ~(FDC_ST2_SH | FDC_ST2_SN);
    x->stop = order == 0 || (x->use == FDC_USE_SCAN_LOW && order < 0) ||
              (x->use == FDC_USE_SCAN_HIGH && order > 0);
    if (order == 0)
        s->st2 |= FDC_ST2_SH;
    else if (!x->stop && x->tc)
        s->st2 |= FDC_ST2_SN;
}

/* One sector's ID has come: the image keeps sectors where they are, so only that layout will do. */
static void format_sector(struct fdc *s)
{
    struct fdc_transfer *x = &s->x;

    x->c = s->data[0];
    x->h = s->data[1];
    x->r = s->data[2];
    x->n = s->data[3];
    memset(s->sector, x->fill, FLOPPY_SECTOR);
    if (find_sector(s))
        disk_turn(s);
}

static void guest_done(struct fdc *s)
{
    s->phase = FDC_BUSY;
    if (s->x.use == FDC_USE_WRITE) {
        memcpy(s->sector, s->data, FLOPPY_SECTOR);
        disk_turn(s);
    } else if (s->x.use == FDC_USE_FORMAT) {
        format_sector(s);
    } else {
        if (is_scan(&s->x))
            scan(s);
        sector_done(s);
    }
}

/* A channel that is still masked is waited for as long as a disk turns once. */
static void move_by_dma(struct fdc *s)
{
    struct fdc_transfer *x = &s->x;
    size_t n, bytes = guest_bytes(x);

    dma_set_request(s->dev.vm, DMA_CHANNEL, true);
    n = s->dor & FDC_DOR_GATE ? dma_transfer(s->dev.vm, DMA_CHANNEL, s->data, bytes, &x->tc) : 0;
    if (n == 0 && x->retries > 0) {
        x->retries--;
        timer_arm(s->dev.vm, &s->retry, clock_now(s->dev.vm) + RETRY_NS);
        return;
    }
    dma_set_request(s->dev.vm, DMA_CHANNEL, false);
    if (n == 0) {
        fail(s, FDC_ST1_OR, 0);
        return;
    }
    if (!guest_reads(x))
        memset(s->data + n, 0, FLOPPY_SECTOR - n);
    guest_done(s);
}

void fdc_retry_due(void *opaque)
{
    struct fdc *s = opaque;

    if (s->phase != FDC_BUSY || s->disk_busy)
        return;
    move_by_dma(s);
}

static void guest_turn(struct fdc *s)
{
    if (guest_reads(&s->x))
        memcpy(s->data, s->sector, FLOPPY_SECTOR);
    s->x.retries = RETRIES;
    if (!(s->hlt_nd & FDC_PIO)) {
        s->phase = FDC_BUSY;
        move_by_dma(s);
        return;
    }
    s->phase = guest_reads(&s->x) ? FDC_PIO_IN : FDC_PIO_OUT;
    s->data_pos = 0;
    fdc_interrupt(s);
}

static void pio_moved(struct fdc *s)
{
    if (++s->data_pos >= guest_bytes(&s->x))
        guest_done(s);
    else
        fdc_interrupt(s);
}

uint8_t fdc_pio_in(struct fdc *s)
{
    uint8_t val = s->data[s->data_pos % FLOPPY_SECTOR];

    pio_moved(s);
    return val;
}

void fdc_pio_out(struct fdc *s, uint8_t val)
{
    s->data[s->data_pos % FLOPPY_SECTOR] = val;
    pio_moved(s);
}

/* -- The beginning ----------------------------------------------------------------------------- */

/* No sector has a deleted mark: images cannot tell. */
static void find_next(struct fdc *s)
{
    struct fdc_transfer *x = &s->x;

    if (x->use == FDC_USE_FORMAT) {
        guest_turn(s);
        return;
    }
    while (find_sector(s)) {
        if (x->use == FDC_USE_WRITE) {
            guest_turn(s);
            return;
        }
        if (x->use == FDC_USE_READ_DELETED) {
            s->st2 |= FDC_ST2_CM;
            x->stop = !(x->op & FDC_OP_SK);
        }
        if (x->use != FDC_USE_READ_DELETED || x->stop) {
            disk_turn(s);
            return;
        }
        if (!advance(x)) {
            end_of_cylinder(s);
            return;
        }
    }
}

static void parse(struct fdc *s, enum fdc_use use)
{
    struct fdc_transfer *x = &s->x;

    *x = (struct fdc_transfer){
        .op = s->fifo[0],
        .use = (uint8_t)use,
        .unit = s->fifo[1] & 3,
        .head = s->fifo[1] >> 2 & 1,
        .c = s->fifo[2],
        .h = s->fifo[3],
        .r = s->fifo[4],
        .n = s->fifo[5],
        .eot = s->fifo[6],
        .step = 1,
        .left = s->fifo[8],
    };
    s->last_eot = x->eot;
    if (is_scan(x) && s->fifo[8] == 2)
        x->step = 2;
    if (use == FDC_USE_FORMAT) {
        x->n = s->fifo[2];
        x->left = s->last_eot = s->fifo[3];
        x->fill = s->fifo[5];
        x->c = s->track[x->unit];
        x->h = x->head;
        x->r = 1;
    }
    s->st1 = s->st2 = 0;
    s->phase = FDC_BUSY;
}

void fdc_transfer_begin(struct fdc *s, enum fdc_use use)
{
    struct fdc_transfer *x = &s->x;
    struct floppy *f;

    parse(s, use);
    f = fdc_drive(s, x->unit);
    if (f == NULL || floppy_disk(f) == NULL) {
        fail(s, FDC_ST1_MA, 0);
        return;
    }
    if (writes(x) && floppy_is_protected(f)) {
        fail(s, FDC_ST1_NW, 0);
        return;
    }
    if ((s->config & FDC_CONFIG_EIS) && use != FDC_USE_FORMAT)
        fdc_move(s, x->unit, x->c);
    if (use == FDC_USE_FORMAT && (x->n != SIZE_CODE || x->left == 0))
        fail(s, FDC_ST1_ND, 0);
    else
        find_next(s);
}

/* The ID that is under the heads now. */
void fdc_read_id(struct fdc *s)
{
    struct fdc_transfer *x = &s->x;
    const struct floppy *f;
    const struct floppy_format *disk;

    parse(s, FDC_USE_READ);
    f = fdc_drive(s, x->unit);
    disk = f != NULL ? floppy_disk(f) : NULL;
    x->c = f != NULL ? f->track : 0;
    x->h = x->head;
    x->n = SIZE_CODE;
    x->r = 1;
    if (disk != NULL) {
        uint64_t at = clock_now(s->dev.vm) % REVOLUTION_NS;
        x->r = (uint8_t)(at * disk->sectors / REVOLUTION_NS + 1);
    }
    if (find_sector(s))
        finish(s, 0);
}

/* -- Loading ----------------------------------------------------------------------------------- */

void fdc_transfer_loaded(struct fdc *s)
{
    struct fdc_transfer *x = &s->x;
    struct floppy *f;

    x->unit %= FDC_UNITS;
    x->head &= 1;
    x->use %= FDC_USE_SCAN_HIGH + 1;
    if (x->step != 2) /* without steps no command would come to its end */
        x->step = 1;
    s->data_pos %= FLOPPY_SECTOR;
    if (s->requested != NULL)
        drive_cancel(s->requested, &s->request);
    f = fdc_drive(s, x->unit);
    if (s->phase != FDC_BUSY || f == NULL)
        s->disk_busy = false;
    fdc_forget_ahead(s);
    if (s->disk_busy)
        submit(s, f->drive, FLOPPY_SECTOR);
}
