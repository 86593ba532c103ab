/* SPDX-License-Identifier: MIT */
/* The commands of ATA disks, and those that CD-ROM drives share with them (ATA/ATAPI-6, T13 1410D,
 * chapter 8; a few older ones from ATA-4, and TRIM from ACS-2). */
#include "devices/ide_state.h"

#define MODE_MDMA     0x20 /* of SET FEATURES */
#define MODE_UDMA     0x40
#define MULTIPLE_MAX  16
#define SPINDLE_ALIVE 0xff /* CHECK POWER MODE: active */

/* What a read or write command is besides. */
#define EXT   0x01 /* 48-bit address and 16-bit count */
#define DMA   0x02
#define MULTI 0x04 /* blocks of several sectors */
#define FUA   0x08 /* on the medium before it succeeds */

/* -- Ends -------------------------------------------------------------------------------------- */

static void put_lba(struct ide_channel *ch, struct ide_unit *u, uint64_t lba)
{
    if (!(ch->device & ATA_LBA) && u->heads != 0 && u->spt != 0) {
        uint64_t track = lba / u->spt;

        u->lba[0].now = (uint8_t)(lba % u->spt + 1);
        u->lba[1].now = (uint8_t)(track / u->heads);
        u->lba[2].now = (uint8_t)(track / u->heads >> 8);
        ch->device = (uint8_t)((ch->device & 0xf0) | (track % u->heads & 15));
        return;
    }
    for (unsigned k = 0; k < 3; k++) {
        u->lba[k].now = (uint8_t)(lba >> (8 * k));
        u->lba[k].hob = (uint8_t)(lba >> (24 + 8 * k));
    }
    if (lba < 1u << 28)
        ch->device = (uint8_t)((ch->device & 0xf0) | lba >> 24);
}

void ata_fail(struct ide_channel *ch, uint8_t error, uint64_t lba)
{
    struct ide_unit *u = ide_selected(ch);

    ch->phase = IDE_IDLE;
    ch->job = IDE_NOTHING;
    u->status = ATA_DRDY | ATA_DSC | ATA_ERR;
    u->error = error;
    if (lba != UINT64_MAX)
        put_lba(ch, u, lba);
    ide_set_irq(ch, true);
}

static void abort_command(struct ide_channel *ch)
{
    ata_fail(ch, ATA_ABRT, UINT64_MAX);
}

/* -- Reading and writing ----------------------------------------------------------------------- */

static uint64_t sectors_of(const struct ide_unit *u)
{
    return drive_bytes(u->drive) / IDE_SECTOR;
}

/* The first sector that the registers name; UINT64_MAX: there is no such. */
static uint64_t first_sector(const struct ide_channel *ch, const struct ide_unit *u, bool ext)
{
    uint64_t low = u->lba[0].now | (uint32_t)u->lba[1].now << 8 | (uint32_t)u->lba[2].now << 16;
    unsigned cylinder = u->lba[1].now | u->lba[2].now << 8, head = ch->device & 15;

    if (ext)
        return low | (uint64_t)u->lba[0].hob << 24 | (uint64_t)u->lba[1].hob << 32 |
               (uint64_t)u->lba[2].hob << 40;
    if (ch->device & ATA_LBA)
        return low | (uint64_t)head << 24;
    if (head >= u->heads || u->lba[0].now == 0 || u->lba[0].now > u->spt)
        return UINT64_MAX;
    return ((uint64_t)cylinder * u->heads + head) * u->spt + u->lba[0].now - 1;
}

static uint32_t sector_count(const struct ide_unit *u, bool ext)
{
    uint32_t n = ext ? u->count.now | (uint32_t)u->count.hob << 8 : u->count.now;

    if (n != 0)
        return n;
    return ext ? 65536 : 256;
}

static void start(struct ide_channel *ch, enum ide_job job, unsigned how)
{
    struct ide_unit *u = ide_selected(ch);
    uint64_t lba = first_sector(ch, u, how & EXT);
    uint32_t n = sector_count(u, how & EXT);

    if ((how & MULTI) && u->multiple == 0) {
        abort_command(ch);
        return;
    }
    if (lba >= sectors_of(u) || n > sectors_of(u) - lba) {
        ata_fail(ch, ATA_IDNF, lba < sectors_of(u) ? sectors_of(u) : UINT64_MAX);
        return;
    }
    ch->dma = how & DMA;
    ch->sync = (how & FUA) || !u->write_cache;
    ch->sector_bytes = IDE_SECTOR;
    ch->block = (how & MULTI ? u->multiple : 1) * IDE_SECTOR;
    ide_start_sectors(ch, job, lba, n);
}

static void read_sectors(struct ide_channel *ch, unsigned how)
{
    start(ch, IDE_READ, how);
}

static void write_sectors(struct ide_channel *ch, unsigned how)
{
    start(ch, IDE_WRITE, how);
}

static void verify_sectors(struct ide_channel *ch, unsigned how)
{
    start(ch, IDE_VERIFY, how);
}

static void flush(struct ide_channel *ch, unsigned how)
{
    (void)how;
    ch->dma = false;
    ide_start_flush(ch);
}

#define TRIM 0x01 /* of the feature register */

/* Ranges that the host has no use for any more (ACS-2, T13 2015-D, 7.10). */
static void data_set_management(struct ide_channel *ch, unsigned how)
{
    struct ide_unit *u = ide_selected(ch);
    uint32_t n = sector_count(u, how & EXT);

    if (u->feature.now != TRIM || n > IDE_BUF / IDE_SECTOR) {
        abort_command(ch);
        return;
    }
    ch->dma = true;
    ch->sector_bytes = ch->block = IDE_SECTOR;
    ide_start_trim(ch, n);
}

/* Seeks have nothing to do but to say whether there is such a place. */
static void seek(struct ide_channel *ch, unsigned how)
{
    (void)how;
    if (first_sector(ch, ide_selected(ch), false) >= sectors_of(ide_selected(ch)))
        ata_fail(ch, ATA_IDNF, UINT64_MAX);
    else
        ide_succeed(ch);
}

static void read_native_max(struct ide_channel *ch, unsigned how)
{
    struct ide_unit *u = ide_selected(ch);
    uint64_t last = sectors_of(u) - 1;

    if (!(how & EXT) && last > 0x0fffffff)
        last = 0x0fffffff;
    ch->device |= ATA_LBA;
    put_lba(ch, u, last);
    ide_succeed(ch);
}

/* -- Settings ---------------------------------------------------------------------------------- */

static void set_multiple(struct ide_channel *ch, unsigned how)
{
    struct ide_unit *u = ide_selected(ch);
    uint8_t n = u->count.now;

    (void)how;
    if (n > MULTIPLE_MAX || (n & (n - 1)) != 0) {
        abort_command(ch);
        return;
    }
    u->multiple = n;
    ide_succeed(ch);
}

static void initialize_parameters(struct ide_channel *ch, unsigned how)
{
    struct ide_unit *u = ide_selected(ch);

    (void)how;
    if (u->count.now == 0) {
        abort_command(ch);
        return;
    }
    u->heads = (ch->device & 15) + 1;
    u->spt = u->count.now;
    ide_succeed(ch);
}

/* The kind of mode is in the upper five bits. A PIO mode leaves the DMA mode as it is. */
static bool set_transfer_mode(struct ide_unit *u, uint8_t mode)
{
    static const struct {
        uint8_t kind, modes;
    } kinds[] = {{0x00, 2}, {0x08, 5}, {MODE_MDMA, 3}, {MODE_UDMA, 6}};

    for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        if ((mode & 0xf8) != kinds[k].kind || (mode & 7) >= kinds[k].modes)
            continue;
        if (kinds[k].kind >= MODE_MDMA) {
            u->mdma = kinds[k].kind == MODE_MDMA ? (uint8_t)(1u << (mode & 7)) : 0;
            u->udma = kinds[k].kind == MODE_UDMA ? (uint8_t)(1u << (mode & 7)) : 0;
        }
        return true;
    }
    return false;
}

static void set_features(struct ide_channel *ch, unsigned how)
{
    struct ide_unit *u = ide_selected(ch);
    bool known = true;

    (void)how;
    switch (u->feature.now) {
    case 0x02: u->write_cache = true; break;
    case 0x82:
        u->write_cache = false;
        if (!u->is_cd) { /* what the cache holds goes out */
            flush(ch, 0);
            return;
        }
        break;
    case 0x03: known = set_transfer_mode(u, u->count.now); break;
    case 0x55: u->look_ahead = false; break;
    case 0xaa: u->look_ahead = true; break;
    case 0x66:
    case 0xcc: break; /* settings survive a software reset, or don't: ours all do */
    default: known = false;
    }
    if (known)
        ide_succeed(ch);
    else
        abort_command(ch);
}

static void nothing_to_do(struct ide_channel *ch, unsigned how)
{
    (void)how;
    ide_succeed(ch);
}

static void check_power(struct ide_channel *ch, unsigned how)
{
    (void)how;
    ide_selected(ch)->count.now = SPINDLE_ALIVE;
    ide_succeed(ch);
}

static void diagnose(struct ide_channel *ch, unsigned how)
{
    (void)how;
    ide_diagnosed(ch);
    ide_set_irq(ch, true);
}

/* -- Identification and SMART ------------------------------------------------------------------ */

static void reply_sector(struct ide_channel *ch)
{
    ch->dma = false;
    ch->block = ch->sector_bytes = IDE_SECTOR;
    if (ide_selected(ch)->is_cd)
        ch->sector_bytes = 2048;
    ide_start_reply(ch, IDE_SECTOR);
}

static void identify(struct ide_channel *ch, unsigned how)
{
    struct ide_unit *u = ide_selected(ch);

    (void)how;
    if (u->is_cd) { /* tells what it is, and that it is no disk */
        ide_put_signature(u);
        abort_command(ch);
        return;
    }
    ata_identify(u, ch->buf);
    reply_sector(ch);
}

static void identify_packet(struct ide_channel *ch, unsigned how)
{
    (void)how;
    atapi_identify(ide_selected(ch), ch->buf);
    reply_sector(ch);
}

#define SMART_DATA       0xd0
#define SMART_THRESHOLDS 0xd1
#define SMART_AUTOSAVE   0xd2
#define SMART_TEST       0xd4
#define SMART_ENABLE     0xd8
#define SMART_DISABLE    0xd9
#define SMART_STATUS     0xda

/* A table whose bytes add up to 0. */
static void smart_table(struct ide_channel *ch, bool data)
{
    uint8_t sum = 0;

    for (unsigned k = 0; k < IDE_SECTOR; k++)
        ch->buf[k] = 0;
    ch->buf[0] = 0x10; /* version; there are no attributes */
    if (data)
        ch->buf[362] = 0x02; /* offline collection was completed; it takes */
    for (unsigned k = 0; k < IDE_SECTOR - 1; k++)
        sum = (uint8_t)(sum + ch->buf[k]);
    ch->buf[IDE_SECTOR - 1] = (uint8_t)-sum;
    reply_sector(ch);
}

static void smart(struct ide_channel *ch, unsigned how)
{
    struct ide_unit *u = ide_selected(ch);
    uint8_t what = u->feature.now;
    bool key = u->lba[1].now == 0x4f && u->lba[2].now == 0xc2;

    (void)how;
    if (!key || (!u->smart && what != SMART_ENABLE)) {
        abort_command(ch);
        return;
    }
    switch (what) {
    case SMART_DATA:
    case SMART_THRESHOLDS: smart_table(ch, what == SMART_DATA); return;
    case SMART_ENABLE: u->smart = true; break;
    case SMART_DISABLE: u->smart = false; break;
    case SMART_AUTOSAVE:
    case SMART_TEST:
    case SMART_STATUS: break; /* the key still standing there means that all is well */
    default: abort_command(ch); return;
    }
    ide_succeed(ch);
}

/* -- The table --------------------------------------------------------------------------------- */

static void packet(struct ide_channel *ch, unsigned how)
{
    (void)how;
    atapi_packet(ch);
}

#define DISK 0x01
#define CD   0x02

static const struct command {
    void (*run)(struct ide_channel *ch, unsigned how);
    uint8_t how, devices;
} commands[256] = {
    [0x06] = {data_set_management, EXT | DMA, DISK},
    [0x10 ... 0x1f] = {nothing_to_do, 0, DISK}, /* RECALIBRATE */
    [0x20] = {read_sectors, 0, DISK},
    [0x21] = {read_sectors, 0, DISK},
    [0x24] = {read_sectors, EXT, DISK},
    [0x25] = {read_sectors, EXT | DMA, DISK},
    [0x27] = {read_native_max, EXT, DISK},
    [0x29] = {read_sectors, EXT | MULTI, DISK},
    [0x30] = {write_sectors, 0, DISK},
    [0x31] = {write_sectors, 0, DISK},
    [0x34] = {write_sectors, EXT, DISK},
    [0x35] = {write_sectors, EXT | DMA, DISK},
    [0x39] = {write_sectors, EXT | MULTI, DISK},
    [0x3c] = {write_sectors, FUA, DISK}, /* WRITE VERIFY */
    [0x3d] = {write_sectors, EXT | DMA | FUA, DISK},
    [0x40] = {verify_sectors, 0, DISK},
    [0x41] = {verify_sectors, 0, DISK},
    [0x42] = {verify_sectors, EXT, DISK},
    [0x70 ... 0x7f] = {seek, 0, DISK},
    [0x90] = {diagnose, 0, DISK | CD},
    [0x91] = {initialize_parameters, 0, DISK},
    [0x94 ... 0x97] = {nothing_to_do, 0, DISK | CD}, /* STANDBY, IDLE, at once or later */
    [0x98] = {check_power, 0, DISK | CD},
    [0x99] = {nothing_to_do, 0, DISK | CD}, /* SLEEP */
    [0xa0] = {packet, 0, CD},
    [0xa1] = {identify_packet, 0, CD},
    [0xb0] = {smart, 0, DISK},
    [0xc4] = {read_sectors, MULTI, DISK},
    [0xc5] = {write_sectors, MULTI, DISK},
    [0xc6] = {set_multiple, 0, DISK},
    [0xc8] = {read_sectors, DMA, DISK},
    [0xc9] = {read_sectors, DMA, DISK},
    [0xca] = {write_sectors, DMA, DISK},
    [0xcb] = {write_sectors, DMA, DISK},
    [0xce] = {write_sectors, EXT | MULTI | FUA, DISK},
    [0xe0 ... 0xe3] = {nothing_to_do, 0, DISK | CD}, /* as 94-97 */
    [0xe5] = {check_power, 0, DISK | CD},
    [0xe6] = {nothing_to_do, 0, DISK | CD},
    [0xe7] = {flush, 0, DISK},
    [0xea] = {flush, 0, DISK},
    [0xec] = {identify, 0, DISK | CD},
    [0xef] = {set_features, 0, DISK | CD},
    [0xf8] = {read_native_max, 0, DISK},
};

void ata_command(struct ide_channel *ch, uint8_t command)
{
    const struct command *c = &commands[command];
    struct ide_unit *u = ide_selected(ch);

    u->error = 0;
    if (c->run == NULL || !(c->devices & (u->is_cd ? CD : DISK)))
        abort_command(ch);
    else
        c->run(ch, c->how);
}

void ata_reset_geometry(struct ide_unit *u)
{
    u->heads = 16;
    u->spt = 63;
}

void ata_reset(struct ide_unit *u)
{
    u->write_cache = u->look_ahead = u->smart = true;
    u->multiple = u->is_cd ? 0 : MULTIPLE_MAX;
    u->mdma = 0x04;
    ata_reset_geometry(u);
}
