/* SPDX-License-Identifier: MIT */
/* CD-ROM drives: commands in packets (ATA/ATAPI-6, T13 1410D; MMC-3, T10 1363D; SPC-2, T10 1236D).
 * A medium is one data track. */
#include <errno.h>
#include <string.h>

#include "devices/ide_state.h"

#define CD_SECTOR      2048u
#define RAW_SECTOR     2352u
#define CD_MAX_SECTORS (80u * 60 * 75) /* what is longer is a DVD */
#define LEAD_OUT       0xaa
#define PREGAP         150

/* Sense keys and additional sense codes. */
#define NOT_READY       0x02
#define MEDIUM_ERROR    0x03
#define ILLEGAL_REQUEST 0x05
#define UNIT_ATTENTION  0x06
#define ABORTED_COMMAND 0x0b

#define ASC_READ_ERROR        0x11
#define ASC_INVALID_OPCODE    0x20
#define ASC_LBA_OUT_OF_RANGE  0x21
#define ASC_INVALID_FIELD     0x24
#define ASC_MEDIUM_CHANGED    0x28
#define ASC_NO_SAVED_PAGES    0x39
#define ASC_MEDIUM_NOT_THERE  0x3a
#define ASC_DATA_PHASE_ERROR  0x4b
#define ASC_REMOVAL_PREVENTED 0x53

enum media_event { EVENT_NONE, EVENT_EJECT_REQUEST, EVENT_NEW_MEDIA, EVENT_MEDIA_REMOVAL };

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get24(const uint8_t *p)
{
    return get16(p) << 8 | p[2];
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned val)
{
    p[0] = (uint8_t)(val >> 8);
    p[1] = (uint8_t)val;
}

static void put32(uint8_t *p, uint32_t val)
{
    put16(p, val >> 16);
    put16(p + 2, val & 0xffff);
}

/* -- Ends -------------------------------------------------------------------------------------- */

static void fail(struct ide_channel *ch, uint8_t key, uint8_t asc, uint8_t ascq)
{
    struct ide_unit *u = ide_selected(ch);

    ch->phase = IDE_IDLE;
    ch->job = IDE_NOTHING;
    u->atapi.key = key;
    u->atapi.asc = asc;
    u->atapi.ascq = ascq;
    u->error = (uint8_t)(key << 4 | ATA_ABRT);
    u->status = ATA_DRDY | ATA_DSC | ATA_ERR;
    u->count.now = ATAPI_COD | ATAPI_IO;
    ide_set_irq(ch, true);
}

static void invalid_field(struct ide_channel *ch)
{
    fail(ch, ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
}

static void not_ready(struct ide_channel *ch)
{
    /* Qualifier: tray closed or open. */
    fail(ch, NOT_READY, ASC_MEDIUM_NOT_THERE, drive_tray_is_open(ide_selected(ch)->drive) ? 2 : 1);
}

void atapi_fail_host(struct ide_channel *ch, int err)
{
    if (err == -ENOMEDIUM)
        not_ready(ch);
    else
        fail(ch, MEDIUM_ERROR, ASC_READ_ERROR, 0);
}

void atapi_abort(struct ide_channel *ch)
{
    fail(ch, ABORTED_COMMAND, ASC_DATA_PHASE_ERROR, 0);
}

/* The host takes as much of the n bytes in buf as it has room for. */
static void reply(struct ide_channel *ch, uint32_t n, uint32_t room)
{
    if (n > room)
        n = room;
    if (n == 0)
        ide_succeed(ch);
    else
        ide_start_reply(ch, n);
}

static uint8_t *clear(struct ide_channel *ch, unsigned n)
{
    return memset(ch->buf, 0, n);
}

/* -- The medium -------------------------------------------------------------------------------- */

static uint32_t sectors_of(const struct ide_unit *u)
{
    uint64_t n = drive_bytes(u->drive) / CD_SECTOR;

    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static bool is_ready(const struct ide_unit *u)
{
    return drive_present(u->drive) && sectors_of(u) > 0;
}

static bool is_dvd(const struct ide_unit *u)
{
    return is_ready(u) && sectors_of(u) > CD_MAX_SECTORS;
}

/* Minute, second, frame, from the beginning of the lead-in. */
static void put_msf(uint8_t *p, uint32_t lba)
{
    lba += PREGAP;
    p[0] = (uint8_t)(lba / 75 / 60);
    p[1] = (uint8_t)(lba / 75 % 60);
    p[2] = (uint8_t)(lba % 75);
}

/* Address field of a table of contents: four bytes. */
static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
    p[0] = 0;
    if (msf)
        put_msf(p + 1, lba);
    else
        put32(p, lba);
}

/* -- Commands: each gets the packet, which is a copy --------------------------------------------
 */

static void test_unit_ready(struct ide_channel *ch, const uint8_t *p)
{
    (void)p;
    ide_succeed(ch);
}

static void request_sense(struct ide_channel *ch, const uint8_t *p)
{
    struct atapi *a = &ide_selected(ch)->atapi;
    uint8_t *data = clear(ch, 18);

    if (a->attention) {
        a->attention = false;
        *a = (struct atapi){UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, false, a->event, a->locked};
    }
    data[0] = 0x70; /* current error, fixed format */
    data[2] = a->key;
    data[7] = 10; /* bytes that follow */
    data[12] = a->asc;
    data[13] = a->ascq;
    a->key = a->asc = a->ascq = 0;
    reply(ch, 18, p[4]);
}

static void inquiry(struct ide_channel *ch, const uint8_t *p)
{
    static const char names[] = "CALQUE  CALQUE CD-ROM   1.0 ";
    uint8_t *data = clear(ch, 36);

    if (p[1] & 1) { /* vital product data */
        invalid_field(ch);
        return;
    }
    data[0] = 0x05; /* CD-ROM */
    data[1] = 0x80; /* removable */
    data[3] = 0x21; /* ATAPI, response format 1 */
    data[4] = 31;   /* bytes that follow */
    memcpy(data + 8, names, sizeof(names) - 1);
    reply(ch, 36, get16(p + 3));
}

static void start_stop(struct ide_channel *ch, const uint8_t *p)
{
    struct ide_unit *u = ide_selected(ch);
    bool start = p[4] & 1, load = p[4] & 2;

    if (load && !start && u->atapi.locked) {
        fail(ch, drive_present(u->drive) ? ILLEGAL_REQUEST : NOT_READY, ASC_REMOVAL_PREVENTED, 2);
        return;
    }
    if (load && start == drive_tray_is_open(u->drive)) {
        drive_move_tray(u->drive, !start);
        u->atapi.attention = start && is_ready(u);
        u->atapi.event = start ? is_ready(u) ? EVENT_NEW_MEDIA : EVENT_NONE : EVENT_MEDIA_REMOVAL;
    }
    ide_succeed(ch);
}

static void prevent_removal(struct ide_channel *ch, const uint8_t *p)
{
    struct ide_unit *u = ide_selected(ch);

    u->atapi.locked = p[4] & 1;
    drive_lock_tray(u->drive, u->atapi.locked);
    ide_succeed(ch);
}

static void read_capacity(struct ide_channel *ch, const uint8_t *p)
{
    (void)p;
    put32(ch->buf, sectors_of(ide_selected(ch)) - 1);
    put32(ch->buf + 4, CD_SECTOR);
    reply(ch, 8, 8);
}

static void seek(struct ide_channel *ch, const uint8_t *p)
{
    if (get32(p + 2) >= sectors_of(ide_selected(ch)))
        fail(ch, ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
    else
        ide_succeed(ch);
}

static void read_sectors(struct ide_channel *ch, uint32_t lba, uint32_t n, unsigned bytes)
{
    uint32_t sectors = sectors_of(ide_selected(ch));

    if (lba >= sectors ? n > 0 || lba > sectors : n > sectors - lba) {
        fail(ch, ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
    } else if (n == 0) {
        ide_succeed(ch);
    } else {
        ch->sector_bytes = (uint16_t)bytes;
        ide_start_sectors(ch, IDE_READ, lba, n);
    }
}

static void read_10(struct ide_channel *ch, const uint8_t *p)
{
    read_sectors(ch, get32(p + 2), get16(p + 7), CD_SECTOR);
}

static void read_12(struct ide_channel *ch, const uint8_t *p)
{
    read_sectors(ch, get32(p + 2), get32(p + 6), CD_SECTOR);
}

/* Which parts of each sector: nothing, user data, or all 2352 bytes. */
static void read_cd(struct ide_channel *ch, const uint8_t *p)
{
    uint32_t n = get24(p + 6);

    switch (p[9] & 0xf8) {
    case 0x00: ide_succeed(ch); break;
    case 0x10: read_sectors(ch, get32(p + 2), n, CD_SECTOR); break;
    case 0xf8: read_sectors(ch, get32(p + 2), n, RAW_SECTOR); break;
    default: invalid_field(ch);
    }
}

static uint8_t to_bcd(unsigned n)
{
    return (uint8_t)(n / 10 << 4 | n % 10);
}

/* Synchronisation, header (address in BCD, mode 1), data; error detection and correction are
 * zeros. */
void atapi_make_raw(uint8_t *to, const uint8_t *from, uint64_t lba, unsigned n)
{
    for (; n > 0; n--, lba++, to += RAW_SECTOR, from += CD_SECTOR) {
        uint8_t msf[3];

        memmove(to + 16, from, CD_SECTOR);
        memset(to, 0xff, 12);
        to[0] = to[11] = 0;
        put_msf(msf, (uint32_t)lba);
        for (unsigned k = 0; k < 3; k++)
            to[12 + k] = to_bcd(msf[k]);
        to[15] = 1;
        memset(to + 16 + CD_SECTOR, 0, RAW_SECTOR - 16 - CD_SECTOR);
    }
}

/* -- What is on the medium --------------------------------------------------------------------- */

static uint32_t toc_tracks(const struct ide_unit *u, uint8_t *data, unsigned first, bool msf)
{
    uint32_t n = 4;

    data[2] = data[3] = 1; /* first and last track */
    if (first <= 1) {
        data[n + 1] = 0x14; /* data track */
        data[n + 2] = 1;
        put_address(data + n + 4, 0, msf);
        n += 8;
    }
    data[n + 1] = 0x14;
    data[n + 2] = LEAD_OUT;
    put_address(data + n + 4, sectors_of(u), msf);
    return n + 8;
}

static uint32_t toc_sessions(uint8_t *data, bool msf)
{
    data[2] = data[3] = 1; /* first and last session */
    data[5] = 0x14;
    data[6] = 1; /* its first track */
    put_address(data + 8, 0, msf);
    return 12;
}

/* As in the lead-in: points A0-A2, then the track. */
static uint32_t toc_raw(const struct ide_unit *u, uint8_t *data)
{
    static const uint8_t points[] = {0xa0, 0xa1, 0xa2, 1};
    uint32_t n = 4;

    data[2] = data[3] = 1;
    for (unsigned k = 0; k < sizeof(points); k++, n += 11) {
        data[n] = 1; /* session */
        data[n + 1] = 0x14;
        data[n + 3] = points[k];
        if (k < 2)
            data[n + 8] = 1; /* first, last track */
        else
            put_msf(data + n + 8, points[k] == 1 ? 0 : sectors_of(u));
    }
    return n;
}

static void read_toc(struct ide_channel *ch, const uint8_t *p)
{
    struct ide_unit *u = ide_selected(ch);
    bool msf = p[1] & 2;
    unsigned format = p[2] & 15;
    uint8_t *data = clear(ch, 64);
    uint32_t n;

    if (format == 0) /* where older hosts put it */
        format = p[9] >> 6;
    if (format == 0 && p[6] > 1 && p[6] != LEAD_OUT) {
        invalid_field(ch);
        return;
    }
    switch (format) {
    case 0: n = toc_tracks(u, data, p[6], msf); break;
    case 1: n = toc_sessions(data, msf); break;
    case 2: n = toc_raw(u, data); break;
    default: invalid_field(ch); return;
    }
    put16(data, n - 2);
    reply(ch, n, get16(p + 7));
}

static void read_disc_information(struct ide_channel *ch, const uint8_t *p)
{
    uint8_t *data = clear(ch, 34);

    if ((p[1] & 7) != 0) {
        invalid_field(ch);
        return;
    }
    put16(data, 32);
    data[2] = 0x0e; /* complete session, finalized disc */
    data[3] = data[4] = data[5] = data[6] = 1;
    data[7] = 0x20;             /* unrestricted use */
    memset(data + 17, 0xff, 7); /* no lead-in, no lead-out to write */
    reply(ch, 34, get16(p + 7));
}

/* -- What the drive is ------------------------------------------------------------------------- */

static uint8_t *put_profile(uint8_t *p, unsigned profile, bool current)
{
    put16(p, profile);
    p[2] = current;
    return p + 4;
}

static void get_configuration(struct ide_channel *ch, const uint8_t *p)
{
    struct ide_unit *u = ide_selected(ch);
    uint8_t *data = clear(ch, 64), *at = data + 8;
    bool dvd = is_dvd(u), cd = is_ready(u) && !dvd;
    unsigned from = get16(p + 2), kind = p[1] & 3;

    if (kind == 3) {
        invalid_field(ch);
        return;
    }
    put16(data + 6, dvd ? 0x10 : cd ? 0x08 : 0); /* current profile */
    if (from == 0) {                             /* list of profiles */
        at[2] = 0x03;                            /* persistent, current */
        at[3] = 8;
        at = put_profile(at + 4, 0x10, dvd);
        at = put_profile(at, 0x08, cd);
    }
    if (kind == 2 ? from == 1 : from <= 1) { /* core: ATAPI */
        put16(at, 1);
        at[2] = 0x0b;
        at[3] = 8;
        at[7] = 2;
        at[8] = 1;
        at += 12;
    }
    if (kind == 2 ? from == 3 : from <= 3) { /* removable medium: a tray with a lock */
        put16(at, 3);
        at[2] = 0x03;
        at[3] = 4;
        at[4] = 0x29;
        at += 8;
    }
    put32(data, (uint32_t)(at - data - 4));
    reply(ch, (uint32_t)(at - data), get16(p + 7));
}

static void get_event_status(struct ide_channel *ch, const uint8_t *p)
{
    struct ide_unit *u = ide_selected(ch);
    uint8_t *data = clear(ch, 8);
    bool media = p[4] & 0x10;

    if (!(p[1] & 1)) { /* only asked, not by messages */
        invalid_field(ch);
        return;
    }
    put16(data, media ? 6 : 2);
    data[2] = media ? 4 : 0x80; /* class media, or none of those */
    data[3] = 0x10;
    if (media) {
        data[4] = u->atapi.event;
        data[5] = (uint8_t)(drive_tray_is_open(u->drive) | is_ready(u) << 1);
        u->atapi.event = EVENT_NONE;
    }
    reply(ch, media ? 8 : 4, get16(p + 7));
}

static uint8_t *put_page(uint8_t *at, unsigned asked, const uint8_t *page)
{
    if (asked != 0x3f && asked != page[0])
        return at;
    memcpy(at, page, page[1] + 2u);
    return at + page[1] + 2;
}

static void mode_sense(struct ide_channel *ch, const uint8_t *p)
{
    static const uint8_t recovery[] = {0x01, 6, 0x00, 5};
    static const uint8_t audio[] = {0x0e, 14, 0x04, 0, 0, 0, 0, 75, 1, 0xff, 2, 0xff};
    struct ide_unit *u = ide_selected(ch);
    /* Capabilities: reads CD-R, DVD-ROM; mode 2, multisession; tray, eject, lock; 4x */
    uint8_t caps[22] = {0x2a, 20, 0x3b, 0, 0x70, 0, 0x29, 0, 0x02, 0xc2, 0, 2, 2, 0, 0x02, 0xc2};
    uint8_t page[24] = {0}, *data = clear(ch, 80), *at = data + 8;
    unsigned asked = p[2] & 0x3f;

    if (p[2] >> 6 == 3) {
        fail(ch, ILLEGAL_REQUEST, ASC_NO_SAVED_PAGES, 0);
        return;
    }
    caps[6] |= (uint8_t)(u->atapi.locked << 1);
    memcpy(page, recovery, sizeof(recovery));
    at = put_page(at, asked, page);
    memset(page, 0, sizeof(page));
    memcpy(page, audio, sizeof(audio));
    at = put_page(at, asked, page);
    at = put_page(at, asked, caps);
    if (at == data + 8) {
        invalid_field(ch);
        return;
    }
    put16(data, (unsigned)(at - data) - 2);
    data[2] = drive_tray_is_open(u->drive) ? 0x71 : is_ready(u) ? 0x01 : 0x70; /* medium type */
    reply(ch, (uint32_t)(at - data), get16(p + 7));
}

static void mechanism_status(struct ide_channel *ch, const uint8_t *p)
{
    uint8_t *data = clear(ch, 8);

    data[1] = drive_tray_is_open(ide_selected(ch)->drive) ? 0x10 : 0;
    data[5] = 1; /* slots */
    reply(ch, 8, get16(p + 8));
}

/* -- The table --------------------------------------------------------------------------------- */

#define READY 0x01 /* needs a medium */
#define QUIET 0x02 /* does not tell that the medium was changed */

static const struct packet_command {
    void (*run)(struct ide_channel *ch, const uint8_t *packet);
    uint8_t needs;
} commands[256] = {
    [0x00] = {test_unit_ready, READY},  [0x03] = {request_sense, QUIET},
    [0x12] = {inquiry, QUIET},          [0x1b] = {start_stop, 0},
    [0x1e] = {prevent_removal, 0},      [0x25] = {read_capacity, READY},
    [0x28] = {read_10, READY},          [0x2b] = {seek, READY},
    [0x43] = {read_toc, READY},         [0x46] = {get_configuration, QUIET},
    [0x4a] = {get_event_status, QUIET}, [0x51] = {read_disc_information, READY},
    [0x5a] = {mode_sense, 0},           [0xa8] = {read_12, READY},
    [0xbb] = {test_unit_ready, 0}, /* SET CD SPEED */
    [0xbd] = {mechanism_status, 0},     [0xbe] = {read_cd, READY},
};

void atapi_packet(struct ide_channel *ch)
{
    ch->dma = false;
    ide_start_packet(ch);
}

void atapi_execute(struct ide_channel *ch)
{
    struct ide_unit *u = ide_selected(ch);
    uint32_t limit = u->lba[1].now | (uint32_t)u->lba[2].now << 8;
    const struct packet_command *c;
    uint8_t packet[IDE_PACKET];

    memcpy(packet, ch->buf, sizeof(packet));
    c = &commands[packet[0]];
    ch->phase = IDE_IDLE;
    ch->dma = u->feature.now & 1;
    ch->sector_bytes = CD_SECTOR;
    ch->block = limit < 2 ? 0xfffe : limit & 0xfffe;
    if (c->run == NULL) {
        fail(ch, ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0);
        return;
    }
    if (u->atapi.attention && !(c->needs & QUIET)) {
        u->atapi.attention = false;
        fail(ch, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0);
        return;
    }
    if ((c->needs & READY) && !is_ready(u)) {
        not_ready(ch);
        return;
    }
    if (packet[0] != 0x03)
        u->atapi.key = u->atapi.asc = u->atapi.ascq = 0;
    c->run(ch, packet);
}

/* -- The user's hand --------------------------------------------------------------------------- */

static void changed(void *dev)
{
    struct ide_unit *u = dev;

    u->atapi.attention = is_ready(u);
    u->atapi.event = is_ready(u) ? EVENT_NEW_MEDIA : EVENT_MEDIA_REMOVAL;
    u->atapi.locked = false;
    drive_lock_tray(u->drive, false);
}

static void eject_request(void *dev)
{
    ((struct ide_unit *)dev)->atapi.event = EVENT_EJECT_REQUEST;
}

const struct drive_ops atapi_drive_ops = {changed, eject_request};

void atapi_reset(struct ide_unit *u)
{
    if (!u->is_cd)
        return;
    u->atapi = (struct atapi){.event = u->atapi.event};
    drive_lock_tray(u->drive, false);
}
