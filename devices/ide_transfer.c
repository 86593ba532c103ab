/* SPDX-License-Identifier: MIT */
/* Data between the host and images, a buffer at a time: read a buffer and let the host take it,
 * block by block (PIO, an interrupt for each) or as the bus master's descriptors say; or the other
 * way round. */
#include "devices/ide_state.h"
#include "vmm/vm.h"

#define RANGE_BYTES 8 /* of TRIM: 48 bits of address, 16 bits of length */

static void submit(struct ide_channel *ch);
static void next_range(struct ide_channel *ch);

/* Sectors that the buffer holds. */
static uint32_t chunk(const struct ide_channel *ch)
{
    uint32_t fit = IDE_BUF / ch->sector_bytes;

    return ch->left < fit ? ch->left : fit;
}

static unsigned image_sector(const struct ide_unit *u)
{
    return u->is_cd ? 2048 : IDE_SECTOR;
}

bool ide_is_to_host(const struct ide_channel *ch)
{
    return ch->job == IDE_READ || ch->job == IDE_REPLY;
}

/* -- Host -------------------------------------------------------------------------------------- */

/* The next block by PIO. The first one of a transfer to the device comes without an interrupt. */
static void next_block(struct ide_channel *ch, bool interrupt)
{
    struct ide_unit *u = ide_selected(ch);
    uint32_t n = ch->end - ch->pos < ch->block ? ch->end - ch->pos : ch->block;

    ch->drq_end = ch->pos + n;
    ch->phase = ide_is_to_host(ch) ? IDE_PIO_IN : IDE_PIO_OUT;
    u->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
    if (u->is_cd) {
        u->count.now = ch->job == IDE_PACKET_OUT ? ATAPI_COD : ide_is_to_host(ch) ? ATAPI_IO : 0;
        if (ch->job != IDE_PACKET_OUT) {
            u->lba[1].now = (uint8_t)n;
            u->lba[2].now = (uint8_t)(n >> 8);
        }
    }
    if (interrupt)
        ide_set_irq(ch, true);
}

/* buf[0] up to buf[n - 1] are to be moved. */
static void offer(struct ide_channel *ch, uint32_t n, bool interrupt)
{
    ch->pos = 0;
    ch->end = n;
    if (ch->dma) {
        ch->phase = IDE_DMA;
        ide_selected(ch)->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
        ide_dma_run(ch);
    } else {
        next_block(ch, interrupt);
    }
}

static void first_range(struct ide_channel *ch);

void ide_buffer_moved(struct ide_channel *ch)
{
    if (ch->job == IDE_PACKET_OUT)
        atapi_execute(ch);
    else if (ch->job == IDE_TRIM)
        first_range(ch);
    else if (ch->job == IDE_WRITE || (ch->job == IDE_READ && ch->left > 0))
        submit(ch);
    else
        ide_succeed(ch);
}

void ide_block_moved(struct ide_channel *ch)
{
    if (ch->pos < ch->drq_end)
        return;
    if (ch->pos < ch->end)
        next_block(ch, true);
    else
        ide_buffer_moved(ch);
}

void ide_succeed(struct ide_channel *ch)
{
    struct ide_unit *u = ide_selected(ch);
    bool told = !u->is_cd && ch->phase == IDE_PIO_IN; /* by the last block's interrupt */

    ch->phase = IDE_IDLE;
    ch->job = IDE_NOTHING;
    u->status = ATA_DRDY | ATA_DSC;
    u->error = 0;
    if (u->is_cd)
        u->count.now = ATAPI_COD | ATAPI_IO;
    if (!told)
        ide_set_irq(ch, true);
}

/* -- Image ------------------------------------------------------------------------------------- */

static void fail(struct ide_channel *ch, int err)
{
    if (ide_selected(ch)->is_cd)
        atapi_fail_host(ch, err);
    else
        ata_fail(ch, ch->job == IDE_READ || ch->job == IDE_VERIFY ? ATA_UNC : ATA_ABRT, ch->lba);
}

static void done(void *dev, struct drive_request *r, int err)
{
    struct ide_channel *ch = dev;
    uint32_t n = ch->job == IDE_WRITE ? ch->end / IDE_SECTOR : chunk(ch);

    if (err != 0) {
        fail(ch, err);
        return;
    }
    if (ch->job == IDE_FLUSH) {
        ide_succeed(ch);
        return;
    }
    if (ch->job == IDE_TRIM) {
        next_range(ch);
        return;
    }
    if (ch->job == IDE_READ && ch->sector_bytes > image_sector(ide_selected(ch)))
        atapi_make_raw(ch->buf, r->buf, ch->lba, n);
    ch->lba += n;
    ch->left -= n;
    if (ch->job == IDE_READ)
        offer(ch, n * ch->sector_bytes, true);
    else if (ch->left == 0)
        ide_succeed(ch);
    else if (ch->job == IDE_WRITE)
        offer(ch, chunk(ch) * IDE_SECTOR, true);
    else
        submit(ch);
}

/* The job's next request. */
static void submit(struct ide_channel *ch)
{
    struct ide_unit *u = ide_selected(ch);
    struct drive_request *r = &ch->request;
    unsigned sector = image_sector(u);

    ch->phase = IDE_DISK;
    u->status = ATA_DRDY | ATA_DSC | ATA_BSY;
    *r = (struct drive_request){.done = done, .dev = ch, .buf = ch->buf, .off = ch->lba * sector};
    if (ch->job == IDE_FLUSH) {
        r->op = DRIVE_FLUSH;
    } else if (ch->job == IDE_TRIM) {
        r->op = DRIVE_DISCARD;
        r->n = (size_t)ch->left * IDE_SECTOR;
    } else if (ch->job == IDE_WRITE) {
        r->op = DRIVE_WRITE;
        r->n = ch->end;
        r->sync = ch->sync;
    } else {
        r->op = DRIVE_READ;
        r->n = (size_t)chunk(ch) * sector;
        if (ch->sector_bytes > sector) /* room to make raw sectors of them */
            r->buf = ch->buf + IDE_BUF - r->n;
    }
    ch->asked = u->drive;
    drive_submit(u->drive, r);
}

void ide_resume(struct ide_channel *ch)
{
    if (ch->phase == IDE_DISK)
        submit(ch);
}

/* -- Ranges ------------------------------------------------------------------------------------ */

static bool is_range_left(const struct ide_channel *ch)
{
    return ch->end - ch->pos >= RANGE_BYTES;
}

static uint64_t range_first(const struct ide_channel *ch)
{
    uint64_t lba = 0;

    for (unsigned k = 0; k < 6; k++)
        lba |= (uint64_t)ch->buf[ch->pos + k] << (8 * k);
    return lba;
}

/* Takes the range at pos. */
static uint32_t range_sectors(struct ide_channel *ch)
{
    const uint8_t *at = ch->buf + ch->pos;

    ch->pos += RANGE_BYTES;
    return at[6] | (uint32_t)at[7] << 8;
}

/* Ranges that follow each other are one request: an image can give back whole clusters only. */
static void next_range(struct ide_channel *ch)
{
    ch->left = 0;
    while (ch->left == 0 && is_range_left(ch)) {
        ch->lba = range_first(ch);
        ch->left = range_sectors(ch);
    }
    while (is_range_left(ch) && range_first(ch) == ch->lba + ch->left)
        ch->left += range_sectors(ch);
    if (ch->left > 0)
        submit(ch);
    else
        ide_succeed(ch);
}

static void first_range(struct ide_channel *ch)
{
    ch->pos = 0;
    next_range(ch);
}

/* -- Jobs -------------------------------------------------------------------------------------- */

void ide_start_sectors(struct ide_channel *ch, enum ide_job job, uint64_t lba, uint32_t n)
{
    ch->job = (uint8_t)job;
    ch->lba = lba;
    ch->left = n;
    if (job == IDE_WRITE)
        offer(ch, chunk(ch) * IDE_SECTOR, false);
    else
        submit(ch);
}

void ide_start_flush(struct ide_channel *ch)
{
    ch->job = IDE_FLUSH;
    submit(ch);
}

void ide_start_trim(struct ide_channel *ch, uint32_t n)
{
    ch->job = IDE_TRIM;
    offer(ch, n * IDE_SECTOR, false);
}

void ide_start_reply(struct ide_channel *ch, uint32_t n)
{
    ch->job = IDE_REPLY;
    ch->left = 0;
    offer(ch, n, true);
}

void ide_start_packet(struct ide_channel *ch)
{
    ch->job = IDE_PACKET_OUT;
    ch->pos = 0;
    ch->end = ch->block = IDE_PACKET;
    next_block(ch, false);
}
