/* SPDX-License-Identifier: MIT */
/* What the parts of the IDE controller share: ide.c has registers and life, ide_transfer.c moves
 * data between the host and images, ide_dma.c is the bus master, ata.c and ata_identify.c know the
 * commands of disks, atapi*.c those of CD-ROM drives.
 *
 * A channel carries out one command at a time: a job, in which phases follow each other. Saved
 * fields say all that is needed to go on; a request that is under way when the state is saved is
 * made again when it is loaded. */
#ifndef DEVICES_IDE_STATE_H
#define DEVICES_IDE_STATE_H

#include "devices/pci.h"
#include "vmm/drive.h"

#define IDE_CHANNELS 2
#define IDE_UNITS    2
#define IDE_BUF      (128u << 10) /* what is moved at once */
#define IDE_SECTOR   512u
#define IDE_PACKET   12u

/* Status and error registers. */
#define ATA_ERR  0x01
#define ATA_DRQ  0x08
#define ATA_DSC  0x10
#define ATA_DF   0x20
#define ATA_DRDY 0x40
#define ATA_BSY  0x80

#define ATA_ABRT 0x04
#define ATA_IDNF 0x10
#define ATA_UNC  0x40

/* Device and device control registers. */
#define ATA_DEV  0x10
#define ATA_LBA  0x40
#define ATA_NIEN 0x02
#define ATA_SRST 0x04
#define ATA_HOB  0x80

/* Bus master: command and status. */
#define BM_START     0x01
#define BM_TO_MEMORY 0x08
#define BM_ACTIVE    0x01
#define BM_ERROR     0x02
#define BM_INTERRUPT 0x04

enum ide_phase {
    IDE_IDLE,
    IDE_DISK,    /* a request to the drive is under way */
    IDE_PIO_IN,  /* the host reads buf[pos] up to drq_end */
    IDE_PIO_OUT, /* the host writes it */
    IDE_DMA,     /* the bus master moves buf[pos] up to end */
    IDE_PHASES
};

enum ide_job {
    IDE_NOTHING,
    IDE_READ,   /* sectors to the host */
    IDE_WRITE,  /* sectors from the host */
    IDE_VERIFY, /* sectors to nowhere */
    IDE_FLUSH,
    IDE_TRIM,       /* ranges from the host, which are then discarded one by one */
    IDE_REPLY,      /* what is in the buffer to the host */
    IDE_PACKET_OUT, /* an ATAPI command from the host */
    IDE_JOBS
};

/* Registers that have two bytes: the current and, for 48-bit commands, the one written before. */
struct ide_byte {
    uint8_t now, hob;
};

struct atapi {
    uint8_t key, asc, ascq; /* sense data */
    bool attention;         /* the medium was changed: the next command is told */
    uint8_t event;          /* media event that nobody has asked for yet */
    bool locked;            /* the medium's removal is prevented */
};

struct ide_unit {
    struct ide_byte feature, count, lba[3];
    uint8_t status, error;
    uint8_t heads, spt; /* as the host sees the disk */
    uint8_t multiple;   /* sectors of a block of READ MULTIPLE; 0: off */
    uint8_t mdma, udma; /* selected mode, one bit; 0: none of this kind */
    bool write_cache, look_ahead, smart;
    struct atapi atapi;
    struct drive *drive; /* NULL: nothing there */
    bool is_cd;
    struct ide_channel *channel;
};

struct ide_channel {
    struct ide_unit unit[IDE_UNITS];
    uint8_t device, control;
    bool irq; /* an interrupt is pending; nIEN hides it */
    uint8_t phase, job;
    bool dma, sync;
    uint64_t lba;                  /* where the image is read or written next */
    uint32_t left;                 /* sectors that it is still to be */
    uint16_t sector_bytes;         /* of a sector as the host sees it */
    uint32_t block;                /* bytes that the host moves for one DRQ */
    uint32_t pos, drq_end, end;    /* in buf; pos: also of the next range to discard */
    uint8_t bm_command, bm_status; /* bus master */
    uint32_t bm_table, bm_next;    /* first and next descriptor */
    uint32_t bm_addr, bm_left;     /* of the current one */
    bool bm_last;                  /* it is the last one */
    uint8_t buf[IDE_BUF];
    struct irq line;
    bool line_level;
    struct drive_request request;
    struct drive *asked; /* whose request it is */
    struct ide *ide;
};

struct ide {
    struct pci_device pci;
    struct ide_channel channel[IDE_CHANNELS];
};

static inline struct ide_unit *ide_selected(struct ide_channel *ch)
{
    return &ch->unit[(ch->device & ATA_DEV) != 0];
}

/* -- ide.c ------------------------------------------------------------------------------------- */

void ide_set_irq(struct ide_channel *ch, bool pending);
/* Registers tell what kind of device this is. */
void ide_put_signature(struct ide_unit *u);
/* Both devices have found themselves to be in order; the first one is selected. */
void ide_diagnosed(struct ide_channel *ch);
void ide_cancel(struct ide_channel *ch);

/* -- ide_transfer.c: begin a job, end it ------------------------------------------------------- */

/* `n` sectors from lba on, one block a DRQ or by DMA. */
void ide_start_sectors(struct ide_channel *ch, enum ide_job job, uint64_t lba, uint32_t n);
void ide_start_flush(struct ide_channel *ch);
/* `n` sectors of ranges to be discarded; they fit in the buffer. */
void ide_start_trim(struct ide_channel *ch, uint32_t n);
/* The first n bytes of buf go to the host. */
void ide_start_reply(struct ide_channel *ch, uint32_t n);
void ide_start_packet(struct ide_channel *ch);

/* The host has moved up to pos. */
void ide_block_moved(struct ide_channel *ch);
/* By DMA, all of the buffer. */
void ide_buffer_moved(struct ide_channel *ch);

bool ide_is_to_host(const struct ide_channel *ch);

/* The job is done; the host is interrupted if it waits for that. */
void ide_succeed(struct ide_channel *ch);
/* Make the request again that was under way when the state was saved. */
void ide_resume(struct ide_channel *ch);

/* -- ide_dma.c --------------------------------------------------------------------------------- */

extern const struct io_ops ide_bm_ops;

/* Move what can be moved. */
void ide_dma_run(struct ide_channel *ch);

/* -- ata.c, ata_identify.c --------------------------------------------------------------------- */

void ata_command(struct ide_channel *ch, uint8_t command);
/* The command failed; `lba` is where, UINT64_MAX: nowhere. */
void ata_fail(struct ide_channel *ch, uint8_t error, uint64_t lba);
void ata_reset(struct ide_unit *u);
void ata_reset_geometry(struct ide_unit *u);
void ata_identify(const struct ide_unit *u, uint8_t *data);
void atapi_identify(const struct ide_unit *u, uint8_t *data);
unsigned ata_cylinders(const struct ide_unit *u, unsigned heads, unsigned spt);

/* -- atapi.c ----------------------------------------------------------------------------------- */

void atapi_packet(struct ide_channel *ch);             /* the PACKET command: wants the packet */
void atapi_execute(struct ide_channel *ch);            /* which is in buf */
void atapi_fail_host(struct ide_channel *ch, int err); /* reading the image failed */
void atapi_abort(struct ide_channel *ch);              /* the transfer failed */
void atapi_reset(struct ide_unit *u);
/* Sectors of 2048 bytes at `from` become raw ones of 2352 bytes at `to`, which may overlap. */
void atapi_make_raw(uint8_t *to, const uint8_t *from, uint64_t lba, unsigned n);

extern const struct drive_ops atapi_drive_ops;

/* Interrupt reason, in the count register. */
#define ATAPI_COD 0x01
#define ATAPI_IO  0x02

#endif
