/* SPDX-License-Identifier: MIT */
/* What IDENTIFY DEVICE and IDENTIFY PACKET DEVICE say (ATA/ATAPI-6, T13 1410D, 8.15 and 8.16): 256
 * words, of which some depend on the disk and its settings. */
#include <stdio.h>
#include <string.h>

#include "devices/ide_state.h"

#define CYLINDERS_MAX 16383
#define SERIAL_WORD   10
#define FIRMWARE_WORD 23
#define MODEL_WORD    27

static void put_word(uint8_t *data, unsigned n, unsigned val)
{
    data[2 * n] = (uint8_t)val;
    data[2 * n + 1] = (uint8_t)(val >> 8);
}

/* `words` words, the least significant first. */
static void put_number(uint8_t *data, unsigned n, uint64_t val, unsigned words)
{
    for (unsigned k = 0; k < words; k++)
        put_word(data, n + k, (unsigned)(val >> (16 * k)) & 0xffff);
}

/* Padded with blanks; the first of two characters is in a word's upper half. */
static void put_text(uint8_t *data, unsigned n, const char *text, unsigned len)
{
    size_t given = strlen(text);

    for (unsigned k = 0; k < len; k++)
        data[2 * n + (k ^ 1)] = k < given ? (uint8_t)text[k] : ' ';
}

struct word {
    uint8_t n;
    uint16_t val;
};

static void put_words(uint8_t *data, const struct word *words, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        put_word(data, words[k].n, words[k].val);
}

/* Which drive it is in the machine: 0-3. */
static unsigned place(const struct ide_unit *u)
{
    const struct ide_channel *ch = u->channel;

    return (unsigned)(ch - ch->ide->channel) * IDE_UNITS + (unsigned)(u - ch->unit);
}

static void put_names(const struct ide_unit *u, uint8_t *data, const char *model)
{
    char serial[16];

    snprintf(serial, sizeof(serial), "CQ%05u", place(u) + 1);
    put_text(data, SERIAL_WORD, serial, 20);
    put_text(data, FIRMWARE_WORD, "1.0", 8);
    put_text(data, MODEL_WORD, model, 40);
}

static void put_modes(const struct ide_unit *u, uint8_t *data)
{
    put_word(data, 63, 0x07 | u->mdma << 8);
    put_word(data, 88, 0x3f | u->udma << 8);
}

static void put_checksum(uint8_t *data)
{
    uint8_t sum = 0xa5;

    data[510] = 0xa5;
    for (unsigned k = 0; k < 510; k++)
        sum = (uint8_t)(sum + data[k]);
    data[511] = (uint8_t)-sum;
}

unsigned ata_cylinders(const struct ide_unit *u, unsigned heads, unsigned spt)
{
    uint64_t n = drive_bytes(u->drive) / IDE_SECTOR / (heads * spt);

    return n < CYLINDERS_MAX ? (unsigned)n : CYLINDERS_MAX;
}

void ata_identify(const struct ide_unit *u, uint8_t *data)
{
    static const struct word fixed[] = {
        {0, 0x0040}, /* not removable */
        {3, 16},     /* heads and sectors a track when switched on */
        {6, 63},
        {20, 3}, /* buffer: two ports, read ahead */
        {21, 2 * (IDE_BUF >> 10)},
        {22, 4},      /* bytes of ECC */
        {47, 0x8010}, /* READ MULTIPLE: 16 sectors */
        {48, 1},      /* data port of 32 bits */
        {49, 0x0f00}, /* IORDY, LBA, DMA */
        {50, 0x4000},
        {51, 0x0200}, /* PIO mode 2 */
        {53, 0x0007}, /* 54-58, 64-70 and 88 are valid */
        {64, 0x0003}, /* PIO modes 3 and 4 */
        {65, 120},    /* ns of a cycle: DMA, then PIO */
        {66, 120},
        {67, 120},
        {68, 120},
        {80, 0x00fe}, /* ATA-1 to ATA/ATAPI-7: hosts look for TRIM in none that is older */
        {82, 0x0061}, /* look-ahead, write cache, SMART */
        {83, 0x7400}, /* FLUSH CACHE (EXT), 48-bit addresses */
        {84, 0x4040}, /* WRITE FUA EXT */
        {86, 0x3400},
        {87, 0x4040},
        {93, 0x6001},                /* cable of 80 wires */
        {105, IDE_BUF / IDE_SECTOR}, /* of ranges in a DATA SET MANAGEMENT command */
        {169, 0x0001},               /* which knows TRIM */
    };
    uint64_t sectors = drive_bytes(u->drive) / IDE_SECTOR;
    unsigned cylinders = ata_cylinders(u, u->heads, u->spt);

    memset(data, 0, IDE_SECTOR);
    put_words(data, fixed, sizeof(fixed) / sizeof(fixed[0]));
    put_names(u, data, "CALQUE HARDDISK");
    put_modes(u, data);
    put_word(data, 1, ata_cylinders(u, 16, 63));
    put_word(data, 54, cylinders);
    put_word(data, 55, u->heads);
    put_word(data, 56, u->spt);
    put_number(data, 57, (uint64_t)cylinders * u->heads * u->spt, 2);
    put_word(data, 59, u->multiple != 0 ? 0x100u | u->multiple : 0);
    put_number(data, 60, sectors < 0x0fffffff ? sectors : 0x0fffffff, 2);
    put_word(data, 85,
             (u->smart ? 0x01 : 0) | (u->write_cache ? 0x20 : 0) | (u->look_ahead ? 0x40 : 0));
    put_number(data, 100, sectors, 4);
    put_checksum(data);
}

void atapi_identify(const struct ide_unit *u, uint8_t *data)
{
    static const struct word fixed[] = {
        {0, 0x85c0},  /* CD-ROM, removable, DRQ within 50 us, packets of 12 bytes */
        {48, 1},      /* data port of 32 bits */
        {49, 0x0f00}, /* IORDY, LBA, DMA */
        {53, 0x0006}, /* 64-70 and 88 are valid */
        {64, 0x0003}, /* PIO modes 3 and 4 */
        {65, 120},    /* ns of a cycle: DMA, then PIO */
        {66, 120},    {67, 120},    {68, 120},
        {71, 30},                   /* ns until a packet's bus release, and service */
        {72, 30},     {80, 0x007e}, /* up to ATA/ATAPI-6 */
        {82, 0x0210},               /* PACKET, DEVICE RESET */
        {83, 0x4000}, {84, 0x4000}, {85, 0x0210},
        {87, 0x4000}, {93, 0x6001}, /* cable of 80 wires */
    };

    memset(data, 0, IDE_SECTOR);
    put_words(data, fixed, sizeof(fixed) / sizeof(fixed[0]));
    put_names(u, data, "CALQUE CD-ROM");
    put_modes(u, data);
    put_checksum(data);
}
